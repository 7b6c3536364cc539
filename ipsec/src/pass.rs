//! What becomes of a packet: opened, sealed, held or dropped.

use alloc::sync::Arc;
use core::net::IpAddr;

use hostward_hook::action::Cx;
use hostward_hook::event::Class;
use hostward_hook::hooks::Opened;
use hostward_hook::ident::{RuleId, SaId, TunnelId};
use hostward_hook::layout::{Fragment, proto, seen};
use hostward_hook::meta::{Checksums, Direction, Meta, Point, Routing};
use hostward_hook::protection::{Encapsulation, ProtectionSink, TunnelKind};
use hostward_hook::reason::Reason;
use hostward_hook::time::Instant;
use hostward_hook::{FrameBuf, Layout, Packet, PacketTransform, Timers, Verdict};

use crate::codes;
use crate::directory::place;
use crate::ipsec::{Ipsec, Removal};
use crate::pair::Pair;
use crate::sa::Refused;
use crate::selector::Traffic;
use crate::spd::{Decision, Policy, Processing};
use crate::table::mix;
use crate::told::{
    MOVING, NO_ASSOCIATION, NOT_SELECTED, NoTunnel, POLICY_DISCARD, POLICY_PROTECTION,
    PacketRefused, TUNNEL_INACTIVE, UNKNOWN_SPI,
};
use crate::udp::Payload;

/// A protected packet as its header says it is.
#[derive(Clone, Copy, Debug)]
struct Envelope {
    spi: u32,
    protocol: u8,
    source: IpAddr,
    destination: IpAddr,
}

impl Envelope {
    fn of(packet: &Packet<'_>) -> Option<Self> {
        let l = packet.layout();
        let bytes = packet.bytes();
        let word = |at: usize| {
            let b = bytes.get(at..l.end())?.first_chunk::<4>()?;
            Some(u32::from_be_bytes(*b))
        };
        // AH in front of ESP is opened first.
        let (protocol, spi) = if let Some(ah) = l.ah_offset() {
            (proto::AH, word(ah + 4)?)
        } else if l.protocol() == proto::ESP {
            (proto::ESP, word(l.upper_offset())?)
        } else {
            (proto::ESP, word(l.payload_offset())?)
        };
        Some(Self {
            spi,
            protocol,
            source: packet.source()?,
            destination: packet.destination()?,
        })
    }
}

impl Ipsec {
    /// UDP on the port that encapsulated ESP shares with IKE.
    fn in_udp(&self, packet: &Packet<'_>) -> bool {
        let l = packet.layout();
        l.protocol() == proto::UDP
            && self.config.udp_port != 0
            && l.ports().is_some_and(|(_, to)| to == self.config.udp_port)
    }

    fn refused(
        &mut self,
        cx: &mut Cx<'_>,
        sa: SaId,
        envelope: &Envelope,
        code: Reason,
        inner: Option<Traffic>,
    ) -> Verdict {
        let (interval, most) = (self.config.interval.as_micros() as u64, self.config.events);
        if let Some(pair) = self.pair_mut(sa) {
            let kind = match code {
                codes::REPLAY | codes::STALE => 0,
                codes::BAD_ICV => 1,
                NOT_SELECTED => 2,
                _ => 3,
            };
            let limit = pair.limits.get_mut(kind);
            if cx.events.wants(Class::Detection)
                && let Some(suppressed) =
                    limit.and_then(|l| l.admit(cx.now.mono.as_micros(), interval, most))
            {
                let detail = PacketRefused {
                    sa: Some(sa),
                    tunnel: Some(Arc::clone(&pair.name)),
                    spi: envelope.spi,
                    protocol: envelope.protocol,
                    source: envelope.source,
                    destination: envelope.destination,
                    inner,
                    suppressed,
                };
                let event = cx.event(code, Class::Detection, &detail);
                cx.events.emit(&event);
            }
        }
        Verdict::Drop(code)
    }

