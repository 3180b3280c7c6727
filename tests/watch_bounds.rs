//! Watchers with bounds: what becomes of one that does not keep up, and what it is told.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Task, counted, delete, events, put, store, task, wait_for_delivery};
use skep::{
    AnyChange, Builder, Change, Event, Filter, Kind, Overflow, Store, Version, WatchError,
    WatchFromError, Watcher,
};

fn tasks(store: &Store, wish: impl FnOnce(Filter) -> Filter) -> Watcher {
    store.watch(wish(Filter::of::<Task>().into()))
}

fn keeping_all() -> Builder {
    common::builder().table::<Task>().history_commits(10_000)
}

/// What a watcher gives until there is nothing more, with lags.
fn all(watcher: &mut Watcher) -> Vec<Result<u64, WatchError>> {
    let mut given = Vec::new();
    loop {
        match watcher.try_recv() {
            Ok(None) => return given,
            Ok(Some(Event::Commit(version))) => given.push(Ok(version.get())),
            Ok(Some(Event::Change(_))) => {}
            Err(error @ WatchError::Lagged { .. }) => given.push(Err(error)),
            Err(error) => {
                given.push(Err(error));
                return given;
            }
        }
    }
}

#[test]
fn beyond_its_events_a_watcher_lags_and_goes_on_with_the_newest() {
    let store = store();
    let mut watcher = tasks(&store, |filter| filter.events_max(10));
    for count in 1..=25 {
        put(&store, [counted(1, count)]);
    }
    let given = all(&mut watcher);
    // Ten wait; the eleventh finds no room, and the ten go.
    let lagged = Err(WatchError::Lagged {
        missed: 20,
        resume_from: Version::new(20),
    });
    let rest = (21..=25).map(Ok);
    assert_eq!(given, [lagged].into_iter().chain(rest).collect::<Vec<_>>());
    put(&store, [counted(1, 26)]);
    assert_eq!(all(&mut watcher), [Ok(26)]);
}

#[test]
fn a_lag_between_what_was_taken_comes_in_its_place() {
    let store = store();
    let mut watcher = tasks(&store, |filter| filter.events_max(4));
    for count in 1..=3 {
        put(&store, [counted(1, count)]);
    }
    // Takes all three and gives the first.
    assert_eq!(watcher.try_recv().unwrap().unwrap().version().get(), 1);
    for count in 4..=9 {
        put(&store, [counted(1, count)]);
    }
    let lagged = Err(WatchError::Lagged {
        missed: 4,
        resume_from: Version::new(7),
    });
    let expected = [Ok(1), Ok(2), Ok(3), lagged, Ok(8), Ok(9)];
    assert_eq!(all(&mut watcher), expected);
}

#[test]
fn a_commit_is_given_whole_or_missed_whole() {
    let store = store();
    let mut watcher = tasks(&store, |filter| filter.events_max(10));
    put(&store, (0..6).map(task));
    put(&store, (10..16).map(task));
    put(&store, (20..24).map(task));
    let lagged = WatchError::Lagged {
        missed: 2,
        resume_from: Version::new(2),
    };
    assert_eq!(watcher.try_recv_commit().unwrap_err(), lagged);
    let commit = watcher.try_recv_commit().unwrap().unwrap();
    assert_eq!((commit.version.get(), commit.changes.len()), (3, 4));
    // One that is too much by itself.
    put(&store, (30..50).map(task));
    put(&store, [task(60)]);
    assert!(watcher.try_recv_commit().is_err());
    let commit = watcher.try_recv_commit().unwrap().unwrap();
    assert_eq!((commit.version.get(), commit.changes.len()), (5, 1));
    assert!(watcher.try_recv_commit().unwrap().is_none());
}

