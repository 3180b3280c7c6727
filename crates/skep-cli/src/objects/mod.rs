//! The objects that the replay keeps in the store: nodes, tasks and the clock.

pub mod clock;
pub mod gpus;
pub mod node;
pub mod task;
