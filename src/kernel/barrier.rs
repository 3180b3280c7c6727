//! The full fence of announcements and pins, in the cheapest form that the processor has.
//!
//! On x86-64 a read-modify-write with a `lock` prefix is a full barrier (Intel's manual, volume 3,
//! section "Locked instructions": no load or store passes it), as `mfence` is; but `mfence` also
//! keeps the loads after it from being started early, so that a read behind it pays its cache
//! misses one after the other. Linux's `smp_mb` and crossbeam-epoch's pin make the same choice.
//! Elsewhere, and under loom and Miri, it is the language's fence.

use crate::sync::Ordering;

/// As [`crate::sync::fence`].
#[inline]
pub(crate) fn fence(order: Ordering) {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    // Acquire: nothing but the compiler's is needed here for it; the others get the full barrier.
    if order != Ordering::Acquire {
        return locked_fence();
    }
    crate::sync::fence(order);
}

/// A locked addition of nothing to the top of the stack: a line that is this processor's anyway.
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
#[inline]
fn locked_fence() {
    // SAFETY: B1: it changes no memory and no register but the flags, which asm! takes as changed.
    // Without `nomem` the compiler moves no access of memory across it.
    unsafe { std::arch::asm!("lock or dword ptr [rsp], 0", options(nostack)) };
}
