//! Epochs (R1 to R3): who is pinned at an unlinking keeps what it may have found.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::Kind;
use crate::kernel::horizon::Horizon;
use crate::kernel::reclaim::{Domain, Garbage, Guard, allocate, at, free};
use crate::kernel::testing::{Value, is_pinned, leave_ripe, reclaim};
use crate::sync::{AtomicPtr, Ordering};

/// A place that leads to one value after the other.
struct World {
    domain: Domain,
    place: AtomicPtr<Value>,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            domain: Domain::new(),
            place: AtomicPtr::new(allocate(Value::new(1))),
        })
    }

    /// Reads twice under one pin.
    fn read(&self) -> u64 {
        let _guard = self.domain.pin();
        let value = self.find();
        let first = value.get();
        let again = self.find().get();
        // Without the marks.
        assert!(again % 10 >= first % 10, "a place that goes back");
        // SAFETY: still pinned.
        let same = unsafe { at(std::ptr::from_ref(value)) }.get();
        assert_eq!(first, same);
        first
    }

    /// Reads, and leaves a mark on what it found.
    fn read_and_mark(&self) -> u64 {
        let _guard = self.domain.pin();
        let value = self.find();
        let found = value.get();
        value.mark(found + 10);
        found
    }

    fn find(&self) -> &Value {
        // Acquire: with the AcqRel of `replace`. SAFETY: the caller is pinned.
        unsafe { at(self.place.load(Ordering::Acquire)) }
    }

    fn replace(&self, value: u64) {
        let mut garbage = Garbage::new();
        let fresh = allocate(Value::new(value));
        let old = self.place.swap(fresh, Ordering::AcqRel);
        // SAFETY: unlinked by us.
        unsafe { garbage.retire(old) };
        self.domain.give(garbage);
    }

    /// Tries to reclaim; the values that it freed.
    fn reclaim(&self, times: usize) -> Vec<u64> {
        let mut freed = Vec::new();
        for _ in 0..times {
            reclaim(&self.domain, |value| {
                // SAFETY: ripe, and not yet freed.
                freed.push(unsafe { at(value.cast::<Value>()) }.get());
            });
        }
        freed
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Relaxed: nobody is left. SAFETY: as well.
        unsafe { free(self.place.load(Ordering::Relaxed)) };
    }
}

/// R1, R2, R3: a reader comes at any moment of an unlinking and the epochs after it.
#[test]
fn pin_during_a_retirement() {
    let seen = outcomes(3, || {
        let world = World::new();
        let reader = spawn(&world, |world| world.read());
        world.replace(2);
        let freed = world.reclaim(3);
        (reader.join().expect("no panic"), freed)
    });
    let freed = |seen| [(seen, vec![]), (seen, vec![1])];
    assert_eq!(
        seen,
        BTreeSet::from_iter([1, 2].into_iter().flat_map(freed))
    );
}

/// R2, R3: the same with another who moves the epoch on, perhaps with an old idea of it.
#[test]
fn pin_during_a_retirement_and_an_advance() {
    let seen = outcomes(2, || {
        let world = World::new();
        let reader = spawn(&world, |world| world.read());
        let other = spawn(&world, |world| world.reclaim(2).len());
        world.replace(2);
        let mine = world.reclaim(2).len();
        (
            reader.join().expect("no panic"),
            mine + other.join().expect("no panic"),
        )
    });
    assert_eq!(seen, BTreeSet::from([(1, 0), (1, 1), (2, 0), (2, 1)]));
}

