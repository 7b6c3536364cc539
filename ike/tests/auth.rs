//! Proofs of identity: what is signed is taken, and nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod support;

use hostward_crypto::algorithm::{Curve, Hash, Prf, Scheme};
use hostward_crypto::signature::{Remote, Signer, Ticket, ecdsa_raw};
use hostward_crypto::{Secret, Signing};
use hostward_ike::auth::{
    AuthError as E, AuthMethod, EmptyKey, HowToAuthMe, NoMethod, Proof, Proving, SharedKey,
    SignatureHashes,
};
use hostward_ike::certificate::{BoundKey, TrustStore};
use hostward_ike::identity::Identity;
use support::{check, fixture, provider, random, received};

const OCTETS: &[u8] = b"the first message, a nonce and a MACed identity";
const ALL: SignatureHashes = SignatureHashes::ALL;

/// The key of one of OpenSSL's certificates, bound to its identity.
fn bound(name: &str) -> BoundKey {
    let provider = provider();
    let mut trust = TrustStore::new();
    trust.add(&provider, "root", &fixture("root.der")).unwrap();
    let identity = Identity::fqdn(&format!("{name}.example.com")).unwrap();
    check(&provider, &trust)
        .bind(&received(&[&fixture(&format!("{name}.der"))]), &identity)
        .unwrap()
}

fn signer(name: &str) -> Box<dyn Signer> {
    provider().signer(&fixture(&format!("{name}.pk8"))).unwrap()
}

fn sign(key: &dyn Signer, scheme: Scheme) -> Vec<u8> {
    match key.sign(scheme, OCTETS, &mut random()).unwrap() {
        Signing::Done(signature) => signature,
        Signing::Later(_) => panic!(),
    }
}

/// What a peer makes of the data.
fn verify(key: &BoundKey, hashes: SignatureHashes, method: u8, data: &[u8]) -> Result<Scheme, E> {
    let proof = Proof::Signature(key, hashes);
    proof.verify(&provider(), method, data, OCTETS).map(|peer| {
        assert_eq!(peer.identity(), key.identity());
        assert_eq!(peer.method().number(), method);
        assert_eq!(peer.certificate(), Some(key.fingerprint()));
        peer.scheme().unwrap()
    })
}

// RFC 7427 §3, RFC 4754 §7, RFC 7296 §3.8.
#[test]
fn every_method_proves_what_it_signs() {
    use HowToAuthMe as H;
    for (name, how, hashes, method) in [
        ("rsa", H::DigitalSignature, ALL, 14),
        ("rsa", H::DigitalSignature, SignatureHashes::NONE, 1),
        ("rsa", H::RsaSignature, ALL, 1),
        ("p256", H::DigitalSignature, ALL, 14),
        ("p256", H::Ecdsa256, ALL, 9),
        ("p384", H::Ecdsa384, ALL, 10),
        ("p384", H::DigitalSignature, SignatureHashes::NONE, 10),
        ("p521", H::Ecdsa521, ALL, 11),
        ("p521", H::DigitalSignature, ALL, 14),
        // RFC 8420 §2.
        ("ed25519", H::DigitalSignature, ALL, 14),
    ] {
        let (key, own) = (bound(name), signer(name));
        let choice = how.choose(own.schemes(), hashes).unwrap();
        assert_eq!(choice.method.number(), method, "{name} {how:?}");
        let Proving::Done(data) = choice.sign(&*own, OCTETS, &mut random()).unwrap() else {
            panic!()
        };
        assert_eq!(verify(&key, ALL, method, &data), Ok(choice.scheme));
        // Nothing but the whole: octets missing, added, changed; other octets; another key of the same kind.
        for len in 0..data.len() {
            assert!(
                verify(&key, ALL, method, &data[..len]).is_err(),
                "{name} {len}"
            );
        }
        let mut longer = data.clone();
        longer.push(0);
        assert!(verify(&key, ALL, method, &longer).is_err(), "{name}");
        for at in (0..data.len()).step_by(7) {
            let mut bad = data.clone();
            bad[at] ^= 1;
            assert!(verify(&key, ALL, method, &bad).is_err(), "{name} {at}");
        }
        let other = Proof::Signature(&key, ALL).verify(&provider(), method, &data, b"others");
        assert_eq!(other.err(), Some(E::Failed));
    }
}

#[test]
fn all_schemes_of_a_key_are_taken_by_digital_signature() {
    for name in ["rsa", "p256", "p384", "p521", "ed25519"] {
        let (key, own) = (bound(name), signer(name));
        for scheme in own.schemes() {
            let choice = HowToAuthMe::DigitalSignature
                .choose(&[*scheme], ALL)
                .unwrap();
            let data = choice.finish(&sign(&*own, *scheme)).unwrap();
            assert_eq!(verify(&key, ALL, 14, &data), Ok(*scheme), "{name}");
            // RFC 7427 §4: only over a hash that was told to the peer.
            assert_eq!(verify(&key, SignatureHashes::NONE, 14, &data), Err(E::Hash));
        }
    }
}

