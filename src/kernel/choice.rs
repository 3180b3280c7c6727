//! What an index's caller answers when the index shows it a place.

/// The answer to "this node, or nothing, stands at your place".
#[derive(Debug)]
pub(crate) enum Choice<N> {
    /// Leave the node that stands there; the caller has claimed it already.
    Keep,
    /// Put this node there: instead of the one that stands there, or into the empty place.
    Put(*mut N),
}
