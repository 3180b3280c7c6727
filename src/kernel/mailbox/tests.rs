//! What a mailbox remembers of what was taken out of it.

use super::*;
use crate::kernel::reclaim::{Action, Domain};
use crate::sync::{Arc, AtomicU64};

#[derive(Clone, Debug, PartialEq, Eq)]
struct Note(u64);

impl Letter for Note {
    fn bytes(&self) -> u64 {
        1
    }

    fn version(&self) -> u64 {
        self.0
    }

    fn coalesce(_: &mut Vec<Self>) {}
}

struct World {
    domain: Domain,
    mailbox: Mailbox<Note>,
}

impl World {
    fn put(&self, version: u64, write: u32) -> Put {
        let mut garbage = Garbage::new();
        let bounds = Bounds {
            letters: 8,
            bytes: 8,
            policy: Policy::Lag,
            after: None,
        };
        let letter = (Stamp { version, write }, &Note(version));
        let guard = self.domain.pin();
        let put = self.mailbox.put(&guard, &mut garbage, letter, bounds);
        self.domain.give(garbage);
        put
    }

    fn take(&self, whole: u64) -> Option<usize> {
        let mut garbage = Garbage::new();
        let guard = self.domain.pin();
        let taken = self.mailbox.take(&guard, &mut garbage, whole);
        self.domain.give(garbage);
        taken.map(|taken| taken.letters.len())
    }
}

/// What was put there before it was known where the watcher begins, and is not wanted, leaves its
/// room, and closes nothing.
#[test]
fn what_is_not_wanted_counts_for_nothing() {
    let put = |world: &World, version, after| {
        let bounds = Bounds {
            letters: 2,
            bytes: 8,
            policy: Policy::Close,
            after,
        };
        let letter = (Stamp { version, write: 0 }, &Note(version));
        let mut garbage = Garbage::new();
        let guard = world.domain.pin();
        let put = world.mailbox.put(&guard, &mut garbage, letter, bounds);
        world.domain.give(garbage);
        put
    };
    for before in [vec![3, 4], vec![3, 4, 5], vec![4, 6]] {
        let world = World {
            domain: Domain::new(),
            mailbox: Mailbox::new(),
        };
        let wanted = before.iter().filter(|version| **version > 5).count();
        for version in before {
            put(&world, version, None);
        }
        let found = if wanted == 0 { Put::First } else { Put::Done };
        assert_eq!(put(&world, 7, Some(5)), found);
        assert_eq!(put(&world, 7, Some(5)), Put::Before);
        assert_eq!(world.take(7), Some(wanted + 1));
    }
}

/// Made of what came at two versions.
#[derive(Clone, Debug)]
struct Joined([u64; 2]);

impl Letter for Joined {
    fn bytes(&self) -> u64 {
        1
    }

    fn version(&self) -> u64 {
        self.0[1]
    }

    fn since(&self) -> Since {
        Since {
            version: self.0[0],
            at: Moment::UNKNOWN,
        }
    }

    fn coalesce(_: &mut Vec<Self>) {}
}

/// What is made of something that is not wanted and something that is, goes with all else that
/// waits, which is told.
#[test]
fn what_is_wanted_by_half_is_missed() {
    let (domain, mailbox) = (Domain::new(), Mailbox::new());
    let put = |letter: Joined, after| {
        let bounds = Bounds {
            letters: 2,
            bytes: 8,
            policy: Policy::Close,
            after,
        };
        let (version, write) = (letter.version(), 0);
        let mut garbage = Garbage::new();
        let stamp = Stamp { version, write };
        let put = mailbox.put(&domain.pin(), &mut garbage, (stamp, &letter), bounds);
        domain.give(garbage);
        put
    };
    assert_eq!(put(Joined([3, 8]), None), Put::First);
    assert_eq!(put(Joined([9, 9]), None), Put::Done);
    assert_eq!(put(Joined([10, 10]), Some(5)), Put::First);
    let mut garbage = Garbage::new();
    let taken = mailbox.take(&domain.pin(), &mut garbage, 10);
    domain.give(garbage);
    let taken = taken.expect("one, and a gap");
    let missed = taken.missed.map(|missed| (missed.from, missed.through));
    assert_eq!((missed, taken.letters.len()), (Some((6, 9)), 1));
    assert_eq!(taken.end, None);
}

