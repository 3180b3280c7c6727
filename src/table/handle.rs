//! Objects with their meta: borrowed from a snapshot, and owned.

use std::fmt;
use std::ops::Deref;

use crate::kernel::reading::{Handle, Stored};
use crate::version::Meta;

/// An object with its [`Meta`], borrowed from what it was read through. Derefs to the object.
pub struct Entry<'s, T> {
    object: &'s T,
    source: Source<'s, T>,
}

enum Source<'s, T> {
    Stored(Stored<'s, T>),
    /// Written by the transaction that reads it; the meta it has so far.
    Own(Meta),
}

impl<T> Clone for Source<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Source<'_, T> {}

impl<T> Clone for Entry<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Entry<'_, T> {}

impl<'s, T> Entry<'s, T> {
    pub(crate) fn stored(stored: Stored<'s, T>) -> Self {
        Self {
            object: stored.object(),
            source: Source::Stored(stored),
        }
    }

    pub(crate) fn own(object: &'s T, meta: Meta) -> Self {
        Self {
            object,
            source: Source::Own(meta),
        }
    }

    /// The object, for as long as the snapshot.
    #[must_use]
    pub fn get(self) -> &'s T {
        self.object
    }

    /// What the store knows of it. Of an object that the reading transaction itself wrote: the
    /// version that it replaces, or [`Version::ZERO`](crate::Version::ZERO), and the times so
    /// far.
    #[must_use]
    pub fn meta(&self) -> Meta {
        match self.source {
            Source::Stored(stored) => stored.meta(),
            Source::Own(meta) => meta,
        }
    }

    /// An owned share, which may outlive the snapshot and the store; `None` for an object that the
    /// reading transaction itself wrote, which is not shared yet.
    #[must_use]
    pub fn share(&self) -> Option<Obj<T>> {
        match self.source {
            Source::Stored(stored) => Some(Obj(stored.handle())),
            Source::Own(_) => None,
        }
    }
}

impl<T> Deref for Entry<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.object
    }
}

impl<T: fmt::Debug> fmt::Debug for Entry<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("object", self.object)
            .field("meta", &self.meta())
            .finish()
    }
}

/// An owned share of a stored object, as it was at its version: outlives snapshot and store. Derefs
/// to the object.
///
/// Cloning counts a reference and copies nothing. It keeps this one object's memory, no snapshot.
pub struct Obj<T>(Handle<T>);

impl<T> Obj<T> {
    pub(crate) fn new(handle: Handle<T>) -> Self {
        Self(handle)
    }

    /// What the store knows of it.
    #[must_use]
    pub fn meta(&self) -> Meta {
        self.0.meta()
    }
}

impl<T> Clone for Obj<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Obj<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.object()
    }
}

impl<T: fmt::Debug> fmt::Debug for Obj<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Obj")
            .field("object", &**self)
            .field("meta", &self.meta())
            .finish()
    }
}
