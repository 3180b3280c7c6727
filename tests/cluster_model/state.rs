//! The model: all objects of a version in one map, and the rules as they are told in prose, by
//! looking at each object.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use skep::cluster::RuleError;
use skep::{Id, Version};

use super::any::{Any, TABLES, lower};

/// An object's table and ID.
pub type Key = (&'static str, Id);

/// An object, with what the store is to know of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    pub any: Any,
    pub version: Version,
    pub proposed: Option<Version>,
    pub times: (SystemTime, SystemTime),
}

pub type State = BTreeMap<Key, Kept>;

/// What a verb is to do.
#[derive(Clone, Debug)]
pub enum Verb {
    Create(Any),
    Update(Any),
    UpdateAt(Version, Any),
    UpdateAtProposed(Version, Any),
    Upsert(Any),
    /// Replaces all of it but its ID.
    Modify(Any),
    /// The spec of this one, if the object's is at a version.
    SpecAt(Version, Any),
    Delete(Key),
    DeleteAt(Version, Key),
    DeleteAtProposed(Version, Key),
}

/// Why a verb, or an action, does not do it.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    Exists(Key),
    NotFound(Key),
    OutOfSequence {
        key: Key,
        expected: Version,
        found: Version,
    },
    Rule(RuleError),
    /// An extension is of the kind of a resource: of whichever.
    InUse {
        extension: Id,
    },
    Duplicate {
        key: Key,
    },
}

impl Verb {
    pub fn key(&self) -> Key {
        match self {
            Self::Create(any)
            | Self::Update(any)
            | Self::UpdateAt(_, any)
            | Self::UpdateAtProposed(_, any)
            | Self::Upsert(any)
            | Self::Modify(any)
            | Self::SpecAt(_, any) => (any.table(), any.id()),
            Self::Delete(key) | Self::DeleteAt(_, key) | Self::DeleteAtProposed(_, key) => *key,
        }
    }
}

/// A transaction on the model.
#[derive(Clone)]
pub struct Tx {
    base: State,
    pub now: State,
    /// Resources of two kinds may have one name.
    in_kind: bool,
    /// Nothing is checked but keys, nor completed.
    pub put_off: bool,
    /// What the next version of a spec is to be above.
    shown: Version,
    /// What it has written, in the order of the first writes.
    pub written: Vec<Key>,
    /// Of these, what is not what was there before, but was created since.
    created: BTreeSet<Key>,
}

/// What a commit is to tell of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub key: Key,
    pub old: Option<Any>,
    pub new: Option<Any>,
}

impl Tx {
    pub fn begin(base: &State, shown: Version, in_kind: bool) -> Self {
        Self {
            base: base.clone(),
            now: base.clone(),
            in_kind,
            put_off: false,
            shown,
            written: Vec::new(),
            created: BTreeSet::new(),
        }
    }

    /// The same on another state, as if it had seen that.
    pub fn on(self, state: &State) -> Self {
        Self {
            base: state.clone(),
            now: state.clone(),
            ..self
        }
    }

    /// Does it, or says why not and does nothing.
    pub fn run(&mut self, verb: &Verb) -> Result<(), Refusal> {
        let key = verb.key();
        let old = self.now.get(&key).map(|kept| kept.any.clone());
        match (verb, &old) {
            (Verb::Create(any) | Verb::Upsert(any), None) => {
                let any = self.completed(any.clone(), None);
                self.check(None, Some(&any))?;
                self.put(key, Some(any), true);
            }
            (Verb::Create(any), Some(_)) => {
                self.check(None, Some(any))?;
                return Err(Refusal::Exists(key));
            }
            (_, None) => return Err(Refusal::NotFound(key)),
            (Verb::Delete(_) | Verb::DeleteAt(..) | Verb::DeleteAtProposed(..), Some(old)) => {
                self.guard(verb)?;
                self.check(Some(old), None)?;
                self.put(key, None, false);
            }
            (Verb::SpecAt(version, any), Some(old)) => {
                let found = old.spec_version().expect("it has a spec");
                if found != *version {
                    let expected = *version;
                    return Err(Refusal::OutOfSequence {
                        key,
                        expected,
                        found,
                    });
                }
                let new = with_spec_of(old, any);
                self.replace(key, old, new)?;
            }
            (
                Verb::Update(any)
                | Verb::UpdateAt(_, any)
                | Verb::UpdateAtProposed(_, any)
                | Verb::Upsert(any)
                | Verb::Modify(any),
                Some(old),
            ) => {
                self.guard(verb)?;
                self.replace(key, old, any.clone())?;
            }
        }
        Ok(())
    }

