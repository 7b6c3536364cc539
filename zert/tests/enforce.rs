//! Enforcement: which rule decides, what is told, what is reset.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use hostward_hook::action::{Action as HostAction, ActionQueue};
use hostward_hook::event::{Class, Event, EventSink};
use hostward_hook::hooks::{CloseCause, Interest, StreamObserver};
use hostward_hook::ident::{JobId, Names, SaId, UserId};
use hostward_hook::protection::{Encapsulation, IkeAssociation, IpsecTunnel, Transforms};
use hostward_hook::{Cx, Timers};
use hostward_zert::enforce::{
    Action, Addresses, Cause, Condition, Config, Enforced, Enforcement, Kind, Mapped, NamePattern,
    Notice, Opened, Outcome, Pattern, Protection, Rule, RuleSet, weak,
};
use hostward_zert::record::{
    CipherSuite, Group, IpsecFacts, Oid, PqClass, Source, SshDirection, TlsVersion,
};
use hostward_zert::{Protocol, Record, Slot, Zert, code};

#[derive(Default)]
struct Sink {
    told: Vec<(u16, Enforced)>,
    notices: Vec<(u16, Notice)>,
    records: Vec<Record>,
    /// Everything in order, by code.
    order: Vec<u16>,
}

impl EventSink for Sink {
    fn wants(&self, _: Class) -> bool {
        true
    }

    fn emit(&mut self, e: &Event<'_>) {
        self.order.push(e.code.get());
        let any = e.detail.as_any();
        if let Some(told) = any.and_then(|a| a.downcast_ref::<Enforced>()) {
            assert!(e.rule.is_some() && e.generation == 7 && e.key == told.record.key());
            self.told.push((e.code.get(), told.clone()));
        } else if let Some(notice) = any.and_then(|a| a.downcast_ref::<Notice>()) {
            self.notices.push((e.code.get(), *notice));
        } else if let Some(record) = any.and_then(|a| a.downcast_ref::<Record>())
            && e.class == Class::Record
        {
            self.records.push(record.clone());
        }
    }
}

impl Sink {
    fn codes(&self) -> Vec<u16> {
        self.told.iter().map(|t| t.0).collect()
    }

    fn rules(&self) -> Vec<String> {
        self.told.iter().map(|t| t.1.rule.to_string()).collect()
    }
}

fn action(name: &str, what: &str) -> Arc<Action> {
    Arc::new(Action {
        name: name.into(),
        syslog: what.contains('l'),
        console: what.contains('c'),
        audit: what.contains('a'),
        reset: what.contains('r'),
    })
}

fn set(rules: Vec<Rule>) -> Arc<RuleSet> {
    Arc::new(RuleSet::new(rules, 7))
}

/// An observer with rules, the sink, and the actions it asked for.
struct Host {
    zert: Zert,
    sink: Sink,
    actions: ActionQueue<4>,
    flows: u64,
}

impl Host {
    fn new(rules: Arc<RuleSet>) -> Self {
        Self {
            zert: Zert::default().with_enforcement(Enforcement::default().rules(rules)),
            sink: Sink::default(),
            actions: ActionQueue::new(),
            flows: 0,
        }
    }

