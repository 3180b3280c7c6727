//! Much at once, in which each thing may stand in another one's way: what is held, watchers of all
//! kinds, collection, keys that come and go, commits of many objects, and commits that are refused.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use shuttle::sync::Arc;
use shuttle::{future, thread};
use skep::{
    Delivery, Filter, Fork, ForkError, Overflow, Snapshot, Store, Version, WatchError, Watcher,
};

use super::proposing::Panel;
use crate::explore::explore;
use crate::items::{Item, Living, Shown, builder, put, show, shown};
use crate::replay::{Asked, Replay};

/// The group that mailboxes are for.
const GROUP: u64 = 1;
/// Keys that come and go one by one, and some that do so together.
const SINGLE: u64 = 2;
const MANY: std::ops::Range<u64> = 10..13;
/// A key that is put last.
const LAST: u64 = 99;

const EVERYTHING: Asked = |_| true;
const OF_GROUP: Asked = |item| item.group == GROUP;
const OF_KEYS: Asked = |item| item.key < SINGLE || item.key == LAST;

/// One of each kind: it reads the log; has a mailbox; has a small one where changes become one.
fn kinds() -> [(Filter, Asked); 3] {
    let by_keys = Filter::of::<Item>().key(&0).key(&1).key(&LAST);
    let coalescing = by_keys.events_max(2).overflow(Overflow::Coalesce);
    let by_group = Filter::of::<Item>().value(Item::BY_GROUP, GROUP);
    [
        (Filter::all(), EVERYTHING),
        (by_group.into(), OF_GROUP),
        (coalescing, OF_KEYS),
    ]
}

/// Deletes keys and makes them again, in other groups: one by one, and many at once, of which none
/// is made if another was first. What does not come about is another's doing.
fn come_and_go(living: &Living, store: &Store, writer: u64) {
    for turn in 0..2 {
        let key = (writer + turn) % SINGLE;
        let _ = store.update(|tx| tx.delete::<Item>(&key));
        let fresh = living.item(key, 1).of_group(turn);
        let _ = store.update(|tx| tx.create(fresh.clone()));
        let many: Vec<Item> = MANY
            .map(|key| living.item(key, 1).of_group(writer))
            .collect();
        let _ = store.update(|tx| many.iter().try_for_each(|it| tx.create(it.clone())));
        let _ = store.update(|tx| MANY.clone().try_for_each(|key| tx.delete::<Item>(&key)));
    }
}

/// Holds snapshots and an object, and reclaims beside them; each shows what it did, until it goes:
/// one in a thread that is not its own.
fn hold(store: &Store) {
    let old = store.snapshot();
    let before = shown(&old);
    let young = store.snapshot();
    let between = shown(&young);
    store.reclaim();
    assert_eq!(shown(&old), before, "the old one changed");
    drop(old);
    let object = young.object::<Item>(&0);
    let reader = thread::spawn(move || {
        assert_eq!(shown(&young), between, "the young one changed");
    });
    store.reclaim();
    reader.join().expect("it held");
    object.iter().for_each(|object| {
        object.certify();
    });
}

/// What comes next, if there is something. One that lags goes on by the history.
fn take_one(watcher: &mut Watcher, replay: &mut Replay) -> bool {
    match watcher.try_recv() {
        Ok(Some(event)) => {
            replay.apply(&event);
            true
        }
        Ok(None) => false,
        Err(WatchError::Lagged { .. }) => {
            watcher.resume().expect("the history has it");
            true
        }
        Err(error) => panic!("{error}"),
    }
}

/// Watchers of all kinds, which go before they have been given everything.
fn look_in(store: &Store) {
    let mut watchers: Vec<(Watcher, Replay)> = kinds()
        .into_iter()
        .map(|(filter, asked)| {
            let (snapshot, watcher) = store.snapshot_and_watch(filter);
            (watcher, Replay::after(&snapshot, asked))
        })
        .collect();
    for _ in 0..4 {
        // Where one lags there is no history to go on by.
        watchers.retain_mut(|(watcher, replay)| match watcher.try_recv() {
            Ok(event) => {
                event.iter().for_each(|event| replay.apply(event));
                true
            }
            Err(WatchError::Lagged { .. }) => false,
            Err(error) => panic!("{error}"),
        });
    }
}

