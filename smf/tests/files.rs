//! Files: all forms give the same records, damage is named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::std_instead_of_core,
    clippy::wildcard_enum_match_arm,
    clippy::wildcard_imports,
    reason = "a failing test may panic"
)]

mod support;

use std::io::Cursor;

use arbtest::arbtest;
use hostward_smf::file::*;
use hostward_smf::{CodePage, Level, Record, SmfDate, SmfTime, Syslog};
use support::sample;

fn rdw(records: &[Vec<u8>]) -> Vec<u8> {
    records.concat()
}

fn blocked(records: &[Vec<u8>], size: usize, spanned: bool) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = BlockWriter::new(size, spanned);
    for record in records {
        writer.push(record, &mut file).unwrap();
    }
    writer.finish(&mut file);
    file
}

fn stripped(records: &[Vec<u8>]) -> Vec<u8> {
    records.iter().flat_map(|r| r[4..].to_vec()).collect()
}

type Outcome = (Vec<(u64, Vec<u8>)>, Option<Form>, Option<FileError>);

/// All records with their places, in pieces of this size.
fn read(file: &[u8], piece: usize, mut reader: Reader) -> Outcome {
    let mut records = Vec::new();
    let mut take = |reader: &mut Reader| loop {
        match reader.next_record() {
            Ok(Some(r)) => {
                assert_eq!(r.number, records.len() as u64 + 1);
                records.push((r.position, r.bytes.to_vec()));
            }
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    };
    let mut error = None;
    for mut piece in file.chunks(piece) {
        while !piece.is_empty() {
            let taken = reader.feed(piece);
            piece = &piece[taken..];
            let found = take(&mut reader);
            error = error.or(found);
            if error.is_some() {
                return (records, reader.form(), error);
            }
            assert!(taken > 0 || piece.is_empty());
        }
    }
    reader.end();
    let error = take(&mut reader);
    assert!(
        reader.next_record().unwrap().is_none(),
        "it stays at its end"
    );
    (records, reader.form(), error)
}

fn records(outcome: Outcome) -> Vec<Vec<u8>> {
    let (records, _, error) = outcome;
    assert_eq!(error, None);
    records.into_iter().map(|(_, r)| r).collect()
}

/// The sample many times, so that blocks fill.
fn many() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for _ in 0..40 {
        all.extend(sample());
    }
    let long = Syslog::new(
        SmfDate(0x0126_326f),
        SmfTime(0),
        "SYS1",
        &"long ".repeat(6000),
    );
    all.push(Record::Syslog(long).to_vec(Level::Base).unwrap());
    all.extend(sample());
    all
}

#[test]
fn all_forms_give_the_same_records() {
    let all = many();
    let fitting: Vec<Vec<u8>> = all.iter().filter(|r| r.len() < 27_000).cloned().collect();
    let known: Vec<Vec<u8>> = all
        .iter()
        .filter(|r| r[5] != 109 && r[5] != 255)
        .cloned()
        .collect();
    for (file, form, expected) in [
        (rdw(&all), Form::Rdw, &all),
        (blocked(&fitting, 27_998, false), Form::Blocked, &fitting),
        (blocked(&all, 4096, true), Form::Blocked, &all),
        (blocked(&all, 64, true), Form::Blocked, &all),
        (blocked(&all, 32_760, true), Form::Blocked, &all),
        (stripped(&known), Form::Stripped, &known),
    ] {
        for piece in [1 << 20, 1000, 7] {
            let outcome = read(&file, piece, Reader::new());
            assert_eq!(outcome.1, Some(form));
            assert!(&records(outcome) == expected, "{form}, {piece}");
        }
        let outcome = read(&file, 100, Reader::with_form(form));
        assert!(&records(outcome) == expected, "{form}");
        let mut reader = FileReader::new(Cursor::new(&file));
        let mut found = Vec::new();
        while let Some(record) = reader.next_record().unwrap() {
            found.push(record.bytes.to_vec());
        }
        assert!(&found == expected, "{form}");
        assert_eq!(reader.form(), Some(form));
    }
}

#[test]
fn files_of_one_record_are_told_apart_as_well() {
    for record in sample() {
        let one = [record];
        assert_eq!(Form::detect(&rdw(&one), true), Some(Form::Rdw));
        assert_eq!(
            Form::detect(&blocked(&one, 4096, true), true),
            Some(Form::Blocked)
        );
        if one[0][5] == 119 {
            assert_eq!(Form::detect(&stripped(&one), true), Some(Form::Stripped));
        }
    }
}

#[test]
fn more_than_what_is_looked_at_is_streamed() {
    let mut all = Vec::new();
    while all.iter().map(Vec::len).sum::<usize>() < 3 * DETECTION {
        all.extend(many());
    }
    for file in [rdw(&all), blocked(&all, 27_998, true)] {
        assert!(records(read(&file, 1 << 16, Reader::new())) == all);
        let mut reader = Reader::new();
        // Not more than is needed to find out the form is held.
        assert!(reader.feed(&file) < DETECTION + (1 << 17));
    }
}

