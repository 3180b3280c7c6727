//! Files that are damaged, of another making, or hostile: an error, and the store as it was.

#[path = "common/cluster.rs"]
mod cluster_objects;
mod common;

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use cluster_objects::filled;
use common::events;
use serde::{Deserialize, Deserializer, Serialize};
use skep::cluster::{Node, Task, catalogue};
use skep::save::{Catalogue, Fault, Limits, ReadError, Reader, RestoreError, SaveError};
use skep::{Filter, Id, Indexes, Object, Store, keys};

fn saved(store: &Store, catalogue: &Catalogue) -> Vec<u8> {
    let mut file = Vec::new();
    store.save(catalogue, &mut file).expect("memory takes it");
    file
}

/// A file of few bytes, and a store that it would change.
fn small() -> (Catalogue, Vec<u8>, Store) {
    let catalogue = Catalogue::new().table::<Node>().table::<Task>();
    let build = || common::builder().table::<Node>().table::<Task>().build();
    let source = build();
    let put = source.update(|tx| {
        tx.create(Node::named(Id::from_u128(1), "one"))?;
        tx.create(Node::named(Id::from_u128(2), "two"))?;
        tx.create(Task::new(Id::from_u128(3)))
    });
    put.expect("a new store");
    let target = build();
    let put = target.update(|tx| tx.create(Node::named(Id::from_u128(2), "other")));
    put.expect("a new store");
    let file = saved(&source, &catalogue);
    (catalogue, file, target)
}

/// Asserts that a file is refused and the store stays as it was; gives what is wrong.
#[track_caller]
fn refused(store: &Store, catalogue: &Catalogue, file: &[u8]) -> ReadError {
    let before = store.version();
    let mut watcher = store.watch(Filter::all());
    let error = store.restore(catalogue, file).expect_err("a bad file");
    assert_eq!(store.version(), before);
    assert!(events(&mut watcher).is_empty());
    let RestoreError::Read(error) = error else {
        panic!("{error}");
    };
    assert!(error.offset <= file.len() as u64, "{error}");
    error
}

#[test]
fn every_shorter_file_is_refused() {
    let (catalogue, file, target) = small();
    for length in 0..file.len() {
        let error = refused(&target, &catalogue, &file[..length]);
        assert!(matches!(error.fault, Fault::Truncated), "{length}: {error}");
    }
    target
        .restore(&catalogue, &file[..])
        .expect("the whole file");
}

/// Gives one byte at a time, is interrupted before each, and fails at a place.
struct Slow<'a> {
    file: &'a [u8],
    fails_at: usize,
    at: usize,
    interrupted: bool,
}

impl Read for Slow<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.at == self.fails_at {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let read = (&self.file[self.at..]).take(1).read(target)?;
        self.at += read;
        Ok(read)
    }
}

#[test]
fn a_source_may_be_slow_or_fail() {
    let (catalogue, file, target) = small();
    let slow = |fails_at| Slow {
        file: &file,
        fails_at,
        at: 0,
        interrupted: false,
    };
    for fails_at in 0..=file.len() {
        let error = target.restore(&catalogue, slow(fails_at));
        let error = error.expect_err("it fails");
        let RestoreError::Read(error) = error else {
            panic!("{error}");
        };
        assert!(matches!(error.fault, Fault::Io(_)), "{fails_at}: {error}");
    }
    let restored = target.restore(&catalogue, slow(usize::MAX));
    assert_eq!(restored.expect("the whole file").tables[0].created, 1);
}

#[test]
fn every_changed_byte_is_noticed() {
    let (catalogue, file, target) = small();
    for at in 0..file.len() {
        for change in [1, 0x80, 0xff] {
            let mut damaged = file.clone();
            damaged[at] ^= change;
            refused(&target, &catalogue, &damaged);
        }
    }
    target
        .restore(&catalogue, &file[..])
        .expect("the whole file");
}

#[test]
fn what_follows_the_end_is_refused() {
    let (catalogue, mut file, target) = small();
    let length = file.len() as u64;
    file.push(0);
    let error = refused(&target, &catalogue, &file);
    assert!(matches!(error.fault, Fault::Malformed(_)), "{error}");
    assert_eq!(error.offset, length);
}

