//! The allocator of all that is measured, the C library's or, with the feature of that name,
//! mimalloc, with the bytes that are allocated now counted: as asked for, without rounding.
//!
//! Each thread counts on its own, without a locked operation, so that counting costs little and
//! disturbs nobody; only when there are very many at once some count together.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to implement; it only counts and passes on"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

#[cfg(feature = "mimalloc")]
use mimalloc::MiMalloc as Inner;
#[cfg(not(feature = "mimalloc"))]
use std::alloc::System as Inner;

/// Which allocator it is.
pub const ALLOCATOR: &str = if cfg!(feature = "mimalloc") {
    "mimalloc"
} else {
    "the C library's allocator"
};

/// Counters that a thread has for itself while it lives; a bit each in `TAKEN`.
const OWN_COUNTERS: usize = u64::BITS as usize;
/// The counter of all other threads.
const SHARED: usize = OWN_COUNTERS;

#[repr(align(128))]
struct Counter {
    bytes: AtomicI64,
    allocations: AtomicI64,
}

impl Counter {
    const fn new() -> Self {
        Self {
            bytes: AtomicI64::new(0),
            allocations: AtomicI64::new(0),
        }
    }
}

static COUNTED: [Counter; OWN_COUNTERS + 1] = [const { Counter::new() }; OWN_COUNTERS + 1];
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// A thread's counter, by its number.
struct Own(usize);

thread_local! {
    static OWN: Own = Own::take();
}

impl Own {
    /// One that is free, if there is one.
    fn take() -> Self {
        let mut taken = TAKEN.load(Ordering::Relaxed);
        while taken != u64::MAX {
            let number = taken.trailing_ones();
            // Acquire: what its last thread counted.
            taken = TAKEN.fetch_or(1 << number, Ordering::Acquire);
            if taken >> number & 1 == 0 {
                return Self(number as usize);
            }
        }
        Self(SHARED)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if self.0 != SHARED {
            // Release: what we counted, for its next thread.
            TAKEN.fetch_and(!(1 << self.0), Ordering::Release);
        }
    }
}

fn count(bytes: i64, allocations: i64) {
    let own = OWN.try_with(|own| own.0).unwrap_or(SHARED);
    let counter = &COUNTED[own];
    let add = |figure: &AtomicI64, more: i64| {
        if own == SHARED {
            figure.fetch_add(more, Ordering::Relaxed);
        } else {
            // Nobody else writes it.
            figure.store(figure.load(Ordering::Relaxed) + more, Ordering::Relaxed);
        }
    };
    add(&counter.bytes, bytes);
    add(&counter.allocations, allocations);
}

fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn sum(figure: impl Fn(&Counter) -> &AtomicI64) -> i64 {
    let counters = COUNTED.iter();
    counters.map(|it| figure(it).load(Ordering::Relaxed)).sum()
}

/// Bytes allocated now, and those that stores have from the system, past the allocator.
#[must_use]
pub fn bytes() -> i64 {
    sum(|counter| &counter.bytes) + size(skep::mapped_bytes())
}

/// Allocations made so far.
#[must_use]
pub fn allocations() -> i64 {
    sum(|counter| &counter.allocations)
}

/// The allocator, counted.
#[derive(Debug)]
pub struct Counting;

// SAFETY: each call is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()), 1);
        // SAFETY: the caller's promise.
        unsafe { Inner.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-size(layout.size()), 0);
        // SAFETY: the caller's promise.
        unsafe { Inner.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()), 1);
        // SAFETY: the caller's promise.
        unsafe { Inner.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(size(new_size) - size(layout.size()), 1);
        // SAFETY: the caller's promise.
        unsafe { Inner.realloc(pointer, layout, new_size) }
    }
}
