//! What it costs to tell many watchers, beside channels: the publisher's cost, the delivery's, and
//! how long an event is on its way. Prints the table of docs/numbers.md.
//!
//! `cargo run --release -p skep-benches --bin watchers -- [rounds] [most watchers]`

#![forbid(unsafe_code)]

mod bus;
mod executor;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bus::{Asked, BUSES, Bus};
use executor::Executor;

/// Events published in a row.
const BATCH: u64 = 64;
/// Events of a measurement of latency, and the time between them.
const LATENCY_EVENTS: u64 = 300;
const LATENCY_PAUSE: Duration = Duration::from_micros(500);
/// What is added to it for each watcher that looks at an event: so that they keep up.
const LATENCY_PAUSE_EACH: Duration = Duration::from_nanos(400);
/// Deliveries that a measurement may make.
const DELIVERIES_MAX: u64 = 4_000_000;

/// What the tasks of watchers note.
#[derive(Default)]
pub struct Notes {
    /// Events that watchers wanted.
    wanted: u64,
    /// Nanoseconds that they were on their way.
    ages: Vec<u32>,
}

/// Where they note it: all of them run on one thread.
pub type Shared = Rc<RefCell<Notes>>;

/// Nanoseconds of a clock that all threads share.
pub fn now() -> u64 {
    use std::sync::LazyLock;
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed().as_nanos() as u64
}

/// Medians of one bus, with so many watchers that ask for something.
struct Measured {
    alone: f64,
    in_batches: f64,
    delivery: f64,
    p50: f64,
    p99: f64,
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn percentile(sorted: &[u32], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted
        .get(at.min(sorted.len().saturating_sub(1)))
        .map_or(f64::NAN, |&age| f64::from(age))
}

/// Publishes `count` events; nanoseconds each.
fn publish(bus: &dyn Bus, asked: Asked, count: u64, next: &mut u64) -> f64 {
    let began = Instant::now();
    for _ in 0..count {
        bus.publish(asked.node(*next), now());
        *next += 1;
    }
    began.elapsed().as_nanos() as f64 / count as f64
}

fn measure(make: bus::Make, watchers: usize, asked: Asked) -> Measured {
    let bus = make(asked);
    let notes = Shared::default();
    let mut executor = Executor::default();
    for watcher in 0..watchers {
        executor.spawn(bus.watch(watcher as u64, asked, Rc::clone(&notes)));
    }
    executor.run_ready();
    let mut next = 0;
    let few = asked.deliveries(watchers as u64);
    let rounds = (DELIVERIES_MAX / (BATCH * few).max(1)).clamp(3, 200);
    let (mut alone, mut batches, mut delivery) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        // Everybody sleeps.
        alone.push(publish(&*bus, asked, 1, &mut next));
        executor.run_ready();
        batches.push(publish(&*bus, asked, BATCH, &mut next));
        let before = notes.borrow().wanted;
        let began = Instant::now();
        executor.run_ready();
        let took = began.elapsed().as_nanos() as f64;
        let wanted = notes.borrow().wanted - before;
        if wanted > 0 {
            delivery.push(took / wanted as f64);
        }
    }
    let ages = latency(&*bus, asked, executor, &notes, next);
    Measured {
        alone: median(alone),
        in_batches: median(batches),
        delivery: if delivery.is_empty() {
            f64::NAN
        } else {
            median(delivery)
        },
        p50: percentile(&ages, 0.5),
        p99: percentile(&ages, 0.99),
    }
}

/// Publishes now and then, while this thread waits with all watchers; their events' ages, sorted.
fn latency(
    bus: &dyn Bus,
    asked: Asked,
    mut executor: Executor,
    notes: &Shared,
    first: u64,
) -> Vec<u32> {
    notes.borrow_mut().ages.clear();
    let done = AtomicBool::new(false);
    let pause = LATENCY_PAUSE + LATENCY_PAUSE_EACH * executor.len() as u32;
    // Of very many watchers a few events are ages enough.
    let events = (DELIVERIES_MAX / executor.len().max(1) as u64).clamp(20, LATENCY_EVENTS);
    std::thread::scope(|scope| {
        let (done, waker) = (&done, executor.waker());
        scope.spawn(move || {
            for event in first..first + events {
                std::thread::sleep(pause);
                bus.publish(asked.node(event), now());
            }
            std::thread::sleep(Duration::from_millis(50));
            done.store(true, Ordering::Release);
            waker.wake();
        });
        while !done.load(Ordering::Acquire) {
            executor.wait();
            executor.run_ready();
        }
    });
    let mut ages = std::mem::take(&mut notes.borrow_mut().ages);
    ages.sort_unstable();
    ages
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|it| it.parse::<usize>());
    let mut next = |default| arguments.next().map_or(default, |it| it.expect("a number"));
    let (rounds, most) = (next(5), next(100_000));
    let figures = "publish, all asleep, ns | in a row, ns | delivery, ns | p50, us | p99, us";
    println!("| asked for | watchers | bus | {figures} |");
    println!("|---|---|---|---|---|---|---|---|");
    for asked in [Asked::All, Asked::OneInAThousand, Asked::OwnNode] {
        let counts: &[usize] = match asked {
            Asked::OwnNode => &[5_000],
            _ => &[1, 10, 100, 1_000, 10_000, 100_000],
        };
        for &watchers in counts.iter().filter(|count| **count <= most) {
            let buses: Vec<_> = BUSES.iter().filter(|bus| asked.is_for(bus.0)).collect();
            // Interleaved: each bus in each round.
            let mut results: Vec<Vec<Measured>> = buses.iter().map(|_| Vec::new()).collect();
            for _ in 0..rounds {
                for (results, (_, make)) in results.iter_mut().zip(&buses) {
                    results.push(measure(*make, watchers, asked));
                }
            }
            for (results, (name, _)) in results.iter().zip(&buses) {
                let of =
                    |figure: fn(&Measured) -> f64| median(results.iter().map(figure).collect());
                println!(
                    "| {asked} | {watchers} | {name} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} |",
                    of(|it| it.alone),
                    of(|it| it.in_batches),
                    of(|it| it.delivery),
                    of(|it| it.p50) / 1000.0,
                    of(|it| it.p99) / 1000.0,
                );
            }
        }
    }
}
