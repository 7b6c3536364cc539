//! Events as the log lines and console messages of z/OS: message ids and fields.
//!
//! A sink that writes a log hands its events to [`Message::of`], off the packet path; one that
//! writes to a console to [`console`]. Text and fields follow what IBM publishes; where an id or a
//! field is not confirmed, this file has it and nobody else.

use alloc::format;
use alloc::string::String;
use core::fmt::{self, Write as _};
use core::net::IpAddr;

use hostward_hook::event::Event;
use hostward_hook::flow::FlowKey;
use hostward_hook::ident::{InterfaceId, JobId, Names};
use hostward_hook::time::UnixTime;

use crate::attack::ee_xid::XidFlood;
use crate::attack::flood::interface::{InterfaceFlood, InterfaceFloodStep};
use crate::attack::flood::syn::{SynFlood, SynFloodStep};
use crate::attack::tcp_queue::{Queue, QueueStep, TcpQueue};
use crate::attack::tcp_stall::{StalledConnection, TcpStall};
use crate::event::{AttackPacket, AttackStatistics, Suppressed, Told};
use crate::policy::AttackType;
use crate::regulation::tcp::{TcpPort, TcpStep};
use crate::regulation::udp::{UdpPort, UdpStep};
use crate::scan::signs::ScanSign;
use crate::scan::told::{Scan, ScanDetail, ScanKind, ScanStorage};

/// A log line: its message id, its text and its severity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// Such as `EZZ8648I`.
    pub id: &'static str,
    /// What follows the id.
    pub text: String,
    /// Severity, 0–7 as in syslog.
    pub severity: u8,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} TRMD {}", self.id, self.text)
    }
}

