//! Queries: every single form, its order and laziness.

#[macro_use]
mod common;

use std::ops::Bound;

use common::{Random, Task, counted, put, scaled, store, task};
use skep::{Id, Index, Indexes, Object, keys};

fn titled(id: u64, title: &str) -> Task {
    Task {
        title: title.into(),
        ..task(id)
    }
}

#[test]
fn exact_is_in_key_order() {
    let store = store();
    put(
        &store,
        [9, 3, 7, 1].map(|id| Task {
            node: Some(5),
            ..task(id)
        }),
    );
    put(
        &store,
        [
            task(4),
            Task {
                node: Some(6),
                ..task(2)
            },
        ],
    );
    assert_eq!(found!(store, Task::BY_NODE.eq(5u64)), [1, 3, 7, 9]);
    assert_eq!(found!(store, Task::BY_NODE.eq(4u64)), []);
    assert_eq!(found!(store, Task::BY_NAME.eq("task-7")), [7]);
    assert_eq!(found!(store, keys::<Task>().eq(4u64)), [4]);
    assert_eq!(found!(store, keys::<Task>().eq(5u64)), []);
    assert_eq!(found!(store, Task::BY_NODE.all()), [1, 3, 7, 9, 2]);
    assert_eq!(found!(store, keys::<Task>().all()), [1, 2, 3, 4, 7, 9]);
}

#[test]
fn ranges_of_every_bound() {
    let store = store();
    put(&store, (0..10).map(|id| counted(id, 10 * (id as i64 / 2))));
    assert_eq!(found!(store, Task::BY_COUNT.range(10..30)), [2, 3, 4, 5]);
    assert_eq!(
        found!(store, Task::BY_COUNT.range(10..=30)),
        [2, 3, 4, 5, 6, 7]
    );
    assert_eq!(found!(store, Task::BY_COUNT.range(..10)), [0, 1]);
    assert_eq!(found!(store, Task::BY_COUNT.range(..=10)), [0, 1, 2, 3]);
    assert_eq!(found!(store, Task::BY_COUNT.range(31..)), [8, 9]);
    assert_eq!(
        found!(store, Task::BY_COUNT.range(..)),
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    );
    let after = (Bound::Excluded(10), Bound::Excluded(30));
    assert_eq!(found!(store, Task::BY_COUNT.range(after)), [4, 5]);
    let after = (Bound::Excluded(10), Bound::Unbounded);
    assert_eq!(
        found!(store, Task::BY_COUNT.range(after)),
        [4, 5, 6, 7, 8, 9]
    );
    assert_eq!(found!(store, keys::<Task>().range(3..5)), [3, 4]);
    assert_eq!(found!(store, keys::<Task>().range(3..=5)), [3, 4, 5]);
    let after = (Bound::Excluded(3), Bound::Included(5));
    assert_eq!(found!(store, keys::<Task>().range(after)), [4, 5]);
    assert_eq!(found!(store, keys::<Task>().range(..2)), [0, 1]);
    assert_eq!(found!(store, keys::<Task>().range(8..)), [8, 9]);
}

#[test]
#[allow(clippy::reversed_empty_ranges, reason = "they are the subject")]
fn inverted_and_empty_ranges_find_nothing() {
    let store = store();
    put(&store, (0..10).map(|id| counted(id, id as i64)));
    assert_eq!(found!(store, Task::BY_COUNT.range(7..3)), []);
    assert_eq!(found!(store, Task::BY_COUNT.range(7..=3)), []);
    assert_eq!(found!(store, Task::BY_COUNT.range(5..5)), []);
    let nothing = (Bound::Excluded(5), Bound::Excluded(5));
    assert_eq!(found!(store, Task::BY_COUNT.range(nothing)), []);
    assert_eq!(found!(store, keys::<Task>().range(7..3)), []);
    assert_eq!(found!(store, keys::<Task>().range(7..=3)), []);
    let nothing = (Bound::Excluded(5), Bound::Excluded(5));
    assert_eq!(found!(store, keys::<Task>().range(nothing)), []);
    // In a transaction they are noted as read, and conflict with nothing.
    let mut tx = store.begin();
    assert_eq!(tx.count(Task::BY_COUNT.range(7..3)), 0);
    assert_eq!(tx.count(keys::<Task>().range(7..3)), 0);
    tx.create(task(100)).unwrap();
    put(&store, [counted(5, 5)]);
    tx.commit().unwrap();
}

