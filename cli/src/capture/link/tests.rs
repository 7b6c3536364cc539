use super::super::layers::LayerKind;
use super::*;
use hostward_hook::time::UnixTime;

/// What every packet here looks like to the link: enough to tell the versions apart.
const V4: &[u8] = &[0x45, 1, 2, 3];
const V6: &[u8] = &[0x60, 1, 2, 3];

fn frame(link: u32, data: &[u8]) -> Frame<'_> {
    Frame {
        number: 1,
        offset: 0,
        time: UnixTime::EPOCH,
        link: LinkType(link),
        interface: 0,
        direction: None,
        wire_len: data.len() as u32,
        data,
    }
}

/// The packet behind a header of this link type.
#[track_caller]
fn carries(link: u32, header: &[u8], packet: &[u8]) -> (Option<Direction>, String) {
    let bytes = [header, packet].concat();
    let found = network(&frame(link, &bytes)).unwrap();
    assert_eq!(found.packet, packet);
    // Whatever is cut off, nothing is read beyond the end.
    for end in 0..header.len() {
        if let Ok(found) = network(&frame(link, &bytes[..end])) {
            assert!(found.packet.len() <= end);
        }
    }
    (found.direction, found.layers.to_string())
}

fn miss(link: u32, bytes: &[u8]) -> Miss {
    network(&frame(link, bytes)).unwrap_err()
}

/// An Ethernet header with this EtherType and what follows it.
fn ethernet(kind: u16, more: &[u8]) -> Vec<u8> {
    [
        &[0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2][..],
        &kind.to_be_bytes(),
        more,
    ]
    .concat()
}

#[test]
fn ethernet_plain() {
    carries(1, &ethernet(0x0800, &[]), V4);
    carries(1, &ethernet(0x86dd, &[]), V6);
    assert_eq!(miss(1, &ethernet(0x0806, &[0; 28])), Miss::NotIp(0x0806));
    assert_eq!(miss(1, &[0; 13]), Miss::CutOff);
    // An empty IP packet is one: that it is too short is for the guard to say.
    carries(1, &ethernet(0x0800, &[]), &[]);
}

#[test]
fn vlan_tags_of_every_number_stack() {
    let (_, layers) = carries(1, &ethernet(0x8100, &[0xe0, 5, 0x08, 0]), V4);
    assert_eq!(layers, "vlan 5");
    let tags = [0x0f, 0xff, 0x81, 0, 0, 2, 0x91, 0, 0, 3, 0x86, 0xdd];
    let (_, layers) = carries(1, &ethernet(0x88a8, &tags), V6);
    assert_eq!(layers, "vlan 4095, vlan 2, vlan 3");
    // 802.1ah: a service tag, then the customer's own frame.
    let inner = ethernet(0x8100, &[0, 9, 0x08, 0]);
    let header = ethernet(0x88e7, &[&[0x20, 1, 0, 0][..], &inner].concat());
    let (_, layers) = carries(1, &header, V4);
    assert_eq!(layers, "802.1ah 65536, vlan 9");
}

#[test]
fn tags_without_end_are_given_up() {
    let mut frame = ethernet(0x8100, &[]);
    for _ in 0..1_000 {
        frame.extend([0, 1, 0x81, 0]);
    }
    assert_eq!(miss(1, &frame), Miss::TooDeep);
    let mut frame = ethernet(0x8847, &[]);
    frame.extend([0; 4_000]);
    assert_eq!(miss(1, &frame), Miss::TooDeep);
}

#[test]
fn llc_and_snap() {
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0];
    let header = ethernet(8 + V4.len() as u16, &snap);
    carries(1, &header, V4);
    // The length says where the packet ends and padding begins.
    let padded = [&header[..], V4, &[0; 30]].concat();
    assert_eq!(network(&frame(1, &padded)).unwrap().packet, V4);
    carries(1, &ethernet(3 + V4.len() as u16, &[6, 6, 3]), V4);
    assert_eq!(
        miss(1, &ethernet(38, &[0x42, 0x42, 3, 0])),
        Miss::NotIp(0x4242)
    );
    // SNAP whose protocol is a length again does not loop.
    assert_eq!(
        miss(1, &ethernet(100, &[0xaa, 0xaa, 3, 0, 0, 0, 0, 50])),
        Miss::NotIp(50)
    );
}

