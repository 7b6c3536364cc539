//! The cryptography of one association: from a packet with room for it to a protected one, and back.
//!
//! IVs never repeat under one key: those of combined modes, GMAC and counter mode are the sequence
//! number (RFC 4106 §3.1 allows a counter). Those of CBC must be unpredictable (RFC 3602 §3): they
//! are the sequence number, behind a seed, encrypted under the key, the first method of SP 800-38A
//! appendix C.

use alloc::boxed::Box;

use hostward_crypto::aead::AeadKey;
use hostward_crypto::algorithm::{Cipher, Tag};
use hostward_crypto::cipher::CipherKey;
use hostward_crypto::{Aead, Failed, MacKey, Provider};

use crate::sa::{Parameters, SaError};
use crate::suite::{Protocol, Work};

/// A cipher with what its IVs are made of.
enum Keyed {
    Cbc(Box<dyn CipherKey>, u64),
    Ctr(Box<dyn CipherKey>, u32),
}

enum Kind {
    Combined {
        key: Box<dyn AeadKey>,
        ready: Ready,
        explicit: bool,
    },
    Gmac {
        key: Box<dyn AeadKey>,
        salt: u32,
    },
    Apart {
        cipher: Option<Keyed>,
        mac: Box<dyn MacKey>,
    },
}

/// Nonce and associated data of the next two packets. They are written a packet ahead: reading what
/// was stored a moment ago in other pieces makes the processor wait, and libraries read them in their own
/// pieces.
struct Ready {
    /// By the last bit of the sequence number.
    slots: [Slot; 2],
    salt: u32,
    spi: u32,
    /// Where the nonce begins in its 12 octets.
    skip: usize,
    /// Where the associated data begin.
    from: usize,
}

/// For one sequence number, with the IV of that number.
#[derive(Default)]
struct Slot {
    sequence: u64,
    nonce: [u8; 12],
    aad: [u8; 12],
}

impl Ready {
    fn new(salt: u32, skip: usize, spi: u32, esn: bool) -> Self {
        let mut this = Self {
            slots: [Slot::default(), Slot::default()],
            salt,
            spi,
            skip,
            from: if esn { 0 } else { 4 },
        };
        this.unexpected(1, 1);
        this.unexpected(2, 2);
        this
    }

    /// SPI and sequence number are associated data: 8 octets, or 12 with both halves of the number
    /// (RFC 4106 §5).
    #[inline(always)]
    fn slot(&self, sequence: u64, iv: u64) -> Slot {
        let aad = if self.from == 0 {
            nonce(self.spi, sequence)
        } else {
            nonce(0, u64::from(self.spi) << 32 | u64::from(sequence as u32))
        };
        Slot {
            sequence,
            nonce: nonce(self.salt, iv),
            aad,
        }
    }

    #[inline(always)]
    fn place(&mut self, sequence: u64) -> &mut Slot {
        let [even, odd] = &mut self.slots;
        if sequence & 1 == 0 { even } else { odd }
    }

    /// Nonce and associated data for a packet, after which [`next`](Self::next) is to be called.
    #[inline(always)]
    fn of(&mut self, sequence: u64, iv: u64) -> Result<(&[u8], &[u8]), Failed> {
        let (skip, from) = (self.skip, self.from);
        if iv != sequence || self.place(sequence).sequence != sequence {
            self.unexpected(sequence, iv);
        }
        let slot = self.place(sequence);
        let nonce = slot.nonce.get(skip..).ok_or(Failed)?;
        Ok((nonce, slot.aad.get(from..).ok_or(Failed)?))
    }

    #[cold]
    fn unexpected(&mut self, sequence: u64, iv: u64) {
        let mut slot = self.slot(sequence, iv);
        // Whoever sends other IVs than numbers: this is for nothing else, 0 being no number.
        if iv != sequence {
            slot.sequence = 0;
        }
        *self.place(sequence) = slot;
    }

    /// The packet with this number is done: the one after the next takes its slot.
    #[inline(always)]
    fn next(&mut self, sequence: u64) {
        let next = sequence.wrapping_add(2);
        let slot = self.place(sequence);
        // All but the low half stays, mostly.
        if slot.sequence != sequence || (next as u32) < 2 {
            return self.unexpected(next, next);
        }
        slot.sequence = next;
        let low = (next as u32).to_be_bytes();
        let ([_, _, _, _, _, _, _, _, nonce @ ..], [_, _, _, _, _, _, _, _, aad @ ..]) =
            (&mut slot.nonce, &mut slot.aad);
        (*nonce, *aad) = (low, low);
    }
}

/// Expanded keys and what they are used with.
pub(crate) struct Engine {
    kind: Kind,
    spi: u32,
    icv: usize,
    esn: bool,
}

