//! A scheduler: takes tasks from the queue, chooses nodes and commits the placements.
//!
//! Several run at once and share nothing but the store, so they race: for tasks, since when the
//! queue is short they all try the same; and for nodes, since the best node for one task is often
//! the best for the next. A placement is chosen on a snapshot and committed in a transaction that
//! reads the task and the node again. If another commit changed either, the store runs it again,
//! and it places the task, or finds that it came too late.
//!
//! # No room
//!
//! When a snapshot shows no node with room, the search is done again inside the transaction that
//! lets the task wait. Its ranges are validated, so the task waits only if there was no room at
//! the very version at which it began to wait: room that is freed later sees it waiting. Freed
//! room is offered to one scheduler, which gives it to waiting tasks, oldest first, until none
//! fits. So when the replay is quiet no task waits for which there is room; the books check this.

use skep::{Id, Snapshot, Transaction};

use super::Run;
use super::choose::choose;
use super::commit::Committer;
use super::flow::Work;
use super::measure::{Counters, Latencies};
use crate::books::fault::Fault;
use crate::cluster::amounts::Sequence;
use crate::cluster::demand::Class;
use crate::objects::node::Node;
use crate::objects::task::{State, Task};

/// How much of the queue a scheduler looks at in one go.
const QUEUE_LOOK_MAX: usize = 64;
/// How often a scheduler chooses on a snapshot and comes too late, before it chooses inside the
/// transaction, where it cannot.
const CHOICES_MAX: usize = 16;

/// What became of a transaction that was to place a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    /// It is placed.
    Placed,
    /// It waits: no node has room.
    Waits,
    /// Another scheduler had it first.
    TaskLost,
    /// The node's room went to another task.
    RoomLost,
}

/// One of several schedulers.
pub struct Scheduler<'r> {
    run: &'r Run,
    committer: Committer<'r>,
    /// Which of how many it is, for its place in the queue.
    number: usize,
    of: usize,
}

impl<'r> Scheduler<'r> {
    /// The scheduler with a number below `of`.
    pub fn new(run: &'r Run, number: usize, of: usize) -> Self {
        Self {
            run,
            committer: Committer::new(run),
            number,
            of,
        }
    }

    /// Places tasks until the replay stops.
    pub fn schedule(mut self) -> Result<Latencies, Fault> {
        let mut queued = 0;
        loop {
            match self.run.flow.next_work(queued) {
                Work::Stop => return Ok(self.committer.latencies),
                Work::Offer(node) => {
                    self.fill(node)?;
                    self.run.flow.end();
                }
                Work::Queue(number) => {
                    if self.look_at_queue()? {
                        queued = number;
                    }
                }
            }
        }
    }

    /// Places this scheduler's part of the queue. True when the queue was empty.
    fn look_at_queue(&mut self) -> Result<bool, Fault> {
        let run = self.run;
        let queue: Vec<Id> = run.store.view(|view| {
            view.find(Task::BY_QUEUED.all().limit(QUEUE_LOOK_MAX))
                .map(|task| task.id)
                .collect()
        });
        // Each begins at its own place of the queue; when it is shorter than there are
        // schedulers, several try the same task.
        let first = self.number * queue.len() / self.of;
        let share = queue.len().div_ceil(self.of);
        for &task in queue.iter().skip(first).take(share) {
            if run.flow.stopping() || run.flow.has_offers() {
                return Ok(false);
            }
            self.place(task)?;
        }
        Ok(queue.is_empty())
    }

