//! Watchers beside who stops in the middle of a delivery.
//!
//! Needs the feature `failpoints`: `cargo test --features failpoints --test watch_stopped`.

#![cfg(feature = "failpoints")]

mod common;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use skep::failpoints::{Step, set_hook};
use skep::{
    AnyChange, Delivery, Event, Filter, Object, Overflow, Store, Version, WatchError, Watcher,
};

#[derive(Clone, Debug, Object)]
struct Task {
    #[object(key)]
    id: u64,
    count: u64,
}

/// How long a task may sleep that is to be woken, and a thread stand.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tells when it is woken.
struct Wakes(Mutex<Sender<()>>);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        let told = self.0.lock().expect("as below").send(());
        // Nobody may listen any more.
        let _ = told;
    }
}

/// How far a thread is that stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Far {
    Runs,
    Stands,
    GoesOn,
}

/// Where a thread stops.
struct Stop {
    far: Mutex<Far>,
    changed: Condvar,
}

/// A committer's, that of a thread that delivers, and those of whoever has such names.
static COMMITTER: Stop = Stop::new();
static DELIVERER: Stop = Stop::new();
static STRAGGLER: Stop = Stop::new();
static TRIMMER: Stop = Stop::new();
static LOSER: Stop = Stop::new();
static WATCHER: Stop = Stop::new();
static CARRIER: Stop = Stop::new();

impl Stop {
    const fn new() -> Self {
        Self {
            far: Mutex::new(Far::Runs),
            changed: Condvar::new(),
        }
    }

    fn set(&self, far: Far) {
        *self.far.lock().expect("no panic under it") = far;
        self.changed.notify_all();
    }

    fn wait_while(&self, far: Far) {
        let now = self.far.lock().expect("as above");
        let waited = self
            .changed
            .wait_timeout_while(now, PATIENCE, |now| *now == far);
        let (now, waited) = waited.expect("as above");
        drop(now);
        assert!(!waited.timed_out(), "nobody came by, or went on");
    }

    /// The thread comes by: stops, the first time.
    fn pass(&self) {
        if *self.far.lock().expect("as above") == Far::Runs {
            self.set(Far::Stands);
            self.wait_while(Far::Stands);
        }
    }
}

fn stop(step: Step) {
    match (step, std::thread::current().name()) {
        (Step::Delivering, Some("stopping")) => COMMITTER.pass(),
        (Step::Called, Some("skep-watch-0")) => DELIVERER.pass(),
        (Step::Delivering, Some("straggling")) => STRAGGLER.pass(),
        (Step::TrimClaimed, Some("trimming")) => TRIMMER.pass(),
        (Step::Losing, Some("losing")) => LOSER.pass(),
        (Step::Called, Some("watching")) => WATCHER.pass(),
        (Step::Delivering, Some("carrying")) => CARRIER.pass(),
        _ => {}
    }
}

fn put(store: &Store, id: u64, count: u64) {
    let put = store.update(|tx| tx.upsert(Task { id, count }));
    put.expect("nobody is in the way");
}

/// The counts that are there, up to an error.
fn all(watcher: &mut Watcher) -> Vec<Result<u64, WatchError>> {
    let mut all = Vec::new();
    loop {
        match watcher.try_recv() {
            Ok(None) => return all,
            Ok(Some(Event::Change(change))) => {
                all.push(Ok(change.new_object::<Task>().expect("put").count));
            }
            Ok(Some(_)) => {}
            Err(error) => {
                all.push(Err(error));
                return all;
            }
        }
    }
}

/// What came a moment ago has not waited for long, though who delivered it has not said so yet.
#[test]
fn what_has_just_come_has_not_waited() {
    set_hook(stop);
    // With a proposer it is not the committer who delivers, and stops.
    let store = Store::builder().table::<Task>().build();
    let timeout = Duration::from_secs(5);
    let mut watcher = store.watch(Filter::of::<Task>().key(&1).timeout(timeout));
    // The store is older than that, and nothing has ever waited.
    std::thread::sleep(timeout + Duration::from_millis(100));
    std::thread::scope(|scope| {
        let stopping = std::thread::Builder::new().name("stopping".into());
        let run = || put(&store, 1, 1);
        stopping.spawn_scoped(scope, run).expect("a thread");
        COMMITTER.wait_while(Far::Runs);
        put(&store, 1, 2);
        put(&store, 1, 3);
        COMMITTER.set(Far::GoesOn);
    });
    assert_eq!(all(&mut watcher), [Ok(1), Ok(2), Ok(3)]);
}

