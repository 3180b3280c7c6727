//! How long single reads take while something else goes on: what the program `tails` measures.
//!
//! A read is a view, one task by its key, and the view's end. Each is timed by itself, one after
//! the other, on a thread that does nothing else; so a read that waits delays those after it, and
//! the tail is that of a reader who always reads. After each read the same timer times nothing:
//! what that takes is the machine's doing, and no read can be better.

pub mod beside;

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use skep::{Snapshot, Store};
use skep_measure::timer::Timer;
use skep_measure::times::{Times, no_times};

use self::beside::Beside;
use crate::{Task, id, pick};

/// Reads between two looks at how long it has gone.
const READS: u64 = 256;
/// Reads before those that count.
const WARM_UP: u64 = 10_000;

/// What was measured beside something.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Of reads.
    pub reads: Times,
    /// Of nothing, between them.
    pub nothing: Times,
    /// What was done beside them: how many commits, or rounds of collection.
    pub done: u64,
    /// How long that went.
    pub time: Duration,
}

impl Measured {
    /// Nothing yet.
    #[must_use]
    pub fn none() -> Self {
        Self {
            reads: no_times(),
            nothing: no_times(),
            done: 0,
            time: Duration::ZERO,
        }
    }

    /// Adds another round.
    ///
    /// # Panics
    /// Never: histograms grow.
    pub fn add(&mut self, other: &Self) {
        self.reads.add(&other.reads).expect("it grows");
        self.nothing.add(&other.nothing).expect("it grows");
        self.done += other.done;
        self.time += other.time;
    }
}

/// What is read: the newest version, by a view each time, or one that is held.
enum Source<'s> {
    Newest(&'s Store),
    Held(&'s Snapshot),
}

impl Source<'_> {
    fn read(&self, time: u64) -> u64 {
        let id = id(pick(0, time));
        match self {
            Self::Newest(store) => store.read().get::<Task>(&id).map_or(0, |task| task.count),
            Self::Held(snapshot) => snapshot.get::<Task>(&id).map_or(0, |task| task.count),
        }
    }
}

/// Reads for some time beside something, in a [store](crate::store) of which nobody else knows.
///
/// # Panics
/// If what goes on beside does.
#[must_use]
pub fn measure(store: &Store, timer: &Timer, beside: Beside, time: Duration) -> Measured {
    let held = beside.holds().then(|| store.snapshot());
    let source = match &held {
        Some(snapshot) if beside.reads_the_held_one() => Source::Held(snapshot),
        _ => Source::Newest(store),
    };
    let ending = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let others = beside.threads().iter().map(|work| {
            let ending = &ending;
            scope.spawn(move || {
                let mut done = 0;
                loop {
                    work(store, done);
                    done += 1;
                    if ending.load(Ordering::Relaxed) {
                        return done;
                    }
                }
            })
        });
        let others: Vec<_> = others.collect();
        let _ending = Ending(&ending);
        let mut measured = read_for(&source, timer, time);
        ending.store(true, Ordering::Relaxed);
        let done = others.into_iter().map(|other| other.join());
        measured.done = done.map(|done| done.expect("it does not panic")).sum();
        measured
    })
}

/// Ends what goes on beside, however this is left.
struct Ending<'e>(&'e AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn read_for(source: &Source<'_>, timer: &Timer, time: Duration) -> Measured {
    for number in 0..WARM_UP {
        black_box(source.read(number));
    }
    let mut measured = Measured::none();
    let begun = Instant::now();
    let mut number = WARM_UP;
    while begun.elapsed() < time {
        for _ in 0..READS {
            let took = timer.time(|| black_box(source.read(number)));
            measured.reads.saturating_record(took);
            measured.nothing.saturating_record(timer.time(|| ()));
            number += 1;
        }
    }
    measured.time = begun.elapsed();
    measured
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    #[test]
    fn beside_everything_reads_are_timed_and_what_is_beside_goes_on() {
        let (store, timer) = (store(), Timer::calibrated());
        for beside in Beside::ALL {
            let measured = measure(&store, &timer, beside, Duration::from_millis(20));
            assert!(!measured.reads.is_empty(), "{beside}");
            assert_eq!(measured.reads.len(), measured.nothing.len(), "{beside}");
            assert!(measured.reads.max() >= measured.reads.value_at_quantile(0.5));
            let is_alone = beside == Beside::Nothing;
            assert_eq!(measured.done == 0, is_alone, "{beside}: {}", measured.done);
        }
    }

    #[test]
    fn rounds_add_up() {
        let mut all = Measured::none();
        for time in [10, 5_000_000_000] {
            let mut round = Measured::none();
            round.reads.saturating_record(time);
            round.done = 1;
            all.add(&round);
        }
        assert_eq!((all.reads.len(), all.done), (2, 2));
        assert!(
            all.reads.max() >= 5_000_000_000,
            "long times are kept: {}",
            all.reads.max()
        );
    }
}
