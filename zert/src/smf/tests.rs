use super::*;

use core::net::SocketAddr;
use core::time::Duration;

use alloc::string::String;
use hostward_hook::flow::FlowId;
use hostward_hook::ident::UserId;
use hostward_hook::time::Instant;

use crate::aggregate::{Attributes, SessionId, SessionKey};
use crate::record::{CipherSuite, Role, TlsFacts, TlsVersion, Traffic};

/// The golden records of the crate that encodes them, where they stand.
const DETAIL: &str = include_str!("../../../smf/samples/detail.hex");

const SUMMARY: &str = include_str!("../../../smf/samples/summary.hex");

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    let nibble = |d: u8| (d as char).to_digit(16).unwrap() as u8;
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|p| nibble(p[0]) << 4 | nibble(p[1])).collect()
}

struct Server;

impl Names for Server {
    fn job(&self, id: JobId) -> Option<&str> {
        (id == JobId(7)).then_some("HTTPD1")
    }

    fn user(&self, id: UserId) -> Option<&str> {
        (id == UserId(8)).then_some("WEBSRV")
    }
}

impl Owners for Server {
    fn job_number(&self, _: JobId) -> Option<&str> {
        Some("STC00123")
    }
}

fn writer() -> Writer<'static> {
    let mut writer = Writer::new("SYS1", "TCPIP", &Server);
    writer.identification.sysplex = "PLEX1".into();
    writer.identification.address_space = "TCPIP".into();
    writer.identification.user = "TCPIP".into();
    writer.identification.asid = 0x41;
    writer
}

/// 2026-11-22, at so many hundredths of a second since midnight.
fn at(hundredths: u64) -> Now {
    let midnight = 1_795_305_600_000_000;
    let wall = UnixTime::from_micros(midnight + hundredths * 10_000);
    Now::new(Instant::from_micros(hundredths * 10_000), wall)
}

const MADE: u64 = 0x4f_ac95;

fn tls() -> TlsFacts {
    TlsFacts {
        version: Some(TlsVersion(0x0304)),
        cipher: Some(CipherSuite(0x1302)),
        group: Some(crate::record::Group::Named(0x11EC)),
        resumed: Some(false),
        ..TlsFacts::default()
    }
}

fn record() -> Record {
    Record {
        protocol: Protocol::Tls,
        client: SocketAddr::from(([192, 0, 2, 77], 51_515)),
        server: SocketAddr::from(([192, 0, 2, 10], 443)),
        flow: Some(FlowId::from_u64(0x1A2B)),
        opened: at(0x4f_a2b8),
        last: at(0x4f_ac7c),
        role: Role::Server,
        established: Some(true),
        pq: crate::record::PqClass::Hybrid,
        traffic: Traffic {
            in_bytes: 4096,
            out_bytes: 65_536,
            in_packets: 12,
            out_packets: 58,
        },
        job: JobId(7),
        user: UserId(8),
        tls: tls(),
        ..Record::default()
    }
}

#[test]
fn a_termination_is_the_golden_record() {
    let detail = writer().detail(code::TERMINATION, &record(), at(MADE));
    let detail = detail.unwrap().to_vec(Level::Base).unwrap();
    assert_eq!(detail, bytes(DETAIL));
}

#[test]
fn a_session_is_the_golden_record() {
    let key = SessionKey {
        server: [192, 0, 2, 10].into(),
        client: [192, 0, 2, 77].into(),
        first_port: 443,
        last_port: 443,
        ip_protocol: 6,
        is_server: true,
        user: UserId(8),
        job: JobId(7),
    };
    let hash = bytes("0123456789ABCDEF0123456789ABCDEF01234567");
    let attributes = Attributes {
        protocol: Protocol::Tls,
        facts: Facts::Tls(alloc::boxed::Box::new(tls())),
        ..Attributes::default()
    };
    let init = Counters {
        connections: 10,
        short: 4,
        active: 2,
        in_bytes: 1_000,
        out_bytes: 2_000,
        in_packets: 10,
        out_packets: 20,
        ..Counters::default()
    };
    let end = Counters {
        connections: 25,
        partial: 1,
        short: 9,
        active: 3,
        failed: 0,
        in_bytes: 9_000,
        out_bytes: 80_000,
        in_packets: 90,
        out_packets: 120,
    };
    let summary = Summary {
        reason: Reason::Interval,
        now: at(MADE),
        interval: Duration::from_secs(1_800),
        is_last: true,
        session: Some(Session {
            key: &key,
            id: SessionId::from_parts(*b"TS", hash.try_into().unwrap()),
            attributes: &attributes,
            is_overflow: false,
            init: &init,
            end: &end,
        }),
    };
    let record = writer().summary(&summary).unwrap();
    assert_eq!(record.to_vec(Level::Base).unwrap(), bytes(SUMMARY));
    // One of several.
    let more = Summary {
        is_last: false,
        ..summary
    };
    let record = writer().summary(&more).unwrap();
    assert_eq!(record.identification.reason, Why::INTERVAL_MORE);
}

