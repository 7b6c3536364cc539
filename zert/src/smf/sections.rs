//! The sections of protocols, from the facts of a record.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use hostward_hook::protection::{Fips, Handshake};
use hostward_smf::codes::{
    self, CryptoFlags, HandshakeRole, HandshakeType, NameType, Source as Told, TunnelFlags,
    TunnelState,
};
use hostward_smf::layout::{
    Certificate as Block, CertificateKind, CertificateValidity, ConnectionIpsec, ConnectionSsh,
    ConnectionTls, SummaryIpsec, SummarySsh, SummaryTls,
};
use hostward_smf::{Address, Bytes, DistinguishedName, Text};

use super::{certificate, ipsec, ssh, tls};
use crate::record::{
    Certificate, IkeFacts, IpsecFacts, Role, Source, SshFacts, TlsFacts, TlsVersion,
};
use crate::text::Inline;

pub(super) const fn told(source: Source) -> Told {
    match source {
        Source::Observed => Told::OBSERVATION,
        Source::Advised => Told::PROVIDER,
    }
}

const fn role(role: Role) -> HandshakeRole {
    match role {
        Role::Unknown => HandshakeRole::UNKNOWN,
        Role::Client => HandshakeRole::CLIENT,
        Role::Server => HandshakeRole::SERVER,
        Role::ServerClientAuth => HandshakeRole::SERVER_WITH_CLIENT_AUTHENTICATION,
    }
}

fn text<const N: usize>(t: &crate::text::Text) -> Text<N> {
    t.get().map_or_else(Text::default, Text::new)
}

fn address(a: Option<core::net::IpAddr>) -> Address {
    a.map_or_else(Address::default, Address::from)
}

/// What a session of TLS has of a failed handshake: the source and the negotiated cipher.
pub(super) fn failed_tls(facts: &TlsFacts, source: Source) -> ConnectionTls {
    ConnectionTls {
        source: told(source),
        cipher: tls::cipher(facts.cipher),
        ..ConnectionTls::default()
    }
}

pub(super) fn connection_tls(facts: &TlsFacts, source: Source, who: Role) -> ConnectionTls {
    let codes = tls::codes(facts);
    let id = facts.session_id.octets();
    let handshake_type = match (facts.handshake, facts.resumed) {
        (Handshake::Full, _) => HandshakeType::FULL,
        (Handshake::Resumed | Handshake::Psk, _) | (_, Some(true)) => HandshakeType::ABBREVIATED,
        (_, Some(false)) => HandshakeType::FULL,
        (_, None) => HandshakeType::UNKNOWN,
    };
    ConnectionTls {
        version: tls::version(facts.version),
        source: told(source),
        handshake_type,
        handshake_role: role(who),
        session_id_len: id.len() as u8,
        session_id: Bytes::new(id),
        provider: text(&facts.provider),
        cipher: tls::cipher(facts.cipher),
        encryption: codes.encryption,
        authentication: codes.authentication,
        key_exchange: codes.key_exchange,
        fips_mode: ipsec::fips(facts.fips),
        crypto_flags: tls_flags(facts),
        server_certificate: certificate::block(&facts.server_cert),
        client_certificate: certificate::block(&facts.client_cert),
        ..ConnectionTls::default()
    }
}

fn tls_flags(facts: &TlsFacts) -> CryptoFlags {
    let psk = facts.resumed == Some(true) && facts.version.is_some_and(TlsVersion::is_1_3);
    CryptoFlags::default()
        .with(CryptoFlags::ENCRYPT_THEN_MAC, facts.encrypt_then_mac)
        .with(
            CryptoFlags::RAW_PUBLIC_KEY,
            facts.raw_public_key == Some(true),
        )
        .with(CryptoFlags::PRE_SHARED_KEY, psk)
}

pub(super) fn summary_tls(facts: &TlsFacts, source: Source) -> SummaryTls {
    let codes = tls::codes(facts);
    let (server, client) = (
        certificate::block(&facts.server_cert),
        certificate::block(&facts.client_cert),
    );
    SummaryTls {
        source: told(source),
        crypto_flags: tls_flags(facts),
        version: tls::version(facts.version),
        cipher: tls::cipher(facts.cipher),
        encryption: codes.encryption,
        authentication: codes.authentication,
        key_exchange: codes.key_exchange,
        server_certificate: CertificateKind::from(&server),
        client_certificate: CertificateKind::from(&client),
        server_validity: CertificateValidity::from(&server),
        client_validity: CertificateValidity::from(&client),
    }
}

fn optional(c: Option<&Certificate>) -> Block {
    c.map_or_else(Block::default, certificate::block)
}

