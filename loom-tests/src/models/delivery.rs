//! Delivery to watchers (J, U, M, S): who subscribes, who delivers, who takes, and who goes.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::history::HistoryLimits;
use crate::kernel::mailbox::{Bounds, End, Letter, Mailbox, Policy, Put, Stamp};
use crate::kernel::routes::{Route, Routes};
use crate::kernel::seat::{Calls, Seat};
use crate::kernel::station::Delivered;
use crate::kernel::table::GarbageBin;
use crate::kernel::testing::{Cell, Txn, cell, kernel, show};
use crate::kernel::wake::Waiter;
use crate::kernel::{Kernel, Limits};
use crate::sync::{AtomicU64, Ordering, thread};

impl Letter for u64 {
    fn bytes(&self) -> u64 {
        1
    }

    fn version(&self) -> u64 {
        *self
    }

    fn coalesce(letters: &mut Vec<Self>) {
        letters.drain(..letters.len() - 1);
    }
}

pub(super) struct Member {
    pub(super) mailbox: Mailbox<u64>,
    pub(super) seat: Seat,
}

/// A store of one cell, and its watchers: these go first, while what they are made of is known.
pub(super) struct World {
    routes: Routes<Member>,
    pub(super) kernel: Arc<Kernel>,
    cell: Cell,
    bounds: Bounds,
}

// SAFETY: K3: the cell's claim keeps its record, whose words are atomics.
unsafe impl Send for World {}
// SAFETY: as above.
unsafe impl Sync for World {}

pub(super) const ROOMY: Bounds = Bounds {
    letters: 8,
    bytes: 8,
    policy: Policy::Lag,
    after: None,
};

impl World {
    pub(super) fn new(watch_commits: u64, bounds: Bounds) -> Arc<Self> {
        let kernel = kernel(Limits {
            retention: 0,
            log_commits: 8,
            watch_commits,
            history: HistoryLimits::NONE,
        });
        Arc::new(Self {
            cell: cell(&kernel, 1),
            kernel,
            routes: Routes::new([0].into_iter()),
            bounds,
        })
    }

    pub(super) fn commit(&self, value: u64) {
        let done = Txn::begin(&self.kernel).commit(&[(self.cell, Some(value))]);
        assert_eq!(done, Ok(value));
    }

    /// Delivers what is visible, and calls those that it is for.
    pub(super) fn deliver(&self) {
        self.deliver_and(true);
    }

    /// Delivers what is visible.
    fn deliver_and(&self, call: bool) {
        let station = self.kernel.station(0);
        let until = self.kernel.horizon.visible();
        station.carry_on(&self.kernel, until, |guard, commit, calls| {
            let Some(commit) = commit else {
                self.routes
                    .all(guard, |member| calls.note(guard, &member.seat));
                return Delivered::Whole;
            };
            let mut garbage = GarbageBin::new(&self.kernel);
            let (version, write) = (commit.number(), 0);
            if self.routes.is_asked(Route::table(0)) {
                self.routes.each(guard, Route::table(0), |member| {
                    let letter = (Stamp { version, write }, &version);
                    member
                        .mailbox
                        .put(guard, &mut garbage.0, letter, self.bounds);
                    if call {
                        calls.note(guard, &member.seat);
                    }
                    ControlFlow::Continue(())
                });
            }
            Delivered::Whole
        });
    }

    pub(super) fn subscribe(&self, number: u64) -> (Arc<Member>, u64) {
        let member = Arc::new(Member {
            mailbox: Mailbox::new(),
            seat: Seat::new(),
        });
        let start = self.kernel.station(0).subscribe(&self.kernel, || {
            self.routes
                .add(&self.kernel, Route::table(0), number, &member);
        });
        (member, start)
    }

    fn leave(&self, number: u64) {
        self.routes.remove(&self.kernel, Route::table(0), number);
        self.kernel.station(0).unsubscribe();
    }

