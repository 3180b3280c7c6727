//! Isolation beyond the ten anomalies of tests/hermitage.rs, with interleaved transactions: across
//! tables, of keys that are not there, of refusals, in real time; and what `peek` keeps.

mod common;

use common::{Account, Task, account, assert_conflict, bank, delete, named, put, store, task};
use skep::{CreateError, Store, Transaction, keys};

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

/// G8: most commits are passed by without a look at them: by what is noted of their keys.
#[test]
fn a_commit_of_a_key_read_is_found_among_those_of_strangers() {
    const ACCOUNTS: u32 = 150;
    let store = store();
    put(&store, (0..ACCOUNTS).map(|id| account(id, 0)));
    for read in 0..ACCOUNTS {
        let mut passes = store.begin();
        let mut conflicts = store.begin();
        for tx in [&mut passes, &mut conflicts] {
            let found = balance(tx, read);
            set(tx, read, found + 1);
        }
        for stranger in (0..ACCOUNTS).filter(|&id| id != read) {
            put(&store, [account(stranger, 0)]);
        }
        passes.commit().expect("nobody else wrote what it read");
        assert_conflict(conflicts);
    }
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
fn a_writer_that_saw_two_versions_is_refused() {
    let store = bank();
    let mut writer = store.begin();
    assert_eq!(balance(&writer, 1), 50);
    put(&store, [account(2, 70)]);
    let sum = balance(&writer, 1) + balance(&writer, 2);
    assert_eq!(sum, 100, "both from one version");
    writer.create(account(3, sum)).unwrap();
    assert_conflict(writer);
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

/// The memory of a thread's read set is used again, and what was noted there is not.
#[test]
fn what_one_transaction_read_is_not_held_against_the_next() {
    let store = store();
    let mut tx = store.begin();
    assert_eq!(tx.count(Task::BY_NODE.eq(1u64)), 0);
    assert_eq!(tx.count(keys::<Task>().range(3..)), 0);
    assert!(tx.get::<Task>(&5).is_none());
    tx.create(named(2, "web")).unwrap();
    tx.commit().unwrap();
    let mut tx = store.begin();
    tx.create(task(1)).unwrap();
    // Others write all that, and take the name.
    delete::<Task>(&store, &2);
    let taken = Task {
        node: Some(1),
        ..named(5, "web")
    };
    put(&store, [taken]);
    tx.commit().expect("it has read none of this");
}
