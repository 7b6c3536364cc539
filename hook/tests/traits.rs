//! Each trait at which controls meet, proved by a small implementer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use core::time::Duration;

use hostward_hook::action::ActionSink;
use hostward_hook::event::{Detail, EventQueue, EventSink, FieldVisitor, OwnedValue, Value};
use hostward_hook::frame::{NoRoom, SliceFrame, VecFrame};
use hostward_hook::hold::HoldQueue;
use hostward_hook::hooks::{CloseCause, Interest, Progress, SocketOp, TransformError, earlier};
use hostward_hook::ident::{InterfaceId, JobId, Names, RuleId, SaId, Ticket, TunnelId, UserId};
use hostward_hook::protection::{
    Certificate, Encapsulation, Fact, Failure, FilterAction, FilterRule, FilterRules,
    IkeAssociation, IpsecTunnel, ProtectionSink, Protocol, SshSession, TlsSession, TunnelKind,
};
use hostward_hook::reason::{self, Code, Control, Reason};
use hostward_hook::stream::{Observe, Reassembler, Segment, StreamState};
use hostward_hook::{
    Action, ActionQueue, Class, Cx, DatagramObserver, Event, FlowId, FlowInfo, FlowKey, FrameBuf,
    Instant, Layout, Meta, Now, Opened, Packet, PacketFilter, PacketHook, PacketTransform, Point,
    Routing, Side, SocketHook, StreamObserver, StreamTransform, Timers, UnixTime, Verdict,
};

const TOO_MANY: Reason = Code::new(60_001);
const DENIED: Reason = Code::new(60_002);

fn now(secs: u64) -> Now {
    Now::new(Instant::from_secs(secs), UnixTime::from_secs(secs))
}

