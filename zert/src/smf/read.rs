//! The way back: connections and sessions from records, as far as codes tell.

use core::net::SocketAddr;

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::Write as _;

use hostward_hook::ident::TunnelId;
use hostward_hook::time::{Now, UnixTime};
use hostward_smf::codes::{
    Authentication, CryptoFlags, DetailFlags, Encryption, ExtensionTag as Tag, HandshakeRole,
    HandshakeType, KexMethod, KeyExchange, LocalRole, NameType, Protocols, SecurityFlags,
    Source as Told, SummaryFlags, TlsVersion,
};
use hostward_smf::layout::{
    Certificate as Block, CertificateKind, CertificateValidity, ConnectionSsh, ConnectionTls,
    Counters as Written,
};
use hostward_smf::{
    Address, CodePage, Detail, DistinguishedName, Extension, ExtensionValue, Summary, time,
};

use super::{certificate, ssh, tls};
use crate::aggregate::Counters;
use crate::record::{
    Certificate, Group, IpsecFacts, PqClass, Protocol, Record, Role, Source, SshDirection,
    TlsVersion as Version, Traffic,
};
use crate::text::{CertTime, Text};

/// The connection of a detail record about one, with what its extension record adds. Local times
/// are taken to be so many seconds ahead of UTC.
#[must_use]
pub fn of_detail(detail: &Detail, extension: Option<&Extension>, utc_offset: i32) -> Record {
    let common = &detail.common;
    let is_v6 = common.flags.contains(DetailFlags::IPV6);
    let local = SocketAddr::new(common.local_ip.ip(is_v6), common.local_port);
    let remote = SocketAddr::new(common.remote_ip.ip(is_v6), common.remote_port);
    let role = detail
        .tls
        .as_ref()
        .map_or(Role::Unknown, |t| role(t.handshake_role));
    let local_is_client = match (role, common.local_role) {
        (Role::Client, _) | (Role::Unknown, LocalRole::CLIENT) => true,
        (Role::Unknown, LocalRole::UNKNOWN) => local.port() > remote.port(),
        _ => false,
    };
    let (client, server) = if local_is_client {
        (local, remote)
    } else {
        (remote, local)
    };
    let instant = |date, time| {
        let micros = time::unix_micros(date, time, utc_offset).unwrap_or(0);
        Now::from_wall(UnixTime::from_micros(u64::try_from(micros).unwrap_or(0)))
    };
    let opened = instant(common.start_date, common.start_time);
    let ended = instant(common.end_date, common.end_time);
    let last = if ended == Now::default() {
        instant(detail.stamp.date, detail.stamp.time)
    } else {
        ended
    };
    let mut record = Record {
        client,
        server,
        opened,
        last,
        role,
        local_is_client,
        local_opened: local_is_client,
        packets: common.in_segments.saturating_add(common.out_segments),
        bytes: common.in_bytes.saturating_add(common.out_bytes),
        traffic: Traffic {
            in_bytes: common.in_bytes,
            out_bytes: common.out_bytes,
            in_packets: common.in_segments,
            out_packets: common.out_segments,
        },
        ..Record::default()
    };
    let failed_tls = common.security_flags.contains(SecurityFlags::TLS_FAILED);
    let failed_ssh = common.security_flags.contains(SecurityFlags::SSH_FAILED);
    record.failed = failed_tls || failed_ssh;
    if let Some(section) = &detail.tls {
        read_tls(section, &mut record);
    } else if let Some(section) = &detail.ssh {
        read_ssh(section, &mut record);
    } else if failed_tls {
        record.protocol = Protocol::Tls;
    } else if failed_ssh {
        record.protocol = Protocol::Ssh;
    }
    if record.protocol != Protocol::None {
        record.established = Some(!record.failed);
    }
    if let Some(section) = &detail.ipsec {
        record.ipsec = Some(Box::new(IpsecFacts {
            tunnel: TunnelId(section.tunnel_id),
            protocol: section.protocol.0,
            ..IpsecFacts::default()
        }));
        if record.protocol == Protocol::None {
            record.protocol = Protocol::Ipsec;
        }
    }
    read_names(&detail.names, &mut record);
    read_values(extension.map_or(&[], |e| &e.values), &mut record);
    record
}

