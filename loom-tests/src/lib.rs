//! Loom models of the kernel's protocols and the proposer's seam, on the real code: their sources
//! are compiled into this package, so that the models reach what the crate keeps to itself. Empty
//! unless built with `--cfg loom`.
#![cfg(loom)]
#![allow(dead_code, reason = "a model uses a part of the kernel")]

#[path = "../../src/id/mod.rs"]
mod id;
#[path = "../../src/kernel/mod.rs"]
mod kernel;
#[path = "../../src/latency.rs"]
mod latency;
#[path = "../../src/propose/mod.rs"]
mod propose;
#[path = "../../src/sync.rs"]
mod sync;
mod table;
#[path = "../../src/version.rs"]
mod version;

#[cfg(test)]
mod models;
