//! The point index: a lock-free hash table from keys to nodes (records).
//!
//! Open addressing, word by word from a key's home. A lookup reads words until it finds its key or
//! an EMPTY word, and looks only at nodes whose tag, 16 bits of the hash, is right: two cache
//! misses a hit, the second together with what the node leads to ([`forecast`]). A full, or
//! churned, table gets a *next* table; inserts copy what is in their way and a chunk more, and the
//! old table goes when all of it is copied. Nobody waits for anybody.
//!
//! # States
//! A word's: [`word`]. A table's:
//! ```text
//! open (next null) --link--> being copied: words frozen one by one --all chunks copied--> finished
//!                                                      finished --`first` moves on--> retired
//! ```
//! Worked example, a table of four words, keys of the same home; `*` is frozen:
//! ```text
//! put a, b, c        first: [a b c -]
//! remove b           first: [a t c -]          t: a tomb; its slot is not used again
//! put d              first: [a t c d]          past the limit: next is linked
//! put e              first: [a*t*c*d*] -> next: [a c d e - - - -]   e closed its run, then helped
//! last chunk copied  first: [a c d e - - - -]
//! ```
//!
//! # Invariants
//! - P1: a word goes EMPTY, node, perhaps an equal node (the former is DEAD), TOMB, one way. FROZEN
//!   is set once and stays; a frozen word changes only from a DEAD node to TOMB.
//! - P2: a key stands in the *run* of its hash: the words from its home to the first EMPTY one. By
//!   P1 a word before that never becomes the key's, so all who insert the key fight for one word.
//! - P3: a node is first put in a later table only by who found the whole run of its hash frozen in
//!   the table before, the EMPTY word at the end included, and each node of it in a later table or
//!   DEAD; and an insert that meets any frozen word goes on to the next table. So no key has two
//!   living nodes, and of two words of a key the one in the later table is not the older.
//! - P4: a node is put into a later table again (copied) only under a claim. So when it is DEAD the
//!   words it stands in become fewer, never more.
//! - P5: only the first table is unlinked, when it is finished, and then retired. So a table that
//!   was reached under a guard, and all after it, outlive the guard.
//! - P6: a node is retired after `remove`, so one that was found in a table under a guard outlives
//!   it.
//! - P7: what `choose` puts is from [`super::reclaim::allocate`], alive, at an address of 48 bits
//!   that is a multiple of 4, and does not die before `insert` is back.
//! - P9: a table's slots are a power of two and never change.
//! - P8: `choose(None)` does not keep. `matches` and `choose` may panic: they run while nothing is
//!   claimed or half-linked. [`Point`]'s functions do not panic, but for `claim`, which then claims
//!   nothing.
//!
//! # Removal against copying
//! `remove(x)` walks from the first table to the last one. Where can x stand? A copier has claimed
//! x (then its CAS comes before its unclaim, which comes before the death, which comes before the
//! walk: the walk sees the copy, and the table it is in) or it finds x DEAD and copies nothing
//! (P4). So the words of x are known when the walk begins; each becomes a TOMB, frozen or not. The
//! walk misses tables before the first one, which a reader that pins later does not reach either:
//! should it load an older `first` than the walk did, its pin's fence would be before the
//! retirement's.
//!
//! # Lookup against copying
//! A living node that stands in a table when it is frozen stays in its frozen word, so who walks
//! the old table finds it there. Who finds its key in a frozen word looks in the next table as
//! well: that node may be DEAD, and a new one put there. Who ends at a frozen EMPTY word goes on.
//! Who ends at an EMPTY word that is not frozen is done: at that moment no node of the key was in a
//! later table that is not in a word before (P3).
//!
//! # Orderings
//! - [node]: Release of the CAS that puts a node, Acquire of who reads the word: its contents. The
//!   marks and tombs in between are RMWs, which carry it on.
//! - [next]: Release of the link, Acquire of who follows: the table's contents.
//! - [freeze]: Release of the mark, Acquire of who reads it: the next table is there.
//! - [copied]: Release of a finished chunk, Acquire of who skips it or counts all: its copies.
//! - [first]: Release of the unlinking, Acquire of every operation's start: all copies.
//! - [claim]: in the node's own state word: unclaim releases, the death acquires and releases.
//!
//! # Sources
//! Frozen words and helping copiers are those of Click's non-blocking hash table (2007), there
//! "primed" values, and of papaya; tags are a Swiss table's. The claims are our own.

