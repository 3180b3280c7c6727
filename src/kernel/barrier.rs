//! What the kernel asks of the processor beside plain memory: the full fence of announcements and
//! pins, in the cheapest form that there is, and fetching ahead.
//!
//! On x86-64 a read-modify-write with a `lock` prefix is a full barrier (Intel's manual, volume 3,
//! section "Locked instructions": no load or store passes it), as `mfence` is; but `mfence` also
//! keeps the loads after it from being started early, so that a read behind it pays its cache
//! misses one after the other. Linux's `smp_mb` and crossbeam-epoch's pin make the same choice.
//! Elsewhere, under loom and Miri, and where uses are counted, it is the language's fence.
//!
//! # Invariants
//! - B1: the assembly here changes no memory and no register but the flags and its own.
//! - B2: an atomic integer is laid out as the plain one (std's documentation of its atomics).

use crate::sync::Ordering;

/// As [`crate::sync::fence`].
#[inline]
#[cfg_attr(skep_counted, track_caller)]
pub(crate) fn fence(order: Ordering) {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri), not(skep_counted)))]
    // Acquire: nothing but the compiler's is needed here for it; the others get the full barrier.
    if order != Ordering::Acquire {
        return locked_fence();
    }
    crate::sync::fence(order);
}

/// The fence of order SeqCst of a thread whose last access to an atomic was a read-modify-write: on
/// x86-64 that was a full barrier itself.
#[inline]
pub(crate) fn fence_after_modify() {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    // SAFETY: B1: no instruction. Without `nomem` the compiler moves no access of memory across it.
    unsafe {
        std::arch::asm!("", options(nostack, preserves_flags));
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
    // SeqCst: the caller's reason.
    crate::sync::fence(Ordering::SeqCst);
}

/// A locked addition of nothing below the stack: to a line that is this processor's anyway, but to
/// no word that is read soon. At the top of the stack may lie what a function takes back right
/// after its pin, which it would get only when all before the fence is done.
#[cfg(all(target_arch = "x86_64", not(loom), not(miri), not(skep_counted)))]
#[inline]
fn locked_fence() {
    /// Bytes below the stack pointer: on the next line, and within the 128 that System V's calling
    /// convention lets every function use there, so that they belong to the thread's stack.
    const BELOW: usize = LINE;
    // SAFETY: B1: it changes no memory and no register but the flags, which asm! takes as changed.
    // Without `nomem` the compiler moves no access of memory across it, and without `nostack` it
    // keeps nothing below the stack pointer. What lies there is the thread's own stack, which its
    // next call would write; of whoever else should use it, a signal's handler or a debugger, the
    // word is left as it was, in one step.
    unsafe { std::arch::asm!("lock or dword ptr [rsp - {below}], 0", below = const BELOW) };
}

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// Has the processor fetch all lines of some objects in a row, at once: who goes through them would
/// else wait for one line after the other. A hint: nothing is read.
#[inline]
pub(crate) fn prefetch_lines<T>(objects: *const T, count: usize) {
    for offset in (0..count * size_of::<T>()).step_by(LINE) {
        prefetch(objects.cast::<u8>().wrapping_add(offset));
    }
}

/// Has the processor fetch the line at an address. A hint: nothing is read.
#[inline]
pub(crate) fn prefetch<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch takes any address.
        unsafe { _mm_prefetch(address.cast::<i8>(), _MM_HINT_T0) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
    let _ = address;
}

/// Has the processor fetch the beginning of what an object leads to: its texts, lists and boxes,
/// which who copies or writes out the object would else wait for one after the other. A hint:
/// whatever of its words looks like an address is taken for one, and nothing is read there. The
/// object itself is read, so it should be in the cache. Costs a few instructions a word; nothing
/// for a type that owns no memory.
#[inline]
pub(crate) fn prefetch_parts<T>(object: &T) {
    if std::mem::needs_drop::<T>() {
        let words = std::ptr::from_ref(object).cast::<u64>();
        for word in 0..size_of::<T>() / size_of::<u64>() {
            prefetch_part(object, words.wrapping_add(word));
        }
    }
}

/// Where a program's memory is, from 2^32 to 2^47, in words; small numbers are below, and texts and
/// keys mostly above.
#[cfg(any(test, all(target_arch = "x86_64", not(loom), not(miri))))]
const PLACES: std::ops::Range<u64> = 1 << 29..1 << 44;

/// Fetches what one word of an object may lead to.
#[inline]
fn prefetch_part<T>(object: &T, word: *const u64) {
    let _ = (object, word);
    // Rotated by the bits that are 0 in an address of a word: if they are not, it is too large. No
    // jump goes by what the word is: it may be padding, of which checkers such as valgrind tell.
    // SAFETY: B1. The word lies within the object, which is borrowed; a prefetch takes any address.
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    unsafe {
        std::arch::asm!(
            "mov {part}, qword ptr [{word}]",
            "mov {place}, {part}",
            "ror {place}, 3",
            "sub {place}, {first}",
            "cmp {place}, {places}",
            "cmovae {part}, {word}",
            "prefetcht0 byte ptr [{part}]",
            word = in(reg) word,
            first = in(reg) PLACES.start,
            places = in(reg) PLACES.end - PLACES.start,
            part = out(reg) _,
            place = out(reg) _,
            options(nostack, readonly),
        );
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Has a word that is an address, some that only look like one, padding, and an odd size.
    #[repr(C, packed(4))]
    struct Object {
        text: String,
        looks: [u64; 2],
        end: u32,
    }

    impl Drop for Object {
        fn drop(&mut self) {}
    }

    #[test]
    fn whatever_an_object_is_of_may_be_fetched() {
        let looks = [8 * PLACES.start, 8 * (PLACES.end - 1)];
        let object = Object {
            text: "a part".to_owned(),
            looks,
            end: 1,
        };
        prefetch_parts(&object);
        assert_eq!({ object.looks }, looks);
        prefetch_parts(&[(0u8, "padded".to_owned()), (1, String::new())]);
        prefetch_parts(&Vec::<[String; 0]>::new());
    }
}
