//! Child SAs: what is asked for, what is answered, what is installed (RFC 7296 §1.3, §2.9, §2.17).

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::config::Tunnel;
use super::context::Context;
use super::convert;
use super::event::{ChildId, ChildSa, Direction, Event, Failure};
use super::sa::{Child, ChildState, IkeSa, Stop, Wish};
use crate::keys::{ChildKeys, Side};
use crate::message::{NotifyType, Payload, PayloadWriter, Payloads, SaPayload, TooLong};
use crate::policy::{Encapsulation, Initiation};
use crate::proposal::{
    ChildSuite, KeDecision, Offer, Proposal, Protocol, Selecting, Spi, check_answer, ke_decision,
    select_child,
};
use crate::selector::{Allowed, Offered, Selector, intersect, is_answer, narrow, substitute};

/// The payloads that ask for a child, or answer.
pub(super) struct Asked<'a> {
    pub(super) sa: SaPayload<'a>,
    pub(super) initiator: Vec<Selector>,
    pub(super) responder: Vec<Selector>,
}

/// Nothing when one of the three is missing.
pub(super) fn asked<'a>(payloads: &Payloads<'a>) -> Option<Asked<'a>> {
    let (mut sa, mut tsi, mut tsr) = (None, None, None);
    for payload in payloads {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "of all payloads these are looked for"
        )]
        match payload {
            Payload::Sa(found) => sa = Some(found),
            Payload::TsI(found) => tsi = Some(found),
            Payload::TsR(found) => tsr = Some(found),
            _ => {}
        }
    }
    Some(Asked {
        sa: sa?,
        initiator: tsi?.iter().collect(),
        responder: tsr?.iter().collect(),
    })
}

/// A child as responder, chosen and not yet made.
pub(super) struct Answered {
    pub(super) wish: Wish,
    pub(super) suite: ChildSuite,
    pub(super) proposal: Proposal,
    pub(super) spi_in: u32,
    pub(super) spi_out: u32,
    /// The selectors for the answer.
    pub(super) initiator: Vec<Selector>,
    pub(super) responder: Vec<Selector>,
    pub(super) additional_possible: bool,
    pub(super) tfc_padding: bool,
    pub(super) original: Option<(IpAddr, IpAddr)>,
}

impl Answered {
    /// Adds what answers: proposal, selectors, mode.
    pub(super) fn write(&self, writer: &mut PayloadWriter) -> Result<(), TooLong> {
        writer.sa(core::slice::from_ref(&self.proposal))?;
        writer.selectors(true, &self.initiator)?;
        writer.selectors(false, &self.responder)?;
        if self.wish.mode == Encapsulation::Transport {
            writer.notify(NotifyType::USE_TRANSPORT_MODE, &[])?;
        }
        if self.additional_possible {
            writer.notify(NotifyType::ADDITIONAL_TS_POSSIBLE, &[])?;
        }
        Ok(())
    }
}

/// The answer to what this side asked for.
pub(super) struct Taken {
    pub(super) wish: Wish,
    pub(super) suite: ChildSuite,
    pub(super) spi_out: u32,
    pub(super) tfc_padding: bool,
}

/// A child whose keys are there.
pub(super) struct Made {
    pub(super) wish: Wish,
    pub(super) suite: ChildSuite,
    pub(super) spi_in: u32,
    pub(super) spi_out: u32,
    /// Whether this side began the exchange.
    pub(super) initiator: bool,
    pub(super) keys: ChildKeys,
    pub(super) replaces: Option<ChildId>,
    pub(super) original: Option<(IpAddr, IpAddr)>,
    pub(super) tfc_padding: bool,
}

/// One address, and the same on all selectors.
fn host(selectors: &[Selector]) -> Option<IpAddr> {
    let (first, rest) = selectors.split_first()?;
    let address = first.addresses.single()?;
    let same = |other: &Selector| other.addresses.single() == Some(address);
    rest.iter().all(same).then_some(address)
}

