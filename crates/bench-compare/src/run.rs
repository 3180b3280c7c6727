//! A run: all stores through all workloads, in interleaved rounds, every second one the other way
//! round (A B C C B A), so that nobody always comes after the same other.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use skep_measure::origin::Origin;

use crate::args::Args;
use crate::outcome::Outcome;
use crate::peers::{KINDS, Kind, Peer};
use crate::progress::Progress;
use crate::rates::sample;
use crate::report::chart::Chart;
use crate::report::csv::Csv;
use crate::report::document::{Document, Heading};
use crate::report::{svg, table};
use crate::samples::Samples;
use crate::special::{Figures, SPECIAL, Special};
use crate::task::TASK_BYTES;
use crate::verify;
use crate::workload::{RATED, Rated, Shape};

/// How the program is started, without its arguments.
const START: &str = match (cfg!(feature = "mvcc-core"), cfg!(feature = "mimalloc")) {
    (true, true) => {
        "cargo run --release --ignore-rust-version -p bench-compare \
         --features mvcc-core,mimalloc --"
    }
    (true, false) => {
        "cargo run --release --ignore-rust-version -p bench-compare --features mvcc-core --"
    }
    (false, true) => "cargo run --release -p bench-compare --features mimalloc --",
    (false, false) => "cargo run --release -p bench-compare --",
};

/// Why a run ends early, or is not to be relied on.
#[derive(Debug)]
pub enum Failure {
    /// A file or folder, or the standard output, could not be written.
    Output {
        /// Which.
        place: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Nobody reads the standard output any more, and results go nowhere else.
    Unread,
    /// So many times a store did not do what it was asked to do; each was told.
    Wrong(usize),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Output { place, cause } => {
                write!(f, "cannot write {}: {cause}", place.display())
            }
            Self::Unread => f.write_str("nobody reads the results"),
            Self::Wrong(times) => write!(f, "stores were WRONG, {times} in all: see above"),
        }
    }
}

fn at(place: &Path) -> impl Fn(io::Error) -> Failure + '_ {
    |cause| Failure::Output {
        place: place.to_owned(),
        cause,
    }
}

/// Where results go besides the terminal.
struct Outputs {
    csv: Option<(PathBuf, Csv)>,
    charts: Option<PathBuf>,
    document: Option<(PathBuf, Document)>,
}

impl Outputs {
    /// Makes all of them, before anything is measured.
    fn create(args: &Args) -> Result<Self, Failure> {
        let charts = args.plots.as_deref();
        if let Some(folder) = charts {
            std::fs::create_dir_all(folder).map_err(at(folder))?;
        }
        let csv = args.csv.as_deref().map(|path| {
            let csv = Csv::create(path).map_err(at(path))?;
            Ok((path.to_owned(), csv))
        });
        let document = args.markdown.as_deref().map(|path| {
            let document = Document::create(path, charts).map_err(at(path))?;
            Ok((path.to_owned(), document))
        });
        Ok(Self {
            csv: csv.transpose()?,
            charts: charts.map(Path::to_owned),
            document: document.transpose()?,
        })
    }

    /// Whether results go anywhere besides the terminal.
    fn is_some(&self) -> bool {
        self.csv.is_some() || self.charts.is_some() || self.document.is_some()
    }

    /// Adds the last of the outcomes, and what stores did wrong so far.
    fn add(
        &mut self,
        heading: &Heading,
        outcomes: &[Outcome],
        wrongs: &[String],
    ) -> Result<(), Failure> {
        let Some(last) = outcomes.last() else {
            return Ok(());
        };
        if let Some((path, csv)) = &mut self.csv {
            csv.add(last).map_err(at(path))?;
        }
        if let (Some(folder), Some(chart)) = (&self.charts, Chart::of(last)) {
            let written = svg::write(folder, last.letter(), &chart, &heading.origin);
            written.map_err(at(folder))?;
        }
        if let Some((path, document)) = &self.document {
            let written = document.write(heading, outcomes, wrongs);
            written.map_err(at(path))?;
        }
        Ok(())
    }
}

