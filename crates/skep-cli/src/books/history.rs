//! What became of each task, from the events.

use skep::{Id, Version};

use crate::cluster::amounts::{Seconds, Sequence};
use crate::objects::gpus::GpuSet;
use crate::objects::task::{State, Task};

/// Where and when a task was placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// On which node.
    pub node: Id,
    /// On which of its GPUs.
    pub gpus: GpuSet,
    /// At which version.
    pub version: Version,
    /// When.
    pub at: Seconds,
}

/// The life of one task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// The last state it was in, if it was ever created.
    pub state: Option<State>,
    /// Where it was placed, if it was.
    pub placed: Option<Placed>,
    /// When it was over.
    pub ended_at: Option<Seconds>,
    /// Whether it was deleted.
    pub deleted: bool,
}

/// The lives of all tasks, in the order of their creation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    lives: Vec<Life>,
}

impl History {
    /// A history in which nothing has happened to so many tasks.
    pub fn new(tasks: usize) -> Self {
        Self {
            lives: vec![Life::default(); tasks],
        }
    }

    /// Takes a change of a task down. False: the task is not of this trace.
    #[must_use]
    pub fn take(&mut self, version: Version, at: Seconds, task: &Task, deleted: bool) -> bool {
        let Some(life) = self.lives.get_mut(task.sequence.index()) else {
            return false;
        };
        life.state = Some(task.state);
        life.deleted = deleted;
        match (task.state, task.node) {
            (State::Assigned, Some(node)) => {
                life.placed = Some(Placed {
                    node,
                    gpus: task.gpus,
                    version,
                    at,
                });
            }
            (State::Finished | State::Failed, _) if !deleted => life.ended_at = Some(at),
            _ => {}
        }
        true
    }

    /// The lives, in the order of creation.
    pub fn lives(&self) -> impl Iterator<Item = (Sequence, &Life)> {
        self.lives
            .iter()
            .enumerate()
            .map(|(index, life)| (Sequence(index as u32), life))
    }

    /// How many tasks are as `is` says.
    pub fn count(&self, is: impl Fn(Sequence, &Life) -> bool) -> u64 {
        self.lives()
            .filter(|(sequence, life)| is(*sequence, life))
            .count() as u64
    }
}
