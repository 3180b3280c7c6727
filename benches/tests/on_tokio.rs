//! Watchers on tokio, here because the root package knows no runtime: tasks that give up waiting
//! again and again, as the losing branch of a select does, are given each change once; nobody
//! sleeps on, and all end when the store is closed.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use skep::{Filter, Object, Store, WatchError, Watcher, keys};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

#[derive(Clone, Debug, PartialEq, Object)]
struct Task {
    #[object(key)]
    id: u64,
    #[object(index)]
    node: u64,
    count: u64,
}

const TASKS: u64 = 40;
const NODES: u64 = 10;
const COMMITS: u64 = 4_000;

/// What a dispatcher knows of its tasks.
type Known = BTreeMap<u64, Task>;

/// Follows until the store is closed; also how often it gave up waiting.
async fn follow(mut watcher: Watcher, node: Option<u64>) -> (Known, u64) {
    let mut known = Known::new();
    let (mut given_up, mut last) = (0, watcher.position());
    loop {
        let received = timeout(Duration::from_millis(1), watcher.recv_commit_async()).await;
        let commit = match received {
            Err(_) => {
                given_up += 1;
                continue;
            }
            Ok(Err(WatchError::Closed)) => return (known, given_up),
            Ok(received) => received.expect("it keeps up"),
        };
        assert!(commit.version > last, "each commit once, in order");
        last = commit.version;
        for change in &commit.changes {
            let task = change.new_object::<Task>().expect("nothing is deleted");
            match node.is_none_or(|node| node == task.node) {
                true => known.insert(task.id, Task::clone(&task)),
                false => known.remove(&task.id),
            };
        }
    }
}

fn write(store: &Store) {
    for count in 1..=COMMITS {
        let (id, node) = (count * 7 % TASKS, count / 9 % NODES);
        let put = store.update(|tx| tx.upsert(Task { id, node, count }));
        put.expect("nothing is in the way");
        if count % 100 == 0 {
            thread::sleep(Duration::from_millis(3));
        }
    }
}

fn tasks_are_given_what_is_theirs(runtime: &Runtime) {
    let store = Store::builder().table::<Task>().build();
    let of_node = |node| Filter::of::<Task>().value(Task::BY_NODE, node);
    let of_nodes = (0..NODES).map(|node| (Some(node), store.watch(of_node(node))));
    let all = (0..3).map(|_| (None, store.watch(Filter::all())));
    let followers: Vec<_> = of_nodes
        .chain(all)
        .map(|(node, watcher)| (node, runtime.spawn(follow(watcher, node))))
        .collect();
    let writer = thread::spawn(move || {
        write(&store);
        store.snapshot()
    });
    let mut given_up = 0;
    let mut followed = Vec::new();
    runtime.block_on(async {
        for (node, follower) in followers {
            let (known, times) = follower.await.expect("no task panics");
            given_up += times;
            followed.push((node, known));
        }
    });
    let last = writer.join().expect("it wrote");
    for (node, known) in followed {
        let own = last.find(keys::<Task>().all());
        let own = own.filter(|task| node.is_none_or(|node| node == task.node));
        assert!(own.eq(known.values()), "{node:?}: {known:?}");
    }
    assert!(given_up > 0, "somebody gave up waiting");
}

#[test]
fn on_one_thread() {
    let runtime = Builder::new_current_thread().enable_time().build();
    tasks_are_given_what_is_theirs(&runtime.expect("a runtime"));
}

#[test]
fn on_several_threads() {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_time().build();
    tasks_are_given_what_is_theirs(&runtime.expect("a runtime"));
}
