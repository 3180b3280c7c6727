//! Which commits have markers for a watcher.

use skep::Filter;

use crate::common::Random;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Markers {
    Matching,
    Every,
    None,
}

impl Markers {
    pub fn random(random: &mut Random) -> Self {
        [Self::Matching, Self::Every, Self::None][random.below(3) as usize]
    }

    pub fn ask(self, filter: Filter) -> Filter {
        match self {
            Self::Matching => filter,
            Self::Every => filter.every_commit(),
            Self::None => filter.changes_only(),
        }
    }
}
