//! What the `ipsec` command of z/OS displays of tunnels, as values: `-m` for manual tunnels, `-y`
//! for dynamic ones. What the reference marks unconfirmed is in this file only.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use hostward_hook::ident::{SaId, TunnelId};
use hostward_hook::protection::{Encapsulation, Transforms, TunnelKind};
use hostward_hook::time::{Now, UnixTime};

use crate::ipsec::Ipsec;
use crate::manual::ManualTunnel;
use crate::pair::Pair;
use crate::sa::{Dscp, Inbound, Lifetimes, Outbound};
use crate::selector::Selectors;
use crate::suite::{encr, integ};
use crate::told::Count;

/// State of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It protects.
    Active,
    /// It is known and does nothing.
    Inactive,
    /// It opens packets, and waits for one of the peer before it seals.
    Pending,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "Active",
            Self::Inactive => "Inactive",
            Self::Pending => "Pending",
        })
    }
}

/// A tunnel's id as displays show it: a letter and a number that stay the same over refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a letter and a number")]
pub struct DisplayId {
    /// Manual (`M`) or dynamic (`Y`).
    pub kind: TunnelKind,
    /// The tunnel.
    pub tunnel: TunnelId,
}

impl fmt::Display for DisplayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = if matches!(self.kind, TunnelKind::Manual) {
            'M'
        } else {
            'Y'
        };
        write!(f, "{letter}{}", u64::from(self.tunnel.0) + 1)
    }
}

/// A tunnel as `ipsec -m` and `ipsec -y` display it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TunnelDisplay {
    /// `TunnelID`.
    pub id: DisplayId,
    /// The pair of associations; `None` for a manual tunnel that is not active.
    pub sa: Option<SaId>,
    /// `Generation`: which pair of the tunnel it is, from 1; 0 for none.
    pub generation: u32,
    /// `VpnActionName`.
    pub name: Arc<str>,
    /// `State`.
    pub state: State,
    /// `HowToEncap`.
    pub encapsulation: Encapsulation,
    /// `LocalEndPoint`.
    pub local: IpAddr,
    /// `RemoteEndPoint`.
    pub remote: IpAddr,
    /// 50 for ESP, 51 for AH: the first word of `HowToAuth`.
    pub protocol: u8,
    /// Algorithms.
    pub transforms: Transforms,
    /// `AuthInboundSpi`, `EncryptInboundSpi`: one association does both.
    pub inbound_spi: Option<u32>,
    /// `AuthOutboundSpi`, `EncryptOutboundSpi`.
    pub outbound_spi: Option<u32>,
    /// The traffic it is for; empty for a tunnel that is not active.
    pub selectors: Vec<Selectors>,
    /// `InboundPackets`, `InboundBytes`.
    pub inbound: Count,
    /// `OutboundPackets`, `OutboundBytes`.
    pub outbound: Count,
    /// `Lifesize`, `LifesizeRefresh`, and the same in time.
    pub lifetimes: Lifetimes,
    /// When it was installed.
    pub installed: Option<UnixTime>,
    /// How long ago that was.
    pub age: Option<Duration>,
    /// `VPNLifeExpires`.
    pub expires: Option<UnixTime>,
    /// Whether ESP travels in UDP.
    pub udp: bool,
    /// `ParentIKETunnelID`: the number of the IKE association.
    pub ike: Option<u32>,
    /// Packets that were refused as replays, with a wrong ICV, or else.
    pub refused: [u64; 3],
}

impl TunnelDisplay {
    fn of(pair: &Pair, now: Now) -> Self {
        let (inbound, outbound) = pair.counts();
        let counters = pair
            .inbound
            .as_ref()
            .map(Inbound::counters)
            .unwrap_or_default();
        let state = if pair.sending || pair.outbound.is_none() {
            State::Active
        } else {
            State::Pending
        };
        Self {
            id: DisplayId {
                kind: pair.kind(),
                tunnel: pair.tunnel,
            },
            sa: Some(pair.id),
            generation: pair.generation,
            name: Arc::clone(&pair.name),
            state,
            encapsulation: pair.outline.mode,
            local: pair.outline.local,
            remote: pair.outline.remote,
            protocol: pair.outline.protocol,
            transforms: pair.outline.transforms,
            inbound_spi: pair.inbound.as_ref().map(Inbound::spi),
            outbound_spi: pair.outbound.as_ref().map(Outbound::spi),
            selectors: pair.selectors.to_vec(),
            inbound,
            outbound,
            lifetimes: pair.outline.lifetimes,
            installed: Some(pair.installed.wall),
            age: Some(now.mono.saturating_since(pair.installed.mono)),
            expires: pair.expires,
            udp: pair.outline.udp,
            ike: pair.ike.as_ref().map(|ike| ike.id),
            refused: [counters.replays, counters.bad_icv, counters.refused],
        }
    }

