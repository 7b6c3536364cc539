//! A client's first QUIC packet, sealed as RFC 9001 section 5 says.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "the packet is made to be right"
)]

use hostward::crypto::Provider;
use hostward::crypto::algorithm::{Aead, AesKey, Hash};
use hostward::crypto::hkdf::Hkdf;

/// RFC 9001 section 5.2.
const SALT: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];

/// A client hello with a server name, a group and versions.
fn hello() -> Vec<u8> {
    let name = b"bench.example.org";
    let mut sni = vec![0, 0];
    sni.extend((name.len() as u16 + 5).to_be_bytes());
    sni.extend((name.len() as u16 + 3).to_be_bytes());
    sni.push(0);
    sni.extend((name.len() as u16).to_be_bytes());
    sni.extend(name);
    let mut extensions = sni;
    extensions.extend([0, 43, 0, 3, 2, 3, 4]);
    extensions.extend([0, 10, 0, 6, 0, 4, 0x11, 0xec, 0, 29]);
    extensions.extend([0, 16, 0, 5, 0, 3, 2, b'h', b'3']);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend([0, 6, 0x13, 1, 0x13, 2, 0x13, 3, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    message
}

/// An Initial packet of 1,200 bytes.
pub(crate) fn initial(p: &Provider) -> Vec<u8> {
    const DCID: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];
    let hello = hello();
    let mut frames = vec![6, 0];
    frames.extend((0x4000 | hello.len() as u16).to_be_bytes());
    frames.extend(hello);
    frames.resize(1_200 - 16 - 22, 0);
    let mut header = vec![0xC0, 0, 0, 0, 1, 8];
    header.extend(DCID);
    header.extend([4, 9, 9, 9, 9, 0]);
    header.extend((0x4000 | (1 + frames.len() + 16) as u16).to_be_bytes());
    header.push(0);

    let (initial, _) = Hkdf::extract(p, Hash::Sha256, &SALT, &DCID).unwrap();
    let mut secret = [0; 32];
    initial
        .expand_label(b"client in", &[], &mut secret)
        .unwrap();
    let hkdf = Hkdf::of(p, Hash::Sha256, &secret).unwrap();
    let (mut key, mut iv, mut hp) = ([0; 16], [0; 12], [0; 16]);
    for (name, out) in [
        (&b"quic key"[..], &mut key[..]),
        (b"quic iv", &mut iv),
        (b"quic hp", &mut hp),
    ] {
        hkdf.expand_label(name, &[], out).unwrap();
    }
    let mut tag = [0; 16];
    let aead = p.aead(Aead::AES_128_GCM, &key).unwrap();
    aead.seal(&iv, &header, &mut frames, &mut tag).unwrap();
    let number_at = header.len() - 1;
    let mut packet = [&header[..], &frames, &tag].concat();
    let mut mask: [u8; 16] = packet[number_at + 4..number_at + 20].try_into().unwrap();
    p.block(AesKey::Aes128, &hp).unwrap().encrypt(&mut mask);
    packet[0] ^= mask[0] & 0x0F;
    packet[number_at] ^= mask[1];
    packet
}
