//! Watches of every kind of filter, by the log and by mailboxes, from the beginning and from older
//! versions, against a plain look at every change.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use skep::{Event, Filter, Images, Kind, Store, TableFilter, Version, Watcher, fold_case};

use crate::item::{Item, group, key, label, name, tag};
use crate::queries::{Write, write};
use crate::question::{Question, State};

/// Commits kept for watchers that begin late: all of them.
const HISTORY: u64 = 1 << 20;

/// An index value.
#[derive(Arbitrary, Clone, Debug)]
pub enum Value {
    /// Of the group.
    Group(#[arbitrary(with = group)] Option<u8>),
    /// Of the unique index.
    Name(#[arbitrary(with = name)] u8),
    /// Of the tags.
    Tag(#[arbitrary(with = tag)] u8),
    /// Of the label, in any case.
    Label(#[arbitrary(with = label)] String),
}

impl Value {
    fn asked(&self, filter: TableFilter<Item>) -> TableFilter<Item> {
        match self {
            // In none: no object has it.
            Self::Group(group) => filter.value(Item::BY_GROUP, group.unwrap_or(u8::MAX)),
            Self::Name(name) => filter.value(Item::BY_NAME, *name),
            Self::Tag(tag) => filter.value(Item::BY_TAG, *tag),
            Self::Label(label) => filter.value(Item::BY_LABEL, label.clone()),
        }
    }

    fn is_of(&self, item: &Item) -> bool {
        match self {
            Self::Group(group) => group.is_some() && item.group == *group,
            Self::Name(name) => item.name == *name,
            Self::Tag(tag) => item.tags().any(|own| own == *tag),
            Self::Label(label) => fold_case(item.label.clone()) == fold_case(label.clone()),
        }
    }
}

/// Conditions of one clause, as [`TableFilter`] joins them.
#[derive(Arbitrary, Clone, Debug)]
pub struct Clause {
    kinds: Option<[bool; 3]>,
    #[arbitrary(with = keys)]
    keys: Vec<u8>,
    values: Vec<Value>,
    meets: Vec<Question>,
    /// Bits of a payload, of which the object is to have one.
    check: Option<u8>,
    /// Whether the payload is to have grown.
    grown: bool,
    /// 0 to 2: which image is asked.
    images: u8,
}

fn keys(u: &mut arbitrary::Unstructured<'_>) -> arbitrary::Result<Vec<u8>> {
    let count = u.int_in_range(0..=3)?;
    (0..count).map(|_| key(u)).collect()
}

/// What commits have markers for a watcher.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Markers {
    OfMatching,
    OfEvery,
    OfNone,
}

/// A watcher.
#[derive(Arbitrary, Clone, Debug)]
pub struct Watch {
    /// None: every change.
    clauses: Vec<Clause>,
    markers: Markers,
    /// Whether it has a mailbox, whatever it asks for.
    bounded: bool,
    /// After how many commits it begins, and whether it goes back to the first then.
    begins: u8,
    from_the_first: bool,
}

/// Commits, and who watches them.
#[derive(Arbitrary, Clone, Debug)]
pub struct Run {
    /// Committed one after the other.
    pub commits: Vec<Vec<Write>>,
    /// Watching.
    pub watches: Vec<Watch>,
}

/// A change: the object before and after.
type Seen = (Option<Item>, Option<Item>);

/// What a commit changed, in the order in which the keys were first written.
struct Committed {
    version: Version,
    changes: Vec<Seen>,
}

impl Clause {
    fn images(&self) -> Images {
        [Images::Either, Images::Last, Images::Before][usize::from(self.images % 3)]
    }

    fn kinds(&self) -> impl Iterator<Item = Kind> {
        let kinds = [Kind::Created, Kind::Updated, Kind::Deleted];
        let wanted = self.kinds.unwrap_or_default();
        kinds
            .into_iter()
            .zip(wanted)
            .filter(|(_, wanted)| *wanted)
            .map(|(kind, _)| kind)
    }

    fn filter(&self) -> TableFilter<Item> {
        let mut filter = Filter::of::<Item>().images(self.images());
        for kind in self.kinds() {
            filter = filter.kind(kind);
        }
        for key in &self.keys {
            filter = filter.key(key);
        }
        for value in &self.values {
            filter = value.asked(filter);
        }
        for question in &self.meets {
            filter = question.condition(filter);
        }
        if let Some(bits) = self.check {
            filter = filter.when_object(move |item| item.value & bits != 0);
        }
        if self.grown {
            filter = filter.when(|change| match (change.old(), change.new()) {
                (Some(old), Some(new)) => old.value < new.value,
                _ => false,
            });
        }
        filter
    }

    fn object_matches(&self, item: &Item) -> bool {
        let mut values = self.values.iter().peekable();
        (values.peek().is_none() || values.any(|value| value.is_of(item)))
            && self.meets.iter().all(|question| question.is_met(item))
            && self.check.is_none_or(|bits| item.value & bits != 0)
    }

    /// What the documentation says of a change.
    fn matches(&self, (old, new): &Seen) -> bool {
        let kind = match (old, new) {
            (None, _) => Kind::Created,
            (_, Some(_)) => Kind::Updated,
            (_, None) => Kind::Deleted,
        };
        let key = old.iter().chain(new).map(|item| item.key).next();
        let met = |image: &Option<Item>| image.as_ref().is_some_and(|it| self.object_matches(it));
        // Who asks for the image before asks that there was one.
        let asks_images = !self.values.is_empty()
            || !self.meets.is_empty()
            || self.check.is_some()
            || matches!(self.images(), Images::Before);
        let images = match self.images() {
            Images::Before => met(old),
            Images::Last if new.is_none() => met(old),
            Images::Last => met(new),
            _ => met(old) || met(new),
        };
        let grown = || match (old, new) {
            (Some(old), Some(new)) => old.value < new.value,
            _ => false,
        };
        (self.kinds().next().is_none() || self.kinds().any(|wanted| wanted == kind))
            && (self.keys.is_empty() || key.is_some_and(|key| self.keys.contains(&key)))
            && (!asks_images || images)
            && (!self.grown || grown())
    }
}

impl Watch {
    fn filter(&self) -> Filter {
        let clauses = self
            .clauses
            .iter()
            .map(|clause| Filter::from(clause.filter()));
        let filter = clauses.reduce(Filter::or).unwrap_or_else(Filter::all);
        let filter = match self.bounded {
            true => filter.events_max(1 << 20),
            false => filter,
        };
        match self.markers {
            Markers::OfMatching => filter,
            Markers::OfEvery => filter.every_commit(),
            Markers::OfNone => filter.changes_only(),
        }
    }

    fn matches(&self, seen: &Seen) -> bool {
        self.clauses.is_empty() || self.clauses.iter().any(|clause| clause.matches(seen))
    }

    fn begin(&self, store: &Store) -> Watcher {
        match self.from_the_first {
            true => store
                .watch_from(Version::ZERO, self.filter())
                .expect("all is kept"),
            false => store.watch(self.filter()),
        }
    }

    /// Receives all, and compares it with all that was committed after it began; gives how many
    /// changes that were.
    fn check(&self, watcher: &mut Watcher, committed: &[Committed], newest: Version) -> usize {
        let mut seen = 0;
        let mut expected = committed.iter().filter_map(|commit| {
            let changes = commit.changes.iter().filter(|seen| self.matches(seen));
            let changes: Vec<&Seen> = changes.collect();
            (!changes.is_empty()).then_some((commit.version, changes))
        });
        let mut changes = Vec::new();
        while let Some(event) = watcher.try_recv().expect("nothing is beyond its bounds") {
            match event {
                Event::Change(change) => {
                    let change = change.of::<Item>().expect("there is one table");
                    changes.push((change.old().cloned(), change.new().cloned()));
                }
                Event::Commit(version) => {
                    if changes.is_empty() {
                        assert_eq!(self.markers, Markers::OfEvery, "a marker of nothing");
                        continue;
                    }
                    let (due, wanted) = expected.next().expect("nothing more was committed");
                    assert_eq!(version, due);
                    let got: Vec<&Seen> = changes.iter().collect();
                    assert_eq!(got, wanted, "{version}");
                    seen += got.len();
                    changes.clear();
                }
            }
        }
        if self.markers == Markers::OfNone {
            let wanted = expected.by_ref().flat_map(|(_, changes)| changes);
            let wanted: Vec<&Seen> = wanted.collect();
            let got: Vec<&Seen> = changes.iter().collect();
            assert_eq!(got, wanted);
            seen += changes.drain(..).count();
        }
        assert!(changes.is_empty(), "a commit without its marker");
        let missing = expected.next().map(|(version, _)| version);
        assert_eq!(missing, None, "a commit did not come");
        assert!(watcher.position() <= newest);
        seen
    }
}

/// What a transaction changed, from the states before and after it and the order of its writes.
fn changes(before: &State, after: &State, writes: &[Write]) -> Vec<(u8, Seen)> {
    let mut seen = BTreeMap::new();
    let keys = writes.iter().map(|write| match write {
        Write::Put(item) => item.key,
        Write::Delete(key) => *key,
    });
    let mut order: Vec<u8> = Vec::new();
    for key in keys {
        if !order.contains(&key) {
            order.push(key);
        }
        let images = (before.get(&key).cloned(), after.get(&key).cloned());
        seen.insert(key, images);
    }
    order
        .into_iter()
        .map(|key| (key, seen[&key].clone()))
        .collect()
}

impl Run {
    /// Commits all, and has every watcher tell what it saw; gives how many changes that were.
    ///
    /// # Panics
    /// If one saw anything else than what was committed and matches.
    pub fn play(&self) -> usize {
        let store = Store::builder()
            .table::<Item>()
            .history_commits(HISTORY)
            .build();
        let mut state = State::new();
        let mut committed: Vec<Committed> = Vec::new();
        let mut watching: Vec<(&Watch, usize, Watcher)> = Vec::new();
        for at in 0..=self.commits.len() {
            for watch in &self.watches {
                if usize::from(watch.begins) % (self.commits.len() + 1) == at {
                    let since = if watch.from_the_first {
                        0
                    } else {
                        committed.len()
                    };
                    watching.push((watch, since, watch.begin(&store)));
                }
            }
            let Some(writes) = self.commits.get(at) else {
                break;
            };
            let before = state.clone();
            let mut tx = store.begin();
            let done = write(&mut tx, &mut state, writes);
            let version = tx.commit().expect("nobody else writes");
            let changes = changes(&before, &state, &done);
            // What was created and deleted again never was.
            let changes = changes.into_iter().map(|(_, seen)| seen);
            let changes: Vec<Seen> = changes.filter(|seen| *seen != (None, None)).collect();
            if !changes.is_empty() {
                committed.push(Committed { version, changes });
            }
        }
        let newest = store.version();
        let seen = watching
            .iter_mut()
            .map(|(watch, since, watcher)| watch.check(watcher, &committed[*since..], newest));
        seen.sum()
    }
}