/// The directions of a session as the local end sees them: what comes in, what goes out. In each
/// the MAC's code; then whether either MAC is computed over the ciphertext.
struct Directions {
    in_encryption: codes::Encryption,
    in_authentication: codes::Authentication,
    out_encryption: codes::Encryption,
    out_authentication: codes::Authentication,
    flags: CryptoFlags,
}

fn directions(facts: &SshFacts, local_is_client: bool) -> Directions {
    let (inbound, outbound) = if local_is_client {
        (&facts.s2c, &facts.c2s)
    } else {
        (&facts.c2s, &facts.s2c)
    };
    let (in_mac, in_etm) = ssh::authentication(inbound);
    let (out_mac, out_etm) = ssh::authentication(outbound);
    Directions {
        in_encryption: ssh::encryption(&inbound.cipher),
        in_authentication: in_mac,
        out_encryption: ssh::encryption(&outbound.cipher),
        out_authentication: out_mac,
        flags: CryptoFlags::default().with(CryptoFlags::ENCRYPT_THEN_MAC, in_etm || out_etm),
    }
}

pub(super) fn connection_ssh(
    facts: &SshFacts,
    source: Source,
    local_is_client: bool,
) -> ConnectionSsh {
    let d = directions(facts, local_is_client);
    let fingerprint = facts.host_key_fingerprint.map(Inline::<96>::of);
    let fingerprint = fingerprint.as_ref().map_or("", Inline::as_str);
    let [first, second] = &facts.authentication;
    ConnectionSsh {
        version: facts.protocol.unwrap_or(0),
        source: told(source),
        fips_mode: ipsec::fips(facts.fips),
        crypto_flags: d.flags,
        compression: ssh::compression(&facts.c2s.compression),
        provider: text(&facts.provider),
        user_authentication: ssh::user(first),
        user_authentication2: ssh::user(second),
        in_encryption: d.in_encryption,
        in_authentication: d.in_authentication,
        kex_method: ssh::kex(&facts.kex),
        out_encryption: d.out_encryption,
        out_authentication: d.out_authentication,
        server_key_type: ssh::key_type(&facts.host_key_type),
        server_key_len: facts.host_key_bits,
        client_key_type: ssh::key_type(&facts.client_key_type),
        client_key_len: facts.client_key_bits,
        server_fingerprint_len: fingerprint.len() as u16,
        server_fingerprint: Text::new(fingerprint),
        server_certificate: optional(facts.server_cert.as_deref()),
        client_certificate: optional(facts.client_cert.as_deref()),
        ..ConnectionSsh::default()
    }
}

pub(super) fn summary_ssh(facts: &SshFacts, source: Source, local_is_client: bool) -> SummarySsh {
    let full = connection_ssh(facts, source, local_is_client);
    SummarySsh {
        source: full.source,
        version: full.version,
        crypto_flags: full.crypto_flags,
        user_authentication: full.user_authentication,
        user_authentication2: full.user_authentication2,
        in_encryption: full.in_encryption,
        in_authentication: full.in_authentication,
        kex_method: full.kex_method,
        out_encryption: full.out_encryption,
        out_authentication: full.out_authentication,
        server_key_type: full.server_key_type,
        server_key_len: full.server_key_len,
        client_key_type: full.client_key_type,
        client_key_len: full.client_key_len,
        server_certificate: CertificateKind::from(&full.server_certificate),
        client_certificate: CertificateKind::from(&full.client_certificate),
        server_validity: CertificateValidity::from(&full.server_certificate),
        client_validity: CertificateValidity::from(&full.client_certificate),
        ..SummarySsh::default()
    }
}

fn minutes(d: Option<Duration>) -> u32 {
    d.map_or(0, |d| u32::try_from(d.as_secs() / 60).unwrap_or(u32::MAX))
}

