//! A run: all stores through all workloads, in interleaved rounds (A B C A B C).

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

/// A file or folder that could not be written.
#[derive(Debug)]
pub struct OutputError {
    place: PathBuf,
    cause: io::Error,
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write {}: {}", self.place.display(), self.cause)
    }
}

fn at(place: &Path) -> impl Fn(io::Error) -> OutputError + '_ {
    |cause| OutputError {
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
    fn create(args: &Args) -> Result<Self, OutputError> {
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

    /// Adds the last of the outcomes.
    fn add(&mut self, heading: &Heading, outcomes: &[Outcome]) -> Result<(), OutputError> {
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
            document.write(heading, outcomes).map_err(at(path))?;
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
    outputs: Outputs,
    progress: Progress,
}

type Loaded = (&'static str, Box<dyn Peer>);

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
    pub fn new(args: Args) -> Result<Self, OutputError> {
        let outputs = Outputs::create(&args)?;
        let threads = args.threads();
        let counts: Vec<String> = threads.iter().map(usize::to_string).collect();
        let heading = Heading {
            origin: Origin::here(START),
            sizes: format!(
                "{} tasks of {TASK_BYTES} bytes; {} rounds, samples of {} ms",
                args.records, args.rounds, args.millis
            ),
            clock: args.clock,
            threads: counts.join(" / "),
        };
        Ok(Self {
            progress: Progress::new(steps(&args)),
            outcomes: Vec::new(),
            args,
            threads,
            heading,
            outputs,
        })
    }

    /// Runs it.
    pub fn all(mut self) -> Result<(), OutputError> {
        let Heading { origin, sizes, .. } = &self.heading;
        self.progress.print(&format!("{origin}\n{sizes}\n"));
        for shape in Shape::ALL {
            self.rated_of(shape)?;
        }
        let asked: Vec<&Special> = asked_special(&self.args).collect();
        for workload in asked {
            self.progress.workload(workload.letter, workload.title);
            let all = self.special(workload);
            self.tell(Outcome::Figures(workload, all))?;
        }
        self.progress.end();
        Ok(())
    }

    fn tell(&mut self, outcome: Outcome) -> Result<(), OutputError> {
        let tables = table::tables(&outcome, self.args.clock);
        let (letter, title) = (outcome.letter(), outcome.title());
        self.progress
            .print(&format!("{letter}: {title}\n{tables}\n"));
        self.outcomes.push(outcome);
        self.outputs.add(&self.heading, &self.outcomes)
    }

    fn rated_of(&mut self, shape: Shape) -> Result<(), OutputError> {
        let asked = asked_rated(&self.args, shape);
        if asked.is_empty() {
            return Ok(());
        }
        let records = shape.records(self.args.records);
        let load = |kind: &Kind| {
            self.progress.loads(kind.name);
            (kind.name, (kind.load)(records))
        };
        let kinds = self.args.among(shape.kinds());
        let peers: Vec<Loaded> = kinds.iter().map(load).collect();
        for workload in asked {
            self.progress.workload(workload.letter, workload.title);
            let all = self.rated(workload, &peers);
            self.tell(Outcome::Rates(workload, all))?;
        }
        Ok(())
    }

    fn rated(&self, workload: &Rated, peers: &[Loaded]) -> Vec<Samples> {
        let how = self.args.how(workload.shape.records(self.args.records));
        let none = peers
            .iter()
            .map(|(name, _)| Samples::none(name, &self.threads));
        let mut all: Vec<Samples> = none.collect();
        for round in 0..=self.args.rounds {
            for &threads in &self.threads {
                for ((name, peer), samples) in peers.iter().zip(&mut all) {
                    self.progress.store(workload.letter, name);
                    let taken = sample(&**peer, &workload.rate, &how, threads);
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
