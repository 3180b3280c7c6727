//! The placements as a CSV file: what became of each task.

use std::collections::HashMap;
use std::io;

use skep::Id;

use crate::books::history::{History, Life};
use crate::failure::Failure;
use crate::objects::task::State;
use crate::replay::Run;
use crate::target::{Target, Unwritten};

const HEADER: [&str; 8] = [
    "task",
    "node",
    "gpus",
    "state",
    "placed_at_version",
    "created_at",
    "placed_at",
    "ended_at",
];

/// Writes what became of each task.
pub fn write(run: &Run, history: &History, target: Target) -> Result<(), Failure> {
    target.write(|file| rows(run, history, file).map_err(Unwritten::Target))
}

fn rows(run: &Run, history: &History, file: &mut dyn io::Write) -> io::Result<()> {
    let nodes: HashMap<Id, usize> = (0..run.cluster.nodes.len())
        .map(|index| (run.node_id(index), index))
        .collect();
    let placeable_classes = run.cluster.placeable_classes();
    let mut writer = csv::Writer::from_writer(file);
    writer.write_record(HEADER)?;
    for (sequence, life) in history.lives() {
        let spec = run.cluster.task(sequence);
        let placeable = placeable_classes[spec.class.index()];
        let Some(state) = state(life, placeable) else {
            continue;
        };
        let seconds = |at: Option<crate::cluster::amounts::Seconds>| {
            at.map(|at| at.0.to_string()).unwrap_or_default()
        };
        let placed = life.placed;
        let node = placed.and_then(|placed| nodes.get(&placed.node));
        writer.write_record([
            &*spec.name,
            node.map_or("", |&index| &run.cluster.nodes[index].name),
            &placed
                .map(|placed| placed.gpus.to_string())
                .unwrap_or_default(),
            state,
            &placed
                .map(|placed| placed.version.to_string())
                .unwrap_or_default(),
            &spec.created_at.0.to_string(),
            &seconds(placed.map(|placed| placed.at)),
            &seconds(life.ended_at),
        ])?;
    }
    writer.flush()
}

/// The last state of a task that was created.
fn state(life: &Life, placeable: bool) -> Option<&'static str> {
    Some(match life.state? {
        State::Pending => "pending",
        State::Waiting if placeable => "no_room",
        State::Waiting => "unplaceable",
        State::Assigned => "assigned",
        State::Running => "running",
        State::Finished => "finished",
        State::Failed => "failed",
    })
}
