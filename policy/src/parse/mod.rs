//! From text to items and objects, tolerant of errors.
//!
//! A text whose braces do not match is read twice: first as it is, which tells how many are
//! missing or too many, then with that many guessed from indentation and from what may stand
//! where. A text whose braces match is never second-guessed.

mod braces;
mod line;
mod report;

use alloc::vec::Vec;

use memchr::{memchr, memchr3};

use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics, is_harmful};
use crate::model::{Entry, EntryKind, Model, NONE};
use crate::schema::{Context, KeyId, Language, StatementId, Value};
use crate::source::{Source, SourceId, Span};
use crate::tree::{Item, ItemKind, Tree};
use crate::value::{Cursor, is_blank, length};

/// How deep blocks may be nested.
pub(crate) const DEPTH: usize = 32;

/// In how many places of a text a misspelt keyword is guessed, so that what follows it is read as what
/// it was probably meant to be.
const GUESSES: u32 = 2000;

/// A line that may be followed by a block.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// The keyword as understood, which may be a guess.
    key: KeyId,
    /// The keyword, in the text.
    start: u32,
    end: u32,
    /// What stands behind it.
    words: (u32, u32),
    column: u32,
    top: bool,
    /// The keyword was misspelt or misplaced.
    faulty: bool,
    /// It begins a statement that stands outside of blocks, and it does not.
    misplaced: bool,
}

/// An open block.
#[derive(Debug, Default)]
struct Frame {
    /// None: nothing is known about what may stand inside, and nothing is said.
    statement: Option<StatementId>,
    object: u32,
    /// The line before the brace.
    head: (u32, u32),
    /// The column of the keyword, and of the brace if it begins its line.
    column: u32,
    brace_column: Option<u32>,
    /// The column of the first line inside.
    child_column: Option<u32>,
    entries: Vec<Entry>,
    /// For each parameter the entry that said it last.
    last: Vec<u32>,
    broken: bool,
}

/// A block that a brace closed which may be one too many.
#[derive(Debug)]
struct Closed {
    frame: Frame,
    brace: (u32, u32),
}

/// How many braces are missing and how many are too many.
#[derive(Clone, Copy, Debug, Default)]
struct Balance {
    missing: u32,
    surplus: u32,
}

struct Parser<'a, 'w> {
    language: &'a Language,
    source: SourceId,
    text: &'a str,
    model: &'w mut Model<'a>,
    out: &'w mut Diagnostics,
    items: Vec<Item>,
    stack: Vec<Frame>,
    /// Emptied frames, for their memory.
    spare: Vec<Frame>,
    pending: Option<Pending>,
    /// The last line, when it takes no block: its keyword, and whether it had an error.
    last: Option<(u32, u32, bool)>,
    closed: Option<Closed>,
    /// What may still be guessed.
    balance: Balance,
    /// What was found.
    found: Balance,
    /// Blocks beyond [`DEPTH`].
    too_deep: u32,
    deep_reported: bool,
    /// Something was said about the braces of this line.
    brace_reported: bool,
    clean: bool,
    /// NUL bytes were told of: they are in all lines or in none.
    nul_reported: bool,
    /// How many misspelt keywords are still guessed.
    guesses: u32,
    /// What was open at the end.
    open: Vec<Option<StatementId>>,
}

/// Reads one text into the model.
pub(crate) fn parse<'a>(
    language: &'a Language,
    id: SourceId,
    source: &'a Source,
    model: &mut Model<'a>,
    out: &mut Diagnostics,
) -> Tree {
    let text = source.text();
    let mark = out.mark();
    let sizes = (model.objects.len(), model.entries.len(), model.atoms.len());
    let mut first = Parser::new(language, id, text, model, out, Balance::default());
    first.invalid_text(source);
    first.run();
    let found = first.found;
    if found.missing == 0 && found.surplus == 0 {
        return first.finish();
    }
    let spare = first.items;
    out.rewind(mark);
    model.objects.truncate(sizes.0);
    model.entries.truncate(sizes.1);
    model.atoms.truncate(sizes.2);
    let mut second = Parser::new(language, id, text, model, out, found);
    second.items = spare;
    second.items.clear();
    second.invalid_text(source);
    second.run();
    second.finish()
}

