//! The state package: what a cluster's programs do with a store of 100,000 tasks of about 780 bytes
//! with all their indexes, 5,000 nodes and 100 services.
//!
//! ```text
//! cargo bench -p skep-benches --bench cluster               # everything
//! cargo bench -p skep-benches --bench cluster -- find       # what has "find" in its name
//! ```
//!
//! With `SKEP_CLOCK=cpu` times are those that the measuring threads ran: of use on a machine that
//! others work on, too. Times are of one operation; with several threads, of one of each. What
//! prints its own lines (`latency`, `beside`, `bytes`) runs when its name is asked for, or nothing
//! is. The allocator is mimalloc, with its bytes counted.

mod beside;
mod finds;
mod saving;
mod watching;
mod writes;

use criterion::{BenchmarkGroup, BenchmarkId};
use skep_benches::clock::ByClock;
use skep_benches::cluster::Sizes;
use skep_benches::load::Cluster;
use skep_benches::measure_threads;
use skep_benches::profile::Profile;
use skep_measure::clock::Clock;
use skep_measure::memory;
use skep_measure::origin::usual_threads;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Measures by the clock that is asked for.
type Criterion = criterion::Criterion<ByClock>;
type Group<'g> = BenchmarkGroup<'g, ByClock>;

/// Measures an operation by one thread, by two, and by as many as there are cores. It gets its
/// thread's number and how often it ran; `prepare` makes it.
fn by_threads<O: Fn(u64, u64) + Sync>(group: &mut Group<'_>, name: &str, prepare: impl Fn() -> O) {
    for threads in usual_threads() {
        group.bench_function(BenchmarkId::new(name, threads), |bencher| {
            let operation = prepare();
            measure_threads(bencher, threads, &operation);
        });
    }
}

/// Whether what prints its own lines is asked for: by its name, or by no name.
fn is_asked(name: &str) -> bool {
    let mut names = std::env::args()
        .skip(1)
        .filter(|it| !it.starts_with('-'))
        .peekable();
    names.peek().is_none() || names.any(|asked| name.contains(&asked))
}

fn main() {
    let criterion = criterion::Criterion::default().with_measurement(ByClock(Clock::asked()));
    let mut criterion = Profile::asked().of(criterion);
    let cluster = Cluster::of(Sizes::USUAL);
    finds::measure(&mut criterion, &cluster);
    watching::measure(&mut criterion, &cluster);
    writes::measure(&mut criterion, &cluster);
    beside::measure(&cluster);
    saving::measure(&mut criterion, &cluster);
    criterion.final_summary();
}
