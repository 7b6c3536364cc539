//! QUIC Initial packets: those of the appendices, and others made here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

#[path = "common/datagrams.rs"]
mod datagrams;

use datagrams::{Bench, Client, Server, hello, server_hello, unhex};
use hostward_crypto::Provider;
use hostward_crypto::algorithm::{Aead, AesKey, Hash};
use hostward_crypto::backend::RUST_CRYPTO;
use hostward_crypto::hkdf::Hkdf;
use hostward_hook::Side;
use hostward_hook::hooks::CloseCause;
use hostward_zert::record::PqClass;
use hostward_zert::{DatagramConfig, Datagrams, Protocol};

const V1: u32 = 1;
const V2: u32 = 0x6B33_43CF;
const DCID: [u8; 8] = [0x83, 0x94, 0xC8, 0xF0, 0x3E, 0x51, 0x57, 0x08];

fn provider() -> Provider {
    Provider::of([RUST_CRYPTO])
}

fn bench() -> Bench {
    Bench::new(Datagrams::new(DatagramConfig::default()).quic(provider()))
}

/// Protects an Initial packet: `header` up to and with the packet number of `number_len` bytes.
fn seal(
    version: u32,
    label: &str,
    dcid: &[u8],
    header: &[u8],
    number_len: usize,
    frames: &[u8],
) -> Vec<u8> {
    let salt = unhex(match version {
        V2 => "0dede3def700a6db819381be6e269dcbf9bd2ed9",
        _ => "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",
    });
    let p = provider();
    let (initial, _) = Hkdf::extract(&p, Hash::Sha256, &salt, dcid).unwrap();
    let mut secret = [0; 32];
    initial
        .expand_label(label.as_bytes(), &[], &mut secret)
        .unwrap();
    let hkdf = Hkdf::of(&p, Hash::Sha256, &secret).unwrap();
    let prefix = if version == V2 { "quicv2" } else { "quic" };
    let (mut key, mut iv, mut hp) = ([0; 16], [0; 12], [0; 16]);
    for (name, out) in [("key", &mut key[..]), ("iv", &mut iv), ("hp", &mut hp)] {
        let label = format!("{prefix} {name}");
        hkdf.expand_label(label.as_bytes(), &[], out).unwrap();
    }
    let number_at = header.len() - number_len;
    let mut nonce = iv;
    for (place, byte) in nonce[12 - number_len..]
        .iter_mut()
        .zip(&header[number_at..])
    {
        *place ^= byte;
    }
    let mut body = frames.to_vec();
    let mut tag = [0; 16];
    let aead = p.aead(Aead::AES_128_GCM, &key).unwrap();
    aead.seal(&nonce, header, &mut body, &mut tag).unwrap();
    let mut packet = [header, &body, &tag].concat();
    let mut mask: [u8; 16] = packet[number_at + 4..number_at + 20].try_into().unwrap();
    p.block(AesKey::Aes128, &hp).unwrap().encrypt(&mut mask);
    packet[0] ^= mask[0] & 0x0F;
    for i in 0..number_len {
        packet[number_at + i] ^= mask[1 + i];
    }
    packet
}

/// An Initial packet. `keys` is the connection ID that the keys follow from.
fn initial(
    version: u32,
    from: Side,
    keys: &[u8],
    dcid: &[u8],
    number: u8,
    frames: &[u8],
) -> Vec<u8> {
    let mut header = vec![if version == V2 { 0xD0 } else { 0xC0 }];
    header.extend(version.to_be_bytes());
    header.push(dcid.len() as u8);
    header.extend(dcid);
    header.extend([4, 9, 9, 9, 9, 0]);
    header.extend((0x4000 | (1 + frames.len() + 16) as u16).to_be_bytes());
    header.push(number);
    let label = if from == Client {
        "client in"
    } else {
        "server in"
    };
    seal(version, label, keys, &header, 1, frames)
}

/// A CRYPTO frame.
fn crypto(offset: usize, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![6];
    frame.extend((0x8000_0000 | offset as u32).to_be_bytes());
    frame.extend((0x4000 | data.len() as u16).to_be_bytes());
    frame.extend(data);
    frame
}

fn padded(mut frames: Vec<u8>, len: usize) -> Vec<u8> {
    frames.resize(len.max(frames.len()), 0);
    frames
}

/// The CRYPTO frame of RFC 9001 appendix A.2.
const HELLO: &str = "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a\
    2b69484c00000413011302010000c000000010000e00000b6578616d706c652e636f6dff01000100000a00080006\
    001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fbabaf4\
    559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408\
    050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff0801100104\
    800075300901100f088394c8f03e51570806048000ffff";

