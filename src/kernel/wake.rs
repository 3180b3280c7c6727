//! Waking those who wait for a newer version.
//!
//! # States
//! ```text
//! waiter:  IDLE --enqueue--> QUEUED --wake: the whole list is taken--> one or a few: IDLE, called
//!                            |    ^                    the others: due --pass on--> IDLE, called
//!           abandon, hand on |    | enqueue
//!                            v    |
//!                            GONE --wake, pass on--> IDLE, not called
//! due:     empty --left by a committer, who calls--> some --left by others--> some
//!                                                    some --pass on--> empty
//! ```
//! A committer calls one thread, which is sure to come by, or a few tasks, of which that is not so
//! sure, and leaves the others to them: the first of them that runs wakes all, a few at a time, so
//! that those who run by then do it with it. While some are due somebody is called and has not
//! come by, or is at it: then a committer leaves those who have queued since to it as well, and
//! calls nobody, but now and then for the case that nobody comes. So a commit costs its committer
//! the same however many wait, and next to nothing in a row of commits. Whoever comes by passes on
//! as well: whoever receives, waits or ceases to.
//!
//! # What can keep somebody asleep
//! That of the few whom the last committers called none ever comes by, nor anybody else: who could
//! wake the others is then a committer alone, and they are too many for it. One that comes by wakes
//! all, for a committer calls when it has left all others where they are found, and calls another
//! for one that is gone, however many are; who leaves finds itself queued, and is gone, or is
//! called, and passes on. So does a future that is dropped: its task may turn to something else.
//! Or that a thread is stopped while it has waiters in its hands, some steps long. A thread that
//! waits comes by itself ([`LOOK_AGAIN`]); threads that deliver, if there are any, at each commit.
//!
//! # Invariants
//! - Q1: a queued waiter is on the list once, or on a chain of those who are due, or in the hands
//!   of who wakes; and what it is on owns one strong count of it.
//! - Q2: a chain is its finder's, who swapped it out, until it is left again.
//! - Q3: who leaves waiters where nobody was due calls some of them, or wakes all; who leaves them
//!   where others are due already need not: whoever those were left to finds these as well.
//!
//! # Orderings
//! - [wait/wake]: store, fence, load on both sides. A waiter queues itself, fences, looks at the
//!   watermark again; a committer moves the watermark, fences, looks at the list. Their fence
//!   first: we see the new watermark and do not sleep. Ours first: they see us queued.
//! - [list]: Release of the push, Acquire of the taking.

use std::task::Waker;
use std::time::Duration;

use smallvec::SmallVec;

use super::barrier::{fence, fence_after_modify};
use super::passing::pass_all;
use super::reclaim::{allocate, free, own};
use super::stack::{Linked, push};
use super::step::{Step, step};
use super::task::Task;
use crate::sync::{Arc, AtomicPtr, AtomicU8, AtomicU32, Ordering, Padded, thread};

/// A thread that waits looks again after this long, woken or not: a waker that stops in the middle
/// of its round must not keep the others asleep.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Waiters that one wakes at once.
const WAKES_MAX: usize = if cfg!(any(loom, shuttle)) { 2 } else { 8 };
/// How much a committer wants to rely on those whom it calls: as much as on one thread.
const RELIANCE: u32 = if cfg!(any(loom, shuttle)) { 2 } else { 8 };
/// How much it relies on a task: it may hold futures that it polls no more, and its executor may be
/// busy with something else, while a thread looks again by itself.
const RELIANCE_ON_TASK: u32 = 1;
/// Others are called for those who are due, if nobody has come by, when one commit has gone by,
/// two, four, and as often as so many.
const COMMITS_PATIENT: u32 = 8;
/// The first commits that would call others and do not: so that models meet one that calls nobody.
const COMMITS_SKIPPED: u32 = if cfg!(any(loom, shuttle)) { 2 } else { 0 };
/// How often a committer looks for another to call when those whom it had taken have gone before it
/// called them: by [`WAKES_MAX`] more than threads do in these few steps.
const GONE_PASSES_MAX: u32 = if cfg!(loom) {
    2
} else if cfg!(shuttle) {
    80
} else {
    10
};
/// Waiters that may lie on the list without waiting any more, before it is emptied.
const ABANDONED_MAX: u32 = if cfg!(shuttle) { 2 } else { 64 };

/// It is on no list.
const IDLE: u8 = 0;
/// It is on the list, or due, and to be called.
const QUEUED: u8 = 1;
/// The same, but it waits no more.
const GONE: u8 = 2;

