//! The significant attributes of a security session: what tells one session from another.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::record::{
    Certificate, IpsecFacts, Oid, PqClass, Protocol, Record, Source, SshFacts, TlsFacts,
};
use crate::text::Text;

/// Which attributes tell sessions apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Detail {
    /// Those that z/OS compares: serial numbers and ends of validity of certificates are not among
    /// them.
    #[default]
    Base,
    /// Serial numbers and ends of validity of certificates as well, for records that have them.
    Certificates,
}

/// The significant attributes of one session. Fields of the facts that are not significant are
/// empty.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Attributes {
    /// What protects: [`Protocol::None`] for connections without protection.
    pub protocol: Protocol,
    /// The handshake failed: nothing is known but source and negotiated cipher.
    pub failed: bool,
    /// Who told them.
    pub source: Source,
    /// Worth of the key exchange against a quantum computer. Told, not compared: the first
    /// connection of the session decides.
    pub pq: PqClass,
    /// The attributes.
    pub facts: Facts,
}

/// Attributes by protocol.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Facts {
    /// There are none.
    #[default]
    None,
    /// Of TLS, DTLS and QUIC.
    Tls(Box<TlsFacts>),
    /// Of SSH.
    Ssh(Box<SshFacts>),
    /// Of an IPsec tunnel.
    Ipsec(Box<IpsecFacts>),
}

/// One of the sessions of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// No protection.
    None,
    /// The protocol of the record.
    Main,
    /// A handshake of the record's protocol that failed.
    Failed,
    /// The tunnel below it.
    Ipsec,
}

impl Part {
    /// The sessions of a connection: the protocol that was negotiated and the tunnel below it, or
    /// that there is none.
    pub(super) fn of(record: &Record) -> [Option<Self>; 2] {
        let main = match record.protocol {
            Protocol::None | Protocol::Ipsec => None,
            _ if record.failed => Some(Self::Failed),
            // A handshake that is not finished protects nothing yet.
            _ if record.established == Some(false) => None,
            Protocol::Tls
            | Protocol::Ssh
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard => Some(Self::Main),
        };
        let ipsec = record.ipsec.is_some().then_some(Self::Ipsec);
        match (main, ipsec) {
            (None, None) => [Some(Self::None), None],
            both => [both.0, both.1],
        }
    }

    /// The protocol under which it is counted.
    pub(super) const fn protocol(self, record: &Record) -> Protocol {
        match self {
            Self::None => Protocol::None,
            Self::Main | Self::Failed => record.protocol,
            Self::Ipsec => Protocol::Ipsec,
        }
    }

    /// Writes the significant attributes in a form that is the same for equal attributes and
    /// different for others: it is compared, hashed, and part of the session's identifier.
    pub(super) fn canonical(self, record: &Record, detail: Detail, out: &mut Vec<u8>) {
        out.clear();
        let mut c = Canonical { out, detail };
        c.byte(self as u8);
        c.bytes(self.protocol(record).name().as_bytes());
        match self {
            Self::None => {}
            Self::Failed => {
                c.byte(record.source as u8);
                c.number(record.tls.cipher.map(|s| s.0));
            }
            Self::Main => {
                c.byte(record.source as u8);
                match record.protocol {
                    Protocol::Tls | Protocol::Dtls | Protocol::Quic => c.tls(&record.tls),
                    Protocol::Ssh => c.ssh(&record.ssh),
                    Protocol::None
                    | Protocol::Ike
                    | Protocol::Esp
                    | Protocol::Ah
                    | Protocol::Wireguard
                    | Protocol::Ipsec => {}
                }
            }
            Self::Ipsec => {
                if let Some(ipsec) = &record.ipsec {
                    c.ipsec(ipsec);
                }
            }
        }
    }

