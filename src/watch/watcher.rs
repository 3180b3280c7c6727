//! The cursor on the commit log behind a watch.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::event::{AnyChange, Event};
use super::filter::Filter;
use crate::error::WatchError;
use crate::kernel::commit::Commit;
use crate::kernel::cursor::Cursor;
use crate::kernel::log::Slot;
use crate::kernel::pending::Outcome;
use crate::kernel::reclaim::Guard;
use crate::kernel::wake::{LOOK_AGAIN, Waiter, Waiting};
use crate::shared::Shared;
use crate::sync::thread;
use crate::version::Version;

/// Commits read under one pin at most.
const COMMITS_A_TURN: u64 = 256;

/// Follows the changes that commits make: in order, each once, from where it began.
///
/// One commit's events are fetched at a time and kept in the watcher until they are received;
/// everything else stays in the store's commit log, which is kept for a watcher as far as the
/// store's watch bound ([`Builder::watch_commits_max`](crate::Builder::watch_commits_max)).
/// A watcher never slows a commit but by being woken by it. Dropping it ends it.
#[derive(Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
    cursor: Cursor,
    filter: Filter,
    /// The tables that the filter is about.
    tables: u64,
    /// Fetched and not yet received: changes that may match, then their commit's marker.
    fetched: VecDeque<Event>,
    /// Whether a change of the commit being received has matched.
    matched: bool,
    waiter: Option<Arc<Waiter>>,
}

impl Watcher {
    pub(crate) fn new(shared: &Arc<Shared>, filter: Filter) -> Self {
        Self::reading(shared, filter, Cursor::new(shared.schema.kernel()))
    }

    /// One of what comes after an older version; `Err`: the log is kept from there on only.
    pub(crate) fn from(shared: &Arc<Shared>, filter: Filter, version: u64) -> Result<Self, u64> {
        let cursor = Cursor::at(shared.schema.kernel(), version)?;
        Ok(Self::reading(shared, filter, cursor))
    }

    fn reading(shared: &Arc<Shared>, filter: Filter, cursor: Cursor) -> Self {
        Self {
            cursor,
            tables: filter.tables(&shared.schema),
            shared: Arc::clone(shared),
            filter,
            fetched: VecDeque::new(),
            matched: false,
            waiter: None,
        }
    }

    /// Moves the cursor of a new watcher up to the snapshot that goes with it.
    pub(crate) fn start_at(&mut self, version: u64) {
        self.cursor.move_to(version);
    }

    /// The version up to which commits have been read; events of it may not have been received
    /// yet.
    #[must_use]
    pub fn position(&self) -> Version {
        Version::new(self.cursor.position())
    }

    /// The next event, if there is one now.
    ///
    /// # Errors
    /// See [`WatchError`]. After [`WatchError::Lagged`] it goes on with what comes after the gap.
    pub fn try_recv(&mut self) -> Result<Option<Event>, WatchError> {
        loop {
            while let Some(event) = self.fetched.pop_front() {
                if self.gives(&event) {
                    return Ok(Some(event));
                }
            }
            if !self.fetch()? {
                return Ok(None);
            }
        }
    }

    /// Whether a fetched event is to be given. Runs the users' matchers.
    fn gives(&mut self, event: &Event) -> bool {
        match event {
            Event::Change(change) => {
                let matches = self.filter.matches(change);
                self.matched |= matches;
                matches
            }
            Event::Commit(_) => {
                std::mem::take(&mut self.matched) || self.filter.wants_every_commit()
            }
        }
    }

