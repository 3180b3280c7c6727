//! Watches from async code, on an executor of thirty lines: the store needs no particular one.

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use common::{Account, Task, put, store, task};
use skep::{Event, Filter, WatchError};

/// Wakes a thread, and counts how often.
struct Unpark {
    thread: Thread,
    wakes: AtomicUsize,
}

impl Unpark {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            thread: std::thread::current(),
            wakes: AtomicUsize::new(0),
        })
    }

    /// Waits until there have been so many wakes: with a proposer another thread may be the one
    /// that publishes, and wakes a little later.
    #[track_caller]
    fn wait_for(&self, wakes: usize) {
        let until = Instant::now() + Duration::from_secs(60);
        while self.wakes.load(Ordering::Relaxed) < wakes && Instant::now() < until {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        assert_eq!(self.wakes.load(Ordering::Relaxed), wakes);
    }
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.thread.unpark();
    }
}

/// Runs a future on this thread; it must not need being woken for longer than a minute.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Unpark::new());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::park_timeout(Duration::from_secs(60));
    }
}

#[test]
fn events_come_to_async_code_until_the_store_closes() {
    let store = store();
    let mut watcher = store.watch(Filter::all());
    let writer = std::thread::spawn(move || {
        for id in 0..300 {
            put(&store, [task(id)]);
            if id % 50 == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    });
    let ids = block_on(async {
        let mut ids = Vec::new();
        loop {
            match watcher.recv_async().await {
                Ok(Event::Change(change)) => {
                    ids.push(change.of::<Task>().unwrap().new().unwrap().id);
                }
                Ok(Event::Commit(version)) => assert_eq!(version.get(), ids.len() as u64),
                Err(WatchError::Closed) => return ids,
                Err(error) => panic!("{error}"),
            }
        }
    });
    assert!(ids.into_iter().eq(0..300));
    writer.join().unwrap();
}

#[test]
fn a_future_is_send_and_dropping_it_loses_nothing() {
    fn is_send<F: Send>(future: F) -> F {
        future
    }
    let store = store();
    let mut watcher = store.watch(Filter::all());
    let unpark = Unpark::new();
    let waker = Waker::from(Arc::clone(&unpark));
    for id in 0..10 {
        {
            let mut future = pin!(is_send(watcher.recv_async()));
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        put(&store, [task(id)]);
        let change = block_on(watcher.recv_async()).unwrap();
        assert_eq!(
            change
                .change()
                .unwrap()
                .of::<Task>()
                .unwrap()
                .new()
                .unwrap()
                .id,
            id
        );
        assert!(block_on(watcher.recv_async()).is_ok());
    }
    assert_eq!(unpark.wakes.load(Ordering::Relaxed), 0, "nobody waits");
}

#[test]
fn the_last_waker_is_woken() {
    let store = store();
    let mut watcher = store.watch(Filter::all());
    let (first, second) = (Unpark::new(), Unpark::new());
    for unpark in [&first, &second] {
        let waker = Waker::from(Arc::clone(unpark));
        assert!(
            watcher
                .poll_recv(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    put(&store, [task(1)]);
    second.wait_for(1);
    let waker = Waker::from(Arc::clone(&second));
    assert!(
        watcher
            .poll_recv(&mut Context::from_waker(&waker))
            .is_ready()
    );
}

#[test]
fn closing_wakes_a_task() {
    let store = store();
    let mut watcher = store.watch(Filter::of::<Task>());
    let unpark = Unpark::new();
    let waker = Waker::from(Arc::clone(&unpark));
    let mut context = Context::from_waker(&waker);
    assert!(watcher.poll_recv(&mut context).is_pending());
    drop(store);
    unpark.wait_for(1);
    let Poll::Ready(Err(error)) = watcher.poll_recv(&mut context) else {
        panic!("closed");
    };
    assert_eq!(error, WatchError::Closed);
}

#[test]
fn a_lag_comes_to_async_code_too() {
    let store = common::builder()
        .table::<Task>()
        .watch_commits_max(10)
        .build();
    let mut watcher = store.watch(Filter::all());
    for count in 0..500 {
        put(&store, [Task { count, ..task(1) }]);
    }
    store.reclaim();
    let lagged = block_on(watcher.recv_async());
    assert!(
        matches!(lagged, Err(WatchError::Lagged { missed, .. }) if missed >= 490),
        "{lagged:?}"
    );
    assert!(block_on(watcher.recv_async()).is_ok());
}

/// Of a table that the store does not have there is nothing to be told, but the end.
#[test]
fn closing_wakes_a_task_that_waits_for_what_cannot_come() {
    let account = Filter::of::<Account>;
    for filter in [account().key(&1).into(), account().events_max(8)] {
        let store = common::builder().table::<Task>().build();
        let mut watcher = store.watch(filter);
        assert_eq!(store.watchers().len(), 1);
        let unpark = Unpark::new();
        let waker = Waker::from(Arc::clone(&unpark));
        let mut context = Context::from_waker(&waker);
        assert!(watcher.poll_recv(&mut context).is_pending());
        drop(store);
        unpark.wait_for(1);
        let polled = watcher.poll_recv(&mut context);
        assert!(matches!(polled, Poll::Ready(Err(WatchError::Closed))));
    }
}

/// A waker that panics.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        panic!("the waker's own panic");
    }
}

#[test]
fn a_panicking_waker_is_not_the_committers_trouble() {
    let store = store();
    let mut watcher = store.watch(Filter::all());
    let waker = Waker::from(Arc::new(Bomb));
    assert!(
        watcher
            .poll_recv(&mut Context::from_waker(&waker))
            .is_pending()
    );
    put(&store, [task(1)]);
    assert!(watcher.try_recv().unwrap().is_some());
}

#[test]
fn whole_commits_are_awaited_and_none_is_lost_with_a_future() {
    let store = store();
    let mut watcher = store.watch(Filter::of::<Task>());
    let mut context = Context::from_waker(Waker::noop());
    assert!(
        pin!(watcher.recv_commit_async())
            .poll(&mut context)
            .is_pending()
    );
    put(&store, [task(1), task(2)]);
    let commit = block_on(watcher.recv_commit_async()).expect("the store is open");
    assert_eq!((commit.version, commit.changes.len()), (store.version(), 2));
    std::thread::scope(|scope| {
        scope.spawn(|| put(&store, [task(3)]));
        let commit = block_on(watcher.recv_commit_async()).expect("the store is open");
        assert_eq!(commit.changes.len(), 1);
    });
    drop(store);
    let closed = block_on(watcher.recv_commit_async());
    assert!(matches!(closed, Err(WatchError::Closed)), "{closed:?}");
}
