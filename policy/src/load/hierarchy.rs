//! Which file leads to which.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::files::{FileError, Files, is_data_set, plain, relative_to};
use super::{INTERVAL, LoadError, Loaded, Options, Stack};
use crate::codes;
use crate::diagnostic::{CodeInfo, Diagnostic, Diagnostics, quote};
use crate::policy::{Object, Policy};
use crate::schema::{Choices, Language, Place, Statement};
use crate::source::{FileKind, SourceId, Sources, Span};
use crate::suggest::nearest;
use crate::tables::files::{
    COMMON_IDS_CONFIG, COMMON_IP_SEC_CONFIG, COMMON_ROUTING_CONFIG, COMMON_TTLS_CONFIG,
    COMMON_ZERT_CONFIG, Flush, IDS_CONFIG, IP_SEC_CONFIG, Purge, QOS_CONFIG, ROUTING_CONFIG,
    TCP_IMAGE, TTLS_CONFIG, ZERT_CONFIG,
};
use crate::tables::{self, ids, ipsec, zert};
use crate::value::Atom;

/// A kind of policy: the statements that name its files.
struct Kind {
    common: Option<&'static Statement>,
    own: &'static Statement,
    /// The discipline, when its files are read.
    discipline: Option<&'static str>,
}

static KINDS: [Kind; 6] = [
    Kind {
        common: Some(&COMMON_IP_SEC_CONFIG),
        own: &IP_SEC_CONFIG,
        discipline: Some(IPSEC),
    },
    Kind {
        common: Some(&COMMON_IDS_CONFIG),
        own: &IDS_CONFIG,
        discipline: Some(IDS),
    },
    Kind {
        common: Some(&COMMON_TTLS_CONFIG),
        own: &TTLS_CONFIG,
        discipline: None,
    },
    Kind {
        common: Some(&COMMON_ROUTING_CONFIG),
        own: &ROUTING_CONFIG,
        discipline: None,
    },
    Kind {
        common: Some(&COMMON_ZERT_CONFIG),
        own: &ZERT_CONFIG,
        discipline: Some(ZERT),
    },
    Kind {
        common: None,
        own: &QOS_CONFIG,
        discipline: None,
    },
];

const IPSEC: &str = ipsec::DISCIPLINE.name;
const ZERT: &str = zert::DISCIPLINE.name;
const IDS: &str = ids::DISCIPLINE.name;

/// A statement that names a file, or says that the common one is wanted.
#[derive(Clone, Debug)]
struct Mention {
    at: Span,
    path: Option<(String, Span)>,
}

/// What a main or image file says about other files.
#[derive(Debug, Default)]
struct Agent {
    stacks: Vec<Stack>,
    /// Where each stack names its file.
    image_places: Vec<Option<Span>>,
    common: [Option<Mention>; KINDS.len()],
    own: [Option<Mention>; KINDS.len()],
}

/// For what a file was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Main,
    Image,
    Policy,
}

impl Role {
    const fn named(self) -> &'static str {
        match self {
            Self::Main => "the main file",
            Self::Image => "an image file",
            Self::Policy => "a policy file",
        }
    }
}

pub(super) fn load(
    language: &Language,
    files: &mut dyn Files,
    start: &[&str],
    options: &Options<'_>,
    out: &mut Diagnostics,
) -> Result<Loaded, LoadError> {
    let mut loader = Loader {
        language,
        files,
        options,
        out,
        known: BTreeMap::new(),
        has_main: false,
        loaded: Loaded::default(),
    };
    for file in start {
        loader.start(file)?;
    }
    Ok(loader.loaded)
}

struct Loader<'l> {
    language: &'l Language,
    files: &'l mut dyn Files,
    options: &'l Options<'l>,
    out: &'l mut Diagnostics,
    /// What was read, by name.
    known: BTreeMap<String, Role>,
    has_main: bool,
    loaded: Loaded,
}

