//! Views, snapshots, and the objects that they give.

use skep::keys;

use crate::Bench;
use crate::items::{GROUPS, Item, filled, some};

/// Objects that a short query finds.
const SOME: usize = 10;

/// What views and snapshots do alike.
macro_rules! reads {
    ($bench:ident, $reader:ident, $kind:literal) => {
        $bench.time(concat!($kind, "::version"), |_| $reader.version());
        $bench.time(concat!($kind, "::get"), |time| {
            $reader.get::<Item>(&some(time)).map(|item| item.count)
        });
        $bench.time(concat!($kind, "::prefetch"), |time| {
            $reader.prefetch::<Item>(&[some(time), some(time + 1), some(time + 2), some(time + 3)]);
        });
        $bench.time(concat!($kind, "::entry"), |time| {
            $reader.entry::<Item>(&some(time)).map(|entry| entry.count)
        });
        $bench.time(concat!($kind, "::object"), |time| {
            $reader
                .object::<Item>(&some(time))
                .map(|object| object.count)
        });
        $bench.time(concat!($kind, "::find"), |time| {
            let from = keys::<Item>().range(some(time)..).limit(SOME);
            $reader.find(from).map(|item| item.count).sum::<u64>()
        });
        $bench.time(concat!($kind, "::count"), |time| {
            $reader.count(Item::BY_GROUP.eq(time % GROUPS))
        });
        $bench.time(concat!($kind, "::exists"), |time| {
            $reader.exists(Item::BY_GROUP.eq(time % GROUPS))
        });
        $bench.time(concat!($kind, "::first"), |time| {
            let found = $reader.first(Item::BY_GROUP.eq(time % GROUPS));
            found.map(|item| item.count)
        });
    };
}

pub fn measure(bench: &mut Bench) {
    let store = &filled(|builder| builder);
    let view = store.read();
    reads!(bench, view, "View");
    drop(view);
    let snapshot = store.snapshot();
    reads!(bench, snapshot, "Snapshot");
    bench.time("Snapshot::clone", |_| snapshot.clone());
    let entry = |id: u64| snapshot.entry::<Item>(&id).expect("it is there");
    bench.time("Entry::get", |time| entry(some(time)).get().count);
    bench.time("Entry::meta", |time| entry(some(time)).meta());
    bench.time("Entry::share", |time| entry(some(time)).share());
    let object = entry(1).share().expect("it is stored");
    bench.time("Obj::meta", |_| object.meta());
    bench.time("Obj::clone", |_| object.clone());
    bench.time("Found::entries", |time| {
        let from = keys::<Item>().range(some(time)..).limit(SOME);
        let entries = snapshot.find(from).entries();
        entries.map(|entry| entry.meta().version.get()).sum::<u64>()
    });
}
