//! Records as values: round trips, other releases, hostile bytes.
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

use arbtest::arbtest;
use hostward_smf::codes::*;
use hostward_smf::layout::*;
use hostward_smf::*;
use support::*;

/// Names are the only thing that may be left out.
fn without_names(mut record: Record) -> Record {
    match &mut record {
        Record::Detail(r) => r.names.clear(),
        Record::Summary(r) => r.names.clear(),
        _ => {}
    }
    record
}

#[test]
fn any_record_survives_a_round_trip() {
    arbtest(|u| {
        let record = any_record(u)?;
        let bytes = record.to_vec(Level::Extended).unwrap();
        assert!(bytes.len() <= MAX_RECORD);
        assert_eq!(Record::decode(&bytes).unwrap(), record);
        // Once it was read, its bytes do not change any more, at either level.
        let base = record.to_vec(Level::Base).unwrap();
        let again = Record::decode(&base).unwrap();
        assert_eq!(again.to_vec(Level::Base).unwrap(), base);
        assert_eq!(
            Record::decode(&again.to_vec(Level::Extended).unwrap()).unwrap(),
            again
        );
        Ok(())
    })
    .size_max(20_000);
}

#[test]
fn hostile_bytes_are_refused_or_read_and_written_again() {
    let seeds = sample();
    arbtest(|u| {
        let mut bytes = u.choose(&seeds)?.clone();
        for _ in 0..u.int_in_range(1..=6)? {
            // Mostly where lengths and offsets are.
            let reach = if u.ratio(3, 4)? {
                bytes.len().min(100)
            } else {
                bytes.len()
            };
            let at = u.choose_index(reach)?;
            let any = u.arbitrary()?;
            bytes[at] = *u.choose(&[0, 1, 4, 0x40, 0x7f, 0x80, 0xff, any])?;
        }
        if u.ratio(1, 4)? {
            bytes.truncate(u.choose_index(bytes.len())?);
        }
        let mut items = 0_usize;
        visit(&bytes, &mut |item| {
            items += 1;
            if let Ok(item) = item {
                let end = item.offset + item.bytes.len();
                assert_eq!(&bytes[item.offset..end], item.bytes);
                assert!(item.value().to_string().len() <= 4 * item.bytes.len() + 60);
            }
        });
        assert!(items > 0 || bytes.is_empty());
        if let Ok(record) = Record::decode(&bytes) {
            let written = record.to_vec(Level::Extended).unwrap();
            let again = Record::decode(&written).unwrap();
            assert_eq!(without_names(again), without_names(record));
        }
        Ok(())
    });
}

/// Moves a record's sections apart: each of them gets more or fewer bytes.
fn resized(record: &[u8], change: impl Fn(u16, usize) -> usize) -> Vec<u8> {
    let view = RecordView::parse(record).unwrap();
    let count = view.triplet_count().unwrap();
    let mut out = record[..28 + 8 * usize::from(count)].to_vec();
    for i in 0..count {
        let triplet = view.triplet(i).unwrap();
        let Some(bytes) = view.instance(&triplet, 0) else {
            continue;
        };
        let mut bytes = bytes.to_vec();
        bytes.resize(change(i, bytes.len()), 0);
        let place = triplet.place();
        let start = out.len() as u32;
        out[place..place + 4].copy_from_slice(&start.to_be_bytes());
        out[place + 4..place + 6].copy_from_slice(&(bytes.len() as u16).to_be_bytes());
        out.extend(bytes);
    }
    let len = out.len() as u16;
    out[..2].copy_from_slice(&len.to_be_bytes());
    out
}

/// Records without names, whose sections are not known by their exact length.
fn plain() -> Vec<Record> {
    let plain = |r: &Record| match r {
        Record::Detail(r) => r.names.is_empty(),
        Record::Summary(_) => true,
        _ => false,
    };
    let all = sample().into_iter().map(|b| Record::decode(&b).unwrap());
    let found: Vec<Record> = all.filter(plain).collect();
    assert_eq!(found.len(), 6);
    found
}

