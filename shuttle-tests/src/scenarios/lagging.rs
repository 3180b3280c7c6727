//! Watchers that fall behind their bounds: they are told, can fetch what went, or are given changes
//! that became one; and those who begin in the past.

use shuttle::thread;
use skep::{Filter, Overflow, Store, TableFilter, Version, WatchError, Watcher};

use crate::explore::explore;
use crate::items::{Item, Living, builder, put, transfer};
use crate::replay::Replay;

const LAST: u64 = 99;

fn start(living: &Living, store: &Store) {
    put(store, (0..2).map(|key| living.item(key, 10)));
}

/// Two write, then the last item comes; `follow` runs beside them.
fn beside_writers(living: &Living, store: &Store, follow: impl Fn(&Store) + Sync) {
    let follow = &follow;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                scope.spawn(move || {
                    for turn in 0..3 {
                        transfer(store, writer, 1 - writer, 1, turn);
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(move || follow(store));
        }
        for writer in writers {
            writer.join().expect("it held");
        }
        put(store, [living.item(LAST, 0)]);
    });
}

/// Asks for keys, and so has a mailbox.
fn by_keys() -> TableFilter<Item> {
    Filter::of::<Item>().key(&0).key(&1).key(&LAST)
}

fn replay_all(store: &Store, watcher: &mut Watcher, mut replay: Replay) {
    while !replay.has(LAST) {
        match watcher.recv() {
            Ok(event) => replay.apply(&event),
            Err(WatchError::Lagged {
                missed,
                resume_from,
            }) => {
                assert!(missed > 0 && resume_from > replay.at(), "it missed nothing");
                watcher.resume().expect("the history has it");
            }
            Err(error) => panic!("{error}"),
        }
    }
    replay.assert_equal(&store.snapshot());
}

/// A mailbox so small that it overflows, with a history to go back to.
fn overflowing(events_max: u32, overflow: Overflow) {
    let living = Living::default();
    let store = builder().history_commits(32).build();
    start(&living, &store);
    beside_writers(&living, &store, |store| {
        let filter = by_keys().events_max(events_max).overflow(overflow);
        let (snapshot, mut watcher) = store.snapshot_and_watch(filter);
        let replay = Replay::after(&snapshot, |_| true);
        replay_all(store, &mut watcher, replay);
    });
    drop(store);
    living.assert_none();
}

/// A mailbox for two changes lets commits go; they are fetched from the log, none missed or twice.
#[test]
fn what_a_lag_passed_over_is_fetched() {
    explore("what_a_lag_passed_over_is_fetched", || {
        overflowing(2, Overflow::Lag);
    });
}

/// Changes that wait become one an object: from what was given last to what is there. A mailbox
/// that does not become shorter so lags.
#[test]
fn coalesced_changes_come_to_the_same() {
    explore("coalesced_changes_come_to_the_same", || {
        overflowing(6, Overflow::Coalesce);
    });
}

/// From the empty store on: history and what is committed meanwhile join.
#[test]
fn history_and_what_comes_join() {
    explore("history_and_what_comes_join", || {
        let living = Living::default();
        let store = builder().history_commits(32).retention_commits(32).build();
        start(&living, &store);
        beside_writers(&living, &store, |store| {
            let first = store.snapshot_at(Version::new(1)).expect("it is retained");
            let watcher = store.watch_from(Version::new(1), Filter::all());
            let replay = Replay::after(&first, |_| true);
            replay_all(store, &mut watcher.expect("it is kept"), replay);
        });
        drop(store);
        living.assert_none();
    });
}
