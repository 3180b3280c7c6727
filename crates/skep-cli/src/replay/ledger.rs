//! What one node's agent has seen of its tasks, and whether that was every event, once, in order.
//!
//! A task counts how often it was written ([`Task::revision`]), so a missed event is a gap in the
//! numbers and a repeated one a number that was there before. The tally sums up all events in
//! their order; the audit makes its own from all of the store's changes, and in the end the two
//! must be the same.

use std::collections::HashMap;

use skep::{Change, Id, Version};

use crate::books::fault::Fault;
use crate::objects::task::{State, Task};

/// A summary of a sequence of events: equal, but for a chance of 2^-64, only for equal ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many events.
    pub events: u64,
    /// Which, in which order.
    digest: u64,
}

impl Tally {
    /// Adds the event that left `task` as it is, or that deleted it.
    pub fn add(&mut self, version: Version, task: &Task, deleted: bool) {
        self.events += 1;
        let words = [
            version.get(),
            u64::from(task.sequence.0),
            u64::from(task.revision),
            task.state as u64,
            u64::from(deleted),
        ];
        for word in words {
            // The 64-bit FNV-1a step, a word at a time, with the high bits folded in.
            self.digest = (self.digest ^ word).wrapping_mul(0x0000_0100_0000_01b3);
            self.digest ^= self.digest >> 32;
        }
    }
}

/// What an agent shall do about an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToDo {
    /// Run the task.
    Run,
    /// End it when its time has come.
    Await,
    /// Nothing.
    Nothing,
}

/// One node's tasks as its agent has seen them.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The revision and state that each task had when it was last seen.
    tasks: HashMap<Id, (u32, State)>,
    /// The version of the last event, and whether its commit has been closed by its marker.
    version: Option<(Version, bool)>,
    /// All events so far.
    pub tally: Tally,
    /// Whether events were missed, with the store's own word for it.
    pub lagged: bool,
}

impl Ledger {
    /// Takes an event down and tells what to do.
    pub fn take(&mut self, version: Version, change: &Change<'_, Task>) -> Result<ToDo, String> {
        let open = self.version.is_none_or(|(last, closed)| {
            if closed {
                version > last
            } else {
                version == last
            }
        });
        if !open {
            let (last, closed) = self.version.expect("there was an event before");
            let closed = if closed { "closed" } else { "open" };
            return Err(format!(
                "an event of version {version} behind {last}, which is {closed}"
            ));
        }
        self.version = Some((version, false));
        match (change.old(), change.new()) {
            (Some(old), Some(new)) => {
                self.tally.add(version, new, false);
                self.updated(old, new)
            }
            (None, Some(new)) => {
                self.tally.add(version, new, false);
                Err(format!("task {} was created with a node", new.name))
            }
            (Some(old), None) => {
                self.tally.add(version, old, true);
                self.deleted(old)
            }
            (None, None) => Err("a change of nothing to nothing".to_owned()),
        }
    }

    fn updated(&mut self, old: &Task, new: &Task) -> Result<ToDo, String> {
        if new.revision != old.revision + 1 {
            let (old, new) = (old.revision, new.revision);
            return Err(format!("an update from revision {old} to {new}"));
        }
        let before = self.tasks.insert(new.id, (new.revision, new.state));
        let todo = match (old.state, new.state) {
            (State::Pending | State::Waiting, State::Assigned) if before.is_none() => ToDo::Run,
            (State::Assigned, State::Running) => ToDo::Await,
            (State::Running, State::Finished | State::Failed) => ToDo::Nothing,
            (old, new) => return Err(format!("a step from {old:?} to {new:?}")),
        };
        if before.is_some_and(|before| before != (old.revision, old.state)) {
            let name = &new.name;
            return Err(format!(
                "task {name} was seen as {before:?} before {:?}",
                old.revision
            ));
        }
        if before.is_none() && old.node.is_some() {
            return Err(format!("task {} was never seen to be assigned", new.name));
        }
        Ok(todo)
    }

    fn deleted(&mut self, old: &Task) -> Result<ToDo, String> {
        match self.tasks.remove(&old.id) {
            Some(before) if before == (old.revision, old.state) && old.state.is_over() => {
                Ok(ToDo::Nothing)
            }
            before => {
                let (name, revision) = (&old.name, old.revision);
                Err(format!(
                    "task {name} was deleted at {revision} and seen as {before:?}"
                ))
            }
        }
    }

    /// Takes the marker down that closes a commit.
    pub fn close(&mut self, version: Version) -> Result<(), String> {
        match &mut self.version {
            Some((last, closed)) if *last == version && !*closed => {
                *closed = true;
                Ok(())
            }
            last => Err(format!("version {version} is closed behind {last:?}")),
        }
    }

    /// Begins anew from a snapshot, after events were missed.
    pub fn start_over<'t>(&mut self, version: Version, tasks: impl Iterator<Item = &'t Task>) {
        self.lagged = true;
        self.version = Some((version, true));
        self.tasks = tasks
            .map(|task| (task.id, (task.revision, task.state)))
            .collect();
    }

    /// The fault of a node's events.
    pub fn fault(node: &str, what: String) -> Fault {
        Fault::AgentOrder {
            node: node.to_owned(),
            what,
        }
    }
}
