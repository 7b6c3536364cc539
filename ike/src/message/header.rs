//! The IKE header, what tells the versions apart, and what shares port 4500 with IKE.

use alloc::vec::Vec;
use core::fmt;

use super::error::{ParseError, Problem};
use super::number::{ExchangeType, PayloadType};
use super::reader::Reader;

/// The SPI of an IKE SA; zero while the responder's is not known yet.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IkeSpi(pub [u8; 8]);

impl IkeSpi {
    /// What stands for a responder's SPI that is not known yet.
    pub const ZERO: Self = Self([0; 8]);

    /// Whether it is zero, which no SA may have (RFC 7296 §3.1).
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Display for IkeSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for IkeSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IkeSpi({self})")
    }
}

/// The flags of the header (RFC 7296 §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// I: the sender is the original initiator of the IKE SA.
    pub initiator: bool,
    /// V: the sender speaks a higher major version too. Never sent, ignored when it comes.
    pub version: bool,
    /// R: it answers the request with the same message id.
    pub response: bool,
}

impl Flags {
    const INITIATOR: u8 = 0x08;
    const VERSION: u8 = 0x10;
    const RESPONSE: u8 = 0x20;

    fn of(octet: u8) -> Self {
        Self {
            initiator: octet & Self::INITIATOR != 0,
            version: octet & Self::VERSION != 0,
            response: octet & Self::RESPONSE != 0,
        }
    }

    fn octet(self) -> u8 {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        flag(self.initiator, Self::INITIATOR)
            | flag(self.version, Self::VERSION)
            | flag(self.response, Self::RESPONSE)
    }
}

/// The IKE header (RFC 7296 §3.1) without its next payload and length, which go with the payloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// The initiator's SPI; never zero.
    pub spi_i: IkeSpi,
    /// The responder's SPI; zero in the first message.
    pub spi_r: IkeSpi,
    /// What the exchange is for.
    pub exchange: ExchangeType,
    /// Who sent it, and whether it answers.
    pub flags: Flags,
    /// Which request it is, or answers.
    pub message_id: u32,
}

impl Header {
    /// Octets of the header.
    pub const LEN: usize = 28;

    /// Writes it, version 2.0.
    #[must_use]
    pub fn octets(&self, next: PayloadType, length: u32) -> [u8; Self::LEN] {
        let mut octets = [0; Self::LEN];
        let fixed = [next.0, 0x20, self.exchange.0, self.flags.octet()];
        let parts = self
            .spi_i
            .0
            .into_iter()
            .chain(self.spi_r.0)
            .chain(fixed)
            .chain(self.message_id.to_be_bytes())
            .chain(length.to_be_bytes());
        for (to, from) in octets.iter_mut().zip(parts) {
            *to = from;
        }
        octets
    }
}

/// What the first octets of a datagram say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "lower, equal, higher: there is no more"
)]
pub enum Version {
    /// IKEv2, to be parsed.
    V2,
    /// IKEv1 or older. It is historic (RFC 9395 §3): dropped, since its peers would not understand
    /// an answer of version 2.
    Older(Header),
    /// A higher major version: a request is answered with INVALID_MAJOR_VERSION at a limited rate
    /// (RFC 7296 §2.5).
    Newer(Header),
}

impl Version {
    /// Tells the version of a datagram, without its non-ESP marker.
    ///
    /// # Errors
    ///
    /// [`ParseError`] when there is no whole header, or its length is not that of the datagram.
    pub fn of(octets: &[u8]) -> Result<Self, ParseError> {
        let (header, major, _) = read(octets)?;
        Ok(match major {
            2 => Self::V2,
            0 | 1 => Self::Older(header),
            _ => Self::Newer(header),
        })
    }
}

/// Reads header, major version and first payload; the length must be that of the octets.
pub(crate) fn read(octets: &[u8]) -> Result<(Header, u8, PayloadType), ParseError> {
    const EXPECTED: &str = "an IKE header of 28 octets";
    let mut reader = Reader::new(None, octets, 0);
    let spi_i = IkeSpi(*reader.array(EXPECTED)?);
    let spi_r = IkeSpi(*reader.array(EXPECTED)?);
    let next = PayloadType(reader.u8(EXPECTED)?);
    let version = reader.u8(EXPECTED)?;
    let exchange = ExchangeType(reader.u8(EXPECTED)?);
    let flags = Flags::of(reader.u8(EXPECTED)?);
    let message_id = reader.u32(EXPECTED)?;
    let at = reader;
    let length = reader.u32(EXPECTED)?;
    if length as usize != octets.len() {
        return Err(at.length(length as usize, "the length of the datagram"));
    }
    let header = Header {
        spi_i,
        spi_r,
        exchange,
        flags,
        message_id,
    };
    Ok((header, version >> 4, next))
}

