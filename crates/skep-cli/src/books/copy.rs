//! A table of the store, rebuilt from its events.

use std::collections::HashMap;
use std::fmt;

use skep::{Change, Object, Snapshot, Version};

use super::fault::Fault;

/// A table's objects with the versions that wrote them.
#[derive(Debug)]
pub struct Copy<T: Object> {
    objects: HashMap<T::Key, (T, Version)>,
}

impl<T: Object> Default for Copy<T> {
    fn default() -> Self {
        Self {
            objects: HashMap::new(),
        }
    }
}

impl<T> Copy<T>
where
    T: Object + PartialEq + fmt::Debug,
    T::Key: fmt::Debug,
{
    /// Makes a change, which must follow from what is there.
    pub fn apply(&mut self, version: Version, change: &Change<'_, T>) -> Result<(), Fault> {
        let (old, new) = (change.old(), change.new());
        let Some(key) = old.or(new).map(Object::key) else {
            return Err(self.wrong(version, &"?", "a change of nothing to nothing"));
        };
        let before = match new {
            Some(new) => self.objects.insert(key.clone(), (new.clone(), version)),
            None => self.objects.remove(&key),
        };
        match (before, old) {
            (None, None) => Ok(()),
            (Some((before, _)), Some(old)) if before == *old => Ok(()),
            (Some(_), Some(_)) => {
                Err(self.wrong(version, &key, "the event's old image is not what was there"))
            }
            (Some(_), None) => Err(self.wrong(version, &key, "created, but it was there")),
            (None, Some(_)) => Err(self.wrong(version, &key, "changed, but it was not there")),
        }
    }

    fn wrong(&self, version: Version, key: &dyn fmt::Debug, what: &str) -> Fault {
        let key = format!("{key:?}");
        Fault::WrongEvent {
            version,
            table: T::TABLE,
            key,
            what: what.to_owned(),
        }
    }

    /// An object.
    pub fn get(&self, key: &T::Key) -> Option<&T> {
        self.objects.get(key).map(|(object, _)| object)
    }

    /// All objects, in no order.
    pub fn objects(&self) -> impl Iterator<Item = &T> {
        self.objects.values().map(|(object, _)| object)
    }

    /// Compares with the table in a snapshot of the version that the copy is at, object by
    /// object, and calls `found` with each difference.
    pub fn compare(&self, snapshot: &Snapshot, mut found: impl FnMut(Fault)) {
        let version = snapshot.version();
        let mut differs = |key: &T::Key, what: String| {
            let key = format!("{key:?}");
            found(Fault::CopyDiffers {
                version,
                table: T::TABLE,
                key,
                what,
            });
        };
        let mut there = 0;
        for entry in snapshot.find(skep::keys::<T>().all()).entries() {
            there += 1;
            let key = entry.key();
            match self.objects.get(&key) {
                None => differs(&key, "it is in the store and in no event".to_owned()),
                Some((object, _)) if *object != *entry => {
                    differs(
                        &key,
                        format!("the events say {object:?}, the store {:?}", *entry),
                    );
                }
                Some((_, written)) if *written != entry.meta().version => {
                    let stored = entry.meta().version;
                    differs(
                        &key,
                        format!("written at {written} by the events, not at {stored}"),
                    );
                }
                Some(_) => {}
            }
        }
        if there < self.objects.len() {
            for key in self.objects.keys() {
                if snapshot.get::<T>(key).is_none() {
                    differs(key, "it is in the events and not in the store".to_owned());
                }
            }
        }
    }
}