    /// A packet that no association is for.
    #[cold]
    fn stranger(&mut self, cx: &mut Cx<'_>, envelope: &Envelope) -> Verdict {
        let slot = spread(envelope.source, 0);
        let limit = self.strangers.get_mut(slot);
        let (interval, most) = (self.config.interval.as_micros() as u64, self.config.events);
        // RFC 4303 §3.4.2: what has no valid association is discarded, and that is an auditable
        // event with SPI, time, source and destination.
        if cx.events.wants(Class::Detection)
            && let Some(suppressed) =
                limit.and_then(|l| l.admit(cx.now.mono.as_micros(), interval, most))
        {
            let detail = PacketRefused {
                sa: None,
                tunnel: None,
                spi: envelope.spi,
                protocol: envelope.protocol,
                source: envelope.source,
                destination: envelope.destination,
                inner: None,
                suppressed,
            };
            let event = cx.event(UNKNOWN_SPI, Class::Detection, &detail);
            cx.events.emit(&event);
        }
        Verdict::Drop(UNKNOWN_SPI)
    }

    /// A packet that has no association: it waits for one, if it may.
    #[cold]
    fn lacks(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        traffic: Option<Traffic>,
        tunnel: TunnelId,
        rule: RuleId,
    ) -> Verdict {
        let known = self.tunnel(tunnel);
        let code = match known {
            Some(t) if t.on_demand => match packet.key() {
                Some(key) => {
                    let now = cx.now.mono;
                    match self.acquires.want(now, cx.actions, tunnel, rule, key) {
                        Ok(ticket) => return Verdict::Hold(ticket),
                        Err(code) => code,
                    }
                }
                None => NO_ASSOCIATION,
            },
            Some(t) if t.kind == TunnelKind::Manual => TUNNEL_INACTIVE,
            Some(_) | None => NO_ASSOCIATION,
        };
        let Some(traffic) = traffic else {
            return Verdict::Drop(code);
        };
        let (interval, most) = (self.config.interval.as_micros() as u64, self.config.events);
        let name = self.tunnel(tunnel).map(|t| Arc::clone(&t.name));
        let limit = self
            .lacks
            .get_mut(spread(traffic.remote, u64::from(tunnel.0)));
        if cx.events.wants(Class::Decision)
            && let Some(suppressed) =
                limit.and_then(|l| l.admit(cx.now.mono.as_micros(), interval, most))
        {
            let detail = NoTunnel {
                tunnel,
                name,
                traffic,
                interface: packet.meta.interface,
                routing: packet.meta.routing,
                direction: packet.meta.direction(),
                security_class: packet.meta.security_class,
                fragment: packet.layout().fragment() != Fragment::Whole,
                length: packet.layout().end(),
                suppressed,
            };
            let mut event = cx.event(code, Class::Decision, &detail);
            event.rule = Some(rule);
            event.key = packet.key();
            cx.events.emit(&event);
        }
        Verdict::Drop(code)
    }

    /// The association among those of this worker.
    #[inline]
    fn find(
        &self,
        mut at: SaId,
        tunnel: TunnelId,
        traffic: &Traffic,
        now: Instant,
    ) -> Option<SaId> {
        loop {
            let pair = self.pair(at)?;
            if pair.tunnel == tunnel
                && pair.carries(traffic)
                && pair.outbound.as_ref().is_some_and(|half| !half.over(now))
            {
                return Some(at);
            }
            at = pair.next?;
        }
    }

