//! What is retired, from the operation that did until it is freed: in *bags*, which one operation
//! fills and which change hands whole.
//!
//! ```text
//! operation's --give--> in limbo --ripen--> ready --take--> emptied, one thing after the other
//! ```

use std::alloc::Layout;
use std::mem::MaybeUninit;

use super::memory::{Block, adopt, allocate_struct, free, free_block, own};
use super::slab;
use super::stack::Linked;

/// Retired things in a bag: as many as fill a block of a slab ([`super::slab`]), so that who frees
/// what another has retired need not ask the allocator, which may take a lock.
const BAG: usize = if cfg!(any(loom, shuttle)) { 6 } else { 12 };

/// Frees so many of what a pointer leads to; what is left, or null.
pub(crate) type Part = unsafe fn(*mut (), usize) -> *mut ();

/// What to do with something retired, once nobody can see it any more.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    /// Plain memory: give it to this function.
    Free(unsafe fn(*mut ())),
    /// Plain memory in many pieces: give it to this function, and what it leaves to it again later.
    Part(Part),
    /// A chain link, a commit, a cut to be made: `collect` knows how.
    Kernel(super::collect::Work),
}

/// One retired thing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retired {
    pub(crate) pointer: *mut (),
    pub(crate) action: Action,
}

/// Frees all of what was retired by parts.
///
/// # Safety
/// R3 holds for all of it, and the caller is the only one who has it.
pub(super) unsafe fn free_all(mut pointer: *mut (), part: Part) {
    while !pointer.is_null() {
        // SAFETY: the caller's promise; what is left, too, is the caller's.
        pointer = unsafe { part(pointer, usize::MAX) };
    }
}

/// Retired things of one operation, and the epoch in which it gave them.
#[derive(Debug)]
pub(super) struct Bag {
    pub(super) stamp: u64,
    pub(super) next: *mut Bag,
    /// Those that were taken, and those that were put.
    taken: u32,
    count: u32,
    /// So many of them, from the first on.
    items: [MaybeUninit<Retired>; BAG],
}

impl Linked for Bag {
    fn next(&mut self) -> &mut *mut Self {
        &mut self.next
    }
}

const _: () = assert!(
    cfg!(any(loom, shuttle)) || slab::lines_of(Layout::new::<Bag>()).is_some(),
    "a bag fills a block of a slab"
);

impl Bag {
    #[inline]
    fn put(&mut self, retired: Retired) {
        self.items[self.count as usize].write(retired);
        self.count += 1;
    }

    /// Takes up to `wanted`, as one piece of memory.
    #[inline]
    fn take(&mut self, wanted: usize) -> &[Retired] {
        let rest = &self.items[self.taken as usize..self.count as usize];
        let rest = &rest[..wanted.min(rest.len())];
        self.taken += rest.len() as u32;
        // SAFETY: `put` filled the first `count`, of which these are some.
        unsafe { &*(std::ptr::from_ref(rest) as *const [Retired]) }
    }
}

/// What one operation retires; given to the domain whole, when the operation is over.
#[derive(Debug)]
pub(crate) struct Garbage {
    /// Bags of its own, all but the last full; null as long as there is nothing.
    first: *mut Bag,
    last: *mut Bag,
    count: usize,
}

// SAFETY: R1: whoever holds the Garbage owns what it leads to, and all of it is Send (T, keys and
// values of tables are Send).
unsafe impl Send for Garbage {}

impl Default for Garbage {
    fn default() -> Self {
        Self {
            first: std::ptr::null_mut(),
            last: std::ptr::null_mut(),
            count: 0,
        }
    }
}

impl Garbage {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Frees `pointer` (from [`super::memory::allocate`]) when nobody can see it any more.
    ///
    /// # Safety
    /// R1: it is unlinked, nobody links it again, and nobody else retires it.
    pub(crate) unsafe fn retire<T>(&mut self, pointer: *mut T) {
        unsafe fn free_as<T>(pointer: *mut ()) {
            // SAFETY: `retire` took this pointer as one to a T from `allocate`, and R3 says nobody
            // sees it.
            unsafe { free(pointer.cast::<T>()) };
        }
        self.push(pointer.cast(), Action::Free(free_as::<T>));
    }

