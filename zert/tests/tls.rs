//! TLS and SSL handshakes of all kinds, through the public interface.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

mod common;

use common::*;
use hostward_hook::hooks::{CloseCause, Interest};
use hostward_zert::record::{Field, Group, PqClass, Role};
use hostward_zert::{Protocol, Zert};

const RETRY: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

#[test]
// RFC 5246 §6.2, §7.4.1, §7.4.2, §7.4.3; RFC 8422 §5.4; RFC 6066 §3; RFC 7301 §3.1: records, hellos,
// chain, named curve, server name, chosen protocol.
fn tls_1_2_in_full() {
    let r = record_of(&tls12());
    assert_eq!(r.protocol, Protocol::Tls);
    let t = &r.tls;
    assert_eq!(t.version.unwrap().to_string(), "TLSv1.2");
    assert_eq!(
        t.cipher.unwrap().to_string(),
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    );
    assert_eq!(t.group.unwrap().to_string(), "x25519");
    assert_eq!(t.sni.get(), Some("www.example.org"));
    assert_eq!(t.alpn.get(), Some("h2"));
    assert_eq!(t.server_cert.serial.get(), Some("8F0102030405060708"));
    assert_eq!(t.server_cert.chain_len, Some(2));
    assert_eq!(t.client_cert_requested, Some(false));
    assert_eq!(t.client_cert_sent, Some(false));
    assert_eq!(t.signature_scheme, Some(0x0804));
    assert!(t.extended_master_secret && !t.encrypt_then_mac);
    assert_eq!(t.resumed, Some(false));
    assert_eq!(r.established, Some(true));
    assert_eq!(r.pq, PqClass::Classical);
    assert_eq!(r.role, Role::Client);
    assert!(!r.failed && !r.inferred && !r.cut && !r.gap && !r.malformed);
}

#[test]
fn nothing_more_is_wanted_after_the_handshake() {
    let mut b = Bench::new(Zert::default());
    let mut f = b.open();
    let talk = tls12();
    for (i, (from, data)) in talk.iter().enumerate() {
        // The first application data of a side is the last that is looked at.
        let wanted = match i {
            0..4 => Interest::More,
            4 => Interest::EnoughFromSide,
            _ => Interest::Enough,
        };
        assert_eq!(b.send(&mut f, *from, data), wanted);
    }
    let r = b.close(f, CloseCause::Fin);
    assert!(r.tls.app_data_client && r.tls.app_data_server);
}

#[test]
// RFC 5246 §7.4.1.2, appendix E.2: the client's random, and a challenge that stands for it.
fn the_random_of_the_client() {
    let random = record_of(&tls12()).tls.client_random.unwrap();
    assert_eq!(random.0, [0x11; 32]);
    let body = [
        &[1, 3, 1, 0, 3, 0, 0, 0, 16][..],
        &[0, 0, 0x2F],
        &[0xC7; 16],
    ]
    .concat();
    let hello = cat(&[&[0x80, body.len() as u8], &body]);
    let r = record_of(&vec![(Client, hello)]);
    assert!(r.tls.ssl2_client_hello);
    let random = r.tls.client_random.unwrap().0;
    assert_eq!(random[..16], [0; 16]);
    assert_eq!(random[16..], [0xC7; 16]);
}

#[test]
fn application_data_by_side() {
    let sides = |talk: &Talk| {
        let t = record_of(talk).tls;
        (t.app_data_client, t.app_data_server)
    };
    let mut talk = tls12();
    talk.truncate(4);
    assert_eq!(sides(&talk), (false, false));
    talk.push((Server, app(10)));
    assert_eq!(sides(&talk), (false, true));
    // What is not application data is not looked for without end.
    let mut b = Bench::new(Zert::default());
    let mut f = b.open();
    for (from, data) in &talk {
        b.send(&mut f, *from, data);
    }
    let mut sent = 0;
    while b.send(&mut f, Client, &finished12()) == Interest::More {
        sent += 1;
        assert!(sent < 40);
    }
    // An alert after the handshake is told, and does not undo it; bytes that are no records are
    // not held against it either.
    for end in [alert(2, 80), vec![0xFF; 10]] {
        let mut talk = tls12();
        talk.truncate(4);
        talk.push((Client, end));
        let r = record_of(&talk);
        assert_eq!(r.established, Some(true));
        assert!(!r.failed && !r.malformed);
    }
}

