//! Watching: the changes that commits make, in order, once each.
//!
//! - [`event`]: what a watcher gives. [`filter`], [`clause`], [`one_key`], [`asked`]: what it is
//!   asked for. [`watcher`]: receiving, and waiting for it; [`receiving`]: in a future; [`whole`]:
//!   commits whole. [`source`]: where it comes from; [`fetched`]: in runs; [`past`]: from a
//!   proposer. [`progress`]: how far it is, when nothing matches.
//! - [`log`]: a cursor on the commit log, for watchers that take much: it copies nothing and costs
//!   a committer nothing but waking it, if it sleeps. The log is kept for it as far as the store's
//!   watch bound goes, or its history. Beyond them the watcher has lagged, and is told so.
//! - [`mail`], [`member`]: a mailbox, for watchers that ask for few of many changes, or for bounds
//!   of their own. [`shard`]: who asks for what, and the delivery. [`post`]: what is delivered.
//!   [`config`]: who delivers. [`coalescing`]: of whose changes several may be made one.
//! - [`threads`]: threads that deliver, if the store was built so. [`figures`]: what watchers do.
//!   [`admission`]: how many there may be.
//!
//! # Why nobody can stop the delivery
//! It is done by whoever comes by: committers, watchers that receive, threads. Nothing is claimed,
//! and delivering again changes nothing ([`crate::kernel::station`]). So who stops in the middle
//! has done a part of what the next one does.

#![forbid(unsafe_code)]

mod admission;
mod asked;
pub(crate) mod clause;
mod coalescing;
pub(crate) mod config;
pub(crate) mod event;
mod fetched;
pub(crate) mod figures;
pub(crate) mod filter;
mod log;
mod mail;
pub(crate) mod member;
mod one_key;
mod past;
pub(crate) mod post;
mod progress;
mod receiving;
pub(crate) mod shard;
mod source;
#[cfg(feature = "stream")]
mod stream;
pub(crate) mod threads;
pub(crate) mod watcher;
pub(crate) mod whole;
