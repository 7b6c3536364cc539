//! The flow table against a plain map, at its bound, and under attack.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use std::collections::HashMap;
use std::net::SocketAddr;

use hostward_hook::flow::{
    Belongs, FlowConfig, FlowKey, FlowState, FlowTable, Found, HashKey, Note, Room, TcpSegment,
};
use hostward_hook::layout::proto;
use hostward_hook::layout::tcp_flags::{ACK, FIN, RST, SYN};
use hostward_hook::reason::{FLOW_SHARE_EXCEEDED, FLOW_TABLE_FULL};
use hostward_hook::{Direction, FlowId, Instant, Meta, Now, Point, Side, UnixTime};

fn key(src: [u8; 4], sport: u16, dst: [u8; 4], dport: u16) -> FlowKey {
    FlowKey::new(
        SocketAddr::from((src, sport)),
        SocketAddr::from((dst, dport)),
        6,
    )
    .unwrap()
}

fn at(secs: u64) -> Now {
    Now::new(
        Instant::from_secs(secs),
        UnixTime::from_secs(1_000_000 + secs),
    )
}

fn meta(secs: u64) -> Meta {
    Meta::new(Point::LocalIn, at(secs))
}

fn table(capacity: usize, secret: u8) -> FlowTable<u32> {
    FlowTable::new(
        FlowConfig {
            capacity,
            ..FlowConfig::default()
        },
        HashKey::new([secret; 16]),
    )
}

fn seg(flags: u8, seq: u32, ack: u32) -> TcpSegment {
    TcpSegment {
        flags,
        seq,
        ack,
        window: 1000,
        len: 0,
    }
}

/// What a host does with the first packet of a flow.
fn open(t: &mut FlowTable<u32>, k: &FlowKey, secs: u64) -> Result<FlowId, u16> {
    match t.room(k, &meta(secs), Direction::Inbound) {
        Room::Free => {}
        Room::Evict(id) => {
            t.remove(id).unwrap();
        }
        Room::Refused(reason) => return Err(reason.get()),
    }
    Ok(t.insert(k, &meta(secs), Direction::Inbound, 1).unwrap())
}

fn establish(t: &mut FlowTable<u32>, k: &FlowKey, secs: u64) -> FlowId {
    let id = open(t, k, secs).unwrap();
    let (i, r) = (
        Found::new(id, Side::Initiator),
        Found::new(id, Side::Responder),
    );
    assert!(t.update(i, Some(&seg(SYN, 100, 0)), 40, at(secs), None));
    assert!(t.update(r, Some(&seg(SYN | ACK, 900, 101)), 40, at(secs), None));
    assert!(t.update(i, Some(&seg(ACK, 101, 901)), 40, at(secs), None));
    assert_eq!(t.state(id), Some(FlowState::Established));
    id
}

#[test]
fn equals_a_plain_map() {
    arbtest::arbtest(|u| {
        let mut t = table(64, u.arbitrary()?);
        let mut model: HashMap<(FlowKey, bool), FlowId> = HashMap::new();
        while !u.is_empty() {
            let a = [10, 0, 0, u.int_in_range(0..=3)?];
            let b = [10, 0, 0, u.int_in_range(0..=3)?];
            let k = key(a, u.int_in_range(0..=3)?, b, u.int_in_range(0..=3)?);
            // The same endpoints on both sides leave no direction to tell.
            if k == k.reversed() {
                continue;
            }
            match u.int_in_range(0..=2)? {
                0 => {
                    let known = model.contains_key(&(k, true)) || model.contains_key(&(k, false));
                    if !known
                        && t.len() < 40
                        && t.room(&k, &meta(0), Direction::Outbound) == Room::Free
                    {
                        let id = t.insert(&k, &meta(0), Direction::Outbound, 1).unwrap();
                        model.insert((k, true), id);
                        model.insert((k.reversed(), false), id);
                    }
                }
                1 => {
                    if let Some(id) = model.remove(&(k, true)) {
                        model.remove(&(k.reversed(), false));
                        assert_eq!(t.remove(id).unwrap().0.key, k);
                        assert!(t.remove(id).is_none(), "a stale name finds nothing");
                    }
                }
                _ => {}
            }
            let expected = model
                .get(&(k, true))
                .map(|id| Found::new(*id, Side::Initiator))
                .or_else(|| {
                    model
                        .get(&(k, false))
                        .map(|id| Found::new(*id, Side::Responder))
                });
            assert_eq!(t.lookup(&k), expected);
            let mut batch = [None; 3];
            t.lookup_batch(&[None, Some(k), Some(k.reversed())], &mut batch);
            assert_eq!(batch[0], None);
            assert_eq!(batch[1], expected);
            assert_eq!(batch[2], t.lookup(&k.reversed()));
            assert_eq!(t.len() * 2, model.len());
            assert_eq!(t.ids().count(), t.len());
        }
        Ok(())
    })
    .budget_ms(2_000);
}

