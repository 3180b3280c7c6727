//! What it costs to tell many watchers, beside channels: the publisher's cost, the delivery's, and
//! how long an event is on its way. Prints a line for each measurement as it comes, then all of
//! them as the tables of docs/numbers.md, and how long it takes to create 100,000 watchers.
//!
//! `cargo run --release -p skep-benches --bin watchers -- --help` says how to use it.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use skep_benches::watchers::bus::{Asked, BUSES, Make};
use skep_benches::watchers::tables::{Line, Measured, tables};
use skep_benches::watchers::{BATCH, Shared, Swarm, now};
use skep_measure::clock::Clock;
use skep_measure::figures::median;

/// Measures what it costs to tell many watchers of a change, beside channels
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Rounds; each measures every bus once, and medians are told
    #[arg(default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Watchers at most; measurements with more are left out
    #[arg(default_value_t = CREATED, value_name = "WATCHERS")]
    most: usize,
    /// What the names of the measured begin with, such as skep or tokio; all if left out
    #[arg(default_value = "", value_parser = known)]
    bus: String,
}

fn known(beginning: &str) -> Result<String, String> {
    let mut names = BUSES.iter().map(|bus| bus.0);
    if names.any(|name| name.starts_with(beginning)) {
        return Ok(beginning.to_owned());
    }
    let names: Vec<_> = BUSES.iter().map(|bus| bus.0).collect();
    Err(format!("none begins so: {}", names.join("; ")))
}

/// Watchers of most measurements.
const USUAL: &[usize] = &[1, 10, 100, 1_000, 10_000, 100_000];
/// Watchers that are created to see how long it takes.
const CREATED: usize = 100_000;
/// Events of a measurement of latency, and the time between them.
const LATENCY_EVENTS: u64 = 300;
const LATENCY_PAUSE: Duration = Duration::from_micros(500);
/// What is added to it for each watcher that looks at an event: so that they keep up.
const LATENCY_PAUSE_EACH: Duration = Duration::from_nanos(400);
/// Deliveries that a measurement may make.
const DELIVERIES_MAX: u64 = 4_000_000;

fn percentile(sorted: &[u32], share: f64) -> f64 {
    let at = (sorted.len() as f64 * share) as usize;
    sorted
        .get(at.min(sorted.len().saturating_sub(1)))
        .map_or(f64::NAN, |&age| f64::from(age))
}

/// Publishes `count` events; nanoseconds each, by the clock.
fn publish(swarm: &mut Swarm, count: u64, clock: Clock) -> f64 {
    let began = clock.now();
    swarm.publish(count);
    let took = clock.now() - began;
    swarm.publish_beside(count);
    took.as_nanos() as f64 / count as f64
}

fn measure(make: Make, watchers: usize, asked: Asked) -> Measured {
    let mut swarm = Swarm::new(make, asked, watchers);
    let rounds = (DELIVERIES_MAX / (BATCH * watchers as u64).max(1)).clamp(3, 200);
    let (mut alone, mut batches, mut delivery) = (Vec::new(), Vec::new(), Vec::new());
    let mut alone_cpu = Vec::new();
    for _ in 0..rounds {
        // Everybody sleeps.
        alone.push(publish(&mut swarm, 1, Clock::Wall));
        swarm.executor.run_ready();
        alone_cpu.push(publish(&mut swarm, 1, Clock::Cpu));
        swarm.executor.run_ready();
        batches.push(publish(&mut swarm, BATCH, Clock::Wall));
        let before = swarm.notes.borrow().wanted;
        let began = Instant::now();
        swarm.executor.run_ready();
        let took = began.elapsed().as_nanos() as f64;
        let wanted = swarm.notes.borrow().wanted - before;
        if wanted > 0 {
            delivery.push(took / wanted as f64);
        }
    }
    let ages = latency(swarm, asked);
    Measured {
        alone: median(alone),
        alone_cpu: median(alone_cpu),
        in_batches: median(batches),
        delivery: median(delivery),
        p50: percentile(&ages, 0.5),
        p99: percentile(&ages, 0.99),
    }
}

