//! Compares skep with its peers: the same workloads on each, in interleaved rounds (A B C A B C),
//! medians and spreads, and our ratio to
//! each peer beside what is asked.
//!
//! ```text
//! cargo run --release -p bench-compare -- --workloads abeh --rounds 7 --csv rates.csv
//! ```
//!
//! All stores use mimalloc, and hash maps foldhash. Rates are of the wall clock unless `--clock
//! cpu` is given, which counts the time that
//! the threads ran: on a machine with other work the wall clock measures that work.

mod clock;
mod memory;
mod peers;
mod picks;
mod rates;
mod report;
mod special;
mod task;
mod workload;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use self::clock::Clock;
use self::peers::{KINDS, Kind, Peer, SKEP};
use self::rates::{How, sample};
use self::report::{Csv, Samples, median};
use self::special::Figures;
use self::workload::{RATED, Rated};

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Threads of the second column.
const THREADS_MAX: usize = 2;

/// Compares skep with its peers.
#[derive(Debug, Parser)]
struct Args {
    /// Rounds that count; one more runs first, to warm up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Tasks in each store
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1000..))]
    records: u32,
    /// Which workloads, by letter
    #[arg(long, default_value = "abcdefghijkln")]
    workloads: String,
    /// Which peers, by parts of their names; skep is always there
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// How long a sample takes, in milliseconds
    #[arg(long, default_value_t = 200)]
    millis: u64,
    /// Which time counts in a to i
    #[arg(long, value_enum, default_value_t = Clock::Wall)]
    clock: Clock,
    /// Writes every sample to this file
    #[arg(long)]
    csv: Option<PathBuf>,
}

impl Args {
    fn kinds(&self) -> Vec<Kind> {
        let asked = |kind: &&Kind| {
            let name = kind.name.to_lowercase();
            let mut parts = self.peers.iter();
            kind.name == SKEP
                || self.peers.is_empty()
                || parts.any(|part| name.contains(&part.to_lowercase()))
        };
        KINDS.iter().filter(asked).copied().collect()
    }

    fn how(&self) -> How {
        let time = Duration::from_millis(self.millis);
        How {
            records: self.records,
            time,
            clock: self.clock,
        }
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let kinds = args.kinds();
    let mut csv = args.csv.as_deref().map(Csv::create).transpose()?;
    println!(
        "{} tasks of {} bytes, {} rounds of {} ms, {} cores\n",
        args.records,
        task::TASK_BYTES,
        args.rounds,
        args.millis,
        std::thread::available_parallelism()?
    );
    let asked = RATED
        .iter()
        .filter(|rated| args.workloads.contains(rated.letter));
    let asked: Vec<&Rated> = asked.collect();
    if !asked.is_empty() {
        let load = |kind: &Kind| (kind.name, (kind.load)(args.records));
        let peers: Vec<_> = kinds.iter().map(load).collect();
        for workload in asked {
            let all = run_rated(workload, &peers, &args);
            println!("{}", report::rated(workload, &all));
            if let Some(csv) = &mut csv {
                csv.rated(workload.letter, &all)?;
            }
        }
    }
    run_special(&args, &kinds, csv.as_mut())
}

fn run_rated(
    workload: &Rated,
    peers: &[(&'static str, Box<dyn Peer>)],
    args: &Args,
) -> Vec<Samples> {
    let how = args.how();
    let empty = |peer: &(&'static str, _)| Samples {
        peer: peer.0,
        by_threads: [vec![], vec![]],
    };
    let mut all: Vec<Samples> = peers.iter().map(empty).collect();
    for round in 0..=args.rounds {
        for threads in 1..=THREADS_MAX {
            for ((_, peer), samples) in peers.iter().zip(&mut all) {
                let taken = sample(&**peer, &workload.rate, &how, threads);
                // The first round only warms up.
                samples.by_threads[threads - 1].extend(taken.filter(|_| round > 0));
            }
        }
    }
    all
}

type Special = fn(&Kind, u32) -> Option<Figures>;

/// Letter, title, what is asked, how.
const SPECIAL: &[(char, &str, &str, Special)] = &[
    (
        'j',
        "1 M updates of 1,000 keys beside one held snapshot",
        "ratio >= 0.9, at most 2 versions a key and 5 MiB more, right",
        special::held,
    ),
    (
        'k',
        "1 M tasks put in and taken out",
        ">= 3 x surrealmx, memory back within 5%",
        special::churn,
    ),
    ('l', "memory", "<= 240", special::memory),
    (
        'n',
        "a transaction left open beside 70,000 commits",
        "1",
        special::open,
    ),
];

fn run_special(args: &Args, kinds: &[Kind], mut csv: Option<&mut Csv>) -> io::Result<()> {
    for &(letter, title, asked, run) in SPECIAL {
        if !args.workloads.contains(letter) {
            continue;
        }
        // What counts and what is true or not is the same in every round.
        let rounds = if matches!(letter, 'j' | 'k') {
            args.rounds as usize
        } else {
            1
        };
        let mut all: Vec<(&'static str, Vec<Figures>)> =
            kinds.iter().map(|kind| (kind.name, Vec::new())).collect();
        for round in 1..=rounds {
            for (kind, (_, taken)) in kinds.iter().zip(&mut all) {
                let figures = run(kind, args.records);
                for &figure in figures.iter().flatten() {
                    if let Some(csv) = &mut csv {
                        csv.line(letter, kind.name, 1, round, figure)?;
                    }
                }
                taken.extend(figures);
            }
        }
        let medians = all
            .iter()
            .filter_map(|(name, rounds)| Some((*name, medians(rounds)?)));
        let medians: Vec<_> = medians.collect();
        println!("{}", report::figures(letter, title, asked, &medians));
    }
    Ok(())
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
