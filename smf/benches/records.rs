//! Thread CPU time of encoding and decoding one record, in one run.
//!
//! Times on shared machines are noisy: rounds of all rows are interleaved, the median is printed,
//! and only ratios inside one run mean something. A copy of the same bytes stands beside them.
//!
//!     cargo bench -p hostward-smf --bench records

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench may panic"
)]

use std::hint::black_box;
use std::time::Duration;

use cpu_time::ThreadTime;
use hostward_smf::file::Reader;
use hostward_smf::{Detail, Level, MAX_RECORD, Record, Summary, visit};

const ROUNDS: usize = 15;
const PER_ROUND: usize = 50_000;

struct Row<'a> {
    name: String,
    run: Box<dyn FnMut() + 'a>,
    times: Vec<Duration>,
}

fn row<'a>(name: String, mut each: impl FnMut() + 'a) -> Row<'a> {
    Row {
        name,
        run: Box::new(move || {
            for _ in 0..PER_ROUND {
                each();
            }
        }),
        times: Vec::new(),
    }
}

/// The records of the sample file.
fn sample() -> Vec<Vec<u8>> {
    let mut reader = Reader::new();
    assert!(reader.feed(include_bytes!("../samples/records.smf")) > 0);
    reader.end();
    let mut all = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        all.push(record.bytes.to_vec());
    }
    all
}

fn main() {
    let sample = sample();
    let mut rows = Vec::new();
    for bytes in &sample {
        let record = Record::decode(bytes).unwrap();
        let len = bytes.len();
        if let Record::Detail(detail) = record {
            rows.extend(of(
                bytes,
                format!("detail, {len} bytes, {} names", detail.names.len()),
                move |level, out| black_box(&detail).encode(level, out).unwrap(),
                |bytes| {
                    black_box(Detail::decode(bytes).unwrap());
                },
            ));
        } else if let Record::Summary(summary) = record {
            rows.extend(of(
                bytes,
                format!("summary, {len} bytes"),
                move |level, out| black_box(&summary).encode(level, out).unwrap(),
                |bytes| {
                    black_box(Summary::decode(bytes).unwrap());
                },
            ));
        }
    }
    for round in 0..=ROUNDS {
        for r in &mut rows {
            let start = ThreadTime::now();
            (r.run)();
            let took = start.elapsed();
            if round > 0 {
                r.times.push(took);
            }
        }
    }
    println!("per record, one core");
    for r in &mut rows {
        r.times.sort();
        let ns = |d: Duration| d.as_nanos() as f64 / PER_ROUND as f64;
        let median = ns(r.times[r.times.len() / 2]);
        let million = 1000.0 / median;
        println!(
            "  {:<44} {median:8.1} ns  (least {:.1})  {million:6.2} M/s",
            r.name,
            ns(r.times[0])
        );
    }
}

fn of<'a>(
    bytes: &'a [u8],
    name: String,
    encode: impl Fn(Level, &mut [u8]) -> usize + Clone + 'a,
    decode: impl Fn(&[u8]) + 'a,
) -> Vec<Row<'a>> {
    let buffer = || vec![0_u8; MAX_RECORD];
    let (mut copy, mut base, mut extended) = (buffer(), buffer(), buffer());
    let again = encode.clone();
    vec![
        row(format!("{name}: copy"), move || {
            copy[..bytes.len()].copy_from_slice(black_box(bytes));
            black_box(&copy);
        }),
        row(format!("{name}: encode"), move || {
            black_box(encode(black_box(Level::Base), &mut base));
            black_box(&base);
        }),
        row(format!("{name}: encode, extended"), move || {
            black_box(again(black_box(Level::Extended), &mut extended));
            black_box(&extended);
        }),
        row(format!("{name}: decode"), move || decode(black_box(bytes))),
        row(format!("{name}: every field"), move || {
            visit(black_box(bytes), &mut |item| {
                black_box(&item);
            });
        }),
    ]
}
