//! The numbered invariants of the kernel and of the proposer's seam: each has one meaning and
//! somebody who would notice if it did not hold, and a page says who.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::source::{Source, is_word};

/// The page that says who.
pub const PAGE: &str = "docs/invariants.md";

const OPENER: &str = "\
# Invariants, and who would notice

The numbered invariants of the kernel and of the proposer's seam, as the files that keep them
state them, with the loom models and the tests that name them, the sources that assert them while
they run, and the traps that `ci/weaken.py` springs: with each, one of the models fails. Written by
`BLESS=1 cargo test --test tidy`, which fails if a number has two meanings or none, or nobody
names it.
";

/// Invariants that no model, test or assertion names, and what holds them instead.
const OTHERWISE: &[(&str, &str)] = &[
    (
        "B1",
        "the instruction adds nothing to a word of its own stack",
    ),
    ("B2", "the standard library's documentation promises it"),
    (
        "B4",
        "`tests/many_tables.rs`, under the sanitizer, too (`ci/sanitizer.sh`)",
    ),
    ("R4", "the borrow checker: a reading borrows its hold"),
    (
        "T2",
        "an index makes its entries with its own position, in one place",
    ),
    (
        "V7",
        "a node is made with its type's shape, which is a constant of the type",
    ),
];

/// What is known of an invariant.
#[derive(Default)]
pub struct Invariant {
    file: String,
    says: String,
    /// Models and tests that name it in their documentation.
    shown: Vec<String>,
    /// Sources that assert it by its number.
    asserted: Vec<String>,
    /// Traps of ci/weaken.py that break it.
    traps: Vec<String>,
}

/// By their numbers, in order.
pub type Invariants = BTreeMap<Number, Invariant>;

/// A letter and a number, as in V4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number(char, u8);

impl Number {
    fn of(word: &str) -> Option<Self> {
        let letter = word.chars().next().filter(char::is_ascii_uppercase)?;
        let digits = &word[1..];
        let is_short = matches!(digits.len(), 1 | 2);
        let number = digits.parse().ok().filter(|_| is_short)?;
        Some(Self(letter, number))
    }

    /// Those that a text names.
    fn named(text: &str) -> impl Iterator<Item = Self> + '_ {
        let words = text.split(|character| !is_word(character));
        words.filter(|word| !word.is_empty()).filter_map(Self::of)
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.0, self.1)
    }
}

/// What a module's documentation says: number and text, with the line.
fn stated(source: &Source) -> Vec<(usize, Number, String)> {
    let mut found: Vec<(usize, Number, String)> = Vec::new();
    let mut open = false;
    for (at, line) in source.lines.iter().enumerate() {
        let item = line.strip_prefix("//! - ");
        let item = item.and_then(|item| item.split_once(": "));
        let numbered = item.and_then(|(word, text)| Some((Number::of(word)?, text)));
        if let Some((number, text)) = numbered {
            found.push((at, number, text.to_owned()));
            open = true;
        } else if let Some(more) = line.strip_prefix("//!   ")
            && open
        {
            let (_, _, text) = found.last_mut().expect("one is open");
            text.push(' ');
            text.push_str(more);
        } else {
            open = false;
        }
    }
    found
}

/// The tests of a source, by name, with their documentation.
fn tests(source: &Source) -> Vec<(String, String)> {
    let is_test = |at: &usize| source.code[*at].trim() == "#[test]";
    let marks = (0..source.lines.len()).filter(is_test);
    let test = |at: usize| {
        let above = source.lines[..at].iter().rev().map(|line| line.trim());
        let mut above: Vec<&str> = above.map_while(|line| line.strip_prefix("///")).collect();
        above.reverse();
        let below = source.code[at + 1..].iter();
        let name = below
            .filter_map(|code| code.trim().strip_prefix("fn "))
            .next()?;
        let name = name.split('(').next()?;
        Some((name.to_owned(), above.join(" ")))
    };
    marks.filter_map(test).collect()
}

/// Whether a source keeps numbered invariants.
fn is_numbered(source: &Source) -> bool {
    source.is_below("src/kernel/") || source.is_below("src/propose/")
}

fn is_model(source: &Source) -> bool {
    source.is_below("loom-tests/src/models/")
}

/// The same as `file`, for who knows where it is.
fn short(path: &str) -> &str {
    let path = path.strip_prefix("loom-tests/src/models/").unwrap_or(path);
    let path = path.strip_prefix("src/kernel/").unwrap_or(path);
    path.trim_end_matches(".rs").trim_end_matches("/mod")
}

/// All invariants with who names them, and what is wrong with the naming.
pub fn gather(sources: &[Source], weaken: &str) -> (Invariants, Vec<String>) {
    let (mut all, mut faults) = (Invariants::new(), Vec::new());
    for source in sources.iter().filter(|source| is_numbered(source)) {
        for (at, number, says) in stated(source) {
            let invariant = Invariant {
                file: source.path.clone(),
                says,
                ..Invariant::default()
            };
            if let Some(other) = all.insert(number, invariant) {
                faults.push(source.fault(at, format!("{number} is one of {} already", other.file)));
            }
        }
    }
    for source in sources.iter().filter(|it| is_numbered(it) || is_model(it)) {
        for (at, comment) in source.comments.iter().enumerate() {
            let unknown = Number::named(comment).filter(|number| !all.contains_key(number));
            faults.extend(unknown.map(|number| source.fault(at, format!("there is no {number}"))));
        }
        note_users(source, &mut all);
    }
    for line in weaken.lines() {
        let name = line
            .trim()
            .strip_prefix('"')
            .and_then(|line| line.strip_suffix("\","));
        let trap = name.and_then(|name| name.split_once(": "));
        let Some((number, what)) = trap.and_then(|(word, what)| Some((Number::of(word)?, what)))
        else {
            continue;
        };
        match all.get_mut(&number) {
            Some(invariant) => invariant.traps.push(what.to_owned()),
            None => faults.push(format!("ci/weaken.py: there is no {number}: {what}")),
        }
    }
    (all, faults)
}

