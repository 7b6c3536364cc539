//! The payloads, borrowed from the message they are in.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::error::{ParseError, Problem};
use super::limits::Limits;
use super::notify::Notify;
use super::number::{
    AuthMethod, CertEncoding, CfgAttributeType, CfgType, IdType, PayloadType, ProtocolId,
};
use super::reader::Reader;
use super::sa::SaPayload;
use crate::selector::Selector;

/// One payload of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// Security associations offered or chosen (RFC 7296 §3.3).
    Sa(SaPayload<'a>),
    /// A public value (RFC 7296 §3.4).
    KeyExchange(KeyExchange<'a>),
    /// The initiator's identity.
    IdI(Identification<'a>),
    /// The responder's identity.
    IdR(Identification<'a>),
    /// A certificate or what stands for one (RFC 7296 §3.6).
    Certificate(Certificate<'a>),
    /// Which certificates are wanted (RFC 7296 §3.7).
    CertificateRequest(CertificateRequest<'a>),
    /// The proof of an identity (RFC 7296 §3.8).
    Auth(Auth<'a>),
    /// A nonce of 16 to 256 octets (RFC 7296 §3.9).
    Nonce(&'a [u8]),
    /// A notification (RFC 7296 §3.10).
    Notify(Notify<'a>),
    /// SAs that are gone (RFC 7296 §3.11).
    Delete(Delete<'a>),
    /// Who made the sender (RFC 7296 §3.12).
    VendorId(&'a [u8]),
    /// The initiator's side of the traffic (RFC 7296 §3.13).
    TsI(TrafficSelectors<'a>),
    /// The responder's side of the traffic.
    TsR(TrafficSelectors<'a>),
    /// The encrypted payloads (RFC 7296 §3.14); the last one of its message.
    Encrypted(Encrypted<'a>),
    /// Addresses asked for and given (RFC 7296 §3.15).
    Configuration(Configuration<'a>),
    /// EAP, which is recognised and no more (RFC 7296 §3.16).
    Eap(&'a [u8]),
    /// A fragment of the encrypted payloads (RFC 7383 §2.5); the last payload of its message.
    Fragment(Fragment<'a>),
    /// One that this crate does not know and that its sender does not call critical: to be skipped.
    Unknown(PayloadType),
}

/// A key exchange payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyExchange<'a> {
    /// The method by its transform id, known or not.
    pub group: u16,
    /// The public value or ciphertext.
    pub data: &'a [u8],
}

/// An identification payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identification<'a> {
    /// The kind.
    pub kind: IdType,
    /// The identity.
    pub data: &'a [u8],
    /// The whole payload but for its generic header, as it came: what AUTH is over (RFC 7296 §2.15).
    pub body: &'a [u8],
}

impl Identification<'_> {
    /// The address, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        match self.kind {
            IdType::IPV4_ADDR => <[u8; 4]>::try_from(self.data).ok().map(IpAddr::from),
            IdType::IPV6_ADDR => <[u8; 16]>::try_from(self.data).ok().map(IpAddr::from),
            _ => None,
        }
    }
}

/// A certificate payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// The form.
    pub encoding: CertEncoding,
    /// The certificate.
    pub data: &'a [u8],
}

/// A certificate request payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateRequest<'a> {
    /// The form that is wanted.
    pub encoding: CertEncoding,
    /// The authorities, in a form that goes with the encoding.
    pub data: &'a [u8],
}

impl<'a> CertificateRequest<'a> {
    /// The SHA-1 hashes of the authorities' SubjectPublicKeyInfo (RFC 7296 §3.7); none for encodings
    /// that tell them otherwise.
    pub fn authorities(&self) -> impl Iterator<Item = &'a [u8; 20]> + use<'a> {
        let hashes = match self.encoding {
            CertEncoding::X509_SIGNATURE
            | CertEncoding::HASH_AND_URL_X509
            | CertEncoding::HASH_AND_URL_BUNDLE => self.data,
            _ => &[],
        };
        hashes.as_chunks::<20>().0.iter()
    }
}

/// An authentication payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// How it proves.
    pub method: AuthMethod,
    /// The proof.
    pub data: &'a [u8],
}

/// A delete payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delete<'a> {
    /// Of what.
    pub protocol: ProtocolId,
    spis: &'a [u8],
}

impl<'a> Delete<'a> {
    /// The SPIs of ESP or AH, those the sender receives with; none when it is the IKE SA itself.
    pub fn spis(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.spis
            .as_chunks::<4>()
            .0
            .iter()
            .map(|spi| u32::from_be_bytes(*spi))
    }
}

/// A traffic selector payload. All selectors of known types in it are well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficSelectors<'a> {
    count: u8,
    octets: &'a [u8],
    at: usize,
    kind: PayloadType,
}

impl<'a> TrafficSelectors<'a> {
    /// The selectors, those of unknown types left out (RFC 7296 §2.9).
    pub fn iter(&self) -> impl Iterator<Item = Selector> + use<'a> {
        let mut reader = Reader::new(Some(self.kind), self.octets, self.at);
        (0..self.count).filter_map(move |_| Selector::read(&mut reader).ok().flatten())
    }
}

/// An encrypted payload. What it holds is known only after [`protect`](crate::protect) opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encrypted<'a> {
    /// The first payload inside.
    pub first: PayloadType,
    /// The octet with the critical bit and the reserved ones, as it came (RFC 9242 §3.3.2 needs it).
    pub reserved: u8,
    /// IV, ciphertext and ICV.
    pub body: &'a [u8],
    /// Where the payload begins in its message, with its generic header.
    pub offset: usize,
}

/// An encrypted fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// Which one, from 1.
    pub number: u16,
    /// Of how many.
    pub total: u16,
    /// The first payload inside of the whole, in fragment 1.
    pub first: PayloadType,
    /// The octet with the critical bit and the reserved ones, as it came.
    pub reserved: u8,
    /// IV, ciphertext and ICV.
    pub body: &'a [u8],
    /// Where the payload begins in its message, with its generic header.
    pub offset: usize,
}

/// A configuration payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Configuration<'a> {
    /// Asking, answering, setting or acknowledging.
    pub kind: CfgType,
    octets: &'a [u8],
    at: usize,
}

impl<'a> Configuration<'a> {
    /// Its attributes, in order.
    pub fn iter(&self) -> impl Iterator<Item = CfgAttribute<'a>> + use<'a> {
        let mut reader = Reader::new(Some(PayloadType::CP), self.octets, self.at);
        core::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            CfgAttribute::read(&mut reader).ok()
        })
    }
}

