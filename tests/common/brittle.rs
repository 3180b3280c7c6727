//! What panics whenever it is dropped, where that is wanted, and counts itself.

use std::cell::Cell;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicI64, Ordering};

thread_local! {
    /// Whether each Drop panics.
    pub static BREAKS: Cell<bool> = const { Cell::new(false) };
}

static ALIVE: AtomicI64 = AtomicI64::new(0);

/// How many there are, of all threads.
pub fn alive() -> i64 {
    ALIVE.load(Ordering::Relaxed)
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Brittle(pub u64);

impl Brittle {
    pub fn new(number: u64) -> Self {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        Self(number)
    }
}

impl Clone for Brittle {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl Drop for Brittle {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::Relaxed);
        if BREAKS.get() {
            // Without the message of a panic.
            resume_unwind(Box::new("it breaks"));
        }
    }
}
