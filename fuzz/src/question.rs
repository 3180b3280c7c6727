//! A question: a query as data, put to a store in its own terms and answered by a plain look at
//! every object.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use arbitrary::Arbitrary;
use skep::{Condition, Query, Snapshot, TableFilter, Transaction, View, fold_case, keys};

use crate::item::{Item, group, key, label, name, tag};

/// The objects of one version, by key.
pub type State = BTreeMap<u8, Item>;

/// One index asked.
#[derive(Arbitrary, Clone, Debug)]
pub enum Part {
    /// Keys in a range; an empty one, if the first is beyond the last.
    Keys(#[arbitrary(with = key)] u8, #[arbitrary(with = key)] u8),
    /// Any of these keys.
    AnyKey(Vec<u8>),
    /// A group.
    Group(#[arbitrary(with = group)] Option<u8>),
    /// Groups after one.
    GroupsAfter(#[arbitrary(with = group)] Option<u8>),
    /// A name.
    Name(#[arbitrary(with = name)] u8),
    /// Tags in a range.
    Tags(#[arbitrary(with = tag)] u8, #[arbitrary(with = tag)] u8),
    /// Any of these tags.
    AnyTag(Vec<u8>),
    /// The beginning of a label.
    Prefix(#[arbitrary(with = label)] String),
    /// A label.
    Label(#[arbitrary(with = label)] String),
}

/// How a second part is joined.
#[derive(Arbitrary, Clone, Debug)]
pub enum Join {
    /// There is none.
    Alone,
    /// Both are met.
    And(Part),
    /// One is met.
    Or(Part),
    /// The first is met, and this is not.
    Except(Part),
}

/// A query.
#[derive(Arbitrary, Clone, Debug)]
pub struct Question {
    /// What is asked first.
    pub part: Part,
    /// And then.
    pub join: Join,
    /// In the opposite order.
    pub reversed: bool,
    /// So many at most; 0 is no limit.
    pub limit: u8,
}

/// A condition that a watcher may keep, too.
trait Asking: Condition<Item> + Send + Sync + 'static {}

impl<C: Condition<Item> + Send + Sync + 'static> Asking for C {}

/// What a query is given to.
trait Ask {
    fn ask<C: Asking>(&mut self, query: Query<Item, C>);
}

/// Joins a first query and the one that it is asked.
struct Joined<'a, C, A> {
    first: Query<Item, C>,
    join: &'a Join,
    ask: &'a mut A,
}

impl<C: Asking, A: Ask> Ask for Joined<'_, C, A> {
    fn ask<D: Asking>(&mut self, second: Query<Item, D>) {
        let first = self.first.clone();
        match self.join {
            Join::Alone => {}
            Join::And(_) => self.ask.ask(first.and(second)),
            Join::Or(_) => self.ask.ask(first.or(second)),
            Join::Except(_) => self.ask.ask(first.except(second)),
        }
    }
}

/// Joins the query that it is asked and a second one.
struct Joining<'a, A> {
    join: &'a Join,
    ask: &'a mut A,
}

impl<A: Ask> Ask for Joining<'_, A> {
    fn ask<C: Asking>(&mut self, first: Query<Item, C>) {
        let (join, ask) = (self.join, &mut *self.ask);
        match join {
            Join::Alone => ask.ask(first),
            Join::And(second) | Join::Or(second) | Join::Except(second) => {
                second.put(&mut Joined { first, join, ask });
            }
        }
    }
}

/// Nothing is beyond the last group, and in none.
fn at_or_beyond(group: Option<u8>) -> u8 {
    group.unwrap_or(u8::MAX)
}

impl Part {
    fn put(&self, ask: &mut impl Ask) {
        match self {
            Self::Keys(first, last) => ask.ask(keys::<Item>().range(*first..=*last)),
            Self::AnyKey(any) => ask.ask(keys::<Item>().any_of(any.iter().copied())),
            Self::Group(group) => ask.ask(Item::BY_GROUP.eq(at_or_beyond(*group))),
            Self::GroupsAfter(None) => ask.ask(Item::BY_GROUP.all()),
            Self::GroupsAfter(Some(group)) => {
                use std::ops::Bound::{Excluded, Unbounded};
                ask.ask(Item::BY_GROUP.range((Excluded(*group), Unbounded)));
            }
            Self::Name(name) => ask.ask(Item::BY_NAME.eq(*name)),
            Self::Tags(first, last) => ask.ask(Item::BY_TAG.range(*first..=*last)),
            Self::AnyTag(any) => ask.ask(Item::BY_TAG.any_of(any.iter().copied())),
            Self::Prefix(prefix) => ask.ask(Item::BY_LABEL.prefix(prefix)),
            Self::Label(label) => ask.ask(Item::BY_LABEL.eq(label.clone())),
        }
    }

    /// By which value an object is shown, if it is: numbers as a text of one character, so that
    /// they compare alike.
    fn shown_by(&self, item: &Item, reversed: bool) -> Option<String> {
        let number = |number: u8| char::from(number).to_string();
        let first_of = |tags: &mut dyn DoubleEndedIterator<Item = u8>| {
            let tag = if reversed {
                tags.next_back()
            } else {
                tags.next()
            };
            tag.map(number)
        };
        let within = |range: RangeInclusive<u8>, value: u8| range.contains(&value);
        let same = |met: bool| met.then(String::new);
        match self {
            Self::Keys(first, last) => same(within(*first..=*last, item.key)),
            Self::AnyKey(any) => same(any.contains(&item.key)),
            Self::Group(group) => same(group.is_some() && item.group == *group),
            Self::GroupsAfter(group) => {
                let after = item
                    .group
                    .filter(|own| group.is_none_or(|group| *own > group));
                after.map(number)
            }
            Self::Name(name) => same(item.name == *name),
            Self::Tags(first, last) => {
                let (first, last) = (*first, *last);
                first_of(&mut item.tags().filter(|tag| within(first..=last, *tag)))
            }
            Self::AnyTag(any) => first_of(&mut item.tags().filter(|tag| any.contains(tag))),
            Self::Prefix(prefix) => {
                let label = fold_case(item.label.clone());
                label
                    .starts_with(&fold_case(prefix.clone()))
                    .then_some(label)
            }
            Self::Label(label) => same(fold_case(item.label.clone()) == fold_case(label.clone())),
        }
    }

    fn is_met(&self, item: &Item) -> bool {
        self.shown_by(item, false).is_some()
    }

    /// The objects that meet it, in its order.
    fn answer<'s>(&self, state: &'s State, reversed: bool) -> Vec<&'s Item> {
        let mut found: Vec<(String, &Item)> = state
            .values()
            .filter_map(|item| Some((self.shown_by(item, reversed)?, item)))
            .collect();
        found.sort_by(|(left, l), (right, r)| left.cmp(right).then(l.key.cmp(&r.key)));
        if reversed {
            found.reverse();
        }
        found.into_iter().map(|(_, item)| item).collect()
    }
}

impl Question {
    /// What the documentation says that the store answers.
    pub fn answer(&self, state: &State) -> Vec<Item> {
        let mut found = self.part.answer(state, self.reversed);
        match &self.join {
            Join::Alone => {}
            Join::And(second) => found.retain(|item| second.is_met(item)),
            Join::Except(second) => found.retain(|item| !second.is_met(item)),
            Join::Or(second) => {
                let mut others = second.answer(state, self.reversed);
                others.retain(|item| !self.part.is_met(item));
                if self.reversed {
                    std::mem::swap(&mut found, &mut others);
                }
                found.append(&mut others);
            }
        }
        found.truncate(self.limit());
        found.into_iter().cloned().collect()
    }

