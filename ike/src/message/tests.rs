#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at what it is about"
)]

use super::*;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::testing::hex;

fn header() -> Header {
    Header {
        spi_i: IkeSpi([1; 8]),
        spi_r: IkeSpi::ZERO,
        exchange: ExchangeType::IKE_SA_INIT,
        flags: Flags {
            initiator: true,
            ..Flags::default()
        },
        message_id: 0,
    }
}

fn chain(payloads: &[(u8, u8, &[u8])]) -> (PayloadType, Vec<u8>) {
    let mut octets = Vec::new();
    for (at, (_, reserved, body)) in payloads.iter().enumerate() {
        let next = payloads.get(at + 1).map_or(0, |(kind, ..)| *kind);
        octets.extend([next, *reserved]);
        octets.extend((4 + body.len() as u16).to_be_bytes());
        octets.extend(*body);
    }
    (PayloadType(payloads[0].0), octets)
}

fn refused(kind: u8, body: &[u8]) -> ParseError {
    let (first, octets) = chain(&[(kind, 0, body)]);
    match Payloads::parse(first, &octets, &Limits::default()) {
        Err(error) => {
            assert_eq!(error.payload, Some(PayloadType(kind)), "{error}");
            error
        }
        Ok(found) => panic!("{:?}", found.iter().next()),
    }
}

fn accepted(kind: u8, body: &[u8]) {
    let (first, octets) = chain(&[(kind, 0, body)]);
    Payloads::parse(first, &octets, &Limits::default()).unwrap();
}

// RFC 7296 §3.4, §3.5, §3.6, §3.7, §3.9, §3.12, §3.15: each as it was written.
#[test]
fn every_payload_there_and_back() {
    let mut w = PayloadWriter::new(10_000);
    let write = |w: &mut PayloadWriter| -> Result<(), TooLong> {
        w.key_exchange(31, &[5; 32])?
            .identification(true, IdType::FQDN, b"host.example")?
            .identification(false, IdType::IPV4_ADDR, &[192, 0, 2, 1])?
            .certificate(CertEncoding::X509_SIGNATURE, b"certificate")?
            .certificate_request(CertEncoding::X509_SIGNATURE, &[[1; 20], [2; 20]])?
            .auth(AuthMethod::DIGITAL_SIGNATURE, b"signature")?
            .nonce(&[7; 32])?
            .notify(NotifyType::COOKIE, b"cookie")?
            .notify_child(NotifyType::REKEY_SA, ProtocolId::ESP, 0x1234_5678, &[])?
            .signature_hashes(&[SignatureHash::SHA2_256, SignatureHash::IDENTITY])?
            .redirect(NotifyType::REDIRECT, Gateway::Fqdn(b"gw"), &[9; 16])?
            .delete_children(ProtocolId::ESP, &[1, 2])?
            .delete_ike()?
            .vendor_id(b"vendor")?
            .configuration(
                CfgType::CFG_REPLY,
                &[
                    (CfgAttributeType::INTERNAL_IP4_ADDRESS, &[10, 0, 0, 1]),
                    (CfgAttributeType::INTERNAL_IP6_DNS, &[]),
                ],
            )?;
        Ok(())
    };
    write(&mut w).unwrap();
    let octets = plain(&header(), &w).unwrap();
    let message = Message::parse(&octets, &Limits::default()).unwrap();
    assert_eq!(message.header, header());
    assert_eq!(message.octets(), octets);
    let kinds: Vec<u8> = message.payloads.iter().map(|p| p.kind().0).collect();
    assert_eq!(
        kinds,
        [34, 35, 36, 37, 38, 39, 40, 41, 41, 41, 41, 42, 42, 43, 47]
    );
    for payload in &message.payloads {
        match payload {
            Payload::KeyExchange(ke) => assert_eq!((ke.group, ke.data), (31, &[5; 32][..])),
            Payload::IdI(id) => {
                assert_eq!((id.kind, id.data), (IdType::FQDN, &b"host.example"[..]));
                assert_eq!(id.body, b"\x02\0\0\0host.example");
            }
            Payload::IdR(id) => assert_eq!(id.address(), Some([192, 0, 2, 1].into())),
            Payload::CertificateRequest(request) => {
                assert!(request.authorities().eq(&[[1; 20], [2; 20]]));
            }
            Payload::Notify(notify) => match notify.content().unwrap() {
                NotifyContent::Cookie(cookie) => assert_eq!(cookie, b"cookie"),
                NotifyContent::RekeySa { protocol, spi } => {
                    assert_eq!((protocol, spi), (ProtocolId::ESP, 0x1234_5678));
                }
                NotifyContent::SignatureHashAlgorithms(hashes) => assert!(
                    hashes
                        .iter()
                        .eq([SignatureHash::SHA2_256, SignatureHash::IDENTITY])
                ),
                NotifyContent::Redirect { gateway, nonce } => {
                    assert_eq!((gateway, nonce), (Gateway::Fqdn(b"gw"), &[9; 16][..]));
                }
                other => panic!("{other:?}"),
            },
            Payload::Delete(delete) if delete.protocol == ProtocolId::ESP => {
                assert!(delete.spis().eq([1, 2]));
            }
            Payload::Configuration(configuration) => {
                let values: Vec<_> = configuration.iter().map(|a| a.value().unwrap()).collect();
                let address = Ipv4Addr::new(10, 0, 0, 1);
                assert_eq!(values, [CfgValue::Ip4(address), CfgValue::Empty]);
            }
            _ => {}
        }
    }
}

