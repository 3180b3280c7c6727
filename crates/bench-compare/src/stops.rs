//! m: a thread stopped at random instants, and how often others then make no progress.
//!
//! Three threads work on the same hot keys without a pause: the victim and the writer update them
//! one by one, the reader reads them. Every few milliseconds the victim is stopped where it stands.
//! The writer and the reader are then each to finish some operations by a deadline. Who has not,
//! and in as much time again finishes not a single one, counts as stopped, too; so a machine with
//! other work to do, which only delays, stops nobody. Then the victim is released, and the next
//! stop waits until all three have gone on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::pthread::Pthread;

use crate::peers::{Kind, Peer};
use crate::rates::HOT_TASKS;
use crate::special::{Figures, Scale};
use crate::suspend::{current, stop};

/// What the writer and the reader are to finish beside a stopped thread.
const OPERATIONS: u64 = 100;
/// In this time.
const DEADLINE: Duration = Duration::from_millis(100);
/// The victim runs at most so long before it is stopped.
const RUN_MICROS_MAX: u64 = 3000;
/// How long those that a stopped thread stopped may take to go on after its release.
const RELEASE_MAX: Duration = Duration::from_secs(60);
/// How often progress is looked at.
const LOOK: Duration = Duration::from_micros(200);

/// The figures' names.
pub const WRITERS: &str = "writers stopped";
/// As above.
pub const READERS: &str = "readers stopped";

/// A thread's operations, counted on a line of its own.
#[derive(Default)]
#[repr(align(128))]
struct Progress(AtomicU64);

impl Progress {
    fn done(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the threads share.
struct Work<'p> {
    peer: &'p dyn Peer,
    ending: AtomicBool,
    victim: Progress,
    writer: Progress,
    reader: Progress,
}

/// Ends the work however it is left.
struct Ending<'w>(&'w AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Updates a task, or puts it anew where a store can do no more.
fn write(peer: &dyn Peer, pick: u32) -> Option<()> {
    let updated = peer.update_each(&[pick]).map(drop);
    updated.or_else(|| peer.insert(u64::from(pick)))
}

fn read(peer: &dyn Peer, pick: u32) -> Option<()> {
    std::hint::black_box(peer.read_each(&[pick])?);
    Some(())
}

impl Work<'_> {
    /// Goes round the hot keys until the end.
    fn run(&self, progress: &Progress, operation: fn(&dyn Peer, u32) -> Option<()>) {
        for pick in (0..HOT_TASKS).cycle() {
            if self.ending.load(Ordering::Relaxed) || operation(self.peer, pick).is_none() {
                return;
            }
            progress.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits, not for ever, until each has done so many more; whether each has.
    fn wait<const N: usize>(
        progress: [(&Progress, u64); N],
        least: u64,
        time: Duration,
    ) -> [bool; N] {
        let start = Instant::now();
        loop {
            let done = progress.map(|(progress, before)| progress.done() >= before + least);
            if !done.contains(&false) || start.elapsed() > time {
                return done;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Stops the victim once; whether the writer and the reader stopped with it.
    fn stop(&self, victim: Pthread) -> std::io::Result<[bool; 2]> {
        let stopped = stop(victim)?;
        let both = [&self.writer, &self.reader];
        let by_deadline = Self::wait(both.map(|one| (one, one.done())), OPERATIONS, DEADLINE);
        let once_more = Self::wait(both.map(|one| (one, one.done())), 1, DEADLINE);
        drop(stopped);
        let stood = [0, 1].map(|at| !by_deadline[at] && !once_more[at]);
        let all = [&self.victim, &self.writer, &self.reader];
        let went_on = Self::wait(all.map(|one| (one, one.done())), 1, RELEASE_MAX);
        assert_eq!(went_on, [true; 3], "who was released goes on");
        Ok(stood)
    }
}

/// m: stops a thread at random instants.
pub fn stops(kind: &Kind, scale: &Scale) -> Option<Figures> {
    let peer = (kind.load)(scale.records.max(HOT_TASKS));
    write(&*peer, 0)?;
    read(&*peer, 0)?;
    let work = &Work {
        peer: &*peer,
        ending: AtomicBool::new(false),
        victim: Progress::default(),
        writer: Progress::default(),
        reader: Progress::default(),
    };
    let stood = std::thread::scope(|scope| {
        let _ending = Ending(&work.ending);
        let (tell, told) = mpsc::channel();
        scope.spawn(move || {
            tell.send(current()).expect("it is waited for");
            work.run(&work.victim, write);
        });
        scope.spawn(|| work.run(&work.writer, write));
        scope.spawn(|| work.run(&work.reader, read));
        let victim = told.recv().expect("the victim tells who it is");
        let mut random = fastrand::Rng::with_seed(u64::from(scale.stops));
        let mut stood = [0_u32; 2];
        for _ in 0..scale.stops {
            std::thread::sleep(Duration::from_micros(random.u64(..RUN_MICROS_MAX)));
            let now = work.stop(victim).expect("a signal can be sent");
            stood = [0, 1].map(|at| stood[at] + u32::from(now[at]));
        }
        stood
    });
    let figures = [WRITERS, READERS].into_iter().zip(stood.map(f64::from));
    Some(figures.collect())
}
