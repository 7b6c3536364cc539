//! Packets that RFCs publish.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

mod common;

use common::*;
use hostward_crypto::algorithm::Hash;
use hostward_crypto::{Mac, Secret};
use hostward_hook::frame::FrameBuf;
use hostward_hook::ident::SaId;
use hostward_hook::protection::Encapsulation::{Transport, Tunnel};
use hostward_ipsec::suite::{encr, integ};
use hostward_ipsec::{Inbound, Parameters, Suite};

// RFC 7634 appendix A: a ping in tunnel mode. Its nonce and associated data are those of §2 and §2.1.
#[test]
fn chacha20_poly1305() {
    let keys: Vec<u8> = (0x80..=0x9f).chain(0xa0..=0xa3).collect();
    let p = Parameters::new(
        SaId(1),
        0x0102_0304,
        Suite::CHACHA20_POLY1305,
        Tunnel,
        Secret::new(keys),
        outer(false),
    );
    let mut into = Inbound::new(&provider(), p, NOW).unwrap();
    let mut frame = frame(&hex("01020304 00000005 1011121314151617
        24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6
        14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3
        cbec163fac469b502773f6fb94e664da9165b82829f641e0
        76aaa8266b7fb0f7b11b369907e1ad43"));
    let opened = into.open_payload(NOW, &mut frame).unwrap();
    assert_eq!((opened.sequence, opened.next_header), (5, 4));
    let plain = hex(
        "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10
        0007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223
        2425262728292a2b2c2d2e2f3031323334353637",
    );
    assert_eq!(frame.bytes(), plain);
}

/// Opens one of the packets of RFC 3602, which are not authenticated, behind an ICV of ours.
fn cbc(
    key: &str,
    spi: u32,
    sequence: u32,
    iv: &str,
    ciphertext: &str,
    plain: &str,
    next_header: u8,
) {
    let suite = Suite::esp(encr::AES_CBC, 128, integ::HMAC_SHA2_256_128).unwrap();
    let mut keys = hex(key);
    keys.extend([9; 32]);
    let p = Parameters::new(
        SaId(1),
        spi,
        suite,
        Transport,
        Secret::new(keys),
        outer(false),
    );
    let mut esp = spi.to_be_bytes().to_vec();
    esp.extend(sequence.to_be_bytes());
    esp.extend(hex(iv));
    esp.extend(hex(ciphertext));
    let mac = provider().mac(Mac::Hmac(Hash::Sha256), &[9; 32]).unwrap();
    esp.extend(&mac.code(&[&esp]).as_ref()[..16]);
    let mut frame = frame(&esp);
    let opened = Inbound::new(&provider(), p, NOW)
        .unwrap()
        .open_payload(NOW, &mut frame)
        .unwrap();
    assert_eq!(frame.bytes(), hex(plain));
    assert_eq!(opened.next_header, next_header);
}

// RFC 3602 §4, case 5: a ping in transport mode.
#[test]
fn aes_cbc() {
    cbc(
        "90d382b410eeba7ad938c46cec1a82bf",
        0x4321,
        1,
        "e96e8c08ab465763fd098d45dd3ff893",
        "f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856
         a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874a
         a269add047ad2d5913ac19b7cfbad4a6",
        "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f1011121314151617
         18191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
        1,
    );
}
