//! The bytes of a file: a head, then records, each opened by its kind. Numbers are little-endian.
//! `docs/save-format.md` has all of it.
//!
//! ```text
//! head   magic 8 · format 2 · zero 2 · tables 4 · version 8 · crc 4
//! table  'T' · name length 2 · name · schema 4 · objects 8 · crc 4
//! block  'B' · length 4 · stored length 4 · stored · crc 4
//! end    'E' · objects 8 · bytes 8 · crc 4 of the whole file before
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How a file begins: no text, and damaged by whatever takes it for one.
pub(super) const MAGIC: [u8; 8] = *b"\x89SKEP\r\n\x1a";
/// The latest format that is read: that of a store with a proposer, whose versions are in it. Other
/// stores write format 1.
pub const FORMAT_VERSION: u16 = 2;
/// The format without the proposer's versions.
pub(super) const FORMAT_PLAIN: u16 = 1;
/// Bytes of objects, encoded, from which on a block is closed.
pub const BLOCK_BYTES: usize = 256 << 10;

/// Bytes of the head.
pub(super) const HEAD_BYTES: usize = 28;
/// Bytes of a checksum.
pub(super) const CRC_BYTES: usize = 4;
/// Bytes before an object in a block: length, version, two times; in format 2 the proposer's
/// version as well.
pub(super) const FRAME_HEAD_BYTES: [usize; 2] = [28, 36];
/// Bytes of a table's name at most.
pub(super) const NAME_BYTES_MAX: usize = 255;
/// Tables at most.
pub(super) const TABLES_MAX: u32 = 65_535;

pub(super) const TABLE: u8 = b'T';
pub(super) const BLOCK: u8 = b'B';
pub(super) const END: u8 = b'E';

/// What the head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) format: u16,
    pub(super) tables: u32,
    pub(super) version: u64,
}

/// Bytes before an object in a block of a file of that format.
pub(super) fn frame_head_bytes(format: u16) -> usize {
    FRAME_HEAD_BYTES[usize::from(format > FORMAT_PLAIN)]
}

impl Head {
    /// The head's bytes, without the checksum.
    pub(super) fn bytes(self) -> [u8; HEAD_BYTES - CRC_BYTES] {
        let mut bytes = [0; HEAD_BYTES - CRC_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&self.format.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.tables.to_le_bytes());
        bytes[16..].copy_from_slice(&self.version.to_le_bytes());
        bytes
    }

    /// What the bytes after the magic say; and whether the reserved ones are zero.
    pub(super) fn parse(bytes: &[u8; HEAD_BYTES - CRC_BYTES]) -> (Self, bool) {
        let head = Self {
            format: u16::from_le_bytes(part(bytes, 8)),
            tables: u32::from_le_bytes(part(bytes, 12)),
            version: u64::from_le_bytes(part(bytes, 16)),
        };
        (head, bytes[10..12] == [0, 0])
    }
}

/// A time's bytes: nanoseconds since 1970, the nearest that there are.
pub(super) fn time_bytes(time: SystemTime) -> [u8; 8] {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(since.as_nanos())
        .unwrap_or(u64::MAX)
        .to_le_bytes()
}

/// The time whose bytes are at a place.
pub(super) fn time_at(bytes: &[u8], at: usize) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::from_le_bytes(part(bytes, at)))
}

/// `N` bytes from a place on.
///
/// # Panics
/// If there are fewer.
pub(super) fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let bytes = bytes[at..].first_chunk();
    *bytes.expect("the caller knows the length")
}
