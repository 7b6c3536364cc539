//! What is kept of a handshake once it is decided: little by the connection itself, the rest
//! shared with all connections that have the same.

use alloc::boxed::Box;

use hostward_hook::Side;
use hostward_hook::flow::FlowInfo;
use hostward_hook::meta::Direction;

use crate::intern::{self, Handle, Interner, Weight};
use crate::record::{
    Alert, Alerts, Certificate, FilterFacts, IpsecFacts, PqClass, Protocol, Record, Role, SessionId,
};
use crate::shared::{Leaf, SshSet, TlsSet};
use crate::significant;
use crate::text::{Hex, Text};
use crate::tls::trail::Shown;

/// Everything that connections share.
#[derive(Debug)]
pub(crate) struct Stock {
    pub(crate) tls: Interner<TlsSet>,
    pub(crate) ssh: Interner<SshSet>,
    pub(crate) certificates: Interner<Leaf>,
    pub(crate) ipsec: Interner<IpsecFacts>,
    pub(crate) filter: Interner<FilterFacts>,
    /// Of which nothing is known.
    blank: Certificate,
}

impl Stock {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            tls: Interner::new(max),
            ssh: Interner::new(max),
            certificates: Interner::new(max),
            ipsec: Interner::new(max),
            filter: Interner::new(max),
            blank: Certificate::default(),
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.tls.held()
            + self.ssh.held()
            + self.certificates.held()
            + self.ipsec.held()
            + self.filter.held()
    }

    /// Sets and certificates that are shared.
    pub(crate) fn len(&self) -> usize {
        self.tls.len()
            + self.ssh.len()
            + self.certificates.len()
            + self.ipsec.len()
            + self.filter.len()
    }

    fn certificate(&mut self, certificate: &Certificate) -> Option<Handle<Leaf>> {
        // Most certificates are told by their digest.
        let key = match &certificate.sha256 {
            Some(sha256) => intern::key(&(sha256, certificate.chain_len)),
            None if *certificate == self.blank => return None,
            None => Leaf::key(certificate),
        };
        Some(
            self.certificates
                .get(key, |known| known.is(certificate), || Leaf::of(certificate)),
        )
    }
}

/// The part of a TLS session that no other connection has.
#[derive(Clone, Debug)]
pub(crate) struct TlsSeen {
    set: Handle<TlsSet>,
    server: Option<Handle<Leaf>>,
    client: Option<Handle<Leaf>>,
    random: Option<Hex<32>>,
    session_id: SessionId,
    /// Most sessions have none.
    alerts: Option<Box<Alerts>>,
    app_data_client: bool,
    app_data_server: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    None,
    Tls(TlsSeen),
    Ssh(Handle<SshSet>),
}

/// What was seen of one handshake, or that there was none.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    /// Who sent the client's part, as far as known.
    pub(crate) client: Option<Side>,
    pub(crate) clear_text: u32,
    pub(crate) established: Option<bool>,
    pub(crate) pq: PqClass,
    failed: bool,
    inferred: bool,
    cut: bool,
    gap: bool,
    malformed: bool,
}

impl Seen {
    /// No handshake.
    pub(crate) const fn clear(clear_text: u32, gap: bool) -> Self {
        Self {
            kind: Kind::None,
            client: None,
            clear_text,
            established: None,
            pq: PqClass::None,
            failed: false,
            inferred: false,
            cut: false,
            gap,
            malformed: false,
        }
    }

    /// What a concluded record says.
    pub(crate) fn of(record: &Record, client: Option<Side>, stock: &mut Stock) -> Self {
        let kind = match record.protocol {
            Protocol::Tls => {
                let t = &record.tls;
                let server = stock.certificate(&t.server_cert);
                let client = stock.certificate(&t.client_cert);
                let key = TlsSet::key(t);
                let set = stock.tls.get(key, |known| known.is(t), || TlsSet::of(t));
                Kind::Tls(TlsSeen {
                    set,
                    server,
                    client,
                    random: t.client_random,
                    session_id: t.session_id,
                    alerts: (t.alerts.count() > 0).then(|| Box::new(t.alerts)),
                    app_data_client: t.app_data_client,
                    app_data_server: t.app_data_server,
                })
            }
            Protocol::Ssh => {
                let ssh = &record.ssh;
                let key = SshSet::key(ssh);
                Kind::Ssh(
                    stock
                        .ssh
                        .get(key, |known| known.is(ssh), || SshSet::of(ssh)),
                )
            }
            Protocol::None
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard
            | Protocol::Ipsec => Kind::None,
        };
        Self {
            kind,
            client,
            clear_text: record.clear_text,
            established: record.established,
            pq: record.pq,
            failed: record.failed,
            inferred: record.inferred,
            cut: record.cut,
            gap: record.gap,
            malformed: record.malformed,
        }
    }

