//! The targets on any toolchain: what was found interesting, then inputs made up.

use std::cell::Cell;
use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};
use skep_fuzz::{actions, filters, operations, queries, restore, trace};

/// Inputs made up for each target.
const INPUTS: u64 = 3_000;
/// Bytes of one at most.
const BYTES_MAX: u64 = 2_048;

/// Numbers that look like chance, the same each time (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn corpus(target: &str) -> impl Iterator<Item = Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let files = std::fs::read_dir(&folder).expect("each target has a corpus");
    files.map(|file| {
        let path = file.expect("the corpus can be read").path();
        std::fs::read(path).expect("the corpus can be read")
    })
}

fn play<R: for<'a> Arbitrary<'a>>(target: &str, run: impl Fn(&R)) {
    let mut random = Random(1);
    let made_up = (0..INPUTS).map(|_| {
        let length = random.next() % BYTES_MAX;
        (0..length).map(|_| random.next() as u8).collect()
    });
    let mut played = 0;
    for input in corpus(target).chain(made_up) {
        if let Ok(input) = R::arbitrary_take_rest(Unstructured::new(&input)) {
            run(&input);
            played += 1;
        }
    }
    assert!(
        played > INPUTS / 2,
        "most inputs are to mean something: {played}"
    );
}

#[test]
fn operations_are_those_of_a_map_a_version() {
    play("operations", operations::Run::play);
}

#[test]
fn queries_find_what_a_look_at_every_object_finds() {
    play("queries", queries::Run::play);
}

#[test]
fn a_file_is_restored_whole_or_not_at_all() {
    let outcomes = [Cell::new(0_u64), Cell::new(0)];
    play("restore", |run: &restore::Run| {
        let count = &outcomes[usize::from(run.play())];
        count.set(count.get() + 1);
    });
    // Inputs must get past the checks, or they test nothing but these.
    assert!(
        outcomes.iter().all(|count| count.get() > INPUTS / 20),
        "{outcomes:?}"
    );
}

#[test]
fn watchers_see_what_a_look_at_every_change_sees() {
    let seen = Cell::new(0);
    play("filters", |run: &filters::Run| {
        seen.set(seen.get() + run.play());
    });
    // Filters that let nothing through would test nothing.
    assert!(seen.get() > INPUTS as usize / 10, "{} changes", seen.get());
}

#[test]
fn files_and_command_lines_are_read_or_refused() {
    let outcomes = [Cell::new(0_u64), Cell::new(0)];
    play("trace", |run: &trace::Run| {
        let count = &outcomes[usize::from(run.play())];
        count.set(count.get() + 1);
    });
    // As above.
    assert!(
        outcomes.iter().all(|count| count.get() > INPUTS / 200),
        "{outcomes:?}"
    );
}

#[test]
fn actions_do_what_they_do_to_a_map() {
    let outcomes = [Cell::new(0_u64), Cell::new(0)];
    play("actions", |run: &actions::Run| {
        let count = &outcomes[usize::from(run.play())];
        count.set(count.get() + 1);
    });
    // As above.
    assert!(
        outcomes.iter().all(|count| count.get() > INPUTS / 200),
        "{outcomes:?}"
    );
}
