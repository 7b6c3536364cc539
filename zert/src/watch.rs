//! Watches one side of a clear-text stream for the place where protection begins.
//!
//! A handshake can begin at the start of the stream, at the first byte a side sends after the
//! other has spoken (STARTTLS of every protocol, `CONNECT` through a proxy), and after a line end
//! (a client that does not wait, an SSH server that says other lines first). These places do not
//! depend on how the stream was cut into segments. At each of them the first bytes must have the
//! exact shape of a handshake; no port numbers are believed.
//!
//! Within the first bytes of a stream ([`PREFACE`]) to which nobody has answered yet, a client hello is
//! found wherever it stands: a client may speak to a proxy first, in binary, without waiting for an
//! answer (SOCKS, or a header of its own).

/// Longest prefix that is needed to decide.
pub(crate) const HEAD: usize = 16;

/// So far from the beginning of a stream a client hello is found anywhere, unless the other side has
/// spoken.
const PREFACE: u16 = 256;

/// What begins here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// TLS records.
    Tls,
    /// A hello in SSL 2.0 form.
    Ssl2,
    /// TLS records inside packets of the Tabular Data Stream (MS-TDS §2.2.6.5).
    Tds,
    /// An SSH identification line.
    Ssh,
}

/// What is known of the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Other {
    /// It has sent nothing.
    Silent,
    /// It has sent clear text.
    Clear,
    /// It speaks TLS.
    Tls,
    /// It has sent a hello in SSL 2.0 form.
    Ssl2,
    /// It speaks SSH.
    Ssh,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    No,
    More,
    Yes(Found),
    /// Something else of known length comes first; so many bytes of it are still to come.
    Skip(u16),
}

/// Why a handshake may begin at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The stream begins, the other side has spoken, or what was skipped has ended.
    Turn,
    /// A line has ended, and nothing else.
    Line,
    /// The byte is that of a handshake record, within the [`PREFACE`].
    Byte,
}

/// The state of one side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    head: [u8; HEAD],
    len: u8,
    /// Where in `head` the other side last interrupted, 0 if it did not.
    mark: u8,
    /// The next byte belongs to a place where a handshake may begin.
    collecting: bool,
    /// Why that place is one.
    why: Why,
    /// Bytes after which a handshake may begin.
    skip: u16,
    /// Bytes since the beginning, no further than the [`PREFACE`].
    at: u16,
}

impl Watch {
    pub(crate) const fn new() -> Self {
        Self {
            head: [0; HEAD],
            len: 0,
            mark: 0,
            collecting: true,
            why: Why::Turn,
            skip: 0,
            at: 0,
        }
    }

    /// The bytes that led to a find.
    pub(crate) fn head(&self) -> &[u8] {
        self.head.get(..self.len.into()).unwrap_or_default()
    }

    /// The other side has spoken since this one did.
    pub(crate) const fn turn(&mut self) {
        if self.collecting {
            self.mark = self.len;
            if self.len == 0 {
                self.why = Why::Turn;
            }
        } else {
            self.place(Why::Turn);
        }
    }

    /// A handshake may begin here.
    const fn place(&mut self, why: Why) {
        self.collecting = true;
        self.why = why;
        self.len = 0;
        self.mark = 0;
        self.skip = 0;
    }

    /// Passes over so many bytes.
    fn pass(&mut self, data: &mut &[u8], n: usize) {
        *data = data.get(n..).unwrap_or_default();
        let n = u16::try_from(n).unwrap_or(u16::MAX);
        self.at = self.at.saturating_add(n).min(PREFACE);
    }

