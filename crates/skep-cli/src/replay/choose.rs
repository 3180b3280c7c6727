//! Chooses the node for a task: the one whose room it wastes least.
//!
//! - A task without a GPU goes where the fewest GPUs have anything left, so that it takes CPU
//!   from no GPU that others could use; among such nodes, where the least CPU is left.
//! - A share of a GPU goes to the GPU with the least left that suffices, so that whole GPUs stay
//!   whole.
//! - Whole GPUs are taken where the fewest are idle, so that large groups of them stay together.
//! - Of the models that a task allows, the one of which the cluster has most comes first, so that
//!   rare ones are left to the tasks that allow no other.
//!
//! Each is the first node that fits in a range of an index (`objects/node.rs`). Inside a
//! transaction the ranges are what the store validates: "no node has room" then still holds at
//! the commit, or the transaction runs again.

use skep::{Condition, Id, Query, Snapshot, Transaction};

use crate::cluster::GPUS_MAX;
use crate::cluster::amounts::{CpuMilli, GpuMilli};
use crate::cluster::demand::{Demand, GpuDemand};
use crate::objects::node::Node;

/// What nodes are read from.
pub trait Nodes {
    /// The first node of the query's answer that `fits`.
    fn first_node<C: Condition<Node>>(
        &self,
        query: Query<Node, C>,
        fits: impl Fn(&Node) -> bool,
    ) -> Option<&Node>;
}

impl Nodes for Snapshot {
    fn first_node<C: Condition<Node>>(
        &self,
        query: Query<Node, C>,
        fits: impl Fn(&Node) -> bool,
    ) -> Option<&Node> {
        self.find(query).find(|node| fits(node))
    }
}

impl Nodes for Transaction<'_> {
    fn first_node<C: Condition<Node>>(
        &self,
        query: Query<Node, C>,
        fits: impl Fn(&Node) -> bool,
    ) -> Option<&Node> {
        self.find(query).find(|node| fits(node))
    }
}

/// The best node for a task, if any has room.
pub fn choose(nodes: &impl Nodes, demand: &Demand) -> Option<Id> {
    match &demand.gpu {
        GpuDemand::None => (0..=GPUS_MAX as u8).find_map(|open| {
            let query = Node::BY_CPU_ROOM.range((open, demand.cpu)..(open + 1, CpuMilli(0)));
            nodes
                .first_node(query, |node| node.fits(demand))
                .map(|node| node.id)
        }),
        GpuDemand::Share { milli, models } => models.iter().find_map(|model| {
            let room = (*model, *milli)..(model.next(), GpuMilli(0));
            let query = Node::BY_SHARE_ROOM.range(room);
            nodes
                .first_node(query, |node| node.fits(demand))
                .map(|node| node.id)
        }),
        GpuDemand::Whole { count, models } => models.iter().find_map(|model| {
            let query = Node::BY_WHOLE_ROOM.range((*model, *count)..(model.next(), 0));
            nodes
                .first_node(query, |node| node.fits(demand))
                .map(|node| node.id)
        }),
    }
}
