//! How long what is done in a store takes: each operation is counted where it belongs, once.
//! Without a proposer, which takes a thread of its own; with one: `propose_seam`.

mod common;

use common::{Account, account, put};
use skep::{Builder, Histogram, Latencies, ReplaceError, Store, UpdateError, keys};

fn builder() -> Builder {
    Store::builder().table::<Account>().latencies(1)
}

/// A store of three accounts, and what it had timed by then.
fn timed() -> (Store, Latencies) {
    let store = builder().build();
    put(&store, (1..=3).map(|id| account(id, 100)));
    let before = told(&store);
    (store, before)
}

fn told(store: &Store) -> Latencies {
    store.latencies().expect("it was asked for")
}

/// Views, look-ups, updates, commits, batches and proposals since an earlier look.
fn since(store: &Store, before: &Latencies) -> [u64; 6] {
    let now = told(store);
    let of = |now: &Histogram, before: &Histogram| now.since(before).count();
    [
        of(&now.views, &before.views),
        of(&now.look_ups, &before.look_ups),
        of(&now.updates, &before.updates),
        of(&now.commits, &before.commits),
        of(&now.batches, &before.batches),
        of(&now.proposals, &before.proposals),
    ]
}

#[test]
fn nothing_is_timed_unless_it_is_asked_for() {
    assert!(common::bank().latencies().is_none());
    let store = Store::builder().table::<Account>().latencies(0).build();
    assert!(store.latencies().is_none());
}

#[test]
fn views_are_counted() {
    let (store, before) = timed();
    store.view(|view| {
        assert!(view.get::<Account>(&1).is_some());
        assert_eq!(since(&store, &before), [0; 6], "it has not ended");
    });
    store.view(|view| assert_eq!(view.find(keys::<Account>().all()).count(), 3));
    assert_eq!(since(&store, &before), [2, 0, 0, 0, 0, 0]);
    // What is not timed.
    assert!(store.read().get::<Account>(&1).is_some());
    assert!(store.snapshot().get::<Account>(&1).is_some());
    assert_eq!(since(&store, &before), [2, 0, 0, 0, 0, 0]);
}

#[test]
fn look_ups_of_transactions_are_counted() {
    let (store, before) = timed();
    let tx = store.begin();
    assert!(tx.get::<Account>(&1).is_some() && tx.get::<Account>(&9).is_none());
    assert!(tx.entry::<Account>(&1).is_some() && tx.object::<Account>(&2).is_some());
    assert!(tx.peek::<Account>(&3).is_some());
    assert!(tx.exists(keys::<Account>().all()) && tx.first(keys::<Account>().all()).is_some());
    assert_eq!(tx.find(keys::<Account>().all()).count(), 3);
    assert_eq!(since(&store, &before), [0, 7, 0, 0, 0, 0]);
}

#[test]
fn updates_and_their_commits_are_counted() {
    let (store, before) = timed();
    let updated = store.update(|tx| {
        assert!(tx.get::<Account>(&2).is_some());
        tx.modify::<Account>(&1, |account| account.balance += 1)
    });
    updated.expect("it is there");
    let [views, _, updates, commits, batches, proposals] = since(&store, &before);
    assert_eq!(
        [views, updates, commits, batches, proposals],
        [0, 1, 1, 0, 0]
    );
    // Nothing is written: no commit to speak of. A closure that fails is an update all the same.
    let looked = store.update(|tx| Ok::<_, ReplaceError>(tx.exists(keys::<Account>().all())));
    assert!(looked.expect("it reads"));
    let failed = store.update(|_| Err::<(), _>("no"));
    assert!(matches!(failed, Err(UpdateError::Closure("no"))));
    let [_, _, updates, commits, ..] = since(&store, &before);
    assert_eq!((updates, commits), (3, 1));
    // By hand there is no update; what fails was tried.
    let before = told(&store);
    let mut tx = store.begin();
    tx.modify::<Account>(&1, |account| account.balance += 1)
        .expect("it is there");
    put(&store, [account(1, 7)]);
    assert!(tx.commit().is_err());
    let [_, _, updates, commits, ..] = since(&store, &before);
    assert_eq!((updates, commits), (1, 2));
}

#[test]
fn an_update_that_runs_again_is_one() {
    let (store, before) = timed();
    let mut runs = 0;
    let updated = store.update(|tx| {
        runs += 1;
        tx.modify::<Account>(&1, |account| account.balance += 1)?;
        if runs == 1 {
            put(&store, [account(1, 10)]);
        }
        Ok::<_, ReplaceError>(())
    });
    updated.expect("its second run is not overtaken");
    let [_, _, updates, commits, ..] = since(&store, &before);
    // With the one that overtook it.
    assert_eq!((updates, commits), (2, 3));
}

#[test]
fn a_batch_is_one_and_its_commits_are_counted() {
    let store = builder().batch_changes_max(2).build();
    let before = told(&store);
    let batch = store
        .batch(|batch| (1..=5).try_for_each(|id| batch.step(move |tx| tx.create(account(id, 1)))));
    assert_eq!(batch.expect("nobody is in the way").transactions, 3);
    assert_eq!(since(&store, &before), [0, 0, 0, 3, 1, 0]);
}

#[test]
fn threads_count_together() {
    let (store, before) = timed();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..250 {
                    store.view(|view| assert!(view.get::<Account>(&1).is_some()));
                }
            });
        }
    });
    assert_eq!(since(&store, &before), [1000, 0, 0, 0, 0, 0]);
}
