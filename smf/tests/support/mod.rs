//! Records to test with: by chance, and those of the sample file.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a crate of its own and uses a part"
)]

use arbtest::arbitrary::{Result, Unstructured};
use hostward_smf::codes::*;
use hostward_smf::field::Section;
use hostward_smf::layout::*;
use hostward_smf::*;

/// The moment of all records here: 2026-11-22, 14:30:15.25.
pub fn stamp() -> Stamp {
    let date = SmfDate::new(2026, 11, 22).unwrap();
    Stamp::new(date, SmfTime::new(14, 30, 15, 25).unwrap(), "SYS1")
}

pub fn identification(reason: Reason) -> Identification {
    Identification {
        system: "SYS1".into(),
        sysplex: "PLEX1".into(),
        stack: "TCPIP".into(),
        release: "HNS 0.1".into(),
        component: "STACK".into(),
        address_space: "TCPIP".into(),
        user: "TCPIP".into(),
        asid: 0x41,
        reason,
        ..Identification::default()
    }
}

pub fn address(text: &str) -> Address {
    Address::from(text.parse::<std::net::IpAddr>().unwrap())
}

/// A TLS 1.3 connection that has ended, seen from the server.
pub fn tls_detail() -> Detail {
    let date = stamp().date;
    Detail {
        stamp: stamp(),
        identification: identification(Reason::EVENT),
        common: ConnectionCommon {
            event: DetailEvent::TERMINATION,
            protocols: Protocols::TLS,
            ip_protocol: IpProtocol::TCP,
            job_name: "HTTPD1".into(),
            job_id: "STC00123".into(),
            user: "WEBSRV".into(),
            start_time: SmfTime(0x004f_a2b8),
            start_date: date,
            end_time: SmfTime(0x004f_ac7c),
            end_date: date,
            remote_ip: address("192.0.2.77"),
            local_ip: address("192.0.2.10"),
            remote_port: 51515,
            local_port: 443,
            connection_id: 0x1a2b,
            in_bytes: 4096,
            out_bytes: 65536,
            in_segments: 12,
            out_segments: 58,
            ..ConnectionCommon::default()
        },
        tls: Some(ConnectionTls {
            version: TlsVersion::TLS13,
            source: Source::OBSERVATION,
            handshake_type: HandshakeType::FULL,
            handshake_role: HandshakeRole::SERVER,
            cipher: "1302".into(),
            encryption: Encryption::AES_GCM_256,
            authentication: Authentication::NONE,
            key_exchange: KeyExchange::ECDHE_TLS13,
            ..ConnectionTls::default()
        }),
        ..Detail::default()
    }
}

/// A TLS 1.3 session over half an hour.
pub fn tls_summary() -> Summary {
    Summary {
        stamp: stamp(),
        identification: identification(Reason::INTERVAL),
        common: SummaryCommon {
            interval: TodDuration::from_micros(1_800_000_000).unwrap(),
            event: SummaryEvent::INTERVAL,
            protocols: Protocols::TLS,
            job_name: "HTTPD1".into(),
            user: "WEBSRV".into(),
            ip_protocol: IpProtocol::TCP,
            server_ip: address("192.0.2.10"),
            client_ip: address("192.0.2.77"),
            server_port: 443,
            server_port_end: 443,
            session_id: "TS0123456789ABCDEF0123456789ABCDEF01234567".into(),
            init: Counters {
                connections: 10,
                active_connections: 2,
                short_connections: 4,
                in_bytes: 1000,
                out_bytes: 2000,
                in_segments: 10,
                out_segments: 20,
                ..Counters::default()
            },
            end: Counters {
                connections: 25,
                partial_connections: 1,
                short_connections: 9,
                active_connections: 3,
                in_bytes: 9000,
                out_bytes: 80000,
                in_segments: 90,
                out_segments: 120,
            },
            ..SummaryCommon::default()
        },
        tls: Some(SummaryTls {
            source: Source::OBSERVATION,
            version: TlsVersion::TLS13,
            cipher: "1302".into(),
            encryption: Encryption::AES_GCM_256,
            authentication: Authentication::NONE,
            key_exchange: KeyExchange::ECDHE_TLS13,
            ..SummaryTls::default()
        }),
        ..Summary::default()
    }
}

