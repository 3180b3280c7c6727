//! Submit: a commit whose outcome a proposer decides, and the wait for it.
//!
//! ```text
//! stage -> validate -> append, pending -> propose ... the verdict -> publish
//! ```
//! The transaction ends with the append; who waits for the verdict holds no snapshot and no pin.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Transaction;
use super::update::{back_off, exhausted, note_retry, turns_to_give};
use crate::error::{CommitError, UpdateError};
use crate::kernel::pending::Payload;
use crate::kernel::prepared::{Attempt, Prepared};
use crate::kernel::wake::{LOOK_AGAIN, Waiter, Waiting};
use crate::latency::{Begun, Operation};
use crate::propose::flight::{Flight, Verdict};
use crate::propose::line::Line;
use crate::propose::numbering::IN_FLIGHT_MAX;
use crate::propose::sets::ReadSet;
use crate::shared::Shared;
use crate::sync::thread;
use crate::version::Version;

/// A commit on its way: a future of its outcome, on any executor; or [`Submission::wait`].
///
/// Made by [`Transaction::submit`]. Dropping it gives up waiting and nothing else: the commit is
/// applied and shown if the proposer accepts it. It is no handle of the store: if the last one goes
/// before the outcome is known, watchers are told [`WatchError::Closed`](crate::WatchError::Closed)
/// before the commit.
#[must_use = "the outcome is not known before it is waited for"]
pub struct Submission {
    version: Version,
    /// None: it is committed.
    waited: Option<(Arc<Flight>, Waited)>,
}

/// Waits for something that the store's waiters are woken for.
struct Waited {
    shared: Arc<Shared>,
    waiter: Option<Arc<Waiter>>,
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission")
            .field("version", &self.version)
            .field("outcome", &self.outcome())
            .finish_non_exhaustive()
    }
}

impl Submission {
    /// Of what is committed.
    fn done(version: Version) -> Self {
        Self {
            version,
            waited: None,
        }
    }

    /// The version that it makes if it is accepted (of the snapshot, if nothing was written).
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The outcome, if it is known: committed and visible, or not committed.
    ///
    /// # Errors
    /// Within it, those of [`Submission::wait`].
    #[must_use]
    pub fn outcome(&self) -> Option<Result<Version, CommitError>> {
        match &self.waited {
            None => Some(Ok(self.version)),
            Some((flight, waited)) => outcome_of(flight, &waited.shared, self.version),
        }
    }

    /// Blocks until the outcome is known.
    ///
    /// # Errors
    /// [`CommitError::Refused`] and [`CommitError::LostLeadership`].
    pub fn wait(self) -> Result<Version, CommitError> {
        let outcome = self.wait_until(None);
        outcome.expect("without a deadline it ends with an outcome")
    }

    /// Blocks until the outcome is known or the time is over, which tells nothing of the outcome.
    ///
    /// # Errors
    /// Within it, those of [`Submission::wait`].
    #[must_use]
    pub fn wait_timeout(&self, timeout: Duration) -> Option<Result<Version, CommitError>> {
        self.wait_until(Instant::now().checked_add(timeout))
    }

    fn wait_until(&self, deadline: Option<Instant>) -> Option<Result<Version, CommitError>> {
        match &self.waited {
            None => Some(Ok(self.version)),
            Some((flight, waited)) => block(&waited.shared, deadline, || {
                outcome_of(flight, &waited.shared, self.version)
            }),
        }
    }
}

impl Future for Submission {
    type Output = Result<Version, CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let version = self.version;
        match &mut self.waited {
            None => Poll::Ready(Ok(version)),
            Some((flight, waited)) => {
                waited.poll(context, |shared| outcome_of(flight, shared, version))
            }
        }
    }
}

fn outcome_of(
    flight: &Flight,
    shared: &Shared,
    version: Version,
) -> Option<Result<Version, CommitError>> {
    match flight.verdict()? {
        // Visible only when all before it are decided.
        Verdict::Accepted => passed(shared, version).map(Ok),
        Verdict::Refused { reason } => Some(Err(CommitError::Refused { reason })),
        Verdict::LostLeadership => Some(Err(CommitError::LostLeadership)),
    }
}

/// The version, once the watermark has passed it.
fn passed(shared: &Shared, version: Version) -> Option<Version> {
    (shared.kernel().horizon.visible() >= version.get()).then_some(version)
}