/// Runs something with a context and gives the events and actions back.
fn with_cx<T>(secs: u64, f: impl FnOnce(&mut Cx<'_>) -> T) -> (T, EventQueue, ActionQueue<4>) {
    let mut events = EventQueue::new(100);
    let mut actions = ActionQueue::new();
    let mut cx = Cx::new(now(secs), &mut events, &mut actions);
    cx.generation = 7;
    let result = f(&mut cx);
    (result, events, actions)
}

/// A UDP packet over IPv4.
fn udp(source: u8, dport: u16, payload: &[u8]) -> Vec<u8> {
    let mut p = vec![0x45, 0];
    p.extend_from_slice(&((28 + payload.len()) as u16).to_be_bytes());
    p.extend_from_slice(&[0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, source, 10, 0, 0, 99]);
    p.extend_from_slice(&[0x12, 0x34]);
    p.extend_from_slice(&dport.to_be_bytes());
    p.extend_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
    p.extend_from_slice(&[0, 0]);
    p.extend_from_slice(payload);
    p
}

fn flow() -> FlowInfo {
    let key = FlowKey::v4([10, 0, 0, 1, 10, 0, 0, 99], 0x1234, 443, 6);
    FlowInfo::new(
        FlowId::from_u64(5),
        key,
        &Meta::new(Point::Ingress, now(0)),
        1,
    )
}

// --- packet hook -------------------------------------------------------------------------------

/// Drops a source's packets beyond a number, and counts what the filter denied.
struct Limiter {
    seen: [u32; 256],
    denied: u32,
}

impl Default for Limiter {
    fn default() -> Self {
        Self {
            seen: [0; 256],
            denied: 0,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Count(u32);

impl Detail for Count {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("count", Value::U64(self.0.into()));
        v.field("last", Value::Bool(true));
    }

    fn as_any(&self) -> Option<&dyn core::any::Any> {
        Some(self)
    }
}

impl PacketHook for Limiter {
    type Slot = u32;

    fn before(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
        let Some(source) = packet.bytes().get(15) else {
            return Verdict::Drop(reason::NOT_IP);
        };
        let seen = &mut self.seen[usize::from(*source)];
        *seen += 1;
        if *seen <= 2 {
            return Verdict::Continue;
        }
        if cx.events.wants(Class::Detection) {
            let detail = Count(*seen);
            let mut event = cx.event(TOO_MANY, Class::Detection, &detail);
            event.key = packet.key();
            cx.events.emit(&event);
        }
        if let Some(source) = packet.source() {
            cx.actions.act(Action::DefensiveFilter {
                source,
                lifetime: Duration::from_secs(60),
                reason: TOO_MANY,
            });
        }
        Verdict::Drop(TOO_MANY)
    }

    fn after(
        &mut self,
        _: &mut Cx<'_>,
        _: &Packet<'_>,
        slot: Option<&mut u32>,
        filter: Verdict,
    ) -> Verdict {
        if let Some(slot) = slot {
            *slot += 1;
        }
        if filter.is_refused() {
            self.denied += 1;
        }
        Verdict::Continue
    }
}

#[test]
fn a_packet_hook_judges_before_and_after() {
    let bytes = udp(1, 53, b"x");
    let packet = Packet::parse(&bytes, Meta::default());
    let mut hook = Limiter::default();
    let (verdicts, events, mut actions) = with_cx(1, |cx| {
        cx.packet = 42;
        [
            hook.before(cx, &packet),
            hook.before(cx, &packet),
            hook.before(cx, &packet),
        ]
    });
    assert_eq!(
        verdicts,
        [
            Verdict::Continue,
            Verdict::Continue,
            Verdict::Drop(TOO_MANY)
        ]
    );
    let event = events.iter().next().unwrap();
    assert_eq!(
        (event.code, event.packet, event.generation),
        (TOO_MANY, 42, 7)
    );
    assert_eq!(event.code.control(), Some(Control::Host));
    assert_eq!(event.key, packet.key());
    assert_eq!(event.field("count"), Some(&OwnedValue::U64(3)));
    assert!(matches!(
        actions.poll(),
        Some(Action::DefensiveFilter {
            reason: TOO_MANY,
            ..
        })
    ));
    let mut slot = 0;
    let (verdict, ..) = with_cx(1, |cx| {
        let _ = hook.after(cx, &packet, None, Verdict::Drop(DENIED));
        hook.after(cx, &packet, Some(&mut slot), Verdict::Continue)
    });
    assert_eq!((verdict, slot, hook.denied), (Verdict::Continue, 1, 1));
    // The least a hook has to write is its slot.
    struct Nothing;
    impl PacketHook for Nothing {
        type Slot = ();
    }
    let (verdict, ..) = with_cx(1, |cx| {
        let before = Nothing.before(cx, &packet);
        (before, Nothing.after(cx, &packet, Some(&mut ()), before))
    });
    assert_eq!(verdict, (Verdict::Continue, Verdict::Continue));
}

#[test]
fn a_batch_is_its_packets_one_after_the_other() {
    let bytes: Vec<Vec<u8>> = [1, 2, 1, 1, 2, 2, 1, 3]
        .iter()
        .map(|s| udp(*s, 53, b"x"))
        .collect();
    let packets: Vec<Packet<'_>> = bytes
        .iter()
        .zip(1..)
        .map(|(b, number)| {
            let mut p = Packet::parse(b, Meta::default());
            p.number = number;
            p
        })
        .collect();
    // One was already dropped and is left alone.
    let mut batch = vec![Verdict::Continue; packets.len()];
    batch[0] = Verdict::Drop(DENIED);
    let mut single = batch.clone();
    let (mut one, mut two) = (Limiter::default(), Limiter::default());
    let ((), events, _) = with_cx(1, |cx| one.before_batch(cx, &packets, &mut batch));
    with_cx(1, |cx| {
        for (packet, verdict) in packets.iter().zip(&mut single) {
            if verdict.is_continue() {
                *verdict = two.before(cx, packet);
            }
        }
    });
    assert_eq!(batch, single);
    assert_eq!(batch[0], Verdict::Drop(DENIED));
    let numbers: Vec<u64> = events.iter().map(|e| e.packet).collect();
    assert_eq!(numbers, [6, 7]);
}

// --- filter ------------------------------------------------------------------------------------

/// Permits one port; remembers its decision for a generation.
struct OnePort {
    port: u16,
    looked: u32,
}

#[derive(Default)]
struct Remembered(Option<(u64, Verdict)>);

impl PacketFilter for OnePort {
    type Slot = Remembered;

    fn decide(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        slot: Option<(Side, &mut Remembered)>,
    ) -> Verdict {
        if let Some((_, Remembered(Some((generation, verdict))))) = &slot
            && *generation == cx.generation
        {
            return *verdict;
        }
        self.looked += 1;
        let verdict = match packet.layout().ports() {
            Some((_, port)) if port == self.port => Verdict::Continue,
            Some((_, 500)) => Verdict::Protect {
                tunnel: TunnelId(1),
                rule: RuleId(2),
            },
            _ => Verdict::Reject(DENIED),
        };
        if let Some((_, slot)) = slot {
            slot.0 = Some((cx.generation, verdict));
        }
        verdict
    }
}

#[test]
fn a_filter_decides_and_remembers() {
    let mut filter = OnePort {
        port: 53,
        looked: 0,
    };
    let (good, bad, ike) = (udp(1, 53, b""), udp(1, 80, b""), udp(1, 500, b""));
    let parse = |b| Packet::parse(b, Meta::default());
    let mut slot = Remembered::default();
    with_cx(1, |cx| {
        assert!(
            filter
                .decide(cx, &parse(&good), Some((Side::Initiator, &mut slot)))
                .is_continue()
        );
        assert!(
            filter
                .decide(cx, &parse(&good), Some((Side::Initiator, &mut slot)))
                .is_continue()
        );
        assert_eq!(filter.looked, 1);
        // Another generation asks the rules again.
        cx.generation += 1;
        filter.port = 54;
        let verdict = filter.decide(cx, &parse(&good), Some((Side::Initiator, &mut slot)));
        assert_eq!(verdict.reason(), Some(DENIED));
        assert_eq!(
            filter.decide(cx, &parse(&bad), None),
            Verdict::Reject(DENIED)
        );
        let protect = filter.decide(cx, &parse(&ike), None);
        assert_eq!(protect.name(), "protect");
    });
}

// --- stream and datagram observers -------------------------------------------------------------

/// Collects what it is told; has enough of a side after a line end.
#[derive(Default)]
struct Lines {
    bound: Vec<Option<SaId>>,
}

#[derive(Default)]
struct LinesSlot {
    text: [Vec<u8>; 2],
    missing: u32,
    finished: [bool; 2],
    cause: Option<CloseCause>,
    opened: bool,
}

impl StreamObserver for Lines {
    type Slot = LinesSlot;

    fn opened(&mut self, _: &mut Cx<'_>, _: &FlowInfo, slot: &mut LinesSlot) {
        slot.opened = true;
    }

    fn bytes(
        &mut self,
        _: &mut Cx<'_>,
        _: &FlowInfo,
        slot: &mut LinesSlot,
        from: Side,
        data: &[u8],
    ) -> Interest {
        slot.text[from.index()].extend_from_slice(data);
        if data.ends_with(b"\n") {
            Interest::EnoughFromSide
        } else {
            Interest::More
        }
    }

    fn gap(
        &mut self,
        _: &mut Cx<'_>,
        _: &FlowInfo,
        slot: &mut LinesSlot,
        _: Side,
        missing: u32,
    ) -> Interest {
        slot.missing += missing;
        Interest::More
    }

    fn finished(&mut self, _: &mut Cx<'_>, _: &FlowInfo, slot: &mut LinesSlot, from: Side) {
        slot.finished[from.index()] = true;
    }

    fn closed(&mut self, _: &mut Cx<'_>, _: &FlowInfo, slot: &mut LinesSlot, cause: CloseCause) {
        slot.cause = Some(cause);
    }

    fn sa_bound(&mut self, _: &mut Cx<'_>, _: &FlowInfo, _: &mut LinesSlot, sa: Option<SaId>) {
        self.bound.push(sa);
    }
}

#[test]
fn a_stream_observer_reads_reassembled_streams() {
    use hostward_hook::layout::tcp_flags::{ACK, FIN, SYN};
    let mut lines = Lines::default();
    let mut slot = LinesSlot::default();
    let mut reassembler = Reassembler::default();
    let mut state = StreamState::default();
    let flow = flow();
    with_cx(1, |cx| {
        lines.opened(cx, &flow, &mut slot);
        lines.sa_bound(cx, &flow, &mut slot, Some(SaId(3)));
        let mut feed = |from, flags, seq, payload: &'static [u8]| {
            let segment = Segment {
                seq,
                ack: if from == Side::Initiator { 77 } else { 1 },
                flags,
                payload,
                ..Segment::default()
            };
            let mut sink = Observe {
                observer: &mut lines,
                slot: &mut slot,
            };
            reassembler.segment(&mut state, cx, &flow, from, &segment, &mut sink);
        };
        feed(Side::Initiator, SYN, 0, b"");
        feed(Side::Initiator, ACK, 5, b" name\n");
        feed(Side::Initiator, ACK, 1, b"HELO");
        feed(Side::Initiator, ACK, 11, b"more");
        feed(Side::Responder, ACK, 77, b"220");
        feed(Side::Responder, ACK, 82, b"end");
        feed(Side::Initiator, ACK | FIN, 15, b"");
        let mut sink = Observe {
            observer: &mut lines,
            slot: &mut slot,
        };
        reassembler.finish(&mut state, cx, &flow, &mut sink);
        lines.closed(cx, &flow, &mut slot, CloseCause::EndOfInput);
    });
    assert!(slot.opened);
    assert_eq!(slot.text[0], b"HELO name\n");
    assert_eq!(slot.text[1], b"220end");
    assert_eq!((slot.missing, slot.finished), (2, [true, false]));
    assert_eq!(slot.cause, Some(CloseCause::EndOfInput));
    assert_eq!(lines.bound, [Some(SaId(3))]);
}

/// Counts names in questions until an answer came.
struct Questions;

impl DatagramObserver for Questions {
    type Slot = u32;

    fn datagram(
        &mut self,
        _: &mut Cx<'_>,
        _: &FlowInfo,
        slot: &mut u32,
        from: Side,
        payload: &[u8],
    ) -> Interest {
        *slot += payload.len() as u32;
        match from {
            Side::Initiator => Interest::More,
            Side::Responder => Interest::Enough,
        }
    }
}

#[test]
fn a_datagram_observer_reads_payloads() {
    let bytes = udp(1, 53, b"question");
    let packet = Packet::parse(&bytes, Meta::default());
    let mut slot = 0;
    let flow = flow();
    with_cx(1, |cx| {
        let mut read = |from| Questions.datagram(cx, &flow, &mut slot, from, packet.payload());
        assert_eq!(read(Side::Initiator), Interest::More);
        assert_eq!(read(Side::Initiator.other()), Interest::Enough);
    });
    assert_eq!(slot, 16);
}

// --- stream transform --------------------------------------------------------------------------

/// Enciphers with one byte; both ends begin with a greeting that gives theirs.
struct Xor {
    key: u8,
}

#[derive(Default)]
struct XorSlot {
    greeted: bool,
    peer: Option<u8>,
}

impl StreamTransform for Xor {
    type Slot = XorSlot;

    fn inbound(
        &mut self,
        _: &mut Cx<'_>,
        _: &FlowInfo,
        slot: &mut XorSlot,
        wire: &[u8],
        app: &mut [u8],
    ) -> Result<Progress, TransformError> {
        let mut done = Progress::default();
        let mut wire = wire;
        if slot.peer.is_none() {
            let [key, rest @ ..] = wire else {
                return Ok(done);
            };
            if *key == 0 {
                return Err(TransformError(DENIED));
            }
            slot.peer = Some(*key);
            done.consumed = 1;
            wire = rest;
        }
        for (to, from) in app.iter_mut().zip(wire) {
            *to = *from ^ slot.peer.unwrap_or_default();
            done.consumed += 1;
            done.produced += 1;
        }
        Ok(done)
    }

    fn outbound(
        &mut self,
        _: &mut Cx<'_>,
        _: &FlowInfo,
        slot: &mut XorSlot,
        app: &[u8],
        wire: &mut [u8],
    ) -> Result<Progress, TransformError> {
        let mut done = Progress::default();
        let mut wire = wire;
        if !slot.greeted {
            let [first, rest @ ..] = wire else {
                return Ok(done);
            };
            *first = self.key;
            slot.greeted = true;
            done.produced = 1;
            wire = rest;
        }
        for (to, from) in wire.iter_mut().zip(app) {
            *to = *from ^ self.key;
            done.consumed += 1;
            done.produced += 1;
        }
        Ok(done)
    }
}

#[test]
fn a_stream_transform_goes_through_small_buffers() {
    let flow = flow();
    let text = b"clear text of any length";
    with_cx(1, |cx| {
        let (mut sender, mut receiver) = (Xor { key: 0x5a }, Xor { key: 1 });
        let (mut s, mut r) = (XorSlot::default(), XorSlot::default());
        let mut wire = Vec::new();
        let mut app = &text[..];
        // A handshake without application data first.
        let mut buffer = [0; 5];
        let done = sender
            .outbound(cx, &flow, &mut s, b"", &mut buffer)
            .unwrap();
        assert_eq!((done.consumed, done.produced), (0, 1));
        wire.extend_from_slice(&buffer[..done.produced]);
        while !app.is_empty() {
            let done = sender
                .outbound(cx, &flow, &mut s, app, &mut buffer)
                .unwrap();
            wire.extend_from_slice(&buffer[..done.produced]);
            app = &app[done.consumed..];
        }
        assert!(!wire.windows(4).any(|w| w == b"text"));
        let mut got = Vec::new();
        let mut rest = &wire[..];
        let mut small = [0; 3];
        while !rest.is_empty() {
            let done = receiver
                .inbound(cx, &flow, &mut r, rest, &mut small)
                .unwrap();
            got.extend_from_slice(&small[..done.produced]);
            rest = &rest[done.consumed..];
        }
        assert_eq!(got, text);
        let mut fresh = XorSlot::default();
        let error = receiver.inbound(cx, &flow, &mut fresh, b"\0", &mut small);
        assert_eq!(error, Err(TransformError(DENIED)));
        assert_eq!(
            error.unwrap_err().to_string(),
            "the stream transform failed (code 60002)"
        );
    });
}

// --- packet transform --------------------------------------------------------------------------

/// Encloses a packet in another: an IPv4 header with a protocol for experiments (RFC 3692), a
/// number for the association, and a check byte behind.
struct Envelope {
    associations: u32,
}

const EXPERIMENT: u8 = 253;
const BAD_CHECK: Reason = Code::new(60_003);

impl Timers for Envelope {}

impl PacketTransform for Envelope {
    fn max_overhead(&self) -> usize {
        25
    }

    fn wants_open(&self, packet: &Packet<'_>) -> bool {
        packet.layout().protocol() == EXPERIMENT
    }

    fn select(
        &mut self,
        _: &mut Cx<'_>,
        _: &Packet<'_>,
        tunnel: TunnelId,
        _: RuleId,
    ) -> Result<SaId, Verdict> {
        if tunnel.0 >= self.associations {
            return Err(Verdict::Hold(Ticket(tunnel.0)));
        }
        Ok(SaId(tunnel.0))
    }

    fn seal(&mut self, _: &mut Cx<'_>, sa: SaId, frame: &mut dyn FrameBuf) -> Verdict {
        let check = frame.bytes().iter().fold(0, |a, b| a ^ b);
        let Some(addresses) = frame.bytes().get(12..20).map(<[u8]>::to_vec) else {
            return Verdict::Drop(reason::NOT_IP);
        };
        if frame.append(1).is_err() {
            return Verdict::Drop(reason::FRAGMENT_NO_ROOM);
        }
        if frame.prepend(24).is_err() {
            frame.trim(0, 1);
            return Verdict::Drop(reason::FRAGMENT_NO_ROOM);
        }
        let bytes = frame.bytes_mut();
        let length = bytes.len() as u16;
        *bytes.last_mut().unwrap() = check;
        bytes[..12].copy_from_slice(&[0x45, 0, 0, 0, 0, 0, 0, 0, 64, EXPERIMENT, 0, 0]);
        bytes[2..4].copy_from_slice(&length.to_be_bytes());
        bytes[12..20].copy_from_slice(&addresses);
        bytes[20..24].copy_from_slice(&sa.0.to_be_bytes());
        Verdict::Continue
    }

    fn open(
        &mut self,
        _: &mut Cx<'_>,
        _: &Layout,
        frame: &mut dyn FrameBuf,
    ) -> Result<Opened, Verdict> {
        let bytes = frame.bytes();
        let [inner @ .., check] = bytes.get(24..).unwrap_or_default() else {
            return Err(Verdict::Drop(BAD_CHECK));
        };
        if inner.iter().fold(0, |a, b| a ^ b) != *check {
            return Err(Verdict::Drop(BAD_CHECK));
        }
        let sa = SaId(u32::from_be_bytes([
            bytes[20], bytes[21], bytes[22], bytes[23],
        ]));
        frame.trim(24, 1);
        Ok(Opened::new(sa).with_routing(Routing::Routed))
    }
}

fn open(
    transform: &mut dyn PacketTransform,
    cx: &mut Cx<'_>,
    frame: &mut dyn FrameBuf,
) -> Result<SaId, Verdict> {
    let layout = *Packet::parse(frame.bytes(), Meta::default()).layout();
    let opened = transform.open(cx, &layout, frame)?;
    assert_eq!(opened.routing, Some(Routing::Routed));
    Ok(opened.sa)
}

fn seal_and_open(frame: &mut dyn FrameBuf, original: &[u8]) {
    let mut transform = Envelope { associations: 8 };
    let transform: &mut dyn PacketTransform = &mut transform;
    with_cx(1, |cx| {
        assert!(!transform.wants_open(&Packet::parse(original, Meta::default())));
        assert_eq!(transform.seal(cx, SaId(7), frame), Verdict::Continue);
        assert_eq!(
            frame.bytes().len(),
            original.len() + transform.max_overhead()
        );
        let packet = Packet::parse(frame.bytes(), Meta::default());
        assert!(packet.layout().anomalies().is_empty());
        assert!(transform.wants_open(&packet));
        // Twice, to nest, and both off again.
        assert_eq!(transform.seal(cx, SaId(1), frame), Verdict::Continue);
        assert_eq!(open(transform, cx, frame), Ok(SaId(1)));
        assert_eq!(open(transform, cx, frame), Ok(SaId(7)));
        assert_eq!(frame.bytes(), original);
        // What was changed on the way does not open.
        assert_eq!(transform.seal(cx, SaId(7), frame), Verdict::Continue);
        *frame.bytes_mut().last_mut().unwrap() ^= 1;
        assert_eq!(open(transform, cx, frame), Err(Verdict::Drop(BAD_CHECK)));
        let packet = Packet::parse(frame.bytes(), Meta::default());
        let mut select = |n| transform.select(cx, &packet, TunnelId(n), RuleId(0));
        assert_eq!(
            (select(7), select(8)),
            (Ok(SaId(7)), Err(Verdict::Hold(Ticket(8))))
        );
    });
}

#[test]
fn a_packet_transform_works_in_place_in_any_frame() {
    let packet = udp(1, 53, b"to be protected");
    let mut memory = [0; 200];
    memory[60..60 + packet.len()].copy_from_slice(&packet);
    let mut slice = SliceFrame::new(&mut memory, 60, 60 + packet.len());
    seal_and_open(&mut slice, &packet);
    let mut owned = VecFrame::new(60, 200);
    owned.set(&packet);
    seal_and_open(&mut owned, &packet);
}

#[test]
fn a_transform_without_room_leaves_the_packet() {
    let packet = udp(1, 53, b"tight");
    let mut transform = Envelope { associations: 8 };
    for (start, after) in [(23, 1), (24, 0)] {
        let mut memory = vec![0; start + packet.len() + after];
        memory[start..start + packet.len()].copy_from_slice(&packet);
        let mut frame = SliceFrame::new(&mut memory, start, start + packet.len());
        let (verdict, ..) = with_cx(1, |cx| transform.seal(cx, SaId(0), &mut frame));
        assert_eq!(verdict.reason(), Some(reason::FRAGMENT_NO_ROOM));
        assert_eq!(frame.bytes(), packet);
    }
    // No IPsec at all.
    let mut frame = VecFrame::new(0, 100);
    frame.set(&packet);
    let parsed = Packet::parse(&packet, Meta::default());
    with_cx(1, |cx| {
        assert_eq!(().max_overhead(), 0);
        assert!(!().wants_open(&parsed));
        assert!(().seal(cx, SaId(0), &mut frame).is_continue());
        assert!(().open(cx, &Layout::default(), &mut frame).is_err());
        let packet = Packet::parse(&[], Meta::default());
        let asked = ().select(cx, &packet, TunnelId(1), RuleId(2));
        let (tunnel, rule) = (TunnelId(1), RuleId(2));
        assert_eq!(asked, Err(Verdict::Protect { tunnel, rule }));
    });
    assert_eq!(frame.bytes(), packet);
}

// --- frames ------------------------------------------------------------------------------------

/// What every frame must do, with 4 bytes of room in front and 6 behind a packet of 10.
fn frame_contract(frame: &mut dyn FrameBuf) {
    let original: Vec<u8> = (0..10).collect();
    assert_eq!(frame.bytes(), original);
    assert_eq!(frame.prepend(5), Err(NoRoom { wanted: 5, free: 4 }));
    assert_eq!(frame.append(7), Err(NoRoom { wanted: 7, free: 6 }));
    assert_eq!(frame.bytes(), original);
    frame.prepend(4).unwrap();
    frame.append(2).unwrap();
    assert_eq!(frame.bytes()[4..14], original);
    assert_eq!(frame.bytes().len(), 16);
    frame.trim(4, 2);
    assert_eq!(frame.bytes(), original);
    // Cut-off room can be taken again.
    frame.trim(3, 3);
    assert_eq!(frame.bytes(), &original[3..7]);
    frame.prepend(7).unwrap();
    frame.trim(7, 0);
    frame.replace(b"a longer one").unwrap();
    assert_eq!(frame.bytes(), b"a longer one");
    frame.replace(b"short").unwrap();
    assert_eq!(frame.bytes(), b"short");
    assert!(frame.replace(&[0; 40]).is_err());
    assert_eq!(frame.bytes(), b"short");
    frame.bytes_mut()[0] = b'S';
    assert_eq!(frame.bytes(), b"Short");
    frame.trim(usize::MAX, usize::MAX);
    assert_eq!(frame.bytes(), b"");
}

#[test]
fn every_frame_keeps_the_contract() {
    let mut memory: Vec<u8> = vec![0; 4];
    memory.extend(0..10);
    memory.extend([0; 6]);
    frame_contract(&mut SliceFrame::new(&mut memory, 4, 14));
    let packet: Vec<u8> = (0..10).collect();
    let mut owned = VecFrame::new(4, 16);
    owned.set(&packet);
    frame_contract(&mut owned);
    // Used again, it has its headroom again; what is too long is cut.
    owned.set(&[9; 20]);
    assert_eq!(owned.bytes(), [9; 16]);
    owned.set(&packet);
    frame_contract(&mut owned);
    // Limits outside the memory are clamped.
    let mut small = [1, 2, 3];
    assert_eq!(SliceFrame::new(&mut small, 9, 7).bytes(), b"");
    assert_eq!(SliceFrame::new(&mut small, 1, 7).bytes(), [2, 3]);
}

// --- sockets -----------------------------------------------------------------------------------

/// Only user 1 may bind below 1024; others lose a connection they have.
struct LowPorts;

impl SocketHook for LowPorts {
    type Slot = Option<UserId>;

    fn socket(
        &mut self,
        cx: &mut Cx<'_>,
        user: UserId,
        op: SocketOp,
        flow: &FlowInfo,
        slot: Option<&mut Option<UserId>>,
    ) -> Verdict {
        let low = flow.key.destination_port() < 1024;
        if op == SocketOp::Bind && low && user != UserId(1) {
            return Verdict::Reject(DENIED);
        }
        if let Some(slot) = slot {
            if slot.is_some_and(|owner| owner != user) {
                cx.actions.act(Action::ResetFlow {
                    key: flow.key,
                    reason: DENIED,
                });
                return Verdict::Drop(DENIED);
            }
            *slot = Some(user);
        }
        Verdict::Continue
    }
}

#[test]
fn a_socket_hook_decides_for_users() {
    let flow = flow();
    let mut slot = None;
    let (verdicts, _, mut actions) = with_cx(1, |cx| {
        [
            LowPorts.socket(cx, UserId(2), SocketOp::Bind, &flow, None),
            LowPorts.socket(cx, UserId(1), SocketOp::Bind, &flow, None),
            LowPorts.socket(cx, UserId(2), SocketOp::Accept, &flow, Some(&mut slot)),
            LowPorts.socket(cx, UserId(3), SocketOp::Receive, &flow, Some(&mut slot)),
        ]
    });
    assert_eq!(
        verdicts,
        [
            Verdict::Reject(DENIED),
            Verdict::Continue,
            Verdict::Continue,
            Verdict::Drop(DENIED)
        ]
    );
    assert_eq!(slot, Some(UserId(2)));
    assert!(matches!(actions.poll(), Some(Action::ResetFlow { key, .. }) if key == flow.key));
}

// --- timers, holding ---------------------------------------------------------------------------

/// Rings at fixed times, one at a call.
struct Alarm(Vec<Instant>);

impl Timers for Alarm {
    fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().min().copied()
    }

    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        let Some(due) = self.next_deadline().filter(|d| *d <= cx.now.mono) else {
            return;
        };
        self.0.retain(|d| *d != due);
        let detail = Count(due.as_millis() as u32);
        cx.events
            .emit(&cx.event(TOO_MANY, Class::Progress, &detail));
    }
}

