//! What a committer leaves to the watchers that it has called: as much as they will do, and no less
//! than it may.

mod common;

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use common::{Task, builder, counted, events, put, store, task, wait_for_delivery};
use skep::{Delivery, Filter, Object, Store, Watcher};

/// More than a committer leaves a commit's rest to.
const MANY: usize = 300;
/// More than a committer asks before it leaves the rest.
const VERY_MANY: usize = 5_000;

#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Calls {
    fn assert_made(&self) {
        let until = Instant::now() + Duration::from_secs(30);
        while self.0.load(Ordering::Relaxed) == 0 {
            assert!(Instant::now() < until, "the task sleeps");
            std::thread::yield_now();
        }
    }
}

/// Has a task wait for a watcher, that counts how often it is woken.
fn wait_for(watcher: &mut Watcher) -> Arc<Calls> {
    let calls = Arc::<Calls>::default();
    let waker = Waker::from(Arc::clone(&calls));
    let polled = watcher.poll_recv(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    calls
}

fn of_one() -> Filter {
    Filter::of::<Task>().key(&1).into()
}

/// A task that is dropped where it is woken, as the losing branches of a select are.
#[derive(Default)]
struct DroppedWhenWoken(Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>);

impl Wake for DroppedWhenWoken {
    fn wake(self: Arc<Self>) {
        let own = self.0.lock().expect("nothing panics").take();
        drop(own);
    }
}

impl DroppedWhenWoken {
    fn waiting_for(mut watcher: Watcher) -> Arc<Self> {
        let task = Arc::<Self>::default();
        let mut future: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let _ = watcher.recv_async().await;
        });
        let waker = Waker::from(Arc::clone(&task));
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        *task.0.lock().expect("nothing panics") = Some(future);
        task
    }
}

#[test]
fn those_that_are_dropped_where_they_are_woken_keep_nobody_asleep() {
    for dropped in [256, MANY, 3 * MANY] {
        let store = store();
        let tasks: Vec<_> = (0..dropped)
            .map(|_| DroppedWhenWoken::waiting_for(store.watch(of_one())))
            .collect();
        let mut live = store.watch(of_one());
        let calls = wait_for(&mut live);
        put(&store, [task(1)]);
        calls.assert_made();
        wait_for_delivery(&store);
        assert_eq!(events(&mut live).len(), 2);
        assert_eq!(store.watchers().len(), 1);
        drop(tasks);
    }
}

/// Of those called some are dropped there: the rest is the others', and they do it.
#[test]
fn to_those_that_are_not_dropped_the_rest_is_left() {
    let store = store();
    let mut kept = store.watch(of_one());
    let kept_calls = wait_for(&mut kept);
    let tasks: Vec<_> = (0..MANY)
        .map(|_| DroppedWhenWoken::waiting_for(store.watch(of_one())))
        .collect();
    let mut live = store.watch(of_one());
    let calls = wait_for(&mut live);
    put(&store, [task(1)]);
    kept_calls.assert_made();
    assert_eq!(
        calls.0.load(Ordering::Relaxed),
        0,
        "it is left to the other"
    );
    assert_eq!(events(&mut kept).len(), 2);
    calls.assert_made();
    assert_eq!(events(&mut live).len(), 2);
    drop(tasks);
}

/// Who has waited as long as it would, and does not now.
#[test]
fn those_whose_time_is_over_are_left_nothing() {
    let store = store();
    let mut over: Vec<_> = (0..MANY).map(|_| store.watch(of_one())).collect();
    for watcher in &mut over {
        let waited = watcher.recv_timeout(Duration::from_millis(1));
        assert!(waited.expect("it is open").is_none());
    }
    let mut live = store.watch(of_one());
    let calls = wait_for(&mut live);
    put(&store, [task(1)]);
    calls.assert_made();
    assert_eq!(events(&mut live).len(), 2);
    drop(over);
}

/// Whose conditions no index answers, and whatever they are told.
#[test]
fn those_that_are_asked_in_vain_count_as_well() {
    let store = store();
    let mut live = store.watch(Filter::of::<Task>().events_max(10));
    let filter = || {
        Filter::of::<Task>()
            .meets(Task::BY_NAME.prefix("nobody's"))
            .events_max(10)
    };
    let others: Vec<_> = (0..VERY_MANY).map(|_| store.watch(filter())).collect();
    let mut last = store.watch(Filter::of::<Task>().events_max(10));
    for count in 0..2 {
        let calls = [&mut live, &mut last].map(wait_for);
        put(&store, [counted(1, count)]);
        calls[0].assert_made();
        assert_eq!(store.watch_queues()[0].behind, 1, "the rest is left to it");
        assert_eq!(events(&mut live).len(), 2);
        assert_eq!(store.watch_queues()[0].behind, 0, "it has gone on");
        calls[1].assert_made();
        assert_eq!(events(&mut last).len(), 2);
    }
    drop(others);
}

