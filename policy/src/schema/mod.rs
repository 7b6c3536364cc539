//! The language as data: statements, parameters, what may stand where.

mod language;
mod macros;
mod value;

use crate::diagnostic::CodeInfo;

pub(crate) use language::{Context, Key, KeyId, StatementId};
pub use language::{Language, SchemaError};
pub(crate) use value::Shape;
pub use value::{Choice, Choices, Family, Value};

/// The statements of one discipline.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tables write it out")]
pub struct Discipline {
    /// A short name such as `ipsec`; also that of the kind of file, see
    /// [`FileKind::Policy`](crate::FileKind::Policy).
    pub name: &'static str,
    /// The title of its reference page.
    pub title: &'static str,
    /// What its files are called in messages, such as "an IPSec policy file".
    pub file: &'static str,
    /// What its reference page begins with.
    pub text: &'static str,
    /// All its statements, those that are only written inside others included, in the order of
    /// the reference page.
    pub statements: &'static [&'static Statement],
    /// Codes of messages that its compilation gives beside those of this crate.
    pub codes: &'static [CodeInfo],
}

/// Where a statement may stand outside of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Nowhere: only inside another statement.
    Inline,
    /// In the agent's main file.
    Main,
    /// In the file of an image.
    Image,
    /// In a main or image file.
    MainOrImage,
    /// In a file of its discipline.
    Policy,
}

/// Whether a statement has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Naming {
    /// Always.
    Required,
    /// Inside another statement it may have none; a name is then made up.
    OptionalInline,
    /// Never.
    None,
}

/// What follows a statement's name.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Body {
    /// A block of parameters.
    Block,
    /// Values on the line; they are kept as the parameter with index 0.
    Line,
    /// Anything, with or without a block; it is kept and not read.
    Kept,
}

/// A statement of the language. Two statements are the same when they are the same static.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Statement {
    /// The keyword.
    pub name: &'static str,
    /// Other spellings.
    pub also: &'static [&'static str],
    /// What it is for.
    pub meaning: &'static str,
    /// Whether it has a name.
    pub naming: Naming,
    /// Where it may stand outside of blocks.
    pub place: Place,
    /// What follows the name.
    pub body: Body,
    /// Only the last one of a file set counts.
    pub once: bool,
    /// Others refer to it; one that nobody refers to has no effect.
    pub reusable: bool,
    /// Files of every discipline may hold it, not only those of its own.
    pub shared: bool,
    /// The parameters in the order of the reference page.
    pub parameters: &'static [Parameter],
    /// The release of z/OS that brought it, if known.
    pub since: Option<&'static str>,
    /// Whether spelling and range were read in the manual.
    pub confirmed: bool,
    /// More for its reference page.
    pub text: &'static str,
}

impl Statement {
    /// A statement with a block, named (optionally when inline), of a discipline's file.
    #[must_use]
    pub const fn new(
        name: &'static str,
        meaning: &'static str,
        parameters: &'static [Parameter],
    ) -> Self {
        Self {
            name,
            also: &[],
            meaning,
            naming: Naming::OptionalInline,
            place: Place::Policy,
            body: Body::Block,
            once: false,
            reusable: true,
            shared: false,
            parameters,
            since: None,
            confirmed: true,
            text: "",
        }
    }

    /// It never has a name, counts once and has its effect without being referred to.
    #[must_use]
    pub const fn root(mut self) -> Self {
        self.naming = Naming::None;
        self.once = true;
        self.reusable = false;
        self
    }

    /// Its values stand on the line of the keyword; its first parameter describes them.
    #[must_use]
    pub const fn line(mut self) -> Self {
        self.body = Body::Line;
        self.naming = Naming::None;
        self.reusable = false;
        self
    }

    /// It is known and kept; what it says is not read.
    #[must_use]
    pub const fn kept(mut self) -> Self {
        self.body = Body::Kept;
        self.naming = Naming::None;
        self.reusable = false;
        self
    }

    /// It has its effect without being referred to.
    #[must_use]
    pub const fn effective(mut self) -> Self {
        self.reusable = false;
        self
    }

    /// Files of every discipline may hold it.
    #[must_use]
    pub const fn shared(mut self) -> Self {
        self.shared = true;
        self
    }

    /// Only the last one counts.
    #[must_use]
    pub const fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// With another rule for its name.
    #[must_use]
    pub const fn naming(mut self, naming: Naming) -> Self {
        self.naming = naming;
        self
    }

    /// At another place.
    #[must_use]
    pub const fn place(mut self, place: Place) -> Self {
        self.place = place;
        self
    }

    /// With other spellings of its keyword.
    #[must_use]
    pub const fn also(mut self, also: &'static [&'static str]) -> Self {
        self.also = also;
        self
    }

    /// With more text for its reference page.
    #[must_use]
    pub const fn text(mut self, text: &'static str) -> Self {
        self.text = text;
        self
    }

    /// Spelling or ranges are not confirmed.
    #[must_use]
    pub const fn unconfirmed(mut self) -> Self {
        self.confirmed = false;
        self
    }

    /// The release that brought it.
    #[must_use]
    pub const fn since(mut self, release: &'static str) -> Self {
        self.since = Some(release);
        self
    }
}

