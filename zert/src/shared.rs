//! Facts in the form in which connections share them: all texts in one piece of memory, nothing of
//! what only one connection has. A third of what the public form takes, which is made to be written
//! into again and again.

use alloc::boxed::Box;
use alloc::string::String;
use core::hash::{Hash as _, Hasher as _};

use hostward_hook::protection::{Fips, Handshake};

use crate::intern::{Mix, Weight};
use crate::record::{Certificate, CipherSuite, Group, Oid, SshFacts, TlsFacts, TlsVersion};
use crate::text::{CertTime, Hex, Ja4, KeyFingerprint, Text};

/// Texts one after the other.
#[derive(Debug)]
struct Texts<const N: usize> {
    all: Box<str>,
    /// Lengths, [`UNKNOWN`] of what is not known.
    lens: [u16; N],
}

/// Longer than any text.
const UNKNOWN: u16 = u16::MAX;

fn length(text: &Text) -> u16 {
    text.get().map_or(UNKNOWN, |t| t.len() as u16)
}

impl<const N: usize> Texts<N> {
    fn of(texts: [&Text; N]) -> Self {
        let known = || texts.iter().filter_map(|t| t.get());
        let mut all = String::with_capacity(known().map(str::len).sum());
        known().for_each(|t| all.push_str(t));
        Self {
            all: all.into_boxed_str(),
            lens: texts.map(length),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        let mut rest = &*self.all;
        self.lens.iter().map(move |len| {
            if *len == UNKNOWN {
                return None;
            }
            let (text, after) = rest.split_at_checked((*len).into()).unwrap_or((rest, ""));
            rest = after;
            Some(text)
        })
    }

    fn is(&self, texts: [&Text; N]) -> bool {
        self.lens == texts.map(length) && self.iter().eq(texts.map(Text::get))
    }

    fn show(&self, texts: [&mut Text; N]) {
        for (to, from) in texts.into_iter().zip(self.iter()) {
            to.assign_str(from);
        }
    }
}

/// Makes the shared form of facts from the list of what is shared.
macro_rules! shared {
    ($(#[$doc:meta])* $Shared:ident of $Facts:ident {
        $($field:ident: $Type:ty,)*
    } texts($count:literal) { $($text:ident $(. $part:ident)?,)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $Shared {
            $($field: $Type,)*
            texts: Texts<$count>,
        }

        impl $Shared {
            pub(crate) fn of(facts: &$Facts) -> Self {
                Self {
                    $($field: Clone::clone(&facts.$field),)*
                    texts: Texts::of([$(&facts.$text $(.$part)?,)*]),
                }
            }

            /// A number that facts have in common which are shared.
            pub(crate) fn key(facts: &$Facts) -> u64 {
                let mut mix = Mix::default();
                $(facts.$field.hash(&mut mix);)*
                $(facts.$text $(.$part)?.get().hash(&mut mix);)*
                mix.finish()
            }

            /// Whether it is what is shared of these facts.
            pub(crate) fn is(&self, facts: &$Facts) -> bool {
                $(self.$field == facts.$field &&)*
                self.texts.is([$(&facts.$text $(.$part)?,)*])
            }

            /// Writes it over the facts; what is not shared stays.
            pub(crate) fn show(&self, facts: &mut $Facts) {
                $(facts.$field = Clone::clone(&self.$field);)*
                self.texts.show([$(&mut facts.$text $(.$part)?,)*]);
            }

            /// As facts.
            pub(crate) fn facts(&self) -> $Facts {
                let mut facts = $Facts::default();
                self.show(&mut facts);
                facts
            }
        }
    };
}

shared! {
    /// What TLS sessions share; certificates are shared by themselves.
    TlsSet of TlsFacts {
        version: Option<TlsVersion>,
        cipher: Option<CipherSuite>,
        group: Option<Group>,
        client_cert_requested: Option<bool>,
        client_cert_sent: Option<bool>,
        resumed: Option<bool>,
        hello_retry: bool,
        ja3: Option<Hex<16>>,
        ja4: Option<Ja4>,
        client_hello_max_version: Option<TlsVersion>,
        signature_scheme: Option<u16>,
        client_signature_scheme: Option<u16>,
        handshake: Handshake,
        raw_public_key: Option<bool>,
        fips: Fips,
        quic_version: Option<u32>,
        ssl2_client_hello: bool,
        early_data_offered: bool,
        ech_extension: bool,
        encrypt_then_mac: bool,
        extended_master_secret: bool,
    } texts(3) { sni, alpn, provider, }
}

shared! {
    /// An X.509 certificate.
    Leaf of Certificate {
        not_after: Option<CertTime>,
        sha256: Option<Hex<32>>,
        signature: Option<Oid>,
        key: Option<Oid>,
        curve: Option<Oid>,
        key_bits: u16,
        chain_len: Option<u16>,
    } texts(3) { subject, issuer, serial, }
}

shared! {
    /// What SSH sessions share.
    SshSet of SshFacts {
        protocol: Option<u8>,
        hassh: Option<Hex<16>>,
        hassh_server: Option<Hex<16>>,
        host_key_fingerprint: Option<KeyFingerprint>,
        host_key_bits: u16,
        client_key_bits: u16,
        server_cert: Option<Box<Certificate>>,
        client_cert: Option<Box<Certificate>>,
        authentication: [Text; 2],
        fips: Fips,
        strict_kex: Option<bool>,
        newkeys_client: bool,
        newkeys_server: bool,
    } texts(13) {
        client_version, server_version, provider, kex, host_key_alg,
        c2s.cipher, c2s.mac, c2s.compression, s2c.cipher, s2c.mac, s2c.compression,
        host_key_type, client_key_type,
    }
}

impl Weight for TlsSet {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.texts.all.len()
    }
}

impl Weight for Leaf {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.texts.all.len()
    }
}

