//! Sessions: the line of shared words that each thread owns in a store.
//!
//! A line holds the thread's epoch (who is inside the store's code right now: [`super::reclaim`])
//! and its snapshot words (who reads at which version: [`super::horizon`]). Both kinds of scan
//! walk the same lines, so that a thread costs them one cache line.
//!
//! # States
//! ```text
//! line:  unowned --take (CAS)--> owned by a thread --thread ends--> unowned --> ...
//! A line is never freed before the store.
//! ```
//!
//! # Who may touch what
//! - `epoch` and `pins`: written by the owning thread alone; `epoch` is read by everybody.
//! - a word: only the owning thread moves it away from free, anybody who holds the snapshot frees
//!   it (a snapshot may be dropped by another thread), the trimmer expires it (CAS, see
//!   [`super::horizon`]).
//!
//! # Invariants
//! - L1: the list of lines only grows, and a line lives until its registry is dropped.
//! - L2: at most one thread uses a line: its owner, or, when that thread's locals are gone, a hold
//!   of the same thread that has a word of it; a line with a word in use is not taken.

use std::cell::{Cell, RefCell};

use crate::sync::{Arc, AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering, local, unique};

/// Snapshot words in a line: with the epoch they fill one cache line.
pub(crate) const WORDS: usize = if cfg!(loom) { 1 } else { 7 };

/// A thread's line; see the module's documentation.
#[repr(align(128))]
#[derive(Debug)]
pub(crate) struct Line {
    /// Idle, or the epoch the owner is pinned at: encoded by [`super::reclaim`].
    pub(super) epoch: AtomicU64,
    /// The versions that snapshots of this line hold: encoded by [`super::horizon`].
    pub(super) words: [AtomicU64; WORDS],
    /// How many pins of the owner are nested.
    pub(super) pins: AtomicU32,
    /// Commits of the owner since it last collected garbage.
    pub(super) commits: AtomicU32,
    /// Whether the owner is inside a slice of collection.
    pub(super) collecting: AtomicBool,
    /// What the owner added to the store, as wrapping sums.
    pub(super) versions: AtomicU64,
    pub(super) bytes: AtomicU64,
    owned: AtomicBool,
    next: AtomicPtr<Line>,
}

impl Line {
    fn new() -> Self {
        Self {
            epoch: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
            pins: AtomicU32::new(0),
            commits: AtomicU32::new(0),
            collecting: AtomicBool::new(false),
            versions: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            owned: AtomicBool::new(true),
            next: AtomicPtr::new(std::ptr::null_mut()),
        }
    }
}

impl Line {
    /// Whether no word is in use.
    fn is_free(&self) -> bool {
        // Acquire: [end]: another thread may have ended them.
        self.words
            .iter()
            .all(|word| word.load(Ordering::Acquire) == 0)
    }

    /// Gives a line of [`Registry::take`] back.
    pub(crate) fn leave(&self) {
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
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            id: unique(),
            head: AtomicPtr::new(std::ptr::null_mut()),
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
        let cached = SESSIONS.try_with(|sessions| {
            let (id, line) = sessions.last.get();
            if id == self.id {
                line
            } else {
                sessions.find_or_register(self)
            }
        });
        // A thread whose locals are gone already (a snapshot read in another local's Drop) takes a
        // line for good: it ends anyway.
        let line = cached.unwrap_or_else(|_| Arc::as_ptr(&self.take()));
        // SAFETY: L1: `line` is of this registry (its id is unique), which keeps it for as long as
        // `self` lives.
        unsafe { &*line }
    }

    /// Asks the spare lines of this thread, and then a new one, until `each` answers; gives the
    /// line that did.
    pub(crate) fn with_spare<R>(&self, mut each: impl FnMut(&Line) -> Option<R>) -> (&Line, R) {
        let found = SESSIONS.try_with(|sessions| sessions.with_spare(self, &mut each));
        // A thread whose locals are gone takes a line for good: it ends anyway.
        let (line, answer) = found.unwrap_or_else(|_| {
            let line = self.register();
            let answer = each(&line).expect("L2: a new line has free words");
            (Arc::as_ptr(&line), answer)
        });
        // SAFETY: L1: a line of this registry.
        (unsafe { &*line }, answer)
    }

    /// How many words of all lines are in use, about.
    pub(crate) fn words_taken(&self) -> usize {
        let words = self.lines().flat_map(|line| &line.words);
        // Relaxed: a figure.
        words
            .filter(|word| word.load(Ordering::Relaxed) != 0)
            .count()
    }

    /// An unowned line, or a new one.
    pub(crate) fn take(&self) -> Arc<Line> {
        for line in self.lines() {
            // Acquire: [own], with the Release of the owner that left: we see its words and epoch
            // as it left them.
            let taken =
                line.owned
                    .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed);
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
        let line = Arc::new(Line::new());
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

/// The lines that this thread owns, the one used last in front.
#[derive(Debug)]
struct Sessions {
    last: Cell<(u64, *const Line)>,
    all: RefCell<Vec<(u64, Arc<Line>)>>,
    /// Further lines, for threads that hold more snapshots than a line has words.
    spares: RefCell<Vec<(u64, Arc<Line>)>>,
}

impl Sessions {
    const fn new() -> Self {
        Self {
            last: Cell::new((0, std::ptr::null())),
            all: RefCell::new(Vec::new()),
            spares: RefCell::new(Vec::new()),
        }
    }

    fn with_spare<R>(
        &self,
        registry: &Registry,
        each: &mut dyn FnMut(&Line) -> Option<R>,
    ) -> (*const Line, R) {
        let mut spares = self.spares.borrow_mut();
        let own = spares.iter().filter(|(id, _)| *id == registry.id);
        for (_, line) in own {
            if let Some(answer) = each(line) {
                return (Arc::as_ptr(line), answer);
            }
        }
        // Lines of stores that are gone are ours alone.
        spares.retain(|(_, line)| Arc::strong_count(line) > 1);
        let line = registry.take();
        let answer = each(&line).expect("L2: a line just taken has free words");
        let taken = Arc::as_ptr(&line);
        spares.push((registry.id, line));
        (taken, answer)
    }

    #[cold]
    fn find_or_register(&self, registry: &Registry) -> *const Line {
        let mut all = self.all.borrow_mut();
        let found = all.iter().position(|(id, _)| *id == registry.id);
        let position = found.unwrap_or_else(|| {
            // Lines of stores that are gone are ours alone.
            all.retain(|(_, line)| Arc::strong_count(line) > 1);
            all.push((registry.id, registry.take()));
            all.len() - 1
        });
        let line = Arc::as_ptr(&all[position].1);
        self.last.set((registry.id, line));
        line
    }
}

impl Drop for Sessions {
    fn drop(&mut self) {
        let (all, spares) = (self.all.borrow(), self.spares.borrow());
        for (_, line) in all.iter().chain(spares.iter()) {
            line.leave();
        }
    }
}

local!(SESSIONS: Sessions = Sessions::new());
