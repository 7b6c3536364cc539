//! From chains that jump, return and go on, to one list in which the first match decides.
//!
//! What the list permits the source permits, whatever the conditions are that cannot be said:
//! a permit under such a condition is left out, a deny under one is widened to all packets it may
//! be about. A return is what follows it, under the conditions that led there.

use std::rc::Rc;

use super::cond::{Cond, Doubt, Instead};
use super::{Findings, ImportError, Kind, write};

/// What a rule does with packets that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    Drop,
    Reject,
    Return,
    /// To a chain, by its position, and back.
    Jump(usize),
    /// To a chain, not back.
    Goto(usize),
    /// It is not known whether it passes.
    Unknown(String),
}

/// One way through a rule: any of these conditions, then the verdict.
#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) any_of: Vec<Cond>,
    pub(super) verdict: Verdict,
}

/// A rule as its file has it.
#[derive(Clone, Debug)]
pub(super) struct SourceRule {
    /// Where it stands, for people.
    pub(super) place: Rc<str>,
    /// For names.
    pub(super) number: u64,
    /// The rule as text.
    pub(super) text: Rc<str>,
    pub(super) branches: Vec<Branch>,
}

/// A chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    pub(super) name: Rc<str>,
    pub(super) rules: Vec<SourceRule>,
}

/// Where packets come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
    Through,
}

/// A chain at which packets come by.
#[derive(Clone, Debug)]
pub(super) struct Base {
    pub(super) chain: usize,
    /// What is known of packets that come by: their IP version.
    pub(super) cond: Cond,
    /// What happens to packets at its end.
    pub(super) accept: bool,
    pub(super) place: Rc<str>,
}

/// A line of the list.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) way: Way,
    pub(super) cond: Cond,
    pub(super) permit: bool,
    /// The sender of a denied packet is told.
    pub(super) tell: bool,
    /// Packets that open connections do not match.
    pub(super) not_opening: bool,
    /// Chain and number it comes from, for its name.
    pub(super) name: Rc<str>,
    pub(super) text: Rc<str>,
}

impl Entry {
    /// A line that denies what is denied anyway.
    pub(super) fn nothing() -> Self {
        Self {
            way: Way::In,
            cond: Cond::any(),
            permit: false,
            tell: false,
            not_opening: false,
            name: "inbound.end".into(),
            text: "nothing is permitted".into(),
        }
    }
}

/// The most lines.
pub(super) const MOST_ENTRIES: usize = 20_000;
/// The most steps through chains.
const MOST_STEPS: usize = 2_000_000;
/// The deepest jumps: as deep as the kernel lets them be, and one.
const MOST_DEPTH: usize = 17;

/// The deepest recursion: jumps, and returns within what returns lead to.
const MOST_RECURSION: usize = 300;

/// What comes after a chain.
#[derive(Clone, Debug)]
enum After {
    /// The policy of a base chain, then those behind it.
    Base(usize),
    /// The rest of the chain it was called from.
    Chain {
        chain: usize,
        from: usize,
        cond: Box<Cond>,
        /// Doubts of how that chain was entered that hold for what comes after it, too.
        kept: Vec<Doubt>,
        then: Rc<After>,
    },
}

/// Walks the chains of one way.
pub(super) struct Walk<'w> {
    pub(super) chains: &'w [Chain],
    pub(super) bases: &'w [Base],
    pub(super) way: Way,
    /// Denies that cannot be said exactly are left out, too.
    pub(super) skip_denies: bool,
    pub(super) entries: &'w mut Vec<Entry>,
    pub(super) findings: &'w mut Findings,
    pub(super) steps: usize,
}

/// Where an entry comes from.
#[derive(Clone, Debug)]
struct Origin {
    place: Rc<str>,
    name: Rc<str>,
    text: Rc<str>,
}

