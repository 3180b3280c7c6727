//! The errors: an enum a verb, each with what the caller needs to go on.

#![forbid(unsafe_code)]

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::table::proposed::Rejected;
use crate::table::value::Value;
use crate::version::Version;

/// A unique index has the value already, for another object.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Duplicate {
    /// The table's name.
    pub table: &'static str,
    /// The unique index's name.
    pub index: &'static str,
    /// The value that is taken.
    pub key: Value,
    /// The key of the object that has it.
    pub holder: Value,
}

/// An object with the key is there already, or is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyError {
    /// The table's name.
    pub table: &'static str,
    /// The key.
    pub key: Value,
}

/// Why an object was not created.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateError {
    /// There is one with the key.
    Exists(KeyError),
    /// A unique index refuses it.
    Duplicate(Duplicate),
    /// The table's rules refuse it.
    Rejected(Rejected),
}

/// Why an object was not updated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplaceError {
    /// There is none with the key.
    NotFound(KeyError),
    /// The update was made from another version of the object than the one that is there.
    OutOfSequence {
        /// The version that the update was made from.
        expected: Version,
        /// The version that is there.
        found: Version,
    },
    /// A unique index refuses it.
    Duplicate(Duplicate),
    /// The table's rules refuse it.
    Rejected(Rejected),
}

/// Why an object was not put.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpsertError {
    /// A unique index refuses it.
    Duplicate(Duplicate),
    /// The table's rules refuse it.
    Rejected(Rejected),
}

/// Why an object was not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeleteError {
    /// There is none with the key.
    NotFound(KeyError),
    /// The deletion was decided on another version of the object than the one that is there.
    OutOfSequence {
        /// The version that the deletion was decided on.
        expected: Version,
        /// The version that is there.
        found: Version,
    },
    /// The table's rules refuse the deletion.
    Rejected(Rejected),
}

/// Why what a transaction wrote while its checks were put off cannot stay as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeferredError<E> {
    /// The closure refused, for this reason.
    Closure(E),
    /// A table's rules refuse it.
    Rejected(Rejected),
    /// A unique index refuses it.
    Duplicate(Duplicate),
}

/// Why a transaction was not committed. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitError {
    /// Something that it read was changed by the commit named, since its snapshot. Begin again: the
    /// new snapshot shows that commit.
    Conflict {
        /// The first commit found to be in conflict.
        with: Version,
    },
    /// Another transaction took a value of a unique index since the snapshot.
    Duplicate(Duplicate),
    /// The rules refuse what it wrote while they were put off: see
    /// [`Transaction::defer_checks`](crate::Transaction::defer_checks).
    Rejected(Rejected),
    /// So many commits passed since its snapshot that the log no longer reaches back to it.
    TooOld {
        /// The snapshot's version.
        snapshot: Version,
        /// The oldest version that the log reaches back to.
        oldest: Version,
    },
    /// It changes more objects than a transaction may.
    TooLarge {
        /// How many objects it changes.
        changes: usize,
        /// How many it may.
        changes_max: usize,
    },
    /// The proposer refused it.
    Refused {
        /// Why.
        reason: Arc<str>,
    },
    /// The proposer stopped leading before it knew. Nothing of it is applied here by this
    /// transaction; if the other members of the cluster commit it, it comes back from them.
    LostLeadership,
}

/// Why an update was not committed. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpdateError<E> {
    /// The closure refused, for this reason.
    Closure(E),
    /// Other transactions got in its way at every attempt.
    Conflict {
        /// How many attempts there were: all that the store allows.
        attempts: u32,
    },
    /// The rules refuse what the closure wrote while they were put off, and it went on all the
    /// same: see [`Transaction::defer_checks`](crate::Transaction::defer_checks).
    Rejected(Rejected),
    /// It took so long that the log no longer reaches back to its snapshot.
    TooOld {
        /// The snapshot's version.
        snapshot: Version,
        /// The oldest version that the log reaches back to.
        oldest: Version,
    },
    /// It changes more objects than a transaction may: use [`Store::batch`](crate::Store::batch).
    TooLarge {
        /// How many objects it changes.
        changes: usize,
        /// How many it may.
        changes_max: usize,
    },
    /// The proposer refused it.
    Refused {
        /// Why.
        reason: Arc<str>,
    },
    /// The proposer stopped leading before it knew; see [`CommitError::LostLeadership`].
    LostLeadership,
    /// Of a batch only: it is over, since an earlier step could not be committed.
    Stopped,
}

