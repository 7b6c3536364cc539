//! The control: the detectors behind one packet hook.

use hostward_hook::PacketHook;
use hostward_hook::action::Cx;
use hostward_hook::flow::{FlowInfo, HashKey};
use hostward_hook::fragment::Overlap;
use hostward_hook::hooks::{Timers, earlier};
use hostward_hook::layout::tcp_flags::{ACK, RST, SYN};
use hostward_hook::layout::{Anomaly, proto};
use hostward_hook::meta::{Direction, Routing};
use hostward_hook::packet::Packet;
use hostward_hook::reason::Reason;
use hostward_hook::time::Instant;
use hostward_hook::verdict::Verdict;

use crate::attack::ee_xid::XidFloods;
use crate::attack::flood::interface::{Discard, Interfaces};
use crate::attack::flood::syn::SynFloods;
use crate::attack::tcp_queue::TcpQueues;
use crate::attack::tcp_stall::Stall;
use crate::attack::{self, Gate};
use crate::connection::{self, Connections, Slot};
use crate::host::Host;
use crate::malformed;
use crate::policy::{AttackType, Limits, Policy, Protocol};
use crate::regulation::tcp::TcpPorts;
use crate::regulation::udp::UdpPorts;
use crate::report::{Category, Desk, Seen};
use crate::scan::{ScanConfig, Scans, signs};

/// What intrusion detection looks for, and what it may keep.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "configuration, to be written with `..default()`"
)]
pub struct Config {
    /// Malformed packets (`MALFORMED_PACKET`).
    pub malformed: malformed::Config,
    /// The rules: [`Policy::standard`].
    pub policy: Policy,
    /// How often is told.
    pub limits: Limits,
    /// What makes the hashes of all tables unpredictable: sixteen bytes from a good random source.
    /// A guard lends a key derived from that of its flow table if there is none; without one sources
    /// can be made up that crowd each other out of the tables.
    pub key: Option<HashKey>,
    /// Connections to regulated ports are counted by the packets that are seen. On; off for hosts
    /// that tell them ([`Ids::tcp_opened`]).
    pub count_by_packets: bool,
    /// Listening ports that are watched for SYN floods: 512, of 400 bytes each. With more those that have
    /// nothing half-open give way, and of the others no more are watched.
    pub listeners: usize,
    /// Half-open connections that the queue of a port holds, unless the host tells: 128.
    pub backlog: u32,
    /// Interfaces that are watched for floods: 32, of 1.2 KiB each. With more it is told that
    /// detection is disabled for them.
    pub interfaces: usize,
    /// TCP queues that are constrained or on their way there: 1,024. More are not watched.
    pub queues: usize,
    /// TCP ports whose connections are regulated: 256. Connections to more are not counted.
    pub tcp_ports: usize,
    /// Hosts whose connections to those are counted: 16,384. Those of more count only for the port.
    pub tcp_hosts: usize,
    /// UDP ports whose queues are regulated: 256. Of more nothing is told; their limits
    /// hold.
    pub udp_ports: usize,
    /// How scans are looked for.
    pub scans: ScanConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            malformed: malformed::Config::default(),
            policy: Policy::standard(),
            limits: Limits::default(),
            key: None,
            count_by_packets: true,
            listeners: 512,
            backlog: 128,
            interfaces: 32,
            queues: 1024,
            tcp_ports: 256,
            tcp_hosts: 16_384,
            udp_ports: 256,
            scans: ScanConfig::default(),
        }
    }
}

/// What the key of the tables of scans is derived for.
const SCANS: u64 = 7;

/// Local addresses of Enterprise Extender lines.
const LINES: usize = 64;

/// Intrusion detection of one worker.
#[derive(Clone, Debug)]
pub struct Ids {
    pub(crate) malformed: malformed::Config,
    pub(crate) policy: Policy,
    pub(crate) desk: Desk,
    pub(crate) host: Host,
    key: Option<HashKey>,
    gate: Gate,
    count: bool,
    pub(crate) floods: SynFloods,
    pub(crate) interfaces: Interfaces,
    pub(crate) queues: TcpQueues,
    pub(crate) stall: Stall,
    pub(crate) xids: XidFloods,
    pub(crate) tcp: TcpPorts,
    pub(crate) udp: UdpPorts,
    pub(crate) scans: Scans,
}

