//! Batches: limits, reports, failing steps, and replay after conflicts.

mod common;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Task, builder, put, store, task};
use skep::{
    BatchError, BatchReport, CreateError, Error, Store, Transaction, UpdateError, Version, keys,
};

fn count(store: &Store) -> usize {
    store.read().count(keys::<Task>().all())
}

#[track_caller]
fn assert_report(report: &BatchReport, applied: usize, transactions: usize, version: u64) {
    let found = (report.applied, report.transactions, report.version);
    assert_eq!(found, (applied, transactions, Version::new(version)));
}

/// A transaction that writes nothing is no commit to report.
#[test]
fn a_batch_that_only_reads_reports_its_steps() {
    let store = store();
    let report = store.batch(|batch| {
        (0..3).try_for_each(|_| {
            batch.step(|tx| {
                assert!(tx.get::<Task>(&1).is_none());
                Ok::<_, CreateError>(())
            })
        })
    });
    let report = report.expect("it writes nothing");
    assert_eq!((report.applied, report.transactions), (3, 0));
    assert_eq!(report.version, Version::ZERO);
}

#[test]
fn a_batch_is_split_every_200_changes() {
    let store = store();
    let report =
        store.batch(|batch| (0..1001).try_for_each(|id| batch.step(move |tx| tx.create(task(id)))));
    assert_report(&report.unwrap(), 1001, 6, 6);
    assert_eq!(count(&store), 1001);
    let report = store.batch(|_| Ok::<_, UpdateError<Error>>(()));
    assert_report(&report.unwrap(), 0, 0, 0);
}

#[test]
fn a_step_is_never_split() {
    let store = builder().table::<Task>().batch_changes_max(10).build();
    let report = store.batch(|batch| {
        (0..5).try_for_each(|step| {
            batch.step(move |tx| (0..7).try_for_each(|id| tx.create(task(step * 7 + id))))
        })
    });
    assert_report(&report.unwrap(), 5, 3, 3);
    // Each commit has whole steps.
    let at = |version| {
        store
            .read()
            .find(keys::<Task>().all())
            .entries()
            .filter(|entry| entry.meta().version == Version::new(version))
            .count()
    };
    assert_eq!([at(1), at(2), at(3)], [14, 14, 7]);
}

#[test]
fn the_size_limit_splits_too() {
    let store = builder()
        .table::<Task>()
        .batch_bytes_max(size_of::<Task>() * 4)
        .build();
    let report =
        store.batch(|batch| (0..12).try_for_each(|id| batch.step(move |tx| tx.create(task(id)))));
    assert_report(&report.unwrap(), 12, 3, 3);
    // What is deleted counts with its key.
    let key_bytes = size_of::<u64>();
    let builder = builder().table::<Task>().batch_bytes_max(4 * key_bytes);
    let store = builder.build();
    put(&store, (0..12).map(task));
    let report = store
        .batch(|batch| (0..12).try_for_each(|id| batch.step(move |tx| tx.delete::<Task>(&id))));
    assert_report(&report.unwrap(), 12, 3, 4);
}

/// An object that several steps write is in the transaction once.
#[test]
fn what_is_written_again_fits_as_it_did() {
    let bytes = 2 * size_of::<Task>();
    let store = builder()
        .table::<Task>()
        .transaction_bytes_max(bytes)
        .build();
    let report = store.batch(|batch| (0..9).try_for_each(|_| batch.step(|tx| tx.upsert(task(1)))));
    assert_report(&report.unwrap(), 9, 1, 1);
}

/// Else one transaction would have all that they read, and whatever fails or gets in its way later
/// would have all of them run again.
#[test]
fn steps_that_write_nothing_are_split_as_well() {
    let store = store();
    put(&store, [task(1)]);
    let runs = Cell::new(0);
    let look = |tx: &mut Transaction<'_>| {
        runs.set(runs.get() + 1);
        assert!(tx.get::<Task>(&1).is_some());
        Ok::<_, CreateError>(())
    };
    let report = store.batch(|batch| {
        (0..1_010).try_for_each(|_| batch.step(look))?;
        // It is run again without the one that fails.
        assert!(batch.step(|tx| tx.create(task(1))).is_err());
        assert_eq!(runs.get(), 1_010 + 10);
        // And with one that is in conflict.
        batch.step(|tx| tx.create(task(2)))?;
        put(&store, [task(1)]);
        Ok(())
    });
    assert_report(&report.unwrap(), 1_011, 1, 3);
    assert_eq!(runs.get(), 1_010 + 2 * 10);
}

