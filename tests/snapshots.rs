//! Snapshots: how long they live, what they keep, older versions, and what a held one costs.

mod common;

use std::sync::{Arc, mpsc};

use common::{Counted, Random, Task, delete, put, scaled, store, task, wait_until};
use skep::{Snapshot, SnapshotError, Store, Version, keys};

fn counted(id: u64, count: i64) -> Task {
    Task { count, ..task(id) }
}

fn count_of(snapshot: &Snapshot, id: u64) -> i64 {
    snapshot.get::<Task>(&id).expect("it is there").count
}

#[test]
fn a_snapshot_shows_one_version_for_ever() {
    let store = store();
    put(
        &store,
        (0..100).map(|id| Task {
            node: Some(id % 4),
            ..task(id)
        }),
    );
    let snapshot = store.snapshot();
    put(
        &store,
        (0..100).map(|id| Task {
            node: Some(9),
            ..counted(id, 1)
        }),
    );
    for id in 0..50 {
        delete::<Task>(&store, &id);
    }
    put(&store, (200..300).map(task));
    store.reclaim();
    assert_eq!(snapshot.version(), Version::new(1));
    assert_eq!(snapshot.count(keys::<Task>().all()), 100);
    assert_eq!(snapshot.count(Task::BY_NODE.eq(3u64)), 25);
    assert_eq!(snapshot.count(Task::BY_NODE.eq(9u64)), 0);
    assert_eq!(snapshot.count(Task::BY_COUNT.eq(0)), 100);
    assert!(
        snapshot
            .find(Task::BY_NAME.all())
            .all(|task| task.count == 0)
    );
    assert!((0..100).all(|id| count_of(&snapshot, id) == 0));
    assert_eq!(store.read().count(keys::<Task>().all()), 150);
}

#[test]
fn borrows_live_as_long_as_the_snapshot() {
    let store = store();
    put(&store, [task(1), task(2)]);
    let snapshot = store.snapshot();
    let one: &Task = snapshot.get(&1).unwrap();
    let all: Vec<&Task> = snapshot.find(keys::<Task>().all()).collect();
    let entry = snapshot.entry::<Task>(&2).unwrap();
    for count in 1..2000 {
        put(&store, [counted(1, count), counted(2, count)]);
    }
    store.reclaim();
    assert_eq!((one.count, all[1].count, entry.count), (0, 0, 0));
    assert!(std::ptr::eq(one, snapshot.get(&1).unwrap()));
    let from_view = store.view(|view| {
        let found: &Task = view.get(&1).unwrap();
        put(&store, [counted(1, -1)]);
        store.reclaim();
        found.count
    });
    assert_eq!(from_view, 1999);
}

#[test]
fn an_owned_handle_outlives_snapshot_and_store() {
    let store = store();
    put(&store, [task(1)]);
    let snapshot = store.snapshot();
    let object = snapshot.object::<Task>(&1).unwrap();
    let same = snapshot.entry::<Task>(&1).unwrap().share().unwrap();
    assert!(std::ptr::eq(&*object, &*same));
    drop(snapshot);
    delete::<Task>(&store, &1);
    store.reclaim();
    assert_eq!(object.name, "task-1");
    assert_eq!(object.meta().version, Version::new(1));
    drop(store);
    let clone = object.clone();
    drop((object, same));
    std::thread::spawn(move || assert_eq!(*clone, task(1)))
        .join()
        .unwrap();
}

#[test]
fn a_snapshot_is_cloned_shared_and_sent() {
    fn is_send_and_sync<S: Send + Sync + Clone + 'static>(_: &S) {}
    let store = store();
    put(&store, (0..10).map(task));
    let snapshot = store.snapshot();
    is_send_and_sync(&snapshot);
    is_send_and_sync(&store);
    let clone = snapshot.clone();
    drop(snapshot);
    put(&store, (0..10).map(|id| counted(id, 1)));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| assert_eq!((0..10).map(|id| count_of(&clone, id)).sum::<i64>(), 0));
        }
    });
    let there = std::thread::spawn(move || {
        assert_eq!(clone.count(Task::BY_COUNT.eq(0)), 10);
        clone
    });
    let back = there.join().unwrap();
    assert_eq!(count_of(&back, 3), 0);
    assert_eq!(store.stats().snapshots, 1);
    drop(back);
    assert_eq!(store.stats().snapshots, 0);
}

#[test]
fn a_snapshot_outlives_the_store() {
    let store = store();
    put(&store, (0..100).map(task));
    let snapshot = store.snapshot();
    put(&store, (0..100).map(|id| counted(id, 1)));
    let later = store.snapshot();
    drop(store);
    assert_eq!(
        snapshot
            .find(keys::<Task>().all())
            .map(|task| task.count)
            .sum::<i64>(),
        0
    );
    drop(snapshot);
    assert_eq!(
        later
            .find(Task::BY_COUNT.all())
            .map(|task| task.count)
            .sum::<i64>(),
        100
    );
}

