//! The made-up cluster and the tables.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use skep::cluster::{
    ClusterObject, Config, Driver, Endpoint, Extension, ExternalCa, GenericResource, IndexEntry,
    Labels, Mount, Network, NetworkAttachment, Node, NodeCsiInfo, NodeDescription, Placement,
    PlacementPreference, Platform, PluginDescription, PortConfig, Runtime, Service, Task, TaskSpec,
    Volume, builder, catalogue,
};
use skep::{Action, Id, keys};

use super::lines::{JSON_BYTES_MAX, Lines, ONCE_BYTES_MAX};
use super::{sample, tables};

fn saved(seed: u64, tasks: u32) -> Vec<u8> {
    let store = builder().build();
    let size = sample::Size { tasks, nodes: 4 };
    sample::fill(&store, seed, size, |_| ());
    assert_eq!(store.read().count(keys::<Task>().all()), tasks as usize);
    let mut file = Vec::new();
    store
        .save(&catalogue(), &mut file)
        .expect("memory takes it");
    file
}

#[test]
fn the_same_arguments_make_the_same_file() {
    assert_eq!(saved(1, 250), saved(1, 250));
    assert_ne!(saved(1, 250), saved(2, 250));
    assert_ne!(saved(1, 250), saved(1, 251));
    saved(1, 0);
}

#[test]
fn the_tables_are_those_of_the_catalogue() {
    let names: Vec<_> = catalogue().names().collect();
    assert_eq!(tables::names(), names.join(", "));
    assert!(names.iter().all(|name| tables::find(name).is_some()));
    assert!(tables::find("nothing").is_none());
}

/// Asserts that an object's JSON is no longer than a line may be, and gives how many bytes of it
/// there are for one of the object.
fn json_bytes<T: ClusterObject + Serialize + Debug>(object: T) -> u64 {
    let json = serde_json::to_vec(&object).expect("it has a JSON").len() as u64;
    let bytes = catalogue().encode(&Action::create(object));
    let bytes = bytes.expect("it has bytes").len() as u64;
    assert!(
        json <= bytes * JSON_BYTES_MAX + ONCE_BYTES_MAX,
        "{json} of {bytes}"
    );
    json / bytes
}

const MANY: usize = 20_000;

fn of_spec(spec: TaskSpec) -> Task {
    Task {
        spec: spec.into(),
        ..Task::new(id())
    }
}

fn id() -> Id {
    Id::from_u128(1)
}

/// Of all that an object has in lists: what has the most names for the fewest bytes.
#[test]
fn a_line_has_room_for_the_longest_names_of_the_smallest_parts() {
    let mut service = Service::named(id(), "");
    service.endpoint = Some(Arc::new(Endpoint {
        ports: vec![PortConfig::default(); MANY],
        ..Endpoint::default()
    }));
    assert_eq!(json_bytes(service), JSON_BYTES_MAX - 1, "the worst");
    let mut node = Node::named(id(), "");
    node.description = Some(NodeDescription {
        csi_info: vec![NodeCsiInfo::default(); MANY],
        ..NodeDescription::default()
    });
    json_bytes(node.clone());
    node.attachments = vec![NetworkAttachment::to(Network::named(id(), "")); MANY / 10];
    let description = node.description.as_mut().expect("just now");
    description.csi_info.clear();
    description.engine.plugins = vec![PluginDescription::default(); MANY];
    json_bytes(node);
    let mut cluster = skep::cluster::Cluster::named(id(), "");
    cluster.unlock_keys = vec![Default::default(); MANY];
    cluster.spec.ca.external = vec![ExternalCa::default(); MANY];
    json_bytes(cluster);
    let mut volume = Volume::named(id(), "", "");
    volume.spec.accessibility.requisite = vec![Labels::new(); MANY];
    volume.spec.annotations.indices = vec![IndexEntry::default(); MANY];
    json_bytes(volume);
}

#[test]
fn a_line_has_room_for_the_parts_of_a_task() {
    let placement = Placement {
        preferences: vec![
            PlacementPreference::Spread {
                descriptor: String::new(),
            };
            MANY
        ],
        platforms: vec![Platform::default(); MANY],
        ..Placement::default()
    };
    json_bytes(of_spec(TaskSpec {
        placement,
        log_driver: Some(Driver::default()),
        ..TaskSpec::default()
    }));
    let mut container = skep::cluster::ContainerSpec::image("");
    container.mounts = vec![Mount::default(); MANY];
    json_bytes(of_spec(TaskSpec {
        runtime: Some(Runtime::Container(Box::new(container))),
        ..TaskSpec::default()
    }));
    let mut task = of_spec(TaskSpec::default());
    let ssd = GenericResource::Discrete {
        kind: String::new(),
        value: 0,
    };
    task.assigned_generic_resources = vec![ssd; MANY];
    json_bytes(task);
}

/// Whatever stands in the place of another thing may be a secret.
#[test]
fn faults_tell_the_place_and_what_is_expected_and_never_the_value() {
    let fault = |object: &str, table: &str| {
        let line = format!(r#"{{"table":"{table}","object":{object}}}"#);
        let mut lines = Lines::new(Path::new("a"), line.as_bytes());
        let fault = lines.next().err().expect("it is refused");
        assert!(!fault.to_string().contains("hunter2"), "{fault}");
        fault.to_string()
    };
    let with = |place: &str, text: &str| {
        let mut task = serde_json::to_value(Task::new(id())).expect("a task");
        let text = serde_json::from_str(text).expect("JSON");
        *task.pointer_mut(place).expect("a field of a task") = text;
        task.to_string()
    };
    let texts = [
        r#""hunter2""#,
        r#""hunter2, expected struct `x`, expected hunter2""#,
        r#""\"hunter2`\"""#,
        r#"["hunter2"]"#,
    ];
    for text in texts {
        for place in [
            "",
            "/spec",
            "/annotations",
            "/annotations/labels",
            "/status",
        ] {
            let told = fault(&with(place, text), "task");
            assert!(told.contains(" at character "), "{told}");
        }
    }
    let told = fault(&with("/annotations/name", "7777"), "task");
    assert!(told.contains("integer in the place of a string"), "{told}");
    assert!(!told.contains("7777"), "{told}");
    let told = fault(&with("/spec", "\"hunter2\""), "task");
    assert!(
        told.contains("string in the place of struct TaskSpec"),
        "{told}"
    );
    for place in ["/desired_state", "/slot", "/id", "/service_id"] {
        fault(&with(place, "\"hunter2`, expected hunter2\""), "task");
    }
    let mut node = serde_json::to_value(Node::named(id(), "a")).expect("a node");
    node["role"] = "hunter2`, expected hunter2".into();
    let told = fault(&node.to_string(), "node");
    assert!(
        told.contains("an unknown variant in the place of "),
        "{told}"
    );
    let told = fault("\"hunter2\"", "secret");
    assert!(
        told.contains("string in the place of struct Secret"),
        "{told}"
    );
    // Nor where the line itself is none.
    let mut lines = Lines::new(Path::new("a"), &b"\"hunter2\""[..]);
    let told = lines.next().err().expect("it is refused").to_string();
    assert!(told.contains("string in the place of "), "{told}");
}

#[test]
fn a_line_has_room_for_texts_and_bytes() {
    let mut extension = Extension::named(id(), "name");
    extension.description = "\u{1}".repeat(MANY);
    assert_eq!(json_bytes(extension), 5, "and a little more");
    json_bytes(Config::named(id(), "name", vec![255; MANY]));
}
