//! What the user's code may do to a store from a matcher, a waker, a comparison, a hash: be slow,
//! panic, call the store, drop its last handle, drop the watcher that it is asked for (for a Drop,
//! see `hostile_drops`). It is
//! contained: others go on, and the store is whole.

mod common;
#[path = "common/within.rs"]
mod within;

use std::cell::Cell;
use std::cmp::Ordering as Order;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use common::{Task, events, put};
use skep::{Event, Filter, Indexes, Object, Store, WatchError, keys};
use within::{count_of, ends, raise, two, two_of};

/// A filter whose matcher runs something.
fn calling(run: impl Fn() + Send + Sync + 'static) -> Filter {
    let filter = Filter::of::<Task>().when(move |_| {
        run();
        true
    });
    filter.into()
}

/// Filters with a matcher, of a watcher that reads the log and of one that is delivered to.
fn both(run: impl Fn() + Clone + Send + Sync + 'static) -> [Filter; 2] {
    let delivered = calling(run.clone()).events_max(1_000);
    [calling(run), delivered]
}

#[test]
fn a_matcher_reads_commits_watches_and_takes_snapshots() {
    ends(|| {
        let store = two();
        let inner = store.clone();
        let filters = both(move || {
            let snapshot = inner.snapshot();
            assert_eq!(inner.view(|view| view.count(keys::<Task>().all())), 2);
            // Not what the watcher is about to see, or it would never end.
            if count_of(&inner, 2) < 20 {
                inner
                    .update(|tx| raise(tx, 2))
                    .expect("nothing is in the way");
            }
            let mut own = inner.watch(Filter::of::<Task>().key(&2));
            assert!(matches!(own.try_recv(), Ok(None)));
            assert!(snapshot.get::<Task>(&2).is_some());
        });
        let mut watchers = filters.map(|filter| store.watch(filter));
        store.update(|tx| raise(tx, 1)).unwrap();
        for watcher in &mut watchers {
            // Each commit of a matcher's is an event of its own.
            let versions: Vec<_> = events(watcher).iter().map(Event::version).collect();
            assert!(versions.is_sorted() && versions.len() >= 2, "{versions:?}");
        }
        assert_eq!(count_of(&store, 2), 20);
    });
}

#[test]
fn a_matcher_goes_with_its_watcher_and_the_handle_in_it() {
    let store = two();
    let inner = store.clone();
    let held = Arc::new(());
    let own = Arc::clone(&held);
    let filters = both(move || {
        assert!(Arc::strong_count(&own) > 1 && inner.stats().watchers > 0);
    });
    let mut watchers = filters.map(|filter| store.watch(filter.or(Filter::of::<Task>().key(&7))));
    store.update(|tx| raise(tx, 1)).unwrap();
    for watcher in &mut watchers {
        assert_eq!(events(watcher).len(), 2);
    }
    // A snapshot, too, holds nothing of it back.
    let snapshot = store.snapshot();
    drop(watchers);
    assert_eq!(Arc::strong_count(&held), 1);
    drop(snapshot);
}

#[test]
fn a_slow_matcher_holds_up_its_own_watcher_alone() {
    ends(|| {
        let store = two();
        let (let_go, wait) = channel::<()>();
        let wait = Arc::new(Mutex::new(wait));
        let (met, meets) = channel();
        let filters = both(move || {
            let _ = met.send(());
            let _ = wait.lock().map(|wait| wait.recv());
        });
        let mut watchers = filters.map(|filter| store.watch(filter));
        let mut other = store.watch(Filter::of::<Task>().key(&1));
        store.update(|tx| raise(tx, 1)).unwrap();
        thread::scope(|scope| {
            let slow = watchers.each_mut().map(|watcher| {
                scope.spawn(move || match watcher.recv().map(|event| event.version()) {
                    Ok(version) => version,
                    Err(error) => panic!("{error}"),
                })
            });
            // Both are in their matchers.
            (0..2).for_each(|_| meets.recv().unwrap());
            for _ in 0..500 {
                store.update(|tx| raise(tx, 1)).unwrap();
                assert!(store.snapshot().get::<Task>(&1).is_some());
            }
            assert_eq!(events(&mut other).len(), 2 * 501);
            drop(let_go);
            for slow in slow {
                assert_eq!(slow.join().unwrap().get(), 2);
            }
        });
        for watcher in &mut watchers {
            assert_eq!(events(watcher).len(), 2 * 501 - 1, "nothing is missing");
        }
    });
}

