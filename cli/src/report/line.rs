//! The lines of the machine-readable output, one struct each.
//!
//! Serialized, a line is one JSON object with a `type` and the struct's fields in the order in
//! which they stand here; absent values are null. Times are UTC in the form of RFC 3339 with
//! microseconds.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hostward_hook::time::UnixTime;
use serde::{Serialize, Serializer};

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Line<'a> {
    /// See [`ZertLine`].
    Zert(&'a ZertLine),
    /// See [`ZertEventLine`].
    ZertEvent(&'a ZertEventLine),
    /// See [`EventLine`].
    Event(&'a EventLine),
    /// See [`DecisionLine`].
    Decision(&'a DecisionLine),
    /// See [`SummaryLine`].
    Summary(&'a SummaryLine),
}

/// A point in time as it stands in a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a plain wrapper")]
pub struct Timestamp(pub UnixTime);

impl std::fmt::Display for Timestamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = self.0.as_micros();
        let seconds = micros / 1_000_000;
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        let fraction = micros % 1_000_000;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z"
        )
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Years are counted from March, so that the leap day is the last of its year; 719,468 days
    // lie between 0000-03-01 and the epoch, 146,097 in every 400 years.
    let days = days + 719_468;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let (month, later) = if march_month < 10 {
        (march_month + 3, 0)
    } else {
        (march_month - 9, 1)
    };
    (days / 146_097 * 400 + year_of_era + later, month, day)
}

/// How a connection and its security session were protected.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct ZertLine {
    /// The security protocol.
    pub proto: Proto,
    /// Address of the client.
    pub src: IpAddr,
    /// Port of the client; null for ESP and AH.
    pub sport: Option<u16>,
    /// Address of the server.
    pub dst: IpAddr,
    /// Port of the server; null for ESP and AH.
    pub dport: Option<u16>,
    /// The fields of the protocol.
    #[serde(flatten)]
    pub session: Session,
    /// The handshake failed.
    pub failed: bool,
    /// The handshake was completed; null when that cannot be known.
    pub established: Option<bool>,
    /// Something of this was concluded, not read: the beginning was not seen.
    pub inferred: bool,
    /// Protection of the key exchange against quantum computers.
    pub pq: Option<Pq>,
    /// Number of the first packet.
    pub first_packet: u64,
    /// Packets of both sides.
    pub packets: u64,
    /// Bytes of both sides, IP headers included.
    pub bytes: u64,
    /// The input ended before the session did.
    pub open_at_end: bool,
}

/// The security protocols that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Proto {
    /// SSL and TLS.
    Tls,
    /// Secure Shell.
    Ssh,
    /// DTLS.
    Dtls,
    /// QUIC.
    Quic,
    /// IKE.
    Ike,
    /// ESP.
    Esp,
    /// Authentication header.
    Ah,
    /// WireGuard.
    Wireguard,
    /// No protection was recognized.
    None,
}

impl Proto {
    /// The name as it stands in lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Ssh => "ssh",
            Self::Dtls => "dtls",
            Self::Quic => "quic",
            Self::Ike => "ike",
            Self::Esp => "esp",
            Self::Ah => "ah",
            Self::Wireguard => "wireguard",
            Self::None => "none",
        }
    }
}

/// Protection of a key exchange against quantum computers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Pq {
    /// There was no key exchange.
    None,
    /// Broken by a large quantum computer.
    Classical,
    /// A classical and a post-quantum exchange combined.
    Hybrid,
    /// Post-quantum alone.
    Pq,
}

/// The fields of one protocol.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Session {
    /// TLS, DTLS and QUIC.
    Tls(Box<TlsFields>),
    /// SSH.
    Ssh(Box<SshFields>),
    /// IKE.
    Ike(Box<IkeFields>),
    /// ESP and AH.
    Ipsec(IpsecFields),
    /// WireGuard and unprotected connections have none.
    Other {},
}

/// The fields of TLS, DTLS and QUIC.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct TlsFields {
    /// Version that was negotiated, such as `TLSv1.3`; null without a ServerHello.
    pub version: Option<String>,
    /// IANA name of the suite, or `0x....`.
    pub cipher: Option<String>,
    /// Named group of the key exchange, `dhN` for finite fields.
    pub group: Option<String>,
    /// Server name as it was sent.
    pub sni: Option<String>,
    /// Subject of the server's certificate, in the order of RFC 4514; null where encrypted.
    pub server_cert_subject: Option<String>,
    /// End of its validity, in UTC.
    pub server_cert_not_after: Option<String>,
    /// Its serial number, in upper-case hexadecimal.
    pub server_cert_serial: Option<String>,
    /// SHA-256 of the certificate, in hexadecimal.
    pub server_cert_sha256: Option<String>,
    /// Certificates in the server's message.
    pub server_cert_chain_len: Option<u32>,
    /// The server asked for a certificate.
    pub client_cert_requested: Option<bool>,
    /// The client sent one.
    pub client_cert_sent: Option<bool>,
    /// Its subject.
    pub client_cert_subject: Option<String>,
    /// A session was resumed.
    pub resumed: Option<bool>,
    /// Fingerprint of the client, JA3.
    pub ja3: Option<String>,
    /// Fingerprint of the client, JA4.
    pub ja4: Option<String>,
    /// Application protocol the server chose.
    pub alpn: Option<String>,
    /// Highest version the client offered.
    pub client_hello_max_version: Option<String>,
    /// The client's random, in hexadecimal.
    pub client_random: Option<String>,
    /// The client offered early data.
    pub early_data_offered: Option<bool>,
    /// The client sent an encrypted ClientHello.
    pub ech_extension: Option<bool>,
    /// The hello had the record form of SSLv2.
    pub ssl2_client_hello: Option<bool>,
    /// A HelloRetryRequest was seen.
    pub hello_retry: Option<bool>,
    /// Alerts in plain text.
    pub alerts: Vec<AlertFields>,
    /// Application data seen, by side.
    pub app_data: Option<Sides>,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct AlertFields {
    /// Who sent it: `client` or `server`.
    pub from: &'static str,
    /// `warning` or `fatal`.
    pub level: String,
    /// Its description.
    pub desc: String,
    /// It came after the sender's ChangeCipherSpec.
    pub post_ccs: bool,
}

