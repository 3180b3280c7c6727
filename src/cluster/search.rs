//! A search: a finder that a table can answer.

use std::collections::HashSet;
use std::fmt;
use std::rc::Rc;

use super::finder::{Finder, InvalidFind};
use super::lookup::Lookup;
use super::object::ClusterObject;
use super::reads::{Reads, Results};
use crate::Id;
use crate::TableFilter;
use crate::keys;

/// What to look for in the table of `T`. Cloning shares it.
///
/// ```
/// use skep::Id;
/// use skep::cluster::{self, Finder, Node, Search};
///
/// let store = cluster::builder().build();
/// store.update(|tx| tx.create(Node::named(Id::random(), "East-1")))?;
/// let search = Search::<Node>::new(&Finder::NamePrefix("east".into()))?;
/// assert_eq!(search.find(&store.read()).count(), 1);
/// let slot = Finder::Slot { service: Id::random(), slot: 1 };
/// assert!(Search::<Node>::new(&slot).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Search<T: ClusterObject>(Step<T>);

#[derive(Clone)]
enum Step<T: ClusterObject> {
    One(Lookup<T>),
    AnyOf(Vec<Search<T>>),
    AllOf(Vec<Search<T>>),
    Not(Box<Search<T>>),
}

impl<T: ClusterObject> fmt::Debug for Search<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Step::One(lookup) => lookup.fmt(f),
            Step::AnyOf(searches) => f.debug_tuple("AnyOf").field(searches).finish(),
            Step::AllOf(searches) => f.debug_tuple("AllOf").field(searches).finish(),
            Step::Not(search) => f.debug_tuple("Not").field(search).finish(),
        }
    }
}

impl<T: ClusterObject> Search<T> {
    /// The finder as a search of the table of `T`.
    ///
    /// # Errors
    /// [`InvalidFind`] if the table cannot answer it, or one of the finders in it.
    pub fn new(finder: &Finder) -> Result<Self, InvalidFind> {
        let each = |finders: &[Finder]| {
            let searches = finders.iter().map(Self::new);
            searches.collect::<Result<Vec<_>, _>>()
        };
        let step = match finder {
            Finder::AnyOf(finders) => Step::AnyOf(each(finders)?),
            Finder::AllOf(finders) if finders.is_empty() => return Self::new(&Finder::All),
            Finder::AllOf(finders) => Step::AllOf(each(finders)?),
            Finder::Not(finder) => Step::Not(Box::new(Self::new(finder)?)),
            finder => Step::One(finder.lookup().ok_or(InvalidFind {
                table: T::TABLE,
                finder: finder.label(),
            })?),
        };
        Ok(Self(step))
    }

    /// One lookup.
    #[must_use]
    pub fn of(lookup: Lookup<T>) -> Self {
        Self(Step::One(lookup))
    }

