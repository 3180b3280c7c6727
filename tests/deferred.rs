//! Checks that are put off and then made of what the transaction leaves; and what rules look up.

mod common;
#[path = "common/folder.rs"]
mod fixture;

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use fixture::{Fault, Folder, fault, folder, named, names, store};
use skep::{CommitError, CreateError, DeferredError, Error, Transaction, UpdateError, keys};

#[test]
fn deferred_checks_are_of_what_is_left() {
    let store = store();
    // A swap of names, a child before its parent, a parent deleted before its child.
    let swapped = store.update(|tx| {
        tx.defer_checks(|tx| {
            assert!(tx.checks_deferred());
            tx.update(named(1, "folder-3"))?;
            tx.update(named(3, "folder-1"))?;
            tx.create(folder(5, Some(4)))?;
            tx.create(folder(4, None))?;
            tx.create(folder(6, None))?;
            tx.delete::<Folder>(&6)?;
            tx.delete::<Folder>(&2)?;
            Ok::<_, Error>(())
        })
    });
    assert_eq!(swapped, Ok(()));
    let expected = [
        (1, "folder-3"),
        (3, "folder-1"),
        (4, "folder-4"),
        (5, "folder-5"),
    ];
    assert_eq!(names(&store), expected.map(|(id, name)| (id, name.into())));
    let deleted = store.update(|tx| {
        let deleted = tx.defer_checks(|tx| {
            tx.delete::<Folder>(&4)?;
            tx.delete::<Folder>(&5)
        });
        assert!(!tx.checks_deferred(), "they are made");
        deleted
    });
    assert_eq!(deleted, Ok(()));
    assert_eq!(names(&store).len(), 2);
}

#[test]
fn deferred_checks_refuse_what_the_others_would() {
    let store = store();
    let mut tx = store.begin();
    // Keys are looked at as ever.
    let exists = tx.defer_checks(|tx| tx.create(folder(1, None)));
    assert!(matches!(
        exists,
        Err(DeferredError::Closure(CreateError::Exists(_)))
    ));
    drop(tx);
    let mut tx = store.begin();
    match tx.defer_checks(|tx| tx.delete::<Folder>(&1)) {
        Err(DeferredError::Rejected(rejected)) => {
            assert_eq!(fault(&rejected), &Fault::HasChild(2));
        }
        other => panic!("{other:?}"),
    }
    // The refusal cannot be passed over: the commit makes the checks again.
    assert!(tx.checks_deferred());
    match tx.commit() {
        Err(CommitError::Rejected(rejected)) => {
            assert_eq!(fault(&rejected), &Fault::HasChild(2));
        }
        other => panic!("{other:?}"),
    }
    // By the unique index: against what is there, and among its own.
    for (id, name, holder) in [(7, "folder-3", 3_u32), (7, "same", 8)] {
        let mut tx = store.begin();
        let refused = tx.defer_checks(|tx| {
            tx.create(named(8, "same"))?;
            tx.create(named(id, name))
        });
        let Err(DeferredError::Duplicate(duplicate)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(duplicate.holder.downcast_ref(), Some(&holder));
        // Put right, it passes, and is checked as ever from then on.
        assert_eq!(
            tx.defer_checks(|tx| tx.delete::<Folder>(&id)),
            Ok(()),
            "within the first, the second is no end"
        );
        assert!(tx.commit().is_ok());
        store
            .update(|tx| tx.delete::<Folder>(&8))
            .expect("it was created");
    }
    assert_eq!(names(&store).len(), 3);
    let refused = store.update(|tx| {
        let refused = tx.defer_checks(|tx| tx.delete::<Folder>(&1));
        assert!(refused.is_err());
        Ok::<_, Error>(())
    });
    assert!(
        matches!(refused, Err(UpdateError::Rejected(_))),
        "{refused:?}"
    );
}

/// Whoever is refused by what is there, or by what it wrote itself, would be so again.
#[test]
fn a_duplicate_that_is_passed_over_is_told_at_once() {
    let store = store();
    for (other, holder) in [("folder-3", 3_u32), ("same", 8)] {
        let runs = Cell::new(0);
        let passed_over = |tx: &mut Transaction<'_>| {
            runs.set(runs.get() + 1);
            let refused = tx.defer_checks(|tx| {
                tx.create(named(8, "same"))?;
                tx.create(named(9, other))
            });
            assert!(refused.is_err());
            Ok::<_, Error>(())
        };
        let told = |error: UpdateError<Error>| match error {
            UpdateError::Duplicate(duplicate) => {
                assert_eq!(duplicate.holder.downcast_ref(), Some(&holder));
                assert_eq!(duplicate.claimant.downcast_ref(), Some(&9_u32));
            }
            other => panic!("{other}"),
        };
        told(store.update(passed_over).expect_err("by the index"));
        let future = pin!(store.update_async(passed_over));
        match future.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(refused) => told(refused.expect_err("by the index")),
            Poll::Pending => panic!("nothing was proposed"),
        }
        let batch = store.batch(|batch| {
            batch.step(|tx| Ok(tx.create(folder(7, None))?))?;
            batch.step(passed_over)
        });
        let ended = batch.expect_err("by the index");
        assert_eq!(ended.report.applied, 1);
        told(ended.error);
        assert_eq!(runs.get(), 3);
        store
            .update(|tx| tx.delete::<Folder>(&7))
            .expect("the first step created it");
    }
    assert_eq!(names(&store).len(), 3);
}

