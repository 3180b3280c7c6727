//! Watchers that coalesce against plain ones with the same filter: where several changes are made
//! one, the newest state of no object is lost; a filter with which it could be is not coalesced.

mod common;

use std::collections::BTreeMap;
use std::rc::Rc;

use common::{
    Account, Random, Task, account, builder, counted, delete, put, scaled, store, wait_for_delivery,
};
use skep::{
    AnyChange, Change, Event, Filter, Images, Kind, Object, Overflow, Store, TableFilter, Version,
    WatchError, Watcher, keys,
};

const KINDS: [Kind; 3] = [Kind::Created, Kind::Updated, Kind::Deleted];
const IDS: u64 = 3;
const NODES: u64 = 3;

/// Whether an object is asked for.
type Asks = Rc<dyn Fn(&Task) -> bool>;

fn coalesced(filter: impl Into<Filter>, events_max: u32) -> Filter {
    let filter = filter.into().events_max(events_max);
    filter.overflow(Overflow::Coalesce)
}

fn on_node(id: u64, node: u64, count: i64) -> Task {
    Task {
        node: Some(node),
        ..counted(id, count)
    }
}

/// The first that a watcher with so many changes waiting is given.
fn first_of_many(filter: impl Into<Filter>) -> Result<Option<Event>, WatchError> {
    let store = store();
    let mut watcher = store.watch(coalesced(filter, 8));
    put(&store, [on_node(1, 8, 1)]);
    put(&store, [on_node(1, 7, 2)]);
    put(&store, [on_node(1, 8, 3)]);
    for count in 4..40 {
        put(&store, [on_node(2, 7, count)]);
    }
    wait_for_delivery(&store);
    watcher.try_recv()
}

#[test]
fn what_could_be_lost_by_coalescing_lags_instead() {
    let tasks = Filter::of::<Task>;
    let on_seven = || tasks().value(Task::BY_NODE, 7u64);
    let lagging: [Filter; 7] = [
        tasks().updated().or(on_seven()),
        tasks().created().updated().or(tasks().deleted()),
        on_seven().created().updated().into(),
        on_seven().images(Images::Before).into(),
        on_seven().images(Images::Last).into(),
        tasks()
            .when_object(|task| task.node == Some(7))
            .images(Images::Before)
            .into(),
        tasks().when(|_| true).into(),
    ];
    for filter in lagging {
        let told = first_of_many(filter.clone());
        let lagged = matches!(told, Err(WatchError::Lagged { .. }));
        assert!(lagged, "{filter:?}: {told:?}");
    }
    let all_kinds = || tasks().created().updated().deleted();
    let coalescing: [Filter; 9] = [
        Filter::all(),
        tasks().into(),
        on_seven().into(),
        on_seven().or(tasks().meets(keys::<Task>().eq(2u64))),
        tasks().when_object(|task| task.node == Some(7)).into(),
        tasks().updated().into(),
        tasks().created().updated().key(&1).key(&2).into(),
        tasks().updated().or(Filter::of::<Account>().created()),
        all_kinds().value(Task::BY_NODE, 7u64).or(all_kinds()),
    ];
    for filter in coalescing {
        let told = first_of_many(filter.clone());
        let given = matches!(told, Ok(Some(Event::Change(_))));
        assert!(given, "{filter:?}: {told:?}");
    }
}

/// An object that comes and goes is one, however often, unless it is changed while it is gone.
#[test]
fn visits_between_which_an_object_was_changed_are_told_apart() {
    for (changes_elsewhere, lags) in [(1, false), (2, true)] {
        let store = store();
        let on_seven = Filter::of::<Task>().value(Task::BY_NODE, 7u64);
        let mut watcher = store.watch(coalesced(on_seven, 16));
        for visit in 0..40 {
            put(&store, [on_node(1, 7, visit)]);
            for change in 0..changes_elsewhere {
                put(&store, [on_node(1, 8, change)]);
            }
        }
        wait_for_delivery(&store);
        let told = watcher.try_recv();
        let lagged = matches!(told, Err(WatchError::Lagged { .. }));
        assert_eq!(lagged, lags, "{told:?}");
    }
}

