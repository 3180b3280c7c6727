//! Sessions: the line of shared words that each thread owns in a store.
//!
//! A line holds the thread's epoch (who is inside the store's code right now, or reads in a view:
//! [`super::reclaim`]) and its snapshot words (who reads at which version: [`super::horizon`]).
//! Both kinds of scan walk the same lines, so that a thread costs them one cache line.
//!
//! # States
//! ```text
//! line:  unowned --take (CAS)--> owned by a thread --thread ends--> unowned --> ...
//! A line is never freed before the store.
//! ```
//!
//! # Who may touch what
//! - `epoch`, `kept` and `pins`: written by the owning thread alone; the first two are read by
//!   everybody.
//! - a word: only the owning thread moves it away from free, anybody who holds the snapshot frees
//!   it (a snapshot may be dropped by another thread), the trimmer expires it (CAS, see
//!   [`super::horizon`]).
//!
//! # Invariants
//! - L1: the list of lines only grows, and a line lives until its registry is dropped.
//! - L2: at most one thread uses a line: its owner, or, when that thread's locals are gone, a hold
//!   of the same thread that has a word of it, or pins by it; such a line is not taken.

#[cfg(all(test, not(loom)))]
mod tests;

use std::cell::{Cell, RefCell};

use super::figures::{Figures, figures};
use super::step::{Step, step};
use crate::sync::{
    Arc, AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, Tally, local, unique,
};

/// Snapshot words in a line: with the two of a pin they fill one cache line.
pub(crate) const WORDS: usize = if cfg!(loom) { 1 } else { 6 };

/// One of so many lines must be unowned for a search to be worth its while.
const UNOWNED_SHARE: u64 = 8;
/// Spare lines of its own that a thread asks before it takes another.
const SPARES_ASKED: usize = 4;

/// A thread's line; see the module's documentation.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Line {
    /// Idle, or the epoch the owner is pinned at: encoded by [`super::reclaim`].
    pub(super) epoch: AtomicU64,
    /// What the owner's pin keeps, if the epoch says that it keeps versions: encoded as a word.
    pub(super) kept: AtomicU64,
    /// The versions that snapshots of this line hold: encoded by [`super::horizon`].
    pub(super) words: [AtomicU64; WORDS],
    /// How many pins of the owner there are beside the first.
    pub(super) pins: AtomicU32,
    /// Commits of the owner since it last collected garbage.
    pub(super) commits: AtomicU32,
    /// Retired things that the owner gave since it last freed some.
    pub(super) given: Tally,
    /// Those that it gave since it last tried to.
    pub(super) fresh: Tally,
    /// Whether the owner is inside a slice of collection.
    pub(super) collecting: AtomicBool,
    /// What the owner added to the store, as wrapping sums.
    pub(super) versions: Tally,
    pub(super) bytes: Tally,
    pub(super) objects: Tally,
    /// What the owner counted.
    pub(super) figures: Figures,
    /// When the transaction began that a word was last taken for: the time's word. The owner alone
    /// writes it.
    pub(super) began: [Tally; WORDS],
    owned: AtomicBool,
    next: AtomicPtr<Line>,
    counts: Arc<Counts>,
}

/// How many lines there are, about: whether a search for one to take is worth its while.
#[derive(Debug)]
struct Counts {
    lines: AtomicU64,
    unowned: AtomicU64,
}

impl Line {
    fn new(counts: &Arc<Counts>) -> Self {
        Self {
            epoch: AtomicU64::new(0),
            kept: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
            pins: AtomicU32::new(0),
            commits: AtomicU32::new(0),
            given: Tally::new(0),
            fresh: Tally::new(0),
            collecting: AtomicBool::new(false),
            versions: Tally::new(0),
            bytes: Tally::new(0),
            objects: Tally::new(0),
            figures: figures(),
            began: std::array::from_fn(|_| Tally::new(0)),
            owned: AtomicBool::new(true),
            next: AtomicPtr::new(std::ptr::null_mut()),
            counts: Arc::clone(counts),
        }
    }

    /// Whether no word is in use, and nobody is pinned by it.
    fn is_free(&self) -> bool {
        // Acquire: [end]: another thread may have ended them.
        let is_free = |word: &AtomicU64| word.load(Ordering::Acquire) == 0;
        is_free(&self.epoch) && self.words.iter().all(is_free)
    }

    /// Gives a line of [`Registry::take`] back.
    pub(crate) fn leave(&self) {
        // Relaxed: a count; before the leaving, so that it never falls below 0.
        self.counts.unowned.fetch_add(1, Ordering::Relaxed);
        // Release: [own]: the next owner sees our words and epoch.
        self.owned.store(false, Ordering::Release);
    }
}

