//! Layouts of all sections: fields in order, each with its mark.
//!
//! Every section is one table, and structs, encoder, decoder and the field-by-field view are made
//! from it ([`field`](crate::field)). Sizes and offsets are never written down: they are sums.

mod certificate;
mod detail;
mod enforcement;
mod header;
mod summary;
mod tunnel;

pub use certificate::{Certificate, CertificateKind, CertificateValidity};
pub use detail::{ConnectionCommon, ConnectionIpsec, ConnectionSsh, ConnectionTls, IpFilter};
pub use enforcement::Enforcement;
pub use header::{Header, Identification, NamePrefix, Rdw, ShortHeader, TripletLayout};
pub use summary::{Counters, SummaryCommon, SummaryIpsec, SummarySsh, SummaryTls};
pub use tunnel::{IkeTunnel, IpTunnel};

use crate::field::{FieldInfo, Section};

/// SMF record types and subtypes.
pub mod kinds {
    /// Type of the record at the front of a dumped data set.
    pub const DUMP_HEADER: u8 = 2;
    /// Type of the record at the end of a dumped data set.
    pub const DUMP_TRAILER: u8 = 3;
    /// Type of a syslogd message.
    pub const SYSLOG: u8 = 109;
    /// Type of the records of TCP/IP.
    pub const TCPIP: u8 = 119;
    /// Subtype of type 119: zERT connection detail.
    pub const CONNECTION_DETAIL: u16 = 11;
    /// Subtype of type 119: zERT summary.
    pub const SUMMARY: u16 = 12;
    /// Subtype of type 119: IKE tunnel activation and refresh.
    pub const IKE_TUNNEL_ACTIVATION: u16 = 73;
    /// Subtype of type 119: IKE tunnel deactivation and expiry.
    pub const IKE_TUNNEL_DEACTIVATION: u16 = 74;
    /// Subtype of type 119: dynamic tunnel activation and refresh.
    pub const DYNAMIC_TUNNEL_ACTIVATION: u16 = 75;
    /// Subtype of type 119: dynamic tunnel deactivation.
    pub const DYNAMIC_TUNNEL_DEACTIVATION: u16 = 76;
    /// Subtype of type 119: dynamic tunnel added to the stack.
    pub const DYNAMIC_TUNNEL_ADDED: u16 = 77;
    /// Subtype of type 119: dynamic tunnel removed from the stack.
    pub const DYNAMIC_TUNNEL_REMOVED: u16 = 78;
    /// Subtype of type 119: manual tunnel activation.
    pub const MANUAL_TUNNEL_ACTIVATION: u16 = 79;
    /// Subtype of type 119: manual tunnel deactivation.
    pub const MANUAL_TUNNEL_DEACTIVATION: u16 = 80;
}

/// Whether the length of a distinguished name counts the four bytes before the name. Unconfirmed;
/// what is written here is read alike either way.
pub(crate) const NAME_LENGTH_COUNTS_PREFIX: bool = true;

/// What the data of a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// Fields at fixed places.
    Fields {
        /// The fields, those of [`Level::Extended`](crate::Level::Extended) included.
        fields: &'static [FieldInfo],
        /// Length at [`Level::Base`](crate::Level::Base).
        base: usize,
        /// Length with all fields.
        all: usize,
        /// Another layout, which a section of exactly this length has.
        short: Option<(usize, &'static [FieldInfo])>,
    },
    /// Distinguished names, each with its length before it.
    Names,
    /// Tags, lengths and values of this project's extension record.
    Values,
    /// Not known; kept as bytes.
    Unknown,
}

/// A section that a record may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SectionInfo {
    /// What it is about.
    pub title: &'static str,
    /// Its data.
    pub shape: Shape,
}

impl SectionInfo {
    const fn new(title: &'static str, shape: Shape) -> Self {
        Self { title, shape }
    }

    pub(crate) const fn not_known() -> Self {
        Self::new("unknown section", Shape::Unknown)
    }

    const fn of<S: Section>() -> Self {
        Self::new(
            S::TITLE,
            Shape::Fields {
                fields: S::FIELDS,
                base: S::BASE,
                all: S::LEN,
                short: None,
            },
        )
    }

