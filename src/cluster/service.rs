//! Services: what is to run, how often, and how it is changed.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use super::annotations::{Annotations, CustomKey};
use super::endpoint::{Endpoint, EndpointSpec};
use super::finder::Finder;
use super::held::bytes_of;
use super::lookup::Lookup;
use super::object::ClusterObject;
use super::rollout::{ServiceMode, UpdateConfig, UpdateState};
use super::rules::check_service;
use super::specified::keep_spec_version;
use super::task_spec::{NetworkAttachmentConfig, ResourceType, TaskSpec};
use crate::Id;
use crate::Index;
use crate::Indexes;
use crate::Object;
use crate::Proposed;
use crate::Rejected;
use crate::Transaction;
use crate::Version;
use crate::fold_case;

/// A service.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Service {
    /// The key.
    pub id: Id,
    /// What it is to be. Its annotations name the service.
    pub spec: ServiceSpec,
    /// The version of the spec, which the store keeps: see [`Specified`](super::Specified). Tasks
    /// say from which one they were made.
    pub spec_version: Option<Version>,
    /// The spec before, to go back to.
    pub previous_spec: Option<Box<ServiceSpec>>,
    /// The version of the spec before.
    pub previous_spec_version: Option<Version>,
    /// How it is reached.
    pub endpoint: Option<Arc<Endpoint>>,
    /// How far its tasks are replaced, while they are.
    pub update_status: Option<UpdateStatus>,
    /// The run of the job, if it is one.
    pub job_status: Option<JobStatus>,
    /// Deleted once its tasks are gone.
    pub pending_delete: bool,
}

/// What a service is to be.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ServiceSpec {
    /// Name, labels and custom index entries.
    pub annotations: Annotations,
    /// What its tasks are to be.
    #[cfg_attr(feature = "save", serde(with = "crate::save::shared"))]
    pub task: Arc<TaskSpec>,
    /// How many there are to be.
    pub mode: ServiceMode,
    /// How tasks are replaced when the spec changes.
    pub update: Option<UpdateConfig>,
    /// The same on the way back to the spec before.
    pub rollback: Option<UpdateConfig>,
    /// Networks of all tasks; those of the task spec take their place. Kept for old specs.
    pub networks: Vec<NetworkAttachmentConfig>,
    /// How it is to be reached.
    pub endpoint: Option<EndpointSpec>,
}

/// How far the tasks of a service are replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct UpdateStatus {
    /// What is going on.
    pub state: UpdateState,
    /// Since when.
    #[cfg_attr(feature = "serde", serde(default, with = "super::times"))]
    pub started_at: Option<SystemTime>,
    /// Until when.
    #[cfg_attr(feature = "serde", serde(default, with = "super::times"))]
    pub completed_at: Option<SystemTime>,
    /// The same in words.
    pub message: String,
}

/// A run of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct JobStatus {
    /// Which one: counted up for each run.
    pub iteration: u64,
    /// When it was asked for.
    #[cfg_attr(feature = "serde", serde(default, with = "super::times"))]
    pub last_execution: Option<SystemTime>,
}

impl ServiceSpec {
    /// The networks that its tasks are attached to: the task spec's, or, without any, its own.
    pub fn network_ids(&self) -> impl Iterator<Item = Id> {
        let networks = match self.task.networks.is_empty() {
            true => &self.networks,
            false => &self.task.networks,
        };
        networks.iter().map(|network| network.target)
    }
}

