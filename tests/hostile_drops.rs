//! What a Drop of the user's does to the store that frees the object: reads, commits, drops what it
//! has of this store or of another, the last handle too. It runs where nothing is half-changed.

mod common;
#[path = "common/within.rs"]
mod within;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use common::{Counted, Task, assert_none_left, put, task};
use skep::{
    Builder, Delivery, Filter, Indexes, Object, Proposal, Proposer, Snapshot, Store, Transaction,
    UpdateError, WatchError, Watcher, keys,
};
use within::{count_of, ends, raise};

/// An object whose Drop runs something, once.
#[derive(Clone)]
struct Bequest {
    id: u64,
    _last: Arc<Last>,
}

/// Run when the last share is dropped.
struct Last(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Drop for Last {
    fn drop(&mut self) {
        if let Some(run) = self.0.get_mut().ok().and_then(Option::take) {
            run();
        }
    }
}

impl Object for Bequest {
    type Key = u64;
    const TABLE: &'static str = "bequest";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

fn bequest(id: u64, run: impl FnOnce() + Send + 'static) -> Bequest {
    let _last = Arc::new(Last(Mutex::new(Some(Box::new(run)))));
    Bequest { id, _last }
}

/// Puts an object that does something when it is dropped, deletes it and has it freed.
fn bequeath(store: &Store, run: impl FnOnce() + Send + 'static) {
    let ran = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ran);
    let mut object = Some(bequest(7, move || {
        run();
        counted.fetch_add(1, Ordering::Relaxed);
    }));
    store
        .update(|tx| tx.create(object.take().expect("one attempt")))
        .unwrap();
    store.update(|tx| tx.delete::<Bequest>(&7)).unwrap();
    pass(store);
    store.reclaim();
    assert_eq!(
        ran.load(Ordering::Relaxed),
        1,
        "it is freed, and nothing in it panics"
    );
}

/// Commits of others, after which what is of no use to a held snapshot goes.
fn pass(store: &Store) {
    for _ in 0..2_000 {
        store
            .update(|tx| raise(tx, 2))
            .expect("nothing is in the way");
    }
}

/// A store without a proposer: the tests' one keeps what it was given, and so it would be the one
/// who frees it.
fn store_of_bequests() -> Store {
    store_of(Store::builder())
}

fn store_of(builder: Builder) -> Store {
    let store = builder.table::<Task>().table::<Bequest>().build();
    put(&store, [task(1), task(2)]);
    store
}

#[test]
fn a_drop_reads_commits_and_reclaims() {
    ends(|| {
        let store = store_of_bequests();
        let inner = store.clone();
        bequeath(&store, move || {
            assert_eq!(inner.read().count(keys::<Task>().all()), 2);
            for _ in 0..1_000 {
                inner
                    .update(|tx| raise(tx, 1))
                    .expect("nothing is in the way");
            }
            inner.reclaim();
        });
        assert_eq!(count_of(&store, 1), 1_000);
        store.reclaim();
        assert_eq!(store.stats().versions, 2);
    });
}

#[test]
fn a_drop_drops_a_snapshot_a_watcher_and_a_transactions_rest() {
    ends(|| {
        let store = store_of_bequests();
        // One that reads the log would keep the object that has it, as far as its lag goes.
        let delivered = Filter::of::<Task>().key(&1);
        let held: (Snapshot, Watcher) = store.snapshot_and_watch(delivered);
        let inner = store.clone();
        bequeath(&store, move || {
            drop(held);
            let mut left = inner.begin();
            raise(&mut left, 1).expect("it is there");
        });
        let stats = store.stats();
        assert_eq!((stats.snapshots, stats.watchers), (0, 0));
        assert_eq!(count_of(&store, 1), 0);
    });
}

#[test]
fn a_drop_drops_another_store_with_all_that_is_in_it() {
    ends(|| {
        let alive = Arc::new(());
        let store = store_of_bequests();
        let other = common::builder().table::<Counted>().build();
        for id in 0..1_000 {
            let _alive = Arc::clone(&alive);
            put_counted(&other, Counted { id, _alive });
        }
        bequeath(&store, move || drop(other));
        assert_none_left(&alive, "the other store is gone");
    });
}

fn put_counted(store: &Store, object: Counted) {
    store
        .update(|tx| tx.upsert(object.clone()))
        .expect("nothing is in the way");
}

#[test]
fn a_drop_drops_the_last_handle_of_its_own_store() {
    ends(|| {
        let store = store_of_bequests();
        let (closed, is_closed) = channel();
        let watchers = (0..2_000).map(|_| store.watch(Filter::of::<Task>().key(&1)));
        let watchers: Vec<Watcher> = watchers.collect();
        let snapshot = store.snapshot();
        let handle = store.clone();
        let mut object = Some(bequest(7, move || {
            drop(handle);
            let _ = closed.send(());
        }));
        store
            .update(|tx| tx.create(object.take().expect("one attempt")))
            .unwrap();
        store.update(|tx| tx.delete::<Bequest>(&7)).unwrap();
        pass(&store);
        // The object has the last one. Who changes the index of watchers collects.
        drop(store);
        drop(watchers);
        assert!(is_closed.try_recv().is_ok(), "it was not freed");
        assert_eq!(snapshot.count(keys::<Task>().all()), 2);
    });
}

/// Objects that come and go; those with the later numbers panic as they are dropped. How many were.
fn come_and_go(store: &Store, ids: std::ops::Range<u64>, panics_from: u64) -> Arc<AtomicUsize> {
    let gone = Arc::new(AtomicUsize::new(0));
    for id in ids {
        let counted = Arc::clone(&gone);
        let mut object = Some(bequest(id, move || {
            counted.fetch_add(1, Ordering::Relaxed);
            assert!(id < panics_from, "the test's own panic");
        }));
        let create = |tx: &mut Transaction<'_>| tx.create(object.take().expect("one attempt"));
        store.update(create).unwrap();
        store.update(|tx| tx.delete::<Bequest>(&id)).unwrap();
    }
    gone
}

fn of_bequests() -> Filter {
    let filter = Filter::of::<Bequest>().events_max(100);
    filter.changes_only()
}

/// Those that are nowhere else any more than in a watcher's mailbox; or were taken out for it, and
/// not given.
#[test]
fn what_waits_for_a_watcher_goes_when_that_does_though_some_of_it_panics() {
    for taken in [false, true] {
        ends(move || {
            let store = store_of_bequests();
            let mut watcher = store.watch(of_bequests());
            let gone = come_and_go(&store, 0..30, 3);
            if taken {
                drop(watcher.try_recv().expect("it does not lag"));
            }
            pass(&store);
            store.reclaim();
            assert_eq!(gone.load(Ordering::Relaxed), 0, "they wait");
            drop(watcher);
            store.reclaim();
            assert_eq!(gone.load(Ordering::Relaxed), 30);
        });
    }
}

/// What was taken out for a watcher and is lost panics as it goes, and the watcher is told of the
/// loss.
#[test]
fn what_a_lag_passes_over_panics_as_it_goes() {
    ends(|| {
        let builder = Store::builder().watch_commits_max(100);
        let store = store_of(builder.watch_delivery(Delivery::Receivers));
        let mut watcher = store.watch(of_bequests());
        // The last ones are more than it fetches at once.
        let gone = come_and_go(&store, 0..30, 20);
        drop(watcher.try_recv().expect("it does not lag"));
        pass(&store);
        store.reclaim();
        let told = std::iter::repeat_with(|| watcher.try_recv());
        let mut told = told.take_while(|event| !matches!(event, Ok(None)));
        let lag = told.find_map(Result::err);
        assert!(matches!(lag, Some(WatchError::Lagged { .. })), "{lag:?}");
        assert_eq!(gone.load(Ordering::Relaxed), 30);
    });
}

#[test]
fn a_drop_of_a_write_that_is_rolled_back_uses_the_store() {
    ends(|| {
        let store = store_of(common::builder());
        let inner = store.clone();
        let mut object = Some(bequest(7, move || {
            inner
                .update(|tx| raise(tx, 1))
                .expect("nothing is in the way");
        }));
        let mut tx = store.begin();
        tx.create(object.take().expect("once")).unwrap();
        drop(tx);
        assert_eq!(count_of(&store, 1), 1);
    });
}

/// All that was written goes, however much of it panics, also where the transaction goes because
/// something has panicked.
#[test]
fn what_is_rolled_back_goes_though_several_of_it_panic() {
    ends(|| {
        let store = store_of_bequests();
        let gone = Arc::new(AtomicUsize::new(0));
        let write = |tx: &mut Transaction<'_>| {
            for id in 0..3 {
                let counted = Arc::clone(&gone);
                let object = bequest(id, move || {
                    counted.fetch_add(1, Ordering::Relaxed);
                    panic!("the test's own panic");
                });
                tx.create(object).unwrap();
            }
        };
        let refused = store.update(|tx| {
            write(tx);
            Err::<(), ()>(())
        });
        assert_eq!(refused, Err(UpdateError::Closure(())));
        assert_eq!(gone.load(Ordering::Relaxed), 3);
        let broken = catch_unwind(AssertUnwindSafe(|| {
            store.update(|tx| -> Result<(), ()> {
                write(tx);
                panic!("the test's own panic");
            })
        }));
        assert!(broken.is_err());
        assert_eq!(gone.load(Ordering::Relaxed), 6);
        assert_eq!(store.read().find(keys::<Bequest>().all()).count(), 0);
        store.update(|tx| raise(tx, 1)).expect("it goes on");
    });
}

