//! What was configured, for those who compile it: statements, references followed, typed values,
//! defaults applied, places kept.

use alloc::borrow::Cow;
use alloc::format;
use alloc::vec::Vec;
use core::fmt;

use crate::check;
use crate::diagnostic::Diagnostics;
use crate::model::{BROKEN, EntryKind, Model, NONE, OVERRIDDEN, ObjectData};
use crate::schema::{Choices, Keyword, Language, ParameterId, Statement};
use crate::source::{FileKind, SourceId, Sources, Span};
use crate::tree::Tree;
use crate::value::{Atom, Placed};

/// All texts read, references bound. Messages about them are in the [`Diagnostics`]; when these
/// hold an error, the policy must not be installed.
#[derive(Clone, Debug)]
pub struct Policy<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) language: &'a Language,
    pub(crate) model: Model<'a>,
    pub(crate) trees: Vec<Tree>,
    pub(crate) kinds: Vec<FileKind>,
    /// Objects outside of blocks that are in force, by statement, in order.
    pub(crate) roots: Vec<Vec<u32>>,
    /// Reading found an error.
    pub(crate) has_errors: bool,
}

impl<'a> Policy<'a> {
    /// Reads all texts and checks syntax, references and types: linear in the texts but for the
    /// look-up of names, which is logarithmic in their number.
    #[must_use]
    pub fn read(language: &'a Language, sources: &'a Sources, out: &mut Diagnostics) -> Self {
        check::read(language, sources, out)
    }

    /// Whether reading found an error: then nothing of it may be installed, whatever becomes of
    /// the messages.
    #[must_use]
    pub const fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// The texts.
    #[must_use]
    pub const fn sources(&self) -> &'a Sources {
        self.sources
    }

    /// The language they were read by.
    #[must_use]
    pub const fn language(&self) -> &'a Language {
        self.language
    }

    /// The text as a list of items.
    #[must_use]
    pub fn tree(&self, source: SourceId) -> Option<&Tree> {
        self.trees.get(source.0 as usize)
    }

    /// What a file turned out to hold.
    #[must_use]
    pub fn kind(&self, source: SourceId) -> FileKind {
        self.kinds
            .get(source.0 as usize)
            .copied()
            .unwrap_or_default()
    }

    /// The statements of a kind outside of blocks that are in force, in order: without those that
    /// another one of the same name replaced, and only the last of a kind that counts once.
    pub fn statements(&self, kind: &'static Statement) -> impl Iterator<Item = Object<'_>> {
        let list = self
            .language
            .id(kind)
            .and_then(|i| self.roots.get(usize::from(i)));
        list.into_iter().flatten().map(|i| Object {
            policy: self,
            index: *i,
        })
    }

    /// The last statement of a kind: for kinds that count once.
    #[must_use]
    pub fn statement(&self, kind: &'static Statement) -> Option<Object<'_>> {
        let id = self.language.id(kind)?;
        let index = *self.roots.get(usize::from(id))?.last()?;
        Some(Object {
            policy: self,
            index,
        })
    }

    /// All statements as written, inline and replaced ones included.
    pub fn objects(&self) -> impl Iterator<Item = Object<'_>> {
        let count = u32::try_from(self.model.objects.len()).unwrap_or(NONE);
        (0..count).map(|index| Object {
            policy: self,
            index,
        })
    }
}

/// A statement as written. Two are equal when they are the same piece of text.
#[derive(Clone, Copy)]
pub struct Object<'p> {
    policy: &'p Policy<'p>,
    index: u32,
}

impl PartialEq for Object<'_> {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.policy, other.policy) && self.index == other.index
    }
}

impl Eq for Object<'_> {}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind().map_or("", |k| k.name);
        write!(f, "{kind} {}", self.name())
    }
}

