//! Fingerprints of clients and servers: JA3, JA4 (client) and HASSH.

use core::fmt::Write as _;

use alloc::vec::Vec;
use md5::Md5;
use sha2::{Digest, Sha256};

use crate::reader::{Reader, u16s};
use crate::text::{Hex, Inline, Ja4};
use crate::tls::hello::{ClientHello, Transport, ext};

/// RFC 8701: values that mean nothing and are sent to keep receivers tolerant.
pub(crate) const fn is_grease(v: u16) -> bool {
    v & 0x0F0F == 0x0A0A && v >> 8 == v & 0xFF
}

/// Writes numbers into a digest, by hand and through a buffer: `core::fmt` and a digest's update for
/// every number took three times as long as all else that is done with a client hello.
struct Hasher<D> {
    digest: D,
    buf: [u8; 128],
    len: usize,
}

impl<D: Digest> Hasher<D> {
    fn new() -> Self {
        Self {
            digest: D::new(),
            buf: [0; 128],
            len: 0,
        }
    }

    fn list(&mut self, values: impl Iterator<Item = u16>, hex: bool, sep: u8) -> usize {
        let mut n = 0;
        for v in values.filter(|v| !is_grease(*v)) {
            if n > 0 {
                self.text(&[sep]);
            }
            if hex {
                let [a, b] = v.to_be_bytes();
                let ([a, b], [c, d]) = (hex_digits(a), hex_digits(b));
                self.text(&[a, b, c, d]);
            } else {
                self.decimal(v);
            }
            n += 1;
        }
        n
    }

    fn decimal(&mut self, v: u16) {
        let digit = |by: u16| b'0' + (v / by % 10) as u8;
        let all = [digit(10_000), digit(1_000), digit(100), digit(10), digit(1)];
        let zeros = match v {
            0..=9 => 4,
            10..=99 => 3,
            100..=999 => 2,
            1_000..=9_999 => 1,
            10_000.. => 0,
        };
        self.text(all.get(zeros..).unwrap_or_default());
    }

    /// Takes a few bytes: fewer than the buffer holds.
    #[inline]
    fn text(&mut self, s: &[u8]) {
        if self.buf.len() - self.len < s.len() {
            self.flush();
        }
        if let Some(room) = self.buf.get_mut(self.len..self.len + s.len()) {
            room.copy_from_slice(s);
            self.len += s.len();
        }
    }

    fn flush(&mut self) {
        self.digest
            .update(self.buf.get(..self.len).unwrap_or_default());
        self.len = 0;
    }

    fn finish(mut self) -> sha2::digest::Output<D> {
        self.flush();
        self.digest.finalize()
    }
}

/// A byte as two lower-case digits.
const fn hex_digits(b: u8) -> [u8; 2] {
    [nibble(b >> 4), nibble(b & 15)]
}

/// JA3: MD5 of `version,ciphers,extensions,groups,point formats`.
pub(crate) fn ja3(hello: &ClientHello<'_>) -> Hex<16> {
    let mut h = Hasher::<Md5>::new();
    h.decimal(hello.version);
    h.text(b",");
    h.list(hello.suites(), false, b'-');
    h.text(b",");
    h.list(hello.extensions().map(|(id, _)| id), false, b'-');
    h.text(b",");
    h.list(hello.u16_list(ext::SUPPORTED_GROUPS), false, b'-');
    h.text(b",");
    let formats = hello
        .extension(ext::EC_POINT_FORMATS)
        .and_then(|e| Reader(e).vec8())
        .unwrap_or_default();
    h.list(formats.iter().map(|b| u16::from(*b)), false, b'-');
    Hex(h.finish().into())
}