#[test]
fn many_snapshots_a_thread() {
    for many in [7, 8, 9, 100] {
        let store = store();
        let mut held = Vec::new();
        let mut views = Vec::new();
        for number in 0..many {
            put(&store, [counted(1, number), counted(2, -number)]);
            held.push(store.snapshot());
            views.push(store.read());
        }
        let check = |number: i64| {
            let snapshot = &held[number as usize];
            assert_eq!(
                (count_of(snapshot, 1), count_of(snapshot, 2)),
                (number, -number)
            );
            let view = &views[number as usize];
            assert_eq!(view.get::<Task>(&1).unwrap().count, number);
            assert_eq!(
                view.count(Task::BY_COUNT.eq(number)),
                1 + usize::from(number == 0)
            );
        };
        for count in 0..1000 {
            put(&store, [counted(1, 1000 + count)]);
        }
        (0..many).for_each(check);
        assert_eq!(store.stats().snapshots as i64, 2 * many);
        drop(views);
        drop(held);
        store.reclaim();
        let stats = store.stats();
        assert_eq!((stats.snapshots, stats.versions), (0, 2), "{stats:?}");
    }
}

#[test]
fn snapshots_are_dropped_on_other_threads() {
    let store = store();
    let (sender, receiver) = mpsc::channel::<Snapshot>();
    let dropper = std::thread::spawn(move || {
        let mut last = Version::ZERO;
        for snapshot in receiver {
            let version = snapshot.version();
            assert!(version > last);
            assert_eq!(count_of(&snapshot, 1) as u64, version.get());
            last = version;
        }
    });
    for count in 1..=1000 {
        put(&store, [counted(1, count)]);
        sender.send(store.snapshot()).unwrap();
    }
    drop(sender);
    dropper.join().unwrap();
    store.reclaim();
    let stats = store.stats();
    assert_eq!((stats.snapshots, stats.versions), (0, 1), "{stats:?}");
}

#[test]
fn snapshots_of_threads_that_are_gone_stay_right() {
    let store = store();
    let held: Vec<Snapshot> = (0..20)
        .map(|count| {
            let taken = || {
                put(&store, [counted(1, count)]);
                store.snapshot()
            };
            std::thread::scope(|scope| scope.spawn(taken).join().unwrap())
        })
        .collect();
    for count in 0..500 {
        put(&store, [counted(1, 100 + count)]);
    }
    store.reclaim();
    for (count, snapshot) in (0..).zip(&held) {
        assert_eq!(count_of(snapshot, 1), count);
    }
}

#[test]
fn older_versions_within_the_retention() {
    let store = common::builder()
        .table::<Task>()
        .retention_commits(100)
        .build();
    for count in 1..=1000 {
        put(&store, [counted(1, count)]);
        if count % 10 == 0 {
            put(&store, [counted(2, count)]);
        }
    }
    store.reclaim();
    let newest = store.version();
    assert_eq!(newest, Version::new(1100));
    assert_eq!(store.stats().oldest, Version::new(1000));
    for back in 0..=100 {
        let version = Version::new(newest.get() - back);
        let snapshot = store.snapshot_at(version).expect("within the retention");
        assert_eq!(snapshot.version(), version);
        // Eleven commits write ten counts of the first key, then the second key.
        let (tens, rest) = (version.get() as i64 / 11, version.get() as i64 % 11);
        assert_eq!(count_of(&snapshot, 1), tens * 10 + rest);
        assert_eq!(count_of(&snapshot, 2), tens * 10);
    }
    let older = store.snapshot_at(Version::new(999)).unwrap_err();
    let oldest = Version::new(1000);
    assert_eq!(older, SnapshotError::Compacted { oldest });
    assert!(older.to_string().contains("1000"), "{older}");
    let future = store.snapshot_at(newest.next()).unwrap_err();
    assert_eq!(future, SnapshotError::Future { newest });
    // One that is held stays when its version leaves the retention.
    let held = store.snapshot_at(oldest).unwrap();
    for count in 0..1000 {
        put(&store, [counted(1, count)]);
    }
    store.reclaim();
    assert_eq!((count_of(&held, 1), count_of(&held, 2)), (910, 900));
    assert!(store.snapshot_at(oldest).is_err());
}

#[test]
fn without_retention_only_the_newest() {
    let store = store();
    assert!(
        store
            .snapshot_at(Version::ZERO)
            .unwrap()
            .get::<Task>(&1)
            .is_none()
    );
    for count in 0..100 {
        put(&store, [counted(1, count)]);
    }
    store.reclaim();
    let newest = store.version();
    assert_eq!(count_of(&store.snapshot_at(newest).unwrap(), 1), 99);
    let older = store.snapshot_at(Version::new(1)).unwrap_err();
    assert_eq!(older, SnapshotError::Compacted { oldest: newest });
    assert!(matches!(
        store.snapshot_at(Version::new(u64::MAX)),
        Err(SnapshotError::Future { .. })
    ));
}

