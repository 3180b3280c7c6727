//! A dump into a store, a portion of its lines at a time, in whatever order they are.
//!
//! Rules ask whether what an object refers to is there. So objects that refer to others are kept
//! back until all others have been put.

use std::io::BufRead;
use std::path::Path;

use skep::{Action, Store, UpdateError};

use super::hint;
use super::lines::{Created, Lines};
use crate::input::error::InputError;

/// Lines that are put into the store at once.
const LINES_AT_ONCE: usize = 10_000;

/// Puts lines into a store, `told` how many bytes have been read after each portion.
pub fn load(
    path: &Path,
    source: impl BufRead,
    store: &Store,
    mut told: impl FnMut(u64),
) -> Result<(), InputError> {
    let mut lines = Lines::new(path, source);
    let mut portion = Portion::default();
    let mut kept_back = vec![];
    while let Some(line) = lines.next()? {
        if line.table.refers {
            kept_back.push(line);
            continue;
        }
        portion.add(line);
        if portion.is_full() {
            std::mem::take(&mut portion).put(path, store)?;
            told(lines.bytes());
        }
    }
    for line in kept_back {
        portion.add(line);
        if portion.is_full() {
            std::mem::take(&mut portion).put(path, store)?;
        }
    }
    portion.put(path, store)?;
    told(lines.bytes());
    Ok(())
}

/// Objects that are put at once, and the numbers of their lines.
#[derive(Default)]
struct Portion {
    actions: Vec<Action>,
    numbers: Vec<u64>,
}

impl Portion {
    fn is_full(&self) -> bool {
        self.actions.len() >= LINES_AT_ONCE
    }

    fn add(&mut self, line: Created) {
        self.actions.push(line.action);
        self.numbers.push(line.number);
    }

    fn put(self, path: &Path, store: &Store) -> Result<(), InputError> {
        if self.actions.is_empty() {
            return Ok(());
        }
        let put = store.apply(&self.actions);
        put.map(drop).map_err(|error| match error {
            UpdateError::Closure(divergence) => {
                let line = self.numbers[divergence.position];
                let cause = &divergence.cause;
                InputError::line(path, line, format!("{cause}{}", hint(cause)))
            }
            error => InputError::file(path, error.to_string()),
        })
    }
}
