//! Bytes: those that must not be seen, and those that may.
//!
//! Both are shared, so that the next version of an object does not copy them.

use std::fmt;
use std::hint::black_box;
use std::sync::Arc;

use zeroize::Zeroizing;

/// Bytes that are nobody's business: passwords, keys, tokens.
///
/// `Debug` shows how many there are and nothing else. They are overwritten with zeros when the last
/// clone is dropped; a clone shares them. Comparing two of the same length takes the same time
/// whatever is in them.
///
/// ```
/// use skep::cluster::SecretBytes;
///
/// let secret = SecretBytes::from("hunter2");
/// assert_eq!(format!("{secret:?}"), "SecretBytes(7 bytes)");
/// assert_eq!(secret.expose(), b"hunter2");
/// ```
#[derive(Clone, Default)]
pub struct SecretBytes(Arc<Zeroizing<Vec<u8>>>);

impl SecretBytes {
    /// The bytes themselves. Whoever copies them must wipe the copy.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.len())
    }
}

impl PartialEq for SecretBytes {
    fn eq(&self, other: &Self) -> bool {
        let (own, others) = (self.expose(), other.expose());
        // No early end at the first difference, and no optimization that brings one back.
        let pairs = own.iter().zip(others);
        let differing = pairs.fold(0, |bits, (own, other)| black_box(bits | (own ^ other)));
        own.len() == others.len() && differing == 0
    }
}

impl Eq for SecretBytes {}

impl From<Vec<u8>> for SecretBytes {
    /// Takes the bytes over where they are, without a copy.
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes)))
    }
}

impl From<String> for SecretBytes {
    /// Takes the bytes over where they are, without a copy.
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl From<&[u8]> for SecretBytes {
    fn from(bytes: &[u8]) -> Self {
        bytes.to_vec().into()
    }
}

impl From<&str> for SecretBytes {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

/// Bytes that are passed on as they are, and are no secret. `Debug` shows how many there are.
#[derive(Clone, PartialEq, Eq)]
pub struct Bytes(Arc<[u8]>);

impl Bytes {
    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Default for Bytes {
    fn default() -> Self {
        Self(Arc::new([]))
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bytes({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        text.as_bytes().into()
    }
}

/// A message of a type that only its reader knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Payload {
    /// The type's name.
    pub type_url: String,
    /// The message.
    pub value: Bytes,
}
