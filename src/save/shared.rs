//! Parts that many objects have in common, such as the spec that all tasks of a service run by: for
//! fields of the type `Arc<T>`.
//!
//! They are written as they are, in each object; one that many objects have is encoded once. When
//! a file is restored, parts with the same bytes become one again: decoded once, and shared.
//! Elsewhere this is as if it were not there.
//!
//! ```
//! use std::sync::Arc;
//!
//! use serde::{Deserialize, Serialize};
//! use skep::save::Catalogue;
//! use skep::{Indexes, Object, Store};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Task {
//!     id: u32,
//!     #[serde(with = "skep::save::shared")]
//!     environment: Arc<Vec<String>>,
//! }
//! # impl Object for Task {
//! #     type Key = u32;
//! #     const TABLE: &'static str = "task";
//! #     fn key(&self) -> u32 { self.id }
//! #     fn indexes(_: &mut Indexes<Self>) {}
//! # }
//!
//! let catalogue = Catalogue::new().table::<Task>();
//! let environment = Arc::new(vec!["REGION=eu".to_owned()]);
//! let (from, to) = [(); 2].map(|()| Store::builder().table::<Task>().build()).into();
//! from.update(|tx| {
//!     tx.create(Task { id: 1, environment: Arc::clone(&environment) })?;
//!     tx.create(Task { id: 2, environment: Arc::clone(&environment) })
//! })?;
//! let mut file = Vec::new();
//! from.save(&catalogue, &mut file)?;
//! to.restore(&catalogue, &file[..])?;
//! let view = to.read();
//! let [one, other] = [1, 2].map(|id| view.get::<Task>(&id).expect("restored"));
//! assert!(Arc::ptr_eq(&one.environment, &other.environment));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::any::{Any, TypeId, type_name};
use std::borrow::Borrow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;

use postcard::Deserializer as Postcard;
use postcard::Serializer as PostcardWriter;
use postcard::de_flavors::Flavor;
use postcard::ser_flavors::Flavor as WriteFlavor;
use serde::de::{DeserializeOwned, Deserializer};
use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroize;

use super::buffer::Buffer;
use super::error::Fault;
use super::frame::undecodable;
use crate::sync::local;
use crate::table::hash::hash_of;

/// Bytes of parts that are remembered at most, in one restore.
const KNOWN_BYTES_MAX: usize = 4 << 20;