// RFC 7296 §3.8, RFC 8247 §3.2.1: PKCS#1 v1.5 over SHA-2, whichever.
#[test]
fn rsa_over_any_sha2() {
    let (key, own) = (bound("rsa"), signer("rsa"));
    for hash in [Hash::Sha256, Hash::Sha384, Hash::Sha512] {
        let data = sign(&*own, Scheme::RsaPkcs1(hash));
        assert_eq!(verify(&key, ALL, 1, &data), Ok(Scheme::RsaPkcs1(hash)));
        let data = sign(&*own, Scheme::RsaPss(hash));
        assert_eq!(verify(&key, ALL, 1, &data), Err(E::Failed));
    }
}

// RFC 4754 §7: raw numbers of the field's length.
#[test]
fn ecdsa_of_the_older_methods_is_raw() {
    let (key, own) = (bound("p256"), signer("p256"));
    let scheme = Scheme::Ecdsa(Curve::P256, Hash::Sha256);
    let der = sign(&*own, scheme);
    assert!(verify(&key, ALL, 9, &der).is_err());
    let raw = ecdsa_raw(Curve::P256, &der).unwrap();
    assert_eq!(verify(&key, ALL, 9, &raw), Ok(scheme));
    // Another curve's number.
    assert!(verify(&key, ALL, 10, &raw).is_err());
    assert_eq!(verify(&key, ALL, 10, &[1; 96]), Err(E::Key(10)));
    // In the newer method it is DER.
    let choice = HowToAuthMe::DigitalSignature
        .choose(&[scheme], ALL)
        .unwrap();
    let mut data = choice.finish(&der).unwrap();
    assert_eq!(verify(&key, ALL, 14, &data), Ok(scheme));
    data.truncate(data.len() - der.len());
    data.extend(&raw);
    assert_eq!(verify(&key, ALL, 14, &data), Err(E::Failed));
}

/// The order of P-256.
const ORDER: [u8; 32] = [
    0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC, 0xE6,
    0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
];

/// Signatures that programs took although they are none.
#[test]
fn signatures_that_are_none() {
    let key = bound("p256");
    let own = signer("p256");
    let scheme = Scheme::Ecdsa(Curve::P256, Hash::Sha256);
    let raw = ecdsa_raw(Curve::P256, &sign(&*own, scheme)).unwrap();
    let (r, s) = raw.split_at(32);
    let zero = [0; 32];
    let mut one = zero;
    one[31] = 1;
    for (r, s) in [
        (&zero[..], &zero[..]),
        (r, &zero),
        (&zero, s),
        (r, &ORDER),
        (&ORDER, s),
        (&ORDER, &ORDER),
        (&one, &one),
        (&one, &zero),
        (s, r),
        (&[0xFF; 32], &[0xFF; 32]),
    ] {
        let data = [r, s].concat();
        assert_eq!(verify(&key, ALL, 9, &data), Err(E::Failed));
        let choice = HowToAuthMe::DigitalSignature
            .choose(&[scheme], ALL)
            .unwrap();
        if let Ok(der) = hostward_crypto::signature::ecdsa_der(Curve::P256, &data) {
            let data = choice.finish(&der).unwrap();
            assert_eq!(verify(&key, ALL, 14, &data), Err(E::Failed));
        }
    }
    for (name, len) in [("rsa", 256), ("ed25519", 64), ("p384", 96), ("p521", 132)] {
        let key = bound(name);
        for fill in [0, 1, 0xFF] {
            for method in [1, 9, 10, 11] {
                assert!(verify(&key, ALL, method, &vec![fill; len]).is_err());
            }
        }
        for empty in [&[][..], &[0], &[0, 0], &[255], &[12, 0x30]] {
            for method in [1, 9, 10, 11, 14] {
                assert!(verify(&key, ALL, method, empty).is_err(), "{name} {method}");
            }
        }
    }
    // RSA over a modulus that is too short, although its certificate is valid.
    let weak = bound("rsa1024");
    assert!(matches!(verify(&weak, ALL, 1, &[1; 128]), Err(E::Failed)));
}

#[test]
fn the_key_is_the_one_of_the_identity() {
    // Both are believed, both sign; a signature of one is none of the other.
    let scheme = Scheme::Ecdsa(Curve::P256, Hash::Sha256);
    let choice = HowToAuthMe::DigitalSignature
        .choose(&[scheme], ALL)
        .unwrap();
    let root = support::Authority::root("Root");
    let trust = support::trust(&[&root]);
    let (one, _) = root.issue(support::gateway_params("one.example.com"));
    let (_, other_key) = root.issue(support::gateway_params("two.example.com"));
    let one = support::bind(&trust, &[&one], "one.example.com").unwrap();
    let other = provider().signer(other_key.serialized_der()).unwrap();
    let data = choice.finish(&sign(&*other, scheme)).unwrap();
    assert_eq!(verify(&one, ALL, 14, &data), Err(E::Failed));
    // The identifier of an algorithm that the key is not for.
    let key = bound("rsa");
    assert_eq!(verify(&key, ALL, 14, &data), Err(E::Algorithm));
    assert_eq!(verify(&key, ALL, 9, &[1; 64]), Err(E::Key(9)));
    assert_eq!(verify(&one, ALL, 1, &[1; 256]), Err(E::Key(1)));
}

