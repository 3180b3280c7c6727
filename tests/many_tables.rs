//! More tables than fit into a word's bits: each is its own in reads, conflicts and watches.

mod common;

use common::events;
use skep::{Builder, Filter, Indexes, Object, Store};

/// The object of the table with a number.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row<const TABLE: usize>(u64);

/// Names of tables: a letter a table.
const NAMES: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:,;+*/()[]<>";

impl<const TABLE: usize> Object for Row<TABLE> {
    type Key = u64;
    const TABLE: &'static str = NAMES.split_at(TABLE).1.split_at(1).0;

    fn key(&self) -> u64 {
        self.0
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

/// Calls a macro with the number of each of 68 tables.
macro_rules! for_each_table {
    ($run:ident) => {
        for_each_table!($run 0 1 2 3 4 5 6 7);
    };
    ($run:ident $($eight:literal)*) => {
        $(
            $run!({ $eight * 8 });
            $run!({ $eight * 8 + 1 });
            $run!({ $eight * 8 + 2 });
            $run!({ $eight * 8 + 3 });
            $run!({ $eight * 8 + 4 });
            $run!({ $eight * 8 + 5 });
            $run!({ $eight * 8 + 6 });
            $run!({ $eight * 8 + 7 });
        )*
        // Those whose places are the same as others' in a word of 64 bits.
        $run!(64);
        $run!(65);
        $run!(66);
        $run!(67);
    };
}

fn store() -> Store {
    let mut builder: Builder = common::builder();
    macro_rules! add {
        ($table:expr) => {
            builder = builder.table::<Row<$table>>();
        };
    }
    for_each_table!(add);
    builder.build()
}

#[test]
fn each_table_holds_its_own_objects() {
    let store = store();
    macro_rules! create {
        ($table:expr) => {
            store
                .update(|tx| tx.create(Row::<$table>($table)))
                .expect("a table of its own");
        };
    }
    for_each_table!(create);
    let read = store.read();
    macro_rules! check {
        ($table:expr) => {
            assert_eq!(read.get::<Row<$table>>(&$table), Some(&Row($table)));
            assert_eq!(read.count(skep::keys::<Row<$table>>().all()), 1);
        };
    }
    for_each_table!(check);
}

#[test]
fn a_watch_of_one_table_gives_no_other_tables_changes() {
    let store = store();
    let mut first = store.watch(Filter::of::<Row<1>>());
    let mut far = store.watch(Filter::of::<Row<65>>());
    let mut both = store.watch(Filter::of::<Row<1>>().or(Filter::of::<Row<65>>()));
    store.update(|tx| tx.create(Row::<65>(0))).expect("free");
    store.update(|tx| tx.create(Row::<1>(0))).expect("free");
    store.update(|tx| tx.create(Row::<2>(0))).expect("free");
    let tables = |watcher: &mut skep::Watcher| -> Vec<&'static str> {
        let events = events(watcher);
        let changes = events.iter().filter_map(|event| event.change());
        changes.map(|change| change.table()).collect()
    };
    let (near, distant) = (Row::<1>::TABLE, Row::<65>::TABLE);
    assert_eq!(tables(&mut first), [near]);
    assert_eq!(tables(&mut far), [distant]);
    assert_eq!(tables(&mut both), [distant, near]);
}

#[test]
fn a_read_of_one_table_conflicts_with_no_other_tables_writes() {
    let store = store();
    let mut tx = store.begin();
    assert_eq!(tx.count(skep::keys::<Row<1>>().all()), 0);
    assert!(tx.get::<Row<1>>(&5).is_none());
    tx.create(Row::<2>(0)).expect("free");
    store.update(|tx| tx.create(Row::<65>(5))).expect("free");
    tx.commit().expect("another table was written");
}
