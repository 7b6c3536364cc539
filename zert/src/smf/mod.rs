//! SMF records (type 119, subtypes 11 and 12) of connections and sessions, and this project's
//! extension record for what those cannot express.
//!
//! A [`Writer`] knows who writes — system, stack, names of users and jobs, offset from UTC — and
//! makes records of what the observer and the aggregator tell:
//!
//! | from | record |
//! |---|---|
//! | a [`Record`] and the code of a discovery event | [`Writer::detail`], subtype 11, events 1 to 4 and 7 |
//! | discovery switched on or off | [`Writer::switched`], subtype 11, events 5 and 6 |
//! | a [`Summary`] of aggregation | [`Writer::summary`], subtype 12 |
//! | any of them | [`Writer::detail_extension`], [`Writer::summary_extension`], type 255 |
//!
//! Each topic's codes are a table in a module of its own: TLS suites, SSH names, IKE transforms,
//! object identifiers of certificates. What has no number there is written as unknown.
//!
//! A handshake that failed is no session: no protocol is in effect. The section of the protocol is
//! there and blank but for the source and the negotiated cipher, and the common section says which
//! handshake failed.
//!
//! Protocols that z/OS does not record (DTLS, QUIC, WireGuard, IKE and ESP on the way) have an
//! extension record only.

mod certificate;
mod extension;
mod ipsec;
mod read;
mod sections;
mod ssh;
mod tls;

use alloc::vec::Vec;

use hostward_hook::ident::{JobId, Names};
use hostward_hook::protection::FilterAction as Does;
use hostward_hook::reason::Code;
use hostward_hook::time::{Now, UnixTime};
use hostward_smf::codes::{
    DetailEvent, DetailFlags, FilterAction, IpProtocol, LocalRole, Protocols, Reason as Why,
    SecurityFlags, SummaryEvent, SummaryFlags,
};
use hostward_smf::layout::{
    ConnectionCommon, Counters as Written, Enforcement, Identification, IpFilter, SummaryCommon,
};
use hostward_smf::{
    Address, Detail, EXTENSION_TYPE, Extended, Extension, Level, SmfDate, SmfTime, Stamp, Text,
    TodDuration, time,
};

use crate::aggregate::{self, Counters, Facts, Reason, Session, Summary};
use crate::code;
use crate::record::{FilterFacts, Protocol, Record, RuleFacts};
use extension::Values;

pub use read::{of_detail, of_summary};

/// Names of owners that records have beyond those of [`Names`].
pub trait Owners: Names {
    /// The number a job has in the job entry subsystem, such as `STC00123`.
    fn job_number(&self, job: JobId) -> Option<&str> {
        let _ = job;
        None
    }
}

impl Owners for () {}

/// Makes records. The templates hold what is the same in all of them.
#[derive(Clone)]
#[non_exhaustive]
pub struct Writer<'n> {
    /// System identifier of the header.
    pub system: Text<4>,
    /// Identification section; the component is `STACK` and the reason is set in each record.
    pub identification: Identification,
    /// Seconds that local time is ahead of UTC.
    pub utc_offset: i32,
    /// Whether fields of this project's own are filled in. The same level is to be used for encoding.
    pub level: Level,
    names: &'n dyn Owners,
}

impl core::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Writer")
            .field("system", &self.system)
            .field("identification", &self.identification)
            .field("utc_offset", &self.utc_offset)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// Whether z/OS records connections of this protocol.
const fn is_recorded(protocol: Protocol) -> bool {
    matches!(
        protocol,
        Protocol::None | Protocol::Tls | Protocol::Ssh | Protocol::Ipsec
    )
}

impl<'n> Writer<'n> {
    /// A writer of this system and stack, in UTC, at the base level.
    #[must_use]
    pub fn new(system: &str, stack: &str, names: &'n dyn Owners) -> Self {
        Self {
            system: system.into(),
            identification: Identification {
                system: system.into(),
                stack: stack.into(),
                release: "HNS 0.1".into(),
                component: "STACK".into(),
                ..Identification::default()
            },
            utc_offset: 0,
            level: Level::Base,
            names,
        }
    }

    fn local(&self, wall: UnixTime) -> (SmfDate, SmfTime) {
        let micros = i64::try_from(wall.as_micros()).unwrap_or(i64::MAX);
        time::local(micros, self.utc_offset).unwrap_or((SmfDate::NONE, SmfTime(0)))
    }

    fn stamp(&self, now: Now) -> Stamp {
        let (date, time) = self.local(now.wall);
        Stamp {
            system: self.system,
            ..Stamp::new(date, time, "")
        }
    }

