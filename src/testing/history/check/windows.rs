//! Which parts of a history a reason for its failure can lie in.
//!
//! Most edges lead from a lower place in the order of versions to a higher one. A cycle needs edges
//! that lead back, and whatever it passes lies between the ends of such: whoever is passed on the
//! way up is passed over on the way down. So each cycle lies within one of the windows that the
//! backward edges, merged where they overlap, make; and all backward edges are of suspects.

use std::collections::BTreeSet;

use super::cycle::worst;
use super::dependency::{Bounds, Dependencies};
use super::graph::Graph;
use super::order::{Node, Order, Point};
use super::replay::{Doubts, Suspect};
use super::violation::{Anomaly, Violation};

/// From one point to another, both included.
type Window = (Point, Point);

/// The worst of what is wrong.
pub(super) fn explain(
    order: &Order<'_>,
    doubts: &Doubts,
    inversions: &[(Node, Node)],
) -> Violation {
    let dependencies = Dependencies::of(order, &doubts.misplaced);
    let missed: BTreeSet<u64> = doubts.suspects.iter().map(|suspect| suspect.key).collect();
    let mut found: Option<Violation> = None;
    for (low, high) in windows(&dependencies, doubts, inversions) {
        let from = order.nodes.partition_point(|node| order.point(*node) < low);
        let to = order
            .nodes
            .partition_point(|node| order.point(*node) <= high);
        let graph = Graph::of(&dependencies, &order.nodes[from..to], &missed);
        let Some((anomaly, cycle)) = worst(&graph) else {
            continue;
        };
        if found.as_ref().is_none_or(|found| anomaly < found.anomaly) {
            found = Some(order.cycle(anomaly, &graph.nodes, &cycle));
        }
    }
    found.unwrap_or_else(|| unlike(order, doubts))
}

fn windows(
    dependencies: &Dependencies<'_, '_>,
    doubts: &Doubts,
    inversions: &[(Node, Node)],
) -> Vec<Window> {
    let order = dependencies.order;
    let mut windows: Vec<Window> = inversions
        .iter()
        .map(|(late, early)| (order.point(*early), order.point(*late)))
        .collect();
    for (stamp, seen) in &doubts.misplaced {
        let point = order.point(order.writes[stamp].node);
        let seen = Point::of_version(*seen);
        windows.push((point.min(seen), point.max(seen)));
    }
    for Suspect { node, key, .. } in &doubts.suspects {
        let candidates = BTreeSet::from([*key]);
        let mut emit = |edge: super::dependency::Dependency| {
            let (from, to) = (order.point(edge.from), order.point(edge.to));
            if to < from {
                windows.push((to, from));
            }
        };
        dependencies.of_reads(*node, &candidates, Bounds::NONE, &mut emit);
    }
    merged(windows)
}

fn merged(mut windows: Vec<Window>) -> Vec<Window> {
    windows.sort_unstable();
    windows.dedup_by(|next, window| {
        let overlap = next.0 <= window.1;
        if overlap {
            window.1 = window.1.max(next.1);
        }
        overlap
    });
    windows
}

/// Without a cycle there is still a transaction that saw what was not there at its version.
fn unlike(order: &Order<'_>, doubts: &Doubts) -> Violation {
    let first = doubts.suspects.first();
    let Suspect {
        node,
        key,
        seen,
        expected,
    } = first.expect("a doubt without a cycle");
    let seen = seen.map_or("nothing".to_owned(), |seen| seen.to_string());
    let expected = expected.map_or("nothing".to_owned(), |held| {
        format!("stamp {} version {}", held.stamp, held.version)
    });
    let words = format!(
        "T1 saw at key {key} {seen}; at its place in the order of versions there is {expected}"
    );
    order.violation(Anomaly::VersionOrder, &[*node], &words)
}
