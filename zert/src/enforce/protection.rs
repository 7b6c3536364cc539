//! How a connection is protected, as rules ask for it: conditions that are true, false or unknown.

use core::ops::RangeInclusive;

use alloc::boxed::Box;
use alloc::vec::Vec;

use hostward_hook::protection::{Encapsulation, Transforms};

use super::algorithms::{self, Suite};
use crate::record::{
    self, Group, IpsecFacts, PqClass, Protocol, Record, SshFacts, TlsFacts, TlsVersion,
};

/// Three-valued truth: what is not known satisfies no condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "three values")]
pub enum Truth {
    /// It is not so.
    False,
    /// It cannot be told.
    Unknown,
    /// It is so.
    True,
}

impl From<bool> for Truth {
    fn from(b: bool) -> Self {
        if b { Self::True } else { Self::False }
    }
}

impl Truth {
    /// Both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::False, _) | (_, Self::False) => Self::False,
            (Self::True, Self::True) => Self::True,
            _ => Self::Unknown,
        }
    }

    /// One of both at least.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::True, _) | (_, Self::True) => Self::True,
            (Self::False, Self::False) => Self::False,
            _ => Self::Unknown,
        }
    }

    /// Whether it is so.
    #[must_use]
    pub const fn is_true(self) -> bool {
        matches!(self, Self::True)
    }
}

/// What protects: each is a session of its own, which is matched on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Kind {
    /// Nothing that is recognised.
    None,
    /// TLS or SSL.
    Tls,
    /// SSH.
    Ssh,
    /// IPsec.
    Ipsec,
}

impl Kind {
    /// The name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Tls => "TLS",
            Self::Ssh => "SSH",
            Self::Ipsec => "IPSec",
        }
    }
}

/// Whether all conditions must be true or one suffices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "and, or")]
pub enum Match {
    /// All.
    #[default]
    All,
    /// One.
    Any,
}

/// A name of an algorithm, or a part of names.
///
/// Algorithms of TLS and IPsec are called after their parts, such as `AES-128-GCM` and `3DES-168-CBC`; a pattern
/// matches when its parts are among those of the name in the same order: `CBC`, `AES-128`, `AES-CBC` and `3DES`,
/// but not `DES`, match accordingly. Names of SSH are matched whole, with one `*` for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// Of its text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Of several texts.
    #[must_use]
    pub fn list(texts: &[&str]) -> Vec<Self> {
        texts.iter().map(|t| Self::new(t)).collect()
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn parts(&self, name: &str) -> bool {
        let mut parts = name.split('-');
        self.0
            .split('-')
            .all(|want| parts.any(|part| part.eq_ignore_ascii_case(want)))
    }

    fn glob(&self, name: &str) -> bool {
        match self.0.split_once('*') {
            None => self.0.eq_ignore_ascii_case(name),
            Some((start, end)) => {
                let (name, start, end) = (name.as_bytes(), start.as_bytes(), end.as_bytes());
                name.split_at_checked(start.len())
                    .and_then(|(begin, rest)| {
                        let at = rest.len().checked_sub(end.len())?;
                        let (_, tail) = rest.split_at_checked(at)?;
                        let fits =
                            begin.eq_ignore_ascii_case(start) && tail.eq_ignore_ascii_case(end);
                        Some(fits)
                    })
                    .unwrap_or(false)
            }
        }
    }

    /// Key exchanges of TLS: whole names such as `RSA`, and kinds of them.
    fn key_exchange(&self, name: &str) -> bool {
        const KINDS: &[&str] = &[
            "ANON", "EXPORT", "PSK", "DH", "DHE", "ECDH", "ECDHE", "KRB5", "SRP",
        ];
        let kind = KINDS.iter().any(|k| k.eq_ignore_ascii_case(&self.0));
        name.eq_ignore_ascii_case(&self.0)
            || kind && name.split('_').any(|p| p.eq_ignore_ascii_case(&self.0))
    }
}