impl Weight for SshSet {
    fn weight(&self) -> usize {
        let boxed = [&self.server_cert, &self.client_cert];
        let boxed = boxed.iter().filter_map(|c| c.as_deref());
        let authentication = self.authentication.iter().map(Text::memory);
        size_of::<Self>()
            + self.texts.all.len()
            + boxed.map(Weight::weight).sum::<usize>()
            + authentication.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    // A literal with every field, so that one more cannot be forgotten where connections share facts.
    fn nothing_of_ssh_is_lost() {
        let direction = |name: &str| crate::record::SshDirection {
            cipher: name.into(),
            mac: [name, "-mac"].concat().as_str().into(),
            compression: "none".into(),
        };
        let facts = SshFacts {
            client_version: "a".into(),
            server_version: "b".into(),
            protocol: Some(2),
            kex: "c".into(),
            host_key_alg: "d".into(),
            c2s: direction("e"),
            s2c: direction("f"),
            hassh: Some(Hex([1; 16])),
            hassh_server: Some(Hex([2; 16])),
            host_key_type: "g".into(),
            host_key_fingerprint: Some(KeyFingerprint([3; 32])),
            host_key_bits: 4,
            client_key_type: "h".into(),
            client_key_bits: 5,
            server_cert: Some(Box::default()),
            client_cert: Some(Box::default()),
            authentication: ["i".into(), "j".into()],
            provider: "k".into(),
            fips: Fips::Level(1),
            strict_kex: Some(false),
            newkeys_client: true,
            newkeys_server: true,
        };
        assert_eq!(SshSet::of(&facts).facts(), facts);
        let strict = SshFacts {
            strict_kex: Some(true),
            ..facts.clone()
        };
        assert!(!SshSet::of(&facts).is(&strict));
    }

    #[test]
    fn what_is_shared_is_shown_again() {
        let mut facts = SshFacts {
            protocol: Some(2),
            ..SshFacts::default()
        };
        facts.client_version.set("SSH-2.0-ü".as_bytes(), 255);
        facts.kex.set(b"", 64);
        facts.s2c.mac.set(b"hmac", 64);
        let set = SshSet::of(&facts);
        assert!(set.is(&facts));
        assert_eq!(set.facts(), facts);
        assert_eq!(facts.server_version.get(), None);
        assert_eq!(facts.kex.get(), Some(""));
        let key = SshSet::key(&facts);
        // The same letters elsewhere are something else.
        facts.kex.set(b"h", 64);
        facts.s2c.mac.set(b"mac", 64);
        assert!(!set.is(&facts));
        assert_ne!(SshSet::key(&facts), key);
    }
}
