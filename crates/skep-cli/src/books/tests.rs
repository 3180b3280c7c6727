//! The audit finds each kind of fault, and none where there is none.

use skep::Id;

use super::audit::Audit;
use super::fault::{Fault, Faults};
use crate::cluster::demand::GpuDemand;
use crate::fixture::{assign, cluster, demand, node, rewrite, rewrite_node, set_clock, whole};
use crate::objects::gpus::GpuSet;
use crate::objects::task::Task;
use crate::replay::Run;

/// What the audit finds in a run with one node of 8 CPUs and two GPUs, in which task 0 asks for 5
/// CPUs and is placed, task 1 for 5 CPUs and is not, and task 2 for a GPU of another model.
fn audit(break_it: impl FnOnce(&Run)) -> Vec<String> {
    let demands = vec![
        demand(5, GpuDemand::None),
        demand(5, GpuDemand::None),
        demand(1, whole(1, &[1])),
    ];
    let run = Run::new(cluster(vec![node("n", 8, 2, 0)], demands), 1);
    let faults = Faults::default();
    let audit = Audit::new(&run, &faults);
    run.register_nodes().expect("the store is empty");
    set_clock(&run, 5, 0);
    for task in 0..3 {
        assign(&run, task);
    }
    break_it(&run);
    run.completed();
    run.close();
    audit.follow().expect("it does not lag");
    faults.told()
}

/// Asserts that the audit finds something that is told with these words.
#[track_caller]
fn found(words: &[&str], break_it: impl FnOnce(&Run)) {
    let told = audit(break_it);
    let has = |fault: &String| words.iter().all(|word| fault.contains(word));
    assert!(told.iter().any(has), "{words:?} is not in {told:#?}");
}

#[test]
fn sound_books_have_no_faults() {
    assert_eq!(audit(|_| {}), [""; 0]);
}

#[test]
fn the_audit_finds_a_node_over_capacity() {
    found(
        &[
            "version 7",
            "node n is over capacity",
            "task-1",
            "CpuMilli(5)",
        ],
        |run| {
            rewrite(run, 1, |task| task.assign(run.node_id(0), GpuSet::NONE));
        },
    );
}

#[test]
fn the_audit_finds_a_gpu_given_twice() {
    found(&["over capacity", "task-2"], |run| {
        rewrite(run, 2, |task| task.assign(run.node_id(0), GpuSet::of([5])));
    });
}

#[test]
fn the_audit_finds_a_model_that_is_not_allowed() {
    found(&["task-2", "model it does not allow"], |run| {
        rewrite(run, 2, |task| task.assign(run.node_id(0), GpuSet::of([0])));
    });
}

#[test]
fn the_audit_finds_a_wrong_account() {
    found(
        &[
            "node n accounts for 1 tasks with 6 mCPU",
            "hold 1 tasks with 5 mCPU",
        ],
        |run| {
            rewrite_node(run, |node| node.cpu_used.0 += 1);
        },
    );
}

#[test]
fn the_audit_finds_a_node_that_does_not_exist() {
    found(&["task-1", "a node that does not exist"], |run| {
        rewrite(run, 1, |task| task.assign(Id::from_u128(1), GpuSet::NONE));
    });
}

#[test]
fn the_audit_finds_an_end_before_its_time() {
    found(&["task-0", "over before its deletion time"], |run| {
        rewrite(run, 0, Task::run);
        rewrite(run, 0, Task::end);
    });
}

#[test]
fn the_audit_finds_time_that_runs_backwards() {
    found(&["the clock", "backwards"], |run| set_clock(run, 4, 0));
}

#[test]
fn the_audit_finds_a_task_that_waits_beside_room() {
    found(&["task-1 waits", "node n has room"], |run| {
        rewrite(run, 1, Task::wait);
        rewrite_node(run, |node| node.cpu_used.0 = 0);
    });
}

#[test]
fn a_fault_is_told_and_more_are_counted() {
    let faults = Faults::default();
    for _ in 0..100 {
        faults.add(Fault::Panicked("test"));
    }
    assert_eq!(faults.count(), 100);
    assert_eq!(faults.told().len(), 20);
}
