//! Filters by conditions that must hold together, and of which image of the object: against a plain
//! reading of what they ask for, over random commits.

mod common;

use std::ops::Bound;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{
    Random, Task, counted, delete, events, named, put, store, tagged, task, task_changes,
};
use skep::{
    Event, Filter, Images, Index, Indexes, Kind, Object, Overflow, TableFilter, WatchError, keys,
};

/// Whether an object is asked for.
type Asks = Rc<dyn Fn(&Task) -> bool>;

fn on_node(id: u64, node: u64) -> Task {
    Task {
        node: Some(node),
        ..task(id)
    }
}

#[test]
fn conditions_of_different_indexes_must_hold_together() {
    let store = store();
    let mut both = store.watch(
        Filter::of::<Task>()
            .meets(Task::BY_NODE.eq(1u64))
            .meets(Task::BY_TAG.eq("a")),
    );
    // The older spelling joins values by or, whatever the index.
    let mut either = store.watch(
        Filter::of::<Task>()
            .value(Task::BY_NODE, 1u64)
            .value(Task::BY_TAG, "a"),
    );
    put(&store, [on_node(1, 1)]);
    put(&store, [tagged(2, &["a"])]);
    let node = Some(1);
    put(
        &store,
        [Task {
            node,
            ..tagged(3, &["a", "b"])
        }],
    );
    assert_eq!(task_changes(&mut both), [(Kind::Created, 3)]);
    assert_eq!(task_changes(&mut either).len(), 3);
    // Of one image: what had the one before and has the other after never had both.
    put(&store, [on_node(1, 2), tagged(2, &["b"])]);
    put(&store, [tagged(1, &["a"])]);
    assert_eq!(task_changes(&mut both), []);
}

#[test]
fn prefixes_and_ranges_are_conditions() {
    let store = store();
    let mut named_east = store.watch(Filter::of::<Task>().meets(Task::BY_NAME.prefix("east-")));
    let above = (Bound::Excluded(5), Bound::Unbounded);
    let mut above_five = store.watch(
        Filter::of::<Task>()
            .meets(Task::BY_COUNT.range(above))
            .images(Images::Last),
    );
    let mut some = store.watch(Filter::of::<Task>().meets(keys::<Task>().range(2..4)));
    put(
        &store,
        [named(1, "east-1"), named(2, "west-1"), named(3, "east")],
    );
    put(&store, [counted(4, 5), counted(5, 6)]);
    put(&store, [counted(5, 4)]);
    put(&store, [counted(4, 9)]);
    assert_eq!(task_changes(&mut named_east), [(Kind::Created, 1)]);
    let seen = [(Kind::Created, 5), (Kind::Updated, 4)];
    assert_eq!(task_changes(&mut above_five), seen);
    let seen = [(Kind::Created, 2), (Kind::Created, 3)];
    assert_eq!(task_changes(&mut some), seen);
}

#[test]
fn an_object_that_leaves_is_seen_by_its_old_image_alone() {
    let store = store();
    let of = |images| {
        let on_one = Filter::of::<Task>().meets(Task::BY_NODE.eq(1u64));
        store.watch(on_one.images(images))
    };
    let [mut either, mut last, mut before] = [Images::Either, Images::Last, Images::Before].map(of);
    put(&store, [on_node(1, 1)]);
    put(
        &store,
        [Task {
            count: 1,
            ..on_node(1, 1)
        }],
    );
    put(&store, [on_node(1, 2)]);
    put(&store, [on_node(1, 1)]);
    delete::<Task>(&store, &1);
    use Kind::{Created, Deleted, Updated};
    let all = [
        (Created, 1),
        (Updated, 1),
        (Updated, 1),
        (Updated, 1),
        (Deleted, 1),
    ];
    assert_eq!(task_changes(&mut either), all);
    let last_seen = [(Created, 1), (Updated, 1), (Updated, 1), (Deleted, 1)];
    assert_eq!(task_changes(&mut last), last_seen);
    let before_seen = [(Updated, 1), (Updated, 1), (Deleted, 1)];
    assert_eq!(task_changes(&mut before), before_seen);
}

