//! The one pass of a packet through all controls.

use hostward_filter::Filter;
use hostward_hook::action::{Action, ActionQueue, Cx};
use hostward_hook::event::{Class, EventSink};
use hostward_hook::flow::{Belongs, FlowTable, Found, HashKey, Room, TcpSegment};
use hostward_hook::fragment::{FragmentReassembler, Outcome};
use hostward_hook::hooks::{CloseCause, Interest, earlier};
use hostward_hook::layout::{Fragment, Layout, proto};
use hostward_hook::reason::{FLOW_EVICTED, FRAGMENT_NO_ROOM, NESTING_TOO_DEEP, NOT_IP, Reason};
use hostward_hook::stream::{Observe, Reassembler, Segment, StreamState};
use hostward_hook::time::{Instant, Now};
use hostward_hook::{
    Direction, FlowId, FlowInfo, FlowKey, FrameBuf, Meta, Packet, PacketFilter, PacketHook,
    PacketTransform, Side, StreamObserver, Timers, Verdict,
};
use hostward_ids::Ids;
use hostward_zert::Zert;

use crate::config::{GuardConfig, Mode};
use crate::counters::Counters;

/// Actions that wait for the host at most.
const ACTIONS: usize = 64;

/// Packets of one batched flow look-up.
const BATCH: usize = 64;

/// What the controls keep for one flow.
#[derive(Debug, Default)]
pub struct Slots {
    ids: <Ids as PacketHook>::Slot,
    filter: <Filter as PacketFilter>::Slot,
    zert: <Zert as StreamObserver>::Slot,
    stream: StreamState,
    /// The observers were told the end; the entry only waits for stragglers.
    closed: bool,
}

/// All controls of one worker, and the pass of a packet through them.
///
/// A guard is owned by whoever runs the core: it has no locks, reads no clock and does no I/O. Of
/// the controls only those that were given take part. `T` is what opens and seals protected
/// packets, nothing by default.
#[derive(Debug)]
pub struct Guard<T = ()> {
    core: Core<T>,
    actions: ActionQueue<ACTIONS>,
}

/// The guard but for what it lends the controls in [`Cx`].
#[derive(Debug)]
struct Core<T> {
    mode: Mode,
    nesting: u8,
    filter: Option<Filter>,
    ids: Option<Ids>,
    zert: Option<Zert>,
    ipsec: T,
    flows: FlowTable<Slots>,
    fragments: Option<FragmentReassembler>,
    streams: Option<Reassembler>,
    counters: Counters,
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
            ipsec,
            flows: FlowTable::new(config.flows, key),
            fragments: config.fragments.map(FragmentReassembler::new),
            streams: config.streams.map(Reassembler::new),
            counters: Counters::default(),
        };
        Self {
            core,
            actions: ActionQueue::new(),
        }
    }

    /// The same guard with an IP filter.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.core.filter = Some(filter);
        self
    }

    /// The same guard with intrusion detection.
    #[must_use]
    pub fn ids(mut self, ids: Ids) -> Self {
        self.core.ids = Some(ids);
        self
    }

    /// The same guard with a record of how connections are protected.
    #[must_use]
    pub fn zert(mut self, zert: Zert) -> Self {
        self.core.zert = Some(zert);
        self
    }

    /// The IP filter, to install other rules between two packets.
    pub const fn filter_mut(&mut self) -> Option<&mut Filter> {
        self.core.filter.as_mut()
    }

    /// The protection observer.
    pub const fn zert_mut(&mut self) -> Option<&mut Zert> {
        self.core.zert.as_mut()
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
            for (((frame, meta), layout), key) in
                frames.iter().zip(metas).zip(&mut layouts).zip(&mut keys)
            {
                layout.parse_in_place(frame.bytes());
                *key = Packet::with_layout(frame.bytes(), *layout, *meta, 0).key();
            }
            let n = frames.len();
            if let (Some(keys), Some(found)) = (keys.get(..n), found.get_mut(..n)) {
                self.core.flows.lookup_batch(keys, found);
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
        let verdict = self.core.pass(&mut cx, frame, layout, meta, hint);
        self.core.counters.verdict(verdict);
        verdict
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
        self.core.observe(key, |zert, info, slots, from| {
            zert.bytes(&mut cx, info, &mut slots.zert, from, data)
        })
    }

    /// Tells the observers that one side of a connection has sent all it will, for hosts whose own
    /// TCP puts streams together. `key` has that side first.
    pub fn stream_finished(&mut self, key: &FlowKey, now: Now, events: &mut dyn EventSink) {
        let mut cx = Cx::new(now, events, &mut self.actions);
        cx.generation = self.core.generation();
        self.core.observe(key, |zert, info, slots, from| {
            zert.finished(&mut cx, info, &mut slots.zert, from);
            Interest::EnoughFromSide
        });
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
        earlier(next, c.ids.as_ref().and_then(Timers::next_deadline))
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
            self.core.close(&mut cx, id, CloseCause::EndOfInput);
        }
    }
}

