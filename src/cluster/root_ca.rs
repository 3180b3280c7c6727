//! Who signs the certificates of a cluster.

use std::time::Duration;

use super::annotations::Labels;
use super::payload::{Bytes, SecretBytes};

/// How certificates are issued.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct CaConfig {
    /// How long a node's is valid; none: the default.
    pub node_certificate_expiry: Option<Duration>,
    /// Who else signs them.
    pub external: Vec<ExternalCa>,
    /// The root's key, if it is given from outside.
    pub signing_key: SecretBytes,
    /// The root's certificate, if it is given from outside.
    pub signing_certificate: Bytes,
    /// Changed to have the root replaced.
    pub force_rotate: u64,
}

/// Somebody outside who signs certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ExternalCa {
    /// What is spoken with them.
    pub protocol: String,
    /// Where they are.
    pub url: String,
    /// What they are told.
    pub options: Labels,
    /// The root that they sign for.
    pub certificate: Bytes,
}

/// Who signs the certificates of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct RootCa {
    /// The root's key; empty: somebody outside has it.
    pub key: SecretBytes,
    /// The root's certificate.
    pub certificate: Bytes,
    /// The certificate's digest.
    pub certificate_digest: String,
    /// What lets nodes in.
    pub join_tokens: JoinTokens,
    /// The root to come, while it is being replaced.
    pub rotation: Option<RootRotation>,
    /// When the root was replaced last, counted.
    pub last_forced_rotation: u64,
}

/// What lets nodes in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct JoinTokens {
    /// As workers.
    pub worker: SecretBytes,
    /// As managers.
    pub manager: SecretBytes,
}

/// A root to come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct RootRotation {
    /// Its key; empty: somebody outside has it.
    pub key: SecretBytes,
    /// Its certificate.
    pub certificate: Bytes,
    /// The same, signed by the old root.
    pub cross_signed_certificate: Bytes,
}
