//! What a node says of itself, and its certificate.

use super::annotations::Labels;
use super::payload::Bytes;
use super::requirements::{Platform, Resources};
use crate::Id;

/// What a node says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NodeDescription {
    /// The host's name, by which the node is found.
    pub hostname: String,
    /// What programs run on there.
    pub platform: Platform,
    /// What it has.
    pub resources: Resources,
    /// What runs its containers.
    pub engine: EngineDescription,
    /// Whom it trusts.
    pub tls_info: TlsInfo,
    /// Whether it keeps to FIPS.
    pub fips: bool,
    /// What its storage plugins say of it.
    pub csi_info: Vec<NodeCsiInfo>,
}

/// What runs a node's containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EngineDescription {
    /// Its version.
    pub version: String,
    /// Its labels.
    pub labels: Labels,
    /// Its plugins.
    pub plugins: Vec<PluginDescription>,
}

/// A plugin of what runs containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct PluginDescription {
    /// What it does, such as `Network` or `Volume`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// Whom a node trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct TlsInfo {
    /// The root certificate that it trusts.
    pub trust_root: Bytes,
    /// Who issued its own certificate.
    pub issuer_subject: Bytes,
    /// The issuer's public key.
    pub issuer_public_key: Bytes,
}

/// What a storage plugin says of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NodeCsiInfo {
    /// The plugin.
    pub plugin: String,
    /// The plugin's name for the node.
    pub node_id: String,
    /// Volumes that it may have; 0: without limit.
    pub volumes_max: u64,
    /// Where it is.
    pub topology: Labels,
}

/// How far a certificate is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum IssuanceState {
    /// Not known.
    #[default]
    Unknown,
    /// It is to be renewed.
    Renew,
    /// It is asked for.
    Pending,
    /// It is there.
    Issued,
    /// It could not be issued.
    Failed,
    /// It is to be exchanged for one of the new root.
    Rotate,
}

/// A node's certificate. It is no secret; its key never leaves the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Certificate {
    /// How far it is.
    pub state: IssuanceState,
    /// What went wrong, in words; empty: nothing.
    pub error: String,
    /// The role that it is for.
    pub role: super::node::NodeRole,
    /// The request.
    pub request: Bytes,
    /// The certificate.
    pub certificate: Bytes,
    /// The name in it.
    pub common_name: String,
    /// The node that it is of, if it is known.
    pub node_id: Option<Id>,
}

impl NodeDescription {
    /// A host of this name.
    pub fn named(hostname: impl Into<String>) -> Self {
        Self {
            hostname: hostname.into(),
            ..Self::default()
        }
    }
}
