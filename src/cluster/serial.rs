//! For serde, with the feature `serde`: the bytes of `payload`, as bytes where the format has them,
//! else as a list of numbers; and states of tasks, as their names where people read the format,
//! else as their numbers, which stay when states come between.
//!
//! Secrets leave no copy behind in memory that they outgrew, and what stands in the place of one is
//! not repeated in errors: it may be one that was told in the wrong way.
//!
//! Finders are nested by so many levels at most: not every format bounds that itself.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use zeroize::{Zeroize, Zeroizing};

use super::finder::Finder;
use super::payload::{Bytes, SecretBytes};
use super::task_state::TaskState;

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
        let bytes = deserializer.deserialize_byte_buf(AnyBytes(PhantomData));
        // The format's own error would have the value.
        bytes.map_err(|_| Error::custom("a secret that is neither bytes nor a text"))
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

    fn visit_str<E: Error>(self, text: &str) -> Result<B, E> {
        self.visit_bytes(text.as_bytes())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<B, E> {
        self.visit_byte_buf(text.into_bytes())
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

thread_local! {
    /// How deep the finder is nested that this thread decodes.
    static NESTING: Cell<usize> = const { Cell::new(0) };
}

/// A level of nesting, until it is dropped.
struct Nested;

impl Nested {
    /// One level more; `None`, if there are as many as there may be.
    fn enter() -> Option<Self> {
        let depth = NESTING.get();
        (depth < Finder::NESTING_MAX).then(|| {
            NESTING.set(depth + 1);
            Self
        })
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        NESTING.set(NESTING.get() - 1);
    }
}

/// Decodes what is nested in a finder.
pub(super) fn nested_finders<'de, D: Deserializer<'de>, F: Deserialize<'de>>(
    deserializer: D,
) -> Result<F, D::Error> {
    let too_deep = || {
        let levels = Finder::NESTING_MAX;
        Error::custom(format_args!(
            "finders are nested by more than {levels} levels"
        ))
    };
    let _level = Nested::enter().ok_or_else(too_deep)?;
    F::deserialize(deserializer)
}

impl Serialize for TaskState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&format_args!("{self:?}"))
        } else {
            serializer.serialize_u16(self.number())
        }
    }
}

impl<'de> Deserialize<'de> for TaskState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_str(StateName);
        }
        let number = u16::deserialize(deserializer)?;
        let unknown = || Error::custom(format_args!("no task is in a state {number}"));
        Self::from_number(number).ok_or_else(unknown)
    }
}

/// Takes the name of a state.
struct StateName;

impl Visitor<'_> for StateName {
    type Value = TaskState;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a task's state")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<TaskState, E> {
        let mut states = TaskState::ALL.into_iter();
        let named = states.find(|state| format!("{state:?}") == name);
        named.ok_or_else(|| E::custom("no task is in such a state"))
    }
}
