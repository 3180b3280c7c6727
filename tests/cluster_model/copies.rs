//! What comes from elsewhere: saved files, and entries of another's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use skep::testing::TestProposer;
use skep::{Action, Divergence, DivergenceCause, UpdateError, Version};

use super::any::{Row, TABLES, of_table, pick};
use super::state::{Kept, Key, Refusal, State, Told, Verb, contents, is_sound};
use super::steps::random_any;
use super::verbs::{action_of, duplicate, rejected};
use super::world::{Done, World, assert_alike, builder};

/// Entries, as the model does them.
#[derive(Default)]
struct Entry {
    actions: Vec<Action>,
    state: State,
    written: Vec<Key>,
    /// The first action that does not fit: its place, and whether the object is there.
    wrong: Option<(usize, Key, bool)>,
}

impl World {
    pub fn save(&mut self) {
        let mut file = Vec::new();
        let saved = self.store.save(&self.catalogue, &mut file);
        let saved = saved.expect("a vector takes it");
        assert_eq!(
            (saved.version, saved.objects),
            (self.version, self.now.len() as u64)
        );
        let proposed = self
            .store
            .proposed_version(self.version)
            .unwrap_or_default();
        self.saved.push((file, self.now.clone(), proposed));
        self.nothing_happened();
    }

    /// An old state over a newer one: what differs is told, and nothing else is.
    pub fn restore(&mut self) {
        if self.saved.is_empty() {
            return;
        }
        let at = self.random.below(self.saved.len() as u64) as usize;
        let (file, wanted, _) = self.saved[at].clone();
        if self.random.one_in(3) {
            let cut = self.random.below(file.len() as u64) as usize;
            let refused = self.store.restore(&self.catalogue, &file[..cut]);
            refused.expect_err("it is cut");
            return self.nothing_happened();
        }
        let restored = self.store.restore(&self.catalogue, &file[..]);
        let restored = restored.expect("it is whole");
        let mut counts = BTreeMap::from(TABLES.map(|table| (table, [0; 4])));
        let (mut told, mut state) = (Vec::new(), State::new());
        // In the catalogue's order, and that of keys.
        let keys: BTreeSet<Key> = self.now.keys().chain(wanted.keys()).copied().collect();
        for key in keys {
            let (old, new) = (self.now.get(&key), wanted.get(&key));
            let what = match (old, new) {
                (None, _) => 0,
                (Some(old), Some(new)) if old.any == new.any && old.times == new.times => 3,
                (_, Some(_)) => 1,
                (_, None) => 2,
            };
            counts.get_mut(key.0).expect("a table")[what] += 1;
            if what == 3 {
                state.insert(key, old.expect("it is there").clone());
                continue;
            }
            if let Some(new) = new {
                let version = restored.version;
                state.insert(
                    key,
                    Kept {
                        version,
                        ..new.clone()
                    },
                );
            }
            told.push(told_of(key, old, new));
        }
        for table in &restored.tables {
            let counted = [table.created, table.updated, table.deleted, table.unchanged];
            assert_eq!(counted, counts[table.table], "{}", table.table);
        }
        if told.is_empty() {
            assert_eq!(restored.version, self.version);
            return self.nothing_happened();
        }
        self.note("restored");
        self.copied(restored.version, told, state);
    }

    fn copied(&mut self, version: Version, told: Vec<Told>, state: State) {
        let (proposed, created) = (None, BTreeSet::new());
        let copied = Some(state);
        self.committed(vec![Done {
            version,
            proposed,
            told,
            created,
            copied,
        }]);
    }

    /// A new member begins from a file, and takes the old one's place.
    pub fn begin_a_member(&mut self) {
        let Some((file, state, version)) = self.saved.last().cloned() else {
            return;
        };
        let member = builder(self.kind, &TestProposer::new()).build();
        if version > Version::ZERO {
            let restored = member.restore_accepted(version, &self.catalogue, &file[..]);
            let restored = restored.expect("it is whole");
            assert_eq!(member.proposed_version(restored.version), Some(version));
            let again = member.restore_accepted(version, &self.catalogue, &file[..]);
            again.expect_err("it is there");
            self.note("began");
        }
        assert_alike(&contents!(&member.read()), &state);
        self.replica = member;
        self.nothing_happened();
    }

