//! The store's own bounds of objects: how many there are, how large each is, how long its key.

mod common;

use skep::{
    Action, BoundError, CommitError, CreateError, Error, Filter, Indexes, Object, ReplaceError,
    Store, UpdateError, UpsertError, keys,
};

#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    name: String,
    text: String,
}

impl Object for Page {
    type Key = String;
    const TABLE: &'static str = "page";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn indexes(_: &mut Indexes<Self>) {}

    fn bytes(&self) -> usize {
        self.text.len()
    }
}

#[derive(Clone, Object)]
struct Point {
    #[object(key)]
    number: u64,
    place: [u64; 3],
}

fn page(name: &str, text: &str) -> Page {
    let (name, text) = (name.to_owned(), text.to_owned());
    Page { name, text }
}

fn create(store: &Store, name: &str) -> Result<(), UpdateError<CreateError>> {
    store.update(|tx| tx.create(page(name, "")))
}

const TOO_MANY: UpdateError<CreateError> = UpdateError::TooManyObjects { objects_max: 3 };

#[test]
fn as_many_objects_as_the_bound_says() {
    let builder = common::builder().table::<Page>().table::<Point>();
    let store = builder.objects_max(3).build();
    for name in ["a", "b"] {
        create(&store, name).unwrap();
    }
    let point = Point {
        number: 1,
        place: [0; 3],
    };
    store.update(|tx| tx.create(point.clone())).unwrap();
    assert_eq!(store.stats().objects, 3);
    assert_eq!(create(&store, "c"), Err(TOO_MANY));
    assert_eq!(
        TOO_MANY.to_string(),
        "more than 3 objects in one store",
        "of all tables"
    );
    // Nothing of it is there, and what makes no more goes on.
    assert_eq!(store.read().count(keys::<Page>().all()), 2);
    store.update(|tx| tx.update(page("a", "text"))).unwrap();
    let moved = store.update(|tx| {
        tx.delete::<Page>(&"a".to_owned())?;
        tx.create(page("c", ""))?;
        tx.upsert(page("c", "again"))?;
        // Nothing in the end.
        tx.create(page("d", ""))?;
        tx.delete::<Page>(&"d".to_owned())?;
        Ok::<_, Error>(())
    });
    moved.unwrap();
    let mut more = store.begin();
    more.create(page("d", "")).unwrap();
    let failed = CommitError::TooManyObjects { objects_max: 3 };
    assert_eq!(more.commit(), Err(failed));
    store.update(|tx| tx.delete::<Point>(&1)).unwrap();
    create(&store, "d").unwrap();
    assert_eq!(store.stats().objects, 3);
}

#[test]
fn a_bound_below_what_is_there_lets_it_become_less() {
    let store = common::builder().table::<Page>().objects_max(0).build();
    assert_eq!(
        create(&store, "a"),
        Err(UpdateError::TooManyObjects { objects_max: 0 })
    );
    // Who copies is not asked.
    let store = common::builder().table::<Page>().objects_max(1).build();
    let copied = ["a", "b"].map(|name| Action::create(page(name, "")));
    store.apply(&copied).unwrap();
    assert_eq!(store.stats().objects, 2);
    let swap = |name: &str, other: &str| {
        store.update(|tx| {
            tx.delete::<Page>(&name.to_owned())?;
            tx.create(page(other, ""))?;
            Ok::<_, Error>(())
        })
    };
    swap("a", "c").unwrap();
    store
        .update(|tx| tx.delete::<Page>(&"b".to_owned()))
        .unwrap();
    assert_eq!(
        create(&store, "d"),
        Err(UpdateError::TooManyObjects { objects_max: 1 })
    );
}

/// Each may find the last place, but no more than those who commit at the same moment.
#[test]
fn threads_exceed_the_bound_by_what_they_create_at_once() {
    const THREADS: usize = 4;
    const OBJECTS_MAX: usize = 50;
    let builder = common::builder().table::<Page>();
    let store = builder.objects_max(OBJECTS_MAX as u64).build();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for turn in 0..2_000 {
                    let name = format!("{thread}-{turn}");
                    if create(store, &name).is_ok() && turn % 3 == 0 {
                        store.update(|tx| tx.delete::<Page>(&name)).unwrap();
                    }
                    let count = store.read().count(keys::<Page>().all());
                    assert!(count <= OBJECTS_MAX + 2 * THREADS, "{count}");
                }
            });
        }
    });
    let count = store.read().count(keys::<Page>().all());
    assert!(count >= OBJECTS_MAX, "{count}");
    assert_eq!(store.stats().objects, count as u64);
}

fn bounded() -> Store {
    let builder = common::builder().table::<Page>().table::<Point>();
    builder.key_bytes_max(5).object_bytes_max(10).build()
}

