//! Runs a model in all its executions and collects what it came to.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::kernel::reclaim::quarantine;

/// What the model can come to, with up to `bound` preemptions (or the environment's, if fewer).
pub(super) fn outcomes<T: Ord + Send + 'static>(
    bound: usize,
    model: impl Fn() -> T + Send + Sync + 'static,
) -> BTreeSet<T> {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let runs = Arc::new(AtomicU64::new(0));
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 100_000;
    let given = builder.preemption_bound.unwrap_or(bound);
    builder.preemption_bound = Some(given.min(bound));
    let (all, counted) = (Arc::clone(&seen), Arc::clone(&runs));
    builder.check(move || {
        quarantine::begin();
        let outcome = model();
        counted.fetch_add(1, Ordering::Relaxed);
        all.lock().expect("no panic").insert(outcome);
    });
    println!("{} executions", runs.load(Ordering::Relaxed));
    std::mem::take(&mut seen.lock().expect("no panic"))
}

/// Runs on what threads share, whose memory goes with the execution.
pub(super) fn with_world<W, T>(world: W, run: impl FnOnce(&Arc<W>) -> T) -> T {
    let world = Arc::new(world);
    let outcome = run(&world);
    drop(world);
    quarantine::clear();
    outcome
}

/// Runs `run` on another thread of the model, with a share of `world`.
pub(super) fn spawn<W: 'static, R: 'static>(
    world: &Arc<W>,
    run: impl FnOnce(&Arc<W>) -> R + 'static,
) -> loom::thread::JoinHandle<R> {
    let world = Arc::clone(world);
    crate::sync::thread::spawn(move || run(&world))
}
