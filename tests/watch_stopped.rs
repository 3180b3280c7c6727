//! Watchers beside who stops in the middle of a delivery.
//!
//! Needs the feature `failpoints`: `cargo test --features failpoints --test watch_stopped`.

#![cfg(feature = "failpoints")]

mod common;

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use skep::failpoints::{Step, set_hook};
use skep::{Delivery, Event, Filter, Object, Store, WatchError, Watcher};

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

/// A committer's, and that of a thread that delivers.
static COMMITTER: Stop = Stop::new();
static DELIVERER: Stop = Stop::new();

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
