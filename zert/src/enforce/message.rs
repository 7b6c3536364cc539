//! What is told: one message a destination, and notices about the policy itself.

use core::any::Any;
use core::fmt;
use core::net::SocketAddr;

use alloc::string::ToString as _;
use alloc::sync::Arc;

use hostward_hook::event::{Detail, FieldVisitor, Value};

use super::Cause;
use super::protection::Kind;
use super::rule::Rule;
use crate::record::Record;
use crate::text::Inline;

/// What became of the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It goes on (or is over already); it was told.
    #[default]
    Logged,
    /// It is reset.
    Reset,
    /// It would be reset, were the rules not simulated.
    WouldReset,
}

impl Outcome {
    /// The word in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Logged => "logged",
            Self::Reset => "reset",
            Self::WouldReset => "would-reset",
        }
    }
}

/// A connection that a rule matches: the detail of the events of enforcement. Shown as text it is the message to log and
/// console.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Enforced {
    /// The connection as it was then.
    pub record: Record,
    /// Which of its sessions the rule is about.
    pub kind: Kind,
    /// The rule.
    pub rule: Arc<str>,
    /// The action.
    pub action: Arc<str>,
    /// Job of the local socket, if known.
    pub job: Option<Arc<str>>,
    /// User of the local socket, if known.
    pub user: Option<Arc<str>>,
    /// Why it was evaluated.
    pub cause: Cause,
    /// What became of the connection.
    pub outcome: Outcome,
    /// The rules tell only what they would do.
    pub simulated: bool,
    /// Messages of this rule to the same destination that were left out before this one.
    pub suppressed: u64,
}

type Owner<'o> = (&'o Option<Arc<str>>, &'o Option<Arc<str>>);

impl Enforced {
    pub(super) fn new(
        record: &Record,
        kind: Kind,
        rule: &Rule,
        (job, user): Owner<'_>,
        simulated: bool,
    ) -> Self {
        Self {
            record: record.clone(),
            kind,
            rule: Arc::clone(&rule.name),
            action: Arc::clone(&rule.action.name),
            job: job.clone(),
            user: user.clone(),
            cause: Cause::Initial,
            outcome: Outcome::Logged,
            simulated,
            suppressed: 0,
        }
    }

    fn version(&self) -> Option<Inline<32>> {
        let r = &self.record;
        match self.kind {
            Kind::Tls => r.tls.version.map(Inline::of),
            Kind::Ssh => r.ssh.protocol.map(|p| Inline::of(format_args!("SSHv{p}"))),
            Kind::Ipsec => {
                let ike = r.ipsec.as_ref()?.ike.as_ref()?;
                Some(Inline::of(format_args!("IKEv{}", ike.major)))
            }
            Kind::None => None,
        }
    }

    fn cipher(&self) -> Option<Inline<64>> {
        let r = &self.record;
        match self.kind {
            Kind::Tls => r.tls.cipher.map(Inline::of),
            Kind::Ssh => match (r.ssh.c2s.cipher.get()?, r.ssh.s2c.cipher.get()?) {
                (a, b) if a == b => Some(Inline::of(a)),
                (a, b) => Some(Inline::of(format_args!("{a},{b}"))),
            },
            Kind::Ipsec => {
                let t = &r.ipsec.as_ref()?.transforms;
                let name = super::algorithms::ipsec_cipher(t.encryption?, t.encryption_bits)?;
                Some(Inline::of(name))
            }
            Kind::None => None,
        }
    }
}

/// An end as z/OS writes it: two dots before the port.
struct End(SocketAddr);

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.0.ip(), self.0.port())
    }
}

/// A text from outside in a message: nothing of it can look like another field or line.
struct Quiet<'t>(Option<&'t str>);

impl fmt::Display for Quiet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(text) = self.0.filter(|t| !t.is_empty()) else {
            return f.write_str("-");
        };
        for c in text.chars() {
            let plain = !c.is_whitespace() && !c.is_control() && c != '=';
            fmt::Write::write_char(f, if plain { c } else { '?' })?;
        }
        Ok(())
    }
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let r = &self.record;
        let (version, cipher) = (self.version(), self.cipher());
        write!(
            f,
            "HNSZ0001I zERT rule={} action={} proto={} conn=",
            Quiet(Some(&self.rule)),
            Quiet(Some(&self.action)),
            self.kind.name(),
        )?;
        match r.flow {
            Some(flow) => write!(f, "{:X}", flow.as_u64())?,
            None => f.write_str("-")?,
        }
        write!(
            f,
            " local={} remote={} job={} user={} version={} cipher={} result={}",
            End(r.local()),
            End(r.remote()),
            Quiet(self.job.as_deref()),
            Quiet(self.user.as_deref()),
            Quiet(version.as_ref().map(Inline::as_str)),
            Quiet(cipher.as_ref().map(Inline::as_str)),
            self.outcome.name(),
        )?;
        if self.suppressed > 0 {
            write!(f, " suppressed={}", self.suppressed)?;
        }
        Ok(())
    }
}

impl Detail for Enforced {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("rule", Value::Str(&self.rule));
        v.field("action", Value::Str(&self.action));
        v.field("session", Value::Str(self.kind.name()));
        v.field("result", Value::Str(self.outcome.name()));
        v.field("simulated", Value::Bool(self.simulated));
        if let Some(job) = &self.job {
            v.field("job", Value::Str(job));
        }
        if let Some(user) = &self.user {
            v.field("user", Value::Str(user));
        }
        v.field("suppressed", Value::U64(self.suppressed));
        v.field("message", Value::Str(&self.to_string()));
        self.record.visit(v);
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

/// What stands against enforcing a policy: the detail of events of class control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Rules are in force, and connections are not observed.
    NotEnabled,
    /// Rules ask for audit records, and no destination takes them.
    NoAudit,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEnabled => "EZZ8564I zERT rules are installed and zERT is not enabled: nothing is enforced",
            Self::NoAudit => "EZZ8565I zERT rules ask for audit records and no destination takes those that policy asks for",
        })
    }
}

impl Detail for Notice {
    fn visit(&self, v: &mut dyn FieldVisitor) {
        v.field("message", Value::Str(&self.to_string()));
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}
