//! Stations: from where in the log those read on who deliver to watchers, whoever they are.
//!
//! A station is carried on by anybody: a committer with its own commit, a watcher that waits, a
//! thread. Nothing is claimed. Who carries a station on over a commit first delivers the commit to
//! everybody concerned and then moves the position; a delivery that is repeated changes nothing
//! ([`super::mailbox`], M1). So who stops in the middle stops nobody: the next one does the same
//! again, and goes on. That two do the same at once costs time only, and is made rare as for the
//! watermark: who finds another's commit next waits a few pauses for its committer.
//!
//! A task may be polled where it is woken, and then carries its station on in its waker: as deep as
//! there are such tasks. So from some depth on ([`super::nesting`]) a thread only delivers there,
//! and leaves the calling and moving to itself: to the call further up, which goes on over what was
//! delivered so.
//!
//! # Invariants
//! - J1: what is at or below the position has been delivered to, and those it was delivered to have
//!   been called: every subscriber that began below it. Or it is at or below `lost`, and all that
//!   stand on routes have been called. Of what is at or below `lost` some may have been delivered
//!   all the same: where one stops who has found something lost, and others go on meanwhile. So
//!   what waits may have been made of changes from before and after it.
//! - J2: position and `lost` only grow; position <= visible.
//! - J3: what comes after the position is not trimmed while somebody has subscribed, up to the lag
//!   that watchers may have; who carries the station on and finds it trimmed all the same raises
//!   `lost`.
//!
//! # Orderings
//! - [subscribe/deliver]: store, fence, load on both sides. A subscriber counts itself and stands
//!   on its routes, fences, loads the watermark, and begins there. Who delivers has loaded a
//!   watermark at or above the commit, fences, looks at the routes. Their fence first: we begin at
//!   or above the commit, and need it from nobody. Ours first: they see us on the route.
//! - [announce/walk]: of [`super::cursor`]: the same subscriber against who walks the cursors.
//! - [station]: the position's AcqRel maximum and its Acquire load: who sees a position finds in
//!   its mailbox what was delivered up to it, and what is lost up to it in `lost`.
//! - [lost]: who finds something lost loads up to where the log is trimmed, fences (Acquire), then
//!   loads the position. The other half is the trimmer's: its walk loads the position and fences
//!   (Acquire), or takes over from who walked; then its claim moves where the log is trimmed
//!   (Release). So we see a position at least as far on as that trimming did, and what it trimmed
//!   because it was delivered is not lost.

use super::Kernel;
use super::barrier::fence;
use super::commit::Commit;
use super::log::Slot;
use super::nesting::Nesting;
use super::pending::Outcome;
use super::reclaim::Guard;
use super::seat::Calls;
use super::step::{Step, step};
use crate::sync::{AtomicU64, Ordering, local, pause};

/// Pauses that are granted to those who have the next commits to deliver.
const PATIENCE: u32 = if cfg!(any(loom, shuttle)) { 1 } else { 64 };

/// A station; see the module's documentation.
#[derive(Debug)]
pub(crate) struct Station {
    subscribers: AtomicU64,
    position: AtomicU64,
    lost: AtomicU64,
}

/// What came of delivering a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// All that concerns it have it.
    Whole,
    /// Some do, and more may not be asked of who delivers: the rest is left to so many of these.
    Part { left_to: u32 },
}