fn certificate() -> Certificate {
    Certificate {
        signature_method: SignatureMethod::ECDSA_SHA256,
        encryption_method: CertificateEncryption::ECDSA,
        digest: DigestAlgorithm::SHA256,
        serial_len: 4,
        serial: Bytes::new(&[0x12, 0x34, 0x56, 0x78]),
        time_type: CertificateTimeType::UTC,
        not_after: "271231235959Z".into(),
        key_type: KeyType::ECC,
        key_len: 256,
        ..Certificate::default()
    }
}

/// One record of each kind, as bytes: what the sample file has in it.
pub fn sample() -> Vec<Vec<u8>> {
    let (date, time) = (stamp().date, stamp().time);
    let front = DumpFrame::new(false, date, time, "SYS1");
    let end = DumpFrame::new(true, date, time, "SYS1");
    let v6 = DetailFlags::IPV6;
    // Told by a provider, over IPsec, IPv6, with names.
    let mut full = tls_detail();
    full.common.event = DetailEvent::INITIATION;
    full.common.protocols = Protocols::TLS | Protocols::IPSEC;
    full.common.flags = v6;
    full.common.security_flags = SecurityFlags::IP_FILTERING;
    full.common.remote_ip = address("2001:db8::77");
    full.common.local_ip = address("2001:db8::10");
    full.common.end_time = SmfTime(0);
    full.common.end_date = SmfDate::NONE;
    full.ip_filter = Some(IpFilter {
        out_action: FilterAction::IPSEC,
        in_action: FilterAction::IPSEC,
        out_rule: "PartnerVpn".into(),
        out_rule_extension: "1.1".into(),
        in_rule: "PartnerVpn".into(),
        in_rule_extension: "1.1".into(),
        ..IpFilter::default()
    });
    if let Some(tls) = &mut full.tls {
        tls.source = Source::PROVIDER;
        tls.provider = "rustls".into();
        tls.fips_mode = FipsMode::OFF;
        tls.server_certificate = certificate();
    }
    full.ipsec = Some(ConnectionIpsec {
        ike_tunnel_id: 7,
        ike_major: 2,
        key_exchange_rule: "PartnerKeys".into(),
        local_endpoint: address("2001:db8::10"),
        remote_endpoint: address("2001:db8::77"),
        local_authentication: IkeAuthentication::ECDSA_256,
        remote_authentication: IkeAuthentication::ECDSA_256,
        ike_authentication: Authentication::HMAC_SHA2_256_128,
        ike_encryption: Encryption::AES_CBC_256,
        ike_group: Group::ECP_256,
        ike_prf: Prf::HMAC_SHA2_256,
        ike_lifetime: 480,
        local_certificate: certificate(),
        remote_certificate: certificate(),
        tunnel_id: 11,
        tunnel_flags: TunnelFlags::IPV6,
        tunnel_type: TunnelType::DYNAMIC,
        tunnel_state: TunnelState::ACTIVE,
        encapsulation: Encapsulation::TRANSPORT,
        protocol: SecurityProtocol::ESP,
        authentication: Authentication::NONE,
        encryption: Encryption::AES_GCM_256,
        pfs_group: Group::ECP_256,
        lifetime: 240,
        ..ConnectionIpsec::default()
    });
    full.names = vec![
        DistinguishedName::new(
            NameType::TLS_SERVER_SUBJECT,
            "CN=www.example.com,O=Example,C=DE",
        ),
        DistinguishedName::new(NameType::TLS_SERVER_ISSUER, "CN=Example CA"),
        DistinguishedName::new(NameType::IPSEC_REMOTE_SUBJECT, "CN=partner.example.net"),
    ];
    let mut ssh = tls_detail();
    ssh.common.event = DetailEvent::SHORT_TERMINATION;
    ssh.common.protocols = Protocols::SSH;
    ssh.common.local_port = 22;
    ssh.common.job_name = "SSHD4".into();
    ssh.tls = None;
    ssh.ssh = Some(ConnectionSsh {
        version: 2,
        source: Source::OBSERVATION,
        compression: "NONE".into(),
        in_encryption: Encryption::AES_CTR_256,
        in_authentication: Authentication::HMAC_SHA2_256,
        kex_method: KexMethod::ECDH_NISTP256,
        out_encryption: Encryption::AES_CTR_256,
        out_authentication: Authentication::HMAC_SHA2_256,
        server_key_type: KeyType::RSA,
        server_key_len: 3072,
        server_fingerprint_len: 50,
        server_fingerprint: "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU".into(),
        ..ConnectionSsh::default()
    });
    let mut enforced = tls_detail();
    enforced.common.event = DetailEvent::ENFORCEMENT;
    enforced.common.protocols = Protocols::default();
    enforced.tls = None;
    enforced.enforcement = Some(Enforcement {
        action_flags: ActionFlags::SYSLOG | ActionFlags::AUDIT | ActionFlags::RESET,
        rule_name: "NoClearText".into(),
        action_name: "AuditAndReset".into(),
        ..Enforcement::default()
    });
    let mut ssh_summary = tls_summary();
    ssh_summary.common.protocols = Protocols::SSH;
    ssh_summary.common.server_port = 22;
    ssh_summary.common.server_port_end = 22;
    ssh_summary.tls = None;
    ssh_summary.ssh = Some(SummarySsh {
        source: Source::OBSERVATION,
        version: 2,
        in_encryption: Encryption::AES_CTR_256,
        out_encryption: Encryption::AES_CTR_256,
        ..SummarySsh::default()
    });
    let mut ipsec_summary = tls_summary();
    ipsec_summary.common.protocols = Protocols::IPSEC;
    ipsec_summary.tls = None;
    ipsec_summary.ipsec = Some(SummaryIpsec {
        ike_major: 2,
        local_endpoint: address("192.0.2.10"),
        remote_endpoint: address("192.0.2.77"),
        encapsulation: Encapsulation::TUNNEL,
        protocol: SecurityProtocol::ESP,
        ..SummaryIpsec::default()
    });
    let mut set = [tls_summary(), ssh_summary, ipsec_summary];
    let tunnel = |subtype, head, others: usize| Tunnel {
        stamp: stamp(),
        identification: Identification {
            component: "IKE".into(),
            ..identification(Reason::EVENT)
        },
        subtype,
        head,
        tail: Vec::new(),
        others: vec![RawSection::new(vec![0; 8]); others],
    };
    let ip = TunnelHead::Ip(IpTunnel {
        tunnel_id: "Y11".into(),
        action_name: "PartnerAction".into(),
        tunnel_type: IpTunnelType::DYNAMIC_IKE,
        state: 1,
        ..IpTunnel::default()
    });
    let ike = TunnelHead::Ike(IkeTunnel {
        flags: IkeTunnelFlags::NAT_ALLOWED | IkeTunnelFlags::LOCAL_NAT,
        tunnel_id: "K7".into(),
        local_endpoint: address("192.0.2.10"),
        remote_endpoint: address("192.0.2.77"),
        ..IkeTunnel::default()
    });
    let extension = Extension {
        stamp: stamp(),
        record_type: EXTENSION_TYPE,
        identification: identification(Reason::EVENT),
        common: Extended::Detail(tls_detail().common),
        values: vec![
            ExtensionValue {
                tag: ExtensionTag::GROUP,
                bytes: vec![0x11, 0xec],
            },
            ExtensionValue {
                tag: ExtensionTag::SERVER_NAME,
                bytes: b"www.example.com".to_vec(),
            },
        ],
    };
    let message = Syslog::new(
        date,
        time,
        "SYS1",
        "EZD1315I [zERT] www.example.com ^ 192.0.2.77\n",
    );

    let mut records = Vec::new();
    let mut add = |record: Record, level| records.push(record.to_vec(level).unwrap());
    add(Record::DumpFrame(front), Level::Base);
    add(Record::Detail(tls_detail()), Level::Base);
    add(Record::Detail(full.clone()), Level::Base);
    full.common.local_role = LocalRole::SERVER;
    full.common.security_flags = full.common.security_flags | SecurityFlags::SSH_FAILED;
    add(Record::Detail(full), Level::Extended);
    add(Record::Detail(ssh), Level::Base);
    add(Record::Detail(enforced), Level::Base);
    add(Record::Extension(extension), Level::Base);
    add(
        Record::Tunnel(tunnel(kinds::IKE_TUNNEL_ACTIVATION, ike, 2)),
        Level::Extended,
    );
    add(
        Record::Tunnel(tunnel(kinds::DYNAMIC_TUNNEL_DEACTIVATION, ip, 4)),
        Level::Base,
    );
    add(Record::Syslog(message), Level::Base);
    let mut scratch = [0; MAX_RECORD];
    Summary::encode_set(&mut set, Level::Base, &mut scratch, |r| {
        records.push(r.to_vec())
    })
    .unwrap();
    // A subtype that is not known here: nothing but an identification section and a counter.
    let mut other = tls_summary().to_vec(Level::Base).unwrap();
    other[23] = 5;
    records.push(other);
    records.push(Record::DumpFrame(end).to_vec(Level::Base).unwrap());
    records
}