/// Blocks until there is an answer, or the time is over.
fn block<R>(shared: &Shared, deadline: Option<Instant>, look: impl Fn() -> Option<R>) -> Option<R> {
    let mut waiting = Waiting::on(&shared.waiters);
    loop {
        if let Some(answer) = look() {
            return Some(answer);
        }
        waiting.enqueue();
        if let Some(answer) = look() {
            return Some(answer);
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return None;
        }
        thread::park_timeout(left.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN));
    }
}

impl Waited {
    fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            waiter: None,
        }
    }

    fn poll<R>(
        &mut self,
        context: &mut Context<'_>,
        look: impl Fn(&Shared) -> Option<R>,
    ) -> Poll<R> {
        self.shared.waiters.pass_on();
        if let Some(answer) = look(&self.shared) {
            self.cease();
            return Poll::Ready(answer);
        }
        let waiter = match self.waiter.take() {
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
        let answer = look(&self.shared);
        if answer.is_some() {
            self.cease();
        }
        answer.map_or(Poll::Pending, Poll::Ready)
    }

    /// It waits for nothing any more: who is kept all the same is not relied on.
    fn cease(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.shared.waiters.abandon(&waiter);
        }
    }
}

impl Drop for Waited {
    fn drop(&mut self) {
        self.shared.waiters.pass_on();
        self.cease();
    }
}

impl<'s> Transaction<'s> {
    /// Appends and proposes the commit without waiting for its outcome, which the [`Submission`]
    /// tells. Without a proposer it is committed when this returns.
    ///
    /// # Errors
    /// As [`Transaction::commit`], but the commit that [`CommitError::Conflict`] names may be
    /// pending: a new snapshot shows it, or that it was refused, when
    /// [`Store::wait`](crate::Store::wait) has seen its version.
    pub fn submit(mut self) -> Result<Submission, CommitError> {
        self.submit_changes()
    }

    pub(super) fn submit_changes(&mut self) -> Result<Submission, CommitError> {
        let Some(line) = &self.shared.line else {
            return self.commit_changes().map(Submission::done);
        };
        match self.timed {
            true => self.commit_timed(|tx| tx.submit_to(line)),
            false => self.submit_to(line),
        }
    }

    fn submit_to(&mut self, line: &Line) -> Result<Submission, CommitError> {
        let shared = self.shared;
        self.check()?;
        if self.work.order.is_empty() {
            return Ok(Submission::done(self.version()));
        }
        let mut prepared = self.prepare();
        let flight = match self.stage(&mut prepared) {
            Ok(()) if prepared.is_empty() => return Ok(Submission::done(self.version())),
            Ok(()) => {
                let begun = Begun::now(shared.clocks());
                Ok(Arc::new(Flight::new(
                    self.version(),
                    self.read_set(),
                    begun,
                )))
            }
            Err(lost) => Err(lost),
        };
        let appended = flight.and_then(|flight| {
            let version = self.append_pending(prepared, Arc::clone(&flight) as _)?;
            Ok((version, flight))
        });
        let (version, flight) = appended.inspect_err(|lost| self.note_lost(lost))?;
        line.send(shared.kernel());
        shared.kernel().collect_sometimes();
        let waited = Some((flight, Waited::new(shared.share())));
        Ok(Submission { version, waited })
    }

    /// Commits by way of a proposer. The transaction is over when the wait begins.
    #[cold]
    pub(super) fn commit_proposed(mut self) -> Result<Version, CommitError> {
        let shared = self.shared;
        let submitted = self.submit_changes();
        drop(self);
        settled(shared, submitted)
    }

    /// As [`Transaction::commit`]'s append; what is in the way at the log's bounds is a conflict,
    /// too: its outcome may be long in coming.
    pub(super) fn append_pending(
        &mut self,
        mut prepared: Prepared<'s>,
        payload: Payload,
    ) -> Result<Version, CommitError> {
        let kernel = self.shared.kernel();
        prepared.leave_to_others(payload);
        let blocked = |visible: u64| CommitError::Conflict {
            with: Version::new(visible + 1),
        };
        let mut position = self.version().get();
        loop {
            let guard = kernel.domain.pin();
            position = self.validate(&guard, position)?;
            let number = position + 1;
            let visible = kernel.horizon.visible();
            if number > visible + IN_FLIGHT_MAX {
                return Err(blocked(visible));
            }
            match prepared.append(&guard, number) {
                Attempt::Appended(_) => return Ok(Version::new(number)),
                Attempt::Taken => {}
                Attempt::Full => {
                    drop(guard);
                    kernel.advance_to(&kernel.domain.pin(), position);
                    kernel.collect();
                    let visible = kernel.horizon.visible();
                    if visible < position {
                        return Err(blocked(visible));
                    }
                }
            }
        }
    }

