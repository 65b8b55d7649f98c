//! Two kinds of time that must never be mixed, and the one source of spread.

use std::{
    borrow::Cow,
    ops::{Add, Sub},
    str::FromStr,
    time::Duration,
};

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// A reading of the machine's boot-time clock, in milliseconds. It also counts suspended time and may be compared
/// only with readings of the same [`BootId`]. Rate windows, back-off and deadlines use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Moment(pub u64);

impl Moment {
    /// How long ago `earlier` was; zero when the clock has jumped back behind it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait.as_millis() as u64))
    }
}

/// Milliseconds since 1970, UTC. What people read, what is stored, and what a ban's end or `send_at` is given in.
/// It may jump either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct WallTime(pub i64);

impl WallTime {
    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0) as u64)
    }

    /// As a calendar date.
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for WallTime {
    fn from(date: DateTime<Utc>) -> Self {
        Self(date.timestamp_millis())
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait.as_millis() as i64))
    }
}

impl Sub<Duration> for WallTime {
    type Output = Self;

    fn sub(self, wait: Duration) -> Self {
        Self(self.0.saturating_sub(wait.as_millis() as i64))
    }
}

/// RFC 3339, UTC, milliseconds: `2026-11-22T10:00:00.000Z`.
impl Serialize for WallTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// Text that is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("expected an RFC 3339 date such as 2026-11-22T10:00:00.000Z")]
pub struct NotADate;

/// Any RFC 3339 date with its offset.
impl FromStr for WallTime {
    type Err = NotADate;

    fn from_str(text: &str) -> Result<Self, NotADate> {
        let date = DateTime::parse_from_rfc3339(text).map_err(|_| NotADate)?;
        Ok(date.with_timezone(&Utc).into())
    }
}

/// Any RFC 3339 date with its offset.
impl<'de> Deserialize<'de> for WallTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for WallTime {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "date-time",
            "description": "RFC 3339. Answers are in UTC with milliseconds; requests may use any offset.",
            "examples": ["2026-11-22T10:00:00.000Z"],
        })
    }
}

/// A stretch of time: `[start, end)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Period {
    /// First instant.
    pub start: WallTime,
    /// First instant of the next.
    pub end: WallTime,
}

impl Period {
    /// How long it is, in milliseconds.
    pub fn millis(self) -> u64 {
        self.end.since(self.start).as_millis() as u64
    }
}

/// Which start of the machine a [`Moment`] belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BootId(pub u128);

/// Both clocks at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// For windows and delays.
    pub now: Moment,
    /// For people and rows.
    pub wall: WallTime,
    /// Which boot `now` belongs to.
    pub boot: BootId,
}

impl Reading {
    /// When `wall` will be on the boot-time clock; now, if it has passed.
    pub fn moment_of(&self, wall: WallTime) -> Moment {
        self.now + wall.since(self.wall)
    }
}

/// A random number from -1 to 1, drawn outside so that every policy stays a function of its arguments.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// No spread at all.
    pub const NONE: Self = Self(0.0);

    /// Maps any random bits onto the range.
    pub fn from_bits(bits: u64) -> Self {
        Self((bits % 2001) as f64 / 1000.0 - 1.0)
    }

    /// The number itself.
    pub fn value(self) -> f64 {
        self.0
    }

    /// `wait`, moved either way by at most `share` of itself.
    pub fn spread(self, wait: Duration, share: f64) -> Duration {
        wait.mul_f64(1.0 + self.0 * share)
    }
}