impl Loader<'_> {
    /// A file that nobody named but the caller.
    fn start(&mut self, file: &str) -> Result<(), LoadError> {
        let wrong = |error| LoadError::new(file, error);
        let name = String::from(plain(file));
        if self.known.contains_key(&name) {
            return Ok(());
        }
        if is_data_set(file) {
            return Err(wrong(FileError::DataSet));
        }
        let bytes = self.files.read(&name).map_err(wrong)?;
        let id = self.next();
        // Policy files are the long ones: they are not read twice.
        let (kind, agent) = if bytes.split(|b| *b == b'\n').any(is_agents) {
            self.look(&bytes, id).map_err(wrong)?
        } else {
            (FileKind::Unknown, Agent::default())
        };
        let add =
            |loader: &mut Self, role, kind| loader.add(&name, bytes, role, kind).map_err(wrong);
        match kind {
            FileKind::Main | FileKind::MainAndImage => {
                if self.has_main {
                    add(self, Role::Main, FileKind::Main)?;
                    self.second_main(id);
                    return Ok(());
                }
                self.has_main = true;
                let chosen = self.choose(&name, &agent, id);
                // Without a file of its own, the main file is that of the stack.
                let own_image = chosen.as_ref().is_none_or(|c| c.image.is_none());
                let kind = if own_image {
                    FileKind::MainAndImage
                } else {
                    FileKind::Main
                };
                add(self, Role::Main, kind)?;
                match chosen {
                    Some(stack) => self.stack(id, &agent, stack),
                    None if self.options.stack.is_none() => self.policies(id, &agent, &agent),
                    None => {}
                }
            }
            FileKind::Image => {
                add(self, Role::Image, kind)?;
                self.policies(id, &Agent::default(), &agent);
            }
            FileKind::Unknown | FileKind::Policy(_) => {
                add(self, Role::Policy, FileKind::Unknown)?;
            }
        }
        Ok(())
    }

    /// The number that the next text gets.
    fn next(&self) -> SourceId {
        SourceId(u32::try_from(self.loaded.sources.iter().count()).unwrap_or(u32::MAX))
    }

    fn add(
        &mut self,
        name: &str,
        bytes: Vec<u8>,
        role: Role,
        kind: FileKind,
    ) -> Result<(), FileError> {
        self.loaded.sources.add_kind(name, bytes, kind)?;
        self.known.insert(name.into(), role);
        self.loaded.policy_files += usize::from(role == Role::Policy);
        Ok(())
    }

    /// What a file is and what other files it names. What is wrong in it is told when all files
    /// are read together.
    fn look(&self, bytes: &[u8], id: SourceId) -> Result<(FileKind, Agent), FileError> {
        let mut sources = Sources::new();
        let only = sources.add("", bytes)?;
        let policy = Policy::read(self.language, &sources, &mut Diagnostics::new(0));
        let mut kind = policy.kind(only);
        // Whatever else is in it: these statements make a main file.
        let is_main = |o: Object<'_>| {
            let statement = o.parent().is_none().then(|| o.kind()).flatten();
            statement.is_some_and(|s| s.place == Place::Main)
        };
        if kind == FileKind::Image && policy.objects().any(is_main) {
            kind = FileKind::Main;
        }
        let mut agent = Agent::default();
        if !matches!(kind, FileKind::Policy(_)) {
            for (i, kind) in KINDS.iter().enumerate() {
                let common = kind.common.and_then(|k| policy.statement(k));
                if let (Some(slot), Some(object)) = (agent.common.get_mut(i), common) {
                    *slot = Some(mention(object, id));
                }
                let own = policy.statement(kind.own);
                if let (Some(slot), Some(object)) = (agent.own.get_mut(i), own) {
                    *slot = Some(mention(object, id));
                }
            }
            for object in policy.statements(&TCP_IMAGE) {
                if let Some((stack, place)) = stack(object, id) {
                    agent.stacks.push(stack);
                    agent.image_places.push(place);
                }
            }
        }
        Ok((kind, agent))
    }

    fn tell(&mut self, info: &CodeInfo, make: impl FnOnce() -> Diagnostic) {
        self.out.push_with(info, make);
    }

    fn second_main(&mut self, id: SourceId) {
        self.tell(&codes::FILE_ROLE, || {
            Diagnostic::new(
                &codes::FILE_ROLE,
                Span::new(id, 0, 0),
                "this is a second main file",
            )
            .label("what it names is not read")
            .help("give one main file; policy files may stand beside it")
        });
    }

    /// Gathers the stacks of a main file and chooses one; none when there are none, or none of the
    /// wanted name.
    fn choose(&mut self, name: &str, agent: &Agent, id: SourceId) -> Option<Stack> {
        let mut known: BTreeMap<&str, usize> = BTreeMap::new();
        for stack in &agent.stacks {
            let place = *known.entry(&stack.name).or_insert(self.loaded.stacks.len());
            let mut stack = stack.clone();
            stack.image = stack.image.map(|i| relative_to(name, &i));
            if stack.image.as_deref() == Some(name) {
                stack.image = None;
            }
            let stacks = &mut self.loaded.stacks;
            let Some(before) = stacks.get_mut(place) else {
                stacks.push(stack);
                continue;
            };
            let (here, there) = (stack.place, before.place);
            let message = format!("stack {} is described twice", quote(&stack.name));
            *before = stack;
            self.out.push_with(&codes::DUPLICATE, || {
                Diagnostic::new(&codes::DUPLICATE, here, message)
                    .label("the last one is used: this")
                    .also(there, "first described here, without effect")
                    .help("remove one of the two")
            });
        }
        let stacks = &self.loaded.stacks;
        let Some(wanted) = self.options.stack else {
            let first = stacks.first()?.clone();
            if let [_, others @ ..] = &**stacks
                && !others.is_empty()
            {
                let names: Vec<&str> = others.iter().map(|s| &*s.name).take(NAMES).collect();
                let more = if others.len() > NAMES { ", …" } else { "" };
                let names = format!("{}{more}", names.join(", "));
                self.out.push_with(&codes::STACK_TAKEN, || {
                    Diagnostic::new(
                        &codes::STACK_TAKEN,
                        first.place,
                        format!("the policy is that of stack {}", quote(&first.name)),
                    )
                    .label("the first of several stacks")
                    .help(format!("the others are {names}"))
                });
            }
            return Some(first);
        };
        let found = stacks
            .iter()
            .find(|s| s.name == wanted)
            .or_else(|| stacks.iter().find(|s| s.name.eq_ignore_ascii_case(wanted)));
        if let Some(found) = found {
            return Some(found.clone());
        }
        let place = stacks.first().map_or(Span::new(id, 0, 0), |s| s.place);
        let near = nearest(wanted, stacks.iter().map(|s| (&*s.name, ())));
        let names: Vec<&str> = stacks.iter().map(|s| &*s.name).take(NAMES).collect();
        let diagnostic = Diagnostic::new(
            &codes::NO_SUCH_STACK,
            place,
            format!("there is no stack named {}", quote(wanted)),
        );
        let diagnostic = match (near, names.is_empty()) {
            (_, true) => diagnostic
                .label("this file has no `TcpImage`: its policies are the default stack's")
                .help("ask for no stack, or add a `TcpImage`"),
            (Some((name, ())), _) => diagnostic
                .label("the first of the stacks there are")
                .help(format!("did you mean `{name}`?")),
            (None, _) => diagnostic
                .label("the first of the stacks there are")
                .help(format!("there are {}", names.join(", "))),
        };
        self.out.push(diagnostic);
        None
    }

    /// The stack that was chosen among those of the main file.
    fn stack(&mut self, main_id: SourceId, main: &Agent, stack: Stack) {
        self.loaded.stack = Some(stack.name);
        let Some(image) = stack.image else {
            self.policies(main_id, main, main);
            return;
        };
        let at = main.stacks.iter().position(|s| s.place == stack.place);
        let place = at.and_then(|i| main.image_places.get(i).copied().flatten());
        let place = place.unwrap_or(stack.place);
        let Some((bytes, id)) = self.named(&image, place, Role::Image) else {
            return;
        };
        let own = self.look(&bytes, id).and_then(|(kind, own)| {
            self.add(&image, bytes, Role::Image, FileKind::Image)?;
            Ok((kind, own))
        });
        match own {
            // A policy where the file of a stack should be: reading tells so.
            Ok((FileKind::Policy(_), _)) => {}
            Ok((_, own)) => self.policies(id, main, &own),
            Err(error) => self.unreadable(&image, place, Role::Image, &error),
        }
    }

    /// Reads a file that another one names; nothing when it was read for the same before.
    fn named(&mut self, path: &str, place: Span, role: Role) -> Option<(Vec<u8>, SourceId)> {
        if is_data_set(path) {
            self.tell(&codes::DATA_SET, || {
                Diagnostic::new(&codes::DATA_SET, place, "MVS data sets cannot be read here")
                    .label("expected the path of a file")
                    .help("copy the data set into a file and name that")
            });
            return None;
        }
        if let Some(before) = self.known.get(path).copied() {
            if before != role {
                self.tell(&codes::FILE_ROLE, || {
                    Diagnostic::new(
                        &codes::FILE_ROLE,
                        place,
                        format!("{} is {} already", quote(path), before.named()),
                    )
                    .label(format!("named as {} here", role.named()))
                    .help("put policies into files of their own")
                });
            }
            return None;
        }
        match self.files.read_named(path) {
            Ok(bytes) => Some((bytes, self.next())),
            Err(error) => {
                self.unreadable(path, place, role, &error);
                None
            }
        }
    }

    fn unreadable(&mut self, path: &str, place: Span, role: Role, error: &FileError) {
        let named = match role {
            Role::Policy => "the policy file",
            Role::Main | Role::Image => "the image file",
        };
        self.tell(&codes::FILE_UNREADABLE, || {
            Diagnostic::new(
                &codes::FILE_UNREADABLE,
                place,
                format!("{named} {} cannot be read", quote(path)),
            )
            .label(format!("{error}"))
            .help("correct the name; a relative one starts at the folder of this file")
        });
    }

    /// The policy files of a stack: `main` may name common ones, `image` must say which kinds of
    /// policy there are.
    fn policies(&mut self, image_id: SourceId, main: &Agent, image: &Agent) {
        for ((kind, common), own) in KINDS.iter().zip(&main.common).zip(&image.own) {
            match (own, kind.discipline) {
                (Some(own), Some(discipline)) => {
                    self.policy(common.as_ref(), discipline);
                    self.policy(Some(own), discipline);
                }
                (Some(own), None) => self.not_read(kind, common.as_ref(), own),
                (None, Some(_)) => self.none(kind, image_id, common.as_ref()),
                (None, None) => {}
            }
        }
    }

    fn policy(&mut self, mention: Option<&Mention>, discipline: &'static str) {
        let Some((at, (path, place))) = mention.and_then(|m| Some((m.at, m.path.as_ref()?))) else {
            return;
        };
        let from = self.loaded.sources.get(at.source);
        let path = relative_to(from.map_or("", |s| s.name()), path);
        if let Some((bytes, _)) = self.named(&path, *place, Role::Policy)
            && let Err(error) = self.add(&path, bytes, Role::Policy, FileKind::Policy(discipline))
        {
            self.unreadable(&path, *place, Role::Policy, &error);
        }
    }

    /// A kind of policy that is known and nothing more.
    fn not_read(&mut self, kind: &Kind, common: Option<&Mention>, own: &Mention) {
        self.tell(&codes::NOT_READ, || {
            let d = Diagnostic::new(
                &codes::NOT_READ,
                own.at,
                format!("what `{}` names is not read yet", kind.own.name),
            )
            .label("known, and without effect so far");
            match common {
                Some(common) => d.also(common.at, "nor is this"),
                None => d,
            }
        });
    }

    /// The stack has no policy of a kind.
    fn none(&mut self, kind: &Kind, image_id: SourceId, common: Option<&Mention>) {
        let name = kind.own.name;
        if let Some(common) = common
            && self.loaded.stacks.len() < 2
        {
            self.tell(&codes::COMMON_UNUSED, || {
                Diagnostic::new(
                    &codes::COMMON_UNUSED,
                    common.at,
                    format!("this file is not used: the stack has no `{name}`"),
                )
                .label("has no effect by itself")
                .help(format!(
                    "add `{name}` to the image file, without a path when this file is all there is"
                ))
            });
            return;
        }
        // Only IP security has default rules: without zERT policy nothing is enforced, as on most
        // systems, and without IDS policy nothing is told.
        if kind.discipline != Some(IPSEC) {
            return;
        }
        let stack = self.loaded.stack.as_deref();
        let stack = stack.map_or_else(|| "the stack".into(), |s| format!("stack {}", quote(s)));
        self.tell(&codes::NO_POLICY, || {
            let d = Diagnostic::new(
                &codes::NO_POLICY,
                Span::new(image_id, 0, 0),
                format!("{stack} has no `{name}` and so no policy of that kind"),
            )
            .label(format!("no `{name}` in this file"))
            .help("its default rules stay in force");
            match common {
                Some(common) => d.also(common.at, "not used by this stack"),
                None => d,
            }
        });
    }
}

