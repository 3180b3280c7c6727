//! A dump into a store, a portion of its lines at a time.

use std::io::BufRead;
use std::path::Path;

use skep::{Action, Store, UpdateError};

use super::lines::Lines;
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
    loop {
        let mut portion = Portion::default();
        while !portion.is_full()
            && let Some(action) = lines.next()?
        {
            portion.add(lines.number(), action);
        }
        if portion.actions.is_empty() {
            return Ok(());
        }
        portion.put(path, store)?;
        told(lines.bytes());
    }
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

    fn add(&mut self, number: u64, action: Action) {
        self.actions.push(action);
        self.numbers.push(number);
    }

    fn put(self, path: &Path, store: &Store) -> Result<(), InputError> {
        let put = store.apply(&self.actions);
        put.map(drop).map_err(|error| match error {
            UpdateError::Closure(divergence) => {
                let line = self.numbers[divergence.position];
                InputError::line(path, line, divergence.cause.to_string())
            }
            error => InputError::file(path, error.to_string()),
        })
    }
}