/// A key of which each copy panics when a thread drops it that wants that, once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Brittle(u64);

thread_local!(static BREAKS: Cell<bool> = const { Cell::new(false) });

impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(!BREAKS.replace(false), "as the test wants it");
    }
}

#[derive(Clone)]
struct OfBrittle {
    id: u64,
    _token: Arc<()>,
}

impl Object for OfBrittle {
    type Key = Brittle;
    const TABLE: &'static str = "of_brittle";

    fn key(&self) -> Brittle {
        Brittle(self.id)
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

/// Refuses what it is asked while it is told to.
struct Refuses(AtomicBool);

impl Proposer for Refuses {
    fn propose(&self, proposal: Proposal) {
        let answered = match self.0.load(Ordering::Relaxed) {
            true => proposal.ticket().refuse("as the test wants it"),
            false => proposal.ticket().accept(proposal.number()),
        };
        answered.expect("the first answer");
    }
}

/// What a refused proposal had read and written goes with it, in a thread that had no part in it;
/// and all that it had put in place goes, whatever of it panics.
#[test]
fn what_a_refused_proposal_has_read_panics_as_it_goes() {
    for ends in [false, true] {
        let proposer = Arc::new(Refuses(AtomicBool::new(false)));
        let builder = Store::builder().table::<OfBrittle>();
        let shared = Arc::clone(&proposer) as Arc<dyn Proposer>;
        let store = store_of(builder.proposer(shared));
        let token = Arc::new(());
        for id in 0..8 {
            let object = OfBrittle {
                id,
                _token: Arc::clone(&token),
            };
            proposer.0.store(true, Ordering::Relaxed);
            let refused = store.update(|tx| tx.create(object.clone()));
            assert!(refused.is_err(), "{refused:?}");
            proposer.0.store(false, Ordering::Relaxed);
            drop(object);
            BREAKS.set(true);
            if ends && id == 7 {
                break;
            }
            pass(&store);
            assert!(!BREAKS.get(), "nothing of it went");
            store.reclaim();
            assert_eq!(Arc::strong_count(&token), 1, "some of it stays");
        }
        drop(store);
        assert!(!BREAKS.get(), "nothing of it went");
        assert_eq!(Arc::strong_count(&token), 1, "some of it stays");
    }
}