/// One condition. Those that do not go with what protects are unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Condition {
    /// Version of TLS; drafts of 1.3 count as 1.3.
    TlsVersion(RangeInclusive<TlsVersion>),
    /// Bulk cipher of TLS or IPsec.
    Cipher(Vec<Pattern>),
    /// Message authentication of TLS or IPsec; `AEAD` for ciphers that need none.
    Mac(Vec<Pattern>),
    /// Key exchange of TLS.
    KeyExchange(Vec<Pattern>),
    /// Signature on the TLS server's certificate.
    Signature(Vec<Pattern>),
    /// Type of the TLS server's key.
    KeyType(Vec<Pattern>),
    /// Bits of the TLS server's key or the SSH host key.
    KeyLength(RangeInclusive<u16>),
    /// Group of a TLS key exchange by its registered name, `dh2048` for unnamed ones.
    Group(Vec<Pattern>),
    /// What the key exchange is worth against a quantum computer.
    PostQuantum(Vec<PqClass>),
    /// Version of SSH.
    SshVersion(u8),
    /// Cipher of SSH, either way.
    SshCipher(Vec<Pattern>),
    /// Cipher of SSH for what is received.
    SshCipherIn(Vec<Pattern>),
    /// Cipher of SSH for what is sent.
    SshCipherOut(Vec<Pattern>),
    /// MAC of SSH, either way; `AEAD` for ciphers that need none.
    SshMac(Vec<Pattern>),
    /// MAC of SSH for what is received.
    SshMacIn(Vec<Pattern>),
    /// MAC of SSH for what is sent.
    SshMacOut(Vec<Pattern>),
    /// Key exchange of SSH.
    SshKeyExchange(Vec<Pattern>),
    /// Type of the SSH host key.
    SshHostKey(Vec<Pattern>),
    /// Tunnel or transport mode of IPsec.
    Mode(Encapsulation),
    /// IP protocol of IPsec: 50 for ESP, 51 for AH.
    Header(u8),
    /// Diffie-Hellman group of the IKE association, by number.
    DhGroup(Vec<u16>),
    /// Group of the IPsec associations' own key exchange (perfect forward secrecy), by number.
    PfsGroup(Vec<u16>),
    /// Major version of IKE.
    IkeVersion(u8),
}

/// A way to be protected.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Protection {
    /// What protects.
    pub kind: Kind,
    /// How; anything when empty.
    pub conditions: Vec<Condition>,
    /// How the conditions go together.
    pub together: Match,
}

impl Protection {
    /// Anything of a kind.
    #[must_use]
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            conditions: Vec::new(),
            together: Match::All,
        }
    }

    /// All conditions.
    #[must_use]
    pub const fn all(kind: Kind, conditions: Vec<Condition>) -> Self {
        Self {
            kind,
            conditions,
            together: Match::All,
        }
    }

    /// One of the conditions.
    #[must_use]
    pub const fn any(kind: Kind, conditions: Vec<Condition>) -> Self {
        Self {
            kind,
            conditions,
            together: Match::Any,
        }
    }

    /// Whether everything that matches `other` matches this, by their texts.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.kind == other.kind && (self.conditions.is_empty() || self == other)
    }

    /// Whether one of a connection's sessions is protected in this way.
    #[must_use]
    pub fn matches(&self, seen: &Observed<'_>, kind: Kind) -> Truth {
        if self.kind != kind {
            return Truth::False;
        }
        let mut tests = self.conditions.iter().map(|c| c.test(seen, kind));
        match self.together {
            Match::All => tests.fold(Truth::True, Truth::and),
            Match::Any if self.conditions.is_empty() => Truth::True,
            Match::Any => tests.by_ref().fold(Truth::False, Truth::or),
        }
    }
}

/// What rules may look at: for TLS and SSH only what was observed on the stream, whatever a provider told beside.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Observed<'r> {
    /// What protects the stream, [`Kind::None`] for nothing; `None` where that cannot be told.
    pub stream: Option<Kind>,
    tls: Option<&'r TlsFacts>,
    ssh: Option<&'r SshFacts>,
    ipsec: Option<&'r IpsecFacts>,
    pq: PqClass,
    local_is_client: bool,
}

