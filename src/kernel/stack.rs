//! Lists that chains of nodes are put on: Treiber's stack (1986).
//!
//! # Invariants
//! - I1: a node that is put on a list is written before, and is its putter's until then; its place
//!   in the chain is written by nobody else while it is on a list.
//!
//! Nodes leave by a swap of the whole list, or one at a time by who sees to it that an address does
//! not come back while it is expected ([`super::residual`]).
//!
//! # Orderings
//! - [stack]: Release of the putting, Acquire of the taking: nodes whole.

use super::reclaim::own;
use crate::sync::{AtomicPtr, Ordering};

/// A node of a list, or of a chain.
pub(super) trait Linked: Sized {
    /// The one below it.
    fn next(&mut self) -> &mut *mut Self;
}

/// Puts a chain of nodes on a list, in its order; true: on top of others. Lock-free: retried when
/// another thread put something there or took it at the same moment.
///
/// # Safety
/// `first` and all that follow it are the caller's alone (I1).
pub(super) unsafe fn push<N: Linked>(list: &AtomicPtr<N>, first: *mut N) -> bool {
    // Relaxed: a hint; the CAS decides.
    let mut head = list.load(Ordering::Relaxed);
    if head.is_null() {
        // Release: [stack]. Alone there, it needs no walk to the chain's end.
        match list.compare_exchange(head, first, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return false,
            Err(found) => head = found,
        }
    }
    let mut last = first;
    loop {
        // SAFETY: I1.
        let next = *unsafe { own(last) }.next();
        if next.is_null() {
            break;
        }
        last = next;
    }
    loop {
        // SAFETY: I1.
        *unsafe { own(last) }.next() = head;
        // Release: [stack]: who takes the nodes sees them whole.
        match list.compare_exchange(head, first, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return !head.is_null(),
            Err(found) => head = found,
        }
    }
}