#[test]
fn records_put_together_otherwise_are_refused() {
    let (catalogue, file, target) = small();
    // The table of tasks, which is the second one.
    let begin = file
        .windows(7)
        .position(|bytes| bytes == b"T\x04\x00task")
        .expect("the record");
    let mut without = file[..begin].to_vec();
    without.extend_from_slice(&file[file.len() - 21..]);
    refused(&target, &catalogue, &without);
    let mut twice = file[..file.len() - 21].to_vec();
    twice.extend_from_slice(&file[begin..]);
    refused(&target, &catalogue, &twice);
}

#[test]
fn a_file_of_another_making_is_refused_by_name() {
    let (catalogue, file, target) = small();
    let error = refused(&target, &catalogue, b"{\"table\":\"node\"}\n");
    assert!(matches!(error.fault, Fault::NotSaved), "{error}");
    let mut future = file.clone();
    future[8] = 3;
    let error = refused(&target, &catalogue, &future);
    let told = Fault::FutureFormat { found: 3, known: 2 }.to_string();
    assert_eq!(error.to_string(), format!("at byte 0: {told}"));

    let fewer = Catalogue::new().table::<Node>();
    let error = refused(&target, &fewer, &file);
    assert!(matches!(error.fault, Fault::UnknownTable), "{error}");
    assert_eq!(error.table.as_deref(), Some("task"));

    let newer = Catalogue::new().table_of_schema::<Node>(2).table::<Task>();
    let error = refused(&target, &newer, &file);
    assert!(
        matches!(error.fault, Fault::Schema { found: 1, known: 2 }),
        "{error}"
    );
    assert_eq!(error.table.as_deref(), Some("node"));
}

#[test]
fn more_than_the_limits_is_refused_when_read_and_when_written() {
    let (catalogue, file, target) = small();
    let mut limits = Limits::default();
    limits.object_bytes_max = 50;
    let mut few = Limits::default();
    few.objects_max = 2;
    let mut small = Limits::default();
    small.bytes_max = 150;
    let first = [("node", 1), ("task", 3), ("task", 3)];
    for (limits, first) in [limits, few, small].into_iter().zip(first) {
        let limited = catalogue.clone().limits(limits);
        let error = refused(&target, &limited, &file);
        assert!(matches!(error.fault, Fault::TooLarge { .. }), "{error}");
        target.restore(&catalogue, &file[..]).expect("a sound file");
        let written = target.save(&limited, &mut Vec::new());
        let Err(SaveError::TooLarge { table, key, .. }) = &written else {
            panic!("{written:?}");
        };
        // The first object that is too large, or one too many.
        assert_eq!(
            (*table, key.downcast_ref()),
            (first.0, Some(&Id::from_u128(first.1)))
        );
        let put = target.update(|tx| tx.upsert(Node::named(Id::from_u128(2), "other")));
        put.expect("nobody else writes");
    }
}

#[test]
fn a_target_that_takes_no_more_is_an_error() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (catalogue, file, store) = small();
    store.restore(&catalogue, &file[..]).expect("a sound file");
    let file = saved(&store, &catalogue);
    for room in 0..file.len() {
        let saved = store.save(&catalogue, Full(room));
        assert!(matches!(saved, Err(SaveError::Io(_))), "{room}: {saved:?}");
    }
    store
        .save(&catalogue, Full(file.len()))
        .expect("just enough room");
}

/// An object whose decoding panics, if it is told to.
#[derive(Clone, Serialize)]
struct Fragile(u32);

impl<'de> Deserialize<'de> for Fragile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u32::deserialize(deserializer)?;
        assert!(number != 13, "no such number");
        Ok(Self(number))
    }
}

impl Object for Fragile {
    type Key = u32;
    const TABLE: &'static str = "fragile";
    fn key(&self) -> u32 {
        self.0
    }
    fn indexes(_: &mut Indexes<Self>) {}
}

#[test]
fn a_panic_in_decoding_leaves_the_store_whole() {
    let catalogue = Catalogue::new().table::<Fragile>();
    let build = || common::builder().table::<Fragile>().build();
    let source = build();
    let put = source.update(|tx| (0..20).try_for_each(|number| tx.create(Fragile(number))));
    put.expect("a new store");
    let file = saved(&source, &catalogue);
    let target = build();
    target
        .update(|tx| tx.create(Fragile(99)))
        .expect("a new store");
    let restored = catch_unwind(AssertUnwindSafe(|| target.restore(&catalogue, &file[..])));
    assert!(restored.is_err());
    assert_eq!(target.version().get(), 1);
    assert_eq!(target.read().count(keys::<Fragile>().all()), 1);
    target
        .update(|tx| tx.create(Fragile(13)))
        .expect("it still works");
    // What is equal is not decoded.
    source
        .update(|tx| tx.delete::<Fragile>(&5))
        .expect("it is there");
    source
        .restore(&catalogue, &file[..])
        .expect("only 5 is decoded");
    assert_eq!(source.read().count(keys::<Fragile>().all()), 20);
}

