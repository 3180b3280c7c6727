//! The dependency graph of a part of the history.
//!
//! Who ended before whom began are n squared pairs; here they are 3 n edges: each end is a moment,
//! a node of the graph, moments follow one another, and whoever begins comes after the last moment
//! before that.

use std::collections::{BTreeSet, HashMap};

use super::dependency::{Bounds, Dependencies, Dependency, Reason};
use super::order::{Node, Order};
use crate::testing::history::record::Operation;

/// Reads of ranges, times writes, that a graph compares: beyond, it has of what was not found in
/// ranges only the keys that suspects missed, or nothing, and a cycle may get a lesser name.
const COMPARISONS_MAX: usize = 1 << 28;

/// A set of kinds of edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    pub(super) const WRITES: Self = Self(1);
    pub(super) const READS: Self = Self(2);
    pub(super) const ITEM_ANTI: Self = Self(4);
    pub(super) const PREDICATE_ANTI: Self = Self(8);
    pub(super) const REAL_TIME: Self = Self(16);
    pub(super) const VERSIONS: Self = Self(32);

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn has(self, reason: Reason) -> bool {
        let kind = match reason {
            Reason::Replaced { .. } => Self::WRITES,
            Reason::Read { .. } | Reason::Emptied { .. } => Self::READS,
            Reason::Overwritten { .. } => Self::ITEM_ANTI,
            Reason::Missed { .. } => Self::PREDICATE_ANTI,
            Reason::Ended => Self::REAL_TIME,
            Reason::Version => Self::VERSIONS,
        };
        self.0 & kind.0 != 0
    }
}

/// An edge between places of the graph.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) reason: Reason,
}

/// Transactions at the first places, moments at the others.
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    /// By their `from`.
    pub(super) edges: Vec<Edge>,
    /// Where the edges from a place begin; one more than there are places.
    pub(super) starts: Vec<usize>,
}

impl Graph {
    /// Of these transactions, which follow one another in the order of versions.
    pub(super) fn of(
        dependencies: &Dependencies<'_, '_>,
        nodes: &[Node],
        missed: &BTreeSet<u64>,
    ) -> Self {
        let order = dependencies.order;
        let places: HashMap<Node, usize> = nodes.iter().copied().zip(0..).collect();
        let mut edges = Vec::new();
        let mut emit = |Dependency { from, to, reason }| {
            // Who is outside is on no cycle in here.
            if let (Some(from), Some(to)) = (places.get(&from), places.get(&to)) {
                edges.push(Edge {
                    from: *from,
                    to: *to,
                    reason,
                });
            }
        };
        let written = written(order, nodes);
        let keys: BTreeSet<u64> = written.iter().copied().collect();
        for key in &keys {
            dependencies.of_key(*key, &mut emit);
        }
        let looks = looks(order, nodes);
        let is_affordable = |candidates: &BTreeSet<u64>| {
            let writes = written.iter().filter(|key| candidates.contains(key));
            looks.saturating_mul(writes.count()) <= COMPARISONS_MAX
        };
        let candidates = [&keys, missed].into_iter().find(|keys| is_affordable(keys));
        let none = BTreeSet::new();
        let candidates = candidates.unwrap_or(&none);
        let bounds = bounds(order, nodes);
        for node in nodes {
            dependencies.of_reads(*node, candidates, bounds, &mut emit);
        }
        versions(order, nodes, &mut edges);
        real_time(order, nodes, &mut edges);
        Self::with(nodes, edges)
    }

    fn with(nodes: &[Node], mut edges: Vec<Edge>) -> Self {
        edges.sort_by_key(|edge| edge.from);
        let mut starts = Vec::with_capacity(nodes.len() * 2 + 1);
        for place in 0..=nodes.len() * 2 {
            starts.push(edges.partition_point(|edge| edge.from < place));
        }
        Self {
            nodes: nodes.to_vec(),
            edges,
            starts,
        }
    }

    /// How many places there are.
    pub(super) fn places(&self) -> usize {
        self.starts.len() - 1
    }
}

/// The keys that they write, each as often as they do.
fn written(order: &Order<'_>, nodes: &[Node]) -> Vec<u64> {
    let writers = nodes.iter().filter(|node| order.point(**node).is_writer());
    let operations = writers.flat_map(|node| order.operations(*node));
    let keys = operations.filter_map(|(_, operation)| match operation {
        Operation::Put { key, .. } | Operation::Delete { key } => Some(key),
        _ => None,
    });
    keys.collect()
}

/// How often they look for what may not be there.
fn looks(order: &Order<'_>, nodes: &[Node]) -> usize {
    let operations = nodes.iter().flat_map(|node| order.operations(*node));
    let looks = operations.filter(|(_, operation)| {
        matches!(
            operation,
            Operation::Find { .. } | Operation::Get { seen: None, .. }
        )
    });
    looks.count()
}

fn bounds(order: &Order<'_>, nodes: &[Node]) -> Bounds {
    let version = |node: Option<&Node>| node.map_or(0, |node| order.point(*node).version());
    Bounds {
        from: version(nodes.first()),
        to: version(nodes.last()),
    }
}

/// Each reader after the writer of its version and before the next one, and writers after writers.
fn versions(order: &Order<'_>, nodes: &[Node], edges: &mut Vec<Edge>) {
    let reason = Reason::Version;
    let mut writer = None;
    let mut readers = Vec::new();
    for (place, node) in nodes.iter().enumerate() {
        edges.extend(writer.map(|from| Edge {
            from,
            to: place,
            reason,
        }));
        if order.point(*node).is_writer() {
            let to = place;
            edges.extend(readers.drain(..).map(|from| Edge { from, to, reason }));
            writer = Some(place);
        } else {
            readers.push(place);
        }
    }
}

/// The moments stand behind the transactions, in the order of time.
fn real_time(order: &Order<'_>, nodes: &[Node], edges: &mut Vec<Edge>) {
    let reason = Reason::Ended;
    let mut ended: Vec<usize> = (0..nodes.len()).collect();
    ended.sort_unstable_by_key(|place| order.ended(nodes[*place]));
    for (moment, from) in ended.iter().enumerate() {
        let to = nodes.len() + moment;
        edges.push(Edge {
            from: *from,
            to,
            reason,
        });
        if moment > 0 {
            edges.push(Edge {
                from: to - 1,
                to,
                reason,
            });
        }
    }
    for (to, node) in nodes.iter().enumerate() {
        let begun = order.record(*node).begun;
        let past = ended.partition_point(|place| order.ended(nodes[*place]) < begun);
        if let Some(moment) = past.checked_sub(1) {
            edges.push(Edge {
                from: nodes.len() + moment,
                to,
                reason,
            });
        }
    }
}
