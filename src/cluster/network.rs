//! Networks of tasks.

use super::annotations::{Annotations, Driver, Labels};
use super::object::named_table;
use super::payload::Payload;
use super::rules::check_name;
use super::specified::keep_spec_version;
use crate::Id;
use crate::Version;

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Network {
    /// The key.
    pub id: Id,
    /// What it is to be. Its annotations name the network.
    pub spec: NetworkSpec,
    /// The version of the spec, which the store keeps: see [`Specified`](super::Specified).
    pub spec_version: Option<Version>,
    /// Its driver, with what the driver made of its options.
    pub driver_state: Option<Driver>,
    /// How its addresses are given out, with what was chosen.
    pub ipam: Option<IpamOptions>,
    /// Deleted once nothing is attached.
    pub pending_delete: bool,
    /// What an allocator keeps with it.
    pub extra: Option<Payload>,
}

/// What a network is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NetworkSpec {
    /// Name, labels and custom index entries.
    pub annotations: Annotations,
    /// Its driver; none: the default.
    pub driver: Option<Driver>,
    /// Whether it has IPv6 addresses.
    pub ipv6: bool,
    /// Whether nothing outside is reached from it.
    pub internal: bool,
    /// How its addresses are given out; none: as the allocator likes.
    pub ipam: Option<IpamOptions>,
    /// Whether containers that are no tasks may be attached.
    pub attachable: bool,
    /// Whether published ports are routed through it.
    pub ingress: bool,
    /// A network of each node whose settings it takes.
    pub config_from: Option<String>,
}

/// How addresses are given out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct IpamOptions {
    /// By whom.
    pub driver: Option<Driver>,
    /// From which ranges.
    pub configs: Vec<IpamConfig>,
}

/// Which addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum AddressFamily {
    /// Not said.
    #[default]
    Unknown,
    /// Those of version 4.
    Ipv4,
    /// Those of version 6.
    Ipv6,
}

/// A range of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct IpamConfig {
    /// Which addresses.
    pub family: AddressFamily,
    /// The network's range.
    pub subnet: String,
    /// The part of it that is given out.
    pub range: String,
    /// The way out.
    pub gateway: String,
    /// Addresses that are taken, by name.
    pub reserved: Labels,
}

named_table!(
    Network,
    "network",
    spec.annotations,
    check_name,
    keep_spec_version
);

impl Network {
    /// A network with this name, the rest left to the allocator.
    pub fn named(id: Id, name: impl Into<String>) -> Self {
        Self {
            id,
            spec: NetworkSpec {
                annotations: Annotations::named(name),
                ..NetworkSpec::default()
            },
            spec_version: None,
            driver_state: None,
            ipam: None,
            pending_delete: false,
            extra: None,
        }
    }
}
