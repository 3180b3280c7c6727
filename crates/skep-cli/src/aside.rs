//! What is told beside the result, on standard error.

use std::fmt::Display;
use std::io::{self, Write};

/// Tells it on a line of its own. Where nobody hears it, what the program does goes on all the
/// same, and its exit code tells.
pub fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
