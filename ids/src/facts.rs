//! What a host may tell of its queues and connections while it runs.

use core::net::IpAddr;

use hostward_hook::action::Cx;
use hostward_hook::flow::FlowKey;
use hostward_hook::ident::InterfaceId;
use hostward_hook::reason::Code;
use hostward_hook::verdict::Verdict;

use crate::attack::flood::interface::Discard;
use crate::attack::tcp_queue::QueueFact;
use crate::attack::tcp_stall::ConnectionFact;
use crate::codes::UDP_LIMIT;
use crate::ids::Ids;
use crate::policy::Scope;
use crate::regulation::tcp::Admission;
use crate::regulation::udp::UdpQueue;

/// The code under which a datagram is refused.
const FULL: Code = UDP_LIMIT;

impl Ids {
    /// Tells how long the queue of half-open connections of a listening socket is. 128 where the host
    /// does not tell.
    pub fn tcp_backlog(&mut self, cx: &Cx<'_>, address: IpAddr, port: u16, length: u32) {
        self.floods
            .set_backlog((address, port), length, cx.now.mono);
    }

    /// Tells that a listening socket is gone.
    pub fn tcp_unlisten(&mut self, address: IpAddr, port: u16) {
        self.floods.forget((address, port));
    }

    /// Tells how many SYNs for a port the host has thrown away.
    pub fn syns_discarded(&mut self, address: IpAddr, port: u16, count: u64) {
        self.floods.discarded((address, port), count);
    }

    /// Whether a port is flooded with SYNs: time for SYN cookies.
    #[must_use]
    pub fn is_flooded(&self, address: IpAddr, port: u16) -> bool {
        self.floods.is_flooded((address, port))
    }

    /// Tells packets of an interface that no hook saw, because they were thrown away before.
    pub fn interface_discards(
        &mut self,
        cx: &mut Cx<'_>,
        interface: InterfaceId,
        count: u64,
        why: Discard,
    ) {
        self.interfaces
            .received(&mut self.desk, cx, interface, count);
        self.interfaces
            .discarded(&mut self.desk, cx, interface, (count, why), None);
    }

    /// Tells what is on a queue of a connection. `true` says that the connection is to be reset,
    /// which is asked for as an action as well.
    pub fn tcp_queue(&mut self, cx: &mut Cx<'_>, fact: QueueFact) -> bool {
        self.queues.fact(&mut self.desk, cx, fact)
    }

    /// Tells that a connection and its queues are gone.
    pub fn tcp_queues_gone(&mut self, cx: &mut Cx<'_>, connection: u64) {
        self.queues.closed(&mut self.desk, cx, connection);
    }

    /// Tells all active connections, now and then: every few seconds. The answer is how many of them
    /// are to be reset; each is asked for as an action, as long as the host's queue of
    /// actions takes them.
    pub fn tcp_connections<'f, I>(&mut self, cx: &mut Cx<'_>, connections: I) -> u64
    where
        I: Iterator<Item = &'f ConnectionFact> + Clone,
    {
        self.stall.facts(&mut self.desk, cx, connections)
    }

    /// Whether all of TCP is stalled.
    #[must_use]
    pub const fn is_stalled(&self) -> bool {
        self.stall.is_on()
    }

    /// Tells that a handshake is complete, for hosts whose connections are not counted by packets
    /// ([`count_by_packets`](crate::Config::count_by_packets)). `key` has the other end first.
    /// `granted` is what quality of service grants the other end, if it has a rule for exactly this
    /// port and this address.
    pub fn tcp_opened(
        &mut self,
        cx: &mut Cx<'_>,
        key: &FlowKey,
        granted: Option<u32>,
    ) -> Admission {
        self.tcp
            .opened(&self.policy, &mut self.desk, cx, key, granted)
    }

    /// Tells that a connection that was counted is over.
    pub fn tcp_closed(&mut self, cx: &mut Cx<'_>, key: &FlowKey, scope: Scope) {
        self.tcp
            .closed(&self.policy, &mut self.desk, cx, key, scope);
    }

    /// Connections of a port that are counted, and how many of them a host holds.
    #[must_use]
    pub fn tcp_used(&self, address: IpAddr, port: u16, host: IpAddr) -> (u32, u32) {
        self.tcp.used(&self.policy, (address, port), host)
    }

    /// Asks whether a datagram of `length` bytes may be queued on a port where so much waits.
    pub fn udp_datagram(&mut self, cx: &mut Cx<'_>, queue: &UdpQueue, length: u64) -> Verdict {
        let ports = &mut self.udp;
        if ports.queue(&self.policy, &mut self.desk, cx, queue, Some(length)) {
            Verdict::Continue
        } else {
            Verdict::Drop(FULL)
        }
    }

    /// Tells that datagrams were taken off a port's queue, and what is left.
    pub fn udp_read(&mut self, cx: &mut Cx<'_>, queue: &UdpQueue) {
        self.udp
            .queue(&self.policy, &mut self.desk, cx, queue, None);
    }

    /// Tells that a UDP socket is gone.
    pub fn udp_unbind(&mut self, address: IpAddr, port: u16) {
        self.udp.forget((address, port));
    }

    /// Tells that the activation of an Enterprise Extender line timed out.
    pub fn ee_xid_timeout(&mut self, cx: &mut Cx<'_>, local: IpAddr) {
        self.xids.timeout(&mut self.desk, cx, local);
    }
}
