//! Looking into files that have something else than this program's tables.

mod support;

use std::fs;

use serde::{Deserialize, Serialize};
use skep::cluster::{self, Node};
use skep::save::Catalogue;
use skep::{Id, Indexes, Object, Store};
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
        (&["--object", &node], "no object"),
        (&["--table", "task"], "there are node, \\u{1b}[31mstrange\n"),
    ];
    for (options, told) in cases {
        let run = Run::of(skep().arg("inspect").arg(&path).args(options));
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{options:?}");
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
}