pub(super) fn are_hosts(local: &[Selector], remote: &[Selector]) -> bool {
    host(local).is_some() && host(remote).is_some()
}

/// What this side offers for a child.
pub(super) fn offers(wish: &Wish, in_auth: bool) -> Vec<Offer> {
    let offers = convert::proposed(&wish.action, wish.mode);
    if in_auth {
        // RFC 7296 §1.2: keys of the first child come of IKE_SA_INIT.
        offers.iter().map(Offer::without_exchange).collect()
    } else {
        offers
    }
}

/// Adds what asks for a child, but for nonce and key exchange.
pub(super) fn ask(
    wish: &Wish,
    proposals: &[Proposal],
    writer: &mut PayloadWriter,
) -> Result<(), TooLong> {
    writer.sa(proposals)?;
    writer.selectors(true, &wish.local)?;
    writer.selectors(false, &wish.remote)?;
    if wish.mode == Encapsulation::Transport {
        writer.notify(NotifyType::USE_TRANSPORT_MODE, &[])?;
    }
    Ok(())
}

impl IkeSa {
    /// Whether a tunnel is between the ends of this SA.
    fn is_for(&self, tunnel: &Tunnel) -> bool {
        let (local, remote) = (self.path.local.ip(), self.path.remote.ip());
        let nat = self.agreed;
        (nat.nat_local || tunnel.local_endpoint.is_none_or(|end| end == local))
            && (nat.nat_remote || tunnel.remote_endpoint.is_none_or(|end| end == remote))
    }

