//! The worst cycle of a graph, and a short one of its kind.

use std::collections::VecDeque;

use super::graph::{Edge, Graph, Kinds};
use super::violation::Anomaly;

/// From how many transactions a shorter cycle is looked for.
const TRIES_MAX: usize = 64;
/// Edges that are walked in looking for a cycle with one anti-dependency: beyond, one with several
/// is as good a reason.
const STEPS_MAX: usize = 1 << 28;

const CIRCULAR: Kinds = Kinds::WRITES.and(Kinds::READS);
const ITEMS: Kinds = CIRCULAR.and(Kinds::ITEM_ANTI);
const ANTI: Kinds = Kinds::ITEM_ANTI.and(Kinds::PREDICATE_ANTI);
const DIRECT: Kinds = CIRCULAR.and(ANTI);
const STRICT: Kinds = DIRECT.and(Kinds::REAL_TIME);

/// A cycle: its kind and its edges, one after another.
pub(super) type Cycle = (Anomaly, Vec<Edge>);

/// The worst kind of cycle that the graph has.
pub(super) fn worst(graph: &Graph) -> Option<Cycle> {
    let any = |kinds, anomaly| Some((anomaly, any(graph, kinds)?));
    any(Kinds::WRITES, Anomaly::G0)
        .or_else(|| any(CIRCULAR, Anomaly::G1c))
        .or_else(|| Some((Anomaly::GSingle, single(graph)?)))
        .or_else(|| any(ITEMS, Anomaly::G2Item))
        .or_else(|| any(DIRECT, Anomaly::G2))
        .or_else(|| any(STRICT, Anomaly::RealTime))
        .or_else(|| any(STRICT.and(Kinds::VERSIONS), Anomaly::VersionOrder))
}

impl Graph {
    fn from(&self, place: usize, kinds: Kinds) -> impl Iterator<Item = Edge> + '_ {
        let edges = &self.edges[self.starts[place]..self.starts[place + 1]];
        edges
            .iter()
            .copied()
            .filter(move |edge| kinds.has(edge.reason))
    }

    /// The places that are on a cycle or behind one, after those before which there is none were
    /// taken away, one after another.
    fn knotted(&self, kinds: Kinds) -> Vec<bool> {
        let mut into = vec![0_u32; self.places()];
        for place in 0..self.places() {
            self.from(place, kinds).for_each(|edge| into[edge.to] += 1);
        }
        let mut free: Vec<usize> = (0..self.places())
            .filter(|place| into[*place] == 0)
            .collect();
        while let Some(place) = free.pop() {
            for edge in self.from(place, kinds) {
                into[edge.to] -= 1;
                if into[edge.to] == 0 {
                    free.push(edge.to);
                }
            }
        }
        into.into_iter().map(|count| count > 0).collect()
    }

    /// The way from a place to another, or around, that passes the fewest transactions; and the
    /// number of edges that were looked at.
    fn way(
        &self,
        from: usize,
        to: usize,
        kinds: Kinds,
        within: &[bool],
    ) -> (Option<Vec<Edge>>, usize) {
        let mut by: Vec<Option<Edge>> = vec![None; self.places()];
        let mut lengths = vec![usize::MAX; self.places()];
        let mut next = VecDeque::from([(from, 0)]);
        let mut steps = 0;
        while let Some((place, length)) = next.pop_front() {
            if place == to && by[to].is_some() {
                return (Some(back(&by, from, to)), steps);
            }
            // From a transaction it is a step on, from one moment to the next none.
            let is_step = place < self.nodes.len();
            for edge in self.from(place, kinds).filter(|edge| within[edge.to]) {
                steps += 1;
                let length = length + usize::from(is_step);
                if length >= lengths[edge.to] {
                    continue;
                }
                lengths[edge.to] = length;
                by[edge.to] = Some(edge);
                match is_step {
                    true => next.push_back((edge.to, length)),
                    false => next.push_front((edge.to, length)),
                }
            }
        }
        (None, steps)
    }

    /// Whether an edge leads to a lower place in the order of versions; of moments nobody knows.
    fn leads_back(&self, edge: &Edge) -> bool {
        edge.to < edge.from && edge.from < self.nodes.len()
    }

    /// How many transactions a way passes.
    fn length(&self, way: &[Edge]) -> usize {
        let from = way.iter().filter(|edge| edge.from < self.nodes.len());
        from.count()
    }
}

/// The way that a search came, from its beginning on.
fn back(by: &[Option<Edge>], from: usize, to: usize) -> Vec<Edge> {
    let mut way = Vec::new();
    let mut place = to;
    while let Some(edge) = by[place] {
        way.push(edge);
        place = edge.from;
        if place == from {
            break;
        }
    }
    way.reverse();
    way
}

/// A short cycle of edges of these kinds.
fn any(graph: &Graph, kinds: Kinds) -> Option<Vec<Edge>> {
    let knotted = graph.knotted(kinds);
    let around = around(graph, kinds, &knotted)?;
    // Where an edge leads back, the cycle is likely to be short; on the one found there is one.
    let back = graph.edges.iter().filter(|edge| graph.leads_back(edge));
    let back = back.filter(|edge| kinds.has(edge.reason) && knotted[edge.from]);
    let tries = back.map(|edge| edge.from).take(TRIES_MAX);
    let tries = tries.chain(around.into_iter().take(TRIES_MAX));
    let cycles = tries.filter_map(|at| graph.way(at, at, kinds, &knotted).0);
    cycles.min_by_key(|cycle| graph.length(cycle))
}

/// The places of some cycle, if there is one.
fn around(graph: &Graph, kinds: Kinds, knotted: &[bool]) -> Option<Vec<usize>> {
    let start = knotted.iter().position(|knotted| *knotted)?;
    // Each has one before it that is knotted too: going back, one is met twice.
    let mut before = vec![start; graph.places()];
    for place in (0..graph.places()).filter(|place| knotted[*place]) {
        graph
            .from(place, kinds)
            .for_each(|edge| before[edge.to] = place);
    }
    let mut met = vec![false; graph.places()];
    let mut place = start;
    while !met[place] {
        met[place] = true;
        place = before[place];
    }
    let mut around = vec![place];
    let mut at = before[place];
    while at != place {
        around.push(at);
        at = before[at];
    }
    Some(around)
}

/// A cycle with exactly one anti-dependency. There is none without.
fn single(graph: &Graph) -> Option<Vec<Edge>> {
    let knotted = graph.knotted(DIRECT);
    let is_anti = |edge: &&Edge| ANTI.has(edge.reason) && knotted[edge.from] && knotted[edge.to];
    let anti = graph.edges.iter().filter(is_anti);
    // The others lead up, as nearly all edges do: a cycle with one has another edge that is back.
    let (back, up): (Vec<&Edge>, Vec<&Edge>) = anti.partition(|edge| graph.leads_back(edge));
    let mut circular = graph.edges.iter().filter(|edge| CIRCULAR.has(edge.reason));
    let up = match circular.any(|edge| graph.leads_back(edge)) {
        true => up,
        false => Vec::new(),
    };
    let mut steps = 0;
    for edge in back.into_iter().chain(up) {
        let (way, walked) = graph.way(edge.to, edge.from, CIRCULAR, &knotted);
        if let Some(way) = way {
            return Some(std::iter::once(*edge).chain(way).collect());
        }
        steps += walked + graph.places();
        if steps > STEPS_MAX {
            break;
        }
    }
    None
}
