//! What policy offers, and the proposals an initiator sends for it.

use alloc::vec::Vec;

use hostward_crypto::{Cipher, Group, Prf, Provider};

use super::{Encr, Integ, Proposal, Protocol, Spi, Transform};

/// A set of algorithms that go with each other: any of each list, in order of preference
/// (`KeyExchangeOffer`, `IpDataOffer`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Of what.
    pub protocol: Protocol,
    /// Encryption, for IKE and ESP. Combined and separate algorithms may stand in one list; they are sent
    /// in proposals of their own.
    pub encryption: Vec<Encr>,
    /// Pseudo-random functions, for IKE.
    pub prf: Vec<Prf>,
    /// Integrity, for AH and beside separate encryption.
    pub integrity: Vec<Integ>,
    /// Key exchange methods. For a child [`None`] stands for no exchange of its own, and an empty list
    /// for that alone.
    pub groups: Vec<Option<Group>>,
    /// Additional key exchanges (RFC 9370): for each at most seven the alternatives, where [`None`] makes
    /// it optional.
    pub additional: Vec<Vec<Option<Group>>>,
    /// Whether sequence numbers may have 64 bits, for ESP and AH.
    pub esn: Vec<bool>,
}

/// Why an offer makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// A list that must have something is empty.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// A list that must be empty is not.
    #[error("{0} has no place here")]
    Misplaced(&'static str),
    /// An algorithm is not for this protocol.
    #[error("{0:?} is not for {1:?}")]
    NotFor(Encr, Protocol),
    /// A key exchange has no number in IKE.
    #[error("{0} is no key exchange of IKE")]
    NoGroup(Group),
    /// More than seven additional key exchanges.
    #[error("more than seven additional key exchanges")]
    Additional,
}

impl Offer {
    /// An offer for the IKE SA, still without additional key exchanges.
    #[must_use]
    pub fn ike(
        encryption: impl Into<Vec<Encr>>,
        prf: impl Into<Vec<Prf>>,
        integrity: impl Into<Vec<Integ>>,
        groups: impl IntoIterator<Item = Group>,
    ) -> Self {
        Self {
            protocol: Protocol::Ike,
            encryption: encryption.into(),
            prf: prf.into(),
            integrity: integrity.into(),
            groups: groups.into_iter().map(Some).collect(),
            additional: Vec::new(),
            esn: Vec::new(),
        }
    }

    /// An offer for ESP without a key exchange of its own, sequence numbers of 64 bits preferred.
    #[must_use]
    pub fn esp(encryption: impl Into<Vec<Encr>>, integrity: impl Into<Vec<Integ>>) -> Self {
        Self {
            protocol: Protocol::Esp,
            encryption: encryption.into(),
            prf: Vec::new(),
            integrity: integrity.into(),
            groups: Vec::new(),
            additional: Vec::new(),
            esn: alloc::vec![true, false],
        }
    }

    /// An offer for AH likewise.
    #[must_use]
    pub fn ah(integrity: impl Into<Vec<Integ>>) -> Self {
        Self {
            protocol: Protocol::Ah,
            ..Self::esp([], integrity)
        }
    }

