//! j: updates beside one held snapshot.
//!
//! Three passes, of as many updates each: with no snapshot, with one that nobody reads, and with
//! one that a second thread reads without a pause. Rates and memory are of the first two, latencies
//! of the third: a reader takes a core and lines of the cache from the updates, so that their rate
//! beside it would tell of more than of the snapshot. Latencies are by the wall clock: each read is
//! timed by itself, as the program `tails` of `skep-benches` does it, and between two reads the
//! same timer times nothing, which tells what the machine does to anybody.
//!
//! What is read are random ones of the keys that are updated, as the snapshot shows them: the
//! reader has to find its version behind all newer ones that the store keeps.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use skep_measure::memory;
use skep_measure::timer::Timer;
use skep_measure::times::{Times, no_times};

use crate::peers::{Held, Kind, Peer};
use crate::picks::{Picks, Spread};
use crate::special::{Figures, Scale, updates};
use crate::task::TASK_BYTES;

/// Keys that the updates go to.
pub const HELD_KEYS: u32 = 1000;
/// Reads between two looks at whether the updates are done.
const READS: usize = 256;
const MEBIBYTE: f64 = 1024.0 * 1024.0;
/// What a held snapshot may take: two versions a key, and five mebibytes.
pub const HELD_MORE_MAX: f64 = 2.0 * HELD_KEYS as f64 * TASK_BYTES as f64 / MEBIBYTE + 5.0;

/// The figures' names.
pub const HELD_NONE: &str = "updates/s, none held";
/// As above.
pub const HELD_ONE: &str = "updates/s, one held";
/// As above.
pub const HELD_RATIO: &str = "ratio";
/// As above.
pub const HELD_MORE: &str = "MiB more";
/// As above.
pub const HELD_RIGHT: &str = "snapshot right";

/// What a reader of a held snapshot saw.
struct Reads {
    /// How long each read took.
    reads: Times,
    /// How long nothing took, between them.
    nothing: Times,
    /// Whether each read what the snapshot had shown when it was taken.
    right: bool,
}

/// Ends the reading however the updates are left.
struct Ending<'e>(&'e AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn counts(held: &dyn Held) -> Vec<u64> {
    (0..HELD_KEYS).map(|pick| held.count(pick)).collect()
}

/// j: what updates of 1,000 keys come to without and with one snapshot held; what that takes of
/// memory; whether the old snapshot stays right; how long reads in it take meanwhile.
pub fn held(kind: &Kind, scale: &Scale) -> Option<Figures> {
    let peer = (kind.load)(scale.records.max(HELD_KEYS));
    let held = peer.hold()?;
    drop(held);
    let picks: Vec<u32> = (0..HELD_KEYS).collect();
    // Once in small, so that the pass that comes first is not the only one to find all cold.
    updates(&*peer, &picks, scale.operations / 10, scale.clock)?;
    let without = updates(&*peer, &picks, scale.operations, scale.clock)?;
    peer.reclaim();
    let before = memory::bytes();
    let held = peer.hold()?;
    let shown = counts(&*held);
    let beside = updates(&*peer, &picks, scale.operations, scale.clock)?;
    let grown = memory::bytes() - before;
    let right = counts(&*held) == shown;
    drop(held);
    peer.reclaim();
    let read = reads_beside(&*peer, &picks, scale)?;
    let took = |times: &Times, quantile| times.value_at_quantile(quantile) as f64;
    Some(vec![
        (HELD_NONE, without.rate),
        (HELD_ONE, beside.rate),
        (HELD_RATIO, beside.rate / without.rate),
        ("CPU ns each, none held", without.nanos),
        ("CPU ns each, one held", beside.nanos),
        ("updates made", f64::from(beside.made)),
        (HELD_MORE, grown as f64 / MEBIBYTE),
        (HELD_RIGHT, f64::from(u8::from(right && read.right))),
        ("reads", read.reads.len() as f64),
        ("read p50, ns", took(&read.reads, 0.5)),
        ("read p99, ns", took(&read.reads, 0.99)),
        ("read p99.9, ns", took(&read.reads, 0.999)),
        ("p99.9 of nothing, ns", took(&read.nothing, 0.999)),
    ])
}

/// Has another thread hold a snapshot and read in it as long as the updates go on.
fn reads_beside(peer: &dyn Peer, picks: &[u32], scale: &Scale) -> Option<Reads> {
    let (ready, ending) = (Barrier::new(2), AtomicBool::new(false));
    let timer = Timer::calibrated();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let held = peer.hold();
            ready.wait();
            Some(read_until(&*held?, &timer, &ending))
        });
        ready.wait();
        let ends = Ending(&ending);
        updates(peer, picks, scale.operations, scale.clock)?;
        drop(ends);
        reader.join().expect("the reader does not panic")
    })
}

/// Reads random tasks of those that are updated, some at least, until the end.
fn read_until(held: &dyn Held, timer: &Timer, ending: &AtomicBool) -> Reads {
    let mut picks = Picks::draw(Spread::Uniform, HELD_KEYS, 1);
    let shown = counts(held);
    let mut read = Reads {
        reads: no_times(),
        nothing: no_times(),
        right: true,
    };
    loop {
        for &pick in picks.next(READS) {
            let mut count = 0;
            let took = timer.time(|| count = black_box(held.count(pick)));
            read.reads.saturating_record(took);
            read.nothing.saturating_record(timer.time(|| ()));
            read.right &= count == shown[pick as usize];
        }
        if ending.load(Ordering::Relaxed) {
            return read;
        }
    }
}
