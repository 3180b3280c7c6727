//! Figures that are no mean time of an operation: how long single reads take beside large batches,
//! what a reader and a writer do side by side, what a task takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use skep::Store;
use skep::cluster::Task;
use skep_benches::cluster::{Sizes, Tasks};
use skep_benches::load::{Cluster, batch, get, update};
use skep_benches::pick;
use skep_measure::memory;

use crate::is_asked;

/// How long it goes.
const SPAN: Duration = Duration::from_secs(3);
/// Reads between two looks at the clock, where reads are counted.
const READS: u64 = 64;

pub fn measure(cluster: &Cluster) {
    if is_asked("latency") {
        latency(cluster.store());
    }
    if is_asked("beside") {
        side_by_side(cluster.store());
    }
    if is_asked("bytes") {
        bytes();
    }
}

/// Runs `reader` beside a thread that writes again and again; gives how many times it wrote.
fn beside<R>(write: impl Fn(u64) + Sync, reader: impl FnOnce() -> R) -> (R, u64) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut times = 0;
            while !stop.load(Ordering::Relaxed) {
                write(times);
                times += 1;
            }
            times
        });
        let answer = reader();
        stop.store(true, Ordering::Relaxed);
        (answer, writer.join().expect("writing panicked"))
    })
}

/// Each read by itself, two looks at the clock included, beside batches of 10,000.
fn latency(store: &Store) {
    let (mut times, batches) = beside(
        |time| batch(store, time),
        || {
            let (begin, mut times) = (Instant::now(), Vec::with_capacity(1 << 24));
            while begin.elapsed() < SPAN && times.len() < times.capacity() {
                let start = Instant::now();
                get(store, 0, times.len() as u64);
                times.push(start.elapsed());
            }
            times
        },
    );
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    println!(
        "latency: of {} reads beside {batches} batches of 10,000: \
         p50 {:?}, p99 {:?}, p99.9 {:?}, max {:?}",
        times.len(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
    );
}

/// Reads and writes a second of one reader beside one writer.
fn side_by_side(store: &Store) {
    let write = |time| update(store, std::iter::once(pick(1, time)));
    let (reads, writes) = beside(write, || {
        let (begin, mut reads) = (Instant::now(), 0);
        while begin.elapsed() < SPAN {
            (reads..reads + READS).for_each(|time| get(store, 0, time));
            reads += READS;
        }
        reads
    });
    let rate = |count: u64| count as f64 / SPAN.as_secs_f64();
    println!(
        "beside: {:.0} reads/s, {:.0} writes/s",
        rate(reads),
        rate(writes)
    );
}

/// What a task takes in the store beyond what it takes by itself.
fn bytes() {
    let tasks = Tasks::of(Sizes::USUAL);
    let before = memory::bytes();
    let alone: Vec<Task> = tasks.all().collect();
    let own = memory::bytes() - before;
    drop(alone);
    let before = memory::bytes();
    let store = tasks.store();
    let stored = memory::bytes() - before;
    let each = |bytes: i64| bytes / Sizes::USUAL.tasks.cast_signed();
    let allocations = memory::allocations();
    let found = store.snapshot().find(skep::keys::<Task>().all()).count();
    println!(
        "bytes: a task by itself {}, in the store {}: {} beyond it; {} allocations for a find of \
         {found}",
        each(own),
        each(stored),
        each(stored - own),
        memory::allocations() - allocations,
    );
}
