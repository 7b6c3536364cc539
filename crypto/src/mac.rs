//! Message authentication codes: the trait, and CMAC and XCBC over any backend's AES block.

use alloc::boxed::Box;

use crate::algorithm::Mac;
use crate::cipher::BlockKey;
use crate::error::Failed;
use crate::secret::equal;

/// A code, at most 64 octets; wiped when it goes, since with a PRF it is a key.
pub struct Code {
    octets: [u8; 64],
    len: u8,
}

impl Code {
    /// Of the octets a library gave; what is over 64 octets is left out.
    #[must_use]
    pub fn of(octets: &[u8]) -> Self {
        let mut code = Self {
            octets: [0; 64],
            len: octets.len().min(64) as u8,
        };
        for (to, from) in code.octets.iter_mut().zip(octets) {
            *to = *from;
        }
        code
    }
}

impl AsRef<[u8]> for Code {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.octets);
    }
}

impl core::fmt::Debug for Code {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Code({} octets)", self.len)
    }
}

/// An expanded key for message authentication.
pub trait MacKey: Send + Sync {
    /// What it does.
    fn algorithm(&self) -> Mac;

    /// The code over the parts, one after the other.
    fn code(&self, parts: &[&[u8]]) -> Code;

    /// Whether `code` is the code over the parts, or the beginning of it at least 8 octets long;
    /// compared in constant time.
    ///
    /// # Errors
    ///
    /// [`Failed`] when it is not.
    fn verify(&self, parts: &[&[u8]], code: &[u8]) -> Result<(), Failed> {
        let whole = self.code(parts);
        match whole.as_ref().get(..code.len()) {
            Some(own) if code.len() >= 8 && equal(own, code) => Ok(()),
            _ => Err(Failed),
        }
    }
}

/// CBC-MAC with a last block that is masked: what CMAC and XCBC have in common.
struct Masked {
    block: Box<dyn BlockKey>,
    /// For a last block that is whole.
    whole: [u8; 16],
    /// For a last block that was padded.
    padded: [u8; 16],
    algorithm: Mac,
}

impl Drop for Masked {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.whole);
        zeroize::Zeroize::zeroize(&mut self.padded);
    }
}

fn xor(to: &mut [u8; 16], from: &[u8; 16]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to ^= from;
    }
}

impl MacKey for Masked {
    fn algorithm(&self) -> Mac {
        self.algorithm
    }

    fn code(&self, parts: &[&[u8]]) -> Code {
        let mut state = [0; 16];
        let mut last = [0; 16];
        let mut filled = 0;
        for octet in parts.iter().flat_map(|part| part.iter()) {
            // The last block is treated apart, so a full one waits until more comes.
            if filled == 16 {
                xor(&mut state, &last);
                self.block.encrypt(&mut state);
                filled = 0;
            }
            if let Some(to) = last.get_mut(filled) {
                *to = *octet;
            }
            filled += 1;
        }
        let mask = if filled == 16 {
            &self.whole
        } else {
            &self.padded
        };
        for (at, to) in last.iter_mut().enumerate().skip(filled) {
            *to = if at == filled { 0x80 } else { 0 };
        }
        xor(&mut state, &last);
        xor(&mut state, mask);
        self.block.encrypt(&mut state);
        Code::of(&state)
    }
}

/// AES-CMAC (RFC 4493 §2) with an expanded AES-128 key.
#[must_use]
pub fn cmac(block: Box<dyn BlockKey>) -> Box<dyn MacKey> {
    // RFC 4493 §2.3: the masks are the encrypted zero block, doubled once and twice in GF(2^128).
    let double = |from: [u8; 16]| {
        let value = u128::from_be_bytes(from);
        // Without a branch on the secret bit.
        let reduced = (value << 1) ^ (0x87 * (value >> 127));
        reduced.to_be_bytes()
    };
    let mut zero = [0; 16];
    block.encrypt(&mut zero);
    let whole = double(zero);
    let padded = double(whole);
    zeroize::Zeroize::zeroize(&mut zero);
    Box::new(Masked {
        block,
        whole,
        padded,
        algorithm: Mac::AesCmac,
    })
}

/// AES-XCBC-MAC (RFC 3566 §4): `key` is the expanded AES-128 key, from which the three keys come;
/// `expand` expands the first of them.
///
/// # Errors
///
/// What `expand` gives.
pub fn xcbc<E>(
    key: &dyn BlockKey,
    expand: impl FnOnce(&[u8; 16]) -> Result<Box<dyn BlockKey>, E>,
) -> Result<Box<dyn MacKey>, E> {
    // RFC 3566 §4 step 1: K1, K2, K3 are the encrypted blocks of ones, twos and threes.
    let derive = |octet| {
        let mut block = [octet; 16];
        key.encrypt(&mut block);
        block
    };
    let mut first = derive(1);
    let block = expand(&first);
    zeroize::Zeroize::zeroize(&mut first);
    Ok(Box::new(Masked {
        block: block?,
        whole: derive(2),
        padded: derive(3),
        algorithm: Mac::AesXcbc,
    }))
}
