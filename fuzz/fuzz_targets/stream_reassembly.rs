//! Any segments of one connection: the bounds hold, every delivered byte is one that was sent for
//! its place, bytes and gaps add up to the numbers, nothing is left behind. Without acknowledgments,
//! time and bounds in the way the stream is exactly what a byte-by-byte model delivers.
#![no_main]

use hostward_hook::hooks::Interest;
use hostward_hook::layout::tcp_flags::{ACK, SYN};
use hostward_hook::stream::{Config, OverlapPolicy, Reassembler, Segment, StreamSink, StreamState};
use hostward_hook::{Cx, FlowId, FlowInfo, FlowKey, Instant, Meta, Now, Side, UnixTime};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

#[derive(Default)]
struct Tape {
    bytes: [Vec<u8>; 2],
    position: [u64; 2],
    ended: [bool; 2],
    reset: bool,
    answer: Option<Interest>,
}

impl StreamSink for Tape {
    fn bytes(&mut self, _: &mut Cx<'_>, _: &FlowInfo, from: Side, data: &[u8]) -> Interest {
        assert!(!data.is_empty() && !self.ended[from.index()] && !self.reset);
        self.bytes[from.index()].extend_from_slice(data);
        self.position[from.index()] += data.len() as u64;
        self.answer.unwrap_or(Interest::More)
    }

    fn gap(&mut self, _: &mut Cx<'_>, _: &FlowInfo, from: Side, missing: u32) -> Interest {
        assert!(missing > 0 && !self.ended[from.index()] && !self.reset);
        self.position[from.index()] += u64::from(missing);
        self.answer.unwrap_or(Interest::More)
    }

    fn finished(&mut self, _: &mut Cx<'_>, _: &FlowInfo, from: Side) {
        assert!(!self.ended[from.index()] && !self.reset);
        self.ended[from.index()] = true;
    }

    fn reset(&mut self, _: &mut Cx<'_>, _: &FlowInfo, _: Side) {
        assert!(!self.reset);
        self.reset = true;
    }
}

fn flow() -> FlowInfo {
    let key = FlowKey::v4([10, 0, 0, 1, 10, 0, 0, 2], 40_000, 443, 6);
    FlowInfo::new(FlowId::from_u64(1), key, &Meta::default(), 1)
}

fn policy(u: &mut Unstructured<'_>) -> Result<OverlapPolicy> {
    Ok(*u.choose(&[OverlapPolicy::FirstWins, OverlapPolicy::LastWins])?)
}

