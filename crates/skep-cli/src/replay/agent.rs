//! The agents: one watcher a node, each following its node's tasks alone.
//!
//! An agent runs the tasks that are assigned to its node, ends them when their time has come, and
//! reports both in transactions. The agents of many nodes share a thread, which polls their
//! watchers in turn and waits for the store's next version when none has anything. The clock is
//! in the store too, so one wait serves for both.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use skep::{AnyChange, Event, Filter, Id, TableFilter, WatchError, Watcher};

use super::Run;
use super::commit::Committer;
use super::ledger::{Ledger, Tally, ToDo};
use super::measure::{Counters, Latencies};
use crate::books::fault::Fault;
use crate::cluster::timeline::Ending;
use crate::objects::clock::{Clock, TheClock};
use crate::objects::node::Node;
use crate::objects::task::{State, Task};

/// How long a thread waits for the next version before it looks whether the replay stops.
const LOOK_UP: Duration = Duration::from_millis(20);

/// The agent of one node.
struct Agent {
    node: Id,
    name: std::sync::Arc<str>,
    watcher: Watcher,
    ledger: Ledger,
}

/// What an agent saw in all.
pub struct Seen {
    /// Its node.
    pub node: Id,
    /// Its events, unless its watcher lagged and so did not see all.
    pub tally: Option<Tally>,
}

/// The agents of one thread.
pub struct Agents<'r> {
    run: &'r Run,
    committer: Committer<'r>,
    agents: Vec<Agent>,
    /// Tasks to run, with the agent that shall.
    to_run: VecDeque<(usize, Id)>,
    /// Running tasks by their endings, with the agent that runs them.
    running: BinaryHeap<Reverse<(Ending, usize, Id)>>,
}

fn tasks_of(node: Id) -> TableFilter<Task> {
    Filter::of::<Task>().value(Task::BY_NODE, node)
}

impl<'r> Agents<'r> {
    /// Agents for the nodes with these numbers, which follow the store from now on.
    pub fn new(run: &'r Run, nodes: impl Iterator<Item = usize>) -> Self {
        let agents = nodes.map(|index| {
            let node = run.node_id(index);
            Agent {
                node,
                name: run.cluster.nodes[index].name.clone(),
                watcher: run.store.watch(tasks_of(node)),
                ledger: Ledger::default(),
            }
        });
        Self {
            run,
            committer: Committer::new(run),
            agents: agents.collect(),
            to_run: VecDeque::new(),
            running: BinaryHeap::new(),
        }
    }

    /// Follows the nodes until the replay is closed and all of its events were seen.
    pub fn follow(mut self) -> Result<(Latencies, Vec<Seen>), Fault> {
        let mut quiet = false;
        loop {
            // What is read here is read before the watchers are polled, so that whatever comes
            // while they are polled ends the wait below at once.
            let version = self.run.store.version();
            let closed = self.run.flow.closed_at().is_some();
            let stopping = self.run.flow.stopping();
            let mut moved = self.poll()?;
            if stopping && !quiet {
                quiet = true;
                self.run.flow.agent_is_quiet();
            }
            if !quiet {
                moved |= self.run_assigned()?;
                moved |= self.end_due()?;
            }
            if moved {
                continue;
            }
            if closed {
                break;
            }
            self.run.store.wait(version, LOOK_UP);
        }
        let seen = self.agents.into_iter().map(|agent| Seen {
            node: agent.node,
            tally: (!agent.ledger.lagged).then_some(agent.ledger.tally),
        });
        Ok((self.committer.latencies, seen.collect()))
    }

    /// Takes all events that are there. True when there was any.
    pub(super) fn poll(&mut self) -> Result<bool, Fault> {
        let mut moved = false;
        for index in 0..self.agents.len() {
            loop {
                match self.agents[index].watcher.try_recv() {
                    Ok(None) => break,
                    Ok(Some(event)) => self.take(index, &event)?,
                    Err(WatchError::Lagged { missed, .. }) => self.start_over(index, missed),
                    Err(error) => return Err(Fault::Refused(error.to_string())),
                }
                moved = true;
            }
        }
        Ok(moved)
    }

    fn take(&mut self, index: usize, event: &Event) -> Result<(), Fault> {
        let agent = &mut self.agents[index];
        let taken = match event {
            Event::Commit(version) => agent.ledger.close(*version),
            Event::Change(change) => self.take_change(index, change),
        };
        taken.map_err(|what| Ledger::fault(&self.agents[index].name, what))
    }