    /// Looks at the next bytes. A find leaves its first bytes in [`head`](Self::head) and what
    /// follows them in `data`; otherwise `data` is used up.
    pub(crate) fn feed(&mut self, data: &mut &[u8], other: Other) -> Option<Found> {
        loop {
            if self.skip > 0 {
                let n = data.len().min(self.skip.into());
                self.pass(data, n);
                self.skip -= n as u16;
                if self.skip > 0 {
                    return None;
                }
                self.place(Why::Turn);
            }
            if !self.collecting {
                let near = usize::from(PREFACE - self.at);
                let preface = if other == Other::Silent {
                    data.get(..near).unwrap_or(data)
                } else {
                    &[]
                };
                match memchr::memchr2(b'\n', HANDSHAKE, preface)
                    .or_else(|| memchr::memchr(b'\n', data))
                {
                    Some(at) if data.get(at) == Some(&HANDSHAKE) => {
                        self.pass(data, at);
                        self.place(Why::Byte);
                    }
                    Some(at) => {
                        self.pass(data, at + 1);
                        self.place(Why::Line);
                    }
                    None => {
                        self.pass(data, data.len());
                        return None;
                    }
                }
            }
            // Most text shows with its first byte that nothing begins: nothing is collected then.
            // Comparing what was just stored byte by byte stalls, and this is done for every line.
            if self.len == 0 {
                let b = *data.first()?;
                self.pass(data, 1);
                if may_begin(b) {
                    let [first, ..] = &mut self.head;
                    *first = b;
                    self.len = 1;
                } else if b == b'\n' {
                    self.place(Why::Line);
                    continue;
                } else {
                    self.collecting = false;
                    continue;
                }
            }
            match classify(self.head(), other, self.why) {
                Match::Yes(found) => return Some(found),
                Match::More => {
                    let (b, rest) = data.split_first()?;
                    let Some(place) = self.head.get_mut(usize::from(self.len)) else {
                        // Every shape is decided within `HEAD` bytes.
                        self.collecting = false;
                        continue;
                    };
                    *place = *b;
                    self.len += 1;
                    *data = rest;
                    self.at = (self.at + 1).min(PREFACE);
                }
                Match::Skip(0) => self.place(Why::Turn),
                Match::Skip(n) => {
                    self.collecting = false;
                    self.skip = n;
                }
                Match::No => self.restart(other),
            }
        }
    }

    /// The head is clear text: goes on at the next place within it where a handshake may begin.
    fn restart(&mut self, other: Other) {
        let head = self.head();
        let line = head.iter().position(|b| *b == b'\n').map(|i| i + 1);
        let mark = (self.mark > 0).then_some(usize::from(self.mark));
        let is_preface = other == Other::Silent && self.at < PREFACE;
        let byte = head
            .iter()
            .skip(1)
            .position(|b| is_preface && *b == HANDSHAKE);
        let places = [
            (mark, Why::Turn),
            (line, Why::Line),
            (byte.map(|i| i + 1), Why::Byte),
        ];
        // The first one; of reasons for the same place the best, which stands first.
        let next = places
            .into_iter()
            .filter_map(|(at, why)| Some((at?, why)))
            .min_by_key(|(at, _)| *at);
        match next {
            Some((at, why)) => {
                self.why = why;
                self.head.rotate_left(at.min(HEAD));
                let at = at as u8;
                self.len = self.len.saturating_sub(at);
                self.mark = self.mark.saturating_sub(at);
            }
            None => {
                self.collecting = false;
            }
        }
    }
}

/// Whether something of what [`classify`] knows begins with this byte.
const fn may_begin(b: u8) -> bool {
    matches!(b, TDS_PRELOGIN | 20..=23 | 32 | 0x80.. | b'S' | b'\r')
}

fn classify(head: &[u8], other: Other, why: Why) -> Match {
    if why == Why::Byte {
        return amid(head);
    }
    let line = why == Why::Line;
    let mut all = Match::No;
    for m in [
        tls(head, other),
        ssl2(head, other),
        tds(head, other),
        ssh(head, other, line),
        preface(head, other),
    ] {
        match m {
            Match::Yes(_) | Match::Skip(_) => return m,
            Match::More => all = m,
            Match::No => {}
        }
    }
    all
}

/// Whether the bytes are the same as far as there are both. Byte by byte: the head was stored so,
/// and a comparison of whole words would wait until all of it is in the cache.
fn alike(head: &[u8], wanted: &[u8]) -> bool {
    head.iter().zip(wanted).all(|(a, b)| a == b)
}