/// The session of a summary record, as a connection from any port of the client, and its counters at
/// the beginning and at the end of the interval. `None` for records that only say that aggregation
/// was switched.
#[must_use]
pub fn of_summary(
    summary: &Summary,
    extension: Option<&Extension>,
) -> Option<(Record, Counters, Counters)> {
    let common = &summary.common;
    if common.event != hostward_smf::codes::SummaryEvent::INTERVAL {
        return None;
    }
    let is_v6 = common.flags.contains(SummaryFlags::IPV6);
    let address = |a: Address, port| SocketAddr::new(a.ip(is_v6), port);
    let local_is_client =
        common.flags.contains(SummaryFlags::LOCAL_CLIENT) || common.local_role == LocalRole::CLIENT;
    let at = time::unix_micros(summary.stamp.date, summary.stamp.time, 0).unwrap_or(0);
    let now = UnixTime::from_micros(u64::try_from(at).unwrap_or(0));
    let began = now.as_micros().saturating_sub(common.interval.micros());
    let mut record = Record {
        client: address(common.client_ip, 0),
        server: address(common.server_ip, common.server_port),
        opened: Now::from_wall(UnixTime::from_micros(began)),
        last: Now::from_wall(now),
        local_is_client,
        local_opened: local_is_client,
        ..Record::default()
    };
    if let Some(section) = &summary.tls {
        let whole = ConnectionTls {
            source: section.source,
            crypto_flags: section.crypto_flags,
            version: section.version,
            cipher: section.cipher,
            key_exchange: section.key_exchange,
            server_certificate: joined(&section.server_certificate, &section.server_validity),
            client_certificate: joined(&section.client_certificate, &section.client_validity),
            ..ConnectionTls::default()
        };
        read_tls(&whole, &mut record);
        record.failed = !common.protocols.contains(Protocols::TLS);
    } else if let Some(section) = &summary.ssh {
        let whole = ConnectionSsh {
            version: section.version,
            source: section.source,
            crypto_flags: section.crypto_flags,
            in_encryption: section.in_encryption,
            in_authentication: section.in_authentication,
            out_encryption: section.out_encryption,
            out_authentication: section.out_authentication,
            kex_method: section.kex_method,
            server_key_type: section.server_key_type,
            server_key_len: section.server_key_len,
            ..ConnectionSsh::default()
        };
        read_ssh(&whole, &mut record);
        record.failed = !common.protocols.contains(Protocols::SSH);
    } else if let Some(section) = &summary.ipsec {
        record.protocol = Protocol::Ipsec;
        record.ipsec = Some(Box::new(IpsecFacts {
            protocol: section.protocol.0,
            ..IpsecFacts::default()
        }));
    }
    if matches!(record.protocol, Protocol::Tls | Protocol::Ssh) {
        record.established = Some(!record.failed);
    }
    read_names(&summary.names, &mut record);
    read_values(extension.map_or(&[], |e| &e.values), &mut record);
    let counters = |c: &Written, failed| Counters {
        connections: c.connections,
        partial: c.partial_connections,
        short: c.short_connections,
        active: c.active_connections,
        failed,
        in_bytes: c.in_bytes,
        out_bytes: c.out_bytes,
        in_packets: c.in_segments,
        out_packets: c.out_segments,
    };
    Some((
        record,
        counters(&common.init, common.init_failed_handshakes),
        counters(&common.end, common.end_failed_handshakes),
    ))
}

const fn role(role: HandshakeRole) -> Role {
    match role {
        HandshakeRole::CLIENT => Role::Client,
        HandshakeRole::SERVER => Role::Server,
        HandshakeRole::SERVER_WITH_CLIENT_AUTHENTICATION => Role::ServerClientAuth,
        _ => Role::Unknown,
    }
}

const fn source(told: Told) -> Source {
    match told {
        Told::PROVIDER => Source::Advised,
        _ => Source::Observed,
    }
}

