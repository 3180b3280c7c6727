//! A watcher: what is received, and waiting for it.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::config::Delivery;
use super::event::Event;
use super::fetched::Fetched;
use super::filter::Filter;
use super::member::Member;
use super::progress::Progress;
use super::receiving::Receiving;
use super::source::{Begun, Source};
use crate::error::{WatchError, WatchFromError};
use crate::kernel::seat::cease_in_waker;
use crate::kernel::wake::{LOOK_AGAIN, Waiter, Waiting};
use crate::shared::Shared;
use crate::sync::thread;
use crate::version::Version;

/// Follows the changes that commits make: in commit order, each once, from where it began. Made by
/// [`Store::watch`](crate::Store::watch),
/// [`Store::snapshot_and_watch`](crate::Store::snapshot_and_watch) and
/// [`Store::watch_from`](crate::Store::watch_from). Dropping it ends it.
///
/// | to receive | call |
/// |---|---|
/// | the next event, and block until there is one | `recv`, `recv_timeout`, `iter` |
/// | the next event if there is one now | `try_recv` |
/// | the next event in async code | `recv_async`, `poll_recv` |
/// | the changes of a commit together | `recv_commit`, `recv_commit_timeout` |
/// | the same without blocking | `try_recv_commit`, `recv_commit_async` |
///
/// Events are the changes that match its [`Filter`], and after those of each commit the commit's
/// marker ([`Event`]). It gives them late or not at all if it is not received from: how far it may
/// fall behind depends on its filter.
///
/// - A watcher whose filter names keys or index values, or has bounds of its own, has a mailbox.
///   Commits put what may match there, and wake it for nothing else. The mailbox is bounded:
///   [`Filter::events_max`], [`Filter::bytes_max`], and [`Filter::overflow`] for what becomes of it
///   beyond these. Each part of a filter that is joined by or is to name some; a range or a prefix
///   names none.
/// - Every other watcher reads the store's commit log itself, as does one without bounds that asks
///   for [every commit](Filter::every_commit). The log is kept for it up to
///   [`Builder::watch_commits_max`](crate::Builder::watch_commits_max) commits. Each commit wakes
///   it, also those of other tables, to move on: one that is to sleep through these asks for a
///   bound.
///
/// A watcher that fell behind by more is told [`WatchError::Lagged`], once, and goes on after the
/// gap. A watcher costs commits nothing but its delivery and its waking.
///
/// Events are fetched in runs of about 32, always of whole commits, and kept in the watcher until
/// they are received.
pub struct Watcher {
    pub(super) shared: Arc<Shared>,
    pub(super) member: Arc<Member>,
    pub(super) source: Source,
    /// Fetched and not yet received.
    pub(super) fetched: Fetched,
    waiter: Option<Arc<Waiter>>,
    /// What most have no need of.
    rare: Option<Box<Rare>>,
}

/// What most watchers never have.
#[derive(Default)]
struct Rare {
    /// The filter, if it calls closures of the user's.
    calling: Option<Filter>,
    /// Where the last lag began.
    lagged_from: Option<u64>,
    progress: Option<Progress>,
    /// Whether a sequence of events is over.
    ended: bool,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher")
            .field("filter", &self.member.filter)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

impl Watcher {
    pub(crate) fn new(shared: &Arc<Shared>, filter: Filter) -> Self {
        let (filter, calling) = filter.apart();
        let begun = match shared.shards.admission.enter() {
            Ok(entering) => {
                let begun = Source::new(shared, filter);
                entering.stay();
                begun
            }
            Err(watchers_max) => Source::refused(shared, filter, watchers_max),
        };
        Self::begin(shared, begun, calling)
    }

    /// One of what comes after an older version.
    pub(crate) fn from(
        shared: &Arc<Shared>,
        filter: Filter,
        version: u64,
    ) -> Result<Self, WatchFromError> {
        let entering = shared.shards.admission.enter();
        let entering =
            entering.map_err(|watchers_max| WatchFromError::TooManyWatchers { watchers_max })?;
        let (filter, calling) = filter.apart();
        let begun = Source::from(shared, filter, version);
        let begun = begun.map_err(|oldest| WatchFromError::Compacted {
            oldest: Version::new(oldest),
        })?;
        entering.stay();
        Ok(Self::begin(shared, begun, calling))
    }

