//! Input without an object: what comes from where nothing is open, or from what has failed.

mod support;

use std::fs::{self, File};
use std::process::Command;

use support::{Run, names, skep};
use tempfile::TempDir;

/// A folder with a saved file, `a.skep`.
fn folder() -> TempDir {
    let folder = TempDir::new().expect("a folder for the test");
    let run = run(&folder, &["save", "--synthetic", "--tasks", "1", "a.skep"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    folder
}

fn run(folder: &TempDir, args: &[&str]) -> Run {
    Run::of(skep().current_dir(folder.path()).args(args))
}

/// Asserts that a saving was refused for its input, and has left the older file as it was.
#[track_caller]
fn refused(folder: &TempDir, run: &Run, input: &str, older: &[u8]) {
    assert_eq!((run.code, &*run.stdout), (Some(2), ""));
    let told = format!("error: {input}: no object comes from it; if there is to be none, say ");
    assert!(run.stderr.starts_with(&told), "{}", run.stderr);
    let file = fs::read(folder.path().join("a.skep")).expect("it is there");
    assert_eq!(file, older);
}

#[test]
fn nothing_does_not_replace_an_older_file() {
    let folder = folder();
    let older = fs::read(folder.path().join("a.skep")).expect("saved");
    for blank in ["", "\n \n", "\u{feff}"] {
        fs::write(folder.path().join("lines"), blank).expect("a writable folder");
        let of_file = run(&folder, &["save", "a.skep", "--from", "lines"]);
        refused(&folder, &of_file, "lines", &older);
        let lines = File::open(folder.path().join("lines")).expect("just written");
        let mut command = skep();
        command.current_dir(folder.path()).stdin(lines);
        let redirected = Run::of(command.args(["save", "a.skep"]));
        refused(&folder, &redirected, "standard input", &older);
    }
    assert_eq!(names(folder.path()), ["a.skep", "lines"]);
}

/// A closed standard input reads as one that is at its end.
#[cfg(unix)]
#[test]
fn closed_input_does_not_replace_an_older_file() {
    let folder = folder();
    let older = fs::read(folder.path().join("a.skep")).expect("saved");
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path());
    shell.args(["-c", "\"$0\" save a.skep <&-", env!("CARGO_BIN_EXE_skep")]);
    refused(&folder, &Run::of(&mut shell), "standard input", &older);
}

/// So a store without objects goes through lines and back.
#[test]
fn nothing_is_saved_if_it_is_asked_for() {
    let folder = folder();
    fs::write(folder.path().join("lines"), "").expect("a writable folder");
    let args = ["save", "none.skep", "--from", "lines", "--allow-empty"];
    let saved = run(&folder, &args);
    assert_eq!((saved.code, &*saved.stderr), (Some(0), ""));
    let args = ["restore", "none.skep", "--to", "again", "-q"];
    assert_eq!(run(&folder, &args).code, Some(0));
    let again = fs::read(folder.path().join("again")).expect("it is there");
    assert!(again.is_empty());
    let made_up = ["save", "b.skep", "--synthetic", "--allow-empty"];
    assert_eq!(run(&folder, &made_up).code, Some(2));
}

#[test]
fn a_negative_number_is_told_to_be_a_bad_value() {
    let folder = folder();
    for flag in ["--tasks", "--nodes", "--seed"] {
        let run = run(&folder, &["save", "--synthetic", "b.skep", flag, "-1"]);
        let told = format!("error: invalid value '-1' for '{flag}");
        assert!(run.stderr.starts_with(&told), "{}", run.stderr);
    }
}
