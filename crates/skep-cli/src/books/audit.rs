//! The audit: follows every change of the store, in order, and misses none.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use skep::{AnyChange, Event, Filter, Id, Snapshot, Version, WatchError, Watcher};

use super::copy::Copy;
use super::fault::{Fault, Faults};
use super::history::History;
use super::rooms::Rooms;
use crate::cluster::amounts::Seconds;
use crate::objects::clock::{Clock, TheClock};
use crate::objects::node::Node;
use crate::objects::task::{State, Task};
use crate::replay::Run;
use crate::replay::choose::choose;
use crate::replay::ledger::Tally;

/// How long the audit waits for a commit before it looks whether the replay is closed.
const LOOK_UP: Duration = Duration::from_millis(20);
/// How many versions lie between two comparisons of the whole copy with the store.
const COMPARE_EVERY: u64 = 16_384;

/// Follows the store.
pub struct Audit<'r> {
    run: &'r Run,
    faults: &'r Faults,
    watcher: Watcher,
    nodes: Copy<Node>,
    tasks: Copy<Task>,
    clock: Copy<Clock>,
    rooms: Rooms,
    history: History,
    tallies: HashMap<Id, Tally>,
    /// The last version that was closed, and the one that is open.
    closed: Version,
    open: Option<Version>,
    /// Snapshots of versions that the copy has not reached yet.
    to_compare: VecDeque<Snapshot>,
    compared: u64,
    events: u64,
}

/// What the audit found.
pub struct Audited {
    /// What became of each task.
    pub history: History,
    /// The most that was in use at any version.
    pub peak: super::rooms::Totals,
    /// The last version that was checked.
    pub version: Version,
    /// How many changes were checked.
    pub events: u64,
    /// How often the whole copy was compared with the store.
    pub compared: u64,
    /// The simulated time at the end.
    pub now: Seconds,
    tallies: HashMap<Id, Tally>,
}

impl Audited {
    /// What there was for a node's agent to see.
    pub fn tally(&self, node: Id) -> Tally {
        self.tallies.get(&node).copied().unwrap_or_default()
    }
}

impl<'r> Audit<'r> {
    /// An audit of a store in which nothing has happened yet.
    pub fn new(run: &'r Run, faults: &'r Faults) -> Self {
        let (snapshot, watcher) = run.store.snapshot_and_watch(Filter::all());
        Self {
            run,
            faults,
            watcher,
            nodes: Copy::default(),
            tasks: Copy::default(),
            clock: Copy::default(),
            rooms: Rooms::default(),
            history: History::new(run.cluster.tasks.len()),
            tallies: HashMap::new(),
            closed: snapshot.version(),
            open: None,
            to_compare: VecDeque::new(),
            compared: 0,
            events: 0,
        }
    }

    /// Follows the store to the version at which the replay is closed.
    pub fn follow(mut self) -> Result<Audited, Fault> {
        while self.run.closed_at().is_none_or(|last| self.closed < last) {
            match self.watcher.recv_timeout(LOOK_UP) {
                Ok(Some(Event::Change(change))) => self.change(&change),
                Ok(Some(Event::Commit(version))) => self.close(version),
                Ok(None) => {}
                Err(WatchError::Lagged { missed, .. }) => {
                    return Err(Fault::AuditLagged { missed });
                }
                Err(error) => return Err(Fault::Refused(error.to_string())),
            }
        }
        let last = self.run.store.snapshot();
        self.compare(&last);
        if self.run.complete() {
            self.check_waiting(&last);
        }
        Ok(Audited {
            now: self.now(),
            history: self.history,
            peak: self.rooms.peak,
            version: self.closed,
            events: self.events,
            compared: self.compared,
            tallies: self.tallies,
        })
    }

    fn now(&self) -> Seconds {
        self.clock
            .get(&TheClock)
            .map_or(Seconds::default(), |clock| clock.now)
    }

    fn change(&mut self, any: &AnyChange) {
        self.events += 1;
        let version = any.version();
        if *self.open.get_or_insert(version) != version || version <= self.closed {
            let last = self.open.unwrap_or(self.closed);
            self.faults.add(Fault::VersionGap {
                last,
                next: version,
            });
        }
        let applied = if let Some(change) = any.of::<Task>() {
            self.task(version, change.old(), change.new());
            self.tasks.apply(version, &change)
        } else if let Some(change) = any.of::<Node>() {
            self.rooms.node_changed(change.old(), change.new());
            self.nodes.apply(version, &change)
        } else if let Some(change) = any.of::<Clock>() {
            self.check_clock(version, change.new());
            self.clock.apply(version, &change)
        } else {
            let (table, what) = (
                any.table(),
                "a table that the replay does not have".to_owned(),
            );
            Err(Fault::WrongEvent {
                version,
                table,
                key: String::new(),
                what,
            })
        };
        if let Err(fault) = applied {
            self.faults.add(fault);
        }
    }

