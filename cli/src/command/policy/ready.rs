//! From the names of files to rule sets.

use hostward::crypto::{Provider, backend};
use hostward::filter::{LocalTime, RuleSet};
use hostward_hook::time::UnixTime;
use hostward_policy::filter::{FilterPolicy, Options, compile};
use hostward_policy::ike;
use hostward_policy::load::{self, Disk, FileError, Files as _, LoadError, load};
use hostward_policy::profile::Profile;
use hostward_policy::tables;
use hostward_policy::zert::{self, ZertPolicy};
use hostward_policy::{Diagnostics, FileKind, Language, Policy, SchemaError, SourceId, Sources};

/// Which files make the policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'w> {
    pub(crate) files: &'w [String],
    pub(crate) profile: Option<&'w str>,
    pub(crate) stack: Option<&'w str>,
}

/// Why there is nothing to say about a policy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotReady {
    /// A file cannot be read.
    #[error("{0}")]
    File(#[from] LoadError),
    /// The profile cannot be read.
    #[error("{file}: {error}")]
    Profile {
        /// The file.
        file: String,
        /// What is wrong with it.
        error: FileError,
    },
    /// The tables contradict each other.
    #[error("{0}")]
    Tables(#[from] SchemaError),
}

/// A policy that was read: what was told about it, and its rules when nothing is wrong.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) sources: Sources,
    pub(crate) diagnostics: Diagnostics,
    /// The stack, when the files name one.
    pub(crate) stack: Option<String>,
    /// How many files hold policies of IP security. With none, there is no such policy.
    pub(crate) policy_files: usize,
    /// The rules; none with an error, or without policy.
    pub(crate) policy: Option<FilterPolicy>,
    /// Key exchange and dynamic tunnels; none with an error, or without policy.
    pub(crate) ike: Option<hostward::ike::policy::Policy>,
    /// The zERT rules; none with an error, or without a file of them.
    pub(crate) zert: Option<ZertPolicy>,
    /// The default rules and their file; none with an error, or without profile.
    pub(crate) defaults: Option<(RuleSet, SourceId)>,
}

impl Ready {
    /// Reads and compiles. With a time, conditions that are over are found.
    pub(crate) fn new(
        wanted: Wanted<'_>,
        now: Option<(UnixTime, &dyn LocalTime)>,
    ) -> Result<Self, NotReady> {
        let language = Language::full()?;
        let mut disk = Disk::default();
        let mut diagnostics = Diagnostics::default();
        let files: Vec<&str> = wanted.files.iter().map(String::as_str).collect();
        let options = match wanted.stack {
            Some(stack) => load::Options::default().stack(stack),
            None => load::Options::default(),
        };
        let loaded = load(&language, &mut disk, &files, &options, &mut diagnostics)?;
        let read = Policy::read(&language, &loaded.sources, &mut diagnostics);
        let mut options = Options::default();
        if let Some((at, local)) = now {
            options = options.now(at, local);
        }
        let zert_kind = FileKind::Policy(tables::zert::DISCIPLINE.name);
        let of_zert = |(id, _): &(SourceId, _)| read.kind(*id) == zert_kind;
        let zert_files = loaded.sources.iter().filter(of_zert).count();
        // A file of which nobody can tell what it is, is taken for one of IP security.
        let mut ike = None;
        let policy = if loaded.policy_files > zert_files {
            // The same diagnostics: a tunnel that cannot be negotiated is no tunnel.
            let crypto = Provider::of([backend::RUST_CRYPTO]);
            ike = ike::compile(&read, &crypto, &mut diagnostics);
            compile(&read, &options, &mut diagnostics)
        } else {
            None
        };
        let zert = if zert_files > 0 {
            zert::compile(&read, 1, &mut diagnostics)
        } else {
            None
        };
        drop(read);
        let mut sources = loaded.sources;
        let mut defaults = None;
        if let Some(file) = wanted.profile {
            let wrong = |error| NotReady::Profile {
                file: file.to_owned(),
                error,
            };
            let bytes = disk.read(file).map_err(wrong)?;
            let id = sources
                .add(file, bytes)
                .map_err(|e| wrong(FileError::from(e)))?;
            let profile = Profile::read(&sources, id, &mut diagnostics);
            defaults = profile.map(|p| (p.rule_set(0), id));
        }
        diagnostics.sort();
        Ok(Self {
            policy: policy.filter(|_| !diagnostics.has_errors()),
            ike: ike.filter(|_| !diagnostics.has_errors()),
            zert: zert.filter(|_| !diagnostics.has_errors()),
            sources,
            diagnostics,
            stack: loaded.stack,
            policy_files: loaded.policy_files - zert_files.min(loaded.policy_files),
            defaults,
        })
    }

    /// The name of the profile.
    pub(crate) fn profile_name(&self) -> Option<&str> {
        let (_, id) = self.defaults.as_ref()?;
        self.sources.get(*id).map(|s| s.name())
    }

    /// The file and line of a zERT rule.
    pub(crate) fn zert_place(&self, rule: usize) -> Option<(&str, u32)> {
        let span = *self.zert.as_ref()?.places.get(rule)?;
        let place = self.sources.location(span);
        Some((place.file, place.line))
    }

    /// The file and line of a rule.
    pub(crate) fn place(&self, rule: usize) -> Option<(&str, u32)> {
        let span = *self.policy.as_ref()?.places.get(rule)?;
        let place = self.sources.location(span);
        Some((place.file, place.line))
    }
}
