//! Every public operation has a bench, or a reason to have none.
//!
//! A bench has the name of its operation, `Type::method`. Operations are the public methods of the
//! types that the crate exports, as its sources have them; but of `cluster`, which is a schema on
//! top of them that the bench `cluster` measures, and of what is for tests.

use std::collections::BTreeSet;
use std::path::Path;

/// Folders of sources that are not looked into; the kernel's types are nobody's to call.
const LEFT_OUT: [&str; 3] = ["src/cluster", "src/testing", "src/kernel"];

/// Types whose methods need no bench, and why.
const NO_BENCH: &[(&str, &str)] = &[
    ("Builder", "it says how a store is to be, once in its life"),
    (
        "Filter",
        "it says what is wanted; `Store::watch` has what that costs",
    ),
    ("TableFilter", "as Filter"),
    ("Indexes", "a table's schema, made once"),
    (
        "Keys",
        "collects what an index function gives; in every write",
    ),
    ("Event", "gives a field"),
    (
        "AnyChange",
        "gives a field or a handle; `Obj::clone` has what that costs",
    ),
    ("Change", "gives a field"),
    ("Stats", "gives a difference of fields"),
    (
        "Histogram",
        "sums of some hundred numbers, for who watches a store",
    ),
    ("Value", "for errors and messages"),
    (
        "Id",
        "its random numbers are from a stock; one a new object",
    ),
    ("AnyObject", "gives a field"),
    ("AnyKey", "gives a field"),
    ("Proposal", "gives a field"),
    ("WriteSet", "gives a field"),
    (
        "ProposedWrite",
        "for a proposer that decodes what it was sent",
    ),
    ("Image", "as ProposedWrite"),
    ("Rejected", "for errors"),
    ("OutOfSequence", "for errors"),
    ("UpdateError", "for errors"),
    ("DeferredError", "for errors"),
    (
        "Proposed",
        "gives a field, or what a transaction's reads give",
    ),
    (
        "Reader",
        "a file looked into object by object, by a program for people",
    ),
];

/// Methods that need none, and why.
const NO_BENCH_OF: &[(&str, &str)] = &[
    ("Store::builder", "see Builder"),
    ("Store::latencies", "as Histogram"),
    ("Store::restore_accepted", "the way of `Store::restore`"),
    (
        "Transaction::proposed_version",
        "as `Store::proposed_version`",
    ),
    (
        "Transaction::accepted_version",
        "as `Store::proposed_version`",
    ),
    ("Transaction::delete_at_proposed", "as update_at_proposed"),
    (
        "Transaction::defer_checks",
        "for copies of states; `Store::apply` goes by it",
    ),
    ("Transaction::checks_deferred", "gives a field"),
    ("Transaction::setting", "gives one of a few fields"),
    ("Action::at", "sets a field"),
    ("Action::of_write", "copies an object"),
    ("Action::table", "gives a field"),
    ("Action::key", "for messages"),
    ("Fork::store", "gives a field"),
    ("Fork::version", "gives a field"),
    ("Catalogue::new", "once in a program"),
    ("Catalogue::action", "copies an object"),
    ("Catalogue::table", "as new"),
    ("Catalogue::table_of_schema", "as new"),
    ("Catalogue::limits", "as new"),
    ("Catalogue::names", "as new"),
    ("Ticket::number", "gives a field"),
    ("Ticket::verdict", "gives a field"),
    (
        "Ticket::refuse",
        "the way of accept, and nothing is installed",
    ),
    ("Ticket::lose_leadership", "as refuse"),
    (
        "Keyed::prefix",
        "keys that are texts are as `Index::prefix`",
    ),
];

/// Names that a bench has in the place of the type's own.
fn told(name: &str) -> String {
    name.replace("Keyed::", "keys::")
}

fn files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("a file of it").path();
        if LEFT_OUT.iter().any(|left_out| path.ends_with(left_out)) {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(std::fs::read_to_string(&path).expect("a source"));
        }
    }
}

fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    files(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
        &mut found,
    );
    found
}

/// The words of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

/// What `pub use` brings out.
fn exported(sources: &[String]) -> BTreeSet<&str> {
    let uses = sources
        .iter()
        .flat_map(|source| source.split("\npub use ").skip(1));
    let uses = uses.map(|rest| rest.split(';').next().unwrap_or_default());
    let names = uses.flat_map(words);
    names
        .filter(|name| name.starts_with(char::is_uppercase))
        .collect()
}

