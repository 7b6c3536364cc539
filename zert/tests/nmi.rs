//! The real-time interface: the codec, and the service with real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failing test may panic"
)]

use hostward_zert::nmi::{
    Buffer, Client, Entries, Error, HEADER, INIT, Init, Interface, Message, Name, REQUEST, Request,
    Server, TERM, Term,
};

fn init() -> Init {
    Init {
        system: Name::new("SYS1"),
        component: Name::new("SYSTCPER"),
        job: Name::new("TCPIP"),
        started: 0x0102_0304_0506_0708,
        max_buffer: 4096,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn layouts() {
    let request = Request {
        interface: Interface::Detail,
        current: true,
        records: true,
    };
    assert_eq!(
        hex(&request.encode()),
        "00000020e9c5d9e30000000100000000c0000000000000000000000000000000"
    );
    let summary = Request::new(Interface::Summary).encode();
    assert_eq!(hex(&summary[4..20]), "e9c5d9e2000000010000000080000000");
    assert_eq!(
        hex(&init().encode()),
        concat!(
            "00000040c9d5c9e30000000100000000",
            "e2e8e2f140404040",
            "e2e8e2e3c3d7c5d9",
            "e3c3d7c9d7404040",
            "0102030405060708",
            "00001000",
            "000000000000000000000000"
        )
    );
    assert_eq!(
        hex(&Term::TooSlow.encode()),
        "00000014e3c5d9d4000000010000000000000003"
    );
    let mut buffer = Buffer::new(100, 7);
    assert!(buffer.push(11, 9, b"abc"));
    assert_eq!(
        hex(&buffer.finish()),
        concat!(
            "00000025e2d4e3d20000000100000007",
            "00150010",
            "0000000b",
            "0000000000000009",
            "616263",
            "0015"
        )
    );
    assert_eq!((INIT, TERM, REQUEST), (init().encode().len(), 20, 32));
    assert_eq!(Name::new("tcpip_long").to_string(), "TCPIP LO");
    for n in 0..9 {
        assert_eq!(Term::of(n).number(), n);
    }
}

#[test]
fn requests_come_in_any_pieces() {
    for current in [false, true] {
        let request = Request {
            interface: Interface::Detail,
            current,
            records: !current,
        };
        let mut server = Server::new(Interface::Detail);
        let bytes = request.encode();
        for byte in &bytes[..31] {
            assert_eq!(server.receive(&[*byte]), Ok(None));
        }
        assert_eq!(server.wants(), 1);
        assert_eq!(server.receive(&bytes[31..]), Ok(Some(request)));
    }
}

#[test]
fn wrong_requests() {
    let good = Request::new(Interface::Detail).encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Server::new(Interface::Detail).receive(&bytes)
    };
    assert_eq!(with(0, 0xFF), Err(Error::Length(0xFF00_0020)));
    assert_eq!(with(3, 33), Err(Error::Length(33)));
    assert_eq!(with(7, 0xE2), Err(Error::Id(0xE9C5_D9E2)));
    assert_eq!(with(11, 2), Err(Error::Version(2)));
    assert_eq!(with(16, 0), Err(Error::Flags(0)));
    assert_eq!(with(19, 1), Err(Error::Flags(0x4000_0001)));
    // It need not wait for the rest.
    let early = Server::new(Interface::Summary).receive(&good[..16]);
    assert_eq!(early, Err(Error::Id(0xE9C5_D9E3)));
}

fn read(wire: &[u8]) -> (Vec<String>, Option<Error>) {
    let mut client = Client::new(4096);
    client.receive(wire);
    let mut out = Vec::new();
    loop {
        match client.next_message() {
            Ok(Some(Message::Records { lost, entries })) => {
                let list: Vec<_> = entries
                    .map(|e| (e.format, e.time, e.record.len()))
                    .collect();
                out.push(format!("{lost} {list:?}"));
            }
            Ok(Some(other)) => out.push(format!("{other:?}")),
            Ok(None) => return (out, None),
            Err(e) => {
                assert_eq!(client.next_message(), Err(e), "an error stays");
                return (out, Some(e));
            }
        }
    }
}

#[test]
fn hostile_lengths_are_errors() {
    let start = init().encode();
    let mut buffer = Buffer::new(4096, 0);
    assert!(buffer.push(11, 1, b"one") && buffer.push(11, 2, b""));
    let good = [
        start.clone(),
        buffer.clone().finish(),
        Term::Normal.encode(),
    ]
    .concat();
    assert_eq!(
        read(&good).0[1..],
        ["0 [(11, 1, 3), (11, 2, 0)]", "Term(Normal)"]
    );
    let with = |at: usize, byte: u8| {
        let mut wire = good.clone();
        wire[INIT + at] = byte;
        read(&wire).1
    };
    assert_eq!(
        with(0, 0x80),
        Some(Error::TooLong {
            length: 0x8000_0037,
            most: 4096
        })
    );
    assert_eq!(with(3, 15), Some(Error::Length(15)));
    assert_eq!(with(HEADER + 1, 0), Some(Error::Entry(16)));
    assert_eq!(with(HEADER + 1, 17), Some(Error::Entry(16)));
    assert_eq!(with(HEADER + 1, 0xFF), Some(Error::Entry(16)));
    assert_eq!(with(HEADER + 3, 15), Some(Error::Entry(16)));
    assert_eq!(with(HEADER + 3, 0xFF), Some(Error::Entry(16)));
    assert_eq!(
        with(HEADER + 20, 0),
        Some(Error::Entry(16)),
        "the length at the end differs"
    );
    assert_eq!(with(HEADER + 22, 1), Some(Error::Entry(37)));
    // Order.
    assert_eq!(read(&good[INIT..]).1, Some(Error::Order));
    assert_eq!(
        read(&[start.clone(), start.clone()].concat()).1,
        Some(Error::Order)
    );
    assert!(matches!(read(&[0; 16]).1, Some(Error::Version(0))));
    assert_eq!(read(&Term::BadRequest.encode()).0, ["Term(BadRequest)"]);
    assert!(Entries::new(&[1]).is_err() && Entries::new(&[]).is_ok());
}

#[test]
fn buffers_are_bounded() {
    let mut buffer = Buffer::new(HEADER + 18 + 4, 0);
    assert!(!buffer.push(11, 0, b"12345") && buffer.is_empty());
    assert!(buffer.push(11, 0, b"1234") && !buffer.push(11, 0, b""));
    let mut large = Buffer::new(usize::MAX, u64::MAX);
    assert!(!large.push(11, 0, &vec![0; 65_518]));
    assert!(large.push(11, 0, &vec![0; 65_517]));
    assert_eq!(hex(&large.finish()[12..16]), "7fffffff");
}

#[test]
fn any_bytes_and_any_cuts() {
    arbtest::arbtest(|u| {
        let mut wire = init().encode();
        for _ in 0..u.int_in_range(0..=4)? {
            let mut buffer = Buffer::new(4096, u.arbitrary::<u8>()?.into());
            for _ in 0..u.int_in_range(0..=3)? {
                buffer.push(12, u.arbitrary()?, u.bytes(3).unwrap_or_default());
            }
            wire.extend(buffer.finish());
        }
        wire.extend(Term::Normal.encode());
        if u.ratio(1, 2)? {
            let at = u.choose_index(wire.len())?;
            wire[at] = u.arbitrary()?;
        }
        // However it is cut, the same comes out.
        let whole = read(&wire);
        let mut client = Client::new(4096);
        let (mut messages, mut error) = (0, None);
        let mut rest = &wire[..];
        while !rest.is_empty() && error.is_none() {
            let n = u.int_in_range(1..=rest.len().min(40))?;
            client.receive(&rest[..n]);
            rest = &rest[n..];
            loop {
                match client.next_message() {
                    Ok(Some(_)) => messages += 1,
                    Ok(None) => break,
                    Err(e) => {
                        error = Some(e);
                        break;
                    }
                }
            }
        }
        assert_eq!((messages, error), (whole.0.len(), whole.1));
        Ok(())
    });
}

#[cfg(all(feature = "std", unix))]
mod sockets {
    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use super::*;
    use hostward_zert::nmi::{Service, ServiceConfig};

    fn path(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("zert-nmi-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder.join(name)
    }

    fn quick() -> ServiceConfig {
        ServiceConfig {
            system: Name::new("SYS1"),
            idle: Duration::from_millis(5),
            patience: Duration::from_millis(500),
            ..ServiceConfig::default()
        }
    }

    fn until(what: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        while !what() {
            assert!(Instant::now() < end, "it takes too long");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn connect(service: &Service, request: Request) -> UnixStream {
        let before = service.counts().clients;
        let mut stream = UnixStream::connect(service.path()).unwrap();
        stream.write_all(&request.encode()).unwrap();
        until(|| service.counts().clients > before);
        stream
    }

    type Told = (Vec<(u64, Vec<u8>)>, u64, Option<Term>);

    /// Everything up to the end: records, how many were lost, why it ended.
    fn all(mut stream: UnixStream) -> Told {
        let mut client = Client::new(1 << 20);
        let (mut records, mut lost, mut term) = (Vec::new(), 0, None);
        let mut bytes = vec![0; 65_536];
        loop {
            let n = stream.read(&mut bytes).unwrap_or(0);
            if n == 0 {
                return (records, lost, term);
            }
            client.receive(&bytes[..n]);
            while let Some(message) = client.next_message().unwrap() {
                match message {
                    Message::Init(i) => assert_eq!(i.system, Name::new("SYS1")),
                    Message::Records { lost: n, entries } => {
                        lost += u64::from(n);
                        records.extend(entries.map(|e| (e.time, e.record.to_vec())));
                    }
                    Message::Term(t) => term = Some(t),
                }
            }
        }
    }

    #[test]
    fn clients_get_every_record_in_order() {
        let service = Service::bind(&path("order"), Interface::Detail, quick()).unwrap();
        let mode = std::fs::metadata(service.path())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let request = Request::new(Interface::Detail);
        let streams = [connect(&service, request), connect(&service, request)];
        let readers = streams.map(|s| std::thread::spawn(move || all(s)));
        for i in 0..2_000_u64 {
            service.publish(i, format!("record {i}").as_bytes());
        }
        service.shutdown(Term::Normal);
        for reader in readers {
            let (records, lost, term) = reader.join().unwrap();
            assert_eq!((records.len(), lost, term), (2_000, 0, Some(Term::Normal)));
            for (i, (time, record)) in records.iter().enumerate() {
                assert_eq!(
                    (*time, record),
                    (i as u64, &format!("record {i}").into_bytes())
                );
            }
        }
        assert!(!path("order").exists());
    }

    #[test]
    fn a_slow_client_is_told_what_it_lost_and_slows_nobody() {
        let config = ServiceConfig {
            queue: 64 << 10,
            patience: Duration::from_secs(20),
            ..quick()
        };
        let service = Service::bind(&path("slow"), Interface::Detail, config).unwrap();
        let slow = connect(&service, Request::new(Interface::Detail));
        let record = vec![7; 1_000];
        let started = Instant::now();
        let most = 20_000;
        for i in 0..most {
            service.publish(i, &record);
        }
        // Far below the patience of one write: nobody waited for the client.
        assert!(started.elapsed() < Duration::from_secs(10));
        let counts = service.counts();
        assert!(counts.lost > 10_000, "{counts:?}");
        assert_eq!(counts.lost + counts.records, most);
        // It reads at last: what came through, what did not, and where the holes are.
        let reader = std::thread::spawn(move || all(slow));
        std::thread::sleep(Duration::from_millis(50));
        service.publish(most, b"last");
        service.shutdown(Term::StackEnds);
        let (records, lost, term) = reader.join().unwrap();
        assert_eq!(records.len() as u64 + lost, most + 1);
        assert!(records.is_sorted_by_key(|r| r.0));
        assert_eq!(term, Some(Term::StackEnds));
    }

    #[test]
    fn a_client_that_takes_little_does_not_hold_up_the_end() {
        let config = ServiceConfig {
            patience: Duration::from_secs(1),
            ..quick()
        };
        let service = Service::bind(&path("little"), Interface::Detail, config).unwrap();
        let mut little = connect(&service, Request::new(Interface::Detail));
        for i in 0..1_000 {
            service.publish(i, &[0; 1_000]);
        }
        // Some at any time, but the whole in no less than ten seconds.
        let reader = std::thread::spawn(move || {
            while little.read(&mut [0; 4_096]).is_ok_and(|n| n > 0) {
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let started = Instant::now();
        service.shutdown(Term::Normal);
        assert!(started.elapsed() < Duration::from_secs(5));
        reader.join().unwrap();
    }

    #[test]
    fn a_client_that_takes_nothing_is_closed() {
        let config = ServiceConfig {
            patience: Duration::from_millis(50),
            ..quick()
        };
        let service = Service::bind(&path("stuck"), Interface::Detail, config).unwrap();
        let stuck = connect(&service, Request::new(Interface::Detail));
        for i in 0..2_000 {
            service.publish(i, &[0; 1_000]);
        }
        until(|| service.clients() == 0);
        drop(stuck);
    }

    #[test]
    fn lists_of_connections_go_to_those_that_asked() {
        let service = Service::bind(&path("list"), Interface::Detail, quick()).unwrap();
        let list = Request {
            interface: Interface::Detail,
            current: true,
            records: false,
        };
        let one = connect(&service, list);
        let other = connect(&service, Request::new(Interface::Detail));
        let wanted = service.lists_wanted();
        assert_eq!(wanted.len(), 1);
        assert!(service.lists_wanted().is_empty(), "once");
        assert!(service.send(wanted[0], 1, b"current"));
        service.publish(2, b"new");
        let readers = [one, other].map(|s| std::thread::spawn(move || all(s)));
        service.shutdown(Term::Disabled);
        let [one, other] = readers.map(|r| r.join().unwrap());
        assert_eq!(one.0, [(1, b"current".to_vec())]);
        assert_eq!(other.0, [(2, b"new".to_vec())]);
        assert_eq!(other.2, Some(Term::Disabled));
    }

    #[test]
    fn wrong_requests_and_too_many_clients_are_turned_away() {
        let config = ServiceConfig {
            clients: 1,
            ..quick()
        };
        let service = Service::bind(&path("wrong"), Interface::Summary, config).unwrap();
        let mut wrong = UnixStream::connect(service.path()).unwrap();
        wrong
            .write_all(&Request::new(Interface::Detail).encode())
            .unwrap();
        assert_eq!(all(wrong).2, Some(Term::BadRequest));
        until(|| service.counts().refused == 1);
        let good = connect(&service, Request::new(Interface::Summary));
        let more = UnixStream::connect(service.path()).unwrap();
        assert_eq!(all(more).2, Some(Term::TooMany));
        // One that goes makes room.
        drop(good);
        until(|| service.clients() == 0);
        connect(&service, Request::new(Interface::Summary));
    }

    #[test]
    fn a_socket_of_the_dead_is_replaced_and_one_of_the_living_is_not() {
        let at = path("again");
        drop(std::os::unix::net::UnixListener::bind(&at).unwrap());
        let service = Service::bind(&at, Interface::Detail, quick()).unwrap();
        assert!(Service::bind(&at, Interface::Detail, quick()).is_err());
        drop(service);
        std::fs::write(&at, b"a file").unwrap();
        assert!(Service::bind(&at, Interface::Detail, quick()).is_err());
        assert_eq!(std::fs::read(&at).unwrap(), b"a file");
        std::fs::remove_file(&at).unwrap();
    }
}
