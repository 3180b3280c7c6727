//! What is wrong with the input, on one line: file, line, column, value, what to do.

use std::fmt;
use std::path::Path;

/// How much of a bad value a message repeats, in characters.
const VALUE_CHARS_MAX: usize = 60;

/// A fault of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputError {
    file: String,
    line: Option<u64>,
    column: Option<String>,
    value: Option<String>,
    problem: String,
}

impl InputError {
    /// A fault of the file as a whole.
    pub fn file(path: &Path, problem: impl Into<String>) -> Self {
        let file = one_line(&path.to_string_lossy(), usize::MAX);
        Self {
            file,
            line: None,
            column: None,
            value: None,
            problem: escaped(&problem.into(), char::is_control),
        }
    }

    /// A fault of one line.
    pub fn line(path: &Path, line: u64, problem: impl Into<String>) -> Self {
        Self {
            line: Some(line),
            ..Self::file(path, problem)
        }
    }

    /// A fault of one column of one line. `value` is what stands there, if anything does.
    pub fn column(
        path: &Path,
        line: u64,
        column: &str,
        value: Option<&[u8]>,
        problem: impl Into<String>,
    ) -> Self {
        Self {
            column: Some(one_line(column, VALUE_CHARS_MAX)),
            value: value.map(|bytes| one_line(&String::from_utf8_lossy(bytes), VALUE_CHARS_MAX)),
            ..Self::line(path, line, problem)
        }
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = &self.column {
            write!(f, ": column {column}")?;
        }
        if let Some(value) = &self.value {
            write!(f, ": \"{value}\"")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl std::error::Error for InputError {}

/// `text` with control characters and quotes escaped, so that it stays on its line, and cut.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let cut = text.chars().count() > chars_max;
    let kept: String = text.chars().take(chars_max).collect();
    let mut shown = escaped(&kept, |character| {
        character.is_control() || character == '"'
    });
    if cut {
        shown.push('…');
    }
    shown
}

/// `text` with some of its characters escaped.
fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_escaped(character) {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_on_one_line_with_its_place() {
        let path = Path::new("pods.csv");
        let error = InputError::column(path, 7, "cpu_milli", Some(b"4\n\"x"), "not a number");
        assert_eq!(
            error.to_string(),
            r#"pods.csv:7: column cpu_milli: "4\n\"x": not a number"#
        );
        assert_eq!(
            InputError::file(path, "not \"there\"\u{1b}").to_string(),
            "pods.csv: not \"there\"\\u{1b}"
        );
    }

    #[test]
    fn a_long_value_is_cut() {
        let shown = one_line(&"é".repeat(100), VALUE_CHARS_MAX);
        assert_eq!(shown.chars().count(), VALUE_CHARS_MAX + 1);
    }
}
