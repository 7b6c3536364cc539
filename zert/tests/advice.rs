//! What providers and the stack tell, and which events follow.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::field_reassign_with_default,
    reason = "a failing test may panic"
)]

mod common;

use core::time::Duration;

use common::*;
use hostward_hook::Cx;
use hostward_hook::hooks::{CloseCause, StreamObserver};
use hostward_hook::ident::{RuleId, SaId, TunnelId};
use hostward_hook::protection::{
    Encapsulation, Fact, Failure, FilterAction, FilterRule, FilterRules, Handshake, IkeAssociation,
    IpsecTunnel, Protocol as Told, SshSession, TlsSession, TunnelKind,
};
use hostward_zert::record::{Observed, PqClass, Role, Source};
use hostward_zert::{Config, Protocol, Record, Slot, Zert};

fn tls_told(suite: u16) -> TlsSession<'static> {
    let mut t = TlsSession::default();
    t.provider = "a library";
    t.version = 0x0303;
    t.cipher_suite = Some(suite);
    t.client = Some(Client);
    t
}

const SUITE: u16 = 0xC02F;
const OTHER: u16 = 0xC030;

fn tunnel(encryption: u16, sa: u32) -> IpsecTunnel<'static> {
    let mut ike = IkeAssociation::default();
    ike.major = 2;
    ike.rule = "to branch";
    ike.transforms.group = Some(31);
    ike.transforms.additional_groups[0] = Some(36);
    let mut t = IpsecTunnel::default();
    t.tunnel = TunnelId(7);
    t.inbound = Some(SaId(sa));
    t.outbound = Some(SaId(sa + 100));
    t.kind = Some(TunnelKind::Dynamic);
    t.protocol = 50;
    t.encapsulation = Some(Encapsulation::Tunnel);
    t.transforms.encryption = Some(encryption);
    t.transforms.encryption_bits = 256;
    t.life_time = Some(Duration::from_secs(3600));
    t.ike = Some(ike);
    t
}

struct Play {
    b: Bench,
    f: Flow,
}

impl Play {
    fn new() -> Self {
        let mut b = Bench::new(Zert::default());
        let f = b.open();
        Self { b, f }
    }

    fn at(mut self, millis: u64) -> Self {
        self.b.advance(millis);
        self
    }

    fn talk(mut self, talk: &Talk) -> Self {
        for (from, data) in talk {
            self.b.send(&mut self.f, *from, data);
        }
        self
    }

    fn told(mut self, fact: &Fact<'_>) -> Self {
        self.b.advise(&mut self.f, fact);
        self
    }

    fn association(mut self, sa: u32, told: Option<&IpsecTunnel<'_>>) -> Self {
        let mut actions = ();
        let mut cx = Cx::new(self.b.now, &mut self.b.told, &mut actions);
        self.b.zert.advise_association(&mut cx, SaId(sa), told);
        self
    }

    fn sa(mut self, sa: Option<u32>) -> Self {
        self.b.sa(&mut self.f, sa.map(SaId));
        self
    }

    /// Closes: events by time and number, the records they showed, and the last record.
    fn close(mut self) -> (Vec<(u64, u16)>, Vec<Record>, Record) {
        let last = self.b.close(self.f, CloseCause::Fin);
        let told = self.b.told.progress.iter();
        let events = told.map(|(t, c)| (*t, c.get() - 6010)).collect();
        assert_eq!(self.b.zert.watched(), 0);
        assert_eq!(self.b.zert.tracking(), 0);
        (events, self.b.told.shown, last)
    }
}

#[test]
// "8 s with TLS then advice 'TLS ended' at 5 s, close at 5.5 s" and "same, close at 8 s".
fn the_end_of_a_session_waits_a_second_for_the_end_of_the_connection() {
    let ended = Fact::SessionEnded(Told::Tls);
    let play = || Play::new().talk(&tls12()).at(5_000).told(&ended);
    let (events, shown, _) = play().at(5_500).close();
    assert_eq!(events, [(5_500, 4)]);
    assert_eq!(shown[0].protocol, Protocol::Tls);
    let (events, shown, last) = play().at(8_000).close();
    assert_eq!(events, [(6_000, 1), (6_000, 2), (8_000, 3)]);
    let protocols: Vec<_> = shown.iter().map(|r| r.protocol).collect();
    assert_eq!(protocols, [Protocol::Tls, Protocol::None, Protocol::None]);
    assert_eq!(last.tls.version, None);
    // After the initiation.
    let (events, ..) = Play::new()
        .talk(&tls12())
        .at(15_000)
        .told(&ended)
        .at(15_200)
        .told(&ended)
        .at(20_000)
        .close();
    assert_eq!(events, [(10_000, 1), (16_000, 2), (20_000, 3)]);
}

