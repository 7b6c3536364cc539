//! Proof against captures with known keys, in the folder that `HOSTWARD_CAPTURES` names, and against tshark, which
//! decrypts what we seal. What is not there is skipped, and said so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use common::*;
use hostward_crypto::Secret;
use hostward_hook::frame::FrameBuf;
use hostward_hook::ident::SaId;
use hostward_hook::protection::Encapsulation::{Transport, Tunnel};
use hostward_ipsec::sa::Refused;
use hostward_ipsec::suite::{encr, integ};
use hostward_ipsec::{Inbound, Parameters, Suite};

fn digits(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        write!(text, "{octet:02x}").unwrap();
        text
    })
}

/// The packets of a little-endian capture file of Ethernet, without that header.
fn packets(file: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut rest = &file[24..];
    while rest.len() >= 16 {
        let len = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let frame = &rest[16..16 + len];
        if frame[12..14] == [8, 0] {
            all.push(frame[14..].to_vec());
        }
        rest = &rest[16 + len..];
    }
    all
}

#[test]
fn a_capture_with_known_keys_opens() {
    let Some(folder) = std::env::var_os("HOSTWARD_CAPTURES") else {
        println!("skipped: HOSTWARD_CAPTURES names no folder");
        return;
    };
    let base = std::path::Path::new(&folder).join("generated/esp-ah-known-keys");
    let Ok(file) = std::fs::read(base.with_extension("pcap")) else {
        println!("skipped: {base:?} is not there");
        return;
    };
    let truth = std::fs::read_to_string(base.with_extension("json")).unwrap();
    let keys = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
    let esp = |encryption, bits, integrity| Suite::esp(encryption, bits, integrity).unwrap();
    let sas = [
        (0x1001, Transport, Suite::AES_128_GCM, keys(0, 0x13)),
        (0x1002, Tunnel, Suite::AES_256_GCM, keys(0x20, 0x43)),
        (
            0x1003,
            Tunnel,
            esp(encr::AES_CBC, 128, integ::HMAC_SHA2_256_128),
            keys(0x50, 0x7f),
        ),
        (
            0x1004,
            Transport,
            esp(encr::NULL, 0, integ::HMAC_SHA1_96),
            keys(0x80, 0x93),
        ),
        (
            0x2001,
            Transport,
            Suite::ah(integ::HMAC_SHA2_256_128).unwrap(),
            keys(0x60, 0x7f),
        ),
        (0x1005, Transport, Suite::AES_128_GCM, keys(0, 0x13)),
    ];
    let ends = ([10, 77, 0, 2].into(), [10, 77, 0, 1].into());
    let mut into: BTreeMap<u32, Inbound> = sas
        .into_iter()
        .map(|(spi, mode, suite, keys)| {
            let mut p = Parameters::new(SaId(spi), spi, suite, mode, Secret::new(keys), ends);
            if spi == 0x1005 {
                p = p.with_udp(4500, 4500);
            }
            (spi, Inbound::new(&provider(), p, NOW).unwrap())
        })
        .collect();
    let (mut opened, mut refused) = (0, Vec::new());
    for mut packet in packets(&file) {
        if packet[12..16] != [10, 77, 0, 1] {
            continue;
        }
        let at = match packet[9] {
            50 => 20,
            51 => 24,
            17 if packet[20..22] == 4500_u16.to_be_bytes() => {
                // scapy wrote the length of an empty datagram.
                let len = (u16::from_be_bytes([packet[2], packet[3]]) - 20).to_be_bytes();
                packet[24..26].copy_from_slice(&len);
                28
            }
            _ => continue,
        };
        let spi = u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
        let Some(into) = into.get_mut(&spi) else {
            refused.push((spi, None));
            continue;
        };
        let mut frame = frame(&packet);
        match into.open(NOW, &mut frame) {
            Ok(_) => {
                assert!(truth.contains(&digits(frame.bytes())), "{spi:#x}");
                opened += 1;
            }
            Err(why) => refused.push((spi, Some(why))),
        }
    }
    assert_eq!(opened, 24);
    assert_eq!(
        refused,
        [
            (0x1001, Some(Refused::Replay)),
            (0x1001, Some(Refused::BadIcv)),
            (0x9009, None)
        ]
    );
}

#[test]
fn tshark_decrypts_what_we_seal() {
    if Command::new("tshark").arg("--version").output().is_err() {
        println!("skipped: there is no tshark");
        return;
    }
    let gcm = "AES-GCM with 16 octet ICV [RFC4106]";
    let cases = [
        (Suite::AES_128_GCM, gcm, "NULL"),
        (Suite::AES_256_GCM, gcm, "NULL"),
        (
            Suite::esp(encr::AES_CBC, 256, integ::HMAC_SHA2_256_128).unwrap(),
            "AES-CBC [RFC3602]",
            "HMAC-SHA-256-128 [RFC4868]",
        ),
        (
            Suite::esp(encr::AES_CTR, 128, integ::HMAC_SHA2_512_256).unwrap(),
            "AES-CTR [RFC3686]",
            "HMAC-SHA-512-256 [RFC4868]",
        ),
        (
            Suite::esp(encr::NULL, 0, integ::HMAC_SHA1_96).unwrap(),
            "NULL",
            "HMAC-SHA-1-96 [RFC2404]",
        ),
    ];
    for (suite, cipher, code) in cases {
        for v6 in [false, true] {
            let p = parameters(suite, Tunnel, outer(v6));
            let (encryption, integrity) = p.keys.expose().split_at(suite.encryption_key_len());
            let key = |key: &[u8]| {
                if key.is_empty() {
                    String::new()
                } else {
                    format!("0x{}", digits(key))
                }
            };
            let family = if v6 { "IPv6" } else { "IPv4" };
            let uat = format!(
                "uat:esp_sa:\"{family}\",\"{}\",\"{}\",\"0xc0de1234\",\"{cipher}\",\"{}\",\"{code}\",\"{}\"",
                p.local,
                p.remote,
                key(encryption),
                key(integrity)
            );
            let (mut out, _) = pair(p);
            // LINKTYPE_RAW.
            let mut file = hex("d4c3b2a1020004000000000000000000ffff000065000000");
            for number in 0..3 {
                let wire = seal(&mut out, &packet(inner(!v6), 0, &[0xa0 + number; 40]));
                file.extend([0; 8]);
                file.extend(
                    [wire.len() as u32, wire.len() as u32]
                        .map(u32::to_le_bytes)
                        .concat(),
                );
                file.extend(wire);
            }
            let path = std::env::temp_dir().join(format!(
                "hostward-esp-{}-{suite}-{v6}.pcap",
                std::process::id()
            ));
            std::fs::write(&path, file).unwrap();
            let told = Command::new("tshark")
                .args([
                    "-r",
                    path.to_str().unwrap(),
                    "-o",
                    "esp.enable_encryption_decode:TRUE",
                ])
                .args(["-o", "esp.enable_authentication_check:TRUE", "-o", &uat])
                .args(["-T", "fields", "-e", "udp.payload"])
                .output()
                .unwrap();
            std::fs::remove_file(&path).unwrap();
            let expected: String = (0..3)
                .map(|number| digits(&[0xa0 + number; 40]) + "\n")
                .collect();
            let errors = String::from_utf8_lossy(&told.stderr);
            assert_eq!(
                String::from_utf8_lossy(&told.stdout),
                expected,
                "{suite} {v6} {errors}"
            );
        }
    }
}
