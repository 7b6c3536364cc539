//! What z/OS records cannot express, as tagged values of an extension record.

use alloc::vec::Vec;

use hostward_smf::ExtensionValue;
use hostward_smf::codes::ExtensionTag as Tag;

use crate::record::{Group, PqClass, Protocol, SshFacts, TlsFacts};
use crate::text::Text;

/// Values of a record in the order of their tags.
#[derive(Default)]
pub(super) struct Values(pub(super) Vec<ExtensionValue>);

impl Values {
    fn bytes(&mut self, tag: Tag, bytes: &[u8]) {
        self.0.push(ExtensionValue {
            tag,
            bytes: bytes.to_vec(),
        });
    }

    fn text(&mut self, tag: Tag, text: &Text) {
        if let Some(text) = text.get() {
            self.bytes(tag, text.as_bytes());
        }
    }

    fn flag(&mut self, tag: Tag, on: bool) {
        if on {
            self.bytes(tag, &[1]);
        }
    }

    pub(super) fn tls(&mut self, t: &TlsFacts) {
        if let Some(Group::Named(id)) = t.group {
            self.bytes(Tag::GROUP, &id.to_be_bytes());
        }
        if let Some(scheme) = t.signature_scheme {
            self.bytes(Tag::SIGNATURE_SCHEME, &scheme.to_be_bytes());
        }
        self.text(Tag::SERVER_NAME, &t.sni);
        self.text(Tag::ALPN, &t.alpn);
        if let Some(ja3) = t.ja3 {
            self.bytes(Tag::JA3, &ja3.0);
        }
        if let Some(ja4) = t.ja4 {
            self.bytes(Tag::JA4, ja4.as_str().as_bytes());
        }
        self.flag(Tag::ENCRYPTED_CLIENT_HELLO, t.ech_extension);
        if let Some(version) = t.quic_version {
            self.bytes(Tag::QUIC_VERSION, &version.to_be_bytes());
        }
        self.flag(Tag::HELLO_RETRY, t.hello_retry);
        self.flag(Tag::EARLY_DATA, t.early_data_offered);
    }

    pub(super) fn ssh(&mut self, s: &SshFacts) {
        if let Some(hassh) = s.hassh {
            self.bytes(Tag::HASSH, &hassh.0);
        }
        for (tag, text) in [
            (Tag::SSH_KEX, &s.kex),
            (Tag::SSH_HOST_KEY, &s.host_key_alg),
            (Tag::SSH_CIPHER_CLIENT, &s.c2s.cipher),
            (Tag::SSH_CIPHER_SERVER, &s.s2c.cipher),
            (Tag::SSH_MAC_CLIENT, &s.c2s.mac),
            (Tag::SSH_MAC_SERVER, &s.s2c.mac),
        ] {
            self.text(tag, text);
        }
        if let Some(strict) = s.strict_kex {
            self.bytes(Tag::SSH_STRICT, &[strict.into()]);
        }
    }

    pub(super) fn worth(&mut self, pq: PqClass) {
        let class = match pq {
            PqClass::None => return,
            PqClass::Classical => 0,
            PqClass::Hybrid => 1,
            PqClass::Pq => 2,
        };
        self.bytes(Tag::POST_QUANTUM, &[class]);
    }

    pub(super) fn family(&mut self, protocol: Protocol) {
        if protocol != Protocol::None {
            self.bytes(Tag::FAMILY, protocol.name().as_bytes());
        }
    }

    /// In the order of tags.
    pub(super) fn sorted(mut self) -> Vec<ExtensionValue> {
        self.0.sort_by_key(|v| v.tag);
        self.0
    }
}