impl<'r> Observed<'r> {
    /// What a record has to say to rules.
    ///
    /// A handshake that failed is no session. Where the beginning of the stream was not seen, bytes are missing or a
    /// bound was reached, nothing found does not mean nothing there.
    #[must_use]
    pub fn of(record: &'r Record) -> Self {
        let advised = record.source == record::Source::Advised;
        let blind = record.midstream || record.gap || record.cut;
        let done = record.established == Some(true) || advised;
        let stream = match record.protocol {
            Protocol::Tls if done => Some(Kind::Tls),
            Protocol::Ssh if done => Some(Kind::Ssh),
            Protocol::None | Protocol::Ipsec if !blind => Some(Kind::None),
            Protocol::Tls | Protocol::Ssh if record.failed && !blind => Some(Kind::None),
            Protocol::None
            | Protocol::Ipsec
            | Protocol::Tls
            | Protocol::Ssh
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard => None,
        };
        // What a provider told is not to be looked at, but what was seen beside it.
        let (tls, ssh) = match record.observed() {
            record::Observed::Nothing => (None, None),
            record::Observed::Tls(tls) => (Some(tls), None),
            record::Observed::Ssh(ssh) => (None, Some(ssh)),
        };
        Self {
            stream,
            tls,
            ssh,
            ipsec: record.ipsec.as_deref(),
            pq: if advised { PqClass::None } else { record.pq },
            local_is_client: record.local_is_client,
        }
    }

    /// The sessions that are matched, each on its own: those of the stream and of IPsec, or nothing.
    #[must_use]
    pub fn sessions(&self) -> [Option<Kind>; 2] {
        let ipsec = self.ipsec.map(|_| Kind::Ipsec);
        match self.stream {
            Some(Kind::None) if ipsec.is_some() => [None, ipsec],
            stream => [stream, ipsec],
        }
    }

    fn suite(&self) -> Option<Suite> {
        algorithms::suite(self.tls?.cipher?)
    }

    fn key_exchange(&self) -> Option<&'static str> {
        let tls = self.tls?;
        match self.suite()?.key_exchange {
            // TLS 1.3: the group tells finite fields from curves; without one it is a pre-shared key alone.
            "GROUP" => match tls.group {
                Some(Group::Named(0x0100..=0x01FF) | Group::Dh(_)) => Some("DHE"),
                Some(Group::Named(_) | Group::Explicit) => Some("ECDHE"),
                None => None,
            },
            name => Some(name),
        }
    }

    /// The SSH cipher and MAC in use of what is received (`true`) or sent.
    fn ssh(&self, inbound: bool) -> Option<(Option<&'r str>, Option<&'r str>)> {
        let ssh = self.ssh?;
        let way = if inbound == self.local_is_client {
            &ssh.s2c
        } else {
            &ssh.c2s
        };
        let mac = if way.mac_implicit() == Some(true) {
            Some("AEAD")
        } else {
            way.mac.get()
        };
        Some((way.cipher.get(), mac))
    }

    fn cipher_in(&self, inbound: bool) -> Option<&'r str> {
        self.ssh(inbound)?.0
    }

    fn mac_in(&self, inbound: bool) -> Option<&'r str> {
        self.ssh(inbound)?.1
    }

    fn pq(&self, kind: Kind) -> Option<PqClass> {
        if kind != Kind::Ipsec {
            return Some(self.pq).filter(|p| *p != PqClass::None);
        }
        let transforms = &self.ipsec?.ike.as_ref()?.transforms;
        let group = transforms.group?;
        let extra = transforms.additional_groups.iter().flatten();
        let pq = extra.copied().any(is_post_quantum);
        Some(match (is_post_quantum(group), pq) {
            (true, _) => PqClass::Pq,
            (false, true) => PqClass::Hybrid,
            (false, false) => PqClass::Classical,
        })
    }
}