fn section<S: Section>(u: &mut Unstructured<'_>) -> Result<S> {
    Ok(S::take(u.bytes(S::LEN.min(u.len()))?))
}

fn optional<S: Section>(u: &mut Unstructured<'_>) -> Result<Option<S>> {
    u.arbitrary::<bool>()?.then(|| section(u)).transpose()
}

fn any_stamp(u: &mut Unstructured<'_>) -> Result<Stamp> {
    Ok(Stamp {
        flags: u.arbitrary::<u8>()? | 0x40,
        time: SmfTime(u.arbitrary()?),
        date: SmfDate(u.arbitrary()?),
        system: Text(u.arbitrary()?),
        subsystem: Text(u.arbitrary()?),
    })
}

fn any_names(u: &mut Unstructured<'_>) -> Result<Vec<DistinguishedName>> {
    (0..u.int_in_range(0..=4)?)
        .map(|_| {
            let text: Vec<u8> = u.arbitrary()?;
            Ok(DistinguishedName::from_ebcdic(
                NameType(u.arbitrary()?),
                &text,
            ))
        })
        .collect()
}

/// Any record at all; sections have any bytes.
pub fn any_record(u: &mut Unstructured<'_>) -> Result<Record> {
    Ok(match u.int_in_range(0..=5)? {
        0 => Record::Detail(Detail {
            stamp: any_stamp(u)?,
            identification: section(u)?,
            common: section(u)?,
            ip_filter: optional(u)?,
            tls: optional(u)?,
            ssh: optional(u)?,
            ipsec: optional(u)?,
            names: any_names(u)?,
            enforcement: optional(u)?,
        }),
        1 => Record::Summary(Summary {
            stamp: any_stamp(u)?,
            identification: section(u)?,
            common: section(u)?,
            tls: optional(u)?,
            ssh: optional(u)?,
            ipsec: optional(u)?,
            names: any_names(u)?,
        }),
        2 => {
            let subtype = u.int_in_range(73..=80)?;
            let head = if subtype < 75 {
                TunnelHead::Ike(section(u)?)
            } else {
                TunnelHead::Ip(section(u)?)
            };
            let others = u.int_in_range(0..=4)?;
            Record::Tunnel(Tunnel {
                stamp: any_stamp(u)?,
                identification: section(u)?,
                subtype,
                head,
                tail: Vec::new(),
                others: (0..others)
                    .map(|_| Ok(RawSection::new(u.arbitrary()?)))
                    .collect::<Result<_>>()?,
            })
        }
        3 => Record::Extension(Extension {
            stamp: any_stamp(u)?,
            record_type: EXTENSION_TYPE,
            identification: section(u)?,
            common: if u.arbitrary()? {
                Extended::Detail(section(u)?)
            } else {
                Extended::Summary(section(u)?)
            },
            values: (0..u.int_in_range(0..=4)?)
                .map(|_| {
                    Ok(ExtensionValue {
                        tag: ExtensionTag(u.arbitrary()?),
                        bytes: u.arbitrary()?,
                    })
                })
                .collect::<Result<_>>()?,
        }),
        4 => Record::Syslog(Syslog {
            flags: u.arbitrary::<u8>()? & !0x40,
            time: SmfTime(u.arbitrary()?),
            date: SmfDate(u.arbitrary()?),
            system: Text(u.arbitrary()?),
            text: u.arbitrary()?,
        }),
        _ => Record::DumpFrame(DumpFrame {
            is_trailer: u.arbitrary()?,
            flags: u.arbitrary()?,
            time: SmfTime(u.arbitrary()?),
            date: SmfDate(u.arbitrary()?),
            system: Text(u.arbitrary()?),
        }),
    })
}
