//! The replay: a cluster's tasks are created, placed, run, ended and deleted, by threads that
//! meet only in the store.
//!
//! ```text
//!  timekeeper ── clock, releases ──► submitters ── create ──► ┌───────┐ ◄── assign ── schedulers
//!      ▲                                                      │ store │
//!      └── activities end ──  agents ◄── events of a node ─── └───────┘ ─── events ──► reaper
//!                               └── run, end ──────────────────►  ▲ │ ◄──── delete ──────┘
//!                                                                   └── every event ──► audit
//! ```
//!
//! | file | thread | count |
//! |---|---|---|
//! | `time.rs` | lets creations and endings come due | 1 |
//! | `submit.rs` | creates tasks | `--submitters` |
//! | `schedule.rs`, `choose.rs` | places tasks | `--schedulers` |
//! | `agent.rs`, `ledger.rs` | follow each node, run and end its tasks | `--agents` |
//! | `reap.rs` | deletes what is over | 1 |
//! | `books/audit.rs` | checks every version | 1 |
//!
//! They wake each other through `flow.rs`, commit through `commit.rs` and count in `measure.rs`;
//! `crew.rs` starts them and stops them.

mod agent;
pub mod choose;
mod commit;
mod crew;
mod flow;
pub mod ledger;
pub mod measure;
mod reap;
mod schedule;
pub mod submit;
#[cfg(test)]
mod tests;
mod time;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use skep::{Id, Stats, Store, Version};

use crate::books::audit::Audited;
use crate::books::fault::{Fault, Faults};
use crate::cluster::Cluster;
use crate::cluster::amounts::{Seconds, Sequence};
use crate::cluster::timeline::Timeline;
use crate::objects::clock::Clock;
use crate::objects::node::Node;
use crate::objects::task::{Moment, Task};
use crew::Crew;
use flow::Flow;
use measure::{Counters, Latencies};
use time::ACTIVITIES_MAX;
pub use time::Pace;

/// How many commits a watcher may lag. More than the audit ever lags, which time waits for.
const WATCH_COMMITS_MAX: u64 = 4 << 20;

/// How often the replay's caller is called while time passes.
const MEANWHILE_EVERY: Duration = Duration::from_millis(100);

/// How many threads do what.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    /// Threads that create tasks.
    pub submitters: usize,
    /// Threads that place tasks.
    pub schedulers: usize,
    /// Threads that share the nodes' agents.
    pub agents: usize,
}

/// What all threads of a replay share.
pub struct Run {
    /// What is played.
    pub cluster: Cluster,
    /// When what happens.
    pub timeline: Timeline,
    /// Where all of it happens.
    pub store: Store,
    /// What was counted.
    pub counters: Counters,
    flow: Flow,
    began: Instant,
    /// The nodes' keys, and behind them the tasks'.
    ids: Vec<Id>,
    audited: AtomicU64,
    interrupted: AtomicBool,
    complete: AtomicBool,
    now: AtomicU64,
    passed: AtomicU64,
}

/// What a replay has found out.
pub struct Outcome {
    /// All threads' latencies.
    pub latencies: Latencies,
    /// What the audit found.
    pub audited: Option<Audited>,
    /// What the store holds at the end.
    pub stats: Stats,
    /// How long it took from the first commit to the last.
    pub took: Duration,
    /// How long it took until everything was checked, without the reading of the input.
    pub took_with_checks: Duration,
}

impl Run {
    /// A replay of a cluster in a new store, which has nothing yet. `seed` decides the keys.
    pub fn new(cluster: Cluster, seed: u64) -> Self {
        Self::with_lag(cluster, seed, WATCH_COMMITS_MAX)
    }

