//! Actions as bytes, for a log of them: kind 1 · name length 1 · name · schema 4 · has times 1 ·
//! created 8 · updated 8 · the object's or the key's bytes, to the end.

use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::buffer::Buffer;
use super::catalogue::{Catalogue, Typed};
use super::error::{Fault, SaveError};
use super::format::{part, time_at, time_bytes};
use super::frame;
use crate::action::Action;
use crate::propose::sets::ProposedWrite;
use crate::table::object::Object;

const CREATE: u8 = 1;
const UPDATE: u8 = 2;
const DELETE: u8 = 3;

/// Encodes and decodes what actions of one table carry.
pub(super) trait AnyCodec: Send + Sync {
    fn encode(&self, action: &Action, bytes: &mut Buffer) -> Result<(), String>;
    fn decode(&self, kind: u8, bytes: &[u8]) -> Result<Action, Fault>;
    /// What a proposed write does, if it is of this type.
    fn action(&self, write: &ProposedWrite) -> Option<Action>;
}

impl<T> AnyCodec for Typed<T>
where
    T: Object<Key: Serialize + DeserializeOwned> + Serialize + DeserializeOwned,
{
    fn encode(&self, action: &Action, bytes: &mut Buffer) -> Result<(), String> {
        let encoded = match action {
            Action::Create(object) | Action::Update(object) => {
                object.of::<T>().map(|object| frame::encode(object, bytes))
            }
            Action::Delete(key) => key.of::<T>().map(|key| frame::encode(key, bytes)),
        };
        encoded.unwrap_or_else(|| Err("it is of another type".to_owned()))
    }

    fn decode(&self, kind: u8, bytes: &[u8]) -> Result<Action, Fault> {
        match kind {
            CREATE => frame::decode::<T>(bytes).map(Action::create),
            UPDATE => frame::decode::<T>(bytes).map(Action::update),
            DELETE => frame::decode::<T::Key>(bytes).map(|key| Action::delete::<T>(&key)),
            _ => Err(Fault::Malformed("the kind of an action")),
        }
    }

    fn action(&self, write: &ProposedWrite) -> Option<Action> {
        Action::of_write::<T>(write)
    }
}

impl Catalogue {
    /// What a proposed write does, of whatever table of the catalogue, for
    /// [`Catalogue::encode`]: see [`Action::of_write`].
    ///
    /// # Errors
    /// [`SaveError::UnknownTable`], also of a table of that name with objects of another type.
    pub fn action(&self, write: &ProposedWrite) -> Result<Action, SaveError> {
        let table = self.find(write.table);
        let action = table.and_then(|table| table.action(write));
        action.ok_or_else(|| SaveError::UnknownTable(write.table.to_owned()))
    }

    /// An action as bytes. They carry no checksum: a log has its own.
    ///
    /// A secret is in them as it is. They are the caller's to wipe; no other copy is left behind.
    ///
    /// # Errors
    /// [`SaveError::UnknownTable`] and [`SaveError::Unencodable`].
    pub fn encode(&self, action: &Action) -> Result<Vec<u8>, SaveError> {
        let name = action.table();
        let Some(table) = self.find(name) else {
            return Err(SaveError::UnknownTable(name.to_owned()));
        };
        let (kind, times) = match action {
            Action::Create(object) => (CREATE, object.times()),
            Action::Update(object) => (UPDATE, object.times()),
            Action::Delete(_) => (DELETE, None),
        };
        let length = u8::try_from(name.len()).expect("the catalogue bounds names");
        let mut bytes = Buffer::default();
        bytes.extend(&[kind, length]);
        bytes.extend(name.as_bytes());
        bytes.extend(&table.schema().to_le_bytes());
        bytes.push(times.is_some().into());
        let (created, updated) = times.unwrap_or((SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH));
        for time in [created, updated] {
            bytes.extend(&time_bytes(time));
        }
        let encoded = table.encode(action, &mut bytes);
        encoded.map_err(|reason| SaveError::Unencodable {
            table: table.name(),
            key: action.key(),
            reason,
        })?;
        Ok(bytes.into_vec())
    }

    /// The action that bytes say.
    ///
    /// # Errors
    /// [`Fault::Malformed`], [`Fault::UnknownTable`], [`Fault::Schema`] and
    /// [`Fault::Undecodable`].
    pub fn decode(&self, bytes: &[u8]) -> Result<Action, Fault> {
        const AFTER_NAME: usize = 21;
        let cut = || Fault::Malformed("an action is cut short");
        let [kind, length, rest @ ..] = bytes else {
            return Err(cut());
        };
        let (name, rest) = rest
            .split_at_checked(usize::from(*length))
            .ok_or_else(cut)?;
        let (head, body) = rest.split_at_checked(AFTER_NAME).ok_or_else(cut)?;
        let name = std::str::from_utf8(name).map_err(|_| Fault::Malformed("a table's name"))?;
        let table = self.find(name).ok_or(Fault::UnknownTable)?;
        let schema = u32::from_le_bytes(part(head, 0));
        if schema != table.schema() {
            return Err(Fault::Schema {
                found: schema,
                known: table.schema(),
            });
        }
        let action = table.decode(*kind, body)?;
        match head[4] {
            0 => Ok(action),
            1 => Ok(action.at(time_at(head, 5), time_at(head, 13))),
            _ => Err(Fault::Malformed("whether an action has times")),
        }
    }
}