/// Appendix A.3 of RFC 9001 and of RFC 9369: the server's answer as it is sent.
const ANSWER_1: &str = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100\
    f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f\
    3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074\
    ee";
const ANSWER_2: &str = "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb\
    761d9b89237bbf87263017915358230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a\
    393e42757507698075b2c984c707f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e1\
    40";

#[test]
// RFC 9001 §5.1, §5.4.2, RFC 9369 §3.3.1, §3.3.2, RFC 9000 §17.2: salts, labels, sample, header.
// RFC 9001 appendix A.2 and A.3, RFC 9369 appendix A.2 and A.3.
fn packets_of_the_appendices() {
    for (version, head, start, end, answer) in [
        (
            V1,
            "c300000001088394c8f03e5157080000449e00000002",
            "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9bd8bab936b47d",
            "e221af44860018ab0856972e194cd934",
            ANSWER_1,
        ),
        (
            V2,
            "d36b3343cf088394c8f03e5157080000449e00000002",
            "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485dd04de806071bf03dceebfa1",
            "2faa745b6fe189cf772a9f84cbfc",
            ANSWER_2,
        ),
    ] {
        let frames = padded(unhex(HELLO), 1162);
        let packet = seal(version, "client in", &DCID, &unhex(head), 4, &frames);
        assert_eq!(packet.len(), 1200);
        assert!(packet.starts_with(&unhex(start)));
        assert!(packet.ends_with(&unhex(end)));

        let mut b = bench();
        let mut flow = b.open();
        b.send(&mut flow, Client, &packet);
        b.send(&mut flow, Server, &unhex(answer));
        let record = b.close(flow, CloseCause::Idle).unwrap();
        assert_eq!(record.protocol, Protocol::Quic);
        assert_eq!(record.tls.sni.get(), Some("example.com"));
        assert_eq!(record.tls.version.unwrap().to_string(), "TLSv1.3");
        let cipher = record.tls.cipher.unwrap().to_string();
        assert_eq!(cipher, "TLS_AES_128_GCM_SHA256");
        assert_eq!(record.tls.group.unwrap().to_string(), "x25519");
        assert_eq!(record.tls.quic_version, Some(version));
        assert!(record.tls.ja4.unwrap().as_str().starts_with("q13d0211an_"));
        assert_eq!(record.key().unwrap().protocol(), 17);
    }
}

#[test]
// RFC 9000 §12.4, RFC 9001 §4.1.4, §5.7: frames of Initial packets; what Handshake packets of the
// server and short headers of the client tell.
fn a_post_quantum_hello_in_pieces_out_of_order() {
    let hello = hello("pq.example", 0x11EC, 1216);
    let (a, rest) = hello.split_at(500);
    let (b_, c) = rest.split_at(600);
    let mut b = bench();
    let mut flow = b.open();
    let second = [crypto(1100, c), vec![1, 0, 0], crypto(0, a)].concat();
    let packets = [
        initial(V1, Client, &DCID, &DCID, 1, &padded(second, 1100)),
        // The second one is sent twice.
        initial(V1, Client, &DCID, &DCID, 0, &padded(crypto(500, b_), 1100)),
        initial(V1, Client, &DCID, &DCID, 2, &padded(crypto(500, b_), 1100)),
    ];
    for packet in &packets {
        b.send(&mut flow, Client, packet);
    }
    assert!(b.datagrams.buffer_memory() > 0);
    let ack = vec![2, 2, 0, 0, 2];
    let answer = [ack, crypto(0, &server_hello(0x11EC, false))].concat();
    let answer = initial(V1, Server, &DCID, &[7; 4], 0, &answer);
    // Handshake packets follow in the same datagram.
    let handshake = [
        &[0xE0, 0, 0, 0, 1, 0, 4, 9, 9, 9, 9, 0x40, 100][..],
        &[5; 100],
    ]
    .concat();
    b.send(&mut flow, Server, &[answer, handshake].concat());
    b.send(
        &mut flow,
        Client,
        &[&[0x41, 9, 9, 9, 9][..], &[5; 60]].concat(),
    );
    b.send(
        &mut flow,
        Server,
        &[&[0x41, 9, 9, 9, 9][..], &[5; 60]].concat(),
    );
    let record = b.close(flow, CloseCause::Idle).unwrap();
    assert_eq!(record.tls.sni.get(), Some("pq.example"));
    assert_eq!(record.pq, PqClass::Hybrid);
    assert_eq!(record.established, Some(true));
    assert!(record.inferred && !record.failed && !record.cut && !record.malformed);
}

