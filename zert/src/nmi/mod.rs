//! The real-time interface: records as they are made, over `SYSTCPER` (detail) and `SYSTCPES` (summary).
//!
//! A client connects, sends a [`Request`], gets an [`Init`] and then buffers of records until a [`Term`]. On z/OS a
//! buffer is a token that the client exchanges for data in the stack; here the data stands in its place, as a row of
//! component-trace entries. All numbers are big-endian.
//!
//! The codec does no I/O: [`Server`] reads requests, [`Client`] reads what servers say, and messages are encoded into
//! plain bytes. With feature `std`, [`Service`] serves clients of a Unix socket.
//!
//! What a slow client lost is told in the reserved word of the header of the next buffer: how many records are missing
//! before its first one.

mod client;
#[cfg(all(feature = "std", unix))]
mod service;

use alloc::vec::Vec;
use core::fmt;

use thiserror::Error;

pub use client::{Client, Entries, Entry, Message};
#[cfg(all(feature = "std", unix))]
pub use service::{ClientId, Counts, Service, ServiceConfig};

/// Length of a header.
pub const HEADER: usize = 16;
/// Length of a request.
pub const REQUEST: usize = 32;
/// Length of an init record.
pub const INIT: usize = 64;
/// Length of a termination record.
pub const TERM: usize = 20;
/// Bytes that an entry has beside its record.
pub const ENTRY_OVERHEAD: usize = 18;
/// Longest record in an entry.
pub const MAX_RECORD: usize = u16::MAX as usize - ENTRY_OVERHEAD;

/// The only version of the interface.
const VERSION: u32 = 1;

/// EBCDIC `ZERT`, `ZERS`, `INIT`, `TERM` and `SMTK`.
const ID_ZERT: u32 = 0xE9C5_D9E3;
const ID_ZERS: u32 = 0xE9C5_D9E2;
const ID_INIT: u32 = 0xC9D5_C9E3;
const ID_TERM: u32 = 0xE3C5_D9D4;
const ID_SMTK: u32 = 0xE2D4_E3D2;

/// Which records an interface gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the two interfaces of zERT")]
pub enum Interface {
    /// `SYSTCPER`: detail records, subtype 11.
    Detail,
    /// `SYSTCPES`: summary records, subtype 12.
    Summary,
}

impl Interface {
    /// The name in paths of sockets and in init records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Detail => "SYSTCPER",
            Self::Summary => "SYSTCPES",
        }
    }

    /// The format of its entries: the subtype of their records.
    #[must_use]
    pub const fn format(self) -> u32 {
        match self {
            Self::Detail => 11,
            Self::Summary => 12,
        }
    }

    const fn id(self) -> u32 {
        match self {
            Self::Detail => ID_ZERT,
            Self::Summary => ID_ZERS,
        }
    }
}

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The length in a header is none that its kind may have.
    #[error("a message of {0} bytes")]
    Length(u32),
    /// The identifier in a header is none that is expected.
    #[error("a message with identifier {0:#010x}")]
    Id(u32),
    /// The version in a header is unknown.
    #[error("version {0} of the interface")]
    Version(u32),
    /// A buffer is longer than the server said or the client allows.
    #[error("a buffer of {length} bytes, where {most} is the most")]
    TooLong {
        /// Its length.
        length: u32,
        /// The most.
        most: u32,
    },
    /// An init record comes second, or something else first.
    #[error("a message out of order")]
    Order,
    /// A request asks for nothing, or for what the interface does not have.
    #[error("a request with flags {0:#010x}")]
    Flags(u32),
    /// An entry's lengths contradict each other or the buffer.
    #[error("an entry with wrong lengths at byte {0} of a buffer")]
    Entry(usize),
}

/// A name of z/OS: up to eight characters, padded with blanks, in EBCDIC.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Name([u8; 8]);

impl Name {
    /// Of its text: letters become capitals, what names do not have becomes a blank, and what is too long is cut.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut octets = [0x40; 8];
        for (octet, c) in octets.iter_mut().zip(text.chars()) {
            *octet = match c.to_ascii_uppercase() {
                c @ 'A'..='I' => 0xC1 + (c as u8 - b'A'),
                c @ 'J'..='R' => 0xD1 + (c as u8 - b'J'),
                c @ 'S'..='Z' => 0xE2 + (c as u8 - b'S'),
                c @ '0'..='9' => 0xF0 + (c as u8 - b'0'),
                '@' => 0x7C,
                '#' => 0x7B,
                '$' => 0x5B,
                _ => 0x40,
            };
        }
        Self(octets)
    }

    /// Of octets in EBCDIC.
    #[must_use]
    pub const fn of(octets: [u8; 8]) -> Self {
        Self(octets)
    }

    /// The octets in EBCDIC.
    #[must_use]
    pub const fn octets(self) -> [u8; 8] {
        self.0
    }
}