/// Writes the part as it is.
///
/// # Errors
/// As the part's own.
pub fn serialize<T, S>(part: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize + Send + Sync + 'static,
    S: Serializer,
{
    match Encoder::written_by(type_name::<S>()) {
        Some(encoder) if encoder.write_known(part) => {
            // Nothing more is written for it: a unit has no bytes.
            serializer.serialize_unit()
        }
        Some(encoder) => {
            let begin = encoder.bytes.borrow().len();
            let written = T::serialize(part, serializer)?;
            encoder.note(begin, part);
            Ok(written)
        }
        None => T::serialize(part, serializer),
    }
}

/// Reads a part, or gives the one read before from the same bytes.
///
/// # Errors
/// As the part's own.
pub fn deserialize<'de, T, D>(deserializer: D) -> Result<Arc<T>, D::Error>
where
    T: Deserialize<'de> + Send + Sync + 'static,
    D: Deserializer<'de>,
{
    let Some(parts) = Parts::read_by(type_name::<D>()) else {
        return T::deserialize(deserializer).map(Arc::new);
    };
    if let Some(known) = parts.take_known::<T>() {
        return Ok(known);
    }
    let begin = parts.at.get();
    let part = Arc::new(T::deserialize(deserializer)?);
    parts.note(begin, &part);
    Ok(part)
}

/// Whether two names of types are the same; mostly they are in one place, and need not be read.
fn is(one: &'static str, other: &'static str) -> bool {
    std::ptr::eq(one, other) || one == other
}

local!(READING: RefCell<Option<Rc<Parts>>> = RefCell::new(None));

type AnyPart = Arc<dyn Any + Send + Sync>;
/// Parts of one type. No encoding is the beginning of another one.
type Known = BTreeMap<Encoding, AnyPart>;

/// The parts that a restore has decoded so far, and the object at hand.
#[derive(Default)]
pub(super) struct Parts {
    bytes: RefCell<Buffer>,
    /// How far the object at hand is read.
    at: Cell<usize>,
    known: RefCell<Vec<(TypeId, Known)>>,
    known_bytes: Cell<usize>,
}

/// The bytes of a part: wiped in the end, they may have secrets.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Encoding(Vec<u8>);

impl Drop for Encoding {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Borrow<[u8]> for Encoding {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl Parts {
    /// Those of the object that this thread reads, if the deserializer is the one that reads it,
    /// and no other that its types use meanwhile.
    fn read_by(deserializer: &'static str) -> Option<Rc<Self>> {
        let parts = READING.try_with(|reading| reading.borrow().clone());
        let parts = parts.ok().flatten();
        parts.filter(|_| is(deserializer, type_name::<&mut Postcard<'_, Reading<'_>>>()))
    }

    /// The part that was read from the bytes that come, which are then read.
    fn take_known<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        let (bytes, known) = (self.bytes.borrow(), self.known.borrow());
        let rest = bytes.get(self.at.get()..)?;
        let (_, known) = known.iter().find(|(of, _)| *of == TypeId::of::<T>())?;
        // Only what comes at or just before the rest can be its beginning.
        let bounds = (Bound::Unbounded, Bound::Included(rest));
        let (encoding, part) = known.range::<[u8], _>(bounds).next_back()?;
        if !rest.starts_with(&encoding.0) {
            return None;
        }
        let part = Arc::clone(part).downcast::<T>().ok()?;
        self.at.set(self.at.get() + encoding.0.len());
        Some(part)
    }

    /// Remembers a part that has just been read.
    fn note<T: Send + Sync + 'static>(&self, begin: usize, part: &Arc<T>) {
        let bytes = self.bytes.borrow();
        let Some(encoding) = bytes.get(begin..self.at.get()) else {
            return;
        };
        let known_bytes = self.known_bytes.get() + encoding.len();
        if encoding.is_empty() || known_bytes > KNOWN_BYTES_MAX {
            return;
        }
        self.known_bytes.set(known_bytes);
        let mut known = self.known.borrow_mut();
        let at = known.iter().position(|(of, _)| *of == TypeId::of::<T>());
        let at = at.unwrap_or_else(|| {
            known.push((TypeId::of::<T>(), Known::new()));
            known.len() - 1
        });
        let encoding = Encoding(encoding.to_vec());
        known[at].1.insert(encoding, Arc::clone(part) as AnyPart);
    }
}

/// While an object is read; the one before is at hand again when it is over.
struct AtHand(Option<Rc<Parts>>);

impl AtHand {
    fn begin(parts: &Rc<Parts>) -> Self {
        let swap = |reading: &RefCell<_>| reading.replace(Some(Rc::clone(parts)));
        Self(READING.try_with(swap).ok().flatten())
    }
}

impl Drop for AtHand {
    fn drop(&mut self) {
        // A thread whose locals are gone has read nothing.
        let _ = READING.try_with(|reading| reading.replace(self.0.take()));
    }
}

/// Decodes an object whose parts may be known.
pub(super) fn decode<T: DeserializeOwned>(parts: &Rc<Parts>, bytes: &[u8]) -> Result<T, Fault> {
    {
        let mut own = parts.bytes.borrow_mut();
        own.clear();
        own.extend(bytes);
    }
    parts.at.set(0);
    let _at_hand = AtHand::begin(parts);
    let object = T::deserialize(&mut Postcard::from_flavor(Reading { bytes, parts }));
    let object = object.map_err(|error| undecodable(&error.to_string()))?;
    if parts.at.get() < bytes.len() {
        return Err(undecodable("bytes are left over"));
    }
    Ok(object)
}

/// Reads bytes from where the parts say: beyond what was known.
struct Reading<'de> {
    bytes: &'de [u8],
    parts: &'de Parts,
}

impl<'de> Flavor<'de> for Reading<'de> {
    type Remainder = ();
    type Source = &'de [u8];

    #[inline]
    fn pop(&mut self) -> postcard::Result<u8> {
        let at = self.parts.at.get();
        let byte = self.bytes.get(at);
        let byte = byte.ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.parts.at.set(at + 1);
        Ok(*byte)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len() - self.parts.at.get())
    }

    #[inline]
    fn try_take_n(&mut self, count: usize) -> postcard::Result<&'de [u8]> {
        let rest = self.bytes.get(self.parts.at.get()..);
        let taken = rest.and_then(|rest| rest.get(..count));
        let taken = taken.ok_or(postcard::Error::DeserializeUnexpectedEnd)?;
        self.parts.at.set(self.parts.at.get() + count);
        Ok(taken)
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