#[test]
fn what_is_created_has_no_image_before_whatever_is_asked_of_it() {
    let store = store();
    let filters = [
        Filter::of::<Task>(),
        Filter::of::<Task>().key(&1),
        Filter::of::<Task>().updated().created(),
        Filter::of::<Task>().when_object(|_| true),
    ];
    let of = |filter: TableFilter<Task>| store.watch(filter.images(Images::Before));
    let mut watchers = filters.map(of);
    let coalescing = Filter::of::<Task>().images(Images::Before);
    let mut few = store.watch(coalescing.overflow(Overflow::Coalesce).events_max(2));
    put(&store, [on_node(1, 1)]);
    put(&store, [on_node(1, 2)]);
    for watcher in &mut watchers {
        assert_eq!(task_changes(watcher), [(Kind::Updated, 1)]);
    }
    assert_eq!(task_changes(&mut few), [(Kind::Updated, 1)]);
    // One change that began with a creation would not be asked for, nor would it be missed.
    put(&store, [on_node(2, 1), on_node(3, 1)]);
    for node in 2..5 {
        put(&store, [on_node(2, node), on_node(3, node)]);
    }
    assert!(matches!(few.try_recv(), Err(WatchError::Lagged { .. })));
}

#[test]
#[should_panic(expected = "no index by_nothing")]
fn an_index_that_the_table_does_not_have_is_refused_at_once() {
    let nothing: skep::Index<Task, u64> = skep::Index::new("by_nothing", |_, _| {});
    let _ = Filter::of::<Task>().meets(Task::BY_NODE.eq(1u64).or(nothing.eq(1u64)));
}

static CALLS: AtomicU64 = AtomicU64::new(0);

/// It counts how often its index function is called.
#[derive(Clone, Debug)]
struct Asked(u64);

impl Asked {
    const BY_HALF: Index<Self, u64> = Index::new("by_half", |asked: &Self, keys| {
        CALLS.fetch_add(1, Ordering::SeqCst);
        keys.add(asked.0 / 2);
    });
}

impl Object for Asked {
    type Key = u64;
    const TABLE: &'static str = "asked";

    fn key(&self) -> u64 {
        self.0
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_HALF);
    }
}

/// Nor for one that is left out by what the other query finds.
#[test]
fn a_change_that_does_not_match_costs_no_index_function() {
    let store = common::builder().table::<Asked>().build();
    let all = || keys::<Asked>().all();
    let filters = [
        Filter::of::<Asked>().meets(Asked::BY_HALF.eq(7u64)),
        Filter::of::<Asked>().meets(all().except(Asked::BY_HALF.eq(0u64))),
        Filter::of::<Asked>().meets(Asked::BY_HALF.eq(0u64).except(Asked::BY_HALF.range(..3))),
        Filter::of::<Asked>().meets(all().except(Asked::BY_HALF.any_of([0u64, 1]).or(all()))),
    ];
    let mut watchers = filters.map(|filter| store.watch(filter));
    put(&store, [Asked(0), Asked(1)]);
    common::wait_for_delivery(&store);
    let calls = CALLS.load(Ordering::SeqCst);
    for watcher in &mut watchers {
        assert!(events(watcher).is_empty());
    }
    assert_eq!(CALLS.load(Ordering::SeqCst), calls);
    put(&store, [Asked(2)]);
    common::wait_for_delivery(&store);
    let calls = CALLS.load(Ordering::SeqCst);
    assert_eq!(events(&mut watchers[1]).len(), 2);
    assert!(CALLS.load(Ordering::SeqCst) > calls, "it is asked then");
}