// RFC 7619 §2.1: NULL is known and not taken.
#[test]
fn methods_that_are_not_taken() {
    let key = bound("p256");
    let shared = SharedKey::new(Secret::copy(b"secret")).unwrap();
    let identity = Identity::fqdn("gw.example.com").unwrap();
    let by_key = Proof::SharedKey(&shared, Prf::Hmac(Hash::Sha256), &identity);
    let by_signature = Proof::Signature(&key, ALL);
    for number in 0..=255u8 {
        for data in [&[][..], &[0; 32], &[1; 64]] {
            for proof in [by_key, by_signature] {
                let found = proof
                    .verify(&provider(), number, data, OCTETS)
                    .err()
                    .unwrap();
                match (number, proof) {
                    (1 | 9 | 10 | 11 | 14, Proof::SharedKey(..)) | (2, Proof::Signature(..)) => {
                        assert_eq!(found, E::Unwanted(number));
                    }
                    (1 | 2 | 9 | 10 | 11 | 14, _) => {
                        assert!(!matches!(found, E::Unwanted(_) | E::Method(_)));
                    }
                    _ => assert_eq!(found, E::Method(number)),
                }
            }
        }
    }
}

// RFC 7296 §2.15.
#[test]
fn a_shared_key_proves() {
    let provider = provider();
    let key = |octets: &[u8]| SharedKey::new(Secret::copy(octets)).unwrap();
    let identity = Identity::fqdn("gw.example.com").unwrap();
    for prf in Prf::ALL {
        let (shared, other) = (key(b"a shared secret"), key(b"a shared secreT"));
        let data = shared.prove(&provider, prf, OCTETS).unwrap();
        assert_eq!(data.len(), prf.len());
        let pad = provider
            .prf(prf, b"a shared secret")
            .unwrap()
            .code(&[b"Key Pad for IKEv2"]);
        let code = provider.prf(prf, pad.as_ref()).unwrap().code(&[OCTETS]);
        assert_eq!(data.expose(), code.as_ref());
        let verify = |key: &SharedKey, data: &[u8], octets: &[u8]| {
            Proof::SharedKey(key, prf, &identity).verify(&provider, 2, data, octets)
        };
        let peer = verify(&shared, data.expose(), OCTETS).unwrap();
        assert_eq!(
            (peer.method(), peer.identity()),
            (AuthMethod::SharedKey, &identity)
        );
        assert_eq!((peer.scheme(), peer.certificate()), (None, None));
        for len in 0..data.len() {
            assert!(verify(&shared, &data.expose()[..len], OCTETS).is_err());
        }
        let mut longer = data.expose().to_vec();
        longer.push(0);
        assert_eq!(verify(&shared, &longer, OCTETS).err(), Some(E::Failed));
        assert_eq!(verify(&shared, data.expose(), b"").err(), Some(E::Failed));
        assert_eq!(verify(&other, data.expose(), OCTETS).err(), Some(E::Failed));
    }
    assert_eq!(SharedKey::new(Secret::default()).err(), Some(EmptyKey));
    assert!(!format!("{:?}", key(b"hunter2")).contains("hunter2"));
}

/// HMAC-SHA-256 of Python's `hmac` for the same inputs.
#[test]
fn a_shared_key_proves_what_others_compute() {
    let shared = SharedKey::new(Secret::copy(b"secret")).unwrap();
    let data = shared
        .prove(&provider(), Prf::Hmac(Hash::Sha256), b"octets")
        .unwrap();
    let hex: String = data.expose().iter().map(|o| format!("{o:02x}")).collect();
    assert_eq!(
        hex,
        "93d6b432e988c4c184f49457ef7ddfef938f1179de4120120d1cc523b368d33b"
    );
}

#[test]
fn a_key_elsewhere_answers_later() {
    let local = signer("p256");
    let scheme = Scheme::Ecdsa(Curve::P256, Hash::Sha256);
    let remote = Remote::new(local.public_key().to_vec(), vec![scheme], |request| {
        assert_eq!(request.message, OCTETS);
        Ok(())
    });
    for (how, method) in [
        (HowToAuthMe::DigitalSignature, 14),
        (HowToAuthMe::Ecdsa256, 9),
    ] {
        let choice = how.choose(remote.schemes(), ALL).unwrap();
        let Proving::Later(ticket) = choice.sign(&remote, OCTETS, &mut random()).unwrap() else {
            panic!()
        };
        assert_ne!(ticket, Ticket(0));
        let data = choice.finish(&sign(&*local, scheme)).unwrap();
        assert_eq!(verify(&bound("p256"), ALL, method, &data), Ok(scheme));
        assert!(choice.finish(&[]).is_err());
    }
    assert_eq!(
        HowToAuthMe::Ecdsa384.choose(remote.schemes(), ALL),
        Err(NoMethod)
    );
}
