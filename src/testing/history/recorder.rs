//! Recording: a clock that all threads share, and for each thread what its transactions do.

use super::check::Report;
use super::record::{History, Operation, Outcome, Seen, TransactionRecord};
use crate::sync::{Arc, AtomicU64, Ordering, Padded};
use crate::version::Version;

/// The clock of a history: a counter, not the system's clock.
///
/// A store owes a transaction what ended before it began, and "before" must be more than two
/// readings of a clock, which say nothing of whether one thread's writes have reached the other.
/// Ticks are drawn from one atomic number: a lower tick's draw happened before a higher one's, in
/// the memory model's sense, so a store that hides what ended at a lower tick has no excuse.
/// What the clock thereby hides, orderings that the store itself lacks, is for models to find.
#[derive(Debug, Default)]
struct Clock(Padded<AtomicU64>);

impl Clock {
    fn tick(&self) -> u64 {
        // AcqRel: [clock] what was done before a lower tick is seen after a higher one.
        self.0.fetch_add(1, Ordering::AcqRel) + 1
    }
}

/// Records a history. One for a store, with a [`ThreadRecorder`] for each thread.
#[derive(Debug, Default)]
pub struct Recorder {
    clock: Arc<Clock>,
    start: History,
    threads: u32,
}

impl Recorder {
    /// Of a store that is empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of a store as a checked history left it, so that a long run is checked in rounds: memory is
    /// that of a round. Between rounds nothing may be open.
    #[must_use]
    pub fn after(report: &Report) -> Self {
        Self {
            start: report.end.clone(),
            ..Self::default()
        }
    }

    /// A recorder for one more thread.
    pub fn thread(&mut self) -> ThreadRecorder {
        self.threads += 1;
        ThreadRecorder {
            clock: Arc::clone(&self.clock),
            thread: self.threads,
            open: None,
            told: false,
            history: History::default(),
        }
    }

    /// All that was recorded: give back each thread's recorder.
    #[must_use]
    pub fn history(&self, threads: impl IntoIterator<Item = ThreadRecorder>) -> History {
        let mut whole = self.start.clone();
        for thread in threads {
            assert!(thread.open.is_none(), "a transaction is still open");
            let before = whole.operations.len();
            let records = thread.history.transactions.into_iter();
            whole.transactions.extend(records.map(|mut record| {
                record.first += before;
                record
            }));
            whole.operations.extend(thread.history.operations);
        }
        whole
    }
}

/// Records the transactions of one thread, one after another.
///
/// Each is begun, is told the version of its snapshot, then what it saw and wrote, and is ended.
#[derive(Debug)]
pub struct ThreadRecorder {
    clock: Arc<Clock>,
    thread: u32,
    open: Option<TransactionRecord>,
    /// Whether its snapshot was told.
    told: bool,
    history: History,
}

impl ThreadRecorder {
    /// Right before a transaction, a view or a snapshot is asked for.
    ///
    /// # Panics
    /// If the one before has not ended.
    pub fn begin(&mut self) {
        assert!(self.open.is_none(), "the transaction before has not ended");
        let begun = self.clock.tick();
        self.begin_at(begun);
    }

    fn begin_at(&mut self, begun: u64) {
        self.told = false;
        self.open = Some(TransactionRecord {
            thread: self.thread,
            begun,
            ended: 0,
            snapshot: Version::ZERO,
            outcome: Outcome::Indeterminate,
            first: self.history.operations.len(),
            operations: 0,
        });
    }

    fn open(&mut self) -> &mut TransactionRecord {
        self.open.as_mut().expect("a transaction has begun")
    }

    fn add(&mut self, operation: Operation) {
        self.open().operations += 1;
        self.history.operations.push(operation);
    }

    /// The version of its snapshot. Said again, it is run again, as
    /// [`Store::update`](crate::Store::update) does: what it did before counts as rolled back.
    ///
    /// # Panics
    /// As all that follow: if none has begun.
    pub fn snapshot(&mut self, version: Version) {
        let begun = self.open().begun;
        if self.told {
            // When the store began it again nobody knows; it was not before this.
            self.end(Outcome::Aborted);
            self.begin_at(begun);
        }
        self.told = true;
        self.open().snapshot = version;
    }

    /// It looked for the object of a key.
    pub fn get(&mut self, key: u64, seen: Option<Seen>) {
        self.add(Operation::Get { key, seen });
    }

    /// It looked for all objects with a value from `from` to `to` in an index, and found these.
    pub fn find(
        &mut self,
        index: u32,
        (from, to): (u64, u64),
        found: impl IntoIterator<Item = (u64, Seen)>,
    ) {
        self.add(Operation::Find { index, from, to });
        for (key, seen) in found {
            self.add(Operation::Found { key, seen });
        }
    }

    /// It wrote an object, that has these values in indexes. `stamp` is unique to this write.
    pub fn put(&mut self, key: u64, stamp: u64, indexes: impl IntoIterator<Item = (u32, u64)>) {
        self.add(Operation::Put { key, stamp });
        for (index, value) in indexes {
            self.add(Operation::At { index, value });
        }
    }

    /// It deleted the object of a key.
    pub fn delete(&mut self, key: u64) {
        self.add(Operation::Delete { key });
    }

    /// Right after it ended: the commit has returned, or the view or snapshot is let go.
    pub fn end(&mut self, outcome: Outcome) {
        let mut record = self.open.take().expect("a transaction has begun");
        record.ended = self.clock.tick();
        record.outcome = outcome;
        self.history.transactions.push(record);
    }
}
