//! How much of a result is written, known to the thread that writes it and to the one that ends
//! the program when a signal comes: so nothing is left of a file that is not complete.
//!
//! The lock is held while a file is made or put in its place, and by whoever ends the program until
//! it has ended. The writer first: the other finds the file and removes it, or finds it in its
//! place. The other first: the writer waits for the end, and neither makes a file nor puts one
//! anywhere.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::mem;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::{NamedTempFile, TempPath};

/// How much is written.
#[derive(Default)]
enum Written {
    /// Nothing yet, or nothing that is left.
    #[default]
    Nothing,
    /// A file beside its place, which is removed when this is dropped.
    Beside(TempPath),
    /// Some of it, where it cannot be taken back: in a pipe, on a terminal.
    Part,
    /// All of it.
    Whole,
}

/// A result that is written, or is going to be.
#[derive(Clone, Default)]
pub struct Unfinished(Arc<Mutex<Written>>);

impl Unfinished {
    /// Makes a file that will be put in the result's place.
    pub fn begin_beside(
        &self,
        make: impl FnOnce() -> io::Result<NamedTempFile>,
    ) -> io::Result<File> {
        let mut written = self.lock();
        let (file, path) = make()?.into_parts();
        *written = Written::Beside(path);
        Ok(file)
    }

    /// From here on something may be written where it stays.
    pub fn begin_in_place(&self) {
        *self.lock() = Written::Part;
    }

    /// All is written: a file beside its place is put there.
    pub fn complete(&self, place: &Path) -> io::Result<()> {
        let mut written = self.lock();
        if let Written::Beside(path) = mem::take(&mut *written) {
            path.persist(place).map_err(|error| error.error)?;
        }
        *written = Written::Whole;
        Ok(())
    }

    /// Removes what is not in its place.
    pub fn abandon(&self) {
        let mut written = self.lock();
        if matches!(*written, Written::Beside(_)) {
            *written = Written::Nothing;
        }
    }

    /// Ends the program before its time: removes what is not in its place, and tells what is.
    pub fn end(&self, exit_code: u8) -> ! {
        // Held until the program has ended.
        let mut written = self.lock();
        let told = match mem::take(&mut *written) {
            Written::Nothing | Written::Beside(_) => "interrupted: nothing was written",
            Written::Part => "interrupted: only a part was written",
            Written::Whole => "interrupted, after all was written",
        };
        let mut err = io::stderr();
        // A terminal shows the bar there, or the keys that were pressed.
        let line_end = if err.is_terminal() { "\n" } else { "" };
        // Where nobody hears it, the exit code tells.
        let _ = writeln!(err, "{line_end}error: {told}");
        std::process::exit(i32::from(exit_code))
    }

    fn lock(&self) -> MutexGuard<'_, Written> {
        // Whatever a panic left, it says which file there is.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
