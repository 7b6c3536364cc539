//! What a file holds, told from its statements, and statements that stand in the wrong one.

use alloc::format;
use alloc::vec::Vec;

use crate::codes;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::model::{Model, NONE};
use crate::schema::{Language, Place};
use crate::source::{FileKind, SourceId, Sources, Span};
use crate::tables;

/// Where a statement belongs: the agent's files, or those of a discipline by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Home {
    Main,
    Image,
    Either,
    /// Any policy file.
    Policy,
    Discipline(&'static str, &'static str),
}

/// The first statement of a home and how many there are.
struct Tally {
    home: Home,
    count: u32,
    first: (u32, u32),
    name: &'static str,
}

fn fits(kind: FileKind, home: Home) -> bool {
    match (kind, home) {
        (FileKind::Unknown | FileKind::MainAndImage, Home::Main | Home::Image | Home::Either)
        | (FileKind::Main, Home::Main | Home::Either)
        | (FileKind::Image, Home::Image | Home::Either) => true,
        (FileKind::Policy(a), Home::Discipline(b, _)) => a == b,
        (FileKind::Policy(_), Home::Policy) => true,
        _ => false,
    }
}

fn called(home: Home) -> &'static str {
    match home {
        Home::Main | Home::Either => "the main file",
        Home::Image => "an image file",
        Home::Policy => "a policy file",
        Home::Discipline(_, file) => file,
    }
}

fn kind_called(kind: FileKind, language: &Language) -> &'static str {
    match kind {
        FileKind::Unknown => "a policy file",
        FileKind::Main | FileKind::MainAndImage => "the main file",
        FileKind::Image => "an image file",
        FileKind::Policy(name) => language
            .disciplines()
            .iter()
            .find(|d| d.name == name)
            .map_or("a policy file", |d| d.file),
    }
}

pub(super) fn kinds(
    language: &Language,
    sources: &Sources,
    model: &Model<'_>,
    out: &mut Diagnostics,
) -> Vec<FileKind> {
    let mut kinds = Vec::new();
    let mut objects = model.objects.iter().peekable();
    for (id, source) in sources.iter() {
        let mut tallies: Vec<Tally> = Vec::new();
        let mut own_image = false;
        // Whose the statements are that any policy file may hold.
        let mut shared_of = None;
        while let Some(object) = objects.next_if(|o| o.source == id.0) {
            if object.parent != NONE {
                continue;
            }
            let Some(statement) = language.statement(object.statement) else {
                continue;
            };
            let home = match (statement.place, language.discipline(object.statement)) {
                (Place::Main, _) => Home::Main,
                (Place::Image, _) => Home::Image,
                (Place::MainOrImage, _) => Home::Either,
                (Place::Policy, Some(_)) if statement.shared => Home::Policy,
                (Place::Policy, Some(d)) => Home::Discipline(d.name, d.file),
                (Place::Inline | Place::Policy, _) => continue,
            };
            if core::ptr::eq(statement, &raw const tables::files::TCP_IMAGE) {
                // Without a file of its own the main file is the image's.
                let atoms = model
                    .entries_of(object)
                    .first()
                    .map_or(0..0, |e| e.a as usize..e.a as usize + e.b as usize);
                let atoms = model.atoms.get(atoms).unwrap_or_default();
                let path = |p: &crate::value::Placed<'_>| matches!(p.atom, crate::Atom::Path(_));
                own_image |= !atoms.iter().any(path);
            }
            if home == Home::Policy {
                shared_of = language.discipline(object.statement).map(|d| d.name);
            }
            match tallies.iter_mut().find(|t| t.home == home) {
                Some(tally) => tally.count += 1,
                None => tallies.push(Tally {
                    home,
                    count: 1,
                    first: object.head,
                    name: statement.name,
                }),
            }
        }
        let kind = match source.kind() {
            FileKind::Unknown => guess(&tallies, own_image, shared_of),
            FileKind::Main if own_image => FileKind::MainAndImage,
            FileKind::Main | FileKind::Image | FileKind::MainAndImage | FileKind::Policy(_) => {
                source.kind()
            }
        };
        for tally in tallies.iter().filter(|t| !fits(kind, t.home)) {
            report(language, id, kind, tally, out);
        }
        kinds.push(kind);
    }
    kinds
}

/// The kind most statements belong to; the first of equals.
fn guess(tallies: &[Tally], own_image: bool, shared_of: Option<&'static str>) -> FileKind {
    let mut best: Option<&Tally> = None;
    for tally in tallies
        .iter()
        .filter(|t| !matches!(t.home, Home::Either | Home::Policy))
    {
        if best.is_none_or(|b| tally.count > b.count) {
            best = Some(tally);
        }
    }
    let main = tallies.iter().any(|t| t.home == Home::Main);
    match best.map(|t| t.home) {
        Some(Home::Discipline(name, _)) => FileKind::Policy(name),
        // Nothing but such: a file of their own discipline.
        Some(Home::Policy) => FileKind::Unknown,
        Some(Home::Main | Home::Either) if own_image => FileKind::MainAndImage,
        Some(Home::Image) if main && own_image => FileKind::MainAndImage,
        Some(Home::Main | Home::Either) => FileKind::Main,
        Some(Home::Image) => FileKind::Image,
        None if tallies.is_empty() => FileKind::Unknown,
        None if tallies.iter().all(|t| t.home == Home::Policy) => {
            shared_of.map_or(FileKind::Unknown, FileKind::Policy)
        }
        None => FileKind::Main,
    }
}

fn report(language: &Language, id: SourceId, kind: FileKind, tally: &Tally, out: &mut Diagnostics) {
    let span = Span::new(id, tally.first.0, tally.first.1);
    let image_in_main = kind == FileKind::Main && tally.home == Home::Image;
    let info = if image_in_main {
        &codes::NO_EFFECT_HERE
    } else {
        &codes::WRONG_FILE
    };
    out.push_with(info, || {
        let (place, file) = (kind_called(kind, language), called(tally.home));
        let d = Diagnostic::new(
            info,
            span,
            format!("`{}` is a statement of {file}; this is {place}", tally.name),
        )
        .label(match tally.count {
            1 => "it would have no effect".into(),
            n => format!("the first of {n} such statements, which would have no effect"),
        });
        match (kind, tally.home) {
            (FileKind::Main | FileKind::MainAndImage | FileKind::Image, Home::Policy) => {
                d.help("move them to the policy file whose statements refer to them")
            }
            (
                FileKind::Main | FileKind::MainAndImage | FileKind::Image,
                Home::Discipline(name, _),
            ) => d.help(format!(
                "move them to a file of their own and name it on the statement for {name} policy \
                     in the image file, such as `IpSecConfig FILE`"
            )),
            (FileKind::Main, Home::Image) => {
                d.help("move it to the image file that `TcpImage` names")
            }
            _ => d.help(format!("move it to {file}")),
        }
    });
}
