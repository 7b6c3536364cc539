//! Which attributes make a session another one. What is not known on one side differs from
//! nothing: learning it later is no change.
//!
//! These are the attributes by which connections are summarised, and the key-exchange group.

use crate::record::{
    Certificate, FilterFacts, IkeFacts, IpsecFacts, SshDirection, SshFacts, TlsFacts,
};
use crate::text::Text;

fn same<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

fn text(a: &Text, b: &Text) -> bool {
    same(a.get(), b.get())
}

/// 0 is "not known".
const fn number(a: u16, b: u16) -> bool {
    a == 0 || b == 0 || a == b
}

pub(crate) fn certificate(a: &Certificate, b: &Certificate) -> bool {
    same(a.signature, b.signature)
        && same(a.key, b.key)
        && same(a.curve, b.curve)
        && number(a.key_bits, b.key_bits)
        && text(&a.serial, &b.serial)
        && text(&a.subject, &b.subject)
        && same(a.not_after, b.not_after)
}

fn certificates(a: Option<&Certificate>, b: Option<&Certificate>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => certificate(a, b),
        _ => true,
    }
}

/// Whether two TLS sessions are protected alike.
pub(crate) fn tls(a: &TlsFacts, b: &TlsFacts) -> bool {
    same(a.version, b.version)
        && same(a.cipher, b.cipher)
        && same(a.group, b.group)
        && same(a.client_cert_sent, b.client_cert_sent)
        && certificate(&a.server_cert, &b.server_cert)
        && certificate(&a.client_cert, &b.client_cert)
}

fn direction(a: &SshDirection, b: &SshDirection) -> bool {
    text(&a.cipher, &b.cipher) && text(&a.mac, &b.mac)
}

/// Whether two SSH sessions are protected alike.
pub(crate) fn ssh(a: &SshFacts, b: &SshFacts) -> bool {
    same(a.protocol, b.protocol)
        && text(&a.kex, &b.kex)
        && direction(&a.c2s, &b.c2s)
        && direction(&a.s2c, &b.s2c)
        && text(&a.host_key_type, &b.host_key_type)
        && number(a.host_key_bits, b.host_key_bits)
        && text(&a.client_key_type, &b.client_key_type)
        && number(a.client_key_bits, b.client_key_bits)
        && a.authentication
            .iter()
            .zip(&b.authentication)
            .all(|(a, b)| text(a, b))
        && certificates(a.server_cert.as_deref(), b.server_cert.as_deref())
        && certificates(a.client_cert.as_deref(), b.client_cert.as_deref())
}

fn ike(a: &IkeFacts, b: &IkeFacts) -> bool {
    number(a.major.into(), b.major.into())
        && (a.major == 0 || b.major == 0 || a.minor == b.minor)
        && same(a.local_method, b.local_method)
        && same(a.remote_method, b.remote_method)
        && same(a.transforms.encryption, b.transforms.encryption)
        && number(a.transforms.encryption_bits, b.transforms.encryption_bits)
        && same(a.transforms.integrity, b.transforms.integrity)
        && same(a.transforms.prf, b.transforms.prf)
        && same(a.transforms.group, b.transforms.group)
        && certificates(a.local_cert.as_ref(), b.local_cert.as_ref())
        && certificates(a.remote_cert.as_ref(), b.remote_cert.as_ref())
}

/// Whether two tunnels protect alike: tunnel numbers, associations and lifetimes do not count.
pub(crate) fn ipsec(a: &IpsecFacts, b: &IpsecFacts) -> bool {
    same(a.local, b.local)
        && same(a.remote, b.remote)
        && number(a.protocol.into(), b.protocol.into())
        && same(a.encapsulation, b.encapsulation)
        && same(a.transforms.encryption, b.transforms.encryption)
        && number(a.transforms.encryption_bits, b.transforms.encryption_bits)
        && same(a.transforms.integrity, b.transforms.integrity)
        && same(a.transforms.group, b.transforms.group)
        && match (&a.ike, &b.ike) {
            (Some(a), Some(b)) => ike(a, b),
            _ => true,
        }
}

/// Whether nothing but numbers is known of a tunnel.
pub(crate) fn is_blank(a: &IpsecFacts) -> bool {
    *a == IpsecFacts {
        tunnel: a.tunnel,
        inbound: a.inbound,
        outbound: a.outbound,
        ..IpsecFacts::default()
    }
}

/// A number that equal rules have in common.
pub(crate) fn filter_key(a: &FilterFacts) -> u64 {
    let rule = |r: Option<u32>| u64::from(r.map_or(u32::MAX, |r| r));
    let numbers = [&a.inbound, &a.outbound].map(|r| rule(r.as_ref().map(|r| r.rule.0)));
    crate::intern::key(&numbers)
}

/// A number that equal tunnels have in common.
pub(crate) fn ipsec_key(a: &IpsecFacts) -> u64 {
    crate::intern::key(&(a.tunnel, a.inbound, a.outbound))
}
