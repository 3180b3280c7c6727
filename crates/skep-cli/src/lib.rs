//! The `skep` program, as a library so that its readers can be tested from outside: runs a
//! cluster's scheduler on the store and checks its books; saves, restores and inspects versions of
//! a cluster.
//!
//! | module | what |
//! |---|---|
//! | `args` | the command line |
//! | [`reading`] | what it makes of a command line and of files, alone |
//! | `input`, `cluster` | what is played: from CSV files, or made up |
//! | `objects` | what is kept in the store |
//! | `replay` | who plays: the threads |
//! | `books` | whether it was right |
//! | `report`, `progress` | what is told |
//! | `soak` | replays again and again, beside threads that get in the way |
//! | `save` | saved versions: written, restored, looked into |
//! | `watchers` | what the store's watchers do, live |
//! | `meter`, `target` | a progress bar; a file that is there when it is complete |
//! | `descriptor` | paths that name what is open already |
//! | `aside` | what is told beside the result |
//! | `failure` | why the program ends early, and its exit code |
//! | `interrupt`, `unfinished` | Ctrl-C, and what is removed then |

#![forbid(unsafe_code)]

mod args;
mod aside;
mod books;
mod cluster;
mod descriptor;
mod failure;
#[cfg(test)]
mod fixture;
mod input;
mod interrupt;
mod meter;
mod objects;
mod progress;
pub mod reading;
mod replay;
mod report;
mod save;
mod soak;
mod target;
mod unfinished;
mod watchers;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;

use args::{Cli, Command};
use books::fault::Faults;
use cluster::Cluster;
use cluster::synthetic::{self, Size};
use failure::Failure;
use input::error::InputError;
use interrupt::Interrupt;
use progress::Progress;
use replay::Run;
use report::{End, Summary, Watermark, placements};
use target::{Readers, Target, Wanted};
use watchers::Watchers;

/// The books do not balance, or a result could not be written.
const BROKEN: u8 = 1;
/// The input is wrong.
const BAD_INPUT: u8 = 2;

/// Does what the command line says.
#[must_use]
pub fn run() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Replay(args) => replay(&args),
        Command::Save(args) => save::save(&args),
        Command::Restore(args) => save::restore(&args),
        Command::Inspect(args) => save::inspect(&args),
    };
    match done {
        Ok(code) => code,
        Err(failure) => ExitCode::from(failure.tell()),
    }
}

/// Plays what the command line says. An error is one of the input; nothing was started then.
fn replay(args: &args::Replay) -> Result<ExitCode, Failure> {
    if let Some(length) = args.soak {
        return Ok(soak::soak(args, length)?);
    }
    let cluster = cluster(args, args.seed)?;
    // From here on there may be something to clean up.
    let interrupt = Interrupt::listen();
    let target = placements(args, &interrupt)?;
    let run = Run::new(cluster, args.seed);
    let faults = Faults::default();
    let mut progress = Progress::new(run.timeline.entries().len() as u64, args.quiet);
    let mut watermark = Watermark::default();
    let mut watchers = Watchers::new(args.watchers);
    let began = Instant::now();
    let outcome = run.play(args.threads(), args.pace(), &faults, || {
        progress.show(&run);
        watermark.look(&run);
        if let Some(figures) = watchers.look(&run.store) {
            progress.tell(&figures);
        }
        let over_time = args
            .duration_max
            .is_some_and(|most| began.elapsed() >= most);
        if interrupt.came() || over_time {
            run.interrupt();
        }
    });
    progress.finish();
    let summary = report::summarize(
        &run,
        args.threads(),
        args.seed,
        &outcome,
        &faults,
        watermark,
    );
    let mut code = match summary.end {
        End::Interrupted if interrupt.came() => interrupt::EXIT_CODE,
        End::Complete | End::Interrupted => 0,
        End::Broken => BROKEN,
    };
    if let Err(error) = print(args, &summary) {
        aside::tell(format_args!(
            "error: standard output: it cannot be written: {error}"
        ));
        code = BROKEN;
    }
    if let (Some(target), Some(audited)) = (target, &outcome.audited)
        && let Err(failure) = placements::write(&run, &audited.history, target)
        && failure.tell() > 0
    {
        code = BROKEN;
    }
    Ok(ExitCode::from(code))
}

/// Where the placements go, if they are asked for.
fn placements(args: &args::Replay, interrupt: &Interrupt) -> Result<Option<Target>, InputError> {
    let inputs = args.nodes.iter().chain(&args.pods);
    let inputs: Vec<&Path> = inputs.map(AsRef::as_ref).collect();
    let open = |path| {
        let wanted = Wanted {
            path,
            named: "--csv-out",
            inputs: &inputs,
            readers: Readers::Usual,
        };
        Target::open(&wanted, interrupt)
    };
    args.csv_out.as_deref().map(open).transpose()
}

/// What is played; `seed` decides it when it is made up.
fn cluster(args: &args::Replay, seed: u64) -> Result<Cluster, InputError> {
    if let (Some(nodes), Some(pods)) = (&args.nodes, &args.pods) {
        return input::read(nodes, pods);
    }
    let size = Size {
        nodes: args.synthetic_nodes,
        tasks: args.synthetic_tasks,
        load_percent: args.synthetic_load,
    };
    Ok(synthetic::cluster(seed, size))
}

/// Prints the summary, and what broke.
fn print(args: &args::Replay, summary: &Summary) -> io::Result<()> {
    let text = if args.json {
        serde_json::to_string(summary).expect("the summary has only names and numbers")
    } else {
        report::table(summary)
    };
    print_lines(&text, &summary.books.faults)
}

/// Prints a text, and what broke.
fn print_lines(text: &str, faults: &[String]) -> io::Result<()> {
    for fault in faults {
        aside::tell(format_args!("error: {fault}"));
    }
    let mut out = io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // Whoever closed the pipe wants to hear no more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
