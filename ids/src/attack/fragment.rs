//! Fragments (`IP_FRAGMENT`).

use hostward_hook::fragment::Overlap;
use hostward_hook::layout::Fragment;
use hostward_hook::packet::Packet;
use hostward_hook::reason::{FRAGMENT_BAD_END, FRAGMENT_OVERLAP, Reason};

use crate::codes::{FRAGMENT_EARLY, OVERLAP_DIFFERS, OVERLAP_LENGTH, OVERLAP_SAME};
use crate::event::Finding;

/// Where a datagram may be cut without suspicion. z/OS's number; its exact criterion is not
/// published.
const HEADERS: usize = 256;

/// A fragment that ends, with more to come, inside of the first 256 bytes of its datagram.
pub(super) fn early(packet: &Packet<'_>) -> Option<Finding> {
    let l = packet.layout();
    if l.fragment() == Fragment::Whole || !l.more_fragments() {
        return None;
    }
    let data_at = l.fragment_header_offset().map_or_else(
        || {
            packet
                .bytes()
                .first()
                .map_or(20, |b| usize::from(b & 15) * 4)
        },
        |at| at + 8,
    );
    let end = usize::from(l.fragment_offset()) + l.end().saturating_sub(data_at);
    (end < HEADERS).then(|| {
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        Finding::at(
            FRAGMENT_EARLY,
            "fragment-early",
            "fragment length",
            offset_at(packet),
            end,
        )
    })
}

fn offset_at(packet: &Packet<'_>) -> usize {
    packet
        .layout()
        .fragment_header_offset()
        .map_or(6, |at| at + 2)
}

/// What reassembly found.
pub(super) fn overlap(
    packet: &Packet<'_>,
    reason: Reason,
    overlap: Option<Overlap>,
) -> Option<Finding> {
    let (code, name, value) = match (reason, overlap) {
        (FRAGMENT_OVERLAP, Some(o)) if o.same_data => {
            (OVERLAP_SAME, "fragment-overlap-same", o.length)
        }
        (FRAGMENT_OVERLAP, o) => (
            OVERLAP_DIFFERS,
            "fragment-overlap-differs",
            o.map_or(0, |o| o.length),
        ),
        (FRAGMENT_BAD_END, _) => (
            OVERLAP_LENGTH,
            "fragment-changes-length",
            packet.layout().fragment_offset().into(),
        ),
        _ => return None,
    };
    let at = offset_at(packet);
    Some(Finding::at(code, name, "fragment offset", at, value))
}
