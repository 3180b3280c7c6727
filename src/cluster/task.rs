//! Tasks: one run of what a service says, on one node.

use std::borrow::Cow;
use std::sync::Arc;

use super::annotations::{Annotations, CustomKey, Driver, Labels};
use super::endpoint::Endpoint;
use super::finder::Finder;
use super::held::bytes_of;
use super::lookup::Lookup;
use super::network::Network;
use super::object::ClusterObject;
use super::requirements::GenericResource;
use super::rules::check_task;
use super::task_spec::{ResourceType, TaskSpec};
use super::task_state::{StateFalls, TaskState};
use super::task_status::TaskStatus;
use crate::Id;
use crate::Index;
use crate::Indexes;
use crate::Object;
use crate::Proposed;
use crate::Rejected;
use crate::Transaction;
use crate::Version;
use crate::fold_case;

/// A task.
///
/// Specs, networks and endpoints are shared: the next version of a task copies none of them.
///
/// ```
/// use skep::Id;
/// use skep::cluster::{Task, TaskState};
///
/// let mut task = Task { slot: 1, ..Task::new(Id::random()) };
/// task.observe(TaskState::Running)?;
/// assert!(task.observe(TaskState::Pending).is_err());
/// # Ok::<(), skep::cluster::StateFalls>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Task {
    /// The key.
    pub id: Id,
    /// Its own name, if it has one, labels and custom index entries.
    pub annotations: Annotations,
    /// The annotations of its service.
    #[cfg_attr(feature = "save", serde(with = "crate::save::shared"))]
    pub service_annotations: Arc<Annotations>,
    /// What it is to be.
    #[cfg_attr(feature = "save", serde(with = "crate::save::shared"))]
    pub spec: Arc<TaskSpec>,
    /// The version of the service's spec that it was made from.
    pub spec_version: Option<Version>,
    /// Its service, if it is of one.
    pub service_id: Option<Id>,
    /// Its place among the service's tasks, from 1; 0: its node is its place.
    pub slot: u64,
    /// Where it runs; none: not assigned yet.
    pub node_id: Option<Id>,
    /// What is observed of it. Its state only moves up: a store refuses a lower one
    /// ([`RuleError::StateFalls`](super::RuleError::StateFalls)).
    pub status: TaskStatus,
    /// How far it is to come.
    pub desired_state: TaskState,
    /// The networks that it is attached to.
    pub networks: Vec<NetworkAttachment>,
    /// How its service is reached.
    pub endpoint: Option<Arc<Endpoint>>,
    /// Where its output goes.
    pub log_driver: Option<Driver>,
    /// What it got of what only users of nodes understand.
    pub assigned_generic_resources: Vec<GenericResource>,
    /// The run of the job that it is of.
    pub job_iteration: Option<u64>,
    /// The volumes that it got.
    pub volumes: Vec<VolumeAttachment>,
}

/// A network that a task is attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NetworkAttachment {
    /// The network as it was then.
    #[cfg_attr(feature = "save", serde(with = "crate::save::shared"))]
    pub network: Arc<Network>,
    /// The task's addresses in it.
    pub addresses: Vec<String>,
    /// The task's names in it.
    pub aliases: Vec<String>,
    /// What the network's driver is told.
    pub driver_options: Labels,
}

/// A volume that a task got for a mount.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct VolumeAttachment {
    /// The volume.
    pub id: Id,
    /// The mount's source.
    pub source: String,
    /// The mount's target.
    pub target: String,
}

