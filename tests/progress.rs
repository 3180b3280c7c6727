//! Progress, shown: a thread is stopped at each step of its commit and collection, and others
//! commit and read the same keys all the same; afterwards the sums are exact.
//!
//! Needs the feature `failpoints`: `cargo test --release --features failpoints --test progress`.

#![cfg(feature = "failpoints")]

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, OnceLock};
use std::time::Duration;

use skep::failpoints::{STEPS, Step, set_hook};
use skep::{Error, Filter, Index, Indexes, Object, Store, keys};

const ACCOUNTS: u64 = 8;
const START: u64 = 1_000;
/// Commits of each thread that goes on.
const COMMITS: u64 = if cfg!(debug_assertions) {
    1_000
} else {
    10_000
};
/// How long a thread may take to come to its step, alone.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for the second of two: one stopped inside a pin stops all freeing, and so keeps the
/// other from the steps that follow a freeing.
const PATIENCE_SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Debug)]
struct Account {
    number: u64,
    amount: u64,
}

impl Account {
    const BY_AMOUNT: Index<Self, u64> =
        Index::new("by_amount", |account, keys| keys.add(account.amount));
}

impl Object for Account {
    type Key = u64;
    const TABLE: &'static str = "account";

    fn key(&self) -> u64 {
        self.number
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_AMOUNT);
    }
}

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
    // So that there is something to deliver.
    let _watcher = store.watch(Filter::of::<Account>().key(&0));
    for turn in 0.. {
        transfer(store, turn % ACCOUNTS, (turn + 1 + thread) % ACCOUNTS);
        // A key of its own each time, so that dead records are met, not claimed again.
        come_and_go(store, 1_000_000 * (thread + 100) + turn);
        if state.lock().expect("as above").wanted.is_empty() {
            return;
        }
    }
}

fn transfer(store: &Store, from: u64, to: u64) {
    let moved = store.update(|tx| {
        if tx
            .get::<Account>(&from)
            .is_some_and(|account| account.amount > 0)
        {
            tx.modify::<Account>(&from, |account| account.amount -= 1)?;
            tx.modify::<Account>(&to, |account| account.amount += 1)?;
        }
        Ok::<_, Error>(())
    });
    moved.expect("attempts enough");
}

fn come_and_go(store: &Store, number: u64) {
    let account = Account { number, amount: 0 };
    let created = store.update(|tx| tx.create(account.clone()));
    created.expect("the key is this thread's");
    let deleted = store.update(|tx| tx.delete::<Account>(&number));
    deleted.expect("as above");
}

fn new_store() -> Store {
    let store = Store::builder()
        .table::<Account>()
        .attempts_max(1_000_000)
        .build();
    let opened = store.update(|tx| {
        for number in 0..ACCOUNTS {
            let amount = START;
            tx.create(Account { number, amount })?;
        }
        Ok::<_, Error>(())
    });
    opened.expect("an empty store");
    store
}

fn sum(store: &Store) -> u64 {
    let view = store.read();
    let all = view.find(keys::<Account>().range(..ACCOUNTS));
    all.map(|account| account.amount).sum()
}

/// Two threads commit on the same keys, insert, read, take snapshots and watch.
fn others_go_on(store: &Store) {
    std::thread::scope(|scope| {
        for thread in 0..2 {
            scope.spawn(move || {
                let mut watcher = store.watch(Filter::of::<Account>().key(&0));
                for turn in 0..COMMITS {
                    transfer(store, turn % ACCOUNTS, (turn + 1 + thread) % ACCOUNTS);
                    let number = 10_000_000 * (thread + 1) + turn;
                    let fresh = Account { number, amount: 0 };
                    let created = store.update(|tx| tx.create(fresh.clone()));
                    created.expect("a new key");
                    if turn % 64 == 0 {
                        assert_eq!(sum(store), ACCOUNTS * START);
                        assert!(store.snapshot().get::<Account>(&0).is_some());
                        let version = store.version();
                        while watcher.try_recv().expect("no lag").is_some() {}
                        // Whoever stopped while delivering, it is current.
                        assert!(watcher.position() >= version);
                    }
                }
            });
        }
    });
}

fn check_books(store: &Store) {
    assert_eq!(sum(store), ACCOUNTS * START);
    let view = store.read();
    let all = view.count(keys::<Account>().all());
    assert_eq!(all, view.count(Account::BY_AMOUNT.all()));
    assert_eq!(all as u64, ACCOUNTS + 2 * COMMITS);
}

#[test]
fn a_thread_stopped_anywhere_stops_nobody() {
    // One test: the hook and the gate are the process's.
    for step in STEPS {
        let store = new_store();
        with_stopped(&store, &[step], || others_go_on(&store));
        check_books(&store);
        store.reclaim();
        let versions = store.stats().versions;
        assert_eq!(
            versions,
            ACCOUNTS + 2 * COMMITS,
            "{step:?}: versions left behind"
        );
    }
    for pair in STEPS.windows(2) {
        let store = new_store();
        with_stopped(&store, pair, || others_go_on(&store));
        check_books(&store);
    }
}
