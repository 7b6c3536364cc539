//! Disciplines put together, indexed for reading.

use alloc::vec::Vec;

use thiserror::Error;

use super::{Body, Discipline, Form, Parameter, ParameterId, Place, Statement, Value};
use crate::value::{self, Atom};

/// A statement's place in [`Language::statements`].
pub(crate) type StatementId = u16;

/// A keyword's place in the language's list of all keywords in all contexts.
pub(crate) type KeyId = u16;

/// What a keyword means where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// The statement it begins (outside of blocks) or belongs to (inside).
    pub(crate) statement: StatementId,
    /// Parameter and keyword; none for the keyword of a statement outside of blocks.
    pub(crate) parameter: Option<(u8, u8)>,
    /// The canonical spelling.
    pub(crate) name: &'static str,
    /// What follows it.
    pub(crate) form: Form,
}

/// Where a keyword stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    Top,
    Inside(StatementId),
}

/// Why disciplines do not make a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Two statements outside of blocks, or two parameters of a statement, have the same keyword.
    #[error("{0} has two meanings in one place")]
    Ambiguous(&'static str),
    /// A statement is used that is not in any discipline's list.
    #[error("{0} is used inside of a statement and not listed")]
    Unlisted(&'static str),
    /// A default is not a value of its parameter.
    #[error("the default of {0} is not one of its values")]
    Default(&'static str),
    /// There are too many statements, parameters or keywords.
    #[error("{0} makes the language too large")]
    TooLarge(&'static str),
}

#[derive(Clone, Debug)]
struct Entry {
    word: &'static str,
    keys: Vec<KeyId>,
}

/// Disciplines put together: what [`Policy`](crate::Policy), the formatter and completion read by.
#[derive(Clone, Debug)]
pub struct Language {
    disciplines: Vec<&'static Discipline>,
    statements: Vec<(&'static Statement, usize)>,
    keys: Vec<Key>,
    /// Open addressing over keywords in lower case; `u16::MAX` is free.
    table: Vec<u16>,
    words: Vec<Entry>,
    defaults: Vec<Vec<Vec<Atom<'static>>>>,
    cyclic: bool,
}

fn hash(word: &str) -> usize {
    let hash = word.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(b.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3)
    });
    usize::try_from((hash ^ (hash >> 29)) & 0xffff_ffff).unwrap_or(0)
}

impl Language {
    /// All disciplines of this crate.
    ///
    /// # Errors
    /// None as long as the tables of this crate are in order, which a test makes sure of.
    pub fn full() -> Result<Self, SchemaError> {
        Self::new(crate::tables::ALL)
    }

    /// These disciplines.
    ///
    /// # Errors
    /// [`SchemaError`] when the tables contradict each other.
    pub fn new(disciplines: &[&'static Discipline]) -> Result<Self, SchemaError> {
        let mut this = Self {
            disciplines: disciplines.to_vec(),
            statements: Vec::new(),
            keys: Vec::new(),
            table: Vec::new(),
            words: Vec::new(),
            defaults: Vec::new(),
            cyclic: false,
        };
        for (i, discipline) in disciplines.iter().enumerate() {
            for statement in discipline.statements {
                if this.id(statement).is_none() {
                    this.statements.push((statement, i));
                }
            }
        }
        let mut all: Vec<(&'static str, Key)> = Vec::new();
        for (i, (statement, _)) in this.statements.iter().enumerate() {
            let id = StatementId::try_from(i).map_err(|_| SchemaError::TooLarge(statement.name))?;
            if statement.place != Place::Inline {
                let line = statement
                    .parameters
                    .first()
                    .and_then(|p| p.keywords.first());
                let form = match (statement.body, line) {
                    (Body::Line, Some(k)) => k.form,
                    (Body::Block | Body::Line | Body::Kept, _) => Form::Block(statement),
                };
                for word in core::iter::once(&statement.name).chain(statement.also) {
                    let key = Key {
                        statement: id,
                        parameter: None,
                        name: word,
                        form,
                    };
                    all.push((word, key));
                }
            }
            if matches!(statement.body, Body::Line) {
                continue;
            }
            for (p, parameter) in statement.parameters.iter().enumerate() {
                for (k, keyword) in parameter.keywords.iter().enumerate() {
                    let large = |_| SchemaError::TooLarge(statement.name);
                    let parameter = (
                        u8::try_from(p).map_err(large)?,
                        u8::try_from(k).map_err(large)?,
                    );
                    let key = Key {
                        statement: id,
                        parameter: Some(parameter),
                        name: keyword.name,
                        form: keyword.form,
                    };
                    if let Form::Block(s) | Form::LineOrBlock(_, s) | Form::Reference(s) =
                        keyword.form
                        && this.id(s).is_none()
                    {
                        return Err(SchemaError::Unlisted(s.name));
                    }
                    all.push((keyword.name, key));
                }
            }
        }
        this.table = alloc::vec![u16::MAX; (all.len() * 2).next_power_of_two()];
        for (word, key) in all {
            this.insert(word, key)?;
        }
        this.read_defaults()?;
        this.cyclic = this.finds_cycles();
        Ok(this)
    }

    fn insert(&mut self, word: &'static str, key: Key) -> Result<(), SchemaError> {
        let id = KeyId::try_from(self.keys.len()).map_err(|_| SchemaError::TooLarge(word))?;
        if id == KeyId::MAX {
            return Err(SchemaError::TooLarge(word));
        }
        let context = match key.parameter {
            None => Context::Top,
            Some(_) => Context::Inside(key.statement),
        };
        if self.key(word, context).is_some() {
            return Err(SchemaError::Ambiguous(word));
        }
        self.keys.push(key);
        if let Some(entry) = self.word_mut(word) {
            entry.keys.push(id);
            return Ok(());
        }
        let index = u16::try_from(self.words.len()).map_err(|_| SchemaError::TooLarge(word))?;
        self.words.push(Entry {
            word,
            keys: alloc::vec![id],
        });
        let mask = self.table.len() - 1;
        let mut at = hash(word) & mask;
        // The table is at most half full: a free place is found.
        while let Some(slot) = self.table.get_mut(at) {
            if *slot == u16::MAX {
                *slot = index;
                break;
            }
            at = (at + 1) & mask;
        }
        Ok(())
    }

    fn word_index(&self, word: &str) -> Option<usize> {
        let mask = self.table.len().checked_sub(1)?;
        let mut at = hash(word) & mask;
        loop {
            let index = usize::from(*self.table.get(at)?);
            let entry = self.words.get(index)?;
            if entry.word.eq_ignore_ascii_case(word) {
                return Some(index);
            }
            at = (at + 1) & mask;
        }
    }

    fn word_mut(&mut self, word: &str) -> Option<&mut Entry> {
        let index = self.word_index(word)?;
        self.words.get_mut(index)
    }

    fn read_defaults(&mut self) -> Result<(), SchemaError> {
        for (statement, _) in &self.statements {
            let mut list = Vec::new();
            for parameter in statement.parameters {
                let mut atoms = Vec::new();
                if let Some(text) = parameter.default {
                    let value = parameter.keywords.first().and_then(|k| k.form.value());
                    let read = value.and_then(|v| value::read_all(v, text));
                    atoms = read.ok_or(SchemaError::Default(
                        parameter.keywords.first().map_or("?", |k| k.name),
                    ))?;
                }
                list.push(atoms);
            }
            self.defaults.push(list);
        }
        Ok(())
    }

    /// Whether a statement can refer to itself over others.
    fn finds_cycles(&self) -> bool {
        let count = self.statements.len();
        let mut reach: Vec<Vec<bool>> = Vec::with_capacity(count);
        for (statement, _) in &self.statements {
            let mut row = alloc::vec![false; count];
            for keyword in statement.parameters.iter().flat_map(|p| p.keywords) {
                if let Form::Block(s) | Form::LineOrBlock(_, s) | Form::Reference(s) = keyword.form
                    && let Some(cell) = self.id(s).and_then(|i| row.get_mut(usize::from(i)))
                {
                    *cell = true;
                }
            }
            reach.push(row);
        }
        for middle in 0..count {
            let Some(through) = reach.get(middle).cloned() else {
                continue;
            };
            for row in &mut reach {
                if row.get(middle) == Some(&true) {
                    row.iter_mut().zip(&through).for_each(|(a, b)| *a |= b);
                }
            }
        }
        reach
            .iter()
            .enumerate()
            .any(|(i, row)| row.get(i) == Some(&true))
    }

    /// The disciplines.
    #[must_use]
    pub fn disciplines(&self) -> &[&'static Discipline] {
        &self.disciplines
    }

    /// All statements.
    pub fn statements(&self) -> impl Iterator<Item = &'static Statement> {
        self.statements.iter().map(|(s, _)| *s)
    }

    /// What holds when a parameter is not given; empty when there is no default.
    #[must_use]
    pub fn default_of(&self, parameter: ParameterId) -> &[Atom<'static>] {
        self.id(parameter.statement())
            .and_then(|i| self.defaults.get(usize::from(i)))
            .and_then(|d| d.get(usize::from(parameter.index())))
            .map_or(&[], Vec::as_slice)
    }

    /// Whether statements may refer to each other in a circle.
    pub(crate) const fn cyclic(&self) -> bool {
        self.cyclic
    }

    pub(crate) fn id(&self, statement: &'static Statement) -> Option<StatementId> {
        let at = self
            .statements
            .iter()
            .position(|(s, _)| core::ptr::eq(*s, statement))?;
        StatementId::try_from(at).ok()
    }

    pub(crate) fn statement(&self, id: StatementId) -> Option<&'static Statement> {
        self.statements.get(usize::from(id)).map(|(s, _)| *s)
    }

    pub(crate) fn discipline(&self, id: StatementId) -> Option<&'static Discipline> {
        let (_, discipline) = self.statements.get(usize::from(id))?;
        self.disciplines.get(*discipline).copied()
    }

    pub(crate) fn key_info(&self, id: KeyId) -> Option<&Key> {
        self.keys.get(usize::from(id))
    }

    pub(crate) fn parameter(&self, key: &Key) -> Option<&'static Parameter> {
        let (parameter, _) = key.parameter?;
        self.statement(key.statement)?
            .parameters
            .get(usize::from(parameter))
    }

    /// The keyword `word` in a context.
    pub(crate) fn key(&self, word: &str, context: Context) -> Option<KeyId> {
        self.keys_of(word)
            .iter()
            .copied()
            .find(|k| self.is_in(*k, context))
    }

    /// The keyword in all contexts.
    pub(crate) fn keys_of(&self, word: &str) -> &[KeyId] {
        self.word_index(word)
            .and_then(|i| self.words.get(i))
            .map_or(&[], |e| e.keys.as_slice())
    }

    fn is_in(&self, key: KeyId, context: Context) -> bool {
        self.key_info(key).is_some_and(|k| match context {
            Context::Top => k.parameter.is_none(),
            Context::Inside(s) => k.statement == s && k.parameter.is_some(),
        })
    }

    /// All keywords of a context.
    pub(crate) fn keys_in(&self, context: Context) -> impl Iterator<Item = (KeyId, &Key)> {
        (0..).zip(&self.keys).filter(move |(_, k)| match context {
            Context::Top => k.parameter.is_none(),
            Context::Inside(s) => k.statement == s && k.parameter.is_some(),
        })
    }

    /// The values of a key that may stand on its line.
    pub(crate) fn value(&self, key: KeyId) -> Option<&'static Value> {
        self.key_info(key)?.form.value()
    }
}
