//! Compares skep with its peers: the same workloads on each, in interleaved rounds (A B C C B A),
//! medians and spreads by both clocks, and our ratio to each peer beside what is asked.
//!
//! ```text
//! cargo run --release -p bench-compare -- --workloads abeh --rounds 7 --csv rates.csv
//! ```
//!
//! | module | what |
//! |---|---|
//! | `args` | the command line |
//! | `run` | all stores through all workloads |
//! | `workload`, `rates`, `picks` | what is a rate: what is done, on which tasks, how often |
//! | `special`, `held`, `stops`, `suspend` | what is several figures, as of a stopped thread |
//! | `peers`, `task` | the stores, and what they hold |
//! | `verify` | whether a store did what it was asked to do |
//! | `asked` | what is asked of skep |
//! | `samples`, `outcome` | what was measured |
//! | `report`, `progress` | how it is told |
//!
//! All stores use the C library's allocator, as a program does that names no other (with the
//! feature `mimalloc` that one), and hash maps foldhash. `--help` explains the workloads.

mod args;
mod asked;
mod held;
mod outcome;
mod peers;
mod picks;
mod progress;
mod rates;
mod report;
mod run;
mod samples;
mod special;
mod stops;
mod suspend;
mod task;
mod verify;
mod workload;

use std::process::ExitCode;

use clap::Parser;

use self::args::Args;
use self::run::{Failure, Run};

#[global_allocator]
static ALLOCATOR: skep_measure::memory::Counting = skep_measure::memory::Counting;

/// A store did not do what it was asked to do.
const WRONG: u8 = 1;
/// The command line is wrong, or what was measured could not be written.
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(told) => return tell(&told),
    };
    match Run::new(args).and_then(Run::all) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &Failure) -> ExitCode {
    let code = match error {
        // Who reads a part of it, as `head` does, had enough: no fault.
        Failure::Unread => return ExitCode::SUCCESS,
        Failure::Output { .. } => BAD_INPUT,
        Failure::Wrong(_) => WRONG,
    };
    eprintln!("error: {error}");
    ExitCode::from(code)
}

/// Help is told whole, an error in its one line.
fn tell(told: &clap::Error) -> ExitCode {
    let text = told.to_string();
    if told.use_stderr() {
        eprintln!("{}", text.lines().next().unwrap_or("error"));
        ExitCode::from(BAD_INPUT)
    } else {
        print!("{text}");
        ExitCode::SUCCESS
    }
}
