//! The SA payload as it is on the wire: proposals, transforms, attributes (RFC 7296 §3.3). What it means
//! is [`proposal`](crate::proposal)'s.

use super::error::{ParseError, Problem};
use super::limits::Limits;
use super::number::{PayloadType, ProtocolId, TransformType};
use super::reader::Reader;

/// An SA payload whose structure was checked; unknown algorithms in it are no fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaPayload<'a> {
    octets: &'a [u8],
}

/// One proposal of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireProposal<'a> {
    /// Its number: 1 for the first, one more for each.
    pub number: u8,
    /// The protocol.
    pub protocol: ProtocolId,
    /// The SPI the sender receives with: 4 octets for AH and ESP, 8 for IKE when it is replaced, else none.
    pub spi: &'a [u8],
    transforms: &'a [u8],
}

/// One transform of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireTransform<'a> {
    /// What kind of algorithm.
    pub kind: TransformType,
    /// Which one.
    pub id: u16,
    attributes: &'a [u8],
}

/// One attribute of a transform (RFC 7296 §3.3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireAttribute<'a> {
    /// Its type without the bit for the format.
    pub kind: u16,
    /// Its value: two octets in the short format.
    pub value: &'a [u8],
    /// Whether it came in the short format.
    pub short: bool,
}

impl WireAttribute<'_> {
    /// Key Length, in bits (RFC 7296 §3.3.5).
    pub const KEY_LENGTH: u16 = 14;
}

const LAST: u8 = 0;
const MORE_PROPOSALS: u8 = 2;
const MORE_TRANSFORMS: u8 = 3;

impl<'a> SaPayload<'a> {
    /// Its proposals, in order of the sender's preference.
    pub fn proposals(&self) -> impl Iterator<Item = WireProposal<'a>> + use<'a> {
        let mut reader = Reader::new(Some(PayloadType::SA), self.octets, 0);
        core::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            WireProposal::read(&mut reader)
                .ok()
                .map(|(_, proposal, _)| proposal)
        })
    }

    pub(crate) fn read(mut reader: Reader<'a>, limits: &Limits) -> Result<Self, ParseError> {
        let octets = reader.rest();
        let mut last = false;
        for number in 1_u8..=255 {
            if usize::from(number) > limits.proposals {
                return Err(reader.error(Problem::TooMany {
                    what: "proposals",
                    limit: limits.proposals,
                }));
            }
            let start = reader;
            let (more, proposal, mut transforms) = WireProposal::read(&mut reader)?;
            // RFC 7296 §3.3.1: numbered from 1, one more for each.
            // An answer has one alone, with the number of what it chose.
            let answer = number == 1 && !more && proposal.number != 0;
            if proposal.number != number && !answer {
                return Err(start.value(
                    proposal.number.into(),
                    "proposals numbered from 1, increasing by one",
                ));
            }
            check_transforms(&mut transforms.0, transforms.1, limits)?;
            last = !more;
            if last {
                break;
            }
        }
        if !last {
            return Err(reader.error(Problem::TooMany {
                what: "proposals",
                limit: 255,
            }));
        }
        reader.end("the last proposal")?;
        Ok(Self { octets })
    }
}

impl<'a> WireProposal<'a> {
    /// Its transforms; several of a kind are alternatives, in order of the sender's preference.
    pub fn transforms(&self) -> impl Iterator<Item = WireTransform<'a>> + use<'a> {
        let mut reader = Reader::new(Some(PayloadType::SA), self.transforms, 0);
        core::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            WireTransform::read(&mut reader)
                .ok()
                .map(|(_, transform, _)| transform)
        })
    }

    /// Whether more follow, the proposal, and its transforms with their count.
    fn read(reader: &mut Reader<'a>) -> Result<(bool, Self, (Reader<'a>, u8)), ParseError> {
        const EXPECTED: &str = "a proposal";
        let start = *reader;
        let more = more(reader.u8(EXPECTED)?, MORE_PROPOSALS, start)?;
        reader.u8(EXPECTED)?;
        let length = usize::from(reader.u16(EXPECTED)?);
        let mut body = reader.sub(
            length
                .checked_sub(4)
                .ok_or_else(|| start.length(length, "the length of a proposal"))?,
            EXPECTED,
        )?;
        let number = body.u8(EXPECTED)?;
        let protocol = ProtocolId(body.u8(EXPECTED)?);
        let size = body.u8(EXPECTED)?;
        let count = body.u8(EXPECTED)?;
        let spi = body.take(size.into(), "the SPI")?;
        let proposal = Self {
            number,
            protocol,
            spi,
            transforms: body.rest(),
        };
        Ok((more, proposal, (body, count)))
    }
}

impl<'a> WireTransform<'a> {
    /// Its attributes, in order.
    pub fn attributes(&self) -> impl Iterator<Item = WireAttribute<'a>> + use<'a> {
        let mut reader = Reader::new(Some(PayloadType::SA), self.attributes, 0);
        core::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            WireAttribute::read(&mut reader).ok()
        })
    }

    fn read(reader: &mut Reader<'a>) -> Result<(bool, Self, Reader<'a>), ParseError> {
        const EXPECTED: &str = "a transform";
        let start = *reader;
        let more = more(reader.u8(EXPECTED)?, MORE_TRANSFORMS, start)?;
        reader.u8(EXPECTED)?;
        let length = usize::from(reader.u16(EXPECTED)?);
        let mut body = reader.sub(
            length
                .checked_sub(4)
                .ok_or_else(|| start.length(length, "the length of a transform"))?,
            EXPECTED,
        )?;
        let kind = TransformType(body.u8(EXPECTED)?);
        body.u8(EXPECTED)?;
        let id = body.u16(EXPECTED)?;
        let transform = Self {
            kind,
            id,
            attributes: body.rest(),
        };
        Ok((more, transform, body))
    }
}

impl<'a> WireAttribute<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, ParseError> {
        const EXPECTED: &str = "an attribute";
        let kind = reader.u16(EXPECTED)?;
        // RFC 7296 §3.3.5: with the first bit the value is in the place of the length.
        let short = kind & 0x8000 != 0;
        let value = if short {
            reader.take(2, EXPECTED)?
        } else {
            let length = reader.u16(EXPECTED)?;
            reader.take(length.into(), "the value of the attribute")?
        };
        Ok(Self {
            kind: kind & 0x7fff,
            value,
            short,
        })
    }
}

fn more(flag: u8, follows: u8, at: Reader<'_>) -> Result<bool, ParseError> {
    match flag {
        LAST => Ok(false),
        _ if flag == follows => Ok(true),
        _ => Err(at.value(flag.into(), "0 for the last one, else 2 or 3")),
    }
}

fn check_transforms(reader: &mut Reader<'_>, count: u8, limits: &Limits) -> Result<(), ParseError> {
    if usize::from(count) > limits.transforms {
        return Err(reader.error(Problem::TooMany {
            what: "transforms",
            limit: limits.transforms,
        }));
    }
    for left in (0..count).rev() {
        let start = *reader;
        let (more, _, mut attributes) = WireTransform::read(reader)?;
        if more != (left > 0) {
            return Err(start.value(left.into(), "as many transforms as their number says"));
        }
        let mut found = 0;
        while !attributes.is_empty() {
            if found == limits.attributes {
                return Err(attributes.error(Problem::TooMany {
                    what: "attributes",
                    limit: limits.attributes,
                }));
            }
            found += 1;
            WireAttribute::read(&mut attributes)?;
        }
    }
    reader.end("the last transform")
}