#[test]
fn a_reader_tells_what_a_file_has_without_a_catalogue() {
    let store = filled();
    let file = saved(&store, &catalogue());
    let mut reader = Reader::open(&file[..], Limits::default()).expect("a sound file");
    assert_eq!((reader.version(), reader.tables()), (store.version(), 10));
    let mut names = Vec::new();
    while let Some(table) = reader.next_table().expect("a sound file") {
        names.push(table.name);
        assert_eq!(table.objects, 4);
        // The rest is read over.
        assert!(reader.next_object().expect("a sound file").is_some());
    }
    assert!(names.iter().map(String::as_str).eq(catalogue().names()));
    assert_eq!(reader.objects(), 40);
    assert_eq!(reader.offset(), file.len() as u64);
}

/// What reads the same as it was written, under another key if it is turned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Number<const TURNED: bool>(u64);

impl<const TURNED: bool> Object for Number<TURNED> {
    type Key = u64;
    const TABLE: &'static str = "number";
    fn key(&self) -> u64 {
        match TURNED {
            true => [4, 6, 6, 2][self.0 as usize],
            false => self.0,
        }
    }
    fn indexes(_: &mut Indexes<Self>) {}
}

/// As of a file whose type has come to order its keys in another way. What is there already, just
/// as it was saved, is not decoded: what comes after it is held against its key all the same.
#[test]
fn keys_that_do_not_ascend_are_refused() {
    let (plain, turned) = (
        Catalogue::new().table::<Number<false>>(),
        Catalogue::new().table::<Number<true>>(),
    );
    for (first, second, ascends) in [(0, 1, true), (1, 2, false), (0, 3, false)] {
        let source = common::builder().table::<Number<false>>().build();
        let [one, both] = [first, second].map(|number| {
            let put = source.update(|tx| tx.create(Number::<false>(number)));
            put.expect("a new number");
            saved(&source, &plain)
        });
        for is_there in [false, true] {
            let target = common::builder().table::<Number<true>>().build();
            if is_there {
                target.restore(&turned, &one[..]).expect("one is in order");
            }
            if ascends {
                target.restore(&turned, &both[..]).expect("they ascend");
                continue;
            }
            let error = refused(&target, &turned, &both);
            assert!(matches!(error.fault, Fault::OutOfOrder), "{error}");
        }
    }
}

/// Flips bits, and puts the checksums right that stand over them: that of the part, and the whole
/// file's, which is its last.
fn flipped(file: &[u8], at: usize, part: Option<usize>) -> Vec<u8> {
    let mut file = file.to_vec();
    file[at] ^= 1;
    for end in part.into_iter().chain([file.len() - 4]) {
        let checksum = crc32fast::hash(&file[..end]);
        file[end..end + 4].copy_from_slice(&checksum.to_le_bytes());
    }
    file
}

/// Its counts are held against what was read, also where its checksum holds.
#[test]
fn an_end_mark_that_counts_wrong_is_refused() {
    const END_BYTES: usize = 21;
    let (catalogue, file, target) = small();
    let end = file.len() - END_BYTES;
    assert_eq!(flipped(&flipped(&file, end, None), end, None), file);
    // Objects, and their bytes: one more or less, and very many.
    for at in [1, 8, 9, 16] {
        let error = refused(&target, &catalogue, &flipped(&file, end + at, None));
        let Fault::Malformed("the end mark's counts") = error.fault else {
            panic!("{error}");
        };
        assert_eq!(error.offset, end as u64);
    }
}

#[test]
fn a_head_that_says_what_nobody_knows_is_refused() {
    const HEAD_BYTES: usize = 28;
    let (catalogue, file, target) = small();
    for reserved in [10, 11] {
        let other = flipped(&file, reserved, Some(HEAD_BYTES - 4));
        let error = refused(&target, &catalogue, &other);
        let Fault::Malformed("the head") = error.fault else {
            panic!("{error}");
        };
    }
}