mod forecast;
mod migrate;
mod table;
#[cfg(any(test, loom))]
pub(crate) mod testing;
#[cfg(all(test, not(loom)))]
mod tests;
mod word;

use std::marker::PhantomData;

use self::table::{Found, SLOTS_MIN, Table};
use self::word::Word;
use super::reclaim::{Garbage, Guard, allocate, at, free};
use crate::sync::{AtomicPtr, Ordering};

/// What the index points to: a record.
///
/// Its state word orders: an `unclaim` happens before a death that follows it ([claim]).
pub(crate) trait Point {
    /// The hash of its key; always the same.
    fn hash(&self) -> u64;
    /// Keeps the node from dying; false: it is DEAD, for good.
    fn claim(&self) -> bool;
    /// Gives a claim back.
    fn unclaim(&self, garbage: &mut Garbage);
    /// Where its reader goes on, about: only fetched ahead.
    fn onward(&self) -> *const ();
}

pub(crate) use super::choice::Choice;

/// What an insert came to.
#[must_use = "the tables are to be tended"]
pub(crate) struct Inserted<'g, N> {
    node: &'g N,
    /// The table that it has crowded.
    crowded: Option<&'g Table<N>>,
}

impl<'g, N> Inserted<'g, N> {
    /// The node that stands in the table now.
    pub(crate) fn node(&self) -> &'g N {
        self.node
    }
}

/// A lock-free hash table of nodes; see the module's documentation.
#[derive(Debug)]
pub(crate) struct PointIndex<N> {
    /// Where every operation begins.
    first: AtomicPtr<Table<N>>,
    nodes: PhantomData<N>,
}

impl<N> PointIndex<N> {
    /// The first table.
    #[inline]
    fn first<'g>(&self, _guard: &'g Guard<'_>) -> &'g Table<N> {
        // Acquire: [first].
        let first = self.first.load(Ordering::Acquire);
        // SAFETY: P5: loaded under the guard.
        unsafe { at(first) }
    }

    fn new_table() -> *mut Table<N> {
        allocate(Table::new(SLOTS_MIN))
    }
}

impl<N: Point> PointIndex<N> {
    pub(crate) fn new() -> Self {
        Self {
            first: AtomicPtr::new(Self::new_table()),
            nodes: PhantomData,
        }
    }