    /// An entry of another's, that may not fit.
    pub fn apply(&mut self) {
        let entry = self.random_entry();
        match self.store.apply(&entry.actions) {
            Ok(version) => {
                let fits = entry.wrong.is_none() && is_sound(&entry.state, self.kind.in_kind);
                assert!(fits, "{:?}", entry.actions);
                self.applied(version, entry);
            }
            Err(UpdateError::Closure(divergence)) => {
                self.diverged(&entry, &divergence);
                self.nothing_happened();
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn random_entry(&mut self) -> Entry {
        let mut entry = Entry {
            state: self.now.clone(),
            ..Entry::default()
        };
        for position in 0..1 + self.random.below(4) as usize {
            let verb = self.random_action(&entry.state);
            let key = verb.key();
            entry.actions.push(action_of(&verb));
            let is_there = entry.state.contains_key(&key);
            let fits = is_there != matches!(verb, Verb::Create(_));
            if !fits && entry.wrong.is_none() {
                entry.wrong = Some((position, key, is_there));
            }
            if !entry.written.contains(&key) {
                entry.written.push(key);
            }
            match verb {
                Verb::Create(any) | Verb::Update(any) => {
                    let (version, proposed) = (Version::ZERO, None);
                    let times = (UNIX_EPOCH, UNIX_EPOCH);
                    entry.state.insert(
                        key,
                        Kept {
                            any,
                            version,
                            proposed,
                            times,
                        },
                    );
                }
                _ => drop(entry.state.remove(&key)),
            }
        }
        entry.actions = self.by_bytes(entry.actions);
        entry
    }

    fn random_action(&mut self, state: &State) -> Verb {
        let tables = [
            "extension",
            "extension",
            "resource",
            "service",
            "task",
            "config",
        ];
        let table = pick(&mut self.random, &tables);
        let any = random_any(&mut self.random, state, table);
        let key = (table, any.id());
        let fits = !self.random.one_in(8);
        match (state.contains_key(&key) == fits, self.random.one_in(3)) {
            (true, true) => Verb::Delete(key),
            (true, false) => Verb::Update(any),
            (false, _) => Verb::Create(any),
        }
    }

    fn applied(&mut self, version: Version, entry: Entry) {
        let Entry {
            mut state, written, ..
        } = entry;
        let told = written
            .iter()
            .map(|&key| told_of(key, self.now.get(&key), state.get(&key)));
        let told = told.filter(|told| told.old.is_some() || told.new.is_some());
        let told: Vec<Told> = told.collect();
        if told.is_empty() {
            return self.nothing_happened();
        }
        let found = contents!(&self.store.read());
        for told in &told {
            if let Some(kept) = state.get_mut(&told.key) {
                (kept.version, kept.times) = (version, found[&told.key].times);
            }
        }
        self.note("applied");
        self.copied(version, told, state);
    }

    /// The first action that does not fit is named; else the last one on what breaks a rule.
    fn diverged(&mut self, entry: &Entry, divergence: &Divergence) {
        let Divergence {
            position, cause, ..
        } = divergence;
        let said = &entry.actions[*position];
        assert_eq!(format!("{said:?}"), format!("{:?}", divergence.action));
        if let Some((wrong, key, is_there)) = entry.wrong {
            assert_eq!(*position, wrong);
            let error = match (cause, is_there) {
                (DivergenceCause::Exists(error), true) => error,
                (DivergenceCause::NotFound(error), false) => error,
                other => panic!("{other:?}"),
            };
            assert_eq!(
                (error.table, error.key.downcast_ref()),
                (key.0, Some(&key.1))
            );
            return self.note("does not fit");
        }
        assert!(!is_sound(&entry.state, self.kind.in_kind), "{divergence}");
        let key = |action: &Action| -> Key {
            (action.table(), *action.key().downcast_ref().expect("an ID"))
        };
        match cause {
            DivergenceCause::Duplicate(error) => {
                assert_eq!(duplicate(error), Refusal::Duplicate { key: key(said) });
            }
            DivergenceCause::Rejected(error) => drop(rejected(error)),
            other => panic!("{other:?}"),
        }
        let mut later = entry.actions[*position + 1..].iter();
        assert!(later.all(|later| key(later) != key(said)), "{divergence}");
        self.note("breaks a rule");
    }
}

fn told_of(key: Key, old: Option<&Kept>, new: Option<&Kept>) -> Told {
    let any = |kept: Option<&Kept>| kept.map(|kept| kept.any.clone());
    Told {
        key,
        old: any(old),
        new: any(new),
    }
}
