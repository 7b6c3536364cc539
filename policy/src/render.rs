//! Messages as people read them, with the lines they are about.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Diagnostics, Label, Severity, is_harmful};
use crate::source::{Sources, Span};

/// How a message is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Style {
    /// Without colours.
    #[default]
    Plain,
    /// With colours, for a terminal that knows them.
    Colour,
}

/// A line longer than this many bytes is shown around the place only.
const LONGEST: usize = 240;
/// What is shown before and after the place of such a line.
const AROUND: usize = 90;
/// Places that are at most so many bytes apart are shown in one piece of text.
const NEAR: u32 = 1500;

/// Shows one message: the lines concerned with their numbers and the places underlined. Characters
/// that could disturb a terminal are replaced. The cost depends on the message, not on the text.
#[must_use]
pub fn render(diagnostic: &Diagnostic, sources: &Sources, style: Style) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level
        .primary_title(one_line(&diagnostic.message))
        .id(format!("{}", diagnostic.code));
    let mut group = Group::with_title(title);
    let labels = core::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
    group = match Together::new(labels.clone(), sources) {
        Some(together) => together.show(group),
        None => labels.enumerate().fold(group, |group, (i, label)| {
            show(group, Piece::new(label, sources), kind(i))
        }),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(safe(help)));
    }
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let mut out = renderer.render(&[group]);
    out.push('\n');
    out
}

/// Shows all kept messages one after the other, and how many there were.
#[must_use]
pub fn render_all(diagnostics: &Diagnostics, sources: &Sources, style: Style) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&render(diagnostic, sources, style));
        out.push('\n');
    }
    if diagnostics.dropped() > 0 {
        out.push_str(&format!("{} more are not shown\n", diagnostics.dropped()));
    }
    out
}

/// Parameters whose second value is a secret.
const SECRETS: [&str; 5] = [
    "EncryptInboundSA",
    "EncryptOutboundSA",
    "AuthInboundSA",
    "AuthOutboundSA",
    "SharedKey",
];

/// The text with keys and pre-shared secrets hidden: messages go into logs and tickets. As long as
/// before, so that places stay what they are.
fn hidden(text: &str) -> String {
    let stars = |text: &str| "*".repeat(text.len());
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut words = line.split_inclusive(char::is_whitespace);
        let mut secret = false;
        let mut place = 0;
        for word in words.by_ref() {
            let bare = word.trim_end();
            if place == 0 && !bare.is_empty() {
                secret = SECRETS.iter().any(|s| s.eq_ignore_ascii_case(bare));
            }
            // Of a long line only a piece is shown, which may be a piece of a key.
            let digits = bare.len() >= 16 && bare.bytes().all(|b| b.is_ascii_hexdigit());
            if (secret && place >= 2) || digits {
                out.push_str(&stars(bare));
                out.push_str(word.get(bare.len()..).unwrap_or_default());
            } else {
                out.push_str(word);
            }
            if !bare.is_empty() {
                place += 1;
            }
        }
    }
    out
}

fn kind(label: usize) -> AnnotationKind {
    if label == 0 {
        AnnotationKind::Primary
    } else {
        AnnotationKind::Context
    }
}

fn annotation(
    kind: AnnotationKind,
    place: Range<usize>,
    label: String,
) -> annotate_snippets::Annotation<'static> {
    let annotation = kind.span(place);
    if label.is_empty() {
        annotation
    } else {
        annotation.label(label)
    }
}

