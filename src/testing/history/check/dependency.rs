//! Which transaction depends on which: the edges of Adya's direct serialization graph, from the
//! order in which each key was written.
//!
//! A read of a range reads each key that ever was in it, there or not. Of a key that was not found,
//! the history does not say which of the versions outside the range was meant: it is taken to be
//! the one at the reader's own place, and if that one is inside, the last before that is not.

use std::collections::{BTreeSet, HashMap};

use super::order::{Node, Order};
use super::state::Span;
use crate::testing::history::record::{BY_KEY, Operation, Seen};

/// Why one transaction comes before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// The other replaced what the one had written.
    Replaced { key: u64 },
    /// The other read what the one had written.
    Read { key: u64 },
    /// The other did not find in a range what the one had taken out of it.
    Emptied { key: u64, span: Span },
    /// The one read what the other replaced.
    Overwritten { key: u64 },
    /// The one did not find in a range what the other put into it.
    Missed { key: u64, span: Span },
    /// The one ended before the other began.
    Ended,
    /// The one has the lower version.
    Version,
}

/// An edge.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dependency {
    pub(super) from: Node,
    pub(super) to: Node,
    pub(super) reason: Reason,
}

impl Dependency {
    /// The same of a look for one object, which is a range of one key.
    fn of_item(self) -> Self {
        let reason = match self.reason {
            Reason::Missed { key, .. } => Reason::Overwritten { key },
            Reason::Emptied { key, .. } => Reason::Read { key },
            reason => reason,
        };
        Self { reason, ..self }
    }
}

/// The last that a transaction wrote of a key.
#[derive(Clone, Copy, Debug)]
struct Placed {
    version: u64,
    node: Node,
    /// None: it deleted it.
    put: Option<usize>,
}

/// Between which versions edges are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) from: u64,
    pub(super) to: u64,
}

impl Bounds {
    pub(super) const NONE: Self = Self {
        from: 0,
        to: u64::MAX,
    };
}

/// How each key was written, oldest first.
pub(super) struct Dependencies<'o, 'h> {
    pub(super) order: &'o Order<'h>,
    misplaced: &'o HashMap<u64, u64>,
    chains: HashMap<u64, Vec<Placed>>,
}

impl<'o, 'h> Dependencies<'o, 'h> {
    /// `misplaced` are stamps with the versions that they were seen at.
    pub(super) fn of(order: &'o Order<'h>, misplaced: &'o HashMap<u64, u64>) -> Self {
        let mut chains: HashMap<u64, Vec<Placed>> = HashMap::new();
        let writers = order
            .nodes
            .iter()
            .filter(|node| order.point(**node).is_writer());
        for node in writers {
            let version = order.point(*node).version();
            for (place, operation) in order.operations(*node) {
                let (key, placed) = match operation {
                    Operation::Put { key, stamp } => {
                        let version = misplaced.get(&stamp).copied().unwrap_or(version);
                        (
                            key,
                            Placed {
                                version,
                                node: *node,
                                put: Some(place),
                            },
                        )
                    }
                    Operation::Delete { key } => (
                        key,
                        Placed {
                            version,
                            node: *node,
                            put: None,
                        },
                    ),
                    _ => continue,
                };
                let chain = chains.entry(key).or_default();
                // Nobody sees what a transaction wrote over itself.
                chain.pop_if(|last| last.node == *node);
                chain.push(placed);
            }
        }
        for chain in chains.values_mut() {
            chain.sort_by_key(|placed| placed.version);
        }
        Self {
            order,
            misplaced,
            chains,
        }
    }

    /// The edges between those who wrote a key.
    pub(super) fn of_key(&self, key: u64, emit: &mut impl FnMut(Dependency)) {
        let reason = Reason::Replaced { key };
        for pair in self
            .chains
            .get(&key)
            .map_or(&[][..], Vec::as_slice)
            .windows(2)
        {
            emit(Dependency {
                from: pair[0].node,
                to: pair[1].node,
                reason,
            });
        }
    }