/// Checks bytes one by one as far as they are there.
fn shape(head: &[u8], wanted: &[&dyn Fn(u8) -> bool], found: Found) -> Match {
    for (i, ok) in wanted.iter().enumerate() {
        match head.get(i) {
            None => return Match::More,
            Some(b) if !ok(*b) => return Match::No,
            Some(_) => {}
        }
    }
    Match::Yes(found)
}

/// RFC 8446 §5.1, §4: a record whose handshake message is a client or server hello; once the other
/// side speaks TLS, any record. Nobody speaks TLS with a side that speaks SSH.
fn tls(head: &[u8], other: Other) -> Match {
    if other == Other::Ssh {
        return Match::No;
    }
    let any = |_: u8| true;
    let major = |b: u8| b == 3;
    // RFC 8446 §5.1: the record's version must be ignored, and servers do.
    let minor = any;
    if other == Other::Tls {
        // ChangeCipherSpec, alert, handshake, application data; at most 2^14 + 2048 bytes.
        return shape(
            head,
            &[
                &|b| (20..=23).contains(&b),
                &major,
                &minor,
                &|b| b <= 0x48,
                &any,
            ],
            Found::Tls,
        );
    }
    let hello = shape(
        head,
        &[&|b| b == 22, &major, &minor, &|b| b <= 0x40, &any, &|b| {
            b == 1 || b == 2
        }],
        Found::Tls,
    );
    if hello != Match::Yes(Found::Tls) {
        return hello;
    }
    let long = match head {
        [_, _, _, a, b, ..] => u16::from_be_bytes([*a, *b]),
        _ => 0,
    };
    if long == 0 {
        return Match::No;
    }
    if long < 6 {
        // A message cut into tiny records; the rest of its head lies in other records.
        return hello;
    }
    // 24-bit length, then the version of the hello.
    shape(
        head,
        &[
            &any,
            &any,
            &any,
            &any,
            &any,
            &any,
            &|b| b <= 1,
            &any,
            &any,
            &|b| b == 3 || b == 0x7F,
            &any,
        ],
        Found::Tls,
    )
}

/// RFC 8446 §5.1, §4.1.2: the head of a record with a client hello, as strictly as it can be said,
/// since nothing tells that one begins here.
fn amid(head: &[u8]) -> Match {
    let any = |_: u8| true;
    let version = |b: u8| b <= 4;
    let hello = shape(
        head,
        &[
            &|b| b == HANDSHAKE,
            &|b| b == 3,
            &version,
            &|b| b <= 0x40,
            &any,
            &|b| b == 1,
            &|b| b <= 1,
            &any,
            &any,
            &|b| b == 3,
            &version,
        ],
        Found::Tls,
    );
    let [_, _, _, a, b, _, c, d, e, ..] = head else {
        return hello;
    };
    // The message fills its record, or goes on in others: nothing follows a hello in its record. The
    // shortest has a version, a random value, a suite and a compression method.
    let record = u32::from_be_bytes([0, 0, *a, *b]);
    let message = u32::from_be_bytes([0, *c, *d, *e]);
    if hello == Match::Yes(Found::Tls) && (message < 41 || record < 6 || message + 4 < record) {
        return Match::No;
    }
    hello
}

/// RFC 6101 appendix E: two bytes of length with the high bit set, message type 1, a version, and
/// three lengths that add up.
fn ssl2(head: &[u8], other: Other) -> Match {
    if other == Other::Ssl2 {
        // The server's answer in the same form: message type 4, session id hit, certificate type,
        // version 2.
        return shape(
            head,
            &[
                &|b| b & 0x80 != 0,
                &|_| true,
                &|b| b == 4,
                &|b| b <= 1,
                &|b| b <= 1,
                &|b| b == 0,
                &|b| b == 2,
            ],
            Found::Ssl2,
        );
    }
    let first = shape(
        head,
        &[
            &|b| b & 0x80 != 0,
            &|_| true,
            &|b| b == 1,
            &|b| b == 3 || b == 0,
            &|b| b <= 3,
        ],
        Found::Ssl2,
    );
    if first != Match::Yes(Found::Ssl2) {
        return first;
    }
    let [a, b, _, major, minor, s0, s1, i0, i1, c0, c1, ..] = head else {
        return Match::More;
    };
    let pair = |a: &u8, b: &u8| u16::from_be_bytes([*a, *b]);
    let (suites, id, challenge) = (pair(s0, s1), pair(i0, i1), pair(c0, c1));
    let length = pair(a, b) & 0x7FFF;
    let good = (*major == 3 || *minor == 2)
        && suites > 0
        && suites % 3 == 0
        && id <= 32
        && (16..=32).contains(&challenge)
        && u32::from(length) == 9 + u32::from(suites) + u32::from(id) + u32::from(challenge);
    if good {
        Match::Yes(Found::Ssl2)
    } else {
        Match::No
    }
}

