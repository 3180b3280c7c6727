//! Looking into files that have something else than this program's tables.

mod support;

use std::fs;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use skep::cluster::{self, Node};
use skep::save::Catalogue;
use skep::{Id, Indexes, Object, Proposal, Proposer, Store, Version};
use support::{Run, skep};
use tempfile::TempDir;

/// Of a table that this program does not know.
#[derive(Clone, Serialize, Deserialize)]
struct Strange(u32);

impl Object for Strange {
    type Key = u32;
    const TABLE: &'static str = "\u{1b}[31mstrange";

    fn key(&self) -> u32 {
        self.0
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

/// A file with a node in a later form, and something strange.
fn later(node: Id) -> Vec<u8> {
    let tables = cluster::tables(Store::builder());
    let store = tables.table::<Strange>().build();
    let created = store.update(|tx| {
        tx.create(Strange(1))?;
        tx.create(Node::named(node, "host"))
    });
    created.expect("there is none");
    let catalogue = Catalogue::new()
        .table_of_schema::<Node>(2)
        .table::<Strange>();
    let mut file = Vec::new();
    store.save(&catalogue, &mut file).expect("into memory");
    file
}

#[test]
fn what_it_does_not_know_is_not_shown_as_something_else() {
    let folder = TempDir::new().expect("a folder for the test");
    let node = Id::from_u128(1);
    let path = folder.path().join("later.skep");
    fs::write(&path, later(node)).expect("a writable folder");
    let node = node.to_string();
    let cases: [(&[&str], &str); 4] = [
        (&["--table", "node"], "does not know the form of table node"),
        (
            &["--table", "node", "--json"],
            "does not know the form of table node",
        ),
        (
            &["--object", &node],
            "0000001; not looked for in node, \\u{1b}[31mstrange: this program does not know",
        ),
        (&["--table", "task"], "there are node, \\u{1b}[31mstrange\n"),
    ];
    for (options, told) in cases {
        let run = Run::of(skep().arg("inspect").arg(&path).args(options));
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{options:?}");
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
}

/// Whoever made the file chose the texts. A terminal takes some characters beyond ASCII for
/// controls, too.
#[test]
fn an_object_does_not_control_the_terminal() {
    let name = "\u{9b}31m\u{1b}[31m\u{7f}ä";
    let id = Id::from_u128(1);
    let store = cluster::builder().build();
    let created = store.update(|tx| tx.create(Node::named(id, name)));
    created.expect("there is none");
    let mut file = Vec::new();
    let saved = store.save(&cluster::catalogue(), &mut file);
    saved.expect("into memory");
    let folder = TempDir::new().expect("a folder for the test");
    let path = folder.path().join("a.skep");
    fs::write(&path, file).expect("a writable folder");
    let object = ["--object", &id.to_string()];
    let run = Run::of(skep().arg("inspect").arg(&path).args(object));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let is_control = |character: char| character.is_control() && character != '\n';
    assert!(!run.stdout.contains(is_control), "{:?}", run.stdout);
    // It says the same.
    let json: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(json["description"]["hostname"], name);
}

/// Accepts everything at once, in steps of a thousand, and keeps nothing.
struct Steps;

impl Proposer for Steps {
    fn propose(&self, proposal: Proposal) {
        let version = Version::new(proposal.number().get() * 1000);
        proposal.ticket().accept(version).expect("open");
    }
}

#[test]
fn the_proposers_version_is_shown_where_there_is_one() {
    let folder = TempDir::new().expect("a folder for the test");
    let id = Id::from_u128(1);
    let saved = |name: &str, builder: skep::Builder| {
        let store = cluster::tables(builder).build();
        let created = store.update(|tx| tx.create(Node::named(id, "host")));
        created.expect("there is none");
        let mut file = Vec::new();
        store
            .save(&cluster::catalogue(), &mut file)
            .expect("into memory");
        let path = folder.path().join(name);
        fs::write(&path, file).expect("a writable folder");
        path
    };
    let own = saved("own.skep", Store::builder());
    let proposed = saved("proposed.skep", Store::builder().proposer(Arc::new(Steps)));
    let shown = |path, json: &[&str]| {
        let run = Run::of(
            skep()
                .arg("inspect")
                .arg(path)
                .args(["--table", "node"])
                .args(json),
        );
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout
    };
    let line = shown(&proposed, &[]);
    let words: Vec<&str> = line.split_whitespace().collect();
    let versions = ["version", "1", "proposer's", "1", "000"];
    assert_eq!(words[1..6], versions, "{line}");
    assert!(!shown(&own, &[]).contains("proposer's"));
    let lines = shown(&proposed, &["--json"]);
    assert!(
        lines.contains(r#""meta":{"version":1,"proposed":1000,"created_at":"#),
        "{lines}"
    );
    assert!(!shown(&own, &["--json"]).contains("proposed"));
    // What is shown can be put into a store again.
    let again = folder.path().join("again.jsonl");
    fs::write(&again, lines).expect("a writable folder");
    let target = folder.path().join("again.skep");
    let run = Run::of(skep().arg("save").arg("--from").arg(&again).arg(&target));
    assert_eq!(run.code, Some(0), "{}", run.stderr);
}