#[test]
fn mpls_finds_out_what_it_carries() {
    let (_, layers) = carries(1, &ethernet(0x8847, &[0, 1, 0, 64, 0, 2, 1, 64]), V4);
    assert_eq!(layers, "mpls 16, mpls 32");
    carries(1, &ethernet(0x8848, &[0, 1, 1, 64]), V6);
    // A pseudowire with its control word, and one without.
    let inner = ethernet(0x86dd, &[]);
    let header = ethernet(0x8847, &[&[0, 1, 1, 64, 0, 0, 0, 0][..], &inner].concat());
    carries(1, &header, V6);
    let header = ethernet(0x8847, &[&[0, 1, 1, 64][..], &inner].concat());
    carries(1, &header, V6);
    // An address that begins like an IPv4 header.
    let mut inner = ethernet(0x0800, &[]);
    inner[0] = 0x46;
    let header = ethernet(0x8847, &[&[0, 1, 1, 64][..], &inner].concat());
    carries(1, &header, V4);
    assert_eq!(miss(1, &ethernet(0x8847, &[0, 1, 1, 64])), Miss::CutOff);
}

#[test]
fn macsec_with_integrity_only() {
    let header = ethernet(
        0x88e5,
        &[0x20, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 0, 1, 0x08, 0],
    );
    let bytes = [&header[..], V4, &[0xee; 16]].concat();
    assert_eq!(network(&frame(1, &bytes)).unwrap().packet, V4);
    let header = ethernet(0x88e5, &[0x2c, 0, 0, 0, 0, 1]);
    assert_eq!(miss(1, &[&header[..], &[0; 40]].concat()), Miss::Encrypted);
}

// RFC 2516 §4: the payload ends where the PPPoE header says.
#[test]
fn pppoe_cuts_to_its_length() {
    let header = ethernet(
        0x8864,
        &[0x11, 0, 0x21, 0x75, 0, 2 + V4.len() as u8, 0, 0x21],
    );
    let (_, layers) = carries(1, &header, V4);
    assert_eq!(layers, "pppoe 8565");
    let padded = [&header[..], V4, &[0; 9]].concat();
    assert_eq!(network(&frame(1, &padded)).unwrap().packet, V4);
    // Discovery, and a session's termination.
    assert!(matches!(
        miss(1, &ethernet(0x8863, &[0x11, 9, 0, 0, 0, 0])),
        Miss::NotIp(_)
    ));
    assert!(matches!(
        miss(1, &ethernet(0x8864, &[0x11, 0xa7, 0, 1, 0, 0])),
        Miss::NotIp(_)
    ));
    // The link type that begins with the PPPoE header.
    carries(51, &header[14..], V4);
}

// RFC 1661 §2: the protocol field, compressed or not. RFC 1547 §4.3.1: Cisco's framing.
#[test]
fn ppp_with_and_without_framing_and_compression() {
    carries(9, &[0xff, 3, 0, 0x21], V4);
    carries(9, &[0, 0x57], V6);
    carries(9, &[0x21], V4);
    carries(9, &[0xff, 3, 0x57], V6);
    carries(9, &[0xff, 3, 0x02, 0x81, 0, 1, 1, 64], V4);
    assert_eq!(miss(9, &[0xff, 3, 0xc0, 0x21, 1]), Miss::NotIp(0xc021));
    assert_eq!(miss(9, &[0, 0xfd, 1, 2]), Miss::Encrypted);
    assert_eq!(miss(9, &[0xff, 3]), Miss::CutOff);
    carries(50, &[0xff, 3, 0, 0x21], V4);
    carries(50, &[0x0f, 0, 0x08, 0], V4);
    carries(104, &[0x8f, 0, 0x86, 0xdd], V6);
    carries(104, &[0xff, 3, 0, 0x21], V4);
    assert_eq!(miss(104, &[0x8f, 0, 0x20, 0, 1]), Miss::NotIp(0x2000));
    let (direction, _) = carries(204, &[0, 0xff, 3, 0, 0x21], V4);
    assert_eq!(direction, Some(Direction::Inbound));
    let (direction, _) = carries(204, &[1, 0, 0x21], V4);
    assert_eq!(direction, Some(Direction::Outbound));
    carries(205, &[0, 0x0f, 0, 0x08, 0], V4);
    let (direction, _) = carries(166, &[1, 3, 0, 0x21], V4);
    assert_eq!(direction, Some(Direction::Outbound));
}

