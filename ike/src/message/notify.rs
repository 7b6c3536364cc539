//! Notifications and the data of those that have any.

use core::net::{Ipv4Addr, Ipv6Addr};

use super::error::ParseError;
use super::number::{IdType, NotifyType, PayloadType, ProtocolId, SignatureHash};
use super::reader::Reader;

/// A notify payload (RFC 7296 §3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notify<'a> {
    /// The protocol of the SA it is about; none for the IKE SA.
    pub protocol: ProtocolId,
    /// The SPI of the SA it is about; empty for the IKE SA.
    pub spi: &'a [u8],
    /// What it tells.
    pub kind: NotifyType,
    /// What goes with it, unread; see [`content`](Self::content).
    pub data: &'a [u8],
}

/// The gateway of a redirection (RFC 5685 §9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 5685 §9.2 knows three kinds")]
pub enum Gateway<'a> {
    /// By IPv4 address.
    V4(Ipv4Addr),
    /// By IPv6 address.
    V6(Ipv6Addr),
    /// By name.
    Fqdn(&'a [u8]),
}

/// What goes with a notification. Those of which the type says everything are [`Plain`](Self::Plain),
/// and data that come with them are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotifyContent<'a> {
    /// The type says everything, or it is not known.
    Plain,
    /// The payload type that was critical and unknown (RFC 7296 §2.5).
    UnsupportedCriticalPayload(PayloadType),
    /// The highest major version the sender speaks (RFC 7296 §2.5).
    InvalidMajorVersion(u8),
    /// The id of the message that was out of the window (RFC 7296 §2.3).
    InvalidMessageId(u32),
    /// The key exchange method that is wanted instead (RFC 7296 §1.3).
    InvalidKePayload(u16),
    /// The SPI of a packet without an SA (RFC 7296 §1.5).
    InvalidSpi(u32),
    /// How many requests the sender keeps apart at once, 1 or more (RFC 7296 §2.3).
    SetWindowSize(u32),
    /// IPComp with this CPI and transform (RFC 7296 §2.22).
    IpcompSupported {
        /// The CPI the sender receives with.
        cpi: u16,
        /// The compression.
        transform: u8,
    },
    /// The hash of the sender's address and port as it sees them (RFC 7296 §2.23).
    NatDetectionSource(&'a [u8; 20]),
    /// The hash of the receiver's address and port as the sender sees them.
    NatDetectionDestination(&'a [u8; 20]),
    /// 1 to 64 octets to be sent back (RFC 7296 §2.6).
    Cookie(&'a [u8]),
    /// The child SA to be replaced, by the SPI its sender receives with (RFC 7296 §1.3.3).
    RekeySa {
        /// AH or ESP.
        protocol: ProtocolId,
        /// Its SPI.
        spi: u32,
    },
    /// The child SA that is not there, as it was told (RFC 7296 §2.25).
    ChildSaNotFound {
        /// AH or ESP, or whatever the request had.
        protocol: ProtocolId,
        /// Its SPI; nothing when the sender left it out.
        spi: Option<u32>,
    },
    /// A further address of the sender (RFC 4555 §3.4).
    AdditionalIp4Address(Ipv4Addr),
    /// A further address of the sender (RFC 4555 §3.4).
    AdditionalIp6Address(Ipv6Addr),
    /// 8 to 64 octets to be sent back (RFC 4555 §3.7).
    Cookie2(&'a [u8]),
    /// The addresses and ports the sender expects to be seen, unread (RFC 4555 §3.9): two addresses of
    /// the same family and two ports.
    NoNatsAllowed(&'a [u8]),
    /// Seconds after which the sender wants to be authenticated again (RFC 4478 §3).
    AuthLifetime(u32),
    /// Go there instead (RFC 5685 §9).
    Redirect {
        /// Where to.
        gateway: Gateway<'a>,
        /// In the answer to IKE_SA_INIT, the initiator's nonce; empty elsewhere.
        nonce: &'a [u8],
    },
    /// Sent here from there (RFC 5685 §9).
    RedirectedFrom(Gateway<'a>),
    /// A token of 16 to 128 octets that proves a crash (RFC 6290 §4.1).
    QuickCrashDetection(&'a [u8]),
    /// Message ids after a take-over (RFC 6311 §6.3).
    MessageIdSync {
        /// To be sent back.
        nonce: u32,
        /// The id of the next request the sender will send.
        send: u32,
        /// The id of the next request it expects.
        receive: u32,
    },
    /// How far incoming counters are to be put on (RFC 6311 §6.4): 4 octets, or 8 with ESN.
    ReplayCounterSync(u64),
    /// Hashes of signatures that the sender can check (RFC 7427 §4), two octets each.
    SignatureHashAlgorithms(SignatureHashes<'a>),
    /// Which post-quantum preshared key (RFC 8784 §3).
    PpkIdentity {
        /// 1 opaque, 2 fixed; nothing in an answer.
        kind: Option<u8>,
        /// The identity.
        identity: &'a [u8],
    },
    /// What AUTH would be without the post-quantum preshared key (RFC 8784 §3).
    NoPpkAuth(&'a [u8]),
    /// What ties IKE_FOLLOWUP_KE to the exchange before (RFC 9370 §2.2.4).
    AdditionalKeyExchange(&'a [u8]),
}

/// The list of SIGNATURE_HASH_ALGORITHMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureHashes<'a>(&'a [u8]);

impl<'a> SignatureHashes<'a> {
    /// The hashes, known or not.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = SignatureHash> + use<'a> {
        self.0
            .as_chunks::<2>()
            .0
            .iter()
            .map(|id| SignatureHash(u16::from_be_bytes(*id)))
    }
}

impl<'a> Notify<'a> {
    /// One about the IKE SA.
    #[must_use]
    pub const fn new(kind: NotifyType, data: &'a [u8]) -> Self {
        Self {
            protocol: ProtocolId::NONE,
            spi: &[],
            kind,
            data,
        }
    }

    pub(crate) fn read(mut reader: Reader<'a>) -> Result<Self, ParseError> {
        const EXPECTED: &str = "protocol, size of the SPI and type";
        let protocol = ProtocolId(reader.u8(EXPECTED)?);
        let size = reader.u8(EXPECTED)?;
        let kind = NotifyType(reader.u16(EXPECTED)?);
        let spi = reader.take(size.into(), "the SPI")?;
        let at = reader;
        let notify = Self {
            protocol,
            spi,
            kind,
            data: reader.all(),
        };
        match notify.content() {
            Some(_) => Ok(notify),
            None => Err(at.length(at.len(), "the data and SPI that go with the type")),
        }
    }

    /// What goes with it; nothing when data or SPI do not go with the type, which no notification of a
    /// parsed message has.
    #[must_use]
    pub fn content(&self) -> Option<NotifyContent<'a>> {
        type T = NotifyType;
        type C<'a> = NotifyContent<'a>;
        let data = self.data;
        let u32 = || <[u8; 4]>::try_from(data).ok().map(u32::from_be_bytes);
        let u16 = || <[u8; 2]>::try_from(data).ok().map(u16::from_be_bytes);
        let u8 = || match data {
            [one] => Some(*one),
            _ => None,
        };
        let spi = || <[u8; 4]>::try_from(self.spi).ok().map(u32::from_be_bytes);
        Some(match self.kind {
            T::UNSUPPORTED_CRITICAL_PAYLOAD => C::UnsupportedCriticalPayload(PayloadType(u8()?)),
            T::INVALID_MAJOR_VERSION => C::InvalidMajorVersion(u8()?),
            T::INVALID_MESSAGE_ID => C::InvalidMessageId(u32()?),
            T::INVALID_KE_PAYLOAD => C::InvalidKePayload(u16()?),
            T::INVALID_SPI => C::InvalidSpi(u32()?),
            T::SET_WINDOW_SIZE => match u32()? {
                0 => return None,
                size => C::SetWindowSize(size),
            },
            T::IPCOMP_SUPPORTED => match data {
                [high, low, transform] => C::IpcompSupported {
                    cpi: u16::from_be_bytes([*high, *low]),
                    transform: *transform,
                },
                _ => return None,
            },
            T::NAT_DETECTION_SOURCE_IP => C::NatDetectionSource(data.try_into().ok()?),
            T::NAT_DETECTION_DESTINATION_IP => C::NatDetectionDestination(data.try_into().ok()?),
            T::COOKIE => C::Cookie(within(data, 1, 64)?),
            // RFC 7296 §1.3.3: the protocol and SPI of a child; IKE has no place here.
            T::REKEY_SA => match self.protocol {
                ProtocolId::AH | ProtocolId::ESP => C::RekeySa {
                    protocol: self.protocol,
                    spi: spi()?,
                },
                _ => return None,
            },
            T::CHILD_SA_NOT_FOUND => C::ChildSaNotFound {
                protocol: self.protocol,
                spi: if self.spi.is_empty() {
                    None
                } else {
                    Some(spi()?)
                },
            },
            T::ADDITIONAL_IP4_ADDRESS => {
                C::AdditionalIp4Address(<[u8; 4]>::try_from(data).ok()?.into())
            }
            T::ADDITIONAL_IP6_ADDRESS => {
                C::AdditionalIp6Address(<[u8; 16]>::try_from(data).ok()?.into())
            }
            T::COOKIE2 => C::Cookie2(within(data, 8, 64)?),
            T::NO_NATS_ALLOWED => match data.len() {
                12 | 36 => C::NoNatsAllowed(data),
                _ => return None,
            },
            T::AUTH_LIFETIME => C::AuthLifetime(u32()?),
            T::REDIRECT => {
                let (gateway, nonce) = gateway(data)?;
                if !nonce.is_empty() {
                    within(nonce, 16, 256)?;
                }
                C::Redirect { gateway, nonce }
            }
            T::REDIRECTED_FROM => match gateway(data)? {
                (gateway, []) => C::RedirectedFrom(gateway),
                _ => return None,
            },
            T::QUICK_CRASH_DETECTION => C::QuickCrashDetection(within(data, 16, 128)?),
            T::IKEV2_MESSAGE_ID_SYNC => {
                let (words, rest) = data.as_chunks::<4>();
                match (words, rest) {
                    ([nonce, send, receive], []) => C::MessageIdSync {
                        nonce: u32::from_be_bytes(*nonce),
                        send: u32::from_be_bytes(*send),
                        receive: u32::from_be_bytes(*receive),
                    },
                    _ => return None,
                }
            }
            T::IPSEC_REPLAY_COUNTER_SYNC => C::ReplayCounterSync(match data.len() {
                4 => u32()?.into(),
                _ => <[u8; 8]>::try_from(data).ok().map(u64::from_be_bytes)?,
            }),
            T::SIGNATURE_HASH_ALGORITHMS => {
                if !data.len().is_multiple_of(2) {
                    return None;
                }
                C::SignatureHashAlgorithms(SignatureHashes(data))
            }
            T::PPK_IDENTITY => match data {
                [] => C::PpkIdentity {
                    kind: None,
                    identity: &[],
                },
                [kind, identity @ ..] => C::PpkIdentity {
                    kind: Some(*kind),
                    identity,
                },
            },
            T::NO_PPK_AUTH => C::NoPpkAuth(data),
            T::ADDITIONAL_KEY_EXCHANGE => C::AdditionalKeyExchange(within(data, 1, usize::MAX)?),
            _ => C::Plain,
        })
    }
}

impl Gateway<'_> {
    /// The type it has on the wire: 1, 2 or 3.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::V4(_) => 1,
            Self::V6(_) => 2,
            Self::Fqdn(_) => 3,
        }
    }

    /// The kind of identity it would be.
    #[must_use]
    pub const fn id_type(&self) -> IdType {
        match self {
            Self::V4(_) => IdType::IPV4_ADDR,
            Self::V6(_) => IdType::IPV6_ADDR,
            Self::Fqdn(_) => IdType::FQDN,
        }
    }
}

fn within(data: &[u8], least: usize, most: usize) -> Option<&[u8]> {
    (least..=most).contains(&data.len()).then_some(data)
}

/// Type, length and identity (RFC 5685 §9.2), and what follows.
fn gateway(data: &[u8]) -> Option<(Gateway<'_>, &[u8])> {
    let (&[kind, length], rest) = data.split_first_chunk::<2>()?;
    let (identity, rest) = rest.split_at_checked(length.into())?;
    let gateway = match kind {
        1 => Gateway::V4(<[u8; 4]>::try_from(identity).ok()?.into()),
        2 => Gateway::V6(<[u8; 16]>::try_from(identity).ok()?.into()),
        3 => Gateway::Fqdn(within(identity, 1, 255)?),
        _ => return None,
    };
    Some((gateway, rest))
}
