//! Captures of real peers whose keys are known, in the folder that `HOSTWARD_CAPTURES` names: opened and
//! read to the last payload.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a failing test may panic"
)]

use std::fs;
use std::path::Path;

use hostward_crypto::algorithm::{AesKey, Tag};
use hostward_crypto::{Aead, Cipher, Group, Hash, Mac, Prf, Provider, Secret, backend};
use hostward_ike::message::{ExchangeType, Limits, Message};
use hostward_ike::proposal::{Encr, IkeSuite, Integ, Offer, Preference, Selecting, select_ike};
use hostward_ike::protect::Opener;

/// The payloads of UDP in a classic capture of Ethernet and IPv4.
fn datagrams(file: &[u8]) -> Vec<&[u8]> {
    let little = file[0] == 0xd4 || file[0] == 0x4d;
    let number = |at: usize| {
        let octets = file[at..at + 4].try_into().unwrap();
        if little {
            u32::from_le_bytes(octets)
        } else {
            u32::from_be_bytes(octets)
        }
    };
    let (mut at, mut found) = (24, Vec::new());
    while at < file.len() {
        let length = number(at + 8) as usize;
        let ip = &file[at + 16 + 14..at + 16 + length];
        let udp = &ip[usize::from(ip[0] & 15) * 4..];
        let udp_length = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
        found.push(&udp[8..udp_length]);
        at += 16 + length;
    }
    found
}

/// The value of a key in the description of a capture, or nothing where it is null.
fn value(text: &str, key: &str) -> Vec<u8> {
    let (_, rest) = text.split_once(&format!("\"{key}\": ")).unwrap();
    let Some(rest) = rest.strip_prefix('"') else {
        return Vec::new();
    };
    let hex = &rest[..rest.find('"').unwrap()];
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn decrypted() {
    let Some(folder) = std::env::var_os("HOSTWARD_CAPTURES") else {
        println!("skipped: HOSTWARD_CAPTURES names no folder");
        return;
    };
    let ccm = Encr::Aead(Aead::AesCcm(AesKey::Aes128, Tag::Octets12));
    let provider = Provider::of([backend::RUST_CRYPTO]);
    for (name, encryption, integrity) in [
        ("aes128ccm12", ccm, None),
        ("aes128ccm12-2", ccm, None),
        ("aes256gcm16", Encr::Aead(Aead::AES_256_GCM), None),
        (
            "aes256cbc",
            Encr::Cipher(Cipher::AesCbc(AesKey::Aes256)),
            Some(Integ::Mac(Mac::Hmac(Hash::Sha256))),
        ),
    ] {
        let path = Path::new(&folder).join(format!("ike-esp/wireshark--ikev2-decrypt-{name}"));
        let Ok(text) = fs::read_to_string(path.with_extension("json")) else {
            println!("skipped: {} is not there", path.display());
            continue;
        };
        let file = fs::read(path.with_extension("pcap")).unwrap();
        let suite = IkeSuite {
            encryption,
            prf: Prf::Hmac(Hash::Sha256),
            integrity,
            group: Group::P256,
            additional: Vec::new(),
        };
        let opener = |e: &str, a: &str| {
            let mut e = value(&text, e);
            if name == "aes128ccm12-2" {
                // There the keys are told as of counter mode: before the salt is the first octet of a
                // counter block of CCM, 3.
                assert_eq!(e.remove(16), 3);
            }
            Opener::new(
                &provider,
                &suite,
                &Secret::new(e),
                &Secret::new(value(&text, a)),
            )
            .unwrap()
        };
        let (from_i, from_r) = (opener("SK_ei", "SK_ai"), opener("SK_er", "SK_ar"));
        let limits = Limits::default();
        let mut opened = 0;
        for datagram in datagrams(&file) {
            let message = Message::parse(datagram, &limits).unwrap();
            if message.header.exchange == ExchangeType::IKE_SA_INIT {
                // The peers' proposals are ones that would be chosen here.
                let offer = Offer::ike(
                    [encryption],
                    [suite.prf],
                    integrity.map_or(Vec::new(), |integ| vec![integ]),
                    [suite.group],
                );
                let sa = message.payloads.sa();
                let selecting = Selecting {
                    provider: &provider,
                    preference: Preference::Peer,
                    sent_group: None,
                };
                let chosen = select_ike(&[offer], &sa.unwrap(), false, selecting).unwrap();
                assert_eq!(chosen.suite, suite);
                continue;
            }
            let opener = if message.header.flags.initiator {
                &from_i
            } else {
                &from_r
            };
            let whole = opener.open(&message).unwrap();
            let payloads = whole.payloads(&limits).unwrap();
            opened += 1;
            let auth = payloads.auth().is_some();
            assert_eq!(
                auth,
                message.header.exchange == ExchangeType::IKE_AUTH,
                "{name}"
            );
        }
        assert!(opened >= 2, "{name}");
        println!("{name}: {opened} messages opened");
    }
}