    /// What a member has, after `start`; and what it missed.
    pub(super) fn take(&self, member: &Member, start: u64) -> (Vec<u64>, Option<u64>) {
        let mut garbage = GarbageBin::new(&self.kernel);
        let guard = self.kernel.domain.pin();
        let whole = self.kernel.station(0).position();
        let taken = member.mailbox.take(&guard, &mut garbage.0, whole);
        let Some(taken) = taken else {
            return (Vec::new(), None);
        };
        let letters = taken.letters.into_iter().filter(|it| *it > start).collect();
        (letters, taken.missed.map(|missed| missed.through))
    }
}

/// J1: who subscribes beside a commit is given all that comes after its beginning, once.
#[test]
fn subscribe_during_a_delivery() {
    let seen = outcomes(3, || {
        let world = World::new(8, ROOMY);
        let subscriber = spawn(&world, |world| {
            let (member, start) = world.subscribe(1);
            world.deliver();
            let (letters, _) = world.take(&member, start);
            (member, start, letters)
        });
        world.commit(1);
        world.deliver();
        let (member, start, mut letters) = subscriber.join().expect("no panic");
        world.deliver();
        letters.extend(world.take(&member, start).0);
        (start, letters)
    });
    assert_eq!(seen, BTreeSet::from([(0, vec![1]), (1, vec![])]));
}

/// J1, [subscribe/deliver]: who subscribes while a position that nobody needs is moved begins at or
/// above it, or is seen by who would move it.
#[test]
fn subscribe_while_nobody_has() {
    let seen = outcomes(3, || {
        let world = World::new(8, ROOMY);
        let subscriber = spawn(&world, |world| {
            world.kernel.station(0).subscribe(&world.kernel, || ())
        });
        show(&world.kernel.horizon, 1);
        let station = world.kernel.station(0);
        station.carry_on(&world.kernel, 1, |_, _, _| Delivered::Part { left_to: 1 });
        let position = station.position();
        (subscriber.join().expect("no panic"), position)
    });
    assert_eq!(seen, BTreeSet::from([(0, 0), (1, 0), (1, 1)]));
}

