//! Fragments (RFC 7383): cutting what is sent, putting together what comes.

use alloc::vec::Vec;

use hostward_crypto::Random;

use super::{OpenError, Opened, Opener, SealError, Sealer, outside};
use crate::message::{Header, Message, ParseError, PayloadType, PayloadWriter};

/// Octets of IKE in an IP datagram of this length, without options and extension headers: for the limit
/// of [`Sealer::seal_fragments`]. RFC 7383 §2.5.1 recommends datagrams of 576 octets with IPv4, of 1280
/// with IPv6.
#[must_use]
pub const fn room(datagram: usize, ipv6: bool, non_esp_marker: bool) -> usize {
    let headers = (if ipv6 { 40 } else { 20 }) + 8 + (if non_esp_marker { 4 } else { 0 });
    datagram.saturating_sub(headers)
}

impl Sealer {
    /// The message in one piece if it is not longer than `limit`, else in fragments of at most that many
    /// octets each. Each has an IV of its own.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn seal_fragments(
        &mut self,
        header: &Header,
        payloads: &PayloadWriter,
        limit: usize,
        random: &mut dyn Random,
    ) -> Result<Vec<Vec<u8>>, SealError> {
        let inner = payloads.octets();
        if self.message_len(inner.len()) <= limit {
            return Ok(alloc::vec![self.seal(header, payloads, random)?]);
        }
        // What goes around: header, payload header, number and total, IV and ICV.
        let around = Header::LEN + 8 + self.kind.iv_len() + self.kind.icv_len();
        let encrypted = limit.checked_sub(around).ok_or(SealError::TooSmall)?;
        let blocks = encrypted - encrypted % self.kind.block_len();
        // One octet is the pad length.
        let content = blocks
            .checked_sub(1)
            .filter(|content| *content > 0)
            .ok_or(SealError::TooSmall)?;
        let total =
            u16::try_from(inner.len().div_ceil(content)).map_err(|_| SealError::TooSmall)?;
        let mut fragments = Vec::with_capacity(total.into());
        for (number, part) in (1..=total).zip(inner.chunks(content)) {
            let length = 8 + self.body_len(part.len());
            let told = u16::try_from(length).map_err(|_| SealError::TooLong)?;
            let mut octets = Vec::with_capacity(Header::LEN + length);
            octets.extend_from_slice(
                &header.octets(PayloadType::SKF, Header::LEN as u32 + u32::from(told)),
            );
            // RFC 7383 §2.5: the first names the first payload inside, the others nothing.
            let first = if number == 1 {
                payloads.first()
            } else {
                PayloadType::NO_NEXT_PAYLOAD
            };
            octets.extend_from_slice(&[first.0, 0]);
            octets.extend_from_slice(&told.to_be_bytes());
            octets.extend_from_slice(&number.to_be_bytes());
            octets.extend_from_slice(&total.to_be_bytes());
            self.finish(&mut octets, part, random)?;
            fragments.push(octets);
        }
        Ok(fragments)
    }
}

/// Bounds on a message that comes in fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FragmentLimits {
    /// Fragments of a message.
    pub fragments: u16,
    /// Octets inside of them together.
    pub octets: usize,
}

impl Default for FragmentLimits {
    fn default() -> Self {
        Self {
            fragments: 256,
            octets: 65_535,
        }
    }
}

/// Why a fragment was dropped, in the order of the checks. Nothing is sent for any of them
/// (RFC 7383 §2.6), but for an authentic one that is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// There is no fragment in the message.
    #[error("the message is no fragment")]
    NoFragment,
    /// Its number or total is zero, or the number is above the total.
    #[error("the number of the fragment is out of range")]
    Number,
    /// Its total is below that of fragments that are held.
    #[error("the message has more fragments by now")]
    Stale,
    /// It is held already.
    #[error("the fragment is a duplicate")]
    Duplicate,
    /// It would be more than the limits allow.
    #[error("the message has too many fragments or octets")]
    TooMany,
    /// It is not authentic.
    #[error("the fragment is not authentic")]
    NotAuthentic,
    /// It is authentic and its padding is not well-formed: INVALID_SYNTAX, which is fatal.
    #[error(transparent)]
    Malformed(ParseError),
    /// It is authentic and belongs to another message than what is held.
    #[error("the fragment is of another message")]
    Other,
}