/// A word of 32 and one of 64 bits in the last twelve octets.
#[inline]
fn wide(word: u32, sequence: u64) -> [u8; 16] {
    (u128::from(word) << 64 | u128::from(sequence)).to_be_bytes()
}

/// The four octets of a salt, the first ones zero when it has three.
fn salt(octets: &[u8]) -> u32 {
    octets
        .iter()
        .fold(0, |salt, octet| salt << 8 | u32::from(*octet))
}

impl Engine {
    pub(crate) fn new(provider: &Provider, p: &Parameters) -> Result<Self, SaError> {
        p.suite.check(provider)?;
        let keys = p.keys.expose();
        let wrong = || SaError::Keys {
            expected: p.suite.key_material_len(),
            given: keys.len(),
        };
        // RFC 7296 §2.17: the encryption key comes before the integrity key; a salt is the end of the
        // key that it belongs to.
        let kind = match p.suite.work() {
            Work::Combined { aead, implicit } => {
                let (key, rest) = keys.split_at_checked(aead.key_len()).ok_or_else(wrong)?;
                Kind::Combined {
                    key: provider.aead(aead, key)?,
                    ready: Ready::new(salt(rest), 12 - aead.nonce_len(), p.spi, p.esn),
                    explicit: !implicit,
                }
            }
            Work::Gmac(length) => {
                let (key, rest) = keys.split_at_checked(length.len()).ok_or_else(wrong)?;
                Kind::Gmac {
                    key: provider.aead(Aead::AesGcm(length, Tag::Octets16), key)?,
                    salt: salt(rest),
                }
            }
            Work::Apart { cipher, mac, .. } => {
                let (encryption, integrity) = keys
                    .split_at_checked(p.suite.encryption_key_len())
                    .ok_or_else(wrong)?;
                let cipher = match cipher {
                    None => None,
                    Some(cipher) => {
                        let (key, rest) = encryption
                            .split_at_checked(cipher.key_len())
                            .ok_or_else(wrong)?;
                        let key = provider.cipher(cipher, key)?;
                        Some(if matches!(cipher, Cipher::AesCtr(_)) {
                            Keyed::Ctr(key, salt(rest))
                        } else {
                            Keyed::Cbc(key, p.iv_seed)
                        })
                    }
                };
                Kind::Apart {
                    cipher,
                    mac: provider.mac(mac, integrity)?,
                }
            }
        };
        Ok(Self {
            kind,
            spi: p.spi,
            icv: p.suite.icv_len(),
            esn: p.esn,
        })
    }

    /// Reads something of the keys, which lie by themselves.
    #[inline]
    pub(crate) fn touch(&self) {
        match &self.kind {
            Kind::Combined { key, ready, .. } => {
                let [even, odd] = &ready.slots;
                core::hint::black_box((key.algorithm(), even.sequence, odd.sequence));
            }
            Kind::Gmac { key, .. } => {
                core::hint::black_box(key.algorithm());
            }
            Kind::Apart { cipher, mac } => {
                let cipher = match cipher {
                    Some(Keyed::Cbc(key, _) | Keyed::Ctr(key, _)) => Some(key.algorithm()),
                    None => None,
                };
                core::hint::black_box((cipher, mac.algorithm()));
            }
        }
    }

    #[inline]
    fn header(&self, sequence: u64) -> [u8; 8] {
        (u64::from(self.spi) << 32 | u64::from(sequence as u32)).to_be_bytes()
    }

    /// The high half of an extended number, which is authenticated and not sent.
    #[inline]
    fn high(&self, sequence: u64) -> ([u8; 4], usize) {
        let high = ((sequence >> 32) as u32).to_be_bytes();
        (high, if self.esn { 4 } else { 0 })
    }

    /// Seals the ESP packet that begins at `at`: header and IV are written, what follows up to the ICV
    /// (plaintext, padding, trailer) is encrypted, the ICV is written at the end.
    #[inline]
    pub(crate) fn seal(&mut self, all: &mut [u8], at: usize, sequence: u64) -> Result<(), Failed> {
        let word = self.header(sequence);
        let Kind::Combined {
            key,
            ready,
            explicit,
        } = &mut self.kind
        else {
            return self.seal_apart(all, at, sequence);
        };
        let esp = all.get_mut(at..).ok_or(Failed)?;
        let (header, mut rest) = esp.split_first_chunk_mut::<8>().ok_or(Failed)?;
        *header = word;
        if *explicit {
            let (iv, data) = rest.split_first_chunk_mut::<8>().ok_or(Failed)?;
            *iv = sequence.to_be_bytes();
            rest = data;
        }
        let end = rest.len().checked_sub(self.icv).ok_or(Failed)?;
        let (data, tag) = rest.split_at_mut_checked(end).ok_or(Failed)?;
        let (nonce, aad) = ready.of(sequence, sequence)?;
        key.seal(nonce, aad, data, tag)?;
        ready.next(sequence);
        Ok(())
    }

