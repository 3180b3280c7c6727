//! Style as a test: what the project asks of its sources beyond what the compiler and its lints
//! see. Each rule is a function from a source to its faults, and has a test that it can fail.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Lines of a file are fewer.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function are fewer.
const FUNCTION_LINES_MAX: usize = 70;
/// Columns of a line at most.
const COLUMNS_MAX: usize = 100;

/// Where sources are.
const ROOTS: [&str; 9] = [
    "src",
    "derive",
    "crates",
    "loom-tests",
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
    ("kernel", &["id", "sync", "version"]),
    ("error", &["table::value", "version"]),
    // What a query reads is noted in the transaction's read set: the one look upward.
    (
        "table",
        &["error::Duplicate", "id", "kernel", "txn::reads", "version"],
    ),
    ("shared", &["kernel", "sync", "table::schema"]),
    (
        "txn",
        &["error", "kernel", "shared", "sync", "table", "version"],
    ),
    (
        "watch",
        &["error", "kernel", "shared", "sync", "table", "version"],
    ),
    ("snapshot", &["kernel", "shared", "table", "version"]),
    (
        "store",
        &[
            "error", "kernel", "shared", "snapshot", "sync", "table", "txn", "version", "watch",
        ],
    ),
];

/// What one file may name that no other may.
const ALLOWED: &[(&str, &str)] = &[
    // Each thread draws its random numbers from a stock of its own.
    ("src/id.rs", "thread_local!"),
    // The threads of a loom model are one thread of the system, whose list of freed objects this is.
    ("src/kernel/reclaim.rs", "thread_local!"),
    // The hook of the progress tests, there with the feature `failpoints` only.
    ("src/kernel/step.rs", "OnceLock"),
];

const ORDERINGS: [&str; 5] = ["Relaxed", "Acquire", "Release", "AcqRel", "SeqCst"];
const LOCKS: [&str; 8] = [
    "Mutex", "RwLock", "Condvar", "Once", "OnceLock", "LazyLock", "Barrier", "mpsc",
];

/// A source, split into what the compiler reads and what a person reads; texts in quotes are
/// neither. All three have the same lines.
struct Source {
    path: String,
    lines: Vec<String>,
    code: Vec<String>,
    comments: Vec<String>,
    /// The innermost bracket that is open where each line begins.
    within: Vec<Option<char>>,
    /// From this line on it is a test module.
    tests_from: usize,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let (code, comments) = split(text);
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (lines, code, comments) = (lines(text), lines(&code), lines(&comments));
        let mut open = Vec::new();
        let mut within = Vec::new();
        for line in &code {
            within.push(open.last().copied());
            for bracket in line.chars() {
                match bracket {
                    '(' | '[' | '{' => open.push(bracket),
                    ')' | ']' | '}' => drop(open.pop()),
                    _ => {}
                }
            }
        }
        let begins = |pair: &[String]| {
            let gate = pair[0].starts_with("#[cfg(test)]") || pair[0].starts_with("#[cfg(all(test");
            gate && pair[1].starts_with("mod ") && pair[1].ends_with('{')
        };
        let tests_from = match path.starts_with("tests/") || path.contains("/tests") {
            true => 0,
            false => code.windows(2).position(begins).unwrap_or(code.len()),
        };
        Self {
            path: path.to_owned(),
            lines,
            code,
            comments,
            within,
            tests_from,
        }
    }

    fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    fn fault(&self, line: usize, what: impl std::fmt::Display) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }

    /// The numbers and the code of lines, without those of tests.
    fn shipped(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code
            .iter()
            .map(String::as_str)
            .enumerate()
            .take(self.tests_from)
    }

    /// The top module below `src` that it is of.
    fn module(&self) -> Option<&str> {
        let path = self.path.strip_prefix("src/")?;
        let module = path.split('/').next()?.trim_end_matches(".rs");
        (module != "lib").then_some(module)
    }

    /// The first line of the statement (or match arm) that a line is of.
    fn statement(&self, line: usize) -> usize {
        let mut first = line;
        while let Some(above) = first.checked_sub(1) {
            let code = self.code[above].trim_end();
            let listed = matches!(self.within[first], Some('(' | '['));
            let ended = code.ends_with([';', '{', '}']) || (code.ends_with(',') && !listed);
            if ended || (code.is_empty() && self.comments[above].trim().is_empty()) {
                break;
            }
            first = above;
        }
        first
    }

    /// Whether a comment on the statement of a line, or above it, begins with one of the words.
    fn is_argued(&self, line: usize, words: &[String]) -> bool {
        let comments = &self.comments[self.statement(line)..=line];
        comments.iter().any(|comment| {
            let comment = comment.trim().trim_start_matches('/').trim_start();
            words.iter().any(|word| comment.starts_with(word))
        })
    }
}

