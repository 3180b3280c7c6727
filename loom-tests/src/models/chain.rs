//! Chains (V1 to V7): reading, cutting, compacting and counting.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use super::tables;
use crate::kernel::history::HistoryLimits;
use crate::kernel::reading::SharedHold;
use crate::kernel::reclaim::Domain;
use crate::kernel::testing::{Cell, Txn, cell, kernel, use_link, version};
use crate::kernel::{Kernel, Kind, Limits};
use crate::sync::thread;

pub(super) const LIMITS: Limits = Limits {
    retention: 0,
    log_commits: 8,
    watch_commits: 0,
    history: HistoryLimits::NONE,
};

/// Commits a write of a cell for each number, in turn: that of the commit, and ten times the value.
pub(super) fn write_numbers(kernel: &Kernel, cell: Cell, numbers: RangeInclusive<u64>) {
    for number in numbers {
        let done = Txn::begin(kernel).commit(&[(cell, Some(number * 10))]);
        assert_eq!(done, Ok(number));
    }
}

/// Collects some times: what the first takes out is ripe by the third.
pub(super) fn collect(kernel: &Kernel, times: u32) {
    for _ in 0..times {
        kernel.collect();
    }
}

/// Collects some times beside the calling thread.
pub(super) fn collect_beside(kernel: &Arc<Kernel>, times: u32) -> thread::JoinHandle<()> {
    spawn(kernel, move |kernel| collect(kernel, times))
}

/// What is left of a cell: the versions of its chain, whether it is put away, the claims on it.
pub(super) fn left_of(kernel: &Kernel, cell: Cell) -> (Vec<u64>, bool, u32) {
    let guard = kernel.domain.pin();
    (cell.chain(&guard), cell.is_residual(), cell.claims())
}

/// H1, V3, V4: a snapshot begins while what is below the watermark is cut and freed.
#[test]
fn read_during_a_cut() {
    let seen = outcomes(2, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        write_numbers(&kernel, cell, 1..=2);
        let reader = spawn(&kernel, move |kernel| {
            let mut txn = Txn::begin_as(kernel, Kind::Reader);
            let found = txn.read(cell);
            (txn.version(), found)
        });
        let done = Txn::begin(&kernel).commit(&[(cell, Some(30))]);
        assert_eq!(done, Ok(3));
        kernel.collect();
        reader.join().expect("no panic")
    });
    let expected = [(2, Some((2, 20))), (3, Some((3, 30)))];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// V3: the same while the cut is freed.
#[test]
fn read_during_a_freeing() {
    let seen = outcomes(2, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        write_numbers(&kernel, cell, 1..=2);
        let mut before = Txn::begin_as(&kernel, Kind::Reader);
        let collector = collect_beside(&kernel, 3);
        let found = before.read(cell);
        drop(before);
        collector.join().expect("no panic");
        found
    });
    assert_eq!(seen, BTreeSet::from([Some((2, 20))]));
}

/// G2: one claims commits for cutting and stops, another trims: what is claimed is still cut.
#[test]
fn trim_during_a_cut() {
    let seen = outcomes(1, || {
        let kernel = kernel(LIMITS);
        // The second is written after the first, so that no later cut sees to the first.
        let cells = [cell(&kernel, 1), cell(&kernel, 2)];
        for (number, at) in (1..).zip([0, 0, 1, 1]) {
            let done = Txn::begin(&kernel).commit(&[(cells[at], Some(number * 10))]);
            assert_eq!(done, Ok(number));
        }
        let other = collect_beside(&kernel, 1);
        kernel.collect();
        other.join().expect("no panic");
        kernel.collect();
        kernel.collect();
        let guard = kernel.domain.pin();
        cells.map(|cell| cell.chain(&guard))
    });
    assert_eq!(seen, BTreeSet::from([[vec![2], vec![4]]]));
}

/// V3, [cut/trim]: one claims a commit for cutting and stops, another trims it. Who pins then and
/// walks the chain, while it is cut and what was cut off is given back, has all of it to the end.
#[test]
fn walk_during_a_cut_of_what_is_trimmed() {
    let seen = outcomes(2, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        write_numbers(&kernel, cell, 1..=2);
        let cutter = spawn(&kernel, |kernel| {
            kernel.collect();
            (0..2).for_each(|_| _ = kernel.free());
        });
        kernel.collect();
        let guard = kernel.domain.pin();
        let chain = cell.chain(&guard);
        drop(guard);
        cutter.join().expect("no panic");
        chain
    });
    assert_eq!(seen, BTreeSet::from([vec![2], vec![2, 1]]));
}

