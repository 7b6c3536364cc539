//! The details of fragment events.

use core::any::Any;
use core::net::IpAddr;

use crate::event::{Detail, FieldVisitor, Value};

/// How two fragments overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Overlap {
    /// Whether the bytes in common are the same. If not, somebody wants two readers to see two
    /// datagrams.
    pub same_data: bool,
    /// Number of bytes in common.
    pub length: u32,
}

/// What the events of fragment reassembly tell beside the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FragmentDetail {
    /// Source of the datagram.
    pub source: IpAddr,
    /// Destination of the datagram.
    pub destination: IpAddr,
    /// Identification of the datagram.
    pub id: u32,
    /// Protocol, or what the fragment header names as next header.
    pub protocol: u8,
    /// Offset of the fragment in hand, in bytes; 0 when the datagram as a whole is meant.
    pub offset: u16,
    /// Number of bytes of the fragment in hand, or of all that had arrived.
    pub length: u32,
    /// Fragments that had arrived before.
    pub fragments: u16,
    /// Number of the packet that began the datagram; 0 when there was none.
    pub first_packet: u64,
    /// The overlap, if that is what the event is about.
    pub overlap: Option<Overlap>,
}

impl Detail for FragmentDetail {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("source", Value::Addr(self.source));
        v.field("destination", Value::Addr(self.destination));
        v.field("id", Value::U64(self.id.into()));
        v.field("protocol", Value::U64(self.protocol.into()));
        v.field("offset", Value::U64(self.offset.into()));
        v.field("length", Value::U64(self.length.into()));
        v.field("fragments", Value::U64(self.fragments.into()));
        v.field("first_packet", Value::U64(self.first_packet));
        if let Some(overlap) = self.overlap {
            v.field("same_data", Value::Bool(overlap.same_data));
            v.field("overlap", Value::U64(overlap.length.into()));
        }
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
