//! How many tasks a service has, and how they are replaced.

use std::time::Duration;

/// How many tasks a service is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub enum ServiceMode {
    /// A number of them, that run for good.
    Replicated {
        /// How many.
        replicas: u64,
    },
    /// One a node, that run for good.
    Global,
    /// A number of them, that are to complete.
    ReplicatedJob {
        /// How many at a time.
        concurrent_max: u64,
        /// How many in all.
        completions: u64,
    },
    /// One a node, that are to complete.
    GlobalJob,
}

impl Default for ServiceMode {
    fn default() -> Self {
        Self::Replicated { replicas: 1 }
    }
}

/// What happens when replacing tasks fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum FailureAction {
    /// It stops.
    #[default]
    Pause,
    /// It goes on.
    Continue,
    /// It goes back.
    Rollback,
}

/// What comes first when a task is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum UpdateOrder {
    /// The old one is stopped first.
    #[default]
    StopFirst,
    /// The new one is started first.
    StartFirst,
}

/// How tasks are replaced.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct UpdateConfig {
    /// How many at a time; 0: all.
    pub parallelism: u64,
    /// How long to wait between.
    pub delay: Duration,
    /// What happens when it fails.
    pub failure_action: FailureAction,
    /// How long a new task is watched for failure; none: the cluster's default.
    pub monitor: Option<Duration>,
    /// What part of the tasks may fail: a finite number, or the service is refused.
    pub failure_ratio_max: f32,
    /// What comes first.
    pub order: UpdateOrder,
}

/// How far the tasks of a service are replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum UpdateState {
    /// Unknown.
    #[default]
    Unknown,
    /// It goes on.
    Updating,
    /// It stopped after failures.
    Paused,
    /// It is done.
    Completed,
    /// It goes back.
    RollbackStarted,
    /// Going back stopped after failures.
    RollbackPaused,
    /// It is back.
    RollbackCompleted,
}
