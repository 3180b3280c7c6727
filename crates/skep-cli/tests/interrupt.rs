//! Ctrl-C ends the replay cleanly, with the table so far; a saving and a restoring at once. Neither
//! leaves a file that is not complete.

#![cfg(unix)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::{Run, names, rows, skep};

/// As Ctrl-C, but where these tests run in a shell's background programs are started deaf to that:
/// before they listen for it, it would be lost.
const BEFORE_IT_LISTENS: &str = "-TERM";

/// Starts a replay that would take hours.
fn start(more: &[&str]) -> Child {
    skep()
        .args(["replay", "--quiet", "--json", "--speed", "1"])
        .args([
            "--synthetic-nodes",
            "20",
            "--synthetic-tasks",
            "1000",
            "--synthetic-load",
            "100",
        ])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.expect("kill is there").success());
}

/// Waits until a file is there that is going to be put in its place.
fn wait_for_partial(folder: &Path) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let began = Instant::now();
    while !names(folder).iter().any(|name| name.starts_with(".skep-")) {
        assert!(began.elapsed() < PATIENCE, "{:?}", names(folder));
        sleep(Duration::from_millis(5));
    }
}

fn ended(child: Child) -> Run {
    Run::from(child.wait_with_output().expect("it ends"))
}

#[test]
fn ctrl_c_ends_the_replay_with_the_table_so_far() {
    for signal in ["-INT", "-TERM"] {
        let folder = tempfile::TempDir::new().expect("a folder for the test");
        let out = folder.path().join("out.csv");
        let child = start(&["--csv-out", out.to_str().expect("a path of text")]);
        sleep(Duration::from_millis(1_500));
        send(signal, &child);
        let run = ended(child);
        assert_eq!(run.code, Some(130), "{}", run.stderr);
        let summary = run.json();
        assert_eq!(summary["end"], "interrupted");
        assert_eq!(summary["books"]["balanced"], true);
        let submitted = summary["tasks"]["submitted"].as_u64().expect("a number");
        assert!((1..1000).contains(&submitted), "{summary}");
        assert_eq!(
            rows(&out).1.len() as u64,
            submitted,
            "the placements are written too"
        );
    }
}

#[test]
fn a_killed_replay_leaves_the_older_placements_whole() {
    let folder = tempfile::TempDir::new().expect("a folder for the test");
    let out = folder.path().join("out.csv");
    fs::write(&out, "older").expect("a writable folder");
    let child = start(&["--csv-out", out.to_str().expect("a path of text")]);
    sleep(Duration::from_millis(500));
    send("-KILL", &child);
    assert_eq!(ended(child).code, None, "it was killed");
    let left = fs::read_to_string(&out).expect("it is there");
    assert_eq!(left, "older");
}

#[test]
fn ctrl_c_at_any_moment_leaves_no_file_but_the_placements() {
    for millis in [10, 30, 100, 300] {
        let folder = tempfile::TempDir::new().expect("a folder for the test");
        let out = folder.path().join("out.csv");
        let child = start(&["--csv-out", out.to_str().expect("a path of text")]);
        sleep(Duration::from_millis(millis));
        send(BEFORE_IT_LISTENS, &child);
        let run = ended(child);
        // Before it listens the signal ends it, and nothing was done.
        assert!(matches!(run.code, Some(130) | None), "{:?}", run.code);
        let placements = usize::from(run.code.is_some());
        assert_eq!(names(folder.path()).len(), placements, "{millis} ms");
    }
}