    /// Where the association for some traffic stands.
    #[inline]
    fn choose(&self, tunnel: TunnelId, traffic: &Traffic, now: Instant) -> Chosen {
        let me = self.config.worker;
        let exact = self.directory.outbound(tunnel, Some(traffic.remote));
        if let Some(shard) = exact {
            if shard.owner != me {
                return Chosen::Handoff(Verdict::Handoff(shard.owner));
            }
            if let Some(sa) = self.find(shard.newest, tunnel, traffic, now) {
                return Chosen::Sa(sa);
            }
        }
        match self.directory.outbound(tunnel, None) {
            // Who has the associations for just this address answers for all traffic to it: were
            // it handed on, it would come back.
            Some(shard) if shard.owner != me && exact.is_none() => {
                Chosen::Handoff(Verdict::Handoff(shard.owner))
            }
            Some(shard) if shard.owner == me => {
                match self.find(shard.newest, tunnel, traffic, now) {
                    Some(sa) => Chosen::Sa(sa),
                    None => Chosen::None,
                }
            }
            Some(_) | None => Chosen::None,
        }
    }

    /// Looks again at a packet that came through an association: it must be what the association
    /// is for.
    fn check_inner(&self, pair: &Pair, inner: &Packet<'_>) -> Result<(), Option<Traffic>> {
        let Some(traffic) = Traffic::of(inner) else {
            return Err(None);
        };
        // RFC 4301 §5.2: the inner packet must match the selectors of the association.
        if pair.carries(&traffic) {
            return Ok(());
        }
        if self.config.icmp_errors
            && let Some(quoted) = quoted(inner)
            && pair.carries(&quoted)
        {
            return Ok(());
        }
        Err(Some(traffic))
    }

    /// Where an inner packet goes.
    fn routing(&self, mode: Encapsulation, outer: IpAddr, inner: &Packet<'_>) -> Option<Routing> {
        if mode == Encapsulation::Transport {
            return None;
        }
        let to = inner.destination()?;
        let local = to == outer || self.config.local.as_ref().is_some_and(|l| l.is_local(to));
        Some(if local {
            Routing::Local
        } else {
            Routing::Routed
        })
    }
}

/// For hosts that decide by a [`Policy`] and not by a filter.
impl Ipsec {
    /// What becomes of a packet that leaves: it passes as it is, or sealed, or not.
    pub fn outbound(
        &mut self,
        cx: &mut Cx<'_>,
        policy: &dyn Policy,
        meta: Meta,
        frame: &mut dyn FrameBuf,
    ) -> Verdict {
        let packet = Packet::parse(frame.bytes(), meta);
        let Some(traffic) = Traffic::of(&packet) else {
            return Verdict::Drop(POLICY_DISCARD);
        };
        let Decision { processing, rule } = policy.decide(&traffic, Direction::Outbound);
        match processing {
            Processing::Discard => Verdict::Drop(POLICY_DISCARD),
            Processing::Bypass => Verdict::Continue,
            Processing::Protect(tunnel) => {
                match self.select(cx, &packet, tunnel, rule.unwrap_or_default()) {
                    Ok(sa) => self.seal(cx, sa, frame),
                    Err(verdict) => verdict,
                }
            }
        }
    }

    /// What becomes of a packet that arrived, in clear or [opened](PacketTransform::open): its
    /// metadata name the association it came through.
    ///
    /// RFC 4301 section 5.2: it must have come just as the policy demands.
    pub fn inbound(&self, policy: &dyn Policy, packet: &Packet<'_>) -> Verdict {
        let Some(traffic) = Traffic::of(packet) else {
            return Verdict::Drop(POLICY_DISCARD);
        };
        let through = packet.meta.sa.map(|sa| self.directory.tunnel_of(sa));
        match policy.decide(&traffic, Direction::Inbound).processing {
            Processing::Discard => Verdict::Drop(POLICY_DISCARD),
            Processing::Bypass if through.is_none() => Verdict::Continue,
            Processing::Protect(tunnel) if through == Some(Some(tunnel)) => Verdict::Continue,
            Processing::Bypass | Processing::Protect(_) => Verdict::Drop(POLICY_PROTECTION),
        }
    }
}

/// What the choice of an association came to.
enum Chosen {
    Sa(SaId),
    Handoff(Verdict),
    None,
}

