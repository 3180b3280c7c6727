//! Pages of a query: each begins after the last object of the one before, wherever that ended.

mod common;

use common::{Random, Task, delete, put, store, tagged, task};
use skep::{AnyOf, ByIndex, Condition, Index, Key, Query, Store, Transaction, keys};

/// Tasks with up to three of four tags, some with none, and with or without a node of three.
fn filled(seed: u64) -> (Store, Vec<Task>) {
    let store = store();
    let mut random = Random::new(seed);
    let tasks: Vec<Task> = (0..40)
        .map(|id| {
            let count = random.below(4);
            let tags = (0..count).map(|_| ["a", "b", "c", "d"][random.below(4) as usize].into());
            Task {
                tags: tags.collect(),
                node: random.one_in(2).then(|| random.below(3)),
                ..task(id)
            }
        })
        .collect();
    put(&store, tasks.clone());
    (store, tasks)
}

fn ids<'t>(found: impl Iterator<Item = &'t Task>) -> Vec<u64> {
    found.map(|task| task.id).collect()
}

/// The value by which a query of some values shows an object, in its direction.
fn shown_by<V: Key>(values: Vec<V>, asked: impl Fn(&V) -> bool, reversed: bool) -> V {
    let asked = values.into_iter().filter(|value| asked(value));
    let shown = if reversed { asked.max() } else { asked.min() };
    shown.expect("it is found by one")
}

/// A query that can begin after an object.
trait Paged<V> {
    fn page_after(self, value: V, key: u64) -> Self;
}

impl<V: Key> Paged<V> for Query<Task, ByIndex<Task, V>> {
    fn page_after(self, value: V, key: u64) -> Self {
        self.after(value, key)
    }
}

impl<V: Key> Paged<V> for Query<Task, AnyOf<Task, V>> {
    fn page_after(self, value: V, key: u64) -> Self {
        self.after(value, key)
    }
}

/// Walks a query page by page, of each size, and compares with the whole.
#[track_caller]
fn walks<V: Key, C: Condition<Task>>(
    tx: &Transaction<'_>,
    query: &Query<Task, C>,
    value: impl Fn(&Task) -> V,
) where
    Query<Task, C>: Paged<V>,
{
    let whole = ids(tx.find(query.clone()));
    for size in [1, 2, 3, 7, 40, 41] {
        let mut pages = Vec::new();
        let mut next = query.clone().limit(size);
        for _ in 0..=whole.len() {
            let page: Vec<&Task> = tx.find(next.clone()).collect();
            assert!(page.len() <= size);
            let Some(last) = page.last() else { break };
            next = query.clone().limit(size).page_after(value(last), last.id);
            pages.extend(ids(page.into_iter()));
        }
        assert_eq!(pages, whole, "pages of {size}");
    }
}

fn tags(task: &Task) -> Vec<String> {
    task.tags.clone()
}

fn turned<C: Condition<Task>>(query: Query<Task, C>, reversed: bool) -> Query<Task, C> {
    if reversed { query.reversed() } else { query }
}

/// Of every form of a query, both ways.
fn all_walks(tx: &Transaction<'_>) {
    for reversed in [false, true] {
        let tag = |asked: fn(&str) -> bool| {
            move |task: &Task| shown_by(tags(task), |tag| asked(tag), reversed)
        };
        let query = turned(Task::BY_TAG.eq("b"), reversed);
        walks(tx, &query, tag(|it| it == "b"));
        let query = turned(Task::BY_TAG.all(), reversed);
        walks(tx, &query, tag(|_| true));
        let query = turned(Task::BY_TAG.range("b".to_owned().."d".to_owned()), reversed);
        let inside = tag(|it| it == "b" || it == "c");
        walks(tx, &query, inside);
        let query = turned(Task::BY_TAG.prefix("c"), reversed);
        walks(tx, &query, tag(|it| it == "c"));
        let query = turned(Task::BY_TAG.any_of(["d", "a", "x", "b"]), reversed);
        walks(tx, &query, tag(|it| it != "c"));
        let query = turned(Task::BY_NODE.all(), reversed);
        let node = |task: &Task| task.node.expect("found by it");
        walks(tx, &query, node);
    }
}

#[test]
fn pages_make_up_the_whole() {
    for seed in 0..8 {
        let (store, _) = filled(seed);
        all_walks(&store.begin());
    }
}

/// As [`walks`], each page after the last object of the one before, whatever it was found by.
#[track_caller]
fn walks_by_object<C: Condition<Task>>(tx: &Transaction<'_>, query: &Query<Task, C>) {
    let whole = ids(tx.find(query.clone()));
    for size in [1, 2, 7, 41] {
        let mut pages = Vec::new();
        let mut next = query.clone().limit(size);
        for _ in 0..=whole.len() {
            let page: Vec<&Task> = tx.find(next).collect();
            assert!(page.len() <= size);
            pages.extend(ids(page.iter().copied()));
            next = query.clone().limit(size);
            let Some(last) = page.last() else { break };
            next = next.after_object(last);
        }
        assert_eq!(pages, whole, "pages of {size}");
    }
}

