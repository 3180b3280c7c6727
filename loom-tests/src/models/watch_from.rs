//! A cursor placed at an older position (W2), and the history that is counted meanwhile (Y1, Y2).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::cursor::Cursor;
use crate::kernel::history::HistoryLimits;
use crate::kernel::log::Slot;
use crate::kernel::testing::{Txn, cell, kernel};
use crate::kernel::{Kernel, Limits};

fn limits(history: HistoryLimits) -> Limits {
    Limits {
        retention: 0,
        log_commits: 8,
        watch_commits: 8,
        history,
    }
}

/// A kernel with `commits` commits on one cell.
fn world(history: HistoryLimits, commits: u64) -> Arc<Kernel> {
    let kernel = kernel(limits(history));
    let cell = cell(&kernel, 1);
    for value in 1..=commits {
        let done = Txn::begin(&kernel).commit(&[(cell, Some(value))]);
        assert_eq!(done, Ok(value));
    }
    kernel
}

/// Watches from a version on: what comes next, or from where on it could begin.
fn watch_from(kernel: &Arc<Kernel>, version: u64) -> Result<u64, u64> {
    let cursor = Cursor::at(kernel, version)?;
    let guard = kernel.domain.pin();
    match kernel.log.at(&guard, cursor.position() + 1) {
        Slot::Commit(commit) => Ok(commit.number()),
        Slot::Empty => panic!("visible and empty"),
        Slot::Trimmed => panic!("trimmed from under a watcher within its lag"),
    }
}

/// W2: who is placed at an older position finds all that comes after it, or is refused.
#[test]
fn watch_from_against_the_trimmer() {
    let seen = outcomes(3, || {
        let kernel = world(HistoryLimits::NONE, 2);
        let watcher = spawn(&kernel, |kernel| watch_from(kernel, 1));
        kernel.collect();
        watcher.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([Ok(2), Err(2)]));
}

/// The same within a history: it is never refused.
#[test]
fn watch_from_within_the_history() {
    let history = HistoryLimits {
        commits: Some(1),
        ..HistoryLimits::NONE
    };
    let seen = outcomes(2, move || {
        let kernel = world(history, 2);
        let watcher = spawn(&kernel, |kernel| {
            [watch_from(kernel, 0), watch_from(kernel, 1)]
        });
        kernel.collect();
        watcher.join().expect("no panic")
    });
    let expected = [[Ok(1), Ok(2)], [Err(1), Ok(2)]];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// W2, W3: two walk and trim while a cursor is placed: what one of them let go the other trims.
#[test]
fn watch_from_against_two_trimmers() {
    let seen = outcomes(1, || {
        let kernel = world(HistoryLimits::NONE, 2);
        let other = spawn(&kernel, |kernel| {
            kernel.collect();
        });
        let watcher = spawn(&kernel, |kernel| watch_from(kernel, 1));
        kernel.collect();
        other.join().expect("no panic");
        watcher.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([Ok(2), Err(2)]));
}

/// Y1, Y2: two count and trim at once; in the end the sum is that of the commits that are left.
#[test]
fn two_count_a_history() {
    let history = HistoryLimits {
        bytes: Some(1),
        ..HistoryLimits::NONE
    };
    let seen = outcomes(1, move || {
        let kernel = world(history, 1);
        let other = spawn(&kernel, |kernel| {
            kernel.collect();
        });
        kernel.collect();
        other.join().expect("no panic");
        kernel.collect();
        (kernel.log.trimmed(), kernel.history_bytes())
    });
    assert_eq!(seen, BTreeSet::from([(1, 0)]));
}