/// Publishes now and then, while this thread waits with all watchers; their events' ages, sorted.
fn latency(swarm: Swarm, asked: Asked) -> Vec<u32> {
    swarm.notes.borrow_mut().ages = Some(Vec::new());
    let done = AtomicBool::new(false);
    let (first, mut executor) = (swarm.published(), swarm.executor);
    let pause = LATENCY_PAUSE + LATENCY_PAUSE_EACH * executor.len() as u32;
    // Of very many watchers a few events are ages enough.
    let events = (DELIVERIES_MAX / executor.len().max(1) as u64).clamp(20, LATENCY_EVENTS);
    std::thread::scope(|scope| {
        let (bus, done, waker) = (&*swarm.bus, &done, executor.waker());
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
    let mut ages = swarm.notes.take().ages.unwrap_or_default();
    ages.sort_unstable();
    ages
}

/// How long it takes to create so many watchers; milliseconds, the median.
fn creation(make: Make, watchers: usize, asked: Asked, rounds: u32) -> f64 {
    let round = |_| {
        let bus = make(asked);
        let notes = Shared::default();
        let mut tasks = Vec::with_capacity(watchers);
        let began = Instant::now();
        tasks.extend((0..watchers as u64).map(|it| bus.watch(it, asked, notes.clone())));
        began.elapsed().as_secs_f64() * 1000.0
    };
    median((0..rounds).map(round))
}

/// The medians of some rounds.
fn medians(rounds: &[Measured]) -> Measured {
    let of = |figure: fn(&Measured) -> f64| median(rounds.iter().map(figure));
    Measured {
        alone: of(|it| it.alone),
        alone_cpu: of(|it| it.alone_cpu),
        in_batches: of(|it| it.in_batches),
        delivery: of(|it| it.delivery),
        p50: of(|it| it.p50),
        p99: of(|it| it.p99),
    }
}

fn print_creation(most: usize, rounds: u32) {
    let watchers = CREATED.min(most);
    for asked in [Asked::All, Asked::OwnNode] {
        for (name, make) in BUSES.iter().filter(|bus| asked.is_for(bus.0)) {
            let took = creation(*make, watchers, asked, rounds);
            println!("{asked}, {name}: {watchers} watchers created in {took:.1} ms");
        }
    }
}

fn main() {
    let Args { rounds, most, bus } = Args::parse();
    let is_measured = |asked: Asked, name: &str| asked.is_for(name) && name.starts_with(&bus);
    let publisher = "publish, all asleep, ns | the same, CPU, ns | in a row, ns";
    let receivers = "delivery, ns | p50, us | p99, us";
    println!("| asked for | watchers | bus | {publisher} | {receivers} |");
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut lines = Vec::new();
    for asked in Asked::EACH {
        let counts = asked.watchers(USUAL).iter();
        for &watchers in counts.filter(|count| **count <= most) {
            let buses: Vec<_> = BUSES
                .iter()
                .filter(|bus| is_measured(asked, bus.0))
                .collect();
            // Interleaved: each bus in each round.
            let mut results: Vec<Vec<Measured>> = buses.iter().map(|_| Vec::new()).collect();
            for _ in 0..rounds {
                for (results, (_, make)) in results.iter_mut().zip(&buses) {
                    results.push(measure(*make, watchers, asked));
                }
            }
            for (results, (name, _)) in results.iter().zip(&buses) {
                let of = medians(results);
                print!("| {asked} | {watchers} | {name} ");
                println!(
                    "| {:.0} | {:.0} | {:.0} | {:.0} | {:.1} | {:.1} |",
                    of.alone,
                    of.alone_cpu,
                    of.in_batches,
                    of.delivery,
                    of.p50 / 1000.0,
                    of.p99 / 1000.0,
                );
                lines.push(Line {
                    asked,
                    watchers,
                    bus: name,
                    of,
                });
            }
        }
    }
    println!("{}", tables(&lines));
    print_creation(most, rounds);
}
