//! Any records, as values: what is written can be read and is the same; and what the protection
//! observer makes of a record that was read is a record again.
#![no_main]

#[path = "../../smf/tests/support/mod.rs"]
mod support;

use arbtest::arbitrary::Unstructured;
use hostward::hook::{Now, UnixTime};
use hostward_smf::{Detail, Level, MAX_RECORD, Record};
use hostward_zert::code::{INITIATION, TERMINATION};
use hostward_zert::smf::{Writer, of_detail, of_summary};
use libfuzzer_sys::fuzz_target;
use support::any_record;

fn round_trip(record: &Record) {
    let Ok(bytes) = record.to_vec(Level::Extended) else {
        // Only parts of unknown meaning may be too long: they are never cut.
        assert!(matches!(record, Record::Tunnel(_)));
        return;
    };
    assert!(bytes.len() <= MAX_RECORD);
    let again = Record::decode(&bytes).expect("what was written can be read");
    assert_eq!(again.to_vec(Level::Extended).as_ref(), Ok(&bytes));
    // Names and values that have no room are left out; all others come back.
    if bytes.len() < MAX_RECORD / 2 {
        assert_eq!(again, *record);
    }
    let base = record.to_vec(Level::Base).expect("the base is shorter");
    let again = Record::decode(&base).expect("what was written can be read");
    assert_eq!(again.to_vec(Level::Base).as_ref(), Ok(&base));
}

/// What is read of a record and written anew: values that no writer writes (times before 1970, an end
/// at the epoch) are put right, and after that nothing changes.
fn read_back(detail: &Detail, level: Level) {
    let mut writer = Writer::new("SYS1", "TCPIP", &());
    writer.level = level;
    let now = Now::from_wall(UnixTime::from_secs(1_800_000_000));
    for code in [INITIATION, TERMINATION] {
        let mut seen = of_detail(detail, None, 0);
        let mut before = None;
        for round in 0..4 {
            let Some(made) = writer.detail(code, &seen, now) else {
                break;
            };
            let bytes = made.to_vec(level).expect("it has room");
            assert_eq!(Detail::decode(&bytes).as_ref(), Ok(&made));
            let extension = writer.detail_extension(code, &seen, now);
            seen = of_detail(&made, extension.as_ref(), 0);
            let before = before.replace(made.clone());
            assert!(
                round < 3 || before.as_ref() == Some(&made),
                "{before:?}\n{made:?}"
            );
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let mut u = Unstructured::new(data);
    let Ok(record) = any_record(&mut u) else {
        return;
    };
    round_trip(&record);
    match &record {
        Record::Detail(detail) => {
            read_back(detail, Level::Base);
            read_back(detail, Level::Extended);
        }
        Record::Summary(summary) => {
            let _ = of_summary(summary, None);
        }
        _ => {}
    }
});