/// M1, M4.
#[test]
fn what_was_taken_is_not_delivered_again_and_what_was_not_is() {
    let world = World {
        domain: Domain::new(),
        mailbox: Mailbox::new(),
    };
    assert_eq!(world.take(0), None);
    assert_eq!(world.put(7, 0), Put::First);
    assert_eq!(world.put(7, 0), Put::Before);
    // Commit 7 is still being delivered.
    assert_eq!(world.take(6), Some(1));
    assert_eq!(world.put(7, 0), Put::Before);
    assert_eq!(world.put(7, 1), Put::First);
    assert_eq!(world.put(7, 2), Put::Done);
    // Now it is not.
    assert_eq!(world.take(7), Some(2));
    assert_eq!(world.take(7), None);
    for late in [(1, 0), (6, 3), (7, 0), (7, 3)] {
        assert_eq!(world.put(late.0, late.1), Put::Before, "{late:?}");
    }
    assert_eq!(world.put(8, 0), Put::First);
    let guard = world.domain.pin();
    assert!(world.mailbox.has_mail(&guard));
    assert_eq!(world.mailbox.depth(&guard).0.letters, 1);
    assert_eq!(world.take(9), Some(1));
    assert!(!world.mailbox.has_mail(&guard));
    world.mailbox.close(&guard, End::at(9, 0));
    assert_eq!(world.put(9, 0), Put::Before);
    assert_eq!(world.take(9), Some(0), "closed");
}

/// Counts those of its kind that are alive; one panics when it goes.
#[derive(Clone, Debug)]
struct Alive {
    version: u64,
    alive: Arc<AtomicU64>,
}

impl Alive {
    fn new(version: u64, alive: &Arc<AtomicU64>) -> Arc<Self> {
        alive.fetch_add(1, Ordering::Relaxed);
        let alive = Arc::clone(alive);
        Arc::new(Self { version, alive })
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
        assert_ne!(self.version, 7, "as the test wants it");
    }
}

impl Letter for Arc<Alive> {
    fn bytes(&self) -> u64 {
        1
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn coalesce(_: &mut Vec<Self>) {}
}

/// M3. However much waits in a mailbox that is full, who delivers one letter more does no more than
/// else; what went is freed by and by, and all of it.
#[test]
fn a_full_mailbox_costs_who_delivers_no_more_than_an_empty_one() {
    let domain = Domain::new();
    let alive = Arc::new(AtomicU64::new(0));
    let mailbox: Mailbox<Arc<Alive>> = Mailbox::new();
    let letters = 1000;
    let bounds = Bounds {
        letters,
        bytes: u64::MAX,
        policy: Policy::Lag,
        after: None,
    };
    let put = |version| {
        let mut garbage = Garbage::new();
        let letter = Alive::new(version, &alive);
        let stamp = Stamp { version, write: 0 };
        let guard = domain.pin();
        let put = mailbox.put(&guard, &mut garbage, (stamp, &letter), bounds);
        let retired = garbage.len();
        drop((guard, letter));
        domain.give(garbage);
        (put, retired)
    };
    for version in 1..=u64::from(letters) {
        assert_eq!(put(version).1, 0);
    }
    assert_eq!(put(1001), (Put::Full, 1));
    assert_eq!(alive.load(Ordering::Relaxed), 1001);
    // Freed on as collection does it.
    let mut parts = 0;
    loop {
        let ripe = domain.ripe(256).next::<256>();
        if ripe.is_empty() {
            break;
        }
        for retired in ripe.iter() {
            let Action::Part(part) = retired.action else {
                unreachable!("nothing else is retired here");
            };
            let before = alive.load(Ordering::Relaxed);
            // SAFETY: R3.
            let left = unsafe { part(retired.pointer, 64) };
            assert!(before - alive.load(Ordering::Relaxed) <= 64);
            parts += 1;
            if !left.is_null() {
                let mut garbage = Garbage::new();
                // SAFETY: R1: ours alone.
                unsafe { garbage.retire_by_parts(left, part) };
                domain.give(garbage);
            }
        }
    }
    assert_eq!(parts, 1000_u64.div_ceil(64));
    assert_eq!(alive.load(Ordering::Relaxed), 1);
    let mut garbage = Garbage::new();
    let taken = mailbox.take(&domain.pin(), &mut garbage, 1001);
    domain.give(garbage);
    let taken = taken.expect("one, and a gap");
    let missed = taken.missed.map(|missed| (missed.from, missed.through));
    assert_eq!(missed, Some((1, 1000)));
    assert_eq!(taken.letters.len(), 1);
    drop((taken, mailbox, domain));
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}