#[test]
fn raw_ip_is_what_it_is() {
    for link in [12, 14, 101, 228] {
        carries(link, &[], V4);
    }
    carries(229, &[], V6);
}

#[test]
fn bsd_families_in_both_byte_orders() {
    carries(0, &[2, 0, 0, 0], V4);
    carries(0, &[0, 0, 0, 2], V4);
    for family in [10, 23, 24, 28, 30] {
        carries(0, &[family, 0, 0, 0], V6);
        carries(0, &[0, 0, 0, family], V6);
        carries(108, &[0, 0, 0, family], V6);
    }
    assert_eq!(miss(108, &[2, 0, 0, 0, 1]), Miss::NotIp(u16::MAX));
    assert_eq!(miss(0, &[0, 0, 0, 7, 1]), Miss::NotIp(7));
    assert_eq!(miss(0, &[2, 0]), Miss::CutOff);
    carries(109, &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], V4);
    let mut pflog = [0; 64];
    pflog[..2].copy_from_slice(&[61, 24]);
    carries(117, &pflog, V6);
}

#[test]
fn linux_cooked_of_both_versions() {
    let v1 = |kind: u8, protocol: [u8; 2]| {
        [
            &[0, kind, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0][..],
            &protocol,
        ]
        .concat()
    };
    let (direction, _) = carries(113, &v1(0, [0x08, 0]), V4);
    assert_eq!(direction, Some(Direction::Inbound));
    let (direction, _) = carries(113, &v1(4, [0x86, 0xdd]), V6);
    assert_eq!(direction, Some(Direction::Outbound));
    let (direction, layers) = carries(113, &[v1(3, [0x81, 0]), vec![0, 7, 0x08, 0]].concat(), V4);
    assert_eq!((direction, layers.as_str()), (None, "vlan 7"));
    carries(113, &[&v1(0, [0, 4])[..], &[6, 6, 3]].concat(), V4);
    assert_eq!(miss(113, &v1(0, [0, 1])), Miss::NotIp(1));
    let (direction, _) = carries(
        276,
        &[
            0x08, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0,
        ],
        V4,
    );
    assert_eq!(direction, Some(Direction::Outbound));
}

#[test]
fn what_the_record_says_of_the_direction_comes_first() {
    let bytes = [&[0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0][..], V4].concat();
    let mut f = frame(113, &bytes);
    f.direction = Some(Direction::Inbound);
    assert_eq!(network(&f).unwrap().direction, Some(Direction::Inbound));
}

const SNAP: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0];

/// An 802.11 header with this control and flags.
fn wlan(control: u8, flags: u8, sequence: u8, more: usize) -> Vec<u8> {
    let mut header = vec![control, flags];
    header.resize(22, 0);
    header.extend([sequence, 0]);
    header.resize(24 + more, 0);
    [&header[..], &SNAP].concat()
}

#[test]
fn wlan_data_frames() {
    carries(105, &wlan(0x08, 1, 0x10, 0), V4);
    carries(105, &wlan(0x08, 3, 0, 6), V4);
    carries(105, &wlan(0x88, 2, 0, 2), V4);
    carries(105, &wlan(0x88, 0x83, 0, 12), V4);
    assert_eq!(miss(105, &wlan(0x08, 0x41, 0, 0)), Miss::Encrypted);
    assert_eq!(miss(105, &wlan(0x08, 0x05, 0, 0)), Miss::Partial);
    assert_eq!(miss(105, &wlan(0x08, 1, 3, 0)), Miss::Partial);
    let mut aggregate = wlan(0x88, 1, 0, 2);
    aggregate[24] = 0x80;
    assert_eq!(miss(105, &aggregate), Miss::Partial);
    // A beacon, and a data frame without data.
    assert!(matches!(miss(105, &wlan(0x80, 0, 0, 0)), Miss::NotIp(_)));
    assert!(matches!(miss(105, &wlan(0x48, 0, 0, 0)), Miss::NotIp(_)));
}

