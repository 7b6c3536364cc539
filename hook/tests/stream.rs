//! Stream reassembly through the public API: rules one by one, and against naive models.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use core::time::Duration;

use arbtest::arbitrary::{self, Unstructured};
use hostward_hook::event::EventQueue;
use hostward_hook::hooks::Interest;
use hostward_hook::layout::tcp_flags::{ACK, FIN, RST, SYN};
use hostward_hook::reason::{self, Code};
use hostward_hook::stream::{Config, OverlapPolicy, Reassembler, Segment, StreamSink, StreamState};
use hostward_hook::{Cx, FlowId, FlowInfo, FlowKey, Instant, Meta, Now, Packet, Side, UnixTime};

use Side::{Initiator as I, Responder as R};

/// What came out, in order.
#[derive(Clone, Debug, PartialEq)]
enum Out {
    Bytes(Side, Vec<u8>),
    Gap(Side, u32),
    Finished(Side),
    Reset(Side),
}

#[derive(Default)]
struct Tape {
    out: Vec<Out>,
    stop: Option<Interest>,
}

impl StreamSink for Tape {
    fn bytes(&mut self, _: &mut Cx<'_>, _: &FlowInfo, from: Side, data: &[u8]) -> Interest {
        assert!(!data.is_empty());
        match self.out.last_mut() {
            Some(Out::Bytes(side, bytes)) if *side == from => bytes.extend_from_slice(data),
            _ => self.out.push(Out::Bytes(from, data.to_vec())),
        }
        self.stop.unwrap_or(Interest::More)
    }

    fn gap(&mut self, _: &mut Cx<'_>, _: &FlowInfo, from: Side, missing: u32) -> Interest {
        assert_ne!(missing, 0);
        self.out.push(Out::Gap(from, missing));
        self.stop.unwrap_or(Interest::More)
    }

    fn finished(&mut self, _: &mut Cx<'_>, _: &FlowInfo, from: Side) {
        self.out.push(Out::Finished(from));
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: &FlowInfo, from: Side) {
        self.out.push(Out::Reset(from));
    }
}

/// One connection and everything around it.
struct Bench {
    reassembler: Reassembler,
    state: StreamState,
    flow: FlowInfo,
    tape: Tape,
    events: EventQueue,
    now: u64,
}

fn flow(id: u64) -> FlowInfo {
    let key = FlowKey::v4([10, 0, 0, 1, 10, 0, 0, 2], 40_000, 443, 6);
    FlowInfo::new(FlowId::from_u64(id), key, &Meta::default(), 1)
}

impl Bench {
    fn new(config: Config) -> Self {
        Self {
            reassembler: Reassembler::new(config),
            state: StreamState::default(),
            flow: flow(1),
            tape: Tape::default(),
            events: EventQueue::new(10_000),
            now: 1_000_000,
        }
    }

    /// A connection whose handshake was seen: the initiator starts at 101, the responder at 501.
    fn connected(config: Config) -> Self {
        let mut b = Self::new(config);
        b.seg(I, SYN, 100, 0, b"");
        b.seg(R, SYN | ACK, 500, 101, b"");
        b.seg(I, ACK, 101, 501, b"");
        assert!(b.tape.out.is_empty() && b.codes().is_empty());
        b
    }

    fn feed(&mut self, from: Side, segment: &Segment<'_>) {
        let now = Now::new(Instant::from_micros(self.now), UnixTime::EPOCH);
        let mut actions = ();
        let mut cx = Cx::new(now, &mut self.events, &mut actions);
        self.reassembler.segment(
            &mut self.state,
            &mut cx,
            &self.flow,
            from,
            segment,
            &mut self.tape,
        );
        let config = self.reassembler.config();
        assert!(self.reassembler.blocks_in_use() <= config.blocks);
        assert!(self.reassembler.waiting_bytes() <= 2 * u64::from(config.side_bytes));
        assert!(self.reassembler.blocks_in_use() <= 2 * config.side_blocks);
    }

    fn seg(&mut self, from: Side, flags: u8, seq: u32, ack: u32, payload: &[u8]) {
        self.feed(
            from,
            &Segment {
                seq,
                ack,
                flags,
                window: 0xffff,
                payload,
                ..Segment::default()
            },
        );
    }

    fn finish(&mut self) {
        let now = Now::new(Instant::from_micros(self.now), UnixTime::EPOCH);
        let mut actions = ();
        let mut cx = Cx::new(now, &mut self.events, &mut actions);
        self.reassembler
            .finish(&mut self.state, &mut cx, &self.flow, &mut self.tape);
        assert_eq!(self.reassembler.blocks_in_use(), 0);
        assert_eq!(self.reassembler.waiting_bytes(), 0);
        assert_eq!(self.reassembler.waiting_sides(), 0);
    }

    fn codes(&self) -> Vec<Code> {
        self.events.iter().map(|e| e.code).collect()
    }

    fn out(&mut self) -> Vec<Out> {
        core::mem::take(&mut self.tape.out)
    }
}

fn bytes(side: Side, b: &[u8]) -> Out {
    Out::Bytes(side, b.to_vec())
}