// RFC 7296 §2.5: unknown payloads are skipped, critical ones refuse the whole; on known ones the bit is nothing.
#[test]
fn the_critical_bit() {
    let nonce: &[u8] = &[7; 16];
    let (first, octets) = chain(&[(40, 0x80, nonce), (99, 0, b"new"), (43, 0, b"")]);
    let payloads = Payloads::parse(first, &octets, &Limits::default()).unwrap();
    assert!(payloads.iter().map(|p| p.kind().0).eq([40, 99, 43]));
    let (first, octets) = chain(&[(40, 0, nonce), (99, 0x80, b"new")]);
    let error = Payloads::parse(first, &octets, &Limits::default()).unwrap_err();
    assert_eq!(
        error.notify(),
        Some((NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, Some(99)))
    );
    assert_eq!(error.offset, 20);
}

// RFC 7296 §2.5: the order of payloads means nothing. RFC 7296 §3.14: but the encrypted one is the last.
#[test]
fn order() {
    let nonce: &[u8] = &[7; 16];
    let both = [(40, 0, nonce), (34, 0, &[0, 31, 0, 0][..])];
    for (a, b) in [(0, 1), (1, 0)] {
        let (first, octets) = chain(&[both[a], both[b]]);
        assert!(Payloads::parse(first, &octets, &Limits::default()).is_ok());
    }
    // What its next payload names is inside, so another one behind it is not parsed but refused.
    let (first, octets) = chain(&[(46, 0, nonce), (40, 0, nonce)]);
    let length = 28 + octets.len() as u32;
    let message = [&header().octets(first, length)[..], &octets].concat();
    let error = Message::parse(&message, &Limits::default()).unwrap_err();
    assert_eq!(error.notify(), Some((NotifyType::INVALID_SYNTAX, None)));
    let (first, octets) = chain(&[(41, 0, &[0, 0, 0x40, 0]), (46, 0, nonce)]);
    let length = 28 + octets.len() as u32;
    let message = [&header().octets(first, length)[..], &octets].concat();
    let found = Message::parse(&message, &Limits::default()).unwrap();
    assert_eq!(found.encrypted().unwrap().offset, 36);
    // None inside of another.
    let error = Payloads::parse(first, &octets, &Limits::default()).unwrap_err();
    assert_eq!(error.payload, Some(PayloadType::SK));
}

#[test]
fn headers_that_are_none() {
    let limits = Limits::default();
    let mut zero = header().octets(PayloadType::NO_NEXT_PAYLOAD, 28);
    assert!(Message::parse(&zero, &limits).is_ok());
    zero[..8].fill(0);
    assert_eq!(Message::parse(&zero, &limits).unwrap_err().notify(), None);
    let mut newer = header().octets(PayloadType::NO_NEXT_PAYLOAD, 28);
    newer[17] = 0x30;
    assert_eq!(
        Message::parse(&newer, &limits).unwrap_err().notify(),
        Some((NotifyType::INVALID_MAJOR_VERSION, Some(2)))
    );
    newer[17] = 0x10;
    assert_eq!(Message::parse(&newer, &limits).unwrap_err().notify(), None);
    newer[17] = 0x21;
    assert!(Message::parse(&newer, &limits).is_ok());
    let short = Limits {
        message: 27,
        ..limits
    };
    assert!(Message::parse(&newer, &short).is_err());
    let trailing = [&header().octets(PayloadType::NO_NEXT_PAYLOAD, 29)[..], &[0]].concat();
    assert!(Message::parse(&trailing, &limits).is_err());
}

