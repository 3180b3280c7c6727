//! A slab: 32 KiB of memory for blocks of one size, each alone on its lines.
//!
//! An allocator puts blocks of 449 to 512 bytes 512 bytes apart, those of 897 to 1,024 a kibibyte:
//! their first lines, which readers go to, share an eighth or a sixteenth of a cache's sets and
//! drive one another out, while the rest of the cache stays empty. So the blocks of a slab begin
//! some lines further on than those of the slab before, in turn: their *color* (Bonwick, "The slab
//! allocator: an object-caching kernel memory allocator", USENIX Summer 1994, section 4).
//!
//! What is stored in a block begins at a line, and fills its lines at least to nine tenths: what
//! does not, or is small, or large, is the allocator's. A slab begins at a multiple of its size, so
//! that a block's address says which one it is of.
//!
//! # Invariants
//! - B5: a block of a slab has one holder: who took it, or the slab, which has its bit in `free`.
//! - B6: a slab stays while anybody has a block of it or it is [`LISTED`]. Who takes it off the
//!   list, or finds as it gives blocks back that it is not listed and all are free, has it.
//! - B12: blocks are counted as held until after their bits are set in `free`: who finds that none
//!   are held finds all bits set.
//!
//! # Orderings
//! - [given]: giving blocks back (Release) and taking what is free (Acquire): who takes a block
//!   does so after all that others did with it.
//! - [held]: counting blocks as given back or taken (Release) and going by that count (Acquire):
//!   who finds that none are held has the slab after all that others did with it.

use std::alloc::Layout;

use super::barrier::LINE;
use super::depot::Place;
use super::memory::at;
use crate::sync::{AtomicU64, Ordering};

/// Bytes of a slab, which begins at a multiple of them.
pub(super) const SLAB_BYTES: usize = 32 << 10;
const LINES: usize = SLAB_BYTES / LINE;
/// Lines of its head.
const HEAD_LINES: usize = 2;
/// Colors at most.
const COLORS_MAX: usize = 8;
/// The bit that says that the slab is on the list, or about to be.
const LISTED: u64 = 1 << 63;
/// Words of `free` at most.
const WORDS_MAX: usize = if cfg!(loom) { 2 } else { 8 };
/// A slab is listed as soon as one in so many of its blocks is free: whoever takes it off the list
/// is to get some at once.
const LISTED_AT: u64 = 16;
/// Sizes of what slabs have blocks for, unless it asks for lines of its own: smaller blocks fill a
/// cache's sets however they lie, and of larger ones a slab would have few.
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
    let fits = size <= BYTES_MAX && layout.align() <= LINE;
    let gains = size >= BYTES_MIN || (size > 0 && layout.align() == LINE);
    let fills = size * 100 >= lines * LINE * FILLED_PERCENT;
    if fits && gains && fills {
        Some(lines)
    } else {
        None
    }
}

/// How the blocks of so many lines lie in a slab.
#[derive(Clone, Copy, Debug)]
struct Shape {
    lines: usize,
    blocks: usize,
    /// By how many lines the blocks of some slabs begin later, and one: so they begin in all sets
    /// of a cache.
    colors: usize,
    /// Words that have the blocks' bits, and how many each has.
    words: usize,
    word_blocks: usize,
}

/// What a slab begins with.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Slab {
    /// How many blocks are held, those that are being given back among them; and [`LISTED`].
    state: AtomicU64,
    place: Place,
    lines: usize,
    /// A bit a block: it is the slab's.
    free: [AtomicU64; WORDS_MAX],
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

/// Blocks of a slab, of one word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blocks {
    pub(crate) word: usize,
    /// Their bits.
    pub(crate) bits: u64,
}

/// The shapes of all sizes.
static SHAPES: [Shape; SIZES] = {
    let mut shapes = [Shape::new(1); SIZES];
    let mut lines = 1;
    while lines < SIZES {
        shapes[lines] = Shape::new(lines);
        lines += 1;
    }
    shapes
};

impl Shape {
    const fn new(lines: usize) -> Self {
        let colors = if lines < COLORS_MAX {
            lines
        } else {
            COLORS_MAX
        };
        let room = (LINES - HEAD_LINES - (colors - 1)) / lines;
        let blocks = if cfg!(loom) { WORDS_MAX } else { room };
        let words = if cfg!(loom) {
            WORDS_MAX
        } else {
            blocks.div_ceil(u64::BITS as usize)
        };
        Self {
            lines,
            blocks,
            colors,
            words,
            word_blocks: blocks.div_ceil(words),
        }
    }

    #[inline]
    fn of(lines: usize) -> Self {
        SHAPES[lines]
    }

    /// The bits of a word's blocks.
    fn bits(self, word: usize) -> u64 {
        let first = word * self.word_blocks;
        let count = self.word_blocks.min(self.blocks - first);
        u64::MAX >> (u64::BITS as usize - count)
    }
}