/// Of every form of a query, and of some that are made of several, both ways.
fn all_walks_by_object(tx: &Transaction<'_>) {
    let some = || keys::<Task>().any_of([3u64, 1, 30, 1007, 1012, 99]);
    for reversed in [false, true] {
        walks_by_object(tx, &turned(Task::BY_TAG.eq("b"), reversed));
        walks_by_object(tx, &turned(Task::BY_TAG.all(), reversed));
        walks_by_object(tx, &turned(Task::BY_TAG.any_of(["d", "a", "x"]), reversed));
        walks_by_object(tx, &turned(keys::<Task>().all(), reversed));
        walks_by_object(tx, &turned(keys::<Task>().range(5..1005), reversed));
        walks_by_object(tx, &turned(keys::<Task>().eq(7u64), reversed));
        walks_by_object(tx, &turned(some(), reversed));
        let both = Task::BY_TAG.prefix("c").and(Task::BY_NODE.all());
        walks_by_object(tx, &turned(both, reversed));
        let without = Task::BY_TAG.any_of(["a", "d"]).except(Task::BY_NODE.all());
        walks_by_object(tx, &turned(without.clone(), reversed));
        let rest = keys::<Task>().all().except(Task::BY_TAG.eq("b"));
        walks_by_object(tx, &turned(rest.clone(), reversed));
        walks_by_object(tx, &turned(without.or(rest), reversed));
        let either = Task::BY_NODE
            .eq(1u64)
            .or(Task::BY_TAG.range("b".to_owned()..));
        walks_by_object(tx, &turned(either.clone(), reversed));
        walks_by_object(tx, &turned(some().or(either.clone()), reversed));
        walks_by_object(tx, &turned(either.or(keys::<Task>().range(..9)), reversed));
    }
}

#[test]
fn pages_after_objects_make_up_the_whole() {
    for seed in 0..8 {
        let (store, _) = filled(seed);
        all_walks_by_object(&store.begin());
        // A view walks as a transaction without writes does.
        let query = Task::BY_NODE.all().or(Task::BY_TAG.all());
        let view = store.read();
        let whole = ids(view.find(query.clone()));
        for (place, id) in whole.iter().enumerate() {
            let last = view.get::<Task>(id).expect("it was found");
            let rest = ids(view.find(query.clone().after_object(last)));
            assert_eq!(rest, whole[place + 1..]);
        }
    }
}

#[test]
fn nothing_comes_after_an_object_that_is_not_found() {
    let (store, _) = filled(2);
    let (view, other) = (store.read(), tagged(7, &["z"]));
    assert_eq!(
        view.count(Task::BY_TAG.all().after_object(&other)),
        0,
        "its tag is the last"
    );
    assert_eq!(view.count(Task::BY_TAG.eq("a").after_object(&other)), 0);
    assert_eq!(
        view.count(keys::<Task>().range(..5).after_object(&other)),
        0
    );
    let either = Task::BY_TAG.eq("a").or(Task::BY_TAG.eq("b"));
    assert_eq!(view.count(either.after_object(&other)), 0);
    let all = keys::<Task>().all();
    let except = all.clone().except(Task::BY_TAG.eq("z"));
    assert_eq!(view.count(except.after_object(&other)), 0);
    let except = all.except(Task::BY_TAG.eq("a"));
    assert_ne!(view.count(except.after_object(&other)), 0);
}

/// A query that begins after an object has not found what comes before that.
#[track_caller]
fn never_goes_back<C: Condition<Task>>(tx: &Transaction<'_>, query: &Query<Task, C>) {
    let whole: Vec<&Task> = tx.find(query.clone()).collect();
    for (place, first) in whole.iter().enumerate() {
        let after_first = query.clone().after_object(first);
        for (next, second) in whole.iter().enumerate() {
            let rest = ids(tx.find(after_first.clone().after_object(second)));
            let comes = match next > place {
                true => ids(whole[next + 1..].iter().copied()),
                false => Vec::new(),
            };
            assert_eq!(rest, comes, "after {place} and {next}");
        }
    }
}

#[test]
fn nothing_comes_after_what_comes_before_another() {
    let (store, _) = filled(3);
    let tx = store.begin();
    for reversed in [false, true] {
        never_goes_back(&tx, &turned(Task::BY_TAG.prefix("b"), reversed));
        never_goes_back(&tx, &turned(Task::BY_TAG.any_of(["d", "a"]), reversed));
        never_goes_back(&tx, &turned(keys::<Task>().range(..9), reversed));
        never_goes_back(&tx, &turned(keys::<Task>().any_of([3u64, 1, 30]), reversed));
        let either = Task::BY_NODE.eq(1u64).or(Task::BY_TAG.eq("b"));
        never_goes_back(&tx, &turned(either, reversed));
    }
}

