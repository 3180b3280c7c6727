//! Transactions: each typed error, what consumes a version, and what survives an update.

mod common;

use std::time::Duration;

use common::{Account, Task, account, assert_holds, builder, named, put, store, task};
use skep::{
    CommitError, CreateError, DeleteError, Error, Kind, Object, OutOfSequence, ReplaceError, Store,
    UpdateError, UpsertError, Version, keys,
};

#[test]
fn create_of_what_exists_is_refused() {
    let store = store();
    put(&store, [task(1)]);
    let refused = store.update(|tx| tx.create(task(1)));
    let Err(UpdateError::Closure(CreateError::Exists(error))) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (error.table, error.key.downcast_ref::<u64>()),
        ("task", Some(&1))
    );
    assert_eq!(store.version(), Version::new(1));
    // Also what the transaction itself created.
    let mut tx = store.begin();
    tx.create(task(2)).unwrap();
    assert!(matches!(tx.create(task(2)), Err(CreateError::Exists(_))));
    tx.commit()
        .expect("an error that was handled does not end the transaction");
    assert!(store.read().get::<Task>(&2).is_some());
}

#[test]
fn update_and_delete_of_what_is_not_there_are_refused() {
    let store = store();
    let mut tx = store.begin();
    let Err(ReplaceError::NotFound(error)) = tx.update(task(1)) else {
        panic!("there is none");
    };
    assert_eq!(
        (error.table, error.key.downcast_ref::<u64>()),
        ("task", Some(&1))
    );
    assert!(matches!(
        tx.modify::<Task>(&1, |_| ()),
        Err(ReplaceError::NotFound(_))
    ));
    assert!(matches!(
        tx.update_at(Version::ZERO, task(1)),
        Err(ReplaceError::NotFound(_))
    ));
    let Err(DeleteError::NotFound(error)) = tx.delete::<Task>(&1) else {
        panic!("there is none");
    };
    assert_eq!(
        (error.table, error.key.downcast_ref::<u64>()),
        ("task", Some(&1))
    );
    tx.create(task(1)).unwrap();
    tx.delete::<Task>(&1).unwrap();
    assert!(matches!(
        tx.delete::<Task>(&1),
        Err(DeleteError::NotFound(_))
    ));
    assert!(matches!(tx.update(task(1)), Err(ReplaceError::NotFound(_))));
}

#[test]
fn upsert_creates_and_replaces() {
    let store = store();
    store.update(|tx| tx.upsert(task(1))).unwrap();
    store
        .update(|tx| {
            tx.upsert(Task {
                count: 5,
                ..task(1)
            })
        })
        .unwrap();
    assert_eq!(store.read().get::<Task>(&1).unwrap().count, 5);
    let refused = store.update(|tx| tx.upsert(named(2, "task-1")));
    let Err(UpdateError::Closure(UpsertError::Duplicate(duplicate))) = refused else {
        panic!("{refused:?}");
    };
    assert_holds(&duplicate, "task-1", 1);
}

#[test]
fn update_of_an_object_that_moved_on_is_out_of_sequence() {
    let store = store();
    let first = put(&store, [task(1)]);
    let second = put(&store, [task(1)]);
    let refused = store.update(|tx| tx.update_at(first, task(1)));
    let expected = OutOfSequence::new::<Task>(1, first, second);
    assert_eq!(refused, Err(UpdateError::Closure(expected.clone().into())));
    let refused = store.update(|tx| tx.delete_at::<Task>(first, &1));
    assert_eq!(refused, Err(UpdateError::Closure(expected.into())));
    // A commit elsewhere does not move it on.
    put(&store, [task(2)]);
    store.update(|tx| tx.update_at(second, task(1))).unwrap();
    let version = store.read().entry::<Task>(&1).unwrap().meta().version;
    store
        .update(|tx| tx.delete_at::<Task>(version, &1))
        .unwrap();
}

