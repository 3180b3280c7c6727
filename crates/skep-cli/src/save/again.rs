//! A saved file that is read several times.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;

use skep::save::{Fault, Limits, ReadError};

use super::{at, open};
use crate::input::error::InputError;

/// A saved file, opened once: what is read of it stays the same file, whatever takes its place.
pub(super) struct Saved<'p> {
    path: &'p Path,
    source: Source,
    length: u64,
}

enum Source {
    File(File),
    /// What came out of a pipe, which does not come again.
    Memory(Vec<u8>),
}

impl<'p> Saved<'p> {
    /// Opens a file; a pipe is read to its end.
    pub(super) fn open(path: &'p Path) -> Result<Self, InputError> {
        let (mut reader, mut length) = open(path)?;
        let source = match reader.get_ref().metadata() {
            Ok(metadata) if metadata.is_file() => Source::File(reader.into_inner()),
            _ => {
                // What is no saved file may have no end.
                let begin = reader.fill_buf().map_err(|error| at(path, &error))?;
                begins_well(begin).map_err(|error| at(path, &error))?;
                let mut bytes = Vec::new();
                let read = reader.read_to_end(&mut bytes);
                length = read.map_err(|error| at(path, &error))? as u64;
                Source::Memory(bytes)
            }
        };
        Ok(Self {
            path,
            source,
            length,
        })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn path(&self) -> &'p Path {
        self.path
    }

    /// All of it, from the beginning.
    pub(super) fn bytes(&self) -> Result<Box<dyn Read + '_>, InputError> {
        match &self.source {
            Source::Memory(bytes) => Ok(Box::new(&bytes[..])),
            Source::File(file) => {
                let mut file = file;
                file.rewind().map_err(|error| at(self.path, &error))?;
                Ok(Box::new(BufReader::new(file)))
            }
        }
    }

    /// The same, as what was saved.
    pub(super) fn reader(&self) -> Result<skep::save::Reader<Box<dyn Read + '_>>, InputError> {
        let reader = skep::save::Reader::open(self.bytes()?, Limits::default());
        reader.map_err(|error| at(self.path, &error))
    }
}

/// Whether a file may begin so, as far as that goes.
fn begins_well(bytes: &[u8]) -> Result<(), ReadError> {
    match skep::save::Reader::open(bytes, Limits::default()) {
        Err(error) if !matches!(error.fault, Fault::Truncated) => Err(error),
        _ => Ok(()),
    }
}