#[test]
fn extended_block_descriptor_words_are_read() {
    let all = sample();
    let mut file = Vec::new();
    let block = rdw(&all);
    file.extend((0x8000_0000 | (block.len() as u32 + 4)).to_be_bytes());
    file.extend(&block);
    assert_eq!(records(read(&file, 500, Reader::new())), all);
}

#[test]
fn damage_is_named_and_what_lies_before_it_is_read() {
    let all = sample();
    let file = rdw(&all);
    let places: Vec<usize> = all
        .iter()
        .scan(0, |at, r| {
            *at += r.len();
            Some(*at - r.len())
        })
        .collect();
    // Cut in the last record but one.
    let (found, form, error) = read(&file[..file.len() - 30], 99, Reader::new());
    assert_eq!((found.len(), form), (all.len() - 2, Some(Form::Rdw)));
    let at = places[all.len() - 2];
    let have = file.len() - 30 - at;
    assert_eq!(
        error.unwrap().to_string(),
        format!(
            "record {} at byte {at} of the file: the file ends after {have} bytes, {} expected",
            all.len() - 1,
            have + 12
        )
    );
    // A length that is none.
    let mut wrong = file.clone();
    wrong[places[3] + 2] = 9;
    let (found, _, error) = read(&wrong, 99, Reader::new());
    assert_eq!(found.len(), 3);
    let error = error.unwrap();
    assert_eq!((error.record, error.position), (4, places[3] as u64));
    assert!(matches!(error.problem, Problem::Rdw(_)), "{error}");
    // Blocks whose segments are out of order.
    let spanned = blocked(&all, 100, true);
    let (found, form, error) = read(&spanned[100..], 99, Reader::with_form(Form::Blocked));
    assert_eq!((found.len(), form), (0, Some(Form::Blocked)));
    let error = error.unwrap();
    assert_eq!(
        error.to_string(),
        "record 1 at byte 4 of the file: segment with control code 3: a whole record or first segment expected"
    );
    let error = read(&spanned[..100], 99, Reader::new()).2.unwrap();
    assert_eq!(
        error.to_string(),
        "record 2 at byte 100 of the file: the file ends after 0 bytes, 4 expected"
    );
    // Without descriptor words a message has no end.
    let (found, form, error) = read(&stripped(&all), 99, Reader::new());
    assert_eq!((found.len(), form), (6, Some(Form::Stripped)));
    assert_eq!(error.unwrap().problem, Problem::Length);
}

#[test]
fn what_is_no_file_of_records_is_said_not_to_be_one() {
    for file in [
        &b"\x89PNG\r\n\x1a\n and so on"[..],
        &[0; 100],
        b"SYS1 TCPIP",
        &[0xff; 4000],
        b"\0",
    ] {
        let (found, form, error) = read(file, 64, Reader::new());
        assert_eq!((found.len(), form), (0, None));
        let error = error.unwrap();
        assert_eq!(
            (error.record, error.position, error.problem),
            (1, 0, Problem::Form)
        );
    }
    // A file that was translated into ASCII on its way.
    let translated: Vec<u8> = rdw(&sample())
        .iter()
        .map(|b| CodePage::Ibm1047.decode(*b) as u8)
        .collect();
    assert_eq!(
        read(&translated, 64, Reader::new()).2.unwrap().problem,
        Problem::Form
    );
    assert_eq!(read(&[], 64, Reader::new()), (vec![], None, None));
}

#[test]
fn records_that_no_block_can_hold_are_refused() {
    let record = &sample()[1];
    let mut file = Vec::new();
    let error = BlockWriter::new(100, false).push(record, &mut file);
    assert_eq!(
        error.unwrap_err(),
        Unblockable::Long {
            record: record.len(),
            block: 100
        }
    );
    let mut writer = BlockWriter::new(100, true);
    assert_eq!(
        writer.push(&record[1..], &mut file),
        Err(Unblockable::NoRecord)
    );
    assert_eq!(writer.push(&[], &mut file), Err(Unblockable::NoRecord));
    assert!(file.is_empty());
}

#[test]
fn any_damage_ends_in_records_or_an_error() {
    let all = sample();
    let files = [
        rdw(&all),
        blocked(&all, 300, true),
        blocked(&all, 4096, false),
        stripped(&all),
    ];
    arbtest(|u| {
        let mut file = u.choose(&files)?.clone();
        for _ in 0..u.int_in_range(0..=5)? {
            let at = u.choose_index(file.len())?;
            file[at] = u.arbitrary()?;
        }
        file.truncate(u.int_in_range(0..=file.len())?);
        let piece = u.int_in_range(1..=5000)?;
        let whole = read(&file, file.len().max(1), Reader::new());
        assert_eq!(
            read(&file, piece, Reader::new()),
            whole,
            "pieces do not matter"
        );
        let total: usize = whole.0.iter().map(|(_, r)| r.len()).sum();
        assert!(total <= file.len() + 4 * whole.0.len());
        for (_, record) in whole.0 {
            assert!(record.len() >= 18);
        }
        Ok(())
    });
}