impl Default for Ids {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Ids {
    /// Intrusion detection as configured. All tables are made now.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let desk = Desk::new(&config.policy, config.limits);
        let mut ids = Self {
            malformed: config.malformed,
            gate: Gate::new(&desk),
            scans: Scans::new(config.scans, &config.policy),
            policy: config.policy,
            desk,
            host: Host::default(),
            key: None,
            count: config.count_by_packets,
            floods: SynFloods::new(config.listeners, config.backlog),
            interfaces: Interfaces::new(config.interfaces),
            queues: TcpQueues::new(config.queues),
            stall: Stall::default(),
            xids: XidFloods::new(LINES),
            tcp: TcpPorts::new(config.tcp_ports, config.tcp_hosts),
            udp: UdpPorts::new(config.udp_ports),
        };
        if let Some(key) = config.key {
            ids.lend_key(key);
        }
        ids
    }

    /// Lends a key for the hashes of all tables if none was configured; for the guard, before the
    /// first packet.
    pub fn lend_key(&mut self, key: HashKey) {
        if self.key.is_none() {
            self.key = Some(key);
            self.floods.set_key(key.derive(1));
            self.interfaces.set_key(key.derive(2));
            self.queues.set_key(key.derive(3));
            self.xids.set_key(key.derive(4));
            self.tcp.set_key(key.derive(5));
            self.udp.set_key(key.derive(6));
            self.scans.set_key(key.derive(SCANS));
        }
    }

    /// Puts other rules in force. What is counted and watched stays, but for the sources of scans when
    /// the rules change their intervals or thresholds above 10.
    pub fn install(&mut self, policy: Policy) {
        self.desk.install(&policy);
        self.gate = Gate::new(&self.desk);
        self.interfaces.rearm();
        self.scans
            .install(&policy, self.key.map(|k| k.derive(SCANS)));
        self.policy = policy;
    }

    /// The rules in force.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What the host has told.
    #[must_use]
    pub const fn host(&self) -> &Host {
        &self.host
    }

    /// For the host to tell what it knows.
    pub const fn host_mut(&mut self) -> &mut Host {
        &mut self.host
    }

    /// What was seen of a type of attack since the start.
    #[must_use]
    pub fn seen(&self, kind: AttackType) -> Seen {
        self.desk.seen(Category::Attack(kind))
    }

    /// Scans that were told of since the start.
    #[must_use]
    pub fn scans_seen(&self) -> u64 {
        self.desk.seen(Category::Scan).events
    }

    /// Bytes of the table of scanning sources, which never grows.
    #[must_use]
    pub const fn scan_memory(&self) -> usize {
        self.scans.memory()
    }

    /// A fragment contradicts those of its datagram that came before: what
    /// [`told`](hostward_hook::fragment::FragmentReassembler::told) tells. For the guard, and for
    /// hosts that put fragments together themselves.
    pub fn fragment(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        reason: Reason,
        overlap: Option<Overlap>,
    ) -> Verdict {
        attack::overlap(&mut self.desk, cx, packet, reason, overlap)
    }

    /// A flow is over. For the guard; calling it again does nothing.
    pub fn closed(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Slot) {
        let key = match flow.direction {
            Direction::Inbound => flow.key,
            Direction::Outbound => flow.key.reversed(),
        };
        self.connections().closed(cx, &key, slot, flow);
    }

    const fn connections(&mut self) -> Connections<'_> {
        Connections {
            policy: &self.policy,
            desk: &mut self.desk,
            host: &self.host,
            floods: &mut self.floods,
            tcp: &mut self.tcp,
            scans: &mut self.scans,
            count: self.count,
        }
    }

    /// What a packet without a flow, or one that the filter refuses, says of scans.
    #[inline(never)]
    fn scan(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>, filter: Verdict) {
        let Some(flags) = packet.layout().tcp_flags() else {
            let known = (&self.policy, &mut self.desk, &self.host);
            self.scans.other(known, cx, packet, filter);
            return;
        };
        let inbound = packet.meta.direction() == Direction::Inbound;
        if let (true, Some(key), Routing::Local) = (inbound, packet.key(), packet.meta.routing) {
            match flags & (SYN | ACK | RST) {
                SYN => {
                    let (policy, desk) = (&self.policy, &mut self.desk);
                    if let Some((number, ..)) = packet.tcp_numbers() {
                        self.scans.signs.syn(policy, desk, cx, &key, number);
                    }
                    let filtered = filter.is_refused();
                    self.scans.syn(policy, desk, &self.host, cx, &key, filtered);
                }
                // To a port from which nobody connects: such answers are asked for by nobody.
                set if set == SYN | ACK && key.destination_port() < 1024 => {
                    let signs = &mut self.scans.signs;
                    signs.syn_ack(&self.policy, &mut self.desk, cx, &key);
                }
                // Answers to what others sent in this host's name are no events (backscatter).
                ACK if !filter.is_refused() => self.scans.strays.stray(&key, cx.now.mono),
                _ => {}
            }
        }
    }

    /// Whether the packet counts for its interface: what was opened or put together came in before.
    #[inline]
    fn is_counted(&self, packet: &Packet<'_>) -> bool {
        self.desk.is_armed(1 << AttackType::Flood as u32)
            && packet.meta.direction() == Direction::Inbound
            && packet.meta.sa.is_none()
    }
}

