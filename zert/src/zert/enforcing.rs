//! Rules about protection, as the observer applies them.

use alloc::boxed::Box;
use alloc::sync::Arc;

use hostward_hook::action::Cx;

use super::Zert;
use crate::conn::Stage;
use crate::enforce::{Cause, Enforcement, RuleSet};
use crate::entry::Entry;

impl Zert {
    /// The same with rules about how connections must be protected.
    #[must_use]
    pub fn with_enforcement(mut self, enforcement: Enforcement) -> Self {
        self.enforcement = Some(Box::new(enforcement));
        self
    }

    /// Enforcement: its rules, and what it did so far.
    #[must_use]
    pub fn enforcement(&self) -> Option<&Enforcement> {
        self.enforcement.as_deref()
    }

    /// Installs other rules: for new connections and later changes of those there are.
    pub fn set_rules(&mut self, cx: &mut Cx<'_>, rules: Arc<RuleSet>) {
        let enforcement = self.enforcement.get_or_insert_default();
        enforcement.set_rules(cx, rules, self.enabled);
    }

    /// Evaluates every connection that was evaluated before by the rules in force now: on request,
    /// after other rules were installed.
    pub fn enforce_all(&mut self, cx: &mut Cx<'_>) {
        for place in 0..self.entries.len() {
            let entry = self.entries.get(place);
            if entry.is_some_and(Entry::is_evaluated) {
                self.enforce(cx, place as u32, Cause::Request);
            }
        }
    }

    /// Has a connection evaluated as it stands; not while its handshake is under way.
    pub(super) fn enforce(&mut self, cx: &mut Cx<'_>, place: u32, cause: Cause) {
        if self.enforcement.is_none() {
            return;
        }
        let Some(entry) = self.entries.get(place as usize) else {
            return;
        };
        // z/OS enforces TCP connections only, not Enterprise Extender.
        if entry
            .flow
            .is_some_and(|f| f.key.protocol() != hostward_hook::layout::proto::TCP)
        {
            return;
        }
        let undecided = entry.stage == Stage::Pending && entry.protocol_seen().is_none();
        if cause == Cause::Change && undecided && entry.advised_session().is_none() {
            return;
        }
        self.show(place, cause == Cause::Ended);
        let Some(entry) = self.entries.get_mut(place as usize) else {
            return;
        };
        let first = cause == Cause::Change && !entry.is_evaluated();
        let cause = if first { Cause::Initial } else { cause };
        if let Some(enforcement) = &mut self.enforcement {
            let extra = entry.extra();
            let reset = enforcement.evaluate(cx, &self.spare, &mut extra.mapped, cause);
            extra.reset_by = reset.or_else(|| extra.reset_by.take());
        }
    }
}