#[test]
fn what_a_newer_release_appends_is_left_out() {
    for record in plain() {
        let bytes = resized(&record.to_vec(Level::Base).unwrap(), |_, len| len + 16);
        assert_eq!(Record::decode(&bytes).unwrap(), record);
    }
}

#[test]
fn what_an_older_release_lacks_has_no_value() {
    let bytes = tls_detail().to_vec(Level::Base).unwrap();
    // Cut in the middle of a number, and in the middle of a certificate.
    let cut = resized(&bytes, |i, len| match i {
        1 => 107,
        3 => 72 + 9,
        _ => len,
    });
    let record = Detail::decode(&cut).unwrap();
    assert_eq!(record.common.in_segments, 0);
    assert_eq!(record.common.out_bytes, 65536);
    assert_eq!(record.tls.unwrap().cipher, "1302".into());
    assert_eq!(
        record.tls.unwrap().client_certificate,
        Certificate::default()
    );
    for len in 0..=168 {
        let cut = resized(&bytes, |i, all| if i == 3 { len } else { all });
        let record = Detail::decode(&cut).unwrap();
        let version = if len >= 2 {
            TlsVersion::TLS13
        } else {
            TlsVersion::UNKNOWN
        };
        assert_eq!(record.tls.unwrap().version, version, "{len}");
        assert_eq!(record.common, tls_detail().common);
    }
}

#[test]
fn the_first_release_with_seven_triplets_is_read() {
    let record = tls_detail();
    let bytes = record.to_vec(Level::Base).unwrap();
    let mut seven = bytes[..84].to_vec();
    seven.extend_from_slice(&bytes[92..]);
    let len = seven.len() as u16;
    seven[..2].copy_from_slice(&len.to_be_bytes());
    seven[25] = 7;
    for place in (28..84).step_by(8) {
        let offset = u32::from_be_bytes(seven[place..place + 4].try_into().unwrap());
        if offset > 0 {
            seven[place..place + 4].copy_from_slice(&(offset - 8).to_be_bytes());
        }
    }
    assert_eq!(Detail::decode(&seven).unwrap(), record);
}

#[test]
fn a_summary_of_ipsec_without_padding_is_read() {
    let ipsec = sample().into_iter().find_map(|b| match Record::decode(&b) {
        Ok(Record::Summary(r)) if r.ipsec.is_some() => Some(r),
        _ => None,
    });
    let record = ipsec.unwrap();
    let mut bytes = record.to_vec(Level::Base).unwrap();
    let view = RecordView::parse(&bytes).unwrap();
    let triplet = view.triplet(4).unwrap();
    let pad = triplet.offset as usize + 2;
    bytes.drain(pad..pad + 2);
    let len = bytes.len() as u16;
    bytes[..2].copy_from_slice(&len.to_be_bytes());
    let place = triplet.place() + 4;
    bytes[place..place + 2].copy_from_slice(&74_u16.to_be_bytes());
    assert_eq!(Summary::decode(&bytes).unwrap(), record);
    let mut endpoint = None;
    visit(&bytes, &mut |item| {
        let item = item.unwrap();
        if item.field.name == "remote_endpoint" {
            endpoint = Some(item.value().to_string());
        }
    });
    assert_eq!(endpoint.as_deref(), Some("192.0.2.77"));
}