#[test]
fn timers_tell_and_do_what_is_due() {
    struct Never;
    impl Timers for Never {}
    let mut alarm = Alarm(vec![Instant::from_secs(5), Instant::from_secs(3)]);
    assert_eq!(alarm.next_deadline(), Some(Instant::from_secs(3)));
    let ((), events, _) = with_cx(2, |cx| alarm.handle_deadline(cx));
    assert!(events.is_empty());
    let ((), events, _) = with_cx(9, |cx| {
        let mut calls = 0;
        while alarm.next_deadline().is_some_and(|d| d <= cx.now.mono) {
            alarm.handle_deadline(cx);
            Never.handle_deadline(cx);
            calls += 1;
        }
        assert_eq!(calls, 2);
    });
    assert_eq!(events.len(), 2);
    assert_eq!((alarm.next_deadline(), Never.next_deadline()), (None, None));
    let (a, b) = (Some(Instant::from_secs(1)), Some(Instant::from_secs(2)));
    assert_eq!(earlier(a, b), a);
    assert_eq!(earlier(None, b), b);
    assert_eq!(earlier(a, None), a);
    assert_eq!(earlier(None, None), None);
}

#[test]
fn a_held_packet_comes_back_when_an_action_says_so() {
    let mut queue = HoldQueue::new(4, 10_000);
    let packet = udp(1, 500, b"waits for its tunnel");
    let ticket = queue
        .hold(packet.clone(), packet.len(), Instant::from_secs(9))
        .unwrap();
    let ((), _, mut actions) = with_cx(1, |cx| {
        cx.actions.act(Action::Release(ticket));
        cx.actions.act(Action::Discard(ticket));
    });
    let Some(Action::Release(t)) = actions.poll() else {
        panic!("no release")
    };
    assert_eq!(queue.take(t), Some(packet));
    let Some(Action::Discard(t)) = actions.poll() else {
        panic!("no discard")
    };
    assert_eq!(queue.take(t), None);
}

