//! The replay's parts on a store of their own, one step at a time.

use skep::{AnyChange, Event, Filter, Id};

use super::Run;
use super::agent::Agents;
use super::commit::Committer;
use super::flow::{Flow, Work};
use super::ledger::{Ledger, Tally};
use super::measure::Counters;
use super::reap::withdraw;
use crate::cluster::amounts::Sequence;
use crate::cluster::demand::GpuDemand;
use crate::fixture::{assign, cluster, demand, node, rewrite, run, set_clock, share, state, whole};
use crate::objects::node::Node;
use crate::objects::task::{State, Task};

#[test]
fn a_task_without_a_gpu_leaves_gpus_alone() {
    let nodes = vec![
        node("gpu", 8, 2, 0),
        node("large", 9, 0, 0),
        node("small", 7, 0, 0),
    ];
    let cpu = |cpu| demand(cpu, GpuDemand::None);
    let run = run(nodes, vec![cpu(5), cpu(4), cpu(5), cpu(3), cpu(4)]);
    let placed: Vec<_> = (0..5).map(|task| assign(&run, task)).collect();
    let placed: Vec<_> = placed.iter().map(Option::as_deref).collect();
    // The least CPU that suffices, and the node with GPUs when no other is left.
    assert_eq!(
        placed,
        [
            Some("small"),
            Some("large"),
            Some("large"),
            Some("gpu"),
            Some("gpu")
        ]
    );
}

#[test]
fn shares_fill_a_gpu_before_they_open_another() {
    let nodes = vec![node("a", 100, 2, 0), node("b", 100, 2, 0)];
    let demands = [500, 600, 400, 500, 1].map(|milli| demand(1, share(milli, &[0])));
    let run = run(nodes, demands.to_vec());
    for task in 0..5 {
        assign(&run, task).expect("there is room");
    }
    let mut used: Vec<u64> = (0..2)
        .map(|node| {
            let id = run.node_id(node);
            run.store
                .view(|view| view.get::<Node>(&id).map(|node| node.gpus.used_milli()))
        })
        .map(|used| used.expect("the node is there"))
        .collect();
    used.sort_unstable();
    // 500 + 500 and 600 + 400 fill two GPUs; the last one opens a third.
    assert_eq!(used.iter().sum::<u64>(), 2_001);
    let open = (0..2).map(|node| {
        let id = run.node_id(node);
        run.store.view(|view| {
            view.get::<Node>(&id)
                .map_or(0, |node| 2 - node.gpus.idle_count())
        })
    });
    assert_eq!(open.sum::<u8>(), 3);
}

#[test]
fn whole_gpus_keep_large_groups_together_and_models_are_tried_in_order() {
    let nodes = vec![
        node("eight", 100, 8, 0),
        node("two", 100, 2, 0),
        node("rare", 100, 2, 1),
    ];
    let demands = vec![
        demand(1, whole(1, &[0, 1])),
        demand(1, whole(8, &[0, 1])),
        demand(1, whole(1, &[0, 1])),
        demand(1, whole(2, &[0, 1])),
        demand(1, whole(1, &[0])),
    ];
    let run = run(nodes, demands);
    let placed: Vec<_> = (0..5).map(|task| assign(&run, task)).collect();
    let placed: Vec<_> = placed.iter().map(Option::as_deref).collect();
    assert_eq!(
        placed,
        [Some("two"), Some("eight"), Some("two"), Some("rare"), None]
    );
}

#[test]
fn agents_run_and_end_the_tasks_of_their_nodes() {
    let run = run(
        vec![node("n", 8, 0, 0)],
        vec![demand(1, GpuDemand::None); 2],
    );
    let mut agents = Agents::new(&run, 0..1);
    run.flow.begin(2);
    assign(&run, 0);
    assign(&run, 1);
    assert!(agents.poll().expect("in order"));
    agents.run_assigned().expect("no conflict");
    assert_eq!(
        (state(&run, 0), run.flow.activities().0),
        (Some(State::Running), 0)
    );
    agents.poll().expect("in order");
    set_clock(&run, 10, 1);
    run.flow.begin(1);
    agents.end_due().expect("no conflict");
    assert_eq!(state(&run, 0), Some(State::Finished));
    assert_eq!(
        state(&run, 1),
        Some(State::Running),
        "its ending has not come due"
    );
    assert_eq!(
        run.flow.activities().0,
        1,
        "the task is still to be deleted"
    );
}

