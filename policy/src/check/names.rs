//! Names: definitions, references, statements that count once.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::model::{EntryKind, Model, NONE, OVERRIDDEN, ObjectData, REFERENCED};
use crate::schema::{Form, Language, Naming, StatementId};
use crate::source::{SourceId, Sources, Span};
use crate::suggest::nearest;

/// Definitions by kind and name. A tree and not a hash table: nobody can choose names that make
/// it slow.
#[derive(Default)]
struct Names<'a> {
    of: BTreeMap<(StatementId, &'a str), u32>,
    /// Kinds of which a statement lacks its name; references to it cannot be told from wrong ones.
    nameless: BTreeSet<StatementId>,
}

fn head(object: &ObjectData) -> Span {
    Span::new(SourceId(object.source), object.head.0, object.head.1)
}

fn name<'a>(sources: &'a Sources, object: &ObjectData) -> Option<&'a str> {
    let (start, end) = object.name;
    let source = sources.get(SourceId(object.source))?;
    (start < end).then(|| source.slice(start, end))
}

pub(super) fn bind(
    language: &Language,
    sources: &Sources,
    model: &mut Model<'_>,
    out: &mut Diagnostics,
) {
    let names = define(language, sources, model, out);
    resolve(language, sources, model, &names, out);
    if language.cyclic() {
        cycles(language, sources, model, out);
    }
    // Behind an error it would often be only a consequence.
    if !out.has_errors() {
        unreferenced(language, sources, model, out);
    }
}

/// Collects definitions; of several with one name the last is used.
fn define<'a>(
    language: &Language,
    sources: &'a Sources,
    model: &mut Model<'_>,
    out: &mut Diagnostics,
) -> Names<'a> {
    let mut names = Names::default();
    let mut once: BTreeMap<StatementId, u32> = BTreeMap::new();
    for i in 0..model.objects.len() {
        let Some(object) = model.objects.get(i).copied().filter(|o| o.parent == NONE) else {
            continue;
        };
        let Some(statement) = language.statement(object.statement) else {
            continue;
        };
        let index = u32::try_from(i).unwrap_or(NONE);
        let before = if statement.once {
            once.insert(object.statement, index)
        } else if statement.naming == Naming::None {
            None
        } else {
            match name(sources, &object) {
                Some(n) => names.of.insert((object.statement, n), index),
                None => {
                    names.nameless.insert(object.statement);
                    None
                }
            }
        };
        let Some(old) = before.and_then(|b| model.objects.get_mut(b as usize)) else {
            continue;
        };
        old.flags |= OVERRIDDEN;
        let (here, there) = (head(&object), head(old));
        let called = match name(sources, &object).filter(|_| !statement.once) {
            Some(n) => format!("{} {n}", statement.name),
            None => statement.name.into(),
        };
        if old.source != object.source {
            out.push_with(&codes::OVERRIDDEN, || {
                Diagnostic::new(
                    &codes::OVERRIDDEN,
                    here,
                    format!("`{called}` replaces one of an earlier file"),
                )
                .label("this one is used")
                .also(there, "this one is not")
            });
        } else if statement.once {
            out.push_with(&codes::REPEATED_STATEMENT, || {
                Diagnostic::new(
                    &codes::REPEATED_STATEMENT,
                    here,
                    format!("`{called}` counts once and is repeated"),
                )
                .label("this one is used")
                .also(there, "this one has no effect")
                .help("put everything into one of the two")
            });
        } else {
            out.push_with(&codes::DUPLICATE, || {
                Diagnostic::new(
                    &codes::DUPLICATE,
                    here,
                    format!("`{called}` is defined twice"),
                )
                .label("the last one is used: this")
                .also(there, "first defined here, without effect")
                .help("rename or remove one of the two")
            });
        }
    }
    names
}