    /// The same as values. Allocates; done once for each set of attributes.
    pub(super) fn attributes(self, record: &Record, detail: Detail) -> Attributes {
        let failed = self == Self::Failed;
        let tls = || {
            matches!(
                record.protocol,
                Protocol::Tls | Protocol::Dtls | Protocol::Quic
            )
        };
        let facts = match self {
            Self::None => Facts::None,
            Self::Failed if tls() => Facts::Tls(Box::new(TlsFacts {
                cipher: record.tls.cipher,
                ..TlsFacts::default()
            })),
            Self::Main if tls() => Facts::Tls(Box::new(significant_tls(&record.tls, detail))),
            Self::Main if record.protocol == Protocol::Ssh => {
                Facts::Ssh(Box::new(significant_ssh(&record.ssh, detail)))
            }
            Self::Main | Self::Failed => Facts::None,
            Self::Ipsec => record.ipsec.as_deref().map_or(Facts::None, |ipsec| {
                Facts::Ipsec(Box::new(significant_ipsec(ipsec, detail)))
            }),
        };
        Attributes {
            protocol: self.protocol(record),
            failed,
            source: match self {
                Self::Main | Self::Failed => record.source,
                Self::None => Source::Observed,
                Self::Ipsec => Source::Advised,
            },
            pq: match self {
                Self::Main => record.pq,
                Self::None | Self::Failed | Self::Ipsec => PqClass::None,
            },
            facts,
        }
    }
}

fn significant_certificate(c: &Certificate, detail: Detail) -> Certificate {
    let mut kept = Certificate {
        subject: c.subject.clone(),
        issuer: c.issuer.clone(),
        signature: c.signature,
        key: c.key,
        curve: c.curve,
        key_bits: c.key_bits,
        ..Certificate::default()
    };
    if detail == Detail::Certificates {
        kept.serial = c.serial.clone();
        kept.not_after = c.not_after;
    }
    kept
}

fn significant_tls(t: &TlsFacts, detail: Detail) -> TlsFacts {
    TlsFacts {
        version: t.version,
        cipher: t.cipher,
        // Of TLS 1.3 the kind of group is the key exchange.
        group: t.group,
        resumed: uses_psk(t).then_some(true),
        raw_public_key: t.raw_public_key,
        encrypt_then_mac: t.encrypt_then_mac,
        server_cert: significant_certificate(&t.server_cert, detail),
        client_cert: significant_certificate(&t.client_cert, detail),
        quic_version: t.quic_version,
        ..TlsFacts::default()
    }
}

fn significant_ssh(s: &SshFacts, detail: Detail) -> SshFacts {
    let certificate = |c: &Option<Box<Certificate>>| {
        c.as_deref()
            .map(|c| Box::new(significant_certificate(c, detail)))
    };
    let direction = |d: &crate::record::SshDirection| crate::record::SshDirection {
        cipher: d.cipher.clone(),
        mac: d.mac.clone(),
        compression: Text::default(),
    };
    SshFacts {
        protocol: s.protocol,
        kex: s.kex.clone(),
        c2s: direction(&s.c2s),
        s2c: direction(&s.s2c),
        host_key_type: s.host_key_type.clone(),
        host_key_bits: s.host_key_bits,
        client_key_type: s.client_key_type.clone(),
        client_key_bits: s.client_key_bits,
        server_cert: certificate(&s.server_cert),
        client_cert: certificate(&s.client_cert),
        authentication: s.authentication.clone(),
        ..SshFacts::default()
    }
}

fn significant_ipsec(i: &IpsecFacts, detail: Detail) -> IpsecFacts {
    let certificate =
        |c: &Option<Certificate>| c.as_ref().map(|c| significant_certificate(c, detail));
    IpsecFacts {
        local: i.local,
        remote: i.remote,
        protocol: i.protocol,
        encapsulation: i.encapsulation,
        transforms: i.transforms,
        ike: i.ike.as_ref().map(|k| crate::record::IkeFacts {
            major: k.major,
            minor: k.minor,
            transforms: k.transforms,
            local_method: k.local_method,
            remote_method: k.remote_method,
            local_cert: certificate(&k.local_cert),
            remote_cert: certificate(&k.remote_cert),
            ..crate::record::IkeFacts::default()
        }),
        ..IpsecFacts::default()
    }
}

/// Whether a pre-shared key counts as a significant attribute: TLS 1.3 only.
fn uses_psk(t: &TlsFacts) -> bool {
    t.resumed == Some(true) && t.version.is_some_and(crate::record::TlsVersion::is_1_3)
}

/// Writes values so that different sequences give different bytes.
struct Canonical<'a> {
    out: &'a mut Vec<u8>,
    detail: Detail,
}

