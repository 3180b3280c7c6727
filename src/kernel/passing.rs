//! Passing on to all who are due to be woken ([`super::wake`]), by a thread whose wakers do so too.
//!
//! A task may be polled where it is woken. Then it passes on as well, in its waker, and so do those
//! whom it wakes by that: as deep as there are tasks. So from some depth on a thread leaves it to
//! itself ([`super::nesting`]): to the call further up, which goes on until nobody is due.

use super::nesting::Nesting;
use crate::sync::local;

/// How often at most who comes by wakes a few: there may be more due by then, without end.
const PASSES_MAX: u32 = if cfg!(any(loom, shuttle)) { 4 } else { 4096 };

// For whom this thread passes on, and whether a call further down has left it the rest.
local!(PASSING: Nesting = Nesting::new());

/// While it lives this thread passes on for these, as a number.
struct Passing {
    waiters: usize,
}

impl Passing {
    /// None: it does so already, as deep as it may, and the rest is left to that.
    fn begin(waiters: usize) -> Option<Self> {
        let begun = PASSING.try_with(|nesting| {
            let begun = nesting.enter(waiters);
            if !begun {
                nesting.leave_to(waiters, 1);
            }
            begun
        });
        // A thread whose locals are gone is about to end.
        begun.unwrap_or(true).then(|| Self { waiters })
    }

    /// Whether a call further down has left it the rest since this was asked last.
    fn was_asked(&self) -> bool {
        let asked = PASSING.try_with(|nesting| nesting.take_left(self.waiters));
        asked.is_ok_and(|asked| asked > 0)
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        // Nobody is due any more, of those either who were left to it.
        self.was_asked();
        let _ = PASSING.try_with(|nesting| nesting.leave(self.waiters));
    }
}

/// Calls `pass`, which wakes a few of those who are due and tells whether there are more, until
/// there are none. False: this thread is doing so, deep enough, and goes on.
pub(super) fn pass_all(waiters: usize, mut pass: impl FnMut() -> bool) -> bool {
    let Some(passing) = Passing::begin(waiters) else {
        return false;
    };
    let mut passes = 0;
    while passes < PASSES_MAX && pass() {
        // What was left to us is bounded as if it was not.
        passes = if passing.was_asked() { 0 } else { passes + 1 };
    }
    true
}
