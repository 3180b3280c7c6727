//! Fuzz target: queries over indexes, against a look at every object.

#![no_main]

use skep_fuzz::queries::Run;

libfuzzer_sys::fuzz_target!(|run: Run| run.play());
