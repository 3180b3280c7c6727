//! A file a subject; a scenario is named by its law.
mod bank;
mod combined;
mod histories;
mod holding;
mod indexes;
mod lagging;
mod proposing;
mod threads;
mod watching;
