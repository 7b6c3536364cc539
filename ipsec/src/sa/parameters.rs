//! What a security association is made of.

use core::net::IpAddr;

use hostward_crypto::{Refusal, Secret};
use hostward_hook::ident::SaId;
use hostward_hook::protection::Encapsulation;

use super::lifetime::Lifetimes;
use super::replay::Window;
use crate::suite::{Protocol, Suite};

/// Ports of ESP in UDP (RFC 3948), 4500 at both ends unless a NAT is between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the two ports of UDP")]
pub struct UdpEncapsulation {
    /// This host's port.
    pub local: u16,
    /// The peer's port, as it is seen here.
    pub remote: u16,
}

/// The outer header's DSCP (RFC 4301 §5.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "it is copied or it is not")]
pub enum Dscp {
    /// That of the inner header.
    #[default]
    Copy,
    /// Always this one, 0 to 63.
    Fixed(u8),
}

/// The outer header's ECN field (RFC 6040 §4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "RFC 6040 knows two modes")]
pub enum Ecn {
    /// That of the inner header.
    #[default]
    Normal,
    /// Not ECN-capable, for peers that do not bring congestion back to the inner header.
    Compatibility,
}

/// The outer IPv4 header's DF bit (RFC 4301 §8.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "RFC 4301 §8.1 asks for these three"
)]
pub enum Df {
    /// That of the inner header; IPv6 counts as set.
    #[default]
    Copy,
    /// Set.
    Set,
    /// Not set.
    Clear,
}

/// The outer header of tunnel mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_structs,
    reason = "what can be chosen in IP headers"
)]
pub struct OuterHeader {
    /// DSCP.
    pub dscp: Dscp,
    /// ECN.
    pub ecn: Ecn,
    /// DF, of IPv4.
    pub df: Df,
    /// TTL or hop limit. That of the inner header is the forwarding host's to decrement.
    pub hop_limit: u8,
}

impl Default for OuterHeader {
    fn default() -> Self {
        Self {
            dscp: Dscp::Copy,
            ecn: Ecn::Normal,
            df: Df::Copy,
            hop_limit: 64,
        }
    }
}

/// Padding that hides how long packets are (RFC 4303 §2.7), in tunnel mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tfc {
    /// None.
    #[default]
    Off,
    /// Inner packets are padded to a multiple of so many octets, as far as the path MTU allows.
    Multiple(u16),
    /// Every packet is as large as the path MTU allows.
    PathMtu,
}

/// Parameters of one security association, which has one direction.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Parameters {
    /// The owner's number of it.
    pub id: SaId,
    /// Security parameters index, 256 at least.
    pub spi: u32,
    /// What protects.
    pub suite: Suite,
    /// Tunnel or transport mode.
    pub mode: Encapsulation,
    /// [`Suite::key_material_len`] octets: encryption key, salt, integrity key (RFC 7296 §2.17).
    pub keys: Secret,
    /// Extended sequence numbers (RFC 4304).
    pub esn: bool,
    /// Size of the replay window, 64 to 65536; 0 is off, for manual keys only. 1024 unless set.
    pub window: u32,
    /// This host's address in the outer header.
    pub local: IpAddr,
    /// The peer's address in the outer header.
    pub remote: IpAddr,
    /// ESP in UDP.
    pub udp: Option<UdpEncapsulation>,
    /// Outer header.
    pub outer: OuterHeader,
    /// Padding against traffic analysis.
    pub tfc: Tfc,
    /// ESP's plaintext is padded to whole blocks of 16 octets also where the suite asks for 4 only:
    /// at most 12 octets more on the wire, and less time where the library is slow with a part of a block, at
    /// both ends (RFC 4303 §2.4 leaves it to the sender).
    pub whole_blocks: bool,
    /// Lifetimes.
    pub lifetimes: Lifetimes,
    /// The largest outer packet the path takes, 65535 when not known.
    pub path_mtu: u16,
    /// Keys come from configuration: they are used again after a restart.
    pub manual: bool,
    /// A number that is another one whenever the same keys are used anew. The IVs of CBC are made from it
    /// and the sequence number, so that those of manual keys do not repeat.
    pub iv_seed: u64,
    /// Source and destination address as the peer put them into the pseudo header of its transport
    /// checksums, where a NAT changed them (RFC 3948 §3.1.2; NAT-OA, or IKEv2's traffic selectors): used
    /// by inbound associations in transport mode and UDP.
    pub original: Option<(IpAddr, IpAddr)>,
}

impl Parameters {
    /// Parameters with a replay window of 1024, no extended sequence numbers, no UDP, no lifetimes.
    #[must_use]
    pub fn new(
        id: SaId,
        spi: u32,
        suite: Suite,
        mode: Encapsulation,
        keys: Secret,
        (local, remote): (IpAddr, IpAddr),
    ) -> Self {
        Self {
            id,
            spi,
            suite,
            mode,
            keys,
            esn: false,
            window: 1024,
            local,
            remote,
            udp: None,
            outer: OuterHeader::default(),
            tfc: Tfc::Off,
            whole_blocks: false,
            lifetimes: Lifetimes::default(),
            path_mtu: u16::MAX,
            manual: false,
            iv_seed: 0,
            original: None,
        }
    }

    /// With extended sequence numbers.
    #[must_use]
    pub fn with_esn(mut self) -> Self {
        self.esn = true;
        self
    }

