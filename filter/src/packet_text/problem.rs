//! What can be wrong with a text that is to describe a packet.

use alloc::string::String;
use core::fmt;

/// A text that describes no packet: the word that is wrong, where it is and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub struct PacketTextError {
    /// The word, cut to 40 characters; empty at the end of the text.
    pub word: String,
    /// Where it begins: characters from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: PacketProblem,
}

impl fmt::Display for PacketTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.word.is_empty() {
            write!(f, "at the end of the packet: {}", self.problem)
        } else {
            let Self { word, column, .. } = self;
            write!(f, "`{word}` at column {column}: {}", self.problem)
        }
    }
}

/// What is wrong with a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketProblem {
    /// The text is longer than [`PacketText::MAX`](super::PacketText::MAX) bytes.
    #[error("the text is too long")]
    TooLong,
    /// No such word.
    #[error(
        "expected `in` or `out`, a protocol, `SOURCE > DESTINATION`, `type N`, `code N`, `syn`, \
         `ack`, `routed`, `fragment`, `first-fragment`, `cut`, `class N`, `through TUNNEL`, `at TIME` \
         or `about` and a packet"
    )]
    Word,
    /// It says a second time, or otherwise, what was said before.
    #[error("this was said before")]
    Again,
    /// Neither `in` nor `out`.
    #[error("expected `in` or `out`")]
    NoDirection,
    /// No addresses.
    #[error("expected `SOURCE > DESTINATION`")]
    NoAddresses,
    /// No protocol.
    #[error("expected a protocol: `tcp`, `udp`, `icmp`, `proto N`, `opaque` …")]
    NoProtocol,
    /// Not a protocol's number.
    #[error("expected a number from 0 to 255")]
    Number,
    /// Not a security class.
    #[error("expected a security class from 0 to 255")]
    Class,
    /// Not a time.
    #[error("expected a time such as 2026-11-22T12:00:00Z")]
    Time,
    /// An address that is none.
    #[error("expected an address: 192.0.2.1, 192.0.2.1:80, 2001:db8::1 or [2001:db8::1]:80")]
    Address,
    /// A port that is none.
    #[error("expected a port from 0 to 65535")]
    Port,
    /// No `>` between the addresses.
    #[error("expected `>` between source and destination")]
    Arrow,
    /// Addresses of both versions.
    #[error("expected an address of the same IP version as the source")]
    Mixed,
    /// Ports of a protocol that has none.
    #[error("a port goes with tcp, udp, sctp, dccp and udplite only")]
    PortOfOther,
    /// One end has a port and the other has not, or none has.
    #[error("expected ports at both ends; `fragment` or `cut` if the packet does not show them")]
    NoPorts,
    /// A type of a protocol that has none.
    #[error("a type goes with icmp, icmpv6, ospf and mipv6 only, a code with icmp and icmpv6")]
    TypeOfOther,
    /// No type.
    #[error("expected `type N`, with ICMP also `code N`; `fragment` or `cut` if it is not shown")]
    NoType,
    /// Flags of a protocol that has none.
    #[error("flags go with tcp only")]
    FlagsOfOther,
    /// The packet cannot show what was said.
    #[error("a later fragment, and what is cut off, shows no port, type, code or flag")]
    Hidden,
    /// No name of a tunnel.
    #[error("expected the name of a tunnel, or `*` for one that no rule names")]
    Through,
    /// A packet that leaves came through nothing.
    #[error("only what comes `in` can have come through a tunnel")]
    ThroughOut,
    /// Something is said of the quoted packet that goes for the whole.
    #[error("behind `about` only the quoted packet is described: say this before it")]
    OfWhole,
    /// What is quoted cannot be what the packet is about.
    #[error(
        "only a whole ICMP error quotes a packet (`type` 3, 4, 11 or 12, with icmpv6 1 to 4), and \
         not another error; it goes to the source of what it quotes"
    )]
    About,
    /// A protocol that cannot be told, in IPv4.
    #[error("the protocol of IPv4 can always be told")]
    OpaqueV4,
}
