//! One image of an object in a commit, as the log keeps it: what can be told of it without user
//! code but comparisons.

use super::object::{Key, Object};
use super::schema::TableOf;
use super::span::Span;
use crate::kernel::commit::Write;
use crate::kernel::entry::EntryHeader;
use crate::kernel::reclaim::Guard;

/// An object as it was before a write, or as it is after it.
#[derive(Clone, Copy, Debug)]
pub struct Image<'g> {
    guard: &'g Guard<'g>,
    write: &'g Write,
    side: Side,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Old,
    New,
}

impl<'g> Image<'g> {
    /// The object before a write, if it was.
    pub(crate) fn old(guard: &'g Guard<'_>, write: &'g Write) -> Option<Self> {
        write.replaces().then_some(Self {
            guard,
            write,
            side: Side::Old,
        })
    }

    /// The object after a write, if it is.
    pub(crate) fn new(guard: &'g Guard<'_>, write: &'g Write) -> Option<Self> {
        (!write.deletes(guard)).then_some(Self {
            guard,
            write,
            side: Side::New,
        })
    }

    /// Whether the object is found by an index entry that `asked` accepts.
    fn any_entry(self, mut asked: impl FnMut(&EntryHeader) -> bool) -> bool {
        match self.side {
            Side::Old => self.write.old_entries(self.guard).any(&mut asked),
            Side::New => self.write.new_entries(self.guard).any(&mut asked),
        }
    }

    /// Whether one of the object's values in an index is asked for.
    pub(crate) fn any_value<T: Object, V: Key>(
        self,
        table: &TableOf<T>,
        index: &'static str,
        asked: impl Fn(&V) -> bool,
    ) -> bool {
        let index = table.index::<V>(index);
        self.any_entry(|entry| index.value_of(entry).is_some_and(&asked))
    }

    /// False: the object's key is another. By its hash alone: the record may be gone.
    pub(crate) fn may_have_key<T: Object>(self, table: &TableOf<T>, key: &T::Key) -> bool {
        self.write.hash == table.hash(key)
    }

    /// False: the object's key is not in the span.
    pub(crate) fn may_have_key_in<T: Object>(
        self,
        table: &TableOf<T>,
        keys: &Span<T::Key>,
    ) -> bool {
        keys.only()
            .is_none_or(|only| self.may_have_key::<T>(table, only))
    }
}
