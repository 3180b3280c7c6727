//! Longer texts: what the store guarantees, what it is limited to, what things cost, and what all
//! of SwarmKit's `manager/state` is called here.

#![forbid(unsafe_code)]

#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("../docs/limits.md")]
pub mod limits {}

#[cfg(feature = "cluster")]
#[doc = include_str!("../docs/swarmkit.md")]
pub mod swarmkit {}