#[test]
fn tls_after_tls() {
    let hint = Fact::HandshakeHint(Told::Tls);
    let ended = Fact::SessionEnded(Told::Tls);
    // Ended, and another one at once with the same attributes: nothing has changed.
    let (events, ..) = Play::new()
        .told(&Fact::TlsSession(tls_told(SUITE)))
        .at(12_000)
        .told(&ended)
        .at(12_500)
        .told(&Fact::TlsSession(tls_told(SUITE)))
        .at(20_000)
        .close();
    assert_eq!(events, [(10_000, 1), (20_000, 3)]);
    // With others.
    let (events, shown, _) = Play::new()
        .told(&Fact::TlsSession(tls_told(SUITE)))
        .at(3_000)
        .told(&ended)
        .told(&Fact::TlsSession(tls_told(OTHER)))
        .at(20_000)
        .close();
    assert_eq!(events, [(3_000, 1), (3_000, 2), (20_000, 3)]);
    let suites: Vec<_> = shown.iter().map(|r| r.tls.cipher.unwrap().0).collect();
    assert_eq!(suites, [SUITE, OTHER, OTHER].map(u32::from));
    // Ended, clear, then read from the stream again.
    let mut p = Play::new()
        .talk(&tls13(29))
        .at(12_000)
        .told(&ended)
        .at(15_000)
        .told(&hint);
    p.f.listen();
    let (events, shown, _) = p.talk(&tls12()).at(20_000).close();
    assert_eq!(events, [(10_000, 1), (13_000, 2), (15_000, 2), (20_000, 3)]);
    let protocols: Vec<_> = shown
        .iter()
        .map(|r| (r.protocol, r.tls.version.map(|v| v.0)))
        .collect();
    assert_eq!(
        protocols,
        [
            (Protocol::Tls, Some(0x0304)),
            (Protocol::None, None),
            (Protocol::Tls, Some(0x0303)),
            (Protocol::Tls, Some(0x0303))
        ]
    );
}

#[test]
// A new handshake within a session: the same again is no change, another version is.
fn a_second_handshake_on_the_stream() {
    let hint = Fact::HandshakeHint(Told::Tls);
    for (second, expected) in [(tls12(), 2), (tls13(29), 3)] {
        let mut p = Play::new().talk(&tls12()).at(1_000).told(&hint);
        p.f.listen();
        let (events, ..) = p.talk(&second).at(12_000).close();
        assert_eq!(events.len(), expected, "{events:?}");
    }
}

#[test]
// APAR OA67282: a hint that is repeated during a handshake must not lose it.
fn hints_are_idempotent() {
    let hint = Fact::HandshakeHint(Told::Tls);
    let mut p = Play::new().talk(&vec![(Client, b"x".to_vec())]).told(&hint);
    for (from, data) in &tls13(29) {
        for byte in data.chunks(1) {
            p = p.told(&hint).talk(&vec![(*from, byte.to_vec())]);
        }
    }
    let (_, _, last) = p.close();
    assert_eq!(
        (last.protocol, last.established),
        (Protocol::Tls, Some(true))
    );
    assert_eq!(last.clear_text, 1);
}

#[test]
fn a_hint_finds_what_the_prefix_hid() {
    let long: Talk = vec![(Client, vec![b'x'; 100_000]), (Server, vec![b'y'; 9])];
    let (_, _, last) = Play::new().talk(&long).talk(&tls12()).close();
    assert_eq!(last.protocol, Protocol::None);
    let mut p = Play::new()
        .talk(&long)
        .told(&Fact::HandshakeHint(Told::Tls));
    p.f.listen();
    let (_, _, last) = p.talk(&tls12()).close();
    assert_eq!(last.established, Some(true));
    assert!(last.clear_text >= 16_384);
}

#[test]
fn failures() {
    let failed = Fact::HandshakeFailed(Failure::new(Told::Tls));
    let (events, shown, last) = Play::new().at(200).told(&failed).at(300).close();
    assert_eq!(events, [(300, 4)]);
    assert!(shown[0].failed && last.failed);
    assert_eq!(last.source, Source::Advised);
    // Failed, then clear.
    let (events, ..) = Play::new()
        .told(&failed)
        .talk(&vec![(Client, b"hello\r\n".to_vec())])
        .at(12_000)
        .close();
    assert_eq!(events, [(10_000, 1), (12_000, 3)]);
    // Under way when the connection should have settled.
    let begin = vec![tls12()[0].clone()];
    let (events, ..) = Play::new()
        .at(9_900)
        .talk(&begin)
        .at(11_000)
        .told(&failed)
        .at(12_000)
        .close();
    assert_eq!(events, [(11_000, 1), (12_000, 3)]);
    // A session that is in effect outlives it; one that comes after it counts.
    let (events, _, last) = Play::new().talk(&tls12()).told(&failed).at(12_000).close();
    assert_eq!((events.len(), last.failed), (2, false));
    let (events, _, last) = Play::new()
        .told(&failed)
        .told(&Fact::TlsSession(tls_told(SUITE)))
        .at(12_000)
        .close();
    assert_eq!(
        (events.len(), last.failed, last.established),
        (2, false, Some(true))
    );
}