#[test]
fn own_write_is_no_version_to_build_on() {
    let store = store();
    let first = put(&store, [task(1)]);
    let mut tx = store.begin();
    tx.update_at(first, task(1)).unwrap();
    let again = tx.update_at(first, task(1));
    let expected = OutOfSequence::new::<Task>(1, first, first);
    assert_eq!(again, Err(expected.into()));
}

/// No two of them are told as "from version 3, but it is at version 3".
#[test]
fn what_is_out_of_sequence_says_why() {
    let [three, five] = [3, 5].map(Version::new);
    let said = |expected, found| OutOfSequence::new::<Task>(1, expected, found).to_string();
    let begin = |version| format!("task 1: written from version {version}, but ");
    assert_eq!(said(three, five), begin(3) + "it is at version 5");
    let itself = "the transaction has written it itself since";
    assert_eq!(said(three, three), begin(3) + itself);
    for expected in [three, Version::ZERO] {
        let unknown = begin(expected.get()) + "what is there has no version that is known";
        assert_eq!(said(expected, Version::ZERO), unknown);
    }
}

/// Of many writes the one that is refused is told, whatever refuses it.
#[test]
fn a_refusal_says_which_object_it_is_about() {
    let store = store();
    let old = put(&store, (0..200).map(task));
    put(&store, [task(123)]);
    let updated = store.update(|tx| (0..200).try_for_each(|id| tx.update_at(old, task(id))));
    let Err(UpdateError::Closure(ReplaceError::OutOfSequence(refused))) = &updated else {
        panic!("{updated:?}");
    };
    assert_eq!(
        (refused.table, refused.key.downcast_ref()),
        (Task::TABLE, Some(&123_u64))
    );
    let told = updated.expect_err("it has moved on").to_string();
    assert!(
        told.starts_with("task 123: written from version "),
        "{told}"
    );
    let deleted = store.update(|tx| (0..200).try_for_each(|id| tx.delete_at::<Task>(old, &id)));
    let told = deleted.expect_err("it has moved on").to_string();
    assert!(
        told.starts_with("task 123: written from version "),
        "{told}"
    );
}

#[test]
fn closure_error_rolls_back_fully() {
    let store = store();
    put(&store, [task(1)]);
    let mut watcher = store.watch(skep::Filter::all());
    let failed = store.update(|tx| {
        tx.modify::<Task>(&1, |task| task.count = 9).unwrap();
        tx.create(named(2, "taken")).unwrap();
        tx.delete::<Task>(&1).unwrap();
        Err::<(), _>("no")
    });
    assert_eq!(failed, Err(UpdateError::Closure("no")));
    assert_eq!(failed.unwrap_err().to_string(), "no");
    assert_eq!(store.version(), Version::new(1));
    assert_eq!(*store.read().get::<Task>(&1).unwrap(), task(1));
    assert!(watcher.try_recv().unwrap().is_none());
    put(&store, [named(3, "taken")]);
}

#[test]
fn dropped_transaction_rolls_back() {
    let store = store();
    let mut tx = store.begin();
    tx.create(task(1)).unwrap();
    assert_eq!(tx.changes(), 1);
    drop(tx);
    assert_eq!(store.version(), Version::ZERO);
    assert!(store.read().get::<Task>(&1).is_none());
    assert!(!store.read().exists(Task::BY_NAME.all()));
}

