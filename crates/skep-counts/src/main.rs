//! `counts`: what each operation does through the door to atomics. `places <name>`: where in the
//! sources. `lines`: what moves between cores, and what comes of it by the model. `where <name>
//! <cores>`: which places move it. `machines`: the model's machines alone, in any build.

#![forbid(unsafe_code)]

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use skep_counts::model::MACHINES;

/// As the standard one, here and in the modules below, but it does not panic.
macro_rules! println {
    ($($text:tt)*) => {
        crate::print_line(format_args!($($text)*))
    };
}

#[cfg(skep_counted)]
mod tables;

/// Cores of the model's tables.
const CORES: [usize; 3] = [8, 32, 128];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["machines"] => {
            machines();
            true
        }
        others => counted(others),
    };
    if done {
        ExitCode::SUCCESS
    } else {
        eprintln!("skep-counts machines | counts | places NAME | lines | where NAME CORES");
        eprintln!("all but the first in a build with RUSTFLAGS='--cfg skep_counted'");
        ExitCode::from(2)
    }
}

#[cfg(skep_counted)]
fn counted(arguments: &[&str]) -> bool {
    match arguments {
        ["counts"] => tables::counts(),
        ["places", name] => return tables::places(name),
        ["lines"] => tables::lines(&CORES),
        ["where", name, cores] => return tables::moving(name, cores),
        _ => return false,
    }
    true
}

#[cfg(not(skep_counted))]
fn counted(_: &[&str]) -> bool {
    false
}

/// Prints a line, or ends the program where none can be printed: there is nothing else to do.
fn print_line(line: fmt::Arguments<'_>) {
    let Err(error) = writeln!(io::stdout(), "{line}") else {
        return;
    };
    // Whoever closed the pipe wants to hear no more.
    if error.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    eprintln!("error: standard output: it cannot be written: {error}");
    std::process::exit(1);
}

/// How often one line can be written in turns, which bounds whatever writes a line that all write.
fn machines() {
    println!("| machine | cores | a line from another core, mean | one line written, at most |");
    println!("|---|---|---|---|");
    for machine in MACHINES {
        for cores in CORES {
            let (mean, rate) = (machine.mean(cores), machine.line_rate(cores) / 1e6);
            println!(
                "| {} | {cores} | {mean:.0} ns | {rate:.1} M/s |",
                machine.name
            );
        }
    }
}
