//! A history as a text, to be kept, read and shortened by hand: a line a transaction, and below it
//! a line an operation. What begins with `#` is a remark.
//!
//! ```text
//! skep-history 1
//! transaction 2 begun 12 ended 19 snapshot 40 committed 41
//! get 17 nothing
//! get 18 stamp 99 version 39
//! find 2 from 100 to 199
//! found 18 stamp 99 version 39
//! put 17 stamp 120
//! at 2 value 105
//! delete 18
//! transaction 1 begun 13 ended 14 snapshot 40 aborted
//! ```
//! The number after `transaction` is the thread's, the ones after `get`, `found`, `put` and
//! `delete` are keys, after `find` and `at` an index. `version 0`: not asked. A transaction ends
//! `committed` at a version, `aborted`, `panicked` or `indeterminate`.

use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, Write};

use super::record::{History, Operation, Outcome, Seen, TransactionRecord};
use crate::version::Version;

const HEAD: &str = "skep-history 1";

/// Why a text is no history.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// It could not be read.
    Io(io::Error),
    /// This line, counted from 1, is none of a history.
    Line(usize),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "the history could not be read: {error}"),
            Self::Line(line) => write!(f, "line {line} is not of a history"),
        }
    }
}

impl Error for ReadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Line(_) => None,
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stamp {} version {}", self.stamp, self.version)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get { key, seen: None } => write!(f, "get {key} nothing"),
            Self::Get {
                key,
                seen: Some(seen),
            } => write!(f, "get {key} {seen}"),
            Self::Find { index, from, to } => write!(f, "find {index} from {from} to {to}"),
            Self::Found { key, seen } => write!(f, "found {key} {seen}"),
            Self::Put { key, stamp } => write!(f, "put {key} stamp {stamp}"),
            Self::At { index, value } => write!(f, "at {index} value {value}"),
            Self::Delete { key } => write!(f, "delete {key}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Committed(version) => write!(f, "committed {version}"),
            Self::Aborted => write!(f, "aborted"),
            Self::Panicked => write!(f, "panicked"),
            Self::Indeterminate => write!(f, "indeterminate"),
        }
    }
}

impl fmt::Display for TransactionRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            thread,
            begun,
            ended,
            snapshot,
            outcome,
            ..
        } = self;
        write!(
            f,
            "transaction {thread} begun {begun} ended {ended} snapshot {snapshot} {outcome}"
        )
    }
}

fn number(word: &str) -> Option<u64> {
    word.parse().ok()
}

fn seen(stamp: &str, version: &str) -> Option<Seen> {
    Some(Seen {
        stamp: number(stamp)?,
        version: Version::new(number(version)?),
    })
}

fn outcome(words: &[&str]) -> Option<Outcome> {
    match words {
        ["committed", version] => Some(Outcome::Committed(Version::new(number(version)?))),
        ["aborted"] => Some(Outcome::Aborted),
        ["panicked"] => Some(Outcome::Panicked),
        ["indeterminate"] => Some(Outcome::Indeterminate),
        _ => None,
    }
}

fn operation(words: &[&str]) -> Option<Operation> {
    Some(match words {
        ["get", key, "nothing"] => Operation::Get {
            key: number(key)?,
            seen: None,
        },
        ["get", key, "stamp", stamp, "version", version] => Operation::Get {
            key: number(key)?,
            seen: Some(seen(stamp, version)?),
        },
        ["find", index, "from", from, "to", to] => Operation::Find {
            index: index.parse().ok()?,
            from: number(from)?,
            to: number(to)?,
        },
        ["found", key, "stamp", stamp, "version", version] => Operation::Found {
            key: number(key)?,
            seen: seen(stamp, version)?,
        },
        ["put", key, "stamp", stamp] => Operation::Put {
            key: number(key)?,
            stamp: number(stamp)?,
        },
        ["at", index, "value", value] => Operation::At {
            index: index.parse().ok()?,
            value: number(value)?,
        },
        ["delete", key] => Operation::Delete { key: number(key)? },
        _ => return None,
    })
}

fn transaction(words: &[&str], first: usize) -> Option<TransactionRecord> {
    let [
        "transaction",
        thread,
        "begun",
        begun,
        "ended",
        ended,
        "snapshot",
        snapshot,
        rest @ ..,
    ] = words
    else {
        return None;
    };
    Some(TransactionRecord {
        thread: thread.parse().ok()?,
        begun: number(begun)?,
        ended: number(ended)?,
        snapshot: Version::new(number(snapshot)?),
        outcome: outcome(rest)?,
        first,
        operations: 0,
    })
}

impl History {
    /// Writes it as a text.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(&self, writer: &mut impl Write) -> io::Result<()> {
        writeln!(writer, "{HEAD}")?;
        for record in &self.transactions {
            writeln!(writer, "{record}")?;
            for operation in &self.operations[record.first..record.first + record.operations] {
                writeln!(writer, "{operation}")?;
            }
        }
        Ok(())
    }

    /// Reads what [`History::write`] wrote.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(reader: impl BufRead) -> Result<Self, ReadError> {
        let mut history = Self::default();
        for (at, line) in reader.lines().enumerate() {
            let line = line?;
            let known = match at {
                0 => line == HEAD,
                _ => history.read_line(&line).is_some(),
            };
            if !known {
                return Err(ReadError::Line(at + 1));
            }
        }
        Ok(history)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.first() {
            None => {}
            Some(word) if word.starts_with('#') => {}
            Some(&"transaction") => {
                let record = transaction(&words, self.operations.len())?;
                self.transactions.push(record);
            }
            Some(_) => {
                let operation = operation(&words)?;
                self.transactions.last_mut()?.operations += 1;
                self.operations.push(operation);
            }
        }
        Some(())
    }
}
