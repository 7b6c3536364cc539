//! Choosing as responder.

use alloc::vec::Vec;

use hostward_crypto::{Group, Provider};

use super::transform::is_combined_id;
use super::{ChildSuite, Encr, IkeSuite, Offer, Proposal, Protocol, Spi, Transform, offer};
use crate::message::{IkeSpi, NotifyType, SaPayload, TransformType, WireProposal};

/// Whose order decides among what both sides accept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are two sides")]
pub enum Preference {
    /// The peer's, which RFC 7296 §3.3.1 calls the order of preference.
    #[default]
    Peer,
    /// Our policy's.
    Own,
}

/// How to choose.
#[derive(Clone, Copy, Debug)]
pub struct Selecting<'a> {
    /// What is done here, and what FIPS mode allows.
    pub provider: &'a Provider,
    /// Whose order decides.
    pub preference: Preference,
    /// The method of the KE payload that came along: if it can be chosen it is, which saves a round
    /// trip. Nothing to let the order decide.
    pub sent_group: Option<u16>,
}

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen<S> {
    /// The algorithms.
    pub suite: S,
    /// The answer: the chosen proposal's number with one transform of each kind it had. Its SPI is still
    /// none; a child and a new IKE SA put in theirs.
    pub proposal: Proposal,
    /// The SPI the peer receives with.
    pub peer_spi: Spi,
}

/// Why nothing was chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(
    clippy::exhaustive_enums,
    reason = "one fits, none fits, or it is no offer"
)]
pub enum SelectError {
    /// No proposal is acceptable.
    #[error("no proposal is acceptable")]
    NoProposalChosen,
    /// The proposals are not numbered from 1.
    #[error("the proposals are not numbered from 1")]
    Numbering,
}

impl SelectError {
    /// The notification that tells it.
    #[must_use]
    pub const fn notify(self) -> NotifyType {
        match self {
            Self::NoProposalChosen => NotifyType::NO_PROPOSAL_CHOSEN,
            Self::Numbering => NotifyType::INVALID_SYNTAX,
        }
    }
}

/// Chooses for an IKE SA: a new one, whose proposals have no SPI, or with `rekey` one that replaces
/// another, whose proposals have one.
///
/// # Errors
///
/// [`SelectError`] with the notification to send.
pub fn select_ike(
    configured: &[Offer],
    offered: &SaPayload<'_>,
    rekey: bool,
    selecting: Selecting<'_>,
) -> Result<Chosen<IkeSuite>, SelectError> {
    select(
        configured,
        offered,
        selecting,
        |wire| match (rekey, wire.spi) {
            (false, []) => Some(Spi::None),
            (true, spi) => <[u8; 8]>::try_from(spi)
                .ok()
                .map(IkeSpi)
                .filter(|spi| !spi.is_zero())
                .map(Spi::Ike),
            (false, _) => None,
        },
        IkeSuite::of,
    )
}

/// Chooses for a child SA. For one made in IKE_AUTH the offers come
/// [`without_exchange`](Offer::without_exchange).
///
/// # Errors
///
/// [`SelectError`] with the notification to send.
pub fn select_child(
    configured: &[Offer],
    offered: &SaPayload<'_>,
    selecting: Selecting<'_>,
) -> Result<Chosen<ChildSuite>, SelectError> {
    select(configured, offered, selecting, child_spi, ChildSuite::of)
}

/// RFC 4303 §2.1: 1 to 255 are reserved, 0 is never on the wire.
pub(super) fn child_spi(wire: &WireProposal<'_>) -> Option<Spi> {
    let spi = <[u8; 4]>::try_from(wire.spi).ok().map(u32::from_be_bytes)?;
    (spi > 255).then_some(Spi::Child(spi))
}

fn select<S>(
    configured: &[Offer],
    offered: &SaPayload<'_>,
    selecting: Selecting<'_>,
    spi: impl Fn(&WireProposal<'_>) -> Option<Spi>,
    suite: impl Fn(&Proposal) -> Option<S>,
) -> Result<Chosen<S>, SelectError> {
    if offered
        .proposals()
        .next()
        .is_none_or(|first| first.number != 1)
    {
        return Err(SelectError::Numbering);
    }
    let attempt = |wire: &WireProposal<'_>, own: &Offer| {
        let peer_spi = spi(wire)?;
        let proposal = Proposal {
            number: wire.number,
            protocol: own.protocol,
            spi: Spi::None,
            transforms: choose(own, wire, selecting)?,
        };
        let suite = suite(&proposal)?;
        Some(Chosen {
            suite,
            proposal,
            peer_spi,
        })
    };
    match selecting.preference {
        Preference::Peer => offered
            .proposals()
            .find_map(|wire| configured.iter().find_map(|own| attempt(&wire, own))),
        Preference::Own => configured
            .iter()
            .find_map(|own| offered.proposals().find_map(|wire| attempt(&wire, own))),
    }
    .ok_or(SelectError::NoProposalChosen)
}

