//! A node in the store: what it has and what of it is used.
//!
//! What is used is part of the node and changes in the transaction that places or ends a task. So
//! two schedulers that give the last room of one node away at the same time both write this
//! object: the store lets one commit and runs the other's transaction again, which then sees that
//! the room is gone.
//!
//! Three indexes order the nodes by the room they have, so that the node with the least room that
//! suffices is the first of a range, and "no node has room" is a range that is empty.

use std::sync::Arc;

use skep::{Id, Index, Indexes, Keys, Object};

use super::gpus::{GpuSet, GpuUse};
use crate::cluster::NodeSpec;
use crate::cluster::amounts::{CpuMilli, GpuMilli, MemoryMib};
use crate::cluster::demand::{Demand, GpuDemand, Model};

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its key.
    pub id: Id,
    /// Its name in the trace.
    pub name: Arc<str>,
    /// The model of its GPUs, if it has any.
    pub model: Option<Model>,
    /// The CPU it has.
    pub cpu: CpuMilli,
    /// The memory it has.
    pub memory: MemoryMib,
    /// The CPU in use.
    pub cpu_used: CpuMilli,
    /// The memory in use.
    pub memory_used: MemoryMib,
    /// The use of each of its GPUs.
    pub gpus: GpuUse,
    /// How many tasks it holds room for.
    pub tasks: u32,
}

impl Object for Node {
    type Key = Id;
    const TABLE: &'static str = "node";

    fn key(&self) -> Id {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes
            .add(Self::BY_NAME)
            .add(Self::BY_CPU_ROOM)
            .add(Self::BY_SHARE_ROOM)
            .add(Self::BY_WHOLE_ROOM);
    }
}

impl Node {
    /// By name, which no two nodes share.
    pub const BY_NAME: Index<Self, Arc<str>> =
        Index::new("name", |node: &Self, keys: &mut Keys<'_, Arc<str>>| {
            keys.add(Arc::clone(&node.name));
        })
        .unique();

    /// By the number of GPUs that have something left, then by free CPU. A task without a GPU
    /// looks here, so that it goes where it strands no GPU.
    pub const BY_CPU_ROOM: Index<Self, (u8, CpuMilli)> = Index::new(
        "cpu_room",
        |node: &Self, keys: &mut Keys<'_, (u8, CpuMilli)>| {
            keys.add((node.gpus.open_count(), node.cpu_free()));
        },
    );

    /// By model and by what is left of a GPU, an entry for each GPU with something left. A task
    /// with a share of a GPU looks here.
    pub const BY_SHARE_ROOM: Index<Self, (Model, GpuMilli)> = Index::new(
        "share_room",
        |node: &Self, keys: &mut Keys<'_, (Model, GpuMilli)>| {
            let Some(model) = node.model else { return };
            for free in node.gpus.free().filter(|free| *free > GpuMilli::NONE) {
                keys.add((model, free));
            }
        },
    );

    /// By model and by the number of GPUs that nothing runs on, if there are any. A task with
    /// whole GPUs looks here.
    pub const BY_WHOLE_ROOM: Index<Self, (Model, u8)> = Index::new(
        "whole_room",
        |node: &Self, keys: &mut Keys<'_, (Model, u8)>| {
            let idle = node.gpus.idle_count();
            if let Some(model) = node.model
                && idle > 0
            {
                keys.add((model, idle));
            }
        },
    );

    /// A node that nothing runs on.
    pub fn empty(id: Id, spec: &NodeSpec) -> Self {
        Self {
            id,
            name: Arc::clone(&spec.name),
            model: spec.model,
            cpu: spec.cpu,
            memory: spec.memory,
            cpu_used: CpuMilli(0),
            memory_used: MemoryMib(0),
            gpus: GpuUse::idle(spec.gpus),
            tasks: 0,
        }
    }

    /// The CPU that is left.
    pub fn cpu_free(&self) -> CpuMilli {
        CpuMilli(self.cpu.0 - self.cpu_used.0)
    }

    /// Whether CPU and memory suffice; GPUs are not looked at.
    pub fn fits_beside_gpus(&self, demand: &Demand) -> bool {
        self.cpu_free() >= demand.cpu && self.memory.0 - self.memory_used.0 >= demand.memory.0
    }

    /// The GPUs that a task with this demand would have here, if there is room for it.
    pub fn room_for(&self, demand: &Demand) -> Option<GpuSet> {
        if !self.fits_beside_gpus(demand) {
            return None;
        }
        let allowed = |models: &[Model]| self.model.is_some_and(|model| models.contains(&model));
        match &demand.gpu {
            GpuDemand::None => Some(GpuSet::NONE),
            GpuDemand::Share { milli, models } if allowed(models) => self.gpus.best_share(*milli),
            GpuDemand::Whole { count, models } if allowed(models) => self.gpus.idle_set(*count),
            GpuDemand::Share { .. } | GpuDemand::Whole { .. } => None,
        }
    }

    /// Whether there is room for a task with this demand.
    pub fn fits(&self, demand: &Demand) -> bool {
        self.room_for(demand).is_some()
    }

    /// Takes room for a task, if there is any, and tells its GPUs.
    pub fn take(&mut self, demand: &Demand) -> Option<GpuSet> {
        let gpus = self.room_for(demand)?;
        self.take_exactly(demand, gpus).then_some(gpus)
    }

    /// Takes room for a task on just these GPUs. False, and nothing taken, if it is not there.
    #[must_use]
    pub fn take_exactly(&mut self, demand: &Demand, gpus: GpuSet) -> bool {
        if !self.fits_beside_gpus(demand) || !self.gpus.take(gpus, demand.each_gpu()) {
            return false;
        }
        self.cpu_used.0 += demand.cpu.0;
        self.memory_used.0 += demand.memory.0;
        self.tasks += 1;
        true
    }

    /// Gives a task's room back. False, and nothing given, if it was not taken.
    #[must_use]
    pub fn give_back(&mut self, demand: &Demand, gpus: GpuSet) -> bool {
        let taken = self.tasks > 0
            && self.cpu_used.0 >= demand.cpu.0
            && self.memory_used.0 >= demand.memory.0;
        if !taken || !self.gpus.give_back(gpus, demand.each_gpu()) {
            return false;
        }
        self.cpu_used.0 -= demand.cpu.0;
        self.memory_used.0 -= demand.memory.0;
        self.tasks -= 1;
        true
    }
}

