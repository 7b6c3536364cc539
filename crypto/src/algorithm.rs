//! What can be asked of a provider, by the names the protocols give it.
//!
//! Every enum lists what the suite's protocols use (RFC 8221, RFC 8247, RFC 8446), not what a
//! library happens to have: which backend does what is a question to
//! [`Provider::supports`](crate::Provider::supports), and the answer for every pair is in
//! `docs/crypto-backends.md`.

#![allow(
    clippy::len_without_is_empty,
    reason = "lengths in octets of what is never empty"
)]

use core::fmt;

/// Length of an AES key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "FIPS 197 knows three lengths")]
pub enum AesKey {
    /// 128 bits.
    Aes128,
    /// 192 bits.
    Aes192,
    /// 256 bits.
    Aes256,
}

impl AesKey {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Aes128, Self::Aes192, Self::Aes256];

    /// Length in octets.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// The key length of so many octets.
    #[must_use]
    pub const fn of(octets: usize) -> Option<Self> {
        match octets {
            16 => Some(Self::Aes128),
            24 => Some(Self::Aes192),
            32 => Some(Self::Aes256),
            _ => None,
        }
    }
}

/// Length of an authentication tag (the ICV of ESP and IKE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 4106 and RFC 4309 know three lengths"
)]
pub enum Tag {
    /// 8 octets. RFC 8221 §5: for the Internet of things only.
    Octets8,
    /// 12 octets.
    Octets12,
    /// 16 octets.
    Octets16,
}

impl Tag {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Octets8, Self::Octets12, Self::Octets16];

    /// Length in octets.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::Octets8 => 8,
            Self::Octets12 => 12,
            Self::Octets16 => 16,
        }
    }
}

/// Authenticated encryption with associated data (RFC 5116).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Aead {
    /// AES in Galois/Counter Mode (SP 800-38D; RFC 4106 for ESP, RFC 5282 for IKE). Sealing nothing
    /// with everything as associated data is GMAC (RFC 4543).
    AesGcm(AesKey, Tag),
    /// AES in CCM with a nonce of 11 octets (SP 800-38C; RFC 4309 for ESP, RFC 5282 for IKE).
    AesCcm(AesKey, Tag),
    /// ChaCha20-Poly1305 (RFC 8439; RFC 7634 for ESP and IKE).
    ChaCha20Poly1305,
}

impl Aead {
    /// AES-128-GCM with a tag of 16 octets.
    pub const AES_128_GCM: Self = Self::AesGcm(AesKey::Aes128, Tag::Octets16);
    /// AES-256-GCM with a tag of 16 octets.
    pub const AES_256_GCM: Self = Self::AesGcm(AesKey::Aes256, Tag::Octets16);

    /// Every algorithm with every parameter.
    pub fn all() -> impl Iterator<Item = Self> {
        let aes = |of: fn(AesKey, Tag) -> Self| {
            AesKey::ALL
                .into_iter()
                .flat_map(move |key| Tag::ALL.into_iter().map(move |tag| of(key, tag)))
        };
        aes(Self::AesGcm)
            .chain(aes(Self::AesCcm))
            .chain([Self::ChaCha20Poly1305])
    }

    /// Octets of the key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesGcm(key, _) | Self::AesCcm(key, _) => key.len(),
            Self::ChaCha20Poly1305 => 32,
        }
    }

    /// Octets of the nonce.
    #[must_use]
    pub const fn nonce_len(self) -> usize {
        match self {
            Self::AesGcm(..) | Self::ChaCha20Poly1305 => 12,
            Self::AesCcm(..) => 11,
        }
    }

    /// Octets of the tag.
    #[must_use]
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AesGcm(_, tag) | Self::AesCcm(_, tag) => tag.len(),
            Self::ChaCha20Poly1305 => 16,
        }
    }
}

/// Encryption without authentication; only beside a [`Mac`], encrypt-then-MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cipher {
    /// AES in CBC (RFC 3602): an unpredictable IV of 16 octets, data in whole blocks of 16.
    AesCbc(AesKey),
    /// AES in counter mode (RFC 3686, RFC 5930): the IV is the first counter block of 16 octets.
    AesCtr(AesKey),
}

impl Cipher {
    /// Every algorithm with every parameter.
    pub fn all() -> impl Iterator<Item = Self> {
        AesKey::ALL
            .into_iter()
            .map(Self::AesCbc)
            .chain(AesKey::ALL.into_iter().map(Self::AesCtr))
    }

    /// Octets of the key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AesCbc(key) | Self::AesCtr(key) => key.len(),
        }
    }

    /// Octets of the IV, or of the first counter block.
    #[must_use]
    pub const fn iv_len(self) -> usize {
        16
    }

    /// What the length of the data must be a multiple of.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::AesCbc(_) => 16,
            Self::AesCtr(_) => 1,
        }
    }
}