#[test]
fn a_key_as_long_as_the_bound_says() {
    let store = bounded();
    create(&store, "four").unwrap();
    let Err(UpdateError::Closure(CreateError::Rejected(rejected))) = create(&store, "fifth") else {
        panic!("a longer one");
    };
    let Some(BoundError::KeyTooLong { table, key, .. }) = rejected.downcast_ref() else {
        panic!("{rejected}");
    };
    assert_eq!((*table, key.to_string()), ("page", "fifth".into()));
    assert_eq!(
        rejected.to_string(),
        "page fifth: a key of 6 bytes, at most 5 are allowed"
    );
    let long = "k".repeat(1 << 20);
    let told = create(&store, &long).unwrap_err().to_string();
    let shown = format!("page {}: a key of {} bytes", &long[..32], long.len() + 1);
    assert!(told.starts_with(&shown), "{}", &told[..99]);
    let upserted = store.update(|tx| tx.upsert(page("fifth", "")));
    assert!(matches!(
        upserted,
        Err(UpdateError::Closure(UpsertError::Rejected(_)))
    ));
    assert_eq!(store.read().count(keys::<Page>().all()), 1);
    // One that came from elsewhere may be written to.
    store.apply(&[Action::create(page("fifth", ""))]).unwrap();
    let written = store.update(|tx| {
        tx.upsert(page("fifth", "a"))?;
        tx.modify::<Page>(&"fifth".to_owned(), |page| page.text.push('b'))?;
        Ok::<_, Error>(())
    });
    written.expect("it is no new key");
}

#[test]
fn an_object_as_large_as_the_bound_says() {
    let store = bounded();
    let changed = store.update(|tx| {
        tx.create(page("a", "0123456789"))?;
        let grown = tx.modify::<Page>(&"a".to_owned(), |page| page.text.push('!'));
        let Err(ReplaceError::Rejected(rejected)) = grown else {
            panic!("a larger one");
        };
        let told = rejected.downcast_ref::<BoundError>();
        assert!(matches!(
            told,
            Some(BoundError::ObjectTooLarge {
                table: "page",
                bytes: 11,
                bytes_max: 10,
                ..
            })
        ));
        assert_eq!(
            rejected.to_string(),
            "page a has 11 bytes, at most 10 are allowed"
        );
        // It may go on.
        tx.modify::<Page>(&"a".to_owned(), |page| page.text.truncate(3))?;
        Ok::<_, Error>(())
    });
    changed.unwrap();
    let read = store.read();
    assert_eq!(
        read.get::<Page>(&"a".to_owned()).map(|page| &*page.text),
        Some("012")
    );
    // A type that says nothing has its own size.
    let point = Point {
        number: 1,
        place: [0; 3],
    };
    assert_eq!(point.bytes(), 32);
    assert!(store.update(|tx| tx.create(point.clone())).is_err());
    assert_eq!(point.place.len(), 3);
}

/// An object that says it points to all that there could be.
#[derive(Clone)]
struct Endless(u64);

impl Object for Endless {
    type Key = u64;
    const TABLE: &'static str = "endless";

    fn key(&self) -> u64 {
        self.0
    }

    fn indexes(_: &mut Indexes<Self>) {}

    fn bytes(&self) -> usize {
        usize::MAX
    }
}

/// What fits is committed, and not lost with what does not.
#[test]
fn a_batch_makes_as_many_objects_as_the_bound_says() {
    let store = common::builder().table::<Page>().objects_max(3).build();
    let failed = store.batch(|batch| {
        ["a", "b", "c", "d", "e"]
            .iter()
            .try_for_each(|name| batch.step(|tx| tx.create(page(name, ""))))
    });
    let failed = failed.expect_err("there is room for three");
    assert_eq!((failed.report.applied, failed.error), (3, TOO_MANY));
    assert_eq!(store.stats().objects, 3);
    // Room that an earlier step makes is there for later ones.
    let moved = store.batch(|batch| {
        batch.step(|tx| Ok(tx.delete::<Page>(&"a".to_owned())?))?;
        batch.step(|tx| Ok::<_, Error>(tx.create(page("d", ""))?))
    });
    assert_eq!(
        moved.map(|report| (report.applied, report.transactions)),
        Ok((2, 1))
    );
}

#[test]
fn sizes_that_no_number_has_room_for_are_as_much_as_there_can_be() {
    let builder = common::builder().table::<Endless>();
    let store = builder.history_bytes(1 << 30).build();
    let mut watcher = store.watch(Filter::of::<Endless>().key(&1).bytes_max(1 << 20));
    let batched = store.batch(|batch| {
        batch.step(|tx| (1..=3).try_for_each(|number| tx.create(Endless(number))))?;
        batch.step(|tx| tx.create(Endless(4)))
    });
    let report = batched.expect("nothing is in the way");
    assert_eq!((report.applied, report.transactions), (2, 2));
    common::wait_for_delivery(&store);
    assert_eq!(store.watchers()[0].waiting_bytes, u64::MAX);
    assert_eq!(common::events(&mut watcher).len(), 2);
    // What they replace is kept as history, of which there is room for none.
    for _ in 0..1_000 {
        store.update(|tx| tx.upsert(Endless(1))).unwrap();
    }
    // A proposer's thread may be at the last one for a moment longer.
    common::wait_until(|| {
        store.reclaim();
        store.stats().log_commits == 0
    });
    assert_eq!(store.stats().log_commits, 0);
}
