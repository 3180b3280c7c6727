//! Queries at random, single and joined, against asking each object of the model.

use std::collections::BTreeMap;

use skep::{Condition, Query, Transaction, keys};

use super::common::{Random, Task};
use super::model::{KEYS, Model};

/// Where an object comes in a query's order, without its key; `None`: the query does not find it.
/// Of joined queries: which of the two it comes by, and its place there.
type Place = (u8, Vec<u8>);
/// By the order that a query walks in: an object comes by its last value, reversed.
type Placing = Box<dyn Fn(&Task, bool) -> Option<Place>>;

fn place(by: impl Into<Vec<u8>>) -> Option<Place> {
    Some((0, by.into()))
}

/// The place of the first of an object's values that are asked for, in the walk's direction.
fn by_tag(asked: impl Fn(&str) -> bool + 'static) -> Placing {
    Box::new(move |task, reversed| {
        let mut tags: Vec<&String> = task.tags.iter().filter(|tag| asked(tag)).collect();
        tags.sort();
        let shown_by = if reversed { tags.last() } else { tags.first() };
        shown_by.and_then(|tag| place(tag.as_bytes()))
    })
}

/// Whatever is found comes by its key.
fn by_key(asked: impl Fn(&Task) -> bool + 'static) -> Placing {
    Box::new(move |task, _| asked(task).then(|| (0, Vec::new())))
}

fn by_count(asked: impl Fn(i64) -> bool + 'static) -> Placing {
    Box::new(move |task, _| asked(task.count).then(|| (0, vec![task.count as u8])))
}

fn by_title(asked: impl Fn(&str) -> bool + 'static) -> Placing {
    Box::new(move |task, _| {
        let title = task.title.to_lowercase();
        asked(&title).then(|| (0, title.into_bytes()))
    })
}

/// Runs the body with a query of a random form, and what the model says to it.
macro_rules! with_query {
    ($random:expr, |$query:ident, $placing:ident| $body:expr) => {{
        let random: &mut Random = $random;
        let low = random.below(KEYS);
        let high = low + random.below(KEYS);
        let tag = ["a", "b", "bc", "x"][random.below(4) as usize];
        match random.below(9) {
            0 => {
                let ($query, $placing) = (Task::BY_TAG.eq(tag), by_tag(move |it| it == tag));
                $body
            }
            1 => {
                let ($query, $placing) = (
                    Task::BY_TAG.prefix(tag),
                    by_tag(move |it| it.starts_with(tag)),
                );
                $body
            }
            2 => {
                let ($query, $placing) = (
                    Task::BY_TAG.range(tag.to_owned()..),
                    by_tag(move |it| it >= tag),
                );
                $body
            }
            3 => {
                let ($query, $placing) = (
                    Task::BY_TAG.any_of(["c", tag, "a"]),
                    by_tag(move |it| ["c", "a", tag].contains(&it)),
                );
                $body
            }
            4 => {
                let ($query, $placing) = (
                    keys::<Task>().range(low..high),
                    by_key(move |it| (low..high).contains(&it.id)),
                );
                $body
            }
            5 => {
                let asked = [low, high, 3, 7];
                let ($query, $placing) = (
                    keys::<Task>().any_of(asked),
                    by_key(move |it| asked.contains(&it.id)),
                );
                $body
            }
            6 => {
                let (low, high) = (low as i64, high as i64);
                let ($query, $placing) = (
                    Task::BY_COUNT.range(low..=high),
                    by_count(move |it| (low..=high).contains(&it)),
                );
                $body
            }
            7 => {
                let ($query, $placing) = (
                    Task::BY_TITLE.prefix(tag),
                    by_title(move |it| it.starts_with(tag)),
                );
                $body
            }
            _ => {
                let ($query, $placing) = (keys::<Task>().all(), by_key(|_| true));
                $body
            }
        }
    }};
}

