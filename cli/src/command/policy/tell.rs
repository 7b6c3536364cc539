//! Messages about a policy, for people and for programs.

use std::env;
use std::io::{self, IsTerminal, Write};

use hostward_policy::{Diagnostic, Severity, Sources, Span, Style, codes, render};
use serde::Serialize;

use super::ready::Ready;
use crate::report::json::write_line;

/// Whether colours are wanted where something is written: at a terminal that has some, unless
/// `NO_COLOR` is set.
pub(crate) fn colours(out: &impl IsTerminal) -> Style {
    let no_color = env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let dumb = env::var_os("TERM").is_none_or(|v| v == "dumb");
    if out.is_terminal() && !no_color && !dumb {
        Style::Colour
    } else {
        Style::Plain
    }
}

/// The messages of this severity and worse ones, with the lines they are about, and whose policy
/// it is where that was a choice.
pub(crate) fn messages(ready: &Ready, style: Style, least: Severity) -> String {
    let mut out = String::new();
    // An error is less than a warning.
    let always = [codes::STACK_TAKEN.code, codes::NO_POLICY.code];
    let wanted = |d: &&Diagnostic| d.severity <= least || always.contains(&d.code);
    for diagnostic in ready.diagnostics.iter().filter(wanted) {
        out += &render(diagnostic, &ready.sources, style);
        out.push('\n');
    }
    match ready.diagnostics.dropped() {
        0 => {}
        n => out += &format!("{n} more messages are not shown\n\n"),
    }
    out
}

/// A place in a text.
#[derive(Serialize)]
struct Place {
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct Secondary<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    end: Place,
    label: &'a str,
}

#[derive(Serialize)]
struct Message<'a> {
    r#type: &'static str,
    file: &'a str,
    line: u32,
    column: u32,
    end: Place,
    code: String,
    name: Option<&'static str>,
    severity: String,
    step: Option<String>,
    message: &'a str,
    label: Option<&'a str>,
    help: Option<&'a str>,
    secondary: Vec<Secondary<'a>>,
}

fn end(sources: &Sources, span: Span) -> Place {
    let place = sources.location(Span {
        start: span.end.max(span.start),
        ..span
    });
    Place {
        line: place.line,
        column: place.column,
    }
}

/// Writes a message as a JSON line.
pub(super) fn json(out: &mut impl Write, d: &Diagnostic, sources: &Sources) -> io::Result<()> {
    let at = sources.location(d.primary.span);
    let info = d.code.info();
    let some = |text: &'_ str| !text.is_empty();
    let secondary = d.secondary.iter().map(|label| {
        let at = sources.location(label.span);
        Secondary {
            file: at.file,
            line: at.line,
            column: at.column,
            end: end(sources, label.span),
            label: &label.text,
        }
    });
    write_line(
        out,
        &Message {
            r#type: "diagnostic",
            file: at.file,
            line: at.line,
            column: at.column,
            end: end(sources, d.primary.span),
            code: d.code.to_string(),
            name: info.map(|i| i.name),
            severity: d.severity.to_string(),
            step: info.map(|i| i.step.to_string()),
            message: &d.message,
            label: Some(&*d.primary.text).filter(|t| some(t)),
            help: d.help.as_deref(),
            secondary: secondary.collect(),
        },
    )
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    r#type: &'static str,
    files: usize,
    stack: Option<&'a str>,
    errors: u64,
    warnings: u64,
    notes: u64,
    not_shown: u64,
    strict: bool,
    rules: Option<usize>,
    simple_filters: Option<usize>,
    default_rules: Option<usize>,
    zert_rules: Option<usize>,
}

/// What a check comes to.
pub(super) struct Summary<'a> {
    pub(super) ready: &'a Ready,
    pub(super) strict: bool,
}

impl Summary<'_> {
    fn count(&self, severity: Severity) -> u64 {
        self.ready.diagnostics.count(severity)
    }

    /// Whether nothing stands against installing the policy.
    pub(super) fn is_fine(&self) -> bool {
        let warned = self.strict && self.count(Severity::Warning) > 0;
        !self.ready.diagnostics.has_errors() && !warned
    }

    fn simple_filters(&self) -> Option<usize> {
        let policy = self.ready.policy.as_ref()?;
        let rules = policy.rule_set.rules().iter();
        Some(rules.map(|r| r.expansion()).sum())
    }

    pub(super) fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let ready = self.ready;
        write_line(
            out,
            &SummaryLine {
                r#type: "summary",
                files: ready.sources.iter().count(),
                stack: ready.stack.as_deref(),
                errors: self.count(Severity::Error),
                warnings: self.count(Severity::Warning),
                notes: self.count(Severity::Note),
                not_shown: ready.diagnostics.dropped(),
                strict: self.strict,
                rules: ready.policy.as_ref().map(|p| p.rule_set.rules().len()),
                simple_filters: self.simple_filters(),
                default_rules: ready.defaults.as_ref().map(|(d, _)| d.rules().len()),
                zert_rules: ready.zert.as_ref().map(|z| z.rule_set.rules().len()),
            },
        )
    }

    pub(super) fn text(&self) -> String {
        let ready = self.ready;
        let mut parts = vec![
            number(self.count(Severity::Error), "error"),
            number(self.count(Severity::Warning), "warning"),
        ];
        if self.count(Severity::Note) > 0 {
            parts.push(number(self.count(Severity::Note), "note"));
        }
        let mut text = parts.join(", ");
        if let (Some(policy), Some(filters)) = (&ready.policy, self.simple_filters()) {
            let rules = policy.rule_set.rules().len() as u64;
            text += &format!(
                "; {}, {}",
                number(rules, "rule"),
                number(filters as u64, "simple filter")
            );
        } else if !ready.diagnostics.has_errors() && ready.policy_files == 0 && ready.zert.is_none()
        {
            text += "; no policy: the default rules stay in force";
        }
        if let Some((defaults, _)) = &ready.defaults {
            text += &format!(
                "; {}",
                number(defaults.rules().len() as u64, "default rule")
            );
        }
        let exchanges = ready.ike.as_ref().map_or(0, |ike| ike.rules().len());
        if exchanges > 0 {
            text += &format!("; {}", number(exchanges as u64, "key exchange rule"));
        }
        if let Some(zert) = &ready.zert {
            let rules = zert.rule_set.rules().len() as u64;
            text += &format!("; {}", number(rules, "zERT rule"));
        }
        if !self.is_fine() {
            let why = if ready.diagnostics.has_errors() {
                "it cannot be installed"
            } else {
                "warnings count as errors (--strict)"
            };
            text += &format!("; {why}");
        }
        text
    }
}

/// A number of things.
pub(super) fn number(n: u64, what: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{n} {what}{s}")
}