#[test]
// RFC 5246 §7.3: an abbreviated handshake.
fn tls_1_2_resumed() {
    let hello = client_hello(&[ext(35, &[5; 100])]);
    let r = record_of(&vec![
        (Client, rec(22, &hello)),
        (
            Server,
            cat(&[
                &rec(22, &server_hello([4; 32], [0xC0, 0x2F], &[])),
                &ccs(),
                &finished12(),
            ]),
        ),
        (Client, cat(&[&ccs(), &finished12()])),
    ]);
    assert_eq!((r.tls.resumed, r.established), (Some(true), Some(true)));
    assert_eq!(r.tls.group, None);
}

#[test]
fn client_certificate_and_role() {
    let mut talk = tls12();
    let answer = cat(&[
        &server_hello([4; 32], [0xC0, 0x2F], &[]),
        &certificate(&[CERT]),
        &ecdhe(),
        &msg(13, &[1, 1, 0, 0, 0, 0]),
        &msg(14, &[]),
    ]);
    talk[1].1 = rec(22, &answer);
    talk[2].1 = cat(&[
        &rec(22, &certificate(&[CERT])),
        &rec(22, &msg(16, &[5; 33])),
        &rec(22, &msg(15, &[4; 100])),
        &ccs(),
        &finished12(),
    ]);
    let r = record_of(&talk);
    assert_eq!(r.tls.client_cert_requested, Some(true));
    assert_eq!(r.tls.client_cert_sent, Some(true));
    assert!(r.tls.client_cert.subject.get().unwrap().starts_with("CN="));
    assert_eq!(r.established, Some(true));
    // The same with the server at home: turn the connection round.
    let turned: Talk = talk.iter().map(|(s, d)| (s.other(), d.clone())).collect();
    let r = record_of(&turned);
    assert_eq!(r.role, Role::ServerClientAuth);
    assert_eq!(r.client.port(), 443);
    // An empty certificate message is none.
    talk[2].1 = cat(&[&rec(22, &certificate(&[])), &ccs(), &finished12()]);
    let r = record_of(&talk);
    assert_eq!(r.tls.client_cert_sent, Some(false));
}

#[test]
fn finite_field_groups_by_bits() {
    let mut talk = tls12();
    let mut p = vec![0xFF; 128];
    p[0] = 0x80;
    let kx = cat(&[
        &vec16(&cat(&[&[0], &p])),
        &vec16(&[2]),
        &vec16(&[9; 128]),
        &[4, 1],
        &vec16(&[6; 256]),
    ]);
    talk[1].1 = rec(
        22,
        &cat(&[
            &server_hello([4; 32], [0x00, 0x9E], &[]),
            &msg(12, &kx),
            &msg(14, &[]),
        ]),
    );
    let r = record_of(&talk);
    assert_eq!(r.tls.group, Some(Group::Dh(1024)));
    assert_eq!(r.tls.group.unwrap().to_string(), "dh1024");
    assert_eq!(r.tls.signature_scheme, Some(0x0401));
}

#[test]
// RFC 8446 §4.1, §4.2.1, §4.2.8, §5: hellos, versions, key share, records.
fn tls_1_3_and_post_quantum_groups() {
    for (group, name, class) in [
        (29, "x25519", PqClass::Classical),
        (0x11EC, "X25519MLKEM768", PqClass::Hybrid),
        (0x0201, "MLKEM768", PqClass::Pq),
    ] {
        let r = record_of(&tls13(group));
        assert_eq!(r.tls.version.unwrap().to_string(), "TLSv1.3");
        assert_eq!(r.tls.group.unwrap().to_string(), name);
        assert_eq!((r.pq, r.established), (class, Some(true)));
        assert!(r.inferred);
        assert_eq!(r.tls.resumed, Some(false));
        assert_eq!(r.tls.client_cert_sent, None);
        assert!(r.tls.ja4.unwrap().as_str().starts_with("t13d0302"));
    }
}

