//! Where a result goes, if that is no file of its own.

#![cfg(unix)]

mod support;

use std::fs::{self, OpenOptions};
use std::io::Write;

use support::{Run, names, skep};
use tempfile::TempDir;

const SAVE: [&str; 6] = ["save", "-q", "--synthetic", "--tasks", "9", "a.skep"];

/// What is there, and what comes after it, is not the program's to take away.
#[test]
fn standard_output_is_written_where_it_is() {
    let folder = TempDir::new().expect("a folder for the test");
    let within = |args: &[&str]| {
        let mut command = skep();
        command.current_dir(folder.path()).args(args);
        command
    };
    assert_eq!(Run::of(&mut within(&SAVE)).code, Some(0));
    let args = ["restore", "a.skep", "-q", "--to", "/dev/stdout"];
    let lines = Run::of(&mut within(&args)).stdout;
    let path = folder.path().join("all.jsonl");
    fs::write(&path, "before\n").expect("a writable folder");
    let file = OpenOptions::new().append(true).open(&path);
    let mut file = file.expect("it is there");
    let shared = file.try_clone().expect("a handle more");
    let status = within(&args).stdout(shared).status();
    assert!(status.expect("the program starts").success());
    file.write_all(b"after\n").expect("it takes more");
    let all = fs::read_to_string(&path).expect("text");
    assert!(all == format!("before\n{lines}after\n"), "{}", all.len());
}

#[test]
fn a_link_to_nothing_is_not_replaced() {
    let folder = TempDir::new().expect("a folder for the test");
    let link = folder.path().join("a.skep");
    std::os::unix::fs::symlink("elsewhere.skep", &link).expect("a writable folder");
    let run = Run::of(skep().current_dir(folder.path()).args(SAVE));
    assert_eq!((run.code, &*run.stdout), (Some(2), ""));
    let told = "it is a link to nothing";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    assert!(link.is_symlink());
    assert_eq!(names(folder.path()), ["a.skep"]);
}

/// It is known before the work is done that nothing can be put there.
#[test]
fn what_is_named_as_a_folder_is_no_file() {
    let folder = TempDir::new().expect("a folder for the test");
    for name in ["new/", "no/new/", "./"] {
        let mut save = skep();
        save.current_dir(folder.path())
            .args(["save", "-q", "--synthetic", name]);
        let run = Run::of(&mut save);
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{name}");
        assert!(
            run.stderr.contains("folder; name another"),
            "{}",
            run.stderr
        );
        assert!(names(folder.path()).is_empty());
    }
}
