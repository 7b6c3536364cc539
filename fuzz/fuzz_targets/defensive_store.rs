//! Arbitrary saved texts of defensive filters, half of them with checksums that are right: what
//! is read is within the limits, and is read again from what is written of it.
//!
//! `cargo +nightly fuzz run defensive_store`

#![no_main]

use hostward::filter::defensive::{Defense, DefenseConfig, MemoryStore, decode, encode};
use hostward::hook::time::{Instant, Now, UnixTime};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    let mut text = rest.to_vec();
    if first & 1 == 1 {
        // The same lines with the checksums they need.
        text = b"hostward defensive filters 1\n".to_vec();
        let lines: Vec<_> = rest.split(|b| *b == b'\n').collect();
        for line in &lines {
            text.extend(format!("{:08x} ", crc32fast::hash(line)).bytes());
            text.extend(*line);
            text.push(b'\n');
        }
        text.extend(format!("end {}\n", lines.len()).bytes());
    }
    let (records, _) = decode(&text);
    let (again, damage) = decode(&encode(&records));
    assert_eq!((again, damage.len()), (records, 0));

    let now = Now::new(Instant::from_secs(5), UnixTime::from_secs(1_790_000_000));
    let mut defense = Defense::new();
    let configs = [("A".into(), DefenseConfig::default())].into();
    let _ = defense.handle(
        hostward::filter::defensive::Request::Refresh(configs),
        now,
        &mut (),
    );
    let _ = defense.restore(&mut MemoryStore(Some(text)), now, &mut ());
    let mut store = MemoryStore::default();
    assert_eq!(defense.persist(&mut store), Ok(()));
    if let Some(table) = defense.table("A") {
        assert!(
            table
                .entries()
                .iter()
                .all(|e| e.filter.check(20_160).is_ok())
        );
    }
});
