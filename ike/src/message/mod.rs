//! Messages: reading without copying, within limits, and writing into a bounded buffer.
//!
//! [`Message::parse`] checks the whole structure at once, every field of every known payload, so that
//! whoever walks the payloads afterwards meets no error. What is encrypted is another chain of
//! payloads, which [`Payloads::parse`] reads once [`protect`](crate::protect) opened it.

mod error;
mod header;
mod limits;
mod notify;
mod number;
mod payload;
mod reader;
mod sa;
mod write;

pub use error::{ParseError, Problem, TooLong};
pub use header::{Encapsulated, Flags, Header, IkeSpi, Version};
pub use limits::Limits;
pub use notify::{Gateway, Notify, NotifyContent, SignatureHashes};
pub use number::{
    AuthMethod, CertEncoding, CfgAttributeType, CfgType, ExchangeType, IdType, NotifyType,
    PayloadType, ProtocolId, SignatureHash, TransformType,
};
pub use payload::{
    Auth, Certificate, CertificateRequest, CfgAttribute, CfgValue, Configuration, Delete,
    Encrypted, Fragment, Identification, KeyExchange, NONCE_LEN, Payload, TrafficSelectors,
};
pub(crate) use reader::Reader;
pub use sa::{SaPayload, WireAttribute, WireProposal, WireTransform};
pub use write::{PayloadWriter, plain};

/// All payloads of one kind.
macro_rules! every {
    ($payloads:expr, $kind:path) => {
        $payloads.iter().filter_map(|payload| {
            if let $kind(found) = payload {
                Some(found)
            } else {
                None
            }
        })
    };
}

/// The payload of a kind that is there once at most.
macro_rules! first {
    ($payloads:expr, $kind:path) => {
        every!($payloads, $kind).next()
    };
}

/// A message whose structure was checked. What it says is not authenticated by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its header.
    pub header: Header,
    /// Its payloads; an encrypted one is the last.
    pub payloads: Payloads<'a>,
    octets: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a message of version 2, without a non-ESP marker.
    ///
    /// # Errors
    ///
    /// [`ParseError`], which names payload and place and knows the notification it calls for.
    pub fn parse(octets: &'a [u8], limits: &Limits) -> Result<Self, ParseError> {
        let (header, major, first) = header::read(octets)?;
        header::check(&header, major)?;
        if octets.len() > limits.message {
            return Err(ParseError::new(
                None,
                0,
                Problem::TooMany {
                    what: "octets",
                    limit: limits.message,
                },
            ));
        }
        let body = octets.get(Header::LEN..).unwrap_or(&[]);
        let payloads = Payloads::read(first, body, Header::LEN, limits, true)?;
        Ok(Self {
            header,
            payloads,
            octets,
        })
    }

    /// The whole of it, as it came: what AUTH is over (RFC 7296 §2.15).
    #[must_use]
    pub const fn octets(&self) -> &'a [u8] {
        self.octets
    }

    /// The encrypted payload, if there is one.
    #[must_use]
    pub fn encrypted(&self) -> Option<Encrypted<'a>> {
        first!(self.payloads, Payload::Encrypted)
    }

    /// The encrypted fragment, if there is one.
    #[must_use]
    pub fn fragment(&self) -> Option<Fragment<'a>> {
        first!(self.payloads, Payload::Fragment)
    }
}

/// A chain of payloads whose structure was checked. Their order means nothing (RFC 7296 §2.5), but for
/// the encrypted one, which is the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payloads<'a> {
    first: PayloadType,
    octets: &'a [u8],
    at: usize,
    limits: Limits,
}

impl<'a> Payloads<'a> {
    /// Reads the payloads that were inside an encrypted one. No encrypted one may be among them.
    ///
    /// # Errors
    ///
    /// [`ParseError`]; INVALID_SYNTAX from it is fatal to the IKE SA, since these octets were
    /// authenticated (RFC 7296 §2.21.3).
    pub fn parse(
        first: PayloadType,
        octets: &'a [u8],
        limits: &Limits,
    ) -> Result<Self, ParseError> {
        Self::read(first, octets, 0, limits, false)
    }

