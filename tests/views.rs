//! Views: what one keeps however many there are and in whatever order they end, and what one that
//! is held for long costs others.

mod common;

use std::collections::BTreeMap;
use std::sync::mpsc;

use common::{Random, Task, counted, put, scaled, store};
use skep::{Snapshot, Store, Version, View};

const KEYS: u64 = 4;

fn count_of(view: &View<'_>, id: u64) -> i64 {
    view.get::<Task>(&id).expect("it is there").count
}

/// Changes the keys in turn, so often; the log stays short.
fn change(store: &Store, times: u64) {
    for at in 0..times {
        let id = at % KEYS;
        let changed = store.update(|tx| tx.modify::<Task>(&id, |task| task.count += 1));
        changed.expect("it is there");
        if at % 1000 == 999 {
            let log = store.stats().log_commits;
            // What is above a view is collected from about a thousand commits on.
            assert!(log < 4000, "{log} commits in the log after {at}");
        }
    }
}

/// What was changed beside views that have ended is collected by some more commits.
fn assert_soon_gone(store: &Store, times: u64) {
    let before = store.stats();
    assert!(before.versions > times, "all is kept: {before:?}");
    change(store, times / 10);
    let stats = store.stats();
    assert!(stats.versions < times / 10, "{stats:?}");
}

#[test]
fn beside_a_view_of_another_thread_the_log_is_trimmed_and_chains_are_short() {
    let store = store();
    put(&store, (0..KEYS).map(|id| counted(id, 0)));
    let times = scaled(20_000, 200_000) as u64;
    let (begun, begins) = mpsc::channel();
    let (end, ends) = mpsc::channel();
    std::thread::scope(|scope| {
        let (store, end) = (&store, end);
        let reader = scope.spawn(move || {
            let view = store.read();
            begun.send(()).expect("it is waited for");
            ends.recv().expect("it is told");
            (0..KEYS).map(|id| count_of(&view, id)).sum::<i64>()
        });
        begins.recv().expect("it begins");
        change(store, times);
        end.send(()).expect("it waits");
        assert_eq!(reader.join().expect("no panic"), 0);
    });
    assert_soon_gone(&store, times);
}

#[test]
fn so_they_are_beside_views_of_the_same_thread() {
    let store = store();
    put(&store, (0..KEYS).map(|id| counted(id, 0)));
    let times = scaled(20_000, 200_000) as u64;
    let outer = store.read();
    change(&store, times / 2);
    let inner = store.read();
    drop(outer);
    let again = store.read();
    change(&store, times / 2);
    assert_eq!(count_of(&again, 0), count_of(&inner, 0));
    drop((inner, again));
    assert_soon_gone(&store, times);
}

/// Views and snapshots of one thread, and what each shows of each key.
#[derive(Default)]
struct Held<'s> {
    views: Vec<(View<'s>, BTreeMap<u64, i64>)>,
    snapshots: Vec<(Snapshot, BTreeMap<u64, i64>)>,
}

impl Held<'_> {
    fn check(&self, random: &mut Random) {
        let id = random.below(KEYS);
        for (view, shown) in &self.views {
            let found = view.get::<Task>(&id).map(|task| task.count);
            assert_eq!(found, shown.get(&id).copied());
        }
        for (snapshot, shown) in &self.snapshots {
            let found = snapshot.get::<Task>(&id).map(|task| task.count);
            assert_eq!(found, shown.get(&id).copied());
        }
    }

    fn oldest(&self) -> Option<Version> {
        let views = self.views.iter().map(|(view, _)| view.version());
        let snapshots = self.snapshots.iter().map(|(held, _)| held.version());
        views.chain(snapshots).min()
    }
}

/// Takes one out, any.
fn take<T>(from: &mut Vec<T>, random: &mut Random) -> Option<T> {
    let at = random.below(from.len().max(1) as u64) as usize;
    (at < from.len()).then(|| from.swap_remove(at))
}

fn views_in_any_order(store: &Store, seed: u64) {
    let mut random = Random::new(seed);
    let mut held = Held::default();
    let mut shown = BTreeMap::new();
    for step in 0..scaled(1_500, 50_000) {
        match random.below(16) {
            0..4 => held.views.push((store.read(), shown.clone())),
            4..8 => drop(take(&mut held.views, &mut random)),
            8 => held.snapshots.push((store.snapshot(), shown.clone())),
            9 => drop(take(&mut held.snapshots, &mut random)),
            10 => {
                let id = random.below(KEYS);
                if shown.remove(&id).is_some() {
                    common::delete::<Task>(store, &id);
                }
            }
            11 => store.reclaim(),
            _ => {
                let (id, count) = (random.below(KEYS), i64::from(step as u32));
                put(store, [counted(id, count)]);
                shown.insert(id, count);
            }
        }
        held.check(&mut random);
        let stats = store.stats();
        // The first view's pin keeps what it reads, which others of the thread may outlive.
        let lasting = stats.snapshots - held.views.len() - held.snapshots.len();
        assert!(lasting <= usize::from(!held.views.is_empty()), "{stats:?}");
        if lasting == 0 {
            assert_eq!(stats.oldest_snapshot, held.oldest());
        }
    }
    drop(held);
    store.reclaim();
    assert_eq!(store.stats().versions, shown.len() as u64);
}

#[test]
fn views_and_snapshots_of_a_thread_end_in_any_order() {
    for seed in 0..4 {
        views_in_any_order(&store(), seed);
    }
}

#[test]
fn thousands_of_views_of_a_thread_show_each_its_own_version() {
    let store = store();
    put(&store, [counted(0, 0)]);
    let mut views = Vec::new();
    for count in 0..2_000 {
        views.push((count, store.read()));
        put(&store, [counted(0, count + 1)]);
    }
    assert_eq!(store.stats().snapshots, views.len());
    while !views.is_empty() {
        for (count, view) in &views {
            assert_eq!(count_of(view, 0), *count);
        }
        let half = views.len().div_ceil(2);
        views.drain(..half);
        store.reclaim();
    }
    assert_eq!(store.stats().versions, 1);
}
