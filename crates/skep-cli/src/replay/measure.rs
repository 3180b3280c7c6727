//! What the threads measure: counts that all share, and latencies that each keeps for itself
//! until the end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use hdrhistogram::Histogram;

/// The longest latency that is told from longer ones: a minute, in nanoseconds.
const NANOS_MAX: u64 = 60_000_000_000;

/// Counts that all threads add to.
#[derive(Default)]
pub struct Counters {
    /// Tasks created.
    pub submitted: AtomicU64,
    /// Tasks placed on a node.
    pub placed: AtomicU64,
    /// Of these, how many had to wait for room.
    pub placed_after_wait: AtomicU64,
    /// Tasks that ended well.
    pub finished: AtomicU64,
    /// Tasks that broke.
    pub failed: AtomicU64,
    /// Tasks deleted after they had run.
    pub reaped: AtomicU64,
    /// Tasks deleted that never had room.
    pub withdrawn: AtomicU64,
    /// Transactions run to their end, those that had nothing to write included.
    pub transactions: AtomicU64,
    /// Of these, how many met at least one conflict.
    pub conflicted: AtomicU64,
    /// How often a transaction was run again.
    pub retries: AtomicU64,
    /// How often a transaction used up the store's attempts and was begun anew.
    pub gave_up: AtomicU64,
    /// How often a scheduler came too late: another had taken the task.
    pub tasks_lost: AtomicU64,
    /// How often a scheduler came too late: the chosen node's room was gone.
    pub room_lost: AtomicU64,
    /// How often an agent's watcher lagged and was begun anew.
    pub lagged: AtomicU64,
    /// The commits that it missed.
    pub missed: AtomicU64,
}

impl Counters {
    /// Adds to a count.
    // Relaxed: a count orders nothing; the threads are joined before the final reading.
    pub fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    /// A count so far.
    pub fn read(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// The distribution of one kind of latency.
#[derive(Clone)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, NANOS_MAX, 3);
        Self(histogram.expect("the bounds are in order and three digits are allowed"))
    }
}

impl Latency {
    /// Runs `action` and records how long it took.
    pub fn time<R>(&mut self, action: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = action();
        self.record(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        result
    }

    /// Records a latency.
    pub fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos);
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The latency that `share` of all stay below or at, in microseconds.
    pub fn quantile_micros(&self, share: f64) -> f64 {
        self.0.value_at_quantile(share) as f64 / 1_000.0
    }

    /// The longest, in microseconds.
    pub fn max_micros(&self) -> f64 {
        self.0.max() as f64 / 1_000.0
    }

    fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("both have the same bounds");
    }
}

/// The latencies of one thread, or of all.
#[derive(Clone, Default)]
pub struct Latencies {
    /// One object read by its key, through a view of its own.
    pub read: Latency,
    /// A snapshot taken and a node chosen in it.
    pub choose: Latency,
    /// A transaction from its beginning to its commit, conflicts included.
    pub commit: Latency,
    /// From the writing of a task in its transaction to the node's agent seeing the event.
    pub delivery: Latency,
}

impl Latencies {
    /// Takes another thread's in.
    pub fn merge(&mut self, other: &Self) {
        self.read.merge(&other.read);
        self.choose.merge(&other.choose);
        self.commit.merge(&other.commit);
        self.delivery.merge(&other.delivery);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_in_microseconds_and_merged() {
        let mut all = Latencies::default();
        let mut one = Latencies::default();
        for millis in 1..=100 {
            one.commit.record(millis * 1_000_000);
        }
        one.commit.record(u64::MAX);
        all.merge(&one);
        assert_eq!(all.commit.count(), 101);
        let median = all.commit.quantile_micros(0.5);
        assert!((50_900.0..51_100.0).contains(&median), "{median}");
    }
}
