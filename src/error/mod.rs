//! The errors: an enum a verb, each with what the caller needs to go on.

#![forbid(unsafe_code)]

mod flatten;
mod text;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::table::object::Object;
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
    /// The key of the object that was to have it.
    pub claimant: Value,
}

/// An object that is there already, is not there, or is [refused](Rejected::object).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyError {
    /// The table's name.
    pub table: &'static str,
    /// The key.
    pub key: Value,
}

/// A write was decided on another version of the object than the one that is there, or the
/// transaction has written the object itself since.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutOfSequence {
    /// The table's name.
    pub table: &'static str,
    /// The object's key.
    pub key: Value,
    /// The version that the write was decided on.
    pub expected: Version,
    /// The version in the snapshot: the same, if it was the transaction itself.
    pub found: Version,
}

impl OutOfSequence {
    /// The refusal of a write of the object with this key: for operations of one's own that ask for
    /// versions, as [`modify_spec_at`](crate::cluster::Specified::modify_spec_at) does.
    #[must_use]
    pub fn new<T: Object>(key: T::Key, expected: Version, found: Version) -> Self {
        Self {
            table: T::TABLE,
            key: Value::new(key),
            expected,
            found,
        }
    }
}

/// What a bound of the store refuses of an object: the reason of a [`Rejected`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BoundError {
    /// Its key is longer than [`key_bytes_max`](crate::Builder::key_bytes_max).
    KeyTooLong {
        /// The table's name.
        table: &'static str,
        /// The key.
        key: Value,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        bytes_max: usize,
    },
    /// It is larger than [`object_bytes_max`](crate::Builder::object_bytes_max).
    ObjectTooLarge {
        /// The table's name.
        table: &'static str,
        /// The object's key.
        key: Value,
        /// How large it is.
        bytes: usize,
        /// How large it may be.
        bytes_max: usize,
    },
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
    /// The update was made from another version of the object than the one that is there, or the
    /// transaction has written the object itself since.
    OutOfSequence(OutOfSequence),
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
    /// The deletion was decided on another version of the object than the one that is there, or the
    /// transaction has written the object itself since.
    OutOfSequence(OutOfSequence),
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
    /// Another transaction took a value of a unique index since the snapshot, which this one had
    /// taken as well: also if this one gave it up again, since it would be refused it now.
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
    /// It writes more bytes than a transaction may
    /// ([`transaction_bytes_max`](crate::Builder::transaction_bytes_max)).
    TooManyBytes {
        /// How many it writes.
        bytes: usize,
        /// How many it may.
        bytes_max: usize,
    },
    /// It read more keys and ranges than a transaction that writes may.
    TooManyReads {
        /// How many it may.
        reads_max: usize,
    },
    /// With what it creates there would be more objects than the store may have
    /// ([`objects_max`](crate::Builder::objects_max)).
    TooManyObjects {
        /// How many there may be.
        objects_max: u64,
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
    /// Other transactions got in its way at every attempt. What it reads must still hold when it
    /// commits, so who reads much that others keep writing, as all nodes between their heartbeats,
    /// loses each time: choose from a [snapshot](crate::Store::snapshot) or by
    /// [`peek_find`](crate::Transaction::peek_find), and then [`get`](crate::Transaction::get) only
    /// what the choice must still be right about.
    Conflict {
        /// How many attempts there were: all that the store allows.
        attempts: u32,
    },
    /// The rules refuse what the closure wrote while they were put off, and it went on all the
    /// same: see [`Transaction::defer_checks`](crate::Transaction::defer_checks).
    Rejected(Rejected),
    /// So does a unique index.
    Duplicate(Duplicate),
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
    /// It writes more bytes than a transaction may: use [`Store::batch`](crate::Store::batch), or
    /// raise the bound ([`transaction_bytes_max`](crate::Builder::transaction_bytes_max)).
    TooManyBytes {
        /// How many it writes.
        bytes: usize,
        /// How many it may.
        bytes_max: usize,
    },
    /// It read more keys and ranges than a transaction that writes may: read from a
    /// [snapshot](crate::Store::snapshot), or by [`peek`](crate::Transaction::peek), what need not
    /// hold until the commit, or raise the bound
    /// ([`transaction_reads_max`](crate::Builder::transaction_reads_max)).
    TooManyReads {
        /// How many it may.
        reads_max: usize,
    },
    /// With what it creates there would be more objects than the store may have: delete some, or
    /// raise the bound ([`objects_max`](crate::Builder::objects_max)).
    TooManyObjects {
        /// How many there may be.
        objects_max: u64,
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
    /// The store has as many watchers as it may.
    TooManyWatchers {
        /// How many there may be.
        watchers_max: u64,
    },
    /// The version has not been committed yet.
    Future {
        /// The newest version that there is.
        newest: Version,
    },
}

/// Why a watcher does not give the next event. After [`WatchError::Lagged`] it goes on; after the
/// others nothing more will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchError {
    /// It fell behind by more than the store or its filter allows. The watcher goes on with what
    /// comes after `resume_from`. To miss nothing, go back by
    /// [`Watcher::resume`](crate::Watcher::resume), if the log still has what was missed, or take a
    /// new [`snapshot_and_watch`](crate::Store::snapshot_and_watch).
    Lagged {
        /// How many commits it missed, matching or not: from the first of which something was lost.
        missed: u64,
        /// The last version missed. [`watch_from`](crate::Store::watch_from) goes on from it, too,
        /// as long as the store's history reaches back to it.
        resume_from: Version,
    },
    /// More waited for it than its bounds allow, or for longer, and it asked to be closed then:
    /// [`Overflow::Close`](crate::Overflow::Close), [`Filter::timeout`](crate::Filter::timeout).
    /// All that it still had has been given: up to its
    /// [`position`](crate::Watcher::position), from which
    /// [`watch_from`](crate::Store::watch_from) goes on, as long as the store's history reaches
    /// back to it.
    Overflowed,
    /// The store had as many watchers as it may when this one began: it gets nothing, ever.
    TooManyWatchers {
        /// How many there may be.
        watchers_max: u64,
    },
    /// The last handle of the store is gone, and all that it committed has been given.
    Closed,
}

/// Any error of a transaction's verbs, for closures that use several of them with `?`.
///
/// ```
/// use skep::{Error, Id, Object, Store};
///
/// #[derive(Clone, Object)]
/// struct Task {
///     #[object(key)]
///     id: Id,
///     moves: u32,
/// }
///
/// let store = Store::builder().table::<Task>().build();
/// let (one, other) = (Id::random(), Id::random());
/// store.update(|tx| tx.create(Task { id: one, moves: 0 }))?;
/// store.update(|tx| -> Result<(), Error> {
///     tx.modify::<Task>(&one, |task| task.moves += 1)?;
///     tx.create(Task { id: other, moves: 0 })?;
///     Ok(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    OutOfSequence => ReplaceError::OutOfSequence,
    OutOfSequence => DeleteError::OutOfSequence,
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