#[test]
// RFC 8446 §4.1.2, §4.1.3, §4.1.4, appendix D.4: retry, with the middlebox ChangeCipherSpec between.
fn hello_retry_request() {
    let mut talk = tls13(0x0017);
    let retry = server_hello(RETRY, [0x13, 0x01], &[ext(43, &[3, 4]), ext(51, &[0, 23])]);
    let second = rec(22, &client_hello(&[sni(b"other.example.org"), offer13()]));
    talk.insert(1, (Server, cat(&[&rec(22, &retry), &ccs()])));
    talk.insert(2, (Client, cat(&[&ccs(), &second])));
    let r = record_of(&talk);
    assert!(r.tls.hello_retry);
    assert_eq!(r.tls.sni.get(), Some("www.example.org"));
    assert_eq!(r.tls.group.unwrap().to_string(), "secp256r1");
    assert_eq!(r.established, Some(true));
    let r = record_of(&talk.into_iter().take(2).collect());
    assert!(r.tls.hello_retry && r.failed);
    assert_eq!((r.tls.version, r.tls.group), (None, None));
}

#[test]
// RFC 8446 §4.2.10, §4.2.11, §4.5: a key of an earlier session, early data, EndOfEarlyData.
fn psk_and_early_data() {
    let hello = client_hello(&[offer13(), ext(42, &[]), ext(41, &[0; 50])]);
    let mut chosen = chose13(29);
    chosen.push(ext(41, &[0, 0]));
    let r = record_of(&vec![
        (Client, cat(&[&rec(22, &hello), &ccs(), &app(300)])),
        (
            Server,
            cat(&[
                &rec(22, &server_hello([4; 32], [0x13, 0x01], &chosen)),
                &app(90),
            ]),
        ),
        (Client, cat(&[&app(21), &app(53)])),
        (Server, app(100)),
    ]);
    assert_eq!((r.tls.resumed, r.established), (Some(true), Some(true)));
    assert!(r.tls.early_data_offered);
}

#[test]
// RFC 8446 §4.2.9 (psk_ke), RFC 4279 §2: a pre-shared key alone is no key exchange, so that nothing is
// known of what a quantum computer does with it. A key exchange beside it counts.
fn a_pre_shared_key_alone_is_no_key_exchange() {
    let class = |suite, extensions: &[Vec<u8>], rest: &[u8]| {
        let hello = client_hello(&[offer13(), ext(41, &[0; 50])]);
        let answer = rec(22, &server_hello([4; 32], suite, extensions));
        let r = record_of(&vec![
            (Client, rec(22, &hello)),
            (Server, cat(&[&answer, rest])),
            (Client, app(100)),
        ]);
        assert!(r.tls.version.is_some());
        (r.tls.group.is_some(), r.pq)
    };
    let psk = ext(41, &[0, 0]);
    let alone = [ext(43, &[3, 4]), psk.clone()];
    assert_eq!(class([0x13, 1], &alone, &app(90)), (false, PqClass::None));
    let with = |group| [chose13(group), vec![psk.clone()]].concat();
    assert_eq!(
        class([0x13, 1], &with(29), &app(90)),
        (true, PqClass::Classical)
    );
    assert_eq!(
        class([0x13, 1], &with(0x11EC), &app(90)),
        (true, PqClass::Hybrid)
    );
    // TLS_PSK_WITH_AES_128_GCM_SHA256, TLS_RSA_PSK_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA.
    let done = rec(22, &msg(14, &[]));
    assert_eq!(class([0, 0xA8], &[], &done), (false, PqClass::None));
    assert_eq!(class([0, 0xAC], &[], &done), (false, PqClass::Classical));
    assert_eq!(class([0, 0x2F], &[], &done), (false, PqClass::Classical));
}

