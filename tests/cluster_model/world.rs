//! A store and all that follows it, beside the model: what there is, and what is to be equal.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use skep::cluster::{self, ResourceNames, catalogue};
use skep::save::Catalogue;
use skep::testing::TestProposer;
use skep::{Action, Builder, Fork, Proposer, Snapshot, Store, Version};

use super::any::{Row, TABLES, of_table};
use super::common::Random;
use super::lazy::Lazy;
use super::looks::{Commit, Watching};
use super::state::{Kept, Key, State, Told, Tx, contents, is_sound};
use super::verbs::action;

/// How many commits back there is a history, and there are snapshots.
pub const KEPT: usize = 6;
/// How many objects a transaction of a batch changes before it is committed.
pub const BATCH: usize = 6;
/// What a test's proposer's versions rise by.
const STEP: u64 = 3;

/// How a store of the model is built.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Resources of two kinds may have one name.
    pub in_kind: bool,
    /// Its commits are decided by a proposer.
    pub proposed: bool,
}

pub struct World {
    pub random: Random,
    pub kind: Kind,
    pub store: Store,
    pub proposer: Arc<TestProposer>,
    pub catalogue: Catalogue,
    pub now: State,
    pub version: Version,
    /// What versions of specs go by: the proposer's version of that, if there is one.
    pub shown: Version,
    whole: Watching,
    pub watchers: Vec<Watching>,
    pub lazy: Vec<Lazy>,
    pub replica: Store,
    fork: Fork,
    /// Files, what is in them, and the proposer's version of that.
    pub saved: Vec<(Vec<u8>, State, Version)>,
    pub held: Vec<(Snapshot, State)>,
    /// The last versions, with what led to them.
    pub past: Vec<(State, Commit)>,
    /// How often each thing happened, by its name.
    pub happened: BTreeMap<&'static str, u32>,
}

/// A commit that the model expects.
pub struct Done {
    pub version: Version,
    pub proposed: Option<Version>,
    pub told: Vec<Told>,
    /// What of it is not what was there before, but was created since.
    pub created: BTreeSet<Key>,
    /// What there is after it, where that comes with times.
    pub copied: Option<State>,
}

impl Done {
    pub fn of(model: &Tx, version: Version, proposed: Option<Version>) -> Self {
        Self {
            version,
            proposed,
            told: model.told(),
            created: model.created(),
            copied: None,
        }
    }
}

pub fn builder(kind: Kind, proposer: &Arc<TestProposer>) -> Builder {
    let mut builder = cluster::builder();
    if kind.in_kind {
        builder = builder.setting(ResourceNames::UniqueInKind);
    }
    if kind.proposed {
        builder = builder.proposer(Arc::clone(proposer) as _);
    }
    builder
}

impl World {
    pub fn new(seed: u64, kind: Kind) -> Self {
        let proposer = TestProposer::new();
        // Refused proposals are versions, too.
        let kept = 16 * KEPT as u64;
        // What the log does not keep the proposer has.
        let history = if kind.proposed { 0 } else { kept };
        let store = builder(kind, &proposer)
            .batch_changes_max(BATCH)
            .history_commits(history)
            .retention_commits(kept)
            .build();
        Self {
            random: Random::new(seed),
            kind,
            proposer,
            catalogue: catalogue(),
            now: State::new(),
            version: Version::ZERO,
            shown: Version::ZERO,
            whole: Watching::whole(&store),
            watchers: Vec::new(),
            lazy: Vec::new(),
            replica: builder(kind, &TestProposer::new()).build(),
            fork: Fork::new(&store).expect("of nothing"),
            saved: Vec::new(),
            held: Vec::new(),
            past: vec![(State::new(), (Version::ZERO, Vec::new()))],
            happened: BTreeMap::new(),
            store,
        }
    }

    pub fn note(&mut self, what: &'static str) {
        *self.happened.entry(what).or_default() += 1;
    }

    /// The version of the proposer's that its last proposal has.
    pub fn proposed(&self) -> Option<Version> {
        let proposals = self.proposer.proposals() as u64;
        self.kind.proposed.then(|| Version::new(STEP * proposals))
    }

    /// A transaction on the model as it is.
    pub fn begin(&self) -> Tx {
        Tx::begin(&self.now, self.shown, self.kind.in_kind)
    }

    /// The store is to have committed these, and whoever follows it is told so.
    pub fn committed(&mut self, commits: Vec<Done>) {
        for mut done in commits {
            let snapshot = self.store.snapshot_at(done.version);
            let found = contents!(&snapshot.expect("it is retained"));
            let state = match done.copied.take() {
                Some(state) => state,
                None => self.written(&done, &found),
            };
            assert!(is_sound(&state, self.kind.in_kind));
            assert!(done.version > self.version);
            if let Some(proposed) = done.proposed {
                self.assert_translated(done.version, proposed);
            }
            assert_same(&found, &state);
            (self.now, self.version) = (state, done.version);
            self.shown = done.proposed.unwrap_or(done.version);
            let commit = (done.version, done.told);
            for watching in self.watchers.iter_mut().chain([&mut self.whole]) {
                watching.waits_for(&commit);
            }
            self.past.push((self.now.clone(), commit));
            if self.past.len() > KEPT {
                self.past.remove(0);
            }
        }
        self.same();
    }

