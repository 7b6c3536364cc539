//! The layout of packets of every kind, and one packet with and one without every anomaly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod packets;

use hostward_hook::layout::{
    Anomalies, Anomaly, Fragment, IpOptions, IpVersion, Layout, MAX_EXTENSIONS, TcpOptions, proto,
    seen,
};
use hostward_hook::{Meta, Packet};
use packets::*;

/// A packet that has an anomaly at `offset`, and one like it that has none at all.
struct Case {
    anomaly: Anomaly,
    bad: Vec<u8>,
    offset: u16,
    value: u32,
    /// What else the bad packet shows.
    also: &'static [Anomaly],
    good: Vec<u8>,
}

fn case(anomaly: Anomaly, bad: Vec<u8>, offset: u16, value: u32, good: Vec<u8>) -> Case {
    Case {
        anomaly,
        bad,
        offset,
        value,
        also: &[],
        good,
    }
}

impl Case {
    fn also(mut self, also: &'static [Anomaly]) -> Self {
        self.also = also;
        self
    }
}

const A: u8 = 0x10;

fn ip_cases() -> Vec<Case> {
    use Anomaly::*;
    let syn = || tcp(2, &[], &[]);
    let tcp4 = || v4(6, &[], &syn());
    let opt = |o: &[u8]| v4(6, o, &syn());
    let rr = [7, 7, 4, 0, 0, 0, 0, 0];
    vec![
        // RFC 791 §3.1: at least 20 bytes, version 4 or 6.
        case(IpTruncated, cut(tcp4(), 19), 0, 19, tcp4()),
        case(IpTruncated, vec![], 0, 0, v6(59, &[])),
        case(IpTruncated, cut(v6(6, &syn()), 39), 0, 39, v6(6, &syn())),
        case(IpVersion, patch(tcp4(), 0, &[0x55]), 0, 5, tcp4()),
        case(IpVersion, patch(tcp4(), 0, &[0x05]), 0, 0, tcp4()),
        case(Ip4HeaderLength, patch(tcp4(), 0, &[0x44]), 0, 4, tcp4()),
        case(Ip4HeaderLength, patch(tcp4(), 0, &[0x4f]), 0, 15, tcp4()),
        case(Ip4TotalLength, patch(tcp4(), 2, &[0, 19]), 2, 19, tcp4()),
        case(Ip4TotalLength, patch(tcp4(), 2, &[0, 0]), 2, 0, tcp4()),
        case(
            Ip4TotalLength,
            patch(opt(&rr), 2, &[0, 27]),
            2,
            27,
            opt(&rr),
        ),
        case(
            IpLengthBeyondBuffer,
            patch(tcp4(), 2, &[0, 41]),
            2,
            41,
            join(&[&tcp4(), &[0; 6]]),
        ),
        case(
            IpLengthBeyondBuffer,
            patch(v6(6, &syn()), 4, &[0, 21]),
            4,
            21,
            join(&[&v6(6, &syn()), &[0; 6]]),
        ),
        case(
            Ip4ReservedFlag,
            patch(tcp4(), 6, &[0x80]),
            6,
            4,
            patch(tcp4(), 6, &[0x40]),
        ),
        case(
            Ip4DontFragment,
            v4_fragment(17, 0x6000, &udp(&[0; 16])),
            6,
            3,
            v4_fragment(17, 0x2000, &udp(&[0; 16])),
        ),
        case(
            Ip4DontFragment,
            v4_fragment(17, 0x4003, &[0; 16]),
            6,
            2,
            v4_fragment(17, 3, &[0; 16]),
        ),
        // RFC 791 §3.1: options.
        case(
            Ip4OptionLength,
            opt(&[1, 1, 7, 1]),
            23,
            1,
            opt(&[1, 1, 1, 0]),
        ),
        case(
            Ip4OptionLength,
            opt(&[131, 39, 4, 0]),
            21,
            39,
            opt(&[131, 3, 4, 0]),
        ),
        case(
            Ip4OptionLength,
            opt(&[1, 1, 1, 7]),
            24,
            0,
            opt(&[1, 1, 1, 1]),
        ),
        case(
            Ip4OptionLength,
            opt(&[148, 3, 0, 0]),
            21,
            3,
            opt(&[148, 4, 0, 0]),
        ),
        case(Ip4OptionLength, opt(&[7, 4, 4, 0]), 21, 4, opt(&rr)),
        case(
            Ip4OptionLength,
            opt(&[68, 3, 5, 0]),
            21,
            3,
            opt(&[68, 4, 5, 0]),
        ),
        // Commercial security: a domain of 0; a tag that runs past the option.
        case(
            Ip4OptionLength,
            opt(&[134, 10, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0]),
            21,
            10,
            opt(&[134, 10, 0, 0, 0, 1, 1, 4, 0, 0, 0, 0]),
        ),
        case(
            Ip4OptionLength,
            opt(&[134, 10, 0, 0, 0, 1, 1, 5, 0, 0, 0, 0]),
            21,
            10,
            opt(&[134, 6, 0, 0, 0, 1, 0, 0]),
        ),
        case(
            Ip4OptionPointer,
            opt(&[7, 7, 3, 0, 0, 0, 0, 0]),
            22,
            3,
            opt(&rr),
        ),
        case(
            Ip4OptionPointer,
            opt(&[131, 7, 5, 0, 0, 0, 0, 0]),
            22,
            5,
            opt(&[131, 7, 8, 0, 0, 0, 0, 0]),
        ),
        case(
            Ip4OptionPointer,
            opt(&[137, 7, 12, 0, 0, 0, 0, 0]),
            22,
            12,
            opt(&[137, 7, 4, 0, 0, 0, 0, 0]),
        ),
        case(
            Ip4OptionPointer,
            opt(&[68, 8, 4, 0, 0, 0, 0, 0]),
            22,
            4,
            opt(&[68, 8, 9, 0, 0, 0, 0, 0]),
        ),
        case(
            Ip4OptionPointer,
            opt(&[68, 12, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
            22,
            9,
            opt(&[68, 12, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ),
        case(
            Ip4OptionDuplicate,
            opt(&[148, 4, 0, 0, 148, 4, 0, 0]),
            24,
            148,
            opt(&[148, 4, 0, 0, 136, 4, 0, 0]),
        ),
        case(
            Ip4SourceRoutes,
            opt(&[131, 3, 4, 137, 3, 4, 0, 0]),
            23,
            137,
            opt(&[131, 3, 4, 7, 3, 4, 0, 0]),
        ),
        case(
            Ip4OptionPadding,
            opt(&[1, 0, 0, 9]),
            23,
            9,
            opt(&[1, 0, 0, 0]),
        ),
        case(
            IpOptionUnassigned,
            opt(&[33, 4, 0, 0]),
            20,
            33,
            opt(&[158, 4, 0, 0]),
        ),
        case(
            IcmpWrongVersion,
            v4(58, &[], &icmp(128, 0, &[])),
            20,
            58,
            v4(1, &[], &icmp(8, 0, &[])),
        ),
        case(
            IcmpWrongVersion,
            v6(1, &icmp(8, 0, &[])),
            40,
            1,
            v6(58, &icmp(128, 0, &[])),
        ),
    ]
}

fn fragment_cases() -> Vec<Case> {
    use Anomaly::*;
    let six =
        |next: u8, word: u16, rest: &[u8]| v6(44, &join(&[&fragment_header(next, word), rest]));
    vec![
        // RFC 791 §3.2, RFC 8200 §4.5: all but the last in multiples of eight.
        case(
            FragmentLength,
            v4_fragment(17, 0x2002, &[0; 12]),
            2,
            12,
            v4_fragment(17, 0x0002, &[0; 12]),
        ),
        case(
            FragmentLength,
            v4_fragment(17, 0x0002, &[]),
            2,
            0,
            v4_fragment(17, 0x0002, &[0]),
        ),
        case(
            FragmentLength,
            six(17, 17, &[0; 12]),
            4,
            12,
            six(17, 16, &[0; 12]),
        ),
        // 8,189 units are 65,512 bytes: with a header of 20, 3 bytes are left.
        case(
            FragmentBeyondEnd,
            v4_fragment(17, 0x1ffd, &[0; 4]),
            6,
            65_512,
            v4_fragment(17, 0x1ffd, &[0; 3]),
        ),
        case(
            FragmentBeyondEnd,
            six(17, 0xfff8, &[0; 8]),
            42,
            65_528,
            six(17, 0xfff8, &[0; 7]),
        ),
        // RFC 1858 §3.2.1: the first fragment holds the TCP header up to the flags …
        case(
            FragmentTiny,
            v4_fragment(6, 0x2000, &tcp(2, &[], &[])[..8]),
            20,
            8,
            v4_fragment(6, 0x2000, &tcp(2, &[], &[0; 4])),
        )
        .also(&[TcpTruncated]),
        // … and RFC 3128 §2.1: no fragment begins inside it.
        case(
            FragmentTiny,
            v4_fragment(6, 0x0001, &[0; 12]),
            6,
            8,
            v4_fragment(17, 0x0001, &[0; 12]),
        ),
        case(
            FragmentTiny,
            six(6, 8, &[0; 12]),
            42,
            8,
            six(6, 16, &[0; 12]),
        ),
        // RFC 7112 §5: the whole header chain stands in the first fragment.
        case(
            FragmentTiny,
            six(60, 1, &extension(17, &[0; 14])[..8]),
            48,
            16,
            six(60, 1, &join(&[&extension(17, &[0; 6]), &udp(&[0; 8])])),
        )
        .also(&[Ip6ExtensionLength]),
        case(
            FragmentTiny,
            six(6, 1, &tcp(2, &[2, 4, 5, 0xb4], &[])[..20]),
            48,
            20,
            six(6, 1, &tcp(2, &[2, 4, 5, 0xb4], &[])),
        )
        .also(&[TcpDataOffset, FragmentLength]),
        // RFC 6946 §4.
        case(
            FragmentAtomic,
            six(17, 0, &udp(&[])),
            40,
            0,
            six(17, 1, &udp(&[])),
        ),
        case(
            FragmentReserved,
            patch(six(17, 16, &[0]), 41, &[5]),
            41,
            0x500,
            six(17, 16, &[0]),
        ),
        case(
            FragmentReserved,
            six(17, 0x16, &[0]),
            41,
            6,
            six(17, 0x10, &[0]),
        ),
        case(
            Ip6Jumbo,
            patch(six(17, 16, &[0; 8]), 4, &[0, 0]),
            4,
            0,
            six(17, 16, &[0; 8]),
        ),
    ]
}

fn extension_cases() -> Vec<Case> {
    use Anomaly::*;
    let syn = || tcp(2, &[], &[]);
    let with = |next: u8, header: &[u8]| v6(next, &join(&[header, &syn()]));
    let hop = |body: &[u8]| with(0, &extension(6, body));
    let two = |kind: u8| v6(kind, &join(&[&padding(kind), &padding(6), &syn()]));
    let pads = |n: usize| {
        let mut rest = padding(60).repeat(n - 1);
        rest.extend(padding(6));
        v6(60, &join(&[&rest, &syn()]))
    };
    let auth = |a: Vec<u8>| v4(51, &[], &join(&[&a, &syn()]));
    let route = |kind: u8| extension(6, &[kind, 0, 0, 0, 0, 0]);
    vec![
        // RFC 8200 §4: extension headers.
        case(
            Ip6ExtensionLength,
            v6(0, &[6, 9, 1, 4, 0, 0, 0, 0]),
            40,
            80,
            hop(&[1, 4, 0, 0, 0, 0]),
        ),
        case(
            Ip6ExtensionLength,
            v6(43, &[6, 0, 1]),
            40,
            3,
            with(43, &route(2)),
        ),
        case(
            Ip6HopByHopNotFirst,
            v6(60, &join(&[&padding(0), &padding(6), &syn()])),
            48,
            0,
            v6(0, &join(&[&padding(60), &padding(6), &syn()])),
        ),
        case(Ip6ExtensionDuplicate, two(43), 48, 43, with(43, &route(2))),
        case(
            Ip6ExtensionDuplicate,
            two(0),
            48,
            0,
            v6(0, &join(&[&padding(43), &route(2), &syn()])),
        )
        .also(&[Ip6HopByHopNotFirst]),
        case(
            Ip6ExtensionDuplicate,
            v4(51, &[], &join(&[&ah(51), &ah(6), &syn()])),
            44,
            51,
            v4(51, &[], &join(&[&ah(6), &syn()])),
        ),
        case(Ip6DestinationOptions, pads(3), 56, 60, pads(2)),
        case(
            Ip6ExtensionTooMany,
            pads(MAX_EXTENSIONS + 1),
            40 + 8 * MAX_EXTENSIONS as u16,
            60,
            pads(1),
        )
        .also(&[Ip6DestinationOptions]),
        // RFC 5095 §3.
        case(
            Ip6RoutingType0,
            with(43, &route(0)),
            42,
            0,
            with(43, &route(4)),
        ),
        // RFC 8200 §4.2: options.
        case(
            Ip6OptionLength,
            hop(&[1, 5, 0, 0, 0, 0]),
            43,
            5,
            hop(&[1, 4, 0, 0, 0, 0]),
        ),
        case(
            Ip6OptionLength,
            hop(&[5, 1, 0, 1, 1, 0]),
            43,
            1,
            hop(&[5, 2, 0, 0, 1, 0]),
        ),
        case(
            Ip6OptionLength,
            hop(&[1, 3, 0, 0, 0, 1]),
            48,
            0,
            hop(&[1, 3, 0, 0, 0, 0]),
        ),
        case(
            Ip6OptionLength,
            with(60, &extension(6, &[0xc9, 4, 0, 0, 0, 0])),
            43,
            4,
            with(
                60,
                &extension(6, &{
                    let mut b = [0; 22];
                    b[..4].copy_from_slice(&[1, 0, 0xc9, 16]);
                    b
                }),
            ),
        ),
        case(
            Ip6OptionUnknown,
            hop(&[0x41, 4, 0, 0, 0, 0]),
            42,
            0x41,
            hop(&[0x1e, 4, 0, 0, 0, 0]),
        ),
        case(
            Ip6OptionUnknown,
            with(60, &extension(6, &[0xc2, 4, 0, 1, 0, 0])),
            42,
            0xc2,
            with(60, &extension(6, &[0x04, 1, 7, 1, 1, 0])),
        ),
        case(
            IpOptionUnassigned,
            hop(&[0x2a, 4, 0, 0, 0, 0]),
            42,
            0x2a,
            hop(&[0x3e, 4, 0, 0, 0, 0]),
        ),
        case(
            Ip6OptionPadding,
            hop(&[1, 4, 0, 0, 0, 7]),
            44,
            4,
            hop(&[1, 4, 0, 0, 0, 0]),
        ),
        // RFC 2675 §2, §3: jumbo payload.
        case(Ip6Jumbo, jumbogram(65_535), 44, 65_535, jumbogram(65_600)),
        case(
            Ip6Jumbo,
            hop(&[0xc2, 4, 0, 1, 0, 0]),
            44,
            65_536,
            hop(&[1, 4, 0, 0, 0, 0]),
        ),
        case(
            Ip6Jumbo,
            patch(hop(&[1, 4, 0, 0, 0, 0]), 4, &[0, 0]),
            4,
            0,
            hop(&[1, 4, 0, 0, 0, 0]),
        ),
        case(
            Ip6Jumbo,
            patch(v6(6, &syn()), 4, &[0, 0]),
            4,
            0,
            v6(59, &[]),
        ),
        // RFC 8200 §4.7.
        case(Ip6DataAfterNoNext, v6(59, &[9, 9]), 40, 2, v6(59, &[])),
        // RFC 4302 §2.2, §2.3; RFC 4303 §2.
        case(
            IpsecTruncated,
            auth(patch(ah(6), 1, &[0])),
            20,
            8,
            auth(ah(6)),
        ),
        case(
            IpsecTruncated,
            auth(patch(ah(6), 1, &[90])),
            20,
            368,
            auth(ah(6)),
        ),
        case(
            IpsecTruncated,
            v4(50, &[], &[0; 7]),
            20,
            7,
            v4(50, &[], &[0; 8]),
        ),
        case(
            AhReserved,
            auth(patch(ah(6), 2, &[1, 2])),
            22,
            0x102,
            auth(ah(6)),
        ),
        // RFC 2003 §3.1, RFC 2473 §3: IP in IP.
        case(
            TunnelInner,
            v4(4, &[], &[0x45; 19]),
            20,
            19,
            v4(4, &[], &v4(6, &[], &syn())),
        ),
        case(
            TunnelInner,
            v6(41, &v4(6, &[], &syn())),
            40,
            4,
            v6(41, &v6(6, &syn())),
        ),
        case(
            TunnelInner,
            v6(41, &[0x60; 39]),
            40,
            39,
            v6(4, &v4(6, &[], &syn())),
        ),
    ]
}

fn transport_cases() -> Vec<Case> {
    use Anomaly::*;
    let seg = |flags: u8, options: &[u8], data: &[u8]| v4(6, &[], &tcp(flags, options, data));
    let opt = |o: &[u8]| seg(2, o, &[]);
    let mss = [2, 4, 5, 0xb4];
    let dns = |data: &[u8]| v4(17, &[], &udp(data));
    let quote4 = |quote: &[u8]| v4(1, &[], &icmp(3, 3, quote));
    let quote6 = |quote: &[u8]| v6(58, &icmp(1, 4, quote));
    let (q4, q6) = (dns(&[]), v6(17, &udp(&[])));
    let dccp = |offset: u8| {
        v4(
            33,
            &[],
            &[3, 232, 0, 80, offset, 0, 0, 0, 4, 0, 0, 1, 0, 0, 0, 0],
        )
    };
    vec![
        // RFC 9293 §3.1.
        case(
            TcpTruncated,
            v4(6, &[], &tcp(2, &[], &[])[..19]),
            20,
            19,
            opt(&[]),
        ),
        case(TcpDataOffset, patch(opt(&[]), 32, &[0x40]), 32, 4, opt(&[])),
        case(
            TcpDataOffset,
            patch(opt(&mss), 32, &[0x70]),
            32,
            7,
            opt(&mss),
        ),
        case(
            TcpOptionLength,
            opt(&[1, 1, 2, 1]),
            43,
            1,
            opt(&[1, 1, 1, 0]),
        ),
        case(TcpOptionLength, opt(&[1, 1, 2, 4]), 43, 4, opt(&mss)),
        case(
            TcpOptionLength,
            opt(&[3, 4, 7, 0]),
            41,
            4,
            opt(&[3, 3, 7, 0]),
        ),
        case(
            TcpOptionLength,
            opt(&[8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            41,
            9,
            opt(&[8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ),
        case(
            TcpOptionLength,
            seg(A, &[5, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[]),
            41,
            11,
            seg(A, &[5, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], &[]),
        ),
        case(
            TcpOptionLength,
            opt(&[5, 3, 0, 0]),
            41,
            3,
            opt(&[5, 2, 0, 0]),
        ),
        case(
            TcpOptionLength,
            opt(&[4, 3, 0, 0]),
            41,
            3,
            opt(&[4, 2, 0, 0]),
        ),
        case(
            TcpOptionLength,
            opt(&[34, 5, 0, 0, 0, 0, 0, 0]),
            41,
            5,
            opt(&[34, 2, 0, 0]),
        ),
        case(
            TcpOptionLength,
            opt(&[29, 3, 0, 0]),
            41,
            3,
            opt(&[29, 4, 0, 0]),
        ),
        case(TcpOptionLength, opt(&[19, 4, 0, 0]), 41, 4, {
            let mut o = [1; 20];
            o[2..4].copy_from_slice(&[19, 18]);
            opt(&o)
        }),
        case(
            TcpOptionDuplicate,
            opt(&[2, 4, 5, 0xb4, 2, 4, 5, 0xb4]),
            44,
            2,
            opt(&[2, 4, 5, 0xb4, 4, 2, 0, 0]),
        ),
        case(
            TcpOptionDuplicate,
            opt(&[34, 2, 34, 2]),
            42,
            34,
            opt(&[34, 2, 254, 2]),
        ),
        // RFC 7323 §2.3.
        case(
            TcpWindowScale,
            opt(&[3, 3, 15, 0]),
            42,
            15,
            opt(&[3, 3, 14, 0]),
        ),
        // RFC 9293 §3.10.7: what no TCP sends.
        case(TcpFlags, seg(0, &[], &[]), 33, 0, seg(A, &[], &[])),
        case(TcpFlags, seg(0x03, &[], &[]), 33, 0x03, seg(0x11, &[], &[])),
        case(TcpFlags, seg(0x06, &[], &[]), 33, 0x06, seg(0x04, &[], &[])),
        case(TcpFlags, seg(0x01, &[], &[]), 33, 0x01, seg(0x14, &[], &[])),
        case(TcpFlags, seg(0x29, &[], &[]), 33, 0x29, seg(0x39, &[], &[])),
        case(TcpFlags, seg(0x3f, &[], &[]), 33, 0x3f, seg(0x12, &[], &[])),
        case(TcpFlags, seg(0x22, &[], &[]), 33, 0x22, seg(0xc2, &[], &[])),
        case(TcpFlags, seg(0x08, &[], &[]), 33, 0x08, seg(0x18, &[], &[])),
        case(TcpFlags, seg(0x20, &[], &[]), 33, 0x20, seg(0xd0, &[], &[])),
        // Bit 7 of the data offset byte is accurate ECN's (RFC 9768).
        case(
            TcpReserved,
            patch(opt(&[]), 32, &[0x52]),
            32,
            2,
            patch(opt(&[]), 32, &[0x51]),
        ),
        // RFC 6093 §3.2: URG and its pointer.
        case(
            TcpUrgentPointer,
            patch(seg(A, &[], &[1, 2]), 38, &[0, 1]),
            38,
            1,
            patch(seg(0x30, &[], &[1, 2]), 38, &[0, 2]),
        ),
        case(
            TcpUrgentPointer,
            patch(seg(0x30, &[], &[1, 2]), 38, &[0, 3]),
            38,
            3,
            seg(0x30, &[], &[1, 2]),
        ),
        case(
            TcpAckNumber,
            patch(opt(&[]), 28, &[1, 2, 3, 4]),
            28,
            0x0102_0304,
            patch(seg(0x04, &[], &[]), 28, &[1, 2, 3, 4]),
        ),
        // RFC 6335 §6: port 0 is reserved.
        case(PortZero, patch(opt(&[]), 20, &[0, 0]), 20, 0, opt(&[])),
        case(PortZero, patch(opt(&[]), 22, &[0, 0]), 22, 0, opt(&[])),
        case(PortZero, patch(dns(&[]), 22, &[0, 0]), 22, 0, dns(&[])),
        case(
            PortZero,
            patch(v4(132, &[], &tcp(2, &[], &[])), 20, &[0, 0]),
            20,
            0,
            v4(132, &[], &tcp(2, &[], &[])),
        ),
        // RFC 768.
        case(
            UdpTruncated,
            v4(17, &[], &[3, 232, 0, 53, 0, 8, 1]),
            20,
            7,
            dns(&[]),
        ),
        case(UdpLength, patch(dns(&[1]), 24, &[0, 7]), 24, 7, dns(&[1])),
        case(UdpLength, patch(dns(&[1]), 24, &[0, 10]), 24, 10, dns(&[1])),
        case(UdpTrailing, patch(dns(&[1]), 24, &[0, 8]), 24, 8, dns(&[1])),
        // RFC 8200 §8.1.
        case(
            UdpNoChecksum,
            patch(q6.clone(), 46, &[0, 0]),
            46,
            0,
            patch(dns(&[]), 26, &[0, 0]),
        ),
        // RFC 792, RFC 4443 §2.1, §3.1.
        case(
            IcmpTruncated,
            v4(1, &[], &[8, 0, 0, 0, 0, 0, 0]),
            20,
            7,
            v4(1, &[], &icmp(8, 0, &[])),
        ),
        case(
            IcmpTruncated,
            v6(58, &[128, 0]),
            40,
            2,
            v6(58, &icmp(128, 0, &[])),
        ),
        case(IcmpQuoteTruncated, quote4(&[]), 28, 0, quote4(&q4)),
        case(
            IcmpQuoteTruncated,
            quote4(&q4[..19]),
            28,
            19,
            quote4(&q4[..20]),
        ),
        case(IcmpQuoteTruncated, quote4(&q6), 28, 48, quote6(&q6)),
        case(IcmpQuoteTruncated, quote6(&q4), 48, 28, quote6(&q6[..40])),
        // RFC 9260 §3.1, RFC 4340 §5.1, RFC 3828 §3.1.
        case(
            TransportTruncated,
            v4(132, &[], &[3, 232, 0, 80, 0, 0, 0, 0, 0, 0, 0]),
            20,
            11,
            v4(132, &[], &[3, 232, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0]),
        ),
        case(
            TransportTruncated,
            v4(136, &[], &[3, 232, 0, 80, 0, 8, 0]),
            20,
            7,
            v4(136, &[], &[3, 232, 0, 80, 0, 8, 0, 0]),
        ),
        case(TransportTruncated, dccp(2), 24, 2, dccp(3)),
        case(TransportTruncated, dccp(5), 24, 5, dccp(4)),
    ]
}

fn cases() -> Vec<Case> {
    [
        ip_cases(),
        fragment_cases(),
        extension_cases(),
        transport_cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_anomaly_is_found_where_it_is_and_only_there() {
    for (i, c) in cases().iter().enumerate() {
        let name = format!("case {i}: {}", c.anomaly.name());
        let mut expected = Anomalies::of(c.also);
        expected.insert(c.anomaly);
        let layout = Layout::parse(&c.bad);
        assert_eq!(layout.anomalies(), expected, "{name}, bad");
        let list = Layout::evidence(&c.bad);
        let e = list.of(c.anomaly).expect(&name);
        assert_eq!((e.offset, e.value), (c.offset, c.value), "{name}, evidence");
        assert!(
            !e.anomaly.field().is_empty() && e.anomaly.text().ends_with('.'),
            "{name}"
        );
        let good = Layout::parse(&c.good);
        assert_eq!(good.anomalies(), Anomalies::NONE, "{name}, good");
        assert_eq!(Layout::evidence(&c.good).iter().count(), 0, "{name}, good");
        // The bits and the evidence come from the same walk.
        let told: Vec<Anomaly> = list.iter().map(|e| e.anomaly).collect();
        assert_eq!(Anomalies::of(&told), expected, "{name}");
    }
}

#[test]
fn every_anomaly_has_a_case() {
    let cases = cases();
    for a in Anomaly::ALL {
        assert!(cases.iter().any(|c| c.anomaly == *a), "{a:?} has no case");
    }
}

#[test]
fn numbers_and_names_are_those_that_were_published() {
    for (i, a) in Anomaly::ALL.iter().enumerate() {
        assert_eq!(*a as usize, i, "{a:?}");
        assert_eq!(
            Anomaly::ALL.iter().filter(|b| b.name() == a.name()).count(),
            1
        );
    }
    assert_eq!(Anomaly::TransportTruncated as u8, 45);
    assert_eq!(Anomaly::Ip6DestinationOptions as u8, 46);
    assert_eq!(Anomaly::TunnelInner as u8, 49);
}

/// What the layout of a packet should be.
#[derive(Debug, PartialEq)]
struct Expected {
    protocol: u8,
    upper: usize,
    payload: usize,
    end: usize,
    ports: Option<(u16, u16)>,
    fragment: Fragment,
    seen: u16,
}

fn found(p: &[u8]) -> Expected {
    let l = Layout::parse(p);
    assert_eq!(l.anomalies(), Anomalies::NONE, "{p:02x?}");
    Expected {
        protocol: l.protocol(),
        upper: l.upper_offset(),
        payload: l.payload_offset(),
        end: l.end(),
        ports: l.ports(),
        fragment: l.fragment(),
        seen: l.seen(),
    }
}

fn whole(protocol: u8, upper: usize, payload: usize, end: usize, seen: u16) -> Expected {
    let ports = match protocol {
        proto::TCP | proto::SCTP | proto::DCCP | proto::UDP_LITE => Some((1000, 80)),
        proto::UDP => Some((1000, 53)),
        _ => None,
    }
    .filter(|_| seen & seen::PORTS != 0);
    Expected {
        protocol,
        upper,
        payload,
        end,
        ports,
        fragment: Fragment::Whole,
        seen,
    }
}

const TRANSPORT: u16 = seen::PORTS | seen::UPPER;

#[test]
fn upper_layers_of_both_versions() {
    let syn = tcp(2, &[2, 4, 5, 0xb4, 1, 1, 4, 2], b"data");
    let four = v4(6, &[148, 4, 0, 0], &syn);
    let flags = TRANSPORT | seen::TCP_OPTIONS;
    assert_eq!(found(&four), whole(6, 24, 52, 56, flags | seen::IP_OPTIONS));
    assert_eq!(found(&v6(6, &syn)), whole(6, 40, 68, 72, flags));
    let padded = join(&[&v4(17, &[], &udp(b"x")), &[0; 17]]);
    assert_eq!(found(&padded), whole(17, 20, 28, 29, TRANSPORT));
    assert_eq!(found(&v6(17, &udp(b"x"))), whole(17, 40, 48, 49, TRANSPORT));
    for (protocol, header) in [(132, 12), (136, 8)] {
        let mut h = tcp(2, &[], &[]);
        h[4..6].copy_from_slice(&[0, 20]);
        assert_eq!(
            found(&v4(protocol, &[], &h)),
            whole(protocol, 20, 20 + header, 40, TRANSPORT)
        );
        assert_eq!(
            found(&v6(protocol, &h)),
            whole(protocol, 40, 40 + header, 60, TRANSPORT)
        );
    }
    let dccp = [3, 232, 0, 80, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 9];
    assert_eq!(found(&v4(33, &[], &dccp)), whole(33, 20, 36, 37, TRANSPORT));
    // No upper layer that is known: IGMP, OSPF; tunnels that are noted and not entered.
    assert_eq!(found(&v4(2, &[], &[0x16; 8])), whole(2, 20, 20, 28, 0));
    assert_eq!(found(&v6(89, &[2; 8])), whole(89, 40, 40, 48, 0));
    for tunnel in [47, 97, 137] {
        assert_eq!(
            found(&v4(tunnel, &[], &[0; 8])),
            whole(tunnel, 20, 20, 28, seen::TUNNEL)
        );
    }
    let inner = v4(17, &[], &udp(&[]));
    assert_eq!(
        found(&v4(4, &[], &inner)),
        whole(4, 20, 20, 48, seen::TUNNEL)
    );
    assert_eq!(found(&v6(4, &inner)), whole(4, 40, 40, 68, seen::TUNNEL));
    let inner = v6(17, &udp(&[]));
    assert_eq!(
        found(&v4(41, &[], &inner)),
        whole(41, 20, 20, 68, seen::TUNNEL)
    );
    assert_eq!(found(&v6(59, &[])), whole(59, 40, 40, 40, seen::NO_NEXT));
}

#[test]
fn icmp_with_and_without_quotes() {
    for (p, upper) in [
        (v4(1, &[], &icmp(8, 0, b"ping")), 20),
        (v6(58, &icmp(128, 0, b"ping")), 40),
        (v4(1, &[], &icmp(3, 3, &v4(17, &[], &udp(&[])))), 20),
        (
            v4(1, &[], &icmp(5, 1, &v4(6, &[148, 4, 0, 0], &[0; 8]))),
            20,
        ),
        (v6(58, &icmp(3, 0, &v6(17, &udp(&[])))), 40),
        // Redirect quotes in an option.
        (v6(58, &icmp(137, 0, &[0; 32])), 40),
    ] {
        let l = Layout::parse(&p);
        assert_eq!(l.anomalies(), Anomalies::NONE);
        assert_eq!(l.icmp(), Some((p[upper], p[upper + 1])));
        assert_eq!((l.upper_offset(), l.payload_offset()), (upper, upper + 8));
        assert_eq!((l.ports(), l.tcp_flags(), l.end()), (None, None, p.len()));
    }
}

#[test]
fn extension_headers_in_any_order() {
    let syn = tcp(2, &[], &[]);
    // Each pair of different headers, hop-by-hop only in front.
    let kinds: [(u8, u16); 7] = [
        (0, seen::HOP_BY_HOP),
        (60, seen::DESTINATION),
        (43, seen::ROUTING),
        (51, seen::AH),
        (135, seen::MOBILITY),
        (139, seen::HIP),
        (140, seen::SHIM6),
    ];
    let header = |kind: u8, next: u8| match kind {
        51 => ah(next),
        43 => extension(next, &[2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        _ => padding(next),
    };
    for (a, a_bit) in kinds {
        for (b, b_bit) in kinds {
            if a == b || b == 0 {
                continue;
            }
            let (first, second) = (header(a, b), header(b, 6));
            let p = v6(a, &join(&[&first, &second, &syn]));
            let upper = 40 + first.len() + second.len();
            let bits = TRANSPORT | a_bit | b_bit;
            assert_eq!(
                found(&p),
                whole(6, upper, upper + 20, upper + 20, bits),
                "{a} {b}"
            );
            if a == 51 || b == 51 {
                let at = if a == 51 { 40 } else { 40 + first.len() };
                assert_eq!(Layout::parse(&p).ah_offset(), Some(at));
                let packet = Packet::parse(&p, Meta::default());
                assert_eq!(packet.spi(), Some(0xdead_beef));
            }
        }
    }
    // The order of RFC 8200 §4.1 in full.
    let all = v6(
        0,
        &join(&[
            &padding(60),
            &padding(43),
            &header(43, 44),
            &fragment_header(51, 1),
            &ah(60),
            &padding(17),
            &udp(&[0; 8]),
        ]),
    );
    let l = Layout::parse(&all);
    assert_eq!(l.anomalies(), Anomalies::NONE);
    assert_eq!(
        (l.fragment(), l.ports()),
        (Fragment::First, Some((1000, 53)))
    );
    assert_eq!(
        (l.fragment_header_offset(), l.ah_offset()),
        (Some(72), Some(80))
    );
    assert_eq!(l.upper_offset(), 112);
    assert!(
        l.has(seen::HOP_BY_HOP | seen::DESTINATION | seen::ROUTING | seen::FRAGMENT | seen::AH)
    );
    // In IPv4 these are protocols like any other.
    for kind in [0, 43, 44, 60, 135, 139, 140] {
        assert_eq!(
            found(&v4(kind, &[], &padding(6))),
            whole(kind, 20, 20, 28, 0)
        );
    }
}

#[test]
fn headers_that_end_the_packet() {
    // RFC 6275 §6.1.1, RFC 7401 §5.1: mobility and HIP say "no next header".
    for (kind, bit) in [(135, seen::MOBILITY), (139, seen::HIP)] {
        let p = v6(kind, &extension(59, &[1, 0, 0, 0, 0, 0]));
        assert_eq!(found(&p), whole(kind, 40, 48, 48, bit | seen::UPPER));
    }
    let p = v6(140, &padding(59));
    assert_eq!(
        found(&p),
        whole(59, 48, 48, 48, seen::SHIM6 | seen::NO_NEXT)
    );
}

#[test]
fn the_walk_over_extension_headers_is_bounded() {
    for n in [MAX_EXTENSIONS, MAX_EXTENSIONS + 1, 200] {
        for plain in [true, false] {
            let pad = |next| {
                if plain {
                    padding(next)
                } else {
                    extension(next, &[0; 6])
                }
            };
            let mut rest = pad(60).repeat(n - 1);
            rest.extend(pad(6));
            let p = v6(60, &join(&[&rest, &tcp(2, &[], &[])]));
            let l = Layout::parse(&p);
            let many = n > MAX_EXTENSIONS;
            assert_eq!(l.anomalies().contains(Anomaly::Ip6ExtensionTooMany), many);
            assert_eq!(l.ports(), (!many).then_some((1000, 80)));
            assert_eq!(l.upper_offset(), 40 + 8 * n.min(MAX_EXTENSIONS));
            assert_eq!(l.protocol(), if many { 60 } else { 6 });
        }
    }
    // AH counts too, in both versions.
    for p in [
        v4(51, &[], &ah(51).repeat(MAX_EXTENSIONS + 1)),
        v6(51, &ah(51).repeat(MAX_EXTENSIONS + 1)),
    ] {
        let l = Layout::parse(&p);
        assert!(l.anomalies().contains(Anomaly::Ip6ExtensionTooMany));
        assert_eq!(l.upper_offset(), p.len() - 24);
    }
}

#[test]
fn fragments_of_both_versions() {
    let data = udp(&[7; 16]);
    let first = v4_fragment(17, 0x2000, &patch(data.clone(), 4, &[0, 200]));
    let l = Layout::parse(&first);
    assert_eq!(
        (l.fragment(), l.anomalies()),
        (Fragment::First, Anomalies::NONE)
    );
    assert_eq!((l.fragment_offset(), l.more_fragments()), (0, true));
    assert_eq!((l.ports(), l.payload_offset()), (Some((1000, 53)), 28));
    assert_eq!(l.fragment_header_offset(), None);
    assert_eq!(
        Packet::parse(&first, Meta::default()).fragment_id(),
        Some(0x1234)
    );
    for word in [0x2003_u16, 0x0003] {
        let later = v4_fragment(17, word, &data);
        let l = Layout::parse(&later);
        assert_eq!(
            (l.fragment(), l.anomalies()),
            (Fragment::Later, Anomalies::NONE)
        );
        assert_eq!(
            (l.fragment_offset(), l.more_fragments()),
            (24, word & 0x2000 != 0)
        );
        assert_eq!((l.ports(), l.icmp(), l.tcp_flags()), (None, None, None));
        assert_eq!(
            (l.protocol(), l.upper_offset(), l.payload_offset()),
            (17, 20, 20)
        );
    }
    let six = |next: u8, word: u16, rest: &[u8]| {
        v6(
            60,
            &join(&[&padding(44), &fragment_header(next, word), rest]),
        )
    };
    let first = six(17, 1, &patch(data.clone(), 4, &[0, 200]));
    let l = Layout::parse(&first);
    assert_eq!(
        (l.fragment(), l.anomalies()),
        (Fragment::First, Anomalies::NONE)
    );
    assert_eq!((l.ports(), l.upper_offset()), (Some((1000, 53)), 56));
    assert_eq!(l.fragment_header_offset(), Some(48));
    assert_eq!(
        Packet::parse(&first, Meta::default()).fragment_id(),
        Some(0xcafe_babe)
    );
    // What follows a later fragment's header is data, whatever its next header says.
    for next in [17, 60, 51, 58, 50] {
        let later = six(next, 24, &data);
        let l = Layout::parse(&later);
        assert_eq!(
            (l.fragment(), l.anomalies()),
            (Fragment::Later, Anomalies::NONE)
        );
        assert_eq!(
            (l.protocol(), l.upper_offset(), l.ports()),
            (next, 56, None)
        );
        assert_eq!((l.icmp(), l.ah_offset()), (None, None));
        assert_eq!(Packet::parse(&later, Meta::default()).spi(), None);
    }
    // A second fragment header changes neither offset nor flag, and is seen to be there.
    let twice = six(44, 24, &join(&[&fragment_header(17, 0), &data]));
    assert_eq!(Layout::parse(&twice).fragment(), Fragment::Later);
    let twice = six(44, 1, &join(&[&fragment_header(17, 0), &data]));
    let l = Layout::parse(&twice);
    assert_eq!(
        (l.fragment(), l.fragment_header_offset()),
        (Fragment::First, Some(56))
    );
    assert_eq!(
        l.anomalies(),
        Anomalies::of(&[Anomaly::Ip6ExtensionDuplicate])
    );
    let atomic = six(17, 0, &data);
    let l = Layout::parse(&atomic);
    assert_eq!(l.anomalies(), Anomalies::of(&[Anomaly::FragmentAtomic]));
    assert_eq!(
        (l.fragment(), l.ports()),
        (Fragment::Whole, Some((1000, 53)))
    );
    // A later IPv4 fragment of ESP or AH has no security parameters index either.
    for protocol in [50, 51] {
        let later = v4_fragment(protocol, 0x0003, &data);
        assert_eq!(Packet::parse(&later, Meta::default()).spi(), None);
    }
}

#[test]
fn ipsec_headers() {
    let esp = v4(50, &[], &[1, 2, 3, 4, 0, 0, 0, 9, 0xaa]);
    assert_eq!(found(&esp), whole(50, 20, 28, 29, seen::ESP | seen::UPPER));
    assert_eq!(
        Packet::parse(&esp, Meta::default()).spi(),
        Some(0x0102_0304)
    );
    let short = v4(50, &[], &[1, 2, 3, 4, 0]);
    assert_eq!(Packet::parse(&short, Meta::default()).spi(), None);
    let esp = v6(60, &join(&[&padding(50), &[1, 2, 3, 4, 0, 0, 0, 9]]));
    assert_eq!(
        found(&esp),
        whole(50, 48, 56, 56, seen::DESTINATION | seen::ESP | seen::UPPER)
    );
    // AH in transport mode shows the ports; in tunnel mode the tunnel.
    let transport = v4(51, &[], &join(&[&ah(17), &udp(&[])]));
    assert_eq!(
        found(&transport),
        whole(17, 44, 52, 52, TRANSPORT | seen::AH)
    );
    let inner = v4(17, &[], &udp(&[]));
    for p in [
        v4(51, &[], &join(&[&ah(4), &inner])),
        v6(51, &join(&[&ah(4), &inner])),
    ] {
        let at = p.len() - inner.len();
        assert_eq!(
            found(&p),
            whole(4, at, at, p.len(), seen::AH | seen::TUNNEL)
        );
        assert_eq!(Packet::parse(&p, Meta::default()).spi(), Some(0xdead_beef));
    }
    let both = v4(51, &[], &join(&[&ah(50), &[1, 2, 3, 4, 0, 0, 0, 9]]));
    assert_eq!(
        found(&both),
        whole(50, 44, 52, 52, seen::AH | seen::ESP | seen::UPPER)
    );
}

/// RFC 2675 §4: the UDP length of a jumbogram is zero, and says nothing.
#[test]
fn jumbograms() {
    let p = jumbogram(65_600);
    assert_eq!(
        found(&p),
        whole(17, 48, 56, 65_640, TRANSPORT | seen::HOP_BY_HOP)
    );
}

/// RFC 7323 appendix A: the timestamp option as nearly every segment carries it is passed over
/// fast; one that only begins like it is not.
#[test]
fn timestamps_alone() {
    let usual = [1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9];
    let p = v4(6, &[], &tcp(A, &usual, b"x"));
    assert_eq!(
        found(&p),
        whole(6, 20, 52, 53, TRANSPORT | seen::TCP_OPTIONS)
    );
    for (at, byte) in [(3, 9), (3, 11), (2, 5)] {
        let other = patch(usual.to_vec(), at, &[byte]);
        let l = Layout::parse(&v4(6, &[], &tcp(A, &other, b"x")));
        assert_eq!(l.anomalies().is_empty(), at == 2, "{other:?}");
    }
    let more = [&usual[..], &[8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]].concat();
    let l = Layout::parse(&v4(6, &[], &tcp(A, &more, b"x")));
    assert_eq!(l.anomalies(), Anomalies::of(&[Anomaly::TcpOptionDuplicate]));
}

/// Headers whose lengths lie must not show ports that the receiver would not see.
#[test]
fn lying_lengths_show_no_ports() {
    let tcp4 = v4(6, &[], &tcp(2, &[], &[0; 60]));
    for bad in [
        patch(tcp4.clone(), 0, &[0x44]),
        patch(tcp4.clone(), 2, &[0, 19]),
        patch(patch(tcp4.clone(), 0, &[0x4f]), 2, &[0, 40]),
        patch(tcp4.clone(), 2, &[0, 30]),
    ] {
        let l = Layout::parse(&bad);
        assert_eq!(
            (l.ports(), l.tcp_flags()),
            (None, None),
            "{:?}",
            l.anomalies()
        );
        assert!(!l.anomalies().is_empty());
    }
    // Zero is what segmentation offload leaves.
    let l = Layout::parse(&patch(tcp4, 2, &[0, 0]));
    assert_eq!((l.ports(), l.end()), (Some((1000, 80)), 100));
}

#[test]
fn options_are_walked_to_their_end() {
    let o = [1, 7, 3, 4, 148, 4, 0, 0, 0, 9, 9, 9];
    let kinds: Vec<_> = IpOptions::new(&o).map(|o| o.unwrap()).collect();
    assert_eq!(kinds.len(), 2);
    assert_eq!(
        (kinds[0].kind, kinds[0].offset, kinds[0].data),
        (7, 1, &[4][..])
    );
    assert_eq!(
        (kinds[1].kind, kinds[1].offset, kinds[1].data),
        (148, 4, &[0, 0][..])
    );
    assert_eq!(IpOptions::padding(&o), Some(9));
    let mut walk = TcpOptions::new(&[4, 2, 2, 9]);
    assert!(walk.next().is_some_and(|o| o.is_ok()));
    assert_eq!(walk.next(), Some(Err(2)));
    assert_eq!(walk.next(), None);
    let p = v4(6, &[148, 4, 0, 0], &tcp(2, &[2, 4, 5, 0xb4], &[]));
    let packet = Packet::parse(&p, Meta::default());
    assert_eq!(packet.ip_options(), [148, 4, 0, 0]);
    assert_eq!(packet.tcp_options(), [2, 4, 5, 0xb4]);
    assert_eq!(packet.tcp_numbers(), Some((7, 0, 0x1000)));
}

/// Every packet of this file at every length: nothing panics, and offsets stay in order and in
/// bounds.
#[test]
fn cut_off_at_every_length() {
    for c in cases() {
        for p in [c.bad, c.good] {
            // A jumbogram's tail is nothing but data.
            for len in (0..=p.len()).filter(|l| *l < 400 || *l == p.len()) {
                let p = &p[..len];
                let l = Layout::parse(p);
                assert!(l.upper_offset() <= l.payload_offset(), "{p:02x?}");
                assert!(
                    l.payload_offset() <= l.end() && l.end() <= len,
                    "{p:02x?} {l:?}"
                );
                let packet = Packet::parse(p, Meta::default());
                assert_eq!(packet.upper().len(), l.end() - l.upper_offset());
                assert_eq!(packet.payload().len(), l.end() - l.payload_offset());
                assert_eq!(packet.key().is_some(), l.ip_version().is_some());
                assert_eq!(packet.source().is_some(), l.ip_version().is_some());
                let _ = (packet.destination(), packet.spi(), packet.fragment_id());
                let _ = (
                    packet.ip_options(),
                    packet.tcp_options(),
                    packet.tcp_numbers(),
                );
                if l.ip_version() == Some(IpVersion::V4) {
                    assert!(len >= 20);
                }
                let mut told = Anomalies::NONE;
                for e in Layout::evidence(p).iter() {
                    told.insert(e.anomaly);
                    assert!(usize::from(e.offset) <= len, "{e:?} {p:02x?}");
                }
                assert_eq!(told, l.anomalies());
            }
        }
    }
}
