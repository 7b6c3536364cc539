//! A provider: which library does what, as a plain value.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::aead::AeadKey;
use crate::algorithm::{Aead, AesKey, Algorithm, Cipher, Group, Hash, Kind, Mac, Prf, Scheme};
use crate::backend::Backend;
use crate::cipher::{BlockKey, CipherKey};
use crate::error::{Failed, Refusal};
use crate::exchange::{Answer, Exchange};
use crate::fips::{Fips, Purpose, forbidden};
use crate::hash::{Digest, HashContext};
use crate::hybrid;
use crate::mac::{MacKey, cmac, xcbc};
use crate::random::Random;
use crate::signature::Signer;

/// Libraries in order of preference: each algorithm is done by the first that does it.
///
/// It is asked when a policy is built and keys are made; what it gives (expanded keys,
/// exchanges, signers) does not come back to it, so it costs nothing on the packet path.
///
/// ```
/// use hostward_crypto::{Aead, AeadKey, Provider, backend};
///
/// let provider = Provider::of([backend::RUST_CRYPTO]);
/// let key = provider.aead(Aead::AES_128_GCM, &[7; 16])?;
/// let (nonce, header) = ([0; 12], b"header");
/// let (mut data, mut tag) = (*b"payload", [0; 16]);
/// key.seal(&nonce, header, &mut data, &mut tag).unwrap();
/// key.open(&nonce, header, &mut data, &tag).unwrap();
/// assert_eq!(&data, b"payload");
///
/// // What it lacks is refused when it is asked for, and says so.
/// let refusal = Provider::default().aead(Aead::ChaCha20Poly1305, &[7; 32]).err().unwrap();
/// assert_eq!(
///     refusal.to_string(),
///     "chacha20-poly1305 is not offered by a provider without backends"
/// );
/// # Ok::<(), hostward_crypto::Refusal>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Provider {
    /// Backends, each for one kind or for all.
    order: Vec<(Option<Kind>, &'static dyn Backend)>,
    fips: Fips,
}

/// An exchange that was begun, or what stood against it.
pub type Begun<T> = Result<Result<T, Failed>, Refusal>;

impl Provider {
    /// Of these libraries: for each algorithm the first that does it.
    #[must_use]
    pub fn of(backends: impl IntoIterator<Item = &'static dyn Backend>) -> Self {
        Self {
            order: backends
                .into_iter()
                .map(|backend| (None, backend))
                .collect(),
            fips: Fips::Off,
        }
    }

    /// The same, but asks `backend` first for this kind of algorithms.
    #[must_use]
    pub fn prefer(mut self, kind: Kind, backend: &'static dyn Backend) -> Self {
        self.order.insert(0, (Some(kind), backend));
        self
    }

    /// The same in FIPS 140 mode. What it forbids is told by [`check`](Self::check), which a policy asks for
    /// each algorithm and purpose; making keys and digests does not ask again, since it does not know for what
    /// they are.
    #[must_use]
    pub fn with_fips(mut self, fips: Fips) -> Self {
        self.fips = fips;
        self
    }

    /// The FIPS 140 mode.
    #[must_use]
    pub fn fips(&self) -> Fips {
        self.fips
    }

    /// The names of its libraries, in order.
    #[must_use]
    pub fn name(&self) -> String {
        let mut name = String::new();
        for (kind, backend) in &self.order {
            if !name.is_empty() {
                name.push_str(", ");
            }
            name.push_str(backend.name());
            if let Some(kind) = kind {
                name.push_str(" for ");
                name.push_str(&alloc::format!("{kind}"));
            }
        }
        if name.is_empty() {
            name.push_str("a provider without backends");
        }
        name
    }

