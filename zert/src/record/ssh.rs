//! What a record shows of SSH.

use alloc::boxed::Box;

use hostward_hook::protection::Fips;

use super::tls::Certificate;
use crate::text::{Hex, KeyFingerprint, Text};

/// What was negotiated for one direction of an SSH connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SshDirection {
    /// Cipher.
    pub cipher: Text,
    /// MAC as negotiated, even if the cipher needs none.
    pub mac: Text,
    /// Compression.
    pub compression: Text,
}

impl SshDirection {
    pub(super) fn clear(&mut self) {
        self.cipher.clear();
        self.mac.clear();
        self.compression.clear();
    }

    /// The cipher authenticates by itself and the negotiated MAC is not used; `None` without a
    /// cipher.
    #[must_use]
    pub fn mac_implicit(&self) -> Option<bool> {
        let cipher = self.cipher.get()?;
        Some(
            cipher.starts_with("chacha20-poly1305")
                || cipher.contains("-gcm")
                || cipher.starts_with("AEAD_"),
        )
    }
}

/// What was seen of an SSH handshake.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct SshFacts {
    /// Identification line of the client, without line end.
    pub client_version: Text,
    /// Identification line of the server, without line end.
    pub server_version: Text,
    /// Protocol in use: 1 or 2; `None` unless both sides have identified themselves.
    pub protocol: Option<u8>,
    /// Key exchange method.
    pub kex: Text,
    /// Host key algorithm.
    pub host_key_alg: Text,
    /// Client to server.
    pub c2s: SshDirection,
    /// Server to client.
    pub s2c: SshDirection,
    /// HASSH fingerprint of the client.
    pub hassh: Option<Hex<16>>,
    /// HASSH fingerprint of the server.
    pub hassh_server: Option<Hex<16>>,
    /// Type of the host key the server showed.
    pub host_key_type: Text,
    /// Fingerprint of the host key the server showed.
    pub host_key_fingerprint: Option<KeyFingerprint>,
    /// Length of the host key in bits, 0 when not known.
    pub host_key_bits: u16,
    /// Type of the client's key, where a provider told.
    pub client_key_type: Text,
    /// Length of the client's key in bits, 0 when not known.
    pub client_key_bits: u16,
    /// The server's certificate, when its key is more than a raw one and a provider told.
    pub server_cert: Option<Box<Certificate>>,
    /// The client's certificate, when its key is more than a raw one and a provider told.
    pub client_cert: Option<Box<Certificate>>,
    /// User authentication methods that succeeded, in order, where a provider told.
    pub authentication: [Text; 2],
    /// Name of the library that told; absent when observed.
    pub provider: Text,
    /// Validated cryptography, where a provider told.
    pub fips: Fips,
    /// Both sides have offered OpenSSH's strict key exchange, without which the beginning of a session
    /// can be cut short unnoticed under some algorithms ([`is_prefix_exposed`](Self::is_prefix_exposed)).
    /// `None` unless both offers were seen.
    pub strict_kex: Option<bool>,
    /// The client has sent `NEWKEYS`.
    pub newkeys_client: bool,
    /// The server has sent `NEWKEYS`.
    pub newkeys_server: bool,
}

impl SshFacts {
    /// Somebody on the path could have taken messages from the beginning of the session unnoticed
    /// (CVE-2023-48795): a direction uses ChaCha20-Poly1305, or CBC with encrypt-then-MAC, and the key
    /// exchange is not strict.
    #[must_use]
    pub fn is_prefix_exposed(&self) -> bool {
        let weak = |d: &SshDirection| {
            let cipher = d.cipher.get().unwrap_or("");
            let etm = d.mac.get().is_some_and(|m| m.contains("-etm@"));
            cipher.starts_with("chacha20-poly1305") || cipher.ends_with("-cbc") && etm
        };
        self.strict_kex == Some(false) && (weak(&self.c2s) || weak(&self.s2c))
    }

    /// The same as the other, in the memory that is there.
    pub(crate) fn assign(&mut self, from: &Self) {
        let Self {
            client_version,
            server_version,
            protocol,
            kex,
            host_key_alg,
            c2s,
            s2c,
            hassh,
            hassh_server,
            host_key_type,
            host_key_fingerprint,
            host_key_bits,
            client_key_type,
            client_key_bits,
            server_cert,
            client_cert,
            authentication,
            provider,
            fips,
            strict_kex,
            newkeys_client,
            newkeys_server,
        } = from;
        self.client_version.assign(client_version);
        self.server_version.assign(server_version);
        self.protocol = *protocol;
        self.kex.assign(kex);
        self.host_key_alg.assign(host_key_alg);
        self.c2s.cipher.assign(&c2s.cipher);
        self.c2s.mac.assign(&c2s.mac);
        self.c2s.compression.assign(&c2s.compression);
        self.s2c.cipher.assign(&s2c.cipher);
        self.s2c.mac.assign(&s2c.mac);
        self.s2c.compression.assign(&s2c.compression);
        self.hassh = *hassh;
        self.hassh_server = *hassh_server;
        self.host_key_type.assign(host_key_type);
        self.host_key_fingerprint = *host_key_fingerprint;
        self.host_key_bits = *host_key_bits;
        self.client_key_type.assign(client_key_type);
        self.client_key_bits = *client_key_bits;
        self.server_cert.clone_from(server_cert);
        self.client_cert.clone_from(client_cert);
        for (to, from) in self.authentication.iter_mut().zip(authentication) {
            to.assign(from);
        }
        self.provider.assign(provider);
        self.fips = *fips;
        self.strict_kex = *strict_kex;
        self.newkeys_client = *newkeys_client;
        self.newkeys_server = *newkeys_server;
    }

    pub(crate) fn clear(&mut self) {
        self.client_version.clear();
        self.server_version.clear();
        self.protocol = None;
        self.kex.clear();
        self.host_key_alg.clear();
        self.c2s.clear();
        self.s2c.clear();
        self.hassh = None;
        self.hassh_server = None;
        self.host_key_type.clear();
        self.host_key_fingerprint = None;
        self.host_key_bits = 0;
        self.client_key_type.clear();
        self.client_key_bits = 0;
        self.server_cert = None;
        self.client_cert = None;
        self.authentication.iter_mut().for_each(Text::clear);
        self.provider.clear();
        self.fips = Fips::Unknown;
        self.strict_kex = None;
        self.newkeys_client = false;
        self.newkeys_server = false;
    }
}
