//! What a replay says at its end: one summary, as a table or as JSON, and the placements as CSV.

pub mod placements;
mod table;

use serde::Serialize;

use crate::books::audit::Audited;
use crate::books::fault::{Fault, Faults};
use crate::books::history::Life;
use crate::cluster::amounts::Sequence;
use crate::objects::task::State;
use crate::replay::measure::{Counters, Latency};
use crate::replay::{Outcome, Run, Threads};
pub use table::table;

/// All that a replay tells of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What was played.
    pub input: Input,
    /// How it ended: `complete`, `interrupted`, or `broken` when the books do not balance.
    pub end: &'static str,
    /// What became of the tasks.
    pub tasks: Tasks,
    /// How time passed.
    pub time: Time,
    /// What was committed.
    pub commits: Commits,
    /// How long things took, in microseconds.
    pub latency_us: Latencies,
    /// How full the cluster was when each resource was fullest, in percent.
    pub peak_percent: Peak,
    /// What the store held at the end.
    pub store: StoreState,
    /// What was checked.
    pub books: Books,
}

/// What was played, by how many.
#[derive(Clone, Debug, Serialize)]
pub struct Input {
    pub nodes: usize,
    pub tasks: usize,
    pub seed: u64,
    pub submitters: usize,
    pub schedulers: usize,
    pub agent_threads: usize,
}

/// What became of the tasks. `submitted` is the sum of `placed`, `pending_no_room`,
/// `pending_unplaceable` and `pending_untried`.
#[derive(Clone, Debug, Serialize)]
pub struct Tasks {
    pub submitted: u64,
    pub placed: u64,
    pub placed_after_wait: u64,
    pub finished: u64,
    pub failed: u64,
    /// Placed, and not over at the end.
    pub still_running: u64,
    /// Never placed: whenever a scheduler looked, no node had room.
    pub pending_no_room: u64,
    /// Never placed: no node would have room if nothing else were on it.
    pub pending_unplaceable: u64,
    /// Never placed: the replay ended before a scheduler looked.
    pub pending_untried: u64,
    pub deleted: u64,
}

/// How time passed.
#[derive(Clone, Debug, Serialize)]
pub struct Time {
    pub wall_seconds: f64,
    pub wall_seconds_with_checks: f64,
    pub simulated_seconds: u64,
    pub placed_per_second: f64,
}

/// What was committed.
#[derive(Clone, Debug, Serialize)]
pub struct Commits {
    /// Versions: commits that wrote something.
    pub count: u64,
    pub per_second: f64,
    /// Transactions run to their end, those with nothing to write included.
    pub transactions: u64,
    /// Transactions that met a conflict.
    pub conflicts: u64,
    /// How often a transaction was run again for that.
    pub retries: u64,
    /// How often one used up the store's attempts and was begun anew.
    pub gave_up: u64,
    /// Races that a scheduler lost: the task was taken, or the room was.
    pub tasks_lost: u64,
    pub room_lost: u64,
}

/// One distribution.
#[derive(Clone, Debug, Serialize)]
pub struct Quantiles {
    pub count: u64,
    pub p50: f64,
    pub p99: f64,
    #[serde(rename = "p99.9")]
    pub p999: f64,
    pub max: f64,
}

/// All distributions.
#[derive(Clone, Debug, Serialize)]
pub struct Latencies {
    pub read: Quantiles,
    pub choose: Quantiles,
    pub commit: Quantiles,
    pub delivery: Quantiles,
}

/// The peak of each resource, in percent of what there is.
#[derive(Clone, Debug, Serialize)]
pub struct Peak {
    pub cpu: f64,
    pub memory: f64,
    pub gpu: f64,
    /// Not in percent: how many tasks held room at once.
    pub tasks: u64,
}

/// What the store held.
#[derive(Clone, Debug, Serialize)]
pub struct StoreState {
    pub version: u64,
    pub records: u64,
    pub versions_alive: u64,
    pub bytes_alive: u64,
    pub versions_alive_peak: u64,
    pub bytes_alive_peak: u64,
}

/// What was checked, and what broke.
#[derive(Clone, Debug, Serialize)]
pub struct Books {
    pub balanced: bool,
    pub versions_checked: u64,
    pub events_checked: u64,
    pub whole_comparisons: u64,
    /// Agents' watchers that lagged and were begun anew, and the commits they missed.
    pub watchers_lagged: u64,
    pub commits_missed: u64,
    pub faults_count: u64,
    pub faults: Vec<String>,
}

/// The most that the store held, looked at now and then.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watermark {
    versions: u64,
    bytes: u64,
}

impl Watermark {
    /// Looks at what the store holds.
    pub fn look(&mut self, run: &Run) {
        let stats = run.store.stats();
        self.versions = self.versions.max(stats.versions as u64);
        self.bytes = self.bytes.max(stats.bytes as u64);
    }
}

