//! A submitter: creates tasks in the store, in the trace's order, when their time has come.

use super::Run;
use super::commit::Committer;
use super::measure::{Counters, Latencies};
use crate::books::fault::Fault;
use crate::cluster::amounts::Sequence;
use crate::objects::gpus::GpuSet;
use crate::objects::task::{State, Task};

/// Creates tasks until the replay stops.
pub fn submit(run: &Run) -> Result<Latencies, Fault> {
    let mut committer = Committer::new(run);
    while let Some(sequence) = run.flow.next_released() {
        let mut task = task(run, sequence);
        committer.commit(|tx| {
            task.written_at = run.now();
            Ok(tx.create(task.clone())?)
        })?;
        Counters::add(&run.counters.submitted, 1);
        run.flow.queued();
    }
    Ok(committer.latencies)
}

/// A task as it is created.
pub fn task(run: &Run, sequence: Sequence) -> Task {
    let spec = run.cluster.task(sequence);
    Task {
        id: run.task_id(sequence),
        name: spec.name.clone(),
        sequence,
        class: spec.class,
        demand: run.cluster.demand(spec.class).clone(),
        outcome: spec.outcome,
        created_at: spec.created_at,
        ending: run.timeline.ending_of(sequence),
        state: State::Pending,
        queued: Some(sequence),
        waiting: None,
        node: None,
        gpus: GpuSet::NONE,
        revision: 1,
        written_at: run.now(),
    }
}