#[test]
fn both_families_are_told_by_the_flag() {
    let bytes = tls_detail().to_vec(Level::Base).unwrap();
    // Offset of the remote address: section at 156, 48 bytes on.
    assert_eq!(
        bytes[204..220],
        [192, 0, 2, 77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    );
    let common = Detail::decode(&bytes).unwrap().common;
    assert!(!common.flags.contains(DetailFlags::IPV6));
    assert_eq!(common.remote_ip.ip(false).to_string(), "192.0.2.77");
    let v6 = Record::decode(&sample()[2]).unwrap();
    let Record::Detail(Detail { common, .. }) = v6 else {
        panic!()
    };
    let is_ipv6 = common.flags.contains(DetailFlags::IPV6);
    assert_eq!(common.remote_ip.ip(is_ipv6).to_string(), "2001:db8::77");
}

#[test]
fn a_set_has_one_last_record() {
    for (reason, more) in [
        (Reason::INTERVAL, Reason::INTERVAL_MORE),
        (
            Reason::END_OF_STATISTICS_MORE,
            Reason::END_OF_STATISTICS_MORE,
        ),
        (Reason::SHUTDOWN, Reason::SHUTDOWN_MORE),
    ] {
        for n in [0, 1, 2, 7] {
            let mut set = vec![tls_summary(); n];
            for summary in &mut set {
                summary.identification.reason = reason;
            }
            let mut reasons = Vec::new();
            let mut scratch = [0; MAX_RECORD];
            Summary::encode_set(&mut set, Level::Base, &mut scratch, |bytes| {
                reasons.push(Summary::decode(bytes).unwrap().identification.reason);
            })
            .unwrap();
            let mut expected = vec![more; n];
            if let Some(last) = expected.last_mut() {
                *last = Reason(more.0 & !0x40);
            }
            assert_eq!(reasons, expected);
        }
    }
}

#[test]
fn names_beyond_the_longest_record_are_left_out() {
    let mut record = tls_detail();
    record.enforcement = Some(Enforcement::default());
    let name = |n: usize| DistinguishedName::new(NameType::TLS_SERVER_SUBJECT, &"X".repeat(n));
    record.names = vec![name(5000); 12];
    let bytes = record.to_vec(Level::Base).unwrap();
    assert!(bytes.len() <= MAX_RECORD);
    let read = Detail::decode(&bytes).unwrap();
    assert_eq!(read.names, vec![name(5000); 6]);
    assert_eq!(read.enforcement, record.enforcement);
    // The last one is what made it too long, and it would have made all entries longer.
    record.names = vec![name(3), name(30_000), name(4)];
    let read = Detail::decode(&record.to_vec(Level::Base).unwrap()).unwrap();
    assert_eq!(read.names, vec![name(3)]);
    // One to the very end.
    let room =
        MAX_RECORD - tls_detail().to_vec(Level::Base).unwrap().len() - Enforcement::default_len();
    record.names = vec![name(room - 4)];
    let bytes = record.to_vec(Level::Base).unwrap();
    assert_eq!(bytes.len(), MAX_RECORD);
    assert_eq!(Detail::decode(&bytes).unwrap(), record);
    record.names = vec![name(room - 3)];
    assert_eq!(
        Detail::decode(&record.to_vec(Level::Base).unwrap())
            .unwrap()
            .names,
        []
    );
}

trait Length {
    fn default_len() -> usize;
}

impl<S: field::Section> Length for S {
    fn default_len() -> usize {
        S::LEN
    }
}

#[test]
fn names_are_read_by_their_own_length_or_the_triplets() {
    let name = |t: &str| DistinguishedName::new(NameType::TLS_CLIENT_ISSUER, t);
    let mut record = tls_detail();
    record.names = vec![name("CN=a"), name("CN=a longer one")];
    let padded = record.to_vec(Level::Base).unwrap();
    let view = RecordView::parse(&padded).unwrap();
    let triplet = view.triplet(6).unwrap();
    let start = triplet.offset as usize;
    assert_eq!((triplet.length, triplet.count), (20, 2));
    assert_eq!(Detail::decode(&padded).unwrap(), record);
    // Lengths of their own, and the triplet says the longest.
    let mut walked = padded[..start].to_vec();
    for n in &record.names {
        let len = n.text().len() as u16 + 4;
        walked.extend(len.to_be_bytes());
        walked.extend(n.kind().0.to_be_bytes());
        walked.extend(n.text());
    }
    let len = walked.len() as u16;
    walked[..2].copy_from_slice(&len.to_be_bytes());
    assert_eq!(Detail::decode(&walked).unwrap(), record);
    // No lengths of their own.
    let mut strided = padded.clone();
    for place in [start, start + 20] {
        strided[place..place + 2].fill(0);
    }
    assert_eq!(Detail::decode(&strided).unwrap(), record);
    // An entry that goes beyond the record ends with it, if the triplet's length says so as well.
    let mut beyond = padded.clone();
    beyond[start + 20..start + 22].copy_from_slice(&999_u16.to_be_bytes());
    assert_eq!(Detail::decode(&beyond).unwrap(), record);
    // More entries than there is room for.
    let mut many = padded.clone();
    many[triplet.place() + 7] = 10;
    let error = Detail::decode(&many).unwrap_err().to_string();
    assert_eq!(
        error,
        "DN_Len of section 6 at offset 484: 484 found, an end within the record's 484 bytes expected"
    );
    many[triplet.place() + 7] = 11;
    let error = Detail::decode(&many).unwrap_err().to_string();
    assert_eq!(
        error,
        "count of section 6 at offset 82: 11 found, 10 or less expected"
    );
    // A length of nothing, and none in the triplet.
    let mut nothing = padded;
    nothing[start..start + 2].fill(0);
    nothing[triplet.place() + 4..triplet.place() + 6].fill(0);
    let error = Detail::decode(&nothing).unwrap_err().to_string();
    assert_eq!(
        error,
        "DN_Len of section 6 at offset 444: 0 found, 4 to 40 expected"
    );
}

#[test]
fn errors_name_the_field_its_place_and_what_was_expected() {
    let good = tls_detail().to_vec(Level::Base).unwrap();
    let error = |changes: &[(usize, u8)]| {
        let mut bytes = good.clone();
        for (at, byte) in changes {
            bytes[*at] = *byte;
        }
        Record::decode(&bytes).unwrap_err().to_string()
    };
    for (changes, expected) in [
        (
            &[(1, 0)][..],
            "HDLength at offset 0: 256 found, 444 expected",
        ),
        (&[(2, 1)], "HDSegDesc at offset 2: 256 found, 0 expected"),
        (&[(25, 0)], "SD_TRN at offset 24: 0 found, 1 to 52 expected"),
        (
            &[(25, 200)],
            "SD_TRN at offset 24: 200 found, 1 to 52 expected",
        ),
        (
            &[(31, 91)],
            "offset of the identification section at offset 28: 91 found, 92 or more expected",
        ),
        (
            &[(52, 0xff)],
            "end of section 3 at offset 52: 4278190524 found, an end within the record's 444 bytes expected",
        ),
        (
            &[(58, 0xff), (59, 0xff)],
            "end of section 3 at offset 52: 11010156 found, an end within the record's 444 bytes expected",
        ),
        (
            &[(55, 0x13)],
            "offset of section 3 at offset 52: 275 found, a place apart from section 1 expected",
        ),
        (
            &[(43, 0)],
            "count of section 1 at offset 42: 0 found, 1 or more expected",
        ),
    ] {
        assert_eq!(error(changes), expected);
    }
    let short = Record::decode(&good[..17]).unwrap_err().to_string();
    assert_eq!(short, "HDLength at offset 0: 17 found, 18 or more expected");
    let empty = Record::decode(&[]).unwrap_err().to_string();
    assert_eq!(empty, "HDLength at offset 0: 0 found, 18 or more expected");
    let header = [
        0, 24, 0, 0, 0x5e, 119, 0, 0, 0, 0, 0, 0, 0, 15, 64, 64, 64, 64, 64, 64, 64, 64, 0, 11,
    ];
    let error = Record::decode(&header).unwrap_err().to_string();
    assert_eq!(error, "HDLength at offset 0: 24 found, 28 or more expected");
    let another = Summary::decode(&good).unwrap_err().to_string();
    assert_eq!(
        another,
        "HDSubType at offset 22: 11 found, 12 to 12 expected"
    );
    let message = &sample()[9];
    assert_eq!(
        Detail::decode(message).unwrap_err().to_string(),
        "HDType at offset 5: 109 found, 119 expected"
    );
    assert_eq!(
        Syslog::decode(&good).unwrap_err().to_string(),
        "HDType at offset 5: 119 found, 109 expected"
    );
}

#[test]
fn records_that_are_not_known_are_kept() {
    let mut unknown = tls_summary().to_vec(Level::Base).unwrap();
    unknown[23] = 5;
    let record = Record::decode(&unknown).unwrap();
    assert_eq!(record, Record::Other(unknown.clone()));
    assert_eq!(record.to_vec(Level::Base).unwrap(), unknown);
    unknown[5] = 30;
    assert_eq!(
        Record::decode(&unknown).unwrap(),
        Record::Other(unknown.clone())
    );
    assert!(record.encode(Level::Base, &mut [0; 100]).is_err());
}

#[test]
fn tunnels_keep_what_is_not_known() {
    let tunnel = |b: &Vec<u8>| match Record::decode(b) {
        Ok(Record::Tunnel(t)) => Some(t),
        _ => None,
    };
    let tunnels: Vec<Tunnel> = sample().iter().filter_map(tunnel).collect();
    assert_eq!(tunnels.len(), 2);
    for mut record in tunnels {
        // As another system writes it: much longer than what is known.
        record.tail = vec![0xc1; 321];
        if let TunnelHead::Ike(ike) = &mut record.head {
            *ike = IkeTunnel {
                flags: ike.flags,
                ..IkeTunnel::default()
            };
        }
        let bytes = record.to_vec(Level::Extended).unwrap();
        assert_eq!(Tunnel::decode(&bytes).unwrap(), record);
        assert_eq!(record.to_vec(Level::Base).unwrap(), bytes);
        record.others = vec![RawSection::new(vec![1; 8]); 63];
        assert!(record.to_vec(Level::Base).is_err(), "too many sections");
        record.others = vec![RawSection::new(vec![1; 20_000]); 2];
        assert!(record.to_vec(Level::Base).is_err(), "too long");
    }
}

#[test]
fn extensions_may_have_another_type() {
    let Ok(Record::Extension(mut record)) = Record::decode(&sample()[6]) else {
        panic!()
    };
    record.record_type = 200;
    let bytes = record.to_vec(Level::Base).unwrap();
    assert_eq!(Extension::decode_as(200, &bytes).unwrap(), record);
    assert!(Extension::decode(&bytes).is_err());
    assert_eq!(
        Record::decode(&bytes).unwrap(),
        Record::Other(bytes.clone())
    );
    // A value that is longer than the section.
    let mut lying = sample()[6].clone();
    let len = lying.len();
    lying[len - 16] = 16;
    let error = Record::decode(&lying).unwrap_err().to_string();
    assert_eq!(
        error,
        "length of a value of section 2 at offset 242: 16 found, 15 or less expected"
    );
    // Values that do not fit are left out, the last ones first.
    let value = |n| ExtensionValue {
        tag: ExtensionTag::ALPN,
        bytes: vec![7; n],
    };
    record.record_type = EXTENSION_TYPE;
    record.values = vec![value(20_000), value(20_000), value(1)];
    let read = Extension::decode(&record.to_vec(Level::Base).unwrap()).unwrap();
    assert_eq!(read.values, [value(20_000)]);
}

#[test]
fn messages_are_text_to_the_end_of_the_record() {
    let Ok(Record::Syslog(record)) = Record::decode(&sample()[9]) else {
        panic!()
    };
    let text = "EZD1315I [zERT] www.example.com ^ 192.0.2.77\n";
    assert_eq!(record.decode_text(CodePage::Ibm1047), text);
    assert_eq!(sample()[9].len(), 18 + text.len());
    assert_eq!(sample()[9][4..6], [0x1e, 109]);
    let long = Syslog::new(record.date, record.time, "SYS1", &"x".repeat(40_000));
    let bytes = Record::Syslog(long).to_vec(Level::Base).unwrap();
    assert_eq!(bytes.len(), MAX_RECORD);
    let empty = Syslog::new(record.date, record.time, "SYS1", "");
    let bytes = Record::Syslog(empty.clone()).to_vec(Level::Base).unwrap();
    assert_eq!(Syslog::decode(&bytes).unwrap(), empty);
}