    fn begin(shared: &Arc<Shared>, (member, source): Begun, calling: Option<Filter>) -> Self {
        let told = Version::new(source.position());
        source.tell(&member, &Fetched::default());
        let progress = member.filter.wishes().progress;
        let progress = progress.map(|interval| Progress::new(interval, told));
        let rare = (progress.is_some() || calling.is_some()).then(|| {
            Box::new(Rare {
                calling,
                progress,
                ..Rare::default()
            })
        });
        Self {
            shared: Arc::clone(shared),
            member,
            source,
            fetched: Fetched::default(),
            waiter: None,
            rare,
        }
    }

    /// Moves a new watcher up to the snapshot that goes with it.
    pub(crate) fn start_at(&mut self, version: u64) {
        self.source.start_at(version);
        self.member.stand_at(version);
        if let Some(progress) = self.progress_mut() {
            progress.tell(Version::new(version));
        }
    }

    /// How far it is: the version up to which commits have been received. Of the last one more may
    /// be to come, until its marker has been received.
    #[must_use]
    pub fn position(&self) -> Version {
        Version::new(match self.fetched.is_empty() {
            true => self.source.position(),
            false => self.fetched.received(),
        })
    }

    /// The next event, or `None` if there is none now. Does not block.
    ///
    /// # Errors
    /// See [`WatchError`]. After [`WatchError::Lagged`] it goes on with what comes after the gap.
    pub fn try_recv(&mut self) -> Result<Option<Event>, WatchError> {
        loop {
            if let Some(event) = self.next_single() {
                return Ok(Some(event));
            }
            // Before the look: what was committed before the closing is still to be seen.
            let closed = self.shared.is_closed();
            if !self.fetch()? {
                return self.nothing_more(closed);
            }
        }
    }

    /// The next event of those fetched that is to be given.
    #[inline]
    pub(super) fn next_fetched(&mut self) -> Option<Event> {
        while let Some(event) = self.next_of_run() {
            if self.gives(&event) {
                self.note(&event);
                return Some(event);
            }
        }
        None
    }

    /// Fetches a run of commits, when all that was fetched is received; false: there is nothing
    /// more now.
    #[inline(never)]
    pub(super) fn fetch(&mut self) -> Result<bool, WatchError> {
        let before = self.source.position();
        // Before anything is taken: whoever puts something there next finds the time.
        self.note_taking();
        // With what it finds it may be busy for as long as it likes.
        self.leave_nothing_undone();
        if self.waiter.is_some() {
            // Its task may have been woken, and not poll it.
            self.shared.waiters.pass_on();
        }
        let fetched = self
            .source
            .fetch(&self.shared, &self.member, &mut self.fetched);
        self.source.tell(&self.member, &self.fetched);
        if let Err(WatchError::Lagged { missed, .. }) = &fetched {
            self.member.missed.add(*missed);
            self.rare.get_or_insert_default().lagged_from = Some(before);
        }
        fetched
    }

    /// Whether a fetched event is to be given. Runs the users' matchers.
    #[inline]
    pub(super) fn gives(&mut self, event: &Event) -> bool {
        match event {
            Event::Change(change) => {
                let calling = self.rare.as_ref().and_then(|rare| rare.calling.as_ref());
                let matches = calling.unwrap_or(&self.member.filter).matches(change);
                self.fetched.note_match(matches);
                matches
            }
            Event::Commit(version) => {
                // Else it is further already.
                if !self.fetched.is_empty() {
                    self.member.read.set(version.get());
                }
                self.fetched.has_matched() || self.member.filter.wants_every_commit()
            }
        }
    }

