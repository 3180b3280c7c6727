//! Longer texts.

pub mod guarantees {
    //! What the store promises.
}