/// A condition, and the same in plain words.
fn random_condition(random: &mut Random, filter: TableFilter<Task>) -> (TableFilter<Task>, Asks) {
    let (node, count, id) = (random.below(3), random.below(5) as i64, random.below(8));
    let all = keys::<Task>().all();
    match random.below(12) {
        7 => (
            filter.meets(all.except(Task::BY_NODE.eq(node))),
            Rc::new(move |task| task.node != Some(node)),
        ),
        8 => (
            filter.meets(
                Task::BY_NODE
                    .eq(node)
                    .except(Task::BY_TAG.any_of(["b", "c"])),
            ),
            Rc::new(move |task| {
                task.node == Some(node) && !task.tags.iter().any(|tag| tag == "b" || tag == "c")
            }),
        ),
        9 => (
            filter.meets(
                all.clone()
                    .except(Task::BY_COUNT.range(count..).except(keys::<Task>().eq(id)))
                    .except(keys::<Task>().range(..id).or(Task::BY_NODE.eq(node))),
            ),
            Rc::new(move |task| {
                (task.count < count || task.id == id) && task.id >= id && task.node != Some(node)
            }),
        ),
        10 => (
            filter.meets(all.except(Task::BY_COUNT.range(count..).and(Task::BY_NODE.eq(node)))),
            Rc::new(move |task| task.count < count || task.node != Some(node)),
        ),
        0 => (
            filter.meets(Task::BY_NODE.eq(node)),
            Rc::new(move |task| task.node == Some(node)),
        ),
        1 => (
            filter.meets(Task::BY_COUNT.range(count..)),
            Rc::new(move |task| task.count >= count),
        ),
        2 => (
            filter.meets(Task::BY_TAG.any_of(["a", "c"]).and(Task::BY_NODE.all())),
            Rc::new(|task| {
                task.node.is_some() && task.tags.iter().any(|tag| tag == "a" || tag == "c")
            }),
        ),
        3 => (
            filter.meets(Task::BY_NAME.prefix("task-1").or(Task::BY_NODE.eq(node))),
            Rc::new(move |task| task.name.starts_with("task-1") || task.node == Some(node)),
        ),
        4 => (
            filter.meets(keys::<Task>().any_of([id, 1])),
            Rc::new(move |task| task.id == id || task.id == 1),
        ),
        5 => (
            filter.meets(keys::<Task>().range(id..).and(Task::BY_COUNT.eq(count))),
            Rc::new(move |task| task.id >= id && task.count == count),
        ),
        6 => (
            filter.meets(keys::<Task>().eq(id)),
            Rc::new(move |task| task.id == id),
        ),
        _ => (
            filter.when_object(move |task| task.count % 2 == 0),
            Rc::new(|task| task.count % 2 == 0),
        ),
    }
}

fn random_commit(store: &skep::Store, random: &mut Random) {
    let id = random.below(16);
    if random.one_in(4) {
        // Whether there was one does not matter.
        let _ = store.update(|tx| tx.delete::<Task>(&id));
        return;
    }
    let tags = ["a", "b", "c"][..random.below(4) as usize].iter();
    let one = Task {
        node: (!random.one_in(3)).then(|| random.below(3)),
        tags: tags.map(|&tag| tag.to_owned()).collect(),
        count: random.below(5) as i64,
        ..task(id)
    };
    put(store, [one]);
}

#[test]
fn random_conditions_give_what_they_ask_for_and_no_more() {
    let mut random = Random::new(21);
    let store = store();
    let mut given = 0;
    for _ in 0..300 {
        let (mut filter, mut asks) = (Filter::of::<Task>(), Vec::<Asks>::new());
        for _ in 0..=random.below(3) {
            let (narrowed, also) = random_condition(&mut random, filter);
            filter = narrowed;
            asks.push(also);
        }
        let images = [Images::Either, Images::Last, Images::Before][random.below(3) as usize];
        let mut watcher = store.watch(filter.images(images));
        let mut all = store.watch(Filter::all());
        for _ in 0..20 {
            random_commit(&store, &mut random);
        }
        let met = |task: Option<&Task>| task.is_some_and(|task| asks.iter().all(|ask| ask(task)));
        let everything = events(&mut all);
        let wanted = everything
            .iter()
            .filter_map(Event::change)
            .filter(|change| {
                let typed = change.of::<Task>().expect("a task's");
                match images {
                    Images::Either => met(typed.old()) || met(typed.new()),
                    Images::Last => met(typed.new().or(typed.old())),
                    Images::Before => met(typed.old()),
                }
            });
        let wanted: Vec<_> = wanted
            .map(|change| (change.version(), change.kind()))
            .collect();
        let got = events(&mut watcher);
        let got = got.iter().filter_map(Event::change);
        let got: Vec<_> = got
            .map(|change| (change.version(), change.kind()))
            .collect();
        assert_eq!(got, wanted, "{images:?}");
        given += got.len();
    }
    assert!(given > 500, "{given}");
}
