//! Two live smoltcp hosts joined in memory, one of them guarded.
//!
//! A client talks HTTP and TLS 1.3 to the guarded host; the policy changes and a defensive filter
//! comes and goes in the middle of a connection; then hostile packets are put on the wire.
//! The example prints what was let through, refused and recorded, and fails if that is not what
//! the guard was told to do.
//!
//!     cargo run --release --example guarded_host
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "an example has no users but its readers"
)]

mod device;
mod host;
mod hostile;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;

use device::GuardedDevice;
use host::{Failure, Host, plaintext, say, shuttle, tls_pair};
use hostward::filter::defensive::{Defense, DefenseConfig, DefensiveFilter, Request, Target};
use hostward::filter::{
    Action, AddressSpec, DEFENSIVE_BLOCKED, DENIED, Discard, Filter, Rule, RuleSet, Upper,
};
use hostward::hook::event::{Class, EventQueue, OwnedEvent, OwnedValue};
use hostward::hook::flow::HashKey;
use hostward::hook::{Code, UnixTime};
use hostward::ids::Ids;
use hostward::zert::Zert;
use hostward::{Guard, GuardConfig};
use smoltcp::iface::SocketHandle;
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::Ipv4Address;
use wire::{Queue, Wire};

const CLIENT: Ipv4Address = Ipv4Address::new(192, 0, 2, 9);
const SERVER: Ipv4Address = Ipv4Address::new(192, 0, 2, 1);
const NAME: &str = "guarded.example";
const REQUEST: &[u8] = b"GET / HTTP/1.0\r\nHost: guarded.example\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Permits a web server; what no rule matches is denied.
fn rules() -> RuleSet {
    let service = |name: &str, port| {
        // The local side of a bidirectional rule is its source.
        Rule::new(name, Action::Permit).upper(Upper::Ports {
            protocol: 6,
            source: port..=port,
            destination: 1024..=u16::MAX,
        })
    };
    RuleSet::new(vec![service("http", 80), service("https", 443)], 1)
        .implicit(true, Discard::Silent)
}

struct World {
    client: Host<Wire>,
    server: Host<GuardedDevice<Wire, EventQueue>>,
    inject: Queue,
    now: Instant,
}

