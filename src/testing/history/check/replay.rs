//! The proof: all transactions are run again, one after another in the order of their versions, and
//! each must see exactly what it saw.
//!
//! If all do, that order is a serial execution with the same results; if it agrees with who ended
//! before whom began ([`super::real_time`]), the history is strictly serializable, and there is
//! nothing more to show. A transaction that sees anything else is a suspect.

use std::collections::{BTreeMap, HashMap};

use super::Report;
use super::order::{Node, Order};
use super::state::{Held, Span, State};
use super::violation::{Anomaly, Violation};
use crate::testing::history::record::{Operation, Outcome, Seen};

/// A read that shows another state than the one at its transaction's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect {
    pub(super) node: Node,
    pub(super) key: u64,
    pub(super) seen: Option<Seen>,
    pub(super) expected: Option<Held>,
}

/// What the replay found.
#[derive(Default)]
pub(super) struct Doubts {
    pub(super) suspects: Vec<Suspect>,
    /// Stamps that were seen as of another version than their writer's.
    pub(super) misplaced: HashMap<u64, u64>,
}

pub(super) struct Replay<'o, 'h> {
    order: &'o Order<'h>,
    state: State,
    /// What the transaction that runs has written so far: places of a `Put`, none for a deletion.
    own: BTreeMap<u64, Option<usize>>,
    report: Report,
    doubts: Doubts,
}

impl<'o, 'h> Replay<'o, 'h> {
    /// Linear in the operations, but for the logarithm of an ordered map's size.
    pub(super) fn run(order: &'o Order<'h>) -> Result<(Report, Doubts), Violation> {
        let mut replay = Self {
            order,
            state: State::default(),
            own: BTreeMap::new(),
            report: Report::default(),
            doubts: Doubts::default(),
        };
        for node in &order.nodes {
            replay.transaction(*node)?;
        }
        let Self {
            state,
            mut report,
            doubts,
            ..
        } = replay;
        report.end = state.as_history(order);
        Ok((report, doubts))
    }

    fn transaction(&mut self, node: Node) -> Result<(), Violation> {
        self.own.clear();
        for (place, operation) in self.order.operations(node) {
            match operation {
                Operation::Get { key, seen } => self.get(node, key, seen)?,
                Operation::Find { index, from, to } => {
                    self.find(node, place, Span { index, from, to })?;
                }
                Operation::Put { key, .. } => drop(self.own.insert(key, Some(place))),
                Operation::Delete { key } => drop(self.own.insert(key, None)),
                Operation::Found { .. } | Operation::At { .. } => {}
            }
        }
        let point = self.order.point(node);
        if point.is_writer() {
            self.report.writes += self.own.len() as u64;
            self.state.apply(self.order, point, &self.own);
        }
        self.report.count(point, self.order.record(node).outcome);
        Ok(())
    }

    fn get(&mut self, node: Node, key: u64, seen: Option<Seen>) -> Result<(), Violation> {
        self.report.reads += 1;
        match self.own.get(&key) {
            Some(own) => self.compare_own(node, key, *own, seen),
            None => self.compare(node, key, self.state.get(key), seen),
        }
    }

