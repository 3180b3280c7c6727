//! A dump's lines, one after the other: each the creation of an object, with its number.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::path::Path;

use serde_json::value::RawValue;
use skep::Action;
use skep::save::Limits;

use super::distinct::Distinct;
use super::dump::Line;
use super::tables::{self, Table};
use crate::input::error::{InputError, one_line};

/// Bytes of JSON for a byte of an object at most: a port of nothing but defaults has 5 bytes and is
/// told in 88, with the comma behind it. A character that has no sign is told in 6 (`\u0001`), a
/// byte as a number in 4.
pub const JSON_BYTES_MAX: u64 = 18;
/// Bytes of a line beside those: its table, its times, and the fields that an object has once.
pub const ONCE_BYTES_MAX: u64 = 64 << 10;
/// How much of a fault of JSON is told, in characters: it may list all fields that there are.
const FAULT_CHARS_MAX: usize = 200;

/// Bytes of a line at most: whatever is restored can be saved again.
fn line_bytes_max() -> u64 {
    Limits::default().object_bytes_max as u64 * JSON_BYTES_MAX + ONCE_BYTES_MAX
}

/// The creation of a line's object.
pub struct Created {
    /// The line's number, from 1.
    pub number: u64,
    /// The object's table.
    pub table: &'static Table,
    /// The creation.
    pub action: Action,
}

/// Lines of JSON.
pub struct Lines<'p, R> {
    path: &'p Path,
    source: R,
    /// Of the line at hand, from 1.
    number: u64,
    bytes: u64,
    /// Names looked up before: a file has few, and many lines.
    seen: HashMap<String, &'static Table>,
}

impl<'p, R: BufRead> Lines<'p, R> {
    /// Those of a file; `path` is what faults name.
    pub fn new(path: &'p Path, source: R) -> Self {
        Self {
            path,
            source,
            number: 0,
            bytes: 0,
            seen: HashMap::new(),
        }
    }

    /// How many bytes have been read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next line's object; empty lines are passed over, and a byte order mark before the first.
    pub fn next(&mut self) -> Result<Option<Created>, InputError> {
        let mut text = Vec::new();
        loop {
            text.clear();
            let bytes_max = line_bytes_max();
            let mut bounded = (&mut self.source).take(bytes_max + 1);
            let read = bounded.read_until(b'\n', &mut text);
            let cannot = |error: io::Error| format!("it cannot be read: {error}");
            let read = read.map_err(|error| InputError::file(self.path, cannot(error)))? as u64;
            self.number += 1;
            self.bytes += read;
            if read == 0 {
                return Ok(None);
            }
            if read > bytes_max {
                let long = format!("longer than {bytes_max} bytes");
                return Err(self.fault(long));
            }
            // Some editors begin a file with a byte order mark.
            let mark = text
                .strip_prefix(b"\xef\xbb\xbf")
                .filter(|_| self.number == 1);
            let text = mark.unwrap_or(&text).trim_ascii();
            if !text.is_empty() {
                return self.created(text).map(Some);
            }
        }
    }

    fn fault(&self, problem: impl Into<String>) -> InputError {
        InputError::line(self.path, self.number, problem)
    }

    fn created(&mut self, text: &[u8]) -> Result<Created, InputError> {
        let line = serde_json::from_slice::<Line<&RawValue>>(text);
        let line = line.map_err(|error| self.json(&error, 0))?;
        let table = match self.seen.get(&line.table) {
            Some(table) => table,
            None => self.look_up(&line.table)?,
        };
        let object = line.object.get();
        // Where the object begins: its faults are told by their place in the line.
        let begin = object.as_ptr().addr() - text.as_ptr().addr();
        let action = serde_json::from_str::<Distinct>(object).and_then(|_| (table.create)(object));
        let action = action.map_err(|error| self.json(&error, begin))?;
        let action = match line.meta {
            Some(meta) if !meta.is_kept() => {
                return Err(self.fault("a time of its meta is after July 2554: none is kept there"));
            }
            Some(meta) => action.at(meta.created_at, meta.updated_at),
            None => action,
        };
        Ok(Created {
            number: self.number,
            table,
            action,
        })
    }

    fn look_up(&mut self, name: &str) -> Result<&'static Table, InputError> {
        let Some(table) = tables::find(name) else {
            let known = tables::names();
            let shown = one_line(name, 60);
            return Err(self.fault(format!("no table \"{shown}\"; there are {known}")));
        };
        self.seen.insert(name.to_owned(), table);
        Ok(table)
    }

    /// A fault of JSON that begins after so many bytes of the line.
    fn json(&self, error: &serde_json::Error, begin: usize) -> InputError {
        let told = error.to_string();
        // A line is the whole text: its number within that says nothing.
        let place = format!(" at line {} column {}", error.line(), error.column());
        let problem = without_value(told.strip_suffix(&place).unwrap_or(&told));
        let problem = one_line(&problem, FAULT_CHARS_MAX);
        let hint = match error.is_eof() {
            true => "; an object takes one line, and all of it",
            false => "",
        };
        let place = begin + error.column();
        self.fault(format!("{problem} at character {place}{hint}"))
    }
}

/// A fault of JSON as serde tells it, without the value that stands there: it may be a secret in
/// the wrong place.
fn without_value(told: &str) -> Cow<'_, str> {
    const VALUES: [&str; 2] = ["invalid type: ", "invalid value: "];
    const VARIANT: &str = "unknown variant `";
    // What is expected comes last, whatever the value says.
    if let Some(found) = VALUES.iter().find_map(|begin| told.strip_prefix(begin))
        && let Some((found, expected)) = found.rsplit_once(", expected ")
    {
        let kind = found.split(['`', '"']).next().unwrap_or_default();
        return format!("{} in the place of {expected}", kind.trim_end()).into();
    }
    if let Some(rest) = told.strip_prefix(VARIANT) {
        let expected = rest.rsplit_once("`, expected ");
        let expected = expected.map_or("there are none", |(_, expected)| expected);
        return format!("an unknown variant in the place of {expected}").into();
    }
    told.into()
}
