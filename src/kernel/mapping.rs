//! Memory for groups of slabs ([`super::places`]), which is the system's own: a huge page each, if
//! there are any.
//!
//! A global allocator would keep a lock while it asks the system, for all threads that have to
//! do with what this one allocated: who is stopped there stops them. And where it has touched the
//! memory before, Linux before 6.14 gives no huge page soon. It cannot count what it does not know
//! of, so it is counted here: [`mapped_bytes`].
//!
//! Where there is no such call, and under loom, shuttle, Miri and sanitizers, it is the global
//! allocator's after all.
//!
//! # Invariants
//! - B15: what is mapped is whole pages of the caller's alone, from a multiple of their size on.

use std::alloc::Layout;

use super::memory::Block;
pub(super) use system::{map, mapped_groups, unmap};

/// Bytes of a group, which begins at a multiple of them: a huge page. A model's is small.
pub(super) const BYTES: usize = if cfg!(loom) { 64 << 10 } else { 2 << 20 };

/// Memory of so many bytes, a power of two, that begins at a multiple of them.
pub(super) struct Aligned<const SIZE: usize>;

impl<const SIZE: usize> Aligned<SIZE> {
    pub(super) const LAYOUT: Layout = match Layout::from_size_align(SIZE, SIZE) {
        Ok(layout) => layout,
        Err(_) => panic!("a power of two"),
    };
}

impl<const SIZE: usize> Block for Aligned<SIZE> {
    unsafe fn layout(_: *const ()) -> Layout {
        Self::LAYOUT
    }
}

/// Bytes of memory that all stores of this process have from the system, and not from the global
/// allocator, which does not count them: for slabs, where objects lie that are many. Whole groups,
/// each with room for some more. Costs a load.
///
/// [`Store::reclaim`](crate::Store::reclaim) gives back those that nobody has.
///
/// ```
/// use skep::{Indexes, Object, Store};
///
/// #[derive(Clone)]
/// struct Page([u64; 64]);
/// # impl Object for Page {
/// #     type Key = u64;
/// #     const TABLE: &'static str = "page";
/// #     fn key(&self) -> u64 { self.0[0] }
/// #     fn indexes(_: &mut Indexes<Self>) {}
/// # }
///
/// let store = Store::builder().table::<Page>().build();
/// store.update(|tx| (0..10_000).try_for_each(|number| tx.create(Page([number; 64]))))?;
/// # if cfg!(target_os = "linux") {
/// assert!(skep::mapped_bytes() > 10_000 * size_of::<Page>() / 2);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn mapped_bytes() -> usize {
    mapped_groups() * BYTES
}

#[cfg(all(
    target_os = "linux",
    not(any(
        target_arch = "mips64",
        target_arch = "mips64r6",
        loom,
        shuttle,
        miri,
        skep_sanitize
    ))
))]
mod system {
    use std::alloc::handle_alloc_error;
    use std::ffi::{c_int, c_void};

    use super::{Aligned, BYTES};
    use crate::sync::{Guess, Ordering};

    const PROT_READ: c_int = 1;
    const PROT_WRITE: c_int = 2;
    const MAP_PRIVATE: c_int = 2;
    const MAP_ANONYMOUS: c_int = 0x20;
    const MAP_FAILED: usize = usize::MAX;
    const MADV_DONTNEED: c_int = 4;
    const MADV_HUGEPAGE: c_int = 14;

    // The numbers are those of all but MIPS.
    // SAFETY: the C library's, which std is linked to, as Linux declares them where addresses have
    // 64 bits.
    unsafe extern "C" {
        fn mmap(
            address: *mut c_void,
            length: usize,
            protection: c_int,
            flags: c_int,
            file: c_int,
            offset: i64,
        ) -> *mut c_void;
        fn munmap(address: *mut c_void, length: usize) -> c_int;
        fn madvise(address: *mut c_void, length: usize, advice: c_int) -> c_int;
    }

    static GROUPS: Guess = Guess::new(0);

    /// How many groups there are.
    pub(in crate::kernel) fn mapped_groups() -> usize {
        // Relaxed: a count.
        GROUPS.load(Ordering::Relaxed) as usize
    }

