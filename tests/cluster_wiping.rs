//! Secrets are wiped: an allocator looks into every block that is freed, while it is told to.

mod common;
#[path = "common/cluster.rs"]
mod fixture;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::{Counted, assert_none_left};
use fixture::builder;
use skep::Id;
use skep::cluster::{ClusterObject, Network, Secret, SecretBytes};

/// What no freed block may hold.
const MARK: &[u8] = b"\x17hunter2-is-nobodys-business\x2a";

/// The system's allocator, which counts freed blocks with the mark in them.
struct Looking;

// Whichever thread frees: with a proposer it may be its own.
static LOOKS: AtomicBool = AtomicBool::new(false);
static FOUND: AtomicUsize = AtomicUsize::new(0);

/// Held by each test: what it frees is not taken for another one's.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

// SAFETY: it passes every call on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Looking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that a block's spare bytes can be looked at, and hold nothing of its past.
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // Where bytes and texts are: such blocks have no padding, which may not be read.
        if LOOKS.load(Ordering::Relaxed) && layout.align() == 1 {
            // SAFETY: the block is the caller's to free, and every byte of it was initialized.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            if bytes.windows(MARK.len()).any(|part| part == MARK) {
                FOUND.fetch_add(1, Ordering::Relaxed);
            }
        }
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Looking = Looking;

/// How many blocks with the mark are freed by what is run.
fn freed(run: impl FnOnce()) -> usize {
    let before = FOUND.load(Ordering::SeqCst);
    LOOKS.store(true, Ordering::SeqCst);
    run();
    LOOKS.store(false, Ordering::SeqCst);
    FOUND.load(Ordering::SeqCst) - before
}

/// An object's life in a store, with an update and a deletion, and a snapshot that ends last. Over
/// when the store is gone, and what was proposed.
fn live<T: ClusterObject>(object: T, change: fn(&mut T)) {
    let store = builder().table::<Counted>().build();
    let id = object.key();
    let created = store.update(|tx| tx.create(object.clone()));
    created.expect("a new key");
    drop(object);
    let snapshot = store.snapshot();
    let updated = store.update(|tx| tx.modify::<T>(&id, change));
    updated.expect("it is there");
    let deleted = store.update(|tx| tx.delete::<T>(&id));
    deleted.expect("it is there");
    // In the last table and proposed last: freed last.
    let alive = Arc::new(());
    let last = || Counted {
        id: 1,
        _alive: Arc::clone(&alive),
    };
    let created = store.update(|tx| tx.create(last()));
    created.expect("a new key");
    assert!(snapshot.get::<T>(&id).is_some());
    drop((store, snapshot));
    assert_none_left(&alive, "the store is dropped");
}

#[test]
fn no_freed_memory_holds_a_secret() {
    let _turn = turn();
    // What is no secret is left behind, so the allocator looks, and the store frees what it held.
    let text = String::from_utf8(MARK.to_vec()).expect("text");
    let mut network = Network::named(Id::from_u128(1), "open");
    network.spec.config_from = Some(text);
    let open = move || {
        live(network, |network| {
            network.spec.annotations.name = "more".into()
        })
    };
    assert!(freed(open) >= 3);

    let secret = Secret::named(Id::from_u128(1), "password", SecretBytes::from(MARK));
    let closed = move || live(secret, |secret| secret.internal = true);
    assert_eq!(freed(closed), 0);
    // Spare capacity is wiped, too: what a secret was cut from.
    let cut = || {
        let mut bytes = Vec::with_capacity(2 * MARK.len());
        bytes.extend_from_slice(MARK);
        bytes.truncate(4);
        drop(SecretBytes::from(bytes));
    };
    assert_eq!(freed(cut), 0);
    let shared = SecretBytes::from(MARK);
    assert_eq!(freed(|| drop(shared.clone())), 0);
    assert_eq!(shared.expose(), MARK, "a clone's end is not the secret's");
    assert_eq!(freed(|| drop(shared)), 0);
}

/// Saving, restoring and encoding, where secrets pass through buffers. Files are not looked at:
/// they are the caller's, with the secrets in them.
#[cfg(feature = "save")]
mod saved {
    use serde::{Deserialize, Serialize, Serializer};
    use skep::cluster;
    use skep::save::{Catalogue, SaveError};
    use skep::{Action, Indexes, Object, Store};

    use super::*;

    /// A secret that is larger than a block, so that all buffers grow, and does not compress.
    fn large() -> Vec<u8> {
        let mut state = 1_u64;
        let mut bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .take(600_000)
        .collect();
        for at in (0..bytes.len() - MARK.len()).step_by(10_000) {
            bytes[at..at + MARK.len()].copy_from_slice(MARK);
        }
        bytes
    }