    /// The payloads, in the order they came in.
    #[must_use]
    pub fn iter(&self) -> Iter<'a> {
        Iter {
            next: self.first,
            reader: Reader::new(None, self.octets, self.at),
            limits: self.limits,
        }
    }

    /// The SA payload.
    #[must_use]
    pub fn sa(&self) -> Option<SaPayload<'a>> {
        first!(self, Payload::Sa)
    }

    /// The key exchange payload.
    #[must_use]
    pub fn key_exchange(&self) -> Option<KeyExchange<'a>> {
        first!(self, Payload::KeyExchange)
    }

    /// The nonce.
    #[must_use]
    pub fn nonce(&self) -> Option<&'a [u8]> {
        first!(self, Payload::Nonce)
    }

    /// IDi.
    #[must_use]
    pub fn id_i(&self) -> Option<Identification<'a>> {
        first!(self, Payload::IdI)
    }

    /// IDr.
    #[must_use]
    pub fn id_r(&self) -> Option<Identification<'a>> {
        first!(self, Payload::IdR)
    }

    /// The authentication payload.
    #[must_use]
    pub fn auth(&self) -> Option<Auth<'a>> {
        first!(self, Payload::Auth)
    }

    /// TSi.
    #[must_use]
    pub fn ts_i(&self) -> Option<TrafficSelectors<'a>> {
        first!(self, Payload::TsI)
    }

    /// TSr.
    #[must_use]
    pub fn ts_r(&self) -> Option<TrafficSelectors<'a>> {
        first!(self, Payload::TsR)
    }

    /// The configuration payload.
    #[must_use]
    pub fn configuration(&self) -> Option<Configuration<'a>> {
        first!(self, Payload::Configuration)
    }

    /// The certificates, in order: the first is the sender's own (RFC 7296 §3.6).
    pub fn certificates(&self) -> impl Iterator<Item = Certificate<'a>> + use<'a> {
        every!(self, Payload::Certificate)
    }

    /// The certificate requests.
    pub fn certificate_requests(&self) -> impl Iterator<Item = CertificateRequest<'a>> + use<'a> {
        every!(self, Payload::CertificateRequest)
    }

    /// The delete payloads.
    pub fn deletes(&self) -> impl Iterator<Item = Delete<'a>> + use<'a> {
        every!(self, Payload::Delete)
    }

    /// The vendor ids.
    pub fn vendor_ids(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        every!(self, Payload::VendorId)
    }

    /// The notifications.
    pub fn notifies(&self) -> impl Iterator<Item = Notify<'a>> + use<'a> {
        every!(self, Payload::Notify)
    }

    /// The first notification of this type.
    #[must_use]
    pub fn notify(&self, kind: NotifyType) -> Option<Notify<'a>> {
        self.notifies().find(|notify| notify.kind == kind)
    }

    /// The first notification of an error, known or not: in a response it ends the exchange.
    #[must_use]
    pub fn error(&self) -> Option<Notify<'a>> {
        self.notifies().find(|notify| notify.kind.is_error())
    }

    fn read(
        first: PayloadType,
        octets: &'a [u8],
        at: usize,
        limits: &Limits,
        outer: bool,
    ) -> Result<Self, ParseError> {
        let mut tally = Tally::default();
        let mut reader = Reader::new(None, octets, at);
        let mut kind = first;
        while kind != PayloadType::NO_NEXT_PAYLOAD {
            let start = reader.at();
            let (payload, next) = step(kind, &mut reader, limits, true)?;
            tally
                .count(&payload, limits)
                .map_err(|problem| ParseError::new(Some(kind), start, problem))?;
            if matches!(kind, PayloadType::SK | PayloadType::SKF) {
                if !outer {
                    return Err(ParseError::new(
                        Some(kind),
                        start,
                        Problem::Value {
                            value: kind.0.into(),
                            expected: "no encrypted payload inside another",
                        },
                    ));
                }
                // RFC 7296 §3.14: it is the last; its next payload is the first inside.
                break;
            }
            kind = next;
        }
        if !reader.is_empty() {
            return Err(ParseError::new(
                Some(kind),
                reader.at(),
                Problem::Trailing {
                    what: "the last payload",
                },
            ));
        }
        Ok(Self {
            first,
            octets,
            at,
            limits: *limits,
        })
    }
}