/// The events of a watcher that goes back to before a lag go on from what it was told before: also
/// where something had come and gone by then.
#[test]
fn what_came_and_went_before_a_lag_is_not_told_after_going_back() {
    let store = builder().table::<Task>().history_commits(1_000).build();
    let on_seven = Filter::of::<Task>().value(Task::BY_NODE, 7u64);
    let mut watcher = store.watch(coalesced(on_seven, 2));
    put(&store, [on_node(1, 7, 0)]);
    put(&store, [on_node(2, 7, 0)]);
    // It does not fit: the first one has come and gone.
    delete::<Task>(&store, &1);
    wait_for_delivery(&store);
    let mut told = Vec::new();
    let mut take = |watcher: &mut Watcher| {
        let event = watcher.try_recv()?;
        let change = event.as_ref().and_then(Event::change);
        let change = change.and_then(|it| it.of::<Task>());
        told.extend(change.map(|it| {
            let task = it.new().or(it.old()).expect("one of them is there");
            (task.id, it.kind())
        }));
        Ok::<_, WatchError>(event.is_some())
    };
    while take(&mut watcher) == Ok(true) && watcher.position() < Version::new(2) {}
    for id in 3..6 {
        put(&store, [on_node(id, 7, 0)]);
    }
    wait_for_delivery(&store);
    while take(&mut watcher).is_ok() {}
    watcher.resume().expect("the history has it");
    while take(&mut watcher) == Ok(true) {}
    let created = [2, 3, 4, 5].map(|id| (id, Kind::Created));
    assert_eq!(told, created);
}

/// A watcher that goes back is given single changes again: none of them is made one with what came
/// later, of which it would then be told no more.
#[test]
fn what_is_given_again_after_going_back_is_no_part_of_what_was_made_one() {
    let builder = builder().table::<Task>().history_commits(1_000);
    let store = builder.build();
    let on_seven = Filter::of::<Task>().value(Task::BY_NODE, 7u64);
    let mut watcher = store.watch(coalesced(on_seven, 8));
    for id in 10..20 {
        put(&store, [on_node(id, 7, 0)]);
    }
    wait_for_delivery(&store);
    while !matches!(watcher.try_recv(), Err(WatchError::Lagged { .. })) {}
    while watcher.try_recv().unwrap().is_some() {}
    // The first one comes and goes; the last of them does not fit in the mailbox any more.
    put(&store, [on_node(1, 7, 0)]);
    put(&store, [on_node(2, 7, 0)]);
    for count in 1..7 {
        put(&store, [on_node(10, 7, count)]);
    }
    delete::<Task>(&store, &1);
    wait_for_delivery(&store);
    let change = watcher.try_recv().unwrap().expect("of the second");
    let new = change.change().and_then(|it| it.new_object::<Task>());
    assert_eq!(new.map(|task| task.id), Some(2), "the first came and went");
    watcher.resume().expect("the history has it");
    let mut kinds = Vec::new();
    while let Some(event) = watcher.try_recv().unwrap() {
        let change = event.change().and_then(|it| it.of::<Task>());
        let of_first = |change: &Change<'_, Task>| {
            let image = change.new().or(change.old());
            image.is_some_and(|task| task.id == 1)
        };
        kinds.extend(change.filter(of_first).map(Change::kind));
    }
    assert_eq!(kinds, [Kind::Created, Kind::Deleted]);
}

/// A filter, and what a watcher with it is to know of tasks.
struct Way {
    filter: Filter,
    /// For each clause about tasks, what it asks of them.
    asks: Vec<Vec<Asks>>,
    /// Whether it knows what it was told of last, and not what it asks for: where a clause asks for
    /// some kinds, or one image.
    knows_all_told: bool,
}

/// Some of all kinds; none means all.
fn random_kinds<T: Object>(random: &mut Random, filter: &mut TableFilter<T>) -> bool {
    if random.one_in(2) {
        return false;
    }
    let wanted = random.below(1 << KINDS.len());
    let kinds = KINDS.into_iter().enumerate();
    let kinds = kinds.filter(|(at, _)| wanted & 1 << at != 0);
    *filter = kinds.fold(
        std::mem::replace(filter, Filter::of()),
        |filter, (_, kind)| filter.kind(kind),
    );
    wanted != 0 && wanted != (1 << KINDS.len()) - 1
}

fn random_clause(random: &mut Random, way: &mut Way) -> Filter {
    let mut filter = Filter::of::<Task>();
    let mut asks: Vec<Asks> = Vec::new();
    way.knows_all_told |= random_kinds(random, &mut filter);
    if random.one_in(4) {
        let id = random.below(IDS);
        filter = filter.key(&id);
        asks.push(Rc::new(move |task| task.id == id));
    }
    let asks_of_keys = asks.len();
    if random.one_in(3) {
        let nodes = [random.below(NODES), random.below(NODES)];
        filter = nodes
            .iter()
            .fold(filter, |filter, &node| filter.value(Task::BY_NODE, node));
        asks.push(Rc::new(move |task| {
            task.node.is_some_and(|node| nodes.contains(&node))
        }));
    }
    if random.one_in(4) {
        let (node, id) = (random.below(NODES), random.below(IDS));
        filter = filter.meets(Task::BY_NODE.eq(node).or(keys::<Task>().eq(id)));
        asks.push(Rc::new(move |task| {
            task.node == Some(node) || task.id == id
        }));
    }
    if random.one_in(4) {
        let node = random.below(NODES);
        filter = filter.when_object(move |task| task.node != Some(node));
        asks.push(Rc::new(move |task| task.node != Some(node)));
    }
    let asks_images = asks.len() > asks_of_keys;
    if random.one_in(3) {
        let images = [Images::Last, Images::Before][random.below(2) as usize];
        filter = filter.images(images);
        way.knows_all_told |= asks_images;
    }
    way.asks.push(asks);
    filter.into()
}

