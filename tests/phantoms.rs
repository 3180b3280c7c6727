//! Phantoms and predicate write skew: what a query would find now that it did not find then.

mod common;

use common::{Account, Task, account, assert_conflict, bank, put, store, task};
use skep::{CommitError, Store, Transaction, keys};

/// A task on a node.
fn on(node: u64, id: u64) -> Task {
    Task {
        node: Some(node),
        ..task(id)
    }
}

/// A transaction that has read something by a query, and writes.
fn having_read<'s>(store: &'s Store, read: impl Fn(&Transaction<'s>)) -> Transaction<'s> {
    let mut tx = store.begin();
    read(&tx);
    tx.create(account(99, 0)).unwrap();
    tx
}

#[test]
fn phantom_in_an_exact_index_read_is_refused() {
    let store = store();
    put(&store, [on(7, 1), task(2)]);
    let read = |tx: &Transaction<'_>| assert_eq!(tx.count(Task::BY_NODE.eq(7u64)), 1);
    // A new one, one that moves in, one that moves out, one that changes in place, a deletion.
    let tx = having_read(&store, read);
    put(&store, [on(7, 3)]);
    assert_conflict(tx);
    common::delete::<Task>(&store, &3);
    let tx = having_read(&store, read);
    put(&store, [on(7, 2)]);
    assert_conflict(tx);
    put(&store, [task(2)]);
    let tx = having_read(&store, read);
    put(&store, [task(1)]);
    assert_conflict(tx);
    put(&store, [on(7, 1)]);
    let tx = having_read(&store, read);
    put(
        &store,
        [Task {
            count: 5,
            ..on(7, 1)
        }],
    );
    assert_conflict(tx);
    let tx = having_read(&store, read);
    common::delete::<Task>(&store, &1);
    assert_conflict(tx);
    // Elsewhere in the table: no conflict.
    put(&store, [on(7, 1)]);
    let tx = having_read(&store, read);
    put(&store, [on(8, 4)]);
    tx.commit().expect("nothing that it read was changed");
}

/// A read, and what it is called when a phantom slips by.
type NamedRead = (&'static str, fn(&Transaction<'_>));

#[test]
fn phantom_in_ranges_and_prefixes_is_refused() {
    let store = store();
    put(
        &store,
        [Task {
            count: 5,
            title: "Alpha".into(),
            ..task(10)
        }],
    );
    let reads: [NamedRead; 10] = [
        ("index range", |tx| {
            assert!(tx.find(Task::BY_COUNT.range(1..10)).next().is_some())
        }),
        ("index range, open", |tx| {
            assert!(tx.exists(Task::BY_COUNT.range(..=9)))
        }),
        ("all of an index", |tx| {
            assert_eq!(tx.count(Task::BY_NODE.all()), 0)
        }),
        ("prefix, folded", |tx| {
            assert!(tx.exists(Task::BY_TITLE.prefix("AL")))
        }),
        ("key range", |tx| {
            assert_eq!(tx.count(keys::<Task>().range(20..30)), 0)
        }),
        ("all keys", |tx| {
            assert_eq!(tx.count(keys::<Task>().all()), 1)
        }),
        ("limit", |tx| {
            assert!(tx.first(keys::<Task>().all()).is_some())
        }),
        ("any of keys", |tx| {
            assert_eq!(tx.count(keys::<Task>().any_of([25u64, 26])), 0)
        }),
        ("any of values", |tx| {
            assert_eq!(tx.count(Task::BY_NODE.any_of([7u64, 8])), 0)
        }),
        ("or", |tx| {
            assert_eq!(tx.count(Task::BY_TAG.eq("a").or(Task::BY_NODE.eq(8u64))), 0);
        }),
    ];
    for (name, read) in reads {
        let tx = having_read(&store, read);
        let phantom = Task {
            count: 6,
            title: "ALPS".into(),
            node: Some(8),
            ..task(25)
        };
        put(&store, [phantom]);
        let committed = tx.commit();
        assert!(
            matches!(committed, Err(CommitError::Conflict { .. })),
            "{name}: {committed:?}"
        );
        common::delete::<Task>(&store, &25);
    }
    // What lies outside all of them is no phantom.
    for (name, read) in reads {
        if matches!(name, "all keys" | "limit") {
            continue;
        }
        let tx = having_read(&store, read);
        put(
            &store,
            [Task {
                count: 99,
                title: "Beta".into(),
                ..task(50)
            }],
        );
        tx.commit()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        common::delete::<Task>(&store, &50);
        common::delete::<Account>(&store, &99);
    }
}

