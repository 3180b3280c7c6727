//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use skep_measure::clock::Clock;
use skep_measure::origin::usual_threads;

use crate::peers::{KINDS, Kind, ROW_KINDS, SKEP};
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
  i  95% reads of what is newest and 5% updates, zipf 0.99
  j  updates of 1,000 tasks beside one held snapshot: rates, memory, whether it stays right; and
     once more while a thread reads in it: how long its reads take
  k  tasks put in and taken out: the rate, and whether memory comes back
  l  memory a task beyond the task itself
  m  a thread stopped at random instants: how often others stop with it
  n  a transaction left open while 70,000 others commit, and a million
  s  a snapshot and its end, nothing read
on 10,000 rows of 16 bytes under integers, which is the bench of mvcc-core (skep runs alone unless
this program was built with the feature mvcc-core):
  o  point reads, 100 a snapshot        q  a snapshot, one read, its end
  p  the same on 4 hot rows             r  read-modify-write in a transaction

a to i and o to s are measured by one thread, by two, and by as many as there are cores, round by
round, all stores in turn, so that a noisy minute hits everybody. Rates are medians by the wall
clock, spreads the distance of the extremes over the median; \"CPU ns\" is the time that the
measuring threads ran for an operation: waiting is not counted, nor what a store does on threads
of its own. \"skep is\" is skep's rate over the store's; \"attempts\" is the most that one operation
took. \"asked\" is what was asked of skep at first, \"asked finally\" what is asked now; the worse
of one thread and two decides. A store that cannot do something is left out of its table.

Skep's keys are identities of 16 bytes; its peers' are the same ones as texts of 25 characters, but
for stores \"by Id\", which have skep's.
After each workload that is a rate every store's counters are read back: where they do not come to
the updates that it said it made, WRONG is told, and the program ends with 1. It ends with 2 if it
cannot write, or does not understand its arguments. Files are written after each workload, so that
a run that is stopped keeps what it had come to.

Examples:
  bench-compare --records 10000 --operations 100000 --rounds 1 --millis 50
      a look at all, in some minutes
  bench-compare --workloads abeh --peers surrealmx,btree --rounds 7 --csv rates.csv
      four workloads on three stores; each sample a line of a file
  bench-compare --plots docs/plots --markdown docs/compared.md --csv rates.csv
      everything, as a document with charts; what misses its target comes first
  bench-compare --workloads e --threads 1,2,4,8 --clock cpu
      how updates scale, on a machine that others work on";

/// Compares skep with its peers: the same work on each, in each store's own best way
#[derive(Debug, Parser)]
#[command(version, after_help = WORKLOADS)]
pub struct Args {
    /// Rounds that count; of workloads a to i and o to s one more runs first, to warm up
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
    /// Without it, all: papaya, dashmap, `RwLock<BTreeMap>`, `RwLock<HashMap>`, each of these also
    /// by Id; surrealmx, skipdb, concread, redb, `ArcSwap<imbl>`, SkipMap; mvcc-core if built with
    /// its feature.
    #[arg(long, value_delimiter = ',', value_parser = part_of_name)]
    pub peers: Vec<String>,
    /// Counts of threads, with commas between [default: 1, 2 and the number of cores]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Vec<u16>,
    /// How long a sample takes, in milliseconds
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pub millis: u64,
    /// Updates beside the held snapshot (j), tasks put in and taken out (k)
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1000..))]
    pub operations: u32,
    /// How often a thread is stopped (m)
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub stops: u32,
    /// Which time counts in ratios, and as a sample's length: wall, or cpu
    ///
    /// Both are measured. cpu is the time that threads ran: of use on a machine that others work
    /// on, too. It does not see waiting.
    #[arg(long, value_name = "wall|cpu", default_value = "wall")]
    pub clock: Clock,
    /// Writes every sample to this file, a line a figure
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Writes a bar chart a workload into this folder, as SVG
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
    /// Writes a document with all tables: what misses its target first
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

/// The letters that there are.
const LETTERS: std::ops::RangeInclusive<char> = 'a'..='s';

fn letters(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("name at least one workload, a to s".to_owned());
    }
    match text.chars().find(|letter| !LETTERS.contains(letter)) {
        Some(letter) => Err(format!("there is no workload {letter}, only a to s")),
        None => Ok(text.to_owned()),
    }
}

/// A part of a peer's name.
fn part_of_name(text: &str) -> Result<String, String> {
    let kinds = || KINDS.iter().chain(ROW_KINDS);
    if !text.is_empty() && kinds().any(|kind| is_named(kind, text)) {
        return Ok(text.to_owned());
    }
    let mut names: Vec<&str> = kinds().map(|kind| kind.name).collect();
    names.sort_unstable();
    names.dedup();
    let names = names.join("; ");
    let more = if cfg!(feature = "mvcc-core") {
        ""
    } else {
        "; mvcc-core, if built with that feature"
    };
    Err(format!(
        "no peer has that in its name; there are {names}{more}"
    ))
}

fn is_named(kind: &Kind, part: &str) -> bool {
    kind.name.to_lowercase().contains(&part.to_lowercase())
}

impl Args {
    /// Whether a workload was asked for.
    pub fn asks(&self, letter: char) -> bool {
        self.workloads.contains(letter)
    }

    /// Those of some stores that were asked for.
    pub fn among(&self, kinds: &[Kind]) -> Vec<Kind> {
        let asked = |kind: &&Kind| {
            let mut parts = self.peers.iter();
            kind.name == SKEP || self.peers.is_empty() || parts.any(|part| is_named(kind, part))
        };
        kinds.iter().filter(asked).copied().collect()
    }

    /// The counts of threads, each once, the fewest first.
    pub fn threads(&self) -> Vec<usize> {
        if self.threads.is_empty() {
            return usual_threads();
        }
        let mut threads: Vec<usize> = self.threads.iter().map(|&it| usize::from(it)).collect();
        threads.sort_unstable();
        threads.dedup();
        threads
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
            clock: self.clock,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
        for wrong in ["az", ""] {
            let parsed = Args::try_parse_from(["bench-compare", "--workloads", wrong]);
            assert!(parsed.is_err(), "{wrong}");
        }
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
            [
                "skep",
                "RwLock<BTreeMap>",
                "RwLock<BTreeMap> by Id",
                "RwLock<HashMap>",
                "RwLock<HashMap> by Id"
            ]
        );
        assert_eq!(names("papaya by").len(), 2);
    }

    #[test]
    fn threads_are_in_order_and_each_once() {
        assert_eq!(args(&["--threads", "4,1,4,2"]).threads(), [1, 2, 4]);
        assert_eq!(args(&[]).threads(), usual_threads());
        for wrong in ["0", "1,x", "", "100000"] {
            let parsed = Args::try_parse_from(["bench-compare", "--threads", wrong]);
            assert!(parsed.is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_peer_that_is_not_there_is_refused_and_help_names_all() {
        for wrong in ["sqlite", "redb,sqlite", ""] {
            let parsed = Args::try_parse_from(["bench-compare", "--peers", wrong]);
            assert!(parsed.is_err(), "{wrong}");
        }
        let help = Args::command().render_long_help().to_string();
        for kind in KINDS {
            let name = kind.name.trim_end_matches(" by Id");
            assert!(help.contains(name), "{}", kind.name);
        }
    }
}