/// Why there is no snapshot at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The version is older than the store retains.
    Compacted {
        /// The oldest version that there is.
        oldest: Version,
    },
    /// The version has not been committed yet.
    Future {
        /// The newest version that there is.
        newest: Version,
    },
}

/// Why there is no watcher from a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchFromError {
    /// What was committed after the version is not all retained any more. Take a new
    /// [`snapshot_and_watch`](crate::Store::snapshot_and_watch), or go on from `oldest` if what was
    /// missed does not matter.
    Compacted {
        /// The oldest version that a watcher may begin at.
        oldest: Version,
    },
    /// The version has not been committed yet.
    Future {
        /// The newest version that there is.
        newest: Version,
    },
}

/// Why a watcher has nothing more to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchError {
    /// It fell behind by more than the store allows. The watcher goes on with what comes after
    /// `resume_from`; to miss nothing, take a new
    /// [`snapshot_and_watch`](crate::Store::snapshot_and_watch).
    Lagged {
        /// How many commits it missed, matching or not.
        missed: u64,
        /// The last version missed. [`watch_from`](crate::Store::watch_from) goes on from it, too,
        /// as long as the store's history reaches back to it.
        resume_from: Version,
    },
    /// The last handle of the store is gone, and all that it committed has been given.
    Closed,
}

/// Any error of a transaction's verbs, for closures that use several of them with `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// See [`CreateError`].
    Create(CreateError),
    /// See [`ReplaceError`].
    Replace(ReplaceError),
    /// See [`UpsertError`].
    Upsert(UpsertError),
    /// See [`DeleteError`].
    Delete(DeleteError),
    /// See [`CommitError`].
    Commit(CommitError),
    /// See [`SnapshotError`].
    Snapshot(SnapshotError),
    /// See [`WatchError`].
    Watch(WatchError),
    /// See [`WatchFromError`].
    WatchFrom(WatchFromError),
}

macro_rules! from {
    ($($from:ident => $to:ident :: $variant:ident),* $(,)?) => {
        $(impl From<$from> for $to {
            fn from(error: $from) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

/// The reason of a refusal is its error's source.
macro_rules! rejected_source {
    ($($error:ident),*) => {
        $(impl StdError for $error {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                match self {
                    Self::Rejected(rejected) => rejected.source(),
                    _ => None,
                }
            }
        })*
    };
}

rejected_source!(
    CreateError,
    ReplaceError,
    UpsertError,
    DeleteError,
    CommitError
);

from! {
    CreateError => Error::Create,
    ReplaceError => Error::Replace,
    UpsertError => Error::Upsert,
    DeleteError => Error::Delete,
    CommitError => Error::Commit,
    SnapshotError => Error::Snapshot,
    WatchError => Error::Watch,
    WatchFromError => Error::WatchFrom,
    Duplicate => CreateError::Duplicate,
    Duplicate => ReplaceError::Duplicate,
    Duplicate => UpsertError::Duplicate,
    Duplicate => CommitError::Duplicate,
    Rejected => CreateError::Rejected,
    Rejected => ReplaceError::Rejected,
    Rejected => UpsertError::Rejected,
    Rejected => DeleteError::Rejected,
}

impl From<DeferredError<Error>> for Error {
    fn from(error: DeferredError<Error>) -> Self {
        match error {
            DeferredError::Closure(error) => error,
            DeferredError::Rejected(rejected) => CommitError::Rejected(rejected).into(),
            DeferredError::Duplicate(duplicate) => CommitError::Duplicate(duplicate).into(),
        }
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            index,
            key,
            holder,
        } = self;
        write!(f, "{table}: {index} {key} is taken by {holder}")
    }
}

impl StdError for Duplicate {}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table, self.key)
    }
}

fn out_of_sequence(f: &mut fmt::Formatter<'_>, expected: Version, found: Version) -> fmt::Result {
    write!(
        f,
        "made from version {expected}, but the object is at version {found}"
    )
}

fn too_old(f: &mut fmt::Formatter<'_>, snapshot: Version, oldest: Version) -> fmt::Result {
    write!(
        f,
        "the snapshot at version {snapshot} is too old: the log reaches back to {oldest}"
    )
}

