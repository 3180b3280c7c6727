//! Why the program ends without all that it was asked for, and its exit code then.

use std::io;
use std::path::Path;

use crate::aside;
use crate::input::error::InputError;
use crate::{BAD_INPUT, BROKEN};

/// Why the program ends early.
#[derive(Debug)]
pub enum Failure {
    /// The input is at fault, or the command line.
    Input(InputError),
    /// A result could not be written.
    Output(InputError),
    /// Whoever reads the result wants no more of it.
    Enough,
}

impl Failure {
    /// A result could not be written there.
    pub fn output(place: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Enough,
            _ => Self::Output(InputError::file(
                place,
                format!("it cannot be written: {error}"),
            )),
        }
    }

    /// Tells it; the exit code.
    pub fn tell(&self) -> u8 {
        let (error, code) = match self {
            Self::Input(error) => (error, BAD_INPUT),
            Self::Output(error) => (error, BROKEN),
            Self::Enough => return 0,
        };
        aside::tell(format_args!("error: {error}"));
        code
    }
}

impl From<InputError> for Failure {
    fn from(error: InputError) -> Self {
        Self::Input(error)
    }
}