/// V3, V4: a list takes the place of links that a long snapshot walks.
#[test]
fn compaction_during_a_read() {
    let seen = outcomes(2, || {
        let kernel = tables::plain(LIMITS);
        assert_eq!(tables::put(&kernel, 1, Some(10)), Ok(1));
        let old = SharedHold::begin(&kernel, Kind::Reader);
        for number in 2..=3 {
            assert_eq!(tables::put(&kernel, 1, Some(number * 10)), Ok(number));
        }
        let writer = spawn(&kernel, |kernel| {
            assert_eq!(tables::put(kernel, 1, Some(40)), Ok(4));
            // Ripe by the third: the links below the list are cut, and released.
            collect(kernel, 3);
        });
        let found = tables::get(&kernel, old.reading(), 1);
        writer.join().expect("no panic");
        let again = tables::get(&kernel, old.reading(), 1);
        (found, again, tables::look(&kernel, 1))
    });
    let old = Some((1, 10));
    assert_eq!(seen, BTreeSet::from([(old, old, Some((4, 40)))]));
}

/// A cell written twice, and a snapshot of what was written first.
fn held_below_two() -> (Arc<Kernel>, Cell, SharedHold) {
    let kernel = kernel(LIMITS);
    let cell = cell(&kernel, 1);
    write_numbers(&kernel, cell, 1..=1);
    let oldest = SharedHold::begin(&kernel, Kind::Reader);
    write_numbers(&kernel, cell, 2..=2);
    (kernel, cell, oldest)
}

/// V2, V4: what nobody needs is passed by, beside who reads below it and at the head.
#[test]
fn passing_by_during_a_read() {
    let seen = outcomes(2, || {
        let (kernel, cell, oldest) = held_below_two();
        let mut old = Txn::begin_as(&kernel, Kind::Reader);
        write_numbers(&kernel, cell, 3..=4);
        // Ripe by the third: what was passed by is released.
        let collector = collect_beside(&kernel, 3);
        let found = old.read(cell);
        collector.join().expect("no panic");
        drop(oldest);
        let guard = kernel.domain.pin();
        (found, old.read(cell), cell.chain(&guard))
    });
    let found = Some((2, 20));
    assert_eq!(seen, BTreeSet::from([(found, found, vec![4, 2, 1])]));
}

/// V2, V5: two pass by what is below neighbours, and the snapshot that kept the rest ends.
#[test]
fn two_pass_by() {
    let seen = outcomes(1, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        write_numbers(&kernel, cell, 1..=1);
        let old = SharedHold::begin(&kernel, Kind::Reader);
        write_numbers(&kernel, cell, 2..=6);
        // The first two; of the others each takes two, one above the other.
        kernel.collect();
        let collector = collect_beside(&kernel, 1);
        kernel.collect();
        collector.join().expect("no panic");
        drop(old);
        collect(&kernel, 6);
        left_of(&kernel, cell)
    });
    assert_eq!(seen, BTreeSet::from([(vec![6], false, 0)]));
}

/// V2, V4, [settled]: who takes over where a version leads knows what stands there, as the one who
/// led it past another wrote that down.
#[test]
fn taken_over_with_its_number() {
    let seen = outcomes(1, || {
        let (kernel, cell, oldest) = held_below_two();
        let mut old = Txn::begin_as(&kernel, Kind::Reader);
        write_numbers(&kernel, cell, 3..=5);
        kernel.collect();
        // One leads 4 past 3, to 2; then the other leads 5 past 4.
        let collector = collect_beside(&kernel, 1);
        kernel.collect();
        collector.join().expect("no panic");
        drop(oldest);
        let guard = kernel.domain.pin();
        (old.read(cell), cell.chain(&guard))
    });
    let old = Some((2, 20));
    let (passed, left) = (vec![5, 2, 1], vec![5, 4, 2, 1]);
    assert_eq!(seen, BTreeSet::from([(old, passed), (old, left)]));
}

/// V3: the list is cut off by the log's collection while its reader ends and another begins.
#[test]
fn cut_of_a_list_during_a_read() {
    let seen = outcomes(2, || {
        let kernel = tables::plain(LIMITS);
        assert_eq!(tables::put(&kernel, 1, Some(10)), Ok(1));
        let old = SharedHold::begin(&kernel, Kind::Reader);
        for number in 2..=4 {
            assert_eq!(tables::put(&kernel, 1, Some(number * 10)), Ok(number));
        }
        let collector = collect_beside(&kernel, 3);
        let found = tables::get(&kernel, old.reading(), 1);
        drop(old);
        let newest = tables::look(&kernel, 1);
        collector.join().expect("no panic");
        (found, newest)
    });
    assert_eq!(seen, BTreeSet::from([(Some((1, 10)), Some((4, 40)))]));
}

