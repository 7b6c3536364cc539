//! Encryption without authentication, and single AES blocks.

use crate::algorithm::{AesKey, Cipher};
use crate::error::Failed;

/// An expanded key for encryption alone. The data must be authenticated by a
/// [`MacKey`](crate::MacKey) over the ciphertext, and checked before decryption (RFC 4303 §3.4.4).
pub trait CipherKey: Send + Sync {
    /// What it does.
    fn algorithm(&self) -> Cipher;

    /// Encrypts in place.
    ///
    /// # Errors
    ///
    /// [`Failed`] when `iv` has not [`iv_len`](Cipher::iv_len) octets or `data` are no whole number of
    /// [`block_len`](Cipher::block_len); `data` are unchanged then.
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), Failed>;

    /// Decrypts in place.
    ///
    /// # Errors
    ///
    /// As [`encrypt`](Self::encrypt).
    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), Failed>;
}

/// An expanded AES key that encrypts single blocks: QUIC header protection (RFC 9001 §5.4.3), and
/// what [`mac`](crate::mac) makes CMAC and XCBC from.
pub trait BlockKey: Send + Sync {
    /// Length of the key.
    fn algorithm(&self) -> AesKey;

    /// Encrypts one block in place.
    fn encrypt(&self, block: &mut [u8; 16]);
}
