//! Objects of several shapes, to be told apart by their indexes.

use skep::{Id, Index, Indexes, Object, Store, fold_case};
use skep_benches::id;

/// Objects in a store.
pub const OBJECTS: u64 = 50_000;
/// Objects of one value of an index that is not unique.
const OBJECTS_A_VALUE: u64 = 100;
/// Values of an object in an index of many.
pub const VALUES: u64 = 4;
/// Bytes of an object beside its fields.
const BODY: usize = 360;

/// Which index a thing has.
pub mod by {
    /// None but that of its key.
    pub const KEY: u8 = 0;
    /// By a number that many share.
    pub const NUMBER: u8 = 1;
    /// By a number of its own.
    pub const UNIQUE: u8 = 2;
    /// By some numbers that many share.
    pub const MANY: u8 = 3;
    /// By a text of its own, whatever its case.
    pub const TEXT: u8 = 4;
}

/// A thing with one of the indexes.
#[derive(Clone, Debug)]
pub struct Thing<const BY: u8> {
    /// The key.
    pub id: Id,
    /// What it is found by.
    pub number: u64,
    /// What updates change.
    pub count: u64,
    /// The rest of it.
    #[expect(dead_code, reason = "that it is there is what counts")]
    pub body: [u8; BODY],
}

impl<const BY: u8> Thing<BY> {
    /// Things of a number that many share.
    pub const NUMBER: Index<Self, u64> = Index::new("number", |thing: &Self, keys| {
        keys.add(thing.number / OBJECTS_A_VALUE);
    });
    const UNIQUE: Index<Self, u64> =
        Index::new("unique", |thing: &Self, keys| keys.add(thing.number)).unique();
    const MANY: Index<Self, u64> = Index::new("many", |thing: &Self, keys| {
        let first = thing.number / OBJECTS_A_VALUE;
        (0..VALUES).for_each(|more| keys.add(first + more));
    });
    const TEXT: Index<Self, String> = Index::new("text", |thing: &Self, keys| {
        keys.add(format!("thing-{:08}", thing.number));
    })
    .normalized(fold_case);

    /// Thing `number`.
    pub fn new(number: u64) -> Self {
        Self {
            id: id(number),
            number,
            count: 0,
            body: [0; BODY],
        }
    }

    /// A store of [`OBJECTS`] things, each created by a commit of its own.
    pub fn store() -> Store {
        let store = Store::builder().table::<Self>().build();
        Self::fill(&store);
        store
    }

    /// Fills a store.
    pub fn fill(store: &Store) {
        for number in 0..OBJECTS {
            let created = store.update(|tx| tx.create(Self::new(number)));
            created.expect("a new key");
        }
        store.reclaim();
    }

    /// Changes the first things, each by a commit of its own.
    pub fn change(store: &Store, count: u64) {
        for number in 0..count {
            let changed = store
                .update(|tx| tx.modify::<Self>(&id(number % OBJECTS), |thing| thing.count += 1));
            changed.expect("nobody is in the way");
        }
    }
}

impl<const BY: u8> Object for Thing<BY> {
    type Key = Id;
    const TABLE: &'static str = "thing";

    fn key(&self) -> Id {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        match BY {
            by::NUMBER => drop(indexes.add(Self::NUMBER)),
            by::UNIQUE => drop(indexes.add(Self::UNIQUE)),
            by::MANY => drop(indexes.add(Self::MANY)),
            by::TEXT => drop(indexes.add(Self::TEXT)),
            _ => {}
        }
    }
}

/// A thing of one of many tables, that are empty.
#[derive(Clone, Debug)]
pub struct Nothing<const TABLE: usize>;

/// Tables that there may be.
pub const TABLES: usize = 9;

impl<const TABLE: usize> Object for Nothing<TABLE> {
    type Key = u64;
    const TABLE: &'static str = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight",
    ][TABLE];

    fn key(&self) -> u64 {
        0
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

/// A store with one table, or with all of them.
pub fn tables(all: bool) -> Store {
    let one = Store::builder().table::<Nothing<0>>();
    if !all {
        return one.build();
    }
    let four = one
        .table::<Nothing<1>>()
        .table::<Nothing<2>>()
        .table::<Nothing<3>>();
    let seven = four
        .table::<Nothing<4>>()
        .table::<Nothing<5>>()
        .table::<Nothing<6>>();
    seven.table::<Nothing<7>>().table::<Nothing<8>>().build()
}
