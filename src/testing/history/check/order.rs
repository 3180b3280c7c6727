//! Where each transaction stands in the order that versions give, and who wrote what.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::violation::{Anomaly, Violation};
use crate::testing::history::record::{
    BY_KEY, History, Operation, Outcome, Seen, TransactionRecord,
};

/// A place in the order of versions: first the writer of a version, then those who read it and
/// wrote nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Point(u64);

impl Point {
    fn writer(version: u64) -> Self {
        Self(version << 1)
    }

    fn reader(version: u64) -> Self {
        Self(version << 1 | 1)
    }

    /// Before and after which all versions but this one lie.
    pub(super) fn of_version(version: u64) -> Self {
        Self::writer(version)
    }

    pub(super) fn is_writer(self) -> bool {
        self.0 & 1 == 0
    }

    pub(super) fn version(self) -> u64 {
        self.0 >> 1
    }

    /// The version whose state a transaction here reads: a writer, the one before its own.
    pub(super) fn reads(self) -> u64 {
        self.version() - u64::from(self.is_writer())
    }
}

/// A transaction, by its place in the history.
pub(super) type Node = u32;

/// Who wrote a stamp, and where among the history's operations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Write {
    pub(super) node: Node,
    pub(super) put: usize,
}

/// A history, ordered.
pub(super) struct Order<'h> {
    pub(super) history: &'h History,
    /// Of each transaction.
    pub(super) points: Vec<Point>,
    /// The transactions, by their points.
    pub(super) nodes: Vec<Node>,
    /// By stamp.
    pub(super) writes: HashMap<u64, Write>,
}

impl<'h> Order<'h> {
    /// O(n log n), for sorting.
    pub(super) fn of(history: &'h History) -> Result<Self, Violation> {
        let mut order = Self {
            history,
            points: Vec::with_capacity(history.transactions.len()),
            nodes: Vec::new(),
            writes: HashMap::new(),
        };
        for (at, record) in history.transactions.iter().enumerate() {
            let node = u32::try_from(at).map_err(|_| malformed(at, "one transaction too many"))?;
            order
                .admit(node, record)
                .map_err(|why| malformed(at, why))?;
        }
        let resolved = order.resolved()?;
        for (at, record) in history.transactions.iter().enumerate() {
            order
                .points
                .push(point(record, resolved.get(&(at as Node))));
        }
        order.nodes = (0..order.points.len() as Node).collect();
        let points = &order.points;
        order
            .nodes
            .sort_unstable_by_key(|node| (points[*node as usize], *node));
        let mut pairs = order.nodes.windows(2);
        let twice = pairs.find(|pair| {
            let point = points[pair[0] as usize];
            point.is_writer() && point == points[pair[1] as usize]
        });
        match twice {
            None => Ok(order),
            Some(pair) => Err(malformed(pair[1] as usize, "a version is another's, too")),
        }
    }

