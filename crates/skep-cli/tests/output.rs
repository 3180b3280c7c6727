//! What is told where: the table, errors and progress.

mod support;

use support::{Files, NODES, PODS, replay};

const TINY: [&str; 4] = ["--synthetic-nodes", "5", "--synthetic-tasks", "50"];

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_printed_is_told() {
    use std::process::Stdio;
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut command = support::skep();
    command
        .args(["replay", "--json", "--quiet"])
        .args(TINY)
        .stdout(full.expect("the device is there"))
        .stderr(Stdio::piped());
    let child = command.spawn().expect("the program starts");
    let run = support::Run::from(child.wait_with_output().expect("it ends"));
    assert_eq!(run.code, Some(1));
    assert!(
        run.stderr
            .starts_with("error: standard output: it cannot be written: "),
        "{}",
        run.stderr
    );
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
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

#[test]
fn negative_numbers_are_told_to_be_bad_values() {
    for (flag, value) in [("--schedulers", "-1"), ("--speed", "-3"), ("--seed", "-1")] {
        let run = replay(&[flag, value]);
        assert_eq!(run.code, Some(2), "{flag}");
        let told = format!("error: invalid value '{value}' for '{flag}");
        assert!(run.stderr.starts_with(&told), "{}", run.stderr);
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
