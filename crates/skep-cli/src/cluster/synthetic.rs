//! A made-up cluster, the same for the same seed and sizes on every machine.
//!
//! Its nodes are of the kinds that a production GPU cluster has, dealt in turn, and its tasks ask
//! for what tasks there ask for: most for one GPU or a share of one, some for CPU alone, a few
//! for whole nodes of GPUs, some for particular models. Tasks come evenly, at the rate at which
//! the resource that runs out first is loaded to the wanted share once the cluster has filled.
//! Only whole numbers are computed, so that no machine's rounding matters.

use std::sync::Arc;

use fastrand::Rng;

use super::amounts::{CpuMilli, GpuMilli, MemoryMib, Seconds};
use super::demand::{Classes, Demand, GpuDemand, Model, Models};
use super::{Cluster, NodeSpec, Outcome, TaskSpec};
use crate::objects::node::Node;

/// How large a made-up cluster is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many nodes.
    pub nodes: u32,
    /// How many tasks.
    pub tasks: u32,
    /// How full the cluster gets, in percent. Above 100 tasks wait for room.
    pub load_percent: u32,
}

/// A kind of node.
struct NodeKind {
    cpu: u32,
    memory: u32,
    gpus: u8,
    model: &'static str,
}

const fn node(cpu: u32, memory: u32, gpus: u8, model: &'static str) -> NodeKind {
    NodeKind {
        cpu,
        memory,
        gpus,
        model,
    }
}

/// The kinds, in the order in which nodes are dealt; a kind that is common stands here often.
const WHEEL: [NodeKind; 12] = [
    node(96_000, 393_216, 8, "G2"),
    node(104_000, 524_288, 2, "T4"),
    node(32_000, 262_144, 0, ""),
    node(96_000, 393_216, 8, "G2"),
    node(64_000, 262_144, 2, "P100"),
    node(104_000, 524_288, 2, "T4"),
    node(96_000, 393_216, 8, "G2"),
    node(96_000, 393_216, 0, ""),
    node(32_000, 131_072, 4, "V100M16"),
    node(96_000, 393_216, 8, "G2"),
    node(96_000, 786_432, 8, "V100M32"),
    node(128_000, 786_432, 8, "G3"),
];

/// What some tasks ask for.
struct TaskKind {
    cpu: u32,
    memory: u32,
    gpus: u8,
    gpu_milli: u16,
    /// The allowed models; empty for any.
    models: &'static [&'static str],
    /// How common it is.
    weight: u32,
}

/// A kind of which so many tasks of a hundred are.
const fn task(
    weight: u32,
    (cpu, memory): (u32, u32),
    (gpus, gpu_milli): (u8, u16),
    models: &'static [&'static str],
) -> TaskKind {
    TaskKind {
        cpu,
        memory,
        gpus,
        gpu_milli,
        models,
        weight,
    }
}

const TASK_KINDS: [TaskKind; 14] = [
    task(20, (3_152, 5_600), (1, 1_000), &[]),
    task(12, (11_300, 49_152), (1, 1_000), &[]),
    task(9, (8_000, 30_517), (1, 470), &[]),
    task(16, (3_152, 5_600), (1, 810), &[]),
    task(5, (4_000, 22_888), (1, 320), &[]),
    task(4, (4_000, 15_258), (1, 220), &["T4"]),
    task(3, (4_152, 10_600), (1, 550), &["P100"]),
    task(4, (11_908, 47_104), (1, 1_000), &["G2"]),
    task(5, (6_000, 24_576), (1, 1_000), &["V100M16", "V100M32"]),
    task(9, (12_500, 57_344), (0, 0), &[]),
    task(8, (8_000, 30_517), (0, 0), &[]),
    task(2, (16_200, 66_560), (2, 1_000), &[]),
    task(2, (32_200, 132_096), (4, 1_000), &[]),
    task(1, (64_200, 263_168), (8, 1_000), &[]),
];

