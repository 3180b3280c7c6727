//! The timekeeper: lets the trace's time pass.
//!
//! It walks the timeline and lets creations and endings come due, several at a time: it begins
//! their activities, moves the store's clock to the last of them, and lets submitters create.
//! Endings need nothing more: agents see the clock.
//!
//! # How fast
//!
//! With a speed, an entry comes due when as much simulated time has passed. Without one, and also
//! when the replay cannot keep up with the speed, what holds time back is this alone:
//!
//! - At most [`ACTIVITIES_MAX`] activities are open at once. So the schedulers always have some
//!   tasks to race for, and what happens within the trace's next few hundred entries may happen
//!   out of the trace's order, as it does in a real cluster.
//! - A task's ending comes due when the task runs, not while it is still on its way there. So no
//!   task misses its turn because its scheduler was slow.
//! - If the task waits for room at its ending, time stands until the replay is quiet: everything
//!   that ended earlier has freed its room, and all of that room was given away. If the task
//!   still waits then, there was no room for it as long as it was wanted; it is deleted.
//! - The audit follows every commit. Time waits for it when it is far behind.
//!
//! # Why the replay ends
//!
//! The timeline is finite. What an entry waits for is that activities end, and each ends after
//! finitely many commits of its own: a task in the queue is placed or waits; an assigned task is
//! run by its agent; an ended task is deleted; an offer of room ends when nothing more fits,
//! which each placement brings nearer. A fault that breaks this does not hang the replay: if the
//! store stands still for [`STALL_MAX`], it is reported and the replay stops.

use std::time::{Duration, Instant};

use super::Run;
use super::commit::Committer;
use super::measure::{Counters, Latencies};
use super::reap::withdraw;
use crate::books::fault::Fault;
use crate::cluster::amounts::{Seconds, Sequence};
use crate::cluster::timeline::{Ending, Entry, Happening};
use crate::objects::clock::Clock;
use crate::objects::task::{State, Task};

/// The most activities that are open at once.
pub const ACTIVITIES_MAX: usize = 256;
/// How far the audit may be behind, in commits.
const AUDIT_BEHIND_MAX: u64 = 100_000;
/// How long the store may stand still while something is to be done.
const STALL_MAX: Duration = Duration::from_secs(60);
/// How long the timekeeper waits before it looks again whether anything has changed.
const LOOK_UP: Duration = Duration::from_millis(100);
/// What counts at most of the time between two looks: if more has passed, the process itself was
/// stopped, as by a terminal, and not the store.
const BETWEEN_LOOKS_MAX: Duration = Duration::from_secs(1);

/// How fast time passes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As fast as the replay goes.
    Fastest,
    /// So many simulated seconds in a second.
    Speed(f64),
}

/// What the timeline allows next.
enum Next {
    /// Nothing before something changes, or this time has passed.
    Nothing(Duration),
    /// So many entries, of which so many are creations.
    Entries { count: usize, creations: u32 },
    /// The next entry is the ending of a task that waits and will not have room before it.
    Withdraw(Sequence),
    /// The timeline is over and all is quiet.
    Over,
}

/// Lets time pass.
pub struct Timekeeper<'r> {
    run: &'r Run,
    committer: Committer<'r>,
    pace: Pace,
    began: Instant,
    /// How many entries of the timeline have come due.
    passed: usize,
    due_before: Ending,
}

impl<'r> Timekeeper<'r> {
    /// A timekeeper at the timeline's beginning.
    pub fn new(run: &'r Run, pace: Pace) -> Self {
        let committer = Committer::new(run);
        let due_before = Ending::default();
        Self {
            run,
            committer,
            pace,
            began: Instant::now(),
            passed: 0,
            due_before,
        }
    }

    /// Lets time pass until the timeline is over and all is quiet, or the replay stops.
    pub fn keep(mut self) -> Result<Latencies, Fault> {
        let mut stall = Stall::new(self.run);
        while !self.run.flow.stopping() {
            let (activities, ended) = self.run.flow.activities();
            match self.next(activities) {
                Next::Over => {
                    self.run.completed();
                    break;
                }
                Next::Nothing(wait) => {
                    self.run.flow.wait_for_calm(ended, wait.min(LOOK_UP));
                    stall.look(self.run, activities)?;
                }
                Next::Entries { count, creations } => self.pass(count, creations)?,
                Next::Withdraw(task) => self.withdraw(task)?,
            }
        }
        Ok(self.committer.latencies)
    }