    /// With a replay window of this size.
    #[must_use]
    pub fn with_window(mut self, window: u32) -> Self {
        self.window = window;
        self
    }

    /// In UDP.
    #[must_use]
    pub fn with_udp(mut self, local: u16, remote: u16) -> Self {
        self.udp = Some(UdpEncapsulation { local, remote });
        self
    }

    /// With this outer header.
    #[must_use]
    pub fn with_outer(mut self, outer: OuterHeader) -> Self {
        self.outer = outer;
        self
    }

    /// With this padding.
    #[must_use]
    pub fn with_tfc(mut self, tfc: Tfc) -> Self {
        self.tfc = tfc;
        self
    }

    /// With whole blocks, see [`Parameters::whole_blocks`].
    #[must_use]
    pub fn with_whole_blocks(mut self) -> Self {
        self.whole_blocks = true;
        self
    }

    /// What the length of ESP's plaintext with padding and trailer is a multiple of.
    pub(crate) fn padding_unit(&self) -> usize {
        let least = if self.whole_blocks { 16 } else { 4 };
        self.suite.block_len().max(least)
    }

    /// With these lifetimes.
    #[must_use]
    pub fn with_lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    /// With a path that takes packets of so many octets.
    #[must_use]
    pub fn with_path_mtu(mut self, mtu: u16) -> Self {
        self.path_mtu = mtu;
        self
    }

    /// With keys from configuration; `iv_seed` as [`Parameters::iv_seed`].
    #[must_use]
    pub fn with_manual_keys(mut self, iv_seed: u64) -> Self {
        self.manual = true;
        self.iv_seed = iv_seed;
        self
    }

    /// With the addresses the peer used before a NAT changed them, source and destination.
    #[must_use]
    pub fn with_original_addresses(mut self, source: IpAddr, destination: IpAddr) -> Self {
        self.original = Some((source, destination));
        self
    }

    /// Whether everything fits together.
    ///
    /// # Errors
    /// What does not.
    pub fn check(&self) -> Result<(), SaError> {
        if self.spi < 256 {
            return Err(SaError::Spi(self.spi));
        }
        let expected = self.suite.key_material_len();
        if self.keys.len() != expected {
            return Err(SaError::Keys {
                expected,
                given: self.keys.len(),
            });
        }
        if self.local.is_ipv4() != self.remote.is_ipv4() {
            return Err(SaError::Families);
        }
        let unusable = |address: &IpAddr| address.is_unspecified();
        if unusable(&self.local) || unusable(&self.remote) {
            return Err(SaError::Unspecified);
        }
        // RFC 4106 §2, RFC 4303 §2.2.1: after a restart the same nonces would come again, and the
        // high half of the number would be lost.
        if self.manual && self.suite.counts() {
            return Err(SaError::ManualCounter);
        }
        if self.manual && self.esn {
            return Err(SaError::ManualEsn);
        }
        match self.window {
            0 if self.manual => {}
            64..=Window::MAX => {}
            window => return Err(SaError::Window(window)),
        }
        if self.udp.is_some() && self.suite.protocol() == Protocol::Ah {
            return Err(SaError::AhInUdp);
        }
        if self
            .udp
            .is_some_and(|udp| udp.local == 0 || udp.remote == 0)
        {
            return Err(SaError::Port);
        }
        if self.tfc != Tfc::Off
            && (self.mode == Encapsulation::Transport || self.suite.protocol() == Protocol::Ah)
        {
            return Err(SaError::Tfc);
        }
        if matches!(self.outer.dscp, Dscp::Fixed(64..)) {
            return Err(SaError::Dscp);
        }
        if self.outer.hop_limit == 0 {
            return Err(SaError::HopLimit);
        }
        Ok(())
    }
}

/// Why there can be no such association.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SaError {
    /// 0 is never sent, 1 to 255 are reserved (RFC 4303 §2.1).
    #[error("{0} is a reserved SPI")]
    Spi(u32),
    /// The key material has another length than the suite takes.
    #[error("the suite takes {expected} octets of key material, not {given}")]
    Keys {
        /// Octets the suite takes.
        expected: usize,
        /// Octets there were.
        given: usize,
    },
    /// The outer addresses are of two families.
    #[error("the outer addresses are of two families")]
    Families,
    /// An outer address is unspecified.
    #[error("an outer address is unspecified")]
    Unspecified,
    /// Suites whose IVs must never repeat are not for keys from configuration.
    #[error("a suite that counts must not be used with manual keys")]
    ManualCounter,
    /// Extended sequence numbers are not for keys from configuration.
    #[error("extended sequence numbers must not be used with manual keys")]
    ManualEsn,
    /// The replay window has a size that is not offered.
    #[error("a replay window is 64 to 65536 long (off with manual keys only), not {0}")]
    Window(u32),
    /// AH does not pass a NAT.
    #[error("AH does not go into UDP")]
    AhInUdp,
    /// A port of UDP is 0.
    #[error("a port of UDP is 0")]
    Port,
    /// Padding against traffic analysis needs ESP in tunnel mode.
    #[error("padding against traffic analysis needs ESP in tunnel mode")]
    Tfc,
    /// A DSCP has six bits.
    #[error("a DSCP is at most 63")]
    Dscp,
    /// A TTL of 0 goes nowhere.
    #[error("the hop limit is 0")]
    HopLimit,
    /// The provider does not do it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