    #[inline]
    pub(super) fn note(&mut self, event: &Event) {
        self.member.delivered.add(1);
        let markers = self.member.filter.wants_markers();
        if let Some(progress) = self.progress_mut() {
            progress.note(event, markers);
        }
    }

    #[inline]
    pub(super) fn progress_mut(&mut self) -> Option<&mut Progress> {
        self.rare.as_mut()?.progress.as_mut()
    }

    /// Goes back to where the watcher was before the last [`WatchError::Lagged`], if what that
    /// passed over is still there: so nothing is missed. What came after the lag and was received
    /// meanwhile is given again, its end too. Does nothing without a lag, or if it has gone back.
    ///
    /// The log still has what was passed over as far as the store's history reaches, or because
    /// others need it; a proposer may have it, as for
    /// [`Store::watch_from`](crate::Store::watch_from).
    ///
    /// # Errors
    /// [`WatchFromError::Compacted`] if nobody has it any more. The watcher goes on as
    /// before.
    pub fn resume(&mut self) -> Result<(), WatchFromError> {
        let lagged_from = self.rare.as_ref().and_then(|rare| rare.lagged_from);
        let Some(from) = lagged_from else {
            return Ok(());
        };
        let back = self.source.go_back(&self.shared, &self.member, from);
        back.map_err(|oldest| WatchFromError::Compacted {
            oldest: Version::new(oldest),
        })?;
        let rare = self.rare.get_or_insert_default();
        (rare.lagged_from, rare.ended) = (None, false);
        self.fetched.clear();
        self.source.tell(&self.member, &self.fetched);
        Ok(())
    }

    /// The next event; blocks until there is one.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub fn recv(&mut self) -> Result<Event, WatchError> {
        self.receive_until(None, Self::try_recv)
            .map(|event| event.expect("without a deadline it ends with an event"))
    }

