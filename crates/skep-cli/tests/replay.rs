//! Replays whose books must balance, and what they tell.

mod support;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Files, NODES, PODS, Run, replay, rows, skep};

/// A made-up cluster that is played in a moment.
const SMALL: [&str; 6] = [
    "--synthetic-nodes",
    "40",
    "--synthetic-tasks",
    "1500",
    "--quiet",
    "--json",
];

fn small(more: &[&str]) -> Value {
    replay(&[&SMALL, more].concat()).balanced()
}

fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .unwrap_or_else(|| panic!("{value} is not a whole number"))
}

/// Asserts that every task that was submitted is accounted for.
#[track_caller]
fn complete(summary: &Value) {
    let tasks = &summary["tasks"];
    let parts = [
        "placed",
        "pending_no_room",
        "pending_unplaceable",
        "pending_untried",
    ];
    let sum: u64 = parts.iter().map(|part| number(&tasks[*part])).sum();
    assert_eq!(sum, number(&tasks["submitted"]), "{tasks}");
    assert_eq!(tasks["submitted"], summary["input"]["tasks"], "{tasks}");
    let over: u64 = ["finished", "failed", "still_running"]
        .iter()
        .map(|part| number(&tasks[*part]))
        .sum();
    assert_eq!(over, number(&tasks["placed"]), "{tasks}");
}

#[test]
fn a_made_up_cluster_is_played_and_its_books_balance() {
    let summary = small(&[]);
    complete(&summary);
    assert_eq!(summary["tasks"]["placed"], 1500);
    assert_eq!(summary["tasks"]["deleted"], 1500);
    // Each task is created, assigned, run, ended and deleted.
    assert!(
        number(&summary["commits"]["count"]) >= 5 * 1500,
        "{summary}"
    );
    assert_eq!(
        summary["books"]["versions_checked"],
        summary["commits"]["count"]
    );
    for latency in ["read", "choose", "commit", "delivery"] {
        assert!(
            number(&summary["latency_us"][latency]["count"]) > 0,
            "{latency}: {summary}"
        );
    }
}

#[test]
fn the_same_seed_places_the_same_number_of_tasks() {
    let placed = |seed| small(&["--seed", seed])["tasks"]["placed"].clone();
    assert_eq!(placed("5"), placed("5"));
}

#[test]
fn any_number_of_threads_balances() {
    for threads in [["1", "1", "1"], ["7", "3", "5"], ["3", "1", "64"]] {
        let [schedulers, submitters, agents] = threads;
        let summary = small(&[
            "--schedulers",
            schedulers,
            "--submitters",
            submitters,
            "--agents",
            agents,
        ]);
        complete(&summary);
        assert_eq!(summary["tasks"]["placed"], 1500);
    }
}

#[test]
fn tasks_wait_for_room_in_a_cluster_that_is_too_small() {
    let summary = small(&["--synthetic-load", "400", "--schedulers", "4"]);
    complete(&summary);
    assert!(
        number(&summary["tasks"]["pending_no_room"]) > 0,
        "{summary}"
    );
    assert!(
        number(&summary["tasks"]["placed_after_wait"]) > 0,
        "{summary}"
    );
    assert_eq!(summary["tasks"]["pending_unplaceable"], 0);
}

#[test]
fn a_trace_is_played_to_its_end() {
    let summary = Files::sound().replay(&["--json"]).balanced();
    complete(&summary);
    let tasks = &summary["tasks"];
    assert_eq!(
        (number(&tasks["finished"]), number(&tasks["failed"])),
        (2, 1),
        "{tasks}"
    );
    assert_eq!(summary["time"]["simulated_seconds"], 200);
}

#[test]
fn a_mark_crlf_blanks_and_any_order_of_columns_are_accepted() {
    let nodes = "\u{feff}model,gpu,memory_mib,cpu_milli,sn\r\n\
                 ,0,16384,8000,x\r\n\r\n T4 , 2,32768,16000, y\r\n";
    let summary = Files::new(nodes, PODS).replay(&["--json"]).balanced();
    assert_eq!(summary["tasks"]["placed"], 3);
    assert_eq!(summary["input"]["nodes"], 2);
}

