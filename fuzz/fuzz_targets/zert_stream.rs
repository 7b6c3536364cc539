//! Arbitrary bytes of both sides in arbitrary chunks, gaps and ends, into a small observer.

#![no_main]

use core::net::{Ipv4Addr, SocketAddr};

use hostward_hook::event::EventQueue;
use hostward_hook::flow::{FlowId, FlowInfo, FlowKey};
use hostward_hook::hooks::{CloseCause, StreamObserver, Timers};
use hostward_hook::ident::SaId;
use hostward_hook::protection::{Certificate, Fact, Failure, IpsecTunnel, Protocol, TlsSession};
use hostward_hook::{Cx, Instant, Meta, Now, Point, Side, UnixTime};
use hostward_zert::{Config, Slot, Zert};
use libfuzzer_sys::fuzz_target;

// Each step: one byte that says what is done and who does it, one byte of length, the bytes.
fuzz_target!(|input: &[u8]| {
    let mut zert = Zert::new(Config {
        connections: 1,
        prefix: 4096,
        handshake_limit: 8192,
        buffer_memory: 32 << 10,
        shared: 2,
        associations: 2,
    });
    let end = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let Some(key) = FlowKey::new(end(50_000), end(443), 6) else {
        return;
    };
    let flow = FlowInfo::new(
        FlowId::from_u64(1),
        key,
        &Meta::new(Point::Ingress, Now::default()),
        1,
    );
    let mut events = EventQueue::new(64);
    let mut actions = ();
    let mut slot = Slot::default();
    let mut seconds = 0;
    let mut rest = input;
    while let [what, len, tail @ ..] = rest {
        let (data, tail) = tail.split_at(tail.len().min((*len).into()));
        rest = tail;
        let from = if what & 1 == 0 {
            Side::Initiator
        } else {
            Side::Responder
        };
        let now = Now::new(Instant::from_secs(seconds), UnixTime::EPOCH);
        let mut cx = Cx::new(now, &mut events, &mut actions);
        match what >> 4 {
            0 => {
                zert.gap(&mut cx, &flow, &mut slot, from, (*len).into());
            }
            1 => zert.finished(&mut cx, &flow, &mut slot, from),
            2 => {
                seconds += 3;
                zert.handle_deadline(&mut cx);
            }
            3 => {
                zert.closed(&mut cx, &flow, &mut slot, CloseCause::Fin);
                assert_eq!(zert.watched(), 0);
            }
            4 => {
                let fact = match len % 4 {
                    0 => Fact::HandshakeHint(Protocol::Tls),
                    1 => Fact::SessionEnded(Protocol::Tls),
                    2 => Fact::HandshakeFailed(Failure::new(Protocol::Ssh)),
                    _ => {
                        let mut session = TlsSession::default();
                        let mut certificate = Certificate::default();
                        certificate.der = Some(data);
                        session.server_certificate = Some(certificate);
                        session.cipher_suite = Some((*len).into());
                        session.client = Some(from);
                        Fact::TlsSession(session)
                    }
                };
                zert.advise(&mut cx, &flow, &mut slot, &fact);
            }
            5 => {
                let sa = SaId((*len & 3).into());
                let mut tunnel = IpsecTunnel::default();
                tunnel.transforms.encryption = Some((*len >> 2).into());
                if what & 1 == 0 {
                    zert.advise_association(&mut cx, sa, Some(&tunnel));
                } else {
                    let sa = (sa.0 > 0).then_some(sa);
                    zert.sa_bound(&mut cx, &flow, &mut slot, sa);
                }
            }
            _ => {
                zert.bytes(&mut cx, &flow, &mut slot, from, data);
            }
        }
        assert!(zert.buffer_memory() <= 32 << 10);
    }
    let mut cx = Cx::new(Now::default(), &mut events, &mut actions);
    zert.closed(&mut cx, &flow, &mut slot, CloseCause::EndOfInput);
});
