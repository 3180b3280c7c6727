//! A kernel with one real table, and transactions of one write.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::kernel::draft::Draft;
use crate::kernel::log::Slot;
use crate::kernel::node::Words;
use crate::kernel::ordered::{Course, Ends};
use crate::kernel::prepared::{Attempt, Prepared};
use crate::kernel::reading::{Handle, LocalHold, PinnedHold, Reading};
use crate::kernel::secondary::Secondary;
use crate::kernel::stage::Put;
use crate::kernel::stage::bulk::{New, Staged};
use crate::kernel::table::Table;
use crate::kernel::testing::Value;
use crate::kernel::typed::downcast;
use crate::kernel::{Kernel, Kind, Limits};
use crate::version::Moment;

pub(super) type Numbers = Table<u64, Value>;
pub(super) type ByValue = Secondary<u64, Value, u64>;

/// A kernel with a table of numbers.
pub(super) fn plain(limits: Limits) -> Arc<Kernel> {
    let table = Numbers::new((0, "numbers"), 0, Vec::new(), None, size_of_val);
    Kernel::new(limits, vec![Box::new(table)])
}

/// The same with an index by value.
pub(super) fn indexed(limits: Limits) -> (Arc<Kernel>, Arc<ByValue>) {
    let values = |value: &Value, add: &mut dyn FnMut(u64)| add(value.get());
    let index = Arc::new(ByValue::new(0, 0, "value", values));
    let indexes: Vec<Arc<_>> = vec![Arc::clone(&index) as _];
    let table = Numbers::new((0, "numbers"), 0, indexes, None, size_of_val);
    (Kernel::new(limits, vec![Box::new(table)]), index)
}

/// The same with two indexes: by tens, and by units.
pub(super) fn indexed_twice(limits: Limits) -> (Arc<Kernel>, [Arc<ByValue>; 2]) {
    let tens = |value: &Value, add: &mut dyn FnMut(u64)| add(value.get() / 10);
    let units = |value: &Value, add: &mut dyn FnMut(u64)| add(value.get() % 10);
    let tens = Arc::new(ByValue::new(0, 0, "tens", tens));
    let units = Arc::new(ByValue::new(0, 1, "units", units));
    let indexes: Vec<Arc<_>> = vec![Arc::clone(&tens) as _, Arc::clone(&units) as _];
    let table = Numbers::new((0, "numbers"), 0, indexes, None, size_of_val);
    (Kernel::new(limits, vec![Box::new(table)]), [tens, units])
}

fn table(kernel: &Kernel) -> &Numbers {
    let table = downcast(kernel.table(0));
    table.expect("the table of numbers")
}

fn hash(key: u64) -> u64 {
    key << 58 | key
}

pub(super) fn get(kernel: &Kernel, reading: Reading<'_>, key: u64) -> Option<(u64, u64)> {
    let found = table(kernel).get(reading, hash(key), |other| *other == key)?;
    Some((found.number(), found.object().get()))
}

/// What the newest snapshot shows.
pub(super) fn look(kernel: &Kernel, key: u64) -> Option<(u64, u64)> {
    get(kernel, PinnedHold::begin(kernel).reading(), key)
}

pub(super) fn handle(kernel: &Kernel, key: u64) -> Option<Handle<Value>> {
    let hold = PinnedHold::begin(kernel);
    let table = table(kernel);
    let found = table.get(hold.reading(), hash(key), |other| *other == key)?;
    Some(found.handle())
}

/// The keys that the newest snapshot finds by a value.
pub(super) fn find(kernel: &Kernel, index: &ByValue, value: u64) -> Vec<u64> {
    let hold = PinnedHold::begin(kernel);
    let mut keys = Vec::new();
    index.scan(
        table(kernel),
        hold.reading(),
        Ends::OPEN,
        Course::UP,
        |found, key, _| {
            if *found == value {
                keys.push(*key);
            }
            ControlFlow::Continue(())
        },
    );
    keys
}

/// The keys that the newest snapshot shows, in order.
pub(super) fn keys(kernel: &Kernel) -> (u64, Vec<u64>) {
    let hold = PinnedHold::begin(kernel);
    let mut keys = Vec::new();
    table(kernel).scan(hold.reading(), Ends::OPEN, Course::UP, |key, _| {
        keys.push(*key);
        ControlFlow::Continue(())
    });
    (hold.reading().version(), keys)
}

/// Puts what a write needs in place, and gives up.
pub(super) fn give_up(kernel: &Kernel, key: u64, value: u64) {
    let hold = LocalHold::begin(kernel, Kind::Writer);
    let _ = give_up_at(kernel, hold.reading(), key, value);
}

