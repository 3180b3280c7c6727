//! Watching from each older version with each kind of filter: what one has been given who watched
//! with it from the beginning, or how far back the history reaches.

mod common;
#[path = "common/cluster.rs"]
mod fixture;

use common::{Random, wait_for_delivery};
use fixture::{builder, id};
use skep::cluster::{Annotations, Finder, Node, Secret, Specifier, Task, TaskState};
use skep::{
    Delivery, Error, Event, Filter, Id, Images, Kind, Overflow, Store, Transaction, Version,
    WatchFromError, Watcher, keys,
};

/// Commits before anybody watches from a version.
const COMMITS: u64 = 25;

/// A filter of each sort: those of mailboxes and those that read the log, with markers and without,
/// of images, kinds and closures; some that nothing meets.
fn filters() -> Vec<Filter> {
    let tasks = Specifier::<Task>::new;
    let asked = |finder: Finder| tasks().finder(&finder).expect("a task's");
    let on_a1 = || tasks().node(Some(id("a1")));
    let none = || Task::BY_NODE.any_of(Vec::<Option<Id>>::new());
    vec![
        Filter::all(),
        Filter::all().every_commit(),
        Filter::all().changes_only(),
        Filter::all().events_max(1_000).every_commit(),
        Filter::of::<Task>().deleted().every_commit(),
        Filter::of::<Task>()
            .key(&id("a1"))
            .key(&id("a2"))
            .changes_only(),
        Filter::of::<Task>()
            .value(Task::BY_NODE, None)
            .images(Images::Before)
            .into(),
        Filter::of::<Task>().meets(none()).into(),
        Filter::of::<Task>()
            .meets(none())
            .or(Specifier::<Node>::new().id(id("a1"))),
        Filter::of::<Task>()
            .meets(keys::<Task>().any_of(Vec::<Id>::new()))
            .into(),
        on_a1().into(),
        on_a1().as_it_is().into(),
        on_a1().as_it_was().into(),
        on_a1().created().into(),
        Filter::from(on_a1())
            .events_max(1_000)
            .overflow(Overflow::Coalesce),
        tasks().id_prefix("").into(),
        tasks()
            .name_prefix("name")
            .state_above(TaskState::New)
            .into(),
        tasks().label("x", "y").into(),
        tasks()
            .when_changed(|change| change.kind() == Kind::Updated)
            .into(),
        asked(Finder::AnyOf(vec![])).into(),
        asked(Finder::AllOf(vec![])).into(),
        asked(Finder::Not(Box::new(Finder::Node(None)))).into(),
        asked(Finder::AnyOf(vec![
            Finder::Node(None),
            Finder::Name("NAME1".into()),
        ]))
        .into(),
        tasks().node(None).or(Specifier::<Node>::new().id(id("a2"))),
        Specifier::<Secret>::new().id(id("a1")).into(),
        // Of a table that the store does not have.
        Filter::of::<common::Task>().key(&1).every_commit(),
    ]
}

/// Some writes of tasks and nodes.
fn work(tx: &mut Transaction<'_>, random: &mut Random) -> Result<(), Error> {
    for _ in 0..=random.below(3) {
        let key = id(&format!("a{}", random.below(4)));
        let name = format!("Name{}", random.below(3));
        match random.below(4) {
            0 => tx.upsert(Node::named(key, name))?,
            1 => drop(tx.delete::<Task>(&key)),
            _ => {
                let mut task = Task::new(key);
                task.annotations = Annotations::named(name);
                task.node_id = random.one_in(2).then(|| id("a1"));
                if random.one_in(2) {
                    task.annotations.labels.insert("x".into(), "y".into());
                }
                // A state that would fall is refused: then there is none.
                if random.one_in(2) {
                    task.status.state = TaskState::Running;
                }
                drop(tx.upsert(task));
            }
        }
    }
    Ok(())
}

fn commit(store: &Store, random: &mut Random) {
    let done = store.update(|tx| work(tx, random));
    done.expect("nobody else writes");
}

