//! The guard as a host sees it.

mod pass;

pub use pass::Slots;

use hostward_filter::Filter;
use hostward_hook::action::{Action, ActionQueue, Cx};
use hostward_hook::event::EventSink;
use hostward_hook::flow::{FlowState, FlowTable, Found, HashKey};
use hostward_hook::fragment::FragmentReassembler;
use hostward_hook::hooks::{CloseCause, Interest, earlier};
use hostward_hook::ident::{RuleId, SaId};
use hostward_hook::layout::Layout;
use hostward_hook::protection::{Fact, IpsecTunnel, ProtectionSink};
use hostward_hook::stream::Reassembler;
use hostward_hook::time::{Instant, Now};
use hostward_hook::{
    Direction, FlowId, FlowKey, FrameBuf, Meta, Packet, PacketTransform, StreamObserver, Timers,
    Verdict,
};
use hostward_ids::Ids;
use hostward_zert::{Datagrams, Zert};

use crate::config::GuardConfig;
use crate::counters::Counters;
use pass::Core;

/// Actions that wait for the host at most.
const ACTIONS: usize = 64;

/// What the key for the tables of intrusion detection is derived by.
const IDS_KEY: u64 = 0x1d5;

/// Packets of one batched flow look-up.
const BATCH: usize = 64;

/// All controls of one worker, and the pass of a packet through them.
///
/// A guard is owned by whoever runs the core: it has no locks, reads no clock and does no I/O. Of
/// the controls only those that were given take part. `T` is what opens and seals protected
/// packets, nothing by default.
#[derive(Debug)]
pub struct Guard<T = ()> {
    core: Core<T>,
    actions: ActionQueue<ACTIONS>,
    /// The filter's rule that decided about the last packet.
    rule: Option<RuleId>,
}

impl Guard {
    /// A guard without controls. `key` makes the flow table's hash unpredictable: sixteen bytes
    /// from a good random source, new at every start.
    #[must_use]
    pub fn new(config: GuardConfig, key: HashKey) -> Self {
        Self::with_ipsec(config, key, ())
    }
}

impl<T: PacketTransform> Guard<T> {
    /// A guard that opens and seals protected packets.
    #[must_use]
    pub fn with_ipsec(config: GuardConfig, key: HashKey, ipsec: T) -> Self {
        let core = Core {
            mode: config.mode,
            nesting: config.nesting,
            filter: None,
            ids: None,
            zert: None,
            datagrams: None,
            ids_key: key.derive(IDS_KEY),
            ipsec,
            ipsec_changed: true,
            filter_epoch: None,
            flows: FlowTable::new(config.flows, key),
            fragments: config.fragments.map(FragmentReassembler::new),
            streams: config.streams.map(Reassembler::new),
            counters: Counters::default(),
        };
        Self {
            core,
            actions: ActionQueue::new(),
            rule: None,
        }
    }