#[test]
fn in_order_out_of_order_retransmitted() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 101, 501, b"ab");
    b.seg(I, ACK, 105, 501, b"ef");
    b.seg(I, ACK, 105, 501, b"ef");
    b.seg(I, ACK, 101, 501, b"ab");
    assert_eq!(b.out(), [bytes(I, b"ab")]);
    assert_eq!(b.reassembler.waiting_bytes(), 2);
    b.seg(R, ACK, 501, 103, b"xy");
    b.seg(I, ACK, 103, 503, b"cd");
    assert_eq!(b.out(), [bytes(R, b"xy"), bytes(I, b"cdef")]);
    assert_eq!(b.reassembler.blocks_in_use(), 0);
    assert!(b.codes().is_empty());
}

// RFC 9293 §3.4: sequence numbers wrap.
#[test]
fn numbers_wrap() {
    let mut b = Bench::new(Config::default());
    b.seg(I, SYN, u32::MAX - 2, 0, b"");
    b.seg(I, ACK, 2, 1, b"efg");
    b.seg(I, ACK, u32::MAX - 1, 1, b"abcd");
    b.seg(I, ACK | FIN, 5, 1, b"h");
    assert_eq!(b.out(), [bytes(I, b"abcdefgh"), Out::Finished(I)]);
    assert_eq!(b.state.expected(I), Some(7));
}

// RFC 9293 §3.10.7.4: a FIN that comes before missing data waits for it.
#[test]
fn fin_waits_for_the_data_before_it() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK | FIN, 103, 501, b"cd");
    assert!(b.out().is_empty());
    b.seg(I, ACK, 101, 501, b"ab");
    assert_eq!(b.out(), [bytes(I, b"abcd"), Out::Finished(I)]);
    assert!(b.state.is_finished(I) && !b.state.is_finished(R));
    // Repeated, it is silent.
    b.seg(I, ACK | FIN, 103, 501, b"cd");
    b.seg(I, ACK | FIN, 105, 501, b"");
    b.seg(I, ACK, 106, 501, b"");
    assert!(b.out().is_empty() && b.codes().is_empty());
    // The other way goes on.
    b.seg(R, ACK, 501, 106, b"late");
    assert_eq!(b.out(), [bytes(R, b"late")]);
}

// RFC 9293 §3.10.4: nothing is sent behind a FIN.
#[test]
fn data_behind_fin_is_not_delivered() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 107, 501, b"EVIL");
    b.seg(I, ACK | FIN, 103, 501, b"cd");
    assert_eq!(b.codes(), [reason::STREAM_DATA_AFTER_FIN]);
    b.seg(I, ACK, 101, 501, b"abcdMORE");
    assert_eq!(b.codes().len(), 2);
    assert_eq!(b.out(), [bytes(I, b"abcd"), Out::Finished(I)]);
    b.seg(I, ACK, 106, 501, b"EVIL");
    assert_eq!(b.codes(), [reason::STREAM_DATA_AFTER_FIN; 3]);
    assert!(b.out().is_empty());
    b.finish();
    assert!(b.out().is_empty());
}

#[test]
fn a_second_fin_elsewhere_does_not_count() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 101, 501, b"abcd");
    b.seg(I, ACK | FIN, 101, 501, b"ab");
    assert_eq!(b.codes(), [reason::STREAM_DATA_AFTER_FIN]);
    b.seg(I, ACK | FIN, 105, 501, b"");
    b.seg(I, ACK | FIN, 105, 501, b"x");
    assert_eq!(b.codes().len(), 2);
    assert_eq!(b.out(), [bytes(I, b"abcd"), Out::Finished(I)]);
    assert!(
        b.codes()[1..]
            .iter()
            .all(|c| *c == reason::STREAM_DATA_AFTER_FIN)
    );
}

// RFC 5961 §3.2: exact number resets, in the window is challenged, outside is ignored.
#[test]
fn resets_are_believed_at_the_next_number_only() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 101, 501, b"abcd");
    b.seg(R, ACK, 501, 105, b"");
    b.seg(I, RST, 200, 0, b"");
    b.seg(I, RST, 104, 0, b"");
    b.seg(I, RST, 105 + 70_000, 0, b"");
    assert_eq!(
        b.codes(),
        [
            reason::STREAM_RST_CHALLENGED,
            reason::STREAM_RST_OUT_OF_WINDOW,
            reason::STREAM_RST_OUT_OF_WINDOW
        ]
    );
    assert!(!b.state.is_reset());
    b.seg(I, RST, 105, 0, b"");
    assert!(b.state.is_reset());
    b.seg(R, ACK, 501, 105, b"too late");
    assert_eq!(b.out(), [bytes(I, b"abcd"), Out::Reset(I)]);
}

// RFC 9293 §3.10.7.1: a closed host resets with the acknowledgment number it was sent.
#[test]
fn resets_of_a_closed_host_are_ordinary() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK | FIN, 101, 501, b"bye");
    b.seg(R, ACK, 501, 101, b"late");
    b.seg(I, RST, 101, 0, b"");
    b.seg(R, ACK, 505, 104, b"later");
    b.seg(I, RST, 104, 0, b"");
    assert!(b.codes().is_empty() && !b.state.is_reset());
    b.seg(I, RST, 105, 0, b"");
    assert!(b.state.is_reset());
}

