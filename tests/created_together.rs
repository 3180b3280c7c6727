//! Many objects created in one commit stand in each index by value, then key, whatever the order of
//! their keys, what their values share, and what the indexes held before.

mod common;

use std::convert::Infallible;

use skep::{Index, Indexes, Object, Store, keys};

/// How many are created together.
const OBJECTS: u32 = 600;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Member {
    id: u32,
    /// Begins as all others do.
    name: String,
    /// All have the same one.
    kind: String,
    /// Few different ones, of which each has two.
    groups: [u64; 2],
    /// Begins as all others do, but for the last.
    team: String,
}

impl Member {
    const BY_NAME: Index<Self, String> =
        Index::new("by_name", |it: &Self, keys| keys.add(it.name.clone()));
    const BY_KIND: Index<Self, String> =
        Index::new("by_kind", |it: &Self, keys| keys.add(it.kind.clone()));
    const BY_GROUP: Index<Self, u64> = Index::new("by_group", |it: &Self, keys| {
        it.groups.iter().for_each(|&group| keys.add(group));
    });
    const BY_TEAM: Index<Self, String> =
        Index::new("by_team", |it: &Self, keys| keys.add(it.team.clone()));

    fn new(id: u32) -> Self {
        let scattered = id.wrapping_mul(2_654_435_761);
        let team = match id % 100 {
            99 => "apart".to_owned(),
            _ => format!("a team whose number is {}", scattered % 7),
        };
        Self {
            id,
            name: format!("a name that begins alike {scattered}"),
            kind: "one kind".into(),
            groups: [u64::from(scattered % 5), u64::from(5 + scattered % 3)],
            team,
        }
    }
}

impl Object for Member {
    type Key = u32;
    const TABLE: &'static str = "member";

    fn key(&self) -> u32 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes
            .add(Self::BY_NAME)
            .add(Self::BY_KIND)
            .add(Self::BY_GROUP)
            .add(Self::BY_TEAM);
    }
}

fn create(store: &Store, ids: impl Iterator<Item = u32> + Clone) {
    let created = store.update(|tx| {
        for id in ids.clone() {
            tx.create(Member::new(id)).expect("a new key");
        }
        Ok::<_, Infallible>(())
    });
    created.expect("nobody else writes");
}

/// What an index shows, compared with all objects sorted by value and key.
#[track_caller]
fn check(store: &Store) {
    let view = store.snapshot();
    let all: Vec<&Member> = view.find(keys::<Member>().all()).collect();
    assert!(all.is_sorted_by(|one, other| one.id < other.id));
    macro_rules! ordered_by {
        ($index:ident, |$it:ident| $values:expr) => {
            let values = all.iter().flat_map(|&$it| {
                let values = $values;
                values.into_iter().map(|value| (value, $it.id))
            });
            let mut expected: Vec<_> = values.collect();
            expected.sort();
            let expected: Vec<u32> = expected.into_iter().map(|(_, id)| id).collect();
            let found: Vec<u32> = view.find(Member::$index.all()).map(|it| it.id).collect();
            assert_eq!(found, expected);
            for &it in &all {
                let $it = it;
                for value in $values {
                    let mut found = view.find(Member::$index.eq(value));
                    assert!(found.any(|found| found.id == it.id));
                }
            }
        };
    }
    ordered_by!(BY_NAME, |it| [it.name.clone()]);
    ordered_by!(BY_KIND, |it| [it.kind.clone()]);
    ordered_by!(BY_TEAM, |it| [it.team.clone()]);
    // An object with several values is shown once, by the first of them.
    ordered_by!(BY_GROUP, |it| [it.groups[0]]);
}

fn store() -> Store {
    common::builder().table::<Member>().build()
}

#[test]
fn in_the_order_of_keys() {
    let store = store();
    create(&store, 0..OBJECTS);
    check(&store);
}

#[test]
fn in_the_opposite_order() {
    let store = store();
    create(&store, (0..OBJECTS).rev());
    check(&store);
}

#[test]
fn in_no_order_among_others() {
    let store = store();
    create(&store, (0..OBJECTS).step_by(7));
    let scattered = (0..OBJECTS).map(|id| id * 251 % OBJECTS);
    create(&store, scattered.filter(|id| !id.is_multiple_of(7)));
    check(&store);
}