/// Reads one text whose braces match; none when they do not.
pub(crate) fn parse_once<'a>(
    language: &'a Language,
    id: SourceId,
    source: &'a Source,
    model: &mut Model<'a>,
    out: &mut Diagnostics,
) -> Option<Tree> {
    let mut parser = Parser::new(language, id, source.text(), model, out, Balance::default());
    parser.run();
    let matched = parser.found.missing == 0 && parser.found.surplus == 0;
    matched.then(|| parser.finish())
}

/// The statements whose blocks are open at the end of a text, the outermost first; none in place
/// of one that is not known.
pub(crate) fn open_at(language: &Language, text: &str) -> Vec<Option<StatementId>> {
    let (mut model, mut out) = (Model::default(), Diagnostics::new(0));
    let mut parser = Parser::new(
        language,
        SourceId(0),
        text,
        &mut model,
        &mut out,
        Balance::default(),
    );
    parser.run();
    parser.open
}

impl<'a, 'w> Parser<'a, 'w> {
    fn new(
        language: &'a Language,
        source: SourceId,
        text: &'a str,
        model: &'w mut Model<'a>,
        out: &'w mut Diagnostics,
        balance: Balance,
    ) -> Self {
        Self {
            language,
            source,
            text,
            model,
            out,
            items: Vec::new(),
            stack: Vec::new(),
            spare: Vec::new(),
            pending: None,
            last: None,
            closed: None,
            balance,
            found: Balance::default(),
            too_deep: 0,
            deep_reported: false,
            brace_reported: false,
            clean: text
                .bytes()
                .all(|b| matches!(b, b' '..=b'~' | b'\n' | b'\t')),
            nul_reported: false,
            open: Vec::new(),
            guesses: GUESSES,
        }
    }

    fn span(&self, start: u32, end: u32) -> Span {
        Span::new(self.source, start, end)
    }

    fn slice(&self, start: u32, end: u32) -> &'a str {
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    fn invalid_text(&mut self, source: &Source) {
        let Some(at) = source.first_invalid() else {
            return;
        };
        let span = self.span(at, at + 3);
        let count = source.invalid();
        let wide = memchr(0, self.text.as_bytes()).is_some();
        self.nul_reported = wide;
        self.out.push_with(&codes::INVALID_UTF8, || {
            Diagnostic::new(&codes::INVALID_UTF8, span, "the file is not UTF-8 text")
                .label(alloc::format!(
                    "the first of {count} places that are no characters"
                ))
                .help(if wide {
                    "convert the file, for example with `iconv -f UTF-16 -t UTF-8`"
                } else {
                    "convert the file, for example with `iconv -f IBM-1047 -t UTF-8`"
                })
        });
    }

    fn run(&mut self) {
        // A byte order mark belongs to the first item.
        let mark = self.text.trim_start_matches('\u{feff}');
        let mut at = length(self.text) - length(mark);
        let mut start = 0;
        while (at as usize) < self.text.len() {
            let rest = self.text.get(at as usize..).unwrap_or_default();
            let line = memchr(b'\n', rest.as_bytes()).map_or(rest.len(), |n| n + 1);
            let end = at.saturating_add(u32::try_from(line).unwrap_or(u32::MAX));
            self.line(start, at, end);
            (start, at) = (end, end);
        }
        if start < at {
            self.item(ItemKind::Blank, start, KeyId::MAX);
        }
        self.end();
    }

    fn item(&mut self, kind: ItemKind, start: u32, key: KeyId) {
        let open =
            self.stack.len() - usize::from(kind == ItemKind::Close && !self.stack.is_empty());
        let depth = u8::try_from(open).unwrap_or(u8::MAX);
        self.items.push(Item {
            start,
            key,
            kind,
            depth,
        });
    }

