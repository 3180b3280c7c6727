//! What watchers do, as figures.

use std::time::{Duration, SystemTime};

use super::member::Member;
use crate::kernel::Kernel;
use crate::kernel::log::Slot;
use crate::kernel::reclaim::Guard;
use crate::kernel::station::Station;
use crate::shared::Shared;
use crate::version::{Moment, Version};

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
    /// Commits that its lags have passed over, matching or not: from the first of which something
    /// was lost to the last. Of some it may still have to be told.
    pub missed: u64,
    /// Those of them that it cannot know of yet: it has lagged since it last looked.
    pub untold: u64,
    /// Changes that wait in its mailbox. 0 without one.
    pub waiting: u64,
    /// Their bytes: what counts for its bound.
    pub waiting_bytes: u64,
    /// Events that were taken out for it and not given, when it last looked for more, or 0 once it
    /// has been given them all: of a mailbox all that was in it, of the log a run. While it still
    /// reads history, before its mailbox, the commits up to that.
    pub taken: u64,
    /// The oldest version that it has not read and that may concern it: of what waits in its
    /// mailbox or has waited there and is gone, or in the log. None: it is current.
    pub oldest: Option<Version>,
    /// Commits after its position, matching or not.
    pub behind: u64,
    /// How long ago the oldest one was written, or, if the log had it and has it no more, the
    /// oldest one there; None if it is current, or that is not known.
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
    /// The oldest version that is not delivered. None: all is.
    pub oldest: Option<Version>,
    /// Commits after its position.
    pub behind: u64,
    /// How long ago the oldest one was written; None if all is delivered, or that is not known.
    pub behind_for: Option<Duration>,
    /// Events that its watchers were given. This and the next three are the sums of what
    /// [`WatcherStats`] tells of those that there are.
    pub delivered: u64,
    /// Commits that lags of its watchers have passed over.
    pub missed: u64,
    /// Changes that wait in their mailboxes: each once for each of these that it is in.
    pub waiting: u64,
    /// Their bytes.
    pub waiting_bytes: u64,
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
    let station = shared.shards.station(kernel, member);
    let (depth, since, gap) = member.mailbox.depth(&guard);
    // It will be told that as its end.
    let gap = gap.filter(|_| !member.closes());
    let visible = kernel.horizon.visible();
    // Of one that was closed with all it has, what it has not may be yet to come.
    let since = since.filter(|since| since.version <= visible);
    let (taken, own) = (member.taken(), member.read.get());
    let lost = lost(&guard, station, member);
    let untold = match member.fetched() {
        Some(fetched) => passed_by(kernel, &guard, (fetched, visible)),
        None => {
            let gone = gap.map_or(0, |gap| gap.commits_after(own));
            // What it reads first the log may have, though those who deliver have lost it.
            if taken == 0 { gone.max(lost) } else { gone }
        }
    };
    // One that is delivered to is current as far as nothing waits for it.
    let is_current = member.has_mailbox && taken == 0 && untold == 0 && since.is_none();
    let read = match is_current {
        true => own.max(station.position()),
        false => own,
    };
    let (oldest, at) = match since {
        Some(since) if taken == 0 && lost == 0 => (Some(since.version), since.at),
        // Of what was taken the log may have the rest no more.
        _ if read < visible && taken > 0 && kernel.log.trimmed() > read => {
            (Some(read + 1), member.taken_since())
        }
        _ => ((read < visible).then_some(read + 1), Moment::UNKNOWN),
    };
    let at = match oldest {
        Some(oldest) if at == Moment::UNKNOWN => written_at(kernel, &guard, oldest),
        _ => at,
    };
    WatcherStats {
        number: member.number,
        mailbox: member.has_mailbox,
        position: Version::new(read),
        delivered: member.delivered.get(),
        missed: member.missed.get() + untold,
        untold,
        waiting: u64::from(depth.letters),
        waiting_bytes: depth.bytes,
        taken,
        oldest: oldest.map(Version::new),
        behind: visible.saturating_sub(read),
        behind_for: at.ago(now),
    }
}

/// Commits that nobody delivered, which it looks for first: none that were lost after its end.
fn lost(guard: &Guard<'_>, station: &Station, member: &Member) -> u64 {
    let end = member.mailbox.end(guard);
    let lost = end.map_or(station.lost(), |end| end.lost);
    lost.saturating_sub(member.read.get())
}

/// Commits that a reader of the log will have passed by when it goes on: they are not there.
fn passed_by(kernel: &Kernel, guard: &Guard<'_>, (fetched, visible): (u64, u64)) -> u64 {
    let is_gone = fetched < visible && matches!(kernel.log.at(guard, fetched + 1), Slot::Trimmed);
    match is_gone {
        true => kernel.resume_position(visible).saturating_sub(fetched),
        false => 0,
    }
}

/// When a commit was written, or the oldest of the log if that has it no more.
fn written_at(kernel: &Kernel, guard: &Guard<'_>, version: u64) -> Moment {
    let oldest = version.max(kernel.log.trimmed() + 1);
    let write = match kernel.log.at(guard, oldest) {
        Slot::Commit(commit) => commit.writes().first(),
        _ => None,
    };
    write.map_or(Moment::UNKNOWN, |write| write.written_at(guard))
}

/// Every part of the delivery.
pub(crate) fn queues(shared: &Shared) -> Vec<WatchQueueStats> {
    let kernel = shared.schema.kernel();
    let now = SystemTime::now();
    let mut queues: Vec<_> = (0..shared.shards.count())
        .map(|shard| queue(shared, kernel, shard, now))
        .collect();
    for member in shared.shards.members(kernel) {
        if member.has_mailbox {
            let own = figures(shared, kernel, &member, now);
            let queue = &mut queues[usize::from(member.shard)];
            queue.delivered += own.delivered;
            queue.missed += own.missed;
            queue.waiting += own.waiting;
            queue.waiting_bytes = queue.waiting_bytes.saturating_add(own.waiting_bytes);
        }
    }
    queues
}

/// A part of the delivery, without what its watchers do.
fn queue(shared: &Shared, kernel: &Kernel, shard: usize, now: SystemTime) -> WatchQueueStats {
    let station = kernel.station(shard);
    let visible = kernel.horizon.visible();
    // Nobody moves a position that nobody needs.
    let position = match station.subscribers() {
        0 => visible,
        _ => station.position().min(visible),
    };
    let oldest = (position < visible).then_some(position + 1);
    let at = oldest.map(|version| written_at(kernel, &kernel.domain.pin(), version));
    WatchQueueStats {
        watchers: station.subscribers(),
        position: Version::new(position),
        oldest: oldest.map(Version::new),
        behind: visible - position,
        behind_for: at.and_then(|at| at.ago(now)),
        lost: Version::new(station.lost()),
        structure_bytes: shared.shards.bytes(kernel, shard) as u64,
        delivered: 0,
        missed: 0,
        waiting: 0,
        waiting_bytes: 0,
    }
}
