//! How a watcher ends, and what it tells then of how far it came.

mod common;

use std::task::{Context, Waker};
use std::time::Duration;

use common::{Task, builder, counted, put, task, wait_for_delivery};
use skep::{Delivery, Event, Filter, Overflow, Store, Version, WatchError, Watcher};

fn of_one() -> Filter {
    let filter = Filter::of::<Task>().key(&1).events_max(3);
    filter.overflow(Overflow::Close)
}

/// Four changes of one task, more than the watcher holds, and others before, between and after.
fn overflow(filter: Filter) -> (Store, Watcher) {
    let store = builder().table::<Task>().history_commits(1_000).build();
    let watcher = store.watch(filter);
    for count in 0..4 {
        put(&store, [task(2)]);
        put(&store, [counted(1, count)]);
    }
    for id in 10..20 {
        put(&store, [task(id)]);
    }
    wait_for_delivery(&store);
    (store, watcher)
}

/// All that a watcher gives, and how it ends.
fn all(watcher: &mut Watcher) -> (Vec<Event>, WatchError) {
    let mut given = Vec::new();
    loop {
        match watcher.try_recv() {
            Ok(Some(event)) => given.push(event),
            Ok(None) => panic!("it ends"),
            Err(error) => return (given, error),
        }
    }
}

/// The fourth change, of version 8, is the first that it has not.
#[test]
fn one_that_is_closed_is_current_up_to_what_it_was_given() {
    for filter in [of_one(), of_one().every_commit(), of_one().changes_only()] {
        let shown = format!("{filter:?}");
        let (store, mut watcher) = overflow(filter);
        let (given, error) = all(&mut watcher);
        assert_eq!(error, WatchError::Overflowed);
        assert_eq!(given.iter().filter_map(Event::change).count(), 3);
        let last = given.last().expect("something").version();
        assert!(last < Version::new(8), "{shown}: {given:?}");
        assert_eq!(watcher.position(), Version::new(7), "{shown}");
        let mut next = store.watch_from(watcher.position(), of_one()).unwrap();
        assert_eq!(next.recv().unwrap().version(), Version::new(8));
        assert_eq!(watcher.recv().unwrap_err(), WatchError::Overflowed);
    }
}

#[test]
fn figures_of_one_that_is_closed_tell_where_it_ended() {
    let (store, mut watcher) = overflow(of_one());
    assert_eq!(all(&mut watcher).1, WatchError::Overflowed);
    let own = store.watchers()[0];
    assert_eq!(own.position, Version::new(7), "{own:?}");
    assert_eq!(own.oldest, Some(Version::new(8)), "{own:?}");
    assert_eq!((own.behind, own.taken, own.waiting), (11, 0, 0), "{own:?}");
    assert!(own.behind_for.is_some(), "{own:?}");
}

/// Who goes back to a lag from before its end is given what came since, and its end, once more.
#[test]
fn a_sequence_of_events_goes_on_where_its_watcher_goes_back_from_its_end() {
    let timeout = Duration::from_millis(20);
    let store = builder().table::<Task>().history_commits(1_000).build();
    let of_one = Filter::of::<Task>().key(&1).events_max(2).timeout(timeout);
    let mut watcher = store.watch(of_one.changes_only());
    let put_count = |count| {
        put(&store, [counted(1, count)]);
    };
    (0..4).for_each(put_count);
    wait_for_delivery(&store);
    assert!(matches!(
        watcher.try_recv(),
        Err(WatchError::Lagged { missed: 2, .. })
    ));
    put_count(4);
    wait_for_delivery(&store);
    std::thread::sleep(3 * timeout);
    put_count(5);
    wait_for_delivery(&store);
    let given = |watcher: &mut Watcher| {
        let events = watcher.iter().map_while(Result::ok);
        events
            .map(|event| event.version().get())
            .collect::<Vec<_>>()
    };
    assert!(!given(&mut watcher).is_empty());
    assert!(watcher.iter().next().is_none(), "it has ended");
    watcher.resume().expect("the history has it");
    assert_eq!(given(&mut watcher)[..4], [1, 2, 3, 4]);
    assert!(watcher.iter().next().is_none(), "it has ended again");
    assert_eq!(watcher.try_recv().unwrap_err(), WatchError::Overflowed);
}

