//! What a rule asks of a packet, as far as our rules can ask it, and what they cannot.

use std::rc::Rc;

use super::ranges::Ranges;

/// Something a rule asks for that cannot be said here: the packets it is about are not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Doubt {
    /// Where it stands.
    pub(super) place: Rc<str>,
    /// What it is.
    pub(super) reason: Rc<str>,
    /// What a permit can do instead of being left out.
    pub(super) instead: Instead,
}

/// What a permit can do about a doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Instead {
    /// Nothing: it is left out.
    Nothing,
    /// Not match packets that open connections.
    NotOpening,
    /// Nothing more: the condition was narrowed already.
    Narrowed,
}

/// The kind of the two numbers of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Nothing is asked of them.
    None,
    /// Ports.
    Ports,
    /// ICMP or ICMPv6 type and code.
    Icmp,
}

/// A field that a source rule compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    SourceV4,
    DestinationV4,
    SourceV6,
    DestinationV6,
    Protocol,
    SourcePort,
    DestinationPort,
    Type,
    Code,
    /// IP version, 4 or 6.
    Version,
}

impl Field {
    /// The greatest value there is.
    pub(super) const fn most(self) -> u128 {
        match self {
            Self::SourceV4 | Self::DestinationV4 => u32::MAX as u128,
            Self::SourceV6 | Self::DestinationV6 => u128::MAX,
            Self::SourcePort | Self::DestinationPort => u16::MAX as u128,
            Self::Protocol | Self::Type | Self::Code => u8::MAX as u128,
            Self::Version => 15,
        }
    }
}

/// A conjunction: packets that fulfil all of it, and perhaps not all of those.
#[derive(Clone, Debug)]
pub(super) struct Cond {
    pub(super) source: [Ranges; 2],
    pub(super) destination: [Ranges; 2],
    /// `None` asks nothing; anything else asks for a protocol that can be told.
    pub(super) protocol: Option<Ranges>,
    pub(super) numbers: Numbers,
    /// Source ports or types, destination ports or codes.
    pub(super) a: Ranges,
    pub(super) b: Ranges,
    /// Only fragments.
    pub(super) fragments: bool,
    /// It asks more than can be said: of the packets above only some are meant.
    pub(super) doubts: Vec<Doubt>,
}

const V4: u128 = u32::MAX as u128;
const PORT: u128 = u16::MAX as u128;

impl Cond {
    /// Every packet.
    pub(super) fn any() -> Self {
        let ends = || [Ranges::all(V4), Ranges::all(u128::MAX)];
        Self {
            source: ends(),
            destination: ends(),
            protocol: None,
            numbers: Numbers::None,
            a: Ranges::all(PORT),
            b: Ranges::all(PORT),
            fragments: false,
            doubts: Vec::new(),
        }
    }

    /// Only packets of one IP version.
    pub(super) fn version(&mut self, v6: bool) {
        for [four, six] in [&mut self.source, &mut self.destination] {
            if v6 {
                *four = Ranges::none(V4);
            } else {
                *six = Ranges::none(u128::MAX);
            }
        }
    }

    /// Whether it is for packets of this version.
    pub(super) fn has_version(&self, v6: bool) -> bool {
        let pick = |[four, six]: &[Ranges; 2]| if v6 { six.clone() } else { four.clone() };
        !pick(&self.source).is_empty() && !pick(&self.destination).is_empty()
    }

    /// How long its lists are.
    pub(super) fn size(&self) -> usize {
        let ends = self.source.iter().chain(&self.destination);
        let ends: usize = ends.map(|r| r.list().len()).sum();
        ends + self.a.list().len() + self.b.list().len() + self.doubts.len()
    }

    /// Whether no packet fulfils it.
    pub(super) fn is_empty(&self) -> bool {
        !(self.has_version(false) || self.has_version(true))
            || self.protocol.as_ref().is_some_and(Ranges::is_empty)
            || self.a.is_empty()
            || self.b.is_empty()
    }

