//! What reads allocate: point reads and queries at a snapshot nothing, however much they find; and
//! what a filter does.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::{Task, put, store, task};
use skep::{Filter, keys};

/// Counts the allocations of each thread.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: it hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no count any more, and needs none.
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many allocations `run` makes.
fn allocations(run: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    run();
    ALLOCATIONS.get() - before
}

#[test]
fn reads_allocate_nothing() {
    let store = store();
    put(
        &store,
        (0..5_000).map(|id| Task {
            node: Some(id % 3),
            count: id as i64,
            ..task(id)
        }),
    );
    // The thread's first use of the store registers it.
    drop(store.read());
    let read = store.read();
    let snapshot = store.snapshot();
    assert_eq!(allocations(|| drop(store.read())), 0, "a view");
    let point = allocations(|| {
        for id in 0..5_000 {
            assert!(read.get::<Task>(&id).is_some() && snapshot.get::<Task>(&id).is_some());
        }
    });
    assert_eq!(point, 0, "point reads");
    let scans = allocations(|| {
        assert_eq!(read.find(keys::<Task>().all()).count(), 5_000);
        assert_eq!(
            snapshot.find(keys::<Task>().all().reversed()).count(),
            5_000
        );
        assert_eq!(read.count(Task::BY_COUNT.range(10..4_000)), 3_990);
        assert_eq!(snapshot.find(Task::BY_NODE.eq(1u64)).count(), 1_667);
        let both = Task::BY_NODE.eq(1u64).and(Task::BY_COUNT.range(..1_000));
        assert_eq!(read.find(both).count(), 333);
    });
    assert_eq!(scans, 0, "queries");
    let names = (0..5_000).step_by(5).map(|id| format!("task-{id}"));
    let query = Task::BY_NAME.any_of(names);
    let any_of = allocations(|| assert_eq!(read.find(query).count(), 1_000));
    assert_eq!(any_of, 0, "many texts at once");
}

#[test]
fn what_a_query_allocates_does_not_grow_with_what_it_finds() {
    let store = store();
    put(
        &store,
        (0..5_000).map(|id| Task {
            node: Some(id % 3),
            count: id as i64 % 7,
            ..task(id)
        }),
    );
    let read = store.read();
    let any_of = |limit| {
        allocations(|| {
            let query = Task::BY_NODE.any_of([1u64, 2]).limit(limit);
            assert_eq!(read.find(query).count(), limit);
        })
    };
    assert_eq!(any_of(3_333), any_of(10), "any of");
    let either = |limit| {
        allocations(|| {
            let query = Task::BY_NODE.eq(1u64).or(Task::BY_COUNT.range(..3));
            assert_eq!(read.find(query.limit(limit)).count(), limit);
        })
    };
    assert_eq!(either(3_000), either(10), "or");
}

#[test]
fn a_filter_of_a_value_makes_no_index_to_look_its_name_up() {
    let filter = || drop(Filter::of::<Task>().value(Task::BY_COUNT, 1));
    // What it asks, and the list of that.
    assert_eq!(allocations(filter), 2);
}

/// By the finders that the page before has ended in, which all others share.
#[cfg(feature = "cluster")]
#[test]
fn a_page_of_any_of_many_finders_copies_none_for_each_other() {
    use skep::Id;
    use skep::cluster::{self, Finder, Node, Search};

    let store = cluster::builder().build();
    let [last, next] = [1, 2].map(|id| Node::named(Id::from_u128(id), "host"));
    for node in [&last, &next] {
        let created = store.update(|tx| tx.create(node.clone()));
        created.expect("there is none");
    }
    let nothing = || Finder::Not(Box::new(Finder::All));
    let mut finders: Vec<Finder> = std::iter::repeat_with(nothing).take(400).collect();
    finders[200] = Finder::All;
    let search = Search::<Node>::new(&Finder::AnyOf(finders)).expect("all tables answer it");
    let read = store.read();
    let made = allocations(|| {
        let found = search.find_after(&read, &last).map(|node| node.id);
        assert!(found.eq([next.id]));
    });
    assert!(made < 4_000, "{made}");
}
