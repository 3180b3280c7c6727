//! What a store does for watchers, as its builder was told.

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