// --- events and actions ------------------------------------------------------------------------

/// Counts events of one class.
#[derive(Default)]
struct Counter {
    class: Option<Class>,
    counted: u32,
    typed: Vec<Count>,
}

impl EventSink for Counter {
    fn wants(&self, class: Class) -> bool {
        Some(class) == self.class
    }

    fn emit(&mut self, event: &Event<'_>) {
        self.counted += 1;
        let detail = event
            .detail
            .as_any()
            .and_then(|d| d.downcast_ref::<Count>());
        self.typed.extend(detail.cloned());
    }

    fn lost(&self) -> u64 {
        5
    }
}

#[test]
fn sinks_compose_and_get_only_what_they_want() {
    let detections = Counter {
        class: Some(Class::Detection),
        ..Counter::default()
    };
    let records = Counter {
        class: Some(Class::Record),
        ..Counter::default()
    };
    let mut both = (detections, (records, EventQueue::new(1)));
    let emit = |sink: &mut dyn EventSink, class| {
        let mut actions = ();
        let cx = Cx::new(now(1), sink, &mut actions);
        if cx.events.wants(class) {
            let event = cx.event(TOO_MANY, class, &Count(3));
            cx.events.emit(&event);
        }
    };
    emit(&mut both, Class::Detection);
    emit(&mut &mut both, Class::Record);
    let (detections, (records, queue)) = &both;
    assert_eq!((detections.counted, records.counted), (1, 1));
    assert_eq!(detections.typed, [Count(3)]);
    // The queue held one and counted the other.
    assert_eq!((queue.len(), queue.lost()), (1, 1));
    assert_eq!(both.lost(), 11);
    assert!(!().wants(Class::Record));
    let mut pair = ((), Counter::default());
    assert!(!pair.wants(Class::Record));
    emit(&mut pair, Class::Record);
    assert_eq!(pair.1.counted, 0);
    // An event shows itself, details included.
    let shown = format!(
        "{:?}",
        Event::new(TOO_MANY, Class::Record, now(1), &Count(9))
    );
    assert!(
        shown.contains("60001") && shown.contains("\"count\": U64(9)"),
        "{shown}"
    );
}