/// Each step of a batch stands for itself, also one that passes over what its put-off checks have
/// told: others are neither lost with it, nor go without checks of their own.
#[test]
fn a_step_that_passes_over_a_refusal_is_refused_alone() {
    let store = store();
    let report = store.batch(|batch| {
        batch.step(|tx| Ok(tx.create(folder(7, None))?))?;
        let duplicate = batch.step(|tx| {
            let refused = tx.defer_checks(|tx| tx.create(named(8, "folder-3")));
            assert!(refused.is_err());
            Ok::<_, Error>(())
        });
        assert!(
            matches!(duplicate, Err(UpdateError::Duplicate(_))),
            "{duplicate:?}"
        );
        let rejected = batch.step(|tx| {
            assert!(tx.defer_checks(|tx| tx.delete::<Folder>(&1)).is_err());
            Ok(())
        });
        assert!(
            matches!(rejected, Err(UpdateError::Rejected(_))),
            "{rejected:?}"
        );
        // What fails before it has written anything leaves nothing to be refused.
        batch.step(|tx| {
            assert!(tx.defer_checks(|_| Err::<(), _>("given up")).is_err());
            Ok(())
        })?;
        batch.step(|tx| {
            assert!(!tx.checks_deferred());
            Ok(tx.update(folder(7, Some(3)))?)
        })
    });
    assert_eq!(
        report.map(|report| (report.applied, report.transactions)),
        Ok((3, 1))
    );
    let view = store.read();
    assert_eq!(
        view.get::<Folder>(&7).map(|it| (it.parent, it.changes)),
        Some((Some(3), 1))
    );
    assert_eq!(view.count(keys::<Folder>().all()), 4);
}

/// What is put off within what is put off is checked with that.
#[test]
fn checks_within_others_are_made_at_the_end_of_these() {
    let store = store();
    let mut tx = store.begin();
    let swapped = tx.defer_checks(|tx| {
        let within = tx.defer_checks(|tx| tx.update(named(1, "folder-3")));
        assert!(
            within.is_ok(),
            "who has the name is to let it go: {within:?}"
        );
        assert!(tx.checks_deferred());
        tx.update(named(3, "folder-1"))
    });
    assert!(swapped.is_ok(), "{swapped:?}");
    assert!(!tx.checks_deferred());
    assert!(tx.commit().is_ok());
    let first_and_last = [0, 2].map(|at| names(&store)[at].1.clone());
    assert_eq!(first_and_last, ["folder-3", "folder-1"]);
}

