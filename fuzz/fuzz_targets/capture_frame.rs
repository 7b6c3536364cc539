//! Any frame of any link type, and any IP packet.
#![no_main]

use hostward_cli::capture::link::network_of;
use hostward_cli::capture::{LinkType, decapsulate, tunnel::DEFAULT_DEPTH};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, bool, &[u8])| {
    let (link, high, data) = input;
    let link = LinkType(u32::from(link) + if high { 256 } else { 0 });
    let packet = network_of(link, data).map_or(data, |net| net.packet);
    let inner = decapsulate(packet, DEFAULT_DEPTH);
    let (all, found) = (data.as_ptr_range(), inner.packet.as_ptr_range());
    assert!(all.start <= found.start && found.end <= all.end);
    assert!(inner.layers.tunnels() <= DEFAULT_DEPTH);
});
