//! What the records of typical connections show: the protocols in effect and the sections, from the bytes of the
//! connection to the record of type 119, subtype 11.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::std_instead_of_core,
    clippy::field_reassign_with_default,
    reason = "a failing test may panic"
)]

mod common;

use common::*;
use hostward_hook::hooks::CloseCause;
use hostward_hook::ident::{RuleId, TunnelId};
use hostward_hook::protection::{
    Certificate, Fact, FilterAction, FilterRule, FilterRules, IpsecTunnel, TlsSession,
};
use hostward_smf::codes::{
    DetailEvent, Encryption, HandshakeType, NameType, Source, UserAuthentication,
};
use hostward_smf::layout::Certificate as Shown;
use hostward_smf::{Detail, Level};
use hostward_zert::Zert;
use hostward_zert::code::SHORT_TERMINATION;
use hostward_zert::smf::Writer;

/// The record of a connection on which this was told and said, as it comes out of its bytes.
fn detail(facts: &[Fact<'_>], talk: &Talk) -> Detail {
    let mut b = Bench::new(Zert::default());
    let mut f = b.open();
    for fact in facts {
        b.advise(&mut f, fact);
    }
    for (from, data) in talk {
        b.send(&mut f, *from, data);
    }
    let record = b.close(f, CloseCause::Fin);
    let writer = Writer::new("SYS1", "TCPIP", &());
    let made = writer.detail(SHORT_TERMINATION, &record, b.now).unwrap();
    let bytes = made.to_vec(Level::Base).unwrap();
    assert_eq!(Detail::decode(&bytes).unwrap(), made);
    made
}

/// The protocols byte, and which sections there are: filter, TLS, SSH, IPsec, names, enforcement.
fn shape(d: &Detail) -> (u8, [bool; 6]) {
    (
        d.common.protocols.0,
        [
            d.ip_filter.is_some(),
            d.tls.is_some(),
            d.ssh.is_some(),
            d.ipsec.is_some(),
            !d.names.is_empty(),
            d.enforcement.is_some(),
        ],
    )
}

fn rules(action: FilterAction) -> Fact<'static> {
    let mut rules = FilterRules::default();
    rules.inbound = Some(FilterRule::new(RuleId(3), "to branch", action));
    rules.outbound = rules.inbound;
    Fact::FilterRules(rules)
}

fn ipsec() -> Fact<'static> {
    let mut told = IpsecTunnel::default();
    told.tunnel = TunnelId(7);
    told.protocol = 50;
    told.transforms.encryption = Some(20);
    told.transforms.encryption_bits = 256;
    Fact::IpsecTunnel(told)
}

#[test]
fn plain_http() {
    let talk = vec![
        (Client, b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        (Server, b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
    ];
    assert_eq!(shape(&detail(&[], &talk)), (0x00, [false; 6]));
}

#[test]
fn https_that_the_library_tells() {
    let mut session = TlsSession::default();
    session.provider = "rustls";
    session.version = 0x0304;
    session.cipher_suite = Some(0x1302);
    session.client = Some(Client);
    let mut certificate = Certificate::default();
    certificate.subject = Some("CN=www.example.com");
    certificate.issuer = Some("CN=authority");
    certificate.serial = &[0x0E, 0x12];
    certificate.key_bits = 2_048;
    session.server_certificate = Some(certificate);
    let d = detail(&[Fact::TlsSession(session)], &tls13(29));
    assert_eq!(shape(&d), (0x80, [false, true, false, false, true, false]));
    let tls = d.tls.unwrap();
    assert_eq!(tls.source, Source::PROVIDER);
    assert_eq!(tls.server_certificate.key_len, 2_048);
    let kinds: Vec<_> = d
        .names
        .iter()
        .map(hostward_smf::DistinguishedName::kind)
        .collect();
    assert_eq!(
        kinds,
        [NameType::TLS_SERVER_SUBJECT, NameType::TLS_SERVER_ISSUER]
    );
}

#[test]
fn https_of_an_unknown_library() {
    let d = detail(&[], &tls13(29));
    assert_eq!(shape(&d), (0x80, [false, true, false, false, false, false]));
    let tls = d.tls.unwrap();
    assert_eq!(tls.source, Source::OBSERVATION);
    assert_eq!(tls.server_certificate, Shown::default());
    assert!(tls.encryption != Encryption::default());
}

#[test]
// RFC 5246 §7.3: an abbreviated handshake shows no certificate.
fn tls_1_2_resumed() {
    let hello = client_hello(&[ext(35, &[5; 100])]);
    let d = detail(
        &[],
        &vec![
            (Client, rec(22, &hello)),
            (
                Server,
                cat(&[
                    &rec(22, &server_hello([4; 32], [0xC0, 0x2F], &[])),
                    &ccs(),
                    &finished12(),
                ]),
            ),
            (Client, cat(&[&ccs(), &finished12()])),
        ],
    );
    assert_eq!(shape(&d), (0x80, [false, true, false, false, false, false]));
    let tls = d.tls.unwrap();
    assert_eq!(tls.source, Source::OBSERVATION);
    assert_eq!(tls.handshake_type, HandshakeType::ABBREVIATED);
    assert_eq!(tls.handshake_type.0, 2);
    assert_eq!(tls.server_certificate, Shown::default());
    assert_eq!(tls.client_certificate, Shown::default());
    // A full one does.
    let tls = detail(&[], &tls12()).tls.unwrap();
    assert_eq!(tls.handshake_type, HandshakeType::FULL);
    assert!(tls.server_certificate != Shown::default());
}

#[test]
fn ssh_observed() {
    let d = detail(&[], &ssh());
    assert_eq!(shape(&d), (0x40, [false, false, true, false, false, false]));
    let ssh = d.ssh.unwrap();
    assert_eq!(ssh.source, Source::OBSERVATION);
    assert_eq!(ssh.user_authentication, UserAuthentication(0));
    // z/OS has no code for Ed25519 keys.
    assert_eq!(ssh.server_key_len, 256);
    assert!(ssh.server_fingerprint_len > 0);
}

#[test]
fn tunnels_and_filter_rules() {
    let all = [rules(FilterAction::Protect), ipsec()];
    let d = detail(&all, &tls13(29));
    assert_eq!(shape(&d), (0xA0, [true, true, false, true, false, false]));
    // IPsec alone.
    let d = detail(&all, &vec![(Client, b"hello\r\n".to_vec())]);
    assert_eq!(shape(&d), (0x20, [true, false, false, true, false, false]));
    // Permitted without IPsec.
    let d = detail(
        &[rules(FilterAction::Permit)],
        &vec![(Client, b"hello\r\n".to_vec())],
    );
    assert_eq!(shape(&d), (0x00, [true, false, false, false, false, false]));
}

#[test]
fn discovery_switched() {
    let writer = Writer::new("SYS1", "TCPIP", &());
    for (on, event) in [(true, 5), (false, 6)] {
        let d = writer.switched(on, at(0));
        assert_eq!(shape(&d), (0x00, [false; 6]));
        assert_eq!(d.common.event, DetailEvent(event));
    }
}