/// Every line of one store.
#[derive(Debug)]
pub(crate) struct Registry {
    /// Tells this registry from every other one of the process, so that a thread's cache cannot
    /// mix up two stores.
    id: u64,
    head: AtomicPtr<Line>,
    counts: Arc<Counts>,
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            id: unique(),
            head: AtomicPtr::new(std::ptr::null_mut()),
            counts: Arc::new(Counts {
                lines: AtomicU64::new(0),
                unowned: AtomicU64::new(0),
            }),
        }
    }

    /// Tells this registry's store from every other one of the process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// This thread's line. Wait-free once the thread has one; its first call registers it
    /// (lock-free).
    #[inline]
    pub(crate) fn line(&self) -> &Line {
        let line = match LAST.try_with(Cell::get) {
            Ok((id, line)) if id == self.id => line,
            _ => self.find_or_register(),
        };
        // SAFETY: L1: `line` is of this registry (its id is unique), which keeps it for as long as
        // `self` lives.
        unsafe { &*line }
    }

    #[cold]
    fn find_or_register(&self) -> *const Line {
        let found = with_sessions(|sessions| sessions.find_or_register(self));
        // A thread whose locals are gone takes a line for good: one, for it ends anyway.
        let line = found.unwrap_or_else(|| Arc::as_ptr(&self.take()));
        let _ = LAST.try_with(|last| last.set((self.id, line)));
        line
    }

    /// Asks the spare lines of this thread, and then a new one, until `each` answers; gives the
    /// line that did.
    pub(crate) fn with_spare<R>(&self, mut each: impl FnMut(&Line) -> Option<R>) -> (&Line, R) {
        let found = with_sessions(|sessions| sessions.with_spare(self, &mut each));
        // A thread whose locals are gone takes a line for good: it ends anyway.
        let (line, answer) = found.unwrap_or_else(|| {
            let line = self.register();
            let answer = each(&line).expect("L2: a new line has free words");
            (Arc::as_ptr(&line), answer)
        });
        // SAFETY: L1: a line of this registry.
        (unsafe { &*line }, answer)
    }

    /// How many lines there are, about.
    pub(super) fn count(&self) -> u64 {
        // Relaxed: a figure.
        self.counts.lines.load(Ordering::Relaxed)
    }

    /// An unowned line, or a new one. Lines are looked through only if one of [`UNOWNED_SHARE`] is
    /// to be had: so it is O(1), but where all of those stand behind the others.
    pub(crate) fn take(&self) -> Arc<Line> {
        // Relaxed: counts.
        let unowned = self.counts.unowned.load(Ordering::Relaxed);
        // Relaxed: as above.
        if unowned * UNOWNED_SHARE < self.counts.lines.load(Ordering::Relaxed) || unowned == 0 {
            return self.register();
        }
        for line in self.lines() {
            // Acquire: [own], with the Release of the owner that left: we see its words and epoch
            // as it left them.
            let taken =
                line.owned
                    .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
            if taken.is_ok() {
                // Relaxed: a count.
                self.counts.unowned.fetch_sub(1, Ordering::Relaxed);
            }
            if taken.is_ok() && !line.is_free() {
                // A view in a thread's local outlived the thread's session: the line stays its.
                line.leave();
            } else if taken.is_ok() {
                let line = std::ptr::from_ref(line);
                // SAFETY: L1: the list holds one strong count of each line, so the pointer is an
                // Arc's and alive.
                unsafe { Arc::increment_strong_count(line) };
                // SAFETY: the count was just taken for this Arc.
                return unsafe { Arc::from_raw(line) };
            }
        }
        self.register()
    }

    fn register(&self) -> Arc<Line> {
        let line = Arc::new(Line::new(&self.counts));
        step(Step::Registering);
        // Relaxed: a count.
        self.counts.lines.fetch_add(1, Ordering::Relaxed);
        let listed = Arc::into_raw(Arc::clone(&line)).cast_mut();
        // Relaxed: only the CAS below publishes.
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // Relaxed: published by the CAS.
            line.next.store(head, Ordering::Relaxed);
            // Release: [line], with the Acquire in `lines`: who finds the line sees it initialized.
            // A failure means that another thread registered, which happens once a
            // thread.
            match self
                .head
                .compare_exchange(head, listed, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return line,
                Err(found) => head = found,
            }
        }
    }

    /// All lines, owned or not, as of now: one registered later is missed, and the scans argue why
    /// that is right.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        // Acquire: [line].
        let mut next = self.head.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: L1: a listed line lives as long as the registry.
            let line = unsafe { next.as_ref() }?;
            // Relaxed: written before the line was published, never after.
            next = line.next.load(Ordering::Relaxed);
            Some(line)
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Relaxed: nobody else is left.
        let mut next = self.head.load(Ordering::Relaxed);
        while !next.is_null() {
            // SAFETY: L1: the list's own count is given up here, once, by the registry's only
            // owner.
            let line = unsafe { Arc::from_raw(next) };
            // Relaxed: as above.
            next = line.next.load(Ordering::Relaxed);
        }
    }
}

