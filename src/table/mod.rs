//! Typed tables over the kernel: what an object is, which indexes it has, and the queries over
//! them. Safe code from here up.
//!
//! - [`object`]: the trait that a stored type implements, and index constants.
//! - [`schema`]: the tables of a store, found by type.
//! - [`span`]: a range of keys or index values, as data: what a query asks and what a read set
//!   keeps.
//! - [`query`]: what to find; [`condition`], [`joined`], [`walk`]: how it is walked, matched and
//!   noted as read; [`found`]: the lazy results; `printed`: its `Debug`.
//! - [`proposed`]: a change as the rules of a table see it, and their refusal.
//! - [`image`]: what can be told of an object in the log without user code.
//! - [`handle`]: objects with their meta, borrowed and owned.

#![forbid(unsafe_code)]

pub(crate) mod condition;
pub(crate) mod found;
pub(crate) mod handle;
pub(crate) mod hash;
pub(crate) mod image;
pub(crate) mod joined;
pub(crate) mod object;
mod printed;
pub(crate) mod proposed;
pub(crate) mod query;
pub(crate) mod schema;
pub(crate) mod span;
pub(crate) mod unique;
pub(crate) mod value;
pub(crate) mod walk;