    /// The same for what is not one combined mode.
    fn seal_apart(&self, all: &mut [u8], at: usize, sequence: u64) -> Result<(), Failed> {
        match &self.kind {
            Kind::Combined { .. } => Err(Failed),
            Kind::Gmac { key, salt } => {
                let esp = all.get_mut(at..).ok_or(Failed)?;
                let (header, rest) = esp.split_first_chunk_mut::<8>().ok_or(Failed)?;
                *header = self.header(sequence);
                *rest.first_chunk_mut::<8>().ok_or(Failed)? = sequence.to_be_bytes();
                self.gmac(all, at, sequence, |covered, tag| {
                    key.seal(&nonce(*salt, sequence), covered, &mut [], tag)
                })
            }
            Kind::Apart { cipher, mac } => {
                let esp = all.get_mut(at..).ok_or(Failed)?;
                let end = esp.len().checked_sub(self.icv).ok_or(Failed)?;
                let (covered, icv) = esp.split_at_mut_checked(end).ok_or(Failed)?;
                let (header, rest) = covered.split_first_chunk_mut::<8>().ok_or(Failed)?;
                *header = self.header(sequence);
                match cipher {
                    None => {}
                    Some(Keyed::Cbc(cipher, seed)) => {
                        let (iv, data) = rest.split_first_chunk_mut::<16>().ok_or(Failed)?;
                        *iv = (u128::from(*seed) << 64 | u128::from(sequence)).to_be_bytes();
                        cipher.encrypt(&[0; 16], iv)?;
                        cipher.encrypt(iv, data)?;
                    }
                    Some(Keyed::Ctr(cipher, salt)) => {
                        let (iv, data) = rest.split_first_chunk_mut::<8>().ok_or(Failed)?;
                        *iv = sequence.to_be_bytes();
                        cipher.encrypt(&counter(*salt, *iv), data)?;
                    }
                }
                // RFC 4303 §2.2.1: the high half is authenticated behind everything else.
                let (high, len) = self.high(sequence);
                let code = mac.code(&[covered, high.get(..len).ok_or(Failed)?]);
                icv.copy_from_slice(code.as_ref().get(..icv.len()).ok_or(Failed)?);
                Ok(())
            }
        }
    }

    /// Checks the ICV of the ESP packet that begins at `at`, then decrypts what lies between IV and ICV. What is
    /// there after a failure is to be thrown away.
    #[inline]
    pub(crate) fn open(&mut self, all: &mut [u8], at: usize, sequence: u64) -> Result<(), Failed> {
        let Kind::Combined {
            key,
            ready,
            explicit,
        } = &mut self.kind
        else {
            return self.open_apart(all, at, sequence);
        };
        let esp = all.get_mut(at..).ok_or(Failed)?;
        let (_, mut rest) = esp.split_first_chunk_mut::<8>().ok_or(Failed)?;
        let mut iv = sequence;
        if *explicit {
            let (own, data) = rest.split_first_chunk_mut::<8>().ok_or(Failed)?;
            iv = u64::from_be_bytes(*own);
            rest = data;
        }
        let end = rest.len().checked_sub(self.icv).ok_or(Failed)?;
        let (data, tag) = rest.split_at_mut_checked(end).ok_or(Failed)?;
        let (nonce, aad) = ready.of(sequence, iv)?;
        key.open(nonce, aad, data, tag)?;
        ready.next(sequence);
        Ok(())
    }

    /// The same for what is not one combined mode.
    fn open_apart(&self, all: &mut [u8], at: usize, sequence: u64) -> Result<(), Failed> {
        match &self.kind {
            Kind::Combined { .. } => Err(Failed),
            Kind::Gmac { key, salt } => {
                let iv = all.get(at + 8..).ok_or(Failed)?;
                let iv = u64::from_be_bytes(*iv.first_chunk().ok_or(Failed)?);
                self.gmac(all, at, sequence, |covered, tag| {
                    key.open(&nonce(*salt, iv), covered, &mut [], tag)
                })
            }
            Kind::Apart { cipher, mac } => {
                let esp = all.get_mut(at..).ok_or(Failed)?;
                let end = esp.len().checked_sub(self.icv).ok_or(Failed)?;
                let (covered, icv) = esp.split_at_mut_checked(end).ok_or(Failed)?;
                let (high, len) = self.high(sequence);
                mac.verify(&[covered, high.get(..len).ok_or(Failed)?], icv)?;
                let (_, rest) = covered.split_first_chunk_mut::<8>().ok_or(Failed)?;
                match cipher {
                    None => Ok(()),
                    Some(Keyed::Cbc(cipher, _)) => {
                        let (iv, data) = rest.split_first_chunk_mut::<16>().ok_or(Failed)?;
                        cipher.decrypt(iv, data)
                    }
                    Some(Keyed::Ctr(cipher, salt)) => {
                        let (iv, data) = rest.split_first_chunk_mut::<8>().ok_or(Failed)?;
                        cipher.decrypt(&counter(*salt, *iv), data)
                    }
                }
            }
        }
    }

