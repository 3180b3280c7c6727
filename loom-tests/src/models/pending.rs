//! Commits that others decide (D1 to D5): what is pending stops the watermark and its rivals, and
//! nobody else; what is refused leaves nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::cursor::Cursor;
use crate::kernel::history::HistoryLimits;
use crate::kernel::log::Slot;
use crate::kernel::table::GarbageBin;
use crate::kernel::testing::logs::trim;
use crate::kernel::testing::{Cell, Txn, cell, kernel};
use crate::kernel::{Kernel, Kind, Limits};

const LIMITS: Limits = Limits {
    retention: 0,
    log_commits: 6,
    watch_commits: 6,
    history: HistoryLimits::NONE,
};

/// Two cells with 10 in each, by commit 1; and a pending commit 2 that puts 99 into the first.
fn one_pending() -> (Arc<Kernel>, [Cell; 2]) {
    let kernel = kernel(LIMITS);
    let cells = [cell(&kernel, 1), cell(&kernel, 2)];
    let made = Txn::begin(&kernel).commit(&cells.map(|cell| (cell, Some(10))));
    assert_eq!(made, Ok(1));
    let proposed = Txn::begin(&kernel).propose(&[(cells[0], Some(99))]);
    assert_eq!(proposed, Ok(2));
    assert_eq!(look(&kernel, cells), (1, [10, 10]), "a pending one is seen");
    (kernel, cells)
}

/// The version of a new snapshot, and what it shows.
fn look(kernel: &Kernel, cells: [Cell; 2]) -> (u64, [u64; 2]) {
    let mut txn = Txn::begin_as(kernel, Kind::Reader);
    let found = cells.map(|cell| txn.read(cell).expect("there").1);
    (txn.version(), found)
}

/// Adds one, once.
fn add(kernel: &Kernel, cell: Cell) -> Result<u64, u64> {
    let mut txn = Txn::begin(kernel);
    let (_, value) = txn.read(cell).expect("it is there");
    txn.commit(&[(cell, Some(value + 1))])
}

/// A decision beside a stranger's commit and a reader.
fn decided_beside_a_stranger(accepted: bool) -> BTreeSet<(u64, [u64; 2])> {
    outcomes(1, move || {
        let (kernel, cells) = one_pending();
        let decider = spawn(&kernel, move |kernel| {
            assert!(kernel.decide(2, accepted.then_some(7)));
        });
        let stranger = spawn(&kernel, move |kernel| add(kernel, cells[1]));
        let seen = look(&kernel, cells);
        decider.join().expect("no panic");
        let done = stranger.join().expect("no panic");
        assert_eq!(done, Ok(3), "a stranger is in nobody's way");
        let first = if accepted { 99 } else { 10 };
        let last = look(&kernel, cells);
        assert_eq!(last, (3, [first, 11]), "the watermark stopped for good");
        seen
    })
}

