//! Objects within a block: length 4 · version 8 · created 8 · updated 8 · in format 2 the
//! proposer's version 8 · the object's bytes, which are those of the postcard format.

use std::fmt;
use std::rc::Rc;
use std::time::SystemTime;

use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::buffer::Buffer;
use super::error::Fault;
use super::format::{FORMAT_PLAIN, frame_head_bytes, part, time_at, time_bytes};
use super::shared::Encoder;
use crate::version::{Meta, Version};

/// An object as it was saved. `Debug` shows how many bytes it has, not which: it may be a secret.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct SavedObject<'a> {
    /// The commit that had written it.
    pub version: Version,
    /// When it was created.
    pub created_at: SystemTime,
    /// When it was written last.
    pub updated_at: SystemTime,
    /// The proposer's version of the commit that had written it, if the store had a proposer and
    /// knew it.
    pub proposed: Option<Version>,
    /// The object, encoded; see [`decode`].
    pub bytes: &'a [u8],
}

impl fmt::Debug for SavedObject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SavedObject")
            .field("version", &self.version)
            .field("created_at", &self.created_at)
            .field("updated_at", &self.updated_at)
            .field("proposed", &self.proposed)
            .field("bytes", &format_args!("{} bytes", self.bytes.len()))
            .finish()
    }
}

/// Decodes an object. What is left over is an error, too.
///
/// # Errors
/// [`Fault::Undecodable`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Fault> {
    match postcard::take_from_bytes(bytes) {
        Ok((object, [])) => Ok(object),
        Ok(_) => Err(undecodable("bytes are left over")),
        Err(error) => Err(undecodable(&error.to_string())),
    }
}

pub(super) fn undecodable(reason: &str) -> Fault {
    Fault::Undecodable(reason.to_owned())
}

/// Appends to bytes. A frame is built in place: in the block that it goes to.
struct Appending<'a>(&'a mut Buffer);

impl Flavor for Appending<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Appends an encoded value.
pub(super) fn encode<T: Serialize>(value: &T, target: &mut Buffer) -> Result<(), String> {
    let encoded = postcard::serialize_with_flavor(value, Appending(target));
    encoded.map_err(|error| error.to_string())
}

/// Appends an object's frame; gives the length of its bytes.
pub(super) fn append<T: Serialize>(
    object: &T,
    (meta, format): (&Meta, u16),
    encoder: &Rc<Encoder>,
    block: &mut Buffer,
) -> Result<usize, String> {
    let begin = block.len();
    block.extend(&[0; 4]);
    block.extend(&meta.version.get().to_le_bytes());
    for time in [meta.created_at, meta.updated_at] {
        block.extend(&time_bytes(time));
    }
    if format > FORMAT_PLAIN {
        let proposed = meta.proposed.unwrap_or_default();
        block.extend(&proposed.get().to_le_bytes());
    }
    encoder.encode(object, |bytes| block.extend(bytes))?;
    let length = block.len() - begin - frame_head_bytes(format);
    let told = u32::try_from(length).unwrap_or(u32::MAX);
    block[begin..begin + 4].copy_from_slice(&told.to_le_bytes());
    Ok(length)
}

/// The frame at the beginning of the bytes of a block of that format; with its own length.
pub(super) fn parse(bytes: &[u8], format: u16) -> Result<(SavedObject<'_>, usize), Fault> {
    let cut = Fault::Malformed("an object goes beyond its block");
    let head = frame_head_bytes(format);
    if bytes.len() < head {
        return Err(cut);
    }
    let length = u32::from_le_bytes(part(bytes, 0)) as usize;
    let Some(object) = bytes[head..].get(..length) else {
        return Err(cut);
    };
    let proposed =
        (format > FORMAT_PLAIN).then(|| Version::new(u64::from_le_bytes(part(bytes, 28))));
    let saved = SavedObject {
        version: Version::new(u64::from_le_bytes(part(bytes, 4))),
        created_at: time_at(bytes, 12),
        updated_at: time_at(bytes, 20),
        proposed: proposed.filter(|version| *version != Version::ZERO),
        bytes: object,
    };
    Ok((saved, head + length))
}
