//! What names a session.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use hostward_hook::ident::{JobId, UserId};
use sha2::{Digest as _, Sha256};

use super::port::ServerEnd;
use crate::record::{Protocol, Record};

/// Who talks to whom in a session, and who owns the local end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SessionKey {
    /// The server.
    pub server: IpAddr,
    /// The client.
    pub client: IpAddr,
    /// First port of the server.
    pub first_port: u16,
    /// Last port of the server.
    pub last_port: u16,
    /// IP protocol.
    pub ip_protocol: u8,
    /// The local end is the server.
    pub is_server: bool,
    /// User of the local socket.
    pub user: UserId,
    /// Job of the local socket.
    pub job: JobId,
}

impl SessionKey {
    pub(super) fn of(record: &Record, end: ServerEnd, is_server: bool) -> Self {
        let (local, remote) = (record.local().ip(), record.remote().ip());
        let (server, client) = if end.is_local {
            (local, remote)
        } else {
            (remote, local)
        };
        Self {
            server,
            client,
            first_port: end.first,
            last_port: end.last,
            ip_protocol: super::ip_protocol(record),
            is_server,
            user: record.user,
            job: record.job,
        }
    }

    /// Of the session that counts what has no place.
    pub(super) fn overflow(is_server: bool) -> Self {
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self {
            server: nowhere,
            client: nowhere,
            first_port: 0,
            last_port: 0,
            ip_protocol: 6,
            is_server,
            user: UserId::default(),
            job: JobId::default(),
        }
    }

    /// The key in words, for a hash; different for different keys.
    pub(super) fn words(&self) -> [u64; 7] {
        let halves = |ip: IpAddr| {
            let bits = match ip {
                IpAddr::V4(a) => a.to_ipv6_mapped().to_bits(),
                IpAddr::V6(a) => a.to_bits(),
            };
            ((bits >> 64) as u64, bits as u64)
        };
        let (server, client) = (halves(self.server), halves(self.client));
        let ports = u64::from(self.first_port) << 16 | u64::from(self.last_port);
        let kind = u64::from(self.ip_protocol) << 1 | u64::from(self.is_server);
        [
            server.0,
            server.1,
            client.0,
            client.1,
            ports << 32 | kind,
            self.user.0.into(),
            self.job.0.into(),
        ]
    }
}

/// The identifier of a session: the same wherever and whenever it is made, different for different
/// sessions. Shown as two letters — `T` TLS, `S` SSH, `I` IPsec, `C` clear or anything else; `S` when
/// the local end is the server, `C` when it is the client — and 40 hexadecimal digits: the first
/// 160 bits of SHA-256 over key and attributes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    letters: [u8; 2],
    hash: [u8; 20],
}

impl SessionId {
    pub(super) fn of(
        key: &SessionKey,
        protocol: Protocol,
        failed: bool,
        attributes: &[u8],
    ) -> Self {
        let mut sha = Sha256::new();
        for word in key.words() {
            sha.update(word.to_be_bytes());
        }
        sha.update(attributes);
        let digest: [u8; 32] = sha.finalize().into();
        let mut hash = [0; 20];
        for (to, from) in hash.iter_mut().zip(digest) {
            *to = from;
        }
        let first = match protocol {
            Protocol::Tls if !failed => b'T',
            Protocol::Ssh if !failed => b'S',
            Protocol::Ipsec => b'I',
            Protocol::None
            | Protocol::Tls
            | Protocol::Ssh
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard => b'C',
        };
        let second = if key.is_server { b'S' } else { b'C' };
        Self {
            letters: [first, second],
            hash,
        }
    }

    /// An identifier that is known already, by its letters and hash.
    #[must_use]
    pub const fn from_parts(letters: [u8; 2], hash: [u8; 20]) -> Self {
        Self { letters, hash }
    }

    /// The 42 characters.
    #[must_use]
    pub fn to_ascii(&self) -> [u8; 42] {
        let digit = |n: u8| if n < 10 { b'0' + n } else { b'A' + n - 10 };
        let mut out = [0; 42];
        let digits = self
            .hash
            .iter()
            .flat_map(|b| [digit(b >> 4), digit(b & 15)]);
        for (to, from) in out.iter_mut().zip(self.letters.into_iter().chain(digits)) {
            *to = from;
        }
        out
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ascii = self.to_ascii();
        f.write_str(core::str::from_utf8(&ascii).unwrap_or(""))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
