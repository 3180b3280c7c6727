//! Progress, shown: a thread is stopped at each step of a transaction, of collection and of
//! watching, and others commit and read the same keys all the same; afterwards the sums are exact.
//! Meanwhile memory stays within its bound, which is another inside a pin than outside.
//!
//! Needs the feature `failpoints`: `cargo test --release --features failpoints --test progress`.

#![cfg(feature = "failpoints")]

#[path = "common/accounts.rs"]
mod accounts;
#[path = "common/allocated.rs"]
mod allocated;
#[path = "common/latencies.rs"]
mod latencies;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use skep::failpoints::{STEPS, Step, set_hook};
use skep::{Store, keys};

use accounts::{
    ACCOUNTS, Account, Busy, LOG_COMMITS_MAX, START, new_store, others_go_on, sum, turns,
};
use allocated::bytes;
use latencies::Latencies;

/// How long a thread may take to come to its step, alone.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for the second of two: one stopped inside a pin stops all freeing, and so keeps the
/// other from the steps that follow a freeing.
const PATIENCE_SECOND: Duration = Duration::from_secs(1);
/// Reads of which latencies are told, at least.
const READS_MIN: u64 = 10_000;

/// Steps outside of any pin, with nothing half announced: who stops there keeps what it owns, and
/// the log as far as its bound, but nobody's garbage. Who stops at another keeps all that is
/// replaced, deleted or retired from then on.
const FREEING_GOES_ON: [Step; 10] = [
    Step::Registering,
    Step::Staged,
    Step::Scanned,
    Step::Reclaiming,
    Step::Waking,
    Step::Called,
    Step::Subscribing,
    Step::Subscribed,
    Step::Positioned,
    Step::Unsubscribing,
];

/// Where a thread is to stop, whether it has, and whether it may go on.
#[derive(Default)]
struct Gate {
    wanted: HashSet<Step>,
    stopped: usize,
    open: bool,
}

static CHANGED: Condvar = Condvar::new();

fn gate() -> MutexGuard<'static, Gate> {
    static GATE: OnceLock<Mutex<Gate>> = OnceLock::new();
    let gate = GATE.get_or_init(Default::default);
    gate.lock().expect("no test panics under the gate")
}

/// Opens the gate at the end, however that comes.
struct Opens;

impl Drop for Opens {
    fn drop(&mut self) {
        gate().open = true;
        CHANGED.notify_all();
    }
}

/// The hook: threads named "stopping" stop, once a wanted step.
fn stop_at(step: Step) {
    if std::thread::current().name() != Some("stopping") {
        return;
    }
    let mut gate = gate();
    if gate.wanted.remove(&step) {
        gate.stopped += 1;
        CHANGED.notify_all();
        while !gate.open {
            gate = CHANGED.wait(gate).expect("as above");
        }
    }
}

/// Runs `others` while one thread a step stands still in the middle of its work, then lets them go
/// on.
fn with_stopped<R>(store: &Store, steps: &[Step], others: impl FnOnce() -> R) -> R {
    set_hook(stop_at);
    *gate() = Gate {
        wanted: steps.iter().copied().collect(),
        ..Gate::default()
    };
    std::thread::scope(|scope| {
        let opens = Opens;
        for at in 0..steps.len() {
            let store = store.clone();
            let stopping = std::thread::Builder::new().name("stopping".into());
            let run = move || work_until_stopped(&store, at as u64);
            stopping.spawn_scoped(scope, run).expect("a thread");
        }
        let mut gate = gate();
        for (count, patience) in [(1, PATIENCE), (steps.len(), PATIENCE_SECOND)] {
            let waited = CHANGED.wait_timeout_while(gate, patience, |gate| gate.stopped < count);
            gate = waited.expect("as above").0;
        }
        let stopped = gate.stopped;
        // Whoever still runs is to end, not to stop later.
        gate.wanted.clear();
        drop(gate);
        assert!(stopped > 0, "none of {steps:?} was reached");
        let answer = others();
        drop(opens);
        answer
    })
}

/// Commits and deletes until every wanted step has been met: some steps come only now and then.
fn work_until_stopped(store: &Store, thread: u64) {
    let mut busy = Busy::new(store);
    for turn in 0.. {
        busy.turn(store, thread, turn);
        if gate().wanted.is_empty() {
            return;
        }
    }
}

/// Sets a sign at the end, however that comes.
struct Signs<'a>(&'a AtomicBool);

impl Drop for Signs<'_> {
    fn drop(&mut self) {
        // Relaxed: a sign, and nothing with it.
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads all accounts again and again while `others` run; how long that took.
fn read_beside(store: &Store, others: impl FnOnce()) -> Latencies {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut took = Latencies::default();
            // Relaxed: as above.
            while !over.load(Ordering::Relaxed) || took.count() < READS_MIN {
                let began = Instant::now();
                assert_eq!(sum(store), ACCOUNTS * START);
                took.add(began.elapsed());
            }
            took
        });
        let signs = Signs(&over);
        others();
        drop(signs);
        reading.join().expect("no panic")
    })
}

/// What a thread that stopped may have made since its last collection.
const BUSY_VERSIONS_MAX: u64 = 10_000;
/// Bytes of an account that is there, with its place in two indexes and the hash.
const LIVE_BYTES_MAX: u64 = 512;
/// Bytes that a turn retires.
const TURN_BYTES_MAX: u64 = 8 * 1024;

/// What the store has at most.
struct Bound {
    versions: u64,
    bytes: u64,
}

impl Bound {
    /// While a thread stands at a step and the others have gone on.
    fn of(step: Step) -> Self {
        let live = ACCOUNTS + 2 * turns();
        let turns = match FREEING_GOES_ON.contains(&step) {
            // Of the log, with a slice more: of two commits a turn.
            true => (2 * turns()).min((LOG_COMMITS_MAX + 512) / 2),
            false => 2 * turns(),
        };
        Self {
            // Each turn replaces two versions.
            versions: live + 2 * turns + BUSY_VERSIONS_MAX,
            bytes: (live + BUSY_VERSIONS_MAX) * LIVE_BYTES_MAX + turns * TURN_BYTES_MAX,
        }
    }
}

fn check_books(store: &Store) {
    assert_eq!(sum(store), ACCOUNTS * START);
    let view = store.read();
    let all = view.count(keys::<Account>().all());
    assert_eq!(all, view.count(Account::BY_AMOUNT.all()));
    assert_eq!(all as u64, ACCOUNTS + 2 * turns());
}

#[test]
fn a_thread_stopped_anywhere_stops_nobody() {
    // One test: the hook and the gate are the process's.
    for step in STEPS {
        let before = bytes();
        let store = new_store();
        let (took, versions, bytes) = with_stopped(&store, &[step], || {
            let took = read_beside(&store, || others_go_on(&store));
            store.reclaim();
            (took, store.stats().versions, (bytes() - before) as u64)
        });
        check_books(&store);
        let max = Bound::of(step);
        println!(
            "{step:?}: while it stood there {versions} versions, of {}",
            max.versions
        );
        println!(
            "  {} KiB, of {}; reads: {took}",
            bytes >> 10,
            max.bytes >> 10
        );
        assert!(versions <= max.versions && bytes <= max.bytes, "{step:?}");
        store.reclaim();
        let versions = store.stats().versions;
        assert_eq!(
            versions,
            ACCOUNTS + 2 * turns(),
            "{step:?}: versions left behind"
        );
    }
    for pair in STEPS.windows(2) {
        let store = new_store();
        with_stopped(&store, pair, || others_go_on(&store));
        check_books(&store);
    }
}
