//! Hashes that are no keys: NAT detection, and tokens that prove a crash.

use alloc::boxed::Box;
use core::fmt;
use core::net::SocketAddr;

use hostward_crypto::secret::equal;
use hostward_crypto::{Hash, Mac, MacKey, Provider, Refusal, Secret};

use super::Spis;

/// The data of NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP (RFC 7296 §2.23):
/// `SHA-1(SPIi | SPIr | address | port)`, the SPIs as in the header of that message.
///
/// # Errors
///
/// [`Refusal`] when the provider has no SHA-1.
pub fn nat_detection(
    provider: &Provider,
    spis: Spis,
    address: SocketAddr,
) -> Result<[u8; 20], Refusal> {
    let (v4, v6);
    let ip: &[u8] = match address {
        SocketAddr::V4(address) => {
            v4 = address.ip().octets();
            &v4
        }
        SocketAddr::V6(address) => {
            v6 = address.ip().octets();
            &v6
        }
    };
    let digest = provider.digest(
        Hash::Sha1,
        &[
            &spis.initiator.0,
            &spis.responder.0,
            ip,
            &address.port().to_be_bytes(),
        ],
    )?;
    let mut octets = [0; 20];
    for (to, from) in octets.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    Ok(octets)
}

/// Makes tokens of quick crash detection (RFC 6290 §5.1): of a secret that outlives a crash, and the SPIs.
pub struct CrashTokens(Box<dyn MacKey>);

impl fmt::Debug for CrashTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CrashTokens")
    }
}

impl CrashTokens {
    /// Octets of a token; RFC 6290 §4.1 has 16 to 128.
    pub const LEN: usize = 32;

    /// With a secret of 32 octets or more.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when the provider has no HMAC-SHA-256.
    pub fn new(provider: &Provider, secret: &Secret) -> Result<Self, Refusal> {
        provider
            .mac(Mac::Hmac(Hash::Sha256), secret.expose())
            .map(Self)
    }

    /// The token of an SA. Who sends the token of an SA that is alive gives that SA away (RFC 6290 §9.2).
    #[must_use]
    pub fn token(&self, spis: Spis) -> Secret {
        let code = self.0.code(&[&spis.initiator.0, &spis.responder.0]);
        Secret::copy(code.as_ref())
    }

    /// Whether a token that came with INVALID_IKE_SPI is the one the peer gave earlier; in constant time.
    #[must_use]
    pub fn is_same(given: &Secret, came: &[u8]) -> bool {
        !came.is_empty() && equal(given.expose(), came)
    }
}
