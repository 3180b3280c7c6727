//! An object of each of the ten types with every field set, no two neighbours alike. Nothing is
//! left to defaults: who adds a field is told here to set it.

#![allow(dead_code, reason = "each test file uses a part")]

mod service;
mod task;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use skep::Id;
use skep::Version;
use skep::cluster::{
    AddressFamily, Annotations, CaConfig, CapacityRange, Certificate, Cluster, ClusterSpec, Config,
    ConfigSpec, DispatcherConfig, Driver, EncryptionKey, EngineDescription, Extension, ExternalCa,
    IndexEntry, IpamConfig, IpamOptions, IssuanceState, JoinTokens, Labels, ManagerStatus,
    Membership, Network, NetworkSpec, Node, NodeAvailability, NodeCsiInfo, NodeDescription,
    NodeRole, NodeSpec, NodeState, NodeStatus, OrchestrationConfig, Payload, PluginDescription,
    RaftConfig, Reachability, Resource, RootCa, RootRotation, Secret, SecretSpec, TaskDefaults,
    TlsInfo, TopologyRequirement, Volume, VolumeAccessMode, VolumeAvailability, VolumeInfo,
    VolumePublishState, VolumePublishStatus, VolumeScope, VolumeSecret, VolumeSharing, VolumeSpec,
};

pub use service::service;
pub use task::task;

pub fn id(number: u128) -> Id {
    Id::from_u128(number)
}

/// A time that has seconds and nanoseconds.
pub fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_735_689_600 + seconds, 7)
}

pub fn labels(key: &str, value: &str) -> Labels {
    Labels::from([(key.into(), value.into())])
}

pub fn annotations(name: &str) -> Annotations {
    Annotations {
        name: name.into(),
        labels: labels("tier", "front"),
        indices: vec![IndexEntry {
            key: "rack".into(),
            value: "east-1".into(),
        }],
    }
}

pub fn driver(name: &str) -> Driver {
    Driver {
        name: name.into(),
        options: labels("level", "2"),
    }
}

pub fn cluster() -> Cluster {
    let key = |subsystem: &str, time| EncryptionKey {
        subsystem: subsystem.into(),
        algorithm: "aes".into(),
        key: "k1".into(),
        lamport_time: time,
    };
    Cluster {
        id: id(0x1001),
        spec: cluster_spec(),
        spec_version: Some(Version::new(11)),
        root_ca: root_ca(),
        network_bootstrap_keys: vec![key("gossip", 12)],
        encryption_key_lamport_clock: 13,
        blacklisted_certificates: BTreeMap::from([
            ("node-1".into(), Some(time(14))),
            ("node-2".into(), None),
        ]),
        unlock_keys: vec![key("manager", 15)],
        fips: true,
        default_address_pool: vec!["10.0.0.0/8".into()],
        subnet_bits: 26,
        vxlan_port: Some(4789),
    }
}

fn cluster_spec() -> ClusterSpec {
    ClusterSpec {
        annotations: annotations("default"),
        orchestration: OrchestrationConfig {
            task_history_retention_limit: 21,
        },
        raft: RaftConfig {
            snapshot_interval_entries: 22,
            old_snapshots: 23,
            slow_followers_entries: 24,
            heartbeat_ticks: 25,
            election_ticks: 26,
        },
        dispatcher: DispatcherConfig {
            heartbeat_period: Duration::new(27, 28),
        },
        ca: CaConfig {
            node_certificate_expiry: Some(Duration::new(29, 30)),
            external: vec![ExternalCa {
                protocol: "cfssl".into(),
                url: "https://ca".into(),
                options: labels("ca", "outer"),
                certificate: "e1".into(),
            }],
            signing_key: "k2".into(),
            signing_certificate: "c2".into(),
            force_rotate: 31,
        },
        task_defaults: TaskDefaults {
            log_driver: Some(driver("journald")),
        },
        auto_lock_managers: true,
    }
}

fn root_ca() -> RootCa {
    RootCa {
        key: "k3".into(),
        certificate: "c3".into(),
        certificate_digest: "sha256:3".into(),
        join_tokens: JoinTokens {
            worker: "w4".into(),
            manager: "m4".into(),
        },
        rotation: Some(RootRotation {
            key: "k5".into(),
            certificate: "c5".into(),
            cross_signed_certificate: "x5".into(),
        }),
        last_forced_rotation: 32,
    }
}

pub fn config() -> Config {
    Config {
        id: id(0x1002),
        spec: ConfigSpec {
            annotations: annotations("config"),
            data: vec![0, 127, 128, 255].into(),
            templating: Some(driver("golang")),
        },
        spec_version: Some(Version::new(300)),
    }
}

pub fn extension() -> Extension {
    Extension {
        id: id(0x1003),
        annotations: annotations("Kind"),
        description: "what such resources are".into(),
    }
}