impl<T: PacketTransform> Core<T> {
    /// Steps 1 to 9 of the pass.
    fn pass(
        &mut self,
        cx: &mut Cx<'_>,
        frame: &mut dyn FrameBuf,
        layout: Option<&Layout>,
        mut meta: Meta,
        mut hint: Option<Option<Found>>,
    ) -> Verdict {
        // The first refusal is the answer; when only observing the pass goes on regardless.
        let mut answer = Verdict::Continue;
        let mut nested = 0;
        let mut opens = true;
        let mut known = layout;
        loop {
            // A layout that was just written is not copied: see `Layout::parse_in_place`.
            let mut packet = match known {
                Some(layout) => Packet::with_layout(frame.bytes(), *layout, meta, cx.packet),
                None => Packet::parse(frame.bytes(), meta),
            };
            packet.number = cx.packet;
            let layout = packet.layout();
            if let Some(ids) = &mut self.ids {
                let verdict = ids.before(cx, &packet);
                if self.ends(&mut answer, verdict) {
                    return answer;
                }
            }
            if layout.ip_version().is_none() {
                let _ = self.ends(&mut answer, Verdict::Drop(NOT_IP));
                return answer;
            }
            if layout.fragment() != Fragment::Whole
                && let Some(fragments) = &mut self.fragments
            {
                match fragments.push(&packet, cx) {
                    Outcome::Whole => {}
                    Outcome::Pending => {
                        return if answer.is_continue() {
                            Verdict::Consumed
                        } else {
                            answer
                        };
                    }
                    Outcome::Dropped(reason) => {
                        let _ = self.ends(&mut answer, Verdict::Drop(reason));
                        return answer;
                    }
                    Outcome::Complete(whole) => {
                        if frame.replace(whole.bytes).is_err() {
                            let _ = self.ends(&mut answer, Verdict::Drop(FRAGMENT_NO_ROOM));
                            return answer;
                        }
                        known = None;
                        hint = None;
                        continue;
                    }
                }
            }
            if opens && meta.direction() == Direction::Inbound && self.ipsec.wants_open(&packet) {
                if nested == self.nesting {
                    let _ = self.ends(&mut answer, Verdict::Drop(NESTING_TOO_DEEP));
                    return answer;
                }
                nested += 1;
                match self.ipsec.open(cx, frame) {
                    Ok(sa) => meta.sa = Some(sa),
                    // Not protected after all: it is judged as it stands, by all controls.
                    Err(Verdict::Continue) => opens = false,
                    Err(verdict) => {
                        let _ = self.ends(&mut answer, verdict);
                        return answer;
                    }
                }
                known = None;
                hint = None;
                continue;
            }
            return self.deliver(cx, &packet, hint, answer);
        }
    }

    /// Notes a verdict; whether the pass ends with it.
    fn ends(&self, answer: &mut Verdict, verdict: Verdict) -> bool {
        if answer.is_continue() {
            *answer = verdict;
        }
        !verdict.is_continue() && self.mode == Mode::Enforce
    }