#[test]
fn other_events_and_switching() {
    let writer = writer();
    for (code, event) in [
        (code::INITIATION, DetailEvent::INITIATION),
        (code::CHANGE, DetailEvent::CHANGE),
        (code::SHORT_TERMINATION, DetailEvent::SHORT_TERMINATION),
    ] {
        let common = writer.detail(code, &record(), at(MADE)).unwrap().common;
        assert_eq!(common.event, event);
        let ended = event == DetailEvent::SHORT_TERMINATION;
        assert_eq!(common.end_date != SmfDate::NONE, ended);
    }
    assert_eq!(writer.detail(code::RECORD, &record(), at(MADE)), None);
    let on = writer.switched(true, at(MADE));
    assert_eq!(on.common.event, DetailEvent::ENABLED);
    assert_eq!((on.tls, on.common.protocols.0), (None, 0));
    assert_eq!(
        writer.switched(false, at(MADE)).common.event,
        DetailEvent::DISABLED
    );
}

#[test]
fn a_failed_handshake_keeps_source_and_cipher_only() {
    let mut failed = record();
    failed.failed = true;
    failed.established = Some(false);
    let mut writer = writer();
    writer.level = Level::Extended;
    let detail = writer
        .detail(code::SHORT_TERMINATION, &failed, at(MADE))
        .unwrap();
    assert_eq!(detail.common.protocols, Protocols::default());
    assert_eq!(detail.common.security_flags, SecurityFlags::TLS_FAILED);
    assert_eq!(
        detail.tls,
        Some(hostward_smf::layout::ConnectionTls {
            source: hostward_smf::codes::Source::OBSERVATION,
            cipher: "1302".into(),
            ..hostward_smf::layout::ConnectionTls::default()
        })
    );
    // Unfinished is not failed: there is no session, and nothing failed.
    failed.failed = false;
    let detail = writer.detail(code::INITIATION, &failed, at(MADE)).unwrap();
    assert_eq!((detail.tls, detail.common.security_flags.0), (None, 0));
}

#[test]
fn what_a_record_cannot_express_is_in_its_extension() {
    let extension = writer()
        .detail_extension(code::TERMINATION, &record(), at(MADE))
        .unwrap();
    let tags: Vec<(u16, &[u8])> = extension
        .values
        .iter()
        .map(|v| (v.tag.0, &v.bytes[..]))
        .collect();
    assert_eq!(
        tags,
        [(1, &[0x11, 0xEC][..]), (14, &[1][..]), (17, &b"tls"[..])]
    );
    let mut quic = record();
    quic.protocol = Protocol::Quic;
    let writer = writer();
    assert_eq!(writer.detail(code::TERMINATION, &quic, at(MADE)), None);
    let extension = writer.detail_extension(code::TERMINATION, &quic, at(MADE));
    let Extended::Detail(common) = extension.unwrap().common else {
        panic!("a detail");
    };
    assert_eq!(common.ip_protocol, IpProtocol::UDP);
}

