//! The classifier over rule sets and traces: thread CPU time a header.
//!
//!     HOSTWARD_RULES=folder cargo bench -p hostward-filter --bench classifier [-- NAME...]
//!     cargo bench -p hostward-filter --bench classifier -- shapes

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    reason = "a bench may panic"
)]

use std::hint::black_box;

use cpu_time::ThreadTime;
use hostward_filter::classifier::{Address, Classifier, Found, Key, NONE, Overlay, Pattern};

#[path = "../tests/sets/mod.rs"]
mod sets;
#[path = "../tests/shapes/mod.rs"]
mod shapes;

const ROUNDS: usize = 15;

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn bench_set<A: sets::Text>(name: &str, rules: &str, trace: &str) {
    let (keys, expect) = sets::headers::<A>(trace);
    bench(name, sets::rules::<A>(rules), keys, expect);
}

/// Large sets of awkward shapes.
fn bench_shapes() {
    for (n, shape) in shapes::SHAPES.iter().enumerate() {
        let (rules, keys) = shapes::set(n, 10_000, 20_000);
        let expect: Vec<Option<u32>> = keys
            .iter()
            .map(|k| rules.iter().position(|p| p.matches(k)).map(|n| n as u32))
            .collect();
        bench(&format!("[{shape}]"), rules, keys, expect);
    }
}

fn bench<A: Address>(
    name: &str,
    rules: Vec<Pattern<A>>,
    keys: Vec<Key<A>>,
    expect: Vec<Option<u32>>,
) {
    let n = rules.len();
    let mut build = Vec::new();
    let mut classifier = None;
    for _ in 0..if n > 20_000 { 1 } else { 3 } {
        let rules = rules.clone();
        let start = ThreadTime::now();
        classifier = Some(Classifier::new(rules));
        build.push(start.elapsed().as_nanos() as f64 / 1e6);
    }
    let classifier = classifier.unwrap();
    let wrong = keys
        .iter()
        .zip(&expect)
        .filter(|(k, e)| classifier.first_match(k) != **e)
        .count();
    let mut out = vec![0; keys.len()];
    classifier.first_match_batch(&keys, &mut out);
    let wrong_batch = out
        .iter()
        .zip(&expect)
        .filter(|(o, e)| **o != e.unwrap_or(NONE))
        .count();
    let narrow = classifier.clone().narrower();
    let portable = narrow.clone().narrower();
    let levels = [&classifier, &narrow, &portable];
    let mut single = Vec::new();
    let mut batch = [const { Vec::new() }; 3];
    let per = 1.0 / keys.len() as f64;
    for round in 0..=ROUNDS {
        let start = ThreadTime::now();
        let mut sum = 0u64;
        for key in &keys {
            sum += u64::from(
                black_box(&classifier)
                    .first_match(black_box(key))
                    .unwrap_or(NONE),
            );
        }
        black_box(sum);
        if round > 0 {
            single.push(start.elapsed().as_nanos() as f64 * per);
        }
        for (level, times) in levels.iter().zip(&mut batch) {
            let start = ThreadTime::now();
            for (keys, out) in keys.chunks(256).zip(out.chunks_mut(256)) {
                black_box(level).first_match_batch(keys, out);
            }
            black_box(&out);
            if round > 0 {
                times.push(start.elapsed().as_nanos() as f64 * per);
            }
        }
    }
    // A change: a copy of the overlay in use, one pattern in, one out.
    let overlay = Overlay::new(classifier.clone());
    let mut change = Vec::new();
    for round in 0..=ROUNDS {
        let start = ThreadTime::now();
        let mut changed = black_box(&overlay).clone();
        let inserted = changed.insert(n as u32 / 2, Pattern::ANY).is_ok();
        let removed = changed.remove(Found::Compiled(n as u32 / 3));
        black_box(&changed);
        if round > 0 {
            change.push(start.elapsed().as_nanos() as f64 / 1e3);
        }
        assert!(inserted && removed);
    }
    print!(
        "{name} change_us={:.1} build_ms={:.1} mib={:.2} single={:.1}",
        median(change),
        median(build),
        classifier.bytes() as f64 / 1048576.0,
        median(single)
    );
    for (level, times) in levels.iter().zip(batch) {
        print!(" {}={:.1}", level.kernel(), median(times));
    }
    println!(" wrong={}", wrong + wrong_batch);
    let (tables, scanned) = classifier.slices();
    if (tables, scanned) != (1, 0) {
        println!("    slices: {tables} with tables, {scanned} scanned");
    }
}

fn main() {
    if std::env::args().any(|a| a == "shapes") {
        bench_shapes();
        return;
    }
    let Some(folder) = sets::folder() else {
        println!("HOSTWARD_RULES does not name a folder with rule sets: nothing measured");
        return;
    };
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    for name in sets::names(&folder) {
        if !wanted.is_empty() && !wanted.contains(&name) {
            continue;
        }
        let (rules, trace) = (
            sets::read(&folder, &name, "rules"),
            sets::read(&folder, &name, "trace"),
        );
        if name.contains("v6") {
            bench_set::<u128>(&name, &rules, &trace);
        } else {
            bench_set::<u32>(&name, &rules, &trace);
        }
    }
}
