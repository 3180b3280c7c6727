//! What the program makes of what comes from outside: its command line, its CSV files and its lines
//! of JSON. Nothing is played.

use std::ffi::OsString;
use std::path::Path;

use clap::Parser;
use skep::Store;
use skep::cluster;

use crate::args::Cli;
use crate::input;
use crate::save;

/// Reads a command line, the program's name first.
///
/// # Errors
/// What the program would end with: its exit code, and what it would print.
pub fn command_line(words: impl IntoIterator<Item = OsString>) -> Result<(), (i32, String)> {
    match Cli::try_parse_from(words) {
        Ok(_) => Ok(()),
        Err(error) => Err((error.exit_code(), error.to_string())),
    }
}

/// Reads and checks a trace; gives how many nodes and tasks it has.
///
/// # Errors
/// The one line that tells what is wrong, and where.
pub fn trace(nodes: &Path, pods: &Path) -> Result<(usize, usize), String> {
    let cluster = input::read(nodes, pods).map_err(|error| error.to_string())?;
    Ok((cluster.nodes.len(), cluster.tasks.len()))
}

/// Puts objects into a store, from the lines of JSON that `skep save` reads.
///
/// # Errors
/// The one line that tells what is wrong, and where.
pub fn lines(bytes: &[u8]) -> Result<Store, String> {
    let store = cluster::builder().build();
    let loaded = save::load(Path::new("lines"), bytes, &store, |_| {});
    loaded.map_err(|error| error.to_string())?;
    Ok(store)
}