/// A task that sleeps while the log is trimmed that it was to be delivered from is woken, and told.
#[test]
fn a_task_is_woken_for_what_is_lost() {
    set_hook(stop);
    let store = common::builder()
        .table::<Task>()
        .watch_delivery(Delivery::Threads)
        .watch_shards(1)
        .watch_commits_max(8)
        .build();
    let mut watcher = store.watch(Filter::of::<Task>().key(&1));
    let other = store.watch(Filter::of::<Task>().key(&2));
    let (woken, wakes) = channel();
    let waker = Waker::from(Arc::new(Wakes(Mutex::new(woken))));
    let mut context = Context::from_waker(&waker);
    assert!(watcher.poll_recv(&mut context).is_pending());
    // It stops when it has delivered this to the other one.
    put(&store, 2, 1);
    DELIVERER.wait_while(Far::Runs);
    put(&store, 1, 1);
    (0..1_000).for_each(|count| put(&store, 2, count));
    store.reclaim();
    DELIVERER.set(Far::GoesOn);
    wakes.recv_timeout(PATIENCE).expect("it sleeps on");
    let Poll::Ready(Err(WatchError::Lagged { .. })) = watcher.poll_recv(&mut context) else {
        panic!("it is not told");
    };
    drop(other);
}

/// Commits that the log keeps for those who deliver.
const KEPT: u64 = 100;

/// Runs something on a thread with a name.
fn named<'s, R: Send + 's>(
    scope: &'s Scope<'s, '_>,
    name: &str,
    run: impl FnOnce() -> R + Send + 's,
) -> ScopedJoinHandle<'s, R> {
    let thread = std::thread::Builder::new().name(name.into());
    thread.spawn_scoped(scope, run).expect("a thread")
}

/// A store whose watchers deliver for themselves.
fn store_of_receivers() -> Store {
    let builder = common::builder().table::<Task>().watch_commits_max(KEPT);
    let builder = builder.watch_delivery(Delivery::Receivers).watch_shards(1);
    builder.build()
}

fn of(store: &Store, id: u64) -> Watcher {
    store.watch(Filter::of::<Task>().key(&id))
}

/// Has the log let go of all that there is, for those who deliver do not come by.
fn let_go(store: &Store) -> Version {
    let version = store.version();
    (0..KEPT).for_each(|count| put(store, 500, count));
    store.reclaim();
    version
}

/// There is nothing for it; it delivers to all others.
fn delivers(watcher: &mut Watcher) {
    let received = watcher.try_recv();
    assert!(matches!(received, Ok(None)), "{received:?}");
}

fn lags(watcher: &mut Watcher) -> Version {
    match watcher.try_recv() {
        Err(WatchError::Lagged { resume_from, .. }) => resume_from,
        other => panic!("it lags: {other:?}"),
    }
}

/// Of one who finds that something is lost, and stops, others do not wait: and of what they deliver
/// then nothing is lost.
fn what_others_deliver_is_not_lost() {
    let store = store_of_receivers();
    let [mut watcher, mut losing, mut other] = [1, 2, 3].map(|id| of(&store, id));
    put(&store, 500, 0);
    let lost = let_go(&store);
    std::thread::scope(|scope| {
        let loser = named(scope, "losing", || lags(&mut losing));
        LOSER.wait_while(Far::Runs);
        assert_eq!(lags(&mut other), lost);
        put(&store, 1, 7);
        delivers(&mut other);
        let_go(&store);
        delivers(&mut other);
        store.reclaim();
        LOSER.set(Far::GoesOn);
        assert_eq!(loser.join().expect("no panic"), lost);
    });
    assert_eq!(store.watch_queues()[0].lost, lost);
    assert_eq!(lags(&mut watcher), lost);
    assert_eq!(all(&mut watcher), [Ok(7)]);
}

/// Who trims the log and who finds something lost stop there, each on its thread; who was about to
/// deliver before the log was trimmed has gone on behind it.
fn two_stop<'s>(
    scope: &'s Scope<'s, '_>,
    store: &'s Store,
    straggling: &'s mut Watcher,
    losing: &'s mut Watcher,
) -> [ScopedJoinHandle<'s, Version>; 2] {
    let straggler = named(scope, "straggling", || delivers(straggling));
    STRAGGLER.wait_while(Far::Runs);
    let_go(store);
    let trimmer = named(scope, "trimming", || let_go(store));
    TRIMMER.wait_while(Far::Runs);
    let loser = named(scope, "losing", || lags(losing));
    LOSER.wait_while(Far::Runs);
    STRAGGLER.set(Far::GoesOn);
    straggler.join().expect("no panic");
    [trimmer, loser]
}