    /// Reads the log up to and with the next commit that may have something to give; false: there
    /// is nothing more to read now.
    fn fetch(&mut self) -> Result<bool, WatchError> {
        let kernel = Arc::clone(self.cursor.kernel());
        let visible = kernel.horizon.visible();
        let mut position = self.cursor.position();
        if position >= visible {
            return Ok(false);
        }
        let guard = kernel.domain.pin();
        let until = visible.min(position + COMMITS_A_TURN);
        while position < until && self.fetched.is_empty() {
            match kernel.log.at(&guard, position + 1) {
                Slot::Commit(commit) => {
                    position += 1;
                    self.fetch_commit(&guard, commit);
                }
                // Not of a visible version.
                Slot::Empty => break,
                Slot::Trimmed => {
                    let resume_from = kernel.resume_position(visible);
                    let missed = resume_from - position;
                    self.cursor.move_to(resume_from);
                    return Err(WatchError::Lagged {
                        missed,
                        resume_from: Version::new(resume_from),
                    });
                }
            }
        }
        drop(guard);
        self.cursor.move_to(position);
        Ok(true)
    }

    fn fetch_commit(&mut self, guard: &Guard<'_>, commit: &Commit) {
        if commit.outcome() == Outcome::Refused {
            return;
        }
        let version = Version::new(commit.number());
        // Kept only when the commit is through: a comparison of the user's may panic, and the
        // commit is then read again.
        let mut fetched = VecDeque::new();
        if commit.tables() & self.tables != 0 {
            for write in commit.writes() {
                let schema = &self.shared.schema;
                if self.filter.may_match(guard, schema, write) {
                    let table = schema.kernel().table(usize::from(write.table));
                    let (old, new) = table.images(guard, write);
                    fetched.push_back(Event::Change(AnyChange {
                        table: table.name(),
                        version,
                        old,
                        new,
                    }));
                }
            }
        }
        if !fetched.is_empty() || self.filter.wants_every_commit() {
            fetched.push_back(Event::Commit(version));
            self.fetched = fetched;
        }
    }

    /// The next event; blocks until there is one.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub fn recv(&mut self) -> Result<Event, WatchError> {
        self.receive_until(None)
            .map(|event| event.expect("without a deadline it ends with an event"))
    }

    /// The next event; blocks until there is one, or the time is over.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<Event>, WatchError> {
        // A time so long that it cannot be told is no limit.
        self.receive_until(Instant::now().checked_add(timeout))
    }

    fn receive_until(&mut self, deadline: Option<Instant>) -> Result<Option<Event>, WatchError> {
        let shared = Arc::clone(&self.shared);
        let mut waiting = Waiting::on(&shared.waiters);
        loop {
            // Before the look at the log: what was committed before the closing is still to be
            // seen.
            let closed = self.shared.is_closed();
            if let Some(event) = self.try_recv()? {
                return Ok(Some(event));
            }
            if closed {
                return Err(WatchError::Closed);
            }
            waiting.enqueue();
            if self.has_more() {
                continue;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            thread::park_timeout(left.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN));
        }
    }

    fn has_more(&self) -> bool {
        self.shared.is_closed() || self.shared.kernel().horizon.visible() > self.cursor.position()
    }

    /// The next event, for async code; runs on any executor. Dropping the future loses nothing.
    pub fn recv_async(&mut self) -> impl Future<Output = Result<Event, WatchError>> + Send + '_ {
        std::future::poll_fn(|context| Pin::new(&mut *self).get_mut().poll_recv(context))
    }

    /// Polls for the next event, for hand-written futures and streams.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Event, WatchError>> {
        loop {
            let closed = self.shared.is_closed();
            match self.try_recv() {
                Ok(Some(event)) => return Poll::Ready(Ok(event)),
                Ok(None) if closed => return Poll::Ready(Err(WatchError::Closed)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
            let own = self.waiter.take();
            let waiter = match own {
                Some(own) if own.wakes(context.waker()) => own,
                own => {
                    if let Some(own) = own {
                        self.shared.waiters.abandon(&own);
                    }
                    Waiter::task(context.waker().clone())
                }
            };
            self.shared.waiters.enqueue(&waiter);
            self.waiter = Some(waiter);
            if !self.has_more() {
                return Poll::Pending;
            }
        }
    }

    /// The events as they come, blocking; ends when the store is closed. A lag is an item.
    pub fn iter(&mut self) -> impl Iterator<Item = Result<Event, WatchError>> + '_ {
        std::iter::from_fn(|| match self.recv() {
            Err(WatchError::Closed) => None,
            item => Some(item),
        })
    }
}
