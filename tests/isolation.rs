//! The isolation anomalies, each by its name in the literature (Berenson et al. 1995; Adya 1999;
//! Fekete, O'Neil and O'Neil 2004), with interleaved transactions; and what `peek` lets through.

mod common;

use common::{Account, Task, account, assert_conflict, bank, put, store, task};
use skep::{CommitError, CreateError, Store, Transaction, keys};

fn balance(tx: &Transaction<'_>, id: u32) -> i64 {
    tx.get::<Account>(&id)
        .expect("the account is there")
        .balance
}

fn set(tx: &mut Transaction<'_>, id: u32, balance: i64) {
    tx.modify::<Account>(&id, |account| account.balance = balance)
        .expect("the account is there");
}

fn stored(store: &Store, id: u32) -> i64 {
    store
        .read()
        .get::<Account>(&id)
        .expect("the account is there")
        .balance
}

#[test]
fn dirty_write_is_refused() {
    let store = bank();
    let (mut first, mut second) = (store.begin(), store.begin());
    // Blind writes of both keys by both: they must not mix.
    for (tx, balance) in [(&mut first, 10), (&mut second, 20)] {
        tx.upsert(account(1, balance)).unwrap();
        tx.upsert(account(2, balance)).unwrap();
    }
    second.commit().unwrap();
    assert_conflict(first);
    assert_eq!((stored(&store, 1), stored(&store, 2)), (20, 20));
}

#[test]
fn dirty_read_is_impossible() {
    let store = bank();
    let mut writer = store.begin();
    set(&mut writer, 1, 999);
    writer.create(account(3, 1)).unwrap();
    let reader = store.begin();
    assert_eq!(balance(&reader, 1), 50);
    assert!(reader.get::<Account>(&3).is_none());
    assert_eq!(reader.count(keys::<Account>().all()), 2);
    assert_eq!(stored(&store, 1), 50);
    assert_eq!(store.snapshot().count(keys::<Account>().all()), 2);
    // Aborted read: what was rolled back is never seen.
    drop(writer);
    assert_eq!(stored(&store, 1), 50);
    reader.commit().unwrap();
}

#[test]
fn intermediate_read_is_impossible() {
    let store = bank();
    let mut writer = store.begin();
    set(&mut writer, 1, 1);
    let before = store.snapshot();
    set(&mut writer, 1, 2);
    writer.commit().unwrap();
    assert_eq!(before.get::<Account>(&1).unwrap().balance, 50);
    assert_eq!(stored(&store, 1), 2);
}

#[test]
fn lost_update_is_refused() {
    let store = bank();
    let (mut first, mut second) = (store.begin(), store.begin());
    let (seen_first, seen_second) = (balance(&first, 1), balance(&second, 1));
    set(&mut first, 1, seen_first + 10);
    set(&mut second, 1, seen_second + 20);
    let version = first.commit().unwrap();
    let lost = second.commit();
    assert_eq!(lost, Err(CommitError::Conflict { with: version }));
    assert_eq!(stored(&store, 1), 60);
    // Run again, it builds on what it would have lost.
    let mut again = store.begin();
    let seen = balance(&again, 1);
    set(&mut again, 1, seen + 20);
    again.commit().unwrap();
    assert_eq!(stored(&store, 1), 80);
}

#[test]
fn fuzzy_read_is_impossible() {
    let store = bank();
    let reader = store.begin();
    assert_eq!(balance(&reader, 1), 50);
    put(&store, [account(1, 7)]);
    assert_eq!(balance(&reader, 1), 50);
    common::delete::<Account>(&store, &1);
    assert_eq!(balance(&reader, 1), 50);
    reader
        .commit()
        .expect("a transaction that only reads never aborts");
}

#[test]
fn read_skew_is_impossible() {
    let store = bank();
    let reader = store.begin();
    assert_eq!(balance(&reader, 1), 50);
    put(&store, [account(1, 20), account(2, 80)]);
    // Both from one version: the law holds.
    assert_eq!(balance(&reader, 1) + balance(&reader, 2), 100);
    reader.commit().unwrap();
    // And if it writes on that ground, it is refused.
    let mut writer = store.begin();
    assert_eq!(balance(&writer, 1), 20);
    put(&store, [account(2, 70)]);
    let sum = balance(&writer, 1) + balance(&writer, 2);
    writer.create(account(3, sum)).unwrap();
    assert_conflict(writer);
}

#[test]
fn write_skew_is_refused() {
    let store = bank();
    // Each may withdraw 60 as long as both accounts together have it.
    let (mut first, mut second) = (store.begin(), store.begin());
    for (tx, id) in [(&mut first, 1), (&mut second, 2)] {
        assert!(balance(tx, 1) + balance(tx, 2) >= 60);
        set(tx, id, -10);
    }
    first.commit().unwrap();
    assert_conflict(second);
    assert_eq!(stored(&store, 1) + stored(&store, 2), 40);
}

