//! A task, its spec and its parts.

use std::time::Duration;

use skep::Version;
use skep::cluster::{
    ConfigReference, ContainerSpec, ContainerStatus, FileTarget, GenericResource, Healthcheck,
    Mount, MountKind, NetworkAttachment, NetworkAttachmentConfig, Placement, PlacementPreference,
    Platform, ResourceReference, ResourceRequirements, ResourceType, Resources, RestartCondition,
    RestartPolicy, Runtime, SecretReference, Task, TaskSpec, TaskState, TaskStatus,
    VolumeAttachment,
};

use super::service::{endpoint, port};
use super::{annotations, driver, id, labels, network, time};

pub fn task() -> Task {
    Task {
        id: id(0x1009),
        annotations: annotations("web.1"),
        service_annotations: annotations("web").into(),
        spec: spec().into(),
        spec_version: Some(Version::new(91)),
        service_id: Some(id(0x1008)),
        slot: 92,
        node_id: Some(id(0x1005)),
        status: status(),
        desired_state: TaskState::Shutdown,
        networks: vec![attachment()],
        endpoint: Some(endpoint().into()),
        log_driver: Some(driver("syslog")),
        assigned_generic_resources: resources(93).generic,
        job_iteration: Some(94),
        volumes: vec![VolumeAttachment {
            id: id(0x100a),
            source: "group:fast".into(),
            target: "/data".into(),
        }],
    }
}

fn status() -> TaskStatus {
    TaskStatus {
        timestamp: Some(time(95)),
        state: TaskState::Running,
        message: "started".into(),
        error: "slow".into(),
        container: Some(ContainerStatus {
            container_id: "container-9".into(),
            pid: Some(96),
            exit_code: Some(-97),
        }),
        ports: vec![port(8082)],
        applied_by: Some(id(0x1005)),
        applied_at: Some(time(98)),
    }
}

pub fn spec() -> TaskSpec {
    TaskSpec {
        runtime: Some(Runtime::Container(Box::new(container()))),
        resources: ResourceRequirements {
            limits: resources(1),
            reservations: resources(2),
            swap_bytes: Some(3),
            memory_swappiness: Some(4),
        },
        restart: RestartPolicy {
            condition: RestartCondition::OnFailure,
            delay: Some(Duration::new(5, 6)),
            attempts_max: 7,
            window: Some(Duration::new(8, 9)),
        },
        placement: Placement {
            constraints: vec!["node.role == worker".into()],
            preferences: vec![PlacementPreference::Spread {
                descriptor: "node.labels.rack".into(),
            }],
            platforms: vec![platform()],
            replicas_a_node_max: 10,
        },
        log_driver: Some(driver("json-file")),
        networks: vec![network_config()],
        force_update: 11,
        resource_references: vec![ResourceReference {
            id: id(0x1002),
            kind: ResourceType::Config,
        }],
    }
}

fn container() -> ContainerSpec {
    ContainerSpec {
        image: "nginx".into(),
        labels: labels("app", "web"),
        command: vec!["/bin/web".into()],
        args: vec!["--port".into()],
        hostname: "web-1".into(),
        env: vec!["A=b".into()],
        working_folder: "/srv".into(),
        user: "www".into(),
        groups: vec!["www-data".into()],
        init: Some(true),
        tty: true,
        open_stdin: false,
        read_only: true,
        stop_signal: "SIGTERM".into(),
        stop_grace_period: Some(Duration::new(12, 13)),
        mounts: vec![Mount {
            kind: MountKind::Cluster,
            source: "group:fast".into(),
            target: "/data".into(),
            read_only: true,
        }],
        registry_login: "l9".into(),
        secrets: vec![SecretReference {
            secret_id: id(0x1007),
            secret_name: "secret".into(),
            file: file("password"),
        }],
        configs: vec![ConfigReference {
            config_id: id(0x1002),
            config_name: "config".into(),
            file: Some(file("web.conf")),
        }],
        hosts: vec!["10.0.0.9 db".into()],
        healthcheck: Some(Healthcheck {
            test: vec!["CMD".into(), "true".into()],
            interval: Some(Duration::new(14, 15)),
            timeout: Some(Duration::new(16, 17)),
            retries: 18,
            start_period: Some(Duration::new(19, 20)),
        }),
        processes_max: 21,
        sysctls: labels("net.core.somaxconn", "1024"),
        capabilities_added: vec!["CAP_NET_ADMIN".into()],
        capabilities_dropped: vec!["CAP_CHOWN".into()],
    }
}

fn file(name: &str) -> FileTarget {
    FileTarget {
        name: name.into(),
        user: "root".into(),
        group: "wheel".into(),
        mode: 0o440,
    }
}

/// Amounts that follow a number.
pub fn resources(number: u64) -> Resources {
    Resources {
        nano_cpus: number * 1_000,
        memory_bytes: number * 1_000 + 1,
        generic: vec![
            GenericResource::Named {
                kind: "gpu".into(),
                value: "uuid-1".into(),
            },
            GenericResource::Discrete {
                kind: "ssd".into(),
                value: number * 1_000 + 2,
            },
        ],
    }
}

pub fn platform() -> Platform {
    Platform {
        architecture: "arm64".into(),
        os: "linux".into(),
    }
}

pub fn network_config() -> NetworkAttachmentConfig {
    NetworkAttachmentConfig {
        target: id(0x1004),
        aliases: vec!["www".into()],
        addresses: vec!["10.0.0.3".into()],
        driver_options: labels("mtu", "1400"),
    }
}

pub fn attachment() -> NetworkAttachment {
    NetworkAttachment {
        network: network().into(),
        addresses: vec!["10.0.0.4/24".into()],
        aliases: vec!["shop".into()],
        driver_options: labels("mtu", "1500"),
    }
}
