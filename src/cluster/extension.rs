//! Extensions: kinds of resources.

use super::annotations::Annotations;
use super::object::named_table;
use super::rules::check_extension;
use crate::Id;

/// An extension: its name is a kind of [`Resource`](super::Resource)s, and not that of a table. It
/// is never updated, and deleted only when no resource is of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Extension {
    /// The key.
    pub id: Id,
    /// Name, labels and custom index entries.
    pub annotations: Annotations,
    /// What such resources are, in words.
    pub description: String,
}

named_table!(Extension, "extension", annotations, check_extension);

impl Extension {
    /// An extension with this name.
    pub fn named(id: Id, name: impl Into<String>) -> Self {
        Self {
            id,
            annotations: Annotations::named(name),
            description: String::new(),
        }
    }
}
