//! Garbage collection by committers.

/// What is to be done with something retired.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Release a chain link.
    Link,
}
