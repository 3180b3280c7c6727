//! Compares skep with its peers: the same workloads on each, in interleaved rounds (A B C A B C),
//! medians and spreads, and our ratio to each peer beside what is asked.
//!
//! ```text
//! cargo run --release -p bench-compare -- --workloads abeh --rounds 7 --csv rates.csv
//! ```
//!
//! All stores use mimalloc, and hash maps foldhash. Rates are of the wall clock unless `--clock
//! cpu` is given, which counts the time that the threads ran: on a machine with other work the wall
//! clock measures that work. `--help` explains the workloads.

mod args;
mod asked;
mod clock;
mod memory;
mod peers;
mod picks;
mod progress;
mod rates;
mod report;
mod special;
mod stops;
mod suspend;
mod task;
mod workload;

use std::io;

use clap::Parser;

use self::args::Args;
use self::peers::{KINDS, Kind, Peer};
use self::progress::Progress;
use self::rates::sample;
use self::report::{Csv, Samples, median};
use self::special::{Figures, SPECIAL, Special};
use self::workload::{RATED, Rated, Shape};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Threads of the second column.
const THREADS_MAX: usize = 2;

/// A run: what was asked for, and where results go.
struct Run {
    args: Args,
    csv: Option<Csv>,
    progress: Progress,
}

type Loaded = (&'static str, Box<dyn Peer>);

fn main() -> io::Result<()> {
    let args = Args::parse();
    println!(
        "{} tasks of {} bytes, {} rounds of {} ms, {} cores\n",
        args.records,
        task::TASK_BYTES,
        args.rounds,
        args.millis,
        std::thread::available_parallelism()?
    );
    let mut run = Run {
        csv: args.csv.as_deref().map(Csv::create).transpose()?,
        progress: Progress::new(steps(&args)),
        args,
    };
    for shape in Shape::ALL {
        run.all_rated(shape)?;
    }
    run.all_special()?;
    run.progress.end();
    Ok(())
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
        asked_rated(args, shape).len() * stores * THREADS_MAX * (args.rounds as usize + 1)
    });
    let special = asked_special(args).map(|workload| rounds(args, workload));
    rated.iter().sum::<usize>() + special.sum::<usize>() * args.among(KINDS).len()
}

impl Run {
    fn all_rated(&mut self, shape: Shape) -> io::Result<()> {
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
            self.progress.print(&report::rated(workload, &all));
            if let Some(csv) = &mut self.csv {
                csv.rated(workload.letter, &all)?;
            }
        }
        Ok(())
    }

    fn rated(&self, workload: &Rated, peers: &[Loaded]) -> Vec<Samples> {
        let how = self.args.how(workload.shape.records(self.args.records));
        let empty = |peer: &Loaded| Samples {
            peer: peer.0,
            by_threads: [vec![], vec![]],
        };
        let mut all: Vec<Samples> = peers.iter().map(empty).collect();
        for round in 0..=self.args.rounds {
            for threads in 1..=THREADS_MAX {
                for ((name, peer), samples) in peers.iter().zip(&mut all) {
                    self.progress.store(workload.letter, name);
                    let taken = sample(&**peer, &workload.rate, &how, threads);
                    // The first round only warms up.
                    samples.by_threads[threads - 1].extend(taken.filter(|_| round > 0));
                    self.progress.step();
                }
            }
        }
        all
    }

    fn all_special(&mut self) -> io::Result<()> {
        let kinds = self.args.among(KINDS);
        let asked: Vec<&Special> = asked_special(&self.args).collect();
        for workload in asked {
            self.progress.workload(workload.letter, workload.title);
            let mut all: Vec<(&'static str, Vec<Figures>)> =
                kinds.iter().map(|kind| (kind.name, Vec::new())).collect();
            for round in 1..=rounds(&self.args, workload) {
                for (kind, (_, taken)) in kinds.iter().zip(&mut all) {
                    let figures = self.special(workload, kind, round)?;
                    taken.extend(figures);
                }
            }
            let medians = all
                .iter()
                .filter_map(|(name, rounds)| Some((*name, medians(rounds)?)));
            let medians: Vec<_> = medians.collect();
            self.progress.print(&report::figures(workload, &medians));
        }
        Ok(())
    }

    fn special(
        &mut self,
        workload: &Special,
        kind: &Kind,
        round: usize,
    ) -> io::Result<Option<Figures>> {
        self.progress.store(workload.letter, kind.name);
        let figures = (workload.run)(kind, &self.args.scale());
        for &figure in figures.iter().flatten() {
            if let Some(csv) = &mut self.csv {
                csv.line(workload.letter, kind.name, 1, round, figure)?;
            }
        }
        self.progress.step();
        Ok(figures)
    }
}

/// The medians of several rounds' figures.
fn medians(rounds: &[Figures]) -> Option<Figures> {
    let names = rounds.first()?.iter().enumerate();
    let middle = |(at, &(name, _)): (usize, &(&'static str, f64))| {
        Some((
            name,
            median(rounds.iter().map(|figures| figures[at].1).collect())?,
        ))
    };
    names.map(middle).collect()
}
