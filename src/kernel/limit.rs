//! What becomes of versions that are large: a store that begins as if it had made that many commits
//! does the same as a new one, up to the last version there is.
//!
//! A version is 64 bits wherever it is a number alone; a snapshot's word has three bits less room
//! ([`super::horizon`]), which is the limit. Where versions are added to, by a segment, a run of
//! the watermark or the number of watchers, that is below 2^32 and cannot overflow 64 bits from
//! below the limit. What counts in 32 bits is no version: claims and their sequence in a record,
//! links and handles of a version, holds of an index entry, which have bounds of their own.

mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use crate::kernel::entry::HOLDS;
    use crate::kernel::horizon::VERSION_MAX;
    use crate::kernel::reading::PinnedHold;
    use crate::sync::{AtomicU32, Ordering};
    use crate::{Event, Filter, Index, Indexes, Object, Store, Version, Watcher, keys};

    /// Commits of a script: more than a segment.
    const COMMITS: u64 = 1100;
    const KEYS: u64 = 7;

    #[derive(Clone, Debug)]
    struct Item {
        key: u64,
        turn: u64,
    }

    impl Item {
        const BY_TURN: Index<Self, u64> =
            Index::new("by_turn", |item: &Self, keys| keys.add(item.turn));
    }

    impl Object for Item {
        type Key = u64;
        const TABLE: &'static str = "item";

        fn key(&self) -> u64 {
            self.key
        }

        fn indexes(indexes: &mut Indexes<Self>) {
            indexes.add(Self::BY_TURN);
        }
    }

    /// An empty store whose next commit is the one after `version`.
    fn store_at(version: u64) -> Store {
        let builder = Store::builder().table::<Item>().retention_commits(8);
        let store = builder.history_commits(64).history_bytes(1 << 20).build();
        let kernel = store.kernel();
        kernel.horizon.start_at(version);
        kernel.log.start_at(version);
        store
    }

    fn put(store: &Store, key: u64, turn: u64) {
        let done = store.update(|tx| tx.upsert(Item { key, turn }));
        done.expect("nothing is in the way");
    }

    /// What came to a watcher: of each event the version, from the first one on, and the key.
    fn received(watcher: &mut Watcher, first: u64) -> Vec<(u64, Option<u64>)> {
        let events = std::iter::from_fn(|| watcher.try_recv().expect("it does not lag"));
        let told = events.map(|event| {
            let key = match &event {
                Event::Change(change) => change.new_object::<Item>().map(|item| item.key),
                Event::Commit(_) => None,
            };
            (event.version().get() - first, key)
        });
        told.collect()
    }

    /// Updates, deletions, held and older snapshots, watchers of each kind, and collection; all
    /// that was seen, with versions counted from the first.
    fn script(store: &Store, first: u64) -> Vec<String> {
        let mut seen = Vec::new();
        let mut reads_log = store.watch(Filter::all());
        let mut has_mailbox = store.watch(Filter::of::<Item>().key(&3));
        put(store, 0, 0);
        let held = store.snapshot();
        for turn in 1..COMMITS {
            let key = turn % KEYS;
            match turn % 10 {
                9 => drop(store.update(|tx| tx.delete::<Item>(&key))),
                _ => put(store, key, turn),
            }
            if turn % 100 == 0 {
                let before = Version::new(store.version().get() - 5);
                let older = store.snapshot_at(before).expect("it is retained");
                let all = older.find(keys::<Item>().all());
                let all: Vec<u64> = all.map(|item| item.turn).collect();
                let recent = store.read().count(Item::BY_TURN.range(turn - 5..));
                let mut joined = store.watch_from(before, Filter::all()).expect("kept");
                seen.push(format!(
                    "{all:?} {recent} {:?}",
                    received(&mut joined, first)
                ));
                seen.push(format!("{:?}", received(&mut reads_log, first)));
                seen.push(format!("{:?}", received(&mut has_mailbox, first)));
                store.reclaim();
            }
        }
        let meta = held.entry::<Item>(&0).expect("it was put").meta();
        seen.push(format!("{}", meta.version.get() - first));
        let stats = store.stats();
        seen.push(format!("{}", stats.version.get() - first));
        seen
    }

    #[test]
    fn large_versions_are_like_small_ones() {
        let small = script(&store_at(0), 0);
        assert_eq!(small.len(), 32);
        // A commit that changes nothing has no version: so many at most are used.
        let last = VERSION_MAX - COMMITS;
        for first in [u32::MAX as u64 / 2, u32::MAX as u64, 1 << 53, last] {
            let first = first - COMMITS / 2 * u64::from(first != last);
            assert_eq!(script(&store_at(first), first), small, "from {first} on");
        }
    }

    #[test]
    fn no_commit_is_made_beyond_the_last_version() {
        let store = store_at(VERSION_MAX - 2);
        let mut watcher = store.watch(Filter::all());
        put(&store, 1, 1);
        put(&store, 1, 2);
        assert_eq!(store.version().get(), VERSION_MAX);
        for _ in 0..2 {
            let beyond = catch_unwind(AssertUnwindSafe(|| put(&store, 1, 3)));
            assert!(beyond.is_err(), "a version that no snapshot has room for");
        }
        // What there was stands, and can be read.
        assert_eq!(store.version().get(), VERSION_MAX);
        assert_eq!(store.snapshot().version().get(), VERSION_MAX);
        assert_eq!(store.read().get::<Item>(&1).expect("it stands").turn, 2);
        let changes = received(&mut watcher, VERSION_MAX - 2);
        assert_eq!(changes, [(1, Some(1)), (1, None), (2, Some(1)), (2, None)]);
    }

    /// A thing with many values that stay, and one that changes.
    #[derive(Clone)]
    struct Thing(u64);

    impl Thing {
        const STAYS: Index<Self, u64> =
            Index::new("stays", |_, keys| (0..8).for_each(|value| keys.add(value)));
        const CHANGES: Index<Self, u64> =
            Index::new("changes", |thing: &Self, keys| keys.add(thing.0));
    }

    impl Object for Thing {
        type Key = ();
        const TABLE: &'static str = "thing";

        fn key(&self) {}

        fn indexes(indexes: &mut Indexes<Self>) {
            indexes.add(Self::STAYS).add(Self::CHANGES);
        }
    }

    /// Shows the words of the thing's index entries.
    fn each_state(store: &Store, each: impl FnMut(&AtomicU32)) {
        let hold = PinnedHold::begin(store.kernel());
        let table = store.kernel().tables.find::<(), Thing>();
        let table = table.expect("it is there");
        let found = table.get(hold.reading(), table.hash(&()), |()| true);
        let entries = found.expect("it is there").entries();
        entries.map(|entry| &entry.state.0).for_each(each);
    }

    fn states(store: &Store) -> Vec<u32> {
        let mut states = Vec::new();
        // Relaxed: nobody else is there.
        each_state(store, |state| states.push(state.load(Ordering::Relaxed)));
        states
    }

    /// E3: where one of several entries can be held no more, the holds of the others go back.
    #[test]
    fn what_was_held_is_given_back_when_one_is_held_too_often() {
        /// One in the middle of those that are held in a row.
        const FULL: usize = 4;
        let store = Store::builder().table::<Thing>().build();
        let created = store.update(|tx| tx.create(Thing(1)));
        created.expect("a new key");
        let mut expected = states(&store);
        expected[FULL] = HOLDS;
        let mut words = expected.iter();
        each_state(&store, |state| {
            let word = words.next().expect("one each");
            // Relaxed: nobody else is there.
            state.store(*word, Ordering::Relaxed);
        });
        let update = || store.update(|tx| tx.update(Thing(2)));
        let updated = catch_unwind(AssertUnwindSafe(update));
        assert!(updated.is_err(), "there is no room for a hold");
        assert_eq!(states(&store), expected);
    }
}
