//! Fuzz target: actions as bytes, decoded and applied.

#![no_main]

use skep_fuzz::actions::Run;

libfuzzer_sys::fuzz_target!(|run: Run| {
    let _ = run.play();
});
