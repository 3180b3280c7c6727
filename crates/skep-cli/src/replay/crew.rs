//! The crew: starts the replay's threads, stops them in turn, and compares what they saw.
//!
//! # How it ends
//!
//! The timekeeper returns when the timeline is over and all is quiet, or when the replay was
//! stopped. Then everyone stops in turn: submitters, schedulers and the reaper are joined, the
//! agents are waited for until they write no more. Now the version is the last; agents and audit
//! follow the store to it and return what they saw.

use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use super::agent::{Agents, Seen};
use super::flow::{OverWhenDropped, StopOnPanic};
use super::measure::Latencies;
use super::reap::Reaper;
use super::schedule::Scheduler;
use super::time::{Pace, Timekeeper};
use super::{Run, Threads, submit};
use crate::books::audit::{Audit, Audited};
use crate::books::fault::{Fault, Faults};

type Handle<'s, R> = ScopedJoinHandle<'s, Result<R, Fault>>;

/// The threads at work.
pub struct Crew<'s, 'r> {
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
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, body);
    thread.map_err(|error| {
        // Those that were started already must not be waited for in vain.
        run.flow.stop();
        run.close();
        Fault::Refused(format!("a thread for a {name}: {error}"))
    })
}

impl<'s, 'r: 's> Crew<'s, 'r> {
    /// Starts all threads. Whoever follows the store does so from before the first task.
    pub fn hire(
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
        let mut writers = vec![(
            "reaper",
            start(scope, run, "reaper", move || reaper.reap())?,
        )];
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
        Ok(Self {
            run,
            faults,
            timekeeper,
            writers,
            agents,
            audit,
        })
    }

    /// Stops the threads in turn and compares what they saw.
    pub fn dismiss(self, latencies: &mut Latencies) -> Option<Audited> {
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
            let ended = self
                .agents
                .iter()
                .filter(|thread| thread.is_finished())
                .count() as u64;
            run.flow.agents_quiet() + ended >= self.agents.len() as u64
        };
        while !quiet() {
            std::thread::sleep(Duration::from_millis(1));
        }
        run.close();
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
        let Some(tally) = seen.tally.filter(|tally| *tally != there) else {
            continue;
        };
        let index = run.ids.iter().position(|id| *id == seen.node);
        let node = index.map(|index| run.cluster.nodes[index].name.to_string());
        faults.add(Fault::AgentTally {
            node: node.unwrap_or_default(),
            seen: tally.events,
            there: there.events,
        });
    }
}