/// Without blanks at its end; `?` for what names do not have.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self
            .0
            .iter()
            .rposition(|o| *o != 0x40)
            .map_or(0, |at| at + 1);
        for octet in self.0.iter().take(end) {
            let c = match *octet {
                o @ 0xC1..=0xC9 => char::from(b'A' + (o - 0xC1)),
                o @ 0xD1..=0xD9 => char::from(b'J' + (o - 0xD1)),
                o @ 0xE2..=0xE9 => char::from(b'S' + (o - 0xE2)),
                o @ 0xF0..=0xF9 => char::from(b'0' + (o - 0xF0)),
                0x7C => '@',
                0x7B => '#',
                0x5B => '$',
                0x40 => ' ',
                _ => '?',
            };
            fmt::Write::write_char(f, c)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// The head of every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    length: u32,
    id: u32,
    version: u32,
    reserved: u32,
}

impl Header {
    const fn new(length: u32, id: u32) -> Self {
        Self {
            length,
            id,
            version: VERSION,
            reserved: 0,
        }
    }

    fn encode(self, out: &mut Vec<u8>) {
        for word in [self.length, self.id, self.version, self.reserved] {
            out.extend_from_slice(&word.to_be_bytes());
        }
    }

    fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = bytes.split_first_chunk::<HEADER>()?;
        let header = Self {
            length: word(head, 0)?,
            id: word(head, 4)?,
            version: word(head, 8)?,
            reserved: word(head, 12)?,
        };
        Some((header, rest))
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*word))
}

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the flags of the request record")]
pub struct Request {
    /// The interface.
    pub interface: Interface,
    /// First all current connections; detail only.
    pub current: bool,
    /// Records as they are made.
    pub records: bool,
}

impl Request {
    /// Records as they are made.
    #[must_use]
    pub const fn new(interface: Interface) -> Self {
        Self {
            interface,
            current: false,
            records: true,
        }
    }

    /// As bytes. Summary has no list of connections; asking for it there is left out.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let flags = match self.interface {
            Interface::Detail => u32::from(self.current) << 31 | u32::from(self.records) << 30,
            Interface::Summary => u32::from(self.records) << 31,
        };
        let mut out = Vec::with_capacity(REQUEST);
        Header::new(REQUEST as u32, self.interface.id()).encode(&mut out);
        out.extend_from_slice(&flags.to_be_bytes());
        out.resize(REQUEST, 0);
        out
    }

    fn decode(bytes: &[u8; REQUEST], interface: Interface) -> Result<Self, Error> {
        let Some((header, body)) = Header::decode(bytes) else {
            return Err(Error::Length(0));
        };
        check(&header, interface.id(), REQUEST)?;
        let flags = word(body, 0).unwrap_or_default();
        let (current, records, known) = match interface {
            Interface::Detail => (flags >> 31 == 1, flags >> 30 & 1 == 1, 0xC000_0000),
            Interface::Summary => (false, flags >> 31 == 1, 0x8000_0000),
        };
        if flags & !known != 0 || flags == 0 {
            return Err(Error::Flags(flags));
        }
        Ok(Self {
            interface,
            current,
            records,
        })
    }
}

fn check(header: &Header, id: u32, length: usize) -> Result<(), Error> {
    if header.id != id {
        Err(Error::Id(header.id))
    } else if header.version != VERSION {
        Err(Error::Version(header.version))
    } else if header.length as usize != length {
        Err(Error::Length(header.length))
    } else {
        Ok(())
    }
}

/// What a server says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of the init record")]
pub struct Init {
    /// The system.
    pub system: Name,
    /// The interface, `SYSTCPER` or `SYSTCPES`.
    pub component: Name,
    /// The job of the TCP/IP stack.
    pub job: Name,
    /// When the stack was started, as `STCK` stores it.
    pub started: u64,
    /// Longest buffer in bytes, header included.
    pub max_buffer: u32,
}

impl Init {
    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(INIT);
        Header::new(INIT as u32, ID_INIT).encode(&mut out);
        for name in [self.system, self.component, self.job] {
            out.extend_from_slice(&name.octets());
        }
        out.extend_from_slice(&self.started.to_be_bytes());
        out.extend_from_slice(&self.max_buffer.to_be_bytes());
        out.resize(INIT, 0);
        out
    }

    fn decode(body: &[u8]) -> Option<Self> {
        let (system, body) = body.split_first_chunk::<8>()?;
        let (component, body) = body.split_first_chunk::<8>()?;
        let (job, body) = body.split_first_chunk::<8>()?;
        let (started, body) = body.split_first_chunk::<8>()?;
        Some(Self {
            system: Name(*system),
            component: Name(*component),
            job: Name(*job),
            started: u64::from_be_bytes(*started),
            max_buffer: word(body, 0)?,
        })
    }
}