impl Station {
    pub(super) fn new() -> Self {
        Self {
            subscribers: AtomicU64::new(0),
            position: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// How many have subscribed.
    #[inline]
    pub(crate) fn subscribers(&self) -> u64 {
        // Relaxed: ordered by the caller's fence, or a figure.
        self.subscribers.load(Ordering::Relaxed)
    }

    /// Up to here everything is delivered.
    #[inline]
    pub(crate) fn position(&self) -> u64 {
        // Acquire: [station].
        self.position.load(Ordering::Acquire)
    }

    /// The same, as far as this thread is concerned: in a waker it may have delivered more than it
    /// has called for.
    pub(crate) fn position_here(&self) -> u64 {
        self.position().max(ahead(self))
    }

    /// Up to here something may not have been delivered to anybody: the log was trimmed first.
    pub(crate) fn lost(&self) -> u64 {
        // Relaxed: raised before the position, which [station] orders; by itself it leads to
        // nothing.
        self.lost.load(Ordering::Relaxed)
    }

    /// From where the log is needed for it, in a walk of the cursors.
    pub(super) fn needed(&self) -> Option<u64> {
        // Relaxed: ordered by the fences around the walk.
        let position = self.position.load(Ordering::Relaxed);
        (self.subscribers() != 0).then_some(position)
    }

    /// Counts a subscriber, which `stand` puts on its routes; the version that it begins at.
    pub(crate) fn subscribe(&self, kernel: &Kernel, stand: impl FnOnce()) -> u64 {
        self.skip_if_idle(kernel.horizon.visible());
        // Relaxed: ordered by the fence below.
        self.subscribers.fetch_add(1, Ordering::Relaxed);
        step(Step::Subscribing);
        self.begin(kernel, stand)
    }

    /// The version that a subscriber begins at that is counted, and says by `stand` what is to be
    /// delivered to it: who delivers what comes after that version sees what it has said.
    pub(crate) fn begin(&self, kernel: &Kernel, stand: impl FnOnce()) -> u64 {
        stand();
        step(Step::Subscribed);
        // SeqCst: [subscribe/deliver], [announce/walk].
        fence(Ordering::SeqCst);
        kernel.horizon.visible()
    }

    /// Takes back a subscription, whose routes are gone.
    pub(crate) fn unsubscribe(&self) {
        step(Step::Unsubscribing);
        // Relaxed: what was delivered to it is its own, and the log was read under pins.
        self.subscribers.fetch_sub(1, Ordering::Relaxed);
    }

    /// Fences, and moves over what nobody has subscribed to, up to a version that was seen visible
    /// before; false: somebody has. Case by case as [subscribe/deliver]: a subscriber that is not
    /// seen here begins at or above where we move.
    fn skip_if_idle(&self, visible: u64) -> bool {
        // SeqCst: [subscribe/deliver].
        fence(Ordering::SeqCst);
        if self.subscribers() != 0 {
            return false;
        }
        // Relaxed: the fence releases the watermark, and a maximum hands on what others released.
        self.position.fetch_max(visible, Ordering::Relaxed);
        true
    }

    /// Carries the station on to `until`, which the caller has seen visible, or until `deliver` has
    /// delivered in part. Lock-free; bounded by the commits up to `until`.
    ///
    /// `deliver` runs pinned, and is called again for what it was called for, by whomever. Without
    /// a commit something is lost: it notes everybody, who may sleep for want of just that. Where
    /// nobody is called for it, it delivers whole.
    pub(crate) fn carry_on(
        &self,
        kernel: &Kernel,
        until: u64,
        mut deliver: impl FnMut(&Guard<'_>, Option<&Commit>, &mut Calls) -> Delivered,
    ) {
        let Some(_carrying) = Carrying::begin(self) else {
            return self.deliver_ahead(kernel, until, deliver);
        };
        let mut position = self.position();
        let mut patience = PATIENCE;
        while position < until.max(ahead(self)) {
            let next = position + 1;
            if next < until && patience > 0 {
                pause();
                patience -= 1;
            } else if !self.pass(kernel, (next, until.max(next)), &mut deliver) {
                return;
            }
            position = self.position();
        }
    }

    /// Delivers up to `until`, in a waker that this thread calls for the same station: the call
    /// further up calls and moves as well.
    #[cold]
    fn deliver_ahead(
        &self,
        kernel: &Kernel,
        until: u64,
        mut deliver: impl FnMut(&Guard<'_>, Option<&Commit>, &mut Calls) -> Delivered,
    ) {
        // Each turn delivers a commit, or finds that somebody has moved over it.
        loop {
            let next = self.position_here() + 1;
            if next > until {
                return;
            }
            let line = kernel.domain.registry().line();
            let (guard, _) = kernel.domain.pin_before_fence(line);
            // Its fence is the pin's as well: [subscribe/deliver].
            if self.skip_if_idle(until) {
                return;
            }
            let through = match kernel.log.at(&guard, next) {
                Slot::Commit(commit) if commit.outcome() == Outcome::Refused => next,
                Slot::Commit(commit) => {
                    let delivered = deliver(&guard, Some(commit), &mut Calls::by_others());
                    debug_assert_eq!(delivered, Delivered::Whole, "left to nobody");
                    next
                }
                // Not of a visible version.
                Slot::Empty => return,
                Slot::Trimmed => self.lose(kernel, next).unwrap_or_default(),
            };
            let _ = CARRYING.try_with(|nesting| nesting.leave_to(number(self), through));
        }
    }

    /// Delivers the commit `next` and moves over it; up to `until` if nobody has subscribed. False:
    /// it was delivered in part, and the rest is left to others.
    fn pass(
        &self,
        kernel: &Kernel,
        (next, until): (u64, u64),
        deliver: &mut impl FnMut(&Guard<'_>, Option<&Commit>, &mut Calls) -> Delivered,
    ) -> bool {
        let mut calls = Calls::new();
        let line = kernel.domain.registry().line();
        let (guard, _) = kernel.domain.pin_before_fence(line);
        // Its fence is the pin's as well: [subscribe/deliver].
        if self.skip_if_idle(until) {
            return true;
        }
        let mut through = next;
        let delivered = match kernel.log.at(&guard, next) {
            Slot::Commit(commit) if commit.outcome() == Outcome::Refused => Delivered::Whole,
            Slot::Commit(commit) => deliver(&guard, Some(commit), &mut calls),
            // Not of a visible version.
            Slot::Empty => return false,
            Slot::Trimmed => {
                let Some(trimmed) = self.lose(kernel, next) else {
                    return true;
                };
                through = trimmed;
                deliver(&guard, None, &mut calls)
            }
        };
        step(Step::Delivered);
        let ceased = calls.make(guard);
        step(Step::Called);
        if let Delivered::Part { left_to } = delivered {
            debug_assert!(left_to > 0, "left to somebody");
            // Who ceases to wait in its waker leaves it to us: if all have, nobody else goes on.
            // Another turn follows so many who do not wait any more.
            return ceased >= left_to;
        }
        // AcqRel: [station].
        self.position.fetch_max(through, Ordering::AcqRel);
        true
    }

    /// The log is trimmed at `next`: because somebody has moved over it (None), or before anybody
    /// could; then what is lost goes up to where it is trimmed.
    fn lose(&self, kernel: &Kernel, next: u64) -> Option<u64> {
        // First: what others deliver and have trimmed from now on is not lost.
        let trimmed = kernel.log.trimmed();
        // Acquire: [lost].
        fence(Ordering::Acquire);
        // The trimming that let it go had seen the position, and so do we now.
        if self.position() >= next {
            return None;
        }
        step(Step::Losing);
        // Relaxed: ordered by the position: [station]; and by the fence of the calling: [sit/call].
        self.lost.fetch_max(trimmed, Ordering::Relaxed);
        Some(trimmed)
    }
}

// Which stations this thread carries on, and up to where it has delivered in wakers, and is to call
// and move.
local!(CARRYING: Nesting = Nesting::new());

/// A station as a number.
fn number(station: &Station) -> usize {
    std::ptr::from_ref(station).addr()
}

/// Up to where this thread has delivered in wakers, while it carries a station on.
fn ahead(station: &Station) -> u64 {
    // A thread whose locals are gone is about to end.
    let ahead = CARRYING.try_with(|nesting| nesting.left(number(station)));
    ahead.unwrap_or(0)
}

/// While it lives this thread carries a station on.
struct Carrying {
    station: usize,
}

impl Carrying {
    /// None: it does so already, as deep as it may.
    fn begin(station: &Station) -> Option<Self> {
        let station = number(station);
        let begun = CARRYING.try_with(|nesting| nesting.enter(station));
        begun.unwrap_or(true).then(|| Self { station })
    }
}

impl Drop for Carrying {
    fn drop(&mut self) {
        let _ = CARRYING.try_with(|nesting| nesting.leave(self.station));
    }
}