    fn task(&mut self, version: Version, old: Option<&Task>, new: Option<&Task>) {
        let now = self.now();
        self.rooms.task_changed(old, new);
        let Some(task) = new.or(old) else { return };
        let deleted = new.is_none();
        if let Some(node) = old.and_then(|task| task.node).or(task.node) {
            self.tallies
                .entry(node)
                .or_default()
                .add(version, task, deleted);
        }
        let wrong = |what: &str| {
            let (key, what) = (task.name.to_string(), what.to_owned());
            self.faults.add(Fault::WrongEvent {
                version,
                table: "task",
                key,
                what,
            });
        };
        if !self.history.take(version, now, task, deleted) {
            wrong("not a task of the trace");
        }
        if now < task.created_at {
            wrong("it is there before its creation time");
        }
        let due = self.clock.get(&TheClock).map(|clock| clock.due_before);
        if (task.state.is_over() || deleted) && task.ending.is_none_or(|ending| Some(ending) >= due)
        {
            wrong("it is over before its deletion time");
        }
    }

    fn check_clock(&mut self, version: Version, new: Option<&Clock>) {
        let before = self.clock.get(&TheClock);
        let fell = match (before, new) {
            (Some(before), Some(new)) => new.now < before.now || new.due_before < before.due_before,
            (_, new) => new.is_none(),
        };
        if fell {
            let (key, what) = ("the clock".to_owned(), "time runs backwards".to_owned());
            self.faults.add(Fault::WrongEvent {
                version,
                table: "clock",
                key,
                what,
            });
        }
    }

    /// Closes a version: its changes are complete, and must leave the books in order.
    fn close(&mut self, version: Version) {
        let follows = version == self.closed.next();
        if !follows || self.open.is_some_and(|open| open != version) {
            self.faults.add(Fault::VersionGap {
                last: self.closed,
                next: version,
            });
        }
        self.rooms
            .close(version, &self.nodes, |fault| self.faults.add(fault));
        self.closed = version;
        self.open = None;
        self.run.audited_to(version);
        if version.get().is_multiple_of(COMPARE_EVERY) {
            // The store may be ahead: the copy is compared when it gets there.
            self.to_compare.push_back(self.run.store.snapshot());
        }
        while self
            .to_compare
            .front()
            .is_some_and(|snapshot| snapshot.version() <= version)
        {
            let Some(snapshot) = self.to_compare.pop_front() else {
                break;
            };
            if snapshot.version() == version {
                self.compare(&snapshot);
            }
        }
    }

    /// Compares the copy with a snapshot of the version it is at: every object, and what the
    /// indexes answer.
    fn compare(&mut self, snapshot: &Snapshot) {
        self.compared += 1;
        let faults = self.faults;
        self.nodes.compare(snapshot, |fault| faults.add(fault));
        self.tasks.compare(snapshot, |fault| faults.add(fault));
        self.clock.compare(snapshot, |fault| faults.add(fault));
        let version = snapshot.version();
        let count = |key: &str, index: usize, scan: usize| {
            if index != scan {
                let what = format!("the index has {index} tasks, the events {scan}");
                let (table, key) = ("task", key.to_owned());
                faults.add(Fault::CopyDiffers {
                    version,
                    table,
                    key,
                    what,
                });
            }
        };
        let in_state = |state: State| {
            self.tasks
                .objects()
                .filter(|task| task.state == state)
                .count()
        };
        count(
            "queued",
            snapshot.count(Task::BY_QUEUED.all()),
            in_state(State::Pending),
        );
        count(
            "waiting",
            snapshot.count(Task::BY_WAITING.all()),
            in_state(State::Waiting),
        );
        let mut on_nodes: HashMap<Id, usize> = HashMap::new();
        for node in self.tasks.objects().filter_map(|task| task.node) {
            *on_nodes.entry(node).or_default() += 1;
        }
        for node in self.nodes.objects() {
            let scan = on_nodes.get(&node.id).copied().unwrap_or_default();
            count(&node.name, snapshot.count(Task::BY_NODE.eq(node.id)), scan);
        }
    }

    /// When all is quiet, no task waits for which a node has room.
    fn check_waiting(&self, snapshot: &Snapshot) {
        let mut waiting: HashMap<_, &Task> = HashMap::new();
        for task in self
            .tasks
            .objects()
            .filter(|task| task.state == State::Waiting)
        {
            waiting.insert(task.class, task);
        }
        for task in waiting.into_values() {
            let Some(node) = choose(snapshot, &task.demand) else {
                continue;
            };
            let name = |name: &Arc<str>| name.to_string();
            self.faults.add(Fault::WaitsBesideRoom {
                version: snapshot.version(),
                task: name(&task.name),
                node: self
                    .nodes
                    .get(&node)
                    .map(|node| name(&node.name))
                    .unwrap_or_default(),
            });
        }
    }
}
