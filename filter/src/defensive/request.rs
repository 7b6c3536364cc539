//! What can be asked of the manager, and what it answers (`ipsec -F`, `MODIFY` of the daemon).

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use hostward_hook::time::UnixTime;

use super::{
    DefensiveFilter, DefensiveMode, EXCLUSIONS_MAX, EntryId, LIFETIME_MAX, LOG_LIMIT_MAX, StackMode,
};
use crate::address::AddressSpec;
use crate::service::ServiceError;

/// What one stack is configured to (`DmStackConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DefenseConfig {
    /// What filters may do.
    pub mode: StackMode,
    /// The longest lifetime in minutes, 1 to [`LIFETIME_MAX`].
    pub max_lifetime: u32,
    /// The log limit of filters that have none, 0 for no limit.
    pub default_log_limit: u32,
    /// Packets from and to these are never discarded; at most [`EXCLUSIONS_MAX`].
    pub exclude: Vec<AddressSpec>,
    /// The most filters at once; adding one more is refused. The bound on memory and, without
    /// compiled tables, on work for each packet. What a restart brings back, and filters for all
    /// stacks, are put in force beyond it ([`Defense::overfull`](super::Defense::overfull)):
    /// protection never goes away for want of room.
    pub max_filters: usize,
}

impl Default for DefenseConfig {
    /// Active, a day at most, no log limit, nothing excluded, 4,096 filters.
    fn default() -> Self {
        Self {
            mode: StackMode::Active,
            max_lifetime: 1_440,
            default_log_limit: 0,
            exclude: Vec::new(),
            max_filters: 4_096,
        }
    }
}

impl DefenseConfig {
    /// Whether it is within the limits.
    ///
    /// # Errors
    /// The limit that it is beyond.
    pub fn check(&self) -> Result<(), DefenseError> {
        if self.max_lifetime == 0 || self.max_lifetime > LIFETIME_MAX {
            return Err(DefenseError::Lifetime {
                minutes: self.max_lifetime,
                max: LIFETIME_MAX,
            });
        }
        if self.default_log_limit > LOG_LIMIT_MAX {
            return Err(DefenseError::LogLimit {
                limit: self.default_log_limit,
            });
        }
        if self.exclude.len() > EXCLUSIONS_MAX {
            return Err(DefenseError::Exclusions {
                count: self.exclude.len(),
            });
        }
        Ok(())
    }
}

/// Where a request applies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "one stack or all")]
pub enum Target {
    /// One stack, by name (`-p`).
    Stack(Arc<str>),
    /// All stacks, and those that start later (`-G`).
    Global,
}

/// Which filters a request is about (`-N`).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "some or all")]
pub enum Selection {
    /// Those with one of these names, with any extension.
    Names(Vec<Arc<str>>),
    /// All of the target.
    All,
}

impl Selection {
    /// Those of one name.
    #[must_use]
    pub fn name(name: impl Into<Arc<str>>) -> Self {
        Self::Names(alloc::vec![name.into()])
    }

    pub(super) fn includes(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.iter().any(|n| **n == *name),
        }
    }
}

/// What of a filter can be changed; what matches cannot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changes {
    /// A new lifetime in minutes, counted from now.
    pub lifetime: Option<u32>,
    /// Another mode.
    pub mode: Option<DefensiveMode>,
    /// Telling of matches or not.
    pub log: Option<bool>,
    /// Another log limit.
    pub log_limit: Option<u32>,
}

impl Changes {
    /// The same with a new lifetime in minutes.
    #[must_use]
    pub const fn lifetime(mut self, minutes: u32) -> Self {
        self.lifetime = Some(minutes);
        self
    }

