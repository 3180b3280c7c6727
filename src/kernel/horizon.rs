//! Who still reads at which version: snapshot words, pins that keep versions, and the horizon below
//! which nobody reads.
//!
//! # States
//! ```text
//! word = { version: 61 | kind: 3 }
//! FREE --announce--> ANNOUNCED(lower bound) --settle--> READER(version) | WRITER(version)
//!      --end--> FREE
//! ```
//! Only the owner of the word's line takes it; any thread may end it.
//!
//! A view takes none of these words, unless its thread has another view open: what it reads is
//! pinned for as long, so its pin says what it keeps, in a word that counts as one of these while
//! the thread is pinned ([`super::reclaim::Domain::pin_keeping`]). It is announced and settled as
//! they are.
//!
//! # Invariants
//! - H1: a version needed at a settled word's version, or at any version from an announced word's
//!   bound up, is not cut. What a pin keeps is such a word.
//! - H2: the floor never exceeds the watermark less the retention, and no new snapshot is given
//!   below it.
//! - H3: horizon <= floor <= visible; all three only grow.
//!
//! # Orderings
//! - [announce/scan]: store, fence, load on both sides. A scan loads the watermark (or raises the
//!   floor), fences, reads the words; a snapshot stores its word, fences, loads the watermark (or
//!   the floor). Their fence first: we see their floor, and our version is at or above it. Ours
//!   first: they see our word, which holds a bound at or below our version.
//! - [end]: what was read under a word happened before who finds it free cuts: Release in the word,
//!   Acquire fence after the scan. A word is settled behind a SeqCst fence, which releases as well.
//!   So with a pin's end, and what the next one keeps.

use smallvec::SmallVec;

use super::barrier::fence;
use super::reclaim::{Domain, Guard};
use super::session::{Line, Registry, WORDS};
use super::step::{Step, step};
use super::time;
use crate::sync::{AtomicU64, Ordering, Padded};
use crate::version::Moment;

const KIND_BITS: u32 = 3;
const FREE: u64 = 0;
/// The last version that a word has room for; the log makes none after it.
pub(super) const VERSION_MAX: u64 = u64::MAX >> KIND_BITS;

/// A horizon this many commits behind the watermark is held back by a long snapshot.
pub(super) const LAG_LONG: u64 = if cfg!(any(loom, shuttle)) { 2 } else { 1024 };

/// What a word is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads at its version: holds back the cutting of versions.
    Reader = 2,
    /// Reads and will validate: holds back the log, too.
    Writer = 3,
}

const ANNOUNCED: u64 = 1;

fn pack(kind: u64, version: u64) -> u64 {
    version << KIND_BITS | kind
}

fn unpack(word: u64) -> (u64, u64) {
    (word & ((1 << KIND_BITS) - 1), word >> KIND_BITS)
}

/// A taken word. Ending it is its owner's to do: it borrows nothing, so that snapshots may own it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hold {
    word: *const AtomicU64,
    pub(crate) version: u64,
}

// SAFETY: L1: the word lives as long as the registry; it is atomic.
unsafe impl Send for Hold {}
// SAFETY: as above.
unsafe impl Sync for Hold {}

/// Ends a taken word when it goes: also one that is announced, should its thread die before it is
/// settled.
#[derive(Debug)]
pub(super) struct Ending(pub(super) Hold);

impl Drop for Ending {
    fn drop(&mut self) {
        Horizon::end(self.0);
    }
}

/// The watermark, the floor and the horizon of a store.
#[derive(Debug)]
pub(crate) struct Horizon {
    /// The newest version that readers may see.
    pub(super) visible: Padded<AtomicU64>,
    /// The oldest version that a snapshot may still be taken at.
    floor: Padded<AtomicU64>,
    /// Nobody reads below this version.
    horizon: AtomicU64,
    /// How many versions back snapshots may be taken.
    retention: u64,
}

/// Who reads where, as one scan found it.
#[derive(Debug)]
pub(crate) struct Active {
    /// Everything that is newest at some version from here up is needed.
    pub(crate) boundary: u64,
    /// The versions that snapshots read at, ascending, each once.
    held: SmallVec<[u64; 8]>,
    /// Nobody reads below it.
    pub(crate) horizon: u64,
    /// No transaction that may still commit began below it.
    pub(crate) writers: u64,
}