/// ML-KEM as a key exchange method of IKEv2 (IANA: 35 to 37).
const fn is_post_quantum(group: u16) -> bool {
    matches!(group, 35..=37)
}

fn among<T: ?Sized>(value: Option<&T>, list: &[Pattern], fits: fn(&Pattern, &T) -> bool) -> Truth {
    value.map_or(Truth::Unknown, |v| list.iter().any(|p| fits(p, v)).into())
}

fn known<T>(value: Option<T>, test: impl FnOnce(T) -> bool) -> Truth {
    value.map_or(Truth::Unknown, |v| test(v).into())
}

impl Condition {
    /// Whether it goes with what protects at all.
    #[must_use]
    pub const fn goes_with(&self, kind: Kind) -> bool {
        match self {
            Self::TlsVersion(_)
            | Self::KeyExchange(_)
            | Self::Signature(_)
            | Self::KeyType(_)
            | Self::Group(_) => matches!(kind, Kind::Tls),
            Self::Cipher(_) | Self::Mac(_) => matches!(kind, Kind::Tls | Kind::Ipsec),
            Self::KeyLength(_) => matches!(kind, Kind::Tls | Kind::Ssh),
            Self::PostQuantum(_) => !matches!(kind, Kind::None),
            Self::SshVersion(_)
            | Self::SshCipher(_)
            | Self::SshCipherIn(_)
            | Self::SshCipherOut(_)
            | Self::SshMac(_)
            | Self::SshMacIn(_)
            | Self::SshMacOut(_)
            | Self::SshKeyExchange(_)
            | Self::SshHostKey(_) => matches!(kind, Kind::Ssh),
            Self::Mode(_)
            | Self::Header(_)
            | Self::DhGroup(_)
            | Self::PfsGroup(_)
            | Self::IkeVersion(_) => matches!(kind, Kind::Ipsec),
        }
    }

    fn test(&self, seen: &Observed<'_>, kind: Kind) -> Truth {
        if !self.goes_with(kind) {
            return Truth::Unknown;
        }
        let is_tls = kind == Kind::Tls;
        let ipsec = seen.ipsec;
        let ike = ipsec.and_then(|i| i.ike.as_ref());
        let parts = Pattern::parts;
        let glob = Pattern::glob;
        match self {
            Self::TlsVersion(range) => known(seen.tls.and_then(|t| t.version), |v| {
                range.contains(&if v.is_1_3() { TlsVersion(0x0304) } else { v })
            }),
            Self::Cipher(list) if is_tls => among(seen.suite().map(|s| s.cipher), list, parts),
            Self::Cipher(list) => among(ipsec.and_then(esp_cipher), list, parts),
            Self::Mac(list) if is_tls => among(seen.suite().map(|s| s.mac), list, parts),
            Self::Mac(list) => among(ipsec.and_then(esp_mac), list, parts),
            Self::KeyExchange(list) => among(seen.key_exchange(), list, Pattern::key_exchange),
            Self::Signature(list) => {
                let oid = seen.tls.and_then(|t| t.server_cert.signature);
                among(oid.and_then(|o| algorithms::signature(&o)), list, parts)
            }
            Self::KeyType(list) => {
                let oid = seen.tls.and_then(|t| t.server_cert.key);
                among(oid.and_then(|o| algorithms::key_type(&o)), list, parts)
            }
            Self::KeyLength(range) => {
                let bits = if is_tls {
                    seen.tls.map(|t| t.server_cert.key_bits)
                } else {
                    seen.ssh.map(|s| s.host_key_bits)
                };
                known(bits.filter(|b| *b > 0), |b| range.contains(&b))
            }
            Self::Group(list) => {
                let group = seen.tls.and_then(|t| t.group);
                let name = group.map(crate::text::Inline::<32>::of);
                among(name.as_ref().map(|n| n.as_str()), list, glob)
            }
            Self::PostQuantum(list) => known(seen.pq(kind), |p| list.contains(&p)),
            Self::SshVersion(v) => known(seen.ssh.and_then(|s| s.protocol), |p| p == *v),
            Self::SshCipher(list) => {
                among(seen.cipher_in(true), list, glob).or(among(seen.cipher_in(false), list, glob))
            }
            Self::SshCipherIn(list) => among(seen.cipher_in(true), list, glob),
            Self::SshCipherOut(list) => among(seen.cipher_in(false), list, glob),
            Self::SshMac(list) => {
                among(seen.mac_in(true), list, glob).or(among(seen.mac_in(false), list, glob))
            }
            Self::SshMacIn(list) => among(seen.mac_in(true), list, glob),
            Self::SshMacOut(list) => among(seen.mac_in(false), list, glob),
            Self::SshKeyExchange(list) => among(seen.ssh.and_then(|s| s.kex.get()), list, glob),
            Self::SshHostKey(list) => {
                among(seen.ssh.and_then(|s| s.host_key_type.get()), list, glob)
            }
            Self::Mode(mode) => known(ipsec.and_then(|i| i.encapsulation), |m| m == *mode),
            Self::Header(header) => known(ipsec.map(|i| i.protocol).filter(|p| *p > 0), |p| {
                p == *header
            }),
            Self::DhGroup(list) => {
                known(ike.and_then(|i| i.transforms.group), |g| list.contains(&g))
            }
            Self::PfsGroup(list) => known(ipsec.and_then(|i| i.transforms.group), |g| {
                list.contains(&g)
            }),
            Self::IkeVersion(v) => known(ike.map(|i| i.major).filter(|m| *m > 0), |m| m == *v),
        }
    }
}

