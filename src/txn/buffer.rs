//! What a transaction has read and written of one table.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::Transaction;
use super::noted::{Hashed, Noted, empty};
use super::read_bound::ReadBound;
use super::reads::{Clash, TableReads};
use crate::error::Duplicate;
use crate::kernel::Kernel;
use crate::kernel::commit::Write;
use crate::kernel::draft::Draft;
use crate::kernel::prepared::Prepared;
use crate::kernel::reading::{Reading, Stored};
use crate::kernel::reclaim::Guard;
use crate::kernel::stage::bulk::{New, Staged};
use crate::kernel::stage::{Place, Put};
use crate::kernel::table::AnyTable;
use crate::kernel::typed::{Typed, downcast};
use crate::propose::sets::TableReadSet;
use crate::table::object::{Index, Key, Object};
use crate::table::proposed::{Proposed, Rejected};
use crate::table::schema::TableOf;
use crate::table::unique::{Checking, Claims, OwnWrite};
use crate::version::{Moment, Version};

/// A key's state as the transaction has left it.
pub(crate) struct Own<T: Object> {
    pub(crate) key: T::Key,
    pub(crate) hash: u64,
    pub(crate) state: State<T>,
    /// What stood in the snapshot, if anything did.
    pub(crate) base: Option<Base>,
    /// When it was written, if not now: what is restored or replicated keeps its time.
    pub(crate) updated: Option<Moment>,
}

impl<T: Object> Hashed for Own<T> {
    fn hash(&self) -> u64 {
        self.hash
    }
}

/// An object of the snapshot that a write replaces.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base {
    pub(crate) version: Version,
    pub(crate) place: Place,
}

pub(crate) enum State<T> {
    /// The object, and when it was created if not now.
    Object(Draft<T>, Option<Moment>),
    /// There is none: deleted, or created and deleted again.
    Nothing,
    /// Taken to be staged.
    Staged,
}

/// What a transaction has read and written of one table.
pub(crate) struct Buffer<T: Object> {
    pub(crate) reads: RefCell<TableReads<T>>,
    pub(crate) writes: Noted<Own<T>, 2>,
    /// Whether two keys with one hash have said that they differ. If they do not, they lead to one
    /// record.
    alike: Cell<bool>,
    claims: RefCell<Vec<Box<dyn Any>>>,
}