// RFC 9293 §3.10.7.3: in SYN-SENT a reset counts only if it acknowledges the SYN.
#[test]
fn a_reset_to_a_syn_must_acknowledge_it() {
    let mut b = Bench::new(Config::default());
    b.seg(I, SYN, 100, 0, b"");
    b.seg(R, RST, 0, 0, b"");
    b.seg(R, RST | ACK, 0, 100, b"");
    assert_eq!(b.codes(), [reason::STREAM_RST_OUT_OF_WINDOW; 2]);
    b.seg(R, RST | ACK, 0, 101, b"");
    assert_eq!(b.out(), [Out::Reset(R)]);
}

#[test]
fn a_reset_behind_a_hole_delivers_what_waits() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 103, 501, b"cd");
    // The receiver may not have what is missing here either, and then ignores the reset.
    b.seg(I, RST, 105, 0, b"");
    assert!(!b.state.is_reset());
    assert_eq!(b.codes(), [reason::STREAM_RST_CHALLENGED]);
    b.seg(R, ACK, 501, 105, b"");
    b.seg(I, RST, 105, 0, b"");
    assert_eq!(b.out(), [Out::Gap(I, 2), bytes(I, b"cd"), Out::Reset(I)]);
    assert_eq!(b.reassembler.blocks_in_use(), 0);
}

#[test]
fn a_stream_may_begin_in_the_middle() {
    let mut b = Bench::new(Config::default());
    b.seg(R, ACK, 7_000, 9_000, b"hello");
    b.seg(I, ACK, 9_000, 7_005, b"hi");
    assert!(b.state.is_midstream(I) && b.state.is_midstream(R));
    assert_eq!(b.out(), [bytes(R, b"hello"), bytes(I, b"hi")]);
}

#[test]
fn an_unseen_syn_ack_is_made_up_for() {
    let mut b = Bench::new(Config::default());
    b.seg(I, SYN, 100, 0, b"");
    b.seg(I, ACK, 101, 501, b"");
    // The responder's second segment overtakes its first.
    b.seg(R, ACK, 503, 101, b"cd");
    b.seg(R, ACK, 501, 101, b"ab");
    assert_eq!(b.out(), [bytes(R, b"abcd")]);
    assert!(b.state.is_midstream(R) && !b.state.is_midstream(I));
    // Only late, after all.
    let mut b = Bench::new(Config::default());
    b.seg(I, SYN, 100, 0, b"");
    b.seg(I, ACK, 101, 501, b"");
    b.seg(R, SYN | ACK, 500, 101, b"");
    assert!(!b.state.is_midstream(R));
}

#[test]
fn a_false_acknowledgment_does_not_hide_the_syn_ack() {
    let mut b = Bench::new(Config::default());
    b.seg(I, SYN, 100, 0, b"");
    b.seg(I, ACK, 101, 0x7000_0000, b"");
    b.seg(R, ACK, 0x7000_0010, 101, b"forged");
    b.seg(R, SYN | ACK, 500, 101, b"");
    b.seg(I, ACK, 101, 501, b"");
    b.seg(R, ACK, 501, 101, b"real");
    assert_eq!(b.out(), [bytes(R, b"real")]);
    assert!(!b.state.is_midstream(R));
    assert_eq!(b.reassembler.blocks_in_use(), 0);
}

// RFC 9293 §3.4: half the number space away there is neither before nor behind.
#[test]
fn the_opposite_number_is_outside() {
    let mut config = Config::default();
    config.side_blocks = 0;
    for n in [1 << 31, (1 << 31) - 1, (1 << 31) + 1] {
        let mut b = Bench::connected(config);
        b.seg(I, ACK, 101_u32.wrapping_add(n), 501, b"far");
        assert_eq!(b.codes(), [reason::STREAM_OUT_OF_WINDOW]);
        assert!(b.out().is_empty());
    }
}

// RFC 7413 §2: a SYN may carry data.
#[test]
fn data_in_a_syn_is_delivered_once() {
    let mut b = Bench::new(Config::default());
    b.seg(I, SYN, 100, 0, b"hello");
    b.seg(I, SYN, 100, 0, b"hello");
    // The responder took none of it, so it comes again.
    b.seg(R, SYN | ACK, 500, 101, b"");
    b.seg(I, ACK, 101, 501, b"hello world");
    assert_eq!(b.out(), [bytes(I, b"hello world")]);
    assert!(b.codes().is_empty());
}