/// Code and comments of a text, each with blanks for the other; quoted texts are blank in both.
fn split(text: &str) -> (String, String) {
    let characters: Vec<char> = text.chars().collect();
    let (mut code, mut comments) = (String::new(), String::new());
    let mut at = 0;
    while at < characters.len() {
        let rest = &characters[at..];
        let (length, is_comment) = match rest {
            ['/', '/', ..] => (line_length(rest), true),
            ['"', ..] => (quoted_length(rest), false),
            ['r', '"' | '#', ..]
                if !at.checked_sub(1).is_some_and(|at| is_word(characters[at])) =>
            {
                (raw_length(rest), false)
            }
            ['\'', '\\', ..] => (
                3 + rest[3..].iter().take_while(|c| **c != '\'').count() + 1,
                false,
            ),
            ['\'', _, '\'', ..] => (3, false),
            _ => (0, false),
        };
        for character in &rest[..length.min(rest.len())] {
            let blank = if *character == '\n' { '\n' } else { ' ' };
            code.push(blank);
            comments.push(if is_comment { *character } else { blank });
        }
        if length == 0 {
            code.push(rest[0]);
            comments.push(if rest[0] == '\n' { '\n' } else { ' ' });
        }
        at += length.max(1);
    }
    (code, comments)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn line_length(rest: &[char]) -> usize {
    rest.iter()
        .take_while(|character| **character != '\n')
        .count()
}

fn quoted_length(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != '"' {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// 0 if it is a raw name.
fn raw_length(rest: &[char]) -> usize {
    let hashes = rest[1..]
        .iter()
        .take_while(|character| **character == '#')
        .count();
    if rest.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let end: Vec<char> = std::iter::once('"')
        .chain((0..hashes).map(|_| '#'))
        .collect();
    let body = rest[2 + hashes..]
        .windows(end.len())
        .position(|window| window == end);
    2 + hashes + body.unwrap_or(rest.len()) + end.len()
}

/// Where a word or a path stands in code, not as a part of a longer word.
fn positions<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| {
            let before = code[..*at].chars().next_back();
            let after = code[at + word.len()..].chars().next();
            !before.is_some_and(|c| is_word(c) || c == '$') && !after.is_some_and(is_word)
        })
}

fn names(code: &str, word: &str) -> bool {
    positions(code, word).next().is_some()
}

/// The path that begins at a place in code.
fn path_at(code: &str, at: usize) -> &str {
    let rest = &code[at..];
    let end = rest
        .find(|c: char| !is_word(c) && c != ':')
        .unwrap_or(rest.len());
    &rest[..end]
}

type Rule = fn(&Source) -> Vec<String>;
const RULES: [Rule; 11] = [
    opens_with_what_it_is,
    is_small,
    functions_are_small,
    keeps_no_leftovers,
    imports_point_down,
    unsafe_is_walled_in,
    unsafe_is_argued,
    names_the_door,
    takes_no_locks,
    orderings_are_argued,
    seqcst_is_for_fences,
];

fn opens_with_what_it_is(source: &Source) -> Vec<String> {
    let first = source.lines.first().map_or("", String::as_str);
    // The root's opener is the README.
    let opens = first.starts_with("//! ") || first.starts_with("#![doc = include_str!(");
    let fault = || source.fault(0, "open the file with `//!`: what it is");
    (!opens).then(fault).into_iter().collect()
}

fn is_small(source: &Source) -> Vec<String> {
    let count = source.lines.len();
    let long = (count >= FILE_LINES_MAX).then(|| {
        source.fault(
            count - 1,
            format_args!("{count} lines: two subjects, two files"),
        )
    });
    let lines = source
        .lines
        .iter()
        .map(|line| line.chars().count())
        .enumerate();
    let wide = lines.filter(|(_, columns)| *columns > COLUMNS_MAX);
    let wide = wide.map(|(at, columns)| source.fault(at, format_args!("{columns} columns")));
    long.into_iter().chain(wide).collect()
}

fn functions_are_small(source: &Source) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut faults = Vec::new();
    for (at, line) in source.code.iter().enumerate() {
        let head = line.split('(').next().unwrap_or_default();
        if !names(head, "fn") || names(head, "type") || line.trim_end().ends_with(';') {
            continue;
        }
        let closes =
            |code: &&String| indent(code) == indent(line) && code.trim_start().starts_with('}');
        let body = source.code[at + 1..].iter();
        let length = body.take_while(|code| !closes(code)).count() + 2;
        if !line.trim_end().ends_with('}') && length >= FUNCTION_LINES_MAX {
            faults.push(source.fault(at, format_args!("a function of {length} lines")));
        }
    }
    faults
}

