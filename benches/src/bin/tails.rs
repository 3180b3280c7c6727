//! Read latencies while something else goes on: p50, p99, p99.9 and the longest.
//!
//! ```text
//! cargo run --release -p skep-benches --bin tails -- --seconds 5 --rounds 3 --json tails.json
//! ```

#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use skep_benches::store;
use skep_benches::tails::beside::Beside;
use skep_benches::tails::{Measured, measure};
use skep_measure::origin::Origin;
use skep_measure::timer::Timer;
use skep_measure::times::Times;

/// How the program is started, without its arguments.
const START: &str = "cargo run --release -p skep-benches --bin tails --";

const EXAMPLES: &str = "\
A read is a view, one task of 100,000 by its key, and the view's end, each timed by itself, one
after the other. \"of nothing\" is what the same timer saw when it timed nothing, between the reads:
what the machine does to anybody; no read can be better.

Examples:
  tails --seconds 1 --rounds 1           a look, in some 10 s
  tails --seconds 10 --json tails.json   figures to keep, on a machine that does nothing else";

/// Times single reads while something else goes on beside them
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES)]
struct Args {
    /// Seconds beside each thing in a round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Rounds; each goes through everything once
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Writes the figures to this file as well, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What of a histogram is told.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> io::Result<()> {
    // Before anything is measured: whether the file can be written.
    let file = args.json.as_ref().map(std::fs::File::create).transpose()?;
    let origin = Origin::here(START);
    let timer = Timer::calibrated();
    println!(
        "{origin}\ntiming nothing takes {} ns, which are taken off\n",
        timer.own()
    );
    let mut all: Vec<(Beside, Measured)> = Beside::ALL.map(|it| (it, Measured::none())).to_vec();
    for round in 1..=args.rounds {
        for (beside, measured) in &mut all {
            eprintln!("round {round} of {}: {beside}", args.rounds);
            let time = Duration::from_secs(args.seconds);
            measured.add(&measure(&store(), &timer, *beside, time));
        }
    }
    println!("{}", table(&all));
    if let Some(file) = file {
        serde_json::to_writer_pretty(file, &document(args, &origin, &timer, &all))?;
    }
    Ok(())
}

fn table(all: &[(Beside, Measured)]) -> Table {
    let mut table = Table::new();
    let quantiles = QUANTILES.map(|(name, _)| name.to_owned());
    let header = ["beside".to_owned(), "reads".to_owned()].into_iter();
    let nothing = QUANTILES[2..]
        .iter()
        .map(|(name, _)| format!("{name} of nothing"));
    let header = header
        .chain(quantiles)
        .chain(nothing)
        .chain(["done/s".to_owned()]);
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for (beside, measured) in all {
        let time = |times: &Times, quantile| short(times.value_at_quantile(quantile));
        let mut row = vec![beside.to_string(), measured.reads.len().to_string()];
        row.extend(QUANTILES.map(|(_, quantile)| time(&measured.reads, quantile)));
        let nothing = QUANTILES[2..].iter();
        row.extend(nothing.map(|(_, quantile)| time(&measured.nothing, *quantile)));
        row.push(format!("{:.0}", rate(measured)));
        table.add_row(row);
    }
    table
}

fn rate(measured: &Measured) -> f64 {
    measured.done as f64 / measured.time.as_secs_f64()
}

/// A time in few characters.
fn short(nanos: u64) -> String {
    let nanos = nanos as f64;
    match nanos {
        1e6.. => format!("{:.2} ms", nanos / 1e6),
        1e3.. => format!("{:.2} us", nanos / 1e3),
        _ => format!("{nanos:.0} ns"),
    }
}

fn document(args: &Args, origin: &Origin, timer: &Timer, all: &[(Beside, Measured)]) -> Value {
    let times = |times: &Times| {
        let quantiles = QUANTILES.iter();
        let told =
            quantiles.map(|(name, at)| ((*name).to_owned(), json!(times.value_at_quantile(*at))));
        Value::Object(told.collect())
    };
    let rows = all.iter().map(|(beside, measured)| {
        json!({
            "beside": beside.to_string(),
            "reads": measured.reads.len(),
            "read_ns": times(&measured.reads),
            "nothing_ns": times(&measured.nothing),
            "done_per_second": rate(measured),
        })
    });
    json!({
        "machine": origin.machine,
        "date": origin.date,
        "load_before": origin.load,
        "command": origin.command,
        "seconds": args.seconds,
        "rounds": args.rounds,
        "timing_nothing_ns": timer.own(),
        "rows": rows.collect::<Vec<_>>(),
    })
}
