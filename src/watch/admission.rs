//! Admission: how many watchers a store has, and may have.

use crate::sync::{AtomicU64, Ordering};

/// Counts the watchers of a store.
#[derive(Debug)]
pub(crate) struct Admission {
    watchers: AtomicU64,
    watchers_max: u64,
}

/// A watcher that is counted, and not made yet: dropping it takes it off again.
#[derive(Debug)]
pub(super) struct Entering<'a>(&'a Admission);

impl Admission {
    pub(super) fn new(watchers_max: u64) -> Self {
        Self {
            watchers: AtomicU64::new(0),
            watchers_max,
        }
    }

    /// Counts one more; `Err`: there are as many as there may be, so many. Of several that come at
    /// once when one place is left all may be refused; never are more let in.
    pub(super) fn enter(&self) -> Result<Entering<'_>, u64> {
        // Relaxed: a count: all changes of one word are in one order.
        let before = self.watchers.fetch_add(1, Ordering::Relaxed);
        let entering = Entering(self);
        match before < self.watchers_max {
            true => Ok(entering),
            false => Err(self.watchers_max),
        }
    }

    /// One of them is gone.
    pub(super) fn leave(&self) {
        // Relaxed: as above.
        self.watchers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Entering<'_> {
    /// It is made, and leaves by itself.
    pub(super) fn stay(self) {
        std::mem::forget(self);
    }
}

impl Drop for Entering<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}
