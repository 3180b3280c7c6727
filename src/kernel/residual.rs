//! Records whose chains a long snapshot keeps from being cut, put away until the horizon moves.
//!
//! # States
//! ```text
//! waiting --the horizon moved: the whole list--> sweeping --one by one--> done, or waiting again
//! ```
//!
//! # Invariants
//! - X1: a node owns a claim on its record; the record's `residual` mark keeps it from being listed
//!   twice.
//! - X2: nodes leave `sweeping` one at a time, by CAS under a pin, and are retired: an address does
//!   not come back while it is expected.

use super::horizon::{Active, LAG_LONG};
use super::reclaim::{Garbage, Guard, allocate, at, free};
use super::record::RecordHeader;
use super::stack::{Linked, push};
use crate::sync::{AtomicPtr, AtomicU64, Ordering};

/// The horizon must move by this much before the list is gone through again while a long snapshot
/// is held.
const STRIDE: u64 = if cfg!(shuttle) { 2 } else { 1024 };

/// A record on the list. On a line of its own, in a slab: another thread frees it than made it.
#[derive(Debug)]
#[repr(align(64))]
struct Residual {
    record: *const RecordHeader,
    next: *mut Residual,
}

impl Linked for Residual {
    fn next(&mut self) -> &mut *mut Self {
        &mut self.next
    }
}

/// The two lists, and where the horizon and the cutting were when the last sweep began.
#[derive(Debug)]
pub(super) struct ResidualLists {
    waiting: AtomicPtr<Residual>,
    sweeping: AtomicPtr<Residual>,
    swept_horizon: AtomicU64,
    swept_cut: AtomicU64,
}

impl ResidualLists {
    pub(super) fn new() -> Self {
        Self {
            waiting: AtomicPtr::new(std::ptr::null_mut()),
            sweeping: AtomicPtr::new(std::ptr::null_mut()),
            swept_horizon: AtomicU64::new(0),
            swept_cut: AtomicU64::new(0),
        }
    }

    /// Puts away a record that the caller has marked and claimed (X1). Lock-free.
    pub(super) fn put_away(&self, record: *const RecordHeader) {
        let node = allocate(Residual {
            record,
            next: std::ptr::null_mut(),
        });
        // SAFETY: just made.
        unsafe { push(&self.waiting, node) };
    }

    /// Begins a sweep if the horizon has moved enough: a lot while something holds it back; when
    /// nothing does, at all, or the cutting has.
    pub(super) fn start_sweep(&self, active: &Active, visible: u64, cut: u64) {
        // Relaxed: a hint.
        if self.waiting.load(Ordering::Relaxed).is_null() {
            return;
        }
        // Relaxed: it only keeps sweeps from following one another; two at once share the list.
        let horizon = self.swept_horizon.swap(active.horizon, Ordering::Relaxed);
        // Relaxed: as above.
        let cut_before = self.swept_cut.swap(cut, Ordering::Relaxed);
        let held_back = visible.saturating_sub(active.horizon) > LAG_LONG;
        if held_back && active.horizon < horizon.saturating_add(STRIDE) {
            // Relaxed: as above. Strides are counted from the last sweep.
            self.swept_horizon.store(horizon, Ordering::Relaxed);
            return;
        }
        if !held_back && (active.horizon, cut) == (horizon, cut_before) {
            return;
        }
        // Acquire: [stack].
        let list = self.waiting.swap(std::ptr::null_mut(), Ordering::Acquire);
        if !list.is_null() {
            // SAFETY: the swap made the list ours.
            unsafe { push(&self.sweeping, list) };
        }
    }

    /// A record to look at; its claim is the caller's now.
    pub(super) fn pop(&self, _: &Guard<'_>, garbage: &mut Garbage) -> Option<*const RecordHeader> {
        // Acquire: [stack].
        let mut head = self.sweeping.load(Ordering::Acquire);
        loop {
            if head.is_null() {
                return None;
            }
            // SAFETY: X2: found on the list under the guard.
            let node = unsafe { at(head.cast_const()) };
            // Relaxed: it continues the release sequences of the pushes below the node, and the
            // node itself was acquired with the head. Acquire: [stack]: a failure is
            // another's success, or a push.
            let popped = self.sweeping.compare_exchange(
                head,
                node.next,
                Ordering::Relaxed,
                Ordering::Acquire,
            );
            match popped {
                Ok(_) => {
                    let record = node.record;
                    // SAFETY: R1: off the list, by us.
                    unsafe { garbage.retire(head) };
                    return Some(record);
                }
                Err(found) => head = found,
            }
        }
    }

    /// Frees the nodes; nobody is left.
    pub(super) fn drain(&mut self) {
        for list in [&self.waiting, &self.sweeping] {
            // Relaxed: nobody is left.
            let mut node = list.swap(std::ptr::null_mut(), Ordering::Relaxed);
            while !node.is_null() {
                // SAFETY: as above.
                let next = unsafe { at(node.cast_const()) }.next;
                // SAFETY: as above.
                unsafe { free(node) };
                node = next;
            }
        }
    }
}

/// The lists for the models, with nodes that lead to no records.
#[cfg(loom)]
pub(crate) mod testing {
    use super::ResidualLists;
    use crate::kernel::horizon::Horizon;
    use crate::kernel::reclaim::{Garbage, Guard};
    use crate::kernel::session::Registry;

    #[derive(Debug)]
    pub(crate) struct Lists(ResidualLists);

    // SAFETY: a node's pointer is only a number here.
    unsafe impl Send for Lists {}
    // SAFETY: as above.
    unsafe impl Sync for Lists {}

    impl Lists {
        pub(crate) fn new() -> Self {
            Self(ResidualLists::new())
        }

        /// Puts a node away.
        pub(crate) fn put(&self, record: usize) {
            self.0.put_away(std::ptr::without_provenance(record));
        }

        /// Begins a sweep, since the cutting has come to `cut`.
        pub(crate) fn sweep(&self, cut: u64) {
            let nobody = Horizon::new(0).scan(&Registry::new());
            self.0.start_sweep(&nobody, 0, cut);
        }

        pub(crate) fn pop(&self, guard: &Guard<'_>, garbage: &mut Garbage) -> Option<usize> {
            let record = self.0.pop(guard, garbage)?;
            Some(record.addr())
        }
    }

    impl Drop for Lists {
        fn drop(&mut self) {
            self.0.drain();
        }
    }
}
