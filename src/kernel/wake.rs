//! Waking those who wait for a newer version.
//!
//! # States
//! ```text
//! waiter:  idle --enqueue--> listed --wake: the whole list is taken--> a few: idle, woken
//!                                                the others: due --pass on--> idle, woken
//! ```
//! A committer wakes a few, whom it leaves the others to: each wakes a few more. So a commit costs
//! its committer the same however many wait. Whoever comes by passes on as well: other committers,
//! and whoever waits or ceases to.
//!
//! # Invariants
//! - Q1: a queued waiter is on the list once, or on a chain of those who are due, or in the hands
//!   of who wakes; and what it is on owns one strong count of it.
//! - Q2: a chain is its finder's, who swapped it out, until it is left again.
//!
//! # Orderings
//! - [wait/wake]: store, fence, load on both sides. A waiter queues itself, fences, looks at the
//!   watermark again; a committer moves the watermark, fences, looks at the list. Their fence
//!   first: we see the new watermark and do not sleep. Ours first: they see us queued.
//! - [list]: Release of the push, Acquire of the taking.

use std::task::Waker;
use std::time::Duration;

use smallvec::SmallVec;

use super::barrier::fence;
use super::release::contain;
use crate::sync::{Arc, AtomicBool, AtomicPtr, AtomicU32, Ordering, Padded, thread};

/// A thread that waits looks again after this long, woken or not: a waker that stops in the middle
/// of its round must not keep the others asleep.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// Waiters that one wakes, and leaves the others to them.
const WAKES_MAX: usize = if cfg!(loom) { 1 } else { 8 };
/// Waiters that may lie on the list without waiting any more, before it is emptied.
const ABANDONED_MAX: u32 = 64;

/// Somebody who waits: a thread or a task.
#[derive(Debug)]
pub(crate) struct Waiter {
    who: Who,
    queued: AtomicBool,
    next: AtomicPtr<Waiter>,
}

#[derive(Debug)]
enum Who {
    Thread(thread::Thread),
    Task(Waker),
}

impl Waiter {
    /// The calling thread, which is to park when it has been enqueued.
    pub(crate) fn thread() -> Arc<Self> {
        Self::new(Who::Thread(thread::current()))
    }

    /// A task.
    pub(crate) fn task(waker: Waker) -> Arc<Self> {
        Self::new(Who::Task(waker))
    }

    fn new(who: Who) -> Arc<Self> {
        Arc::new(Self {
            who,
            queued: AtomicBool::new(false),
            next: AtomicPtr::new(std::ptr::null_mut()),
        })
    }

    /// Wakes it. A task's waker may run anything; its panic is not the caller's.
    pub(super) fn call(&self) {
        match &self.who {
            Who::Thread(thread) => thread.unpark(),
            Who::Task(waker) => contain(|| waker.wake_by_ref()),
        }
    }

    /// Whether waking it wakes the calling thread.
    pub(crate) fn is_this_thread(&self) -> bool {
        matches!(&self.who, Who::Thread(own) if own.id() == thread::current().id())
    }

    /// Whether waking it wakes this task.
    pub(crate) fn wakes(&self, waker: &Waker) -> bool {
        matches!(&self.who, Who::Task(own) if own.will_wake(waker))
    }
}

/// Waiters that were on the list, and are due to be woken.
#[derive(Debug)]
struct Chain {
    first: *mut Waiter,
    next: *mut Chain,
}

/// Takes up to `count` waiters off the front of a list that is the caller's.
fn take_first(first: &mut *mut Waiter, count: usize) -> SmallVec<[Arc<Waiter>; WAKES_MAX]> {
    let mut taken = SmallVec::new();
    while !first.is_null() && taken.len() < count {
        // SAFETY: Q1: the list's count is ours with the list.
        let waiter = unsafe { Arc::from_raw(first.cast_const()) };
        // Relaxed: written before the push.
        *first = waiter.next.load(Ordering::Relaxed);
        // Release: [list]: who enqueues it again writes `next` after our read of it.
        waiter.queued.store(false, Ordering::Release);
        taken.push(waiter);
    }
    taken
}

/// Threads first: waking them is the system's, while a task's waker may run anything, or stop.
fn call_all(waiters: SmallVec<[Arc<Waiter>; WAKES_MAX]>) {
    let is_thread = |waiter: &&Arc<Waiter>| matches!(waiter.who, Who::Thread(_));
    waiters.iter().filter(is_thread).for_each(|it| it.call());
    let tasks = waiters.iter().filter(|waiter| !is_thread(waiter));
    tasks.for_each(|it| it.call());
}

