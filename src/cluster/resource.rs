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

/// Among which resources a name is unique: a setting of a store, which is otherwise as SwarmKit is.
///
/// ```
/// use skep::Id;
/// use skep::cluster::{self, Extension, Resource, ResourceNames};
///
/// let store = cluster::builder().setting(ResourceNames::UniqueInKind).build();
/// store.update(|tx| {
///     for kind in ["pool", "route"] {
///         tx.create(Extension::named(Id::random(), kind))?;
///         tx.create(Resource::named(Id::random(), kind, "main"))?;
///     }
///     Ok::<_, skep::CreateError>(())
/// })?;
/// assert_eq!(store.read().count(Resource::BY_NAME.eq("MAIN")), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResourceNames {
    /// Among all resources.
    #[default]
    Unique,
    /// Among those of its kind.
    UniqueInKind,
}

/// A resource.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Resource {
    /// The key.
    pub id: Id,
    /// Name, labels and custom index entries. No two resources have the same name, of whatever
    /// kind, or of one kind: see [`ResourceNames`].
    pub annotations: Annotations,
    /// The name of the [`Extension`](super::Extension) that says what it is. Compared without case;
    /// there is always one.
    pub kind: String,
    /// What its users keep in it.
    pub payload: Payload,
}

impl Resource {
    /// By name, whatever the case. No two have the same, unless the store lets resources of two
    /// kinds have it: [`ResourceNames`].
    pub const BY_NAME: Index<Self, String> = Index::new("by_name", |resource: &Self, keys| {
        keys.add(resource.annotations.name.clone());
    })
    .normalized(fold_case)
    .unchanged_if(|old, new| old.annotations.name == new.annotations.name);
    /// By kind and name, whatever the case of either; no two have the same.
    pub const BY_KIND_AND_NAME: Index<Self, (String, String)> =
        Index::new("by_kind_and_name", |resource: &Self, keys| {
            keys.add((resource.kind.clone(), resource.annotations.name.clone()));
        })
        .unique()
        .normalized(|(kind, name)| (fold_case(kind), fold_case(name)))
        .unchanged_if(|old, new| {
            old.kind == new.kind && old.annotations.name == new.annotations.name
        });
    /// By kind: the name of an extension, so whatever the case.
    pub const BY_KIND: Index<Self, String> = Index::new("by_kind", |resource: &Self, keys| {
        keys.add(resource.kind.clone())
    })
    .normalized(fold_case)
    .unchanged_if(|old, new| old.kind == new.kind);
    /// By the entries of its annotations.
    pub const BY_CUSTOM: Index<Self, CustomKey> =
        Index::new("by_custom", |resource: &Self, keys| {
            let entries = resource.annotations.custom_keys();
            entries.for_each(|entry| keys.add(entry));
        })
        .unchanged_if(|old, new| old.annotations.indices == new.annotations.indices);

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
            .add(Self::BY_KIND_AND_NAME)
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
