//! A seat: where one waiter can be called from, by any number of callers.
//!
//! # Invariants
//! - S1: a waiter in the seat, and what its place there is made of, stand as long as a guard does
//!   under which they were found: who puts another in retires them.
//!
//! # Orderings
//! - [sit/call]: store, fence, load on both sides. A waiter takes the seat, fences, looks for what
//!   it waits for; who has something for it puts it there, fences, looks at the seat. Their fence
//!   first: we find it and do not sleep. Ours first: they call us.
//! - [cease/rely]: store, fence, load on both sides. A waiter says that it waits no more, fences,
//!   looks for commits to deliver; who may leave it the rest of one has seen the watermark there,
//!   fences, asks whether it waits. Their fence first: we find the commit, and deliver it. Ours
//!   first: they leave us nothing.
//! - [doze/call]: the same of a thread that says whether it sleeps: it says so, fences, looks for
//!   what there is to do; who has something for it puts it there, fences, asks whether it sleeps.
//! - [seat]: the swap that puts a waiter in (Release) and the load that finds it (Acquire): whole.

use std::cell::Cell;

use smallvec::SmallVec;

use super::Kernel;
use super::barrier::{fence, prefetch};
use super::reclaim::{Guard, allocate, at, free};
use super::table::GarbageBin;
use super::wake::Waiter;
use crate::sync::{Arc, AtomicBool, AtomicPtr, Ordering, local};

/// A place for one waiter. It stays in it until another takes it, or it leaves; and is called
/// there, whether it waits or not.
#[derive(Debug)]
pub(crate) struct Seat(AtomicPtr<Arc<Waiter>>);

impl Seat {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// Puts a waiter in the seat. Before it sleeps it calls [`Seat::settle`] and looks again.
    pub(crate) fn take(&self, kernel: &Kernel, waiter: &Arc<Waiter>) {
        self.put(kernel, allocate(Arc::clone(waiter)));
    }

    /// Empties it.
    pub(crate) fn leave(&self, kernel: &Kernel) {
        // Relaxed: nobody but the one who waits puts anybody in.
        if !self.0.load(Ordering::Relaxed).is_null() {
            self.put(kernel, std::ptr::null_mut());
        }
    }

    fn put(&self, kernel: &Kernel, waiter: *mut Arc<Waiter>) {
        // AcqRel: [seat]: who finds the waiter sees it whole; of two that come at once each gets
        // what it replaced.
        let before = self.0.swap(waiter, Ordering::AcqRel);
        if !before.is_null() {
            let mut garbage = GarbageBin::new(kernel);
            // SAFETY: R1: out of the seat by us, and nobody puts it there again.
            unsafe { garbage.0.retire(before) };
        }
    }

    /// After this the waiter looks once more for what it waits for.
    pub(crate) fn settle(&self) {
        // SeqCst: [sit/call].
        fence(Ordering::SeqCst);
    }

    /// Has the processor fetch what leads to the waiter.
    #[inline]
    fn prefetch(&self) {
        if cfg!(not(loom)) {
            // Relaxed: a hint: nothing is read through it.
            prefetch(self.0.load(Ordering::Relaxed));
        }
    }

    /// Then the waiter.
    #[inline]
    fn prefetch_waiter(&self, guard: &Guard<'_>) {
        if cfg!(not(loom))
            && let Some(waiter) = self.waiter(guard)
        {
            prefetch(Arc::as_ptr(waiter));
        }
    }

    fn waiter<'g>(&self, _: &'g Guard<'_>) -> Option<&'g Arc<Waiter>> {
        // Acquire: [seat].
        let waiter = self.0.load(Ordering::Acquire);
        // SAFETY: S1.
        (!waiter.is_null()).then(|| unsafe { at(waiter.cast_const()) })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        // Relaxed: nobody else is left.
        let waiter = self.0.load(Ordering::Relaxed);
        if !waiter.is_null() {
            // SAFETY: nobody is left, and it stands in the seat once.
            unsafe { free(waiter) };
        }
    }
}

/// Whether who has a seat waits in it: only then something may be left to it.
#[derive(Debug)]
pub(crate) struct Wait(AtomicBool);

impl Wait {
    /// Of one who does not.
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// It has a seat, and waits.
    pub(crate) fn begin(&self) {
        // Relaxed: a hint: it comes by, or its wait ends.
        self.0.store(true, Ordering::Relaxed);
    }

