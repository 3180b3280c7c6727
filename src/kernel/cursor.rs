//! Cursors: from where in the log watchers read on, and up to where nobody needs it.
//!
//! # States
//! ```text
//! word = position + 1, or 0
//! 0 --announce--> a lower bound --settle--> position --move--> ... --end--> 0
//! ```
//!
//! # Invariants
//! - W1: what comes after a cursor's position is not trimmed, while the cursor is within its lag
//!   and the log within its bound. One that is ignored because it lags too far finds its slot
//!   trimmed, and knows.
//! - W2: unread <= floor <= visible; all three only grow. No cursor is placed below the floor.
//! - W3: what is at or below `unread` is needed by no cursor, ever: so it stands until cursors are
//!   walked again, however many come and go meanwhile.
//!
//! # Orderings
//! - [announce/walk]: store, fence, load on both sides, as for snapshots ([`super::horizon`]). A
//!   walk raises the floor, fences, reads the words. A cursor stores its word, fences, loads the
//!   watermark (or, placed at an older position, the floor). Their fence first: we see their floor,
//!   or a watermark at or above it, and are placed at or above it, so above what they let go. Ours
//!   first: they see our word, which holds our position or a bound below it.
//! - A [`Station`] is read in a walk as a word is: who subscribes counts itself, fences, and begins
//!   at a watermark that it loads then.
//! - [cursor]: what was read under a cursor happened before the trimming that it held back: Release
//!   in the word, Acquire fence after the walk, handed on by `unread` (AcqRel).
//!
//! # Cost
//! A walk costs the cursors that there are (and a line for each chunk of slots that there were
//! once, [`super::slots`]). So it is made only if the log could be trimmed by it, and when as many
//! versions have passed as the last one cost lines: committers pay for one line a commit at most,
//! and the log is kept longer by no more commits than there are cursors.

use super::Kernel;
use super::barrier::fence;
use super::slots::{Slot, Slots};
use super::station::Station;
use super::step::{Step, step};
use crate::sync::{Arc, AtomicU64, Ordering, Padded};

/// All cursors of a store.
#[derive(Debug)]
pub(super) struct Cursors {
    slots: Slots,
    /// No cursor is placed below it any more.
    floor: Padded<AtomicU64>,
    /// Up to here no cursor needs the log.
    unread: AtomicU64,
    /// At this version cursors may be walked again.
    due: AtomicU64,
    /// From where those read on who deliver to watchers.
    pub(super) stations: [Padded<Station>; STATIONS],
}

/// How many stations there are.
pub(crate) const STATIONS: usize = if cfg!(loom) { 1 } else { 8 };

/// How much may be spent on looking where cursors stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// What committers can bear: see the module's documentation.
    Fair,
    /// Whatever it takes.
    Full,
}

impl Cursors {
    pub(super) fn new() -> Self {
        Self {
            slots: Slots::new(),
            floor: Padded(AtomicU64::new(0)),
            unread: AtomicU64::new(0),
            due: AtomicU64::new(0),
            stations: std::array::from_fn(|_| Padded(Station::new())),
        }
    }

    /// How many cursors there are, about.
    pub(super) fn count(&self) -> u64 {
        self.slots.taken()
    }

    /// Up to where the log may be trimmed, as far as cursors are concerned, at most about `wanted`;
    /// those below `lag_bound` are ignored.
    pub(super) fn unread(&self, wanted: u64, lag_bound: u64, visible: u64, effort: Effort) -> u64 {
        // Acquire: [cursor].
        let known = self.unread.load(Ordering::Acquire);
        // Relaxed: a hint.
        let due = effort == Effort::Full || visible >= self.due.load(Ordering::Relaxed);
        if wanted <= known || !due {
            return known;
        }
        // Relaxed: ordered against the words by the fence; a floor that another raised serves us.
        self.floor.fetch_max(wanted, Ordering::Relaxed);
        // SeqCst: [announce/walk].
        fence(Ordering::SeqCst);
        let mut oldest = wanted;
        let looked_at = self.slots.each_word(|word| {
            if word != 0 {
                oldest = oldest.min(word - 1);
            }
        });
        let needed = self.stations.iter().filter_map(|station| station.needed());
        let oldest = needed.fold(oldest, u64::min);
        // Acquire: [cursor].
        fence(Ordering::Acquire);
        let position = oldest.max(lag_bound).min(wanted);
        // AcqRel: [cursor], handed on.
        let known = self.unread.fetch_max(position, Ordering::AcqRel);
        // Relaxed: a hint.
        self.due.store(visible + looked_at, Ordering::Relaxed);
        position.max(known)
    }
}

/// A position in the log from which somebody reads on: what comes after it is not trimmed, up to
/// the lag that watchers may have.
#[derive(Debug)]
pub(crate) struct Cursor {
    kernel: Arc<Kernel>,
    slot: Slot,
    /// The last version read.
    position: u64,
}

impl Cursor {
    /// A cursor at the watermark. Lock-free.
    pub(crate) fn new(kernel: &Arc<Kernel>) -> Self {
        let mut cursor = Self::taken(kernel);
        // Relaxed: any lower bound will do.
        let bound = kernel.horizon.visible.load(Ordering::Relaxed);
        cursor.announce(bound);
        step(Step::Positioned);
        cursor.move_to(kernel.horizon.visible());
        cursor
    }

    /// A cursor at an older position, from which on the log is kept; `Err`: it is not, but from
    /// there on. Lock-free.
    pub(crate) fn at(kernel: &Arc<Kernel>, position: u64) -> Result<Self, u64> {
        let mut cursor = Self::taken(kernel);
        cursor.position = position;
        cursor.announce(position);
        let oldest = kernel.oldest_position();
        if position < oldest {
            return Err(oldest);
        }
        Ok(cursor)
    }