    /// A manual tunnel as it is configured, whether or not it is active somewhere.
    #[must_use]
    pub fn configured(tunnel: &ManualTunnel) -> Self {
        Self {
            id: DisplayId {
                kind: TunnelKind::Manual,
                tunnel: tunnel.id,
            },
            sa: None,
            generation: 0,
            name: Arc::clone(&tunnel.name),
            state: if tunnel.active {
                State::Active
            } else {
                State::Inactive
            },
            encapsulation: tunnel.mode,
            local: tunnel.local,
            remote: tunnel.remote,
            protocol: tunnel.suite.protocol().number(),
            transforms: tunnel.suite.transforms(),
            inbound_spi: Some(tunnel.inbound.spi),
            outbound_spi: Some(tunnel.outbound.spi),
            selectors: Vec::new(),
            inbound: Count::default(),
            outbound: Count::default(),
            lifetimes: Lifetimes::default(),
            installed: None,
            age: None,
            expires: None,
            udp: false,
            ike: None,
            refused: [0; 3],
        }
    }

    /// `HowToAuth` and `AuthAlgorithm`, such as `ESP HMAC_SHA2_256_128`.
    #[must_use]
    pub fn how_to_auth(&self) -> String {
        let protocol = if self.protocol == 51 { "AH" } else { "ESP" };
        let algorithm = match (self.transforms.integrity, self.transforms.encryption) {
            (None | Some(integ::NONE), Some(encr::NULL_AUTH_AES_GMAC)) => {
                let bits = self.transforms.encryption_bits;
                return [protocol, " AES_GMAC_", &bits.to_string()].concat();
            }
            (None | Some(integ::NONE), _) => "Null",
            (Some(integ::HMAC_SHA1_96), _) => "HMAC_SHA1",
            (Some(integ::AES_XCBC_96), _) => "AES128_XCBC_96",
            (Some(integ::AES_CMAC_96), _) => "AES_CMAC_96",
            (Some(integ::AES_128_GMAC), _) => "AES_GMAC_128",
            (Some(integ::AES_192_GMAC), _) => "AES_GMAC_192",
            (Some(integ::AES_256_GMAC), _) => "AES_GMAC_256",
            (Some(integ::HMAC_SHA2_256_128), _) => "HMAC_SHA2_256_128",
            (Some(integ::HMAC_SHA2_384_192), _) => "HMAC_SHA2_384_192",
            (Some(integ::HMAC_SHA2_512_256), _) => "HMAC_SHA2_512_256",
            (Some(other), _) => return [protocol, " ", &other.to_string()].concat(),
        };
        [protocol, " ", algorithm].concat()
    }

    /// `HowToEncrypt` and `KeyLength`, such as `AES_GCM_16 KeyLength 256`.
    #[must_use]
    pub fn how_to_encrypt(&self) -> String {
        let name = match self.transforms.encryption {
            None | Some(encr::NULL | encr::NULL_AUTH_AES_GMAC) => return "DoNot".into(),
            Some(encr::AES_CBC) => "AES_CBC",
            Some(encr::AES_CTR) => "AES_CTR",
            Some(encr::AES_CCM_8) => "AES_CCM_8",
            Some(encr::AES_CCM_12) => "AES_CCM_12",
            Some(encr::AES_CCM_16) => "AES_CCM_16",
            Some(encr::AES_GCM_8) => "AES_GCM_8",
            Some(encr::AES_GCM_12) => "AES_GCM_12",
            Some(encr::AES_GCM_16) => "AES_GCM_16",
            Some(encr::CHACHA20_POLY1305) => "CHACHA20_POLY1305",
            Some(encr::AES_CCM_8_IIV) => "AES_CCM_8_IIV",
            Some(encr::AES_GCM_16_IIV) => "AES_GCM_16_IIV",
            Some(encr::CHACHA20_POLY1305_IIV) => "CHACHA20_POLY1305_IIV",
            Some(other) => return other.to_string(),
        };
        match self.transforms.encryption_bits {
            0 => name.into(),
            bits => [name, " KeyLength ", &bits.to_string()].concat(),
        }
    }

