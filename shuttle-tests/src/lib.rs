//! Scenarios of the public face, with more threads and steps than loom's exhaustive search can do,
//! under schedules that are drawn at random. Empty unless built with `--cfg shuttle`.
#![cfg(all(shuttle, test))]

mod explore;
mod items;
mod replay;
mod scenarios;
mod schedule;