fn keeps_no_leftovers(source: &Source) -> Vec<String> {
    let lines = source.code.iter().zip(&source.comments).enumerate();
    let bad = lines.filter(|(_, (code, comment))| {
        ["TODO", "FIXME", "XXX", "```ignore"]
            .iter()
            .any(|word| comment.contains(word))
            || ["todo!", "unimplemented!", "dbg!", "#[ignore"]
                .iter()
                .any(|word| code.contains(word))
    });
    bad.map(|(at, _)| source.fault(at, "done or an issue, not left over"))
        .collect()
}

/// The row of a module, and where its entries begin in the whole table.
fn allowed(module: &str) -> Option<&'static [&'static str]> {
    let row = IMPORTS.iter().find(|(name, _)| *name == module);
    row.map(|(_, imports)| *imports)
}

fn is_below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The paths of the crate that a line names: without `crate::`.
fn crate_paths(code: &str) -> impl Iterator<Item = &str> {
    positions(code, "crate").filter_map(|at| path_at(code, at).strip_prefix("crate::"))
}

fn imports_point_down(source: &Source) -> Vec<String> {
    let Some(module) = source.module() else {
        return Vec::new();
    };
    let Some(allowed) = allowed(module) else {
        return vec![source.fault(
            0,
            format_args!("the table of imports does not know {module}"),
        )];
    };
    let mut faults = Vec::new();
    let folded = source.path.ends_with("/mod.rs") || source.path.matches('/').count() == 1;
    let depth =
        source.path.matches('/').count() - usize::from(folded && source.path.contains("/mod"));
    for (at, code) in source.code.iter().enumerate() {
        for path in crate_paths(code) {
            let known = is_below(path, module) || allowed.iter().any(|name| is_below(path, name));
            if !known {
                faults.push(source.fault(at, format_args!("{module} may not import {path:?}")));
            }
        }
        let above = "super::".repeat(depth.max(1));
        if code.contains(&above) && at < source.tests_from {
            faults.push(source.fault(at, "name the crate's modules from `crate::`"));
        }
    }
    faults
}

fn unsafe_is_walled_in(source: &Source) -> Vec<String> {
    let walled = source.is_below("src/") && !source.is_below("src/kernel/");
    let root = source.path.ends_with("src/main.rs") || source.path.ends_with("src/lib.rs");
    let program = source.is_below("derive/") || source.is_below("crates/");
    let top = source.path.matches('/').count() == 1 || source.path.ends_with("/mod.rs");
    let opens = (walled && top && source.path != "src/lib.rs") || (program && root);
    let mut faults = Vec::new();
    if opens
        && !source
            .code
            .iter()
            .any(|code| code == "#![forbid(unsafe_code)]")
    {
        faults.push(source.fault(0, "open the module with #![forbid(unsafe_code)]"));
    }
    let lines = source.code.iter().enumerate();
    let unsafes = lines.filter(|(_, code)| (walled || program) && names(code, "unsafe"));
    faults.extend(unsafes.map(|(at, _)| source.fault(at, "unsafe outside of the kernel")));
    faults
}

