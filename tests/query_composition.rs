//! Queries made of others: any of several values, both, either, limits and reversals.

#[macro_use]
mod common;

use common::{Task, counted, delete, put, store, tagged, task};
use skep::keys;

#[test]
fn any_of_finds_each_object_once() {
    let store = store();
    put(
        &store,
        [
            tagged(1, &["a", "b", "c"]),
            tagged(2, &["b"]),
            tagged(3, &["c", "a"]),
            tagged(4, &["d"]),
            tagged(5, &[]),
        ],
    );
    assert_eq!(found!(store, Task::BY_TAG.any_of(["a"])), [1, 3]);
    // Not turned round by reversing: an object stands at the first of its values that the walk
    // meets.
    let view = store.read();
    let asked = Task::BY_TAG.any_of(["b", "a", "b", "c", "a"]);
    let ids = |query| -> Vec<u64> { view.find(query).map(|it: &Task| it.id).collect() };
    assert_eq!(ids(asked.clone()), [1, 3, 2]);
    assert_eq!(ids(asked.reversed()), [3, 1, 2]);
    assert_eq!(found!(store, Task::BY_TAG.any_of(["x", "d"])), [4]);
    assert_eq!(found!(store, Task::BY_TAG.any_of([] as [String; 0])), []);
    assert_eq!(
        found!(store, keys::<Task>().any_of([5u64, 1, 5, 9, 1])),
        [1, 5]
    );
    assert_eq!(found!(store, keys::<Task>().any_of([] as [u64; 0])), []);
}

/// Reversed, an object with several values is shown by its last one; so the macro's check, that
/// reversing turns the list round, is for objects with one value.
#[test]
fn many_values_are_shown_once_by_the_first_in_the_walk() {
    let store = store();
    put(
        &store,
        [
            tagged(1, &["a", "z", "a"]),
            tagged(2, &["m", "b"]),
            tagged(3, &["c"]),
        ],
    );
    let read = store.read();
    let ids = |query| -> Vec<u64> { read.find(query).map(|task: &Task| task.id).collect() };
    assert_eq!(ids(Task::BY_TAG.all()), [1, 2, 3]);
    assert_eq!(ids(Task::BY_TAG.all().reversed()), [1, 2, 3]);
    assert_eq!(ids(Task::BY_TAG.range("b".to_owned()..)), [2, 3, 1]);
    assert_eq!(
        ids(Task::BY_TAG
            .range("b".to_owned().."n".to_owned())
            .reversed()),
        [2, 3]
    );
    assert_eq!(ids(Task::BY_TAG.prefix("")), [1, 2, 3]);
    assert_eq!(ids(Task::BY_TAG.eq("a")), [1]);
    assert_eq!(read.count(Task::BY_TAG.all()), 3);
}

#[test]
fn and_finds_what_both_find_in_the_firsts_order() {
    let store = store();
    put(
        &store,
        (0..100).map(|id| Task {
            node: Some(id % 3),
            count: -(id as i64),
            ..tagged(id, if id % 2 == 0 { &["even"] } else { &["odd"] })
        }),
    );
    let both = found!(store, Task::BY_NODE.eq(1u64).and(Task::BY_TAG.eq("even")));
    let expected: Vec<u64> = (0..100).filter(|id| id % 3 == 1 && id % 2 == 0).collect();
    assert_eq!(both, expected);
    let by_count = found!(
        store,
        Task::BY_COUNT.range(-50..).and(Task::BY_NODE.eq(1u64))
    );
    let expected: Vec<u64> = (0..=50).rev().filter(|id| id % 3 == 1).collect();
    assert_eq!(by_count, expected);
    let three = Task::BY_NODE
        .eq(0u64)
        .and(Task::BY_TAG.eq("odd"))
        .and(keys::<Task>().range(..20));
    assert_eq!(found!(store, three), [3, 9, 15]);
    // The other's limit and direction do not matter.
    let limited = Task::BY_NODE
        .eq(0u64)
        .and(Task::BY_TAG.eq("odd").limit(1).reversed());
    assert_eq!(found!(store, limited).len(), 17);
    assert_eq!(
        found!(store, Task::BY_NODE.eq(0u64).and(Task::BY_NODE.eq(1u64))),
        []
    );
}

