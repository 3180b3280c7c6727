//! A violation, in words.

use std::fmt::{self, Write};

use super::dependency::Reason;
use super::graph::Edge;
use super::order::{Node, Order};
use super::state::Span;
use super::violation::{Anomaly, Violation};
use crate::testing::history::record::BY_KEY;

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, from, to } = self;
        match *index {
            BY_KEY => write!(f, "the keys from {from} to {to}"),
            index => write!(f, "index {index} from {from} to {to}"),
        }
    }
}

/// The reason, between transactions with these names.
fn say(reason: Reason, from: &str, to: &str) -> String {
    match reason {
        Reason::Replaced { key } => format!("{to} replaced what {from} had written at key {key}"),
        Reason::Read { key } => format!("{to} read key {key} as {from} had left it"),
        Reason::Emptied { key, span } => {
            format!("{to} did not find key {key} in {span}, which {from} had taken out")
        }
        Reason::Overwritten { key } => {
            format!("{from} read key {key} as it was before {to} wrote it")
        }
        Reason::Missed { key, span } => {
            format!("{from} did not find key {key} in {span}, where {to} put it")
        }
        Reason::Ended => format!("{from} had ended before {to} began"),
        Reason::Version => format!("{from} has the lower version"),
    }
}

impl Order<'_> {
    /// A violation that is no cycle; `words` name the transactions T1, T2.
    pub(super) fn violation(&self, anomaly: Anomaly, nodes: &[Node], words: &str) -> Violation {
        let mut text = format!("{words}.");
        self.introduce(&mut text, nodes);
        Violation {
            anomaly,
            transactions: nodes.iter().map(|node| *node as usize).collect(),
            words: text,
        }
    }

    /// A cycle of edges between places of which the first are these transactions, the others
    /// moments, which are passed over.
    pub(super) fn cycle(&self, anomaly: Anomaly, nodes: &[Node], edges: &[Edge]) -> Violation {
        let begins = edges.iter().position(|edge| edge.from < nodes.len());
        let mut edges = edges.to_vec();
        edges.rotate_left(begins.unwrap_or(0));
        let steps: Vec<&Edge> = edges
            .iter()
            .filter(|edge| edge.from < nodes.len())
            .collect();
        let on: Vec<Node> = steps.iter().map(|edge| nodes[edge.from]).collect();
        let name = |at: usize| format!("T{}", at % on.len() + 1);
        let mut words = String::new();
        for (at, edge) in steps.iter().enumerate() {
            let (from, to) = (name(at), name(at + 1));
            let why = say(edge.reason, &from, &to);
            let end = if at + 1 == on.len() { "." } else { ";" };
            // Writing to a text does not fail.
            let _ = writeln!(words, "{from} comes before {to}: {why}{end}");
        }
        let mut words = words.trim_end().to_owned();
        self.introduce(&mut words, &on);
        Violation {
            anomaly,
            transactions: on.iter().map(|node| *node as usize).collect(),
            words,
        }
    }

    fn introduce(&self, words: &mut String, nodes: &[Node]) {
        for (at, node) in nodes.iter().enumerate() {
            let _ = write!(
                words,
                "\nT{} is place {node}: {}",
                at + 1,
                self.record(*node)
            );
        }
    }
}
