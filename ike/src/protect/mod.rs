//! The encrypted payload (RFC 7296 §3.14, RFC 5282, RFC 7634) and its fragments (RFC 7383).
//!
//! A [`Sealer`] protects what one side sends and counts IVs for whole messages and fragments together; an
//! [`Opener`] opens what the other side sent. Retransmissions send the same octets again and never come
//! here twice.

mod fragment;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use hostward_crypto::cipher::CipherKey;
use hostward_crypto::{AeadKey, Failed, MacKey, Provider, Random, Refusal, Secret};

use crate::message::{
    Header, Limits, Message, ParseError, PayloadType, PayloadWriter, Payloads, Problem,
};
use crate::proposal::{Encr, IkeSuite, Integ};

pub use fragment::{FragmentError, FragmentLimits, Progress, Reassembly, room};

/// Why nothing was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The message would be longer than its fields can say.
    #[error("the message is too long")]
    TooLong,
    /// The room for a fragment holds no payload at all, or the message needs more than 65535.
    #[error("the message cannot be cut into fragments of this size")]
    TooSmall,
    /// All IVs were used: the SA must be replaced.
    #[error("no IV is left")]
    Exhausted,
    /// The library failed, or there were no random numbers.
    #[error("cryptographic operation failed")]
    Failed,
}

impl From<Failed> for SealError {
    fn from(Failed: Failed) -> Self {
        Self::Failed
    }
}

/// Why nothing was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "not protected, not authentic, or not well-formed"
)]
pub enum OpenError {
    /// There is no encrypted payload.
    #[error("the message is not encrypted")]
    NotEncrypted,
    /// It is not authentic: dropped, as if it had never come.
    #[error("the message is not authentic")]
    NotAuthentic,
    /// It is authentic and its padding is not well-formed: INVALID_SYNTAX, which is fatal.
    #[error(transparent)]
    Malformed(ParseError),
}

/// The algorithm with expanded keys, for one direction.
enum Kind {
    Combined {
        key: Box<dyn AeadKey>,
        salt: Secret,
    },
    Separate {
        cipher: Box<dyn CipherKey>,
        mac: Box<dyn MacKey>,
        icv_len: usize,
    },
}

impl Kind {
    fn new(provider: &Provider, suite: &IkeSuite, e: &Secret, a: &Secret) -> Result<Self, Refusal> {
        match (suite.encryption, suite.integrity) {
            (Encr::Aead(aead), None) => {
                // RFC 5282 §7.1: the salt follows the key.
                let (key, salt) = e
                    .expose()
                    .split_at_checked(aead.key_len())
                    .unwrap_or((e.expose(), &[]));
                Ok(Self::Combined {
                    key: provider.aead(aead, key)?,
                    salt: Secret::copy(salt),
                })
            }
            (
                Encr::Cipher(cipher @ hostward_crypto::Cipher::AesCbc(_)),
                Some(integ @ Integ::Mac(mac)),
            ) => Ok(Self::Separate {
                cipher: provider.cipher(cipher, e.expose())?,
                mac: provider.mac(mac, a.expose())?,
                icv_len: integ.icv_len(),
            }),
            _ => Err(Refusal::Key {
                algorithm: "the IKE SA",
                why: "combined encryption, or AES-CBC and an integrity algorithm, are expected",
            }),
        }
    }

    fn iv_len(&self) -> usize {
        match self {
            Self::Combined { .. } => 8,
            Self::Separate { cipher, .. } => cipher.algorithm().iv_len(),
        }
    }

    fn icv_len(&self) -> usize {
        match self {
            Self::Combined { key, .. } => key.algorithm().tag_len(),
            Self::Separate { icv_len, .. } => *icv_len,
        }
    }

    fn block_len(&self) -> usize {
        match self {
            Self::Combined { .. } => 1,
            Self::Separate { cipher, .. } => cipher.algorithm().block_len(),
        }
    }