/// Hash functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Hash {
    /// SHA-1. Not for signatures; IKEv2 needs it for NAT detection (RFC 7296 §2.23).
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];
    /// Octets of the longest digest.
    pub const MAX_LEN: usize = 64;

    /// Octets of the digest.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// Message authentication codes, untruncated but where said; ESP and IKE truncate them, which
/// [`MacKey`](crate::MacKey) does with whatever length it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Mac {
    /// HMAC (RFC 2104; truncated to half by RFC 4868, to 12 octets with SHA-1 by RFC 2404).
    Hmac(Hash),
    /// AES-128 in CMAC (RFC 4493; truncated to 12 octets by RFC 4494).
    AesCmac,
    /// AES-128 in XCBC (RFC 3566; truncated to 12 octets there).
    AesXcbc,
}

impl Mac {
    /// Every algorithm with every parameter.
    pub const ALL: [Self; 6] = [
        Self::Hmac(Hash::Sha1),
        Self::Hmac(Hash::Sha256),
        Self::Hmac(Hash::Sha384),
        Self::Hmac(Hash::Sha512),
        Self::AesCmac,
        Self::AesXcbc,
    ];

    /// Octets of the whole code.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::Hmac(hash) => hash.len(),
            Self::AesCmac | Self::AesXcbc => 16,
        }
    }

    /// Octets of the key that ESP, AH and IKE use (RFC 4868 §2.1.1: as long as the digest). HMAC
    /// takes keys of any length.
    #[must_use]
    pub const fn key_len(self) -> usize {
        self.len()
    }
}

/// Pseudo-random functions of IKEv2 (RFC 7296 §2.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Prf {
    /// PRF_HMAC_SHA1, PRF_HMAC_SHA2_256, 384, 512 (RFC 2104, RFC 4868).
    Hmac(Hash),
    /// PRF_AES128_CMAC (RFC 4615): takes keys of any length.
    AesCmac,
    /// PRF_AES128_XCBC (RFC 4434): takes keys of any length.
    AesXcbc,
}

impl Prf {
    /// Every algorithm with every parameter.
    pub const ALL: [Self; 6] = [
        Self::Hmac(Hash::Sha1),
        Self::Hmac(Hash::Sha256),
        Self::Hmac(Hash::Sha384),
        Self::Hmac(Hash::Sha512),
        Self::AesCmac,
        Self::AesXcbc,
    ];

    /// The code it is made of.
    #[must_use]
    pub const fn mac(self) -> Mac {
        match self {
            Self::Hmac(hash) => Mac::Hmac(hash),
            Self::AesCmac => Mac::AesCmac,
            Self::AesXcbc => Mac::AesXcbc,
        }
    }

    /// Octets of what it gives, which is also its preferred key length.
    #[must_use]
    pub const fn len(self) -> usize {
        self.mac().len()
    }

    /// Whether the preferred key length is the only one, so that SKEYSEED is made from the first
    /// octets of the nonces only (RFC 7296 §2.14; RFC 4615 and RFC 4434 make exceptions elsewhere).
    #[must_use]
    pub const fn fixed_key(self) -> bool {
        matches!(self, Self::AesCmac | Self::AesXcbc)
    }
}

/// Elliptic curves of SP 800-186 used for signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the three curves of RFC 5903 and RFC 8446"
)]
pub enum Curve {
    /// P-256, secp256r1.
    P256,
    /// P-384, secp384r1.
    P384,
    /// P-521, secp521r1.
    P521,
}

