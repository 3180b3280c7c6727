//! The store's verbs.

use std::time::Duration;

use skep::{Filter, UpdateError, Version};

use crate::Bench;
use crate::items::{GROUPS, Item, count_up, filled, some};

/// Changes of a batch.
const BATCH: u64 = 200;
/// Versions that are kept where older ones are asked for.
const RETAINED: u64 = 1_000;

pub fn measure(bench: &mut Bench) {
    let store = &filled(|builder| builder);
    bench.time("Store::version", |_| store.version());
    bench.time("Store::view", |time| {
        store.view(|view| view.get::<Item>(&some(time)).map(|item| item.count))
    });
    bench.time("Store::read", |_| drop(store.read()));
    bench.time("Store::snapshot", |_| store.snapshot());
    bench.time("Store::update", |time| count_up(store, some(time)));
    bench.time("Store::update_versioned", |time| {
        store.update_versioned(|tx| tx.modify::<Item>(&some(time), |item| item.count += 1))
    });
    bench.time("Store::begin", |_| drop(store.begin()));
    bench.time("Store::batch", |time| {
        store.batch(|batch| {
            (0..BATCH).try_for_each(|step| {
                batch.step(move |tx| tx.modify::<Item>(&some(time + step), |item| item.count += 1))
            })?;
            Ok::<_, UpdateError<_>>(())
        })
    });
    bench.time("Batch::step", |time| {
        store.batch(|batch| {
            batch.step(move |tx| tx.modify::<Item>(&some(time), |item| item.count += 1))?;
            Ok::<_, UpdateError<_>>(())
        })
    });
    bench.time("Store::stats", |_| store.stats());
    bench.on(
        "Store::reclaim",
        |time| (0..100).for_each(|step| count_up(store, some(time + step))),
        |()| store.reclaim(),
    );
    watches(bench);
    older(bench);
}

fn watches(bench: &mut Bench) {
    let store = &filled(|builder| builder.history_commits(RETAINED));
    let group = |time| Filter::of::<Item>().value(Item::BY_GROUP, time % GROUPS);
    bench.time("Store::watch", |time| store.watch(group(time)));
    bench.time("Store::snapshot_and_watch", |time| {
        store.snapshot_and_watch(group(time))
    });
    (0..RETAINED).for_each(|time| count_up(store, some(time)));
    let from = store.version();
    (0..10).for_each(|time| count_up(store, some(time)));
    bench.time("Store::watch_from", |time| {
        store.watch_from(from, group(time)).expect("it is kept")
    });
    let watchers: Vec<_> = (0..10).map(|time| store.watch(group(time))).collect();
    bench.time("Store::watchers", |_| store.watchers());
    bench.time("Store::watch_queues", |_| store.watch_queues());
    drop(watchers);
    bench.time("Store::wait", |_| {
        store.wait(Version::new(0), Duration::from_secs(1))
    });
}

fn older(bench: &mut Bench) {
    let store = &filled(|builder| builder.retention_commits(RETAINED));
    let first = store.version().get();
    (0..RETAINED / 2).for_each(|time| count_up(store, some(time)));
    bench.time("Store::snapshot_at", |time| {
        let version = Version::new(first + time % (RETAINED / 2));
        store.snapshot_at(version).expect("it is kept")
    });
    bench.time("Transaction::version", |_| store.begin().version());
    bench.on(
        "Transaction::changes",
        |time| {
            let mut tx = store.begin();
            let modified = tx.modify::<Item>(&some(time), |item| item.count += 1);
            modified.expect("it is there");
            tx
        },
        |tx| tx.changes(),
    );
}
