//! Bytes that leave nothing behind: secrets pass through them.
//!
//! A plain `Vec` that grows frees the memory it outgrew as it is, and so does one that is dropped.
//! This one wipes both. What was cleared or cut off stays in its memory until then, or until it is
//! written over: memory that it keeps is no leak, and need not be wiped once an object.

use std::io::{self, Read};
use std::ops::{Deref, DerefMut};

use zeroize::Zeroize;

/// Bytes of memory taken at first.
const ROOM_BYTES: usize = 64;
/// Bytes that a source is asked for, at least, where there is no memory yet.
const STEP_BYTES: usize = 8 << 10;

/// Bytes that grow. Their memory is wiped before it is freed.
#[derive(Default)]
pub(super) struct Buffer(Vec<u8>);

impl Buffer {
    pub(super) fn with_room(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        self.reserve(1);
        self.0.push(byte);
    }

    #[inline]
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Cuts the bytes off, or appends zeros.
    pub(super) fn resize(&mut self, length: usize) {
        self.reserve(length.saturating_sub(self.len()));
        self.0.resize(length, 0);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends what a source has, up to `length` bytes. Memory is taken for what comes, not for
    /// what is claimed.
    pub(super) fn take(&mut self, source: &mut impl Read, length: usize) -> io::Result<()> {
        let end = self.len() + length;
        while self.len() < end {
            let begin = self.len();
            let room = (self.0.capacity() - begin).max(begin).max(STEP_BYTES);
            let step = room.min(end - begin);
            self.resize(begin + step);
            let (read, outcome) = fill(source, &mut self[begin..]);
            self.resize(begin + read);
            outcome?;
            if read < step {
                break;
            }
        }
        Ok(())
    }

    /// The bytes, which the caller is to wipe.
    pub(super) fn into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// Sees to it that so many more bytes do not make the `Vec` grow.
    #[inline]
    fn reserve(&mut self, more: usize) {
        if self.0.capacity() - self.0.len() < more {
            self.grow(more);
        }
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let needed = self.0.len().checked_add(more).expect("memory has an end");
        let room = needed.max(2 * self.0.capacity()).max(ROOM_BYTES);
        let mut larger = Self::with_room(room);
        larger.0.extend_from_slice(&self.0);
        *self = larger;
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // All is spare then, which is wiped in large pieces and not byte by byte.
        self.0.clear();
        self.0.zeroize();
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// Reads until the target is full or the source at its end; says how far it came.
fn fill(source: &mut impl Read, target: &mut [u8]) -> (usize, io::Result<()>) {
    let mut filled = 0;
    while filled < target.len() {
        match source.read(&mut target[filled..]) {
            Ok(0) => break,
            // No source is believed to have written beyond the target.
            Ok(read) => filled += read.min(target.len() - filled),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Err(error)),
        }
    }
    (filled, Ok(()))
}
