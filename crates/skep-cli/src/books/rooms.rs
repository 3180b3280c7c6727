//! Who holds which room, from the tasks' changes alone.
//!
//! Each node's room is counted here beside the node's own account in the store, which its
//! schedulers and agents keep. At every version that changed either, the two must agree, and
//! nothing may be over capacity.

use std::collections::{BTreeSet, HashMap};

use skep::{Id, Version};

use super::copy::Copy;
use super::fault::Fault;
use crate::cluster::amounts::{CpuMilli, MemoryMib};
use crate::cluster::demand::GpuDemand;
use crate::objects::node::Node;
use crate::objects::task::Task;

/// All that is in use, or all that there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Thousandths of CPUs.
    pub cpu_milli: u64,
    /// MiB.
    pub memory_mib: u64,
    /// Thousandths of GPUs.
    pub gpu_milli: u64,
    /// Tasks that hold room.
    pub tasks: u64,
}

impl Totals {
    /// The larger of each.
    fn max(self, other: Self) -> Self {
        Self {
            cpu_milli: self.cpu_milli.max(other.cpu_milli),
            memory_mib: self.memory_mib.max(other.memory_mib),
            gpu_milli: self.gpu_milli.max(other.gpu_milli),
            tasks: self.tasks.max(other.tasks),
        }
    }

    fn used(node: &Node) -> Self {
        Self {
            cpu_milli: u64::from(node.cpu_used.0),
            memory_mib: u64::from(node.memory_used.0),
            gpu_milli: node.gpus.used_milli(),
            tasks: u64::from(node.tasks),
        }
    }

    fn add(&mut self, other: Self) {
        self.cpu_milli += other.cpu_milli;
        self.memory_mib += other.memory_mib;
        self.gpu_milli += other.gpu_milli;
        self.tasks += other.tasks;
    }

    fn subtract(&mut self, other: Self) {
        self.cpu_milli -= other.cpu_milli;
        self.memory_mib -= other.memory_mib;
        self.gpu_milli -= other.gpu_milli;
        self.tasks -= other.tasks;
    }
}

/// The room that the changes of one commit free and take.
#[derive(Debug, Default)]
struct Moves {
    freed: Vec<(Id, Task)>,
    taken: Vec<(Id, Task)>,
    touched: BTreeSet<Id>,
}

/// Who holds which room.
#[derive(Debug, Default)]
pub struct Rooms {
    nodes: HashMap<Id, Node>,
    moves: Moves,
    used: Totals,
    /// The most that was ever in use, of each resource.
    pub peak: Totals,
}

impl Rooms {
    /// Takes a change of a task down; it counts when its commit is closed.
    pub fn task_changed(&mut self, old: Option<&Task>, new: Option<&Task>) {
        let holder = |task: Option<&Task>| {
            let task = task.filter(|task| task.state.holds_room())?;
            Some((task.node?, task.clone()))
        };
        let (old, new) = (holder(old), holder(new));
        if let (Some((old_node, old)), Some((new_node, new))) = (&old, &new)
            && old_node == new_node
            && old.gpus == new.gpus
            && old.demand == new.demand
        {
            return;
        }
        self.moves
            .touched
            .extend(old.iter().chain(&new).map(|(node, _)| *node));
        self.moves.freed.extend(old);
        self.moves.taken.extend(new);
    }

    /// Takes a change of a node down.
    pub fn node_changed(&mut self, old: Option<&Node>, new: Option<&Node>) {
        if let (None, Some(new)) = (old, new) {
            let empty = Node {
                cpu_used: CpuMilli(0),
                memory_used: MemoryMib(0),
                gpus: crate::objects::gpus::GpuUse::idle(new.gpus.free().count() as u8),
                tasks: 0,
                ..new.clone()
            };
            self.nodes.insert(new.id, empty);
        }
        self.moves.touched.extend(old.or(new).map(|node| node.id));
    }

    /// Closes a commit: what it frees and takes counts now, and must fit. `accounts` are the
    /// nodes as the store has them.
    pub fn close(&mut self, version: Version, accounts: &Copy<Node>, mut found: impl FnMut(Fault)) {
        let moves = std::mem::take(&mut self.moves);
        for (node, task) in moves.freed {
            self.give_back(node, &task, &mut found);
        }
        for (node, task) in moves.taken {
            self.take(version, node, &task, &mut found);
        }
        self.peak = self.peak.max(self.used);
        for id in moves.touched {
            let (Some(held), Some(account)) = (self.nodes.get(&id), accounts.get(&id)) else {
                continue;
            };
            if held != account {
                let node = account.name.to_string();
                let (accounted, held) = (used(account), used(held));
                found(Fault::WrongUse {
                    version,
                    node,
                    accounted,
                    held,
                });
            }
        }
    }

    fn give_back(&mut self, id: Id, task: &Task, found: &mut impl FnMut(Fault)) {
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let before = Totals::used(node);
        if !node.give_back(&task.demand, task.gpus) {
            let (node, task) = (node.name.to_string(), task.name.to_string());
            found(Fault::NotTaken { node, task });
        }
        self.used.subtract(before);
        self.used.add(Totals::used(node));
    }

    fn take(&mut self, version: Version, id: Id, task: &Task, found: &mut impl FnMut(Fault)) {
        let name = || task.name.to_string();
        let Some(node) = self.nodes.get_mut(&id) else {
            let (key, what) = (name(), "assigned to a node that does not exist".to_owned());
            return found(Fault::WrongEvent {
                version,
                table: "task",
                key,
                what,
            });
        };
        let models = match &task.demand.gpu {
            GpuDemand::None => None,
            GpuDemand::Share { models, .. } | GpuDemand::Whole { models, .. } => Some(models),
        };
        if models.is_some_and(|models| node.model.is_none_or(|model| !models.contains(&model))) {
            let node = node.name.to_string();
            found(Fault::WrongModel {
                version,
                node,
                task: name(),
            });
        }
        let before = Totals::used(node);
        if !node.take_exactly(&task.demand, task.gpus) {
            let what = format!(
                "{:?} with GPUs {} beside {}",
                task.demand,
                task.gpus,
                used(node)
            );
            let node = node.name.to_string();
            found(Fault::OverCapacity {
                version,
                node,
                task: name(),
                what,
            });
        }
        self.used.subtract(before);
        self.used.add(Totals::used(node));
    }
}

/// A node's use, for a message.
fn used(node: &Node) -> String {
    let Totals {
        cpu_milli,
        memory_mib,
        gpu_milli,
        tasks,
    } = Totals::used(node);
    format!("{tasks} tasks with {cpu_milli} mCPU, {memory_mib} MiB, {gpu_milli} mGPU")
}