    /// Compares what was found with what the span holds, both by key.
    fn find(&mut self, node: Node, place: usize, span: Span) -> Result<(), Violation> {
        self.report.finds += 1;
        let mut found: Vec<(u64, Seen)> = self.order.found(place, node).collect();
        found.sort_unstable_by_key(|(key, _)| *key);
        if let Some(pair) = found.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let words = format!("key {} was found twice by one query", pair[0].0);
            return Err(self.order.violation(Anomaly::Malformed, &[node], &words));
        }
        self.report.found += found.len() as u64;
        let held = self.state.find(span).map(|held| (held.key, Some(held)));
        let held = held.filter(|(key, _)| !self.own.contains_key(key));
        let own = self
            .own
            .iter()
            .filter(|(_, put)| put.is_some_and(|put| span.has(self.order, put)));
        let mut expected: Vec<_> = held.chain(own.map(|(key, _)| (*key, None))).collect();
        expected.sort_unstable_by_key(|(key, _)| *key);
        expected.dedup_by_key(|(key, _)| *key);
        let (mut found, mut expected) = (
            found.into_iter().peekable(),
            expected.into_iter().peekable(),
        );
        loop {
            let next = match (found.peek(), expected.peek()) {
                (None, None) => return Ok(()),
                (Some((key, _)), None) | (None, Some((key, _))) => *key,
                (Some((one, _)), Some((other, _))) => *one.min(other),
            };
            let seen = found.next_if(|(key, _)| *key == next).map(|(_, seen)| seen);
            let held = expected
                .next_if(|(key, _)| *key == next)
                .and_then(|(_, held)| held);
            match self.own.get(&next) {
                Some(own) => {
                    let own = own.filter(|put| span.has(self.order, *put));
                    self.compare_own(node, next, own, seen)?;
                }
                None => self.compare_in(node, next, held, seen, span)?,
            }
        }
    }

    fn compare_own(
        &self,
        node: Node,
        key: u64,
        put: Option<usize>,
        seen: Option<Seen>,
    ) -> Result<(), Violation> {
        let stamp = put.map(|put| match self.order.history.operations[put] {
            Operation::Put { stamp, .. } => stamp,
            _ => unreachable!("the place of a put"),
        });
        if stamp == seen.map(|seen| seen.stamp) {
            return Ok(());
        }
        let words = format!("T1 had written key {key}, and then saw something else there");
        Err(self.order.violation(Anomaly::OwnWrite, &[node], &words))
    }

    fn compare_in(
        &mut self,
        node: Node,
        key: u64,
        held: Option<Held>,
        seen: Option<Seen>,
        span: Span,
    ) -> Result<(), Violation> {
        let write = seen.and_then(|seen| self.order.writes.get(&seen.stamp));
        if held.is_none() && write.is_some_and(|write| !span.has(self.order, write.put)) {
            let words = format!("T1 found key {key} in {span}, where it is not as T2 wrote it");
            let nodes = [node, write.map_or(node, |write| write.node)];
            return Err(self.order.violation(Anomaly::Unwritten, &nodes, &words));
        }
        self.compare(node, key, held, seen)
    }

    fn compare(
        &mut self,
        node: Node,
        key: u64,
        held: Option<Held>,
        seen: Option<Seen>,
    ) -> Result<(), Violation> {
        let alike = match (held, seen) {
            (None, None) => true,
            (Some(held), Some(seen)) => held.stamp == seen.stamp && seen.is_of(held.version),
            _ => false,
        };
        if alike {
            return Ok(());
        }
        if let Some(seen) = seen {
            self.judge(node, key, seen)?;
        }
        self.doubts.suspects.push(Suspect {
            node,
            key,
            seen,
            expected: held,
        });
        Ok(())
    }

    /// Whether what was seen could be seen by anybody, ever.
    fn judge(&mut self, node: Node, key: u64, seen: Seen) -> Result<(), Violation> {
        let order = self.order;
        let Some(write) = order.writes.get(&seen.stamp) else {
            let words = format!(
                "T1 saw stamp {} at key {key}: nobody wrote it, or it was gone before the history",
                seen.stamp
            );
            return Err(order.violation(Anomaly::Unwritten, &[node], &words));
        };
        let is_put = |operation| matches!(operation, Operation::Put { key: own, .. } if own == key);
        let is_write = |operation| {
            is_put(operation) || matches!(operation, Operation::Delete { key: own } if own == key)
        };
        let point = order.point(write.node);
        let mut later = order
            .operations(write.node)
            .filter(|(place, _)| *place > write.put);
        let fault = if !is_put(order.history.operations[write.put]) {
            Some((Anomaly::Unwritten, "what T2 wrote to another"))
        } else if write.node == node {
            Some((Anomaly::OwnWrite, "what it, as T2, wrote only later"))
        } else if !point.is_writer() {
            Some((Anomaly::G1a, "what T2 wrote, which was not committed"))
        } else if later.any(|(_, operation)| is_write(operation)) {
            Some((Anomaly::G1b, "what T2 wrote first, not what it wrote last"))
        } else {
            None
        };
        if let Some((anomaly, what)) = fault {
            let words = format!("T1 saw at key {key} {what}");
            return Err(order.violation(anomaly, &[node, write.node], &words));
        }
        if !seen.is_of(point.version()) {
            self.doubts.misplaced.insert(seen.stamp, seen.version.get());
        }
        Ok(())
    }
}

impl Report {
    fn count(&mut self, point: super::order::Point, outcome: Outcome) {
        let figure = match outcome {
            _ if point.is_writer() => &mut self.committed,
            Outcome::Committed(_) => &mut self.read_only,
            _ => &mut self.aborted,
        };
        *figure += 1;
    }
}