// RFC 7413 §3: a receiver that does not take the data of a SYN gets it again, and what it then
// gets may be something else.
#[test]
fn data_in_a_syn_counts_if_it_was_acknowledged() {
    let mut b = Bench::new(Config::default());
    b.seg(I, SYN, 100, 0, b"decoy");
    b.seg(R, SYN | ACK, 500, 101, b"");
    b.seg(I, ACK, 101, 501, b"truth");
    assert_eq!(b.out(), [bytes(I, b"truth")]);
    assert_eq!(b.reassembler.blocks_in_use(), 0);

    let mut b = Bench::new(Config::default());
    b.seg(I, SYN, 100, 0, b"early");
    assert!(b.out().is_empty());
    b.seg(R, SYN | ACK, 500, 106, b"");
    assert_eq!(b.out(), [bytes(I, b"early")]);
    b.seg(I, ACK, 106, 501, b" data");
    assert_eq!(b.out(), [bytes(I, b" data")]);

    // The answer was missed: what comes next tells.
    let mut b = Bench::new(Config::default());
    b.seg(I, SYN, 100, 0, b"early");
    b.seg(I, ACK, 106, 501, b" data");
    assert_eq!(b.out(), [bytes(I, b"early data")]);
    // Nothing comes at all.
    let mut b = Bench::new(Config::default());
    b.seg(I, SYN, 100, 0, b"early");
    b.finish();
    assert_eq!(b.out(), [bytes(I, b"early")]);
    assert!(b.codes().is_empty());
}

// RFC 7413 §3: at the bound of a side, what waits for the answer to a SYN gives way.
#[test]
fn data_behind_an_unanswered_syn_stays_inside_the_bound() {
    let mut config = Config::default();
    config.side_bytes = 8;
    let mut b = Bench::new(config);
    b.seg(I, SYN, 100, 0, b"early");
    b.seg(I, SYN, 100, 0, b"much more than the bound");
    assert!(b.out().is_empty());
    b.seg(R, SYN | ACK, 500, 101, b"");
    b.seg(I, ACK, 101, 501, b"truth");
    b.finish();
    assert!(b.codes().contains(&reason::STREAM_MEMORY));
    assert!(b.out().contains(&bytes(I, b"truth")));
    assert_eq!(b.reassembler.blocks_in_use(), 0);
}

// RFC 9293 §3.10.7.4: what lies beyond the window is not taken, so a reset behind it is not
// expected either.
#[test]
fn a_reset_beyond_the_window_is_not_believed() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 101, 501, &[b'x'; 60_000]);
    b.seg(I, ACK, 60_101, 501, &[b'x'; 60_000]);
    b.seg(I, RST, 120_101, 0, b"");
    assert!(!b.state.is_reset());
    b.seg(R, ACK, 501, 120_101, b"");
    b.seg(I, RST, 120_101, 0, b"");
    assert!(b.state.is_reset());
}

// RFC 9293 §3.8.4: a keep-alive repeats the last number, with or without a byte of garbage.
#[test]
fn keep_alives_are_silent() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 101, 501, b"ab");
    b.seg(I, ACK, 102, 501, b"");
    b.seg(I, ACK, 102, 501, b"\0");
    assert_eq!(b.out(), [bytes(I, b"ab")]);
    assert!(b.codes().is_empty());
    // As the first thing ever seen.
    let mut b = Bench::new(Config::default());
    b.seg(R, ACK, 7_000, 9_000, b"");
    b.seg(I, ACK, 8_999, 7_000, b"\0");
    b.seg(I, ACK, 9_000, 7_000, b"data");
    assert_eq!(b.out(), [bytes(I, b"data")]);
    assert!(b.codes().is_empty());
}

// RFC 9293 §3.8.6.1: a window probe's byte is sent again with what follows it.
#[test]
fn window_probes_are_data_like_any() {
    let mut b = Bench::connected(Config::default());
    let closed = Segment {
        seq: 501,
        ack: 101,
        flags: ACK,
        ..Segment::default()
    };
    b.feed(R, &closed);
    b.seg(I, ACK, 101, 501, b"a");
    b.seg(I, ACK, 101, 501, b"a");
    b.seg(I, ACK, 101, 501, b"abc");
    assert_eq!(b.out(), [bytes(I, b"abc")]);
    assert!(b.codes().is_empty());
}

// RFC 9293 §3.10.7.4: without ACK a segment of a connection is dropped.
#[test]
fn segments_without_ack_are_ignored() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, 0, 101, 0, b"null");
    b.seg(I, FIN, 101, 0, b"fin");
    b.seg(I, ACK, 101, 501, b"real");
    assert_eq!(b.out(), [bytes(I, b"real")]);
}

// RFC 5961 §4: a SYN inside a connection does not change it.
#[test]
fn a_syn_inside_is_ignored() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 101, 501, b"ab");
    b.seg(I, SYN, 5_000, 0, b"EVIL");
    b.seg(I, SYN, 1 << 31, 0, b"EVIL");
    b.seg(I, SYN, 100, 0, b"");
    b.seg(I, ACK, 103, 501, b"cd");
    assert_eq!(b.out(), [bytes(I, b"abcd")]);
    assert_eq!(b.codes(), [reason::STREAM_OUT_OF_WINDOW]);
}

