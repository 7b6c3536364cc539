use super::*;

/// A packet as both formats can hold it: time in microseconds, wire length, bytes.
type Packet = (u64, u32, Vec<u8>);

fn packets() -> Vec<Packet> {
    vec![
        (1_700_000_000_000_001, 3, vec![1, 2, 3]),
        (1_700_000_000_500_000, 9, vec![4, 5, 6, 7]),
        (1_700_000_001_999_999, 0, vec![]),
    ]
}

/// Writes numbers in one byte order.
#[derive(Clone, Copy)]
struct Order {
    big: bool,
}

impl Order {
    fn n16(self, v: u16) -> [u8; 2] {
        if self.big {
            v.to_be_bytes()
        } else {
            v.to_le_bytes()
        }
    }
    fn n32(self, v: u32) -> [u8; 4] {
        if self.big {
            v.to_be_bytes()
        } else {
            v.to_le_bytes()
        }
    }
    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padded = body.len().next_multiple_of(4);
        let length = self.n32((padded + 12) as u32);
        let mut b = [self.n32(kind), length].concat();
        b.extend(body);
        b.resize(8 + padded, 0);
        b.extend(length);
        b
    }
    fn section(self) -> Vec<u8> {
        let mut b = self.n32(0x1a2b_3c4d).to_vec();
        b.extend(self.n16(1));
        b.extend(self.n16(0));
        b.extend([0xff; 8]);
        self.block(SECTION_HEADER, &b)
    }
    fn interface(self, link: u16, snaplen: u32, resolution: u8, offset: i64) -> Vec<u8> {
        let mut b = [self.n16(link), self.n16(0)].concat();
        b.extend(self.n32(snaplen));
        b.extend([self.n16(9), self.n16(1)].concat());
        b.extend([resolution, 0, 0, 0]);
        b.extend([self.n16(14), self.n16(8)].concat());
        b.extend(if self.big {
            offset.to_be_bytes()
        } else {
            offset.to_le_bytes()
        });
        b.extend([0; 4]);
        self.block(1, &b)
    }
    fn enhanced(self, interface: u32, ticks: u64, wire: u32, data: &[u8], flags: u32) -> Vec<u8> {
        let mut b = self.n32(interface).to_vec();
        b.extend(self.n32((ticks >> 32) as u32));
        b.extend(self.n32(ticks as u32));
        b.extend(self.n32(data.len() as u32));
        b.extend(self.n32(wire));
        b.extend(data);
        b.resize(b.len().next_multiple_of(4), 0);
        b.extend([self.n16(2), self.n16(4)].concat());
        b.extend(self.n32(flags));
        b.extend([0; 4]);
        self.block(6, &b)
    }
    fn simple(self, wire: u32, data: &[u8]) -> Vec<u8> {
        self.block(3, &[&self.n32(wire), data].concat())
    }
    fn obsolete(self, interface: u16, ticks: u64, wire: u32, data: &[u8]) -> Vec<u8> {
        let mut b = [self.n16(interface), self.n16(7)].concat();
        b.extend(self.n32((ticks >> 32) as u32));
        b.extend(self.n32(ticks as u32));
        b.extend(self.n32(data.len() as u32));
        b.extend(self.n32(wire));
        b.extend(data);
        self.block(2, &b)
    }
    fn pcap(self, magic: u32, link: u32, packets: &[Packet]) -> Vec<u8> {
        let mut b = self.n32(magic).to_vec();
        b.extend([self.n16(2), self.n16(4)].concat());
        b.extend([0; 8]);
        b.extend(self.n32(65_535));
        b.extend(self.n32(link));
        for (time, wire, data) in packets {
            let scale = if magic == 0xa1b2_3c4d { 1_000 } else { 1 };
            b.extend(self.n32((time / 1_000_000) as u32));
            b.extend(self.n32((time % 1_000_000) as u32 * scale));
            b.extend(self.n32(data.len() as u32));
            b.extend(self.n32(*wire));
            if magic == 0xa1b2_cd34 {
                b.extend([0; 8]);
            }
            b.extend(data);
        }
        b
    }
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const LITTLE: Order = Order { big: false };
const BIG: Order = Order { big: true };
const BOTH: [Order; 2] = [LITTLE, BIG];

struct Owned {
    time: u64,
    link: u32,
    interface: u32,
    direction: Option<Direction>,
    wire: u32,
    data: Vec<u8>,
}

/// Reads everything; the error that ended it, if one did.
fn read(bytes: &[u8]) -> (Vec<Owned>, Option<CutOff>, Option<CaptureError>) {
    let mut frames = Vec::new();
    let input = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let mut reader = match CaptureReader::from_stream("t", input) {
        Ok(reader) => reader,
        Err(e) => return (frames, None, Some(e)),
    };
    loop {
        match reader.next_frame() {
            Ok(Some(f)) => {
                assert!(f.wire_len as usize >= f.data.len());
                frames.push(Owned {
                    time: f.time.as_micros(),
                    link: f.link.0,
                    interface: f.interface,
                    direction: f.direction,
                    wire: f.wire_len,
                    data: f.data.to_vec(),
                });
                assert_eq!(f.number, frames.len() as u64);
            }
            Ok(None) => return (frames, reader.cut_off().cloned(), None),
            Err(e) => {
                assert!(reader.next_frame().unwrap().is_none());
                return (frames, None, Some(e));
            }
        }
    }
}

