//! What nobody delivered while the log had it: where watchers alone deliver, and have not come by
//! for long. Each is told, and its copy is exact from there on.

mod common;

use std::collections::BTreeMap;

use common::{Random, Task, builder, counted, delete, put, scaled, task};
use skep::{
    AnyChange, Delivery, Event, Filter, Kind, Overflow, Snapshot, Store, Version, WatchError,
    Watcher, keys,
};

/// Commits that the log keeps for those who deliver.
const KEPT: u64 = 100;

/// A store whose watchers deliver for themselves, and who has them come by.
fn store_of_receivers() -> (Store, Watcher) {
    let builder = builder().table::<Task>().watch_commits_max(KEPT);
    let store = builder.watch_delivery(Delivery::Receivers).build();
    let other = store.watch(Filter::of::<Task>().key(&999));
    (store, other)
}

/// More commits than the log keeps, of nobody's.
fn lose(store: &Store) {
    for count in 0..=2 * KEPT {
        put(store, [counted(500, count as i64)]);
    }
    store.reclaim();
}

fn on_one(id: u64, count: i64) -> Task {
    Task {
        node: Some(1),
        ..counted(id, count)
    }
}

fn lagged_to(received: Result<Option<Event>, WatchError>) -> Version {
    match received {
        Err(WatchError::Lagged { resume_from, .. }) => resume_from,
        other => panic!("it lags: {other:?}"),
    }
}

/// An object that came before what was lost and went after it is there where a watcher goes on.
#[test]
fn what_is_lost_between_two_changes_keeps_them_apart() {
    let (store, mut other) = store_of_receivers();
    let of_one = Filter::of::<Task>().value(Task::BY_NODE, 1u64);
    let mut watcher = store.watch(of_one.events_max(16).overflow(Overflow::Coalesce));
    put(&store, [on_one(1, 0), on_one(2, 0)]);
    assert!(other.try_recv().unwrap().is_none());
    lose(&store);
    delete::<Task>(&store, &1);
    for count in 1..40 {
        put(&store, [on_one(2, count)]);
    }
    lagged_to(other.try_recv());
    assert!(other.try_recv().unwrap().is_none());
    let from = lagged_to(watcher.try_recv());
    let mut told = Vec::new();
    while let Some(commit) = watcher.try_recv_commit().unwrap() {
        told.extend(commit.changes);
    }
    let of = |id: u64| {
        let own = |change: &&AnyChange| {
            change
                .of::<Task>()
                .is_some_and(|it| it.new().or(it.old()).is_some_and(|task| task.id == id))
        };
        told.iter().filter(own).collect::<Vec<_>>()
    };
    assert!(told.iter().all(|change| change.since() > from), "{told:?}");
    assert_eq!(of(1).len(), 1, "{told:?}");
    assert_eq!(of(1)[0].kind(), Kind::Deleted);
    let last = of(2).last().and_then(|change| change.new_object::<Task>());
    assert_eq!(last.map(|task| task.count), Some(39));
}

/// The counts that a watcher is given up to its end, and where it stands then.
fn to_the_end(watcher: &mut Watcher) -> (Vec<i64>, Version) {
    let mut counts = Vec::new();
    loop {
        match watcher.try_recv() {
            Ok(Some(event)) => {
                let task = event.change().and_then(AnyChange::new_object::<Task>);
                counts.extend(task.map(|task| task.count));
            }
            received => {
                assert_eq!(received.unwrap_err(), WatchError::Overflowed);
                return (counts, watcher.position());
            }
        }
    }
}

/// What comes after its end is not lost to it, and what came before it is given.
#[test]
fn one_that_is_closed_ends_once_whatever_is_lost_later() {
    for looks_before in [false, true] {
        let (store, mut other) = store_of_receivers();
        let of_one = Filter::of::<Task>().key(&1).events_max(2);
        let mut watcher = store.watch(of_one.overflow(Overflow::Close));
        put(&store, [task(2)]);
        for count in 0..3 {
            put(&store, [counted(1, count)]);
        }
        assert!(other.try_recv().unwrap().is_none());
        let (whole, end) = ((vec![0, 1], Version::new(3)), Version::new(4));
        if looks_before {
            assert_eq!(to_the_end(&mut watcher), whole);
        }
        lose(&store);
        lagged_to(other.try_recv());
        let own = store.watchers()[1];
        assert_eq!((own.missed, own.untold), (0, 0), "{own:?}");
        assert_eq!(
            own.oldest,
            Some(if looks_before { end } else { Version::new(2) })
        );
        if !looks_before {
            assert_eq!(to_the_end(&mut watcher), whole);
        }
        assert_eq!(to_the_end(&mut watcher), (vec![], whole.1));
        let own = store.watchers()[1];
        assert_eq!((own.missed, own.untold), (0, 0), "{own:?}");
        assert_eq!(own.oldest, Some(end), "{own:?}");
    }
}

