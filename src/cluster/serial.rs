//! The bytes of `payload` for serde, with the feature `serde`: as bytes where the format has them,
//! else as a list of numbers. Secrets leave no copy behind in memory that they outgrew.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use zeroize::{Zeroize, Zeroizing};

use super::payload::{Bytes, SecretBytes};

/// Bytes reserved for a list whose length the format does not tell.
const RESERVED: usize = 64;
/// Bytes reserved for one whose length it claims, at most.
const RESERVED_MAX: usize = 1 << 20;

impl Serialize for SecretBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.expose())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_slice())
    }
}

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(AnyBytes(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(AnyBytes(PhantomData))
    }
}

/// Takes bytes in whatever way the format gives them.
struct AnyBytes<B>(PhantomData<B>);

impl<'de, B: From<Vec<u8>>> Visitor<'de> for AnyBytes<B> {
    type Value = B;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<B, E> {
        Ok(bytes.to_vec().into())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<B, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<B, A::Error> {
        let claimed = list.size_hint().unwrap_or(RESERVED);
        // Wiped also when the list ends in an error.
        let mut bytes = Zeroizing::new(Vec::with_capacity(claimed.min(RESERVED_MAX)));
        while let Some(byte) = list.next_element()? {
            push(&mut bytes, byte);
        }
        Ok(std::mem::take(&mut *bytes).into())
    }
}

/// Appends a byte; what the bytes outgrow is wiped before it is freed.
fn push(bytes: &mut Vec<u8>, byte: u8) {
    if bytes.len() == bytes.capacity() {
        let mut larger = Vec::with_capacity((bytes.capacity() * 2).max(RESERVED));
        larger.extend_from_slice(bytes);
        bytes.zeroize();
        *bytes = larger;
    }
    bytes.push(byte);
}