/// Binds references to definitions.
fn resolve(
    language: &Language,
    sources: &Sources,
    model: &mut Model<'_>,
    names: &Names<'_>,
    out: &mut Diagnostics,
) {
    let mut context = Unresolved {
        language,
        sources,
        names,
        hints: ALL_HINTS,
    };
    for i in 0..model.objects.len() {
        let Some(object) = model.objects.get(i).copied() else {
            continue;
        };
        let Some(statement) = language.statement(object.statement) else {
            continue;
        };
        let Some(source) = sources.get(SourceId(object.source)) else {
            continue;
        };
        let first = object.first_entry as usize;
        for e in first..first + object.entries as usize {
            let Some(entry) = model.entries.get_mut(e) else {
                break;
            };
            if entry.kind != EntryKind::Reference {
                continue;
            }
            let form = statement
                .parameters
                .get(usize::from(entry.parameter))
                .and_then(|p| p.keywords.get(usize::from(entry.keyword)))
                .map(|k| k.form);
            let Some(Form::Reference(wanted)) = form else {
                continue;
            };
            let Some(id) = language.id(wanted) else {
                continue;
            };
            let word = source.slice(entry.start, entry.end);
            if let Some(target) = names.of.get(&(id, word)) {
                entry.a = *target;
                if let Some(target) = model.objects.get_mut(*target as usize) {
                    target.flags |= REFERENCED;
                }
                continue;
            }
            let span = Span::new(SourceId(object.source), entry.start, entry.end);
            let near = unresolved(&mut context, model, (id, word), span, out);
            // What was meant is not called unused as well.
            if let Some(target) = near.and_then(|n| model.objects.get_mut(n as usize)) {
                target.flags |= REFERENCED;
            }
        }
    }
}

/// How many names are looked at for one hint, and for all of them.
const HINTS: usize = 1000;
const ALL_HINTS: usize = 50_000;

/// What is needed to explain a reference that was not found.
struct Unresolved<'a> {
    language: &'a Language,
    sources: &'a Sources,
    names: &'a Names<'a>,
    /// How many names may still be looked at.
    hints: usize,
}

/// Says what is wrong with a reference. Gives the statement that was probably meant.
fn unresolved(
    context: &mut Unresolved<'_>,
    model: &Model<'_>,
    (id, word): (StatementId, &str),
    span: Span,
    out: &mut Diagnostics,
) -> Option<u32> {
    let Unresolved {
        language,
        sources,
        names,
        ref mut hints,
    } = *context;
    if names.nameless.contains(&id) {
        return None;
    }
    let wanted = language.statement(id).map_or("", |s| s.name);
    let count = StatementId::try_from(language.statements().count()).unwrap_or(0);
    let other = (0..count)
        .filter(|k| *k != id)
        .find_map(|k| names.of.get(&(k, word)).map(|o| (k, *o)));
    if let Some((kind, target)) = other {
        out.push_with(&codes::OTHER_KIND, || {
            let is = language.statement(kind).map_or("", |s| s.name);
            let d = Diagnostic::new(
                &codes::OTHER_KIND,
                span,
                format!("`{word}` is not an `{wanted}` but an `{is}`"),
            )
            .label(format!("expected the name of an `{wanted}`"))
            .help(format!(
                "use the keyword for an `{is}`, such as `{is}Ref`, or another name"
            ));
            match model.objects.get(target as usize) {
                Some(target) => d.also(head(target), "defined here"),
                None => d,
            }
        });
        return Some(target);
    }
    if !out.has_room(Severity::Error) {
        out.push_with(&codes::UNRESOLVED, || {
            Diagnostic::new(&codes::UNRESOLVED, span, "")
        });
        return None;
    }
    let candidates = names
        .of
        .range((id, "")..(id.saturating_add(1), ""))
        .take(HINTS.min(*hints))
        .map(|((_, n), o)| (*n, *o))
        .inspect(|_| *hints = hints.saturating_sub(1));
    let mut d = Diagnostic::new(
        &codes::UNRESOLVED,
        span,
        format!("there is no `{wanted}` named `{word}`"),
    )
    .label("not defined in any file");
    let near = nearest(word, candidates);
    if let Some((near, object)) = near {
        d = d.help(format!("did you mean `{near}`?"));
        if let Some(object) = model.objects.get(object as usize) {
            d = d.also(head(object), "a similar name is defined here");
        }
    } else {
        let inline = model
            .objects
            .iter()
            .take(HINTS)
            .find(|o| o.parent != NONE && o.statement == id && name(sources, o) == Some(word));
        d = match inline {
            Some(o) => d
                .also(head(o), "this one is written inside another statement")
                .help("move it out of there to refer to it"),
            None => d.help(format!("define `{wanted} {word}`, or correct the name")),
        };
    }
    out.push(d);
    near.map(|(_, object)| object)
}