/// Transactions that stay open while others commit: what they have seen stands, whatever becomes of
/// them.
fn linger(living: &Living, store: &Store) {
    for turn in 0..2 {
        let mut tx = store.begin();
        let before: Option<Shown> = tx.get::<Item>(&0).map(|it| show(it.certify()));
        let of_group = tx.find(Item::BY_GROUP.eq(GROUP)).count();
        shown(&store.snapshot());
        assert_eq!(tx.find(Item::BY_GROUP.eq(GROUP)).count(), of_group);
        assert_eq!(tx.get::<Item>(&0).map(show), before, "it changed");
        let fresh = living.item(turn, 1).of_group(GROUP);
        if tx.upsert(fresh).is_ok() {
            // Others may be first, or the log have left it behind.
            let _ = tx.commit();
        }
    }
}

/// Beside snapshots and transactions that are held, and watchers of all kinds that go early, keys
/// come and go, one by one and many at once.
fn keys_come_and_go_beside_all_else(living: &Living, store: &Store) {
    thread::scope(|scope| {
        for writer in 0..2 {
            scope.spawn(move || come_and_go(living, store, writer));
        }
        scope.spawn(|| hold(store));
        scope.spawn(|| look_in(store));
        scope.spawn(|| linger(living, store));
    });
}

/// Nothing is kept but what is shown, and of that nothing is left.
fn end(living: &Living, store: Store) {
    store.reclaim();
    let shown = shown(&store.snapshot()).len();
    assert_eq!(store.stats().versions, shown as u64, "something is kept");
    drop(store);
    living.assert_none();
}

#[test]
fn all_goes_on_beside_all_else() {
    explore("all_goes_on_beside_all_else", || {
        let living = Living::default();
        let store = builder().build();
        put(&store, (0..SINGLE).map(|key| living.item(key, 1)));
        keys_come_and_go_beside_all_else(&living, &store);
        end(&living, store);
    });
}

/// The log is so short that it wraps again and again: it is trimmed beyond who is slow.
#[test]
fn a_short_log_leaves_the_slow_behind() {
    explore("a_short_log_leaves_the_slow_behind", || {
        let living = Living::default();
        let builder = builder().log_commits_max(2);
        let store = builder.watch_delivery(Delivery::Receivers).build();
        put(&store, (0..SINGLE).map(|key| living.item(key, 1)));
        keys_come_and_go_beside_all_else(&living, &store);
        end(&living, store);
    });
}

/// The same where commits wait for their outcome in the log, and some are refused.
#[test]
fn a_short_log_waits_for_a_proposer() {
    explore("a_short_log_waits_for_a_proposer", || {
        let living = Living::default();
        let panel = Arc::new(Panel::default());
        let builder = builder().log_commits_max(2);
        let store = builder.proposer(panel.clone()).build();
        let answering = {
            let panel = Arc::clone(&panel);
            thread::spawn(move || panel.answer())
        };
        keys_come_and_go_beside_all_else(&living, &store);
        panel.end();
        answering.join().expect("it held");
        end(&living, store);
    });
}

/// Replays until the last item has come; what it comes to is what was there then.
fn follow(store: &Store, begun: (Snapshot, Watcher), asked: Asked, is_polled: bool) {
    let (snapshot, mut watcher) = begun;
    let mut replay = Replay::after(&snapshot, asked);
    drop(snapshot);
    while !replay.has(LAST) || watcher.position() < replay.at() {
        let event = match is_polled {
            false => watcher.recv(),
            true => future::block_on(watcher.recv_async()),
        };
        match event {
            Ok(event) => replay.apply(&event),
            Err(WatchError::Lagged { .. }) => watcher.resume().expect("the history has it"),
            Err(error) => panic!("{error}"),
        }
    }
    replay.assert_equal(&store.snapshot());
}

/// More wait for the same changes than a committer calls: whom it has called give them to the
/// others. One ceases to wait meanwhile.
#[test]
fn who_is_called_delivers_the_rest() {
    explore("who_is_called_delivers_the_rest", || {
        let living = Living::default();
        let store = builder().history_commits(32).build();
        put(&store, (0..SINGLE).map(|key| living.item(key, 1)));
        thread::scope(|scope| {
            let (store, living) = (&store, &living);
            let [_, mailbox, coalescing] = kinds();
            let waiting = [mailbox.clone(), mailbox.clone(), coalescing];
            for (place, (filter, asked)) in waiting.into_iter().enumerate() {
                let begun = store.snapshot_and_watch(filter);
                scope.spawn(move || follow(store, begun, asked, place == 1));
            }
            let (snapshot, mut watcher) = store.snapshot_and_watch(mailbox.0);
            scope.spawn(move || {
                let mut replay = Replay::after(&snapshot, mailbox.1);
                drop(snapshot);
                let event = future::block_on(watcher.recv_async());
                replay.apply(&event.expect("it does not lag"));
                // A future that has waited is dropped.
                let first = future::block_on(poll_fn(|context| {
                    let next = pin!(watcher.recv_async());
                    Poll::Ready(next.poll(context))
                }));
                if let Poll::Ready(event) = first {
                    replay.apply(&event.expect("it does not lag"));
                }
            });
            let writer = scope.spawn(move || come_and_go(living, store, 1));
            writer.join().expect("it held");
            put(store, [living.item(LAST, 0).of_group(GROUP)]);
        });
        drop(store);
        living.assert_none();
    });
}

