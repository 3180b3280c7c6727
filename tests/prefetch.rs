//! Keys that are fetched ahead: a hint, without an effect on what is read, written or in conflict.

mod common;

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Task, counted, put, store};
use skep::{Indexes, Object, Store, keys};

/// More than the smallest table whose words have forecasts.
const TASKS: u64 = 20_000;
/// The first ones, which are gone again.
const DELETED: u64 = 50;

fn count_up(store: &Store, ids: &[u64]) {
    let counted = store.update(|tx| {
        tx.prefetch::<Task>(ids);
        ids.iter()
            .try_for_each(|id| tx.modify::<Task>(id, |task| task.count += 1))
    });
    counted.expect("they are there");
}

/// Ids spread over all tasks, and some that no task has.
fn spread(first: u64, count: u64) -> Vec<u64> {
    (0..count)
        .map(|step| (first + step * 7919) % (TASKS + 100))
        .collect()
}

#[test]
fn whatever_is_fetched_reads_and_writes_are_the_same() {
    let store = store();
    put(&store, (0..TASKS).map(|id| counted(id, 0)));
    let deleted = store.update(|tx| (0..DELETED).try_for_each(|id| tx.delete::<Task>(&id)));
    deleted.expect("they are there");
    let counts = [0, 1, 15, 16, 17, 200];
    for count in counts {
        let ids = (0..count).map(|step| DELETED + step * 7919 % (TASKS - DELETED));
        count_up(&store, &Vec::from_iter(ids));
    }
    let (view, snapshot) = (store.read(), store.snapshot());
    for first in 0..20 {
        let ids = spread(first, 333);
        let plain: Vec<_> = ids.iter().map(|id| view.get::<Task>(id)).collect();
        view.prefetch::<Task>(&ids);
        snapshot.prefetch::<Task>(&ids);
        let fetched = ids.iter().map(|id| view.get::<Task>(id));
        assert!(fetched.eq(plain.iter().copied()), "from {first}");
        let fetched = ids.iter().map(|id| snapshot.get::<Task>(id));
        assert!(fetched.eq(plain.iter().copied()), "from {first}");
    }
    let total: i64 = view.find(keys::<Task>().all()).map(|task| task.count).sum();
    assert_eq!(total, counts.iter().sum::<u64>().cast_signed());
}

#[test]
fn what_is_fetched_is_not_read() {
    let store = store();
    put(&store, (0..3).map(|id| counted(id, 0)));
    let mut tx = store.begin();
    tx.prefetch::<Task>(&[0, 1, 7]);
    tx.modify::<Task>(&2, |task| task.count = 1)
        .expect("it is there");
    count_up(&store, &[0, 1]);
    put(&store, [counted(7, 7)]);
    tx.commit().expect("nobody changed what it read");

    let mut reads = store.begin();
    reads.prefetch::<Task>(&[0]);
    let count = reads.get::<Task>(&0).expect("it is there").count;
    reads
        .modify::<Task>(&2, |task| task.count = count)
        .expect("it is there");
    count_up(&store, &[0]);
    reads.commit().expect_err("what it read has changed");
}

#[test]
fn what_a_transaction_wrote_it_still_sees() {
    let store = store();
    put(&store, [counted(1, 1)]);
    let mut tx = store.begin();
    tx.modify::<Task>(&1, |task| task.count = 2)
        .expect("it is there");
    tx.create(counted(2, 5)).expect("a new key");
    tx.prefetch::<Task>(&[1, 2]);
    assert_eq!(tx.get::<Task>(&1).map(|task| task.count), Some(2));
    tx.delete::<Task>(&2).expect("it is there");
    tx.prefetch::<Task>(&[2]);
    assert_eq!(tx.get::<Task>(&2), None);
}

#[test]
fn keys_that_cannot_be_hashed_harm_nobody() {
    /// Its hash panics for one key.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Rough(u64);

    impl Hash for Rough {
        fn hash<H: Hasher>(&self, state: &mut H) {
            assert_ne!(self.0, 13, "no hash");
            self.0.hash(state);
        }
    }

    #[derive(Clone)]
    struct Thing(Rough);

    impl Object for Thing {
        type Key = Rough;
        const TABLE: &'static str = "thing";

        fn key(&self) -> Rough {
            self.0.clone()
        }

        fn indexes(_: &mut Indexes<Self>) {}
    }

    let store = Store::builder().table::<Thing>().build();
    let keys: Vec<Rough> = (0..40).map(Rough).collect();
    let view = store.read();
    let fetched = catch_unwind(AssertUnwindSafe(|| view.prefetch::<Thing>(&keys)));
    fetched.expect_err("it panics");
    drop(view);
    let created = store.update(|tx| tx.create(Thing(Rough(1))));
    created.expect("a new key");
    assert!(store.read().get::<Thing>(&Rough(1)).is_some());
}