/// Somebody who waits: a thread or a task.
#[derive(Debug)]
pub(crate) struct Waiter {
    who: Who,
    state: AtomicU8,
    next: AtomicPtr<Waiter>,
}

#[derive(Debug)]
enum Who {
    Thread(thread::Thread),
    Task(Task),
}

impl Waiter {
    /// The calling thread, which is to park when it has been enqueued.
    pub(crate) fn thread() -> Arc<Self> {
        Self::new(Who::Thread(thread::current()))
    }

    /// A task.
    pub(crate) fn task(waker: Waker) -> Arc<Self> {
        Self::new(Who::Task(Task::new(waker)))
    }

    fn new(who: Who) -> Arc<Self> {
        Arc::new(Self {
            who,
            state: AtomicU8::new(IDLE),
            next: AtomicPtr::new(std::ptr::null_mut()),
        })
    }

    /// Wakes it.
    pub(super) fn call(&self) {
        match &self.who {
            Who::Thread(thread) => thread.unpark(),
            Who::Task(task) => task.call(),
        }
    }

    /// Has the processor fetch what calling it needs.
    #[inline]
    pub(super) fn prefetch(&self) {
        if let Who::Task(task) = &self.who {
            task.prefetch();
        }
    }

    /// Whether it is gone: then it is on no list any more. Its count and `next` are the caller's.
    fn is_taken_off(&self) -> bool {
        // Release: [list]: who enqueues it again, which acquires, writes `next` after our read of
        // it. Relaxed, of a failure: it waits again, and who calls it acquires.
        let gone = self
            .state
            .compare_exchange(GONE, IDLE, Ordering::Release, Ordering::Relaxed);
        gone.is_ok()
    }

    /// How much may be left to it, if it is in a state when it is called.
    fn reliance(&self, state: u8) -> u32 {
        match (state, &self.who) {
            (QUEUED, Who::Thread(_)) => RELIANCE,
            (QUEUED, Who::Task(_)) => RELIANCE_ON_TASK,
            _ => 0,
        }
    }

    /// Whether waking it wakes the calling thread.
    pub(crate) fn is_this_thread(&self) -> bool {
        matches!(&self.who, Who::Thread(own) if own.id() == thread::current().id())
    }

    /// Whether waking it wakes this task.
    pub(crate) fn wakes(&self, waker: &Waker) -> bool {
        matches!(&self.who, Who::Task(own) if own.is_woken_by(waker))
    }
}

/// Waiters that were on the list, and are due to be woken.
#[derive(Debug)]
struct Chain {
    first: *mut Waiter,
    next: *mut Chain,
}

impl Linked for Chain {
    fn next(&mut self) -> &mut *mut Self {
        &mut self.next
    }
}

/// Waiters that one has taken, to be called when all others are where they are found.
#[derive(Default)]
struct Taken {
    few: SmallVec<[Arc<Waiter>; WAKES_MAX]>,
    /// Those on the way to them that were gone. They go as late: a task's waker may do anything
    /// when it does.
    gone: SmallVec<[Arc<Waiter>; WAKES_MAX]>,
}

/// Takes waiters off the front of a list that is the caller's, until they can be relied on so much,
/// as far as can be seen, and a few at most; and before them those that are gone, each once since
/// it queued: however many have ceased to wait, they are in nobody's way.
fn take_first(first: &mut *mut Waiter, reliance: u32, taken: &mut Taken) {
    let mut relied = 0;
    while taken.few.len() < WAKES_MAX && !first.is_null() && relied < reliance {
        // SAFETY: Q1: the list's count is ours with the list.
        let waiter = unsafe { Arc::from_raw(first.cast_const()) };
        // Relaxed: written before the push.
        *first = waiter.next.load(Ordering::Relaxed);
        // Relaxed: a guess: the taking off decides, or the calling.
        let state = waiter.state.load(Ordering::Relaxed);
        if state == GONE && waiter.is_taken_off() {
            taken.gone.push(waiter);
            continue;
        }
        relied += waiter.reliance(state);
        taken.few.push(waiter);
    }
}

/// Calls those who still wait; how much can be left to these. Threads first: waking them is the
/// system's, while a task's waker may run anything, or stop.
fn call_all(taken: Taken) -> u32 {
    let Taken { mut few, gone } = taken;
    let mut reliance = 0;
    few.retain(|waiter| {
        // AcqRel: [list]: who enqueues it again writes `next` after our read of it; of one that
        // leaves and us one is later, and sees the other.
        let state = waiter.state.swap(IDLE, Ordering::AcqRel);
        reliance += waiter.reliance(state);
        state != GONE
    });
    let is_thread = |waiter: &&Arc<Waiter>| matches!(waiter.who, Who::Thread(_));
    few.iter().filter(is_thread).for_each(|it| it.call());
    let tasks = few.iter().filter(|waiter| !is_thread(waiter));
    tasks.for_each(|it| it.call());
    drop(gone);
    reliance
}

