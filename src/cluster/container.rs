//! A container, as a task runs it.

use std::time::Duration;

use super::annotations::Labels;
use super::payload::SecretBytes;
use crate::Id;

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ContainerSpec {
    /// The image, best with its digest.
    pub image: String,
    /// Labels of the container.
    pub labels: Labels,
    /// The program instead of the image's.
    pub command: Vec<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// The name that it sees of its host.
    pub hostname: String,
    /// Its environment: `NAME=value`.
    pub env: Vec<String>,
    /// The folder that it starts in.
    pub working_folder: String,
    /// Who it runs as.
    pub user: String,
    /// Further groups.
    pub groups: Vec<String>,
    /// Whether a small init runs as its first process; none: the agent's default.
    pub init: Option<bool>,
    /// Whether it has a terminal.
    pub tty: bool,
    /// Whether its input is open.
    pub open_stdin: bool,
    /// Whether its root is read only.
    pub read_only: bool,
    /// What it is stopped with.
    pub stop_signal: String,
    /// How long it may take to stop.
    pub stop_grace_period: Option<Duration>,
    /// What it sees of other files.
    pub mounts: Vec<Mount>,
    /// The login for its image's registry.
    pub registry_login: SecretBytes,
    /// Secrets in its files.
    pub secrets: Vec<SecretReference>,
    /// Configs in its files.
    pub configs: Vec<ConfigReference>,
    /// Further hosts that it knows: `address name`.
    pub hosts: Vec<String>,
    /// How it is told that it is well.
    pub healthcheck: Option<Healthcheck>,
    /// Processes that it may have; 0: without limit.
    pub processes_max: u64,
    /// Settings of the system.
    pub sysctls: Labels,
    /// Capabilities beyond the default.
    pub capabilities_added: Vec<String>,
    /// Capabilities of the default that it does without.
    pub capabilities_dropped: Vec<String>,
}

/// What a mount shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum MountKind {
    /// A folder of the node.
    #[default]
    Bind,
    /// A volume of the node.
    Volume,
    /// Memory.
    Tmpfs,
    /// A named pipe.
    NamedPipe,
    /// A volume of the cluster.
    Cluster,
}

/// Something that a container sees among its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Mount {
    /// What it shows.
    pub kind: MountKind,
    /// Which one: a path, a volume's name, or `group:` and a group of volumes.
    pub source: String,
    /// Where it is seen.
    pub target: String,
    /// Whether it may not be written.
    pub read_only: bool,
}

/// How a secret or config is seen among the files of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct FileTarget {
    /// The file's name.
    pub name: String,
    /// Its user.
    pub user: String,
    /// Its group.
    pub group: String,
    /// Its mode.
    pub mode: u32,
}

/// A secret that a container uses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct SecretReference {
    /// The secret.
    pub secret_id: Id,
    /// Its name, as it was when the reference was made.
    pub secret_name: String,
    /// How the container sees it.
    pub file: FileTarget,
}

/// A config that a container uses.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ConfigReference {
    /// The config.
    pub config_id: Id,
    /// Its name, as it was when the reference was made.
    pub config_name: String,
    /// How the container sees it; none: only its runtime does.
    pub file: Option<FileTarget>,
}

/// How a container is told that it is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Healthcheck {
    /// What is run.
    pub test: Vec<String>,
    /// How often.
    pub interval: Option<Duration>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// How often it may fail in a row.
    pub retries: u32,
    /// How long failures do not count.
    pub start_period: Option<Duration>,
}

impl ContainerSpec {
    /// A container of an image.
    pub fn image(image: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            ..Self::default()
        }
    }
}

impl SecretReference {
    /// A reference to a secret by its name, in a file of that name.
    pub fn new(secret_id: Id, name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            secret_id,
            file: FileTarget::named(&name),
            secret_name: name,
        }
    }
}

impl ConfigReference {
    /// A reference to a config by its name, in a file of that name.
    pub fn new(config_id: Id, name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            config_id,
            file: Some(FileTarget::named(&name)),
            config_name: name,
        }
    }
}

impl FileTarget {
    /// A file that its user alone may read.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            mode: 0o400,
            ..Self::default()
        }
    }
}
