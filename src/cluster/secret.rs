//! Secrets: bytes that tasks see and nobody else does.

use super::annotations::{Annotations, Driver};
use super::object::named_table;
use super::payload::SecretBytes;
use super::rules::check_name;
use super::specified::keep_spec_version;
use crate::Id;
use crate::Version;

/// A secret. Its bytes are shown by no `Debug`, and wiped when the last version that has them is
/// freed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Secret {
    /// The key.
    pub id: Id,
    /// What it is. Its annotations name the secret.
    pub spec: SecretSpec,
    /// The version of the spec, which the store keeps: see [`Specified`](super::Specified).
    pub spec_version: Option<Version>,
    /// Whether it is the cluster's own, not a user's.
    pub internal: bool,
}

/// What a secret is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct SecretSpec {
    /// Name, labels and custom index entries.
    pub annotations: Annotations,
    /// The bytes; none if a driver gives them.
    pub data: SecretBytes,
    /// What fills templates in the bytes, if something does.
    pub templating: Option<Driver>,
    /// Who gives the bytes, if not the store.
    pub driver: Option<Driver>,
}

named_table!(
    Secret,
    "secret",
    spec.annotations,
    check_name,
    keep_spec_version
);

impl Secret {
    /// A secret with this name and these bytes.
    pub fn named(id: Id, name: impl Into<String>, data: impl Into<SecretBytes>) -> Self {
        Self {
            id,
            spec: SecretSpec {
                annotations: Annotations::named(name),
                data: data.into(),
                ..SecretSpec::default()
            },
            spec_version: None,
            internal: false,
        }
    }
}
