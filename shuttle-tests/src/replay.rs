//! A store rebuilt from what a watcher gives, as exact as the watcher is: every change must fit
//! what was there before it, in the order of versions, and nothing may come twice.

use std::collections::BTreeMap;

use skep::{AnyChange, Event, Snapshot, Version};

use crate::items::{Item, Shown, show, shown};

/// Which items are looked at.
pub type Asked = fn(&Item) -> bool;

/// What a watcher's events come to.
pub struct Replay {
    items: BTreeMap<u64, Shown>,
    asked: Asked,
    /// The last commit that is whole.
    at: Version,
    /// Keys that the commit under way has changed.
    changed: Vec<(u64, Version)>,
    /// What each key's change is to come after: that is per key where changes become one.
    given: BTreeMap<u64, Version>,
    begun: Version,
}

impl Replay {
    /// Of what comes after a snapshot.
    pub fn after(snapshot: &Snapshot, asked: Asked) -> Self {
        shown(snapshot);
        let all = snapshot.find(skep::keys::<Item>().all());
        let items = all.filter(|item| asked(item)).map(|it| (it.key, show(it)));
        Self {
            items: items.collect(),
            asked,
            at: snapshot.version(),
            changed: Vec::new(),
            given: BTreeMap::new(),
            begun: snapshot.version(),
        }
    }

    pub fn at(&self) -> Version {
        self.at
    }

    pub fn has(&self, key: u64) -> bool {
        self.items.contains_key(&key)
    }

    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Change(change) => self.change(change),
            Event::Commit(version) => {
                assert!(*version > self.at, "{version} after {}", self.at);
                let of_it = |(_, changed): &(u64, Version)| changed == version;
                assert!(self.changed.iter().all(of_it), "a change of another commit");
                self.changed.clear();
                self.at = *version;
            }
        }
    }

    fn change(&mut self, change: &AnyChange) {
        assert!(
            change.version() > self.at,
            "a change of a commit that is over"
        );
        let typed = change.of::<Item>().expect("there is one table");
        let asked = |item: &&Item| (self.asked)(item.certify());
        let (old, new) = (typed.old().filter(asked), typed.new().filter(asked));
        let either = typed.new().or(typed.old()).expect("one of them is there");
        let key = either.key;
        assert!(
            self.changed.iter().all(|(it, _)| *it != key),
            "twice in a commit"
        );
        self.changed.push((key, change.version()));
        let given = self.given.insert(key, change.version());
        let covers = change.since() > given.unwrap_or(self.begun);
        assert!(covers, "it covers what was given before");
        let before = self.items.remove(&key);
        assert_eq!(before, old.map(show), "not what was there before");
        if let Some(new) = new {
            self.items.insert(key, show(new));
        }
    }

    /// Asserts that it has come to what a snapshot shows.
    pub fn assert_equal(&self, snapshot: &Snapshot) {
        let all = snapshot.find(skep::keys::<Item>().all());
        let items: Vec<Shown> = all.filter(|item| (self.asked)(item)).map(show).collect();
        let replayed: Vec<Shown> = self.items.values().copied().collect();
        assert_eq!(replayed, items, "the events come to something else");
    }
}
