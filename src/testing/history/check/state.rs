//! What a store holds at a version, as a history's writes make it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::order::{Order, Point};
use crate::testing::history::record::{History, Operation, Outcome, TransactionRecord};
use crate::version::Version;

/// An object, as somebody wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) key: u64,
    pub(super) stamp: u64,
    pub(super) version: u64,
    put: usize,
}

/// A range of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) index: u32,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Span {
    /// Whether the object of a `Put` is in it.
    pub(super) fn has(self, order: &Order<'_>, put: usize) -> bool {
        let mut places = order.places(put);
        places.any(|(index, value)| index == self.index && (self.from..=self.to).contains(&value))
    }
}

/// All objects, and where they are in the indexes.
#[derive(Default)]
pub(super) struct State {
    objects: HashMap<u64, Held>,
    /// Index, value and key.
    places: BTreeSet<(u32, u64, u64)>,
}

impl State {
    pub(super) fn get(&self, key: u64) -> Option<Held> {
        self.objects.get(&key).copied()
    }

    /// By index value, then by key; an object with several values in the span comes several times.
    pub(super) fn find(&self, span: Span) -> impl Iterator<Item = Held> + '_ {
        let Span { index, from, to } = span;
        // A range whose end is before its beginning has nothing.
        let to = (from <= to).then_some(to);
        let places = to.map(|to| self.places.range((index, from, 0)..=(index, to, u64::MAX)));
        places
            .into_iter()
            .flatten()
            .map(|(_, _, key)| self.objects[key])
    }

    /// Applies what a transaction at a point wrote last of each key: the place of its `Put`, or
    /// none, if that deleted it.
    pub(super) fn apply(
        &mut self,
        order: &Order<'_>,
        point: Point,
        writes: &BTreeMap<u64, Option<usize>>,
    ) {
        for (key, put) in writes {
            if let Some(old) = self.objects.remove(key) {
                for (index, value) in order.places(old.put) {
                    self.places.remove(&(index, value, *key));
                }
            }
            let Some(put) = *put else { continue };
            let Operation::Put { stamp, .. } = order.history.operations[put] else {
                unreachable!("the place of a put");
            };
            for (index, value) in order.places(put) {
                self.places.insert((index, value, *key));
            }
            let held = Held {
                key: *key,
                stamp,
                version: point.version(),
                put,
            };
            self.objects.insert(*key, held);
        }
    }

    /// A history that makes this state, and nothing else: each object's writer without what else it
    /// did, at the beginning of time.
    pub(super) fn as_history(&self, order: &Order<'_>) -> History {
        let mut history = History::default();
        let mut held: Vec<&Held> = self.objects.values().collect();
        held.sort_unstable_by_key(|held| (held.version, held.key));
        for held in held {
            let version = Version::new(held.version);
            let outcome = Outcome::Committed(version);
            let first = history.operations.len();
            if history
                .transactions
                .last()
                .is_none_or(|last| last.outcome != outcome)
            {
                history.transactions.push(TransactionRecord {
                    thread: 0,
                    begun: 0,
                    ended: 0,
                    snapshot: Version::ZERO,
                    outcome,
                    first,
                    operations: 0,
                });
            }
            let operations = &mut history.operations;
            operations.push(order.history.operations[held.put]);
            let places = order.places(held.put).skip(1);
            operations.extend(places.map(|(index, value)| Operation::At { index, value }));
            let record = history.transactions.last_mut().expect("pushed above");
            record.operations += history.operations.len() - first;
        }
        history
    }
}
