//! Publish: the new versions are installed, the watermark passes them, watchers are woken, and some
//! garbage is collected.

use super::Transaction;
use crate::kernel::prepared::Prepared;
use crate::kernel::reclaim::Guard;

impl<'s> Transaction<'s> {
    pub(super) fn publish(&mut self, prepared: Prepared<'s>, guard: Guard<'_>, number: u64) {
        prepared.publish(&guard, number);
        drop(guard);
        self.shared.waiters.wake();
        self.shared.kernel().collect_sometimes();
    }
}
