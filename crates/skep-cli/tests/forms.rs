//! The forms in which other tools write the same trace, and what does not matter about a row.

mod support;

use support::{Files, NODES, PODS};

/// Asserts that the files are played as the sound ones are.
#[track_caller]
fn accepted(nodes: impl AsRef<[u8]>, pods: impl AsRef<[u8]>) {
    let summary = Files::new(nodes, pods).replay(&["--json"]).balanced();
    let sound = Files::sound().replay(&["--json"]).balanced();
    for what in ["submitted", "placed", "finished", "failed", "deleted"] {
        assert_eq!(summary["tasks"][what], sound["tasks"][what], "{what}");
    }
    assert_eq!(
        summary["time"]["simulated_seconds"],
        sound["time"]["simulated_seconds"]
    );
}

/// A text whose every cell is rewritten, the header's not.
fn each_cell(text: &str, rewrite: impl Fn(&str) -> String) -> String {
    let rewritten = text.lines().enumerate().map(|(row, line)| {
        if row == 0 {
            return line.to_owned() + "\n";
        }
        let cells: Vec<_> = line.split(',').map(&rewrite).collect();
        cells.join(",") + "\n"
    });
    rewritten.collect()
}

#[test]
fn a_fraction_of_nothing_makes_no_other_number() {
    for fraction in [".0", ".000"] {
        let float = |cell: &str| match cell.parse::<u64>() {
            Ok(_) => format!("{cell}{fraction}"),
            Err(_) => cell.to_owned(),
        };
        accepted(each_cell(NODES, float), each_cell(PODS, float));
    }
}

#[test]
fn quoted_cells_are_cells() {
    let quoted = |cell: &str| format!("\"{cell}\"");
    accepted(each_cell(NODES, quoted), each_cell(PODS, quoted));
}

#[test]
fn lines_may_end_as_on_any_system_and_the_last_need_not() {
    for end in ["\n", "\r\n", "\r"] {
        let ended = |text: &str| text.trim_end().replace('\n', end);
        accepted(ended(NODES), ended(PODS));
        accepted(ended(NODES) + end + end, ended(PODS) + end);
    }
}

#[test]
fn lines_of_blanks_are_blank_lines() {
    let spaced = |text: &str| format!("  \n{}\n \t \n\n", text.replace('\n', "\n \n"));
    accepted(spaced(NODES), spaced(PODS));
}

#[test]
fn the_traces_own_scheduling_time_need_only_be_a_time() {
    // Before the creation, and after the deletion.
    for time in ["1", "99999"] {
        let pods = PODS.replacen("10,90,12", &format!("10,90,{time}"), 1);
        assert_ne!(pods, PODS);
        accepted(NODES, pods);
    }
}

#[test]
fn a_pod_that_asks_for_nothing_is_placed() {
    let pods = PODS.replacen("a,4000,1024", "a,0,0", 1);
    assert_ne!(pods, PODS);
    accepted(NODES, pods);
}
