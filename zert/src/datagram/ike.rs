//! IKE (RFC 2409, RFC 7296): what its messages say in clear.

use crate::reader::Reader;
use crate::record::{IkeChosen, IkeSeen};

/// Exchange types.
const QUICK_MODE: u8 = 32;
const IKE_SA_INIT: u8 = 34;
const IKE_AUTH: u8 = 35;

/// Flag of IKEv1: what follows the header is encrypted.
const ENCRYPTED: u8 = 0x01;
/// Flags of IKEv2.
const INITIATOR: u8 = 0x08;
const RESPONSE: u8 = 0x20;

/// Payload types that are read: those of IKEv1, those of IKEv2.
const SA_1: u8 = 1;
const NOTIFY_1: u8 = 11;
const SA_2: u8 = 33;
const NOTIFY_2: u8 = 41;

/// Notifications below are errors (RFC 7296 §3.10.1); these two only ask for another try.
const STATUS: u16 = 16_384;
const INVALID_KE_PAYLOAD: u16 = 17;

/// An answer to `IKE_AUTH` that holds no more than a notification is shorter: header, payload
/// header, initialization vector, one notification, padding and checksum come to 96 bytes at most.
/// One that authenticates the responder and agrees on a child association is longer.
const NO_AUTH: u32 = 128;

/// The header of a message (RFC 7296 §3.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header<'a> {
    pub(crate) spi_i: u64,
    pub(crate) spi_r: u64,
    next: u8,
    pub(crate) major: u8,
    exchange: u8,
    flags: u8,
    len: u32,
    body: &'a [u8],
}

/// Reads a message; `None` when it is none of IKE.
pub(crate) fn header(bytes: &[u8]) -> Option<Header<'_>> {
    let mut r = Reader(bytes);
    let spi = |r: &mut Reader<'_>| r.array::<8>().map(|b| u64::from_be_bytes(*b));
    let spi_i = spi(&mut r)?;
    let spi_r = spi(&mut r)?;
    let [next, version, exchange, flags] = *r.array::<4>()?;
    r.u32()?; // message number
    let len = r.u32()?;
    let major = version >> 4;
    let known = match major {
        1 => matches!(exchange, 1..=6 | 32..=33),
        2 => matches!(exchange, 34..=44),
        _ => false,
    };
    (known && len >= 28).then_some(Header {
        spi_i,
        spi_r,
        next,
        major,
        exchange,
        flags,
        len,
        body: r.0,
    })
}

impl Header<'_> {
    /// The sender is the association's original initiator, as far as the message tells.
    pub(crate) const fn by_initiator(&self) -> Option<bool> {
        match self.major {
            2 => Some(self.flags & INITIATOR != 0),
            _ if self.spi_r == 0 => Some(true),
            _ => None,
        }
    }
}

/// An association that is watched.
#[derive(Debug, Default)]
pub(crate) struct Ike {
    pub(crate) seen: IkeSeen,
    /// Its first messages were seen.
    pub(crate) begun: bool,
    /// Something did not fit, or could not be read.
    pub(crate) cut: bool,
    pub(crate) malformed: bool,
    /// Length of the responder's last `IKE_AUTH` message.
    auth: u32,
    /// Quick mode messages of initiator and responder: keys are there.
    quick: [bool; 2],
    /// The responder refused.
    refused: bool,
    /// It was asked to go on in clear.
    pub(crate) init: bool,
}

impl Ike {
    /// A message of the association.
    pub(crate) fn message(&mut self, h: &Header<'_>, by_initiator: bool, nat_t: bool) {
        let seen = &mut self.seen;
        seen.major = h.major;
        seen.spi_i = h.spi_i;
        if h.spi_r != 0 {
            seen.spi_r = h.spi_r;
        }
        seen.messages = seen.messages.saturating_add(1);
        seen.nat_t |= nat_t;
        let exchange = u16::from(h.exchange);
        let list = seen.exchanges.as_slice();
        // Once they are established, peers go on to exchange for hours.
        if list.last() != Some(&exchange) {
            self.cut |= !seen.exchanges.push(exchange);
        }
        match (h.major, h.exchange) {
            (2, IKE_AUTH) if h.flags & RESPONSE != 0 => self.auth = h.len,
            (1, QUICK_MODE) => {
                let [initiator, responder] = &mut self.quick;
                *(if by_initiator { initiator } else { responder }) = true;
            }
            _ => {}
        }
        let clear = match h.major {
            2 => h.exchange == IKE_SA_INIT,
            _ => h.flags & ENCRYPTED == 0 && h.exchange != QUICK_MODE,
        };
        if clear {
            self.init |= h.exchange != 5;
            self.begun |= by_initiator && self.init;
            self.malformed |= self.payloads(h, by_initiator).is_none();
        }
    }

