//! Watches: order, markers, filters, ways to receive, lag, closing, and exactness.

mod common;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use common::task_changes;
use common::{Account, Random, Task, account, delete, events, put, scaled, store, task};
use skep::{Change, Error, Event, Filter, Kind, Store, Version, WatchError, keys};

fn counted(id: u64, count: i64) -> Task {
    Task { count, ..task(id) }
}

fn on(id: u64, node: u64) -> Task {
    Task {
        node: Some(node),
        ..task(id)
    }
}

#[test]
fn a_commit_is_its_changes_in_the_order_written_then_its_marker() {
    let store = store();
    put(&store, [task(1), task(2), task(3)]);
    let mut watcher = store.watch(Filter::all());
    let version = store
        .update_versioned(|tx| {
            tx.modify::<Task>(&3, |task| task.count = 3)?;
            tx.create(account(7, 70))?;
            tx.delete::<Task>(&1)?;
            tx.create(task(9))?;
            tx.upsert(counted(2, 2))?;
            // A second write of a key keeps its place, and shows the last image.
            tx.modify::<Task>(&3, |task| task.count = 33)?;
            // Created and deleted again: never was.
            tx.create(task(99))?;
            tx.delete::<Task>(&99)?;
            Ok::<_, Error>(())
        })
        .unwrap()
        .1;
    let events = events(&mut watcher);
    assert_eq!(events.len(), 6, "{events:?}");
    assert!(events.iter().all(|event| event.version() == version));
    assert!(matches!(events[5], Event::Commit(at) if at == version));
    let changes: Vec<_> = events.iter().filter_map(Event::change).collect();
    let shape: Vec<_> = changes
        .iter()
        .map(|change| (change.table(), change.kind()))
        .collect();
    let (created, updated, deleted) = (Kind::Created, Kind::Updated, Kind::Deleted);
    assert_eq!(
        shape,
        [
            ("task", updated),
            ("account", created),
            ("task", deleted),
            ("task", created),
            ("task", updated),
        ]
    );
    match changes[0].of::<Task>() {
        Some(Change::Updated { old, new }) => assert_eq!((old.count, new.count), (0, 33)),
        other => panic!("{other:?}"),
    }
    match changes[1].of::<Account>() {
        Some(Change::Created { new }) => assert_eq!(*new, account(7, 70)),
        other => panic!("{other:?}"),
    }
    assert!(changes[1].of::<Task>().is_none());
    match changes[2].of::<Task>() {
        Some(Change::Deleted { old }) => assert_eq!(*old, task(1)),
        other => panic!("{other:?}"),
    }
    assert_eq!(changes[0].old_object::<Task>().unwrap().count, 0);
    assert_eq!(changes[0].new_object::<Task>().unwrap().count, 33);
    assert!(changes[0].new_object::<Account>().is_none());
    assert!(changes[2].new_object::<Task>().is_none());
    assert_eq!(changes[3].meta().unwrap().version, version);
}

#[test]
fn changes_outlive_store_and_watcher() {
    let store = store();
    let mut watcher = store.watch(Filter::all());
    put(&store, [task(1)]);
    let event = watcher.recv().unwrap();
    let object = event.change().unwrap().new_object::<Task>().unwrap();
    drop(watcher);
    drop(store);
    assert_eq!(
        *event.change().unwrap().of::<Task>().unwrap().new().unwrap(),
        task(1)
    );
    drop(event);
    assert_eq!(*object, task(1));
}

#[test]
fn only_what_comes_after_the_watch() {
    let store = store();
    put(&store, [task(1)]);
    let mut watcher = store.watch(Filter::all());
    assert!(watcher.try_recv().unwrap().is_none());
    assert_eq!(watcher.position(), Version::new(1));
    put(&store, [task(2)]);
    assert_eq!(task_changes(&mut watcher), [(Kind::Created, 2)]);
    assert_eq!(watcher.position(), Version::new(2));
    // Neither a rolled back nor an empty transaction is an event.
    let mut tx = store.begin();
    tx.create(task(3)).unwrap();
    drop(tx);
    store.begin().commit().unwrap();
    assert!(watcher.try_recv().unwrap().is_none());
}

