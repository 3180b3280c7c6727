//! What threads count: each in its own line, summed up by who asks.

use super::Kernel;
use super::session::Line;
use crate::sync::{Ordering, Tally};

/// What a thread counts of its transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    /// Commits tried, of something written.
    Attempts,
    /// Such that another transaction was in the way of.
    Conflicts,
    /// Closures run once more after that.
    Retries,
    /// Closures not run once more, after so many times.
    Exhausted,
}

/// How many figures there are.
const FIGURES: usize = 4;

/// The figures of a line.
pub(super) type Figures = [Tally; FIGURES];

/// All 0.
pub(super) fn figures() -> Figures {
    std::array::from_fn(|_| Tally::new(0))
}

impl Line {
    /// Counts one more; the owner alone.
    #[inline]
    pub(crate) fn count(&self, figure: Figure) {
        let counter = &self.figures[figure as usize];
        // Relaxed: a figure; only the owning thread writes it (L2).
        let before = counter.load(Ordering::Relaxed);
        // Relaxed: as above.
        counter.store(before + 1, Ordering::Relaxed);
    }

    /// Counts versions, and their bytes, that came to the store or left it.
    #[inline]
    pub(super) fn count_made(&self, versions: i64, bytes: i64) {
        add(&self.versions, versions);
        add(&self.bytes, bytes);
    }

    /// Counts objects that were created, less those that were deleted.
    #[inline]
    pub(super) fn count_objects(&self, more: i64) {
        if more != 0 {
            add(&self.objects, more);
        }
    }
}

/// Adds to a wrapping sum; the line's owner alone.
#[inline]
fn add(counter: &Tally, change: i64) {
    // Relaxed: a figure; only the owning thread writes it (L2).
    let before = counter.load(Ordering::Relaxed);
    let after = before.wrapping_add(change.cast_unsigned());
    // Relaxed: as above.
    counter.store(after, Ordering::Relaxed);
}

/// The sum of what lines have counted. What one thread made and another freed may be seen only
/// half.
fn sum<'a>(counters: impl Iterator<Item = &'a Tally>) -> u64 {
    // Relaxed: figures.
    let counted = counters.map(|counter| counter.load(Ordering::Relaxed));
    let sum = counted.fold(0u64, u64::wrapping_add);
    u64::try_from(sum.cast_signed()).unwrap_or(0)
}

impl Kernel {
    /// Counts one more, in this thread's line.
    #[inline]
    pub(crate) fn count(&self, figure: Figure) {
        self.domain.registry().line().count(figure);
    }

    /// Counts versions and their bytes as this thread makes (or, negative, frees) them.
    pub(crate) fn count_made(&self, versions: i64, bytes: i64) {
        self.domain.registry().line().count_made(versions, bytes);
    }

    /// Versions in the store and their bytes, about: threads count apart.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let lines = || self.domain.registry().lines();
        let versions = sum(lines().map(|line| &line.versions));
        (versions, sum(lines().map(|line| &line.bytes)))
    }

    /// Objects in the store, about. O(threads).
    pub(crate) fn objects(&self) -> u64 {
        sum(self.domain.registry().lines().map(|line| &line.objects))
    }

    /// How many all threads have counted, about.
    pub(crate) fn counted(&self, figure: Figure) -> u64 {
        let lines = self.domain.registry().lines();
        // Relaxed: a figure.
        let counted = lines.map(|line| line.figures[figure as usize].load(Ordering::Relaxed));
        counted.sum()
    }
}
