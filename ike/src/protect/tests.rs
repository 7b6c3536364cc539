#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::cloned_ref_to_slice_refs,
    reason = "a test looks at what it is about"
)]

use super::*;
use crate::keys::{IkeKeys, Nonces, Side, Spis};
use crate::message::{ExchangeType, Flags, IkeSpi, NotifyType};
use crate::testing::{Counting, hex, provider};
use alloc::vec;
use hostward_crypto::algorithm::{AesKey, Tag};
use hostward_crypto::{Aead, Cipher, Group, Hash, Mac, Prf};

fn suite(encryption: Encr, integrity: Option<Integ>) -> IkeSuite {
    IkeSuite {
        encryption,
        prf: Prf::Hmac(Hash::Sha256),
        integrity,
        group: Group::X25519,
        additional: vec![],
    }
}

/// Everything that can protect an IKE SA here.
fn suites() -> Vec<IkeSuite> {
    let mut all: Vec<_> = Aead::all()
        .map(|aead| suite(Encr::Aead(aead), None))
        .collect();
    for key in AesKey::ALL {
        for mac in Mac::ALL {
            all.push(suite(
                Encr::Cipher(Cipher::AesCbc(key)),
                Some(Integ::Mac(mac)),
            ));
        }
    }
    all
}

fn pair(suite: &IkeSuite) -> (Sealer, Opener) {
    let provider = provider();
    let spis = Spis {
        initiator: IkeSpi([1; 8]),
        responder: IkeSpi([2; 8]),
    };
    let nonces = Nonces {
        initiator: &[3; 32],
        responder: &[4; 32],
    };
    let keys = IkeKeys::initial(&provider, suite, nonces, spis, &Secret::copy(&[5; 32])).unwrap();
    let (sealer, other) = keys.protection(&provider, suite, Side::Initiator).unwrap();
    let (_, opener) = keys.protection(&provider, suite, Side::Responder).unwrap();
    drop(other);
    (sealer, opener)
}

fn header() -> Header {
    Header {
        spi_i: IkeSpi([1; 8]),
        spi_r: IkeSpi([2; 8]),
        exchange: ExchangeType::IKE_INTERMEDIATE,
        flags: Flags {
            initiator: true,
            ..Flags::default()
        },
        message_id: 1,
    }
}

fn payloads(len: usize) -> PayloadWriter {
    let mut writer = PayloadWriter::new(60_000);
    writer.nonce(&[9; 16]).unwrap();
    let data: Vec<u8> = (0..len).map(|at| at as u8).collect();
    writer.vendor_id(&data).unwrap();
    writer
}

fn parse(octets: &[u8]) -> Message<'_> {
    Message::parse(octets, &Limits::default()).unwrap()
}

// RFC 7634 appendix B: a whole message.
#[test]
fn vector_of_chacha20_poly1305() {
    let chacha = suite(Encr::Aead(Aead::ChaCha20Poly1305), None);
    let key = Secret::new((0x80..=0xa3).collect());
    let provider = provider();
    let mut sealer = Sealer::new(&provider, &chacha, &key, &Secret::default()).unwrap();
    sealer.start_at(0x1011_1213_1415_1617);
    let header = Header {
        spi_i: IkeSpi([0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7]),
        spi_r: IkeSpi([0xd0, 0xd1, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7]),
        exchange: ExchangeType::INFORMATIONAL,
        flags: Flags::default(),
        message_id: 9,
    };
    let mut payloads = PayloadWriter::new(100);
    payloads
        .notify(NotifyType::SET_WINDOW_SIZE, &[0, 0, 0, 10])
        .unwrap();
    let octets = sealer
        .seal(&header, &payloads, &mut Counting::default())
        .unwrap();
    let expected = hex(
        "c0c1c2c3c4c5c6c7d0d1d2d3d4d5d6d72e202500000000090000004529000029
         10111213141516176103 94701f8d017f7c12924889 6b71bfe25236efd7cdc67066906315b2",
    );
    assert_eq!(octets, expected);
    let opener = Opener::new(&provider, &chacha, &key, &Secret::default()).unwrap();
    let opened = opener.open(&parse(&octets)).unwrap();
    let inner = opened.payloads(&Limits::default()).unwrap();
    assert_eq!(
        inner.notify(NotifyType::SET_WINDOW_SIZE).unwrap().data,
        [0, 0, 0, 10]
    );
}