    /// As [`new`](Self::new), with watchers that may lag so many commits.
    pub fn with_lag(cluster: Cluster, seed: u64, watch_commits_max: u64) -> Self {
        let store = Store::builder()
            .table::<Node>()
            .table::<Task>()
            .table::<Clock>()
            .watch_commits_max(watch_commits_max)
            .watch_events_max(u32::try_from(watch_commits_max).unwrap_or(u32::MAX))
            .build();
        let mut rng = fastrand::Rng::with_seed(seed);
        let objects = cluster.nodes.len() + cluster.tasks.len();
        Self {
            timeline: cluster.timeline(),
            ids: (0..objects).map(|_| Id::from_u128(rng.u128(..))).collect(),
            cluster,
            store,
            counters: Counters::default(),
            flow: Flow::new(ACTIVITIES_MAX),
            began: Instant::now(),
            audited: AtomicU64::new(0),
            interrupted: AtomicBool::new(false),
            complete: AtomicBool::new(false),
            now: AtomicU64::new(0),
            passed: AtomicU64::new(0),
        }
    }

    /// The key of the node with a number.
    pub fn node_id(&self, index: usize) -> Id {
        self.ids[index]
    }

    /// The key of a task.
    pub fn task_id(&self, sequence: Sequence) -> Id {
        self.ids[self.cluster.nodes.len() + sequence.index()]
    }

    /// The time since the replay began.
    pub fn now(&self) -> Moment {
        Moment(u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Ends the replay before its time: what is at work is finished, the rest is left.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Relaxed);
        self.flow.stop();
    }

    /// Whether the replay was ended before its time.
    pub fn interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Whether the timeline came to its end and all was quiet there.
    pub fn complete(&self) -> bool {
        self.complete.load(Ordering::Relaxed)
    }

    /// The simulated time, and how much of the timeline has come due, for the progress bar.
    pub fn progress(&self) -> (Seconds, u64) {
        (
            Seconds(self.now.load(Ordering::Relaxed)),
            self.passed.load(Ordering::Relaxed),
        )
    }

    /// The timeline has come to its end and all is quiet.
    pub fn completed(&self) {
        self.complete.store(true, Ordering::Relaxed);
    }

    // Relaxed, here and above: these tell how far something is and hand nothing over.
    fn progress_time(&self, now: Seconds, passed: usize) {
        self.now.store(now.0, Ordering::Relaxed);
        self.passed.store(passed as u64, Ordering::Relaxed);
    }

    /// The audit has checked everything up to here.
    pub fn audited_to(&self, version: Version) {
        self.audited.store(version.get(), Ordering::Relaxed);
    }

    fn audited(&self) -> Version {
        Version::new(self.audited.load(Ordering::Relaxed))
    }

    /// The last version, once it is known that nobody writes any more.
    pub fn closed_at(&self) -> Option<Version> {
        self.flow.closed_at()
    }

    /// Nobody writes any more.
    pub fn close(&self) {
        self.flow.close(self.store.version());
    }

    /// Registers the nodes, many in one transaction.
    pub fn register_nodes(&self) -> Result<(), Fault> {
        let registered = self.store.batch(|batch| {
            for (index, spec) in self.cluster.nodes.iter().enumerate() {
                let node = Node::empty(self.node_id(index), spec);
                batch.step(move |tx| Ok::<_, skep::Error>(tx.create(node.clone())?))?;
            }
            Ok(())
        });
        registered
            .map(drop)
            .map_err(|error| Fault::Refused(error.to_string()))
    }

    /// Plays. `meanwhile` is called again and again while time passes.
    pub fn play(
        &self,
        threads: Threads,
        pace: Pace,
        faults: &Faults,
        mut meanwhile: impl FnMut(),
    ) -> Outcome {
        let began = Instant::now();
        let mut latencies = Latencies::default();
        let mut took = Duration::ZERO;
        let audited = std::thread::scope(|scope| {
            let crew = Crew::hire(self, scope, threads, faults, pace);
            let crew = crew.map_err(|fault| faults.add(fault)).ok()?;
            while !self.flow.wait_for_end(MEANWHILE_EVERY) {
                meanwhile();
            }
            took = began.elapsed();
            crew.dismiss(&mut latencies)
        });
        let took_with_checks = began.elapsed();
        self.store.reclaim();
        Outcome {
            latencies,
            audited,
            stats: self.store.stats(),
            took,
            took_with_checks,
        }
    }
}
