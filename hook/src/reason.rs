//! Stable numbers for everything a control decides or reports.
//!
//! One `u16` space serves drop reasons and event codes, so that a number means the same in a
//! counter, a log line and a record. Each control owns a thousand of them. A code that was once
//! published keeps its number and meaning for ever; `docs/codes.md` lists all.

use core::fmt;

/// A control of the suite: the owner of a range of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Control {
    /// The meeting place itself: flow table, reassembly, hold queue (1000–1999).
    Hook,
    /// IP filters (2000–2999).
    Filter,
    /// Intrusion detection (3000–3999).
    Ids,
    /// IPsec (4000–4999).
    Ipsec,
    /// IKE (5000–5999).
    Ike,
    /// Cryptographic-protection records (6000–6999).
    Zert,
    /// Access control (7000–7999).
    Saf,
    /// Application-transparent TLS (8000–8999).
    Attls,
    /// The log trail (9000–9999).
    Syslog,
    /// The policy agent (10000–10999).
    Policy,
    /// Codes of the embedding host, which no crate of the suite uses (60000 and above).
    Host,
}

impl Control {
    /// The control that owns a code; `None` in a range nobody owns yet.
    #[must_use]
    pub const fn of(code: u16) -> Option<Self> {
        Some(match code {
            1000..=1999 => Self::Hook,
            2000..=2999 => Self::Filter,
            3000..=3999 => Self::Ids,
            4000..=4999 => Self::Ipsec,
            5000..=5999 => Self::Ike,
            6000..=6999 => Self::Zert,
            7000..=7999 => Self::Saf,
            8000..=8999 => Self::Attls,
            9000..=9999 => Self::Syslog,
            10000..=10999 => Self::Policy,
            60000.. => Self::Host,
            _ => return None,
        })
    }

