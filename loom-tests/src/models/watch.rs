//! Watching (W1, W2): a cursor against trimming.

use std::collections::BTreeSet;

use super::check::{outcomes, spawn};
use crate::kernel::Limits;
use crate::kernel::cursor::Cursor;
use crate::kernel::history::HistoryLimits;
use crate::kernel::log::Slot;
use crate::kernel::testing::{Txn, cell, kernel};

/// As a watcher: the number of the next commit; `Err`: lagged, and gone on behind the gap.
fn fetch(cursor: &mut Cursor) -> Option<Result<u64, u64>> {
    let kernel = std::sync::Arc::clone(cursor.kernel());
    if cursor.position() >= kernel.horizon.visible() {
        return None;
    }
    let guard = kernel.domain.pin();
    let next = cursor.position() + 1;
    match kernel.log.at(&guard, next) {
        Slot::Commit(commit) => {
            let number = commit.number();
            let again = kernel.log.at(&guard, next);
            assert!(!matches!(again, Slot::Empty), "a slot that goes back");
            // SAFETY: found under the guard: G3.
            let same = unsafe { crate::kernel::reclaim::at(std::ptr::from_ref(commit)) };
            assert_eq!((same.number(), number), (next, next));
            drop(guard);
            cursor.move_to(next);
            Some(Ok(number))
        }
        Slot::Empty => panic!("visible and empty"),
        Slot::Trimmed => {
            let resume_from = kernel.log.trimmed();
            assert!(resume_from >= next, "trimmed, and yet not");
            drop(guard);
            cursor.move_to(resume_from);
            Some(Err(resume_from))
        }
    }
}

fn limits(watch_commits: u64) -> Limits {
    Limits {
        retention: 0,
        log_commits: 8,
        watch_commits,
        history: HistoryLimits::NONE,
    }
}

/// W2: a new watcher misses nothing after its beginning, whatever is trimmed meanwhile.
#[test]
fn begin_during_a_trim() {
    let seen = outcomes(2, || {
        let kernel = kernel(limits(8));
        let cell = cell(&kernel, 1);
        let done = Txn::begin(&kernel).commit(&[(cell, Some(1))]);
        assert_eq!(done, Ok(1));
        let watcher = spawn(&kernel, |kernel| {
            let mut cursor = Cursor::new(kernel);
            let from = cursor.position();
            (from, fetch(&mut cursor))
        });
        let done = Txn::begin(&kernel).commit(&[(cell, Some(2))]);
        assert_eq!(done, Ok(2));
        kernel.collect();
        watcher.join().expect("no panic")
    });
    let expected = [(1, None), (1, Some(Ok(2))), (2, None)];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// W1, G3: a watcher that lags is passed by, and knows; what it is reading is not freed under it.
#[test]
fn a_lagging_cursor() {
    let seen = outcomes(2, || {
        let kernel = kernel(limits(0));
        let cell = cell(&kernel, 1);
        let mut cursor = Cursor::new(&kernel);
        for value in 1..=2 {
            let done = Txn::begin(&kernel).commit(&[(cell, Some(value))]);
            assert_eq!(done, Ok(value));
        }
        let collector = spawn(&kernel, |kernel| {
            for _ in 0..3 {
                kernel.collect();
            }
        });
        let found = fetch(&mut cursor);
        collector.join().expect("no panic");
        found
    });
    assert_eq!(seen, BTreeSet::from([Some(Ok(1)), Some(Err(2))]));
}

/// W1: a watcher within its lag reads on: nothing above its cursor is trimmed.
#[test]
fn a_cursor_within_its_lag() {
    let seen = outcomes(2, || {
        let kernel = kernel(limits(8));
        let cell = cell(&kernel, 1);
        let mut cursor = Cursor::new(&kernel);
        for value in 1..=2 {
            let done = Txn::begin(&kernel).commit(&[(cell, Some(value))]);
            assert_eq!(done, Ok(value));
        }
        let collector = spawn(&kernel, |kernel| {
            kernel.collect();
            kernel.collect();
        });
        let found = [fetch(&mut cursor), fetch(&mut cursor)];
        collector.join().expect("no panic");
        found
    });
    assert_eq!(seen, BTreeSet::from([[Some(Ok(1)), Some(Ok(2))]]));
}

/// [cursor]: what was read under a cursor happened before the trimming that it held back.
#[test]
fn a_cursor_that_ends() {
    let seen = outcomes(2, || {
        let kernel = kernel(limits(8));
        let cell = cell(&kernel, 1);
        let mut cursor = Cursor::new(&kernel);
        let done = Txn::begin(&kernel).commit(&[(cell, Some(1))]);
        assert_eq!(done, Ok(1));
        let collector = spawn(&kernel, |kernel| {
            for _ in 0..2 {
                kernel.collect();
            }
            kernel.log.trimmed()
        });
        let found = fetch(&mut cursor);
        drop(cursor);
        (found, collector.join().expect("no panic"))
    });
    let expected = [(Some(Ok(1)), 0), (Some(Ok(1)), 1)];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// N2: two take a slot at once, with one left between: each has its own, and each is seen.
#[test]
fn two_cursors_at_once() {
    let seen = outcomes(2, || {
        let kernel = kernel(limits(8));
        let cell = cell(&kernel, 1);
        drop(Cursor::new(&kernel));
        let other = spawn(&kernel, Cursor::new);
        let mine = Cursor::new(&kernel);
        let theirs = other.join().expect("no panic");
        let third = Cursor::new(&kernel);
        drop(third);
        let done = Txn::begin(&kernel).commit(&[(cell, Some(1))]);
        assert_eq!(done, Ok(1));
        kernel.collect();
        assert_eq!(kernel.watchers(), 2);
        // Of two in one slot the one that moves would let go what the other needs.
        let mut cursors = [mine, theirs];
        assert_eq!(fetch(&mut cursors[0]), Some(Ok(1)));
        kernel.collect();
        fetch(&mut cursors[1])
    });
    assert_eq!(seen, BTreeSet::from([Some(Ok(1))]));
}
