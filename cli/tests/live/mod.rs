//! A relay between a client and a server that writes down what goes through it, as a capture: real
//! traffic of real programs, without privileges.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file is a crate of its own and uses a part"
)]

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;
use serde_json::Value;

use crate::common::{hostward, lines};

/// Longer than any program here takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Tells something also when the test passes.
pub fn say(what: &str) {
    // Not through a macro, whose output is kept back.
    let line = format!("{what}\n");
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Whether a program is there; the test that needs it says that it was skipped.
pub fn has(program: &str, test: &str) -> bool {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    });
    if !found {
        say(&format!("skipped: {test} needs {program}"));
    }
    found
}

/// A program that ends with the test.
pub struct Guarded(pub Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a program wrote, standard error behind standard output; it must end by itself.
pub fn output_of(command: &mut Command) -> String {
    let out = command.output().unwrap();
    let text = [out.stdout, out.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

enum What {
    Open,
    Data(Vec<u8>),
    End,
}

struct Moment {
    at: Duration,
    client: u16,
    from_client: bool,
    what: What,
}

/// What went through.
#[derive(Clone)]
struct Log {
    began: Instant,
    moments: Arc<Mutex<Vec<Moment>>>,
    open: Arc<AtomicUsize>,
}

impl Log {
    fn add(&self, client: u16, from_client: bool, what: What) {
        let mut moments = self.moments.lock().unwrap();
        moments.push(Moment {
            at: self.began.elapsed(),
            client,
            from_client,
            what,
        });
    }

    /// Passes on what one side says until it ends.
    fn copy(&self, client: u16, from_client: bool, mut from: &TcpStream, mut to: &TcpStream) {
        let mut buffer = [0; 4096];
        // A connection that is reset has ended too.
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            // First, so that no answer is written down before its question.
            self.add(client, from_client, What::Data(buffer[..n].to_vec()));
            if to.write_all(&buffer[..n]).is_err() {
                break;
            }
        }
        self.add(client, from_client, What::End);
        let _ = to.shutdown(Shutdown::Write);
    }
}

/// The client's end before the server takes over.
pub struct Front<'a> {
    stream: &'a TcpStream,
    client: u16,
    log: &'a Log,
}

impl Front<'_> {
    /// Says something as the server.
    pub fn say(&mut self, what: &[u8]) {
        self.log.add(self.client, false, What::Data(what.to_vec()));
        self.stream.write_all(what).unwrap();
    }

    /// Listens to the client until it has said this.
    pub fn hear(&mut self, what: &[u8]) {
        let (mut heard, mut byte) = (Vec::new(), [0]);
        while !heard.ends_with(what) {
            self.stream.read_exact(&mut byte).unwrap();
            heard.push(byte[0]);
        }
        self.log.add(self.client, true, What::Data(heard));
    }

    /// Listens to so many bytes of the client.
    pub fn hear_bytes(&mut self, n: usize) {
        let mut heard = vec![0; n];
        self.stream.read_exact(&mut heard).unwrap();
        self.log.add(self.client, true, What::Data(heard));
    }
}