    /// Secrets, and one more that is large.
    fn store_of(secrets: u128) -> Store {
        let store = builder().build();
        let large = Secret::named(Id::from_u128(0), "large", SecretBytes::from(large()));
        let created = store.update(|tx| {
            tx.create(large.clone())?;
            (1..=secrets).try_for_each(|number| {
                let id = Id::from_u128(number);
                tx.create(Secret::named(
                    id,
                    number.to_string(),
                    SecretBytes::from(MARK),
                ))
            })
        });
        created.expect("new keys and names");
        store
    }

    /// A file of the store, in memory that it does not outgrow.
    fn save(store: &Store) -> Vec<u8> {
        let mut file = Vec::with_capacity(2 << 20);
        let saved = store.save(&cluster::catalogue(), &mut file);
        saved.expect("memory takes it");
        assert!(file.windows(MARK.len()).any(|part| part == MARK));
        file
    }

    #[test]
    fn saving_leaves_no_secret_behind() {
        let _turn = turn();
        for secrets in [0, 1, 3, 400] {
            let store = store_of(secrets);
            let mut file = Vec::new();
            assert_eq!(freed(|| file = save(&store)), 0, "{secrets} secrets");
        }
    }

    #[test]
    fn restoring_leaves_no_secret_behind() {
        let _turn = turn();
        for secrets in [0, 1, 3, 400] {
            let file = save(&store_of(secrets));
            let store = builder().build();
            let restore = || {
                let restored = store.restore(&cluster::catalogue(), &file[..]);
                restored.expect("a sound file");
            };
            assert_eq!(freed(restore), 0, "{secrets} secrets, a new store");
            assert_eq!(freed(restore), 0, "{secrets} secrets, over the same");
            let cut = &file[..file.len() - 1];
            let refused = || assert!(store.restore(&cluster::catalogue(), cut).is_err());
            assert_eq!(freed(refused), 0, "{secrets} secrets, cut short");
        }
    }

    #[test]
    fn encoded_actions_leave_no_secret_behind() {
        let _turn = turn();
        let catalogue = cluster::catalogue();
        for bytes in [MARK.to_vec(), large()] {
            let secret = Secret::named(Id::from_u128(1), "one", SecretBytes::from(bytes));
            let action = Action::create(secret);
            let mut encoded = Vec::new();
            let encode = || encoded = catalogue.encode(&action).expect("a table of it");
            assert_eq!(freed(encode), 0);
            let decode = || drop(catalogue.decode(&encoded).expect("its own bytes"));
            assert_eq!(freed(decode), 0);
        }
    }

    /// Cannot be encoded, if it is told so.
    #[derive(Clone, Deserialize)]
    struct Fails(bool);

    impl Serialize for Fails {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self.0 {
                true => Err(serde::ser::Error::custom("told so")),
                false => serializer.serialize_bool(false),
            }
        }
    }

    /// Shares its secret with others, and may fail after it.
    #[derive(Clone, Serialize, Deserialize)]
    struct Sharing {
        id: u32,
        #[serde(with = "skep::save::shared")]
        secret: Arc<SecretBytes>,
        fails: Fails,
    }

    impl Object for Sharing {
        type Key = u32;
        const TABLE: &'static str = "sharing";
        fn key(&self) -> u32 {
            self.id
        }
        fn indexes(_: &mut Indexes<Self>) {}
    }

    #[test]
    fn neither_shared_parts_nor_errors_leave_a_secret_behind() {
        let _turn = turn();
        let catalogue = Catalogue::new().table::<Sharing>();
        let store = common::builder().table::<Sharing>().build();
        let secret = Arc::new(SecretBytes::from(MARK));
        let sharing = |id, fails| Sharing {
            id,
            secret: Arc::clone(&secret),
            fails: Fails(fails),
        };
        let created = store.update(|tx| (0..9).try_for_each(|id| tx.create(sharing(id, false))));
        created.expect("new keys");
        let mut file = Vec::with_capacity(1 << 10);
        let save = || _ = store.save(&catalogue, &mut file).expect("memory takes it");
        assert_eq!(freed(save), 0);
        let other = common::builder().table::<Sharing>().build();
        let restore = || drop(other.restore(&catalogue, &file[..]).expect("a sound file"));
        assert_eq!(freed(restore), 0);

        let created = store.update(|tx| tx.create(sharing(9, true)));
        created.expect("a new key");
        let refused = || {
            let saved = store.save(&catalogue, std::io::sink());
            assert!(matches!(saved, Err(SaveError::Unencodable { .. })));
            let encoded = catalogue.encode(&Action::create(sharing(9, true)));
            assert!(matches!(encoded, Err(SaveError::Unencodable { .. })));
        };
        assert_eq!(freed(refused), 0);
    }
}
