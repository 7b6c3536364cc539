//! All codes of the suite.

use hostward_hook::reason::CodeInfo;

/// Every code that a crate of the suite can give as a reason or tell in an event, with its
/// meaning, in the order of the numbers.
pub fn codes() -> impl Iterator<Item = CodeInfo> {
    #[cfg(feature = "ipsec")]
    let ipsec = hostward_ipsec::codes::CODES
        .iter()
        .chain(hostward_ipsec::told::TUNNEL_CODES);
    #[cfg(not(feature = "ipsec"))]
    let ipsec = [].iter();
    hostward_hook::reason::CODES
        .iter()
        .copied()
        .chain(hostward_filter::CODES.iter().copied())
        .chain(hostward_ids::codes::codes())
        .chain(ipsec.copied())
        .chain(hostward_zert::code::CODES.iter().copied())
}
