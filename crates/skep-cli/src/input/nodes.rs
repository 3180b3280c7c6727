//! The file of nodes: `sn,cpu_milli,memory_mib,gpu,model`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::Names;
use super::error::InputError;
use super::sheet::{Column, Row, Sheet};
use crate::cluster::amounts::{CpuMilli, MemoryMib};
use crate::cluster::demand::Model;
use crate::cluster::{Cluster, GPUS_MAX, NodeSpec};

const NAME: Column = Column {
    name: "sn",
    unit: "",
};
const CPU: Column = Column {
    name: "cpu_milli",
    unit: "thousandths of a CPU",
};
const MEMORY: Column = Column {
    name: "memory_mib",
    unit: "MiB",
};
const GPUS: Column = Column {
    name: "gpu",
    unit: "GPUs",
};
const MODEL: Column = Column {
    name: "model",
    unit: "",
};
const COLUMNS: [Column; 5] = [NAME, CPU, MEMORY, GPUS, MODEL];

/// The most different GPU models of a cluster.
const MODELS_MAX: usize = u16::MAX as usize;

/// Reads the nodes and the names of their GPU models; the cluster has no tasks yet.
pub fn read(path: &Path) -> Result<Cluster, InputError> {
    let sheet = Sheet::read(path, &COLUMNS)?;
    let mut names = Names::default();
    let mut nodes: Vec<NodeSpec> = Vec::new();
    let mut node_models: Vec<Option<Arc<str>>> = Vec::new();
    let needed = |has: &dyn Fn(&str) -> bool| {
        COLUMNS
            .iter()
            .map(|column| column.name)
            .filter(|name| !has(name))
            .collect()
    };
    sheet.for_each_row(needed, |row| {
        let name = names.unique(row, NAME)?;
        let cpu = CpuMilli(row.number(CPU, u64::from(u32::MAX))? as u32);
        let memory = MemoryMib(row.number(MEMORY, u64::from(u32::MAX))? as u32);
        let gpus = row.number(GPUS, GPUS_MAX as u64)? as u8;
        node_models.push(model(row, gpus)?);
        nodes.push(NodeSpec {
            name,
            cpu,
            memory,
            gpus,
            model: None,
        });
        Ok(())
    })?;
    if nodes.is_empty() {
        let problem = "no node; write at least one row below the header";
        return Err(InputError::line(path, sheet.line_behind(), problem));
    }
    let models: Vec<Arc<str>> = node_models
        .iter()
        .flatten()
        .cloned()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    if models.len() > MODELS_MAX {
        let problem = format!("{} GPU models; the most is {MODELS_MAX}", models.len());
        return Err(InputError::file(path, problem));
    }
    for (node, name) in nodes.iter_mut().zip(node_models) {
        let place = name.and_then(|name| models.binary_search(&name).ok());
        node.model = place.map(|place| Model(place as u16));
    }
    Ok(Cluster {
        models,
        nodes,
        ..Cluster::default()
    })
}

/// The model of the row's GPUs: there if and only if it has any.
fn model(row: &Row<'_>, gpus: u8) -> Result<Option<Arc<str>>, InputError> {
    let model = row.text(MODEL)?;
    match (gpus, model.is_empty()) {
        (0, true) => Ok(None),
        (0, false) => Err(row.fault(
            MODEL,
            "a GPU model on a node without a GPU; empty it or write gpu",
        )),
        (_, true) => {
            let problem = format!("empty, but the node has {gpus} GPUs; write their model");
            Err(row.fault(MODEL, problem))
        }
        (_, false) if model.contains('|') || model.chars().any(char::is_control) => Err(row.fault(
            MODEL,
            "not one model's name; a node's GPUs are all of one model",
        )),
        (_, false) => Ok(Some(model.into())),
    }
}