    /// The library that does it by itself; nothing for what is composed of parts (hybrids, CMAC, XCBC).
    #[must_use]
    pub fn backend_of(&self, algorithm: Algorithm) -> Option<&'static dyn Backend> {
        self.order
            .iter()
            .filter(|(kind, _)| kind.is_none_or(|kind| kind == algorithm.kind()))
            .map(|(_, backend)| *backend)
            .find(|backend| backend.supports(algorithm))
    }

    /// Whether it can be done.
    #[must_use]
    pub fn supports(&self, algorithm: Algorithm) -> bool {
        self.backend_of(algorithm).is_some()
            || parts(algorithm)
                .is_some_and(|parts| parts.into_iter().all(|part| self.supports(part)))
    }

    /// Whether a policy may ask for it: it can be done, and FIPS mode has nothing against it.
    ///
    /// # Errors
    ///
    /// [`Refusal`], which says why not.
    pub fn check(&self, purpose: Purpose, algorithm: Algorithm) -> Result<(), Refusal> {
        if self.fips != Fips::Off
            && let Some(why) = forbidden(purpose, algorithm)
        {
            return Err(Refusal::Fips {
                algorithm,
                purpose,
                why,
            });
        }
        self.check_module(purpose, algorithm)
    }

    /// Whether there is a library for it, and for each of its parts, that may do it in FIPS mode.
    fn check_module(&self, purpose: Purpose, algorithm: Algorithm) -> Result<(), Refusal> {
        match (self.backend_of(algorithm), parts(algorithm)) {
            (Some(backend), _)
                if self.fips == Fips::Module
                    && purpose != Purpose::Observation
                    && !backend.validated() =>
            {
                Err(Refusal::NotValidated {
                    algorithm,
                    backend: backend.name(),
                })
            }
            (Some(_), _) => Ok(()),
            (None, Some(parts)) if self.supports(algorithm) => parts
                .into_iter()
                .try_for_each(|part| self.check_module(purpose, part)),
            (None, _) => Err(self.not_offered(algorithm)),
        }
    }

    /// Expands a key for authenticated encryption.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when no library does it or the key has the wrong length.
    pub fn aead(&self, algorithm: Aead, key: &[u8]) -> Result<Box<dyn AeadKey>, Refusal> {
        key_len(Algorithm::Aead(algorithm), algorithm.key_len(), key)?;
        self.ask(Algorithm::Aead(algorithm), |backend| {
            backend.aead(algorithm, key)
        })
    }

    /// Expands a key for encryption alone.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when no library does it or the key has the wrong length.
    pub fn cipher(&self, algorithm: Cipher, key: &[u8]) -> Result<Box<dyn CipherKey>, Refusal> {
        key_len(Algorithm::Cipher(algorithm), algorithm.key_len(), key)?;
        self.ask(Algorithm::Cipher(algorithm), |backend| {
            backend.cipher(algorithm, key)
        })
    }

    /// Expands an AES key for single blocks.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when no library does it or the key has the wrong length.
    pub fn block(&self, algorithm: AesKey, key: &[u8]) -> Result<Box<dyn BlockKey>, Refusal> {
        key_len(Algorithm::Block(algorithm), algorithm.len(), key)?;
        self.ask(Algorithm::Block(algorithm), |backend| {
            backend.block(algorithm, key)
        })
    }

    /// Begins a digest.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when no library does it.
    pub fn hash(&self, algorithm: Hash) -> Result<Box<dyn HashContext>, Refusal> {
        self.ask(Algorithm::Hash(algorithm), |backend| {
            backend.hash(algorithm)
        })
    }

    /// The digest of the parts, one after the other.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when no library does it.
    pub fn digest(&self, algorithm: Hash, parts: &[&[u8]]) -> Result<Digest, Refusal> {
        let mut context = self.hash(algorithm)?;
        for part in parts {
            context.update(part);
        }
        Ok(context.finish())
    }

    /// Expands a key for message authentication. HMAC takes keys of any length.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when no library does it or the key has the wrong length.
    pub fn mac(&self, algorithm: Mac, key: &[u8]) -> Result<Box<dyn MacKey>, Refusal> {
        match algorithm {
            Mac::Hmac(_) => {}
            Mac::AesCmac | Mac::AesXcbc => {
                key_len(Algorithm::Mac(algorithm), algorithm.key_len(), key)?;
            }
        }
        if self.backend_of(Algorithm::Mac(algorithm)).is_some() {
            return self.ask(Algorithm::Mac(algorithm), |backend| {
                backend.mac(algorithm, key)
            });
        }
        match algorithm {
            Mac::Hmac(_) => Err(self.not_offered(Algorithm::Mac(algorithm))),
            Mac::AesCmac => Ok(cmac(self.block(AesKey::Aes128, key)?)),
            Mac::AesXcbc => xcbc(&*self.block(AesKey::Aes128, key)?, |first| {
                self.block(AesKey::Aes128, first)
            }),
        }
    }

    /// A pseudo-random function with a key of any length.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when no library does it.
    pub fn prf(&self, algorithm: Prf, key: &[u8]) -> Result<Box<dyn MacKey>, Refusal> {
        crate::prf::prf(self, algorithm, key)
    }

    /// Begins a key exchange: makes the private and the public half. Some libraries take only their own
    /// random numbers; the others take those of `random`.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when no library does it; [`Failed`] inside when there were no random numbers.
    pub fn exchange(&self, group: Group, random: &mut dyn Random) -> Begun<Box<dyn Exchange>> {
        if let Some(halves) = hybrid::halves(group)
            && self.backend_of(Algorithm::Exchange(group)).is_none()
        {
            return hybrid::begin(self, group, halves, random);
        }
        self.ask(Algorithm::Exchange(group), |backend| {
            backend.exchange(group, random)
        })
    }

    /// Answers a key exchange that a peer began with `peer`.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when no library does it; [`Failed`] inside as for [`Exchange::finish`], or when there
    /// were no random numbers.
    pub fn answer(&self, group: Group, peer: &[u8], random: &mut dyn Random) -> Begun<Answer> {
        if let Some(halves) = hybrid::halves(group)
            && self.backend_of(Algorithm::Exchange(group)).is_none()
        {
            return hybrid::answer(self, group, halves, peer, random);
        }
        self.ask(Algorithm::Exchange(group), |backend| {
            backend.answer(group, peer, random)
        })
    }

    /// Takes a private key in PKCS#8 DER (RFC 5958): RSA, the curves of SP 800-186, Ed25519. The first
    /// library that takes such keys has it. Which one that is depends on the key, so [`Fips::Module`] is
    /// looked at here and not only by [`check`](Self::check): a library that is no validated module gets none.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when no library takes such a key, or the key is wrong.
    pub fn signer(&self, pkcs8: &[u8]) -> Result<Box<dyn Signer>, Refusal> {
        let mut refusal = Refusal::Key {
            algorithm: "signatures",
            why: "no backend reads such keys; PKCS#8 in DER is expected",
        };
        for (kind, backend) in &self.order {
            if kind.is_none_or(|kind| kind == Kind::Sign) {
                match backend.signer(pkcs8) {
                    None => {}
                    Some(Ok(signer)) if self.fips == Fips::Module && !backend.validated() => {
                        if let Some(scheme) = signer.schemes().first() {
                            refusal = Refusal::NotValidated {
                                algorithm: Algorithm::Sign(*scheme),
                                backend: backend.name(),
                            };
                        }
                    }
                    Some(Ok(signer)) => return Ok(signer),
                    Some(Err(why)) => refusal = why,
                }
            }
        }
        Err(refusal)
    }

    /// Checks a signature: `public_key` is a SubjectPublicKeyInfo in DER (RFC 5280 §4.1).
    ///
    /// # Errors
    ///
    /// [`Refusal`] when no library does it; [`Failed`] inside when the key is not of that scheme, is not
    /// acceptable (RSA below 2048 or above 8192 bits), or the signature does not fit.
    pub fn verify(
        &self,
        scheme: Scheme,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Begun<()> {
        self.ask(Algorithm::Verify(scheme), |backend| {
            backend.verify(scheme, public_key, message, signature)
        })
    }

    /// A source of random numbers, where a library has one.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when none has; the host brings its own then.
    pub fn random(&self) -> Result<Box<dyn Random>, Refusal> {
        self.ask(Algorithm::Random, |backend| backend.random())
    }

    fn ask<T>(
        &self,
        algorithm: Algorithm,
        ask: impl FnOnce(&'static dyn Backend) -> Option<T>,
    ) -> Result<T, Refusal> {
        self.backend_of(algorithm)
            .and_then(ask)
            .ok_or_else(|| self.not_offered(algorithm))
    }

    fn not_offered(&self, algorithm: Algorithm) -> Refusal {
        Refusal::NotOffered {
            algorithm,
            provider: self.name(),
        }
    }
}

fn key_len(algorithm: Algorithm, expected: usize, key: &[u8]) -> Result<(), Refusal> {
    if key.len() == expected {
        Ok(())
    } else {
        Err(Refusal::KeyLength {
            algorithm,
            expected,
            given: key.len(),
        })
    }
}

/// What an algorithm is made of when no library has it whole.
fn parts(algorithm: Algorithm) -> Option<[Algorithm; 2]> {
    match algorithm {
        Algorithm::Exchange(group) => hybrid::halves(group).map(|halves| {
            [
                Algorithm::Exchange(halves.first),
                Algorithm::Exchange(halves.second),
            ]
        }),
        Algorithm::Mac(Mac::AesCmac | Mac::AesXcbc) => Some([Algorithm::Block(AesKey::Aes128); 2]),
        Algorithm::Mac(Mac::Hmac(_))
        | Algorithm::Aead(_)
        | Algorithm::Cipher(_)
        | Algorithm::Block(_)
        | Algorithm::Hash(_)
        | Algorithm::Sign(_)
        | Algorithm::Verify(_)
        | Algorithm::Random => None,
    }
}
