//! Fuzz target: watches of every kind of filter, against a look at every change.

#![no_main]

use skep_fuzz::filters::Run;

libfuzzer_sys::fuzz_target!(|run: Run| {
    run.play();
});
