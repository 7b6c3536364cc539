use super::*;
use etherparse::{EtherType, Ethernet2Header, IpNumber, Ipv4Header, Ipv6Header, PacketBuilder};

/// A UDP datagram with ports nobody gives a meaning.
fn leaf() -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv4([10, 1, 1, 1], [10, 1, 1, 2], 64)
        .udp(40_000, 40_001)
        .write(&mut out, b"payload")
        .unwrap();
    out
}

fn leaf6() -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv6([1; 16], [2; 16], 64)
        .udp(40_000, 40_001)
        .write(&mut out, b"payload")
        .unwrap();
    out
}

fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .udp(source, destination)
        .write(&mut out, payload)
        .unwrap();
    out
}

fn in_v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Ipv4Header::new(
        payload.len() as u16,
        64,
        IpNumber(protocol),
        [192, 0, 2, 1],
        [192, 0, 2, 2],
    )
    .unwrap()
    .write(&mut out)
    .unwrap();
    out.extend(payload);
    out
}

fn in_v6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Ipv6Header {
        payload_length: payload.len() as u16,
        next_header: IpNumber(protocol),
        hop_limit: 64,
        source: [3; 16],
        destination: [4; 16],
        ..Default::default()
    }
    .write(&mut out)
    .unwrap();
    out.extend(payload);
    out
}

fn ethernet(kind: EtherType, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Ethernet2Header {
        source: [2, 0, 0, 0, 0, 1],
        destination: [2, 0, 0, 0, 0, 2],
        ether_type: kind,
    }
    .write(&mut out)
    .unwrap();
    out.extend(payload);
    out
}

/// The packet opens to exactly this one, through these layers.
#[track_caller]
fn opens(packet: &[u8], inner: &[u8], layers: &str) {
    let found = decapsulate(packet, DEFAULT_DEPTH);
    assert_eq!(found.layers.to_string(), layers);
    assert_eq!(found.packet, inner);
    assert_eq!(decapsulate(packet, 0).packet, packet);
    for end in 0..packet.len() {
        // A cut packet opens to a part of itself or not at all.
        let _ = decapsulate(&packet[..end], DEFAULT_DEPTH);
    }
}

#[track_caller]
fn stays(packet: &[u8]) {
    opens(packet, packet, "");
}

#[test]
fn ip_in_ip_in_every_combination() {
    opens(&in_v4(4, &leaf()), &leaf(), "ip-in-ip");
    opens(&in_v4(41, &leaf6()), &leaf6(), "ip-in-ip");
    opens(&in_v6(4, &leaf()), &leaf(), "ip-in-ip");
    opens(
        &in_v6(41, &in_v6(41, &leaf6())),
        &leaf6(),
        "ip-in-ip, ip-in-ip",
    );
    // The protocol number and the version must agree.
    stays(&in_v4(4, &leaf6()));
    stays(&in_v4(41, &leaf()));
    stays(&in_v4(4, &[]));
}

#[test]
fn extension_headers_before_a_tunnel_are_passed() {
    // Destination options with padding (RFC 8200 §4.6).
    let options = [&[41, 0, 1, 4, 0, 0, 0, 0][..], &leaf6()].concat();
    opens(&in_v6(60, &options), &leaf6(), "ip-in-ip");
}

#[test]
fn depth_is_bounded_by_the_caller() {
    let mut packet = leaf();
    for _ in 0..12 {
        packet = in_v4(4, &packet);
    }
    let found = decapsulate(&packet, 8);
    assert_eq!(found.layers.tunnels(), 8);
    assert_eq!(found.packet.len(), leaf().len() + 4 * 20);
    // However deep a caller goes, layers end somewhere.
    let mut packet = leaf();
    for _ in 0..100 {
        packet = in_v4(4, &packet);
    }
    let found = decapsulate(&packet, usize::MAX);
    assert_eq!(found.layers.tunnels(), crate::capture::MAX_LAYERS);
}

#[test]
fn fragments_are_left_alone_and_open_when_whole() {
    let whole = udp(
        1,
        4789,
        &[
            &[8, 0, 0, 0, 0, 0, 9, 0][..],
            &ethernet(EtherType::IPV4, &leaf()),
        ]
        .concat(),
    );
    opens(&whole, &leaf(), "vxlan 9");
    let mut first = whole.clone();
    first[6] |= 0x20;
    assert_eq!(decapsulate(&first, 8).packet, first);
    let mut later = whole;
    later[7] = 1;
    assert_eq!(decapsulate(&later, 8).packet, later);
}