#[test]
fn pods_need_not_be_sorted() {
    let mut lines: Vec<_> = PODS.lines().collect();
    lines[1..].reverse();
    let files = Files::new(NODES, lines.join("\n"));
    let summary = files.replay(&["--json", "--csv-out", "out.csv"]).balanced();
    complete(&summary);
    let (_, rows) = rows(&files.path("out.csv"));
    let names: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    assert_eq!(
        names,
        ["a", "b", "c"],
        "tasks come in the order of their creation"
    );
}

#[test]
fn pods_without_times_come_and_stay_until_the_cluster_is_full() {
    let pods = "name,cpu_milli,memory_mib,num_gpu,gpu_milli\n\
                a,8000,1,0,0\nb,8000,1,0,0\nc,8000,1,0,0\nd,8000,1,0,0\n\
                e,1,1,3,1000\nf,0,1,1,600\ng,0,1,1,600\nh,0,1,1,600\n";
    let summary = Files::new(NODES, pods).replay(&["--json"]).balanced();
    complete(&summary);
    let tasks = &summary["tasks"];
    assert_eq!(tasks["placed"], 5, "{tasks}");
    assert_eq!(tasks["still_running"], 5, "{tasks}");
    assert_eq!(tasks["pending_no_room"], 2, "{tasks}");
    assert_eq!(tasks["pending_unplaceable"], 1, "{tasks}");
}

#[test]
fn a_task_waits_until_room_is_freed_and_is_withdrawn_if_none_is() {
    let nodes = "sn,cpu_milli,memory_mib,gpu,model\nonly,1000,1000,0,\n";
    let header = PODS.lines().next().expect("a header");
    let pods = format!(
        "{header}\n\
         first,1000,1,0,0,,LS,Running,0,50,0\n\
         waits,1000,1,0,0,,LS,Running,10,100,\n\
         never,1000,1,0,0,,LS,Running,20,40,\n\
         huge,2000,1,0,0,,LS,Running,30,60,\n\
         blink,1000,1,0,0,,LS,Running,100,100,\n"
    );
    let files = Files::new(nodes, pods);
    // At this speed tasks come a tenth of a second apart: the order of the trace is the order in
    // which they ask for the room.
    let args = [
        "--json",
        "--csv-out",
        "out.csv",
        "--schedulers",
        "4",
        "--speed",
        "100",
    ];
    let summary = files.replay(&args).balanced();
    complete(&summary);
    let (_, rows) = rows(&files.path("out.csv"));
    let states: HashMap<_, _> = rows
        .iter()
        .map(|row| (row[0].as_str(), row[3].as_str()))
        .collect();
    assert_eq!(states["first"], "finished");
    assert_eq!(states["waits"], "finished");
    assert_eq!(states["never"], "no_room");
    assert_eq!(states["huge"], "unplaceable");
    assert_eq!(states["blink"], "finished");
    assert!(
        number(&summary["tasks"]["placed_after_wait"]) >= 1,
        "{summary}"
    );
    assert_eq!(summary["tasks"]["pending_no_room"], 1);
    assert_eq!(summary["tasks"]["pending_unplaceable"], 1);
}

#[test]
fn placements_tell_each_tasks_node_and_no_gpu_is_given_twice() {
    let files = Files::sound();
    let summary = files.replay(&["--json", "--csv-out", "out.csv"]).balanced();
    let (header, rows) = rows(&files.path("out.csv"));
    let names = [
        "task",
        "node",
        "gpus",
        "state",
        "placed_at_version",
        "created_at",
        "placed_at",
        "ended_at",
    ];
    assert_eq!(header, names);
    assert_eq!(rows.len() as u64, number(&summary["tasks"]["submitted"]));
    let by_name: HashMap<_, _> = rows.iter().map(|row| (row[0].as_str(), row)).collect();
    assert_eq!(&by_name["a"][1..4], ["cpu-node", "", "finished"]);
    assert_eq!(&by_name["b"][1..4], ["gpu-node", "0", "failed"]);
    assert_eq!(&by_name["c"][1..4], ["gpu-node", "0|1", "finished"]);
    let mut versions: Vec<u64> = rows
        .iter()
        .map(|row| row[4].parse().expect("a version"))
        .collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(
        versions.len(),
        rows.len(),
        "each placement is a commit of its own"
    );
}