/// Everybody who waits on one store.
#[derive(Debug)]
pub(crate) struct Waiters {
    list: Padded<AtomicPtr<Waiter>>,
    due: AtomicPtr<Chain>,
    /// Commits that have gone by since somebody was due, about.
    patience: AtomicU32,
    /// Waiters left on the list since it was emptied for them, about.
    abandoned: AtomicU32,
}

impl Waiters {
    pub(crate) fn new() -> Self {
        Self {
            list: Padded(AtomicPtr::new(std::ptr::null_mut())),
            due: AtomicPtr::new(std::ptr::null_mut()),
            patience: AtomicU32::new(0),
            abandoned: AtomicU32::new(0),
        }
    }

    /// Queues a waiter, unless it is queued. After it the caller looks at the watermark again
    /// before it sleeps.
    pub(crate) fn enqueue(&self, waiter: &Arc<Waiter>) {
        // AcqRel: [list]: of an enqueuing and a waking one is later, and sees the other.
        if waiter.state.swap(QUEUED, Ordering::AcqRel) == IDLE {
            let node = Arc::into_raw(Arc::clone(waiter)).cast_mut();
            // Relaxed: the CAS decides.
            let mut head = self.list.load(Ordering::Relaxed);
            loop {
                // Relaxed: published by the CAS.
                waiter.next.store(head, Ordering::Relaxed);
                // Release: [list]. A failure is another waiter's success.
                match self
                    .list
                    .compare_exchange(head, node, Ordering::Release, Ordering::Relaxed)
                {
                    Ok(_) => break,
                    Err(found) => head = found,
                }
            }
        }
        // SeqCst: [wait/wake].
        fence(Ordering::SeqCst);
    }

    /// Has everybody queued woken: a few by the caller, the rest by who of them runs first. With
    /// nobody there: a fence and two loads. O(1) otherwise; waits for nobody.
    #[inline]
    pub(crate) fn wake(&self) {
        // SeqCst: [wait/wake].
        fence(Ordering::SeqCst);
        self.wake_listed();
    }

    /// The same, by a thread that has just moved the watermark itself.
    #[inline]
    pub(crate) fn wake_after_moving(&self) {
        // SeqCst: [wait/wake]: the watermark moves by a read-modify-write.
        fence_after_modify();
        self.wake_listed();
    }

    /// The second half: the caller has fenced.
    #[inline]
    fn wake_listed(&self) {
        // Relaxed: ordered by the caller's fence.
        let is_listed = !self.list.load(Ordering::Relaxed).is_null();
        // Relaxed: as above.
        if is_listed || !self.due.load(Ordering::Relaxed).is_null() {
            self.wake_few();
        }
    }

    /// Takes the list, and leaves it to somebody: who has been called already, or is now.
    #[cold]
    fn wake_few(&self) {
        let mut taken = Taken::default();
        // Acquire: [list].
        let mut node = self.list.swap(std::ptr::null_mut(), Ordering::Acquire);
        // Relaxed: a hint: the leaving tells.
        let others_come = !self.due.load(Ordering::Relaxed).is_null();
        if !others_come {
            take_first(&mut node, RELIANCE, &mut taken);
        }
        let mut others_come = others_come && node.is_null();
        if !node.is_null() {
            let chain = allocate(Chain {
                first: node,
                next: std::ptr::null_mut(),
            });
            others_come = self.leave_due(chain);
        }
        if !(taken.few.is_empty() && others_come) {
            // Relaxed: a count, about.
            self.patience.store(COMMITS_SKIPPED, Ordering::Relaxed);
        } else if self.is_patient() {
            return;
        }
        step(Step::Waking);
        // Only when all the others are where these find them, and our hands are off.
        let mut reliance = call_all(taken);
        for _ in 0..GONE_PASSES_MAX {
            // Relaxed: whoever else takes those who are due answers for them.
            if reliance >= RELIANCE || self.due.load(Ordering::Relaxed).is_null() {
                return;
            }
            // Not on whom we called before: they may have come by while we had the others.
            reliance = self.pass(RELIANCE);
        }
    }

    /// Whether who was called may be waited for.
    fn is_patient(&self) -> bool {
        // Relaxed: a count, about.
        let gone_by = self
            .patience
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_add(1);
        !gone_by.is_power_of_two() && !gone_by.is_multiple_of(COMMITS_PATIENT)
    }

