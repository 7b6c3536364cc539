//! A packet as people write it, to ask what the rules would do with it.
//!
//! `in tcp 10.1.1.7:2000 > 10.1.1.1:80 syn`; `docs/formats/packet-text.md` has the words.

mod problem;

use alloc::string::String;
use core::net::{IpAddr, Ipv6Addr};
use core::str::FromStr;

use hostward_hook::layout::proto;
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::time::UnixTime;
use jiff::Timestamp;

pub use problem::{PacketProblem, PacketTextError};

use crate::selectors::{Header, Opening, Selectors};

/// A packet somebody asks about, read from a text with [`FromStr`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PacketText {
    /// What rules select by.
    pub selectors: Selectors,
    /// Name of the tunnel it came through, if any (`through`); `*` stands for one that no rule names.
    pub through: Option<String>,
    /// The packet that it quotes, if it is an ICMP error and the text says so (`about`).
    pub quoted: Option<Selectors>,
    /// When it comes, if the text says so (`at`).
    pub at: Option<UnixTime>,
}

/// The protocols that have names here.
const PROTOCOLS: [(&str, u8); 15] = [
    ("tcp", proto::TCP),
    ("udp", proto::UDP),
    ("icmp", proto::ICMP),
    ("icmpv6", proto::ICMPV6),
    ("igmp", 2),
    ("ip", 4),
    ("esp", proto::ESP),
    ("ah", proto::AH),
    ("gre", 47),
    ("ospf", proto::OSPF),
    ("ipip", 94),
    ("sctp", proto::SCTP),
    ("dccp", proto::DCCP),
    ("udplite", proto::UDP_LITE),
    ("mipv6", proto::MOBILITY),
];

impl PacketText {
    /// The longest text that is read, in bytes.
    pub const MAX: usize = 1_000;
}

impl FromStr for PacketText {
    type Err = PacketTextError;

    fn from_str(text: &str) -> Result<Self, PacketTextError> {
        let mut reader = Reader {
            text,
            rest: text,
            said: Said::default(),
            whole: None,
        };
        if text.len() > Self::MAX {
            let word = reader.next().unwrap_or(Word { text: "", at: 0 });
            return Err(reader.wrong(word, PacketProblem::TooLong));
        }
        reader.read()
    }
}

/// A word and the byte at which it begins.
#[derive(Clone, Copy, Debug)]
struct Word<'t> {
    text: &'t str,
    at: usize,
}

/// Something that was said, by which word.
type Told<'t, T> = Option<(T, Word<'t>)>;

/// An address and its port.
type End<'t> = (IpAddr, Told<'t, u16>);

/// What part of the packet is not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    LaterFragment,
    FirstFragment,
    Cut,
}

#[derive(Default)]
struct Said<'t> {
    direction: Told<'t, Direction>,
    routing: Told<'t, Routing>,
    protocol: Told<'t, Option<u8>>,
    ends: Option<(End<'t>, End<'t>)>,
    kind: Told<'t, u8>,
    code: Told<'t, u8>,
    syn: Told<'t, ()>,
    ack: Told<'t, ()>,
    other_flag: Told<'t, ()>,
    part: Told<'t, Part>,
    class: Told<'t, u8>,
    at: Told<'t, UnixTime>,
    through: Told<'t, &'t str>,
}

struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
    said: Said<'t>,
    /// Behind `about`: what was said before, and that word.
    whole: Told<'t, Said<'t>>,
}

impl<'t> Reader<'t> {
    /// The next word; `>` is one of its own.
    fn next(&mut self) -> Option<Word<'t>> {
        let rest = self.rest.trim_start();
        let at = self.text.len().saturating_sub(rest.len());
        let ends = |(i, c): (usize, char)| (c.is_whitespace() || c == '>').then_some((i, c));
        let length = match rest.char_indices().find_map(ends) {
            Some((0, _)) => 1,
            Some((i, _)) => i,
            None => rest.len(),
        };
        let (text, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        (!text.is_empty()).then_some(Word { text, at })
    }

    fn wrong(&self, word: Word<'_>, problem: PacketProblem) -> PacketTextError {
        let before = self.text.get(..word.at).unwrap_or_default();
        PacketTextError {
            word: word.text.chars().take(40).collect(),
            column: before.chars().count().saturating_add(1),
            problem,
        }
    }

