//! What a replay says at its end: one summary, as a table or as JSON, and the placements as CSV.

pub mod placements;
mod summary;
pub mod table;

use skep::Stats;

use crate::books::audit::Audited;
use crate::books::fault::{Fault, Faults};
use crate::books::history::Life;
use crate::cluster::amounts::Sequence;
use crate::objects::task::State;
use crate::replay::measure::{Counters, Latency};
use crate::replay::{Outcome, Run, Threads};
use summary::{Books, Commits, Input, Latencies, Peak, Quantiles, StoreState, Tasks, Time};
pub use summary::{End, Summary};
pub use table::table;

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
        self.versions = self.versions.max(stats.versions);
        self.bytes = self.bytes.max(bytes_alive(&stats));
    }
}

/// The bytes of the versions, and of the indexes and the log that lead to them.
fn bytes_alive(stats: &Stats) -> u64 {
    stats.version_bytes + stats.structure_bytes
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
    let per_second = |count: u64| {
        if seconds > 0.0 {
            count as f64 / seconds
        } else {
            0.0
        }
    };
    let (first, last) = run.timeline.span();
    let now = outcome
        .audited
        .as_ref()
        .map_or(first, |audited| audited.now)
        .min(last);
    let stats = &outcome.stats;
    let (versions, bytes) = (stats.versions, bytes_alive(stats));
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
            (0, false) => End::Complete,
            (0, true) => End::Interrupted,
            _ => End::Broken,
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
            log_commits: stats.log_commits,
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
        check_counts(run, &tasks, faults);
    }
    tasks
}

/// The threads' own counts must agree with the events, and at its end nothing may be left over.
fn check_counts(run: &Run, tasks: &Tasks, faults: &Faults) {
    let counters = &run.counters;
    let agree = |what, counted, shown| {
        if counted != shown {
            faults.add(Fault::Count {
                what,
                counted,
                shown,
            });
        }
    };
    let deleted = Counters::read(&counters.reaped) + Counters::read(&counters.withdrawn);
    agree(
        "tasks submitted",
        Counters::read(&counters.submitted),
        tasks.submitted,
    );
    agree(
        "tasks placed",
        Counters::read(&counters.placed),
        tasks.placed,
    );
    agree(
        "tasks finished",
        Counters::read(&counters.finished),
        tasks.finished,
    );
    agree(
        "tasks failed",
        Counters::read(&counters.failed),
        tasks.failed,
    );
    agree("tasks deleted", deleted, tasks.deleted);
    let pending = tasks.pending_no_room + tasks.pending_unplaceable + tasks.pending_untried;
    agree(
        "tasks placed or pending",
        tasks.placed + pending,
        tasks.submitted,
    );
    if run.complete() {
        let to_delete = run
            .cluster
            .tasks
            .iter()
            .filter(|task| task.deleted_at.is_some())
            .count();
        agree(
            "tasks of the trace",
            run.cluster.tasks.len() as u64,
            tasks.submitted,
        );
        agree(
            "tasks that the trace deletes",
            to_delete as u64,
            tasks.deleted,
        );
        agree("tasks not tried", 0, tasks.pending_untried);
    }
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
        if there == 0 {
            0.0
        } else {
            100.0 * used as f64 / there as f64
        }
    };
    Peak {
        cpu: percent(
            used.cpu_milli,
            nodes.iter().map(|node| u64::from(node.cpu.0)).sum(),
        ),
        memory: percent(
            used.memory_mib,
            nodes.iter().map(|node| u64::from(node.memory.0)).sum(),
        ),
        gpu: percent(
            used.gpu_milli,
            nodes.iter().map(|node| u64::from(node.gpus) * 1_000).sum(),
        ),
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