#[test]
fn gre_with_every_optional_field() {
    let gre = |head: &[u8], inner: &[u8]| in_v4(47, &[head, inner].concat());
    opens(&gre(&[0, 0, 8, 0], &leaf()), &leaf(), "gre");
    opens(&gre(&[0, 0, 0x86, 0xdd], &leaf6()), &leaf6(), "gre");
    let full = [0xb0, 0, 8, 0, 1, 1, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1];
    opens(&gre(&full, &leaf()), &leaf(), "gre 7");
    let bridged = ethernet(EtherType::IPV4, &leaf());
    opens(&gre(&[0, 0, 0x65, 0x58], &bridged), &leaf(), "gre");
    opens(
        &gre(&[0, 0, 0x88, 0x47, 0, 1, 1, 64], &leaf()),
        &leaf(),
        "gre, mpls 16",
    );
    opens(&gre(&[0, 0, 0x88, 0x0b, 0, 0x21], &leaf()), &leaf(), "gre");
    let metadata = [0, 0, 0x89, 0x09, 8, 0, 1, 1, 0, 1, 0, 0];
    opens(&gre(&metadata, &leaf()), &leaf(), "gre");
    // RFC 8086: GRE in UDP.
    opens(
        &udp(50_000, 4754, &[&[0, 0, 8, 0][..], &leaf()].concat()),
        &leaf(),
        "gre",
    );
    // RFC 2784 §2.3: source routes; a keep-alive; a length where a protocol should be.
    stays(&gre(&[0x40, 0, 8, 0, 0, 0, 0, 0], &leaf()));
    stays(&gre(&[0, 0, 0, 0], &[]));
    stays(&gre(&[0, 0, 0, 8, 6, 6, 3], &leaf()));
}

#[test]
fn pptp_carries_ppp_cut_to_its_length() {
    let inner = [&[0xff, 3, 0, 0x21][..], &leaf()].concat();
    let head = |flags: u8| {
        let mut head = vec![0x30, flags, 0x88, 0x0b];
        head.extend((inner.len() as u16).to_be_bytes());
        head.extend([0, 5, 0, 0, 0, 1]);
        if flags & 0x80 != 0 {
            head.extend([0; 4]);
        }
        head
    };
    let packet = in_v4(47, &[&head(1)[..], &inner, &[0; 6]].concat());
    opens(&packet, &leaf(), "pptp 5");
    opens(
        &in_v4(47, &[&head(0x81)[..], &inner].concat()),
        &leaf(),
        "pptp 5",
    );
}

#[test]
fn erspan_of_every_type() {
    let frame = ethernet(EtherType::IPV4, &leaf());
    let gre = |head: &[u8]| in_v4(47, &[head, &frame].concat());
    opens(&gre(&[0, 0, 0x88, 0xbe]), &leaf(), "erspan");
    let two = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 5, 0, 0, 0, 0];
    opens(&gre(&two), &leaf(), "erspan 5");
    let mut three = vec![0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 1, 4, 6];
    three.resize(20, 0);
    opens(&gre(&three), &leaf(), "erspan 6");
    three[19] = 1;
    three.resize(28, 0);
    opens(&gre(&three), &leaf(), "erspan 6");
}

// RFC 3378 §3: EtherIP.
#[test]
fn ethernet_and_mpls_in_ip() {
    let frame = ethernet(EtherType::IPV6, &leaf6());
    opens(
        &in_v4(97, &[&[0x30, 0][..], &frame].concat()),
        &leaf6(),
        "etherip",
    );
    stays(&in_v4(97, &[&[0x40, 0][..], &frame].concat()));
    let labels = [&[0, 1, 1, 64][..], &leaf()].concat();
    opens(&in_v4(137, &labels), &leaf(), "ip-in-ip, mpls 16");
    opens(&udp(50_000, 6635, &labels), &leaf(), "ip-in-ip, mpls 16");
}

