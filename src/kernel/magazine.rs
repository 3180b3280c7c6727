//! A thread's free blocks of slabs, between a free and the next allocation of their size: what was
//! used last first, since it is still in the cache, then what is left of a slab. The name is
//! Bonwick and Adams's ("Magazines and vmem", USENIX 2001). What finds no room goes back to its
//! slab, and all goes back when the thread ends.
//!
//! Not under loom, shuttle, Miri or a sanitizer, which would miss uses of freed memory: there all
//! is from the global allocator ([`super::pool`]), as what is not for slabs is everywhere.
//!
//! # Invariants
//! - B9: a block in a magazine is free, the thread's, and of a slab of the depot of its size. The
//!   first word of one that was used leads to the next one.

use std::alloc::Layout;
use std::cell::{Cell, RefCell};

use super::barrier::LINE;
use super::depot::{Depot, Taken};
use super::{pool, slab};
use crate::sync::local;

/// Blocks of one size.
#[derive(Debug)]
struct Magazine {
    used: Cell<*mut Used>,
    used_count: Cell<u32>,
    /// Others, of one word of a slab. Changed in its place: what is written in words is not to be
    /// read back whole.
    rest: RefCell<Taken>,
    /// Used ones beyond those, of one word of a slab, to which they are given back together.
    leaving: RefCell<Taken>,
}

/// What stands in a free block that was used.
#[derive(Debug)]
struct Used {
    next: *mut Used,
}

#[derive(Debug)]
struct Magazines([Magazine; slab::SIZES]);

local!(MAGAZINES: Magazines = Magazines::new());

/// The slabs that have free blocks which no thread keeps, by lines a block.
#[cfg(not(any(loom, shuttle)))]
static DEPOTS: [Depot; slab::SIZES] = [const { Depot::new() }; slab::SIZES];

/// The depot of slabs whose blocks are of so many lines.
fn depot(lines: usize) -> &'static Depot {
    #[cfg(not(any(loom, shuttle)))]
    return &DEPOTS[lines];
    #[cfg(any(loom, shuttle))]
    unreachable!("no block of {lines} lines is from slabs here");
}

/// The lines that an object of this layout takes in a slab; none: it is not in slabs.
const fn lines_of(layout: Layout) -> Option<usize> {
    if cfg!(any(loom, shuttle, miri, skep_sanitize)) {
        return None;
    }
    slab::lines_of(layout)
}

impl Magazine {
    const fn new() -> Self {
        Self {
            used: Cell::new(std::ptr::null_mut()),
            used_count: Cell::new(0),
            rest: RefCell::new(Taken::NOTHING),
            leaving: RefCell::new(Taken::NOTHING),
        }
    }

    #[inline]
    fn take_used(&self) -> Option<*mut u8> {
        let block = self.used.get();
        if block.is_null() {
            return None;
        }
        // SAFETY: B9.
        self.used.set(unsafe { (*block).next });
        self.used_count.set(self.used_count.get() - 1);
        Some(block.cast())
    }

    #[inline]
    fn take(&self, lines: usize) -> *mut u8 {
        self.take_used().unwrap_or_else(|| {
            let mut rest = self.rest.borrow_mut();
            if rest.is_empty() {
                self.fetch(lines, &mut rest);
            }
            rest.next()
        })
    }

    /// Fetches blocks: of those that are leaving, or of the depot.
    #[cold]
    fn fetch(&self, lines: usize, rest: &mut Taken) {
        *rest = self.leaving.replace(Taken::NOTHING);
        if rest.is_empty() {
            *rest = depot(lines).take(lines);
        }
    }

    /// # Safety
    /// The block is free, of a slab of this size, and the caller's.
    #[inline]
    unsafe fn give(&self, lines: usize, block: *mut u8) {
        let count = self.used_count.get();
        if pool::is_enough(count, lines * LINE) {
            // SAFETY: the caller's promise.
            return unsafe { self.send_away(lines, block) };
        }
        let block = block.cast::<Used>();
        let next = self.used.get();
        // SAFETY: B9: large and aligned enough, as blocks of slabs are, and the caller's.
        unsafe { block.write(Used { next }) };
        self.used.set(block);
        self.used_count.set(count + 1);
    }