#[test]
fn prefixes_of_text() {
    let store = store();
    let names = ["a", "ab", "abc", "abd", "ac", "b", "ab\u{10ffff}z", "ä"];
    put(
        &store,
        (1..).zip(names).map(|(id, name)| Task {
            name: name.into(),
            ..task(id)
        }),
    );
    assert_eq!(found!(store, Task::BY_NAME.prefix("ab")), [2, 3, 4, 7]);
    assert_eq!(found!(store, Task::BY_NAME.prefix("ab\u{10ffff}")), [7]);
    assert_eq!(
        found!(store, Task::BY_NAME.prefix("")),
        [1, 2, 3, 4, 7, 5, 6, 8]
    );
    assert_eq!(found!(store, Task::BY_NAME.prefix("x")), []);
    assert_eq!(found!(store, Task::BY_NAME.prefix("ä")), [8]);
}

#[test]
fn prefixes_of_folded_text() {
    let store = store();
    put(
        &store,
        [
            titled(1, "Web"),
            titled(2, "wEBsite"),
            titled(3, "we"),
            titled(4, "ÄRGER"),
        ],
    );
    put(&store, [titled(5, "ΟΔΟΣ ΑΣΑ")]);
    assert_eq!(found!(store, Task::BY_TITLE.eq("WEB")), [1]);
    assert_eq!(found!(store, Task::BY_TITLE.prefix("WEB")), [1, 2]);
    assert_eq!(found!(store, Task::BY_TITLE.prefix("We")), [3, 1, 2]);
    assert_eq!(found!(store, Task::BY_TITLE.prefix("är")), [4]);
    assert_eq!(
        found!(store, Task::BY_TITLE.any_of(["WEB", "web", "WE"])),
        [3, 1]
    );
    assert_eq!(
        found!(
            store,
            Task::BY_TITLE.range("W".to_owned()..="WEB".to_owned())
        ),
        [3, 1]
    );
}

#[test]
fn prefixes_cut_a_word_anywhere_whatever_the_case() {
    // Greek sigma has another lower case at the end of a word, and a prefix ends anywhere.
    let store = store();
    put(&store, [titled(1, "ΑΣΑ")]);
    assert_eq!(found!(store, Task::BY_TITLE.prefix("ΑΣ")), [1]);
}

/// An object with text keys and identities.
#[derive(Clone, Debug, PartialEq)]
struct Named {
    name: String,
    id: u64,
    owner: Id,
}

impl Named {
    const BY_OWNER: Index<Self, Id> = Index::new("by_owner", |it: &Self, keys| keys.add(it.owner));
}

impl Object for Named {
    type Key = String;
    const TABLE: &'static str = "named";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_OWNER);
    }
}

#[test]
fn prefixes_of_keys_and_identities() {
    let store = common::builder().table::<Named>().build();
    let owners = [
        "0000000000000000000000010",
        "000000000000000000000001z",
        "f5lxx1zz5pnorynqglhzmsp33",
    ];
    let named = (1..).zip(["x/b", "x/a", "y"]).zip(owners);
    put(
        &store,
        named.map(|((id, name), owner)| Named {
            name: name.into(),
            id,
            owner: owner.parse().unwrap(),
        }),
    );
    assert_eq!(found!(store, keys::<Named>().prefix("x/")), [2, 1]);
    assert_eq!(found!(store, keys::<Named>().prefix("y")), [3]);
    assert_eq!(found!(store, keys::<Named>().prefix("")), [2, 1, 3]);
    assert_eq!(found!(store, keys::<Named>().prefix("z")), []);
    assert_eq!(
        found!(store, Named::BY_OWNER.prefix("00000000000000000000000")),
        [1, 2][..][..]
    );
    assert_eq!(
        found!(store, Named::BY_OWNER.prefix("000000000000000000000001z")),
        [2]
    );
    assert_eq!(found!(store, Named::BY_OWNER.prefix("f")), [3]);
    assert_eq!(found!(store, Named::BY_OWNER.prefix("")), [1, 2, 3]);
    for none in ["g", "F", "~", "00000000000000000000000100"] {
        assert_eq!(found!(store, Named::BY_OWNER.prefix(none)), [], "{none}");
    }
    assert_eq!(
        found!(store, keys::<Named>().any_of(["y", "x/b", "y", "q"])),
        [1, 3]
    );
    assert_eq!(
        found!(
            store,
            keys::<Named>().range("x/a".to_owned().."y".to_owned())
        ),
        [2, 1]
    );
}

