//! Schedules: which thread goes on at each step, all of it drawn from one number, the seed.
//!
//! Half of the seeds give a *random* schedule: at each step any thread may go on, with a leaning
//! towards the one that runs, stronger or weaker by the seed. The other half give one of
//! *priorities* (PCT: Burckhardt and others, "A Randomized Scheduler with Probabilistic Guarantees
//! of Finding Bugs", ASPLOS 2010): the thread of the highest priority goes on, but at a few steps
//! that the seed names the one that runs becomes the lowest. It finds what needs a thread to stop
//! in one place while others do much.
//!
//! How long an execution will be is not known; the paper takes it for given. Here the steps of
//! change are drawn below a power of two that the seed draws as well, so that an execution depends
//! on nothing but its seed. Who yields becomes the lowest, too, else a bounded wait would only be
//! waited out.
//!
//! A thread that is parked may wake without being called. One of two seeds never does that: then a
//! call that is lost is not made up for, and ends as a deadlock.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

use crate::explore::Trace;

/// Priorities that are lower than any that a thread begins with.
const LOW: u64 = 1 << 32;
/// Changes of priority, and steps below which they are: two to the power of these.
const CHANGES_MAX: u64 = 4;
const LENGTH_BITS: std::ops::RangeInclusive<u64> = 6..=13;

/// Random numbers: splitmix64.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[derive(Debug)]
enum Kind {
    /// One of so many steps looks for another thread; 1: each does.
    Random { one_in: u64 },
    /// The lower the number, the higher the priority. The steps of change come in order.
    Priorities {
        of: Vec<u64>,
        lowest: u64,
        changes: Vec<u64>,
    },
}

/// The schedule of one execution.
#[derive(Debug)]
pub struct OneSeed {
    seed: Option<u64>,
    random: Random,
    kind: Kind,
    wakes_uncalled: bool,
    steps: u64,
    trace: Trace,
}

impl OneSeed {
    pub fn new(seed: u64, trace: Trace) -> Self {
        let mut random = Random::new(seed);
        let kind = match random.below(2) {
            0 => Kind::Random {
                one_in: [1, 2, 8, 32][random.below(4) as usize],
            },
            _ => priorities(&mut random),
        };
        Self {
            seed: Some(seed),
            wakes_uncalled: random.below(2) == 0,
            random,
            kind,
            steps: 0,
            trace,
        }
    }
}

fn priorities(random: &mut Random) -> Kind {
    let bits = LENGTH_BITS.end() - LENGTH_BITS.start() + 1;
    let length = 1 << (LENGTH_BITS.start() + random.below(bits));
    let count = random.below(CHANGES_MAX + 1);
    let mut changes: Vec<u64> = (0..count).map(|_| 1 + random.below(length)).collect();
    changes.sort_unstable();
    Kind::Priorities {
        of: Vec::new(),
        lowest: LOW,
        changes,
    }
}

impl Scheduler for OneSeed {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.seed.take().map(Schedule::new)
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        self.steps += 1;
        let ready = |task: &&&Task| self.wakes_uncalled || !task.blocked();
        let mut tasks: Vec<TaskId> = runnable.iter().filter(ready).map(|it| it.id()).collect();
        if tasks.is_empty() {
            tasks = runnable.iter().map(|task| task.id()).collect();
        }
        let chosen = self.choose(&tasks, current, is_yielding);
        self.trace.add(usize::from(chosen) as u64);
        Some(chosen)
    }

    fn next_u64(&mut self) -> u64 {
        self.random.next()
    }
}

impl OneSeed {
    fn choose(&mut self, tasks: &[TaskId], current: Option<TaskId>, is_yielding: bool) -> TaskId {
        match &mut self.kind {
            Kind::Random { one_in } => {
                let stays = current.filter(|task| !is_yielding && tasks.contains(task));
                match stays {
                    Some(task) if self.random.below(*one_in) != 0 => task,
                    _ => tasks[self.random.below(tasks.len() as u64) as usize],
                }
            }
            Kind::Priorities {
                of,
                lowest,
                changes,
            } => {
                let count = tasks.iter().map(|task| usize::from(*task) + 1).max();
                while of.len() < count.unwrap_or_default() {
                    of.push(self.random.below(LOW));
                }
                let changes_now = changes.first().is_some_and(|step| *step <= self.steps);
                if changes_now {
                    changes.remove(0);
                }
                if let Some(task) = current.filter(|_| changes_now || is_yielding)
                    && let Some(priority) = of.get_mut(usize::from(task))
                {
                    *lowest += 1;
                    *priority = *lowest;
                }
                let first = tasks.iter().min_by_key(|task| of[usize::from(**task)]);
                *first.expect("somebody can run")
            }
        }
    }
}
