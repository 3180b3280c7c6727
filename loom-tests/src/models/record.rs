//! A record's claims and death (K1 to K5): reap against re-insert.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use super::tables;
use crate::kernel::history::HistoryLimits;
use crate::kernel::reading::LocalHold;
use crate::kernel::reclaim::{Domain, Garbage, Guard, allocate, at};
use crate::kernel::record::Unclaimed;
use crate::kernel::testing::{Cell, Doubled, Txn, Value, cell, kernel, reclaim, unclaim};
use crate::kernel::{Kernel, Kind, Limits};
use crate::sync::{AtomicPtr, AtomicU64, Ordering};

const LIMITS: Limits = Limits {
    retention: 0,
    log_commits: 4,
    watch_commits: 4,
    history: HistoryLimits::NONE,
};

/// K1, K2: the reaper looks at an empty head while a creator claims, installs and lets go.
#[test]
fn reap_during_a_creation() {
    let seen = outcomes(3, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        let reaper = spawn(&kernel, move |kernel| {
            let _guard = kernel.domain.pin();
            cell.kill(kernel.horizon.horizon())
        });
        let created = create(&kernel, cell);
        let dead = reaper.join().expect("no panic");
        let shown = Txn::begin(&kernel).read(cell).is_some();
        assert_eq!(shown, created);
        (dead, created)
    });
    assert_eq!(seen, BTreeSet::from([(true, false), (false, true)]));
}

/// A creation of a key whose record was found; false: it is dead.
fn create(kernel: &Arc<Kernel>, cell: Cell) -> bool {
    if !cell.header().claim() {
        return false;
    }
    Txn::begin(kernel)
        .commit(&[(cell, Some(7))])
        .expect("nobody else writes");
    let _ = cell.header().unclaim();
    true
}

/// K2, K4: the same with a tombstone, and by collection itself: a deleted key comes again while its
/// record is reaped.
#[test]
fn reap_during_a_second_creation() {
    let seen = outcomes(2, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        for value in [Some(7), None] {
            let txn = Txn::begin(&kernel);
            txn.commit(&[(cell, value)]).expect("nobody else writes");
        }
        let reaper = spawn(&kernel, |kernel| {
            kernel.collect();
        });
        let guard = kernel.domain.pin();
        let created = create(&kernel, cell);
        drop(guard);
        reaper.join().expect("no panic");
        if created {
            assert_eq!(Txn::begin(&kernel).read(cell), Some((3, 7)));
        }
        created
    });
    assert_eq!(seen, BTreeSet::from([true, false]));
}

/// K4: a reader that found a record before it died still reads what it shows.
#[test]
fn read_during_a_reaping() {
    let seen = outcomes(2, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        for value in [Some(7), None] {
            let txn = Txn::begin(&kernel);
            txn.commit(&[(cell, value)]).expect("nobody else writes");
        }
        // A claim keeps it until the log has forgotten it, and with the log's image the last link
        // but the record's is gone.
        assert!(cell.header().claim());
        for _ in 0..5 {
            kernel.collect();
        }
        let line = kernel.domain.registry().take();
        let early = kernel.domain.pin_on(&line);
        // SAFETY: the reader drops it, before the kernel goes.
        let early: Guard<'static> = unsafe { std::mem::transmute(early) };
        let reader = spawn(&kernel, move |kernel| {
            let found = Txn::begin_as(kernel, Kind::Reader).read(cell);
            drop(early);
            found
        });
        unclaim(&kernel, cell);
        reader.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([None]));
}

/// K3: of several who let go, one is the last; whoever it is sees what all did.
#[test]
fn two_last_claims() {
    let seen = outcomes(3, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        assert!(cell.header().claim() && cell.header().claim());
        let done = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let leave = |cell: Cell, done: &[AtomicU64; 2], at: usize| {
            // Relaxed: [claim] is to order it.
            done[at].store(1, Ordering::Relaxed);
            let last = cell.header().unclaim() == Unclaimed::Last;
            // Relaxed: as above.
            (last, last && done[1 - at].load(Ordering::Relaxed) == 1)
        };
        let other = spawn(&done, move |done| leave(cell, done, 1));
        let mine = leave(cell, &done, 0);
        (mine, other.join().expect("no panic"))
    });
    let (last, other) = ((true, true), (false, false));
    assert_eq!(seen, BTreeSet::from([(last, other), (other, last)]));
}

/// K3: a creator that gives up lets the record go, and a killer who comes then sees all it did.
#[test]
fn abort_of_a_creator_unclaims() {
    let seen = outcomes(3, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        assert!(cell.header().claim());
        let done = Arc::new(AtomicU64::new(0));
        let creator = spawn(&done, move |done| {
            // Relaxed: [claim] is to order it.
            done.store(1, Ordering::Relaxed);
            let _ = cell.header().unclaim();
        });
        let guard = kernel.domain.pin();
        let dead = cell.kill(0);
        // Relaxed: as above.
        let after = done.load(Ordering::Relaxed) == 1;
        drop(guard);
        creator.join().expect("no panic");
        assert!(!dead || after, "killed under a claim");
        dead
    });
    assert_eq!(seen, BTreeSet::from([true, false]));
}

/// K2: of two killers one succeeds; and who claims then is refused, and sees why.
#[test]
fn two_reapers() {
    let seen = outcomes(3, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        let other = spawn(&kernel, move |kernel| {
            let _guard = kernel.domain.pin();
            cell.kill(0)
        });
        let guard = kernel.domain.pin();
        let mine = cell.kill(0);
        drop(guard);
        (mine, other.join().expect("no panic"))
    });
    assert_eq!(seen, BTreeSet::from([(true, false), (false, true)]));
}

