//! The inventory: how connections were protected, by server and port, worst first.
//!
//! [`Inventory::add`] takes connections one by one, whatever they were read from, and counts those of
//! the same service with the same protection together. What is kept is bounded; what found no place
//! is counted.

pub mod cbom;
pub mod eve;
pub mod grade;
pub mod rows;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use hostward::hook::UnixTime;
use hostward::hook::event::Value;
use hostward::zert::aggregate::ip_protocol;
use hostward::zert::record::{Certificate, Field, Protocol};
use hostward::zert::{CertTime, Record};

pub use grade::{Grade, grade};

/// Services with different protections that are told apart.
const SERVICES: usize = 100_000;
/// Certificates that are told apart.
const CERTIFICATES: usize = 100_000;
/// Names and places that are kept of each of them.
const KEPT: usize = 16;

/// How far the handshake of a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum State {
    /// There was none.
    Clear,
    /// It was completed.
    Established,
    /// It failed.
    Failed,
    /// It was neither completed nor failed in what was seen.
    Unfinished,
}

/// A service: where it listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "an address, a port, a protocol")]
pub struct Place {
    /// Address of the server.
    pub server: IpAddr,
    /// Its port.
    pub port: u16,
    /// IP protocol.
    pub transport: u8,
}

impl Place {
    /// The IP protocol's name.
    #[must_use]
    pub const fn transport_name(&self) -> &'static str {
        match self.transport {
            17 => "udp",
            50 => "esp",
            51 => "ah",
            _ => "tcp",
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = std::net::SocketAddr::new(self.server, self.port);
        write!(f, "{end}/{}", self.transport_name())
    }
}

/// How connections of a service were protected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "made from a record")]
pub struct Protection {
    /// What it is worth.
    pub grade: Grade,
    /// Protocol.
    pub protocol: &'static str,
    /// How far its handshakes came.
    pub state: State,
    /// Version; of ESP whether it travels in UDP.
    pub version: Option<String>,
    /// Cipher suite, the cipher of SSH from client to server, or the encryption of IKE or a tunnel.
    pub cipher: Option<String>,
    /// Number of the cipher suite.
    pub suite: Option<u32>,
    /// Message authentication of SSH, IKE or a tunnel, where the cipher needs one.
    pub mac: Option<String>,
    /// Group, or key exchange method of SSH, IKE or a tunnel.
    pub key_exchange: Option<String>,
    /// Whether a quantum computer would open it; `None` if not known.
    pub quantum_safe: Option<bool>,
    /// Whether a tunnel lies below.
    pub ipsec: bool,
    /// Who told it.
    pub source: &'static str,
    /// Why it is worth no more.
    pub reasons: Vec<&'static str>,
}