    fn missing(&self, problem: PacketProblem) -> PacketTextError {
        let end = Word {
            text: "",
            at: self.text.len(),
        };
        self.wrong(end, problem)
    }

    /// The word behind a keyword, read by a function.
    fn value<T>(
        &mut self,
        problem: PacketProblem,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T, PacketTextError> {
        let Some(word) = self.next() else {
            return Err(self.missing(problem));
        };
        read(word.text).ok_or_else(|| self.wrong(word, problem))
    }

    fn read(mut self) -> Result<PacketText, PacketTextError> {
        while let Some(word) = self.next() {
            self.word(word)?;
        }
        self.made()
    }

    fn word(&mut self, word: Word<'t>) -> Result<(), PacketTextError> {
        let lower = word.text.to_ascii_lowercase();
        let byte = |s: &str| s.parse::<u8>().ok();
        let again = match &*lower {
            "in" | "inbound" => put(&mut self.said.direction, Direction::Inbound, word),
            "out" | "outbound" => put(&mut self.said.direction, Direction::Outbound, word),
            "local" => put(&mut self.said.routing, Routing::Local, word),
            "routed" => put(&mut self.said.routing, Routing::Routed, word),
            "opaque" => put(&mut self.said.protocol, None, word),
            "proto" => {
                let n = self.value(PacketProblem::Number, byte)?;
                put(&mut self.said.protocol, Some(n), word)
            }
            "type" => {
                let n = self.value(PacketProblem::Number, byte)?;
                put(&mut self.said.kind, n, word)
            }
            "code" => {
                let n = self.value(PacketProblem::Number, byte)?;
                put(&mut self.said.code, n, word)
            }
            "class" => {
                let n = self.value(PacketProblem::Class, byte)?;
                put(&mut self.said.class, n, word)
            }
            "syn" => put(&mut self.said.syn, (), word),
            "ack" => put(&mut self.said.ack, (), word),
            "fin" | "rst" | "psh" | "urg" => {
                self.said.other_flag = Some(((), word));
                false
            }
            "fragment" => put(&mut self.said.part, Part::LaterFragment, word),
            "first-fragment" => put(&mut self.said.part, Part::FirstFragment, word),
            "cut" => put(&mut self.said.part, Part::Cut, word),
            "through" => {
                let Some(name) = self.next() else {
                    return Err(self.missing(PacketProblem::Through));
                };
                put(&mut self.said.through, name.text, word)
            }
            "about" => {
                if self.whole.is_some() {
                    return Err(self.wrong(word, PacketProblem::Again));
                }
                self.whole = Some((core::mem::take(&mut self.said), word));
                false
            }
            "at" => {
                let at = self.value(PacketProblem::Time, time)?;
                put(&mut self.said.at, at, word)
            }
            _ => match PROTOCOLS.iter().find(|(name, _)| *name == lower) {
                Some((_, n)) => put(&mut self.said.protocol, Some(*n), word),
                None => return self.ends(word),
            },
        };
        if again {
            return Err(self.wrong(word, PacketProblem::Again));
        }
        Ok(())
    }

    /// `SOURCE > DESTINATION`.
    fn ends(&mut self, word: Word<'t>) -> Result<(), PacketTextError> {
        let looks = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']');
        if !word.text.contains(['.', ':']) || !word.text.chars().all(looks) {
            return Err(self.wrong(word, PacketProblem::Word));
        }
        if self.said.ends.is_some() {
            return Err(self.wrong(word, PacketProblem::Again));
        }
        let source = self.end(word)?;
        let Some(arrow) = self.next() else {
            return Err(self.missing(PacketProblem::Arrow));
        };
        if arrow.text != ">" {
            return Err(self.wrong(arrow, PacketProblem::Arrow));
        }
        let Some(word) = self.next() else {
            return Err(self.missing(PacketProblem::Address));
        };
        let destination = self.end(word)?;
        if source.0.is_ipv4() != destination.0.is_ipv4() {
            return Err(self.wrong(word, PacketProblem::Mixed));
        }
        self.said.ends = Some((source, destination));
        Ok(())
    }