/// The same at a snapshot that is held already; `Err`: the commit in the way.
pub(super) fn give_up_at(
    kernel: &Kernel,
    reading: Reading<'_>,
    key: u64,
    value: u64,
) -> Result<(), u64> {
    let now = Moment::now();
    let put = Put::Object(Draft::new(Words::Number, || Value::new(value)), now);
    let place = table(kernel).find_place(reading, &key, hash(key));
    let place = place.map(|(_, place)| place);
    let mut prepared = prepare(kernel);
    table(kernel).stage(&mut prepared, reading, (&key, hash(key)), place, put, now)
}

/// Writes, or deletes, and commits; `Err`: the commit in the way.
pub(super) fn put(kernel: &Kernel, key: u64, value: Option<u64>) -> Result<u64, u64> {
    write(kernel, &LocalHold::begin(kernel, Kind::Writer), key, value)
}

/// Adds one to a number.
pub(super) fn add(kernel: &Kernel, key: u64) -> Result<u64, u64> {
    let hold = LocalHold::begin(kernel, Kind::Writer);
    let (_, value) = get(kernel, hold.reading(), key).expect("it is there");
    write(kernel, &hold, key, Some(value + 1))
}

/// The same at a snapshot that is held already.
pub(super) fn write(
    kernel: &Kernel,
    hold: &LocalHold<'_>,
    key: u64,
    value: Option<u64>,
) -> Result<u64, u64> {
    let (now, reading) = (Moment::now(), hold.reading());
    let put = match value {
        Some(value) => Put::Object(Draft::new(Words::Number, || Value::new(value)), now),
        None => Put::Tombstone,
    };
    let place = table(kernel).find_place(reading, &key, hash(key));
    let place = place.map(|(_, place)| place);
    let mut prepared = prepare(kernel);
    let staged = table(kernel).stage(&mut prepared, reading, (&key, hash(key)), place, put, now);
    commit(kernel, reading, key, staged.map(|()| prepared))
}

/// Puts what a creation needs in place as for many at once, and gives up.
pub(super) fn give_up_new(kernel: &Kernel, key: u64, value: u64) {
    let hold = LocalHold::begin(kernel, Kind::Writer);
    drop(stage_new(kernel, hold.reading(), key, value));
}

/// Creates as many at once are created, and commits; `Err`: the commit in the way.
pub(super) fn create(kernel: &Kernel, key: u64, value: u64) -> Result<u64, u64> {
    let hold = LocalHold::begin(kernel, Kind::Writer);
    let staged = stage_new(kernel, hold.reading(), key, value);
    let prepared = staged.map(|staged| {
        let mut prepared = prepare(kernel);
        for staged in staged {
            staged.add_to(&mut prepared);
        }
        prepared
    });
    commit(kernel, hold.reading(), key, prepared)
}

fn stage_new(
    kernel: &Kernel,
    reading: Reading<'_>,
    key: u64,
    value: u64,
) -> Result<Vec<Staged>, u64> {
    let now = Moment::now();
    let new = New {
        key: &key,
        hash: hash(key),
        draft: Draft::new(Words::Number, || Value::new(value)),
        created: now,
        updated: now,
    };
    table(kernel).stage_new(kernel, reading, (1, std::iter::once(new)))
}

fn prepare(kernel: &Kernel) -> Prepared<'_> {
    Prepared::new(kernel, kernel.domain.registry().line())
}

fn commit(
    kernel: &Kernel,
    reading: Reading<'_>,
    key: u64,
    prepared: Result<Prepared<'_>, u64>,
) -> Result<u64, u64> {
    let done = prepared.and_then(|prepared| append(kernel, reading, key, prepared));
    if let Err(with) = done {
        kernel.advance_to(&kernel.domain.pin(), with);
    }
    done
}

fn append(
    kernel: &Kernel,
    reading: Reading<'_>,
    key: u64,
    mut prepared: Prepared<'_>,
) -> Result<u64, u64> {
    let mut position = reading.version();
    loop {
        let guard = kernel.domain.pin();
        loop {
            match kernel.log.at(&guard, position + 1) {
                Slot::Empty => break,
                Slot::Trimmed => panic!("trimmed under a writer"),
                Slot::Commit(commit) => {
                    if commit.writes().iter().any(|write| write.hash == hash(key)) {
                        return Err(position + 1);
                    }
                }
            }
            position += 1;
        }
        match prepared.append(&guard, position + 1) {
            Attempt::Appended(commit) => {
                let _ = prepared.publish(&guard, commit);
                return Ok(position + 1);
            }
            Attempt::Taken => {}
            Attempt::Full => panic!("the models' logs are long enough"),
        }
    }
}