    /// From the flow look-up on.
    fn deliver(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        hint: Option<Option<Found>>,
        mut answer: Verdict,
    ) -> Verdict {
        let segment = Segment::of(packet);
        let tcp = segment.as_ref().map(TcpSegment::of_stream);
        // A TCP segment without a whole header belongs nowhere, unless only the capture cut it.
        let readable = tcp.is_some() || packet.layout().protocol() != proto::TCP || packet.meta.cut;
        let key = if readable && has_flow(packet) {
            packet.key()
        } else {
            None
        };
        let mut found = key.and_then(|key| hint.unwrap_or_else(|| self.flows.lookup(&key)));
        let mut opener = None;
        let mut ended = None;
        if let Some(f) = found {
            match self.flows.belongs(f, tcp.as_ref(), cx.now.mono) {
                Belongs::Expired => ended = Some((f.id, CloseCause::Idle)),
                Belongs::Reused(side) => {
                    opener = Some(side == f.from);
                    ended = Some((f.id, CloseCause::Reused));
                }
                Belongs::Yes => {}
            }
            if ended.is_some() {
                found = None;
            }
        }

        let mut slots = found.and_then(|f| self.flows.slot_mut(f.id));
        let mut verdict = Verdict::Continue;
        if let Some(filter) = &mut self.filter {
            let slot = slots.as_mut().map(|(_, s)| &mut s.filter);
            verdict = filter.decide(cx, packet, slot);
        }
        if let Some(ids) = &mut self.ids {
            let slot = slots.map(|(_, s)| &mut s.ids);
            let after = ids.after(cx, packet, slot, verdict);
            if verdict.is_continue() {
                verdict = after;
            }
        }
        // A packet that is held comes back, one that is handed off is another worker's: neither
        // has passed yet. What is to be protected goes out.
        let passes = matches!(verdict, Verdict::Continue | Verdict::Protect { .. });
        if self.ends(&mut answer, verdict) && !passes {
            return answer;
        }

        // Only now, that the packet passes, may it end or begin a flow.
        if let Some((id, cause)) = ended {
            self.close(cx, id, cause);
        }
        if let Some(key) = key {
            let found = match found {
                Some(f) => Some(f),
                None => self.open(cx, packet, key, tcp.as_ref(), opener),
            };
            if let Some(f) = found {
                self.follow(cx, packet, f, segment.as_ref(), tcp.as_ref());
            }
        }
        answer
    }

    /// Makes a flow entry for the first packet of a flow.
    fn open(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        key: FlowKey,
        tcp: Option<&TcpSegment>,
        opener: Option<bool>,
    ) -> Option<Found> {
        // Who opens: the sender of a SYN. Met in the middle, a SYN-ACK answers, and otherwise the
        // side with the well-known port is taken for the one that accepted.
        let by_sender = opener.unwrap_or_else(|| match tcp {
            Some(s) if s.is_syn() => true,
            Some(s) if s.is_syn_ack() => false,
            Some(_) => !(key.source_port() < 1024 && key.destination_port() >= 1024),
            None => true,
        });
        let (key, from) = if by_sender {
            (key, Side::Initiator)
        } else {
            (key.reversed(), Side::Responder)
        };
        let local_opens = (packet.meta.direction() == Direction::Outbound) == by_sender;
        let opening = if local_opens {
            Direction::Outbound
        } else {
            Direction::Inbound
        };
        match self.flows.room(&key, &packet.meta, opening) {
            Room::Free => {}
            Room::Evict(id) => {
                self.tell_capacity(cx, FLOW_EVICTED, id);
                self.close(cx, id, CloseCause::Evicted);
            }
            Room::Refused(reason) => {
                self.counters.untracked += 1;
                if cx.events.wants(Class::Capacity) {
                    let mut event = cx.event(reason, Class::Capacity, &());
                    event.key = Some(key);
                    cx.events.emit(&event);
                }
                return None;
            }
        }
        let id = self
            .flows
            .insert(&key, &packet.meta, opening, packet.number)
            .ok()?;
        if tcp.is_some_and(|s| !s.is_syn()) {
            self.flows.set_midstream(id);
        }
        if packet.layout().protocol() == proto::TCP
            && let Some(zert) = &mut self.zert
            && let Some((info, slots)) = self.flows.slot_mut(id)
        {
            zert.opened(cx, info, &mut slots.zert);
        }
        Some(Found::new(id, from))
    }