#[test]
fn a_batch_stays_within_the_transactions_limit() {
    let store = builder()
        .table::<Task>()
        .transaction_changes_max(10)
        .build();
    let report =
        store.batch(|batch| (0..100).try_for_each(|id| batch.step(move |tx| tx.create(task(id)))));
    let report = report.expect("each step alone is small enough");
    assert_eq!((report.applied, count(&store)), (100, 100));
    assert!(report.transactions >= 10, "{report:?}");
}

#[test]
fn a_failing_step_leaves_nothing_and_the_report_counts_the_others() {
    let store = builder().table::<Task>().batch_changes_max(4).build();
    put(&store, [task(7)]);
    let failed = store.batch(|batch| {
        (0..10).try_for_each(|id| {
            batch.step(move |tx| {
                tx.create(task(100 + id))?;
                tx.create(task(id))
            })
        })
    });
    let Err(BatchError { report, error, .. }) = failed else {
        panic!("{failed:?}");
    };
    assert!(
        matches!(error, UpdateError::Closure(CreateError::Exists(_))),
        "{error:?}"
    );
    assert_report(&report, 7, 4, 5);
    let read = store.read();
    assert!(read.get::<Task>(&107).is_none());
    assert_eq!(read.count(keys::<Task>().all()), 15);
}

#[test]
fn a_batch_may_go_on_after_a_failing_step() {
    let store = store();
    put(&store, [task(3)]);
    let mut refused = Vec::new();
    let report = store.batch(|batch| {
        for id in 0..6 {
            let step = batch.step(move |tx| {
                tx.create(task(50 + id))?;
                tx.create(task(id))
            });
            if step.is_err() {
                refused.push(id);
            }
        }
        Ok(())
    });
    assert_report(&report.unwrap(), 5, 1, 2);
    assert_eq!(refused, [3]);
    assert!(store.read().get::<Task>(&53).is_none());
    assert_eq!(count(&store), 11);
}

#[test]
fn a_batch_of_which_nothing_is_left_commits_nothing() {
    let store = store();
    put(&store, [task(3)]);
    let report = store.batch(|batch| {
        let step = batch.step(|tx| tx.create(task(3)));
        assert!(step.is_err());
        Ok(())
    });
    assert_report(&report.unwrap(), 0, 0, 0);
}

#[test]
fn steps_see_what_earlier_steps_wrote() {
    let store = builder().table::<Task>().batch_changes_max(2).build();
    put(&store, [task(1)]);
    let report = store.batch(|batch| {
        (0..9).try_for_each(|_| batch.step(|tx| tx.modify::<Task>(&1, |task| task.count += 1)))
    });
    assert_eq!(report.unwrap().applied, 9);
    assert_eq!(store.read().get::<Task>(&1).unwrap().count, 9);
}

#[test]
fn a_conflict_replays_the_open_steps() {
    let store = store();
    put(&store, [task(1)]);
    let mut interfered = false;
    let report = store.batch(|batch| {
        batch.step(|tx| tx.create(task(2)).map_err(Error::from))?;
        let (other, interfered) = (&store, &mut interfered);
        batch.step(move |tx| {
            let count = tx.get::<Task>(&1).unwrap().count;
            if !std::mem::replace(interfered, true) {
                put(
                    other,
                    [Task {
                        count: 40,
                        ..task(1)
                    }],
                );
            }
            Ok(tx.update(Task {
                count: count + 2,
                ..task(1)
            })?)
        })
    });
    assert_report(&report.unwrap(), 2, 1, 3);
    assert_eq!(store.read().get::<Task>(&1).unwrap().count, 42);
}

/// Who takes long from step to step may have a transaction open that is older than the log: its
/// steps are run again, once, one right after the other.
#[test]
fn open_steps_that_have_become_too_old_are_replayed() {
    let open_for_long = |attempts_max: u32, in_a_step: bool| {
        let builder = common::builder().table::<Task>().log_commits_max(64);
        let store = builder.attempts_max(attempts_max).build();
        let others = |from: u64| {
            for id in from..from + 1_000 {
                put(&store, [task(id)]);
            }
        };
        let batched = store.batch(|batch| {
            batch.step(|tx| tx.create(task(1)))?;
            others(10_000);
            batch.step(|tx| {
                if in_a_step {
                    others(20_000);
                }
                tx.create(task(2))
            })
        });
        let created = |id| store.read().get::<Task>(&id).is_some();
        (batched, created(1), created(2))
    };
    let (batched, ..) = open_for_long(2, false);
    assert_report(&batched.expect("it is run again"), 2, 1, 1_001);
    for (attempts_max, in_a_step) in [(1, false), (9, true)] {
        let (batched, first, second) = open_for_long(attempts_max, in_a_step);
        let error = batched.expect_err("it has no other attempt, or each takes as long");
        assert!(
            matches!(error.error, UpdateError::TooOld { .. }),
            "{error:?}"
        );
        assert!(!first && !second);
    }
}

