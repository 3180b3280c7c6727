//! Where finders look: views, snapshots and transactions.

use std::fmt;

use super::lookup::AnyLookup;
use crate::Snapshot;
use crate::Transaction;
use crate::View;

/// What can be read by finders: a [`View`], a [`Snapshot`], a [`Transaction`]. Not to be
/// implemented outside.
pub trait Reads: Sealed {}

impl<R: Sealed> Reads for R {}

/// The objects that a finder finds, lazily, each once.
pub struct Results<'r, T>(Box<dyn Iterator<Item = &'r T> + 'r>);

impl<'r, T> Results<'r, T> {
    pub(super) fn new(found: impl Iterator<Item = &'r T> + 'r) -> Self {
        Self(Box::new(found))
    }
}

impl<'r, T> Iterator for Results<'r, T> {
    type Item = &'r T;

    fn next(&mut self) -> Option<&'r T> {
        self.0.next()
    }
}

impl<T> fmt::Debug for Results<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results").finish_non_exhaustive()
    }
}

pub trait Sealed {
    fn look_up<'r, T>(&'r self, lookup: &dyn AnyLookup<T>, last: Option<&T>) -> Results<'r, T>;
}

impl Sealed for View<'_> {
    fn look_up<'r, T>(&'r self, lookup: &dyn AnyLookup<T>, last: Option<&T>) -> Results<'r, T> {
        lookup.in_view(self, last)
    }
}

impl Sealed for Snapshot {
    fn look_up<'r, T>(&'r self, lookup: &dyn AnyLookup<T>, last: Option<&T>) -> Results<'r, T> {
        lookup.in_snapshot(self, last)
    }
}

impl Sealed for Transaction<'_> {
    fn look_up<'r, T>(&'r self, lookup: &dyn AnyLookup<T>, last: Option<&T>) -> Results<'r, T> {
        lookup.in_transaction(self, last)
    }
}
