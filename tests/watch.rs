//! Watches: order, markers, filters and ways to receive.

mod common;

use std::time::{Duration, Instant};

use common::{Account, Task, account, counted, delete, events, put, store, task, task_changes};
use skep::{Change, Error, Event, Filter, Kind, Version, WatchError};

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