    fn end(&self, word: Word<'t>) -> Result<End<'t>, PacketTextError> {
        if let Ok(address) = word.text.parse::<IpAddr>() {
            return Ok((address, None));
        }
        let wrong = |problem| self.wrong(word, problem);
        let (address, port) = match word.text.strip_prefix('[') {
            Some(rest) => {
                let (inner, rest) = rest.split_once(']').ok_or(wrong(PacketProblem::Address))?;
                let address: Ipv6Addr = inner.parse().map_err(|_| wrong(PacketProblem::Address))?;
                if rest.is_empty() {
                    return Ok((address.into(), None));
                }
                let port = rest.strip_prefix(':').ok_or(wrong(PacketProblem::Port))?;
                (IpAddr::from(address), port)
            }
            None => {
                let split = word.text.rsplit_once(':');
                let (address, port) = split.ok_or(wrong(PacketProblem::Address))?;
                let address: core::net::Ipv4Addr =
                    address.parse().map_err(|_| wrong(PacketProblem::Address))?;
                (address.into(), port)
            }
        };
        let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits);
        let port = port.ok_or(wrong(PacketProblem::Port))?;
        Ok((address, Some((port, word))))
    }

    fn made(mut self) -> Result<PacketText, PacketTextError> {
        let quoted = match self.whole.take() {
            Some((whole, about)) => {
                let quoted = core::mem::replace(&mut self.said, whole);
                Some((self.quoted(quoted)?, about))
            }
            None => None,
        };
        let selectors = self.selectors(&self.said)?;
        let quoted = match quoted {
            Some((quoted, _)) if selectors.can_quote(&quoted) => Some(quoted),
            Some((_, about)) => return Err(self.wrong(about, PacketProblem::About)),
            None => None,
        };
        let said = &self.said;
        if let Some((_, word)) = said.through
            && selectors.direction == Direction::Outbound
        {
            return Err(self.wrong(word, PacketProblem::ThroughOut));
        }
        Ok(PacketText {
            selectors,
            quoted,
            through: said.through.map(|(name, _)| name.into()),
            at: said.at.map(|(at, _)| at),
        })
    }

    /// The packet behind `about`: it went the other way, else as the whole.
    fn quoted(&self, mut said: Said<'t>) -> Result<Selectors, PacketTextError> {
        let of_whole = [
            said.direction.map(|(_, word)| word),
            said.routing.map(|(_, word)| word),
            said.class.map(|(_, word)| word),
            said.at.map(|(_, word)| word),
            said.through.map(|(_, word)| word),
        ];
        if let Some(word) = of_whole.into_iter().flatten().next() {
            return Err(self.wrong(word, PacketProblem::OfWhole));
        }
        let whole = &self.said;
        said.direction = whole.direction.map(|(direction, word)| {
            let other = match direction {
                Direction::Inbound => Direction::Outbound,
                Direction::Outbound => Direction::Inbound,
            };
            (other, word)
        });
        (said.routing, said.class) = (whole.routing, whole.class);
        self.selectors(&said)
    }

    fn selectors(&self, said: &Said<'t>) -> Result<Selectors, PacketTextError> {
        let (direction, _) = said
            .direction
            .ok_or_else(|| self.missing(PacketProblem::NoDirection))?;
        let (protocol, by) = said
            .protocol
            .ok_or_else(|| self.missing(PacketProblem::NoProtocol))?;
        let (source, destination) = said
            .ends
            .ok_or_else(|| self.missing(PacketProblem::NoAddresses))?;
        if protocol.is_none() && source.0.is_ipv4() {
            return Err(self.wrong(by, PacketProblem::OpaqueV4));
        }
        let part = said.part.map(|(part, _)| part);
        let (header, opening) = self.header(said, protocol, source.1, destination.1)?;
        Ok(Selectors {
            source: source.0,
            destination: destination.0,
            protocol,
            header,
            fragment: matches!(part, Some(Part::LaterFragment | Part::FirstFragment))
                || protocol.is_none(),
            opening,
            direction,
            routing: said.routing.map_or(Routing::Local, |(routing, _)| routing),
            security_class: said.class.map_or(0, |(class, _)| class),
        })
    }

