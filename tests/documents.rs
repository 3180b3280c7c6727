//! What the documents say that is shown by a test is: the tests that they name are there.

use std::path::Path;

/// The `file::name` in code spans of a text whose file is one of tests, but for those that are said
/// to be planned.
fn named_tests<'t>(text: &'t str, tests: &Path) -> Vec<(&'t str, &'t str)> {
    let mut before = "";
    let mut named = Vec::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 0 {
            before = part;
        } else if let Some((file, name)) = part.split_once("::")
            && tests.join(format!("{file}.rs")).is_file()
            && !before.ends_with("*planned* ")
        {
            named.push((file, name));
        }
    }
    named
}

#[test]
fn the_tests_that_documents_name_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = root.join("tests");
    let document = std::fs::read_to_string(root.join("docs/swarmkit.md")).expect("it is there");
    let named = named_tests(&document, &tests);
    assert!(named.len() > 60, "only {} are found", named.len());
    for (file, name) in named {
        let source = std::fs::read_to_string(tests.join(format!("{file}.rs")));
        let source = source.expect("a test that can be read");
        let found = source.contains(&format!("#[test]\nfn {name}()"));
        assert!(found, "docs/swarmkit.md names {file}::{name}");
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
