//! A task in the store, and the steps of its life.
//!
//! ```text
//! created ─► pending ─────────────► assigned ─► running ─► finished or failed ─► deleted
//!               │                      ▲
//!               └─ no room ─► waiting ─┘ room is freed
//!                                │
//!                                └─ never had room ────────────────────────────► deleted
//! ```
//!
//! A task begins pending. Its scheduler assigns it, or finds that no node has room and lets it
//! wait; a waiting task is assigned when room is freed. Its node's agent reports it running and
//! at its end finished or failed, which frees its room. The reaper deletes it.

use std::sync::Arc;

use skep::{Id, Object};

use super::gpus::GpuSet;
use crate::cluster::Outcome;
use crate::cluster::amounts::{Seconds, Sequence};
use crate::cluster::demand::{Class, Demand};
use crate::cluster::timeline::Ending;

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// No scheduler has looked for room yet.
    Pending,
    /// No node has room.
    Waiting,
    /// It has room on a node, whose agent does not know it yet.
    Assigned,
    /// Its node's agent runs it.
    Running,
    /// It is over, and its room is free.
    Finished,
    /// It broke, and its room is free.
    Failed,
}

impl State {
    /// Whether it holds room on its node.
    pub fn holds_room(self) -> bool {
        matches!(self, Self::Assigned | Self::Running)
    }

    /// Whether it has run and is over.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Failed)
    }
}

/// A moment of the replay: nanoseconds since it began, on the machine's steady clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub u64);

/// A task.
#[derive(Clone, Debug, PartialEq, Eq, Object)]
#[object(table = "task")]
pub struct Task {
    /// Its key.
    #[object(key)]
    pub id: Id,
    /// Its name in the trace.
    #[object(index(unique))]
    pub name: Arc<str>,
    /// Its place in the order of creation.
    pub sequence: Sequence,
    /// Which tasks ask for the same.
    pub class: Class,
    /// What it asks for.
    pub demand: Arc<Demand>,
    /// How it ends.
    pub outcome: Outcome,
    /// When it was created.
    pub created_at: Seconds,
    /// Which ending of the timeline is its own, if it has one.
    pub ending: Option<Ending>,
    /// Where it is in its life.
    pub state: State,
    /// Its place in the queue: there while it is pending, so that the queue is an index.
    #[object(index)]
    pub queued: Option<Sequence>,
    /// Its place among those that wait: there while it waits.
    #[object(index)]
    pub waiting: Option<(Class, Sequence)>,
    /// Its node, from when it is assigned.
    #[object(index)]
    pub node: Option<Id>,
    /// Its GPUs there.
    pub gpus: GpuSet,
    /// How often it was written: creation is 1. A watcher that sees every number sees every event.
    pub revision: u32,
    /// When it was written last.
    pub written_at: Moment,
}

impl Task {
    /// It has no room anywhere.
    pub fn wait(&mut self) {
        assert!(
            self.state == State::Pending,
            "a task waits that was not pending"
        );
        self.state = State::Waiting;
        self.queued = None;
        self.waiting = Some((self.class, self.sequence));
    }

    /// It has these GPUs, and other room, on a node.
    pub fn assign(&mut self, node: Id, gpus: GpuSet) {
        let free = matches!(self.state, State::Pending | State::Waiting);
        assert!(free, "a task is assigned that has a node");
        self.state = State::Assigned;
        self.queued = None;
        self.waiting = None;
        self.node = Some(node);
        self.gpus = gpus;
    }

    /// Its agent runs it.
    pub fn run(&mut self) {
        assert!(
            self.state == State::Assigned,
            "a task runs that was not assigned"
        );
        self.state = State::Running;
    }

    /// It is over.
    pub fn end(&mut self) {
        assert!(self.state == State::Running, "a task ends that did not run");
        self.state = match self.outcome {
            Outcome::Finishes => State::Finished,
            Outcome::Fails => State::Failed,
        };
    }

    /// The task as `change` leaves it, written now.
    pub fn rewritten(&self, now: Moment, change: impl FnOnce(&mut Self)) -> Self {
        let mut task = self.clone();
        change(&mut task);
        task.revision += 1;
        task.written_at = now;
        task
    }
}