#[test]
fn filters_by_table_kind_and_key() {
    let store = store();
    let of_tasks = Filter::of::<Task>();
    let mut all = store.watch(of_tasks);
    let mut created = store.watch(Filter::of::<Task>().created());
    let mut gone = store.watch(Filter::of::<Task>().deleted().updated());
    let mut two = store.watch(Filter::of::<Task>().key(&2).key(&3));
    let mut two_updated = store.watch(Filter::of::<Task>().key(&2).kind(Kind::Updated));
    let mut accounts = store.watch(Filter::of::<Account>());
    put(&store, [task(1), task(2)]);
    put(&store, [account(5, 5)]);
    put(&store, [counted(2, 1), task(3)]);
    delete::<Task>(&store, &1);
    let (c, u, d) = (Kind::Created, Kind::Updated, Kind::Deleted);
    assert_eq!(
        task_changes(&mut all),
        [(c, 1), (c, 2), (u, 2), (c, 3), (d, 1)]
    );
    assert_eq!(task_changes(&mut created), [(c, 1), (c, 2), (c, 3)]);
    assert_eq!(task_changes(&mut gone), [(u, 2), (d, 1)]);
    assert_eq!(task_changes(&mut two), [(c, 2), (u, 2), (c, 3)]);
    assert_eq!(task_changes(&mut two_updated), [(u, 2)]);
    // One change and its marker; commits without a match have none.
    assert_eq!(events(&mut accounts).len(), 2);
}

#[test]
fn filter_by_index_value_sees_entering_and_leaving() {
    let store = store();
    let mut watcher = store.watch(Filter::of::<Task>().value(Task::BY_NODE, 7u64));
    let mut either = store.watch(
        Filter::of::<Task>()
            .value(Task::BY_NODE, 7u64)
            .value(Task::BY_TITLE, "TITLE"),
    );
    put(&store, [on(1, 7), on(2, 8), task(3)]);
    put(&store, [on(2, 7)]);
    put(&store, [on(1, 8)]);
    put(&store, [on(1, 9)]);
    put(
        &store,
        [Task {
            count: 1,
            ..on(2, 7)
        }],
    );
    put(
        &store,
        [Task {
            title: "Title".into(),
            ..task(4)
        }],
    );
    delete::<Task>(&store, &2);
    delete::<Task>(&store, &1);
    let (c, u, d) = (Kind::Created, Kind::Updated, Kind::Deleted);
    assert_eq!(
        task_changes(&mut watcher),
        [(c, 1), (u, 2), (u, 1), (u, 2), (d, 2)]
    );
    let seen = task_changes(&mut either);
    assert_eq!(seen, [(c, 1), (u, 2), (u, 1), (u, 2), (c, 4), (d, 2)]);
}

#[test]
fn filter_by_closure_and_several_conditions() {
    let store = store();
    let rising = |change: &Change<'_, Task>| {
        change
            .old()
            .is_some_and(|old| change.new().is_some_and(|new| new.count > old.count))
    };
    let mut watcher = store.watch(Filter::of::<Task>().when(rising));
    let mut narrow = store.watch(
        Filter::of::<Task>()
            .when(rising)
            .value(Task::BY_NODE, 1u64)
            .when(|change| change.new().is_some_and(|new| new.id != 2)),
    );
    put(&store, [counted(1, 1), counted(2, 5), counted(3, 5)]);
    put(&store, [counted(1, 2), counted(2, 4)]);
    put(
        &store,
        (1..4).map(|id| Task {
            count: 9,
            ..on(id, 1)
        }),
    );
    let u = Kind::Updated;
    assert_eq!(task_changes(&mut watcher), [(u, 1), (u, 1), (u, 2), (u, 3)]);
    assert_eq!(task_changes(&mut narrow), [(u, 1), (u, 3)]);
}

#[test]
fn or_gives_each_change_once() {
    let store = store();
    let filter = Filter::of::<Task>()
        .value(Task::BY_NODE, 1u64)
        .or(Filter::of::<Task>().created())
        .or(Filter::of::<Account>().when(|change| change.new().is_some_and(|new| new.balance < 0)));
    let mut watcher = store.watch(filter);
    let mut all = store.watch(Filter::of::<Task>().or(Filter::all()));
    put(&store, [on(1, 1), on(2, 2)]);
    put(&store, [account(1, -1), account(2, 1)]);
    put(&store, [on(2, 3)]);
    put(&store, [on(2, 1)]);
    let seen: Vec<_> = events(&mut watcher)
        .iter()
        .filter_map(|event| event.change().map(|change| (change.table(), change.kind())))
        .collect();
    let (c, u) = (Kind::Created, Kind::Updated);
    assert_eq!(
        seen,
        [("task", c), ("task", c), ("account", c), ("task", u)]
    );
    assert_eq!(
        events(&mut all)
            .iter()
            .filter(|event| event.change().is_some())
            .count(),
        6
    );
}

#[test]
fn every_commit_has_a_marker_when_asked() {
    let store = store();
    let mut watcher = store.watch(Filter::of::<Account>().every_commit());
    let mut plain = store.watch(Filter::of::<Account>());
    for id in 0..3 {
        put(&store, [task(id)]);
    }
    put(&store, [account(1, 1)]);
    let versions: Vec<u64> = events(&mut watcher)
        .iter()
        .map(|it| it.version().get())
        .collect();
    assert_eq!(versions, [1, 2, 3, 4, 4]);
    let versions: Vec<u64> = events(&mut plain)
        .iter()
        .map(|it| it.version().get())
        .collect();
    assert_eq!(versions, [4, 4]);
}