impl Slab {
    /// A new one, as who has just taken it off the list has it.
    pub(super) fn new(place: Place, lines: usize) -> Self {
        const {
            assert!(cfg!(any(loom, shuttle)) || size_of::<Self>() <= HEAD_LINES * LINE);
        };
        let shape = Shape::of(lines);
        let bits = |word| {
            if word < shape.words {
                shape.bits(word)
            } else {
                0
            }
        };
        Self {
            state: AtomicU64::new(LISTED),
            place,
            lines,
            free: std::array::from_fn(|word| AtomicU64::new(bits(word))),
        }
    }

    /// Where it stands in its depot.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The line at which the first block begins.
    fn first_line(&self, shape: Shape) -> usize {
        HEAD_LINES + self.place.index() % shape.colors
    }

    /// A block, by its place in a word.
    ///
    /// # Safety
    /// `slab` is alive (B6), and has such a block.
    pub(super) unsafe fn block(slab: *const Self, word: usize, bit: u32) -> *mut u8 {
        // SAFETY: the caller's promise.
        let head = unsafe { at(slab) };
        let shape = Shape::of(head.lines);
        let number = word * shape.word_blocks + bit as usize;
        let line = head.first_line(shape) + number * shape.lines;
        slab.cast_mut().cast::<u8>().wrapping_add(line * LINE)
    }

    /// The slab of a block, and which it is.
    ///
    /// # Safety
    /// It is from [`Slab::block`], and the caller's.
    pub(super) unsafe fn of(block: *mut u8) -> (*const Self, Blocks) {
        // The block's pointer may be one to it alone; that of its place was exposed.
        let start = block.addr() & !(SLAB_BYTES - 1);
        let slab: *const Self = std::ptr::with_exposed_provenance(start);
        // SAFETY: B6: the caller has a block of it.
        let head = unsafe { at(slab) };
        let shape = Shape::of(head.lines);
        let line = (block.addr() - start) / LINE;
        let number = (line - head.first_line(shape)) / shape.lines;
        let word = number / shape.word_blocks;
        let bits = 1 << (number % shape.word_blocks);
        (slab, Blocks { word, bits })
    }

    /// Gives blocks back. The slab may be gone after that, unless the caller has it.
    ///
    /// # Safety
    /// The blocks are of this slab, and the caller's (B6).
    pub(super) unsafe fn give(slab: *const Self, blocks: Blocks) -> Given {
        // SAFETY: the caller's promise: it stays until the blocks are counted.
        let all = Shape::of(unsafe { at(slab) }.lines).blocks as u64;
        // SAFETY: as above; reached as what others change, which may go meanwhile.
        let free = unsafe { &(&(*slab).free)[blocks.word] };
        // Release: [given]: our uses happened before.
        free.fetch_or(blocks.bits, Ordering::Release);
        // SAFETY: as above.
        let state = unsafe { &(*slab).state };
        let held_most = all - (all / LISTED_AT).max(1);
        // Relaxed: a first guess.
        let mut before = state.load(Ordering::Relaxed);
        loop {
            let listed = before & LISTED;
            let held = (before & !LISTED) - u64::from(blocks.bits.count_ones());
            let lists = listed == 0 && held != 0 && held <= held_most;
            let after = held | if lists { LISTED } else { listed };
            // AcqRel: [held].
            let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
            let given = state.compare_exchange(before, after, success, failure);
            match given {
                Err(found) => before = found,
                Ok(_) if lists => return Given::Unlisted,
                Ok(_) if held != 0 => return Given::Known,
                Ok(_) if listed == 0 => return Given::All,
                Ok(_) => return Given::AllListed,
            }
        }
    }

    /// Free blocks, of which there are some, and whether it stays listed, since more are free. For
    /// who took the slab off the list.
    pub(super) fn take(&self) -> (Blocks, bool) {
        let shape = Shape::of(self.lines);
        let words = self.free.iter().enumerate().take(shape.words);
        // Acquire: [given].
        let mut taken = words.map(|(word, free)| (word, free.swap(0, Ordering::Acquire)));
        let (word, bits) = taken.find(|&(_, bits)| bits != 0).unwrap_or((0, 0));
        assert_ne!(bits, 0, "B12: what is listed has free blocks");
        let all = shape.blocks as u64;
        // Relaxed: a first guess.
        let mut before = self.state.load(Ordering::Relaxed);
        loop {
            // B12: more may be held than there are, while blocks that we have taken are not yet
            // counted by who gave them back.
            let held = (before & !LISTED) + u64::from(bits.count_ones());
            let more = held < all;
            let after = held | if more { LISTED } else { 0 };
            // AcqRel: [held]: who is told that more are free, by our listing it again or by
            // somebody else's listing it after this, finds their bits.
            let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
            match self.state.compare_exchange(before, after, success, failure) {
                Err(found) => before = found,
                Ok(_) => return (Blocks { word, bits }, more),
            }
        }
    }

    /// Whether all blocks are free. For who took the slab off the list, whose it is then.
    pub(super) fn is_free(&self) -> bool {
        // Acquire: [held].
        self.state.load(Ordering::Acquire) & !LISTED == 0
    }
}
