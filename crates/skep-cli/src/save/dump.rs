//! Objects as lines of JSON: `{"table":…,"meta":…,"object":…}`.

use std::collections::HashMap;
use std::io::{self, BufRead, Read};
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use skep::save::{Fault, SavedObject};
use skep::{Action, Store, UpdateError, Version};

use super::tables::{self, Table};
use crate::input::error::InputError;

/// Bytes of a line at most: the largest object, every byte as a number with a comma.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Lines that are put into the store at once.
const LINES_AT_ONCE: usize = 10_000;

/// A line.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    table: String,
    #[serde(default)]
    meta: Option<Meta>,
    object: Value,
}

/// What a line says of its object's history. The version is for people: a store counts its own.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    #[serde(default)]
    version: Version,
    created_at: SystemTime,
    updated_at: SystemTime,
}

/// An object's line, with its end.
pub fn line(table: &Table, object: &SavedObject<'_>) -> Result<Vec<u8>, String> {
    let line = Line {
        table: table.name.to_owned(),
        meta: Some(Meta {
            version: object.version,
            created_at: object.created_at,
            updated_at: object.updated_at,
        }),
        object: (table.json)(object.bytes).map_err(|fault: Fault| fault.to_string())?,
    };
    let mut line = serde_json::to_vec(&line).map_err(|error| error.to_string())?;
    line.push(b'\n');
    Ok(line)
}

/// Puts lines into a store, `told` how many bytes have been read after each portion.
pub fn load(
    path: &Path,
    source: impl BufRead,
    store: &Store,
    mut told: impl FnMut(u64),
) -> Result<(), InputError> {
    let mut lines = Lines {
        path,
        source,
        number: 0,
        bytes: 0,
        seen: HashMap::new(),
    };
    loop {
        let mut actions = Vec::new();
        let mut numbers = Vec::new();
        while actions.len() < LINES_AT_ONCE
            && let Some(action) = lines.next()?
        {
            actions.push(action);
            numbers.push(lines.number);
        }
        if actions.is_empty() {
            return Ok(());
        }
        store.apply(&actions).map_err(|error| match error {
            UpdateError::Closure(divergence) => {
                let line = numbers[divergence.position];
                InputError::line(path, line, divergence.cause.to_string())
            }
            error => InputError::file(path, error.to_string()),
        })?;
        told(lines.bytes);
    }
}

struct Lines<'p, R> {
    path: &'p Path,
    source: R,
    /// Of the line at hand, from 1.
    number: u64,
    bytes: u64,
    /// Names looked up before: a file has few, and many lines.
    seen: HashMap<String, &'static Table>,
}

impl<R: BufRead> Lines<'_, R> {
    /// The next line's object; empty lines are passed over.
    fn next(&mut self) -> Result<Option<Action>, InputError> {
        let mut text = Vec::new();
        loop {
            text.clear();
            let mut bounded = (&mut self.source).take(LINE_BYTES_MAX + 1);
            let read = bounded.read_until(b'\n', &mut text);
            let cannot = |error: io::Error| format!("it cannot be read: {error}");
            let read = read.map_err(|error| InputError::file(self.path, cannot(error)))? as u64;
            self.number += 1;
            self.bytes += read;
            if read == 0 {
                return Ok(None);
            }
            if read > LINE_BYTES_MAX {
                let long = format!("longer than {LINE_BYTES_MAX} bytes");
                return Err(self.fault(long));
            }
            let text = text.trim_ascii();
            if !text.is_empty() {
                return self.action(text).map(Some);
            }
        }
    }

    fn fault(&self, problem: impl Into<String>) -> InputError {
        InputError::line(self.path, self.number, problem)
    }

    fn action(&mut self, text: &[u8]) -> Result<Action, InputError> {
        let line: Line = serde_json::from_slice(text).map_err(|error| self.json(&error))?;
        let table = match self.seen.get(&line.table) {
            Some(table) => table,
            None => self.look_up(&line.table)?,
        };
        let action = (table.create)(line.object).map_err(|error| self.json(&error))?;
        Ok(match line.meta {
            Some(meta) => action.at(meta.created_at, meta.updated_at),
            None => action,
        })
    }

    fn look_up(&mut self, name: &str) -> Result<&'static Table, InputError> {
        let Some(table) = tables::find(name) else {
            let known = tables::names();
            let shown = crate::input::error::one_line(name, 60);
            return Err(self.fault(format!("no table \"{shown}\"; there are {known}")));
        };
        self.seen.insert(name.to_owned(), table);
        Ok(table)
    }

    fn json(&self, error: &serde_json::Error) -> InputError {
        let error = error.to_string();
        // A line is the whole text: its number within that says nothing.
        let error = error.replace(" at line 1 column ", " at character ");
        self.fault(crate::input::error::one_line(&error, 200).replace("\\\"", "\""))
    }
}
