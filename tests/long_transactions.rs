//! Transactions and snapshots that are open for long: who looks after a store sees them in its
//! figures.

mod common;

use common::{Account, account, bank, put};
use skep::Version;

#[test]
fn a_transaction_that_is_open_too_long_is_told() {
    let store = bank();
    let stats = store.stats();
    assert_eq!(
        (stats.oldest_transaction, stats.transaction_lag()),
        (None, 0)
    );
    let began = store.version();
    let mut tx = store.begin();
    tx.modify::<Account>(&1, |account| account.balance += 1)
        .expect("it is there");
    for balance in 0..100 {
        put(&store, [account(3, balance)]);
    }
    let stats = store.stats();
    assert_eq!(stats.oldest_transaction, Some(began));
    assert_eq!(stats.oldest_snapshot, Some(began));
    assert_eq!(stats.transaction_lag(), store.version().since(began));
    assert!(stats.transaction_lag() >= 100);
    // It stops nobody, and commits all the same.
    tx.commit().expect("what it read has not changed");
    let stats = store.stats();
    assert_eq!(
        (stats.oldest_transaction, stats.transaction_lag()),
        (None, 0)
    );
}

#[test]
fn how_long_one_has_been_open_is_told_where_nobody_commits() {
    // Not told unless it is asked for.
    let store = bank();
    let unknown = store.begin();
    assert_eq!(store.stats().transaction_age, None);
    drop(unknown);
    let store = common::builder().table::<Account>().latencies(1000).build();
    let (view, snapshot) = (store.read(), store.snapshot());
    assert_eq!(store.stats().transaction_age, None, "these are none");
    let asked = std::time::Instant::now();
    let first = store.begin();
    std::thread::sleep(std::time::Duration::from_millis(20));
    let open_for = std::time::Duration::from_millis(19);
    let second = store.begin();
    let age = store.stats().transaction_age.expect("two are open");
    assert!(open_for <= age && age <= asked.elapsed(), "{age:?}");
    // A hold that begins in the place of another has a time of its own.
    drop(first);
    let third = store.begin();
    let younger = store.stats().transaction_age.expect("two are open");
    assert!(younger < age, "{younger:?}, {age:?}");
    drop((second, third, view, snapshot));
    assert_eq!(store.stats().transaction_age, None);
}

#[test]
fn the_oldest_of_several_is_told_whatever_thread_has_it() {
    let store = bank();
    let begun = |lag: u64| Version::new(store.version().get() - lag);
    let first = store.begin();
    put(&store, [account(3, 1)]);
    let second = store.begin();
    put(&store, [account(3, 2)]);
    let snapshot = store.snapshot();
    std::thread::scope(|scope| {
        let told = scope.spawn(|| (store.stats().oldest_transaction, begun(2)));
        let (oldest, first) = told.join().expect("figures are told everywhere");
        assert_eq!(oldest, Some(first));
    });
    drop(first);
    assert_eq!(store.stats().oldest_transaction, Some(begun(1)));
    drop(second);
    let stats = store.stats();
    assert_eq!(
        (stats.oldest_transaction, stats.oldest_snapshot),
        (None, Some(begun(0)))
    );
    put(&store, [account(3, 3)]);
    assert_eq!(store.stats().snapshot_lag(), 1);
    drop(snapshot);
    assert_eq!(
        (store.stats().oldest_snapshot, store.stats().snapshot_lag()),
        (None, 0)
    );
}
