//! Identities for serde, with the feature `serde`: as their text where people read the format, else
//! as 16 bytes.

#![forbid(unsafe_code)]

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::id::Id;

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            // The most significant byte first: their order is the order of identities.
            self.as_u128().to_be_bytes().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Text)
        } else {
            <[u8; 16]>::deserialize(deserializer)
                .map(|bytes| Self::from_u128(u128::from_be_bytes(bytes)))
        }
    }
}

/// Takes an identity's text.
struct Text;

impl Visitor<'_> for Text {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the 25 characters of an id")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Id, E> {
        text.parse().map_err(E::custom)
    }
}
