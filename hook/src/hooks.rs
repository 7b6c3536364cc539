//! The traits at which controls, hosts and the guard meet.
//!
//! Every method has a neutral default where one makes sense, so a control writes only what it
//! does. A control keeps its per-flow state in a `Slot` of its own type; the guard's flow entry
//! holds one of each, and no control knows another's. Controls are composed statically; the whole
//! guard is what one makes a trait object of.

use crate::action::Cx;
use crate::flow::{FlowInfo, Note};
use crate::frame::FrameBuf;
use crate::ident::{RuleId, SaId, TunnelId, UserId};
use crate::layout::Layout;
use crate::meta::{Checksums, Routing};
use crate::packet::Packet;
use crate::protection::ProtectionSink;
use crate::time::Instant;
use crate::verdict::Verdict;

/// A control that looks at packets, such as intrusion detection.
///
/// `before` sees every packet first, before anything trusts a field of it and before its flow is
/// known; `after` sees it together with the filter's verdict, denied packets included.
pub trait PacketHook {
    /// What the control keeps for each flow.
    type Slot: Default;

    /// Judges a packet before all other controls.
    fn before(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
        let _ = (cx, packet);
        Verdict::Continue
    }

    /// Judges several packets, exactly as [`before`](Self::before) would one after the other.
    /// Packets whose verdict is not [`Verdict::Continue`] are left alone.
    fn before_batch(&mut self, cx: &mut Cx<'_>, packets: &[Packet<'_>], verdicts: &mut [Verdict]) {
        for (packet, verdict) in packets.iter().zip(verdicts) {
            if verdict.is_continue() {
                cx.packet = packet.number;
                *verdict = self.before(cx, packet);
            }
        }
    }

    /// Judges a packet after the filter has. `slot` is there when the packet's flow has an entry.
    ///
    /// Its answer counts only if `filter` lets the packet go on ([`Verdict::Continue`] or
    /// [`Verdict::Protect`]): a denied packet stays denied.
    fn after(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        slot: Option<&mut Self::Slot>,
        filter: Verdict,
    ) -> Verdict {
        let _ = (cx, packet, slot, filter);
        Verdict::Continue
    }

    /// Judges several packets, exactly as [`after`](Self::after) would one after the other.
    /// `slots` and `filter` belong to the packet of the same position; packets whose verdict is
    /// not [`Verdict::Continue`] are left alone.
    fn after_batch(
        &mut self,
        cx: &mut Cx<'_>,
        packets: &[Packet<'_>],
        slots: &mut [Option<&mut Self::Slot>],
        filter: &[Verdict],
        verdicts: &mut [Verdict],
    ) {
        for (((packet, slot), filter), verdict) in
            packets.iter().zip(slots).zip(filter).zip(verdicts)
        {
            if verdict.is_continue() {
                cx.packet = packet.number;
                *verdict = self.after(cx, packet, slot.as_deref_mut(), *filter);
            }
        }
    }
}

/// A control that decides by rules whether a packet may pass, such as the IP filter.
pub trait PacketFilter {
    /// What the control keeps for each flow: a remembered decision and its generation.
    type Slot: Default;

    /// Decides about a packet. `slot` is there when the packet's flow has an entry, together with
    /// the side that sent the packet; an answer remembered there counts only for the generation
    /// that wrote it.
    fn decide(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        slot: Option<(Side, &mut Self::Slot)>,
    ) -> Verdict;

    /// Decides about a packet by what is [noted](Note) of its flow, without the flow's
    /// slot; `None` when that does not tell. The verdict and what is counted and told are those of
    /// [`decide`](Self::decide).
    #[inline]
    fn decide_noted(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        note: Note,
    ) -> Option<Verdict> {
        let _ = (cx, packet, note);
        None
    }

    /// What to [note](Note) of a flow after a packet of this side was decided, from
    /// its slot; `None` to leave the note as it is.
    #[inline]
    fn note(&self, slot: &Self::Slot, side: Side) -> Option<Note> {
        let _ = (slot, side);
        None
    }

    /// Decides about a fragment before it is put together with the others; the whole datagram
    /// comes to [`decide`](Self::decide) afterwards.
    fn decide_fragment(&mut self, cx: &mut Cx<'_>, packet: &Packet<'_>) -> Verdict {
        let _ = (cx, packet);
        Verdict::Continue
    }
}

/// Which endpoint of a connection bytes came from: by who opened it, not by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Side {
    /// The endpoint that opened the connection (sent the SYN, or was seen first).
    Initiator,
    /// The endpoint that accepted it.
    Responder,
}

impl Side {
    /// The opposite endpoint.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }

    /// 0 for the initiator, 1 for the responder: an index into per-side arrays.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::Initiator => 0,
            Self::Responder => 1,
        }
    }
}

/// Why a flow is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseCause {
    /// Both sides sent FIN.
    Fin,
    /// A believable reset ended it; the side that sent it.
    Reset(Side),
    /// Nothing was seen for longer than its state allows.
    Idle,
    /// It gave way to another flow in a full table.
    Evicted,
    /// The addresses and ports were taken into use by a new connection.
    Reused,
    /// The input ended or the guard was shut down while it was open.
    EndOfInput,
}

