//! What is kept for one connection.

use alloc::boxed::Box;
use alloc::sync::Arc;

use hostward_hook::Side;
use hostward_hook::flow::FlowInfo;

use crate::advice;
use crate::conn::{Env, Lookouts, Stage, Track};
use crate::discovery::Discovery;
use crate::enforce::Mapped;
use crate::intern::Handle;
use crate::record::{FilterFacts, IpsecFacts, Observation, Protocol, Record, Role, Source};
use crate::seen::{self, Seen};
use crate::tls::trail::Trail;

/// No place.
pub(crate) const NIL: u32 = u32::MAX;

/// How far the stream was read.
#[derive(Debug)]
pub(crate) enum State {
    /// No handshake has begun.
    Watching(Lookouts),
    /// A handshake is read.
    Tracking(Box<Track>),
    /// Only the heads of records are still read. The boxes are few and short-lived: most sides
    /// send something soon.
    Trailing(Seen, Box<Trail>),
    /// Nothing more is read.
    Settled(Seen),
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) flow: Option<FlowInfo>,
    pub(crate) discovery: Discovery,
    pub(crate) state: State,
    pub(crate) extra: Option<Box<Extra>>,
    pub(crate) epoch: u32,
    /// Neighbours among those that settle.
    pub(crate) prev: u32,
    pub(crate) next: u32,
    pub(crate) stage: Stage,
    pub(crate) settling: bool,
}

/// What only connections have of which somebody told something, or about which there are rules.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// What a provider told of TLS or SSH.
    pub(crate) advised: Option<Seen>,
    pub(crate) ipsec: Option<Handle<IpsecFacts>>,
    pub(crate) filter: Option<Handle<FilterFacts>>,
    /// What enforcement knows of it.
    pub(crate) mapped: Mapped,
    /// The rule of enforcement that had it reset.
    pub(crate) reset_by: Option<Arc<str>>,
}

// What a watched connection costs by itself once its handshake is decided; with the pointer to it
// and its part of what is shared it stays below 400 bytes.
const _: () = assert!(size_of::<Entry>() <= 320);

impl Entry {
    pub(crate) const fn new() -> Self {
        Self {
            flow: None,
            discovery: Discovery::tcp(hostward_hook::Instant::ZERO),
            state: State::Watching(Lookouts::new()),
            extra: None,
            epoch: 0,
            prev: NIL,
            next: NIL,
            stage: Stage::Clear,
            settling: false,
        }
    }

    /// The protocol of the session that was seen to be established.
    pub(crate) fn protocol_seen(&self) -> Option<Protocol> {
        let established = |seen: &&Seen| seen.established == Some(true);
        match &self.state {
            State::Watching(_) => None,
            State::Tracking(track) if self.stage == Stage::Complete => {
                let protocol = track.record.protocol;
                (protocol != Protocol::None).then_some(protocol)
            }
            State::Tracking(track) => track
                .previous
                .as_ref()
                .filter(established)
                .map(Seen::protocol),
            State::Settled(seen) | State::Trailing(seen, _) => {
                Some(seen).filter(established).map(Seen::protocol)
            }
        }
    }

    /// What is told of it, made if there was nothing.
    pub(crate) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// What a provider told of TLS or SSH.
    pub(crate) fn advised(&self) -> Option<&Seen> {
        self.extra.as_ref()?.advised.as_ref()
    }

    /// What a provider told of a session that is in effect.
    pub(crate) fn advised_session(&self) -> Option<&Seen> {
        self.advised().filter(|a| a.established == Some(true))
    }

    pub(crate) fn ipsec(&self) -> Option<&Handle<IpsecFacts>> {
        self.extra.as_ref()?.ipsec.as_ref()
    }

    /// Whether rules were applied to it.
    pub(crate) fn is_evaluated(&self) -> bool {
        self.extra.as_ref().is_some_and(|e| e.mapped.is_evaluated())
    }

    /// Bytes in memory of its own that are not counted elsewhere.
    pub(crate) fn boxed(&self) -> usize {
        let extra = self.extra.as_ref().map_or(0, |_| size_of::<Extra>());
        let state = match &self.state {
            State::Trailing(seen, _) => seen.boxed() + size_of::<Trail>(),
            State::Settled(seen) => seen.boxed(),
            State::Watching(_) | State::Tracking(_) => 0,
        };
        extra + state
    }

    /// Writes the connection as it stands into a record. `over`: the connection has ended by
    /// itself. `told` is room to work in.
    pub(crate) fn show(
        &mut self,
        record: &mut Record,
        told: &mut Record,
        over: bool,
        env: &mut Env<'_>,
    ) {
        record.clear();
        let Some(flow) = self.flow else { return };
        let client = match &mut self.state {
            State::Watching(look) => {
                record.clear_text = look.clear_text();
                record.gap = look.gap;
                Side::Initiator
            }
            State::Tracking(track) => {
                let client = track.conclude(&flow, over, env);
                match &track.previous {
                    Some(previous) if self.stage != Stage::Complete => {
                        previous.show(record, over);
                        record.clear_text = track.record.clear_text;
                        previous.client.unwrap_or(client)
                    }
                    _ => {
                        record.assign_seen(&track.record);
                        client
                    }
                }
            }
            State::Settled(seen) | State::Trailing(seen, _) => {
                seen.show(record, over);
                seen.client.unwrap_or(Side::Initiator)
            }
        };
        let client = match self.advised() {
            Some(advised) => {
                told.clear();
                advised.show(told, over);
                let mut observation = Observation {
                    protocol: record.protocol,
                    established: record.established,
                    ..Observation::default()
                };
                let alike = record.protocol == told.protocol;
                if alike {
                    observation.tls.assign(&record.tls);
                    observation.ssh.assign(&record.ssh);
                } else {
                    core::mem::swap(&mut observation.tls, &mut record.tls);
                    core::mem::swap(&mut observation.ssh, &mut record.ssh);
                    record.pq = told.pq;
                }
                record.observation = Some(Box::new(observation));
                record.source = Source::Advised;
                advice::overlay(record, told);
                advised.client.unwrap_or(client)
            }
            None => client,
        };
        record.set_flow(&flow, client == Side::Initiator);
        record.role = if record.protocol == Protocol::None {
            Role::Unknown
        } else {
            let shown = record.tls.client_cert_sent == Some(true);
            seen::role(&flow, client, shown)
        };
        if let Some(extra) = &self.extra {
            record.ipsec = extra.ipsec.as_ref().map(|i| Box::new((***i).clone()));
            record.reset_by = extra.reset_by.clone();
            record.filter = extra.filter.as_ref().map(|f| Box::new((***f).clone()));
        }
        if record.protocol == Protocol::None
            && let Some(ipsec) = &record.ipsec
        {
            record.protocol = Protocol::Ipsec;
            record.source = Source::Advised;
            record.pq = advice::ipsec_class(ipsec);
        }
    }
}