fn show(group: Group<'_>, piece: Piece, kind: AnnotationKind) -> Group<'_> {
    let snippet = Snippet::source(hidden(&piece.text))
        .line_start(piece.line)
        .annotation(annotation(kind, piece.start..piece.end, piece.label));
    if piece.cut {
        // The column of what is left of the line would be wrong.
        let origin = Origin::path(piece.file)
            .line(piece.line)
            .char_column(piece.column);
        group.element(origin).element(snippet)
    } else {
        group.element(snippet.path(piece.file))
    }
}

/// Places of one file that are near each other, with all lines from the first to the last.
struct Together {
    file: String,
    line: usize,
    text: String,
    places: Vec<(Range<usize>, String)>,
}

impl Together {
    fn new<'a>(labels: impl Iterator<Item = &'a Label> + Clone, sources: &Sources) -> Option<Self> {
        let first = labels.clone().map(|l| l.span).min()?;
        let last = labels.clone().map(|l| l.span).max()?;
        if first.source != last.source || last.start.abs_diff(first.start) > NEAR {
            return None;
        }
        let source = sources.get(first.source)?;
        let (line, _) = source.line_column(first.start);
        let start = source.line_start(line) as usize;
        let (_, last_start) = line_of(sources, last);
        let (last_line, _) = line_of(sources, last);
        let text = source.text().get(start..last_start + last_line.len())?;
        if text.lines().any(|l| l.len() > LONGEST) {
            return None;
        }
        let shown = |n: u32| {
            let n = (n as usize).saturating_sub(start).min(text.len());
            safe(text.get(..n).unwrap_or_default()).len()
        };
        let places = labels
            .map(|l| {
                let from = shown(l.span.start);
                (
                    from..shown(l.span.end).max(from),
                    safe(&l.text).into_owned(),
                )
            })
            .collect();
        Some(Self {
            file: one_line(source.name()).into_owned(),
            line: line as usize,
            text: safe(text).into_owned(),
            places,
        })
    }

    fn show(self, group: Group<'_>) -> Group<'_> {
        let places = self.places.into_iter().enumerate();
        group.element(
            Snippet::source(hidden(&self.text))
                .line_start(self.line)
                .path(self.file)
                .annotations(places.map(|(i, (place, label))| annotation(kind(i), place, label))),
        )
    }
}

/// One line, or a part of it, with a place in it.
struct Piece {
    file: String,
    line: usize,
    column: usize,
    cut: bool,
    text: String,
    start: usize,
    end: usize,
    label: String,
}

impl Piece {
    fn new(label: &Label, sources: &Sources) -> Self {
        let span = label.span;
        let place = sources.location(span);
        let (text, first) = line_of(sources, span);
        let start = (span.start as usize).saturating_sub(first).min(text.len());
        let end = (span.end as usize)
            .saturating_sub(first)
            .clamp(start, text.len());
        let (mut from, mut to) = (0, text.len());
        if text.len() > LONGEST {
            from = boundary(text, start.saturating_sub(AROUND));
            to = boundary(text, (start + 2 * AROUND).min(text.len()));
        }
        let mut out = String::new();
        if from > 0 {
            out.push('…');
        }
        let piece = |a: usize, b: usize| safe(text.get(a..b.max(a)).unwrap_or_default());
        out.push_str(&piece(from, start));
        let shown_start = out.len();
        out.push_str(&piece(start, end.min(to)));
        let shown_end = out.len();
        out.push_str(&piece(end.min(to), to));
        if to < text.len() {
            out.push('…');
        }
        Self {
            file: one_line(place.file).into_owned(),
            line: place.line as usize,
            column: place.column as usize,
            cut: text.len() > LONGEST,
            text: out,
            start: shown_start,
            end: shown_end,
            label: safe(&label.text).into_owned(),
        }
    }
}

/// The line a place begins in, and where that line begins.
fn line_of(sources: &Sources, span: Span) -> (&str, usize) {
    let Some(source) = sources.get(span.source) else {
        return ("", 0);
    };
    let (line, _) = source.line_column(span.start);
    let start = source.line_start(line) as usize;
    let rest = source.text().get(start..).unwrap_or_default();
    let end = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
    let text = rest.get(..end).unwrap_or_default();
    (text.trim_end_matches('\r'), start)
}

fn boundary(text: &str, mut at: usize) -> usize {
    while at > 0 && !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The same in one line.
fn one_line(text: &str) -> Cow<'_, str> {
    match safe(text) {
        text if text.contains('\n') => Cow::Owned(text.replace('\n', " ")),
        text => text,
    }
}

/// Without characters that could disturb a terminal.
fn safe(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| is_harmful(c) && !matches!(c, '\t' | '\n');
    if text.contains(harmful) {
        Cow::Owned(text.replace(harmful, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;

    #[test]
    fn long_lines_are_cut_and_controls_replaced() {
        let mut sources = Sources::new();
        let text = format!(
            "{}\u{1b}[31mbad{}",
            "x".repeat(1 << 20),
            "y".repeat(1 << 20)
        );
        let id = sources.add("a\u{1b}b", text.as_bytes()).unwrap();
        let at = (1 << 20) + 5;
        let d = Diagnostic::new(&codes::BAD_VALUE, Span::new(id, at, at + 3), "m\u{7}").label("l");
        let out = render(&d, &sources, Style::Plain);
        assert!(out.len() < 2000, "{}", out.len());
        assert!(!out.contains(['\u{1b}', '\u{7}']), "{out:?}");
        assert!(out.contains("bad") && out.contains("1:1048582"), "{out}");
    }

    #[test]
    fn places_that_do_not_exist_are_no_panic() {
        let mut sources = Sources::new();
        let id = sources.add("f", &b"a\nb"[..]).unwrap();
        for (start, end) in [(0, 99), (99, 100), (3, 3), (2, 1)] {
            let d = Diagnostic::new(&codes::BAD_VALUE, Span::new(id, start, end), "m");
            assert!(render(&d, &sources, Style::Plain).contains("P0117"));
        }
    }
}