/// R3: a reader that pins again has let go of what it found before, and only of that; and what it
/// did under the earlier pin is seen by who sees only the later.
#[test]
fn pins_one_after_the_other() {
    let seen = outcomes(3, || {
        let world = World::new();
        let reader = spawn(&world, |world| (world.read_and_mark(), world.read()));
        world.replace(2);
        let freed = world.reclaim(3);
        (reader.join().expect("no panic"), freed)
    });
    let expected = [
        ((1, 11), vec![]),
        ((1, 11), vec![11]),
        ((1, 2), vec![]),
        ((1, 2), vec![11]),
        ((2, 12), vec![]),
        ((2, 12), vec![1]),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// [unpin] handed on by the epoch: one advances past a reader, another takes that epoch for its
/// own, though a third pin keeps it from advancing itself.
#[test]
fn two_reclaimers_and_a_stopped_pin() {
    let seen = outcomes(3, || {
        let world = World::new();
        let lines = [(); 2].map(|()| world.domain.registry().take());
        let early = world.domain.pin_on(&lines[0]);
        // SAFETY: the reader drops it, before the world goes.
        let early: Guard<'static> = unsafe { std::mem::transmute(early) };
        let found = std::ptr::from_ref(world.find()).expose_provenance();
        world.replace(2);
        assert!(world.reclaim(1).is_empty());
        // Of the second epoch, and there it stays.
        let stopped = world.domain.pin_on(&lines[1]);
        let reader = spawn(&world, move |_| {
            let found = std::ptr::with_exposed_provenance::<Value>(found);
            // SAFETY: found under the guard.
            unsafe { at(found) }.mark(11);
            drop(early);
        });
        let other = spawn(&world, |world| world.reclaim(1));
        let mut freed = world.reclaim(1);
        freed.extend(other.join().expect("no panic"));
        reader.join().expect("no panic");
        drop(stopped);
        freed
    });
    assert_eq!(seen, BTreeSet::from([vec![], vec![11]]));
}

/// R3, [unpin]: what was done under a pin happened before the freeing.
#[test]
fn unpin_before_a_freeing() {
    let seen = outcomes(3, || {
        let world = World::new();
        let reader = spawn(&world, |world| world.read_and_mark());
        world.replace(2);
        let freed = world.reclaim(3);
        (reader.join().expect("no panic"), freed)
    });
    let expected = [(1, vec![]), (1, vec![11]), (2, vec![]), (2, vec![1])];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// [unpin] handed on: another thread moves the epoch past the reader.
#[test]
fn unpin_before_a_freeing_by_a_third() {
    let seen = outcomes(2, || {
        let world = World::new();
        let reader = spawn(&world, |world| world.read_and_mark());
        let other = spawn(&world, |world| world.reclaim(1));
        world.replace(2);
        let mut freed = world.reclaim(2);
        freed.extend(other.join().expect("no panic"));
        (reader.join().expect("no panic"), freed)
    });
    let expected = [(1, vec![]), (1, vec![11]), (2, vec![]), (2, vec![1])];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// R1, [bag]: who takes garbage that another gave sees it whole; each thing goes to one.
#[test]
fn bags_given_and_taken() {
    let seen = outcomes(2, || {
        let world = World::new();
        let other = spawn(&world, |world| {
            world.replace(2);
            world.reclaim(2)
        });
        world.replace(3);
        let mut freed = world.reclaim(3);
        freed.extend(other.join().expect("no panic"));
        freed.sort_unstable();
        freed.dedup();
        freed.len()
    });
    // None is what it never comes to: one of the two finds nobody pinned.
    assert_eq!(seen, BTreeSet::from([1, 2]));
}

/// [bag]: what another thread made and gave is seen whole by who frees it.
#[test]
fn garbage_of_another() {
    let seen = outcomes(3, || {
        let world = World::new();
        let other = spawn(&world, |world| {
            let mut garbage = Garbage::new();
            // SAFETY: never linked.
            unsafe { garbage.retire(allocate(Value::new(7))) };
            world.domain.give(garbage);
        });
        let freed = world.reclaim(3);
        other.join().expect("no panic");
        freed
    });
    assert_eq!(seen, BTreeSet::from([vec![], vec![7]]));
}

/// [bag]: what another thread made, gave, found ripe and left is seen whole by who frees it.
#[test]
fn ripe_left_by_another() {
    let seen = outcomes(2, || {
        let world = World::new();
        let other = spawn(&world, |world| {
            let mut garbage = Garbage::new();
            // SAFETY: never linked.
            unsafe { garbage.retire(allocate(Value::new(7))) };
            world.domain.give(garbage);
            for _ in 0..2 {
                leave_ripe(&world.domain);
            }
        });
        let freed = world.reclaim(1);
        other.join().expect("no panic");
        freed
    });
    assert_eq!(seen, BTreeSet::from([vec![], vec![7]]));
}

/// L2, [own]: a line that another thread left has no pins for its next owner, who finds it as that
/// left it, whatever it did last.
#[test]
fn a_line_changes_hands() {
    let seen = outcomes(3, || {
        let world = World::new();
        let own = Arc::new(Value::new(1));
        let first_own = Arc::clone(&own);
        let first = spawn(&world, move |world| {
            let line = world.domain.registry().take();
            drop(world.domain.pin_on(&line));
            first_own.mark(2);
            line.leave();
        });
        let line = world.domain.registry().take();
        let guard = world.domain.pin_on(&line);
        let pinned = is_pinned(&line);
        let left = own.get();
        drop(guard);
        first.join().expect("no panic");
        let lines = world.domain.registry().lines().count();
        assert!(lines > 1 || left == 2, "taken before it was left");
        (pinned, lines)
    });
    assert_eq!(seen, BTreeSet::from([(true, 1), (true, 2)]));
}

/// L1, [line]: who registers is seen by scans, whole.
#[test]
fn a_line_registered_during_a_scan() {
    let seen = outcomes(3, || {
        let world = World::new();
        let reader = spawn(&world, |world| drop(world.domain.pin()));
        let lines = world.domain.registry().lines().map(is_pinned);
        let lines = lines.count();
        reader.join().expect("no panic");
        lines
    });
    assert_eq!(seen, BTreeSet::from([0, 1]));
}

/// [unpin] handed on by a bag that is put before another: who advances past a reader makes its
/// garbage ripe behind what somebody else found ripe before, who then frees both.
#[test]
fn bags_made_ripe_by_two() {
    let seen = outcomes(2, || {
        let world = World::new();
        world.replace(2);
        assert!(world.reclaim(1).is_empty());
        let line = world.domain.registry().take();
        let early = world.domain.pin_on(&line);
        // SAFETY: the reader drops it, before the world goes.
        let early: Guard<'static> = unsafe { std::mem::transmute(early) };
        let found = std::ptr::from_ref(world.find()).expose_provenance();
        world.replace(3);
        let reader = spawn(&world, move |_| {
            let found = std::ptr::with_exposed_provenance::<Value>(found);
            // SAFETY: found under the guard.
            unsafe { at(found) }.mark(12);
            drop(early);
        });
        let other = spawn(&world, |world| world.reclaim(1));
        let mut freed = world.reclaim(1);
        freed.extend(other.join().expect("no panic"));
        reader.join().expect("no panic");
        freed.sort_unstable();
        freed
    });
    assert_eq!(seen, BTreeSet::from([vec![1], vec![1, 12]]));
}

/// L2, [end]: so is a line whose owner left while a view is open.
#[test]
fn a_line_left_with_a_view_open() {
    let seen = outcomes(3, || {
        let world = World::new();
        let line = world.domain.registry().take();
        let view = world.domain.pin_keeping(&line, 1).expect("the first one");
        // SAFETY: the reader drops it, before the world goes.
        let view: Guard<'static> = unsafe { std::mem::transmute(view) };
        let reader = spawn(&world, move |_| {
            line.leave();
            drop(view);
        });
        let line = world.domain.registry().take();
        let kept = line.kept();
        let guard = world.domain.pin_on(&line);
        drop(guard);
        reader.join().expect("no panic");
        (kept, world.domain.registry().lines().count())
    });
    assert_eq!(seen, BTreeSet::from([(None, 1), (None, 2)]));
}

/// L2, [end]: a line whose owner left while a word of it was in use is that word's until it ends:
/// who takes the line then finds it as the word's reader left it.
#[test]
fn a_line_left_with_a_word_in_use() {
    let seen = outcomes(3, || {
        let world = World::new();
        let horizon = Horizon::new(0);
        let line = world.domain.registry().take();
        let hold = horizon.begin(&line, Kind::Reader).expect("a free word");
        let reader = spawn(&world, move |world| {
            line.leave();
            drop(world.domain.pin_on(&line));
            Horizon::end(hold);
        });
        let line = world.domain.registry().take();
        let guard = world.domain.pin_on(&line);
        let pinned = is_pinned(&line);
        drop(guard);
        reader.join().expect("no panic");
        (pinned, world.domain.registry().lines().count())
    });
    assert_eq!(seen, BTreeSet::from([(true, 1), (true, 2)]));
}
