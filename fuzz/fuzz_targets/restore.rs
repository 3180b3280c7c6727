//! Fuzz target: files, sound and otherwise, restored into a store.

#![no_main]

use skep_fuzz::restore::Run;

libfuzzer_sys::fuzz_target!(|run: Run| {
    let _ = run.play();
});
