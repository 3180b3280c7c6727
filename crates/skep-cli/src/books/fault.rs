//! What may break, and how it is told.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use skep::Version;

use crate::objects::task::State;

/// How many faults are kept to be told; the others are only counted.
const TOLD_MAX: usize = 20;

/// Something that must not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A node gave away what it does not have.
    #[error("version {version}: node {node} is over capacity: task {task} took {what}")]
    OverCapacity {
        version: Version,
        node: String,
        task: String,
        what: String,
    },
    /// A node's own account of its use differs from the tasks that are on it.
    #[error("version {version}: node {node} accounts for {accounted}, but its tasks hold {held}")]
    WrongUse {
        version: Version,
        node: String,
        accounted: String,
        held: String,
    },
    /// A task gave room back that it did not hold.
    #[error("node {node}: task {task} gave room back that it did not hold")]
    NotTaken { node: String, task: String },
    /// A task is on a node whose GPU model it does not allow.
    #[error("version {version}: task {task} is on node {node}, whose GPU model it does not allow")]
    WrongModel {
        version: Version,
        node: String,
        task: String,
    },
    /// A version is missing from the events, or there twice.
    #[error("the events go from version {last} to version {next}")]
    VersionGap { last: Version, next: Version },
    /// An event does not follow from the events before it.
    #[error("version {version}: {table} {key}: {what}")]
    WrongEvent {
        version: Version,
        table: &'static str,
        key: String,
        what: String,
    },
    /// The rebuilt store differs from the store.
    #[error("version {version}: {table} {key}: {what}")]
    CopyDiffers {
        version: Version,
        table: &'static str,
        key: String,
        what: String,
    },
    /// An agent saw events out of order.
    #[error("the agent of node {node} saw {what}")]
    AgentOrder { node: String, what: String },
    /// An agent saw other events than there were.
    #[error("the agent of node {node} saw {seen} events; there were {there}, or others")]
    AgentTally { node: String, seen: u64, there: u64 },
    /// Two counts of the same do not agree.
    #[error("{what}: {counted} by the count, {shown} by the events")]
    Count {
        what: &'static str,
        counted: u64,
        shown: u64,
    },
    /// A task waits though a node has room for it.
    #[error("version {version}: task {task} waits, but node {node} has room for it")]
    WaitsBesideRoom {
        version: Version,
        task: String,
        node: String,
    },
    /// The audit could not follow.
    #[error("the audit missed {missed} commits: the store dropped them before they were read")]
    AuditLagged { missed: u64 },
    /// The replay was not as quiet as was thought.
    #[error("task {task} was {state:?} when it was to be deleted for want of room")]
    Stirred { task: String, state: Option<State> },
    /// Nothing moved any more.
    #[error("nothing moved for {after:?} at version {version} with {activities} activities open")]
    Stalled {
        version: Version,
        activities: usize,
        after: Duration,
    },
    /// A snapshot or a view did not stay what it was.
    #[error("version {version}: a snapshot of it did not stay the same")]
    SnapshotChanged { version: Version },
    /// A transaction that was rolled back left something behind.
    #[error("node {key} is gone, though its deletion was rolled back")]
    RolledBack { key: String },
    /// A round of a soak was over, and did not give back what it had allocated.
    #[error("memory leaks: {mib} MiB were left after a round, and {mib_max} MiB may be")]
    MemoryLeft { mib: u64, mib_max: u64 },
    /// The process held more than what is allocated explains.
    #[error("memory grew: the process held {mib} MiB, and {mib_max} MiB may be")]
    MemoryHeld { mib: u64, mib_max: u64 },
    /// The store refused what it should have done.
    #[error("the store refused: {0}")]
    Refused(String),
    /// A thread panicked; its message is above.
    #[error("a {0} panicked")]
    Panicked(&'static str),
}

/// The faults that all threads found.
#[derive(Default)]
pub struct Faults {
    told: Mutex<Vec<Fault>>,
    count: AtomicU64,
}

impl Faults {
    /// Takes a fault down.
    pub fn add(&self, fault: Fault) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut told = self
            .told
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if told.len() < TOLD_MAX {
            told.push(fault);
        }
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The first of them, a line each.
    pub fn told(&self) -> Vec<String> {
        let told = self
            .told
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        told.iter().map(ToString::to_string).collect()
    }
}
