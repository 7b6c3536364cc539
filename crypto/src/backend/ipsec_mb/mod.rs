//! Intel's multi-buffer library for IPsec: AEAD of packets at the limit of the machine.
//!
//! Linux on x86-64, with `libipsec-mb-dev` 1.1 or later where it is built. Its single-packet functions
//! are used, since its bursts gain nothing for GCM (147 ns against 153 for 1408 octets). They are
//! chosen once for the processor; where the library does not run, the backend offers nothing.

#![expect(unsafe_code, reason = "the library is written in C and assembly")]

use alloc::boxed::Box;
use core::ffi::{c_int, c_void};
use core::mem::MaybeUninit;
use std::sync::OnceLock;

use zeroize::Zeroize;

use super::Backend;
use crate::aead::AeadKey;
use crate::algorithm::{Aead, AesKey, Algorithm, Tag};
use crate::error::Failed;
use crate::secret::equal;

/// The backend.
pub const IPSEC_MB: &dyn Backend = &IpsecMb;

/// Intel's ipsec-mb.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct IpsecMb;

impl Backend for IpsecMb {
    fn name(&self) -> &'static str {
        "ipsec-mb"
    }

    fn supports(&self, algorithm: Algorithm) -> bool {
        matches!(
            algorithm,
            Algorithm::Aead(Aead::AesGcm(..) | Aead::ChaCha20Poly1305)
        ) && table().is_some()
    }

    fn aead(&self, algorithm: Aead, key: &[u8]) -> Option<Box<dyn AeadKey>> {
        let table = table()?;
        match algorithm {
            Aead::AesGcm(length, _) if key.len() == length.len() => {
                Some(Box::new(Gcm::new(table, algorithm, length, key)?))
            }
            Aead::ChaCha20Poly1305 => {
                let key: &[u8; 32] = key.try_into().ok()?;
                let mut own = Box::new(ChaCha {
                    table,
                    key: [0; 64],
                });
                own.key.first_chunk_mut()?.clone_from(key);
                Some(own)
            }
            Aead::AesGcm(..) | Aead::AesCcm(..) => None,
        }
    }
}

/// `aes_gcm_pre_t`: key, expanded key.
type Expand = unsafe extern "C" fn(*const c_void, *mut ExpandedKey);
/// `aes_gcm_enc_dec_t`: expanded key, context, out, in, length, IV of 12 octets, AAD, its length, tag,
/// its length.
type Gcm12 = unsafe extern "C" fn(
    *const ExpandedKey,
    *mut Context,
    *mut u8,
    *const u8,
    u64,
    *const u8,
    *const u8,
    u64,
    *mut u8,
    u64,
);
/// `chacha_poly_init_t`: key, context, IV of 12 octets, AAD, its length.
type Init = unsafe extern "C" fn(*const c_void, *mut Context, *const c_void, *const c_void, u64);
/// `chacha_poly_enc_dec_update_t`: key, context, out, in, length.
type Update = unsafe extern "C" fn(*const c_void, *mut Context, *mut c_void, *const c_void, u64);
/// `chacha_poly_finalize_t`: context, tag, its length.
type Finish = unsafe extern "C" fn(*mut Context, *mut c_void, u64);

/// As in table.c.
#[repr(C)]
struct Table {
    pre: [Expand; 3],
    enc: [Gcm12; 3],
    dec: [Gcm12; 3],
    chacha_init: Init,
    chacha_enc: Update,
    chacha_dec: Update,
    chacha_finish: Finish,
}

unsafe extern "C" {
    fn hostward_ipsec_mb_table(table: *mut Table) -> c_int;
}

/// The functions for this processor, found at the first call.
fn table() -> Option<&'static Table> {
    static TABLE: OnceLock<Option<Table>> = OnceLock::new();
    TABLE
        .get_or_init(|| {
            let mut table = MaybeUninit::uninit();
            // SAFETY: the function writes the whole table when it returns 1 and has no other effect; a
            // manager that was initialised for an architecture has every one of these pointers set.
            unsafe {
                (hostward_ipsec_mb_table(table.as_mut_ptr()) == 1).then(|| table.assume_init())
            }
        })
        .as_ref()
}

/// Room for `struct gcm_key_data`; table.c proves that it is enough.
#[repr(C, align(64))]
struct ExpandedKey([u8; 1024]);

/// Room for the contexts of both algorithms; table.c proves that it is enough. The library writes it before
/// it reads it, and clears it.
#[repr(C, align(64))]
struct Context([u8; 256]);

/// An expanded key of AES in GCM.
pub struct Gcm {
    key: ExpandedKey,
    enc: Gcm12,
    dec: Gcm12,
    algorithm: Aead,
    tag_len: usize,
}

impl core::fmt::Debug for Gcm {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Gcm({})", self.algorithm)
    }
}

impl Gcm {
    /// Expands a key for tags of 16 octets; nothing when it has another length or the library does
    /// not run here.
    #[must_use]
    pub fn of(length: AesKey, key: &[u8]) -> Option<Self> {
        let algorithm = Aead::AesGcm(length, Tag::Octets16);
        (key.len() == length.len()).then(|| Self::new(table()?, algorithm, length, key))?
    }

    /// The library's call to encrypt and nothing else: what the interface is measured against. Not
    /// inlined: in a loop of the caller's it took 42 ns for 64 octets where it takes 25.
    #[inline(never)]
    pub fn seal_raw(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &mut [u8; 16]) {
        self.run(self.enc, nonce, aad, data, tag);
    }

