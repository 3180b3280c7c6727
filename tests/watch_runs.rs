//! Watchers fetch several commits at once: what holds all the same.

mod common;

use std::cell::Cell;
use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use common::{Counted, Task, assert_none_left, counted, events, put, store};
use skep::{Event, Filter, Index, Indexes, Object, Store, Version, WatchError, Watcher};

/// More commits than a run has.
const COMMITS: u64 = 100;

fn versions(watcher: &mut Watcher) -> Vec<u64> {
    let given = events(watcher);
    let markers = given.iter().filter(|event| event.change().is_none());
    markers.map(|event| event.version().get()).collect()
}

fn count_of(event: &Event) -> Option<i64> {
    Some(event.change()?.new_object::<Task>()?.count)
}

fn raise(store: &Store, counts: impl IntoIterator<Item = i64>) {
    for count in counts {
        put(store, [counted(1, count)]);
    }
}

#[test]
fn the_position_is_that_of_what_was_received() {
    let tasks = || Filter::of::<Task>();
    for filter in [tasks().into(), tasks().events_max(1 << 20)] {
        let store = store();
        let mut watcher = store.watch(filter);
        let at = Version::new;
        raise(&store, 0..COMMITS as i64);
        for commit in 1..=COMMITS {
            // The change, and the marker.
            for _ in 0..2 {
                assert!(watcher.try_recv().unwrap().is_some());
                assert_eq!(watcher.position(), at(commit));
            }
            let own = store.watchers()[0];
            assert_eq!(own.delivered, 2 * commit);
            if !own.mailbox {
                let behind = COMMITS - commit;
                assert_eq!((own.position, own.behind), (at(commit), behind));
            }
        }
        assert!(watcher.try_recv().unwrap().is_none());
        assert_eq!(watcher.position(), at(COMMITS));
    }
}

#[test]
fn what_a_run_leaves_out_is_passed_over_at_its_end() {
    let store = store();
    let mut watcher = store.watch(Filter::of::<Task>().when_object(|task| task.count == 3));
    raise(&store, 0..10);
    assert_eq!(versions(&mut watcher), [4, 5]);
    assert_eq!(watcher.position().get(), 10);
    assert_eq!(store.watchers()[0].behind, 0);
}

#[test]
fn a_gap_comes_after_the_run_before_it() {
    let store = common::builder()
        .table::<Task>()
        .watch_commits_max(10)
        .build();
    let mut watcher = store.watch(Filter::all());
    raise(&store, 0..8);
    assert_eq!(count_of(&watcher.try_recv().unwrap().unwrap()), Some(0));
    // The rest of the run is the watcher's own; what comes after it goes.
    raise(&store, 8..5000);
    store.reclaim();
    let mut last = 1;
    let missed = loop {
        match watcher.try_recv() {
            Ok(event) => last = event.expect("a gap comes").version().get(),
            Err(WatchError::Lagged {
                missed,
                resume_from,
            }) => {
                assert_eq!(last + missed, resume_from.get());
                break missed;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(last, 8, "all that was fetched");
    assert!(missed > 900, "{missed}");
    let rest = versions(&mut watcher);
    assert!(rest.into_iter().eq(8 + missed + 1..=5000));
}

#[test]
fn a_watcher_keeps_a_run_alive_and_gives_it_back() {
    let alive = Arc::new(());
    let write = |store: &Store| {
        let object = Counted {
            id: 1,
            _alive: Arc::clone(&alive),
        };
        store.update(|tx| tx.upsert(object.clone())).unwrap();
    };
    for received in [1, 2, 31, 32, 33] {
        let (builder, from_proposer) = common::builder_and_kept();
        let store = builder
            .table::<Counted>()
            .watch_commits_max(2 * COMMITS)
            .build();
        let mut watcher = store.watch(Filter::all());
        (0..COMMITS).for_each(|_| write(&store));
        for _ in 0..received {
            assert!(watcher.try_recv().unwrap().is_some());
        }
        // Far beyond what the log is kept for it.
        (0..5000).for_each(|_| write(&store));
        from_proposer.forget();
        store.reclaim();
        let kept = Arc::strong_count(&alive) - 1;
        // What the log is kept for, and the images of the commits of a run.
        assert!(kept as u64 <= 2 * COMMITS + 33, "{kept} are kept");
        drop(watcher);
        store.reclaim();
        drop(store);
        assert_none_left(&alive, format_args!("after {received} events"));
    }
}

#[derive(Clone)]
struct Touchy {
    id: u64,
    value: Value,
}

/// Compared with 13 it panics, if the thread is told so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Value(u64);

thread_local! {
    static TOUCHY: Cell<bool> = const { Cell::new(false) };
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        let touched = self.0.max(other.0) == 13;
        assert!(!(TOUCHY.get() && touched), "the test's own panic");
        self.0.cmp(&other.0)
    }
}

impl Touchy {
    const BY_VALUE: Index<Self, Value> = Index::new("by_value", |touchy: &Self, keys| {
        keys.add(touchy.value.clone())
    });
}

impl Object for Touchy {
    type Key = u64;
    const TABLE: &'static str = "touchy";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_VALUE);
    }
}

#[test]
fn a_comparison_that_panics_within_a_run_loses_no_commit() {
    let store = common::builder().table::<Touchy>().build();
    // Every marker asked for: it reads the log, and compares there.
    let filter = Filter::of::<Touchy>().value(Touchy::BY_VALUE, Value(5));
    let mut watcher = store.watch(filter.every_commit());
    for id in 0..COMMITS {
        let value = Value(if id == 20 { 13 } else { 5 });
        let touchy = Touchy { id, value };
        store.update(|tx| tx.create(touchy.clone())).unwrap();
    }
    TOUCHY.set(true);
    let mut panics = 0;
    let mut given = Vec::new();
    while panics < 3 {
        match catch_unwind(AssertUnwindSafe(|| watcher.try_recv())) {
            Ok(event) => given.push(event.unwrap().expect("it is not through")),
            Err(_) => panics += 1,
        }
    }
    TOUCHY.set(false);
    given.extend(events(&mut watcher));
    let of = |event: &Event| match event {
        Event::Change(change) => (change.version().get(), change.of::<Touchy>().is_some()),
        Event::Commit(version) => (version.get(), false),
    };
    let expected = (1..=COMMITS).flat_map(|version| {
        let change = (version != 21).then_some((version, true));
        change.into_iter().chain([(version, false)])
    });
    assert!(given.iter().map(of).eq(expected), "{given:?}");
}