#[test]
fn phantom_of_an_and_query_is_refused() {
    let store = store();
    put(
        &store,
        [Task {
            count: 1,
            ..on(7, 1)
        }],
    );
    let tx = having_read(&store, |tx| {
        assert_eq!(
            tx.count(Task::BY_NODE.eq(7u64).and(Task::BY_COUNT.range(5..))),
            0
        );
    });
    put(
        &store,
        [Task {
            count: 9,
            ..on(7, 1)
        }],
    );
    assert_conflict(tx);
}

/// What comes to be found, ceases to be, or changes; also what comes to be one of the others.
#[test]
fn phantom_of_an_except_query_is_refused() {
    let store = store();
    put(&store, [on(7, 1), on(7, 2), common::tagged(3, &["out"])]);
    let read = |tx: &Transaction<'_>| {
        let query = Task::BY_NODE.eq(7u64).except(Task::BY_TAG.eq("out"));
        assert_eq!(tx.count(query), 2);
    };
    let out = |id| Task {
        tags: vec!["out".into()],
        ..on(7, id)
    };
    let writes = [on(7, 5), out(1), out(6), task(2)];
    for written in writes {
        let before = store.read().get::<Task>(&written.id).cloned();
        let tx = having_read(&store, read);
        put(&store, [written.clone()]);
        assert_conflict(tx);
        match before {
            Some(before) => drop(put(&store, [before])),
            None => drop(common::delete::<Task>(&store, &written.id)),
        }
    }
    // What the first part does not find is no matter, however it is with the other.
    let tx = having_read(&store, read);
    put(&store, [task(3), common::tagged(4, &["out"])]);
    tx.commit().expect("nothing that it read was changed");
    common::delete::<Account>(&store, &99);
    let all_but = |tx: &Transaction<'_>| {
        let query = keys::<Task>().all().except(Task::BY_TAG.eq("out"));
        assert_eq!(tx.count(query), 3);
    };
    let tx = having_read(&store, all_but);
    put(&store, [task(4)]);
    assert_conflict(tx);
}

#[test]
fn predicate_write_skew_is_refused() {
    let store = bank();
    // Each checks that the customer has no more than two accounts, and opens a third.
    let (mut first, mut second) = (store.begin(), store.begin());
    for (tx, id) in [(&mut first, 10), (&mut second, 11)] {
        assert_eq!(tx.count(Account::BY_CUSTOMER.eq(1u32)), 1);
        tx.create(Account {
            customer: 1,
            ..account(id, 0)
        })
        .unwrap();
    }
    second.commit().unwrap();
    assert_conflict(first);
    assert_eq!(store.read().count(Account::BY_CUSTOMER.eq(1u32)), 2);
}

#[test]
fn predicate_write_skew_through_two_indexes_is_refused() {
    let store = store();
    // One reads nodes and writes titles, the other the reverse (Adya's G2).
    let (mut first, mut second) = (store.begin(), store.begin());
    assert!(!first.exists(Task::BY_NODE.eq(1u64)));
    first
        .create(Task {
            title: "x".into(),
            ..task(1)
        })
        .unwrap();
    assert!(!second.exists(Task::BY_TITLE.eq("X")));
    second.create(on(1, 2)).unwrap();
    first.commit().unwrap();
    assert_conflict(second);
}
