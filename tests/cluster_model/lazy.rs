//! Watchers that receive seldom and may have little waiting for them: each keeps a copy of what it
//! asks for, and has it whole once it has received all there is, whatever it lost on the way.

use std::collections::BTreeMap;

use skep::{Event, Overflow, Store, WatchError, Watcher};

use super::any::{Any, Row, TABLES, of_table};
use super::common::Random;
use super::looks::{Wish, filter_of};
use super::state::{Kept, Key, State, contents};
use super::verbs::told;

/// A watcher with a copy.
pub struct Lazy {
    watcher: Watcher,
    wishes: Vec<Wish>,
    copy: BTreeMap<Key, Any>,
}

/// What of a state is asked for.
fn asked(state: &State, wishes: &[Wish]) -> BTreeMap<Key, Any> {
    let asked = state.iter().filter(|(_, kept)| is_asked(&kept.any, wishes));
    asked.map(|(key, kept)| (*key, kept.any.clone())).collect()
}

fn is_asked(any: &Any, wishes: &[Wish]) -> bool {
    wishes.is_empty() || wishes.iter().any(|wish| wish.finds(any))
}

impl Lazy {
    /// One that begins with what there is now.
    pub fn begin(random: &mut Random, store: &Store, now: &State) -> Self {
        let wishes: Vec<Wish> = (0..random.below(3))
            .map(|_| Wish::of_objects(random))
            .collect();
        let overflow = match random.one_in(3) {
            true => Overflow::Lag,
            false => Overflow::Coalesce,
        };
        let events_max = 1 + random.below(12) as u32;
        let filter = filter_of(&wishes).overflow(overflow).events_max(events_max);
        let filter = match random.one_in(4) {
            true => filter.bytes_max(8 << 10),
            false => filter,
        };
        let copy = asked(now, &wishes);
        let watcher = store.watch(filter);
        Self {
            watcher,
            wishes,
            copy,
        }
    }

    /// Receives all there is; gives how often it was told that it had lost something.
    pub fn receive(&mut self, random: &mut Random, store: &Store, now: &State) -> u32 {
        let mut lags = 0;
        loop {
            match self.watcher.try_recv() {
                Ok(Some(Event::Change(change))) => {
                    let told = told(&change);
                    let new = told.new.filter(|new| is_asked(new, &self.wishes));
                    match new {
                        Some(new) => drop(self.copy.insert(told.key, new)),
                        None => drop(self.copy.remove(&told.key)),
                    }
                }
                Ok(Some(Event::Commit(_))) => {}
                Ok(None) => break,
                Err(WatchError::Lagged {
                    missed,
                    resume_from,
                }) => {
                    assert!(missed > 0);
                    lags += 1;
                    if random.one_in(2) && self.watcher.resume().is_ok() {
                        continue;
                    }
                    let snapshot = store.snapshot_at(resume_from);
                    let snapshot = snapshot.unwrap_or_else(|_| self.anew(store));
                    self.copy = asked(&contents!(&snapshot), &self.wishes);
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(self.copy, asked(now, &self.wishes), "{:?}", self.wishes);
        lags
    }

    fn anew(&mut self, store: &Store) -> skep::Snapshot {
        let (snapshot, watcher) = store.snapshot_and_watch(filter_of(&self.wishes));
        self.watcher = watcher;
        snapshot
    }
}
