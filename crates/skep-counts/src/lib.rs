//! What each operation of the store does to memory that threads share, counted on the real code,
//! and what that costs on machines with more cores than there are here, by a model.
//!
//! Counting needs a build with `--cfg skep_counted` (`ci/counts.sh`), in which the store's one door
//! to atomics notes each use. Without it there is the [`model`] alone.

#![forbid(unsafe_code)]

#[cfg(skep_counted)]
pub mod coherence;
#[cfg(skep_counted)]
pub mod loads;
pub mod model;
#[cfg(skep_counted)]
pub mod operations;
#[cfg(skep_counted)]
pub mod replay;
#[cfg(skep_counted)]
pub mod tally;
#[cfg(skep_counted)]
pub mod trace;