/// How often a parameter may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Multiplicity {
    /// Exactly once; of two the last counts.
    Required,
    /// At most once; of two the last counts.
    Optional,
    /// Any number; the order is kept.
    List,
    /// At least once; the order is kept.
    ListNotEmpty,
}

/// One thing that a statement can be told, under one or several keywords: the service of a rule
/// is a parameter with the keywords `IpService`, `IpServiceRef` and `IpServiceGroupRef`.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Parameter {
    /// How it may be written.
    pub keywords: &'static [Keyword],
    /// How often it may be given, counted over all its keywords.
    pub multiplicity: Multiplicity,
    /// What holds when it is not given, written as it would be behind its first keyword.
    pub default: Option<&'static str>,
    /// What holds when it is not given and cannot be written as a value, for the reference page.
    pub absent: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// The release of z/OS that brought it, if known.
    pub since: Option<&'static str>,
    /// Whether spelling, range and default were read in the manual.
    pub confirmed: bool,
}

impl Parameter {
    /// A parameter that may be given once.
    #[must_use]
    pub const fn new(keywords: &'static [Keyword], meaning: &'static str) -> Self {
        Self {
            keywords,
            multiplicity: Multiplicity::Optional,
            default: None,
            absent: "",
            meaning,
            since: None,
            confirmed: true,
        }
    }

    /// It must be given.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.multiplicity = Multiplicity::Required;
        self
    }

    /// It may be repeated.
    #[must_use]
    pub const fn list(mut self) -> Self {
        self.multiplicity = Multiplicity::List;
        self
    }

    /// It may be repeated and must be given.
    #[must_use]
    pub const fn list_not_empty(mut self) -> Self {
        self.multiplicity = Multiplicity::ListNotEmpty;
        self
    }

    /// What holds when it is not given.
    #[must_use]
    pub const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    /// What holds when it is not given, in words.
    #[must_use]
    pub const fn absent(mut self, text: &'static str) -> Self {
        self.absent = text;
        self
    }

    /// Spelling, range or default are not confirmed.
    #[must_use]
    pub const fn unconfirmed(mut self) -> Self {
        self.confirmed = false;
        self
    }

    /// The release that brought it.
    #[must_use]
    pub const fn since(mut self, release: &'static str) -> Self {
        self.since = Some(release);
        self
    }
}

/// One way to write a parameter.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "tables write it out")]
pub struct Keyword {
    /// The spelling of the documentation.
    pub name: &'static str,
    /// What follows.
    pub form: Form,
}

impl Keyword {
    /// A keyword with values on its line.
    #[must_use]
    pub const fn line(name: &'static str, value: &'static Value) -> Self {
        Self {
            name,
            form: Form::Line(value),
        }
    }

    /// A keyword with a statement written out behind it.
    #[must_use]
    pub const fn block(name: &'static str, statement: &'static Statement) -> Self {
        Self {
            name,
            form: Form::Block(statement),
        }
    }

    /// A keyword with values on its line or a statement written out.
    #[must_use]
    pub const fn either(
        name: &'static str,
        value: &'static Value,
        statement: &'static Statement,
    ) -> Self {
        Self {
            name,
            form: Form::LineOrBlock(value, statement),
        }
    }

    /// A keyword with the name of a statement.
    #[must_use]
    pub const fn reference(name: &'static str, statement: &'static Statement) -> Self {
        Self {
            name,
            form: Form::Reference(statement),
        }
    }
}

/// What follows a keyword.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Form {
    /// Values on the line.
    Line(&'static Value),
    /// A statement written out: an optional name, then a block.
    Block(&'static Statement),
    /// Either.
    LineOrBlock(&'static Value, &'static Statement),
    /// The name of a statement that stands elsewhere.
    Reference(&'static Statement),
}

impl Form {
    /// The values that may stand on the line.
    #[must_use]
    pub const fn value(&self) -> Option<&'static Value> {
        match *self {
            Self::Line(v) | Self::LineOrBlock(v, _) => Some(v),
            Self::Block(_) | Self::Reference(_) => None,
        }
    }

    /// The statement that may be written out behind it.
    #[must_use]
    pub const fn statement(&self) -> Option<&'static Statement> {
        match *self {
            Self::Block(s) | Self::LineOrBlock(_, s) => Some(s),
            Self::Line(_) | Self::Reference(_) => None,
        }
    }
}

/// A parameter of a statement, for looking up its value: the constants that
/// [`statements!`](crate::statements) makes.
#[derive(Clone, Copy, Debug)]
pub struct ParameterId {
    statement: &'static Statement,
    index: u8,
}

impl ParameterId {
    /// The parameter with an index in a statement's table.
    #[must_use]
    pub const fn new(statement: &'static Statement, index: u8) -> Self {
        Self { statement, index }
    }

    /// The statement.
    #[must_use]
    pub const fn statement(self) -> &'static Statement {
        self.statement
    }

    /// The place in [`Statement::parameters`].
    #[must_use]
    pub const fn index(self) -> u8 {
        self.index
    }

    /// The parameter; none if the index is not one of the statement's.
    #[must_use]
    pub fn parameter(self) -> Option<&'static Parameter> {
        self.statement.parameters.get(usize::from(self.index))
    }
}
