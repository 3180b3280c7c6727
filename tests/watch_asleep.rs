//! Watchers that sleep: nobody who is woken and does nothing keeps the others asleep.

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use common::{put, store, task, wait_for_delivery, wait_until};
use skep::{Delivery, Filter, Store, WatchError, Watcher};

const WATCHERS: usize = 500;

/// Counts the tasks that are woken.
struct Task {
    woken: AtomicBool,
    count: Arc<AtomicUsize>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.woken.swap(true, Ordering::Relaxed) {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Tasks that wait, each for a watcher of everything, and are polled only when asked to be.
struct Asleep {
    tasks: Vec<(Watcher, Waker, Arc<Task>)>,
    count: Arc<AtomicUsize>,
}

impl Asleep {
    fn on(store: &Store) -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let tasks = (0..WATCHERS).map(|_| {
            let task = Arc::new(Task {
                woken: AtomicBool::new(false),
                count: Arc::clone(&count),
            });
            let waker = Waker::from(Arc::clone(&task));
            (store.watch(Filter::all()), waker, task)
        });
        let mut asleep = Self {
            tasks: tasks.collect(),
            count,
        };
        for (watcher, waker, _) in &mut asleep.tasks {
            let polled = watcher.poll_recv(&mut Context::from_waker(waker));
            assert!(polled.is_pending());
        }
        asleep
    }

    fn woken(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Waits for what another thread does.
    fn wait_until_all_are_woken(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        while self.woken() < WATCHERS && Instant::now() < until {
            std::thread::yield_now();
        }
        assert_eq!(self.woken(), WATCHERS);
    }
}

/// However it takes what it was woken for.
#[test]
fn of_those_that_a_commit_wakes_one_that_runs_is_enough() {
    let takes: [fn(&mut Watcher, &Waker) -> bool; 3] = [
        |watcher, waker| {
            let polled = watcher.poll_recv(&mut Context::from_waker(waker));
            polled.is_ready()
        },
        |watcher, _| watcher.try_recv().unwrap().is_some(),
        |watcher, _| watcher.try_recv_commit().unwrap().is_some(),
    ];
    for take in takes {
        let store = store();
        let mut asleep = Asleep::on(&store);
        put(&store, [task(1)]);
        // With a proposer others publish, and wake.
        let first = loop {
            let woken = |(_, _, task): &(_, _, Arc<Task>)| task.woken.load(Ordering::Relaxed);
            if let Some(first) = asleep.tasks.iter().position(woken) {
                break first;
            }
        };
        let (watcher, waker, _) = &mut asleep.tasks[first];
        assert!(take(watcher, waker));
        asleep.wait_until_all_are_woken();
    }
}

#[test]
fn a_watcher_that_comes_by_or_goes_wakes_those_who_are_left() {
    for goes in [false, true] {
        let store = store();
        let asleep = Asleep::on(&store);
        let mut other = store.watch(Filter::all());
        put(&store, [task(1)]);
        match goes {
            true => drop(other),
            false => assert!(other.recv().is_ok()),
        }
        asleep.wait_until_all_are_woken();
    }
}

/// Tasks that have turned to something else are called, and nobody relies on them.
#[test]
fn a_future_that_is_dropped_leaves_the_others_to_nobody_who_is_gone() {
    let store = store();
    let asleep = Asleep::on(&store);
    let (mut other, count) = (store.watch(Filter::all()), Arc::new(AtomicUsize::new(0)));
    let own = Arc::new(Task {
        woken: AtomicBool::new(false),
        count: Arc::clone(&count),
    });
    let waker = Waker::from(own);
    let mut future = Box::pin(other.recv_async());
    assert!(
        future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    put(&store, [task(1)]);
    let until = Instant::now() + Duration::from_secs(60);
    while count.load(Ordering::Relaxed) == 0 && Instant::now() < until {
        std::thread::yield_now();
    }
    // It was called, and others are left to it.
    drop(future);
    asleep.wait_until_all_are_woken();
}

/// Polls a future of the watcher's next event, and drops it.
fn turn_to_something_else(watcher: &mut Watcher, waker: &Waker) {
    let mut future = pin!(watcher.recv_async());
    let polled = future.as_mut().poll(&mut Context::from_waker(waker));
    assert!(polled.is_pending());
}

/// However many they are, and whether their watchers are still there.
#[test]
fn futures_that_were_dropped_before_keep_nobody_asleep() {
    for (gone, watchers_go) in [
        (7, false),
        (8, false),
        (9, true),
        (100, true),
        (3_000, false),
    ] {
        // Without a proposer: who waits for that passes on.
        let store = Store::builder().table::<common::Task>().build();
        let (mut live, count) = (store.watch(Filter::all()), Arc::new(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::new(Task {
            woken: AtomicBool::new(false),
            count: Arc::clone(&count),
        }));
        let polled = live.poll_recv(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        let mut others: Vec<_> = (0..gone).map(|_| store.watch(Filter::all())).collect();
        for other in &mut others {
            turn_to_something_else(other, Waker::noop());
        }
        if watchers_go {
            others.drain(..gone.min(60));
        }
        put(&store, [task(1)]);
        let until = Instant::now() + Duration::from_secs(10);
        while count.load(Ordering::Relaxed) == 0 {
            assert!(Instant::now() < until, "asleep behind {gone}");
            std::thread::yield_now();
        }
        drop(others);
    }
}

/// Each finds itself where the last one was, and does not queue again; or it is let go.
#[test]
fn futures_that_are_dropped_leave_nothing_without_a_commit() {
    let store = store();
    let mut watcher = store.watch(Filter::all());
    let held = Arc::new(AtomicUsize::new(0));
    let wakers: Vec<_> = (0..1_000)
        .map(|_| Task {
            woken: AtomicBool::new(false),
            count: Arc::clone(&held),
        })
        .map(|task| Waker::from(Arc::new(task)))
        .collect();
    for waker in &wakers {
        turn_to_something_else(&mut watcher, waker);
        turn_to_something_else(&mut watcher, waker);
        turn_to_something_else(&mut store.watch(Filter::all()), waker);
    }
    drop(wakers);
    assert!(Arc::strong_count(&held) < 200, "they are on the list");
}

#[test]
fn where_threads_deliver_nobody_need_run() {
    let builder = common::builder().table::<common::Task>();
    let store = builder.watch_delivery(Delivery::Threads).build();
    let asleep = Asleep::on(&store);
    put(&store, [task(1)]);
    asleep.wait_until_all_are_woken();
}

#[test]
fn closing_wakes_everybody() {
    let store = store();
    let mut asleep = Asleep::on(&store);
    drop(store);
    asleep.wait_until_all_are_woken();
    for (watcher, waker, _) in &mut asleep.tasks {
        let polled = watcher.poll_recv(&mut Context::from_waker(waker));
        assert!(matches!(polled, Poll::Ready(Err(WatchError::Closed))));
    }
}

/// How many are being polled, one within the other, and were at most.
type Depths = Arc<(AtomicUsize, AtomicUsize)>;

/// A task that is polled where it is woken, on whatever stack; of some watchers, as a select is.
struct InPlace {
    /// None at the end: they keep its waker, and that the task.
    watchers: Mutex<Vec<Watcher>>,
    /// Of each watcher.
    seen: Vec<AtomicUsize>,
    depths: Depths,
}

impl Wake for InPlace {
    fn wake(self: Arc<Self>) {
        // Else it is being polled, and looks again.
        let Ok(mut watchers) = self.watchers.try_lock() else {
            return;
        };
        let (depth, depth_max) = &*self.depths;
        depth_max.fetch_max(depth.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&self));
        for (watcher, seen) in watchers.iter_mut().zip(&self.seen) {
            while let Poll::Ready(received) = watcher.poll_recv(&mut Context::from_waker(&waker)) {
                received.expect("it is open, and no bound is near");
                seen.fetch_add(1, Ordering::Relaxed);
            }
        }
        depth.fetch_sub(1, Ordering::Relaxed);
    }
}

impl InPlace {
    /// So many, each polled once.
    fn tasks(count: usize, watchers: impl Fn() -> Vec<Watcher>, depths: &Depths) -> Vec<Arc<Self>> {
        let tasks = (0..count).map(|_| {
            let watchers = watchers();
            let task = Arc::new(Self {
                seen: watchers.iter().map(|_| AtomicUsize::new(0)).collect(),
                watchers: Mutex::new(watchers),
                depths: Arc::clone(depths),
            });
            Arc::clone(&task).wake();
            task
        });
        tasks.collect()
    }

    /// That each has seen so many events of each of its watchers.
    fn assert_seen(tasks: &[Arc<Self>], events: usize) {
        for seen in tasks.iter().flat_map(|task| &task.seen) {
            assert_eq!(seen.load(Ordering::Relaxed), events, "all are woken");
        }
    }

    /// They watch no more; gives the watchers, and how deep they were at most.
    fn end(tasks: &[Arc<Self>], depths: &Depths) -> (Vec<Watcher>, usize) {
        let watchers = tasks.iter().flat_map(|task| {
            let mut watchers = task.watchers.lock().expect("nothing panics");
            std::mem::take(&mut *watchers)
        });
        (watchers.collect(), depths.1.load(Ordering::Relaxed))
    }
}

/// However many they are: each wakes others as it is polled.
#[test]
fn tasks_that_are_polled_where_they_are_woken_take_a_bounded_stack() {
    in_place(Filter::all(), 1);
}

/// Those that are delivered to deliver, and wake whom they have delivered to.
#[test]
fn tasks_that_deliver_where_they_are_woken_take_a_bounded_stack() {
    for shards in [1, 3] {
        in_place(Filter::of::<common::Task>().events_max(64), shards);
    }
}

fn in_place(filter: Filter, shards: usize) {
    // With a proposer others commit, and two may poll one at once.
    let builder = Store::builder().watch_shards(shards);
    let store = builder.table::<common::Task>().build();
    let depths = Depths::default();
    let tasks = InPlace::tasks(2_000, || vec![store.watch(filter.clone())], &depths);
    for id in 0..3 {
        put(&store, [task(id)]);
        InPlace::assert_seen(&tasks, 2 * (id as usize + 1));
    }
    let (watchers, depth_max) = InPlace::end(&tasks, &depths);
    assert!(depth_max <= 16 * shards, "{depth_max}");
    let mut watchers = watchers.iter();
    assert!(watchers.all(|watcher| watcher.position() == store.version()));
}

/// Not deeper for each other thing that a task waits for, of the same store, either.
#[test]
fn tasks_of_two_watchers_that_deliver_where_they_are_woken_take_a_bounded_stack() {
    // With a proposer others commit, and two may poll one at once.
    let builder = Store::builder().table::<common::Task>();
    let store = builder.watch_shards(2).build();
    let depths = Depths::default();
    // The one watcher is of the one shard, and the other of the other.
    let watch = || store.watch(Filter::of::<common::Task>().events_max(64));
    let tasks = InPlace::tasks(1_000, || vec![watch(), watch()], &depths);
    for id in 0..3 {
        put(&store, [task(id)]);
    }
    InPlace::assert_seen(&tasks, 6);
    let (_, depth_max) = InPlace::end(&tasks, &depths);
    assert!(depth_max <= 32, "{depth_max}");
}

/// Nor of two stores, of both of which they are due to be woken.
#[test]
fn tasks_of_two_stores_that_wake_one_another_take_a_bounded_stack() {
    let stores = [(); 2].map(|()| Store::builder().table::<common::Task>().build());
    let depths = Depths::default();
    let watch_both = || {
        stores
            .iter()
            .map(|store| store.watch(Filter::all()))
            .collect()
    };
    let tasks = InPlace::tasks(2_000, watch_both, &depths);
    // Those that commits call first come by much later: the others are left to them.
    let mut first = Asleep::on(&stores[0]);
    let second = Asleep::on(&stores[1]);
    for store in &stores {
        put(store, [task(1)]);
    }
    let (watcher, waker, _) = &mut first.tasks[0];
    let polled = watcher.poll_recv(&mut Context::from_waker(waker));
    assert!(polled.is_ready());
    InPlace::assert_seen(&tasks, 2);
    let (_, depth_max) = InPlace::end(&tasks, &depths);
    assert!(depth_max <= 32, "{depth_max}");
    drop(second);
}

/// Who reads the log is woken by each commit, since it has to move on there; who is delivered to
/// has nothing to do with other tables, though it is about all of its own.
#[test]
fn a_watcher_of_a_table_with_a_bound_sleeps_through_commits_of_others() {
    let store = store();
    let tasks = || Filter::of::<common::Task>();
    for (filter, is_woken) in [
        (Filter::from(tasks()), true),
        (tasks().events_max(100), false),
    ] {
        let count = Arc::new(AtomicUsize::new(0));
        let waker = Waker::from(Arc::new(Task {
            woken: AtomicBool::new(false),
            count: Arc::clone(&count),
        }));
        let mut watcher = store.watch(filter);
        let mut poll = || watcher.poll_recv(&mut Context::from_waker(&waker));
        assert!(poll().is_pending());
        put(&store, [common::account(1, 1)]);
        wait_for_delivery(&store);
        let woken = || count.load(Ordering::Relaxed) > 0;
        wait_until(|| woken() == is_woken);
        assert_eq!(woken(), is_woken);
        assert!(poll().is_pending());
        put(&store, [task(1)]);
        wait_until(woken);
        assert!(woken());
        assert!(poll().is_ready());
    }
}
