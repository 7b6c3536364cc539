//! What must hold for every stream: chunking does not matter, nothing does harm, bounds hold.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

mod common;

use arbtest::arbitrary::{Result, Unstructured};
use common::*;
use hostward_hook::Side;
use hostward_hook::event::Class;
use hostward_hook::hooks::CloseCause;
use hostward_hook::ident::SaId;
use hostward_hook::protection::{
    Fact, Failure, FilterRules, IpsecTunnel, Protocol as Told, SshSession, TlsSession,
};
use hostward_zert::{Config, Protocol, Record, Zert, code};

fn talks() -> Vec<Talk> {
    let mut starttls: Talk = vec![
        (Server, b"220 mx\r\n".to_vec()),
        (Client, b"EHLO me\r\nSTARTTLS\r\n".to_vec()),
        (Server, b"250 STARTTLS\r\n220 go\r\n".to_vec()),
    ];
    starttls.extend(tls12());
    let mut postgres: Talk = vec![
        (Client, vec![0, 0, 0, 8, 4, 0xD2, 0x16, 0x2F]),
        (Server, b"S".to_vec()),
    ];
    postgres.extend(tls13(29));
    let hello = cat(&[
        &[1, 3, 1, 0, 6, 0, 0, 0, 16, 1, 0, 0x80, 0, 0, 0x2F],
        &[5; 16],
    ]);
    let mut old = tls12();
    old[0].1 = cat(&[&[0x80, hello.len() as u8], &hello]);
    let plain = vec![
        (Client, b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        (Server, vec![b'\n'; 3000]),
    ];
    vec![
        tls12(),
        tls13(0x11EC),
        ssh(),
        starttls,
        postgres,
        old,
        plain,
    ]
}

fn play(talk: &Talk, mut cut: impl FnMut(usize) -> usize) -> Record {
    let mut b = Bench::new(Zert::default());
    let mut f = b.open();
    for (from, data) in talk {
        let mut rest = data.as_slice();
        while !rest.is_empty() {
            let n = cut(rest.len()).clamp(1, rest.len());
            b.send(&mut f, *from, &rest[..n]);
            rest = &rest[n..];
        }
    }
    b.close(f, CloseCause::Fin)
}

#[test]
fn chunking_does_not_matter() {
    for talk in talks() {
        let whole = play(&talk, |n| n);
        assert_eq!(play(&talk, |_| 1), whole);
    }
    let talks = talks();
    arbtest::arbtest(|u| {
        let talk = u.choose(&talks)?;
        let whole = play(talk, |n| n);
        let cut = play(talk, |n| u.int_in_range(1..=n.min(64)).unwrap_or(n));
        assert_eq!(cut, whole);
        Ok(())
    });
}

/// Whatever follows a handshake up to TLS 1.2, it is read alike whether it comes with the
/// handshake's last bytes or later, when little of its state is kept.
#[test]
fn what_follows_a_handshake_is_read_alike() {
    fn tail(u: &mut Unstructured<'_>) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        for _ in 0..u.int_in_range(0..=40)? {
            out.extend(match u.int_in_range(0..=6)? {
                0 => app(u.int_in_range(0..=40)?),
                1 => alert(u.int_in_range(0..=3)?, u.arbitrary()?),
                2 => ccs(),
                3 => rec(22, &msg(1, &[7; 40])),
                4 => rec(24, &[1; 30]),
                5 => rec(21, &[9; 40]),
                _ => u.arbitrary::<[u8; 3]>()?.to_vec(),
            });
        }
        Ok(out)
    }
    let mut settled = 0;
    arbtest::arbtest(|u| {
        let mut talk = tls12();
        talk.truncate(4);
        talk[3].1.extend(tail(u)?);
        talk.push((Client, tail(u)?));
        let whole = play(&talk, |n| n);
        let cut = play(&talk, |n| u.int_in_range(1..=n.min(64)).unwrap_or(n));
        assert_eq!(cut, whole);
        settled += u32::from(whole.established == Some(true));
        Ok(())
    });
    assert!(settled > 0);
}

fn damage(u: &mut Unstructured<'_>, talk: &mut Talk) -> Result<()> {
    for _ in 0..u.int_in_range(1..=12)? {
        let i = u.choose_index(talk.len())?;
        let data = &mut talk[i].1;
        if data.is_empty() {
            continue;
        }
        let at = u.choose_index(data.len())?;
        match u.int_in_range(0..=3)? {
            0 => data[at] = u.arbitrary()?,
            1 => {
                data.remove(at);
            }
            2 => data.insert(at, u.arbitrary()?),
            _ => data.truncate(at),
        }
    }
    Ok(())
}