#[test]
fn a_held_snapshot_costs_only_what_it_needs() {
    const KEYS: u64 = 1000;
    let store = store();
    put(&store, (0..KEYS).map(task));
    let snapshot = store.snapshot();
    let mut random = Random::new(1);
    let updates = scaled(100_000, 1_000_000);
    for update in 0..updates {
        put(&store, [counted(random.below(KEYS), update as i64)]);
    }
    let while_held = store.stats();
    // About two a key: at most a few more links a chain than the two that are needed.
    assert!(while_held.versions <= KEYS * 7, "{while_held:?}");
    store.reclaim();
    let reclaimed = store.stats();
    assert!(reclaimed.versions <= KEYS * 7, "{reclaimed:?}");
    println!("held: {while_held:?}\nreclaimed: {reclaimed:?}");
    assert!((0..KEYS).all(|id| *snapshot.get::<Task>(&id).unwrap() == task(id)));
    assert_eq!(snapshot.count(Task::BY_COUNT.eq(0)), KEYS as usize);
    drop(snapshot);
    store.reclaim();
    let after = store.stats();
    assert_eq!(after.versions, KEYS, "{after:?}");
}

#[test]
fn versions_between_snapshots_are_reclaimed() {
    let store = store();
    let mut held = Vec::new();
    for round in 0..10 {
        for count in 0..1000 {
            put(&store, [counted(count as u64 % 10, round * 1000 + count)]);
        }
        held.push(store.snapshot());
    }
    store.reclaim();
    let stats = store.stats();
    // Ten keys: a version a snapshot of each, and single links above the last compaction, which
    // are let grow to 64 while no snapshot is older than about a thousand commits.
    assert!(stats.versions <= 10 * (10 + 64), "{stats:?}");
    for (round, snapshot) in (0..).zip(&held) {
        for id in 0..10 {
            assert_eq!(count_of(snapshot, id), round * 1000 + 990 + id as i64);
        }
    }
    // Given up in the middle, the others stay right.
    held.remove(5);
    held.remove(0);
    for count in 0..1000 {
        put(&store, [counted(count as u64 % 10, -count)]);
    }
    store.reclaim();
    for (round, snapshot) in [1, 2, 3, 4, 6, 7, 8, 9].into_iter().zip(&held) {
        assert_eq!(count_of(snapshot, 3), round * 1000 + 993);
    }
    drop(held);
    store.reclaim();
    assert_eq!(store.stats().versions, 10);
}

#[test]
fn view_and_guard_read_the_newest_version() {
    let store = store();
    assert_eq!(store.view(|view| view.version()), Version::ZERO);
    let version = put(&store, [task(1)]);
    let view = store.read();
    assert_eq!((view.version(), store.version()), (version, version));
    put(&store, [task(2)]);
    assert!(view.get::<Task>(&2).is_none());
    assert!(store.read().get::<Task>(&2).is_some());
    // Views, transactions and updates may nest.
    store.view(|outer| {
        store.view(|inner| assert!(inner.version() >= outer.version()));
        put(&store, [task(3)]);
        assert!(outer.get::<Task>(&3).is_none());
    });
    assert!(store.read().get::<Task>(&3).is_some());
}

/// A walk of the whole chain at every write would not end here.
#[test]
fn a_key_with_a_hundred_thousand_retained_versions_is_written_as_ever() {
    const WRITES: u64 = 100_000;
    let store = common::builder()
        .table::<Task>()
        .retention_commits(1 << 20)
        .build();
    for count in 1..=WRITES {
        put(&store, [counted(1, count.cast_signed())]);
    }
    for version in [1, 65_535, 65_536, 65_537, WRITES] {
        let snapshot = store.snapshot_at(Version::new(version)).expect("retained");
        assert_eq!(count_of(&snapshot, 1), version.cast_signed());
    }
}

#[test]
fn what_comes_and_goes_beside_a_held_snapshot_is_freed() {
    let (builder, from_proposer) = common::builder_and_kept();
    let store = builder.table::<Counted>().build();
    let alive = Arc::new(());
    let kept = |id| Counted {
        id,
        _alive: Arc::clone(&alive),
    };
    put_one(&store, kept(0));
    let held = store.snapshot();
    let times = scaled(2_000, 20_000) as u64;
    for id in 1..=times {
        put_one(&store, kept(id));
        delete::<Counted>(&store, &id);
    }
    from_proposer.forget();
    store.reclaim();
    let left = Arc::strong_count(&alive) as u64 - 2;
    assert!(left <= times / 10, "{left} of {times} objects are left");
    // Of a key a tombstone stays until the snapshot goes; then nothing does.
    assert!(
        store.stats().versions <= times + 1 + left,
        "{:?}",
        store.stats()
    );
    let later = store.snapshot();
    drop(held);
    let left = || (store.stats().versions, Arc::strong_count(&alive));
    wait_until(|| {
        store.reclaim();
        left() == (1, 2)
    });
    assert_eq!(left(), (1, 2));
    assert_eq!(later.count(keys::<Counted>().all()), 1);
}

fn put_one(store: &Store, object: Counted) {
    let put = store.update(|tx| tx.upsert(object.clone()));
    put.expect("nothing is in the way");
}