#[test]
fn a_matcher_that_panics_is_asked_again_or_passed_over_and_nothing_comes_twice() {
    ends(|| {
        let store = two();
        let left = Arc::new(AtomicUsize::new(3));
        let bombs = Arc::clone(&left);
        let filters = both(move || {
            let left = bombs.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            });
            assert!(left.is_err(), "the test's own panic");
        });
        for filter in filters {
            left.store(0, Ordering::Relaxed);
            let mut watcher = store.watch(filter);
            for _ in 0..10 {
                store.update(|tx| raise(tx, 1)).unwrap();
            }
            left.store(3, Ordering::Relaxed);
            let mut seen = Vec::new();
            loop {
                match catch_unwind(AssertUnwindSafe(|| watcher.try_recv())) {
                    Ok(Ok(Some(Event::Commit(version)))) => seen.push(version),
                    Ok(Ok(Some(Event::Change(_)))) | Err(_) => {}
                    Ok(Ok(None)) => break,
                    Ok(Err(error)) => panic!("{error}"),
                }
            }
            assert!(seen.is_sorted_by(|left, right| left < right), "{seen:?}");
            assert!(seen.len() >= 7, "{seen:?}");
        }
        assert_eq!(store.stats().watchers, 0);
    });
}

#[test]
fn a_matcher_drops_the_last_handle_of_its_store() {
    ends(|| {
        for at in 0..2 {
            let store = Arc::new(Mutex::new(Some(two())));
            let last = Arc::clone(&store);
            let handle = || store.lock().unwrap().clone().expect("not dropped yet");
            let filter = both(move || drop(last.lock().unwrap().take()))[at].clone();
            let mut watcher = handle().watch(filter);
            handle().update(|tx| raise(tx, 1)).unwrap();
            assert!(matches!(watcher.recv(), Ok(Event::Change(_))));
            assert!(matches!(watcher.recv(), Ok(Event::Commit(_))));
            assert_eq!(watcher.recv().map(drop), Err(WatchError::Closed));
        }
    });
}

/// A waker that runs something.
struct Calls<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Calls<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

#[test]
fn a_waker_that_reads_commits_and_drops_the_watcher_that_it_wakes() {
    ends(|| {
        for filter in [Filter::all(), Filter::of::<Task>().key(&1).into()] {
            // A proposer's thread may be who wakes: a commit in it would wait for its own answer.
            let store = two_of(Store::builder());
            let watcher = Arc::new(Mutex::new(Some(store.watch(filter))));
            let (inner, own) = (store.clone(), Arc::clone(&watcher));
            let waker = Waker::from(Arc::new(Calls(move || {
                assert!(inner.read().get::<Task>(&1).is_some());
                // The committer that wakes is the caller: a commit in it may wake again.
                if count_of(&inner, 2) < 3 {
                    inner
                        .update(|tx| raise(tx, 2))
                        .expect("nothing is in the way");
                }
                drop(own.lock().unwrap().take());
            })));
            let mut context = Context::from_waker(&waker);
            if let Some(watcher) = &mut *watcher.lock().unwrap() {
                let polled = watcher.poll_recv(&mut context);
                assert!(polled.is_pending());
            }
            store.update(|tx| raise(tx, 1)).unwrap();
            assert!(watcher.lock().unwrap().is_none(), "it was woken");
            assert!((1..=3).contains(&count_of(&store, 2)));
            assert_eq!(store.stats().watchers, 0);
            // The waker that is to be freed has a handle of the store.
            store.reclaim();
        }
    });
}

