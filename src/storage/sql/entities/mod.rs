//! The tables as sea-orm sees them, and the way from a row to the domain.

pub mod api_key;
pub mod event;
pub mod media;
pub mod message;
pub mod operator;
pub mod plan;
pub mod session;
pub mod session_tally;
pub mod store_meta;
pub mod tenant;
pub mod webhook;
pub mod webhook_delivery;

use std::str::FromStr;

use super::dialect::Fault;
use crate::domain::time::WallTime;

/// Reads a stored word of a closed list.
pub(super) fn word<T: FromStr>(text: &str, what: &'static str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::unreadable(what))
}

/// Reads a stored word that may be absent.
pub(super) fn maybe_word<T: FromStr>(text: Option<&str>, what: &'static str) -> Result<Option<T>, Fault> {
    text.map(|text| word(text, what)).transpose()
}

/// Reads a stored count. SQL knows no unsigned numbers; ours are never negative.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

/// Reads a stored time that may be absent.
pub(super) fn maybe_time(millis: Option<i64>) -> Option<WallTime> {
    millis.map(WallTime)
}
