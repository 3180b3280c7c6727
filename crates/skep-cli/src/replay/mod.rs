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
//! They wake each other through `flow.rs`, commit through `commit.rs` and count in `measure.rs`.
//!
//! # How it ends
//!
//! The timekeeper returns when the timeline is over and all is quiet, or when the replay was
//! stopped. Then everyone stops in turn: submitters, schedulers and the reaper are joined, the
//! agents are waited for until they write no more. Now the version is the last; agents and audit
//! follow the store to it and return what they saw.

mod agent;
pub mod choose;
mod commit;
mod flow;
pub mod ledger;
pub mod measure;
mod reap;
mod schedule;
mod submit;
mod time;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use skep::{Id, Stats, Store, Version};

use crate::books::audit::{Audit, Audited};
use crate::books::fault::{Fault, Faults};
use crate::cluster::Cluster;
use crate::cluster::amounts::{Seconds, Sequence};
use crate::cluster::timeline::Timeline;
use crate::objects::clock::Clock;
use crate::objects::node::Node;
use crate::objects::task::{Moment, Task};
use agent::{Agents, Seen};
use flow::{Flow, OverWhenDropped, StopOnPanic};
use measure::{Counters, Latencies};
use reap::Reaper;
use schedule::Scheduler;
pub use time::Pace;
use time::{ACTIVITIES_MAX, Timekeeper};

/// How many commits a watcher may lag. More than the audit ever lags, which time waits for.
const WATCH_COMMITS_MAX: usize = 4 << 20;

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
    /// A replay of a cluster in a new store, which has its nodes and no task. `seed` decides the
    /// keys.
    pub fn new(cluster: Cluster, seed: u64) -> Self {
        let store = Store::builder()
            .table::<Node>()
            .table::<Task>()
            .table::<Clock>()
            .watch_commits_max(WATCH_COMMITS_MAX)
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

    /// The simulated time, and how much of the timeline has come due, for the progress bar.
    pub fn progress(&self) -> (Seconds, u64) {
        (Seconds(self.now.load(Ordering::Relaxed)), self.passed.load(Ordering::Relaxed))
    }

    // Relaxed, here and below: these tell how far something is and hand nothing over.
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

    /// Registers the nodes, many in one transaction.
    fn register_nodes(&self) -> Result<(), Fault> {
        let registered = self.store.batch(|batch| {
            for (index, spec) in self.cluster.nodes.iter().enumerate() {
                let node = Node::empty(self.node_id(index), spec);
                batch.step(|tx| Ok::<_, skep::Error>(tx.create(node.clone())?))?;
            }
            Ok::<_, skep::Error>(())
        });
        registered.map(drop).map_err(|error| Fault::Refused(error.to_string()))
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
        Outcome { latencies, audited, stats: self.store.stats(), took, took_with_checks }
    }
}

type Handle<'s, R> = ScopedJoinHandle<'s, Result<R, Fault>>;

/// The threads at work.
struct Crew<'s, 'r> {
    run: &'r Run,
    faults: &'r Faults,
    timekeeper: Handle<'s, Latencies>,
    writers: Vec<(&'static str, Handle<'s, Latencies>)>,
    agents: Vec<Handle<'s, (Latencies, Vec<Seen>)>>,
    audit: Handle<'s, Audited>,
}

/// Starts a thread that stops the replay when it panics or finds a fault.
fn start<'s, 'r: 's, R: Send + 's>(
    scope: &'s Scope<'s, '_>,
    run: &'r Run,
    name: &str,
    work: impl FnOnce() -> Result<R, Fault> + Send + 's,
) -> Result<Handle<'s, R>, Fault> {
    let body = move || {
        let guard = StopOnPanic(&run.flow);
        let result = work();
        if result.is_err() {
            run.flow.stop();
        }
        drop(guard);
        result
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn_scoped(scope, body);
    thread.map_err(|error| {
        // Those that were started already must not be waited for in vain.
        run.flow.stop();
        run.flow.close(run.store.version());
        Fault::Refused(format!("a thread for a {name}: {error}"))
    })
}

