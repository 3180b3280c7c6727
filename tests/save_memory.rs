//! Saving needs the memory of a block, whatever the size of the store; restoring over the same
//! needs no more.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use skep::save::{BLOCK_BYTES, Catalogue};
use skep::{Indexes, Object, Store};

/// Counts the bytes in use, and the most there were.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let before = IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        MOST.fetch_max(before + layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[derive(Clone, Serialize, Deserialize)]
struct Row {
    id: u64,
    text: String,
}

impl Object for Row {
    type Key = u64;
    const TABLE: &'static str = "row";
    fn key(&self) -> u64 {
        self.id
    }
    fn indexes(_: &mut Indexes<Self>) {}
}

const ROWS: u64 = 20_000;
const TEXT_BYTES: usize = 1_000;
/// Blocks' worth of memory that saving or restoring may take: two buffers and their room to grow,
/// the compressor's table, pages of results.
const BLOCKS_MAX: usize = 6;

/// The most bytes that `run` had in use beyond those before it, and those that it left mapped, past
/// the allocator.
fn most(run: impl FnOnce()) -> usize {
    let (before, mapped) = (IN_USE.load(Ordering::Relaxed), skep::mapped_bytes());
    MOST.store(before, Ordering::Relaxed);
    run();
    let mapped = skep::mapped_bytes().saturating_sub(mapped);
    MOST.load(Ordering::Relaxed) - before + mapped
}

#[test]
fn saving_takes_the_memory_of_a_block() {
    let store = Store::builder().table::<Row>().build();
    let row = |id: u64| Row {
        id,
        // Hard to compress: blocks are written as long as they are.
        text: (0..TEXT_BYTES as u64)
            .map(|at| char::from(b'!' + (id.wrapping_mul(at * at + 7) >> 5 & 63) as u8))
            .collect(),
    };
    store
        .update(|tx| (0..ROWS).try_for_each(|id| tx.create(row(id))))
        .expect("a new store");
    let catalogue = Catalogue::new().table::<Row>();
    let mut file = tempfile();
    let saving = most(|| {
        store.save(&catalogue, &mut file).expect("room for a file");
    });
    let length = file.seek(SeekFrom::End(0)).expect("a file");
    assert!(
        length > 20 * BLOCK_BYTES as u64,
        "{length} bytes: too few to tell"
    );
    assert!(
        saving < BLOCKS_MAX * BLOCK_BYTES,
        "saving took {saving} bytes"
    );
    file.rewind().expect("a file");
    let restoring = most(|| {
        let restored = store.restore(&catalogue, &mut file).expect("a sound file");
        assert_eq!(restored.tables[0].unchanged, ROWS);
    });
    assert!(
        restoring < BLOCKS_MAX * BLOCK_BYTES,
        "restoring took {restoring} bytes"
    );
    let mut rest = Vec::new();
    file.read_to_end(&mut rest).expect("a file");
    assert!(rest.is_empty(), "it was read to its end");
}

/// A file that has no name any more.
fn tempfile() -> impl Read + Write + Seek {
    let path = std::env::temp_dir().join(format!("skep-save-memory-{}", std::process::id()));
    let mut options = std::fs::File::options();
    let file = options.read(true).write(true).create_new(true).open(&path);
    let file = file.expect("a folder for temporary files");
    std::fs::remove_file(&path).expect("just created");
    file
}
