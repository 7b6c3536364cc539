#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::cloned_ref_to_slice_refs,
    reason = "a test looks at what it is about"
)]

use super::*;
use crate::message::{
    Limits, NotifyType, Payload, PayloadType, PayloadWriter, Payloads, Problem, TransformType,
};
use crate::testing::provider;
use alloc::vec;
use hostward_crypto::algorithm::{AesKey, Tag};
use hostward_crypto::fips::Fips;
use hostward_crypto::{Aead, Cipher, Hash, Mac, Provider};

const GCM: Encr = Encr::Aead(Aead::AES_256_GCM);
const CHACHA: Encr = Encr::Aead(Aead::ChaCha20Poly1305);
const CBC: Encr = Encr::Cipher(Cipher::AesCbc(AesKey::Aes128));
const SHA256: Integ = Integ::Mac(Mac::Hmac(Hash::Sha256));
const PRF: Prf = Prf::Hmac(Hash::Sha256);

/// A transform as octets: type, id, attributes.
type Raw<'a> = (u8, u16, &'a [u8]);

const KEY_128: &[u8] = &[0x80, 14, 0, 128];
const KEY_256: &[u8] = &[0x80, 14, 1, 0];

/// An SA body of proposals of this protocol with this SPI.
fn raw(protocol: u8, spi: &[u8], proposals: &[&[Raw<'_>]]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (at, transforms) in proposals.iter().enumerate() {
        let mut body = Vec::new();
        for (left, (kind, id, attributes)) in (0..transforms.len()).rev().zip(*transforms) {
            body.extend([if left == 0 { 0 } else { 3 }, 0]);
            body.extend((8 + attributes.len() as u16).to_be_bytes());
            body.extend([*kind, 0]);
            body.extend(id.to_be_bytes());
            body.extend(*attributes);
        }
        let last = at + 1 == proposals.len();
        octets.extend([if last { 0 } else { 2 }, 0]);
        octets.extend((8 + spi.len() as u16 + body.len() as u16).to_be_bytes());
        octets.extend([
            at as u8 + 1,
            protocol,
            spi.len() as u8,
            transforms.len() as u8,
        ]);
        octets.extend(spi);
        octets.extend(body);
    }
    octets
}

fn payload(body: &[u8]) -> PayloadWriter {
    let mut writer = PayloadWriter::new(60_000);
    writer.payload(PayloadType::SA, &[body]).unwrap();
    writer
}

/// Calls with the SA payload of this body, or gives why there is none.
fn with<T>(
    body: &[u8],
    then: impl FnOnce(&crate::message::SaPayload<'_>) -> T,
) -> Result<T, crate::message::ParseError> {
    let writer = payload(body);
    let payloads = Payloads::parse(writer.first(), writer.octets(), &Limits::default())?;
    match payloads.iter().next() {
        Some(Payload::Sa(sa)) => Ok(then(&sa)),
        other => panic!("{other:?}"),
    }
}

fn own() -> Offer {
    Offer::ike(
        [GCM, CBC, CHACHA],
        [PRF],
        [SHA256],
        [Group::X25519, Group::P256],
    )
}

fn choose(body: &[u8]) -> Result<Chosen<IkeSuite>, SelectError> {
    choose_from(&[own()], body, None)
}

fn choose_from(
    offers: &[Offer],
    body: &[u8],
    sent_group: Option<u16>,
) -> Result<Chosen<IkeSuite>, SelectError> {
    let provider = provider();
    with(body, |sa| {
        let selecting = Selecting {
            provider: &provider,
            preference: Preference::Peer,
            sent_group,
        };
        select_ike(offers, sa, false, selecting)
    })
    .unwrap()
}

fn ike(proposals: &[&[Raw<'_>]]) -> Vec<u8> {
    raw(1, &[], proposals)
}

const GCM_OK: &[Raw<'_>] = &[(1, 20, KEY_256), (2, 5, &[]), (4, 31, &[])];
const CBC_OK: &[Raw<'_>] = &[(1, 12, KEY_128), (2, 5, &[]), (3, 12, &[]), (4, 31, &[])];

#[test]
fn acceptance_1_all_unknown_ids_first() {
    let unknown = &[
        (1, 999, KEY_128),
        (2, 999, &[][..]),
        (3, 999, &[]),
        (4, 999, &[]),
    ];
    let chosen = choose(&ike(&[unknown, GCM_OK])).unwrap();
    assert_eq!(chosen.proposal.number, 2);
    assert_eq!(chosen.suite.encryption, GCM);
    assert_eq!(choose(&ike(&[unknown])), Err(SelectError::NoProposalChosen));
}

#[test]
fn acceptance_2_combined_and_separate_in_either_order() {
    for (proposals, encryption) in [([GCM_OK, CBC_OK], GCM), ([CBC_OK, GCM_OK], CBC)] {
        let chosen = choose(&ike(&proposals)).unwrap();
        assert_eq!(
            (chosen.proposal.number, chosen.suite.encryption),
            (1, encryption)
        );
        // Who has only one of them gets it wherever it stands.
        for only in [GCM, CBC] {
            let offer = Offer {
                encryption: vec![only],
                ..own()
            };
            let chosen = choose_from(&[offer], &ike(&proposals), None).unwrap();
            assert_eq!(chosen.suite.encryption, only);
        }
    }
}

#[test]
fn acceptance_3_one_good_among_several_encryptions() {
    let chosen = choose(&ike(&[&[
        (1, 1000, KEY_128),
        (1, 20, &[0x80, 14, 0, 200]),
        (1, 20, KEY_128),
        (1, 20, KEY_256),
        (2, 5, &[]),
        (4, 31, &[]),
    ]]))
    .unwrap();
    assert_eq!(chosen.suite.encryption, GCM);
}

// RFC 7296 §3.3.6: an unknown type of transform makes that proposal unacceptable, and that one only.
#[test]
fn acceptance_4_unknown_type() {
    let strange = [GCM_OK, &[(77, 1, &[][..])]].concat();
    let chosen = choose(&ike(&[&strange, CBC_OK])).unwrap();
    assert_eq!((chosen.proposal.number, chosen.suite.encryption), (2, CBC));
    assert_eq!(
        choose(&ike(&[&strange])),
        Err(SelectError::NoProposalChosen)
    );
    // A type that is known and has no place in IKE is no better.
    let esn = [GCM_OK, &[(5, 0, &[][..])]].concat();
    assert_eq!(choose(&ike(&[&esn])), Err(SelectError::NoProposalChosen));
}

// RFC 7296 §3.3.6: an unknown attribute makes that transform unacceptable.
#[test]
fn acceptance_5_unknown_attribute() {
    for strange in [
        &[0x80, 14, 1, 0, 0x80, 99, 0, 1][..],
        &[0x80, 99, 0, 1],
        &[0, 99, 0, 3, 1, 2, 3],
        // Key Length in the long format, and twice.
        &[0, 14, 0, 2, 1, 0],
        &[0x80, 14, 1, 0, 0x80, 14, 1, 0],
    ] {
        let proposal: &[Raw<'_>] = &[(1, 20, strange), (1, 28, &[]), (2, 5, &[]), (4, 31, &[])];
        let chosen = choose(&ike(&[proposal])).unwrap();
        assert_eq!(chosen.suite.encryption, CHACHA, "{strange:?}");
    }
    // Also where no attribute is known at all.
    let prf: &[Raw<'_>] = &[(1, 20, KEY_256), (2, 5, &[0x80, 99, 0, 1]), (4, 31, &[])];
    assert_eq!(choose(&ike(&[prf])), Err(SelectError::NoProposalChosen));
}

#[test]
fn acceptance_6_key_length() {
    let missing: &[Raw<'_>] = &[(1, 20, &[]), (2, 5, &[]), (4, 31, &[])];
    assert_eq!(choose(&ike(&[missing])), Err(SelectError::NoProposalChosen));
    let fixed: &[Raw<'_>] = &[(1, 28, KEY_256), (2, 5, &[]), (4, 31, &[])];
    assert_eq!(choose(&ike(&[fixed])), Err(SelectError::NoProposalChosen));
    assert!(choose(&ike(&[missing, fixed, GCM_OK])).is_ok());
}

// RFC 5282 §8: beside combined encryption NONE or nothing.
#[test]
fn acceptance_7_integrity_beside_combined_encryption() {
    let none: &[Raw<'_>] = &[(1, 20, KEY_256), (2, 5, &[]), (3, 0, &[]), (4, 31, &[])];
    let chosen = choose(&ike(&[none])).unwrap();
    assert_eq!(chosen.suite.integrity, None);
    assert!(chosen.proposal.transforms.contains(&Transform::Integ(None)));
    let some: &[Raw<'_>] = &[(1, 20, KEY_256), (2, 5, &[]), (3, 12, &[]), (4, 31, &[])];
    assert_eq!(choose(&ike(&[some])), Err(SelectError::NoProposalChosen));
    assert_eq!(choose(&ike(&[some, CBC_OK])).unwrap().proposal.number, 2);
}

#[test]
fn acceptance_8_mixed_in_one_proposal() {
    let integ: &[Raw<'_>] = &[(2, 5, &[]), (3, 12, &[]), (4, 31, &[])];
    for first in [
        &[(1, 20, KEY_256), (1, 12, KEY_128)],
        &[(1, 12, KEY_128), (1, 20, KEY_256)],
    ] {
        let both = [&first[..], integ].concat();
        for encryption in [vec![GCM, CBC], vec![GCM], vec![CBC]] {
            let offer = Offer {
                encryption,
                ..own()
            };
            let chosen = choose_from(&[offer], &ike(&[&both]), None).unwrap();
            let integrity = chosen
                .proposal
                .transforms
                .iter()
                .any(|t| matches!(t, Transform::Integ(Some(_))));
            assert_eq!(integrity, chosen.suite.encryption == CBC);
            assert_eq!(chosen.suite.integrity.is_some(), integrity);
        }
    }
}

#[test]
fn acceptance_9_numbering_and_truncation() {
    let good = ike(&[GCM_OK, CBC_OK]);
    // The number of the second proposal.
    let second = usize::from(u16::from_be_bytes([good[2], good[3]]));
    let mut wrong = good.clone();
    wrong[second + 4] = 3;
    let error = with(&wrong, |_| ()).unwrap_err();
    assert_eq!(error.notify(), Some((NotifyType::INVALID_SYNTAX, None)));
    assert_eq!(error.payload, Some(PayloadType::SA));
    for cut in 1..good.len() {
        let error = with(&good[..cut], |_| ()).unwrap_err();
        assert_eq!(
            error.notify(),
            Some((NotifyType::INVALID_SYNTAX, None)),
            "{cut}"
        );
    }
    assert!(with(&[], |_| ()).is_err());
    // An offer of one proposal with another number reads like an answer, and is no offer.
    let mut single = ike(&[GCM_OK]);
    single[4] = 2;
    assert_eq!(choose(&single), Err(SelectError::Numbering));
    assert_eq!(SelectError::Numbering.notify(), NotifyType::INVALID_SYNTAX);
    // The count of transforms does not match.
    for count in [0, 2, 4] {
        let mut wrong = ike(&[GCM_OK]);
        wrong[7] = count;
        assert!(with(&wrong, |_| ()).is_err(), "{count}");
    }
    // Flags that are none.
    for (at, flag) in [(0, 3), (8, 2), (16, 0)] {
        let mut wrong = ike(&[GCM_OK]);
        wrong[at] = flag;
        assert!(with(&wrong, |_| ()).is_err(), "{at}");
    }
    let mut trailing = ike(&[GCM_OK]);
    trailing.push(0);
    assert!(matches!(
        with(&trailing, |_| ()).unwrap_err().problem,
        Problem::Trailing { .. }
    ));
}

// RFC 7296 §1.3: INVALID_KE_PAYLOAD names a method that was offered.
#[test]
fn acceptance_10_another_method_than_was_sent() {
    let groups: &[Raw<'_>] = &[
        (1, 20, KEY_256),
        (2, 5, &[]),
        (4, 2, &[]),
        (4, 19, &[]),
        (4, 31, &[]),
    ];
    let chosen = choose(&ike(&[groups])).unwrap();
    assert_eq!(chosen.suite.group, Group::P256);
    assert_eq!(
        ke_decision(Some(Group::P256), Some(2)),
        KeDecision::Retry(19)
    );
    assert_eq!(ke_decision(Some(Group::P256), None), KeDecision::Retry(19));
    assert_eq!(
        ke_decision(Some(Group::P256), Some(19)),
        KeDecision::Use(Group::P256)
    );
    assert_eq!(ke_decision(None, Some(19)), KeDecision::Ignore);
    // What is here already is taken if it may be.
    let sent = choose_from(&[own()], &ike(&[groups]), Some(31)).unwrap();
    assert_eq!(sent.suite.group, Group::X25519);
    let sent = choose_from(&[own()], &ike(&[groups]), Some(2)).unwrap();
    assert_eq!(sent.suite.group, Group::P256);
    // RFC 7296 §1.2: only what was offered is tried again, and once.
    let proposals = proposals(&[own()], Spi::None, &provider());
    assert_eq!(
        retry_group(&proposals, 19, &[Group::X25519]),
        Some(Group::P256)
    );
    assert_eq!(retry_group(&proposals, 19, &[Group::P256]), None);
    assert_eq!(retry_group(&proposals, 20, &[]), None);
    assert_eq!(retry_group(&proposals, 1, &[]), None);
}

// RFC 7296 §3.3.3: the kinds that must be there.
#[test]
fn mandatory_kinds() {
    for kind in [1_u8, 2, 4] {
        let without: Vec<_> = GCM_OK
            .iter()
            .filter(|(k, ..)| *k != kind)
            .copied()
            .collect();
        assert_eq!(
            choose(&ike(&[&without])),
            Err(SelectError::NoProposalChosen),
            "{kind}"
        );
    }
    let without: Vec<_> = CBC_OK.iter().filter(|(k, ..)| *k != 3).copied().collect();
    assert_eq!(
        choose(&ike(&[&without])),
        Err(SelectError::NoProposalChosen)
    );
    // The group NONE is none for IKE.
    let none: &[Raw<'_>] = &[(1, 20, KEY_256), (2, 5, &[]), (4, 0, &[])];
    assert_eq!(choose(&ike(&[none])), Err(SelectError::NoProposalChosen));
}

#[test]
fn preference_of_either_side() {
    let provider = provider();
    let body = ike(&[CBC_OK, GCM_OK]);
    for (preference, encryption) in [(Preference::Peer, CBC), (Preference::Own, GCM)] {
        let offers = [
            Offer {
                encryption: vec![GCM],
                ..own()
            },
            Offer {
                encryption: vec![CBC],
                ..own()
            },
        ];
        let selecting = Selecting {
            provider: &provider,
            preference,
            sent_group: None,
        };
        let chosen = with(&body, |sa| select_ike(&offers, sa, false, selecting))
            .unwrap()
            .unwrap();
        assert_eq!(chosen.suite.encryption, encryption);
    }
}

// RFC 9370 §2.2.2: no method twice, NONE excepted; a kind that is not offered is NONE.
#[test]
fn additional_key_exchanges() {
    let mut offer = own();
    offer.additional = vec![
        vec![Some(Group::MlKem768), None],
        vec![Some(Group::MlKem768), Some(Group::P256), None],
    ];
    offer.check().unwrap();
    let extra = |more: &[Raw<'static>]| ike(&[&[GCM_OK, more].concat()]);
    let chosen = |more| choose_from(&[offer.clone()], &extra(more), None).map(|c| c.suite);
    assert_eq!(chosen(&[]).unwrap().additional, []);
    let suite = chosen(&[(6, 36, &[]), (7, 36, &[]), (7, 19, &[])]).unwrap();
    assert_eq!(suite.additional, [Group::MlKem768, Group::P256]);
    // Only with another choice for the first kind does it come out.
    let suite = chosen(&[(6, 36, &[]), (6, 0, &[]), (7, 36, &[])]).unwrap();
    assert_eq!(suite.additional, [Group::MlKem768]);
    assert_eq!(
        chosen(&[(6, 36, &[]), (7, 36, &[])]),
        Err(SelectError::NoProposalChosen)
    );
    // The first key exchange counts too.
    assert_eq!(chosen(&[(7, 31, &[])]), Err(SelectError::NoProposalChosen));
    // What is wanted without NONE must be there.
    let mut must = own();
    must.additional = vec![vec![Some(Group::MlKem768)]];
    assert_eq!(
        choose_from(&[must], &extra(&[]), None).map(|c| c.suite),
        Err(SelectError::NoProposalChosen)
    );
}

#[test]
fn children() {
    let provider = provider();
    let spi = [0, 0, 1, 0];
    let select = |offer: Offer, spi: &[u8], transforms: &[Raw<'_>]| {
        let selecting = Selecting {
            provider: &provider,
            preference: Preference::Peer,
            sent_group: None,
        };
        let protocol = offer.protocol.id().0;
        with(&raw(protocol, spi, &[transforms]), |sa| {
            select_child(&[offer], sa, selecting)
        })
        .unwrap()
    };
    let esp = || Offer::esp([GCM, CBC], [SHA256]);
    let gcm: &[Raw<'_>] = &[(1, 20, KEY_256), (5, 0, &[])];
    let chosen = select(esp(), &spi, gcm).unwrap();
    assert_eq!(
        (chosen.peer_spi, chosen.suite.esn),
        (Spi::Child(256), false)
    );
    assert_eq!(chosen.suite.group, None);
    // RFC 4303 §2.1: reserved SPIs, and those of another length.
    for wrong in [&[0, 0, 0, 255][..], &[0; 4], &[], &[1; 8]] {
        assert_eq!(
            select(esp(), wrong, gcm),
            Err(SelectError::NoProposalChosen)
        );
    }
    // Encryption is never alone, and ESN always told.
    let alone: &[Raw<'_>] = &[(1, 12, KEY_128), (5, 0, &[])];
    assert_eq!(
        select(esp(), &spi, alone),
        Err(SelectError::NoProposalChosen)
    );
    let none: &[Raw<'_>] = &[(1, 12, KEY_128), (3, 0, &[]), (5, 0, &[])];
    assert_eq!(
        select(esp(), &spi, none),
        Err(SelectError::NoProposalChosen)
    );
    assert_eq!(
        select(esp(), &spi, &[(1, 20, KEY_256)]),
        Err(SelectError::NoProposalChosen)
    );
    // Perfect forward secrecy that is wanted is had, or there is no child.
    let mut pfs = esp();
    pfs.groups = vec![Some(Group::X25519)];
    assert_eq!(
        select(pfs.clone(), &spi, gcm),
        Err(SelectError::NoProposalChosen)
    );
    let with_group: &[Raw<'_>] = &[(1, 20, KEY_256), (4, 0, &[]), (4, 31, &[]), (5, 1, &[])];
    let chosen = select(pfs.clone(), &spi, with_group).unwrap();
    assert_eq!(
        (chosen.suite.group, chosen.suite.esn),
        (Some(Group::X25519), true)
    );
    let without = select(pfs.without_exchange(), &spi, with_group).unwrap();
    assert_eq!(without.suite.group, None);
    assert!(without.proposal.transforms.contains(&Transform::Ke(None)));
    // AH has no encryption.
    let ah: &[Raw<'_>] = &[(3, 12, &[]), (5, 0, &[])];
    let chosen = select(Offer::ah([SHA256]), &spi, ah).unwrap();
    assert_eq!(
        (chosen.suite.encryption, chosen.suite.integrity),
        (None, Some(SHA256))
    );
    let both: &[Raw<'_>] = &[(1, 20, KEY_256), (3, 12, &[]), (5, 0, &[])];
    assert_eq!(
        select(Offer::ah([SHA256]), &spi, both),
        Err(SelectError::NoProposalChosen)
    );
    assert_eq!(
        select(esp(), &spi, both),
        Err(SelectError::NoProposalChosen)
    );
}

// RFC 7296 §3.3.1: proposals in order of preference, the answer with the number of the one chosen.
#[test]
fn offers_are_sent_and_read() {
    let mut offer = Offer::ike(
        [CBC, GCM, CHACHA],
        [PRF],
        [SHA256],
        [Group::X25519, Group::X25519MlKem768],
    );
    assert_eq!(
        offer.check(),
        Err(OfferError::NoGroup(Group::X25519MlKem768))
    );
    offer.groups.pop();
    offer.check().unwrap();
    // Separate encryption came first in the list, so its proposal does.
    let sent = proposals(&[offer.clone()], Spi::None, &provider());
    assert_eq!(sent.len(), 2);
    assert_eq!(
        sent[0].transforms,
        [
            Transform::Encr(CBC),
            Transform::Prf(PRF),
            Transform::Integ(Some(SHA256)),
            Transform::Ke(Some(Group::X25519)),
        ]
    );
    assert_eq!(
        sent[1].transforms,
        [
            Transform::Encr(GCM),
            Transform::Encr(CHACHA),
            Transform::Prf(PRF),
            Transform::Ke(Some(Group::X25519)),
        ]
    );
    let body = write(&sent).unwrap();
    let chosen = choose_from(
        &[Offer {
            encryption: vec![GCM],
            ..offer.clone()
        }],
        &body,
        None,
    )
    .unwrap();
    assert_eq!(chosen.proposal.number, 2);
    // The answer goes back and is what was offered.
    let answer = write(&[chosen.proposal]).unwrap();
    let accepted = with(&answer, |sa| check_answer(&sent, sa))
        .unwrap()
        .unwrap();
    assert_eq!(IkeSuite::of(&accepted), Some(chosen.suite));
}

// What no library does and what FIPS mode forbids is neither offered nor chosen.
#[test]
fn only_what_can_be_done() {
    let offer = Offer::ike(
        [GCM, CBC],
        [PRF],
        [SHA256],
        [Group::X448, Group::X25519, Group::P256],
    );
    let group = |sent: &[Proposal], group| {
        sent.iter()
            .any(|p| p.transforms.contains(&Transform::Ke(Some(group))))
    };
    let nothing = Provider::default();
    assert_eq!(proposals(&[offer.clone()], Spi::None, &nothing), []);
    let fips = provider().with_fips(Fips::Algorithms);
    let sent = proposals(&[offer.clone()], Spi::None, &fips);
    assert_eq!(sent.len(), 1);
    assert!(!group(&sent, Group::X25519) && group(&sent, Group::P256));
    let body = ike(&[
        GCM_OK,
        &[
            (1, 12, KEY_128),
            (2, 5, &[]),
            (3, 12, &[]),
            (4, 31, &[]),
            (4, 19, &[]),
        ],
    ]);
    for (provider, number, method) in [(&provider(), 1, Group::X25519), (&fips, 2, Group::P256)] {
        let selecting = Selecting {
            provider,
            preference: Preference::Peer,
            sent_group: None,
        };
        let chosen = with(&body, |sa| {
            select_ike(&[offer.clone()], sa, false, selecting)
        })
        .unwrap()
        .unwrap();
        assert_eq!(
            (chosen.proposal.number, chosen.suite.group),
            (number, method)
        );
    }
    let selecting = Selecting {
        provider: &nothing,
        preference: Preference::Own,
        sent_group: None,
    };
    assert!(
        with(&body, |sa| select_ike(&[offer], sa, false, selecting))
            .unwrap()
            .is_err()
    );
}

// RFC 7296 §3.3.6: the answer must be one of the proposals, one transform of each kind, nothing changed.
#[test]
fn answers_that_are_none() {
    let mut offer = own();
    offer.additional = vec![vec![Some(Group::MlKem768), Some(Group::P256)]];
    let sent = proposals(&[offer], Spi::None, &provider());
    let check = |body: &[u8]| with(body, |sa| check_answer(&sent, sa)).unwrap();
    let with_additional = |id, first: &[Raw<'static>]| [first, &[(6, id, &[][..])]].concat();
    assert!(check(&ike(&[&with_additional(36, GCM_OK)])).is_ok());
    assert_eq!(
        check(&ike(&[GCM_OK])),
        Err(AnswerError::Missing(TransformType::ADDKE1))
    );
    assert_eq!(check(&ike(&[GCM_OK, CBC_OK])), Err(AnswerError::Count));
    let mut number = ike(&[&with_additional(36, GCM_OK)]);
    number[4] = 9;
    assert_eq!(check(&number), Err(AnswerError::NotOffered(9)));
    let short: &[Raw<'_>] = &[(1, 20, KEY_128), (2, 5, &[]), (4, 31, &[])];
    assert_eq!(
        check(&ike(&[short])),
        Err(AnswerError::Transform(TransformType::ENCR))
    );
    let added: &[Raw<'_>] = &[(1, 20, KEY_256), (2, 5, &[]), (3, 12, &[]), (4, 31, &[])];
    assert_eq!(
        check(&ike(&[added])),
        Err(AnswerError::Transform(TransformType::INTEG))
    );
    let two: &[Raw<'_>] = &[(1, 20, KEY_256), (2, 5, &[]), (4, 31, &[]), (4, 19, &[])];
    assert_eq!(
        check(&ike(&[two])),
        Err(AnswerError::Several(TransformType::KE))
    );
    let same: &[Raw<'_>] = &[(1, 20, KEY_256), (2, 5, &[]), (4, 19, &[]), (6, 19, &[])];
    assert_eq!(check(&ike(&[same])), Err(AnswerError::SameMethod));
    assert_eq!(
        check(&raw(1, &[1; 8], &[&with_additional(36, GCM_OK)])),
        Err(AnswerError::Spi)
    );
    assert!(check(&raw(3, &[1; 4], &[GCM_OK])).is_err());
    // NONE beside combined encryption says nothing new.
    let none: &[Raw<'_>] = &[(1, 20, KEY_256), (2, 5, &[]), (3, 0, &[]), (4, 31, &[])];
    assert!(check(&ike(&[&with_additional(36, none)])).is_ok());
}

// RFC 5282 §7.1, RFC 8247, RFC 4868 §2.1: numbers and lengths of every algorithm, there and back.
#[test]
fn numbers() {
    for id in 0..=u16::from(u8::MAX) {
        for bits in [None, Some(128), Some(192), Some(256)] {
            if let Some(encr) = Encr::of(id, bits) {
                assert_eq!(encr.id(), id);
                assert_eq!(encr.aes_key().map(|key| key.len() as u16 * 8), bits);
            }
        }
        if let Some(integ) = Integ::of(id) {
            assert_eq!(integ.id(), id);
        }
        if let Some(prf) = prf_of(id) {
            assert_eq!(prf_id(prf), Some(id));
        }
        if let Some(group) = group_of(id) {
            assert_eq!(group_id(group), Some(id));
        }
    }
    for aead in Aead::all() {
        let encr = Encr::Aead(aead);
        let bits = encr.aes_key().map(|key| key.len() as u16 * 8);
        assert_eq!(Encr::of(encr.id(), bits), Some(encr));
    }
    assert_eq!(Encr::of(12, Some(136)), None);
    assert_eq!(GCM.key_len(), 36);
    assert_eq!(
        Encr::Aead(Aead::AesCcm(AesKey::Aes128, Tag::Octets16)).key_len(),
        19
    );
    assert_eq!((SHA256.icv_len(), SHA256.key_len()), (16, 32));
    assert_eq!(Integ::Mac(Mac::Hmac(Hash::Sha1)).icv_len(), 12);
}

#[test]
fn offers_that_make_no_sense() {
    let bad = |change: fn(&mut Offer)| {
        let mut offer = own();
        change(&mut offer);
        offer.check().unwrap_err()
    };
    assert_eq!(
        bad(|o| o.encryption.clear()),
        OfferError::Missing("encryption")
    );
    assert_eq!(
        bad(|o| o.integrity.clear()),
        OfferError::Missing("integrity")
    );
    assert_eq!(
        bad(|o| o.groups.clear()),
        OfferError::Missing("key exchange method")
    );
    assert_eq!(
        bad(|o| o.groups.push(None)),
        OfferError::Misplaced("no key exchange")
    );
    assert_eq!(
        bad(|o| o.encryption.push(Encr::Null)),
        OfferError::NotFor(Encr::Null, Protocol::Ike)
    );
    assert_eq!(
        bad(|o| o.additional = vec![vec![None]; 8]),
        OfferError::Additional
    );
    assert_eq!(
        bad(|o| o.esn.push(true)),
        OfferError::Misplaced("the length of sequence numbers")
    );
    Offer::ah([SHA256]).check().unwrap();
    Offer::esp([GCM], []).check().unwrap();
    assert!(Offer::esp([CBC], []).check().is_err());
    assert!(
        Offer::esp([Encr::Null], [Integ::Gmac(AesKey::Aes128)])
            .check()
            .is_err()
    );
}