    /// Counts a packet into its flow and feeds the stream observers.
    fn follow(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        f: Found,
        segment: Option<&Segment<'_>>,
        tcp: Option<&TcpSegment>,
    ) {
        let bytes = packet.layout().end() as u64;
        let sa = packet.meta.sa;
        let before = self.flows.info(f.id).and_then(|i| i.sa);
        self.flows.update(f, tcp, bytes, cx.now, sa);
        let Some(state) = self.flows.state(f.id) else {
            return;
        };
        let Some((info, slots)) = self.flows.slot_mut(f.id) else {
            return;
        };
        if slots.closed {
            return;
        }
        let Some(zert) = &mut self.zert else { return };
        if before != sa {
            zert.sa_bound(cx, info, &mut slots.zert, sa);
        }
        let (Some(streams), Some(segment)) = (&mut self.streams, segment) else {
            return;
        };
        let mut sink = Observe {
            observer: zert,
            slot: &mut slots.zert,
        };
        streams.segment(&mut slots.stream, cx, info, f.from, segment, &mut sink);
        if state.is_over() {
            // The entry stays a while for stragglers, the observers need not wait.
            let reset = state == hostward_hook::flow::FlowState::Reset;
            let cause = if reset {
                CloseCause::Reset(f.from)
            } else {
                CloseCause::Fin
            };
            slots.closed = true;
            streams.finish(&mut slots.stream, cx, info, &mut sink);
            zert.closed(cx, info, &mut slots.zert, cause);
        }
    }

    /// Ends a flow: its observers are told, its entry is free again.
    fn close(&mut self, cx: &mut Cx<'_>, id: FlowId, cause: CloseCause) {
        let Some((info, mut slots)) = self.flows.remove(id) else {
            return;
        };
        if slots.closed {
            return;
        }
        if let Some(zert) = &mut self.zert
            && info.key.protocol() == proto::TCP
        {
            if let Some(streams) = &mut self.streams {
                let mut sink = Observe {
                    observer: zert,
                    slot: &mut slots.zert,
                };
                streams.finish(&mut slots.stream, cx, &info, &mut sink);
            }
            zert.closed(cx, &info, &mut slots.zert, cause);
        }
    }

    fn tell_capacity(&self, cx: &mut Cx<'_>, code: Reason, id: FlowId) {
        if cx.events.wants(Class::Capacity) {
            let mut event = cx.event(code, Class::Capacity, &());
            event.flow = Some(id);
            event.key = self.flows.info(id).map(|i: &FlowInfo| i.key);
            cx.events.emit(&event);
        }
    }

    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        if let Some(fragments) = &mut self.fragments {
            fragments.handle_deadline(cx);
        }
        self.expire_streams(cx);
        if let Some(zert) = &mut self.zert {
            zert.handle_deadline(cx);
        }
        if let Some(ids) = &mut self.ids {
            ids.handle_deadline(cx);
        }
        if let Some(mut sweep) = self.flows.sweep(cx.now.mono) {
            while let Some(id) = self.flows.expired(&mut sweep) {
                self.close(cx, id, CloseCause::Idle);
            }
        }
    }

    /// Runs something for the observers of the connection that `key` names.
    fn observe(
        &mut self,
        key: &FlowKey,
        work: impl FnOnce(&mut Zert, &FlowInfo, &mut Slots, Side) -> Interest,
    ) -> Interest {
        let (Some(zert), Some(found)) = (&mut self.zert, self.flows.lookup(key)) else {
            return Interest::Enough;
        };
        match self.flows.slot_mut(found.id) {
            Some((info, slots)) if !slots.closed => work(zert, info, slots, found.from),
            Some(_) | None => Interest::Enough,
        }
    }

    fn expire_streams(&mut self, cx: &mut Cx<'_>) {
        let (Some(streams), Some(zert)) = (&mut self.streams, &mut self.zert) else {
            return;
        };
        while let Some(id) = streams.poll_expired(cx.now.mono) {
            if let Some((info, slots)) = self.flows.slot_mut(id) {
                let mut sink = Observe {
                    observer: zert,
                    slot: &mut slots.zert,
                };
                streams.expire(&mut slots.stream, cx, info, &mut sink);
            }
        }
    }

    fn generation(&self) -> u64 {
        self.filter.as_ref().map_or(0, |f| f.rules().generation())
    }
}

/// ESP and IKE are the business of IPsec, not connections of the host. Fragments that were not put
/// together and transport headers that cannot be read have no ports: taking those for zero would
/// make one flow of what has nothing in common.
fn has_flow(packet: &Packet<'_>) -> bool {
    let l = packet.layout();
    if l.fragment() != Fragment::Whole {
        return false;
    }
    match l.protocol() {
        proto::ESP => false,
        proto::UDP => l
            .ports()
            .is_some_and(|(s, d)| !matches!(s, 500 | 4500) && !matches!(d, 500 | 4500)),
        proto::TCP | proto::SCTP | proto::DCCP | proto::UDP_LITE => l.ports().is_some(),
        _ => true,
    }
}