impl Curve {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// Octets of a field element, of each half of a raw signature and of a private key.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

/// Ways to agree on a secret (transform type 4 of IKEv2, named groups of TLS).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Group {
    /// 2048-bit MODP of RFC 3526 (group 14).
    Modp2048,
    /// 3072-bit MODP of RFC 3526 (group 15).
    Modp3072,
    /// 4096-bit MODP of RFC 3526 (group 16).
    Modp4096,
    /// 6144-bit MODP of RFC 3526 (group 17).
    Modp6144,
    /// 8192-bit MODP of RFC 3526 (group 18).
    Modp8192,
    /// P-256 (group 19): public values are the two coordinates without a leading octet (RFC 5903).
    P256,
    /// P-384 (group 20).
    P384,
    /// P-521 (group 21).
    P521,
    /// X25519 (group 31, RFC 8031).
    X25519,
    /// X448 (group 32, RFC 8031).
    X448,
    /// ML-KEM-512 (group 35, FIPS 203).
    MlKem512,
    /// ML-KEM-768 (group 36).
    MlKem768,
    /// ML-KEM-1024 (group 37).
    MlKem1024,
    /// X25519MLKEM768 of TLS (0x11EC): ML-KEM's part first.
    X25519MlKem768,
    /// SecP256r1MLKEM768 of TLS (0x11EB): the curve's part first, with its leading octet.
    P256MlKem768,
    /// SecP384r1MLKEM1024 of TLS (0x11ED): the curve's part first, with its leading octet.
    P384MlKem1024,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Modp2048,
        Self::Modp3072,
        Self::Modp4096,
        Self::Modp6144,
        Self::Modp8192,
        Self::P256,
        Self::P384,
        Self::P521,
        Self::X25519,
        Self::X448,
        Self::MlKem512,
        Self::MlKem768,
        Self::MlKem1024,
        Self::X25519MlKem768,
        Self::P256MlKem768,
        Self::P384MlKem1024,
    ];

    /// Octets of what the initiator sends.
    #[must_use]
    pub const fn initiator_len(self) -> usize {
        match self {
            Self::Modp2048 => 256,
            Self::Modp3072 => 384,
            Self::Modp4096 => 512,
            Self::Modp6144 => 768,
            Self::Modp8192 => 1024,
            Self::P256 => 64,
            Self::P384 => 96,
            Self::P521 => 132,
            Self::X25519 => 32,
            Self::X448 => 56,
            Self::MlKem512 => 800,
            Self::MlKem768 => 1184,
            Self::MlKem1024 => 1568,
            Self::X25519MlKem768 => 32 + 1184,
            Self::P256MlKem768 => 65 + 1184,
            Self::P384MlKem1024 => 97 + 1568,
        }
    }

    /// Octets of what the responder sends: the same for Diffie-Hellman, a ciphertext for ML-KEM.
    #[must_use]
    pub const fn responder_len(self) -> usize {
        match self {
            Self::MlKem512 => 768,
            Self::MlKem768 => 1088,
            Self::MlKem1024 => 1568,
            Self::X25519MlKem768 => 32 + 1088,
            Self::P256MlKem768 => 65 + 1088,
            Self::P384MlKem1024 => 97 + 1568,
            Self::Modp2048
            | Self::Modp3072
            | Self::Modp4096
            | Self::Modp6144
            | Self::Modp8192
            | Self::P256
            | Self::P384
            | Self::P521
            | Self::X25519
            | Self::X448 => self.initiator_len(),
        }
    }

    /// Octets of the shared secret. MODP pads with leading zeros to the length of the modulus, the
    /// curves of SP 800-186 give the x coordinate (RFC 7296 §2.14, RFC 5903 §7).
    #[must_use]
    pub const fn secret_len(self) -> usize {
        match self {
            Self::Modp2048
            | Self::Modp3072
            | Self::Modp4096
            | Self::Modp6144
            | Self::Modp8192
            | Self::X25519
            | Self::X448 => self.initiator_len(),
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
            Self::MlKem512 | Self::MlKem768 | Self::MlKem1024 => 32,
            Self::X25519MlKem768 | Self::P256MlKem768 => 64,
            Self::P384MlKem1024 => 80,
        }
    }

    /// Whether a quantum computer does not open it, as far as is known: one part at least is ML-KEM.
    #[must_use]
    pub const fn post_quantum(self) -> bool {
        matches!(
            self,
            Self::MlKem512
                | Self::MlKem768
                | Self::MlKem1024
                | Self::X25519MlKem768
                | Self::P256MlKem768
                | Self::P384MlKem1024
        )
    }
}

/// Signature schemes. ECDSA signatures are DER (RFC 3279 §2.2.3); the raw form of IKEv2's older
/// methods (RFC 4754) converts with [`signature`](crate::signature).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Scheme {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
    RsaPkcs1(Hash),
    /// RSASSA-PSS, the mask's hash the same, the salt as long as the digest (RFC 8017 §8.1).
    RsaPss(Hash),
    /// ECDSA (FIPS 186-5).
    Ecdsa(Curve, Hash),
    /// Ed25519 (RFC 8032).
    Ed25519,
}

impl Scheme {
    /// Those in use: SHA-1 is for none of them (RFC 8247 §3.2.1).
    pub fn all() -> impl Iterator<Item = Self> {
        let hashes = [Hash::Sha256, Hash::Sha384, Hash::Sha512];
        hashes
            .into_iter()
            .map(Self::RsaPkcs1)
            .chain(hashes.into_iter().map(Self::RsaPss))
            .chain(Curve::ALL.into_iter().flat_map(move |curve| {
                hashes.into_iter().map(move |hash| Self::Ecdsa(curve, hash))
            }))
            .chain([Self::Ed25519])
    }
}

