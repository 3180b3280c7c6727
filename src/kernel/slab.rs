//! A slab: memory for blocks of one size, each alone on its lines.
//!
//! An allocator puts blocks of 449 to 512 bytes 512 bytes apart, those of 897 to 1,024 a kibibyte:
//! their first lines, which readers go to, share an eighth or a sixteenth of a cache's sets and
//! drive one another out, while the rest of the cache stays empty. So the blocks of a slab begin
//! some lines further on than those of the slab before, in turn: their *color* (Bonwick, "The slab
//! allocator: an object-caching kernel memory allocator", USENIX Summer 1994, section 4).
//!
//! What is stored in a block begins at a line, and fills its lines at least to nine tenths: what
//! does not, or is small, or large, is the allocator's.
//!
//! # Invariants
//! - B5: a block of a slab has one holder: who took it, or the slab, which has its bit in `free`.
//! - B6: a slab stays while anybody has a block of it or it is [`LISTED`]. Who takes it off the
//!   list, or finds as it gives blocks back that it is not listed and all are free, has it.
//!
//! # Orderings
//! - [given]: giving blocks back (Release) and taking what is free (Acquire): who takes a block, or
//!   frees the slab, does so after all that others did with it.

use std::alloc::Layout;

use super::barrier::LINE;
use super::depot::Place;
use super::memory::{Block, at};
use crate::sync::{AtomicU64, Ordering};

/// Lines of a slab at most: with what an allocator may add for the alignment it is 32 KiB.
const LINES_MAX: usize = (32 << 10) / LINE - 1;
/// Colors at most.
const COLORS_MAX: usize = 8;
/// The bit that says that the slab is on the list, or about to be.
const LISTED: u64 = 1 << 63;
/// Blocks of a slab: a bit each, beside that one.
const BLOCKS_MAX: usize = if cfg!(loom) { 2 } else { 63 };
/// A slab is listed as soon as one in so many of its blocks is free: whoever takes it off the list
/// is to get some at once.
const LISTED_AT: u32 = 16;
/// Sizes of what slabs have blocks for: smaller blocks fill a cache's sets however they lie, and of
/// larger ones a slab would have few.
const BYTES_MIN: usize = 192;
const BYTES_MAX: usize = 2048;
/// Of the lines that a block takes, what is stored there fills so much at least: else too much
/// memory would be lost by it.
const FILLED_PERCENT: usize = 90;

/// Sizes of blocks, in lines, and one more.
pub(super) const SIZES: usize = BYTES_MAX / LINE + 1;

/// The lines that what has this layout takes of a slab; none: it is not for slabs.
pub(super) const fn lines_of(layout: Layout) -> Option<usize> {
    let (size, lines) = (layout.size(), layout.size().div_ceil(LINE));
    let fits = size >= BYTES_MIN && size <= BYTES_MAX && layout.align() <= LINE;
    let fills = size * 100 >= lines * LINE * FILLED_PERCENT;
    if fits && fills { Some(lines) } else { None }
}

/// What a slab begins with: a line.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Slab {
    /// A bit a block, and [`LISTED`].
    free: AtomicU64,
    place: Place,
    lines: usize,
}

/// What giving blocks back has led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Others know of them, or will.
    Known,
    /// The caller is to put the slab on the list.
    Unlisted,
    /// All blocks are free, and the slab is on the list, or about to be: it may be taken off it.
    AllListed,
    /// All blocks are free, and the slab is the caller's.
    All,
}

/// How many blocks of so many lines a slab has.
const fn blocks_of(lines: usize) -> usize {
    let room = (LINES_MAX - colors_of(lines)) / lines;
    if room < BLOCKS_MAX { room } else { BLOCKS_MAX }
}

/// By how many lines the blocks of some slabs begin later, less one: by 2^n lines apart, they begin
/// in each 2^n-th set.
const fn colors_of(lines: usize) -> usize {
    let colors = 1 << lines.trailing_zeros();
    if colors < COLORS_MAX {
        colors
    } else {
        COLORS_MAX
    }
}