/// The lines that this thread owns.
#[derive(Debug)]
struct Sessions {
    all: RefCell<Vec<(u64, Arc<Line>)>>,
    /// Further lines, for threads that hold more snapshots than a line has words.
    spares: RefCell<Spares>,
}

/// A thread's spare lines.
#[derive(Debug)]
struct Spares {
    lines: Vec<(u64, Arc<Line>)>,
    /// The one that had a free word last.
    recent: usize,
    /// Where the search for another goes on, round and round.
    search: usize,
    /// After so many more takings, lines of stores that are gone are let go.
    sweep_in: usize,
}

impl Sessions {
    const fn new() -> Self {
        Self {
            all: RefCell::new(Vec::new()),
            spares: RefCell::new(Spares {
                lines: Vec::new(),
                recent: 0,
                search: 0,
                sweep_in: 0,
            }),
        }
    }

    fn with_spare<R>(
        &self,
        registry: &Registry,
        each: &mut dyn FnMut(&Line) -> Option<R>,
    ) -> (*const Line, R) {
        let mut spares = self.spares.borrow_mut();
        if let Some(found) = spares.ask(registry, each) {
            return found;
        }
        let line = registry.take();
        let answer = each(&line).expect("L2: a line just taken has free words");
        let taken = Arc::as_ptr(&line);
        spares.add(registry, line);
        (taken, answer)
    }

    fn find_or_register(&self, registry: &Registry) -> *const Line {
        let mut all = self.all.borrow_mut();
        let found = all.iter().position(|(id, _)| *id == registry.id);
        let position = found.unwrap_or_else(|| {
            // Lines of stores that are gone are ours alone.
            all.retain(|(_, line)| Arc::strong_count(line) > 1);
            all.push((registry.id, registry.take()));
            all.len() - 1
        });
        Arc::as_ptr(&all[position].1)
    }
}

impl Spares {
    /// Asks the line that answered last, and a few others.
    fn ask<R>(
        &mut self,
        registry: &Registry,
        each: &mut dyn FnMut(&Line) -> Option<R>,
    ) -> Option<(*const Line, R)> {
        let count = self.lines.len();
        for asked in 0..=SPARES_ASKED.min(count) {
            if asked > 0 {
                self.search = (self.search + 1) % count;
                self.recent = self.search;
            }
            if let Some((id, line)) = self.lines.get(self.recent)
                && *id == registry.id
                && let Some(answer) = each(line)
            {
                return Some((Arc::as_ptr(line), answer));
            }
        }
        None
    }

    fn add(&mut self, registry: &Registry, line: Arc<Line>) {
        if self.sweep_in == 0 {
            // Lines of stores that are gone are ours alone.
            self.lines.retain(|(_, line)| Arc::strong_count(line) > 1);
            self.sweep_in = self.lines.len();
        } else {
            self.sweep_in -= 1;
        }
        self.recent = self.lines.len();
        self.lines.push((registry.id, line));
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        // Before another thread may take them: from now on they are not this one's.
        let _ = LAST.try_with(|last| last.set((0, std::ptr::null())));
        let (all, spares) = (self.all.borrow(), self.spares.borrow());
        for (_, line) in all.iter().chain(&spares.lines) {
            line.leave();
        }
    }
}

local!(SESSIONS: Sessions = Sessions::new());
// Of a thread whose own are gone: the destructor of another of its locals uses a store. They go
// when that is over.
local!(LATE: Sessions = Sessions::new());
// The line that was used last. It has no destructor, and so is there until the thread ends.
local!(LAST: Cell<(u64, *const Line)> = Cell::new((0, std::ptr::null())));

/// Runs it on the thread's sessions; `None`: they are gone, and the later ones, too.
fn with_sessions<R>(mut run: impl FnMut(&Sessions) -> R) -> Option<R> {
    let found = SESSIONS.try_with(&mut run);
    found.or_else(|_| LATE.try_with(run)).ok()
}
