//! Publish: the new versions are installed, the watermark passes them
//! ([`crate::kernel::prepared`]); then watchers are woken and delivered to, and some garbage is
//! collected.

use super::Transaction;

impl Transaction<'_> {
    pub(super) fn published(&self) {
        self.shared.published();
        self.shared.kernel().collect_sometimes();
    }
}
