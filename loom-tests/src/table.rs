//! Of the tables, what the proposer's seam names.

#[path = "../../src/table/value.rs"]
pub(crate) mod value;

pub(crate) mod object {
    //! What the seam asks of an object. The models propose writes of cells, which are none.

    /// As the crate's own trait, less what only its tables use.
    pub(crate) trait Object: Send + Sync + 'static {
        type Key: Send + Sync + 'static;
        const TABLE: &'static str;

        fn key(&self) -> Self::Key;
    }
}