/// What was asked for, what has come of it, and where that goes.
pub struct Run {
    args: Args,
    threads: Vec<usize>,
    heading: Heading,
    outcomes: Vec<Outcome>,
    wrongs: Vec<String>,
    outputs: Outputs,
    progress: Progress,
}

/// A store of a run's rates.
struct Loaded {
    name: &'static str,
    peer: Box<dyn Peer>,
    /// Updates that it says it has made.
    updates: u64,
}

/// Some letters in few words: `a to d, f`.
fn spans(letters: &str) -> String {
    let mut letters: Vec<u8> = letters.bytes().collect();
    letters.sort_unstable();
    letters.dedup();
    let spans = letters.chunk_by(|before, letter| before + 1 == *letter);
    let texts = spans.map(|span| match span {
        [first, _, .., last] => format!("{} to {}", char::from(*first), char::from(*last)),
        few => {
            let few: Vec<String> = few.iter().map(|&it| char::from(it).to_string()).collect();
            few.join(", ")
        }
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// A shape's workloads that were asked for.
fn asked_rated(args: &Args, shape: Shape) -> Vec<&'static Rated> {
    let asked = |rated: &&Rated| rated.shape == shape && args.asks(rated.letter);
    RATED.iter().filter(asked).collect()
}

fn asked_special(args: &Args) -> impl Iterator<Item = &'static Special> {
    SPECIAL.iter().filter(|special| args.asks(special.letter))
}

fn rounds(args: &Args, workload: &Special) -> usize {
    // What counts, and what is true or not, is the same in every round.
    if workload.is_rate {
        args.rounds as usize
    } else {
        1
    }
}

/// Samples that a run takes, each store's of each round.
fn steps(args: &Args) -> usize {
    let rated = Shape::ALL.map(|shape| {
        let stores = args.among(shape.kinds()).len();
        let samples = args.threads().len() * (args.rounds as usize + 1);
        asked_rated(args, shape).len() * stores * samples
    });
    let special = asked_special(args).map(|workload| rounds(args, workload));
    rated.iter().sum::<usize>() + special.sum::<usize>() * args.among(KINDS).len()
}

impl Run {
    /// Prepares one: whatever is to be written can be.
    pub fn new(args: Args) -> Result<Self, Failure> {
        let outputs = Outputs::create(&args)?;
        let threads = args.threads();
        let counts: Vec<String> = threads.iter().map(usize::to_string).collect();
        let heading = Heading {
            origin: Origin::here(START),
            sizes: format!(
                "{} tasks of {TASK_BYTES} bytes; {} {}, samples of {} ms",
                args.records,
                args.rounds,
                if args.rounds == 1 { "round" } else { "rounds" },
                args.millis
            ),
            workloads: spans(&args.workloads),
            clock: args.clock,
            threads: counts.join(" / "),
        };
        Ok(Self {
            progress: Progress::new(steps(&args)),
            outcomes: Vec::new(),
            wrongs: Vec::new(),
            args,
            threads,
            heading,
            outputs,
        })
    }

    /// Runs it.
    pub fn all(mut self) -> Result<(), Failure> {
        let Heading { origin, sizes, .. } = &self.heading;
        self.print(&format!("{origin}\n{sizes}\n"))?;
        for shape in Shape::ALL {
            self.rated_of(shape)?;
        }
        let asked: Vec<&Special> = asked_special(&self.args).collect();
        for workload in asked {
            self.progress.workload(workload.letter, workload.title);
            let all = self.special(workload);
            self.tell(Outcome::Figures(workload, all), &[])?;
        }
        self.progress.end();
        match self.wrongs.len() {
            0 => Ok(()),
            times => Err(Failure::Wrong(times)),
        }
    }

    /// Prints a result.
    fn print(&self, text: &str) -> Result<(), Failure> {
        match self.progress.print(text) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                let is_written = self.outputs.is_some();
                is_written.then_some(()).ok_or(Failure::Unread)
            }
            printed => printed.map_err(at(Path::new("the standard output"))),
        }
    }

    fn tell(&mut self, outcome: Outcome, wrongs: &[String]) -> Result<(), Failure> {
        let tables = table::tables(&outcome, self.args.clock);
        let (letter, title) = (outcome.letter(), outcome.title());
        let wrongs = wrongs.iter().map(|wrong| format!("{letter}: {wrong}"));
        let wrongs: Vec<String> = wrongs.collect();
        let told: String = wrongs.iter().map(|it| format!("WRONG: {it}\n")).collect();
        let printed = self.print(&format!("{letter}: {title}\n{tables}\n{told}"));
        self.outcomes.push(outcome);
        self.wrongs.extend(wrongs);
        // What cannot be printed is written all the same.
        let outputs = &mut self.outputs;
        let written = outputs.add(&self.heading, &self.outcomes, &self.wrongs);
        printed.and(written)
    }

    fn rated_of(&mut self, shape: Shape) -> Result<(), Failure> {
        let asked = asked_rated(&self.args, shape);
        if asked.is_empty() {
            return Ok(());
        }
        let records = shape.records(self.args.records);
        let load = |kind: &Kind| {
            self.progress.loads(kind.name);
            Loaded {
                name: kind.name,
                peer: (kind.load)(records),
                updates: 0,
            }
        };
        let kinds = self.args.among(shape.kinds());
        let mut peers: Vec<Loaded> = kinds.iter().map(load).collect();
        for workload in asked {
            self.progress.workload(workload.letter, workload.title);
            let all = self.rated(workload, &mut peers);
            let wrong = |it: &Loaded| {
                let wrong = verify::wrong(&*it.peer, records, it.updates)?;
                Some(format!("{}: {wrong}", it.name))
            };
            let wrongs: Vec<String> = peers.iter().filter_map(wrong).collect();
            self.tell(Outcome::Rates(workload, all), &wrongs)?;
        }
        Ok(())
    }

    fn rated(&self, workload: &Rated, peers: &mut [Loaded]) -> Vec<Samples> {
        let how = self.args.how(workload.shape.records(self.args.records));
        let none = peers.iter().map(|it| Samples::none(it.name, &self.threads));
        let mut all: Vec<Samples> = none.collect();
        for round in 0..=self.args.rounds {
            for &threads in &self.threads {
                let stores = peers.iter_mut().zip(&mut all);
                let mut stores: Vec<(&mut Loaded, &mut Samples)> = stores.collect();
                if round % 2 == 1 {
                    stores.reverse();
                }
                for (store, samples) in stores {
                    self.progress.store(workload.letter, store.name);
                    let taken = sample(&*store.peer, &workload.rate, &how, threads, round);
                    store.updates += taken.map_or(0, |taken| taken.updates);
                    // The first round only warms up.
                    if let Some(taken) = taken.filter(|_| round > 0) {
                        samples.note(threads, taken);
                    }
                    self.progress.step();
                }
            }
        }
        all
    }

    fn special(&self, workload: &Special) -> Vec<(&'static str, Vec<Figures>)> {
        let kinds = self.args.among(KINDS);
        let none = kinds.iter().map(|kind| (kind.name, Vec::new()));
        let mut all: Vec<(&'static str, Vec<Figures>)> = none.collect();
        for _ in 0..rounds(&self.args, workload) {
            for (kind, (_, rounds)) in kinds.iter().zip(&mut all) {
                self.progress.store(workload.letter, kind.name);
                rounds.extend((workload.run)(kind, &self.args.scale()));
                self.progress.step();
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_told_in_spans() {
        assert_eq!(spans("abcdefghiopqr"), "a to i, o to r");
        assert_eq!(spans("snjlk"), "j to l, n, s");
        assert_eq!(spans("baa"), "a, b");
        assert_eq!(spans("m"), "m");
    }
}