    /// The next event; blocks until there is one, or gives `None` when the time is over. What is
    /// there already it looks through in any case, for as long as matchers take for that.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<Event>, WatchError> {
        // A time so long that it cannot be told is no limit.
        self.receive_until(Instant::now().checked_add(timeout), Self::try_recv)
    }

    pub(crate) fn receive_until<R>(
        &mut self,
        deadline: Option<Instant>,
        mut receive: impl FnMut(&mut Self) -> Result<Option<R>, WatchError>,
    ) -> Result<Option<R>, WatchError> {
        let shared = Arc::clone(&self.shared);
        let mut waiting = Waiting::on(&shared.waiters);
        loop {
            if let Some(received) = receive(self)? {
                return Ok(Some(received));
            }
            self.wait_as_thread(&mut waiting);
            if self.has_more() {
                continue;
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                self.leave_nothing_undone();
                return Ok(None);
            }
            let left = left.unwrap_or(LOOK_AGAIN).min(self.progress_in());
            thread::park_timeout(left.min(LOOK_AGAIN));
        }
    }

    /// When it may be told how far it is.
    fn progress_in(&self) -> Duration {
        let progress = self.rare.as_ref().and_then(|rare| rare.progress.as_ref());
        progress.map_or(LOOK_AGAIN, Progress::due_in)
    }

    /// Whether commits call it by its seat; else by the store's list of all who wait.
    fn has_seat(&self) -> bool {
        self.member.has_mailbox
            && self.shared.shards.delivery() != Delivery::Receivers
            && !self.member.filter.wants_every_commit()
    }

    fn wait_as_thread(&mut self, waiting: &mut Waiting<'_>) {
        if !self.has_seat() {
            return waiting.enqueue();
        }
        let own = self.waiter.take();
        let waiter = own.filter(|own| own.is_this_thread());
        self.sit(waiter, Waiter::thread);
    }

    /// Takes the seat, unless the waiter has it.
    fn sit(&mut self, seated: Option<Arc<Waiter>>, make: impl FnOnce() -> Arc<Waiter>) {
        let waiter = seated.unwrap_or_else(|| {
            let waiter = make();
            self.member.seat.take(self.shared.kernel(), &waiter);
            waiter
        });
        self.waiter = Some(waiter);
        self.member.wait.begin();
        self.member.seat.settle();
    }

    fn has_more(&self) -> bool {
        self.shared.is_closed() || self.source.has_more(&self.shared, &self.member)
    }

    /// The next event, for async code, on any executor. Dropping the future before it is ready
    /// loses no event, as in a select.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub fn recv_async(&mut self) -> impl Future<Output = Result<Event, WatchError>> + Send + '_ {
        let mut receiving = Receiving::of(self);
        std::future::poll_fn(move |context| receiving.poll(context, Self::poll_recv))
    }

    /// Polls for the next event, for hand-written futures and streams.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<Event, WatchError>> {
        if let Some(event) = self.next_single() {
            return Poll::Ready(Ok(event));
        }
        self.poll_with(context, Self::try_recv)
    }

    pub(super) fn poll_with<R>(
        &mut self,
        context: &mut Context<'_>,
        mut receive: impl FnMut(&mut Self) -> Result<Option<R>, WatchError>,
    ) -> Poll<Result<R, WatchError>> {
        loop {
            self.shared.waiters.pass_on();
            if let Some(received) = receive(self).transpose() {
                self.cease();
                return Poll::Ready(received);
            }
            self.wait_as_task(context);
            if !self.has_more() {
                return Poll::Pending;
            }
        }
    }

    fn wait_as_task(&mut self, context: &mut Context<'_>) {
        let own = self.waiter.take();
        let make = || Waiter::task(context.waker().clone());
        if self.has_seat() {
            let seated = own.filter(|own| own.wakes(context.waker()));
            return self.sit(seated, make);
        }
        let waiter = match own {
            Some(own) if own.wakes(context.waker()) => own,
            own => {
                if let Some(own) = own {
                    self.shared.waiters.abandon(&own);
                }
                make()
            }
        };
        self.shared.waiters.enqueue(&waiter);
        self.waiter = Some(waiter);
    }

    /// Its task waits no more, and need not come by when it is called; it may have been already.
    pub(super) fn cease(&self) {
        if let Some(waiter) = &self.waiter {
            self.shared.waiters.hand_on(waiter);
        }
        self.leave_nothing_undone();
    }

    /// If it waited in its seat, it does so no more, and goes on with what who called it there may
    /// have left to it. In a waker that this thread calls, the caller does.
    fn leave_nothing_undone(&self) {
        let Shared { shards, schema, .. } = &*self.shared;
        if self.member.wait.end() && !cease_in_waker() {
            shards.carry_on_for(schema, &self.member);
        }
    }

    /// The events as they come, as an iterator that blocks for the next one.
    ///
    /// # Errors
    /// Its items are what [`Watcher::recv`] gives. It goes on after [`WatchError::Lagged`], ends
    /// after [`WatchError::Overflowed`] and [`WatchError::TooManyWatchers`], and ends without an
    /// error when the store is closed.
    pub fn iter(&mut self) -> impl Iterator<Item = Result<Event, WatchError>> + '_ {
        std::iter::from_fn(|| {
            if self.has_ended() {
                return None;
            }
            let received = self.recv();
            self.note_end(&received);
            match received {
                Err(WatchError::Closed) => None,
                item => Some(item),
            }
        })
    }

    /// Whether a sequence of its events is over.
    pub(super) fn has_ended(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.ended)
    }

    /// Notes that nothing more will come.
    pub(super) fn note_end(&mut self, received: &Result<Event, WatchError>) {
        let ended = matches!(
            received,
            Err(WatchError::Closed | WatchError::Overflowed | WatchError::TooManyWatchers { .. })
        );
        if ended {
            self.rare.get_or_insert_default().ended = true;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.shared.waiters.pass_on();
        if let Some(waiter) = &self.waiter {
            self.shared.waiters.abandon(waiter);
        }
        if !self.source.is_refused() {
            self.shared.shards.remove(&self.shared.schema, &self.member);
            self.shared.shards.admission.leave();
        }
        self.leave_nothing_undone();
        self.member.leave(self.shared.kernel());
    }
}
