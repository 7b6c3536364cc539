//! The canonical layout of a text.

use alloc::string::String;
use alloc::vec::Vec;

use thiserror::Error;

use crate::diagnostic::Diagnostics;
use crate::model::Model;
use crate::parse::parse_once;
use crate::schema::{Form, KeyId, Language, Value};
use crate::source::{SourceId, Sources};
use crate::tree::ItemKind;
use crate::value::{self, Atom, Cursor, Placed, length};

/// Why a text is not laid out anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// There is no such text.
    #[error("there is no such text")]
    NoSource,
    /// The file was not UTF-8; writing it back would lose what it held.
    #[error("the file is not UTF-8 text")]
    NotUtf8,
    /// Its braces do not match: how deep a line stands is not known.
    #[error("opening and closing braces do not match")]
    Braces,
}

/// Lays a text out: two blanks for each block, braces and parameters on lines of their own, one
/// blank between words, keywords in the spelling of the tables, at most one empty line in a row,
/// line feeds as line ends, no byte order mark. Comments, names, numbers and the order stay as they
/// are, and so does the text of lines that cannot be read. Laying out the result again changes
/// nothing.
///
/// # Errors
/// [`FormatError`] when the text cannot be laid out without a loss.
pub fn format(language: &Language, sources: &Sources, id: SourceId) -> Result<String, FormatError> {
    let source = sources.get(id).ok_or(FormatError::NoSource)?;
    if source.invalid() > 0 {
        return Err(FormatError::NotUtf8);
    }
    let mut model = Model::default();
    let tree = parse_once(language, id, source, &mut model, &mut Diagnostics::new(0))
        .ok_or(FormatError::Braces)?;
    drop(model);
    let mut out = String::with_capacity(source.text().len() + source.text().len() / 8);
    let mut blank = false;
    let mut items = tree.raw().peekable();
    while let Some((item, span)) = items.next() {
        let text = match sources.text(span) {
            // Elsewhere it is a character like others, in a line that is not read.
            text if span.start == 0 => text.trim_start_matches('\u{feff}'),
            text => text,
        };
        if item.kind == ItemKind::Blank {
            blank = true;
            continue;
        }
        if blank && !out.is_empty() {
            out.push('\n');
        }
        blank = false;
        if item.kind == ItemKind::Unread {
            if out.is_empty() && text.starts_with('\u{feff}') {
                // At the begin of the text it would be a byte order mark and go.
                out.push('\n');
            }
            out.push_str(text.trim_end_matches(['\n', '\r']));
            out.push('\n');
            continue;
        }
        for _ in 0..item.depth {
            out.push_str("  ");
        }
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        match item.kind {
            ItemKind::Line => {
                // Whether the keyword's line is followed by a block: its words are then a name.
                let block = || {
                    let mut rest = items.clone().map(|(i, _)| i.kind);
                    let next = rest.find(|k| !matches!(k, ItemKind::Blank | ItemKind::Comment));
                    next == Some(ItemKind::Open)
                };
                line(language, item.key, text, block, &mut out);
            }
            ItemKind::Open | ItemKind::Close => {
                out.push_str(text.get(..1).unwrap_or_default());
                let comment = text.get(1..).unwrap_or_default().trim_start();
                if !comment.is_empty() {
                    out.push(' ');
                    out.push_str(comment);
                }
            }
            ItemKind::Blank | ItemKind::Comment | ItemKind::Unread => out.push_str(text),
        }
        out.push('\n');
    }
    Ok(out)
}

fn line(
    language: &Language,
    key: KeyId,
    text: &str,
    block: impl FnOnce() -> bool,
    out: &mut String,
) {
    let Some(info) = language.key_info(key) else {
        // It may be a misspelt keyword whose value is taken as it is written.
        return out.push_str(text);
    };
    let value = match info.form {
        Form::Line(v) => Some(v),
        Form::LineOrBlock(v, _) => (!block()).then_some(v),
        Form::Block(_) | Form::Reference(_) => None,
    };
    let verbatim = info.form.value().is_some_and(Value::is_verbatim);
    out.push_str(info.name);
    let rest = text.get(info.name.len()..).unwrap_or_default();
    let (body, comment) = match rest.split_once('#').filter(|_| !verbatim) {
        Some((body, comment)) => (body, Some(comment)),
        None => (rest, None),
    };
    let mut words = Cursor::new(
        text,
        length(text) - length(rest),
        length(text) - length(rest) + length(body),
    );
    spell(value, &mut words, out);
    if let Some(comment) = comment {
        out.push_str(" #");
        out.push_str(comment);
    }
}

/// The values, keywords in the spelling of the table.
fn spell(value: Option<&'static Value>, words: &mut Cursor<'_>, out: &mut String) {
    let mut atoms: Vec<Placed<'_>> = Vec::new();
    if let Some(value) = value {
        let mut reader = *words;
        if value::read(value, &mut reader, &mut atoms, &mut None).is_err() {
            atoms.clear();
            if value.is_verbatim() {
                let (rest, _) = words.rest();
                if !rest.is_empty() {
                    out.push(' ');
                    out.push_str(rest);
                }
                return;
            }
        }
    }
    let verbatim = value.is_some_and(Value::is_verbatim);
    let mut atoms = atoms.into_iter().peekable();
    while let Some((word, at)) = words.peek() {
        while atoms.next_if(|a| a.start < at).is_some() {}
        out.push(' ');
        match atoms.peek().filter(|a| a.start == at).map(|a| a.atom) {
            Some(Atom::Keyword(choice)) => {
                let spelled = core::iter::once(&choice.name)
                    .chain(choice.also)
                    .find(|n| n.eq_ignore_ascii_case(word));
                out.push_str(spelled.unwrap_or(&word));
                words.next();
            }
            Some(Atom::Text(text)) => {
                out.push_str(text);
                return;
            }
            // What follows the values of a line that is read as text is kept as it is.
            None if verbatim => {
                out.push_str(words.rest().0);
                return;
            }
            _ => {
                out.push_str(word);
                words.next();
            }
        }
    }
}