#[test]
fn bytes_are_a_bound_as_well() {
    let store = store();
    let size = size_of::<Task>() as u64;
    let mut watcher = tasks(&store, |filter| filter.bytes_max(20 * size));
    for id in 0..100 {
        put(&store, [task(id)]);
        let [own] = store.watchers()[..] else {
            panic!("one watcher");
        };
        assert!(own.waiting_bytes <= 20 * size, "{own:?}");
    }
    let given = all(&mut watcher);
    assert!(given[0].is_err() && given.len() > 2, "{given:?}");
    assert_eq!(given.last(), Some(&Ok(100)));
    // One change always has room.
    let mut tight = tasks(&store, |filter| filter.bytes_max(1));
    put(&store, [task(200)]);
    assert_eq!(all(&mut tight), [Ok(101)]);
    // A store's bound is that of watchers that ask for none.
    let builder = common::builder().table::<Task>();
    let store = builder.watch_bytes_max(20 * size).build();
    let mut watcher = store.watch(Filter::of::<Task>().key(&1));
    for count in 0..100 {
        put(&store, [counted(1, count)]);
    }
    wait_for_delivery(&store);
    let [own] = store.watchers()[..] else {
        panic!("one watcher");
    };
    assert!(own.waiting_bytes <= 20 * size, "{own:?}");
    assert!(all(&mut watcher)[0].is_err());
}

#[test]
fn what_a_lag_passed_over_is_fetched_from_the_log_if_it_is_there() {
    let store = keeping_all().build();
    let mut watcher = store.watch(
        Filter::of::<Task>()
            .value(Task::BY_NODE, 7u64)
            .events_max(8),
    );
    let on = |node, count| Task {
        node: Some(node),
        ..counted(node, count)
    };
    for count in 1..=30 {
        put(&store, [on(7, count), on(8, count)]);
    }
    assert!(matches!(
        watcher.try_recv(),
        Err(WatchError::Lagged { missed: 24, .. })
    ));
    watcher.resume().expect("the history has it");
    put(&store, [on(7, 31)]);
    let counts: Vec<i64> = events(&mut watcher)
        .iter()
        .filter_map(Event::change)
        .map(|change| change.new_object::<Task>().expect("a task").count)
        .collect();
    assert!(counts.into_iter().eq(1..=31));
    // Nothing to go back to.
    watcher.resume().expect("it has not lagged since");
    assert!(watcher.try_recv().unwrap().is_none());
}

#[test]
fn what_the_log_has_let_go_cannot_be_fetched() {
    let (builder, kept) = common::builder_and_kept();
    let store = builder.table::<Task>().build();
    let mut watcher = tasks(&store, |filter| filter.events_max(2));
    for count in 1..=300 {
        put(&store, [counted(1, count)]);
    }
    // A proposer would have it.
    kept.forget();
    store.reclaim();
    assert!(matches!(watcher.try_recv(), Err(WatchError::Lagged { .. })));
    let refused = watcher.resume().unwrap_err();
    assert!(
        matches!(refused, WatchFromError::Compacted { oldest } if oldest > Version::ZERO),
        "{refused:?}"
    );
    // And goes on as before.
    assert_eq!(all(&mut watcher).last(), Some(&Ok(300)));
}

#[test]
fn one_that_closes_gives_what_it_has_and_nothing_more() {
    let store = store();
    let mut watcher = tasks(&store, |filter| {
        filter.events_max(3).overflow(Overflow::Close)
    });
    for id in 0..10 {
        put(&store, [task(id)]);
    }
    let overflowed = || Err(WatchError::Overflowed);
    assert_eq!(all(&mut watcher), [Ok(1), Ok(2), Ok(3), overflowed()]);
    put(&store, [task(20)]);
    assert_eq!(all(&mut watcher), [overflowed()]);
    assert_eq!(watcher.recv().unwrap_err(), WatchError::Overflowed);
    let mut again = tasks(&store, |filter| {
        filter.events_max(3).overflow(Overflow::Close)
    });
    put(&store, [task(21)]);
    drop(store);
    let given: Vec<_> = again.iter().map(|event| event.unwrap().version()).collect();
    assert_eq!(given, [Version::new(12); 2]);
}

