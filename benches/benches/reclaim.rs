//! What a reader pays for reclamation beside a writer that retires, ours against crossbeam-epoch:
//! the mean and the worst pin, and how many
//! foreign destructors ran inside readers' pins.
//!
//! It is the ground for having our own: crossbeam's pin now and then runs the collector, and with
//! it other threads' destructors.

use std::cell::Cell;
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_epoch::{Atomic, Owned};
use skep::{Id, Indexes, Object, Store};

/// Pins measured.
const PINS: u64 = 2_000_000;

thread_local! {
    /// Whether this thread is in a reader's pin.
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Destructors that ran in a reader's pin.
static INSIDE: AtomicU64 = AtomicU64::new(0);
/// All destructors that ran.
static ALL: AtomicU64 = AtomicU64::new(0);

/// Tells where it is dropped.
#[derive(Clone)]
struct Witness([u64; 8]);

impl Drop for Witness {
    fn drop(&mut self) {
        black_box(self.0[0]);
        ALL.fetch_add(1, Ordering::Relaxed);
        if READING.try_with(Cell::get).unwrap_or(false) {
            INSIDE.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[derive(Clone)]
struct Cellar {
    id: Id,
    content: Witness,
}

impl Object for Cellar {
    type Key = Id;
    const TABLE: &'static str = "cellar";

    fn key(&self) -> Id {
        self.id
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

/// Runs `pin` many times beside `write`, and prints what it cost.
fn measure(name: &str, write: impl Fn() + Sync, pin: impl Fn()) {
    let stop = AtomicBool::new(false);
    let (mut worst, mut most_inside) = (Duration::ZERO, 0);
    ALL.store(0, Ordering::Relaxed);
    INSIDE.store(0, Ordering::Relaxed);
    let spent = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                write();
            }
        });
        let start = Instant::now();
        for _ in 0..PINS {
            let inside = INSIDE.load(Ordering::Relaxed);
            let begun = Instant::now();
            READING.set(true);
            pin();
            READING.set(false);
            worst = worst.max(begun.elapsed());
            most_inside = most_inside.max(INSIDE.load(Ordering::Relaxed) - inside);
        }
        let spent = start.elapsed();
        stop.store(true, Ordering::Relaxed);
        spent
    });
    println!(
        "{name:28} {:6.1} ns a pin (two clock readings in it), worst {worst:?}; \
         of {} destructors {} ran inside readers' pins, at most {most_inside} in one",
        spent.as_nanos() as f64 / PINS as f64,
        ALL.load(Ordering::Relaxed),
        INSIDE.load(Ordering::Relaxed),
    );
}

fn crossbeam() {
    let cell = Atomic::new(Witness([0; 8]));
    let write = || {
        let guard = crossbeam_epoch::pin();
        let old = cell.swap(Owned::new(Witness([1; 8])), Ordering::AcqRel, &guard);
        // SAFETY: swapped out, so no later pin finds it, and only we have it to retire.
        unsafe { guard.defer_destroy(old) };
    };
    measure("crossbeam-epoch pin", write, || {
        let guard = crossbeam_epoch::pin();
        black_box(cell.load(Ordering::Acquire, &guard));
    });
}

fn ours() {
    let store = Store::builder()
        .table::<Cellar>()
        .attempts_max(u32::MAX)
        .build();
    let id = Id::from_u128(1);
    let content = Witness([0; 8]);
    store
        .update(|tx| {
            tx.create(Cellar {
                id,
                content: content.clone(),
            })
        })
        .expect("a new key");
    let write = || {
        let updated = store.update(|tx| {
            let modified = tx.modify::<Cellar>(&id, |cellar| cellar.content.0[0] += 1);
            modified.expect("it is there");
            Ok::<_, Infallible>(())
        });
        updated.expect("attempts are not limited");
    };
    measure("skep read() and drop", write, || {
        drop(black_box(store.read()))
    });
    measure("skep read(), get and drop", write, || {
        let view = store.read();
        black_box(view.get::<Cellar>(&id).is_some());
    });
}

fn main() {
    crossbeam();
    ours();
}
