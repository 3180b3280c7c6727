//! Threads that get in the store's way while a replay runs: each does one thing to it, for a time
//! that chance decides, and looks whether the store kept what it promises.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Scope;
use std::time::{Duration, Instant};

use fastrand::Rng;
use skep::{Event, Filter, Id, Overflow, Snapshot, Version, WatchError, Watcher, keys};

use crate::books::fault::{Fault, Faults};
use crate::objects::node::Node;
use crate::objects::task::Task;
use crate::replay::Run;

/// The shortest and the longest disturbance, in milliseconds.
const MILLIS: std::ops::Range<u64> = 20..1_500;
/// How often a disturbing thread looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(5);
/// Events that a stopped watcher's queue may hold.
const EVENTS_MAX: u32 = 10_000;

/// How often the store was disturbed.
#[derive(Debug, Default)]
pub struct Disturbances {
    /// Snapshots held, and read the same before and after.
    pub snapshots: AtomicU64,
    /// Watchers that stopped for a while, and of these those that lagged.
    pub watchers: AtomicU64,
    pub lagged: AtomicU64,
    /// Threads that parked in a view, or in a transaction that was then rolled back.
    pub views: AtomicU64,
    pub transactions: AtomicU64,
}

/// What a disturbing thread has.
struct Disturber<'r> {
    run: &'r Run,
    faults: &'r Faults,
    stop: &'r AtomicBool,
    counts: &'r Disturbances,
    rng: Rng,
}

