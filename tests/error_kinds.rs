//! What closures fail with, where that is an error of any type.

mod common;

use std::convert::Infallible;
use std::error::Error;
use std::num::ParseIntError;

use common::{builder, task};
use skep::{CreateError, DeferredError, Store, UpdateError};

type AnyError = Box<dyn Error + Send + Sync>;

/// Creates the tasks whose numbers a text has; with all checks at the end, if that is asked.
fn create(store: &Store, numbers: &str, deferred: bool) -> Result<(), AnyError> {
    let created = store.update(|tx| -> Result<(), AnyError> {
        for number in numbers.split(' ') {
            let task = task(number.parse()?);
            if deferred {
                let put = tx.defer_checks(|tx| -> Result<(), AnyError> { Ok(tx.create(task)?) });
                put.map_err(DeferredError::flatten)?;
            } else {
                tx.create(task)?;
            }
        }
        Ok(())
    });
    created.map_err(UpdateError::flatten)?;
    Ok(())
}

#[test]
fn what_a_closure_fails_with_is_given_as_it_is() {
    let store = builder().table::<common::Task>().build();
    for deferred in [false, true] {
        let error = create(&store, "1 one", deferred).expect_err("one is no number");
        assert!(error.is::<ParseIntError>(), "{error}");
        let error = create(&store, "1 1", deferred).expect_err("there is one then");
        assert!(error.is::<CreateError>(), "{error}");
    }
    assert_eq!(store.stats().objects, 0);
    create(&store, "1 2", false).expect("they are new");
}

#[test]
fn what_else_there_was_is_given_as_an_error_of_that_type() {
    let builder = builder().table::<common::Task>();
    let store = builder.transaction_changes_max(2).build();
    let error = create(&store, "1 2 3", false).expect_err("too many");
    let large = UpdateError::<Infallible>::TooLarge {
        changes: 3,
        changes_max: 2,
    };
    assert_eq!(error.downcast_ref(), Some(&large));
    let named = store.update(|tx| -> Result<(), AnyError> {
        let put = tx.defer_checks(|tx| -> Result<(), AnyError> {
            for id in [1, 2] {
                let name = "both".to_owned();
                tx.create(common::Task { name, ..task(id) })?;
            }
            Ok(())
        });
        put.map_err(DeferredError::flatten)
    });
    let error = named.map_err(UpdateError::flatten).expect_err("one name");
    let duplicate = error.downcast_ref::<DeferredError<Infallible>>();
    assert!(matches!(duplicate, Some(DeferredError::Duplicate(_))));
}

/// Each of them, whatever it holds.
#[test]
fn every_error_of_an_update_keeps_what_it_says() {
    let store = builder().table::<common::Task>().build();
    let taken = store.update(|tx| {
        tx.create(task(1))?;
        let name = task(1).name;
        tx.create(common::Task { name, ..task(2) })
    });
    let Err(UpdateError::Closure(CreateError::Duplicate(duplicate))) = taken else {
        panic!("{taken:?}");
    };
    let (snapshot, oldest) = (store.version(), store.version().next());
    let (changes, changes_max, bytes, bytes_max) = (7, 6, 5, 4);
    let (reads_max, objects_max) = (3, 2);
    let all: [UpdateError<AnyError>; 11] = [
        UpdateError::Conflict { attempts: 1 },
        UpdateError::Rejected(skep::Rejected::new("a rule")),
        UpdateError::Duplicate(duplicate),
        UpdateError::TooOld { snapshot, oldest },
        UpdateError::TooLarge {
            changes,
            changes_max,
        },
        UpdateError::TooManyBytes { bytes, bytes_max },
        UpdateError::TooManyReads { reads_max },
        UpdateError::TooManyObjects { objects_max },
        UpdateError::Refused {
            reason: "unwanted".into(),
        },
        UpdateError::LostLeadership,
        UpdateError::Stopped,
    ];
    for error in all {
        let told = format!("{error:?}");
        let flat = error.flatten();
        let kept = flat.downcast_ref::<UpdateError<Infallible>>();
        assert_eq!(kept.map(|error| format!("{error:?}")), Some(told));
    }
}
