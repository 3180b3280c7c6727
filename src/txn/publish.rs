//! Publish: the new versions are installed, the watermark passes them
//! ([`crate::kernel::prepared`]); then watchers are woken, and some garbage is collected.

use super::Transaction;

impl Transaction<'_> {
    pub(super) fn published(&self) {
        self.shared.waiters.wake();
        self.shared.kernel().collect_sometimes();
    }
}