    /// Chooses what is answered to the wish for a child.
    pub(super) fn answer_child(
        &mut self,
        cx: &mut Context,
        payloads: &Payloads<'_>,
        sent_group: Option<u16>,
        in_auth: bool,
        rekeys: Option<ChildId>,
        assigned: Option<IpAddr>,
    ) -> Result<Answered, Stop> {
        let asked = asked(payloads).ok_or(Stop::refuse(NotifyType::INVALID_SYNTAX))?;
        if self.children.len() >= cx.config.limits.children && rekeys.is_none() {
            cx.counters.children_refused += 1;
            return Err(Stop::refuse(NotifyType::NO_ADDITIONAL_SAS));
        }
        // RFC 7296 §2.19: that costs the child, and no more.
        let required = cx.config.require_address && self.role == Side::Responder;
        if required && assigned.is_none() {
            return Err(Stop::refuse(NotifyType::FAILED_CP_REQUIRED));
        }
        let (mut tsi, mut tsr) = (asked.initiator, asked.responder);
        let hosts = are_hosts(&tsi, &tsr);
        let transport = hosts && payloads.notify(NotifyType::USE_TRANSPORT_MODE).is_some();
        // RFC 7296 §2.23.1: behind a NAT the peer's addresses are not those that are seen here.
        let mut replaced = (None, None);
        if transport && self.agreed.nat_remote {
            replaced.0 = substitute(&mut tsi, self.path.remote.ip());
        }
        if transport && self.agreed.nat_local {
            replaced.1 = substitute(&mut tsr, self.path.local.ip());
        }
        let renewed = rekeys
            .and_then(|id| self.children.iter().find(|child| child.id == id))
            .map(|child| (child.wish.tunnel, child.wish.since, child.wish.generation));
        let candidates: Vec<&Tunnel> = cx
            .tunnels
            .iter()
            .filter(|tunnel| match renewed {
                Some((id, ..)) => tunnel.id == id,
                None => tunnel.action.initiation != Initiation::LocalOnly,
            })
            .filter(|tunnel| self.is_for(tunnel))
            .filter(|tunnel| {
                let allows = |mode| tunnel.action.encapsulation.allows(mode);
                allows(Encapsulation::Tunnel) || (transport && allows(Encapsulation::Transport))
            })
            .collect();
        let allowed: Vec<Allowed> = candidates
            .iter()
            .map(|tunnel| Allowed {
                initiator: match assigned {
                    // Who was given an address speaks from it and no other.
                    Some(address) => {
                        let own = Selector::of(crate::selector::AddressRange::one(address));
                        intersect(&tunnel.remote, &[own], 255)
                    }
                    None => tunnel.remote.clone(),
                },
                responder: tunnel.local.clone(),
                single_pair: false,
            })
            .collect();
        let offered = Offered {
            initiator: &tsi,
            responder: &tsr,
        };
        let narrowed = narrow(&allowed, offered).map_err(|error| Stop::refuse(error.notify()))?;
        let tunnel = candidates
            .get(narrowed.allowed)
            .ok_or(Stop::refuse(NotifyType::TS_UNACCEPTABLE))?;
        let action = Arc::clone(&tunnel.action);
        let mode = if transport && action.encapsulation.allows(Encapsulation::Transport) {
            Encapsulation::Transport
        } else {
            Encapsulation::Tunnel
        };
        let (since, generation) = renewed.map_or((cx.mono(), 0), |(_, since, generation)| {
            (since, generation.saturating_add(1))
        });
        let wish = Wish {
            tunnel: tunnel.id,
            action: Arc::clone(&action),
            mode,
            local: narrowed.responder.clone(),
            remote: narrowed.initiator.clone(),
            since,
            generation,
        };
        let mut offers = convert::accepted(&action);
        if in_auth {
            offers = offers.iter().map(Offer::without_exchange).collect();
        }
        let selecting = Selecting {
            provider: &cx.provider,
            preference: cx.config.preference,
            sent_group,
        };
        let chosen = select_child(&offers, &asked.sa, selecting)
            .map_err(|error| Stop::refuse(error.notify()))?;
        if let KeDecision::Retry(id) = ke_decision(chosen.suite.group, sent_group) {
            let told = id.to_be_bytes().to_vec();
            return Err(Stop::Refuse(NotifyType::INVALID_KE_PAYLOAD, told));
        }
        let Spi::Child(spi_out) = chosen.peer_spi else {
            return Err(Stop::refuse(NotifyType::NO_PROPOSAL_CHOSEN));
        };
        let spi_in = cx
            .child_spi()
            .map_err(|_| Stop::refuse(NotifyType::TEMPORARY_FAILURE))?;
        let mut proposal = chosen.proposal;
        proposal.spi = Spi::Child(spi_in);
        // RFC 7296 §2.23.1: the answer has the addresses that the peer asked with.
        let (mut initiator, mut responder) = (narrowed.initiator, narrowed.responder);
        let mut original = None;
        if mode == Encapsulation::Transport && (replaced.0.is_some() || replaced.1.is_some()) {
            if let Some(before) = replaced.0 {
                substitute(&mut initiator, before.0);
            }
            if let Some(before) = replaced.1 {
                substitute(&mut responder, before.0);
            }
            original = Some((
                replaced.1.map_or(self.path.local.ip(), |before| before.0),
                replaced.0.map_or(self.path.remote.ip(), |before| before.0),
            ));
        }
        Ok(Answered {
            wish,
            suite: chosen.suite,
            proposal,
            spi_in,
            spi_out,
            initiator,
            responder,
            additional_possible: narrowed.additional_possible,
            tfc_padding: payloads
                .notify(NotifyType::ESP_TFC_PADDING_NOT_SUPPORTED)
                .is_none(),
            original,
        })
    }

