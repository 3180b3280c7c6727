//! The store used from within a transaction, a view, a batch, a rule and an index function: each
//! works, or is a documented error; none waits for itself.

mod common;
#[path = "common/within.rs"]
mod within;

use std::time::Duration;

use common::{Task, put, task};
use skep::{
    CommitError, Error, Filter, Index, Indexes, Object, Proposed, Rejected, Store, Transaction,
    UpdateError, keys,
};
use within::{count_of, ends, known, known_store, raise, two};

#[test]
fn a_transaction_in_a_transaction_on_another_key() {
    ends(|| {
        let store = two();
        let mut runs = 0;
        let answer = store.update(|tx| {
            runs += 1;
            let outer = raise(tx, 1)?;
            let inner = store
                .update(|tx| raise(tx, 2))
                .expect("nothing is in the way");
            Ok::<_, Error>((outer, inner))
        });
        assert_eq!(answer, Ok((1, 1)));
        assert_eq!((runs, count_of(&store, 1), count_of(&store, 2)), (1, 1, 1));
    });
}

#[test]
fn a_transaction_in_a_transaction_on_the_same_key_is_a_conflict() {
    ends(|| {
        let store = common::builder().table::<Task>().attempts_max(5).build();
        put(&store, [task(1)]);
        // The inner one commits each time, and so is in the outer one's way each time.
        let answer = store.update(|tx| {
            raise(tx, 1)?;
            store
                .update(|tx| raise(tx, 1))
                .expect("the outer one is not committed");
            Ok::<_, Error>(())
        });
        assert_eq!(answer, Err(UpdateError::Conflict { attempts: 5 }));
        assert_eq!(count_of(&store, 1), 5);
        // Once only: then the outer one is run again, and sees what the inner one did.
        let mut inner = true;
        let answer = store.update(|tx| {
            let seen = raise(tx, 1)?;
            if std::mem::take(&mut inner) {
                store.update(|tx| raise(tx, 1)).expect("as above");
            }
            Ok::<_, Error>(seen)
        });
        assert_eq!((answer, count_of(&store, 1)), (Ok(7), 7));
    });
}

#[test]
fn transactions_open_in_each_other_by_hand() {
    ends(|| {
        let store = two();
        let mut outer = store.begin();
        raise(&mut outer, 1).unwrap();
        let mut inner = store.begin();
        assert_eq!(
            inner.get::<Task>(&1).unwrap().count,
            0,
            "the outer one's own"
        );
        raise(&mut inner, 2).unwrap();
        let mut third = store.begin();
        raise(&mut third, 1).unwrap();
        assert!(inner.commit().is_ok());
        assert!(outer.commit().is_ok());
        let late = third.commit();
        assert!(
            matches!(late, Err(CommitError::Conflict { .. })),
            "{late:?}"
        );
    });
}

#[test]
fn a_hundred_transactions_in_each_other() {
    ends(|| {
        fn nest(store: &Store, depth: u64) {
            let done = store.update(|tx| {
                tx.upsert(task(depth))?;
                if depth < 100 {
                    nest(store, depth + 1);
                }
                Ok::<_, Error>(())
            });
            done.expect("each has a key of its own");
        }
        let store = two();
        nest(&store, 3);
        assert_eq!(store.read().count(keys::<Task>().all()), 100);
    });
}

#[test]
fn a_batch_in_a_transaction_and_a_transaction_in_a_batch() {
    ends(|| {
        let store = two();
        let many = |from: u64| {
            store.batch(|batch| {
                (from..from + 500).try_for_each(|id| batch.step(move |tx| tx.upsert(task(id))))
            })
        };
        let done = store.update(|tx| {
            many(1_000).expect("keys of its own");
            raise(tx, 1)
        });
        assert_eq!(done, Ok(1));
        let done = store.batch(|batch| {
            for _ in 0..300 {
                batch.step(|tx| {
                    store.update(|tx| raise(tx, 2)).expect("keys of its own");
                    raise(tx, 1).map(drop)
                })?;
            }
            Ok(())
        });
        assert_eq!(done.map(|report| report.applied), Ok(300));
        assert_eq!((count_of(&store, 1), count_of(&store, 2)), (301, 300));
    });
}