/// Whether an observer wants more of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a caller must handle every answer")]
pub enum Interest {
    /// Keep the bytes coming.
    More,
    /// Nothing more from this side; the other side may still be wanted.
    EnoughFromSide,
    /// Nothing more of this connection.
    Enough,
}

/// A control that reads byte streams as the wire carries them, in order, without gaps it is not
/// told of.
///
/// The bytes come from the host's own TCP or from [`stream`](crate::stream) reassembly.
pub trait StreamObserver {
    /// What the control keeps for each flow.
    type Slot: Default;

    /// A connection appeared.
    fn opened(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Self::Slot) {
        let _ = (cx, flow, slot);
    }

    /// The next bytes from one side.
    fn bytes(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut Self::Slot,
        from: Side,
        data: &[u8],
    ) -> Interest;

    /// `missing` bytes from one side were lost and will never come.
    fn gap(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut Self::Slot,
        from: Side,
        missing: u32,
    ) -> Interest {
        let _ = (cx, flow, slot, from, missing);
        Interest::EnoughFromSide
    }

    /// One side has sent all it will send (FIN).
    fn finished(&mut self, cx: &mut Cx<'_>, flow: &FlowInfo, slot: &mut Self::Slot, from: Side) {
        let _ = (cx, flow, slot, from);
    }

    /// The connection is over. `slot` is thrown away afterwards.
    fn closed(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut Self::Slot,
        cause: CloseCause,
    ) {
        let _ = (cx, flow, slot, cause);
    }

    /// The security association that carries the flow was bound or replaced; `None` when it has
    /// none any more.
    fn sa_bound(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut Self::Slot,
        sa: Option<SaId>,
    ) {
        let _ = (cx, flow, slot, sa);
    }
}

/// A control that reads datagrams of a flow: UDP payloads.
pub trait DatagramObserver {
    /// What the control keeps for each flow.
    type Slot: Default;

    /// One datagram's payload.
    fn datagram(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut Self::Slot,
        from: Side,
        payload: &[u8],
    ) -> Interest;

    /// The flow is over. `slot` is thrown away afterwards.
    fn closed(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut Self::Slot,
        cause: CloseCause,
    ) {
        let _ = (cx, flow, slot, cause);
    }
}

/// What a stream transform has done with what it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a pair of counts that implementers construct"
)]
pub struct Progress {
    /// Bytes taken from the input.
    pub consumed: usize,
    /// Bytes written to the output.
    pub produced: usize,
}

/// A stream transform could not go on; the connection must be closed. The cause travels as an
/// event, not as part of the error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream transform failed (code {0})")]
#[expect(clippy::exhaustive_structs, reason = "a code is all there ever is")]
pub struct TransformError(pub crate::reason::Code);

/// A control that changes byte streams between application and wire, such as
/// application-transparent TLS. Sans-IO: bytes in, bytes out, deadlines by [`Timers`].
pub trait StreamTransform {
    /// What the control keeps for each flow.
    type Slot: Default;

    /// Bytes from the wire become bytes for the application.
    ///
    /// # Errors
    /// When the peer broke the protocol or policy forbids to go on.
    fn inbound(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut Self::Slot,
        wire: &[u8],
        app: &mut [u8],
    ) -> Result<Progress, TransformError>;

    /// Bytes from the application become bytes for the wire. Called with an empty `app` it
    /// writes what the transform itself has to say (a handshake).
    ///
    /// # Errors
    /// As for [`inbound`](Self::inbound).
    fn outbound(
        &mut self,
        cx: &mut Cx<'_>,
        flow: &FlowInfo,
        slot: &mut Self::Slot,
        app: &[u8],
        wire: &mut [u8],
    ) -> Result<Progress, TransformError>;
}

/// What an application is about to do with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocketOp {
    /// Bind to a local address and port.
    Bind,
    /// Connect to a peer.
    Connect,
    /// Accept a peer.
    Accept,
    /// Send a datagram.
    Send,
    /// Receive a datagram.
    Receive,
}

/// A control that decides about socket calls on behalf of a user, such as SERVAUTH access
/// control.
pub trait SocketHook {
    /// What the control keeps for each flow.
    type Slot: Default;

    /// Decides about one call. `flow` has the addresses as far as they are known: unspecified
    /// address and port 0 stand for "any". `slot` is there once the socket's flow has an entry.
    fn socket(
        &mut self,
        cx: &mut Cx<'_>,
        user: UserId,
        op: SocketOp,
        flow: &FlowInfo,
        slot: Option<&mut Self::Slot>,
    ) -> Verdict;
}

/// What opening a protected packet brought out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// The association it came through.
    pub sa: SaId,
    /// Whether the inner packet ends at this host; `None` when it goes where the outer one went.
    ///
    /// A gateway's outer packets are addressed to the gateway and the inner ones are not: what they
    /// are is judged anew, and not by what enclosed them.
    pub routing: Option<Routing>,
    /// What is known of the inner packet's checksums: nothing, unless this says otherwise, whatever
    /// was known of the outer one's.
    pub checksums: Checksums,
}