    /// It waits no more: it has come by, or its time is over, or its future is dropped. True: it
    /// waited. Then it may have been left something before, and looks for commits to deliver.
    #[inline]
    pub(crate) fn end(&self) -> bool {
        // Relaxed: nobody but the one who waits says so.
        let waited = self.0.load(Ordering::Relaxed);
        if waited {
            // Relaxed: ordered by the fence.
            self.0.store(false, Ordering::Relaxed);
            // SeqCst: [cease/rely].
            fence(Ordering::SeqCst);
        }
        waited
    }

    /// Whether it waits: asked by who has seen a commit visible, and fenced.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        // Relaxed: ordered by the caller's fence: [cease/rely].
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether a thread sleeps that works until nothing is left to do: only then it is to be called.
#[derive(Debug)]
pub(crate) struct Doze(AtomicBool);

impl Doze {
    /// Of a thread that works.
    pub(crate) fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// The thread is about to sleep. After it, it looks once more for what there is to do.
    pub(crate) fn begin(&self) {
        // Relaxed: ordered by the fence.
        self.0.store(true, Ordering::Relaxed);
        // SeqCst: [doze/call].
        fence(Ordering::SeqCst);
    }

    /// The thread works again, and will look for what there is to do.
    pub(crate) fn end(&self) {
        // Relaxed: who does not see it yet calls in vain.
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether the thread is to be called: asked by who has put something there for it, and fenced.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        // Relaxed: ordered by the caller's fence: [doze/call].
        self.0.load(Ordering::Relaxed)
    }
}

/// Who is to be called when what was put there for them is there.
#[derive(Debug)]
pub(crate) struct Calls {
    seats: SmallVec<[*const Seat; 8]>,
    /// Whether others call, and nobody is noted.
    by_others: bool,
}

impl Calls {
    pub(crate) fn new() -> Self {
        Self {
            seats: SmallVec::new(),
            by_others: false,
        }
    }

    /// Others call, later: here nobody is called.
    pub(crate) fn by_others() -> Self {
        Self {
            by_others: true,
            ..Self::new()
        }
    }

    /// Whether who is noted is called: only then something may be left to it.
    pub(crate) fn are_made(&self) -> bool {
        !self.by_others
    }

    /// Notes a seat that stands as long as the guard.
    pub(crate) fn note<'g>(&mut self, _: &'g Guard<'_>, seat: &'g Seat) {
        if self.are_made() && self.seats.last() != Some(&std::ptr::from_ref(seat)) {
            seat.prefetch();
            self.seats.push(seat);
        }
    }

    /// Calls those who sit there, after the guard that they were noted under is gone: a task's
    /// waker may run anything. How many ceased to wait in these wakers.
    pub(crate) fn make(self, guard: Guard<'_>) -> u32 {
        if self.seats.is_empty() {
            return 0;
        }
        // SAFETY: noted under this guard.
        let seats = || self.seats.iter().map(|&seat| unsafe { &*seat });
        seats().for_each(|seat: &Seat| seat.prefetch_waiter(&guard));
        // SeqCst: [sit/call].
        fence(Ordering::SeqCst);
        let mut waiters: SmallVec<[Arc<Waiter>; 8]> = SmallVec::new();
        for waiter in seats().filter_map(|seat| seat.waiter(&guard)) {
            waiter.prefetch();
            waiters.push(Arc::clone(waiter));
        }
        drop(guard);
        let calling = Calling::begin();
        for waiter in waiters {
            waiter.call();
        }
        calling.ceased()
    }
}

// Whether the calling thread calls those who sit somewhere: then their wakers are on its stack,
// and it is one more than those who ceased to wait there. Else 0.
local!(CALLING: Cell<u32> = Cell::new(0));

/// While it lives the calling thread calls those who sit somewhere.
struct Calling {
    before: u32,
}

impl Calling {
    fn begin() -> Self {
        // Without the thread's locals nobody asks.
        let before = CALLING.try_with(|calling| calling.replace(1));
        Self {
            before: before.unwrap_or_default(),
        }
    }

    fn ceased(&self) -> u32 {
        CALLING.try_with(Cell::get).map_or(0, |calling| calling - 1)
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        let _ = CALLING.try_with(|calling| calling.set(self.before));
    }
}

/// Notes that somebody ceased to wait, if this thread is in a waker that it has called: then it
/// does not go on there, with calls of its own, whose wakers might go on so, but who called does.
pub(crate) fn cease_in_waker() -> bool {
    let noted = CALLING.try_with(|calling| {
        let own = calling.get();
        calling.set(own + u32::from(own > 0));
        own > 0
    });
    noted.unwrap_or(true)
}
