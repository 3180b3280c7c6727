//! A future that receives: it tells when it is dropped, so that others need not rely on its task.

use std::task::{Context, Poll};

use super::event::Event;
use super::watcher::Watcher;
use crate::error::WatchError;
use crate::kernel::wake::Waiters;

/// One receiving, from its first poll to its end.
#[derive(Debug)]
pub(super) struct Receiving<'w> {
    watcher: &'w mut Watcher,
    has_waited: bool,
}

impl<'w> Receiving<'w> {
    pub(super) fn of(watcher: &'w mut Watcher) -> Self {
        Self {
            watcher,
            has_waited: false,
        }
    }

    pub(super) fn poll_event(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Event, WatchError>> {
        if let Some(event) = self.watcher.next_fetched() {
            return Poll::Ready(Ok(event));
        }
        self.poll(context, Watcher::try_recv)
    }

    pub(super) fn poll<R>(
        &mut self,
        context: &mut Context<'_>,
        receive: impl FnMut(&mut Watcher) -> Result<Option<R>, WatchError>,
    ) -> Poll<Result<R, WatchError>> {
        let polled = self.watcher.poll_with(context, Waiters::enqueue, receive);
        self.has_waited |= polled.is_pending();
        polled
    }
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        if self.has_waited {
            self.watcher.doubt();
        }
    }
}