impl Message {
    /// The line of an event of intrusion detection, whether the log is to be told or not
    /// ([`Channels::log`](crate::event::Channels::log)); `None` for other events. `host` is the
    /// name of this host (`sensorhostname`).
    #[must_use]
    pub fn of(event: &Event<'_>, names: &dyn Names, host: &str) -> Option<Self> {
        let any = event.detail.as_any()?;
        let at = stamp(event.now.wall);
        let mut text = String::new();
        let w = &mut text;
        let (id, told) = if let Some(d) = any.downcast_ref::<AttackPacket>() {
            (attack(w, &at, d, event.key.as_ref()), Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<SynFlood>() {
            (syn(w, &at, d), Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<InterfaceFlood>() {
            (interface(w, &at, d, names), Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<TcpQueue>() {
            (queue(w, &at, d, names), Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<TcpStall>() {
            (stall(w, &at, d), Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<StalledConnection>() {
            let (id, what) = if d.reset {
                ("EZZ8673I", "reset")
            } else {
                ("EZZ8674I", "would have been reset")
            };
            let _ = write!(
                w,
                "TCP connection {what} because of a global TCP stall:{at}"
            );
            connection(w, d.fact.connection, d.fact.job, &d.fact.key, names);
            let (queued, window) = (d.fact.queued, d.fact.window);
            let _ = write!(w, ",sendqdata={queued},windowsize={window}");
            (id, Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<XidFlood>() {
            let (id, what) = if d.started {
                ("EZZ8677I", "start")
            } else {
                ("EZZ8678I", "end")
            };
            let (address, n) = (d.address, d.timeouts);
            let _ = write!(
                w,
                "ATTACK EE XID flood {what}:{at},dipaddr={address},timeouts={n}"
            );
            if !d.started {
                let _ = write!(w, ",duration={}", d.duration);
            }
            (id, Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<TcpPort>() {
            (tcp(w, &at, d), Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<UdpPort>() {
            (udp(w, &at, d), Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<Scan>() {
            (scan(w, &at, d), Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<ScanDetail>() {
            (scan_detail(w, &at, d), Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<ScanSign>() {
            (scan_sign(w, &at, d), Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<ScanStorage>() {
            (scan_storage(w, &at, d), Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<AttackStatistics>() {
            let action = response(d.attack, d.respond);
            let _ = write!(
                w,
                "ATTACK statistics:{at},type={},count={},action={action}",
                d.attack.log_name(),
                d.events
            );
            ("EZZ8653I", Some(&d.told))
        } else if let Some(d) = any.downcast_ref::<Suppressed>() {
            let kind = d.attack.map_or("IDS", AttackType::log_name);
            let _ = write!(
                w,
                "ATTACK log records suppressed:{at},type={kind},count={}",
                d.count
            );
            let _ = write!(w, ",sensorhostname={host}");
            let severity = d.level;
            return Some(Self {
                id: "EZZ9327I",
                text,
                severity,
            });
        } else {
            return None;
        };
        let severity = told.and_then(|t| t.channels.log).unwrap_or(4);
        // Counts belong to no occurrence.
        if let Some(told) = told.filter(|t| t.correlator != 0) {
            tail(w, told);
        }
        let _ = write!(w, ",sensorhostname={host}");
        Some(Self { id, text, severity })
    }
}

/// The end of most lines.
fn tail(w: &mut String, told: &Told) {
    let _ = write!(w, ",correlator={},probeid={}", told.correlator, told.probe);
}

const fn response(kind: AttackType, respond: bool) -> &'static str {
    match (kind.resets(), respond) {
        (false, true) => "discard",
        (false, false) => "nodiscard",
        (true, true) => "resetconn",
        (true, false) => "noresetconn",
    }
}

fn attack(w: &mut String, at: &str, d: &AttackPacket, key: Option<&FlowKey>) -> &'static str {
    let f = &d.finding;
    let (id, what) = if f.discard {
        ("EZZ8648I", "discarded")
    } else {
        ("EZZ8649I", "would have been discarded")
    };
    let _ = write!(w, "ATTACK packet {what}:{at}");
    let mut protocol = 0;
    if let Some(key) = key {
        protocol = key.protocol();
        let _ = write!(
            w,
            ",sipaddr={},dipaddr={},sport={},dport={}",
            key.source(),
            key.destination(),
            key.source_port(),
            key.destination_port()
        );
    }
    let value = f.value.unwrap_or(0);
    let option = if d.attack == AttackType::RestrictedIpOptions {
        value
    } else {
        0
    };
    let _ = write!(
        w,
        ",type={},proto={protocol},option={option}",
        d.attack.log_name()
    );
    let (size, offset) = d.fragment.map_or((0, 0), |offset| (d.length, offset));
    let _ = write!(w, ",fragsize={size},fragoff={offset}");
    if let AttackType::RestrictedIpv6NextHeader
    | AttackType::RestrictedIpv6DestinationOptions
    | AttackType::RestrictedIpv6HopOptions = d.attack
    {
        let _ = write!(w, ",restrictval={value}");
    }
    id
}

fn syn(w: &mut String, at: &str, d: &SynFlood) -> &'static str {
    let (address, port) = (d.address, d.port);
    let (id, what) = match d.step {
        SynFloodStep::Expanded => ("EZZ8652I", "accept queue expanded"),
        SynFloodStep::Started => ("EZZ8650I", "SYN flood start"),
        SynFloodStep::Ended => ("EZZ8651I", "SYN flood end"),
    };
    let _ = write!(
        w,
        "ATTACK {what}:{at},dipaddr={address},dport={port},proto=TCP"
    );
    if d.step == SynFloodStep::Ended {
        let _ = write!(
            w,
            ",syns={},firstacks={},synsdiscarded={},synstimedout={},duration={}",
            d.syns, d.first_acks, d.discarded, d.timed_out, d.duration
        );
    }
    id
}

/// An interface by its name, or its number; and its address.
fn interface_of(w: &mut String, id: InterfaceId, names: &dyn Names) {
    let _ = match names.interface(id) {
        Some(name) => write!(w, ",ifcname={name}"),
        None => write!(w, ",ifcname={}", id.0),
    };
    if let Some(address) = names.interface_address(id) {
        let _ = write!(w, ",dipaddr={address}");
    }
}

fn interface(w: &mut String, at: &str, d: &InterfaceFlood, names: &dyn Names) -> &'static str {
    let (id, what) = match d.step {
        InterfaceFloodStep::Started => ("EZZ8654I", "Start"),
        InterfaceFloodStep::Ended => ("EZZ8655I", "End"),
        InterfaceFloodStep::Continues => ("EZZ8656I", "Continuing"),
        InterfaceFloodStep::Disabled => ("EZZ8658I", "Detection Disabled"),
    };
    let _ = write!(w, "ATTACK Interface Flood {what}:{at}");
    interface_of(w, d.interface, names);
    if d.step == InterfaceFloodStep::Disabled {
        return id;
    }
    let share = d
        .discarded
        .saturating_mul(100)
        .checked_div(d.received)
        .unwrap_or(0);
    let _ = write!(
        w,
        ",duration={},discardcnt={},discardp={share}",
        d.duration, d.discarded
    );
    if let Some((protocol, share)) = d.protocol {
        let _ = write!(w, ",mfproto={protocol},mfprotop={share}");
    }
    if let Some((category, share)) = d.category {
        let _ = write!(w, ",mfcat={},mfcatp={share}", category.name());
    }
    if let Some(source) = d.last_source {
        let _ = write!(w, ",lastsip={source}");
    }
    id
}

/// A connection; the key has the other end first.
fn connection(w: &mut String, id: u64, job: JobId, key: &FlowKey, names: &dyn Names) {
    let _ = write!(
        w,
        ",connid={id:08X},jobname={},lipaddr={},lport={},ripaddr={},rport={}",
        names.job(job).unwrap_or("*"),
        key.destination(),
        key.destination_port(),
        key.source(),
        key.source_port()
    );
}

fn queue(w: &mut String, at: &str, d: &TcpQueue, names: &dyn Names) -> &'static str {
    let (name, ids) = match d.fact.queue {
        Queue::Receive => ("receive", ["EZZ8662I", "EZZ8663I", "EZZ8668I"]),
        Queue::Send => ("send", ["EZZ8664I", "EZZ8665I", "EZZ8669I"]),
        Queue::OutOfOrder => ("out-of-order", ["EZZ8666I", "EZZ8667I", "EZZ8670I"]),
    };
    let [entered, left, reset] = ids;
    let id = match d.step {
        QueueStep::Entered => {
            let _ = write!(w, "TCP {name} queue constrained entry logged:{at}");
            entered
        }
        QueueStep::Left => {
            let _ = write!(w, "TCP {name} queue constrained exit logged:{at}");
            left
        }
        QueueStep::Reset => {
            let _ = write!(
                w,
                "TCP connection reset because of constrained {name} queue:{at}"
            );
            reset
        }
    };
    connection(w, d.fact.connection, d.fact.job, &d.fact.key, names);
    let _ = write!(
        w,
        ",trigger={},dataage={},bytesqueued={},queuesize={}",
        d.trigger.name(),
        d.fact.age.as_secs(),
        d.fact.bytes,
        d.size.name()
    );
    if d.step == QueueStep::Left {
        let _ = write!(w, ",duration={}", d.duration);
    }
    id
}

fn stall(w: &mut String, at: &str, d: &TcpStall) -> &'static str {
    let (id, what) = if d.entered {
        ("EZZ8671I", "entered")
    } else {
        ("EZZ8672I", "exited")
    };
    let _ = write!(
        w,
        "Global TCP stall {what}:{at},totalconn={},stalledpct={},smallwinpct={},writeblkpct={}",
        d.connections,
        d.percent(d.stalled),
        d.percent(d.small_window),
        d.percent(d.blocked)
    );
    if !d.entered {
        let _ = write!(w, ",duration={}", d.duration);
    }
    let _ = write!(
        w,
        ",action={}",
        response(AttackType::GlobalTcpStall, d.reset)
    );
    id
}

fn tcp(w: &mut String, at: &str, d: &TcpPort) -> &'static str {
    let (id, what) = match (d.step, d.limit) {
        (TcpStep::Total | TcpStep::Source, true) => ("EZZ9324I", "connection refused"),
        (TcpStep::Total | TcpStep::Source, false) => {
            ("EZZ9323I", "connection would have been refused")
        }
        (TcpStep::Exception, true) => ("EZZ9317I", "QOS exception made"),
        (TcpStep::Exception, false) => ("EZZ9318I", "QOS exception logged"),
        (TcpStep::Constrained, true) => ("EZZ9319I", "constrained entry"),
        (TcpStep::Unconstrained, true) => ("EZZ9320I", "constrained exit"),
        (TcpStep::Constrained, false) => ("EZZ9321I", "constrained entry logged"),
        (TcpStep::Unconstrained, false) => ("EZZ9322I", "constrained exit logged"),
    };
    let _ = write!(w, "TCP {what}:{at},lhost={},port={}", d.address, d.port);
    if let Some(host) = d.host {
        let _ = write!(w, ",host={host}");
    }
    let _ = write!(
        w,
        ",available={},total={},percent={}",
        d.available, d.total, d.percentage
    );
    if d.host.is_some() {
        let _ = write!(w, ",host_current={}", d.held);
    }
    if let Some(granted) = d.granted {
        let _ = write!(w, ",qos_limit={granted}");
    }
    id
}

fn udp(w: &mut String, at: &str, d: &UdpPort) -> &'static str {
    let (id, what) = match (d.step, d.limit) {
        (UdpStep::Constrained, false) => ("EZZ8638I", "constrained entry logged"),
        (UdpStep::Unconstrained, false) => ("EZZ8639I", "constrained exit logged"),
        (UdpStep::Constrained, true) => ("EZZ8640I", "constrained entry"),
        (UdpStep::Unconstrained, true) => ("EZZ8641I", "constrained exit"),
        (UdpStep::Statistics, _) => ("EZZ8642I", "statistics"),
    };
    let (address, port, size) = (d.address, d.port, d.size.name());
    let _ = write!(
        w,
        "UDP {what}:{at},dipaddr={address},dport={port},qsize={size}"
    );
    match d.step {
        UdpStep::Constrained => {}
        UdpStep::Unconstrained => {
            let _ = write!(
                w,
                ",duration={},dagsdisc={},bytsdisc={}",
                d.duration, d.discarded, d.bytes_discarded
            );
        }
        UdpStep::Statistics => {
            let _ = write!(
                w,
                ",dagsrecv={},dagsdisc={},bytsrecv={},bytsdisc={},bytes_peak={},dg_peak={},duration={},constraints={},action={}",
                d.received,
                d.discarded,
                d.bytes_received,
                d.bytes_discarded,
                d.bytes_peak,
                d.peak,
                d.duration,
                d.constraints,
                if d.limit { "limit" } else { "nolimit" }
            );
        }
    }
    id
}

fn scan(w: &mut String, at: &str, d: &Scan) -> &'static str {
    let (source, kind) = (d.source, d.kind.letter());
    let _ = write!(w, "SCAN threshold exceeded:{at},sipaddr={source}");
    if let Some(prefix) = d.prefix {
        let _ = write!(w, "/{prefix}");
    }
    let _ = write!(
        w,
        ",scantype={kind},threshold={},interval={},very={},possibly={},normal={}",
        d.threshold, d.minutes, d.very, d.possibly, d.normal
    );
    "EZZ8643I"
}

fn scan_detail(w: &mut String, at: &str, d: &ScanDetail) -> &'static str {
    let _ = write!(
        w,
        "SCAN detail:{at},sipaddr={},count={},events=",
        d.source, d.count
    );
    for (n, item) in d.items.iter().flatten().enumerate() {
        let separator = if n == 0 { "" } else { ";" };
        let _ = write!(w, "{separator}{},", item.protocol);
        if let Some(local) = item.local {
            let _ = write!(w, "{local}");
        }
        let _ = write!(w, ",{},{}", item.port, item.suspicion.letter());
    }
    "EZZ8644I"
}

/// z/OS has no such message; the id is our own.
fn scan_sign(w: &mut String, at: &str, d: &ScanSign) -> &'static str {
    let _ = write!(w, "SCAN sign:{at},sign={},count={}", d.kind.text(), d.count);
    for source in d.sources.iter().flatten() {
        let _ = write!(w, ",sipaddr={source}");
    }
    "HWI3510I"
}

fn scan_storage(w: &mut String, at: &str, d: &ScanStorage) -> &'static str {
    let (id, what) = if d.constrained {
        ("EZZ8646I", "entry")
    } else {
        ("EZZ8647I", "exit")
    };
    let _ = write!(
        w,
        "SCAN storage constrained {what}:{at},sources={}",
        d.capacity
    );
    if !d.constrained {
        let (evicted, refused, duration) = (d.evicted, d.refused, d.duration);
        let _ = write!(
            w,
            ",evicted={evicted},refused={refused},duration={duration}"
        );
    }
    id
}

/// The lines of a console message (`EZZ8761I` and those that follow it) about an event, whether the
/// console is to be told or not; `None` for other events and for counts.
#[must_use]
pub fn console(event: &Event<'_>, names: &dyn Names, stack: &str) -> Option<String> {
    let any = event.detail.as_any()?;
    let mut interface = None;
    let mut ends: [Option<(IpAddr, u16)>; 2] = event.key.map_or([None; 2], |k| {
        [
            Some((k.source(), k.source_port())),
            Some((k.destination(), k.destination_port())),
        ]
    });
    let (kind, told) = if let Some(d) = any.downcast_ref::<AttackPacket>() {
        ("SUSPICIOUS PACKET RECEIVED", &d.told)
    } else if let Some(d) = any.downcast_ref::<SynFlood>() {
        ends = [None, Some((d.address, d.port))];
        let kind = match d.step {
            SynFloodStep::Expanded => "ACCEPT QUEUE EXPANDED",
            SynFloodStep::Started => "SYN FLOOD STARTED",
            SynFloodStep::Ended => "SYN FLOOD ENDED",
        };
        (kind, &d.told)
    } else if let Some(d) = any.downcast_ref::<InterfaceFlood>() {
        interface = Some(d.interface);
        let kind = match d.step {
            InterfaceFloodStep::Started => "INTERFACE FLOOD START",
            InterfaceFloodStep::Continues => "INTERFACE FLOOD CONTINUES",
            InterfaceFloodStep::Ended => "INTERFACE FLOOD END",
            InterfaceFloodStep::Disabled => "INTERFACE FLOOD DETECTION DISABLED",
        };
        (kind, &d.told)
    } else if let Some(d) = any.downcast_ref::<TcpQueue>() {
        let kind = match d.step {
            QueueStep::Entered => "TCP QUEUE CONSTRAINED",
            QueueStep::Left => "TCP QUEUE UNCONSTRAINED",
            QueueStep::Reset => "TCP CONN RESET - QUEUE CONSTRAINED",
        };
        (kind, &d.told)
    } else if let Some(d) = any.downcast_ref::<TcpStall>() {
        let kind = if d.entered {
            "GLOBAL TCP STALL ENTERED"
        } else {
            "GLOBAL TCP STALL EXITED"
        };
        (kind, &d.told)
    } else if let Some(d) = any.downcast_ref::<StalledConnection>() {
        ("TCP CONN RESET - GLOBAL TCP STALL", &d.told)
    } else if let Some(d) = any.downcast_ref::<XidFlood>() {
        ends = [None, Some((d.address, 0))];
        let kind = if d.started {
            "EE XID FLOOD STARTED"
        } else {
            "EE XID FLOOD ENDED"
        };
        (kind, &d.told)
    } else if let Some(d) = any.downcast_ref::<TcpPort>() {
        ends = [d.host.map(|h| (h, 0)), Some((d.address, d.port))];
        let kind = match d.step {
            TcpStep::Total => "TCP TOTAL CONNECTION LIMIT REACHED",
            TcpStep::Source | TcpStep::Exception => "TCP SOURCE IP CONNECTION LIMIT REACHED",
            TcpStep::Constrained => "TCP PORT CONSTRAINED",
            TcpStep::Unconstrained => "TCP PORT UNCONSTRAINED",
        };
        (kind, &d.told)
    } else if let Some(d) = any.downcast_ref::<UdpPort>() {
        ends = [None, Some((d.address, d.port))];
        let kind = match d.step {
            UdpStep::Constrained => "UDP PORT QUEUE CONSTRAINED",
            UdpStep::Unconstrained => "UDP PORT QUEUE UNCONSTRAINED",
            UdpStep::Statistics => return None,
        };
        (kind, &d.told)
    } else if let Some(d) = any.downcast_ref::<Scan>() {
        ends = [Some((d.source, 0)), None];
        let kind = match d.kind {
            ScanKind::Fast => "FAST SCAN DETECTED",
            ScanKind::Slow => "SLOW SCAN DETECTED",
            ScanKind::Walk => "SCAN DETECTED",
        };
        (kind, &d.told)
    } else if let Some(d) = any.downcast_ref::<ScanSign>() {
        let [first, ..] = d.sources;
        ends = [first.map(|s| (s, 0)), None];
        ("SCAN SIGN DETECTED", &d.told)
    } else if let Some(d) = any.downcast_ref::<ScanStorage>() {
        ends = [None, None];
        let kind = if d.constrained {
            "SCAN STORAGE CONSTRAINED"
        } else {
            "SCAN STORAGE UNCONSTRAINED"
        };
        (kind, &d.told)
    } else {
        return None;
    };
    let mut text = format!("EZZ8761I IDS EVENT DETECTED\nEZZ8730I STACK {stack}\n");
    let (correlator, probe) = (told.correlator, told.probe);
    let _ = write!(
        text,
        "EZZ8762I EVENT TYPE: {kind}\nEZZ8763I CORRELATOR {correlator} - PROBEID {probe}\n"
    );
    if let Some(id) = interface {
        let _ = match names.interface(id) {
            Some(name) => writeln!(text, "EZZ8770I INTERFACE {name}"),
            None => writeln!(text, "EZZ8770I INTERFACE {}", id.0),
        };
    }
    let [source, destination] = ends;
    if let Some((address, port)) = source {
        let _ = writeln!(text, "EZZ8764I SOURCE IP ADDRESS {address} - PORT {port}");
    }
    if let Some((address, port)) = destination {
        let _ = writeln!(
            text,
            "EZZ8765I DESTINATION IP ADDRESS {address} - PORT {port}"
        );
    }
    let (rule, action) = (&told.rule, &told.action);
    let _ = write!(
        text,
        "EZZ8766I IDS RULE {rule}\nEZZ8767I IDS ACTION {action}\n"
    );
    Some(text)
}

/// The comment of a traced packet: rule, correlator and probe id.
#[must_use]
pub fn trace_comment(told: &Told) -> String {
    let (rule, correlator, probe) = (&told.rule, told.correlator, told.probe);
    format!("IDS rule {rule} correlator {correlator} probeid {probe}")
}

/// The time of the stack in UTC, as these lines have it: month/day/year, hours to hundredths.
fn stamp(at: UnixTime) -> String {
    let seconds = at.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let hundredths = at.as_micros() % 1_000_000 / 10_000;
    format!(
        "{month:02}/{day:02}/{year:04} {:02}:{:02}:{:02}.{hundredths:02}",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// Year, month and day of a day since 1970-01-01, by the proleptic Gregorian calendar.
const fn civil(days: u64) -> (u64, u64, u64) {
    // Days since 0000-03-01: leap days are then the last of their year.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let of_month = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (year + era * 400 + carry, month, of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        for (seconds, text) in [
            (0, "01/01/1970 00:00:00.00"),
            (951_782_400, "02/29/2000 00:00:00.00"),
            (1_783_162_943, "07/04/2026 11:02:23.00"),
            (4_107_542_399, "02/28/2100 23:59:59.00"),
            (4_107_542_400, "03/01/2100 00:00:00.00"),
        ] {
            assert_eq!(stamp(UnixTime::from_secs(seconds)), text);
        }
        assert_eq!(
            stamp(UnixTime::from_micros(1_234_567)),
            "01/01/1970 00:00:01.23"
        );
    }
}
