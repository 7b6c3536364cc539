//! The default rules: the `IPSEC` block of a TCP/IP profile.
//!
//! They are in force until a policy is. The profile has a grammar of its own, words in any number
//! on a line, with abbreviations and `;` comments; everything outside the block is left to
//! whoever reads the rest of the profile.
//!
//! ```text
//! IPSEC LOGENABLE LOGIMPLICIT
//!   IPSECRULE  192.0.2.1 *  NOLOG PROTOCOL TCP SRCPORT 22 DIRECTION BIDIRECTIONAL INBCONNECT
//!   IPSEC6RULE *         *  LOG   PROTOCOL ICMPV6 TYPE 128 129
//! ENDIPSEC
//! ```

mod rule;
mod tokens;
mod words;

use alloc::format;
use alloc::vec::Vec;

use hostward_filter::{Rule, RuleSet, Settings};

use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics, quote};
use crate::source::{SourceId, Sources};
use crate::suggest::nearest;
use tokens::{Token, Tokens};
pub use words::{WORDS, Word, page};

/// What an `IPSEC` block says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Profile {
    /// The rules, in order; all of them permit.
    pub rules: Vec<Rule>,
    /// Logging.
    pub settings: Settings,
    /// `DVIPSEC` was given.
    pub dvipsec: bool,
    /// `DVLOCALFLTR` was given.
    pub dvlocalfltr: bool,
}

impl Profile {
    /// Reads the first `IPSEC` block of a profile. Without errors the result may be installed;
    /// with errors there is none. Linear in the text.
    #[must_use]
    pub fn read(sources: &Sources, source: SourceId, out: &mut Diagnostics) -> Option<Self> {
        let text = sources.get(source)?.text();
        let errors = out.count(crate::Severity::Error);
        let mut reader = Reader {
            tokens: Tokens::new(source, text),
            out,
        };
        let profile = reader.profile();
        profile.filter(|_| reader.out.count(crate::Severity::Error) == errors)
    }

    /// The rule set that is in force until a policy is.
    #[must_use]
    pub fn rule_set(self, generation: u64) -> RuleSet {
        RuleSet::defaults(self.rules, generation).with_settings(self.settings)
    }
}

struct Reader<'a, 'd> {
    tokens: Tokens<'a>,
    out: &'d mut Diagnostics,
}

/// Which statement that enables IP security was met, and whether it does.
#[derive(Clone, Copy, Default)]
struct Enabled {
    seen: bool,
    enables: bool,
}