/// K2: in a table: a deleted key is written again while its record is reaped and freed.
#[test]
fn reap_during_a_creation_in_a_table() {
    let seen = outcomes(1, || {
        let kernel = tables::plain(LIMITS);
        assert_eq!(tables::put(&kernel, 1, Some(10)), Ok(1));
        assert_eq!(tables::put(&kernel, 1, None), Ok(2));
        let collector = spawn(&kernel, |kernel| {
            for _ in 0..4 {
                kernel.collect();
            }
        });
        let made = tables::put(&kernel, 1, Some(20));
        let found = tables::look(&kernel, 1);
        collector.join().expect("no panic");
        assert_eq!(tables::look(&kernel, 1), found);
        (made, found)
    });
    assert_eq!(seen, BTreeSet::from([(Ok(3), Some((3, 20)))]));
}

/// K3, K5: a tombstone is cut by a collector while the last claim goes: one of the two reaps the
/// record.
#[test]
fn cut_during_the_last_unclaim() {
    let seen = outcomes(2, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        for value in [Some(7), None] {
            let txn = Txn::begin(&kernel);
            txn.commit(&[(cell, value)]).expect("nobody else writes");
        }
        assert!(cell.header().claim());
        let guard = kernel.domain.pin();
        let collector = spawn(&kernel, |kernel| {
            kernel.collect();
        });
        unclaim(&kernel, cell);
        collector.join().expect("no panic");
        let dead = !cell.header().claim();
        drop(guard);
        dead
    });
    assert_eq!(seen, BTreeSet::from([true]));
}

/// A node that stands in two places.
struct Twice {
    domain: Domain,
    places: [AtomicPtr<Value>; 2],
    unlinking: Doubled,
}

impl Twice {
    fn new() -> Arc<Self> {
        let node = allocate(Value::new(1));
        Arc::new(Self {
            domain: Domain::new(),
            places: [AtomicPtr::new(node), AtomicPtr::new(node)],
            unlinking: Doubled::new(),
        })
    }

    /// Empties a place and, if the other was emptied before, retires the node and frees it.
    fn unlink(&self, place: usize, is_later: impl FnOnce(&Doubled) -> bool) -> bool {
        // Relaxed: nothing is published. The line is pinned by nobody: a fence would do the work of
        // [unlinking].
        let node = self.places[place].swap(std::ptr::null_mut(), Ordering::Relaxed);
        let later = is_later(&self.unlinking);
        if later {
            let mut garbage = Garbage::new();
            // SAFETY: R1: out of both places, and we are the later.
            unsafe { garbage.retire(node) };
            self.domain.give(garbage);
            for _ in 0..3 {
                reclaim(&self.domain, |_| {});
            }
        }
        later
    }

    /// How many places lead to the node.
    fn look(&self) -> usize {
        let _guard = self.domain.pin();
        let found = self.places.iter().filter(|place| {
            // Acquire: as an index does.
            let node = place.load(Ordering::Acquire);
            // SAFETY: found under the guard.
            !node.is_null() && unsafe { at(node.cast_const()) }.get() == 1
        });
        found.count()
    }
}

/// R1, [unlinking]: a dead node is taken out of one place by its killer and of another by who
/// replaces it: the later retires it, and nobody finds it after that.
#[test]
fn a_dead_node_unlinked_by_two() {
    let seen = outcomes(2, || {
        let world = Twice::new();
        let killer = spawn(&world, |world| world.unlink(0, Doubled::killed));
        let replacer = spawn(&world, |world| world.unlink(1, Doubled::replaced));
        let found = world.look();
        let killer = killer.join().expect("no panic");
        (found, killer, replacer.join().expect("no panic"))
    });
    let found = |found| [(found, true, false), (found, false, true)];
    let all = BTreeSet::from_iter((0..=2).flat_map(found));
    assert_eq!(seen, all);
}

/// One puts a new record in order and gives up, so that it may be reaped; another writes it, and a
/// third scans: what shows in the version is found.
#[test]
fn a_key_ordered_by_who_gives_up() {
    let seen = outcomes(1, || {
        let kernel = tables::plain(LIMITS);
        let writer = spawn(&kernel, |kernel| {
            let _guard = kernel.domain.pin();
            tables::put(kernel, 1, Some(20))
        });
        let reader = spawn(&kernel, |kernel| {
            let _guard = kernel.domain.pin();
            tables::keys(kernel)
        });
        tables::give_up(&kernel, 1, 10);
        assert_eq!(writer.join().expect("no panic"), Ok(1));
        reader.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([(0, vec![]), (1, vec![1])]));
}

/// [ordered]: the same when the writer looks for itself. It pins and begins before the other comes:
/// what two fences put in order is no race for loom, which would not let it come between.
#[test]
fn a_key_ordered_by_another() {
    ordered_by(|kernel| tables::give_up(kernel, 1, 10));
}

/// [ordered]: the same when it was put in order as one of many.
#[test]
fn a_key_ordered_as_one_of_many() {
    ordered_by(|kernel| tables::give_up_new(kernel, 1, 10));
}

fn ordered_by(give_up: fn(&Kernel)) {
    let seen = outcomes(2, move || {
        let kernel = tables::plain(LIMITS);
        let guard = kernel.domain.pin();
        let hold = LocalHold::begin(&kernel, Kind::Writer);
        let first = spawn(&kernel, move |kernel| give_up(kernel));
        assert_eq!(tables::write(&kernel, &hold, 1, Some(20)), Ok(1));
        drop(hold);
        let found = tables::keys(&kernel);
        drop(guard);
        first.join().expect("no panic");
        found
    });
    assert_eq!(seen, BTreeSet::from([(1, vec![1])]));
}
