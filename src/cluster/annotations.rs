//! What a person says about an object: its name, labels, and index entries of their own.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::ByIndex;
use crate::Index;
use crate::Object;
use crate::Prefix;
use crate::Query;

/// Labels, or options of a driver: texts by texts.
pub type Labels = BTreeMap<String, String>;

/// What custom indexes are by: the entry's key, then its value.
///
/// Two texts stay two: the entry (`a`, `b|c`) is not the entry (`a|b`, `c`), whatever is in them.
pub type CustomKey = (String, String);

/// Name, labels and custom index entries of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Annotations {
    /// The name. Compared without case; an empty name is a name.
    pub name: String,
    /// Labels, for people and for constraints; not indexed.
    pub labels: Labels,
    /// Entries of the custom index: the object is found by each of them.
    pub indices: Vec<IndexEntry>,
}

/// An entry of the custom index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct IndexEntry {
    /// What the entry is about.
    pub key: String,
    /// What it says.
    pub value: String,
}

/// A driver or plugin, with its options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Driver {
    /// Its name.
    pub name: String,
    /// What it is told.
    pub options: Labels,
}

impl Annotations {
    /// Annotations with this name alone.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// The same with a label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The same with an entry of the custom index.
    #[must_use]
    pub fn index(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        self.indices.push(IndexEntry { key, value });
        self
    }

    /// Whether there is a custom index entry with this key and this value.
    #[must_use]
    pub fn has_entry(&self, key: &str, value: &str) -> bool {
        let mut entries = self.indices.iter();
        entries.any(|entry| entry.key == key && entry.value == value)
    }

    /// Whether there is a custom index entry with this key whose value begins with `prefix`.
    #[must_use]
    pub fn has_entry_beginning(&self, key: &str, prefix: &str) -> bool {
        let mut entries = self.indices.iter();
        entries.any(|entry| entry.key == key && entry.value.starts_with(prefix))
    }

    /// What the custom index holds of these annotations.
    pub fn custom_keys(&self) -> impl Iterator<Item = CustomKey> {
        let entries = self.indices.iter();
        entries.map(|entry| (entry.key.clone(), entry.value.clone()))
    }
}

impl Driver {
    /// A driver without options.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            options: Labels::new(),
        }
    }
}

/// Objects with a custom index entry with exactly this key, whose value begins with `prefix`: by
/// the value, then by ID.
///
/// ```
/// use skep::cluster::{self, Annotations, Node, custom_prefix};
/// use skep::Id;
///
/// let store = cluster::builder().build();
/// let mut node = Node::new(Id::random());
/// node.spec.annotations = Annotations::default().index("rack", "east-4");
/// store.update(|tx| tx.create(node.clone()))?;
/// let view = store.read();
/// assert_eq!(view.count(custom_prefix(Node::BY_CUSTOM, "rack", "east-")), 1);
/// assert_eq!(view.count(custom_prefix(Node::BY_CUSTOM, "rac", "")), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn custom_prefix<T: Object>(
    index: Index<T, CustomKey>,
    key: &str,
    prefix: &str,
) -> Query<T, ByIndex<T, CustomKey>> {
    let (lower, upper) = String::starting_with(prefix);
    let with_key = |value: String| (key.to_owned(), value);
    let upper = match upper.map(with_key) {
        // The first key after this one: all values of this one are before it.
        Bound::Unbounded => Bound::Excluded((format!("{key}\0"), String::new())),
        upper => upper,
    };
    index.range((lower.map(with_key), upper))
}