    fn identified(&self, reason: Why) -> Identification {
        Identification {
            reason,
            ..self.identification
        }
    }

    /// The detail record of a connection: `event` is the code of a discovery event about it.
    /// `None` for other codes, and for protocols that z/OS does not record.
    #[must_use]
    pub fn detail(&self, event: Code, record: &Record, now: Now) -> Option<Detail> {
        is_recorded(record.protocol)
            .then(|| self.any_detail(event, record, now))
            .flatten()
    }

    fn any_detail(&self, event: Code, record: &Record, now: Now) -> Option<Detail> {
        let event = match event {
            code::INITIATION => DetailEvent::INITIATION,
            code::CHANGE => DetailEvent::CHANGE,
            code::TERMINATION => DetailEvent::TERMINATION,
            code::SHORT_TERMINATION => DetailEvent::SHORT_TERMINATION,
            _ => return None,
        };
        let mut detail = Detail {
            stamp: self.stamp(now),
            identification: self.identified(Why::EVENT),
            common: self.connection(event, record),
            ip_filter: record.filter.as_deref().map(ip_filter),
            ..Detail::default()
        };
        let in_effect = record.established != Some(false);
        match record.protocol {
            Protocol::Tls if record.failed => {
                detail.tls = Some(sections::failed_tls(&record.tls, record.source));
            }
            Protocol::Tls if in_effect => {
                let tls = sections::connection_tls(&record.tls, record.source, record.role);
                detail.tls = Some(tls);
                sections::tls_names(&record.tls, &mut detail.names);
            }
            Protocol::Ssh if record.failed => {
                detail.ssh = Some(hostward_smf::layout::ConnectionSsh {
                    source: sections::told(record.source),
                    ..hostward_smf::layout::ConnectionSsh::default()
                });
            }
            Protocol::Ssh if in_effect => {
                let local = record.local_is_client;
                let ssh = sections::connection_ssh(&record.ssh, record.source, local);
                detail.ssh = Some(ssh);
                sections::ssh_names(&record.ssh, &mut detail.names);
            }
            Protocol::None
            | Protocol::Tls
            | Protocol::Ssh
            | Protocol::Dtls
            | Protocol::Quic
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard
            | Protocol::Ipsec => {}
        }
        if let Some(ipsec) = &record.ipsec {
            detail.ipsec = Some(sections::connection_ipsec(ipsec));
            sections::ipsec_names(ipsec, &mut detail.names);
        }
        Some(detail)
    }

    fn connection(&self, event: DetailEvent, record: &Record) -> ConnectionCommon {
        let (local, remote) = (record.local(), record.remote());
        let (start_date, start_time) = self.local(record.opened.wall);
        let has_ended = matches!(
            event,
            DetailEvent::TERMINATION | DetailEvent::SHORT_TERMINATION
        );
        let (end_date, end_time) = if has_ended {
            self.local(record.last.wall)
        } else {
            (SmfDate::NONE, SmfTime(0))
        };
        let is = |p| record.protocol == p;
        let in_effect = !record.failed && record.established != Some(false);
        let protocols = Protocols::default()
            .with(Protocols::TLS, in_effect && is(Protocol::Tls))
            .with(Protocols::SSH, in_effect && is(Protocol::Ssh))
            .with(Protocols::IPSEC, record.ipsec.is_some());
        let failed = |p| record.failed && is(p);
        let mut common = ConnectionCommon {
            event,
            protocols,
            flags: DetailFlags::default().with(DetailFlags::IPV6, local.is_ipv6()),
            security_flags: SecurityFlags::default()
                .with(SecurityFlags::IP_FILTERING, record.filter.is_some())
                .with(SecurityFlags::TLS_FAILED, failed(Protocol::Tls))
                .with(SecurityFlags::SSH_FAILED, failed(Protocol::Ssh)),
            ip_protocol: IpProtocol(aggregate::ip_protocol(record)),
            job_name: self.names.job(record.job).unwrap_or("").into(),
            job_id: self.names.job_number(record.job).unwrap_or("").into(),
            user: self.names.user(record.user).unwrap_or("").into(),
            start_time,
            start_date,
            end_time,
            end_date,
            remote_ip: Address::from(remote.ip()),
            local_ip: Address::from(local.ip()),
            remote_port: remote.port(),
            local_port: local.port(),
            // The low half of the flow's name: its place in the table.
            connection_id: record.flow.map_or(0, |f| f.as_u64() as u32),
            in_bytes: record.traffic.in_bytes,
            out_bytes: record.traffic.out_bytes,
            in_segments: record.traffic.in_packets,
            out_segments: record.traffic.out_packets,
            ..ConnectionCommon::default()
        };
        if self.level == Level::Extended {
            common.local_role = if record.local_is_client {
                LocalRole::CLIENT
            } else {
                LocalRole::SERVER
            };
        }
        common
    }

