//! The one pass of a packet, step by step, and what ends a flow.

use hostward_filter::Filter;
use hostward_hook::action::Cx;
use hostward_hook::event::Class;
use hostward_hook::flow::{Belongs, FlowState, FlowTable, Found, HashKey, Room, TcpSegment};
use hostward_hook::fragment::{FragmentReassembler, Outcome, Overlap};
use hostward_hook::hooks::{CloseCause, Interest};
use hostward_hook::ident::SaId;
use hostward_hook::layout::{Fragment, Layout, proto};
use hostward_hook::meta::Routing;
use hostward_hook::protection::{Fact, IpsecTunnel, ProtectionSink};
use hostward_hook::reason::{FLOW_EVICTED, FRAGMENT_NO_ROOM, NESTING_TOO_DEEP, NOT_IP, Reason};
use hostward_hook::stream::{Observe, Reassembler, Segment, StreamState};
use hostward_hook::{
    DatagramObserver, Direction, FlowId, FlowInfo, FlowKey, FrameBuf, Meta, Packet, PacketFilter,
    PacketHook, PacketTransform, Side, StreamObserver, Timers, Verdict,
};
use hostward_ids::Ids;
use hostward_zert::{DatagramSlot, Datagrams, Zert, udp_payload};

use crate::config::Mode;
use crate::counters::Counters;

type ZertSlot = <Zert as StreamObserver>::Slot;

/// What the controls keep for one flow.
#[derive(Debug, Default)]
pub struct Slots {
    ids: <Ids as PacketHook>::Slot,
    filter: <Filter as PacketFilter>::Slot,
    zert: ZertSlot,
    stream: StreamState,
    /// The observers were told of the connection.
    observed: bool,
    /// The observers were told the end; the entry only waits for stragglers.
    closed: bool,
    datagrams: DatagramSlot,
    /// Nothing more is wanted of its datagrams.
    enough: bool,
}

impl Slots {
    /// Tells the observers of the connection, once.
    fn observe(&mut self, cx: &mut Cx<'_>, zert: &mut Zert, info: &FlowInfo) {
        if !self.observed {
            self.observed = true;
            zert.opened(cx, info, &mut self.zert);
        }
    }

    /// Tells the observers the end, once, after what still waits behind holes.
    fn end(
        &mut self,
        cx: &mut Cx<'_>,
        zert: &mut Zert,
        streams: Option<&mut Reassembler>,
        info: &FlowInfo,
        cause: CloseCause,
    ) {
        if self.closed || info.key.protocol() != proto::TCP && !self.observed {
            return;
        }
        self.closed = true;
        if let Some(streams) = streams {
            let mut sink = Observe {
                observer: &mut *zert,
                slot: &mut self.zert,
            };
            streams.finish(&mut self.stream, cx, info, &mut sink);
        }
        if self.observed {
            zert.closed(cx, info, &mut self.zert, cause);
        }
    }
}

/// The guard but for what it lends the controls in [`Cx`].
#[derive(Debug)]
pub(super) struct Core<T> {
    pub(super) mode: Mode,
    pub(super) nesting: u8,
    pub(super) filter: Option<Filter>,
    /// The filter may have been exchanged since the last packet: the epoch up to which flows may
    /// remember answers of the one before.
    pub(super) filter_epoch: Option<u64>,
    pub(super) ids: Option<Ids>,
    /// For the tables of intrusion detection.
    pub(super) ids_key: HashKey,
    pub(super) zert: Option<Zert>,
    pub(super) datagrams: Option<Datagrams>,
    pub(super) ipsec: T,
    /// The host had the transform in hand since the last packet.
    pub(super) ipsec_changed: bool,
    pub(super) flows: FlowTable<Slots>,
    pub(super) fragments: Option<FragmentReassembler>,
    pub(super) streams: Option<Reassembler>,
    pub(super) counters: Counters,
}

