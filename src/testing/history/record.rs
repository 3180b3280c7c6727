//! What is recorded: transactions, what they saw and wrote, when they began and ended, and how.

use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use super::check::{Report, Violation};
use crate::sync::unique;
use crate::version::Version;

/// The index that every object is in by its key, said or not.
pub const BY_KEY: u32 = 0;

/// Of an object that was read: who wrote it, and since when it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What the write put into the object: unique to it.
    pub stamp: u64,
    /// The version that the store gives with the object
    /// ([`Meta::version`](crate::Meta::version)); [`Version::ZERO`]: it was not asked. Of an object
    /// that the reading transaction itself wrote it is not looked at.
    pub version: Version,
}

impl Seen {
    /// Whether it may be of a version.
    pub(super) fn is_of(self, version: u64) -> bool {
        self.version == Version::ZERO || self.version.get() == version
    }
}

/// A step of a transaction, in the order in which it took them. Keys and values of indexes are
/// numbers: a program that has others numbers its own, keys of different tables apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Looked for the object of a key.
    Get {
        /// The key.
        key: u64,
        /// What was there.
        seen: Option<Seen>,
    },
    /// Looked for all objects with a value from `from` to `to`, both included, in an index. The
    /// [`Operation::Found`] that follow are what it found, each object once.
    Find {
        /// The index, [`BY_KEY`] or another.
        index: u32,
        /// The first value.
        from: u64,
        /// The last value.
        to: u64,
    },
    /// Found, by the [`Operation::Find`] before it.
    Found {
        /// The key of the object.
        key: u64,
        /// What was there.
        seen: Seen,
    },
    /// Wrote an object, new or not. The [`Operation::At`] that follow say which values it has in
    /// indexes.
    Put {
        /// The key.
        key: u64,
        /// Unique to this write.
        stamp: u64,
    },
    /// A value that the object of the [`Operation::Put`] before it has in an index.
    At {
        /// The index, another than [`BY_KEY`].
        index: u32,
        /// The value.
        value: u64,
    },
    /// Deleted the object of a key.
    Delete {
        /// The key.
        key: u64,
    },
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was committed. The version of the snapshot: it wrote nothing, which ends a view or a
    /// snapshot as well.
    Committed(Version),
    /// Nothing of it was written: it was rolled back, refused, or in conflict.
    Aborted,
    /// Its closure panicked. Nothing of it was written.
    Panicked,
    /// Nobody was told. If anybody saw a write of it, it was committed, at any time after it began;
    /// else it was not. So let each of them write an object that nobody else does, and end the
    /// history with a look at all of these.
    Indeterminate,
}

/// One transaction, view or snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionRecord {
    /// Whose it is.
    pub thread: u32,
    /// When it was asked to begin: a tick of the history's clock.
    pub begun: u64,
    /// When it had ended. Who ended at a lower tick than another begun came before it.
    pub ended: u64,
    /// The version of its snapshot.
    pub snapshot: Version,
    /// How it ended.
    pub outcome: Outcome,
    /// Where its operations begin among the history's.
    pub first: usize,
    /// How many these are.
    pub operations: usize,
}

/// What transactions on several threads did: plain data, made by a
/// [`Recorder`](super::Recorder), by hand, or read from a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// In any order; those of one thread need not even follow one another in time.
    pub transactions: Vec<TransactionRecord>,
    /// Of all of them. 32 bytes each.
    pub operations: Vec<Operation>,
}

impl History {
    /// The operations of a transaction, the whole of them.
    ///
    /// # Panics
    /// If they are not among the history's, or if the transaction is not: with a history made by
    /// hand, which [`History::check`] refuses.
    #[must_use]
    pub fn operations_of(&self, transaction: usize) -> &[Operation] {
        let record = &self.transactions[transaction];
        &self.operations[record.first..record.first + record.operations]
    }

    /// Checks, and on failure keeps the history as a file in `folder`, or in the folder that the
    /// environment's `SKEP_HISTORIES` names. For tests.
    ///
    /// # Panics
    /// If the history is not strictly serializable, with the reason in words and the file's place.
    pub fn prove(&self, folder: &Path) -> Report {
        match self.check() {
            Ok(report) => report,
            Err(violation) => self.complain(&violation, folder),
        }
    }

    fn complain(&self, violation: &Violation, folder: &Path) -> ! {
        let folder = env::var_os("SKEP_HISTORIES").map_or(folder.to_owned(), PathBuf::from);
        match self.keep(&folder) {
            Ok(place) => panic!("{violation}\nThe history is kept in {}", place.display()),
            Err(error) => panic!(
                "{violation}\nThe history could not be kept in {}: {error}",
                folder.display()
            ),
        }
    }

    /// Writes the history to a new file in a folder, which is made if need be; says where.
    ///
    /// # Errors
    /// The file system's.
    pub fn keep(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let place = folder.join(format!("history-{}-{}.txt", process::id(), unique()));
        let mut file = io::BufWriter::new(fs::File::create_new(&place)?);
        self.write(&mut file)?;
        io::Write::flush(&mut file)?;
        Ok(place)
    }
}