/// What a peer offers of one kind.
struct Kind {
    /// Whether any was offered, known or not.
    present: bool,
    known: Vec<Transform>,
}

/// One transform of each kind of the peer's proposal, or nothing.
fn choose(
    own: &Offer,
    wire: &WireProposal<'_>,
    selecting: Selecting<'_>,
) -> Option<Vec<Transform>> {
    if Protocol::of(wire.protocol) != Some(own.protocol) {
        return None;
    }
    // RFC 7296 §3.3.6: with a type that is not known, or has no place here, the proposal must not be chosen.
    if !wire.transforms().all(|t| belongs(t.kind, own.protocol)) {
        return None;
    }
    let kind = |kind: TransformType| Kind {
        present: wire.transforms().any(|t| t.kind == kind),
        known: wire
            .transforms()
            .filter(|t| t.kind == kind)
            .filter_map(|t| Transform::of(&t))
            .filter(|t| t.check(selecting.provider, own.protocol.purpose()).is_ok())
            .collect(),
    };
    let mut chosen = Vec::new();
    if own.protocol == Protocol::Ah {
        let wanted: Vec<_> = own
            .integrity
            .iter()
            .map(|integ| Transform::Integ(Some(*integ)))
            .collect();
        chosen.push(
            *common(
                &wanted,
                &kind(TransformType::INTEG).known,
                selecting.preference,
            )
            .first()?,
        );
    } else {
        let (encr, integ) = encryption(own, wire, &kind, selecting.preference)?;
        chosen.push(Transform::Encr(encr));
        chosen.extend(integ);
    }
    if own.protocol == Protocol::Ike {
        let wanted: Vec<_> = own.prf.iter().map(|prf| Transform::Prf(*prf)).collect();
        chosen.push(
            *common(
                &wanted,
                &kind(TransformType::PRF).known,
                selecting.preference,
            )
            .first()?,
        );
    } else {
        let wanted: Vec<_> = own.esn.iter().map(|esn| Transform::Esn(*esn)).collect();
        chosen.push(
            *common(
                &wanted,
                &kind(TransformType::ESN).known,
                selecting.preference,
            )
            .first()?,
        );
    }
    exchanges(own, &kind, selecting, &mut chosen)?;
    Some(chosen)
}

/// Whether a type of transform has a place in proposals of this protocol (RFC 7296 §3.3.3, RFC 9370 §2.2.2).
fn belongs(kind: TransformType, protocol: Protocol) -> bool {
    match kind {
        TransformType::ENCR => protocol != Protocol::Ah,
        TransformType::PRF => protocol == Protocol::Ike,
        TransformType::INTEG | TransformType::KE => true,
        TransformType::ESN => protocol != Protocol::Ike,
        kind => kind.additional_index().is_some(),
    }
}

/// What both lists have, in the order of the one that is preferred.
fn common(own: &[Transform], peer: &[Transform], preference: Preference) -> Vec<Transform> {
    let (first, second) = match preference {
        Preference::Own => (own, peer),
        Preference::Peer => (peer, own),
    };
    first
        .iter()
        .filter(|transform| second.contains(transform))
        .copied()
        .collect()
}

fn encryption(
    own: &Offer,
    wire: &WireProposal<'_>,
    kind: &dyn Fn(TransformType) -> Kind,
    preference: Preference,
) -> Option<(Encr, Option<Transform>)> {
    let wanted: Vec<_> = own
        .encryption
        .iter()
        .filter(|encr| offer::is_for(**encr, own.protocol))
        .map(|encr| Transform::Encr(*encr))
        .collect();
    let offered = kind(TransformType::ENCR).known;
    let integrity = kind(TransformType::INTEG);
    let integrities: Vec<_> = own
        .integrity
        .iter()
        .map(|integ| Transform::Integ(Some(*integ)))
        .collect();
    // A sender should have used two proposals; the list of integrity is for the separate ciphers then.
    let mixed = wire
        .transforms()
        .any(|t| t.kind == TransformType::ENCR && !is_combined_id(t.id));
    for transform in common(&wanted, &offered, preference) {
        let Transform::Encr(encr) = transform else {
            continue;
        };
        if encr.is_combined() {
            // RFC 5282 §8, RFC 7296 §3.3.2: with combined encryption NONE or nothing.
            if integrity.known.contains(&Transform::Integ(None)) {
                return Some((encr, Some(Transform::Integ(None))));
            }
            if !integrity.present || mixed {
                return Some((encr, None));
            }
        } else if let Some(integ) = common(&integrities, &integrity.known, preference).first() {
            return Some((encr, Some(*integ)));
        }
    }
    None
}