    /// The same without key exchanges: for a child made in IKE_AUTH, whose SA payload must have none
    /// (RFC 7296 §1.2).
    #[must_use]
    pub fn without_exchange(&self) -> Self {
        Self {
            groups: Vec::new(),
            additional: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether it makes sense, whatever the provider has.
    ///
    /// # Errors
    ///
    /// [`OfferError`].
    pub fn check(&self) -> Result<(), OfferError> {
        use OfferError::{Additional, Misplaced, Missing, NoGroup, NotFor};
        let ike = self.protocol == Protocol::Ike;
        let encrypts = self.protocol != Protocol::Ah;
        let separate = self.encryption.iter().any(|encr| !encr.is_combined());
        let gmac = self
            .integrity
            .iter()
            .any(|integ| matches!(integ, Integ::Gmac(_)));
        let methods = || self.groups.iter().chain(self.additional.iter().flatten());
        if let Some(encr) = self
            .encryption
            .iter()
            .find(|encr| !is_for(**encr, self.protocol))
        {
            return Err(NotFor(*encr, self.protocol));
        }
        if let Some(group) = methods()
            .flatten()
            .find(|group| super::group_id(**group).is_none())
        {
            return Err(NoGroup(*group));
        }
        match () {
            () if encrypts && self.encryption.is_empty() => Err(Missing("encryption")),
            () if ike && self.prf.is_empty() => Err(Missing("pseudo-random function")),
            () if !ike && !self.prf.is_empty() => Err(Misplaced("a pseudo-random function")),
            () if (separate || !encrypts) && self.integrity.is_empty() => Err(Missing("integrity")),
            () if encrypts && gmac => Err(Misplaced("GMAC as integrity")),
            () if ike && !self.groups.iter().any(Option::is_some) => {
                Err(Missing("key exchange method"))
            }
            () if ike && self.groups.contains(&None) => Err(Misplaced("no key exchange")),
            () if ike != self.esn.is_empty() => Err(if ike {
                Misplaced("the length of sequence numbers")
            } else {
                Missing("length of sequence numbers")
            }),
            () if self.additional.len() > 7 => Err(Additional),
            () if self.additional.iter().any(Vec::is_empty) => {
                Err(Missing("additional key exchange"))
            }
            () => Ok(()),
        }
    }
}

/// Whether an encryption algorithm is for this protocol, and this crate does it.
pub(super) fn is_for(encr: Encr, protocol: Protocol) -> bool {
    match protocol {
        Protocol::Ike => matches!(encr, Encr::Aead(_) | Encr::Cipher(Cipher::AesCbc(_))),
        Protocol::Esp => true,
        Protocol::Ah => false,
    }
}

/// The proposals for these offers, in order, with `spi` in each. Combined and separate encryption go into
/// proposals of their own, the one that comes first in the offer first. What the provider does not do, or
/// FIPS mode forbids, is left out, and a proposal that would lack something with it.
#[must_use]
pub fn proposals(offers: &[Offer], spi: Spi, provider: &Provider) -> Vec<Proposal> {
    let mut found = Vec::new();
    for offer in offers {
        let combined_first = offer
            .encryption
            .first()
            .is_some_and(|encr| encr.is_combined());
        let halves = match offer.protocol {
            Protocol::Ah => [Some(false), None],
            Protocol::Ike | Protocol::Esp => [Some(combined_first), Some(!combined_first)],
        };
        for combined in halves.into_iter().flatten() {
            if let Some(transforms) = transforms(offer, combined, provider)
                && found.len() < 255
            {
                found.push(Proposal {
                    number: found.len() as u8 + 1,
                    protocol: offer.protocol,
                    spi,
                    transforms,
                });
            }
        }
    }
    found
}

/// The transforms with combined encryption or with separate; nothing when a kind is missing.
fn transforms(offer: &Offer, combined: bool, provider: &Provider) -> Option<Vec<Transform>> {
    let purpose = offer.protocol.purpose();
    let mut found: Vec<Transform> = Vec::new();
    let mut add = |wanted: &mut dyn Iterator<Item = Transform>| {
        let before = found.len();
        for transform in wanted {
            if transform.check(provider, purpose).is_ok()
                && transform.id().is_some()
                && !found.contains(&transform)
            {
                found.push(transform);
            }
        }
        (found.len() > before).then_some(())
    };
    if offer.protocol != Protocol::Ah {
        add(&mut offer
            .encryption
            .iter()
            .filter(|encr| encr.is_combined() == combined && is_for(**encr, offer.protocol))
            .map(|encr| Transform::Encr(*encr)))?;
    }
    if offer.protocol == Protocol::Ike {
        add(&mut offer.prf.iter().map(|prf| Transform::Prf(*prf)))?;
    }
    // RFC 5282 §8: beside combined encryption no integrity at all.
    if !combined {
        add(&mut offer
            .integrity
            .iter()
            .map(|integ| Transform::Integ(Some(*integ))))?;
    }
    if offer.groups.iter().any(Option::is_some) {
        add(&mut offer.groups.iter().map(|group| Transform::Ke(*group)))?;
    }
    if offer.protocol != Protocol::Ike {
        add(&mut offer.esn.iter().map(|esn| Transform::Esn(*esn)))?;
    }
    for (index, groups) in (0_u8..7).zip(&offer.additional) {
        add(&mut groups
            .iter()
            .map(|group| Transform::Additional(index, *group)))?;
    }
    Some(found)
}