fn same(frames: &[Owned], packets: &[Packet]) {
    let got: Vec<Packet> = frames
        .iter()
        .map(|f| (f.time, f.wire, f.data.clone()))
        .collect();
    assert_eq!(got, packets);
}

#[test]
fn pcap_in_every_form() {
    for (order, magic) in [
        (LITTLE, 0xa1b2_c3d4),
        (BIG, 0xa1b2_c3d4),
        (LITTLE, 0xa1b2_3c4d),
        (BIG, 0xa1b2_3c4d),
        (LITTLE, 0xa1b2_cd34),
    ] {
        let (frames, cut, error) = read(&order.pcap(magic, 0x3000_0071, &packets()));
        assert!(cut.is_none() && error.is_none());
        same(&frames, &packets());
        assert!(
            frames.iter().all(|f| f.link == 113),
            "FCS bits are not part of the type"
        );
    }
}

#[test]
fn gzip_is_known_by_its_bytes_in_several_members_and_cut() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write as _;
    let pcap = LITTLE.pcap(0xa1b2_c3d4, 1, &packets());
    let mut zipped = Vec::new();
    for part in pcap.chunks(50) {
        let mut z = GzEncoder::new(Vec::new(), Compression::best());
        z.write_all(part).unwrap();
        zipped.extend(z.finish().unwrap());
    }
    let (frames, cut, error) = read(&zipped);
    assert!(cut.is_none() && error.is_none());
    same(&frames, &packets());

    // Without the trailer of the last member all packets are there, but the end is not.
    let (frames, cut, error) = read(&zipped[..zipped.len() - 8]);
    assert!(error.is_none() && cut.is_some());
    same(&frames, &packets());
    let (frames, cut, error) = read(&zipped[..zipped.len() - 20]);
    assert!(error.is_none() && cut.is_some());
    assert!((1..3).contains(&frames.len()));
    same(&frames, &packets()[..frames.len()]);

    let at = zipped.len() - 6;
    zipped[at] ^= 0xff;
    let (_, _, error) = read(&zipped);
    assert!(
        matches!(error, Some(CaptureError::Read { .. })),
        "checksum of the gzip member"
    );
}

#[test]
fn a_cut_off_packet_keeps_what_came_before() {
    let pcap = LITTLE.pcap(0xa1b2_c3d4, 1, &packets());
    // The last packet has no data, the one before it four bytes.
    let second = 24 + 16 + 3;
    for end in second + 1..second + 20 {
        let (frames, cut, error) = read(&pcap[..end]);
        assert!(error.is_none());
        same(&frames, &packets()[..1]);
        let cut = cut.unwrap();
        assert_eq!((cut.offset, cut.end), (second as u64, end as u64));
    }
    let (frames, cut, error) = read(&pcap[..second]);
    assert!(cut.is_none() && error.is_none());
    assert_eq!(frames.len(), 1);
}

#[test]
fn absurd_lengths_are_errors_that_name_the_place() {
    let mut pcap = LITTLE.pcap(0xa1b2_c3d4, 1, &packets());
    let second = 24 + 16 + 3;
    pcap[second + 8..second + 12].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    let (frames, _, error) = read(&pcap);
    same(&frames, &packets()[..1]);
    assert_eq!(
        error.unwrap().to_string(),
        "t: offset 43: a packet claims 4294967280 bytes, expected at most 16777216: the file is damaged or not a capture"
    );

    let mut ng = [LITTLE.section(), LITTLE.interface(1, 0, 6, 0)].concat();
    let at = ng.len();
    ng.extend(LITTLE.enhanced(0, 0, 4, &[1, 2, 3, 4], 0));
    for (length, message) in [
        (
            0xffff_fffc_u32,
            "a block claims 4294967292 bytes, expected at most",
        ),
        (
            0,
            "block length: expected a multiple of 4 that is at least 12",
        ),
        (
            13,
            "block length: expected a multiple of 4 that is at least 12",
        ),
        (32, "end of block: expected the block's length once more"),
    ] {
        ng[at + 4..at + 8].copy_from_slice(&length.to_le_bytes());
        let error = read(&ng).2.unwrap().to_string();
        assert!(
            error.starts_with(&format!("t: offset {at}: {message}")),
            "{error}"
        );
    }
}

#[test]
fn what_is_not_a_capture_is_told() {
    let error = |bytes: &[u8]| read(bytes).2.unwrap().to_string();
    assert_eq!(
        error(b""),
        "t: ends at offset 0, within the 24-byte capture header"
    );
    assert_eq!(
        error(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]),
        "t: ends at offset 6, within the 24-byte capture header"
    );
    assert_eq!(
        error(b"GET / HTTP/1.1\r\nHost: example\r\n"),
        "t: offset 0: expected a pcap or pcapng magic number, found [47, 45, 54, 20]"
    );
    assert!(error(b"\x28\xb5\x2f\xfd......................").contains("zstd"));
}