/// That its time is over is found with a commit that it still has: so nothing is left behind.
#[test]
fn one_that_has_all_there_is_before_its_end_is_current() {
    let timeout = Duration::from_millis(20);
    let store = builder().table::<Task>().build();
    let mut watcher = store.watch(Filter::of::<Task>().key(&1).timeout(timeout));
    put(&store, [counted(1, 0)]);
    std::thread::sleep(3 * timeout);
    put(&store, [counted(1, 1)]);
    wait_for_delivery(&store);
    let (given, error) = all(&mut watcher);
    assert_eq!((given.len(), error), (4, WatchError::Overflowed));
    let figures = || {
        let own = store.watchers()[0];
        (own.oldest, own.behind, own.behind_for.is_some())
    };
    assert_eq!(figures(), (None, 0, false));
    let next = put(&store, [counted(1, 2)]);
    wait_for_delivery(&store);
    assert_eq!(figures(), (Some(next), 1, true));
}

#[test]
fn who_only_looks_is_told_that_the_store_is_closed() {
    for delivery in [Delivery::Committers, Delivery::Receivers, Delivery::Threads] {
        let store = builder().table::<Task>().watch_delivery(delivery).build();
        let mut events = store.watch(Filter::of::<Task>().key(&1));
        let mut commits = store.watch(Filter::all());
        assert!(events.try_recv().unwrap().is_none());
        assert!(commits.try_recv_commit().unwrap().is_none());
        put(&store, [task(1)]);
        drop(store);
        assert_eq!(commits.try_recv_commit().unwrap().unwrap().changes.len(), 1);
        assert_eq!(commits.try_recv_commit().unwrap_err(), WatchError::Closed);
        let (given, error) = all(&mut events);
        assert_eq!((given.len(), error), (2, WatchError::Closed));
        assert_eq!(all(&mut events).1, WatchError::Closed);
    }
}

/// Not even how far it is, though the time for that comes later.
#[test]
fn nothing_is_told_after_the_end() {
    let interval = Duration::from_millis(50);
    let filters: [Filter; 2] = [
        Filter::of::<Task>().key(&1).into(),
        Filter::of::<Task>().when(|_| false).into(),
    ];
    for filter in filters {
        let store = builder().table::<Task>().build();
        let mut watcher = store.watch(filter.progress(interval));
        put(&store, [task(2)]);
        drop(store);
        // It is told how far it is before the end, if the time for that has come already.
        assert_eq!(all(&mut watcher).1, WatchError::Closed);
        std::thread::sleep(interval);
        assert_eq!(watcher.try_recv().unwrap_err(), WatchError::Closed);
        assert_eq!(watcher.try_recv_commit().unwrap_err(), WatchError::Closed);
    }
}

/// It may commit yet: so the store is not closed before it has ended.
#[test]
fn a_future_of_an_update_keeps_its_store_open() {
    for filter in [Filter::all(), Filter::of::<Task>().key(&1).into()] {
        let store = builder().table::<Task>().build();
        let mut watcher = store.watch(filter);
        let mut update = Box::pin(store.update_async(|tx| tx.create(task(1))));
        drop(store);
        assert!(watcher.try_recv().unwrap().is_none(), "it is open");
        let mut context = Context::from_waker(Waker::noop());
        while update.as_mut().poll(&mut context).is_pending() {
            std::thread::yield_now();
        }
        // Though the future is still there.
        let (given, error) = all(&mut watcher);
        assert_eq!((given.len(), error), (2, WatchError::Closed));
    }
}
