//! What the tests share: a table with an index of each kind, accounts, and a small generator of
//! random numbers that gives the same ones in every run.

#![allow(dead_code, reason = "each test file uses a part")]

use std::fmt::{Debug, Display};
use std::sync::Arc;
use std::time::{Duration, Instant};

use skep::{
    Builder, CommitError, Duplicate, Event, Index, Indexes, Kind, Object, Store, Submission,
    Transaction, Version, Watcher, fold_case, keys,
};
#[cfg(feature = "testing")]
use skep::{
    Proposer,
    testing::{Rough, TestProposer},
};

/// A task with an index of each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    pub id: u64,
    pub name: String,
    pub node: Option<u64>,
    pub tags: Vec<String>,
    pub title: String,
    pub count: i64,
}

impl Task {
    pub const BY_NAME: Index<Self, String> =
        Index::new("by_name", |task: &Self, keys| keys.add(task.name.clone())).unique();
    pub const BY_NODE: Index<Self, u64> = Index::new("by_node", |task, keys| {
        if let Some(node) = task.node {
            keys.add(node);
        }
    });
    pub const BY_TAG: Index<Self, String> = Index::new("by_tag", |task, keys| {
        for tag in &task.tags {
            keys.add(tag.clone());
        }
    });
    pub const BY_TITLE: Index<Self, String> =
        Index::new("by_title", |task: &Self, keys| keys.add(task.title.clone()))
            .normalized(fold_case);
    pub const BY_COUNT: Index<Self, i64> =
        Index::new("by_count", |task: &Self, keys| keys.add(task.count));
}

impl Object for Task {
    type Key = u64;
    const TABLE: &'static str = "task";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes
            .add(Self::BY_NAME)
            .add(Self::BY_NODE)
            .add(Self::BY_TAG)
            .add(Self::BY_TITLE)
            .add(Self::BY_COUNT);
    }
}

/// A task whose name is its own and which nothing else tells from others.
pub fn task(id: u64) -> Task {
    Task {
        id,
        name: format!("task-{id}"),
        node: None,
        tags: Vec::new(),
        title: String::new(),
        count: 0,
    }
}

/// An account of a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: u32,
    pub customer: u32,
    pub balance: i64,
}

impl Account {
    pub const BY_CUSTOMER: Index<Self, u32> = Index::new("by_customer", |account: &Self, keys| {
        keys.add(account.customer)
    });
}

impl Object for Account {
    type Key = u32;
    const TABLE: &'static str = "account";

    fn key(&self) -> u32 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_CUSTOMER);
    }
}

pub fn account(id: u32, balance: i64) -> Account {
    Account {
        id,
        customer: id / 2,
        balance,
    }
}

/// How long what another thread brings about may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Whether stores of the tests have a proposer: `SKEP_PROPOSER` is set, and the feature `testing`
/// on. It is asked as they run, so that one build of them serves both ways.
pub fn is_proposed() -> bool {
    cfg!(feature = "testing") && std::env::var_os("SKEP_PROPOSER").is_some()
}

/// A builder of a store. If [`is_proposed`] says so, its commits are decided by a proposer that
/// answers late, out of order and twice: whatever holds without one is to hold with it.
pub fn builder() -> Builder {
    builder_and_kept().0
}

/// As [`builder`], and what its proposer keeps.
#[cfg(feature = "testing")]
pub fn builder_and_kept() -> (Builder, Kept) {
    let builder = Store::builder();
    if !is_proposed() {
        return (builder, Kept { proposer: None });
    }
    let proposer = TestProposer::rough(Rough::new(17));
    let builder = builder.proposer(Arc::clone(&proposer) as Arc<dyn Proposer>);
    let proposer = Some(proposer);
    (builder, Kept { proposer })
}

/// As [`builder`], and what its proposer keeps.
#[cfg(not(feature = "testing"))]
pub fn builder_and_kept() -> (Builder, Kept) {
    (Store::builder(), Kept {})
}

/// What a proposer keeps of what it has accepted, objects and keys; without one nothing.
pub struct Kept {
    #[cfg(feature = "testing")]
    proposer: Option<Arc<TestProposer>>,
}

impl Kept {
    /// Lets it go: what the store has accepted so far is the store's alone.
    pub fn forget(&self) {
        #[cfg(feature = "testing")]
        if let Some(proposer) = &self.proposer {
            proposer.compact(proposer.version().expect("it tells"));
        }
    }
}

/// A store of tasks and accounts.
pub fn store() -> Store {
    builder().table::<Task>().table::<Account>().build()
}

/// A store of two accounts of 50 each.
pub fn bank() -> Store {
    let store = store();
    put(&store, [account(1, 50), account(2, 50)]);
    store
}

/// Asserts that a transaction is refused for a conflict.
#[track_caller]
pub fn assert_conflict(tx: Transaction<'_>) {
    let committed = tx.commit();
    assert!(
        matches!(committed, Err(CommitError::Conflict { .. })),
        "{committed:?}"
    );
}

/// A task with a name.
pub fn named(id: u64, name: &str) -> Task {
    Task {
        name: name.into(),
        ..task(id)
    }
}

/// Asserts that a name was refused because `holder` has it.
#[track_caller]
pub fn assert_holds(duplicate: &Duplicate, name: &str, holder: u64) {
    assert_eq!((duplicate.table, duplicate.index), ("task", "by_name"));
    assert_eq!(duplicate.key.downcast_ref::<String>().unwrap(), name);
    assert_eq!(duplicate.holder.downcast_ref::<u64>(), Some(&holder));
    let text = duplicate.to_string();
    assert!(
        text.contains(name) && text.contains(&holder.to_string()),
        "{text}"
    );
}

