//! Nodes: the machines of the cluster.

use std::borrow::Cow;

use super::annotations::{Annotations, CustomKey};
use super::finder::Finder;
use super::held::bytes_of;
use super::lookup::Lookup;
use super::node_description::{Certificate, NodeDescription};
use super::object::ClusterObject;
use super::specified::keep_spec_version;
use super::task::NetworkAttachment;
use crate::Id;
use crate::Index;
use crate::Indexes;
use crate::Object;
use crate::Transaction;
use crate::Version;
use crate::fold_case;

/// A node. Its name is its host's, which other nodes may have, too.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Node {
    /// The key.
    pub id: Id,
    /// What it is to be.
    pub spec: NodeSpec,
    /// The version of the spec, which the store keeps: see [`Specified`](super::Specified).
    pub spec_version: Option<Version>,
    /// What it says of itself; none: it has not said anything yet.
    pub description: Option<NodeDescription>,
    /// What is observed of it.
    pub status: NodeStatus,
    /// What it is as a manager, if it is one.
    pub manager_status: Option<ManagerStatus>,
    /// Its certificate.
    pub certificate: Certificate,
    /// What it is: not always what it is to be.
    pub role: NodeRole,
    /// The networks that it is attached to itself.
    pub attachments: Vec<NetworkAttachment>,
    /// The port of the overlay networks; none: the default.
    pub vxlan_port: Option<u16>,
}

/// What a node is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NodeSpec {
    /// Name, labels and custom index entries. The name is not the node's: that is its host's.
    pub annotations: Annotations,
    /// What it is to be.
    pub desired_role: NodeRole,
    /// Whether it is let in.
    pub membership: Membership,
    /// Whether it is given tasks.
    pub availability: NodeAvailability,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum NodeRole {
    /// It runs tasks.
    #[default]
    Worker = 0,
    /// It runs the cluster, and tasks.
    Manager = 1,
}

/// Whether a node is let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Membership {
    /// Not yet.
    #[default]
    Pending = 0,
    /// Yes.
    Accepted = 1,
}

/// Whether a node is given tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum NodeAvailability {
    /// Yes.
    #[default]
    Active,
    /// No new ones.
    Paused,
    /// None, and it has to give up those that it has.
    Drained,
}

/// Whether a node is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum NodeState {
    /// Not known.
    #[default]
    Unknown,
    /// It is down.
    Down,
    /// It is there.
    Ready,
    /// It has not been heard of for a while.
    Disconnected,
}

/// What is observed of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NodeStatus {
    /// Whether it is there.
    pub state: NodeState,
    /// The same in words.
    pub message: String,
    /// Where it was heard from.
    pub address: String,
}

/// Whether a manager can be reached by the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Reachability {
    /// Not known.
    #[default]
    Unknown,
    /// No.
    Unreachable,
    /// Yes.
    Reachable,
}

/// What a node is as a manager.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ManagerStatus {
    /// Its number among the managers.
    pub member: u64,
    /// Where it is reached.
    pub address: String,
    /// Whether it leads.
    pub is_leader: bool,
    /// Whether it can be reached.
    pub reachability: Reachability,
}

impl Node {
    /// By the host's name, whatever the case; nodes without a description are not in it.
    pub const BY_NAME: Index<Self, String> = Index::new("by_name", |node: &Self, keys| {
        if let Some(hostname) = node.hostname() {
            keys.add(hostname.to_owned());
        }
    })
    .normalized(fold_case)
    .unchanged_if(|old, new| old.hostname() == new.hostname());
    /// By what it is, not by what it is to be.
    pub const BY_ROLE: Index<Self, NodeRole> =
        Index::new("by_role", |node: &Self, keys| keys.add(node.role))
            .unchanged_if(|old, new| old.role == new.role);
    /// By whether it is let in.
    pub const BY_MEMBERSHIP: Index<Self, Membership> =
        Index::new("by_membership", |node: &Self, keys| {
            keys.add(node.spec.membership);
        })
        .unchanged_if(|old, new| old.spec.membership == new.spec.membership);
    /// By the entries of its annotations.
    pub const BY_CUSTOM: Index<Self, CustomKey> = Index::new("by_custom", |node: &Self, keys| {
        let entries = node.spec.annotations.custom_keys();
        entries.for_each(|entry| keys.add(entry));
    })
    .unchanged_if(|old, new| old.spec.annotations.indices == new.spec.annotations.indices);

    /// A node of which nothing is known, not let in yet.
    #[must_use]
    pub fn new(id: Id) -> Self {
        Self {
            id,
            spec: NodeSpec::default(),
            spec_version: None,
            description: None,
            status: NodeStatus::default(),
            manager_status: None,
            certificate: Certificate::default(),
            role: NodeRole::Worker,
            attachments: Vec::new(),
            vxlan_port: None,
        }
    }

    /// A node of a host.
    pub fn named(id: Id, hostname: impl Into<String>) -> Self {
        Self {
            description: Some(NodeDescription::named(hostname)),
            ..Self::new(id)
        }
    }

    /// The host's name, if it is known.
    fn hostname(&self) -> Option<&str> {
        let description = self.description.as_ref();
        description.map(|description| description.hostname.as_str())
    }
}

impl Object for Node {
    type Key = Id;
    const TABLE: &'static str = "node";

    fn key(&self) -> Id {
        self.id
    }

    fn bytes(&self) -> usize {
        bytes_of(self)
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes
            .add(Self::BY_NAME)
            .add(Self::BY_ROLE)
            .add(Self::BY_MEMBERSHIP)
            .add(Self::BY_CUSTOM);
    }

    fn complete(&mut self, old: Option<&Self>, tx: &Transaction<'_>) {
        keep_spec_version(self, old, tx);
    }
}

impl ClusterObject for Node {
    const BY_NAME: Index<Self, String> = Self::BY_NAME;
    const BY_CUSTOM: Index<Self, CustomKey> = Self::BY_CUSTOM;

    fn name(&self) -> Option<Cow<'_, str>> {
        self.hostname().map(Cow::Borrowed)
    }

    fn annotations(&self) -> &Annotations {
        &self.spec.annotations
    }

    fn lookup(finder: &Finder) -> Option<Lookup<Self>> {
        Some(match *finder {
            Finder::Role(role) => {
                Lookup::exact(Self::BY_ROLE, role, |node, role| node.role == *role)
            }
            Finder::Membership(membership) => {
                Lookup::exact(Self::BY_MEMBERSHIP, membership, |node, membership| {
                    node.spec.membership == *membership
                })
            }
            _ => return None,
        })
    }
}
