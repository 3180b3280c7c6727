//! Fuzz target: CSV files, lines of JSON and command lines, as the program reads them.

#![no_main]

use skep_fuzz::trace::Run;

libfuzzer_sys::fuzz_target!(|run: Run| {
    run.play();
});