/// An attribute of a configuration payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CfgAttribute<'a> {
    /// What it configures.
    pub kind: CfgAttributeType,
    /// Its value; empty asks for any.
    pub data: &'a [u8],
}

/// The value of a configuration attribute. An empty one is a wish for any, and no value here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CfgValue<'a> {
    /// Nothing: in a request, any value is welcome.
    Empty,
    /// An address: of the peer inside, its netmask, a name server or the like.
    Ip4(Ipv4Addr),
    /// A name server or the like.
    Ip6(Ipv6Addr),
    /// An IPv4 subnet as address and mask.
    Subnet4(Ipv4Addr, Ipv4Addr),
    /// An IPv6 address or subnet with the length of its prefix, 0 to 128.
    Prefix6(Ipv6Addr, u8),
    /// Types of attributes that are supported, two octets each.
    Types(&'a [u8]),
    /// Octets of another meaning: a version, a domain, a trust anchor, or something unknown.
    Octets(&'a [u8]),
}

impl<'a> CfgAttribute<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        const EXPECTED: &str = "type and length of an attribute";
        let start = *reader;
        // RFC 7296 §3.15.1: the first bit is reserved and ignored.
        let kind = CfgAttributeType(reader.u16(EXPECTED)? & 0x7fff);
        let length = usize::from(reader.u16(EXPECTED)?);
        let data = reader.take(length, "the value of the attribute")?;
        let attribute = Self { kind, data };
        if attribute.value().is_none() {
            return Err(start.length(length, "the length that goes with the attribute's type"));
        }
        Ok(attribute)
    }

    /// The value; nothing when its length does not go with its type, which no attribute of a parsed
    /// message has.
    #[must_use]
    pub fn value(&self) -> Option<CfgValue<'a>> {
        type T = CfgAttributeType;
        if self.data.is_empty() {
            return Some(CfgValue::Empty);
        }
        match self.kind {
            T::INTERNAL_IP4_ADDRESS
            | T::INTERNAL_IP4_NETMASK
            | T::INTERNAL_IP4_DNS
            | T::INTERNAL_IP4_NBNS
            | T::INTERNAL_IP4_DHCP => {
                let octets = <[u8; 4]>::try_from(self.data).ok()?;
                Some(CfgValue::Ip4(octets.into()))
            }
            T::INTERNAL_IP6_DNS | T::INTERNAL_IP6_DHCP => {
                let octets = <[u8; 16]>::try_from(self.data).ok()?;
                Some(CfgValue::Ip6(octets.into()))
            }
            T::INTERNAL_IP4_SUBNET => {
                let (address, mask) = self.data.split_first_chunk::<4>()?;
                let mask = <[u8; 4]>::try_from(mask).ok()?;
                Some(CfgValue::Subnet4((*address).into(), mask.into()))
            }
            T::INTERNAL_IP6_ADDRESS | T::INTERNAL_IP6_SUBNET => {
                let (address, prefix) = self.data.split_first_chunk::<16>()?;
                match prefix {
                    [prefix @ 0..=128] => Some(CfgValue::Prefix6((*address).into(), *prefix)),
                    _ => None,
                }
            }
            T::SUPPORTED_ATTRIBUTES => self
                .data
                .len()
                .is_multiple_of(2)
                .then_some(CfgValue::Types(self.data)),
            _ => Some(CfgValue::Octets(self.data)),
        }
    }
}