    /// Places a task of the queue, or lets it wait.
    fn place(&mut self, id: Id) -> Result<(), Fault> {
        for choice in 1.. {
            let chosen = self.committer.latencies.choose.time(|| {
                let snapshot = self.run.store.snapshot();
                let task = snapshot
                    .get::<Task>(&id)
                    .filter(|task| task.state == State::Pending)?;
                Some(choose(&snapshot, &task.demand))
            });
            let Some(chosen) = chosen else {
                Counters::add(&self.run.counters.tasks_lost, 1);
                return Ok(());
            };
            let now = || self.run.now();
            let placement = match chosen.filter(|_| choice < CHOICES_MAX) {
                Some(node) => self
                    .committer
                    .commit(|tx| place_on(tx, id, State::Pending, node, now()))?,
                None => self.committer.commit(|tx| place_or_wait(tx, id, now()))?,
            };
            match placement {
                Placement::Placed => Counters::add(&self.run.counters.placed, 1),
                // It is not this scheduler's to place any more, and nobody's until room is freed.
                Placement::Waits => self.run.flow.end(),
                Placement::TaskLost => Counters::add(&self.run.counters.tasks_lost, 1),
                Placement::RoomLost => {
                    Counters::add(&self.run.counters.room_lost, 1);
                    continue;
                }
            }
            return Ok(());
        }
        unreachable!("the loop has no end of its own")
    }

    /// Gives a node's room to waiting tasks, oldest first, until none fits.
    fn fill(&mut self, node: Id) -> Result<(), Fault> {
        let run = self.run;
        while !run.flow.stopping() {
            let snapshot = run.store.snapshot();
            let Some(task) = self.oldest_that_fits(&snapshot, node) else {
                break;
            };
            // The task to place is an activity from now on, as one from the queue is.
            run.flow.begin(1);
            let now = || run.now();
            let placement = self
                .committer
                .commit(|tx| place_on(tx, task, State::Waiting, node, now()))?;
            match placement {
                Placement::Placed => {
                    Counters::add(&run.counters.placed, 1);
                    Counters::add(&run.counters.placed_after_wait, 1);
                    continue;
                }
                Placement::RoomLost => Counters::add(&run.counters.room_lost, 1),
                _ => Counters::add(&run.counters.tasks_lost, 1),
            }
            run.flow.end();
        }
        Ok(())
    }

    /// The oldest waiting task that fits a node.
    fn oldest_that_fits(&self, snapshot: &Snapshot, node: Id) -> Option<Id> {
        let node = snapshot.get::<Node>(&node)?;
        let demands = self.run.cluster.demands.iter().enumerate();
        let fitting = demands.filter(|(_, demand)| node.fits(demand));
        let oldest = fitting.filter_map(|(class, _)| {
            let class = Class(class as u32);
            let waiting = (class, Sequence(0))..(class.next(), Sequence(0));
            snapshot.first(Task::BY_WAITING.range(waiting))
        });
        oldest.min_by_key(|task| task.sequence).map(|task| task.id)
    }
}

/// Places a task that is in `state` on a node, if both are still so that it can be.
fn place_on(
    tx: &mut Transaction<'_>,
    task: Id,
    state: State,
    node: Id,
    now: crate::objects::task::Moment,
) -> Result<Placement, skep::Error> {
    let Some(task) = tx.get::<Task>(&task).filter(|task| task.state == state) else {
        return Ok(Placement::TaskLost);
    };
    let Some(mut node) = tx.get::<Node>(&node).cloned() else {
        return Ok(Placement::RoomLost);
    };
    let Some(gpus) = node.take(&task.demand) else {
        return Ok(Placement::RoomLost);
    };
    let task = task.rewritten(now, |task| task.assign(node.id, gpus));
    tx.update(node)?;
    tx.update(task)?;
    Ok(Placement::Placed)
}

/// Places a pending task on the best node, or lets it wait if none has room.
fn place_or_wait(
    tx: &mut Transaction<'_>,
    id: Id,
    now: crate::objects::task::Moment,
) -> Result<Placement, skep::Error> {
    let Some(task) = tx
        .get::<Task>(&id)
        .filter(|task| task.state == State::Pending)
    else {
        return Ok(Placement::TaskLost);
    };
    if let Some(node) = choose(&*tx, &task.demand) {
        return place_on(tx, id, State::Pending, node, now);
    }
    let task = task.rewritten(now, Task::wait);
    tx.update(task)?;
    Ok(Placement::Waits)
}
