//! The client's side: from bytes to messages.

use alloc::vec::Vec;

use super::{
    ENTRY_OVERHEAD, Error, HEADER, Header, ID_INIT, ID_SMTK, ID_TERM, INIT, Init, TERM, Term,
    VERSION, word,
};

/// A message from the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a client must handle every message"
)]
pub enum Message<'a> {
    /// The first one.
    Init(Init),
    /// Records.
    Records {
        /// How many records this client lost before these.
        lost: u32,
        /// The records, checked.
        entries: Entries<'a>,
    },
    /// The last one.
    Term(Term),
}

/// One record and when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the fields of an entry")]
pub struct Entry<'a> {
    /// The subtype of the record.
    pub format: u32,
    /// When it was made, as `STCK` stores it.
    pub time: u64,
    /// The SMF record.
    pub record: &'a [u8],
}

/// The records of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entries<'a> {
    rest: &'a [u8],
}

impl<'a> Entries<'a> {
    /// Of a buffer's bytes behind its header.
    ///
    /// # Errors
    /// [`Error::Entry`] when a length contradicts another one or goes beyond the buffer.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = HEADER + (bytes.len() - rest.len());
            rest = split(rest).ok_or(Error::Entry(at))?.1;
        }
        Ok(Self { rest: bytes })
    }
}

fn split(bytes: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let total = usize::from(u16::from_be_bytes(*bytes.first_chunk::<2>()?));
    if total < ENTRY_OVERHEAD {
        return None;
    }
    let (entry, rest) = bytes.split_at_checked(total)?;
    let (body, tail) = entry.split_last_chunk::<2>()?;
    let offset = usize::from(u16::from_be_bytes(*body.get(2..)?.first_chunk::<2>()?));
    // Fields that a later release may put behind the time are skipped.
    if usize::from(u16::from_be_bytes(*tail)) != total || offset < HEADER {
        return None;
    }
    let entry = Entry {
        format: word(body, 4)?,
        time: u64::from_be_bytes(*body.get(8..)?.first_chunk::<8>()?),
        record: body.get(offset..)?,
    };
    Some((entry, rest))
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        let (entry, rest) = split(self.rest)?;
        self.rest = rest;
        Some(entry)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begin,
    Running,
    Ended,
}

/// Reads what a server says.
///
/// ```
/// use hostward_zert::nmi::{Buffer, Client, Init, Message, Name, Term};
///
/// let init = Init {
///     system: Name::new("SYS1"),
///     component: Name::new("SYSTCPER"),
///     job: Name::new("TCPIP"),
///     started: 0,
///     max_buffer: 4096,
/// };
/// let mut buffer = Buffer::new(4096, 0);
/// assert!(buffer.push(11, 1, b"a record"));
/// let wire = [init.encode(), buffer.finish(), Term::Normal.encode()].concat();
///
/// let mut client = Client::new(65_536);
/// let mut records = Vec::new();
/// for byte in wire {
///     client.receive(&[byte]);
///     while let Some(message) = client.next_message()? {
///         if let Message::Records { entries, .. } = message {
///             records.extend(entries.map(|e| e.record.to_vec()));
///         }
///     }
/// }
/// assert_eq!(records, [b"a record"]);
/// assert!(client.is_ended());
/// # Ok::<(), hostward_zert::nmi::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    bytes: Vec<u8>,
    /// Where the next message begins.
    at: usize,
    most: u32,
    state: State,
    failed: Option<Error>,
}

impl Client {
    /// That takes buffers of at most so many bytes.
    #[must_use]
    pub const fn new(most: u32) -> Self {
        Self {
            bytes: Vec::new(),
            at: 0,
            most,
            state: State::Begin,
            failed: None,
        }
    }

    /// Takes bytes from the server. Take the messages out before giving more: a client holds what it was given and did
    /// not read.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.failed.is_some() || self.state == State::Ended {
            return;
        }
        if self.at > 0 {
            self.bytes.drain(..self.at.min(self.bytes.len()));
            self.at = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether the termination record was read.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// The next message, if all of it is there.
    ///
    /// # Errors
    /// When the server does not keep to the interface. There is nothing to read after an error; it is told again.
    pub fn next_message(&mut self) -> Result<Option<Message<'_>>, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.state == State::Ended {
            return Ok(None);
        }
        match self.look() {
            Ok(None) => Ok(None),
            Ok(Some((header, end))) => {
                let start = core::mem::replace(&mut self.at, end) + HEADER;
                match self.message(&header, start, end) {
                    Ok(()) => self.made(&header, start, end).map(Some),
                    Err(error) => {
                        self.failed = Some(error);
                        Err(error)
                    }
                }
            }
            Err(error) => {
                self.failed = Some(error);
                Err(error)
            }
        }
    }

    /// The header of the next message and its end, once all of it is there.
    fn look(&self) -> Result<Option<(Header, usize)>, Error> {
        let Some((header, _)) = self.bytes.get(self.at..).and_then(Header::decode) else {
            return Ok(None);
        };
        if header.version != VERSION {
            return Err(Error::Version(header.version));
        }
        let fits = match (header.id, self.state) {
            (ID_INIT, State::Begin) => header.length as usize == INIT,
            (ID_TERM, _) => header.length as usize == TERM,
            (ID_SMTK, State::Running) => {
                if header.length > self.most {
                    return Err(Error::TooLong {
                        length: header.length,
                        most: self.most,
                    });
                }
                header.length as usize >= HEADER
            }
            (ID_INIT | ID_SMTK, _) => return Err(Error::Order),
            (id, _) => return Err(Error::Id(id)),
        };
        if !fits {
            return Err(Error::Length(header.length));
        }
        let end = self.at.saturating_add(header.length as usize);
        Ok((end <= self.bytes.len()).then_some((header, end)))
    }

    /// Checks a message and takes note of it.
    fn message(&mut self, header: &Header, start: usize, end: usize) -> Result<(), Error> {
        let body = self.bytes.get(start..end).unwrap_or_default();
        match header.id {
            ID_INIT => self.state = State::Running,
            ID_TERM => self.state = State::Ended,
            _ => {
                Entries::new(body)?;
            }
        }
        Ok(())
    }

    fn made(&self, header: &Header, start: usize, end: usize) -> Result<Message<'_>, Error> {
        let body = self.bytes.get(start..end).unwrap_or_default();
        let short = Error::Length(header.length);
        Ok(match header.id {
            ID_INIT => Message::Init(Init::decode(body).ok_or(short)?),
            ID_TERM => Message::Term(Term::of(word(body, 0).ok_or(short)?)),
            _ => Message::Records {
                lost: header.reserved,
                entries: Entries { rest: body },
            },
        })
    }
}
