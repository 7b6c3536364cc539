//! Records with known bytes, written and read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::std_instead_of_core,
    clippy::wildcard_imports,
    reason = "a failing test may panic"
)]

mod support;

use hostward_smf::{Detail, Level, MAX_RECORD, Record, Summary};
use support::{tls_detail, tls_summary};

/// Event 3, TLSv1.3, observed, local server 192.0.2.10:443, client 192.0.2.77:51515, suite 1302.
const DETAIL: &str = include_str!("../samples/detail.hex");

/// One TLS session, half an hour, last record of its set.
const SUMMARY: &str = include_str!("../samples/summary.hex");

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    let pair = |i: usize| u8::from_str_radix(&digits[i..i + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(pair).collect()
}

#[test]
fn the_connection_detail() {
    let golden = bytes(DETAIL);
    assert_eq!(golden.len(), 444);
    let record = tls_detail();
    assert_eq!(record.to_vec(Level::Base).unwrap(), golden);
    assert_eq!(Detail::decode(&golden).unwrap(), record);
    assert_eq!(Record::decode(&golden).unwrap(), Record::Detail(record));
}

#[test]
fn the_summary() {
    let golden = bytes(SUMMARY);
    assert_eq!(golden.len(), 384);
    let record = tls_summary();
    assert_eq!(record.to_vec(Level::Base).unwrap(), golden);
    assert_eq!(Summary::decode(&golden).unwrap(), record);
    assert_eq!(
        Record::decode(&golden).unwrap(),
        Record::Summary(record.clone())
    );
    let common = record.common;
    let interval = |end: u64, init: u64| end - init;
    assert_eq!(common.end.connections - common.init.connections, 15);
    assert_eq!(interval(common.end.in_bytes, common.init.in_bytes), 8000);
    assert_eq!(interval(common.end.out_bytes, common.init.out_bytes), 78000);
}

#[test]
fn a_buffer_that_is_too_short_is_said_to_be() {
    let (mut short, mut enough) = ([0; 443], [0; MAX_RECORD]);
    for len in 0..=443 {
        let error = tls_detail().encode(Level::Base, &mut short[..len]);
        assert_eq!(error.unwrap_err().have, len);
    }
    assert_eq!(tls_detail().encode(Level::Base, &mut enough), Ok(444));
    assert_eq!(enough[..444], bytes(DETAIL));
}
