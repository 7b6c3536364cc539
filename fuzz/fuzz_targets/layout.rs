//! The layout parse: never panics, all offsets lie in the packet and in order, evidence and bits
//! agree, and where etherparse reads the packet without complaint both read the same.
#![no_main]

use hostward_hook::layout::{Anomalies, Fragment, Layout};
use hostward_hook::{Meta, Packet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let packet = Packet::parse(data, Meta::default());
    let l = packet.layout();
    assert!(l.upper_offset() <= l.payload_offset());
    assert!(l.payload_offset() <= data.len().max(l.upper_offset()));
    assert!(l.end() <= data.len());
    if l.ip_version().is_some() {
        assert!(packet.source().is_some() && packet.destination().is_some());
        assert!(packet.key().is_some());
    }
    assert_eq!(l.ports().is_some() && l.icmp().is_some(), false);
    let evidence = Layout::evidence(data);
    for a in l.anomalies().iter() {
        let e = evidence.of(a).expect("every anomaly has evidence");
        assert!(usize::from(e.offset) <= data.len().min(65_535));
    }
    for e in evidence.iter() {
        assert!(l.anomalies().contains(e.anomaly));
    }
    let _ = (
        packet.payload(),
        packet.upper(),
        packet.tcp_options(),
        packet.ip_options(),
    );
    let _ = (packet.spi(), packet.fragment_id(), packet.tcp_numbers());
    let _ = hostward_hook::checksum::verify(&packet);

    // The oracle: what it takes for well formed, we read alike.
    let Ok(other) = etherparse::SlicedPacket::from_ip(data) else {
        return;
    };
    if l.anomalies() != Anomalies::NONE || l.fragment() != Fragment::Whole {
        return;
    }
    if let Some(net) = &other.net {
        let source = match net {
            etherparse::NetSlice::Ipv4(s) => s.header().source_addr().into(),
            etherparse::NetSlice::Ipv6(s) => s.header().source_addr().into(),
            etherparse::NetSlice::Arp(_) => return,
        };
        assert_eq!(packet.source(), Some(source));
    }
    match &other.transport {
        Some(etherparse::TransportSlice::Tcp(t)) => {
            assert_eq!(l.ports(), Some((t.source_port(), t.destination_port())));
            assert_eq!(packet.payload(), t.payload());
            assert_eq!(packet.tcp_options(), t.options());
        }
        Some(etherparse::TransportSlice::Udp(u)) => {
            assert_eq!(l.ports(), Some((u.source_port(), u.destination_port())));
            assert_eq!(packet.payload(), u.payload());
        }
        Some(etherparse::TransportSlice::Icmpv4(i)) => {
            assert_eq!(l.icmp(), Some((i.type_u8(), i.code_u8())));
        }
        Some(etherparse::TransportSlice::Icmpv6(i)) => {
            assert_eq!(l.icmp(), Some((i.type_u8(), i.code_u8())));
        }
        _ => {}
    }
});