    /// Octets of padding after so many, the pad length not counted.
    fn padding(&self, len: usize) -> usize {
        (len + 1).next_multiple_of(self.block_len()) - len - 1
    }

    /// The nonce: salt and IV.
    fn nonce(salt: &Secret, iv: &[u8]) -> ([u8; 12], usize) {
        let mut nonce = [0; 12];
        for (to, from) in nonce.iter_mut().zip(salt.expose().iter().chain(iv)) {
            *to = *from;
        }
        (nonce, salt.len() + iv.len())
    }
}

/// Protects what one side sends.
pub struct Sealer {
    kind: Kind,
    /// The next IV of combined encryption; nothing when all were used.
    next_iv: Option<u64>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("next_iv", &self.next_iv)
            .finish_non_exhaustive()
    }
}

impl Sealer {
    /// With SK_e and SK_a of the side that sends.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the provider does not do it or the keys have the wrong length.
    pub fn new(
        provider: &Provider,
        suite: &IkeSuite,
        e: &Secret,
        a: &Secret,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            kind: Kind::new(provider, suite, e, a)?,
            next_iv: Some(0),
        })
    }

    #[cfg(test)]
    pub(crate) fn start_at(&mut self, iv: u64) {
        self.next_iv = Some(iv);
    }

    /// A whole message with these payloads encrypted. `random` is asked for the IV of AES-CBC, which must
    /// be unpredictable (RFC 3602 §3); combined encryption counts.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn seal(
        &mut self,
        header: &Header,
        payloads: &PayloadWriter,
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, SealError> {
        self.seal_octets(header, payloads.first(), payloads.octets(), random)
    }

    /// Octets of a whole message with so many of payloads.
    #[must_use]
    pub fn message_len(&self, payloads: usize) -> usize {
        Header::LEN + 4 + self.body_len(payloads)
    }

    fn body_len(&self, payloads: usize) -> usize {
        self.kind.iv_len() + payloads + self.kind.padding(payloads) + 1 + self.kind.icv_len()
    }

    fn seal_octets(
        &mut self,
        header: &Header,
        first: PayloadType,
        inner: &[u8],
        random: &mut dyn Random,
    ) -> Result<Vec<u8>, SealError> {
        let length = 4 + self.body_len(inner.len());
        let told = u16::try_from(length).map_err(|_| SealError::TooLong)?;
        let mut octets = Vec::with_capacity(Header::LEN + length);
        octets.extend_from_slice(
            &header.octets(PayloadType::SK, Header::LEN as u32 + u32::from(told)),
        );
        octets.extend_from_slice(&[first.0, 0]);
        octets.extend_from_slice(&told.to_be_bytes());
        self.finish(&mut octets, inner, random)?;
        Ok(octets)
    }

    /// Adds IV, ciphertext and ICV to what goes before them in the message.
    fn finish(
        &mut self,
        octets: &mut Vec<u8>,
        inner: &[u8],
        random: &mut dyn Random,
    ) -> Result<(), SealError> {
        let padding = self.kind.padding(inner.len());
        let pad_len = u8::try_from(padding).map_err(|_| SealError::TooLong)?;
        let before = octets.len();
        // RFC 5282 §3: one IV for one message and key, for fragments too; a counter is enough.
        let mut iv = [0; 16];
        let iv = match &self.kind {
            Kind::Combined { .. } => {
                let number = self.next_iv.ok_or(SealError::Exhausted)?;
                self.next_iv = number.checked_add(1);
                let iv = iv.first_chunk_mut::<8>().ok_or(SealError::Failed)?;
                *iv = number.to_be_bytes();
                iv.as_slice()
            }
            Kind::Separate { .. } => {
                random.fill(&mut iv)?;
                iv.as_slice()
            }
        };
        octets.extend_from_slice(iv);
        let start = octets.len();
        octets.extend_from_slice(inner);
        octets.resize(start + inner.len() + padding, 0);
        octets.push(pad_len);
        match &self.kind {
            Kind::Combined { key, salt } => {
                let mut tag = [0; 16];
                let tag = tag
                    .get_mut(..self.kind.icv_len())
                    .ok_or(SealError::Failed)?;
                let (nonce, len) = Kind::nonce(salt, iv);
                let nonce = nonce.get(..len).ok_or(SealError::Failed)?;
                // RFC 5282 §5.1: from the header through the generic header of the payload; what goes
                // before the IV.
                let (head, data) = octets
                    .split_at_mut_checked(start)
                    .ok_or(SealError::Failed)?;
                let aad = head.get(..before).ok_or(SealError::Failed)?;
                key.seal(nonce, aad, data, tag)?;
                octets.extend_from_slice(tag);
            }
            Kind::Separate {
                cipher,
                mac,
                icv_len,
            } => {
                let data = octets.get_mut(start..).ok_or(SealError::Failed)?;
                cipher.encrypt(iv, data)?;
                // RFC 7296 §3.14: over the whole message but the ICV itself.
                let code = mac.code(&[octets]);
                let code: &[u8] = code.as_ref();
                octets.extend_from_slice(code.get(..*icv_len).ok_or(SealError::Failed)?);
            }
        }
        Ok(())
    }
}

