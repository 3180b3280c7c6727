//! Random steps of transactions, done and recorded.

use skep::testing::history::ThreadRecorder;
use skep::{Error, Transaction};

use crate::common::Random;
use crate::objects::{Ask, Found, GROUP, Item, Look, NAME, NOTES, Note, RECEIPTS};

/// Of what the random numbers are chosen.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Keys of items; there are half as many names more.
    pub keys: u64,
    pub groups: u64,
    pub weights: u64,
}

/// Chooses, and stamps.
pub struct Chooser {
    pub random: Random,
    pub shape: Shape,
    /// The last stamp; those of a thread are its own.
    pub stamp: u64,
}

impl Chooser {
    fn key(&mut self) -> u64 {
        self.random.below(self.shape.keys)
    }

    fn name(&mut self) -> u64 {
        let names = self.shape.keys + self.shape.keys / 2;
        self.random.below(names)
    }

    fn note(&mut self) -> u64 {
        self.random.below(4)
    }

    pub fn stamp(&mut self) -> u64 {
        self.stamp += 1;
        self.stamp
    }

    fn item(&mut self, key: u64, name: Option<u64>) -> Item {
        let name = name.unwrap_or_else(|| self.name());
        let grouped = !self.random.one_in(3);
        Item {
            key,
            stamp: self.stamp(),
            name,
            group: grouped.then(|| self.random.below(self.shape.groups)),
            weight: self.random.below(self.shape.weights),
        }
    }

    /// A short range below an end.
    fn range(&mut self, end: u64) -> (u64, u64) {
        let from = self.random.below(end);
        (from, from + self.random.below(4))
    }

    fn ask(&mut self) -> Ask {
        match self.random.below(8) {
            0 | 1 => {
                let (from, to) = self.range(self.shape.keys);
                Ask::Keys(from, to)
            }
            2 => Ask::Some {
                from: self.key(),
                to: self.shape.keys,
                limit: 1 + self.random.below(3) as usize,
                reversed: self.random.one_in(2),
            },
            3 => Ask::Name(self.name()),
            4 => Ask::Names(self.name()),
            5 => Ask::Group(self.random.below(self.shape.groups)),
            6 => Ask::Notes,
            _ => {
                let (from, to) = self.range(self.shape.weights);
                Ask::Weights(from, to)
            }
        }
    }

    /// Gives other threads a turn, now and then.
    pub fn rest(&mut self) {
        if self.random.one_in(16) {
            std::thread::yield_now();
        }
    }

    /// Reads something.
    pub fn read(&mut self, reader: &impl Look, recorder: &mut ThreadRecorder) {
        self.rest();
        match self.random.below(5) {
            0 | 1 => {
                let key = self.key();
                recorder.get(key, reader.item(key).map(|(seen, _)| seen));
            }
            2 => {
                let key = self.note();
                recorder.get(NOTES + key, reader.note(key));
            }
            _ => {
                let ask = self.ask();
                note_answer(ask, &reader.ask(ask), recorder);
            }
        }
    }

    /// Writes something.
    pub fn write(&mut self, tx: &mut Transaction<'_>, recorder: &mut ThreadRecorder) {
        self.rest();
        match self.random.below(10) {
            0 => {
                let key = self.note();
                self.put_note(key, tx, recorder);
            }
            1 | 2 => drop(self.delete(tx, recorder)),
            3 => {
                let key = self.delete(tx, recorder);
                self.put(key, tx, recorder);
            }
            4 => self.put_blindly(tx, recorder),
            _ => {
                let key = self.key();
                self.put(key, tx, recorder);
            }
        }
    }

    fn put_note(&mut self, key: u64, tx: &mut Transaction<'_>, recorder: &mut ThreadRecorder) {
        let stamp = self.stamp();
        tx.upsert(Note { key, stamp })
            .expect("no rule and no unique index");
        recorder.put(NOTES + key, stamp, []);
    }

    /// Writes what nobody else does: whoever sees it knows that the transaction was committed.
    pub fn put_receipt(&mut self, tx: &mut Transaction<'_>, recorder: &mut ThreadRecorder) {
        let key = RECEIPTS + self.stamp();
        self.put_note(key, tx, recorder);
    }

    fn delete(&mut self, tx: &mut Transaction<'_>, recorder: &mut ThreadRecorder) -> u64 {
        let key = self.key();
        let there = tx.item(key);
        recorder.get(key, there.as_ref().map(|(seen, _)| *seen));
        assert_eq!(
            tx.delete::<Item>(&key).is_ok(),
            there.is_some(),
            "what it saw before"
        );
        if there.is_some() {
            recorder.delete(key);
        }
        key
    }

    fn put_blindly(&mut self, tx: &mut Transaction<'_>, recorder: &mut ThreadRecorder) {
        let key = self.key();
        let item = self.item(key, None);
        if tx.upsert(item.clone()).is_ok() {
            recorder.put(key, item.stamp, item.places());
        } else {
            taken(&item, tx, recorder);
        }
    }

    fn put(&mut self, key: u64, tx: &mut Transaction<'_>, recorder: &mut ThreadRecorder) {
        let before = tx.item(key);
        recorder.get(key, before.as_ref().map(|(seen, _)| *seen));
        let renamed = self.random.one_in(4);
        let old_name = before.as_ref().map(|(_, old)| old.name);
        let item = self.item(key, old_name.filter(|_| !renamed));
        if before.is_some() {
            let refused = tx.create(item.clone());
            assert!(refused.is_err(), "it is there");
        }
        let new = item.clone();
        let done: Result<(), Error> = match (&before, self.random.below(3)) {
            (_, 0) => tx.upsert(new).map_err(Error::from),
            (None, _) => tx.create(new).map_err(Error::from),
            (Some(_), 1) => tx.update(new).map_err(Error::from),
            (Some(_), _) => tx.modify::<Item>(&key, |it| *it = new).map_err(Error::from),
        };
        if done.is_err() {
            return taken(&item, tx, recorder);
        }
        // That it was let through says that nobody else had the name.
        let own = before.filter(|(_, old)| old.name == item.name);
        let own = own.map(|(seen, _)| (key, seen));
        recorder.find(NAME, (item.name, item.name), own);
        recorder.put(key, item.stamp, item.places());
    }
}

fn note_answer(ask: Ask, found: &Found, recorder: &mut ThreadRecorder) {
    let (index, range) = ask.span(found);
    recorder.find(index, range, found.iter().copied());
}

/// A name was refused: another one has it.
fn taken(item: &Item, tx: &Transaction<'_>, recorder: &mut ThreadRecorder) {
    let ask = Ask::Name(item.name);
    let found = tx.ask(ask);
    let holder = found.first().map(|(key, _)| *key);
    assert!(
        holder.is_some_and(|key| key != item.key),
        "{item:?}: {found:?}"
    );
    note_answer(ask, &found, recorder);
}

/// Looks at everything, in several ways.
pub fn read_all(reader: &impl Look, shape: Shape, recorder: &mut ThreadRecorder) {
    let all = [
        Ask::Keys(0, NOTES - 1),
        Ask::Notes,
        Ask::Receipts,
        Ask::Weights(0, shape.weights),
    ];
    for ask in all {
        note_answer(ask, &reader.ask(ask), recorder);
    }
    for group in 0..shape.groups {
        let found = reader.ask(Ask::Group(group));
        recorder.find(GROUP, (group, group), found);
    }
}