#[test]
fn the_output_replaces_an_older_one_and_follows_a_link() {
    let files = Files::sound();
    fs::write(files.path("old.csv"), "old").expect("a writable folder");
    #[cfg(unix)]
    std::os::unix::fs::symlink("old.csv", files.path("link.csv")).expect("links are allowed");
    #[cfg(unix)]
    files
        .replay(&["--json", "--csv-out", "link.csv"])
        .balanced();
    #[cfg(not(unix))]
    files.replay(&["--json", "--csv-out", "old.csv"]).balanced();
    let (_, rows) = rows(&files.path("old.csv"));
    assert_eq!(rows.len(), 3);
    #[cfg(unix)]
    assert!(files.path("link.csv").is_symlink());
}

#[cfg(unix)]
#[test]
fn the_output_may_be_a_device() {
    Files::sound()
        .replay(&["--json", "--csv-out", "/dev/null"])
        .balanced();
    assert!(
        !Path::new("/dev/null").is_file(),
        "the device was not replaced"
    );
}

#[test]
fn the_table_tells_what_the_json_tells() {
    let run = Files::sound().replay(&["--quiet"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    for words in [
        "placed",
        "pending for want of room",
        "commits/s",
        "conflict",
        "p99.9",
        "delivery",
        "versions alive",
        "bytes alive",
        "the books balance",
    ] {
        assert!(
            run.stdout.contains(words),
            "{words} is not in\n{}",
            run.stdout
        );
    }
}

#[test]
fn time_passes_at_the_given_speed() {
    let start = std::time::Instant::now();
    let summary = Files::sound()
        .replay(&["--json", "--speed", "400"])
        .balanced();
    assert!(
        start.elapsed().as_millis() >= 500,
        "200 simulated seconds take half a second"
    );
    complete(&summary);
}

#[test]
fn the_duration_has_a_limit() {
    let run = Files::sound().replay(&["--json", "--speed", "0.001", "--duration-max", "0.3"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let summary = run.json();
    assert_eq!(summary["end"], "interrupted");
    assert_eq!(summary["books"]["balanced"], true);
    assert_eq!(summary["tasks"]["submitted"], 1);
    // Nobody interrupted it.
    let run = Files::sound().replay(&["--speed", "0.001", "--duration-max", "0.1"]);
    assert!(
        run.stdout
            .contains("ended early; up to there the books balance"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_closed_pipe_is_no_fault() {
    use std::process::Stdio;
    let mut child = skep()
        .args([
            "replay",
            "--quiet",
            "--synthetic-nodes",
            "5",
            "--synthetic-tasks",
            "50",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn the_help_teaches() {
    let run = replay(&["--help"]);
    assert_eq!(run.code, Some(0));
    for words in [
        "Examples:",
        "--nodes",
        "--speed",
        "Exit codes:",
        "130",
        "creation_time",
    ] {
        assert!(
            run.stdout.contains(words),
            "{words} is not in\n{}",
            run.stdout
        );
    }
}

/// What stands there line by line is not broken anew on a terminal of 80 columns.
#[test]
fn examples_and_exit_codes_fit_on_a_terminal() {
    for command in ["replay", "save", "restore", "inspect"] {
        let run = Run::of(skep().args([command, "--help"]));
        let examples = run.stdout.split_once("Examples:").expect("there are some");
        for line in examples.1.lines() {
            assert!(line.chars().count() <= 80, "skep {command}: {line}");
        }
    }
}
