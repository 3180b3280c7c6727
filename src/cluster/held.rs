//! How large objects are: their own size, and what they point to, for the bounds of bytes.
//!
//! Texts count with their length, lists and maps with the sizes of their entries: about what they
//! take in memory, without what is allocated beyond that. What is shared counts in full in each
//! object that has it, since that is what each is saved and sent with.
//!
//! # Costs
//! Of a task with a container some 60 ns, most of it its spec. Asked only where a bound of bytes is
//! to be kept: in batches, and in stores with a bound of objects' bytes or keys.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::annotations::{Annotations, Driver, IndexEntry};
use super::cluster::{Cluster, ClusterSpec, EncryptionKey, TaskDefaults};
use super::config::{Config, ConfigSpec};
use super::container::{
    ConfigReference, ContainerSpec, FileTarget, Healthcheck, Mount, SecretReference,
};
use super::endpoint::{Endpoint, EndpointSpec, PortConfig, VirtualIp};
use super::extension::Extension;
use super::network::{IpamConfig, IpamOptions, Network, NetworkSpec};
use super::node::{ManagerStatus, Node, NodeSpec, NodeStatus};
use super::node_description::{
    Certificate, EngineDescription, NodeCsiInfo, NodeDescription, PluginDescription, TlsInfo,
};
use super::payload::{Bytes, Payload, SecretBytes};
use super::requirements::{
    GenericResource, Placement, PlacementPreference, Platform, ResourceRequirements, Resources,
};
use super::resource::Resource;
use super::root_ca::{CaConfig, ExternalCa, JoinTokens, RootCa, RootRotation};
use super::secret::{Secret, SecretSpec};
use super::service::{Service, ServiceSpec, UpdateStatus};
use super::task::{NetworkAttachment, Task, VolumeAttachment};
use super::task_spec::{
    AttachmentRuntime, GenericRuntime, NetworkAttachmentConfig, ResourceReference, Runtime,
    TaskSpec,
};
use super::task_status::{ContainerStatus, TaskStatus};
use super::volume::{
    TopologyRequirement, Volume, VolumeInfo, VolumePublishStatus, VolumeSecret, VolumeSpec,
};

/// Tells how much it points to.
pub(super) trait Holds {
    /// Bytes beyond its own size.
    fn held(&self) -> usize;
}

/// How large an object is, with all that it points to.
pub(super) fn bytes_of<T: Holds>(object: &T) -> usize {
    size_of::<T>() + object.held()
}

/// The parts of a type that point to something; then those that do not. Each is named, so that who
/// adds one decides.
macro_rules! holds {
    ($($object:ident { $($part:ident),* $(; $($flat:ident),*)? })*) => {$(
        impl Holds for $object {
            fn held(&self) -> usize {
                let Self { $($part,)* $($($flat: _,)*)? } = self;
                0 $(+ $part.held())*
            }
        }
    )*};
}