/// MS-TDS §2.2.6.5, §3.2.5.2: after the pre-login in clear text, handshake records travel in packets
/// of type 18: type, status, length, process, packet number, window.
fn tds(head: &[u8], other: Other) -> Match {
    if matches!(other, Other::Silent | Other::Ssh | Other::Ssl2) {
        return Match::No;
    }
    shape(
        head,
        &[
            &|b| b == TDS_PRELOGIN,
            &|b| b <= 1,
            &|_| true,
            &|_| true,
            &|_| true,
            &|_| true,
            &|_| true,
            &|b| b == 0,
            &|b| b == 22,
            &|b| b == 3,
            &|_| true,
        ],
        Found::Tds,
    )
}

/// Packet type that carries handshake records in a Tabular Data Stream.
pub(crate) const TDS_PRELOGIN: u8 = 0x12;

/// Content type of a handshake record.
const HANDSHAKE: u8 = 22;

/// What a client says directly before its hello without waiting for an answer.
fn preface(head: &[u8], other: Other) -> Match {
    if head.first() == Some(&255) && matches!(other, Other::Silent | Other::Clear) {
        return telnet(head);
    }
    if matches!(head, [] | [21 | 22, ..]) && matches!(other, Other::Silent | Other::Clear) {
        let idle = idle(head);
        if idle != Match::No {
            return idle;
        }
    }
    match other {
        // The binary header of the PROXY protocol (version 2, §2.2): signature, version and command,
        // family, length of the rest.
        Other::Silent => {
            const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
            if !alike(head, SIGNATURE) {
                return Match::No;
            }
            match head.get(14..16) {
                Some([a, b]) => match u16::from_be_bytes([*a, *b]) {
                    0 => Match::No,
                    n => Match::Skip(n),
                },
                _ => Match::More,
            }
        }
        // MySQL's SSLRequest in answer to the greeting: 32 bytes, sequence number 1, capabilities
        // with CLIENT_SSL.
        Other::Clear => match shape(
            head,
            &[
                &|b| b == 32,
                &|b| b == 0,
                &|b| b == 0,
                &|b| b == 1,
                &|_| true,
                &|b| b & 0x08 != 0,
            ],
            Found::Tls,
        ) {
            Match::Yes(_) => Match::Skip(4 + 32 - 6),
            m @ (Match::No | Match::More | Match::Skip(_)) => m,
        },
        Other::Tls | Other::Ssl2 | Other::Ssh => Match::No,
    }
}

/// RFC 5246 §6.2.1, §7.2: a record without content, or a warning. Servers pass over both before a hello;
/// a client must not hide its hello behind them.
fn idle(head: &[u8]) -> Match {
    match head {
        [22, 3, _, 0, 0] | [21, 3, _, 0, 2, 1, _] => Match::Skip(0),
        [] | [21 | 22] | [21 | 22, 3] | [21 | 22, 3, _] | [21 | 22, 3, _, 0] => Match::More,
        [21, 3, _, 0, 2] | [21, 3, _, 0, 2, 1] => Match::More,
        _ => Match::No,
    }
}