impl Demand {
    /// What the task takes of each of its GPUs.
    fn each_gpu(&self) -> GpuMilli {
        match &self.gpu {
            GpuDemand::None => GpuMilli::NONE,
            GpuDemand::Share { milli, .. } => *milli,
            GpuDemand::Whole { .. } => GpuMilli::WHOLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(gpus: u8) -> Node {
        let spec = NodeSpec {
            name: "node".into(),
            cpu: CpuMilli(8_000),
            memory: MemoryMib(1_024),
            gpus,
            model: (gpus > 0).then_some(Model(1)),
        };
        Node::empty(Id::from_u128(1), &spec)
    }

    fn demand(cpu: u32, memory: u32, gpu: GpuDemand) -> Demand {
        Demand {
            cpu: CpuMilli(cpu),
            memory: MemoryMib(memory),
            gpu,
        }
    }

    fn whole(count: u8, models: &[u16]) -> GpuDemand {
        GpuDemand::Whole {
            count,
            models: models.iter().copied().map(Model).collect(),
        }
    }

    #[test]
    fn a_task_fits_up_to_the_last_bit_of_room() {
        let mut node = node(0);
        assert!(!node.fits(&demand(8_001, 1, GpuDemand::None)));
        assert!(!node.fits(&demand(1, 1_025, GpuDemand::None)));
        let all = demand(8_000, 1_024, GpuDemand::None);
        assert_eq!(node.take(&all), Some(GpuSet::NONE));
        assert!(!node.fits(&demand(1, 0, GpuDemand::None)));
        assert!(node.fits(&demand(0, 0, GpuDemand::None)));
        assert!(node.give_back(&all, GpuSet::NONE));
        assert!(!node.give_back(&all, GpuSet::NONE));
    }

    #[test]
    fn a_model_that_is_not_allowed_does_not_fit() {
        let node = node(2);
        assert!(node.fits(&demand(0, 0, whole(2, &[0, 1]))));
        assert!(!node.fits(&demand(0, 0, whole(2, &[0]))));
        assert!(!node.fits(&demand(0, 0, whole(3, &[1]))));
    }

    #[test]
    fn shares_pack_and_whole_gpus_need_idle_ones() {
        let mut node = node(2);
        let models: crate::cluster::demand::Models = [Model(1)].into();
        let share = demand(
            0,
            0,
            GpuDemand::Share {
                milli: GpuMilli(500),
                models,
            },
        );
        assert_eq!(node.take(&share), Some(GpuSet::of([0])));
        assert_eq!(node.take(&share), Some(GpuSet::of([0])));
        assert_eq!(
            node.take(&demand(0, 0, whole(1, &[1]))),
            Some(GpuSet::of([1]))
        );
        assert!(!node.fits(&share));
        assert!(node.give_back(&share, GpuSet::of([0])));
        assert!(node.fits(&share));
        assert!(!node.fits(&demand(0, 0, whole(1, &[1]))));
    }
}