impl Task {
    /// By the computed name, see [`Task::name`]; whatever the case.
    pub const BY_NAME: Index<Self, String> =
        Index::new("by_name", |task: &Self, keys| keys.add(task.name().into()))
            .normalized(fold_case)
            .unchanged_if(Self::has_name_of);
    /// By what runs: `attachment`, `container`, or the generic kind; whatever the case.
    pub const BY_RUNTIME: Index<Self, String> = Index::new("by_runtime", |task: &Self, keys| {
        if let Some(kind) = task.spec.runtime_kind() {
            keys.add(kind.to_owned());
        }
    })
    .normalized(fold_case)
    .unchanged_if(|old, new| {
        old.shares_spec(new) || old.spec.runtime_kind() == new.spec.runtime_kind()
    });
    /// By service; `None`: tasks of none.
    pub const BY_SERVICE: Index<Self, Option<Id>> =
        Index::new("by_service", |task: &Self, keys| keys.add(task.service_id))
            .unchanged_if(|old, new| old.service_id == new.service_id);
    /// By node; `None`: tasks that are not assigned.
    pub const BY_NODE: Index<Self, Option<Id>> =
        Index::new("by_node", |task: &Self, keys| keys.add(task.node_id))
            .unchanged_if(|old, new| old.node_id == new.node_id);
    /// By service and slot; tasks of a service only.
    pub const BY_SLOT: Index<Self, (Id, u64)> = Index::new("by_slot", |task: &Self, keys| {
        if let Some(service) = task.service_id {
            keys.add((service, task.slot));
        }
    })
    .unchanged_if(|old, new| (old.service_id, old.slot) == (new.service_id, new.slot));
    /// By how far it is to come.
    pub const BY_DESIRED_STATE: Index<Self, TaskState> =
        Index::new("by_desired_state", |task: &Self, keys| {
            keys.add(task.desired_state);
        })
        .unchanged_if(|old, new| old.desired_state == new.desired_state);
    /// By how far it has come.
    pub const BY_STATE: Index<Self, TaskState> =
        Index::new("by_state", |task: &Self, keys| keys.add(task.status.state))
            .unchanged_if(|old, new| old.status.state == new.status.state);
    /// By each network that its spec names.
    pub const BY_NETWORK: Index<Self, Id> = Index::new("by_network", |task: &Self, keys| {
        task.spec.network_ids().for_each(|id| keys.add(id));
    })
    .unchanged_if(|old, new| {
        old.shares_spec(new) || old.spec.network_ids().eq(new.spec.network_ids())
    });
    /// By each secret that its spec names, resource references included.
    pub const BY_SECRET: Index<Self, Id> = Index::new("by_secret", |task: &Self, keys| {
        task.spec.secret_ids().for_each(|id| keys.add(id));
    })
    .unchanged_if(|old, new| {
        old.shares_spec(new) || old.spec.secret_ids().eq(new.spec.secret_ids())
    });
    /// By each config that its spec names, resource references included.
    pub const BY_CONFIG: Index<Self, Id> = Index::new("by_config", |task: &Self, keys| {
        task.spec.config_ids().for_each(|id| keys.add(id));
    })
    .unchanged_if(|old, new| {
        old.shares_spec(new) || old.spec.config_ids().eq(new.spec.config_ids())
    });
    /// By each resource reference of its spec: the type and the ID of what that names.
    pub const BY_REFERENCE: Index<Self, (ResourceType, Id)> =
        Index::new("by_reference", |task: &Self, keys| {
            let references = task.spec.resource_references.iter();
            references.for_each(|reference| keys.add((reference.kind, reference.id)));
        })
        .unchanged_if(|old, new| {
            old.shares_spec(new) || old.spec.resource_references == new.spec.resource_references
        });
    /// By each volume that it got.
    pub const BY_VOLUME: Index<Self, Id> = Index::new("by_volume", |task: &Self, keys| {
        task.volume_ids().for_each(|id| keys.add(id));
    })
    .unchanged_if(|old, new| old.volume_ids().eq(new.volume_ids()));
    /// By the entries of its annotations.
    pub const BY_CUSTOM: Index<Self, CustomKey> = Index::new("by_custom", |task: &Self, keys| {
        let entries = task.annotations.custom_keys();
        entries.for_each(|entry| keys.add(entry));
    })
    .unchanged_if(|old, new| old.annotations.indices == new.annotations.indices);

    /// A task of no service, not assigned, with an empty spec.
    #[must_use]
    pub fn new(id: Id) -> Self {
        Self {
            id,
            annotations: Annotations::default(),
            service_annotations: Arc::default(),
            spec: Arc::default(),
            spec_version: None,
            service_id: None,
            slot: 0,
            node_id: None,
            status: TaskStatus::default(),
            desired_state: TaskState::New,
            networks: Vec::new(),
            endpoint: None,
            log_driver: None,
            assigned_generic_resources: Vec::new(),
            job_iteration: None,
            volumes: Vec::new(),
        }
    }

    /// Its name: its own; without one `service.slot.id`, with the node in the slot's place if that
    /// is 0.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        if !self.annotations.name.is_empty() {
            return Cow::Borrowed(&self.annotations.name);
        }
        // In one allocation that fits: each write of a task computes it, and its index keeps it.
        let service = &self.service_annotations.name;
        let place = match (self.slot.checked_ilog10(), self.node_id) {
            (None, None) => 0,
            (None, Some(_)) => Id::TEXT_LEN,
            (Some(tens), _) => 1 + tens as usize,
        };
        let mut name = String::with_capacity(service.len() + place + Id::TEXT_LEN + 2);
        name.push_str(service);
        name.push('.');
        match (self.slot, self.node_id) {
            (0, None) => {}
            (0, Some(node)) => name.push_str(node.encode(&mut [0; Id::TEXT_LEN])),
            (slot, _) => push_number(&mut name, slot),
        }
        name.push('.');
        name.push_str(self.id.encode(&mut [0; Id::TEXT_LEN]));
        Cow::Owned(name)
    }

    /// The volumes that it got.
    pub fn volume_ids(&self) -> impl Iterator<Item = Id> {
        self.volumes.iter().map(|volume| volume.id)
    }

    /// Whether its name is made of what another one's is made of.
    fn has_name_of(&self, other: &Self) -> bool {
        let parts = |task: &Self| (task.id, task.slot, task.node_id);
        parts(self) == parts(other)
            && self.annotations.name == other.annotations.name
            && (Arc::ptr_eq(&self.service_annotations, &other.service_annotations)
                || self.service_annotations.name == other.service_annotations.name)
    }

    /// Whether both have one spec in memory, as what is copied and changed has.
    fn shares_spec(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.spec, &other.spec)
    }

    /// Takes on an observed state, if it is not lower.
    ///
    /// # Errors
    /// [`StateFalls`] if it is; nothing is changed then.
    pub fn observe(&mut self, state: TaskState) -> Result<(), StateFalls> {
        self.status.observe(state)
    }

    /// Takes on a whole status, if its state is not lower.
    ///
    /// # Errors
    /// [`StateFalls`] if it is; nothing is changed then.
    pub fn report(&mut self, status: TaskStatus) -> Result<(), StateFalls> {
        self.status.observe(status.state)?;
        self.status = status;
        Ok(())
    }
}