/// Chooses key exchanges, no method twice (RFC 9370 §2.2.2), which may need trying.
fn exchanges(
    own: &Offer,
    kind: &dyn Fn(TransformType) -> Kind,
    selecting: Selecting<'_>,
    chosen: &mut Vec<Transform>,
) -> Option<()> {
    let preference = selecting.preference;
    let mut levels: Vec<(TransformType, bool, Vec<Option<Group>>)> = Vec::new();
    let main = kind(TransformType::KE);
    let wanted: &[Option<Group>] = if own.groups.is_empty() {
        &[None]
    } else {
        &own.groups
    };
    let mut alternatives = methods(wanted, &main, preference, Transform::Ke);
    if own.protocol == Protocol::Ike {
        alternatives.retain(Option::is_some);
    }
    // The method whose public value is here already goes first.
    let sent = selecting.sent_group.and_then(super::group_of);
    if let Some(at) = alternatives
        .iter()
        .position(|group| group.is_some() && *group == sent)
    {
        alternatives.get_mut(..=at)?.rotate_right(1);
    }
    levels.push((TransformType::KE, main.present, alternatives));
    for index in 0..7_u8 {
        let Some(place) = TransformType::additional(index.into()) else {
            continue;
        };
        let offered = kind(place);
        let wanted = own
            .additional
            .get(usize::from(index))
            .map_or(&[None][..], Vec::as_slice);
        let alternatives = methods(wanted, &offered, preference, |group| {
            Transform::Additional(index, group)
        });
        levels.push((place, offered.present, alternatives));
    }
    let mut picked = Vec::with_capacity(levels.len());
    if !assign(&levels, &mut picked) {
        return None;
    }
    for ((place, present, _), group) in levels.iter().zip(picked) {
        if *present {
            chosen.push(match place.additional_index() {
                None => Transform::Ke(group),
                Some(index) => Transform::Additional(index as u8, group),
            });
        }
    }
    Some(())
}

/// What both sides accept of one kind of exchange. A kind that is not offered is NONE.
fn methods(
    wanted: &[Option<Group>],
    offered: &Kind,
    preference: Preference,
    of: impl Fn(Option<Group>) -> Transform,
) -> Vec<Option<Group>> {
    let own: Vec<_> = wanted.iter().map(|group| of(*group)).collect();
    let none = [of(None)];
    let peer = if offered.present {
        offered.known.as_slice()
    } else {
        &none
    };
    common(&own, peer, preference)
        .into_iter()
        .map(|transform| match transform {
            Transform::Ke(group) | Transform::Additional(_, group) => group,
            Transform::Encr(_) | Transform::Prf(_) | Transform::Integ(_) | Transform::Esn(_) => {
                None
            }
        })
        .collect()
}

/// Picks one of each level so that no method is there twice. The own lists bound the work.
fn assign(
    levels: &[(TransformType, bool, Vec<Option<Group>>)],
    picked: &mut Vec<Option<Group>>,
) -> bool {
    let Some((_, _, alternatives)) = levels.get(picked.len()) else {
        return true;
    };
    let depth = picked.len();
    for group in alternatives {
        if group.is_some() && picked.contains(group) {
            continue;
        }
        picked.push(*group);
        if assign(levels, picked) {
            return true;
        }
        picked.truncate(depth);
    }
    false
}

/// What to do with a KE payload once a method is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "used, not needed, or another wanted"
)]
pub enum KeDecision {
    /// It is of the chosen method.
    Use(Group),
    /// No exchange was chosen: what came is ignored.
    Ignore,
    /// INVALID_KE_PAYLOAD with this method, which the initiator did offer.
    Retry(u16),
}

/// Compares the chosen method with that of the KE payload that came, if one came (RFC 7296 §1.3).
#[must_use]
pub fn ke_decision(chosen: Option<Group>, sent: Option<u16>) -> KeDecision {
    match chosen.and_then(|group| Some((group, super::group_id(group)?))) {
        None => KeDecision::Ignore,
        Some((group, id)) if sent == Some(id) => KeDecision::Use(group),
        Some((_, id)) => KeDecision::Retry(id),
    }
}
