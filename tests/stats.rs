//! Figures of a store: what is counted, and what they tell of who lags behind.

mod common;

use common::{Account, Task, account, bank, put, task};
use skep::{Filter, ReplaceError, Stats, Store, UpdateError};

/// Attempts, conflicts, retries and what was given up, since some figures before.
fn since(store: &Store, before: Stats) -> [u64; 4] {
    let now = store.stats();
    [
        now.attempts - before.attempts,
        now.conflicts - before.conflicts,
        now.retries - before.retries,
        now.exhausted - before.exhausted,
    ]
}

#[test]
fn conflicts_and_retries_are_counted() {
    let store = common::builder().table::<Account>().attempts_max(3).build();
    put(&store, [account(1, 50)]);
    let before = store.stats();
    put(&store, [account(1, 49)]);
    assert_eq!(since(&store, before), [1, 0, 0, 0]);
    // Nothing written: nothing to try.
    store
        .update(|tx| Ok::<_, ReplaceError>(tx.changes()))
        .expect("it reads");
    assert_eq!(since(&store, before), [1, 0, 0, 0]);

    // A closure whose first run is overtaken.
    let before = store.stats();
    let mut runs = 0;
    let updated = store.update(|tx| {
        runs += 1;
        tx.modify::<Account>(&1, |account| account.balance += 1)?;
        if runs == 1 {
            put(&store, [account(1, 10)]);
        }
        Ok::<_, ReplaceError>(())
    });
    updated.expect("the second run is not overtaken");
    assert_eq!((runs, since(&store, before)), (2, [3, 1, 1, 0]));

    // One that is overtaken each time: two retries, then it is given up.
    let before = store.stats();
    let failed = store.update(|tx| {
        tx.modify::<Account>(&1, |account| account.balance += 1)?;
        put(&store, [account(1, 10)]);
        Ok::<_, ReplaceError>(())
    });
    assert!(matches!(failed, Err(UpdateError::Conflict { attempts: 3 })));
    assert_eq!(since(&store, before), [6, 3, 2, 1]);

    // By hand: a conflict, and nothing is run again.
    let before = store.stats();
    let mut tx = store.begin();
    tx.modify::<Account>(&1, |account| account.balance += 1)
        .expect("it is there");
    put(&store, [account(1, 9)]);
    assert!(tx.commit().is_err());
    assert_eq!(since(&store, before), [2, 1, 0, 0]);
}

#[test]
fn a_batch_counts_its_retries() {
    let store = bank();
    let before = store.stats();
    let mut overtaken = false;
    let batch = store.batch(|batch| {
        batch.step(|tx| tx.modify::<Account>(&1, |account| account.balance += 1))?;
        if !std::mem::replace(&mut overtaken, true) {
            put(&store, [account(1, 10)]);
        }
        Ok::<_, UpdateError<ReplaceError>>(())
    });
    assert_eq!(batch.expect("its second run is not overtaken").applied, 1);
    let [_, conflicts, retries, exhausted] = since(&store, before);
    assert!(conflicts >= 1 && retries >= 1, "{conflicts} {retries}");
    assert_eq!(exhausted, 0);
}

#[test]
fn what_threads_counted_stays_when_they_are_gone() {
    let store = common::builder().table::<Task>().build();
    for id in 0..20 {
        std::thread::scope(|scope| {
            scope.spawn(|| put(&store, [task(id)]));
        });
    }
    assert_eq!(store.stats().attempts, 20);
}

/// What programs have in types that derive `Debug` shows what it is, and not how it is made.
#[test]
fn a_store_and_a_watcher_show_what_they_are() {
    let store = common::builder().table::<Account>().build();
    put(&store, [account(1, 50)]);
    let shown = format!("{store:?}");
    assert!(
        shown.contains("account") && shown.contains("Version(1)"),
        "{shown}"
    );
    let watcher = store.watch(Filter::of::<Task>().created());
    let watching = format!("{watcher:?}");
    assert!(
        watching.contains("task") && watching.contains("Version(1)"),
        "{watching}"
    );
    for shown in [shown, watching] {
        assert!(shown.len() < 250 && !shown.contains("0x"), "{shown}");
    }
}