    /// The library's call to decrypt and nothing else; gives the tag that must be compared.
    #[inline(never)]
    pub fn open_raw(&self, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> [u8; 16] {
        let mut tag = [0; 16];
        self.run(self.dec, nonce, aad, data, &mut tag);
        tag
    }

    fn new(table: &'static Table, algorithm: Aead, length: AesKey, key: &[u8]) -> Option<Self> {
        let at = match length {
            AesKey::Aes128 => 0,
            AesKey::Aes192 => 1,
            AesKey::Aes256 => 2,
        };
        let mut own = Self {
            key: ExpandedKey([0; 1024]),
            enc: *table.enc.get(at)?,
            dec: *table.dec.get(at)?,
            algorithm,
            tag_len: algorithm.tag_len(),
        };
        let expand = table.pre.get(at)?;
        // SAFETY: `key` has the octets of this length (the caller looked), the expanded one has
        // the size and alignment of the library's structure.
        unsafe { expand(key.as_ptr().cast(), &raw mut own.key) };
        Some(own)
    }

    /// Encrypts or decrypts in place and computes the tag.
    #[inline]
    fn run(&self, with: Gcm12, nonce: &[u8; 12], aad: &[u8], data: &mut [u8], tag: &mut [u8]) {
        let mut context = MaybeUninit::<Context>::uninit();
        let len = data.len() as u64;
        // One pointer for both: a second one made from `data` would end what the first may do.
        let data = data.as_mut_ptr();
        // SAFETY: `nonce` has the 12 octets that are read, the other pointers go with the
        // lengths of their slices; the library allows in and out to be the same, writes the context before
        // it reads it, and reads the key only. Lengths above 2^36 - 32 were refused.
        unsafe {
            with(
                &raw const self.key,
                context.as_mut_ptr(),
                data,
                data.cast_const(),
                len,
                nonce.as_ptr(),
                aad.as_ptr(),
                aad.len() as u64,
                tag.as_mut_ptr(),
                tag.len() as u64,
            );
        }
    }
}

/// SP 800-38D §5.2.1.1: the longest plaintext.
const GCM_MAX: u64 = (1 << 36) - 32;
/// RFC 8439 §2.8: the longest plaintext.
const CHACHA_MAX: u64 = ((1 << 32) - 1) * 64;

impl AeadKey for Gcm {
    #[inline]
    fn algorithm(&self) -> Aead {
        self.algorithm
    }

    #[inline]
    fn seal(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Failed> {
        let nonce = nonce.try_into().map_err(|_| Failed)?;
        if tag.len() != self.tag_len || data.len() as u64 > GCM_MAX {
            return Err(Failed);
        }
        self.run(self.enc, nonce, aad, data, tag);
        Ok(())
    }

    #[inline]
    fn open(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &[u8]) -> Result<(), Failed> {
        let nonce = nonce.try_into().map_err(|_| Failed)?;
        if tag.len() != self.tag_len || data.len() as u64 > GCM_MAX {
            return Err(Failed);
        }
        let mut made = [0; 16];
        let made = made.get_mut(..self.tag_len).ok_or(Failed)?;
        self.run(self.dec, nonce, aad, data, made);
        checked(equal(made, tag), data)
    }
}

impl Drop for Gcm {
    fn drop(&mut self) {
        self.key.0.zeroize();
    }
}

/// The library decrypts before the tag is known: nothing of it is left when the tag does not fit.
#[inline]
fn checked(fits: bool, data: &mut [u8]) -> Result<(), Failed> {
    if fits {
        return Ok(());
    }
    data.zeroize();
    Err(Failed)
}

/// ChaCha20-Poly1305.
struct ChaCha {
    table: &'static Table,
    /// The key and zeros: version 1.3 reads the second half of the key with 32 octets at once where the processor
    /// has AVX2, 16 more than there are (valgrind saw it).
    key: [u8; 64],
}

impl ChaCha {
    #[inline]
    fn run(&self, with: Update, nonce: &[u8; 12], aad: &[u8], data: &mut [u8]) -> [u8; 16] {
        let mut tag = [0; 16];
        let key = self.key.as_ptr().cast();
        let mut context = MaybeUninit::<Context>::uninit();
        let context = context.as_mut_ptr();
        let len = data.len() as u64;
        let data = data.as_mut_ptr();
        // SAFETY: the key has 32 octets and as many behind it, the nonce 12, the tag 16; the other pointers go
        // with the lengths of their slices; `init` writes the context that the others read.
        unsafe {
            (self.table.chacha_init)(
                key,
                context,
                nonce.as_ptr().cast(),
                aad.as_ptr().cast(),
                aad.len() as u64,
            );
            with(key, context, data.cast(), data.cast_const().cast(), len);
            (self.table.chacha_finish)(context, tag.as_mut_ptr().cast(), 16);
        }
        tag
    }
}

impl AeadKey for ChaCha {
    #[inline]
    fn algorithm(&self) -> Aead {
        Aead::ChaCha20Poly1305
    }

    #[inline]
    fn seal(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &mut [u8],
        tag: &mut [u8],
    ) -> Result<(), Failed> {
        let nonce = nonce.try_into().map_err(|_| Failed)?;
        let tag: &mut [u8; 16] = tag.try_into().map_err(|_| Failed)?;
        if data.len() as u64 > CHACHA_MAX {
            return Err(Failed);
        }
        *tag = self.run(self.table.chacha_enc, nonce, aad, data);
        Ok(())
    }

    #[inline]
    fn open(&self, nonce: &[u8], aad: &[u8], data: &mut [u8], tag: &[u8]) -> Result<(), Failed> {
        let nonce = nonce.try_into().map_err(|_| Failed)?;
        if tag.len() != 16 || data.len() as u64 > CHACHA_MAX {
            return Err(Failed);
        }
        let made = self.run(self.table.chacha_dec, nonce, aad, data);
        checked(equal(&made, tag), data)
    }
}

impl Drop for ChaCha {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}
