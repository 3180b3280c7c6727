//! A saved file that is read several times.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use skep::save::{Limits, ReadError};

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
    /// Opens a file; a pipe is read to its end, or to where it is no saved file.
    pub(super) fn open(path: &'p Path) -> Result<Self, InputError> {
        let (reader, mut length) = open(path)?;
        let source = match reader.get_ref().metadata() {
            Ok(metadata) if metadata.is_file() => Source::File(reader.into_inner()),
            _ => {
                let bytes = sound(reader).map_err(|error| at(path, &error))?;
                length = bytes.len() as u64;
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

/// All bytes of a source that is a saved file, as far as its checksums tell. Of another nothing is
/// read behind what is at fault: it may have no end.
fn sound(source: impl Read) -> Result<Vec<u8>, ReadError> {
    let mut keeping = Keeping {
        source,
        bytes: Vec::new(),
    };
    let mut reader = skep::save::Reader::open(&mut keeping, Limits::default())?;
    while reader.next_table()?.is_some() {}
    Ok(keeping.bytes)
}

/// A source of which everything is kept that is read.
struct Keeping<R> {
    source: R,
    bytes: Vec<u8>,
}

impl<R: Read> Read for Keeping<R> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(target)?;
        self.bytes.extend_from_slice(&target[..read]);
        Ok(read)
    }
}
