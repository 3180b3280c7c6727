#![doc = include_str!("../README.md")]

mod action;
mod builder;
#[cfg(feature = "cluster")]
pub mod cluster;
mod copy;
mod error;
mod fork;
mod id;
mod kernel;
mod latency;
mod propose;
mod proposed;
#[cfg(feature = "save")]
pub mod save;
#[cfg(feature = "serde")]
mod serial;
mod shared;
mod snapshot;
mod stats;
mod store;
mod sync;
mod table;
#[cfg(feature = "testing")]
pub mod testing;
mod txn;
mod version;
mod watch;

pub mod docs;

pub use action::{Action, AnyKey, AnyObject, Divergence, DivergenceCause};
pub use builder::Builder;
pub use error::{
    BoundError, CommitError, CreateError, DeferredError, DeleteError, Duplicate, Error, KeyError,
    OutOfSequence, ReplaceError, SnapshotError, UpdateError, UpsertError, WatchError,
    WatchFromError,
};
pub use fork::{Fork, ForkError};
pub use id::{Id, ParseIdError};
pub use kernel::mapping::mapped_bytes;
pub use latency::{Histogram, Latencies};
pub use propose::flight::Verdict;
pub use propose::proposal::{AnswerError, Proposal, Ticket};
pub use propose::sets::{
    Image, IndexReadRange, ProposedWrite, ReadRange, ReadSet, TableReadSet, UniqueClaim, WriteSet,
};
pub use propose::{ChangesError, ProposedChange, Proposer};
pub use proposed::ApplyError;
pub use snapshot::{Snapshot, View};
pub use stats::Stats;
pub use store::Store;
pub use table::condition::{AnyKeyOf, AnyOf, ByIndex, ByKey};
pub use table::found::{Entries, Found};
pub use table::handle::{Entry, Obj};
pub use table::joined::{And, Except, Or};
pub use table::object::{Index, Indexes, Key, Keys, Object, fold_case};
pub use table::proposed::{Proposed, Rejected};
pub use table::query::{Condition, Keyed, Query, keys};
pub use table::span::Prefix;
pub use table::value::Value;
pub use txn::Transaction;
pub use txn::batch::{Batch, BatchError, BatchReport};
pub use txn::overlay::Overlaid;
pub use txn::submit::Submission;
pub use version::{Meta, Version};
pub use watch::clause::{Images, TableFilter};
pub use watch::config::Delivery;
pub use watch::event::{AnyChange, Change, Event, Kind};
pub use watch::figures::{WatchQueueStats, WatcherStats};
pub use watch::filter::Filter;
pub use watch::member::Overflow;
pub use watch::watcher::Watcher;
pub use watch::whole::WatchedCommit;

#[cfg(feature = "derive")]
pub use skep_derive::Object;

/// Named steps of the kernel at which tests stop a thread; with the feature `failpoints` only.
#[cfg(feature = "failpoints")]
pub mod failpoints {
    pub use crate::kernel::step::{STEPS, Step, set_hook};
}

/// What operations do through the door to atomics; in builds with `--cfg skep_counted` only.
#[cfg(skep_counted)]
#[doc(hidden)]
pub mod counted {
    pub use crate::sync::counted::{Access, Kind, record};
}
