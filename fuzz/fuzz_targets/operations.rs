//! Fuzz target: operations on a store with interleaved transactions, against a map a version.

#![no_main]

use skep_fuzz::operations::Run;

libfuzzer_sys::fuzz_target!(|run: Run| run.play());
