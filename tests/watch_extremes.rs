//! Watchers at the ends of what may be asked of them: bounds and times of nothing, and one that is
//! received from on another thread each time.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use common::{Task, builder, counted, put, store, task, wait_for_delivery};
use skep::{Delivery, Event, Filter, Overflow, Store, Version, WatchError, Watcher};

/// What a watcher gives of single events: the version of each, or how it went wrong.
fn all(watcher: &mut Watcher) -> Vec<Result<u64, WatchError>> {
    let mut given = Vec::new();
    loop {
        match watcher.try_recv() {
            Ok(Some(event)) => given.push(Ok(event.version().get())),
            Ok(None) => return given,
            Err(error) => {
                given.push(Err(error));
                if error == WatchError::Overflowed {
                    return given;
                }
            }
        }
    }
}

fn lagged(missed: u64, resume_from: u64) -> Result<u64, WatchError> {
    let resume_from = Version::new(resume_from);
    Err(WatchError::Lagged {
        missed,
        resume_from,
    })
}

/// One change may always wait, and a mailbox of one has nothing to coalesce.
#[test]
fn a_bound_of_nothing_is_one_of_one_change() {
    let bounds: [fn(Filter) -> Filter; 4] = [
        |filter| filter.events_max(0),
        |filter| filter.events_max(1),
        |filter| filter.bytes_max(0),
        |filter| filter.bytes_max(1),
    ];
    for (at, bound) in bounds.into_iter().enumerate() {
        for overflow in [Overflow::Lag, Overflow::Coalesce, Overflow::Close] {
            let store = store();
            let filter = bound(Filter::of::<Task>().overflow(overflow));
            let mut watcher = store.watch(filter);
            for count in 1..=3 {
                put(&store, [counted(1, count)]);
            }
            wait_for_delivery(&store);
            let waiting = store.watchers()[0].waiting;
            assert_eq!(waiting, 1, "bound {at}, {overflow:?}");
            let newest = vec![lagged(2, 2), Ok(3), Ok(3)];
            let oldest = vec![Ok(1), Ok(1), Err(WatchError::Overflowed)];
            let wanted = match overflow {
                Overflow::Close => oldest,
                _ => newest,
            };
            assert_eq!(all(&mut watcher), wanted, "bound {at}, {overflow:?}");
        }
    }
}

/// A commit of which all but one change is too much is missed whole, and closes who asks for that.
#[test]
fn a_commit_beyond_any_bound_is_given_whole_or_not_at_all() {
    for overflow in [Overflow::Lag, Overflow::Coalesce, Overflow::Close] {
        let store = store();
        let filter = Filter::of::<Task>().bytes_max(1).overflow(overflow);
        let mut watcher = store.watch(filter);
        put(&store, (1..=3).map(task));
        put(&store, [task(4)]);
        wait_for_delivery(&store);
        let first = watcher.try_recv_commit();
        if overflow == Overflow::Close {
            assert_eq!(first.map(drop), Err(WatchError::Overflowed));
            assert_eq!(watcher.position(), Version::ZERO);
            continue;
        }
        assert_eq!(first.map(|_| 0), lagged(1, 1), "{overflow:?}");
        let commit = watcher.try_recv_commit().unwrap().expect("the second");
        assert_eq!((commit.version.get(), commit.changes.len()), (2, 1));
        assert!(watcher.try_recv_commit().unwrap().is_none());
    }
}

/// Commits that a watcher is given and those that it is told to have missed make up all.
fn is_told_of_all(store: &Store, watcher: &mut Watcher, commits: u64) {
    let (mut last, mut told) = (0, 0);
    while told < commits {
        match watcher.recv_timeout(Duration::from_secs(30)) {
            Ok(Some(Event::Commit(version))) => {
                told += 1;
                assert_eq!(version.get(), last + 1);
                last += 1;
            }
            Ok(Some(Event::Change(change))) => assert_eq!(change.version().get(), last + 1),
            Err(WatchError::Lagged {
                missed,
                resume_from,
            }) => {
                told += missed;
                last += missed;
                assert_eq!(resume_from.get(), last);
            }
            other => panic!("{other:?}, told of {told} of {:?}", store.version()),
        }
    }
    assert_eq!((told, last), (commits, commits));
}

/// Nothing is kept for anybody then: but what goes is told.
#[test]
fn a_store_that_keeps_nothing_for_watchers_tells_them_what_they_missed() {
    const COMMITS: u64 = 2_000;
    for delivery in [Delivery::Committers, Delivery::Receivers, Delivery::Threads] {
        let store = builder()
            .table::<Task>()
            .watch_commits_max(0)
            .watch_log_bytes_max(0)
            .watch_events_max(0)
            .watch_bytes_max(0)
            .watch_shards(0)
            .watch_delivery(delivery)
            .build();
        let filters: [Filter; 3] = [
            Filter::all(),
            Filter::of::<Task>().key(&1).into(),
            Filter::of::<Task>().overflow(Overflow::Coalesce),
        ];
        let late = filters.clone().map(|filter| store.watch(filter));
        thread::scope(|scope| {
            let beside = filters.map(|filter| store.watch(filter));
            for mut watcher in beside {
                let store = &store;
                scope.spawn(move || is_told_of_all(store, &mut watcher, COMMITS));
            }
            for count in 0..COMMITS {
                put(&store, [counted(1, count as i64)]);
            }
        });
        for mut watcher in late {
            is_told_of_all(&store, &mut watcher, COMMITS);
        }
    }
}