/// What was lost before its end it is told of, before what lies there and its end, whatever is lost
/// after that.
#[test]
fn one_that_is_closed_is_told_of_what_was_lost_before() {
    let (store, mut other) = store_of_receivers();
    let of_one = Filter::of::<Task>().key(&1).events_max(2);
    let mut watcher = store.watch(of_one.overflow(Overflow::Close));
    put(&store, [counted(1, -1)]);
    lose(&store);
    let lost = lagged_to(other.try_recv());
    for count in 0..3 {
        put(&store, [counted(1, count)]);
    }
    let end = store.version();
    assert!(other.try_recv().unwrap().is_none());
    lose(&store);
    assert!(lagged_to(other.try_recv()) > end);
    let own = store.watchers()[1];
    assert_eq!(
        (own.missed, own.untold),
        (lost.get(), lost.get()),
        "{own:?}"
    );
    assert_eq!(lagged_to(watcher.try_recv()), lost);
    let before_the_end = Version::new(end.get() - 1);
    assert_eq!(to_the_end(&mut watcher), (vec![0, 1], before_the_end));
    assert_eq!(to_the_end(&mut watcher), (vec![], before_the_end));
    let own = store.watchers()[1];
    assert_eq!((own.missed, own.untold), (lost.get(), 0), "{own:?}");
}

/// A watcher, and a copy of the tasks that it is about.
struct Copy {
    node: Option<u64>,
    watcher: Watcher,
    tasks: BTreeMap<u64, Task>,
    /// The copy is of the store as it was then.
    at: Version,
}

impl Copy {
    fn begin(store: &Store, random: &mut Random) -> Self {
        let node = (!random.one_in(3)).then(|| random.below(3));
        let filter = match node {
            None => Filter::of::<Task>(),
            Some(node) => Filter::of::<Task>().value(Task::BY_NODE, node),
        };
        let overflow = [Overflow::Lag, Overflow::Coalesce, Overflow::Coalesce];
        let overflow = overflow[random.below(3) as usize];
        let events_max = 1 + random.below(40) as u32;
        let filter = filter.events_max(events_max).overflow(overflow);
        let filter = match random.below(3) {
            0 => filter.every_commit(),
            1 => filter.changes_only(),
            _ => filter,
        };
        let (snapshot, watcher) = store.snapshot_and_watch(filter);
        let mut copy = Self {
            node,
            watcher,
            tasks: BTreeMap::new(),
            at: Version::ZERO,
        };
        copy.become_as(&snapshot);
        copy
    }

    fn is_about(&self, task: &Task) -> bool {
        self.node.is_none() || task.node == self.node
    }

    fn content(&self, snapshot: &Snapshot) -> BTreeMap<u64, Task> {
        let all = snapshot.find(keys::<Task>().all());
        let own = all.filter(|task| self.is_about(task));
        own.map(|task| (task.id, task.clone())).collect()
    }

    fn become_as(&mut self, snapshot: &Snapshot) {
        self.tasks = self.content(snapshot);
        self.at = snapshot.version();
    }

    /// Takes what there is; where it lags it goes on from a copy of then.
    fn follow(&mut self, before: &BTreeMap<u64, Snapshot>) -> usize {
        let mut lags = 0;
        loop {
            match self.watcher.try_recv() {
                Ok(Some(Event::Change(change))) => self.take(&change),
                Ok(Some(Event::Commit(version))) => assert!(version > self.at),
                Ok(None) => return lags,
                Err(WatchError::Lagged { resume_from, .. }) => {
                    assert!(resume_from > self.at);
                    // Versions between these are none.
                    let newest = before.range(..=resume_from.get()).next_back();
                    self.become_as(newest.expect("that of the beginning").1);
                    self.at = resume_from;
                    lags += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn take(&mut self, any: &AnyChange) {
        assert!(
            any.since() > self.at,
            "nothing from before the copy: {any:?}"
        );
        let change = any.of::<Task>().expect("a task's");
        let (old, new) = (
            change.old().filter(|task| self.is_about(task)),
            change.new().filter(|task| self.is_about(task)),
        );
        let id = change.new().or(change.old()).expect("an image").id;
        assert_eq!(self.tasks.get(&id), old, "{any:?}");
        match new {
            Some(new) => drop(self.tasks.insert(id, new.clone())),
            None => drop(self.tasks.remove(&id)),
        }
    }
}

/// Watchers that come by seldom, some of them never for long: what each is told takes a copy of
/// where it goes on to what there is.
#[test]
fn copies_of_those_who_lose_are_exact_from_where_they_go_on() {
    for seed in 0..scaled(4, 200) as u64 {
        let mut random = Random::new(seed);
        let builder = builder().table::<Task>().watch_commits_max(40);
        let delivery = Delivery::Receivers;
        let store = builder.watch_delivery(delivery).watch_shards(2).build();
        let mut before = BTreeMap::from([(0, store.snapshot())]);
        let mut copies: Vec<Copy> = (0..6).map(|_| Copy::begin(&store, &mut random)).collect();
        let mut lags = 0;
        for _ in 0..60 {
            // Now and then more than the log keeps, or so much that it keeps a part.
            for _ in 0..random.below(120) {
                let (id, node) = (random.below(12), random.below(4));
                match random.below(4) {
                    0 if store.read().get::<Task>(&id).is_some() => {
                        delete::<Task>(&store, &id);
                    }
                    _ => {
                        let node = (node < 3).then_some(node);
                        let count = random.below(1_000) as i64;
                        put(
                            &store,
                            [Task {
                                node,
                                ..counted(id, count)
                            }],
                        );
                    }
                }
                before.insert(store.version().get(), store.snapshot());
            }
            if random.one_in(2) {
                store.reclaim();
            }
            for copy in &mut copies {
                if random.one_in(4) {
                    lags += copy.follow(&before);
                    assert_eq!(copy.tasks, copy.content(&store.snapshot()));
                }
            }
        }
        assert!(lags > 0);
    }
}