    /// The same guard with an IP filter.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.core.let_filter_change();
        self.core.filter = Some(filter);
        self
    }

    /// The same guard with intrusion detection.
    #[must_use]
    pub fn ids(mut self, mut ids: Ids) -> Self {
        ids.lend_key(self.core.ids_key);
        self.core.ids = Some(ids);
        self
    }

    /// The same guard with a record of how connections are protected.
    #[must_use]
    pub fn zert(mut self, zert: Zert) -> Self {
        self.core.zert = Some(zert);
        self
    }

    /// The same guard with a record of protection beyond TCP: QUIC, DTLS, IKE, ESP, AH, WireGuard.
    #[must_use]
    pub fn datagrams(mut self, datagrams: Datagrams) -> Self {
        self.core.datagrams = Some(datagrams);
        self
    }

    /// The IP filter, to see which rules are in force.
    #[must_use]
    pub const fn filter_ref(&self) -> Option<&Filter> {
        self.core.filter.as_ref()
    }

    /// The IP filter, to install other rules between two packets.
    pub fn filter_mut(&mut self) -> Option<&mut Filter> {
        self.core.let_filter_change();
        self.core.filter.as_mut()
    }

    /// What opens and seals protected packets.
    #[must_use]
    pub const fn ipsec_ref(&self) -> &T {
        &self.core.ipsec
    }

    /// What opens and seals protected packets, to install or remove associations between two
    /// packets. The protection observer learns of them before the next packet.
    pub const fn ipsec_mut(&mut self) -> &mut T {
        self.core.ipsec_changed = true;
        &mut self.core.ipsec
    }

    /// What opens and seals protected packets, together with a context to call it in: what it tells
    /// goes to `events`, what it asks of the host waits with the other
    /// [actions](Self::poll_action).
    pub fn with_ipsec_cx<R>(
        &mut self,
        now: Now,
        events: &mut dyn EventSink,
        work: impl FnOnce(&mut T, &mut Cx<'_>) -> R,
    ) -> R {
        let mut cx = Cx::new(now, events, &mut self.actions);
        cx.generation = self.core.generation();
        let done = work(&mut self.core.ipsec, &mut cx);
        self.core.tell_associations(&mut cx);
        done
    }

    /// Intrusion detection, to see what it has seen.
    #[must_use]
    pub const fn ids_ref(&self) -> Option<&Ids> {
        self.core.ids.as_ref()
    }

    /// Lets the host tell intrusion detection what it knows, or put other rules in force.
    /// Nothing happens, and nothing is the answer, if there is no intrusion detection.
    pub fn ids_with<R>(
        &mut self,
        now: Now,
        events: &mut dyn EventSink,
        work: impl FnOnce(&mut Ids, &mut Cx<'_>) -> R,
    ) -> Option<R> {
        let mut cx = Cx::new(now, events, &mut self.actions);
        cx.generation = self.core.generation();
        self.core.ids.as_mut().map(|ids| work(ids, &mut cx))
    }

    /// The protection observer.
    pub const fn zert_mut(&mut self) -> Option<&mut Zert> {
        self.core.zert.as_mut()
    }

    /// The observer of protection beyond TCP.
    pub const fn datagrams_mut(&mut self) -> Option<&mut Datagrams> {
        self.core.datagrams.as_mut()
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.core.counters
    }

    /// The flows that are known.
    #[must_use]
    pub const fn flows(&self) -> &FlowTable<Slots> {
        &self.core.flows
    }

    /// The most bytes that protection adds to a packet: lower the MTU by it.
    #[must_use]
    pub fn max_overhead(&self) -> usize {
        self.core.ipsec.max_overhead()
    }

    /// Judges one packet: `frame` holds it from its IP header on, `meta` says where it stands.
    ///
    /// [`Verdict::Continue`] delivers what the frame then holds: a protected packet that was
    /// opened holds its inner packet, and the last fragment of a datagram holds the whole
    /// datagram ([`Verdict::Consumed`] was the answer for the others).
    pub fn packet(
        &mut self,
        frame: &mut dyn FrameBuf,
        meta: Meta,
        events: &mut dyn EventSink,
    ) -> Verdict {
        self.judge(frame, None, meta, None, events)
    }

    /// Judges several packets: exactly the answers, events and frames that
    /// [`packet`](Self::packet) would give one after the other, with the flow look-ups of up to 64
    /// packets overlapped.
    ///
    /// The three slices belong together position by position; packets beyond the shortest of them
    /// are not judged, and their verdicts stay what they were.
    pub fn batch<F: FrameBuf>(
        &mut self,
        frames: &mut [F],
        metas: &[Meta],
        verdicts: &mut [Verdict],
        events: &mut dyn EventSink,
    ) {
        let chunks = frames
            .chunks_mut(BATCH)
            .zip(metas.chunks(BATCH))
            .zip(verdicts.chunks_mut(BATCH));
        for ((frames, metas), verdicts) in chunks {
            let mut layouts = [Layout::default(); BATCH];
            let mut keys = [None; BATCH];
            let mut found = [None; BATCH];
            let mut protected = false;
            for (((frame, meta), layout), key) in
                frames.iter().zip(metas).zip(&mut layouts).zip(&mut keys)
            {
                layout.parse_in_place(frame.bytes());
                let packet = Packet::with_layout(frame.bytes(), *layout, *meta, 0);
                *key = packet.key();
                protected |=
                    meta.direction() == Direction::Inbound && self.core.ipsec.wants_open(&packet);
            }
            if protected {
                self.look_ahead(frames, metas, &layouts);
            }
            let n = frames.len();
            if let (Some(keys), Some(found)) = (keys.get(..n), found.get_mut(..n)) {
                self.core.flows.lookup_batch(keys, found);
                self.core.flows.touch(found);
            }
            let insertions = self.core.flows.insertions();
            for ((((frame, meta), layout), hint), verdict) in frames
                .iter_mut()
                .zip(metas)
                .zip(&layouts)
                .zip(&found)
                .zip(verdicts)
            {
                // What was looked up ahead counts as long as no packet in between changed it.
                let hint = match hint {
                    Some(f) if self.core.flows.contains(f.id) => Some(Some(*f)),
                    None if self.core.flows.insertions() == insertions => Some(None),
                    Some(_) | None => None,
                };
                *verdict = self.judge(frame, Some(layout), *meta, hint, events);
            }
        }
    }

    /// Lets the transform see which packets of a batch it will have to open.
    #[cold]
    fn look_ahead<F: FrameBuf>(&self, frames: &[F], metas: &[Meta], layouts: &[Layout]) {
        let none = Packet::with_layout(&[], Layout::default(), Meta::default(), 0);
        let mut packets = [none; BATCH];
        let mut n = 0;
        let all = frames.iter().zip(metas).zip(layouts);
        let all = all.map(|((f, m), l)| Packet::with_layout(f.bytes(), *l, *m, 0));
        let wanted = all
            .filter(|p| p.meta.direction() == Direction::Inbound && self.core.ipsec.wants_open(p));
        for (packet, place) in wanted.zip(&mut packets) {
            *place = packet;
            n += 1;
        }
        self.core
            .ipsec
            .look_ahead(packets.get(..n).unwrap_or_default());
    }

    fn judge(
        &mut self,
        frame: &mut dyn FrameBuf,
        layout: Option<&Layout>,
        meta: Meta,
        hint: Option<Option<Found>>,
        events: &mut dyn EventSink,
    ) -> Verdict {
        let counters = &mut self.core.counters;
        counters.packets += 1;
        counters.bytes += frame.bytes().len() as u64;
        let mut cx = Cx::new(meta.now, events, &mut self.actions);
        cx.packet = if meta.number == 0 {
            counters.packets
        } else {
            meta.number
        };
        cx.generation = self.core.generation();
        self.core.note_filter_change();
        if self.core.ipsec_changed {
            self.core.ipsec_changed = false;
            self.core.tell_associations(&mut cx);
        }
        let verdict = self.core.pass(&mut cx, frame, layout, meta, hint);
        self.rule = cx.rule;
        self.core.counters.verdict(verdict);
        verdict
    }

    /// The filter's rule that decided about the last packet: its position in the rule set then in
    /// force. `None` when the packet did not get that far or no rule matched.
    #[must_use]
    pub const fn last_rule(&self) -> Option<RuleId> {
        self.rule
    }

    /// Hands the observers the next bytes of a connection, for hosts whose own TCP puts streams
    /// together ([`GuardConfig::streams`] is `None`). `key` has the sender first. The connection is
    /// the one that the packets made; of one the guard does not know nothing is wanted.
    pub fn stream_bytes(
        &mut self,
        key: &FlowKey,
        data: &[u8],
        now: Now,
        events: &mut dyn EventSink,
    ) -> Interest {
        let mut cx = Cx::new(now, events, &mut self.actions);
        cx.generation = self.core.generation();
        self.core
            .observe(&mut cx, key, |cx, zert, info, slot, from| {
                zert.bytes(cx, info, slot, from, data)
            })
    }

    /// Tells the observers that one side of a connection has sent all it will, for hosts whose own
    /// TCP puts streams together. `key` has that side first.
    pub fn stream_finished(&mut self, key: &FlowKey, now: Now, events: &mut dyn EventSink) {
        let mut cx = Cx::new(now, events, &mut self.actions);
        cx.generation = self.core.generation();
        self.core
            .observe(&mut cx, key, |cx, zert, info, slot, from| {
                zert.finished(cx, info, slot, from);
                Interest::EnoughFromSide
            });
    }

    /// Tells the protection observer what a TLS or SSH library, IPsec or the filter knows of a
    /// connection: see [`hook::protection`](hostward_hook::protection). `key` has its addresses
    /// and ports in either order; of a connection the guard does not know nothing is kept. Sides
    /// in the fact are sides of the connection: the initiator opened it.
    pub fn protection(
        &mut self,
        key: &FlowKey,
        fact: &Fact<'_>,
        now: Now,
        events: &mut dyn EventSink,
    ) {
        let mut cx = Cx::new(now, events, &mut self.actions);
        cx.generation = self.core.generation();
        self.core.protection(&mut cx, key, fact);
    }

    /// Tells the protection observer the parameters of a security association that was installed
    /// or changed; `None` when it is gone. Which connections it carries the guard sees by
    /// [`Meta::sa`] of received packets.
    pub fn association(
        &mut self,
        sa: SaId,
        parameters: Option<&IpsecTunnel<'_>>,
        now: Now,
        events: &mut dyn EventSink,
    ) {
        let mut cx = Cx::new(now, events, &mut self.actions);
        cx.generation = self.core.generation();
        if let Some(zert) = &mut self.core.zert {
            zert.advise_association(&mut cx, sa, parameters);
        }
    }

    /// Takes the oldest action that a control asks of the host.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.poll()
    }

    /// Actions that were lost because the host did not take them in time.
    #[must_use]
    pub const fn actions_lost(&self) -> u64 {
        self.actions.lost()
    }

    /// When [`handle_deadline`](Self::handle_deadline) wants to be called next, if ever.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let c = &self.core;
        let mut next = c.flows.next_deadline();
        next = earlier(next, c.fragments.as_ref().and_then(Timers::next_deadline));
        next = earlier(
            next,
            c.streams.as_ref().and_then(Reassembler::next_deadline),
        );
        next = earlier(next, c.zert.as_ref().and_then(Timers::next_deadline));
        next = earlier(next, c.datagrams.as_ref().and_then(Timers::next_deadline));
        next = earlier(next, c.filter.as_ref().and_then(Timers::next_deadline));
        next = earlier(next, c.ids.as_ref().and_then(Timers::next_deadline));
        earlier(next, c.ipsec.next_deadline())
    }

    /// Does what is due: ends idle flows, gives up incomplete datagrams and streams with holes,
    /// lets the controls act. Each call does a bounded amount of work.
    pub fn handle_deadline(&mut self, now: Now, events: &mut dyn EventSink) {
        let mut cx = Cx::new(now, events, &mut self.actions);
        cx.generation = self.core.generation();
        self.core.handle_deadline(&mut cx);
    }

    /// Ends all flows: the input is over or the host shuts down. What observers have to say of
    /// open connections is said now.
    pub fn finish(&mut self, now: Now, events: &mut dyn EventSink) {
        let mut cx = Cx::new(now, events, &mut self.actions);
        cx.generation = self.core.generation();
        let open: alloc::vec::Vec<FlowId> = self.core.flows.ids().collect();
        for id in open {
            // Both sides have said all they will: only the last acknowledgment is missing.
            let cause = match self.core.flows.state(id) {
                Some(FlowState::Closing) => CloseCause::Fin,
                _ => CloseCause::EndOfInput,
            };
            self.core.close(&mut cx, id, cause);
        }
        if let Some(datagrams) = &mut self.core.datagrams {
            datagrams.finish(&mut cx);
        }
    }
}

/// For controls that tell what they know while they run.
impl<T: PacketTransform> ProtectionSink for Guard<T> {
    fn protection(&mut self, cx: &mut Cx<'_>, flow: &FlowKey, fact: &Fact<'_>) {
        self.core.protection(cx, flow, fact);
    }

    fn association(&mut self, cx: &mut Cx<'_>, sa: SaId, parameters: Option<&IpsecTunnel<'_>>) {
        if let Some(zert) = &mut self.core.zert {
            zert.advise_association(cx, sa, parameters);
        }
    }
}