/// Why a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Term {
    /// 0: all is said.
    Normal,
    /// 1: the stack ends.
    StackEnds,
    /// 2: the service was switched off.
    Disabled,
    /// 3: the client is too slow.
    TooSlow,
    /// 4: the request was wrong.
    BadRequest,
    /// 5: there are too many clients.
    TooMany,
    /// Another number.
    Other(u32),
}

impl Term {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u32 {
        match self {
            Self::Normal => 0,
            Self::StackEnds => 1,
            Self::Disabled => 2,
            Self::TooSlow => 3,
            Self::BadRequest => 4,
            Self::TooMany => 5,
            Self::Other(n) => n,
        }
    }

    /// By its number.
    #[must_use]
    pub const fn of(number: u32) -> Self {
        match number {
            0 => Self::Normal,
            1 => Self::StackEnds,
            2 => Self::Disabled,
            3 => Self::TooSlow,
            4 => Self::BadRequest,
            5 => Self::TooMany,
            n => Self::Other(n),
        }
    }

    /// As bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(TERM);
        Header::new(TERM as u32, ID_TERM).encode(&mut out);
        out.extend_from_slice(&self.number().to_be_bytes());
        out
    }
}

/// The server's side of one connection: collects the request.
#[derive(Clone, Debug)]
pub struct Server {
    interface: Interface,
    request: [u8; REQUEST],
    have: usize,
}

impl Server {
    /// Of an interface.
    #[must_use]
    pub const fn new(interface: Interface) -> Self {
        Self {
            interface,
            request: [0; REQUEST],
            have: 0,
        }
    }

    /// How many more bytes the request needs.
    #[must_use]
    pub const fn wants(&self) -> usize {
        REQUEST - self.have
    }

    /// Takes bytes from the client; answers the request once it is complete. What follows it is left alone, as clients
    /// have nothing more to say.
    ///
    /// # Errors
    /// When it is no request to this interface: answer [`Term::BadRequest`] and close. A header that is wrong is told
    /// before the rest has come.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Option<Request>, Error> {
        let free = self.request.get_mut(self.have..).unwrap_or_default();
        for (place, byte) in free.iter_mut().zip(bytes) {
            *place = *byte;
        }
        self.have = self.have.saturating_add(bytes.len()).min(REQUEST);
        if self.have >= HEADER
            && let Some((header, _)) = Header::decode(&self.request)
        {
            check(&header, self.interface.id(), REQUEST)?;
        }
        if self.have < REQUEST {
            return Ok(None);
        }
        Request::decode(&self.request, self.interface).map(Some)
    }
}

/// A buffer of records that is being filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    bytes: Vec<u8>,
    most: usize,
    lost: u64,
}

impl Buffer {
    /// An empty one of at most so many bytes, its header included, that tells how many records were lost before it.
    #[must_use]
    pub fn new(most: usize, lost: u64) -> Self {
        let mut bytes = Vec::new();
        Header::new(0, ID_SMTK).encode(&mut bytes);
        Self { bytes, most, lost }
    }

    /// Whether it has no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.len() <= HEADER
    }

    /// Its length so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a record with the time it was made, as `STCK` stores it; `false` when it does not fit.
    pub fn push(&mut self, format: u32, time: u64, record: &[u8]) -> bool {
        let Some(total) = u16::try_from(record.len())
            .ok()
            .and_then(|n| n.checked_add(ENTRY_OVERHEAD as u16))
        else {
            return false;
        };
        if self.bytes.len().saturating_add(usize::from(total)) > self.most {
            return false;
        }
        self.bytes.reserve(usize::from(total));
        self.bytes.extend_from_slice(&total.to_be_bytes());
        self.bytes.extend_from_slice(&(HEADER as u16).to_be_bytes());
        self.bytes.extend_from_slice(&format.to_be_bytes());
        self.bytes.extend_from_slice(&time.to_be_bytes());
        self.bytes.extend_from_slice(record);
        self.bytes.extend_from_slice(&total.to_be_bytes());
        true
    }

    /// The bytes to send.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        // A signed word on z/OS.
        let lost = u32::try_from(self.lost)
            .unwrap_or(u32::MAX)
            .min(i32::MAX as u32);
        for (at, word) in [(0, length), (12, lost)] {
            let place = self
                .bytes
                .get_mut(at..)
                .and_then(|b| b.first_chunk_mut::<4>());
            if let Some(place) = place {
                *place = word.to_be_bytes();
            }
        }
        self.bytes
    }
}
