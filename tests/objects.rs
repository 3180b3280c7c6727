//! Objects of unusual kinds, and that each is dropped once.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use common::{Task, put, task, wait_until};
use skep::{Filter, Indexes, Object, keys};

/// Nothing at all: at most one fits in a table.
#[derive(Clone, Debug, PartialEq)]
struct Nothing;

impl Object for Nothing {
    type Key = ();
    const TABLE: &'static str = "nothing";

    fn key(&self) {}

    fn indexes(_: &mut Indexes<Self>) {}
}

#[test]
fn an_object_without_a_size_is_stored() {
    let store = common::builder().table::<Nothing>().build();
    put(&store, [Nothing]);
    assert_eq!(store.read().get::<Nothing>(&()), Some(&Nothing));
    store
        .update(|tx| tx.delete::<Nothing>(&()))
        .expect("it is there");
    assert_eq!(store.read().count(keys::<Nothing>().all()), 0);
}

#[derive(Clone, Debug)]
#[repr(align(256))]
struct Aligned(u64);

impl Object for Aligned {
    type Key = u64;
    const TABLE: &'static str = "aligned";

    fn key(&self) -> u64 {
        self.0
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

#[test]
fn an_object_stands_where_its_alignment_asks() {
    let store = common::builder().table::<Aligned>().build();
    put(&store, (0..100).map(Aligned));
    let view = store.read();
    for aligned in view.find(keys::<Aligned>().all()) {
        assert_eq!(std::ptr::from_ref(aligned).addr() % 256, 0);
    }
}

/// Counts how many of it there are.
#[derive(Debug)]
struct Counted(u64, Arc<AtomicI64>);

impl Counted {
    fn new(id: u64, alive: &Arc<AtomicI64>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(id, Arc::clone(alive))
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(self.0, &self.1)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Object for Counted {
    type Key = u64;
    const TABLE: &'static str = "counted";

    fn key(&self) -> u64 {
        self.0
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

#[test]
fn each_object_is_dropped_once_whatever_outlives_what() {
    let alive = Arc::new(AtomicI64::new(0));
    let store = common::builder().table::<Counted>().build();
    let mut watcher = store.watch(Filter::all());
    for turn in 0..500 {
        put(&store, [Counted::new(turn % 10, &alive)]);
    }
    // Rolled back, refused, and replaced before the commit.
    drop(store.begin().create(Counted::new(99, &alive)));
    let twice = store.update(|tx| tx.create(Counted::new(1, &alive)));
    assert!(twice.is_err());
    let snapshot = store.snapshot();
    let shared = snapshot.object::<Counted>(&3).expect("it is there");
    let change = watcher.try_recv().expect("no lag").expect("an event");
    drop(store);
    assert_eq!(
        snapshot.get::<Counted>(&3).map(|counted| counted.0),
        Some(3)
    );
    drop(snapshot);
    drop(watcher);
    assert!(alive.load(Ordering::Relaxed) >= 1);
    drop(change);
    wait_until(|| alive.load(Ordering::Relaxed) == 1);
    assert_eq!((alive.load(Ordering::Relaxed), shared.0), (1, 3));
    drop(shared);
    assert_eq!(alive.load(Ordering::Relaxed), 0);
}

#[test]
#[should_panic(expected = "the store has no table task: add .table::<")]
fn a_table_that_was_not_named_is_told() {
    let store = common::builder().table::<Nothing>().build();
    let _ = store.read().get::<Task>(&1);
}

#[test]
fn a_snapshot_outlives_the_thread_that_took_it() {
    let store = common::builder().table::<Task>().build();
    put(&store, (0..100).map(task));
    let taken = std::thread::scope(|scope| {
        let take = || (0..20).map(|_| store.snapshot()).collect::<Vec<_>>();
        scope.spawn(take).join().expect("no panic")
    });
    for turn in 0..5_000u64 {
        put(
            &store,
            [Task {
                count: 1,
                ..task(turn % 100)
            }],
        );
    }
    for snapshot in &taken {
        let counts = snapshot.find(keys::<Task>().all()).map(|task| task.count);
        assert_eq!(counts.sum::<i64>(), 0);
    }
    drop(taken);
    store.reclaim();
    assert_eq!(store.stats().versions, 100);
}