    /// Whether the same packets fulfil it, doubts aside.
    pub(super) fn same_packets(&self, other: &Self) -> bool {
        self.source == other.source
            && self.destination == other.destination
            && self.protocol == other.protocol
            && (self.numbers, self.fragments) == (other.numbers, other.fragments)
            && (&self.a, &self.b) == (&other.a, &other.b)
    }

    /// Asks for values of a field.
    pub(super) fn field(&mut self, field: Field, values: &Ranges) {
        match field {
            Field::SourceV4 => self.end(false, values, true),
            Field::SourceV6 => self.end(true, values, true),
            Field::DestinationV4 => self.end(false, values, false),
            Field::DestinationV6 => self.end(true, values, false),
            Field::Protocol => self.protocol(values),
            Field::SourcePort => self.numbers(Numbers::Ports, values, &Ranges::all(PORT)),
            Field::DestinationPort => self.numbers(Numbers::Ports, &Ranges::all(PORT), values),
            Field::Type => self.numbers(Numbers::Icmp, values, &Ranges::all(PORT)),
            Field::Code => self.numbers(Numbers::Icmp, &Ranges::all(PORT), values),
            Field::Version => {
                let has = |n| values.list().iter().any(|(f, t)| *f <= n && n <= *t);
                if !has(4) {
                    self.version(true);
                }
                if !has(6) {
                    self.version(false);
                }
            }
        }
    }

    fn end(&mut self, v6: bool, values: &Ranges, source: bool) {
        self.version(v6);
        let [four, six] = if source {
            &mut self.source
        } else {
            &mut self.destination
        };
        let end = if v6 { six } else { four };
        *end = end.and(values);
    }

    /// Asks for protocols.
    pub(super) fn protocol(&mut self, values: &Ranges) {
        self.protocol = Some(match &self.protocol {
            None => values.clone(),
            Some(before) => before.and(values),
        });
    }

    /// Asks for one protocol.
    pub(super) fn only_protocol(&mut self, protocol: u8) {
        let n = u128::from(protocol);
        self.protocol(&Ranges::of(u8::MAX.into(), vec![(n, n)]));
    }

    /// Asks for numbers of the header; also all of them must be readable.
    pub(super) fn numbers(&mut self, kind: Numbers, a: &Ranges, b: &Ranges) {
        if self.numbers != Numbers::None && self.numbers != kind {
            // A header has ports or it has a type.
            self.protocol(&Ranges::none(u8::MAX.into()));
            return;
        }
        self.numbers = kind;
        self.a = self.a.and(a);
        self.b = self.b.and(b);
    }

    /// Notes something that cannot be said.
    pub(super) fn doubt(&mut self, place: &Rc<str>, reason: impl Into<Rc<str>>) {
        self.doubts.push(Doubt {
            place: Rc::clone(place),
            reason: reason.into(),
            instead: Instead::Nothing,
        });
    }

    /// Notes that packets that open connections, and some others, are not meant.
    pub(super) fn not_opening(&mut self, place: &Rc<str>, reason: impl Into<Rc<str>>) {
        self.doubts.push(Doubt {
            place: Rc::clone(place),
            reason: reason.into(),
            instead: Instead::NotOpening,
        });
    }

    /// What fulfils both.
    pub(super) fn and(&self, other: &Self) -> Self {
        let ends = |x: &[Ranges; 2], y: &[Ranges; 2]| {
            let ([a, b], [c, d]) = (x, y);
            [a.and(c), b.and(d)]
        };
        let mut both = self.clone();
        both.source = ends(&self.source, &other.source);
        both.destination = ends(&self.destination, &other.destination);
        if let Some(protocol) = &other.protocol {
            both.protocol(protocol);
        }
        if other.numbers != Numbers::None {
            both.numbers(other.numbers, &other.a, &other.b);
        }
        both.fragments |= other.fragments;
        for doubt in &other.doubts {
            if !both.doubts.contains(doubt) {
                both.doubts.push(doubt.clone());
            }
        }
        both
    }

    /// The same as if all of it were known.
    pub(super) fn without_doubts(mut self) -> Self {
        self.doubts.clear();
        self
    }
}