    /// Whether `PassthroughDSCP` holds of a configured tunnel.
    #[must_use]
    pub const fn passes_dscp(tunnel: &ManualTunnel) -> bool {
        matches!(tunnel.outer.dscp, Dscp::Copy)
    }
}

/// The fields in the order of the detail format, one a line.
impl fmt::Display for TunnelDisplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: &dyn fmt::Display| writeln!(f, "{name:<26}{value}");
        let spi = |spi: Option<u32>| spi.map_or_else(|| "n/a".into(), |s| s.to_string());
        let dynamic = !matches!(self.id.kind, TunnelKind::Manual);
        line("TunnelID:", &self.id)?;
        if dynamic {
            line("Generation:", &self.generation)?;
            let ike = self
                .ike
                .map_or_else(|| "n/a".into(), |id| ["K", &id.to_string()].concat());
            line("ParentIKETunnelID:", &ike)?;
        }
        line("VpnActionName:", &self.name)?;
        line("State:", &self.state)?;
        let mode = match self.encapsulation {
            Encapsulation::Tunnel => "Tunnel",
            Encapsulation::Transport => "Transport",
        };
        line("HowToEncap:", &mode)?;
        line("LocalEndPoint:", &self.local)?;
        line("RemoteEndPoint:", &self.remote)?;
        for s in &self.selectors {
            line("LocalAddress:", &s.local)?;
            line("RemoteAddress:", &s.remote)?;
        }
        line("HowToAuth:", &self.how_to_auth())?;
        line("InboundSpi:", &spi(self.inbound_spi))?;
        line("OutboundSpi:", &spi(self.outbound_spi))?;
        line("HowToEncrypt:", &self.how_to_encrypt())?;
        line("OutboundPackets:", &self.outbound.packets)?;
        line("OutboundBytes:", &self.outbound.bytes)?;
        line("InboundPackets:", &self.inbound.packets)?;
        line("InboundBytes:", &self.inbound.bytes)?;
        if dynamic {
            let number = |n: Option<u64>| n.map_or_else(|| "0".into(), |n| n.to_string());
            line("Lifesize:", &number(self.lifetimes.hard.bytes))?;
            line("LifesizeRefresh:", &number(self.lifetimes.soft.bytes))?;
            let left = |limit: Option<Duration>| match (limit, self.age) {
                (Some(limit), Some(age)) => [
                    &limit.saturating_sub(age).as_secs().to_string(),
                    " seconds left",
                ]
                .concat(),
                _ => "n/a".into(),
            };
            line("LifetimeRefresh:", &left(self.lifetimes.soft.time))?;
            line("LifetimeExpires:", &left(self.lifetimes.hard.time))?;
        }
        Ok(())
    }
}

/// Displays of one worker's tunnels. A host with several workers shows them one after the other.
impl Ipsec {
    /// Tunnels whose keys are configured, as far as they are active here (`ipsec -m`).
    pub fn manual_tunnels(&self, now: Now) -> impl Iterator<Item = TunnelDisplay> {
        self.displays(now, true)
    }

    /// Tunnels that were negotiated (`ipsec -y`).
    pub fn dynamic_tunnels(&self, now: Now) -> impl Iterator<Item = TunnelDisplay> {
        self.displays(now, false)
    }

    fn displays(&self, now: Now, manual: bool) -> impl Iterator<Item = TunnelDisplay> {
        self.pairs()
            .filter(move |p| p.outline.manual == manual)
            .map(move |p| TunnelDisplay::of(p, now))
    }
}