    /// For what finds no room: neighbours, which often come in a row, go back to their slab as one.
    ///
    /// # Safety
    /// As [`Magazine::give`].
    unsafe fn send_away(&self, lines: usize, block: *mut u8) {
        // SAFETY: the caller's promise.
        let block = unsafe { Taken::of(block) };
        if !self.leaving.borrow_mut().add(block) {
            let leaving = self.leaving.replace(block);
            // SAFETY: B9.
            unsafe { depot(lines).give(leaving) };
        }
    }

    fn empty(&self, lines: usize) {
        while let Some(block) = self.take_used() {
            // SAFETY: B9.
            unsafe { self.send_away(lines, block) };
        }
        for kept in [&self.leaving, &self.rest] {
            let kept = kept.replace(Taken::NOTHING);
            if !kept.is_empty() {
                // SAFETY: B9.
                unsafe { depot(lines).give(kept) };
            }
        }
    }
}

impl Magazines {
    const fn new() -> Self {
        Self([const { Magazine::new() }; slab::SIZES])
    }

    fn empty(&self) {
        for (lines, magazine) in self.0.iter().enumerate() {
            magazine.empty(lines);
        }
    }
}

impl Drop for Magazines {
    fn drop(&mut self) {
        self.empty();
    }
}

/// Gives the thread's blocks back, and all memory that nobody has.
pub(super) fn empty() {
    // A thread whose locals are gone has none.
    let _ = MAGAZINES.try_with(Magazines::empty);
    #[cfg(not(any(loom, shuttle)))]
    DEPOTS.iter().for_each(Depot::trim);
}

/// Memory for a `T`, not filled yet.
#[inline]
pub(super) fn take<T>() -> *mut T {
    let Some(lines) = (const { lines_of(Layout::new::<T>()) }) else {
        return pool::take::<T>();
    };
    let taken = MAGAZINES.try_with(|magazines| magazines.0[lines].take(lines));
    taken.unwrap_or_else(|_| take_one(lines)).cast()
}

/// For a thread whose locals are gone.
#[cold]
fn take_one(lines: usize) -> *mut u8 {
    let mut rest = depot(lines).take(lines);
    let block = rest.next();
    // SAFETY: from there.
    unsafe { depot(lines).give(rest) };
    block
}

/// Gives memory of [`take`] back.
///
/// # Safety
/// It is from there with this type, the caller's, and what was in it is gone.
#[inline]
pub(super) unsafe fn give<T>(pointer: *mut T) {
    let Some(lines) = (const { lines_of(Layout::new::<T>()) }) else {
        // SAFETY: the caller's promise.
        return unsafe { pool::give(pointer) };
    };
    let block = pointer.cast();
    // SAFETY: the caller's promise.
    let given = MAGAZINES.try_with(|magazines| unsafe { magazines.0[lines].give(lines, block) });
    if given.is_err() {
        // SAFETY: the caller's promise.
        unsafe { give_one(lines, block) };
    }
}

/// For a thread whose locals are gone.
///
/// # Safety
/// The block is from one of the slabs of so many lines a block, and the caller's.
#[cold]
unsafe fn give_one(lines: usize, block: *mut u8) {
    // SAFETY: the caller's promise.
    let taken = unsafe { Taken::of(block) };
    // SAFETY: as above.
    unsafe { depot(lines).give(taken) };
}

