//! What is looked for and watched for, at random, against what asking each object gives.

use std::collections::VecDeque;

use skep::cluster::{Finder, InvalidFind, Reads, Search, Specifier};
use skep::{Filter, Id, Kind, Store, Version, Watcher};

use super::any::{Any, Row, TABLES, of_table, pick};
use super::common::Random;
use super::finders::{Place, place, random_finder, unanswered};
use super::state::{State, Told};
use super::verbs::told;

/// What a finder finds, asked of each object, with where it comes.
fn places(table: &str, finder: &Finder, state: &State) -> Vec<(Place, Id)> {
    let rows = state.values().filter(|kept| kept.any.table() == table);
    let rows = rows.filter_map(|kept| Some((place(finder, &kept.any)?, kept.any.id())));
    let mut places: Vec<(Place, Id)> = rows.collect();
    places.sort();
    places
}

/// What a finder is to find.
pub fn wanted(table: &str, finder: &Finder, state: &State) -> Vec<Id> {
    let places = places(table, finder, state).into_iter();
    places.map(|(_, id)| id).collect()
}

/// The first of those that a finder finds.
pub fn found(table: &str, finder: &Finder, reads: &impl Reads, some: usize) -> Vec<Id> {
    of_table!(table, T => {
        let search = Search::<T>::new(finder).expect("the table answers it");
        search.find(reads).take(some).map(|it| it.id).collect()
    })
}

/// Looks for something, whole and in pages.
pub fn look(random: &mut Random, reads: &impl Reads, state: &State, older: &State) {
    let table = pick(random, &TABLES);
    let finder = random_finder(random, 2);
    let size = 1 + random.below(3) as usize;
    if let Some(label) = unanswered(&finder, table) {
        let refused = of_table!(table, T => Search::<T>::new(&finder).err());
        assert_eq!(
            refused,
            Some(InvalidFind {
                table,
                finder: label
            }),
            "{finder:?}"
        );
        return;
    }
    let ids = wanted(table, &finder, state);
    assert_eq!(
        found(table, &finder, reads, usize::MAX),
        ids,
        "{table} {finder:?}"
    );
    of_table!(table, T => {
        let search = Search::<T>::new(&finder).expect("the table answers it");
        for kept in state.values().filter(|kept| kept.any.table() == table) {
            let row = T::unwrap(&kept.any);
            assert_eq!(search.matches(row), ids.contains(&row.id), "{finder:?} {row:?}");
        }
        let mut pages: Vec<&T> = search.find(reads).take(size).collect();
        while let Some(last) = pages.last() {
            let page: Vec<&T> = search.find_after(reads, last).take(size).collect();
            if page.is_empty() {
                break;
            }
            pages.extend(page);
        }
        let pages: Vec<Id> = pages.into_iter().map(|it| it.id).collect();
        assert_eq!(pages, ids, "in pages of {size}: {table} {finder:?}");
        // After objects as they were once.
        let places = places(table, &finder, state);
        for kept in older.values().filter(|kept| kept.any.table() == table) {
            let after = place(&finder, &kept.any);
            let comes = |place: &Place| after.as_ref().is_some_and(|after| place > after);
            let rest = places.iter().filter(|(place, _)| comes(place));
            let rest: Vec<Id> = rest.map(|(_, id)| *id).collect();
            let found = search.find_after(reads, T::unwrap(&kept.any)).map(|it| it.id);
            let found: Vec<Id> = found.collect();
            assert_eq!(found, rest, "after {:?}: {table} {finder:?}", kept.any);
        }
    });
}

#[derive(Clone, Copy, Debug)]
enum Images {
    Either,
    AsItIs,
    AsItWas,
}

/// What one specifier asks for.
#[derive(Clone, Debug)]
pub struct Wish {
    table: &'static str,
    kinds: Vec<Kind>,
    images: Images,
    finders: Vec<Finder>,
}

impl Wish {
    fn random(random: &mut Random) -> Self {
        let table = pick(random, &TABLES);
        let kinds = [Kind::Created, Kind::Updated, Kind::Deleted];
        let kinds = kinds.into_iter().filter(|_| random.one_in(3)).collect();
        let images = pick(
            random,
            &[
                Images::Either,
                Images::Either,
                Images::AsItIs,
                Images::AsItWas,
            ],
        );
        let finders = (0..random.below(3)).map(|_| random_finder(random, 1));
        let finders = finders
            .filter(|finder| unanswered(finder, table).is_none())
            .collect();
        Self {
            table,
            kinds,
            images,
            finders,
        }
    }