#[test]
// RFC 9001 §5.2: after a Retry the keys follow from the server's connection ID.
// RFC 9369 §4.1: the server may choose version 2 with the same first connection ID.
fn retry_change_of_version_and_hello_retry() {
    let hello = hello("retry.example", 29, 32);
    let frames = padded(crypto(0, &hello), 1100);
    let mut b = bench();
    let mut flow = b.open();
    b.send(
        &mut flow,
        Client,
        &initial(V1, Client, &DCID, &DCID, 0, &frames),
    );
    let retry = [&[0xF0, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4][..], &[7; 30]].concat();
    b.send(&mut flow, Server, &retry);
    let other = [1, 2, 3, 4];
    b.send(
        &mut flow,
        Client,
        &initial(V1, Client, &other, &other, 1, &frames),
    );
    let again = crypto(0, &server_hello(29, true));
    b.send(
        &mut flow,
        Server,
        &initial(V2, Server, &other, &[7; 4], 0, &again),
    );
    let more = padded(crypto(hello.len(), &hello), 1100);
    b.send(
        &mut flow,
        Client,
        &initial(V2, Client, &other, &other, 2, &more),
    );
    let answer = server_hello(29, false);
    let more = crypto(server_hello(29, true).len(), &answer);
    b.send(
        &mut flow,
        Server,
        &initial(V2, Server, &other, &[7; 4], 1, &more),
    );
    let record = b.close(flow, CloseCause::EndOfInput).unwrap();
    assert_eq!(record.tls.sni.get(), Some("retry.example"));
    assert!(record.tls.hello_retry && record.open_at_end);
    assert_eq!(record.tls.quic_version, Some(V2));
    assert_eq!(record.tls.group.unwrap().to_string(), "x25519");
}

#[test]
// RFC 9000 §20.1: a crypto error is an alert.
fn a_server_that_refuses() {
    let mut b = bench();
    let mut flow = b.open();
    let frames = padded(crypto(0, &hello("no.example", 29, 32)), 1100);
    b.send(
        &mut flow,
        Client,
        &initial(V1, Client, &DCID, &DCID, 0, &frames),
    );
    let close = [0x1C, 0x41, 0x28, 0x06, 0x00, 0, 0, 0];
    b.send(
        &mut flow,
        Server,
        &initial(V1, Server, &DCID, &[7; 4], 0, &close),
    );
    let record = b.close(flow, CloseCause::Idle).unwrap();
    assert_eq!(record.tls.alerts.to_string(), "server:handshake_failure!");
    assert_eq!(record.established, Some(false));
    assert!(record.failed);
}

#[test]
fn what_does_not_open_is_no_quic_and_is_given_up() {
    let mut b = bench();
    let mut flow = b.open();
    let mut packet = initial(V1, Client, &DCID, &DCID, 0, &[0; 1100]);
    packet[900] ^= 1;
    for n in 0..4 {
        assert!(!flow.enough, "{n}");
        b.send(&mut flow, Client, &packet);
    }
    assert!(flow.enough);
    assert!(b.close(flow, CloseCause::Idle).is_none());

    // Without a provider nothing is tried.
    let mut b = Bench::new(Datagrams::default());
    let mut flow = b.open();
    b.send(
        &mut flow,
        Client,
        &initial(V1, Client, &DCID, &DCID, 0, &[0; 1100]),
    );
    assert!(b.close(flow, CloseCause::Idle).is_none());
}

#[test]
fn bounds() {
    let config = DatagramConfig {
        flows: 1,
        handshake_limit: 2048,
        buffer_memory: 4096,
        ..DatagramConfig::default()
    };
    let mut b = Bench::new(Datagrams::new(config).quic(provider()));
    let mut flow = b.open();
    let far = padded(crypto(3000, &[1; 100]), 1100);
    b.send(
        &mut flow,
        Client,
        &initial(V1, Client, &DCID, &DCID, 0, &far),
    );
    assert_eq!(b.datagrams.counts().too_long, 1);
    let mut second = b.open();
    b.send(
        &mut second,
        Client,
        &initial(V1, Client, &DCID, &DCID, 0, &far),
    );
    assert_eq!(b.datagrams.counts().refused, 1);
    let record = b.close(second, CloseCause::Idle).unwrap();
    assert!(record.cut && record.protocol == Protocol::Quic);
    assert!(b.close(flow, CloseCause::Idle).unwrap().cut);
    assert_eq!(b.datagrams.watched(), 0);
    assert!(b.datagrams.buffer_memory() <= 4096);
}