    /// The fields of a section of this length, in order, and how much of it they are at most.
    #[must_use]
    pub fn fields(&self, len: usize) -> (&'static [FieldInfo], usize) {
        match self.shape {
            Shape::Fields {
                short: Some((short, fields)),
                ..
            } if len == short => (fields, short),
            Shape::Fields { fields, all, .. } if len == all => (fields, all),
            Shape::Fields { fields, base, .. } => (fields, base),
            Shape::Names | Shape::Values | Shape::Unknown => (&[], 0),
        }
    }
}

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordInfo {
    /// SMF record type.
    pub record_type: u8,
    /// Subtype, `None` for types without.
    pub subtype: Option<u16>,
    /// What it records.
    pub title: &'static str,
    /// Its sections in the order of the triplets, the identification section first; empty for
    /// records without self-defining section.
    pub sections: &'static [SectionInfo],
}

const IDENTIFICATION: SectionInfo = SectionInfo::of::<Identification>();
const NAMES: SectionInfo = SectionInfo::new("certificate distinguished names", Shape::Names);
const VALUES: SectionInfo = SectionInfo::new("extension values", Shape::Values);
const IP_TUNNEL: SectionInfo = SectionInfo::of::<IpTunnel>();
const IKE_TUNNEL: SectionInfo = SectionInfo::of::<IkeTunnel>();

const fn unknown(title: &'static str) -> SectionInfo {
    SectionInfo::new(title, Shape::Unknown)
}

const SUMMARY_IPSEC: SectionInfo = SectionInfo::new(
    SummaryIpsec::TITLE,
    Shape::Fields {
        fields: SummaryIpsec::FIELDS,
        base: SummaryIpsec::BASE,
        all: <SummaryIpsec as crate::field::Field>::LEN,
        short: Some((summary::UNPADDED_LEN, summary::UNPADDED)),
    },
);

const IKE_SECTIONS: &[SectionInfo] = &[
    IDENTIFICATION,
    IKE_TUNNEL,
    unknown("local identity"),
    unknown("remote identity"),
];

const DYNAMIC_SECTIONS: &[SectionInfo] = &[
    IDENTIFICATION,
    IP_TUNNEL,
    unknown("dynamic tunnel"),
    unknown("IKE dynamic tunnel"),
    unknown("local client identity"),
    unknown("remote client identity"),
];

const STACK_SECTIONS: &[SectionInfo] = &[IDENTIFICATION, IP_TUNNEL, unknown("dynamic tunnel")];

const MANUAL_SECTIONS: &[SectionInfo] = &[IDENTIFICATION, IP_TUNNEL];

const fn tcpip(subtype: u16, title: &'static str, sections: &'static [SectionInfo]) -> RecordInfo {
    RecordInfo {
        record_type: kinds::TCPIP,
        subtype: Some(subtype),
        title,
        sections,
    }
}

const fn plain(record_type: u8, title: &'static str) -> RecordInfo {
    RecordInfo {
        record_type,
        subtype: None,
        title,
        sections: &[],
    }
}

/// The records this crate knows.
pub const RECORDS: &[RecordInfo] = &[
    plain(kinds::DUMP_HEADER, "SMF dump header"),
    plain(kinds::DUMP_TRAILER, "SMF dump trailer"),
    plain(kinds::SYSLOG, "syslogd message"),
    tcpip(
        kinds::CONNECTION_DETAIL,
        "zERT connection detail",
        &[
            IDENTIFICATION,
            SectionInfo::of::<ConnectionCommon>(),
            SectionInfo::of::<IpFilter>(),
            SectionInfo::of::<ConnectionTls>(),
            SectionInfo::of::<ConnectionSsh>(),
            SectionInfo::of::<ConnectionIpsec>(),
            NAMES,
            SectionInfo::of::<Enforcement>(),
        ],
    ),
    tcpip(
        kinds::SUMMARY,
        "zERT summary",
        &[
            IDENTIFICATION,
            SectionInfo::of::<SummaryCommon>(),
            SectionInfo::of::<SummaryTls>(),
            SectionInfo::of::<SummarySsh>(),
            SUMMARY_IPSEC,
            NAMES,
        ],
    ),
    tcpip(
        kinds::IKE_TUNNEL_ACTIVATION,
        "IKE tunnel activation and refresh",
        IKE_SECTIONS,
    ),
    tcpip(
        kinds::IKE_TUNNEL_DEACTIVATION,
        "IKE tunnel deactivation and expiry",
        IKE_SECTIONS,
    ),
    tcpip(
        kinds::DYNAMIC_TUNNEL_ACTIVATION,
        "dynamic tunnel activation and refresh",
        DYNAMIC_SECTIONS,
    ),
    tcpip(
        kinds::DYNAMIC_TUNNEL_DEACTIVATION,
        "dynamic tunnel deactivation",
        DYNAMIC_SECTIONS,
    ),
    tcpip(
        kinds::DYNAMIC_TUNNEL_ADDED,
        "dynamic tunnel added",
        STACK_SECTIONS,
    ),
    tcpip(
        kinds::DYNAMIC_TUNNEL_REMOVED,
        "dynamic tunnel removed",
        STACK_SECTIONS,
    ),
    tcpip(
        kinds::MANUAL_TUNNEL_ACTIVATION,
        "manual tunnel activation",
        MANUAL_SECTIONS,
    ),
    tcpip(
        kinds::MANUAL_TUNNEL_DEACTIVATION,
        "manual tunnel deactivation",
        MANUAL_SECTIONS,
    ),
];

