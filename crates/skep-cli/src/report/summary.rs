//! All that a replay tells of itself. As JSON its names are the fields'.

use serde::Serialize;

/// All that a replay tells of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// What was played.
    pub input: Input,
    /// How it ended.
    pub end: End,
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

/// How a replay ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// All was played, and the books balance.
    Complete,
    /// It was stopped before its end; up to there the books balance.
    Interrupted,
    /// The books do not balance.
    Broken,
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
    pub log_commits: u64,
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