/// Small bounds, both sides, all flags, time passing, observers losing interest.
fn anything(u: &mut Unstructured<'_>) -> Result<()> {
    let mut config = Config::default();
    config.block_size = u.int_in_range(1..=32)?;
    config.blocks = u.int_in_range(0..=16)?;
    config.side_blocks = u.int_in_range(0..=10)?;
    config.side_bytes = u.int_in_range(0..=128)?;
    config.ack_segments = u.int_in_range(0..=3)?;
    config.window_slack = u.int_in_range(0..=2000)?;
    config.overlap = policy(u)?;
    let mut reassembler = Reassembler::new(config);
    // The second state competes for memory.
    let mut states = [StreamState::default(), StreamState::default()];
    let mut tapes = [Tape::default(), Tape::default()];
    let flow = flow();
    let base: u32 = u.arbitrary()?;
    let mut micros = 0_u64;
    while !u.is_empty() {
        let which = usize::from(u.ratio(1, 4)?);
        let (state, tape) = (&mut states[which], &mut tapes[which]);
        let side = if u.arbitrary()? {
            Side::Initiator
        } else {
            Side::Responder
        };
        let far = if u.ratio(1, 16)? {
            u.arbitrary::<u32>()?
        } else {
            0
        };
        let length = u.int_in_range(0..=60)?;
        let segment = Segment {
            seq: base
                .wrapping_add(u.int_in_range(0..=300)?)
                .wrapping_add(far),
            ack: base
                .wrapping_add(u.int_in_range(0..=300)?)
                .wrapping_add(far),
            flags: u.arbitrary::<u8>()? & u.arbitrary::<u8>()?
                | if u.ratio(15, 16)? { ACK } else { 0 },
            window: u.arbitrary()?,
            scale: u.arbitrary()?,
            payload: u.bytes(length.min(u.len()))?,
            cut: if u.ratio(1, 16)? {
                u.arbitrary::<u32>()? >> u.int_in_range(0..=31)?
            } else {
                0
            },
        };
        micros += u64::from(u.arbitrary::<u16>()?) * 64;
        tape.answer = Some(match u.int_in_range(0..=63)? {
            0 => Interest::Enough,
            1 => Interest::EnoughFromSide,
            _ => Interest::More,
        });
        let now = Now::new(Instant::from_micros(micros), UnixTime::EPOCH);
        let (mut events, mut actions) = ((), ());
        let mut cx = Cx::new(now, &mut events, &mut actions);
        let before = (state.expected(side), tape.position[side.index()]);
        // A SYN may correct where an unseen stream was thought to begin.
        let quiet = !state.is_ignored(side) && !segment.has(SYN);
        reassembler.segment(state, &mut cx, &flow, side, &segment, tape);
        // Bytes and gaps are what the numbers moved by.
        if let (Some(from), Some(to)) = (before.0, state.expected(side))
            && quiet
            && !state.is_ignored(side)
            && !state.is_finished(side)
        {
            let moved = to.wrapping_sub(from);
            assert_eq!(u64::from(moved), tape.position[side.index()] - before.1);
        }
        if u.ratio(1, 16)? {
            let _ = reassembler.poll_expired(now.mono);
            reassembler.expire(state, &mut cx, &flow, tape);
        }
        assert!(reassembler.blocks_in_use() <= config.blocks);
        assert!(reassembler.blocks_in_use() <= 4 * config.side_blocks);
        assert!(reassembler.waiting_bytes() <= 4 * u64::from(config.side_bytes));
        assert!(reassembler.waiting_sides() <= 4);
    }
    for (state, tape) in states.iter_mut().zip(&mut tapes) {
        let (mut events, mut actions) = ((), ());
        let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
        reassembler.finish(state, &mut cx, &flow, tape);
    }
    assert_eq!(reassembler.blocks_in_use(), 0);
    assert_eq!(reassembler.waiting_bytes(), 0);
    assert_eq!(reassembler.waiting_sides(), 0);
    Ok(())
}

/// One side, room enough: what a model delivers that keeps one cell for each number.
fn like_the_model(u: &mut Unstructured<'_>) -> Result<()> {
    let mut config = Config::default();
    config.block_size = u.int_in_range(1..=32)?;
    config.side_blocks = 4096;
    config.overlap = policy(u)?;
    let mut reassembler = Reassembler::new(config);
    let mut state = StreamState::default();
    let mut tape = Tape::default();
    let flow = flow();
    let isn: u32 = u.arbitrary()?;
    let (mut events, mut actions) = ((), ());
    let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
    let syn = Segment {
        seq: isn,
        flags: SYN,
        ..Segment::default()
    };
    reassembler.segment(&mut state, &mut cx, &flow, Side::Initiator, &syn, &mut tape);
    let mut waits: Vec<Option<u8>> = vec![None; 2000];
    let mut next = 0;
    let mut model = Vec::new();
    while !u.is_empty() {
        let at = u.int_in_range(0..=1000_usize)?;
        let length = u.int_in_range(0..=200)?;
        let payload = u.bytes(length.min(u.len()))?;
        let keep_alive = at + 1 == next && payload.len() <= 1;
        for (i, byte) in payload.iter().enumerate().filter(|_| !keep_alive) {
            let cell = &mut waits[at + i];
            if at + i >= next && (cell.is_none() || config.overlap == OverlapPolicy::LastWins) {
                *cell = Some(*byte);
            }
        }
        while let Some(byte) = waits[next] {
            model.push(byte);
            next += 1;
        }
        let seq = isn.wrapping_add(1 + at as u32);
        let segment = Segment {
            seq,
            flags: ACK,
            payload,
            ..Segment::default()
        };
        reassembler.segment(
            &mut state,
            &mut cx,
            &flow,
            Side::Initiator,
            &segment,
            &mut tape,
        );
        assert_eq!(tape.bytes[0], model);
        let waiting = waits[next..].iter().flatten().count();
        assert_eq!(reassembler.waiting_bytes(), waiting as u64);
    }
    reassembler.finish(&mut state, &mut cx, &flow, &mut tape);
    model.extend(waits[next..].iter().flatten());
    assert_eq!(tape.bytes[0], model);
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let mut u = Unstructured::new(data);
    let _ = match u.arbitrary() {
        Ok(true) => like_the_model(&mut u),
        _ => anything(&mut u),
    };
});
