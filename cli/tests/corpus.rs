//! The reader against a corpus of captures with known packet counts.
//!
//! The folder is named by the environment variable `HOSTWARD_CAPTURES`; beside each capture lies a
//! JSON file of the same name with the number of its `packets` and its `linktype`. Without the
//! variable there is nothing to test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::std_instead_of_core,
    reason = "a failing test may panic"
)]

use std::path::{Path, PathBuf};

use hostward_cli::capture::{CaptureReader, Miss, decapsulate, network};
use serde_json::Value;

fn all_captures(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_captures(&path, found);
        } else if path
            .extension()
            .is_some_and(|e| e == "pcap" || e == "pcapng" || e == "gz")
        {
            found.push(path);
        }
    }
}

#[test]
fn packets_are_as_many_as_the_truth_says() {
    let Some(folder) = std::env::var_os("HOSTWARD_CAPTURES") else {
        return;
    };
    let mut captures = Vec::new();
    all_captures(Path::new(&folder), &mut captures);
    assert!(!captures.is_empty());
    let mut wrong = Vec::new();
    for path in captures {
        let Ok(truth) = std::fs::read(path.with_extension("json")) else {
            continue;
        };
        let truth: Value = serde_json::from_slice(&truth).unwrap();
        let mut reader = CaptureReader::open(&path).unwrap();
        let mut count = 0_u64;
        // A damaged file ends in an error, after all packets that can be read.
        while let Ok(Some(frame)) = reader.next_frame() {
            count += 1;
            if truth["linktype"]
                .as_u64()
                .is_some_and(|l| l != u64::from(frame.link.0))
            {
                wrong.push(format!("{path:?}: link type {}", frame.link.0));
            }
            match network(&frame) {
                Ok(net) => {
                    let inner = decapsulate(net.packet, 8);
                    assert!(inner.packet.len() <= frame.data.len());
                }
                Err(Miss::UnknownLink(link)) => wrong.push(format!("{path:?}: link {}", link.0)),
                Err(_) => {}
            }
        }
        if truth["packets"] != count {
            wrong.push(format!(
                "{path:?}: {count} packets, truth {}",
                truth["packets"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
