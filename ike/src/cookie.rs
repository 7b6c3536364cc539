//! Cookies (RFC 7296 §2.6): a responder that is asked too much makes sure that the asker is where it says,
//! without remembering anything.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;

use hostward_crypto::secret::equal;
use hostward_crypto::{Hash, Mac, MacKey, Provider, Random, Refusal, Secret};

use crate::message::IkeSpi;

/// Secrets of cookies: the present one and the one before, so that a cookie outlives one change.
///
/// A cookie is one octet that names the secret and 32 of HMAC-SHA-256 over nonce, address and SPI of the
/// initiator (RFC 7296 §2.6). The port is left out, since a NAT may change it between two tries.
pub struct Cookies {
    version: u8,
    present: Box<dyn MacKey>,
    before: Option<Box<dyn MacKey>>,
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookies(version {})", self.version)
    }
}

/// No secret could be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "there are these two ways to fail")]
pub enum CookieError {
    /// The provider has no HMAC-SHA-256.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There were no random numbers.
    #[error("there are no random numbers")]
    Random,
}

impl Cookies {
    /// Octets of a cookie.
    pub const LEN: usize = 33;

    /// With a first secret.
    ///
    /// # Errors
    ///
    /// [`CookieError`].
    pub fn new(provider: &Provider, random: &mut dyn Random) -> Result<Self, CookieError> {
        Ok(Self {
            version: 0,
            present: secret(provider, random)?,
            before: None,
        })
    }

    /// Changes the secret. Cookies of the present one are still good until the next change, those of
    /// the one before no longer. To be done every minute or so while cookies are asked for.
    ///
    /// # Errors
    ///
    /// [`CookieError`]; the secrets are as they were then.
    pub fn rotate(
        &mut self,
        provider: &Provider,
        random: &mut dyn Random,
    ) -> Result<(), CookieError> {
        let next = secret(provider, random)?;
        self.before = Some(core::mem::replace(&mut self.present, next));
        self.version = self.version.wrapping_add(1);
        Ok(())
    }

    /// The cookie to ask for.
    #[must_use]
    pub fn cookie(&self, nonce: &[u8], address: IpAddr, spi: IkeSpi) -> [u8; Self::LEN] {
        make(self.version, &*self.present, nonce, address, spi)
    }

    /// Whether what came back is a cookie made here for this initiator; in constant time.
    #[must_use]
    pub fn is_valid(&self, cookie: &[u8], nonce: &[u8], address: IpAddr, spi: IkeSpi) -> bool {
        let Some(version) = cookie.first() else {
            return false;
        };
        let key = if *version == self.version {
            &self.present
        } else if let Some(before) = &self.before
            && *version == self.version.wrapping_sub(1)
        {
            before
        } else {
            return false;
        };
        equal(cookie, &make(*version, &**key, nonce, address, spi))
    }
}

fn secret(provider: &Provider, random: &mut dyn Random) -> Result<Box<dyn MacKey>, CookieError> {
    let mut secret = Secret::zeros(32);
    random
        .fill(secret.expose_mut())
        .map_err(|_| CookieError::Random)?;
    Ok(provider.mac(Mac::Hmac(Hash::Sha256), secret.expose())?)
}

fn make(
    version: u8,
    key: &dyn MacKey,
    nonce: &[u8],
    address: IpAddr,
    spi: IkeSpi,
) -> [u8; Cookies::LEN] {
    let address: Vec<u8> = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let length = (nonce.len() as u32).to_be_bytes();
    let code = key.code(&[&length, nonce, &address, &spi.0]);
    let mut cookie = [0; Cookies::LEN];
    let octets = core::iter::once(&version).chain(code.as_ref());
    for (to, from) in cookie.iter_mut().zip(octets) {
        *to = *from;
    }
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Counting, provider};

    // RFC 7296 §2.6: bound to nonce, address and SPI, and good for one change of the secret.
    #[test]
    fn bound_and_rotated() {
        let provider = provider();
        let mut random = Counting::default();
        let mut cookies = Cookies::new(&provider, &mut random).unwrap();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let spi = IkeSpi([1; 8]);
        let cookie = cookies.cookie(&[7; 32], address, spi);
        assert!(cookies.is_valid(&cookie, &[7; 32], address, spi));
        assert!(!cookies.is_valid(&cookie, &[8; 32], address, spi));
        assert!(!cookies.is_valid(&cookie, &[7; 32], "192.0.2.2".parse().unwrap(), spi));
        assert!(!cookies.is_valid(&cookie, &[7; 32], address, IkeSpi([2; 8])));
        assert!(!cookies.is_valid(&cookie[..32], &[7; 32], address, spi));
        assert!(!cookies.is_valid(&[], &[7; 32], address, spi));
        for at in 0..cookie.len() {
            let mut wrong = cookie;
            wrong[at] ^= 1;
            assert!(!cookies.is_valid(&wrong, &[7; 32], address, spi), "{at}");
        }
        cookies.rotate(&provider, &mut random).unwrap();
        assert!(cookies.is_valid(&cookie, &[7; 32], address, spi));
        assert_ne!(cookies.cookie(&[7; 32], address, spi), cookie);
        cookies.rotate(&provider, &mut random).unwrap();
        assert!(!cookies.is_valid(&cookie, &[7; 32], address, spi));
    }
}
