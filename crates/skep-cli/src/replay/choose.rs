//! Chooses the node for a task: the one whose room it wastes least.
//!
//! - A task without a GPU goes where the fewest GPUs have anything left, so that it takes CPU
//!   from no GPU that others could use; among such nodes, where the least CPU is left.
//! - A share of a GPU goes to the GPU with the least left that suffices, so that whole GPUs stay
//!   whole.
//! - Whole GPUs are taken where the fewest are idle, so that large groups of them stay together.
//!
//! Each is the first node that fits in a range of an index (`objects/node.rs`). Inside a
//! transaction the ranges are what the store validates: "no node has room" then still holds at
//! the commit, or the transaction runs again.

use skep::{Id, Query, Snapshot, Transaction};

use crate::cluster::GPUS_MAX;
use crate::cluster::amounts::{CpuMilli, GpuMilli};
use crate::cluster::demand::{Demand, GpuDemand, Model};
use crate::objects::node::Node;

/// What nodes are read from.
pub trait Nodes {
    /// The first node of the query's answer that `fits`.
    fn first_node(&self, query: Query<Node>, fits: impl FnMut(&Node) -> bool) -> Option<&Node>;
}

impl Nodes for Snapshot {
    fn first_node(&self, query: Query<Node>, mut fits: impl FnMut(&Node) -> bool) -> Option<&Node> {
        self.find(query).find(|node| fits(node))
    }
}

impl Nodes for Transaction<'_> {
    fn first_node(&self, query: Query<Node>, mut fits: impl FnMut(&Node) -> bool) -> Option<&Node> {
        self.find(query).find(|node| fits(node))
    }
}

/// The best node for a task, if any has room.
pub fn choose(nodes: &impl Nodes, demand: &Demand) -> Option<Id> {
    match &demand.gpu {
        GpuDemand::None => (0..=GPUS_MAX as u8).find_map(|open| {
            let query = Node::BY_CPU_ROOM.range((open, demand.cpu)..(open + 1, CpuMilli(0)));
            nodes.first_node(query, |node| node.fits(demand)).map(|node| node.id)
        }),
        GpuDemand::Share { milli, models } => least(models, |model| {
            let query = Node::BY_SHARE_ROOM.range((model, *milli)..(behind(model), GpuMilli(0)));
            let node = nodes.first_node(query, |node| node.fits(demand))?;
            let left = node.gpus.free().filter(|free| free >= milli).min()?;
            Some((left, node.id))
        }),
        GpuDemand::Whole { count, models } => least(models, |model| {
            let query = Node::BY_WHOLE_ROOM.range((model, *count)..(behind(model), 0));
            let node = nodes.first_node(query, |node| node.fits(demand))?;
            Some((node.gpus.idle_count(), node.id))
        }),
    }
}

/// The node with the least room among each model's best.
fn least<R: Ord>(models: &[Model], best: impl FnMut(Model) -> Option<(R, Id)>) -> Option<Id> {
    models.iter().copied().filter_map(best).min().map(|(_, node)| node)
}

/// The model behind this one, where a range of this one ends.
fn behind(model: Model) -> Model {
    Model(model.0 + 1)
}