    /// What the upper-layer header says, and whether the packet opens a connection.
    fn header(
        &self,
        said: &Said<'t>,
        protocol: Option<u8>,
        source: Told<'_, u16>,
        destination: Told<'_, u16>,
    ) -> Result<(Header, Opening), PacketTextError> {
        let ports = [source, destination].map(|p| p.map(|(_, word)| word));
        let types = [said.kind, said.code].map(|t| t.map(|(_, word)| word));
        let flags = [said.syn, said.ack, said.other_flag].map(|f| f.map(|((), word)| word));
        let refuse = |words: &[Option<Word<'_>>], problem| match words.iter().flatten().next() {
            Some(word) => Err(self.wrong(*word, problem)),
            None => Ok(()),
        };
        let part = said.part.map(|(part, _)| part);
        if protocol.is_none() || matches!(part, Some(Part::LaterFragment | Part::Cut)) {
            refuse(&ports, PacketProblem::Hidden)?;
            refuse(&types, PacketProblem::Hidden)?;
            refuse(&flags, PacketProblem::Hidden)?;
            return Ok((Header::Unknown, Opening::Unknown));
        }
        let protocol = protocol.unwrap_or(proto::AH);
        let has_ports = matches!(
            protocol,
            proto::TCP | proto::UDP | proto::SCTP | proto::DCCP | proto::UDP_LITE
        );
        if !has_ports {
            refuse(&ports, PacketProblem::PortOfOther)?;
        }
        if protocol != proto::TCP {
            refuse(&flags, PacketProblem::FlagsOfOther)?;
        }
        if has_ports {
            refuse(&types, PacketProblem::TypeOfOther)?;
            let (Some((source, _)), Some((destination, _))) = (source, destination) else {
                return Err(self.missing(PacketProblem::NoPorts));
            };
            let opening = match (protocol, said.syn, said.ack) {
                (proto::TCP, Some(_), None) => Opening::Opens,
                (proto::TCP, _, _) => Opening::Continues,
                _ => Opening::Unknown,
            };
            return Ok((Header::Ports(source, destination), opening));
        }
        let kind = said.kind.map(|(kind, _)| kind);
        let code = said.code.map(|(code, _)| code);
        let header = match (protocol, kind, code) {
            (proto::ICMP | proto::ICMPV6, Some(kind), code) => {
                Header::Icmp(kind, code.unwrap_or(0))
            }
            (proto::OSPF | proto::MOBILITY, Some(kind), None) => Header::Type(kind),
            (proto::ICMP | proto::ICMPV6 | proto::OSPF | proto::MOBILITY, None, None) => {
                return Err(self.missing(PacketProblem::NoType));
            }
            (_, _, _) => {
                refuse(&[types[1], types[0]], PacketProblem::TypeOfOther)?;
                Header::Unknown
            }
        };
        Ok((header, Opening::Unknown))
    }
}

/// Notes what a word said; whether it was said before.
fn put<'t, T>(told: &mut Told<'t, T>, value: T, word: Word<'t>) -> bool {
    let again = told.is_some();
    *told = Some((value, word));
    again
}

