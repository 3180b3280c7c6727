//! One file a protocol; a model is named by the race.
mod chain;
mod check;
mod commit;
mod delivery;
mod entry;
mod horizon;
mod log;
mod ordered;
mod pending;
mod point;
mod reclaim;
mod record;
mod residual;
mod tables;
mod wake;
mod watch;
mod watch_from;