fn joined(kind: &CertificateKind, validity: &CertificateValidity) -> Block {
    Block {
        signature_method: kind.signature_method,
        encryption_method: kind.encryption_method,
        digest: kind.digest,
        key_type: kind.key_type,
        key_len: kind.key_len,
        serial_len: validity.serial_len,
        serial: validity.serial,
        time_type: validity.time_type,
        not_after: validity.not_after,
        ..Block::default()
    }
}

fn read_tls(section: &ConnectionTls, record: &mut Record) {
    record.protocol = Protocol::Tls;
    record.source = source(section.source);
    let t = &mut record.tls;
    t.version = match section.version {
        TlsVersion::UNKNOWN => None,
        TlsVersion::SSL2 => Some(Version::SSL_2),
        TlsVersion(v) => Some(Version(v)),
    };
    t.cipher = tls::cipher_back(&CodePage::Ibm1047.decode_text(&section.cipher.0));
    t.resumed = match section.handshake_type {
        HandshakeType::FULL => Some(false),
        HandshakeType::ABBREVIATED => Some(true),
        _ => None,
    };
    t.encrypt_then_mac = section.crypto_flags.contains(CryptoFlags::ENCRYPT_THEN_MAC);
    t.server_cert = read_certificate(&section.server_certificate);
    t.client_cert = read_certificate(&section.client_certificate);
    // Up to TLS 1.2 every key exchange is classical; that of TLS 1.3 may be a hybrid, which these
    // codes cannot say.
    record.pq = match section.key_exchange {
        KeyExchange::UNKNOWN | KeyExchange::NONE | KeyExchange::PSK | KeyExchange::ECDHE_TLS13 => {
            PqClass::None
        }
        _ => PqClass::Classical,
    };
}

fn read_certificate(block: &Block) -> Certificate {
    let mut c = Certificate {
        signature: certificate::signature_back(block.signature_method),
        key: certificate::key_back(block.key_type),
        key_bits: block.key_len,
        ..Certificate::default()
    };
    if block.serial_len > 0 {
        let mut serial = Text::default();
        for octet in block.serial.first(block.serial_len) {
            // At most 40 digits, which fit.
            let _ = write!(serial, "{octet:02X}");
        }
        c.serial = serial;
    }
    c.not_after = read_time(&CodePage::Ibm1047.decode_text(&block.not_after.0));
    c
}