    fn cx<T>(&mut self, millis: u64, f: impl FnOnce(&mut Zert, &mut Cx<'_>) -> T) -> T {
        let mut cx = Cx::new(at(millis), &mut self.sink, &mut self.actions);
        f(&mut self.zert, &mut cx)
    }

    fn open(&mut self, millis: u64) -> (hostward_hook::flow::FlowInfo, Slot) {
        self.flows += 1;
        let mut b = Bench::new(Zert::default());
        b.now = at(millis);
        let info = b.open().info;
        let mut slot = Slot::default();
        self.cx(millis, |z, cx| z.opened(cx, &info, &mut slot));
        (info, slot)
    }

    fn say(&mut self, millis: u64, flow: &mut (hostward_hook::flow::FlowInfo, Slot), talk: &Talk) {
        for (from, data) in talk {
            self.cx(millis, |z, cx| {
                z.bytes(cx, &flow.0, &mut flow.1, *from, data)
            });
        }
    }

    fn advance(&mut self, millis: u64) {
        while let Some(due) = self
            .zert
            .next_deadline()
            .filter(|d| d.as_millis() <= millis)
        {
            self.cx(due.as_millis(), |z, cx| z.handle_deadline(cx));
        }
    }

    fn close(&mut self, millis: u64, mut flow: (hostward_hook::flow::FlowInfo, Slot)) -> Record {
        self.cx(millis, |z, cx| {
            z.closed(cx, &flow.0, &mut flow.1, CloseCause::Fin)
        });
        self.sink.records.last().unwrap().clone()
    }
}

/// TLS 1.0 by what the server chose.
fn tls10() -> Talk {
    let mut talk = tls12();
    talk[1].1[10] = 1;
    talk
}

fn clear() -> Talk {
    vec![(Client, b"GET / HTTP/1.0\r\n\r\n".to_vec())]
}

#[test]
fn tls_1_0_is_reset_and_tls_1_3_is_not() {
    let rules = set(vec![weak::below_tls12(&action("Stop", "lcar"))]);
    let mut host = Host::new(rules);
    let mut old = host.open(0);
    host.say(1, &mut old, &tls10());
    // The audit record comes before the reset.
    assert_eq!(host.sink.codes(), [6021, 6022, 6017, 6023]);
    let Some(HostAction::ResetFlow { key, reason }) = host.actions.poll() else {
        panic!("no reset");
    };
    assert_eq!((key, reason), (old.0.key, code::ENFORCEMENT_RESET));
    assert!(host.actions.is_empty());
    let told = &host.sink.told[0].1;
    assert_eq!(
        told.to_string(),
        "HNSZ0001I zERT rule=BelowTls12 action=Stop proto=TLS conn=1 local=192.0.2.1..50000 \
         remote=198.51.100.2..443 job=- user=- version=TLSv1.0 \
         cipher=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 result=reset"
    );
    assert_eq!((told.cause, told.outcome), (Cause::Initial, Outcome::Reset));
    let record = host.close(20, old);
    assert_eq!(record.reset_by.as_deref(), Some("BelowTls12"));
    assert_eq!(host.sink.codes().len(), 4, "nothing is repeated");

    let mut new = host.open(30);
    host.say(31, &mut new, &tls13(29));
    assert_eq!(host.close(40, new).reset_by, None);
    assert_eq!(host.sink.codes().len(), 4);
    assert_eq!(host.zert.enforcement().unwrap().counts().resets, 1);
}

#[test]
fn unprotected_connections_are_found_at_ten_seconds_at_the_bound_and_at_their_end() {
    let rules = set(vec![weak::unprotected(&action("Tell", "a"))]);
    let mut host = Host::new(rules.clone());
    let mut flow = host.open(0);
    host.say(1, &mut flow, &clear());
    host.advance(9_999);
    assert!(host.sink.told.is_empty());
    host.advance(10_000);
    assert_eq!(host.sink.codes(), [6017]);
    // Discovery's own record comes first.
    assert_eq!(host.sink.order, [6011, 6017]);
    host.close(12_000, flow);
    assert_eq!(host.sink.codes(), [6017], "audited once");

    let mut host = Host::new(rules.clone());
    let mut flow = host.open(0);
    let much = vec![b'x'; 20_000];
    host.say(5, &mut flow, &vec![(Client, much.clone()), (Server, much)]);
    assert_eq!(host.sink.codes(), [6017]);
    assert_eq!(host.sink.told[0].1.cause, Cause::Initial);

    let mut host = Host::new(rules.clone());
    let mut flow = host.open(0);
    host.say(5, &mut flow, &clear());
    let silent = host.open(6);
    host.close(7, silent);
    assert!(host.sink.told.is_empty(), "nobody said anything");
    host.close(3_000, flow);
    assert_eq!(host.sink.codes(), [6017]);
    assert_eq!(host.sink.told[0].1.cause, Cause::Ended);

    // Protected ones are not.
    let mut host = Host::new(rules);
    for talk in [tls12(), tls13(29), ssh()] {
        let mut flow = host.open(0);
        host.say(1, &mut flow, &talk);
        host.close(20, flow);
    }
    assert!(host.sink.told.is_empty());
}

#[test]
fn nothing_is_reset_that_has_ended() {
    let mut host = Host::new(set(vec![weak::unprotected(&action("End", "lr"))]));
    let mut flow = host.open(0);
    host.say(5, &mut flow, &clear());
    let record = host.close(3_000, flow);
    assert_eq!(host.sink.codes(), [6021], "told, and no more");
    assert_eq!(host.sink.told[0].1.outcome, Outcome::Logged);
    let resets = host.zert.enforcement().unwrap().counts().resets;
    assert_eq!((resets, record.reset_by), (0, None));
}

#[test]
fn starttls_maps_to_another_rule_and_tells_that() {
    let rules = set(vec![
        weak::unprotected(&action("Clear", "l")),
        weak::below_tls12(&action("Old", "r")),
    ]);
    let mut host = Host::new(rules);
    let mut flow = host.open(0);
    host.say(1, &mut flow, &clear());
    host.advance(11_000);
    assert_eq!(host.sink.rules(), ["Unprotected"]);
    host.say(15_000, &mut flow, &tls10());
    assert_eq!(host.sink.codes(), [6021, 6023]);
    assert_eq!(host.sink.told[1].1.cause, Cause::Change);
}

#[test]
fn a_stream_with_holes_is_not_called_unprotected() {
    let mut host = Host::new(set(vec![weak::unprotected(&action("Stop", "r"))]));
    let mut flow = host.open(0);
    host.say(1, &mut flow, &clear());
    host.cx(2, |z, cx| z.gap(cx, &flow.0, &mut flow.1, Client, 100));
    host.advance(20_000);
    host.close(20_001, flow);
    let mut middle = host.open(30_000);
    middle.0.midstream = true;
    host.say(30_001, &mut middle, &clear());
    host.advance(45_000);
    assert!(host.sink.told.is_empty());
}

#[test]
fn simulated_rules_reset_nothing() {
    let rules = RuleSet::new(vec![weak::below_tls12(&action("Stop", "lr"))], 7).simulate(true);
    let mut host = Host::new(Arc::new(rules));
    let mut flow = host.open(0);
    host.say(1, &mut flow, &tls10());
    assert!(host.actions.is_empty());
    assert_eq!(host.sink.codes(), [6021, 6023]);
    let told = &host.sink.told[1].1;
    assert!(told.simulated && told.outcome == Outcome::WouldReset);
    assert!(told.to_string().ends_with("result=would-reset"));
    assert_eq!(host.close(9, flow).reset_by, None);
    assert_eq!(host.zert.enforcement().unwrap().counts().resets, 0);
}

#[test]
fn other_rules_are_for_new_connections_and_later_changes() {
    let mut host = Host::new(set(vec![]));
    let mut flow = host.open(0);
    host.say(1, &mut flow, &tls10());
    let rules = set(vec![weak::below_tls12(&action("Tell", "a"))]);
    host.cx(2, |z, cx| z.set_rules(cx, rules.clone()));
    host.advance(11_000);
    assert!(
        host.sink.told.is_empty(),
        "the connection was evaluated before"
    );
    host.cx(11_001, |z, cx| z.enforce_all(cx));
    assert_eq!(host.sink.codes(), [6017]);
    assert_eq!(host.sink.told[0].1.cause, Cause::Request);
    // The same rule at another place of another set is the same rule; a changed one is not.
    let more = set(vec![
        weak::unprotected(&action("Tell", "a")),
        weak::below_tls12(&action("Tell", "a")),
    ]);
    host.cx(11_002, |z, cx| z.set_rules(cx, more));
    host.cx(11_003, |z, cx| z.enforce_all(cx));
    assert_eq!(host.sink.codes().len(), 1);
    let changed = set(vec![weak::below_tls12(&action("Tell", "lr"))]);
    host.cx(11_004, |z, cx| z.set_rules(cx, changed));
    host.cx(11_005, |z, cx| z.enforce_all(cx));
    assert_eq!(host.sink.codes(), [6017, 6021, 6023]);
}

#[test]
fn messages_are_limited_and_the_rest_is_counted() {
    let rules = set(vec![weak::below_tls12(&action("Tell", "lca"))]);
    let enforcement = Enforcement::new(Config {
        messages: 2,
        interval: Duration::from_secs(5),
        ..Config::default()
    });
    let mut host = Host::new(rules.clone());
    host.zert = Zert::default().with_enforcement(enforcement.rules(rules));
    for at in [0, 1, 2, 3, 6_000] {
        let mut flow = host.open(at);
        host.say(at, &mut flow, &tls10());
    }
    let codes = host.sink.codes();
    let count = |code| codes.iter().filter(|c| **c == code).count();
    assert_eq!((count(6021), count(6022), count(6017)), (3, 3, 5));
    let last = host.sink.told.iter().rfind(|t| t.0 == 6022).unwrap();
    assert_eq!(last.1.suppressed, 2);
    assert!(last.1.to_string().ends_with(" suppressed=2"));
    let counts = host.zert.enforcement().unwrap().counts();
    assert_eq!((counts.messages, counts.suppressed), (6, 4));
}

#[test]
fn a_reset_that_was_lost_is_tried_again() {
    let mut host = Host::new(set(vec![weak::below_tls12(&action("Stop", "r"))]));
    for at in 0..5 {
        let mut flow = host.open(at);
        host.say(at, &mut flow, &tls10());
    }
    assert_eq!(host.sink.codes(), [6023, 6023, 6023, 6023, 6104]);
    while host.actions.poll().is_some() {}
    host.cx(9, |z, cx| z.enforce_all(cx));
    assert_eq!(host.sink.codes().last(), Some(&6023));
    assert_eq!(host.actions.len(), 1, "the others were reset");
    let counts = host.zert.enforcement().unwrap().counts();
    assert_eq!((counts.resets, counts.resets_lost), (5, 1));
}

#[test]
fn notices_about_rules_in_vain() {
    let mut host = Host::new(set(vec![]));
    host.zert = Zert::default().with_enforcement(Enforcement::new(Config {
        audit: false,
        ..Config::default()
    }));
    let rules = set(vec![weak::below_tls12(&action("Tell", "a"))]);
    host.cx(1, |z, cx| z.set_rules(cx, rules));
    assert_eq!(host.sink.notices, [(6025, Notice::NoAudit)]);
    host.cx(2, |z, cx| z.set_enabled(cx, false));
    assert_eq!(host.sink.notices[1], (6024, Notice::NotEnabled));
    assert!(host.sink.notices[1].1.to_string().starts_with("EZZ8564I"));
    host.cx(3, |z, cx| z.set_enabled(cx, true));
    let mut flow = host.open(4);
    host.say(5, &mut flow, &tls10());
    assert!(host.sink.told.is_empty(), "nobody takes audit records");
}

/// A record that a rule is tried on.
fn tls_record() -> Record {
    let mut r = Record::default();
    r.protocol = Protocol::Tls;
    r.client = "192.0.2.1:50000".parse().unwrap();
    r.server = "198.51.100.2:443".parse().unwrap();
    r.established = Some(true);
    r.tls.version = Some(TlsVersion(0x0303));
    r.tls.cipher = Some(CipherSuite(0x002F));
    r.pq = PqClass::Classical;
    r
}

fn matches(rule: Rule, record: &Record) -> bool {
    matches_with(Enforcement::default(), rule, record)
}

fn matches_with(enforcement: Enforcement, mut rule: Rule, record: &Record) -> bool {
    rule.action = action("Tell", "a");
    let mut sink = Sink::default();
    let mut actions = ();
    let mut cx = Cx::new(at(0), &mut sink, &mut actions);
    let mut enforcement = enforcement.rules(set(vec![rule]));
    enforcement.evaluate(&mut cx, record, &mut Mapped::default(), Cause::Initial);
    !sink.told.is_empty()
}

fn is(record: &Record, protection: Protection) -> bool {
    matches(Rule::new("r", Arc::new(protection), Arc::default()), record)
}

fn tls(conditions: Vec<Condition>) -> Protection {
    Protection::all(Kind::Tls, conditions)
}

#[test]
fn conditions_of_tls() {
    let list = Pattern::list;
    let r = tls_record();
    assert!(is(&r, tls(vec![Condition::Cipher(list(&["CBC"]))])));
    assert!(is(&r, tls(vec![Condition::Mac(list(&["HMAC-SHA1"]))])));
    assert!(is(&r, tls(vec![Condition::KeyExchange(list(&["RSA"]))])));
    assert!(is(
        &r,
        tls(vec![Condition::PostQuantum(vec![PqClass::Classical])])
    ));
    assert!(!is(
        &r,
        tls(vec![Condition::TlsVersion(
            TlsVersion(2)..=TlsVersion(0x302)
        )])
    ));
    assert!(!is(&r, Protection::new(Kind::Ssh)) && !is(&r, Protection::new(Kind::None)));
    // Unknown satisfies neither a weak list nor a strong one.
    let mut unknown = tls_record();
    unknown.tls.cipher = Some(CipherSuite(0xFEFE));
    unknown.tls.version = None;
    for name in ["CBC", "GCM"] {
        assert!(!is(&unknown, tls(vec![Condition::Cipher(list(&[name]))])));
    }
    let version = Condition::TlsVersion(TlsVersion(2)..=TlsVersion(0xFFFF));
    assert!(!is(&unknown, tls(vec![version.clone()])));
    // Any: one that is true suffices whatever is unknown; all: one unknown spoils it.
    let mut half = tls_record();
    half.tls.version = None;
    let conditions = vec![version, Condition::Cipher(list(&["CBC"]))];
    assert!(is(&half, Protection::any(Kind::Tls, conditions.clone())));
    assert!(!is(&half, tls(conditions)));
    // Keys: type and length must both be visible.
    let mut key = tls_record();
    let short = vec![
        Condition::KeyType(list(&["RSA"])),
        Condition::KeyLength(1..=2047),
    ];
    assert!(!is(&key, tls(short.clone())));
    key.tls.server_cert.key = Oid::of(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
    assert!(!is(&key, tls(short.clone())));
    key.tls.server_cert.key_bits = 1024;
    assert!(is(&key, tls(short.clone())));
    key.tls.server_cert.key_bits = 2048;
    assert!(!is(&key, tls(short)));
    key.tls.server_cert.signature = Oid::of(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05");
    assert!(is(
        &key,
        tls(vec![Condition::Signature(list(&["SHA1", "MD5"]))])
    ));
    // TLS 1.3: the group tells the kind of key exchange.
    let mut new = tls_record();
    new.tls.version = Some(TlsVersion(0x7F12));
    new.tls.cipher = Some(CipherSuite(0x1301));
    let ecdhe = vec![Condition::KeyExchange(list(&["ECDHE"]))];
    assert!(!is(&new, tls(ecdhe.clone())));
    new.tls.group = Some(Group::Named(0x11EC));
    assert!(is(&new, tls(ecdhe)));
    assert!(is(
        &new,
        tls(vec![Condition::Group(list(&["x25519mlkem768"]))])
    ));
    let v13 = Condition::TlsVersion(TlsVersion(0x304)..=TlsVersion(0x304));
    assert!(is(&new, tls(vec![v13])), "a draft counts as what it became");
    // A failed handshake is no session, and not yet decided ones are neither.
    let mut failed = tls_record();
    failed.established = Some(false);
    assert!(!is(&failed, Protection::new(Kind::Tls)) && !is(&failed, Protection::new(Kind::None)));
    failed.failed = true;
    assert!(!is(&failed, Protection::new(Kind::Tls)) && is(&failed, Protection::new(Kind::None)));
}

#[test]
fn what_a_provider_told_is_not_looked_at() {
    let mut r = tls_record();
    r.source = Source::Advised;
    r.tls.version = Some(TlsVersion(0x0301));
    assert!(!is(
        &r,
        tls(vec![Condition::Cipher(Pattern::list(&["CBC"]))])
    ));
    assert!(!is(&r, Protection::new(Kind::None)));
    assert!(is(&r, Protection::new(Kind::Tls)));
}

#[test]
fn conditions_of_ssh() {
    let list = Pattern::list;
    let mut r = tls_record();
    r.protocol = Protocol::Ssh;
    r.ssh.protocol = Some(2);
    r.ssh.kex = "curve25519-sha256".into();
    r.ssh.host_key_type = "ssh-rsa".into();
    r.ssh.host_key_bits = 1024;
    let way = |cipher: &str, mac: &str| {
        let mut d = SshDirection::default();
        d.cipher = cipher.into();
        d.mac = mac.into();
        d
    };
    r.ssh.c2s = way("aes128-cbc", "hmac-sha1");
    r.ssh.s2c = way("aes128-gcm@openssh.com", "hmac-md5");
    // The local end is the server.
    let ssh = |c| Protection::all(Kind::Ssh, vec![c]);
    assert!(is(&r, ssh(Condition::SshCipherIn(list(&["*-cbc"])))));
    assert!(!is(&r, ssh(Condition::SshCipherOut(list(&["*-cbc"])))));
    assert!(is(&r, ssh(Condition::SshCipher(list(&["*-cbc"])))));
    assert!(
        !is(&r, ssh(Condition::SshMac(list(&["hmac-md5"])))),
        "GCM uses no MAC"
    );
    assert!(is(&r, ssh(Condition::SshMacOut(list(&["AEAD"])))));
    assert!(is(&r, ssh(Condition::SshMacIn(list(&["hmac-sha1"])))));
    assert!(is(
        &r,
        ssh(Condition::SshKeyExchange(list(&["curve25519*"])))
    ));
    assert!(is(&r, ssh(Condition::SshHostKey(list(&["ssh-rsa"])))));
    assert!(is(&r, ssh(Condition::KeyLength(1..=2047))));
    assert!(is(&r, ssh(Condition::SshVersion(2))) && !is(&r, ssh(Condition::SshVersion(1))));
    r.local_is_client = true;
    assert!(is(&r, ssh(Condition::SshCipherOut(list(&["*-cbc"])))));
    assert!(
        !is(&r, ssh(Condition::Cipher(list(&["CBC"])))),
        "a condition of TLS is unknown here"
    );
}

fn tunnel() -> IpsecFacts {
    let mut transforms = Transforms::default();
    transforms.encryption = Some(12);
    transforms.encryption_bits = 128;
    transforms.integrity = Some(2);
    transforms.group = Some(14);
    let mut ike = IkeAssociation::default();
    (ike.major, ike.transforms) = (1, transforms);
    ike.transforms.group = Some(2);
    let mut told = IpsecTunnel::default();
    told.inbound = Some(SaId(1));
    told.protocol = 50;
    told.encapsulation = Some(Encapsulation::Tunnel);
    told.transforms = transforms;
    told.ike = Some(ike);
    IpsecFacts::of(&told)
}

#[test]
fn conditions_of_ipsec_and_one_rule_for_each_session() {
    let list = Pattern::list;
    let mut r = tls_record();
    r.ipsec = Some(Box::new(tunnel()));
    let ipsec = |c| Protection::all(Kind::Ipsec, vec![c]);
    assert!(is(&r, ipsec(Condition::Cipher(list(&["AES-128-CBC"])))));
    assert!(is(&r, ipsec(Condition::Mac(list(&["SHA1"])))));
    assert!(is(&r, ipsec(Condition::Mode(Encapsulation::Tunnel))));
    assert!(!is(&r, ipsec(Condition::Mode(Encapsulation::Transport))));
    assert!(is(&r, ipsec(Condition::Header(50))) && !is(&r, ipsec(Condition::Header(51))));
    assert!(is(&r, ipsec(Condition::DhGroup(vec![1, 2]))));
    assert!(is(&r, ipsec(Condition::PfsGroup(vec![14]))));
    assert!(is(&r, ipsec(Condition::IkeVersion(1))));
    assert!(is(
        &r,
        ipsec(Condition::PostQuantum(vec![PqClass::Classical]))
    ));
    let mut hybrid = r.clone();
    if let Some(ike) = hybrid.ipsec.as_mut().and_then(|i| i.ike.as_mut()) {
        ike.transforms.additional_groups[0] = Some(36);
    }
    assert!(is(
        &hybrid,
        ipsec(Condition::PostQuantum(vec![PqClass::Hybrid]))
    ));

    // Each session maps to a rule of its own; a tunnel is protection enough for a clear stream.
    let rules = set(vec![
        weak::unprotected(&action("Clear", "a")),
        weak::rsa_key_exchange(&action("Rsa", "a")),
        Rule::new(
            "tunnel",
            Arc::new(Protection::new(Kind::Ipsec)),
            action("Vpn", "a"),
        ),
    ]);
    let mut e = Enforcement::default().rules(rules);
    let mut sink = Sink::default();
    let mut actions = ();
    let mut cx = Cx::new(at(0), &mut sink, &mut actions);
    let mut mapped = Mapped::default();
    e.evaluate(&mut cx, &r, &mut mapped, Cause::Initial);
    e.evaluate(&mut cx, &r, &mut mapped, Cause::Change);
    r.protocol = Protocol::Ipsec;
    r.established = None;
    e.evaluate(&mut cx, &r, &mut mapped, Cause::Change);
    r.ipsec = None;
    r.protocol = Protocol::None;
    e.evaluate(&mut cx, &r, &mut mapped, Cause::Change);
    assert_eq!(sink.rules(), ["RsaKeyExchange", "tunnel", "Unprotected"]);
}

struct Owners;

impl Names for Owners {
    fn user(&self, id: UserId) -> Option<&str> {
        (id.0 == 1000).then_some("WEBSRV")
    }

    fn job(&self, id: JobId) -> Option<&str> {
        (id.0 == 4).then_some("HTTPD1")
    }
}

#[test]
fn ends_ports_direction_and_owners() {
    let rule = |f: &dyn Fn(&mut Rule)| {
        let mut rule = Rule::new("r", Arc::new(Protection::new(Kind::Tls)), Arc::default());
        f(&mut rule);
        rule
    };
    // The server is local and did not open the connection.
    let mut r = tls_record();
    let net = |s: &str, n| vec![Addresses::prefix(s.parse().unwrap(), n)];
    assert!(matches(rule(&|x| x.local = net("198.51.100.0", 24)), &r));
    assert!(!matches(rule(&|x| x.remote = net("198.51.100.0", 24)), &r));
    assert!(matches(
        rule(&|x| x.remote = vec![Addresses::AllV6, Addresses::AllV4]),
        &r
    ));
    assert!(matches(
        rule(&|x| x.local_ports = vec![80..=80, 443..=443]),
        &r
    ));
    assert!(!matches(rule(&|x| x.remote_ports = vec![0..=1023]), &r));
    assert!(matches(rule(&|x| x.opened = Opened::Inbound), &r));
    assert!(!matches(rule(&|x| x.opened = Opened::Outbound), &r));
    // Who opened the connection counts, not who began the handshake.
    r.local_opened = true;
    assert!(matches(rule(&|x| x.opened = Opened::Outbound), &r));
    let job = rule(&|x| x.jobs = NamePattern::new("httpd*").into_iter().collect());
    let user = rule(&|x| x.users = NamePattern::new("WEBSRV").into_iter().collect());
    let with = || Enforcement::default().names(Box::new(Owners));
    assert!(
        !matches_with(with(), job.clone(), &r),
        "the job is not known"
    );
    (r.job, r.user) = (JobId(4), UserId(1000));
    assert!(matches_with(with(), job.clone(), &r) && matches_with(with(), user.clone(), &r));
    assert!(!matches(job, &r), "nobody tells names");
    r.user = UserId(1);
    assert!(!matches_with(with(), user, &r));
    r.protocol = Protocol::Quic;
    assert!(!matches(rule(&|_| ()), &r), "enforcement is for TCP");
}

#[test]
fn the_highest_priority_decides_then_the_name() {
    let any = || Arc::new(Protection::new(Kind::Tls));
    let named = |n: &str, p| Rule::new(n, any(), action(n, "a")).priority(p);
    let all = set(vec![
        named("b", 5),
        named("a", 5),
        named("low", 1),
        named("z", 9),
    ]);
    let order: Vec<_> = all.rules().iter().map(|r| r.name.to_string()).collect();
    assert_eq!(order, ["z", "a", "b", "low"]);
    let mut sink = Sink::default();
    let mut actions = ();
    let mut cx = Cx::new(at(0), &mut sink, &mut actions);
    let mut e = Enforcement::default().rules(all);
    e.evaluate(
        &mut cx,
        &tls_record(),
        &mut Mapped::default(),
        Cause::Initial,
    );
    assert_eq!(sink.rules(), ["z"]);
}

#[test]
fn texts_from_outside_cannot_imitate_a_message() {
    let mut r = tls_record();
    r.protocol = Protocol::Ssh;
    r.ssh.c2s.cipher = "x\nresult=logged y".into();
    r.ssh.s2c.cipher = r.ssh.c2s.cipher.clone();
    let mut sink = Sink::default();
    let mut actions = ();
    let mut cx = Cx::new(at(0), &mut sink, &mut actions);
    let rule = Rule::new("r", Arc::new(Protection::new(Kind::Ssh)), action("a", "l"));
    let mut e = Enforcement::default().rules(set(vec![rule]));
    e.evaluate(&mut cx, &r, &mut Mapped::default(), Cause::Initial);
    let text = sink.told[0].1.to_string();
    assert!(
        text.contains("cipher=x?result?logged?y result=logged"),
        "{text}"
    );
}

#[test]
fn weak_sets_find_what_they_are_for() {
    let all = |r: &Record| {
        let mut sink = Sink::default();
        let mut actions = ();
        let mut cx = Cx::new(at(0), &mut sink, &mut actions);
        let mut e = Enforcement::default().rules(Arc::new(weak::all(&action("t", "a"), 7)));
        e.evaluate(&mut cx, r, &mut Mapped::default(), Cause::Initial);
        sink.rules().pop()
    };
    let with = |suite: u32, version: u16| {
        let mut r = tls_record();
        r.tls.cipher = Some(CipherSuite(suite));
        r.tls.version = Some(TlsVersion(version));
        r
    };
    let name = |s: &str| Some(s.to_owned());
    assert_eq!(all(&with(0xC02F, 0x0302)), name("BelowTls12"));
    assert_eq!(all(&with(0x01_0080, 0x0002)), name("BelowTls12"));
    for weak in [
        0x0005, 0x000A, 0xC013, 0x006C, 0x00A6, 0x0003, 0x003B, 0xC0B4,
    ] {
        assert_eq!(all(&with(weak, 0x0303)), name("WeakCipher"), "{weak:#06x}");
    }
    assert_eq!(all(&with(0x009C, 0x0303)), name("RsaKeyExchange"));
    assert_eq!(all(&with(0xC02F, 0x0303)), name("NoPostQuantumTls"));
    let mut short = with(0xC02F, 0x0303);
    short.tls.server_cert.key = Oid::of(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01");
    short.tls.server_cert.key_bits = 1024;
    assert_eq!(all(&short), name("ShortRsaKey"));
    let mut good = with(0x1301, 0x0304);
    good.pq = PqClass::Hybrid;
    assert_eq!(all(&good), None);
    good.protocol = Protocol::Ssh;
    good.pq = PqClass::Classical;
    assert_eq!(all(&good), name("NoPostQuantumSsh"));
    assert_eq!(all(&Record::default()), name("Unprotected"));
}

#[test]
fn an_observer_still_says_what_it_wants() {
    let mut host = Host::new(set(vec![weak::unprotected(&action("Tell", "a"))]));
    let mut flow = host.open(0);
    let data = vec![b'x'; 20_000];
    let first = host.cx(0, |z, cx| z.bytes(cx, &flow.0, &mut flow.1, Client, &data));
    assert_eq!(first, Interest::Enough);
}
