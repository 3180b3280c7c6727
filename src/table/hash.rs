//! The hash of keys: a folded multiplication a word, seeded at random for each table, so that
//! nobody outside can aim at one slot.
//!
//! It is not cryptographic. Whoever may choose keys and measure times very well may still learn
//! about collisions.
//!
//! Source: the folded multiply of wyhash (Wang Yi) and foldhash.

use std::hash::{Hash, Hasher};

const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of a key under a table's seed.
#[inline]
pub(crate) fn hash_of<K: Hash>(seed: u64, key: &K) -> u64 {
    let mut hasher = Folding(seed);
    key.hash(&mut hasher);
    hasher.finish()
}

/// How many bytes a key feeds its hash: what is told of it that does not depend on its type.
pub(crate) fn bytes_of<K: Hash>(key: &K) -> usize {
    let mut hasher = Counting(0);
    key.hash(&mut hasher);
    hasher.0
}

/// Counts what it is fed.
struct Counting(usize);

impl Hasher for Counting {
    fn write(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn finish(&self) -> u64 {
        self.0 as u64
    }
}

struct Folding(u64);

impl Folding {
    #[inline]
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(MULTIPLIER);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Folding {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.fold(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut padded = [0; 8];
            padded[..rest.len()].copy_from_slice(rest);
            self.fold(u64::from_le_bytes(padded) ^ (rest.len() as u64) << 56);
        }
    }

    #[inline]
    fn write_u8(&mut self, value: u8) {
        self.fold(u64::from(value) | 0x100);
    }

    #[inline]
    fn write_u32(&mut self, value: u32) {
        self.fold(u64::from(value));
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.fold(value);
    }

    #[inline]
    fn write_u128(&mut self, value: u128) {
        // One multiplication for both halves: the lower one is seeded, the upper one is set apart.
        let (low, high) = (value as u64, (value >> 64) as u64);
        let product = u128::from(self.0 ^ low) * u128::from(MULTIPLIER ^ high);
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }

    #[inline]
    fn write_usize(&mut self, value: usize) {
        self.fold(value as u64);
    }

    #[inline]
    fn finish(&self) -> u64 {
        // Once more, so that the last word reaches every bit.
        let product = u128::from(self.0 ^ MULTIPLIER) * u128::from(0xd6e8_feb8_6659_fd93u64);
        (product as u64) ^ ((product >> 64) as u64)
    }
}
