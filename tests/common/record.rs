//! A plain record of what was committed.

use std::collections::BTreeMap;
use std::rc::Rc;

use skep::{Change, Error, Store};

use crate::common::{Random, Task, task};

pub const IDS: u64 = 6;
pub const NODES: u64 = 3;

/// Whether an object is asked for.
pub type Asks = Rc<dyn Fn(&Task) -> bool>;

/// A change of an object, by its images.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    pub old: Option<Task>,
    pub new: Option<Task>,
}

impl Written {
    pub fn of(change: Change<'_, Task>) -> Self {
        Self {
            old: change.old().cloned(),
            new: change.new().cloned(),
        }
    }

    pub fn id(&self) -> u64 {
        self.new
            .as_ref()
            .or(self.old.as_ref())
            .expect("an image")
            .id
    }
}

/// What was committed, and what there is.
#[derive(Default)]
pub struct Record {
    pub commits: BTreeMap<u64, Vec<Written>>,
    pub state: BTreeMap<u64, Task>,
}

impl Record {
    /// Commits changes of up to three tasks.
    pub fn commit(&mut self, store: &Store, random: &mut Random) {
        let mut ids: Vec<u64> = (0..IDS).collect();
        let count = 1 + random.below(3) as usize;
        let mut written = Vec::new();
        for at in 0..count {
            ids.swap(at, at + random.below(IDS - at as u64) as usize);
            let old = self.state.get(&ids[at]).cloned();
            let new = (old.is_none() || !random.one_in(3)).then(|| Task {
                node: (!random.one_in(4)).then(|| random.below(NODES)),
                count: random.below(1_000_000) as i64,
                ..task(ids[at])
            });
            written.push(Written { old, new });
        }
        let committed = store.update_versioned(|tx| {
            for one in &written {
                match &one.new {
                    Some(new) => tx.upsert(new.clone())?,
                    None => drop(tx.delete::<Task>(&one.id())?),
                }
            }
            Ok::<_, Error>(())
        });
        for one in &written {
            match &one.new {
                Some(new) => drop(self.state.insert(one.id(), new.clone())),
                None => drop(self.state.remove(&one.id())),
            }
        }
        let version = committed.expect("nobody is in the way").1;
        self.commits.insert(version.get(), written);
    }

    /// What there was at a version, of what is asked for.
    pub fn at(&self, version: u64, asks: &Asks) -> BTreeMap<u64, Task> {
        let mut state = BTreeMap::new();
        for written in self.commits.range(..=version).flat_map(|(_, it)| it) {
            match &written.new {
                Some(new) => drop(state.insert(new.id, new.clone())),
                None => drop(state.remove(&written.id())),
            }
        }
        state.retain(|_, task| asks(task));
        state
    }

    /// The changes of an object from a version to another, made one.
    pub fn joined(&self, id: u64, versions: [u64; 2]) -> Option<Written> {
        let own = |version| self.commits.get(version)?.iter().find(|it| it.id() == id);
        let [first, last] = versions.each_ref().map(own);
        Some(Written {
            old: first?.old.clone(),
            new: last?.new.clone(),
        })
    }
}