#[test]
fn empty_write_set_consumes_no_version() {
    let store = store();
    put(&store, [task(1)]);
    let ((), version) = store
        .update_versioned(|tx| {
            let _ = tx.get::<Task>(&1);
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!(version, Version::new(1));
    assert_eq!(store.begin().commit(), Ok(Version::new(1)));
    // Created and deleted again: nothing was written.
    let mut tx = store.begin();
    tx.create(task(2)).unwrap();
    assert!(tx.get::<Task>(&2).is_some());
    tx.delete::<Task>(&2).unwrap();
    assert!(tx.get::<Task>(&2).is_none());
    tx.commit().unwrap();
    assert_eq!(store.version(), Version::new(1));
    assert!(store.read().get::<Task>(&2).is_none());
    // Versions are dense.
    assert_eq!(put(&store, [task(2)]), Version::new(2));
}

#[test]
fn read_only_transaction_never_aborts() {
    let store = builder().table::<Task>().log_commits_max(8).build();
    put(&store, [task(1)]);
    let tx = store.begin();
    assert_eq!(tx.count(keys::<Task>().all()), 1);
    assert_eq!(tx.count(Task::BY_NODE.all()), 0);
    for count in 0..2000 {
        put(
            &store,
            [Task {
                count,
                node: Some(1),
                ..task(1)
            }],
        );
    }
    assert_eq!(*tx.get::<Task>(&1).unwrap(), task(1));
    assert_eq!(tx.commit(), Ok(Version::new(1)));
}

#[test]
fn meta_tells_version_and_times_and_creation_survives() {
    let store = store();
    let first = put(&store, [task(1)]);
    let created = store.read().entry::<Task>(&1).unwrap().meta();
    assert_eq!(created.version, first);
    assert_eq!(created.created_at, created.updated_at);
    std::thread::sleep(Duration::from_millis(3));
    let writes: [fn(&Store); 3] = [
        |store| store.update(|tx| tx.update(task(1))).unwrap(),
        |store| store.update(|tx| tx.upsert(task(1))).unwrap(),
        |store| {
            store
                .update(|tx| tx.modify::<Task>(&1, |it| it.count = 1))
                .unwrap()
        },
    ];
    for write in writes {
        write(&store);
        let read = store.read();
        let meta = read.entry::<Task>(&1).unwrap().meta();
        assert_eq!(meta.version, store.version());
        assert_eq!(meta.created_at, created.created_at);
        assert!(meta.updated_at > created.updated_at);
        assert_eq!(read.object::<Task>(&1).unwrap().meta(), meta);
        assert_eq!(
            read.find(keys::<Task>().all())
                .entries()
                .next()
                .unwrap()
                .meta(),
            meta
        );
    }
    // Deleted and created again, it is a new one, in one transaction as in two.
    store
        .update(|tx| {
            tx.delete::<Task>(&1)?;
            tx.create(task(1))?;
            Ok::<_, Error>(())
        })
        .unwrap();
    let again = store.read().entry::<Task>(&1).unwrap().meta();
    assert!(again.created_at > created.created_at);
}

#[test]
fn meta_of_an_own_write_is_what_it_replaces() {
    let store = store();
    let first = put(&store, [task(1)]);
    let created = store.read().entry::<Task>(&1).unwrap().meta().created_at;
    let mut tx = store.begin();
    tx.modify::<Task>(&1, |task| task.count = 2).unwrap();
    tx.create(task(2)).unwrap();
    let own = tx.entry::<Task>(&1).unwrap();
    assert_eq!((own.count, own.meta().version), (2, first));
    assert_eq!(own.meta().created_at, created);
    assert!(own.share().is_none());
    assert_eq!(tx.entry::<Task>(&2).unwrap().meta().version, Version::ZERO);
    assert!(tx.object::<Task>(&2).is_none());
}

#[test]
fn delete_and_create_in_one_transaction_is_an_update() {
    let store = store();
    put(&store, [task(1)]);
    let before = store.snapshot();
    let mut watcher = store.watch(skep::Filter::all());
    let mut tx = store.begin();
    tx.delete::<Task>(&1).unwrap();
    assert!(tx.get::<Task>(&1).is_none());
    assert!(!tx.exists(keys::<Task>().all()));
    tx.create(Task {
        node: Some(3),
        ..named(1, "again")
    })
    .unwrap();
    assert_eq!(tx.changes(), 1);
    tx.commit().unwrap();
    assert_eq!(common::task_changes(&mut watcher), [(Kind::Updated, 1)]);
    let read = store.read();
    assert!(!read.exists(Task::BY_NAME.eq("task-1")));
    assert_eq!(read.first(Task::BY_NODE.eq(3u64)).unwrap().name, "again");
    assert_eq!(before.first(Task::BY_NAME.all()).unwrap().name, "task-1");
}

#[test]
fn own_writes_are_seen_and_others_are_not() {
    let store = store();
    put(&store, (1..=5).map(task));
    let mut tx = store.begin();
    put(&store, [task(6)]);
    tx.create(task(7)).unwrap();
    tx.delete::<Task>(&2).unwrap();
    tx.modify::<Task>(&3, |task| task.count = -1).unwrap();
    let all = |tx: &skep::Transaction<'_>| -> Vec<u64> {
        tx.find(keys::<Task>().all()).map(|task| task.id).collect()
    };
    assert_eq!(all(&tx), [1, 3, 4, 5, 7]);
    assert_eq!(tx.first(Task::BY_COUNT.all()).unwrap().id, 3);
    tx.modify::<Task>(&3, |task| task.count -= 1).unwrap();
    assert_eq!(tx.get::<Task>(&3).unwrap().count, -2);
    assert_eq!(tx.version(), Version::new(1));
}

#[test]
fn what_was_before_its_own_writes_is_seen_and_tracked() {
    let store = store();
    put(&store, (1..=3).map(task));
    let mut tx = store.begin();
    tx.create(task(7)).unwrap();
    tx.delete::<Task>(&2).unwrap();
    tx.modify::<Task>(&3, |task| task.count = -1).unwrap();
    let counts = [1, 2, 3, 7].map(|id| tx.before::<Task>(&id).map(|task| task.count));
    let untouched = [1, 2, 3].map(|id| Some(task(id).count));
    assert_eq!(counts[..3], untouched);
    assert_eq!(counts[3], None);
    // As of what is read otherwise.
    store.update(|tx| tx.delete::<Task>(&1)).unwrap();
    assert!(matches!(tx.commit(), Err(CommitError::Conflict { .. })));
}

#[test]
fn many_tables_and_objects_commit_at_once() {
    let store = store();
    let mut tx = store.begin();
    for id in 0..1000 {
        tx.create(task(id)).unwrap();
        tx.create(account(id as u32, 1)).unwrap();
    }
    for id in (0..1000).step_by(3) {
        tx.delete::<Task>(&id).unwrap();
    }
    assert_eq!(tx.changes(), 2000);
    assert_eq!(tx.commit(), Ok(Version::new(1)));
    let read = store.read();
    assert_eq!(read.count(keys::<Task>().all()), 666);
    assert_eq!(
        read.find(keys::<Account>().all())
            .map(|it| it.balance)
            .sum::<i64>(),
        1000
    );
}

#[test]
#[should_panic(expected = "must not change the key")]
fn modify_must_not_change_the_key() {
    let store = store();
    put(&store, [task(1)]);
    let _ = store.begin().modify::<Task>(&1, |task| task.id = 2);
}

/// Without more ado: what a panic leaves of a store and its snapshots is whole.
#[test]
fn a_panic_is_caught_beside_handles() {
    let store = store();
    let snapshot = store.snapshot();
    let caught = std::panic::catch_unwind(|| {
        let written = store.update(|tx| tx.create(task(1)));
        assert_eq!(written, Ok(()));
        assert!(snapshot.get::<Task>(&1).is_some(), "the test's own panic");
    });
    assert!(caught.is_err());
    assert_eq!(store.version(), Version::new(1));
    let moved = std::panic::catch_unwind(move || snapshot.version());
    assert_eq!(moved.ok(), Some(Version::ZERO));
    let moved = std::panic::catch_unwind(move || store.read().count(keys::<Task>().all()));
    assert_eq!(moved.ok(), Some(1));
}
