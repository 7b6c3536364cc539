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
const DETAIL: &str = "
    01BC0000 5E77004F AC950126 326FE2E8 E2F1E2E3 C340000B 00080000 0000005C
    00400001 0000009C 00780001 00000000 00000000 00000114 00A80001 00000000
    00000000 00000000 00000000 00000000 00000000 00000000 00000000 E2E8E2F1
    40404040 D7D3C5E7 F1404040 E3C3D7C9 D7404040 C8D5E240 F04BF140 E2E3C1C3
    D2404040 E3C3D7C9 D7404040 E3C3D7C9 D7404040 00000041 08000000 03800000
    06000000 C8E3E3D7 C4F14040 E2E3C3F0 F0F1F2F3 E6C5C2E2 D9E54040 004FA2B8
    0126326F 004FAC7C 0126326F C000024D 00000000 00000000 00000000 C000020A
    00000000 00000000 00000000 C93B01BB 00001A2B 00000000 00001000 00000000
    00010000 00000000 0000000C 00000000 0000003A 03040101 02000000 00000000
    00000000 00000000 00000000 00000000 00000000 00000000 00000000 40404040
    40404040 40404040 40404040 F1F3F0F2 40400013 0001001C 00000000 00000000
    00000000 00000000 00000000 00000000 00000000 00000000 00404040 40404040
    40404040 40404040 00000000 00000000 00000000 00000000 00000000 00000000
    00000000 00000000 00404040 40404040 40404040 40404040 00000000";

/// One TLS session, half an hour, last record of its set.
const SUMMARY: &str = "
    01800000 5E77004F AC950126 326FE2E8 E2F1E2E3 C340000C 00060000 0000004C
    00400001 0000008C 00D00001 0000015C 00240001 00000000 00000000 00000000
    00000000 00000000 00000000 E2E8E2F1 40404040 D7D3C5E7 F1404040 E3C3D7C9
    D7404040 C8D5E240 F04BF140 E2E3C1C3 D2404040 E3C3D7C9 D7404040 E3C3D7C9
    D7404040 00000041 80000000 000006B4 9D200000 01008000 C8E3E3D7 C4F14040
    E6C5C2E2 D9E54040 06000000 C000020A 00000000 00000000 00000000 C000024D
    00000000 00000000 00000000 01BB01BB E3E2F0F1 F2F3F4F5 F6F7F8F9 C1C2C3C4
    C5C6F0F1 F2F3F4F5 F6F7F8F9 C1C2C3C4 C5C6F0F1 F2F3F4F5 F6F70000 0000000A
    00000000 00000004 00000002 00000000 000003E8 00000000 000007D0 00000000
    0000000A 00000000 00000014 00000019 00000001 00000009 00000003 00000000
    00002328 00000000 00013880 00000000 0000005A 00000000 00000078 01000304
    F1F3F0F2 40400013 0001001C 00000000 00000000 00000000 00000000 00000000";

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
