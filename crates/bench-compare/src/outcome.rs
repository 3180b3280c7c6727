//! What a workload came to.

use crate::samples::Samples;
use crate::special::{Figures, Special};
use crate::workload::Rated;

/// All rounds of a workload, of each store.
pub enum Outcome {
    /// Of one that is a rate.
    Rates(&'static Rated, Vec<Samples>),
    /// Of one that is several figures.
    Figures(&'static Special, Vec<(&'static str, Vec<Figures>)>),
}

impl Outcome {
    /// The workload's letter.
    pub fn letter(&self) -> char {
        match self {
            Self::Rates(workload, _) => workload.letter,
            Self::Figures(workload, _) => workload.letter,
        }
    }

    /// What the workload does.
    pub fn title(&self) -> &'static str {
        match self {
            Self::Rates(workload, _) => workload.title,
            Self::Figures(workload, _) => workload.title,
        }
    }
}
