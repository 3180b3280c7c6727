//! A future that receives: when it is dropped, it hands on what it was woken for.

use std::task::{Context, Poll};

use super::watcher::Watcher;

/// One receiving, from its first poll to its end.
#[derive(Debug)]
pub(super) struct Receiving<'w> {
    watcher: &'w mut Watcher,
    /// Since it was polled last.
    waits: bool,
}

impl<'w> Receiving<'w> {
    pub(super) fn of(watcher: &'w mut Watcher) -> Self {
        Self {
            watcher,
            waits: false,
        }
    }

    pub(super) fn poll<R>(
        &mut self,
        context: &mut Context<'_>,
        poll: impl FnOnce(&mut Watcher, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let polled = poll(self.watcher, context);
        self.waits = polled.is_pending();
        polled
    }
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        if self.waits {
            self.watcher.cease();
        }
    }
}