/// Everybody who waits on one store.
#[derive(Debug)]
pub(crate) struct Waiters {
    list: Padded<AtomicPtr<Waiter>>,
    due: AtomicPtr<Chain>,
    /// Waiters left on the list since it was emptied for them, about.
    abandoned: AtomicU32,
}

impl Waiters {
    pub(crate) fn new() -> Self {
        Self {
            list: Padded(AtomicPtr::new(std::ptr::null_mut())),
            due: AtomicPtr::new(std::ptr::null_mut()),
            abandoned: AtomicU32::new(0),
        }
    }

    /// Queues a waiter, unless it is queued. After it the caller looks at the watermark again
    /// before it sleeps.
    pub(crate) fn enqueue(&self, waiter: &Arc<Waiter>) {
        // AcqRel: [list]: of an enqueuing and a waking one is later, and sees the other.
        if !waiter.queued.swap(true, Ordering::AcqRel) {
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

    /// Has everybody queued woken: a few by the caller, and the rest by those who are woken. With
    /// nobody there: a fence and two loads. O(1) otherwise; waits for nobody.
    #[inline]
    pub(crate) fn wake(&self) {
        // SeqCst: [wait/wake].
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        if !self.list.load(Ordering::Relaxed).is_null() {
            self.wake_listed(WAKES_MAX);
        }
        // Those who are due are being woken by others; one more, should these have stopped.
        // Relaxed: ordered by the fence.
        if !self.due.load(Ordering::Relaxed).is_null() {
            self.wake_due(1);
        }
    }

    /// Whoever was woken calls this, soon: wakes a few of those who are due to be, if any are left.
    #[inline]
    pub(crate) fn pass_on(&self) {
        // Relaxed: whom we were woken by put the others here before.
        if !self.due.load(Ordering::Relaxed).is_null() {
            self.wake_due(WAKES_MAX);
        }
    }

    /// Takes the list; wakes its first `wakes_max`, and leaves the others to them.
    #[cold]
    fn wake_listed(&self, wakes_max: usize) {
        // Acquire: [list].
        let mut node = self.list.swap(std::ptr::null_mut(), Ordering::Acquire);
        let woken = take_first(&mut node, wakes_max);
        if !node.is_null() {
            let chain = Box::into_raw(Box::new(Chain {
                first: node,
                next: std::ptr::null_mut(),
            }));
            self.leave_due(chain);
        }
        // After the others are where these find them.
        call_all(woken);
    }

    #[cold]
    fn wake_due(&self, wakes_max: usize) {
        // Acquire: [list].
        let chain = self.due.swap(std::ptr::null_mut(), Ordering::Acquire);
        if chain.is_null() {
            return;
        }
        // SAFETY: Q2: ours with the swap.
        let mut first = unsafe { Box::from_raw(chain) };
        let woken = take_first(&mut first.first, wakes_max);
        let left = match first.first.is_null() {
            true => first.next,
            false => Box::into_raw(first),
        };
        if !left.is_null() {
            self.leave_due(left);
        }
        call_all(woken);
    }

    /// Leaves chains, which are the caller's, to whoever passes on.
    fn leave_due(&self, chains: *mut Chain) {
        let mut last = chains;
        loop {
            // SAFETY: Q2: ours, until they are left.
            let next = unsafe { (*last).next };
            if next.is_null() {
                break;
            }
            last = next;
        }
        // Relaxed: the CAS decides.
        let mut head = self.due.load(Ordering::Relaxed);
        loop {
            // SAFETY: as above.
            unsafe { (*last).next = head };
            // Release: [list]. Chains leave by a swap of all: no ABA. A failure is another's
            // leaving.
            match self
                .due
                .compare_exchange(head, chains, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(found) => head = found,
            }
        }
    }

    /// Wakes everybody, now.
    fn wake_all(&self) {
        self.wake_listed(usize::MAX);
        // Relaxed: a hint: what comes later is not ours to wake.
        while !self.due.load(Ordering::Relaxed).is_null() {
            self.wake_due(usize::MAX);
        }
    }

    /// The waiter waits no more. Left on the list it would be woken for nothing, and many of them
    /// would only go at the next commit: now and then the list is emptied.
    pub(crate) fn abandon(&self, waiter: &Waiter) {
        // Relaxed: a hint.
        if !waiter.queued.load(Ordering::Relaxed) {
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
        self.waiters.pass_on();
        if let Some(waiter) = &self.waiter {
            self.waiters.abandon(waiter);
        }
    }
}