/// This project's extension record, of whatever installation type.
const EXTENSIONS: &[RecordInfo] = &[
    RecordInfo {
        record_type: crate::EXTENSION_TYPE,
        subtype: Some(kinds::CONNECTION_DETAIL),
        title: "extension of a zERT connection detail",
        sections: &[
            IDENTIFICATION,
            SectionInfo::of::<ConnectionCommon>(),
            VALUES,
        ],
    },
    RecordInfo {
        record_type: crate::EXTENSION_TYPE,
        subtype: Some(kinds::SUMMARY),
        title: "extension of a zERT summary",
        sections: &[IDENTIFICATION, SectionInfo::of::<SummaryCommon>(), VALUES],
    },
];

/// What is known of a type and subtype; extension records by their default type.
#[must_use]
pub fn record_info(record_type: u8, subtype: Option<u16>) -> Option<&'static RecordInfo> {
    RECORDS
        .iter()
        .chain(EXTENSIONS)
        .find(|r| r.record_type == record_type && (r.subtype.is_none() || r.subtype == subtype))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Field as _, Kind};

    #[test]
    fn sections_have_the_sizes_of_the_tables() {
        let size = |bases: &[usize], sections: &[SectionInfo]| {
            let found: alloc::vec::Vec<usize> = sections
                .iter()
                .map(|s| match s.shape {
                    Shape::Fields { base, .. } => base,
                    Shape::Names | Shape::Values | Shape::Unknown => 0,
                })
                .collect();
            assert_eq!(found, bases);
        };
        let of = |subtype| record_info(119, Some(subtype)).unwrap().sections;
        size(&[64, 120, 100, 168, 284, 236, 0, 68], of(11));
        size(&[64, 208, 36, 46, 76, 0], of(12));
        assert_eq!((Header::LEN, ShortHeader::LEN, Rdw::LEN), (20, 14, 4));
        assert_eq!(
            (Certificate::LEN, CertificateKind::LEN, TripletLayout::LEN),
            (48, 10, 8)
        );
        // Ours, appended.
        assert_eq!(ConnectionCommon::LEN, 120 + 8);
        assert_eq!(SummaryCommon::LEN, 208 + 16);
        assert_eq!(SummaryTls::LEN, 36 + 76);
        assert_eq!(SummarySsh::LEN, 48 + 76);
        assert_eq!(SummaryIpsec::LEN, 76 + 76);
        // The confirmed heads of tunnels.
        assert_eq!((IpTunnel::BASE, IkeTunnel::BASE), (102, 4));
    }

    #[test]
    fn fields_stand_where_the_tables_say() {
        for (fields, name, offset) in [
            (Identification::FIELDS, "reason", 60),
            (Identification::FIELDS, "record_id", 61),
            (ConnectionCommon::FIELDS, "job_name", 8),
            (ConnectionCommon::FIELDS, "start_time", 32),
            (ConnectionCommon::FIELDS, "end_date", 44),
            (ConnectionCommon::FIELDS, "remote_ip", 48),
            (ConnectionCommon::FIELDS, "connection_id", 84),
            (ConnectionCommon::FIELDS, "out_segments", 112),
            (ConnectionCommon::FIELDS, "local_role", 121),
            (IpFilter::FIELDS, "out_rule_extension", 44),
            (IpFilter::FIELDS, "in_rule_extension", 92),
            (ConnectionTls::FIELDS, "session_id_len", 7),
            (ConnectionTls::FIELDS, "provider", 40),
            (ConnectionTls::FIELDS, "key_exchange", 66),
            (ConnectionTls::FIELDS, "server_certificate", 72),
            (ConnectionTls::FIELDS, "client_certificate", 120),
            (ConnectionSsh::FIELDS, "kex_method", 40),
            (ConnectionSsh::FIELDS, "server_fingerprint", 60),
            (ConnectionSsh::FIELDS, "client_certificate", 236),
            (ConnectionIpsec::FIELDS, "local_endpoint", 56),
            (ConnectionIpsec::FIELDS, "ike_lifesize", 100),
            (ConnectionIpsec::FIELDS, "local_certificate", 112),
            (ConnectionIpsec::FIELDS, "tunnel_id", 208),
            (ConnectionIpsec::FIELDS, "encapsulation", 216),
            (ConnectionIpsec::FIELDS, "life_expire", 232),
            (SummaryCommon::FIELDS, "job_name", 12),
            (SummaryCommon::FIELDS, "ip_protocol", 28),
            (SummaryCommon::FIELDS, "server_ip", 32),
            (SummaryCommon::FIELDS, "server_port_end", 66),
            (SummaryCommon::FIELDS, "session_id", 68),
            (SummaryCommon::FIELDS, "init", 112),
            (SummaryCommon::FIELDS, "end", 160),
            (SummaryCommon::FIELDS, "init_failed_handshakes", 208),
            (SummaryCommon::FIELDS, "local_role", 216),
            (SummaryTls::FIELDS, "server_certificate", 16),
            (SummaryTls::FIELDS, "client_certificate", 26),
            (SummaryTls::FIELDS, "server_validity", 36),
            (SummaryTls::FIELDS, "client_validity", 74),
            (SummarySsh::FIELDS, "in_encryption", 8),
            (SummarySsh::FIELDS, "server_certificate", 26),
            (SummarySsh::FIELDS, "server_validity", 48),
            (SummaryIpsec::FIELDS, "local_endpoint", 4),
            (SummaryIpsec::FIELDS, "pfs_group", 68),
            (SummaryIpsec::FIELDS, "encryption", 74),
            (SummaryIpsec::FIELDS, "local_validity", 76),
            (summary::UNPADDED, "local_endpoint", 2),
            (summary::UNPADDED, "encryption", 72),
            (Enforcement::FIELDS, "rule_name", 4),
            (Enforcement::FIELDS, "action_name", 36),
            (IpTunnel::FIELDS, "action_name", 48),
            (IpTunnel::FIELDS, "flags", 96),
            (IpTunnel::FIELDS, "state", 101),
        ] {
            let field = fields.iter().find(|f| f.name == name);
            assert_eq!(field.map(|f| f.offset), Some(offset), "{name}");
        }
    }

    #[test]
    fn numbers_lie_on_their_boundaries() {
        fn check(title: &str, fields: &[FieldInfo], base: usize) {
            for f in fields {
                match f.kind {
                    Kind::Group(inner) => {
                        for i in inner {
                            let place = f.offset + base + i.offset;
                            let wide = matches!(i.kind, Kind::Number) && i.len >= 4;
                            assert!(!wide || place.is_multiple_of(i.len), "{title} {}", i.name);
                        }
                    }
                    Kind::Number
                    | Kind::Time
                    | Kind::Date
                    | Kind::Tod
                    | Kind::Duration
                    | Kind::Code(_)
                    | Kind::Flags(_) => {
                        let place = base + f.offset;
                        assert!(place.is_multiple_of(f.len), "{title} {} at {place}", f.name);
                    }
                    Kind::Hex
                    | Kind::Text
                    | Kind::Address
                    | Kind::Etod
                    | Kind::Reserved
                    | Kind::Unknown => {}
                }
            }
        }
        for record in RECORDS {
            for section in record.sections {
                if let Shape::Fields { fields, .. } = section.shape {
                    check(section.title, fields, 0);
                }
            }
        }
    }

    #[test]
    fn records_are_found_by_type_and_subtype() {
        assert_eq!(record_info(109, None).unwrap().title, "syslogd message");
        assert_eq!(record_info(119, Some(12)).unwrap().title, "zERT summary");
        assert_eq!(record_info(119, Some(5)), None);
        assert_eq!(record_info(119, None), None);
        for subtype in 73..=80 {
            let sections = record_info(119, Some(subtype)).unwrap().sections.len();
            let triplets = [4, 4, 6, 6, 3, 3, 2, 2];
            assert_eq!(sections, triplets[usize::from(subtype) - 73]);
        }
    }
}
