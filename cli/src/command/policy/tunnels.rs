//! Tunnels in words.

use std::fmt::Write as _;

use hostward::filter::{Action, RuleSet, TunnelKind};
use hostward::hook::ident::TunnelId;
use hostward::hook::protection::Encapsulation;
use hostward::ipsec::display::{DisplayId, TunnelDisplay};
use hostward_policy::ipsec::Manual;
use serde::Serialize;

use super::ready::Ready;

/// A tunnel that rules name, or a manual one that none does.
#[derive(Debug)]
pub(crate) struct Told<'r> {
    name: &'r str,
    id: DisplayId,
    used: bool,
    manual: Option<&'r Manual>,
    on_demand: bool,
    rules: Vec<&'r str>,
    place: Option<(&'r str, u32)>,
}

/// The tunnels of a policy in the order of their numbers, then those that no rule names; `None`
/// without policy.
pub(crate) fn tunnels(ready: &Ready) -> Option<Vec<Told<'_>>> {
    let set = &ready.policy.as_ref()?.rule_set;
    let policy = ready.tunnels.as_ref()?;
    let place = |manual: &Manual| {
        let at = ready.sources.location(manual.place);
        (at.file, at.line)
    };
    let numbered = set.tunnels().iter().zip(0u32..).map(|(tunnel, n)| {
        let id = TunnelId(n);
        let mut manual = policy.manual.iter();
        let manual = manual.find(|m| m.used && m.tunnel.id == id);
        let on_demand = policy.dynamic.iter().any(|t| t.id == id && t.on_demand);
        Told {
            name: &tunnel.name,
            id: DisplayId {
                kind: kind(tunnel.kind),
                tunnel: id,
            },
            used: true,
            manual,
            on_demand,
            rules: rules_of(set, id),
            place: manual.map(place),
        }
    });
    let unused = policy.manual.iter().filter(|m| !m.used).map(|m| Told {
        name: &m.tunnel.name,
        id: DisplayId {
            kind: kind(TunnelKind::Manual),
            tunnel: m.tunnel.id,
        },
        used: false,
        manual: Some(m),
        on_demand: false,
        rules: Vec::new(),
        place: Some(place(m)),
    });
    Some(numbered.chain(unused).collect())
}

const fn kind(kind: TunnelKind) -> hostward::hook::protection::TunnelKind {
    match kind {
        TunnelKind::Manual => hostward::hook::protection::TunnelKind::Manual,
        TunnelKind::Dynamic | _ => hostward::hook::protection::TunnelKind::Dynamic,
    }
}

fn rules_of(set: &RuleSet, tunnel: TunnelId) -> Vec<&str> {
    let rules = set.rules().iter();
    let named = rules.filter(|r| r.action == Action::Ipsec(tunnel));
    named.map(|r| &*r.name).collect()
}

impl Told<'_> {
    /// A few lines.
    pub(crate) fn text(&self) -> String {
        let id = self.shown_id().unwrap_or_else(|| "-".into());
        let mut out = format!("{id:>4}  {}", self.name);
        if let Some((file, line)) = self.place {
            let _ = write!(out, "  {file}:{line}");
        }
        out.push('\n');
        match self.manual {
            Some(manual) => {
                let d = TunnelDisplay::configured(&manual.tunnel);
                let state = if manual.tunnel.active {
                    "active from the start"
                } else {
                    "inactive: its packets are dropped until an operator activates it"
                };
                let _ = writeln!(out, "      manual, {state}");
                let mode = mode(d.encapsulation);
                let _ = writeln!(out, "      {mode} from {} to {}", d.local, d.remote);
                let _ = writeln!(out, "      {}, {}", d.how_to_encrypt(), d.how_to_auth());
                let (inbound, outbound) = (manual.tunnel.inbound.spi, manual.tunnel.outbound.spi);
                let _ = writeln!(out, "      SPI {inbound} in, {outbound} out");
                if !manual.times.is_empty() {
                    let _ = writeln!(out, "      at times only");
                }
            }
            None if self.on_demand => {
                let _ = writeln!(out, "      dynamic, negotiated when a packet needs it");
            }
            None => {
                let _ = writeln!(out, "      dynamic, not negotiated on demand");
            }
        }
        if self.used {
            let _ = writeln!(out, "      for rules {}", self.rules.join(", "));
        } else {
            let _ = writeln!(out, "      no rule sends anything into it");
        }
        out
    }

    fn shown_id(&self) -> Option<String> {
        self.used.then(|| self.id.to_string())
    }
}

const fn mode(mode: Encapsulation) -> &'static str {
    match mode {
        Encapsulation::Tunnel => "tunnel mode",
        Encapsulation::Transport => "transport mode",
    }
}

/// A tunnel as JSON.
#[derive(Serialize)]
pub(crate) struct TunnelJson<'a> {
    id: Option<String>,
    name: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    kind: &'static str,
    rules: Vec<&'a str>,
    on_demand: bool,
    active: Option<bool>,
    timed: bool,
    mode: Option<&'static str>,
    local: Option<String>,
    remote: Option<String>,
    encryption: Option<String>,
    authentication: Option<String>,
    inbound_spi: Option<u32>,
    outbound_spi: Option<u32>,
}

impl<'a> TunnelJson<'a> {
    pub(crate) fn of(told: &Told<'a>) -> Self {
        let shown = told
            .manual
            .map(|m| (m, TunnelDisplay::configured(&m.tunnel)));
        let manual = shown.as_ref();
        Self {
            id: told.shown_id(),
            name: told.name,
            file: told.place.map(|p| p.0),
            line: told.place.map(|p| p.1),
            kind: if manual.is_some() {
                "manual"
            } else {
                "dynamic"
            },
            rules: told.rules.clone(),
            on_demand: told.on_demand,
            active: manual.map(|(m, _)| m.tunnel.active),
            timed: manual.is_some_and(|(m, _)| !m.times.is_empty()),
            mode: manual.map(|(_, d)| match d.encapsulation {
                Encapsulation::Tunnel => "tunnel",
                Encapsulation::Transport => "transport",
            }),
            local: manual.map(|(_, d)| d.local.to_string()),
            remote: manual.map(|(_, d)| d.remote.to_string()),
            encryption: manual.map(|(_, d)| d.how_to_encrypt()),
            authentication: manual.map(|(_, d)| d.how_to_auth()),
            inbound_spi: manual.map(|(m, _)| m.tunnel.inbound.spi),
            outbound_spi: manual.map(|(m, _)| m.tunnel.outbound.spi),
        }
    }
}