#[test]
fn damaged_streams_do_no_harm_and_chunking_still_does_not_matter() {
    let talks = talks();
    arbtest::arbtest(|u| {
        let mut talk = u.choose(&talks)?.clone();
        damage(u, &mut talk)?;
        let whole = play(&talk, |n| n);
        let cut = play(&talk, |n| u.int_in_range(1..=n.min(64)).unwrap_or(n));
        assert_eq!(cut, whole);
        Ok(())
    })
    .budget_ms(3_000);
}

#[test]
fn random_calls_do_no_harm() {
    let parts: Vec<Vec<u8>> = talks().into_iter().flatten().map(|(_, d)| d).collect();
    let mut session = TlsSession::default();
    session.version = 0x0303;
    let mut other = session;
    other.cipher_suite = Some(0x002F);
    let facts = [
        Fact::HandshakeHint(Told::Tls),
        Fact::HandshakeFailed(Failure::new(Told::Tls)),
        Fact::SessionEnded(Told::Tls),
        Fact::SessionEnded(Told::Ssh),
        Fact::SessionEnded(Told::Ipsec),
        Fact::TlsSession(session),
        Fact::TlsSession(other),
        Fact::SshSession(SshSession::default()),
        Fact::IpsecTunnel(IpsecTunnel::default()),
        Fact::FilterRules(FilterRules::default()),
    ];
    arbtest::arbtest(|u| {
        let mut b = Bench::new(Zert::new(Config {
            connections: 2,
            prefix: 600,
            handshake_limit: 700,
            buffer_memory: 4096,
            ..Config::default()
        }));
        let mut flows = vec![b.open(), b.open(), b.open()];
        for _ in 0..u.int_in_range(1..=60)? {
            let i = u.choose_index(flows.len())?;
            let side = *u.choose(&[Side::Initiator, Side::Responder])?;
            match u.int_in_range(0..=9)? {
                4 => {
                    let fact = *u.choose(&facts)?;
                    b.advise(&mut flows[i], &fact);
                }
                5 => {
                    let sa = u.choose(&[None, Some(SaId(1)), Some(SaId(2))])?;
                    b.sa(&mut flows[i], *sa);
                }
                0 => b.gap(&mut flows[i], side, u.arbitrary()?),
                1 => b.fin(&mut flows[i], side),
                2 => {
                    let f = core::mem::replace(&mut flows[i], b.open());
                    b.close(f, CloseCause::Reset(side));
                }
                3 => b.advance(u.int_in_range(0..=60_000)?),
                _ => {
                    let part = u.choose(&parts)?;
                    let n = u.int_in_range(0..=part.len())?;
                    b.send(&mut flows[i], side, &part[..n]);
                }
            }
            assert!(b.zert.watched() <= 2);
            assert!(b.zert.buffer_memory() <= 4096);
        }
        for f in flows {
            b.close(f, CloseCause::EndOfInput);
        }
        assert_eq!(b.zert.watched(), 0);
        Ok(())
    })
    .budget_ms(3_000);
}

#[test]
fn too_many_connections() {
    let mut b = Bench::new(Zert::new(Config {
        connections: 1,
        ..Config::default()
    }));
    let first = b.open();
    let mut second = b.open();
    assert_eq!(b.told.bounds, [code::CONNECTIONS_FULL]);
    b.send(&mut second, Client, &tls12()[0].1);
    let r = b.close(second, CloseCause::Fin);
    assert!(r.cut);
    assert_eq!(r.protocol, Protocol::None);
    assert!(!b.close(first, CloseCause::Fin).cut);
    // There is room again.
    let third = b.open();
    assert_eq!(b.zert.watched(), 1);
    assert!(!b.close(third, CloseCause::Fin).cut);
    assert_eq!(b.zert.counts().refused, 1);
}

#[test]
fn a_message_that_is_too_long() {
    let mut b = Bench::new(Zert::new(Config {
        handshake_limit: 1000,
        ..Config::default()
    }));
    let mut f = b.open();
    for (from, data) in &tls12() {
        b.send(&mut f, *from, data);
    }
    let r = b.close(f, CloseCause::Fin);
    assert_eq!(b.told.bounds, [code::MESSAGE_TOO_LONG]);
    assert!(r.cut);
    // All but the certificate is known.
    assert_eq!(r.tls.server_cert.chain_len, None);
    assert_eq!(r.tls.group.unwrap().to_string(), "x25519");
    assert_eq!((r.established, r.tls.resumed), (Some(true), Some(false)));
}

