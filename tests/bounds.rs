//! The bounds of a transaction: its attempts, its age and its size, and what is told at each.

mod common;

use common::{Task, put, scaled, store, task};
use skep::{
    CommitError, Filter, Fork, ReplaceError, Transaction, UpdateError, Version, WatchError,
    WatchFromError, keys,
};

#[test]
fn conflict_tells_the_attempts() {
    let store = common::builder().table::<Task>().attempts_max(3).build();
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
    let store = common::builder()
        .table::<Task>()
        .log_commits_max(64)
        .build();
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
    let store = common::builder()
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

/// A task counts as what it takes itself, a deleted one as its key.
#[test]
fn too_many_bytes_are_told_before_anything_is_proposed() {
    const TASK: usize = size_of::<Task>();
    let builder = skep::Store::builder()
        .table::<Task>()
        .transaction_bytes_max(4 * TASK);
    #[cfg(feature = "testing")]
    let proposer = skep::testing::TestProposer::new();
    #[cfg(feature = "testing")]
    let builder = match common::is_proposed() {
        true => builder.proposer(std::sync::Arc::clone(&proposer) as _),
        false => builder,
    };
    let store = builder.build();
    let create = |many: u64| store.update(|tx| (0..many).try_for_each(|id| tx.upsert(task(id))));
    let too_many = |bytes| UpdateError::<skep::UpsertError>::TooManyBytes {
        bytes,
        bytes_max: 4 * TASK,
    };
    assert_eq!(create(5), Err(too_many(5 * TASK)));
    assert_eq!(store.version(), Version::ZERO);
    #[cfg(feature = "testing")]
    assert_eq!(proposer.proposals(), 0);
    assert_eq!(create(4), Ok(()));
    // However often one is written, and whatever else is done.
    let raise = |tx: &mut skep::Transaction<'_>| tx.modify::<Task>(&1, |task| task.count += 1);
    let often = store.update(|tx| (0..100).try_for_each(|_| raise(tx)));
    assert_eq!(often, Ok(()));
    let deleted = store.update(|tx| {
        (0..3).try_for_each(|id| tx.upsert(task(id)))?;
        tx.create(task(7))?;
        tx.delete::<Task>(&3).map_err(skep::Error::from)
    });
    assert_eq!(
        deleted.unwrap_err().to_string(),
        too_many(4 * TASK + size_of::<u64>()).to_string()
    );
    // By hand, and what a batch has in a step.
    let mut tx = store.begin();
    (0..5).for_each(|id| tx.upsert(task(id)).unwrap());
    let bytes = 5 * TASK;
    assert_eq!(
        tx.commit(),
        Err(CommitError::TooManyBytes {
            bytes,
            bytes_max: 4 * TASK
        })
    );
    let steps = store.batch(|batch| {
        for step in 0..10u64 {
            batch.step(move |tx| (0..3).try_for_each(|id| tx.upsert(task(10 * step + id))))?;
        }
        batch.step(|tx| (0..5).try_for_each(|id| tx.upsert(task(id))))
    });
    let failed = steps.expect_err("the last step is too much by itself");
    assert_eq!(
        (failed.report.applied, failed.error),
        (10, too_many(5 * TASK))
    );
    let text = too_many(7).to_string();
    assert!(
        text.starts_with("7 bytes written in one transaction"),
        "{text}"
    );
}

#[test]
fn long_transaction_passes_other_keys_commits_at_its_first_attempt() {
    let store = common::builder().table::<Task>().attempts_max(1).build();
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

/// What a transaction that may read three keys or ranges reads.
type Reading = fn(&Transaction<'_>);

#[test]
fn too_many_reads_are_told_by_who_writes() {
    let three = || common::builder().table::<Task>().transaction_changes_max(1);
    let store = three().transaction_reads_max(3).build();
    put(&store, [task(1)]);
    let write = |reads: Reading| {
        let mut tx = store.begin();
        reads(&tx);
        // A write is a read of its key.
        tx.modify::<Task>(&1, |task| task.count += 1).unwrap();
        tx.commit()
    };
    let within: [Reading; 4] = [
        |tx| (0..3).for_each(|id| assert_eq!(tx.get::<Task>(&id).is_some(), id == 1)),
        |tx| (0..9).for_each(|_| assert!(tx.get::<Task>(&2).is_none())),
        |tx| assert_eq!(tx.count(Task::BY_NODE.any_of([1u64, 2])), 0),
        |tx| (0..9).for_each(|id| assert_eq!(tx.peek::<Task>(&id).is_some(), id == 1)),
    ];
    for (at, reads) in within.into_iter().enumerate() {
        assert!(write(reads).is_ok(), "{at}");
    }
    let beyond: [Reading; 4] = [
        |tx| (2..5).for_each(|id| assert!(tx.get::<Task>(&id).is_none())),
        |tx| assert_eq!(tx.count(Task::BY_NODE.any_of([1u64, 2, 3])), 0),
        |tx| (0..3).for_each(|from| assert!(tx.count(keys::<Task>().range(from..)) < 2)),
        // What is there to be seen is seen, counted or not.
        |tx| (0..9).for_each(|id| assert_eq!(tx.get::<Task>(&(9 - id)).is_some(), id == 8)),
    ];
    let version = store.version();
    for (at, reads) in beyond.into_iter().enumerate() {
        let told = CommitError::TooManyReads { reads_max: 3 };
        assert_eq!(write(reads), Err(told), "{at}");
    }
    assert_eq!(store.version(), version);
    let failed = store.update(|tx| {
        let all = (10..20).filter(|id| tx.get::<Task>(id).is_some()).count();
        tx.modify::<Task>(&1, |task| task.count = all as i64)
    });
    assert_eq!(failed, Err(UpdateError::TooManyReads { reads_max: 3 }));
    // Who only reads is not bounded; and the count is the transaction's, not the thread's.
    let read = store.begin();
    assert_eq!(
        (0..99).filter(|id| read.get::<Task>(id).is_some()).count(),
        1
    );
    assert_eq!(read.commit(), Ok(version));
    assert!(write(|_| {}).is_ok());
}

/// Also among more ranges than are looked through one by one.
#[test]
fn what_is_asked_again_is_not_read_again() {
    let builder = common::builder().table::<Task>().transaction_changes_max(1);
    let store = builder.transaction_reads_max(61).build();
    put(&store, [task(1)]);
    let ask = |tx: &Transaction<'_>, ranges: u64| {
        for from in 0..ranges {
            assert_eq!(tx.count(Task::BY_NODE.eq(from)), 0);
            assert_eq!(tx.count(Task::BY_COUNT.range(from as i64 + 9..)), 0);
            assert_eq!(tx.count(keys::<Task>().range(from + 2..)), 0);
        }
    };
    // And the key of what is written.
    for (ranges, fits) in [(3, true), (20, true), (21, false)] {
        let mut tx = store.begin();
        (0..5).for_each(|_| ask(&tx, ranges));
        tx.modify::<Task>(&1, |task| task.count += 1).unwrap();
        assert_eq!(tx.commit().is_ok(), fits, "{ranges}");
    }
}

#[test]
fn a_bound_of_reads_leaves_room_for_the_changes() {
    let builder = common::builder()
        .table::<Task>()
        .transaction_changes_max(10);
    let store = builder.transaction_reads_max(0).build();
    let create = |many| store.update(|tx| (0..many).try_for_each(|id| tx.upsert(task(id))));
    assert_eq!(create(10), Ok(()));
    assert!(matches!(create(11), Err(UpdateError::TooLarge { .. })));
}

#[test]
fn a_batch_stays_within_the_bound_of_reads() {
    let builder = common::builder().table::<Task>().transaction_changes_max(4);
    let store = builder.transaction_reads_max(8).build();
    let done = store.batch(|batch| {
        for step in 0..20u64 {
            batch.step(move |tx| {
                assert!(tx.get::<Task>(&(1_000 + 2 * step)).is_none());
                assert!(tx.get::<Task>(&(1_001 + 2 * step)).is_none());
                tx.upsert(task(1))
            })?;
        }
        Ok(())
    });
    let report = done.expect("each step is small");
    assert_eq!((report.applied, report.transactions), (20, 7));
    let failed = store.batch(|batch| {
        batch.step(|tx| {
            assert_eq!((0..9).filter(|id| tx.get::<Task>(id).is_some()).count(), 1);
            tx.upsert(task(1))
        })
    });
    let failed = failed.expect_err("the step alone is too large");
    assert_eq!(failed.error, UpdateError::TooManyReads { reads_max: 8 });
}

#[test]
fn too_many_watchers_are_told() {
    let builder = common::builder().table::<Task>().watchers_max(3);
    let store = builder.history_commits(10).build();
    let of_key = |id: u64| Filter::of::<Task>().key(&id);
    let mut kept = vec![
        store.watch(of_key(1)),
        store.watch(Filter::all()),
        store.watch_from(store.version(), of_key(1)).unwrap(),
    ];
    let mut refused = [store.watch(of_key(1)), store.watch(Filter::all())];
    let told = WatchFromError::TooManyWatchers { watchers_max: 3 };
    let from = store.watch_from(store.version(), Filter::all());
    assert_eq!(from.expect_err("there are three"), told);
    assert_eq!(store.watchers().len(), 3);
    put(&store, [task(1)]);
    for watcher in &mut refused {
        let told = WatchError::TooManyWatchers { watchers_max: 3 };
        assert_eq!(watcher.try_recv().map(drop), Err(told));
        assert_eq!(watcher.recv().map(drop), Err(told));
        assert_eq!(watcher.resume(), Ok(()));
        assert_eq!(watcher.iter().count(), 1, "it ends");
    }
    for watcher in &mut kept {
        assert_eq!(common::events(watcher).len(), 2);
    }
    // Places are given back, by those that have one.
    drop(refused);
    assert_eq!(store.watchers().len(), 3);
    kept.pop();
    let (_, mut fourth) = store.snapshot_and_watch(of_key(1));
    put(
        &store,
        [Task {
            count: 1,
            ..task(1)
        }],
    );
    assert_eq!(common::events(&mut fourth).len(), 2);
    drop((kept, fourth));
    assert_eq!(store.stats().watchers, 0);
    let compacted = store.watch_from(Version::ZERO, Filter::all());
    assert!(compacted.is_ok(), "{compacted:?}");
}

#[test]
fn a_watcher_that_is_not_made_takes_no_place() {
    let (builder, kept) = common::builder_and_kept();
    let store = builder.table::<Task>().watchers_max(1).build();
    for id in 0..600 {
        put(&store, [task(id)]);
    }
    kept.forget();
    store.reclaim();
    for _ in 0..9 {
        let gone = store.watch_from(Version::ZERO, Filter::all());
        assert!(matches!(gone, Err(WatchFromError::Compacted { .. })));
    }
    let mut fork = Fork::new(&store).expect("there is a place");
    assert_eq!(fork.poll().unwrap(), store.version());
    assert!(matches!(
        Fork::new(&store).map(|mut fork| fork.poll()),
        Ok(Err(_))
    ));
}

/// Each is validated against all before it: that takes a release build.
#[cfg(all(feature = "testing", not(debug_assertions)))]
#[test]
fn proposals_in_flight_are_bounded() {
    let (proposer, store) = common::proposed();
    proposer.hold();
    let flights: Vec<_> = (0..32_768)
        .map(|id| common::submit(&store, task(id)))
        .collect();
    let create = |id| {
        let mut tx = store.begin();
        tx.create(task(id)).unwrap();
        tx.submit().map(drop)
    };
    let with = Version::new(1);
    assert_eq!(create(40_000), Err(CommitError::Conflict { with }));
    proposer.release();
    assert!(flights.into_iter().all(|flight| flight.wait().is_ok()));
    assert!(create(40_000).is_ok());
}

/// Counting so far takes a release build a minute.
#[cfg(not(debug_assertions))]
#[test]
fn handles_of_one_object_are_bounded() {
    // A proposer takes handles itself.
    let store = skep::Store::builder().table::<Task>().build();
    put(&store, [task(1)]);
    let view = store.read();
    let handle = view.entry::<Task>(&1).expect("just put").share();
    let handle = handle.expect("a stored one");
    drop(view);
    let mut handles = 1u32;
    let one_more = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        loop {
            std::mem::forget(handle.clone());
            handles += 1;
        }
    }));
    let told = one_more.expect_err("one too many");
    assert_eq!(told.downcast_ref(), Some(&"too many handles of one object"));
    // The store has one itself.
    let most = u32::MAX / 2;
    assert_eq!(handles, most - 1);
    // The object stays, and can be changed.
    assert_eq!(handle.id, 1);
    put(
        &store,
        [Task {
            count: 2,
            ..task(1)
        }],
    );
    assert_eq!(store.read().get::<Task>(&1).expect("put").count, 2);
}