/// Opens what the other side sent.
pub struct Opener {
    kind: Kind,
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

impl Opener {
    /// With SK_e and SK_a of the side that sent.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the provider does not do it or the keys have the wrong length.
    pub fn new(
        provider: &Provider,
        suite: &IkeSuite,
        e: &Secret,
        a: &Secret,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            kind: Kind::new(provider, suite, e, a)?,
        })
    }

    /// Checks and decrypts a whole message.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(&self, message: &Message<'_>) -> Result<Opened, OpenError> {
        let encrypted = message.encrypted().ok_or(OpenError::NotEncrypted)?;
        let inner = self.open_body(
            message.octets(),
            PayloadType::SK,
            encrypted.offset + 4,
            encrypted.body,
        )?;
        let (header, unprotected) =
            outside(message.octets(), encrypted.offset).ok_or(OpenError::NotEncrypted)?;
        Ok(Opened {
            header: message.header,
            raw: header,
            unprotected: unprotected.to_vec(),
            reserved: encrypted.reserved,
            first: encrypted.first,
            inner,
        })
    }

    /// Checks and decrypts IV, ciphertext and ICV, of which the first octet is at `at` of the message and
    /// the last one its last.
    fn open_body(
        &self,
        octets: &[u8],
        payload: PayloadType,
        at: usize,
        body: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        const BAD: OpenError = OpenError::NotAuthentic;
        let (iv, rest) = body.split_at_checked(self.kind.iv_len()).ok_or(BAD)?;
        let data_len = rest.len().checked_sub(self.kind.icv_len()).ok_or(BAD)?;
        let (data, icv) = rest.split_at_checked(data_len).ok_or(BAD)?;
        if data.is_empty() || !data.len().is_multiple_of(self.kind.block_len()) {
            return Err(BAD);
        }
        let mut inner = data.to_vec();
        match &self.kind {
            Kind::Combined { key, salt } => {
                let (nonce, len) = Kind::nonce(salt, iv);
                let nonce = nonce.get(..len).ok_or(BAD)?;
                let aad = octets.get(..at).ok_or(BAD)?;
                key.open(nonce, aad, &mut inner, icv).map_err(|_| BAD)?;
            }
            Kind::Separate { cipher, mac, .. } => {
                // RFC 7296 §3.14: the ICV is checked before anything is decrypted.
                let covered = octets
                    .get(..octets.len().saturating_sub(icv.len()))
                    .ok_or(BAD)?;
                mac.verify(&[covered], icv).map_err(|_| BAD)?;
                cipher.decrypt(iv, &mut inner).map_err(|_| BAD)?;
            }
        }
        let pad_len = usize::from(inner.pop().ok_or(BAD)?);
        let len = inner.len().checked_sub(pad_len).ok_or_else(|| {
            OpenError::Malformed(ParseError::new(
                Some(payload),
                at,
                Problem::Length {
                    length: pad_len,
                    expected: "padding no longer than what is encrypted",
                },
            ))
        })?;
        inner.truncate(len);
        Ok(inner)
    }
}

