//! The codes of this control, under which packets are refused and events are told.

hostward_hook::codes! {
    /// Codes of IPsec.
    pub static CODES;
    /// A packet of a security association is too short, or its header chain cannot be followed.
    MALFORMED = 4001, "sa-malformed";
    /// The sequence number was seen before: a replay, or a packet the network has doubled.
    REPLAY = 4002, "sa-replay";
    /// The sequence number lies before the replay window, or is the zero that is never sent.
    STALE = 4003, "sa-stale";
    /// The integrity check value is wrong: the packet was forged or damaged, or the keys differ.
    BAD_ICV = 4004, "sa-bad-icv";
    /// The padding is longer than the packet, or is not 1, 2, 3 and so on.
    BAD_PADDING = 4005, "sa-bad-padding";
    /// What was inside is no whole IP packet, though the association is in tunnel mode.
    BAD_INNER = 4006, "sa-bad-inner";
    /// The network marked congestion on a packet whose inner packet cannot tell it on (RFC 6040).
    ECN_DROP = 4007, "sa-ecn-drop";
    /// The hard lifetime of the association is over.
    EXPIRED = 4008, "sa-expired";
    /// Every sequence number of the association was used; a new one is needed.
    SEQUENCE_EXHAUSTED = 4009, "sa-sequence-exhausted";
    /// The frame has not the room that protection takes.
    NO_ROOM = 4010, "sa-no-room";
    /// The protected packet would be larger than the path allows, and must not be fragmented.
    TOO_BIG = 4011, "sa-too-big";
    /// A fragment cannot be protected in transport mode, nor opened before it is reassembled.
    FRAGMENT = 4012, "sa-fragment";
    /// The packet is not of this association: another SPI, or another protocol.
    NOT_OURS = 4013, "sa-not-ours";
    /// The cryptographic library refused the packet.
    CRYPTO = 4014, "sa-crypto";
}
