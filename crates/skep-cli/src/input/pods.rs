//! The file of pods, which are the tasks: `name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,`
//! `qos,pod_phase,creation_time,deletion_time,scheduled_time`.
//!
//! Some files of the trace's family tell only what each pod asks for and have the first five
//! columns alone. Their tasks come one a second in the order of the rows and stay: the cluster
//! fills until there is no room. A file must have all eleven columns or exactly those five.

use std::path::Path;
use std::sync::Arc;

use super::Names;
use super::error::InputError;
use super::sheet::{Column, Row, Sheet};
use crate::cluster::amounts::{CpuMilli, GpuMilli, MemoryMib, Seconds};
use crate::cluster::demand::{Classes, Demand, GpuDemand, Model, Models};
use crate::cluster::{Cluster, GPUS_MAX, Outcome, TASKS_MAX, TaskSpec};

const NAME: Column = Column {
    name: "name",
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
    name: "num_gpu",
    unit: "GPUs",
};
const GPU_MILLI: Column = Column {
    name: "gpu_milli",
    unit: "thousandths of a GPU",
};
const MODELS: Column = Column {
    name: "gpu_spec",
    unit: "",
};
const QOS: Column = Column {
    name: "qos",
    unit: "",
};
const PHASE: Column = Column {
    name: "pod_phase",
    unit: "",
};
const CREATED: Column = Column {
    name: "creation_time",
    unit: "seconds",
};
const DELETED: Column = Column {
    name: "deletion_time",
    unit: "seconds",
};
const SCHEDULED: Column = Column {
    name: "scheduled_time",
    unit: "seconds",
};
const DEMAND_COLUMNS: [Column; 5] = [NAME, CPU, MEMORY, GPUS, GPU_MILLI];
const LIFE_COLUMNS: [Column; 6] = [MODELS, QOS, PHASE, CREATED, DELETED, SCHEDULED];
const COLUMNS: [Column; 11] = [
    NAME, CPU, MEMORY, GPUS, GPU_MILLI, MODELS, QOS, PHASE, CREATED, DELETED, SCHEDULED,
];

/// The values of `qos`. The replay reads it only to see that the row is sound.
const QOS_VALUES: [&str; 4] = ["LS", "BE", "Burstable", "Guaranteed"];
/// The latest time, far enough for milliseconds since 1970 in place of seconds.
const SECONDS_MAX: u64 = 1 << 52;

/// Reads the pods into `cluster`, which has its nodes and their models.
pub fn read(path: &Path, cluster: &mut Cluster) -> Result<(), InputError> {
    let sheet = Sheet::read(path, &COLUMNS)?;
    let mut names = Names::default();
    let mut classes = Classes::default();
    let mut tasks = Vec::new();
    let short = std::cell::Cell::new(false);
    let needed = |has: &dyn Fn(&str) -> bool| {
        short.set(!LIFE_COLUMNS.iter().any(|column| has(column.name)));
        let needed: &[Column] = if short.get() {
            &DEMAND_COLUMNS
        } else {
            &COLUMNS
        };
        needed
            .iter()
            .map(|column| column.name)
            .filter(|name| !has(name))
            .collect()
    };
    let any: Models = cluster.models_by_plenty().into();
    sheet.for_each_row(needed, |row| {
        let name = names.unique(row, NAME)?;
        let cpu = CpuMilli(row.number(CPU, u64::from(u32::MAX))? as u32);
        let memory = MemoryMib(row.number(MEMORY, u64::from(u32::MAX))? as u32);
        let gpu = gpu(row, models(row, cluster, &any)?)?;
        let class = classes.class_of(Demand { cpu, memory, gpu });
        let at = Seconds(tasks.len() as u64);
        tasks.push(if short.get() {
            TaskSpec {
                name,
                class,
                outcome: Outcome::Finishes,
                created_at: at,
                deleted_at: None,
            }
        } else {
            let (created_at, deleted_at) = life(row)?;
            let outcome = outcome(row)?;
            TaskSpec {
                name,
                class,
                outcome,
                created_at,
                deleted_at: Some(deleted_at),
            }
        });
        if tasks.len() > TASKS_MAX {
            return Err(row.fault(NAME, format!("one too many; the most is {TASKS_MAX} tasks")));
        }
        Ok(())
    })?;
    if tasks.is_empty() {
        let problem = "no pod; write at least one row below the header";
        return Err(InputError::line(path, sheet.line_behind(), problem));
    }
    cluster.tasks = tasks;
    cluster.demands = classes.into_demands();
    Ok(())
}