    /// Looks at the answer to a wish.
    pub(super) fn take_child(
        &self,
        payloads: &Payloads<'_>,
        wish: &Wish,
        proposals: &[Proposal],
        rekeys: bool,
    ) -> Result<Taken, Failure> {
        let answer = asked(payloads)
            .ok_or_else(|| Failure::Answer("proposal or selectors are missing".into()))?;
        let proposal = check_answer(proposals, &answer.sa)
            .map_err(|error| Failure::Answer(alloc::format!("{error}")))?;
        let (Some(suite), Spi::Child(spi_out)) = (ChildSuite::of(&proposal), proposal.spi) else {
            return Err(Failure::Answer("the proposal makes no suite".into()));
        };
        let offered = Offered {
            initiator: &wish.local,
            responder: &wish.remote,
        };
        let answered = Offered {
            initiator: &answer.initiator,
            responder: &answer.responder,
        };
        // RFC 7296 §2.9.2: what replaces a child lets everything through that the child did.
        if !is_answer(offered, answered, rekeys.then_some(offered)) {
            return Err(Failure::Answer("selectors that were not offered".into()));
        }
        let transport = payloads.notify(NotifyType::USE_TRANSPORT_MODE).is_some();
        let mode = match (wish.mode, transport) {
            (Encapsulation::Transport, true) => Encapsulation::Transport,
            (Encapsulation::Transport, false) | (Encapsulation::Tunnel, false) => {
                Encapsulation::Tunnel
            }
            (Encapsulation::Tunnel, true) => {
                return Err(Failure::Answer("transport mode was not asked for".into()));
            }
        };
        // RFC 7296 §1.3.1: a responder may decline transport mode, and who cannot do with that deletes the SA.
        if !wish.action.encapsulation.allows(mode) {
            return Err(Failure::Answer("the peer declines transport mode".into()));
        }
        Ok(Taken {
            wish: Wish {
                mode,
                local: answer.initiator,
                remote: answer.responder,
                ..wish.clone()
            },
            suite,
            spi_out,
            tfc_padding: payloads
                .notify(NotifyType::ESP_TFC_PADDING_NOT_SUPPORTED)
                .is_none(),
        })
    }

    /// Hands a child to the host.
    pub(super) fn install(&mut self, cx: &mut Context, made: Made) -> Option<ChildId> {
        let facts = Arc::clone(&self.established()?.facts);
        let id = cx.child_id();
        let life = convert::child_life(&made.wish.action, &made.suite);
        let minutes = life.map_or(60, |life| life.minutes);
        let whole = Duration::from_secs(u64::from(minutes) * 60);
        let renew = {
            let early = cx.jittered(whole / 10 * 9);
            cx.after(early)
        };
        let end = cx.after(whole);
        let side = if made.initiator {
            Side::Initiator
        } else {
            Side::Responder
        };
        let (own, peer) = made.keys.of(side);
        cx.event(Event::ChildInstall(Box::new(ChildSa {
            id,
            replaces: made.replaces,
            tunnel: made.wish.tunnel,
            generation: made.wish.generation,
            initiator: made.initiator,
            suite: made.suite.clone(),
            mode: made.wish.mode,
            inbound: Direction {
                spi: made.spi_in,
                keys: peer.clone(),
            },
            outbound: Direction {
                spi: made.spi_out,
                keys: own.clone(),
            },
            local: made.wish.local.clone(),
            remote: made.wish.remote.clone(),
            path: self.path,
            udp: self.agreed.nat(),
            original: made.original,
            tfc_padding: made.tfc_padding,
            renewed: renew,
            ends: end,
            kilobytes: life.and_then(|life| life.kilobytes),
            action: Arc::clone(&made.wish.action),
            ike: facts,
        })));
        cx.owners.insert(id, self.local_spi());
        // Most SAs have one child; vectors begin with room for four.
        self.children.reserve_exact(1);
        self.children.push(Child {
            id,
            spi_in: made.spi_in,
            spi_out: made.spi_out,
            wish: made.wish,
            suite: made.suite,
            state: ChildState::Live,
            renew,
            end,
        });
        Some(id)
    }

    /// The child that the peer receives with this SPI.
    pub(super) fn child_out(&self, protocol: Protocol, spi: u32) -> Option<&Child> {
        self.children
            .iter()
            .find(|child| child.suite.protocol == protocol && child.spi_out == spi)
    }
}
