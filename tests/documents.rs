//! What the documents say that is shown by a test is: the tests that they name are there.

use std::path::Path;

/// The `file::name` in code spans of a text whose file is one of tests, and whose name is a
/// function's.
fn named_tests<'t>(text: &'t str, tests: &Path) -> Vec<(&'t str, &'t str)> {
    let spans = text.split('`').skip(1).step_by(2);
    let named = spans.filter_map(|span| span.split_once("::"));
    let is_test = |(file, name): &(&str, &str)| {
        name.starts_with(char::is_lowercase) && tests.join(format!("{file}.rs")).is_file()
    };
    named.filter(is_test).collect()
}

#[test]
fn the_tests_that_documents_name_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = root.join("tests");
    for (page, at_least) in [("docs/swarmkit.md", 60), ("docs/limits.md", 15)] {
        let document = std::fs::read_to_string(root.join(page)).expect("it is there");
        let named = named_tests(&document, &tests);
        assert!(named.len() > at_least, "only {} are found", named.len());
        for (file, name) in named {
            let source = std::fs::read_to_string(tests.join(format!("{file}.rs")));
            let source = source.expect("a test that can be read");
            let found = source.contains(&format!("#[test]\nfn {name}()"));
            assert!(found, "{page} names {file}::{name}");
        }
    }
}

/// Each of the fifty features has its row.
#[test]
fn every_feature_has_its_row() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/swarmkit.md")).expect("it is there");
    for number in 1..=50 {
        let row = document
            .lines()
            .filter(|line| line.starts_with(&format!("| {number} |")));
        let row: Vec<&str> = row.collect();
        assert_eq!(row.len(), 1, "{number}");
        assert_eq!(row[0].matches(" | ").count(), 4, "{number}: five columns");
        assert!(row[0].contains("::"), "{number}: what shows it");
    }
}