impl Opened {
    /// A packet that came through `sa` and goes where the outer one went.
    #[must_use]
    pub const fn new(sa: SaId) -> Self {
        Self {
            sa,
            routing: None,
            checksums: Checksums::Unchecked,
        }
    }

    /// The same with the inner packet's own routing.
    #[must_use]
    pub const fn with_routing(mut self, routing: Routing) -> Self {
        self.routing = Some(routing);
        self
    }

    /// The same with what is known of the inner packet's checksums.
    #[must_use]
    pub const fn with_checksums(mut self, checksums: Checksums) -> Self {
        self.checksums = checksums;
        self
    }
}

/// A control that seals and opens packets in place, such as IPsec.
///
/// Sealing takes two steps, because between them the packet is still in clear and observers look
/// at it: [`select`](Self::select) finds the association or says why there is none, and only a
/// packet that has one counts as sent; [`seal`](Self::seal) then changes the frame. Its
/// [`Timers`] are lifetimes of associations and packets that wait for one.
pub trait PacketTransform: Timers {
    /// The most bytes that sealing adds; hosts lower their MTU by it.
    fn max_overhead(&self) -> usize;

    /// Whether this is protected traffic addressed to this host, which `open` should try.
    fn wants_open(&self, packet: &Packet<'_>) -> bool;

    /// Touches the memory that opening these packets will need. The batch form calls it ahead for
    /// those of a batch that [want to be opened](Self::wants_open), and it has no other effect.
    fn look_ahead(&self, packets: &[Packet<'_>]) {
        let _ = packets;
    }

    /// Finds the association under `tunnel` for an outbound packet that `rule` sends into it.
    ///
    /// # Errors
    /// The verdict on a packet that has none: [`Verdict::Hold`] while one is negotiated, a drop
    /// with its reason, a hand-off to the worker that owns it. [`Verdict::Protect`], as it came,
    /// leaves sealing to the host.
    fn select(
        &mut self,
        cx: &mut Cx<'_>,
        packet: &Packet<'_>,
        tunnel: TunnelId,
        rule: RuleId,
    ) -> Result<SaId, Verdict>;

    /// Protects an outbound packet with `sa`, which [`select`](Self::select) has named. On
    /// [`Verdict::Continue`] the frame holds the protected packet, on any other verdict what it
    /// held before.
    fn seal(&mut self, cx: &mut Cx<'_>, sa: SaId, frame: &mut dyn FrameBuf) -> Verdict;

    /// Opens an inbound protected packet of this layout. `Ok` names the association it came
    /// through, and the frame then holds the inner packet.
    ///
    /// # Errors
    /// The verdict on a packet that could not be opened: a drop with its reason, or a hand-off.
    /// [`Verdict::Consumed`] is for what was meant for the control itself: padding traffic,
    /// keepalives. [`Verdict::Continue`] says that it is not protected after all; the frame must
    /// then be as it was, and all other controls judge it.
    fn open(
        &mut self,
        cx: &mut Cx<'_>,
        layout: &Layout,
        frame: &mut dyn FrameBuf,
    ) -> Result<Opened, Verdict>;

    /// Tells which associations were installed, changed or removed since the last call. The guard
    /// asks before the next packet after the host had the control in hand, and after each
    /// deadline.
    fn associations(&mut self, cx: &mut Cx<'_>, sink: &mut dyn ProtectionSink) {
        let _ = (cx, sink);
    }
}

/// Opens and seals nothing: for guards without IPsec.
impl PacketTransform for () {
    fn max_overhead(&self) -> usize {
        0
    }

    fn wants_open(&self, _: &Packet<'_>) -> bool {
        false
    }

    fn select(
        &mut self,
        _: &mut Cx<'_>,
        _: &Packet<'_>,
        tunnel: TunnelId,
        rule: RuleId,
    ) -> Result<SaId, Verdict> {
        Err(Verdict::Protect { tunnel, rule })
    }

    fn seal(&mut self, _: &mut Cx<'_>, _: SaId, _: &mut dyn FrameBuf) -> Verdict {
        Verdict::Continue
    }

    fn open(
        &mut self,
        _: &mut Cx<'_>,
        _: &Layout,
        _: &mut dyn FrameBuf,
    ) -> Result<Opened, Verdict> {
        Err(Verdict::Continue)
    }
}

impl Timers for () {}

/// Something that has to act when time passes, not only when packets come.
pub trait Timers {
    /// When [`handle_deadline`](Self::handle_deadline) wants to be called next, if ever.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// Does what is due at `cx.now`. Calling it early does nothing; each call does a bounded
    /// amount of work, and the next deadline says if more is due.
    fn handle_deadline(&mut self, cx: &mut Cx<'_>) {
        let _ = cx;
    }
}

/// The earlier of two deadlines.
#[must_use]
pub fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, None) | (None, one) => one,
    }
}
