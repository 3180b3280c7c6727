//! Memory that is not to be had: the process ends, as Rust's does, at once and by nothing else. It
//! does not go on with a half-made structure.

#![cfg(unix)]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use common::{Task, put, task};
use skep::{Filter, Store, keys};

/// Fails one allocation of a thread.
struct Failing;

thread_local! {
    /// How many allocations are still granted; none: all are.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Whether this one is granted.
fn is_granted() -> bool {
    let granted = LEFT.try_with(|left| match left.get() {
        None => true,
        Some(0) => false,
        Some(more) => {
            left.set(Some(more - 1));
            true
        }
    });
    granted.unwrap_or(true)
}

// SAFETY: it hands everything on to the system's allocator, or says that there is no memory.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_granted() {
            // What tells of it may allocate.
            LEFT.set(None);
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static FAILING: Failing = Failing;

/// Which allocation is to fail, as told to the process that is to end.
const FAIL_AT: &str = "SKEP_FAIL_ALLOCATION";
/// Allocations that fail, one a process: spread over the work.
const FAILURES: u64 = 40;
/// More than the work makes.
const ENDLESS: u64 = 1 << 40;

/// Every sort of work that allocates.
fn work() {
    let store = Store::builder()
        .table::<Task>()
        .table::<common::Account>()
        .build();
    let mut watchers = [
        store.watch(Filter::all()),
        store.watch(Filter::of::<Task>().key(&1)),
    ];
    for round in 0..4 {
        put(
            &store,
            (0..40).map(|id| Task {
                node: Some(id % 3),
                count: round,
                ..task(id)
            }),
        );
        let snapshot = store.snapshot();
        assert_eq!(snapshot.count(Task::BY_NODE.any_of([0u64, 1])), 27);
        for id in 0..20 {
            common::delete::<Task>(&store, &id);
        }
        for watcher in &mut watchers {
            while watcher.try_recv().expect("no lag").is_some() {}
        }
        store.reclaim();
    }
    assert_eq!(store.read().count(keys::<Task>().all()), 20);
}

/// Run in a process of its own by the other test; alone it does nothing.
#[test]
fn one_allocation_fails() {
    let Ok(fail_at) = std::env::var(FAIL_AT) else {
        return;
    };
    let granted: u64 = fail_at.parse().expect("a number");
    LEFT.set(Some(granted));
    work();
    let made = LEFT.replace(None).map_or(0, |left| granted - left);
    println!("{made} allocations");
}

fn run(fail_at: u64) -> std::process::Output {
    let program = std::env::current_exe().expect("a test is a program");
    let mut command = Command::new(program);
    command.args([
        "--exact",
        "one_allocation_fails",
        "--nocapture",
        "--test-threads=1",
    ]);
    command.env(FAIL_AT, fail_at.to_string());
    command.output().expect("it runs")
}

#[test]
fn an_allocation_that_fails_ends_the_process() {
    let all = run(ENDLESS);
    let told = String::from_utf8_lossy(&all.stdout);
    let made = told
        .lines()
        .find_map(|line| line.strip_suffix(" allocations")?.rsplit(' ').next());
    let made: u64 = made.and_then(|made| made.parse().ok()).expect(&told);
    assert!(made > FAILURES, "{made}");
    for failure in 0..FAILURES {
        let fail_at = failure * made / FAILURES;
        let ended = run(fail_at);
        let told = String::from_utf8_lossy(&ended.stderr);
        /// What `abort` ends by.
        const ABORTED: i32 = 6;
        assert_eq!(
            ended.status.signal(),
            Some(ABORTED),
            "at {fail_at} of {made}: {told}"
        );
        assert!(
            told.contains("memory allocation of"),
            "at {fail_at}: {told}"
        );
    }
}
