//! Style as a test: what the project asks of its sources beyond what the compiler and its lints
//! see. Each rule is a function from a source to its faults, and has a test that it can fail.

#[path = "tidy/imports.rs"]
mod imports;
#[path = "tidy/invariants.rs"]
mod invariants;
#[path = "tidy/proof.rs"]
mod proof;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/text.rs"]
mod text;

use std::path::{Path, PathBuf};

use imports::{crate_paths, is_below};
use source::Source;

/// Where sources are.
const ROOTS: [&str; 10] = [
    "src",
    "derive",
    "crates",
    "loom-tests",
    "shuttle-tests",
    "benches",
    "tests",
    "fuzz/src",
    "fuzz/tests",
    "fuzz/fuzz_targets",
];

/// Who may import whom below `src`. A name may be a path: then only what is below it.
const IMPORTS: &[(&str, &[&str])] = &[
    ("sync", &[]),
    ("version", &[]),
    ("id", &[]),
    ("docs", &[]),
    ("latency", &["sync"]),
    ("kernel", &["id", "sync", "version"]),
    (
        "error",
        &[
            "table::object",
            "table::proposed",
            "table::value",
            "version",
        ],
    ),
    // The looks upward: what a query reads is noted in the transaction's read set, and rules read
    // through the transaction.
    (
        "table",
        &[
            "error::Duplicate",
            "error::KeyError",
            "id",
            "kernel",
            "txn::Transaction",
            "txn::reads",
            "version",
        ],
    ),
    (
        "propose",
        &[
            "kernel",
            "latency",
            "sync",
            "table::object",
            "table::value",
            "version",
        ],
    ),
    // The look upward: committers deliver to watchers.
    (
        "shared",
        &[
            "kernel",
            "latency",
            "propose",
            "sync",
            "table::schema",
            "version",
            "watch::config",
            "watch::shard",
        ],
    ),
    (
        "txn",
        &[
            "error", "kernel", "latency", "propose", "shared", "sync", "table", "version",
        ],
    ),
    (
        "watch",
        &[
            "error", "kernel", "propose", "shared", "sync", "table", "version",
        ],
    ),
    ("snapshot", &["kernel", "shared", "table", "version"]),
    (
        "action",
        &[
            "error",
            "propose::sets",
            "shared",
            "table",
            "txn",
            "version",
            "watch::event",
        ],
    ),
    (
        "copy",
        &[
            "action",
            "snapshot",
            "table",
            "txn",
            "version",
            "watch::event",
        ],
    ),
    (
        "builder",
        &[
            "copy",
            "kernel",
            "propose",
            "shared",
            "sync",
            "table",
            "watch::config",
        ],
    ),
    (
        "store",
        &[
            "builder",
            "copy",
            "error",
            "kernel",
            "latency",
            "shared",
            "snapshot",
            "stats",
            "sync",
            "table::object",
            "txn",
            "version",
            "watch",
        ],
    ),
    (
        "fork",
        &[
            "action", "error", "shared", "snapshot", "store", "txn", "version", "watch",
        ],
    ),
    (
        "save",
        &[
            "action",
            "error",
            "propose::proposal::AnswerError",
            "propose::sets",
            "snapshot",
            "store",
            "sync",
            "table",
            "txn",
            "version",
        ],
    ),
    ("stats", &["kernel", "version"]),
    (
        "proposed",
        &["action", "error", "propose", "store", "txn", "version"],
    ),
    ("testing", &["propose", "sync", "version"]),
    ("serial", &["id"]),
    // The public face alone, as a stranger's schema would be written.
    (
        "cluster",
        &[
            "Builder",
            "ByIndex",
            "Change",
            "Condition",
            "Filter",
            "Id",
            "Images",
            "Index",
            "Indexes",
            "Key",
            "Kind",
            "Object",
            "OutOfSequence",
            "Prefix",
            "Proposed",
            "Query",
            "Rejected",
            "ReplaceError",
            "Snapshot",
            "Store",
            "TableFilter",
            "Transaction",
            "Version",
            "View",
            "fold_case",
            "keys",
            "save::Catalogue",
        ],
    ),
];

/// What one file may name that no other may.
const ALLOWED: &[(&str, &str)] = &[
    // Each thread draws its random numbers from a stock of its own.
    ("src/id/mod.rs", "thread_local!"),
    // How deep finders are nested that a thread decodes: a format passes nothing down.
    ("src/cluster/serial.rs", "thread_local!"),
    // The threads of a model or scenario are one thread of the system; this is its list of what is
    // freed.
    ("src/kernel/memory.rs", "thread_local!"),
    // The hook of the progress tests, there with the feature `failpoints` only.
    ("src/kernel/step.rs", "OnceLock"),
    // Back to the store from what a proposer may keep for ever; no lock.
    ("src/propose/line.rs", "Weak"),
    ("src/propose/proposal.rs", "Weak"),
    ("src/shared.rs", "Weak"),
    // A verdict's reason, set once by the one who decides: nobody waits.
    ("src/propose/flight.rs", "OnceLock"),
    // Made for tests, no part of a store.
    ("src/testing/proposer.rs", "Mutex"),
    ("src/testing/proposer.rs", "MutexGuard"),
    ("src/testing/rough.rs", "Weak"),
    // Made for the models and their tests, no part of a store.
    ("src/kernel/testing.rs", "Mutex"),
];

