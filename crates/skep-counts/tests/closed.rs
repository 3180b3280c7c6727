//! Whoever reads no more of the tables is told no more.

use std::process::{Command, Stdio};

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut program = Command::new(env!("CARGO_BIN_EXE_skep-counts"));
    program
        .arg("machines")
        .stdout(writer)
        .stderr(Stdio::piped());
    let child = program.spawn().expect("the program starts");
    let output = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*told), (Some(0), ""));
}
