//! What a task needs, where it may run, and what happens when it ends.

use std::time::Duration;

/// An amount of what nodes have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Resources {
    /// Processors, in billionths of one.
    pub nano_cpus: u64,
    /// Memory.
    pub memory_bytes: u64,
    /// What nodes have that only their users understand.
    pub generic: Vec<GenericResource>,
}

/// Something that nodes have and that only their users understand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[derive(PartialOrd, Ord, Hash)]
pub enum GenericResource {
    /// One that has a name: a device, say.
    Named {
        /// What it is.
        kind: String,
        /// Which one.
        value: String,
    },
    /// A number of things that are all alike.
    Discrete {
        /// What they are.
        kind: String,
        /// How many.
        value: u64,
    },
}

/// What a task needs and what it may take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ResourceRequirements {
    /// What it may take at most; 0: as much as there is.
    pub limits: Resources,
    /// What its node must have left for it.
    pub reservations: Resources,
    /// Swap beyond its memory; none: the runtime's default.
    pub swap_bytes: Option<u64>,
    /// How readily its memory is swapped out, of 100; none: the runtime's default.
    pub memory_swappiness: Option<u8>,
}

/// When a task is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum RestartCondition {
    /// Never.
    Never,
    /// When it ended with an error.
    OnFailure,
    /// Whenever it ended.
    #[default]
    Any,
}

/// What happens when a task ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct RestartPolicy {
    /// When it is started again.
    pub condition: RestartCondition,
    /// How long to wait before; none: the cluster's default.
    pub delay: Option<Duration>,
    /// How often at most within the window; 0: without limit.
    pub attempts_max: u64,
    /// In what time attempts are counted; none: always.
    pub window: Option<Duration>,
}

/// Where a task may run, and where it should.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Placement {
    /// What a node must meet, such as `node.labels.rack == east`.
    pub constraints: Vec<String>,
    /// What is preferred among nodes that do, the first one first.
    pub preferences: Vec<PlacementPreference>,
    /// The platforms that it can run on; none: any.
    pub platforms: Vec<Platform>,
    /// How many tasks of the service a node may have; 0: without limit.
    pub replicas_a_node_max: u64,
}

/// What is preferred among nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub enum PlacementPreference {
    /// As many tasks here as there, by the value of a label.
    Spread {
        /// The label, such as `node.labels.rack`.
        descriptor: String,
    },
}

/// What programs run on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Platform {
    /// The processor's architecture.
    pub architecture: String,
    /// The operating system.
    pub os: String,
}
