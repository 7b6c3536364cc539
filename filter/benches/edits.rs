//! Edits of a set of ten thousand rules: what a look-up costs beside them, and how long one more
//! takes until it is in force. Thread CPU time, medians of interleaved rounds.
//!
//!     cargo bench -p hostward-filter --bench edits

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench may panic"
)]

use std::hint::black_box;
use std::sync::Arc;

use cpu_time::ThreadTime;
use hostward_filter::{
    Action, AddressSpec, Edits, Filter, Header, InForce, Opening, Rule, RuleDirection, RuleSet,
    Selectors, Upper,
};
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::time::UnixTime;

const RULES: usize = 10_000;
const PACKETS: usize = 20_000;
const ROUNDS: usize = 15;

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Addresses that the rules name, and others: a packet in ten matches the last rule only.
fn address(n: usize) -> u32 {
    0x0a00_0000 | (n as u32).wrapping_mul(2_654_435_761) >> 12
}

fn rule(n: usize) -> Rule {
    let host: AddressSpec = std::net::Ipv4Addr::from(address(n))
        .to_string()
        .parse()
        .unwrap();
    let port = (n % 60_000) as u16;
    Rule::new(format!("r{n}"), Action::Permit)
        .source(host)
        .upper(Upper::tcp(port..=port.saturating_add(9)))
        .direction(RuleDirection::Inbound)
}

fn packet(n: usize) -> Selectors {
    let of = n * 7 % (RULES + RULES / 10);
    Selectors {
        source: std::net::Ipv4Addr::from(address(of)).into(),
        destination: [192, 0, 2, 1].into(),
        protocol: Some(6),
        header: Header::Ports(40_000, (of % 60_000) as u16 + 3),
        fragment: false,
        opening: Opening::Continues,
        direction: Direction::Inbound,
        routing: Routing::Local,
        security_class: 0,
    }
}

/// So many rules added, spread over the set, and so many removed.
fn edits(set: &RuleSet, added: usize, removed: usize) -> Edits {
    let mut edits = Edits::default();
    let spread = |n: usize, of: usize| n * RULES / of.max(1) + 17;
    for n in 0..added {
        edits = edits
            .insert(set, spread(n, added), rule(RULES * 2 + n))
            .unwrap();
    }
    for n in 0..removed {
        edits = edits.remove(set, spread(n, removed)).unwrap();
    }
    edits
}

fn main() {
    let mut rules: Vec<Rule> = (0..RULES - 1).map(rule).collect();
    rules.push(Rule::new("rest", Action::Deny));
    let set = Arc::new(RuleSet::new(rules, 1));
    let packets: Vec<Selectors> = (0..PACKETS).map(packet).collect();
    let at = UnixTime::from_secs(1_790_000_000);
    let cases = [
        (0, 0),
        (1, 0),
        (16, 0),
        (64, 0),
        (0, 1),
        (0, 16),
        (0, 64),
        (64, 64),
    ];
    let mut filters: Vec<(Filter, Vec<f64>)> = Vec::new();
    let mut wrong = 0;
    for (added, removed) in cases {
        let edits = edits(&set, added, removed);
        let edited = set.with_edits(&edits, 2).unwrap();
        let mut filter = Filter::new(Arc::clone(&set));
        filter.edit(Arc::new(edits)).unwrap();
        let everything = InForce::default();
        for p in &packets {
            let found = filter.first_match(p, at).map(|(_, r)| r.name.clone());
            let expect = edited
                .first_match(p, &everything)
                .map(|(_, r)| r.name.clone());
            wrong += usize::from(found != expect);
        }
        filters.push((filter, Vec::new()));
    }
    for round in 0..=ROUNDS {
        for (filter, times) in &mut filters {
            let start = ThreadTime::now();
            let mut sum = 0_u64;
            for p in &packets {
                let found = filter.first_match(black_box(p), at);
                sum += found.map_or(0, |(id, _)| u64::from(id.0));
            }
            black_box(sum);
            if round > 0 {
                times.push(start.elapsed().as_nanos() as f64 / PACKETS as f64);
            }
        }
    }
    for ((added, removed), (_, times)) in cases.iter().zip(filters) {
        println!(
            "look-up added={added} removed={removed} ns={:.1}",
            median(times)
        );
    }
    // One more edit, from the edits in force to the filter that has it in force.
    for held in [0, 16, 63] {
        let before = Arc::new(edits(&set, held, held));
        let mut filter = Filter::new(Arc::clone(&set));
        filter.edit(Arc::clone(&before)).unwrap();
        let [mut insert, mut remove] = [const { Vec::new() }; 2];
        for round in 0..=ROUNDS * 10 {
            let more = rule(RULES * 3);
            let start = ThreadTime::now();
            let one = Edits::clone(&before).insert(&set, RULES / 2, more).unwrap();
            filter.edit(Arc::new(one)).unwrap();
            let inserted = start.elapsed();
            let start = ThreadTime::now();
            let one = Edits::clone(&before).remove(&set, RULES / 2).unwrap();
            filter.edit(Arc::new(one)).unwrap();
            let removed = start.elapsed();
            if round > 0 {
                insert.push(inserted.as_nanos() as f64 / 1e3);
                remove.push(removed.as_nanos() as f64 / 1e3);
            }
        }
        let (insert, remove) = (median(insert), median(remove));
        println!(
            "one more beside {held}: added_us={insert:.2} removed_us={remove:.2} (target 100)"
        );
    }
    // The dearest packets: those that a removed rule matched first are compared with the rules
    // behind it one by one.
    for position in [RULES / 100, RULES / 2] {
        let edits = Edits::default().remove(&set, position).unwrap();
        let mut filter = Filter::new(Arc::clone(&set));
        filter.edit(Arc::new(edits)).unwrap();
        let Selectors { header, .. } = packet(0);
        let p = Selectors {
            source: std::net::Ipv4Addr::from(address(position)).into(),
            header: match header {
                Header::Ports(source, _) => Header::Ports(source, (position % 60_000) as u16 + 3),
                Header::Unknown | Header::Icmp(..) | Header::Type(_) => header,
            },
            ..packet(0)
        };
        let mut times = Vec::new();
        for round in 0..=ROUNDS {
            let start = ThreadTime::now();
            for _ in 0..100 {
                black_box(filter.first_match(black_box(&p), at));
            }
            if round > 0 {
                times.push(start.elapsed().as_nanos() as f64 / 100.0);
            }
        }
        println!(
            "what removed rule {position} matched: ns={:.0}",
            median(times)
        );
    }
    println!("wrong={wrong}");
}
