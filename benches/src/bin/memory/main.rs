//! What things take of memory: bytes as they are asked of the allocator, which do not depend on
//! what else the machine does. Prints the table of docs/numbers.md.
//!
//! `cargo run --release -p skep-benches --bin memory -- [--json] [--million]`: a million tasks need
//! about 4 GB.

#![forbid(unsafe_code)]

mod rows;
mod things;

use std::process::ExitCode;

use rows::Row;
use skep_measure::memory::Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Tasks of the cluster.
const TASKS: u64 = 100_000;
/// As an option.
const MANY_TASKS: u64 = 1_000_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |option: &str| arguments.iter().any(|own| own == option);
    if arguments
        .iter()
        .any(|own| own != "--json" && own != "--million")
    {
        eprintln!("memory [--json] [--million]");
        return ExitCode::from(2);
    }
    let print = if has("--json") { json } else { markdown };
    if has("--million") {
        print(&rows::cluster(MANY_TASKS));
        if let Some(kilobytes) = resident_most() {
            eprintln!("{kilobytes} kB resident at most");
        }
        return ExitCode::SUCCESS;
    }
    let mut all = rows::fixed();
    all.splice(0..0, rows::handles());
    all.splice(0..0, rows::watchers());
    all.splice(0..0, rows::changes());
    all.splice(0..0, rows::objects());
    all.extend(rows::cluster(TASKS));
    print(&all);
    ExitCode::SUCCESS
}

fn markdown(rows: &[Row]) {
    println!("| what | bytes | asked |");
    println!("|---|---|---|");
    for Row { what, bytes, asked } in rows {
        let asked = asked.map_or(String::new(), |asked| format!("{asked:.0}"));
        println!("| {what} | {bytes:.0} | {asked} |");
    }
}

fn json(rows: &[Row]) {
    let rows: Vec<_> = rows.iter().map(object).collect();
    println!("[{}]", rows.join(","));
}

/// What is measured has no characters in it that JSON minds.
fn object(row: &Row) -> String {
    let asked = row.asked.map_or("null".into(), |asked| asked.to_string());
    let Row { what, bytes, .. } = row;
    format!("{{\"what\":\"{what}\",\"bytes\":{bytes:.1},\"asked\":{asked}}}")
}

/// Memory that the process had at most, where the system says so.
fn resident_most() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
