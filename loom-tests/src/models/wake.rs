//! Waking (Q1, Q2): nobody sleeps through what it waits for.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::seat::{Doze, Wait};
use crate::kernel::wake::{Waiter, Waiters};
use crate::sync::{AtomicU64, Ordering, fence, thread};

struct World {
    waiters: Waiters,
    visible: AtomicU64,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            waiters: Waiters::new(),
            visible: AtomicU64::new(0),
        })
    }

    fn commit(&self, version: u64) {
        // Relaxed: weaker than the watermark's: the fences are to do.
        self.visible.store(version, Ordering::Relaxed);
        self.waiters.wake();
    }

    fn visible(&self) -> u64 {
        // Relaxed: as above.
        self.visible.load(Ordering::Relaxed)
    }

    /// Waits until the watermark is there; a wake-up that is lost is a deadlock.
    fn wait(&self, version: u64) -> u64 {
        self.wait_as(&Waiter::thread(), version)
    }

    fn wait_as(&self, waiter: &Arc<Waiter>, version: u64) -> u64 {
        let mut parked = 0;
        loop {
            self.waiters.enqueue(waiter);
            // Also on the way out: whoever was woken before us may have left it to us.
            self.waiters.pass_on();
            if self.visible() >= version {
                self.waiters.abandon(waiter);
                return parked;
            }
            thread::park();
            parked += 1;
        }
    }
}