impl<T: PacketTransform> Core<T> {
    /// Steps 1 to 9 of the pass.
    pub(super) fn pass(
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
            // Fragments for this host are judged as the datagram they become; those that are passed
            // on each for itself, as what it shows.
            let fragment = layout.fragment() != Fragment::Whole && meta.routing == Routing::Local;
            if fragment
                && self.fragments.is_some()
                && let Some(filter) = &mut self.filter
            {
                let verdict = filter.decide_fragment(cx, &packet);
                if self.ends(&mut answer, verdict) {
                    return answer;
                }
            }
            if fragment && let Some(fragments) = &mut self.fragments {
                match fragments.push(&packet, cx) {
                    Outcome::Whole => {}
                    Outcome::Pending => {
                        let verdict = overlap(&mut self.ids, cx, &packet, fragments.told());
                        if self.ends(&mut answer, verdict) {
                            return answer;
                        }
                        return if answer.is_continue() {
                            Verdict::Consumed
                        } else {
                            answer
                        };
                    }
                    Outcome::Dropped(reason) => {
                        let _ = overlap(&mut self.ids, cx, &packet, fragments.told());
                        let _ = self.ends(&mut answer, Verdict::Drop(reason));
                        return answer;
                    }
                    Outcome::Complete(whole) => {
                        if frame.replace(whole.bytes).is_err() {
                            let _ = self.ends(&mut answer, Verdict::Drop(FRAGMENT_NO_ROOM));
                            return answer;
                        }
                        if let told @ Some(_) = fragments.told() {
                            let packet = Packet::parse(frame.bytes(), meta);
                            let verdict = overlap(&mut self.ids, cx, &packet, told);
                            if self.ends(&mut answer, verdict) {
                                return answer;
                            }
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
                if let Some(filter) = &mut self.filter {
                    let verdict = filter.before_opening(cx, &packet);
                    if self.ends(&mut answer, verdict) && !passes(verdict) {
                        return answer;
                    }
                }
                nested += 1;
                let layout = *packet.layout();
                match self.ipsec.open(cx, &layout, frame) {
                    Ok(opened) => {
                        meta.sa = Some(opened.sa);
                        meta.routing = opened.routing.unwrap_or(meta.routing);
                        // Nobody else could look at what was enclosed.
                        meta.checksums = opened.checksums;
                    }
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
            let (verdict, carrier) = self.deliver(cx, &packet, hint, answer);
            return match carrier {
                Some(sa) => self.ipsec.seal(cx, sa, frame),
                None => verdict,
            };
        }
    }

    /// Somebody may put another filter in the place of this one.
    pub(super) fn let_filter_change(&mut self) {
        let before = self.filter.as_ref().map_or(0, Filter::epoch);
        self.filter_epoch = Some(before.max(self.filter_epoch.unwrap_or(0)));
    }

    /// Whatever filter is there now, flows do not take its answers for those of another.
    #[inline]
    pub(super) fn note_filter_change(&mut self) {
        if let Some(before) = self.filter_epoch.take()
            && let Some(filter) = &mut self.filter
        {
            filter.begin_after(before);
        }
    }

    /// Notes a verdict; whether the pass ends with it.
    fn ends(&self, answer: &mut Verdict, verdict: Verdict) -> bool {
        if answer.is_continue() {
            *answer = verdict;
        }
        !verdict.is_continue() && self.mode == Mode::Enforce
    }

    /// From the flow look-up on. With the association that is to seal the packet, if one is.
    fn deliver(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        hint: Option<Option<Found>>,
        mut answer: Verdict,
    ) -> (Verdict, Option<SaId>) {
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

        let mut verdict = Verdict::Continue;
        if let Some(filter) = &mut self.filter {
            let before = cx.rule;
            verdict = decide(filter, &mut self.flows, cx, packet, found);
            // When only observing, the first refusal was the answer, and its rule stays named.
            if !answer.is_continue() {
                cx.rule = before;
            }
        }
        if let Some(ids) = &mut self.ids {
            let slots = found.and_then(|f| self.flows.slot_mut(f.id));
            let slot = slots.map(|(_, s)| &mut s.ids);
            let after = ids.after(cx, packet, slot, verdict);
            // What the filter sends into a tunnel can still be refused.
            if passes(verdict) && !after.is_continue() {
                verdict = after;
            }
        }
        // When only observing, nothing is sealed.
        let mut carrier = None;
        if let Verdict::Protect { tunnel, rule } = verdict
            && self.mode == Mode::Enforce
        {
            match self.ipsec.select(cx, packet, tunnel, rule) {
                Ok(sa) => carrier = Some(sa),
                Err(other) => verdict = other,
            }
        }
        // A packet that is held comes back, one that is handed off is another worker's: neither
        // has passed yet. What is to be protected goes out.
        if self.ends(&mut answer, verdict) && !passes(verdict) {
            return (answer, None);
        }

        // Only now, that the packet passes, may it end or begin a flow.
        if let Some((id, cause)) = ended {
            self.close(cx, id, cause);
        }
        if let Some(datagrams) = &mut self.datagrams
            && (key.is_none() || packet.layout().ah_offset().is_some())
        {
            datagrams.packet(cx, packet);
        }
        if let Some(key) = key {
            let found = match found {
                Some(f) => Some(f),
                None => self.open(cx, packet, key, tcp.as_ref(), opener),
            };
            if let Some(f) = found {
                self.follow(cx, packet, f, segment.as_ref(), tcp.as_ref(), carrier);
            }
        }
        (answer, carrier)
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
        carrier: Option<SaId>,
    ) {
        let bytes = packet.layout().end() as u64;
        let before = self.flows.info(f.id).and_then(|i| i.sa);
        // What arrives says what carries the connection; what is sent only as long as nothing has
        // come back, so that two associations of a tunnel do not take turns.
        let sa = match packet.meta.direction() {
            Direction::Outbound => packet.meta.sa.or(before).or(carrier),
            Direction::Inbound => packet.meta.sa,
        };
        self.flows.update(f, tcp, bytes, cx.now, sa);
        if packet.layout().protocol() == proto::UDP {
            self.extender(cx, f, before, sa);
            self.datagram(cx, packet, f);
            return;
        }
        let (Some(segment), Some(state)) = (segment, self.flows.state(f.id)) else {
            return;
        };
        if state.is_over()
            && let (Some(ids), Some((info, slots))) = (&mut self.ids, self.flows.slot_mut(f.id))
        {
            ids.closed(cx, info, &mut slots.ids);
        }
        let (Some(zert), Some((info, slots))) = (&mut self.zert, self.flows.slot_mut(f.id)) else {
            return;
        };
        if slots.closed {
            return;
        }
        // A SYN that nobody answers, or that is refused, is no connection yet.
        let half_open = state.is_half_open() || state == FlowState::Reset;
        if !half_open || !segment.payload.is_empty() {
            slots.observe(cx, zert, info);
        }
        if slots.observed && before != sa {
            zert.sa_bound(cx, info, &mut slots.zert, sa);
        }
        if let Some(streams) = &mut self.streams {
            let mut sink = Observe {
                observer: &mut *zert,
                slot: &mut slots.zert,
            };
            streams.segment(&mut slots.stream, cx, info, f.from, segment, &mut sink);
        }
        if state.is_over() {
            // The entry stays a while for stragglers, the observers need not wait.
            let cause = if state == FlowState::Reset {
                CloseCause::Reset(f.from)
            } else {
                CloseCause::Fin
            };
            slots.end(cx, zert, self.streams.as_mut(), info, cause);
        }
    }

    /// Enterprise Extender, the one protocol over UDP whose connections z/OS records: it begins with the
    /// first packet and ends when nothing comes any more. Only a tunnel can protect it.
    fn extender(&mut self, cx: &mut Cx<'_>, f: Found, before: Option<SaId>, now: Option<SaId>) {
        let (Some(zert), Some((info, slots))) = (&mut self.zert, self.flows.slot_mut(f.id)) else {
            return;
        };
        if !is_extender(&info.key) {
            return;
        }
        if !slots.observed {
            slots.observed = true;
            zert.enterprise_extender(cx, info, &mut slots.zert);
        }
        if before != now {
            zert.sa_bound(cx, info, &mut slots.zert, now);
        }
    }

    /// Feeds the observer of datagrams.
    fn datagram(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>, f: Found) {
        let (Some(datagrams), Some((info, slots))) =
            (&mut self.datagrams, self.flows.slot_mut(f.id))
        else {
            return;
        };
        if !slots.enough {
            let slot = &mut slots.datagrams;
            let interest = datagrams.datagram(cx, info, slot, f.from, udp_payload(packet));
            slots.enough = interest == Interest::Enough;
        }
    }

    /// Ends a flow: its observers are told, its entry is free again.
    pub(super) fn close(&mut self, cx: &mut Cx<'_>, id: FlowId, cause: CloseCause) {
        let Some((info, mut slots)) = self.flows.remove(id) else {
            return;
        };
        if let Some(ids) = &mut self.ids {
            ids.closed(cx, &info, &mut slots.ids);
        }
        if info.key.protocol() == proto::UDP {
            if let Some(datagrams) = &mut self.datagrams {
                datagrams.closed(cx, &info, &mut slots.datagrams, cause);
            }
            if let Some(zert) = &mut self.zert {
                slots.end(cx, zert, None, &info, cause);
            }
        } else if let Some(zert) = &mut self.zert {
            slots.end(cx, zert, self.streams.as_mut(), &info, cause);
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

    pub(super) fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        if let Some(fragments) = &mut self.fragments {
            fragments.handle_deadline(cx);
        }
        self.expire_streams(cx);
        if let Some(zert) = &mut self.zert {
            zert.settle(cx, &mut |id| self.flows.info(id).copied());
        }
        if let Some(datagrams) = &mut self.datagrams {
            datagrams.handle_deadline(cx);
        }
        if let Some(filter) = &mut self.filter {
            filter.handle_deadline(cx);
        }
        if let Some(ids) = &mut self.ids {
            ids.handle_deadline(cx);
        }
        self.ipsec.handle_deadline(cx);
        self.tell_associations(cx);
        if let Some(mut sweep) = self.flows.sweep(cx.now.mono) {
            while let Some(id) = self.flows.expired(&mut sweep) {
                self.close(cx, id, CloseCause::Idle);
            }
        }
    }

    /// Tells the observer what became of associations.
    pub(super) fn tell_associations(&mut self, cx: &mut Cx<'_>) {
        self.ipsec
            .associations(cx, &mut Associations(self.zert.as_mut()));
    }

    /// Tells the observer a fact about the connection that `key` names, in either order.
    pub(super) fn protection(&mut self, cx: &mut Cx<'_>, key: &FlowKey, fact: &Fact<'_>) {
        let (Some(zert), Some(found)) = (&mut self.zert, self.flows.lookup(key)) else {
            return;
        };
        let Some((info, slots)) = self.flows.slot_mut(found.id) else {
            return;
        };
        if slots.closed || info.key.protocol() != proto::TCP {
            return;
        }
        slots.observe(cx, zert, info);
        if matches!(fact, Fact::HandshakeHint(_))
            && let Some(streams) = &mut self.streams
        {
            // What was of no interest may be now.
            streams.heed_side(&mut slots.stream, Side::Initiator);
            streams.heed_side(&mut slots.stream, Side::Responder);
        }
        zert.advise(cx, info, &mut slots.zert, fact);
    }

    /// Runs something for the observers of the connection that `key` names.
    pub(super) fn observe(
        &mut self,
        cx: &mut Cx<'_>,
        key: &FlowKey,
        work: impl FnOnce(&mut Cx<'_>, &mut Zert, &FlowInfo, &mut ZertSlot, Side) -> Interest,
    ) -> Interest {
        let (Some(zert), Some(found)) = (&mut self.zert, self.flows.lookup(key)) else {
            return Interest::Enough;
        };
        match self.flows.slot_mut(found.id) {
            Some((info, slots)) if !slots.closed => {
                slots.observe(cx, zert, info);
                work(cx, zert, info, &mut slots.zert, found.from)
            }
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

    pub(super) fn generation(&self) -> u64 {
        self.filter.as_ref().map_or(0, |f| f.rules().generation())
    }
}

/// Associations are told of whatever connections they carry.
struct Associations<'z>(Option<&'z mut Zert>);

impl ProtectionSink for Associations<'_> {
    fn protection(&mut self, _: &mut Cx<'_>, _: &FlowKey, _: &Fact<'_>) {}

    fn association(&mut self, cx: &mut Cx<'_>, sa: SaId, parameters: Option<&IpsecTunnel<'_>>) {
        if let Some(zert) = &mut self.0 {
            zert.advise_association(cx, sa, parameters);
        }
    }
}

/// Lets detection know how a fragment contradicts others.
fn overlap(
    ids: &mut Option<Ids>,
    cx: &mut Cx<'_>,
    packet: &Packet<'_>,
    told: Option<(Reason, Option<Overlap>)>,
) -> Verdict {
    match (ids, told) {
        (Some(ids), Some((reason, overlap))) => ids.fragment(cx, packet, reason, overlap),
        (Some(_) | None, _) => Verdict::Continue,
    }
}

/// The filter's answer: by what is noted beside the flow's key if that tells, else with its slot.
fn decide(
    filter: &mut Filter,
    flows: &mut FlowTable<Slots>,
    cx: &mut Cx<'_>,
    packet: &Packet<'_>,
    found: Option<Found>,
) -> Verdict {
    let noted = found.and_then(|f| filter.decide_noted(cx, packet, flows.note(f)));
    if let Some(verdict) = noted {
        return verdict;
    }
    let Some((f, (_, slots))) = found.and_then(|f| Some((f, flows.slot_mut(f.id)?))) else {
        return filter.decide(cx, packet, None);
    };
    let verdict = filter.decide(cx, packet, Some((f.from, &mut slots.filter)));
    if let Some(note) = filter.note(&slots.filter, f.from) {
        flows.set_note(f, note);
    }
    verdict
}

/// Whether a packet goes on: as it is, or into a tunnel.
const fn passes(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Continue | Verdict::Protect { .. })
}

/// Both ends have a port of Enterprise Extender: one for each priority of its traffic.
fn is_extender(key: &FlowKey) -> bool {
    const PORTS: core::ops::RangeInclusive<u16> = 12_000..=12_004;
    PORTS.contains(&key.source_port()) && PORTS.contains(&key.destination_port())
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