    /// RFC 7296 §3.2: a chain of payloads, each with the type of the next.
    fn payloads(&mut self, h: &Header<'_>, by_initiator: bool) -> Option<()> {
        let mut next = h.next;
        let mut rest = Reader(h.body);
        while next != 0 {
            let kind = next;
            next = rest.u8()?;
            rest.u8()?;
            let len = usize::from(rest.u16()?).checked_sub(4)?;
            let body = Reader(rest.take(len)?);
            match (h.major, kind) {
                (2, SA_2) => self.proposals_2(body, by_initiator)?,
                (1, SA_1) => self.proposals_1(body, by_initiator)?,
                (2, NOTIFY_2) | (1, NOTIFY_1) => self.notify(h.major, body, by_initiator)?,
                _ => {}
            }
        }
        Some(())
    }

    fn notify(&mut self, major: u8, mut r: Reader<'_>, by_initiator: bool) -> Option<()> {
        if major == 1 {
            r.u32()?; // domain of interpretation
        }
        r.u16()?; // protocol and length of SPI
        let kind = r.u16()?;
        if !self.seen.notifies.as_slice().contains(&kind) {
            self.cut |= !self.seen.notifies.push(kind);
        }
        self.refused |= kind < STATUS && kind != INVALID_KE_PAYLOAD && !by_initiator;
        Some(())
    }

    /// RFC 7296 §3.3.
    fn proposals_2(&mut self, mut r: Reader<'_>, by_initiator: bool) -> Option<()> {
        let mut count = 0_u16;
        while !r.is_empty() {
            r.u16()?; // whether there are more
            let len = usize::from(r.u16()?).checked_sub(4)?;
            let mut p = Reader(r.take(len)?);
            p.u16()?; // number, protocol
            let spi = p.u8()?;
            p.u8()?; // number of transforms
            p.take(spi.into())?;
            count = count.saturating_add(1);
            if by_initiator {
                self.seen.proposals_offered = count;
            }
            if by_initiator || count > 1 {
                continue;
            }
            let mut chosen = IkeChosen::default();
            while !p.is_empty() {
                p.u16()?;
                let len = usize::from(p.u16()?).checked_sub(4)?;
                let mut t = Reader(p.take(len)?);
                let kind = t.u8()?;
                t.u8()?;
                let id = t.u16()?;
                match kind {
                    1 => {
                        chosen.encr = id;
                        chosen.key_length = attribute(t.0, 14).unwrap_or(0);
                    }
                    2 => chosen.prf = Some(id),
                    3 => chosen.integ = Some(id),
                    4 => chosen.ke = Some(id),
                    6..=12 => {
                        if let Some(place) = chosen.additional.get_mut(usize::from(kind) - 6) {
                            *place = id;
                        }
                    }
                    _ => {}
                }
            }
            self.seen.chosen = Some(chosen);
        }
        Some(())
    }

    /// RFC 2408 §3.4 to §3.6, RFC 2409 appendix A.
    fn proposals_1(&mut self, mut r: Reader<'_>, by_initiator: bool) -> Option<()> {
        r.u32()?; // domain of interpretation
        r.u32()?; // situation
        let mut count = 0_u16;
        while !r.is_empty() {
            r.u16()?;
            let len = usize::from(r.u16()?).checked_sub(4)?;
            let mut p = Reader(r.take(len)?);
            p.u16()?;
            let spi = p.u8()?;
            p.u8()?;
            p.take(spi.into())?;
            count = count.saturating_add(1);
            if by_initiator {
                self.seen.proposals_offered = count;
            }
            if by_initiator || count > 1 {
                continue;
            }
            p.u16()?;
            let len = usize::from(p.u16()?).checked_sub(4)?;
            let mut t = Reader(p.take(len)?);
            t.u32()?; // number, transform, two zeros
            let value = |kind| attribute(t.0, kind);
            self.seen.chosen = Some(IkeChosen {
                encr: value(1)?,
                key_length: value(14).unwrap_or(0),
                hash: value(2),
                auth: value(3),
                ke: value(4),
                ..IkeChosen::default()
            });
        }
        Some(())
    }

    /// Whether the association was established, an inference from sizes and kinds of encrypted
    /// messages; `None` when its beginning was not seen.
    pub(crate) fn established(&self) -> Option<bool> {
        let works = match self.seen.major {
            2 => self.auth >= NO_AUTH,
            _ => self.quick == [true; 2],
        };
        (works || self.begun).then_some(works)
    }

    /// The responder refused in clear.
    pub(crate) const fn refused(&self) -> bool {
        self.refused
    }
}

/// The value of an attribute in short form (RFC 7296 §3.3.5).
fn attribute(list: &[u8], wanted: u16) -> Option<u16> {
    let mut r = Reader(list);
    loop {
        let kind = r.u16()?;
        let value = r.u16()?;
        if kind & 0x8000 == 0 {
            r.take(value.into())?;
        } else if kind & 0x7FFF == wanted {
            return Some(value);
        }
    }
}