#[test]
fn every_suite_there_and_back() {
    for suite in suites() {
        let (mut sealer, opener) = pair(&suite);
        let random = &mut Counting::default();
        for len in [0, 1, 2, 14, 15, 16, 17, 300] {
            let payloads = payloads(len);
            let octets = sealer.seal(&header(), &payloads, random).unwrap();
            assert_eq!(octets.len(), sealer.message_len(payloads.octets().len()));
            let opened = opener.open(&parse(&octets)).unwrap();
            assert_eq!(
                opened.payloads(&Limits::default()).unwrap().iter().count(),
                2
            );
            assert_eq!(
                opened.authenticated(),
                Authenticated::of(&header(), &payloads)
            );
        }
        // Nothing inside: an empty INFORMATIONAL.
        let octets = sealer
            .seal(&header(), &PayloadWriter::new(0), random)
            .unwrap();
        let opened = opener.open(&parse(&octets)).unwrap();
        assert_eq!(
            opened.payloads(&Limits::default()).unwrap().iter().count(),
            0
        );
    }
}

// RFC 5282 §5.1, RFC 7296 §3.14: every octet of the message is authenticated.
#[test]
fn every_octet_counts() {
    for suite in [
        suite(Encr::Aead(Aead::AES_128_GCM), None),
        suite(
            Encr::Cipher(Cipher::AesCbc(AesKey::Aes128)),
            Some(Integ::Mac(Mac::Hmac(Hash::Sha256))),
        ),
    ] {
        let (mut sealer, opener) = pair(&suite);
        let random = &mut Counting::default();
        let octets = sealer.seal(&header(), &payloads(20), random).unwrap();
        let fragments = sealer
            .seal_fragments(&header(), &payloads(120), 150, random)
            .unwrap();
        for octets in core::iter::once(&octets).chain(&fragments) {
            for at in 0..octets.len() {
                let mut wrong = octets.clone();
                wrong[at] ^= 0x01;
                let Ok(message) = Message::parse(&wrong, &Limits::default()) else {
                    continue;
                };
                if message.fragment().is_some() {
                    let mut reassembly = Reassembly::new(FragmentLimits::default());
                    let error = reassembly.add(&opener, &message).unwrap_err();
                    assert!(
                        matches!(
                            error,
                            FragmentError::NotAuthentic
                                | FragmentError::Number
                                | FragmentError::TooMany
                        ),
                        "{at} {error}"
                    );
                    assert_eq!(reassembly.octets(), 0);
                } else {
                    let error = opener.open(&message).unwrap_err();
                    assert!(
                        matches!(error, OpenError::NotAuthentic | OpenError::NotEncrypted),
                        "{at} {error}"
                    );
                }
            }
        }
    }
}

// RFC 5282 §3: no IV twice, over whole messages and fragments together.
#[test]
fn one_counter_for_all() {
    let (mut sealer, _) = pair(&suite(Encr::Aead(Aead::AES_256_GCM), None));
    let random = &mut Counting::default();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let whole = sealer.seal(&header(), &payloads(5), random).unwrap();
        assert!(seen.insert(parse(&whole).encrypted().unwrap().body[..8].to_vec()));
        for fragment in sealer
            .seal_fragments(&header(), &payloads(500), 200, random)
            .unwrap()
        {
            assert!(fragment.len() <= 200);
            assert!(seen.insert(parse(&fragment).fragment().unwrap().body[..8].to_vec()));
        }
    }
    sealer.start_at(u64::MAX);
    assert!(sealer.seal(&header(), &payloads(5), random).is_ok());
    assert_eq!(
        sealer.seal(&header(), &payloads(5), random),
        Err(SealError::Exhausted)
    );
}

// RFC 3602 §3: the IV of CBC is unpredictable, so never without random numbers.
#[test]
fn no_random_numbers() {
    struct None;
    impl Random for None {
        fn fill(&mut self, _: &mut [u8]) -> Result<(), Failed> {
            Err(Failed)
        }
    }
    let cbc = suite(
        Encr::Cipher(Cipher::AesCbc(AesKey::Aes128)),
        Some(Integ::Mac(Mac::Hmac(Hash::Sha256))),
    );
    let (mut sealer, _) = pair(&cbc);
    assert_eq!(
        sealer.seal(&header(), &payloads(5), &mut None),
        Err(SealError::Failed)
    );
}

