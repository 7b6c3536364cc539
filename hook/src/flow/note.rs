//! What a control keeps of a flow in the cache line that the look-up reads anyway.

/// Twelve bytes for one side of a flow. They stand beside the key of an IPv4 flow, in the room that
/// an IPv6 flow's key needs: who answers from them touches no second cache line.
///
/// What they mean is the business of the one control that writes them. All zero says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "plain room that a control divides as it likes"
)]
pub struct Note {
    /// Eight bytes.
    pub word: u64,
    /// Four more.
    pub half: u32,
}
