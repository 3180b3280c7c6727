//! How long what callers do takes: timed now and then, counted in buckets.
//!
//! Each thread decides by chance what it times, and counts it in one of a few shards, so that
//! threads that time everything do not all write one line. Nothing is locked, nothing allocated.
//! Crates of histograms whose recorders are shared by threads lock or send; what is read here is
//! plain numbers, to be handed to any of them.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::num::NonZero;
use std::time::{Duration, Instant};

use crate::sync::{Ordering, Padded, Tally, local, parallelism, unique};

/// Buckets between one power of two and the next: a bound is at most an eighth above what is below
/// it.
const STEPS: usize = 8;
/// What takes longer is counted in the last bucket: 2^36 ns, 68 s.
const OCTAVES: usize = 36;
/// Those of the first powers of two are one nanosecond each.
const BUCKETS: usize = (OCTAVES - 2) * STEPS;
/// Shards at most: with so many, threads rarely meet.
const SHARDS_MAX: usize = 64;
/// What is timed.
const OPERATIONS: usize = 6;

/// What is timed; see the fields of [`Latencies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    View,
    LookUp,
    Update,
    Commit,
    Batch,
    Proposal,
}

/// The bucket that counts so many nanoseconds.
fn bucket_of(nanoseconds: u64) -> usize {
    let below = (nanoseconds / STEPS as u64).checked_ilog2();
    let shift = below.unwrap_or(0) as usize;
    let bucket = shift * STEPS + (nanoseconds >> shift) as usize;
    bucket.min(BUCKETS - 1)
}

/// The first number of nanoseconds that a bucket does not count.
fn end_of(bucket: usize) -> u64 {
    let shift = (bucket / STEPS).saturating_sub(1);
    ((bucket - shift * STEPS + 1) as u64) << shift
}

/// Durations, counted in buckets: of whole nanoseconds up to 16, then of an eighth of a power of
/// two, up to 68 seconds; what took longer is in the last one. So what is told of them is at most
/// an eighth too long.
///
/// Buckets of this kind are known from HdrHistogram (Tene, 2012).
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    nanoseconds: u64,
}

impl Histogram {
    fn new() -> Self {
        Self {
            counts: Box::new([0; BUCKETS]),
            nanoseconds: 0,
        }
    }

    /// How many were timed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds)
    }

    /// Their mean. `None`: none was timed.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let count = NonZero::new(self.count())?;
        Some(Duration::from_nanos(self.nanoseconds / count))
    }

    /// What the part `quantile` of them, from 0 to 1, took at most: 0.5 gives the median, 0.99 what
    /// one in a hundred exceeds, 1 the bound of the longest. The end of a bucket, so up to an
    /// eighth too long. `None`: none was timed. Numbers outside are taken for the nearer bound,
    /// what is no number for 1.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        let count = self.count();
        let part = if quantile.is_nan() { 1.0 } else { quantile };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a rank: from 1 to the count, and about right beyond 2^53"
        )]
        let rank = ((part.clamp(0.0, 1.0) * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut passed = 0;
        let mut buckets = self.buckets();
        buckets.find_map(|(end, counted)| {
            passed += counted;
            (passed >= rank).then_some(end)
        })
    }

    /// The buckets that count something, the shortest first: each with the duration that it ends
    /// before, and how many it counts. For a program that hands them to another one.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let counts = self.counts.iter().enumerate();
        let counted = counts.filter(|&(_, &count)| count > 0);
        counted.map(|(bucket, &count)| (Duration::from_nanos(end_of(bucket)), count))
    }

    /// What was timed after an earlier look at the same.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = std::array::from_fn(|bucket| {
            self.counts[bucket].saturating_sub(earlier.counts[bucket])
        });
        Self {
            counts: Box::new(counts),
            nanoseconds: self.nanoseconds.saturating_sub(earlier.nanoseconds),
        }
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("median", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("longest", &self.quantile(1.0))
            .finish()
    }
}