    /// The control's name as it stands in records and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hook => "hook",
            Self::Filter => "filter",
            Self::Ids => "ids",
            Self::Ipsec => "ipsec",
            Self::Ike => "ike",
            Self::Zert => "zert",
            Self::Saf => "saf",
            Self::Attls => "attls",
            Self::Syslog => "syslog",
            Self::Policy => "policy",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A stable numeric code: why a packet was dropped, or what an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

/// The code under which a control refuses a packet.
pub type Reason = Code;

impl Code {
    /// Makes a code; crates of the suite and hosts define theirs as constants.
    #[must_use]
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The control that owns the code.
    #[must_use]
    pub const fn control(self) -> Option<Control> {
        Control::of(self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The published meaning of a code. Every control has a table of these, from which
/// `docs/codes.md` is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodeInfo {
    /// The code.
    pub code: Code,
    /// A short stable name in kebab case.
    pub name: &'static str,
    /// What it means, one sentence.
    pub text: &'static str,
}

impl CodeInfo {
    /// Makes a table entry.
    #[must_use]
    pub const fn new(code: Code, name: &'static str, text: &'static str) -> Self {
        Self { code, name, text }
    }
}

/// Declares the codes of a control and the table that publishes them.
///
/// ```
/// hostward_hook::codes! {
///     /// Codes of this appliance.
///     pub static CODES;
///     /// The link is down.
///     LINK_DOWN = 60001, "link-down";
/// }
/// assert_eq!(LINK_DOWN.get(), 60001);
/// assert_eq!(CODES[0].name, "link-down");
/// assert_eq!(CODES[0].text, "The link is down.");
/// ```
#[macro_export]
macro_rules! codes {
    ($(#[$tdoc:meta])* $vis:vis static $table:ident;
     $( $(#[doc = $doc:literal])+ $name:ident = $num:literal, $text:literal; )+) => {
        $( $(#[doc = $doc])+ $vis const $name: $crate::reason::Code = $crate::reason::Code::new($num); )+
        $(#[$tdoc])*
        $vis static $table: &[$crate::reason::CodeInfo] = &[
            $( $crate::reason::CodeInfo::new(
                $name,
                $text,
                ::core::concat!($($doc),+).trim_ascii(),
            ), )+
        ];
    };
}

codes! {
    /// Codes of the meeting place itself.
    pub static CODES;
    /// The flow table is full of flows that are worth more than this one; the packet passes
    /// without flow state.
    FLOW_TABLE_FULL = 1001, "flow-table-full";
    /// The initiator already holds more than its share of a crowded flow table; the packet passes
    /// without flow state.
    FLOW_SHARE_EXCEEDED = 1002, "flow-share-exceeded";
    /// A flow was evicted from the full table to make room for a newer one.
    FLOW_EVICTED = 1003, "flow-evicted";
    /// Fragments of one datagram overlap, so all of it is discarded (RFC 5722).
    FRAGMENT_OVERLAP = 1101, "fragment-overlap";
    /// A datagram's fragments did not all arrive in time (RFC 791, RFC 8200 section 4.5).
    FRAGMENT_TIMEOUT = 1102, "fragment-timeout";
    /// The memory set aside for fragments is used up; the oldest incomplete datagram was discarded.
    FRAGMENT_MEMORY = 1103, "fragment-memory";
    /// The reassembled datagram would be longer than 65,535 bytes.
    FRAGMENT_TOO_LONG = 1104, "fragment-too-long";
    /// A fragment contradicts another one about where the datagram ends.
    FRAGMENT_BAD_END = 1105, "fragment-bad-end";
    /// A datagram came in more fragments than are accepted for one datagram.
    FRAGMENT_TOO_MANY = 1106, "fragment-too-many";
    /// A fragment that is not the last carries a length that is no multiple of eight, or none.
    FRAGMENT_BAD_LENGTH = 1107, "fragment-bad-length";
    /// The reassembled datagram does not fit into the frame the host lent.
    FRAGMENT_NO_ROOM = 1108, "fragment-no-room";
    /// A packet has more than one IPv6 fragment header.
    FRAGMENT_NESTED = 1109, "fragment-nested";
    /// A first fragment does not hold the whole header chain (RFC 7112, RFC 8200 section 4.5).
    FRAGMENT_TINY = 1110, "fragment-first-too-short";
    /// A fragment met congestion and another is not ECN-capable (RFC 3168 section 5.3).
    FRAGMENT_ECN = 1111, "fragment-ecn";
    /// A retransmitted TCP segment carries other bytes than the first one did.
    STREAM_OVERLAP_DIFFERS = 1201, "stream-overlap-differs";
    /// TCP data is missing from the stream and will not come any more.
    STREAM_GAP = 1202, "stream-gap";
    /// The memory set aside for out-of-order TCP segments is used up.
    STREAM_MEMORY = 1203, "stream-memory";
    /// A TCP reset lies outside the window and was not believed.
    STREAM_RST_OUT_OF_WINDOW = 1204, "stream-rst-out-of-window";
    /// TCP data lies beyond the end that a FIN has announced.
    STREAM_DATA_AFTER_FIN = 1205, "stream-data-after-fin";
    /// A TCP segment lies too far from the expected sequence number to belong to the stream.
    STREAM_OUT_OF_WINDOW = 1206, "stream-out-of-window";
    /// A TCP reset lies in the window but not at the next sequence number; a receiver challenges
    /// it instead of believing it (RFC 5961 section 3.2).
    STREAM_RST_CHALLENGED = 1207, "stream-rst-challenged";
    /// The hold queue is full, so a packet that should wait was discarded.
    HOLD_QUEUE_FULL = 1301, "hold-queue-full";
    /// A held packet waited longer than the queue allows.
    HOLD_TIMEOUT = 1302, "hold-timeout";
    /// The packet is nested deeper in IPsec than the guard follows.
    NESTING_TOO_DEEP = 1401, "nesting-too-deep";
    /// The frame holds no IP packet that could be judged.
    NOT_IP = 1402, "not-ip";
    /// A control asked for more actions than the host has fetched; the action was lost.
    ACTION_QUEUE_FULL = 1501, "action-queue-full";
}
