//! The record that every peer stores: a task of about 400 bytes, plain data.

use skep::Id;

/// Bytes of a task beside its counter and its identities.
const BODY: usize = 336;
/// Bytes of a task.
pub const TASK_BYTES: usize = size_of::<Task>();

/// A task. Plain data, so that peers that store bytes pay for nothing but the copy.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Task {
    /// What updates change and reads read.
    pub count: u64,
    /// Its position among the records.
    pub number: u64,
    /// The key.
    pub id: Id,
    /// A service, as a real task has one.
    pub service: Id,
    /// The rest of it.
    pub body: [u8; BODY],
}

/// A key as text: 25 base-36 characters.
pub type TextKey = [u8; 25];

impl Task {
    /// Task `number`, with a random but reproducible key.
    pub fn new(number: u64) -> Self {
        Self {
            count: 0,
            number,
            id: id(number),
            service: id(number % 100),
            body: [number as u8; BODY],
        }
    }

    /// The task as bytes; [`count_in`] and [`count_up_in`] work on them.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(TASK_BYTES);
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.id.as_u128().to_le_bytes());
        bytes.extend_from_slice(&self.service.as_u128().to_le_bytes());
        bytes.extend_from_slice(&self.body);
        bytes.resize(TASK_BYTES, 0);
        bytes
    }
}

/// The counter of a task's bytes.
pub fn count_in(bytes: &[u8]) -> u64 {
    let word = bytes.first_chunk().expect("a task has 8 bytes at least");
    u64::from_le_bytes(*word)
}

/// Counts one up in a task's bytes.
pub fn count_up_in(bytes: &mut [u8]) {
    let count = count_in(bytes) + 1;
    bytes[..8].copy_from_slice(&count.to_le_bytes());
}

/// The key of task `number`: well mixed, the same in every run.
pub fn id(number: u64) -> Id {
    let mut random = fastrand::Rng::with_seed(number);
    Id::from_u128(random.u128(..))
}

/// A key as its text.
pub fn text(id: Id) -> TextKey {
    let text = id.to_string();
    text.as_bytes().try_into().expect("an Id has 25 characters")
}
