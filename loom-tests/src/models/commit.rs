//! Commits (C1, G1, K1, V1): append, install, help, watermark.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use super::tables;
use crate::kernel::history::HistoryLimits;
use crate::kernel::reading::SharedHold;
use crate::kernel::reclaim::Guard;
use crate::kernel::testing::{Cell, Txn, append_only, cell, kernel};
use crate::kernel::{Kernel, Kind, Limits};

const LIMITS: Limits = Limits {
    retention: 0,
    log_commits: 4,
    watch_commits: 4,
    history: HistoryLimits::NONE,
};

/// Two cells, each with 10 in it, by one commit.
fn two_cells() -> (Arc<Kernel>, [Cell; 2]) {
    let kernel = kernel(LIMITS);
    let cells = [cell(&kernel, 1), cell(&kernel, 2)];
    let changes = cells.map(|cell| (cell, Some(10)));
    let made = Txn::begin(&kernel).commit(&changes);
    assert_eq!(made, Ok(1));
    (kernel, cells)
}

fn value(kernel: &Kernel, cell: Cell) -> u64 {
    Txn::begin_as(kernel, Kind::Reader)
        .read(cell)
        .expect("it is there")
        .1
}

/// Adds one, once.
fn add(kernel: &Kernel, cell: Cell) -> Result<u64, u64> {
    let mut txn = Txn::begin(kernel);
    let (_, value) = txn.read(cell).expect("it is there");
    txn.commit(&[(cell, Some(value + 1))])
}