    /// Writes it into a cleared record. `over`: the connection has ended by itself.
    pub(crate) fn show(&self, record: &mut Record, over: bool) {
        record.clear_text = self.clear_text;
        record.cut = self.cut;
        record.gap = self.gap;
        record.malformed = self.malformed;
        record.established = self.established;
        record.inferred = self.inferred;
        record.pq = self.pq;
        let unfinished = self.established == Some(false) && over && !self.gap;
        record.failed = self.failed || unfinished;
        match &self.kind {
            Kind::None => record.protocol = Protocol::None,
            Kind::Tls(seen) => {
                record.protocol = Protocol::Tls;
                seen.set.show(&mut record.tls);
                if let Some(certificate) = &seen.server {
                    certificate.show(&mut record.tls.server_cert);
                }
                if let Some(certificate) = &seen.client {
                    certificate.show(&mut record.tls.client_cert);
                }
                record.tls.client_random = seen.random;
                record.tls.session_id = seen.session_id;
                record.tls.alerts = seen.alerts.as_deref().copied().unwrap_or_default();
                record.tls.app_data_client = seen.app_data_client;
                record.tls.app_data_server = seen.app_data_server;
                // Nothing was resumed when there never was an answer.
                if record.tls.version.is_none() && record.failed {
                    record.tls.resumed = Some(false);
                }
            }
            Kind::Ssh(facts) => {
                record.protocol = Protocol::Ssh;
                facts.show(&mut record.ssh);
            }
        }
    }

    /// Whether a session in a record is protected alike.
    pub(crate) fn is_like(&self, record: &Record) -> bool {
        match (&self.kind, record.protocol) {
            (Kind::Tls(seen), Protocol::Tls) => {
                let certificates = [
                    (&seen.server, &record.tls.server_cert),
                    (&seen.client, &record.tls.client_cert),
                ];
                significant::tls(&seen.set.facts(), &record.tls)
                    && certificates.iter().all(|(a, b)| {
                        a.as_ref()
                            .is_none_or(|a| significant::certificate(&a.facts(), b))
                    })
            }
            (Kind::Ssh(facts), Protocol::Ssh) => significant::ssh(&facts.facts(), &record.ssh),
            _ => false,
        }
    }

    /// The protocol of the session.
    pub(crate) const fn protocol(&self) -> Protocol {
        match self.kind {
            Kind::None => Protocol::None,
            Kind::Tls(_) => Protocol::Tls,
            Kind::Ssh(_) => Protocol::Ssh,
        }
    }

    /// Bytes in memory of its own.
    pub(crate) const fn boxed(&self) -> usize {
        match &self.kind {
            Kind::Tls(seen) if seen.alerts.is_some() => size_of::<Alerts>(),
            Kind::None | Kind::Tls(_) | Kind::Ssh(_) => 0,
        }
    }

    /// Gives back what it shared.
    pub(crate) fn release(self, stock: &mut Stock) {
        match self.kind {
            Kind::None => {}
            Kind::Tls(seen) => {
                stock.tls.release(seen.set);
                for certificate in [seen.server, seen.client].into_iter().flatten() {
                    stock.certificates.release(certificate);
                }
            }
            Kind::Ssh(facts) => stock.ssh.release(facts),
        }
    }
}

impl Shown for Seen {
    fn alert(&mut self, alert: Alert) {
        if let Kind::Tls(seen) = &mut self.kind {
            seen.alerts.get_or_insert_default().push(alert);
        }
    }

    fn application_data(&mut self, from_client: bool) {
        if let Kind::Tls(seen) = &mut self.kind {
            seen.app_data_client |= from_client;
            seen.app_data_server |= !from_client;
        }
    }
}

/// The local side's part in a handshake.
pub(crate) fn role(flow: &FlowInfo, client: Side, client_cert: bool) -> Role {
    let local = match flow.direction {
        Direction::Outbound => Side::Initiator,
        Direction::Inbound => Side::Responder,
    };
    if local == client {
        Role::Client
    } else if client_cert {
        Role::ServerClientAuth
    } else {
        Role::Server
    }
}

fn texts<'t>(texts: impl IntoIterator<Item = &'t Text>) -> usize {
    texts.into_iter().map(Text::memory).sum()
}

impl Weight for Certificate {
    fn weight(&self) -> usize {
        size_of::<Self>() + texts([&self.subject, &self.issuer, &self.serial])
    }
}

impl Weight for IpsecFacts {
    fn weight(&self) -> usize {
        size_of::<Self>()
            + self.ike.as_ref().map_or(0, |ike| {
                let certs = [&ike.local_cert, &ike.remote_cert];
                let certs = certs.into_iter().flatten();
                certs
                    .map(|c| c.weight() - size_of::<Certificate>())
                    .sum::<usize>()
                    + ike.rule.memory()
            })
    }
}

impl Weight for FilterFacts {
    fn weight(&self) -> usize {
        let rules = [&self.inbound, &self.outbound].into_iter().flatten();
        size_of::<Self>() + rules.map(|r| texts([&r.name, &r.extension])).sum::<usize>()
    }
}