#[test]
fn a_step_that_fails_when_replayed_stops_the_batch() {
    let store = store();
    let mut interfered = false;
    let failed = store.batch(|batch| {
        batch.step(|tx| tx.create(task(1)))?;
        let (other, interfered) = (&store, &mut interfered);
        batch.step(move |tx| {
            tx.create(task(2))?;
            if !std::mem::replace(interfered, true) {
                put(other, [task(2)]);
            }
            Ok(())
        })
    });
    let Err(BatchError { report, error, .. }) = failed else {
        panic!("{failed:?}");
    };
    assert!(
        matches!(error, UpdateError::Closure(CreateError::Exists(_))),
        "{error:?}"
    );
    // However many of the first steps were saved, the report tells.
    assert_eq!(count(&store), 1 + report.applied);
}

#[test]
fn a_batch_that_is_over_counts_nothing_more() {
    let store = builder()
        .table::<Task>()
        .batch_changes_max(2)
        .attempts_max(2)
        .build();
    put(&store, [task(1)]);
    let ended = store.batch(|batch| {
        let other = &store;
        // In conflict with itself at each attempt.
        batch.step(move |tx| {
            let count = tx.get::<Task>(&1).unwrap().count;
            put(
                other,
                [Task {
                    count: count + 1,
                    ..task(1)
                }],
            );
            Ok::<_, Error>(tx.update(Task {
                count: -1,
                ..task(1)
            })?)
        })?;
        let full = batch.step(|tx| Ok(tx.create(task(2))?));
        assert_eq!(full, Err(UpdateError::Conflict { attempts: 2 }));
        for id in 3..9 {
            let _ = batch.step(move |tx| Ok(tx.create(task(id))?));
        }
        Ok(())
    });
    // Nor is it a success because the closure passed over the error.
    let Err(BatchError { report, error, .. }) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!(error, UpdateError::Stopped);
    assert_eq!(count(&store), 1 + report.applied, "{report:?}");
}

#[test]
fn a_panicking_step_keeps_what_was_committed() {
    let store = builder().table::<Task>().batch_changes_max(2).build();
    let caught = catch_unwind(AssertUnwindSafe(|| {
        store.batch(|batch| {
            (0..5).try_for_each(|id| {
                batch.step(move |tx| {
                    assert!(id < 3, "the test's own panic");
                    tx.create(task(id))
                })
            })
        })
    }));
    assert!(caught.is_err());
    assert_eq!(count(&store), 2);
    put(&store, [task(77)]);
}

/// What a step has written that panicked is not committed, whoever catches the panic; the others
/// are.
#[test]
fn a_batch_may_go_on_after_a_panicking_step() {
    for others in [0, 3] {
        let store = store();
        let report = store.batch(|batch| {
            (0..others).try_for_each(|id| batch.step(move |tx| tx.create(task(id))))?;
            let step = AssertUnwindSafe(|| {
                batch.step(|tx| {
                    tx.create(task(50))?;
                    panic!("the test's own panic")
                })
            });
            assert!(catch_unwind(step).is_err());
            (7..9).try_for_each(|id| batch.step(move |tx| tx.create(task(id))))
        });
        assert!(store.read().get::<Task>(&50).is_none(), "half a step");
        let report = report.unwrap();
        assert_eq!(count(&store), report.applied);
        assert_report(&report, others as usize + 2, 1, 1);
    }
}

/// Also if it is the last one, or panics when it is run again.
#[test]
fn the_others_of_a_batch_are_committed_after_a_panic() {
    for replayed in [false, true] {
        let store = store();
        put(&store, [task(50)]);
        let runs = Cell::new(0);
        let report = store.batch(|batch| {
            batch.step(|tx| {
                runs.set(runs.get() + 1);
                assert!(!(replayed && runs.get() == 2), "the test's own panic");
                tx.create(task(1))
            })?;
            let step = AssertUnwindSafe(|| {
                batch.step(|tx| {
                    // Makes the first one run again, as it fails.
                    assert!(replayed, "the test's own panic");
                    tx.create(task(50))
                })
            });
            assert!(catch_unwind(step).is_err());
            Ok(())
        });
        assert_report(&report.unwrap(), 1, 1, 2);
        assert_eq!(count(&store), 2);
    }
}
