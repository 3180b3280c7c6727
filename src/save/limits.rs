//! What a file may hold. A file comes from outside: nothing that it claims is believed beyond.

use super::format::{BLOCK_BYTES, FRAME_HEAD_BYTES};

/// Bytes of one object, encoded.
pub(super) const OBJECT_BYTES_MAX: usize = 16 << 20;
/// Objects of all tables.
const OBJECTS_MAX: u64 = 100_000_000;
/// Bytes of all objects, encoded.
const BYTES_MAX: u64 = 64 << 30;
/// What [`Limits::object_bytes_max`] may be set to: a block's length is told in 32 bits.
const OBJECT_BYTES_CEILING: usize = 1 << 30;

/// What a file may hold. More is an error: when it is read, and already when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one object, encoded. Default: 16 MiB; at most 1 GiB.
    pub object_bytes_max: usize,
    /// Objects of all tables. Default: 100 million.
    pub objects_max: u64,
    /// Bytes of all objects, encoded. Default: 64 GiB.
    pub bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            object_bytes_max: OBJECT_BYTES_MAX,
            objects_max: OBJECTS_MAX,
            bytes_max: BYTES_MAX,
        }
    }
}

impl Limits {
    pub(super) fn object_bytes(&self) -> usize {
        self.object_bytes_max.min(OBJECT_BYTES_CEILING)
    }

    /// Bytes of one block before compression: it is closed once it has [`BLOCK_BYTES`].
    pub(super) fn block_bytes(&self) -> usize {
        BLOCK_BYTES + FRAME_HEAD_BYTES[1] + self.object_bytes()
    }
}
