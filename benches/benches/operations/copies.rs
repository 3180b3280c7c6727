//! Copies of a store: actions, forks, and saved versions of 1,000 tasks of a cluster.

use skep::cluster::{Task, builder, catalogue};
use skep::{Action, Filter, Fork};
use skep_benches::cluster::{Sizes, Tasks};

use crate::Bench;
use crate::items::{ITEMS, Item, count_up, filled, some};

/// A small cluster.
const SIZES: Sizes = Sizes {
    tasks: 1_000,
    nodes: 50,
    services: 10,
};

pub fn measure(bench: &mut Bench) {
    actions(bench);
    forks(bench);
    saved(bench);
}

fn actions(bench: &mut Bench) {
    let store = &filled(|builder| builder);
    let changed = |time| Item {
        count: time,
        ..Item::new(some(time))
    };
    bench.time("Action::create", |time| {
        Action::create(Item::new(ITEMS + time))
    });
    bench.time("Action::update", |time| Action::update(changed(time)));
    bench.time("Action::delete", |time| Action::delete::<Item>(&some(time)));
    let mut watcher = store.watch(Filter::of::<Item>());
    count_up(store, 1);
    let commit = watcher.recv_commit().expect("there is one");
    let change = commit.changes.first().expect("it changed something");
    bench.time("Action::of", |_| Action::of::<Item>(change));
    bench.on(
        "Store::apply",
        |time| [Action::update(changed(time))],
        |actions| store.apply(actions).expect("it is there"),
    );
}

fn forks(bench: &mut Bench) {
    let store = &filled(|builder| builder);
    bench.time("Fork::new", |_| Fork::new(store).expect("a sound source"));
    let mut fork = Fork::new(store).expect("a sound source");
    bench.time("Fork::poll", |time| {
        count_up(store, some(time));
        fork.poll().expect("it follows")
    });
    bench.time("Fork::follow_until", |time| {
        count_up(store, some(time));
        fork.follow_until(store.version()).expect("it follows")
    });
}

fn saved(bench: &mut Bench) {
    let (store, catalogue) = (Tasks::of(SIZES).store(), catalogue());
    let snapshot = store.snapshot();
    let mut file = Vec::new();
    store.save(&catalogue, &mut file).expect("memory takes it");
    bench.time("Store::save", |_| store.save(&catalogue, std::io::sink()));
    bench.time("Snapshot::save", |_| {
        snapshot.save(&catalogue, std::io::sink(), |_| ())
    });
    bench.of(
        "Store::restore",
        |_| builder().build(),
        |empty| {
            empty.restore(&catalogue, &file[..]).expect("a sound file");
            empty
        },
    );
    bench.time("Store::restore_with", |_| {
        store
            .restore_with(&catalogue, &file[..], |_| ())
            .expect("a sound file")
    });
    let tasks: Vec<Task> = Tasks::of(SIZES).all().take(1).collect();
    let action = Action::create(tasks[0].clone());
    let bytes = catalogue.encode(&action).expect("it can be encoded");
    bench.time("Catalogue::encode", |_| catalogue.encode(&action));
    bench.time("Catalogue::decode", |_| catalogue.decode(&bytes));
}
