//! Shared objects: made, reached, changed while they are one's own, freed.
//!
//! Under loom each object has a witness, so that its contents are seen as plain memory; and nothing
//! is freed within an execution, so that using it again is found. Under shuttle objects are dropped
//! when they are freed, but their memory stays theirs until the execution ends, for the same
//! reason.
//!
//! # Invariants
//! R1 and R3 of [`super::reclaim`]: an object is freed once, when nobody can reach it.

use std::alloc::Layout;
use std::mem::MaybeUninit;

use super::{magazine, pool};

/// A shared object of a size that only it knows: a head, and behind it as many things as the head
/// says. It has nothing to be dropped, and pointers to it are thin.
pub(crate) trait Block {
    /// # Safety
    /// `block` is a whole one of this kind.
    unsafe fn layout(block: *const ()) -> Layout;
}

/// A new block, which `fill` makes whole in memory of this layout.
#[inline]
pub(super) fn allocate_block(layout: Layout, fill: impl FnOnce(*mut ())) -> *mut () {
    let block = pool::take_block(layout).cast();
    fill(block);
    #[cfg(loom)]
    quarantine::watch(block);
    block
}

/// Frees a block.
///
/// # Safety
/// It is from [`allocate_block`] as a `B`, and nobody uses it again.
pub(super) unsafe fn free_block<B: Block + ?Sized>(block: *mut ()) {
    #[cfg(loom)]
    quarantine::bury_block::<B>(block);
    #[cfg(not(loom))]
    // SAFETY: the caller's promise.
    unsafe {
        free_block_now::<B>(block);
    };
}

/// # Safety
/// As [`free_block`].
#[inline]
unsafe fn free_block_now<B: Block + ?Sized>(block: *mut ()) {
    // SAFETY: the caller's promise.
    let layout = unsafe { B::layout(block) };
    #[cfg(shuttle)]
    quarantine::bury(block.cast(), layout);
    #[cfg(not(shuttle))]
    // SAFETY: as above, and it has nothing to be dropped.
    unsafe {
        pool::give_block(block.cast(), layout);
    };
}

/// Memory for an object, which nothing is in, or no longer: it goes back when this is dropped.
struct Room<T>(*mut T);

impl<T> Drop for Room<T> {
    #[inline]
    fn drop(&mut self) {
        #[cfg(shuttle)]
        quarantine::bury(self.0.cast(), const { Layout::new::<T>() });
        #[cfg(not(shuttle))]
        // SAFETY: whoever made this has the memory, from there.
        unsafe {
            magazine::give(self.0);
        };
    }
}

impl<T> Room<T> {
    /// The object that was made in it.
    #[inline]
    fn filled(self) -> *mut T {
        let memory = std::mem::ManuallyDrop::new(self).0;
        #[cfg(loom)]
        quarantine::watch(memory);
        memory
    }
}

/// A new shared object.
pub(crate) fn allocate<T>(value: T) -> *mut T {
    let room = Room(magazine::take::<T>());
    // SAFETY: memory for a T, and ours.
    unsafe { room.0.write(value) };
    room.filled()
}

/// A new shared object, made field by field: what is written whole may be made elsewhere first, and
/// be copied.
///
/// # Safety
/// `fill` leaves a whole `T` in the memory that it is given; or it panics, before anything is in
/// there that is to be dropped.
#[inline]
pub(super) unsafe fn allocate_filled<T>(fill: impl FnOnce(*mut T)) -> *mut T {
    let room = Room(magazine::take::<T>());
    fill(room.0);
    room.filled()
}

/// A new shared object of a struct, its fields filled in their places, but for those that may stay
/// unfilled: these are not copied. The values are to be made by safe constructors, there: one that
/// is at hand before is copied.
macro_rules! allocate_struct {
    ($type:ident { $($field:ident: $value:expr,)* } $(unfilled $($rest:ident)*)?) => {{
        // All fields are named, and who reads those that are unfilled knows it.
        let _ = |$type { $($field: _,)* $($($rest,)*)? }: $type| {
            $($($crate::kernel::memory::may_stay_unfilled($rest);)*)?
        };
        let fill = |object: *mut $type| {
            $(
                // SAFETY: memory for one, and ours.
                unsafe { (&raw mut (*object).$field).write($value) };
            )*
        };
        // SAFETY: each field is filled, unless it may stay so.
        unsafe { $crate::kernel::memory::allocate_filled(fill) }
    }};
}
pub(super) use allocate_struct;

