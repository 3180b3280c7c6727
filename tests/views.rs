//! Views: what one keeps however many there are and in whatever order they end, and what one that
//! is held for long costs others.

mod common;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{OnceLock, mpsc};

use common::{Random, Task, counted, put, scaled, store};
use skep::{ByIndex, Found, Snapshot, Store, Transaction, Version, View};

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

/// Asserts at compile time that a type is neither sent nor shared: else it has the trait twice, and
/// which one is meant is not known.
macro_rules! assert_stays {
    ($kind:ty) => {{
        trait Stays<Way> {
            fn is_asserted() {}
        }
        impl<T> Stays<()> for T {}
        impl<T: Send> Stays<u8> for T {}
        impl<T: Sync> Stays<u16> for T {}
        <$kind as Stays<_>>::is_asserted();
    }};
}

/// Its pin is its thread's.
#[test]
fn a_view_and_what_it_lends_stay_on_their_thread() {
    assert_stays!(View<'static>);
    assert_stays!(Found<'static, Task, ByIndex<Task, u64>>);
    assert_stays!(Transaction<'static>);
}

/// Nobody reads in it any more, and nobody knows: it stands for good, and its thread's line with
/// it. What others replace and trim is as beside any other view.
#[test]
fn a_view_that_is_forgotten_by_a_thread_that_ends_is_a_view_that_is_held() {
    let store = store();
    put(&store, (0..KEYS).map(|id| counted(id, 0)));
    let before = store.version();
    let forgotten = 3;
    for _ in 0..forgotten {
        let inner = store.clone();
        let thread = std::thread::spawn(move || {
            std::mem::forget(inner.read());
            std::mem::forget(inner.read());
            // The last one of the thread does not end the first.
            drop(inner.read());
        });
        thread.join().expect("no panic");
    }
    assert_eq!(store.stats().snapshots, 2 * forgotten);
    for turn in 0..20 {
        let inner = store.clone();
        let other = std::thread::spawn(move || {
            let view = inner.read();
            change(&inner, 500);
            assert_eq!(count_of(&view, 0), turn * 125);
            drop(view);
            assert_eq!(count_of(&inner.read(), 0), (turn + 1) * 125);
        });
        other.join().expect("no panic");
        let stats = store.stats();
        assert_eq!(stats.snapshots, 2 * forgotten, "after {turn}");
        assert_eq!(stats.oldest_snapshot, Some(before));
    }
}

/// Two stores' views within each other, and what a panic ends.
#[test]
fn views_of_two_stores_end_by_a_panic_amid_each_other() {
    let stores = [store(), store()];
    for store in &stores {
        put(store, (0..KEYS).map(|id| counted(id, 0)));
    }
    for turn in 0..8 {
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let outer = stores[0].read();
            let other = stores[1].read();
            stores.iter().for_each(|store| change(store, KEYS));
            let inner = stores[0].read();
            stores.iter().for_each(|store| change(store, KEYS));
            let shown = [&outer, &other, &inner].map(|view| count_of(view, 0));
            assert_eq!(shown, [2 * turn, 2 * turn, 2 * turn + 1]);
            if turn % 2 == 0 {
                drop(outer);
            }
            std::panic::panic_any(turn);
        }));
        let payload = ended.expect_err("it panics");
        assert_eq!(payload.downcast_ref(), Some(&turn), "its own panic");
        for store in &stores {
            assert_eq!(store.stats().snapshots, 0);
            store.reclaim();
            assert_eq!(store.stats().versions, KEYS);
        }
    }
}

/// A view in a local of a thread, which goes when what the thread knew of the store has gone.
struct InLocal(Option<(View<'static>, Ending)>);

/// What is told, and awaited, when the local goes.
struct Ending {
    store: &'static Store,
    goes: mpsc::Sender<()>,
    changed: mpsc::Receiver<i64>,
}

thread_local! {
    static IN_LOCAL: RefCell<InLocal> = const { RefCell::new(InLocal(None)) };
}

impl Drop for InLocal {
    fn drop(&mut self) {
        let Some((view, ending)) = self.0.take() else {
            return;
        };
        ending.goes.send(()).expect("it is awaited");
        let changed = ending.changed.recv().expect("it is told");
        assert_eq!(count_of(&view, 0), 0, "what it showed when it began");
        for _ in 0..100 {
            assert_eq!(count_of(&ending.store.read(), 0), changed);
            assert_eq!(ending.store.snapshot().version(), ending.store.version());
        }
        change(ending.store, KEYS);
        drop(view);
        change(ending.store, KEYS);
        ending.goes.send(()).expect("it is awaited");
    }
}

#[test]
fn a_view_that_outlives_its_threads_session_shows_what_it_did() {
    static STORE: OnceLock<Store> = OnceLock::new();
    let store = STORE.get_or_init(store);
    put(store, (0..KEYS).map(|id| counted(id, 0)));
    let (goes, gone) = mpsc::channel();
    let (change_it, changed) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        IN_LOCAL.with_borrow_mut(|local| {
            let ending = Ending {
                store,
                goes,
                changed,
            };
            local.0 = Some((store.read(), ending));
        });
    });
    gone.recv().expect("the thread ends");
    for turn in 0..8 {
        // Who comes new must not take the line of who is about to go.
        let other = std::thread::spawn(move || {
            let view = store.read();
            change(store, 1_000);
            assert_eq!(count_of(&view, 0), turn * 250);
        });
        other.join().expect("no panic");
    }
    change_it.send(2_000).expect("it waits");
    gone.recv().expect("nothing panics in the local");
    thread.join().expect("no panic");
    assert_eq!(count_of(&store.read(), 0), 2_002);
    assert_eq!(store.stats().snapshots, 0);
    store.reclaim();
    assert_eq!(store.stats().versions, KEYS);
}