/// Reusable statements that nothing refers to. Nothing is said as long as the statement that all
/// of a discipline starts from is not there: the file is then a library of statements.
fn unreferenced(language: &Language, sources: &Sources, model: &Model<'_>, out: &mut Diagnostics) {
    let mut started: Vec<&str> = Vec::new();
    for object in &model.objects {
        let root = language.statement(object.statement).is_some_and(|s| s.once);
        if root
            && let Some(d) = language.discipline(object.statement)
            && !started.contains(&d.name)
        {
            started.push(d.name);
        }
    }
    for object in &model.objects {
        if object.parent != NONE || object.flags & (REFERENCED | OVERRIDDEN) != 0 {
            continue;
        }
        let Some(statement) = language.statement(object.statement).filter(|s| s.reusable) else {
            continue;
        };
        let started = language
            .discipline(object.statement)
            .is_some_and(|d| started.contains(&d.name));
        if !started {
            continue;
        }
        out.push_with(&codes::UNREFERENCED, || {
            let name = name(sources, object).unwrap_or_default();
            Diagnostic::new(
                &codes::UNREFERENCED,
                head(object),
                format!("nothing refers to `{} {name}`", statement.name),
            )
            .label("it has no effect")
        });
    }
}

/// Statements that refer to each other in a circle. The reference that closes the circle is unbound,
/// so that whoever follows references comes to an end.
fn cycles(language: &Language, sources: &Sources, model: &mut Model<'_>, out: &mut Diagnostics) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut states = alloc::vec![State::New; model.objects.len()];
    // Objects on the way, each with the next of its entries.
    let mut way: Vec<(u32, u32)> = Vec::new();
    for first in 0..model.objects.len() {
        if states.get(first) != Some(&State::New) {
            continue;
        }
        way.push((u32::try_from(first).unwrap_or(NONE), 0));
        while let Some((index, next)) = way.last_mut() {
            let index = *index;
            if let Some(state) = states.get_mut(index as usize) {
                *state = State::Open;
            }
            let Some(object) = model.objects.get(index as usize).copied() else {
                way.pop();
                continue;
            };
            if *next >= object.entries {
                if let Some(state) = states.get_mut(index as usize) {
                    *state = State::Done;
                }
                way.pop();
                continue;
            }
            let at = (object.first_entry + *next) as usize;
            *next += 1;
            let Some(entry) = model.entries.get_mut(at) else {
                continue;
            };
            if entry.kind == EntryKind::Atoms || entry.a == NONE {
                continue;
            }
            let target = entry.a;
            match states.get(target as usize) {
                Some(State::New) => way.push((target, 0)),
                Some(State::Open) => {
                    entry.a = NONE;
                    let span = Span::new(SourceId(object.source), entry.start, entry.end);
                    let target = model.objects.get(target as usize).copied();
                    out.push_with(&codes::CYCLE, || {
                        let called = target.map_or_else(String::new, |t| {
                            let kind = language.statement(t.statement).map_or("", |s| s.name);
                            format!("{kind} {}", name(sources, &t).unwrap_or_default())
                        });
                        let d = Diagnostic::new(
                            &codes::CYCLE,
                            span,
                            format!("`{called}` contains itself"),
                        )
                        .label("this leads back to it")
                        .help("remove one of the references of the circle");
                        match target {
                            Some(t) => d.also(head(&t), "it is defined here"),
                            None => d,
                        }
                    });
                }
                Some(State::Done) | None => {}
            }
        }
    }
}
