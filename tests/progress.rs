//! Progress, shown: a thread is stopped at each step of its commit and collection, and others
//! commit and read the same keys all the same; afterwards the sums are exact.
//!
//! Needs the feature `failpoints`: `cargo test --release --features failpoints --test progress`.

#![cfg(feature = "failpoints")]

#[path = "common/accounts.rs"]
mod accounts;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use skep::failpoints::{STEPS, Step, set_hook};
use skep::{Store, keys};

use accounts::{ACCOUNTS, Account, Busy, START, new_store, others_go_on, sum, turns};

/// How long a thread may take to come to its step, alone.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for the second of two: one stopped inside a pin stops all freeing, and so keeps the
/// other from the steps that follow a freeing.
const PATIENCE_SECOND: Duration = Duration::from_secs(1);

/// Where a thread is to stop, whether it has, and whether it may go on.
#[derive(Default)]
struct Gate {
    wanted: HashSet<Step>,
    stopped: usize,
    open: bool,
}

fn gate() -> &'static (Mutex<Gate>, Condvar) {
    static GATE: OnceLock<(Mutex<Gate>, Condvar)> = OnceLock::new();
    GATE.get_or_init(Default::default)
}

/// The hook: threads named "stopping" stop, once a wanted step.
fn stop_at(step: Step) {
    if std::thread::current().name() != Some("stopping") {
        return;
    }
    let (state, changed) = gate();
    let mut gate = state.lock().expect("no test panics under the gate");
    if gate.wanted.remove(&step) {
        gate.stopped += 1;
        changed.notify_all();
        while !gate.open {
            gate = changed.wait(gate).expect("as above");
        }
    }
}

/// Runs `others` while one thread a step stands still in the middle of `work`, then lets them go
/// on.
fn with_stopped<R>(store: &Store, steps: &[Step], others: impl FnOnce() -> R) -> R {
    set_hook(stop_at);
    let (state, changed) = gate();
    *state.lock().expect("as above") = Gate {
        wanted: steps.iter().copied().collect(),
        ..Gate::default()
    };
    std::thread::scope(|scope| {
        for at in 0..steps.len() {
            let store = store.clone();
            let stopping = std::thread::Builder::new().name("stopping".into());
            let run = move || work_until_stopped(&store, at as u64);
            stopping.spawn_scoped(scope, run).expect("a thread");
        }
        let mut gate = state.lock().expect("as above");
        for (count, patience) in [(1, PATIENCE), (steps.len(), PATIENCE_SECOND)] {
            let waited = changed.wait_timeout_while(gate, patience, |gate| gate.stopped < count);
            gate = waited.expect("as above").0;
        }
        let stopped = gate.stopped;
        // Whoever still runs is to end, not to stop later.
        gate.wanted.clear();
        drop(gate);
        let answer = others();
        state.lock().expect("as above").open = true;
        changed.notify_all();
        assert!(stopped > 0, "none of {steps:?} was reached");
        answer
    })
}

/// Commits and deletes until every wanted step has been met: some steps come only now and then.
fn work_until_stopped(store: &Store, thread: u64) {
    let (state, _) = gate();
    let mut busy = Busy::new(store);
    for turn in 0.. {
        busy.turn(store, thread, turn);
        if state.lock().expect("as above").wanted.is_empty() {
            return;
        }
    }
}

/// Versions that a thread may have made since its last collection, before it stopped.
const BUSY_VERSIONS_MAX: u64 = 20_000;

/// Reads all accounts again and again while `others` run; how long that took, in words.
fn read_beside(store: &Store, others: impl FnOnce()) -> String {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut took = Vec::new();
            // Relaxed: a sign, and nothing with it.
            while !over.load(Ordering::Relaxed) || took.is_empty() {
                let began = Instant::now();
                assert_eq!(sum(store), ACCOUNTS * START);
                took.push(began.elapsed());
                std::thread::yield_now();
            }
            took
        });
        others();
        // Relaxed: as above.
        over.store(true, Ordering::Relaxed);
        let mut took = reading.join().expect("no panic");
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        let shares = [
            ("p50", 0.5),
            ("p99", 0.99),
            ("p99.9", 0.999),
            ("at most", 1.0),
        ];
        let shares = shares.map(|(name, share)| format!("{name} {:?}", at(share)));
        let histogram = histogram(&took);
        format!("{} ({} reads)\n{histogram}", shares.join(", "), took.len())
    })
}

/// How many took less than each power of two, of those not counted before. `took` is sorted.
fn histogram(took: &[Duration]) -> String {
    let power = |took: &Duration| took.as_nanos().max(1).ilog2() + 1;
    let run = |run: &[Duration]| {
        let below = Duration::from_nanos(1 << power(&run[0]));
        format!("  < {below:>12?} {:>9}", run.len())
    };
    let runs = took.chunk_by(|one, other| power(one) == power(other));
    runs.map(run).collect::<Vec<_>>().join("\n")
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
        let store = new_store();
        let (latencies, kept) = with_stopped(&store, &[step], || {
            let latencies = read_beside(&store, || others_go_on(&store));
            store.reclaim();
            (latencies, store.stats().versions)
        });
        check_books(&store);
        // What is made while it stands there is kept at the worst, and no more: each turn of the
        // two threads makes three versions. To these come those of a swell that it stopped in.
        let made = ACCOUNTS + 3 * 2 * turns() + 2 * BUSY_VERSIONS_MAX;
        assert!(kept <= made, "{step:?}: {kept} versions, {made} were made");
        println!("{step:?}: {kept} versions while it stood there; a read took {latencies}");
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
