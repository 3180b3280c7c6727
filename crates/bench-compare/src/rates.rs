//! The workloads that are rates: what is done, how picks are spread, and how often it was done in a
//! while, by one thread or more.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::Duration;

use crate::clock::Clock;

use crate::peers::Peer;
use crate::picks::{Picks, Spread};

/// What came of some operations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// How many there were.
    pub operations: u64,
    /// The most attempts that one took.
    pub attempts: u32,
}

/// A workload that is a rate.
#[derive(Clone, Copy)]
pub struct Rate {
    /// How picks are spread.
    pub spread: Spread,
    /// Picks a call.
    pub chunk: usize,
    /// Does it for some picks; `None`: the store cannot.
    pub run: fn(&dyn Peer, &[u32]) -> Option<Done>,
}

/// Reads a read and update workload does between two updates.
const READS_AN_UPDATE: usize = 19;
/// Keys that everybody fights for in the contended workload.
pub const HOT_TASKS: u32 = 10;
/// The same for the reads of rows.
const HOT_ROWS: u32 = 4;
/// Reads in one snapshot of rows: what mvcc-core's bench does.
const READS_A_SNAPSHOT: usize = 100;
/// Tasks of a short scan.
const SHORT_SCAN: usize = 100;

const fn rate(spread: Spread, chunk: usize, run: fn(&dyn Peer, &[u32]) -> Option<Done>) -> Rate {
    Rate { spread, chunk, run }
}

fn done(operations: usize, attempts: u32) -> Done {
    Done {
        operations: operations as u64,
        attempts,
    }
}

/// a: point reads inside one open snapshot.
pub const READ_IN_ONE: Rate = rate(Spread::Uniform, 4096, |peer, picks| {
    black_box(peer.read_in_one(picks)?);
    Some(done(picks.len(), 1))
});

/// b, and q on rows: a snapshot, one read, end.
pub const READ_EACH: Rate = rate(Spread::Uniform, 1024, |peer, picks| {
    black_box(peer.read_each(picks)?);
    Some(done(picks.len(), 1))
});

/// c: a full scan in key order.
pub const SCAN_ALL: Rate = rate(Spread::Uniform, 1, |peer, _| {
    let operations = peer.scan_all()?;
    Some(Done {
        operations,
        attempts: 1,
    })
});

/// d: a scan of 100 tasks.
pub const SCAN_SHORT: Rate = rate(Spread::Uniform, 64, |peer, picks| {
    black_box(peer.scan_each(picks, SHORT_SCAN)?);
    Some(done(picks.len(), 1))
});

/// e, and r on rows: read-modify-write of one.
pub const UPDATE: Rate = rate(Spread::Uniform, 256, update);

fn update(peer: &dyn Peer, picks: &[u32]) -> Option<Done> {
    let attempts = peer.update_each(picks)?;
    Some(done(picks.len(), attempts))
}

/// f: ten of them in one transaction; g: 200 of them, which counts transactions.
pub const UPDATE_TEN: Rate = rate(Spread::Uniform, 10, together);
/// As above.
pub const UPDATE_BATCH: Rate = rate(Spread::Uniform, 200, together);

fn together(peer: &dyn Peer, picks: &[u32]) -> Option<Done> {
    let attempts = peer.update_together(picks)?;
    Some(done(1, attempts))
}

/// h: as e, on ten keys.
pub const UPDATE_HOT: Rate = rate(Spread::Few(HOT_TASKS), 256, update);

/// i: 95% reads, 5% updates.
pub const MIXED: Rate = rate(Spread::Zipf, 16 * (READS_AN_UPDATE + 1), |peer, picks| {
    let mut attempts = 0;
    for some in picks.chunks(READS_AN_UPDATE + 1) {
        let (reads, updates) = some.split_at(READS_AN_UPDATE);
        black_box(peer.read_each(reads)?);
        attempts = peer.update_each(updates)?.max(attempts);
    }
    Some(done(picks.len(), attempts))
});

/// s: a snapshot and its end.
pub const BEGIN_EACH: Rate = rate(Spread::Uniform, 1024, |peer, picks| {
    peer.begin_each(picks.len())?;
    Some(done(picks.len(), 1))
});

/// o: point reads of rows, 100 a snapshot.
pub const ROWS_READ: Rate = rate(Spread::Uniform, 64 * READS_A_SNAPSHOT, read_hundreds);
/// p: the same on four rows.
pub const ROWS_READ_HOT: Rate = rate(Spread::Few(HOT_ROWS), 64 * READS_A_SNAPSHOT, read_hundreds);

fn read_hundreds(peer: &dyn Peer, picks: &[u32]) -> Option<Done> {
    for some in picks.chunks(READS_A_SNAPSHOT) {
        black_box(peer.read_in_one(some)?);
    }
    Some(done(picks.len(), 1))
}

/// How long samples are, of how many records, by which clock.
#[derive(Clone, Copy, Debug)]
pub struct How {
    /// Tasks in each store.
    pub records: u32,
    /// How long one sample takes.
    pub time: Duration,
    /// What time is.
    pub clock: Clock,
}

/// A figure of one round.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Operations a second, of all threads together.
    pub rate: f64,
    /// The most attempts that an operation took.
    pub attempts: u32,
}

/// Runs a workload on a store for a while.
pub fn sample(peer: &dyn Peer, rate: &Rate, how: &How, threads: usize) -> Option<Sample> {
    let (records, time, clock) = (how.records, how.time, how.clock);
    let barrier = Barrier::new(threads);
    let one = &|thread: usize| {
        let mut picks = Picks::draw(rate.spread, records, thread as u64 + 1);
        barrier.wait();
        let start = clock.now();
        let mut sum = Done::default();
        loop {
            let some = (rate.run)(peer, picks.next(rate.chunk))?;
            sum.operations += some.operations;
            sum.attempts = sum.attempts.max(some.attempts);
            let spent = clock.now() - start;
            if spent >= time {
                let rate = sum.operations as f64 / spent.as_secs_f64();
                return Some(Sample {
                    rate,
                    attempts: sum.attempts,
                });
            }
        }
    };
    let samples: Option<Vec<Sample>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|thread| scope.spawn(move || one(thread)))
            .collect();
        let own = one(0);
        let others = others
            .into_iter()
            .map(|other| other.join().expect("a worker panicked"));
        std::iter::once(own).chain(others).collect()
    });
    let samples = samples?;
    Some(Sample {
        rate: samples.iter().map(|sample| sample.rate).sum(),
        attempts: samples
            .iter()
            .map(|sample| sample.attempts)
            .max()
            .unwrap_or(0),
    })
}
