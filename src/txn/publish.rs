//! Publish: the new versions are installed, the watermark passes them
//! ([`crate::kernel::prepared`]); then watchers are woken and delivered to, and some garbage is
//! collected.

use super::Transaction;
use crate::kernel::clock::Mover;
use crate::kernel::session::Line;

impl Transaction<'_> {
    pub(super) fn published(&self, line: &Line, mover: Mover) {
        self.shared.published(mover);
        self.shared.kernel().collect_sometimes_on(line);
    }
}