    /// The same as an audit record of policy-based enforcement (event 7).
    #[must_use]
    pub fn enforcement(&self, record: &Record, done: Enforcement, now: Now) -> Option<Detail> {
        let mut detail = self.detail(code::CHANGE, record, now)?;
        detail.common.event = DetailEvent::ENFORCEMENT;
        detail.enforcement = Some(done);
        Some(detail)
    }

    /// The record that discovery was switched on (event 5) or off (event 6).
    #[must_use]
    pub fn switched(&self, enabled: bool, now: Now) -> Detail {
        Detail {
            stamp: self.stamp(now),
            identification: self.identified(Why::EVENT),
            common: ConnectionCommon {
                event: if enabled {
                    DetailEvent::ENABLED
                } else {
                    DetailEvent::DISABLED
                },
                start_date: SmfDate::NONE,
                end_date: SmfDate::NONE,
                ..ConnectionCommon::default()
            },
            ..Detail::default()
        }
    }

    /// The extension of a connection's detail record: what that one cannot express. For protocols
    /// that z/OS does not record it is the only record. `None` if there is nothing to tell.
    #[must_use]
    pub fn detail_extension(&self, event: Code, record: &Record, now: Now) -> Option<Extension> {
        let detail = self.any_detail(event, record, now)?;
        let mut values = Values::default();
        match record.protocol {
            Protocol::Tls | Protocol::Dtls | Protocol::Quic => values.tls(&record.tls),
            Protocol::Ssh => values.ssh(&record.ssh),
            Protocol::None
            | Protocol::Ike
            | Protocol::Esp
            | Protocol::Ah
            | Protocol::Wireguard
            | Protocol::Ipsec => {}
        }
        values.worth(record.pq);
        values.family(record.protocol);
        extension_of(
            detail.stamp,
            detail.identification,
            Extended::Detail(detail.common),
            values,
        )
    }

    /// The summary record of a session, or that aggregation was switched. `None` for sessions of
    /// protocols that z/OS does not record; should the last session of a set be one, the record
    /// before it is to say that it is the last (as [`hostward_smf::Summary::encode_set`] does by
    /// itself).
    #[must_use]
    pub fn summary(&self, summary: &Summary<'_>) -> Option<hostward_smf::Summary> {
        let protocol = summary.session.map(|s| s.attributes.protocol);
        protocol
            .is_none_or(is_recorded)
            .then(|| self.any_summary(summary))
    }

    fn any_summary(&self, summary: &Summary<'_>) -> hostward_smf::Summary {
        let (last, more, event) = match summary.reason {
            Reason::Interval => (Why::INTERVAL, Why::INTERVAL_MORE, SummaryEvent::INTERVAL),
            Reason::EndOfStatistics => (
                Why::END_OF_STATISTICS,
                Why::END_OF_STATISTICS_MORE,
                SummaryEvent::INTERVAL,
            ),
            Reason::Shutdown => (Why::SHUTDOWN, Why::SHUTDOWN_MORE, SummaryEvent::INTERVAL),
            Reason::Enabled => (Why::EVENT, Why::EVENT, SummaryEvent::ENABLED),
            Reason::Disabled => (Why::EVENT, Why::EVENT, SummaryEvent::DISABLED),
        };
        let interval = u64::try_from(summary.interval.as_micros()).unwrap_or(u64::MAX);
        let mut record = hostward_smf::Summary {
            stamp: self.stamp(summary.now),
            identification: self.identified(if summary.is_last { last } else { more }),
            common: SummaryCommon {
                interval: TodDuration::from_micros(interval).unwrap_or_default(),
                event,
                ..SummaryCommon::default()
            },
            ..hostward_smf::Summary::default()
        };
        if let Some(session) = &summary.session {
            self.session(session, &mut record);
        }
        record
    }