#[test]
fn results_come_lazily_and_from_one_version() {
    let store = store();
    put(
        &store,
        (0..1000).map(|id| Task {
            node: Some(1),
            ..counted(id, id as i64)
        }),
    );
    let read = store.read();
    let mut all = read.find(keys::<Task>().all());
    let mut by_node = read.find(Task::BY_NODE.eq(1u64));
    let mut back = read.find(Task::BY_COUNT.all().reversed());
    for id in 0..1000 {
        // While they are on their way, what is ahead of them changes and goes.
        assert_eq!(all.next().map(|task| task.id), Some(id));
        assert_eq!(by_node.next().map(|task| task.id), Some(id));
        assert_eq!(back.next().map(|task| task.count), Some(999 - id as i64));
        match id % 3 {
            0 => put(
                &store,
                [
                    counted(id + 200, -1),
                    Task {
                        node: Some(1),
                        ..task(10_000 + id)
                    },
                ],
            ),
            1 => put(
                &store,
                [Task {
                    node: Some(2),
                    ..task(999 - id)
                }],
            ),
            _ if store.read().get::<Task>(&(id + 100)).is_some() => {
                common::delete::<Task>(&store, &(id + 100))
            }
            _ => store.version(),
        };
        if id % 100 == 0 {
            store.reclaim();
        }
    }
    assert!(all.next().is_none() && by_node.next().is_none() && back.next().is_none());
    assert!(all.next().is_none());
}

#[test]
fn a_scan_of_a_hundred_thousand() {
    let many = scaled(20_000, 100_000) as u64;
    let store = store();
    let mut random = Random::new(3);
    let mut expected = Vec::new();
    for ids in (0..many).collect::<Vec<_>>().chunks(1000) {
        let chunk: Vec<Task> = ids
            .iter()
            .map(|&id| {
                let key = id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                counted(key, random.below(1000) as i64)
            })
            .collect();
        expected.extend(chunk.iter().map(|task| (task.count, task.id)));
        put(&store, chunk);
    }
    expected.sort_unstable();
    let read = store.read();
    let by_count = read
        .find(Task::BY_COUNT.all())
        .map(|task| (task.count, task.id));
    assert!(by_count.eq(expected.iter().copied()));
    let back = read
        .find(Task::BY_COUNT.all().reversed())
        .map(|task| (task.count, task.id));
    assert!(back.eq(expected.iter().rev().copied()));
    let mut ids: Vec<u64> = expected.iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    assert!(
        read.find(keys::<Task>().all())
            .map(|task| task.id)
            .eq(ids.iter().copied())
    );
    let some = ids[ids.len() / 3]..ids[ids.len() / 2];
    assert_eq!(
        read.count(keys::<Task>().range(some)),
        ids.len() / 2 - ids.len() / 3
    );
}

#[test]
fn queries_are_values() {
    let store = store();
    put(&store, (0..10).map(task));
    let query = keys::<Task>().range(2..5);
    let read = store.read();
    assert_eq!(read.count(query.clone()), 3);
    assert_eq!(read.find(query).last().unwrap().id, 4);
    let index: Index<Task, u64> = Task::BY_NODE;
    assert_eq!(read.count(index.all()), 0);
    assert_eq!(format!("{index:?}"), r#"Index("by_node")"#);
}

/// Has no `Debug`, and needs none for what is asked of it to be printed.
#[derive(Clone)]
struct Silent(u64);

const SILENT: Index<Silent, u64> = Index::new("number", |silent: &Silent, add| add.add(silent.0));

impl Object for Silent {
    type Key = u64;
    const TABLE: &'static str = "silent";

    fn key(&self) -> u64 {
        self.0
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(SILENT);
    }
}

#[test]
fn a_query_is_printed_as_what_it_asks() {
    let some = SILENT.range(2..5).and(keys::<Silent>().any_of([3u64, 4]));
    let printed = format!("{:?}", some.reversed().limit(1).after_object(&Silent(4)));
    assert_eq!(
        printed,
        "Query { table: \"silent\", condition: And(ByIndex { index: \"number\", values: Span { \
         lower: Included(2), upper: Excluded(5) }, after: (4, 4) }, AnyKeyOf { keys: [3, 4] \
         }), reversed: true, limit: 1 }"
    );
    let all = format!(
        "{:?}",
        SILENT.any_of([1u64, 2]).or(keys::<Silent>().eq(7u64))
    );
    let any_of = r#"first: AnyOf { index: "number", values: [1, 2] }, second: ByKey { keys"#;
    assert!(all.contains(any_of), "{all}");
}
