//! The command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::replay::Pace;
use crate::save::args;

/// Skep: a lock-free, in-memory MVCC store of cluster state.
#[derive(Debug, Parser)]
#[command(name = "skep", version, about, after_help = FIRST_HELP, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a cluster's scheduler on the store and check that its books balance
    #[command(long_about = LONG_ABOUT, after_help = AFTER_HELP, allow_negative_numbers = true)]
    Replay(Replay),
    /// Write a cluster's objects to a file
    #[command(long_about = args::SAVE_ABOUT, after_help = args::SAVE_HELP)]
    #[command(allow_negative_numbers = true)]
    Save(args::Save),
    /// Read a saved file into a fresh store, check it and tell what it has
    #[command(long_about = args::RESTORE_ABOUT, after_help = args::RESTORE_HELP)]
    Restore(args::Restore),
    /// Tell what a saved file has, table by table, or show its objects
    #[command(long_about = args::INSPECT_ABOUT, after_help = args::INSPECT_HELP)]
    Inspect(args::Inspect),
}

const FIRST_HELP: &str = "\
`skep replay` without options runs a made-up cluster, in a second or so.
`skep help COMMAND` has a command's options, examples and exit codes.";

const LONG_ABOUT: &str = "\
Run a cluster's scheduler on the store and check that its books balance.

Tasks are created in the trace's order, racing schedulers place them on nodes that have the CPU, \
memory and GPUs they ask for, an agent for each node runs and ends its tasks, and a reaper \
deletes them: all in transactions on one store. An audit follows every version. At the end a \
table tells how fast that went, and whether every version was sound: no node over capacity, every \
event seen once and in order by its node's agent, the store equal to one rebuilt from its events.

Without --nodes and --pods a made-up cluster is played, the same for the same --seed and sizes.";

const AFTER_HELP: &str = "\
Examples:
  skep replay
      A made-up cluster of 400 nodes, as fast as it goes.
  skep replay --nodes nodes.csv --pods pods.csv
      A trace. Columns, in any order:
      nodes: sn,cpu_milli,memory_mib,gpu,model
      pods:  name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,
             creation_time,deletion_time,scheduled_time
      or only the first five: such pods come one a second and stay.
      Times are in seconds, a GPU's share and a CPU in thousandths. gpu_spec
      names the GPU models that a pod may run on, as A|B, or none for any. Only
      gpu_spec and scheduled_time may be empty, and model on a node without a
      GPU. 12.0 is as good as 12.
  skep replay --synthetic-nodes 50 --synthetic-load 150
      Half as much again as fits: tasks wait for room.
  skep replay --schedulers 8 --json | jq .commits
      Eight schedulers that race, figures for a program.
  skep replay --soak 10m
      Replays for ten minutes, disturbed: broken if the books do not balance in
      one of them, if one leaves 8 MiB more allocated than the first, or if the
      process holds more than twice what was allocated at once, and 128 MiB.
  skep replay --speed 3600 --csv-out placements.csv
      An hour a second, and where each task went:
      task,node,gpus,state,placed_at_version,created_at,placed_at,ended_at.
      A state is finished, failed, no_room (it never had any), unplaceable (on
      no node, even empty), or what the task was at when the replay ended.

Exit codes:
  0    the books balance
  1    they do not, or a result could not be written: stderr says what broke
  2    the input or the command line is wrong; nothing was started
  130  interrupted by Ctrl-C; the table tells how far it came, and the books
       balance that far. A second Ctrl-C ends it at once, without a table and
       without placements";

