//! Any bytes as a request and as what a server says, in pieces of any size: no panic, what comes out does not depend on
//! the pieces, and entries are parts of what was given.
#![no_main]

use hostward_zert::nmi::{Client, Entries, Error, Init, Interface, Message, Name, Server};
use libfuzzer_sys::fuzz_target;

fn read(wire: &[u8], piece: usize) -> (Vec<String>, Option<Error>) {
    let mut client = Client::new(1 << 16);
    let mut out = Vec::new();
    for part in wire.chunks(piece) {
        client.receive(part);
        loop {
            match client.next_message() {
                Ok(Some(Message::Records { lost, entries })) => {
                    let list: Vec<_> = entries.collect();
                    let bytes: usize = list.iter().map(|e| e.record.len() + 18).sum();
                    assert!(bytes <= wire.len());
                    out.push(format!("{lost} {list:?}"));
                }
                Ok(Some(other)) => out.push(format!("{other:?}")),
                Ok(None) => break,
                Err(e) => return (out, Some(e)),
            }
        }
    }
    (out, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else {
        return;
    };
    for interface in [Interface::Detail, Interface::Summary] {
        let mut server = Server::new(interface);
        if let Ok(Some(request)) = server.receive(rest) {
            let again = Server::new(interface).receive(&request.encode());
            assert_eq!(again, Ok(Some(request)));
        }
    }
    let mut wire = Vec::new();
    if first & 1 == 1 {
        let init = Init {
            system: Name::new("S"),
            component: Name::new("SYSTCPER"),
            job: Name::new("T"),
            started: 0,
            max_buffer: 1 << 16,
        };
        wire = init.encode();
    }
    wire.extend(rest);
    assert_eq!(
        read(&wire, usize::from(first >> 1) + 1),
        read(&wire, usize::MAX)
    );
    if let Ok(entries) = Entries::new(rest) {
        assert!(entries.map(|e| e.record.len() + 18).sum::<usize>() <= rest.len());
    }
});