    fn session(&self, session: &Session<'_>, record: &mut hostward_smf::Summary) {
        let (key, attributes) = (session.key, session.attributes);
        let in_effect = |p| !attributes.failed && attributes.protocol == p;
        let ascii = session.id.to_ascii();
        let common = &mut record.common;
        common.flags = SummaryFlags::default().with(SummaryFlags::IPV6, key.server.is_ipv6());
        common.protocols = Protocols::default()
            .with(Protocols::TLS, in_effect(Protocol::Tls))
            .with(Protocols::SSH, in_effect(Protocol::Ssh))
            .with(Protocols::IPSEC, in_effect(Protocol::Ipsec));
        common.job_name = self.names.job(key.job).unwrap_or("").into();
        common.user = self.names.user(key.user).unwrap_or("").into();
        common.ip_protocol = IpProtocol(key.ip_protocol);
        common.server_ip = Address::from(key.server);
        common.client_ip = Address::from(key.client);
        common.server_port = key.first_port;
        common.server_port_end = key.last_port;
        common.session_id = Text::new(core::str::from_utf8(&ascii).unwrap_or(""));
        common.init = counters(session.init);
        common.end = counters(session.end);
        if self.level == Level::Extended {
            common.flags = common
                .flags
                .with(SummaryFlags::LOCAL_SERVER, key.is_server)
                .with(SummaryFlags::LOCAL_CLIENT, !key.is_server);
            common.init_failed_handshakes = session.init.failed;
            common.end_failed_handshakes = session.end.failed;
            common.local_role = if key.is_server {
                LocalRole::SERVER
            } else {
                LocalRole::CLIENT
            };
        }
        let source = attributes.source;
        match &attributes.facts {
            Facts::Tls(tls) => {
                record.tls = Some(sections::summary_tls(tls, source));
                sections::tls_names(tls, &mut record.names);
            }
            Facts::Ssh(ssh) => {
                record.ssh = Some(sections::summary_ssh(ssh, source, !key.is_server));
                sections::ssh_names(ssh, &mut record.names);
            }
            Facts::Ipsec(ipsec) => {
                record.ipsec = Some(sections::summary_ipsec(ipsec));
                sections::ipsec_names(ipsec, &mut record.names);
            }
            Facts::None if attributes.failed && attributes.protocol == Protocol::Ssh => {
                record.ssh = Some(hostward_smf::layout::SummarySsh {
                    source: sections::told(source),
                    ..hostward_smf::layout::SummarySsh::default()
                });
            }
            Facts::None => {}
        }
    }

    /// The extension of a session's summary record. `None` if there is nothing to tell.
    #[must_use]
    pub fn summary_extension(&self, summary: &Summary<'_>) -> Option<Extension> {
        let session = summary.session.as_ref()?;
        let record = self.any_summary(summary);
        let mut values = Values::default();
        match &session.attributes.facts {
            Facts::Tls(tls) => values.tls(tls),
            Facts::Ssh(ssh) => values.ssh(ssh),
            Facts::Ipsec(_) | Facts::None => {}
        }
        values.worth(session.attributes.pq);
        values.family(session.attributes.protocol);
        extension_of(
            record.stamp,
            record.identification,
            Extended::Summary(record.common),
            values,
        )
    }
}

fn extension_of(
    stamp: Stamp,
    identification: Identification,
    common: Extended,
    values: Values,
) -> Option<Extension> {
    let values: Vec<_> = values.sorted();
    (!values.is_empty()).then_some(Extension {
        stamp,
        record_type: EXTENSION_TYPE,
        identification,
        common,
        values,
    })
}

const fn counters(c: &Counters) -> Written {
    Written {
        connections: c.connections,
        partial_connections: c.partial,
        short_connections: c.short,
        active_connections: c.active,
        in_bytes: c.in_bytes,
        out_bytes: c.out_bytes,
        in_segments: c.in_packets,
        out_segments: c.out_packets,
    }
}

fn ip_filter(facts: &FilterFacts) -> IpFilter {
    let action = |rule: &Option<RuleFacts>| match rule.as_ref().map(|r| r.action) {
        Some(Does::Permit) => FilterAction::PERMIT,
        Some(Does::Deny) => FilterAction::DENY,
        Some(Does::Protect) => FilterAction::IPSEC,
        Some(_) | None => FilterAction::NONE,
    };
    fn text<const N: usize>(text: Option<&crate::text::Text>) -> Text<N> {
        text.and_then(crate::text::Text::get).unwrap_or("").into()
    }
    let (inbound, outbound) = (&facts.inbound, &facts.outbound);
    IpFilter {
        out_action: action(outbound),
        in_action: action(inbound),
        out_rule: text(outbound.as_ref().map(|r| &r.name)),
        out_rule_extension: text(outbound.as_ref().map(|r| &r.extension)),
        in_rule: text(inbound.as_ref().map(|r| &r.name)),
        in_rule_extension: text(inbound.as_ref().map(|r| &r.extension)),
        ..IpFilter::default()
    }
}

#[cfg(test)]
mod tests;