/// What a rule has refused as a whole leaves the checks put off, of what is written later as well:
/// it is found by its name, and others may take that until the checks are made.
#[test]
fn what_is_written_after_a_refusal_is_put_off_as_well() {
    let store = store();
    let mut tx = store.begin();
    let refused = tx.defer_checks(|tx| tx.delete::<Folder>(&1));
    assert!(matches!(refused, Err(DeferredError::Rejected(_))));
    tx.create(folder(1, None)).expect("it was deleted");
    tx.create(named(7, "late")).expect("it is new");
    let late = |tx: &Transaction<'_>| tx.get_by(Folder::BY_NAME, "late").map(|it| it.id);
    assert_eq!(late(&tx), Some(7));
    tx.create(named(8, "late")).expect("checks are put off");
    tx.delete::<Folder>(&7).expect("it is there");
    assert_eq!(late(&tx), Some(8));
    assert!(tx.commit().is_ok(), "it is put right");
}

#[test]
fn deferred_checks_hold_at_the_commit() {
    let store = store();
    let (mut parent, mut child) = (store.begin(), store.begin());
    parent
        .defer_checks(|tx| tx.delete::<Folder>(&3))
        .expect("it has no child");
    child
        .defer_checks(|tx| tx.create(folder(4, Some(3))))
        .expect("it is there");
    assert!(child.commit().is_ok());
    assert!(matches!(parent.commit(), Err(CommitError::Conflict { .. })));
    let (mut first, mut second) = (store.begin(), store.begin());
    for (tx, id) in [(&mut first, 8), (&mut second, 9)] {
        tx.defer_checks(|tx| tx.create(named(id, "same")))
            .expect("it is free");
    }
    assert!(first.commit().is_ok());
    assert!(matches!(second.commit(), Err(CommitError::Duplicate(_))));
}

/// By a unique index, or by any other: what a query finds, whatever the transaction has written.
#[test]
fn get_by_gives_what_the_first_of_a_query_is() {
    let store = store();
    let mut random = 1_u64;
    for deferred in [false, true] {
        let mut tx = store.begin();
        let mut step = |tx: &mut Transaction<'_>| {
            for _ in 0..400 {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let (id, name) = ((random >> 33) as u32 % 40, (random >> 50) % 50);
                let changed = Folder {
                    name: format!("folder-{name}"),
                    ..folder(id, None)
                };
                let _ = match random >> 40 & 3 {
                    0 => tx.delete::<Folder>(&id).map_err(Error::from),
                    // Renames are refused: the first name is kept.
                    1 => tx.update(changed).map_err(Error::from),
                    _ => tx.create(changed).map_err(Error::from),
                };
                for name in 0..50 {
                    let name = format!("folder-{name}");
                    let by_query = tx.first(Folder::BY_NAME.eq(&*name));
                    if !deferred {
                        assert_eq!(tx.get_by(Folder::BY_NAME, &*name), by_query);
                    }
                    assert_eq!(
                        tx.get_by(Folder::BY_NAME, &*name).is_some(),
                        by_query.is_some()
                    );
                }
                assert_eq!(
                    tx.get_by(Folder::BY_PARENT, 1_u32),
                    tx.first(Folder::BY_PARENT.eq(1_u32))
                );
            }
            Ok::<_, Error>(())
        };
        if deferred {
            let _ = tx.defer_checks(step);
        } else {
            step(&mut tx).expect("refusals are passed over");
        }
    }
}

#[test]
fn get_by_is_tracked() {
    for name in ["folder-3", "nobody"] {
        let store = store();
        let mut tx = store.begin();
        let found = tx.get_by(Folder::BY_NAME, name).map(|it| it.id);
        assert_eq!(found, (name == "folder-3").then_some(3));
        tx.create(named(9, "because of it")).expect("it is free");
        let changed = store.update(|tx| match found {
            Some(id) => tx.delete::<Folder>(&id).map_err(Error::from),
            None => tx.create(named(8, name)).map_err(Error::from),
        });
        assert_eq!(changed, Ok(()));
        assert!(matches!(tx.commit(), Err(CommitError::Conflict { .. })));
    }
}
