//! Narrowing (RFC 7296 §2.9), and the addresses of transport mode behind a NAT (§2.23.1).

use alloc::vec::Vec;
use core::net::IpAddr;

use super::set::{contains_all, intersect, intersection};
use super::{AddressRange, Selector};

/// Traffic that policy allows on one SA: everything between the two sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// On the initiator's side.
    pub initiator: Vec<Selector>,
    /// On the responder's side.
    pub responder: Vec<Selector>,
    /// Whether an SA may have only one address on each side (granularity "host" of both).
    pub single_pair: bool,
}

/// What the initiator asked for: the selectors of known types in TSi and TSr.
#[derive(Clone, Copy, Debug)]
pub struct Offered<'a> {
    /// TSi.
    pub initiator: &'a [Selector],
    /// TSr.
    pub responder: &'a [Selector],
}

/// What the responder answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowed {
    /// TSi.
    pub initiator: Vec<Selector>,
    /// TSr.
    pub responder: Vec<Selector>,
    /// Which of the allowed it is, by index.
    pub allowed: usize,
    /// Whether other traffic that was asked for would be allowed on another SA: then
    /// ADDITIONAL_TS_POSSIBLE may be told.
    pub additional_possible: bool,
}

/// Why there is no child SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(clippy::exhaustive_enums, reason = "RFC 7296 §2.9 knows two")]
pub enum NoSelectors {
    /// Policy allows none of it.
    #[error("no traffic that was asked for is allowed")]
    Unacceptable,
    /// Policy allows it for one pair of addresses at a time, and it is not told which.
    #[error("one pair of addresses is wanted")]
    SinglePairRequired,
}

impl NoSelectors {
    /// The notification that tells it.
    #[must_use]
    pub const fn notify(self) -> crate::message::NotifyType {
        match self {
            Self::Unacceptable => crate::message::NotifyType::TS_UNACCEPTABLE,
            Self::SinglePairRequired => crate::message::NotifyType::SINGLE_PAIR_REQUIRED,
        }
    }
}

/// Selectors of one side in an answer; their count has one octet on the wire.
const MOST: usize = 255;

/// Narrows what was offered to what policy allows, which is tried in order.
///
/// # Errors
///
/// [`NoSelectors`] with the notification to send.
pub fn narrow(allowed: &[Allowed], offered: Offered<'_>) -> Result<Narrowed, NoSelectors> {
    let mut best: Option<(Rank, Narrowed)> = None;
    let mut candidates = 0_usize;
    let mut single = false;
    for (index, allowed) in allowed.iter().enumerate() {
        let (candidate, rank) = match candidate(allowed, index, offered) {
            Ok(Some(found)) => found,
            Ok(None) => continue,
            Err(SinglePair) => {
                single = true;
                continue;
            }
        };
        candidates += 1;
        if best.as_ref().is_none_or(|(held, _)| rank > *held) {
            best = Some((rank, candidate));
        }
    }
    match best {
        Some((rank, mut found)) => {
            // RFC 7296 §2.9: it was narrowed, and something else would do too, on another SA.
            found.additional_possible =
                rank != Rank::Whole && (found.additional_possible || candidates > 1 || single);
            Ok(found)
        }
        None if single => Err(NoSelectors::SinglePairRequired),
        None => Err(NoSelectors::Unacceptable),
    }
}

/// How well a candidate answers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Some of it.
    Part,
    /// With the initiator's first choice, which must not be lost when it can be had.
    First,
    /// All of it.
    Whole,
}

/// Several pairs of addresses, where only one is allowed.
struct SinglePair;

fn candidate(
    allowed: &Allowed,
    index: usize,
    offered: Offered<'_>,
) -> Result<Option<(Narrowed, Rank)>, SinglePair> {
    let mut initiator = intersect(offered.initiator, &allowed.initiator, MOST);
    let mut responder = intersect(offered.responder, &allowed.responder, MOST);
    if initiator.is_empty() || responder.is_empty() {
        return Ok(None);
    }
    let first = match (offered.initiator.first(), offered.responder.first()) {
        (Some(i), Some(r))
            if contains_all(&allowed.initiator, &[*i])
                && contains_all(&allowed.responder, &[*r]) =>
        {
            Some((*i, *r))
        }
        _ => None,
    };
    let whole = contains_all(&allowed.initiator, offered.initiator)
        && contains_all(&allowed.responder, offered.responder);
    if allowed.single_pair {
        // The pair is that of the first selectors if they tell one, else of all that is left.
        let pair = first
            .and_then(|(i, r)| Some((i.addresses.single()?, r.addresses.single()?)))
            .or_else(|| Some((only(&initiator)?, only(&responder)?)))
            .ok_or(SinglePair)?;
        let (before_i, before_r) = (initiator.clone(), responder.clone());
        restrict(&mut initiator, pair.0);
        restrict(&mut responder, pair.1);
        let more = before_i != initiator || before_r != responder;
        let rank = match (whole && !more, first.is_some()) {
            (true, _) => Rank::Whole,
            (false, true) => Rank::First,
            (false, false) => Rank::Part,
        };
        let narrowed = Narrowed {
            initiator,
            responder,
            allowed: index,
            additional_possible: more,
        };
        return Ok(Some((narrowed, rank)));
    }
    if whole {
        // RFC 7296 §2.9: no narrowing is necessary, and the same values go back.
        return Ok(Some((
            Narrowed {
                initiator: offered.initiator.to_vec(),
                responder: offered.responder.to_vec(),
                allowed: index,
                additional_possible: false,
            },
            Rank::Whole,
        )));
    }
    Ok(Some((
        Narrowed {
            initiator,
            responder,
            allowed: index,
            additional_possible: false,
        },
        if first.is_some() {
            Rank::First
        } else {
            Rank::Part
        },
    )))
}

/// The only address of all these selectors.
fn only(selectors: &[Selector]) -> Option<IpAddr> {
    let (first, rest) = selectors.split_first()?;
    let address = first.addresses.single()?;
    rest.iter()
        .all(|other| other.addresses.single() == Some(address))
        .then_some(address)
}

fn restrict(selectors: &mut Vec<Selector>, address: IpAddr) {
    let one = Selector::of(AddressRange::one(address));
    *selectors = selectors
        .iter()
        .filter_map(|selector| intersection(selector, &one))
        .collect();
}

/// Whether a responder's answer is a subset of what was offered, and lets the traffic through that an SA
/// being replaced let through (RFC 7296 §2.9, §2.9.2); the initiator gives up the child if not.
#[must_use]
pub fn is_answer(offered: Offered<'_>, answer: Offered<'_>, in_use: Option<Offered<'_>>) -> bool {
    !answer.initiator.is_empty()
        && !answer.responder.is_empty()
        && contains_all(offered.initiator, answer.initiator)
        && contains_all(offered.responder, answer.responder)
        && in_use.is_none_or(|used| {
            contains_all(answer.initiator, used.initiator)
                && contains_all(answer.responder, used.responder)
        })
}

/// The address that selectors had before it was replaced; kept for checksums and for undoing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replaced(pub IpAddr);

/// Replaces the one address of transport mode's selectors by the one seen in the IKE packet
/// (RFC 7296 §2.23.1). Nothing when they have not exactly one address, or one of the other family, which
/// transport mode must not have; the selectors are unchanged then.
pub fn substitute(selectors: &mut [Selector], seen: IpAddr) -> Option<Replaced> {
    let original = only(selectors)?;
    if original.is_ipv4() != seen.is_ipv4() {
        return None;
    }
    for selector in selectors {
        selector.addresses = AddressRange::one(seen);
    }
    Some(Replaced(original))
}
