//! Secrets in what is shown of a file: there, unless they are to be left out.

mod support;

use std::fs;
use std::path::Path;

use skep::cluster::{
    self, Cluster, ContainerSpec, EncryptionKey, JoinTokens, Network, RootCa, RootRotation,
    Runtime, Secret, SecretBytes, Service, Task, TaskSpec,
};
use skep::{Error, Id};
use support::{Run, skep};
use tempfile::TempDir;

const ID: Id = Id::from_u128(36);

/// A word, and how JSON has its bytes.
const WORD: &str = "hunter2";
const BYTES: &str = "104,117,110,116,101,114,50";
const ZEROS: &str = "0,0,0,0,0,0,0";

fn a_cluster() -> Cluster {
    let key = || EncryptionKey {
        key: WORD.into(),
        ..EncryptionKey::default()
    };
    let mut cluster = Cluster::named(ID, "default");
    cluster.unlock_keys = vec![key()];
    cluster.network_bootstrap_keys = vec![key()];
    cluster.spec.ca.signing_key = WORD.into();
    cluster.root_ca = RootCa {
        key: WORD.into(),
        join_tokens: JoinTokens {
            worker: WORD.into(),
            manager: WORD.into(),
        },
        rotation: Some(RootRotation {
            key: WORD.into(),
            ..RootRotation::default()
        }),
        ..RootCa::default()
    };
    cluster
}

fn a_service() -> Service {
    let container = ContainerSpec {
        registry_login: SecretBytes::from(WORD),
        ..ContainerSpec::image("image")
    };
    let mut service = Service::named(ID, "web");
    service.spec.task = TaskSpec {
        runtime: Some(Runtime::Container(Box::new(container))),
        ..TaskSpec::default()
    }
    .into();
    service.previous_spec = Some(Box::new(service.spec.clone()));
    service
}

/// A folder with a saved file in which the word is in each place that there is for a secret.
fn folder() -> TempDir {
    let store = cluster::builder().build();
    let created = store.update(|tx| {
        tx.create(a_cluster())?;
        tx.create(Network::named(ID, "open"))?;
        tx.create(Secret::named(ID, "password", WORD))?;
        tx.create(a_service())?;
        tx.create(Task {
            spec: a_service().spec.task,
            ..Task::new(ID)
        })?;
        Ok::<_, Error>(())
    });
    assert_eq!(created, Ok(()));
    let mut file = Vec::new();
    store
        .save(&cluster::catalogue(), &mut file)
        .expect("memory");
    let folder = TempDir::new().expect("a folder for the test");
    fs::write(folder.path().join("a.skep"), file).expect("a writable folder");
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let run = Run::of(skep().current_dir(folder).args(arguments));
    assert_eq!(run.code, Some(0), "{arguments:?}: {}", run.stderr);
    // Lists are over several lines where people read them.
    run.stdout.split_whitespace().collect()
}

#[test]
fn secrets_are_left_out_where_that_is_asked_for() {
    let folder = folder();
    let tables = [("cluster", 7), ("secret", 1), ("service", 2), ("task", 1)];
    for (table, places) in tables {
        let id = ID.to_string();
        let ways: [&[&str]; 3] = [
            &["inspect", "a.skep", "--table", table, "--json"],
            &["inspect", "a.skep", "--table", table, "--object", &id],
            &[
                "inspect", "a.skep", "--table", table, "--object", &id, "--json",
            ],
        ];
        for way in ways {
            let shown = run(folder.path(), way);
            assert_eq!(shown.matches(BYTES).count(), places, "{way:?}: {shown}");
            let redacted = run(folder.path(), &[way, &["--redact"]].concat());
            assert_eq!(redacted, shown.replace(BYTES, ZEROS), "{way:?}");
        }
    }
    let network = ["inspect", "a.skep", "--table", "network", "--json"];
    let shown = run(folder.path(), &network);
    assert_eq!(
        run(folder.path(), &[&network[..], &["--redact"]].concat()),
        shown
    );
}

/// What is left has the form that it had.
#[test]
fn lines_without_secrets_are_saved_as_others_are() {
    let folder = folder();
    let lines = |name: &str| {
        let lines = fs::read_to_string(folder.path().join(name));
        lines.expect("lines of JSON")
    };
    run(folder.path(), &["restore", "a.skep", "--to", "all", "-q"]);
    let redact = ["restore", "a.skep", "--to", "some", "-q", "--redact"];
    run(folder.path(), &redact);
    assert_eq!(lines("all").matches(BYTES).count(), 11);
    assert_eq!(lines("some"), lines("all").replace(BYTES, ZEROS));
    run(folder.path(), &["save", "--from", "some", "b.skep", "-q"]);
    let again = run(
        folder.path(),
        &["inspect", "b.skep", "--object", &ID.to_string()],
    );
    assert_eq!(again.matches(ZEROS).count(), 11);
}