#[test]
fn one_that_takes_nothing_for_too_long_is_closed() {
    let store = store();
    let timeout = Duration::from_millis(20);
    let mut slow = tasks(&store, |filter| filter.timeout(timeout));
    let mut quick = tasks(&store, |filter| filter.timeout(timeout));
    let mut idle = store.watch(Filter::of::<Task>().key(&99).timeout(timeout));
    put(&store, [task(1)]);
    assert_eq!(all(&mut quick), [Ok(1)]);
    std::thread::sleep(Duration::from_millis(50));
    put(&store, [task(2)]);
    assert_eq!(all(&mut quick), [Ok(2)]);
    put(&store, [task(3)]);
    // What came when it was late is still given, but no more after it.
    let given = all(&mut slow);
    assert_eq!(given, [Ok(1), Ok(2), Err(WatchError::Overflowed)]);
    // Nothing waited for this one.
    put(&store, [task(99)]);
    assert_eq!(all(&mut idle), [Ok(4)]);
}

/// Applies changes, which may cover several commits, to a copy.
fn apply(copy: &mut BTreeMap<u64, Task>, change: &AnyChange) {
    match change.of::<Task>().expect("a task") {
        Change::Created { new } => assert_eq!(copy.insert(new.id, new.clone()), None),
        Change::Updated { old, new } => {
            assert_eq!(copy.insert(new.id, new.clone()).as_ref(), Some(old));
        }
        Change::Deleted { old } => assert_eq!(copy.remove(&old.id).as_ref(), Some(old)),
    }
}

#[test]
fn a_coalescing_watcher_keeps_what_was_before_and_what_is_now() {
    let store = store();
    put(&store, [task(5)]);
    let mut watcher = tasks(&store, |filter| {
        filter.events_max(40).overflow(Overflow::Coalesce)
    });
    let mut copy = BTreeMap::from([(5, task(5))]);
    for count in 1..=1000i64 {
        put(&store, [counted(count as u64 % 7, count)]);
        if count % 100 == 0 {
            delete::<Task>(&store, &3);
        }
    }
    let mut changes = 0;
    let mut covered = 0;
    let mut last = Version::ZERO;
    while let Some(event) = watcher.try_recv().expect("it never lags") {
        assert!(event.version() >= last, "by commit");
        last = event.version();
        if let Event::Change(change) = event {
            apply(&mut copy, &change);
            assert!(change.since() <= change.version());
            covered += change.version().since(change.since());
            changes += 1;
        }
    }
    let view = store.read();
    assert!(view.find(skep::keys::<Task>().all()).eq(copy.values()));
    assert!(changes <= 40, "{changes}");
    assert!(covered > 900, "{covered}");
    assert_eq!(last, store.version());
}

#[test]
fn what_came_and_went_is_not_told_by_one_that_coalesces() {
    let store = store();
    let mut watcher = tasks(&store, |filter| {
        filter.events_max(8).overflow(Overflow::Coalesce)
    });
    for id in 0..50 {
        put(&store, [task(id)]);
        delete::<Task>(&store, &id);
    }
    put(&store, [task(100)]);
    let events = events(&mut watcher);
    let kinds: Vec<Kind> = events
        .iter()
        .filter_map(Event::change)
        .map(AnyChange::kind)
        .collect();
    assert!(kinds.len() <= 8, "{kinds:?}");
    assert_eq!(kinds.last(), Some(&Kind::Created));
}

/// What comes after it began is bounded as it asks, though it still reads what came before.
#[test]
fn one_from_an_older_version_overflows_as_it_asks() {
    let store = keeping_all().build();
    put(&store, [task(1)]);
    let from = |overflow| {
        let filter = Filter::of::<Task>().events_max(2).overflow(overflow);
        let watcher = store.watch_from(Version::ZERO, filter);
        watcher.expect("it is kept")
    };
    let mut watchers = [Overflow::Lag, Overflow::Coalesce, Overflow::Close].map(from);
    for _ in 0..5 {
        put(&store, [task(1)]);
    }
    wait_for_delivery(&store);
    let missed = |versions: &[Result<u64, WatchError>]| {
        let lags = versions
            .iter()
            .filter(|it| matches!(it, Err(WatchError::Lagged { .. })));
        lags.count()
    };
    let [lags, coalesces, closes] = watchers.each_mut().map(all);
    assert_eq!(
        (missed(&lags), missed(&coalesces), missed(&closes)),
        (1, 0, 0)
    );
    assert_eq!(
        (lags.last(), coalesces.last()),
        (Some(&Ok(6)), Some(&Ok(6)))
    );
    assert_eq!(closes, [Ok(1), Ok(2), Ok(3), Err(WatchError::Overflowed)]);
}

