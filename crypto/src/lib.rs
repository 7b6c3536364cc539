#![doc = include_str!("../README.md")]
#![no_std]
#![cfg_attr(not(feature = "ipsec-mb"), forbid(unsafe_code))]
#![cfg_attr(
    not(test),
    deny(
        clippy::std_instead_of_core,
        clippy::std_instead_of_alloc,
        clippy::alloc_instead_of_core
    )
)]

extern crate alloc;
#[cfg(any(feature = "std", test))]
extern crate std;

pub mod aead;
pub mod algorithm;
pub mod backend;
pub mod cipher;
pub mod error;
pub mod exchange;
pub mod fips;
pub mod hash;
pub mod hkdf;
mod hybrid;
#[cfg(any(feature = "rustcrypto", feature = "ring", feature = "aws-lc-rs"))]
mod key;
pub mod mac;
pub mod prf;
pub mod provider;
pub mod random;
pub mod secret;
pub mod signature;

pub use aead::AeadKey;
pub use algorithm::{Aead, Algorithm, Cipher, Curve, Group, Hash, Kind, Mac, Prf, Scheme};
pub use backend::Backend;
pub use error::{Failed, Refusal};
pub use exchange::{Exchange, SharedSecret};
pub use mac::MacKey;
pub use provider::Provider;
pub use random::Random;
pub use secret::Secret;
pub use signature::{Signer, Signing};