#[test]
fn pcapng_in_both_byte_orders_with_every_packet_block() {
    for o in BOTH {
        let file = [
            o.section(),
            o.interface(1, 0, 6, 0),
            o.interface(101, 2, 9, -1),
            // A block of a type nobody knows.
            o.block(0x7777_0000, &[1; 20]),
            o.enhanced(0, 5_000_000, 3, &[1, 2, 3], 1),
            o.enhanced(1, 6_000_001_000, 9, &[4], 2),
            o.obsolete(1, 7_000_000_000, 4, &[5, 6, 7, 8]),
            o.simple(5, &[9, 9, 9, 9, 9]),
        ]
        .concat();
        let (f, cut, error) = read(&file);
        assert!(cut.is_none() && error.is_none());
        same(
            &f,
            &[
                (5_000_000, 3, vec![1, 2, 3]),
                (5_000_001, 9, vec![4]),
                (6_000_000, 4, vec![5, 6, 7, 8]),
                (6_000_000, 5, vec![9; 5]),
            ],
        );
        let links: Vec<(u32, u32)> = f.iter().map(|f| (f.link, f.interface)).collect();
        assert_eq!(links, [(1, 0), (101, 1), (101, 1), (1, 0)]);
        assert_eq!(f[0].direction, Some(Direction::Inbound));
        assert_eq!(f[1].direction, Some(Direction::Outbound));
        assert_eq!(f[2].direction, None);
    }
}

#[test]
fn sections_forget_interfaces_and_may_change_the_byte_order() {
    let file = [
        LITTLE.section(),
        LITTLE.interface(1, 0, 6, 0),
        LITTLE.enhanced(0, 1, 1, &[1], 0),
        BIG.section(),
        BIG.interface(113, 3, 6, 0),
        BIG.simple(5, &[1, 2, 3]),
        LITTLE.section(),
    ]
    .concat();
    let (f, cut, error) = read(&file);
    assert!(cut.is_none() && error.is_none());
    same(&f, &[(1, 1, vec![1]), (1, 5, vec![1, 2, 3])]);
    assert_eq!(f[1].link, 113);

    let stray = [file, LITTLE.enhanced(0, 1, 1, &[1], 0)].concat();
    let error = read(&stray).2.unwrap().to_string();
    assert!(error.ends_with("packet block: expected an interface that was described before it"));
}

#[test]
fn a_packet_longer_than_its_block_is_an_error() {
    for o in BOTH {
        let head = [o.section(), o.interface(1, 0, 6, 0)].concat();
        for (mut block, at) in [
            (o.enhanced(0, 0, 4, &[1, 2, 3, 4], 0), 20),
            (o.obsolete(0, 0, 4, &[1, 2, 3, 4]), 20),
        ] {
            block[at..at + 4].copy_from_slice(&o.n32(100));
            let (frames, _, error) = read(&[head.clone(), block].concat());
            assert!(frames.is_empty());
            assert!(matches!(error, Some(CaptureError::BadBlock { .. })));
        }
    }
}

#[test]
fn a_cut_off_pcapng_block_keeps_what_came_before() {
    let file = [
        LITTLE.section(),
        LITTLE.interface(1, 0, 6, 0),
        LITTLE.enhanced(0, 1, 1, &[1], 0),
    ]
    .concat();
    let start = file.len();
    let file = [file, LITTLE.enhanced(0, 2, 1, &[2], 0)].concat();
    for end in start + 1..file.len() {
        let (frames, cut, error) = read(&file[..end]);
        assert_eq!(frames.len(), 1);
        assert!(error.is_none());
        assert_eq!(cut.unwrap().offset, start as u64);
    }
}

#[test]
fn any_bytes_behind_a_valid_header_are_survived() {
    arbtest::arbtest(|u| {
        let o = BOTH[usize::from(u.arbitrary::<bool>()?)];
        let mut file = match u.int_in_range(0..=3)? {
            0 => o.pcap(0xa1b2_c3d4, 1, &packets()),
            1 => LITTLE.pcap(0xa1b2_cd34, 1, &packets()),
            2 => Vec::new(),
            _ => [
                o.section(),
                o.interface(1, 0, 6, 0),
                o.enhanced(0, 1, 1, &[1], 0),
                o.obsolete(0, 1, 1, &[1]),
                o.simple(2, &[3]),
            ]
            .concat(),
        };
        for _ in 0..u.int_in_range(0..=4)? {
            if !file.is_empty() {
                let at = u.choose_index(file.len())?;
                file[at] = u.arbitrary()?;
            }
        }
        file.extend(u.arbitrary::<Vec<u8>>()?);
        let (frames, _, _) = read(&file);
        assert!(frames.iter().map(|f| f.data.len()).sum::<usize>() <= file.len());
        Ok(())
    });
}
