//! The cluster itself: its settings and its keys.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::annotations::{Annotations, Driver};
use super::object::named_table;
use super::payload::SecretBytes;
use super::root_ca::{CaConfig, RootCa};
use super::rules::check_name;
use super::specified::keep_spec_version;
use crate::Id;
use crate::Version;

/// The name of the one cluster of a store.
pub const DEFAULT_CLUSTER_NAME: &str = "default";

/// A cluster. A store has one, which is called [`DEFAULT_CLUSTER_NAME`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Cluster {
    /// The key.
    pub id: Id,
    /// Its settings. Their annotations name the cluster.
    pub spec: ClusterSpec,
    /// The version of the spec, which the store keeps: see [`Specified`](super::Specified).
    pub spec_version: Option<Version>,
    /// Who signs its certificates.
    pub root_ca: RootCa,
    /// Keys of the networks' control traffic.
    pub network_bootstrap_keys: Vec<EncryptionKey>,
    /// The time of those keys, as they were exchanged.
    pub encryption_key_lamport_clock: u64,
    /// Certificates that are valid and not accepted any more: by node, until when.
    #[cfg_attr(feature = "serde", serde(with = "super::times::named"))]
    pub blacklisted_certificates: BTreeMap<String, Option<SystemTime>>,
    /// What unlocks managers after they start.
    pub unlock_keys: Vec<EncryptionKey>,
    /// Whether it keeps to FIPS.
    pub fips: bool,
    /// From where networks get their ranges.
    pub default_address_pool: Vec<String>,
    /// How large such a range is: its prefix.
    pub subnet_bits: u8,
    /// The port of the overlay networks; none: the default.
    pub vxlan_port: Option<u16>,
}

/// Settings of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ClusterSpec {
    /// Name, labels and custom index entries.
    pub annotations: Annotations,
    /// How services are run.
    pub orchestration: OrchestrationConfig,
    /// How the managers agree.
    pub raft: RaftConfig,
    /// How agents keep in touch.
    pub dispatcher: DispatcherConfig,
    /// How certificates are issued.
    pub ca: CaConfig,
    /// What holds for tasks that do not say otherwise.
    pub task_defaults: TaskDefaults,
    /// Whether managers have to be unlocked after they start.
    pub auto_lock_managers: bool,
}

/// How services are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct OrchestrationConfig {
    /// Ended tasks that are kept in each slot.
    pub task_history_retention_limit: u64,
}

/// How the managers agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct RaftConfig {
    /// Entries of the log between two snapshots; 0: no snapshots.
    pub snapshot_interval_entries: u64,
    /// Snapshots that are kept beside the newest.
    pub old_snapshots: u64,
    /// Entries that are kept after a snapshot for those that are behind.
    pub slow_followers_entries: u64,
    /// Ticks between heartbeats.
    pub heartbeat_ticks: u32,
    /// Ticks without one until an election.
    pub election_ticks: u32,
}

/// How agents keep in touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct DispatcherConfig {
    /// How often they do.
    pub heartbeat_period: Duration,
}

/// What holds for tasks that do not say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TaskDefaults {
    /// Where output goes.
    pub log_driver: Option<Driver>,
}

/// A key, and what it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EncryptionKey {
    /// What it is for.
    pub subsystem: String,
    /// How it is used.
    pub algorithm: String,
    /// The key.
    pub key: SecretBytes,
    /// When it was exchanged.
    pub lamport_time: u64,
}

impl Default for OrchestrationConfig {
    fn default() -> Self {
        Self {
            task_history_retention_limit: 5,
        }
    }
}

impl Default for RaftConfig {
    fn default() -> Self {
        Self {
            snapshot_interval_entries: 10_000,
            old_snapshots: 0,
            slow_followers_entries: 500,
            heartbeat_ticks: 1,
            election_ticks: 10,
        }
    }
}

impl Default for DispatcherConfig {
    fn default() -> Self {
        Self {
            heartbeat_period: Duration::from_secs(5),
        }
    }
}

named_table!(
    Cluster,
    "cluster",
    spec.annotations,
    check_name,
    keep_spec_version
);

impl Cluster {
    /// A cluster with this name, the default settings and no keys.
    pub fn named(id: Id, name: impl Into<String>) -> Self {
        Self {
            id,
            spec: ClusterSpec {
                annotations: Annotations::named(name),
                ..ClusterSpec::default()
            },
            spec_version: None,
            root_ca: RootCa::default(),
            network_bootstrap_keys: Vec::new(),
            encryption_key_lamport_clock: 0,
            blacklisted_certificates: BTreeMap::new(),
            unlock_keys: Vec::new(),
            fips: false,
            default_address_pool: Vec::new(),
            subnet_bits: 24,
            vxlan_port: None,
        }
    }
}