/// What a fragment led to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is more to come, or there is not"
)]
pub enum Progress {
    /// More fragments are to come.
    Waiting,
    /// The message is whole.
    Complete(Opened),
}

/// A message that comes in fragments: one of these for each message id and direction. It holds at most
/// what its limits say.
#[derive(Clone, Debug)]
pub struct Reassembly {
    limits: FragmentLimits,
    parts: Vec<Option<Vec<u8>>>,
    held: usize,
    octets: usize,
    header: Option<Header>,
    /// Of fragment 1: its header, the payloads in clear, the reserved octet, the first payload inside.
    first: Option<([u8; Header::LEN], Vec<u8>, u8, PayloadType)>,
}

impl Reassembly {
    /// With nothing yet.
    #[must_use]
    pub const fn new(limits: FragmentLimits) -> Self {
        Self {
            limits,
            parts: Vec::new(),
            held: 0,
            octets: 0,
            header: None,
            first: None,
        }
    }

    /// Octets that are held.
    #[must_use]
    pub const fn octets(&self) -> usize {
        self.octets
    }

    /// Takes a fragment in. Once complete it begins anew.
    ///
    /// # Errors
    ///
    /// [`FragmentError`]; what is held stays as it was.
    pub fn add(
        &mut self,
        opener: &Opener,
        message: &Message<'_>,
    ) -> Result<Progress, FragmentError> {
        let fragment = message.fragment().ok_or(FragmentError::NoFragment)?;
        // RFC 7383 §2.6: in this order, each dropped in silence.
        let place = usize::from(fragment.number)
            .checked_sub(1)
            .ok_or(FragmentError::Number)?;
        let (total, stored) = (usize::from(fragment.total), self.parts.len());
        if place >= total {
            return Err(FragmentError::Number);
        }
        if total < stored {
            return Err(FragmentError::Stale);
        }
        if total == stored && self.parts.get(place).is_some_and(Option::is_some) {
            return Err(FragmentError::Duplicate);
        }
        if total > usize::from(self.limits.fragments) {
            return Err(FragmentError::TooMany);
        }
        // RFC 7383 §2.6: only what is authentic is held.
        let body_at = fragment.offset + 8;
        let inner = opener
            .open_body(message.octets(), PayloadType::SKF, body_at, fragment.body)
            .map_err(|error| match error {
                OpenError::Malformed(error) => FragmentError::Malformed(error),
                OpenError::NotEncrypted | OpenError::NotAuthentic => FragmentError::NotAuthentic,
            })?;
        let anew = total > stored;
        if !anew && self.header.is_some_and(|header| header != message.header) {
            return Err(FragmentError::Other);
        }
        let octets = if anew { 0 } else { self.octets } + inner.len();
        if octets > self.limits.octets {
            return Err(FragmentError::TooMany);
        }
        let (raw, unprotected) =
            outside(message.octets(), fragment.offset).ok_or(FragmentError::NoFragment)?;
        // RFC 7383 §2.6: a larger total says that the sender cut it anew; what is held is of no use.
        if anew {
            *self = Self::new(self.limits);
            self.parts.resize_with(total, || None);
            self.header = Some(message.header);
        }
        if place == 0 {
            self.first = Some((raw, unprotected.to_vec(), fragment.reserved, fragment.first));
        }
        if let Some(part) = self.parts.get_mut(place) {
            *part = Some(inner);
        }
        self.held += 1;
        self.octets = octets;
        if self.held < total {
            return Ok(Progress::Waiting);
        }
        let whole = core::mem::replace(self, Self::new(self.limits));
        let (raw, unprotected, reserved, first) = whole.first.ok_or(FragmentError::NoFragment)?;
        let mut inner = Vec::with_capacity(whole.octets);
        for part in whole.parts.into_iter().flatten() {
            inner.extend_from_slice(&part);
        }
        Ok(Progress::Complete(Opened {
            header: message.header,
            raw,
            unprotected,
            reserved,
            first,
            inner,
        }))
    }
}
