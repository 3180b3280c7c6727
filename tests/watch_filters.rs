//! Random filters against a plain reading of what they ask for, over random commits.

mod common;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Random, Task, account, delete, events, put, task};
use skep::{Error, Event, Filter, Kind, Store, TableFilter, Watcher};

/// Whether a change, by its images, is asked for.
type Asks = Rc<dyn Fn(Option<&Task>, Option<&Task>) -> bool>;

fn kind_of(old: Option<&Task>, new: Option<&Task>) -> Kind {
    match (old, new) {
        (None, _) => Kind::Created,
        (_, None) => Kind::Deleted,
        _ => Kind::Updated,
    }
}

/// A filter with some conditions of each sort, and the same in plain words.
fn random_clause(random: &mut Random) -> (TableFilter<Task>, Asks) {
    let mut filter = Filter::of::<Task>();
    let (mut kinds, mut ids, mut nodes, mut tags) = (vec![], vec![], vec![], vec![]);
    for kind in [Kind::Created, Kind::Updated, Kind::Deleted] {
        if random.one_in(3) {
            filter = filter.kind(kind);
            kinds.push(kind);
        }
    }
    for _ in 0..random.below(3) {
        let id = random.below(8);
        filter = filter.key(&id);
        ids.push(id);
    }
    for _ in 0..random.below(2) {
        let node = random.below(3);
        filter = filter.value(Task::BY_NODE, node);
        nodes.push(node);
    }
    if random.one_in(3) {
        filter = filter.value(Task::BY_TAG, "b");
        tags.push("b".to_owned());
    }
    let least = random.one_in(3).then_some(2);
    if let Some(least) = least {
        filter = filter.when(move |change| change.new().is_some_and(|new| new.count >= least));
    }
    let has_value = move |task: &Task| {
        task.node.is_some_and(|node| nodes.contains(&node))
            || task.tags.iter().any(|tag| tags.contains(tag))
            || (nodes.is_empty() && tags.is_empty())
    };
    let asks = move |old: Option<&Task>, new: Option<&Task>| {
        let id = new.or(old).expect("one image").id;
        (kinds.is_empty() || kinds.contains(&kind_of(old, new)))
            && (ids.is_empty() || ids.contains(&id))
            && (old.is_some_and(&has_value) || new.is_some_and(&has_value))
            && least.is_none_or(|least| new.is_some_and(|new| new.count >= least))
    };
    (filter, Rc::new(asks))
}

fn random_filter(random: &mut Random) -> (Filter, Asks) {
    let (first, asks) = random_clause(random);
    if random.one_in(2) {
        return (first.into(), asks);
    }
    let (second, also) = random_clause(random);
    let either = move |old: Option<&Task>, new: Option<&Task>| asks(old, new) || also(old, new);
    (first.or(second), Rc::new(either))
}

fn random_commit(store: &Store, random: &mut Random) {
    let written = store.update(|tx| {
        for _ in 0..=random.below(3) {
            let id = random.below(8);
            if random.one_in(4) {
                // Whether there was one does not matter.
                let _ = tx.delete::<Task>(&id);
                continue;
            }
            let tags = ["a", "b", "c"][..random.below(4) as usize].iter();
            tx.upsert(Task {
                node: (!random.one_in(3)).then(|| random.below(3)),
                tags: tags.map(|&tag| tag.to_owned()).collect(),
                count: random.below(5) as i64,
                ..task(id)
            })?;
        }
        Ok::<_, Error>(())
    });
    written.expect("nobody is in the way");
}

/// What a watcher gives now: each change and each marker, in words.
fn given(watcher: &mut Watcher, asks: &Asks) -> Vec<String> {
    let mut told = Vec::new();
    let mut open = false;
    for event in common::events(watcher) {
        match event {
            Event::Change(any) => {
                let change = any.of::<Task>().expect("a task's");
                if asks(change.old(), change.new()) {
                    told.push(format!("{} {change:?}", any.version()));
                    open = true;
                }
            }
            // Of a commit in which nothing was asked for there is to be no marker.
            Event::Commit(version) => {
                if std::mem::take(&mut open) {
                    told.push(format!("{version} closed"));
                }
            }
        }
    }
    told
}

#[test]
fn random_filters_give_what_they_ask_for_and_no_more() {
    let mut random = Random::new(11);
    let store = common::store();
    for _ in 0..60 {
        let (filter, asks) = random_filter(&mut random);
        let mut all = store.watch(Filter::all());
        let shown = format!("{filter:?}");
        let mut watcher = store.watch(filter);
        for _ in 0..40 {
            random_commit(&store, &mut random);
        }
        let everything: Asks = Rc::new(|_, _| true);
        let wanted = given(&mut all, &asks);
        assert_eq!(given(&mut watcher, &everything), wanted, "{shown}");
    }
}

#[test]
fn markers_come_for_matching_commits_alone() {
    let mut random = Random::new(12);
    let store = common::store();
    for _ in 0..20 {
        let (filter, asks) = random_filter(&mut random);
        let mut watcher = store.watch(filter);
        for _ in 0..20 {
            random_commit(&store, &mut random);
        }
        let mut changes_since_marker = 0;
        for event in common::events(&mut watcher) {
            match event {
                Event::Change(any) => {
                    let change = any.of::<Task>().expect("a task's");
                    assert!(asks(change.old(), change.new()));
                    changes_since_marker += 1;
                }
                Event::Commit(version) => {
                    assert!(changes_since_marker > 0, "a marker of nothing at {version}");
                    changes_since_marker = 0;
                }
            }
        }
        assert_eq!(changes_since_marker, 0, "each commit is closed");
    }
}

/// What a closure costs is paid by changes of its table that meet all else that is asked.
#[test]
fn a_closure_is_asked_of_what_meets_all_else() {
    let store = common::store();
    let tasks = Filter::of::<Task>;
    let prefix = Task::BY_NAME.prefix("task-7");
    let asked = [
        tasks(),
        tasks().deleted(),
        tasks().key(&7),
        tasks().value(Task::BY_NODE, 7u64),
        tasks().meets(prefix),
    ];
    let mut watchers = asked.map(|filter| {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let filter = filter.when(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            true
        });
        (store.watch(filter), calls)
    });
    let mut calls = || {
        watchers.each_mut().map(|(watcher, calls)| {
            let given = events(watcher).iter().filter_map(Event::change).count();
            let calls = calls.swap(0, Ordering::SeqCst);
            assert_eq!(given, calls, "it accepts what it is asked");
            calls
        })
    };
    put(&store, [account(7, 7)]);
    assert_eq!(calls(), [0; 5]);
    put(&store, [task(1), task(2)]);
    assert_eq!(calls(), [2, 0, 0, 0, 0]);
    let node = Some(7);
    put(&store, [Task { node, ..task(7) }]);
    assert_eq!(calls(), [1, 0, 1, 1, 1]);
    delete::<Task>(&store, &1);
    delete::<Task>(&store, &7);
    assert_eq!(calls(), [2, 2, 1, 1, 1]);
}
