//! The form of the ten objects, held against what was written once: bytes that were saved are read
//! for good, and who moves a field is told so here.
//!
//! `golden/*.json` has an object of each type with every field set: its fields are in the order of
//! its bytes, which `golden/actions.hex` has. `golden/fields.txt` has what each field is, and
//! `golden/variants.txt` what is one of some names, by number. Two fields that change places may
//! leave bytes that can be read, as something else: the text tells them apart.
//!
//! If one of them must change, files of the old form are to be refused by name: the catalogue of a
//! cluster has a number of each table's form, to be counted up (`Catalogue::table_of_schema`). Then
//! `BLESS=1 cargo test -p skep-serde-tests --test golden` writes the new ones.

mod form;
mod whole;

use std::fmt::Debug;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use skep::cluster::{
    AddressFamily, ClusterObject, Extension, FailureAction, GenericResource, IssuanceState,
    Membership, MountKind, NodeAvailability, NodeRole, NodeState, PlacementPreference, Protocol,
    PublishMode, Reachability, ResolutionMode, ResourceType, RestartCondition, Runtime,
    ServiceMode, TaskState, UpdateOrder, UpdateState, VolumeAvailability, VolumePublishState,
    VolumeScope, VolumeSharing, builder, catalogue,
};
use skep::save::Catalogue;
use skep::{Action, Store};

use form::Forms;
use whole::time;

const BYTES_A_LINE: usize = 40;

/// What was written once; with `BLESS=1` it is written anew.
fn golden(name: &str, now: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let path = folder.join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, now).expect("a file that can be written");
    }
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
fn assert_same(name: &str, now: &str) {
    let before = golden(name, now);
    let line = before.lines().zip(now.lines()).position(|(a, b)| a != b);
    let line = line.map_or(before.lines().count().min(now.lines().count()), |at| at) + 1;
    assert!(before == now, "{name}:{line}: the form has changed:\n{now}");
}

fn hex(bytes: &[u8]) -> String {
    let line = |bytes: &[u8]| -> String {
        let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
        digits.chain(["\n".to_owned()]).collect()
    };
    bytes.chunks(BYTES_A_LINE).map(line).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).expect("digits");
        u8::from_str_radix(pair, 16).expect("digits of a byte")
    };
    digits.chunks(2).map(byte).collect()
}

/// Does something with each object.
macro_rules! each_object {
    ($run:expr) => {
        [
            $run(whole::cluster()),
            $run(whole::config()),
            $run(whole::extension()),
            $run(whole::network()),
            $run(whole::node()),
            $run(whole::resource()),
            $run(whole::secret()),
            $run(whole::service()),
            $run(whole::task()),
            $run(whole::volume()),
        ]
    };
}

/// An object's creation, with times.
fn action<T: ClusterObject>(object: T) -> Action {
    Action::create(object).at(time(1), time(2))
}

fn fields_keep_their_names_and_their_order<T>(object: T)
where
    T: ClusterObject + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let name = format!("{}.json", T::TABLE);
    let now = serde_json::to_string_pretty(&object).expect("it has a JSON") + "\n";
    assert_same(&name, &now);
    let read = serde_json::from_str::<T>(&golden(&name, &now));
    assert_eq!(read.expect("what was written once"), object);
}

#[test]
fn fields_have_the_names_and_the_order_that_they_had() {
    each_object!(fields_keep_their_names_and_their_order);
}

#[test]
fn objects_have_the_bytes_that_they_had() {
    let sections = each_object!(|object| section(&action(object)));
    assert_same("actions.hex", &sections.concat());
}

/// An action's bytes, headed by the table's name.
fn section(action: &Action) -> String {
    let bytes = catalogue().encode(action).expect("it has bytes");
    format!("[{}]\n{}\n", action.table(), hex(&bytes))
}

fn is_read_from<T>(object: T, sections: &str)
where
    T: ClusterObject + PartialEq + Debug,
{
    let heading = format!("[{}]\n", T::TABLE);
    let (_, section) = sections.split_once(&heading).expect("a section of it");
    let section = section
        .split('[')
        .next()
        .expect("what comes before the next");
    let read = catalogue().decode(&bytes(section));
    let Ok(Action::Create(read)) = read else {
        panic!("{}: {read:?}", T::TABLE);
    };
    assert_eq!(read.of::<T>(), Some(&object));
    assert_eq!(read.times(), Some((time(1), time(2))));
}

#[test]
fn bytes_that_were_written_once_are_the_same_objects() {
    let sections = each_object!(|object| section(&action(object)));
    let sections = golden("actions.hex", &sections.concat());
    each_object!(|object| is_read_from(object, &sections));
}

/// A store of what actions create, in one commit.
fn store(actions: &[Action]) -> Store {
    let store = builder().build();
    store.apply(actions).expect("nothing is against it");
    store
}

fn saved(store: &Store, catalogue: &Catalogue) -> String {
    let mut file = Vec::new();
    store.save(catalogue, &mut file).expect("memory takes it");
    hex(&file)
}

