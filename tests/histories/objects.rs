//! Two tables of objects that carry stamps, and how to look into them.

use skep::testing::history::{BY_KEY, Seen};
use skep::{Entry, Index, Indexes, Object, Snapshot, Transaction, Version, View, keys};

/// An object with a unique name, and two indexes more.
#[derive(Clone, Debug)]
pub struct Item {
    pub key: u64,
    pub stamp: u64,
    pub name: u64,
    pub group: Option<u64>,
    pub weight: u64,
}

pub const NAME: u32 = 1;
pub const GROUP: u32 = 2;
pub const WEIGHT: u32 = 3;
/// Keys of notes, as a history has them, are from here on.
pub const NOTES: u64 = 1 << 32;
/// Notes from this key on are written once, each by one transaction.
pub const RECEIPTS: u64 = 1 << 40;

impl Item {
    pub const BY_NAME: Index<Self, String> =
        Index::new("by_name", |item: &Self, keys| keys.add(name(item.name))).unique();
    pub const BY_GROUP: Index<Self, u64> = Index::new("by_group", |item, keys| {
        if let Some(group) = item.group {
            keys.add(group);
        }
    });
    pub const BY_WEIGHT: Index<Self, u64> =
        Index::new("by_weight", |item: &Self, keys| keys.add(item.weight));

    /// Its values in indexes, as a history has them.
    pub fn places(&self) -> impl Iterator<Item = (u32, u64)> {
        let group = self.group.map(|group| (GROUP, group));
        [(NAME, self.name), (WEIGHT, self.weight)]
            .into_iter()
            .chain(group)
    }
}

impl Object for Item {
    type Key = u64;
    const TABLE: &'static str = "item";

    fn key(&self) -> u64 {
        self.key
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes
            .add(Self::BY_NAME)
            .add(Self::BY_GROUP)
            .add(Self::BY_WEIGHT);
    }
}

/// An object of another table, without indexes.
#[derive(Clone, Debug)]
pub struct Note {
    pub key: u64,
    pub stamp: u64,
}

impl Object for Note {
    type Key = u64;
    const TABLE: &'static str = "note";

    fn key(&self) -> u64 {
        self.key
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

/// Five digits: a prefix of four is ten names, a range of numbers.
fn name(number: u64) -> String {
    format!("name-{number:05}")
}

/// What to look for.
#[derive(Clone, Copy, Debug)]
pub enum Ask {
    Keys(u64, u64),
    /// At most so many of the keys, from the first or from the last on.
    Some {
        from: u64,
        to: u64,
        limit: usize,
        reversed: bool,
    },
    Name(u64),
    /// The ten names with the same first four digits.
    Names(u64),
    Group(u64),
    Weights(u64, u64),
    Notes,
    Receipts,
}

/// What was found: keys, as a history has them.
pub type Found = Vec<(u64, Seen)>;

impl Ask {
    /// The range that was read, by an answer.
    pub fn span(self, found: &Found) -> (u32, (u64, u64)) {
        match self {
            Self::Keys(from, to) => (BY_KEY, (from, to)),
            // What lies behind the last one that was wanted was not looked at.
            Self::Some {
                from,
                to,
                limit,
                reversed,
            } => match found.last() {
                Some((last, _)) if found.len() == limit && reversed => (BY_KEY, (*last, to)),
                Some((last, _)) if found.len() == limit => (BY_KEY, (from, *last)),
                _ => (BY_KEY, (from, to)),
            },
            Self::Name(name) => (NAME, (name, name)),
            Self::Names(name) => (NAME, (name / 10 * 10, name / 10 * 10 + 9)),
            Self::Group(group) => (GROUP, (group, group)),
            Self::Weights(from, to) => (WEIGHT, (from, to)),
            Self::Notes => (BY_KEY, (NOTES, NOTES + RECEIPTS - 1)),
            Self::Receipts => (BY_KEY, (NOTES + RECEIPTS, u64::MAX)),
        }
    }
}

/// Something that is read from.
pub trait Look {
    fn item(&self, key: u64) -> Option<(Seen, Item)>;
    fn note(&self, key: u64) -> Option<Seen>;
    fn ask(&self, ask: Ask) -> Found;
}

fn seen(stamp: u64, version: Version) -> Seen {
    Seen { stamp, version }
}

fn of_item(entry: Entry<'_, Item>) -> (u64, Seen) {
    (entry.key, seen(entry.stamp, entry.meta().version))
}

fn of_note(entry: Entry<'_, Note>) -> (u64, Seen) {
    (NOTES + entry.key, seen(entry.stamp, entry.meta().version))
}

/// Views and snapshots give entries, with their versions.
macro_rules! entries {
    ($query:expr, $of:ident) => {
        $query.entries().map($of).collect()
    };
}

/// Transactions give objects.
macro_rules! objects {
    ($query:expr, of_item) => {
        $query
            .map(|item| (item.key, seen(item.stamp, Version::ZERO)))
            .collect()
    };
    ($query:expr, of_note) => {
        $query
            .map(|note| (NOTES + note.key, seen(note.stamp, Version::ZERO)))
            .collect()
    };
}

macro_rules! look {
    ($reader:ty, $all:ident) => {
        impl Look for $reader {
            fn item(&self, key: u64) -> Option<(Seen, Item)> {
                let entry = self.entry::<Item>(&key)?;
                Some((of_item(entry).1, entry.get().clone()))
            }

            fn note(&self, key: u64) -> Option<Seen> {
                Some(of_note(self.entry::<Note>(&key)?).1)
            }

            fn ask(&self, ask: Ask) -> Found {
                match ask {
                    Ask::Keys(from, to) => {
                        $all!(self.find(keys::<Item>().range(from..=to)), of_item)
                    }
                    Ask::Some {
                        from,
                        to,
                        limit,
                        reversed,
                    } => {
                        let query = keys::<Item>().range(from..=to).limit(limit);
                        let query = if reversed { query.reversed() } else { query };
                        $all!(self.find(query), of_item)
                    }
                    Ask::Name(number) => $all!(self.find(Item::BY_NAME.eq(name(number))), of_item),
                    Ask::Names(number) => {
                        let prefix = name(number);
                        let prefix = &prefix[..prefix.len() - 1];
                        $all!(self.find(Item::BY_NAME.prefix(prefix)), of_item)
                    }
                    Ask::Group(group) => $all!(self.find(Item::BY_GROUP.eq(group)), of_item),
                    Ask::Weights(from, to) => {
                        $all!(self.find(Item::BY_WEIGHT.range(from..=to)), of_item)
                    }
                    Ask::Notes => $all!(self.find(keys::<Note>().range(..RECEIPTS)), of_note),
                    Ask::Receipts => {
                        $all!(self.find(keys::<Note>().range(RECEIPTS..)), of_note)
                    }
                }
            }
        }
    };
}

look!(Transaction<'_>, objects);
look!(Snapshot, entries);
look!(View<'_>, entries);
