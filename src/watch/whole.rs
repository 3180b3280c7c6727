//! Receiving commits whole: their changes are laid aside until the commit ends.

use std::future::Future;
use std::time::{Duration, Instant};

use super::event::{AnyChange, Event};
use super::receiving::Receiving;
use super::watcher::Watcher;
use crate::error::WatchError;
use crate::version::Version;

/// A commit, as a watcher gives it whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WatchedCommit {
    /// Its version.
    pub version: Version,
    /// Its changes that match, in the order in which they were written. None: it is a marker alone.
    pub changes: Vec<AnyChange>,
}

impl Watcher {
    /// The next commit with something for this watcher, whole, if there is one now; or, if it asked
    /// for more markers than those, one without changes.
    ///
    /// What [`Watcher::try_recv`] has given of a commit already is not in it.
    ///
    /// # Errors
    /// As [`Watcher::try_recv`].
    pub fn try_recv_commit(&mut self) -> Result<Option<WatchedCommit>, WatchError> {
        loop {
            if let Some(commit) = self.gathered_without_marker() {
                return Ok(Some(commit));
            }
            // A commit is fetched whole: once one of its changes is there, nothing but a matcher's
            // panic comes before its marker, and then it is gone on with.
            let next = match self.next_fetched() {
                None => {
                    // Before the look: what was committed before the closing is still to be seen.
                    let closed = self.shared.is_closed();
                    if self.fetch()? {
                        continue;
                    }
                    self.nothing_more(closed)?
                }
                event => event,
            };
            match next {
                None => return Ok(None),
                Some(Event::Commit(version)) => {
                    let changes = self.fetched.gathered();
                    return Ok(Some(WatchedCommit { version, changes }));
                }
                Some(change) => self.fetched.gather(change),
            }
        }
    }

    /// The next event of what is fetched, for who receives single ones. What a matcher's panic left
    /// of a commit that was to be given whole comes first: the rest of it would end that commit.
    #[inline]
    pub(super) fn next_single(&mut self) -> Option<Event> {
        match self.fetched.first_gathered() {
            None => self.next_fetched(),
            gathered => {
                self.note_taking();
                gathered
            }
        }
    }

    /// The commit of which a change is laid aside, with the rest of its changes, if no marker will
    /// end it.
    fn gathered_without_marker(&mut self) -> Option<WatchedCommit> {
        if self.member.filter.wants_markers() {
            return None;
        }
        let version = self.fetched.gathering()?;
        while self.fetched.next_version() == Some(version) {
            let Some(event) = self.next_of_run() else {
                break;
            };
            if self.gives(&event) {
                self.note(&event);
                self.fetched.gather(event);
            }
        }
        if let Some(progress) = self.progress_mut() {
            progress.tell(version);
        }
        let changes = self.fetched.gathered();
        Some(WatchedCommit { version, changes })
    }

    /// As [`Watcher::try_recv_commit`]; blocks until there is one.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub fn recv_commit(&mut self) -> Result<WatchedCommit, WatchError> {
        let received = self.receive_until(None, Self::try_recv_commit);
        received.map(|commit| commit.expect("without a deadline it ends with a commit"))
    }

    /// As [`Watcher::recv_commit`]; gives `None` when the time is over.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub fn recv_commit_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<WatchedCommit>, WatchError> {
        self.receive_until(Instant::now().checked_add(timeout), Self::try_recv_commit)
    }

    /// As [`Watcher::recv_commit`], for async code. Dropping the future loses nothing.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub fn recv_commit_async(
        &mut self,
    ) -> impl Future<Output = Result<WatchedCommit, WatchError>> + Send + '_ {
        let mut receiving = Receiving::of(self);
        std::future::poll_fn(move |context| {
            receiving.poll(context, |watcher, context| {
                watcher.poll_with(context, Self::try_recv_commit)
            })
        })
    }
}
