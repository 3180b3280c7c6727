//! Queries over every kind of index, of the newest version, of a held one and of a transaction
//! with writes of its own, against a look at every object.

use arbitrary::Arbitrary;
use skep::Store;

use crate::item::{Item, key};
use crate::question::{Question, State};

/// One write.
#[derive(Arbitrary, Clone, Debug)]
pub enum Write {
    /// Puts an object.
    Put(Item),
    /// Deletes one.
    Delete(#[arbitrary(with = key)] u8),
}

/// Objects and questions.
#[derive(Arbitrary, Clone, Debug)]
pub struct Run {
    /// Committed before the snapshot is taken.
    pub before: Vec<Write>,
    /// Committed after it.
    pub after: Vec<Write>,
    /// Of the asking transaction itself.
    pub own: Vec<Write>,
    /// What is asked.
    pub questions: Vec<Question>,
}

/// Does the writes in one transaction and on the model; what the unique index refuses is left out,
/// and what is done is given back.
pub fn write(tx: &mut skep::Transaction<'_>, state: &mut State, writes: &[Write]) -> Vec<Write> {
    let mut done = Vec::new();
    for write in writes {
        match write {
            Write::Put(item) => {
                let mut others = state.values().filter(|other| other.key != item.key);
                let taken = others.any(|other| other.name == item.name);
                assert_eq!(tx.upsert(item.clone()).is_err(), taken, "{item:?}");
                if taken {
                    continue;
                }
                state.insert(item.key, item.clone());
            }
            Write::Delete(key) => {
                let deleted = tx.delete::<Item>(key).is_ok();
                assert_eq!(deleted, state.remove(key).is_some(), "{key}");
                if !deleted {
                    continue;
                }
            }
        }
        done.push(write.clone());
    }
    done
}

impl Run {
    /// Asks everything of everybody.
    ///
    /// # Panics
    /// If an answer is not the expected one.
    pub fn play(&self) {
        let store = Store::builder().table::<Item>().build();
        let mut state = State::new();
        let commit = |state: &mut State, writes: &[Write]| {
            let mut tx = store.begin();
            write(&mut tx, state, writes);
            tx.commit().expect("nobody else writes");
        };
        commit(&mut state, &self.before);
        let held = store.snapshot();
        let held_state = state.clone();
        commit(&mut state, &self.after);
        store.reclaim();
        let mut tx = store.begin();
        let mut own_state = state.clone();
        write(&mut tx, &mut own_state, &self.own);
        let view = store.read();
        for question in &self.questions {
            let expected = question.answer(&state);
            assert_eq!(question.find(&view), expected, "newest: {question:?}");
            let expected = question.answer(&held_state);
            assert_eq!(question.find(&held), expected, "held: {question:?}");
            let expected = question.answer(&own_state);
            assert_eq!(question.find(&tx), expected, "transaction: {question:?}");
        }
    }
}
