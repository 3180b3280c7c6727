//! Logs that no kernel owns.

use crate::kernel::collect::Work;
use crate::kernel::commit::Unpublished;
use crate::kernel::log::Log;
use crate::kernel::reclaim::{Garbage, Guard};
use crate::kernel::release::release;

/// A commit without writes.
pub(crate) fn empty_commit() -> Unpublished {
    Unpublished::new()
}

/// Takes up to two positions out of a log, none above `until`, as collection does.
pub(crate) fn trim(log: &Log, guard: &Guard<'_>, until: u64, garbage: &mut Garbage) {
    let commits = log.uncut::<2>(guard, until);
    let _ = log.claim_cut(&commits);
    let range = log.claim_trim(until, 2);
    log.trim(guard, range, garbage);
}

/// Empties a log that no kernel owns.
pub(crate) fn drain(mut log: Log) {
    let segments: Vec<_> = log.drain().collect();
    for segment in segments {
        // SAFETY: nobody is left.
        unsafe { release(None, Work::Segment, segment.cast()) };
    }
}