impl<'s, 'r: 's> Crew<'s, 'r> {
    /// Starts all threads. Whoever follows the store does so from before the first task.
    fn hire(
        run: &'r Run,
        scope: &'s Scope<'s, '_>,
        threads: Threads,
        faults: &'r Faults,
        pace: Pace,
    ) -> Result<Self, Fault> {
        let audit = Audit::new(run, faults);
        run.register_nodes()?;
        let reaper = Reaper::new(run);
        let all_agents: Vec<Agents<'_>> = (0..threads.agents)
            .map(|first| {
                let nodes = (first..run.cluster.nodes.len()).step_by(threads.agents);
                Agents::new(run, nodes)
            })
            .collect();
        let audit = start(scope, run, "audit", move || audit.follow())?;
        let agents = all_agents
            .into_iter()
            .map(|agents| start(scope, run, "agent", move || agents.follow()))
            .collect::<Result<_, _>>()?;
        let mut writers =
            vec![("reaper", start(scope, run, "reaper", move || reaper.reap())?)];
        for number in 0..threads.schedulers {
            let scheduler = Scheduler::new(run, number, threads.schedulers);
            let thread = start(scope, run, "scheduler", move || scheduler.schedule())?;
            writers.push(("scheduler", thread));
        }
        for _ in 0..threads.submitters {
            let thread = start(scope, run, "submitter", move || submit::submit(run))?;
            writers.push(("submitter", thread));
        }
        let timekeeper = Timekeeper::new(run, pace);
        let timekeeper = start(scope, run, "timekeeper", move || {
            let _over = OverWhenDropped(&run.flow);
            timekeeper.keep()
        })?;
        Ok(Self { run, faults, timekeeper, writers, agents, audit })
    }

    /// Stops the threads in turn and compares what they saw.
    fn dismiss(self, latencies: &mut Latencies) -> Option<Audited> {
        let (run, faults) = (self.run, self.faults);
        let mut join = |name, thread: Handle<'s, Latencies>| {
            if let Some(measured) = joined(faults, name, thread) {
                latencies.merge(&measured);
            }
        };
        join("timekeeper", self.timekeeper);
        run.flow.stop();
        for (name, thread) in self.writers {
            join(name, thread);
        }
        // An agent thread that has ended was ended by a fault, and writes no more either.
        let quiet = || {
            let ended = self.agents.iter().filter(|thread| thread.is_finished()).count() as u64;
            run.flow.agents_quiet() + ended >= self.agents.len() as u64
        };
        while !quiet() {
            std::thread::sleep(Duration::from_millis(1));
        }
        run.flow.close(run.store.version());
        let mut all_seen = Vec::new();
        for thread in self.agents {
            if let Some((measured, seen)) = joined(faults, "agent", thread) {
                latencies.merge(&measured);
                all_seen.extend(seen);
            }
        }
        let audited = joined(faults, "audit", self.audit)?;
        check_agents(run, faults, &audited, &all_seen);
        Some(audited)
    }
}

/// A thread's result; its fault or panic is taken down.
fn joined<R>(faults: &Faults, name: &'static str, thread: Handle<'_, R>) -> Option<R> {
    match thread.join() {
        Ok(Ok(result)) => Some(result),
        Ok(Err(fault)) => {
            faults.add(fault);
            None
        }
        Err(_) => {
            faults.add(Fault::Panicked(name));
            None
        }
    }
}

/// Compares what each agent saw with what the audit saw of its node.
fn check_agents(run: &Run, faults: &Faults, audited: &Audited, all_seen: &[Seen]) {
    for seen in all_seen {
        let there = audited.tally(seen.node);
        let Some(tally) = seen.tally.filter(|tally| *tally != there) else { continue };
        let index = run.ids.iter().position(|id| *id == seen.node);
        let node = index.map(|index| run.cluster.nodes[index].name.to_string());
        faults.add(Fault::AgentTally {
            node: node.unwrap_or_default(),
            seen: tally.events,
            there: there.events,
        });
    }
}