/// The traffic, seen from here, that an ICMP error of the other side is about.
fn quoted(packet: &Packet<'_>) -> Option<Traffic> {
    let l = packet.layout();
    let (kind, _) = l.icmp()?;
    let error = match l.protocol() {
        proto::ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
        proto::ICMPV6 => (1..=4).contains(&kind),
        _ => false,
    };
    let quotation = packet.upper().get(8..).filter(|_| error)?;
    // What it quotes went the other way.
    let point = match packet.meta.direction() {
        Direction::Inbound => Point::LocalOut,
        Direction::Outbound => Point::LocalIn,
    };
    let meta = Meta::new(point, packet.meta.now).with_cut(true);
    Traffic::of(&Packet::parse(quotation, meta))
}

/// One of 64 places by an address.
fn spread(address: IpAddr, more: u64) -> usize {
    let n = match address {
        IpAddr::V4(a) => u64::from(a.to_bits()),
        // A peer has 64 bits of an IPv6 address for himself.
        IpAddr::V6(a) => (a.to_bits() >> 64) as u64,
    };
    mix(n ^ more << 40) as usize % 64
}

impl Timers for Ipsec {
    fn next_deadline(&self) -> Option<Instant> {
        self.first_deadline()
    }

    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        self.act_on_deadlines(cx);
    }
}

impl PacketTransform for Ipsec {
    fn max_overhead(&self) -> usize {
        let halves = self.pairs().filter_map(|p| p.outbound.as_ref());
        halves.map(|half| half.max_overhead()).max().unwrap_or(0)
    }

    #[inline]
    fn wants_open(&self, packet: &Packet<'_>) -> bool {
        let l = packet.layout();
        packet.meta.routing == Routing::Local
            && (l.protocol() == proto::ESP
                || l.has(seen::AH)
                || (self.in_udp(packet)
                    && l.fragment() == Fragment::Whole
                    && matches!(
                        Payload::of(packet.payload()),
                        Payload::Esp { .. } | Payload::Keepalive
                    )))
    }

