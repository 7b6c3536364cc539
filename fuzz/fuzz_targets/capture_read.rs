//! Any file: read as a capture, every frame taken down to its innermost IP packet.
#![no_main]

use hostward_cli::capture::{CaptureReader, decapsulate, network, tunnel::DEFAULT_DEPTH};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let input = Box::new(std::io::Cursor::new(data.to_vec()));
    let Ok(mut reader) = CaptureReader::from_stream("fuzz", input) else {
        return;
    };
    let mut frames = 0;
    while let Ok(Some(frame)) = reader.next_frame() {
        frames += 1;
        assert_eq!(frame.number, frames);
        assert!(frame.wire_len as usize >= frame.data.len());
        if let Ok(net) = network(&frame) {
            let inner = decapsulate(net.packet, DEFAULT_DEPTH);
            assert!(inner.packet.len() <= frame.data.len());
            assert!(inner.layers.tunnels() <= DEFAULT_DEPTH);
        }
        // Compressed, a few bytes are many frames.
        if frames > 10_000 {
            break;
        }
    }
});