#[test]
fn ipv6_filter_rules_and_a_tunnel() {
    use hostward_hook::ident::{RuleId, TunnelId};
    let mut r = record();
    r.client = "[2001:db8::77]:51515".parse().unwrap();
    r.server = "[2001:db8::10]:443".parse().unwrap();
    let rule = RuleFacts {
        rule: RuleId(1),
        name: "PartnerVpn".into(),
        extension: "1.1".into(),
        action: Does::Protect,
    };
    r.filter = Some(alloc::boxed::Box::new(FilterFacts {
        inbound: None,
        outbound: Some(rule),
    }));
    r.ipsec = Some(alloc::boxed::Box::new(crate::record::IpsecFacts {
        tunnel: TunnelId(11),
        protocol: 50,
        ..crate::record::IpsecFacts::default()
    }));
    let detail = writer().detail(code::INITIATION, &r, at(MADE)).unwrap();
    assert_eq!(detail.common.protocols, Protocols::TLS | Protocols::IPSEC);
    assert_eq!(detail.common.flags, DetailFlags::IPV6);
    assert_eq!(detail.common.security_flags, SecurityFlags::IP_FILTERING);
    let filter = detail.ip_filter.unwrap();
    assert_eq!(
        (filter.out_action, filter.in_action),
        (FilterAction::IPSEC, FilterAction::NONE)
    );
    assert_eq!(filter.out_rule, "PartnerVpn".into());
    assert_eq!(detail.ipsec.unwrap().tunnel_id, 11);
    let bytes = writer()
        .detail(code::INITIATION, &r, at(MADE))
        .unwrap()
        .to_vec(Level::Base)
        .unwrap();
    assert_eq!(Detail::decode(&bytes).unwrap().ipsec, detail.ipsec);
}

#[test]
fn a_record_comes_back_as_far_as_codes_tell() {
    let mut there = record();
    there.tls.server_cert.subject = "CN=www.example.com".into();
    there.tls.server_cert.serial = "0E12".into();
    there.tls.server_cert.key_bits = 2_048;
    let detail = writer()
        .detail(code::TERMINATION, &there, at(MADE))
        .unwrap();
    let more = writer().detail_extension(code::TERMINATION, &there, at(MADE));
    let back = of_detail(&detail, more.as_ref(), 0);
    assert_eq!((back.client, back.server), (there.client, there.server));
    assert_eq!((back.protocol, back.pq), (there.protocol, there.pq));
    assert_eq!((back.traffic, back.role), (there.traffic, there.role));
    assert_eq!(back.opened.wall, there.opened.wall);
    assert_eq!(back.last.wall, there.last.wall);
    assert_eq!(back.tls, there.tls);
    // Without the extension the group is not known, nor whether it is a hybrid.
    let back = of_detail(&detail, None, 0);
    assert_eq!(
        (back.tls.group, back.pq),
        (None, crate::record::PqClass::None)
    );
    assert_eq!(back.tls.cipher, there.tls.cipher);
}

#[test]
fn an_unfinished_handshake_comes_back_as_such() {
    let mut there = record();
    there.established = Some(false);
    let detail = writer().detail(code::INITIATION, &there, at(MADE)).unwrap();
    let more = writer().detail_extension(code::INITIATION, &there, at(MADE));
    let back = of_detail(&detail, more.as_ref(), 0);
    assert_eq!(
        (back.protocol, back.established, back.failed),
        (Protocol::Tls, Some(false), false)
    );
    // The z/OS record alone does not know of it.
    let back = of_detail(&detail, None, 0);
    assert_eq!((back.protocol, back.established), (Protocol::None, None));
}

#[test]
fn ssh_comes_back_by_the_first_name_of_each_code() {
    let mut there = record();
    there.protocol = Protocol::Ssh;
    there.tls = TlsFacts::default();
    there.pq = crate::record::PqClass::Classical;
    there.ssh.protocol = Some(2);
    there.ssh.kex = "ecdh-sha2-nistp256".into();
    there.ssh.c2s.cipher = "aes128-ctr".into();
    there.ssh.c2s.mac = "hmac-sha2-256-etm@openssh.com".into();
    there.ssh.s2c = there.ssh.c2s.clone();
    there.ssh.host_key_type = "ssh-rsa".into();
    there.ssh.host_key_bits = 3_072;
    let detail = writer()
        .detail(code::TERMINATION, &there, at(MADE))
        .unwrap();
    let back = of_detail(&detail, None, 0);
    assert_eq!(back.ssh, there.ssh);
    assert_eq!(back.pq, there.pq);
}