impl Walk<'_> {
    /// Writes all lines of this way.
    pub(super) fn run(&mut self, all: &Cond) -> Result<(), ImportError> {
        let end = self.end();
        self.bases_from(0, all, &end, 0)
    }

    fn step(&mut self, depth: usize) -> Result<(), ImportError> {
        self.steps = self.steps.saturating_add(1);
        if self.steps > MOST_STEPS || self.entries.len() > MOST_ENTRIES {
            return Err(ImportError::TooMuch);
        }
        if depth > MOST_RECURSION {
            return Err(ImportError::TooDeep);
        }
        Ok(())
    }

    /// The base chains from a position, under a condition; what passes them all is permitted.
    fn bases_from(
        &mut self,
        at: usize,
        cond: &Cond,
        origin: &Origin,
        depth: usize,
    ) -> Result<(), ImportError> {
        self.step(depth)?;
        let bases = self.bases;
        for (n, base) in bases.iter().enumerate().skip(at) {
            let here = cond.and(&base.cond);
            let after = Rc::new(After::Base(n));
            let kept = if base.accept {
                Vec::new()
            } else {
                base.cond.doubts.clone()
            };
            let ends = self.chain(base.chain, 0, &here, &kept, &after, depth + 1)?;
            if ends && !base.accept {
                self.policy(base, &here);
            }
            if !(ends && base.accept) && here.same_packets(cond) && base.cond.doubts.is_empty() {
                return Ok(());
            }
        }
        self.permit(cond, origin);
        Ok(())
    }

    fn end(&self) -> Origin {
        let name = match self.way {
            Way::In => "inbound.end",
            Way::Out => "outbound.end",
            Way::Through => "routed.end",
        };
        Origin {
            place: "end".into(),
            name: name.into(),
            text: "what no rule denied".into(),
        }
    }

    fn policy(&mut self, base: &Base, cond: &Cond) {
        let chain = self.chains.get(base.chain);
        let name = chain.map_or("", |c| &*c.name);
        let origin = Origin {
            place: Rc::clone(&base.place),
            name: format!("{name}.policy").into(),
            text: format!("policy of chain {name}: drop").into(),
        };
        self.deny(cond, false, &origin);
    }

    /// What comes after a chain, for packets that fulfil a condition.
    fn resume(&mut self, after: &Rc<After>, cond: &Cond, depth: usize) -> Result<(), ImportError> {
        self.step(depth)?;
        match &**after {
            After::Base(n) => {
                let bases = self.bases;
                let Some(base) = bases.get(*n) else {
                    return Ok(());
                };
                if base.accept {
                    let end = self.end();
                    self.bases_from(n + 1, cond, &end, depth + 1)
                } else {
                    self.policy(base, cond);
                    Ok(())
                }
            }
            After::Chain {
                chain,
                from,
                cond: before,
                kept,
                then,
            } => {
                let here = before.and(cond);
                if !self.chain(*chain, *from, &here, kept, then, depth + 1)? {
                    return Ok(());
                }
                let mut behind = here.without_doubts();
                behind.doubts = cond.doubts.clone();
                behind.doubts.extend(kept.iter().cloned());
                self.resume(then, &behind, depth + 1)
            }
        }
    }

    /// The rules of a chain from a position. Packets that come to its end fall through to the
    /// next line; whether any can.
    fn chain(
        &mut self,
        number: usize,
        from: usize,
        cond: &Cond,
        kept: &[Doubt],
        after: &Rc<After>,
        depth: usize,
    ) -> Result<bool, ImportError> {
        self.step(depth)?;
        if cond.is_empty() {
            return Ok(false);
        }
        let chains = self.chains;
        let Some(chain) = chains.get(number) else {
            return Ok(true);
        };
        for (at, rule) in chain.rules.iter().enumerate().skip(from) {
            let origin = Origin {
                place: Rc::clone(&rule.place),
                name: format!("{}.{}", chain.name, rule.number).into(),
                text: Rc::clone(&rule.text),
            };
            for branch in &rule.branches {
                for own in &branch.any_of {
                    self.step(depth)?;
                    let both = cond.and(own);
                    // Long lists cost more than short ones.
                    self.steps = self.steps.saturating_add(both.size() / 16);
                    let (mut here, unsayable) = write::sayable(&both, self.way, &rule.place);
                    here.doubts.extend(unsayable.iter().cloned());
                    let mut doubts = own.doubts.clone();
                    doubts.extend(unsayable);
                    if here.is_empty() {
                        continue;
                    }
                    let goes_on = match &branch.verdict {
                        Verdict::Accept => {
                            self.accept(&here, after, &origin, depth)?;
                            false
                        }
                        Verdict::Drop => self.deny(&here, false, &origin),
                        Verdict::Reject => self.deny(&here, true, &origin),
                        Verdict::Unknown(what) => {
                            let mut here = here.clone();
                            here.doubt(&rule.place, &**what);
                            self.deny(&here, false, &origin)
                        }
                        Verdict::Return if doubts.is_empty() => {
                            if here.same_packets(cond) {
                                return Ok(true);
                            }
                            let mut back = here.clone().without_doubts();
                            back.doubts.extend_from_slice(kept);
                            self.resume(after, &back, depth + 1)?;
                            false
                        }
                        // It may go on here or there; denied, it is in no case permitted wrongly.
                        Verdict::Return => self.deny(&here, false, &origin),
                        Verdict::Jump(to) => {
                            let then = Rc::new(After::Chain {
                                chain: number,
                                from: at + 1,
                                cond: Box::new(cond.clone()),
                                kept: kept.to_vec(),
                                then: Rc::clone(after),
                            });
                            self.enter(*to, &here, &[], &then, depth)?
                        }
                        Verdict::Goto(to) => {
                            let mut kept = kept.to_vec();
                            kept.extend(doubts.iter().cloned());
                            if self.enter(*to, &here, &kept, after, depth)? {
                                let mut end = here.clone().without_doubts();
                                end.doubts = kept;
                                self.resume(after, &end, depth + 1)?;
                            }
                            false
                        }
                    };
                    if !goes_on && doubts.is_empty() && here.same_packets(cond) {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    fn enter(
        &mut self,
        to: usize,
        cond: &Cond,
        kept: &[Doubt],
        after: &Rc<After>,
        depth: usize,
    ) -> Result<bool, ImportError> {
        let mut jumps = 0;
        let mut outer = after;
        while let After::Chain { then, .. } = &**outer {
            jumps += 1;
            outer = then;
        }
        if jumps > MOST_DEPTH {
            return Err(ImportError::TooDeep);
        }
        self.chain(to, 0, cond, kept, after, depth + 1)
    }

    /// Accepted by a chain: what the base chains behind say holds.
    fn accept(
        &mut self,
        cond: &Cond,
        after: &Rc<After>,
        origin: &Origin,
        depth: usize,
    ) -> Result<(), ImportError> {
        let mut outer = after;
        let base = loop {
            match &**outer {
                After::Base(n) => break *n,
                After::Chain { then, .. } => outer = then,
            }
        };
        if base + 1 >= self.bases.len() {
            self.permit(cond, origin);
        } else if cond.doubts.is_empty() {
            self.bases_from(base + 1, cond, origin, depth + 1)?;
        } else {
            for doubt in &cond.doubts {
                self.tell(Kind::LeftOut, origin, doubt);
            }
        }
        Ok(())
    }

    fn permit(&mut self, cond: &Cond, origin: &Origin) {
        let (cond, more) = write::port_zero(cond, true, &origin.place);
        let doubts = || cond.doubts.iter().chain(&more);
        let narrow = doubts().all(|d| d.instead != Instead::Nothing);
        let first = doubts().any(|d| d.instead == Instead::NotOpening);
        for doubt in doubts() {
            let kind = if narrow {
                Kind::Narrower
            } else {
                Kind::LeftOut
            };
            self.tell(kind, origin, doubt);
        }
        if narrow {
            self.push(cond.clone().without_doubts(), true, false, first, origin);
        }
    }

    /// Whether packets that match may still go on.
    fn deny(&mut self, cond: &Cond, tell: bool, origin: &Origin) -> bool {
        let (cond, more) = write::port_zero(cond, false, &origin.place);
        let skip = self.skip_denies && !(cond.doubts.is_empty() && more.is_empty());
        for doubt in cond.doubts.iter().chain(&more) {
            let kind = if skip { Kind::DenyLeftOut } else { Kind::Wider };
            self.tell(kind, origin, doubt);
        }
        if !skip {
            self.push(cond.clone().without_doubts(), false, tell, false, origin);
        }
        skip
    }

    fn tell(&mut self, kind: Kind, origin: &Origin, doubt: &Doubt) {
        let reason = if doubt.place == origin.place {
            doubt.reason.to_string()
        } else {
            format!("{} ({})", doubt.reason, doubt.place)
        };
        self.findings
            .tell(&origin.place, &origin.text, kind, reason);
    }

    fn push(&mut self, cond: Cond, permit: bool, tell: bool, not_opening: bool, origin: &Origin) {
        if cond.is_empty() {
            return;
        }
        self.entries.push(Entry {
            way: self.way,
            cond,
            permit,
            tell,
            not_opening,
            name: Rc::clone(&origin.name),
            text: Rc::clone(&origin.text),
        });
    }
}
