//! What watchers do, as figures.

use std::time::{Duration, SystemTime};

use super::member::Member;
use crate::kernel::Kernel;
use crate::kernel::log::Slot;
use crate::shared::Shared;
use crate::version::Version;

/// Figures of one watcher; only about right while it receives and others commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatcherStats {
    /// Tells the watcher from every other one of the process; later ones have greater numbers.
    pub number: u64,
    /// Whether it is delivered to; else it reads the commit log itself.
    pub mailbox: bool,
    /// The version up to which it has read.
    pub position: Version,
    /// Events given to who receives.
    pub delivered: u64,
    /// Commits that its lags have passed over, matching or not.
    pub missed: u64,
    /// Changes that wait in its mailbox. 0 without one.
    pub waiting: u64,
    /// Their bytes: what counts for its bound.
    pub waiting_bytes: u64,
    /// Events that were taken out for it, when it last looked for more, and not given then: of a
    /// mailbox all that was in it, of the log a run. While it still reads history, before its
    /// mailbox, the commits up to that.
    pub taken: u64,
    /// The oldest version that it has not read and that may concern it: of what waits in its
    /// mailbox, or in the log. None: it is current.
    pub oldest: Option<Version>,
    /// Commits after its position, matching or not.
    pub behind: u64,
    /// How long ago the oldest one was written; None if it is current, or that is not known.
    pub behind_for: Option<Duration>,
}

/// Figures of a part of the delivery to watchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchQueueStats {
    /// How many watchers it delivers to.
    pub watchers: u64,
    /// Up to here all is delivered.
    pub position: Version,
    /// Commits after it.
    pub behind: u64,
    /// Up to here something was lost to all its watchers, each of which is told, because nobody
    /// delivered it while the log had it. 0: nothing ever was.
    pub lost: Version,
    /// Bytes of what it keeps to know who asks for what.
    pub structure_bytes: u64,
}

/// Every watcher of a store, in the order in which they began.
pub(crate) fn watchers(shared: &Shared) -> Vec<WatcherStats> {
    let kernel = shared.schema.kernel();
    let members = shared.shards.members(kernel);
    let now = SystemTime::now();
    members
        .iter()
        .map(|member| figures(shared, kernel, member, now))
        .collect()
}

fn figures(shared: &Shared, kernel: &Kernel, member: &Member, now: SystemTime) -> WatcherStats {
    let guard = kernel.domain.pin();
    let (depth, first) = member.mailbox.depth(&guard);
    let visible = kernel.horizon.visible();
    // One that is delivered to is current as far as nothing waits for it.
    let delivered = shared.shards.station(kernel, member).position();
    let taken = member.taken();
    let read = match (member.has_mailbox, &first) {
        (true, None) if taken == 0 => member.read.get().max(delivered),
        _ => member.read.get(),
    };
    let first = first.filter(|_| taken == 0);
    let since = |at: SystemTime| now.duration_since(at).ok();
    let (oldest, behind_for) = match first {
        Some(post) => (Some(post.version), since(post.written_at)),
        None if read < visible => {
            let written = match kernel.log.at(&guard, read + 1) {
                Slot::Commit(commit) => commit.writes().first(),
                _ => None,
            };
            let written = written.map(|write| write.written_at(&guard));
            (Some(Version::new(read + 1)), written.and_then(since))
        }
        None => (None, None),
    };
    WatcherStats {
        number: member.number,
        mailbox: member.has_mailbox,
        position: Version::new(read),
        delivered: member.delivered.get(),
        missed: member.missed.get(),
        waiting: u64::from(depth.letters),
        waiting_bytes: depth.bytes,
        taken,
        oldest,
        behind: visible.saturating_sub(read),
        behind_for,
    }
}

/// Every part of the delivery.
pub(crate) fn queues(shared: &Shared) -> Vec<WatchQueueStats> {
    let kernel = shared.schema.kernel();
    let visible = kernel.horizon.visible();
    let shards = (0..shared.shards.count()).map(|shard| {
        let station = kernel.station(shard);
        // Nobody moves a position that nobody needs.
        let position = match station.subscribers() {
            0 => visible,
            _ => station.position(),
        };
        WatchQueueStats {
            watchers: station.subscribers(),
            position: Version::new(position),
            behind: visible.saturating_sub(position),
            lost: Version::new(station.lost()),
            structure_bytes: shared.shards.bytes(kernel, shard) as u64,
        }
    });
    shards.collect()
}
