//! Many watchers: what an event costs who publishes it, and those who receive it, beside channels.
//!
//! ```text
//! cargo bench -p skep-benches --bench watch                     # everything: some minutes
//! cargo bench -p skep-benches --bench watch -- '/skep/1000$'    # a part
//! ```
//!
//! Times are of one event, published 64 in a row while nobody runs, and then received by all who
//! want it, on one thread. Latencies are the business of the program `watchers`.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use skep_benches::profile::Profile;
use skep_benches::watchers::bus::{Asked, BUSES};
use skep_benches::watchers::{BATCH, Swarm};

/// Watchers of most measurements.
const USUAL: &[usize] = &[1, 100, 1_000, 10_000];
/// What is measured; the store with the delivery that it has unless told otherwise.
const MEASURED: [&str; 4] = ["skep", "tokio broadcast", "async-broadcast", "flume each"];

/// What of an event is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Publish,
    Delivery,
}

/// The time that a part of some events takes.
fn time(swarm: &mut Swarm, events: u64, part: Part) -> Duration {
    let mut took = Duration::ZERO;
    let mut left = events;
    while left > 0 {
        let batch = left.min(BATCH);
        let began = Instant::now();
        swarm.publish(batch);
        let published = Instant::now();
        swarm.executor.run_ready();
        took += match part {
            Part::Publish => published - began,
            Part::Delivery => published.elapsed(),
        };
        left -= batch;
    }
    took
}

fn measure(criterion: &mut Criterion, part: Part, name: &str) {
    for asked in Asked::EACH {
        let mut group = criterion.benchmark_group(format!("{name} {asked}"));
        let buses = BUSES.iter().filter(|(bus, _)| MEASURED.contains(bus));
        for (bus, make) in buses {
            for &watchers in asked.watchers(USUAL) {
                // Made when it is measured, once.
                let mut swarm = None;
                group.bench_function(BenchmarkId::new(*bus, watchers), |bencher| {
                    let swarm = swarm.get_or_insert_with(|| Swarm::new(*make, asked, watchers));
                    bencher.iter_custom(|events| time(swarm, events, part));
                });
            }
        }
        group.finish();
    }
}

fn main() {
    let mut criterion = Profile::asked().of(Criterion::default());
    measure(&mut criterion, Part::Publish, "publish");
    measure(&mut criterion, Part::Delivery, "delivery");
    criterion.final_summary();
}
