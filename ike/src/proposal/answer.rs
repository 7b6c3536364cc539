//! Looking at an answer as initiator.

use alloc::vec::Vec;

use hostward_crypto::Group;

use super::select::child_spi;
use super::{Proposal, Protocol, Spi, Transform, group_id, group_of};
use crate::message::{IkeSpi, SaPayload, TransformType};

/// Why an answer is not one to what was offered; the exchange failed then (RFC 7296 §3.3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// Not exactly one proposal.
    #[error("the answer has not exactly one proposal")]
    Count,
    /// No proposal with this number and protocol was offered.
    #[error("proposal {0} was not offered")]
    NotOffered(u8),
    /// A transform that was not offered in that proposal, or with other attributes.
    #[error("a transform of type {0} was not offered")]
    Transform(TransformType),
    /// More than one transform of a type.
    #[error("there is more than one transform of type {0}")]
    Several(TransformType),
    /// A type that was offered is missing.
    #[error("there is no transform of type {0}")]
    Missing(TransformType),
    /// One key exchange method is there twice (RFC 9370 §2.2.2).
    #[error("a key exchange method is there twice")]
    SameMethod,
    /// The SPI is not one for this protocol.
    #[error("the SPI is not acceptable")]
    Spi,
}

/// Looks whether the answer takes one of what was `sent`, and one transform of each kind of it. What
/// comes back is the accepted proposal with the peer's SPI; [`IkeSuite::of`](super::IkeSuite::of) and
/// [`ChildSuite::of`](super::ChildSuite::of) make a suite of it.
///
/// # Errors
///
/// [`AnswerError`].
pub fn check_answer(sent: &[Proposal], answer: &SaPayload<'_>) -> Result<Proposal, AnswerError> {
    let mut proposals = answer.proposals();
    let (Some(wire), None) = (proposals.next(), proposals.next()) else {
        return Err(AnswerError::Count);
    };
    let own = sent
        .iter()
        .find(|own| own.number == wire.number && own.protocol.id() == wire.protocol)
        .ok_or(AnswerError::NotOffered(wire.number))?;
    let spi = match (own.protocol, own.spi, wire.spi) {
        (Protocol::Ike, Spi::None, []) => Spi::None,
        (Protocol::Ike, Spi::Ike(_), spi) => <[u8; 8]>::try_from(spi)
            .ok()
            .map(IkeSpi)
            .filter(|spi| !spi.is_zero())
            .map(Spi::Ike)
            .ok_or(AnswerError::Spi)?,
        (Protocol::Ah | Protocol::Esp, Spi::Child(_), _) => {
            child_spi(&wire).ok_or(AnswerError::Spi)?
        }
        _ => return Err(AnswerError::Spi),
    };
    let mut transforms: Vec<Transform> = Vec::new();
    for wire in wire.transforms() {
        let transform = Transform::of(&wire)
            // NONE for integrity beside combined encryption says what its absence says.
            .filter(|found| own.transforms.contains(found) || is_none(own, *found))
            .ok_or(AnswerError::Transform(wire.kind))?;
        if transforms.iter().any(|has| has.kind() == wire.kind) {
            return Err(AnswerError::Several(wire.kind));
        }
        transforms.push(transform);
    }
    for offered in &own.transforms {
        let kind = offered.kind();
        // NONE may be told by leaving the kind out.
        let optional = own
            .transforms
            .iter()
            .any(|transform| transform.kind() == kind && transform.id() == Some(0))
            && kind != TransformType::ESN;
        if !optional && !transforms.iter().any(|has| has.kind() == kind) {
            return Err(AnswerError::Missing(kind));
        }
    }
    let methods: Vec<Group> = transforms
        .iter()
        .filter_map(|transform| match transform {
            Transform::Ke(group) | Transform::Additional(_, group) => *group,
            Transform::Encr(_) | Transform::Prf(_) | Transform::Integ(_) | Transform::Esn(_) => {
                None
            }
        })
        .collect();
    if methods
        .iter()
        .enumerate()
        .any(|(at, method)| methods.iter().skip(at + 1).any(|other| other == method))
    {
        return Err(AnswerError::SameMethod);
    }
    Ok(Proposal {
        number: own.number,
        protocol: own.protocol,
        spi,
        transforms,
    })
}

/// Whether it is NONE of a kind that was not offered at all.
fn is_none(own: &Proposal, found: Transform) -> bool {
    matches!(
        found,
        Transform::Integ(None) | Transform::Ke(None) | Transform::Additional(_, None)
    ) && own.transforms.iter().all(|has| has.kind() != found.kind())
}

/// The method to try again with after INVALID_KE_PAYLOAD: only one that was offered, and not one that was
/// tried already (RFC 7296 §1.2, §1.3). The whole offer is sent again.
#[must_use]
pub fn retry_group(sent: &[Proposal], told: u16, tried: &[Group]) -> Option<Group> {
    let group = group_of(told)?;
    let offered = sent
        .iter()
        .flat_map(|proposal| &proposal.transforms)
        .any(|transform| *transform == Transform::Ke(Some(group)) && group_id(group) == Some(told));
    (offered && !tried.contains(&group)).then_some(group)
}