#[test]
fn ipv6_flows_are_told_apart_by_every_byte() {
    let mut t = table(4096, 3);
    let base: [u8; 16] = [0x20; 16];
    let mut keys = Vec::new();
    for i in 0..16 {
        let mut a = base;
        a[i] ^= 1;
        let src = SocketAddr::from((a, 1));
        let dst = SocketAddr::from((base, 2));
        keys.push(FlowKey::new(src, dst, 17).unwrap());
    }
    let ids: Vec<_> = keys
        .iter()
        .map(|k| t.insert(k, &meta(0), Direction::Outbound, 0).unwrap())
        .collect();
    for (k, id) in keys.iter().zip(&ids) {
        assert_eq!(
            t.lookup(&k.reversed()),
            Some(Found::new(*id, Side::Responder))
        );
        assert_eq!(&t.info(*id).unwrap().key, k);
    }
}

/// An attacker who knew the key could fill one pair of buckets; with another key the same
/// addresses spread like any others.
#[test]
fn chosen_keys_collide_only_if_the_secret_is_known() {
    let crowd = |secret: u8, keys: &[FlowKey]| {
        let mut t = table(64, secret);
        keys.iter()
            .filter(|k| match t.room(k, &meta(0), Direction::Outbound) {
                Room::Free => t.insert(k, &meta(0), Direction::Outbound, 0).is_err(),
                Room::Evict(_) | Room::Refused(_) => true,
            })
            .count()
    };
    // With the key at hand one can choose flows that all share two buckets.
    let known = 1;
    let probe = table(64, known);
    let mut chosen: Vec<FlowKey> = Vec::new();
    for n in 0..2_000_000_u32 {
        let [a, b, c, d] = n.to_be_bytes();
        let k = key([10, b, c, d], 1024 + u16::from(a), [192, 0, 2, 1], 80);
        if probe.buckets_of(&k) == (7, 3) {
            chosen.push(k);
        }
        if chosen.len() == 40 {
            break;
        }
    }
    assert_eq!(chosen.len(), 40);
    assert!(
        crowd(known, &chosen) > 0,
        "a known key makes the attack work"
    );
    for secret in 2..20 {
        assert_eq!(crowd(secret, &chosen), 0, "secret {secret}");
    }
}

#[test]
fn a_million_half_open_flows_stay_inside_the_bound_and_spare_connections() {
    let mut t = table(10_000, 9);
    let kept: Vec<_> = (0..2_000_u16)
        .map(|i| {
            establish(
                &mut t,
                &key([198, 51, 100, 7], 1000 + i, [192, 0, 2, 1], 443),
                1,
            )
        })
        .collect();
    let (mut refused, mut made) = (0, 0);
    for n in 0..1_000_000_u32 {
        let [a, b, c, d] = (n.wrapping_mul(0x9e37_79b1)).to_be_bytes();
        let k = key([a, b, c, d], 4000, [192, 0, 2, 1], 80);
        if t.lookup(&k).is_some() {
            continue;
        }
        match open(&mut t, &k, 2) {
            Ok(id) => {
                made += 1;
                t.update(
                    Found::new(id, Side::Initiator),
                    Some(&seg(SYN, n, 0)),
                    40,
                    at(2),
                    None,
                );
            }
            Err(_) => refused += 1,
        }
        assert!(t.len() <= t.capacity());
    }
    assert!(
        made > 900_000,
        "new ones still get in: {made} made, {refused} refused"
    );
    assert!(t.len() > 9_900);
    for id in kept {
        assert_eq!(t.state(id), Some(FlowState::Established));
    }
}