#[test]
fn far_segments_are_ignored() {
    let mut b = Bench::connected(Config::default());
    b.seg(R, ACK, 501, 101, b"");
    b.seg(I, ACK, 101 + 400_000, 501, b"beyond the window");
    b.seg(
        I,
        ACK,
        101u32.wrapping_sub(1 << 30).wrapping_sub(9),
        501,
        b"old",
    );
    assert_eq!(b.codes(), [reason::STREAM_OUT_OF_WINDOW; 2]);
    assert!(b.out().is_empty());
    assert_eq!(b.reassembler.blocks_in_use(), 0);
}

#[test]
fn an_overlap_that_differs_is_told() {
    for (policy, expect) in [
        (OverlapPolicy::FirstWins, b"abCDefGHij"),
        (OverlapPolicy::LastWins, b"abcdefghij"),
    ] {
        let mut config = Config::default();
        config.overlap = policy;
        let mut b = Bench::connected(config);
        b.seg(I, ACK, 103, 501, b"CD");
        b.seg(I, ACK, 107, 501, b"GH");
        b.seg(I, ACK, 103, 501, b"cdef");
        assert_eq!(b.codes(), [reason::STREAM_OVERLAP_DIFFERS]);
        b.seg(I, ACK, 101, 501, b"abcdefghij");
        assert_eq!(b.out(), [bytes(I, expect)]);
        assert_eq!(b.codes(), [reason::STREAM_OVERLAP_DIFFERS; 2]);
        // Delivered bytes stay, but the last of them are compared.
        b.seg(I, ACK, 109, 501, b"IJkl");
        assert_eq!(b.out(), [bytes(I, b"kl")]);
        assert_eq!(b.codes(), [reason::STREAM_OVERLAP_DIFFERS; 3]);
    }
}

#[test]
fn a_hole_the_receiver_does_not_have_stays_open() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 103, 501, b"cd");
    for _ in 0..100 {
        b.seg(R, ACK, 501, 101, b"");
    }
    assert!(b.out().is_empty());
    // Not even when acknowledgments claim what was never sent.
    for _ in 0..100 {
        b.seg(R, ACK, 501, 50_000, b"");
    }
    assert!(b.out().is_empty());
    b.seg(I, ACK, 101, 501, b"ab");
    assert_eq!(b.out(), [bytes(I, b"abcd")]);
}

#[test]
fn an_acknowledged_hole_is_skipped_with_patience() {
    let mut config = Config::default();
    config.ack_segments = 4;
    let mut b = Bench::connected(config);
    b.seg(I, ACK, 103, 501, b"cd");
    for _ in 0..4 {
        b.seg(R, ACK, 501, 105, b"");
        assert!(b.out().is_empty());
    }
    b.seg(R, ACK, 501, 105, b"");
    assert_eq!(b.out(), [Out::Gap(I, 2), bytes(I, b"cd")]);
    assert_eq!(b.codes(), [reason::STREAM_GAP]);
    // Time does as well.
    b.seg(I, ACK, 107, 501, b"gh");
    b.seg(R, ACK, 501, 109, b"");
    assert!(b.out().is_empty());
    b.now += 600_000;
    b.seg(R, ACK, 501, 109, b"");
    assert_eq!(b.out(), [Out::Gap(I, 2), bytes(I, b"gh")]);
}

#[test]
fn a_late_segment_beats_its_early_acknowledgment() {
    let mut b = Bench::connected(Config::default());
    // The capture holds the acknowledgment before the data, as with several receive queues.
    b.seg(R, ACK, 501, 105, b"");
    b.seg(I, ACK, 103, 501, b"cd");
    b.seg(R, ACK, 501, 105, b"");
    b.seg(I, ACK, 101, 501, b"ab");
    assert_eq!(b.out(), [bytes(I, b"abcd")]);
    assert!(b.codes().is_empty());
}

#[test]
fn a_hole_before_fin_is_skipped_when_acknowledged() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK | FIN, 105, 501, b"");
    for _ in 0..9 {
        b.seg(R, ACK, 501, 106, b"");
    }
    assert_eq!(b.out(), [Out::Gap(I, 4), Out::Finished(I)]);
}

#[test]
fn a_jump_both_ends_agree_on_is_followed() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 101, 501, b"ab");
    b.seg(R, ACK, 501, 103, b"");
    let far = 103 + 10_000_000;
    b.seg(I, ACK, far, 501, b"cd");
    assert_eq!(b.codes(), [reason::STREAM_OUT_OF_WINDOW]);
    for _ in 0..3 {
        b.seg(R, ACK, 501, far + 2, b"");
    }
    b.seg(I, ACK, far + 2, 501, b"ef");
    b.seg(I, ACK, far + 4, 501, b"gh");
    assert_eq!(
        b.out(),
        [bytes(I, b"ab"), Out::Gap(I, 10_000_002), bytes(I, b"efgh")]
    );
}