    fn limit(&self) -> usize {
        match self.limit {
            0 => usize::MAX,
            limit => usize::from(limit),
        }
    }

    /// Whether a change of an object, as it was or as it is, touches what the question reads. Of a
    /// conjunction or a difference only the first part is read: the second is asked of its objects
    /// alone.
    pub fn is_touched(&self, item: &Item) -> bool {
        let second = match &self.join {
            Join::Or(second) => second.is_met(item),
            Join::Alone | Join::And(_) | Join::Except(_) => false,
        };
        second || self.part.is_met(item)
    }

    /// Whether an object is found, however many others are.
    pub fn is_met(&self, item: &Item) -> bool {
        match &self.join {
            Join::Alone => self.part.is_met(item),
            Join::And(second) => self.part.is_met(item) && second.is_met(item),
            Join::Or(second) => self.part.is_met(item) || second.is_met(item),
            Join::Except(second) => self.part.is_met(item) && !second.is_met(item),
        }
    }

    /// A filter with this as a condition.
    pub fn condition(&self, filter: TableFilter<Item>) -> TableFilter<Item> {
        let mut meeting = Meeting(Some(filter));
        self.put(&mut meeting);
        meeting.0.expect("it is put back")
    }

    /// Asks a store, in all the ways it may be asked, and compares the answers with one another.
    pub fn find(&self, reader: &impl Find) -> Vec<Item> {
        let mut asked = Asked {
            reader,
            question: self,
            answer: Vec::new(),
        };
        self.put(&mut asked);
        asked.answer
    }

