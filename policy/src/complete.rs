//! What may be written at a place.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use crate::diagnostic::Diagnostics;
use crate::model::{Model, NONE};
use crate::parse;
use crate::schema::{Context, Form, Language, Statement};
use crate::source::{SourceId, Sources};
use crate::value;

/// Something that may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Completion {
    /// The word.
    pub text: String,
    /// What it means.
    pub meaning: &'static str,
}

/// What may be written at a byte of a text: keywords at the begin of a line, keyword values and
/// names of statements behind a keyword. What already stands of the word before the place narrows
/// it. In the order of the tables; names in the order of the text.
#[must_use]
pub fn complete(
    language: &Language,
    sources: &Sources,
    id: SourceId,
    offset: u32,
) -> Vec<Completion> {
    let Some(source) = sources.get(id) else {
        return Vec::new();
    };
    let before = source.slice(0, offset.min(value::length(source.text())));
    let line_start = before.rfind('\n').map_or(0, |n| n + 1);
    let line = before.get(line_start..).unwrap_or_default();
    if line.contains('#') {
        return Vec::new();
    }
    let stack = parse::open_at(language, before.get(..line_start).unwrap_or_default());
    let context = match stack.last() {
        None => Context::Top,
        Some(Some(statement)) => Context::Inside(*statement),
        // Nothing is known about what may stand inside.
        Some(None) => return Vec::new(),
    };
    let line = line.trim_start_matches([' ', '\t']);
    let begun = |word: &str, name: &str| {
        name.get(..word.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    let Some(space) = line.find([' ', '\t']) else {
        let keys = language
            .keys_in(context)
            .filter(|(_, k)| begun(line, k.name));
        return keys
            .map(|(_, k)| Completion {
                text: k.name.into(),
                meaning: match language.parameter(k) {
                    Some(p) => p.meaning,
                    None => language.statement(k.statement).map_or("", |s| s.meaning),
                },
            })
            .collect();
    };
    let (keyword, rest) = line.split_at_checked(space).unwrap_or((line, ""));
    let Some(key) = language
        .key(keyword, context)
        .and_then(|k| language.key_info(k))
    else {
        return Vec::new();
    };
    let (done, word) = match rest.rfind([' ', '\t']) {
        Some(n) => rest.split_at_checked(n + 1).unwrap_or((rest, "")),
        None => ("", rest),
    };
    match key.form {
        Form::Line(v) | Form::LineOrBlock(v, _) => {
            let mut choices = Vec::new();
            let at = value::length(done);
            let mut words = value::Cursor::new(done, 0, at);
            value::follow(v, &mut words, &mut choices);
            let fits = choices.into_iter().filter(|c| begun(word, c.name));
            fits.map(|c| Completion {
                text: c.name.into(),
                meaning: c.meaning.trim_ascii(),
            })
            .collect()
        }
        Form::Reference(statement) if done.trim().is_empty() => names(language, sources, statement)
            .into_iter()
            .filter(|n| begun(word, n))
            .map(|n| Completion {
                text: n.into(),
                meaning: statement.meaning,
            })
            .collect(),
        Form::Reference(_) | Form::Block(_) => Vec::new(),
    }
}

/// The names of the statements of a kind in all texts, each once.
fn names<'a>(
    language: &'a Language,
    sources: &'a Sources,
    statement: &'static Statement,
) -> Vec<&'a str> {
    let mut model = Model::default();
    let mut out = Diagnostics::new(0);
    let wanted = language.id(statement);
    let mut names = Vec::new();
    let mut seen = BTreeSet::new();
    let mut first = 0;
    for (id, source) in sources.iter() {
        parse::parse(language, id, source, &mut model, &mut out);
        for object in model.objects.iter().skip(first) {
            let name = source.slice(object.name.0, object.name.1);
            let counts = object.parent == NONE && Some(object.statement) == wanted;
            if counts && !name.is_empty() && seen.insert(name) {
                names.push(name);
            }
        }
        first = model.objects.len();
    }
    names
}
