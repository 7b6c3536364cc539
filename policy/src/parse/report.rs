//! Messages about keywords and values.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::codes;
use crate::diagnostic::{Diagnostic, quote};
use crate::schema::{Context, Form, KeyId, Parameter, Place, Statement, Value};
use crate::suggest::nearest;
use crate::value::{self, Mistake, MistakeKind};

use super::{Frame, Parser, Pending};

/// The keyword of a value that a word was probably meant to be.
pub(super) fn nearest_choice(value: &'static Value, word: &str) -> Option<&'static str> {
    let mut choices = Vec::new();
    value::choices(value, &mut choices);
    let names = choices
        .iter()
        .flat_map(|c| core::iter::once(&c.name).chain(c.also))
        .filter(|n| n.starts_with(|c: char| c.is_ascii_alphabetic()));
    nearest(word, names.map(|n| (*n, *n))).map(|(_, n)| n)
}

impl Parser<'_, '_> {
    /// A word that may not stand here. Gives what it is read as instead, if that can be guessed.
    pub(super) fn unknown(&mut self, word: &str, at: u32, context: Context) -> Option<KeyId> {
        let span = self.span(at, at + value::length(word));
        let here = match context {
            Context::Top => None,
            Context::Inside(s) => self.language.statement(s),
        };
        let elsewhere = self.language.keys_of(word);
        if let Some(first) = elsewhere.first().copied() {
            let language = self.language;
            self.out.push_with(&codes::MISPLACED_KEYWORD, || {
                let name = language.key_info(first).map_or("", |k| k.name);
                let message = match here {
                    Some(s) => format!("`{name}` does not belong into `{}`", s.name),
                    None => format!("`{name}` does not stand on its own"),
                };
                let mut places: Vec<&str> = Vec::new();
                let mut top = false;
                for key in elsewhere.iter().filter_map(|k| language.key_info(*k)) {
                    let owner = language.statement(key.statement).map_or("", |s| s.name);
                    if key.parameter.is_none() {
                        top = true;
                    } else if !places.contains(&owner) {
                        places.push(owner);
                    }
                }
                let mut help = String::new();
                for (i, place) in places.iter().take(4).enumerate() {
                    help.push_str(if i == 0 { "it belongs into " } else { " or " });
                    help.push_str(&format!("`{place}`"));
                }
                if top {
                    help.push_str(if help.is_empty() {
                        "it stands"
                    } else {
                        ", or stands"
                    });
                    help.push_str(" outside of blocks");
                }
                Diagnostic::new(&codes::MISPLACED_KEYWORD, span, message)
                    .label(match here {
                        Some(_) => "not a parameter here",
                        None => "not a statement",
                    })
                    .help(help)
            });
            // Outside of blocks it is read as what it is, so that references to it resolve.
            return self
                .language
                .key(word, Context::Top)
                .or(Some(first))
                .filter(|k| {
                    let form = self.language.key_info(*k).map(|k| k.form);
                    matches!(form, Some(Form::Block(_) | Form::LineOrBlock(..)))
                });
        }
        let near = if self.guesses > 0 {
            self.guesses -= 1;
            let candidates = self.language.keys_in(context).map(|(id, k)| (k.name, id));
            nearest(word, candidates)
        } else {
            None
        };
        self.out.push_with(&codes::UNKNOWN_KEYWORD, || {
            let (message, label) = match here {
                Some(s) => (
                    format!("`{}` has no parameter {}", s.name, quote(word)),
                    "unknown parameter",
                ),
                None => (
                    format!("there is no statement {}", quote(word)),
                    "unknown statement",
                ),
            };
            Diagnostic::new(&codes::UNKNOWN_KEYWORD, span, message)
                .label(label)
                .help(match (near, here) {
                    (Some((name, _)), _) => format!("did you mean `{name}`?"),
                    (None, Some(s)) => format!("`{}` takes {}", s.name, names(s)),
                    (None, None) => {
                        "each line begins with the name of a statement or parameter".into()
                    }
                })
        });
        near.map(|(_, id)| id)
    }

    /// A value that is not what its parameter takes.
    pub(super) fn mistake(&mut self, pending: &Pending, mistake: &Mistake) {
        let info = match mistake.kind {
            MistakeKind::Missing => &codes::MISSING_VALUE,
            MistakeKind::Bad
            | MistakeKind::MaskLength { .. }
            | MistakeKind::NoSuchTime
            | MistakeKind::Unit => &codes::BAD_VALUE,
            MistakeKind::UnknownChoice => &codes::UNKNOWN_CHOICE,
            MistakeKind::OutOfRange { .. } => &codes::OUT_OF_RANGE,
            MistakeKind::Inverted => &codes::INVERTED_RANGE,
            MistakeKind::Delimiter => &codes::RANGE_DELIMITER,
            MistakeKind::Family | MistakeKind::MixedFamilies => &codes::WRONG_FAMILY,
            MistakeKind::PrefixLength { .. } => &codes::PREFIX_LENGTH,
            MistakeKind::Mapped => &codes::MAPPED_ADDRESS,
            MistakeKind::NameTooLong => &codes::NAME_TOO_LONG,
            MistakeKind::BadName => &codes::BAD_NAME,
        };
        let (start, end) = if mistake.start < mistake.end {
            (mistake.start, mistake.end)
        } else {
            (pending.start, pending.end)
        };
        let span = self.span(start, end);
        let word = self.slice(start, end);
        let keyword = self.slice(pending.start, pending.end);
        let keyword = self
            .language
            .key_info(pending.key)
            .map_or(keyword, |k| k.name);
        self.out
            .push_with(info, || describe(info, span, mistake, word, keyword));
    }

    pub(super) fn bad_name(&mut self, kind: MistakeKind, word: &str, place: (u32, u32)) {
        let span = self.span(place.0, place.1);
        let long = kind == MistakeKind::NameTooLong;
        let info = if long {
            &codes::NAME_TOO_LONG
        } else {
            &codes::BAD_NAME
        };
        self.out.push_with(info, || {
            if long {
                let count = word.chars().count();
                Diagnostic::new(info, span, format!("the name has {count} characters"))
                    .label("at most 32 are allowed")
                    .help(format!(
                        "shorten it to {} and change the references to it",
                        quote(&word.chars().take(32).collect::<String>())
                    ))
            } else {
                Diagnostic::new(info, span, format!("{} is not a name", quote(word)))
                    .label("a name must not begin with `-` or contain `,`")
                    .help("commands use both to select by name; choose another name")
            }
        });
    }

    pub(super) fn missing_parameter(
        &mut self,
        frame: &Frame,
        statement: &'static Statement,
        parameter: &'static Parameter,
    ) {
        let end = self
            .model
            .objects
            .get(frame.object as usize)
            .map_or(frame.head.1, |o| o.head.1);
        let span = self.span(frame.head.0, end);
        self.out.push_with(&codes::MISSING_PARAMETER, || {
            let name = parameter.keywords.first().map_or("", |k| k.name);
            let mut all = String::new();
            for (i, keyword) in parameter.keywords.iter().enumerate() {
                let last = i + 1 == parameter.keywords.len();
                all.push_str(match (i, last) {
                    (0, _) => "add ",
                    (_, true) => " or ",
                    (_, false) => ", ",
                });
                all.push('`');
                all.push_str(keyword.name);
                match keyword.form {
                    Form::Line(v) => {
                        all.push(' ');
                        all.push_str(&v.syntax());
                    }
                    Form::Reference(_) => all.push_str(" NAME"),
                    Form::Block(_) | Form::LineOrBlock(..) => {}
                }
                all.push('`');
            }
            let article = if statement.place == Place::Inline {
                "this"
            } else {
                "the statement"
            };
            Diagnostic::new(
                &codes::MISSING_PARAMETER,
                span,
                format!("`{}` lacks `{name}`", statement.name),
            )
            .label(format!("{article} needs it"))
            .help(all)
        });
    }
}

/// The parameters of a statement, the first ones when they are many.
fn names(statement: &Statement) -> String {
    let mut out = String::new();
    let keywords = statement.parameters.iter().flat_map(|p| p.keywords);
    for (i, keyword) in keywords.enumerate() {
        if i == 12 {
            out.push_str(", …");
            break;
        }
        out.push_str(if i > 0 { ", `" } else { "`" });
        out.push_str(keyword.name);
        out.push('`');
    }
    out
}

fn describe(
    info: &crate::diagnostic::CodeInfo,
    span: crate::source::Span,
    mistake: &Mistake,
    word: &str,
    keyword: &str,
) -> Diagnostic {
    let expected = mistake.expected.expected();
    let word = quote(word);
    let with = |message: String, label: String| Diagnostic::new(info, span, message).label(label);
    let expects = format!("expected {expected}");
    match mistake.kind {
        MistakeKind::Missing => with(format!("`{keyword}` has no value"), expects).help(format!(
            "write the value behind `{keyword}` on the same line"
        )),
        MistakeKind::Bad => with(format!("{word} is not a value of `{keyword}`"), expects),
        MistakeKind::UnknownChoice => {
            let d = with(format!("{word} is not a value of `{keyword}`"), expects);
            let bare = word.trim_matches('`');
            match nearest_choice(mistake.expected, bare) {
                Some(choice) => d.help(format!("did you mean `{choice}`?")),
                None if mistake.expected.fits("192.0.2.1") => {
                    d.help("write the address itself: names are not looked up")
                }
                None => d,
            }
        }
        MistakeKind::OutOfRange { min, max } => with(
            format!("{word} is out of range for `{keyword}`"),
            format!("expected a number from {min} to {max}"),
        ),
        MistakeKind::Inverted => with(
            format!("the range {word} ends before it begins"),
            String::from("the lower end comes first"),
        )
        .help("swap the two ends"),
        MistakeKind::Delimiter => with(
            format!("the two ends of the range at {word} are not separated as they should be"),
            expects,
        )
        .help(if matches!(mistake.expected, Value::Addresses(_)) {
            "write the two addresses with `-` between them, without blanks"
        } else if matches!(mistake.expected, Value::Instants) {
            "write the two times with `:` between them, without blanks"
        } else {
            "write `n m`, `n:m` or `n-m`, with one delimiter only"
        }),
        MistakeKind::Family => with(
            format!("{word} is an address of the other IP version"),
            expects,
        ),
        MistakeKind::MixedFamilies => with(
            format!("the ends of {word} are of different IP versions"),
            String::from("both must be IPv4 or both IPv6"),
        )
        .help("write a statement for each version"),
        MistakeKind::PrefixLength { max } => with(
            format!("the prefix {word} is longer than the address"),
            format!("the length is at most {max}"),
        ),
        MistakeKind::Mapped => with(
            format!("{word} stands for an IPv4 address"),
            String::from("not taken here"),
        )
        .help("write the IPv4 address itself"),
        MistakeKind::MaskLength { length } => with(
            format!("the mask of `{keyword}` has {length} digits"),
            expects,
        ),
        MistakeKind::NoSuchTime => with(
            format!("{word} is a date or time that does not exist"),
            expects,
        ),
        MistakeKind::Unit => {
            let d = with(format!("{word} is not a number"), expects);
            if let Value::Number { unit, .. } = mistake.expected
                && !unit.is_empty()
            {
                d.help(format!(
                    "`{keyword}` is counted in {unit}: write the number alone"
                ))
            } else {
                d.help("write the number alone")
            }
        }
        MistakeKind::NameTooLong => with(
            format!("{word} is too long for a name"),
            String::from("at most 32 characters are allowed"),
        ),
        MistakeKind::BadName => with(
            format!("{word} is not a name"),
            String::from("a name must not begin with `-` or contain `,`"),
        ),
    }
}
