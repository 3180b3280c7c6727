//! Saved versions: written from a dump or made up, restored into a fresh store, looked into.
//!
//! | module | what |
//! |---|---|
//! | `args` | the command line of the three |
//! | `writing`, `restoring`, `inspecting` | `save`, `restore`, `inspect` |
//! | `again` | a file that is read several times |
//! | `overview` | what a file has, table by table |
//! | `dump` | objects as lines of JSON, and how they are written |
//! | `lines`, `distinct` | how they are read, and what is refused |
//! | `loading` | a dump into a store |
//! | `tables` | the ten tables, by name |
//! | `redact` | objects without their secrets |
//! | `sample` | a made-up cluster of all ten types |

mod again;
pub mod args;
mod distinct;
mod dump;
mod inspecting;
mod lines;
mod loading;
mod overview;
mod redact;
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

use std::error::Error;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use skep::Object;
use skep::Store;
use skep::cluster::{self, Resource, ResourceNames, RuleError};
use skep::save::{Limits, ReadError};

use crate::failure::Failure;
use crate::input::error::InputError;
use crate::target::Unwritten;

/// A store to put objects into, in which names of resources are unique, or in their kinds alone.
fn fresh(names_in_kind: bool) -> Store {
    let names = match names_in_kind {
        true => ResourceNames::UniqueInKind,
        false => ResourceNames::Unique,
    };
    cluster::builder().setting(names).build()
}

/// What to do about a refusal of objects that come together, if the command line can.
fn hint(refusal: &(dyn Error + 'static)) -> &'static str {
    match RuleError::of(refusal) {
        // In one kind it would be refused by its index.
        Some(RuleError::NameConflict { table, .. }) if *table == Resource::TABLE => {
            "; if resources of two kinds may have one name, say --names-in-kind"
        }
        _ => "",
    }
}

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

/// Why the showing of a file's objects ends early.
enum End {
    /// The file cannot be read.
    Read(ReadError),
    /// What it has cannot be shown.
    Told(String),
    /// What they are shown on takes no more.
    Output(io::Error),
}

impl From<ReadError> for End {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl End {
    /// The same, of the file with this path.
    fn of(self, path: &Path) -> Unwritten {
        match self {
            Self::Read(error) => Unwritten::Source(at(path, &error)),
            Self::Told(what) => Unwritten::Source(InputError::file(path, what)),
            Self::Output(error) => Unwritten::Target(error),
        }
    }
}

/// What messages call it.
const STANDARD_OUTPUT: &str = "standard output";

/// Prints a text on a line of its own.
fn print(text: &str) -> Result<(), Failure> {
    let printed = crate::print_lines(text, &[]);
    printed.map_err(|error| Failure::output(Path::new(STANDARD_OUTPUT), &error))
}
