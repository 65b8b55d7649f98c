//! What every store call can answer besides its work.

use thiserror::Error;

use crate::domain::refusal::Refusal;
use crate::failpoint::Tripped;

/// A store call that did not do its work.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// Nothing is known to have happened; ask again. The text names the backend's complaint, never a row's content.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// A newer owner holds the session; this one must leave.
    #[error("fenced by a newer owner")]
    Fenced,
    /// This one row cannot be written, however often it is tried; its neighbours were.
    #[error("row refused by the store: {0}")]
    Poisoned(String),
}

impl From<Tripped> for StoreError {
    fn from(tripped: Tripped) -> Self {
        Self::Unavailable(tripped.to_string())
    }
}

/// Why a write asked for by a caller was not made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriteError {
    /// An expected "no", decided inside the transaction.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Tripped> for WriteError {
    fn from(tripped: Tripped) -> Self {
        Self::Store(tripped.into())
    }
}

/// The outcome of a creation that may be the second of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// Made now.
    New(T),
    /// Made by an earlier request with the same idempotency key and fingerprint.
    Replayed(T),
}

impl<T> Created<T> {
    /// The thing, whichever way it came.
    pub fn into_inner(self) -> T {
        match self {
            Self::New(thing) | Self::Replayed(thing) => thing,
        }
    }

    /// Whether an earlier request made it.
    pub fn is_replayed(&self) -> bool {
        matches!(self, Self::Replayed(_))
    }
}
