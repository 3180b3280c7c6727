//! Loom models of the kernel's protocols, on the real code: the kernel's sources are compiled into
//! this package, so that the models reach what the crate keeps to itself. Empty unless built with
//! `--cfg loom`.
#![cfg(loom)]
#![allow(dead_code, reason = "a model uses a part of the kernel")]

#[path = "../../src/id.rs"]
mod id;
#[path = "../../src/kernel/mod.rs"]
mod kernel;
#[path = "../../src/sync.rs"]
mod sync;
#[path = "../../src/version.rs"]
mod version;

#[cfg(test)]
mod models;
