//! Watches that are slow, closed, dropped or met by a panic, and what each is still given: exactly
//! what came after it, or what it missed.

mod common;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Account, Random, Task, counted, events, put, scaled, store, task, task_changes};
use skep::{AnyChange, Change, Error, Event, Filter, Kind, Store, Version, WatchError, keys};

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
    let store = common::builder()
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
    let store = common::builder()
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
    let store = common::builder()
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
fn what_a_panic_left_of_a_commit_is_given_before_the_rest_of_it() {
    for changes_only in [false, true] {
        for singly in 0..=4 {
            let store = store();
            let filter = Filter::of::<Task>().when(|change| {
                let id = change.new().map_or(0, |new| new.id);
                assert!(id != 3, "the matcher's own panic");
                true
            });
            let mut watcher = store.watch(match changes_only {
                true => filter.changes_only(),
                false => filter.into(),
            });
            put(&store, (1..=4).map(task));
            put(&store, [task(5)]);
            let panicked = catch_unwind(AssertUnwindSafe(|| watcher.try_recv_commit()));
            assert!(panicked.is_err());
            let mut given = Vec::new();
            let note = |given: &mut Vec<_>, change: &AnyChange| {
                let id = change.new_object::<Task>().expect("a task").id;
                given.push((change.version().get(), id));
            };
            for turn in 0..singly {
                let mut context = Context::from_waker(Waker::noop());
                let event = match (turn + singly) % 2 {
                    0 => watcher.try_recv().unwrap().expect("there is more"),
                    _ => match watcher.poll_recv(&mut context) {
                        Poll::Ready(event) => event.unwrap(),
                        Poll::Pending => panic!("there is more"),
                    },
                };
                if let Event::Change(change) = event {
                    note(&mut given, &change);
                }
            }
            while let Some(commit) = watcher.try_recv_commit().unwrap() {
                for change in &commit.changes {
                    assert_eq!(change.version(), commit.version, "{singly} singly");
                    note(&mut given, change);
                }
            }
            assert_eq!(given, [(1, 1), (1, 2), (1, 4), (2, 5)], "{singly} singly");
        }
    }
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