impl Canonical<'_> {
    fn byte(&mut self, b: u8) {
        self.out.push(b);
    }

    fn number(&mut self, n: Option<u32>) {
        // What is absent is a number that none of the fields can have.
        self.out
            .extend_from_slice(&n.unwrap_or(u32::MAX).to_be_bytes());
    }

    fn bytes(&mut self, b: &[u8]) {
        self.out.extend_from_slice(&(b.len() as u32).to_be_bytes());
        self.out.extend_from_slice(b);
    }

    fn text(&mut self, t: &Text) {
        self.bytes(t.get().unwrap_or("").as_bytes());
    }

    fn address(&mut self, a: Option<core::net::IpAddr>) {
        match a {
            None => self.bytes(&[]),
            Some(core::net::IpAddr::V4(a)) => self.bytes(&a.octets()),
            Some(core::net::IpAddr::V6(a)) => self.bytes(&a.octets()),
        }
    }

    fn oid(&mut self, oid: Option<Oid>) {
        self.bytes(oid.as_ref().map_or(&[], Oid::content));
    }

    fn certificate(&mut self, c: &Certificate) {
        self.oid(c.signature);
        self.oid(c.key);
        self.oid(c.curve);
        self.number(Some(c.key_bits.into()));
        self.text(&c.subject);
        self.text(&c.issuer);
        if self.detail == Detail::Certificates {
            self.text(&c.serial);
            if let Some(t) = c.not_after {
                self.out.extend_from_slice(&t.year.to_be_bytes());
                self.out
                    .extend_from_slice(&[t.month, t.day, t.hour, t.minute, t.second]);
            } else {
                self.byte(0xFF);
            }
        }
    }

    fn tls(&mut self, t: &TlsFacts) {
        self.number(t.version.map(|v| v.0.into()));
        self.number(t.cipher.map(|c| c.0));
        // Not the group but its kind, which is the key exchange of TLS 1.3; with other versions
        // the suite says it.
        let is_1_3 = t.version.is_some_and(crate::record::TlsVersion::is_1_3);
        self.byte(if is_1_3 { kind_of_group(t.group) } else { 0 });
        self.byte(
            u8::from(t.encrypt_then_mac)
                | u8::from(t.raw_public_key == Some(true)) << 1
                | u8::from(uses_psk(t)) << 2,
        );
        self.certificate(&t.server_cert);
        self.certificate(&t.client_cert);
        self.number(t.quic_version);
    }

    fn ssh(&mut self, s: &SshFacts) {
        self.byte(s.protocol.unwrap_or(0));
        for text in [
            &s.kex,
            &s.c2s.cipher,
            &s.c2s.mac,
            &s.s2c.cipher,
            &s.s2c.mac,
            &s.host_key_type,
            &s.client_key_type,
        ] {
            self.text(text);
        }
        for method in &s.authentication {
            self.text(method);
        }
        self.number(Some(s.host_key_bits.into()));
        self.number(Some(s.client_key_bits.into()));
        for certificate in [&s.server_cert, &s.client_cert] {
            match certificate.as_deref() {
                Some(c) => self.certificate(c),
                None => self.byte(0),
            }
        }
    }

    fn transforms(&mut self, t: &hostward_hook::protection::Transforms) {
        self.number(t.encryption.map(Into::into));
        self.number(Some(t.encryption_bits.into()));
        self.number(t.prf.map(Into::into));
        self.number(t.integrity.map(Into::into));
        self.number(t.group.map(Into::into));
    }

    fn ipsec(&mut self, i: &IpsecFacts) {
        self.address(i.local);
        self.address(i.remote);
        self.byte(i.protocol);
        self.byte(i.encapsulation.map_or(0, |e| e as u8 + 1));
        self.transforms(&i.transforms);
        let Some(ike) = &i.ike else {
            return self.byte(0);
        };
        self.byte(1);
        self.byte(ike.major);
        self.byte(ike.minor);
        self.transforms(&ike.transforms);
        self.number(ike.local_method.map(Into::into));
        self.number(ike.remote_method.map(Into::into));
        for certificate in [&ike.local_cert, &ike.remote_cert] {
            match certificate {
                Some(c) => self.certificate(c),
                None => self.byte(0),
            }
        }
    }
}

/// 0 not known, 1 elliptic curve (hybrids among them), 2 finite field.
const fn kind_of_group(group: Option<crate::record::Group>) -> u8 {
    use crate::record::Group;
    match group {
        None => 0,
        Some(Group::Named(0x0100..=0x01FF) | Group::Dh(_)) => 2,
        Some(Group::Named(_) | Group::Explicit) => 1,
    }
}
