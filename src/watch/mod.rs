//! Watching: the changes that commits make, in order, once each.
//!
//! - [`event`]: what a watcher gives. [`filter`], [`clause`]: what it is asked for. [`watcher`]:
//!   the cursor on the commit log behind it.
//!
//! A watcher copies nothing and costs a committer nothing but waking it, if it sleeps. It reads the
//! commit log from its cursor on; the log is kept for it as far as the store's watch bound goes, or
//! its history. Beyond them the watcher has lagged, and is told so.

#![forbid(unsafe_code)]

pub(crate) mod clause;
pub(crate) mod event;
pub(crate) mod filter;
pub(crate) mod watcher;
