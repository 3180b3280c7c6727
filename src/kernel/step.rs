//! Named steps at which the progress tests stop a thread. Nothing, unless the feature `failpoints`
//! is on.

/// A step between two shared accesses of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// A thread's line is made, and not in the list.
    Registering,
    /// A snapshot has announced itself and not yet read the watermark.
    Announced,
    /// One of an older version has announced itself, and not yet looked whether that is kept.
    AnnouncedAt,
    /// A read has found its record, and not yet the version that it is to see.
    Reading,
    /// A query has found where it begins in an ordered index, and read nothing.
    Scanning,
    /// A record has been claimed and stands in the hash, not yet in the order.
    Claimed,
    /// A larger table of keys is linked, and nothing is in it.
    Growing,
    /// A part of a table of keys is taken to be copied into the next one, and not copied.
    Migrating,
    /// An inner node of an ordered index is frozen, or its root full, and nothing has replaced it.
    Splitting,
    /// All records, versions and index entries of a commit are in place.
    Staged,
    /// The reads hold against the log so far.
    Validated,
    /// The commit is in the log.
    Appended,
    /// About to put a new version at its record's head.
    BeforeHeadCas,
    /// The new versions are in place.
    Installed,
    /// The watermark has passed the commit.
    Visible,
    /// A range of the log has been claimed for cutting.
    CutClaimed,
    /// A range of the log has been claimed for trimming.
    TrimClaimed,
    /// A record that waited for a snapshot to end is taken off its list.
    Sweeping,
    /// A record is dead and not yet unlinked.
    Dead,
    /// All threads were seen in the newest epoch, which has not been moved on.
    Scanned,
    /// Garbage has been taken and not yet freed.
    Reclaiming,
    /// Waiters are in the hands of who wakes them, and not called.
    Waking,
    /// A change is in a mailbox, and its watcher noted, and not yet called.
    Delivering,
    /// A commit lies with the watchers that it concerns, and they have not been called.
    Delivered,
    /// The watchers that a commit concerns are called, and it does not count as delivered.
    Called,
    /// A commit is found trimmed that was not delivered, and it is not noted yet.
    Losing,
    /// What was in a mailbox is taken, and not yet read.
    Fetched,
    /// A watcher is counted, and stands on none of its routes.
    Subscribing,
    /// It stands on its routes, and does not know yet what it begins after.
    Subscribed,
    /// A cursor is announced, and has not come to the newest version.
    Positioned,
    /// A watcher is off its routes, and still counted.
    Unsubscribing,
}

/// Every step that a store comes to by itself: in the order of a transaction, then those of
/// watchers. [`Step::Losing`] waits for one that is as late as it may be.
#[cfg(feature = "failpoints")]
pub const STEPS: [Step; 30] = [
    Step::Registering,
    Step::Announced,
    Step::AnnouncedAt,
    Step::Reading,
    Step::Scanning,
    Step::Claimed,
    Step::Growing,
    Step::Migrating,
    Step::Splitting,
    Step::Staged,
    Step::Validated,
    Step::Appended,
    Step::BeforeHeadCas,
    Step::Installed,
    Step::Visible,
    Step::CutClaimed,
    Step::TrimClaimed,
    Step::Sweeping,
    Step::Dead,
    Step::Scanned,
    Step::Reclaiming,
    Step::Waking,
    Step::Delivering,
    Step::Delivered,
    Step::Called,
    Step::Fetched,
    Step::Subscribing,
    Step::Subscribed,
    Step::Positioned,
    Step::Unsubscribing,
];

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn step(_: Step) {}

#[cfg(feature = "failpoints")]
pub use hook::set_hook;
#[cfg(feature = "failpoints")]
pub(crate) use hook::step;

#[cfg(feature = "failpoints")]
mod hook {
    use super::Step;
    use std::sync::OnceLock;

    type Hook = Box<dyn Fn(Step) + Send + Sync>;
    static HOOK: OnceLock<Hook> = OnceLock::new();

    /// Has `hook` called at every step of every thread. Once a process; false: another one was set
    /// before.
    pub fn set_hook(hook: impl Fn(Step) + Send + Sync + 'static) -> bool {
        HOOK.set(Box::new(hook)).is_ok()
    }

    pub(crate) fn step(step: Step) {
        if let Some(hook) = HOOK.get() {
            hook(step);
        }
    }
}