#[test]
fn advice_stands_above_observation_and_makes_no_false_changes() {
    let mut told = tls_told(OTHER);
    told.server_name = Some("told.example");
    told.group = Some(0x11EC);
    told.handshake = Handshake::Resumed;
    for first in [true, false] {
        let mut p = Play::new();
        if first {
            p = p.told(&Fact::TlsSession(told)).talk(&tls12());
        } else {
            p = p.talk(&tls12()).told(&Fact::TlsSession(told));
        }
        // More of the same, and less: no change.
        let mut more = told;
        more.alpn = Some(b"h2");
        more.client_authenticated = Some(true);
        p = p
            .told(&Fact::TlsSession(more))
            .told(&Fact::TlsSession(tls_told(OTHER)));
        let (events, _, r) = p.at(12_000).close();
        assert_eq!(events, [(10_000, 1), (12_000, 3)]);
        assert_eq!(r.tls.cipher.unwrap().0, u32::from(OTHER));
        assert_eq!(r.source, Source::Advised);
        let Observed::Tls(seen) = r.observed() else {
            panic!()
        };
        assert_ne!(seen.cipher, r.tls.cipher);
        assert!(r.tls.ja4.is_some() && r.tls.server_cert.sha256.is_some());
    }
    // Other attributes are a change.
    let (events, ..) = Play::new()
        .talk(&tls12())
        .told(&Fact::TlsSession(told))
        .at(11_000)
        .told(&Fact::TlsSession(tls_told(SUITE)))
        .at(12_000)
        .close();
    assert_eq!(events, [(10_000, 1), (11_000, 2), (12_000, 3)]);
    // Without a word of anybody there is nothing behind the record.
    let (_, _, r) = Play::new().told(&Fact::TlsSession(told)).close();
    assert_eq!(r.observed(), Observed::Nothing);
    assert_eq!((r.pq, r.role), (PqClass::Hybrid, Role::Client));
}

#[test]
fn ssh_is_told() {
    let mut told = SshSession::default();
    told.provider = "sshd";
    told.version = 2;
    told.key_exchange = "mlkem768x25519-sha256";
    told.client_to_server.encryption = "aes256-gcm@openssh.com";
    told.authentication = [Some("publickey"), None];
    told.client = Some(Server);
    let again = Fact::SshSession(told);
    let mut rekeyed = told;
    rekeyed.client_to_server.encryption = "aes128-ctr";
    let (events, _, r) = Play::new()
        .told(&again)
        .at(11_000)
        .told(&again)
        .at(12_000)
        .told(&Fact::SshSession(rekeyed))
        .at(13_000)
        .close();
    assert_eq!(events, [(10_000, 1), (12_000, 2), (13_000, 3)]);
    assert_eq!((r.protocol, r.pq), (Protocol::Ssh, PqClass::Hybrid));
    // Reverse SSH: who opened the connection is the server of the handshake.
    assert_eq!(r.role, Role::Server);
    assert_eq!(r.ssh.authentication[0].get(), Some("publickey"));
}

#[test]
// The cases of what a record shows with filter rules and tunnels.
fn tunnels_and_rules() {
    let rule = |action| {
        let mut rules = FilterRules::default();
        rules.inbound = Some(FilterRule::new(RuleId(3), "to branch", action));
        Fact::FilterRules(rules)
    };
    let ipsec = Fact::IpsecTunnel(tunnel(20, 1));
    // IPsec only.
    let (events, shown, r) = Play::new()
        .told(&rule(FilterAction::Protect))
        .told(&ipsec)
        .at(12_000)
        .close();
    assert_eq!(events, [(10_000, 1), (12_000, 3)]);
    assert_eq!(shown[0].protocol, Protocol::Ipsec);
    assert_eq!(
        (r.protocol, r.source, r.pq),
        (Protocol::Ipsec, Source::Advised, PqClass::Hybrid)
    );
    let facts = r.ipsec.unwrap();
    assert_eq!(facts.ike.unwrap().rule.get(), Some("to branch"));
    let filter = r.filter.unwrap().inbound.unwrap();
    assert_eq!(
        (filter.name.get(), filter.action),
        (Some("to branch"), FilterAction::Protect)
    );
    // Filtered permit, no IPsec.
    let (_, _, r) = Play::new().told(&rule(FilterAction::Permit)).close();
    assert_eq!(
        (r.protocol, r.ipsec.is_none(), r.filter.is_some()),
        (Protocol::None, true, true)
    );
    // TLS over IPsec: what is bound from the start belongs to the initial state.
    let (events, _, r) = Play::new().told(&ipsec).talk(&tls13(29)).at(12_000).close();
    assert_eq!(events, [(10_000, 1), (12_000, 3)]);
    assert_eq!((r.protocol, r.ipsec.is_some()), (Protocol::Tls, true));
    assert_eq!((r.source, r.role), (Source::Observed, Role::Client));
    // A tunnel that comes later is a change.
    let (events, shown, _) = Play::new()
        .talk(&tls13(29))
        .at(3_000)
        .told(&ipsec)
        .at(12_000)
        .close();
    assert_eq!(events, [(3_000, 1), (3_000, 2), (12_000, 3)]);
    assert!(shown[0].ipsec.is_none() && shown[1].ipsec.is_some());
}