/// How long what was done in a store has taken, of what was timed: see
/// [`Builder::latencies`](crate::Builder::latencies).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latencies {
    /// Views ([`Store::view`](crate::Store::view)), from their begin to their end: the caller's
    /// work in them is part of it. Not what is read by the guard of
    /// [`Store::read`](crate::Store::read).
    pub views: Histogram,
    /// Look-ups of one object in transactions: by its key, by a value of a unique index, or the
    /// first that a query finds. Not what a caller goes through with `find`; and not those in views
    /// and snapshots, which take less than two looks at the clock do, and of which each would take
    /// longer if it were asked whether it is to be timed.
    pub look_ups: Histogram,
    /// Updates, with all runs of their closure and what they waited between and for a proposer
    /// ([`Store::update`](crate::Store::update), also if it failed).
    pub updates: Histogram,
    /// Commits of something written, from when they are asked for until they are visible, tried
    /// in vain included. Of a store with a proposer, until they are on their way to it.
    pub commits: Histogram,
    /// Batches ([`Store::batch`](crate::Store::batch)).
    pub batches: Histogram,
    /// Proposals, from when they are made until they are answered
    /// ([`Builder::proposer`](crate::Builder::proposer)).
    pub proposals: Histogram,
}

/// What a shard has counted of one operation.
#[derive(Debug)]
struct Counter {
    counts: [Tally; BUCKETS],
    nanoseconds: Tally,
}

impl Counter {
    fn new() -> Self {
        Self {
            counts: std::array::from_fn(|_| Tally::new(0)),
            nanoseconds: Tally::new(0),
        }
    }

    fn count(&self, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        // Relaxed: figures.
        self.counts[bucket_of(nanoseconds)].fetch_add(1, Ordering::Relaxed);
        // Relaxed: as above.
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    fn add_to(&self, histogram: &mut Histogram) {
        for (sum, count) in histogram.counts.iter_mut().zip(&self.counts) {
            // Relaxed: figures.
            *sum += count.load(Ordering::Relaxed);
        }
        // Relaxed: as above.
        let nanoseconds = self.nanoseconds.load(Ordering::Relaxed);
        histogram.nanoseconds = histogram.nanoseconds.wrapping_add(nanoseconds);
    }
}

/// What threads count in together.
type Shard = Padded<[Counter; OPERATIONS]>;

/// What is timed in a store, and how often.
#[derive(Debug)]
pub(crate) struct Clocks {
    one_in: NonZero<u32>,
    /// A power of two of them.
    shards: Box<[Shard]>,
}

impl Clocks {
    pub(crate) fn new(one_in: NonZero<u32>) -> Self {
        let shards = parallelism().next_power_of_two().min(SHARDS_MAX);
        let shard = |_| Padded(std::array::from_fn(|_| Counter::new()));
        Self {
            one_in,
            shards: (0..shards).map(shard).collect(),
        }
    }

    /// Whether to time what begins now. A thread whose locals are gone times nothing.
    fn is_due(&self) -> bool {
        let chance = THREAD.try_with(Thread::chance);
        chance.is_ok_and(|chance| chance % self.one_in == 0)
    }

    #[cold]
    fn count(&self, operation: Operation, began: Instant) {
        let took = began.elapsed();
        let number = THREAD.try_with(Thread::number).unwrap_or(0);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "its lowest bits are wanted"
        )]
        let shard = number as usize & (self.shards.len() - 1);
        self.shards[shard][operation as usize].count(took);
    }

    pub(crate) fn read(&self) -> Latencies {
        let of = |operation: Operation| {
            let mut histogram = Histogram::new();
            for shard in &self.shards {
                shard[operation as usize].add_to(&mut histogram);
            }
            histogram
        };
        Latencies {
            views: of(Operation::View),
            look_ups: of(Operation::LookUp),
            updates: of(Operation::Update),
            commits: of(Operation::Commit),
            batches: of(Operation::Batch),
            proposals: of(Operation::Proposal),
        }
    }
}

/// What a thread keeps to time by.
struct Thread {
    /// Its own; 0: it has none yet.
    number: Cell<u64>,
    /// The last number that it drew.
    drawn: Cell<u64>,
}

impl Thread {
    const fn new() -> Self {
        Self {
            number: Cell::new(0),
            drawn: Cell::new(0),
        }
    }

    fn number(&self) -> u64 {
        if self.number.get() == 0 {
            self.number.set(unique());
        }
        self.number.get()
    }

    /// A number that the next one does not depend on, as far as timing goes: Marsaglia's xorshift
    /// (2003), the better half of it.
    fn chance(&self) -> u32 {
        let mut word = self.drawn.get();
        if word == 0 {
            // Not 0, from which there is no way on; an odd factor keeps threads apart.
            word = self.number().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        self.drawn.set(word);
        (word >> 32) as u32
    }
}

local!(THREAD: Thread = Thread::new());

/// When something began, if it is timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun(Option<Instant>);

impl Begun {
    pub(crate) const UNTIMED: Self = Self(None);