/// How long tasks last: from, to (in seconds), and how many in ten.
const LASTING: [(u64, u64, u32); 3] = [(60, 600, 6), (600, 6_000, 3), (6_000, 30_000, 1)];
/// The mean of [`LASTING`], in seconds.
const LASTING_MEAN: u64 = 2_988;
/// How many tasks of a hundred fail.
const FAIL_PERCENT: u32 = 23;

/// Makes up a cluster.
pub fn cluster(seed: u64, size: Size) -> Cluster {
    let mut rng = Rng::with_seed(seed);
    let mut cluster = Cluster::default();
    let kinds: Vec<&NodeKind> = (0..size.nodes as usize)
        .map(|index| &WHEEL[index % WHEEL.len()])
        .collect();
    let mut models: Vec<&str> = kinds.iter().map(|kind| kind.model).collect();
    models.sort_unstable();
    models.dedup();
    models.retain(|model| !model.is_empty());
    cluster.models = models.iter().map(|&model| model.into()).collect();
    let model_of = |name: &str| {
        models
            .binary_search(&name)
            .ok()
            .map(|place| Model(place as u16))
    };
    cluster.nodes = (kinds.iter().enumerate())
        .map(|(index, kind)| NodeSpec {
            name: format!("node-{index:05}").into(),
            cpu: CpuMilli(kind.cpu),
            memory: MemoryMib(kind.memory),
            gpus: kind.gpus,
            model: model_of(kind.model),
        })
        .collect();
    let offered = offered(&cluster, &model_of);
    cluster.tasks = tasks(
        &mut rng,
        &cluster.nodes,
        size,
        &offered,
        &mut cluster.demands,
    );
    cluster
}

/// The demands that some node of the cluster can meet, with their weights.
fn offered(cluster: &Cluster, model_of: &impl Fn(&str) -> Option<Model>) -> Vec<(Demand, u32)> {
    let any: Models = cluster.models_by_plenty().into();
    let nodes: Vec<Node> = (cluster.nodes.iter().take(WHEEL.len()))
        .map(|spec| Node::empty(skep::Id::from_u128(0), spec))
        .collect();
    let demands = TASK_KINDS.iter().map(|kind| {
        let models: Models = match kind.models {
            [] => Arc::clone(&any),
            names => {
                let allowed: Vec<_> = names.iter().filter_map(|name| model_of(name)).collect();
                any.iter()
                    .copied()
                    .filter(|model| allowed.contains(model))
                    .collect()
            }
        };
        let milli = GpuMilli(kind.gpu_milli);
        let gpu = match (kind.gpus, milli) {
            (0, _) => GpuDemand::None,
            (count, GpuMilli::WHOLE) => GpuDemand::Whole { count, models },
            _ => GpuDemand::Share { milli, models },
        };
        let demand = Demand {
            cpu: CpuMilli(kind.cpu),
            memory: MemoryMib(kind.memory),
            gpu,
        };
        (demand, kind.weight)
    });
    demands
        .filter(|(demand, _)| nodes.iter().any(|node| node.fits(demand)))
        .collect()
}

/// The tasks, in the order of their creation.
fn tasks(
    rng: &mut Rng,
    nodes: &[NodeSpec],
    size: Size,
    offered: &[(Demand, u32)],
    demands: &mut Vec<Arc<Demand>>,
) -> Vec<TaskSpec> {
    let mut classes = Classes::default();
    let weights: u32 = offered.iter().map(|(_, weight)| weight).sum();
    let gap_millis = gap_millis(nodes, offered, size.load_percent);
    let mut now_millis = 0;
    let tasks = (0..size.tasks).map(|index| {
        now_millis += rng.u64(0..=2 * gap_millis);
        let created_at = Seconds(now_millis / 1_000);
        let mut ticket = rng.u32(0..weights);
        let (demand, _) = (offered.iter())
            .find(|(_, weight)| {
                let mine = ticket < *weight;
                ticket = ticket.saturating_sub(*weight);
                mine
            })
            .expect("the ticket is below the sum of the weights");
        let fails = rng.u32(0..100) < FAIL_PERCENT;
        TaskSpec {
            name: format!("task-{index:06}").into(),
            class: classes.class_of(demand.clone()),
            outcome: if fails {
                Outcome::Fails
            } else {
                Outcome::Finishes
            },
            created_at,
            deleted_at: Some(Seconds(created_at.0 + lasting(rng))),
        }
    });
    let tasks = tasks.collect();
    *demands = classes.into_demands();
    tasks
}

