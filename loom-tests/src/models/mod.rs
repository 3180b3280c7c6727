//! One file a protocol; a model is named by the race.
mod ordered;
mod point;
