//! Weak protection: rules that are ready to use. The same as policy text: `examples/zert-weak.conf`.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::protection::{Condition, Kind, Pattern, Protection};
use super::rule::{Action, Rule, RuleSet};
use crate::record::{PqClass, TlsVersion};

fn rule(name: &str, priority: u32, protection: Protection, action: &Arc<Action>) -> Rule {
    Rule::new(name, Arc::new(protection), Arc::clone(action)).priority(priority)
}

/// Connections that nothing protects.
#[must_use]
pub fn unprotected(action: &Arc<Action>) -> Rule {
    rule("Unprotected", 600, Protection::new(Kind::None), action)
}

/// SSL and TLS below 1.2.
#[must_use]
pub fn below_tls12(action: &Arc<Action>) -> Rule {
    let versions = TlsVersion::SSL_2..=TlsVersion(0x0302);
    let protection = Protection::all(Kind::Tls, vec![Condition::TlsVersion(versions)]);
    rule("BelowTls12", 500, protection, action)
}

/// TLS with RC4, triple DES or weaker, CBC, no encryption, an anonymous or an export key exchange.
#[must_use]
pub fn weak_ciphers(action: &Arc<Action>) -> Rule {
    let ciphers = ["RC4", "RC2", "DES", "3DES", "CBC", "NULL"];
    let protection = Protection::any(
        Kind::Tls,
        vec![
            Condition::Cipher(Pattern::list(&ciphers)),
            Condition::KeyExchange(Pattern::list(&["ANON", "EXPORT"])),
        ],
    );
    rule("WeakCipher", 400, protection, action)
}

/// TLS whose secrets travel encrypted to the server's RSA key: who gets that key reads what was recorded before.
#[must_use]
pub fn rsa_key_exchange(action: &Arc<Action>) -> Rule {
    let names = ["RSA", "RSA_EXPORT", "RSA_PSK"];
    let protection = Protection::all(
        Kind::Tls,
        vec![Condition::KeyExchange(Pattern::list(&names))],
    );
    rule("RsaKeyExchange", 300, protection, action)
}

/// TLS with an RSA server key of less than 2048 bits, where the certificate is visible (not in TLS 1.3).
#[must_use]
pub fn short_rsa_key(action: &Arc<Action>) -> Rule {
    let protection = Protection::all(
        Kind::Tls,
        vec![
            Condition::KeyType(Pattern::list(&["RSA"])),
            Condition::KeyLength(1..=2047),
        ],
    );
    rule("ShortRsaKey", 200, protection, action)
}

/// TLS and SSH whose key exchange a quantum computer would open.
#[must_use]
pub fn no_post_quantum(action: &Arc<Action>) -> [Rule; 2] {
    let with = |kind| Protection::all(kind, vec![Condition::PostQuantum(vec![PqClass::Classical])]);
    [
        rule("NoPostQuantumTls", 100, with(Kind::Tls), action),
        rule("NoPostQuantumSsh", 100, with(Kind::Ssh), action),
    ]
}

/// All of these, the worst first.
#[must_use]
pub fn all(action: &Arc<Action>, generation: u64) -> RuleSet {
    let mut rules: Vec<Rule> = vec![
        unprotected(action),
        below_tls12(action),
        weak_ciphers(action),
        rsa_key_exchange(action),
        short_rsa_key(action),
    ];
    rules.extend(no_post_quantum(action));
    RuleSet::new(rules, generation)
}
