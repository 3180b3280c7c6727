//! The states of a task, in their order.

use std::error::Error;
use std::fmt;

/// How far a task has come: observed, and as it is wanted.
///
/// States are ordered by their numbers, and an observed state only moves up. The numbers have
/// gaps, for states to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum TaskState {
    /// Created; nothing is allocated.
    #[default]
    New = 0,
    /// Its network resources are there; it waits for a node.
    Pending = 64,
    /// It has a node.
    Assigned = 192,
    /// The node's agent took it.
    Accepted = 256,
    /// The agent prepares it: pulls an image, say.
    Preparing = 320,
    /// It can be started.
    Ready = 384,
    /// It is being started.
    Starting = 448,
    /// It runs.
    Running = 512,
    /// It ended by itself, without an error.
    Complete = 576,
    /// It was ended.
    Shutdown = 640,
    /// It ended with an error.
    Failed = 704,
    /// The agent could not take it.
    Rejected = 768,
    /// It is to be deleted once it has ended; a wanted state only.
    Remove = 800,
    /// Its node is gone for good.
    Orphaned = 832,
}

impl TaskState {
    /// All states, ascending.
    pub const ALL: [Self; 14] = [
        Self::New,
        Self::Pending,
        Self::Assigned,
        Self::Accepted,
        Self::Preparing,
        Self::Ready,
        Self::Starting,
        Self::Running,
        Self::Complete,
        Self::Shutdown,
        Self::Failed,
        Self::Rejected,
        Self::Remove,
        Self::Orphaned,
    ];

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The state with a number, if there is one.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    /// Whether a task in this state will not run any more.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        self > Self::Running
    }
}

/// An observed state was to move down, which none does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateFalls {
    /// The state that the task has come to.
    pub from: TaskState,
    /// The lower one that was reported.
    pub to: TaskState,
}

impl fmt::Display for StateFalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to } = self;
        write!(f, "a task that is {from:?} cannot become {to:?} again")
    }
}

impl Error for StateFalls {}
