//! What the documents say that is shown by a test is: the tests that they name are there, and so
//! are the files and charts that they lead to.

use std::path::{Path, PathBuf};

/// Folders of tests that documents name by file and function.
const FOLDERS: [&str; 2] = ["tests", "crates/skep-serde-tests/tests"];

/// The `file::name` in code spans of a text whose name is a function's, and whose file is one of
/// tests or, so that none is passed over whose file has another name now, whose name says so.
fn named_tests<'t>(text: &'t str, root: &Path) -> Vec<(&'t str, &'t str)> {
    let spans = text.split('`').skip(1).step_by(2);
    let named = spans.filter_map(|span| span.split_once("::"));
    let is_file = |file: &str| root.join(format!("tests/{file}.rs")).is_file();
    let is_test = |(file, name): &(&str, &str)| {
        let is_function = name.starts_with(char::is_lowercase);
        is_function && (is_file(file) || name.matches('_').count() > 2)
    };
    named.filter(is_test).collect()
}

#[test]
fn the_tests_that_documents_name_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (page, at_least) in [("docs/swarmkit.md", 60), ("docs/limits.md", 15)] {
        let document = std::fs::read_to_string(root.join(page)).expect("it is there");
        let named = named_tests(&document, root);
        assert!(named.len() > at_least, "only {} are found", named.len());
        for (file, name) in named {
            let paths = FOLDERS.map(|folder| root.join(folder).join(format!("{file}.rs")));
            let sources = paths
                .iter()
                .filter_map(|it| std::fs::read_to_string(it).ok());
            let test = format!("#[test]\nfn {name}()");
            let found = sources.into_iter().any(|source| source.contains(&test));
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

/// A command of a document's: of `cargo test`, or what follows one.
struct Command<'t> {
    package: &'t str,
    files: Vec<&'t str>,
    lib: bool,
    /// What the tests are asked for by, if not all of them are.
    filters: Vec<&'t str>,
}

impl<'t> Command<'t> {
    fn of_span(span: &'t str) -> Option<Self> {
        let rest = span.strip_prefix("cargo test ");
        let rest = rest.or_else(|| span.starts_with("--test ").then_some(span))?;
        let mut command = Self {
            package: "skep",
            files: vec![],
            lib: false,
            filters: vec![],
        };
        let mut words = rest.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "-p" => command.package = words.next()?,
                "--test" => command.files.push(words.next()?.trim_matches('\'')),
                "--features" => _ = words.next()?,
                "--lib" => command.lib = true,
                option if option.starts_with('-') => {}
                filter => command.filters.push(filter),
            }
        }
        Some(command)
    }

    /// The names of the tests that it runs, without its filters.
    fn tests(&self, root: &Path) -> Vec<String> {
        let mut package = root.join(folder_of(self.package));
        let all = self.files.is_empty();
        let mut names = vec![];
        if self.lib || all {
            collect(&package.join("src"), "", &mut names);
        }
        package.push("tests");
        collect(&package, "", &mut names);
        let is_of = |name: &String, file: &str| match file.strip_suffix('*') {
            Some(begin) => name.starts_with(begin),
            None => name.split("::").next() == Some(file),
        };
        let is_run = |name: &String| all || self.lib || self.files.iter().any(|it| is_of(name, it));
        names.retain(is_run);
        names
    }
}

fn folder_of(package: &str) -> String {
    match package {
        "skep" => String::new(),
        "skep-benches" => "benches".to_owned(),
        "loom-tests" | "shuttle-tests" => package.to_owned(),
        package => format!("crates/{package}"),
    }
}

/// The functions of the sources in a folder, each with the path of its module.
fn collect(folder: &Path, module: &str, names: &mut Vec<String>) {
    for file in std::fs::read_dir(folder).expect("it is there") {
        let path = file.expect("readable").path();
        let stem = path.file_stem().expect("it has a name").to_string_lossy();
        let module = format!("{module}{stem}::");
        if path.is_dir() {
            collect(&path, &module, names);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let source = std::fs::read_to_string(&path).expect("a source");
            let functions = source.split("fn ").skip(1);
            let named = functions.filter_map(|rest| rest.split_once('(').map(|(name, _)| name));
            names.extend(named.map(|name| format!("{module}{name}")));
        }
    }
}

/// All documents, each with its text.
fn pages(root: &Path) -> impl Iterator<Item = (PathBuf, String)> {
    let mut pages: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"]
        .map(|page| root.join(page))
        .into();
    let docs = std::fs::read_dir(root.join("docs")).expect("it is there");
    pages.extend(docs.map(|page| page.expect("readable").path()));
    pages.retain(|page| page.is_file());
    pages.into_iter().map(|page| {
        let text = std::fs::read_to_string(&page).expect("a text");
        (page, text)
    })
}

/// Fewer links are a sign that they are not found.
const LINKS_MIN: usize = 40;

#[test]
fn the_files_that_documents_lead_to_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut links = 0;
    for (page, text) in pages(root) {
        let folder = page.parent().expect("in a folder");
        let targets = text.split("](").skip(1);
        let targets = targets.filter_map(|rest| Some(rest.split_once(')')?.0));
        // Neither addresses nor, in what rustdoc shows as well, paths of items.
        for target in targets.filter(|target| !target.contains(':')) {
            let file = target.split('#').next().unwrap_or(target);
            let is_there = file.is_empty() || folder.join(file).exists();
            assert!(is_there, "{} leads to {target}", page.display());
            links += 1;
        }
    }
    assert!(links > LINKS_MIN, "only {links} are found");
}

/// Cargo is content with a filter that no test meets.
#[test]
fn the_commands_that_documents_tell_find_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut commands = 0;
    for (page, text) in pages(root) {
        let spans = text.split('`').skip(1).step_by(2);
        for (span, command) in spans.filter_map(|span| Some((span, Command::of_span(span)?))) {
            let tests = command.tests(root);
            let page = page.display();
            assert!(!tests.is_empty(), "{page}: no tests of {span}");
            for filter in &command.filters {
                let last = filter.rsplit("::").next().expect("there is one");
                let found = tests.iter().any(|name| name.contains(last));
                assert!(found, "{page}: no test is found by {span}");
            }
            commands += 1;
        }
    }
    assert!(commands > 80, "only {commands} are found");
}
