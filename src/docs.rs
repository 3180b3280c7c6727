//! Longer texts: what the store guarantees, what it is limited to, and what things cost.

#![forbid(unsafe_code)]

#[doc = include_str!("../docs/guarantees.md")]
pub mod guarantees {}

#[doc = include_str!("../docs/limits.md")]
pub mod limits {}