/// C1, D1: a commit is accepted beside a stranger to it.
#[test]
fn pending_then_accepted_beside_a_stranger() {
    let seen = decided_beside_a_stranger(true);
    let expected = [(1, [10, 10]), (2, [99, 10]), (3, [99, 11])];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// C1, D1: the same of one that is refused.
#[test]
fn pending_then_aborted_beside_a_stranger() {
    let seen = decided_beside_a_stranger(false);
    let expected = [(1, [10, 10]), (2, [10, 10]), (3, [10, 11])];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// What a rival comes to: its own commit, what a reader saw, and what is there in the end.
type Rivalry = (Result<u64, u64>, (u64, [u64; 2]), u64);

fn decided_beside_a_rival(accepted: bool) -> BTreeSet<Rivalry> {
    outcomes(1, move || {
        let (kernel, cells) = one_pending();
        let decider = spawn(&kernel, move |kernel| {
            assert!(kernel.decide(2, accepted.then_some(7)));
        });
        let rival = spawn(&kernel, move |kernel| add(kernel, cells[0]));
        let seen = look(&kernel, cells);
        decider.join().expect("no panic");
        let done = rival.join().expect("no panic");
        let (_, [last, _]) = look(&kernel, cells);
        (done, seen, last)
    })
}

/// D1, D2: a commit is accepted beside one who would write the same.
#[test]
fn pending_then_accepted_beside_a_rival() {
    let seen = decided_beside_a_rival(true);
    let (early, between, late) = ((1, [10, 10]), (2, [99, 10]), (3, [100, 10]));
    let expected = [
        (Err(2), early, 99),
        (Err(2), between, 99),
        (Ok(3), early, 100),
        (Ok(3), between, 100),
        (Ok(3), late, 100),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// D1, D2: the same of one that is refused.
#[test]
fn pending_then_aborted_beside_a_rival() {
    let seen = decided_beside_a_rival(false);
    let (early, between, late) = ((1, [10, 10]), (2, [10, 10]), (3, [11, 10]));
    let expected = [
        (Err(2), early, 10),
        (Err(2), between, 10),
        (Ok(3), early, 11),
        (Ok(3), between, 11),
        (Ok(3), late, 11),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// D1, C1: two in a row, decided by two: whoever is last takes the watermark over both.
#[test]
fn two_decided_in_any_order() {
    let seen = outcomes(2, || {
        let (kernel, cells) = one_pending();
        let second = Txn::begin(&kernel).propose(&[(cells[1], Some(77))]);
        assert_eq!(second, Ok(3));
        let decider = spawn(&kernel, |kernel| assert!(kernel.decide(3, Some(7))));
        assert!(kernel.decide(2, None));
        let seen = look(&kernel, cells);
        decider.join().expect("no panic");
        assert_eq!(look(&kernel, cells), (3, [10, 77]));
        seen
    });
    let expected = [(2, [10, 10]), (3, [10, 77])];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// D1: the first of two answers counts.
#[test]
fn accepted_and_refused_at_once() {
    let seen = outcomes(2, || {
        let (kernel, cells) = one_pending();
        let refuser = spawn(&kernel, |kernel| kernel.decide(2, None));
        let accepted = kernel.decide(2, Some(7));
        let refused = refuser.join().expect("no panic");
        (accepted, refused, look(&kernel, cells))
    });
    let expected = [(true, false, (2, [99, 10])), (false, true, (2, [10, 10]))];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// D5: who sees a version knows at which of the proposer's it was accepted, whoever installed it.
#[test]
fn accepted_beside_who_reads_at_which_version() {
    let seen = outcomes(1, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        let made = Txn::begin(&kernel).commit(&[(cell, Some(10))]);
        assert_eq!(made, Ok(1));
        let proposed = Txn::begin(&kernel).propose(&[(cell, Some(99))]);
        assert_eq!(proposed, Ok(2));
        let decider = spawn(&kernel, |kernel| assert!(kernel.decide(2, Some(7))));
        let helper = spawn(&kernel, |kernel| {
            kernel.install(&kernel.domain.pin(), 2);
        });
        let seen = Txn::begin_as(&kernel, Kind::Reader).proposed(cell);
        decider.join().expect("no panic");
        helper.join().expect("no panic");
        assert_eq!(
            Txn::begin_as(&kernel, Kind::Reader).proposed(cell),
            (99, Some(7))
        );
        seen
    });
    assert_eq!(seen, BTreeSet::from([(10, None), (99, Some(7))]));
}

/// Trims up to a position as collection does, and frees what is ripe.
fn trim_to(kernel: &Kernel, until: u64) {
    let mut garbage = GarbageBin::new(kernel);
    let guard = kernel.domain.pin();
    trim(&kernel.log, &guard, until, &mut garbage.0);
    drop(guard);
    drop(garbage);
    kernel.free();
}

/// D3: who was to trim a refused commit stops, and what that was to replace goes meanwhile, with
/// the commit that did replace it. Who finds the refused one still there looks at nothing of it.
#[test]
fn refused_beside_who_trims_what_came_later() {
    let seen = outcomes(2, || {
        let kernel = kernel(LIMITS);
        let cells = [cell(&kernel, 1), cell(&kernel, 2)];
        let made = Txn::begin(&kernel).commit(&cells.map(|cell| (cell, Some(10))));
        assert_eq!((made, add(&kernel, cells[1])), (Ok(1), Ok(2)));
        // In another segment than what comes after it, with which its own would be unlinked.
        let proposed = Txn::begin(&kernel).propose(&[(cells[0], Some(99))]);
        assert_eq!(proposed, Ok(3));
        // The first two go, and the others stay.
        (0..4).for_each(|_| _ = kernel.collect());
        let cursor = Cursor::new(&kernel);
        assert!(kernel.decide(3, None));
        assert_eq!(add(&kernel, cells[0]), Ok(4));
        (0..4).for_each(|_| _ = kernel.collect());
        drop(cursor);
        let trimmer = spawn(&kernel, |kernel| trim_to(kernel, 3));
        trim_to(&kernel, 4);
        let guard = kernel.domain.pin();
        let found = match kernel.log.at(&guard, 3) {
            Slot::Commit(refused) => {
                let writes = refused.writes_in_the_way().iter();
                Some(writes.flat_map(|write| write.old_entries(&guard)).count())
            }
            Slot::Empty | Slot::Trimmed => None,
        };
        drop(guard);
        trimmer.join().expect("no panic");
        found
    });
    assert_eq!(seen, BTreeSet::from([None, Some(0)]));
}

/// D4: a refused creation: its record goes with it, though others look for it meanwhile.
#[test]
fn a_refused_creation_beside_collection() {
    let seen = outcomes(2, || {
        let kernel = kernel(LIMITS);
        let cells = [cell(&kernel, 1), cell(&kernel, 2)];
        assert!(cells[0].header().claim(), "kept for the model");
        let made = Txn::begin(&kernel).commit(&[(cells[1], Some(10))]);
        assert_eq!(made, Ok(1));
        let proposed = Txn::begin(&kernel).propose(&[(cells[0], Some(99))]);
        assert_eq!(proposed, Ok(2));
        let collector = spawn(&kernel, |kernel| {
            for _ in 0..2 {
                kernel.collect();
            }
        });
        assert!(kernel.decide(2, None));
        let shown = Txn::begin_as(&kernel, Kind::Reader).read(cells[0]);
        collector.join().expect("no panic");
        for _ in 0..6 {
            kernel.collect();
        }
        (shown, cells[0].claims())
    });
    assert_eq!(seen, BTreeSet::from([(None, 1)]));
}

/// D3, V6: a refused commit has no link to what it was to replace, which another may free before
/// it: who fetches ahead what is to be freed must not look there.
#[test]
fn a_refused_commit_freed_after_what_it_names() {
    let seen = outcomes(1, || {
        let kernel = kernel(LIMITS);
        let cells = [cell(&kernel, 1), cell(&kernel, 2)];
        let made = Txn::begin(&kernel).commit(&cells.map(|cell| (cell, Some(10))));
        assert_eq!(made, Ok(1));
        for _ in 0..6 {
            kernel.collect();
        }
        let proposed = Txn::begin(&kernel).propose(&[(cells[0], Some(99))]);
        assert_eq!(proposed, Ok(2));
        assert!(kernel.decide(2, None));
        // The refused one is retired a slice before the one that frees what it names.
        let pinned = kernel.domain.pin();
        for (number, cell) in [(3, cells[1]), (4, cells[0]), (5, cells[0])] {
            assert_eq!(add(&kernel, cell), Ok(number));
        }
        for _ in 0..3 {
            kernel.collect();
        }
        drop(pinned);
        let collector = spawn(&kernel, |kernel| {
            kernel.collect();
        });
        for _ in 0..3 {
            kernel.collect();
        }
        collector.join().expect("no panic");
        look(&kernel, cells)
    });
    assert_eq!(seen, BTreeSet::from([(5, [12, 11])]));
}