    /// One that asks for objects, whatever becomes of them.
    pub fn of_objects(random: &mut Random) -> Self {
        let (kinds, images) = (Vec::new(), Images::Either);
        Self {
            kinds,
            images,
            ..Self::random(random)
        }
    }

    /// Whether an object is asked for.
    pub fn finds(&self, any: &Any) -> bool {
        let mut finders = self.finders.iter();
        any.table() == self.table && finders.all(|finder| place(finder, any).is_some())
    }

    fn filter(&self) -> Filter {
        of_table!(self.table, T => {
            let mut specifier = Specifier::<T>::new();
            for &kind in &self.kinds {
                specifier = specifier.kind(kind);
            }
            for finder in &self.finders {
                specifier = specifier.finder(finder).expect("the table answers it");
            }
            match self.images {
                Images::Either => specifier,
                Images::AsItIs => specifier.as_it_is(),
                Images::AsItWas => specifier.as_it_was(),
            }
            .into()
        })
    }

    fn asks_for(&self, told: &Told) -> bool {
        let kind = match (&told.old, &told.new) {
            (None, _) => Kind::Created,
            (_, None) => Kind::Deleted,
            _ => Kind::Updated,
        };
        let images = match self.images {
            Images::Either => vec![&told.old, &told.new],
            Images::AsItIs if told.new.is_none() => vec![&told.old],
            Images::AsItIs => vec![&told.new],
            Images::AsItWas => vec![&told.old],
        };
        let mut images = images.into_iter().flatten();
        told.key.0 == self.table
            && (self.kinds.is_empty() || self.kinds.contains(&kind))
            && images.any(|any| {
                self.finders
                    .iter()
                    .all(|finder| place(finder, any).is_some())
            })
    }
}

/// What any of them asks for; everything, of none.
pub fn filter_of(wishes: &[Wish]) -> Filter {
    let filters = wishes.iter().map(Wish::filter);
    filters.reduce(Filter::or).unwrap_or_else(Filter::all)
}

/// What a commit tells.
pub type Commit = (Version, Vec<Told>);

/// A watcher, and what it is to be given.
pub struct Watching {
    watcher: Watcher,
    wishes: Vec<Wish>,
    every_commit: bool,
    waits: VecDeque<Commit>,
}

impl Watching {
    /// One of everything.
    pub fn whole(store: &Store) -> Self {
        let watcher = store.watch(Filter::all());
        Self {
            watcher,
            wishes: Vec::new(),
            every_commit: false,
            waits: VecDeque::new(),
        }
    }

    /// One of something, from a version on after which there was a history.
    pub fn random(random: &mut Random, store: &Store, from: Version, history: &[Commit]) -> Self {
        let wishes: Vec<Wish> = (0..random.below(3)).map(|_| Wish::random(random)).collect();
        let every_commit = random.one_in(4);
        let mut filter = filter_of(&wishes);
        if every_commit {
            filter = filter.every_commit();
        }
        let watcher = match history.is_empty() && random.one_in(2) {
            true => store.watch(filter),
            false => store.watch_from(from, filter).expect("it is kept"),
        };
        let mut watching = Self {
            watcher,
            wishes,
            every_commit,
            waits: VecDeque::new(),
        };
        history.iter().for_each(|commit| watching.waits_for(commit));
        watching
    }

    /// A commit was made.
    pub fn waits_for(&mut self, (version, told): &Commit) {
        let asked =
            |it: &&Told| self.wishes.is_empty() || self.wishes.iter().any(|wish| wish.asks_for(it));
        let told: Vec<Told> = told.iter().filter(asked).cloned().collect();
        if self.every_commit || !told.is_empty() {
            self.waits.push_back((*version, told));
        }
    }

    /// Receives all that it is given, which is all that it waits for.
    pub fn receive(&mut self, mut given: impl FnMut(&skep::WatchedCommit)) {
        while let Some(commit) = self.watcher.try_recv_commit().expect("it keeps up") {
            given(&commit);
            let told: Vec<Told> = commit.changes.iter().map(told).collect();
            let (version, wanted) = self.waits.pop_front().unwrap_or_else(|| {
                panic!(
                    "{told:?} at {} is not asked for by {:?}",
                    commit.version, self.wishes
                )
            });
            let wishes = &self.wishes;
            assert_eq!((commit.version, &told), (version, &wanted), "{wishes:?}");
        }
        let wishes = &self.wishes;
        assert!(
            self.waits.is_empty(),
            "{:?} is not given for {wishes:?}",
            self.waits
        );
    }
}
