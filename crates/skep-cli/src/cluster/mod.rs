//! A cluster and the tasks that come to it: what a replay plays.
//!
//! It comes from CSV files (`input/`) or is made up ([`synthetic`]), and says nothing yet about
//! where a task runs. The store's own objects are in `objects/`.

pub mod amounts;
pub mod demand;
pub mod synthetic;
pub mod timeline;

use std::collections::HashMap;
use std::sync::Arc;

use amounts::{CpuMilli, MemoryMib, Seconds, Sequence};
use demand::{Class, Demand, Model};
use timeline::Timeline;

/// The most GPUs a node may have: a task's GPUs are one bit each of a word.
pub const GPUS_MAX: usize = 64;
/// The most tasks one replay plays.
pub const TASKS_MAX: usize = u32::MAX as usize;

/// A node as it is when nothing runs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSpec {
    /// Its name, unlike any other node's.
    pub name: Arc<str>,
    /// Its CPU.
    pub cpu: CpuMilli,
    /// Its memory.
    pub memory: MemoryMib,
    /// How many GPUs it has.
    pub gpus: u8,
    /// The model of its GPUs: there if and only if it has any.
    pub model: Option<Model>,
}

/// How a task ends, as the trace tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It does its work until it is no longer wanted.
    Finishes,
    /// It breaks.
    Fails,
}

/// A task as the trace tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSpec {
    /// Its name, unlike any other task's.
    pub name: Arc<str>,
    /// What it asks for.
    pub class: Class,
    /// How it ends.
    pub outcome: Outcome,
    /// When it is created.
    pub created_at: Seconds,
    /// When it is deleted: not before it is created. `None`: it is still there at the trace's end.
    pub deleted_at: Option<Seconds>,
}

/// A cluster and its tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// The names of the GPU models, sorted; a [`Model`] is an index into it.
    pub models: Vec<Arc<str>>,
    /// The nodes.
    pub nodes: Vec<NodeSpec>,
    /// The tasks in the order of their creation; a [`Sequence`] is an index into it.
    pub tasks: Vec<TaskSpec>,
    /// What the tasks ask for; a [`Class`] is an index into it.
    pub demands: Vec<Arc<Demand>>,
}

impl Cluster {
    /// Puts the tasks into the order of their creation. Tasks that are created in the same second
    /// keep the order they had. Trace files need not be sorted, and most of the family are not.
    pub fn sort_tasks(&mut self) {
        self.tasks.sort_by_key(|task| task.created_at);
    }

    /// What a task asks for.
    pub fn demand(&self, class: Class) -> &Arc<Demand> {
        &self.demands[class.index()]
    }

    /// The task at a place of the order of creation.
    pub fn task(&self, sequence: Sequence) -> &TaskSpec {
        &self.tasks[sequence.index()]
    }

    /// Whether any node, with nothing on it, could take a task of each class.
    pub fn placeable_classes(&self) -> Vec<bool> {
        let mut kinds: HashMap<(CpuMilli, MemoryMib, u8, Option<Model>), &NodeSpec> =
            HashMap::new();
        for node in &self.nodes {
            kinds
                .entry((node.cpu, node.memory, node.gpus, node.model))
                .or_insert(node);
        }
        let empty: Vec<_> = kinds
            .into_values()
            .map(|spec| crate::objects::node::Node::empty(skep::Id::from_u128(0), spec))
            .collect();
        self.demands
            .iter()
            .map(|demand| empty.iter().any(|node| node.fits(demand)))
            .collect()
    }

    /// Everything that happens to the tasks, in order.
    pub fn timeline(&self) -> Timeline {
        Timeline::of(&self.tasks)
    }

    /// All models, the one of which there are most GPUs first.
    pub fn models_by_plenty(&self) -> Vec<Model> {
        let mut gpus = vec![0_u64; self.models.len()];
        for node in &self.nodes {
            if let Some(Model(index)) = node.model {
                gpus[usize::from(index)] += u64::from(node.gpus);
            }
        }
        let mut models: Vec<Model> = (0..gpus.len()).map(|index| Model(index as u16)).collect();
        models.sort_by_key(|model| std::cmp::Reverse(gpus[usize::from(model.0)]));
        models
    }

    /// The names of the models, for a message.
    pub fn model_names(&self) -> String {
        self.models.join(", ")
    }
}