/// A change's commit, kind and object, or a marker.
type Told = (u64, Option<(Kind, &'static str, Id)>);

fn told(event: &Event) -> Told {
    let change = event.change().map(|change| {
        let tasks = change.of::<Task>().and_then(|it| it.new().or(it.old()));
        let nodes = change.of::<Node>().and_then(|it| it.new().or(it.old()));
        let key = tasks.map(|it| it.id).or(nodes.map(|it| it.id));
        (change.kind(), change.table(), key.expect("of one of them"))
    });
    (event.version().get(), change)
}

/// All that a watcher has now. Of markers in a row the last: one with a mailbox is told no other.
fn given(store: &Store, watcher: &mut Watcher) -> Vec<Told> {
    wait_for_delivery(store);
    let mut given: Vec<Told> = Vec::new();
    for event in common::events(watcher) {
        let event = told(&event);
        if event.1.is_none() && given.last().is_some_and(|last| last.1.is_none()) {
            given.pop();
        }
        given.push(event);
    }
    given
}

/// Asserts that from each version a filter gives what `live` was given after it, or that the
/// history does not reach back so far; gives from how many it does.
fn gives_from_each_version(store: &Store, filter: &Filter, live: &[Told], kept: u64) -> u64 {
    let newest = store.version().get();
    let mut reached = 0;
    for version in 0..=newest {
        let from = |version| store.watch_from(version, filter.clone());
        let context = format!("{filter:?} from {version} of {newest}, {kept} kept");
        match from(Version::new(version)) {
            Ok(mut watcher) => {
                let after = live.iter().filter(|(at, _)| *at > version);
                let after: Vec<Told> = after.copied().collect();
                assert_eq!(given(store, &mut watcher), after, "{context}");
                assert_eq!(watcher.position().get(), newest, "{context}");
                reached += 1;
            }
            Err(WatchFromError::Compacted { oldest }) => {
                assert!(newest - version > kept, "{context}: {oldest}");
                assert!(from(oldest).is_ok(), "{context}: {oldest}");
            }
            Err(error) => panic!("{context}: {error}"),
        }
    }
    reached
}

#[test]
fn each_filter_gives_from_each_version_what_came_after_it() {
    let deliveries = [
        (Delivery::Committers, 1),
        (Delivery::Committers, 8),
        (Delivery::Threads, 2),
    ];
    for (delivery, shards) in deliveries {
        for kept in [0, 1, 7, u64::MAX] {
            let builder = builder().history_commits(kept);
            let store = builder
                .watch_delivery(delivery)
                .watch_shards(shards)
                .build();
            let filters = filters();
            let watch = |filter: &Filter| store.watch(filter.clone());
            let mut live: Vec<Watcher> = filters.iter().map(watch).collect();
            let mut random = Random::new(kept);
            (0..COMMITS).for_each(|_| commit(&store, &mut random));
            let live: Vec<_> = live.iter_mut().map(|live| given(&store, live)).collect();
            store.reclaim();
            for (filter, live) in filters.iter().zip(&live) {
                let reached = gives_from_each_version(&store, filter, live, kept);
                // A proposer has what the log has no more.
                let versions = match store.proposer() {
                    None => kept.min(store.version().get()) + 1,
                    Some(_) => store.version().get() + 1,
                };
                assert_eq!(reached, versions, "{filter:?}, {kept} kept");
            }
            // And on from there.
            let begin = |filter: &Filter| {
                let from = store.watch_from(store.version(), filter.clone());
                [watch(filter), from.expect("nothing has come since")]
            };
            let both: Vec<[Watcher; 2]> = filters.iter().map(begin).collect();
            (0..5).for_each(|_| commit(&store, &mut random));
            for (mut both, filter) in both.into_iter().zip(&filters) {
                let [live, from] = both.each_mut().map(|watcher| given(&store, watcher));
                assert_eq!(from, live, "{filter:?}");
            }
        }
    }
}