// RFC 7296 §2.21.3: padding longer than the whole, in an authentic message, is INVALID_SYNTAX.
#[test]
fn padding_that_is_none() {
    let gcm = suite(Encr::Aead(Aead::AES_128_GCM), None);
    let (sealer, opener) = pair(&gcm);
    let Kind::Combined { key, salt } = &sealer.kind else {
        panic!()
    };
    let mut octets = header()
        .octets(PayloadType::SK, 28 + 4 + 8 + 2 + 16)
        .to_vec();
    octets.extend([40, 0, 0, 4 + 8 + 2 + 16]);
    let (nonce, len) = Kind::nonce(salt, &[7; 8]);
    let (mut data, mut tag) = ([0, 2], [0; 16]);
    key.seal(&nonce[..len], &octets, &mut data, &mut tag)
        .unwrap();
    octets.extend([7; 8]);
    octets.extend(data);
    octets.extend(tag);
    match opener.open(&parse(&octets)) {
        Err(OpenError::Malformed(error)) => {
            assert_eq!(error.notify(), Some((NotifyType::INVALID_SYNTAX, None)));
        }
        other => panic!("{other:?}"),
    }
}

// RFC 7383 §2.5, §2.5.1: fragments of at most the limit; what fits goes in one piece.
#[test]
fn fragments_of_every_suite() {
    assert_eq!(room(576, false, false), 548);
    assert_eq!(room(1280, true, true), 1228);
    for suite in suites() {
        let (mut sealer, opener) = pair(&suite);
        let random = &mut Counting::default();
        let payloads = payloads(1000);
        for limit in [120, 121, 135, 136, 548] {
            let sent = sealer
                .seal_fragments(&header(), &payloads, limit, random)
                .unwrap();
            assert!(sent.len() > 1 && sent.iter().all(|octets| octets.len() <= limit));
            let mut reassembly = Reassembly::new(FragmentLimits::default());
            let (last, first) = sent.split_first().unwrap();
            for octets in first.iter().rev() {
                assert_eq!(
                    reassembly.add(&opener, &parse(octets)),
                    Ok(Progress::Waiting)
                );
                assert_eq!(
                    reassembly.add(&opener, &parse(octets)),
                    Err(FragmentError::Duplicate)
                );
            }
            let Ok(Progress::Complete(opened)) = reassembly.add(&opener, &parse(last)) else {
                panic!()
            };
            // RFC 9242 §3.3.2: as if it had come in one piece.
            assert_eq!(
                opened.authenticated(),
                Authenticated::of(&header(), &payloads)
            );
            assert_eq!(
                opened.payloads(&Limits::default()).unwrap().iter().count(),
                2
            );
            assert_eq!(reassembly.octets(), 0);
        }
        let whole = sealer
            .seal_fragments(&header(), &payloads, 1400, random)
            .unwrap();
        assert!(whole.len() == 1 && parse(&whole[0]).encrypted().is_some());
        assert!(
            sealer.seal_fragments(&header(), &payloads, 40, random) == Err(SealError::TooSmall)
        );
    }
}

/// The number and total of a fragment changed; neither is authentic then.
fn renumbered(octets: &[u8], number: u16, total: u16) -> Vec<u8> {
    let mut octets = octets.to_vec();
    octets[32..34].copy_from_slice(&number.to_be_bytes());
    octets[34..36].copy_from_slice(&total.to_be_bytes());
    octets
}