    fn taken(kernel: &Arc<Kernel>) -> Self {
        Self {
            kernel: Arc::clone(kernel),
            slot: kernel.cursors.slots.take(),
            position: 0,
        }
    }

    fn announce(&self, bound: u64) {
        // Relaxed: ordered by the fence below.
        self.slot.word().store(Self::pack(bound), Ordering::Relaxed);
        // SeqCst: [announce/walk].
        fence(Ordering::SeqCst);
    }

    fn pack(position: u64) -> u64 {
        position + 1
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    #[cfg(loom)]
    pub(crate) fn kernel(&self) -> &Arc<Kernel> {
        &self.kernel
    }

    pub(crate) fn move_to(&mut self, position: u64) {
        debug_assert!(position >= self.position, "a cursor goes forward");
        self.position = position;
        // Release: [cursor]: what was read before it happened before the trimming.
        self.slot
            .word()
            .store(Self::pack(position), Ordering::Release);
    }
}

impl Kernel {
    /// The oldest position that a cursor may be placed at now.
    pub(crate) fn oldest_position(&self) -> u64 {
        // Relaxed: ordered by the fence of who announced a cursor; else a figure.
        let floor = self.cursors.floor.load(Ordering::Relaxed);
        floor.max(self.log.trimmed())
    }

    /// Where a watcher goes on that the log has left behind: what is older is gone, or about to go.
    pub(crate) fn resume_position(&self, visible: u64) -> u64 {
        let lag_bound = visible.saturating_sub(self.limits.watch_commits);
        let trimmed = self.log.trimmed();
        self.oldest_position().min(lag_bound).max(trimmed)
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        // Release: [cursor].
        self.slot.word().store(0, Ordering::Release);
        self.kernel.cursors.slots.leave(&self.slot);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::kernel::{HistoryLimits, Limits};

    fn kernel() -> Arc<Kernel> {
        let limits = Limits {
            retention: 0,
            log_commits: 1 << 20,
            watch_commits: 1 << 30,
            history: HistoryLimits::NONE,
        };
        Kernel::new(limits, Vec::new())
    }

    /// Moves the watermark without a log.
    fn show(kernel: &Kernel, version: u64) {
        // Relaxed: nobody else is there.
        kernel.horizon.visible.fetch_max(version, Ordering::Relaxed);
    }

    /// Goes on by `commits`, a slice of collection every 32; the lines looked at.
    fn lines_looked_at(kernel: &Kernel, commits: u64) -> u64 {
        let from = kernel.horizon.visible();
        let mut lines = 0;
        for version in (from..from + commits)
            .step_by(32)
            .map(|version| version + 32)
        {
            show(kernel, version);
            // Relaxed: nobody else is there.
            let before = kernel.cursors.due.load(Ordering::Relaxed);
            kernel.cursors.unread(version, 0, version, Effort::Fair);
            // Relaxed: as above. A walk leaves its cost here.
            let due = kernel.cursors.due.load(Ordering::Relaxed);
            if due != before {
                lines += due - version;
            }
        }
        lines
    }

    #[test]
    fn commits_look_at_a_line_each_at_most_beside_idle_cursors() {
        for idle in [0, 100, 10_000] {
            let kernel = kernel();
            let cursors: Vec<Cursor> = (0..idle).map(|_| Cursor::new(&kernel)).collect();
            let commits = 64_000;
            let lines = lines_looked_at(&kernel, commits);
            // And once all of them.
            let most = commits + 2 * idle;
            assert!(lines <= most, "{lines} lines beside {idle}");
            assert_eq!(
                kernel.cursors.unread(1 << 20, 0, 1 << 20, Effort::Full) != 1 << 20,
                idle > 0
            );
            drop(cursors);
        }
    }

    #[test]
    fn commits_do_not_look_at_the_lines_of_cursors_that_are_gone() {
        let kernel = kernel();
        let before = lines_looked_at(&kernel, 2000);
        drop((0..8000).map(|_| Cursor::new(&kernel)).collect::<Vec<_>>());
        let after = lines_looked_at(&kernel, 2000);
        // A line for each of 250 chunks, and a walk for as many commits: one a commit, and a walk.
        assert_eq!(before, 0);
        assert!(after <= 2000 + 251, "{after}");
        let live = Cursor::new(&kernel);
        let beside = lines_looked_at(&kernel, 2000);
        assert!(beside <= 2000 + 251, "{beside}");
        drop(live);
    }

    /// W3.
    #[test]
    fn what_no_cursor_needs_stays_unneeded_whoever_comes() {
        let kernel = kernel();
        show(&kernel, 100);
        let old = Cursor::new(&kernel);
        show(&kernel, 200);
        assert_eq!(kernel.cursors.unread(200, 0, 200, Effort::Full), 100);
        let young = Cursor::new(&kernel);
        drop(old);
        assert_eq!(kernel.cursors.unread(200, 0, 200, Effort::Full), 200);
        show(&kernel, 300);
        assert_eq!(kernel.cursors.unread(300, 0, 300, Effort::Full), 200);
        // Beyond its lag it is ignored, and within the bound of who validates never passed.
        assert_eq!(kernel.cursors.unread(300, 250, 300, Effort::Full), 250);
        assert_eq!(kernel.cursors.unread(240, 260, 300, Effort::Full), 250);
        assert_eq!(young.position(), 200);
        assert_eq!(kernel.cursors.count(), 1);
    }
}
