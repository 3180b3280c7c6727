//! The catalogue: which tables are saved and restored.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::encoded::AnyCodec;
use super::error::{Fault, ReadError, SaveError};
use super::format::{NAME_BYTES_MAX, TABLES_MAX};
use super::limits::Limits;
use super::plan::{AnyPlan, Section, plan};
use super::shared;
use super::write::Writer;
use crate::snapshot::Snapshot;
use crate::table::object::Object;
use crate::table::query::keys;

/// The number of a form that is not said.
const SCHEMA_FIRST: u32 = 1;

/// Names the tables that are saved and restored, and what a file may hold. Cheap to clone.
///
/// ```
/// use skep::cluster::{Node, Service};
/// use skep::save::Catalogue;
///
/// let two = Catalogue::new().table::<Node>().table::<Service>();
/// assert_eq!(two.names().collect::<Vec<_>>(), ["node", "service"]);
/// assert_eq!(skep::cluster::catalogue().names().count(), 10);
/// ```
#[derive(Clone, Default)]
pub struct Catalogue {
    pub(super) tables: Vec<Arc<dyn AnyTable>>,
    pub(super) limits: Limits,
}

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogue")
            .field("tables", &self.names().collect::<Vec<_>>())
            .field("limits", &self.limits)
            .finish()
    }
}

impl Catalogue {
    /// A catalogue without tables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the table of objects `T`, whose form has the number 1.
    ///
    /// # Panics
    /// As [`Catalogue::table_of_schema`].
    #[must_use]
    pub fn table<T>(self) -> Self
    where
        T: Object<Key: Serialize + DeserializeOwned> + Serialize + DeserializeOwned,
    {
        self.table_of_schema::<T>(SCHEMA_FIRST)
    }

    /// Adds the table of objects `T`, whose form has a number: count it up when a field comes, goes
    /// or changes its type, so that files of another form are refused by name.
    ///
    /// Equal objects should have equal bytes: maps that tell their entries in a random order look
    /// changed when they are restored.
    ///
    /// # Panics
    /// If the catalogue has a table of that name, the name is longer than 255 bytes, or there are
    /// 65,535 tables.
    #[must_use]
    pub fn table_of_schema<T>(mut self, schema: u32) -> Self
    where
        T: Object<Key: Serialize + DeserializeOwned> + Serialize + DeserializeOwned,
    {
        assert!(
            self.find(T::TABLE).is_none(),
            "the catalogue has a table {} already",
            T::TABLE
        );
        assert!(T::TABLE.len() <= NAME_BYTES_MAX, "too long a table's name");
        assert!(self.tables.len() < TABLES_MAX as usize, "too many tables");
        self.tables.push(Arc::new(Typed::<T> {
            schema,
            object: std::marker::PhantomData,
        }));
        self
    }

    /// The same with other limits.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The tables' names, in the order of a file.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.tables.iter().map(|table| table.name())
    }

    pub(super) fn find(&self, name: &str) -> Option<&dyn AnyTable> {
        let mut tables = self.tables.iter();
        tables
            .find(|table| table.name() == name)
            .map(|table| &**table)
    }
}

/// A table of a catalogue whose type the caller does not know.
pub(super) trait AnyTable: AnyCodec {
    fn name(&self) -> &'static str;
    fn schema(&self) -> u32;
    fn count(&self, snapshot: &Snapshot) -> u64;
    /// Writes the table's objects; `closed` is told after each block.
    fn save(
        &self,
        snapshot: &Snapshot,
        writer: &mut Writer<'_>,
        closed: &mut dyn FnMut(&Writer<'_>),
    ) -> Result<(), SaveError>;
    /// What is to be done so that the table is as the section says.
    fn plan(
        &self,
        base: &Snapshot,
        section: &mut Section<'_, '_>,
    ) -> Result<Box<dyn AnyPlan>, ReadError>;
}

pub(super) struct Typed<T> {
    pub(super) schema: u32,
    object: std::marker::PhantomData<fn() -> T>,
}

impl<T> AnyTable for Typed<T>
where
    T: Object<Key: Serialize + DeserializeOwned> + Serialize + DeserializeOwned,
{
    fn name(&self) -> &'static str {
        T::TABLE
    }

    fn schema(&self) -> u32 {
        self.schema
    }

    fn count(&self, snapshot: &Snapshot) -> u64 {
        snapshot.count(keys::<T>().all()) as u64
    }

    fn save(
        &self,
        snapshot: &Snapshot,
        writer: &mut Writer<'_>,
        closed: &mut dyn FnMut(&Writer<'_>),
    ) -> Result<(), SaveError> {
        let mut entries = snapshot.find(keys::<T>().all()).entries();
        while let Some(entry) = entries.next() {
            entries.fetch_ahead();
            if writer.object(entry.get(), &entry.meta())? {
                writer.close_block()?;
                closed(writer);
            }
        }
        writer.close_block()?;
        closed(writer);
        Ok(())
    }

    fn plan(
        &self,
        base: &Snapshot,
        section: &mut Section<'_, '_>,
    ) -> Result<Box<dyn AnyPlan>, ReadError> {
        let encoder = Rc::clone(&section.encoder);
        let encode = |object: &T| encoder.encode(object, |_| ()).is_ok();
        let parts = Rc::clone(&section.parts);
        let decode = |bytes: &[u8]| -> Result<T, Fault> { shared::decode(&parts, bytes) };
        plan(base, section, &encode, &decode)
    }
}
