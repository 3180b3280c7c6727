//! Soaks: rounds beside threads that get in the way, and what is told of them.

mod support;

use support::replay;

const SMALL: [&str; 4] = ["--synthetic-nodes", "10", "--synthetic-tasks", "300"];

#[test]
fn a_soak_plays_rounds_and_disturbs_them() {
    let run = replay(&[&SMALL[..], &["--soak", "4s", "--quiet", "--json"]].concat());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let told = run.json();
    let number = |name: &str| told[name].as_u64().expect("a number");
    assert!(number("rounds") > 0, "{told}");
    assert!(number("commits") > 0, "{told}");
    assert_eq!(number("commits"), number("versions_checked"), "{told}");
    for what in [
        "snapshots_held",
        "watchers_stopped",
        "views_parked",
        "transactions_parked",
    ] {
        assert!(number(what) > 0, "{what}: {told}");
    }
    assert_eq!(told["faults"].as_array().map(Vec::len), Some(0), "{told}");
}

#[test]
fn a_soak_shows_its_memory_as_a_line() {
    let run = replay(&[&SMALL[..], &["--soak", "1s", "--quiet"]].concat());
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let bars = |line: &str| line.starts_with("memory ") && line.contains('█');
    assert!(run.stdout.lines().any(bars), "{}", run.stdout);
    assert!(run.stdout.contains("the books balance"), "{}", run.stdout);
}