pub fn network() -> Network {
    let ipam = |subnet: &str| IpamOptions {
        driver: Some(driver("ipam")),
        configs: vec![IpamConfig {
            family: AddressFamily::Ipv6,
            subnet: subnet.into(),
            range: "fd00::/120".into(),
            gateway: "fd00::1".into(),
            reserved: labels("router", "fd00::2"),
        }],
    };
    Network {
        id: id(0x1004),
        spec: NetworkSpec {
            annotations: annotations("overlay"),
            driver: Some(driver("vxlan")),
            ipv6: true,
            internal: false,
            ipam: Some(ipam("fd00::/112")),
            attachable: true,
            ingress: false,
            config_from: Some("host-net".into()),
        },
        spec_version: Some(Version::new(41)),
        driver_state: Some(driver("vxlan-1")),
        ipam: Some(ipam("fd00::/116")),
        pending_delete: true,
        extra: Some(Payload {
            type_url: "allocator".into(),
            value: "p1".into(),
        }),
    }
}

pub fn node() -> Node {
    Node {
        id: id(0x1005),
        spec: NodeSpec {
            annotations: annotations("node"),
            desired_role: NodeRole::Manager,
            membership: Membership::Accepted,
            availability: NodeAvailability::Drained,
        },
        spec_version: Some(Version::new(51)),
        description: Some(node_description()),
        status: NodeStatus {
            state: NodeState::Disconnected,
            message: "not heard of".into(),
            address: "10.1.0.1".into(),
        },
        manager_status: Some(ManagerStatus {
            member: 52,
            address: "10.1.0.1:2377".into(),
            is_leader: true,
            reachability: Reachability::Reachable,
        }),
        certificate: Certificate {
            state: IssuanceState::Rotate,
            error: "expired".into(),
            role: NodeRole::Manager,
            request: "r6".into(),
            certificate: "c6".into(),
            common_name: "node-5".into(),
            node_id: Some(id(0x1005)),
        },
        role: NodeRole::Manager,
        attachments: vec![task::attachment()],
        vxlan_port: Some(4790),
    }
}

fn node_description() -> NodeDescription {
    NodeDescription {
        hostname: "host-5".into(),
        platform: task::platform(),
        resources: task::resources(53),
        engine: EngineDescription {
            version: "27.1".into(),
            labels: labels("engine", "main"),
            plugins: vec![PluginDescription {
                kind: "Volume".into(),
                name: "csi".into(),
            }],
        },
        tls_info: TlsInfo {
            trust_root: "t7".into(),
            issuer_subject: "s7".into(),
            issuer_public_key: "p7".into(),
        },
        fips: true,
        csi_info: vec![NodeCsiInfo {
            plugin: "csi".into(),
            node_id: "csi-5".into(),
            volumes_max: 54,
            topology: labels("zone", "a"),
        }],
    }
}

pub fn resource() -> Resource {
    Resource {
        id: id(0x1006),
        annotations: annotations("resource"),
        kind: "kind".into(),
        payload: Payload {
            type_url: "type".into(),
            value: "p8".into(),
        },
    }
}

pub fn secret() -> Secret {
    Secret {
        id: id(0x1007),
        spec: SecretSpec {
            annotations: annotations("secret"),
            data: vec![255, 128, 127, 0].into(),
            templating: Some(driver("golang")),
            driver: Some(driver("vault")),
        },
        spec_version: Some(Version::new(71)),
        internal: true,
    }
}

pub fn volume() -> Volume {
    Volume {
        id: id(0x100a),
        spec: volume_spec(),
        spec_version: Some(Version::new(101)),
        publish_status: vec![VolumePublishStatus {
            node_id: id(0x1005),
            state: VolumePublishState::PendingUnpublish,
            publish_context: labels("device", "sdb"),
            message: "going".into(),
        }],
        info: Some(VolumeInfo {
            capacity_bytes: 102,
            context: labels("pool", "ssd"),
            volume_id: "csi-volume".into(),
            accessible_topology: vec![labels("zone", "b")],
        }),
        pending_delete: true,
    }
}

fn volume_spec() -> VolumeSpec {
    VolumeSpec {
        annotations: annotations("volume"),
        group: "fast".into(),
        driver: driver("csi"),
        access_mode: VolumeAccessMode {
            scope: VolumeScope::MultiNode,
            sharing: VolumeSharing::All,
            block: true,
        },
        secrets: vec![VolumeSecret {
            key: "token".into(),
            secret_id: id(0x1007),
        }],
        accessibility: TopologyRequirement {
            requisite: vec![labels("zone", "c")],
            preferred: vec![labels("zone", "d")],
        },
        capacity: CapacityRange {
            required_bytes: 103,
            limit_bytes: 104,
        },
        availability: VolumeAvailability::Drained,
    }
}