// RFC 7348 §5: the VXLAN header.
#[test]
fn vxlan_and_its_extension() {
    let frame = ethernet(EtherType::IPV4, &leaf());
    let tagged = ethernet(EtherType(0x8100), &[&[0, 3, 8, 0][..], &leaf()].concat());
    let vxlan = |port, flags: [u8; 4], vni: u32, frame: &[u8]| {
        udp(
            55_555,
            port,
            &[&flags[..], &(vni << 8).to_be_bytes(), frame].concat(),
        )
    };
    opens(&vxlan(4789, [8, 0, 0, 0], 77, &frame), &leaf(), "vxlan 77");
    opens(
        &vxlan(8472, [8, 0, 0, 0], 77, &tagged),
        &leaf(),
        "vxlan 77, vlan 3",
    );
    opens(
        &vxlan(4789, [0x88, 0, 0, 1], 77, &frame),
        &leaf(),
        "vxlan 77",
    );
    opens(
        &vxlan(4790, [0x0c, 0, 0, 3], 77, &frame),
        &leaf(),
        "vxlan 77",
    );
    opens(
        &vxlan(4790, [0x0c, 0, 0, 1], 77, &leaf()),
        &leaf(),
        "vxlan 77",
    );
    stays(&vxlan(4789, [0, 0, 0, 0], 77, &frame));
    // The reverse direction has the well-known port as its source, which means nothing.
    stays(&udp(
        4789,
        1,
        &[&[8, 0, 0, 0, 0, 0, 1, 0][..], &frame].concat(),
    ));
    // An ARP request inside: the packet that carries it stands.
    let arp = ethernet(EtherType::ARP, &[0; 28]);
    stays(&vxlan(4789, [8, 0, 0, 0], 77, &arp));
}