/// J1, [station]: who sees a position finds what was delivered up to it, also if nobody was called
/// and it was pinned all the while, so that no fence lies between.
#[test]
fn look_at_the_position_during_a_delivery() {
    let seen = outcomes(3, || {
        let world = World::new(8, ROOMY);
        let (member, _) = world.subscribe(1);
        world.commit(1);
        let other = spawn(&world, |world| world.deliver_and(false));
        let guard = world.kernel.domain.pin();
        let position = world.kernel.station(0).position();
        let has_mail = member.mailbox.has_mail(&guard);
        drop(guard);
        other.join().expect("no panic");
        (position, has_mail)
    });
    let expected = [(0, false), (0, true), (1, true)];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// J1, J3, [station]: who sees that a position was moved over what nobody was given sees that it is
/// lost.
#[test]
fn look_at_the_position_during_a_loss() {
    let seen = outcomes(3, || {
        let world = World::new(0, ROOMY);
        world.subscribe(1);
        world.commit(1);
        world.kernel.collect();
        assert_eq!(world.kernel.log.trimmed(), 1, "beyond the lag");
        let other = spawn(&world, |world| world.deliver());
        let station = world.kernel.station(0);
        let seen = (station.position(), station.lost());
        other.join().expect("no panic");
        seen
    });
    assert_eq!(seen, BTreeSet::from([(0, 0), (0, 1), (1, 1)]));
}

/// J1, J3, [lost]: what is delivered and trimmed beside who finds something lost is not lost.
#[test]
fn find_a_loss_beside_who_delivers_on() {
    let seen = outcomes(2, || {
        let world = World::new(0, ROOMY);
        world.subscribe(1);
        world.commit(1);
        world.kernel.collect();
        let other = spawn(&world, |world| {
            world.deliver();
            world.commit(2);
            world.deliver();
            world.kernel.collect();
        });
        let station = world.kernel.station(0);
        station.carry_on(&world.kernel, 1, |_, _, _| Delivered::Whole);
        other.join().expect("no panic");
        (world.kernel.log.trimmed(), station.lost())
    });
    assert_eq!(seen, BTreeSet::from([(2, 1)]));
}

/// J1, J3, [sit/call]: who falls asleep while something is lost is called; a call that is lost is a
/// deadlock.
#[test]
fn lose_during_falling_asleep() {
    let seen = outcomes(3, || {
        let world = World::new(0, ROOMY);
        let (member, start) = world.subscribe(1);
        world.commit(1);
        world.kernel.collect();
        let watcher = spawn(&world, move |world| {
            member.seat.take(&world.kernel, &Waiter::thread());
            loop {
                member.seat.settle();
                let lost = world.kernel.station(0).lost();
                if lost > start {
                    return lost;
                }
                thread::park();
            }
        });
        world.deliver();
        watcher.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([1]));
}

/// J3: nor is anything trimmed that it needs.
#[test]
fn subscribe_during_a_trim() {
    let seen = outcomes(2, || {
        let world = World::new(8, ROOMY);
        world.commit(1);
        let subscriber = spawn(&world, |world| world.subscribe(1));
        world.commit(2);
        world.kernel.collect();
        let (member, start) = subscriber.join().expect("no panic");
        world.deliver();
        let lost = world.kernel.station(0).lost();
        assert!(lost <= start, "{lost} lost after {start}");
        (start, world.take(&member, start).0)
    });
    assert_eq!(seen, BTreeSet::from([(1, vec![2]), (2, vec![])]));
}

/// J2, M1: two deliver the same commits at once; each letter comes once, in order.
#[test]
fn two_deliver_at_once() {
    let seen = outcomes(2, || {
        let world = World::new(8, ROOMY);
        let (member, start) = world.subscribe(1);
        world.commit(1);
        let other = spawn(&world, |world| world.deliver());
        world.commit(2);
        world.deliver();
        let (mut letters, _) = world.take(&member, start);
        other.join().expect("no panic");
        letters.extend(world.take(&member, start).0);
        letters
    });
    assert_eq!(seen, BTreeSet::from([vec![1, 2]]));
}

/// M1, M2: a watcher takes while its letters come: none is lost, and none comes twice.
#[test]
fn take_during_a_delivery() {
    let seen = outcomes(3, || {
        let world = World::new(8, ROOMY);
        let (member, start) = world.subscribe(1);
        world.commit(1);
        let other = spawn(&world, |world| world.deliver());
        let (first, _) = world.take(&member, start);
        world.deliver();
        let (second, _) = world.take(&member, start);
        other.join().expect("no panic");
        let (third, _) = world.take(&member, start);
        (first, second, third)
    });
    let once = |first: &[u64], second: &[u64]| (first.to_vec(), second.to_vec(), vec![]);
    let expected = [once(&[1], &[]), once(&[], &[1])];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// U1, S1, M3: a watcher goes while it is delivered to; nothing is used that was freed.
#[test]
fn leave_during_a_delivery() {
    let seen = outcomes(2, || {
        let world = World::new(8, ROOMY);
        let (member, _) = world.subscribe(1);
        world.commit(1);
        let other = spawn(&world, |world| world.deliver());
        member.seat.take(&world.kernel, &Waiter::thread());
        world.leave(1);
        member.seat.leave(&world.kernel);
        drop(member);
        for _ in 0..2 {
            world.kernel.collect();
        }
        other.join().expect("no panic");
        world.deliver();
        world.kernel.station(0).position()
    });
    assert_eq!(seen, BTreeSet::from([1]));
}

/// S1, [sit/call]: a delivery comes while a watcher decides to sleep; a call that is lost is a
/// deadlock.
#[test]
fn deliver_during_falling_asleep() {
    let seen = outcomes(3, || {
        let world = World::new(8, ROOMY);
        let (member, start) = world.subscribe(1);
        let watcher = spawn(&world, move |world| {
            member.seat.take(&world.kernel, &Waiter::thread());
            loop {
                member.seat.settle();
                let (letters, _) = world.take(&member, start);
                if !letters.is_empty() {
                    return letters;
                }
                thread::park();
            }
        });
        world.commit(1);
        world.deliver();
        watcher.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([vec![1]]));
}

/// [sit/call]: the same of who looks at a number alone, without a pin, whose fence would do as
/// well.
#[test]
fn call_during_falling_asleep() {
    struct Awaited {
        seat: Seat,
        version: AtomicU64,
        kernel: Arc<Kernel>,
    }
    let seen = outcomes(3, || {
        let world = World::new(8, ROOMY);
        let awaited = Arc::new(Awaited {
            seat: Seat::new(),
            version: AtomicU64::new(0),
            kernel: Arc::clone(&world.kernel),
        });
        let waiter = spawn(&awaited, |awaited| {
            awaited.seat.take(&awaited.kernel, &Waiter::thread());
            loop {
                awaited.seat.settle();
                // Relaxed: [sit/call].
                match awaited.version.load(Ordering::Relaxed) {
                    0 => thread::park(),
                    version => return version,
                }
            }
        });
        let guard = awaited.kernel.domain.pin();
        // Relaxed: [sit/call].
        awaited.version.store(1, Ordering::Relaxed);
        let mut calls = Calls::new();
        calls.note(&guard, &awaited.seat);
        calls.make(guard);
        waiter.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([1]));
}

/// M3: a full mailbox is taken from while it lets go what it has: what is not given is told.
#[test]
fn take_during_a_lag() {
    let tight = Bounds {
        letters: 1,
        ..ROOMY
    };
    let seen = outcomes(3, move || {
        let world = World::new(8, tight);
        let (member, start) = world.subscribe(1);
        world.commit(1);
        world.deliver();
        let other = spawn(&world, |world| {
            world.commit(2);
            world.deliver();
        });
        let (first, missed_first) = world.take(&member, start);
        other.join().expect("no panic");
        let (second, missed_second) = world.take(&member, start);
        (first, missed_first, second, missed_second)
    });
    let expected = [
        (vec![1], None, vec![2], None),
        (vec![2], Some(1), vec![], None),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// The same of one that makes one of two letters.
#[test]
fn take_during_a_coalescing() {
    let tight = Bounds {
        letters: 2,
        policy: Policy::Coalesce,
        after: Some(0),
        ..ROOMY
    };
    let seen = outcomes(2, move || {
        let world = World::new(8, tight);
        let (member, start) = world.subscribe(1);
        for value in 1..=2 {
            world.commit(value);
        }
        world.deliver();
        let other = spawn(&world, |world| {
            world.commit(3);
            world.deliver();
        });
        let (first, _) = world.take(&member, start);
        other.join().expect("no panic");
        let (second, missed) = world.take(&member, start);
        (first, second, missed)
    });
    let expected = [(vec![1, 2], vec![3], None), (vec![3], vec![], None)];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// A mailbox is closed while it is delivered to and taken from: what is in it is still given, and
/// nothing after it.
#[test]
fn close_during_a_delivery() {
    let seen = outcomes(3, || {
        let world = World::new(8, ROOMY);
        let (member, _) = world.subscribe(1);
        let closer = Arc::clone(&member);
        let other = spawn(&world, move |world| {
            let guard = world.kernel.domain.pin();
            closer.mailbox.close(&guard, End::at(3, 0));
        });
        let put = |version| {
            let mut garbage = GarbageBin::new(&world.kernel);
            let guard = world.kernel.domain.pin();
            let letter = (Stamp { version, write: 0 }, &version);
            member.mailbox.put(&guard, &mut garbage.0, letter, ROOMY) != Put::Before
        };
        let done = [put(1), put(2)];
        other.join().expect("no panic");
        let (letters, _) = world.take(&member, 0);
        assert!(!put(3), "closed");
        assert_eq!(world.take(&member, 0), (vec![], None));
        (done, letters)
    });
    let expected = [
        ([false, false], vec![]),
        ([true, false], vec![1]),
        ([true, true], vec![1, 2]),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}
