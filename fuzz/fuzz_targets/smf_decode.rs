//! Any bytes, as a file of records in any form, and as one record: what is read can be written,
//! and is the same when it is read again; every field is shown.
#![no_main]

use hostward_smf::file::{Form, Reader};
use hostward_smf::{Level, MAX_RECORD, Record, visit};
use libfuzzer_sys::fuzz_target;

fn record(bytes: &[u8]) {
    visit(bytes, &mut |item| match item {
        Ok(item) => {
            let end = item.offset + item.bytes.len();
            assert_eq!(&bytes[item.offset..end], item.bytes);
            let shown = format!("{} {:?}", item.value(), item.value().meaning());
            assert!(!shown.is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    });
    let Ok(found) = Record::decode(bytes) else {
        return;
    };
    if bytes.len() > MAX_RECORD {
        return;
    }
    for level in [Level::Base, Level::Extended] {
        let Ok(written) = found.to_vec(level) else {
            // Bytes of unknown meaning are never cut, and may have no room behind known ones.
            assert!(matches!(found, Record::Tunnel(_)) && bytes.len() > MAX_RECORD - 1000);
            continue;
        };
        let again = Record::decode(&written).expect("what was written can be read");
        assert_eq!(again.to_vec(level).as_ref(), Ok(&written));
        if level == Level::Extended {
            same(&found, &again);
        }
    }
}

/// Names and values may be left out, the last ones first, if there is no room; nothing else.
fn same(found: &Record, again: &Record) {
    let (mut found, mut again) = (found.clone(), again.clone());
    match (&mut found, &mut again) {
        (Record::Detail(a), Record::Detail(b)) => {
            assert!(a.names.starts_with(&b.names));
            a.names.truncate(b.names.len());
        }
        (Record::Summary(a), Record::Summary(b)) => {
            assert!(a.names.starts_with(&b.names));
            a.names.truncate(b.names.len());
        }
        (Record::Extension(a), Record::Extension(b)) => {
            assert!(a.values.starts_with(&b.values));
            a.values.truncate(b.values.len());
        }
        _ => {}
    }
    assert_eq!(found, again);
}

fn file(data: &[u8], piece: usize, mut reader: Reader, mut each: impl FnMut(&[u8])) -> usize {
    let mut records = 0;
    let mut pieces = data.chunks(piece);
    loop {
        let more = pieces.next();
        if let Some(mut more) = more {
            while !more.is_empty() {
                let taken = reader.feed(more);
                more = &more[taken..];
                assert!(taken > 0 || more.len() > 1000);
                if taken == 0 {
                    break;
                }
            }
        } else {
            reader.end();
        }
        while let Ok(Some(found)) = reader.next_record() {
            records += 1;
            assert_eq!(found.number, records as u64);
            each(found.bytes);
        }
        if more.is_none() {
            return records;
        }
    }
}

fuzz_target!(|data: &[u8]| {
    record(data);
    let whole = file(data, data.len().max(1), Reader::new(), record);
    assert_eq!(file(data, 61, Reader::new(), |_| {}), whole);
    for form in [Form::Rdw, Form::Blocked, Form::Stripped] {
        file(data, 500, Reader::with_form(form), |bytes| {
            assert!(bytes.len() >= 18)
        });
    }
});
