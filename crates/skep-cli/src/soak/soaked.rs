//! What a soak says at its end, as a table or as JSON.

use std::time::Duration;

use serde::Serialize;

use super::disturb::Disturbances;
use super::memory::{Memory, mib};
use crate::report::Summary;
use crate::report::table::{add, counted, grouped, titled};

/// All that a soak tells of itself. As JSON its names are the fields'.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Soaked {
    /// Replays played, the last one perhaps not to its end.
    pub rounds: u64,
    pub wall_seconds: f64,
    pub commits: u64,
    pub conflicts: u64,
    pub tasks_placed: u64,
    pub versions_checked: u64,
    pub events_checked: u64,
    pub snapshots_held: u64,
    pub watchers_stopped: u64,
    pub watchers_lagged: u64,
    pub views_parked: u64,
    pub transactions_parked: u64,
    /// Memory, in MiB: the most allocated at once, the most that a round left behind, the most
    /// that the process held of the system's, and what it might hold.
    pub allocated_mib: u64,
    pub left_mib: u64,
    pub held_mib: u64,
    pub held_mib_max: u64,
    pub faults: Vec<String>,
    #[serde(skip)]
    line: String,
}

impl Soaked {
    /// Takes a round in.
    pub fn add(&mut self, round: &Summary) {
        self.rounds += 1;
        self.commits += round.commits.count;
        self.conflicts += round.commits.conflicts;
        self.tasks_placed += round.tasks.placed;
        self.versions_checked += round.books.versions_checked;
        self.events_checked += round.books.events_checked;
        self.faults.extend(round.books.faults.iter().cloned());
    }

    /// Takes in what all rounds shared.
    pub fn finish(&mut self, counts: &Disturbances, memory: &Memory, took: Duration) {
        self.wall_seconds = took.as_secs_f64();
        self.snapshots_held = Disturbances::read(&counts.snapshots);
        self.watchers_stopped = Disturbances::read(&counts.watchers);
        self.watchers_lagged = Disturbances::read(&counts.lagged);
        self.views_parked = Disturbances::read(&counts.views);
        self.transactions_parked = Disturbances::read(&counts.transactions);
        self.allocated_mib = mib(memory.allocated());
        self.left_mib = mib(memory.left());
        self.held_mib = mib(memory.held());
        self.held_mib_max = mib(memory.held_max());
        self.line = memory.line();
    }

    /// What is printed.
    pub fn text(&self, json: bool) -> String {
        if json {
            serde_json::to_string(self).expect("it has only names and numbers")
        } else {
            self.table()
        }
    }

    fn table(&self) -> String {
        let seconds = format!("{:.1} s", self.wall_seconds);
        let mut table = titled([&counted(self.rounds, "round"), &seconds]);
        let rows = [
            ("commits", self.commits),
            ("transactions with a conflict", self.conflicts),
            ("tasks placed", self.tasks_placed),
            ("versions walked", self.versions_checked),
            ("events walked", self.events_checked),
            ("snapshots held", self.snapshots_held),
            ("watchers stopped", self.watchers_stopped),
            ("lags told to them", self.watchers_lagged),
            ("threads parked in a view", self.views_parked),
            ("threads parked in a transaction", self.transactions_parked),
        ];
        for (name, number) in rows {
            add(&mut table, name, grouped(number));
        }
        let memory = [
            ("memory allocated, at most", self.allocated_mib),
            ("  left after a round", self.left_mib),
            ("memory held, at most", self.held_mib),
            ("  allowed", self.held_mib_max),
        ];
        for (name, mib) in memory {
            add(&mut table, name, format!("{} MiB", grouped(mib)));
        }
        let verdict = match self.faults.len() as u64 {
            0 => "the books balance in every round, and memory stays within its bound".to_owned(),
            count => format!("broken: {}", counted(count, "fault")),
        };
        format!("{table}\nmemory {}\n{verdict}", self.line)
    }
}