#[test]
fn what_is_put_before_wlan_frames() {
    let radiotap = |present: &[u8], fields: &[u8], more: Vec<u8>| {
        let length = 4 + present.len() + fields.len();
        [&[0, 0, length as u8, 0][..], present, fields, &more].concat()
    };
    carries(127, &radiotap(&[0, 0, 0, 0], &[], wlan(8, 1, 0, 0)), V4);
    // Flags that tell of padding, behind an aligned time, behind two more words of presence.
    let mut fields = vec![0; 8];
    fields.push(0x20);
    let present = [3, 0, 0, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0];
    let mut padded = wlan(0x88, 1, 0, 2);
    padded.splice(26..26, [0, 0]);
    carries(127, &radiotap(&present, &fields, padded), V4);
    let mut prism = vec![0x44, 0, 0, 0, 144, 0, 0, 0];
    prism.resize(144, 0);
    carries(119, &[prism, wlan(8, 1, 0, 0)].concat(), V4);
    let mut avs = vec![0x80, 0x21, 0x10, 1, 0, 0, 0, 64];
    avs.resize(64, 0);
    let avs = [avs, wlan(8, 1, 0, 0)].concat();
    carries(119, &avs, V4);
    carries(163, &avs, V4);
    let ppi = [&[0, 0, 8, 0, 105, 0, 0, 0][..], &wlan(8, 1, 0, 0)].concat();
    carries(192, &ppi, V4);
    assert_eq!(miss(192, &[0, 0, 8, 0, 192, 0, 0, 0, 1]), Miss::TooDeep);
}

// RFC 2427 §3: frame relay.
#[test]
fn rarer_links() {
    let mut fddi = vec![0x50];
    fddi.resize(13, 0);
    carries(10, &[&fddi[..], &SNAP].concat(), V4);
    let mut ring = vec![0x10, 0x40];
    ring.resize(14, 0);
    carries(6, &[&ring[..], &SNAP].concat(), V4);
    ring[8] = 0x80;
    ring.extend([6, 0, 1, 2, 3, 4]);
    carries(6, &[&ring[..], &SNAP].concat(), V4);
    carries(100, &SNAP, V4);
    carries(107, &[0x18, 0x41, 3, 0xcc], V4);
    carries(107, &[0x18, 0x41, 3, 0, 0x8e], V6);
    carries(107, &[0x18, 0x40, 0x01, 3, 0x80, 0, 0, 0, 0x08, 0], V4);
    carries(107, &[0x18, 0x41, 0x08, 0], V4);
    carries(206, &[1, 0x18, 0x41, 3, 0xcc], V4);
    carries(138, &[&[0; 16][..], &[0x08, 0]].concat(), V4);
    carries(219, &[0, 1, 1, 64], V4);
    carries(242, &[&[0; 40][..], &[0x86, 0xdd, 0, 0]].concat(), V6);
    carries(239, &[2, 0, 0, 0, 8, 0, 1, 0, 1, 2, 3, 4, 8, 0, 9, 0], V4);
    assert_eq!(miss(239, &[2, 0, 0, 0, 3, 0, 9, 0]), Miss::CutOff);
    assert_eq!(miss(147, &[1]), Miss::UnknownLink(LinkType(147)));
}

// RFC 2427 §4.2, RFC 2684 §5.2: bridged Ethernet frames. RFC 9542 appendix B.1: PPP in Ethernet.
#[test]
fn frames_in_other_frames() {
    let frame = ethernet(0x0800, &[]);
    for kind in [1, 7] {
        let relay = [0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, kind];
        carries(107, &[&relay[..], &frame].concat(), V4);
        let atm = [0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0, kind, 0, 0];
        carries(100, &[&atm[..], &frame].concat(), V4);
    }
    carries(1, &ethernet(0x880b, &[0, 0x21]), V4);
}

#[test]
fn any_bytes_on_any_link_are_survived() {
    arbtest::arbtest(|u| {
        let link = u.int_in_range(0..=300)?;
        let data: Vec<u8> = u.arbitrary()?;
        if let Ok(found) = network(&frame(link, &data)) {
            let end = data.as_ptr_range().end;
            assert!(found.packet.as_ptr_range().end <= end);
            assert!(
                found
                    .layers
                    .as_slice()
                    .iter()
                    .all(|l| l.kind != LayerKind::Gre)
            );
        }
        Ok(())
    });
}