impl PacketHook for Ids {
    type Slot = Slot;

    #[inline]
    fn before(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
        let counted = self.is_counted(packet);
        let interface = packet.meta.interface;
        if counted {
            self.interfaces.received(&mut self.desk, cx, interface, 1);
        }
        if self.scans.is_on()
            && packet.meta.direction() == Direction::Inbound
            && packet.meta.routing == Routing::Local
            && signs::is_odd(packet)
        {
            let signs = &mut self.scans.signs;
            signs.odd(&self.policy, &mut self.desk, cx, packet);
        }
        let mut verdict = malformed::check(&self.malformed, &mut self.desk, cx, packet);
        let mut why = Discard::Malformed;
        if verdict.is_continue() {
            verdict = attack::check(&self.gate, &mut self.desk, &self.host, cx, packet);
            why = Discard::Ids;
        }
        if !verdict.is_continue()
            && self.scans.is_armed(Protocol::Tcp)
            && packet.meta.direction() == Direction::Inbound
            && packet.layout().anomalies().contains(Anomaly::TcpFlags)
            && !matches!(
                verdict,
                Verdict::Drop(malformed::IP_CHECKSUM | malformed::TRANSPORT_CHECKSUM)
            )
        {
            self.scans
                .unexpected_flags(&self.policy, &mut self.desk, cx, packet);
        }
        if counted && !verdict.is_continue() {
            if let Verdict::Drop(malformed::IP_CHECKSUM | malformed::TRANSPORT_CHECKSUM) = verdict {
                why = Discard::Checksum;
            }
            self.interfaces
                .discarded(&mut self.desk, cx, interface, (1, why), Some(packet));
        }
        verdict
    }

    #[inline]
    fn after(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        slot: Option<&mut Slot>,
        filter: Verdict,
    ) -> Verdict {
        let refused = matches!(filter, Verdict::Drop(_) | Verdict::Reject(_));
        // Messages of ICMP are no connection: each is looked at.
        let icmp = matches!(packet.layout().protocol(), proto::ICMP | proto::ICMPV6);
        if self.scans.is_on() && (refused || slot.is_none() || icmp) {
            self.scan(cx, packet, filter);
        }
        if refused {
            if self.is_counted(packet) {
                let id = packet.meta.interface;
                let why = (1, Discard::Firewall);
                self.interfaces
                    .discarded(&mut self.desk, cx, id, why, Some(packet));
            }
            return Verdict::Continue;
        }
        if connection::concerns(packet, slot.as_deref()) {
            return self.connections().packet(cx, packet, slot);
        }
        Verdict::Continue
    }
}

impl Timers for Ids {
    fn next_deadline(&self) -> Option<Instant> {
        let mut next = self.desk.next_deadline();
        next = earlier(next, self.floods.next_deadline());
        next = earlier(next, self.interfaces.next_deadline());
        next = earlier(next, self.xids.next_deadline());
        next = earlier(next, self.scans.next_deadline());
        earlier(next, self.udp.next_deadline(&self.policy))
    }

    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        self.desk.handle_deadline(cx);
        self.floods.handle_deadline(&mut self.desk, cx);
        self.interfaces.handle_deadline(&mut self.desk, cx);
        self.xids.handle_deadline(&mut self.desk, cx);
        self.scans.handle_deadline(&self.policy, &mut self.desk, cx);
        self.udp.handle_deadline(&self.policy, cx);
    }
}