fn time(text: &str) -> Option<UnixTime> {
    let at: Timestamp = text.to_ascii_uppercase().parse().ok()?;
    u64::try_from(at.as_microsecond())
        .ok()
        .map(UnixTime::from_micros)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    fn read(text: &str) -> PacketText {
        text.parse().unwrap()
    }

    #[test]
    fn words_say_what_the_packet_is() {
        let p = read("in tcp 10.1.1.7:2000 > 10.1.1.1:80 syn").selectors;
        assert_eq!(p.source, "10.1.1.7".parse::<IpAddr>().unwrap());
        assert_eq!(p.destination, "10.1.1.1".parse::<IpAddr>().unwrap());
        assert_eq!((p.protocol, p.header), (Some(6), Header::Ports(2000, 80)));
        assert_eq!((p.opening, p.fragment), (Opening::Opens, false));
        assert_eq!(
            (p.direction, p.routing),
            (Direction::Inbound, Routing::Local)
        );
        let p = read("  OUT\tUDP [2001:db8::1]:53>[2001:db8::2]:4000 class 7").selectors;
        assert_eq!((p.protocol, p.header), (Some(17), Header::Ports(53, 4000)));
        assert_eq!((p.opening, p.security_class), (Opening::Unknown, 7));
        assert_eq!(p.direction, Direction::Outbound);
        let p = read("in routed icmp 10.0.0.1 > 10.0.0.2 type 3 code 1").selectors;
        assert_eq!((p.routing, p.header), (Routing::Routed, Header::Icmp(3, 1)));
        let p = read("in tcp 10.0.0.1 > 10.0.0.2 fragment").selectors;
        assert_eq!((p.header, p.fragment), (Header::Unknown, true));
        assert_eq!(p.opening, Opening::Unknown);
        let p = read("in tcp 10.0.0.1:1 > 10.0.0.2:2 first-fragment").selectors;
        assert_eq!((p.header, p.fragment), (Header::Ports(1, 2), true));
        let p = read("in opaque 2001:db8::1 > [2001:db8::2]").selectors;
        assert_eq!((p.protocol, p.fragment), (None, true));
        assert_eq!(
            read("in ah 10.0.0.1 > 10.0.0.2").selectors.protocol,
            Some(51)
        );
        assert_eq!(
            read("in proto 99 10.0.0.1 > 10.0.0.2").selectors.protocol,
            Some(99)
        );
        let p = read("in ospf 10.0.0.1 > 224.0.0.5 type 1 at 1970-01-02T00:00:00.5+00:00");
        assert_eq!(p.selectors.header, Header::Type(1));
        assert_eq!(p.at, Some(UnixTime::from_micros(86_400_500_000)));
    }

    #[test]
    fn an_error_comes_through_a_tunnel_and_is_about_a_packet() {
        let p = read(
            "in class 3 icmp 10.0.0.9 > 10.0.0.2 type 3 code 1 through Gold about tcp syn \
             10.0.0.2:1 > 10.0.0.1:2",
        );
        assert_eq!(p.through.as_deref(), Some("Gold"));
        assert_eq!(p.selectors.header, Header::Icmp(3, 1));
        let quoted = p.quoted.unwrap();
        assert_eq!(quoted.direction, Direction::Outbound);
        assert_eq!(
            (quoted.header, quoted.opening, quoted.security_class),
            (Header::Ports(1, 2), Opening::Opens, 3)
        );
        assert_eq!(
            read("in udp 10.0.0.1:1 > 10.0.0.2:2 through *")
                .through
                .as_deref(),
            Some("*")
        );
    }

    // RFC 9293 section 3.5: a segment with SYN and without ACK opens a connection.
    #[test]
    fn flags_tell_who_opens() {
        for (flags, opening) in [
            ("", Opening::Continues),
            ("ack", Opening::Continues),
            ("syn ack", Opening::Continues),
            ("ack syn", Opening::Continues),
            ("syn", Opening::Opens),
            ("fin syn psh", Opening::Opens),
            ("rst", Opening::Continues),
        ] {
            let p = read(&format!("in tcp {flags} 10.0.0.1:1 > 10.0.0.2:2"));
            assert_eq!(p.selectors.opening, opening, "{flags}");
        }
    }

    #[test]
    fn errors_name_the_word_and_what_was_expected() {
        use PacketProblem as P;
        for (text, word, column, problem) in [
            ("", "", 1, P::NoDirection),
            ("in", "", 3, P::NoProtocol),
            ("in tcp", "", 7, P::NoAddresses),
            ("in tpc 10.0.0.1:1 > 10.0.0.2:2", "tpc", 4, P::Word),
            ("é tcp", "é", 1, P::Word),
            ("in out", "out", 4, P::Again),
            ("in in", "in", 4, P::Again),
            ("in tcp udp", "udp", 8, P::Again),
            ("in proto 256", "256", 10, P::Number),
            ("in type", "", 8, P::Number),
            ("in class x", "x", 10, P::Class),
            ("in at noon", "noon", 7, P::Time),
            (
                "in at 1969-01-01T00:00:00Z",
                "1969-01-01T00:00:00Z",
                7,
                P::Time,
            ),
            (
                "in tcp 10.0.0.1.2:1 > 10.0.0.2:2",
                "10.0.0.1.2:1",
                8,
                P::Address,
            ),
            (
                "in tcp 10.0.0.1:65536 > 10.0.0.2:2",
                "10.0.0.1:65536",
                8,
                P::Port,
            ),
            ("in tcp 10.0.0.1:+1 > 10.0.0.2:2", "10.0.0.1:+1", 8, P::Word),
            ("in tcp [2001:db8::1]x > ::1", "[2001:db8::1]x", 8, P::Word),
            ("in tcp [2001:db8::1]1 > ::1", "[2001:db8::1]1", 8, P::Port),
            ("in tcp [2001:db8::1 > ::1", "[2001:db8::1", 8, P::Address),
            ("in tcp 10.0.0.1:1 10.0.0.2:2", "10.0.0.2:2", 19, P::Arrow),
            ("in tcp 10.0.0.1:1", "", 18, P::Arrow),
            ("in tcp 10.0.0.1:1 >", "", 20, P::Address),
            ("in icmp 10.0.0.1 > ::1 type 8", "::1", 20, P::Mixed),
            (
                "in icmp 10.0.0.1:1 > 10.0.0.2 type 8",
                "10.0.0.1:1",
                9,
                P::PortOfOther,
            ),
            ("in tcp 10.0.0.1:1 > 10.0.0.2", "", 29, P::NoPorts),
            (
                "in tcp 10.0.0.1:1 > 10.0.0.2:2 type 1",
                "type",
                32,
                P::TypeOfOther,
            ),
            (
                "in ospf 10.0.0.1 > 10.0.0.2 type 1 code 1",
                "code",
                36,
                P::TypeOfOther,
            ),
            ("in icmp 10.0.0.1 > 10.0.0.2", "", 28, P::NoType),
            (
                "in icmp 10.0.0.1 > 10.0.0.2 code 1",
                "code",
                29,
                P::TypeOfOther,
            ),
            (
                "in udp 10.0.0.1:1 > 10.0.0.2:2 syn",
                "syn",
                32,
                P::FlagsOfOther,
            ),
            (
                "in tcp 10.0.0.1:1 > 10.0.0.2:2 cut",
                "10.0.0.1:1",
                8,
                P::Hidden,
            ),
            (
                "in tcp 10.0.0.1 > 10.0.0.2 fragment syn",
                "syn",
                37,
                P::Hidden,
            ),
            ("in opaque 10.0.0.1 > 10.0.0.2", "opaque", 4, P::OpaqueV4),
            ("in through", "", 11, P::Through),
            (
                "out tcp 10.0.0.1:1 > 10.0.0.2:2 through Gold",
                "through",
                33,
                P::ThroughOut,
            ),
            (
                "in icmp 10.0.0.9 > 10.0.0.2 type 3 about out tcp 10.0.0.2:1 > 10.0.0.1:2",
                "out",
                42,
                P::OfWhole,
            ),
            (
                "in icmp 10.0.0.9 > 10.0.0.2 type 8 about tcp 10.0.0.2:1 > 10.0.0.1:2",
                "about",
                36,
                P::About,
            ),
            (
                "in icmp 10.0.0.9 > 10.0.0.2 type 3 about tcp 10.0.0.3:1 > 10.0.0.1:2",
                "about",
                36,
                P::About,
            ),
            ("in about tcp about", "about", 14, P::Again),
        ] {
            let error = text.parse::<PacketText>().unwrap_err();
            let told = (&*error.word, error.column, error.problem);
            assert_eq!(told, (word, column, problem), "{text}");
        }
        let error = "in tpc".parse::<PacketText>().unwrap_err().to_string();
        assert!(
            error.starts_with("`tpc` at column 4: expected `in` or `out`"),
            "{error}"
        );
        let long = "x".repeat(PacketText::MAX + 1);
        let error = long.parse::<PacketText>().unwrap_err();
        assert_eq!((error.problem, error.word.len()), (P::TooLong, 40));
    }

    #[test]
    fn any_text_is_read_or_refused() {
        arbtest::arbtest(|u| {
            const WORDS: &[&str] = &[
                "in",
                "out",
                "tcp",
                "icmp",
                "opaque",
                "proto",
                "1",
                "300",
                "10.0.0.1:1",
                "::1",
                "[::1]:2",
                ">",
                "type",
                "code",
                "syn",
                "ack",
                "cut",
                "fragment",
                "at",
                "class",
                "about",
                "through",
                "2026-11-22T12:00:00Z",
                "10.0.0.1",
                "é",
                ":",
                "[",
            ];
            let mut text = String::new();
            for _ in 0..u.int_in_range(0..=9)? {
                text += u.choose(WORDS)?;
                if u.ratio(9, 10)? {
                    text.push(' ');
                }
            }
            if let Err(error) = text.parse::<PacketText>() {
                assert!(text.contains(&error.word) && error.column <= text.chars().count() + 1);
            }
            Ok(())
        });
    }
}
