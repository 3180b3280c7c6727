//! The workloads that are rates: what is done, how picks are spread, and how often it was done in a
//! while, by one thread or more.

use std::hint::black_box;
use std::time::Duration;

use skep_measure::clock::{Clock, Spent, Stopwatch};
use skep_measure::team;

use crate::peers::Peer;
use crate::picks::{Picks, Spread};
use crate::samples::Sample;

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
    let scanned = black_box(peer.scan_all()?);
    Some(Done {
        operations: scanned.tasks,
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
    /// By which clock that is.
    pub clock: Clock,
}

/// What one thread did in a sample.
struct Part {
    operations: u64,
    attempts: u32,
    spent: Spent,
}

/// Runs a workload on a store for a while; `None`: the store cannot.
pub fn sample(peer: &dyn Peer, rate: &Rate, how: &How, threads: usize) -> Option<Sample> {
    let parts = team::together(threads, |thread, ready| {
        let mut picks = Picks::draw(rate.spread, how.records, thread as u64 + 1);
        ready();
        part(peer, rate, how, &mut picks)
    });
    let parts: Vec<Part> = parts.into_iter().collect::<Option<_>>()?;
    let operations: u64 = parts.iter().map(|part| part.operations).sum();
    let ran: Duration = parts.iter().map(|part| part.spent.cpu).sum();
    let rate = |part: &Part| part.operations as f64 / part.spent.wall.as_secs_f64();
    Some(Sample {
        rate: parts.iter().map(rate).sum(),
        nanos: ran.as_nanos() as f64 / operations as f64,
        attempts: parts.iter().map(|part| part.attempts).max()?,
    })
}

fn part(peer: &dyn Peer, rate: &Rate, how: &How, picks: &mut Picks) -> Option<Part> {
    let watch = Stopwatch::start();
    let mut sum = Done::default();
    while watch.spent_by(how.clock) < how.time {
        let some = (rate.run)(peer, picks.next(rate.chunk))?;
        sum.operations += some.operations;
        sum.attempts = sum.attempts.max(some.attempts);
    }
    Some(Part {
        operations: sum.operations,
        attempts: sum.attempts,
        spent: watch.spent(),
    })
}