fn unsafe_is_argued(source: &Source) -> Vec<String> {
    let lines = source.code.iter().enumerate();
    let blocks = lines.filter(|(_, code)| {
        let mut found = positions(code, "unsafe").map(|at| code[at + 6..].trim_start());
        found.any(|rest| rest.starts_with('{') || rest.starts_with("impl"))
    });
    let bare = blocks.filter(|(at, _)| !source.is_argued(*at, &["SAFETY:".to_owned()]));
    bare.map(|(at, _)| source.fault(at, "say above why it is sound: SAFETY"))
        .collect()
}

fn is_allowed(source: &Source, name: &str) -> bool {
    ALLOWED.contains(&(source.path.as_str(), name))
}

fn names_the_door(source: &Source) -> Vec<String> {
    if !source.is_below("src/") || source.path == "src/sync.rs" {
        return Vec::new();
    }
    let other = |path: &str| {
        let name = path
            .strip_prefix("std::sync::")
            .or(path.strip_prefix("core::sync::"));
        let thread = is_below(path, "std::thread") || path.starts_with("loom::");
        let name = name.map(|name| name.split("::").next().unwrap_or_default());
        thread || name.is_some_and(|name| name != "Arc" && !is_allowed(source, name))
    };
    let bad = source.shipped().filter(|(_, code)| {
        let mut starts = ["std", "core", "loom"]
            .into_iter()
            .flat_map(|root| positions(code, root));
        let local = code.contains("thread_local!") && !is_allowed(source, "thread_local!");
        local || starts.any(|at| other(path_at(code, at)))
    });
    bad.map(|(at, _)| source.fault(at, "atomics and threads come through crate::sync"))
        .collect()
}

fn takes_no_locks(source: &Source) -> Vec<String> {
    let lock = |code: &str| {
        LOCKS
            .into_iter()
            .find(|lock| names(code, lock) && !is_allowed(source, lock))
    };
    let found = source.shipped().filter(|_| source.is_below("src/"));
    let found = found.filter_map(|(at, code)| Some((at, lock(code)?)));
    found
        .map(|(at, lock)| source.fault(at, format_args!("{lock} waits for another thread")))
        .collect()
}

/// The orderings that lines of code name.
fn orderings(code: &[String]) -> Vec<String> {
    let named = ORDERINGS.iter().filter(|ordering| {
        let path = format!("Ordering::{ordering}");
        code.iter().any(|code| names(code, &path))
    });
    named.map(|ordering| format!("{ordering}:")).collect()
}

fn orderings_are_argued(source: &Source) -> Vec<String> {
    let bare = source.shipped().filter(|(at, code)| {
        let named = !orderings(&[(*code).to_owned()]).is_empty();
        let own = || orderings(&source.code[source.statement(*at)..=*at]);
        source.is_below("src/") && named && !source.is_argued(*at, &own())
    });
    bare.map(|(at, _)| source.fault(at, "argue the ordering above, its name first"))
        .collect()
}

fn seqcst_is_for_fences(source: &Source) -> Vec<String> {
    let bad = source.shipped().filter(|(_, code)| {
        source.is_below("src/") && names(code, "Ordering::SeqCst") && !names(code, "fence")
    });
    bad.map(|(at, _)| source.fault(at, "loom models SeqCst in fences only"))
        .collect()
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
    for (path, name) in ALLOWED {
        let mut source = sources.iter().filter(|source| source.path == *path);
        let code = source.next().map(|source| source.code.join("\n"));
        assert!(
            code.is_some_and(|code| code.contains(name)),
            "{path} no longer names {name}"
        );
    }
}
