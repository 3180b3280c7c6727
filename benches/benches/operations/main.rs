//! Every public operation, one after the other, by one thread, on 10,000 small objects that lie in
//! the processor's caches: what the code itself costs. How they scale with threads, and what
//! misses of the cache add, is the bench `store`'s business.
//!
//! ```text
//! cargo bench -p skep-benches --bench operations                   # everything
//! cargo bench -p skep-benches --bench operations -- Watcher        # a type's
//! ```
//!
//! Each bench has the name of its operation; `tests/every_operation.rs` finds those that have none.

mod copies;
mod items;
mod proposals;
mod queries;
mod reads;
mod store;
mod transactions;
mod watchers;

use criterion::{BatchSize, Criterion};
use skep_benches::profile::Profile;

/// Inputs that are prepared at once.
const PREPARED: BatchSize = BatchSize::NumIterations(64);

/// Where operations are measured.
struct Bench(Criterion);

impl Bench {
    /// An operation that needs nothing; it gets how often it ran.
    fn time<R>(&mut self, name: &str, mut operation: impl FnMut(u64) -> R) {
        let mut times = 0..;
        self.0.bench_function(name, |bencher| {
            bencher.iter(|| operation(times.next().unwrap_or(0)));
        });
    }

    /// An operation on something that is prepared for it, and dropped after it: neither is timed.
    fn on<S, R>(
        &mut self,
        name: &str,
        mut prepare: impl FnMut(u64) -> S,
        mut operation: impl FnMut(&mut S) -> R,
    ) {
        let mut times = 0..;
        self.0.bench_function(name, |bencher| {
            let prepare = || prepare(times.next().unwrap_or(0));
            bencher.iter_batched_ref(prepare, &mut operation, PREPARED);
        });
    }

    /// An operation that takes what is prepared for it.
    fn of<S, R>(
        &mut self,
        name: &str,
        mut prepare: impl FnMut(u64) -> S,
        mut operation: impl FnMut(S) -> R,
    ) {
        let mut times = 0..;
        self.0.bench_function(name, |bencher| {
            let prepare = || prepare(times.next().unwrap_or(0));
            bencher.iter_batched(prepare, &mut operation, PREPARED);
        });
    }
}

fn main() {
    let mut bench = Bench(Profile::asked().of(Criterion::default()));
    store::measure(&mut bench);
    reads::measure(&mut bench);
    queries::measure(&mut bench);
    transactions::measure(&mut bench);
    watchers::measure(&mut bench);
    proposals::measure(&mut bench);
    copies::measure(&mut bench);
    bench.0.final_summary();
}
