//! Secrets in what is shown of a file: there, unless they are to be left out.

#[path = "../../../tests/common/secrets.rs"]
mod secrets;
mod support;

use std::fs;
use std::path::Path;

use skep::cluster::{self, Network, Secret};
use skep::{Error, Id};
use support::{Run, skep};
use tempfile::TempDir;

const ID: Id = Id::from_u128(36);

/// A word, and how JSON has its bytes.
const WORD: &str = "hunter2";
const BYTES: &str = "104,117,110,116,101,114,50";
const ZEROS: &str = "0,0,0,0,0,0,0";

/// A folder with a saved file in which the word is in each place that there is for a secret.
fn folder() -> TempDir {
    let store = cluster::builder().build();
    let created = store.update(|tx| {
        tx.create(secrets::cluster(ID, &WORD.into()))?;
        tx.create(Network::named(ID, "open"))?;
        tx.create(Secret::named(ID, "password", WORD))?;
        tx.create(secrets::service(ID, &WORD.into()))?;
        tx.create(secrets::task(ID, &WORD.into()))?;
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
