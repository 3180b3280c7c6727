//! The ten objects of a cluster, as tables of a store: plain structs, found by name, by ID, by what
//! they refer to, and by entries of their users' own.
//!
//! ```
//! use skep::Id;
//! use skep::cluster::{self, Runtime, Service, Task, TaskSpec, TaskState};
//!
//! let store = cluster::builder().build();
//! let service = Service::named(Id::random(), "web");
//! let spec = TaskSpec { runtime: Some(Runtime::image("nginx")), ..TaskSpec::default() };
//! let task = Task {
//!     service_id: Some(service.id),
//!     slot: 1,
//!     spec: spec.into(),
//!     ..Task::new(Id::random())
//! };
//! store.update(|tx| {
//!     tx.create(service.clone())?;
//!     tx.create(task.clone())
//! })?;
//! let view = store.read();
//! assert_eq!(view.count(Task::BY_SLOT.eq((service.id, 1))), 1);
//! assert_eq!(view.count(Task::BY_NODE.eq(None)), 1); // not assigned yet
//! assert_eq!(view.count(Service::BY_NAME.eq("WEB")), 1); // names have no case
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! An object's version and times are its [`Meta`](crate::Meta), which the store keeps beside it.
//! This module uses what the crate gives to everybody, and nothing else.
//!
//! # Names
//!
//! Names are compared without case, everywhere: [`fold_case`](crate::fold_case). They are unique
//! within a table, but those of tasks (computed, see [`Task::name`]) and of nodes (their hosts'),
//! and, where a store is built so, of resources of two kinds ([`ResourceNames`]).
//! This and what holds of extensions and resources is refused otherwise with a [`RuleError`].
//!
//! # Versions
//!
//! [`Transaction::update_at`](crate::Transaction::update_at) guards a whole object,
//! [`Specified::update_spec_at`] its spec alone, whatever else of it was written meanwhile.
//!
//! # Where things are
//!
//! | file | what |
//! |---|---|
//! | `task.rs`, `service.rs`, `node.rs`, `network.rs`, `volume.rs` | an object, its indexes |
//! | `secret.rs`, `config.rs`, `cluster.rs`, `extension.rs`, `resource.rs` | the same |
//! | `task_spec.rs`, `container.rs`, `requirements.rs` | what a task is to be |
//! | `task_state.rs`, `task_status.rs` | how far it has come |
//! | `rollout.rs`, `endpoint.rs` | how services are changed and reached |
//! | `node_description.rs`, `root_ca.rs` | parts of nodes and of the cluster |
//! | `annotations.rs`, `payload.rs` | names, labels, custom entries; bytes |
//! | `serial.rs`, `times.rs` | bytes, states and times for serde |
//! | `object.rs`, `specified.rs` | what all objects have; what those have that users specify |
//! | `held.rs` | how large objects are |
//! | `rules.rs` | rules of names, kinds, extensions and services |
//! | `finder.rs`, `lookup.rs`, `search.rs`, `reads.rs` | finding by what is said at run time |
//! | `specifier.rs` | which changes a watcher gives |

#![forbid(unsafe_code)]

mod annotations;
#[expect(
    clippy::module_inception,
    reason = "a file an object, and this is one of them"
)]
mod cluster;
mod config;
mod container;
mod endpoint;
mod extension;
mod finder;
mod held;
mod lookup;
mod network;
mod node;
mod node_description;
mod object;
mod payload;
mod reads;
mod requirements;
mod resource;
mod rollout;
mod root_ca;
mod rules;
mod search;
mod secret;
#[cfg(feature = "serde")]
mod serial;
mod service;
mod specified;
mod specifier;
mod task;
mod task_spec;
mod task_state;
mod task_status;
#[cfg(feature = "serde")]
mod times;
mod volume;

pub use annotations::{Annotations, CustomKey, Driver, IndexEntry, Labels, custom_prefix};
pub use cluster::{
    Cluster, ClusterSpec, DEFAULT_CLUSTER_NAME, DispatcherConfig, EncryptionKey,
    OrchestrationConfig, RaftConfig, TaskDefaults,
};
pub use config::{Config, ConfigSpec};
pub use container::{
    ConfigReference, ContainerSpec, FileTarget, Healthcheck, Mount, MountKind, SecretReference,
};
pub use endpoint::{
    Endpoint, EndpointSpec, PortConfig, Protocol, PublishMode, ResolutionMode, VirtualIp,
};
pub use extension::Extension;
pub use finder::{Finder, InvalidFind};
pub use lookup::Lookup;
pub use network::{AddressFamily, IpamConfig, IpamOptions, Network, NetworkSpec};
pub use node::{
    ManagerStatus, Membership, Node, NodeAvailability, NodeRole, NodeSpec, NodeState, NodeStatus,
    Reachability,
};
pub use node_description::{
    Certificate, EngineDescription, IssuanceState, NodeCsiInfo, NodeDescription, PluginDescription,
    TlsInfo,
};
pub use object::ClusterObject;
pub use payload::{Bytes, Payload, SecretBytes};
pub use reads::{Reads, Results};
pub use requirements::{
    GenericResource, Placement, PlacementPreference, Platform, ResourceRequirements, Resources,
    RestartCondition, RestartPolicy,
};
pub use resource::{Resource, ResourceNames};
pub use rollout::{FailureAction, ServiceMode, UpdateConfig, UpdateOrder, UpdateState};
pub use root_ca::{CaConfig, ExternalCa, JoinTokens, RootCa, RootRotation};
pub use rules::{RuleError, check_name};
pub use search::{Search, find};
pub use secret::{Secret, SecretSpec};
pub use service::{JobStatus, Service, ServiceSpec, UpdateStatus};
pub use specified::{Specified, keep_spec_version};
pub use specifier::Specifier;
pub use task::{NetworkAttachment, Task, VolumeAttachment};
pub use task_spec::{
    AttachmentRuntime, GenericRuntime, NetworkAttachmentConfig, ResourceReference, ResourceType,
    Runtime, TaskSpec,
};
pub use task_state::{StateFalls, TaskState};
pub use task_status::{ContainerStatus, TaskStatus};
pub use volume::{
    CapacityRange, TopologyRequirement, Volume, VolumeAccessMode, VolumeAvailability, VolumeInfo,
    VolumePublishState, VolumePublishStatus, VolumeScope, VolumeSecret, VolumeSharing, VolumeSpec,
};

use crate::Builder;
use crate::Store;
#[cfg(feature = "save")]
use crate::save::Catalogue;

/// Adds the tables of a cluster: extensions before resources, which are of their kinds.
macro_rules! with_tables {
    ($to:expr) => {
        $to.table::<Cluster>()
            .table::<Config>()
            .table::<Extension>()
            .table::<Network>()
            .table::<Node>()
            .table::<Resource>()
            .table::<Secret>()
            .table::<Service>()
            .table::<Task>()
            .table::<Volume>()
    };
}

/// A builder of a store with the tables of a cluster.
#[must_use]
pub fn builder() -> Builder {
    tables(Store::builder())
}

/// The tables of a cluster, to be saved and restored.
#[cfg(feature = "save")]
#[must_use]
pub fn catalogue() -> Catalogue {
    with_tables!(Catalogue::new())
}

/// Adds the tables of a cluster: extensions before resources, which are of their kinds.
#[must_use]
pub fn tables(builder: Builder) -> Builder {
    with_tables!(builder)
}
