//! What the fuzz targets run, as a library: the targets themselves are a line each, and the tests
//! play the same inputs on any toolchain.
//!
//! | module | what |
//! |---|---|
//! | [`operations`] | operations on a store, against a map a version ([`history`]) |
//! | [`queries`] | queries, against a look at every object ([`question`]) |
//! | [`restore`] | files, sound and otherwise, restored into a store |
//! | [`filters`] | watches of every kind of filter, against a look at every change |
//! | [`trace`] | CSV files and command lines, as the program reads them; and [`lines`] of JSON |
//! | [`actions`] | actions as bytes, sound and otherwise, decoded and applied |
//! | [`item`] | the objects of all |

#![forbid(unsafe_code)]

pub mod actions;
pub mod filters;
pub mod history;
pub mod item;
pub mod lines;
pub mod operations;
pub mod queries;
pub mod question;
pub mod restore;
pub mod trace;