#[test]
fn one_source_cannot_crowd_out_the_others() {
    let mut t = table(8_000, 5);
    for i in 0..5_999_u16 {
        let n = i.to_be_bytes();
        establish(
            &mut t,
            &key([10, 1, n[0], n[1]], 1000, [192, 0, 2, 1], 443),
            1,
        );
    }
    // From three quarters on a source has an eighth of the table.
    let mut got = 0;
    let mut refused = 0;
    for port in 1000..9_000_u16 {
        let k = key([203, 0, 113, 66], port, [192, 0, 2, 1], 443);
        match open(&mut t, &k, 1) {
            Ok(id) => {
                let (i, r) = (
                    Found::new(id, Side::Initiator),
                    Found::new(id, Side::Responder),
                );
                t.update(i, Some(&seg(SYN, 1, 0)), 40, at(1), None);
                t.update(r, Some(&seg(SYN | ACK, 1, 2)), 40, at(1), None);
                t.update(i, Some(&seg(ACK, 2, 2)), 40, at(1), None);
                got += 1;
            }
            Err(code) => {
                refused += u32::from(code == FLOW_SHARE_EXCEEDED.get());
            }
        }
    }
    assert!(
        (900..=1_001).contains(&got),
        "{got} taken, {refused} refused"
    );
    // Others still get in, but for the few whose sixteen places are all taken by connections.
    let others = (0..500_u16)
        .filter(|i| {
            let n = i.to_be_bytes();
            open(
                &mut t,
                &key([10, 2, n[0], n[1]], 1000, [192, 0, 2, 1], 443),
                1,
            )
            .is_ok()
        })
        .count();
    assert!(others >= 490, "{others} of 500");
}

#[test]
fn a_table_full_of_connections_refuses() {
    let mut t = table(64, 5);
    let mut refusals = 0;
    let own = Meta::new(Point::LocalOut, at(1));
    for i in 0..200_u8 {
        let k = key([10, 0, 0, i], 1000, [192, 0, 2, 1], 443);
        match t.room(&k, &own, Direction::Outbound) {
            Room::Free => {
                let id = t.insert(&k, &own, Direction::Outbound, 1).unwrap();
                let (i, r) = (
                    Found::new(id, Side::Initiator),
                    Found::new(id, Side::Responder),
                );
                t.update(i, Some(&seg(SYN, 1, 0)), 40, at(1), None);
                t.update(r, Some(&seg(SYN | ACK, 1, 2)), 40, at(1), None);
                t.update(i, Some(&seg(ACK, 2, 2)), 40, at(1), None);
            }
            Room::Refused(reason) => {
                assert_eq!(reason, FLOW_TABLE_FULL);
                refusals += 1;
            }
            Room::Evict(id) => panic!("evicts {:?}", t.state(id)),
        }
    }
    assert_eq!(t.len() + refusals, 200);
    assert_eq!(t.len(), 64);
}

// RFC 5382 §5, RFC 4787 §4.3: how long silent flows are kept.
#[test]
fn silence_ends_flows_by_their_state() {
    let mut t = table(64, 1);
    let k = key([10, 0, 0, 1], 1, [10, 0, 0, 2], 80);
    let id = open(&mut t, &k, 0).unwrap();
    t.update(
        Found::new(id, Side::Initiator),
        Some(&seg(SYN, 1, 0)),
        40,
        at(0),
        None,
    );
    let f = t.lookup(&k).unwrap();
    assert_eq!(t.belongs(f, None, at(30).mono), Belongs::Yes);
    assert_eq!(t.belongs(f, None, at(31).mono), Belongs::Expired);
    let long = key([10, 0, 0, 1], 2, [10, 0, 0, 2], 80);
    let established = establish(&mut t, &long, 0);
    // Forty sweeps cover the table more than once.
    let mut gone = Vec::new();
    for step in 0..40 {
        let now = Instant::from_millis(31_001 + step * 250);
        let mut sweep = t.sweep(now).unwrap();
        assert!(t.sweep(now).is_none(), "not due twice");
        while let Some(id) = t.expired(&mut sweep) {
            gone.push(id);
            t.remove(id).unwrap();
        }
    }
    assert_eq!(gone, [id]);
    assert!(t.contains(established));
    assert_eq!(
        t.belongs(
            Found::new(established, Side::Initiator),
            None,
            at(7_441).mono
        ),
        Belongs::Expired
    );
}