    /// Runs `with` over what GMAC covers: the packet from its header to the ICV (RFC 4543 §3.3). An
    /// extended number stands there with both halves, for which the packet's header moves forward by four octets
    /// meanwhile.
    fn gmac(
        &self,
        all: &mut [u8],
        at: usize,
        sequence: u64,
        with: impl FnOnce(&[u8], &mut [u8]) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let front = if self.esn { 4 } else { 0 };
        let esp = all
            .get_mut(at.checked_sub(front).ok_or(Failed)?..)
            .ok_or(Failed)?;
        let mut before = None;
        if self.esn {
            let start = esp.first_chunk_mut::<12>().ok_or(Failed)?;
            before = Some(*start);
            let [_, _, _, _, numbers @ ..] = wide(self.spi, sequence);
            *start = numbers;
        }
        let end = esp.len().checked_sub(self.icv).ok_or(Failed)?;
        let (covered, icv) = esp.split_at_mut_checked(end).ok_or(Failed)?;
        let result = with(covered, icv);
        if let (Some(before), Some(start)) = (before, esp.first_chunk_mut::<12>()) {
            *start = before;
        }
        result
    }

    /// Room in front of the packet that is written to and restored.
    pub(crate) fn front(&self) -> usize {
        match self.kind {
            Kind::Gmac { .. } if self.esn => 4,
            Kind::Gmac { .. } | Kind::Combined { .. } | Kind::Apart { .. } => 0,
        }
    }

    /// The ICV of AH over `covered`, which ends with the high half of an extended number (RFC 4302 §2.5.1);
    /// `iv` is GMAC's.
    pub(crate) fn authenticate(
        &self,
        covered: &[u8],
        iv: u64,
        icv: &mut [u8],
    ) -> Result<(), Failed> {
        match &self.kind {
            Kind::Gmac { key, salt } => key.seal(&nonce(*salt, iv), covered, &mut [], icv),
            Kind::Apart { mac, .. } => {
                let code = mac.code(&[covered]);
                icv.copy_from_slice(code.as_ref().get(..icv.len()).ok_or(Failed)?);
                Ok(())
            }
            Kind::Combined { .. } => Err(Failed),
        }
    }

    /// Checks what [`authenticate`](Self::authenticate) made.
    pub(crate) fn verify(&self, covered: &[u8], iv: u64, icv: &[u8]) -> Result<(), Failed> {
        match &self.kind {
            Kind::Gmac { key, salt } => key.open(&nonce(*salt, iv), covered, &mut [], icv),
            Kind::Apart { mac, .. } => mac.verify(&[covered], icv),
            Kind::Combined { .. } => Err(Failed),
        }
    }

    /// Octets of the IV that AH carries in its ICV field: GMAC's (RFC 4543 §4).
    pub(crate) fn ah_iv_len(&self) -> usize {
        match self.kind {
            Kind::Gmac { .. } => 8,
            Kind::Apart { .. } | Kind::Combined { .. } => 0,
        }
    }
}

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Engine({:#010x})", self.spi)
    }
}

fn nonce(salt: u32, iv: u64) -> [u8; 12] {
    let [_, _, _, _, nonce @ ..] = wide(salt, iv);
    nonce
}

/// RFC 3686 §4: nonce, IV, and a counter of blocks that begins with 1.
fn counter(salt: u32, iv: [u8; 8]) -> [u8; 16] {
    (u128::from(salt) << 96 | u128::from(u64::from_be_bytes(iv)) << 32 | 1).to_be_bytes()
}

/// The header of the protocol in front of what is protected, IV included; AH's ICV too.
pub(crate) const fn header_len(p: &Parameters) -> usize {
    match p.suite.protocol() {
        Protocol::Esp => 8 + p.suite.iv_len(),
        Protocol::Ah => {
            let len = 12 + p.suite.icv_len() + if p.suite.counts() { 8 } else { 0 };
            // RFC 4302 §2.6: in IPv6 the header is a multiple of 8 octets long.
            if p.remote.is_ipv6() {
                len.next_multiple_of(8)
            } else {
                len
            }
        }
    }
}
