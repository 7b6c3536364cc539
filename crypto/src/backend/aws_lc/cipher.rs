//! CBC, CTR and single blocks. The library wipes its keys.

use alloc::boxed::Box;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptingKey, DecryptionContext, EncryptingKey,
    EncryptionContext, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;

use crate::algorithm::{AesKey, Cipher};
use crate::cipher::{BlockKey, CipherKey};
use crate::error::Failed;

struct Key {
    encrypt: EncryptingKey,
    decrypt: DecryptingKey,
    algorithm: Cipher,
}

impl CipherKey for Key {
    fn algorithm(&self) -> Cipher {
        self.algorithm
    }

    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), Failed> {
        let iv: &[u8; 16] = iv.try_into().map_err(|_| Failed)?;
        let context = EncryptionContext::Iv128(FixedLength::from(iv));
        self.encrypt
            .less_safe_encrypt(data, context)
            .map(|_| ())
            .map_err(|_| Failed)
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), Failed> {
        let iv: &[u8; 16] = iv.try_into().map_err(|_| Failed)?;
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        self.decrypt
            .decrypt(data, context)
            .map(|_| ())
            .map_err(|_| Failed)
    }
}

struct One {
    inner: EncryptingKey,
    algorithm: AesKey,
}

impl BlockKey for One {
    fn algorithm(&self) -> AesKey {
        self.algorithm
    }

    fn encrypt(&self, block: &mut [u8; 16]) {
        // A whole block in this mode is never refused.
        let done = self.inner.less_safe_encrypt(block, EncryptionContext::None);
        debug_assert!(done.is_ok());
    }
}

fn aes(length: AesKey) -> &'static Algorithm {
    match length {
        AesKey::Aes128 => &AES_128,
        AesKey::Aes192 => &AES_192,
        AesKey::Aes256 => &AES_256,
    }
}

/// Expands a key.
pub(super) fn key(algorithm: Cipher, key: &[u8]) -> Option<Box<dyn CipherKey>> {
    let unbound = |length| UnboundCipherKey::new(aes(length), key).ok();
    let (encrypt, decrypt) = match algorithm {
        Cipher::AesCbc(length) => (
            EncryptingKey::cbc(unbound(length)?),
            DecryptingKey::cbc(unbound(length)?),
        ),
        Cipher::AesCtr(length) => (
            EncryptingKey::ctr(unbound(length)?),
            DecryptingKey::ctr(unbound(length)?),
        ),
    };
    Some(Box::new(Key {
        encrypt: encrypt.ok()?,
        decrypt: decrypt.ok()?,
        algorithm,
    }))
}

/// Expands a key for single blocks.
pub(super) fn block(algorithm: AesKey, key: &[u8]) -> Option<Box<dyn BlockKey>> {
    let unbound = UnboundCipherKey::new(aes(algorithm), key).ok()?;
    Some(Box::new(One {
        inner: EncryptingKey::ecb(unbound).ok()?,
        algorithm,
    }))
}
