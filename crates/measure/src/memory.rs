//! The allocator of all that is measured, mimalloc, with the bytes that are allocated now counted:
//! as asked for, without rounding.
//!
//! Threads count apart, in counters that they share only when there are very many, so that counting
//! costs a nanosecond and disturbs nobody.

#![expect(
    unsafe_code,
    reason = "an allocator is unsafe to implement; it only counts and passes on"
)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use mimalloc::MiMalloc;

/// Counters; threads beyond these share them.
const COUNTERS: usize = 64;

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

static COUNTED: [Counter; COUNTERS] = [const { Counter::new() }; COUNTERS];
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN: Cell<usize> = const { Cell::new(usize::MAX) };
}

fn count(bytes: i64, allocations: i64) {
    let own = OWN.try_with(|own| {
        if own.get() == usize::MAX {
            own.set(THREADS.fetch_add(1, Ordering::Relaxed) % COUNTERS);
        }
        own.get()
    });
    let counter = &COUNTED[own.unwrap_or(0)];
    counter.bytes.fetch_add(bytes, Ordering::Relaxed);
    counter
        .allocations
        .fetch_add(allocations, Ordering::Relaxed);
}

fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn sum(figure: impl Fn(&Counter) -> &AtomicI64) -> i64 {
    let counters = COUNTED.iter();
    counters.map(|it| figure(it).load(Ordering::Relaxed)).sum()
}

/// Bytes allocated now.
#[must_use]
pub fn bytes() -> i64 {
    sum(|counter| &counter.bytes)
}

/// Allocations made so far.
#[must_use]
pub fn allocations() -> i64 {
    sum(|counter| &counter.allocations)
}

/// mimalloc, counted.
#[derive(Debug)]
pub struct Counting;

// SAFETY: each call is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()), 1);
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-size(layout.size()), 0);
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()), 1);
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(size(new_size) - size(layout.size()), 1);
        // SAFETY: the caller's promise.
        unsafe { MiMalloc.realloc(pointer, layout, new_size) }
    }
}