fn note_users(source: &Source, all: &mut Invariants) {
    for (name, documentation) in tests(source) {
        let test = format!("`{}::{name}`", short(&source.path).replace('/', "::"));
        for number in Number::named(&documentation) {
            if let Some(invariant) = all.get_mut(&number) {
                invariant.shown.push(test.clone());
            }
        }
    }
    for line in &source.lines[..source.tests_from] {
        let quoted = line
            .split('"')
            .nth(1)
            .and_then(|text| text.split_once(": "));
        let number = quoted.and_then(|(word, _)| Number::of(word));
        let file = format!("`{}`", short(&source.path));
        if let Some(invariant) = number.and_then(|number| all.get_mut(&number))
            && !invariant.asserted.contains(&file)
        {
            invariant.asserted.push(file);
        }
    }
}

/// Those that nobody would miss, and those that are said to be such and are not.
pub fn unnoticed(all: &Invariants) -> Vec<String> {
    let otherwise = |number: &Number| {
        OTHERWISE
            .iter()
            .any(|(name, _)| *name == number.to_string())
    };
    let bare = all
        .iter()
        .filter(|(number, it)| it.shown.is_empty() && it.asserted.is_empty() && !otherwise(number));
    let mut faults: Vec<String> = bare
        .map(|(number, it)| format!("{}: {number}: no model or test names it", it.file))
        .collect();
    for (name, _) in OTHERWISE {
        let known = Number::of(name).and_then(|number| all.get(&number));
        if known.is_none_or(|it| !it.shown.is_empty() || !it.asserted.is_empty()) {
            faults.push(format!(
                "{name}: take it off the list of those that nobody names"
            ));
        }
    }
    faults
}

/// The page.
pub fn page(all: &Invariants) -> String {
    let mut page = OPENER.to_owned();
    let mut files: Vec<(&str, Vec<(&Number, &Invariant)>)> = Vec::new();
    for (number, invariant) in all {
        match files.iter_mut().find(|(file, _)| *file == invariant.file) {
            Some((_, own)) => own.push((number, invariant)),
            None => files.push((&invariant.file, vec![(number, invariant)])),
        }
    }
    for (file, own) in files {
        let _ = write!(
            page,
            "\n## {file}\n\n| invariant | who would notice |\n|---|---|\n"
        );
        for (number, it) in own {
            let says = it
                .says
                .replace("[`", "`")
                .replace("`]", "`")
                .replace('|', "\\|");
            let _ = writeln!(page, "| {number}: {says} | {} |", who(number, it));
        }
    }
    page
}

fn who(number: &Number, it: &Invariant) -> String {
    let mut words = Vec::new();
    if !it.shown.is_empty() {
        words.push(it.shown.join(", "));
    }
    if !it.asserted.is_empty() {
        words.push(format!("asserted in {}", it.asserted.join(", ")));
    }
    if !it.traps.is_empty() {
        words.push(format!("trap: {}", it.traps.join("; ")));
    }
    let name = number.to_string();
    let otherwise = OTHERWISE.iter().filter(|(of, _)| *of == name);
    words.extend(otherwise.map(|(_, why)| (*why).to_owned()));
    words.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATED: &str = "//! - X1: a list\n//!   grows.\n//! - no number: nothing.\n";

    fn faults(kernel: &str, model: &str, weaken: &str) -> Vec<String> {
        let sources = [
            Source::new("src/kernel/a.rs", kernel),
            Source::new("loom-tests/src/models/a.rs", model),
        ];
        let (all, mut faults) = gather(&sources, weaken);
        let otherwise = |fault: &String| fault.ends_with("nobody names");
        faults.extend(
            unnoticed(&all)
                .into_iter()
                .filter(|fault| !otherwise(fault)),
        );
        faults
    }

    #[test]
    fn a_number_that_a_model_names_is_noticed() {
        let model = "/// X1: two at once.\n#[test]\nfn two() {}\n";
        assert_eq!(faults(STATED, model, ""), Vec::<String>::new());
        let (all, _) = gather(
            &[
                Source::new("src/kernel/a.rs", STATED),
                Source::new("loom-tests/src/models/a.rs", model),
            ],
            "    \"X1: it shrinks\",\n",
        );
        let row = "| X1: a list grows. | `a::two`; trap: it shrinks |";
        assert!(page(&all).lines().any(|line| line == row), "{}", page(&all));
    }

    #[test]
    fn so_is_one_that_is_asserted() {
        let asserts = format!("{STATED}fn a() {{\n    assert!(true, \"X1: it shrinks\");\n}}\n");
        assert_eq!(faults(&asserts, "", ""), Vec::<String>::new());
    }

    #[test]
    fn a_number_that_nobody_names_is_refused() {
        for model in [
            "",
            "/// Two at once.\n#[test]\nfn two() {}\n",
            "/// X1.\nfn two() {}\n",
        ] {
            assert_eq!(faults(STATED, model, "").len(), 1, "{model}");
        }
    }

    #[test]
    fn a_number_with_two_meanings_or_none_is_refused() {
        let model = "/// X1.\n#[test]\nfn two() {}\n";
        let twice = format!("{STATED}//! - X1: something else.\n");
        assert_eq!(faults(&twice, model, "").len(), 1);
        let unknown = format!("{model}// SAFETY: X2: it stands.\n");
        assert_eq!(faults(STATED, &unknown, "").len(), 1);
        assert_eq!(faults(STATED, model, "    \"X3: it falls\",\n").len(), 1);
    }
}
