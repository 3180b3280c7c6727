//! Why a version was not saved or restored.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::error::Duplicate;
use crate::propose::proposal::AnswerError;
use crate::table::proposed::Rejected;
use crate::table::value::Value;
use crate::version::Version;

/// Why a version was not saved, or an action not encoded.
#[derive(Debug)]
#[non_exhaustive]
pub enum SaveError {
    /// The target took no more.
    Io(io::Error),
    /// An object cannot be encoded.
    Unencodable {
        /// The table's name.
        table: &'static str,
        /// The object's key.
        key: Value,
        /// What its `Serialize` or the format says.
        reason: String,
    },
    /// There is more than the limits allow.
    TooLarge {
        /// The table's name.
        table: &'static str,
        /// The key of the object that is too large, or with which it is too much.
        key: Value,
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: u64,
        /// How much may be.
        max: u64,
    },
    /// The catalogue has no such table.
    UnknownTable(String),
}

/// What is wrong with a file, and where.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReadError {
    /// Where the record begins that is at fault, in bytes from the file's beginning.
    pub offset: u64,
    /// The table that was being read, if it was one.
    pub table: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Fault {
    /// It cannot be read.
    Io(io::Error),
    /// It is no saved version at all.
    NotSaved,
    /// It is of a later format than this program knows.
    FutureFormat {
        /// Its format.
        found: u16,
        /// The latest that is known.
        known: u16,
    },
    /// It ends before its end mark.
    Truncated,
    /// A checksum does not hold: it was damaged.
    Checksum,
    /// It does not keep to the format.
    Malformed(&'static str),
    /// It has more than the limits allow.
    TooLarge {
        /// What it has too much of.
        what: &'static str,
        /// How much it has, or claims to have.
        found: u64,
        /// How much may be.
        max: u64,
    },
    /// The catalogue has no such table.
    UnknownTable,
    /// The table's objects have another form.
    Schema {
        /// The file's number of the form.
        found: u32,
        /// The catalogue's.
        known: u32,
    },
    /// An object cannot be decoded.
    Undecodable(String),
    /// The keys do not ascend: two objects have one, or the order of keys has changed.
    OutOfOrder,
}

/// Why a store was not restored. It is as it was.
#[derive(Debug)]
#[non_exhaustive]
pub enum RestoreError {
    /// The file is at fault.
    Read(ReadError),
    /// Two of its objects have one value of a unique index.
    Duplicate(Duplicate),
    /// A table's rules refuse it.
    Rejected(Rejected),
    /// Other transactions got in its way at every attempt.
    Conflict {
        /// How many attempts there were: all that the store allows.
        attempts: u32,
    },
    /// It took so long that the log no longer reaches back to its snapshot.
    TooOld {
        /// The oldest version that the log reaches back to.
        oldest: Version,
    },
    /// The store has no proposer, whose version it could be.
    NoProposer,
    /// The proposer's version is not above all that were accepted before: the store is past the
    /// file.
    Version(AnswerError),
}

impl From<io::Error> for SaveError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ReadError> for RestoreError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl fmt::Display for SaveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "it cannot be written: {error}"),
            Self::Unencodable { table, key, reason } => {
                write!(f, "table {table}: {key} cannot be encoded: {reason}")
            }
            Self::TooLarge {
                table,
                key,
                what,
                found,
                max,
            } => write!(
                f,
                "table {table}: at {key} {found} {what}, at most {max} are allowed"
            ),
            Self::UnknownTable(table) => write!(f, "the catalogue has no table {table}"),
        }
    }
}

impl StdError for SaveError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}", self.offset)?;
        if let Some(table) = &self.table {
            write!(f, ", table {}", table.escape_debug())?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl StdError for ReadError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The fault's text is in the error's own.
        self.fault.source()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "it cannot be read: {error}"),
            Self::NotSaved => f.write_str("it is no saved version of a store"),
            Self::FutureFormat { found, known } => write!(
                f,
                "it is of format {found}, this program knows formats up to {known}"
            ),
            Self::Truncated => f.write_str("it ends before its end mark"),
            Self::Checksum => f.write_str("it is damaged: a checksum does not hold"),
            Self::Malformed(what) => write!(f, "it does not keep to the format: {what}"),
            Self::TooLarge { what, found, max } => {
                write!(f, "{found} {what}, at most {max} are allowed")
            }
            Self::UnknownTable => f.write_str("this program does not know the table"),
            Self::Schema { found, known } => write!(
                f,
                "its objects are of schema {found}, this program's of schema {known}"
            ),
            Self::Undecodable(reason) => write!(f, "an object cannot be decoded: {reason}"),
            Self::OutOfOrder => f.write_str("the keys of its objects do not ascend"),
        }
    }
}

impl StdError for Fault {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(f),
            Self::Duplicate(duplicate) => duplicate.fmt(f),
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Conflict { attempts } => write!(f, "in conflict at each of {attempts} attempts"),
            Self::TooOld { oldest } => {
                write!(f, "it took too long: the log reaches back to {oldest}")
            }
            Self::NoProposer => f.write_str("the store has no proposer"),
            Self::Version(error) => error.fmt(f),
        }
    }
}

impl StdError for RestoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Read(error) => Some(error),
            Self::Duplicate(duplicate) => Some(duplicate),
            Self::Rejected(rejected) => Some(rejected),
            Self::Version(error) => Some(error),
            _ => None,
        }
    }
}
