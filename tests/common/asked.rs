//! Random filters, with what they ask for in plain words, and a record of commits that they are
//! asked about.

use std::collections::BTreeMap;
use std::rc::Rc;

use skep::{Error, Filter, Images, Kind, Store, TableFilter, keys};

use crate::common::{Random, Task, task};

const IDS: u64 = 4;

/// An object before and after a commit.
pub type Written = (Option<Task>, Option<Task>);
pub type Asks = Rc<dyn Fn(&Task) -> bool>;

/// What was committed, and what there was then.
#[derive(Default)]
pub struct Record {
    pub commits: BTreeMap<u64, Vec<Written>>,
    states: BTreeMap<u64, BTreeMap<u64, Task>>,
}

impl Record {
    pub fn state(&self, version: u64) -> BTreeMap<u64, Task> {
        let state = self.states.range(..=version).next_back();
        state.map(|(_, state)| state.clone()).unwrap_or_default()
    }

    /// Commits some writes, also several of one object.
    pub fn commit(&mut self, store: &Store, random: &mut Random) {
        let before = self.state(u64::MAX);
        let mut after = before.clone();
        let writes: Vec<_> = (0..=random.below(5))
            .map(|_| random_write(random))
            .collect();
        let mut order: Vec<u64> = Vec::new();
        for (id, write) in &writes {
            let writes = write.is_some() || after.contains_key(id);
            if writes && !order.contains(id) {
                order.push(*id);
            }
            match write {
                Some(task) => drop(after.insert(*id, task.clone())),
                None => drop(after.remove(id)),
            }
        }
        let committed = store.update_versioned(|tx| {
            for (id, write) in &writes {
                match write {
                    Some(task) => tx.upsert(task.clone())?,
                    // Whether there was one does not matter.
                    None => drop(tx.delete::<Task>(id)),
                }
            }
            Ok::<_, Error>(())
        });
        let version = committed.expect("nobody is in the way").1;
        let images = order
            .iter()
            .map(|id| (before.get(id).cloned(), after.get(id).cloned()));
        let written: Vec<Written> = images.filter(|images| *images != (None, None)).collect();
        if !written.is_empty() {
            self.commits.insert(version.get(), written);
            self.states.insert(version.get(), after);
        }
    }
}

fn random_write(random: &mut Random) -> (u64, Option<Task>) {
    let id = random.below(IDS);
    if random.one_in(3) {
        return (id, None);
    }
    // One may have a value of an index twice.
    let tags = (0..random.below(3)).map(|_| ["a", "b"][random.below(2) as usize].to_owned());
    let task = Task {
        tags: tags.collect(),
        node: (!random.one_in(3)).then(|| random.below(3)),
        count: random.below(5) as i64,
        ..task(id)
    };
    (id, Some(task))
}

/// A clause of a filter, and what it asks for in plain words.
#[derive(Clone)]
struct Clause {
    filter: Filter,
    kinds: Vec<Kind>,
    /// What is asked of one image,
    asks: Asks,
    /// if anything is.
    of_images: bool,
    ids: Vec<u64>,
    images: Images,
}

fn random_value(random: &mut Random, filter: TableFilter<Task>) -> (TableFilter<Task>, Asks) {
    let node = random.below(3);
    match random.below(3) {
        0 => (
            filter.value(Task::BY_NODE, node),
            Rc::new(move |task| task.node == Some(node)),
        ),
        1 => (
            filter.value(Task::BY_TAG, "a"),
            Rc::new(|task| task.tags.iter().any(|tag| tag == "a")),
        ),
        _ => (
            filter.value(Task::BY_COUNT, node as i64),
            Rc::new(move |task| task.count == node as i64),
        ),
    }
}

fn random_condition(random: &mut Random, filter: TableFilter<Task>) -> (TableFilter<Task>, Asks) {
    let (node, other) = (random.below(3), random.below(3));
    match random.below(7) {
        0 => (
            filter.meets(Task::BY_NODE.any_of([node, other, node])),
            Rc::new(move |task| task.node == Some(node) || task.node == Some(other)),
        ),
        1 => (
            filter.meets(Task::BY_NODE.any_of(Vec::<u64>::new())),
            Rc::new(|_| false),
        ),
        2 => (
            filter.meets(Task::BY_TAG.any_of(["a", "b", "a"])),
            Rc::new(|task| !task.tags.is_empty()),
        ),
        3 => (
            filter.meets(Task::BY_NODE.eq(node).and(Task::BY_NODE.eq(other))),
            Rc::new(move |task| task.node == Some(node) && node == other),
        ),
        4 => (
            filter.meets(keys::<Task>().any_of([node, other, node])),
            Rc::new(move |task| task.id == node || task.id == other),
        ),
        5 => (
            filter.meets(Task::BY_TAG.eq("a").or(Task::BY_TAG.eq("a"))),
            Rc::new(|task| task.tags.iter().any(|tag| tag == "a")),
        ),
        _ => (
            filter.meets(Task::BY_COUNT.range(node as i64..)),
            Rc::new(move |task| task.count >= node as i64),
        ),
    }
}

