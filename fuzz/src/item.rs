//! The objects that the targets store: small numbers, so that they meet, an index of each kind.

use arbitrary::{Arbitrary, Unstructured};
use serde::{Deserialize, Serialize};
use skep::{Index, Indexes, Object, fold_case};

/// Keys are below this.
pub const KEYS: u8 = 12;
/// Groups are below this.
pub const GROUPS: u8 = 4;
/// Names are below this; fewer than keys, so that the unique index refuses some.
pub const NAMES: u8 = 9;
/// Tags are below this.
pub const TAGS: u8 = 4;
/// Characters of a label at most.
pub const LABEL_CHARACTERS: usize = 3;

/// An object.
#[derive(Arbitrary, Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Its key.
    #[arbitrary(with = key)]
    pub key: u8,
    /// A value of an index, or none.
    #[arbitrary(with = group)]
    pub group: Option<u8>,
    /// A value of a unique index.
    #[arbitrary(with = name)]
    pub name: u8,
    /// Values of an index, a bit each.
    #[arbitrary(with = tags)]
    pub tags: u8,
    /// A text, found by its beginning in any case.
    #[arbitrary(with = label)]
    pub label: String,
    /// A payload.
    pub value: u8,
}

/// A key.
pub fn key(u: &mut Unstructured<'_>) -> arbitrary::Result<u8> {
    u.int_in_range(0..=KEYS - 1)
}

/// A group.
pub fn group(u: &mut Unstructured<'_>) -> arbitrary::Result<Option<u8>> {
    // One beyond the last: none.
    Ok(Some(u.int_in_range(0..=GROUPS)?).filter(|group| *group < GROUPS))
}

/// A name.
pub fn name(u: &mut Unstructured<'_>) -> arbitrary::Result<u8> {
    u.int_in_range(0..=NAMES - 1)
}

/// A tag.
pub fn tag(u: &mut Unstructured<'_>) -> arbitrary::Result<u8> {
    u.int_in_range(0..=TAGS - 1)
}

fn tags(u: &mut Unstructured<'_>) -> arbitrary::Result<u8> {
    u.int_in_range(0..=(1 << TAGS) - 1)
}

/// A label: few characters, of which two differ only by case and one has two bytes.
pub fn label(u: &mut Unstructured<'_>) -> arbitrary::Result<String> {
    let length = u.int_in_range(0..=LABEL_CHARACTERS)?;
    (0..length)
        .map(|_| u.choose(&['a', 'A', 'b', 'é']).copied())
        .collect()
}

impl Item {
    /// By group.
    pub const BY_GROUP: Index<Self, u8> = Index::new("by_group", |item, keys| {
        if let Some(group) = item.group {
            keys.add(group);
        }
    });
    /// By name, unique.
    pub const BY_NAME: Index<Self, u8> =
        Index::new("by_name", |item: &Self, keys| keys.add(item.name)).unique();
    /// By each of the tags.
    pub const BY_TAG: Index<Self, u8> = Index::new("by_tag", |item: &Self, keys| {
        for tag in item.tags() {
            keys.add(tag);
        }
    });
    /// By label, in any case.
    pub const BY_LABEL: Index<Self, String> = Index::new("by_label", |item: &Self, keys| {
        keys.add(item.label.clone());
    })
    .normalized(fold_case);

    /// Its tags, ascending.
    pub fn tags(&self) -> impl DoubleEndedIterator<Item = u8> + use<> {
        let tags = self.tags;
        (0..TAGS).filter(move |tag| tags & (1 << tag) != 0)
    }
}

impl Object for Item {
    type Key = u8;
    const TABLE: &'static str = "item";

    fn key(&self) -> u8 {
        self.key
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_GROUP).add(Self::BY_NAME);
        indexes.add(Self::BY_TAG).add(Self::BY_LABEL);
    }
}
