//! Rules about the text: how a file opens, how long things are, what is not left in them.

use crate::source::{Source, names};

/// Lines of a file are fewer.
const FILE_LINES_MAX: usize = 500;
/// Lines of a function are fewer.
const FUNCTION_LINES_MAX: usize = 70;
/// The same of a test, which tells one story from its beginning to its end.
const TEST_LINES_MAX: usize = 80;
/// Columns of a line at most.
const COLUMNS_MAX: usize = 100;

pub fn opens_with_what_it_is(source: &Source) -> Vec<String> {
    let first = source.lines.first().map_or("", String::as_str);
    // The root's opener is the README.
    let opens = first.starts_with("//! ") || first.starts_with("#![doc = include_str!(");
    let fault = || source.fault(0, "open the file with `//!`: what it is");
    (!opens).then(fault).into_iter().collect()
}

fn is_test(source: &Source) -> bool {
    source.path.starts_with("tests/")
}

pub fn is_small(source: &Source) -> Vec<String> {
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

/// In formatted code a function ends where a bracket stands as far in as its head.
pub fn functions_are_small(source: &Source) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut faults = Vec::new();
    for (at, line) in source.code.iter().enumerate() {
        let head = line.split('(').next().unwrap_or_default();
        if !names(head, "fn") || line.trim_end().ends_with([';', '}']) {
            continue;
        }
        let rest = source.code[at + 1..].iter();
        let mut outer = rest
            .enumerate()
            .filter(|(_, code)| !code.trim().is_empty() && indent(code) <= indent(line));
        let end = outer.find(|(_, code)| code.trim_end().ends_with(['}', ';']));
        let length = end.map_or(0, |(end, _)| end + 2);
        let lines_max = if is_test(source) {
            TEST_LINES_MAX
        } else {
            FUNCTION_LINES_MAX
        };
        if length >= lines_max {
            faults.push(source.fault(at, format_args!("a function of {length} lines")));
        }
    }
    faults
}

pub fn keeps_no_leftovers(source: &Source) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{accepts, refuses};

    #[test]
    fn a_file_that_does_not_say_what_it_is_is_refused() {
        refuses(opens_with_what_it_is, "src/a.rs", "use std::fmt;\n");
        refuses(opens_with_what_it_is, "src/a.rs", "");
        accepts(opens_with_what_it_is, "src/a.rs", "//! A.\n");
    }

    #[test]
    fn a_long_file_and_a_wide_line_are_refused() {
        refuses(is_small, "src/a.rs", &"a\n".repeat(FILE_LINES_MAX));
        accepts(is_small, "src/a.rs", &"a\n".repeat(FILE_LINES_MAX - 1));
        refuses(is_small, "src/a.rs", &"é".repeat(COLUMNS_MAX + 1));
        accepts(is_small, "src/a.rs", &"é".repeat(COLUMNS_MAX));
    }

    #[test]
    fn a_long_function_is_refused() {
        let function = |head: &str, lines| format!("{head} {{\n{}}}\n", "    a;\n".repeat(lines));
        let rule = functions_are_small;
        refuses(
            rule,
            "src/a.rs",
            &function("pub fn a()", FUNCTION_LINES_MAX - 2),
        );
        refuses(
            rule,
            "src/a.rs",
            &function("fn a(\n    b: C,\n)", FUNCTION_LINES_MAX - 4),
        );
        accepts(
            rule,
            "src/a.rs",
            &function("pub fn a()", FUNCTION_LINES_MAX - 3),
        );
        accepts(rule, "src/a.rs", &function("struct A", FUNCTION_LINES_MAX));
        let declared = function("trait A", 1) + &function("impl A", FUNCTION_LINES_MAX);
        accepts(
            rule,
            "src/a.rs",
            &format!("fn a(\n    b: C,\n);\n{declared}"),
        );
    }

    #[test]
    fn leftovers_are_refused() {
        for left in [
            "// TODO: a",
            "//! FIXME",
            "todo!()",
            "#[ignore]",
            "/// ```ignore",
            "dbg!(a)",
        ] {
            refuses(keeps_no_leftovers, "src/a.rs", left);
        }
        accepts(
            keeps_no_leftovers,
            "src/a.rs",
            "// We ignore \n let a = \"TODO\";",
        );
    }
}