    /// What was read, as data.
    fn read_set(&self) -> ReadSet {
        let kernel = self.shared.kernel();
        let tables = self.work.buffers.iter().enumerate();
        let tables = tables.filter_map(|(at, buffer)| {
            let buffer = buffer.get()?;
            buffer.export_reads(kernel.table(at))
        });
        ReadSet {
            tables: tables.collect(),
        }
    }
}

/// The outcome of a submission; after a conflict waits until a new snapshot shows what was in the
/// way, or that it was refused.
fn settled(
    shared: &Shared,
    submitted: Result<Submission, CommitError>,
) -> Result<Version, CommitError> {
    let committed = submitted.and_then(Submission::wait);
    if let Err(CommitError::Conflict { with }) = committed {
        block(shared, None, || passed(shared, with));
    }
    committed
}

/// In a store with a proposer: waits until a commit that was not proposed, or what was in its way,
/// is visible.
pub(super) fn wait_past_pending(shared: &Shared, number: Version) {
    if shared.line.is_some() {
        block(shared, None, || passed(shared, number));
    }
}

/// As [`update`](super::update::update), by way of a proposer.
#[cold]
pub(super) fn update_proposed<R, E>(
    shared: &Shared,
    run: &mut dyn FnMut(&mut Transaction<'_>) -> Result<R, E>,
) -> Result<(R, Version), UpdateError<E>> {
    let attempts = shared.config.attempts_max;
    for attempt in 0..attempts {
        let (answer, submitted) = run_once(shared, run)?;
        match settled(shared, submitted) {
            Ok(version) => return Ok((answer, version)),
            Err(error) => {
                if let Some(error) = UpdateError::unless_retried(error) {
                    return Err(error);
                }
            }
        }
        back_off(shared, attempt);
    }
    Err(exhausted(shared))
}

/// The same without blocking, by way of a proposer or of a store that may have one.
pub(crate) async fn update_async<R, E>(
    shared: &Arc<Shared>,
    run: impl FnMut(&mut Transaction<'_>) -> Result<R, E>,
) -> Result<(R, Version), UpdateError<E>> {
    let begun = Begun::now(shared.clocks());
    let updated = try_async(shared, run).await;
    begun.end(shared.clocks(), Operation::Update);
    updated
}

async fn try_async<R, E>(
    shared: &Arc<Shared>,
    mut run: impl FnMut(&mut Transaction<'_>) -> Result<R, E>,
) -> Result<(R, Version), UpdateError<E>> {
    let attempts = shared.config.attempts_max;
    for attempt in 0..attempts {
        let (answer, submitted) = run_once(shared, &mut run)?;
        let committed = match submitted {
            Ok(submission) => submission.await,
            Err(error) => Err(error),
        };
        let error = match committed {
            Ok(version) => return Ok((answer, version)),
            Err(error) => error,
        };
        if let CommitError::Conflict { with } = error {
            let mut waited = Waited::new(Arc::clone(shared));
            std::future::poll_fn(|context| waited.poll(context, |shared| passed(shared, with)))
                .await;
        } else if let Some(error) = UpdateError::unless_retried(error) {
            return Err(error);
        }
        if shared.line.is_none() {
            back_off(shared, attempt);
            continue;
        }
        note_retry(shared, attempt);
        for _ in 0..turns_to_give(attempt) {
            yield_to_others().await;
        }
    }
    Err(exhausted(shared))
}

/// Lets the executor run others first.
async fn yield_to_others() {
    let mut yielded = false;
    std::future::poll_fn(|context| match std::mem::replace(&mut yielded, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// A closure's answer, and how far its commit came.
type Ran<R> = (R, Result<Submission, CommitError>);

fn run_once<R, E>(
    shared: &Shared,
    run: &mut (impl FnMut(&mut Transaction<'_>) -> Result<R, E> + ?Sized),
) -> Result<Ran<R>, UpdateError<E>> {
    let mut transaction = Transaction::begin(shared);
    let answer = run(&mut transaction).map_err(UpdateError::Closure)?;
    transaction.settle_once()?;
    Ok((answer, transaction.submit_changes()))
}