#[test]
fn an_action_queue_is_bounded_and_keeps_order() {
    let mut queue = ActionQueue::<3>::new();
    for i in 0..5 {
        assert_eq!(queue.act(Action::RefreshSa { sa: SaId(i) }), i < 3);
    }
    assert_eq!((queue.len(), queue.lost()), (3, 2));
    assert_eq!(queue.poll(), Some(Action::RefreshSa { sa: SaId(0) }));
    assert!(queue.act(Action::Release(Ticket(1))));
    assert_eq!(queue.poll(), Some(Action::RefreshSa { sa: SaId(1) }));
    assert_eq!(queue.poll(), Some(Action::RefreshSa { sa: SaId(2) }));
    assert_eq!(queue.poll(), Some(Action::Release(Ticket(1))));
    assert_eq!(queue.poll(), None);
    assert!(queue.is_empty());
    let mut none = ActionQueue::<0>::new();
    assert!(!none.act(Action::Discard(Ticket(1))));
    assert_eq!(none.poll(), None);
    assert!(!().act(Action::Discard(Ticket(1))));
}

// --- names -------------------------------------------------------------------------------------

#[test]
fn a_host_names_what_it_knows() {
    struct Users(Vec<String>);
    impl Names for Users {
        fn user(&self, id: UserId) -> Option<&str> {
            self.0.get(id.0 as usize).map(String::as_str)
        }
    }
    let users = Users(vec!["nobody".into(), "root".into()]);
    let names: &dyn Names = &users;
    assert_eq!(names.user(UserId(1)), Some("root"));
    assert_eq!(names.user(UserId(9)), None);
    assert_eq!(names.job(JobId(1)), None);
    assert_eq!(names.interface(InterfaceId(1)), None);
    assert_eq!(().user(UserId(1)), None);
}