/// Whether a line may begin with a statement of the agent's own files.
fn is_agents(line: &[u8]) -> bool {
    let blank = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'{' | b'}');
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let mut words = line.split(blank).filter(|w| !w.is_empty());
    let Some(word) = words.next() else {
        return false;
    };
    tables::files::DISCIPLINE.statements.iter().any(|s| {
        let mut names = core::iter::once(&s.name).chain(s.also);
        names.any(|n| n.as_bytes().eq_ignore_ascii_case(word))
    })
}

/// How many names of stacks a message lists.
const NAMES: usize = 8;

fn mention(object: Object<'_>, id: SourceId) -> Mention {
    let here = |span: Span| Span { source: id, ..span };
    let path = object.line().and_then(|line| {
        line.placed().find_map(|(atom, span)| {
            let Atom::Path(path) = atom else {
                return None;
            };
            Some((String::from(path), here(span)))
        })
    });
    Mention {
        at: here(object.span()),
        path,
    }
}

/// A stack, its file as written, and where the file is named.
fn stack(object: Object<'_>, id: SourceId) -> Option<(Stack, Option<Span>)> {
    let here = |span: Span| Span { source: id, ..span };
    let mut name = None;
    let mut image = None;
    let mut image_place = None;
    let (mut flush, mut purge) = (None, None);
    let mut interval = INTERVAL;
    for (atom, span) in object.line()?.placed() {
        if let Atom::Name(text) = atom {
            name = Some(String::from(text));
        } else if let Atom::Path(path) = atom {
            image = Some(String::from(path));
            image_place = Some(here(span));
        } else if let Atom::Keyword(choice) = atom {
            flush = flush.or(pick::<Flush>(choice));
            purge = purge.or(pick::<Purge>(choice));
        } else if let Atom::Number(n) = atom {
            interval = n;
        }
    }
    let stack = Stack {
        name: name?,
        image,
        flush,
        purge,
        interval,
        place: here(object.span()),
    };
    Some((stack, image_place))
}

/// The variant that a keyword stands for, when it is one of this enum.
fn pick<T: Choices>(choice: &crate::schema::Choice) -> Option<T> {
    let own = T::CHOICES
        .iter()
        .any(|c| c.name == choice.name && c.code == choice.code);
    if own { T::from_code(choice.code) } else { None }
}
