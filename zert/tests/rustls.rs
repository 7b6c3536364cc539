//! What rustls tells of itself, through the adapter, with a real client and a real server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a failing test may panic"
)]

mod common;

use std::sync::Arc;

use common::*;
use hostward_hook::hooks::CloseCause;
use hostward_hook::protection::{Fact, Handshake};
use hostward_zert::record::{Observed, Source};
use hostward_zert::{Protocol, Zert, advice, code};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

struct Ends {
    client: ClientConnection,
    server: ServerConnection,
}

fn ends(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> Ends {
    let name = ServerName::try_from("shop.example").unwrap();
    Ends {
        client: ClientConnection::new(client, name).unwrap(),
        server: ServerConnection::new(server).unwrap(),
    }
}

fn configs(
    version: &'static rustls::SupportedProtocolVersion,
) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["shop.example".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "shop.example");
    let cert = params.self_signed(&key).unwrap();
    let der: CertificateDer<'static> = cert.der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(der.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![der], key)
        .unwrap();
    server.alpn_protocols = vec![b"h2".to_vec()];
    (Arc::new(client), Arc::new(server))
}

/// Lets both ends talk until they have nothing to say, and the observer listen.
fn talk(ends: &mut Ends, b: &mut Bench, f: &mut Flow) {
    loop {
        let mut wire = Vec::new();
        while ends.client.wants_write() {
            ends.client.write_tls(&mut wire).unwrap();
        }
        if !wire.is_empty() {
            b.send(f, Client, &wire);
            ends.server.read_tls(&mut wire.as_slice()).unwrap();
            ends.server.process_new_packets().unwrap();
        }
        let mut back = Vec::new();
        while ends.server.wants_write() {
            ends.server.write_tls(&mut back).unwrap();
        }
        if !back.is_empty() {
            b.send(f, Server, &back);
            ends.client.read_tls(&mut back.as_slice()).unwrap();
            ends.client.process_new_packets().unwrap();
        }
        if wire.is_empty() && back.is_empty() {
            return;
        }
    }
}

#[test]
fn one_call_after_the_handshake_tells_all() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (client, server) = configs(version);
        let mut ends = ends(client, server);
        let mut b = Bench::new(Zert::default());
        let mut f = b.open();
        assert!(advice::rustls::session(&ends.client, Client).is_none());
        talk(&mut ends, &mut b, &mut f);
        let session = advice::rustls::session(&ends.client, Client).unwrap();
        b.advise(&mut f, &Fact::TlsSession(session));
        // The other end knows the server's name, which the client's does not tell.
        let session = advice::rustls::session(&ends.server, Client).unwrap();
        assert_eq!(session.server_name, Some("shop.example"));
        assert_eq!(session.client_authenticated, Some(false));
        b.advance(12_000);
        let r = b.close(f, CloseCause::Fin);
        // No false change: initiation and termination only.
        let codes: Vec<_> = b.told.progress.iter().map(|p| p.1).collect();
        assert_eq!(codes, [code::INITIATION, code::TERMINATION]);
        assert_eq!((r.protocol, r.source), (Protocol::Tls, Source::Advised));
        assert_eq!((r.established, r.inferred), (Some(true), false));
        let wire = u16::from(ends.client.protocol_version().unwrap());
        assert_eq!(r.tls.version.unwrap().0, wire);
        let suite = ends.client.negotiated_cipher_suite().unwrap().suite();
        assert_eq!(r.tls.cipher.unwrap().0, u32::from(u16::from(suite)));
        assert_eq!(r.tls.provider.get(), Some("rustls"));
        assert_eq!(r.tls.alpn.get(), Some("h2"));
        assert_eq!(r.tls.handshake, Handshake::Full);
        assert_eq!(r.tls.sni.get(), Some("shop.example"));
        // Readable in either version now, as deep as records go.
        assert_eq!(r.tls.server_cert.subject.get(), Some("CN=shop.example"));
        assert_eq!(r.tls.server_cert.issuer.get(), Some("CN=shop.example"));
        assert_eq!(r.tls.server_cert.key_bits, 256);
        let curve = r.tls.server_cert.curve.unwrap();
        assert_eq!(curve.to_string(), "1.2.840.10045.3.1.7");
        // What was seen without the provider's word is still there.
        let Observed::Tls(seen) = r.observed() else {
            panic!("TLS was seen")
        };
        assert_eq!(seen.cipher, r.tls.cipher);
        assert_eq!(seen.server_cert.subject.is_known(), wire == 0x0303);
        assert!(!seen.provider.is_known());
    }
}

#[test]
fn resumption_is_told() {
    let (client, server) = configs(&rustls::version::TLS13);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let mut ends = ends(Arc::clone(&client), Arc::clone(&server));
        let mut b = Bench::new(Zert::default());
        let mut f = b.open();
        talk(&mut ends, &mut b, &mut f);
        let session = advice::rustls::session(&ends.server, Client).unwrap();
        b.advise(&mut f, &Fact::TlsSession(session));
        kinds.push(b.close(f, CloseCause::Fin).tls.handshake);
    }
    assert_eq!(kinds, [Handshake::Full, Handshake::Resumed]);
}
