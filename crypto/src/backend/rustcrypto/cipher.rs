//! CBC, CTR and single blocks.

use alloc::boxed::Box;

use aes::cipher::consts::U16;
use aes::cipher::{
    Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt,
    BlockSizeUser, InnerIvInit, KeyInit, StreamCipher,
};
use aes::{Aes128, Aes192, Aes256};

use crate::algorithm::{AesKey, Cipher};
use crate::cipher::{BlockKey, CipherKey};
use crate::error::Failed;

/// AES in CBC: both key schedules are kept.
struct Cbc<C> {
    inner: C,
    algorithm: Cipher,
}

impl<C> CipherKey for Cbc<C>
where
    C: BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser<BlockSize = U16> + Send + Sync,
{
    fn algorithm(&self) -> Cipher {
        self.algorithm
    }

    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), Failed> {
        let (blocks, rest) = Block::<C>::slice_as_chunks_mut(data);
        if !rest.is_empty() {
            return Err(Failed);
        }
        let iv = iv.try_into().map_err(|_| Failed)?;
        cbc::Encryptor::<&C>::inner_iv_init(&self.inner, iv).encrypt_blocks(blocks);
        Ok(())
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), Failed> {
        let (blocks, rest) = Block::<C>::slice_as_chunks_mut(data);
        if !rest.is_empty() {
            return Err(Failed);
        }
        let iv = iv.try_into().map_err(|_| Failed)?;
        cbc::Decryptor::<&C>::inner_iv_init(&self.inner, iv).decrypt_blocks(blocks);
        Ok(())
    }
}

/// AES in counter mode with a counter of 128 bits: the last 32 of them do not run over in
/// ESP and IKE, where they begin with 1 (RFC 3686 §4).
struct Ctr<C> {
    inner: C,
    algorithm: Cipher,
}

impl<C> CipherKey for Ctr<C>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync,
{
    fn algorithm(&self) -> Cipher {
        self.algorithm
    }

    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), Failed> {
        let iv = iv.try_into().map_err(|_| Failed)?;
        let core = ctr::CtrCore::<&C, ctr::flavors::Ctr128BE>::inner_iv_init(&self.inner, iv);
        aes::cipher::StreamCipherCoreWrapper::from_core(core)
            .try_apply_keystream(data)
            .map_err(|_| Failed)
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), Failed> {
        self.encrypt(iv, data)
    }
}

struct One<C> {
    inner: C,
    algorithm: AesKey,
}

impl<C> BlockKey for One<C>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync,
{
    fn algorithm(&self) -> AesKey {
        self.algorithm
    }

    fn encrypt(&self, block: &mut [u8; 16]) {
        self.inner.encrypt_block(block.into());
    }
}

fn cbc<C>(algorithm: Cipher, key: &[u8]) -> Option<Box<dyn CipherKey>>
where
    C: KeyInit
        + BlockCipherEncrypt
        + BlockCipherDecrypt
        + BlockSizeUser<BlockSize = U16>
        + Send
        + Sync
        + 'static,
{
    Some(Box::new(Cbc {
        inner: C::new_from_slice(key).ok()?,
        algorithm,
    }))
}

fn ctr<C>(algorithm: Cipher, key: &[u8]) -> Option<Box<dyn CipherKey>>
where
    C: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync + 'static,
{
    Some(Box::new(Ctr {
        inner: C::new_from_slice(key).ok()?,
        algorithm,
    }))
}

fn one<C>(algorithm: AesKey, key: &[u8]) -> Option<Box<dyn BlockKey>>
where
    C: KeyInit + BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + Send + Sync + 'static,
{
    Some(Box::new(One {
        inner: C::new_from_slice(key).ok()?,
        algorithm,
    }))
}

/// Expands a key.
pub(super) fn key(algorithm: Cipher, key: &[u8]) -> Option<Box<dyn CipherKey>> {
    match algorithm {
        Cipher::AesCbc(AesKey::Aes128) => cbc::<Aes128>(algorithm, key),
        Cipher::AesCbc(AesKey::Aes192) => cbc::<Aes192>(algorithm, key),
        Cipher::AesCbc(AesKey::Aes256) => cbc::<Aes256>(algorithm, key),
        Cipher::AesCtr(AesKey::Aes128) => ctr::<Aes128>(algorithm, key),
        Cipher::AesCtr(AesKey::Aes192) => ctr::<Aes192>(algorithm, key),
        Cipher::AesCtr(AesKey::Aes256) => ctr::<Aes256>(algorithm, key),
    }
}

/// Expands a key for single blocks.
pub(super) fn block(algorithm: AesKey, key: &[u8]) -> Option<Box<dyn BlockKey>> {
    match algorithm {
        AesKey::Aes128 => one::<Aes128>(algorithm, key),
        AesKey::Aes192 => one::<Aes192>(algorithm, key),
        AesKey::Aes256 => one::<Aes256>(algorithm, key),
    }
}