/// With no interval each look tells how far it is, once.
#[test]
fn progress_without_an_interval_is_told_at_each_look() {
    let store = store();
    let of_one = || Filter::of::<Task>().key(&1).progress(Duration::ZERO);
    let mut watchers = [
        store.watch(of_one()),
        store.watch(of_one().changes_only()),
        store.watch(
            Filter::of::<Task>()
                .when(|_| false)
                .progress(Duration::ZERO),
        ),
    ];
    for watcher in &mut watchers {
        let waited = watcher.recv_timeout(Duration::from_millis(5));
        assert!(waited.unwrap().is_none(), "there are no news");
    }
    for version in 1..=3 {
        put(&store, [task(2)]);
        for watcher in &mut watchers {
            let told = watcher.recv().unwrap();
            assert!(
                matches!(told, Event::Commit(at) if at.get() == version),
                "{told:?}"
            );
            assert!(watcher.try_recv().unwrap().is_none(), "it is no news");
        }
    }
}

/// Without any time to wait it is looked at all the same.
#[test]
fn a_wait_of_no_time_gives_what_is_there() {
    let store = store();
    for filter in [Filter::all(), Filter::of::<Task>().key(&1).into()] {
        let mut watcher = store.watch(filter);
        for round in 0..3 {
            assert!(watcher.recv_timeout(Duration::ZERO).unwrap().is_none());
            assert!(
                watcher
                    .recv_commit_timeout(Duration::ZERO)
                    .unwrap()
                    .is_none()
            );
            let version = put(&store, [counted(1, round)]);
            let commit = watcher.recv_commit_timeout(Duration::ZERO).unwrap();
            let commit = commit.expect("it is there");
            assert_eq!((commit.version, commit.changes.len()), (version, 1));
        }
    }
    let mut watcher = store.watch(Filter::all());
    drop(store);
    let closed = watcher.recv_commit_timeout(Duration::MAX).map(drop);
    assert_eq!(closed, Err(WatchError::Closed));
}

#[test]
fn a_commit_is_waited_for_no_longer_than_asked() {
    let store = store();
    let mut watcher = store.watch(Filter::of::<Task>().key(&1));
    let writer = {
        let store = store.clone();
        thread::spawn(move || {
            for id in [2, 1] {
                thread::sleep(Duration::from_millis(20));
                put(&store, [task(id), task(id + 10)]);
            }
        })
    };
    let began = Instant::now();
    let commit = watcher.recv_commit_timeout(Duration::from_secs(60));
    let commit = commit.unwrap().expect("it comes");
    assert!(began.elapsed() >= Duration::from_millis(40));
    assert_eq!((commit.version.get(), commit.changes.len()), (2, 1));
    writer.join().unwrap();
    let began = Instant::now();
    let none = watcher.recv_commit_timeout(Duration::from_millis(30));
    assert!(none.unwrap().is_none() && began.elapsed() >= Duration::from_millis(30));
}

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whoever waits with it now is woken, and not who did before.
#[test]
fn who_waits_with_a_watcher_may_change() {
    for filter in [Filter::all(), Filter::of::<Task>().key(&1).into()] {
        let store = store();
        let mut watcher = store.watch(filter);
        let mut quickest = Duration::MAX;
        for round in 0..20 {
            // A task, on this thread.
            let count = Arc::new(Count(AtomicUsize::new(0)));
            let waker = Waker::from(Arc::clone(&count));
            let polled = watcher.poll_recv(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            put(&store, [counted(1, 2 * round)]);
            let until = Instant::now() + Duration::from_secs(30);
            while count.0.load(Ordering::Relaxed) == 0 {
                assert!(Instant::now() < until, "the task is woken");
                thread::yield_now();
            }
            let polled = watcher.poll_recv(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(Ok(Event::Change(_)))));
            assert!(watcher.recv().is_ok());
            // This thread, and then another one.
            assert!(watcher.recv_timeout(Duration::ZERO).unwrap().is_none());
            let receiver = thread::spawn(move || {
                let received = watcher.recv();
                (watcher, received, Instant::now())
            });
            thread::sleep(Duration::from_millis(5));
            let began = Instant::now();
            put(&store, [counted(1, 2 * round + 1)]);
            let (back, received, ended) = receiver.join().unwrap();
            assert!(matches!(received, Ok(Event::Change(_))));
            quickest = quickest.min(ended.saturating_duration_since(began));
            watcher = back;
            assert!(watcher.recv().is_ok());
        }
        // Else it looks by itself, after 100 ms.
        assert!(quickest < Duration::from_millis(50), "{quickest:?}");
    }
}

/// Which watchers have a mailbox.
#[test]
fn a_mailbox_is_for_who_names_keys_or_values_or_bounds() {
    let store = store();
    let keyed = || Filter::of::<Task>().key(&1);
    let ranged = || Filter::of::<Task>().meets(Task::BY_COUNT.range(1..));
    let exact = || Filter::of::<Task>().meets(Task::BY_COUNT.any_of([1, 2]));
    let filters: [(Filter, bool); 9] = [
        (Filter::all(), false),
        (Filter::all().events_max(1), true),
        (keyed().into(), true),
        (exact().into(), true),
        (keyed().or(exact()), true),
        (ranged().into(), false),
        (keyed().or(ranged()), false),
        (keyed().every_commit(), false),
        (keyed().every_commit().timeout(Duration::MAX), true),
    ];
    for (at, (filter, mailbox)) in filters.into_iter().enumerate() {
        let _watcher = store.watch(filter);
        assert_eq!(store.watchers()[0].mailbox, mailbox, "filter {at}");
    }
}