fn esp_cipher(ipsec: &IpsecFacts) -> Option<&'static str> {
    let Transforms {
        encryption,
        encryption_bits,
        ..
    } = ipsec.transforms;
    algorithms::ipsec_cipher(encryption?, encryption_bits)
}

fn esp_mac(ipsec: &IpsecFacts) -> Option<&'static str> {
    let t = &ipsec.transforms;
    if t.encryption.is_some_and(algorithms::is_combined) {
        return Some("AEAD");
    }
    algorithms::ipsec_mac(t.integrity?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_tables() {
        use Truth::{False as F, True as T, Unknown as U};
        for (a, b, and, or) in [
            (F, F, F, F),
            (F, U, F, U),
            (F, T, F, T),
            (U, U, U, U),
            (U, T, U, T),
            (T, T, T, T),
        ] {
            assert_eq!([a.and(b), b.and(a), a.or(b), b.or(a)], [and, and, or, or]);
        }
    }

    #[test]
    fn parts_of_names() {
        let fits = |p: &str, n: &str| Pattern::new(p).parts(n);
        assert!(fits("CBC", "AES-128-CBC") && fits("aes-cbc", "AES-128-CBC"));
        assert!(fits("AES-128", "AES-128-GCM") && fits("3DES", "3DES-168-CBC"));
        assert!(!fits("DES", "3DES-168-CBC") && !fits("CBC-AES", "AES-128-CBC"));
        assert!(fits("SHA1", "HMAC-SHA1") && !fits("SHA1", "HMAC-SHA256"));
    }

    #[test]
    fn key_exchanges() {
        let fits = |p: &str, n: &str| Pattern::new(p).key_exchange(n);
        assert!(fits("RSA", "RSA") && !fits("RSA", "ECDHE_RSA") && !fits("RSA", "RSA_EXPORT"));
        assert!(fits("ANON", "DH_ANON_EXPORT") && fits("export", "RSA_EXPORT"));
        assert!(fits("DHE", "DHE_RSA") && !fits("DHE", "ECDHE_RSA"));
    }

    #[test]
    fn names_of_ssh() {
        let fits = |p: &str, n: &str| Pattern::new(p).glob(n);
        assert!(fits("*-cbc", "aes128-cbc") && !fits("*-cbc", "cbc"));
        assert!(fits("arcfour*", "arcfour256") && fits("ssh-rsa", "ssh-rsa"));
        assert!(!fits("aes*aes", "aes") && fits("aes*aes", "aesaes") && fits("*", ""));
    }
}