/// Says so by its type: that of the field itself, and not of what it leads to.
pub(super) fn may_stay_unfilled<T, const N: usize>(_: [MaybeUninit<T>; N]) {}

/// Fills a field of an object in the making, so that its value is made there.
///
/// # Safety
/// The memory is a whole object's, and the caller's; a field of that type is at that offset.
#[inline(always)]
pub(super) unsafe fn write_field<T, F>(object: *mut T, offset: usize, value: F) {
    let field = object.wrapping_byte_add(offset).cast::<F>();
    // SAFETY: the caller's promise.
    unsafe { field.write(value) };
}

/// Frees an object of [`allocate`], or one made in another of these ways.
///
/// # Safety
/// It is from there with this type, and nobody uses it again.
pub(crate) unsafe fn free<T>(pointer: *mut T) {
    #[cfg(loom)]
    quarantine::bury(pointer);
    #[cfg(not(loom))]
    // SAFETY: the caller's promise.
    unsafe {
        free_now(pointer);
    };
}

/// # Safety
/// As [`free`].
#[inline]
unsafe fn free_now<T>(pointer: *mut T) {
    #[cfg(shuttle)]
    quarantine::reach(pointer);
    // Its memory goes back also if the object's Drop panics.
    let room = Room(pointer);
    // SAFETY: the caller's promise.
    unsafe { room.0.drop_in_place() };
}

/// A shared object, for as long as the guard (or the hold, or the snapshot's word) that the caller
/// names in its SAFETY comment stands.
///
/// # Safety
/// `pointer` is valid for `'a`.
#[inline]
pub(crate) unsafe fn at<'a, T: ?Sized>(pointer: *const T) -> &'a T {
    #[cfg(any(loom, shuttle))]
    quarantine::reach(pointer);
    // SAFETY: the caller's promise.
    unsafe { &*pointer }
}

/// An object that is nobody else's for now: one that was just taken off a list.
///
/// # Safety
/// `pointer` is valid for `'a`, and only the caller uses the object meanwhile.
#[inline]
pub(super) unsafe fn own<'a, T>(pointer: *mut T) -> &'a mut T {
    #[cfg(loom)]
    quarantine::change(pointer);
    #[cfg(shuttle)]
    quarantine::reach(pointer);
    // SAFETY: the caller's promise.
    unsafe { &mut *pointer }
}

/// An object that is nobody else's and came to the caller however it did, which loom need not have
/// seen: what is watched begins here.
///
/// # Safety
/// As for [`own`].
#[inline]
pub(super) unsafe fn adopt<'a, T>(pointer: *mut T) -> &'a mut T {
    #[cfg(loom)]
    quarantine::watch(pointer);
    // SAFETY: the caller's promise.
    unsafe { &mut *pointer }
}

/// Under loom nothing is freed within an execution: a freed object is remembered, using it again
/// is a failure, and the memory goes when the execution's domain does.
///
/// Objects are plain memory, which loom does not watch. So each has a witness: written when the
/// object is made, changed or freed, and read whenever the object is reached. Two of these that no
/// ordering puts one after the other are a failure: an object that is reached before it is seen
/// whole, or freed before all that was read of it was read.
#[cfg(loom)]
pub(crate) mod quarantine {
    use std::cell::RefCell;
    use std::collections::HashMap;

    use crate::sync::Witness;

    type Free = unsafe fn(*mut ());

    thread_local! {
        // All threads of a loom execution run on one thread of the system.
        static FREED: RefCell<HashMap<usize, (*mut (), Free)>> = RefCell::new(HashMap::new());
        static WATCHED: RefCell<HashMap<usize, Witness>> = RefCell::new(HashMap::new());
    }

