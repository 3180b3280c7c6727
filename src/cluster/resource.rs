//! Resources: objects of a kind that the cluster does not know itself.

use std::borrow::Cow;

use super::annotations::{Annotations, CustomKey};
use super::finder::Finder;
use super::held::bytes_of;
use super::lookup::Lookup;
use super::object::ClusterObject;
use super::payload::Payload;
use super::rules::check_resource;
use crate::Id;
use crate::Index;
use crate::Indexes;
use crate::Object;
use crate::Proposed;
use crate::Rejected;
use crate::Transaction;
use crate::fold_case;

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Resource {
    /// The key.
    pub id: Id,
    /// Name, labels and custom index entries. No two resources have the same name, of whatever
    /// kind.
    pub annotations: Annotations,
    /// The name of the [`Extension`](super::Extension) that says what it is. Compared without case;
    /// there is always one.
    pub kind: String,
    /// What its users keep in it.
    pub payload: Payload,
}

impl Resource {
    /// By name, whatever the case; no two have the same.
    pub const BY_NAME: Index<Self, String> = Index::new("by_name", |resource: &Self, keys| {
        keys.add(resource.annotations.name.clone());
    })
    .unique()
    .normalized(fold_case);
    /// By kind: the name of an extension, so whatever the case.
    pub const BY_KIND: Index<Self, String> = Index::new("by_kind", |resource: &Self, keys| {
        keys.add(resource.kind.clone())
    })
    .normalized(fold_case);
    /// By the entries of its annotations.
    pub const BY_CUSTOM: Index<Self, CustomKey> =
        Index::new("by_custom", |resource: &Self, keys| {
            let entries = resource.annotations.custom_keys();
            entries.for_each(|entry| keys.add(entry));
        });

    /// An empty resource of a kind.
    pub fn named(id: Id, kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id,
            annotations: Annotations::named(name),
            kind: kind.into(),
            payload: Payload::default(),
        }
    }
}

impl Object for Resource {
    type Key = Id;
    const TABLE: &'static str = "resource";

    fn key(&self) -> Id {
        self.id
    }

    fn bytes(&self) -> usize {
        bytes_of(self)
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes
            .add(Self::BY_NAME)
            .add(Self::BY_KIND)
            .add(Self::BY_CUSTOM);
    }

    fn check(change: Proposed<'_, Self>, tx: &Transaction<'_>) -> Result<(), Rejected> {
        check_resource(change, tx)
    }
}

impl ClusterObject for Resource {
    const BY_NAME: Index<Self, String> = Self::BY_NAME;
    const BY_CUSTOM: Index<Self, CustomKey> = Self::BY_CUSTOM;

    fn name(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.annotations.name))
    }

    fn annotations(&self) -> &Annotations {
        &self.annotations
    }

    fn lookup(finder: &Finder) -> Option<Lookup<Self>> {
        match finder {
            Finder::Kind(kind) => Some(Lookup::folded(Self::BY_KIND, kind, |resource| {
                Some(&resource.kind)
            })),
            _ => None,
        }
    }
}