impl World {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let mut random = [0; 16];
        getrandom::fill(&mut random)?;
        let guard = Guard::new(GuardConfig::default(), HashKey::new(random))
            .filter(Filter::new(Arc::new(rules())))
            .ids(Ids::default())
            .zert(Zert::default());
        let (a, b, inject) = Wire::pair();
        let boot = UnixTime::from_secs(1_700_000_000);
        let guarded = GuardedDevice::new(b, guard, EventQueue::new(1_000), boot);
        Ok(Self {
            client: Host::new(a, CLIENT, 1),
            server: Host::new(guarded, SERVER, 2),
            inject,
            now: Instant::ZERO,
        })
    }

    /// Lets a millisecond pass on both hosts.
    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        self.client.poll(self.now);
        self.server.poll(self.now);
        self.server.device.poll_guard(self.now);
    }

    /// Lets time pass until something is done.
    fn until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        for _ in 0..10_000 {
            self.step();
            if done(self)? {
                return Ok(());
            }
        }
        Err(Failure(format!("{what} did not happen within 10 seconds")))
    }

    fn http(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let server = self.server.listen(80)?;
        let client = self.client.connect((SERVER, 80), 49_152)?;
        let (mut asked, mut heard) = (Vec::new(), Vec::new());
        let (mut sent, mut answered) = (false, false);
        self.until("the HTTP exchange", |w| {
            let c = w.client.tcp(client);
            if c.may_send() && !sent {
                sent = c.send_slice(REQUEST).is_ok();
            }
            if c.can_recv() {
                let _ = c.recv(|d| (d.len(), heard.extend_from_slice(d)));
            }
            let s = w.server.tcp(server);
            if s.can_recv() {
                let _ = s.recv(|d| (d.len(), asked.extend_from_slice(d)));
            }
            if asked == REQUEST && !answered {
                answered = s.send_slice(RESPONSE).is_ok();
                s.close();
            }
            if heard == RESPONSE {
                w.client.tcp(client).close();
            }
            Ok(heard == RESPONSE && !w.server.tcp(server).is_open())
        })?;
        Ok(())
    }

    fn tls(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let (mut at_client, mut at_server) = tls_pair(NAME)?;
        let server = self.server.listen(443)?;
        let client = self.client.connect((SERVER, 443), 49_153)?;
        say(&mut at_client, REQUEST)?;
        let (mut asked, mut heard, mut answered) = (Vec::new(), Vec::new(), false);
        self.until("the TLS exchange", |w| {
            shuttle(&mut at_client, w.client.tcp(client))?;
            shuttle(&mut at_server, w.server.tcp(server))?;
            plaintext(&mut at_server, &mut asked);
            plaintext(&mut at_client, &mut heard);
            if asked == REQUEST && !answered {
                answered = true;
                say(&mut at_server, RESPONSE)?;
                at_server.send_close_notify();
            }
            let s = w.server.tcp(server);
            if answered && !at_server.wants_write() && s.send_queue() == 0 {
                s.close();
            }
            if heard == RESPONSE {
                w.client.tcp(client).close();
            }
            Ok(heard == RESPONSE && !w.server.tcp(server).is_open())
        })?;
        Ok(())
    }

    /// Sends bytes over a connection and tells whether they arrive within a second.
    fn arrives(&mut self, c: SocketHandle, s: SocketHandle, text: &[u8]) -> Result<bool, Failure> {
        self.client
            .tcp(c)
            .send_slice(text)
            .map_err(|e| Failure(format!("send: {e}")))?;
        self.gets(s, text, 1_000)
    }

    /// Whether bytes arrive within so many milliseconds.
    fn gets(&mut self, s: SocketHandle, text: &[u8], within: u32) -> Result<bool, Failure> {
        let mut got = Vec::new();
        for _ in 0..within {
            self.step();
            let socket = self.server.tcp(s);
            if socket.can_recv() {
                let _ = socket.recv(|d| (d.len(), got.extend_from_slice(d)));
            }
            if got == text {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Another policy, then a defensive filter, between two packets of one connection.
    fn changes(&mut self) -> Result<(), Box<dyn std::error::Error>> {
        let server = self.server.listen(80)?;
        let client = self.client.connect((SERVER, 80), 49_154)?;
        self.until("a connection", |w| {
            Ok(w.client.tcp(client).may_send() && w.server.tcp(server).may_recv())
        })?;
        expect(
            "the first bytes arrive",
            self.arrives(client, server, b"one")?,
        )?;

        let other = Arc::new(RuleSet::new(vec![Rule::new("closed", Action::Deny)], 2));
        self.install(other);
        let before = self.server.device.counters().reason(DENIED);
        expect(
            "a new policy stops the next bytes",
            !self.arrives(client, server, b"two")?,
        )?;
        let denied = self.server.device.counters().reason(DENIED) - before;
        println!("  another policy installed: {denied} packets of the connection denied");
        self.install(Arc::new(rules()));
        expect(
            "the old policy lets them through",
            self.gets(server, b"two", 9_000)?,
        )?;
        println!("  the first policy again: what was sent meanwhile arrived");

        let stack: Arc<str> = "example".into();
        let (mut defense, mut now) = (Defense::new(), self.now);
        let configs = [(Arc::clone(&stack), DefenseConfig::default())].into();
        let add = Request::Add {
            target: Target::Stack(Arc::clone(&stack)),
            filter: DefensiveFilter::new("intruder")
                .source(AddressSpec::host(CLIENT.into()))
                .lifetime(1),
        };
        let device = &mut self.server.device;
        device.with_filter(now, |filter, now, events| {
            let told = [Request::Refresh(configs), add].map(|r| defense.handle(r, now, events));
            if told.iter().all(Result::is_ok)
                && let Some(table) = defense.table(&stack)
            {
                filter.install_defensive(table, now, events);
            }
        });
        let before = device.counters().reason(DEFENSIVE_BLOCKED);
        expect(
            "a defensive filter stops the next bytes",
            !self.arrives(client, server, b"three")?,
        )?;
        let blocked = self.server.device.counters().reason(DEFENSIVE_BLOCKED) - before;
        println!("  a defensive filter against the client: {blocked} packets blocked");
        // It goes away by itself after its minute.
        now += Duration::from_secs(60);
        self.now = self.now.max(now);
        expect("it expires", self.gets(server, b"three", 9_000)?)?;
        println!("  its minute is over: what was sent meanwhile arrived");
        self.client.tcp(client).close();
        self.until("the end of the connection", |w| {
            w.server.tcp(server).close();
            Ok(!w.server.tcp(server).is_open())
        })?;
        Ok(())
    }

    fn install(&mut self, rules: Arc<RuleSet>) {
        let device = &mut self.server.device;
        device.with_filter(self.now, |filter, _, _| filter.install(rules));
    }
}

fn text<'e>(event: &'e OwnedEvent, name: &str) -> &'e str {
    match event.field(name) {
        Some(OwnedValue::Str(s)) => s,
        _ => "",
    }
}

