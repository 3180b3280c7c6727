//! A task that waits: its waker, of which each call, and the end, may run anything. A panic there
//! is not the trouble of who has others to call, or happens to have the task last.

use std::task::Waker;

use super::barrier::prefetch;
use super::release::contain;

/// A task; see the module's documentation.
#[derive(Debug)]
pub(super) struct Task(Waker);

impl Task {
    pub(super) fn new(waker: Waker) -> Self {
        Self(waker)
    }

    /// Wakes it.
    pub(super) fn call(&self) {
        contain(|| self.0.wake_by_ref());
    }

    /// Whether this waker wakes it.
    pub(super) fn is_woken_by(&self, waker: &Waker) -> bool {
        self.0.will_wake(waker)
    }

    /// Has the processor fetch what calling it needs.
    #[inline]
    pub(super) fn prefetch(&self) {
        prefetch(self.0.data());
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        contain(|| self.0 = Waker::noop().clone());
    }
}
