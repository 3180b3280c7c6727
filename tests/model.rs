//! Random operations against a `BTreeMap` a version: what the store shows now, in held snapshots,
//! at retained versions, through its indexes, inside transactions and to watchers.

mod common;

use std::collections::BTreeMap;

use common::{Random, Task, task};
use skep::{
    Change, Event, Filter, Snapshot, SnapshotError, Store, Transaction, Version, Watcher, keys,
};

type Model = BTreeMap<u64, Task>;

const KEYS: u64 = 24;
const RETENTION: u64 = 32;
const TURNS: u64 = 3_000;

fn random_task(random: &mut Random, id: u64) -> Task {
    let letters = ["a", "b", "Bc", "bcd", "C"];
    let letter = |random: &mut Random| letters[random.below(5) as usize].to_owned();
    let tags = (0..random.below(3)).map(|_| letter(random)).collect();
    Task {
        node: (random.below(2) == 0).then(|| random.below(4)),
        tags,
        title: letter(random),
        count: random.below(8) as i64 - 4,
        // Names collide now and then: the unique index must refuse.
        name: format!("name-{}", random.below(KEYS * 2)),
        ..task(id)
    }
}

/// One random operation on a transaction and on the model; both must agree on whether it is
/// allowed.
fn operate(random: &mut Random, tx: &mut Transaction<'_>, model: &mut Model) {
    let id = random.below(KEYS);
    let new = random_task(random, id);
    let mut others = model.values().filter(|other| other.id != id);
    let free = others.all(|other| other.name != new.name);
    let there = model.contains_key(&id);
    let (done, expected) = match random.below(5) {
        0 => (tx.create(new.clone()).is_ok(), !there && free),
        1 => (tx.update(new.clone()).is_ok(), there && free),
        2 => (tx.upsert(new.clone()).is_ok(), free),
        3 => (
            tx.modify::<Task>(&id, |old| *old = new.clone()).is_ok(),
            there && free,
        ),
        _ => {
            assert_eq!(tx.delete::<Task>(&id).is_ok(), there);
            model.remove(&id);
            return;
        }
    };
    assert_eq!(done, expected, "{new:?}");
    if done {
        model.insert(id, new);
    }
}

fn ids<'a>(found: impl Iterator<Item = &'a Task>) -> Vec<u64> {
    found.map(|task| task.id).collect()
}

/// The keys of the tasks that `is_it`, by what `by` gives, then by key.
fn naive<V: Ord>(model: &Model, by: impl Fn(&Task) -> Option<V>) -> Vec<u64> {
    let mut found: Vec<_> = model
        .values()
        .filter_map(|it| Some((by(it)?, it.id)))
        .collect();
    found.sort();
    found.into_iter().map(|(_, id)| id).collect()
}

/// Compares every form of query with a naive scan, on anything that has `get` and `find`.
macro_rules! check {
    ($read:expr, $model:expr, $random:expr) => {{
        let (read, model, random) = (&$read, &$model, &mut *$random);
        let node = random.below(4);
        let (low, high) = (random.below(8) as i64 - 4, random.below(8) as i64 - 4);
        let prefix = ["", "b", "bc", "c", "x"][random.below(5) as usize];
        assert_eq!(
            ids(read.find(keys::<Task>().all())),
            naive(model, |_| Some(()))
        );
        let mut back = ids(read.find(keys::<Task>().all().reversed()));
        back.reverse();
        assert_eq!(back, naive(model, |_| Some(())));
        let on_node = ids(read.find(Task::BY_NODE.eq(node)));
        assert_eq!(
            on_node,
            naive(model, |it| (it.node == Some(node)).then_some(()))
        );
        let counted = ids(read.find(Task::BY_COUNT.range(low..high)));
        let between = |it: &Task| (low <= it.count && it.count < high).then_some(it.count);
        assert_eq!(counted, naive(model, between));
        let titled = ids(read.find(Task::BY_TITLE.prefix(prefix)));
        let folded = |it: &Task| Some(it.title.to_lowercase()).filter(|it| it.starts_with(prefix));
        assert_eq!(titled, naive(model, folded));
        let tagged = ids(read.find(Task::BY_TAG.any_of(["b", "a"])));
        let first_tag = |it: &Task| {
            it.tags
                .iter()
                .filter(|it| ["a", "b"].contains(&&***it))
                .min()
                .cloned()
        };
        assert_eq!(tagged, naive(model, first_tag));
        let both = ids(read.find(Task::BY_NODE.eq(node).and(Task::BY_COUNT.range(low..))));
        let met = |it: &Task| (it.node == Some(node) && it.count >= low).then_some(());
        assert_eq!(both, naive(model, met));
        assert_eq!(read.count(Task::BY_NAME.all()), model.len());
        for id in 0..KEYS {
            assert_eq!(read.get::<Task>(&id), model.get(&id));
        }
    }};
}

/// Brings a copy up to what a watcher tells.
fn follow(watcher: &mut Watcher, copy: &mut Model) {
    while let Some(event) = watcher.try_recv().expect("it does not lag") {
        let Event::Change(change) = event else {
            continue;
        };
        match change.of::<Task>().expect("a task's") {
            Change::Created { new } => assert!(copy.insert(new.id, new.clone()).is_none()),
            Change::Updated { old, new } => {
                assert_eq!(copy.insert(new.id, new.clone()).as_ref(), Some(old));
            }
            Change::Deleted { old } => assert_eq!(copy.remove(&old.id).as_ref(), Some(old)),
        }
    }
}

fn check_retained(store: &Store, past: &[Model], random: &mut Random) {
    let newest = store.version().get();
    let version = random.below(newest + 3);
    match store.snapshot_at(Version::new(version)) {
        Ok(snapshot) => {
            assert!(newest - version <= RETENTION);
            check!(snapshot, past[version as usize], random);
        }
        Err(SnapshotError::Future { .. }) => assert!(version > newest),
        Err(SnapshotError::Compacted { oldest }) => {
            assert!(version < oldest.get() && newest - version > RETENTION);
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn random_operations_agree_with_a_map_a_version() {
    let store = common::builder()
        .table::<Task>()
        .retention_commits(RETENTION)
        .build();
    let mut random = Random::new(7);
    let mut past: Vec<Model> = vec![Model::new()];
    let mut held: Vec<Snapshot> = Vec::new();
    let (mut watcher, mut copy) = (store.watch(Filter::of::<Task>()), Model::new());
    for turn in 0..TURNS {
        let mut model = past.last().expect("the empty one").clone();
        let mut tx = store.begin();
        for _ in 0..=random.below(4) {
            operate(&mut random, &mut tx, &mut model);
        }
        if turn % 7 == 0 {
            check!(tx, model, &mut random);
        }
        if random.below(8) == 0 {
            drop(tx);
        } else if tx.commit().expect("nobody is in the way").get() == past.len() as u64 {
            past.push(model);
        }
        assert_eq!(store.version().get() + 1, past.len() as u64);
        if random.below(16) == 0 {
            held.push(store.snapshot());
        }
        if held.len() > 6 {
            held.swap_remove(random.below(6) as usize);
        }
        for snapshot in &held {
            check!(
                snapshot,
                past[snapshot.version().get() as usize],
                &mut random
            );
        }
        check_retained(&store, &past, &mut random);
        follow(&mut watcher, &mut copy);
        assert_eq!(Some(&copy), past.last());
    }
    drop(held);
    store.reclaim();
    let kept = store.stats().versions;
    assert!(kept <= (KEYS + 2) * (RETENTION + 1), "{kept} versions kept");
}