#[test]
fn an_update_in_a_view_and_views_in_an_update() {
    ends(|| {
        let store = two();
        store.view(|view| {
            let before = view.get::<Task>(&1).expect("it is there");
            for _ in 0..1_000 {
                store
                    .update(|tx| raise(tx, 1))
                    .expect("nothing is in the way");
            }
            // A view stops freeing while it lives, and nothing else.
            assert_eq!((before.count, count_of(&store, 1)), (0, 1_000));
            store.reclaim();
            assert_eq!(view.get::<Task>(&1).map(|task| task.count), Some(0));
        });
        let done = store.update(|tx| {
            let snapshot = store.snapshot();
            let own = raise(tx, 1)?;
            // Others read what is committed.
            let read = store.view(|view| view.get::<Task>(&1).map(|task| task.count));
            Ok::<_, Error>((own, read, snapshot.get::<Task>(&1).map(|task| task.count)))
        });
        assert_eq!(done, Ok((1_001, Some(1_000), Some(1_000))));
        store.reclaim();
        assert_eq!(store.stats().versions, 2);
    });
}

#[test]
fn a_watch_in_an_update_begins_before_it() {
    ends(|| {
        let store = two();
        let mut watchers = Vec::new();
        let done = store.update(|tx| {
            watchers.push(store.watch(Filter::of::<Task>().key(&1)));
            watchers.push(store.watch(Filter::all()));
            let (_, watcher) = store.snapshot_and_watch(Filter::of::<Task>());
            watchers.push(watcher);
            raise(tx, 1)
        });
        assert_eq!((done, watchers.len()), (Ok(1), 3));
        for watcher in &mut watchers {
            assert_eq!(common::events(watcher).len(), 2, "a change, and its commit");
        }
        // And one is dropped in an update, and received from, and waits no longer than it is told.
        let done = store.update(|tx| {
            drop(watchers.pop());
            let waited = watchers[0].recv_timeout(Duration::from_millis(1));
            assert!(matches!(waited, Ok(None)), "{waited:?}");
            raise(tx, 1)
        });
        assert_eq!((done, store.stats().watchers), (Ok(2), 2));
    });
}

/// A task whose rule and index function use the store.
#[derive(Clone, Debug)]
struct Calling {
    id: u64,
    store: u64,
    /// Whether the rule's read is to be validated.
    tracked: bool,
}

impl Calling {
    const BY_COUNT: Index<Self, i64> = Index::new("by_count", |calling: &Self, keys| {
        let store = known_store(calling.store);
        // It reads and commits; what it gives is the same for ever.
        let done = store.update(|tx| raise(tx, 2));
        assert_eq!(store.view(|view| view.count(self::keys::<Task>().all())), 2);
        drop((store.snapshot(), store.watch(Filter::all())));
        done.expect("nothing is in the way");
        keys.add(7);
    });
}

impl Object for Calling {
    type Key = u64;
    const TABLE: &'static str = "calling";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_COUNT);
    }

    fn check(change: Proposed<'_, Self>, tx: &Transaction<'_>) -> Result<(), Rejected> {
        let Some(calling) = change.after() else {
            return Ok(());
        };
        let store = known_store(calling.store);
        let seen = match calling.tracked {
            true => tx.get::<Task>(&1),
            false => tx.peek::<Task>(&1),
        };
        let seen = seen.map(|task| task.count);
        // A commit in a rule, that is none of the transaction's.
        let committed = store.update(|tx| raise(tx, 1));
        committed.expect("nothing is in the way");
        let now = store.view(|view| view.get::<Task>(&1).map(|task| task.count));
        assert!(seen < now, "{seen:?} {now:?}");
        let nested = store.begin();
        assert!(nested.get::<Task>(&1).is_some());
        Ok(())
    }
}

fn store_of_calling() -> (Store, u64) {
    let builder = common::builder().table::<Task>().table::<Calling>();
    let store = builder.attempts_max(3).build();
    put(&store, [task(1), task(2)]);
    let number = known(&store);
    (store, number)
}

#[test]
fn a_commit_in_a_rule_and_in_an_index_function() {
    ends(|| {
        let (store, number) = store_of_calling();
        for id in 0..100 {
            let calling = Calling {
                id,
                store: number,
                tracked: false,
            };
            assert_eq!(store.update(|tx| tx.create(calling.clone())), Ok(()));
            assert_eq!(store.update(|tx| tx.modify::<Calling>(&id, |_| {})), Ok(()));
        }
        assert_eq!(store.read().count(Calling::BY_COUNT.eq(7)), 100);
        assert!(count_of(&store, 1) >= 200 && count_of(&store, 2) >= 100);
    });
}

#[test]
fn a_commit_in_a_rule_of_what_it_reads_is_a_conflict() {
    ends(|| {
        let (store, number) = store_of_calling();
        let calling = Calling {
            id: 1,
            store: number,
            tracked: true,
        };
        let created = store.update(|tx| tx.create(calling.clone()));
        assert_eq!(created, Err(UpdateError::Conflict { attempts: 3 }));
        assert_eq!(count_of(&store, 1), 3);
        assert_eq!(store.read().count(keys::<Calling>().all()), 0);
    });
}
