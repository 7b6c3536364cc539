//! What providers tell, as facts of a record: how it is read, and how it is laid over what was
//! seen.

use alloc::boxed::Box;

use hostward_hook::protection::{
    Fips, Handshake, Protocol as Told, SshDirection as ToldDirection, SshKey, SshSession,
    TlsSession, Transforms,
};

use crate::names::{ssh_kex_class, tls_class};
use crate::record::{
    Certificate, CipherSuite, Group, IpsecFacts, PqClass, Protocol, Record, SessionId,
    SshDirection, SshFacts, TlsFacts, TlsVersion,
};
use crate::text::Text;

#[cfg(feature = "rustls")]
pub mod rustls;

/// The protocol of a stream that a provider speaks of; `None` for what is no business of one.
pub(crate) const fn stream_protocol(told: Told) -> Option<Protocol> {
    match told {
        Told::Tls => Some(Protocol::Tls),
        Told::Ssh => Some(Protocol::Ssh),
        Told::Dtls | Told::Quic | Told::Ipsec | _ => None,
    }
}

fn text(to: &mut Text, told: &str) {
    if !told.is_empty() {
        to.set(told.as_bytes(), Text::MAX);
    }
}

/// A session of TLS as a provider tells it.
pub(crate) fn tls(told: &TlsSession<'_>, record: &mut Record) {
    record.clear();
    record.protocol = Protocol::Tls;
    record.established = Some(true);
    let t = &mut record.tls;
    text(&mut t.provider, told.provider);
    t.version = (told.version != 0).then_some(TlsVersion(told.version));
    t.cipher = told.cipher_suite.map(|n| CipherSuite(n.into()));
    t.group = told.group.map(Group::Named);
    t.signature_scheme = told.server_signature;
    t.client_signature_scheme = told.client_signature;
    t.handshake = told.handshake;
    t.resumed = match told.handshake {
        Handshake::Full => Some(false),
        Handshake::Resumed | Handshake::Psk => Some(true),
        Handshake::Unknown | _ => None,
    };
    t.raw_public_key = told.raw_public_key;
    t.session_id = SessionId::of(told.session_id);
    t.encrypt_then_mac = told.encrypt_then_mac == Some(true);
    t.fips = told.fips;
    if let Some(name) = told.server_name {
        t.sni.set(name.as_bytes(), Text::MAX);
    }
    if let Some(name) = told.alpn {
        t.alpn.set(name, Text::MAX);
    }
    if let Some(certificate) = &told.server_certificate {
        t.server_cert = Certificate::of(certificate);
    }
    if let Some(certificate) = &told.client_certificate {
        t.client_cert = Certificate::of(certificate);
    }
    let shown = told.client_certificate.is_some().then_some(true);
    t.client_cert_sent = told.client_authenticated.or(shown);
    record.pq = tls_class(t.version, t.cipher.and_then(|c| c.suite()), t.group);
}

/// A session of SSH as a provider tells it.
pub(crate) fn ssh(told: &SshSession<'_>, record: &mut Record) {
    fn direction(told: &ToldDirection<'_>, to: &mut SshDirection) {
        text(&mut to.cipher, told.encryption);
        text(&mut to.mac, told.mac);
        text(&mut to.compression, told.compression);
    }
    fn certificate(key: &SshKey<'_>) -> Option<Box<Certificate>> {
        let told = key.certificate.as_ref()?;
        Some(Box::new(Certificate::of(told)))
    }
    record.clear();
    record.protocol = Protocol::Ssh;
    record.established = Some(true);
    let s = &mut record.ssh;
    text(&mut s.provider, told.provider);
    s.protocol = (told.version != 0).then_some(told.version);
    text(&mut s.kex, told.key_exchange);
    direction(&told.client_to_server, &mut s.c2s);
    direction(&told.server_to_client, &mut s.s2c);
    if let Some(key) = &told.server_key {
        text(&mut s.host_key_type, key.algorithm);
        s.host_key_bits = key.bits;
        s.server_cert = certificate(key);
    }
    if let Some(key) = &told.client_key {
        text(&mut s.client_key_type, key.algorithm);
        s.client_key_bits = key.bits;
        s.client_cert = certificate(key);
    }
    for (to, told) in s.authentication.iter_mut().zip(told.authentication) {
        text(to, told.unwrap_or_default());
    }
    s.fips = told.fips;
    record.pq = s.kex.get().map_or(PqClass::None, ssh_kex_class);
}

/// A handshake that failed, as a provider tells it.
pub(crate) fn failure(protocol: Protocol, record: &mut Record) {
    record.clear();
    record.protocol = protocol;
    record.established = Some(false);
    record.failed = true;
}