/// How long a nonce may be (RFC 7296 §2.10).
pub const NONCE_LEN: core::ops::RangeInclusive<usize> = 16..=256;

impl<'a> Payload<'a> {
    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> PayloadType {
        match self {
            Self::Sa(_) => PayloadType::SA,
            Self::KeyExchange(_) => PayloadType::KE,
            Self::IdI(_) => PayloadType::ID_I,
            Self::IdR(_) => PayloadType::ID_R,
            Self::Certificate(_) => PayloadType::CERT,
            Self::CertificateRequest(_) => PayloadType::CERTREQ,
            Self::Auth(_) => PayloadType::AUTH,
            Self::Nonce(_) => PayloadType::NONCE,
            Self::Notify(_) => PayloadType::NOTIFY,
            Self::Delete(_) => PayloadType::DELETE,
            Self::VendorId(_) => PayloadType::VENDOR_ID,
            Self::TsI(_) => PayloadType::TS_I,
            Self::TsR(_) => PayloadType::TS_R,
            Self::Encrypted(_) => PayloadType::SK,
            Self::Configuration(_) => PayloadType::CP,
            Self::Eap(_) => PayloadType::EAP,
            Self::Fragment(_) => PayloadType::SKF,
            Self::Unknown(kind) => *kind,
        }
    }

    /// Reads the payload with this type and body. `next` is the type in its header, which for the
    /// encrypted ones is inside of it.
    pub(crate) fn read(
        kind: PayloadType,
        next: PayloadType,
        reserved: u8,
        mut reader: Reader<'a>,
        limits: &Limits,
    ) -> Result<Self, ParseError> {
        let body = reader.rest();
        let offset = reader.at().saturating_sub(4);
        Ok(match kind {
            PayloadType::SA => Self::Sa(SaPayload::read(reader, limits)?),
            PayloadType::KE => {
                let group = reader.u16("method and reserved octets")?;
                reader.u16("method and reserved octets")?;
                Self::KeyExchange(KeyExchange {
                    group,
                    data: reader.all(),
                })
            }
            PayloadType::ID_I => Self::IdI(identification(reader, body)?),
            PayloadType::ID_R => Self::IdR(identification(reader, body)?),
            PayloadType::CERT => Self::Certificate(Certificate {
                encoding: CertEncoding(reader.u8("the encoding")?),
                data: reader.all(),
            }),
            PayloadType::CERTREQ => {
                let encoding = CertEncoding(reader.u8("the encoding")?);
                let hashes = matches!(
                    encoding,
                    CertEncoding::X509_SIGNATURE
                        | CertEncoding::HASH_AND_URL_X509
                        | CertEncoding::HASH_AND_URL_BUNDLE
                );
                if hashes && !reader.len().is_multiple_of(20) {
                    return Err(reader.length(reader.len(), "a multiple of 20"));
                }
                Self::CertificateRequest(CertificateRequest {
                    encoding,
                    data: reader.all(),
                })
            }
            PayloadType::AUTH => {
                let [method, ..] = reader.array::<4>("method and reserved octets")?;
                Self::Auth(Auth {
                    method: AuthMethod(*method),
                    data: reader.all(),
                })
            }
            PayloadType::NONCE => {
                if !NONCE_LEN.contains(&reader.len()) {
                    return Err(reader.length(reader.len(), "16 to 256 octets"));
                }
                Self::Nonce(body)
            }
            PayloadType::NOTIFY => Self::Notify(Notify::read(reader)?),
            PayloadType::DELETE => Self::Delete(delete(reader, limits)?),
            PayloadType::VENDOR_ID => Self::VendorId(body),
            PayloadType::TS_I => Self::TsI(selectors(kind, reader, limits)?),
            PayloadType::TS_R => Self::TsR(selectors(kind, reader, limits)?),
            PayloadType::SK => Self::Encrypted(Encrypted {
                first: next,
                reserved,
                body,
                offset,
            }),
            PayloadType::CP => Self::Configuration(configuration(reader, limits)?),
            PayloadType::EAP => Self::Eap(body),
            PayloadType::SKF => {
                let number = reader.u16("number and total of the fragment")?;
                let total = reader.u16("number and total of the fragment")?;
                Self::Fragment(Fragment {
                    number,
                    total,
                    first: next,
                    reserved,
                    body: reader.all(),
                    offset,
                })
            }
            _ => Self::Unknown(kind),
        })
    }
}

