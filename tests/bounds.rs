//! The bounds of a transaction: its attempts, its age and its size, and what is told at each.

mod common;

use common::{Task, put, scaled, store, task};
use skep::{CommitError, ReplaceError, Store, UpdateError, Version};

#[test]
fn conflict_tells_the_attempts() {
    let store = Store::builder().table::<Task>().attempts_max(3).build();
    put(&store, [task(1)]);
    let mut runs = 0;
    let failed = store.update(|tx| {
        runs += 1;
        let count = tx.get::<Task>(&1).unwrap().count;
        put(
            &store,
            [Task {
                count: count + 1,
                ..task(1)
            }],
        );
        tx.modify::<Task>(&1, |task| task.count = -1)
    });
    assert_eq!(failed, Err(UpdateError::Conflict { attempts: 3 }));
    assert_eq!(runs, 3);
    assert_ne!(store.read().get::<Task>(&1).unwrap().count, -1);
}

#[test]
fn conflict_is_retried_until_it_commits() {
    let store = store();
    put(&store, [task(1)]);
    let mut runs = 0;
    let (seen, _) = store
        .update_versioned(|tx| {
            runs += 1;
            let count = tx.get::<Task>(&1).unwrap().count;
            if runs < 5 {
                put(
                    &store,
                    [Task {
                        count: runs,
                        ..task(1)
                    }],
                );
            }
            tx.modify::<Task>(&1, |task| task.count += 100)?;
            Ok::<_, ReplaceError>(count)
        })
        .unwrap();
    assert_eq!((runs, seen), (5, 4));
    assert_eq!(store.read().get::<Task>(&1).unwrap().count, 104);
}

#[test]
fn too_old_is_told_at_the_logs_bound() {
    let store = Store::builder().table::<Task>().log_commits_max(64).build();
    put(&store, [task(1)]);
    let mut tx = store.begin();
    tx.modify::<Task>(&1, |task| task.count = 9).unwrap();
    for id in 0..1000 {
        put(&store, [task(10 + id)]);
    }
    assert!(store.stats().log_commits <= 64 + 512, "{:?}", store.stats());
    match tx.commit() {
        Err(CommitError::TooOld { snapshot, oldest }) => {
            assert_eq!(snapshot, Version::new(1));
            assert!(oldest > snapshot);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.read().get::<Task>(&1).unwrap().count, 0);
    let failed = store.update(|tx| {
        tx.modify::<Task>(&1, |task| task.count = 9)?;
        for id in 0..1000 {
            put(&store, [task(10 + id)]);
        }
        Ok::<_, ReplaceError>(())
    });
    assert!(
        matches!(failed, Err(UpdateError::TooOld { .. })),
        "{failed:?}"
    );
}

#[test]
fn too_large_is_told() {
    let store = Store::builder()
        .table::<Task>()
        .transaction_changes_max(10)
        .build();
    let create = |many: u64| {
        let mut tx = store.begin();
        (0..many).for_each(|id| tx.create(task(id)).unwrap());
        tx.commit()
    };
    let too_large = CommitError::TooLarge {
        changes: 11,
        changes_max: 10,
    };
    assert_eq!(create(11), Err(too_large));
    assert_eq!(store.version(), Version::ZERO);
    assert_eq!(create(10), Ok(Version::new(1)));
    let failed = store.update(|tx| (10..30).try_for_each(|id| tx.create(task(id))));
    let too_large = UpdateError::TooLarge {
        changes: 20,
        changes_max: 10,
    };
    assert_eq!(failed, Err(too_large));
}

#[test]
fn long_transaction_passes_other_keys_commits_at_its_first_attempt() {
    let store = Store::builder().table::<Task>().attempts_max(1).build();
    put(
        &store,
        (0..64).map(|id| Task {
            node: Some(id % 2),
            ..task(id)
        }),
    );
    let commits = scaled(100_000, 1_000_000) as u64;
    let mut tx = store.begin();
    let of_node: i64 = tx.find(Task::BY_NODE.eq(1u64)).map(|task| task.count).sum();
    assert!(tx.get::<Task>(&1000).is_none());
    tx.modify::<Task>(&1, |task| task.count = of_node + 1)
        .unwrap();
    for commit in 0..commits {
        let id = commit % 32 * 2;
        let other = Task {
            count: commit as i64,
            node: Some(0),
            ..task(id)
        };
        store.update(|tx| tx.upsert(other.clone())).unwrap();
    }
    let version = tx.commit().expect("nothing that it read was changed");
    assert_eq!(version, Version::new(commits + 2));
    assert_eq!(store.read().get::<Task>(&1).unwrap().count, 1);
}
