//! The ten tables of a cluster, by the names that files and lines of JSON have.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use skep::cluster::{
    Cluster, ClusterObject, Config, Extension, Network, Node, Resource, Secret, Service, Task,
    Volume,
};
use skep::save::{Fault, decode};
use skep::{Action, Id};

use super::redact::Redact;

/// The number of the form of all ten tables' objects, as the catalogue has it.
const SCHEMA: u32 = 1;

/// What can be done with a table's objects.
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Whether rules ask that what its objects refer to is there: these come last, then.
    pub refers: bool,
    /// An object's ID, from its bytes.
    pub id: fn(&[u8]) -> Result<Id, Fault>,
    /// An object as JSON, from its bytes; with its secrets or without.
    pub json: fn(&[u8], Secrets) -> Result<Value, Fault>,
    /// The creation of an object, from its JSON.
    pub create: fn(&str) -> Result<Action, serde_json::Error>,
}

/// Whether secrets are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// As they are.
    Shown,
    /// Zeros in their place.
    Redacted,
}

impl Secrets {
    /// As the command line says.
    pub fn of(redact: bool) -> Self {
        match redact {
            true => Self::Redacted,
            false => Self::Shown,
        }
    }
}

const TABLES: [Table; 10] = [
    table::<Cluster>(),
    table::<Config>(),
    table::<Extension>(),
    table::<Network>(),
    table::<Node>(),
    table::<Resource>().referring(),
    table::<Secret>(),
    table::<Service>(),
    table::<Task>(),
    table::<Volume>(),
];

const fn table<T: ClusterObject + Redact + Serialize + DeserializeOwned>() -> Table {
    Table {
        name: T::TABLE,
        refers: false,
        id: |bytes| decode::<T>(bytes).map(|object| object.key()),
        json: |bytes, secrets| {
            let mut object = decode::<T>(bytes)?;
            if secrets == Secrets::Redacted {
                object.redact();
            }
            let object = serde_json::to_value(object);
            object.map_err(|error| Fault::Undecodable(error.to_string()))
        },
        create: |text| serde_json::from_str::<T>(text).map(Action::create),
    }
}

impl Table {
    const fn referring(mut self) -> Self {
        self.refers = true;
        self
    }
}

/// The table with a name.
pub fn find(name: &str) -> Option<&'static Table> {
    const KNOWN: &[Table] = &TABLES;
    KNOWN.iter().find(|table| table.name == name)
}

/// The same, if its objects are of this program's form. Read as another one their bytes may be
/// something, and not what was saved.
pub fn known(name: &str, schema: u32) -> Option<&'static Table> {
    find(name).filter(|_| schema == SCHEMA)
}

/// All names, for a message.
pub fn names() -> String {
    TABLES.map(|table| table.name).join(", ")
}