/// The replay's arguments.
#[derive(Debug, Args)]
pub struct Replay {
    /// The trace's nodes, a CSV file
    #[arg(
        long,
        value_name = "FILE",
        value_parser = source(),
        requires = "pods",
        help_heading = "Input"
    )]
    pub nodes: Option<PathBuf>,

    /// The trace's pods, a CSV file
    #[arg(
        long,
        value_name = "FILE",
        value_parser = source(),
        requires = "nodes",
        help_heading = "Input"
    )]
    pub pods: Option<PathBuf>,

    /// Decides the made-up cluster, and every object's key: a whole number from 0
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        value_parser = seed,
        help_heading = "Input"
    )]
    pub seed: u64,

    /// How many nodes to make up
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 400,
        conflicts_with = "nodes"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Input")]
    pub synthetic_nodes: u32,

    /// How many tasks to make up
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 20_000,
        conflicts_with = "nodes"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000), help_heading = "Input")]
    pub synthetic_tasks: u32,

    /// How full the made-up tasks get the made-up cluster; above 100 tasks wait for room
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = 45,
        conflicts_with = "nodes"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000), help_heading = "Input")]
    pub synthetic_load: u32,

    /// Threads that place tasks, racing each other [default: one a core]
    #[arg(long, value_name = "COUNT", value_parser = threads, help_heading = "How it runs")]
    pub schedulers: Option<usize>,

    /// Threads that create tasks
    #[arg(long, value_name = "COUNT", value_parser = threads, default_value = "2")]
    #[arg(help_heading = "How it runs")]
    pub submitters: usize,

    /// Threads that share the nodes' agents [default: one a core]
    #[arg(long, value_name = "COUNT", value_parser = threads, help_heading = "How it runs")]
    pub agents: Option<usize>,

    /// Simulated seconds in a second [default: as fast as it goes]
    #[arg(long, value_name = "FACTOR", value_parser = speed, help_heading = "How it runs")]
    pub speed: Option<f64>,

    /// End after so many seconds, with the table so far (exit code 0 if the books balance so far)
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "How it runs")]
    pub duration_max: Option<Duration>,

    /// Play again and again for so long (20s, 10m), beside threads that hold snapshots, stop
    /// watchers and park inside the store; check the books and the memory
    #[arg(long, value_name = "DURATION", value_parser = soak, help_heading = "How it runs")]
    #[arg(conflicts_with_all = ["duration_max", "csv_out", "watchers"])]
    pub soak: Option<Duration>,

    /// Print one JSON object instead of the table
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// Write where each task went; an older file is replaced when the replay has ended
    #[arg(long, value_name = "FILE", value_parser = target(), help_heading = "Output")]
    pub csv_out: Option<PathBuf>,

    /// Show what the store's watchers do, each second
    #[arg(long, help_heading = "Output")]
    pub watchers: bool,

    /// Show no progress
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}

/// The most threads of one kind.
const THREADS_MAX: usize = 256;

impl Replay {
    /// How many threads do what.
    pub fn threads(&self) -> crate::replay::Threads {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let cores = cores.min(THREADS_MAX);
        crate::replay::Threads {
            submitters: self.submitters,
            schedulers: self.schedulers.unwrap_or(cores),
            agents: self.agents.unwrap_or(cores),
        }
    }

    /// How fast time passes.
    pub fn pace(&self) -> Pace {
        self.speed.map_or(Pace::Fastest, Pace::Speed)
    }
}

/// A file to read. Who writes `-` means standard input, and not a file of that name.
pub fn source() -> impl TypedValueParser<Value = PathBuf> {
    named("standard input is /dev/stdin")
}

/// A file to write; so with standard output.
pub fn target() -> impl TypedValueParser<Value = PathBuf> {
    named("standard output is /dev/stdout")
}

fn named(stream: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |path| match path.as_os_str() == "-" {
        true => Err(format!("{stream}; a file of this name is ./-")),
        false => Ok(path),
    })
}

/// Reads what decides a made-up cluster.
pub fn seed(text: &str) -> Result<u64, String> {
    let seed = text.parse().ok();
    seed.ok_or_else(|| format!("write a whole number from 0 to {}", u64::MAX))
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=THREADS_MAX).contains(&count) => Ok(count),
        _ => Err(format!("write a number of threads from 1 to {THREADS_MAX}")),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("write how many simulated seconds pass in a second, more than 0".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| *seconds > 0.0);
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or_else(|| "write a number of seconds, more than 0".to_owned())
}

fn soak(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).ok();
    let duration = duration.filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| "write a duration, such as 20s or 10m".to_owned())
}