/// [wait/wake]: a commit comes while a watcher decides to sleep.
#[test]
fn commit_during_falling_asleep() {
    let seen = outcomes(4, || {
        let world = World::new();
        let watcher = spawn(&world, |world| world.wait(1));
        world.commit(1);
        watcher.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([0, 1]));
}

/// Q1: the same twice: the waiter queues itself again while the first wake-up takes the list.
#[test]
fn commits_one_after_the_other() {
    let seen = outcomes(3, || {
        let world = World::new();
        let watcher = spawn(&world, |world| world.wait(2));
        world.commit(1);
        world.commit(2);
        watcher.join().expect("no panic")
    });
    assert!(seen.is_subset(&BTreeSet::from([0, 1, 2])), "{seen:?}");
    assert!(seen.contains(&0) && seen.contains(&1), "{seen:?}");
}

/// Two committers wake at once: one has the list, and the other's watermark is not slept through.
#[test]
fn two_commits_at_once() {
    let seen = outcomes(2, || {
        let world = World::new();
        let watcher = spawn(&world, |world| world.wait(1));
        let other = spawn(&world, |world| world.waiters.wake());
        world.commit(1);
        other.join().expect("no panic");
        watcher.join().expect("no panic")
    });
    assert!(seen.is_subset(&BTreeSet::from([0, 1, 2])), "{seen:?}");
    assert!(seen.contains(&0) && seen.contains(&1), "{seen:?}");
}

/// Two waiters push at once; both are woken.
#[test]
fn two_watchers() {
    let seen = outcomes(2, || {
        let world = World::new();
        let first = spawn(&world, |world| world.wait(1));
        let second = spawn(&world, |world| world.wait(1));
        world.commit(1);
        (
            first.join().expect("no panic"),
            second.join().expect("no panic"),
        )
    });
    assert_eq!(seen, BTreeSet::from([(0, 0), (0, 1), (1, 0), (1, 1)]));
}

/// Q1: two wait, and one of them ends while it is left to it to wake the other.
#[test]
fn leave_while_passing_on() {
    let seen = outcomes(2, || {
        let world = World::new();
        let other = spawn(&world, |world| world.wait(1));
        let waiter = Waiter::thread();
        world.waiters.enqueue(&waiter);
        world.commit(1);
        // As one that is dropped does: it waits no more.
        world.waiters.pass_on();
        world.waiters.abandon(&waiter);
        other.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([0, 1]));
}

/// A task that notes that it was woken.
struct Noted(std::sync::atomic::AtomicBool);

impl Noted {
    fn new() -> Arc<Self> {
        Arc::new(Self(std::sync::atomic::AtomicBool::new(false)))
    }

    fn waiter(self: &Arc<Self>) -> Arc<Waiter> {
        Waiter::task(std::task::Waker::from(Arc::clone(self)))
    }

    fn was_woken(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl std::task::Wake for Noted {
    fn wake(self: Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Q2: tasks are woken and never run, another waits behind them: whoever is woken and runs wakes
/// all.
#[test]
fn woken_ones_that_never_run() {
    let seen = outcomes(2, || {
        let world = World::new();
        let tasks = [(); 3].map(|()| Noted::new());
        for task in &tasks {
            world.waiters.enqueue(&task.waiter());
        }
        let runs = spawn(&world, |world| world.wait(1));
        world.commit(1);
        let parked = runs.join().expect("no panic");
        (parked > 0, tasks.map(|task| task.was_woken()))
    });
    // The commit wakes the two newest; one that was gone by then has nobody left to it.
    let expected = [
        (false, [false, true, true]),
        (false, [true, true, true]),
        (true, [true, true, true]),
    ];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// Q3: a commit finds that others are due, and calls nobody: who comes for these wakes all.
#[test]
fn commit_while_another_comes() {
    let seen = outcomes(2, || {
        let world = World::new();
        let first = Noted::new();
        world.waiters.enqueue(&first.waiter());
        let second = spawn(&world, |world| world.wait(2));
        let third = Waiter::thread();
        world.waiters.enqueue(&third);
        world.commit(1);
        world.commit(2);
        // As a thread that looks again.
        world.waiters.pass_on();
        world.waiters.abandon(&third);
        second.join().expect("no panic");
        first.was_woken()
    });
    assert_eq!(seen, BTreeSet::from([true]));
}

/// A future is dropped, whose task then never comes by, while a commit wakes it.
#[test]
fn drop_of_a_future_while_it_is_called() {
    let seen = outcomes(2, || {
        let world = World::new();
        let behind = Noted::new();
        world.waiters.enqueue(&behind.waiter());
        let turned = Noted::new();
        let waiter = turned.waiter();
        world.waiters.enqueue(&waiter);
        let commits = spawn(&world, |world| world.commit(1));
        world.waiters.hand_on(&waiter);
        commits.join().expect("no panic");
        (behind.was_woken(), turned.was_woken())
    });
    assert_eq!(seen, BTreeSet::from([(true, false), (true, true)]));
}

/// Q3: futures are dropped while a commit comes, which has these two to call before another.
#[test]
fn drop_of_futures_in_front_of_another() {
    let seen = outcomes(3, || {
        let world = World::new();
        let behind = Noted::new();
        world.waiters.enqueue(&behind.waiter());
        let turned = [(); 2].map(|()| Noted::new());
        let waiters = turned.each_ref().map(Noted::waiter);
        for waiter in &waiters {
            world.waiters.enqueue(waiter);
        }
        let commits = spawn(&world, |world| world.commit(1));
        for waiter in &waiters {
            world.waiters.hand_on(waiter);
        }
        commits.join().expect("no panic");
        (behind.was_woken(), turned.map(|task| task.was_woken()))
    });
    let expected = [[false, false], [false, true], [true, true]];
    assert_eq!(seen, expected.map(|turned| (true, turned)).into());
}

/// Q1: who ceased to wait waits again while a commit takes it off the list.
#[test]
fn wait_again_while_it_is_taken_off() {
    let seen = outcomes(3, || {
        let world = World::new();
        let watcher = spawn(&world, |world| {
            let waiter = Waiter::thread();
            world.waiters.enqueue(&waiter);
            world.waiters.hand_on(&waiter);
            world.wait_as(&waiter, 1)
        });
        world.commit(1);
        watcher.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([0, 1]));
}

/// [cease/rely]: who ceases to wait while the rest of a commit is left to it finds that commit.
#[test]
fn cease_while_a_commit_is_left_to_it() {
    let seen = outcomes(3, || {
        let world = Arc::new((Wait::new(), AtomicU64::new(0)));
        world.0.begin();
        let leaves = spawn(&world, |world| {
            // Relaxed: the fences are to do.
            world.1.store(1, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            world.0.is_on()
        });
        assert!(world.0.end(), "it waited");
        // Relaxed: as above.
        let found = world.1.load(Ordering::Relaxed) == 1;
        (leaves.join().expect("no panic"), found)
    });
    let expected = [(false, false), (false, true), (true, true)];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// [list]: who leaves while a commit calls it, and another that never comes by, wakes whom that
/// left to both.
#[test]
fn leaving_while_it_is_called_with_another() {
    let seen = outcomes(2, || {
        let world = World::new();
        let behind = Noted::new();
        world.waiters.enqueue(&behind.waiter());
        let elsewhere = Noted::new();
        world.waiters.enqueue(&elsewhere.waiter());
        let waiter = Noted::new().waiter();
        world.waiters.enqueue(&waiter);
        let commits = spawn(&world, |world| world.commit(1));
        world.waiters.abandon(&waiter);
        commits.join().expect("no panic");
        behind.was_woken()
    });
    assert_eq!(seen, BTreeSet::from([true]));
}

/// [doze/call]: a thread falls asleep while something is put there for it.
#[test]
fn work_during_falling_asleep() {
    let seen = outcomes(3, || {
        let world = Arc::new((Doze::new(), AtomicU64::new(0)));
        let sleeper = spawn(&world, |world| {
            let (doze, work) = &**world;
            let mut parked = 0;
            loop {
                doze.begin();
                // Relaxed: the fences are to do.
                let found = work.load(Ordering::Relaxed);
                if found == 0 {
                    thread::park();
                    parked += 1;
                }
                doze.end();
                if found != 0 {
                    return parked;
                }
            }
        });
        // Relaxed: as above.
        world.1.store(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if world.0.is_on() {
            sleeper.thread().unpark();
        }
        sleeper.join().expect("no panic")
    });
    assert_eq!(seen, BTreeSet::from([0, 1]));
}