// --- protection facts --------------------------------------------------------------------------

/// A recorder that knows no provider.
#[derive(Default)]
struct Recorder {
    suites: Vec<(u16, Option<u16>, String)>,
    kex: Vec<String>,
    tunnels: Vec<(TunnelId, Option<u16>)>,
    rules: Vec<String>,
    ended: Vec<Protocol>,
    hints: u32,
    failures: Vec<Option<u32>>,
    associations: Vec<(SaId, bool)>,
}

impl ProtectionSink for Recorder {
    fn protection(&mut self, _: &mut Cx<'_>, flow: &FlowKey, fact: &Fact<'_>) {
        assert_eq!(flow.destination_port(), 443);
        match *fact {
            Fact::TlsSession(s) => {
                let subject = s.server_certificate.and_then(|c| c.subject);
                self.suites.push((
                    s.version,
                    s.cipher_suite,
                    subject.unwrap_or_default().into(),
                ));
            }
            Fact::SshSession(s) => self.kex.push(s.key_exchange.into()),
            Fact::IpsecTunnel(t) => self.tunnels.push((t.tunnel, t.transforms.encryption)),
            Fact::FilterRules(r) => {
                let rules = [r.inbound, r.outbound];
                self.rules
                    .extend(rules.iter().flatten().map(|r| r.name.to_string()));
            }
            Fact::SessionEnded(p) => self.ended.push(p),
            Fact::HandshakeHint(_) => self.hints += 1,
            Fact::HandshakeFailed(f) => self.failures.push(f.number),
            _ => {}
        }
    }