/// What is said before the server takes over.
pub type Script = fn(&mut Front<'_>);

/// A relay to one server.
pub struct Relay {
    /// Where it listens.
    pub port: u16,
    log: Log,
}

impl Relay {
    /// A relay to a server on this host.
    pub fn to(server: u16) -> Self {
        Self::behind(server, |_| {})
    }

    /// A relay that speaks for the server first.
    pub fn behind(server: u16, script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Log {
            began: Instant::now(),
            moments: Arc::default(),
            open: Arc::default(),
        };
        let relay = Self {
            port,
            log: log.clone(),
        };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let client = stream.peer_addr().unwrap().port();
                log.open.fetch_add(1, Ordering::SeqCst);
                log.add(client, true, What::Open);
                let log = log.clone();
                std::thread::spawn(move || {
                    script(&mut Front {
                        stream: &stream,
                        client,
                        log: &log,
                    });
                    let upstream = TcpStream::connect(("127.0.0.1", server)).unwrap();
                    std::thread::scope(|scope| {
                        scope.spawn(|| log.copy(client, false, &upstream, &stream));
                        log.copy(client, true, &stream, &upstream);
                    });
                    log.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        relay
    }

    /// Waits until everything that was opened has ended, and gives the port of the client that came
    /// last.
    pub fn settle(&self) -> u16 {
        let last = || {
            let moments = self.log.moments.lock().unwrap();
            let mut opened = moments.iter().filter(|m| matches!(m.what, What::Open));
            opened.next_back().map(|m| m.client)
        };
        let began = Instant::now();
        loop {
            if self.log.open.load(Ordering::SeqCst) == 0
                && let Some(client) = last()
            {
                return client;
            }
            assert!(began.elapsed() < PATIENCE, "a connection does not end");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// A capture of everything so far: raw IP packets.
    fn capture(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for word in [0xA1B2_C3D4_u32, 0x0004_0002, 0, 0, 65_535, 101] {
            file.extend(word.to_le_bytes());
        }
        // The numbers of both sides, client first.
        let mut numbers: BTreeMap<u16, [u32; 2]> = BTreeMap::new();
        let mut packet =
            |at: Duration, client: u16, from_client: bool, flags: &str, data: &[u8]| {
                let [c, s] = numbers.entry(client).or_insert([1_000, 2_000]);
                let (ports, seq, ack) = if from_client {
                    ((client, self.port), c, *s)
                } else {
                    ((self.port, client), s, *c)
                };
                let mut tcp = PacketBuilder::ipv4([127, 0, 0, 1], [127, 0, 0, 1], 64)
                    .tcp(ports.0, ports.1, *seq, 64_000);
                *seq += data.len() as u32;
                if flags.contains('S') {
                    tcp = tcp.syn();
                    *seq += 1;
                }
                if flags.contains('F') {
                    tcp = tcp.fin();
                    *seq += 1;
                }
                if flags.contains('A') {
                    tcp = tcp.ack(ack);
                }
                let mut bytes = Vec::new();
                tcp.write(&mut bytes, data).unwrap();
                let seconds = 1_800_000_000 + at.as_secs() as u32;
                let len = bytes.len() as u32;
                for word in [seconds, at.subsec_micros(), len, len] {
                    file.extend(word.to_le_bytes());
                }
                file.extend(bytes);
            };
        for m in self.log.moments.lock().unwrap().iter() {
            match &m.what {
                What::Open => {
                    packet(m.at, m.client, true, "S", &[]);
                    packet(m.at, m.client, false, "SA", &[]);
                    packet(m.at, m.client, true, "A", &[]);
                }
                What::Data(data) => {
                    for part in data.chunks(1_400) {
                        packet(m.at, m.client, m.from_client, "A", part);
                    }
                }
                What::End => packet(m.at, m.client, m.from_client, "FA", &[]),
            }
        }
        file
    }

    /// The record of each connection, by the client's port: exactly one.
    pub fn records(&self, name: &str) -> BTreeMap<u16, Value> {
        self.settle();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("live-{name}.pcap"));
        std::fs::write(&path, self.capture()).unwrap();
        let output = hostward(&["--json", path.to_str().unwrap()])
            .output()
            .unwrap();
        let mut records = BTreeMap::new();
        for line in lines(&output) {
            if line["type"] == "zert" {
                let end = if line["dport"] == self.port {
                    "sport"
                } else {
                    "dport"
                };
                let client = line[end].as_u64().unwrap() as u16;
                let other = records.insert(client, line);
                assert!(other.is_none(), "two records of one connection");
            }
        }
        records
    }
}

/// A port on which nobody listens now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until somebody listens.
pub fn await_port(port: u16) {
    let began = Instant::now();
    let end = SocketAddr::from(([127, 0, 0, 1], port));
    while TcpStream::connect(end).is_err() {
        assert!(began.elapsed() < PATIENCE, "nobody listens on {port}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Compares fields of a record; what differs is added with a label.
pub fn compare(
    label: &str,
    record: Option<&Value>,
    wanted: &[(&str, Value)],
    wrong: &mut Vec<String>,
) {
    let Some(record) = record else {
        wrong.push(format!("{label}: no record"));
        return;
    };
    for (field, value) in wanted {
        if record[*field] != *value {
            wrong.push(format!(
                "{label}: {field} is {}, the program says {value}",
                record[*field]
            ));
        }
    }
}