/// A task with tags.
pub fn tagged(id: u64, tags: &[&str]) -> Task {
    Task {
        tags: tags.iter().map(|&tag| tag.into()).collect(),
        ..task(id)
    }
}

/// A task with a count.
pub fn counted(id: u64, count: i64) -> Task {
    Task { count, ..task(id) }
}

/// Puts objects, in one commit.
#[track_caller]
pub fn put<T: Object + Debug>(store: &Store, objects: impl IntoIterator<Item = T>) -> Version {
    let objects: Vec<T> = objects.into_iter().collect();
    let put = store.update_versioned(|tx| objects.iter().try_for_each(|it| tx.upsert(it.clone())));
    put.expect("nothing is in the way").1
}

/// Deletes an object, in one commit.
#[track_caller]
pub fn delete<T: Object>(store: &Store, key: &T::Key) -> Version {
    let deleted = store.update_versioned(|tx| tx.delete::<T>(key));
    deleted.expect("it is there").1
}

/// Waits until everything is delivered: with a proposer another thread does it.
pub fn wait_for_delivery(store: &Store) {
    let until = Instant::now() + Duration::from_secs(30);
    while store.watch_queues().iter().any(|queue| queue.behind > 0) {
        assert!(Instant::now() < until, "nobody delivers");
        std::thread::yield_now();
    }
}

/// Asserts that no [`Counted`] is left; with a proposer waits for that, as the last to let go of a
/// store and of what was proposed may be another thread.
#[track_caller]
pub fn assert_none_left(alive: &Arc<()>, when: impl Display) {
    let left = || Arc::strong_count(alive) - 1;
    wait_until(|| left() == 0);
    assert_eq!(left(), 0, "they are left: {when}");
}

/// With a proposer waits until something is so, for a while: another thread may bring it about.
/// Without one it is so at once, or never.
pub fn wait_until(is_so: impl FnMut() -> bool) {
    let patience = if is_proposed() {
        PATIENCE
    } else {
        Duration::ZERO
    };
    wait_for(patience, is_so);
}

/// Waits until something is so that another thread brings about, but not for ever.
pub fn wait_for(patience: Duration, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + patience;
    while !is_so() && Instant::now() < until {
        std::thread::yield_now();
    }
}

/// All events that a watcher has now.
#[track_caller]
pub fn events(watcher: &mut Watcher) -> Vec<Event> {
    std::iter::from_fn(|| watcher.try_recv().expect("it does not lag")).collect()
}

/// The changes of tasks that a watcher has now: kind and key.
#[track_caller]
pub fn task_changes(watcher: &mut Watcher) -> Vec<(Kind, u64)> {
    let events = events(watcher);
    let changes = events.iter().filter_map(Event::change);
    let typed = changes.map(|change| change.of::<Task>().expect("a task's"));
    typed
        .map(|change| {
            let image = change.new().or(change.old()).expect("one image");
            (change.kind(), image.id)
        })
        .collect()
}

/// Random numbers, the same in every run: splitmix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Whether one of `times` comes up.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// How often: the first in debug builds, the second in release builds.
pub const fn scaled(debug: usize, release: usize) -> usize {
    if cfg!(debug_assertions) {
        debug
    } else {
        release
    }
}

/// The keys of what a query finds, in its order; a snapshot and a transaction must agree.
#[allow(unused_macros, reason = "each test file uses a part")]
macro_rules! found {
    ($store:expr, $query:expr) => {{
        let query = $query;
        let by_view: Vec<u64> = $store.read().find(query.clone()).map(|it| it.id).collect();
        let by_snapshot = $store.snapshot();
        let by_snapshot: Vec<u64> = by_snapshot.find(query.clone()).map(|it| it.id).collect();
        let tx = $store.begin();
        let by_tx: Vec<u64> = tx.find(query.clone()).map(|it| it.id).collect();
        assert_eq!(by_view, by_snapshot);
        assert_eq!(by_view, by_tx);
        assert_eq!($store.read().count(query.clone()), by_view.len());
        assert_eq!($store.read().exists(query.clone()), !by_view.is_empty());
        assert_eq!(tx.count(query.clone()), by_view.len());
        assert_eq!(tx.exists(query.clone()), !by_view.is_empty());
        let first = $store.read().first(query.clone()).map(|it| it.id);
        assert_eq!(first, by_view.first().copied());
        let mut back: Vec<u64> = $store
            .read()
            .find(query.clone().reversed())
            .map(|it| it.id)
            .collect();
        back.reverse();
        assert_eq!(back, by_view, "the other way round");
        let few: Vec<u64> = $store.read().find(query.limit(2)).map(|it| it.id).collect();
        assert_eq!(few, &by_view[..by_view.len().min(2)]);
        by_view
    }};
}

/// A store of tasks and accounts, and its proposer.
#[cfg(feature = "testing")]
pub fn proposed() -> (Arc<TestProposer>, Store) {
    let proposer = TestProposer::new();
    let builder = Store::builder().table::<Task>().table::<Account>();
    (Arc::clone(&proposer), builder.proposer(proposer).build())
}

/// Submits the creation of a task, by a proposer that holds.
pub fn submit(store: &Store, object: Task) -> Submission {
    let mut tx = store.begin();
    tx.create(object).expect("it is new");
    tx.submit().expect("nothing is in the way")
}

/// How many tasks there are.
pub fn count(store: &Store) -> usize {
    store.read().count(keys::<Task>().all())
}

/// An object that knows how many of its kind are alive.
#[derive(Clone, Debug)]
pub struct Counted {
    pub id: u64,
    pub _alive: Arc<()>,
}

impl Object for Counted {
    type Key = u64;
    const TABLE: &'static str = "counted";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(_: &mut Indexes<Self>) {}
}