#[test]
fn recv_blocks_until_a_commit_and_times_out() {
    let store = store();
    let mut watcher = store.watch(Filter::all());
    let began = Instant::now();
    assert!(
        watcher
            .recv_timeout(Duration::from_millis(30))
            .unwrap()
            .is_none()
    );
    assert!(began.elapsed() >= Duration::from_millis(30));
    assert!(watcher.recv_timeout(Duration::ZERO).unwrap().is_none());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(30));
            put(&store, [task(1)]);
            std::thread::sleep(Duration::from_millis(30));
            put(&store, [task(2)]);
        });
        assert!(watcher.recv().unwrap().change().is_some());
        assert!(matches!(watcher.recv(), Ok(Event::Commit(_))));
        let event = watcher.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(event.unwrap().change().is_some());
        assert!(watcher.recv_timeout(Duration::MAX).unwrap().is_some());
    });
    assert_eq!(
        store.wait(Version::new(2), Duration::from_millis(5)),
        Version::new(2)
    );
    assert_eq!(store.wait(Version::ZERO, Duration::MAX), Version::new(2));
}

#[test]
fn an_iterator_ends_when_the_store_closes() {
    let store = store();
    let mut watcher = store.watch(Filter::all());
    let writer = std::thread::spawn(move || {
        for id in 0..500 {
            put(&store, [task(id)]);
        }
    });
    let items: Vec<Event> = watcher.iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(items.len(), 1000);
    let ids = items
        .iter()
        .filter_map(|event| Some(event.change()?.of::<Task>()?.new()?.id));
    assert!(ids.eq(0..500));
    writer.join().unwrap();
    assert_eq!(watcher.recv().unwrap_err(), WatchError::Closed);
    let timed = watcher.recv_timeout(Duration::from_secs(60));
    assert_eq!(timed.unwrap_err(), WatchError::Closed);
}

#[test]
fn closing_waits_for_the_last_handle_and_wakes_who_waits() {
    let store = store();
    let clone = store.clone();
    let snapshot = store.snapshot();
    let mut watcher = store.watch(Filter::all());
    put(&store, [task(1)]);
    drop(store);
    let waiting = std::thread::spawn(move || {
        assert_eq!(events(&mut watcher).len(), 2);
        watcher.recv().unwrap_err()
    });
    std::thread::sleep(Duration::from_millis(30));
    assert!(!waiting.is_finished());
    drop(clone);
    assert_eq!(waiting.join().unwrap(), WatchError::Closed);
    drop(snapshot);
}

#[test]
fn a_slow_watcher_is_told_what_it_missed() {
    let store = Store::builder()
        .table::<Task>()
        .watch_commits_max(100)
        .build();
    let mut watcher = store.watch(Filter::all());
    put(&store, [task(1)]);
    assert!(watcher.recv().unwrap().change().is_some());
    for count in 0..2000 {
        put(&store, [counted(1, count)]);
    }
    store.reclaim();
    let stats = store.stats();
    assert!(stats.log_commits <= 100, "{stats:?}");
    // What it had fetched already comes first.
    assert!(matches!(watcher.try_recv(), Ok(Some(Event::Commit(at))) if at == Version::new(1)));
    let Err(WatchError::Lagged {
        missed,
        resume_from,
        ..
    }) = watcher.recv()
    else {
        panic!("it lags");
    };
    assert_eq!(resume_from, Version::new(1 + missed));
    assert!((1900..=2000).contains(&missed), "{missed}");
    // It goes on behind the gap, and misses nothing more.
    let rest = events(&mut watcher);
    assert_eq!(rest.first().unwrap().version(), resume_from.next());
    assert_eq!(rest.last().unwrap().version(), store.version());
    assert_eq!(rest.len() as u64, 2 * store.version().since(resume_from));
}

#[test]
fn a_watcher_within_its_lag_misses_nothing() {
    let store = Store::builder()
        .table::<Task>()
        .watch_commits_max(1000)
        .build();
    let mut watcher = store.watch(Filter::of::<Task>());
    for round in 0..5 {
        for count in 0..900 {
            put(&store, [counted(1, round * 900 + count)]);
        }
        store.reclaim();
        let seen = task_changes(&mut watcher);
        assert_eq!(seen.len(), 900);
    }
}

