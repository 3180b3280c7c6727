//! Passing on to all who are due to be woken ([`super::wake`]), by a thread whose wakers do so too.
//!
//! A task may be polled where it is woken. Then it passes on as well, in its waker, and so do those
//! whom it wakes by that: as deep as there are tasks. So from some depth on a thread leaves it to
//! itself: to the call further up, which goes on until nobody is due.

use std::cell::Cell;

use crate::sync::local;

/// How often at most who comes by wakes a few: there may be more due by then, without end.
const PASSES_MAX: u32 = if cfg!(any(loom, shuttle)) { 4 } else { 4096 };
/// How deep a thread passes on in its wakers. Not at the first: one may stop after that.
const NESTED_MAX: u32 = 8;

/// What this thread is at.
#[derive(Clone, Copy, Debug)]
struct Passing {
    /// For whom, as a number; 0: nobody.
    waiters: usize,
    /// How deep.
    depth: u32,
    /// Whether a call further down has left it the rest.
    asked: bool,
}

const NOTHING: Passing = Passing {
    waiters: 0,
    depth: 0,
    asked: false,
};

local!(PASSING: Cell<Passing> = Cell::new(NOTHING));

fn replace(now: Passing) -> Passing {
    // A thread whose locals are gone is about to end.
    let before = PASSING.try_with(|passing| passing.replace(now));
    before.unwrap_or(NOTHING)
}

/// What the thread was at before, and is at again when this is dropped.
struct Before(Passing);

impl Drop for Before {
    fn drop(&mut self) {
        replace(self.0);
    }
}

/// Calls `pass`, which wakes a few of those who are due and tells whether there are more, until
/// there are none. False: this thread is doing so, deep enough, and goes on.
pub(super) fn pass_all(waiters: usize, mut pass: impl FnMut() -> bool) -> bool {
    let before = replace(NOTHING);
    let depth = match before.waiters == waiters {
        true => before.depth,
        false => 0,
    };
    if depth >= NESTED_MAX {
        let asked = true;
        replace(Passing { asked, ..before });
        return false;
    }
    let _before = Before(before);
    let own = Passing {
        waiters,
        depth: depth + 1,
        asked: false,
    };
    replace(own);
    let mut passes = 0;
    while passes < PASSES_MAX && pass() {
        // What was left to us is bounded as if it was not.
        passes = if replace(own).asked { 0 } else { passes + 1 };
    }
    true
}
