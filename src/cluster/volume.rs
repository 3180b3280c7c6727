//! Volumes: storage of the cluster that follows tasks to their nodes.

use std::borrow::Cow;

use super::annotations::{Annotations, CustomKey, Driver, Labels};
use super::finder::Finder;
use super::held::bytes_of;
use super::lookup::Lookup;
use super::object::ClusterObject;
use super::rules::check_name;
use super::specified::keep_spec_version;
use crate::Id;
use crate::Index;
use crate::Indexes;
use crate::Object;
use crate::Proposed;
use crate::Rejected;
use crate::Transaction;
use crate::Version;
use crate::fold_case;

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Volume {
    /// The key.
    pub id: Id,
    /// What it is to be. Its annotations name the volume.
    pub spec: VolumeSpec,
    /// The version of the spec, which the store keeps: see [`Specified`](super::Specified).
    pub spec_version: Option<Version>,
    /// The nodes that have it.
    pub publish_status: Vec<VolumePublishStatus>,
    /// What its driver says of it; none: it is not made yet.
    pub info: Option<VolumeInfo>,
    /// Deleted once no node has it.
    pub pending_delete: bool,
}

/// What a volume is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct VolumeSpec {
    /// Name, labels and custom index entries.
    pub annotations: Annotations,
    /// The group that it is of; empty: none.
    pub group: String,
    /// Who makes it: a volume has a driver, always.
    pub driver: Driver,
    /// How it is used.
    pub access_mode: VolumeAccessMode,
    /// What its driver is told in secret.
    pub secrets: Vec<VolumeSecret>,
    /// Where it must be to be reached.
    pub accessibility: TopologyRequirement,
    /// How large it is to be.
    pub capacity: CapacityRange,
    /// Whether it may be used.
    pub availability: VolumeAvailability,
}

/// How many nodes use a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum VolumeScope {
    /// One at a time.
    #[default]
    SingleNode,
    /// Any number.
    MultiNode,
}

/// How the tasks that use a volume share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum VolumeSharing {
    /// One task uses it.
    #[default]
    Exclusive,
    /// All read it.
    ReadOnly,
    /// All read it and one writes it.
    OneWriter,
    /// All read it and write it.
    All,
}

/// How a volume is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct VolumeAccessMode {
    /// By how many nodes.
    pub scope: VolumeScope,
    /// By how many tasks.
    pub sharing: VolumeSharing,
    /// As a block device, without a file system.
    pub block: bool,
}

/// What a driver is told in secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct VolumeSecret {
    /// What the driver calls it.
    pub key: String,
    /// The secret.
    pub secret_id: Id,
}

/// Where a volume must be to be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TopologyRequirement {
    /// It must be reached from one of these.
    pub requisite: Vec<Labels>,
    /// It should be reached from these, the first ones first.
    pub preferred: Vec<Labels>,
}

/// How large a volume is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct CapacityRange {
    /// At least; 0: whatever it is.
    pub required_bytes: u64,
    /// At most; 0: whatever it is.
    pub limit_bytes: u64,
}

/// Whether a volume may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum VolumeAvailability {
    /// Yes.
    #[default]
    Active,
    /// Not by new tasks.
    Paused,
    /// No, and tasks that use it have to give it up.
    Drained,
}

/// How far a volume is on its way to a node or back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum VolumePublishState {
    /// It is to come.
    #[default]
    PendingPublish,
    /// It is there.
    Published,
    /// The node is to give it up.
    PendingNodeUnpublish,
    /// The node gave it up; it is to be taken away.
    PendingUnpublish,
}

/// A volume on its way to a node or back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct VolumePublishStatus {
    /// The node.
    pub node_id: Id,
    /// How far it is.
    pub state: VolumePublishState,
    /// What the node must know to use it.
    pub publish_context: Labels,
    /// What happens, in words.
    pub message: String,
}

/// What a driver says of a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct VolumeInfo {
    /// How large it is.
    pub capacity_bytes: u64,
    /// What its users must know.
    pub context: Labels,
    /// The driver's name for it.
    pub volume_id: String,
    /// From where it is reached.
    pub accessible_topology: Vec<Labels>,
}

impl Volume {
    /// By name, whatever the case; no two have the same.
    pub const BY_NAME: Index<Self, String> = Index::new("by_name", |volume: &Self, keys| {
        keys.add(volume.spec.annotations.name.clone());
    })
    .unique()
    .normalized(fold_case)
    .unchanged_if(|old, new| old.spec.annotations.name == new.spec.annotations.name);
    /// By group; the empty text: volumes of none.
    pub const BY_GROUP: Index<Self, String> = Index::new("by_group", |volume: &Self, keys| {
        keys.add(volume.spec.group.clone())
    })
    .unchanged_if(|old, new| old.spec.group == new.spec.group);
    /// By the driver's name.
    pub const BY_DRIVER: Index<Self, String> = Index::new("by_driver", |volume: &Self, keys| {
        keys.add(volume.spec.driver.name.clone());
    })
    .unchanged_if(|old, new| old.spec.driver.name == new.spec.driver.name);
    /// By the entries of its annotations.
    pub const BY_CUSTOM: Index<Self, CustomKey> = Index::new("by_custom", |volume: &Self, keys| {
        let entries = volume.spec.annotations.custom_keys();
        entries.for_each(|entry| keys.add(entry));
    })
    .unchanged_if(|old, new| old.spec.annotations.indices == new.spec.annotations.indices);

    /// A volume with this name, by a driver without options.
    pub fn named(id: Id, name: impl Into<String>, driver: impl Into<String>) -> Self {
        Self {
            id,
            spec: VolumeSpec {
                annotations: Annotations::named(name),
                driver: Driver::named(driver),
                ..VolumeSpec::default()
            },
            spec_version: None,
            publish_status: Vec::new(),
            info: None,
            pending_delete: false,
        }
    }
}

impl Object for Volume {
    type Key = Id;
    const TABLE: &'static str = "volume";

    fn key(&self) -> Id {
        self.id
    }

    fn bytes(&self) -> usize {
        bytes_of(self)
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes
            .add(Self::BY_NAME)
            .add(Self::BY_GROUP)
            .add(Self::BY_DRIVER)
            .add(Self::BY_CUSTOM);
    }

    fn complete(&mut self, old: Option<&Self>, tx: &Transaction<'_>) {
        keep_spec_version(self, old, tx);
    }

    fn check(change: Proposed<'_, Self>, tx: &Transaction<'_>) -> Result<(), Rejected> {
        check_name(change, tx)
    }
}

impl ClusterObject for Volume {
    const BY_NAME: Index<Self, String> = Self::BY_NAME;
    const BY_CUSTOM: Index<Self, CustomKey> = Self::BY_CUSTOM;

    fn name(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.spec.annotations.name))
    }

    fn annotations(&self) -> &Annotations {
        &self.spec.annotations
    }

    fn lookup(finder: &Finder) -> Option<Lookup<Self>> {
        Some(match finder {
            Finder::VolumeGroup(group) => {
                Lookup::exact(Self::BY_GROUP, group.clone(), |volume, group| {
                    volume.spec.group == *group
                })
            }
            Finder::Driver(name) => Lookup::exact(Self::BY_DRIVER, name.clone(), |volume, name| {
                volume.spec.driver.name == *name
            }),
            _ => return None,
        })
    }
}
