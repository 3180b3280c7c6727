//! Configs: bytes that tasks see among their files.

use super::annotations::{Annotations, Driver};
use super::object::named_table;
use super::payload::Bytes;
use super::rules::check_name;
use super::specified::keep_spec_version;
use crate::Id;
use crate::Version;

/// A config.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Config {
    /// The key.
    pub id: Id,
    /// What it is. Its annotations name the config.
    pub spec: ConfigSpec,
    /// The version of the spec, which the store keeps: see [`Specified`](super::Specified).
    pub spec_version: Option<Version>,
}

/// What a config is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ConfigSpec {
    /// Name, labels and custom index entries.
    pub annotations: Annotations,
    /// The bytes.
    pub data: Bytes,
    /// What fills templates in the bytes, if something does.
    pub templating: Option<Driver>,
}

named_table!(
    Config,
    "config",
    spec.annotations,
    check_name,
    keep_spec_version
);

impl Config {
    /// A config with this name and these bytes.
    pub fn named(id: Id, name: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Self {
            id,
            spec: ConfigSpec {
                annotations: Annotations::named(name),
                data: data.into(),
                templating: None,
            },
            spec_version: None,
        }
    }
}