    /// Notes what a transaction wrote, if its record is well-formed.
    fn admit(&mut self, node: Node, record: &TransactionRecord) -> Result<(), &'static str> {
        let end = record.first.checked_add(record.operations);
        let operations = end.and_then(|end| self.history.operations.get(record.first..end));
        let operations = operations.ok_or("its operations are not there")?;
        if record.begun > record.ended {
            return Err("it ended before it began");
        }
        if matches!(record.outcome, Outcome::Committed(version) if version < record.snapshot) {
            return Err("its version is older than its snapshot");
        }
        let mut before = None;
        for (at, operation) in operations.iter().enumerate() {
            let follows = match operation {
                Operation::Found { .. } => {
                    matches!(
                        before,
                        Some(Operation::Find { .. } | Operation::Found { .. })
                    )
                }
                Operation::At { index, .. } => {
                    let after =
                        matches!(before, Some(Operation::Put { .. } | Operation::At { .. }));
                    after && *index != BY_KEY
                }
                _ => true,
            };
            if !follows {
                return Err("an operation that follows none of its kind");
            }
            if let Operation::Put { stamp, .. } = operation {
                let put = record.first + at;
                match self.writes.entry(*stamp) {
                    Entry::Vacant(place) => drop(place.insert(Write { node, put })),
                    Entry::Occupied(_) => return Err("a stamp that was used before"),
                }
            }
            before = Some(*operation);
        }
        Ok(())
    }

    /// The versions of indeterminate transactions of which another saw a write.
    fn resolved(&self) -> Result<HashMap<Node, u64>, Violation> {
        let mut resolved: HashMap<Node, u64> = HashMap::new();
        let records = &self.history.transactions;
        let is_open = |record: &TransactionRecord| record.outcome == Outcome::Indeterminate;
        if !records.iter().any(is_open) {
            return Ok(resolved);
        }
        for reader in 0..records.len() as Node {
            for (_, operation) in self.operations(reader) {
                let (Operation::Get {
                    seen: Some(seen), ..
                }
                | Operation::Found { seen, .. }) = operation
                else {
                    continue;
                };
                let write = self
                    .writes
                    .get(&seen.stamp)
                    .filter(|write| write.node != reader);
                if let Some(write) = write.filter(|write| is_open(self.record(write.node))) {
                    let version = resolved.entry(write.node).or_default();
                    *version = seen.version.get().max(*version);
                }
            }
        }
        let old = |(node, version): &(&Node, &u64)| **version <= self.record(**node).snapshot.get();
        match resolved.iter().find(old) {
            None => Ok(resolved),
            Some((node, _)) => {
                let why = "a write of it was seen, but at no version after its snapshot";
                Err(malformed(*node as usize, why))
            }
        }
    }

    pub(super) fn point(&self, node: Node) -> Point {
        self.points[node as usize]
    }

    pub(super) fn record(&self, node: Node) -> &'h TransactionRecord {
        &self.history.transactions[node as usize]
    }

    /// When it had ended. What nobody was told of may be committed at any time later.
    pub(super) fn ended(&self, node: Node) -> u64 {
        let record = self.record(node);
        match record.outcome {
            Outcome::Indeterminate => u64::MAX,
            _ => record.ended,
        }
    }

    /// The operations of a transaction, with their places in the history.
    pub(super) fn operations(&self, node: Node) -> impl Iterator<Item = (usize, Operation)> + 'h {
        let record = self.record(node);
        let operations = &self.history.operations[record.first..record.first + record.operations];
        let places = record.first..;
        places.zip(operations.iter().copied())
    }

    /// What was found by the `Find` at a place.
    pub(super) fn found(&self, find: usize, node: Node) -> impl Iterator<Item = (u64, Seen)> + 'h {
        let record = self.record(node);
        let rest = &self.history.operations[find + 1..record.first + record.operations];
        rest.iter().map_while(|operation| match operation {
            Operation::Found { key, seen } => Some((*key, *seen)),
            _ => None,
        })
    }

    /// The indexes' values that the object of a `Put` has, its key among them.
    pub(super) fn places(&self, put: usize) -> impl Iterator<Item = (u32, u64)> + 'h {
        let own = match self.history.operations[put] {
            Operation::Put { key, .. } => Some((BY_KEY, key)),
            _ => None,
        };
        let rest = self.history.operations[put + 1..].iter();
        own.into_iter()
            .chain(rest.map_while(|operation| match operation {
                Operation::At { index, value } => Some((*index, *value)),
                _ => None,
            }))
    }
}

fn point(record: &TransactionRecord, resolved: Option<&u64>) -> Point {
    let snapshot = record.snapshot.get();
    match (record.outcome, resolved) {
        (Outcome::Committed(version), _) if version > record.snapshot => {
            Point::writer(version.get())
        }
        (Outcome::Indeterminate, Some(version)) => Point::writer(*version),
        // What it read was shown to it, whatever became of it.
        _ => Point::reader(snapshot),
    }
}

fn malformed(transaction: usize, why: &str) -> Violation {
    Violation {
        anomaly: Anomaly::Malformed,
        transactions: vec![transaction],
        words: format!("transaction at place {transaction}: {why}"),
    }
}