/// One kind of disturbance.
type Disturb = fn(&mut Disturber<'_>) -> Result<(), Fault>;

const KINDS: [(&str, Disturb); 4] = [
    ("holder", |it| it.hold_a_snapshot()),
    ("stopper", |it| it.stop_a_watcher()),
    ("viewer", |it| it.park_in_a_view()),
    ("parker", |it| it.park_in_a_transaction()),
];

impl Disturbances {
    /// Starts a thread for each kind, until `stop` is set.
    pub fn start<'s, 'r: 's>(
        &'r self,
        scope: &'s Scope<'s, '_>,
        run: &'r Run,
        faults: &'r Faults,
        stop: &'r AtomicBool,
        seed: u64,
    ) -> io::Result<()> {
        for (number, (name, disturb)) in (1..).zip(KINDS) {
            let mut disturber = Disturber {
                run,
                faults,
                stop,
                counts: self,
                rng: Rng::with_seed(seed.wrapping_mul(31).wrapping_add(number)),
            };
            let thread = std::thread::Builder::new().name(name.to_owned());
            thread.spawn_scoped(scope, move || disturber.disturb(disturb))?;
        }
        Ok(())
    }

    /// A count so far.
    // Relaxed: a count orders nothing.
    pub fn read(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

impl Disturber<'_> {
    fn disturb(&mut self, disturb: Disturb) {
        while !self.stopping() {
            if let Err(fault) = disturb(self) {
                self.faults.add(fault);
                return;
            }
        }
    }

    // Relaxed: it hands nothing over.
    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits for as long as chance decides, or until it is to stop.
    fn rest(&mut self) {
        let until = Instant::now() + Duration::from_millis(self.rng.u64(MILLIS));
        while Instant::now() < until && !self.stopping() {
            std::thread::sleep(LOOK);
        }
    }

    /// A snapshot is the same however long it is held.
    fn hold_a_snapshot(&mut self) -> Result<(), Fault> {
        let snapshot = self.run.store.snapshot();
        let before = digest(&snapshot);
        self.rest();
        if digest(&snapshot) != before {
            let version = snapshot.version();
            return Err(Fault::SnapshotChanged { version });
        }
        Self::count(&self.counts.snapshots);
        Ok(())
    }

    /// A watcher that stops goes on where it was, or is told what it missed.
    fn stop_a_watcher(&mut self) -> Result<(), Fault> {
        let filter = match self.rng.u8(..3) {
            0 => Filter::all(),
            1 => Filter::of::<Task>().into(),
            _ => Filter::of::<Node>().into(),
        };
        let overflow = match self.rng.bool() {
            true => Overflow::Lag,
            false => Overflow::Coalesce,
        };
        let filter = filter.events_max(EVENTS_MAX).overflow(overflow);
        let mut watcher = self.run.store.watch(filter);
        self.rest();
        self.drain(&mut watcher)?;
        Self::count(&self.counts.watchers);
        Ok(())
    }

    /// Receives what there is: versions ascend.
    fn drain(&self, watcher: &mut Watcher) -> Result<(), Fault> {
        let mut last = Version::ZERO;
        while !self.stopping() {
            match watcher.try_recv() {
                Ok(Some(Event::Change(change))) if change.version() >= last => {
                    last = change.version();
                }
                Ok(Some(Event::Commit(version))) if version >= last => last = version.next(),
                Ok(Some(Event::Change(change))) => {
                    let next = change.version();
                    return Err(Fault::VersionGap { last, next });
                }
                Ok(Some(Event::Commit(next))) => return Err(Fault::VersionGap { last, next }),
                Ok(None) => return Ok(()),
                Err(WatchError::Lagged { .. }) => Self::count(&self.counts.lagged),
                Err(error) => return Err(Fault::Refused(error.to_string())),
            }
        }
        Ok(())
    }

    /// A view shows one version, however long it lasts.
    fn park_in_a_view(&mut self) -> Result<(), Fault> {
        let run = self.run;
        let (version, same) = run.store.view(|view| {
            let count = || view.find(keys::<Task>().all()).count();
            let before = count();
            self.rest();
            (view.version(), count() == before)
        });
        if !same {
            return Err(Fault::SnapshotChanged { version });
        }
        Self::count(&self.counts.views);
        // Views keep memory from being given back: not all the time.
        self.rest();
        Ok(())
    }

    /// What is rolled back never was.
    fn park_in_a_transaction(&mut self) -> Result<(), Fault> {
        let node = self
            .run
            .node_id(self.rng.usize(..self.run.cluster.nodes.len()));
        let was_there = self.roll_back(node);
        let read = self.run.store.read();
        if was_there && read.get::<Node>(&node).is_none() {
            let key = node.to_string();
            return Err(Fault::RolledBack { key });
        }
        Self::count(&self.counts.transactions);
        Ok(())
    }

    /// Deletes a node, rests, and rolls back: by dropping the transaction, or by an error. False:
    /// the node was not registered yet, and so not there to be deleted.
    fn roll_back(&mut self, node: Id) -> bool {
        let run = self.run;
        if self.rng.bool() {
            let mut transaction = run.store.begin();
            let deleted = transaction.delete::<Node>(&node);
            self.rest();
            return deleted.is_ok();
        }
        let mut was_there = false;
        let refused: Result<(), _> = run.store.update(|tx| {
            was_there = tx.delete::<Node>(&node).is_ok();
            self.rest();
            Err::<(), _>("rolled back")
        });
        debug_assert!(refused.is_err(), "the closure refused");
        was_there
    }
}

/// A number that tells a snapshot's tasks and nodes from others.
fn digest(snapshot: &Snapshot) -> u64 {
    let mut hasher = DefaultHasher::new();
    for task in snapshot.find(keys::<Task>().all()) {
        (task.id, task.state, task.node).hash(&mut hasher);
    }
    for node in snapshot.find(keys::<Node>().all()) {
        format!("{node:?}").hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{cluster, node};

    /// The threads begin before the nodes are registered, and may be through with their first
    /// transaction by then.
    #[test]
    fn what_was_not_there_is_not_missed() {
        let run = Run::new(cluster(vec![node("late", 8, 0, 0)], Vec::new()), 1);
        let (faults, counts) = (Faults::default(), Disturbances::default());
        let mut disturber = Disturber {
            run: &run,
            faults: &faults,
            // It rests for no time.
            stop: &AtomicBool::new(true),
            counts: &counts,
            rng: Rng::with_seed(1),
        };
        let mut parks = |there: bool| {
            for _ in 0..8 {
                assert!(disturber.park_in_a_transaction().is_ok());
                assert_eq!(disturber.roll_back(run.node_id(0)), there);
            }
        };
        parks(false);
        run.register_nodes().expect("the store is empty");
        parks(true);
        assert_eq!(Disturbances::read(&counts.transactions), 16);
    }
}