/// Starts a command in a folder; what it reads is open as long as its child's pipe is.
fn start_in(folder: &Path, args: &[&str]) -> Child {
    skep()
        .current_dir(folder)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

/// Asserts that a command that waits for input ends when it is sent a signal, and that nothing is
/// left of what it was going to write to `older`.
#[track_caller]
fn ends_at_once(args: &[&str], older: &str, signal: &str) {
    let folder = tempfile::TempDir::new().expect("a folder for the test");
    let at = |name: &str| folder.path().join(name);
    fs::write(at(older), "older").expect("a writable folder");
    let made = Command::new("mkfifo").arg(at("waits")).status();
    assert!(made.expect("mkfifo is there").success());
    let mut child = start_in(folder.path(), args);
    let input = child.stdin.take();
    wait_for_partial(folder.path());
    send(signal, &child);
    let run = ended(child);
    drop(input);
    assert_eq!((run.code, &*run.stdout), (Some(130), ""), "{}", run.stderr);
    assert_eq!(run.stderr, "error: interrupted: nothing was written\n");
    assert_eq!(names(folder.path()), [older, "waits"]);
    let left = fs::read_to_string(at(older)).expect("it is there");
    assert_eq!(left, "older");
}

#[test]
fn ctrl_c_ends_a_saving_that_waits_for_input() {
    for signal in ["-INT", "-TERM"] {
        ends_at_once(&["save", "a.skep"], "a.skep", signal);
        let from = ["save", "--from", "waits", "a.skep"];
        ends_at_once(&from, "a.skep", signal);
    }
}

#[test]
fn ctrl_c_ends_a_restoring_that_waits_for_input() {
    for signal in ["-INT", "-TERM"] {
        let to = ["restore", "waits", "--to", "lines.jsonl"];
        ends_at_once(&to, "lines.jsonl", signal);
    }
}

#[test]
fn ctrl_c_at_any_moment_of_a_saving_leaves_nothing() {
    for millis in [10, 30, 100, 300] {
        let folder = tempfile::TempDir::new().expect("a folder for the test");
        let large = ["save", "--quiet", "--synthetic", "--tasks", "1000000"];
        let child = start_in(folder.path(), &[&large[..], &["a.skep"]].concat());
        sleep(Duration::from_millis(millis));
        send(BEFORE_IT_LISTENS, &child);
        let run = ended(child);
        // Before it listens the signal ends it, and nothing was done.
        assert!(matches!(run.code, Some(130) | None), "{:?}", run.code);
        assert!(names(folder.path()).is_empty(), "{millis} ms");
    }
}

/// Killed outright it may leave a part beside the place, and never in it.
#[test]
fn a_saving_that_is_killed_at_any_moment_leaves_a_whole_file() {
    let folder = tempfile::TempDir::new().expect("a folder for the test");
    let save = |tasks: &str| {
        let args = ["save", "-q", "--synthetic", "--tasks", tasks, "a.skep"];
        start_in(folder.path(), &args)
    };
    assert_eq!(ended(save("10")).code, Some(0));
    for millis in [10, 100, 300, 600] {
        let child = save("20000");
        sleep(Duration::from_millis(millis));
        send("-KILL", &child);
        ended(child);
        let look = ended(start_in(folder.path(), &["inspect", "a.skep", "--json"]));
        assert_eq!((look.code, &*look.stderr), (Some(0), ""), "{millis} ms");
    }
}

#[test]
fn ctrl_c_in_the_midst_of_a_pipe_tells_that_a_part_was_written() {
    let folder = tempfile::TempDir::new().expect("a folder for the test");
    let made = ["save", "-q", "--synthetic", "--tasks", "1000", "a.skep"];
    assert_eq!(ended(start_in(folder.path(), &made)).code, Some(0));
    let to = ["restore", "a.skep", "-q", "--to", "/dev/stdout"];
    let mut child = start_in(folder.path(), &to);
    let mut some = [0; 1000];
    let out = child.stdout.as_mut().expect("a pipe");
    std::io::Read::read_exact(out, &mut some).expect("lines come");
    // The rest is more than a pipe holds, and nobody reads it before the end.
    send("-INT", &child);
    child.wait().expect("it ends");
    let run = ended(child);
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert_eq!(run.stderr, "error: interrupted: only a part was written\n");
}

#[test]
fn a_second_ctrl_c_leaves_no_part_of_the_placements() {
    let folder = tempfile::TempDir::new().expect("a folder for the test");
    let out = folder.path().join("out.csv");
    let child = start(&["--csv-out", out.to_str().expect("a path of text")]);
    wait_for_partial(folder.path());
    let process = child.id().to_string();
    // Two of one kind at once would be one. The first may have ended it by then.
    let twice = "kill -INT $0; kill -TERM $0";
    let sent = Command::new("sh").args(["-c", twice, &process]).status();
    sent.expect("a shell is there");
    let run = ended(child);
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    let names = names(folder.path());
    assert!(names.iter().all(|name| name == "out.csv"), "{names:?}");
}