    /// The node of a key; it may be DEAD, then the key was absent at some moment of the call. The
    /// caller goes on to read about `reach` bytes of where the node leads: they are fetched ahead.
    ///
    /// Wait-free as long as it is not overtaken by rebuilds without end: it reads each word of a
    /// table at most once, and goes on only to a table that has begun to replace this one, which
    /// takes a number of inserts in proportion to the table's size.
    #[inline]
    pub(crate) fn get<'g>(
        &self,
        guard: &'g Guard<'_>,
        hash: u64,
        reach: usize,
        matches: impl Fn(&N) -> bool,
    ) -> Option<&'g N> {
        let mut frozen = None;
        let mut table = self.first(guard);
        loop {
            match table.find(guard, hash, reach, &matches) {
                Found::Here(node) => return Some(node),
                Found::Nowhere => return frozen,
                Found::Frozen(node) => frozen = Some(node),
                Found::Beyond => {}
            }
            match table.next(guard) {
                Some(next) => table = next,
                // A table without an EMPTY slot that nobody has replaced yet.
                None => return frozen,
            }
        }
    }

    /// Has the processor fetch what a lookup of a hash begins with. A hint; wait-free.
    #[inline]
    pub(crate) fn fetch_home(&self, guard: &Guard<'_>, hash: u64) {
        self.first(guard).fetch_home(hash);
    }

    /// Inserts a node, or accepts the one that is there; gives the node that is then in the table.
    /// The caller sees to who owns that, and then has the tables tended ([`PointIndex::tend`]).
    ///
    /// `choose` is asked with the equal node, or None when there is none. A node that it puts in
    /// the place of another (DEAD) one, or into a free slot, may lose against another thread's:
    /// then `choose` is asked again, and may put the same node again. Lock-free.
    pub(crate) fn insert<'g>(
        &self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        hash: u64,
        matches: impl Fn(&N) -> bool,
        mut choose: impl FnMut(Option<&'g N>) -> Choice<N>,
    ) -> Inserted<'g, N> {
        let table = self.first(guard);
        self.place(guard, garbage, table, hash, &matches, &mut choose)
    }

    /// The second half of an insert: makes a further table if it has crowded its own, and copies a
    /// part of one that is being replaced. Apart from the first, so that a panic in here, should
    /// there ever be one, finds the node with its owner. Lock-free.
    pub(crate) fn tend(&self, guard: &Guard<'_>, garbage: &mut Garbage, inserted: Inserted<'_, N>) {
        Self::relieve(guard, inserted);
        self.help(guard, garbage);
    }

    /// Copies a part of a table that is being replaced; false: none is. Lock-free.
    pub(crate) fn rebuild(&self, guard: &Guard<'_>, garbage: &mut Garbage) -> bool {
        let replaced = self.first(guard).next(guard).is_some();
        self.help(guard, garbage);
        replaced
    }

    /// Notes where a node leads now, for lookups to come.
    pub(crate) fn forecast(&self, guard: &Guard<'_>, node: &N) {
        self.tables(guard).for_each(|table| table.forecast(node));
    }

    /// Takes exactly this DEAD node out, wherever it stands; the caller then retires it.
    ///
    /// Nothing happens to another node that has replaced it. Lock-free; copies nothing, so that it
    /// may be called from within [`Point::unclaim`].
    pub(crate) fn remove(&self, guard: &Guard<'_>, _garbage: &mut Garbage, node: &N) {
        let hash = node.hash();
        let mut table = self.first(guard);
        loop {
            table.remove(hash, node);
            match table.next(guard) {
                Some(next) => table = next,
                None => return,
            }
        }
    }

    /// Takes every node out, each once. For the teardown.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(*mut N)) {
        // Relaxed: `&mut self`: nobody else has access. First a fresh table, should `each` panic.
        let mut next = self.first.swap(Self::new_table(), Ordering::Relaxed);
        while !next.is_null() {
            // SAFETY: P5: a linked table, which only we can reach now.
            let table = unsafe { at(next) };
            for slot in (0..table.slots()).map(|index| table.slot(index)) {
                // Relaxed: as above.
                let word = Word(slot.load(Ordering::Relaxed));
                if let Some(node) = word.node().filter(|node| !is_later(table, *node)) {
                    each(node);
                }
            }
            let done = next;
            next = table.next_alone();
            // SAFETY: P5: no longer linked, and not used again.
            unsafe { free(done) };
        }
    }

    /// How many slots there are, in all tables of now.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn slots(&self, guard: &Guard<'_>) -> usize {
        self.tables(guard).map(Table::slots).sum()
    }

    /// Bytes of all tables of now, about.
    pub(crate) fn bytes(&self, guard: &Guard<'_>) -> usize {
        self.tables(guard).map(Table::bytes).sum()
    }

    fn tables<'g>(&self, guard: &'g Guard<'_>) -> impl Iterator<Item = &'g Table<N>>
    where
        N: 'g,
    {
        std::iter::successors(Some(self.first(guard)), |table| table.next(guard))
    }
}

/// Whether a node of `table`, to which nobody else has access, was copied to a later one.
fn is_later<N: Point>(table: &Table<N>, node: *mut N) -> bool {
    // SAFETY: P6: it stands in a table, so it was not retired.
    let hash = unsafe { at(node) }.hash();
    let mut later = table.next_alone();
    while !later.is_null() {
        // SAFETY: P5: a linked table, which only we can reach.
        let table = unsafe { at(later) };
        if table.holds_alone(node, hash) {
            return true;
        }
        later = table.next_alone();
    }
    false
}

impl<N> Drop for PointIndex<N> {
    fn drop(&mut self) {
        // Relaxed: nobody else has access.
        let mut next = self.first.load(Ordering::Relaxed);
        while !next.is_null() {
            let done = next;
            // SAFETY: P5: a linked table, which only we can reach.
            next = unsafe { at(next) }.next_alone();
            // SAFETY: P5: not used again. Nodes that are left belong to whoever did not drain them.
            unsafe { free(done) };
        }
    }
}
