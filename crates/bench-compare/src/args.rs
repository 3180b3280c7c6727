//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::clock::Clock;
use crate::peers::{Kind, SKEP};
use crate::rates::How;
use crate::special::Scale;

const WORKLOADS: &str = "\
Workloads (--workloads), all on the same tasks of about 400 bytes under random keys:
  a  point reads inside one open snapshot
  b  a snapshot, one read, its end
  c  a full scan in key order
  d  scans of 100 consecutive tasks
  e  read-modify-write of one task in a serializable transaction
  f  10 of them in one transaction
  g  200 of them in one transaction
  h  as e, everybody on the same 10 tasks
  i  95% reads and 5% updates, zipf 0.99
  j  updates of 1,000 tasks beside one held snapshot: rates, memory, whether it stays right
  k  tasks put in and taken out: the rate, and whether memory comes back
  l  memory a task beyond the task itself
  m  a thread stopped at random instants: how often others stop with it
  n  a transaction left open while 70,000 others commit, and a million
  s  a snapshot and its end, nothing read
on 10,000 rows of 16 bytes under integers, which is the bench of mvcc-core (skep runs alone unless
this program was built with the feature mvcc-core):
  o  point reads, 100 a snapshot        q  a snapshot, one read, its end
  p  the same on 4 hot rows             r  read-modify-write in a transaction

a to i and o to s are measured by one thread and by two, round by round, all stores in turn, so that
a noisy minute hits everybody; shown are medians, spreads (extremes over the median) and skep's rate
over the peer's. \"asked\" is what was asked of skep at first, \"asked finally\" what is asked now;
the worse of one thread and two decides. A store that cannot do something is left out of its table.

Examples:
  bench-compare --workloads abeh --rounds 7 --csv rates.csv
  bench-compare --workloads m --peers surrealmx,redb
  bench-compare --records 10000 --operations 100000 --rounds 1 --millis 50     a look at all";

/// Compares skep with its peers: the same work on each, in each store's own best way
#[derive(Debug, Parser)]
#[command(version, after_help = WORKLOADS)]
pub struct Args {
    /// Rounds that count in workloads that are rates; one more runs first, to warm up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Tasks in each store: 1,000 at least
    ///
    /// 100,000 are past the processor's caches, 10,000 lie within them.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..))]
    pub records: u32,
    /// Which workloads, by letter; all are explained below
    #[arg(long, default_value = "abcdefghijklmnopqrs", value_parser = letters)]
    pub workloads: String,
    /// Which peers, by parts of their names, with commas between; skep is always there
    ///
    /// Without it, all: see the tables' first columns for their names.
    #[arg(long, value_delimiter = ',')]
    pub peers: Vec<String>,
    /// How long a sample takes, in milliseconds
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pub millis: u64,
    /// Updates beside the held snapshot (j), tasks put in and taken out (k)
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..))]
    pub operations: u32,
    /// How often a thread is stopped (m)
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub stops: u32,
    /// Which time counts in rates
    #[arg(long, value_enum, default_value_t = Clock::Wall)]
    pub clock: Clock,
    /// Writes every sample to this file, a line each
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
}

/// The letters that there are.
const LETTERS: std::ops::RangeInclusive<char> = 'a'..='s';

fn letters(text: &str) -> Result<String, String> {
    match text.chars().find(|letter| !LETTERS.contains(letter)) {
        Some(letter) => Err(format!("there is no workload {letter}, only a to s")),
        None => Ok(text.to_owned()),
    }
}

impl Args {
    /// Whether a workload was asked for.
    pub fn asks(&self, letter: char) -> bool {
        self.workloads.contains(letter)
    }

    /// Those of some stores that were asked for.
    pub fn among(&self, kinds: &[Kind]) -> Vec<Kind> {
        let asked = |kind: &&Kind| {
            let name = kind.name.to_lowercase();
            let mut parts = self.peers.iter();
            kind.name == SKEP
                || self.peers.is_empty()
                || parts.any(|part| name.contains(&part.to_lowercase()))
        };
        kinds.iter().filter(asked).copied().collect()
    }

    /// How samples of rates are taken, of stores of so many records.
    pub fn how(&self, records: u32) -> How {
        How {
            records,
            time: Duration::from_millis(self.millis),
            clock: self.clock,
        }
    }

    /// How large the workloads that are not rates are.
    pub fn scale(&self) -> Scale {
        Scale {
            records: self.records,
            operations: self.operations,
            stops: self.stops,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::KINDS;
    use crate::special::SPECIAL;
    use crate::workload::RATED;
    use clap::CommandFactory;

    fn args(args: &[&str]) -> Args {
        Args::parse_from([&["bench-compare"], args].concat())
    }

    #[test]
    fn the_command_line_is_well_made() {
        Args::command().debug_assert();
    }

    #[test]
    fn every_workload_runs_without_being_named_and_is_explained() {
        let letters = RATED.iter().map(|rated| rated.letter);
        for letter in letters.chain(SPECIAL.iter().map(|special| special.letter)) {
            assert!(args(&[]).asks(letter), "{letter}");
            assert!(WORKLOADS.contains(&format!("  {letter}  ")), "{letter}");
            assert!(LETTERS.contains(&letter), "{letter}");
        }
        assert!(Args::try_parse_from(["bench-compare", "--workloads", "az"]).is_err());
    }

    #[test]
    fn peers_are_chosen_by_parts_of_their_names() {
        let names = |peers: &str| {
            let kinds = args(&["--peers", peers]).among(KINDS);
            kinds.iter().map(|kind| kind.name).collect::<Vec<_>>()
        };
        assert_eq!(names("surreal"), ["skep", "surrealmx"]);
        assert_eq!(
            names("rwlock"),
            ["skep", "RwLock<BTreeMap>", "RwLock<HashMap>"]
        );
    }
}