/// Something that each side did or did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "there are two sides")]
pub struct Sides {
    /// The client did.
    pub client: bool,
    /// The server did.
    pub server: bool,
}

/// The fields of SSH.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct SshFields {
    /// Version of the protocol, 1 or 2.
    pub ssh_protocol: Option<u8>,
    /// The client's identification string.
    pub client_version: Option<String>,
    /// The server's.
    pub server_version: Option<String>,
    /// Key exchange method.
    pub kex: Option<String>,
    /// Host key algorithm.
    pub host_key_alg: Option<String>,
    /// Encryption, client to server.
    pub cipher_c2s: Option<String>,
    /// Encryption, server to client.
    pub cipher_s2c: Option<String>,
    /// Message authentication, client to server.
    pub mac_c2s: Option<String>,
    /// Message authentication, server to client.
    pub mac_s2c: Option<String>,
    /// The encryption brings its own authentication: `mac_c2s` is not used.
    pub mac_implicit_c2s: Option<bool>,
    /// Compression, client to server.
    pub compression_c2s: Option<String>,
    /// NEWKEYS seen, by side.
    pub newkeys: Option<Sides>,
    /// Authentication succeeded.
    pub auth_success: Option<bool>,
    /// Fingerprint of the client.
    pub hassh: Option<String>,
    /// Fingerprint of the server.
    pub hassh_server: Option<String>,
}

/// The fields of IKE.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct IkeFields {
    /// `IKEv1` or `IKEv2`.
    pub version: Option<String>,
    /// The initiator's SPI, in hexadecimal.
    pub spi_i: Option<String>,
    /// The responder's.
    pub spi_r: Option<String>,
    /// Exchanges in order, repeats folded.
    pub exchanges: Vec<String>,
    /// Messages seen.
    pub messages: u64,
    /// Proposals the initiator offered.
    pub proposals_offered: Option<u32>,
    /// Transforms the responder chose, by kind (`encr`, `prf`, `integ`, `dh` …).
    pub chosen: Option<BTreeMap<String, String>>,
    /// Notifications seen in plain text.
    pub notifies: Vec<String>,
    /// NAT traversal was used.
    pub nat_t: Option<bool>,
}

/// The fields of ESP and AH.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct IpsecFields {
    /// The SPI, `0x` and eight hexadecimal digits.
    pub spi: Option<String>,
    /// ESP came in UDP.
    pub udp_encapsulated: bool,
}

/// A step in the life of a security session.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct ZertEventLine {
    /// Event type of the record, 1 to 7.
    pub event: u8,
    /// When.
    pub ts: Timestamp,
    /// The session.
    #[serde(flatten)]
    pub session: ZertLine,
}

/// An event of any control.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct EventLine {
    /// When.
    pub ts: Timestamp,
    /// Number of the packet; null when it was about none.
    pub packet: Option<u64>,
    /// The control that tells.
    pub control: Option<&'static str>,
    /// What happened, as a stable number.
    pub code: u16,
    /// What happened, such as `attack.malformed`, `scan.fast` or `filter.deny`.
    pub kind: String,
    /// Source address.
    pub src: Option<IpAddr>,
    /// Source port.
    pub sport: Option<u16>,
    /// Destination address.
    pub dst: Option<IpAddr>,
    /// Destination port.
    pub dport: Option<u16>,
    /// IP protocol.
    pub ip_proto: Option<u8>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// What was done.
    pub action: Option<String>,
}

/// The decision about one packet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "an engine fills in every field")]
pub struct DecisionLine {
    /// Number of the packet.
    pub packet: u64,
    /// The verdict's name.
    pub verdict: &'static str,
    /// The control that refused.
    pub control: Option<&'static str>,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The reason of a refusal.
    pub code: Option<u16>,
}

/// The last line.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills in every field")]
pub struct SummaryLine {
    /// IP packets that were handed to the guard.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Flows that were seen.
    pub flows: u64,
    /// Packets that were dropped, by code.
    pub dropped: BTreeMap<u16, u64>,
    /// Time from start to end, in seconds.
    pub elapsed_s: f64,
    /// Processor time of the whole process, in seconds; null where the system does not tell.
    pub cpu_s: Option<f64>,
    /// Packets in a second of elapsed time; null when too little time passed to tell.
    pub packets_per_s: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        // Checked with GNU date.
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (951_868_799_999_999, "2000-02-29T23:59:59.999999Z"),
            (1_709_251_199_000_001, "2024-02-29T23:59:59.000001Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
            (1_700_000_000_123_456, "2023-11-14T22:13:20.123456Z"),
        ] {
            assert_eq!(Timestamp(UnixTime::from_micros(micros)).to_string(), text);
        }
        // The end of the clock is far away but does not overflow.
        assert!(
            Timestamp(UnixTime::from_micros(u64::MAX))
                .to_string()
                .starts_with("586524-01-19T")
        );
    }
}