#[test]
fn no_memory_for_messages() {
    let mut b = Bench::new(Zert::new(Config {
        buffer_memory: 1024,
        ..Config::default()
    }));
    // What lies whole in what is handed in needs none.
    let mut f = b.open();
    for (from, data) in &tls12() {
        b.send(&mut f, *from, data);
    }
    let r = b.close(f, CloseCause::Fin);
    assert!(!r.cut && b.told.bounds.is_empty());
    assert!(r.tls.server_cert.chain_len.is_some());

    let mut f = b.open();
    for (from, data) in &tls12() {
        for part in data.chunks(data.len().div_ceil(2)) {
            b.send(&mut f, *from, part);
        }
    }
    assert!(b.zert.buffer_memory() <= 1024);
    let r = b.close(f, CloseCause::Fin);
    assert_eq!(b.told.bounds, [code::MEMORY_FULL]);
    assert!(r.cut);
    assert_eq!(r.tls.sni.get(), Some("www.example.org"));
    assert_eq!(r.tls.server_cert.chain_len, None);
}

#[test]
fn clear_text_is_watched_so_far_and_no_further() {
    let mut b = Bench::new(Zert::new(Config {
        prefix: 1000,
        ..Config::default()
    }));
    let mut f = b.open();
    b.send(&mut f, Client, &[b'x'; 1001]);
    b.send(&mut f, Server, b"220 go\r\n");
    for (from, data) in &tls12() {
        b.send(&mut f, *from, data);
    }
    let r = b.close(f, CloseCause::Fin);
    assert_eq!(r.protocol, Protocol::None);
}

#[test]
fn buffers_go_back_when_connections_close() {
    let mut b = Bench::new(Zert::default());
    let all = talks();
    for talk in all.iter().cycle().take(300) {
        let mut f = b.open();
        for (from, data) in talk.iter().take(2) {
            // Within a message, so that something is held.
            b.send(&mut f, *from, &data[..data.len() / 2]);
        }
        b.close(f, CloseCause::Reset(Server));
    }
    assert!(b.zert.buffer_memory() < 64 << 10);
    assert_eq!(b.zert.watched(), 0);
}

/// Takes a look at records and forgets them.
struct Look(u64);

impl hostward_hook::EventSink for Look {
    fn wants(&self, _: Class) -> bool {
        true
    }

    fn emit(&mut self, _: &hostward_hook::Event<'_>) {
        self.0 += 1;
    }
}

#[test]
fn a_steady_state_does_not_allocate() {
    use hostward_hook::hooks::StreamObserver;
    use hostward_zert::Slot;

    let all = talks();
    let mut zert = Zert::default();
    let mut bench = Bench::new(Zert::default());
    let flow = bench.open();
    let mut look = Look(0);
    let mut round = || {
        for talk in &all {
            let mut actions = ();
            let mut cx = hostward_hook::Cx::new(at(0), &mut look, &mut actions);
            let mut slot = Slot::default();
            zert.opened(&mut cx, &flow.info, &mut slot);
            for (from, data) in talk {
                for part in data.chunks(1400) {
                    zert.bytes(&mut cx, &flow.info, &mut slot, *from, part);
                }
            }
            zert.closed(&mut cx, &flow.info, &mut slot, CloseCause::Fin);
        }
    };
    round();
    let used = allocation_counter::measure(round);
    assert_eq!(used.count_total, 0);
    assert!(look.0 > 0);
}

/// A certificate that makes the longest texts: a subject of bytes that are escaped, and a serial
/// number of 70 bytes.
fn greedy_certificate() -> Vec<u8> {
    let der = |tag: u8, body: &[u8]| cat(&[&[tag, 0x82], &vec16(body)]);
    let value = cat(&[&der(6, &[0x55, 4, 3]), &der(12, &[7; 2000])]);
    let subject = der(0x30, &der(0x31, &der(0x30, &value)));
    let time = der(0x17, b"300101000000Z");
    let tbs = cat(&[
        &der(2, &[0x7F; 70]),
        &der(0x30, &[]),
        &der(0x30, &[]),
        &der(0x30, &cat(&[&time, &time])),
        &subject,
    ]);
    der(0x30, &der(0x30, &tbs))
}