    fn replace(&mut self, key: Key, old: &Any, new: Any) -> Result<(), Refusal> {
        let new = self.completed(new, Some(old));
        self.check(Some(old), Some(&new))?;
        self.put(key, Some(new), false);
        Ok(())
    }

    fn guard(&self, verb: &Verb) -> Result<(), Refusal> {
        let key = verb.key();
        let base = self.base.get(&key);
        let (expected, found) = match verb {
            Verb::UpdateAt(version, _) | Verb::DeleteAt(version, _) => {
                (*version, base.map(|kept| kept.version))
            }
            Verb::UpdateAtProposed(version, _) | Verb::DeleteAtProposed(version, _) => {
                (*version, base.and_then(|kept| kept.proposed))
            }
            _ => return Ok(()),
        };
        if found == Some(expected) && !self.written.contains(&key) {
            return Ok(());
        }
        let found = found.unwrap_or_default();
        Err(Refusal::OutOfSequence {
            key,
            expected,
            found,
        })
    }

    /// The version of a spec is the old one's, if the spec is; else it is above all that anybody
    /// has seen.
    fn completed(&self, mut any: Any, old: Option<&Any>) -> Any {
        if self.put_off {
            return any;
        }
        let same = old.filter(|old| old.has_spec_of(&any) == Some(true));
        let own = self.shown.next();
        let before = self.base.get(&(any.table(), any.id()));
        let before = before.and_then(|kept| kept.any.spec_version());
        let version = match (same, before) {
            (Some(same), _) => same.spec_version(),
            (None, Some(before)) if before >= own => Some(before.next()),
            _ => Some(own),
        };
        any.set_spec_version(version.unwrap_or_default());
        any
    }

    fn check(&self, old: Option<&Any>, new: Option<&Any>) -> Result<(), Refusal> {
        if self.put_off {
            return Ok(());
        }
        if let (Some(Any::Extension(old)), Some(_)) = (old, new) {
            let extension = old.id;
            return Err(Refusal::Rule(RuleError::ExtensionImmutable { extension }));
        }
        if let Some(new) = new {
            let holder = same_name(&self.now, new, self.in_kind);
            if let Some(holder) = holder.filter(|id| old.is_none() || *id != new.id()) {
                return Err(Refusal::Rule(conflict(new, holder)));
            }
            alone(&self.now, new)?;
        }
        match (old, new) {
            (Some(Any::Task(old)), Some(Any::Task(new))) if new.status.state < old.status.state => {
                let (from, to) = (old.status.state, new.status.state);
                Err(Refusal::Rule(RuleError::StateFalls {
                    task: new.id,
                    from,
                    to,
                }))
            }
            (Some(Any::Extension(old)), None) if is_used(&self.now, &old.annotations.name) => {
                Err(Refusal::InUse { extension: old.id })
            }
            _ => Ok(()),
        }
    }

    fn put(&mut self, key: Key, any: Option<Any>, creates: bool) {
        if !self.written.contains(&key) {
            self.written.push(key);
        }
        match any {
            Some(any) => {
                if creates {
                    self.created.insert(key);
                }
                let before = self.now.get(&key).cloned();
                let kept = before.map(|kept| Kept {
                    any: any.clone(),
                    ..kept
                });
                let kept = kept.unwrap_or(Kept {
                    any,
                    version: Version::ZERO,
                    proposed: None,
                    times: (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH),
                });
                self.now.insert(key, kept);
            }
            None => drop(self.now.remove(&key)),
        }
    }

    /// What its commit is to tell, in order.
    pub fn told(&self) -> Vec<Told> {
        let told = self.written.iter().map(|&key| Told {
            key,
            old: self.base.get(&key).map(|kept| kept.any.clone()),
            new: self.now.get(&key).map(|kept| kept.any.clone()),
        });
        told.filter(|told| told.old.is_some() || told.new.is_some())
            .collect()
    }