fn random_clause(random: &mut Random) -> Clause {
    let mut filter = Filter::of::<Task>();
    let (mut kinds, mut ids) = (Vec::new(), Vec::new());
    let (mut values, mut all): (Vec<Asks>, Vec<Asks>) = (Vec::new(), Vec::new());
    if random.one_in(3) {
        for _ in 0..2 {
            let kind = [Kind::Created, Kind::Updated, Kind::Deleted][random.below(3) as usize];
            kinds.push(kind);
            filter = filter.kind(kind);
        }
    }
    if random.one_in(3) {
        for _ in 0..=random.below(3) {
            let id = random.below(IDS);
            ids.push(id);
            filter = filter.key(&id);
        }
    }
    if random.one_in(2) {
        for _ in 0..=random.below(3) {
            let (narrowed, asks) = random_value(random, filter);
            filter = narrowed;
            values.push(asks);
        }
    }
    if random.one_in(2) {
        for _ in 0..=random.below(2) {
            let (narrowed, asks) = random_condition(random, filter);
            filter = narrowed;
            all.push(asks);
        }
    }
    if random.one_in(6) {
        filter = filter.when_object(|task| task.count % 2 == 0);
        all.push(Rc::new(|task| task.count % 2 == 0));
    }
    let images = match random.below(4) {
        0 => Images::Last,
        1 => Images::Before,
        _ => Images::Either,
    };
    // Who asks for the image before asks that there was one.
    let of_images = !values.is_empty() || !all.is_empty() || images == Images::Before;
    let asks = move |task: &Task| {
        (values.is_empty() || values.iter().any(|asks| asks(task)))
            && all.iter().all(|asks| asks(task))
    };
    Clause {
        filter: filter.images(images).into(),
        kinds,
        asks: Rc::new(asks),
        of_images,
        ids,
        images,
    }
}

impl Clause {
    /// What the documentation of filters says.
    fn matches(&self, (old, new): &Written) -> bool {
        let kind = match (old, new) {
            (None, _) => Kind::Created,
            (_, None) => Kind::Deleted,
            _ => Kind::Updated,
        };
        let asks = |image: &Option<Task>| image.as_ref().is_some_and(|task| (self.asks)(task));
        let met = match self.images {
            Images::Either => asks(old) || asks(new),
            Images::Last if new.is_none() => asks(old),
            Images::Last => asks(new),
            Images::Before => asks(old),
        };
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.ids.is_empty() || self.ids.contains(&id_of(&(old.clone(), new.clone()))))
            && (!self.of_images || met)
    }

    /// Whether an object as it is is asked for.
    fn is_about(&self, task: &Task) -> bool {
        (self.ids.is_empty() || self.ids.contains(&task.id)) && (self.asks)(task)
    }
}

pub fn id_of((old, new): &Written) -> u64 {
    new.as_ref().or(old.as_ref()).expect("an image").id
}

/// Clauses, of which one is to be met.
#[derive(Clone)]
pub struct Asked(Vec<Clause>);

impl Asked {
    pub fn random(random: &mut Random) -> Self {
        let mut clauses: Vec<Clause> = (0..=random.below(2))
            .map(|_| random_clause(random))
            .collect();
        if random.one_in(5) {
            // The same twice.
            clauses.push(clauses[0].clone());
        }
        Self(clauses)
    }

    pub fn filter(&self) -> Filter {
        let filters = self.0.iter().map(|clause| clause.filter.clone());
        filters.reduce(Filter::or).expect("one at least")
    }

    pub fn matches(&self, written: &Written) -> bool {
        self.0.iter().any(|clause| clause.matches(written))
    }

    /// Notes what a change that matches tells.
    pub fn know(&self, known: &mut BTreeMap<u64, Task>, written: &Written) {
        let new = written
            .1
            .as_ref()
            .filter(|new| self.0.iter().any(|it| it.is_about(new)));
        match new {
            Some(new) => drop(known.insert(new.id, new.clone())),
            None => drop(known.remove(&id_of(written))),
        }
    }

    /// What one knows who was told of everything after a version, up to another.
    pub fn known(&self, record: &Record, begin: u64, version: u64) -> BTreeMap<u64, Task> {
        let mut known = BTreeMap::new();
        for (_, commit) in record.commits.range(begin + 1..version + 1) {
            for written in commit.iter().filter(|it| self.matches(it)) {
                self.know(&mut known, written);
            }
        }
        known
    }
}