impl<'a> Reader<'a, '_> {
    /// The whole profile.
    fn profile(&mut self) -> Option<Profile> {
        let mut enabled = [Enabled::default(); 2];
        let mut config = None;
        let mut profile = None;
        let mut begin = None;
        while let Some(token) = self.tokens.next() {
            if token.text.eq_ignore_ascii_case("IPCONFIG") {
                config = Some(0);
            } else if token.text.eq_ignore_ascii_case("IPCONFIG6") {
                config = Some(1);
            } else if words::IPSEC.is(token.text) {
                config = None;
                match begin {
                    None => {
                        begin = Some(token);
                        profile = Some(self.block(token));
                    }
                    Some(first) => self.later_block(token, first),
                }
            } else if let Some(enabled) = config.and_then(|i: usize| enabled.get_mut(i)) {
                enabled.seen = true;
                enabled.enables |= token.text.eq_ignore_ascii_case("IPSECURITY");
            }
        }
        let Some(begin) = begin else {
            self.out.push(
                Diagnostic::new(
                    &codes::PROFILE_NO_BLOCK,
                    self.tokens.behind(),
                    "the profile has no `IPSEC` block",
                )
                .label("expected `IPSEC` … `ENDIPSEC` somewhere before the end")
                .help("without one the default rules deny everything but neighbour discovery"),
            );
            return None;
        };
        let names = ["IPCONFIG", "IPCONFIG6"];
        for (name, enabled) in names.into_iter().zip(enabled) {
            if enabled.seen && !enabled.enables {
                self.out.push(
                    Diagnostic::new(
                        &codes::PROFILE_NOT_ENABLED,
                        begin.span,
                        format!("`{name}` does not say `IPSECURITY`"),
                    )
                    .label("z/OS ignores these rules then")
                    .help(format!("add `IPSECURITY` to `{name}`")),
                );
            }
        }
        profile
    }

    /// A block behind the first: it counts for nothing.
    fn later_block(&mut self, token: Token<'a>, first: Token<'a>) {
        self.out.push(
            Diagnostic::new(
                &codes::PROFILE_LATER_BLOCK,
                token.span,
                "a second `IPSEC` block is ignored",
            )
            .label("only the first block counts")
            .also(first.span, "the first block"),
        );
        while let Some(token) = self.tokens.next() {
            if words::ENDIPSEC.is(token.text) {
                break;
            }
        }
    }

    /// The block, behind its first word.
    fn block(&mut self, begin: Token<'a>) -> Profile {
        let mut settings = Settings::default();
        settings.logging = false;
        let mut profile = Profile {
            rules: Vec::new(),
            settings,
            dvipsec: false,
            dvlocalfltr: false,
        };
        // The words before the rules have a fixed order.
        let (mut step, mut seen) = (0, 0);
        loop {
            let Some(token) = self.tokens.next() else {
                self.out.push(
                    Diagnostic::new(
                        &codes::MISSING_CLOSE,
                        begin.span,
                        "the `IPSEC` block is not closed",
                    )
                    .label("this block")
                    .help("add `ENDIPSEC` behind the last rule"),
                );
                return profile;
            };
            let (place, name) = match token.text {
                w if words::ENDIPSEC.is(w) => return profile,
                w if words::RULE4.is(w) || words::RULE6.is(w) => {
                    let version6 = words::RULE6.is(w);
                    if let Some(rule) = self.rule(version6) {
                        profile.rules.push(rule);
                    }
                    step = 4;
                    continue;
                }
                w if words::DVIPSEC.is(w) => {
                    profile.dvipsec = true;
                    (0, words::DVIPSEC.name)
                }
                w if words::DVLOCALFLTR.is(w) => {
                    profile.dvlocalfltr = true;
                    (1, words::DVLOCALFLTR.name)
                }
                w if words::LOGDISABLE.is(w) || words::LOGENABLE.is(w) => {
                    profile.settings.logging = words::LOGENABLE.is(w);
                    (2, "LOGENable | LOGDISable")
                }
                w if words::LOGIMPLICIT.is(w) || words::NOLOGIMPLICIT.is(w) => {
                    profile.settings.log_implicit = words::LOGIMPLICIT.is(w);
                    (3, "LOGImplicit | NOLOGImplicit")
                }
                _ => {
                    self.unknown(token, "expected `IPSECRule`, `IPSEC6Rule` or `ENDIPSEC`");
                    self.skip_to_rule();
                    continue;
                }
            };
            self.order(token, (&mut step, &mut seen), place, name);
        }
    }

    /// Complains when a word of an earlier place follows one of a later place, or of the same. In
    /// `seen` there is a bit for each place that was filled.
    fn order(&mut self, token: Token<'a>, (step, seen): (&mut u8, &mut u8), place: u8, name: &str) {
        if *seen & 1 << place != 0 {
            self.twice(token, name);
        } else if place < *step {
            self.out.push(
                Diagnostic::new(
                    &codes::PROFILE_ORDER,
                    token.span,
                    format!("`{name}` stands too late"),
                )
                .label("the order of the words of an `IPSEC` block is fixed")
                .help(
                    "first DVIPSEC, DVLOCALFLTR, logging, implicit logging, then the rules; in a \
                     rule LOG, PROTOcol, ROUTING, SECCLASS, DIRECtion",
                ),
            );
        }
        *step = place.max(*step);
        *seen |= 1 << place;
    }

    /// A word of which there may be one: the rules permit, and the wider of two must not win.
    fn twice(&mut self, token: Token<'a>, name: &str) {
        self.out.push_with(&codes::PROFILE_ORDER, || {
            Diagnostic::new(
                &codes::PROFILE_ORDER,
                token.span,
                format!("`{name}` is given twice"),
            )
            .label("each word stands once in its place")
            .help("remove one of the two, or write two rules")
        });
    }

    fn unknown(&mut self, token: Token<'a>, expected: &'static str) {
        let near = nearest(token.text, WORDS.iter().map(|w| (w.name, ())));
        self.out.push_with(&codes::UNKNOWN_KEYWORD, || {
            let message = format!("unknown word {} in the `IPSEC` block", quote(token.text));
            let d = Diagnostic::new(&codes::UNKNOWN_KEYWORD, token.span, message).label(expected);
            match near {
                Some((name, ())) => d.help(format!("did you mean `{name}`?")),
                None => d,
            }
        });
    }

    /// Leaves out what is left of something that was not understood.
    fn skip_to_rule(&mut self) {
        while let Some(token) = self.tokens.peek() {
            let next = [&words::RULE4, &words::RULE6, &words::ENDIPSEC];
            if next.iter().any(|w| w.is(token.text)) {
                break;
            }
            self.tokens.next();
        }
    }
}