/// The layout of a slab whose blocks are of so many lines.
pub(super) fn layout_of(lines: usize) -> Layout {
    // The head has a line, which the first color's blocks begin after.
    let all = colors_of(lines) + blocks_of(lines) * lines;
    Layout::from_size_align(all * LINE, LINE).expect("a line is a power of two")
}

impl Block for Slab {
    unsafe fn layout(block: *const ()) -> Layout {
        // SAFETY: the caller's promise.
        layout_of(unsafe { at(block.cast::<Self>()) }.lines)
    }
}

impl Slab {
    /// A new one, all of whose blocks are the caller's.
    pub(super) fn new(place: Place, lines: usize) -> Self {
        const { assert!(cfg!(any(loom, shuttle)) || size_of::<Self>() <= LINE) };
        Self {
            free: AtomicU64::new(0),
            place,
            lines,
        }
    }

    /// Where it stands in its depot.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The bits of all blocks.
    pub(super) fn all(lines: usize) -> u64 {
        (1 << blocks_of(lines)) - 1
    }

    /// The line at which a block begins.
    fn line(&self, number: usize) -> usize {
        1 + self.place.index() % colors_of(self.lines) + number * self.lines
    }

    /// A block, by its number; and the line at which it begins.
    ///
    /// # Safety
    /// `slab` is alive (B6), and has so many blocks.
    pub(super) unsafe fn block(slab: *const Self, number: usize) -> (*mut u8, u16) {
        // SAFETY: the caller's promise.
        let line = unsafe { at(slab) }.line(number);
        let block = slab.cast_mut().cast::<u8>().wrapping_add(line * LINE);
        (block, line as u16)
    }

    /// The slab of a block, and the block's bit.
    ///
    /// # Safety
    /// It is from [`Slab::block`], with that line, and the caller's.
    pub(super) unsafe fn of(block: *mut u8, line: u16) -> (*const Self, u64) {
        let line = usize::from(line);
        let slab = block.wrapping_sub(line * LINE).cast::<Self>().cast_const();
        // SAFETY: B6: the caller has a block of it.
        let head = unsafe { at(slab) };
        (slab, 1 << ((line - head.line(0)) / head.lines))
    }

    /// Gives blocks back. The slab may be gone after that, unless the caller has it.
    ///
    /// # Safety
    /// The blocks are of this slab, and the caller's (B6).
    pub(super) unsafe fn give(slab: *const Self, blocks: u64) -> Given {
        // SAFETY: the caller's promise: it stays until the blocks are given back.
        let lines = unsafe { at(slab) }.lines;
        let all = Self::all(lines);
        let listed_at = (all.count_ones() / LISTED_AT).max(1);
        // SAFETY: as above; reached as what others change, which may go meanwhile.
        let word = unsafe { &(*slab).free };
        // Relaxed: a first guess.
        let mut before = word.load(Ordering::Relaxed);
        loop {
            let (free, listed) = (before & all | blocks, before & LISTED);
            let lists = listed == 0 && free != all && free.count_ones() >= listed_at;
            let after = free | if lists { LISTED } else { listed };
            // AcqRel: [given]: our uses happened before; who finds all free has them all.
            let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
            let given = word.compare_exchange(before, after, success, failure);
            match given {
                Err(found) => before = found,
                Ok(_) if lists => return Given::Unlisted,
                Ok(_) if free != all => return Given::Known,
                Ok(_) if listed == 0 => return Given::All,
                Ok(_) => return Given::AllListed,
            }
        }
    }

    /// All that is free; for who took the slab off the list.
    pub(super) fn take(&self) -> u64 {
        // Acquire: [given].
        self.free.swap(0, Ordering::Acquire) & !LISTED
    }
}
