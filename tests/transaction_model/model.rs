//! The model: what there was, what there is, and what of it the transaction has written.

use std::collections::BTreeMap;

use skep::{
    CreateError, DeleteError, Duplicate, KeyError, Kind, Meta, OutOfSequence, ReplaceError, Store,
    Transaction, UpsertError, Version, keys,
};

use super::common::{Random, Task, task};

pub const KEYS: u64 = 12;
const NAMES: u64 = 9;

/// All tasks, with what the store knows of each.
pub type Rows = BTreeMap<u64, (Task, Meta)>;

pub fn rows(store: &Store) -> Rows {
    let view = store.read();
    let entries = view.find(keys::<Task>().all()).entries();
    let rows = entries.map(|entry| (entry.get().id, (entry.get().clone(), entry.meta())));
    rows.collect()
}

#[derive(Clone, Debug)]
pub enum Verb {
    Create(Task),
    Update(Task),
    UpdateAt(Version, Task),
    UpdateAtProposed(Version, Task),
    Upsert(Task),
    Modify(Task),
    Delete(u64),
    DeleteAt(Version, u64),
    DeleteAtProposed(Version, u64),
}

/// Why a verb does nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    Exists(u64),
    NotFound(u64),
    OutOfSequence {
        key: u64,
        expected: Version,
        found: Version,
    },
    /// Who has the name, and who was to have it.
    Duplicate {
        holder: u64,
        claimant: u64,
        name: String,
    },
}

fn key(value: &skep::Value) -> u64 {
    *value.downcast_ref().expect("keys are numbers")
}

fn exists(error: KeyError) -> Refusal {
    assert_eq!(error.table, "task");
    Refusal::Exists(key(&error.key))
}

fn not_found(error: KeyError) -> Refusal {
    assert_eq!(error.table, "task");
    Refusal::NotFound(key(&error.key))
}

fn out_of_sequence(error: OutOfSequence) -> Refusal {
    Refusal::OutOfSequence {
        key: key(&error.key),
        expected: error.expected,
        found: error.found,
    }
}

fn duplicate(error: Duplicate) -> Refusal {
    assert_eq!((error.table, error.index), ("task", "by_name"));
    let name: Option<&String> = error.key.downcast_ref();
    Refusal::Duplicate {
        holder: key(&error.holder),
        claimant: key(&error.claimant),
        name: name.expect("names are texts").clone(),
    }
}

fn of_create(error: CreateError) -> Refusal {
    match error {
        CreateError::Exists(error) => exists(error),
        CreateError::Duplicate(error) => duplicate(error),
        other => panic!("{other}"),
    }
}

fn of_replace(error: ReplaceError) -> Refusal {
    match error {
        ReplaceError::NotFound(error) => not_found(error),
        ReplaceError::OutOfSequence(error) => out_of_sequence(error),
        ReplaceError::Duplicate(error) => duplicate(error),
        other => panic!("{other}"),
    }
}

fn of_upsert(error: UpsertError) -> Refusal {
    match error {
        UpsertError::Duplicate(error) => duplicate(error),
        other => panic!("{other}"),
    }
}

fn of_delete(error: DeleteError) -> Refusal {
    match error {
        DeleteError::NotFound(error) => not_found(error),
        DeleteError::OutOfSequence(error) => out_of_sequence(error),
        other => panic!("{other}"),
    }
}

fn some_of(random: &mut Random, all: &[&str]) -> Vec<String> {
    let chosen = all.iter().filter(|_| random.one_in(3));
    chosen.map(|&it| it.to_owned()).collect()
}

fn random_task(random: &mut Random) -> Task {
    let id = random.below(KEYS);
    Task {
        name: format!("name-{}", random.below(NAMES)),
        node: random.one_in(2).then(|| random.below(3)),
        tags: some_of(random, &["a", "b", "bc", "c"]),
        title: ["", "b", "B", "Bc", "c"][random.below(5) as usize].into(),
        count: random.below(6) as i64,
        ..task(id)
    }
}

impl Verb {
    pub fn random(random: &mut Random, model: &Model) -> Self {
        let new = random_task(random);
        let id = new.id;
        let meta = model.before.get(&id).map(|(_, meta)| *meta);
        let right = !random.one_in(4);
        let mut at = |version: Option<Version>| match version {
            Some(version) if right => version,
            _ => Version::new(random.below(40)),
        };
        let own = at(meta.map(|meta| meta.version));
        let proposed = at(meta.and_then(|meta| meta.proposed));
        match random.below(11) {
            0 | 1 => Self::Create(new),
            2 => Self::Update(new),
            3 => Self::UpdateAt(own, new),
            4 => Self::UpdateAtProposed(proposed, new),
            5 => Self::Upsert(new),
            6 => Self::Modify(new),
            7 | 8 => Self::Delete(id),
            9 => Self::DeleteAt(own, id),
            _ => Self::DeleteAtProposed(proposed, id),
        }
    }

    pub fn run(&self, tx: &mut Transaction<'_>) -> Result<(), Refusal> {
        match self.clone() {
            Self::Create(new) => tx.create(new).map_err(of_create),
            Self::Update(new) => tx.update(new).map_err(of_replace),
            Self::UpdateAt(at, new) => tx.update_at(at, new).map_err(of_replace),
            Self::UpdateAtProposed(at, new) => tx.update_at_proposed(at, new).map_err(of_replace),
            Self::Upsert(new) => tx.upsert(new).map_err(of_upsert),
            Self::Modify(new) => {
                let modified = tx.modify::<Task>(&new.id.clone(), |old| *old = new);
                modified.map_err(of_replace)
            }
            Self::Delete(id) => tx.delete::<Task>(&id).map_err(of_delete),
            Self::DeleteAt(at, id) => tx.delete_at::<Task>(at, &id).map_err(of_delete),
            Self::DeleteAtProposed(at, id) => {
                let deleted = tx.delete_at_proposed::<Task>(at, &id);
                deleted.map_err(of_delete)
            }
        }
    }

