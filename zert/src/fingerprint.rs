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

/// Feeds written text into a digest.
struct Hasher<D>(D);

impl<D: Digest> core::fmt::Write for Hasher<D> {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        self.0.update(s.as_bytes());
        Ok(())
    }
}

impl<D: Digest> Hasher<D> {
    fn list(&mut self, values: impl Iterator<Item = u16>, hex: bool, sep: char) -> usize {
        let mut n = 0;
        for v in values.filter(|v| !is_grease(*v)) {
            // A digest takes every text.
            let _ok = match (n, hex) {
                (0, false) => write!(self, "{v}"),
                (0, true) => write!(self, "{v:04x}"),
                (_, false) => write!(self, "{sep}{v}"),
                (_, true) => write!(self, "{sep}{v:04x}"),
            };
            n += 1;
        }
        n
    }

    fn text(&mut self, s: &str) {
        self.0.update(s.as_bytes());
    }
}

/// JA3: MD5 of `version,ciphers,extensions,groups,point formats`.
pub(crate) fn ja3(hello: &ClientHello<'_>) -> Hex<16> {
    let mut h = Hasher(Md5::new());
    let _ok = write!(h, "{},", hello.version);
    h.list(hello.suites(), false, '-');
    h.text(",");
    h.list(hello.extensions().map(|(id, _)| id), false, '-');
    h.text(",");
    h.list(hello.u16_list(ext::SUPPORTED_GROUPS), false, '-');
    h.text(",");
    let formats = hello
        .extension(ext::EC_POINT_FORMATS)
        .and_then(|e| Reader(e).vec8())
        .unwrap_or_default();
    h.list(formats.iter().map(|b| u16::from(*b)), false, '-');
    Hex(h.0.finalize().into())
}

/// JA4 of a client hello.
pub(crate) fn ja4(hello: &ClientHello<'_>, scratch: &mut Vec<u16>) -> Ja4 {
    let mut out = Inline::<36>::new();
    let version = match hello.highest_version() {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xFEFC => "d3",
        0xFEFD => "d2",
        0xFEFF => "d1",
        _ => "00",
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
        (Some(a), Some(z)) => (nibble(a >> 4), nibble(z & 15)),
        _ => ('0', '0'),
    };
    // All parts have fixed widths that sum to 36.
    let _ok = write!(
        out,
        "{transport}{version}{sni}{suites:02}{extensions:02}{a}{z}_"
    );

    scratch.clear();
    scratch.extend(hello.suites().filter(real));
    scratch.sort_unstable();
    let mut h = Hasher(Sha256::new());
    let n = h.list(scratch.iter().copied(), true, ',');
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
    let mut h = Hasher(Sha256::new());
    let mut n = h.list(scratch.iter().copied(), true, ',');
    let schemes = hello.u16_list(ext::SIGNATURE_ALGORITHMS);
    if schemes.clone().any(|v| real(&v)) {
        h.text("_");
        n += h.list(schemes, true, ',');
    }
    write_short(&mut out, n, h);
    Ja4(out)
}

const fn nibble(n: u8) -> char {
    (if n < 10 { b'0' + n } else { b'a' + n - 10 }) as char
}

/// The first twelve digits of a digest, or zeros for an empty list.
fn write_short(out: &mut Inline<36>, items: usize, h: Hasher<Sha256>) {
    let digest: [u8; 32] = h.0.finalize().into();
    for b in digest.iter().take(6) {
        let b = if items == 0 { 0 } else { *b };
        let _ok = write!(out, "{b:02x}");
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