#[test]
fn or_finds_each_once_the_firsts_first() {
    let store = store();
    put(
        &store,
        (0..20).map(|id| Task {
            node: Some(id % 3),
            count: -(id as i64),
            ..task(id)
        }),
    );
    let either = found!(
        store,
        Task::BY_NODE.eq(1u64).or(Task::BY_COUNT.range(-4..=0))
    );
    assert_eq!(either, [1, 4, 7, 10, 13, 16, 19, 3, 2, 0]);
    let nested = Task::BY_NODE
        .eq(9u64)
        .or(keys::<Task>().eq(5u64))
        .or(keys::<Task>().range(4..6));
    assert_eq!(found!(store, nested), [5, 4]);
    let mixed = Task::BY_NODE
        .eq(0u64)
        .or(Task::BY_NODE.eq(1u64))
        .and(keys::<Task>().range(..5));
    assert_eq!(found!(store, mixed), [0, 3, 1, 4]);
    let any = keys::<Task>()
        .any_of([19u64, 2])
        .or(Task::BY_NODE.any_of([2u64, 1]).limit(1));
    assert_eq!(
        found!(store, any),
        [2, 19, 1, 4, 7, 10, 13, 16, 5, 8, 11, 14, 17]
    );
}

#[test]
fn except_finds_what_the_other_does_not_in_the_firsts_order() {
    let store = store();
    put(
        &store,
        (0..300).map(|id| Task {
            node: (id % 4 != 3).then_some(id % 4),
            count: -(id as i64),
            ..tagged(id, if id % 2 == 0 { &["even", "b"] } else { &["b"] })
        }),
    );
    let of = |keep: fn(&u64) -> bool| (0..300).filter(keep).collect::<Vec<u64>>();
    let all = || keys::<Task>().all();
    let not_on_one = found!(store, all().except(Task::BY_NODE.eq(1u64)));
    assert_eq!(not_on_one, of(|id| id % 4 != 1), "also those of no node");
    assert_eq!(
        found!(store, all().except(Task::BY_NODE.all())),
        of(|id| id % 4 == 3)
    );
    let by_count = Task::BY_COUNT.range(-9..).except(Task::BY_TAG.eq("even"));
    assert_eq!(found!(store, by_count), [9, 7, 5, 3, 1]);
    let any = Task::BY_NODE
        .any_of([2u64, 0])
        .except(keys::<Task>().range(5..));
    assert_eq!(found!(store, any), [0, 4, 2]);
    let nobody = Task::BY_TAG.prefix("").except(Task::BY_TAG.eq("b"));
    assert_eq!(found!(store, nobody), []);
    // The other's limit, direction and beginning do not matter.
    let other = Task::BY_NODE.eq(0u64).after(0u64, 100u64);
    let rest = found!(store, all().except(other.limit(1).reversed()));
    assert_eq!(rest, of(|id| id % 4 != 0));
    assert_eq!(found!(store, all().except(all().limit(0))), []);
    let none = keys::<Task>().any_of([] as [u64; 0]);
    assert_eq!(found!(store, all().except(none)).len(), 300);
    // Within others, and others within it.
    let twice = all().except(all().except(Task::BY_NODE.eq(2u64)));
    assert_eq!(found!(store, twice), of(|id| id % 4 == 2));
    let both = Task::BY_NODE
        .eq(0u64)
        .except(keys::<Task>().range(9..).or(keys::<Task>().eq(4u64)));
    assert_eq!(found!(store, both.clone()), [0, 8]);
    let either = both.or(Task::BY_NODE.eq(1u64).except(keys::<Task>().range(3..)));
    assert_eq!(found!(store, either), [0, 8, 1]);
    let narrowed = all()
        .except(Task::BY_NODE.eq(0u64))
        .and(Task::BY_TAG.eq("even"))
        .except(keys::<Task>().range(7..));
    assert_eq!(found!(store, narrowed), [2, 6]);
    let second = Task::BY_TAG
        .eq("even")
        .and(all().except(Task::BY_NODE.eq(2u64)));
    assert_eq!(found!(store, second), of(|id| id % 4 == 0));
}

