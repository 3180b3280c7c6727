//! Saved versions: written from a dump or made up, restored into a fresh store, looked into.
//!
//! | module | what |
//! |---|---|
//! | `args` | the command line of the three |
//! | `writing`, `restoring`, `inspecting` | `save`, `restore`, `inspect` |
//! | `overview` | what a file has, table by table |
//! | `dump` | objects as lines of JSON, and how they are written |
//! | `lines`, `distinct` | how they are read, and what is refused |
//! | `loading` | a dump into a store |
//! | `tables` | the ten tables, by name |
//! | `sample` | a made-up cluster of all ten types |

pub mod args;
mod distinct;
mod dump;
mod inspecting;
mod lines;
mod loading;
mod overview;
mod restoring;
mod sample;
mod tables;
#[cfg(test)]
mod tests;
mod writing;

pub use inspecting::inspect;
pub use loading::load;
pub use restoring::restore;
pub use writing::save;

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;

use skep::save::Limits;

use crate::input::error::InputError;

/// A saved file, and how long it is.
fn open(path: &Path) -> Result<(Reader, u64), InputError> {
    let fault = |what: String| InputError::file(path, what);
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => fault("there is no such file".to_owned()),
        kind => fault(format!("it cannot be read: {kind}")),
    })?;
    let metadata = file.metadata();
    let length = metadata.as_ref().map_or(0, std::fs::Metadata::len);
    if metadata.is_ok_and(|metadata| metadata.is_dir()) {
        return Err(fault("it is a folder".to_owned()));
    }
    Ok((BufReader::new(file), length))
}

type Reader = BufReader<File>;

/// A saved file's reader.
fn read(path: &Path) -> Result<(skep::save::Reader<Reader>, u64), InputError> {
    let (file, length) = open(path)?;
    let reader = skep::save::Reader::open(file, Limits::default());
    Ok((reader.map_err(|error| at(path, &error))?, length))
}

/// The fault of a file.
fn at(path: &Path, error: &dyn std::fmt::Display) -> InputError {
    InputError::file(path, error.to_string())
}

/// Prints a text on a line of its own.
fn print(text: &str) -> Result<(), InputError> {
    let mut out = io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        // Whoever closed the pipe wants to hear no more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(at(Path::new("standard output"), &error)),
        Ok(()) => Ok(()),
    }
}
