//! What the filter remembers of a flow: which rule matched first, from each side.
//!
//! Only the match is remembered; the rule's action, counters, log limits and tunnel are looked at
//! for every packet. An entry answers for packets of the same flow, side, context and security
//! class, and only in the epoch that wrote it: everything a rule can select by is in the flow's
//! key or in one of those, or the packet is not answered from here.
//!
//! An epoch ends when another rule set or another table of defensive filters is installed, and when
//! a rule comes into force or goes out of it. Packets that a defensive filter matches are not
//! remembered, so one that expires ends no epoch.

use hostward_hook::flow::Note;
use hostward_hook::ident::RuleId;
use hostward_hook::layout::{Fragment, Layout, proto, seen, tcp_flags};
use hostward_hook::meta::Meta;
use hostward_hook::{Packet, Side};

use crate::selectors::Opening;
use crate::simple::Context;

/// What the filter keeps in a flow's entry.
#[derive(Clone, Copy, Debug, Default)]
pub struct Remembered {
    sides: [Entry; 2],
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// 0 when nothing is remembered.
    epoch: u64,
    at: Circumstances,
    /// The rule permits and tells nothing of it: there is nothing else to look at.
    quiet: bool,
    /// Position of the rule, or `IMPLIED`.
    rule: u32,
}

/// What a flow remembers of a packet's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recalled {
    /// This rule permits it and tells nothing.
    Quiet(RuleId),
    /// This rule matches, or none.
    Rule(Option<usize>),
}

/// No rule matched.
const IMPLIED: u32 = u32::MAX;

/// What an entry must have been written for to answer for a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Circumstances {
    context: u8,
    class: u8,
    /// It came through a security association: the rule alone does not decide it then.
    opened: bool,
}

/// Protocols of which rules select types; their headers have no ports.
const fn has_types(protocol: u8) -> bool {
    matches!(
        protocol,
        proto::ICMP | proto::ICMPV6 | proto::OSPF | proto::MOBILITY
    )
}

const fn has_ports(protocol: u8) -> bool {
    matches!(
        protocol,
        proto::TCP | proto::UDP | proto::SCTP | proto::DCCP | proto::UDP_LITE
    )
}

impl Circumstances {
    /// Those of a packet whose flow's key has all that rules select by; `None` for others: AH that
    /// nobody opened, and protocols with types.
    #[inline]
    pub(crate) fn of(packet: &Packet<'_>) -> Option<Self> {
        let l: &Layout = packet.layout();
        if l.fragment() != Fragment::Whole || l.has(seen::AH) {
            return None;
        }
        // A transport header that cannot be read has no ports, as those of other packets may.
        if l.ports().is_none() && (has_types(l.protocol()) || has_ports(l.protocol())) {
            return None;
        }
        let opening = match l.tcp_flags() {
            None => Opening::Unknown,
            Some(flags) if flags & (tcp_flags::SYN | tcp_flags::ACK) == tcp_flags::SYN => {
                Opening::Opens
            }
            Some(_) => Opening::Continues,
        };
        let meta: &Meta = &packet.meta;
        let context = Context::from_parts(meta.direction(), meta.routing, false, opening);
        Some(Self {
            context: context.index(),
            class: meta.security_class,
            opened: meta.sa.is_some(),
        })
    }

    /// Whether it came through no security association.
    pub(crate) const fn is_clear(self) -> bool {
        !self.opened
    }
}

impl Circumstances {
    /// These and an epoch as one word, which is never zero: that of a [`Note`] that answers for them.
    /// `None` from epoch 2^48 on, which does not fit beside them, and for what came through a security
    /// association: whether it may is looked at for each packet.
    #[inline(always)]
    const fn stamp(self, epoch: u64) -> Option<u64> {
        if self.opened || epoch >> 48 != 0 {
            return None;
        }
        Some(epoch << 16 | (self.context as u64) << 8 | self.class as u64)
    }

    /// The rule that permits a packet and tells nothing of it, if a note says so.
    #[inline(always)]
    pub(crate) fn noted(self, epoch: u64, note: Note) -> Option<RuleId> {
        let word = self.stamp(epoch)?;
        (word == note.word).then_some(RuleId(note.half))
    }
}

impl Remembered {
    /// The rule that matches a packet, or that none does; `None` when that is not remembered.
    #[inline(always)]
    pub(crate) fn recall(&self, side: Side, epoch: u64, now: Circumstances) -> Option<Recalled> {
        let entry = self.side(side);
        if entry.epoch != epoch || entry.at != now {
            return None;
        }
        Some(if entry.quiet {
            Recalled::Quiet(RuleId(entry.rule))
        } else {
            Recalled::Rule((entry.rule != IMPLIED).then_some(entry.rule as usize))
        })
    }

    /// What a flow's [`Note`] is to say of this side: a quiet permit.
    #[inline]
    pub(crate) fn note(&self, side: Side) -> Option<Note> {
        let entry = self.side(side);
        let word = entry.at.stamp(entry.epoch).filter(|_| entry.quiet)?;
        Some(Note {
            word,
            half: entry.rule,
        })
    }

    const fn side(&self, side: Side) -> &Entry {
        let [initiator, responder] = &self.sides;
        match side {
            Side::Initiator => initiator,
            Side::Responder => responder,
        }
    }

    pub(crate) fn remember(
        &mut self,
        side: Side,
        epoch: u64,
        now: Circumstances,
        rule: Option<usize>,
        quiet: bool,
    ) {
        let [initiator, responder] = &mut self.sides;
        let entry = match side {
            Side::Initiator => initiator,
            Side::Responder => responder,
        };
        *entry = Entry {
            epoch,
            at: now,
            quiet,
            rule: rule.and_then(|r| u32::try_from(r).ok()).unwrap_or(IMPLIED),
        };
    }
}
