//! The `skep` program: see its library.

#![forbid(unsafe_code)]

/// Counted, so that a soak can tell what the program keeps from what the allocator keeps.
#[global_allocator]
static ALLOCATOR: skep_measure::memory::Counting = skep_measure::memory::Counting;

fn main() -> std::process::ExitCode {
    skep_cli::run()
}
