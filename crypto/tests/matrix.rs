//! `docs/crypto-backends.md` is what the backends say of themselves. `UPDATE_DOCS=1` writes it; that needs all
//! four backends, and without one of them only the others' columns are compared.
#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use common::{Numbers, backends, hex};
use hostward_crypto::{Algorithm, Group, Kind, Provider, Scheme};

/// The columns, in order.
const NAMES: [&str; 4] = ["rustcrypto", "ring", "aws-lc-rs", "ipsec-mb"];

fn page() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/crypto-backends.md")
}

/// Whether a provider of this backend alone does it, and the thing can really be made.
fn does(provider: &Provider, algorithm: Algorithm) -> bool {
    let supports = provider.supports(algorithm);
    let mut random = Numbers(1);
    let made = match algorithm {
        Algorithm::Aead(a) => Some(provider.aead(a, &vec![1; a.key_len()]).is_ok()),
        Algorithm::Cipher(a) => Some(provider.cipher(a, &vec![1; a.key_len()]).is_ok()),
        Algorithm::Block(a) => Some(provider.block(a, &vec![1; a.len()]).is_ok()),
        Algorithm::Hash(a) => Some(provider.hash(a).is_ok()),
        Algorithm::Mac(a) => Some(provider.mac(a, &vec![1; a.key_len()]).is_ok()),
        Algorithm::Exchange(a) => {
            Some(matches!(provider.exchange(a, &mut random), Ok(Ok(own)) if own.group() == a))
        }
        Algorithm::Verify(a) => Some(provider.verify(a, b"", b"", b"").is_ok()),
        Algorithm::Random => Some(provider.random().is_ok()),
        // Signing needs a key of the kind: tests/signature.rs.
        _ => None,
    };
    if let Some(made) = made {
        assert_eq!(made, supports, "{provider:?} {algorithm}");
    }
    supports
}

#[test]
fn the_page_is_what_the_backends_do() {
    let _ = hex("");
    let text = std::fs::read_to_string(page()).unwrap_or_default();
    // Column of a backend that is not compiled in: what stands on the page.
    let written: BTreeMap<(String, String), Vec<String>> = text
        .lines()
        .filter_map(|line| {
            let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
            (cells.len() == 8).then(|| ((cells[1].clone(), cells[2].clone()), cells[3..7].to_vec()))
        })
        .collect();
    let built: Vec<(&str, Provider)> = backends()
        .into_iter()
        .map(|backend| (backend.name(), Provider::of([backend])))
        .collect();
    let mut page_is = String::from(
        "# Backends of cryptography\n\n\
         What each library does behind `hostward_crypto::Provider`. A provider that lists several of them does what\n\
         any of them does. Hybrid key exchanges, CMAC, XCBC, PRFs and HKDF are composed of their parts, which may\n\
         come from different libraries. Written by `crypto/tests/matrix.rs`.\n\n\
         | kind | algorithm | rustcrypto | ring | aws-lc-rs | ipsec-mb |\n|---|---|---|---|---|---|\n",
    );
    for algorithm in Algorithm::all() {
        let key = (algorithm.kind().to_string(), algorithm.to_string());
        write!(page_is, "| {} | {} |", key.0, key.1).unwrap();
        for (at, name) in NAMES.iter().enumerate() {
            // What RustCrypto does with a feature of its own is written so, whether it is on or not.
            let feature = match algorithm {
                Algorithm::Exchange(Group::X448) => Some("feature `x448`"),
                Algorithm::Random => Some("feature `system-random`"),
                _ => None,
            };
            let cell = match built.iter().find(|(built, _)| built == name) {
                Some((name, _)) if feature.is_some() && *name == "rustcrypto" => {
                    feature.unwrap_or_default()
                }
                Some((_, provider)) if does(provider, algorithm) => "yes",
                Some(_) => "",
                None => written.get(&key).map_or("", |cells| cells[at].as_str()),
            };
            if cell.is_empty() {
                page_is.push_str(" |");
            } else {
                write!(page_is, " {cell} |").unwrap();
            }
        }
        page_is.push('\n');
    }
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1")
        && built.len() == NAMES.len()
    {
        std::fs::write(page(), page_is).unwrap();
        return;
    }
    for (is, should) in text.lines().zip(page_is.lines()) {
        assert_eq!(is, should, "docs/crypto-backends.md is out of date");
    }
    assert_eq!(text, page_is, "docs/crypto-backends.md is out of date");
}

