//! Random transactions, recorded and proved strictly serializable.

use shuttle::rand::{RngCore, thread_rng};
use shuttle::thread;
use skep::testing::history::{BY_KEY, Outcome, Recorder, Seen, ThreadRecorder};
use skep::{Entry, Store, Transaction, Version, keys};

use crate::explore::explore;
use crate::items::{Item, Living, builder};

const KEYS: u64 = 3;
const GROUPS: u64 = 2;
const GROUP: u32 = 1;

/// From the schedule's seed.
fn below(bound: u64) -> u64 {
    thread_rng().next_u64() % bound
}

fn seen(entry: &Entry<'_, Item>) -> Seen {
    Seen {
        stamp: entry.certify().stamp,
        version: entry.meta().version,
    }
}

/// A query of a transaction gives no versions.
fn found(item: &Item) -> (u64, Seen) {
    let stamp = item.certify().stamp;
    let version = Version::ZERO;
    (item.key, Seen { stamp, version })
}

fn read(tx: &Transaction<'_>, recorder: &mut ThreadRecorder) {
    match below(3) {
        0 => {
            let key = below(KEYS);
            recorder.get(key, tx.entry::<Item>(&key).as_ref().map(seen));
        }
        1 => {
            let group = below(GROUPS);
            let found: Vec<_> = tx.find(Item::BY_GROUP.eq(group)).map(found).collect();
            recorder.find(GROUP, (group, group), found);
        }
        _ => {
            let from = below(KEYS);
            let found: Vec<_> = tx.find(keys::<Item>().range(from..)).map(found).collect();
            recorder.find(BY_KEY, (from, u64::MAX), found);
        }
    }
}

fn write(living: &Living, tx: &mut Transaction<'_>, recorder: &mut ThreadRecorder, stamp: u64) {
    let key = below(KEYS);
    if below(4) == 0 {
        if tx.delete::<Item>(&key).is_ok() {
            recorder.delete(key);
        } else {
            recorder.get(key, None);
        }
        return;
    }
    let mut item = living.item(key, 0).of_group(below(GROUPS));
    item.stamp = stamp;
    recorder.put(key, stamp, [(GROUP, item.group)]);
    tx.upsert(item).expect("names are keys");
}

fn work(living: &Living, store: &Store, recorder: &mut ThreadRecorder, thread: u64) {
    for turn in 0..3 {
        recorder.begin();
        let mut tx = store.begin();
        recorder.snapshot(tx.version());
        for step in 0..=below(3) {
            read(&tx, recorder);
            if below(3) != 0 {
                let stamp = thread * 100 + turn * 10 + step;
                write(living, &mut tx, recorder, stamp);
            }
        }
        let ended = match below(6) {
            0 => {
                drop(tx);
                Outcome::Aborted
            }
            _ => tx.commit().map_or(Outcome::Aborted, Outcome::Committed),
        };
        recorder.end(ended);
    }
}

/// Three threads read, write, delete and give up, on three keys and two groups.
#[test]
fn histories_are_strictly_serializable() {
    explore("histories_are_strictly_serializable", || {
        let living = Living::default();
        let store = builder().build();
        let mut recorder = Recorder::new();
        let records: Vec<ThreadRecorder> = (1..=3).map(|_| recorder.thread()).collect();
        let threads: Vec<_> = (1..)
            .zip(records)
            .map(|(number, mut record)| {
                let (store, living) = (store.clone(), living.clone());
                thread::spawn(move || {
                    work(&living, &store, &mut record, number);
                    record
                })
            })
            .collect();
        let joined = threads.into_iter().map(|it| it.join().expect("it held"));
        let records: Vec<ThreadRecorder> = joined.collect();
        let checked = recorder.history(records).check();
        checked.unwrap_or_else(|violation| panic!("{violation}"));
        drop(store);
        living.assert_none();
    });
}