/// V5: a handle keeps its object, whatever is released meanwhile.
#[test]
fn a_handle_against_the_last_release() {
    let seen = outcomes(2, || {
        let kernel = tables::plain(LIMITS);
        assert_eq!(tables::put(&kernel, 1, Some(10)), Ok(1));
        assert_eq!(tables::put(&kernel, 1, Some(20)), Ok(2));
        let collector = spawn(&kernel, |kernel| {
            assert_eq!(tables::put(kernel, 1, Some(30)), Ok(3));
            collect(kernel, 4);
        });
        let handle = tables::handle(&kernel, 1).expect("it is there");
        let found = handle.object().get();
        collector.join().expect("no panic");
        assert_eq!(handle.object().get(), found);
        let copy = handle.clone();
        drop(handle);
        copy.object().get()
    });
    assert_eq!(seen, BTreeSet::from([20, 30]));
}

/// V5: of two who give back the last holds one frees, after what the other did.
#[test]
fn two_last_handles() {
    let seen = outcomes(3, || {
        let kernel = tables::plain(LIMITS);
        assert_eq!(tables::put(&kernel, 1, Some(10)), Ok(1));
        let mine = tables::handle(&kernel, 1).expect("it is there");
        let theirs = mine.clone();
        drop(kernel);
        let other = thread::spawn(move || {
            theirs.object().mark(11);
            drop(theirs);
        });
        let seen = mine.object().get();
        drop(mine);
        other.join().expect("no panic");
        seen
    });
    assert_eq!(seen, BTreeSet::from([10, 11]));
}

/// V2, V5: one passes two by, one after the other, while another passes the version above: the
/// first is not through with it before it has passed both.
#[test]
fn two_passed_by_below_a_neighbour() {
    let seen = outcomes(1, || {
        let kernel = kernel(LIMITS);
        let cells = [cell(&kernel, 1), cell(&kernel, 2)];
        write_numbers(&kernel, cells[0], 1..=1);
        let mut old = Txn::begin_as(&kernel, Kind::Reader);
        write_numbers(&kernel, cells[0], 2..=2);
        let second = SharedHold::begin(&kernel, Kind::Reader);
        write_numbers(&kernel, cells[0], 3..=4);
        // 3 goes, and 2 is kept for the second snapshot.
        collect(&kernel, 2);
        drop(second);
        write_numbers(&kernel, cells[1], 5..=5);
        write_numbers(&kernel, cells[0], 6..=7);
        // One is given 5 and 6, and below 6 stand 4 and 2; the other is given 7.
        let above = collect_beside(&kernel, 1);
        kernel.collect();
        above.join().expect("no panic");
        collect(&kernel, 3);
        let guard = kernel.domain.pin();
        (old.read(cells[0]), cells[0].chain(&guard))
    });
    let old = Some((1, 10));
    let expected = [(old, vec![7, 1]), (old, vec![7, 6, 1])];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// V2, V5: what is below a version is cut off while it is passed by: no link is left behind.
#[test]
fn a_cut_during_a_passing_by() {
    let seen = outcomes(1, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        write_numbers(&kernel, cell, 1..=1);
        let old = SharedHold::begin(&kernel, Kind::Reader);
        write_numbers(&kernel, cell, 2..=4);
        collect(&kernel, 2);
        assert!(cell.is_residual(), "nothing was put away");
        write_numbers(&kernel, cell, 5..=5);
        // Cells count what leaves, not what they make.
        kernel.count_made(5, 0);
        let ending = spawn(&kernel, move |kernel| {
            drop(old);
            kernel.collect();
        });
        kernel.collect();
        ending.join().expect("no panic");
        collect(&kernel, 4);
        let guard = kernel.domain.pin();
        (cell.chain(&guard), kernel.counts().0)
    });
    assert_eq!(seen, BTreeSet::from([(vec![5], 1)]));
}

/// V5, [count]: of two who give back the last links of a version one frees it, after what the other
/// read of it.
#[test]
fn two_last_links() {
    let seen = outcomes(3, || {
        // Its end empties the quarantine.
        let domain = Arc::new(Domain::new());
        let version = version().expose_provenance();
        let give_back = move || use_link(std::ptr::with_exposed_provenance(version));
        let other = spawn(&domain, move |_| give_back());
        give_back();
        other.join().expect("no panic");
    });
    assert_eq!(seen, BTreeSet::from([()]));
}
