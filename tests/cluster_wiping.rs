//! Secrets are wiped: an allocator looks into every block that is freed, while it is told to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use skep::Id;
use skep::cluster::{self, ClusterObject, Network, Secret, SecretBytes};

/// What no freed block may hold.
const MARK: &[u8] = b"\x17hunter2-is-nobodys-business\x2a";

/// The system's allocator, which counts freed blocks with the mark in them.
struct Looking;

static LOOKS: AtomicBool = AtomicBool::new(false);
static FOUND: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it passes every call on to the system's allocator, unchanged.
unsafe impl GlobalAlloc for Looking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that a block's spare bytes can be looked at, and hold nothing of its past.
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // Where bytes and texts are: such blocks have no padding, which may not be read.
        if LOOKS.load(Ordering::SeqCst) && layout.align() == 1 {
            // SAFETY: the block is the caller's to free, and every byte of it was initialized.
            let bytes = unsafe { std::slice::from_raw_parts(block, layout.size()) };
            if bytes.windows(MARK.len()).any(|part| part == MARK) {
                FOUND.fetch_add(1, Ordering::SeqCst);
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

/// An object's life in a store, with an update and a deletion, and a snapshot that ends last.
fn live<T: ClusterObject>(object: T, change: fn(&mut T)) {
    let store = cluster::builder().build();
    let id = object.key();
    let created = store.update(|tx| tx.create(object.clone()));
    created.expect("a new key");
    drop(object);
    let snapshot = store.snapshot();
    let updated = store.update(|tx| tx.modify::<T>(&id, change));
    updated.expect("it is there");
    let deleted = store.update(|tx| tx.delete::<T>(&id));
    deleted.expect("it is there");
    assert!(snapshot.get::<T>(&id).is_some());
}

/// One test, for the counter is the process's.
#[test]
fn no_freed_memory_holds_a_secret() {
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
