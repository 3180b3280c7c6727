//! Histories of transactions, and the proof that one is strictly serializable.
//!
//! Threads record what their transactions saw and wrote, and when each began and ended; the check
//! then finds the order that explains it all, or says in words why there is none: a cycle of
//! transactions of which each must come before the next. What is checked is a program's own store
//! with its own transactions; a history of another store may be checked as well, as long as it
//! numbers its commits.
//!
//! - Objects carry a stamp that their writer puts into them: a read says whose write it saw.
//! - Reads of ranges count with all that they did not find: phantoms are anomalies as well.
//! - What was rolled back and who panicked are held to it that what they read was true at their
//!   snapshot, and that nobody saw what they wrote.
//! - [`History::check`] names what is wrong as the literature does: [`Anomaly`].
//! - [`History::prove`] is for tests: it panics with the reason, and keeps the history as a text,
//!   a line an operation ([`History::write`]).
//!
//! ```
//! use skep::testing::history::{BY_KEY, Outcome, Recorder, Seen};
//! use skep::{Entry, Id, Indexes, Object, Store, Version, keys};
//!
//! #[derive(Clone)]
//! struct Counter { key: u64, stamp: u64 }
//!
//! impl Object for Counter {
//!     type Key = u64;
//!     const TABLE: &'static str = "counter";
//!     fn key(&self) -> u64 { self.key }
//!     fn indexes(_: &mut Indexes<Self>) {}
//! }
//!
//! fn seen(entry: Entry<'_, Counter>) -> Seen {
//!     Seen { stamp: entry.stamp, version: entry.meta().version }
//! }
//!
//! let store = Store::builder().table::<Counter>().build();
//! let mut recorder = Recorder::new();
//! // One for each thread; here there is one.
//! let mut thread = recorder.thread();
//!
//! for stamp in 1..=3 {
//!     thread.begin();
//!     let mut tx = store.begin();
//!     thread.snapshot(tx.version());
//!     let before = tx.entry::<Counter>(&7);
//!     thread.get(7, before.map(seen));
//!     thread.put(7, stamp, []);
//!     tx.upsert(Counter { key: 7, stamp })?;
//!     thread.end(tx.commit().map_or(Outcome::Aborted, Outcome::Committed));
//! }
//!
//! thread.begin();
//! let snapshot = store.snapshot();
//! thread.snapshot(snapshot.version());
//! let all = snapshot.find(keys::<Counter>().all()).entries();
//! thread.find(BY_KEY, (0, u64::MAX), all.map(|entry| (entry.key, seen(entry))));
//! thread.end(Outcome::Committed(snapshot.version()));
//!
//! let history = recorder.history([thread]);
//! let report = history.check()?;
//! assert_eq!((report.committed, report.read_only, report.found), (3, 1, 1));
//!
//! // Had the second writer not seen the first one's object, it would be refused.
//! let mut wrong = history.clone();
//! wrong.operations[2] = skep::testing::history::Operation::Get { key: 7, seen: None };
//! let violation = wrong.check().expect_err("the first one's write was lost");
//! assert_eq!(violation.anomaly, skep::testing::history::Anomaly::GSingle);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod check;
mod record;
mod recorder;
mod text;

pub use self::check::{Anomaly, Report, Violation};
pub use self::record::{BY_KEY, History, Operation, Outcome, Seen, TransactionRecord};
pub use self::recorder::{Recorder, ThreadRecorder};
pub use self::text::ReadError;