/// JA4 of a client hello.
pub(crate) fn ja4(hello: &ClientHello<'_>, scratch: &mut Vec<u16>) -> Ja4 {
    let mut out = Inline::<36>::new();
    let version = match hello.highest_version() {
        0x0304 => *b"13",
        0x0303 => *b"12",
        0x0302 => *b"11",
        0x0301 => *b"10",
        0x0300 => *b"s3",
        0x0002 => *b"s2",
        0xFEFC => *b"d3",
        0xFEFD => *b"d2",
        0xFEFF => *b"d1",
        _ => *b"00",
    };
    let transport = match hello.transport {
        Transport::Tcp => 't',
        #[cfg(feature = "quic")]
        Transport::Quic => 'q',
        Transport::Dtls => 'd',
    };
    let sni = if hello.extension(ext::SERVER_NAME).is_some() {
        'd'
    } else {
        'i'
    };
    let real = |v: &u16| !is_grease(*v);
    let suites = hello.suites().filter(real).count().min(99);
    let extensions = hello
        .extensions()
        .filter(|(id, _)| real(id))
        .count()
        .min(99);
    let first = hello
        .extension(ext::ALPN)
        .and_then(|e| Reader(Reader(e).vec16()?).vec8())
        .unwrap_or_default();
    let (a, z) = match (first.first(), first.last()) {
        (Some(a), Some(z)) if a.is_ascii_alphanumeric() && z.is_ascii_alphanumeric() => {
            (char::from(*a), char::from(*z))
        }
        (Some(a), Some(z)) => (char::from(nibble(a >> 4)), char::from(nibble(z & 15))),
        _ => ('0', '0'),
    };
    let two = |n: usize| [n / 10, n % 10].map(|d| char::from(b'0' + d as u8));
    let ([s0, s1], [e0, e1]) = (two(suites), two(extensions));
    let [v0, v1] = version.map(char::from);
    for c in [transport, v0, v1, sni, s0, s1, e0, e1, a, z, '_'] {
        // All parts have fixed widths that sum to 36.
        let _ok = out.write_char(c);
    }

    scratch.clear();
    scratch.extend(hello.suites().filter(real));
    scratch.sort_unstable();
    let mut h = Hasher::<Sha256>::new();
    let n = h.list(scratch.iter().copied(), true, b',');
    write_short(&mut out, n, h);
    let _ok = out.write_str("_");

    scratch.clear();
    scratch.extend(
        hello
            .extensions()
            .map(|(id, _)| id)
            .filter(|id| real(id) && !matches!(*id, ext::SERVER_NAME | ext::ALPN)),
    );
    scratch.sort_unstable();
    let mut h = Hasher::<Sha256>::new();
    let mut n = h.list(scratch.iter().copied(), true, b',');
    let schemes = hello.u16_list(ext::SIGNATURE_ALGORITHMS);
    if schemes.clone().any(|v| real(&v)) {
        h.text(b"_");
        n += h.list(schemes, true, b',');
    }
    write_short(&mut out, n, h);
    Ja4(out)
}

const fn nibble(n: u8) -> u8 {
    if n < 10 { b'0' + n } else { b'a' + n - 10 }
}

/// The first twelve digits of a digest, or zeros for an empty list.
fn write_short(out: &mut Inline<36>, items: usize, h: Hasher<Sha256>) {
    let digest: [u8; 32] = h.finish().into();
    for b in digest.iter().take(6) {
        let b = if items == 0 { 0 } else { *b };
        for digit in hex_digits(b) {
            // All parts have fixed widths that sum to 36.
            let _ok = out.write_char(char::from(digit));
        }
    }
}

/// HASSH: MD5 of `kex;encryption;mac;compression`, each list as it was sent.
pub(crate) fn hassh(kex: &[u8], encryption: &[u8], mac: &[u8], compression: &[u8]) -> Hex<16> {
    let mut h = Md5::new();
    for (i, list) in [kex, encryption, mac, compression].iter().enumerate() {
        if i > 0 {
            h.update(b";");
        }
        h.update(list);
    }
    Hex(h.finalize().into())
}

