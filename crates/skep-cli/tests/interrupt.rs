//! Ctrl-C ends the replay cleanly, with the table so far.

#![cfg(unix)]

mod support;

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use support::{Run, rows, skep};

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
    std::fs::write(&out, "older").expect("a writable folder");
    let child = start(&["--csv-out", out.to_str().expect("a path of text")]);
    sleep(Duration::from_millis(500));
    send("-KILL", &child);
    assert_eq!(ended(child).code, None, "it was killed");
    let left = std::fs::read_to_string(&out).expect("it is there");
    assert_eq!(left, "older");
}

#[test]
fn ctrl_c_at_any_moment_leaves_no_file_but_the_placements() {
    for millis in [10, 30, 100, 300] {
        let folder = tempfile::TempDir::new().expect("a folder for the test");
        let out = folder.path().join("out.csv");
        let child = start(&["--csv-out", out.to_str().expect("a path of text")]);
        sleep(Duration::from_millis(millis));
        send("-INT", &child);
        let run = ended(child);
        // Before it listens the signal ends it, and nothing was done.
        assert!(matches!(run.code, Some(130) | None), "{:?}", run.code);
        let files = std::fs::read_dir(folder.path()).expect("the folder is there");
        assert_eq!(
            files.count(),
            usize::from(run.code.is_some()),
            "{millis} ms"
        );
    }
}
