//! The check: a proof by replay, and, where that fails, the reason by the graph of dependencies.
//!
//! The order of versions is known, so it is tried first: if it is a serial execution that respects
//! who ended before whom began, the history is strictly serializable ([`replay`], [`real_time`]).
//! What does not fit is a backward edge of the dependency graph, and each cycle lies within what
//! backward edges span ([`windows`]): the graph of these windows alone is made ([`graph`]) and
//! searched for the worst cycle ([`cycle`]).

#![forbid(unsafe_code)]

mod cycle;
mod dependency;
mod graph;
mod order;
mod real_time;
mod replay;
mod state;
mod violation;
mod windows;
mod words;

pub use self::violation::{Anomaly, Violation};

use self::order::Order;
use self::replay::Replay;
use super::record::History;

/// What a history that was found strictly serializable has in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// Transactions that wrote and were committed.
    pub committed: u64,
    /// Transactions that were committed and wrote nothing, views and snapshots.
    pub read_only: u64,
    /// Transactions of which nothing was written: rolled back, in conflict, panicked.
    pub aborted: u64,
    /// Reads of one object.
    pub reads: u64,
    /// Reads of a range.
    pub finds: u64,
    /// Objects that these found.
    pub found: u64,
    /// Objects written or deleted, and committed.
    pub writes: u64,
    /// What was there in the end, as a history; see [`Recorder::after`](super::Recorder::after).
    pub end: History,
}

impl History {
    /// Checks that the history is strictly serializable, with each transaction at its own version:
    /// an order, that of versions, which respects who ended before whom began, in which each saw
    /// just what the ones before it had left, predicates included. What was rolled back is held to
    /// the same for what it read.
    ///
    /// Time and memory are linear in the operations, but for sorting and an ordered map; nothing
    /// recurses. If the check fails, finding the name for it costs more: the transactions between a
    /// wrong one and what it missed are compared with one another.
    ///
    /// # Errors
    /// The worst [`Violation`] that is found. For one that is no cycle, the first found.
    pub fn check(&self) -> Result<Report, Violation> {
        let order = Order::of(self)?;
        let (report, doubts) = Replay::run(&order)?;
        let inversions = real_time::inversions(&order);
        if doubts.suspects.is_empty() && inversions.is_empty() {
            return Ok(report);
        }
        Err(windows::explain(&order, &doubts, &inversions))
    }
}