/// G1: two read, add one and write: nothing is lost, and who conflicts then sees why.
#[test]
fn lost_update() {
    let seen = outcomes(2, || {
        let (kernel, [cell, _]) = two_cells();
        let other = spawn(&kernel, move |kernel| {
            let done = add(kernel, cell);
            done.inspect_err(|&with| {
                let mut again = Txn::begin(kernel);
                assert!(again.version() >= with, "a conflict that is not visible");
                assert_eq!(again.read(cell).expect("there").0, with);
            })
        });
        let mine = add(&kernel, cell);
        let theirs = other.join().expect("no panic");
        let done = [mine, theirs].iter().filter(|one| one.is_ok()).count() as u64;
        assert_eq!(value(&kernel, cell), 10 + done, "an update is lost");
        (mine, theirs)
    });
    let expected = [
        (Ok(2), Err(2)),
        (Err(2), Ok(2)),
        (Ok(2), Ok(3)),
        (Ok(3), Ok(2)),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// G1, G8: two of different cells pass each other by, find each other in the log all the same, and
/// are visible when they are through.
#[test]
fn two_strangers() {
    let seen = outcomes(2, || {
        let (kernel, [one, two]) = two_cells();
        let through = |kernel: &Kernel, cell| {
            let done = add(kernel, cell).expect("nobody is in the way");
            assert!(Txn::begin(kernel).version() >= done, "not visible yet");
            done
        };
        let other = spawn(&kernel, move |kernel| through(kernel, one));
        let mine = through(&kernel, two);
        (mine, other.join().expect("no panic"))
    });
    assert_eq!(seen, BTreeSet::from([(2, 3), (3, 2)]));
}

/// C1: a commit of two cells is seen whole or not at all, whoever installs it.
#[test]
fn torn_visibility() {
    let seen = outcomes(2, || {
        let (kernel, cells) = two_cells();
        let reader = spawn(&kernel, move |kernel| {
            let mut txn = Txn::begin_as(kernel, Kind::Reader);
            let found = cells.map(|cell| txn.read(cell).expect("there").1);
            (txn.version(), found)
        });
        let done = Txn::begin(&kernel).commit(&cells.map(|cell| (cell, Some(11))));
        assert_eq!(done, Ok(2));
        reader.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([(1, [10, 10]), (2, [11, 11])]));
}

/// C1: the same under a pin that was there before, and whose fence does not help.
#[test]
fn torn_visibility_under_a_pin() {
    let seen = outcomes(2, || {
        let (kernel, cells) = two_cells();
        let reader = spawn(&kernel, move |kernel| {
            let _guard = kernel.domain.pin();
            let mut txn = Txn::begin_as(kernel, Kind::Reader);
            let found = cells.map(|cell| txn.read(cell).expect("there").1);
            (txn.version(), found)
        });
        let done = Txn::begin(&kernel).commit(&cells.map(|cell| (cell, Some(11))));
        assert_eq!(done, Ok(2));
        reader.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([(1, [10, 10]), (2, [11, 11])]));
}

/// C1: of three one installs, another shows, a third reads.
#[test]
fn installed_by_one_and_shown_by_another() {
    let seen = outcomes(2, || {
        let (kernel, [cell, _]) = two_cells();
        let number = append_only(Txn::begin(&kernel), cell, 11, None);
        // The owner's line is not its own: a line that it left would bring its writes along.
        let line = kernel.domain.registry().take();
        let early = kernel.domain.pin_on(&line);
        // SAFETY: the owner drops it, before the kernel goes.
        let early: Guard<'static> = unsafe { std::mem::transmute(early) };
        let owner = spawn(&kernel, move |kernel| {
            kernel.install(&early, number);
            drop(early);
        });
        let reader = spawn(&kernel, move |kernel| {
            // Pinned before: in loom a fence after the watermark is read acquires as well what who
            // moved the watermark only saw.
            let _guard = kernel.domain.pin();
            let mut txn = Txn::begin_as(kernel, Kind::Reader);
            (txn.version(), txn.read(cell).expect("there").1)
        });
        let guard = kernel.domain.pin();
        kernel.advance_to(&guard, number);
        drop(guard);
        owner.join().expect("no panic");
        reader.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([(1, 10), (2, 11)]));
}

/// C1: torn visibility with a helper: the reader first installs what it finds in the log.
#[test]
fn torn_visibility_with_a_helper() {
    let seen = outcomes(2, || {
        let (kernel, [cell, _]) = two_cells();
        let number = append_only(Txn::begin(&kernel), cell, 11, None);
        let helper = spawn(&kernel, move |kernel| {
            let guard = kernel.domain.pin();
            kernel.advance_to(&guard, number);
            drop(guard);
            value(kernel, cell)
        });
        let early = value(&kernel, cell);
        let guard = kernel.domain.pin();
        kernel.advance_to(&guard, number);
        drop(guard);
        assert_eq!(value(&kernel, cell), 11);
        (early, helper.join().expect("no panic"))
    });
    assert_eq!(seen, BTreeSet::from([(10, 11), (11, 11)]));
}

/// K1, V1: a helper stops before it installs a commit, and goes on when the cell has moved on, and
/// what was there is collected.
#[test]
fn a_late_helper() {
    let seen = outcomes(2, || {
        let (kernel, [cell, _]) = two_cells();
        let number = append_only(Txn::begin(&kernel), cell, 11, None);
        let helper = spawn(&kernel, move |kernel| {
            let guard = kernel.domain.pin();
            kernel.install(&guard, number);
        });
        let guard = kernel.domain.pin();
        kernel.advance_to(&guard, number);
        drop(guard);
        assert_eq!(add(&kernel, cell), Ok(3));
        for _ in 0..3 {
            kernel.collect();
        }
        helper.join().expect("no panic");
        let guard = kernel.domain.pin();
        assert_eq!(cell.chain(&guard)[0], 3, "a cell that goes back");
        drop(guard);
        value(&kernel, cell)
    });
    assert_eq!(seen, BTreeSet::from([12]));
}

/// C1, V3, V4: a writer stops after its append, one helps, one collects what the helper replaces,
/// and one reads: it keeps what it found.
#[test]
fn a_helper_and_a_reclaimer_beside_a_reader() {
    let seen = outcomes(1, || {
        let (kernel, [cell, _]) = two_cells();
        let number = append_only(Txn::begin(&kernel), cell, 11, None);
        let helper = spawn(&kernel, move |kernel| {
            let guard = kernel.domain.pin();
            kernel.advance_to(&guard, number);
        });
        let reader = spawn(&kernel, move |kernel| {
            let mut txn = Txn::begin_as(kernel, Kind::Reader);
            let found = txn.read(cell).expect("there");
            assert_eq!(txn.read(cell), Some(found));
            (txn.version(), found)
        });
        for _ in 0..3 {
            kernel.collect();
        }
        helper.join().expect("no panic");
        reader.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([(1, (1, 10)), (2, (2, 11))]));
}

/// G1: each reads both cells and writes one: not both, on the same snapshot.
#[test]
fn write_skew() {
    let seen = outcomes(2, || {
        let (kernel, cells) = two_cells();
        let take = move |kernel: &Kernel, at: usize| {
            let mut txn = Txn::begin(kernel);
            let sum: u64 = cells
                .iter()
                .map(|&one| txn.read(one).expect("there").1)
                .sum();
            if sum < 20 {
                return None;
            }
            Some(txn.commit(&[(cells[at], Some(1))]))
        };
        let other = spawn(&kernel, move |kernel| take(kernel, 1));
        let mine = take(&kernel, 0);
        let theirs = other.join().expect("no panic");
        (mine, theirs)
    });
    let (done, lost) = (Some(Ok(2)), Some(Err(2)));
    let expected = [(done, None), (None, done), (done, lost), (lost, done)];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// C1: two commits of different cells install their own first; the watermark passes no hole.
#[test]
fn own_first_and_flags() {
    let seen = outcomes(2, || {
        let (kernel, cells) = two_cells();
        let other = spawn(&kernel, move |kernel| add(kernel, cells[1]));
        let mine = add(&kernel, cells[0]);
        let mut txn = Txn::begin_as(&kernel, Kind::Reader);
        let found = cells.map(|cell| txn.read(cell).expect("there"));
        let mine = mine.expect("strangers");
        assert!(txn.version() >= mine, "committed and not visible");
        assert_eq!(found[0], (mine, 11));
        let theirs = other.join().expect("no panic").expect("strangers");
        let expected = if txn.version() >= theirs {
            (theirs, 11)
        } else {
            (1, 10)
        };
        assert_eq!(found[1], expected, "the watermark passed a hole");
        (mine, theirs, txn.version())
    });
    let expected = [(2, 3, 2), (2, 3, 3), (3, 2, 3)];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// C1: the same with a reader who watches the watermark: at each version it sees all of it.
#[test]
fn a_reader_beside_two_commits() {
    let seen = outcomes(1, || {
        let (kernel, cells) = two_cells();
        let first = spawn(&kernel, move |kernel| add(kernel, cells[0]));
        let second = spawn(&kernel, move |kernel| add(kernel, cells[1]));
        let mut txn = Txn::begin_as(&kernel, Kind::Reader);
        let found = cells.map(|cell| txn.read(cell).expect("there").0);
        let version = txn.version();
        drop(txn);
        let first = first.join().expect("no panic").expect("strangers");
        let second = second.join().expect("no panic").expect("strangers");
        let shown = |number: u64| if number <= version { number } else { 1 };
        assert_eq!(found, [shown(first), shown(second)], "a hole is seen");
        (version, found)
    });
    let expected = [
        (1, [1, 1]),
        (2, [1, 2]),
        (2, [2, 1]),
        (3, [2, 3]),
        (3, [3, 2]),
    ];
    assert!(seen.is_subset(&BTreeSet::from(expected)), "{seen:?}");
    assert!(seen.contains(&(1, [1, 1])) && seen.len() > 1, "{seen:?}");
}

/// G1, V6: the same on a table, the whole path: index, staging, log, install.
#[test]
fn lost_update_in_a_table() {
    let seen = outcomes(1, || {
        let kernel = tables::plain(LIMITS);
        assert_eq!(tables::put(&kernel, 1, Some(10)), Ok(1));
        let other = spawn(&kernel, |kernel| tables::add(kernel, 1));
        let mine = tables::add(&kernel, 1);
        let theirs = other.join().expect("no panic");
        let done = [mine, theirs].iter().filter(|one| one.is_ok()).count() as u64;
        let (_, value) = tables::look(&kernel, 1).expect("it is there");
        assert_eq!(value, 10 + done, "an update is lost");
        (mine, theirs)
    });
    let expected = [
        (Ok(2), Err(2)),
        (Err(2), Ok(2)),
        (Ok(2), Ok(3)),
        (Ok(3), Ok(2)),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// [head]: who finds that a record has moved on learns to which version, also if its writer has
/// stopped right there.
#[test]
fn moved_on_from_a_place() {
    let seen = outcomes(1, || {
        let kernel = tables::plain(LIMITS);
        assert_eq!(tables::put(&kernel, 1, Some(10)), Ok(1));
        let hold = SharedHold::begin(&kernel, Kind::Writer);
        let other = spawn(&kernel, move |kernel| {
            tables::give_up_at(kernel, hold.reading(), 1, 30)
        });
        assert_eq!(tables::put(&kernel, 1, Some(20)), Ok(2));
        other.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([Ok(()), Err(2)]));
}

/// G1, K3: two create one key: one record, and one of them conflicts or comes later.
#[test]
fn two_creations_of_a_key() {
    two_creations(|kernel| tables::put(kernel, 1, Some(20)));
}

/// The same when one of them creates it among many at once.
#[test]
fn two_creations_of_a_key_and_one_of_many() {
    two_creations(|kernel| tables::create(kernel, 1, 20));
}

fn two_creations(other: fn(&Kernel) -> Result<u64, u64>) {
    let seen = outcomes(1, move || {
        let kernel = tables::plain(LIMITS);
        let other = spawn(&kernel, move |kernel| other(kernel));
        let mine = tables::put(&kernel, 1, Some(10));
        let theirs = other.join().expect("no panic");
        let (number, value) = tables::look(&kernel, 1).expect("it is there");
        let last = if theirs == Ok(number) { 20 } else { 10 };
        assert_eq!(value, last);
        (mine, theirs)
    });
    let expected = [
        (Ok(1), Err(1)),
        (Err(1), Ok(1)),
        (Ok(1), Ok(2)),
        (Ok(2), Ok(1)),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}
