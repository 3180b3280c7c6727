//! Everything that the trace does to its tasks, in one order: creations and endings.
//!
//! # Order
//!
//! By time; in one second first the endings of tasks that were created in an earlier one (what
//! they free is there for the tasks of this second), then creations, then the endings of tasks
//! that were created in this very second. So a task's ending is always behind its creation:
//!
//! ```text
//! task  created  deleted         timeline
//! a     0        7               0: create a   3: create b   7: end a, create c, end c
//! b     3        never           the endings are numbered: a is 0, c is 1
//! c     7        7
//! ```
//!
//! The number of an ending is what the store's clock and the agents compare: two endings in one
//! second are two, and come due one behind the other.

use super::TaskSpec;
use super::amounts::{Seconds, Sequence};

/// The number of an ending on the timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ending(pub u32);

impl Ending {
    /// The ending behind this one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It is created.
    Creation,
    /// Its deletion time is there.
    Ending(Ending),
}

/// One entry of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Seconds,
    /// To which task.
    pub task: Sequence,
    /// What.
    pub what: Happening,
}

/// All that happens, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    entries: Vec<Entry>,
    endings: Vec<Option<Ending>>,
}

/// The order within one second.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    EndOfOlder,
    Creation,
    EndOfThisSecond,
}

impl Timeline {
    /// The timeline of `tasks`, which are in the order of their creation.
    pub fn of(tasks: &[TaskSpec]) -> Self {
        let mut order: Vec<(Seconds, Turn, Sequence)> = Vec::with_capacity(2 * tasks.len());
        for (index, task) in tasks.iter().enumerate() {
            let sequence = Sequence(index as u32);
            order.push((task.created_at, Turn::Creation, sequence));
            if let Some(at) = task.deleted_at {
                assert!(
                    at >= task.created_at,
                    "a task is deleted before it is created"
                );
                let same = at == task.created_at;
                let turn = if same {
                    Turn::EndOfThisSecond
                } else {
                    Turn::EndOfOlder
                };
                order.push((at, turn, sequence));
            }
        }
        order.sort_unstable();
        let mut endings = vec![None; tasks.len()];
        let mut next = Ending::default();
        let entries = order.into_iter().map(|(at, turn, task)| {
            let what = if turn == Turn::Creation {
                Happening::Creation
            } else {
                endings[task.index()] = Some(next);
                next = next.next();
                Happening::Ending(Ending(next.0 - 1))
            };
            Entry { at, task, what }
        });
        Self {
            entries: entries.collect(),
            endings,
        }
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The number of a task's ending, if the trace deletes it.
    pub fn ending_of(&self, task: Sequence) -> Option<Ending> {
        self.endings[task.index()]
    }

    /// When it begins and when it is over.
    pub fn span(&self) -> (Seconds, Seconds) {
        let at = |entry: Option<&Entry>| entry.map_or(Seconds(0), |entry| entry.at);
        (at(self.entries.first()), at(self.entries.last()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::demand::Class;
    use super::super::{Outcome, TaskSpec};
    use super::*;

    fn task(created: u64, deleted: Option<u64>) -> TaskSpec {
        TaskSpec {
            name: "task".into(),
            class: Class(0),
            outcome: Outcome::Finishes,
            created_at: Seconds(created),
            deleted_at: deleted.map(Seconds),
        }
    }

    #[test]
    fn an_ending_frees_its_room_before_the_creations_of_its_second() {
        let timeline = Timeline::of(&[task(0, Some(7)), task(3, None), task(7, Some(7))]);
        let told: Vec<_> = timeline
            .entries()
            .iter()
            .map(|entry| (entry.at.0, entry.task.0, entry.what))
            .collect();
        assert_eq!(
            told,
            [
                (0, 0, Happening::Creation),
                (3, 1, Happening::Creation),
                (7, 0, Happening::Ending(Ending(0))),
                (7, 2, Happening::Creation),
                (7, 2, Happening::Ending(Ending(1))),
            ]
        );
        assert_eq!(timeline.ending_of(Sequence(2)), Some(Ending(1)));
        assert_eq!(timeline.ending_of(Sequence(1)), None);
        assert_eq!(timeline.span(), (Seconds(0), Seconds(7)));
    }

    #[test]
    fn no_tasks_make_an_empty_timeline() {
        assert_eq!(Timeline::of(&[]).span(), (Seconds(0), Seconds(0)));
    }
}