#[test]
fn a_hole_times_out() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 103, 501, b"cd");
    let due = b.reassembler.next_deadline().unwrap();
    assert_eq!(
        due,
        Instant::from_micros(b.now).saturating_add(Duration::from_secs(10))
    );
    assert_eq!(
        b.reassembler.poll_expired(Instant::from_micros(b.now)),
        None
    );
    b.now = due.as_micros();
    assert_eq!(b.reassembler.poll_expired(due), Some(b.flow.id));
    assert_eq!(b.reassembler.poll_expired(due), None);
    let now = Now::new(due, UnixTime::EPOCH);
    let mut actions = ();
    let mut cx = Cx::new(now, &mut b.events, &mut actions);
    b.reassembler
        .expire(&mut b.state, &mut cx, &b.flow, &mut b.tape);
    assert_eq!(b.out(), [Out::Gap(I, 2), bytes(I, b"cd")]);
    assert_eq!(b.reassembler.next_deadline(), None);
    // A segment of the flow does it too.
    b.seg(I, ACK, 107, 501, b"gh");
    b.now += 11_000_000;
    b.seg(R, ACK, 501, 101, b"");
    assert_eq!(b.out(), [Out::Gap(I, 2), bytes(I, b"gh")]);
}

#[test]
fn memory_of_a_forgotten_flow_comes_back() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 103, 501, b"cd");
    b.state = StreamState::default();
    let t = Instant::from_secs(100);
    assert_eq!(b.reassembler.poll_expired(t), Some(b.flow.id));
    assert_eq!(b.reassembler.blocks_in_use(), 1);
    assert_eq!(b.reassembler.poll_expired(Instant::from_secs(111)), None);
    assert_eq!(b.reassembler.blocks_in_use(), 0);
}

#[test]
fn the_bound_of_a_side_skips_its_hole() {
    let mut config = Config::default();
    config.block_size = 4;
    config.side_blocks = 2;
    let mut b = Bench::connected(config);
    b.seg(I, ACK, 103, 501, b"cdef");
    b.seg(I, ACK, 109, 501, b"ij");
    b.seg(I, ACK, 113, 501, b"mn");
    assert_eq!(b.out(), [Out::Gap(I, 2), bytes(I, b"cdef")]);
    assert_eq!(b.codes(), [reason::STREAM_MEMORY, reason::STREAM_GAP]);
    b.seg(I, ACK, 107, 501, b"ghijkl");
    assert_eq!(b.out(), [bytes(I, b"ghijklmn")]);
    // A segment nearer than all that waits is not thrown away for them.
    b.seg(I, ACK, 130, 501, b"..");
    b.seg(I, ACK, 140, 501, b"..");
    b.seg(I, ACK, 120, 501, b"xy");
    assert_eq!(b.out(), [Out::Gap(I, 5), bytes(I, b"xy")]);
    assert_eq!(b.reassembler.waiting_bytes(), 4);
}

#[test]
fn the_bound_of_all_takes_from_who_waited_longest() {
    let mut config = Config::default();
    config.blocks = 2;
    let mut b = Bench::connected(config);
    b.seg(I, ACK, 103, 501, b"cd");
    let first = core::mem::take(&mut b.state);
    b.flow = flow(2);
    b.seg(I, SYN, 100, 0, b"");
    b.seg(I, ACK, 103, 501, b"cd");
    b.seg(I, ACK, 107, 501, b"gh");
    let event = b.events.pop().unwrap();
    assert_eq!(event.code, reason::STREAM_MEMORY);
    assert_eq!(event.flow, Some(FlowId::from_u64(1)));
    assert_eq!(b.reassembler.waiting_sides(), 1);
    // The victim goes on: what it lost is a hole again.
    let second = core::mem::replace(&mut b.state, first);
    b.flow = flow(1);
    b.seg(I, ACK, 101, 501, b"ab");
    assert_eq!(b.out(), [bytes(I, b"ab")]);
    b.finish_one();
    b.state = second;
    b.flow = flow(2);
    b.seg(I, ACK, 101, 501, b"ab");
    assert_eq!(b.out(), [bytes(I, b"abcd")]);
    b.finish();
}

impl Bench {
    fn finish_one(&mut self) {
        let mut actions = ();
        let mut cx = Cx::new(Now::default(), &mut self.events, &mut actions);
        self.reassembler
            .finish(&mut self.state, &mut cx, &self.flow, &mut self.tape);
    }
}

#[test]
fn without_memory_every_hole_is_a_gap() {
    let mut config = Config::default();
    config.blocks = 0;
    let mut b = Bench::connected(config);
    b.seg(I, ACK, 103, 501, b"cd");
    b.seg(I, ACK, 105, 501, b"ef");
    assert_eq!(b.out(), [Out::Gap(I, 2), bytes(I, b"cdef")]);
    b.finish();
}

#[test]
fn the_end_delivers_what_waits() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK, 103, 501, b"cd");
    b.seg(I, ACK | FIN, 110, 501, b"");
    b.seg(R, ACK, 511, 101, b"zz");
    b.finish();
    assert_eq!(
        b.out(),
        [
            Out::Gap(I, 2),
            bytes(I, b"cd"),
            Out::Gap(I, 5),
            Out::Finished(I),
            Out::Gap(R, 10),
            bytes(R, b"zz"),
        ]
    );
}

