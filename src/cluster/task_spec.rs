//! What a task is to be: what runs, with what, where.

use std::borrow::Cow;

use super::annotations::{Driver, Labels};
use super::container::ContainerSpec;
use super::payload::Payload;
use super::requirements::{Placement, ResourceRequirements, RestartPolicy};
use crate::Id;

/// What a task is to be; a service has the same for all its tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TaskSpec {
    /// What runs.
    pub runtime: Option<Runtime>,
    /// What it needs and what it may take.
    pub resources: ResourceRequirements,
    /// What happens when it ends.
    pub restart: RestartPolicy,
    /// Where it may run.
    pub placement: Placement,
    /// Where its output goes; none: the cluster's default.
    pub log_driver: Option<Driver>,
    /// The networks that it is attached to.
    pub networks: Vec<NetworkAttachmentConfig>,
    /// Changed to have tasks replaced although nothing else changed.
    pub force_update: u64,
    /// Objects that it uses beside those that a container names.
    pub resource_references: Vec<ResourceReference>,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Runtime {
    /// Nothing new: a container that is there is attached to networks.
    Attachment(AttachmentRuntime),
    /// A container.
    Container(Box<ContainerSpec>),
    /// Something that only the agent understands.
    Generic(GenericRuntime),
}

/// A container that is attached to networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct AttachmentRuntime {
    /// The runtime's name for it.
    pub container_id: String,
}

/// A runtime that only the agent understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct GenericRuntime {
    /// Which one. Compared without case.
    pub kind: String,
    /// What it is told.
    pub payload: Payload,
}

/// A network that a task is to be attached to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NetworkAttachmentConfig {
    /// The network.
    pub target: Id,
    /// Names of the task in it.
    pub aliases: Vec<String>,
    /// Addresses that it is to have there.
    pub addresses: Vec<String>,
    /// What the network's driver is told.
    pub driver_options: Labels,
}

/// An object that a task uses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[derive(Copy)]
pub struct ResourceReference {
    /// The object.
    pub id: Id,
    /// Its table.
    pub kind: ResourceType,
}

/// The tables whose objects a [`ResourceReference`] names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ResourceType {
    /// A task.
    #[default]
    Task,
    /// A secret.
    Secret,
    /// A config.
    Config,
    /// A volume.
    Volume,
}

impl Runtime {
    /// What tasks and services are found by: `attachment`, `container`, or the generic kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Attachment(_) => "attachment",
            Self::Container(_) => "container",
            Self::Generic(generic) => &generic.kind,
        }
    }

    /// A container of an image.
    pub fn image(image: impl Into<String>) -> Self {
        Self::Container(Box::new(ContainerSpec::image(image)))
    }

    /// A runtime that only the agent understands.
    pub fn generic<'k>(kind: impl Into<Cow<'k, str>>) -> Self {
        Self::Generic(GenericRuntime {
            kind: kind.into().into_owned(),
            payload: Payload::default(),
        })
    }
}

impl NetworkAttachmentConfig {
    /// An attachment to a network, the rest left to it.
    #[must_use]
    pub fn to(target: Id) -> Self {
        Self {
            target,
            aliases: Vec::new(),
            addresses: Vec::new(),
            driver_options: Labels::new(),
        }
    }
}

impl TaskSpec {
    /// The container, if that is what runs.
    #[must_use]
    pub fn container(&self) -> Option<&ContainerSpec> {
        match &self.runtime {
            Some(Runtime::Container(container)) => Some(container),
            _ => None,
        }
    }

    /// What runs, by name: see [`Runtime::kind`].
    #[must_use]
    pub fn runtime_kind(&self) -> Option<&str> {
        self.runtime.as_ref().map(Runtime::kind)
    }

    /// The networks that it names.
    pub fn network_ids(&self) -> impl Iterator<Item = Id> {
        self.networks.iter().map(|network| network.target)
    }

    /// The secrets that it names: its container's, and those among the resource references.
    pub fn secret_ids(&self) -> impl Iterator<Item = Id> {
        let secrets = self.container().map_or(&[][..], |spec| &spec.secrets);
        let own = secrets.iter().map(|secret| secret.secret_id);
        own.chain(self.referenced(ResourceType::Secret))
    }

    /// The configs that it names: its container's, and those among the resource references.
    pub fn config_ids(&self) -> impl Iterator<Item = Id> {
        let configs = self.container().map_or(&[][..], |spec| &spec.configs);
        let own = configs.iter().map(|config| config.config_id);
        own.chain(self.referenced(ResourceType::Config))
    }

    /// Whether a resource reference names an object of a type.
    pub(super) fn refers_to(&self, kind: ResourceType, id: Id) -> bool {
        self.resource_references
            .contains(&ResourceReference { id, kind })
    }

    /// The resource references of a type.
    fn referenced(&self, kind: ResourceType) -> impl Iterator<Item = Id> {
        let references = self.resource_references.iter();
        references.filter_map(move |reference| (reference.kind == kind).then_some(reference.id))
    }
}
