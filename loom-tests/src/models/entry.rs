//! Index entries (E1 to E5): the last hold against a new one.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use super::tables;
use crate::kernel::entry::Entry;
use crate::kernel::history::HistoryLimits;
use crate::kernel::key_set::testing::{SharedBase, SharedKeys};
use crate::kernel::testing::{Cell, release_entry};
use crate::kernel::{Kernel, Limits};
use crate::sync::{AtomicU64, Ordering};

const LIMITS: Limits = Limits {
    retention: 0,
    log_commits: 8,
    watch_commits: 0,
    history: HistoryLimits::NONE,
};

struct World {
    entry: Entry<u64, u64>,
    /// Written by who holds the entry, read by who kills it.
    done: AtomicU64,
}

impl World {
    fn new() -> Arc<Self> {
        let cell = Cell::new(1);
        Arc::new(Self {
            entry: Entry::new(0, 0, 5, cell.record()),
            done: AtomicU64::new(0),
        })
    }

    /// Gives a hold back; true: by this the entry is dead.
    fn release(&self) -> bool {
        release_entry(&self.entry.header)
    }

    fn is_done(&self) -> bool {
        // Relaxed: [hold] is to order it.
        self.done.load(Ordering::Relaxed) == 1
    }

    fn work(&self) {
        // Relaxed: as above.
        self.done.store(1, Ordering::Relaxed);
    }
}

/// E1, E3: the last version with a value goes while a new one comes.
#[test]
fn hold_during_the_last_release() {
    let seen = outcomes(4, || {
        let world = World::new();
        let writer = spawn(&world, |world| world.entry.header.hold());
        let dead = world.release();
        let held = writer.join().expect("no panic");
        assert_ne!(held, dead, "a held entry died");
        // Only now may it go.
        assert!(!held || world.release(), "nobody kills it");
        (held, dead)
    });
    assert_eq!(seen, BTreeSet::from([(true, false), (false, true)]));
}

/// E1: a hold that comes and goes during the last release: exactly one kills, after both.
#[test]
fn two_last_releases() {
    let seen = outcomes(4, || {
        let world = World::new();
        let writer = spawn(&world, |world| {
            if !world.entry.header.hold() {
                return None;
            }
            world.work();
            Some(world.release())
        });
        let dead = world.release();
        let after = dead && world.is_done();
        let theirs = writer.join().expect("no panic");
        assert!(
            !dead || theirs.is_none() || after,
            "killed before the other hold was over"
        );
        (dead, theirs)
    });
    let expected = [(true, None), (true, Some(false)), (false, Some(true))];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// Whoever holds next has seen what was done before: a hold read from another's release.
#[test]
fn releases_by_two_versions() {
    let seen = outcomes(4, || {
        let world = World::new();
        assert!(world.entry.header.hold());
        let other = spawn(&world, |world| {
            world.work();
            world.release()
        });
        let dead = world.release();
        let after = world.is_done();
        let theirs = other.join().expect("no panic");
        assert!(!dead || after, "killed before the other hold was over");
        (dead, theirs)
    });
    assert_eq!(seen, BTreeSet::from([(true, false), (false, true)]));
}

/// What two who share something do: each works, and gives its share back; the last one frees it,
/// after what both did.
fn two_shares<S: Send + Sync + 'static>(new: fn() -> S, release: fn(&S) -> bool) {
    let seen = outcomes(4, move || {
        let world = World::new();
        let shared = Arc::new(new());
        let share = Arc::clone(&shared);
        let other = spawn(&world, move |world| {
            world.work();
            release(&share)
        });
        let last = release(&shared);
        let after = world.is_done();
        let theirs = other.join().expect("no panic");
        assert!(!last || after, "freed before the other one was through");
        (last, theirs)
    });
    assert_eq!(seen, BTreeSet::from([(true, false), (false, true)]));
}

/// E4: two versions share a key set.
#[test]
fn a_key_set_of_two_versions() {
    two_shares(SharedKeys::new, SharedKeys::release);
}

/// E5: two key sets rest on a base.
#[test]
fn a_base_of_two_key_sets() {
    two_shares(SharedBase::new, SharedBase::release);
}

/// What is replaced is cut, and ripe with the next turn.
fn collect_twice(kernel: &Kernel) {
    kernel.collect();
    kernel.collect();
}

/// E2, E3: in a table: a value comes back while the entry of its first use is released and freed.
#[test]
fn a_value_comes_back() {
    let seen = outcomes(1, || {
        let (kernel, index) = tables::indexed(LIMITS);
        for (number, value) in (1..).zip([5, 6]) {
            assert_eq!(tables::put(&kernel, 1, Some(value)), Ok(number));
        }
        collect_twice(&kernel);
        let collector = spawn(&kernel, |kernel| collect_twice(kernel));
        let made = tables::put(&kernel, 1, Some(5));
        let found = tables::find(&kernel, &index, 5);
        collector.join().expect("no panic");
        (made, found, tables::find(&kernel, &index, 5))
    });
    assert_eq!(seen, BTreeSet::from([(Ok(3), vec![1], vec![1])]));
}

/// E5: the key set that a base came with is released while one more comes to rest on it, or while
/// one leaves it for a base of its own.
#[test]
fn a_base_goes_on() {
    for last in [17, 27] {
        let seen = outcomes(1, move || {
            let (kernel, [tens, units]) = tables::indexed_twice(LIMITS);
            for (number, value) in (1..).zip([15, 16]) {
                assert_eq!(tables::put(&kernel, 1, Some(value)), Ok(number));
            }
            collect_twice(&kernel);
            let collector = spawn(&kernel, |kernel| collect_twice(kernel));
            let made = tables::put(&kernel, 1, Some(last));
            collect_twice(&kernel);
            collector.join().expect("no panic");
            let by_tens = [1, 2].map(|value| tables::find(&kernel, &tens, value).len());
            let by_units = [5, 6, 7].map(|value| tables::find(&kernel, &units, value).len());
            (made, by_tens, by_units)
        });
        let by_tens = [usize::from(last == 17), usize::from(last == 27)];
        assert_eq!(seen, BTreeSet::from([(Ok(3), by_tens, [0, 0, 1])]));
    }
}