/// Appends a number's decimal digits.
fn push_number(text: &mut String, number: u64) {
    if number > 9 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

impl NetworkAttachment {
    /// An attachment to a network, without addresses yet.
    pub fn to(network: impl Into<Arc<Network>>) -> Self {
        Self {
            network: network.into(),
            addresses: Vec::new(),
            aliases: Vec::new(),
            driver_options: Labels::new(),
        }
    }
}

impl Object for Task {
    type Key = Id;
    const TABLE: &'static str = "task";

    fn key(&self) -> Id {
        self.id
    }

    fn bytes(&self) -> usize {
        bytes_of(self)
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes
            .add(Self::BY_NAME)
            .add(Self::BY_RUNTIME)
            .add(Self::BY_SERVICE)
            .add(Self::BY_NODE)
            .add(Self::BY_SLOT)
            .add(Self::BY_DESIRED_STATE)
            .add(Self::BY_STATE)
            .add(Self::BY_NETWORK)
            .add(Self::BY_SECRET)
            .add(Self::BY_CONFIG)
            .add(Self::BY_REFERENCE)
            .add(Self::BY_VOLUME)
            .add(Self::BY_CUSTOM);
    }

    fn check(change: Proposed<'_, Self>, tx: &Transaction<'_>) -> Result<(), Rejected> {
        check_task(change, tx)
    }
}

impl ClusterObject for Task {
    const BY_NAME: Index<Self, String> = Self::BY_NAME;
    const BY_CUSTOM: Index<Self, CustomKey> = Self::BY_CUSTOM;

    fn name(&self) -> Option<Cow<'_, str>> {
        Some(self.name())
    }

    fn annotations(&self) -> &Annotations {
        &self.annotations
    }

    fn lookup(finder: &Finder) -> Option<Lookup<Self>> {
        Some(match *finder {
            Finder::Runtime(ref kind) => {
                Lookup::folded(Self::BY_RUNTIME, kind, |task| task.spec.runtime_kind())
            }
            Finder::Service(service) => {
                Lookup::exact(Self::BY_SERVICE, service, |task, service| {
                    task.service_id == *service
                })
            }
            Finder::Node(node) => {
                Lookup::exact(Self::BY_NODE, node, |task, node| task.node_id == *node)
            }
            Finder::Slot { service, slot } => {
                Lookup::exact(Self::BY_SLOT, (service, slot), |task, (service, slot)| {
                    task.service_id == Some(*service) && task.slot == *slot
                })
            }
            Finder::DesiredState(state) => {
                Lookup::exact(Self::BY_DESIRED_STATE, state, |task, state| {
                    task.desired_state == *state
                })
            }
            Finder::TaskState(state) => Lookup::exact(Self::BY_STATE, state, |task, state| {
                task.status.state == *state
            }),
            Finder::ReferencedNetwork(network) => {
                Lookup::exact(Self::BY_NETWORK, network, |task, network| {
                    task.spec.network_ids().any(|id| id == *network)
                })
            }
            Finder::ReferencedSecret(secret) => {
                Lookup::exact(Self::BY_SECRET, secret, |task, secret| {
                    task.spec.secret_ids().any(|id| id == *secret)
                })
            }
            Finder::Reference { kind, id } => {
                Lookup::exact(Self::BY_REFERENCE, (kind, id), |task, (kind, id)| {
                    task.spec.refers_to(*kind, *id)
                })
            }
            Finder::ReferencedConfig(config) => {
                Lookup::exact(Self::BY_CONFIG, config, |task, config| {
                    task.spec.config_ids().any(|id| id == *config)
                })
            }
            Finder::VolumeAttachment(volume) => {
                Lookup::exact(Self::BY_VOLUME, volume, |task, volume| {
                    task.volume_ids().any(|id| id == *volume)
                })
            }
            _ => return None,
        })
    }
}