holds! {
    Cluster {
        spec, root_ca, network_bootstrap_keys, blacklisted_certificates, unlock_keys,
        default_address_pool; id, spec_version, encryption_key_lamport_clock, fips, subnet_bits,
        vxlan_port
    }
    Config { spec; id, spec_version }
    Extension { annotations, description; id }
    Network { spec, driver_state, ipam, extra; id, spec_version, pending_delete }
    Node {
        spec, description, status, manager_status, certificate, attachments; id, spec_version,
        role, vxlan_port
    }
    Resource { annotations, kind, payload; id }
    Secret { spec; id, spec_version, internal }
    Service {
        spec, previous_spec, endpoint, update_status; id, spec_version, previous_spec_version,
        job_status, pending_delete
    }
    Task {
        annotations, service_annotations, spec, status, networks, endpoint, log_driver,
        assigned_generic_resources, volumes; id, spec_version, service_id, slot, node_id,
        desired_state, job_iteration
    }
    Volume { spec, publish_status, info; id, spec_version, pending_delete }
    Annotations { name, labels, indices }
    IndexEntry { key, value }
    Driver { name, options }
    ClusterSpec {
        annotations, ca, task_defaults; orchestration, raft, dispatcher, auto_lock_managers
    }
    TaskDefaults { log_driver }
    EncryptionKey { subsystem, algorithm, key; lamport_time }
    ConfigSpec { annotations, data, templating }
    ContainerSpec {
        image, labels, command, args, hostname, env, working_folder, user, groups, stop_signal,
        mounts, registry_login, secrets, configs, hosts, healthcheck, sysctls, capabilities_added,
        capabilities_dropped; init, tty, open_stdin, read_only, stop_grace_period, processes_max
    }
    Mount { source, target; kind, read_only }
    FileTarget { name, user, group; mode }
    SecretReference { secret_name, file; secret_id }
    ConfigReference { config_name, file; config_id }
    Healthcheck { test; interval, timeout, retries, start_period }
    EndpointSpec { ports; mode }
    Endpoint { spec, ports, virtual_ips }
    VirtualIp { address; network_id }
    PortConfig { name; protocol, target_port, published_port, publish_mode }
    NetworkSpec { annotations, driver, ipam, config_from; ipv6, internal, attachable, ingress }
    IpamOptions { driver, configs }
    IpamConfig { subnet, range, gateway, reserved; family }
    NodeSpec { annotations; desired_role, membership, availability }
    NodeStatus { message, address; state }
    ManagerStatus { address; member, is_leader, reachability }
    NodeDescription { hostname, platform, resources, engine, tls_info, csi_info; fips }
    EngineDescription { version, labels, plugins }
    PluginDescription { kind, name }
    TlsInfo { trust_root, issuer_subject, issuer_public_key }
    NodeCsiInfo { plugin, node_id, topology; volumes_max }
    Certificate { error, request, certificate, common_name; state, role, node_id }
    Payload { type_url, value }
    Resources { generic; nano_cpus, memory_bytes }
    ResourceRequirements { limits, reservations; swap_bytes, memory_swappiness }
    Placement { constraints, preferences, platforms; replicas_a_node_max }
    Platform { architecture, os }
    CaConfig { external, signing_key, signing_certificate; node_certificate_expiry, force_rotate }
    ExternalCa { protocol, url, options, certificate }
    RootCa { key, certificate, certificate_digest, join_tokens, rotation; last_forced_rotation }
    JoinTokens { worker, manager }
    RootRotation { key, certificate, cross_signed_certificate }
    SecretSpec { annotations, data, templating, driver }
    ServiceSpec { annotations, task, networks, endpoint; mode, update, rollback }
    UpdateStatus { message; state, started_at, completed_at }
    NetworkAttachment { network, addresses, aliases, driver_options }
    VolumeAttachment { source, target; id }
    TaskSpec {
        runtime, resources, placement, log_driver, networks, resource_references; restart,
        force_update
    }
    AttachmentRuntime { container_id }
    GenericRuntime { kind, payload }
    NetworkAttachmentConfig { aliases, addresses, driver_options; target }
    ResourceReference { ; id, kind }
    TaskStatus { message, error, container, ports; timestamp, state, applied_by, applied_at }
    ContainerStatus { container_id; pid, exit_code }
    VolumeSpec {
        annotations, group, driver, secrets, accessibility; access_mode, capacity, availability
    }
    VolumeSecret { key; secret_id }
    TopologyRequirement { requisite, preferred }
    VolumePublishStatus { publish_context, message; node_id, state }
    VolumeInfo { context, volume_id, accessible_topology; capacity_bytes }
}

impl Holds for String {
    fn held(&self) -> usize {
        self.len()
    }
}

impl Holds for Bytes {
    fn held(&self) -> usize {
        self.as_slice().len()
    }
}

impl Holds for SecretBytes {
    fn held(&self) -> usize {
        self.len()
    }
}

impl Holds for SystemTime {
    fn held(&self) -> usize {
        0
    }
}

impl<T: Holds> Holds for Option<T> {
    fn held(&self) -> usize {
        self.as_ref().map_or(0, T::held)
    }
}

impl<T: Holds> Holds for Box<T> {
    fn held(&self) -> usize {
        bytes_of(&**self)
    }
}

impl<T: Holds> Holds for Arc<T> {
    fn held(&self) -> usize {
        bytes_of(&**self)
    }
}

impl<T: Holds> Holds for Vec<T> {
    fn held(&self) -> usize {
        self.iter().map(bytes_of).sum()
    }
}

impl<K: Holds, V: Holds> Holds for BTreeMap<K, V> {
    fn held(&self) -> usize {
        let entries = self.iter();
        entries
            .map(|(key, value)| bytes_of(key) + bytes_of(value))
            .sum()
    }
}

impl Holds for Runtime {
    fn held(&self) -> usize {
        match self {
            Self::Attachment(attachment) => attachment.held(),
            Self::Container(container) => container.held(),
            Self::Generic(generic) => generic.held(),
        }
    }
}

impl Holds for GenericResource {
    fn held(&self) -> usize {
        match self {
            Self::Named { kind, value } => kind.held() + value.held(),
            Self::Discrete { kind, .. } => kind.held(),
        }
    }
}

impl Holds for PlacementPreference {
    fn held(&self) -> usize {
        match self {
            Self::Spread { descriptor } => descriptor.held(),
        }
    }
}