#[test]
fn who_has_enough_gets_no_more() {
    let mut b = Bench::connected(Config::default());
    b.tape.stop = Some(Interest::EnoughFromSide);
    b.seg(I, ACK, 101, 501, b"ab");
    b.seg(I, ACK, 103, 501, b"cd");
    b.seg(I, ACK, 120, 501, b"later");
    assert_eq!(b.out(), [bytes(I, b"ab")]);
    assert_eq!(b.reassembler.blocks_in_use(), 0);
    b.tape.stop = Some(Interest::More);
    b.seg(R, ACK, 501, 101, b"xy");
    b.tape.stop = Some(Interest::Enough);
    b.seg(R, ACK, 503, 101, b"z");
    b.seg(R, ACK, 504, 101, b"no more");
    assert!(b.state.is_ignored(I) && b.state.is_ignored(R));
    // Ends are still followed.
    b.seg(I, ACK | FIN, 125, 501, b"");
    b.seg(R, RST, 511, 0, b"");
    assert_eq!(b.out(), [bytes(R, b"xyz"), Out::Finished(I), Out::Reset(R)]);
}

#[test]
fn what_the_capture_cut_off_is_a_hole() {
    let cut = Segment {
        seq: 101,
        ack: 501,
        flags: ACK | FIN,
        payload: b"abcd",
        cut: 100,
        ..Segment::default()
    };
    let mut b = Bench::connected(Config::default());
    b.feed(I, &cut);
    assert_eq!(b.out(), [bytes(I, b"abcd")]);
    for _ in 0..9 {
        b.seg(R, ACK, 501, 206, b"");
    }
    assert_eq!(b.out(), [Out::Gap(I, 100), Out::Finished(I)]);
    // A length that lies does not hide what comes after it.
    let mut b = Bench::connected(Config::default());
    b.feed(I, &Segment { flags: ACK, ..cut });
    b.seg(I, ACK, 105, 501, b"efgh");
    assert_eq!(b.out(), [bytes(I, b"abcdefgh")]);
}

#[test]
fn a_segment_is_read_from_its_packet() {
    // Window scale 7 behind a no-operation; four bytes of payload of ten.
    let mut p = vec![0x45, 0, 0, 54, 0, 1, 0x40, 0, 64, 6, 0, 0];
    p.extend_from_slice(&[10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0x01, 0xbb]);
    p.extend_from_slice(&[0, 0, 0, 5, 0, 0, 0, 6, 0x60, SYN, 0x20, 0, 0, 0, 0, 0]);
    p.extend_from_slice(&[1, 3, 3, 7]);
    p.extend_from_slice(b"abcd");
    let packet = Packet::parse(&p, Meta::default());
    let segment = Segment::of(&packet).unwrap();
    let expect = Segment {
        seq: 5,
        ack: 6,
        flags: SYN,
        window: 0x2000,
        scale: Some(7),
        payload: b"abcd",
        cut: 6,
    };
    assert_eq!(segment, expect);
    assert_eq!(segment.length(), 10);
    // Fragments and other protocols are none.
    p[6] = 0x20;
    assert_eq!(Segment::of(&Packet::parse(&p, Meta::default())), None);
    p[6] = 0;
    p[9] = 17;
    assert_eq!(Segment::of(&Packet::parse(&p, Meta::default())), None);
}

/// Cuts `data` into segments that cover it, with some repeated or overlapping, in any order.
fn shuffled(u: &mut Unstructured<'_>, len: usize) -> arbitrary::Result<Vec<(usize, usize)>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < len {
        let end = (at + u.int_in_range(1..=40)?).min(len);
        let back = u.int_in_range(0..=at.min(20))?;
        parts.push((at - back, end));
        at = end;
    }
    for _ in 0..u.int_in_range(0..=10)? {
        let a = u.int_in_range(0..=len - 1)?;
        let b = u.int_in_range(a + 1..=len.min(a + 60))?;
        parts.push((a, b));
    }
    // Local or global disorder.
    let reach = *u.choose(&[0, 3, 1000])?;
    for i in 0..parts.len() {
        let j = (i + u.int_in_range(0..=reach)?).min(parts.len() - 1);
        parts.swap(i, j);
    }
    Ok(parts)
}

#[test]
fn any_order_and_repetition_gives_the_stream() {
    arbtest::arbtest(|u| {
        let mut config = Config::default();
        config.block_size = u.int_in_range(1..=64)?;
        config.side_blocks = 4096;
        config.overlap = *u.choose(&[OverlapPolicy::FirstWins, OverlapPolicy::LastWins])?;
        let mut b = Bench::new(config);
        let isn: u32 = u.arbitrary()?;
        let len = u.int_in_range(1..=600)?;
        let data: Vec<u8> = (0..len).map(|i| (i * 7 + i / 256) as u8).collect();
        let parts = shuffled(u, len)?;
        let fin = u.arbitrary()?;
        b.seg(R, SYN, isn, 0, b"");
        for (from, to) in parts {
            let seq = isn.wrapping_add(1 + from as u32);
            let flags = if fin && to == len { ACK | FIN } else { ACK };
            b.seg(R, flags, seq, 1, &data[from..to]);
        }
        let mut expect = vec![bytes(R, &data)];
        if fin {
            expect.push(Out::Finished(R));
        }
        assert_eq!(b.out(), expect);
        assert!(b.codes().is_empty());
        assert_eq!(b.reassembler.blocks_in_use(), 0);
        b.finish();
        assert!(b.out().is_empty());
        Ok(())
    });
}