/// Gives what there is; then it has come to what the store shows.
fn give_all(store: &Store, (watcher, replay): &mut (Watcher, Replay)) {
    while watcher.position() < store.version() || replay.at() < watcher.position() {
        if !take_one(watcher, replay) {
            break;
        }
    }
    replay.assert_equal(&store.snapshot());
}

/// A proposer that answers late, out of order, and refuses some, where keys come and go beside
/// snapshots that are held, watchers of all kinds, and a fork.
#[test]
fn some_is_refused_beside_all_else() {
    explore("some_is_refused_beside_all_else", || {
        let living = Living::default();
        let panel = Arc::new(Panel::default());
        let store = builder()
            .history_commits(32)
            .proposer(panel.clone())
            .build();
        let answering = {
            let panel = Arc::clone(&panel);
            thread::spawn(move || panel.answer())
        };
        let mut fork = Fork::new(&store).expect("there is nothing yet");
        let mut watchers = kinds().map(|(filter, asked)| {
            let (snapshot, watcher) = store.snapshot_and_watch(filter);
            (watcher, Replay::after(&snapshot, asked))
        });
        thread::scope(|scope| {
            for writer in 0..2 {
                let (store, living) = (&store, &living);
                scope.spawn(move || come_and_go(living, store, writer));
            }
            scope.spawn(|| hold(&store));
            scope.spawn(|| {
                for _ in 0..2 {
                    fork.poll().expect("the source is open");
                    shown(&fork.store().snapshot());
                    for (watcher, replay) in &mut watchers {
                        take_one(watcher, replay);
                    }
                }
            });
        });
        fork.poll().expect("the source is open");
        let [copy, source] = [fork.store(), &store].map(|store| shown(&store.snapshot()));
        assert_eq!(copy, source, "the fork differs");
        for watched in &mut watchers {
            give_all(&store, watched);
        }
        panel.end();
        answering.join().expect("it held");
        drop((watchers, store, fork));
        living.assert_none();
    });
}

/// Everything, then that the store is gone.
fn until_closed((snapshot, mut watcher): (Snapshot, Watcher), asked: Asked, is_polled: bool) {
    let mut replay = Replay::after(&snapshot, asked);
    let before = shown(&snapshot);
    loop {
        let event = match is_polled {
            false => watcher.recv(),
            true => future::block_on(watcher.recv_async()),
        };
        match event {
            Ok(event) => replay.apply(&event),
            Err(WatchError::Closed) => break,
            Err(WatchError::Lagged { .. }) => watcher.resume().expect("the history has it"),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(shown(&snapshot), before, "a snapshot changed");
    drop(watcher);
    assert_eq!(shown(&snapshot), before, "a snapshot changed");
}

/// The last handle goes while others read and wait: snapshots, objects, watchers and a fork.
#[test]
fn what_is_held_outlives_the_last_handle() {
    explore("what_is_held_outlives_the_last_handle", || {
        let living = Living::default();
        let delivery = Delivery::Threads;
        let store = builder()
            .history_commits(32)
            .watch_delivery(delivery)
            .build();
        put(&store, (0..SINGLE).map(|key| living.item(key, 1)));
        let mut threads = Vec::new();
        for (place, (filter, asked)) in kinds().into_iter().enumerate() {
            let begun = store.snapshot_and_watch(filter);
            threads.push(thread::spawn(move || {
                until_closed(begun, asked, place == 1);
            }));
        }
        let mut fork = Fork::new(&store).expect("it is open");
        threads.push(thread::spawn(move || {
            let end = loop {
                if let Err(end) = fork.follow_until(Version::new(100)) {
                    break end;
                }
            };
            assert!(matches!(end, ForkError::Closed), "{end}");
            shown(&fork.store().snapshot());
        }));
        {
            let (store, living) = (store.clone(), living.clone());
            threads.push(thread::spawn(move || {
                let object = store.read().object::<Item>(&0);
                come_and_go(&living, &store, 0);
                drop(store);
                object.expect("it was there").certify();
            }));
        }
        drop(store);
        for thread in threads {
            thread.join().expect("it held");
        }
        living.wait_for_none();
    });
}