    /// Frees a block (from [`super::memory::allocate_block`], as a `B`) when nobody can see it any
    /// more.
    ///
    /// # Safety
    /// As [`Garbage::retire`].
    pub(super) unsafe fn retire_block<B: Block + ?Sized>(&mut self, block: *mut ()) {
        unsafe fn free_as<B: Block + ?Sized>(block: *mut ()) {
            // SAFETY: `retire_block` took this pointer as one to a B, and R3 says nobody sees it.
            unsafe { free_block::<B>(block) };
        }
        self.push(block, Action::Free(free_as::<B>));
    }

    /// Has `part` free some of what the pointer leads to when nobody can see it any more, and some
    /// time later some of what that leaves, and so on: so that nobody frees all of it at once.
    ///
    /// # Safety
    /// As [`Garbage::retire`] for all of it; and `part` takes the pointer, and what it has left.
    pub(super) unsafe fn retire_by_parts(&mut self, pointer: *mut (), part: Part) {
        self.push(pointer, Action::Part(part));
    }

    /// Has `collect` do `work` on `pointer` when nobody can see it any more.
    pub(super) fn defer<T>(&mut self, pointer: *mut T, work: super::collect::Work) {
        self.push(pointer.cast(), Action::Kernel(work));
    }

    #[inline]
    fn push(&mut self, pointer: *mut (), action: Action) {
        if self.count.is_multiple_of(BAG) {
            self.add_bag();
        }
        // SAFETY: a bag of ours, that nobody else knows.
        let bag = unsafe { own(self.last) };
        bag.put(Retired { pointer, action });
        self.count += 1;
    }

    #[inline(never)]
    fn add_bag(&mut self) {
        let bag = allocate_struct!(Bag {
            stamp: 0,
            next: std::ptr::null_mut(),
            taken: 0,
            count: 0,
        } unfilled items);
        let before = std::mem::replace(&mut self.last, bag);
        if before.is_null() {
            self.first = bag;
        } else {
            // SAFETY: a bag of ours, that nobody else knows.
            unsafe { own(before) }.next = bag;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// The bags, which are the caller's now, stamped.
    pub(super) fn into_bags(mut self, stamp: u64) -> *mut Bag {
        let first = std::mem::replace(&mut self.first, std::ptr::null_mut());
        let mut bag = first;
        while !bag.is_null() {
            // SAFETY: a bag of ours, that nobody else knows.
            let own = unsafe { adopt(bag) };
            own.stamp = stamp;
            bag = own.next;
        }
        first
    }
}

/// What was not given is leaked: nobody says when it may be freed.
impl Drop for Garbage {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: bags of ours, that nobody else knows.
        unsafe { take(&mut self.first, usize::MAX, |_| ()) };
    }
}

/// The next things of a chain of bags, up to `wanted`, given to `each` bag by bag; what is empty is
/// freed. How many there were.
///
/// # Safety
/// The chain is the caller's alone.
#[inline]
pub(super) unsafe fn take(
    chain: &mut *mut Bag,
    wanted: usize,
    mut each: impl FnMut(&[Retired]),
) -> usize {
    let mut left = wanted;
    while left > 0 && !chain.is_null() {
        // SAFETY: the caller's promise.
        let bag = unsafe { own(*chain) };
        let taken = bag.take(left);
        left -= taken.len();
        each(taken);
        if bag.taken == bag.count {
            let done = std::mem::replace(chain, bag.next);
            // SAFETY: the caller's promise, and it is off the chain.
            unsafe { free_bag(done) };
        }
    }
    wanted - left
}

/// # Safety
/// As [`free`]. Apart, so that taking is short.
#[inline(never)]
unsafe fn free_bag(bag: *mut Bag) {
    // SAFETY: the caller's promise.
    unsafe { free(bag) };
}