    fn association(&mut self, _: &mut Cx<'_>, sa: SaId, parameters: Option<&IpsecTunnel<'_>>) {
        self.associations.push((sa, parameters.is_some()));
    }
}

/// A TLS library that knows no recorder.
fn tls_library(cx: &mut Cx<'_>, flow: &FlowKey, sink: &mut dyn ProtectionSink) {
    sink.protection(cx, flow, &Fact::HandshakeHint(Protocol::Tls));
    let mut certificate = Certificate::default();
    certificate.subject = Some("CN=server");
    certificate.key_bits = 256;
    let mut session = TlsSession::default();
    session.provider = "toy";
    session.version = 0x0304;
    session.cipher_suite = Some(0x1301);
    session.server_certificate = Some(certificate);
    sink.protection(cx, flow, &Fact::TlsSession(session));
    sink.protection(cx, flow, &Fact::SessionEnded(Protocol::Tls));
    let mut failure = Failure::new(Protocol::Tls);
    failure.number = Some(40);
    sink.protection(cx, flow, &Fact::HandshakeFailed(failure));
}

/// IPsec and the filter, the same.
fn ipsec(cx: &mut Cx<'_>, flow: &FlowKey, mut sink: impl ProtectionSink) {
    let mut tunnel = IpsecTunnel::default();
    tunnel.tunnel = TunnelId(4);
    tunnel.inbound = Some(SaId(1));
    tunnel.kind = Some(TunnelKind::Dynamic);
    tunnel.protocol = 50;
    tunnel.encapsulation = Some(Encapsulation::Tunnel);
    tunnel.transforms.encryption = Some(20);
    tunnel.transforms.encryption_bits = 256;
    let mut ike = IkeAssociation::default();
    ike.major = 2;
    tunnel.ike = Some(ike);
    sink.association(cx, SaId(1), Some(&tunnel));
    sink.protection(cx, flow, &Fact::IpsecTunnel(tunnel));
    let mut rules = FilterRules::default();
    rules.inbound = Some(FilterRule::new(RuleId(9), "in", FilterAction::Protect));
    sink.protection(cx, flow, &Fact::FilterRules(rules));
    sink.association(cx, SaId(1), None);
    let mut ssh = SshSession::default();
    ssh.key_exchange = "mlkem768x25519-sha256";
    sink.protection(cx, flow, &Fact::SshSession(ssh));
}

#[test]
fn providers_tell_a_recorder_they_do_not_know() {
    let key = flow().key;
    let mut recorder = Recorder::default();
    with_cx(1, |cx| {
        tls_library(cx, &key, &mut recorder);
        ipsec(cx, &key, &mut recorder);
        // Nobody listens.
        tls_library(cx, &key, &mut ());
        ipsec(cx, &key, ());
    });
    assert_eq!(
        recorder.suites,
        [(0x0304, Some(0x1301), "CN=server".into())]
    );
    assert_eq!(recorder.kex, ["mlkem768x25519-sha256"]);
    assert_eq!(recorder.tunnels, [(TunnelId(4), Some(20))]);
    assert_eq!(recorder.rules, ["in"]);
    assert_eq!(recorder.ended, [Protocol::Tls]);
    assert_eq!((recorder.hints, recorder.failures), (1, vec![Some(40)]));
    assert_eq!(recorder.associations, [(SaId(1), true), (SaId(1), false)]);
}