    /// The memory of a group: zeroes, none of them touched yet.
    pub(in crate::kernel) fn map() -> *mut () {
        // Twice as much has a multiple of a group's size in it, and so much after it.
        let start = map_pages(2 * BYTES);
        let group = start.map_addr(|address| address.next_multiple_of(BYTES));
        let before = group.addr() - start.addr();
        let after = group.wrapping_byte_add(BYTES);
        // SAFETY: what is before the group is ours, and not used.
        unsafe { unmap_pages(start, before) };
        // SAFETY: so is what is after it.
        unsafe { unmap_pages(after, BYTES - before) };
        // SAFETY: B15. A hint: that it is followed is not needed, and not known.
        let _ = unsafe { madvise(group, BYTES, MADV_HUGEPAGE) };
        // Relaxed: a count.
        GROUPS.fetch_add(1, Ordering::Relaxed);
        group.cast()
    }

    /// Gives a group's memory back.
    ///
    /// # Safety
    /// It is from [`map`], and nobody uses it again.
    pub(in crate::kernel) unsafe fn unmap(group: *mut ()) {
        // SAFETY: B15, and the caller's promise.
        unsafe { unmap_pages(group.cast(), BYTES) };
        // Relaxed: a count.
        GROUPS.fetch_sub(1, Ordering::Relaxed);
    }

    fn map_pages(bytes: usize) -> *mut c_void {
        let (protection, flags) = (PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
        // SAFETY: new memory, wherever the system has room: nobody else's.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, protection, flags, -1, 0) };
        if start.addr() == MAP_FAILED {
            handle_alloc_error(Aligned::<BYTES>::LAYOUT);
        }
        start
    }

    /// # Safety
    /// Whole pages that are the caller's, who does not use them again; there may be none.
    unsafe fn unmap_pages(start: *mut c_void, bytes: usize) {
        if bytes > 0 {
            // SAFETY: the caller's promise.
            let unmapped = unsafe { munmap(start, bytes) };
            if unmapped != 0 {
                // A mapping would fall into two, and the system has no more of them: the addresses
                // stay, and what lies there goes.
                // SAFETY: as above.
                let _ = unsafe { madvise(start, bytes, MADV_DONTNEED) };
            }
        }
    }
}

#[cfg(not(all(
    target_os = "linux",
    not(any(
        target_arch = "mips64",
        target_arch = "mips64r6",
        loom,
        shuttle,
        miri,
        skep_sanitize
    ))
)))]
mod system {
    use super::{Aligned, BYTES};
    use crate::kernel::memory::{allocate_block, free_block};

    pub(in crate::kernel) fn mapped_groups() -> usize {
        0
    }

    pub(in crate::kernel) fn map() -> *mut () {
        allocate_block(Aligned::<BYTES>::LAYOUT, |_| ())
    }

    /// # Safety
    /// It is from [`map`], and nobody uses it again.
    pub(in crate::kernel) unsafe fn unmap(group: *mut ()) {
        // SAFETY: the caller's promise.
        unsafe { free_block::<Aligned<BYTES>>(group) };
    }
}

#[cfg(all(
    test,
    target_os = "linux",
    not(any(
        target_arch = "mips64",
        target_arch = "mips64r6",
        loom,
        shuttle,
        miri,
        skep_sanitize
    ))
))]
mod tests {
    use super::*;

    /// B15.
    #[test]
    fn groups_begin_at_multiples_of_their_size_and_do_not_overlap() {
        let mut groups: Vec<_> = (0..5).map(|_| map()).collect();
        assert!(mapped_bytes() >= 5 * BYTES, "other tests have theirs");
        groups.sort_unstable();
        for (place, &group) in groups.iter().enumerate() {
            assert!(group.addr().is_multiple_of(BYTES));
            let bytes = group.cast::<[u8; BYTES]>();
            // SAFETY: B15: zeroes of the test's.
            assert!(unsafe { &*bytes }.iter().all(|&byte| byte == 0));
            // SAFETY: as above.
            unsafe { bytes.write_bytes(place as u8 + 1, 1) };
        }
        assert!(
            groups
                .windows(2)
                .all(|two| two[0].addr() + BYTES <= two[1].addr())
        );
        for (place, &group) in groups.iter().enumerate() {
            // SAFETY: as above.
            let bytes = unsafe { &*group.cast::<[u8; BYTES]>() };
            assert!(bytes.iter().all(|&byte| byte == place as u8 + 1));
            // SAFETY: mapped above, and used no more.
            unsafe { unmap(group) };
        }
    }
}
