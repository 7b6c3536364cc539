//! What is offered and what is chosen (RFC 7296 §2.7, §3.3).
//!
//! [`Offer`]s come from policy. The initiator makes [`Proposal`]s of them ([`proposals`]) and looks with
//! [`check_answer`] whether what came back was among them. The responder has [`select_ike`] and
//! [`select_child`] choose; a proposal with anything unknown or unacceptable in it is passed over, and the
//! next one is looked at, whatever its place.

mod answer;
mod offer;
mod select;
mod transform;
mod wire;

use alloc::vec::Vec;

use hostward_crypto::fips::Purpose;
use hostward_crypto::{Group, Prf};

use crate::message::{IkeSpi, ProtocolId};

pub use answer::{AnswerError, check_answer, retry_group};
pub use offer::{Offer, OfferError, proposals};
pub use select::{
    Chosen, KeDecision, Preference, SelectError, Selecting, ke_decision, select_child, select_ike,
};
pub use transform::{Encr, Integ, Transform, group_id, group_of, prf_id, prf_of};
pub(crate) use wire::write;

/// The protocol of an SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 7296 §3.3.1 knows three")]
pub enum Protocol {
    /// IKE itself.
    Ike,
    /// AH.
    Ah,
    /// ESP.
    Esp,
}

impl Protocol {
    /// Its number.
    #[must_use]
    pub const fn id(self) -> ProtocolId {
        match self {
            Self::Ike => ProtocolId::IKE,
            Self::Ah => ProtocolId::AH,
            Self::Esp => ProtocolId::ESP,
        }
    }

    /// The protocol with this number.
    #[must_use]
    pub const fn of(id: ProtocolId) -> Option<Self> {
        match id {
            ProtocolId::IKE => Some(Self::Ike),
            ProtocolId::AH => Some(Self::Ah),
            ProtocolId::ESP => Some(Self::Esp),
            _ => None,
        }
    }

    /// For what algorithms are wanted.
    #[must_use]
    pub const fn purpose(self) -> Purpose {
        match self {
            Self::Ike => Purpose::Ike,
            Self::Ah => Purpose::Ah,
            Self::Esp => Purpose::Esp,
        }
    }
}

/// The SPI in a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 7296 §3.3.1 knows three sizes")]
pub enum Spi {
    /// None: IKE_SA_INIT, whose header has them.
    None,
    /// Of an IKE SA that replaces another.
    Ike(IkeSpi),
    /// Of ESP or AH.
    Child(u32),
}

/// A proposal as it is sent or was accepted: for an answer one transform of each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its number.
    pub number: u8,
    /// The protocol.
    pub protocol: Protocol,
    /// The SPI the sender receives with.
    pub spi: Spi,
    /// The transforms; several of a kind are alternatives, in order of preference.
    pub transforms: Vec<Transform>,
}

/// The algorithms of an IKE SA.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IkeSuite {
    /// Encryption.
    pub encryption: Encr,
    /// The pseudo-random function.
    pub prf: Prf,
    /// Integrity; none beside combined encryption.
    pub integrity: Option<Integ>,
    /// The key exchange.
    pub group: Group,
    /// Additional key exchanges in the order they are run (RFC 9370 §2.2.2).
    pub additional: Vec<Group>,
}

/// The algorithms of a child SA.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChildSuite {
    /// ESP or AH.
    pub protocol: Protocol,
    /// Encryption; none for AH.
    pub encryption: Option<Encr>,
    /// Integrity; none beside combined encryption.
    pub integrity: Option<Integ>,
    /// The key exchange of its own, with perfect forward secrecy.
    pub group: Option<Group>,
    /// Additional key exchanges in the order they are run.
    pub additional: Vec<Group>,
    /// Whether sequence numbers have 64 bits.
    pub esn: bool,
}

/// What a proposal with one transform of each kind comes to.
#[derive(Default)]
struct Parts {
    encryption: Option<Encr>,
    prf: Option<Prf>,
    integrity: Option<Integ>,
    group: Option<Group>,
    additional: [Option<Group>; 7],
    esn: Option<bool>,
}

impl Parts {
    fn of(transforms: &[Transform]) -> Self {
        let mut parts = Self::default();
        for transform in transforms {
            match *transform {
                Transform::Encr(encr) => parts.encryption = Some(encr),
                Transform::Prf(prf) => parts.prf = Some(prf),
                Transform::Integ(integ) => parts.integrity = integ,
                Transform::Ke(group) => parts.group = group,
                Transform::Esn(esn) => parts.esn = Some(esn),
                Transform::Additional(index, group) => {
                    if let Some(place) = parts.additional.get_mut(usize::from(index)) {
                        *place = group;
                    }
                }
            }
        }
        parts
    }

    /// RFC 9370 §2.2.2: they run in the order of their types; those that are NONE are left out.
    fn additional(&self) -> Vec<Group> {
        self.additional.iter().flatten().copied().collect()
    }

    /// Whether encryption is authenticated by itself or by an integrity algorithm, and not by both.
    fn is_authenticated(&self) -> bool {
        match self.encryption {
            Some(encr) => encr.is_combined() == self.integrity.is_none(),
            None => self.integrity.is_some(),
        }
    }
}

impl IkeSuite {
    /// Of the transforms of an accepted proposal; nothing when they do not make one.
    #[must_use]
    pub fn of(proposal: &Proposal) -> Option<Self> {
        let parts = Parts::of(&proposal.transforms);
        if proposal.protocol != Protocol::Ike || !parts.is_authenticated() {
            return None;
        }
        Some(Self {
            encryption: parts.encryption?,
            prf: parts.prf?,
            integrity: parts.integrity,
            group: parts.group?,
            additional: parts.additional(),
        })
    }
}

impl ChildSuite {
    /// Of the transforms of an accepted proposal; nothing when they do not make one.
    #[must_use]
    pub fn of(proposal: &Proposal) -> Option<Self> {
        let parts = Parts::of(&proposal.transforms);
        if proposal.protocol == Protocol::Ike
            || !parts.is_authenticated()
            || (proposal.protocol == Protocol::Esp) != parts.encryption.is_some()
        {
            return None;
        }
        Some(Self {
            protocol: proposal.protocol,
            encryption: parts.encryption,
            integrity: parts.integrity,
            group: parts.group,
            additional: parts.additional(),
            esn: parts.esn?,
        })
    }
}

#[cfg(test)]
mod tests;