impl Service {
    /// By name, whatever the case; no two have the same.
    pub const BY_NAME: Index<Self, String> = Index::new("by_name", |service: &Self, keys| {
        keys.add(service.spec.annotations.name.clone());
    })
    .unique()
    .normalized(fold_case)
    .unchanged_if(|old, new| old.spec.annotations.name == new.spec.annotations.name);
    /// By what its tasks run: `attachment`, `container`, or the generic kind; whatever the case.
    pub const BY_RUNTIME: Index<Self, String> = Index::new("by_runtime", |service: &Self, keys| {
        if let Some(kind) = service.spec.task.runtime_kind() {
            keys.add(kind.to_owned());
        }
    })
    .normalized(fold_case)
    .unchanged_if(|old, new| old.spec.task.runtime_kind() == new.spec.task.runtime_kind());
    /// By each network that its spec names.
    pub const BY_NETWORK: Index<Self, Id> = Index::new("by_network", |service: &Self, keys| {
        service.spec.network_ids().for_each(|id| keys.add(id));
    })
    .unchanged_if(|old, new| old.spec.network_ids().eq(new.spec.network_ids()));
    /// By each secret that its spec names, resource references included.
    pub const BY_SECRET: Index<Self, Id> = Index::new("by_secret", |service: &Self, keys| {
        service.spec.task.secret_ids().for_each(|id| keys.add(id));
    })
    .unchanged_if(|old, new| old.spec.task.secret_ids().eq(new.spec.task.secret_ids()));
    /// By each config that its spec names, resource references included.
    pub const BY_CONFIG: Index<Self, Id> = Index::new("by_config", |service: &Self, keys| {
        service.spec.task.config_ids().for_each(|id| keys.add(id));
    })
    .unchanged_if(|old, new| old.spec.task.config_ids().eq(new.spec.task.config_ids()));
    /// By each resource reference of its spec: the type and the ID of what that names.
    pub const BY_REFERENCE: Index<Self, (ResourceType, Id)> =
        Index::new("by_reference", |service: &Self, keys| {
            let references = service.spec.task.resource_references.iter();
            references.for_each(|reference| keys.add((reference.kind, reference.id)));
        })
        .unchanged_if(|old, new| {
            old.spec.task.resource_references == new.spec.task.resource_references
        });
    /// By the entries of its annotations.
    pub const BY_CUSTOM: Index<Self, CustomKey> =
        Index::new("by_custom", |service: &Self, keys| {
            let entries = service.spec.annotations.custom_keys();
            entries.for_each(|entry| keys.add(entry));
        })
        .unchanged_if(|old, new| old.spec.annotations.indices == new.spec.annotations.indices);

    /// A service with this name, of one task with an empty spec.
    pub fn named(id: Id, name: impl Into<String>) -> Self {
        let annotations = Annotations::named(name);
        Self {
            id,
            spec: ServiceSpec {
                annotations,
                ..ServiceSpec::default()
            },
            spec_version: None,
            previous_spec: None,
            previous_spec_version: None,
            endpoint: None,
            update_status: None,
            job_status: None,
            pending_delete: false,
        }
    }
}

impl Object for Service {
    type Key = Id;
    const TABLE: &'static str = "service";

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
            .add(Self::BY_NETWORK)
            .add(Self::BY_SECRET)
            .add(Self::BY_CONFIG)
            .add(Self::BY_REFERENCE)
            .add(Self::BY_CUSTOM);
    }

    fn complete(&mut self, old: Option<&Self>, tx: &Transaction<'_>) {
        keep_spec_version(self, old, tx);
    }

    fn check(change: Proposed<'_, Self>, tx: &Transaction<'_>) -> Result<(), Rejected> {
        check_service(change, tx)
    }
}

impl ClusterObject for Service {
    const BY_NAME: Index<Self, String> = Self::BY_NAME;
    const BY_CUSTOM: Index<Self, CustomKey> = Self::BY_CUSTOM;

    fn name(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.spec.annotations.name))
    }

    fn annotations(&self) -> &Annotations {
        &self.spec.annotations
    }

    fn lookup(finder: &Finder) -> Option<Lookup<Self>> {
        Some(match *finder {
            Finder::Runtime(ref kind) => Lookup::folded(Self::BY_RUNTIME, kind, |service| {
                service.spec.task.runtime_kind()
            }),
            Finder::ReferencedNetwork(network) => {
                Lookup::exact(Self::BY_NETWORK, network, |service, network| {
                    service.spec.network_ids().any(|id| id == *network)
                })
            }
            Finder::ReferencedSecret(secret) => {
                Lookup::exact(Self::BY_SECRET, secret, |service, secret| {
                    service.spec.task.secret_ids().any(|id| id == *secret)
                })
            }
            Finder::Reference { kind, id } => {
                Lookup::exact(Self::BY_REFERENCE, (kind, id), |service, (kind, id)| {
                    service.spec.task.refers_to(*kind, *id)
                })
            }
            Finder::ReferencedConfig(config) => {
                Lookup::exact(Self::BY_CONFIG, config, |service, config| {
                    service.spec.task.config_ids().any(|id| id == *config)
                })
            }
            _ => return None,
        })
    }
}