/// Own writes are what they are now, also where they came to meet the other, or ceased to.
#[test]
fn except_sees_own_writes() {
    let store = store();
    put(&store, (0..6).map(|id| counted(id, id as i64 % 2)));
    let query = || {
        Task::BY_COUNT
            .range(..10)
            .except(Task::BY_TAG.any_of(["out", "gone"]))
    };
    let mut tx = store.begin();
    let ids = |tx: &skep::Transaction<'_>| -> Vec<u64> {
        tx.find(query()).map(|task: &Task| task.id).collect()
    };
    assert_eq!(ids(&tx), [0, 2, 4, 1, 3, 5]);
    tx.update(tagged(2, &["out"])).expect("it is there");
    tx.create(counted(7, 1)).expect("it is new");
    tx.create(tagged(8, &["in", "gone"])).expect("it is new");
    tx.update(counted(4, 10)).expect("it is there");
    tx.delete::<Task>(&1).expect("it is there");
    assert_eq!(ids(&tx), [0, 3, 5, 7]);
    tx.update(tagged(8, &["in"])).expect("it is there");
    assert_eq!(ids(&tx), [0, 8, 3, 5, 7]);
    assert_eq!(tx.count(query().reversed().limit(2)), 2);
    assert_eq!(tx.first(query().reversed()).map(|task| task.id), Some(7));
    tx.commit().expect("nothing is in the way");
    assert_eq!(found!(store, query()), [0, 8, 3, 5, 7]);
}

#[test]
fn limits_and_reversals_compose() {
    let store = store();
    put(&store, (0..200).map(|id| counted(id, id as i64 % 7)));
    let read = store.read();
    let ids = |query| -> Vec<u64> { read.find(query).map(|task: &Task| task.id).collect() };
    assert_eq!(ids(Task::BY_COUNT.all().limit(0)), []);
    assert!(!read.exists(Task::BY_COUNT.all().limit(0)));
    assert_eq!(read.count(Task::BY_COUNT.all().limit(50)), 50);
    assert_eq!(ids(Task::BY_COUNT.all().limit(5).limit(3)), [0, 7, 14]);
    assert_eq!(ids(Task::BY_COUNT.all().limit(3).limit(5)), [0, 7, 14]);
    assert_eq!(ids(Task::BY_COUNT.all().reversed().limit(2)), [195, 188]);
    assert_eq!(ids(Task::BY_COUNT.all().limit(2).reversed()), [195, 188]);
    assert_eq!(
        ids(Task::BY_COUNT.all().reversed().reversed().limit(2)),
        [0, 7]
    );
}

/// Around the lengths of pages and of what is fetched ahead, with records in between that show
/// nothing, before and after they are deleted.
#[test]
fn limits_of_all_lengths_find_as_many_as_there_are() {
    let store = store();
    put(&store, (0..700).map(|id| counted(id, id as i64 % 50)));
    let before = store.snapshot();
    let deleted = |id: &u64| (100..400).contains(id) && !id.is_multiple_of(4);
    for id in (0..700).filter(deleted) {
        delete::<Task>(&store, &id);
    }
    let after = store.snapshot();
    let limits = [
        1, 3, 4, 5, 16, 17, 40, 41, 64, 127, 128, 129, 200, 256, 257, 400, 800,
    ];
    for (snapshot, all) in [(before, true), (after, false)] {
        let is_there = |id: &u64| all || !deleted(id);
        let ids = |query| -> Vec<u64> { snapshot.find(query).map(|it: &Task| it.id).collect() };
        for (from, limit) in [0, 37, 90, 640]
            .map(|from| limits.map(|it| (from, it)))
            .concat()
        {
            let there = || (from..700).filter(is_there);
            let query = keys::<Task>().range(from..).limit(limit);
            let expected: Vec<u64> = there().take(limit).collect();
            assert_eq!(ids(query), expected, "{limit} from {from}");
            let down = keys::<Task>().range(from..).reversed().limit(limit);
            let expected: Vec<u64> = there().rev().take(limit).collect();
            assert_eq!(ids(down), expected, "{limit} down to {from}");
            let some = keys::<Task>().range(from..).and(Task::BY_COUNT.eq(7));
            let some = some.limit(limit);
            let found: Vec<u64> = snapshot.find(some.clone()).map(|it: &Task| it.id).collect();
            // Page by page, as well as one by one.
            assert_eq!(snapshot.find(some).count(), found.len());
            let some = there().filter(|id| id % 50 == 7);
            assert_eq!(found, some.take(limit).collect::<Vec<_>>());
        }
    }
}

/// Though the table's objects are not copied as easily.
#[test]
fn the_keys_of_a_table_may_be_asked_again() {
    let store = store();
    put(&store, [task(1), task(2), task(3)]);
    let keys = keys::<Task>();
    assert_eq!(found!(store, keys.all()), [1, 2, 3]);
    assert_eq!(found!(store, keys.range(2..)), [2, 3]);
    assert_eq!(found!(store, keys.eq(1u64)), [1]);
    assert_eq!(format!("{keys:?}"), r#"Keyed("task")"#);
}
