//! What is said about a policy: code, severity, message, places, help.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::source::{Sources, Span};

/// A stable number, shown as `P0123`. The first two digits tell the step: 01 syntax, 02 references
/// and types, from 03 on meaning (03 for IP filter rules).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl Code {
    /// A code by its number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// What the code stands for, if it is one of this crate's.
    #[must_use]
    pub fn info(self) -> Option<&'static CodeInfo> {
        let codes = crate::codes::CODES;
        let at = codes.binary_search_by_key(&self, |i| i.code).ok()?;
        codes.get(at)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "P{:04}", self.0)
    }
}

/// At which step of the check something is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Step {
    /// The text is not a sequence of statements and values.
    Syntax,
    /// Names, references, required and repeated parameters.
    Reference,
    /// The statements together make no sense, or not the intended one.
    Meaning,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "syntax",
            Self::Reference => "reference",
            Self::Meaning => "meaning",
        })
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// The policy cannot be installed.
    Error,
    /// It can be installed, and is probably not what was meant.
    Warning,
    /// Worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// One row of the table of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "disciplines write rows of the table"
)]
pub struct CodeInfo {
    /// The stable number.
    pub code: Code,
    /// The stable name: lower case, hyphens.
    pub name: &'static str,
    /// When it is found.
    pub step: Step,
    /// How bad it is; the same for every message with this code.
    pub severity: Severity,
    /// One sentence.
    pub text: &'static str,
}

/// A place with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a place and a text")]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is wrong there, what was expected, or what it has to do with the matter.
    pub text: Cow<'static, str>,
}

impl Label {
    /// A text at a place.
    pub fn new(span: Span, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            span,
            text: text.into(),
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// What happened, in one line without a full stop.
    pub message: Cow<'static, str>,
    /// Where, and what was expected there.
    pub primary: Label,
    /// Other places that belong to it, such as the first of two definitions.
    pub secondary: Vec<Label>,
    /// What to do.
    pub help: Option<Cow<'static, str>>,
}

impl Diagnostic {
    /// A message with a code of a table.
    pub fn new(info: &CodeInfo, span: Span, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code: info.code,
            severity: info.severity,
            message: message.into(),
            primary: Label::new(span, ""),
            secondary: Vec::new(),
            help: None,
        }
    }

    /// With this text at the place.
    #[must_use]
    pub fn label(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// With another place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<Cow<'static, str>>) -> Self {
        self.secondary.push(Label::new(span, text));
        self
    }

    /// With advice.
    #[must_use]
    pub fn help(mut self, text: impl Into<Cow<'static, str>>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// One line: `file:line:column: error[P0123]: text: label (help)`. Characters that could
    /// disturb a terminal are shown as escapes.
    #[must_use]
    pub fn line<'a>(&'a self, sources: &'a Sources) -> impl fmt::Display + 'a {
        Line {
            diagnostic: self,
            sources,
        }
    }
}

struct Line<'a> {
    diagnostic: &'a Diagnostic,
    sources: &'a Sources,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = self.diagnostic;
        let place = self.sources.location(d.primary.span);
        harmless(f, place.file)?;
        write!(
            f,
            ":{}:{}: {}[{}]: ",
            place.line, place.column, d.severity, d.code
        )?;
        harmless(f, &d.message)?;
        if !d.primary.text.is_empty() {
            f.write_str(": ")?;
            harmless(f, &d.primary.text)?;
        }
        if let Some(help) = &d.help {
            f.write_str(" (")?;
            harmless(f, help)?;
            f.write_str(")")?;
        }
        Ok(())
    }
}

/// Whether a character could move the cursor, change colours or reorder what is shown.
pub(crate) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn harmless(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for piece in text.split_inclusive(is_harmful) {
        match piece.chars().next_back() {
            Some(c) if is_harmful(c) => {
                f.write_str(piece.strip_suffix(c).unwrap_or_default())?;
                write!(f, "{}", c.escape_unicode())?;
            }
            _ => f.write_str(piece)?,
        }
    }
    Ok(())
}

/// Text of a policy for use in a message: at most 48 characters of it.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::from("`");
    for (i, c) in text.chars().enumerate() {
        if i == 48 {
            out.push('…');
            break;
        }
        out.push(c);
    }
    out.push('`');
    out
}

/// Collects messages up to a bound for each severity; what comes after it is counted.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    bound: u32,
    counts: [u64; 3],
}

impl Default for Diagnostics {
    fn default() -> Self {
        Self::new(Self::BOUND)
    }
}

impl Diagnostics {
    /// How many messages of one severity are kept if nothing else is said.
    pub const BOUND: u32 = 2000;

    /// Keeps at most `bound` messages of each severity.
    #[must_use]
    pub const fn new(bound: u32) -> Self {
        Self {
            list: Vec::new(),
            bound,
            counts: [0; 3],
        }
    }

    /// Whether a message of this severity would be kept: nothing needs to be made up that is not.
    #[must_use]
    pub fn has_room(&self, severity: Severity) -> bool {
        self.count(severity) < u64::from(self.bound)
    }

    /// Counts a message, and keeps it while there is room.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let severity = diagnostic.severity;
        if self.has_room(severity) {
            self.list.push(diagnostic);
        }
        self.add(severity);
    }

    /// Counts a message of a code, and makes it only while there is room.
    pub fn push_with(&mut self, info: &CodeInfo, make: impl FnOnce() -> Diagnostic) {
        if self.has_room(info.severity) {
            self.list.push(make());
        }
        self.add(info.severity);
    }

    /// What there is now, for [`Diagnostics::rewind`].
    pub(crate) const fn mark(&self) -> (usize, [u64; 3]) {
        (self.list.len(), self.counts)
    }

    /// Forgets what came after a mark.
    pub(crate) fn rewind(&mut self, (length, counts): (usize, [u64; 3])) {
        self.list.truncate(length);
        self.counts = counts;
    }

    fn add(&mut self, severity: Severity) {
        if let Some(count) = self.counts.get_mut(severity as usize) {
            *count += 1;
        }
    }

    /// How many messages of a severity there were, kept or not.
    #[must_use]
    pub fn count(&self, severity: Severity) -> u64 {
        self.counts.get(severity as usize).copied().unwrap_or(0)
    }

    /// Whether there was any error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many messages were counted and not kept.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let all: u64 = self.counts.iter().sum();
        all.saturating_sub(self.list.len() as u64)
    }

    /// Sorts by file, place and code; what was found first comes first among equals.
    pub fn sort(&mut self) {
        self.list
            .sort_by_key(|d| (d.primary.span, d.severity, d.code));
    }

    /// The kept messages, in the order they were found in or, after [`Diagnostics::sort`], of the
    /// text.
    pub fn iter(&self) -> core::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = core::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
