//! The loads of docs/scaling.md on the cores that there are: how long a cache line takes from one
//! core to another, what an operation takes a thread that is alone, and how the rate grows with
//! threads. What the model of `skep-counts` says of more cores begins from these.
//!
//! `cargo run --release -p skep-benches --bin scaling -- --help` says how to use it;
//! `SKEP_CLOCK=cpu` is for the time that threads ran instead of the wall clock's.

#![forbid(unsafe_code)]

use std::hint::{black_box, spin_loop};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;
use skep::{Filter, Id, Store, Watcher, keys};
use skep_benches::{TASKS, TASKS_A_SERVICE, Task, id, store};
use skep_measure::clock::Clock;
use skep_measure::memory::Counting;
use skep_measure::team::together;

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
/// Services that the tasks are of.
const SERVICES: u64 = TASKS / TASKS_A_SERVICE;

/// What a thread does in a call, from the number of the call.
type Call<'s> = Box<dyn FnMut(u64) + 's>;

/// A load: its name, operations in a call, calls of a thread, and what makes a thread's calls from
/// its number and how many threads there are.
type Load = (
    &'static str,
    u64,
    u64,
    for<'s> fn(&'s Store, u64, u64) -> Call<'s>,
);

const LOADS: [Load; 14] = [
    ("view, get, end", 1, 400_000, |store, thread, threads| {
        Box::new(move |time| {
            black_box(store.read().get::<Task>(&picked(thread, threads, time)));
        })
    }),
    ("get in a snapshot", 1, 400_000, |store, thread, threads| {
        let snapshot = store.snapshot();
        Box::new(move |time| {
            black_box(snapshot.get::<Task>(&picked(thread, threads, time)));
        })
    }),
    (
        "snapshot, get, end",
        1,
        400_000,
        |store, thread, threads| {
            Box::new(move |time| {
                black_box(store.snapshot().get::<Task>(&picked(thread, threads, time)));
            })
        },
    ),
    ("view, scan of 100, end", 1, 20_000, |store, _, _| {
        Box::new(|_| {
            let found = store.read().find(keys::<Task>().all().limit(100)).count();
            assert_eq!(found, 100);
        })
    }),
    ("commit of 1", 1, 50_000, |store, thread, threads| {
        Box::new(move |time| change(store, place(thread, threads, time), 1))
    }),
    ("commit of 10", 1, 8_000, |store, thread, threads| {
        Box::new(move |time| change(store, place(thread, threads, time), 10))
    }),
    (
        "update in a commit of 100",
        100,
        1_000,
        |store, thread, threads| {
            Box::new(move |time| change(store, place(thread, threads, time), 100))
        },
    ),
    (
        "update in a batch of 200",
        BATCH,
        500,
        |store, thread, threads| Box::new(move |time| batch(store, place(thread, threads, time))),
    ),
    (
        "create or delete, a commit each",
        2,
        20_000,
        |store, thread, threads| {
            Box::new(move |time| come_and_go(store, TASKS + time * threads + thread))
        },
    ),
    (
        "commit of 1, received from the log by each thread",
        1,
        50_000,
        |store, thread, threads| {
            let mut watcher = store.watch(Filter::all());
            Box::new(move |time| {
                change(store, place(thread, threads, time), 1);
                receive_all(&mut watcher);
            })
        },
    ),
    (
        "commit of 1, received from a mailbox",
        1,
        50_000,
        |store, thread, threads| {
            // What the next thread changes.
            let mut watcher = store.watch(of_service((thread + 1) % threads));
            Box::new(move |time| {
                change(store, thread + SERVICES * (time % TASKS_A_SERVICE), 1);
                receive_all(&mut watcher);
            })
        },
    ),
    ("watch of everything, end", 1, 50_000, |store, _, _| {
        Box::new(|_| drop(store.watch(Filter::all())))
    }),
    (
        "watch of an index value, end",
        1,
        50_000,
        |store, thread, threads| {
            Box::new(move |time| drop(store.watch(of_service(time * threads + thread))))
        },
    ),
    (
        "snapshot and watch of an index value, end",
        1,
        50_000,
        |store, thread, threads| {
            Box::new(move |time| {
                drop(store.snapshot_and_watch(of_service(time * threads + thread)));
            })
        },
    ),
];

/// Watches the tasks of a service, by whatever number.
fn of_service(number: u64) -> Filter {
    let service = id(number % SERVICES);
    Filter::of::<Task>().value(Task::BY_SERVICE, service).into()
}

/// Receives all that there is; who has not run for long has lagged, and goes on.
fn receive_all(watcher: &mut Watcher) {
    while !matches!(watcher.try_recv(), Ok(None)) {}
}

/// A task that is created in a commit, and deleted in the next one.
fn come_and_go(store: &Store, number: u64) {
    let created = store.update(|tx| tx.create(Task::new(number)));
    created.expect("a new key");
    let deleted = store.update(|tx| tx.delete::<Task>(&id(number)));
    deleted.expect("it is there");
}

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

fn picked(thread: u64, threads: u64, time: u64) -> Id {
    id(place(thread, threads, time))
}

/// Nanoseconds of a thread for an operation, when so many threads work.
fn nanos((_, operations, calls, make): Load, store: &Store, threads: u64) -> f64 {
    let clock = Clock::asked();
    let count = usize::try_from(threads).expect("as many as can be started");
    let took = together(count, |thread, ready| {
        let mut call = make(store, thread as u64, threads);
        ready();
        let start = clock.now();
        (0..calls).for_each(&mut call);
        clock.now() - start
    });
    let took = took.into_iter().max().unwrap_or_default();
    took.as_nanos() as f64 / (calls * operations) as f64
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
    for load in LOADS {
        let name = load.0;
        let alone = rounds(|| nanos(load, &store, 1));
        if most == 1 {
            println!("| {name} | {alone:.0} | 1 | 1.00 |");
        }
        for threads in 2..=most {
            let together = rounds(|| nanos(load, &store, threads));
            let times = threads as f64 * alone / together;
            println!("| {name} | {alone:.0} | {threads} | {times:.2} |");
        }
    }
}