#[test]
fn a_filtered_watcher_that_gets_nothing_still_moves_on() {
    let store = Store::builder()
        .table::<Task>()
        .table::<Account>()
        .watch_commits_max(100)
        .build();
    let mut watcher = store.watch(Filter::of::<Account>());
    for count in 0..50 {
        for _ in 0..20 {
            put(&store, [counted(1, count)]);
        }
        assert!(
            watcher
                .try_recv()
                .expect("no lag: it looked in time")
                .is_none()
        );
    }
    assert_eq!(watcher.position(), store.version());
}

#[test]
fn a_panicking_matcher_skips_its_change_and_spares_everybody() {
    let store = store();
    let mut watcher = store.watch(Filter::of::<Task>().when(|change| {
        let id = change.new().map_or(0, |new| new.id);
        assert!(id != 2, "the matcher's own panic");
        true
    }));
    let mut other = store.watch(Filter::all());
    put(&store, [task(1), task(2), task(3)]);
    put(&store, [task(4)]);
    assert_eq!(
        watcher.recv().unwrap().change().unwrap().kind(),
        Kind::Created
    );
    let caught = catch_unwind(AssertUnwindSafe(|| watcher.recv()));
    assert!(caught.is_err());
    let ids: Vec<u64> = task_changes(&mut watcher)
        .iter()
        .map(|(_, id)| *id)
        .collect();
    assert_eq!(ids, [3, 4]);
    assert_eq!(events(&mut other).len(), 6);
    drop(watcher);
    drop(other);
    put(&store, [task(5)]);
    store.reclaim();
    assert_eq!((store.stats().versions, store.stats().watchers), (5, 0));
}

#[test]
fn a_watcher_is_dropped_in_mid_delivery() {
    let store = store();
    std::thread::scope(|scope| {
        let store = &store;
        let writer = scope.spawn(move || {
            for count in 0..scaled(2000, 20_000) as i64 {
                put(store, (0..5).map(|id| counted(id, count)));
            }
        });
        for thread in 0..2 {
            scope.spawn(move || {
                let mut random = Random::new(thread);
                while store.version().get() < scaled(1900, 19_000) as u64 {
                    let mut watcher = store.watch(Filter::all());
                    for _ in 0..random.below(20) {
                        // Dropped with some of a commit's events received and some not.
                        let _ = watcher.recv_timeout(Duration::from_millis(50)).unwrap();
                    }
                }
            });
        }
        writer.join().unwrap();
    });
    store.reclaim();
    let stats = store.stats();
    assert_eq!(
        (stats.watchers, stats.versions, stats.log_commits),
        (0, 5, 0),
        "{stats:?}"
    );
}

#[test]
fn a_snapshot_and_a_watch_fit_exactly_under_writers() {
    let store = store();
    let commits = scaled(1500, 15_000);
    std::thread::scope(|scope| {
        let store = &store;
        for thread in 0..2u64 {
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for count in 0..commits as i64 {
                    let id = random.below(50);
                    let written = store.update(|tx| match tx.get::<Task>(&id) {
                        Some(_) if count % 3 == 0 => Ok(tx.delete::<Task>(&id)?),
                        _ => Ok::<_, Error>(tx.upsert(counted(id, count))?),
                    });
                    written.unwrap();
                }
            });
        }
        for _ in 0..2 {
            scope.spawn(move || {
                while store.version().get() < commits as u64 {
                    check_copy(store, commits as u64 / 10);
                }
            });
        }
    });
}

/// Rebuilds the table from a snapshot and the changes after it, and compares it with later ones.
fn check_copy(store: &Store, commits: u64) {
    let (snapshot, mut watcher) = store.snapshot_and_watch(Filter::of::<Task>().every_commit());
    let mut copy: BTreeMap<u64, Task> = snapshot
        .find(keys::<Task>().all())
        .map(|task| (task.id, task.clone()))
        .collect();
    let mut last = snapshot.version();
    let until = Version::new(last.get() + commits);
    let mut later = store.snapshot();
    while let Some(event) = watcher.recv_timeout(Duration::from_millis(200)).unwrap() {
        match &event {
            Event::Change(change) => match change.of::<Task>().unwrap() {
                Change::Created { new } => assert_eq!(copy.insert(new.id, new.clone()), None),
                Change::Updated { old, new } => {
                    assert_eq!(copy.insert(new.id, new.clone()).as_ref(), Some(old));
                }
                Change::Deleted { old } => assert_eq!(copy.remove(&old.id).as_ref(), Some(old)),
            },
            Event::Commit(version) => {
                assert_eq!(*version, last.next(), "each commit once, in order");
                last = *version;
                if last == later.version() {
                    assert!(later.find(keys::<Task>().all()).eq(copy.values()));
                }
                if last >= later.version() {
                    later = store.snapshot();
                }
                if last >= until {
                    return;
                }
            }
        }
    }
}
