//! Progress beside the dead: a thread is killed by a panic at each step of a transaction, of
//! collection and of watching, and others commit and read the same keys all the same; what it
//! leaves behind for good is bounded.
//!
//! Needs the feature `failpoints`: `cargo test --release --features failpoints --test killed`.

#![cfg(feature = "failpoints")]

#[path = "common/accounts.rs"]
mod accounts;

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, set_hook as set_panic_hook};
use std::sync::Mutex;

use skep::failpoints::{STEPS, Step, set_hook};
use skep::{Store, keys};

use accounts::{
    ACCOUNTS, Account, Busy, START, SWELL, SWELL_AT_ONCE, new_store, others_go_on, sum, turns,
};

/// Turns in which a thread comes to each step.
const TURNS_MAX: u64 = 1_000_000;
/// Versions that a slice of collection, left in its middle, may leave to nobody: of 96 commits.
const LEFT_MAX: i64 = 96 * SWELL_AT_ONCE as i64;

/// What a killed thread panics with.
struct Killed;

/// Where the next thread named "dying" dies.
static DEATH: Mutex<Option<Step>> = Mutex::new(None);

fn death() -> std::sync::MutexGuard<'static, Option<Step>> {
    DEATH.lock().expect("nobody panics under the lock")
}

/// The hook: dies at the wanted step, once.
fn die_at(step: Step) {
    if std::thread::current().name() != Some("dying") {
        return;
    }
    let mut wanted = death();
    if *wanted == Some(step) {
        *wanted = None;
        drop(wanted);
        panic_any(Killed);
    }
}

/// Commits and deletes until it dies.
fn work_until_killed(store: &Store) {
    let mut busy = Busy::new(store);
    for turn in 0..TURNS_MAX {
        busy.turn(store, 0, turn);
        if death().is_none() {
            // It died where the store contains panics, as a user's own.
            return;
        }
    }
    panic!("the step was not reached");
}

/// A thread that dies at a step.
fn kill(store: &Store, step: Step) {
    *death() = Some(step);
    std::thread::scope(|scope| {
        let dying = std::thread::Builder::new().name("dying".into());
        let run = || catch_unwind(AssertUnwindSafe(|| work_until_killed(store)));
        let ended = dying.spawn_scoped(scope, run).expect("a thread").join();
        if let Err(panic) = ended.expect("it is caught") {
            assert!(panic.is::<Killed>(), "{step:?}: another panic");
        }
    });
}

#[test]
fn a_thread_killed_anywhere_stops_nobody() {
    // One test: the hook is the process's.
    set_hook(die_at);
    set_panic_hook(Box::new(|info| {
        if !info.payload().is::<Killed>() {
            eprintln!("{info}");
        }
    }));
    for step in STEPS {
        let store = new_store();
        kill(&store, step);
        let before = store.read().count(keys::<Account>().all());
        // It may have died between creations and their deletions.
        assert!(before as u64 <= ACCOUNTS + SWELL, "{step:?}: {before}");
        others_go_on(&store);
        let view = store.read();
        let all = view.count(keys::<Account>().all());
        assert_eq!(all, view.count(Account::BY_AMOUNT.all()), "{step:?}");
        assert_eq!(all, before + 2 * turns() as usize, "{step:?}");
        drop(view);
        assert_eq!(sum(&store), ACCOUNTS * START, "{step:?}");
        store.reclaim();
        // The figure may lack what the dead had not counted yet.
        let left = store
            .stats()
            .versions
            .wrapping_sub(all as u64)
            .cast_signed();
        assert!(left <= LEFT_MAX, "{step:?}: {left} versions left behind");
        println!("{step:?}: {left} versions left behind, of {LEFT_MAX} at most");
    }
}