fn identification<'a>(
    mut reader: Reader<'a>,
    body: &'a [u8],
) -> Result<Identification<'a>, ParseError> {
    let [kind, ..] = reader.array::<4>("type and reserved octets")?;
    let kind = IdType(*kind);
    let expected = match kind {
        IdType::IPV4_ADDR => Some((4, "4 octets of an IPv4 address")),
        IdType::IPV6_ADDR => Some((16, "16 octets of an IPv6 address")),
        _ => None,
    };
    if let Some((len, expected)) = expected
        && reader.len() != len
    {
        return Err(reader.length(reader.len(), expected));
    }
    Ok(Identification {
        kind,
        data: reader.all(),
        body,
    })
}

fn delete<'a>(mut reader: Reader<'a>, limits: &Limits) -> Result<Delete<'a>, ParseError> {
    const EXPECTED: &str = "protocol, size and number of SPIs";
    let start = reader;
    let protocol = ProtocolId(reader.u8(EXPECTED)?);
    let size = usize::from(reader.u8(EXPECTED)?);
    let count = usize::from(reader.u16(EXPECTED)?);
    // RFC 7296 §3.11: no SPI for IKE, four octets each for AH and ESP.
    let expected = match protocol {
        ProtocolId::IKE => 0,
        ProtocolId::AH | ProtocolId::ESP => 4,
        _ => return Err(start.value(protocol.0.into(), "IKE, AH or ESP")),
    };
    if size != expected {
        return Err(start.length(size, "SPIs of 0 octets for IKE, of 4 for AH and ESP"));
    }
    if count > limits.spis {
        return Err(start.error(Problem::TooMany {
            what: "SPIs",
            limit: limits.spis,
        }));
    }
    let spis = reader.take(size * count, "the SPIs")?;
    reader.end("the SPIs")?;
    Ok(Delete { protocol, spis })
}

fn selectors<'a>(
    kind: PayloadType,
    mut reader: Reader<'a>,
    limits: &Limits,
) -> Result<TrafficSelectors<'a>, ParseError> {
    let start = reader;
    let [count, ..] = reader.array::<4>("the number of selectors")?;
    if *count == 0 {
        return Err(start.value(0, "at least one selector"));
    }
    if usize::from(*count) > limits.selectors {
        return Err(start.error(Problem::TooMany {
            what: "selectors",
            limit: limits.selectors,
        }));
    }
    let found = TrafficSelectors {
        count: *count,
        octets: reader.rest(),
        at: reader.at(),
        kind,
    };
    for _ in 0..*count {
        Selector::read(&mut reader)?;
    }
    reader.end("the selectors")?;
    Ok(found)
}

fn configuration<'a>(
    mut reader: Reader<'a>,
    limits: &Limits,
) -> Result<Configuration<'a>, ParseError> {
    let [kind, ..] = reader.array::<4>("type and reserved octets")?;
    let found = Configuration {
        kind: CfgType(*kind),
        octets: reader.rest(),
        at: reader.at(),
    };
    let mut count = 0;
    while !reader.is_empty() {
        if count == limits.configuration {
            return Err(reader.error(Problem::TooMany {
                what: "attributes",
                limit: limits.configuration,
            }));
        }
        count += 1;
        CfgAttribute::read(&mut reader)?;
    }
    Ok(found)
}