// RFC 7296 §2.10: nonces of 16 to 256 octets.
#[test]
fn payloads_that_are_none() {
    refused(40, &[0; 15]);
    refused(40, &[0; 257]);
    accepted(40, &[0; 16]);
    accepted(40, &[0; 256]);
    refused(34, &[0, 31, 0]);
    refused(35, &[1, 0, 0, 0, 1, 2, 3]);
    refused(35, &[5, 0, 0, 0, 1, 2, 3, 4]);
    refused(36, &[2, 0]);
    accepted(35, &[2, 0, 0, 0]);
    refused(37, &[]);
    refused(38, &[4, 1, 2]);
    accepted(38, &[4]);
    accepted(38, &[99, 1, 2]);
    refused(39, &[1, 0, 0]);
    // RFC 7296 §3.11: SPIs of nothing for IKE, of four octets for the others, as many as told.
    accepted(42, &[1, 0, 0, 0]);
    refused(42, &[1, 8, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    refused(42, &[3, 4, 0, 2, 0, 0, 0, 1]);
    refused(42, &[3, 4, 0, 1, 0, 0, 0, 1, 0]);
    refused(42, &[0, 0, 0, 0]);
    refused(53, &[0, 1, 0]);
    // RFC 7296 §3.16: EAP is recognised.
    accepted(48, b"");
    accepted(48, b"anything");
    // RFC 7296 §3.15.1.
    refused(47, &[1, 0, 0]);
    refused(47, &[1, 0, 0, 0, 0, 1, 0, 3, 1, 2, 3]);
    refused(47, &[1, 0, 0, 0, 0, 1, 0, 4, 1, 2, 3]);
    refused(
        47,
        &hex("010000000008 0011 00000000000000000000000000000000 81"),
    );
    accepted(
        47,
        &hex("010000000008 0011 00000000000000000000000000000000 80"),
    );
    accepted(
        47,
        &hex("01000000 8001 0004 0a000001 000d 0008 0a000000ff000000 000e 0002 0001"),
    );
    refused(47, &hex("01000000 000e 0003 000102"));
    // A generic header that says less than itself, or more than there is.
    for length in [0, 3, 9, 255] {
        let octets = [0, 0, 0, length, 1, 2, 3, 4];
        assert!(Payloads::parse(PayloadType::VENDOR_ID, &octets, &Limits::default()).is_err());
    }
}

// RFC 7296 §3.10, §1.3.3, §1.5, §2.3, §2.22, §2.25, RFC 4478 §3, RFC 4555 §3.4, §3.7, §3.9, RFC 5685 §9, §9.2,
// RFC 6311 §6.3, §6.4, RFC 7427 §4: data that go with the type.
#[test]
fn notifications() {
    let notify = |kind: u16, data: &[u8]| {
        let mut body = std::vec![0, 0];
        body.extend(kind.to_be_bytes());
        body.extend(data);
        let (first, octets) = chain(&[(41, 0, &body)]);
        Payloads::parse(first, &octets, &Limits::default()).is_ok()
    };
    for (kind, good, bad) in [
        (1, &[0; 1][..], &[][..]),
        (5, &[2], &[2, 2]),
        (9, &[0; 4], &[0; 3]),
        (17, &[0, 19], &[19]),
        (16385, &[0, 0, 0, 1], &[0; 4]),
        (16387, &[0, 1, 2], &[0, 1]),
        (16388, &[0; 20], &[0; 19]),
        (16389, &[0; 20], &[0; 21]),
        (16390, &[0; 64], &[0; 65]),
        (16390, &[0; 1], &[]),
        (16397, &[0; 4], &[0; 5]),
        (16398, &[0; 16], &[0; 4]),
        (16401, &[0; 8], &[0; 7]),
        (16402, &[0; 12], &[0; 13]),
        (16403, &[0; 4], &[]),
        (16407, &[1, 4, 1, 2, 3, 4], &[1, 4, 1, 2, 3]),
        (16407, &[3, 1, 65], &[3, 0]),
        (16408, &[1, 4, 1, 2, 3, 4], &[1, 4, 1, 2, 3, 4, 5]),
        (16419, &[0; 16], &[0; 15]),
        (16422, &[0; 12], &[0; 8]),
        (16423, &[0; 8], &[0; 5]),
        (16431, &[0, 2, 0, 3], &[0, 2, 0]),
        (16441, &[1], &[]),
    ] {
        assert!(notify(kind, good), "{kind}");
        assert!(!notify(kind, bad), "{kind}");
    }
    // Those without data ignore any, and unknown ones are carried.
    assert!(notify(16384, b"more") && notify(14, b"") && notify(39, b"x") && notify(40000, b"x"));
    assert!(notify(16436, b"") && notify(16436, b"\x01id") && notify(16437, b"auth"));
    // REKEY_SA is about a child, with the SPI of one.
    refused(41, &[1, 4, 0x40, 0x09, 0, 0, 0, 1]);
    refused(41, &[0, 0, 0x40, 0x09]);
    refused(41, &[3, 8, 0x40, 0x09, 0, 0, 0, 1, 0, 0, 0, 1]);
    accepted(41, &[3, 4, 0x40, 0x09, 0, 0, 0, 1]);
    accepted(41, &[3, 0, 0, 44]);
    refused(41, &[3, 9, 0x40, 0x00]);
}

#[test]
fn limits() {
    let limits = Limits {
        payloads: 3,
        notifies: 2,
        certificates: 1,
        certificate_requests: 1,
        selectors: 1,
        spis: 1,
        configuration: 1,
        proposals: 1,
        transforms: 1,
        attributes: 1,
        ..Limits::default()
    };
    let parse = |payloads: &[(u8, u8, &[u8])]| {
        let (first, octets) = chain(payloads);
        Payloads::parse(first, &octets, &limits).map(|_| ())
    };
    let too_many = |payloads: &[(u8, u8, &[u8])]| {
        let error = parse(payloads).unwrap_err();
        assert!(matches!(error.problem, Problem::TooMany { .. }), "{error}");
        assert_eq!(error.notify(), Some((NotifyType::INVALID_SYNTAX, None)));
    };
    let vendor = (43, 0, &b"v"[..]);
    assert!(parse(&[vendor; 3]).is_ok());
    too_many(&[vendor; 4]);
    let notify = (41, 0, &[0, 0, 0x40, 0][..]);
    assert!(parse(&[notify; 2]).is_ok());
    too_many(&[notify; 3]);
    too_many(&[(37, 0, &[4, 1][..]); 2]);
    too_many(&[(38, 0, &[4][..]); 2]);
    too_many(&[(42, 0, &[3, 4, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2])]);
    too_many(&[(47, 0, &[1, 0, 0, 0, 0, 7, 0, 0, 0, 7, 0, 0])]);
    too_many(&[(44, 0, &[2, 0, 0, 0])]);
    let transform = hex("0300000801000014 0000000801000014");
    too_many(&[(33, 0, &[&hex("00000018 01010002")[..], &transform].concat())]);
    too_many(&[(
        33,
        0,
        &hex("00000018 01010001 0000001001000014 800e0080 800e0080"),
    )]);
    too_many(&[(
        33,
        0,
        &hex("02000010 01010001 0000000801000014 00000010 02010001 0000000801000014"),
    )]);
    // Once only.
    for kind in [40, 44] {
        let body: &[u8] = if kind == 40 {
            &[7; 16]
        } else {
            &[1, 0, 0, 0, 7, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
        };
        let error = parse(&[(kind, 0, body); 2]).unwrap_err();
        assert_eq!(error.problem, Problem::Twice);
    }
}

#[test]
fn writing_is_bounded() {
    let mut writer = PayloadWriter::new(40);
    writer.nonce(&[7; 32]).unwrap();
    let before = writer.octets().to_vec();
    assert_eq!(writer.vendor_id(b"").unwrap().octets().len(), 40);
    assert_eq!(
        writer.vendor_id(b"").map(|_| ()),
        Err(TooLong { limit: 40 })
    );
    assert_eq!(before.len(), 36);
    assert!(
        PayloadWriter::new(usize::MAX)
            .vendor_id(&[0; 65_532])
            .is_err()
    );
    assert!(
        PayloadWriter::new(usize::MAX)
            .vendor_id(&[0; 65_531])
            .is_ok()
    );
    let mut writer = PayloadWriter::new(usize::MAX);
    assert!(
        writer
            .redirect(NotifyType::REDIRECT, Gateway::Fqdn(&[b'a'; 256]), &[])
            .is_err()
    );
    assert!(
        writer
            .redirect(
                NotifyType::REDIRECTED_FROM,
                Gateway::V6(Ipv6Addr::LOCALHOST),
                &[]
            )
            .is_ok()
    );
    assert!(writer.is_empty() || writer.first() == PayloadType::NOTIFY);
}

#[test]
fn errors_say_where() {
    let error = refused(40, &[0; 15]);
    assert_eq!(
        std::format!("{error}"),
        "payload NONCE at octet 4: length 15 does not fit: 16 to 256 octets"
    );
}
