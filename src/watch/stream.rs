//! Watchers as streams of the crate `futures-core`, with the feature `stream`.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use super::event::Event;
use super::watcher::Watcher;
use crate::error::WatchError;

/// The events as they come; ends when the store is closed, or the watcher, after
/// [`WatchError::Overflowed`] or [`WatchError::TooManyWatchers`]. A lag is an item. Dropping what a
/// combinator made of it loses no event that was not given.
impl Stream for Watcher {
    type Item = Result<Event, WatchError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let watcher = self.get_mut();
        if watcher.is_terminated() {
            return Poll::Ready(None);
        }
        watcher.poll_recv(context).map(|received| {
            watcher.note_end(&received);
            match received {
                Err(WatchError::Closed) => None,
                item => Some(item),
            }
        })
    }
}

impl FusedStream for Watcher {
    fn is_terminated(&self) -> bool {
        self.has_ended()
    }
}