#[test]
fn an_agent_that_lags_begins_anew_from_a_snapshot() {
    let demands = vec![demand(1, GpuDemand::None); 3];
    let run = Run::with_lag(cluster(vec![node("n", 8, 0, 0)], demands), 1, 8);
    run.register_nodes().expect("the store is empty");
    let mut agents = Agents::new(&run, 0..1);
    run.flow.begin(3);
    assign(&run, 0);
    agents.poll().expect("in order");
    agents.run_assigned().expect("no conflict");
    // The task's own event of running is missed, and the second task's assignment.
    assign(&run, 1);
    for _ in 0..100 {
        let id = run.task_id(Sequence(1));
        let touched = run.store.update(|tx| tx.modify::<Task>(&id, |_| {}));
        touched.expect("no conflict");
    }
    while agents.poll().expect("in order") {}
    assert!(
        Counters::read(&run.counters.lagged) > 0,
        "100 changes of its tasks are more than 8"
    );
    agents.run_assigned().expect("no conflict");
    assert_eq!(state(&run, 1), Some(State::Running));
    while agents.poll().expect("in order") {}
    // It goes on with new tasks, and ends those whose beginnings it missed.
    assign(&run, 2);
    agents.poll().expect("in order");
    agents.run_assigned().expect("no conflict");
    while agents.poll().expect("in order") {}
    set_clock(&run, 100, 3);
    run.flow.begin(3);
    agents.end_due().expect("no conflict");
    for task in 0..3 {
        assert_eq!(state(&run, task), Some(State::Finished), "task {task}");
    }
}

#[test]
fn only_a_waiting_task_is_withdrawn() {
    let run = run(
        vec![node("n", 1, 0, 0)],
        vec![demand(1, GpuDemand::None); 2],
    );
    assign(&run, 0);
    assign(&run, 1);
    let mut committer = Committer::new(&run);
    let (placed, pending) = (run.task_id(Sequence(0)), run.task_id(Sequence(1)));
    assert!(!withdraw(&mut committer, placed).expect("no conflict"));
    assert!(!withdraw(&mut committer, pending).expect("no conflict"));
    rewrite(&run, 1, Task::wait);
    assert!(withdraw(&mut committer, pending).expect("no conflict"));
    assert_eq!(state(&run, 1), None);
}

#[test]
fn work_goes_to_whoever_asks_and_offers_come_first() {
    let flow = Flow::new(8);
    let node = Id::from_u128(7);
    flow.queued();
    flow.begin(1);
    flow.offer(node);
    assert!(flow.has_offers());
    assert_eq!(flow.next_work(0), Work::Offer(node));
    assert_eq!(flow.next_work(0), Work::Queue(1));
    flow.release(1);
    assert_eq!(flow.next_released(), Some(Sequence(0)));
    flow.stop();
    assert_eq!(flow.next_work(1), Work::Stop);
    assert_eq!(flow.next_released(), None);
}

/// The events of a task that is assigned to a node, run and ended, without the commits' markers.
fn events() -> (Run, Vec<AnyChange>) {
    let run = run(vec![node("n", 8, 0, 0)], vec![demand(1, GpuDemand::None)]);
    let filter = Filter::of::<Task>().value(Task::BY_NODE, run.node_id(0));
    let mut watcher = run.store.watch(filter);
    assign(&run, 0);
    rewrite(&run, 0, Task::run);
    rewrite(&run, 0, Task::end);
    let mut changes = Vec::new();
    while let Some(event) = watcher.try_recv().expect("it does not lag") {
        if let Event::Change(change) = event {
            changes.push(change);
        }
    }
    assert_eq!(changes.len(), 3);
    (run, changes)
}

/// Lets a ledger take events, each with its commit's marker.
fn take<'c>(changes: impl IntoIterator<Item = &'c AnyChange>) -> Result<Ledger, String> {
    let mut ledger = Ledger::default();
    for change in changes {
        ledger.take(
            change.version(),
            &change.of::<Task>().expect("a task's change"),
        )?;
        ledger.close(change.version())?;
    }
    Ok(ledger)
}

#[test]
fn a_ledger_takes_events_once_and_in_order_only() {
    let (_run, events) = events();
    let [assigned, run, ended] = &events[..] else {
        panic!("three events")
    };
    assert_eq!(
        take([assigned, run, ended]).expect("in order").tally.events,
        3
    );
    take([run]).expect_err("the first is missing");
    take([assigned, ended]).expect_err("the second is missing");
    take([assigned, run, run]).expect_err("the second came twice");
    take([assigned, run, assigned]).expect_err("the first came again");
    take([run, assigned]).expect_err("the order is wrong");
}

#[test]
fn tallies_tell_sequences_apart() {
    let (_run, events) = events();
    let tally = |order: &[usize]| {
        let mut tally = Tally::default();
        for &index in order {
            let change = &events[index];
            let task = change.of::<Task>().and_then(|change| change.new().cloned());
            tally.add(change.version(), &task.expect("it was not deleted"), false);
        }
        tally
    };
    assert_eq!(tally(&[0, 1, 2]), tally(&[0, 1, 2]));
    for other in [&[0, 2, 1][..], &[0, 1], &[0, 1, 2, 2], &[1, 1, 2]] {
        assert_ne!(tally(&[0, 1, 2]), tally(other));
    }
}
