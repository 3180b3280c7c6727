//! Objects as lines of JSON: `{"table":…,"meta":…,"object":…}`.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use skep::Version;
use skep::save::{Fault, SavedObject};

use super::tables::{Secrets, Table};

/// A line, with its object in one form or another.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields, expecting = "an object with `table` and `object`")]
pub struct Line<O> {
    pub table: String,
    #[serde(default)]
    pub meta: Option<Meta>,
    pub object: O,
}

/// What a line says of its object's history. The versions are for people: a store counts its own,
/// and one without a proposer, as those that lines are put into, knows no other.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Meta {
    #[serde(default)]
    pub version: Version,
    /// The proposer's, of a file of a store that had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<Version>,
    pub created_at: SystemTime,
    pub updated_at: SystemTime,
}

impl Meta {
    /// Whether a store can keep its times: until July 2554.
    pub fn is_kept(&self) -> bool {
        let last = SystemTime::UNIX_EPOCH + Duration::from_nanos(u64::MAX);
        self.created_at <= last && self.updated_at <= last
    }
}

/// An object's line, with its end.
pub fn line(table: &Table, object: &SavedObject<'_>, secrets: Secrets) -> Result<Vec<u8>, String> {
    let line = Line {
        table: table.name.to_owned(),
        meta: Some(Meta {
            version: object.version,
            proposed: object.proposed,
            created_at: object.created_at,
            updated_at: object.updated_at,
        }),
        object: (table.json)(object.bytes, secrets).map_err(|fault: Fault| fault.to_string())?,
    };
    let mut line = serde_json::to_vec(&line).map_err(|error| error.to_string())?;
    line.push(b'\n');
    Ok(line)
}