fn over<T: Copy>(to: &mut Option<T>, told: Option<T>) {
    *to = told.or(*to);
}

fn over_text(to: &mut Text, told: &Text) {
    if told.is_known() {
        to.assign(told);
    }
}

fn over_certificate(to: &mut Certificate, told: &Certificate) {
    if !told.is_empty() {
        let seen = to.chain_len;
        to.assign(told);
        over(&mut to.chain_len, seen);
    }
}

/// Puts what is known of one session over another's facts.
fn over_tls(to: &mut TlsFacts, told: &TlsFacts) {
    over(&mut to.version, told.version);
    over(&mut to.cipher, told.cipher);
    over(&mut to.group, told.group);
    over(&mut to.signature_scheme, told.signature_scheme);
    over(
        &mut to.client_signature_scheme,
        told.client_signature_scheme,
    );
    over(&mut to.resumed, told.resumed);
    over(&mut to.client_cert_sent, told.client_cert_sent);
    over(&mut to.raw_public_key, told.raw_public_key);
    over_text(&mut to.provider, &told.provider);
    over_text(&mut to.sni, &told.sni);
    over_text(&mut to.alpn, &told.alpn);
    over_certificate(&mut to.server_cert, &told.server_cert);
    over_certificate(&mut to.client_cert, &told.client_cert);
    to.encrypt_then_mac |= told.encrypt_then_mac;
    if told.handshake != Handshake::Unknown {
        to.handshake = told.handshake;
    }
    if told.session_id != SessionId::default() {
        to.session_id = told.session_id;
    }
    if told.fips != Fips::Unknown {
        to.fips = told.fips;
    }
}

fn over_direction(to: &mut SshDirection, told: &SshDirection) {
    over_text(&mut to.cipher, &told.cipher);
    over_text(&mut to.mac, &told.mac);
    over_text(&mut to.compression, &told.compression);
}

fn over_ssh(to: &mut SshFacts, told: &SshFacts) {
    over(&mut to.protocol, told.protocol);
    over_text(&mut to.provider, &told.provider);
    over_text(&mut to.kex, &told.kex);
    over_direction(&mut to.c2s, &told.c2s);
    over_direction(&mut to.s2c, &told.s2c);
    over_text(&mut to.host_key_type, &told.host_key_type);
    over_text(&mut to.client_key_type, &told.client_key_type);
    for (to, told) in to.authentication.iter_mut().zip(&told.authentication) {
        over_text(to, told);
    }
    if told.host_key_bits != 0 {
        to.host_key_bits = told.host_key_bits;
    }
    if told.client_key_bits != 0 {
        to.client_key_bits = told.client_key_bits;
    }
    if told.server_cert.is_some() {
        to.server_cert.clone_from(&told.server_cert);
    }
    if told.client_cert.is_some() {
        to.client_cert.clone_from(&told.client_cert);
    }
    if told.fips != Fips::Unknown {
        to.fips = told.fips;
    }
}

/// Puts what a provider told over a record.
pub(crate) fn overlay(record: &mut Record, told: &Record) {
    record.protocol = told.protocol;
    record.established = told.established;
    record.failed = told.failed;
    record.inferred = false;
    if told.pq != PqClass::None {
        record.pq = told.pq;
    }
    over_tls(&mut record.tls, &told.tls);
    over_ssh(&mut record.ssh, &told.ssh);
}

/// What the key exchange behind a tunnel is worth against a quantum computer.
pub(crate) fn ipsec_class(facts: &IpsecFacts) -> PqClass {
    /// ML-KEM-512, -768, -1024 as IKEv2 key-exchange methods (RFC 9370 and its registry).
    const fn pq(group: u16) -> bool {
        matches!(group, 35..=37)
    }
    let class = |t: &Transforms| match t.group {
        None => PqClass::None,
        Some(group) => {
            let more = t.additional_groups.into_iter().flatten();
            match (pq(group), more.filter(|g| pq(*g)).count()) {
                (true, _) => PqClass::Pq,
                (false, 0) => PqClass::Classical,
                (false, _) => PqClass::Hybrid,
            }
        }
    };
    // Without an exchange of its own a child's keys come from the association's (RFC 7296 §2.17).
    match class(&facts.transforms) {
        PqClass::None => facts
            .ike
            .as_ref()
            .map_or(PqClass::None, |i| class(&i.transforms)),
        own @ (PqClass::Classical | PqClass::Hybrid | PqClass::Pq) => own,
    }
}