#[cfg(all(test, not(any(loom, shuttle, miri, skep_sanitize))))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Two kibibytes, less a little: no version of another test is so large.
    type Large = [u64; 249];
    const LINES: usize = 32;

    fn give_all(blocks: Vec<*mut Large>) {
        for block in blocks {
            // SAFETY: the test's, and nothing is in it.
            unsafe { give(block) };
        }
    }

    /// B5, B6, B9.
    #[test]
    fn blocks_are_apart_and_their_slabs_go_with_them() {
        let blocks: Vec<_> = (0..1000).map(|_| take::<Large>()).collect();
        let mut starts: Vec<_> = blocks.iter().map(|block| block.addr()).collect();
        starts.sort_unstable();
        assert!(starts.iter().all(|start| start.is_multiple_of(LINE)));
        let apart = starts.windows(2).all(|two| two[1] - two[0] >= LINES * LINE);
        assert!(apart, "none overlaps another");
        let slabs = depot(LINES).slabs();
        assert!((67..=72).contains(&slabs), "15 blocks a slab: {slabs}");
        let sets: BTreeSet<_> = starts.iter().map(|start| start / LINE % LINES).collect();
        assert!(sets.len() >= 4, "as many colors: {sets:?}");
        give_all(blocks);
        empty();
        assert_eq!(depot(LINES).slabs(), 0, "all went back");
    }

    /// B9: what was used last is used first, and what another thread gives back is used, too.
    #[test]
    fn a_block_is_used_again_and_none_twice() {
        let first = take::<[u64; 200]>();
        // SAFETY: just taken, and nothing is in it.
        unsafe { give(first) };
        let again = take::<[u64; 200]>();
        assert_eq!(first, again);
        let other = take::<[u64; 200]>();
        assert_ne!(again, other);
        // SAFETY: as above.
        unsafe { give(again) };
        // SAFETY: as above.
        unsafe { give(other) };
    }

    /// A block with what its holder wrote into it.
    struct Marked(*mut [u64; 232], u64);

    // SAFETY: a test's block, which one thread has.
    unsafe impl Send for Marked {}

    impl Marked {
        fn take(mark: u64) -> Self {
            let block = take::<[u64; 232]>();
            // SAFETY: just taken.
            unsafe { block.write([mark; 232]) };
            Self(block, mark)
        }

        fn give(self) {
            let Self(block, mark) = self;
            // SAFETY: ours, and filled by `take`.
            assert_eq!(unsafe { block.read() }, [mark; 232], "nobody else has it");
            // SAFETY: as above, and nothing is to be dropped.
            unsafe { give(block) };
        }
    }

    /// B5, B6, B7: threads that give back what others took.
    #[test]
    fn blocks_stay_apart_when_other_threads_give_them_back() {
        const THREADS: usize = 4;
        let (senders, receivers): (Vec<_>, Vec<_>) =
            (0..THREADS).map(|_| std::sync::mpsc::channel()).unzip();
        let receivers = std::thread::scope(|scope| {
            let run = |own: usize, receiver: std::sync::mpsc::Receiver<Marked>| {
                let next = &senders[(own + 1) % senders.len()];
                scope.spawn(move || {
                    let mut kept = Vec::new();
                    for time in 0..20_000 {
                        kept.push(Marked::take((own << 32 | time) as u64));
                        // In waves, of which a third is given back by the next thread.
                        while kept.len() > time % 700 {
                            let block = kept.swap_remove(time % kept.len());
                            match time % 3 {
                                0 => next.send(block).expect("it is there"),
                                _ => block.give(),
                            }
                        }
                        receiver.try_iter().for_each(Marked::give);
                    }
                    kept.into_iter().for_each(Marked::give);
                    receiver
                })
            };
            let numbered = receivers.into_iter().enumerate();
            let threads: Vec<_> = numbered.map(|(own, receiver)| run(own, receiver)).collect();
            let ended = threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"));
            ended.collect::<Vec<_>>()
        });
        for receiver in &receivers {
            receiver.try_iter().for_each(Marked::give);
        }
    }

    #[test]
    fn what_is_small_or_large_or_leaves_much_unused_is_from_the_allocator() {
        /// As large as a line, and on one.
        #[repr(align(64))]
        struct Whole(#[expect(dead_code, reason = "only its size matters")] [u64; 8]);

        assert_eq!(lines_of(Layout::new::<[u64; 8]>()), None);
        assert_eq!(lines_of(Layout::new::<Whole>()), Some(1));
        assert_eq!(lines_of(Layout::new::<[Whole; 3]>()), Some(3));
        assert_eq!(lines_of(Layout::new::<[u64; 55]>()), Some(7));
        // Seven bytes of eight in their lines.
        assert_eq!(lines_of(Layout::new::<[u64; 49]>()), None);
        assert_eq!(lines_of(Layout::new::<[u64; 400]>()), None);
        assert_eq!(lines_of(Layout::new::<()>()), None);
    }
}