/// The raw header and the payloads between it and the encrypted one.
fn outside(octets: &[u8], encrypted: usize) -> Option<([u8; Header::LEN], &[u8])> {
    let header = *octets.first_chunk::<{ Header::LEN }>()?;
    Some((header, octets.get(Header::LEN..encrypted)?))
}

/// A message that is authentic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Its header.
    pub header: Header,
    raw: [u8; Header::LEN],
    unprotected: Vec<u8>,
    reserved: u8,
    first: PayloadType,
    inner: Vec<u8>,
}

impl Opened {
    /// The payloads that were encrypted.
    ///
    /// # Errors
    ///
    /// [`ParseError`]; INVALID_SYNTAX from it is fatal to the IKE SA (RFC 7296 §2.21.3).
    pub fn payloads(&self, limits: &Limits) -> Result<Payloads<'_>, ParseError> {
        Payloads::parse(self.first, &self.inner, limits)
    }

    /// What IntAuth is over (RFC 9242 §3.3.2), the same whether it came whole or in fragments.
    #[must_use]
    pub fn authenticated(&self) -> Authenticated<'_> {
        Authenticated::new(
            self.raw,
            &self.unprotected,
            self.first,
            self.reserved,
            &self.inner,
        )
    }
}

/// A message as RFC 9242 §3.3.2 authenticates it: not encrypted, not fragmented, its lengths without IV,
/// padding and ICV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticated<'a> {
    /// A: from the IKE header through the generic header of the encrypted payload.
    pub header: Vec<u8>,
    /// P: the payloads inside.
    pub payloads: &'a [u8],
}

impl<'a> Authenticated<'a> {
    /// Of a message that is sent.
    #[must_use]
    pub fn of(header: &Header, payloads: &'a PayloadWriter) -> Self {
        Self::new(
            header.octets(PayloadType::SK, 0),
            &[],
            payloads.first(),
            0,
            payloads.octets(),
        )
    }

    fn new(
        raw: [u8; Header::LEN],
        unprotected: &[u8],
        first: PayloadType,
        reserved: u8,
        inner: &'a [u8],
    ) -> Self {
        let length = Header::LEN + unprotected.len() + 4 + inner.len();
        let mut header = Vec::with_capacity(Header::LEN + unprotected.len() + 4);
        header.extend_from_slice(&raw);
        for (to, from) in header
            .iter_mut()
            .skip(24)
            .zip((length as u32).to_be_bytes())
        {
            *to = from;
        }
        header.extend_from_slice(unprotected);
        relink(&mut header);
        header.extend_from_slice(&[first.0, reserved]);
        header.extend_from_slice(&((4 + inner.len()) as u16).to_be_bytes());
        Self {
            header,
            payloads: inner,
        }
    }
}

/// Lets the last payload in clear, or else the header, name an encrypted payload where it named a fragment.
fn relink(octets: &mut [u8]) {
    let mut link = 16;
    let mut at = Header::LEN;
    while let Some(&[_, _, high, low]) = octets.get(at..).and_then(<[u8]>::first_chunk) {
        link = at;
        // A checked chain has no payload shorter than its header; 4 keeps it going in any case.
        at += usize::from(u16::from_be_bytes([high, low])).max(4);
    }
    if let Some(next) = octets.get_mut(link) {
        *next = PayloadType::SK.0;
    }
}

#[cfg(test)]
mod tests;
