//! What a task asks for, and the classes of tasks that ask for the same.
//!
//! A trace of thousands of tasks asks for some dozens of different things. Tasks that ask for the
//! same share one [`Demand`] and are of one [`Class`], so that "does any waiting task fit here"
//! is a question for each class, not for each task.

use std::collections::HashMap;
use std::sync::Arc;

use super::amounts::{CpuMilli, GpuMilli, MemoryMib};

/// A GPU model: a place in the cluster's list of model names, which is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Model(pub u16);

impl Model {
    /// The model behind this one, for ranges that end where this model ends.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The models that a task may run on, each once, in the order in which they are tried. Empty only
/// if the cluster has no GPU at all.
pub type Models = Arc<[Model]>;

/// The GPUs that a task asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GpuDemand {
    /// No GPU.
    None,
    /// A share of one GPU: more than nothing, less than the whole.
    Share {
        /// How much of it.
        milli: GpuMilli,
        /// The models it may be of.
        models: Models,
    },
    /// Whole GPUs of one node.
    Whole {
        /// How many: at least one.
        count: u8,
        /// The models they may be of.
        models: Models,
    },
}

/// What a task asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Demand {
    /// CPU.
    pub cpu: CpuMilli,
    /// Memory.
    pub memory: MemoryMib,
    /// GPUs.
    pub gpu: GpuDemand,
}

/// The tasks that ask for the same: a place in the cluster's list of demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class(pub u32);

impl Class {
    /// The class as an index into the cluster's demands.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    /// The class behind this one, for ranges that end where this class ends.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Collects the different demands of a trace while it is read.
#[derive(Default)]
pub struct Classes {
    demands: Vec<Arc<Demand>>,
    by_demand: HashMap<Arc<Demand>, Class>,
}

impl Classes {
    /// The class of `demand`, a new one if no task has asked for this yet.
    pub fn class_of(&mut self, demand: Demand) -> Class {
        if let Some(&class) = self.by_demand.get(&demand) {
            return class;
        }
        let demand = Arc::new(demand);
        let class = Class(self.demands.len() as u32);
        self.demands.push(Arc::clone(&demand));
        self.by_demand.insert(demand, class);
        class
    }

    /// The demands, each at its class's index.
    pub fn into_demands(self) -> Vec<Arc<Demand>> {
        self.demands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(cpu: u32) -> Demand {
        Demand {
            cpu: CpuMilli(cpu),
            memory: MemoryMib(1),
            gpu: GpuDemand::None,
        }
    }

    #[test]
    fn equal_demands_are_of_one_class() {
        let mut classes = Classes::default();
        let first = classes.class_of(demand(1));
        assert_ne!(classes.class_of(demand(2)), first);
        assert_eq!(classes.class_of(demand(1)), first);
        assert_eq!(classes.into_demands().len(), 2);
    }
}