    /// The same with another mode.
    #[must_use]
    pub const fn mode(mut self, mode: DefensiveMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// The same, telling of matches or not.
    #[must_use]
    pub const fn log(mut self, log: bool) -> Self {
        self.log = Some(log);
        self
    }

    /// The same with another log limit.
    #[must_use]
    pub const fn log_limit(mut self, limit: u32) -> Self {
        self.log_limit = Some(limit);
        self
    }
}

/// A request to the manager.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// Adds a filter, in front of all others (`add`).
    Add {
        /// Where.
        target: Target,
        /// What.
        filter: DefensiveFilter,
    },
    /// Changes filters (`update`).
    Update {
        /// Where.
        target: Target,
        /// Which.
        selection: Selection,
        /// How.
        changes: Changes,
    },
    /// Takes filters out (`delete`).
    Delete {
        /// Where.
        target: Target,
        /// Which.
        selection: Selection,
    },
    /// Shows filters (`display`).
    Display {
        /// Where.
        target: Target,
        /// Which.
        selection: Selection,
    },
    /// Replaces the whole configuration (`MODIFY …,REFRESH`). A stack that is not named any more
    /// keeps its filters, mode and exclusions until the filters expire and takes no new ones; one
    /// that is inactive loses them.
    Refresh(BTreeMap<Arc<str>, DefenseConfig>),
    /// Takes all filters of a stack out and refuses new ones until the next refresh that has it
    /// active (`MODIFY …,FORCE_INACTIVE`).
    ForceInactive(Arc<str>),
}

/// What the manager answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// The filter was added; for a global one the number and extension of the master copy.
    Added {
        /// Its number.
        id: EntryId,
        /// Its extension.
        extension: u32,
    },
    /// So many filters were changed.
    Updated(usize),
    /// So many filters were taken out.
    Deleted(usize),
    /// The filters, newest first.
    Filters(Vec<Displayed>),
    /// It is done.
    Done,
}

/// A filter as displays show it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Displayed {
    /// Its number.
    pub id: EntryId,
    /// What it is now.
    pub filter: Arc<DefensiveFilter>,
    /// Its extension.
    pub extension: u32,
    /// It is for all stacks (`DefensiveType`).
    pub global: bool,
    /// What it does on this stack (`Action`).
    pub mode: DefensiveMode,
    /// The log limit in force.
    pub log_limit: u32,
    /// When it was added (`CreateTime`).
    pub created: UnixTime,
    /// When it was last changed (`UpdateTime`).
    pub updated: UnixTime,
    /// When it goes away (`LifetimeExpires`).
    pub expires: UnixTime,
    /// Packets it matched on the stack, as far as workers reported (`FilterMatches`); `None` for
    /// the master copy of a global filter.
    pub matches: Option<u64>,
    /// On how many stacks it is, for the master copy (`AssociatedStackCount`).
    pub stacks: Option<usize>,
}

/// Why a request was refused. Nothing was changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DefenseError {
    /// No stack has this name.
    #[error("no stack is configured with the name `{0}`")]
    UnknownStack(String),
    /// The stack takes no filters.
    #[error("stack `{0}` is inactive: set its mode to active or simulate first")]
    Inactive(String),
    /// The name cannot be one.
    #[error(
        "`{0}` is no name for a filter: expected 1 to 32 characters without blanks and commas, not beginning with `-`"
    )]
    Name(String),
    /// No filter has the name.
    #[error("no filter with the name `{0}`")]
    UnknownFilter(String),
    /// Source and destination are of different IP versions.
    #[error("source {from} and destination {to} are of different IP versions")]
    MixedVersions {
        /// The source.
        from: AddressSpec,
        /// The destination.
        to: AddressSpec,
    },
    /// Its selectors do not go together.
    #[error("{0}")]
    Service(#[from] ServiceError),
    /// The lifetime is out of range.
    #[error("a lifetime of {minutes} minutes is out of range: expected 1 to {max}")]
    Lifetime {
        /// What was asked for.
        minutes: u32,
        /// The longest on this stack.
        max: u32,
    },
    /// The log limit is out of range.
    #[error("a log limit of {limit} is out of range: expected 0 to {LOG_LIMIT_MAX}")]
    LogLimit {
        /// What was asked for.
        limit: u32,
    },
    /// Too many exclusions.
    #[error("{count} excluded addresses are too many: expected at most {EXCLUSIONS_MAX}")]
    Exclusions {
        /// How many.
        count: usize,
    },
    /// The stack has as many filters as it may.
    #[error("stack `{stack}` has {max} defensive filters, the most it may have")]
    Full {
        /// The stack.
        stack: String,
        /// Its bound.
        max: usize,
    },
}
