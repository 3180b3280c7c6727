//! Index values that begin alike, or are one value for many objects: found as any other, whatever
//! comes, goes and is renamed among them.

mod common;

use std::collections::BTreeMap;

use common::{Random, scaled};
use skep::{Id, Index, Indexes, Object, Store, keys};

/// A row with an index of each kind of value that the store knows how to look into.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    id: u64,
    name: String,
    place: (Id, u64),
    owner: Option<Id>,
    kind: (u8, u8),
}

impl Row {
    const BY_NAME: Index<Self, String> =
        Index::new("by_name", |row: &Self, keys| keys.add(row.name.clone()));
    const BY_PLACE: Index<Self, (Id, u64)> =
        Index::new("by_place", |row: &Self, keys| keys.add(row.place));
    const BY_OWNER: Index<Self, Option<Id>> =
        Index::new("by_owner", |row: &Self, keys| keys.add(row.owner));
    /// Of a type that is only compared.
    const BY_KIND: Index<Self, (u8, u8)> =
        Index::new("by_kind", |row: &Self, keys| keys.add(row.kind));
}

impl Object for Row {
    type Key = u64;
    const TABLE: &'static str = "row";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes
            .add(Self::BY_NAME)
            .add(Self::BY_PLACE)
            .add(Self::BY_OWNER)
            .add(Self::BY_KIND);
    }
}

/// Names with long beginnings in common, some of them the beginnings of others.
fn random_name(random: &mut Random) -> String {
    let head = [
        "",
        "service",
        "service-",
        "service-long-name",
        "service-long-name.",
    ];
    let head = head[random.below(5) as usize];
    let tail = "\0abcd".chars().cycle().skip(random.below(5) as usize);
    head.chars()
        .chain(tail.take(random.below(4) as usize))
        .collect()
}

fn random_row(random: &mut Random, id: u64) -> Row {
    let ids = [0, 1, u128::MAX >> 1, u128::MAX].map(Id::from_u128);
    Row {
        id,
        name: random_name(random),
        place: (ids[random.below(4) as usize], random.below(3)),
        owner: random.one_in(3).then(|| ids[random.below(4) as usize]),
        kind: (random.below(2) as u8, random.below(2) as u8),
    }
}

/// Asserts that each index gives the rows in the order of value and key, and each value its own.
fn check(store: &Store, rows: &BTreeMap<u64, Row>) {
    fn order<V: Ord + Clone>(rows: &BTreeMap<u64, Row>, value: fn(&Row) -> V) -> Vec<u64> {
        let mut order: Vec<_> = rows.values().map(|row| (value(row), row.id)).collect();
        order.sort();
        order.into_iter().map(|(_, id)| id).collect()
    }
    let view = store.read();
    let ids = |rows: Vec<&Row>| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    macro_rules! check {
        ($index:expr, $value:expr) => {
            assert_eq!(ids(view.find($index.all()).collect()), order(rows, $value));
            for row in rows.values() {
                let value = ($value)(row);
                let own = rows.values().filter(|other| ($value)(other) == value);
                let own: Vec<u64> = own.map(|row| row.id).collect();
                assert_eq!(ids(view.find($index.eq(value)).collect()), own);
            }
        };
    }
    check!(Row::BY_NAME, |row: &Row| row.name.clone());
    check!(Row::BY_PLACE, |row: &Row| row.place);
    check!(Row::BY_OWNER, |row: &Row| row.owner);
    check!(Row::BY_KIND, |row: &Row| row.kind);
    for prefix in [
        "s",
        "service-",
        "service-long-name",
        "service-long-name.a",
        "t",
    ] {
        let expected = rows.values().filter(|row| row.name.starts_with(prefix));
        assert_eq!(
            view.count(Row::BY_NAME.prefix(prefix)),
            expected.count(),
            "{prefix}"
        );
    }
    assert_eq!(view.count(keys::<Row>().all()), rows.len());
}

#[test]
fn values_that_begin_alike_are_found_as_any_other() {
    for seed in 0..4 {
        let mut random = Random::new(seed);
        let store = common::builder().table::<Row>().build();
        let mut rows = BTreeMap::new();
        for _ in 0..scaled(40, 200) {
            // A few, or so many that they are put in place all at once.
            let changes = if random.one_in(4) { 150 } else { 6 };
            let kept = store.update(|tx| {
                for _ in 0..changes {
                    let id = random.below(400);
                    if rows.contains_key(&id) && random.one_in(2) {
                        rows.remove(&id);
                        tx.delete::<Row>(&id)?;
                    } else {
                        let row = random_row(&mut random, id);
                        rows.insert(id, row.clone());
                        tx.upsert(row).expect("no index is unique");
                    }
                }
                Ok::<_, skep::DeleteError>(())
            });
            kept.expect("nobody else writes");
            check(&store, &rows);
        }
    }
}

/// Many at once into an empty store, and beside what is there; again when all of it has gone.
#[test]
fn many_at_once_are_found_as_one_by_one() {
    let store = common::builder().table::<Row>().build();
    let mut random = Random::new(9);
    for round in 0..3 {
        let mut rows = BTreeMap::new();
        for portion in 0..3u64 {
            let from = portion * 300;
            let mut new: Vec<Row> = (from..from + 300)
                .map(|id| random_row(&mut random, id))
                .collect();
            // Not in the order of keys.
            new.sort_by_key(|row| row.id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            rows.extend(new.iter().map(|row| (row.id, row.clone())));
            let created = store.update(|tx| new.iter().try_for_each(|row| tx.create(row.clone())));
            created.expect("new keys");
            check(&store, &rows);
        }
        let deleted = store.update(|tx| rows.keys().try_for_each(|id| tx.delete::<Row>(id)));
        deleted.expect("they are there");
        if round == 1 {
            // Once with what is dead gone, once with it still there.
            store.reclaim();
        }
        check(&store, &BTreeMap::new());
    }
}
