//! The loads of docs/scaling.md on the cores that there are: how long a cache line takes from one
//! core to another, what an operation takes a thread that is alone, and how the rate grows with
//! threads. What the model of `skep-counts` says of more cores begins from these.
//!
//! `cargo run --release -p skep-benches --bin scaling -- --help` says how to use it;
//! `SKEP_CLOCK=cpu` is for the time that threads ran instead of the wall clock's.

#![forbid(unsafe_code)]

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use skep::{Store, keys};
use skep_benches::{TASKS, Task, id, run, store};
use skep_measure::memory::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Measures how the rates of loads grow with threads, and what a line's way between cores takes
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Threads at most; as many as there are cores if left out
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: Option<u64>,
}

/// Times that a line goes to and fro in a burst, and bursts.
const EXCHANGES: u64 = 50;
const BURSTS: u64 = 2_000;
/// Rounds, of which the median counts.
const ROUNDS: usize = 5;
/// Changes of a batch.
const BATCH: u64 = 200;

/// A load: its name, operations in a call, calls of a thread, and what a call does.
type Load = (&'static str, u64, u64, fn(&Store, u64));

const LOADS: [Load; 7] = [
    ("view, get, end", 1, 400_000, |store, number| {
        black_box(store.read().get::<Task>(&id(number)));
    }),
    ("snapshot, get, end", 1, 400_000, |store, number| {
        black_box(store.snapshot().get::<Task>(&id(number)));
    }),
    ("view, scan of 100, end", 1, 20_000, |store, _| {
        let found = store.read().find(keys::<Task>().all().limit(100)).count();
        assert_eq!(found, 100);
    }),
    ("commit of 1", 1, 50_000, |store, number| {
        change(store, number, 1)
    }),
    ("commit of 10", 1, 8_000, |store, number| {
        change(store, number, 10)
    }),
    ("update in a commit of 100", 100, 1_000, |store, number| {
        change(store, number, 100)
    }),
    ("update in a batch of 200", BATCH, 500, batch),
];

/// A commit that changes some tasks of the thread's own.
fn change(store: &Store, first: u64, count: u64) {
    let changed = store.update(|tx| {
        (0..count).try_for_each(|more| {
            let own = id((first + more) % TASKS);
            tx.modify::<Task>(&own, |task| task.count += 1)
        })
    });
    changed.expect("attempts have no end");
}

fn batch(store: &Store, first: u64) {
    let done = store.batch(|batch| {
        (0..BATCH).try_for_each(|more| {
            let own = id((first + more) % TASKS);
            batch.step(move |tx| tx.modify::<Task>(&own, |task| task.count += 1))
        })
    });
    done.expect("attempts have no end");
}

/// Where a thread is in its share of the tasks: far enough on each time that it misses the cache.
fn place(thread: u64, threads: u64, time: u64) -> u64 {
    let share = TASKS / threads;
    thread * share + time.wrapping_mul(7_919) % share
}

/// Nanoseconds that a line takes from one core to another: two threads that add to it in turns, in
/// bursts. Of these a tenth was shorter than what it gives: in most of them both threads really
/// ran.
fn exchange() -> f64 {
    let turn = AtomicU64::new(0);
    let add = |time: u64, own: u64| {
        while turn.load(Ordering::Acquire) != 2 * time + own {
            spin_loop();
        }
        turn.fetch_add(1, Ordering::AcqRel);
    };
    let mut bursts = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..BURSTS * EXCHANGES).for_each(|time| add(time, 1)));
        for burst in 0..BURSTS {
            let begin = Instant::now();
            (burst * EXCHANGES..(burst + 1) * EXCHANGES).for_each(|time| add(time, 0));
            bursts.push(begin.elapsed().as_nanos() as f64 / (2 * EXCHANGES) as f64);
        }
    });
    bursts.sort_by(f64::total_cmp);
    bursts[bursts.len() / 10]
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn rounds(measure: impl Fn() -> f64) -> f64 {
    median((0..ROUNDS).map(|_| measure()).collect())
}

fn main() {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let most = Args::parse().threads.unwrap_or(cores);
    println!(
        "a line from one core to another: {:.0} ns",
        rounds(exchange)
    );
    let store = store();
    println!("| load | 1 thread, ns | threads | rate, times that of 1 |");
    println!("|---|---|---|---|");
    for (name, operations, calls, call) in LOADS {
        let nanos = |threads: u64| {
            let took: Duration = run(threads, 0..calls, |thread, time| {
                call(&store, place(thread, threads, time));
            });
            took.as_nanos() as f64 / (calls * operations) as f64
        };
        let alone = rounds(|| nanos(1));
        for threads in 2..=most {
            let together = rounds(|| nanos(threads));
            let times = threads as f64 * alone / together;
            println!("| {name} | {alone:.0} | {threads} | {times:.2} |");
        }
    }
}