    fn look_ahead(&self, packets: &[Packet<'_>]) {
        let mut found = [None; 64];
        for packets in packets.chunks(found.len()) {
            // One step for all packets before the next one, so that their loads overlap.
            for packet in packets {
                if let Some(e) = Envelope::of(packet) {
                    self.directory.touch(e.spi, e.protocol, e.destination);
                }
            }
            for (packet, found) in packets.iter().zip(&mut found) {
                *found = Envelope::of(packet).and_then(|e| {
                    let (sa, owner) = self.directory.inbound(e.spi, e.protocol, e.destination)?;
                    (owner == self.config.worker).then_some(sa)
                });
            }
            let pairs = || found.iter().take(packets.len()).flatten();
            for sa in pairs() {
                core::hint::black_box(self.pairs.get(place(*sa)).is_some_and(Option::is_some));
            }
            for sa in pairs() {
                if let Some(pair) = self.pairs.get(place(*sa)).and_then(Option::as_deref) {
                    pair.touch();
                }
            }
        }
    }

    fn select(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        tunnel: TunnelId,
        rule: RuleId,
    ) -> Result<SaId, Verdict> {
        let Some(traffic) = Traffic::of(packet) else {
            return Err(self.lacks(cx, packet, None, tunnel, rule));
        };
        let now = cx.now.mono;
        match self.choose(tunnel, &traffic, now) {
            Chosen::Sa(sa) => return Ok(sa),
            Chosen::Handoff(verdict) => return Err(verdict),
            Chosen::None => {}
        }
        // RFC 4301 §6.1: an ICMP error goes the way of the traffic it is about.
        if self.config.icmp_errors
            && let Some(about) = quoted(packet)
        {
            match self.choose(tunnel, &about, now) {
                Chosen::Sa(sa) => return Ok(sa),
                Chosen::Handoff(verdict) => return Err(verdict),
                Chosen::None => {}
            }
        }
        Err(self.lacks(cx, packet, Some(traffic), tunnel, rule))
    }

    fn seal(&mut self, cx: &mut Cx<'_>, sa: SaId, frame: &mut dyn FrameBuf) -> Verdict {
        let now = cx.now.mono;
        let Some(half) = self.pair_mut(sa).and_then(|p| p.outbound.as_mut()) else {
            return Verdict::Drop(NO_ASSOCIATION);
        };
        match half.seal(now, frame) {
            Ok(sealed) => {
                if sealed.soft {
                    self.refresh(cx, sa);
                }
                Verdict::Continue
            }
            Err(refused) => {
                if let Refused::TooBig { mtu } = refused {
                    self.mtu = Some(mtu);
                }
                if matches!(refused, Refused::Expired | Refused::SequenceExhausted) {
                    self.remove(cx, sa, Removal::Expired);
                }
                refused.into()
            }
        }
    }

    fn open(
        &mut self,
        cx: &mut Cx<'_>,
        layout: &Layout,
        frame: &mut dyn FrameBuf,
    ) -> Result<Opened, Verdict> {
        let meta = Meta::new(Point::LocalIn, cx.now);
        let packet = Packet::with_layout(frame.bytes(), *layout, meta, 0);
        if layout.fragment() != Fragment::Whole {
            // RFC 4303 §3.4.1: reassembly comes first.
            return Err(Verdict::Drop(codes::FRAGMENT));
        }
        if self.in_udp(&packet) && Payload::of(packet.payload()) == Payload::Keepalive {
            return Err(Verdict::Consumed);
        }
        let Some(envelope) = Envelope::of(&packet) else {
            return Err(Verdict::Drop(codes::MALFORMED));
        };
        let Envelope {
            spi,
            protocol,
            destination,
            ..
        } = envelope;
        let Some((sa, owner)) = self.directory.inbound(spi, protocol, destination) else {
            return Err(self.stranger(cx, &envelope));
        };
        if owner != self.config.worker {
            return Err(Verdict::Handoff(owner));
        }
        let now = cx.now.mono;
        let Some(pair) = self.pair_mut(sa) else {
            return Err(Verdict::Drop(MOVING));
        };
        if pair.inbound_key != Some((spi, destination)) || pair.outline.protocol != protocol {
            return Err(self.stranger(cx, &envelope));
        }
        let mode = pair.outline.mode;
        let Some(half) = pair.inbound.as_mut() else {
            return Err(self.stranger(cx, &envelope));
        };
        let opened = match half.open(now, frame) {
            Ok(opened) => opened,
            Err(refused) => {
                let verdict = self.refused(cx, sa, &envelope, refused.reason(), None);
                if refused == Refused::Expired {
                    self.remove(cx, sa, Removal::Expired);
                }
                return Err(verdict);
            }
        };
        let (waits, moved) = (!pair.sending && pair.outbound.is_some(), opened.moved);
        if let Some((address, port)) = moved
            && let Some(half) = &mut pair.outbound
        {
            half.move_peer(address, port);
        }
        if opened.soft {
            self.refresh(cx, sa);
        }
        if waits {
            self.switch(cx, sa);
        }
        if opened.dummy {
            return Err(Verdict::Consumed);
        }
        let inner = Packet::parse(frame.bytes(), meta);
        let checked = match self.pair(sa) {
            Some(pair) => self.check_inner(pair, &inner),
            None => Err(None),
        };
        let routing = self.routing(mode, destination, &inner);
        if let Err(traffic) = checked {
            return Err(self.refused(cx, sa, &envelope, NOT_SELECTED, traffic));
        }
        let mut out = Opened::new(sa);
        if let Some(routing) = routing {
            out = out.with_routing(routing);
        }
        if opened.unchecked {
            // RFC 3948 §3.1.2: the ICV covered what the checksum would.
            out = out.with_checksums(Checksums::Verified);
        }
        Ok(out)
    }

    fn associations(&mut self, cx: &mut Cx<'_>, sink: &mut dyn ProtectionSink) {
        self.tell_associations(cx, sink);
    }
}