/// The GPUs that the row asks for.
fn gpu(row: &Row<'_>, models: Models) -> Result<GpuDemand, InputError> {
    let count = row.number(GPUS, GPUS_MAX as u64)? as u8;
    let milli = GpuMilli(row.number(GPU_MILLI, u64::from(GpuMilli::WHOLE.0))? as u16);
    let fault = |problem: &str| Err(row.fault(GPU_MILLI, problem));
    match (count, milli) {
        (0, GpuMilli::NONE) => Ok(GpuDemand::None),
        (0, _) => fault("a share of a GPU, but num_gpu is 0; write 0, or num_gpu 1"),
        (1, GpuMilli::NONE) => fault("nothing of a GPU, but num_gpu is 1; write 1 to 1000"),
        (_, GpuMilli::WHOLE) | (2.., GpuMilli::NONE) => Ok(GpuDemand::Whole { count, models }),
        (1, milli) => Ok(GpuDemand::Share { milli, models }),
        (_, _) => fault("a share, but num_gpu is more than 1; only one GPU is shared: write 1000"),
    }
}

/// The models that `gpu_spec` allows: all if it is empty.
fn models(row: &Row<'_>, cluster: &Cluster, any: &Models) -> Result<Models, InputError> {
    let spec = row.text(MODELS)?;
    if spec.is_empty() {
        return Ok(Arc::clone(any));
    }
    let mut allowed = Vec::new();
    for name in spec.split('|').map(str::trim) {
        if name.is_empty() {
            return Err(row.fault(MODELS, "an empty model name; write A or A|B"));
        }
        let known = cluster
            .models
            .binary_search_by(|model| model.as_ref().cmp(name));
        let Ok(place) = known else {
            let known = match cluster.model_names() {
                names if names.is_empty() => "no node has a GPU".to_owned(),
                names => format!("the nodes have: {names}"),
            };
            let name = super::error::one_line(name, 60);
            let problem = format!("unknown GPU model {name}; {known}");
            return Err(row.fault(MODELS, problem));
        };
        allowed.push(Model(place as u16));
    }
    Ok(any
        .iter()
        .copied()
        .filter(|model| allowed.contains(model))
        .collect())
}

/// When the pod is created and deleted.
fn life(row: &Row<'_>) -> Result<(Seconds, Seconds), InputError> {
    let created = Seconds(row.number(CREATED, SECONDS_MAX)?);
    let deleted = Seconds(row.number(DELETED, SECONDS_MAX)?);
    if deleted < created {
        let problem = format!(
            "before creation_time {}; a pod is deleted after it",
            created.0
        );
        return Err(row.fault(DELETED, problem));
    }
    // The replay schedules by itself, so the trace's own time of it need only be a time.
    if !row.text(SCHEDULED)?.is_empty() {
        row.number(SCHEDULED, SECONDS_MAX)?;
    }
    Ok((created, deleted))
}

/// How the pod ends. One that never ran in the trace may well run here, and then finishes.
fn outcome(row: &Row<'_>) -> Result<Outcome, InputError> {
    let qos = row.text(QOS)?;
    if !QOS_VALUES.contains(&qos) {
        let problem = format!(
            "unknown quality of service; write {}",
            QOS_VALUES.join(", ")
        );
        return Err(row.fault(QOS, problem));
    }
    match row.text(PHASE)? {
        "Failed" => Ok(Outcome::Fails),
        "Running" | "Succeeded" | "Pending" => Ok(Outcome::Finishes),
        _ => Err(row.fault(
            PHASE,
            "unknown phase; write Running, Succeeded, Failed or Pending",
        )),
    }
}
