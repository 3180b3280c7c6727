//! The model of a store: a map a version, and what each commit changed. And of a transaction: what
//! it reads and writes, and so whether it may commit.
//!
//! The model is exact: a transaction commits if and only if no commit after its snapshot wrote what
//! it read. So it finds an anomaly (a commit that should have failed) as well as a false conflict.

use std::collections::BTreeSet;

use crate::item::Item;
use crate::question::{Question, State};

/// What a commit did to one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The object as it was.
    pub old: Option<Item>,
    /// The object as it is.
    pub new: Option<Item>,
}

impl Change {
    fn images(&self) -> impl Iterator<Item = &Item> {
        self.old.iter().chain(&self.new)
    }

    fn key(&self) -> Option<u8> {
        self.images().next().map(|item| item.key)
    }
}

/// All versions, by number, with the changes that made each.
#[derive(Debug)]
pub struct History {
    versions: Vec<(State, Vec<Change>)>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            versions: vec![(State::new(), Vec::new())],
        }
    }
}

impl History {
    /// The newest version's number.
    pub fn newest(&self) -> u64 {
        self.versions.len() as u64 - 1
    }

    /// A version.
    pub fn state(&self, version: u64) -> &State {
        &self.versions[version as usize].0
    }

    /// What made a version, in the order written.
    pub fn changes(&self, version: u64) -> &[Change] {
        &self.versions[version as usize].1
    }

    /// The commit that wrote the object that a version shows.
    pub fn written_at(&self, key: u8, version: u64) -> Option<u64> {
        self.state(version).get(&key)?;
        let wrote = |version: &u64| {
            let mut changes = self.changes(*version).iter();
            changes.any(|change| change.key() == Some(key))
        };
        (0..=version).rev().find(wrote)
    }

    /// Adds a version.
    pub fn push(&mut self, changes: Vec<Change>) {
        let mut state = self.state(self.newest()).clone();
        for change in &changes {
            match (&change.old, &change.new) {
                (_, Some(new)) => drop(state.insert(new.key, new.clone())),
                (Some(old), None) => drop(state.remove(&old.key)),
                (None, None) => {}
            }
        }
        self.versions.push((state, changes));
    }
}

/// What a write is refused for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is an object with the key.
    Exists,
    /// There is none.
    NotFound,
    /// It was made from another version.
    OutOfSequence,
    /// This object has the name.
    Duplicate(u8),
}

/// The model of an open transaction.
#[derive(Debug)]
pub struct Open {
    /// Its snapshot's version.
    pub base: u64,
    /// What it sees.
    pub state: State,
    /// Keys written, in the order of their first write.
    order: Vec<u8>,
    points: BTreeSet<u8>,
    questions: Vec<Question>,
    /// Names that it found taken: to be told so is to read.
    refused: BTreeSet<u8>,
    /// Names that it took, and for which key.
    taken: BTreeSet<(u8, u8)>,
}

impl Open {
    /// On the newest version.
    pub fn begin(history: &History) -> Self {
        let base = history.newest();
        Self {
            base,
            state: history.state(base).clone(),
            order: Vec::new(),
            points: BTreeSet::new(),
            questions: Vec::new(),
            refused: BTreeSet::new(),
            taken: BTreeSet::new(),
        }
    }

    /// A tracked read of a key.
    pub fn get(&mut self, key: u8) -> Option<&Item> {
        self.points.insert(key);
        self.state.get(&key)
    }

    /// A tracked query.
    pub fn find(&mut self, question: &Question) -> Vec<Item> {
        self.questions.push(question.clone());
        question.answer(&self.state)
    }

    /// Puts an object, if the unique index lets it.
    pub fn put(&mut self, item: &Item) -> Result<(), Refusal> {
        self.points.insert(item.key);
        let mut others = self.state.values().filter(|other| other.key != item.key);
        if let Some(holder) = others.find(|other| other.name == item.name) {
            self.refused.insert(item.name);
            return Err(Refusal::Duplicate(holder.key));
        }
        self.taken.insert((item.name, item.key));
        self.note_write(item.key);
        self.state.insert(item.key, item.clone());
        Ok(())
    }

    /// Puts an object where there is none.
    pub fn create(&mut self, item: &Item) -> Result<(), Refusal> {
        match self.get(item.key) {
            Some(_) => Err(Refusal::Exists),
            None => self.put(item),
        }
    }

    /// Puts an object where there is one, at a version if one is named.
    pub fn replace(
        &mut self,
        history: &History,
        item: &Item,
        expected: Option<u64>,
    ) -> Result<(), Refusal> {
        self.check(history, item.key, expected)?;
        self.put(item)
    }

    /// Deletes an object, at a version if one is named.
    pub fn delete(
        &mut self,
        history: &History,
        key: u8,
        expected: Option<u64>,
    ) -> Result<(), Refusal> {
        self.check(history, key, expected)?;
        self.note_write(key);
        self.state.remove(&key);
        Ok(())
    }

    fn check(&mut self, history: &History, key: u8, at: Option<u64>) -> Result<(), Refusal> {
        if self.get(key).is_none() {
            return Err(Refusal::NotFound);
        }
        let found = history.written_at(key, self.base);
        if at.is_some() && (at != found || self.order.contains(&key)) {
            return Err(Refusal::OutOfSequence);
        }
        Ok(())
    }

    fn note_write(&mut self, key: u8) {
        if !self.order.contains(&key) {
            self.order.push(key);
        }
    }

    /// What it would change, in order. What it created and deleted again never was.
    pub fn changes(&self, history: &History) -> Vec<Change> {
        let changes = self.order.iter().map(|key| Change {
            old: history.state(self.base).get(key).cloned(),
            new: self.state.get(key).cloned(),
        });
        changes.filter(|change| change.key().is_some()).collect()
    }

    /// The first commit after its snapshot that is in its way.
    pub fn clash(&self, history: &History) -> Option<u64> {
        let mut since = self.base + 1..=history.newest();
        since.find(|version| {
            let mut changes = history.changes(*version).iter();
            changes.any(|change| self.clashes_with(change))
        })
    }

    fn clashes_with(&self, change: &Change) -> bool {
        let point = change.key().is_some_and(|key| self.points.contains(&key));
        let refused = change
            .images()
            .any(|item| self.refused.contains(&item.name));
        let asked = change.images().any(|item| {
            let mut questions = self.questions.iter();
            questions.any(|question| question.is_touched(item))
        });
        point || refused || asked || self.takes_what(change)
    }

    /// Whether the change gives somebody else a name that this transaction took.
    pub fn takes_what(&self, change: &Change) -> bool {
        change.new.as_ref().is_some_and(|new| {
            let mut taken = self.taken.iter();
            taken.any(|(name, key)| *name == new.name && *key != new.key)
        })
    }
}