/// How long a task lasts, in seconds.
fn lasting(rng: &mut Rng) -> u64 {
    let mut ticket = rng.u32(0..10);
    for (from, to, tenths) in LASTING {
        if ticket < tenths {
            return rng.u64(from..=to);
        }
        ticket -= tenths;
    }
    unreachable!("the tenths of LASTING sum to ten")
}

/// The mean time between two creations at which the scarcest resource gets `load_percent` full.
///
/// In the long run as many tasks run at a time as come in a task's mean lasting time; so many may
/// run as the wanted share of a resource holds at a task's mean demand.
fn gap_millis(nodes: &[NodeSpec], offered: &[(Demand, u32)], load_percent: u32) -> u64 {
    let weights: u64 = offered.iter().map(|(_, weight)| u64::from(*weight)).sum();
    let at_a_time = |total: u64, demand: &dyn Fn(&Demand) -> u64| {
        let asked: u64 = offered
            .iter()
            .map(|(kind, weight)| demand(kind) * u64::from(*weight))
            .sum();
        total * u64::from(load_percent) * weights / asked.max(1) / 100
    };
    let sum = |amount: &dyn Fn(&NodeSpec) -> u64| nodes.iter().map(amount).sum::<u64>();
    let gpu_milli = |demand: &Demand| match &demand.gpu {
        GpuDemand::None => 0,
        GpuDemand::Share { milli, .. } => u64::from(milli.0),
        GpuDemand::Whole { count, .. } => u64::from(*count) * u64::from(GpuMilli::WHOLE.0),
    };
    let tasks = [
        at_a_time(sum(&|node| u64::from(node.cpu.0)), &|demand| {
            u64::from(demand.cpu.0)
        }),
        at_a_time(sum(&|node| u64::from(node.memory.0)), &|demand| {
            u64::from(demand.memory.0)
        }),
        at_a_time(sum(&|node| u64::from(node.gpus) * 1_000), &gpu_milli),
    ];
    let at_a_time = tasks.into_iter().min().unwrap_or(0).max(1);
    LASTING_MEAN * 1_000 / at_a_time
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        nodes: 24,
        tasks: 500,
        load_percent: 70,
    };

    #[test]
    fn the_same_seed_makes_the_same_cluster() {
        assert_eq!(cluster(7, SIZE), cluster(7, SIZE));
        assert_ne!(cluster(7, SIZE), cluster(8, SIZE));
    }

    #[test]
    fn every_task_of_every_size_could_be_placed() {
        for nodes in 1..40 {
            let cluster = cluster(1, Size { nodes, ..SIZE });
            assert!(
                cluster
                    .placeable_classes()
                    .iter()
                    .all(|placeable| *placeable)
            );
            assert_eq!(cluster.tasks.len(), SIZE.tasks as usize);
            assert!(cluster.tasks.is_sorted_by_key(|task| task.created_at));
        }
    }

    #[test]
    fn the_lasting_times_have_the_stated_mean() {
        let twice: u64 = LASTING
            .iter()
            .map(|(from, to, tenths)| (from + to) * u64::from(*tenths))
            .sum();
        assert_eq!(twice / 20, LASTING_MEAN);
    }
}