    /// An execution begins: objects that the one before leaked are not to be mistaken for its.
    pub(crate) fn begin() {
        WATCHED.with(|watched| watched.borrow_mut().clear());
    }

    pub(super) fn watch<T>(pointer: *mut T) {
        WATCHED.with(|watched| watched.borrow_mut().insert(pointer.addr(), Witness::new()));
    }

    pub(super) fn reach<T: ?Sized>(pointer: *const T) {
        assert_alive(pointer.addr());
        WATCHED.with(|watched| {
            if let Some(witness) = watched.borrow().get(&pointer.addr()) {
                witness.read();
            }
        });
    }

    pub(super) fn change<T>(pointer: *mut T) {
        assert_alive(pointer.addr());
        WATCHED.with(|watched| {
            if let Some(witness) = watched.borrow().get(&pointer.addr()) {
                witness.write();
            }
        });
    }

    pub(super) fn bury<T>(pointer: *mut T) {
        unsafe fn free_as<T>(pointer: *mut ()) {
            // SAFETY: `bury` got this pointer as one to a T that is not used any more.
            unsafe { super::free_now(pointer.cast::<T>()) };
        }
        bury_as(pointer.cast(), free_as::<T>);
    }

    pub(super) fn bury_block<B: super::Block + ?Sized>(block: *mut ()) {
        bury_as(block, super::free_block_now::<B>);
    }

    fn bury_as(pointer: *mut (), free: Free) {
        let before = FREED.with(|freed| freed.borrow_mut().insert(pointer.addr(), (pointer, free)));
        assert!(before.is_none(), "freed twice");
        let witness = WATCHED.with(|watched| watched.borrow_mut().remove(&pointer.addr()));
        if let Some(witness) = witness {
            witness.write();
        }
    }

    fn assert_alive(address: usize) {
        let freed = FREED.with(|freed| freed.borrow().contains_key(&address));
        assert!(!freed, "used after it was freed");
    }

    /// Gives the memory back: at the end of an execution.
    pub(crate) fn clear() {
        // What an object owns is buried when the object goes.
        loop {
            let freed = FREED.with(|freed| freed.borrow_mut().drain().collect::<Vec<_>>());
            if freed.is_empty() {
                return;
            }
            for (_, (pointer, free)) in freed {
                // SAFETY: buried once, and the execution is over.
                unsafe { free(pointer) };
            }
        }
    }
}

/// Under shuttle the memory of freed objects is not used again until their domain goes: reaching
/// one is a failure, and freeing it twice, too. What is read of it in another way is senseless.
#[cfg(shuttle)]
pub(crate) mod quarantine {
    use std::alloc::Layout;
    use std::cell::RefCell;
    use std::collections::HashMap;

    use crate::kernel::pool;

    /// A byte that makes no count, number or address of ours.
    const SENSELESS: u8 = 0xA5;

    thread_local! {
        // All threads of an execution run on one thread of the system.
        static FREED: RefCell<HashMap<usize, (*mut u8, Layout)>> = RefCell::new(HashMap::new());
    }

    pub(super) fn reach<T: ?Sized>(pointer: *const T) {
        let freed = FREED.with(|freed| freed.borrow().contains_key(&pointer.addr()));
        assert!(!freed, "used after it was freed");
    }

    pub(super) fn bury(block: *mut u8, layout: Layout) {
        let buried = (block, layout);
        let before = FREED.with(|freed| freed.borrow_mut().insert(block.addr(), buried));
        assert!(before.is_none(), "freed twice");
        // SAFETY: the block is free, and of that size.
        unsafe { block.write_bytes(SENSELESS, layout.size()) };
    }

    /// Gives the memory back: when a domain goes.
    pub(crate) fn clear() {
        for (_, (block, layout)) in FREED.with(RefCell::take) {
            // SAFETY: buried once, and from the pool with this layout.
            unsafe { pool::give_block(block, layout) };
        }
    }
}