/// A buffer whose type the caller does not know.
pub(crate) trait AnyBuffer: Typed {
    /// Whether a write of another transaction is in the way.
    fn clash(&self, guard: &Guard<'_>, table: &dyn AnyTable, write: &Write) -> Option<Clash>;
    /// The signature of all that was read, if only keys were.
    fn points_signature(&self) -> Option<u64>;
    /// Takes the values of one write in the unique indexes.
    fn claim(&self, at: usize, tx: &Transaction<'_>) -> Result<(), Duplicate>;
    /// Asks the rules about one write, as all writes of `tx` left it.
    fn check(&self, at: usize, tx: &Transaction<'_>) -> Result<(), Rejected>;
    /// Bytes of what is written: of objects, and of the keys of those that go.
    fn bytes(&self) -> usize;
    /// Puts one write in place, unless nothing is to be written for it.
    fn stage(
        &mut self,
        at: usize,
        to: &Staging<'_>,
        table: &dyn AnyTable,
        prepared: &mut Prepared<'_>,
    ) -> Result<(), u64>;
    /// Puts the new objects in place, all at once; each with its place among the writes.
    fn stage_new(
        &mut self,
        to: &Staging<'_>,
        table: &dyn AnyTable,
    ) -> Result<Vec<(usize, Staged)>, u64>;
    /// What was read, as data; `None`: nothing.
    fn export_reads(&self, table: &dyn AnyTable) -> Option<TableReadSet>;
    /// Forgets everything.
    fn clear(&mut self);
}

/// Where and when writes are put in place.
pub(crate) struct Staging<'a> {
    pub(crate) kernel: &'a Kernel,
    pub(crate) reading: Reading<'a>,
    pub(crate) now: Moment,
}

impl<T: Object> Buffer<T> {
    pub(crate) fn new(read_bound: &Rc<ReadBound>) -> Self {
        Self {
            reads: RefCell::new(TableReads::new(Rc::clone(read_bound))),
            writes: Noted::new(),
            alike: Cell::new(false),
            claims: RefCell::default(),
        }
    }

    /// Where the transaction's own write of a key is.
    pub(crate) fn position(&self, hash: u64, key: &T::Key) -> Option<usize> {
        let is_it = |own: &Own<T>| own.key == *key || self.differs();
        self.writes.find(hash, is_it)
    }

    /// False, and noted: a key with the hash of another one is not that.
    #[cold]
    fn differs(&self) -> bool {
        self.alike.set(true);
        false
    }

    pub(crate) fn own(&self, hash: u64, key: &T::Key) -> Option<&Own<T>> {
        self.position(hash, key).map(|at| &self.writes[at])
    }

    /// The object, among those written, that took a value of a unique index, and has it.
    pub(crate) fn claimant<V: Key>(
        &self,
        table: &TableOf<T>,
        index: Index<T, V>,
        value: &V,
    ) -> Option<&T> {
        let mut uniques = table.uniques().iter();
        let position = table.position_of(index.name)?;
        let at = uniques.position(|unique| usize::from(unique.position()) == position)?;
        let claims = self.claims.borrow();
        let claims = claims.get(at)?.downcast_ref::<Claims<V, T::Key>>()?;
        let key = claims.get(value)?;
        match &self.own(table.hash(key), key)?.state {
            State::Object(object, _) if index.values_of(object).contains(value) => Some(object),
            State::Object(..) | State::Nothing | State::Staged => None,
        }
    }

    /// Checks an object about to be written against the unique indexes, and takes its values.
    pub(crate) fn take_unique(
        &self,
        table: &TableOf<T>,
        reading: Reading<'_>,
        object: &T,
    ) -> Result<(), Duplicate> {
        if table.uniques().is_empty() {
            return Ok(());
        }
        let mut claims = self.claims.borrow_mut();
        if claims.is_empty() {
            claims.extend(table.uniques().iter().map(|unique| unique.new_claims()));
        }
        let own = |key: &T::Key| {
            let at = self.position(table.hash(key), key);
            match at.map(|at| &self.writes[at].state) {
                None => OwnWrite::Untouched,
                Some(State::Object(object, _)) => OwnWrite::Object(&**object),
                Some(State::Nothing | State::Staged) => OwnWrite::Deleted,
            }
        };
        let checking = Checking {
            table,
            reading,
            own: &own,
        };
        let mut reads = self.reads.borrow_mut();
        let mut uniques = table.uniques().iter().zip(&mut *claims);
        let checked = uniques.try_for_each(|(unique, claims)| {
            unique.check(&checking, &mut **claims, object, &mut reads.taken)
        });
        if let Err(duplicate) = &checked
            && let Some(holder) = duplicate.holder.downcast_ref::<T::Key>()
        {
            // Whoever goes on after a refusal has read that the holder is there.
            reads.note_point(table.hash(holder), holder);
        }
        checked
    }
}

fn typed<T: Object>(table: &dyn AnyTable) -> &TableOf<T> {
    downcast(table).expect("the table of the buffer's type")
}

impl<T: Object> AnyBuffer for Buffer<T> {
    fn clash(&self, guard: &Guard<'_>, table: &dyn AnyTable, write: &Write) -> Option<Clash> {
        self.reads.borrow().clash(guard, typed::<T>(table), write)
    }

    fn points_signature(&self) -> Option<u64> {
        let reads = self.reads.borrow();
        reads.is_points_only().then(|| reads.signature())
    }

    fn claim(&self, at: usize, tx: &Transaction<'_>) -> Result<(), Duplicate> {
        match &self.writes[at].state {
            State::Object(object, _) => {
                self.take_unique(tx.table::<T>(), tx.hold.reading(), object)
            }
            State::Nothing | State::Staged => Ok(()),
        }
    }

    fn check(&self, at: usize, tx: &Transaction<'_>) -> Result<(), Rejected> {
        let own = &self.writes[at];
        let (table, reading) = (tx.table::<T>(), tx.hold.reading());
        let old = own.base.and_then(|_| table.find(reading, &own.key));
        let old = old.map(Stored::object);
        let change = match (old, &own.state) {
            (None, State::Object(new, _)) => Proposed::Create(&**new),
            (Some(old), State::Object(new, _)) => Proposed::Update { old, new },
            (Some(old), State::Nothing) => Proposed::Delete(old),
            (None, State::Nothing) | (_, State::Staged) => return Ok(()),
        };
        T::check(change, tx).map_err(|refused| refused.about::<T>(&own.key))
    }

    fn bytes(&self) -> usize {
        let bytes = self.writes.iter().map(|own| match &own.state {
            State::Object(draft, _) => draft.bytes(),
            State::Nothing | State::Staged => size_of::<T::Key>(),
        });
        bytes.fold(0, usize::saturating_add)
    }

    fn stage(
        &mut self,
        at: usize,
        to: &Staging<'_>,
        table: &dyn AnyTable,
        prepared: &mut Prepared<'_>,
    ) -> Result<(), u64> {
        let own = &mut self.writes[at];
        let mut now = to.now;
        let put = match std::mem::replace(&mut own.state, State::Staged) {
            State::Object(object, created) => {
                let created = created.unwrap_or(now);
                // The creator's clock may be ahead of ours.
                now = now.max(created);
                Put::Object(object, created)
            }
            State::Nothing if own.base.is_some() => Put::Tombstone,
            // Created and deleted again: it never was.
            State::Nothing | State::Staged => return Ok(()),
        };
        let place = (&own.key, own.hash);
        let base = own.base.map(|base| base.place);
        let now = own.updated.unwrap_or(now);
        typed::<T>(table).stage(prepared, to.reading, place, base, put, now)?;
        if self.alike.get() {
            prepared.assert_apart();
        }
        Ok(())
    }

    fn stage_new(
        &mut self,
        to: &Staging<'_>,
        table: &dyn AnyTable,
    ) -> Result<Vec<(usize, Staged)>, u64> {
        if self.alike.get() {
            // One by one, so that no record is taken for two.
            return Ok(Vec::new());
        }
        let is_new = |own: &Own<T>| own.base.is_none() && matches!(own.state, State::Object(..));
        let places = (0..).zip(&*self.writes).filter(|(_, own)| is_new(own));
        let places: Vec<usize> = places.map(|(at, _)| at).collect();
        let new = self.writes.iter_mut().filter_map(|own| {
            if !is_new(own) {
                return None;
            }
            match std::mem::replace(&mut own.state, State::Staged) {
                State::Object(draft, created) => Some(New {
                    key: &own.key,
                    hash: own.hash,
                    draft,
                    created: created.unwrap_or(to.now),
                    updated: own.updated.unwrap_or(to.now),
                }),
                State::Nothing | State::Staged => None,
            }
        });
        let staged = typed::<T>(table).stage_new(to.kernel, to.reading, (places.len(), new))?;
        Ok(places.into_iter().zip(staged).collect())
    }

    fn export_reads(&self, table: &dyn AnyTable) -> Option<TableReadSet> {
        let reads = self.reads.borrow();
        (!reads.is_empty()).then(|| reads.export(typed::<T>(table)))
    }

    fn clear(&mut self) {
        self.reads.get_mut().clear();
        self.writes.clear();
        self.alike.set(false);
        empty(self.claims.get_mut());
    }
}