#[test]
// RFC 8446 §5.2: an encrypted alert shows by its length.
fn tls_1_3_failures() {
    // Early data alone is no Finished.
    let mut talk = tls13(29);
    talk.truncate(2);
    let r = record_of(&talk);
    assert_eq!((r.established, r.failed), (Some(false), true));
    // The client answers with an encrypted alert.
    talk.push((Client, app(19)));
    assert_eq!(record_of(&talk).established, Some(false));
    // The server answers the client's flight with nothing but an alert.
    let mut talk = tls13(29);
    talk[3].1 = app(19);
    assert_eq!(record_of(&talk).established, Some(false));
    // Unless the client had closed before: then it is a good-bye.
    let mut b = Bench::new(Zert::default());
    let mut f = b.open();
    for (i, (from, data)) in talk.iter().enumerate() {
        if i == 3 {
            b.fin(&mut f, Client);
        }
        b.send(&mut f, *from, data);
    }
    assert_eq!(b.close(f, CloseCause::Fin).established, Some(true));
}

#[test]
// What was not seen may have completed the handshake: bytes are missing, and where they go on is no
// record any more. Without a hole the same is a failure.
fn a_handshake_with_holes_is_unfinished_and_has_not_failed() {
    for hole in [true, false] {
        let mut b = Bench::new(Zert::default());
        let mut f = b.open();
        b.send(&mut f, Client, &rec(22, &client_hello(&[])));
        let answer = server_hello([4; 32], [0xC0, 0x2F], &[]);
        b.send(&mut f, Server, &rec(22, &answer));
        for side in [Client, Server] {
            if hole {
                b.gap(&mut f, side, 3_000);
            }
            b.send(&mut f, side, &[0xEE; 64]);
        }
        let r = b.close(f, CloseCause::Fin);
        assert_eq!((r.established, r.gap), (Some(false), hole));
        assert_eq!(r.failed, !hole);
    }
}

#[test]
// RFC 8446 §6, RFC 5246 §7.2: alerts of two bytes are readable.
fn fatal_alerts() {
    let hello = rec(22, &client_hello(&[]));
    let r = record_of(&vec![(Client, hello.clone()), (Server, alert(2, 40))]);
    assert_eq!(r.protocol, Protocol::Tls);
    assert!(r.failed);
    assert_eq!(r.tls.resumed, Some(false));
    let a = r.tls.alerts.as_slice()[0];
    assert!(a.fatal && !a.from_client && !a.post_ccs);
    assert_eq!(a.name(), Some("handshake_failure"));
    assert_eq!(r.tls.alerts.to_string(), "server:handshake_failure!");
    // Any number of them takes no more room.
    let r = record_of(&vec![
        (Client, hello),
        (Server, (0..1000).flat_map(|_| alert(1, 112)).collect()),
    ]);
    assert_eq!(
        (r.tls.alerts.count(), r.tls.alerts.as_slice().len()),
        (1000, 4)
    );
}

#[test]
// RFC 6101 §5.6.1, appendix E: a hello in the old form, answered in the new one.
fn ssl2_form_hello() {
    let hello = cat(&[
        &[1, 3, 1, 0, 6, 0, 0, 0, 16, 1, 0, 0x80, 0, 0, 0x2F],
        &[5; 16],
    ]);
    let mut talk = tls12();
    talk[0].1 = cat(&[&[0x80, hello.len() as u8], &hello]);
    talk[1].1[10] = 1; // the version in the server hello
    let r = record_of(&talk);
    assert!(r.tls.ssl2_client_hello);
    assert_eq!(
        r.tls.client_hello_max_version.unwrap().to_string(),
        "TLSv1.0"
    );
    assert_eq!(r.tls.version.unwrap().to_string(), "TLSv1.0");
    assert_eq!(r.established, Some(true));
}

#[test]
fn ssl2_in_full() {
    let old = |body: &[u8]| cat(&[&(body.len() as u16 | 0x8000).to_be_bytes(), body]);
    let hello = cat(&[&[1, 0, 2, 0, 3, 0, 0, 0, 16, 1, 0, 0x80], &[5; 16]]);
    let len = (CERT.len() as u16).to_be_bytes();
    let answer = cat(&[
        &[4, 0, 1, 0, 2],
        &len,
        &[0, 3, 0, 16],
        CERT,
        &[1, 0, 0x80],
        &[9; 16],
    ]);
    let key = cat(&[&[2, 1, 0, 0x80, 0, 0, 0, 64, 0, 0], &[7; 64]]);
    let r = record_of(&vec![
        (Client, old(&hello)),
        (Server, old(&answer)),
        (Client, old(&key)),
        (Server, old(&[0xEE; 40])),
    ]);
    assert_eq!(r.tls.version.unwrap().to_string(), "SSLv2");
    assert_eq!(r.tls.cipher.unwrap().to_string(), "SSL_CK_RC4_128_WITH_MD5");
    assert_eq!(r.tls.server_cert.serial.get(), Some("8F0102030405060708"));
    assert_eq!((r.established, r.inferred), (Some(true), true));
}

