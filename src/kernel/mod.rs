//! The kernel.

pub(crate) mod collect;
pub(crate) mod reclaim;
pub(crate) mod session;