    /// One line: bytes `at..end` with its line end; its first item begins at `start`.
    fn line(&mut self, start: u32, at: u32, end: u32) {
        self.brace_reported = false;
        let text = self.slice(at, end);
        let body = text.strip_suffix('\n').unwrap_or(text);
        let body = body.trim_end_matches('\r');
        if !self.clean && self.unreadable(start, at, body) {
            return;
        }
        let content_end = at + length(body);
        let (mut start, mut at, mut first) = (start, at, true);
        loop {
            let rest = self.slice(at, content_end);
            let blanks = rest.bytes().position(|b| !is_blank(b));
            let Some(blanks) = blanks else {
                // Blanks behind a brace belong to it.
                if first {
                    self.item(ItemKind::Blank, start, KeyId::MAX);
                }
                return;
            };
            let column = if first { indentation(rest) } else { NONE };
            at += u32::try_from(blanks).unwrap_or(u32::MAX);
            let rest = rest.get(blanks..).unwrap_or_default();
            match rest.bytes().next() {
                Some(b'#') => {
                    if first {
                        self.item(ItemKind::Comment, start, KeyId::MAX);
                    }
                    return;
                }
                Some(b'{') => {
                    if !first {
                        self.brace_on_line(at);
                    }
                    self.open(start, at, first.then_some(column));
                    at += 1;
                }
                Some(b'}') => {
                    if !first {
                        self.brace_on_line(at);
                    }
                    self.close(start, at, first.then_some(column));
                    at += 1;
                }
                _ => {
                    if !first {
                        self.brace_on_line(at);
                    }
                    at = self.statement(start, at, content_end, column);
                }
            }
            first = false;
            // A comment or nothing behind it belongs to the item before.
            start = at;
            let rest = self.slice(at, content_end);
            let next = rest.bytes().find(|b| !is_blank(*b));
            if matches!(next, None | Some(b'#')) {
                return;
            }
        }
    }

