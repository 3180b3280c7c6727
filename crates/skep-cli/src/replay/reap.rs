//! The reaper: deletes tasks that have run, when they are over.
//!
//! The trace tells when a task is deleted, not when its work was done. So a task runs until its
//! deletion time; then its agent reports its end, which frees its room, and the reaper deletes it.

use std::time::Duration;

use skep::{Event, Filter, Id, TableFilter, Watcher};

use super::Run;
use super::commit::Committer;
use super::measure::{Counters, Latencies};
use crate::books::fault::Fault;
use crate::objects::task::{State, Task};

/// How long the reaper waits for an event before it looks whether the replay stops.
const LOOK_UP: Duration = Duration::from_millis(20);

/// Deletes tasks until the replay stops.
pub struct Reaper<'r> {
    run: &'r Run,
    committer: Committer<'r>,
    watcher: Watcher,
}

fn over() -> TableFilter<Task> {
    let is_over = |task: &Task| task.state.is_over();
    Filter::of::<Task>()
        .updated()
        .when(move |change| change.new().is_some_and(is_over))
}

impl<'r> Reaper<'r> {
    /// A reaper that follows the store from now on.
    pub fn new(run: &'r Run) -> Self {
        Self {
            run,
            committer: Committer::new(run),
            watcher: run.store.watch(over()),
        }
    }

    /// Deletes what is over until the replay stops and nothing more has come.
    pub fn reap(mut self) -> Result<Latencies, Fault> {
        loop {
            match self.watcher.recv_timeout(LOOK_UP) {
                Ok(Some(Event::Change(change))) => {
                    if let Some(task) = change
                        .of::<Task>()
                        .and_then(|change| change.new().map(|task| task.id))
                    {
                        self.delete(task)?;
                    }
                }
                Ok(Some(Event::Commit(_))) => {}
                Ok(None) if self.run.flow.stopping() => return Ok(self.committer.latencies),
                Ok(None) => {}
                Err(_) => self.start_over()?,
            }
        }
    }

    /// Deletes a task that is over.
    fn delete(&mut self, id: Id) -> Result<(), Fault> {
        let deleted = self.committer.commit(|tx| {
            if !tx.get::<Task>(&id).is_some_and(|task| task.state.is_over()) {
                return Ok(false);
            }
            tx.delete::<Task>(&id)?;
            Ok(true)
        })?;
        if deleted {
            Counters::add(&self.run.counters.reaped, 1);
            self.run.flow.end();
        }
        Ok(())
    }

    /// Finds what is over in a snapshot, after events were missed, and follows the store from it.
    fn start_over(&mut self) -> Result<(), Fault> {
        let (snapshot, watcher) = self.run.store.snapshot_and_watch(over());
        self.watcher = watcher;
        let tasks = snapshot.find(skep::keys::<Task>().all());
        let over: Vec<Id> = tasks
            .filter(|task| task.state.is_over())
            .map(|task| task.id)
            .collect();
        over.into_iter().try_for_each(|task| self.delete(task))
    }
}

/// Deletes a task that waits and whose time is over: it never had room. False: it does not wait.
pub fn withdraw(committer: &mut Committer<'_>, id: Id) -> Result<bool, Fault> {
    committer.commit(|tx| {
        let task = tx.get::<Task>(&id);
        if task.is_none_or(|task| task.state != State::Waiting) {
            return Ok(false);
        }
        tx.delete::<Task>(&id)?;
        Ok(true)
    })
}
