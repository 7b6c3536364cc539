//! What lay around an IP packet.

use std::fmt;

use super::LinkType;

/// The most layers that are told of one packet; deeper ones end the walk.
pub const MAX_LAYERS: usize = 24;

/// Something that was taken off between the link header and the innermost IP packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Layer {
    /// What it is.
    pub kind: LayerKind,
    /// The number it carries: VLAN, MPLS label, PPPoE session, VXLAN or Geneve network, tunnel
    /// endpoint identifier, GRE key; 0 where there is none.
    pub id: u32,
}

/// The kinds of [`Layer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LayerKind {
    /// IEEE 802.1Q, 802.1ad and their forerunners.
    #[default]
    Vlan,
    /// Provider backbone bridging (IEEE 802.1ah).
    BackboneBridge,
    /// An MPLS label (RFC 3032).
    Mpls,
    /// A PPPoE session (RFC 2516).
    Pppoe,
    /// An IP packet in an IP packet (RFC 2003, RFC 4213, RFC 2473).
    IpInIp,
    /// GRE (RFC 2784, RFC 2890).
    Gre,
    /// GRE version 1 as PPTP uses it (RFC 2637).
    Pptp,
    /// A mirrored frame: ERSPAN.
    Erspan,
    /// Ethernet in IP (RFC 3378).
    EtherIp,
    /// VXLAN (RFC 7348) and its generic protocol extension.
    Vxlan,
    /// Geneve (RFC 8926).
    Geneve,
    /// GTP-U (3GPP TS 29.281).
    GtpU,
    /// CAPWAP data (RFC 5415).
    Capwap,
    /// Teredo (RFC 4380).
    Teredo,
    /// AYIYA.
    Ayiya,
    /// L2TP version 2 (RFC 2661).
    L2tp,
}

impl LayerKind {
    /// Whether the layer carries a packet between two IP hosts, so that the innermost addresses
    /// are not the outermost ones.
    #[must_use]
    pub const fn is_tunnel(self) -> bool {
        !matches!(
            self,
            Self::Vlan | Self::BackboneBridge | Self::Mpls | Self::Pppoe
        )
    }

    /// The kind's name as it stands in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vlan => "vlan",
            Self::BackboneBridge => "802.1ah",
            Self::Mpls => "mpls",
            Self::Pppoe => "pppoe",
            Self::IpInIp => "ip-in-ip",
            Self::Gre => "gre",
            Self::Pptp => "pptp",
            Self::Erspan => "erspan",
            Self::EtherIp => "etherip",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::GtpU => "gtp-u",
            Self::Capwap => "capwap",
            Self::Teredo => "teredo",
            Self::Ayiya => "ayiya",
            Self::L2tp => "l2tp",
        }
    }
}

/// The layers around a packet, outermost first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Layers {
    list: [Layer; MAX_LAYERS],
    len: usize,
}

impl Layers {
    /// All layers, outermost first.
    #[must_use]
    pub fn as_slice(&self) -> &[Layer] {
        self.list.get(..self.len).unwrap_or_default()
    }

    /// How many tunnels there are among them.
    #[must_use]
    pub fn tunnels(&self) -> usize {
        self.as_slice()
            .iter()
            .filter(|l| l.kind.is_tunnel())
            .count()
    }

    pub(super) fn push(&mut self, kind: LayerKind, id: u32) -> Result<(), Miss> {
        let place = self.list.get_mut(self.len).ok_or(Miss::TooDeep)?;
        *place = Layer { kind, id };
        self.len += 1;
        Ok(())
    }

    /// These layers and then those, as many as there is room for.
    #[must_use]
    pub fn joined(mut self, inner: &Self) -> Self {
        // Layers that do not fit are not told.
        let _ = self.append(inner);
        self
    }

    pub(super) fn append(&mut self, more: &Self) -> Result<(), Miss> {
        more.as_slice()
            .iter()
            .try_for_each(|l| self.push(l.kind, l.id))
    }
}

/// The names with their numbers, for example `vlan 5, vxlan 100`.
impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, layer) in self.as_slice().iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            f.write_str(layer.kind.name())?;
            if layer.id != 0 {
                write!(f, " {}", layer.id)?;
            }
        }
        Ok(())
    }
}

/// Why there is no IP packet in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Miss {
    /// Nobody here knows the link type.
    #[error("link type {} is not supported", .0.0)]
    UnknownLink(LinkType),
    /// The frame carries another protocol; the number is what the frame calls it (an EtherType
    /// where there is one).
    #[error("protocol {0:#06x} is not IP")]
    NotIp(u16),
    /// The frame ends within its own headers.
    #[error("the frame ends within its link headers")]
    CutOff,
    /// The link encrypts what it carries.
    #[error("the link layer is encrypted")]
    Encrypted,
    /// A fragment or an aggregate of the link layer, which is not put together.
    #[error("a fragment or aggregate of the link layer")]
    Partial,
    /// More headers than anyone stacks.
    #[error("too many link headers")]
    TooDeep,
}