/// Where nobody is called the committer asks all: it has nobody to leave them to.
#[test]
fn without_anybody_to_go_on_all_are_asked() {
    let store = store();
    let filter = || {
        Filter::of::<Task>()
            .meets(Task::BY_NAME.prefix("nobody's"))
            .events_max(10)
    };
    let others: Vec<_> = (0..VERY_MANY).map(|_| store.watch(filter())).collect();
    let mut last = store.watch(Filter::of::<Task>().events_max(10));
    let calls = wait_for(&mut last);
    put(&store, [task(1)]);
    calls.assert_made();
    assert_eq!(events(&mut last).len(), 2);
    drop(others);
}

/// So it costs it nothing, however many they are.
#[test]
fn where_receivers_deliver_a_committer_delivers_to_nobody() {
    let store = builder()
        .table::<Task>()
        .watch_delivery(Delivery::Receivers)
        .build();
    let mut watchers: Vec<_> = (0..MANY).map(|_| store.watch(of_one())).collect();
    put(&store, [task(1)]);
    assert!(store.watchers().iter().all(|it| it.waiting == 0));
    assert_eq!(store.watch_queues()[0].behind, 1);
    assert_eq!(events(&mut watchers[0]).len(), 2);
    let waiting = store.watchers().iter().filter(|it| it.waiting == 1).count();
    assert_eq!(waiting, MANY - 1, "who receives has delivered to all");
}

/// Does something where it is woken first.
struct ActsWhenWoken(Mutex<Option<Act>>);

type Act = Box<dyn FnOnce() + Send>;

impl Wake for ActsWhenWoken {
    fn wake(self: Arc<Self>) {
        let act = self.0.lock().expect("nothing panics").take();
        if let Some(act) = act {
            act();
        }
    }
}

fn commit_of(store: &Store, key: u64) -> Act {
    let store = store.clone();
    Box::new(move || {
        put(&store, [task(key)]);
    })
}

/// Watchers of the first keys: each commits for the next one where it is woken, and the last acts.
fn wait_within_one_another(store: &Store, depth: u64, last: Act) -> Vec<Watcher> {
    let of = |key: u64| store.watch(Filter::of::<Task>().key(&key));
    let mut watchers: Vec<_> = (1..=depth).map(of).collect();
    let mut last = Some(last);
    for (key, watcher) in (2..).zip(&mut watchers) {
        let act = last.take_if(|_| key > depth);
        let act = act.unwrap_or_else(|| commit_of(store, key));
        let waker = Waker::from(Arc::new(ActsWhenWoken(Mutex::new(Some(act)))));
        let polled = watcher.poll_recv(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
    }
    watchers
}

/// A commit in a waker, so deep that it is called for further up: nobody was called yet to whom
/// the rest could be left.
#[test]
fn what_is_committed_deep_in_wakers_is_delivered_to_all() {
    for depth in [1, 7, 8, 9, 12] {
        // With a proposer others commit.
        let store = Store::builder().table::<Task>().build();
        let last = commit_of(&store, depth + 1);
        let committing = wait_within_one_another(&store, depth, last);
        let of_last = || store.watch(Filter::of::<Task>().key(&(depth + 1)));
        let mut many: Vec<_> = (0..3 * MANY).map(|_| of_last()).collect();
        let calls: Vec<_> = many.iter_mut().map(wait_for).collect();
        put(&store, [task(1)]);
        assert_eq!(store.version().get(), depth + 1, "each in the one before");
        calls[0].assert_made();
        // Who was called goes on.
        for (watcher, calls) in many.iter_mut().zip(&calls) {
            calls.assert_made();
            assert_eq!(events(watcher).len(), 2);
        }
        drop(committing);
    }
}

/// How often values were compared.
static COMPARED: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Counting(u64);

impl Ord for Counting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        COMPARED.fetch_add(1, Ordering::Relaxed);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Counting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Debug, Object)]
struct Compared {
    #[object(key)]
    id: u64,
    #[object(index)]
    value: Counting,
}

/// How many comparisons a commit deep in wakers costs that so many wait for.
fn compared_for(watchers: usize) -> usize {
    let store = Store::builder().table::<Task>().table::<Compared>().build();
    let deep = store.clone();
    let last = Box::new(move || {
        let value = Counting(1);
        put(&deep, [Compared { id: 1, value }]);
    });
    let committing = wait_within_one_another(&store, 9, last);
    // More than one condition: each is asked before it is delivered to.
    let of_one = Filter::of::<Compared>().key(&1);
    let filter = of_one.value(Compared::BY_VALUE, Counting(1));
    let filter = Filter::from(filter);
    let mut many: Vec<_> = (0..watchers).map(|_| store.watch(filter.clone())).collect();
    let calls: Vec<_> = many.iter_mut().map(wait_for).collect();
    let before = COMPARED.load(Ordering::Relaxed);
    put(&store, [task(1)]);
    let compared = COMPARED.load(Ordering::Relaxed) - before;
    calls.iter().for_each(|calls| calls.assert_made());
    drop(committing);
    compared
}

/// As often as there are more watchers, and no more often.
#[test]
fn what_is_committed_deep_in_wakers_goes_through_its_watchers_once_a_level() {
    let (some, many) = (compared_for(MANY), compared_for(8 * MANY));
    assert!(some >= MANY, "they are asked");
    assert!(many <= 8 * some, "{some}, {many}");
}