/// SHA-256 of some bytes.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The numbers of a list of 16-bit values behind a 16-bit length, GREASE included.
pub(crate) fn list16(body: &[u8]) -> impl Iterator<Item = u16> + Clone + '_ {
    u16s(Reader(body).vec16().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn digits<const N: usize>(h: Hex<N>) -> alloc::string::String {
        h.to_string()
    }

    fn ids(text: &str) -> Vec<u16> {
        text.split([',', '-'])
            .filter(|s| !s.is_empty())
            .map(|s| u16::from_str_radix(s, 16).unwrap())
            .collect()
    }

    /// A hello with the given lists, in wire form.
    fn hello(version: u16, suites: &[u16], extensions: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut b = version.to_be_bytes().to_vec();
        b.extend([7; 32]);
        b.push(0);
        b.extend((suites.len() as u16 * 2).to_be_bytes());
        b.extend(suites.iter().flat_map(|s| s.to_be_bytes()));
        b.extend([1, 0]);
        if !extensions.is_empty() {
            let e: Vec<u8> = extensions
                .iter()
                .flat_map(|(id, body)| {
                    [
                        &id.to_be_bytes()[..],
                        &(body.len() as u16).to_be_bytes(),
                        body,
                    ]
                    .concat()
                })
                .collect();
            b.extend((e.len() as u16).to_be_bytes());
            b.extend(e);
        }
        b
    }

    fn list(values: &[u16]) -> Vec<u8> {
        let mut b = (values.len() as u16 * 2).to_be_bytes().to_vec();
        b.extend(values.iter().flat_map(|s| s.to_be_bytes()));
        b
    }

    #[test]
    fn ja3_vectors() {
        let b = hello(
            769,
            &[47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
            &[
                (0, alloc::vec![]),
                (10, list(&[23, 24, 25])),
                (11, alloc::vec![1, 0]),
            ],
        );
        assert_eq!(
            digits(ja3(&ClientHello::parse(&b).unwrap())),
            "ada70206e40642a3e4461f35503241d5"
        );
        let b = hello(769, &[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], &[]);
        assert_eq!(
            digits(ja3(&ClientHello::parse(&b).unwrap())),
            "de350869b8c85de67a350c8d186f11e6"
        );
    }

    #[test]
    fn ja4_vector() {
        let suites =
            ids("002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9,0a0a");
        let schemes = ids("0403,0804,0401,0503,0805,0501,0806,0601");
        let mut extensions: Vec<(u16, Vec<u8>)> =
            ids("000a,000b,0005,0012,0015,0017,001b,0023,002d,0033,4469,ff01")
                .into_iter()
                .map(|id| (id, alloc::vec![]))
                .collect();
        extensions.push((0x000D, list(&schemes)));
        extensions.push((0x0000, alloc::vec![]));
        extensions.push((0x0010, b"\x00\x0c\x02h2\x08http/1.1".to_vec()));
        extensions.push((0x1A1A, alloc::vec![]));
        extensions.push((0x002B, b"\x06\x2a\x2a\x03\x04\x03\x03".to_vec()));
        let b = hello(0x0303, &suites, &extensions);
        assert_eq!(
            ja4(&ClientHello::parse(&b).unwrap(), &mut Vec::new()).as_str(),
            "t13d1516h2_8daaf6152771_e5627efa2ab1"
        );
    }

    #[test]
    fn hassh_vector() {
        assert_eq!(
            digits(hassh(
                b"curve25519-sha256,ecdh-sha2-nistp256",
                b"aes256-gcm@openssh.com,aes128-ctr",
                b"hmac-sha2-256-etm@openssh.com",
                b"none"
            )),
            "c55d02d3e440d1a62006783bee882b50"
        );
    }

    #[test]
    fn grease() {
        assert!(is_grease(0x0A0A) && is_grease(0xFAFA));
        assert!(!is_grease(0x0A1A) && !is_grease(0x1301));
    }
}