    /// A line with characters that nobody sees or that no text has.
    fn unreadable(&mut self, start: u32, at: u32, body: &str) -> bool {
        let bad = |c: char| {
            c != '\t' && (is_harmful(c) || c.is_whitespace() && c != ' ' && c != '\n')
                || c == char::REPLACEMENT_CHARACTER
        };
        if body.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t')) {
            return false;
        }
        let comment = memchr(b'#', body.as_bytes()).unwrap_or(body.len());
        let Some(n) = body.get(..comment).and_then(|b| b.find(bad)) else {
            self.disguised(
                at + length(body.get(..comment).unwrap_or(body)),
                body,
                comment,
            );
            return false;
        };
        let c = body
            .get(n..)
            .and_then(|b| b.chars().next())
            .unwrap_or_default();
        self.item(ItemKind::Unread, start, KeyId::MAX);
        if let Some(frame) = self.stack.last_mut() {
            frame.broken = true;
        }
        if c == char::REPLACEMENT_CHARACTER {
            // Said once for the whole file.
            return true;
        }
        if c == '\0' && core::mem::replace(&mut self.nul_reported, true) {
            return true;
        }
        let from = at + u32::try_from(n).unwrap_or(0);
        let span = self.span(from, from + u32::try_from(c.len_utf8()).unwrap_or(1));
        self.out.push_with(&codes::CONTROL_CHARACTER, || {
            let what = match c {
                '\0' => "a NUL byte",
                '\r' => "a carriage return inside a line",
                '\u{a0}' => "a no-break space",
                c if c.is_control() => "a control character",
                _ => "an invisible character",
            };
            Diagnostic::new(
                &codes::CONTROL_CHARACTER,
                span,
                alloc::format!("{what} ({}) in the text", c.escape_unicode()),
            )
            .label("this line is not read")
            .help("replace it by a blank or remove it")
        });
        true
    }

    /// Warns of a comment that is shown as something else than a comment: much of what shows texts
    /// begins a new line at a character that ends none here, or moves what follows.
    fn disguised(&mut self, at: u32, body: &str, comment: usize) {
        let moves = |c| matches!(c, '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let text = body.get(comment..).unwrap_or_default();
        let Some((n, c)) = text.char_indices().find(|(_, c)| moves(*c)) else {
            return;
        };
        let from = at + length(text.get(..n).unwrap_or_default());
        let span = self.span(from, from + u32::try_from(c.len_utf8()).unwrap_or(1));
        self.out.push_with(&codes::DISGUISED_COMMENT, || {
            Diagnostic::new(
                &codes::DISGUISED_COMMENT,
                span,
                alloc::format!(
                    "a character in a comment that may show its end as something else ({})",
                    c.escape_unicode()
                ),
            )
            .label("up to the end of the line all is comment")
            .help("remove the character; end lines with a line feed")
        });
    }

    /// A keyword and what follows it on the line. Gives the place behind it.
    fn statement(&mut self, start: u32, at: u32, content_end: u32, column: u32) -> u32 {
        let rest = self.slice(at, content_end);
        let word_end = rest
            .bytes()
            .position(|b| is_blank(b) || matches!(b, b'#' | b'{' | b'}'))
            .unwrap_or(rest.len());
        let word = rest.get(..word_end).unwrap_or_default();
        let behind = at + length(word);
        self.settle(false, Some((word, column)));
        if self.too_deep > 0 {
            self.item(ItemKind::Line, start, KeyId::MAX);
            return self.line_end(behind, content_end, false);
        }
        self.reopen(word, column);
        self.imply(word, at, column);
        let context = match self.stack.last() {
            None => Context::Top,
            Some(frame) => match frame.statement {
                Some(s) => Context::Inside(s),
                None => {
                    self.item(ItemKind::Line, start, KeyId::MAX);
                    return self.line_end(behind, content_end, false);
                }
            },
        };
        if let Some(frame) = self.stack.last_mut() {
            frame.child_column.get_or_insert(column);
        }
        let key = self.language.key(word, context);
        let (used, faulty) = match key {
            Some(key) => (Some(key), false),
            None => (self.unknown(word, at, context), true),
        };
        self.item(ItemKind::Line, start, key.unwrap_or(KeyId::MAX));
        let verbatim = key
            .and_then(|k| self.language.value(k))
            .is_some_and(Value::is_verbatim);
        let end = self.line_end(behind, content_end, verbatim);
        if faulty && let Some(frame) = self.stack.last_mut() {
            frame.broken = true;
        }
        let pending = Pending {
            key: used.unwrap_or(KeyId::MAX),
            start: at,
            end: behind,
            words: (behind, end),
            column,
            top: context == Context::Top,
            faulty,
            misplaced: faulty
                && used
                    .and_then(|k| self.language.key_info(k))
                    .is_some_and(|k| k.parameter.is_none()),
        };
        self.last = None;
        self.keyword(pending);
        end
    }

    /// Where what belongs to a keyword ends: at a comment or brace, or at the end of the line.
    fn line_end(&self, from: u32, content_end: u32, verbatim: bool) -> u32 {
        if verbatim {
            return content_end;
        }
        let rest = self.slice(from, content_end);
        match memchr3(b'#', b'{', b'}', rest.as_bytes()) {
            Some(n) => from + u32::try_from(n).unwrap_or(0),
            None => content_end,
        }
    }

    fn finish(self) -> Tree {
        Tree::new(self.source, self.items, length(self.text))
    }

    /// Adds what a parameter was told to the innermost block.
    fn add(&mut self, key: KeyId, kind: EntryKind, place: (u32, u32, u32), a: u32, b: u32) {
        let Some(info) = self.language.key_info(key) else {
            return;
        };
        let Some((parameter, keyword)) = info.parameter else {
            return;
        };
        let entry = Entry {
            kind,
            parameter,
            keyword,
            at: place.0,
            start: place.1,
            end: place.2,
            a,
            b,
        };
        self.check_repetition(info, &entry);
        let Some(frame) = self.stack.last_mut() else {
            return;
        };
        let number = u32::try_from(frame.entries.len()).unwrap_or(NONE);
        if let Some(last) = frame.last.get_mut(usize::from(parameter)) {
            *last = number;
        }
        frame.entries.push(entry);
    }

    fn words(&self, pending: &Pending) -> Cursor<'a> {
        Cursor::new(self.text, pending.words.0, pending.words.1)
    }
}

/// The column that the first word of a line begins in, with tabs to every eighth.
fn indentation(line: &str) -> u32 {
    let mut column = 0_u32;
    for byte in line.bytes() {
        match byte {
            b' ' => column += 1,
            b'\t' => column = (column / 8 + 1) * 8,
            _ => break,
        }
    }
    column
}