/// The types that a line opens an `impl` block of; views and snapshots share one.
fn opened(line: &str) -> Option<Vec<String>> {
    let rest = line.strip_prefix("impl")?;
    let mut depth = 0_usize;
    let outside = rest.chars().filter(|letter| {
        depth += usize::from(*letter == '<');
        let is_outside = depth == 0;
        depth -= usize::from(*letter == '>' && depth > 0);
        is_outside
    });
    let outside: String = outside.collect();
    if outside.contains("$kind") {
        return Some(["View", "Snapshot"].map(str::to_owned).to_vec());
    }
    let is_trait = outside.contains(" for ");
    let name = words(&outside).find(|word| !word.is_empty());
    Some(
        name.filter(|_| !is_trait)
            .map(str::to_owned)
            .into_iter()
            .collect(),
    )
}

/// `Type::method` of each public method.
fn operations(sources: &[String], types: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for source in sources {
        let mut here: Vec<String> = Vec::new();
        for whole in source.lines() {
            let line = whole.trim_start();
            if let Some(opened) = opened(line) {
                here = opened;
            } else if whole == "}" {
                here.clear();
            } else if let Some(rest) = line.strip_prefix("pub fn ") {
                let method = words(rest).next().unwrap_or_default();
                let here = here.iter().filter(|name| types.contains(name.as_str()));
                found.extend(here.map(|name| format!("{name}::{method}")));
            }
        }
    }
    found
}

#[test]
fn every_public_operation_has_a_bench_or_a_reason() {
    let own = sources("../src");
    let operations = operations(&own, &exported(&own));
    assert!(operations.len() > 150, "only {operations:?} were found");
    let benches = sources("benches/operations").concat();
    let macros = ["View", "Snapshot"]
        .map(|kind| format!("reads!(bench, {}, \"{kind}\")", kind.to_lowercase()));
    assert!(macros.iter().all(|used| benches.contains(used)));
    let is_measured = |name: &str| {
        let shared = name.strip_prefix("View").or(name.strip_prefix("Snapshot"));
        benches.contains(&format!("\"{}\"", told(name)))
            || shared
                .is_some_and(|method| benches.contains(&format!("concat!($kind, \"{method}\")")))
    };
    let has_reason = |name: &str| {
        let kind = name.split("::").next().unwrap_or_default();
        NO_BENCH.iter().any(|it| it.0 == kind) || NO_BENCH_OF.iter().any(|it| it.0 == name)
    };
    let missing: Vec<&String> = operations
        .iter()
        .filter(|name| !is_measured(name) && !has_reason(name))
        .collect();
    assert!(missing.is_empty(), "no bench and no reason: {missing:?}");
    let both: Vec<&String> = operations
        .iter()
        .filter(|name| is_measured(name) && has_reason(name))
        .collect();
    assert!(
        both.is_empty(),
        "a bench, and a reason to have none: {both:?}"
    );
    let stale = NO_BENCH_OF.iter().filter(|it| !operations.contains(it.0));
    assert_eq!(stale.collect::<Vec<_>>(), Vec::<&(&str, &str)>::new());
    let stale = NO_BENCH.iter().filter(|it| {
        let prefix = format!("{}::", it.0);
        !operations.iter().any(|name| name.starts_with(&prefix))
    });
    assert_eq!(stale.collect::<Vec<_>>(), Vec::<&(&str, &str)>::new());
}

#[test]
fn methods_are_found_where_they_are() {
    let text = "impl<T: A<B>> Some<T> {\n    pub fn one<X>(self) {}\n    fn two() {}\n}\n\
                pub fn five() {}\n\
                impl Other for Some {\n    pub fn three() {}\n}\n\
                        impl $kind {\n    pub fn four() {}\n}\n";
    let types = BTreeSet::from(["Some", "View"]);
    let found = operations(&[text.to_owned()], &types);
    assert_eq!(
        found,
        BTreeSet::from(["Some::one", "View::four"].map(str::to_owned))
    );
    let uses = "x\npub use a::{B, c::D};\npub use e::F;\n".to_owned();
    assert_eq!(exported(&[uses]), BTreeSet::from(["B", "D", "F"]));
}
