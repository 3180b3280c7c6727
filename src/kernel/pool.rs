//! Blocks of memory between a free and the next allocation of their size.
//!
//! What a committer frees it soon needs again: a commit, a leaf, a version that is not in a slab
//! ([`super::magazine`]). A thread keeps some such blocks, so that they are still in its cache when
//! they are used again, and the allocator is not asked. Each size has one place, which it may have
//! to share; what finds no room goes back to the allocator, and all goes back when the thread ends.
//! Not under loom, shuttle, Miri or a sanitizer, which would miss uses of freed memory.
//!
//! # Invariants
//! - B3: a block on a list is free, of its class's layout, from the global allocator, and its first
//!   word leads to the next one.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;

use crate::sync::local;

/// Classes of sizes, by multiples of 16 bytes.
const CLASSES: usize = 64;
const CLASS_BYTES: usize = 16;
/// Bytes of a block that is kept at most: leaves of the ordered index are among them.
const BLOCK_BYTES_MAX: usize = 1152;
/// Blocks kept of a size, and bytes of them: what a transaction of some hundred writes makes, and
/// another one before has left. With fewer, each of its versions is made in memory that is in no
/// cache; more of them would not stay in the second cache either.
const BLOCKS_MAX: u32 = 512;
const KEPT_BYTES_MAX: usize = 256 << 10;

/// Whether so many blocks of a size are as many as a thread keeps, here or in a magazine.
#[inline]
pub(super) fn is_enough(count: u32, bytes: usize) -> bool {
    count >= BLOCKS_MAX || count as usize * bytes >= KEPT_BYTES_MAX
}

/// Free blocks of one layout.
#[derive(Debug)]
struct Class {
    layout: Cell<Layout>,
    first: Cell<*mut Block>,
    count: Cell<u32>,
}

/// A free block.
#[derive(Debug)]
struct Block {
    next: *mut Block,
}

#[derive(Debug)]
struct Pool([Class; CLASSES]);

local!(POOL: Pool = Pool::new());

impl Pool {
    const fn new() -> Self {
        Self([const { Class::new() }; CLASSES])
    }
}

/// Whether blocks of this layout are kept.
#[inline]
const fn is_kept(layout: Layout) -> bool {
    let pooled = cfg!(not(any(loom, shuttle, miri, skep_sanitize)));
    let fits = layout.size() >= size_of::<Block>() && layout.size() <= BLOCK_BYTES_MAX;
    pooled && fits && layout.align() >= align_of::<Block>()
}

#[inline]
const fn class_of(layout: Layout) -> usize {
    layout.size() / CLASS_BYTES % CLASSES
}

impl Class {
    const fn new() -> Self {
        Self {
            layout: Cell::new(Layout::new::<Block>()),
            first: Cell::new(std::ptr::null_mut()),
            count: Cell::new(0),
        }
    }

    #[inline]
    fn take(&self, layout: Layout) -> Option<*mut u8> {
        let block = self.first.get();
        if block.is_null() || self.layout.get() != layout {
            return None;
        }
        // SAFETY: B3.
        self.first.set(unsafe { (*block).next });
        self.count.set(self.count.get() - 1);
        Some(block.cast())
    }

    /// False: there is no room.
    ///
    /// # Safety
    /// The block is free, of that layout, and the caller's.
    #[inline]
    unsafe fn give(&self, block: *mut u8, layout: Layout) -> bool {
        let count = self.count.get();
        if count == 0 {
            self.layout.set(layout);
        }
        if is_enough(count, layout.size()) || self.layout.get() != layout {
            return false;
        }
        let block = block.cast::<Block>();
        let next = self.first.get();
        // SAFETY: B3: large and aligned enough (`is_kept`), and the caller's.
        unsafe { block.write(Block { next }) };
        self.first.set(block);
        self.count.set(count + 1);
        true
    }
}

impl Pool {
    fn empty(&self) {
        for class in &self.0 {
            let layout = class.layout.get();
            while let Some(block) = class.take(layout) {
                // SAFETY: B3.
                unsafe { dealloc(block, layout) };
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.empty();
    }
}

/// Gives the thread's blocks back to the allocator.
pub(super) fn empty() {
    // A thread whose locals are gone has none.
    let _ = POOL.try_with(Pool::empty);
}

/// Memory for a `T`, not filled yet.
#[inline]
pub(super) fn take<T>() -> *mut T {
    take_block(const { Layout::new::<T>() }).cast()
}

/// Memory of a layout, not filled yet.
#[inline]
pub(super) fn take_block(layout: Layout) -> *mut u8 {
    if is_kept(layout)
        && let Ok(Some(block)) = POOL.try_with(|pool| pool.0[class_of(layout)].take(layout))
    {
        return block;
    }
    if layout.size() == 0 {
        return std::ptr::without_provenance_mut(layout.align());
    }
    // SAFETY: not of size 0.
    let block = unsafe { alloc(layout) };
    if block.is_null() {
        handle_alloc_error(layout);
    }
    block
}

/// Gives memory of [`take`] back.
///
/// # Safety
/// It is from [`take`] with this type, the caller's, and what was in it is gone.
#[inline]
pub(super) unsafe fn give<T>(pointer: *mut T) {
    // SAFETY: the caller's promise.
    unsafe { give_block(pointer.cast(), const { Layout::new::<T>() }) };
}

/// Gives memory of [`take_block`] back.
///
/// # Safety
/// It is from [`take_block`] with this layout, the caller's, and what was in it is gone.
#[inline]
pub(super) unsafe fn give_block(block: *mut u8, layout: Layout) {
    if is_kept(layout) {
        // SAFETY: the caller's promise.
        let given = POOL.try_with(|pool| unsafe { pool.0[class_of(layout)].give(block, layout) });
        if given.is_ok_and(|given| given) {
            return;
        }
    }
    if layout.size() != 0 {
        // SAFETY: from the global allocator with this layout.
        unsafe { dealloc(block, layout) };
    }
}

#[cfg(all(test, not(any(loom, shuttle, miri, skep_sanitize))))]
mod tests {
    use super::*;

    /// B3.
    #[test]
    fn a_block_is_used_again_and_none_twice() {
        let first = take::<[u64; 9]>();
        // SAFETY: just taken, and nothing is in it.
        unsafe { give(first) };
        let again = take::<[u64; 9]>();
        assert_eq!(first, again);
        let other = take::<[u64; 9]>();
        assert_ne!(again, other);
        // SAFETY: as above.
        unsafe { give(again) };
        // SAFETY: as above.
        unsafe { give(other) };
    }

    /// B3: a class has one layout.
    #[test]
    fn sizes_that_share_a_place_do_not_mix() {
        let small = take::<[u64; 4]>();
        // SAFETY: just taken, and nothing is in it.
        unsafe { give(small) };
        // 32 bytes and 40 bytes are of one class.
        let large = take::<[u64; 5]>();
        assert_ne!(small.cast(), large);
        // SAFETY: as above.
        unsafe { give(large) };
        assert_eq!(take::<[u64; 4]>(), small, "it kept its place");
        // SAFETY: as above.
        unsafe { give(small) };
    }
}