/// RFC 5961 section 4: a SYN inside a connection changes nothing until the other side answers it.
#[test]
fn a_new_connection_between_the_same_ports_must_be_answered() {
    let mut t = table(64, 1);
    let k = key([10, 0, 0, 1], 1, [10, 0, 0, 2], 80);
    let id = establish(&mut t, &k, 0);
    let (i, r) = (
        Found::new(id, Side::Initiator),
        Found::new(id, Side::Responder),
    );
    assert_eq!(
        t.belongs(i, Some(&seg(SYN, 77_000, 0)), at(1).mono),
        Belongs::Yes
    );
    let answer = seg(SYN | ACK, 5, 77_001);
    assert_eq!(
        t.belongs(r, Some(&answer), at(1).mono),
        Belongs::Yes,
        "a packet that was only looked at changed nothing"
    );
    assert!(!t.update(i, Some(&seg(SYN, 77_000, 0)), 40, at(1), None));
    assert_eq!(
        t.belongs(r, Some(&seg(SYN | ACK, 5, 1)), at(1).mono),
        Belongs::Yes
    );
    assert_eq!(
        t.belongs(r, Some(&answer), at(1).mono),
        Belongs::Reused(Side::Initiator)
    );
    // After a reset a SYN alone begins anew.
    t.update(r, Some(&seg(RST, 901, 0)), 40, at(1), None);
    assert_eq!(t.state(id), Some(FlowState::Reset));
    assert_eq!(
        t.belongs(i, Some(&seg(SYN, 500, 0)), at(2).mono),
        Belongs::Reused(Side::Initiator)
    );
}

// RFC 9293 §3.3.2: the states a connection goes through.
#[test]
fn an_orderly_close_is_followed_to_its_end() {
    let mut t = table(64, 1);
    let k = key([10, 0, 0, 1], 1, [10, 0, 0, 2], 80);
    let id = establish(&mut t, &k, 0);
    let (i, r) = (
        Found::new(id, Side::Initiator),
        Found::new(id, Side::Responder),
    );
    t.update(i, Some(&seg(FIN | ACK, 101, 901)), 40, at(1), None);
    assert_eq!(t.state(id), Some(FlowState::HalfClosed));
    t.update(r, Some(&seg(FIN | ACK, 901, 102)), 40, at(1), None);
    t.update(i, Some(&seg(ACK, 102, 902)), 40, at(1), None);
    assert_eq!(t.state(id), Some(FlowState::Closed));
    assert_eq!(t.info(id).unwrap().packets(), 6);
    assert_eq!(t.info(id).unwrap().bytes(), 240);
}

/// Whoever sends packets from addresses of others sees no answers, and so cannot make connections
/// that the bound spares.
#[test]
fn made_up_connections_give_way() {
    let mut t = table(1_000, 4);
    let mut kept = Vec::new();
    for n in 0..100_u16 {
        let k = key([198, 51, 100, 7], 1000 + n, [192, 0, 2, 1], 443);
        kept.push(establish(&mut t, &k, 1));
    }
    for n in 0..20_000_u32 {
        let [a, b, c, d] = n.wrapping_mul(0x9e37_79b1).to_be_bytes();
        let k = key([a, b, c, d], 4000, [192, 0, 2, 1], 80);
        let Ok(id) = open(&mut t, &k, 2) else {
            continue;
        };
        let (i, r) = (
            Found::new(id, Side::Initiator),
            Found::new(id, Side::Responder),
        );
        if n % 2 == 0 {
            // A segment out of nowhere.
            t.update(i, Some(&seg(ACK, n, n)), 40, at(2), None);
        } else {
            // A handshake whose last part is guessed.
            t.update(i, Some(&seg(SYN, n, 0)), 40, at(2), None);
            t.update(r, Some(&seg(SYN | ACK, 77, n + 1)), 40, at(2), None);
            t.update(i, Some(&seg(ACK, n + 1, 1 << 30)), 40, at(2), None);
        }
    }
    assert!(kept.iter().all(|id| t.contains(*id)));
    let others = (0..500_u16).filter(|n| {
        let k = key([10, 3, 0, 1], 1000 + n, [192, 0, 2, 1], 443);
        matches!(
            t.room(&k, &Meta::new(Point::LocalOut, at(3)), Direction::Outbound),
            Room::Free | Room::Evict(_)
        )
    });
    assert_eq!(others.count(), 500);
}

