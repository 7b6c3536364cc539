//! `SSH_MSG_KEXINIT` and what follows from two of them (RFC 4253 §7.1).

use crate::reader::Reader;
use crate::record::SshFacts;
use crate::text::Text;

/// One side's offer, still in its bytes.
#[derive(Clone, Copy)]
pub(super) struct KexInit<'a> {
    pub(super) kex: &'a [u8],
    host_key: &'a [u8],
    pub(super) cipher_c2s: &'a [u8],
    pub(super) cipher_s2c: &'a [u8],
    pub(super) mac_c2s: &'a [u8],
    pub(super) mac_s2c: &'a [u8],
    pub(super) compression_c2s: &'a [u8],
    pub(super) compression_s2c: &'a [u8],
}

/// How many names of a list are looked at: real lists have fewer than 64, and comparing two costs
/// their product.
const MOST_NAMES: usize = 256;

fn names(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    list.split(|b| *b == b',')
        .filter(|n| !n.is_empty())
        .take(MOST_NAMES)
}

/// Names in the key exchange list that are no methods (RFC 8308 §2.1, and OpenSSH's PROTOCOL).
fn is_marker(name: &[u8]) -> bool {
    name.starts_with(b"ext-info-") || name.starts_with(b"kex-strict-")
}

impl<'a> KexInit<'a> {
    /// Reads a payload, message number first.
    pub(super) fn parse(payload: &'a [u8]) -> Option<Self> {
        let mut r = Reader(payload);
        r.u8()?;
        r.array::<16>()?; // cookie
        Some(Self {
            kex: r.vec32()?,
            host_key: r.vec32()?,
            cipher_c2s: r.vec32()?,
            cipher_s2c: r.vec32()?,
            mac_c2s: r.vec32()?,
            mac_s2c: r.vec32()?,
            compression_c2s: r.vec32()?,
            compression_s2c: r.vec32()?,
        })
    }

    /// Whether the sender has given away that it is the client or the server.
    pub(super) fn says_client(&self) -> Option<bool> {
        names(self.kex).find_map(|n| {
            if n == b"ext-info-c" || n.starts_with(b"kex-strict-c-") {
                Some(true)
            } else if n == b"ext-info-s" || n.starts_with(b"kex-strict-s-") {
                Some(false)
            } else {
                None
            }
        })
    }

    /// Whether the sender offers OpenSSH's strict key exchange for its role.
    fn is_strict(&self, marker: &[u8]) -> bool {
        names(self.kex).any(|n| n == marker)
    }

    /// The first of the client's names that the server has too.
    /// Says whether all names fitted.
    pub(super) fn negotiate(&self, server: &Self, facts: &mut SshFacts) -> bool {
        fn first(client: &[u8], server: &[u8], to: &mut Text) -> bool {
            to.clear();
            let common = names(client)
                .filter(|n| !is_marker(n))
                .find(|n| names(server).any(|s| s == *n));
            common.is_none_or(|name| to.set(name, super::LONGEST_NAME))
        }
        let (c, f) = (self, facts);
        // Each side only believes the marker of the other role.
        let strict = c.is_strict(b"kex-strict-c-v00@openssh.com")
            && server.is_strict(b"kex-strict-s-v00@openssh.com");
        f.strict_kex = Some(strict);
        [
            first(c.kex, server.kex, &mut f.kex),
            first(c.host_key, server.host_key, &mut f.host_key_alg),
            first(c.cipher_c2s, server.cipher_c2s, &mut f.c2s.cipher),
            first(c.cipher_s2c, server.cipher_s2c, &mut f.s2c.cipher),
            first(c.mac_c2s, server.mac_c2s, &mut f.c2s.mac),
            first(c.mac_s2c, server.mac_s2c, &mut f.s2c.mac),
            first(
                c.compression_c2s,
                server.compression_c2s,
                &mut f.c2s.compression,
            ),
            first(
                c.compression_s2c,
                server.compression_s2c,
                &mut f.s2c.compression,
            ),
        ]
        .iter()
        .all(|fits| *fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn offer(lists: [&str; 8]) -> Vec<u8> {
        let mut b = alloc::vec![20];
        b.extend([0; 16]);
        for l in lists {
            b.extend((l.len() as u32).to_be_bytes());
            b.extend(l.as_bytes());
        }
        b.extend([0; 13]);
        b
    }

    #[test]
    // RFC 4253 §7.1, RFC 8308 §2.1: the client's order decides; markers are no methods.
    fn the_first_common_name_wins() {
        let c = offer([
            "ext-info-c,a,b",
            "k2,k1",
            "x,y",
            "y,x",
            "m1",
            "m1,m2",
            "none",
            "zlib,none",
        ]);
        let s = offer([
            "b,a,ext-info-c",
            "k1",
            "y,x",
            "x",
            "m2",
            "m2",
            "none,zlib",
            "none",
        ]);
        let (c, s) = (KexInit::parse(&c).unwrap(), KexInit::parse(&s).unwrap());
        assert_eq!(c.says_client(), Some(true));
        let mut f = SshFacts::default();
        assert!(c.negotiate(&s, &mut f));
        assert_eq!(f.kex.get(), Some("a"));
        assert_eq!(f.host_key_alg.get(), Some("k1"));
        assert_eq!(f.c2s.cipher.get(), Some("x"));
        assert_eq!(f.s2c.cipher.get(), Some("x"));
        assert_eq!(f.c2s.mac.get(), None);
        assert_eq!(f.s2c.mac.get(), Some("m2"));
        assert_eq!(f.s2c.compression.get(), Some("none"));
        assert_eq!(f.strict_kex, Some(false));
    }

    #[test]
    fn strict_key_exchange_takes_both() {
        let of = |client: &str, server: &str| {
            let [c, s] = [client, server].map(|k| offer([k, "k", "c", "c", "m", "m", "n", "n"]));
            let mut f = SshFacts::default();
            let (c, s) = (KexInit::parse(&c).unwrap(), KexInit::parse(&s).unwrap());
            assert!(c.negotiate(&s, &mut f));
            f.strict_kex
        };
        let (client, server) = (
            "a,kex-strict-c-v00@openssh.com",
            "a,kex-strict-s-v00@openssh.com",
        );
        assert_eq!(of(client, server), Some(true));
        assert_eq!(of("a", server), Some(false));
        assert_eq!(of(client, "a"), Some(false));
        // The marker of the other role counts for nothing.
        assert_eq!(of(client, client), Some(false));
    }

    #[test]
    fn endless_lists_are_not_compared_to_the_end() {
        let long = |last: &str| {
            let mut list = alloc::string::String::new();
            for i in 0..MOST_NAMES {
                list.push_str(&alloc::format!("{last}{i},"));
            }
            list + "common"
        };
        let (a, b) = (long("a"), long("b"));
        let [a, b] = [a, b].map(|l| offer([&l, "k", "c", "c", "m", "m", "none", "none"]));
        let mut f = SshFacts::default();
        let (a, b) = (KexInit::parse(&a).unwrap(), KexInit::parse(&b).unwrap());
        assert!(a.negotiate(&b, &mut f));
        assert_eq!((f.kex.get(), f.c2s.cipher.get()), (None, Some("c")));
    }

    #[test]
    fn a_short_offer_is_refused() {
        let b = offer(["a"; 8]);
        assert!(KexInit::parse(b.get(..b.len() - 20).unwrap()).is_none());
    }
}