impl Protection {
    /// Of a connection.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let state = if record.protocol == Protocol::None {
            State::Clear
        } else if record.failed {
            State::Failed
        } else if record.established == Some(false) {
            State::Unfinished
        } else {
            State::Established
        };
        let ipsec = record.ipsec.is_some();
        let (grade, reasons) = match state {
            State::Failed => (Grade::None, vec!["handshake failed"]),
            State::Unfinished => (Grade::Unknown, vec!["handshake not finished"]),
            // The tunnel protects what is clear in it.
            State::Clear if ipsec => (Grade::Unknown, vec!["key exchange not known"]),
            State::Clear | State::Established => grade(record),
        };
        let text = |t: &hostward::zert::Text| t.get().map(str::to_owned);
        let shown = |v: Option<&dyn std::fmt::Display>| v.map(ToString::to_string);
        let (t, s) = (&record.tls, &record.ssh);
        let is_tls = matches!(
            record.protocol,
            Protocol::Tls | Protocol::Dtls | Protocol::Quic
        );
        let mut me = Self {
            grade,
            protocol: record.protocol.name(),
            state,
            version: None,
            cipher: None,
            suite: None,
            mac: None,
            key_exchange: None,
            quantum_safe: Grade::is_quantum_safe(record.pq),
            ipsec,
            source: record.source.name(),
            reasons,
        };
        if is_tls {
            me.version = shown(t.version.as_ref().map(|v| v as _));
            me.cipher = shown(t.cipher.as_ref().map(|v| v as _));
            me.suite = t.cipher.map(|c| c.0);
            me.key_exchange = shown(t.group.as_ref().map(|v| v as _));
        } else if record.protocol == Protocol::Ssh {
            me.version = s.protocol.map(|v| format!("SSH-{v}"));
            me.cipher = text(&s.c2s.cipher);
            if s.c2s.mac_implicit() == Some(false) {
                me.mac = text(&s.c2s.mac);
            }
            me.key_exchange = text(&s.kex);
        } else if record.protocol == Protocol::Ike {
            me.fill_ike(record);
        } else {
            me.fill_ipsec(record);
        }
        if !matches!(state, State::Established) {
            me.quantum_safe = None;
        }
        me
    }

    /// What the responder of IKE has chosen, by its names.
    fn fill_ike(&mut self, record: &Record) {
        record.fields(&mut |name, field| match (name, field) {
            ("version", Field::One(Value::Str(version))) => self.version = Some(version.into()),
            ("chosen", Field::Group(chosen)) => {
                for (name, value) in chosen {
                    match (*name, value) {
                        ("encr", Some(Value::Str(v))) => self.cipher = Some((*v).into()),
                        ("key_length", Some(Value::U64(bits))) => {
                            if let Some(cipher) = &mut self.cipher {
                                cipher.push_str(&format!("-{bits}"));
                            }
                        }
                        ("integ" | "hash", Some(Value::Str(v))) => self.mac = Some((*v).into()),
                        ("dh", Some(Value::Str(v))) => self.key_exchange = Some((*v).into()),
                        ("additional", Some(Value::Str(v))) => {
                            if let Some(kex) = &mut self.key_exchange {
                                kex.push_str(&format!(",{v}"));
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        });
    }

    /// The transforms of ESP and AH where they were told; else only how packets travel can be seen.
    fn fill_ipsec(&mut self, record: &Record) {
        if record.spi.is_some_and(|spi| spi.udp_encapsulated) {
            self.version = Some("in UDP".into());
        }
        let is_ipsec = matches!(
            record.protocol,
            Protocol::Esp | Protocol::Ah | Protocol::Ipsec
        );
        if let Some(tunnel) = record.ipsec.as_deref().filter(|_| is_ipsec) {
            let bits = tunnel.transforms.encryption_bits;
            self.cipher = tunnel.encryption_name().map(|name| match bits {
                0 => name.to_owned(),
                bits => format!("{name}-{bits}"),
            });
            self.mac = tunnel.integrity_name().map(str::to_owned);
            self.key_exchange = tunnel.key_exchange_name().map(str::to_owned);
        }
    }

    /// In a few words.
    #[must_use]
    pub fn words(&self) -> String {
        let mut parts: Vec<&str> = Vec::new();
        match (&self.version, self.protocol) {
            (Some(version), "tls" | "ssh") => parts.push(version),
            (Some(version), protocol) => parts.extend([protocol, version]),
            (None, "none") => parts.push("no protection"),
            (None, protocol) => parts.push(protocol),
        }
        for part in [&self.cipher, &self.mac, &self.key_exchange] {
            parts.extend(part.as_deref());
        }
        if self.ipsec && self.protocol != "ipsec" {
            parts.push("in IPsec");
        }
        parts.join(" ")
    }
}

/// What was counted of a service and a protection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Connections.
    pub connections: u64,
    /// Bytes of both directions, IP headers included.
    pub bytes: u64,
    /// When the first one began.
    pub first: UnixTime,
    /// When the last one was seen last.
    pub last: UnixTime,
    /// Names that clients asked for, or SPIs of ESP and AH, some of them.
    pub names: BTreeSet<String>,
    /// Clients, some of them.
    pub clients: BTreeSet<IpAddr>,
    /// Alerts of failed handshakes, some of them.
    pub alerts: BTreeSet<String>,
}

/// A certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// Subject.
    pub subject: Option<String>,
    /// Issuer.
    pub issuer: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// End of validity.
    pub not_after: Option<CertTime>,
    /// Fingerprint.
    pub sha256: Option<String>,
    /// Object identifier of the signature algorithm.
    pub signature: Option<String>,
    /// Object identifier of the key's algorithm.
    pub key: Option<String>,
    /// Length of the key in bits, 0 when not known.
    pub key_bits: u16,
    /// A client showed it (a server otherwise).
    pub is_client: bool,
    /// Services it was shown at, some of them.
    pub places: BTreeSet<Place>,
    /// Connections.
    pub connections: u64,
}

/// The inventory.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Inventory {
    /// What was counted, by protection and service: worst first.
    pub services: BTreeMap<(Protection, Place), Totals>,
    /// Certificates, by end of validity and whatever tells them apart.
    pub certificates: BTreeMap<(Option<CertTime>, String), Seen>,
    /// Connections.
    pub connections: u64,
    /// Connections whose service and protection found no place.
    pub left_out: u64,
    /// Certificates that found no place.
    pub certificates_left_out: u64,
    /// Beginning of the first connection.
    pub first: Option<UnixTime>,
    /// The latest time in the input.
    pub last: UnixTime,
}

fn some<T: Ord>(set: &mut BTreeSet<T>, value: Option<T>) {
    if let Some(value) = value
        && set.len() < KEPT
    {
        set.insert(value);
    }
}

impl Inventory {
    /// Counts so many connections that all are like this one.
    pub fn add(&mut self, record: &Record, connections: u64) {
        self.connections = self.connections.saturating_add(connections);
        let (opened, last) = (record.opened.wall, record.last.wall);
        self.first = Some(self.first.map_or(opened, |f| f.min(opened)));
        self.last = self.last.max(last);
        let place = Place {
            server: record.server.ip(),
            port: record.server.port(),
            transport: ip_protocol(record),
        };
        for (cert, is_client) in [
            (&record.tls.server_cert, false),
            (&record.tls.client_cert, true),
        ] {
            self.certificate(cert, is_client, place, connections);
        }
        let key = (Protection::of(record), place);
        if !self.services.contains_key(&key) && self.services.len() >= SERVICES {
            self.left_out = self.left_out.saturating_add(connections);
            return;
        }
        let totals = self.services.entry(key).or_insert_with(|| Totals {
            first: opened,
            ..Totals::default()
        });
        totals.connections = totals.connections.saturating_add(connections);
        totals.bytes = totals.bytes.saturating_add(record.bytes);
        totals.first = totals.first.min(opened);
        totals.last = totals.last.max(last);
        some(&mut totals.names, record.tls.sni.get().map(str::to_owned));
        let spi = record.spi.map(|s| format!("SPI {:#010x}", s.spi));
        some(&mut totals.names, spi);
        some(&mut totals.clients, Some(record.client.ip()));
        if record.failed {
            for alert in record.tls.alerts.as_slice() {
                let from = if alert.from_client {
                    "client"
                } else {
                    "server"
                };
                let what = alert
                    .name()
                    .map_or_else(|| alert.description.to_string(), str::to_owned);
                some(&mut totals.alerts, Some(format!("{from}: {what}")));
            }
        }
    }

    fn certificate(&mut self, c: &Certificate, is_client: bool, place: Place, connections: u64) {
        let text = |t: &hostward::zert::Text| t.get().map(str::to_owned);
        let sha256 = c.sha256.map(|s| s.to_string());
        let (subject, issuer, serial) = (text(&c.subject), text(&c.issuer), text(&c.serial));
        if sha256.is_none() && subject.is_none() && serial.is_none() {
            return;
        }
        let name = sha256.clone().unwrap_or_else(|| {
            let part = |p: &Option<String>| p.clone().unwrap_or_default();
            [part(&issuer), part(&serial), part(&subject)].join("\n")
        });
        let key = (c.not_after, name);
        if !self.certificates.contains_key(&key) && self.certificates.len() >= CERTIFICATES {
            self.certificates_left_out = self.certificates_left_out.saturating_add(1);
            return;
        }
        let seen = self.certificates.entry(key).or_insert_with(|| Seen {
            subject,
            issuer,
            serial,
            not_after: c.not_after,
            sha256,
            signature: c.signature.map(|o| o.to_string()),
            key: c.key.map(|o| o.to_string()),
            key_bits: c.key_bits,
            is_client,
            ..Seen::default()
        });
        seen.connections = seen.connections.saturating_add(connections);
        some(&mut seen.places, Some(place));
    }

    /// Connections by grade, worst first; failed handshakes apart.
    #[must_use]
    pub fn by_grade(&self) -> (BTreeMap<Grade, u64>, u64) {
        let mut grades = BTreeMap::new();
        let mut failed = 0_u64;
        for ((protection, _), totals) in &self.services {
            if protection.state == State::Failed {
                failed = failed.saturating_add(totals.connections);
            } else {
                let n: &mut u64 = grades.entry(protection.grade).or_default();
                *n = n.saturating_add(totals.connections);
            }
        }
        (grades, failed)
    }

    /// Days from the latest time in the input to the end of a certificate's validity.
    #[must_use]
    pub fn days_left(&self, c: &Seen) -> Option<i64> {
        let end = c.not_after?;
        let now = (self.last.as_secs() / 86_400) as i64;
        Some(days_of(end.year, end.month, end.day) - now)
    }

    /// Certificates whose validity ends within so many days of the latest time in the input, or has
    /// ended; with the days that are left.
    pub fn expiring(&self, days: u32) -> impl Iterator<Item = (i64, &Seen)> {
        self.certificates
            .values()
            .filter_map(move |c| Some((self.days_left(c)?, c)))
            .filter(move |(left, _)| *left <= i64::from(days))
    }
}

/// Days since 1970-01-01 of a date in the Gregorian calendar.
fn days_of(year: u16, month: u8, day: u8) -> i64 {
    // Years are counted from March, so that the leap day is the last of its year.
    let (year, month) = (i64::from(year), i64::from(month));
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let day = (153 * month + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostward::zert::record::{CipherSuite, PqClass, TlsVersion};

    fn tls(port: u16, cipher: u32) -> Record {
        let mut r = Record::default();
        r.protocol = Protocol::Tls;
        r.established = Some(true);
        r.pq = PqClass::Classical;
        r.server = ([192, 0, 2, 1], port).into();
        r.client = ([192, 0, 2, 9], 50_000).into();
        r.tls.version = Some(TlsVersion(0x0303));
        r.tls.cipher = Some(CipherSuite(cipher));
        r.bytes = 100;
        r
    }

    #[test]
    fn the_worst_is_first_and_the_same_is_counted_together() {
        let mut all = Inventory::default();
        all.add(&tls(443, 0xC02F), 1);
        all.add(&tls(443, 0xC02F), 2);
        all.add(&tls(443, 0x0005), 1);
        let mut clear = Record::default();
        clear.server = ([192, 0, 2, 1], 80).into();
        all.add(&clear, 1);
        let mut failed = tls(443, 0xC02F);
        failed.failed = true;
        failed.established = Some(false);
        all.add(&failed, 1);
        let rows: Vec<_> = all
            .services
            .iter()
            .map(|((p, place), t)| (p.grade, p.state, place.port, t.connections))
            .collect();
        assert_eq!(
            rows,
            [
                (Grade::None, State::Clear, 80, 1),
                (Grade::None, State::Failed, 443, 1),
                (Grade::Broken, State::Established, 443, 1),
                (Grade::Classical, State::Established, 443, 3),
            ]
        );
        assert_eq!(all.connections, 6);
        let (grades, failed) = all.by_grade();
        assert_eq!(grades[&Grade::None], 1);
        assert_eq!(failed, 1);
    }

    #[test]
    fn tunnels_show_what_was_told_or_what_is_visible() {
        use hostward::zert::record::{IpsecFacts, SpiSeen};
        use hostward_hook::protection::IpsecTunnel;
        let mut told = IpsecTunnel::default();
        told.protocol = 50;
        told.transforms.encryption = Some(20);
        told.transforms.encryption_bits = 256;
        told.transforms.group = Some(31);
        let mut r = Record::default();
        r.protocol = Protocol::Ipsec;
        r.ipsec = Some(Box::new(IpsecFacts::of(&told)));
        assert_eq!(
            Protection::of(&r).words(),
            "ipsec ENCR_AES_GCM_16-256 curve25519"
        );
        let mut seen = Record::default();
        seen.protocol = Protocol::Esp;
        let mut spi = SpiSeen::default();
        spi.spi = 0xC0FFEE;
        spi.udp_encapsulated = true;
        seen.spi = Some(spi);
        assert_eq!(Protection::of(&seen).words(), "esp in UDP");
        let mut all = Inventory::default();
        all.add(&seen, 1);
        let totals = all.services.values().next().unwrap();
        assert_eq!(totals.names, ["SPI 0x00c0ffee".to_owned()].into());
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        // Checked with GNU date.
        assert_eq!(days_of(1970, 1, 1), 0);
        assert_eq!(days_of(1969, 12, 31), -1);
        assert_eq!(days_of(2000, 2, 29), 11_016);
        assert_eq!(days_of(2026, 11, 22), 20_779);
    }
}