fn kbytes(bytes: u64) -> u32 {
    u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

pub(super) fn connection_ipsec(facts: &IpsecFacts) -> ConnectionIpsec {
    let is_v6 = |a: Option<core::net::IpAddr>| a.is_some_and(|a| a.is_ipv6());
    let flags = TunnelFlags::default()
        .with(TunnelFlags::IPV6, is_v6(facts.local) || is_v6(facts.remote))
        .with(TunnelFlags::FIPS, matches!(facts.fips, Fips::Level(_)));
    let none = IkeFacts::default();
    let ike = facts.ike.as_ref().unwrap_or(&none);
    ConnectionIpsec {
        ike_tunnel_id: ike.id,
        ike_major: ike.major,
        ike_minor: ike.minor,
        key_exchange_rule: text(&ike.rule),
        local_endpoint: address(facts.local),
        remote_endpoint: address(facts.remote),
        local_authentication: ipsec::method(ike.local_method),
        remote_authentication: ipsec::method(ike.remote_method),
        ike_authentication: ipsec::authentication(&ike.transforms),
        ike_encryption: ipsec::encryption(&ike.transforms),
        ike_group: ipsec::group(&ike.transforms),
        ike_prf: ipsec::prf(&ike.transforms),
        ike_lifesize: kbytes(ike.life_bytes),
        ike_lifetime: minutes(ike.life_time),
        reauthentication: minutes(ike.reauthentication),
        local_certificate: optional(ike.local_cert.as_ref()),
        remote_certificate: optional(ike.remote_cert.as_ref()),
        tunnel_id: facts.tunnel.0,
        tunnel_flags: flags,
        tunnel_type: ipsec::tunnel_type(facts.kind),
        // A tunnel that a connection goes through is in use.
        tunnel_state: TunnelState::ACTIVE,
        encapsulation: ipsec::encapsulation(facts.encapsulation),
        protocol: codes::SecurityProtocol(facts.protocol),
        authentication: ipsec::authentication(&facts.transforms),
        encryption: ipsec::encryption(&facts.transforms),
        pfs_group: ipsec::group(&facts.transforms),
        lifesize: kbytes(facts.life_bytes),
        lifetime: minutes(facts.life_time),
        ..ConnectionIpsec::default()
    }
}

pub(super) fn summary_ipsec(facts: &IpsecFacts) -> SummaryIpsec {
    let full = connection_ipsec(facts);
    SummaryIpsec {
        ike_major: full.ike_major,
        ike_minor: full.ike_minor,
        local_endpoint: full.local_endpoint,
        remote_endpoint: full.remote_endpoint,
        local_authentication: full.local_authentication,
        remote_authentication: full.remote_authentication,
        ike_authentication: full.ike_authentication,
        ike_encryption: full.ike_encryption,
        ike_group: full.ike_group,
        ike_prf: full.ike_prf,
        local_certificate: CertificateKind::from(&full.local_certificate),
        remote_certificate: CertificateKind::from(&full.remote_certificate),
        pfs_group: full.pfs_group,
        encapsulation: full.encapsulation,
        protocol: full.protocol,
        authentication: full.authentication,
        encryption: full.encryption,
        local_validity: CertificateValidity::from(&full.local_certificate),
        remote_validity: CertificateValidity::from(&full.remote_certificate),
        ..SummaryIpsec::default()
    }
}

/// Adds the names of a certificate.
pub(super) fn names(
    c: Option<&Certificate>,
    subject: NameType,
    issuer: NameType,
    out: &mut Vec<DistinguishedName>,
) {
    let Some(c) = c else { return };
    for (kind, name) in [(subject, &c.subject), (issuer, &c.issuer)] {
        if let Some(name) = name.get() {
            out.push(DistinguishedName::new(kind, name));
        }
    }
}

pub(super) fn tls_names(facts: &TlsFacts, out: &mut Vec<DistinguishedName>) {
    use NameType as N;
    let (server, client) = (&facts.server_cert, &facts.client_cert);
    names(
        Some(server),
        N::TLS_SERVER_SUBJECT,
        N::TLS_SERVER_ISSUER,
        out,
    );
    names(
        Some(client),
        N::TLS_CLIENT_SUBJECT,
        N::TLS_CLIENT_ISSUER,
        out,
    );
}

pub(super) fn ssh_names(facts: &SshFacts, out: &mut Vec<DistinguishedName>) {
    use NameType as N;
    fn get(c: &Option<Box<Certificate>>) -> Option<&Certificate> {
        c.as_deref()
    }
    let (server, client) = (get(&facts.server_cert), get(&facts.client_cert));
    names(server, N::SSH_SERVER_SUBJECT, N::SSH_SERVER_ISSUER, out);
    names(client, N::SSH_CLIENT_SUBJECT, N::SSH_CLIENT_ISSUER, out);
}

pub(super) fn ipsec_names(facts: &IpsecFacts, out: &mut Vec<DistinguishedName>) {
    use NameType as N;
    let Some(ike) = &facts.ike else { return };
    let (local, remote) = (ike.local_cert.as_ref(), ike.remote_cert.as_ref());
    names(local, N::IPSEC_LOCAL_SUBJECT, N::IPSEC_LOCAL_ISSUER, out);
    names(remote, N::IPSEC_REMOTE_SUBJECT, N::IPSEC_REMOTE_ISSUER, out);
}
