//! What a watcher gives.

use std::fmt;
use std::sync::Arc;

use crate::kernel::commit::Write;
use crate::kernel::post::Post;
use crate::kernel::reading::AnyHandle;
use crate::kernel::reclaim::Guard;
use crate::table::handle::Obj;
use crate::table::object::Object;
use crate::version::{Meta, Version};

/// What a watcher gives: a commit's matching changes in the order they were written, then the
/// commit's marker, unless it asked for [changes only](crate::Filter::changes_only).
#[derive(Clone, Debug)]
pub enum Event {
    /// One object was created, updated or deleted.
    Change(AnyChange),
    /// The commit with this version is complete: all that is wanted of the commits up to it has
    /// been given.
    Commit(Version),
}

impl Event {
    /// The version of the commit that it is of.
    #[must_use]
    pub fn version(&self) -> Version {
        match self {
            Self::Change(change) => change.version(),
            Self::Commit(version) => *version,
        }
    }

    /// The change, if it is one.
    #[must_use]
    pub fn change(&self) -> Option<&AnyChange> {
        match self {
            Self::Change(change) => Some(change),
            Self::Commit(_) => None,
        }
    }
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// There was none before.
    Created,
    /// There was one before, and there is one.
    Updated,
    /// There is none any more.
    Deleted,
}

impl Kind {
    /// What a write does to its object.
    #[inline]
    pub(super) fn of(guard: &Guard<'_>, write: &Write) -> Self {
        if !write.replaces() {
            Self::Created
        } else if write.deletes(guard) {
            Self::Deleted
        } else {
            Self::Updated
        }
    }
}

/// A change of an object of any table. One word; cloning shares it.
#[derive(Clone)]
pub struct AnyChange(pub(super) Arc<Post>);

impl fmt::Debug for AnyChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyChange")
            .field("table", &self.table())
            .field("kind", &self.kind())
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

impl AnyChange {
    /// The table's name.
    #[must_use]
    pub fn table(&self) -> &'static str {
        self.0.table
    }

    /// The commit that made it; of a change that covers several, the last.
    #[must_use]
    pub fn version(&self) -> Version {
        self.0.version
    }

    /// The first commit that it covers: another one than [`AnyChange::version`] only if the watcher
    /// asked for [`Overflow::Coalesce`](crate::Overflow::Coalesce), and fell behind.
    #[must_use]
    pub fn since(&self) -> Version {
        self.0.since
    }

    /// What happened.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match (&self.0.old, &self.0.new) {
            (None, _) => Kind::Created,
            (Some(_), Some(_)) => Kind::Updated,
            (Some(_), None) => Kind::Deleted,
        }
    }

    /// The meta of the object as it is now, or was last.
    #[must_use]
    pub fn meta(&self) -> Option<Meta> {
        let image = self.0.new.as_ref().or(self.0.old.as_ref());
        image.map(AnyHandle::meta)
    }

    /// The change as one of objects `T`; `None` if it is of another table.
    #[must_use]
    pub fn of<T: Object>(&self) -> Option<Change<'_, T>> {
        let old = self.0.old.as_ref().map(AnyHandle::object::<T>);
        let new = self.0.new.as_ref().map(AnyHandle::object::<T>);
        match (old, new) {
            (None, Some(Some(new))) => Some(Change::Created { new }),
            (Some(Some(old)), Some(Some(new))) => Some(Change::Updated { old, new }),
            (Some(Some(old)), None) => Some(Change::Deleted { old }),
            _ => None,
        }
    }

    /// An owned share of the object as it was before, if it was a `T`.
    #[must_use]
    pub fn old_object<T: Object>(&self) -> Option<Obj<T>> {
        let old = self.0.old.as_ref();
        old.and_then(AnyHandle::typed).map(Obj::new)
    }

    /// An owned share of the object as it is now, if it is a `T`.
    #[must_use]
    pub fn new_object<T: Object>(&self) -> Option<Obj<T>> {
        let new = self.0.new.as_ref();
        new.and_then(AnyHandle::typed).map(Obj::new)
    }
}

/// A change of an object of a known table, borrowed from its [`AnyChange`].
#[derive(Debug)]
pub enum Change<'a, T> {
    /// There was none before.
    Created {
        /// The object.
        new: &'a T,
    },
    /// There was one before, and there is one. Also when one transaction deleted and created it
    /// again.
    Updated {
        /// The object as it was before the commit.
        old: &'a T,
        /// The object as it is.
        new: &'a T,
    },
    /// There is none any more.
    Deleted {
        /// The object as it was before the commit.
        old: &'a T,
    },
}

impl<T> Clone for Change<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Change<'_, T> {}

impl<'a, T> Change<'a, T> {
    /// The object as it was before the commit, if it was.
    #[must_use]
    pub fn old(self) -> Option<&'a T> {
        match self {
            Self::Created { .. } => None,
            Self::Updated { old, .. } | Self::Deleted { old } => Some(old),
        }
    }

    /// The object as it is, if it is.
    #[expect(clippy::new_ret_no_self, reason = "the twin of `old`: no constructor")]
    #[must_use]
    pub fn new(self) -> Option<&'a T> {
        match self {
            Self::Created { new } | Self::Updated { new, .. } => Some(new),
            Self::Deleted { .. } => None,
        }
    }

    /// What happened.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::Created { .. } => Kind::Created,
            Self::Updated { .. } => Kind::Updated,
            Self::Deleted { .. } => Kind::Deleted,
        }
    }
}