impl<'a> IntoIterator for &Payloads<'a> {
    type Item = Payload<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The payloads of a chain.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    next: PayloadType,
    reader: Reader<'a>,
    limits: Limits,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Payload<'a>;

    fn next(&mut self) -> Option<Payload<'a>> {
        if self.next == PayloadType::NO_NEXT_PAYLOAD {
            return None;
        }
        // The chain was checked, so there is no error to meet; none would go on for ever either.
        let (payload, next) = step(self.next, &mut self.reader, &self.limits, false).ok()?;
        let last = matches!(payload, Payload::Encrypted(_) | Payload::Fragment(_));
        self.next = if last {
            PayloadType::NO_NEXT_PAYLOAD
        } else {
            next
        };
        Some(payload)
    }
}

const CRITICAL: u8 = 0x80;

/// Reads one payload of this type and the type of the next.
fn step<'a>(
    kind: PayloadType,
    reader: &mut Reader<'a>,
    limits: &Limits,
    check: bool,
) -> Result<(Payload<'a>, PayloadType), ParseError> {
    const EXPECTED: &str = "a payload header of 4 octets";
    let start = reader.at();
    let mut header = Reader::new(Some(kind), reader.rest(), start);
    let next = PayloadType(header.u8(EXPECTED)?);
    let reserved = header.u8(EXPECTED)?;
    let length = usize::from(header.u16(EXPECTED)?);
    let Some(rest) = length.checked_sub(4) else {
        return Err(ParseError::new(
            Some(kind),
            start,
            Problem::Length {
                length,
                expected: "at least the 4 octets of its header",
            },
        ));
    };
    let body = header.sub(rest, "the body of the payload")?;
    reader.take(length, EXPECTED)?;
    let payload = Payload::read(kind, next, reserved, body, limits)?;
    // RFC 7296 §2.5: an unknown payload is skipped unless its sender calls it critical; on known ones the
    // bit means nothing.
    if check && matches!(payload, Payload::Unknown(_)) && reserved & CRITICAL != 0 {
        return Err(ParseError::new(
            Some(kind),
            start,
            Problem::UnsupportedCritical,
        ));
    }
    Ok((payload, next))
}

/// What was met so far.
#[derive(Default)]
struct Tally {
    payloads: usize,
    notifies: usize,
    certificates: usize,
    requests: usize,
    /// Payloads that may be there once, a bit for each type from 33 on.
    once: u32,
}

impl Tally {
    fn count(&mut self, payload: &Payload<'_>, limits: &Limits) -> Result<(), Problem> {
        fn up(count: &mut usize, limit: usize, what: &'static str) -> Result<(), Problem> {
            if *count == limit {
                return Err(Problem::TooMany { what, limit });
            }
            *count += 1;
            Ok(())
        }
        up(&mut self.payloads, limits.payloads, "payloads")?;
        match payload {
            Payload::Notify(_) => up(&mut self.notifies, limits.notifies, "notifications"),
            Payload::Certificate(_) => {
                up(&mut self.certificates, limits.certificates, "certificates")
            }
            Payload::CertificateRequest(_) => up(
                &mut self.requests,
                limits.certificate_requests,
                "certificate requests",
            ),
            Payload::Delete(_) | Payload::VendorId(_) | Payload::Unknown(_) => Ok(()),
            // The exchanges of RFC 7296 §1.2 to §1.4 have one of each at most.
            Payload::Sa(_)
            | Payload::KeyExchange(_)
            | Payload::IdI(_)
            | Payload::IdR(_)
            | Payload::Auth(_)
            | Payload::Nonce(_)
            | Payload::TsI(_)
            | Payload::TsR(_)
            | Payload::Encrypted(_)
            | Payload::Configuration(_)
            | Payload::Eap(_)
            | Payload::Fragment(_) => {
                let bit = 1_u32 << (payload.kind().0.wrapping_sub(33) & 31);
                if self.once & bit != 0 {
                    return Err(Problem::Twice);
                }
                self.once |= bit;
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests;