    /// What of that is not what was there before, but was created since.
    pub fn created(&self) -> BTreeSet<Key> {
        self.created.clone()
    }
}

fn with_spec_of(old: &Any, other: &Any) -> Any {
    let mut new = old.clone();
    match (&mut new, other) {
        (Any::Cluster(new), Any::Cluster(other)) => new.spec = other.spec.clone(),
        (Any::Config(new), Any::Config(other)) => new.spec = other.spec.clone(),
        (Any::Network(new), Any::Network(other)) => new.spec = other.spec.clone(),
        (Any::Node(new), Any::Node(other)) => new.spec = other.spec.clone(),
        (Any::Secret(new), Any::Secret(other)) => new.spec = other.spec.clone(),
        (Any::Service(new), Any::Service(other)) => new.spec = other.spec.clone(),
        (Any::Volume(new), Any::Volume(other)) => new.spec = other.spec.clone(),
        (new, _) => panic!("{new:?} has no spec"),
    }
    new
}

fn conflict(new: &Any, holder: Id) -> RuleError {
    RuleError::NameConflict {
        table: new.table(),
        name: new.annotations().name.clone(),
        holder,
        claimant: new.id(),
    }
}

/// Who has an object's name, in its table, if that may be one's alone.
fn same_name(state: &State, new: &Any, in_kind: bool) -> Option<Id> {
    let name = new.unique_name(in_kind)?;
    let mut others = state.values().filter(|it| it.any.table() == new.table());
    let holder = others.find(|it| it.any.unique_name(in_kind).as_ref() == Some(&name));
    holder.map(|holder| holder.any.id())
}

fn is_used(state: &State, extension: &str) -> bool {
    state.values().any(|kept| match &kept.any {
        Any::Resource(resource) => lower(&resource.kind) == lower(extension),
        _ => false,
    })
}

fn is_kind(state: &State, kind: &str) -> bool {
    state.values().any(|kept| match &kept.any {
        Any::Extension(extension) => lower(&extension.annotations.name) == lower(kind),
        _ => false,
    })
}

/// The rules on an object beside that on its name.
fn alone(state: &State, new: &Any) -> Result<(), Refusal> {
    match new {
        Any::Extension(new) if TABLES.contains(&&*lower(&new.annotations.name)) => {
            let (extension, name) = (new.id, new.annotations.name.clone());
            Err(Refusal::Rule(RuleError::ReservedName { extension, name }))
        }
        Any::Resource(new) if !is_kind(state, &new.kind) => {
            let (resource, kind) = (new.id, new.kind.clone());
            Err(Refusal::Rule(RuleError::NoKind { resource, kind }))
        }
        Any::Service(new) => {
            let specs = [Some(&new.spec), new.previous_spec.as_deref()];
            let mut ways = specs
                .into_iter()
                .flatten()
                .flat_map(|it| [&it.update, &it.rollback]);
            match ways.any(|way| {
                way.as_ref()
                    .is_some_and(|it| !it.failure_ratio_max.is_finite())
            }) {
                true => Err(Refusal::Rule(RuleError::NotFinite { service: new.id })),
                false => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// Whether all of a state keeps to the rules: to be asked of what copies are to become.
pub fn is_sound(state: &State, in_kind: bool) -> bool {
    let mut names = BTreeSet::new();
    state.values().all(|kept| {
        let name = kept.any.unique_name(in_kind);
        name.is_none_or(|name| names.insert((kept.any.table(), name)))
            && alone(state, &kept.any).is_ok()
    })
}

/// What a view or a snapshot shows.
macro_rules! contents {
    ($reads:expr) => {{
        let (reads, mut state) = ($reads, State::new());
        for table in TABLES {
            of_table!(table, T => {
                for entry in reads.find(skep::keys::<T>().all()).entries() {
                    let meta = entry.meta();
                    let kept = Kept {
                        any: entry.get().clone().wrap(),
                        version: meta.version,
                        proposed: meta.proposed,
                        times: (meta.created_at, meta.updated_at),
                    };
                    let twice = state.insert((table, entry.get().id), kept);
                    assert!(twice.is_none(), "{twice:?} is found twice");
                }
            });
        }
        state
    }};
}

pub(crate) use contents;