impl Active {
    /// What a word says.
    fn note(&mut self, word: u64) {
        let (kind, version) = unpack(word);
        if kind == FREE {
            return;
        }
        self.horizon = self.horizon.min(version);
        if kind != Kind::Reader as u64 {
            self.writers = self.writers.min(version);
        }
        if kind == ANNOUNCED {
            self.boundary = self.boundary.min(version);
        } else if self.held.last() != Some(&version) {
            self.held.push(version);
        }
    }

    /// Whether some snapshot needs a version that was newest in `[from, until)`.
    pub(crate) fn needs(&self, from: u64, until: u64) -> bool {
        // Of thousands of snapshots most are of versions far from these: found in O(log n).
        let first = self.held.partition_point(|&held| held < from);
        until > self.boundary || self.held.get(first).is_some_and(|&held| held < until)
    }
}

impl Horizon {
    pub(crate) fn new(retention: u64) -> Self {
        Self {
            visible: Padded(AtomicU64::new(0)),
            floor: Padded(AtomicU64::new(0)),
            horizon: AtomicU64::new(0),
            retention,
        }
    }

    /// Before anything else happens: as if so many commits had been made, and nothing was left.
    #[cfg(test)]
    pub(super) fn start_at(&self, version: u64) {
        for place in [&self.visible.0, &self.floor.0, &self.horizon] {
            // Relaxed: nobody else is there yet.
            place.store(version, Ordering::Relaxed);
        }
    }

    /// The newest version that readers may see.
    #[inline]
    pub(crate) fn visible(&self) -> u64 {
        // Acquire: [visible]: every head of that version and before.
        self.visible.load(Ordering::Acquire)
    }

    /// Whether a long snapshot holds the horizon back, about.
    pub(super) fn is_held_back(&self) -> bool {
        self.visible().saturating_sub(self.horizon()) >= LAG_LONG
    }

    /// Nobody reads below it; stale is safe.
    pub(crate) fn horizon(&self) -> u64 {
        // Acquire: [end], handed on by who raised it.
        self.horizon.load(Ordering::Acquire)
    }

    /// A free word of the calling thread's line, announced at the watermark, then settled.
    /// Wait-free: a bounded search of the line, two loads, two stores, one fence. `None`: the
    /// line has no free word.
    #[inline]
    pub(crate) fn begin(&self, line: &Line, kind: Kind) -> Option<Hold> {
        let word = free_word(line)?;
        // Relaxed: any lower bound will do.
        let bound = self.visible.load(Ordering::Relaxed);
        // Release: [end]: who reads this word also sees what was read under its earlier uses.
        word.store(pack(ANNOUNCED, bound), Ordering::Release);
        let announced = Ending(Hold {
            word,
            version: bound,
        });
        step(Step::Announced);
        // SeqCst: [announce/scan].
        fence(Ordering::SeqCst);
        let version = self.visible();
        std::mem::forget(announced);
        // Relaxed: the fence releases what was read under earlier uses: [end].
        word.store(pack(kind as u64, version), Ordering::Relaxed);
        Some(Hold { word, version })
    }

