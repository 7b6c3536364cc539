//! Named groups of TLS and key exchange methods of SSH: names, and what they are worth against a
//! quantum computer.

use crate::names::Suite;
use crate::record::{Group, PqClass, TlsVersion};

/// IANA name of a TLS named group (TLS Supported Groups registry, and the experiments that were
/// widely deployed).
pub(crate) const fn group_name(id: u16) -> Option<&'static str> {
    Some(match id {
        0x0001 => "sect163k1",
        0x0002 => "sect163r1",
        0x0003 => "sect163r2",
        0x0004 => "sect193r1",
        0x0005 => "sect193r2",
        0x0006 => "sect233k1",
        0x0007 => "sect233r1",
        0x0008 => "sect239k1",
        0x0009 => "sect283k1",
        0x000A => "sect283r1",
        0x000B => "sect409k1",
        0x000C => "sect409r1",
        0x000D => "sect571k1",
        0x000E => "sect571r1",
        0x000F => "secp160k1",
        0x0010 => "secp160r1",
        0x0011 => "secp160r2",
        0x0012 => "secp192k1",
        0x0013 => "secp192r1",
        0x0014 => "secp224k1",
        0x0015 => "secp224r1",
        0x0016 => "secp256k1",
        0x0017 => "secp256r1",
        0x0018 => "secp384r1",
        0x0019 => "secp521r1",
        0x001A => "brainpoolP256r1",
        0x001B => "brainpoolP384r1",
        0x001C => "brainpoolP512r1",
        0x001D => "x25519",
        0x001E => "x448",
        0x001F => "brainpoolP256r1tls13",
        0x0020 => "brainpoolP384r1tls13",
        0x0021 => "brainpoolP512r1tls13",
        0x0022 => "GC256A",
        0x0023 => "GC256B",
        0x0024 => "GC256C",
        0x0025 => "GC256D",
        0x0026 => "GC512A",
        0x0027 => "GC512B",
        0x0028 => "GC512C",
        0x0029 => "curveSM2",
        0x0100 => "ffdhe2048",
        0x0101 => "ffdhe3072",
        0x0102 => "ffdhe4096",
        0x0103 => "ffdhe6144",
        0x0104 => "ffdhe8192",
        0x0200 => "MLKEM512",
        0x0201 => "MLKEM768",
        0x0202 => "MLKEM1024",
        0x11EB => "SecP256r1MLKEM768",
        0x11EC => "X25519MLKEM768",
        0x11ED => "SecP384r1MLKEM1024",
        0x11EE => "curveSM2MLKEM768",
        0x4138 => "CECPQ2",
        0x6399 => "X25519Kyber768Draft00",
        0x639A => "SecP256r1Kyber768Draft00",
        _ => return None,
    })
}

/// What a TLS named group is worth against a quantum computer.
const fn group_class(id: u16) -> PqClass {
    match id {
        0x0200..=0x0202 => PqClass::Pq,
        0x11EB..=0x11EE | 0x4138 | 0x6399 | 0x639A => PqClass::Hybrid,
        _ => PqClass::Classical,
    }
}

/// What the key exchange of a TLS session is worth against a quantum computer.
///
/// A pre-shared key alone is no key exchange: what it is worth was decided when it was agreed on.
pub(crate) fn tls_class(
    version: Option<TlsVersion>,
    suite: Option<&Suite>,
    group: Option<Group>,
) -> PqClass {
    match (group, version) {
        (Some(Group::Named(id)), _) => group_class(id),
        (Some(_), _) => PqClass::Classical,
        (None, None) => PqClass::None,
        // RFC 8446 §4.2.9: `psk_ke` has no group.
        (None, Some(version)) if version.is_1_3() => PqClass::None,
        // RFC 4279 §2: the premaster secret is made of the shared key and nothing else.
        (None, Some(_)) if suite.is_some_and(|s| s.key_exchange == "PSK") => PqClass::None,
        // Up to TLS 1.2 nobody has agreed on anything else.
        (None, Some(_)) => PqClass::Classical,
    }
}

/// What an SSH key exchange method is worth against a quantum computer.
pub(crate) fn ssh_kex_class(name: &str) -> PqClass {
    const HYBRID: &[&str] = &["mlkem768", "mlkem1024", "sntrup761", "sntrup4591761"];
    if HYBRID.iter().any(|h| name.starts_with(h)) {
        PqClass::Hybrid
    } else {
        PqClass::Classical
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn post_quantum_classes() {
        assert_eq!(group_name(0x11EC), Some("X25519MLKEM768"));
        assert_eq!(group_class(0x11EC), PqClass::Hybrid);
        assert_eq!(group_class(0x0201), PqClass::Pq);
        assert_eq!(group_class(0x001D), PqClass::Classical);
        assert_eq!(ssh_kex_class("mlkem768x25519-sha256"), PqClass::Hybrid);
        assert_eq!(
            ssh_kex_class("sntrup761x25519-sha512@openssh.com"),
            PqClass::Hybrid
        );
        assert_eq!(ssh_kex_class("curve25519-sha256"), PqClass::Classical);
    }
}
