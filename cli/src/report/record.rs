//! Protection records as lines.

use hostward::zert::record::{Alert, PqClass, SshFacts, TlsFacts};
use hostward::zert::{Protocol, Record, Text};

use super::line::{AlertFields, Pq, Proto, Session, Sides, SshFields, TlsFields, ZertLine};

/// The line of a record.
#[must_use]
pub fn line_of(r: &Record) -> ZertLine {
    let (proto, session) = match r.protocol {
        Protocol::Tls => (Proto::Tls, Session::Tls(Box::new(tls(&r.tls)))),
        Protocol::Ssh => (Proto::Ssh, Session::Ssh(Box::new(ssh(&r.ssh)))),
        Protocol::None | _ => (Proto::None, Session::Other {}),
    };
    ZertLine {
        proto,
        src: r.client.ip(),
        sport: Some(r.client.port()),
        dst: r.server.ip(),
        dport: Some(r.server.port()),
        session,
        failed: r.failed,
        established: r.established,
        inferred: r.inferred,
        pq: Some(match r.pq {
            PqClass::Classical => Pq::Classical,
            PqClass::Hybrid => Pq::Hybrid,
            PqClass::Pq => Pq::Pq,
            PqClass::None | _ => Pq::None,
        }),
        first_packet: r.first_packet,
        packets: r.packets,
        bytes: r.bytes,
        open_at_end: r.open_at_end,
    }
}

fn text(t: &Text) -> Option<String> {
    t.get().map(Into::into)
}

fn shown(v: Option<impl ToString>) -> Option<String> {
    v.map(|v| v.to_string())
}

fn tls(t: &TlsFacts) -> TlsFields {
    TlsFields {
        version: shown(t.version),
        cipher: shown(t.cipher),
        group: shown(t.group),
        sni: text(&t.sni),
        server_cert_subject: text(&t.server_cert.subject),
        server_cert_not_after: shown(t.server_cert.not_after),
        server_cert_serial: text(&t.server_cert.serial),
        server_cert_sha256: shown(t.server_cert.sha256),
        server_cert_chain_len: t.server_cert.chain_len.map(u32::from),
        client_cert_requested: t.client_cert_requested,
        client_cert_sent: t.client_cert_sent,
        client_cert_subject: text(&t.client_cert.subject),
        resumed: t.resumed,
        ja3: shown(t.ja3),
        ja4: shown(t.ja4.as_ref().map(|j| j.as_str())),
        alpn: text(&t.alpn),
        client_hello_max_version: shown(t.client_hello_max_version),
        client_random: None,
        early_data_offered: Some(t.early_data_offered),
        ech_extension: Some(t.ech_extension),
        ssl2_client_hello: Some(t.ssl2_client_hello),
        hello_retry: Some(t.hello_retry),
        alerts: t.alerts.as_slice().iter().map(alert).collect(),
        app_data: None,
    }
}

fn alert(a: &Alert) -> AlertFields {
    AlertFields {
        from: if a.from_client { "client" } else { "server" },
        level: if a.fatal { "fatal" } else { "warning" }.into(),
        desc: a
            .name()
            .map_or_else(|| a.description.to_string(), Into::into),
        post_ccs: a.post_ccs,
    }
}

fn ssh(s: &SshFacts) -> SshFields {
    SshFields {
        ssh_protocol: s.protocol,
        client_version: text(&s.client_version),
        server_version: text(&s.server_version),
        kex: text(&s.kex),
        host_key_alg: text(&s.host_key_alg),
        cipher_c2s: text(&s.c2s.cipher),
        cipher_s2c: text(&s.s2c.cipher),
        mac_c2s: text(&s.c2s.mac),
        mac_s2c: text(&s.s2c.mac),
        mac_implicit_c2s: s.c2s.mac_implicit(),
        compression_c2s: text(&s.c2s.compression),
        newkeys: Some(Sides {
            client: s.newkeys_client,
            server: s.newkeys_server,
        }),
        auth_success: None,
        hassh: shown(s.hassh),
        hassh_server: shown(s.hassh_server),
    }
}
