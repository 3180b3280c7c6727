//! The command line of saved versions.

use std::path::PathBuf;

use clap::Args;
use skep::Id;

use crate::args::{source, target};

/// What `skep save --help` says.
pub const SAVE_ABOUT: &str = "\
Write a cluster's objects to a file: compressed, every byte under a checksum.

The objects come as lines of JSON, as `skep restore --to` writes them, from standard input or from \
the file that --from names; or they are made up. They are put into a store, which checks keys and \
names, and that store's version is saved. The file takes an older one's place when it is complete. \
Input without an object is an error, and leaves the older file: whatever was to write the lines \
may have failed. Lines that are missing at the end are not noticed.

Secrets are in the file as they are: keep it as you keep them. Where files have modes, only its \
owner may read and write it (0600), whatever the older file allowed.";

/// What follows the options.
pub const SAVE_HELP: &str = "\
A line of JSON has a table, an object and, if it is to keep its times, a meta:
  {\"table\":\"config\",\"meta\":{\"version\":7,...},\"object\":{...}}
`skep save --synthetic F && skep restore F --to lines.jsonl` shows all of them.

Examples:
  skep save --synthetic cluster.skep
      A made-up cluster with objects of all ten types.
  skep save --synthetic --tasks 100000 --nodes 1000 --seed 7 large.skep
      A larger one; the same arguments make the same file.
  skep restore cluster.skep --to lines.jsonl
  skep save --from lines.jsonl again.skep
      Through JSON and back, perhaps with an editor between.

Exit codes:
  0    the file is written; or it is a pipe, and whoever read it wants no more
  1    the file, or what is told of it, could not be written: stderr says which
  2    the command line or the input is wrong: stderr has the line
  130  interrupted by Ctrl-C, or by a request to terminate: it ends at once, and
       stderr says whether anything was written
A file that was not written whole is removed, and an older one is as it was.
Only what went into a pipe or a device is not taken back; and where the program
is killed outright, a file whose name begins with .skep- is left in the folder,
with what was written by then.";

/// What `skep restore --help` says.
pub const RESTORE_ABOUT: &str = "\
Read a saved file into a fresh store, check it and tell what it has.

Every checksum is checked, every object decoded, every name held against the others. Then the \
store is compared with the file once more. With --to the objects are written as lines of JSON, \
secrets as well, unless --redact is said: where files have modes, only its owner may read and \
write that file (0600), whatever an older one allowed.";

/// What follows the options.
pub const RESTORE_HELP: &str = "\
Examples:
  skep restore cluster.skep
      Is this file good? Exit code 0 says so.
  skep restore cluster.skep --to lines.jsonl
      The objects for people, and for other programs.
  skep restore cluster.skep --quiet --to /dev/stdout | jq -r .table | uniq -c
  ssh manager cat cluster.skep | skep restore /dev/stdin
      A pipe is read to its end first: all of it is kept in memory.

Exit codes:
  0    the file is good; or whoever read the result wants no more of it
  1    the lines, or what is told of them, could not be written: stderr says
       which
  2    the file is not good, or the command line is wrong: stderr says what, at
       which byte, in which table
  130  interrupted by Ctrl-C, or by a request to terminate: it ends at once, and
       stderr says whether anything was written
Lines that were not written whole are removed, and an older file is as it was.
Only what went into a pipe or a device is not taken back; and where the program
is killed outright, a file whose name begins with .skep- is left in the folder,
with what was written by then.";

/// What `skep inspect --help` says.
pub const INSPECT_ABOUT: &str = "\
Tell what a saved file has, table by table, or show its objects.

The file is read to its end and all of its checksums are checked, but no store is built. Without \
--table and --object there is a line a table: objects, their bytes, what these take in the file, \
the versions that wrote them, and the number of their form (the schema). Tables that this program \
does not know are counted, too.

Objects are shown as they are, with their secrets: say --redact where others will read it.";

/// What follows the options.
pub const INSPECT_HELP: &str = "\
Examples:
  skep inspect cluster.skep
      The table of tables.
  skep inspect cluster.skep --table node
      A line an object: ID, version, bytes; and the proposer's version, if the
      store had one.
  skep inspect cluster.skep --table node --json
      A line of JSON an object, as `skep restore --to` writes them.
  skep inspect cluster.skep --object 4f00000000000000000000000
      One object as JSON, of whatever table.
  skep inspect cluster.skep --table service --json --redact > for-a-ticket
      Zeros in the place of each byte of a secret, a key or a token.

Exit codes:
  0  the file is good; or whoever read the result wants no more of it
  1  the result could not be written
  2  the file is not good, or there is no such table or object: stderr says
     which";

/// The arguments of `skep save`.
#[derive(Debug, Args)]
pub struct Save {
    /// The file to write
    #[arg(value_name = "FILE", value_parser = target())]
    pub file: PathBuf,

    /// Read the lines of JSON from this file, not from standard input
    #[arg(long, value_name = "LINES", value_parser = source(), help_heading = "Input")]
    pub from: Option<PathBuf>,

    /// Make a cluster up
    #[arg(long, conflicts_with = "from", help_heading = "Input")]
    pub synthetic: bool,

    /// How many tasks to make up
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 1_000,
        requires = "synthetic"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=10_000_000), help_heading = "Input")]
    pub tasks: u32,

    /// How many nodes to make up
    #[arg(
        long,
        value_name = "COUNT",
        default_value_t = 20,
        requires = "synthetic"
    )]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "Input")]
    pub nodes: u32,

    /// Decides the made-up cluster, and every object's key
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        value_parser = crate::args::seed,
        requires = "synthetic"
    )]
    #[arg(help_heading = "Input")]
    pub seed: u64,

    /// Let resources of two kinds have one name: as stores do that are built so
    #[arg(long, help_heading = "Input")]
    pub names_in_kind: bool,

    /// Save a store without objects if no line has one; else that is an error
    #[arg(long, conflicts_with = "synthetic", help_heading = "Input")]
    pub allow_empty: bool,

    /// Show no progress
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}

/// The arguments of `skep restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The file to read
    #[arg(value_name = "FILE", value_parser = source())]
    pub file: PathBuf,

    /// Let resources of two kinds have one name: as stores do that are built so
    #[arg(long)]
    pub names_in_kind: bool,

    /// Write the objects as lines of JSON to this file
    #[arg(long, value_name = "LINES", value_parser = target(), help_heading = "Output")]
    pub to: Option<PathBuf>,

    /// Write zeros in the place of secrets' bytes
    #[arg(long, requires = "to", help_heading = "Output")]
    pub redact: bool,

    /// Print one JSON object instead of the table
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// Show no progress, and with --to no table
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}

/// The arguments of `skep inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// The file to read
    #[arg(value_name = "FILE", value_parser = source())]
    pub file: PathBuf,

    /// Show this table's objects
    #[arg(long, value_name = "TABLE")]
    pub table: Option<String>,

    /// Show the object with this ID
    #[arg(long, value_name = "ID")]
    pub object: Option<Id>,

    /// Print JSON
    #[arg(long, help_heading = "Output")]
    pub json: bool,

    /// Show zeros in the place of secrets' bytes
    #[arg(long, help_heading = "Output")]
    pub redact: bool,

    /// Show no progress
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
}
