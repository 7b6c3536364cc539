//! Arbitrary octets as a message of IKEv2 and as a chain of payloads of any type. What is accepted is
//! walked to its last field, chosen from, narrowed, and taken for an answer.

#![no_main]

use std::sync::OnceLock;

use hostward_crypto::{Aead, Cipher, Group, Hash, Mac, Prf, Provider, algorithm::AesKey, backend};
use hostward_ike::message::{
    CfgValue, Encapsulated, Limits, Message, Payload, PayloadType, Payloads, SaPayload, Version,
};
use hostward_ike::proposal::{
    Encr, Integ, Offer, Preference, Selecting, Spi, check_answer, proposals, select_child,
    select_ike,
};
use hostward_ike::selector::{
    AddressRange, Allowed, Offered, Selector, contains_all, is_answer, narrow,
};
use libfuzzer_sys::fuzz_target;

fn provider() -> &'static Provider {
    static PROVIDER: OnceLock<Provider> = OnceLock::new();
    PROVIDER.get_or_init(|| Provider::of([backend::RUST_CRYPTO]))
}

fn offers() -> &'static [Offer; 2] {
    static OFFERS: OnceLock<[Offer; 2]> = OnceLock::new();
    OFFERS.get_or_init(|| {
        let encryption = [
            Encr::Aead(Aead::AES_256_GCM),
            Encr::Cipher(Cipher::AesCbc(AesKey::Aes128)),
            Encr::Aead(Aead::ChaCha20Poly1305),
        ];
        let integrity = [Integ::Mac(Mac::Hmac(Hash::Sha256))];
        let mut ike = Offer::ike(
            encryption,
            [Prf::Hmac(Hash::Sha256), Prf::AesXcbc],
            integrity,
            [Group::X25519, Group::P256],
        );
        ike.additional = vec![
            vec![Some(Group::MlKem768), Some(Group::X25519), None],
            vec![Some(Group::MlKem768), Some(Group::P256), None],
        ];
        let mut esp = Offer::esp(encryption, integrity);
        esp.groups = vec![Some(Group::X25519), None];
        [ike, esp]
    })
}

fn sa(sa: &SaPayload<'_>) {
    for proposal in sa.proposals() {
        for transform in proposal.transforms() {
            let _ = transform.attributes().count();
        }
    }
    let [ike, esp] = offers();
    for preference in [Preference::Own, Preference::Peer] {
        let selecting = Selecting {
            provider: provider(),
            preference,
            sent_group: Some(19),
        };
        for rekey in [false, true] {
            if let Ok(chosen) = select_ike(std::slice::from_ref(ike), sa, rekey, selecting) {
                assert_eq!(
                    chosen.suite.encryption.is_combined(),
                    chosen.suite.integrity.is_none()
                );
                let mut methods = chosen.suite.additional.clone();
                methods.push(chosen.suite.group);
                methods.sort();
                methods.dedup();
                assert_eq!(methods.len(), chosen.suite.additional.len() + 1);
            }
        }
        if let Ok(chosen) = select_child(std::slice::from_ref(esp), sa, selecting) {
            assert!(matches!(chosen.peer_spi, Spi::Child(256..)));
        }
    }
    let sent = proposals(offers(), Spi::None, provider());
    let _ = check_answer(&sent, sa);
    let sent = proposals(offers(), Spi::Child(0x1234), provider());
    let _ = check_answer(&sent, sa);
}

fn walk(payloads: &Payloads<'_>) {
    let (mut tsi, mut tsr) = (Vec::new(), Vec::new());
    for payload in payloads {
        match payload {
            Payload::Sa(payload) => sa(&payload),
            Payload::IdI(id) | Payload::IdR(id) => {
                let _ = id.address();
                assert_eq!(id.body.len(), id.data.len() + 4);
            }
            Payload::CertificateRequest(request) => {
                let _ = request.authorities().count();
            }
            Payload::Notify(notify) => assert!(notify.content().is_some()),
            Payload::Delete(delete) => {
                let _ = delete.spis().count();
            }
            Payload::TsI(selectors) => tsi = selectors.iter().collect(),
            Payload::TsR(selectors) => tsr = selectors.iter().collect(),
            Payload::Configuration(configuration) => {
                for attribute in configuration.iter() {
                    assert!(matches!(
                        attribute.value(),
                        Some(CfgValue::Empty | CfgValue::Octets(_) | _)
                    ));
                }
            }
            _ => {}
        }
    }
    let offered = Offered {
        initiator: &tsi,
        responder: &tsr,
    };
    let some = [
        Selector::of(AddressRange::V4(
            [10, 0, 0, 0].into(),
            [10, 0, 0, 255].into(),
        )),
        Selector::of(AddressRange::V4([0, 0, 0, 3].into(), [128, 0, 0, 0].into())),
    ];
    for single_pair in [false, true] {
        let allowed = [
            Allowed {
                initiator: some[..1].to_vec(),
                responder: some.to_vec(),
                single_pair,
            },
            Allowed {
                initiator: vec![Selector::of(AddressRange::ALL_V6)],
                responder: vec![Selector::of(AddressRange::ALL_V6)],
                single_pair,
            },
        ];
        if let Ok(narrowed) = narrow(&allowed, offered) {
            let chosen = &allowed[narrowed.allowed];
            assert!(contains_all(&chosen.initiator, &narrowed.initiator));
            assert!(contains_all(&chosen.responder, &narrowed.responder));
            let answer = Offered {
                initiator: &narrowed.initiator,
                responder: &narrowed.responder,
            };
            assert!(is_answer(offered, answer, None));
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let limits = Limits::default();
    let _ = Encapsulated::of(input);
    let _ = Version::of(input);
    match Message::parse(input, &limits) {
        Ok(message) => {
            let _ = (message.encrypted(), message.fragment());
            walk(&message.payloads);
        }
        Err(error) => {
            let _ = (error.notify(), error.to_string());
        }
    }
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    // Most types there are.
    let kind = PayloadType(33 + kind % 24);
    if let Ok(payloads) = Payloads::parse(kind, rest, &limits) {
        walk(&payloads);
    }
    // One payload alone, its header put before it.
    if let Ok(length) = u16::try_from(rest.len() + 4) {
        let mut one = vec![0, 0];
        one.extend(length.to_be_bytes());
        one.extend(rest);
        match Payloads::parse(kind, &one, &limits) {
            Ok(payloads) => {
                assert_eq!(payloads.iter().count(), 1);
                walk(&payloads);
            }
            Err(error) => assert!(error.notify().is_some(), "{error}"),
        }
    }
});
