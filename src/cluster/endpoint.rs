//! How a service is reached.

use crate::Id;

/// How names of a service are resolved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ResolutionMode {
    /// To one address that stands for all tasks.
    #[default]
    VirtualIp,
    /// To the tasks' addresses in turn.
    DnsRoundRobin,
}

/// How a service is to be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EndpointSpec {
    /// How its name is resolved.
    pub mode: ResolutionMode,
    /// The ports that it offers.
    pub ports: Vec<PortConfig>,
}

/// How a service is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Endpoint {
    /// What it was made from.
    pub spec: EndpointSpec,
    /// The ports, with what was chosen for them.
    pub ports: Vec<PortConfig>,
    /// Its address in each network.
    pub virtual_ips: Vec<VirtualIp>,
}

/// An address in a network that stands for all tasks of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct VirtualIp {
    /// The network.
    pub network_id: Id,
    /// The address.
    pub address: String,
}

/// What is spoken on a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// Where a port is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum PublishMode {
    /// On every node.
    #[default]
    Ingress,
    /// On the node of each task.
    Host,
}

/// A port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct PortConfig {
    /// Its name.
    pub name: String,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// The port in the container.
    pub target_port: u16,
    /// The port outside; 0: to be chosen.
    pub published_port: u16,
    /// Where it is published.
    pub publish_mode: PublishMode,
}
