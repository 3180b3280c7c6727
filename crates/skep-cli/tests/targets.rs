//! Where a result goes, if that is no file of its own.

#![cfg(unix)]

mod support;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::process::Command;

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

/// Runs a line of the shell, in which `$0` is the program.
fn shell(folder: &TempDir, line: &str) -> Run {
    let program = env!("CARGO_BIN_EXE_skep");
    let mut shell = Command::new("sh");
    Run::of(shell.current_dir(folder.path()).args(["-c", line, program]))
}

/// Nor is that of any other descriptor, whatever it is called.
#[test]
fn a_file_is_not_replaced_by_its_descriptor() {
    let folder = TempDir::new().expect("a folder for the test");
    assert_eq!(
        shell(&folder, "$0 save -q --synthetic a.skep").code,
        Some(0)
    );
    let path = folder.path().join("all.jsonl");
    std::os::unix::fs::symlink("/dev/fd/3", folder.path().join("link")).expect("writable");
    for name in ["/dev/fd/3", "/proc/self/fd/3", "link", "/dev/stdin"] {
        fs::write(&path, "before\n").expect("a writable folder");
        let line = "(\"$0\" restore a.skep -q --to NAME; code=$?; echo after >&3; exit $code) \
                    3>>all.jsonl <&3";
        let run = shell(&folder, &line.replace("NAME", name));
        assert_eq!((run.code, &*run.stdout), (Some(2), ""), "{name}");
        let told = "it is the descriptor of a file";
        assert!(run.stderr.contains(told), "{name}: {}", run.stderr);
        let all = fs::read_to_string(&path).expect("text");
        assert_eq!(all, "before\nafter\n", "{name}");
    }
    let run = shell(&folder, "\"$0\" restore a.skep -q --to /dev/fd/7");
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("no such descriptor"), "{}", run.stderr);
}

/// A pipe has nothing to replace, as of the shell's `>(...)`; and standard error goes on.
#[test]
fn other_descriptors_are_written_to() {
    let folder = TempDir::new().expect("a folder for the test");
    assert_eq!(
        shell(&folder, "$0 save -q --synthetic a.skep").code,
        Some(0)
    );
    let lines = shell(&folder, "$0 restore a.skep -q --to /dev/stdout").stdout;
    assert!(lines.lines().count() > 100, "{lines}");
    let piped = shell(
        &folder,
        "($0 restore a.skep -q --to /dev/fd/3 3>&1 >&2) | cat",
    );
    assert!(piped.stdout == lines, "{}", piped.stderr);
    let line = "(echo before >&2; $0 restore a.skep -q --to /dev/stderr; echo after >&2) 2>all";
    assert_eq!(shell(&folder, line).code, Some(0));
    let all = fs::read_to_string(folder.path().join("all")).expect("text");
    assert!(all == format!("before\n{lines}after\n"), "{}", all.len());
    assert_eq!(names(folder.path()), ["a.skep", "all"]);
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

/// Who writes `-` means a stream, and is to find no file of that name later.
#[test]
fn a_dash_is_no_file() {
    let folder = TempDir::new().expect("a folder for the test");
    assert_eq!(
        shell(&folder, "$0 save -q --synthetic a.skep").code,
        Some(0)
    );
    for (line, told) in [
        ("save --synthetic -", "standard output is /dev/stdout"),
        ("save a.skep --from -", "standard input is /dev/stdin"),
        ("restore - < a.skep", "standard input is /dev/stdin"),
        ("restore a.skep --to -", "standard output is /dev/stdout"),
        ("inspect - < a.skep", "standard input is /dev/stdin"),
        (
            "replay --nodes - --pods a.skep",
            "standard input is /dev/stdin",
        ),
        ("replay --csv-out -", "standard output is /dev/stdout"),
    ] {
        let run = shell(&folder, &format!("$0 {line}"));
        assert_eq!(run.code, Some(2), "{line}");
        let told = format!("{told}; a file of this name is ./-");
        assert!(run.stderr.contains(&told), "{line}: {}", run.stderr);
    }
    assert_eq!(names(folder.path()), ["a.skep"]);
    let both = "$0 save -q --synthetic ./- && $0 restore -q ./- && \
                $0 restore -q --to /dev/stdout /dev/stdin < a.skep | $0 save -q ./-";
    assert_eq!(shell(&folder, both).code, Some(0));
    assert_eq!(names(folder.path()), ["-", "a.skep"]);
}

/// A folder that says of each name that there is no such thing is there all the same.
#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_takes_no_file_is_told_as_that() {
    let run = Run::of(skep().args(["save", "-q", "--synthetic", "/proc/new.skep"]));
    let told = "error: /proc/new.skep: its folder takes no new file; name another FILE\n";
    assert_eq!((run.code, &*run.stderr), (Some(2), told));
    let run = Run::of(skep().args(["save", "-q", "--synthetic", "/no/new.skep"]));
    assert!(
        run.stderr.contains("there is no such folder"),
        "{}",
        run.stderr
    );
}