#[test]
fn a_waker_that_panics_is_contained() {
    ends(|| {
        let store = two();
        let mut watchers = [
            store.watch(Filter::all()),
            store.watch(Filter::of::<Task>().key(&1)),
        ];
        let waker = Waker::from(Arc::new(Calls(|| panic!("the test's own panic"))));
        for watcher in &mut watchers {
            let mut context = Context::from_waker(&waker);
            assert!(watcher.poll_recv(&mut context).is_pending());
        }
        let _ = catch_unwind(AssertUnwindSafe(|| store.update(|tx| raise(tx, 1))));
        assert_eq!(
            count_of(&store, 1),
            1,
            "it was committed before anybody was woken"
        );
        for watcher in &mut watchers {
            assert_eq!(events(watcher).len(), 2);
        }
        store.update(|tx| raise(tx, 1)).unwrap();
    });
}

/// A waker that panics when the last one of it goes.
struct Going;

impl Wake for Going {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Going {
    fn drop(&mut self) {
        panic!("the test's own panic");
    }
}

#[test]
fn a_waker_that_panics_when_it_goes_is_contained() {
    ends(|| {
        let store = two();
        let woken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&woken);
        let waker = Waker::from(Arc::new(Calls(move || {
            count.fetch_add(1, Ordering::SeqCst);
        })));
        let mut other = store.watch(Filter::of::<Task>().key(&1));
        let polled = other.poll_recv(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        let filters = [Filter::all(), Filter::of::<Task>().key(&1).into()];
        for filter in filters {
            // Whom it has left its waker to, lets that go.
            let mut watcher = store.watch(filter);
            let going = Waker::from(Arc::new(Going));
            let polled = watcher.poll_recv(&mut Context::from_waker(&going));
            assert!(polled.is_pending());
            drop(going);
        }
        store.update(|tx| raise(tx, 1)).unwrap();
        common::wait_until(|| woken.load(Ordering::SeqCst) > 0);
        assert_eq!(woken.load(Ordering::SeqCst), 1, "others are called");
        assert_eq!(events(&mut other).len(), 2);
        assert_eq!(store.stats().watchers, 1);
        store.reclaim();
    });
}

/// A key whose comparisons and hashes do something when they are told to, once.
#[derive(Clone, Debug)]
struct Meddling(u64);

type Deed = Box<dyn FnOnce()>;

thread_local! {
    static DEED: Cell<Option<Deed>> = const { Cell::new(None) };
}

fn meddle() {
    if let Some(run) = DEED.take() {
        run();
    }
}

impl PartialEq for Meddling {
    fn eq(&self, other: &Self) -> bool {
        meddle();
        self.0 == other.0
    }
}

impl Eq for Meddling {}

impl PartialOrd for Meddling {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for Meddling {
    fn cmp(&self, other: &Self) -> Order {
        meddle();
        self.0.cmp(&other.0)
    }
}

impl Hash for Meddling {
    fn hash<H: Hasher>(&self, state: &mut H) {
        meddle();
        self.0.hash(state);
    }
}

#[derive(Clone, Debug)]
struct Meddled {
    key: Meddling,
    count: u64,
}

impl Object for Meddled {
    type Key = Meddling;
    const TABLE: &'static str = "meddled";

