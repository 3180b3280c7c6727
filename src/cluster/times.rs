//! For serde, with the feature `serde`: times of the system's clock, also those before 1970, which
//! serde refuses: one of them would keep a whole store from being saved.
//!
//! The form is serde's, seconds and nanoseconds since 1970. Before it the seconds are negative and
//! the nanoseconds count on from them: a second and a half before is -2 and 500,000,000. Formats
//! for machines have the seconds as `u64`, as serde writes them, negative ones in two's complement.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

const SECOND_NANOS: u32 = 1_000_000_000;

/// A time that may not be known; a field's `with`.
pub fn serialize<S: Serializer>(
    time: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(Time).serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SystemTime>, D::Error> {
    let time = Option::<Time>::deserialize(deserializer)?;
    Ok(time.map(|time| time.0))
}

/// The same of times by name.
pub mod named {
    use super::{BTreeMap, Deserialize, Deserializer, Serializer, SystemTime, Time};

    type Times = BTreeMap<String, Option<SystemTime>>;

    pub fn serialize<S: Serializer>(times: &Times, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(times.iter().map(|(name, time)| (name, time.map(Time))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Times, D::Error> {
        let times = BTreeMap::<String, Option<Time>>::deserialize(deserializer)?;
        let times = times.into_iter();
        Ok(times
            .map(|(name, time)| (name, time.map(|time| time.0)))
            .collect())
    }
}

struct Time(SystemTime);

/// What serde makes of a time, by the type of its seconds.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename = "SystemTime", deny_unknown_fields)]
struct Since<S> {
    secs_since_epoch: S,
    nanos_since_epoch: u32,
}

/// Seconds since 1970, and nanoseconds from them on.
fn since_1970(time: SystemTime) -> (i64, u32) {
    let (before, since) = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => (false, since),
        Err(error) => (true, error.duration()),
    };
    // No clock goes further than 64 bits with a sign.
    let (seconds, nanos) = (since.as_secs().cast_signed(), since.subsec_nanos());
    match (before, nanos) {
        (false, nanos) => (seconds, nanos),
        (true, 0) => (seconds.wrapping_neg(), 0),
        (true, nanos) => (-seconds - 1, SECOND_NANOS - nanos),
    }
}

/// The time that many seconds and nanoseconds after 1970, if the system has it.
fn time_at(seconds: i64, nanos: u32) -> Option<SystemTime> {
    let away = Duration::from_secs(seconds.unsigned_abs());
    let second = match seconds < 0 {
        true => UNIX_EPOCH.checked_sub(away),
        false => UNIX_EPOCH.checked_add(away),
    };
    second?.checked_add(Duration::from_nanos(nanos.into()))
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (seconds, nanos_since_epoch) = since_1970(self.0);
        if serializer.is_human_readable() {
            let since = Since {
                secs_since_epoch: seconds,
                nanos_since_epoch,
            };
            since.serialize(serializer)
        } else {
            let since = Since {
                secs_since_epoch: seconds.cast_unsigned(),
                nanos_since_epoch,
            };
            since.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (seconds, nanos) = if deserializer.is_human_readable() {
            let since = Since::<i64>::deserialize(deserializer)?;
            (since.secs_since_epoch, since.nanos_since_epoch)
        } else {
            let since = Since::<u64>::deserialize(deserializer)?;
            (
                since.secs_since_epoch.cast_signed(),
                since.nanos_since_epoch,
            )
        };
        let time = time_at(seconds, nanos);
        time.map(Self)
            .ok_or_else(|| D::Error::custom("a time that the system does not have"))
    }
}
