//! All codes of the suite.

use hostward_hook::reason::CodeInfo;

/// Every code that a crate of the suite can give as a reason or tell in an event, with its
/// meaning, in the order of the numbers.
pub fn codes() -> impl Iterator<Item = CodeInfo> {
    hostward_hook::reason::CODES
        .iter()
        .copied()
        .chain(hostward_filter::CODES.iter().copied())
        .chain(hostward_ids::codes::codes())
        .chain(hostward_zert::code::CODES.iter().copied())
}