    fn key(&self) -> u64 {
        match self {
            Self::Create(new)
            | Self::Update(new)
            | Self::UpdateAt(_, new)
            | Self::UpdateAtProposed(_, new)
            | Self::Upsert(new)
            | Self::Modify(new) => new.id,
            Self::Delete(id) | Self::DeleteAt(_, id) | Self::DeleteAtProposed(_, id) => *id,
        }
    }

    fn new_object(&self) -> Option<&Task> {
        match self {
            Self::Create(new)
            | Self::Update(new)
            | Self::UpdateAt(_, new)
            | Self::UpdateAtProposed(_, new)
            | Self::Upsert(new)
            | Self::Modify(new) => Some(new),
            _ => None,
        }
    }
}

pub struct Model {
    pub before: Rows,
    pub now: BTreeMap<u64, Task>,
    /// In the order of the first writes.
    pub written: Vec<u64>,
    /// Of these, what was created in this transaction, after a deletion or from nothing.
    created: Vec<u64>,
    pub put_off: bool,
    /// Checks were put off, and an error has left them so.
    pub left_put_off: bool,
}

impl Model {
    pub fn new(before: &Rows) -> Self {
        let now = before.iter().map(|(&id, (task, _))| (id, task.clone()));
        Self {
            before: before.clone(),
            now: now.collect(),
            written: Vec::new(),
            created: Vec::new(),
            put_off: false,
            left_put_off: false,
        }
    }

    /// Does it, or says why not and does nothing.
    pub fn run(&mut self, verb: &Verb) -> Result<(), Refusal> {
        let key = verb.key();
        let is_there = self.now.contains_key(&key);
        match verb {
            Verb::Create(_) if is_there => return Err(Refusal::Exists(key)),
            Verb::Create(_) | Verb::Upsert(_) => {}
            _ if !is_there => return Err(Refusal::NotFound(key)),
            _ => self.guard(verb)?,
        }
        let new = verb.new_object();
        if let Some(new) = new.filter(|_| !self.put_off) {
            let mut others = self.now.values().filter(|other| other.id != key);
            if let Some(holder) = others.find(|other| other.name == new.name) {
                return Err(Refusal::Duplicate {
                    holder: holder.id,
                    claimant: key,
                    name: new.name.clone(),
                });
            }
        }
        if !self.written.contains(&key) {
            self.written.push(key);
        }
        match new {
            None => drop(self.now.remove(&key)),
            Some(new) => {
                if self.now.insert(key, new.clone()).is_none() {
                    self.created.push(key);
                }
            }
        }
        Ok(())
    }

    fn guard(&self, verb: &Verb) -> Result<(), Refusal> {
        let meta = self.before.get(&verb.key()).map(|(_, meta)| *meta);
        let (expected, found) = match verb {
            Verb::UpdateAt(at, _) | Verb::DeleteAt(at, _) => (*at, meta.map(|it| it.version)),
            Verb::UpdateAtProposed(at, _) | Verb::DeleteAtProposed(at, _) => {
                (*at, meta.and_then(|it| it.proposed))
            }
            _ => return Ok(()),
        };
        match found == Some(expected) && !self.written.contains(&verb.key()) {
            true => Ok(()),
            false => Err(Refusal::OutOfSequence {
                key: verb.key(),
                expected,
                found: found.unwrap_or_default(),
            }),
        }
    }

    pub fn is_sound(&self) -> bool {
        let mut names: Vec<&str> = self.now.values().map(|it| &*it.name).collect();
        names.sort_unstable();
        names.windows(2).all(|pair| pair[0] != pair[1])
    }

    /// Two objects have the name, and who is told is one that was written.
    pub fn assert_told(&self, told: &Duplicate) {
        let (holder, claimant) = (key(&told.holder), key(&told.claimant));
        let name = |id| self.now.get(&id).map(|task| &task.name);
        assert!(holder != claimant && self.written.contains(&claimant));
        assert_eq!(name(holder), told.key.downcast_ref());
        assert_eq!(name(claimant), told.key.downcast_ref());
    }

    /// What was written has the version and new times, and all else is as it was.
    pub fn assert_committed(&self, version: Version, after: &Rows) {
        let tasks: BTreeMap<u64, Task> = after
            .iter()
            .map(|(&id, (it, _))| (id, it.clone()))
            .collect();
        assert_eq!(tasks, self.now);
        for (id, (_, meta)) in after {
            let before = self.before.get(id).map(|(_, meta)| meta);
            if !self.written.contains(id) {
                assert_eq!(Some(meta), before);
                continue;
            }
            assert_eq!(meta.version, version);
            assert!(meta.created_at <= meta.updated_at);
            if !self.created.contains(id) {
                assert_eq!(Some(meta.created_at), before.map(|meta| meta.created_at));
            }
        }
    }

    /// What watchers are told, in order.
    pub fn changes(&self) -> Vec<(Kind, u64)> {
        let changes = self.written.iter().filter_map(|id| {
            let (before, now) = (self.before.contains_key(id), self.now.contains_key(id));
            let kind = match (before, now) {
                (false, false) => return None,
                (false, true) => Kind::Created,
                (true, true) => Kind::Updated,
                (true, false) => Kind::Deleted,
            };
            Some((kind, *id))
        });
        changes.collect()
    }
}