/// Who opened a flow that was met in the middle is a guess; the share is that of the host whose
/// packet it was.
#[test]
fn a_source_cannot_charge_its_flows_to_this_host() {
    let mut t = table(800, 4);
    let remote = |n: u16| key([203, 0, 113, 9], 80, [192, 0, 2, 1], 2000 + n);
    let mut got = 0;
    for n in 0..800 {
        let k = remote(n).reversed();
        if matches!(t.room(&k, &meta(1), Direction::Outbound), Room::Free) {
            t.insert(&k, &meta(1), Direction::Outbound, 1).unwrap();
            got += 1;
        }
    }
    assert_eq!(got, 600, "three quarters of the table");
    // This host's own packets are exempt, and what is removed is counted back.
    let own = Meta::new(Point::LocalOut, at(1));
    let k = key([192, 0, 2, 1], 9, [203, 0, 113, 9], 80);
    assert_eq!(t.room(&k, &own, Direction::Outbound), Room::Free);
    let all: Vec<FlowId> = t.ids().collect();
    for id in &all[..550] {
        t.remove(*id).unwrap();
    }
    for n in 0..550_u16 {
        let b = n.to_be_bytes();
        let k = key([10, 9, b[0], b[1]], 1, [192, 0, 2, 1], 80);
        open(&mut t, &k, 1).unwrap();
    }
    let k = remote(900).reversed();
    assert_eq!(t.room(&k, &meta(1), Direction::Outbound), Room::Free);
}

#[test]
fn a_segment_without_whole_header_changes_no_connection() {
    let mut t = table(64, 1);
    let id = establish(&mut t, &key([10, 0, 0, 1], 1, [10, 0, 0, 2], 80), 0);
    assert!(!t.update(Found::new(id, Side::Responder), None, 28, at(9), None));
    assert_eq!(t.state(id), Some(FlowState::Established));
}

#[test]
fn a_name_is_unique_in_its_place() {
    let mut t = table(8, 1);
    let k = key([10, 0, 0, 1], 1, [10, 0, 0, 2], 80);
    let mut seen = std::collections::HashSet::new();
    for _ in 0..1_000 {
        let id = open(&mut t, &k, 0).unwrap();
        assert!(seen.insert(id));
        assert!(t.remove(id).is_some());
        assert!(!t.contains(id));
    }
}

#[test]
fn a_clock_set_back_does_not_stop_the_search_for_idle_flows() {
    let mut t = table(64, 1);
    let k = key([10, 0, 0, 1], 1, [10, 0, 0, 2], 80);
    open(&mut t, &k, 10).unwrap();
    assert!(t.sweep(Instant::from_micros(u64::MAX)).is_some());
    assert!(t.sweep(at(11).mono).is_some());
    assert!(t.sweep(at(11).mono).is_none());
}

#[test]
fn notes_of_both_sides_stand_beside_the_keys_of_ipv4_and_go_with_the_flow() {
    let note = |n: u32| Note {
        word: u64::from(n) << 40 | 0xabcd,
        half: !n,
    };
    let mut t = table(1_000, 3);
    let keys: Vec<FlowKey> = (0..200u8)
        .map(|n| FlowKey::v4([10, 0, 0, n, 10, 0, 1, 1], 1_000, 80, proto::UDP))
        .collect();
    for (n, k) in (0..).zip(&keys) {
        open(&mut t, k, 1).unwrap();
        let (there, back) = (t.lookup(k).unwrap(), t.lookup(&k.reversed()).unwrap());
        assert_eq!(t.note(there), Note::default());
        t.set_note(there, note(n));
        assert_eq!(t.note(back), Note::default());
        t.set_note(back, note(n + 1_000));
    }
    for (n, k) in (0..).zip(&keys) {
        let found = t.lookup(k).unwrap();
        assert_eq!(t.note(found), note(n));
        let back = t.lookup(&k.reversed()).unwrap();
        assert_eq!((back.id, back.from), (found.id, Side::Responder));
        assert_eq!(t.note(back), note(n + 1_000));
        t.set_note(found, Note::default());
        assert_eq!(t.note(back), note(n + 1_000), "each side has its own");
        t.remove(found.id);
        assert_eq!(t.note(back), Note::default());
        t.set_note(back, note(n));
        open(&mut t, k, 2).unwrap();
        let again = t.lookup(&k.reversed()).unwrap();
        assert_eq!(t.note(again), Note::default(), "another flow begins anew");
    }
    let k = FlowKey::v6([7; 32], 1_000, 80, proto::UDP);
    open(&mut t, &k, 1).unwrap();
    let found = t.lookup(&k).unwrap();
    t.set_note(found, note(1));
    assert_eq!(
        (t.note(found), t.lookup(&k)),
        (Note::default(), Some(found))
    );
}