#[test]
// The README's figure for a watched connection and its texts, with two hostile ends.
fn a_connection_has_its_bound_whatever_it_says() {
    const MANY: usize = 500;
    let cert = greedy_certificate();
    let noise = [0xFF; 255];
    let offer = ext(16, &vec16(&vec8(&noise)));
    let hello = client_hello(&[sni(&noise), offer.clone()]);
    let answer = server_hello([0x44; 32], [0xC0, 0x2F], &[offer]);
    let tls: Talk = vec![
        (Client, rec(22, &hello)),
        (
            Server,
            rec(22, &cat(&[&answer, &certificate(&[&cert]), &msg(13, &[1])])),
        ),
        (Client, rec(22, &certificate(&[&cert]))),
    ];
    let banner = cat(&[b"SSH-2.0-", &[0xFF; 240], b"\r\n"]);
    let name = "\u{ff}".repeat(40);
    let ssh: Talk = vec![
        (Server, cat(&[&banner, &kexinit(&name, &name, &name)])),
        (Client, cat(&[&banner, &kexinit(&name, &name, &name)])),
    ];
    // Whoever begins with one protocol and goes on with the other.
    let mixed: Talk = [&ssh[..1], &tls[..]].concat();
    for talk in [tls, ssh, mixed] {
        let limits = Config {
            buffer_memory: 1 << 20,
            ..Config::default()
        };
        let mut b = Bench::new(Zert::new(limits));
        let mut flows = Vec::with_capacity(MANY);
        let used = allocation_counter::measure(|| {
            for _ in 0..MANY {
                let mut f = b.open();
                for (from, data) in &talk {
                    b.send(&mut f, *from, data);
                }
                b.zert.snapshot(&f.slot);
                flows.push(f);
            }
        });
        let texts_and_state = used.bytes_current - b.zert.buffer_memory() as i64;
        let each = texts_and_state / MANY as i64;
        assert!(each <= (2 + 3) << 10, "{each} bytes");
        assert!(b.zert.buffer_memory() <= 1 << 20);
    }
}

#[test]
// What is not read on keeps no buffer until its connection closes.
fn buffers_go_back_when_a_side_is_given_up() {
    let mut b = Bench::new(Zert::default());
    let mut flows = Vec::new();
    for _ in 0..200 {
        let mut f = b.open();
        // A server that begins its certificate and loses bytes of it.
        b.send(&mut f, Client, &rec(22, &client_hello(&[])));
        let begun = rec(22, &cat(&[&[11, 0, 60, 0], &[7; 8000]]));
        b.send(&mut f, Server, &begun);
        b.gap(&mut f, Server, 5000);
        flows.push(f);
        // An SSH server with nothing in progress, and a client whose packet is none.
        let mut f = b.open();
        b.send(&mut f, Server, b"SSH-2.0-s\r\n");
        b.send(&mut f, Client, b"SSH-2.0-c\r\n\xFF\xFF\xFF\xFF\xFF\xFF");
        flows.push(f);
    }
    // Unused buffers are kept, but not one for each connection.
    assert!(
        b.zert.buffer_memory() < 1 << 20,
        "{}",
        b.zert.buffer_memory()
    );
    assert_eq!(b.zert.watched(), 400);
}

#[test]
// Long messages that never end use up three quarters of the memory and no more.
fn a_few_connections_do_not_blind_the_observer() {
    let limits = Config {
        buffer_memory: 1 << 20,
        ..Config::default()
    };
    let mut b = Bench::new(Zert::new(limits));
    let mut stalled = Vec::new();
    let begun = cat(&[&[1, 0, 255, 255, 3, 3], &[7; 16_000]]);
    for _ in 0..100 {
        let mut f = b.open();
        for part in [&begun[..], &[7; 16_000], &[7; 16_000], &[7; 16_000]] {
            b.send(&mut f, Client, &rec(22, part));
        }
        stalled.push(f);
    }
    assert!(b.told.bounds.contains(&code::MEMORY_FULL));
    assert!(b.zert.buffer_memory() <= 1 << 20);
    let mut f = b.open();
    for (from, data) in &tls12() {
        b.send(&mut f, *from, data);
    }
    let r = b.close(f, CloseCause::Fin);
    assert_eq!((r.established, r.cut), (Some(true), false));
    assert_eq!(r.tls.server_cert.chain_len, Some(2));
}
