//! The `skep` program: see its library.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    skep_cli::run()
}