    /// Now, if it is its turn. Where nothing is timed this costs a look at a word.
    #[inline]
    pub(crate) fn now(clocks: Option<&Clocks>) -> Self {
        clocks.map_or(Self::UNTIMED, Self::drawn)
    }

    /// Now, if it is to be timed.
    #[inline]
    pub(crate) fn now_if(timed: bool) -> Self {
        Self(timed.then(Instant::now))
    }

    #[cold]
    fn drawn(clocks: &Clocks) -> Self {
        Self(clocks.is_due().then(Instant::now))
    }

    #[inline]
    pub(crate) fn is_timed(self) -> bool {
        self.0.is_some()
    }

    /// Counts it, if it is timed.
    #[inline]
    pub(crate) fn end(self, clocks: Option<&Clocks>, operation: Operation) {
        if let (Some(began), Some(clocks)) = (self.0, clocks) {
            clocks.count(operation, began);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_one_another_and_are_narrow() {
        let mut bucket = 0;
        for nanoseconds in (0..5000).chain((13..36).flat_map(|bits| {
            let power = 1_u64 << bits;
            [power - 1, power, power + 1, power + power / 3]
        })) {
            let next = bucket_of(nanoseconds);
            assert!(next >= bucket, "{nanoseconds}: {bucket}, {next}");
            bucket = next;
            let end = end_of(bucket);
            assert!(nanoseconds < end, "{nanoseconds} is below {end}");
            assert!(
                end <= nanoseconds + 1 + nanoseconds / 8,
                "{nanoseconds}: {end}"
            );
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        assert_eq!(end_of(BUCKETS - 1), 1 << OCTAVES);
        for bucket in 0..BUCKETS - 1 {
            assert_eq!(bucket_of(end_of(bucket)), bucket + 1);
            assert_eq!(bucket_of(end_of(bucket) - 1), bucket);
        }
    }

    fn of(durations: impl IntoIterator<Item = u64>) -> Histogram {
        let counter = Counter::new();
        for nanoseconds in durations {
            counter.count(Duration::from_nanos(nanoseconds));
        }
        let mut histogram = Histogram::new();
        counter.add_to(&mut histogram);
        histogram
    }

    #[test]
    fn quantiles_are_told_within_a_bucket() {
        let histogram = of(1..=1000);
        assert_eq!(
            (histogram.count(), histogram.sum()),
            (1000, Duration::from_nanos(500_500))
        );
        assert_eq!(histogram.mean(), Some(Duration::from_nanos(500)));
        for (quantile, exact) in [(0.0, 1), (0.001, 1), (0.5, 500), (0.99, 990), (1.0, 1000)] {
            let told = histogram
                .quantile(quantile)
                .expect("some were timed")
                .as_nanos();
            assert!(
                (exact + 1..=exact + 1 + exact / 8).contains(&told),
                "{quantile}: {told}"
            );
        }
        assert_eq!(histogram.quantile(-1.0), histogram.quantile(0.0));
        assert_eq!(histogram.quantile(f64::NAN), histogram.quantile(1.0));
        let buckets: Vec<_> = histogram.buckets().collect();
        assert!(buckets.windows(2).all(|two| two[0].0 < two[1].0));
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 1000);
    }

    #[test]
    fn nothing_timed_tells_nothing() {
        let histogram = of([]);
        assert_eq!((histogram.count(), histogram.mean()), (0, None));
        assert_eq!(
            (histogram.quantile(0.5), histogram.buckets().next()),
            (None, None)
        );
    }

    #[test]
    fn a_difference_is_what_came_since() {
        let (earlier, later) = (of([5, 100]), of([5, 100, 100, 7_000]));
        assert_eq!(later.since(&earlier), of([100, 7_000]));
    }

    #[test]
    fn about_one_in_so_many_is_timed() {
        let clocks = Clocks::new(NonZero::new(10).expect("not 0"));
        for _ in 0..100_000 {
            Begun::now(Some(&clocks)).end(Some(&clocks), Operation::View);
        }
        // Six standard deviations, of 95 each.
        let timed = clocks.read().views.count();
        assert!((9_430..=10_570).contains(&timed), "{timed}");
    }
}