    fn take_change(&mut self, index: usize, any: &AnyChange) -> Result<(), String> {
        let Some(change) = any.of::<Task>() else {
            return Err(format!("a change of table {}", any.table()));
        };
        if let Some(task) = change.new() {
            let nanos = self.run.now().0.saturating_sub(task.written_at.0);
            self.committer.latencies.delivery.record(nanos);
        }
        let todo = self.agents[index].ledger.take(any.version(), &change)?;
        if let Some(task) = change.new() {
            self.note(index, todo, task);
        }
        Ok(())
    }

    /// Remembers what is to be done about a task.
    fn note(&mut self, index: usize, todo: ToDo, task: &Task) {
        match (todo, task.ending) {
            (ToDo::Run, _) => self.to_run.push_back((index, task.id)),
            (ToDo::Await, Some(ending)) => self.running.push(Reverse((ending, index, task.id))),
            (ToDo::Await, None) | (ToDo::Nothing, _) => {}
        }
    }

    /// Follows a node anew after its watcher missed events.
    fn start_over(&mut self, index: usize, missed: u64) {
        Counters::add(&self.run.counters.lagged, 1);
        Counters::add(&self.run.counters.missed, missed);
        let node = self.agents[index].node;
        let (snapshot, watcher) = self.run.store.snapshot_and_watch(tasks_of(node));
        let tasks = || snapshot.find(Task::BY_NODE.eq(node));
        self.agents[index].watcher = watcher;
        self.agents[index]
            .ledger
            .start_over(snapshot.version(), tasks());
        for task in tasks() {
            let todo = match task.state {
                State::Assigned => ToDo::Run,
                State::Running => ToDo::Await,
                _ => ToDo::Nothing,
            };
            self.note(index, todo, task);
        }
    }

    /// Runs the tasks that were assigned. True when there was any.
    pub(super) fn run_assigned(&mut self) -> Result<bool, Fault> {
        let any = !self.to_run.is_empty();
        while let Some((_, id)) = self.to_run.pop_front() {
            let run = self.run;
            let runs = self.committer.commit(|tx| {
                // After a lag the task may be here twice.
                let task = tx
                    .get::<Task>(&id)
                    .filter(|task| task.state == State::Assigned);
                let Some(task) = task else { return Ok(false) };
                let task = task.rewritten(run.now(), Task::run);
                tx.update(task)?;
                Ok(true)
            })?;
            if runs {
                run.flow.end();
            }
        }
        Ok(any)
    }

    /// Ends the running tasks whose time has come. True when there was any.
    pub(super) fn end_due(&mut self) -> Result<bool, Fault> {
        if self.running.is_empty() {
            return Ok(false);
        }
        let run = self.run;
        let due_before = self.committer.latencies.read.time(|| {
            run.store
                .view(|view| view.get::<Clock>(&TheClock).map(|clock| clock.due_before))
        });
        let mut any = false;
        while let Some(Reverse((ending, _, _))) = self.running.peek()
            && Some(*ending) < due_before
        {
            let Some(Reverse((_, index, id))) = self.running.pop() else {
                break;
            };
            self.end(index, id)?;
            any = true;
        }
        Ok(any)
    }

    /// Ends a running task and offers its room to those that wait for some.
    fn end(&mut self, index: usize, id: Id) -> Result<(), Fault> {
        let run = self.run;
        let node = self.agents[index].node;
        // The freed room is an activity from before it is free, so that the replay is never taken
        // for quiet between the freeing and the offer.
        run.flow.begin(1);
        let ended = self.committer.commit(|tx| {
            let task = tx
                .get::<Task>(&id)
                .filter(|task| task.state == State::Running);
            let (Some(task), Some(mut node)) = (task, tx.get::<Node>(&node).cloned()) else {
                return Ok(None);
            };
            if !node.give_back(&task.demand, task.gpus) {
                return Ok(Some(Err(Fault::NotTaken {
                    node: node.name.to_string(),
                    task: task.name.to_string(),
                })));
            }
            let task = task.rewritten(run.now(), Task::end);
            let state = task.state;
            tx.update(node)?;
            tx.update(task)?;
            Ok(Some(Ok(state)))
        })?;
        let counters = &run.counters;
        match ended.transpose()? {
            Some(State::Failed) => Counters::add(&counters.failed, 1),
            Some(_) => Counters::add(&counters.finished, 1),
            None => {}
        }
        // Whoever began to wait before the room was free is seen here; whoever begins to wait
        // later does so in a transaction that has seen the room.
        if run.store.view(|view| view.exists(Task::BY_WAITING.all())) {
            run.flow.offer(node);
        } else {
            run.flow.end();
        }
        Ok(())
    }
}