#[test]
fn write_skew_on_an_absent_key_is_refused() {
    let store = store();
    let (mut first, mut second) = (store.begin(), store.begin());
    assert!(first.get::<Task>(&2).is_none());
    first.create(task(1)).unwrap();
    assert!(second.get::<Task>(&1).is_none());
    second.create(task(2)).unwrap();
    second.commit().unwrap();
    assert_conflict(first);
}

#[test]
fn write_skew_across_tables_is_refused() {
    let store = bank();
    put(&store, [task(1)]);
    let (mut first, mut second) = (store.begin(), store.begin());
    let count = first.get::<Task>(&1).unwrap().count;
    set(&mut first, 1, count + 1);
    let read = balance(&second, 1);
    second.modify::<Task>(&1, |task| task.count = read).unwrap();
    first.commit().unwrap();
    assert_conflict(second);
}

#[test]
fn read_only_anomaly_is_impossible() {
    // Fekete, O'Neil, O'Neil: checking 1, savings 2; a withdrawal with an overdraft fee is decided
    // on the old balances, a deposit commits, and a reader sees the deposit without the withdrawal.
    let store = store();
    put(&store, [account(1, 0), account(2, 0)]);
    let mut withdrawal = store.begin();
    let sum = balance(&withdrawal, 1) + balance(&withdrawal, 2);
    let mut deposit = store.begin();
    let savings = balance(&deposit, 2);
    set(&mut deposit, 2, savings + 20);
    deposit.commit().unwrap();
    let reader = store.begin();
    assert_eq!((balance(&reader, 1), balance(&reader, 2)), (0, 20));
    reader.commit().unwrap();
    // After that reader, the withdrawal with the fee would have no place in any order.
    let fee = i64::from(sum < 10);
    set(&mut withdrawal, 1, -10 - fee);
    assert_conflict(withdrawal);
}

#[test]
fn a_refusal_is_a_read() {
    // What a transaction learned from an error is validated as what it learned from a value.
    let store = store();
    put(&store, [task(1)]);
    let mut tx = store.begin();
    assert!(matches!(tx.create(task(1)), Err(CreateError::Exists(_))));
    tx.create(account(1, 0)).unwrap();
    common::delete::<Task>(&store, &1);
    assert_conflict(tx);

    let mut tx = store.begin();
    assert!(tx.delete::<Task>(&5).is_err());
    tx.create(account(2, 0)).unwrap();
    put(&store, [task(5)]);
    assert_conflict(tx);
}

#[test]
fn a_duplicate_is_a_read() {
    let store = store();
    put(&store, [task(1)]);
    let mut tx = store.begin();
    let taken = tx.create(Task {
        name: "task-1".into(),
        ..task(2)
    });
    assert!(matches!(taken, Err(CreateError::Duplicate(_))), "{taken:?}");
    tx.create(account(1, 0)).unwrap();
    // Now the name is free, and whoever freed it did not see the account.
    let mut other = store.begin();
    assert!(other.get::<Account>(&1).is_none());
    other.delete::<Task>(&1).unwrap();
    other.commit().unwrap();
    assert_conflict(tx);
}

#[test]
fn strict_serializability_shows_what_was_committed_before() {
    let store = bank();
    for balance in 0..100 {
        put(&store, [account(1, balance)]);
        assert_eq!(stored(&store, 1), balance);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(stored(&store, 1), balance));
        });
    }
}

#[test]
fn peek_lets_write_skew_and_lost_reads_through() {
    let store = bank();
    let (mut first, mut second) = (store.begin(), store.begin());
    for (tx, own, other) in [(&mut first, 1, 2), (&mut second, 2, 1)] {
        let sum = balance(tx, own) + tx.peek::<Account>(&other).unwrap().balance;
        assert!(sum >= 60);
        set(tx, own, -10);
    }
    first.commit().unwrap();
    second.commit().expect("what it peeked at does not count");
    assert_eq!(stored(&store, 1) + stored(&store, 2), -20);

    let mut tx = store.begin();
    let peeked = tx.peek_find(Account::BY_CUSTOMER.eq(0u32)).count();
    tx.create(account(50, peeked as i64)).unwrap();
    put(&store, [account(0, 0)]);
    tx.commit().expect("a peeked range does not count");
}

#[test]
fn peek_sees_the_snapshot_and_own_writes_and_loses_no_update() {
    let store = bank();
    let mut tx = store.begin();
    put(&store, [account(1, 7)]);
    assert_eq!(tx.peek::<Account>(&1).unwrap().balance, 50);
    set(&mut tx, 2, 1);
    assert_eq!(tx.peek::<Account>(&2).unwrap().balance, 1);
    let found: Vec<i64> = tx
        .peek_find(keys::<Account>().all())
        .map(|it| it.balance)
        .collect();
    assert_eq!(found, [50, 1]);
    // A write of the same key is still refused.
    tx.upsert(account(1, 0)).unwrap();
    assert_conflict(tx);
}