    /// What it finds, lazily.
    ///
    /// One lookup costs what its query costs, and a box. [`Finder::AnyOf`] also remembers the IDs
    /// that it gave. [`Finder::AllOf`] walks what the first of its finders finds and checks each
    /// object by the others: put the narrowest first. In a transaction the ranges that are walked
    /// are tracked, whole, whatever is checked in them.
    pub fn find<'r>(&self, reads: &'r impl Reads) -> Results<'r, T> {
        self.walk(reads, None)
    }

    /// The same, from after an object that it has found: a page that begins where another, of
    /// whatever version, has ended. The object need not be there any more, but is to be as it was
    /// found; after one that it does not find comes nothing. [`Finder::AnyOf`] checks what it gives
    /// by those of its finders that the object was not found by.
    ///
    /// ```
    /// use skep::Id;
    /// use skep::cluster::{self, Finder, Node, Search};
    ///
    /// let store = cluster::builder().build();
    /// store.update(|tx| {
    ///     (1..=5).try_for_each(|at| tx.create(Node::named(Id::random(), format!("east-{at}"))))
    /// })?;
    /// let search = Search::<Node>::new(&Finder::NamePrefix("east".into()))?;
    /// let view = store.read();
    /// let mut page: Vec<&Node> = search.find(&view).take(2).collect();
    /// let mut sizes = Vec::new();
    /// while let Some(last) = page.last() {
    ///     sizes.push(page.len());
    ///     page = search.find_after(&view, last).take(2).collect();
    /// }
    /// assert_eq!(sizes, [2, 2, 1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find_after<'r>(&self, reads: &'r impl Reads, last: &T) -> Results<'r, T> {
        match self.matches(last) {
            true => self.walk(reads, Some(last)),
            false => Results::new(std::iter::empty()),
        }
    }

    /// What it finds; of it, if there is a last one, which it finds, what comes after that.
    fn walk<'r>(&self, reads: &'r impl Reads, last: Option<&T>) -> Results<'r, T> {
        match &self.0 {
            Step::One(lookup) => lookup.find(reads, last),
            Step::AnyOf(searches) => any_of(searches, reads, last),
            Step::AllOf(searches) => {
                let mut others = searches.iter();
                let found = others.next().map(|first| first.walk(reads, last));
                let others: Vec<Self> = others.cloned().collect();
                let found = found.into_iter().flatten();
                Results::new(found.filter(move |object| {
                    let mut others = others.iter();
                    others.all(|other| other.matches(object))
                }))
            }
            Step::Not(search) => {
                let (search, all) = (search.clone(), Lookup::of(keys::<T>().all(), |_| true));
                let all = all.find(reads, last);
                Results::new(all.filter(move |object| !search.matches(object)))
            }
        }
    }

    /// Whether it finds an object.
    #[must_use]
    pub fn matches(&self, object: &T) -> bool {
        match &self.0 {
            Step::One(lookup) => lookup.matches(object),
            Step::AnyOf(searches) => searches.iter().any(|search| search.matches(object)),
            Step::AllOf(searches) => searches.iter().all(|search| search.matches(object)),
            Step::Not(search) => !search.matches(object),
        }
    }

    /// The filter, narrowed to changes of what it finds: without a closure but for
    /// [`Finder::AnyOf`] and [`Finder::Not`].
    pub(super) fn narrow(self, filter: TableFilter<T>) -> TableFilter<T> {
        match self.0 {
            Step::One(lookup) => lookup.narrow(filter),
            Step::AnyOf(_) | Step::Not(_) => filter.when_object(move |object| self.matches(object)),
            Step::AllOf(searches) => searches
                .into_iter()
                .fold(filter, |filter, search| search.narrow(filter)),
        }
    }
}

/// What any of some searches finds, each object once, by the first that finds it.
fn any_of<'r, T: ClusterObject>(
    searches: &[Search<T>],
    reads: &'r impl Reads,
    last: Option<&T>,
) -> Results<'r, T> {
    let found_last = |last| searches.iter().position(|search| search.matches(last));
    let begin = last.and_then(found_last);
    // What these find has been given, also what came before the last.
    let given = begin.map_or(&[][..], |begin| &searches[..=begin]);
    let given: Rc<[Search<T>]> = given.into();
    let found = searches.iter().enumerate().skip(begin.unwrap_or(0));
    let found = found.map(|(at, search)| {
        let found = search.walk(reads, last.filter(|_| begin == Some(at)));
        let (given, before) = (Rc::clone(&given), at.min(given.len()));
        found.filter(move |object| {
            let mut given = given[..before].iter();
            !given.any(|search| search.matches(object))
        })
    });
    let found: Vec<_> = found.collect();
    let mut seen: HashSet<Id> = HashSet::new();
    let found = found.into_iter().flatten();
    Results::new(found.filter(move |object| seen.insert(object.key())))
}

/// What a finder finds in the table of `T`, lazily: see [`Search::find`].
///
/// # Errors
/// [`InvalidFind`] if the table cannot answer the finder.
pub fn find<'r, T: ClusterObject>(
    reads: &'r impl Reads,
    finder: &Finder,
) -> Result<Results<'r, T>, InvalidFind> {
    Ok(Search::new(finder)?.find(reads))
}
