//! Type 119, subtypes 73 to 80.

use alloc::vec::Vec;

use super::writer::Writer;
use super::{Stamp, opening};
use crate::error::{Expected, Malformed, NoRoom};
use crate::field::{Level, Section};
use crate::layout::{Identification, IkeTunnel, IpTunnel, kinds};
use crate::view::{MAX_TRIPLETS, RecordView, Triplet};

/// An IPsec tunnel that came, went or was refreshed.
///
/// Little of these records is known: the head of the first section, and how many sections there
/// are. The rest is kept as bytes, and is the same after a round trip.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the sections of the record")]
pub struct Tunnel {
    /// Header.
    pub stamp: Stamp,
    /// Who wrote it.
    pub identification: Identification,
    /// Which event: 73 to 80 (see [`kinds`]). 73 and 74 have an IKE tunnel, the others an IP
    /// tunnel.
    pub subtype: u16,
    /// The first section as far as it is known.
    pub head: TunnelHead,
    /// What follows of the first section. If there is anything, only the head's confirmed
    /// fields are written.
    pub tail: Vec<u8>,
    /// The other sections.
    pub others: Vec<RawSection>,
}

/// The first section of a tunnel's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the two kinds of section")]
pub enum TunnelHead {
    /// Of subtypes 73 and 74.
    Ike(IkeTunnel),
    /// Of subtypes 75 to 80.
    Ip(IpTunnel),
}

/// A section that is not known: instances of one length.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RawSection {
    length: u16,
    bytes: Vec<u8>,
}

impl RawSection {
    /// A section of one instance; none if it is empty or longer than 65,535 bytes.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        match u16::try_from(bytes.len()) {
            Ok(length) => Self { length, bytes },
            Err(_) => Self::default(),
        }
    }

    fn read(view: &RecordView<'_>, triplet: &Triplet) -> Self {
        let instances = (0..triplet.count).filter_map(|i| view.instance(triplet, i));
        let bytes: Vec<u8> = instances.flatten().copied().collect();
        if bytes.is_empty() {
            return Self::default();
        }
        Self {
            length: triplet.length,
            bytes,
        }
    }

    /// Length of an instance, 0 if there is none.
    #[must_use]
    pub const fn length(&self) -> u16 {
        self.length
    }

    /// All instances.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Tunnel {
    /// Decodes one record.
    ///
    /// # Errors
    ///
    /// If it is another record, or a triplet or length in it cannot be right.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(&RecordView::parse(bytes)?)
    }

    pub(super) fn read(view: &RecordView<'_>) -> Result<Self, Malformed> {
        let subtypes = kinds::IKE_TUNNEL_ACTIVATION..=kinds::MANUAL_TUNNEL_DEACTIVATION;
        let (header, stamp, identification) = opening(view, kinds::TCPIP, subtypes)?;
        let none = Malformed::of_section(24, "count", 1, 0, Expected::AtLeast(1));
        let first = view.section(1).ok_or(none)?;
        let is_ike = matches!(
            header.subtype,
            kinds::IKE_TUNNEL_ACTIVATION | kinds::IKE_TUNNEL_DEACTIVATION
        );
        let (head, tail) = if is_ike {
            (
                TunnelHead::Ike(IkeTunnel::take(first)),
                tail::<IkeTunnel>(first),
            )
        } else {
            (
                TunnelHead::Ip(IpTunnel::take(first)),
                tail::<IpTunnel>(first),
            )
        };
        let others = (2..view.triplet_count()?).filter_map(|i| view.triplet(i));
        Ok(Self {
            stamp,
            identification,
            subtype: header.subtype,
            head,
            tail: tail.to_vec(),
            others: others.map(|t| RawSection::read(view, &t)).collect(),
        })
    }

    /// Encodes it at the buffer's start and returns its length.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the buffer is too short, or the sections are more than a record can hold.
    pub fn encode(&self, level: Level, out: &mut [u8]) -> Result<usize, NoRoom> {
        let header = self.stamp.header(kinds::TCPIP, self.subtype);
        let error = NoRoom { have: out.len() };
        let triplets = u16::try_from(self.others.len().saturating_add(2)).map_err(|_| error)?;
        if triplets > MAX_TRIPLETS {
            return Err(error);
        }
        let mut writer = Writer::new(out, &header, triplets)?;
        writer.section(level, &self.identification)?;
        match &self.head {
            TunnelHead::Ike(ike) => writer.with_tail(level, ike, &self.tail)?,
            TunnelHead::Ip(ip) => writer.with_tail(level, ip, &self.tail)?,
        }
        for other in &self.others {
            writer.bytes(other.length.into(), &other.bytes)?;
        }
        writer.finish()
    }

    /// Encodes it into a new vector.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the sections are more than a record can hold.
    pub fn to_vec(&self, level: Level) -> Result<Vec<u8>, NoRoom> {
        super::to_vec(|out| self.encode(level, out))
    }
}

/// What of a section is not known.
fn tail<S: Section>(bytes: &[u8]) -> &[u8] {
    let known = if bytes.len() == S::LEN {
        S::LEN
    } else {
        S::BASE
    };
    bytes.get(known..).unwrap_or(&[])
}
