//! What an idle watcher costs, and what is left of it.

#[path = "common/allocated.rs"]
mod allocated;
mod common;

use allocated::bytes;
use common::{Task, counted, delete, put, store, task};
use skep::{Filter, Store, Watcher};

const WATCHERS: u64 = 20_000;
/// Bytes of an idle watcher at most, with its handle, its filter and its place in the index.
const BYTES_MAX: i64 = 300;

fn watch_each(store: &Store, filter: fn(u64) -> Filter) -> Vec<Watcher> {
    let mut watchers = Vec::with_capacity(WATCHERS as usize);
    watchers.extend((0..WATCHERS).map(|number| store.watch(filter(number))));
    watchers
}

#[test]
fn idle_watchers_are_small_and_leave_nothing() {
    // One test: another that runs beside it would be counted.
    is_small_and_leaves_nothing("node", |node| {
        Filter::of::<Task>().value(Task::BY_NODE, node).into()
    });
    is_small_and_leaves_nothing("store", |_| Filter::all());
    is_small_and_leaves_nothing("key", |number| {
        Filter::of::<Task>().key(&task(number).id).into()
    });
    what_waits_goes_with_its_watcher();
}

/// Though nobody commits any more.
fn what_waits_goes_with_its_watcher() {
    // A proposer would have it all as well.
    let store = Store::builder().table::<Task>().build();
    for taken in [false, true] {
        store.reclaim();
        let before = bytes();
        let mut watcher = store.watch(Filter::of::<Task>().key(&1));
        for count in 0..1_000 {
            let title = "x".repeat(10_000);
            put(
                &store,
                [Task {
                    title,
                    ..counted(1, count)
                }],
            );
        }
        delete::<Task>(&store, &1);
        if taken {
            watcher.try_recv().expect("there is something");
        }
        let held = bytes() - before;
        assert!(held > 10_000_000, "{held} bytes");
        drop(watcher);
        // The log has the last ones still.
        let left = bytes() - before;
        assert!(left < held / 4, "{left} of {held} bytes are left");
    }
}

fn is_small_and_leaves_nothing(of: &str, filter: fn(u64) -> Filter) {
    let store = store();
    put(&store, [task(1)]);
    // Places for cursors stay; the second time there are more, so that one is found soon.
    for _ in 0..2 {
        drop(watch_each(&store, filter));
        store.reclaim();
    }
    let before = bytes();
    let watchers = watch_each(&store, filter);
    let each = (bytes() - before) / WATCHERS as i64;
    println!("{each} bytes a watcher of a {of}");
    assert!(each <= BYTES_MAX, "{each} bytes");
    put(&store, [task(2)]);
    drop(watchers);
    put(&store, [task(3)]);
    store.reclaim();
    let left = bytes() - before;
    assert!(left < 64 * 1024, "{left} bytes are left");
}
