//! Replacing a table by a larger, cleaner or smaller one, while everybody goes on.

use super::table::Table;
use super::word::{Tag, Word};
use super::{Choice, Inserted, Point, PointIndex};
use crate::kernel::reclaim::{Garbage, Guard, allocate, at, free};
use crate::kernel::step::{Step, step};
use crate::sync::Ordering;

/// What became of an insert in one table.
enum Place<'g, N> {
    Kept(&'g N),
    /// The node is in; the slot's index if it was EMPTY.
    Put(&'g N, Option<usize>),
    /// The run is closed, or about to be: on to the next table.
    Closed,
}

impl<N: Point> PointIndex<N> {
    /// Inserts into `table` or a later one; see [`PointIndex::insert`].
    ///
    /// Lock-free: it comes back to a slot only when another operation changed it, and goes on to a
    /// further table only when a rebuild has begun, which takes many inserts.
    pub(super) fn place<'g>(
        &self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        mut table: &'g Table<N>,
        hash: u64,
        matches: &impl Fn(&N) -> bool,
        choose: &mut impl FnMut(Option<&'g N>) -> Choice<N>,
    ) -> Inserted<'g, N> {
        loop {
            let (node, slot) = match Self::place_in(guard, table, hash, matches, choose) {
                Place::Kept(node) => (node, None),
                Place::Put(node, slot) => (node, slot),
                Place::Closed => {
                    table = self.close(guard, garbage, table, hash);
                    continue;
                }
            };
            let crowded = slot.is_some_and(|index| table.count_used(index));
            let crowded = crowded.then_some(table);
            return Inserted { node, crowded };
        }
    }

    /// Makes the next table of one that an insert has crowded.
    pub(super) fn relieve(guard: &Guard<'_>, inserted: Inserted<'_, N>) {
        if let Some(table) = inserted.crowded {
            Self::grow(guard, table);
        }
    }

    fn place_in<'g>(
        guard: &'g Guard<'_>,
        table: &'g Table<N>,
        hash: u64,
        matches: &impl Fn(&N) -> bool,
        choose: &mut impl FnMut(Option<&'g N>) -> Choice<N>,
    ) -> Place<'g, N> {
        if table.next(guard).is_some() {
            return Place::Closed;
        }
        let tag = Tag::of(hash);
        for (index, slot) in table.probe(hash) {
            // Acquire: [node], [freeze].
            let mut word = Word(slot.load(Ordering::Acquire));
            loop {
                if word.is_frozen() {
                    // P3: also when it is another key's, or a tomb, which may have been ours.
                    return Place::Closed;
                }
                let empty = word.is_empty();
                let existing: Option<&'g N> = match word.tagged(tag) {
                    // SAFETY: P6: it stood in a table reached under the guard.
                    Some(node) => Some(unsafe { at(node) }).filter(|node| matches(node)),
                    None => None,
                };
                if !empty && existing.is_none() {
                    break;
                }
                table.prepare_forecast(index);
                let node = match (choose(existing), existing) {
                    (Choice::Put(node), _) => node,
                    (Choice::Keep, Some(node)) => return Place::Kept(node),
                    (Choice::Keep, None) => unreachable!("P8: there is nothing to keep"),
                };
                // Release: [node]: who finds the node finds it initialized. Acquire: as above.
                let put = slot.compare_exchange(
                    word.0,
                    Word::of(node, tag).0,
                    Ordering::Release,
                    Ordering::Acquire,
                );
                match put {
                    // SAFETY: P7: just put, and whoever put it keeps it from dying; P6 thereafter.
                    Ok(_) => return Place::Put(unsafe { at(node) }, empty.then_some(index)),
                    Err(found) => word = Word(found),
                }
            }
        }
        // Not one EMPTY slot.
        Self::grow(guard, table);
        Place::Closed
    }

    /// Makes the next table, unless there is one.
    fn grow(guard: &Guard<'_>, table: &Table<N>) {
        if table.next(guard).is_some() {
            return;
        }
        let next = allocate(Table::new(table.slots_next()));
        if !table.link(next) {
            // SAFETY: it was not published: another thread's was.
            unsafe { free(next) };
        }
        step(Step::Growing);
    }

    /// Closes the run of `hash` in a table that has a next one, and gives the next one: afterwards
    /// the run takes no insert any more, and each of its nodes stands in a later table or is DEAD.
    fn close<'g>(
        &self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        table: &'g Table<N>,
        hash: u64,
    ) -> &'g Table<N> {
        // [freeze]: a frozen word was seen, or the next table itself.
        let next = table.next(guard).expect("P3: frozen without a next table");
        for (index, slot) in table.probe(hash) {
            let word = table.freeze(slot);
            if word.is_empty() {
                break;
            }
            if !table.is_copied(index) {
                self.copy(guard, garbage, word, next);
            }
        }
        next
    }

    /// Has the node of a frozen word, if it lives, stand in `next` or a later table.
    ///
    /// The claim is the point. Without it: we read the word and stall; others copy the node; it
    /// dies and is removed and retired; our CAS then puts it into the first EMPTY slot after its
    /// own tomb, and a reader that pins later finds freed memory. With it: either the claim comes
    /// first, then the node does not die before we are through; or the death does, then we leave it
    /// alone.
    fn copy<'g>(
        &self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        word: Word<N>,
        next: &'g Table<N>,
    ) {
        let Some(pointer) = word.node() else {
            return;
        };
        // SAFETY: P6: it stood in a table reached under the guard.
        let node: &'g N = unsafe { at(pointer) };
        // P8: nothing between claim and unclaim is user code.
        if !node.claim() {
            return;
        }
        let same = |found: &N| std::ptr::eq(found, pointer);
        let mut choose = |found: Option<&'g N>| match found {
            Some(_) => Choice::Keep,
            None => Choice::Put(pointer),
        };
        let copied = self.place(guard, garbage, next, node.hash(), &same, &mut choose);
        next.forecast(node);
        node.unclaim(garbage);
        Self::relieve(guard, copied);
    }

    /// Copies a chunk of the first table, if it is being replaced, and unlinks it when it was the
    /// last one.
    pub(super) fn help(&self, guard: &Guard<'_>, garbage: &mut Garbage) {
        let table = self.first(guard);
        let Some(next) = table.next(guard) else {
            return;
        };
        let finished = match table.take_chunk() {
            Some(chunk) => {
                step(Step::Migrating);
                table.prefetch_nodes(chunk);
                for slot in table.chunk(chunk) {
                    let word = table.freeze(slot);
                    self.copy(guard, garbage, word, next);
                }
                table.finish_chunk(chunk)
            }
            // Whoever finished the last one may be parked before it unlinks.
            None => true,
        };
        if finished {
            self.unlink(table, next, garbage);
        }
    }

    fn unlink(&self, table: &Table<N>, next: &Table<N>, garbage: &mut Garbage) {
        let (old, new) = (
            std::ptr::from_ref(table).cast_mut(),
            std::ptr::from_ref(next).cast_mut(),
        );
        // Release: [first]: who starts at the next table has all copies before it.
        let unlinked = self
            .first
            .compare_exchange(old, new, Ordering::Release, Ordering::Relaxed);
        if unlinked.is_ok() {
            // SAFETY: P5: `first` was the only way to it, and only one thread's CAS succeeds, once.
            unsafe { garbage.retire(old) };
        }
    }
}