/// Sums a replay up. The last checks are made here: that the counts agree.
pub fn summarize(
    run: &Run,
    threads: Threads,
    seed: u64,
    outcome: &Outcome,
    faults: &Faults,
    watermark: Watermark,
) -> Summary {
    let tasks = tasks(run, outcome.audited.as_ref(), faults);
    let seconds = outcome.took.as_secs_f64();
    let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let (first, last) = run.timeline.span();
    let now = outcome.audited.as_ref().map_or(first, |audited| audited.now).min(last);
    let stats = &outcome.stats;
    let (versions, bytes) = (stats.versions as u64, stats.bytes as u64);
    Summary {
        input: Input {
            nodes: run.cluster.nodes.len(),
            tasks: run.cluster.tasks.len(),
            seed,
            submitters: threads.submitters,
            schedulers: threads.schedulers,
            agent_threads: threads.agents,
        },
        end: match (faults.count(), run.interrupted()) {
            (0, false) => "complete",
            (0, true) => "interrupted",
            _ => "broken",
        },
        time: Time {
            wall_seconds: seconds,
            wall_seconds_with_checks: outcome.took_with_checks.as_secs_f64(),
            simulated_seconds: now.since(first).0,
            placed_per_second: per_second(tasks.placed),
        },
        tasks,
        commits: commits(run, &per_second),
        latency_us: Latencies {
            read: quantiles(&outcome.latencies.read),
            choose: quantiles(&outcome.latencies.choose),
            commit: quantiles(&outcome.latencies.commit),
            delivery: quantiles(&outcome.latencies.delivery),
        },
        peak_percent: peak(run, outcome.audited.as_ref()),
        store: StoreState {
            version: run.store.version().get(),
            records: stats.records as u64,
            versions_alive: versions,
            bytes_alive: bytes,
            versions_alive_peak: watermark.versions.max(versions),
            bytes_alive_peak: watermark.bytes.max(bytes),
        },
        books: books(run, outcome.audited.as_ref(), faults),
    }
}

/// What became of the tasks, by the events; the threads' own counts must agree.
fn tasks(run: &Run, audited: Option<&Audited>, faults: &Faults) -> Tasks {
    let counters = &run.counters;
    let placeable = run.cluster.placeable_classes();
    let empty = crate::books::history::History::default();
    let history = audited.map_or(&empty, |audited| &audited.history);
    let unplaced = |life: &Life| life.state.is_some() && life.placed.is_none();
    let can_place = |sequence: Sequence| placeable[run.cluster.task(sequence).class.index()];
    let in_state = |life: &Life, state: State| life.state == Some(state);
    let tasks = Tasks {
        submitted: history.count(|_, life| life.state.is_some()),
        placed: history.count(|_, life| life.placed.is_some()),
        placed_after_wait: Counters::read(&counters.placed_after_wait),
        finished: history.count(|_, life| in_state(life, State::Finished)),
        failed: history.count(|_, life| in_state(life, State::Failed)),
        still_running: history.count(|_, life| life.placed.is_some() && life.ended_at.is_none()),
        pending_no_room: history
            .count(|task, life| in_state(life, State::Waiting) && can_place(task)),
        pending_unplaceable: history.count(|task, life| unplaced(life) && !can_place(task)),
        pending_untried: history
            .count(|task, life| in_state(life, State::Pending) && can_place(task)),
        deleted: history.count(|_, life| life.deleted),
    };
    if audited.is_some() {
        let deleted = Counters::read(&counters.reaped) + Counters::read(&counters.withdrawn);
        let counts = [
            ("tasks submitted", Counters::read(&counters.submitted), tasks.submitted),
            ("tasks placed", Counters::read(&counters.placed), tasks.placed),
            ("tasks finished", Counters::read(&counters.finished), tasks.finished),
            ("tasks failed", Counters::read(&counters.failed), tasks.failed),
            ("tasks deleted", deleted, tasks.deleted),
        ];
        for (what, counted, shown) in counts.into_iter().filter(|(_, left, right)| left != right) {
            faults.add(Fault::Count { what, counted, shown });
        }
    }
    tasks
}

fn commits(run: &Run, per_second: &impl Fn(u64) -> f64) -> Commits {
    let counters = &run.counters;
    let count = run.store.version().get();
    Commits {
        count,
        per_second: per_second(count),
        transactions: Counters::read(&counters.transactions),
        conflicts: Counters::read(&counters.conflicted),
        retries: Counters::read(&counters.retries),
        gave_up: Counters::read(&counters.gave_up),
        tasks_lost: Counters::read(&counters.tasks_lost),
        room_lost: Counters::read(&counters.room_lost),
    }
}

fn quantiles(latency: &Latency) -> Quantiles {
    Quantiles {
        count: latency.count(),
        p50: latency.quantile_micros(0.5),
        p99: latency.quantile_micros(0.99),
        p999: latency.quantile_micros(0.999),
        max: latency.max_micros(),
    }
}

fn peak(run: &Run, audited: Option<&Audited>) -> Peak {
    let used = audited.map(|audited| audited.peak).unwrap_or_default();
    let nodes = &run.cluster.nodes;
    let percent = |used: u64, there: u64| {
        if there == 0 { 0.0 } else { 100.0 * used as f64 / there as f64 }
    };
    Peak {
        cpu: percent(used.cpu_milli, nodes.iter().map(|node| u64::from(node.cpu.0)).sum()),
        memory: percent(used.memory_mib, nodes.iter().map(|node| u64::from(node.memory.0)).sum()),
        gpu: percent(used.gpu_milli, nodes.iter().map(|node| u64::from(node.gpus) * 1_000).sum()),
        tasks: used.tasks,
    }
}

fn books(run: &Run, audited: Option<&Audited>, faults: &Faults) -> Books {
    Books {
        balanced: faults.count() == 0,
        versions_checked: audited.map_or(0, |audited| audited.version.get()),
        events_checked: audited.map_or(0, |audited| audited.events),
        whole_comparisons: audited.map_or(0, |audited| audited.compared),
        watchers_lagged: Counters::read(&run.counters.lagged),
        commits_missed: Counters::read(&run.counters.missed),
        faults_count: faults.count(),
        faults: faults.told(),
    }
}