/// One byte per number: what waits, and how far it is delivered.
struct Model {
    waits: Vec<Option<u8>>,
    next: usize,
    out: Vec<u8>,
    last_wins: bool,
    differs: bool,
}

impl Model {
    fn segment(&mut self, at: usize, data: &[u8]) {
        for (i, b) in data.iter().enumerate().map(|(i, b)| (at + i, *b)) {
            if i >= self.next {
                let cell = &mut self.waits[i];
                self.differs |= cell.is_some_and(|old| old != b);
                if cell.is_none() || self.last_wins {
                    *cell = Some(b);
                }
            } else if self.next - i <= hostward_hook::stream::REMEMBERED {
                self.differs |= self.out[i] != b;
            }
        }
        while let Some(b) = self.waits[self.next] {
            self.out.push(b);
            self.next += 1;
        }
    }
}

#[test]
fn differing_overlaps_follow_the_policy() {
    arbtest::arbtest(|u| {
        let mut config = Config::default();
        config.block_size = u.int_in_range(1..=32)?;
        config.side_blocks = 4096;
        let last_wins = u.arbitrary()?;
        if last_wins {
            config.overlap = OverlapPolicy::LastWins;
        }
        let mut b = Bench::new(config);
        let isn: u32 = u.arbitrary()?;
        let mut model = Model {
            waits: vec![None; 400],
            next: 0,
            out: Vec::new(),
            last_wins,
            differs: false,
        };
        b.seg(I, SYN, isn, 0, b"");
        for _ in 0..u.int_in_range(1..=40)? {
            let at = u.int_in_range(0..=200)?;
            let data: Vec<u8> = (0..u.int_in_range(1..=50)?)
                .map(|_| Ok(*u.choose(b"xy")?))
                .collect::<arbitrary::Result<_>>()?;
            // One byte before the next is a keep-alive, whatever it is.
            let keep_alive = at + 1 == model.next && data.len() == 1;
            if !keep_alive {
                model.segment(at, &data);
            }
            b.seg(I, ACK, isn.wrapping_add(1 + at as u32), 1, &data);
            assert_eq!(
                b.state.expected(I),
                Some(isn.wrapping_add(1 + model.next as u32))
            );
            let waits = model.waits[model.next..].iter().flatten().count();
            assert_eq!(b.reassembler.waiting_bytes(), waits as u64);
        }
        let got: Vec<u8> = b
            .out()
            .into_iter()
            .flat_map(|o| match o {
                Out::Bytes(I, bytes) => bytes,
                other @ (Out::Bytes(..) | Out::Gap(..) | Out::Finished(_) | Out::Reset(_)) => {
                    panic!("{other:?}")
                }
            })
            .collect();
        assert_eq!(got, model.out);
        assert_eq!(
            b.codes().contains(&reason::STREAM_OVERLAP_DIFFERS),
            model.differs
        );
        b.finish();
        Ok(())
    });
}

/// Anything at all: bounds hold (asserted by `feed`), numbers add up, nothing is left behind.
#[test]
fn bounds_hold_whatever_comes() {
    arbtest::arbtest(|u| {
        let mut config = Config::default();
        config.block_size = u.int_in_range(1..=16)?;
        config.blocks = u.int_in_range(0..=12)?;
        config.side_blocks = u.int_in_range(0..=8)?;
        config.side_bytes = u.int_in_range(0..=64)?;
        config.ack_segments = u.int_in_range(0..=3)?;
        let mut b = Bench::new(config);
        let base: u32 = u.arbitrary()?;
        while !u.is_empty() {
            let len = u.int_in_range(0..=40)?;
            let payload = u.bytes(len.min(u.len()))?;
            let segment = Segment {
                seq: base.wrapping_add(u.int_in_range(0..=300)?),
                ack: base.wrapping_add(u.int_in_range(0..=300)?),
                flags: u.arbitrary::<u8>()? & u.arbitrary::<u8>()? | ACK,
                window: u.arbitrary()?,
                scale: None,
                payload,
                cut: u32::from(u.ratio(1, 20)?),
            };
            let from = *u.choose(&[I, R])?;
            b.now += u64::from(u.arbitrary::<u32>()? >> 10);
            b.feed(from, &segment);
        }
        b.finish();
        Ok(())
    });
}

#[test]
fn a_fin_sent_twice_at_two_places_without_data_is_silent() {
    let mut b = Bench::connected(Config::default());
    b.seg(I, ACK | FIN, 101, 501, b"ab");
    b.seg(I, ACK | FIN, 104, 501, b"");
    assert_eq!(b.out(), [bytes(I, b"ab"), Out::Finished(I)]);
    assert!(b.codes().is_empty());
}
