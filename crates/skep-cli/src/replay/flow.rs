//! How the replay's threads hand work on and wake each other. The state of the cluster is in the
//! store alone; here are only the numbers and bells that say when to look there.
//!
//! # Activities
//!
//! An activity is something that has begun and is not over, and so may still change the store.
//! They are counted, and time passes only while few are open (`replay/time.rs`):
//!
//! | activity | begins with | ends with |
//! |---|---|---|
//! | a task to place | its creation comes due | its agent runs it, or no node has room |
//! | an ending | a running task's ending comes due | the reaper has deleted it |
//! | freed room | the agent is about to free it | no waiting task fits it |
//!
//! A thread that turns one activity into another begins the new one before it ends the old one,
//! so the count is nothing only when nobody has anything to do: the replay is quiet.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use skep::{Id, Version};

use crate::cluster::amounts::Sequence;

/// What a scheduler shall do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Give the freed room of a node to waiting tasks.
    Offer(Id),
    /// Look at the queue; the number is for the next call of [`Flow::next_work`].
    Queue(u64),
    /// The replay stops.
    Stop,
}

/// The numbers and bells.
pub struct Flow {
    inner: Mutex<Inner>,
    /// Rung when creations come due.
    released: Condvar,
    /// Rung when a task is in the queue or room is freed.
    work: Condvar,
    /// Rung when activities end and few are left.
    calm: Condvar,
    stopping: AtomicBool,
    /// Rung when time has come to its end.
    ended: Condvar,
    /// Agents that write no more.
    agents_quiet: AtomicU64,
    /// The last version there will be, and zero while it is not known.
    closed_at: AtomicU64,
    /// The number of open activities from which on the timekeeper need not be woken.
    calm_below: usize,
}

#[derive(Default)]
struct Inner {
    /// How many tasks may have been created, and how many a submitter has taken to create.
    released: u32,
    taken: u32,
    activities: usize,
    /// How often an activity has ended.
    ended: u64,
    /// How often a task was put into the queue.
    queued: u64,
    offers: VecDeque<Id>,
    /// Whether time has come to its end.
    time_is_over: bool,
}

impl Flow {
    /// A flow with at most `activities_max` open activities, of which whoever starts new ones is
    /// woken when half are over.
    pub fn new(activities_max: usize) -> Self {
        Self {
            inner: Mutex::default(),
            released: Condvar::new(),
            work: Condvar::new(),
            calm: Condvar::new(),
            stopping: AtomicBool::new(false),
            ended: Condvar::new(),
            agents_quiet: AtomicU64::new(0),
            closed_at: AtomicU64::new(0),
            calm_below: activities_max / 2 + 1,
        }
    }

    // A thread that panicked stops the replay, and what it left in here is still sound: every
    // change of `Inner` is a single one.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Begins activities.
    pub fn begin(&self, count: usize) {
        self.lock().activities += count;
    }

    /// Ends an activity.
    pub fn end(&self) {
        let mut inner = self.lock();
        inner.activities = inner
            .activities
            .checked_sub(1)
            .expect("an activity ends twice");
        inner.ended += 1;
        if inner.activities < self.calm_below {
            self.calm.notify_all();
        }
    }

    /// How many activities are open, and a number that changes when one ends.
    pub fn activities(&self) -> (usize, u64) {
        let inner = self.lock();
        (inner.activities, inner.ended)
    }

    /// Waits until an activity has ended since `ended`, or the replay stops, or the time is over.
    pub fn wait_for_calm(&self, ended: u64, timeout: Duration) {
        let inner = self.lock();
        let waiting = |inner: &mut Inner| inner.ended == ended && !self.stopping();
        drop(self.calm.wait_timeout_while(inner, timeout, waiting));
    }

    /// Lets submitters create `count` more tasks.
    pub fn release(&self, count: u32) {
        self.lock().released += count;
        self.released.notify_all();
    }

    /// Waits for the next task to create. `None`: the replay stops.
    pub fn next_released(&self) -> Option<Sequence> {
        let mut inner = self.lock();
        loop {
            if self.stopping() {
                return None;
            }
            if inner.taken < inner.released {
                inner.taken += 1;
                return Some(Sequence(inner.taken - 1));
            }
            inner = self
                .released
                .wait(inner)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// Tells the schedulers that a task is in the queue: all of them, since they race for it.
    pub fn queued(&self) {
        self.lock().queued += 1;
        self.work.notify_all();
    }

    /// Tells the schedulers that a node has room again. The activity that the caller has begun
    /// for it goes over to the scheduler that takes the offer.
    pub fn offer(&self, node: Id) {
        self.lock().offers.push_back(node);
        self.work.notify_one();
    }

    /// Waits for work. `queued` is the number that the last look at the queue was told, zero
    /// before the first. Offers come first: the tasks that they are for have waited longest.
    pub fn next_work(&self, queued: u64) -> Work {
        let mut inner = self.lock();
        loop {
            if self.stopping() {
                return Work::Stop;
            }
            if let Some(node) = inner.offers.pop_front() {
                return Work::Offer(node);
            }
            if inner.queued != queued {
                return Work::Queue(inner.queued);
            }
            inner = self
                .work
                .wait(inner)
                .unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }

    /// Whether freed room is on offer, for a scheduler in the middle of the queue.
    pub fn has_offers(&self) -> bool {
        !self.lock().offers.is_empty()
    }

    /// Stops the replay: every thread ends what it is at and begins nothing new.
    pub fn stop(&self) {
        // The lock is taken so that no thread is between its look at the flag and its wait.
        let inner = self.lock();
        self.stopping.store(true, Ordering::Release);
        drop(inner);
        self.released.notify_all();
        self.work.notify_all();
        self.calm.notify_all();
    }

    /// Whether the replay stops.
    pub fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Time has come to its end: the timekeeper has returned.
    pub fn time_is_over(&self) {
        self.lock().time_is_over = true;
        self.ended.notify_all();
    }

    /// Waits until time has come to its end, but no longer than this. True when it has.
    pub fn wait_for_end(&self, timeout: Duration) -> bool {
        let inner = self.lock();
        let waiting = |inner: &mut Inner| !inner.time_is_over;
        match self.ended.wait_timeout_while(inner, timeout, waiting) {
            Ok((inner, _)) => inner.time_is_over,
            Err(poisoned) => poisoned.into_inner().0.time_is_over,
        }
    }

    /// An agent thread writes no more.
    pub fn agent_is_quiet(&self) {
        self.agents_quiet.fetch_add(1, Ordering::AcqRel);
    }

    /// How many agent threads write no more.
    pub fn agents_quiet(&self) -> u64 {
        self.agents_quiet.load(Ordering::Acquire)
    }

    /// Nobody writes any more: `version` is the last, and who follows the store follows it there.
    pub fn close(&self, version: Version) {
        self.closed_at.store(version.get(), Ordering::Release);
    }

    /// The last version, once it is known.
    pub fn closed_at(&self) -> Option<Version> {
        match self.closed_at.load(Ordering::Acquire) {
            0 => None,
            version => Some(Version::new(version)),
        }
    }
}

/// Stops the replay when its thread panics, so that no other thread waits for it for ever.
pub struct StopOnPanic<'f>(pub &'f Flow);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// Says that time is over when the timekeeper returns, however it returns.
pub struct OverWhenDropped<'f>(pub &'f Flow);

impl Drop for OverWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.time_is_over();
    }
}