/// What a datagram on port 4500 is (RFC 3948 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 3948 §2 knows three kinds")]
pub enum Encapsulated<'a> {
    /// An IKE message, without its marker.
    Ike(&'a [u8]),
    /// An ESP packet.
    Esp(&'a [u8]),
    /// A NAT keepalive, which tells nothing.
    Keepalive,
}

impl<'a> Encapsulated<'a> {
    /// The four zero octets before an IKE message where ESP has its SPI.
    pub const NON_ESP_MARKER: [u8; 4] = [0; 4];

    /// Tells what a datagram is; nothing for one that is too short for any of them.
    #[must_use]
    pub fn of(datagram: &'a [u8]) -> Option<Self> {
        match datagram.split_first_chunk::<4>() {
            // RFC 3948 §2.2: where an SPI would be, zero.
            Some((&Self::NON_ESP_MARKER, message)) => Some(Self::Ike(message)),
            Some(_) => Some(Self::Esp(datagram)),
            // RFC 3948 §2.3: one octet of ones.
            None if datagram == [0xff] => Some(Self::Keepalive),
            None => None,
        }
    }

    /// A message with the marker before it.
    #[must_use]
    pub fn mark(message: &[u8]) -> Vec<u8> {
        let mut marked = Vec::with_capacity(4 + message.len());
        marked.extend_from_slice(&Self::NON_ESP_MARKER);
        marked.extend_from_slice(message);
        marked
    }
}

/// Checks what holds for every message of version 2.
pub(crate) fn check(header: &Header, major: u8) -> Result<(), ParseError> {
    if major != 2 {
        return Err(ParseError::new(None, 17, Problem::Version { major }));
    }
    // RFC 7296 §3.1: the initiator's SPI must not be zero.
    if header.spi_i.is_zero() {
        return Err(ParseError::new(
            None,
            0,
            Problem::Value {
                value: 0,
                expected: "an initiator's SPI other than zero",
            },
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            spi_i: IkeSpi(*b"initiate"),
            spi_r: IkeSpi(*b"response"),
            exchange: ExchangeType::INFORMATIONAL,
            flags: Flags {
                response: true,
                ..Flags::default()
            },
            message_id: 7,
        }
    }

    #[test]
    fn written_and_read() {
        let octets = header().octets(PayloadType::NO_NEXT_PAYLOAD, 28);
        let (read, major, next) = read(&octets).unwrap();
        assert_eq!(
            (read, major, next),
            (header(), 2, PayloadType::NO_NEXT_PAYLOAD)
        );
        assert!(super::read(&octets[..27]).is_err());
        let longer = header().octets(PayloadType::NO_NEXT_PAYLOAD, 29);
        assert!(super::read(&longer).is_err());
    }

    // RFC 7296 §2.5: a higher major version is refused, a higher minor one is not.
    // RFC 9395 §3: IKEv1 is historic.
    #[test]
    fn versions() {
        let mut octets = header().octets(PayloadType::NO_NEXT_PAYLOAD, 28);
        octets[17] = 0x2f;
        assert_eq!(Version::of(&octets), Ok(Version::V2));
        octets[17] = 0x10;
        assert_eq!(Version::of(&octets), Ok(Version::Older(header())));
        octets[17] = 0x30;
        assert_eq!(Version::of(&octets), Ok(Version::Newer(header())));
    }

    // RFC 3948 §2, §2.2, §2.3.
    #[test]
    fn port_4500() {
        let marked = Encapsulated::mark(b"message");
        assert_eq!(
            Encapsulated::of(&marked),
            Some(Encapsulated::Ike(b"message"))
        );
        assert_eq!(
            Encapsulated::of(&[0, 0, 0, 1, 9]),
            Some(Encapsulated::Esp(&[0, 0, 0, 1, 9]))
        );
        assert_eq!(Encapsulated::of(&[0xff]), Some(Encapsulated::Keepalive));
        assert_eq!(Encapsulated::of(&[0xff, 0xff]), None);
        assert_eq!(Encapsulated::of(&[]), None);
    }
}