    /// The edges from and to a transaction by what it read; of what it did not find in ranges, for
    /// the keys in `candidates`.
    pub(super) fn of_reads(
        &self,
        node: Node,
        candidates: &BTreeSet<u64>,
        bounds: Bounds,
        emit: &mut impl FnMut(Dependency),
    ) {
        let mut own = BTreeSet::new();
        for (place, operation) in self.order.operations(node) {
            match operation {
                Operation::Put { key, .. } | Operation::Delete { key } => drop(own.insert(key)),
                Operation::Get { key, .. } if own.contains(&key) => {}
                Operation::Get {
                    key,
                    seen: Some(seen),
                } => self.of_seen(node, key, seen, emit),
                Operation::Get { key, seen: None } => {
                    let span = Span {
                        index: BY_KEY,
                        from: key,
                        to: key,
                    };
                    let mut emit = |edge: Dependency| emit(edge.of_item());
                    self.of_absent(node, key, span, bounds, &mut emit);
                }
                Operation::Find { index, from, to } => {
                    let mut known = own.clone();
                    for (key, seen) in self.order.found(place, node) {
                        if known.insert(key) {
                            self.of_seen(node, key, seen, emit);
                        }
                    }
                    for key in candidates.difference(&known) {
                        self.of_absent(node, *key, Span { index, from, to }, bounds, emit);
                    }
                }
                Operation::Found { .. } | Operation::At { .. } => {}
            }
        }
    }

    fn of_seen(&self, node: Node, key: u64, seen: Seen, emit: &mut impl FnMut(Dependency)) {
        let (Some(write), Some(chain)) =
            (self.order.writes.get(&seen.stamp), self.chains.get(&key))
        else {
            return;
        };
        let reason = Reason::Read { key };
        emit(Dependency {
            from: write.node,
            to: node,
            reason,
        });
        let own = self.order.point(write.node).version();
        let version = self.misplaced.get(&seen.stamp).copied().unwrap_or(own);
        let after = chain.partition_point(|placed| placed.version <= version);
        let next = chain.get(after).filter(|next| next.node != node);
        if let Some(next) = next {
            let reason = Reason::Overwritten { key };
            emit(Dependency {
                from: node,
                to: next.node,
                reason,
            });
        }
    }

    fn of_absent(
        &self,
        node: Node,
        key: u64,
        span: Span,
        bounds: Bounds,
        emit: &mut impl FnMut(Dependency),
    ) {
        let Some(chain) = self.chains.get(&key) else {
            return;
        };
        // `count` writes were done: is the key in the span then?
        let inside = |count: usize| {
            let put = count.checked_sub(1).and_then(|last| chain[last].put);
            put.is_some_and(|put| span.has(self.order, put))
        };
        let reads = self.order.point(node).reads();
        let now = chain.partition_point(|placed| placed.version <= reads);
        let meant = (0..=now).rfind(|count| !inside(*count)).unwrap_or(0);
        let within = chain[meant..]
            .iter()
            .take_while(|placed| placed.version <= bounds.to);
        let mut later = meant + 1..=meant + within.count();
        // Its own write puts it there: whoever writes after that follows by the order of writes.
        let next = later
            .find(|count| inside(*count))
            .map(|count| chain[count - 1]);
        if let Some(next) = next.filter(|next| next.node != node) {
            let reason = Reason::Missed { key, span };
            emit(Dependency {
                from: node,
                to: next.node,
                reason,
            });
        }
        let earlier = (1..=meant).rev();
        let mut earlier = earlier.take_while(|count| chain[count - 1].version >= bounds.from);
        let emptied = earlier.find(|count| !inside(*count) && inside(count - 1));
        let by = emptied.map(|count| chain[count - 1].node);
        if let Some(by) = by.filter(|by| *by != node) {
            let reason = Reason::Emptied { key, span };
            emit(Dependency {
                from: by,
                to: node,
                reason,
            });
        }
    }
}