local!(WRITING: RefCell<Option<Rc<Encoder>>> = RefCell::new(None));

/// The hasher of a map whose keys are hashes already.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {
        unreachable!("hashes are of 64 bits");
    }

    #[inline]
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// A map by hashes.
type HashedMap<V> = HashMap<u64, V, BuildHasherDefault<Hashed>>;

/// Encodes objects one after the other, and the parts that they share once.
#[derive(Default)]
pub(super) struct Encoder {
    /// Of the object at hand.
    bytes: RefCell<Buffer>,
    /// By the hash of where they are, which is theirs as long as they are kept here. Of two with
    /// one hash the later is kept.
    known: RefCell<HashedMap<(AnyPart, Encoding)>>,
    known_bytes: Cell<usize>,
}

impl Encoder {
    /// Encodes an object, and gives its bytes to `each`.
    pub(super) fn encode<T: Serialize, R>(
        self: &Rc<Self>,
        object: &T,
        each: impl FnOnce(&[u8]) -> R,
    ) -> Result<R, String> {
        self.bytes.borrow_mut().clear();
        let _at_hand = Writing::begin(self);
        let encoded = postcard::serialize_with_flavor(object, Appending(self));
        encoded.map_err(|error| error.to_string())?;
        Ok(each(&self.bytes.borrow()))
    }

    /// Whether the object encoded last has these bytes.
    pub(super) fn is_last(&self, bytes: &[u8]) -> bool {
        **self.bytes.borrow() == *bytes
    }

    /// The one that this thread encodes with, if the serializer is its own, and no other that its
    /// types use meanwhile.
    fn written_by(serializer: &'static str) -> Option<Rc<Self>> {
        let encoder = WRITING.try_with(|writing| writing.borrow().clone());
        let encoder = encoder.ok().flatten();
        encoder.filter(|_| {
            is(
                serializer,
                type_name::<&mut PostcardWriter<Appending<'_>>>(),
            )
        })
    }

    /// Writes a part as it was written before, if it was.
    fn write_known<T>(&self, part: &Arc<T>) -> bool {
        let known = self.known.borrow();
        let address = Arc::as_ptr(part).addr();
        match known.get(&hash_of(0, &address)) {
            Some((kept, encoding)) if Arc::as_ptr(kept).addr() == address => {
                self.bytes.borrow_mut().extend(&encoding.0);
                true
            }
            _ => false,
        }
    }

    /// Remembers a part that has just been written, and keeps it.
    fn note<T: Send + Sync + 'static>(&self, begin: usize, part: &Arc<T>) {
        // An address tells parts apart only if they have one of their own.
        if size_of::<T>() == 0 || Arc::strong_count(part) == 1 {
            return;
        }
        let bytes = self.bytes.borrow();
        let encoding = &bytes[begin..];
        let known_bytes = self.known_bytes.get() + encoding.len();
        if known_bytes > KNOWN_BYTES_MAX {
            return;
        }
        self.known_bytes.set(known_bytes);
        let kept = (Arc::clone(part) as AnyPart, Encoding(encoding.to_vec()));
        self.known
            .borrow_mut()
            .insert(hash_of(0, &Arc::as_ptr(part).addr()), kept);
    }
}

/// While an object is written; the one before is at hand again when it is over.
struct Writing(Option<Rc<Encoder>>);

impl Writing {
    fn begin(encoder: &Rc<Encoder>) -> Self {
        let swap = |writing: &RefCell<_>| writing.replace(Some(Rc::clone(encoder)));
        Self(WRITING.try_with(swap).ok().flatten())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // A thread whose locals are gone has written nothing.
        let _ = WRITING.try_with(|writing| writing.replace(self.0.take()));
    }
}

/// Appends to an encoder's bytes.
struct Appending<'e>(&'e Encoder);

impl WriteFlavor for Appending<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.bytes.borrow_mut().push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.bytes.borrow_mut().extend(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
