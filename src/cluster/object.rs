//! What all objects of a cluster have: an ID, a name, annotations, and lookups by a finder.

use std::borrow::Cow;

use super::annotations::{Annotations, CustomKey};
use super::finder::Finder;
use super::lookup::Lookup;
use crate::Id;
use crate::Index;
use crate::Object;

/// An object of a cluster: one that finders and specifiers work on. A program's own tables may be
/// such, too.
pub trait ClusterObject: Object<Key = Id> {
    /// By name, whatever the case.
    const BY_NAME: Index<Self, String>;
    /// By the entries of its annotations.
    const BY_CUSTOM: Index<Self, CustomKey>;

    /// The name that [`ClusterObject::BY_NAME`] has, if there is one.
    fn name(&self) -> Option<Cow<'_, str>>;

    /// Its annotations.
    fn annotations(&self) -> &Annotations;

    /// How the table answers a finder beyond those that every table answers; `None` if it has
    /// nothing to answer it with.
    fn lookup(finder: &Finder) -> Option<Lookup<Self>>;
}

/// The table of an object that is found by its unique name and its custom entries alone, with its
/// rules and what it keeps in its objects.
macro_rules! named_table {
    ($object:ident, $table:literal, $($annotations:ident).+, $check:path $(, $complete:path)?) => {
        impl $object {
            /// By name, whatever the case; no two have the same.
            pub const BY_NAME: $crate::Index<Self, String> =
                $crate::Index::new("by_name", |object: &Self, keys| {
                    keys.add(object.$($annotations).+.name.clone());
                })
                .unique()
                .normalized($crate::fold_case)
                .unchanged_if(|old, new| {
                    old.$($annotations).+.name == new.$($annotations).+.name
                });
            /// By the entries of its annotations.
            pub const BY_CUSTOM: $crate::Index<Self, $crate::cluster::CustomKey> =
                $crate::Index::new("by_custom", |object: &Self, keys| {
                    let entries = object.$($annotations).+.custom_keys();
                    entries.for_each(|entry| keys.add(entry));
                })
                .unchanged_if(|old, new| {
                    old.$($annotations).+.indices == new.$($annotations).+.indices
                });
        }

        impl $crate::Object for $object {
            type Key = $crate::Id;
            const TABLE: &'static str = $table;

            fn key(&self) -> $crate::Id {
                self.id
            }

            fn indexes(indexes: &mut $crate::Indexes<Self>) {
                indexes.add(Self::BY_NAME).add(Self::BY_CUSTOM);
            }

            fn bytes(&self) -> usize {
                $crate::cluster::held::bytes_of(self)
            }

            $(fn complete(&mut self, old: Option<&Self>, tx: &$crate::Transaction<'_>) {
                $complete(self, old, tx);
            })?

            fn check(
                change: $crate::Proposed<'_, Self>,
                tx: &$crate::Transaction<'_>,
            ) -> Result<(), $crate::Rejected> {
                $check(change, tx)
            }
        }

        impl $crate::cluster::ClusterObject for $object {
            const BY_NAME: $crate::Index<Self, String> = Self::BY_NAME;
            const BY_CUSTOM: $crate::Index<Self, $crate::cluster::CustomKey> = Self::BY_CUSTOM;

            fn name(&self) -> Option<std::borrow::Cow<'_, str>> {
                Some(std::borrow::Cow::Borrowed(&self.$($annotations).+.name))
            }

            fn annotations(&self) -> &$crate::cluster::Annotations {
                &self.$($annotations).+
            }

            fn lookup(
                _: &$crate::cluster::Finder,
            ) -> Option<$crate::cluster::Lookup<Self>> {
                None
            }
        }
    };
}

pub(super) use named_table;
