//! Figures of a store.

#![forbid(unsafe_code)]

use crate::kernel::Kernel;
use crate::version::Version;

/// Figures of a store; counted apart by threads, so only about right while others work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The newest version.
    pub version: Version,
    /// The oldest version at which a snapshot may be taken now.
    pub oldest: Version,
    /// Versions of objects in the store: current ones and those that snapshots or retention keep.
    pub versions: u64,
    /// Bytes of these versions, without what the objects point to.
    pub version_bytes: u64,
    /// Bytes of the indexes and the commit log.
    pub structure_bytes: u64,
    /// Commits in the log.
    pub log_commits: u64,
    /// The oldest version that a watcher may begin at now, about: see
    /// [`watch_from`](crate::Store::watch_from).
    pub history_oldest: Version,
    /// Bytes that the commits in the log keep, about; counted only if they are bounded by
    /// [`history_bytes`](crate::Builder::history_bytes).
    pub history_bytes: u64,
    /// Snapshots, views and transactions open.
    pub snapshots: usize,
    /// Watchers alive.
    pub watchers: usize,
}

impl Stats {
    pub(crate) fn of(kernel: &Kernel) -> Self {
        let (versions, version_bytes) = kernel.counts();
        let version = kernel.horizon.visible();
        Self {
            version: Version::new(version),
            oldest: Version::new(kernel.horizon.oldest()),
            versions,
            version_bytes,
            structure_bytes: kernel.structure_bytes() as u64,
            log_commits: version.saturating_sub(kernel.log.trimmed()),
            history_oldest: Version::new(kernel.oldest_position()),
            history_bytes: kernel.history_bytes(),
            snapshots: kernel.snapshots(),
            watchers: kernel.watchers(),
        }
    }
}