    /// Asks a transaction, untracked.
    pub fn peek(&self, tx: &Transaction<'_>) -> Vec<Item> {
        let mut peeked = Peeked {
            tx,
            question: self,
            answer: Vec::new(),
        };
        self.put(&mut peeked);
        peeked.answer
    }

    fn put(&self, ask: &mut impl Ask) {
        let join = &self.join;
        self.part.put(&mut Joining { join, ask });
    }

    fn shape<C: Condition<Item>>(&self, mut query: Query<Item, C>) -> Query<Item, C> {
        if self.reversed {
            query = query.reversed();
        }
        if self.limit != 0 {
            query = query.limit(self.limit());
        }
        query
    }
}

/// A filter that is given conditions.
struct Meeting(Option<TableFilter<Item>>);

impl Ask for Meeting {
    fn ask<C: Asking>(&mut self, query: Query<Item, C>) {
        self.0 = self.0.take().map(|filter| filter.meets(query));
    }
}

struct Peeked<'a, 's> {
    tx: &'a Transaction<'s>,
    question: &'a Question,
    answer: Vec<Item>,
}

impl Ask for Peeked<'_, '_> {
    fn ask<C: Asking>(&mut self, query: Query<Item, C>) {
        let found = self.tx.peek_find(self.question.shape(query));
        self.answer = found.cloned().collect();
    }
}

struct Asked<'a, F> {
    reader: &'a F,
    question: &'a Question,
    answer: Vec<Item>,
}

impl<F: Find> Ask for Asked<'_, F> {
    fn ask<C: Asking>(&mut self, query: Query<Item, C>) {
        let query = self.question.shape(query);
        let (first, exists) = (
            self.reader.first(query.clone()),
            self.reader.exists(query.clone()),
        );
        let count = self.reader.count(query.clone());
        self.answer = self.reader.all(query);
        assert_eq!(self.answer.len(), count, "count is of another answer");
        assert_eq!(
            self.answer.first(),
            first.as_ref(),
            "first is of another answer"
        );
        assert_eq!(first.is_some(), exists, "exists is of another answer");
    }
}

/// What can be asked: a view, a snapshot or a transaction.
pub trait Find {
    /// All that a query finds.
    fn all<C: Condition<Item>>(&self, query: Query<Item, C>) -> Vec<Item>;
    /// How many.
    fn count<C: Condition<Item>>(&self, query: Query<Item, C>) -> usize;
    /// The first one.
    fn first<C: Condition<Item>>(&self, query: Query<Item, C>) -> Option<Item>;
    /// Whether there is one.
    fn exists<C: Condition<Item>>(&self, query: Query<Item, C>) -> bool;
}

macro_rules! find {
    ($($reader:ty),*) => {
        $(impl Find for $reader {
            fn all<C: Condition<Item>>(&self, query: Query<Item, C>) -> Vec<Item> {
                self.find(query).cloned().collect()
            }

            fn count<C: Condition<Item>>(&self, query: Query<Item, C>) -> usize {
                <$reader>::count(self, query)
            }

            fn first<C: Condition<Item>>(&self, query: Query<Item, C>) -> Option<Item> {
                <$reader>::first(self, query).cloned()
            }

            fn exists<C: Condition<Item>>(&self, query: Query<Item, C>) -> bool {
                <$reader>::exists(self, query)
            }
        })*
    };
}

find!(View<'_>, Snapshot, Transaction<'_>);
