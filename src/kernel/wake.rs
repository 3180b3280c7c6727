//! Waking those who wait for a newer version.
//!
//! # States
//! ```text
//! waiter:  idle --enqueue--> queued --wake: the whole list is taken--> idle, woken
//! ```
//!
//! # Invariants
//! - Q1: a queued waiter is on the list once, and the list owns one strong count of it.
//!
//! # Orderings
//! - [wait/wake]: store, fence, load on both sides. A waiter queues itself, fences, looks at the
//!   watermark again; a committer moves the watermark, fences, looks at the list. Their fence
//!   first: we see the new watermark and do not sleep. Ours first: they see us queued.
//! - [list]: Release of the push, Acquire of the taking.

use std::task::Waker;
use std::time::Duration;

use super::barrier::fence;
use super::release::contain;
use crate::sync::{Arc, AtomicBool, AtomicPtr, AtomicU32, Ordering, Padded, thread};

/// A thread that waits looks again after this long, woken or not: a waker that stops in the middle
/// of its round must not keep the others asleep.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(100);
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

/// Everybody who waits on one store.
#[derive(Debug)]
pub(crate) struct Waiters {
    list: Padded<AtomicPtr<Waiter>>,
    /// Waiters left on the list since it was emptied for them, about.
    abandoned: AtomicU32,
}

impl Waiters {
    pub(crate) fn new() -> Self {
        Self {
            list: Padded(AtomicPtr::new(std::ptr::null_mut())),
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

    /// Wakes everybody queued. With nobody there: a fence and a load. O(waiters) otherwise; waits
    /// for nobody.
    #[inline]
    pub(crate) fn wake(&self) {
        // SeqCst: [wait/wake].
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        if !self.list.load(Ordering::Relaxed).is_null() {
            self.wake_all();
        }
    }

    /// Threads first: waking them is the system's, while a task's waker may run anything, or stop.
    #[cold]
    fn wake_all(&self) {
        let mut tasks = Vec::new();
        // Acquire: [list].
        let mut node = self.list.swap(std::ptr::null_mut(), Ordering::Acquire);
        while !node.is_null() {
            // SAFETY: Q1: the list's count is ours with the list.
            let waiter = unsafe { Arc::from_raw(node) };
            // Relaxed: written before the push.
            node = waiter.next.load(Ordering::Relaxed);
            // Release: [list]: who enqueues it again writes `next` after our read of it.
            waiter.queued.store(false, Ordering::Release);
            match &waiter.who {
                Who::Thread(thread) => thread.unpark(),
                Who::Task(_) => tasks.push(waiter),
            }
        }
        for task in tasks {
            if let Who::Task(waker) = &task.who {
                // The executor's code: its panic is not the committer's.
                contain(|| waker.wake_by_ref());
            }
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
        let waiter = self.waiter.get_or_insert_with(Waiter::thread);
        self.waiters.enqueue(waiter);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(waiter) = &self.waiter {
            self.waiters.abandon(waiter);
        }
    }
}