fn meaning(code: Code) -> &'static str {
    hostward::codes()
        .find(|i| i.code == code)
        .map_or("?", |i| i.text)
}

fn expect(what: &str, is: bool) -> Result<(), Failure> {
    if is {
        Ok(())
    } else {
        Err(Failure(format!("not as it should be: {what}")))
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut world = World::new()?;

    world.http()?;
    println!("HTTP: the guarded host answered over port 80");
    world.tls()?;
    println!("TLS:  the guarded host answered over port 443, TLS 1.3 on both ends");
    let friendly = world.server.device.counters().clone();
    expect("nothing friendly is refused", friendly.refused == 0)?;

    println!("\nChanges between two packets of one connection:");
    world.changes()?;

    println!("\nHostile packets:");
    for hostile in hostile::frames(SERVER.octets(), [2, 0, 0, 0, 0, 1])? {
        let code = Code::new(hostile.code);
        let before = world.server.device.counters().clone();
        let count = hostile.frames.len() as u64;
        world.inject.borrow_mut().extend(hostile.frames);
        for _ in 0..10 {
            world.step();
        }
        let after = world.server.device.counters();
        expect(
            "all of them met the guard",
            after.packets == before.packets + count,
        )?;
        expect(hostile.what, after.reason(code) == before.reason(code) + 1)?;
        expect(
            "nothing of it was delivered or answered",
            after.delivered == before.delivered,
        )?;
        println!("  {:<38} refused: {} {}", hostile.what, code, meaning(code));
    }

    world.server.device.finish(world.now);
    let counters = world.server.device.counters();
    println!(
        "\nThe guard judged {} packets: {} let through, {} refused, {} kept as fragments.",
        counters.packets, counters.delivered, counters.refused, counters.consumed
    );
    println!("\nRecorded connections:");
    let records: Vec<_> = world
        .server
        .device
        .events()
        .iter()
        .filter(|e| e.class == Class::Record)
        .collect();
    for r in &records {
        let Some(key) = r.key else { continue };
        let protection = match text(r, "proto") {
            "tls" => format!(
                "{} {} {} for {:?}, key exchange {}",
                text(r, "version"),
                text(r, "cipher"),
                text(r, "group"),
                text(r, "sni"),
                text(r, "pq"),
            ),
            _ => "no protection".into(),
        };
        println!(
            "  {}:{} to {}:{}  {protection}",
            key.source(),
            key.source_port(),
            key.destination(),
            key.destination_port()
        );
    }
    let [clear, protected, changed] = records.as_slice() else {
        return Err(Failure(format!("expected three records, found {}", records.len())).into());
    };
    expect(
        "the connection that was interrupted is one record",
        text(changed, "proto") == "none",
    )?;
    expect(
        "the HTTP connection is recorded as clear text",
        text(clear, "proto") == "none",
    )?;
    expect(
        "the TLS version is recorded",
        text(protected, "version") == "TLSv1.3",
    )?;
    expect(
        "the server name is recorded",
        text(protected, "sni") == NAME,
    )?;
    expect(
        "the handshake is recorded as complete",
        protected.field("established") == Some(&OwnedValue::Bool(true)),
    )?;
    println!("\nThe guard did what it was told.");
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("guarded_host: {e}");
            ExitCode::FAILURE
        }
    }
}
