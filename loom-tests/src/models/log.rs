//! The commit log: appends, trimming (G3), cutting and trimming (G2, G4), and the ring's wrap.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::log::{Append, Log, Slot};
use crate::kernel::reclaim::{Domain, Garbage, Guard};
use crate::kernel::testing::logs::{drain, empty_commit, trim};
use crate::kernel::testing::reclaim;

/// Slots of a segment and segments of the ring, under loom.
const SLOTS: u64 = 2;
const RING: u64 = 4 * SLOTS;

struct World {
    domain: Domain,
    log: Option<Log>,
}

impl World {
    /// A log with commits up to `tail`, and trimmed up to `trimmed`.
    fn new(tail: u64, trimmed: u64) -> Arc<Self> {
        let world = Self {
            domain: Domain::new(),
            log: Some(Log::new(1)),
        };
        for number in 1..=tail {
            assert_eq!(world.append(number), Some(number));
        }
        world.trim_to(trimmed);
        Arc::new(world)
    }

    fn log(&self) -> &Log {
        self.log.as_ref().expect("until the end")
    }

    fn step<R>(&self, run: impl FnOnce(&Guard<'_>, &mut Garbage) -> R) -> R {
        let mut garbage = Garbage::new();
        let guard = self.domain.pin();
        let result = run(&guard, &mut garbage);
        drop(guard);
        self.domain.give(garbage);
        result
    }

    /// Appends as the first number from `number` up that is free; `None`: the ring is full.
    fn append(&self, mut number: u64) -> Option<u64> {
        let mut commit = empty_commit();
        loop {
            let answer = self.step(|guard, garbage| {
                match self.log().append(guard, number, commit, garbage) {
                    Append::Done(_) => {
                        assert!(self.look_under(guard, number) != Seen::Empty);
                        Ok(Some(number))
                    }
                    Append::Full(_) => Ok(None),
                    Append::Taken(back) => {
                        // What has the number is seen whole.
                        assert!(self.look_under(guard, number) != Seen::Empty);
                        Err(back)
                    }
                }
            });
            match answer {
                Ok(answer) => return answer,
                Err(back) => commit = back,
            }
            number += 1;
        }
    }

    fn look(&self, number: u64) -> Seen {
        self.step(|guard, _| self.look_under(guard, number))
    }

    /// Looks twice under one pin at the same commit.
    fn look_under(&self, guard: &Guard<'_>, number: u64) -> Seen {
        match self.log().at(guard, number) {
            Slot::Empty => Seen::Empty,
            Slot::Trimmed => Seen::Trimmed,
            Slot::Commit(commit) => {
                assert_eq!(commit.number(), number, "seen before it was filled");
                let again = self.log().at(guard, number);
                assert!(!matches!(again, Slot::Empty), "a slot that goes back");
                // SAFETY: found under the guard: G3.
                let same = unsafe { crate::kernel::reclaim::at(std::ptr::from_ref(commit)) };
                assert_eq!(same.number(), number);
                Seen::Commit
            }
        }
    }

    fn trim_to(&self, until: u64) {
        while self.log().trimmed() < until {
            self.step(|guard, garbage| trim(self.log(), guard, until, garbage));
        }
    }

    fn trim_once(&self, until: u64) {
        self.step(|guard, garbage| trim(self.log(), guard, until, garbage));
    }

    fn reclaim(&self) {
        for _ in 0..3 {
            reclaim(&self.domain, |_| {});
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        drain(self.log.take().expect("once"));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Empty,
    Commit,
    Trimmed,
}

/// G1: two append at once: each number goes to one, and the loser sees the winner.
#[test]
fn two_appends() {
    let seen = outcomes(3, || {
        let world = World::new(0, 0);
        let other = spawn(&world, |world| world.append(1));
        let mine = world.append(1);
        (mine, other.join().expect("no panic"))
    });
    let (one, two) = (Some(1), Some(2));
    assert_eq!(seen, BTreeSet::from([(one, two), (two, one)]));
}

/// G1: a validator walks on while another appends.
#[test]
fn walk_during_an_append() {
    let seen = outcomes(4, || {
        let world = World::new(1, 0);
        let other = spawn(&world, |world| world.append(2));
        let found = [world.look(2), world.look(2)];
        assert_eq!(other.join().expect("no panic"), Some(2));
        assert_eq!(world.look(2), Seen::Commit);
        found
    });
    let (none, some) = (Seen::Empty, Seen::Commit);
    assert_eq!(
        seen,
        BTreeSet::from([[none, none], [none, some], [some, some]])
    );
}

/// G3: a commit is taken out and freed while somebody looks at it.
#[test]
fn trim_during_a_validation() {
    let seen = outcomes(2, || {
        let world = World::new(3, 0);
        let validator = spawn(&world, |world| [world.look(2), world.look(3)]);
        world.trim_once(2);
        world.reclaim();
        let found = validator.join().expect("no panic");
        assert_eq!(world.look(2), Seen::Trimmed);
        found
    });
    let (gone, here) = (Seen::Trimmed, Seen::Commit);
    assert_eq!(seen, BTreeSet::from([[gone, here], [here, here]]));
}

/// G3, G4: the same when the whole segment goes: who misses it knows why.
#[test]
fn trim_of_a_segment_during_a_validation() {
    let seen = outcomes(2, || {
        let world = World::new(4, 1);
        let validator = spawn(&world, |world| [world.look(3), world.look(4)]);
        world.trim_once(3);
        world.reclaim();
        validator.join().expect("no panic")
    });
    let (gone, here) = (Seen::Trimmed, Seen::Commit);
    assert_eq!(seen, BTreeSet::from([[gone, here], [here, here]]));
}

/// G2, G6: two trim at once, one segment and the next; each commit is given up once.
#[test]
fn two_trimmers() {
    let seen = outcomes(2, || {
        let world = World::new(5, 0);
        let other = spawn(&world, |world| world.trim_once(5));
        world.trim_once(5);
        world.reclaim();
        other.join().expect("no panic");
        world.reclaim();
        let trimmed = world.log().trimmed();
        (trimmed, world.look(trimmed), world.look(trimmed + 1))
    });
    let (gone, here) = (Seen::Trimmed, Seen::Commit);
    assert_eq!(seen, BTreeSet::from([(2, gone, here), (4, gone, here)]));
}

/// G4: the ring wraps onto a segment that is being trimmed: it waits for that, or takes its place.
#[test]
fn wrap_during_a_trim() {
    let seen = outcomes(3, || {
        let world = World::new(RING - 1, 0);
        let trimmer = spawn(&world, |world| world.trim_once(2));
        let wrapped = world.append(RING);
        trimmer.join().expect("no panic");
        let again = wrapped.or_else(|| world.append(RING));
        assert_eq!(again, Some(RING));
        assert_eq!(world.look(1), Seen::Trimmed);
        world.reclaim();
        wrapped
    });
    assert_eq!(seen, BTreeSet::from([None, Some(RING)]));
}

/// G4: two wrap at once onto a segment that nobody has unlinked yet.
#[test]
fn two_wraps() {
    let seen = outcomes(3, || {
        let world = World::new(RING - 1, 1);
        let other = spawn(&world, |world| world.append(RING));
        let mine = world.append(RING);
        let theirs = other.join().expect("no panic");
        world.reclaim();
        assert_eq!(world.look(RING), Seen::Commit);
        (mine, theirs)
    });
    let (one, two) = (Some(RING), Some(RING + 1));
    assert_eq!(seen, BTreeSet::from([(one, two), (two, one)]));
}

/// A ghost (G5): who stopped before it placed a segment goes on when the numbers have come and
/// gone. It appends nothing, and its segment is unlinked by who needs the place.
#[test]
fn a_segment_placed_too_late() {
    let seen = outcomes(2, || {
        let world = World::new(1, 0);
        let late = spawn(&world, |world| world.append(2));
        let mine: Vec<_> = (0..2).map(|_| world.append(2)).collect();
        world.trim_once(2);
        world.trim_once(3);
        let theirs = late.join().expect("no panic").expect("room");
        // Round the ring, over the ghost.
        for number in 5..=RING + 3 {
            assert_eq!(world.append(number), Some(number));
            world.trim_to(number - 1);
        }
        assert_eq!(world.look(2), Seen::Trimmed);
        world.reclaim();
        (theirs, mine)
    });
    let all = [
        (2, vec![Some(3), Some(4)]),
        (3, vec![Some(2), Some(4)]),
        (4, vec![Some(2), Some(3)]),
    ];
    assert_eq!(seen, BTreeSet::from(all));
}
