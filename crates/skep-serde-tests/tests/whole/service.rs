//! A service.

use std::time::Duration;

use skep::Version;
use skep::cluster::{
    Endpoint, EndpointSpec, FailureAction, JobStatus, PortConfig, Protocol, PublishMode,
    ResolutionMode, Service, ServiceMode, ServiceSpec, UpdateConfig, UpdateOrder, UpdateState,
    UpdateStatus, VirtualIp,
};

use super::task::{network_config, spec};
use super::{annotations, id, time};

pub fn service() -> Service {
    let mut previous = service_spec();
    previous.annotations.name = "web-before".into();
    previous.mode = ServiceMode::ReplicatedJob {
        concurrent_max: 81,
        completions: 82,
    };
    Service {
        id: id(0x1008),
        spec: service_spec(),
        spec_version: Some(Version::new(83)),
        previous_spec: Some(Box::new(previous)),
        previous_spec_version: Some(Version::new(84)),
        endpoint: Some(endpoint().into()),
        update_status: Some(UpdateStatus {
            state: UpdateState::RollbackCompleted,
            started_at: Some(time(85)),
            completed_at: Some(time(86)),
            message: "back".into(),
        }),
        job_status: Some(JobStatus {
            iteration: 87,
            last_execution: Some(time(88)),
        }),
        pending_delete: true,
    }
}

fn service_spec() -> ServiceSpec {
    ServiceSpec {
        annotations: annotations("web"),
        task: spec().into(),
        mode: ServiceMode::Replicated { replicas: 89 },
        update: Some(UpdateConfig {
            parallelism: 61,
            delay: Duration::new(62, 63),
            failure_action: FailureAction::Rollback,
            monitor: Some(Duration::new(64, 65)),
            failure_ratio_max: 0.25,
            order: UpdateOrder::StartFirst,
        }),
        rollback: Some(UpdateConfig {
            parallelism: 66,
            delay: Duration::new(67, 68),
            failure_action: FailureAction::Continue,
            monitor: Some(Duration::new(69, 70)),
            failure_ratio_max: 0.5,
            order: UpdateOrder::StopFirst,
        }),
        networks: vec![network_config()],
        endpoint: Some(endpoint_spec()),
    }
}

fn endpoint_spec() -> EndpointSpec {
    EndpointSpec {
        mode: ResolutionMode::DnsRoundRobin,
        ports: vec![port(8080)],
    }
}

pub fn endpoint() -> Endpoint {
    Endpoint {
        spec: endpoint_spec(),
        ports: vec![port(8081)],
        virtual_ips: vec![VirtualIp {
            network_id: id(0x1004),
            address: "10.0.0.2/24".into(),
        }],
    }
}

pub fn port(target_port: u16) -> PortConfig {
    PortConfig {
        name: "http".into(),
        protocol: Protocol::Sctp,
        target_port,
        published_port: 30_000,
        publish_mode: PublishMode::Host,
    }
}
