//! A list of operations on a store: several transactions open at a time, snapshots held, a watcher,
//! collection in between; each compared with a map a version ([`crate::history`]).

use arbitrary::Arbitrary;
use skep::{
    CommitError, CreateError, DeleteError, Event, Filter, ReplaceError, Snapshot, SnapshotError,
    Store, Transaction, UpsertError, Version, WatchError, Watcher,
};

use crate::history::{Change, History, Open, Refusal};
use crate::item::{Item, key};
use crate::question::{Question, State};

/// Transactions open at a time, and snapshots.
const SLOTS: usize = 4;

/// A bound that the store is built with.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum LogBound {
    /// As large as the list of operations or larger.
    Far,
    /// So near that transactions and watchers fall behind it.
    Near,
}

/// Near: so many commits.
const NEAR_COMMITS: u64 = 6;

/// One step of an open transaction.
#[derive(Arbitrary, Clone, Debug)]
pub enum Step {
    /// A tracked read.
    Get(#[arbitrary(with = key)] u8),
    /// An untracked one.
    Peek(#[arbitrary(with = key)] u8),
    /// A tracked query.
    Find(Question),
    /// An untracked one.
    PeekFind(Question),
    /// A new object.
    Create(Item),
    /// An object replaced.
    Update(Item),
    /// The same, at the version that is there less this.
    UpdateAt(Item, u8),
    /// An object put.
    Upsert(Item),
    /// An object's value and group changed.
    Modify(Item),
    /// An object deleted.
    Delete(#[arbitrary(with = key)] u8),
    /// The same, at the version that is there less this.
    DeleteAt(#[arbitrary(with = key)] u8, u8),
}

/// One operation.
#[derive(Arbitrary, Clone, Debug)]
pub enum Operation {
    /// A step of the transaction in a slot, begun if there is none.
    Step(u8, Step),
    /// Commits the transaction in a slot.
    Commit(u8),
    /// Drops it.
    RollBack(u8),
    /// Takes a snapshot into a slot, dropping the one there.
    Snapshot(u8),
    /// Takes one so many versions back.
    SnapshotAt(u8, u8),
    /// Drops a snapshot.
    Release(u8),
    /// Looks at everything in one.
    Look(u8),
    /// Asks the newest version.
    Ask(Question),
    /// Takes what the watcher has.
    Receive,
    /// Collects garbage.
    Reclaim,
}

/// Operations on one store.
#[derive(Arbitrary, Clone, Debug)]
pub struct Run {
    /// The log's bound.
    pub log: LogBound,
    /// Versions that the store retains.
    pub retention: u8,
    /// What is done.
    pub operations: Vec<Operation>,
}

impl Run {
    /// Does it all, and compares.
    ///
    /// # Panics
    /// If the store does not do what the model does.
    pub fn play(&self) {
        let retention = u64::from(self.retention % 8);
        let mut builder = Store::builder()
            .table::<Item>()
            .retention_commits(retention);
        if let LogBound::Near = self.log {
            builder = builder.log_commits_max(NEAR_COMMITS);
        }
        let store = builder.build();
        let mut player = Player {
            store: &store,
            near: matches!(self.log, LogBound::Near),
            retention,
            history: History::default(),
            open: Default::default(),
            snapshots: Default::default(),
            watcher: store.watch(Filter::of::<Item>()),
            received: 0,
        };
        for operation in &self.operations {
            player.operate(operation);
        }
        player.end();
    }
}

/// A store and its model, played side by side.
struct Player<'s> {
    store: &'s Store,
    near: bool,
    retention: u64,
    history: History,
    open: [Option<(Transaction<'s>, Open)>; SLOTS],
    snapshots: [Option<Snapshot>; SLOTS],
    watcher: Watcher,
    /// Up to which version the watcher has told.
    received: u64,
}

fn slot(number: u8) -> usize {
    usize::from(number) % SLOTS
}

impl Player<'_> {
    fn operate(&mut self, operation: &Operation) {
        match operation {
            Operation::Step(at, step) => {
                let at = slot(*at);
                let (store, history) = (self.store, &self.history);
                let (tx, model) =
                    self.open[at].get_or_insert_with(|| (store.begin(), Open::begin(history)));
                take_step(tx, model, history, step);
            }
            Operation::Commit(at) => {
                if let Some((tx, model)) = self.open[slot(*at)].take() {
                    self.commit(tx, &model);
                }
            }
            Operation::RollBack(at) => self.open[slot(*at)] = None,
            Operation::Snapshot(at) => self.snapshots[slot(*at)] = Some(self.store.snapshot()),
            Operation::SnapshotAt(at, back) => self.snapshot_at(slot(*at), *back),
            Operation::Release(at) => self.snapshots[slot(*at)] = None,
            Operation::Look(at) => {
                if let Some(snapshot) = &self.snapshots[slot(*at)] {
                    look(snapshot, &self.history);
                }
            }
            Operation::Ask(question) => {
                let expected = question.answer(self.history.state(self.history.newest()));
                assert_eq!(question.find(&self.store.read()), expected, "{question:?}");
            }
            Operation::Receive => self.receive(),
            Operation::Reclaim => self.store.reclaim(),
        }
        assert_eq!(self.store.version().get(), self.history.newest());
    }

    fn commit(&mut self, tx: Transaction<'_>, model: &Open) {
        let changes = model.changes(&self.history);
        let next = self.history.newest() + 1;
        let committed = tx.commit();
        if changes.is_empty() {
            assert_eq!(
                committed,
                Ok(Version::new(model.base)),
                "nothing was written"
            );
            return;
        }
        let clash = model.clash(&self.history);
        match committed {
            Ok(version) => {
                assert_eq!(version.get(), next);
                assert_eq!(clash, None, "an anomaly: {model:?}");
                self.history.push(changes);
            }
            Err(CommitError::Conflict { with }) => {
                let clash = clash.expect("a false conflict");
                assert!((clash..next).contains(&with.get()), "{with} for {clash}");
            }
            Err(CommitError::Duplicate(duplicate)) => {
                let mut since = (model.base + 1..next).rev();
                let taken = since.any(|version| {
                    let mut changes = self.history.changes(version).iter();
                    changes.any(|change| model.takes_what(change))
                });
                assert!(taken, "a false duplicate: {duplicate}");
            }
            Err(CommitError::TooOld { snapshot, .. }) => {
                assert_eq!(snapshot.get(), model.base);
                let passed = next - 1 - model.base;
                assert!(self.near && passed >= NEAR_COMMITS, "too early: {passed}");
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn snapshot_at(&mut self, at: usize, back: u8) {
        let newest = self.history.newest();
        let version = newest.saturating_sub(u64::from(back % 16));
        match self.store.snapshot_at(Version::new(version)) {
            Ok(snapshot) => {
                assert_eq!(snapshot.version().get(), version);
                look(&snapshot, &self.history);
                self.snapshots[at] = Some(snapshot);
            }
            Err(SnapshotError::Compacted { oldest }) => {
                assert!(oldest.get() > version && oldest.get() <= newest);
                assert!(newest - version > self.retention, "compacted too early");
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn receive(&mut self) {
        let mut changes = Vec::new();
        loop {
            match self.watcher.try_recv() {
                Ok(None) => break,
                Ok(Some(Event::Change(change))) => {
                    assert_eq!(change.version().get(), self.received + 1, "a gap");
                    let change = change.of::<Item>().expect("there is one table");
                    changes.push(Change {
                        old: change.old().cloned(),
                        new: change.new().cloned(),
                    });
                }
                Ok(Some(Event::Commit(version))) => {
                    self.received += 1;
                    assert_eq!(version.get(), self.received, "a gap");
                    let told = std::mem::take(&mut changes);
                    assert_eq!(told, self.history.changes(self.received), "of {version}");
                }
                Err(WatchError::Lagged {
                    missed,
                    resume_from,
                }) => {
                    assert_eq!(resume_from.get(), self.received + missed);
                    let behind = self.history.newest() - self.received;
                    assert!(self.near && behind >= NEAR_COMMITS, "too early: {behind}");
                    self.received = resume_from.get();
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(changes.is_empty(), "changes without their commit");
        assert_eq!(self.received, self.history.newest(), "something is missing");
    }

    /// What was held reads as it did; when nothing is held, only what is current stays.
    fn end(mut self) {
        for snapshot in self.snapshots.iter().flatten() {
            look(snapshot, &self.history);
        }
        self.receive();
        let current = self.history.state(self.history.newest()).len() as u64;
        let (store, retention) = (self.store, self.retention);
        drop(self);
        store.reclaim();
        let versions = store.stats().versions;
        assert!(versions >= current, "{versions} of {current}");
        if retention == 0 {
            assert_eq!(versions, current, "garbage stays");
        }
    }
}

/// Compares all that a snapshot shows.
fn look(snapshot: &Snapshot, history: &History) {
    let version = snapshot.version().get();
    let state = history.state(version);
    for key in 0..=crate::item::KEYS {
        assert_eq!(snapshot.get::<Item>(&key), state.get(&key), "at {version}");
        let written_at = snapshot
            .entry::<Item>(&key)
            .map(|entry| entry.meta().version);
        let expected = history.written_at(key, version).map(Version::new);
        assert_eq!(written_at, expected, "at {version}");
    }
    let found: State = snapshot
        .find(skep::keys::<Item>().all())
        .map(|item| (item.key, item.clone()))
        .collect();
    assert_eq!(found, *state, "at {version}");
}

fn holder(duplicate: &skep::Duplicate) -> Refusal {
    let holder = duplicate.holder.downcast_ref::<u8>();
    Refusal::Duplicate(*holder.expect("keys are of this type"))
}

fn created(result: Result<(), CreateError>) -> Result<(), Refusal> {
    result.map_err(|error| match error {
        CreateError::Exists(_) => Refusal::Exists,
        CreateError::Duplicate(duplicate) => holder(&duplicate),
        error => panic!("{error}"),
    })
}

fn replaced(result: Result<(), ReplaceError>) -> Result<(), Refusal> {
    result.map_err(|error| match error {
        ReplaceError::NotFound(_) => Refusal::NotFound,
        ReplaceError::OutOfSequence { .. } => Refusal::OutOfSequence,
        ReplaceError::Duplicate(duplicate) => holder(&duplicate),
        error => panic!("{error}"),
    })
}

fn put(result: Result<(), UpsertError>) -> Result<(), Refusal> {
    result.map_err(|error| match error {
        UpsertError::Duplicate(duplicate) => holder(&duplicate),
        error => panic!("{error}"),
    })
}

fn deleted(result: Result<(), DeleteError>) -> Result<(), Refusal> {
    result.map_err(|error| match error {
        DeleteError::NotFound(_) => Refusal::NotFound,
        DeleteError::OutOfSequence { .. } => Refusal::OutOfSequence,
        error => panic!("{error}"),
    })
}

/// The version that an update names: the one that the snapshot shows, less a little.
fn named(history: &History, model: &Open, key: u8, back: u8) -> u64 {
    let shown = history.written_at(key, model.base).unwrap_or_default();
    shown.saturating_sub(u64::from(back % 3))
}

/// Takes a step in a transaction and in its model.
fn take_step(tx: &mut Transaction<'_>, model: &mut Open, history: &History, step: &Step) {
    let (done, expected) = match step {
        Step::Get(key) => {
            assert_eq!(tx.get::<Item>(key), model.get(*key));
            return;
        }
        Step::Peek(key) => {
            assert_eq!(tx.peek::<Item>(key), model.state.get(key));
            return;
        }
        Step::Find(question) => {
            assert_eq!(question.find(tx), model.find(question), "{question:?}");
            return;
        }
        Step::PeekFind(question) => {
            let found = question.peek(tx);
            assert_eq!(found, question.answer(&model.state), "{question:?}");
            return;
        }
        Step::Create(item) => (created(tx.create(item.clone())), model.create(item)),
        Step::Update(item) => {
            let expected = model.replace(history, item, None);
            (replaced(tx.update(item.clone())), expected)
        }
        Step::UpdateAt(item, back) => {
            let version = named(history, model, item.key, *back);
            let expected = model.replace(history, item, Some(version));
            let updated = tx.update_at(Version::new(version), item.clone());
            (replaced(updated), expected)
        }
        Step::Upsert(item) => (put(tx.upsert(item.clone())), model.put(item)),
        Step::Modify(item) => {
            let modified = tx.modify::<Item>(&item.key, |stored| *stored = item.clone());
            (replaced(modified), model.replace(history, item, None))
        }
        Step::Delete(key) => {
            let expected = model.delete(history, *key, None);
            (deleted(tx.delete::<Item>(key)), expected)
        }
        Step::DeleteAt(key, back) => {
            let version = named(history, model, *key, *back);
            let expected = model.delete(history, *key, Some(version));
            let removed = tx.delete_at::<Item>(Version::new(version), key);
            (deleted(removed), expected)
        }
    };
    assert_eq!(done, expected, "{step:?}");
}
