//! Bounds.

/// The bounds of the observer. The defaults suit a server with many connections.
///
/// ```
/// let config = hostward_zert::Config {
///     connections: 1_000,
///     ..hostward_zert::Config::default()
/// };
/// assert_eq!(config.handshake_limit, 65_536);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "made to be written with update syntax"
)]
pub struct Config {
    /// Connections watched at once. One more is counted, reported as
    /// [`CONNECTIONS_FULL`](crate::code::CONNECTIONS_FULL), and its record says that it was cut.
    pub connections: usize,
    /// Bytes of clear text from one side in which the beginning of protection is looked for. A
    /// connection that exceeds it counts as not protected. At most `u32::MAX` counts.
    pub prefix: usize,
    /// Longest handshake message, in bytes. A longer one is skipped, reported as
    /// [`MESSAGE_TOO_LONG`](crate::code::MESSAGE_TOO_LONG), and the record says that it was cut.
    pub handshake_limit: usize,
    /// Bytes of all handshake messages in progress together. A handshake that would exceed it
    /// is not read on, is reported as [`MEMORY_FULL`](crate::code::MEMORY_FULL), and its record
    /// says that it was cut. A quarter of them is kept for messages of up to 8 KiB, so that a few
    /// connections with endless ones do not blind the observer.
    ///
    /// One connection holds at most two messages of [`handshake_limit`](Self::handshake_limit) at
    /// a time, each in a buffer that is less than 8 KiB longer; of SSH at most two packets of
    /// 35,000 bytes and as many offers.
    pub buffer_memory: usize,
    /// How many different attribute sets, and as many certificates, connections share at once.
    /// One more is recorded all the same, but kept by each connection for itself.
    pub shared: usize,
    /// Security associations known at once. Of one more the record has only the number.
    pub associations: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connections: 65_536,
            prefix: 16 << 10,
            handshake_limit: 64 << 10,
            buffer_memory: 64 << 20,
            shared: 65_536,
            associations: 65_536,
        }
    }
}