impl<'p> Object<'p> {
    fn data(&self) -> Option<&'p ObjectData> {
        self.policy.model.objects.get(self.index as usize)
    }

    /// A number that is its own in this policy, ascending in the order of the texts; usable as
    /// the key of what a compilation makes of it.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// The policy.
    #[must_use]
    pub const fn policy(&self) -> &'p Policy<'p> {
        self.policy
    }

    /// What statement it is.
    #[must_use]
    pub fn kind(&self) -> Option<&'static Statement> {
        self.policy.language.statement(self.data()?.statement)
    }

    /// Whether it is this statement.
    #[must_use]
    pub fn is(&self, kind: &'static Statement) -> bool {
        self.kind().is_some_and(|k| core::ptr::eq(k, kind))
    }

    /// The name it was given.
    #[must_use]
    pub fn given_name(&self) -> Option<&'p str> {
        let data = self.data()?;
        let (start, end) = data.name;
        let source = self.policy.sources.get(SourceId(data.source))?;
        (start < end).then(|| source.slice(start, end))
    }

    /// Its name, or for an inline statement without one a system name that is its own in this
    /// policy and changes with the text.
    #[must_use]
    pub fn name(&self) -> Cow<'p, str> {
        match self.given_name() {
            Some(name) => Cow::Borrowed(name),
            None => {
                let kind = self.kind().map_or("", |k| k.name);
                Cow::Owned(format!("{kind}~{}", self.index))
            }
        }
    }

    /// Where keyword and name stand.
    #[must_use]
    pub fn span(&self) -> Span {
        self.data().map_or(Span::new(SourceId(0), 0, 0), |d| {
            Span::new(SourceId(d.source), d.head.0, d.head.1)
        })
    }

    /// Where the name stands; the keyword if it has none.
    #[must_use]
    pub fn name_span(&self) -> Span {
        self.data().map_or(self.span(), |d| {
            let (start, end) = if d.name.0 < d.name.1 { d.name } else { d.head };
            Span::new(SourceId(d.source), start, end)
        })
    }

    /// The statement it is written inside of.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let parent = self.data()?.parent;
        (parent != NONE).then_some(Self {
            policy: self.policy,
            index: parent,
        })
    }

    /// Whether there were errors inside.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.data().is_some_and(|d| d.flags & BROKEN != 0)
    }

    /// Whether another one takes its place.
    #[must_use]
    pub fn is_overridden(&self) -> bool {
        self.data().is_some_and(|d| d.flags & OVERRIDDEN != 0)
    }

    /// What it was told about a parameter, in order, under any of its keywords; without default.
    pub fn all(&self, parameter: ParameterId) -> impl Iterator<Item = Setting<'p>> + use<'p> {
        let (object, policy) = (*self, self.policy);
        let data = self.data().filter(|_| object.is(parameter.statement()));
        let entries = data.map_or(&[][..], |d| policy.model.entries_of(d));
        entries
            .iter()
            .filter(move |e| e.parameter == parameter.index())
            .map(move |e| Setting {
                object,
                parameter,
                keyword: e.keyword,
                at: e.at,
                start: e.start,
                end: e.end,
                what: match e.kind {
                    EntryKind::Atoms => What::Atoms(
                        policy
                            .model
                            .atoms
                            .get(e.a as usize..e.a as usize + e.b as usize)
                            .unwrap_or_default(),
                    ),
                    EntryKind::Inline | EntryKind::Reference => What::Object(e.a),
                },
            })
    }

    /// What holds for a parameter: the last that was said, or else the default; none when nothing
    /// was said and there is no default.
    #[must_use]
    pub fn one(&self, parameter: ParameterId) -> Option<Setting<'p>> {
        self.all(parameter).last().or_else(|| {
            let atoms = self.policy.language.default_of(parameter);
            let span = self.span();
            (self.is(parameter.statement()) && !atoms.is_empty()).then_some(Setting {
                object: *self,
                parameter,
                keyword: 0,
                at: span.start,
                start: span.start,
                end: span.end,
                what: What::Default(atoms),
            })
        })
    }

    /// The value of a statement that has it on its line.
    #[must_use]
    pub fn line(&self) -> Option<Setting<'p>> {
        self.one(ParameterId::new(self.kind()?, 0))
    }

    /// The keyword of a parameter as an enum, default applied.
    #[must_use]
    pub fn choice<T: Choices>(&self, parameter: ParameterId) -> Option<T> {
        self.one(parameter)?.choice()
    }

    /// The number of a parameter, default applied.
    #[must_use]
    pub fn number(&self, parameter: ParameterId) -> Option<u32> {
        self.one(parameter)?.atom()?.number()
    }

    /// The statements that a parameter refers to or has written inline, in order.
    pub fn objects(&self, parameter: ParameterId) -> impl Iterator<Item = Self> + use<'p> {
        self.all(parameter).filter_map(|s| s.object())
    }
}