#[test]
// IPsec rekey with the same attributes is not significant; other attributes, and the end, are.
fn rekeying() {
    let (same, other) = (tunnel(20, 2), tunnel(12, 3));
    let (events, shown, r) = Play::new()
        .association(1, Some(&tunnel(20, 1)))
        .sa(Some(1))
        .at(11_000)
        .association(2, Some(&same))
        .sa(Some(2))
        .association(1, None)
        .at(12_000)
        // Packets come through it before anybody tells what it is.
        .sa(Some(3))
        .at(13_000)
        .association(3, Some(&other))
        .at(14_000)
        .association(3, Some(&other))
        .at(15_000)
        .sa(None)
        .at(16_000)
        .close();
    assert_eq!(events, [(10_000, 1), (13_000, 2), (15_000, 2), (16_000, 3)]);
    let encryption = |r: &Record| r.ipsec.as_ref().and_then(|i| i.transforms.encryption);
    let seen: Vec<_> = shown.iter().map(encryption).collect();
    assert_eq!(seen, [Some(20), Some(12), None, None]);
    assert_eq!(r.protocol, Protocol::None);
}

#[test]
fn an_association_known_at_the_syn_is_part_of_the_initial_state() {
    let mut b = Bench::new(Zert::default());
    let mut actions = ();
    let mut cx = Cx::new(at(0), &mut b.told, &mut actions);
    b.zert
        .advise_association(&mut cx, SaId(9), Some(&tunnel(20, 9)));
    let mut f = b.open();
    f.info.sa = Some(SaId(9));
    f.slot = Slot::default();
    let mut cx = Cx::new(at(0), &mut b.told, &mut actions);
    b.zert.opened(&mut cx, &f.info, &mut f.slot);
    let r = b.zert.snapshot(&f.slot).unwrap();
    assert_eq!(r.ipsec.as_ref().unwrap().tunnel, TunnelId(7));
}

#[test]
// EE: an initiation at the start, a termination at the end, IPsec in between.
fn enterprise_extender() {
    let play = |told: bool| {
        let mut b = Bench::new(Zert::default());
        let mut f = b.open_ee();
        b.advise(&mut f, &Fact::TlsSession(tls_told(SUITE)));
        if told {
            b.advance(1_000);
            b.advise(&mut f, &Fact::IpsecTunnel(tunnel(20, 1)));
        }
        b.advance(2_000);
        let r = b.close(f, CloseCause::Idle);
        let events: Vec<_> = b
            .told
            .progress
            .iter()
            .map(|(t, c)| (*t, c.get() - 6010))
            .collect();
        (events, r.protocol)
    };
    assert_eq!(play(false), (vec![(0, 1), (2_000, 3)], Protocol::None));
    assert_eq!(
        play(true),
        (vec![(0, 1), (1_000, 2), (2_000, 3)], Protocol::Ipsec)
    );
}

#[test]
fn associations_are_bounded() {
    let mut b = Bench::new(Zert::new(Config {
        associations: 1,
        ..Config::default()
    }));
    let mut f = b.open();
    let mut actions = ();
    for sa in [1, 2] {
        let mut cx = Cx::new(at(0), &mut b.told, &mut actions);
        b.zert
            .advise_association(&mut cx, SaId(sa), Some(&tunnel(20, sa)));
    }
    b.sa(&mut f, Some(SaId(2)));
    let r = b.close(f, CloseCause::Fin);
    let facts = r.ipsec.unwrap();
    assert_eq!(
        (facts.inbound, facts.transforms.encryption),
        (Some(SaId(2)), None)
    );
}
