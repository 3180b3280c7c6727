//! What is told where: the table, errors and progress.

mod support;

use std::process::Stdio;

use support::{Files, NODES, PODS, Run, replay, skep};
use tempfile::TempDir;

const TINY: [&str; 4] = ["--synthetic-nodes", "5", "--synthetic-tasks", "50"];

/// A saved file.
struct Saved {
    path: String,
    _folder: TempDir,
}

impl Saved {
    /// One of so many tasks.
    fn new(tasks: u32) -> Self {
        let folder = TempDir::new().expect("a folder for the test");
        let path = folder.path().join("a.skep").to_string_lossy().into_owned();
        let tasks = tasks.to_string();
        let save = ["save", "-q", "--synthetic", "--tasks", &tasks, &path];
        let run = Run::of(skep().args(save));
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        Self {
            path,
            _folder: folder,
        }
    }
}

/// Runs the program with a standard output that takes nothing.
#[cfg(target_os = "linux")]
fn on_full(args: &[&str]) -> Run {
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut command = skep();
    command
        .args(args)
        .stdout(full.expect("the device is there"))
        .stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    child.wait_with_output().expect("it ends").into()
}

/// Asserts that a run ended because this place takes nothing.
#[cfg(target_os = "linux")]
#[track_caller]
fn is_full(run: &Run, place: &str) {
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let told = format!("error: {place}: it cannot be written: ");
    assert!(run.stderr.starts_with(&told), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_printed_is_told() {
    let run = on_full(&[&["replay", "--json", "--quiet"], &TINY[..]].concat());
    is_full(&run, "standard output");
    let saved = Saved::new(100);
    for command in ["restore", "inspect"] {
        let run = on_full(&[command, &saved.path, "--json"]);
        is_full(&run, "standard output");
    }
    let nodes = ["inspect", &saved.path, "--table", "node"];
    is_full(&on_full(&nodes), "standard output");
    let again = ["save", "--synthetic", &saved.path];
    is_full(&on_full(&again), "standard output");
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_takes_no_more_is_told() {
    let saved = Saved::new(100);
    let to = ["restore", &saved.path, "--to", "/dev/full"];
    is_full(&Run::of(skep().args(to)), "/dev/full");
    let save = ["save", "--synthetic", "/dev/full"];
    is_full(&Run::of(skep().args(save)), "/dev/full");
}

#[cfg(unix)]
#[test]
fn whoever_reads_no_more_is_told_no_more() {
    // More than a pipe holds.
    let saved = Saved::new(2_000);
    let commands: [&[&str]; 4] = [
        &["restore", &saved.path, "--quiet", "--to", "/dev/stdout"],
        &["restore", &saved.path, "--to", "/dev/stdout"],
        &["inspect", &saved.path, "--table", "task", "--json"],
        &[
            "save",
            "-q",
            "--synthetic",
            "--tasks",
            "9000",
            "/dev/stdout",
        ],
    ];
    for args in commands {
        let mut command = skep();
        command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut out = child.stdout.take().expect("a pipe");
        std::io::Read::read_exact(&mut out, &mut [0; 100]).expect("something comes");
        drop(out);
        let run = Run::from(child.wait_with_output().expect("it ends"));
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{args:?}");
    }
}

/// Whoever made a file chose the names in it. None breaks out of the line that tells of it.
#[test]
fn a_name_stays_on_the_line_that_tells_of_it() {
    let saved = Saved::new(10);
    let configs = ["inspect", &saved.path, "--table", "config", "--json"];
    let configs = Run::of(skep().args(configs)).stdout;
    let folder = TempDir::new().expect("a folder for the test");
    let path = |name: &str| folder.path().join(name);
    let named = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        line["object"]["spec"]["annotations"]["name"] = "a\n\u{1b}[31m".into();
        format!("{line}\n")
    };
    let lines: String = configs.lines().take(2).map(named).collect();
    assert_eq!(lines.lines().count(), 2);
    std::fs::write(path("lines.jsonl"), lines).expect("a writable folder");
    let mut save = skep();
    save.current_dir(folder.path())
        .args(["save", "-q", "--from", "lines.jsonl", "a.skep"]);
    let run = Run::of(&mut save);
    assert_eq!(run.code, Some(2));
    let told = r"by_name a\n\u{1b}[31m is taken";
    assert!(run.stderr.contains(told), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
}

/// Where there is nothing wrong, too.
#[cfg(unix)]
#[test]
fn a_files_name_stays_on_the_line_that_tells_that_it_is_written() {
    let folder = TempDir::new().expect("a folder for the test");
    let mut save = skep();
    save.current_dir(folder.path())
        .args(["save", "--synthetic", "--tasks", "0", "a\n\u{1b}[31m"]);
    let run = Run::of(&mut save);
    assert!(run.stdout.starts_with(r"a\n\u{1b}[31m: "), "{}", run.stdout);
    assert_eq!(run.stdout.lines().count(), 1, "{}", run.stdout);
}

#[test]
fn quiet_says_nothing_but_the_result() {
    let run = replay(&[&TINY[..], &["--json", "--quiet"]].concat());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(run.json()["end"], "complete");
}

#[test]
fn watchers_are_shown_while_a_replay_runs() {
    let asked = [
        "--watchers",
        "--quiet",
        "--json",
        "--speed",
        "1",
        "--duration-max",
        "1",
    ];
    let run = replay(&[&TINY[..], &asked].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    // One for each node, the audit and the reaper.
    assert!(
        run.stderr.contains("7 watchers, 5 of them delivered to"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("mailbox"), "{}", run.stderr);
}

/// As where a pipe is closed that both outputs go to.
#[cfg(target_os = "linux")]
#[test]
fn what_nobody_hears_stops_nothing() {
    let on_full = |args: &[&str]| {
        let full = std::fs::File::options().write(true).open("/dev/full");
        let mut command = skep();
        command.arg("replay").args(args).stdout(Stdio::piped());
        let child = command.stderr(full.expect("the device is there")).spawn();
        Run::from(
            child
                .expect("it starts")
                .wait_with_output()
                .expect("it ends"),
        )
    };
    let shown = [
        "--watchers",
        "--json",
        "--speed",
        "1",
        "--duration-max",
        "1",
    ];
    let run = on_full(&[&TINY[..], &shown].concat());
    assert_eq!(run.code, Some(0));
    assert_eq!(run.json()["books"]["balanced"], true);
    let run = on_full(&["--nodes", "nowhere.csv", "--pods", "nowhere.csv"]);
    assert_eq!((run.code, &*run.stdout), (Some(2), ""));
}

#[test]
fn negative_numbers_are_told_to_be_bad_values() {
    for (flag, value) in [("--schedulers", "-1"), ("--speed", "-3"), ("--seed", "-1")] {
        let run = replay(&[flag, value]);
        assert_eq!(run.code, Some(2), "{flag}");
        let told = format!("error: invalid value '{value}' for '{flag}");
        assert!(run.stderr.starts_with(&told), "{}", run.stderr);
        assert!(
            run.stderr.contains("': write "),
            "what is right: {}",
            run.stderr
        );
    }
}

#[test]
fn the_line_of_a_fault_is_counted_at_line_ends_of_any_system() {
    let text = PODS.replacen("c,4000", "c,many", 1);
    for end in ["\n", "\r\n", "\r"] {
        let run = Files::new(NODES, text.replace('\n', end)).replay(&[]);
        let told = "error: pods.csv:4: column cpu_milli: \"many\": not a whole number";
        assert!(run.stderr.starts_with(told), "{end:?}: {}", run.stderr);
        assert_eq!(run.code, Some(2));
    }
}

#[test]
fn one_node_is_told_as_one() {
    let run = replay(&[
        "--quiet",
        "--synthetic-nodes",
        "1",
        "--synthetic-tasks",
        "5",
    ]);
    assert!(
        run.stdout.contains("fullest: CPU of 1 node "),
        "{}",
        run.stdout
    );
}