/// The kinds of algorithms; a provider may take each kind from another library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// [`Aead`].
    Aead,
    /// [`Cipher`].
    Cipher,
    /// One block of AES.
    Block,
    /// [`Hash`](enum@Hash).
    Hash,
    /// [`Mac`], and with it [`Prf`] and HKDF.
    Mac,
    /// [`Group`].
    Exchange,
    /// Making signatures.
    Sign,
    /// Checking signatures.
    Verify,
    /// Random numbers.
    Random,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Aead,
        Self::Cipher,
        Self::Block,
        Self::Hash,
        Self::Mac,
        Self::Exchange,
        Self::Sign,
        Self::Verify,
        Self::Random,
    ];
}

/// Anything a backend can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// Authenticated encryption.
    Aead(Aead),
    /// Encryption alone.
    Cipher(Cipher),
    /// One AES block encrypted (QUIC header protection, RFC 9001 §5.4.3).
    Block(AesKey),
    /// A digest.
    Hash(Hash),
    /// A message authentication code.
    Mac(Mac),
    /// A key exchange.
    Exchange(Group),
    /// Making signatures with a key that is held here.
    Sign(Scheme),
    /// Checking signatures.
    Verify(Scheme),
    /// Random numbers of the library or the operating system.
    Random,
}

impl Algorithm {
    /// Every algorithm with every parameter, by kind.
    pub fn all() -> impl Iterator<Item = Self> {
        Aead::all()
            .map(Self::Aead)
            .chain(Cipher::all().map(Self::Cipher))
            .chain(AesKey::ALL.into_iter().map(Self::Block))
            .chain(Hash::ALL.into_iter().map(Self::Hash))
            .chain(Mac::ALL.into_iter().map(Self::Mac))
            .chain(Group::ALL.into_iter().map(Self::Exchange))
            .chain(Scheme::all().map(Self::Sign))
            .chain(Scheme::all().map(Self::Verify))
            .chain([Self::Random])
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Aead(_) => Kind::Aead,
            Self::Cipher(_) => Kind::Cipher,
            Self::Block(_) => Kind::Block,
            Self::Hash(_) => Kind::Hash,
            Self::Mac(_) => Kind::Mac,
            Self::Exchange(_) => Kind::Exchange,
            Self::Sign(_) => Kind::Sign,
            Self::Verify(_) => Kind::Verify,
            Self::Random => Kind::Random,
        }
    }
}

impl fmt::Display for AesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "aes{}", self.len() * 8)
    }
}

impl fmt::Display for Aead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AesGcm(key, tag) => write!(f, "{key}-gcm{}", tag.len()),
            Self::AesCcm(key, tag) => write!(f, "{key}-ccm{}", tag.len()),
            Self::ChaCha20Poly1305 => f.write_str("chacha20-poly1305"),
        }
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AesCbc(key) => write!(f, "{key}-cbc"),
            Self::AesCtr(key) => write!(f, "{key}-ctr"),
        }
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        })
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hmac(hash) => write!(f, "hmac-{hash}"),
            Self::AesCmac => f.write_str("aes128-cmac"),
            Self::AesXcbc => f.write_str("aes128-xcbc"),
        }
    }
}

impl fmt::Display for Prf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "prf-{}", self.mac())
    }
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::P521 => "p521",
        })
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Modp2048 => "modp2048",
            Self::Modp3072 => "modp3072",
            Self::Modp4096 => "modp4096",
            Self::Modp6144 => "modp6144",
            Self::Modp8192 => "modp8192",
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::P521 => "p521",
            Self::X25519 => "x25519",
            Self::X448 => "x448",
            Self::MlKem512 => "mlkem512",
            Self::MlKem768 => "mlkem768",
            Self::MlKem1024 => "mlkem1024",
            Self::X25519MlKem768 => "x25519-mlkem768",
            Self::P256MlKem768 => "p256-mlkem768",
            Self::P384MlKem1024 => "p384-mlkem1024",
        })
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RsaPkcs1(hash) => write!(f, "rsa-pkcs1-{hash}"),
            Self::RsaPss(hash) => write!(f, "rsa-pss-{hash}"),
            Self::Ecdsa(curve, hash) => write!(f, "ecdsa-{curve}-{hash}"),
            Self::Ed25519 => f.write_str("ed25519"),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aead => "aead",
            Self::Cipher => "cipher",
            Self::Block => "block",
            Self::Hash => "hash",
            Self::Mac => "mac",
            Self::Exchange => "key exchange",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Random => "random",
        })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aead(a) => a.fmt(f),
            Self::Cipher(a) => a.fmt(f),
            Self::Block(key) => write!(f, "{key}-block"),
            Self::Hash(a) => a.fmt(f),
            Self::Mac(a) => a.fmt(f),
            Self::Exchange(a) => a.fmt(f),
            Self::Sign(a) | Self::Verify(a) => a.fmt(f),
            Self::Random => f.write_str("random"),
        }
    }
}
