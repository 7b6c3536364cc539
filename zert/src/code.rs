//! The codes of this control (6000–6999).

use hostward_hook::Code;

hostward_hook::codes! {
    /// Codes of the cryptographic-protection observer.
    pub static CODES;
    /// A connection has ended; the detail is its protection record.
    RECORD = 6001, "protection-record";
    /// Discovery event 1: a connection has settled, or its first handshake is decided.
    INITIATION = 6011, "connection-initiation";
    /// Discovery event 2: the protection of a reported connection has changed.
    CHANGE = 6012, "protection-change";
    /// Discovery event 3: a reported connection has ended.
    TERMINATION = 6013, "connection-termination";
    /// Discovery event 4: a connection has ended before it was reported.
    SHORT_TERMINATION = 6014, "short-connection-termination";
    /// Discovery event 5: the observer was switched on; connections from now on are watched.
    ENABLED = 6015, "discovery-enabled";
    /// Discovery event 6: the observer was switched off and has forgotten everything.
    DISABLED = 6016, "discovery-disabled";
    /// Discovery event 7: a connection matches a rule that asks for an audit record.
    ENFORCEMENT = 6017, "enforcement-audit";
    /// A connection matches a rule that asks for a message to the system log.
    ENFORCEMENT_LOG = 6021, "enforcement-log";
    /// A connection matches a rule that asks for a message to the console.
    ENFORCEMENT_CONSOLE = 6022, "enforcement-console";
    /// A connection is reset because of how it is protected, or would be if its rule were not simulated.
    ENFORCEMENT_RESET = 6023, "enforcement-reset";
    /// Rules about protection are in force and the observer is switched off.
    NOT_ENABLED = 6024, "enforcement-not-enabled";
    /// Rules ask for audit records and no destination takes them.
    NO_AUDIT = 6025, "enforcement-no-audit";
    /// As many connections are watched as the configuration allows; this one is not.
    CONNECTIONS_FULL = 6101, "connections-full";
    /// A handshake message is longer than the configuration allows and was skipped.
    MESSAGE_TOO_LONG = 6102, "handshake-message-too-long";
    /// The memory set aside for handshake messages is used up; this handshake is not read on.
    MEMORY_FULL = 6103, "handshake-memory-full";
    /// A connection could not be reset: the host has not drained its actions.
    RESET_LOST = 6104, "enforcement-reset-lost";
    /// As many security sessions, or sets of their attributes, are counted as the configuration
    /// allows; in this interval others are counted in the overflow session of their protocol.
    SESSIONS_FULL = 6111, "security-sessions-full";
    /// As many connections are followed by aggregation as the configuration allows; in this interval
    /// others are counted at their end.
    AGGREGATION_CONNECTIONS_FULL = 6112, "aggregation-connections-full";
}

/// The number of a discovery event (1 to 7) by its code, `None` for other codes.
///
/// ```
/// use hostward_zert::code::{DISABLED, INITIATION, RECORD, discovery_event};
/// assert_eq!(discovery_event(INITIATION), Some(1));
/// assert_eq!(discovery_event(DISABLED), Some(6));
/// assert_eq!(discovery_event(RECORD), None);
/// ```
#[must_use]
pub const fn discovery_event(code: Code) -> Option<u8> {
    match code.get().checked_sub(INITIATION.get()) {
        Some(n @ 0..=6) => Some(n as u8 + 1),
        _ => None,
    }
}