/// The same beside one that was about to deliver before the log was trimmed, and goes on behind
/// it: where another claims to trim on, some of what is delivered counts as lost. What a mailbox
/// made one of before and after that goes with it.
fn what_is_made_one_of_both_sides_of_a_loss_goes_with_it() {
    let store = store_of_receivers();
    let of_two = Filter::of::<Task>().key(&1).key(&2).events_max(4);
    let mut watcher = store.watch(of_two.overflow(Overflow::Coalesce));
    let [mut straggling, mut losing, mut other] = [3, 4, 5].map(|id| of(&store, id));
    put(&store, 1, 0);
    std::thread::scope(|scope| {
        let [trimmer, loser] = two_stop(scope, &store, &mut straggling, &mut losing);
        delivers(&mut other);
        put(&store, 2, 0);
        (1..4).for_each(|count| put(&store, 1, count));
        delivers(&mut other);
        LOSER.set(Far::GoesOn);
        assert!(loser.join().expect("no panic") > Version::new(1));
        TRIMMER.set(Far::GoesOn);
        trimmer.join().expect("no panic");
    });
    let newest = store.version();
    assert!(store.watch_queues()[0].lost < newest);
    let from = lags(&mut watcher);
    put(&store, 1, 4);
    let changes: Vec<AnyChange> = std::iter::from_fn(|| watcher.try_recv().expect("it goes on"))
        .filter_map(|event| event.change().cloned())
        .collect();
    assert!(!changes.is_empty(), "the last one is there");
    assert!(
        changes.iter().all(|change| change.since() > from),
        "{from:?}: {changes:?}"
    );
}

/// The same where that one, as the watcher looks, has come into the mailbox with a part of a
/// commit: the rest of that comes later, and is no part of what comes then.
fn what_goes_with_a_loss_goes_whole() {
    let store = store_of_receivers();
    let of_two = Filter::of::<Task>().key(&1).key(&2).events_max(4);
    let mut watcher = store.watch(of_two.overflow(Overflow::Coalesce));
    let [mut straggling, mut losing, mut carrying, mut other] =
        [3, 4, 5, 6].map(|id| of(&store, id));
    put(&store, 1, 0);
    let (from, mut watcher) = std::thread::scope(|scope| {
        let [trimmer, loser] = two_stop(scope, &store, &mut straggling, &mut losing);
        (1..4).for_each(|count| put(&store, 1, count));
        delivers(&mut other);
        // It is about to look, and its mailbox is full.
        put(&store, 500, 0);
        let watching = named(scope, "watching", || (lags(&mut watcher), watcher));
        WATCHER.wait_while(Far::Runs);
        let both = store.update(|tx| {
            tx.upsert(Task { id: 1, count: 4 })?;
            tx.upsert(Task { id: 2, count: 4 })
        });
        both.expect("nobody is in the way");
        let carrier = named(scope, "carrying", || lags(&mut carrying));
        CARRIER.wait_while(Far::Runs);
        LOSER.set(Far::GoesOn);
        loser.join().expect("no panic");
        WATCHER.set(Far::GoesOn);
        let watching = watching.join().expect("no panic");
        CARRIER.set(Far::GoesOn);
        carrier.join().expect("no panic");
        TRIMMER.set(Far::GoesOn);
        trimmer.join().expect("no panic");
        watching
    });
    // Where it goes on the second is there, and is then deleted.
    let deleted = store.update(|tx| tx.delete::<Task>(&2));
    deleted.expect("nobody is in the way");
    (5..9).for_each(|count| put(&store, 1, count));
    delivers(&mut other);
    let changes: Vec<AnyChange> = std::iter::from_fn(|| watcher.try_recv().expect("it goes on"))
        .filter_map(|event| event.change().cloned())
        .collect();
    let of_second = changes
        .iter()
        .filter(|it| it.old_object::<Task>().is_some_and(|it| it.id == 2));
    assert_eq!(of_second.count(), 1, "{from:?}: {changes:?}");
    assert!(
        changes.iter().all(|it| it.since() > from),
        "{from:?}: {changes:?}"
    );
}

/// One test: of each name one thread stops at a time.
#[test]
fn beside_who_stops_while_something_is_lost_all_are_told_exactly() {
    set_hook(stop);
    what_others_deliver_is_not_lost();
    LOSER.set(Far::Runs);
    what_is_made_one_of_both_sides_of_a_loss_goes_with_it();
    for stop in [&LOSER, &STRAGGLER, &TRIMMER] {
        stop.set(Far::Runs);
    }
    what_goes_with_a_loss_goes_whole();
}