    /// The newest version, kept by a pin of the calling thread, with one fence for both. `None`:
    /// another pin of the thread keeps a version.
    #[inline]
    pub(crate) fn begin_pinned<'d>(
        &self,
        domain: &Domain,
        line: &'d Line,
    ) -> Option<(Guard<'d>, u64)> {
        // Relaxed: any lower bound will do.
        let bound = self.visible.load(Ordering::Relaxed);
        let pin = domain.pin_keeping(line, pack(ANNOUNCED, bound))?;
        step(Step::Announced);
        // SeqCst: [announce/scan], [pin/advance], [pin/retire].
        fence(Ordering::SeqCst);
        let newest = self.visible();
        line.settle(pack(Kind::Reader as u64, newest));
        Some((pin, newest))
    }

    /// The same of a word at an older version, if that is at or above the floor; else the floor.
    pub(crate) fn begin_at(&self, line: &Line, version: u64) -> Option<Result<Hold, u64>> {
        let word = free_word(line)?;
        // Release: [end], as in `begin`.
        word.store(pack(ANNOUNCED, version), Ordering::Release);
        let announced = Ending(Hold { word, version });
        step(Step::AnnouncedAt);
        std::mem::forget(announced);
        // SeqCst: [announce/scan].
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        let floor = self.floor.load(Ordering::Relaxed);
        if version < floor {
            // Relaxed: as in `begin`.
            word.store(FREE, Ordering::Relaxed);
            return Some(Err(floor));
        }
        // Relaxed: as in `begin`.
        word.store(pack(Kind::Reader as u64, version), Ordering::Relaxed);
        Some(Ok(Hold { word, version }))
    }

    /// Ends a word. Any thread, once.
    #[inline]
    pub(crate) fn end(hold: Hold) {
        // SAFETY: L1: whoever owns the hold keeps the registry.
        let word = unsafe { &*hold.word };
        // Release: [end].
        word.store(FREE, Ordering::Release);
    }

    /// Scans all words, raises the floor and the horizon. O(lines).
    pub(crate) fn scan(&self, registry: &Registry) -> Active {
        let boundary = self.visible().saturating_sub(self.retention);
        // AcqRel: [visible], handed on; ordered against words by the fence.
        let boundary = self
            .floor
            .fetch_max(boundary, Ordering::AcqRel)
            .max(boundary);
        // SeqCst: [announce/scan].
        fence(Ordering::SeqCst);
        let mut active = Active {
            boundary,
            held: SmallVec::new(),
            horizon: boundary,
            writers: boundary,
        };
        for line in registry.lines() {
            line.kept().into_iter().for_each(|kept| active.note(kept));
            for word in &line.words {
                // Relaxed: ordered by the fences around the scan.
                active.note(word.load(Ordering::Relaxed));
            }
        }
        active.held.sort_unstable();
        active.held.dedup();
        // Acquire: [end].
        fence(Ordering::Acquire);
        // AcqRel: [end], handed on.
        self.horizon.fetch_max(active.horizon, Ordering::AcqRel);
        active
    }

    /// The oldest versions at which anything reads, and at which a transaction does, about.
    pub(crate) fn oldest_held(registry: &Registry) -> (Option<u64>, Option<u64>) {
        let held = registry.lines().flat_map(|line| {
            // Relaxed: figures.
            let words = line.words.iter().map(|word| word.load(Ordering::Relaxed));
            let words = words.chain(line.kept());
            words.map(unpack).filter(|(kind, _)| *kind != FREE)
        });
        // No version is as high as that (G7).
        let nobody = (u64::MAX, u64::MAX);
        let (any, writer) = held.fold(nobody, |(any, writer), (kind, version)| {
            let writes = kind == Kind::Writer as u64;
            let by_writer = if writes { version } else { u64::MAX };
            (any.min(version), writer.min(by_writer))
        });
        let known = |oldest| (oldest != u64::MAX).then_some(oldest);
        (known(any), known(writer))
    }

    /// How many words are in use, and pins keep versions, about.
    pub(crate) fn held(registry: &Registry) -> usize {
        let each = registry.lines().map(|line| {
            // Relaxed: a figure.
            let words = line.words.iter().map(|word| word.load(Ordering::Relaxed));
            words
                .chain(line.kept())
                .filter(|&word| word != FREE)
                .count()
        });
        each.sum()
    }

    /// Notes when a transaction begins, in its thread's line.
    #[cold]
    pub(crate) fn note_begin(line: &Line, hold: &Hold) {
        let mut places = line.words.iter().zip(&line.began);
        if let Some((_, began)) = places.find(|(word, _)| std::ptr::eq(*word, hold.word)) {
            // Relaxed: a figure.
            began.store(time::now().word(), Ordering::Relaxed);
        }
    }

    /// When the transaction began that has been open longest, about, of those whose begin was
    /// noted. `None`: there is none.
    pub(crate) fn longest_open(registry: &Registry) -> Option<Moment> {
        let began = registry.lines().flat_map(|line| {
            let words = line.words.iter().zip(&line.began);
            words.filter_map(|(word, began)| {
                // Relaxed: figures.
                let (kind, _) = unpack(word.load(Ordering::Relaxed));
                // Relaxed: as above.
                (kind == Kind::Writer as u64).then(|| began.load(Ordering::Relaxed))
            })
        });
        let began = began.map(Moment::of_word);
        let noted = began.filter(|&began| began != Moment::UNKNOWN);
        noted.min_by_key(|began| began.word())
    }

    /// The oldest version that a snapshot may be taken at, about.
    pub(crate) fn oldest(&self) -> u64 {
        // Relaxed: a figure; `begin_at` decides.
        let floor = self.floor.load(Ordering::Relaxed);
        floor.max(self.visible().saturating_sub(self.retention))
    }
}

/// A free word of the calling thread's line.
#[inline]
fn free_word(line: &Line) -> Option<&AtomicU64> {
    (0..WORDS).map(|at| &line.words[at]).find(|word| {
        // Acquire: [end]: another thread may have ended it.
        word.load(Ordering::Acquire) == FREE
    })
}
