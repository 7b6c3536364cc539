//! Client and server hellos (RFC 8446 §4.1, RFC 5246 §7.4.1, RFC 6101 §5.6.1, SSL 2.0 form).

use crate::fingerprint::{is_grease, list16};
use crate::reader::{Reader, u16s};

/// Extension numbers.
pub(crate) mod ext {
    pub(crate) const SERVER_NAME: u16 = 0;
    pub(crate) const SUPPORTED_GROUPS: u16 = 10;
    pub(crate) const EC_POINT_FORMATS: u16 = 11;
    pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(crate) const ALPN: u16 = 16;
    pub(crate) const ENCRYPT_THEN_MAC: u16 = 22;
    pub(crate) const EXTENDED_MASTER_SECRET: u16 = 23;
    /// `key_share` of the drafts before 23.
    pub(crate) const KEY_SHARE_DRAFT: u16 = 40;
    pub(crate) const PRE_SHARED_KEY: u16 = 41;
    pub(crate) const EARLY_DATA: u16 = 42;
    pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
    pub(crate) const KEY_SHARE: u16 = 51;
    pub(crate) const ENCRYPTED_CLIENT_HELLO: u16 = 0xFE0D;
    /// `encrypted_server_name` of the early drafts.
    pub(crate) const ENCRYPTED_SNI: u16 = 0xFFCE;
}

/// RFC 8446 §4.1.3: the random value that makes a server hello a `HelloRetryRequest`.
const RETRY_RANDOM: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91,
    0xC2, 0xA2, 0x11, 0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

fn extensions(body: &[u8]) -> impl Iterator<Item = (u16, &[u8])> + Clone {
    let mut r = Reader(body);
    core::iter::from_fn(move || {
        let id = r.u16()?;
        let data = r.vec16()?;
        Some((id, data))
    })
}

/// What carries a hello: it decides a letter of JA4, and how versions are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    #[cfg(feature = "quic")]
    Quic,
    Dtls,
}

/// A client hello, still in its bytes.
#[derive(Clone, Copy)]
pub(crate) struct ClientHello<'a> {
    /// `legacy_version`.
    pub(crate) version: u16,
    /// The random value; of the SSL 2.0 form the challenge, filled up with leading zeros
    /// (RFC 5246 appendix E.2).
    pub(crate) random: [u8; 32],
    suites: &'a [u8],
    /// SSL 2.0 form: cipher specs of three bytes.
    pub(crate) ssl2: bool,
    /// Nothing was missing or left over.
    pub(crate) whole: bool,
    /// What carries it.
    pub(crate) transport: Transport,
    extensions: &'a [u8],
}

impl<'a> ClientHello<'a> {
    /// Reads the body of a handshake message over TCP.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        Self::parse_over(body, Transport::Tcp)
    }

    /// Reads the body of a handshake message. What is missing or wrong after the suites is
    /// tolerated: a record shows what was there.
    pub(crate) fn parse_over(body: &'a [u8], transport: Transport) -> Option<Self> {
        let mut r = Reader(body);
        let version = r.u16()?;
        let random = *r.array::<32>()?;
        r.vec8()?; // session id
        if transport == Transport::Dtls {
            r.vec8()?; // cookie (RFC 6347 §4.2.1)
        }
        let suites = r.vec16()?;
        let compression = r.vec8();
        let old = r.is_empty(); // no extensions at all
        let extensions = r.vec16();
        let whole = compression.is_some()
            && suites.len() % 2 == 0
            && (old || extensions.is_some() && r.is_empty());
        let extensions = extensions.unwrap_or_default();
        Some(Self {
            version,
            random,
            suites,
            ssl2: false,
            whole,
            transport,
            extensions,
        })
    }

    /// Reads a hello in SSL 2.0 form, from its message type on (RFC 6101 appendix E).
    pub(crate) fn parse_ssl2(body: &'a [u8]) -> Option<Self> {
        let mut r = Reader(body);
        if r.u8()? != 1 {
            return None;
        }
        let version = r.u16()?;
        let suites = r.u16()?;
        let session_id = r.u16()?;
        let challenge = r.u16()?;
        let suites = r.take(suites.into())?;
        r.take(session_id.into())?;
        let mut random = [0; 32];
        let challenge = r.take(challenge.into()).unwrap_or_default();
        for (place, byte) in random.iter_mut().rev().zip(challenge.iter().rev()) {
            *place = *byte;
        }
        Some(Self {
            version,
            random,
            suites,
            ssl2: true,
            whole: true,
            transport: Transport::Tcp,
            extensions: &[],
        })
    }

    /// The offered suites, GREASE included. Of the SSL 2.0 form only those that SSL 3 and TLS
    /// know too.
    pub(crate) fn suites(&self) -> impl Iterator<Item = u16> + Clone + 'a {
        let (new, old) = if self.ssl2 {
            (&[][..], self.suites)
        } else {
            (self.suites, &[][..])
        };
        let old = old
            .as_chunks::<3>()
            .0
            .iter()
            .filter(|[kind, _, _]| *kind == 0)
            .map(|[_, a, b]| u16::from_be_bytes([*a, *b]));
        u16s(new).chain(old)
    }

    pub(crate) fn extensions(&self) -> impl Iterator<Item = (u16, &'a [u8])> + Clone + use<'a> {
        extensions(self.extensions)
    }

    pub(crate) fn extension(&self, id: u16) -> Option<&'a [u8]> {
        self.extensions().find(|(i, _)| *i == id).map(|(_, d)| d)
    }

    /// The values of an extension that is one list of 16-bit numbers behind a 16-bit length.
    pub(crate) fn u16_list(&self, id: u16) -> impl Iterator<Item = u16> + Clone + use<'a> {
        list16(self.extension(id).unwrap_or_default())
    }

    /// The highest version offered (RFC 8446 §4.2.1), drafts as they are numbered.
    pub(crate) fn highest_version(&self) -> u16 {
        self.extension(ext::SUPPORTED_VERSIONS)
            .and_then(|e| Reader(e).vec8())
            .and_then(|list| {
                let offered = u16s(list).filter(|v| !is_grease(*v));
                if self.transport == Transport::Dtls {
                    // RFC 6347 §4.1: its versions are counted downwards.
                    offered.filter(|v| v >> 8 == 0xFE).min()
                } else {
                    offered.max()
                }
            })
            .unwrap_or(self.version)
    }

    /// The first host name (RFC 6066 §3).
    pub(crate) fn server_name(&self) -> Option<&'a [u8]> {
        let mut list = Reader(Reader(self.extension(ext::SERVER_NAME)?).vec16()?);
        loop {
            let kind = list.u8()?;
            let name = list.vec16()?;
            if kind == 0 {
                return Some(name);
            }
        }
    }
}

