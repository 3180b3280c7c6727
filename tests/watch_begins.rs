//! Where a watcher begins and ends, however far behind those are who deliver: what was committed
//! before it began is nothing to it, and what was committed before the store was closed is given.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use common::{Task, counted, put, task};
use skep::{Delivery, Event, Filter, Overflow, Store, TableFilter, WatchError, Watcher};

const ALL: [Delivery; 3] = [Delivery::Committers, Delivery::Receivers, Delivery::Threads];

fn store(delivery: Delivery) -> Store {
    let builder = common::builder().table::<Task>();
    builder.watch_delivery(delivery).build()
}

fn of(key: u64) -> TableFilter<Task> {
    Filter::of::<Task>().key(&key)
}

/// A store with so many commits of task 1, and a watcher that has looked at none of them: so
/// nobody has delivered them, where that is left to receivers.
fn behind(delivery: Delivery, commits: i64) -> (Store, Watcher) {
    let store = store(delivery);
    let idle = store.watch(of(999));
    for count in 1..=commits {
        put(&store, [counted(1, count)]);
    }
    (store, idle)
}

#[test]
fn what_is_visible_is_given_at_once() {
    for delivery in ALL {
        let (store, _idle) = behind(delivery, 1_000);
        let mut watcher = store.watch(of(2));
        put(&store, [task(2)]);
        let given = watcher.try_recv();
        assert!(
            matches!(given, Ok(Some(Event::Change(_)))),
            "{delivery:?}: {given:?}"
        );
    }
}

#[test]
fn what_was_committed_before_a_close_is_given_before_its_end() {
    for delivery in ALL {
        let (store, _idle) = behind(delivery, 1_000);
        let mut watcher = store.watch(of(2));
        put(&store, [task(2)]);
        drop(store);
        let given = watcher.recv();
        assert!(
            matches!(given, Ok(Event::Change(_))),
            "{delivery:?}: {given:?}"
        );
        let marker = watcher.recv();
        assert!(
            matches!(marker, Ok(Event::Commit(_))),
            "{delivery:?}: {marker:?}"
        );
        assert_eq!(watcher.recv().err(), Some(WatchError::Closed));
    }
}

#[test]
fn what_was_committed_before_it_began_counts_for_nothing() {
    for delivery in ALL {
        for overflow in [Overflow::Lag, Overflow::Coalesce, Overflow::Close] {
            let (store, _idle) = behind(delivery, 100);
            let mut watcher = store.watch(of(1).events_max(10).overflow(overflow));
            assert_eq!(watcher.try_recv().map(|event| event.is_some()), Ok(false));
            // As many as there is room for.
            for count in 1..=10 {
                put(&store, [counted(1, count)]);
            }
            let mut given = 0;
            while let Some(event) = watcher.try_recv().expect("there is room") {
                given += u32::from(matches!(event, Event::Change(_)));
            }
            assert_eq!(given, 10, "{delivery:?}, {overflow:?}");
        }
    }
}

#[test]
fn the_time_before_it_began_counts_for_nothing() {
    let timeout = Duration::from_millis(200);
    for delivery in ALL {
        let (store, mut other) = behind(delivery, 10);
        let mut watcher = store.watch(of(1).timeout(timeout));
        assert!(matches!(other.try_recv(), Ok(None)));
        thread::sleep(2 * timeout);
        put(&store, [counted(1, 11)]);
        assert!(matches!(other.try_recv(), Ok(None)));
        let given = [(); 3].map(|()| watcher.try_recv().map(|event| event.is_some()));
        assert_eq!(given, [Ok(true), Ok(true), Ok(false)], "{delivery:?}");
    }
}

/// Stops the writers, also when an assertion fails.
struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A commit that is in the mailbox is given before the end is told, and nothing after it.
#[test]
fn the_end_of_a_full_mailbox_comes_last() {
    for delivery in ALL {
        let store = store(delivery);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let _stop = StopWhenDropped(&stop);
            for key in 1..=2 {
                let (store, stop) = (&store, &stop);
                scope.spawn(move || {
                    for count in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                        put(store, [counted(key, count)]);
                    }
                });
            }
            let ended = (0..common::scaled(60, 1_000)).filter(|_| {
                let filter = Filter::of::<Task>().events_max(3).overflow(Overflow::Close);
                ends(&mut store.watch(filter), delivery)
            });
            assert!(ended.count() > 0, "{delivery:?}: all of them kept up");
        });
    }
}

/// Events after which a watcher keeps up with its writers, and is left.
const ENOUGH: u32 = 50_000;

/// Receives until the mailbox was full and has ended; false: it keeps up.
fn ends(watcher: &mut Watcher, delivery: Delivery) -> bool {
    let (begun, mut given) = (watcher.position(), 0);
    loop {
        match watcher.try_recv() {
            Ok(Some(_)) => given += 1,
            Ok(None) => {}
            Err(WatchError::Overflowed) => break,
            Err(error) => panic!("{delivery:?}: {error}"),
        }
        if given > ENOUGH {
            return false;
        }
    }
    // More than its bound may have been committed while it was being made: then it ends there.
    assert!(
        given > 0 || watcher.position() == begun,
        "{delivery:?}: full, and nothing was in it"
    );
    for _ in 0..3 {
        let after = watcher.try_recv();
        assert!(
            matches!(after, Err(WatchError::Overflowed)),
            "{delivery:?}: {after:?}"
        );
    }
    true
}
