//! Type 119, subtype 11.

use alloc::vec::Vec;

use super::names::{self, DistinguishedName};
use super::writer::Writer;
use super::{Stamp, opening, optional, required};
use crate::error::{Malformed, NoRoom};
use crate::field::{Field as _, Level};
use crate::layout::{
    ConnectionCommon, ConnectionIpsec, ConnectionSsh, ConnectionTls, Enforcement, Identification,
    IpFilter, kinds,
};
use crate::view::RecordView;

/// zERT connection detail: how one connection is protected at one moment of its life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the sections of the record")]
pub struct Detail {
    /// Header.
    pub stamp: Stamp,
    /// Who wrote it; the reason is always [`Reason::EVENT`](crate::codes::Reason::EVENT).
    pub identification: Identification,
    /// The connection. Empty but for the event when zERT was enabled or disabled.
    pub common: ConnectionCommon,
    /// IP filter rules, if filtering is active.
    pub ip_filter: Option<IpFilter>,
    /// The TLS session, if there is one.
    pub tls: Option<ConnectionTls>,
    /// The SSH session, if there is one.
    pub ssh: Option<ConnectionSsh>,
    /// The IPsec tunnel, if there is one.
    pub ipsec: Option<ConnectionIpsec>,
    /// Distinguished names that are known.
    pub names: Vec<DistinguishedName>,
    /// What policy did, for event 7.
    pub enforcement: Option<Enforcement>,
}

impl Detail {
    /// Decodes one record.
    ///
    /// Sections behind the known ones are left out, and so are further instances of a section
    /// that can be there once; [`visit`](crate::visit) and [`RecordView`] show them.
    ///
    /// # Errors
    ///
    /// If it is another record, or a triplet or length in it cannot be right.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(&RecordView::parse(bytes)?)
    }

    pub(super) fn read(view: &RecordView<'_>) -> Result<Self, Malformed> {
        let subtype = kinds::CONNECTION_DETAIL;
        let (_, stamp, identification) = opening(view, kinds::TCPIP, subtype..=subtype)?;
        Ok(Self {
            stamp,
            identification,
            common: required(view, 1)?,
            ip_filter: optional(view, 2),
            tls: optional(view, 3),
            ssh: optional(view, 4),
            ipsec: optional(view, 5),
            names: names::read(view, 6)?,
            enforcement: optional(view, 7),
        })
    }

    /// Encodes it at the buffer's start and returns its length. No allocation.
    ///
    /// Names that would make the record longer than [`MAX_RECORD`](crate::MAX_RECORD) are left
    /// out, the last ones first.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the buffer is too short; never with one of
    /// [`MAX_RECORD`](crate::MAX_RECORD) bytes.
    pub fn encode(&self, level: Level, out: &mut [u8]) -> Result<usize, NoRoom> {
        let header = self.stamp.header(kinds::TCPIP, kinds::CONNECTION_DETAIL);
        let mut writer = Writer::new(out, &header, 8)?;
        writer.section(level, &self.identification)?;
        writer.section(level, &self.common)?;
        writer.optional(level, self.ip_filter.as_ref())?;
        writer.optional(level, self.tls.as_ref())?;
        writer.optional(level, self.ssh.as_ref())?;
        writer.optional(level, self.ipsec.as_ref())?;
        let after = if self.enforcement.is_some() {
            Enforcement::LEN
        } else {
            0
        };
        writer.names(&self.names, after)?;
        writer.optional(level, self.enforcement.as_ref())?;
        writer.finish()
    }

    /// Encodes it into a new vector.
    ///
    /// # Errors
    ///
    /// None in practice: a record of this kind always fits.
    pub fn to_vec(&self, level: Level) -> Result<Vec<u8>, NoRoom> {
        super::to_vec(|out| self.encode(level, out))
    }
}