    fn key(&self) -> Meddling {
        self.key.clone()
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

fn count_up(store: &Store, key: u64) {
    let raised = store.update(|tx| tx.modify::<Meddled>(&Meddling(key), |it| it.count += 1));
    raised.expect("nothing is in the way");
}

fn store_of_meddled() -> Store {
    let store = common::builder()
        .table::<Meddled>()
        .attempts_max(1_000)
        .build();
    let meddled = |key| Meddled {
        key: Meddling(key),
        count: 0,
    };
    put(&store, (0..100).map(meddled));
    store
}

#[test]
fn a_comparison_or_hash_that_uses_the_store() {
    ends(|| {
        let store = store_of_meddled();
        let deed = |store: &Store| -> Deed {
            let store = store.clone();
            Box::new(move || {
                count_up(&store, 50);
                // It may see the one that is there for a while.
                assert!(matches!(
                    store.read().count(keys::<Meddled>().all()),
                    100 | 101
                ));
                drop((store.snapshot(), store.watch(Filter::all())));
                store.reclaim();
            })
        };
        for key in 0..100 {
            DEED.set(Some(deed(&store)));
            count_up(&store, key);
            DEED.set(Some(deed(&store)));
            assert!(store.read().get::<Meddled>(&Meddling(key)).is_some());
            DEED.set(Some(deed(&store)));
            let range = keys::<Meddled>().range(Meddling(3)..Meddling(97));
            assert_eq!(store.read().count(range), 94);
            DEED.set(Some(deed(&store)));
            let fresh = Meddled {
                key: Meddling(1_000 + key),
                count: 0,
            };
            let created = store.update(|tx| tx.create(fresh.clone()));
            assert_eq!(created, Ok(()));
            DEED.set(Some(deed(&store)));
            let deleted = store.update(|tx| tx.delete::<Meddled>(&Meddling(1_000 + key)));
            assert_eq!(deleted, Ok(()));
            DEED.set(None);
        }
        assert_eq!(store.read().count(keys::<Meddled>().all()), 100);
        store.reclaim();
        assert_eq!(store.stats().versions, 100);
    });
}

#[test]
fn a_comparison_that_drops_the_watcher_that_it_is_made_for() {
    ends(|| {
        let store = store_of_meddled();
        let watch = || store.watch(Filter::of::<Meddled>().key(&Meddling(1)).key(&Meddling(2)));
        for _ in 0..50 {
            let watcher = Arc::new(Mutex::new(Some(watch())));
            let mut kept = watch();
            let own = Arc::clone(&watcher);
            DEED.set(Some(Box::new(move || drop(own.lock().unwrap().take()))));
            count_up(&store, 1);
            DEED.set(None);
            assert!(watcher.lock().unwrap().is_none());
            assert_eq!(events(&mut kept).len(), 2);
        }
        assert_eq!(store.stats().watchers, 0);
    });
}

#[test]
fn a_hash_that_panics_where_a_watcher_begins_leaves_none() {
    ends(|| {
        let store = store_of_meddled();
        for _ in 0..3 {
            let filter = Filter::of::<Meddled>().key(&Meddling(1));
            DEED.set(Some(Box::new(|| panic!("the test's own panic"))));
            let watched = catch_unwind(AssertUnwindSafe(|| store.watch(filter)));
            assert!(watched.is_err() && DEED.take().is_none());
        }
        assert_eq!((store.stats().watchers, store.watchers().len()), (0, 0));
    });
}

/// Nor is anything delivered to a mailbox that nobody empties.
#[test]
fn a_hash_that_panics_where_a_watcher_ends_leaves_none() {
    ends(|| {
        let store = store_of_meddled();
        let watch = || store.watch(Filter::of::<Meddled>().key(&Meddling(1)));
        let (ending, mut other) = (watch(), watch());
        DEED.set(Some(Box::new(|| panic!("the test's own panic"))));
        drop(ending);
        assert!(DEED.take().is_none());
        assert_eq!((store.stats().watchers, store.watchers().len()), (1, 1));
        count_up(&store, 1);
        assert!(matches!(other.try_recv(), Ok(Some(Event::Change(_)))));
    });
}

#[test]
fn a_wait_in_a_matcher_for_what_another_thread_commits() {
    ends(|| {
        let store = two();
        let inner = store.clone();
        let mut watcher = store.watch(calling(move || {
            let seen = inner.version();
            let other = inner.clone();
            let committer = thread::spawn(move || other.update(|tx| raise(tx, 2)));
            assert!(inner.wait(seen, Duration::from_secs(60)) > seen);
            committer
                .join()
                .expect("no panic")
                .expect("nothing is in the way");
        }));
        store.update(|tx| raise(tx, 1)).unwrap();
        assert!(matches!(watcher.recv(), Ok(Event::Change(_))));
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(
            watcher.poll_recv(&mut context),
            Poll::Ready(Ok(_))
        ));
    });
}
