//! What things take of memory: bytes as they are asked of the allocator, which do not depend on
//! what else the machine does. Prints the table of docs/numbers.md.
//!
//! `cargo run --release -p skep-benches --bin memory -- --help` says how to use it.

#![forbid(unsafe_code)]

mod rows;
mod things;

use clap::Parser;
use rows::Row;
use skep_measure::memory::Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Tasks of the cluster.
const TASKS: u64 = 100_000;
/// As an option.
const MANY_TASKS: u64 = 1_000_000;

/// Measures what objects, changes, watchers and handles take of memory
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Only tasks of the cluster, a million of them, which need about 4 GB
    #[arg(long)]
    million: bool,
    /// Prints JSON instead of a table
    #[arg(long)]
    json: bool,
}

fn main() {
    let args = Args::parse();
    let print = if args.json { json } else { markdown };
    if args.million {
        print(&rows::cluster(MANY_TASKS));
        if let Some(kilobytes) = resident_most() {
            eprintln!("{kilobytes} kB resident at most");
        }
        return;
    }
    let mut all = rows::fixed();
    all.splice(0..0, rows::handles());
    all.splice(0..0, rows::watchers());
    all.splice(0..0, rows::changes());
    all.splice(0..0, rows::objects());
    all.extend(rows::cluster(TASKS));
    print(&all);
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