/// Looks for what a query of a random form finds, and what is found by key and by name.
pub fn look(random: &mut Random, tx: &Transaction<'_>, model: &Model) {
    let id = random.below(KEYS);
    let now = model.now.get(&id);
    assert_eq!(tx.get::<Task>(&id), now);
    assert_eq!(tx.peek::<Task>(&id), now);
    let before = model.before.get(&id);
    assert_eq!(tx.before::<Task>(&id), before.map(|(task, _)| task));
    let meta = tx.entry::<Task>(&id).map(|entry| entry.meta());
    let known = before.map_or(skep::Version::ZERO, |(_, meta)| meta.version);
    assert_eq!(meta.map(|meta| meta.version), now.map(|_| known));
    let own = model.written.contains(&id);
    assert_eq!(tx.object::<Task>(&id).is_some(), now.is_some() && !own);
    if model.is_sound() {
        let name = format!("name-{id}");
        let mut named = model.now.values().filter(|task| task.name == name);
        assert_eq!(tx.get_by(Task::BY_NAME, name.clone()), named.next());
    }
    with_query!(random, |first, by_first| match random.below(4) {
        0 => check(random, tx, model, first, by_first),
        join => with_query!(random, |second, by_second| match join {
            1 => {
                let both: Placing = Box::new(move |task, reversed| {
                    by_second(task, reversed).and_then(|_| by_first(task, reversed))
                });
                check(random, tx, model, first.and(second), both);
            }
            2 => {
                let without: Placing =
                    Box::new(move |task, reversed| match by_second(task, reversed) {
                        None => by_first(task, reversed),
                        Some(_) => None,
                    });
                check(random, tx, model, first.except(second), without);
            }
            _ => {
                let either: Placing = Box::new(move |task, reversed| {
                    let second = || by_second(task, reversed).map(|(_, place)| (1, place));
                    by_first(task, reversed).or_else(second)
                });
                check(random, tx, model, first.or(second), either);
            }
        }),
    });
}

/// A query in a direction, whole, limited, and after an object as it is or was.
fn check<C: Condition<Task>>(
    random: &mut Random,
    tx: &Transaction<'_>,
    model: &Model,
    query: Query<Task, C>,
    placing: Placing,
) {
    let reversed = random.one_in(2);
    let query = if reversed { query.reversed() } else { query };
    let place_of = |task: &Task| placing(task, reversed).map(|place| (place, task.id));
    let places: BTreeMap<_, _> = model
        .now
        .values()
        .filter_map(|task| Some((place_of(task)?, task)))
        .collect();
    let mut wanted: Vec<_> = places.into_iter().collect();
    if reversed {
        wanted.reverse();
    }
    let ids = |tasks: &[((Place, u64), &Task)]| tasks.iter().map(|((_, id), _)| *id).collect();
    let whole: Vec<u64> = ids(&wanted);
    let limit = random.below(6) as usize;
    let few = &whole[..limit.min(whole.len())];
    let found = |query: Query<Task, C>| tx.find(query).map(|it| it.id).collect::<Vec<u64>>();
    assert_eq!(found(query.clone()), whole);
    let peeked = tx.peek_find(query.clone()).map(|it| it.id);
    assert_eq!(peeked.collect::<Vec<u64>>(), whole);
    assert_eq!(found(query.clone().limit(limit)), few);
    assert_eq!(tx.count(query.clone()), whole.len());
    assert_eq!(tx.exists(query.clone()), !whole.is_empty());
    assert_eq!(
        tx.first(query.clone()).map(|it| it.id),
        whole.first().copied()
    );
    let mut tasks: Vec<&Task> = model.now.values().collect();
    tasks.extend(model.before.values().map(|(task, _)| task));
    if tasks.is_empty() {
        return;
    }
    let last = tasks[random.below(tasks.len() as u64) as usize];
    let comes = |place: &(Place, u64)| {
        place_of(last).is_some_and(|last| {
            if reversed {
                *place < last
            } else {
                *place > last
            }
        })
    };
    wanted.retain(|(place, _)| comes(place));
    assert_eq!(
        found(query.after_object(last)),
        ids(&wanted) as Vec<u64>,
        "after {last:?}"
    );
}