// RFC 7383 §2.6: the checks in their order, what is not authentic is never held, a larger total starts anew.
#[test]
fn checks_of_fragments() {
    let (mut sealer, opener) = pair(&suite(Encr::Aead(Aead::AES_128_GCM), None));
    let random = &mut Counting::default();
    let payloads = payloads(400);
    let mut cut = |limit| {
        sealer
            .seal_fragments(&header(), &payloads, limit, random)
            .unwrap()
    };
    let (large, small) = (cut(250), cut(120));
    assert!(large.len() < small.len());
    let mut reassembly = Reassembly::new(FragmentLimits::default());
    let add = |reassembly: &mut Reassembly, octets: &[u8]| reassembly.add(&opener, &parse(octets));
    for (number, total) in [(0, 3), (1, 0), (4, 3), (0, 0)] {
        let octets = renumbered(&large[0], number, total);
        assert_eq!(add(&mut reassembly, &octets), Err(FragmentError::Number));
    }
    let octets = renumbered(&large[0], 1, 9);
    assert_eq!(
        add(&mut reassembly, &octets),
        Err(FragmentError::NotAuthentic)
    );
    let octets = renumbered(&large[0], 1, u16::MAX);
    assert_eq!(add(&mut reassembly, &octets), Err(FragmentError::TooMany));
    assert_eq!(add(&mut reassembly, &large[0]), Ok(Progress::Waiting));
    // A forged larger total does not throw away what is held.
    let held = reassembly.octets();
    let octets = renumbered(&large[1], 2, 200);
    assert_eq!(
        add(&mut reassembly, &octets),
        Err(FragmentError::NotAuthentic)
    );
    assert_eq!(reassembly.octets(), held);
    // A true one does.
    assert_eq!(add(&mut reassembly, &small[1]), Ok(Progress::Waiting));
    assert!(reassembly.octets() < held);
    assert_eq!(add(&mut reassembly, &large[1]), Err(FragmentError::Stale));
    for (at, octets) in small.iter().enumerate().filter(|(at, _)| *at != 1) {
        let progress = add(&mut reassembly, octets).unwrap();
        assert_eq!(
            matches!(progress, Progress::Complete(_)),
            at + 1 == small.len()
        );
    }
    // Bounds.
    let mut few = Reassembly::new(FragmentLimits {
        fragments: 2,
        octets: 1000,
    });
    assert_eq!(add(&mut few, &small[0]), Err(FragmentError::TooMany));
    let mut short = Reassembly::new(FragmentLimits {
        fragments: 100,
        octets: 100,
    });
    assert_eq!(add(&mut short, &small[0]), Ok(Progress::Waiting));
    assert_eq!(add(&mut short, &small[1]), Err(FragmentError::TooMany));
    // Whole messages are none.
    let (mut sealer, _) = pair(&suite(Encr::Aead(Aead::AES_128_GCM), None));
    let whole = sealer.seal(&header(), &payloads, random).unwrap();
    assert_eq!(add(&mut few, &whole), Err(FragmentError::NoFragment));
    // A fragment with another message id does not mix in.
    let other = Header {
        message_id: 2,
        ..header()
    };
    let mut sealed = sealer
        .seal_fragments(&header(), &payloads, 250, random)
        .unwrap();
    sealed.truncate(1);
    sealed.push(
        sealer
            .seal_fragments(&other, &payloads, 250, random)
            .unwrap()
            .remove(1),
    );
    let mut reassembly = Reassembly::new(FragmentLimits::default());
    assert_eq!(add(&mut reassembly, &sealed[0]), Ok(Progress::Waiting));
    assert_eq!(add(&mut reassembly, &sealed[1]), Err(FragmentError::Other));
}

// RFC 9242 §3.3.2: payloads in clear of fragment 1 count, and its reserved octet; the last of them names SK.
#[test]
fn what_is_authenticated_of_odd_messages() {
    let raw = header().octets(PayloadType::NOTIFY, 0);
    let clear = [53, 0, 0, 8, 0, 0, 0x40, 0];
    let found = Authenticated::new(raw, &clear, PayloadType::NONCE, 0x7f, b"inner");
    let mut expected = header()
        .octets(PayloadType::NOTIFY, 28 + 8 + 4 + 5)
        .to_vec();
    expected.extend([46, 0, 0, 8, 0, 0, 0x40, 0]);
    expected.extend([40, 0x7f, 0, 9]);
    assert_eq!((found.header, found.payloads), (expected, &b"inner"[..]));
}

#[test]
fn keys_of_the_wrong_length() {
    let gcm = suite(Encr::Aead(Aead::AesGcm(AesKey::Aes128, Tag::Octets8)), None);
    let none = Secret::default();
    assert!(Sealer::new(&provider(), &gcm, &none, &none).is_err());
    let null = suite(Encr::Null, None);
    assert!(Opener::new(&provider(), &null, &none, &none).is_err());
}
