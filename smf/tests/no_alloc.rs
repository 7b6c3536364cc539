//! Encoding into a caller's buffer, decoding and looking at a record allocate nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::wildcard_imports,
    reason = "a failing test may panic"
)]

mod support;

use allocation_counter::measure;
use hostward_smf::{Detail, Level, MAX_RECORD, Record, Summary, visit};
use support::{sample, tls_detail, tls_summary};

#[test]
fn nothing_is_allocated() {
    let Ok(Record::Detail(full)) = Record::decode(&sample()[3]) else {
        panic!()
    };
    assert!(!full.names.is_empty());
    let (detail, summary) = (tls_detail(), tls_summary());
    let mut out = vec![0; MAX_RECORD];
    let mut fields = 0;
    let used = measure(|| {
        for level in [Level::Base, Level::Extended] {
            full.encode(level, &mut out).unwrap();
            let len = detail.encode(level, &mut out).unwrap();
            Detail::decode(&out[..len]).unwrap();
            let len = summary.encode(level, &mut out).unwrap();
            Summary::decode(&out[..len]).unwrap();
            visit(&out[..len], &mut |item| fields += usize::from(item.is_ok()));
        }
    });
    assert_eq!(used.count_total, 0);
    assert!(fields > 100);
}
