//! The tables of a store, by position and by type.
//!
//! # Invariants
//! - B4: a slot's pointer is to the table in its place, whose type has the slot's id; tables are
//!   boxed and stay where they are as long as the catalog.

use std::any::TypeId;
use std::hash::{Hash, Hasher};

use super::table::{AnyTable, KeyBounds, Table};

/// Where a type's table is.
#[derive(Clone, Copy)]
struct Slot {
    /// Of the `Table`.
    kind: TypeId,
    table: *const (),
}

/// The tables of a store.
pub(crate) struct Catalog {
    tables: Box<[Box<dyn AnyTable>]>,
    /// Open addressing over the bits of the type's id; a power of two, at most half full.
    slots: Box<[Option<Slot>]>,
}

// SAFETY: B4: the pointers are to the catalog's own tables, which are Send and Sync.
unsafe impl Send for Catalog {}
// SAFETY: as above.
unsafe impl Sync for Catalog {}

/// The bits of a type's id, which are a hash already; known when compiled for a known type.
#[inline]
fn bits_of(kind: TypeId) -> usize {
    struct Bits(u64);

    impl Hasher for Bits {
        fn write(&mut self, bytes: &[u8]) {
            for &byte in bytes {
                self.0 = self.0.rotate_left(8) ^ u64::from(byte);
            }
        }

        #[inline]
        fn write_u64(&mut self, value: u64) {
            self.0 ^= value;
        }

        #[inline]
        fn finish(&self) -> u64 {
            self.0
        }
    }

    let mut bits = Bits(0);
    kind.hash(&mut bits);
    bits.finish() as usize
}

impl Catalog {
    pub(super) fn new(tables: Vec<Box<dyn AnyTable>>) -> Self {
        let count = (tables.len() * 4).next_power_of_two().max(8);
        let mut slots = vec![None; count];
        for table in &tables {
            let kind = (**table).kind();
            let mut at = bits_of(kind) & (count - 1);
            while slots[at].is_some() {
                at = (at + 1) & (count - 1);
            }
            let table = std::ptr::from_ref(&**table).cast();
            slots[at] = Some(Slot { kind, table });
        }
        Self {
            tables: tables.into(),
            slots: slots.into(),
        }
    }

    /// The table at a position.
    pub(crate) fn at(&self, position: usize) -> &dyn AnyTable {
        &*self.tables[position]
    }

    pub(crate) fn all(&self) -> &[Box<dyn AnyTable>] {
        &self.tables
    }

    pub(super) fn all_mut(&mut self) -> &mut [Box<dyn AnyTable>] {
        &mut self.tables
    }

    /// The table of a type: a few instructions and one line that stays in the cache.
    #[inline]
    pub(crate) fn find<K: KeyBounds, T: Send + Sync + 'static>(&self) -> Option<&Table<K, T>> {
        let kind = TypeId::of::<Table<K, T>>();
        let mut at = bits_of(kind);
        loop {
            let slot = self.slots[at & (self.slots.len() - 1)]?;
            if slot.kind == kind {
                // SAFETY: B4: a table of that type, which the catalog keeps.
                return Some(unsafe { &*slot.table.cast::<Table<K, T>>() });
            }
            at = at.wrapping_add(1);
        }
    }
}
