//! What is held: snapshots beside collection, and objects beyond their store.

use shuttle::thread;

use crate::explore::explore;
use crate::items::{Item, Living, builder, put, shown, transfer, viewed};

/// Two write the same objects again and again, and collect; three hold snapshots, look at them
/// repeatedly, and drop them in another order.
#[test]
fn a_held_snapshot_shows_the_same() {
    explore("a_held_snapshot_shows_the_same", || {
        let living = Living::default();
        let store = builder().build();
        put(&store, (0..2).map(|key| living.item(key, 10)));
        thread::scope(|scope| {
            for writer in 0..2 {
                let store = &store;
                scope.spawn(move || {
                    for turn in 0..4 {
                        transfer(store, writer, 1 - writer, 1, turn);
                    }
                    store.reclaim();
                });
            }
            for _ in 0..3 {
                scope.spawn(|| {
                    let old = store.snapshot();
                    let before = shown(&old);
                    let young = store.snapshot();
                    let between = shown(&young);
                    assert_eq!(shown(&old), before, "the old one changed");
                    drop(old);
                    assert_eq!(shown(&young), between, "the young one changed");
                });
            }
        });
        drop(store);
        living.assert_none();
    });
}

/// Two write the same objects again and again beside a view that is held all the while, one of them
/// within a view of its own; two others look at views repeatedly, and end them in either order.
/// Beside the one that is held the log is trimmed, and behind it everything goes.
#[test]
fn a_held_view_shows_the_same() {
    explore("a_held_view_shows_the_same", || {
        let living = Living::default();
        let store = builder().build();
        put(&store, (0..2).map(|key| living.item(key, 10)));
        let held = store.read();
        let at_first = viewed(&held);
        thread::scope(|scope| {
            for writer in 0..2 {
                let store = &store;
                scope.spawn(move || {
                    let own = (writer == 1).then(|| store.read());
                    let before = own.as_ref().map(viewed);
                    for turn in 0..4 {
                        transfer(store, writer, 1 - writer, 1, turn);
                    }
                    assert_eq!(own.as_ref().map(viewed), before, "a writer's own changed");
                });
            }
            for old_goes_first in [false, true] {
                let store = &store;
                scope.spawn(move || {
                    let old = store.read();
                    let before = viewed(&old);
                    let young = store.read();
                    let between = viewed(&young);
                    assert_eq!(viewed(&old), before, "the old one changed");
                    if old_goes_first {
                        drop(old);
                    }
                    assert_eq!(viewed(&young), between, "the young one changed");
                });
            }
        });
        store.reclaim();
        assert_eq!(store.stats().log_commits, 0, "the log waits for a view");
        assert_eq!(viewed(&held), at_first, "what is held changed");
        drop(held);
        store.reclaim();
        assert_eq!(store.stats().versions, 2, "something waits for no view");
        drop(store);
        living.assert_none();
    });
}

/// Snapshots taken by one thread, read and dropped by another, which is not theirs.
#[test]
fn a_snapshot_goes_to_another_thread() {
    explore("a_snapshot_goes_to_another_thread", || {
        let living = Living::default();
        let store = builder().build();
        put(&store, (0..2).map(|key| living.item(key, 10)));
        thread::scope(|scope| {
            for writer in 0..2 {
                let store = &store;
                scope.spawn(move || {
                    transfer(store, writer, 1 - writer, 1, 1);
                    let snapshot = store.snapshot();
                    let before = shown(&snapshot);
                    transfer(store, writer, 1 - writer, 1, 2);
                    let reader = thread::spawn(move || {
                        assert_eq!(shown(&snapshot), before, "a snapshot changed");
                    });
                    transfer(store, writer, 1 - writer, 1, 3);
                    reader.join().expect("it held");
                });
            }
        });
        drop(store);
        living.assert_none();
    });
}

/// Owned objects are kept, cloned and dropped by others than their store's threads.
#[test]
fn an_object_outlives_its_store() {
    explore("an_object_outlives_its_store", || {
        let living = Living::default();
        let store = builder().build();
        put(&store, [living.item(0, 0)]);
        let keeper = {
            let store = store.clone();
            thread::spawn(move || {
                let first = store.read().object::<Item>(&0);
                let second = store.read().object::<Item>(&0);
                drop(store);
                let (first, second) = (first.expect("there"), second.expect("there"));
                assert!(first.certify().amount <= second.certify().amount);
                let again = first.clone();
                drop(first);
                again.certify();
            })
        };
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let store = store.clone();
                thread::spawn(move || {
                    for _ in 0..2 {
                        let added = store.update(|tx| tx.modify::<Item>(&0, |it| it.amount += 1));
                        added.expect("it is there");
                    }
                })
            })
            .collect();
        drop(store);
        for thread in writers {
            thread.join().expect("it held");
        }
        keeper.join().expect("it held");
        living.assert_none();
    });
}
