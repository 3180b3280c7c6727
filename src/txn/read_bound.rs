//! Read bound: how much a transaction has read so far, of all tables, against what it may.

#![forbid(unsafe_code)]

use std::cell::Cell;

/// A transaction's count of keys and ranges read, shared by the read sets of its tables.
#[derive(Debug)]
pub(crate) struct ReadBound {
    noted: Cell<usize>,
    /// What this transaction may note.
    noted_max: Cell<usize>,
    /// What a transaction of the store may.
    reads_max: usize,
}

impl ReadBound {
    pub(super) fn new(reads_max: usize) -> Self {
        Self {
            noted: Cell::new(0),
            noted_max: Cell::new(reads_max),
            reads_max,
        }
    }

    /// Counts one more; false: it is not to be noted. Whoever then writes does not commit.
    #[inline]
    pub(crate) fn note(&self) -> bool {
        let noted = self.noted.get() + 1;
        self.noted.set(noted);
        noted <= self.noted_max.get()
    }

    /// Whether there was more than was noted.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.noted.get() > self.noted_max.get()
    }

    /// The bound of the store's transactions.
    pub(super) fn reads_max(&self) -> usize {
        self.reads_max
    }

    /// Lets this transaction read as much as it likes.
    pub(super) fn lift(&self) {
        self.noted_max.set(usize::MAX);
    }

    pub(super) fn clear(&self) {
        self.noted.set(0);
        self.noted_max.set(self.reads_max);
    }
}