/// Who may wait, and how; everything else goes on whatever others do.
const WAITING: &[(&str, &str)] = &[
    // 64 pauses of courtesy; then the other's commit is installed, or delivered, by who waited.
    ("src/kernel/clock.rs", "pause"),
    ("src/kernel/station.rs", "pause"),
    // Out of the way of who won, a bounded while longer each attempt.
    ("src/txn/update.rs", "pause"),
    ("src/txn/update.rs", "yield_now"),
    // Waiting is what they are for: for an event, a version, a proposer's answer, commits to
    // deliver.
    ("src/watch/watcher.rs", "park_timeout"),
    ("src/store.rs", "park_timeout"),
    ("src/txn/submit.rs", "park_timeout"),
    ("src/watch/threads.rs", "pause"),
    ("src/watch/threads.rs", "park_timeout"),
    // Made for tests, no part of a store.
    ("src/testing/rough.rs", "sleep"),
];

type Rule = fn(&Source) -> Vec<String>;

const RULES: [Rule; 12] = [
    text::opens_with_what_it_is,
    text::is_small,
    text::functions_are_small,
    text::keeps_no_leftovers,
    imports::imports_point_down,
    imports::names_the_door,
    imports::takes_no_locks,
    imports::waits_for_nobody,
    proof::unsafe_is_walled_in,
    proof::unsafe_is_argued,
    proof::orderings_are_argued,
    proof::seqcst_is_for_fences,
];

/// Asserts that a rule finds a fault in a text.
fn refuses(rule: Rule, path: &str, text: &str) {
    assert!(!rule(&Source::new(path, text)).is_empty(), "{path}: {text}");
}

/// Asserts that it finds none.
fn accepts(rule: Rule, path: &str, text: &str) {
    assert_eq!(
        rule(&Source::new(path, text)),
        Vec::<String>::new(),
        "{text}"
    );
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.expect("a folder that can be read").path()) {
        if path.is_dir() && !path.ends_with("target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ROOTS {
        rust_files(&root.join(folder), &mut files);
    }
    files.sort();
    let read = |file: &PathBuf| {
        let path = file.strip_prefix(root).expect("a file below the root");
        let text = std::fs::read_to_string(file).expect("a source that can be read");
        Source::new(&path.to_string_lossy().replace('\\', "/"), &text)
    };
    files.iter().map(read).collect()
}

#[test]
fn the_sources_are_tidy() {
    let sources = sources();
    assert!(sources.len() > 50, "the sources are not where they were");
    let faults = |rule: &Rule| sources.iter().flat_map(rule).collect::<Vec<_>>();
    let faults: Vec<String> = RULES.iter().flat_map(faults).collect();
    assert!(
        faults.is_empty(),
        "{} faults:\n{}",
        faults.len(),
        faults.join("\n")
    );
}

/// What nobody uses would let somebody in.
#[test]
fn the_tables_allow_no_more_than_is_used() {
    let sources = sources();
    let used = |module: &str, import: &str| {
        let mut own = sources
            .iter()
            .filter(|source| source.module() == Some(module));
        own.any(|source| {
            let mut paths = source.code.iter().flat_map(|code| crate_paths(code));
            paths.any(|path| is_below(path, import))
        })
    };
    for (module, imports) in IMPORTS {
        assert!(
            sources.iter().any(|source| source.module() == Some(module)),
            "no {module}"
        );
        for import in *imports {
            assert!(used(module, import), "{module} no longer imports {import}");
        }
    }
    for (path, name) in ALLOWED.iter().chain(WAITING) {
        let mut source = sources.iter().filter(|source| source.path == *path);
        let code = source.next().map(|source| source.code.join("\n"));
        assert!(
            code.is_some_and(|code| code.contains(name)),
            "{path} no longer names {name}"
        );
    }
}

/// Writes the page with `BLESS=1`.
#[test]
fn every_invariant_has_somebody_who_would_notice() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).expect("it is there");
    let (all, mut faults) = invariants::gather(&sources(), &read("ci/weaken.py"));
    faults.extend(invariants::unnoticed(&all));
    assert!(all.len() > 50, "the invariants are not where they were");
    let page = invariants::page(&all);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(root.join(invariants::PAGE), &page).expect("a page that can be written");
    }
    if read(invariants::PAGE) != page {
        faults.push("the page is old: BLESS=1 cargo test --test tidy".to_owned());
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