/// RFC 854, RFC 855: a telnet option command, or the sub-negotiation of START_TLS (option 46) that says
/// `FOLLOWS`.
fn telnet(head: &[u8]) -> Match {
    const FOLLOWS: &[u8] = &[255, 250, 46, 1, 255, 240];
    match head {
        [_, 251..=254, _] => Match::Skip(0),
        [_] | [_, 251..=254] => Match::More,
        _ if head == FOLLOWS => Match::Skip(0),
        _ if head.len() < FOLLOWS.len() && alike(head, FOLLOWS) => Match::More,
        _ => Match::No,
    }
}

/// RFC 4253 §4.2: the identification line. Only a server says other lines before, and then the
/// client has said nothing that is not SSH.
fn ssh(head: &[u8], other: Other, line: bool) -> Match {
    if matches!(other, Other::Tls | Other::Ssl2) || (line && other == Other::Clear) {
        return Match::No;
    }
    if !alike(head, b"SSH-") {
        return Match::No;
    }
    match head.get(4..6) {
        None => Match::More,
        Some([b'1' | b'2', b'.']) => Match::Yes(Found::Ssh),
        Some(_) => Match::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is passed over by its first byte would not have been anything.
    #[test]
    fn a_first_byte_tells() {
        use Other::{Clear, Silent, Ssh, Ssl2, Tls};
        for other in [Silent, Clear, Tls, Ssl2, Ssh] {
            for why in [Why::Turn, Why::Line, Why::Byte] {
                for b in 0..=255 {
                    let nothing = classify(&[b], other, why) == Match::No;
                    assert!(nothing || may_begin(b), "{b} {other:?}");
                    assert!(nothing || classify(&[], other, why) == Match::More);
                }
            }
        }
    }

    fn find(chunks: &[&[u8]], other: Other) -> Option<Found> {
        let mut w = Watch::new();
        for c in chunks {
            let mut data = *c;
            if let Some(f) = w.feed(&mut data, other) {
                return Some(f);
            }
        }
        None
    }

    const HELLO: &[u8] = &[22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3];

    #[test]
    // RFC 8446 §4, §5.1: the first bytes of a record with a hello.
    fn hello_at_the_start_after_a_line_and_cut_in_pieces() {
        assert_eq!(find(&[HELLO], Other::Silent), Some(Found::Tls));
        assert_eq!(
            find(&[b"STARTTLS\r\n", HELLO], Other::Clear),
            Some(Found::Tls)
        );
        let mut w = Watch::new();
        for (i, b) in HELLO.iter().enumerate() {
            let found = w.feed(&mut core::slice::from_ref(b), Other::Clear);
            assert_eq!(found.is_some(), i + 1 == HELLO.len());
        }
        // Not in the middle of a line.
        assert_eq!(find(&[b"x", HELLO], Other::Clear), None);
    }

    #[test]
    fn a_turn_begins_anew_even_after_a_beginning_of_something_else() {
        // PostgreSQL answers an SSL request with one letter, which could begin an SSH line.
        let mut w = Watch::new();
        assert_eq!(w.feed(&mut &b"S"[..], Other::Clear), None);
        w.turn();
        let server = [22, 3, 3, 0, 90, 2, 0, 0, 86, 3, 3];
        assert_eq!(w.feed(&mut &server[..], Other::Tls), Some(Found::Tls));
        assert_eq!(w.head(), server.get(..w.head().len()).unwrap());
    }

    #[test]
    // RFC 4253 §4.2: where an identification line may stand.
    fn ssh_lines() {
        assert_eq!(
            find(&[b"hello\r\nSSH-2.0-x\r\n"], Other::Silent),
            Some(Found::Ssh)
        );
        assert_eq!(find(&[b"SSH-1.99-x\r\n"], Other::Ssh), Some(Found::Ssh));
        assert_eq!(find(&[b"SSH-x\r\n"], Other::Silent), None);
        // A page that quotes such a line is none.
        assert_eq!(find(&[b"<pre>\nSSH-2.0-x\r\n"], Other::Clear), None);
    }

    #[test]
    fn what_comes_directly_before_a_hello() {
        let mut proxy = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        proxy.extend([9; 12]);
        let mysql = [&[32, 0, 0, 1, 0x85, 0xAE, 0xFF][..], &[0; 29]].concat();
        // WILL START_TLS, FOLLOWS.
        let telnet = alloc::vec![255, 251, 46, 255, 250, 46, 1, 255, 240];
        // RFC 5246 §6.2.1, §7.2: nothing, a warning, and nothing again.
        let idle = [
            &[22, 3, 1, 0, 0][..],
            &[21, 3, 1, 0, 2, 1, 112],
            &HELLO[..3],
            &[0, 0],
        ]
        .concat();
        for (preface, other) in [
            (&proxy, Other::Silent),
            (&mysql, Other::Clear),
            (&telnet, Other::Clear),
            (&idle, Other::Silent),
            (&idle, Other::Clear),
        ] {
            assert_eq!(find(&[preface, HELLO], other), Some(Found::Tls));
            let all = [preface, HELLO].concat();
            let bytes: alloc::vec::Vec<&[u8]> = all.chunks(1).collect();
            assert_eq!(find(&bytes, other), Some(Found::Tls));
        }
        let tds = [&[0x12, 1, 0, 100, 0, 0, 0, 0][..], HELLO].concat();
        assert_eq!(find(&[&tds], Other::Clear), Some(Found::Tds));
    }

    #[test]
    // RFC 1928 §3, §4: a client that does not wait for its proxy says all at once.
    fn a_hello_behind_a_binary_preface() {
        let socks = [5, 1, 0, 5, 1, 0, 1, 192, 0, 2, 1, 1, 187];
        // Beginnings of records that are none, and a line end, stand before it.
        let busy = [22, 22, 3, 22, 3, 1, b'\n', 22, 3, 1, 0, 22, 3, 22];
        for before in [&socks[..], &[0], &busy, &[22; 40], &[0xDE; 255]] {
            let all = [before, HELLO].concat();
            assert_eq!(find(&[&all], Other::Silent), Some(Found::Tls), "{before:?}");
            let bytes: alloc::vec::Vec<&[u8]> = all.chunks(1).collect();
            assert_eq!(find(&bytes, Other::Silent), Some(Found::Tls), "{before:?}");
            // Whoever was answered waits for answers.
            assert_eq!(find(&[&[0xDE], &all], Other::Clear), None, "{before:?}");
        }
        let far = [&[0xDE; 256][..], HELLO].concat();
        for chunk in [1, 7, far.len()] {
            let parts: alloc::vec::Vec<&[u8]> = far.chunks(chunk).collect();
            assert_eq!(find(&parts, Other::Silent), None);
        }
        // A server hello, and one that is longer than its message, are none.
        for (at, value) in [(5, 2), (4, 201), (9, 0), (2, 5)] {
            let mut wrong = [&[0xDE][..], HELLO].concat();
            wrong[1 + at] = value;
            assert_eq!(find(&[&wrong], Other::Silent), None, "{at}");
        }
    }

    #[test]
    fn ssl2_hello_must_add_up() {
        let good = [0x80, 9 + 6 + 16, 1, 3, 1, 0, 6, 0, 0, 0, 16];
        assert_eq!(find(&[&good], Other::Silent), Some(Found::Ssl2));
        let mut bad = good;
        bad[1] += 1;
        assert_eq!(find(&[&bad], Other::Silent), None);
    }

    #[test]
    // RFC 8446 §5.1: whatever version the record gives.
    fn the_version_of_the_record_hides_no_hello() {
        for minor in [0, 5, 255] {
            let mut hello = HELLO.to_vec();
            hello[2] = minor;
            assert_eq!(find(&[&hello], Other::Silent), Some(Found::Tls));
        }
    }

    #[test]
    fn one_connection_is_either_tls_or_ssh() {
        assert_eq!(find(&[HELLO], Other::Ssh), None);
        assert_eq!(find(&[b"SSH-2.0-x\r\n"], Other::Tls), None);
    }

    #[test]
    fn an_alert_counts_only_in_answer_to_a_hello() {
        let alert = [21, 3, 3, 0, 2, 2, 40];
        assert_eq!(find(&[&alert], Other::Silent), None);
        assert_eq!(find(&[&alert], Other::Tls), Some(Found::Tls));
    }
}
