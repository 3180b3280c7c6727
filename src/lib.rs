//! Skep.

mod kernel;
mod sync;
