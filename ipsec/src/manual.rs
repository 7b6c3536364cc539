//! Tunnels whose keys are written down (`IpManVpnAction`).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

use hostward_crypto::Secret;
use hostward_hook::ident::{SaId, TunnelId};
use hostward_hook::protection::Encapsulation;

use crate::ipsec::{InstallError, Ipsec};
use crate::pair::{Install, Tunnel};
use crate::sa::{Df, Dscp, OuterHeader, Parameters, SaError};
use crate::selector::{Addresses, Selectors};
use crate::spd::everything;
use crate::suite::Suite;
use hostward_hook::action::Cx;

/// What one half of a manual tunnel is: its SPI and its keys, encryption first, then integrity.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "a number and a key")]
pub struct Half {
    /// Security parameters index, 256 or greater.
    pub spi: u32,
    /// Key material as long as the suite takes.
    pub keys: Secret,
}

/// A tunnel whose keys are written down, as a policy describes it.
///
/// Its keys stay the same over restarts, so what must never see a number twice cannot be used:
/// counter modes and combined modes (RFC 4106 section 2, RFC 8221 section 3), extended sequence
/// numbers. Numbers begin anew at a restart, too, and so there is no replay window unless it is
/// asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ManualTunnel {
    /// Its number, the one that rules have.
    pub id: TunnelId,
    /// Its name.
    pub name: Arc<str>,
    /// Whether it is active from the start.
    pub active: bool,
    /// Tunnel or transport mode.
    pub mode: Encapsulation,
    /// What protects.
    pub suite: Suite,
    /// This host's end.
    pub local: IpAddr,
    /// The other end.
    pub remote: IpAddr,
    /// The inbound half.
    pub inbound: Half,
    /// The outbound half.
    pub outbound: Half,
    /// How outer headers are made.
    pub outer: OuterHeader,
    /// The replay window, 0 for none.
    pub window: u32,
}

impl ManualTunnel {
    /// An active tunnel in tunnel mode that copies DSCP and the don't-fragment flag.
    ///
    /// # Errors
    /// [`SaError`] when one of its halves is not possible.
    pub fn new(
        (id, name): (TunnelId, impl Into<Arc<str>>),
        mode: Encapsulation,
        suite: Suite,
        (local, remote): (IpAddr, IpAddr),
        inbound: Half,
        outbound: Half,
    ) -> Result<Self, SaError> {
        let this = Self {
            id,
            name: name.into(),
            active: true,
            mode,
            suite,
            local,
            remote,
            inbound,
            outbound,
            outer: OuterHeader::default(),
            window: 0,
        };
        for half in [&this.inbound, &this.outbound] {
            this.parameters(half, 0).check()?;
        }
        Ok(this)
    }

    /// The same, active only when an operator wants it.
    #[must_use]
    pub const fn inactive(mut self) -> Self {
        self.active = false;
        self
    }

    /// The same with other outer headers.
    #[must_use]
    pub const fn with_outer(mut self, dscp: Dscp, df: Df) -> Self {
        self.outer.dscp = dscp;
        self.outer.df = df;
        self
    }

    fn parameters(&self, half: &Half, iv_seed: u64) -> Parameters {
        Parameters::new(
            SaId(0),
            half.spi,
            self.suite,
            self.mode,
            half.keys.clone(),
            (self.local, self.remote),
        )
        .with_window(self.window)
        .with_outer(self.outer)
        .with_manual_keys(iv_seed)
    }

    /// What rules may name.
    #[must_use]
    pub fn tunnel(&self) -> Tunnel {
        Tunnel::manual(self.id, Arc::clone(&self.name))
    }

    /// The traffic it carries: in tunnel mode whatever rules send into it, in transport mode that
    /// between its ends.
    #[must_use]
    pub fn selectors(&self) -> Vec<Selectors> {
        match self.mode {
            Encapsulation::Tunnel => everything().to_vec(),
            Encapsulation::Transport => {
                let (local, remote) = (Addresses::one(self.local), Addresses::one(self.remote));
                [Selectors::between(local, remote)].to_vec()
            }
        }
    }

    /// The pair of associations. `iv_seed` is eight bytes from a good random source, new at every
    /// installation: without it the first packets of every start would have the same
    /// initialization vectors.
    #[must_use]
    pub fn install(&self, iv_seed: u64) -> Install {
        Install::new(
            self.id,
            self.selectors(),
            self.parameters(&self.inbound, iv_seed),
            self.parameters(&self.outbound, iv_seed.rotate_left(32) ^ u64::MAX),
        )
    }
}

/// Manual tunnels (`ipsec -m`).
impl Ipsec {
    /// Makes a manual tunnel known, and activates it if it is to be active from the start. Packets
    /// for one that is not active are dropped.
    ///
    /// # Errors
    /// [`InstallError`].
    pub fn add_manual(
        &mut self,
        cx: &mut Cx<'_>,
        tunnel: &ManualTunnel,
        iv_seed: u64,
    ) -> Result<(), InstallError> {
        self.set_tunnel(tunnel.tunnel())?;
        if tunnel.active {
            self.activate(cx, tunnel, iv_seed)?;
        }
        Ok(())
    }

    /// Activates a manual tunnel (`ipsec -m activate`); one that is active stays as it is.
    ///
    /// # Errors
    /// [`InstallError`].
    pub fn activate(
        &mut self,
        cx: &mut Cx<'_>,
        tunnel: &ManualTunnel,
        iv_seed: u64,
    ) -> Result<SaId, InstallError> {
        if let Some(active) = self.pairs().find(|p| p.tunnel == tunnel.id) {
            return Ok(active.id);
        }
        self.install(cx, tunnel.install(iv_seed))
    }

    /// Deactivates a manual tunnel (`ipsec -m deactivate`); whether it was active here.
    pub fn deactivate(&mut self, cx: &mut Cx<'_>, tunnel: TunnelId) -> bool {
        let active = self.pairs().find(|p| p.tunnel == tunnel).map(|p| p.id);
        active.is_some_and(|sa| self.remove(cx, sa, crate::ipsec::Removal::Wanted))
    }
}
