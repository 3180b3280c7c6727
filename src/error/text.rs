//! What errors say, and what is behind them.

use std::error::Error as StdError;
use std::fmt;

use super::{
    BoundError, CommitError, CreateError, DeferredError, DeleteError, Duplicate, KeyError,
    OutOfSequence, ReplaceError, SnapshotError, UpdateError, UpsertError, WatchError,
    WatchFromError,
};
use crate::version::Version;

/// How much of a key that is too long is shown, in characters.
const KEY_CHARS: usize = 32;

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            index,
            key,
            holder,
            claimant,
        } = self;
        write!(f, "{table} {claimant}: {index} {key} is taken by {holder}")
    }
}

impl StdError for Duplicate {}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table, self.key)
    }
}

impl fmt::Display for OutOfSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            table,
            key,
            expected,
            found,
        } = self;
        write!(f, "{table} {key}: written from version {expected}, but ")?;
        if *found == Version::ZERO {
            f.write_str("what is there has no version that is known")
        } else if found == expected {
            f.write_str("the transaction has written it itself since")
        } else {
            write!(f, "it is at version {found}")
        }
    }
}

impl StdError for OutOfSequence {}

impl fmt::Display for BoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyTooLong {
                table,
                key,
                bytes,
                bytes_max,
            } => write!(
                f,
                "{table} {key:.KEY_CHARS$}: a key of {bytes} bytes, at most {bytes_max} are allowed"
            ),
            Self::ObjectTooLarge {
                table,
                key,
                bytes,
                bytes_max,
            } => write!(
                f,
                "{table} {key} has {bytes} bytes, at most {bytes_max} are allowed"
            ),
        }
    }
}

impl StdError for BoundError {}

fn too_many_watchers(f: &mut fmt::Formatter<'_>, watchers_max: u64) -> fmt::Result {
    write!(f, "more than {watchers_max} watchers of one store")
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
            Self::OutOfSequence(versions) => versions.fmt(f),
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
            Self::OutOfSequence(versions) => versions.fmt(f),
            Self::Rejected(rejected) => rejected.fmt(f),
        }
    }
}

/// What an error says that has, beside variants of its own, those in which both a commit and an
/// update fail.
macro_rules! say {
    ($error:expr, $f:expr; $($own:pat => $said:expr),* $(,)?) => {
        match $error {
            $($own => $said,)*
            Self::Rejected(rejected) => rejected.fmt($f),
            Self::TooOld { snapshot, oldest } => write!(
                $f,
                "the snapshot at version {snapshot} is too old: the log reaches back to {oldest}"
            ),
            Self::TooLarge { changes, changes_max } => write!(
                $f,
                "{changes} changes in one transaction, at most {changes_max} are allowed"
            ),
            Self::TooManyBytes { bytes, bytes_max } => write!(
                $f,
                "{bytes} bytes written in one transaction, at most {bytes_max} are allowed"
            ),
            Self::TooManyReads { reads_max } => write!(
                $f,
                "more than {reads_max} keys and ranges read in one transaction that writes"
            ),
            Self::TooManyObjects { objects_max } => {
                write!($f, "more than {objects_max} objects in one store")
            }
            Self::Refused { reason } => write!($f, "refused by the proposer: {reason}"),
            Self::LostLeadership => {
                $f.write_str("leadership was lost before the outcome was known")
            }
        }
    };
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        say!(self, f;
            Self::Conflict { with } => write!(f, "in conflict with commit {with}"),
            Self::Duplicate(duplicate) => duplicate.fmt(f),
        )
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
        say!(self, f;
            Self::Closure(error) => error.fmt(f),
            Self::Conflict { attempts } => write!(f, "in conflict at each of {attempts} attempts"),
            Self::Duplicate(duplicate) => duplicate.fmt(f),
            Self::Stopped => f.write_str("the batch is over: an earlier step failed"),
        )
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
            Self::TooManyWatchers { watchers_max } => too_many_watchers(f, *watchers_max),
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
            Self::Overflowed => f.write_str("the watcher did not keep up, and was closed"),
            Self::TooManyWatchers { watchers_max } => too_many_watchers(f, *watchers_max),
            Self::Closed => f.write_str("the store is closed"),
        }
    }
}

impl StdError for WatchError {}