#[test]
fn coalescing_does_not_help_against_many_objects() {
    let store = store();
    let mut watcher = tasks(&store, |filter| {
        filter.events_max(10).overflow(Overflow::Coalesce)
    });
    for id in 0..50 {
        put(&store, [task(id)]);
    }
    let given = all(&mut watcher);
    assert!(
        matches!(given[0], Err(WatchError::Lagged { .. })),
        "{given:?}"
    );
    assert_eq!(given.last(), Some(&Ok(50)));
}

#[test]
fn progress_is_told_when_nothing_matches() {
    let store = store();
    let interval = Duration::from_millis(10);
    let mut delivered = store.watch(Filter::of::<Task>().key(&1).progress(interval));
    let mut reading = store.watch(Filter::of::<Task>().when(|_| false).progress(interval));
    for watcher in [&mut delivered, &mut reading] {
        let waited = watcher.recv_timeout(Duration::from_millis(30));
        assert!(waited.unwrap().is_none());
    }
    put(&store, [task(2)]);
    put(&store, [task(3)]);
    for watcher in [&mut delivered, &mut reading] {
        let Event::Commit(version) = watcher.recv().unwrap() else {
            panic!("a marker");
        };
        assert_eq!(version, Version::new(2));
        let waited = watcher.recv_timeout(Duration::from_millis(30));
        assert!(waited.unwrap().is_none());
    }
    put(&store, [task(1)]);
    assert_eq!(delivered.recv_commit().unwrap().changes.len(), 1);
}

#[test]
fn every_commit_of_a_mailbox_is_how_far_it_is() {
    let store = store();
    let filter = Filter::of::<Task>().key(&1).events_max(10);
    let mut watcher = store.watch(filter.every_commit());
    put(&store, [task(1)]);
    put(&store, [task(2)]);
    put(&store, [task(3)]);
    let first = watcher.recv_commit().unwrap();
    assert_eq!((first.version.get(), first.changes.len()), (1, 1));
    let second = watcher.recv_commit().unwrap();
    assert_eq!((second.version.get(), second.changes.len()), (3, 0));
    assert!(watcher.try_recv_commit().unwrap().is_none());
}

#[test]
fn figures_tell_how_far_each_watcher_is() {
    let store = store();
    let mut delivered = store.watch(Filter::of::<Task>().key(&1));
    let mut reading = store.watch(Filter::all());
    for count in 1..=4 {
        put(&store, [counted(1, count)]);
        put(&store, [counted(2, count)]);
    }
    assert_eq!(events(&mut reading).len(), 16);
    put(&store, [counted(1, 5)]);
    wait_for_delivery(&store);
    let [first, second] = store.watchers()[..] else {
        panic!("two watchers");
    };
    assert!(first.mailbox && !second.mailbox);
    assert_eq!((first.waiting, first.delivered, first.missed), (5, 0, 0));
    assert_eq!(first.oldest, Some(Version::new(1)));
    assert_eq!((first.behind, second.behind), (9, 1));
    assert!(first.behind_for >= second.behind_for && second.behind_for.is_some());
    assert_eq!((second.delivered, second.position.get()), (16, 8));
    assert_eq!(events(&mut delivered).len(), 10);
    let first = store.watchers()[0];
    assert_eq!(
        (first.waiting, first.waiting_bytes, first.behind),
        (0, 0, 0)
    );
    assert_eq!(
        (first.delivered, first.oldest, first.behind_for),
        (10, None, None)
    );
    let queues = store.watch_queues();
    assert_eq!(queues.iter().map(|queue| queue.watchers).sum::<u64>(), 1);
    assert!(queues.iter().all(|queue| queue.behind == 0));
    assert!(queues.iter().all(|queue| queue.lost == Version::ZERO));
    drop((delivered, reading));
    assert!(store.watchers().is_empty());
}