fn random_way(random: &mut Random) -> Way {
    let mut accounts = Filter::of::<Account>();
    random_kinds(random, &mut accounts);
    let mut way = Way {
        filter: accounts.into(),
        asks: Vec::new(),
        knows_all_told: false,
    };
    let with_accounts = random.one_in(4);
    let clauses = (0..=random.below(5) / 2).map(|_| random_clause(random, &mut way));
    let clauses = clauses.reduce(Filter::or).expect("there is one");
    way.filter = match with_accounts {
        true => clauses.or(way.filter),
        false => clauses,
    };
    way
}

/// A watcher, and what it knows of tasks by what it was told.
struct Copy<'w> {
    way: &'w Way,
    watcher: Watcher,
    counts: BTreeMap<u64, i64>,
    /// How many changes were made of several.
    joined: usize,
}

impl<'w> Copy<'w> {
    fn begin(store: &Store, way: &'w Way, filter: Filter) -> Self {
        Self {
            way,
            watcher: store.watch(filter),
            counts: BTreeMap::new(),
            joined: 0,
        }
    }

    /// Takes what is there; false: it was told that something was lost.
    fn follow(&mut self) -> bool {
        loop {
            match self.watcher.try_recv() {
                Ok(Some(Event::Change(change))) => self.take(&change),
                Ok(Some(Event::Commit(_))) => {}
                Ok(None) => return true,
                Err(WatchError::Lagged { .. }) => return false,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn take(&mut self, any: &AnyChange) {
        self.joined += usize::from(any.since() < any.version());
        let Some(change) = any.of::<Task>() else {
            return;
        };
        let mut asks = self.way.asks.iter();
        let is_known = |task: &&Task| {
            self.way.knows_all_told || asks.any(|asks| asks.iter().all(|ask| ask(task)))
        };
        match (change.new().filter(is_known), change.old()) {
            (Some(new), _) => {
                self.counts.insert(new.id, new.count);
            }
            (None, old) => {
                let key = old.or(change.new()).map(Object::key);
                self.counts.remove(&key.expect("an image"));
            }
        }
    }
}

fn random_commit(store: &Store, random: &mut Random, count: i64) {
    let id = random.below(IDS);
    match random.below(12) {
        0 | 1 if store.read().get::<Task>(&id).is_some() => {
            delete::<Task>(store, &id);
        }
        2 => {
            put(store, [account(id as u32, count)]);
        }
        _ => {
            let other = random.below(IDS);
            let nodes = [(); 2].map(|()| random.below(NODES + 1));
            let tasks = [(id, nodes[0]), (other, nodes[1])];
            let distinct = if id == other { &tasks[..1] } else { &tasks };
            let tasks = distinct.iter().map(|&(id, node)| Task {
                node: (node < NODES).then_some(node),
                ..counted(id, count)
            });
            put(store, tasks);
        }
    }
}

#[test]
fn who_coalesces_knows_what_a_plain_watcher_knows() {
    let mut random = Random::new(3);
    let store = store();
    let (mut joined, mut joined_of_kinds, mut lags) = (0, 0, 0);
    let mut count = 0;
    for _ in 0..scaled(200, 5_000) {
        let way = random_way(&mut random);
        let begin = || {
            let plain = Copy::begin(&store, &way, way.filter.clone());
            let bounds = coalesced(way.filter.clone(), 24);
            (plain, Copy::begin(&store, &way, bounds))
        };
        let (mut plain, mut coalescing) = begin();
        for _ in 0..6 {
            for _ in 0..random.below(50) {
                count += 1;
                random_commit(&store, &mut random, count);
            }
            assert!(plain.follow(), "it is not bounded");
            if !coalescing.follow() {
                lags += 1;
                (plain, coalescing) = begin();
                continue;
            }
            assert_eq!(coalescing.counts, plain.counts, "{:?}", way.filter);
        }
        joined += coalescing.joined;
        joined_of_kinds += coalescing.joined * usize::from(way.knows_all_told);
        assert_eq!(plain.joined, 0);
    }
    assert!(
        joined > 200 && joined_of_kinds > 20 && lags > 100,
        "{joined} {joined_of_kinds} {lags}"
    );
}