fn too_large(f: &mut fmt::Formatter<'_>, changes: usize, changes_max: usize) -> fmt::Result {
    write!(
        f,
        "{changes} changes in one transaction, at most {changes_max} are allowed"
    )
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(key) => write!(f, "{key} exists"),
            Self::Duplicate(duplicate) => duplicate.fmt(f),
            Self::Rejected(rejected) => rejected.fmt(f),
        }
    }
}

impl fmt::Display for ReplaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(key) => write!(f, "{key} not found"),
            Self::OutOfSequence { expected, found } => out_of_sequence(f, *expected, *found),
            Self::Duplicate(duplicate) => duplicate.fmt(f),
            Self::Rejected(rejected) => rejected.fmt(f),
        }
    }
}

impl fmt::Display for UpsertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Duplicate(duplicate) => duplicate.fmt(f),
            Self::Rejected(rejected) => rejected.fmt(f),
        }
    }
}

impl fmt::Display for DeleteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(key) => write!(f, "{key} not found"),
            Self::OutOfSequence { expected, found } => out_of_sequence(f, *expected, *found),
            Self::Rejected(rejected) => rejected.fmt(f),
        }
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { with } => write!(f, "in conflict with commit {with}"),
            Self::Duplicate(duplicate) => duplicate.fmt(f),
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::TooOld { snapshot, oldest } => too_old(f, *snapshot, *oldest),
            Self::TooLarge {
                changes,
                changes_max,
            } => too_large(f, *changes, *changes_max),
            Self::Refused { reason } => write!(f, "refused by the proposer: {reason}"),
            Self::LostLeadership => f.write_str("leadership was lost before the outcome was known"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for DeferredError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closure(error) => error.fmt(f),
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Duplicate(duplicate) => duplicate.fmt(f),
        }
    }
}

impl<E: StdError + 'static> StdError for DeferredError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Closure(error) => Some(error),
            Self::Rejected(rejected) => rejected.source(),
            Self::Duplicate(_) => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for UpdateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closure(error) => error.fmt(f),
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Conflict { attempts } => write!(f, "in conflict at each of {attempts} attempts"),
            Self::Stopped => f.write_str("the batch is over: an earlier step failed"),
            Self::TooOld { snapshot, oldest } => too_old(f, *snapshot, *oldest),
            Self::TooLarge {
                changes,
                changes_max,
            } => too_large(f, *changes, *changes_max),
            Self::Refused { reason } => write!(f, "refused by the proposer: {reason}"),
            Self::LostLeadership => f.write_str("leadership was lost before the outcome was known"),
        }
    }
}

impl<E: StdError + 'static> StdError for UpdateError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Closure(error) => Some(error),
            Self::Rejected(rejected) => rejected.source(),
            _ => None,
        }
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compacted { oldest } => write!(f, "compacted: the oldest version is {oldest}"),
            Self::Future { newest } => {
                write!(f, "not committed yet: the newest version is {newest}")
            }
        }
    }
}

impl StdError for SnapshotError {}

impl fmt::Display for WatchFromError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compacted { oldest } => {
                write!(f, "compacted: the history begins at version {oldest}")
            }
            Self::Future { newest } => {
                write!(f, "not committed yet: the newest version is {newest}")
            }
        }
    }
}

impl StdError for WatchFromError {}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged {
                missed,
                resume_from,
            } => write!(
                f,
                "lagged: missed {missed} commits, up to version {resume_from}"
            ),
            Self::Closed => f.write_str("the store is closed"),
        }
    }
}

impl StdError for WatchError {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(error) => error.fmt(f),
            Self::Replace(error) => error.fmt(f),
            Self::Upsert(error) => error.fmt(f),
            Self::Delete(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
            Self::Snapshot(error) => error.fmt(f),
            Self::Watch(error) => error.fmt(f),
            Self::WatchFrom(error) => error.fmt(f),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Create(error) => error.source(),
            Self::Replace(error) => error.source(),
            Self::Upsert(error) => error.source(),
            Self::Delete(error) => error.source(),
            Self::Commit(error) => error.source(),
            Self::Snapshot(_) | Self::Watch(_) | Self::WatchFrom(_) => None,
        }
    }
}