    /// Who comes from another member finds its place, also from between two commits.
    fn assert_translated(&self, version: Version, proposed: Version) {
        assert_eq!(self.store.proposed_version(version), Some(proposed));
        assert_eq!(self.store.version_of(proposed), Some(version));
        let before = Version::new(proposed.get() - 1);
        let shows = self
            .store
            .version_of(before)
            .expect("nothing else stands there");
        assert!(self.past.last().expect("the beginning").1.0 <= shows && shows < version);
    }

    /// What there is after a commit of the store's own, which has set the times.
    fn written(&self, done: &Done, found: &State) -> State {
        let mut state = self.now.clone();
        for told in &done.told {
            let Some(any) = &told.new else {
                state.remove(&told.key);
                continue;
            };
            let times = found[&told.key].times;
            let before = self.now.get(&told.key);
            match before.filter(|_| !done.created.contains(&told.key)) {
                None => assert_eq!(times.0, times.1, "{told:?} is new"),
                Some(before) => assert_eq!(times.0, before.times.0, "{told:?} is not new"),
            }
            assert!(times.0 <= times.1 && times.1 <= SystemTime::now());
            let kept = Kept {
                any: any.clone(),
                version: done.version,
                proposed: done.proposed,
                times,
            };
            state.insert(told.key, kept);
        }
        state
    }

    fn same(&mut self) {
        assert_same(&contents!(&self.store.read()), &self.now);
        self.receive();
    }

    /// Watchers receive, and what they are told makes another store equal.
    fn receive(&mut self) {
        for watching in &mut self.watchers {
            watching.receive(|_| ());
        }
        let mut entries: Vec<Vec<Action>> = Vec::new();
        self.whole
            .receive(|commit| entries.push(commit.changes.iter().map(action).collect()));
        if self.kind.proposed {
            self.follow_the_log();
        } else {
            for entry in entries {
                let entry = self.by_bytes(entry);
                self.replica.apply(&entry).expect("it is equal");
            }
        }
        let replica = contents!(&self.replica.read());
        assert_alike(&replica, &self.now);
    }

    /// A member applies what the proposer has accepted.
    fn follow_the_log(&mut self) {
        let at = self.replica.proposed_version(self.replica.version());
        let newest = self.proposer.version().expect("it has one");
        let changes = self
            .proposer
            .changes_between(at.unwrap_or_default(), newest);
        for change in changes.expect("all of it is kept") {
            let entry = change
                .writes
                .writes()
                .iter()
                .map(|write| self.catalogue.action(write));
            let entry: Result<Vec<Action>, _> = entry.collect();
            let entry = self.by_bytes(entry.expect("its tables are known"));
            let applied = self.replica.apply_accepted(change.version, &entry);
            let applied = applied.expect("it is equal");
            assert_eq!(self.replica.proposed_version(applied), Some(change.version));
        }
    }

    /// Actions, perhaps through their bytes.
    pub fn by_bytes(&mut self, actions: Vec<Action>) -> Vec<Action> {
        if self.random.one_in(2) {
            return actions;
        }
        let bytes = actions
            .iter()
            .map(|it| self.catalogue.encode(it).expect("a table of it"));
        let again = bytes.map(|it| self.catalogue.decode(&it).expect("as it was encoded"));
        again.collect()
    }

    pub fn nothing_happened(&mut self) {
        assert_eq!(self.store.version(), self.version);
        self.same();
    }

    /// Old snapshots are as they were, and a fork goes on.
    pub fn check_past(&mut self) {
        for (snapshot, state) in &self.held {
            assert_same(&contents!(snapshot), state);
        }
        self.fork.poll().expect("it follows");
        assert_alike(&contents!(&self.fork.store().read()), &self.now);
    }
}

#[track_caller]
pub fn assert_same(found: &State, wanted: &State) {
    for key in found.keys().chain(wanted.keys()) {
        assert_eq!(found.get(key), wanted.get(key), "{key:?}");
    }
}

/// The same but for versions, which are each store's own.
#[track_caller]
pub fn assert_alike(found: &State, wanted: &State) {
    let plain = |state: &State, key: &Key| {
        let kept = state.get(key);
        kept.map(|kept| (kept.any.clone(), kept.times, kept.proposed))
    };
    for key in found.keys().chain(wanted.keys()) {
        assert_eq!(plain(found, key), plain(wanted, key), "{key:?}");
    }
}
