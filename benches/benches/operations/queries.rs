//! Queries: made and counted, each finding some ten items.

use skep::{Query, Snapshot, keys};

use crate::Bench;
use crate::items::{GROUPS, Item, filled, name, some};

/// Items that are found.
const SOME: u64 = 10;

fn count<C: skep::Condition<Item>>(snapshot: &Snapshot, query: Query<Item, C>) -> usize {
    snapshot.count(query)
}

pub fn measure(bench: &mut Bench) {
    let snapshot = &filled(|builder| builder).snapshot();
    let range = |time| keys::<Item>().range(some(time)..some(time) + SOME);
    bench.time("keys::eq", |time| {
        count(snapshot, keys::<Item>().eq(some(time)))
    });
    bench.time("keys::range", |time| count(snapshot, range(time)));
    bench.time("keys::all", |_| count(snapshot, keys::<Item>().all()));
    bench.time("keys::any_of", |time| {
        count(
            snapshot,
            keys::<Item>().any_of(some(time)..some(time) + SOME),
        )
    });
    bench.time("Index::eq", |time| {
        count(snapshot, Item::BY_NAME.eq(name(some(time))))
    });
    bench.time("Index::range", |time| {
        let names = name(some(time))..name(some(time) + SOME);
        count(snapshot, Item::BY_NAME.range(names))
    });
    bench.time("Index::prefix", |time| {
        // All but the last digit.
        let name = name(some(time));
        count(snapshot, Item::BY_NAME.prefix(&name[..name.len() - 1]))
    });
    bench.time("Index::all", |_| count(snapshot, Item::BY_GROUP.all()));
    bench.time("Index::any_of", |time| {
        let names = (some(time)..some(time) + SOME).map(name);
        count(snapshot, Item::BY_NAME.any_of(names))
    });
    bench.time("Query::reversed", |time| {
        count(snapshot, range(time).reversed())
    });
    bench.time("Query::limit", |time| {
        count(
            snapshot,
            keys::<Item>()
                .all()
                .limit(SOME as usize + time as usize % 2),
        )
    });
    bench.time("Query::after", |time| {
        let group = Item::BY_GROUP.eq(time % GROUPS);
        let page = group.after(time % GROUPS, some(time));
        count(snapshot, page.limit(SOME as usize))
    });
    bench.time("Query::after_object", |time| {
        let last = snapshot.get::<Item>(&some(time)).expect("it is there");
        let page = Item::BY_GROUP.all().after_object(last);
        count(snapshot, page.limit(SOME as usize))
    });
    bench.time("Query::and", |time| {
        let both = Item::BY_GROUP
            .eq(time % GROUPS)
            .and(keys::<Item>().range(..some(time)));
        count(snapshot, both)
    });
    bench.time("Query::except", |time| {
        let others = Item::BY_GROUP
            .eq(time % GROUPS)
            .except(keys::<Item>().range(..some(time)));
        count(snapshot, others)
    });
    bench.time("Query::or", |time| {
        count(snapshot, range(time).or(keys::<Item>().eq(some(time + 1))))
    });
}
