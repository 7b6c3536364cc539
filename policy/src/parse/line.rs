//! What a keyword's line says.

use alloc::format;

use crate::codes;
use crate::diagnostic::{Diagnostic, quote};
use crate::model::{BROKEN, EntryKind, NONE, ObjectData};
use crate::schema::{Body, Form, Key, Multiplicity, Naming, Statement, Value};
use crate::value::{self, length};

use super::{Entry, Frame, Parser, Pending};

impl<'a> Parser<'a, '_> {
    /// A keyword was read: takes its values, or waits for a block.
    pub(super) fn keyword(&mut self, pending: Pending) {
        let form = self.language.key_info(pending.key).map(|k| k.form);
        match form {
            Some(Form::Line(value)) => {
                let broken = self.values(&pending, value);
                self.last = Some((pending.start, pending.end, broken || pending.faulty));
            }
            Some(Form::Reference(_)) => {
                self.reference(&pending);
                self.last = Some((pending.start, pending.end, pending.faulty));
            }
            Some(Form::Block(_) | Form::LineOrBlock(..)) | None => self.pending = Some(pending),
        }
    }

    /// Decides about a line that may be followed by a block, now that what follows is known.
    /// `word` is the keyword that follows, if one does, and its column.
    pub(super) fn settle(&mut self, open: bool, word: Option<(&str, u32)>) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        let Some(key) = self.language.key_info(pending.key).copied() else {
            if open {
                self.push(Frame {
                    object: NONE,
                    head: (pending.start, pending.end),
                    column: pending.column,
                    ..Frame::default()
                });
            }
            return;
        };
        match (key.form, open) {
            (Form::LineOrBlock(value, _), false) => {
                self.values(&pending, value);
            }
            (Form::Block(statement) | Form::LineOrBlock(_, statement), true) => {
                self.begin(&pending, statement);
            }
            (Form::Block(statement), false) => self.missing_block(&pending, &key, statement, word),
            (Form::Line(_) | Form::Reference(_), _) => {}
        }
    }

    /// A statement with a block begins.
    pub(super) fn begin(&mut self, pending: &Pending, statement: &'static Statement) {
        let object = self.object(pending, statement);
        if !pending.top && !pending.faulty {
            let end = pending.end;
            self.add(
                pending.key,
                EntryKind::Inline,
                (pending.start, pending.start, end),
                object,
                0,
            );
        }
        let mut frame = self.spare.pop().unwrap_or_default();
        frame.statement = match statement.body {
            Body::Kept => None,
            Body::Block | Body::Line => self.language.id(statement),
        };
        frame.object = object;
        frame.head = (pending.start, pending.end);
        frame.column = pending.column;
        frame.last.resize(statement.parameters.len(), NONE);
        self.push(frame);
    }

    /// A new object with the name that its line gives.
    pub(super) fn object(&mut self, pending: &Pending, statement: &'static Statement) -> u32 {
        let mut words = self.words(pending);
        let mut name = (0, 0);
        let mut broken = pending.faulty;
        let line = matches!(statement.body, Body::Line | Body::Kept);
        match (statement.naming, if line { None } else { words.next() }) {
            (Naming::None, Some((_, at))) if !line => {
                let span = self.span(at, pending.words.1).trimmed(self.text);
                self.out.push_with(&codes::NAME_NOT_TAKEN, || {
                    Diagnostic::new(
                        &codes::NAME_NOT_TAKEN,
                        span,
                        format!("`{}` takes no name", statement.name),
                    )
                    .label("ignored")
                    .help("remove it; there is one such statement in a configuration")
                });
            }
            (Naming::None, _) => {}
            (Naming::Required | Naming::OptionalInline, Some((word, at))) => {
                name = (at, at + length(word));
                if let Err(kind) = value::name(word) {
                    broken = true;
                    self.bad_name(kind, word, name);
                }
                self.ignored(&mut words, None, &Value::Name);
            }
            (Naming::OptionalInline, None) if !pending.top => {}
            (Naming::Required | Naming::OptionalInline, None) => {
                broken = true;
                let span = self.span(pending.start, pending.end);
                self.out.push_with(&codes::MISSING_NAME, || {
                    Diagnostic::new(
                        &codes::MISSING_NAME,
                        span,
                        format!("`{}` has no name", statement.name),
                    )
                    .label("a name is expected behind it")
                    .help(format!(
                        "write `{} NAME`; others refer to it by the name",
                        statement.name
                    ))
                });
            }
        }
        let parent = self.stack.last().map_or(NONE, |f| f.object);
        let index = u32::try_from(self.model.objects.len()).unwrap_or(NONE);
        self.model.objects.push(ObjectData {
            source: self.source.0,
            statement: self.language.id(statement).unwrap_or(u16::MAX),
            flags: if broken { BROKEN } else { 0 },
            // A misplaced statement is read as if it stood where it belongs.
            parent: if pending.top || pending.misplaced {
                NONE
            } else {
                parent
            },
            head: (pending.start, name.1.max(pending.end)),
            name,
            first_entry: 0,
            entries: 0,
        });
        index
    }

    /// Values on the line of a keyword. Tells whether there was an error.
    fn values(&mut self, pending: &Pending, value: &'static Value) -> bool {
        let mut words = self.words(pending);
        let given = words.peek().is_some_and(|(w, _)| !w.starts_with('#'));
        // Where only a file can be meant, a word that is none is no text to be ignored.
        let value = if let Value::Optional(path @ Value::Path) = value
            && given
        {
            path
        } else {
            value
        };
        let first = self.model.atoms.len();
        let mut skipped = None;
        let read = value::read(value, &mut words, &mut self.model.atoms, &mut skipped);
        let broken = match read {
            Ok(()) => self.ignored(&mut words, skipped, value),
            Err(mistake) => {
                self.mistake(pending, &mistake);
                true
            }
        };
        if broken {
            self.model.atoms.truncate(first);
        }
        let atoms = self.model.atoms.get(first..).unwrap_or_default();
        let start = atoms.first().map_or(pending.end, |a| a.start);
        let end = atoms.last().map_or(pending.end, |a| a.end);
        let (a, b) = (
            u32::try_from(first).unwrap_or(NONE),
            u32::try_from(atoms.len()).unwrap_or(0),
        );
        let place = (pending.start, start, end);
        if pending.top {
            self.line_object(pending, place, a, b, broken);
            return broken;
        }
        if broken {
            self.blame();
        }
        if !pending.faulty {
            // An entry without values keeps a faulty parameter from being called missing too.
            self.add(pending.key, EntryKind::Atoms, place, a, b);
        }
        broken
    }

    /// A statement outside of blocks with its values on the line.
    fn line_object(
        &mut self,
        pending: &Pending,
        (at, start, end): (u32, u32, u32),
        a: u32,
        b: u32,
        broken: bool,
    ) {
        let Some(statement) = self
            .language
            .key_info(pending.key)
            .and_then(|k| self.language.statement(k.statement))
        else {
            return;
        };
        let object = self.object(pending, statement);
        let entry = Entry {
            kind: EntryKind::Atoms,
            parameter: 0,
            keyword: 0,
            at,
            start,
            end,
            a,
            b,
        };
        let first_entry = u32::try_from(self.model.entries.len()).unwrap_or(NONE);
        self.model.entries.push(entry);
        if let Some(data) = self.model.objects.get_mut(object as usize) {
            data.first_entry = first_entry;
            data.entries = 1;
            if broken {
                data.flags |= BROKEN;
            }
        }
    }

    /// The name of a statement that stands elsewhere.
    fn reference(&mut self, pending: &Pending) {
        let mut words = self.words(pending);
        let Some((word, at)) = words.next() else {
            self.mistake(
                pending,
                &value::Mistake {
                    kind: value::MistakeKind::Missing,
                    start: pending.end,
                    end: pending.end,
                    expected: &Value::Name,
                },
            );
            return self.blame();
        };
        let end = at + length(word);
        if let Err(kind) = value::name(word) {
            self.bad_name(kind, word, (at, end));
            return self.blame();
        }
        self.ignored(&mut words, None, &Value::Name);
        if !pending.faulty {
            self.add(
                pending.key,
                EntryKind::Reference,
                (pending.start, at, end),
                NONE,
                0,
            );
        }
    }

    /// The innermost block has an error.
    pub(super) fn blame(&mut self) {
        if let Some(frame) = self.stack.last_mut() {
            frame.broken = true;
        }
    }

    /// What is said when a parameter is given again.
    pub(super) fn check_repetition(&mut self, key: &Key, entry: &Entry) {
        let Some(parameter) = self.language.parameter(key) else {
            return;
        };
        if !matches!(
            parameter.multiplicity,
            Multiplicity::Required | Multiplicity::Optional
        ) {
            return;
        }
        let before = self.stack.last().and_then(|f| {
            let last = *f.last.get(usize::from(entry.parameter))?;
            f.entries.get(last as usize).copied()
        });
        let Some(before) = before else {
            return;
        };
        let here = self.span(entry.at, entry.end.max(entry.start));
        let there = self.span(before.at, before.end.max(before.start));
        if before.keyword == entry.keyword {
            self.out.push_with(&codes::REPEATED, || {
                Diagnostic::new(
                    &codes::REPEATED,
                    here,
                    format!("`{}` is given twice", key.name),
                )
                .label("this one is used")
                .also(there, "this one has no effect")
                .help("remove one of the two")
            });
        } else {
            let other = parameter.keywords.get(usize::from(before.keyword));
            let other = other.map_or("", |k| k.name);
            self.out.push_with(&codes::EXCLUSIVE, || {
                Diagnostic::new(
                    &codes::EXCLUSIVE,
                    here,
                    format!("`{}` and `{other}` exclude each other", key.name),
                )
                .label("only one of the two may be given")
                .also(there, "the other one")
                .help("remove one of the two")
            });
            self.blame();
        }
    }

    /// Text behind the values. Tells whether it was an error.
    fn ignored(
        &mut self,
        words: &mut value::Cursor<'a>,
        skipped: value::Skipped,
        value: &'static Value,
    ) -> bool {
        let Some((word, at)) = words.peek().filter(|(w, _)| !w.starts_with('#')) else {
            return false;
        };
        if let Some(optional) = skipped {
            // Ignoring it would widen what was meant to be narrowed.
            let span = self.span(at, at + length(word));
            self.out.push_with(&codes::UNKNOWN_CHOICE, || {
                let d = Diagnostic::new(
                    &codes::UNKNOWN_CHOICE,
                    span,
                    format!("unknown keyword {}", quote(word)),
                )
                .label(format!("expected {} or nothing", optional.expected()));
                match super::report::nearest_choice(optional, word) {
                    Some(choice) => d.help(format!("did you mean `{choice}`?")),
                    None => d,
                }
            });
            return true;
        }
        let keyword = word.trim_end_matches(['{', '}', '#', ':', '=']);
        let is_keyword = !self.language.keys_of(keyword).is_empty();
        if is_keyword || value.selects() {
            let (rest, at) = words.rest();
            let span = self.span(at, at + length(rest));
            self.out.push_with(&codes::TEXT_UNREAD, || {
                let d = Diagnostic::new(
                    &codes::TEXT_UNREAD,
                    span,
                    format!("text behind the value: {}", quote(rest)),
                );
                if is_keyword {
                    d.label("one parameter stands on a line")
                        .help(format!("begin a new line with {}", quote(keyword)))
                } else {
                    d.label("would be ignored, and what is selected be another than was meant")
                        .help(format!(
                            "expected {} and nothing behind it",
                            value.expected()
                        ))
                }
            });
            return true;
        }
        let (rest, at) = words.rest();
        let span = self.span(at, at + length(rest));
        self.out.push_with(&codes::TEXT_IGNORED, || {
            let d = Diagnostic::new(
                &codes::TEXT_IGNORED,
                span,
                format!("text behind the value: {}", quote(rest)),
            )
            .label("ignored");
            if let Value::Number { unit, .. } = value
                && !unit.is_empty()
            {
                d.help(format!("the number is one of {unit}; write it alone"))
            } else {
                d.help("remove it, or begin a comment with `#`")
            }
        });
        false
    }
}