/// A typed refusal for all that a provider lacks, at the time it is asked.
#[test]
fn everything_lacking_is_refused() {
    let none = Provider::default();
    for algorithm in Algorithm::all() {
        assert!(!does(&none, algorithm));
        for purpose in [
            hostward_crypto::fips::Purpose::Ike,
            hostward_crypto::fips::Purpose::Observation,
        ] {
            let refusal = none.check(purpose, algorithm).unwrap_err().to_string();
            assert!(
                refusal.contains("is not offered by a provider without backends"),
                "{refusal}"
            );
        }
    }
    assert!(
        none.answer(Group::X25519, &[9; 32], &mut Numbers(1))
            .is_err()
    );
    assert!(none.signer(b"").is_err());
    assert!(none.verify(Scheme::Ed25519, b"", b"", b"").is_err());
}

/// FIPS mode refuses by algorithm, and in its strict form by library, for parts too.
#[cfg(feature = "rustcrypto")]
#[test]
fn fips_mode() {
    use hostward_crypto::fips::{Fips, Purpose};
    use hostward_crypto::{Aead, Mac, backend};
    let provider = Provider::of([backend::RUST_CRYPTO]).with_fips(Fips::Algorithms);
    let gcm = Algorithm::Aead(Aead::AES_256_GCM);
    assert_eq!(
        provider.check(Purpose::Ike, gcm).unwrap_err().to_string(),
        "aes256-gcm16 must not be used for the IKE SA in FIPS mode: its IV must be made inside the validated \
         module, which the IKE SA does outside"
    );
    provider.check(Purpose::Esp, gcm).unwrap();
    let strict = provider.clone().with_fips(Fips::Module);
    assert_eq!(
        strict.check(Purpose::Esp, gcm).unwrap_err().to_string(),
        "aes256-gcm16 is done by rustcrypto, which is no validated module, and FIPS mode is on"
    );
    assert!(
        strict
            .check(Purpose::Ike, Algorithm::Mac(Mac::AesCmac))
            .is_err()
    );
    strict.check(Purpose::Observation, gcm).unwrap();
    for kind in Kind::ALL {
        assert!(!kind.to_string().is_empty());
    }
}

/// Which library takes a private key depends on the key: in the strict form none does that is no validated
/// module, though the one that was asked about takes other keys.
#[cfg(feature = "rustcrypto")]
#[test]
fn fips_mode_looks_at_who_takes_a_private_key() {
    use hostward_crypto::fips::{Fips, Purpose};
    use hostward_crypto::signature::Signer;
    use hostward_crypto::{Backend, Curve, Hash, Refusal, backend};

    /// A module that does everything and does not take this key.
    struct Module;
    impl Backend for Module {
        fn name(&self) -> &'static str {
            "module"
        }
        fn validated(&self) -> bool {
            true
        }
        fn supports(&self, _: Algorithm) -> bool {
            true
        }
        fn signer(&self, _: &[u8]) -> Option<Result<Box<dyn Signer>, Refusal>> {
            None
        }
    }
    let key = include_bytes!("data/keys/p-256.der");
    let provider = Provider::of([&Module as &dyn Backend, backend::RUST_CRYPTO]);
    let scheme = Algorithm::Sign(Scheme::Ecdsa(Curve::P256, Hash::Sha256));
    assert!(provider.signer(key).is_ok());
    assert!(
        provider
            .clone()
            .with_fips(Fips::Algorithms)
            .signer(key)
            .is_ok()
    );
    let strict = provider.with_fips(Fips::Module);
    strict.check(Purpose::Ike, scheme).unwrap();
    assert_eq!(
        strict.signer(key).err().unwrap().to_string(),
        "ecdsa-p256-sha256 is done by rustcrypto, which is no validated module, and FIPS mode is on"
    );
}