/// `YYMMDDhhmmssZ` or `YYYYMMDDhhmmssZ`.
fn read_time(text: &str) -> Option<CertTime> {
    let digits = text.strip_suffix('Z')?;
    let (year, rest) = match digits.len() {
        // RFC 5280 §4.1.2.5.1: two digits from 50 on are of the last century.
        12 => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: u16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        14 => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |i: usize| rest.get(2 * i..2 * i + 2)?.parse::<u8>().ok();
    Some(CertTime {
        year,
        month: part(0)?,
        day: part(1)?,
        hour: part(2)?,
        minute: part(3)?,
        second: part(4)?,
    })
}

fn read_ssh(section: &ConnectionSsh, record: &mut Record) {
    record.protocol = Protocol::Ssh;
    record.source = source(section.source);
    let etm = section.crypto_flags.contains(CryptoFlags::ENCRYPT_THEN_MAC);
    let direction = |cipher: Encryption, mac: Authentication| SshDirection {
        cipher: named(ssh::encryption_back(cipher)),
        mac: match ssh::authentication_back(mac) {
            Some(name) if etm && mac != Authentication::NONE => {
                let mut text = String::from(name);
                text.push_str("-etm@openssh.com");
                Text::from(text.as_str())
            }
            name => named(name),
        },
        ..SshDirection::default()
    };
    let inbound = direction(section.in_encryption, section.in_authentication);
    let outbound = direction(section.out_encryption, section.out_authentication);
    let s = &mut record.ssh;
    (s.c2s, s.s2c) = if record.local_is_client {
        (outbound, inbound)
    } else {
        (inbound, outbound)
    };
    s.protocol = (section.version > 0).then_some(section.version);
    s.kex = named(ssh::kex_back(section.kex_method));
    s.host_key_type = named(ssh::key_back(section.server_key_type));
    s.host_key_bits = section.server_key_len;
    // All methods that have a number are classical; those that have none may be hybrids.
    record.pq = if matches!(section.kex_method, KexMethod::UNKNOWN | KexMethod::NONE) {
        PqClass::None
    } else {
        PqClass::Classical
    };
}

fn named(name: Option<&str>) -> Text {
    name.map_or_else(Text::default, Text::from)
}

fn read_names(names: &[DistinguishedName], record: &mut Record) {
    for name in names {
        let place = match name.kind() {
            NameType::TLS_SERVER_SUBJECT => &mut record.tls.server_cert.subject,
            NameType::TLS_SERVER_ISSUER => &mut record.tls.server_cert.issuer,
            NameType::TLS_CLIENT_SUBJECT => &mut record.tls.client_cert.subject,
            NameType::TLS_CLIENT_ISSUER => &mut record.tls.client_cert.issuer,
            _ => continue,
        };
        *place = Text::from(name.decode(CodePage::Ibm1047).as_str());
    }
}

fn read_values(values: &[ExtensionValue], record: &mut Record) {
    for value in values {
        let number = || {
            let bytes = value.bytes.as_slice();
            <[u8; 2]>::try_from(bytes).ok().map(u16::from_be_bytes)
        };
        let text =
            || core::str::from_utf8(&value.bytes).map_or_else(|_| Text::default(), Text::from);
        match value.tag {
            Tag::GROUP => record.tls.group = number().map(Group::Named),
            Tag::SIGNATURE_SCHEME => record.tls.signature_scheme = number(),
            Tag::SERVER_NAME => record.tls.sni = text(),
            Tag::ALPN => record.tls.alpn = text(),
            Tag::SSH_KEX => record.ssh.kex = text(),
            Tag::SSH_HOST_KEY => record.ssh.host_key_alg = text(),
            Tag::SSH_CIPHER_CLIENT => record.ssh.c2s.cipher = text(),
            Tag::SSH_CIPHER_SERVER => record.ssh.s2c.cipher = text(),
            Tag::SSH_MAC_CLIENT => record.ssh.c2s.mac = text(),
            Tag::SSH_MAC_SERVER => record.ssh.s2c.mac = text(),
            Tag::SSH_STRICT => record.ssh.strict_kex = value.bytes.first().map(|b| *b != 0),
            Tag::POST_QUANTUM => {
                record.pq = match value.bytes.as_slice() {
                    [0] => PqClass::Classical,
                    [1] => PqClass::Hybrid,
                    [2] => PqClass::Pq,
                    _ => record.pq,
                }
            }
            Tag::FAMILY if record.protocol == Protocol::None => {
                record.protocol = match value.bytes.as_slice() {
                    b"tls" => Protocol::Tls,
                    b"ssh" => Protocol::Ssh,
                    b"dtls" => Protocol::Dtls,
                    b"quic" => Protocol::Quic,
                    b"ike" => Protocol::Ike,
                    b"esp" => Protocol::Esp,
                    b"ah" => Protocol::Ah,
                    b"wireguard" => Protocol::Wireguard,
                    _ => record.protocol,
                };
                // There is no section of it, and nothing failed: the handshake is under way.
                if matches!(record.protocol, Protocol::Tls | Protocol::Ssh) {
                    record.established = Some(false);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    // RFC 5280 §4.1.2.5.1: two digits of a year from 50 on are of the last century.
    fn times_of_certificates() {
        let year = |text| read_time(text).map(|t| (t.year, t.month, t.second));
        assert_eq!(year("491231235958Z"), Some((2049, 12, 58)));
        assert_eq!(year("500101000000Z"), Some((1950, 1, 0)));
        assert_eq!(year("20501231235958Z"), Some((2050, 12, 58)));
        assert_eq!(year(""), None);
        assert_eq!(year("2050123123595Z"), None);
    }
}
