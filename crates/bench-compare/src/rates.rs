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
    /// Counters of tasks that were counted up.
    pub updates: u64,
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

fn read(operations: usize) -> Done {
    Done {
        operations: operations as u64,
        attempts: 1,
        updates: 0,
    }
}

/// a: point reads inside one open snapshot.
pub const READ_IN_ONE: Rate = rate(Spread::Uniform, 4096, |peer, picks| {
    black_box(peer.read_in_one(picks)?);
    Some(read(picks.len()))
});

/// b, and q on rows: a snapshot, one read, end.
pub const READ_EACH: Rate = rate(Spread::Uniform, 1024, |peer, picks| {
    black_box(peer.read_each(picks)?);
    Some(read(picks.len()))
});

/// c: a full scan in key order.
pub const SCAN_ALL: Rate = rate(Spread::Uniform, 1, |peer, _| {
    let scanned = black_box(peer.scan_all()?);
    Some(Done {
        operations: scanned.tasks,
        attempts: 1,
        updates: 0,
    })
});

/// d: a scan of 100 tasks.
pub const SCAN_SHORT: Rate = rate(Spread::Uniform, 64, |peer, picks| {
    black_box(peer.scan_each(picks, SHORT_SCAN)?);
    Some(read(picks.len()))
});

/// e, and r on rows: read-modify-write of one.
pub const UPDATE: Rate = rate(Spread::Uniform, 256, update);

fn update(peer: &dyn Peer, picks: &[u32]) -> Option<Done> {
    let attempts = peer.update_each(picks)?;
    let count = picks.len() as u64;
    Some(Done {
        operations: count,
        attempts,
        updates: count,
    })
}

/// f: ten of them in one transaction; g: 200 of them, which counts transactions.
pub const UPDATE_TEN: Rate = rate(Spread::Uniform, 10, together);
/// As above.
pub const UPDATE_BATCH: Rate = rate(Spread::Uniform, 200, together);

fn together(peer: &dyn Peer, picks: &[u32]) -> Option<Done> {
    let attempts = peer.update_together(picks)?;
    Some(Done {
        operations: 1,
        attempts,
        updates: picks.len() as u64,
    })
}

/// h: as e, on ten keys.
pub const UPDATE_HOT: Rate = rate(Spread::Few(HOT_TASKS), 256, update);

/// i: 95% reads of what is newest, 5% updates.
pub const MIXED: Rate = rate(Spread::Zipf, 16 * (READS_AN_UPDATE + 1), |peer, picks| {
    let mut done = read(picks.len());
    for some in picks.chunks(READS_AN_UPDATE + 1) {
        let (reads, updates) = some.split_at(READS_AN_UPDATE);
        black_box(peer.read_newest(reads)?);
        done.attempts = peer.update_each(updates)?.max(done.attempts);
        done.updates += updates.len() as u64;
    }
    Some(done)
});

/// s: a snapshot and its end.
pub const BEGIN_EACH: Rate = rate(Spread::Uniform, 1024, |peer, picks| {
    peer.begin_each(picks.len())?;
    Some(read(picks.len()))
});

/// o: point reads of rows, 100 a snapshot.
pub const ROWS_READ: Rate = rate(Spread::Uniform, 64 * READS_A_SNAPSHOT, read_hundreds);
/// p: the same on four rows.
pub const ROWS_READ_HOT: Rate = rate(Spread::Few(HOT_ROWS), 64 * READS_A_SNAPSHOT, read_hundreds);

fn read_hundreds(peer: &dyn Peer, picks: &[u32]) -> Option<Done> {
    for some in picks.chunks(READS_A_SNAPSHOT) {
        black_box(peer.read_in_one(some)?);
    }
    Some(read(picks.len()))
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
    done: Done,
    spent: Spent,
}

/// The seed of a thread's picks in a round: all stores meet the same picks in a round, and others
/// in the next. So a slow store, which comes to few of them, does not find the same ones in its
/// caches each time.
fn seed(round: u32, thread: usize) -> u64 {
    u64::from(round) << 32 | thread as u64
}

/// Runs a workload on a store for a while; `None`: the store cannot.
pub fn sample(
    peer: &dyn Peer,
    rate: &Rate,
    how: &How,
    threads: usize,
    round: u32,
) -> Option<Sample> {
    let parts = team::together(threads, |thread, ready| {
        let mut picks = Picks::draw(rate.spread, how.records, seed(round, thread));
        ready();
        part(peer, rate, how, &mut picks)
    });
    let parts: Vec<Part> = parts.into_iter().collect::<Option<_>>()?;
    let operations: u64 = parts.iter().map(|part| part.done.operations).sum();
    let ran: Duration = parts.iter().map(|part| part.spent.cpu).sum();
    let rate = |part: &Part| part.done.operations as f64 / part.spent.wall.as_secs_f64();
    Some(Sample {
        rate: parts.iter().map(rate).sum(),
        nanos: ran.as_nanos() as f64 / operations as f64,
        attempts: parts.iter().map(|part| part.done.attempts).max()?,
        updates: parts.iter().map(|part| part.done.updates).sum(),
    })
}

fn part(peer: &dyn Peer, rate: &Rate, how: &How, picks: &mut Picks) -> Option<Part> {
    let watch = Stopwatch::start();
    let mut sum = Done::default();
    while watch.spent_by(how.clock) < how.time {
        let some = (rate.run)(peer, picks.next(rate.chunk))?;
        sum.operations += some.operations;
        sum.attempts = sum.attempts.max(some.attempts);
        sum.updates += some.updates;
    }
    Some(Part {
        done: sum,
        spent: watch.spent(),
    })
}