    /// Calls a few of those who are due, who can be relied on so much; how much it is in fact.
    fn pass(&self, reliance: u32) -> u32 {
        let mut taken = Taken::default();
        self.take_due(reliance, &mut taken);
        call_all(taken)
    }

    /// Whoever was woken calls this, soon: wakes those who are due to be, if any are left. Bounded
    /// by these, and by some 30,000.
    #[inline]
    pub(crate) fn pass_on(&self) {
        // Relaxed: whom we were woken by put the others here before.
        if !self.due.load(Ordering::Relaxed).is_null() {
            self.wake_all_due();
        }
    }

    /// False: a waker that this thread calls amid this wants it, too, and leaves it to the caller.
    #[cold]
    fn wake_all_due(&self) -> bool {
        pass_all(std::ptr::from_ref(self).addr(), || {
            self.pass(u32::MAX);
            // Relaxed: a hint: what others leave here is theirs to wake, too.
            !self.due.load(Ordering::Relaxed).is_null()
        })
    }

    /// Takes a few of those who are due, and leaves the others.
    fn take_due(&self, reliance: u32, taken: &mut Taken) {
        // Acquire: [stack].
        let chain = self.due.swap(std::ptr::null_mut(), Ordering::Acquire);
        if chain.is_null() {
            return;
        }
        // SAFETY: Q2: ours with the swap.
        let first = unsafe { own(chain) };
        take_first(&mut first.first, reliance, taken);
        let mut left = chain;
        if first.first.is_null() {
            left = first.next;
            // SAFETY: Q2: as above, and not used again.
            unsafe { free(chain) };
        }
        if !left.is_null() {
            self.leave_due(left);
        }
    }

    /// Leaves chains, which are the caller's, to whoever passes on. True: with others, who are left
    /// to somebody already.
    fn leave_due(&self, chains: *mut Chain) -> bool {
        // SAFETY: Q2: ours, until they are left.
        unsafe { push(&self.due, chains) }
    }

    /// Wakes everybody who waits. O(these).
    pub(crate) fn wake_all(&self) {
        self.wake();
        // Relaxed: a hint: what comes later is not ours to wake.
        while !self.due.load(Ordering::Relaxed).is_null() && self.wake_all_due() {}
    }

    /// The waiter's task may turn to something else: its future is dropped, or has what it waited
    /// for. Nothing is left to it from now on, and whom it was woken to wake, it wakes. It may be
    /// enqueued again, and where it has not been taken off the list, it stays there.
    pub(crate) fn hand_on(&self, waiter: &Waiter) {
        self.leave(waiter);
    }

    /// A waiter that is queued is gone, and stays where it is: true, also if it was gone before.
    /// One that was called passes on: false.
    fn leave(&self, waiter: &Waiter) -> bool {
        // Relaxed: of a leaving and a calling one is later, and sees the other. Acquire: [list]: we
        // were called, and find who was left to us before.
        let left =
            waiter
                .state
                .compare_exchange(QUEUED, GONE, Ordering::Relaxed, Ordering::Acquire);
        let is_there = matches!(left, Ok(_) | Err(GONE));
        if !is_there {
            self.pass_on();
        }
        is_there
    }

    /// The waiter waits no more. Whom it was woken to wake it wakes. Left on the list it is in the
    /// way of who wakes, and many of them would only go at the next commit: now and then the list
    /// is emptied.
    pub(crate) fn abandon(&self, waiter: &Waiter) {
        if !self.leave(waiter) {
            return;
        }
        // Relaxed: a count, about.
        if self.abandoned.fetch_add(1, Ordering::Relaxed) >= ABANDONED_MAX {
            // Relaxed: as above.
            self.abandoned.store(0, Ordering::Relaxed);
            self.wake_all();
        }
    }
}

impl Drop for Waiters {
    fn drop(&mut self) {
        self.wake_all();
    }
}

/// A thread's waiting, from its first look to its end.
#[derive(Debug)]
pub(crate) struct Waiting<'w> {
    waiters: &'w Waiters,
    waiter: Option<Arc<Waiter>>,
}

impl<'w> Waiting<'w> {
    pub(crate) fn on(waiters: &'w Waiters) -> Self {
        Self {
            waiters,
            waiter: None,
        }
    }

    /// Queues this thread; then the caller looks once more, and parks.
    pub(crate) fn enqueue(&mut self) {
        self.waiters.pass_on();
        let waiter = self.waiter.get_or_insert_with(Waiter::thread);
        self.waiters.enqueue(waiter);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        match &self.waiter {
            Some(waiter) => self.waiters.abandon(waiter),
            None => self.waiters.pass_on(),
        }
    }
}
