//! Watchers that wait while writers run: each change once, in order, none missed, and nobody left
//! asleep.

use shuttle::{future, thread};
use skep::{Delivery, Filter, Snapshot, Store, Version, WatchError, Watcher};

use crate::explore::explore;
use crate::items::{Item, Living, builder, put, transfer};
use crate::replay::{Asked, Replay};

/// The group that mailboxes are for, and a key that is put last, into it.
const GROUP: u64 = 1;
const LAST: u64 = 99;

const EVERYTHING: Asked = |_| true;
const OF_GROUP: Asked = |item| item.group == GROUP;

/// How a thread waits.
#[derive(Clone, Copy)]
enum Waits {
    Parked,
    Polled,
}

fn start(living: &Living, store: &Store) {
    put(store, (0..2).map(|key| living.item(key, 10).of_group(key)));
}

fn by_group() -> Filter {
    Filter::of::<Item>().value(Item::BY_GROUP, GROUP).into()
}

/// Replays until the last item has come; what it comes to is what was there then.
fn follow(store: &Store, begun: (Snapshot, Watcher), asked: Asked, waits: Waits) {
    let (snapshot, mut watcher) = begun;
    let mut replay = Replay::after(&snapshot, asked);
    drop(snapshot);
    while !replay.has(LAST) || watcher.position() < replay.at() {
        let event = match waits {
            Waits::Parked => watcher.recv(),
            Waits::Polled => future::block_on(watcher.recv_async()),
        };
        replay.apply(&event.expect("it does not lag"));
    }
    replay.assert_equal(&store.snapshot());
}

fn replays_equal_the_store(delivery: Delivery, shards: usize) {
    let living = Living::default();
    let builder = builder().watch_delivery(delivery).watch_shards(shards);
    let store = builder.build();
    start(&living, &store);
    thread::scope(|scope| {
        let store = &store;
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                scope.spawn(move || {
                    for turn in 0..2 {
                        transfer(store, writer, 1 - writer, 1, turn);
                    }
                })
            })
            .collect();
        for waits in [Waits::Parked, Waits::Polled] {
            scope.spawn(move || {
                let begun = store.snapshot_and_watch(Filter::all());
                follow(store, begun, EVERYTHING, waits);
            });
        }
        scope.spawn(move || {
            let begun = store.snapshot_and_watch(by_group());
            follow(store, begun, OF_GROUP, Waits::Parked);
        });
        for writer in writers {
            writer.join().expect("it held");
        }
        put(store, [living.item(LAST, 0).of_group(GROUP)]);
    });
    drop(store);
    living.wait_for_none();
}

/// Two read the log, one has a mailbox; committers deliver.
#[test]
fn replays_equal_the_store_with_committers() {
    explore("replays_equal_the_store_with_committers", || {
        replays_equal_the_store(Delivery::Committers, 1);
    });
}

/// As before; those who receive deliver.
#[test]
fn replays_equal_the_store_with_receivers() {
    explore("replays_equal_the_store_with_receivers", || {
        replays_equal_the_store(Delivery::Receivers, 1);
    });
}

/// As before; the store's own threads deliver, two of them.
#[test]
fn replays_equal_the_store_with_threads() {
    explore("replays_equal_the_store_with_threads", || {
        replays_equal_the_store(Delivery::Threads, 2);
    });
}

/// Everything, then that the store is gone.
fn until_closed(mut watcher: Watcher, mut replay: Replay, waits: Waits) -> Version {
    loop {
        let event = match waits {
            Waits::Parked => watcher.recv(),
            Waits::Polled => future::block_on(watcher.recv_async()),
        };
        match event {
            Ok(event) => replay.apply(&event),
            Err(WatchError::Closed) => return replay.at(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// The last handle goes while three wait: each is given what there was, and told.
#[test]
fn closing_wakes_who_waits() {
    explore("closing_wakes_who_waits", || {
        let living = Living::default();
        let store = builder().build();
        start(&living, &store);
        let asked = [
            (Filter::all(), EVERYTHING, Waits::Parked),
            (Filter::all(), EVERYTHING, Waits::Polled),
            (by_group(), OF_GROUP, Waits::Parked),
        ];
        let watchers: Vec<_> = asked
            .into_iter()
            .map(|(filter, asked, waits)| {
                let (snapshot, watcher) = store.snapshot_and_watch(filter);
                let replay = Replay::after(&snapshot, asked);
                thread::spawn(move || until_closed(watcher, replay, waits))
            })
            .collect();
        let writers: Vec<_> = (0..2)
            .map(|writer| {
                let store = store.clone();
                thread::spawn(move || transfer(&store, writer, 1 - writer, 1, GROUP))
            })
            .collect();
        drop(store);
        for writer in writers {
            writer.join().expect("it held");
        }
        for watcher in watchers {
            let at = watcher.join().expect("it held");
            assert_eq!(at, Version::new(3), "closed before all was given");
        }
        living.assert_none();
    });
}

/// Mailboxes and log readers that come, and go before they have taken all, while others deliver.
#[test]
fn watchers_come_and_go() {
    explore("watchers_come_and_go", || {
        let living = Living::default();
        let store = builder().build();
        start(&living, &store);
        thread::scope(|scope| {
            let store = &store;
            for writer in 0..2 {
                scope.spawn(move || {
                    for turn in 0..2 {
                        transfer(store, writer, 1 - writer, 1, turn);
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(move || {
                    let asked = [
                        (by_group(), OF_GROUP),
                        (Filter::all(), EVERYTHING),
                        (by_group(), OF_GROUP),
                    ];
                    for (filter, asked) in asked {
                        let (snapshot, mut watcher) = store.snapshot_and_watch(filter);
                        let mut replay = Replay::after(&snapshot, asked);
                        for _ in 0..3 {
                            if let Some(event) = watcher.try_recv().expect("it does not lag") {
                                replay.apply(&event);
                            }
                        }
                    }
                });
            }
        });
        drop(store);
        living.assert_none();
    });
}
