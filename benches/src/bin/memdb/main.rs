//! Skep beside a store on go-memdb, in one run: both are measured in turns, workload by workload,
//! so that a slow phase of the machine is in the figures of both. Prints a table of
//! docs/compared-memdb.md.
//!
//! The other store is a stand-in (`benches/go-memdb`), written to the description of SwarmKit's:
//! immutable radix trees with the same indexes and keys, one writer at a time, and a deep copy of
//! whatever comes or goes. It is not SwarmKit's code, which does more at a commit: it proposes,
//! makes actions of changes, hands each event to a queue, and times everything for metrics. So the
//! ratios are meant as lower bounds of those to SwarmKit's store. How near that is, its own figures
//! show, which are of another machine and another day. Between collections the stand-in's writes
//! and its find of all take about as long as those, two readers less, and the other reads more, up
//! to 2.5 times as long: of reads it is open whether the ratios are lower bounds. The stand-in
//! allocates 6 to 16 % more.
//!
//! Times are the wall clock's. A figure of the stand-in ends with the end of one of its
//! collections: so it has the collector's work in it, which goes on beside it if there is another
//! core. Only a workload that allocates so little that no collection is due soon is measured
//! without. What an operation takes between two collections is measured as well: a workload that is
//! short sees no more than that. While Skep is measured, the other process waits for its next line.
//!
//! `cargo run --release -p skep-benches --bin memdb -- --help` says how to use it.

#![forbid(unsafe_code)]

mod report;
mod stand_in;
mod workload;

use std::process::ExitCode;

use clap::Parser;
use report::{Row, table, told};
use skep_benches::cluster::Sizes;
use skep_benches::load::Cluster;
use skep_measure::memory::Counting;
use skep_measure::origin::Origin;
use stand_in::StandIn;
use workload::{WORKLOADS, Workload};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How the program is started, without its arguments.
const START: &str = "cargo run --release -p skep-benches --bin memdb --";

const EXAMPLES: &str = "\
The other store is a stand-in for SwarmKit's: 100,000 tasks in the trees of go-memdb, copied
deeply whenever they are read or written. It is built first, by the `go` that is found; on Debian
that takes the packages golang-go and golang-github-hashicorp-go-memdb-dev. Both processes
together take some 2 GB of memory, and a round some four minutes on two cores. Progress goes to
standard error, the table to standard output.

Examples:
  memdb                           figures to keep, on a machine that does nothing else
  memdb 1 --millis 200            a look
  memdb 3 --only update           what has \"update\" in its name

Names: ";

/// Measures Skep beside a store on go-memdb, in turns
#[derive(Debug, Parser)]
#[command(version, after_help = format!("{EXAMPLES}{}", workload::names()))]
struct Args {
    /// Rounds; each measures every workload once on either side
    #[arg(default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Milliseconds of a measurement; the stand-in's go on until a collection of its memory has
    /// ended, if one is due within ten times as long
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    millis: u64,
    /// Only workloads whose names have this in them
    #[arg(long, value_name = "NAME", default_value = "", value_parser = known)]
    only: String,
}

fn known(part: &str) -> Result<String, String> {
    if WORKLOADS.iter().any(|it| it.name.contains(part)) {
        return Ok(part.to_owned());
    }
    Err(format!(
        "no workload has it in its name: {}",
        workload::names()
    ))
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<(), stand_in::Error> {
    let program = stand_in::build()?;
    println!("{}\n{}\n", Origin::here(START), program.compiler);
    let is_asked = |it: &&Workload| it.name.contains(&args.only);
    let mut rows: Vec<Row> = WORKLOADS.iter().filter(is_asked).map(Row::of).collect();
    // Those of one cluster after another: each is there only while it is measured.
    for rows in rows.chunk_by_mut(|one, other| one.workload.services == other.workload.services) {
        let cluster = Cluster::of(Sizes {
            services: rows[0].workload.services,
            ..Sizes::USUAL
        });
        let mut stand_in = StandIn::start(&program)?;
        for round in 1..=args.rounds {
            for row in &mut *rows {
                measure(args, round, row, &cluster, &mut stand_in)?;
            }
        }
        if rows[0].workload.services == Sizes::USUAL.services {
            println!("{}\n", stand_in.sizes()?);
        }
    }
    println!("{}", table(&rows));
    Ok(())
}

/// Both sides of a workload, one right after the other.
fn measure(
    args: &Args,
    round: u32,
    row: &mut Row,
    cluster: &Cluster,
    stand_in: &mut StandIn,
) -> Result<(), stand_in::Error> {
    let name = row.workload.name;
    let other = stand_in.measure(name, args.millis)?;
    let own = row.workload.measure(cluster, args.millis, &mut row.times);
    eprintln!(
        "round {round} of {}: {name}: stand-in {}, skep {}",
        args.rounds,
        told(other.nanoseconds),
        told(own)
    );
    row.own.push(own);
    row.other.push(other);
    Ok(())
}
