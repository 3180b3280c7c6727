//! Small clusters for the unit tests, and single steps on them, right and wrong.

use crate::cluster::amounts::{CpuMilli, GpuMilli, MemoryMib, Seconds, Sequence};
use crate::cluster::demand::{Class, Demand, GpuDemand, Model};
use crate::cluster::timeline::Ending;
use crate::cluster::{Cluster, NodeSpec, Outcome, TaskSpec};
use crate::objects::clock::Clock;
use crate::objects::node::Node;
use crate::objects::task::{State, Task};
use crate::replay::Run;
use crate::replay::choose::choose;
use crate::replay::submit;

pub fn node(name: &str, cpu: u32, gpus: u8, model: u16) -> NodeSpec {
    NodeSpec {
        name: name.into(),
        cpu: CpuMilli(cpu),
        memory: MemoryMib(1_000),
        gpus,
        model: (gpus > 0).then_some(Model(model)),
    }
}

pub fn demand(cpu: u32, gpu: GpuDemand) -> Demand {
    Demand {
        cpu: CpuMilli(cpu),
        memory: MemoryMib(1),
        gpu,
    }
}

pub fn share(milli: u16, models: &[u16]) -> GpuDemand {
    let models = models.iter().copied().map(Model).collect();
    GpuDemand::Share {
        milli: GpuMilli(milli),
        models,
    }
}

pub fn whole(count: u8, models: &[u16]) -> GpuDemand {
    let models = models.iter().copied().map(Model).collect();
    GpuDemand::Whole { count, models }
}

/// A cluster whose tasks each have a class of their own, are created at 0 and deleted at 10.
pub fn cluster(nodes: Vec<NodeSpec>, demands: Vec<Demand>) -> Cluster {
    let task = |index: usize| TaskSpec {
        name: format!("task-{index}").into(),
        class: Class(index as u32),
        outcome: Outcome::Finishes,
        created_at: Seconds(0),
        deleted_at: Some(Seconds(10)),
    };
    Cluster {
        models: vec!["A".into(), "B".into()],
        nodes,
        tasks: (0..demands.len()).map(task).collect(),
        demands: demands.into_iter().map(Into::into).collect(),
    }
}

pub fn run(nodes: Vec<NodeSpec>, demands: Vec<Demand>) -> Run {
    let run = Run::new(cluster(nodes, demands), 1);
    run.register_nodes().expect("the store is empty");
    run
}

/// Creates a task and, if there is room, assigns it to a node, which it names.
pub fn assign(run: &Run, task: u32) -> Option<String> {
    let task = submit::task(run, Sequence(task));
    let created = run
        .store
        .update(|tx| Ok::<_, skep::Error>(tx.create(task.clone())?));
    created.expect("nobody else writes");
    let assigned = run.store.update(|tx| {
        let Some(node) = choose(&*tx, &task.demand) else {
            return Ok(None);
        };
        let mut node = tx.get::<Node>(&node).cloned().expect("it was chosen");
        let gpus = node.take(&task.demand).expect("it was chosen for its room");
        let name = node.name.to_string();
        tx.update(task.rewritten(run.now(), |task| task.assign(node.id, gpus)))?;
        tx.update(node)?;
        Ok::<_, skep::Error>(Some(name))
    });
    assigned.expect("nobody else writes")
}

pub fn state(run: &Run, task: u32) -> Option<State> {
    let id = run.task_id(Sequence(task));
    run.store
        .view(|view| view.get::<Task>(&id).map(|task| task.state))
}

pub fn set_clock(run: &Run, now: u64, due_before: u32) {
    let clock = Clock::at(Seconds(now), Ending(due_before));
    let set = run
        .store
        .update(|tx| Ok::<_, skep::Error>(tx.upsert(clock.clone())?));
    set.expect("nobody else writes");
}

/// Rewrites a task, whether that is right or wrong.
pub fn rewrite(run: &Run, task: u32, change: impl Fn(&mut Task)) {
    let id = run.task_id(Sequence(task));
    let written = run.store.update(|tx| {
        let task = tx
            .get::<Task>(&id)
            .expect("it is there")
            .rewritten(run.now(), &change);
        Ok::<_, skep::Error>(tx.update(task)?)
    });
    written.expect("nobody else writes");
}

/// Rewrites the first node, whether that is right or wrong.
pub fn rewrite_node(run: &Run, change: impl Fn(&mut Node)) {
    let id = run.node_id(0);
    let written = run.store.update(|tx| {
        let mut node = tx.get::<Node>(&id).cloned().expect("it is there");
        change(&mut node);
        Ok::<_, skep::Error>(tx.update(node)?)
    });
    written.expect("nobody else writes");
}
