//! Nothing but tests: see the folder `tests`.

#![forbid(unsafe_code)]