/// One object, too short to be compressed: head, table, block, the object's frame and the end mark
/// are in the file as they are.
#[test]
fn a_file_has_the_bytes_that_it_had() {
    let store = store(&[action(whole::extension())]);
    let extensions = Catalogue::new().table::<Extension>();
    assert_same("file.hex", &saved(&store, &extensions));
}

fn is_in<T: ClusterObject + PartialEq + Debug>(store: &Store, object: T) {
    let read = store.read();
    let entry = read.entry::<T>(&object.key()).expect("it is there");
    assert_eq!(entry.get(), &object);
    let meta = entry.meta();
    assert_eq!((meta.created_at, meta.updated_at), (time(1), time(2)));
}

/// All ten, compressed. Whoever compresses them otherwise gives other bytes, which is no matter.
#[test]
fn a_file_that_was_written_once_is_restored() {
    let source = store(&each_object!(action));
    let file = golden("cluster.hex", &saved(&source, &catalogue()));
    let target = builder().build();
    let restored = target.restore(&catalogue(), &bytes(&file)[..]);
    let restored = restored.expect("a sound file");
    assert!(restored.tables.iter().all(|table| table.created == 1));
    each_object!(|object| is_in(&target, object));
}

/// The variants of a type: each as JSON, and its first byte.
fn variants<T: Serialize>(name: &str, variants: &[T]) -> String {
    let told = variants.iter().map(|variant| {
        let text = serde_json::to_string(variant).expect("it has a JSON");
        let bytes = postcard::to_stdvec(variant).expect("it has bytes");
        format!("  {} {text}\n", hex(&bytes).trim_end())
    });
    let told: String = told.collect();
    format!("{name}\n{told}")
}

/// The variants of types, by their names.
macro_rules! variants {
    ($($type:ident: $($variant:ident)*;)*) => {
        [$(variants(stringify!($type), &[$($type::$variant),*])),*].concat()
    };
}

/// What is one of several, each with parts of its own.
type Several = (
    [GenericResource; 2],
    [PlacementPreference; 1],
    [ServiceMode; 4],
    [Runtime; 3],
);

fn several() -> Several {
    let kind = || "kind".to_owned();
    let resources = [
        GenericResource::Named {
            kind: kind(),
            value: "value".into(),
        },
        GenericResource::Discrete {
            kind: kind(),
            value: 1,
        },
    ];
    let descriptor = kind();
    let preferences = [PlacementPreference::Spread { descriptor }];
    let modes = [
        ServiceMode::Replicated { replicas: 1 },
        ServiceMode::Global,
        ServiceMode::ReplicatedJob {
            concurrent_max: 1,
            completions: 2,
        },
        ServiceMode::GlobalJob,
    ];
    let runtimes = [
        Runtime::Attachment(skep::cluster::AttachmentRuntime {
            container_id: kind(),
        }),
        Runtime::image("image"),
        Runtime::generic("kind"),
    ];
    (resources, preferences, modes, runtimes)
}

fn parts() -> String {
    let (resources, preferences, modes, runtimes) = several();
    [
        variants("GenericResource", &resources),
        variants("PlacementPreference", &preferences),
        variants("ServiceMode", &modes),
        variants("Runtime", &runtimes),
    ]
    .concat()
}

#[test]
fn fields_have_the_types_that_they_had() {
    let forms = Forms::default();
    each_object!(|object| forms.note(&object));
    let (resources, preferences, modes, runtimes) = several();
    resources.iter().for_each(|it| forms.note(it));
    preferences.iter().for_each(|it| forms.note(it));
    modes.iter().for_each(|it| forms.note(it));
    runtimes.iter().for_each(|it| forms.note(it));
    assert_same("fields.txt", &forms.text());
}

#[test]
fn variants_have_the_numbers_that_they_had() {
    let named = variants! {
        AddressFamily: Unknown Ipv4 Ipv6;
        FailureAction: Pause Continue Rollback;
        IssuanceState: Unknown Renew Pending Issued Failed Rotate;
        Membership: Pending Accepted;
        MountKind: Bind Volume Tmpfs NamedPipe Cluster;
        NodeAvailability: Active Paused Drained;
        NodeRole: Worker Manager;
        NodeState: Unknown Down Ready Disconnected;
        Protocol: Tcp Udp Sctp;
        PublishMode: Ingress Host;
        Reachability: Unknown Unreachable Reachable;
        ResolutionMode: VirtualIp DnsRoundRobin;
        ResourceType: Task Secret Config Volume;
        RestartCondition: Never OnFailure Any;
        UpdateOrder: StopFirst StartFirst;
        UpdateState: Unknown Updating Paused Completed RollbackStarted RollbackPaused
            RollbackCompleted;
        VolumeAvailability: Active Paused Drained;
        VolumePublishState: PendingPublish Published PendingNodeUnpublish PendingUnpublish;
        VolumeScope: SingleNode MultiNode;
        VolumeSharing: Exclusive ReadOnly OneWriter All;
    };
    let states = variants("TaskState", &TaskState::ALL);
    assert_same("variants.txt", &[named, states, parts()].concat());
}