#[test]
fn clear_text_first() {
    let prefaces: [Talk; 5] = [
        // SMTP
        vec![
            (Server, b"220 mx\r\n".to_vec()),
            (Client, b"EHLO me\r\n".to_vec()),
            (Server, b"250-mx\r\n250 STARTTLS\r\n".to_vec()),
            (Client, b"STARTTLS\r\n".to_vec()),
            (Server, b"220 go ahead\r\n".to_vec()),
        ],
        // PostgreSQL
        vec![
            (Client, vec![0, 0, 0, 8, 4, 0xD2, 0x16, 0x2F]),
            (Server, b"S".to_vec()),
        ],
        // A proxy
        vec![
            (Client, b"CONNECT a:443 HTTP/1.1\r\n\r\n".to_vec()),
            (Server, b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
        ],
        // XMPP, LDAP: no line ends
        vec![
            (Client, b"<starttls/>".to_vec()),
            (Server, b"<proceed/>".to_vec()),
        ],
        // A client that does not wait
        vec![
            (Server, b"* OK\r\n".to_vec()),
            (Client, b"a STARTTLS\r\n".to_vec()),
        ],
    ];
    for preface in prefaces {
        let said: usize = preface.iter().map(|(_, d)| d.len()).sum();
        let mut talk = preface;
        talk.extend(tls12());
        let r = record_of(&talk);
        assert_eq!(r.established, Some(true), "{talk:?}");
        assert_eq!(r.clear_text as usize, said);
    }
}

#[test]
// MS-TDS §3.2.5.2: the handshake inside packets, the rest outside.
fn tls_inside_tabular_data_stream() {
    let wrap = |b: &[u8]| {
        let len = (b.len() as u16 + 8).to_be_bytes();
        cat(&[&[0x12, 1, len[0], len[1], 0, 0, 0, 0], b])
    };
    let mut talk = tls12();
    for (_, data) in talk.iter_mut().take(4) {
        *data = wrap(data);
    }
    talk.insert(0, (Client, wrap(&[0, 0, 26, 0, 6])));
    talk.insert(1, (Server, cat(&[&[4], &wrap(&[0, 0, 26, 0, 6])[1..]])));
    let r = record_of(&talk);
    assert_eq!(r.established, Some(true));
    assert_eq!(r.tls.server_cert.chain_len, Some(2));
}

#[test]
fn plain_connections_have_records_too() {
    let r = record_of(&vec![
        (Client, b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        (Server, b"HTTP/1.0 200 OK\r\n\r\n".to_vec()),
    ]);
    assert_eq!(r.protocol, Protocol::None);
    assert_eq!(
        (r.established, r.failed, r.pq),
        (None, false, PqClass::None)
    );
    assert_eq!(r.clear_text, 37);
    let r = record_of(&vec![]);
    assert_eq!(r.protocol, Protocol::None);
}

#[test]
fn capture_begins_with_the_server() {
    let talk: Talk = tls12().into_iter().skip(1).collect();
    let turned: Talk = talk.iter().map(|(s, d)| (s.other(), d.clone())).collect();
    for (talk, client_port) in [(talk, 50000), (turned, 443)] {
        let r = record_of(&talk);
        assert_eq!(r.client.port(), client_port);
        assert_eq!(r.tls.server_cert.chain_len, Some(2));
        assert_eq!(r.established, Some(true));
        assert_eq!(r.tls.ja3, None);
    }
}

#[test]
fn bytes_that_never_came() {
    // Inside application data and inside a certificate.
    let mut b = Bench::new(Zert::default());
    let mut f = b.open();
    let talk = tls12();
    b.send(&mut f, Client, &talk[0].1);
    let (head, tail) = talk[1].1.split_at(300);
    b.send(&mut f, Server, head);
    b.gap(&mut f, Server, 200);
    b.send(&mut f, Server, &tail[200..]);
    for (from, data) in &talk[2..] {
        b.send(&mut f, *from, data);
    }
    let r = b.close(f, CloseCause::Fin);
    assert!(r.gap);
    assert_eq!(r.tls.version.unwrap().to_string(), "TLSv1.2");
    assert_eq!(r.tls.server_cert.chain_len, None);
    assert_eq!(r.established, Some(true));
}

#[test]
fn every_field_has_its_name_once() {
    use hostward_hook::event::{Detail, FieldVisitor, Value};

    struct Names(Vec<&'static str>);
    impl FieldVisitor for Names {
        fn field(&mut self, name: &'static str, _: Value<'_>) {
            self.0.push(name);
        }
    }
    for (talk, wanted) in [
        (
            tls12(),
            "version cipher group sni server_cert_subject server_cert_not_after \
             server_cert_serial resumed established ja3 ja4 alpn hello_retry client_cert_sent",
        ),
        (
            ssh(),
            "client_version server_version kex host_key_alg cipher_c2s mac_c2s cipher_s2c mac_s2c \
             hassh",
        ),
        (
            vec![],
            "proto src sport dst dport failed inferred pq first_packet packets bytes open_at_end",
        ),
    ] {
        let r = record_of(&talk);
        let mut all = Vec::new();
        r.fields(&mut |name, field| {
            let there = match field {
                Field::Absent => false,
                Field::Alerts(a) => a.count() > 0,
                _ => true,
            };
            all.push((name, there));
        });
        let mut shown = Names(Vec::new());
        r.visit(&mut shown);
        // Visitors get those that are there, in the same order.
        let there: Vec<_> = all.iter().filter(|f| f.1).map(|f| f.0).collect();
        assert_eq!(shown.0, there);
        for name in wanted.split_whitespace() {
            assert_eq!(all.iter().filter(|f| f.0 == name).count(), 1, "{name}");
            assert!(there.contains(&name), "{name}");
        }
    }
}

#[test]
// RFC 5246 §6.2.3: no record is longer.
fn records_that_are_too_long_are_none() {
    let mut talk = tls12();
    talk[2].1 = cat(&[&[22, 3, 3, 0x48, 0x01], &[0; 64]]);
    let r = record_of(&talk);
    assert!(r.malformed);
    assert_eq!(r.established, Some(false));
    talk[2].1 = cat(&[&[22, 3, 3, 0x48, 0x00], &[0; 0x4800], &ccs(), &finished12()]);
    assert!(!record_of(&talk).malformed);
}

#[test]
// RFC 1035 §2.3.4: no name is longer.
fn long_server_names_are_cut() {
    let mut talk = tls12();
    talk[0].1 = rec(22, &client_hello(&[sni(&[b'a'; 255])]));
    assert!(!record_of(&talk).cut);
    talk[0].1 = rec(22, &client_hello(&[sni(&[b'a'; 300])]));
    let r = record_of(&talk);
    assert!(r.cut);
    assert_eq!(r.tls.sni.get().map(str::len), Some(255));
}

#[test]
// RFC 8446 §4.2.3, RFC 5246 §7.4.1.4.1: schemes and the older pairs have names.
fn signature_schemes_by_name() {
    for (id, name) in [
        ([8, 4], "rsa_pss_rsae_sha256"),
        ([2, 1], "rsa_pkcs1_sha1"),
        ([9, 5], "mldsa65"),
        ([0xEE, 0xEE], "0xeeee"),
    ] {
        let mut talk = tls12();
        let at = talk[1]
            .1
            .windows(4)
            .rposition(|w| w == [8, 4, 1, 0])
            .unwrap();
        talk[1].1[at..at + 2].copy_from_slice(&id);
        let mut shown = None;
        record_of(&talk).fields(&mut |n, v| {
            if n == "signature_scheme" {
                shown = Some(format!("{v:?}"));
            }
        });
        assert_eq!(shown, Some(format!("One(Str({name:?}))")));
    }
}
