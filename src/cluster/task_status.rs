//! What is observed of a task.

use std::time::SystemTime;

use super::endpoint::PortConfig;
use super::task_state::{StateFalls, TaskState};
use crate::Id;

/// What is observed of a task, as its agent or the cluster reported it last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TaskStatus {
    /// When it was observed.
    #[cfg_attr(feature = "serde", serde(default, with = "super::times"))]
    pub timestamp: Option<SystemTime>,
    /// How far the task has come. A store refuses a lower one than it has.
    pub state: TaskState,
    /// What the task is doing, in words.
    pub message: String,
    /// What went wrong, in words; empty: nothing.
    pub error: String,
    /// Its container, if it has one.
    pub container: Option<ContainerStatus>,
    /// The ports that it has on its node.
    pub ports: Vec<PortConfig>,
    /// The node that wrote this status.
    pub applied_by: Option<Id>,
    /// When that node wrote it.
    #[cfg_attr(feature = "serde", serde(default, with = "super::times"))]
    pub applied_at: Option<SystemTime>,
}

/// What is observed of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ContainerStatus {
    /// The runtime's name for it.
    pub container_id: String,
    /// The process, while it runs.
    pub pid: Option<u32>,
    /// How the process ended.
    pub exit_code: Option<i32>,
}

impl TaskStatus {
    /// A status of this state alone.
    #[must_use]
    pub fn of(state: TaskState) -> Self {
        Self {
            state,
            ..Self::default()
        }
    }

    /// Takes on `state`, if it is not lower.
    ///
    /// # Errors
    /// [`StateFalls`] if it is; nothing is changed then.
    pub fn observe(&mut self, state: TaskState) -> Result<(), StateFalls> {
        let from = self.state;
        if state < from {
            return Err(StateFalls { from, to: state });
        }
        self.state = state;
        Ok(())
    }
}
