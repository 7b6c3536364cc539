//! Offers of policy as offers of proposals, and what they mean for one IKE SA or child.

use alloc::vec::Vec;

use crate::policy::{
    AdditionalKeyExchange, DataProtection, DynVpnAction, Encapsulation, IkeProtection, IpDataOffer,
    KeyExchangeAction, KeyExchangeOffer, Life, Pfs,
};
use crate::proposal::{ChildSuite, Encr, IkeSuite, Integ, Offer, Protocol};
use hostward_crypto::Group;

fn additional(list: &[AdditionalKeyExchange]) -> Vec<Vec<Option<Group>>> {
    list.iter()
        .map(|one| {
            let mut groups: Vec<_> = one.groups.iter().copied().map(Some).collect();
            if one.optional {
                groups.push(None);
            }
            groups
        })
        .collect()
}

fn ike_offer(offer: &KeyExchangeOffer) -> Offer {
    let (encr, integ) = match offer.protection {
        IkeProtection::Aead(aead) => (Encr::Aead(aead), None),
        IkeProtection::Cipher(cipher, mac) => (Encr::Cipher(cipher), Some(Integ::Mac(mac))),
    };
    let integ: Vec<Integ> = integ.into_iter().collect();
    let mut made = Offer::ike([encr], [offer.prf], integ, [offer.group]);
    made.additional = additional(&offer.additional);
    made
}

/// All offers of an action, in order.
pub(super) fn ike_offers(action: &KeyExchangeAction) -> Vec<Offer> {
    action.offers.iter().map(ike_offer).collect()
}

/// The offer that a suite is of; nothing when the action does not accept the suite.
pub(super) fn ike_offer_of<'a>(
    action: &'a KeyExchangeAction,
    suite: &IkeSuite,
) -> Option<&'a KeyExchangeOffer> {
    action.offers.iter().find(|offer| {
        let made = ike_offer(offer);
        let mut needed = suite.additional.iter();
        let mut next = needed.next();
        let fits = made.additional.iter().all(|groups| match next {
            Some(group) if groups.contains(&Some(*group)) => {
                next = needed.next();
                true
            }
            _ => groups.contains(&None),
        });
        made.encryption.contains(&suite.encryption)
            && made.prf.contains(&suite.prf)
            && made.integrity == suite.integrity.into_iter().collect::<Vec<_>>()
            && made.groups.contains(&Some(suite.group))
            && fits
            && next.is_none()
    })
}

/// The algorithms of a data offer, without key exchanges.
fn data_offer(offer: &IpDataOffer) -> Offer {
    let none = Vec::<Integ>::new();
    match offer.protection {
        DataProtection::EspAead(aead) => Offer::esp([Encr::Aead(aead)], none),
        DataProtection::Esp(cipher, mac) => Offer::esp([Encr::Cipher(cipher)], [Integ::Mac(mac)]),
        DataProtection::EspNull(mac) => Offer::esp([Encr::Null], [Integ::Mac(mac)]),
        DataProtection::EspGmac(key) => Offer::esp([Encr::Gmac(key)], none),
        DataProtection::Ah(mac) => Offer::ah([Integ::Mac(mac)]),
        DataProtection::AhGmac(key) => Offer::ah([Integ::Gmac(key)]),
    }
}

/// Which mode this host proposes: that of the first offer that may be used.
pub(super) fn proposed_mode(action: &DynVpnAction, hosts: bool) -> Option<Encapsulation> {
    let mut offers = action.offers.iter().map(|offer| offer.encapsulation);
    offers.find(|mode| {
        action.encapsulation.allows(*mode) && (hosts || *mode == Encapsulation::Tunnel)
    })
}

/// What this host proposes for a child.
pub(super) fn proposed(action: &DynVpnAction, mode: Encapsulation) -> Vec<Offer> {
    let fits = |offer: &&IpDataOffer| offer.encapsulation == mode;
    with_pfs(action.offers.iter().filter(fits), &action.initiate_pfs)
}

/// What this host accepts for a child.
pub(super) fn accepted(action: &DynVpnAction) -> Vec<Offer> {
    let all = action.acceptable_pfs.iter();
    all.flat_map(|pfs| with_pfs(action.offers.iter(), pfs))
        .collect()
}

fn with_pfs<'a>(offers: impl Iterator<Item = &'a IpDataOffer>, pfs: &Pfs) -> Vec<Offer> {
    offers
        .map(|offer| Offer {
            groups: pfs.group.into_iter().map(Some).collect(),
            additional: additional(&pfs.additional),
            ..data_offer(offer)
        })
        .collect()
}

/// The life of a child with this suite.
pub(super) fn child_life<'a>(action: &'a DynVpnAction, suite: &ChildSuite) -> Option<&'a Life> {
    let fits = |offer: &&IpDataOffer| {
        let made = data_offer(offer);
        made.protocol == suite.protocol
            && made.encryption == suite.encryption.into_iter().collect::<Vec<_>>()
            && made.integrity == suite.integrity.into_iter().collect::<Vec<_>>()
    };
    let found = action.offers.iter().find(fits).or(action.offers.first());
    found.map(|offer| &offer.life)
}

/// The protocol of a number in a notification or Delete, if it is one of children.
pub(super) const fn child_protocol(id: crate::message::ProtocolId) -> Option<Protocol> {
    match Protocol::of(id) {
        Some(Protocol::Ike) | None => None,
        Some(protocol) => Some(protocol),
    }
}