// RFC 8926 §3.4: the Geneve header.
#[test]
fn geneve_with_options() {
    let frame = ethernet(EtherType::IPV4, &leaf());
    let head = [2, 0x40, 0x65, 0x58, 0, 0, 10, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    opens(
        &udp(50_000, 6081, &[&head[..], &frame].concat()),
        &leaf(),
        "geneve 10",
    );
    let head = [0, 0, 0x86, 0xdd, 0, 0, 11, 0];
    opens(
        &udp(50_000, 6081, &[&head[..], &leaf6()].concat()),
        &leaf6(),
        "geneve 11",
    );
    let wrong = [0x40, 0, 0x86, 0xdd, 0, 0, 11, 0];
    stays(&udp(50_000, 6081, &[&wrong[..], &leaf6()].concat()));
}

#[test]
fn gtp_u_with_extension_headers() {
    let inner = leaf();
    let head = |flags: u8, more: &[u8]| {
        let mut head = vec![flags, 0xff];
        head.extend(((more.len() + inner.len()) as u16).to_be_bytes());
        head.extend([0, 0, 1, 0]);
        head.extend(more);
        [head, inner.clone()].concat()
    };
    opens(&udp(2152, 2152, &head(0x30, &[])), &inner, "gtp-u 256");
    opens(
        &udp(2152, 9, &head(0x32, &[0, 1, 0, 0])),
        &inner,
        "gtp-u 256",
    );
    let chain = [0, 1, 0, 0x85, 1, 0, 0, 0xc0, 2, 0, 0, 0, 0, 0, 0, 0];
    opens(&udp(9, 2152, &head(0x34, &chain)), &inner, "gtp-u 256");
    // An extension header of length zero, which would never end.
    stays(&udp(9, 2152, &head(0x34, &[0, 1, 0, 0x85, 0, 0, 0, 0x85])));
    // A length beyond the datagram.
    let mut long = head(0x30, &[]);
    long[2] = 0xff;
    stays(&udp(2152, 2152, &long));
}

// RFC 5415 §4.3: the CAPWAP header.
#[test]
fn capwap_with_both_kinds_of_frame() {
    let frame = ethernet(EtherType::IPV4, &leaf());
    let plain = [&[0, 0x10, 0, 0, 0, 0, 0, 0][..], &frame].concat();
    opens(&udp(30_000, 5247, &plain), &leaf(), "capwap");
    let mut wlan = vec![0x08, 0x01];
    wlan.resize(24, 0);
    wlan[22..24].copy_from_slice(&[0x30, 0x76]);
    wlan.extend([0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
    wlan.extend(leaf());
    let native = |wlan: &[u8]| {
        udp(
            5247,
            30_000,
            &[&[0, 0x10, 3, 0, 0, 0, 0, 0][..], wlan].concat(),
        )
    };
    opens(&native(&wlan), &leaf(), "capwap");
    // Both control fields swapped.
    wlan.swap(0, 1);
    wlan.swap(22, 23);
    opens(&native(&wlan), &leaf(), "capwap");
    for flags in [[0, 0x10, 0, 0x80], [0, 0x10, 0, 0x08], [1, 0x10, 0, 0]] {
        stays(&udp(30_000, 5247, &[&flags[..], &[0; 4], &frame].concat()));
    }
}

#[test]
fn teredo_with_authentication_and_origin() {
    opens(&udp(3544, 50_000, &leaf6()), &leaf6(), "teredo");
    let origin = [0, 0, 1, 2, 3, 4, 5, 6];
    let authentication = [0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0];
    let both = [&authentication[..], &origin, &leaf6()].concat();
    opens(&udp(50_000, 3544, &both), &leaf6(), "teredo");
    // RFC 4380 §5.1.1: the IPv6 packet ends with the datagram.
    stays(&udp(50_000, 3544, &[&leaf6()[..], &[0]].concat()));
    stays(&udp(50_000, 50_000, &leaf6()));
}

// RFC 2661 §3.1: the L2TP header.
#[test]
fn l2tp_and_ayiya() {
    let ppp = [&[0xff, 3, 0, 0x21][..], &leaf()].concat();
    let mut full = vec![0x4a, 0x02];
    full.extend((2 + 2 + 4 + 4 + 2 + 3 + ppp.len() as u16).to_be_bytes());
    full.extend([0, 9, 0, 1, 0, 0, 0, 0, 0, 3, 1, 2, 3]);
    opens(
        &udp(1701, 1701, &[&full[..], &ppp].concat()),
        &leaf(),
        "l2tp 9",
    );
    let short = [0, 2, 0, 9, 0, 1];
    opens(
        &udp(50_000, 1701, &[&short[..], &ppp].concat()),
        &leaf(),
        "l2tp 9",
    );
    // Control messages are not packets.
    stays(&udp(
        1701,
        1701,
        &[&[0xc8, 2, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0][..]].concat(),
    ));

    let mut head = vec![0x42, 0x52, 0x11, 41, 0, 0, 0, 1];
    head.resize(8 + 16 + 20, 7);
    opens(
        &udp(50_000, 5072, &[&head[..], &leaf6()].concat()),
        &leaf6(),
        "ayiya",
    );
}

#[test]
fn ordinary_traffic_on_tunnel_ports_is_left_alone() {
    let dns = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x00\x00\x01\x00\x01";
    for port in [
        4789, 8472, 4790, 6081, 4754, 6635, 2152, 5247, 3544, 1701, 5072,
    ] {
        stays(&udp(53, port, dns));
        stays(&udp(port, 53, dns));
        stays(&udp(port, port, b""));
        stays(&udp(50_000, port, &[0xff; 300]));
        stays(&udp(50_000, port, &[0; 300]));
        stays(&udp(
            50_000,
            port,
            b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        ));
    }
}

#[test]
fn any_bytes_are_survived_and_what_is_found_lies_within() {
    arbtest::arbtest(|u| {
        let ports = [4789, 4790, 6081, 4754, 6635, 2152, 5247, 3544, 1701, 5072];
        let payload: Vec<u8> = u.arbitrary()?;
        let packet = match u.int_in_range(0..=3)? {
            0 => payload,
            1 => in_v4(*u.choose(&[4, 41, 47, 97, 137])?, &payload),
            2 => in_v6(*u.choose(&[4, 41, 47, 97, 137, 60])?, &payload),
            _ => udp(1, *u.choose(&ports)?, &payload),
        };
        let found = decapsulate(&packet, DEFAULT_DEPTH);
        assert!(found.layers.tunnels() <= DEFAULT_DEPTH);
        assert!(packet.as_ptr_range().start <= found.packet.as_ptr_range().start);
        assert!(found.packet.as_ptr_range().end <= packet.as_ptr_range().end);
        Ok(())
    });
}