#[derive(Clone, Copy, Debug)]
enum What<'p> {
    Atoms(&'p [Placed<'p>]),
    Default(&'p [Atom<'static>]),
    Object(u32),
}

/// Something that a statement was told, or a default.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'p> {
    object: Object<'p>,
    parameter: ParameterId,
    keyword: u8,
    at: u32,
    start: u32,
    end: u32,
    what: What<'p>,
}

impl<'p> Setting<'p> {
    /// The statement that was told.
    #[must_use]
    pub const fn of(&self) -> Object<'p> {
        self.object
    }

    /// The parameter.
    #[must_use]
    pub const fn parameter(&self) -> ParameterId {
        self.parameter
    }

    /// The keyword under which it was said.
    #[must_use]
    pub fn keyword(&self) -> Option<&'static Keyword> {
        let parameter = self.parameter.parameter()?;
        parameter.keywords.get(usize::from(self.keyword))
    }

    /// Whether nothing was said and this is what holds then.
    #[must_use]
    pub const fn is_default(&self) -> bool {
        matches!(self.what, What::Default(_))
    }

    /// Where the value stands; for a default, where the statement begins.
    #[must_use]
    pub fn span(&self) -> Span {
        Span::new(self.object.span().source, self.start, self.end)
    }

    /// Where keyword and value stand; for a default, where the statement begins.
    #[must_use]
    pub fn line_span(&self) -> Span {
        Span::new(self.object.span().source, self.at, self.end)
    }

    /// The pieces of the value; none for a statement.
    pub fn atoms(&self) -> impl Iterator<Item = Atom<'p>> + use<'p> {
        let (placed, plain) = match self.what {
            What::Atoms(placed) => (placed, &[][..]),
            What::Default(plain) => (&[][..], plain),
            What::Object(_) => (&[][..], &[][..]),
        };
        let plain: core::iter::Copied<core::slice::Iter<'p, Atom<'p>>> = plain.iter().copied();
        placed.iter().map(|p| p.atom).chain(plain)
    }

    /// The pieces with their places.
    pub fn placed(&self) -> impl Iterator<Item = (Atom<'p>, Span)> + use<'p> {
        let here = self.span();
        let places = match self.what {
            What::Atoms(placed) => placed,
            What::Default(_) | What::Object(_) => &[],
        };
        let places = places
            .iter()
            .map(move |p| Span::new(here.source, p.start, p.end));
        self.atoms().zip(places.chain(core::iter::repeat(here)))
    }

    /// The first piece.
    #[must_use]
    pub fn atom(&self) -> Option<Atom<'p>> {
        self.atoms().next()
    }

    /// The first piece as an enum; none when it is not one of its keywords.
    #[must_use]
    pub fn choice<T: Choices>(&self) -> Option<T> {
        self.atom()?.choice()
    }

    /// The piece behind the first as an enum: the qualifier of a keyword.
    #[must_use]
    pub fn qualifier<T: Choices>(&self) -> Option<T> {
        self.atoms().nth(1)?.choice()
    }

    /// The statement that is referred to or written inline; none for values, and for a reference
    /// that was not found.
    #[must_use]
    pub fn object(&self) -> Option<Object<'p>> {
        match self.what {
            What::Object(index) if index != NONE => Some(Object {
                policy: self.object.policy,
                index,
            }),
            What::Object(_) | What::Atoms(_) | What::Default(_) => None,
        }
    }
}