    /// What may come due now, with so many activities open.
    fn next(&self, activities: usize) -> Next {
        let entries = &self.run.timeline.entries()[self.passed..];
        let Some(first) = entries.first() else {
            return if activities == 0 {
                Next::Over
            } else {
                Next::Nothing(LOOK_UP)
            };
        };
        let behind = self
            .run
            .store
            .version()
            .get()
            .saturating_sub(self.run.audited().get());
        if behind > AUDIT_BEHIND_MAX {
            return Next::Nothing(Duration::from_millis(1));
        }
        let (mut count, mut creations) = (0, 0);
        for entry in entries
            .iter()
            .take(ACTIVITIES_MAX.saturating_sub(activities))
        {
            if !self.wait_for(entry.at).is_zero() {
                break;
            }
            match entry.what {
                Happening::Creation => creations += 1,
                Happening::Ending(_) => match self.state_of(entry.task) {
                    Some(State::Running) => {}
                    Some(State::Waiting) if count == 0 && activities == 0 => {
                        return Next::Withdraw(entry.task);
                    }
                    _ => break,
                },
            }
            count += 1;
        }
        match count {
            0 => Next::Nothing(self.wait_for(first.at).max(Duration::from_millis(1))),
            count => Next::Entries { count, creations },
        }
    }

    /// How long until a simulated time.
    fn wait_for(&self, at: Seconds) -> Duration {
        let Pace::Speed(speed) = self.pace else {
            return Duration::ZERO;
        };
        let (start, _) = self.run.timeline.span();
        let due = at.since(start).0 as f64 / speed;
        // Longer waits than a year are cut: the wait is looked at again anyway.
        let due = Duration::from_secs_f64(due.min(86_400.0 * 365.0));
        due.saturating_sub(self.began.elapsed())
    }

    fn state_of(&self, task: Sequence) -> Option<State> {
        let id = self.run.task_id(task);
        self.run
            .store
            .view(|view| view.get::<Task>(&id).map(|task| task.state))
    }

    /// Lets the next entries come due.
    fn pass(&mut self, count: usize, creations: u32) -> Result<(), Fault> {
        // The activities begin before the clock lets anyone end one.
        self.run.flow.begin(count);
        self.move_clock(count)?;
        self.run.flow.release(creations);
        Ok(())
    }

    /// Moves the store's clock past the next entries.
    fn move_clock(&mut self, count: usize) -> Result<(), Fault> {
        let passed = &self.run.timeline.entries()[self.passed..][..count];
        let ended = |entry: &Entry| match entry.what {
            Happening::Ending(ending) => Some(ending),
            Happening::Creation => None,
        };
        if let Some(last) = passed.iter().rev().find_map(ended) {
            self.due_before = last.next();
        }
        let now = passed.last().expect("time passes by at least one entry").at;
        let clock = Clock::at(now, self.due_before);
        self.committer.commit(|tx| Ok(tx.upsert(clock.clone())?))?;
        self.passed += count;
        self.run.progress_time(now, self.passed);
        Ok(())
    }

    /// Lets the ending of a task come due that never had room.
    fn withdraw(&mut self, task: Sequence) -> Result<(), Fault> {
        self.move_clock(1)?;
        if withdraw(&mut self.committer, self.run.task_id(task))? {
            Counters::add(&self.run.counters.withdrawn, 1);
            return Ok(());
        }
        let state = self.state_of(task);
        Err(Fault::Stirred {
            task: self.run.cluster.task(task).name.to_string(),
            state,
        })
    }
}

/// Notices when nothing moves any more.
struct Stall {
    version: skep::Version,
    activities: usize,
    looked: Instant,
    /// How long the store has stood still.
    stood: Duration,
}

impl Stall {
    fn new(run: &Run) -> Self {
        Self {
            version: run.store.version(),
            activities: 0,
            looked: Instant::now(),
            stood: Duration::ZERO,
        }
    }

    /// Fails when activities have been open and the store has stood still for too long.
    fn look(&mut self, run: &Run, activities: usize) -> Result<(), Fault> {
        self.look_at(run.store.version(), activities, Instant::now())
    }

    fn look_at(
        &mut self,
        version: skep::Version,
        activities: usize,
        now: Instant,
    ) -> Result<(), Fault> {
        let stands = activities != 0 && (version, activities) == (self.version, self.activities);
        let passed = now.saturating_duration_since(self.looked);
        *self = Self {
            version,
            activities,
            looked: now,
            stood: match stands {
                true => self.stood + passed.min(BETWEEN_LOOKS_MAX),
                false => Duration::ZERO,
            },
        };
        if self.stood > STALL_MAX {
            return Err(Fault::Stalled {
                version,
                activities,
                after: STALL_MAX,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::run;

    #[test]
    fn a_store_stalls_and_a_process_that_is_stopped_does_not() {
        let run = run(Vec::new(), Vec::new());
        let mut stall = Stall::new(&run);
        let (version, mut now) = (run.store.version(), Instant::now());
        let mut look = |activities: usize, seconds: u64| {
            now += Duration::from_secs(seconds);
            stall.look_at(version, activities, now).is_ok()
        };
        assert!(look(1, 0));
        // Stopped for an hour, now and then.
        assert!((0..30).all(|_| look(1, 3_600)));
        // Nothing is to be done, or something has been done.
        assert!(look(0, 1) && look(1, 1));
        assert!((0..60).all(|_| look(1, 1)));
        assert!(look(2, 1));
        assert!((0..60).all(|_| look(2, 1)));
        assert!(!look(2, 1), "for more than a minute");
    }
}
