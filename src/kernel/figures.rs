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
        for (counter, change) in [(&self.versions, versions), (&self.bytes, bytes)] {
            // Relaxed: as above.
            let before = counter.load(Ordering::Relaxed);
            let after = before.wrapping_add(change.cast_unsigned());
            // Relaxed: as above.
            counter.store(after, Ordering::Relaxed);
        }
    }
}

impl Kernel {
    /// Counts one more, in this thread's line.
    #[inline]
    pub(crate) fn count(&self, figure: Figure) {
        self.domain.registry().line().count(figure);
    }

    /// How many all threads have counted, about.
    pub(crate) fn counted(&self, figure: Figure) -> u64 {
        let lines = self.domain.registry().lines();
        // Relaxed: a figure.
        let counted = lines.map(|line| line.figures[figure as usize].load(Ordering::Relaxed));
        counted.sum()
    }
}