/// A server hello or hello retry request, still in its bytes.
#[derive(Clone, Copy)]
pub(crate) struct ServerHello<'a> {
    /// Negotiated version: `supported_versions`, else `legacy_version`.
    pub(crate) version: u16,
    pub(crate) suite: u16,
    /// It is a `HelloRetryRequest`.
    pub(crate) retry: bool,
    pub(crate) session_id: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> ServerHello<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut r = Reader(body);
        let legacy = r.u16()?;
        let random = r.array::<32>()?;
        // The drafts before 22 leave session id and compression out; they put their own number
        // here, the earliest 0x0304, and no later version does (RFC 8446 §4.1.3).
        let short = legacy >> 8 == 0x7F || legacy == 0x0304;
        let session_id = if short { &[] } else { r.vec8()? };
        let suite = r.u16()?;
        if !short {
            r.u8()?;
        }
        let mut me = Self {
            version: legacy,
            suite,
            retry: *random == RETRY_RANDOM,
            session_id,
            extensions: r.vec16().unwrap_or_default(),
        };
        if let Some(v) = me.extension(ext::SUPPORTED_VERSIONS)
            && let Some(v) = Reader(v).u16()
        {
            me.version = v;
        }
        Some(me)
    }

    /// Reads a retry request of the drafts before 22, a message of its own.
    pub(crate) fn parse_draft_retry(body: &'a [u8]) -> Option<Self> {
        let mut r = Reader(body);
        let version = r.u16()?;
        // From draft 19 on a suite stands before the extensions.
        let rest = r.0;
        let mut extensions = Reader(rest).vec16();
        if extensions.is_none_or(|e| e.len() + 2 != rest.len()) {
            let _suite = r.u16()?;
            extensions = r.vec16();
        }
        Some(Self {
            version,
            suite: 0,
            retry: true,
            session_id: &[],
            extensions: extensions?,
        })
    }

    pub(crate) fn extension(&self, id: u16) -> Option<&'a [u8]> {
        extensions(self.extensions)
            .find(|(i, _)| *i == id)
            .map(|(_, d)| d)
    }

    /// The group of the key share (RFC 8446 §4.2.8).
    pub(crate) fn group(&self) -> Option<u16> {
        let share = self
            .extension(ext::KEY_SHARE)
            .or_else(|| self.extension(ext::KEY_SHARE_DRAFT))?;
        Reader(share).u16()
    }

    /// The application protocol the server chose (RFC 7301 §3.1).
    pub(crate) fn alpn(&self) -> Option<&'a [u8]> {
        Reader(Reader(self.extension(ext::ALPN)?).vec16()?).vec8()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    // RFC 8446 §4.1.3: the retry random is the SHA-256 of "HelloRetryRequest".
    fn retry_random() {
        assert_eq!(
            crate::fingerprint::sha256(b"HelloRetryRequest"),
            RETRY_RANDOM
        );
    }

    #[test]
    fn server_hello_of_1_3_and_of_an_early_draft() {
        let mut b: Vec<u8> = [&[3, 3][..], &[9; 32], &[0, 0x13, 0x01, 0, 0, 12]].concat();
        b.extend([0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 29]);
        let h = ServerHello::parse(&b).unwrap();
        assert_eq!((h.version, h.suite, h.group()), (0x0304, 0x1301, Some(29)));
        assert!(!h.retry);

        let mut b: Vec<u8> = [&[0x7F, 0x12][..], &[9; 32], &[0x13, 0x02, 0, 6]].concat();
        b.extend([0, 40, 0, 2, 0, 23]);
        let h = ServerHello::parse(&b).unwrap();
        assert_eq!((h.version, h.suite, h.group()), (0x7F12, 0x1302, Some(23)));
    }

    #[test]
    // RFC 6101 appendix E: cipher specs of three bytes, those of SSL 3 begin with zero.
    fn ssl2_form() {
        let mut b = alloc::vec![1, 3, 1, 0, 6, 0, 0, 0, 16, 1, 0, 0x80, 0, 0, 0x2F];
        b.extend([5; 16]);
        let h = ClientHello::parse_ssl2(&b).unwrap();
        assert_eq!(h.version, 0x0301);
        assert_eq!(h.suites().collect::<Vec<_>>(), [0x2F]);
    }
}
