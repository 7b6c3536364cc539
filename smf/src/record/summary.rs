//! Type 119, subtype 12.

use alloc::vec::Vec;

use super::names::{self, DistinguishedName};
use super::writer::Writer;
use super::{Stamp, opening, optional, required};
use crate::codes::Reason;
use crate::error::{Malformed, NoRoom};
use crate::field::Level;
use crate::layout::{Identification, SummaryCommon, SummaryIpsec, SummarySsh, SummaryTls, kinds};
use crate::view::RecordView;

/// zERT summary: one security session over one interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the sections of the record")]
pub struct Summary {
    /// Header.
    pub stamp: Stamp,
    /// Who wrote it, and why.
    pub identification: Identification,
    /// The session and its counters.
    pub common: SummaryCommon,
    /// Attributes of a TLS session.
    pub tls: Option<SummaryTls>,
    /// Attributes of an SSH session.
    pub ssh: Option<SummarySsh>,
    /// Attributes of an IPsec session.
    pub ipsec: Option<SummaryIpsec>,
    /// Distinguished names that are known.
    pub names: Vec<DistinguishedName>,
}

impl Summary {
    /// Decodes one record; what of it is left out is as for [`Detail`](super::Detail).
    ///
    /// # Errors
    ///
    /// If it is another record, or a triplet or length in it cannot be right.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::read(&RecordView::parse(bytes)?)
    }

    pub(super) fn read(view: &RecordView<'_>) -> Result<Self, Malformed> {
        let subtype = kinds::SUMMARY;
        let (_, stamp, identification) = opening(view, kinds::TCPIP, subtype..=subtype)?;
        Ok(Self {
            stamp,
            identification,
            common: required(view, 1)?,
            tls: optional(view, 2),
            ssh: optional(view, 3),
            ipsec: view.section(4).map(SummaryIpsec::take_padded_or_not),
            names: names::read(view, 5)?,
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
        let header = self.stamp.header(kinds::TCPIP, kinds::SUMMARY);
        let mut writer = Writer::new(out, &header, 6)?;
        writer.section(level, &self.identification)?;
        writer.section(level, &self.common)?;
        writer.optional(level, self.tls.as_ref())?;
        writer.optional(level, self.ssh.as_ref())?;
        writer.optional(level, self.ipsec.as_ref())?;
        writer.names(&self.names, 0)?;
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

    /// Encodes the records of one interval with the reasons of a set: the last one says that it
    /// is the last, the others that more follow.
    ///
    /// `write` gets each record as bytes, in the scratch buffer. The reason of each record's
    /// identification section is taken as the kind of set: interval, end of statistics, shutdown
    /// or event, whichever of the two forms it has.
    ///
    /// # Errors
    ///
    /// [`NoRoom`] if the scratch buffer is too short; never with one of
    /// [`MAX_RECORD`](crate::MAX_RECORD) bytes.
    pub fn encode_set(
        set: &mut [Self],
        level: Level,
        scratch: &mut [u8],
        mut write: impl FnMut(&[u8]),
    ) -> Result<(), NoRoom> {
        let have = scratch.len();
        let mut left = set.len();
        for summary in set {
            left -= 1;
            let Reason(reason) = summary.identification.reason;
            let more = if left > 0 { MORE } else { 0 };
            summary.identification.reason = Reason(reason & !MORE | more);
            let len = summary.encode(level, scratch)?;
            write(scratch.get(..len).ok_or(NoRoom { have })?);
        }
        Ok(())
    }
}

/// The bit of a reason that says that more records follow.
const MORE: u8 = Reason::INTERVAL_MORE.0 & !Reason::INTERVAL.0;