/// Own writes come where they belong, and only after where the page begins.
#[test]
fn pages_of_a_transaction_have_its_own_writes() {
    for seed in 0..8 {
        let (store, tasks) = filled(seed);
        let mut tx = store.begin();
        let mut random = Random::new(seed + 100);
        for task in tasks {
            match random.below(4) {
                0 => tx.delete::<Task>(&task.id).expect("it is there"),
                1 => {
                    let tags = vec![["a", "b", "c"][random.below(3) as usize].to_owned()];
                    let node = Some(random.below(3));
                    tx.update(Task { tags, node, ..task }).expect("it is there");
                }
                2 => tx.create(tagged(task.id + 1000, &["b", "d"])).expect("new"),
                _ => {}
            }
        }
        all_walks(&tx);
        all_walks_by_object(&tx);
    }
}

#[test]
fn joined_queries_begin_where_the_first_does() {
    let (store, _) = filled(3);
    let view = store.read();
    let tagged = Task::BY_TAG.eq("b");
    let whole = ids(view.find(tagged.clone()));
    let (head, rest) = whole.split_at(whole.len() / 2);
    let from = tagged.clone().after("b", *head.last().expect("some"));
    assert_eq!(ids(view.find(from.clone())), rest);
    let on_a_node = Task::BY_NODE.all();
    let both = ids(view.find(from.clone().and(on_a_node.clone())));
    let expected: Vec<u64> = ids(view.find(tagged.clone().and(on_a_node.clone())));
    let expected: Vec<u64> = expected
        .into_iter()
        .filter(|id| rest.contains(id))
        .collect();
    assert_eq!(both, expected);
    // As the second it is a condition like any other.
    let second = ids(view.find(on_a_node.clone().and(from.clone())));
    assert_eq!(
        second,
        ids(view.find(on_a_node.clone().and(tagged.clone())))
    );
    // What the first leaves out at its beginning is not told by the second instead.
    let either = ids(view.find(from.or(on_a_node.clone())));
    let all = ids(view.find(tagged.or(on_a_node)));
    assert_eq!(either, all[head.len()..]);
}

#[test]
fn the_object_that_a_page_begins_after_may_be_gone() {
    let (store, _) = filled(4);
    let whole = ids(store.read().find(Task::BY_TAG.eq("a")));
    let middle = whole[whole.len() / 2];
    delete::<Task>(&store, &middle);
    let rest = ids(store.read().find(Task::BY_TAG.eq("a").after("a", middle)));
    assert_eq!(rest, whole[whole.len() / 2 + 1..]);
}

/// A place before all that is asked for leaves nothing out, one behind it everything.
#[test]
fn a_page_may_begin_anywhere() {
    let (store, _) = filled(5);
    let view = store.read();
    let range = || Task::BY_TAG.range("b".to_owned()..="c".to_owned());
    let whole = ids(view.find(range()));
    let back = ids(view.find(range().reversed()));
    for (value, first, last) in [("a", true, false), ("d", false, true)] {
        for key in [0, u64::MAX] {
            let found = ids(view.find(range().after(value, key)));
            assert_eq!(found, if first { &whole[..] } else { &[] });
            let found = ids(view.find(range().after(value, key).reversed()));
            assert_eq!(found, if last { &back[..] } else { &[] });
            let any = Task::BY_TAG.any_of(["b", "c"]).after(value, key);
            assert_eq!(ids(view.find(any)), if first { &whole[..] } else { &[] });
            let one = Task::BY_TAG.eq("b");
            let all = ids(view.find(one.clone()));
            let found = ids(view.find(one.after(value, key)));
            assert_eq!(found, if first { &all[..] } else { &[] });
        }
    }
    // Between two values, and by a value that is none of those asked for.
    let any = |value, key| Task::BY_TAG.any_of(["a", "c"]).after(value, key);
    assert_eq!(
        ids(view.find(any("b", 7))),
        ids(view.find(any("a", u64::MAX)))
    );
}

#[test]
fn values_are_normalized_as_the_index_has_them() {
    let store = store();
    let titled = |id: u64, title: &str| Task {
        title: title.into(),
        ..task(id)
    };
    put(
        &store,
        [titled(1, "Web"), titled(2, "WEB"), titled(3, "web")],
    );
    let index: Index<Task, String> = Task::BY_TITLE;
    let rest = ids(store.read().find(index.eq("wEb").after("weB", 1u64)));
    assert_eq!(rest, [2, 3]);
}
