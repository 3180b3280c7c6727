//! What a store does for watchers, as its builder was told.

/// Bytes that a watcher's mailbox holds, unless it or its store asks for another bound.
pub(crate) const BYTES_MAX: u64 = 64 << 20;
/// Objects are asked what they point to where a mailbox holds less than this,
pub(super) const MEASURED_BELOW: u64 = BYTES_MAX;
/// or from so many changes on that wait in it: the first few, of a watcher that keeps up, cost
/// their committer nothing, and what they point to is beyond a bound that is large.
pub(super) const MEASURED_FROM: u32 = 64;

/// Who carries the shards on, beside the watchers that receive, who always do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Delivery {
    /// Committers: each delivers its commit, until it has called 256 watchers who have nothing else
    /// waiting for them, and leaves it to these to go on. A watcher is woken by the commit that it
    /// gets something of, and by no other.
    #[default]
    Committers,
    /// Nobody else. All watchers that wait are woken by each commit, and look.
    Receivers,
    /// A thread for each shard, from when the store is built until it is closed. It also wakes
    /// those who read the log themselves: none of them can keep another asleep.
    Threads,
}

/// What a store does for watchers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WatchConfig {
    pub(crate) shards: usize,
    pub(crate) delivery: Delivery,
    pub(crate) events_max: u32,
    pub(crate) bytes_max: u64,
    pub(crate) watchers_max: u64,
}
