//! Folders in folders: a table with rules, which counts the changes of its objects.

#![allow(dead_code, reason = "each test file uses a part")]

use std::error::Error as StdError;
use std::fmt;

use skep::{Index, Indexes, Object, Proposed, Rejected, Store, Transaction, keys};

use super::common::builder;

/// A folder in a folder. Its table counts the changes of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    pub id: u32,
    pub name: String,
    pub parent: Option<u32>,
    pub changes: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    NoParent(u32),
    HasChild(u32),
    Renamed { from: String, to: String },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault: {self:?}")
    }
}

impl StdError for Fault {}

impl Folder {
    pub const BY_NAME: Index<Self, String> =
        Index::new("by_name", |it: &Self, keys| keys.add(it.name.clone())).unique();
    pub const BY_PARENT: Index<Self, u32> = Index::new("by_parent", |it, keys| {
        if let Some(parent) = it.parent {
            keys.add(parent);
        }
    });
}

impl Object for Folder {
    type Key = u32;
    const TABLE: &'static str = "folder";

    fn key(&self) -> u32 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_NAME).add(Self::BY_PARENT);
    }

    fn complete(&mut self, old: Option<&Self>, _: &Transaction<'_>) {
        self.changes = old.map_or(0, |old| old.changes + 1);
    }

    fn check(change: Proposed<'_, Self>, tx: &Transaction<'_>) -> Result<(), Rejected> {
        if let Some(parent) = change.after().and_then(|new| new.parent)
            && tx.get::<Self>(&parent).is_none()
        {
            return Err(Rejected::new(Fault::NoParent(parent)));
        }
        match change {
            Proposed::Create(new) => assert_ne!(new.name, "panic", "the test's own panic"),
            // One step may not; a whole may have come to this in several.
            Proposed::Update { old, new } if old.name != new.name && !tx.checks_deferred() => {
                let (from, to) = (old.name.clone(), new.name.clone());
                return Err(Rejected::new(Fault::Renamed { from, to }));
            }
            Proposed::Update { .. } => {}
            Proposed::Delete(old) => {
                if let Some(child) = tx.first(Self::BY_PARENT.eq(old.id)) {
                    return Err(Rejected::new(Fault::HasChild(child.id)));
                }
            }
        }
        Ok(())
    }
}

pub fn folder(id: u32, parent: Option<u32>) -> Folder {
    Folder {
        id,
        name: format!("folder-{id}"),
        parent,
        changes: 0,
    }
}

pub fn named(id: u32, name: &str) -> Folder {
    Folder {
        name: name.into(),
        ..folder(id, None)
    }
}

/// A folder 1 with a folder 2 in it, and a folder 3.
pub fn store() -> Store {
    let store = builder().table::<Folder>().build();
    let created = store.update(|tx| {
        tx.create(folder(1, None))?;
        tx.create(folder(2, Some(1)))?;
        tx.create(folder(3, None))
    });
    created.expect("nothing is against it");
    store
}

pub fn names(store: &Store) -> Vec<(u32, String)> {
    let read = store.read();
    let all = read.find(keys::<Folder>().all());
    all.map(|it| (it.id, it.name.clone())).collect()
}

pub fn fault(rejected: &Rejected) -> &Fault {
    rejected.downcast_ref().expect("a fault of this table")
}
